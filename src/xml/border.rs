//! Borders between the elements of a stream that passes unread.

use memchr::{memchr, memchr3};

/// Follows a stream to know whether it stands between two of its elements.
///
/// It keeps no bytes, refuses nothing and compares no names; on a stream that is no XML it may be wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Border {
    /// Elements open inside the stream.
    depth: usize,
    place: Place,
    /// The stream's closing tag has passed.
    has_ended: bool,
}

/// The part of the stream that the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Text,
    /// Behind a `<`.
    Markup,
    /// A start tag; whether its last byte was a slash.
    Start(bool),
    /// A value in a start tag, and the quote that ends it.
    Value(u8),
    /// An end tag.
    End,
    /// Behind `<!`.
    Declaration,
    /// A comment or a processing instruction, which no stream may hold: up to the next `>`.
    Other,
    /// A CDATA section, and how many `]` its last bytes were.
    CData(usize),
}

impl Border {
    /// Whether an element of our own could be put here.
    pub(crate) fn is_between(&self) -> bool {
        self.is_outside() && !self.has_ended
    }

    fn is_outside(&self) -> bool {
        self.depth == 0 && self.place == Place::Text
    }

    /// The length of the next piece of the stream, which goes on in `bytes`: an element, the closing tag, or the white
    /// space that has come between them. `None` if it does not end in `bytes`.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.is_outside() {
            let space = memchr(b'<', bytes).unwrap_or(bytes.len());
            if space > 0 {
                return Some(space);
            }
        }
        let mut at = 0;
        loop {
            at += self.advance(&bytes[at..])?;
            if self.is_outside() {
                return Some(at);
            }
        }
    }

    /// Goes on to where the place changes; how many bytes that is, or `None` if it does not in `bytes`.
    fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        let first = *bytes.first()?;
        let find = |byte| memchr(byte, bytes).map(|at| at + 1);
        let (place, len) = match self.place {
            Place::Text => (Place::Markup, find(b'<')?),
            Place::Markup => match first {
                b'/' => (Place::End, 1),
                b'!' => (Place::Declaration, 1),
                b'?' => (Place::Other, 1),
                _ => (Place::Start(false), 0),
            },
            Place::Start(had_slash) => {
                let Some(at) = memchr3(b'>', b'"', b'\'', bytes) else {
                    self.place = Place::Start(bytes.last() == Some(&b'/'));
                    return None;
                };
                let has_slash = at.checked_sub(1).map_or(had_slash, |at| bytes[at] == b'/');
                match bytes[at] {
                    b'>' => {
                        self.depth += usize::from(!has_slash);
                        (Place::Text, at + 1)
                    }
                    quote => (Place::Value(quote), at + 1),
                }
            }
            Place::Value(quote) => (Place::Start(false), find(quote)?),
            Place::End => {
                let len = find(b'>')?;
                self.has_ended |= self.depth == 0;
                self.depth = self.depth.saturating_sub(1);
                (Place::Text, len)
            }
            Place::Declaration if first == b'[' => (Place::CData(0), 1),
            Place::Declaration => (Place::Other, 0),
            Place::Other => (Place::Text, find(b'>')?),
            Place::CData(count) => (Place::Text, self.end_of_cdata(count, bytes)?),
        };
        self.place = place;
        Some(len)
    }

    /// The length of a CDATA section's rest, of which `count` brackets came before.
    fn end_of_cdata(&mut self, mut count: usize, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            count = match byte {
                b']' => count + 1,
                b'>' if count >= 2 => return Some(at + 1),
                _ => 0,
            };
        }
        self.place = Place::CData(count);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `stream` is cut into, however it is split.
    fn pieces(stream: &str, size: usize) -> Vec<String> {
        let (mut border, mut pieces, mut piece) = (Border::default(), Vec::new(), Vec::new());
        for bytes in stream.as_bytes().chunks(size) {
            let mut rest = bytes;
            while !rest.is_empty() {
                let end = border.next(rest);
                let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
                piece.extend_from_slice(part);
                if end.is_some() {
                    let whole = std::mem::take(&mut piece);
                    pieces.push(String::from_utf8(whole).expect("text"));
                }
                rest = after;
            }
        }
        pieces.push(String::from_utf8(piece).expect("text"));
        pieces
    }

    #[test]
    fn elements_end_where_they_end_however_they_are_split() {
        let elements = [
            "<message><body>a > b</body></message>",
            "<a/>",
            " ",
            "<a b='/>' c=\"</a>'\"  />",
            "<a b='x'/ ></a >",
            "<m><![CDATA[</m>]] ]>]]]></m>",
            "<m><!-- - --><?x <?><a><a/></a></m>",
            "</stream:stream>",
            "<m><un",
        ];
        for size in 1..20 {
            assert_eq!(pieces(&elements.concat(), size), elements, "{size}");
        }
    }

    #[test]
    fn nothing_can_be_said_inside_an_element_or_behind_the_end() {
        for (stream, is_between) in [
            ("", true),
            (" ", true),
            ("<", false),
            ("<a", false),
            ("<a>", false),
            ("<a></a", false),
            ("<a></a> <b/>", true),
            ("</stream:stream>", false),
        ] {
            let mut border = Border::default();
            let mut rest = stream.as_bytes();
            while let Some(len) = border.next(rest).filter(|len| *len > 0) {
                rest = &rest[len..];
            }
            assert_eq!(border.is_between(), is_between, "{stream}");
        }
    }
}
