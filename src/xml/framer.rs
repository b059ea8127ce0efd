//! Bytes to frames: where one top-level element of a stream ends, and whether it may pass.

mod header;
mod start;
mod tag;

use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

use super::chars::{check_chars, check_references, is_plain, is_space};
use super::declarations::{Declarations, Range, part};
use super::index::{Index, empty, place as place_of};
use super::known::Number;
use super::{Limits, Namespaces, XmlError};
use tag::Noted;

/// What a [`Frame`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// The stream's opening tag, with the XML declaration before it.
    Header,
    /// A whole top-level element: a stanza, features, a SASL element, an error.
    Element,
    /// White space between elements: a keep-alive (RFC 6120 §4.6.1).
    Whitespace,
    /// The stream's closing tag.
    Close,
}

/// The next piece of a stream: the first `len` bytes of what the framer was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the bytes are.
    pub kind: FrameKind,
    /// How many bytes, from the start of the buffer.
    pub len: usize,
    /// The element exceeds a limit of a [lenient](Framer::lenient) framer: it may pass, but no rule reads more of it
    /// than its start tag and the names of its children.
    pub is_opaque: bool,
}

/// The error of a stanza or a header with too many bytes.
pub(crate) const BYTES: &str = "more bytes than a stanza may have";

/// Room for more attributes or open elements than this is given back after the stanza.
const KEEP: usize = 256;

/// Kept bytes that are read again get room for this many elements at once.
const AT_FIRST: usize = 16;
/// Characters are checked a token and this many bytes more at a time: most tokens are so short that to begin a check
/// costs more than the check.
const AHEAD: usize = 256;

/// Finds and checks the frames of one direction of one stream (RFC 6120 §11).
///
/// It keeps no bytes: each call to [`next`](Self::next) shows it everything since the end of the last frame, and it
/// goes on where it stopped. A token is checked as soon as it is complete, so how the input was split makes no
/// difference. What it lets pass is well-formed, namespace-well-formed, UTF-8, within the [`Limits`], and free of what
/// RFC 6120 §11.1 forbids. The check of n bytes takes no more than n log n steps, whatever they are. On the way the
/// framer writes an index of the frame's elements, so that nobody searches for one again.
///
/// After a stream restart (STARTTLS, SASL success) a new framer takes over.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    limits: Limits,
    /// A stanza beyond a limit is opaque and no error, unless it has too many bytes.
    is_lenient: bool,
    /// The stanza in work is beyond a limit.
    is_opaque: bool,
    /// What the stream's header declared, once it was seen.
    namespaces: Option<Arc<Namespaces>>,
    /// Start of the token in work.
    token: usize,
    /// Where to go on searching for the end of that token.
    scan: usize,
    /// Characters are checked up to here.
    checked: usize,
    /// A character was found that is not plain ASCII: from there on, characters are checked token by token.
    is_wide: bool,
    /// The quote that ends the attribute value in work.
    quote: Option<u8>,
    /// Elements of the stanza so far.
    elements: usize,
    /// The names of the open elements, with their prefixes.
    open: Vec<Range>,
    /// The place of the innermost open element in the index.
    innermost: u32,
    /// Namespace declarations in force.
    declared: Declarations,
    /// Default namespaces in force, each with the number of elements open around the one that declares it.
    defaults: Vec<(u32, Number)>,
    /// Attributes of the tag in work.
    noted: Noted,
    /// The elements of the frame in work, or of the last frame until the session takes them. Empty if that is opaque.
    index: Index,
}

impl Framer {
    /// A framer for a stream of which nothing has been read.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Other limits from the next frame on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// From the next frame on a stanza of up to `bytes` passes whatever is in it; what exceeds `limits`
    /// is marked as opaque. Only more bytes are still [`XmlError::TooBig`].
    pub fn lenient(&mut self, bytes: usize, limits: Limits) {
        self.limits = Limits { bytes, ..limits };
        self.is_lenient = true;
    }

    /// Forgets the frame in work: the next bytes begin another one.
    pub fn forget(&mut self) {
        self.end_frame();
        self.index.clear();
    }

    /// Gets ready for another frame, but leaves the index of this one for the session.
    fn end_frame(&mut self) {
        self.token = 0;
        self.scan = 0;
        self.checked = 0;
        self.is_wide = false;
        self.quote = None;
        self.is_opaque = false;
        self.elements = 0;
        self.innermost = 0;
        self.declared.clear();
        empty(&mut self.open, KEEP);
        empty(&mut self.defaults, KEEP);
        empty(&mut self.noted.attributes, KEEP);
        empty(&mut self.noted.declarations, KEEP);
    }

    /// The bytes it needs for the frame in work, besides the frame's own.
    pub fn memory(&self) -> usize {
        self.declared.memory()
            + self.open.capacity() * size_of::<Range>()
            + self.defaults.capacity() * size_of::<(u32, Number)>()
            + self.noted.memory()
            + match self.token {
                // Nothing is in work: the index is the last frame's, and goes when that has been handled.
                0 => 0,
                _ => self.index.memory(),
            }
    }

