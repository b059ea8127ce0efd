//! Bytes to frames: where one top-level element of a stream ends, and whether it may pass.

mod start;
mod tag;

use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

use super::chars::{check_chars, check_references, is_plain, is_space};
use super::declarations::{Declarations, Range};
use super::index::Index;
use super::known::Number;
use super::tag::Tag;
use super::{Limits, Namespaces, XmlError};
use tag::{Declared, Noted};

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
    /// It exceeds a limit of a [lenient](Framer::lenient) framer: it may pass, but reading it may cost more
    /// than it is worth. (Only its start tag and the names of its children are always safe.)
    pub is_opaque: bool,
}

/// What is wrong with what has too many bytes.
pub(crate) const BYTES: &str = "more bytes than a stanza may have";

/// Room for more attributes or open elements than this is given back after the stanza.
const KEEP: usize = 256;

/// Room for so many elements is made at once for one that is read by itself.
const AT_FIRST: usize = 16;
/// So many bytes behind a token are looked at together with it: most tokens are shorter than what a look costs.
const AHEAD: usize = 256;

/// Finds and checks the frames of one direction of one stream (RFC 6120 §11).
///
/// It keeps no bytes: each call to [`next`](Self::next) shows it everything since the end of the
/// last frame, and it goes on where it stopped. A token is checked as soon as it is complete, so
/// how the input was split makes no difference. What it lets pass is well-formed, namespace-well-formed,
/// UTF-8, within the [`Limits`], and free of what RFC 6120 §11.1 forbids. To find that out of n bytes takes
/// no more than n log n steps, whatever they are. Where the elements of a frame stand it notes on the way:
/// nobody has to search for them again.
///
/// After a stream restart (STARTTLS, SASL success) a new framer takes over.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    limits: Limits,
    /// Only a stanza of too many bytes is an error.
    is_lenient: bool,
    /// The stanza in work exceeds another limit.
    is_opaque: bool,
    /// What the stream's header declared, once it was seen.
    namespaces: Option<Arc<Namespaces>>,
    /// Start of the token in work.
    token: usize,
    /// Where to go on searching for the end of that token.
    scan: usize,
    /// Up to here all characters are known to be allowed.
    checked: usize,
    /// The frame has characters that take a closer look, so only whole tokens are looked at.
    is_wide: bool,
    /// The quote that an attribute value in work began with.
    quote: Option<u8>,
    /// Elements of the stanza so far.
    elements: usize,
    /// Where in the frame the names of the open elements begin.
    open: Vec<u32>,
    /// The place in the index of the innermost of them.
    innermost: u32,
    /// Namespace declarations in force, as ranges of the frame.
    declared: Declarations,
    /// Default namespaces in force, and how many elements are open around those that declare them.
    defaults: Vec<(u32, Number)>,
    /// What stands in the tag in work.
    noted: Noted,
    /// The elements of the frame in work, or of the last one; none of one that is opaque.
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

    /// Forgets the frame in work: what comes next begins another one.
    pub fn forget(&mut self) {
        self.end_frame();
        self.index.clear();
    }

    /// The same where the frame has ended, whose index is still wanted.
    fn end_frame(&mut self) {
        self.token = 0;
        self.scan = 0;
        self.checked = 0;
        self.is_wide = false;
        self.quote = None;
        self.is_opaque = false;
        self.elements = 0;
        self.open.clear();
        self.innermost = 0;
        self.declared.clear();
        self.defaults.clear();
        if self.open.capacity() > KEEP {
            self.open = Vec::new();
        }
        if self.defaults.capacity() > KEEP {
            self.defaults = Vec::new();
        }
        if self
            .noted
            .names
            .capacity()
            .max(self.noted.declarations.capacity())
            > KEEP
        {
            self.noted = Noted::default();
        }
    }

    /// The bytes it needs for the frame in work, besides the frame's own.
    pub fn memory(&self) -> usize {
        self.declared.memory()
            + self.open.capacity() * size_of::<u32>()
            + self.defaults.capacity() * size_of::<(u32, Number)>()
            + self.noted.names.capacity() * size_of::<Range>()
            + self.noted.declarations.capacity() * size_of::<Declared>()
            + match self.token {
                // That of the last frame is whoever's who takes it.
                0 => 0,
                _ => self.index.memory(),
            }
    }

    /// What the stream's header declared; `None` before the header.
    pub fn namespaces(&self) -> Option<&Arc<Namespaces>> {
        self.namespaces.as_ref()
    }

    /// Where the elements of the frame stand that [`next`](Self::next) has just given.
    pub(crate) fn take_index(&mut self) -> Index {
        std::mem::take(&mut self.index)
    }

    /// Takes back what was [taken](Self::take_index): there is room in it for the next frame.
    pub(crate) fn give_back(&mut self, mut index: Index) {
        index.clear();
        self.index = index;
    }

    /// Where the elements of one stand that is all of `element`, nowhere if they are too many; `None` if it is none.
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
        // A run of white space is passed on as far as it has come, so it has no length.
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

    /// A limit is exceeded, on something other than bytes.
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

    fn header(&mut self, buf: &[u8]) -> Result<Option<Frame>, XmlError> {
        const DECLARATION: &[u8] = b"<?xml";
        if self.token == 0
            && (buf.len() < 6 && DECLARATION.starts_with(&buf[..buf.len().min(5)])
                || buf.starts_with(DECLARATION) && is_space(buf[5]))
        {
            let Some(end) = find(b"?>", buf, &mut self.scan) else {
                return Ok(None);
            };
            check_declaration(check_chars(&buf[DECLARATION.len()..end])?)?;
            self.token = end + 2;
            self.scan = self.token;
        }
        let space = count_space(&buf[self.token..]);
        if self.token == 0 && space > 0 {
            return Ok(self.frame(FrameKind::Whitespace, space));
        }
        if self.scan <= self.token + space {
            self.token += space;
            self.scan = self.token;
        }
        match &buf[self.token..] {
            [] | [b'<'] | [b'<', b'!'] => return Ok(None),
            [b'<', b'!' | b'?', ..] => return Err(restricted(&buf[self.token..])),
            [b'<', b'/', ..] => return Err(XmlError::NotWellFormed("an end before a start")),
            [b'<', ..] => {}
            _ => return Err(XmlError::NotWellFormed("no '<' where a stream begins")),
        }
        let Some(end) = self.start_tag(buf, &Namespaces::none())? else {
            return Ok(None);
        };
        let bytes = &buf[self.token..end];
        let tag = Tag::new(std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?);
        if tag.is_empty() {
            return Err(XmlError::BadFormat("a stream that ends as it begins"));
        }
        self.namespaces = Some(Arc::new(Namespaces::of(&tag)));
        Ok(self.frame(FrameKind::Header, end))
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

    /// The text at `self.token`: where it ends.
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

    /// The end tag at `self.token`: where it ends.
    fn end_tag(&mut self, buf: &[u8]) -> Result<Option<usize>, XmlError> {
        let Some(opened) = self.open.last() else {
            return Err(XmlError::NotWellFormed("an end without a start"));
        };
        let opened = &buf[*opened as usize..];
        let at = self.token + 2;
        if let Some(node) = self.index.nodes.get(self.innermost as usize) {
            let len = node.name_len as usize;
            if buf.get(at + len) == Some(&b'>') && buf[at..at + len] == opened[..len] {
                self.leave(at + len + 1)?;
                return Ok(Some(at + len + 1));
            }
        }
        let Some(end) = find(b">", buf, &mut self.scan).map(|at| at + 1) else {
            return Ok(None);
        };
        let name = end_name(&buf[self.token..end]);
        let is_whole = |after: &u8| is_space(*after) || matches!(after, b'/' | b'>');
        if !opened.starts_with(name) || !opened.get(name.len()).is_some_and(is_whole) {
            return Err(XmlError::NotWellFormed("an end tag of another element"));
        }
        self.leave(end)?;
        Ok(Some(end))
    }

    /// The innermost open element ends at `end`.
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

/// A place in a frame, or a length, as it is remembered.
fn place(at: usize) -> Result<u32, XmlError> {
    match u32::try_from(at) {
        Ok(place) if at < Number::MOST => Ok(place),
        _ => Err(XmlError::TooBig(BYTES)),
    }
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

/// What may not stand in text. How to search for it is worked out once.
static END_OF_CDATA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("]]>"));

/// What is wrong with a token that begins with `<!` or `<?`.
fn restricted(token: &[u8]) -> XmlError {
    match token {
        [b'<', b'?', ..] => XmlError::Restricted("a processing instruction"),
        [b'<', b'!', b'-', ..] => XmlError::Restricted("a comment"),
        [b'<', b'!', b'D', ..] => XmlError::Restricted("a document type declaration"),
        _ => XmlError::NotWellFormed("a token that begins with '<!'"),
    }
}

/// Checks what stands between `<?xml` and `?>` (XML 1.0 §2.8); the encoding must be UTF-8.
fn check_declaration(text: &str) -> Result<(), XmlError> {
    const BAD: XmlError = XmlError::NotWellFormed("bad XML declaration");
    // A declaration is written like the attributes of a tag.
    let tag = format!("<x{}>", text.trim_ascii_end());
    let mut order = 0;
    for attribute in Tag::new(&tag).attributes() {
        let attribute = attribute?;
        let place = match attribute.name {
            "version" if attribute.raw == "1.0" => 1,
            "encoding" if attribute.raw.eq_ignore_ascii_case("utf-8") => 2,
            "encoding" => return Err(XmlError::Encoding),
            "standalone" if matches!(attribute.raw, "yes" | "no") => 3,
            _ => return Err(BAD),
        };
        if place <= order || order == 0 && place != 1 {
            return Err(BAD);
        }
        order = place;
    }
    if order == 0 || text.ends_with('/') {
        return Err(BAD);
    }
    Ok(())
}
