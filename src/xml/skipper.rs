//! Stanzas that are not kept: the end of one is found, and parts of its start tag are remembered for an answer.

use super::border::Border;

/// An attribute or a name of more bytes than this is left out of a [`head`].
const MOST: usize = 4096;

/// Finds the end of a stanza without its bytes, however long it is.
#[derive(Debug, Default)]
pub(crate) struct Skipper {
    border: Border,
    head: Head,
}

impl Skipper {
    /// Goes on with the next bytes of the stanza, from its `<` on; gives how many of them belong to it, if it ends in
    /// them.
    pub(crate) fn skip(&mut self, bytes: &[u8]) -> Option<usize> {
        self.head.read(bytes);
        self.border.next(bytes)
    }

    /// The stanza's [`head`], once its start tag is read.
    pub(crate) fn into_head(self) -> Option<Vec<u8>> {
        self.head.into_bytes()
    }
}

/// A stanza without its content: its name, `from`, `to`, `id`, `type`, `xml:lang`, its default namespace and
/// that of its prefix, each as it came unless it is longer than 4 KiB.
///
/// Costs as much as reading the start tag once. `None` if that has no end, or a name of more than 4 KiB.
pub(crate) fn head(stanza: &[u8]) -> Option<Vec<u8>> {
    let mut head = Head::default();
    head.read(stanza);
    head.into_bytes()
}

/// The parts of a start tag that are kept, and how far the tag is read.
#[derive(Debug, Default)]
struct Head {
    /// `<`, the name and the attributes that are kept.
    kept: Vec<u8>,
    /// The attribute in work, with one space before it.
    attribute: Vec<u8>,
    /// The quote of the value in work.
    quote: Option<u8>,
    name_is_read: bool,
    is_too_long: bool,
    /// The tag has ended.
    is_read: bool,
}

impl Head {
    /// Goes on with `bytes`, as far as they are the start tag's.
    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.is_read {
                return;
            }
            self.take(*byte);
        }
    }

    fn take(&mut self, byte: u8) {
        if let Some(quote) = self.quote {
            self.keep(byte);
            if byte == quote {
                self.quote = None;
                self.end_attribute();
            }
            return;
        }
        if byte == b'>' {
            self.is_read = true;
            self.attribute = Vec::new();
            return;
        }
        let is_space = super::chars::is_space(byte);
        self.name_is_read |= is_space || byte == b'/';
        if !self.name_is_read {
            match self.kept.len() < MOST {
                true => self.kept.push(byte),
                false => self.is_too_long = true,
            }
        } else if is_space {
            // One space is enough, before an attribute and inside it.
            if self.attribute.last() != Some(&b' ') {
                self.keep(b' ');
            }
        } else if byte != b'/' {
            self.quote = matches!(byte, b'"' | b'\'').then_some(byte);
            self.keep(byte);
        }
    }

    fn into_bytes(self) -> Option<Vec<u8>> {
        let is_whole = self.is_read && !self.is_too_long;
        is_whole.then(|| [&*self.kept, b"/>"].concat())
    }

    /// Adds a byte to the attribute in work, until it is one byte longer than any that is kept.
    fn keep(&mut self, byte: u8) {
        if self.attribute.len() <= MOST {
            self.attribute.push(byte);
        }
    }

    fn end_attribute(&mut self) {
        if self.attribute.len() <= MOST && self.is_wanted() {
            self.kept.extend_from_slice(&self.attribute);
        }
        self.attribute.clear();
    }

    fn is_wanted(&self) -> bool {
        let attribute = self.attribute.trim_ascii_start();
        let end = attribute
            .iter()
            .position(|byte| matches!(byte, b'=' | b' '));
        let name = &attribute[..end.unwrap_or(0)];
        match name {
            b"from" | b"to" | b"id" | b"type" | b"xml:lang" | b"xmlns" => true,
            _ => name.strip_prefix(b"xmlns:").is_some_and(|prefix| {
                let own = self
                    .kept
                    .get(1..)
                    .and_then(|name| name.strip_prefix(prefix));
                own.is_some_and(|after| after.starts_with(b":"))
            }),
        }
    }
}