    /// What the stream's header declared; `None` before the header.
    pub fn namespaces(&self) -> Option<&Arc<Namespaces>> {
        self.namespaces.as_ref()
    }

    /// The index of the frame that [`next`](Self::next) has just given.
    pub(crate) fn take_index(&mut self) -> Index {
        std::mem::take(&mut self.index)
    }

    /// Takes back an index that was [taken](Self::take_index), as room for that of the next frame.
    pub(crate) fn give_back(&mut self, mut index: Index) {
        index.clear();
        self.index = index;
    }

    /// The index of `element`, empty if it has too many elements; `None` if these bytes are not one whole element.
    pub(super) fn index_of(element: &[u8], stream: &Namespaces) -> Option<Index> {
        let mut framer = Self::new(Limits::NONE);
        framer.index.nodes.reserve(AT_FIRST);
        let frame = framer.element(element, stream).ok()??;
        let is_whole = frame.kind == FrameKind::Element && frame.len == element.len();
        is_whole.then_some(framer.index)
    }

    /// The first frame of `buf`, or `None` if `buf` ends before the frame does.
    ///
    /// `buf` starts where the last frame ended and holds at least what the last call was shown.
    pub fn next(&mut self, buf: &[u8]) -> Result<Option<Frame>, XmlError> {
        let frame = match self.namespaces.take() {
            None => self.header(buf)?,
            Some(namespaces) => {
                let frame = self.element(buf, &namespaces);
                self.namespaces = Some(namespaces);
                frame?
            }
        };
        // White space is passed on in parts, as it comes: no number of bytes is too much.
        let len = match frame {
            Some(frame) if frame.kind == FrameKind::Whitespace => 0,
            Some(frame) => frame.len,
            None => buf.len(),
        };
        if len > self.limits.bytes {
            return Err(XmlError::TooBig(BYTES));
        }
        if frame.is_some() {
            self.end_frame();
        }
        Ok(frame)
    }

    /// A frame of the first `len` bytes.
    fn frame(&self, kind: FrameKind, len: usize) -> Option<Frame> {
        let is_opaque = self.is_opaque;
        Some(Frame {
            kind,
            len,
            is_opaque,
        })
    }

    /// Notes that a limit is exceeded, on something other than bytes: an error unless the framer is lenient.
    fn exceed(&mut self, what: &'static str) -> Result<(), XmlError> {
        self.make_opaque();
        match self.is_lenient {
            true => Ok(()),
            false => Err(XmlError::TooBig(what)),
        }
    }

    fn make_opaque(&mut self) {
        self.is_opaque = true;
        self.index.clear();
    }

    fn element(&mut self, buf: &[u8], stream: &Namespaces) -> Result<Option<Frame>, XmlError> {
        const CDATA: &[u8] = b"<![CDATA[";
        if self.token == 0 {
            self.index.clear();
            let len = count_space(buf);
            if len > 0 {
                return Ok(self.frame(FrameKind::Whitespace, len));
            }
        }
        loop {
            let rest = &buf[self.token..];
            let end = match rest {
                [] | [b'<'] => None,
                [b'<', b'/', ..] if self.open.is_empty() => {
                    let end = find(b">", buf, &mut self.scan).map(|at| at + 1);
                    let Some(end) = end else { return Ok(None) };
                    self.check_close(&buf[self.token..end], stream)?;
                    return Ok(self.frame(FrameKind::Close, end));
                }
                [b'<', b'/', ..] => self.end_tag(buf)?,
                [b'<', b'!', ..] if rest.starts_with(CDATA) => {
                    self.scan = self.scan.max(self.token + CDATA.len());
                    let end = find(b"]]>", buf, &mut self.scan).map(|at| at + 3);
                    if let Some(end) = end {
                        if self.open.is_empty() {
                            return Err(XmlError::BadFormat("text between stanzas"));
                        }
                        self.check_chars(buf, end)?;
                    }
                    end
                }
                [b'<', b'!', ..] if CDATA.starts_with(rest) => None,
                [b'<', b'!' | b'?', ..] => return Err(restricted(rest)),
                [b'<', ..] => self.start_tag(buf, stream)?,
                _ if self.open.is_empty() => {
                    return Err(XmlError::BadFormat("text between stanzas"));
                }
                _ => self.text(buf)?,
            };
            let Some(end) = end else { return Ok(None) };
            self.token = end;
            self.scan = end;
            if self.open.is_empty() {
                return Ok(self.frame(FrameKind::Element, end));
            }
        }
    }

    /// Checks the text at `self.token`; gives where it ends.
    fn text(&mut self, buf: &[u8]) -> Result<Option<usize>, XmlError> {
        let Some(end) = find(b"<", buf, &mut self.scan) else {
            return Ok(None);
        };
        self.check_chars(buf, end)?;
        let text = &buf[self.token..end];
        if memchr::memchr2(b'&', b']', text).is_some() {
            check_references(std::str::from_utf8(text).map_err(|_| XmlError::Encoding)?)?;
            if END_OF_CDATA.find(text).is_some() {
                return Err(XmlError::NotWellFormed("']]>' in text"));
            }
        }
        Ok(Some(end))
    }

    /// Checks the characters up to `end`, where the token in work ends.
    fn check_chars(&mut self, buf: &[u8], end: usize) -> Result<(), XmlError> {
        if end <= self.checked {
            return Ok(());
        }
        let ahead = buf.len().min(end + AHEAD);
        if !self.is_wide && is_plain(&buf[self.checked..ahead]) {
            self.checked = ahead;
            return Ok(());
        }
        self.is_wide = true;
        let token = &buf[self.token..end];
        if !is_plain(token) {
            check_chars(token)?;
        }
        self.checked = end;
        Ok(())
    }

    /// Checks the end tag at `self.token`; gives where it ends.
    fn end_tag(&mut self, buf: &[u8]) -> Result<Option<usize>, XmlError> {
        let Some(opened) = self.open.last() else {
            return Err(XmlError::NotWellFormed("an end without a start"));
        };
        let name = part(buf, *opened);
        let start = self.token + 2;
        let behind = start + name.len();
        // Most end tags have no white space behind the name.
        let end = match buf.get(behind) {
            Some(b'>') if &buf[start..behind] == name => behind + 1,
            _ => {
                let Some(end) = find(b">", buf, &mut self.scan) else {
                    return Ok(None);
                };
                if end_name(&buf[self.token..=end]) != name {
                    return Err(XmlError::NotWellFormed("an end tag of another element"));
                }
                end + 1
            }
        };
        self.leave(end)?;
        Ok(Some(end))
    }

    /// Ends the innermost open element, whose end tag ends at `end`.
    fn leave(&mut self, end: usize) -> Result<(), XmlError> {
        self.open.pop();
        self.leave_scope();
        let behind = self.index.next();
        if let Some(node) = self.index.nodes.get_mut(self.innermost as usize) {
            node.end = place(end)?;
            node.skip = behind;
            self.innermost = node.parent;
        }
        Ok(())
    }

    fn check_close(&self, tag: &[u8], stream: &Namespaces) -> Result<(), XmlError> {
        match end_name(tag) == stream.stream_name().as_bytes() {
            true => Ok(()),
            false => Err(XmlError::NotWellFormed("an end tag of another element")),
        }
    }

    /// Forgets the declarations of the element that just ended.
    fn leave_scope(&mut self) {
        let depth = self.depth();
        self.declared.leave(depth);
        while self.defaults.pop_if(|(of, _)| *of >= depth).is_some() {}
    }

    /// How many elements are open.
    fn depth(&self) -> u32 {
        // Each of them has a place.
        u32::try_from(self.open.len()).unwrap_or(u32::MAX)
    }
}

/// A place in a frame, or a length.
fn place(at: usize) -> Result<u32, XmlError> {
    place_of(at).ok_or(XmlError::TooBig(BYTES))
}

fn count_space(buf: &[u8]) -> usize {
    buf.iter().take_while(|&&b| is_space(b)).count()
}

/// Where `needle` begins at or after `scan`; if nowhere, moves `scan` to where it may still begin.
fn find(needle: &[u8], buf: &[u8], scan: &mut usize) -> Option<usize> {
    let rest = buf.get(*scan..)?;
    let found = match needle {
        [byte] => memchr::memchr(*byte, rest),
        _ => memchr::memmem::find(rest, needle),
    };
    if found.is_none() {
        *scan = (*scan).max((buf.len() + 1).saturating_sub(needle.len()));
    }
    found.map(|at| *scan + at)
}

/// The name in `</name >`.
fn end_name(tag: &[u8]) -> &[u8] {
    let name = &tag[2..tag.len() - 1];
    let len = name
        .iter()
        .rposition(|&b| !is_space(b))
        .map_or(0, |at| at + 1);
    &name[..len]
}

/// Searches for the end of a CDATA section, which may not stand in text. The searcher is made once.
static END_OF_CDATA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("]]>"));

/// The error for a token that begins with `<!` or `<?` and is no CDATA section.
fn restricted(token: &[u8]) -> XmlError {
    match token {
        [b'<', b'?', ..] => XmlError::Restricted("a processing instruction"),
        [b'<', b'!', b'-', ..] => XmlError::Restricted("a comment"),
        [b'<', b'!', b'D', ..] => XmlError::Restricted("a document type declaration"),
        _ => XmlError::NotWellFormed("a token that begins with '<!'"),
    }
}
