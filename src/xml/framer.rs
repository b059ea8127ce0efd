//! Bytes to frames: where one top-level element of a stream ends, and whether it may pass.

use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

use super::chars::{check_chars, check_references, is_space, split_qname};
use super::declarations::{Declarations, Range, part};
use super::tag::{Attribute, Tag};
use super::unique::are_unique;
use super::{Limits, Namespaces, XmlError};
use crate::ns;

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

/// Finds and checks the frames of one direction of one stream (RFC 6120 §11).
///
/// It keeps no bytes: each call to [`next`](Self::next) shows it everything since the end of the
/// last frame, and it goes on where it stopped. A token is checked as soon as it is complete, so
/// how the input was split makes no difference. What it lets pass is well-formed, namespace-well-formed,
/// UTF-8, within the [`Limits`], and free of what RFC 6120 §11.1 forbids. To find that out of n bytes takes
/// no more than n log n steps, whatever they are.
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
    /// The quote that an attribute value in work began with.
    quote: Option<u8>,
    /// Elements of the stanza so far.
    elements: usize,
    /// Where in the frame the names of the open elements begin.
    open: Vec<u32>,
    /// Namespace declarations in force, as ranges of the frame.
    declared: Declarations,
    /// Names of the attributes of the tag in work, as ranges of the frame.
    names: Vec<Range>,
}

/// What a complete token is.
enum Token {
    Text,
    CData,
    Start,
    End,
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
        self.token = 0;
        self.scan = 0;
        self.quote = None;
        self.is_opaque = false;
        self.elements = 0;
        self.open.clear();
        self.declared.clear();
        if self.open.capacity() > KEEP {
            self.open = Vec::new();
        }
        if self.names.capacity() > KEEP {
            self.names = Vec::new();
        }
    }

    /// The bytes it needs for the frame in work, besides the frame's own.
    pub fn memory(&self) -> usize {
        self.declared.memory()
            + self.open.capacity() * size_of::<u32>()
            + self.names.capacity() * size_of::<Range>()
    }

    /// What the stream's header declared; `None` before the header.
    pub fn namespaces(&self) -> Option<&Arc<Namespaces>> {
        self.namespaces.as_ref()
    }

    /// The first frame of `buf`, or `None` if `buf` ends before the frame does.
    ///
    /// `buf` starts where the last frame ended and holds at least what the last call was shown.
    pub fn next(&mut self, buf: &[u8]) -> Result<Option<Frame>, XmlError> {
        let frame = match &self.namespaces {
            None => self.header(buf)?,
            Some(_) => self.element(buf)?,
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
            self.forget();
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
        self.is_opaque = true;
        match self.is_lenient {
            true => Ok(()),
            false => Err(XmlError::TooBig(what)),
        }
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
        self.token += space;
        self.scan = self.scan.max(self.token);
        match &buf[self.token..] {
            [] | [b'<'] | [b'<', b'!'] => return Ok(None),
            [b'<', b'!' | b'?', ..] => return Err(restricted(&buf[self.token..])),
            [b'<', b'/', ..] => return Err(XmlError::NotWellFormed("an end before a start")),
            [b'<', ..] => {}
            _ => return Err(XmlError::NotWellFormed("no '<' where a stream begins")),
        }
        let Some(end) = self.tag_end(buf) else {
            return Ok(None);
        };
        let tag = Tag::new(check_chars(&buf[self.token..end])?);
        if tag.is_empty() {
            return Err(XmlError::BadFormat("a stream that ends as it begins"));
        }
        self.check_tag(buf, &tag)?;
        self.namespaces = Some(Arc::new(Namespaces::of(&tag)));
        Ok(self.frame(FrameKind::Header, end))
    }

    fn element(&mut self, buf: &[u8]) -> Result<Option<Frame>, XmlError> {
        if self.token == 0 {
            let len = count_space(buf);
            if len > 0 {
                return Ok(self.frame(FrameKind::Whitespace, len));
            }
        }
        while let Some((token, end)) = self.token(buf)? {
            let bytes = &buf[self.token..end];
            match token {
                Token::Text | Token::CData if self.open.is_empty() => {
                    return Err(XmlError::BadFormat("text between stanzas"));
                }
                Token::Text => check_text(bytes)?,
                Token::CData => {
                    check_chars(bytes)?;
                }
                Token::Start => self.start_tag(buf, end)?,
                Token::End if self.open.is_empty() => {
                    self.check_close(bytes)?;
                    return Ok(self.frame(FrameKind::Close, end));
                }
                Token::End => self.end_tag(buf, bytes)?,
            }
            self.token = end;
            self.scan = end;
            if self.open.is_empty() {
                return Ok(self.frame(FrameKind::Element, end));
            }
        }
        Ok(None)
    }

    /// The token at `self.token` and where it ends, if it is complete.
    fn token(&mut self, buf: &[u8]) -> Result<Option<(Token, usize)>, XmlError> {
        const CDATA: &[u8] = b"<![CDATA[";
        let rest = &buf[self.token..];
        Ok(match rest {
            [] | [b'<'] => None,
            [b'<', b'/', ..] => find(b">", buf, &mut self.scan).map(|at| (Token::End, at + 1)),
            [b'<', b'!', ..] if rest.starts_with(CDATA) => {
                self.scan = self.scan.max(self.token + CDATA.len());
                find(b"]]>", buf, &mut self.scan).map(|at| (Token::CData, at + 3))
            }
            [b'<', b'!', ..] if CDATA.starts_with(rest) => None,
            [b'<', b'!' | b'?', ..] => return Err(restricted(rest)),
            [b'<', ..] => self.tag_end(buf).map(|end| (Token::Start, end)),
            _ if self.open.is_empty() => {
                return Err(XmlError::BadFormat("text between stanzas"));
            }
            _ => find(b"<", buf, &mut self.scan).map(|at| (Token::Text, at)),
        })
    }

    /// Where the tag at `self.token` ends; a `>` inside a quoted value does not count.
    fn tag_end(&mut self, buf: &[u8]) -> Option<usize> {
        self.scan = self.scan.max(self.token + 1);
        loop {
            let rest = &buf[self.scan..];
            let found = match self.quote {
                Some(quote) => memchr::memchr(quote, rest),
                None => memchr::memchr3(b'>', b'"', b'\'', rest),
            };
            let Some(at) = found else {
                self.scan = buf.len();
                return None;
            };
            self.scan += at + 1;
            self.quote = match (self.quote, rest[at]) {
                (Some(_), _) => None,
                (None, b'>') => return Some(self.scan),
                (None, quote) => Some(quote),
            };
        }
    }

    fn start_tag(&mut self, buf: &[u8], end: usize) -> Result<(), XmlError> {
        if self.open.len() >= self.limits.depth {
            self.exceed("elements nested too deeply")?;
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            self.exceed("too many elements")?;
        }
        let tag = Tag::new(check_chars(&buf[self.token..end])?);
        self.check_tag(buf, &tag)?;
        if tag.is_empty() {
            self.leave_scope();
        } else {
            self.open.push(place(self.token + 1)?);
        }
        Ok(())
    }

    fn end_tag(&mut self, buf: &[u8], tag: &[u8]) -> Result<(), XmlError> {
        let Some(start) = self.open.pop() else {
            return Err(XmlError::NotWellFormed("an end without a start"));
        };
        let (name, opened) = (end_name(tag), &buf[start as usize..]);
        let is_whole = |after: &u8| is_space(*after) || matches!(after, b'/' | b'>');
        if !opened.starts_with(name) || !opened.get(name.len()).is_some_and(is_whole) {
            return Err(XmlError::NotWellFormed("an end tag of another element"));
        }
        self.leave_scope();
        Ok(())
    }

    fn check_close(&self, tag: &[u8]) -> Result<(), XmlError> {
        let name = self.namespaces.as_ref().map(|n| n.stream_name());
        if Some(end_name(tag)) == name.map(str::as_bytes) {
            Ok(())
        } else {
            Err(XmlError::NotWellFormed("an end tag of another element"))
        }
    }

    /// Forgets the declarations of the element that just ended.
    fn leave_scope(&mut self) {
        self.declared.leave(self.depth());
    }

    /// How many elements are open.
    fn depth(&self) -> u32 {
        // Each of them has a place.
        u32::try_from(self.open.len()).unwrap_or(u32::MAX)
    }

    /// Checks a tag at `self.token` and notes what it declares.
    fn check_tag(&mut self, buf: &[u8], tag: &Tag<'_>) -> Result<(), XmlError> {
        let (prefix, _) = split_qname(tag.name())?;
        let mut prefixed = 0;
        self.names.clear();
        for attribute in tag.attributes() {
            let attribute = attribute?;
            if self.names.len() >= self.limits.attributes {
                self.exceed("too many attributes")?;
            }
            if memchr::memchr(b'<', attribute.raw.as_bytes()).is_some() {
                return Err(XmlError::NotWellFormed("'<' in an attribute"));
            }
            check_references(attribute.raw)?;
            let (prefix, _) = split_qname(attribute.name)?;
            let name = self.range(attribute.name_at, attribute.name)?;
            self.names.push(name);
            if attribute.declares().is_some() {
                self.declare(&attribute)?;
            } else if prefix.is_some() {
                prefixed += 1;
            }
        }
        if !are_unique(self.names.len(), |at| part(buf, self.names[at])) {
            return Err(XmlError::NotWellFormed("an attribute twice"));
        }
        if let Some(prefix) = prefix {
            self.resolve(buf, prefix.as_bytes())?;
        }
        match prefixed {
            0 => Ok(()),
            _ => self.check_prefixed_attributes(buf, prefixed),
        }
    }

    /// Where `text` stands in the frame, which begins at `at` in the tag in work.
    fn range(&self, at: usize, text: &str) -> Result<Range, XmlError> {
        Ok((place(self.token + at)?, place(text.len())?))
    }

    /// Notes a namespace declaration, if it is one that may be made (Namespaces in XML §3).
    fn declare(&mut self, attribute: &Attribute<'_>) -> Result<(), XmlError> {
        let value = attribute.value();
        let prefix = attribute.declares().flatten();
        let allowed = match prefix {
            Some("xml") => value == ns::XML,
            Some("xmlns") => false,
            Some(_) => !value.is_empty() && value != ns::XML && value != ns::XMLNS,
            None => value != ns::XML && value != ns::XMLNS,
        };
        if !allowed {
            return Err(XmlError::BadPrefix("a declaration that may not be made"));
        }
        if self.declared.len() >= self.limits.namespaces {
            self.exceed("too many namespace declarations")?;
        }
        let name_at = attribute.name_at;
        let prefix = match prefix {
            Some(prefix) => self.range(name_at + "xmlns:".len(), prefix)?,
            None => self.range(name_at, "")?,
        };
        let value = self.range(attribute.end - 1 - attribute.raw.len(), attribute.raw)?;
        let depth = self.depth();
        self.declared.push(depth, prefix, value);
        Ok(())
    }

    /// What `prefix` is bound to at this point.
    fn resolve(&mut self, buf: &[u8], prefix: &[u8]) -> Result<Bound, XmlError> {
        match prefix {
            b"xml" => return Ok(Bound::Xml),
            b"xmlns" => return Err(XmlError::BadPrefix("an element or attribute in 'xmlns'")),
            _ => {}
        }
        if let Some(declaration) = self.declared.find(buf, prefix) {
            return Ok(Bound::Inside(declaration));
        }
        let namespaces = self.namespaces.as_deref();
        let inherited = namespaces.and_then(|namespaces| {
            let mut bindings = namespaces.iter();
            bindings.position(|(bound, _)| bound.as_bytes() == prefix)
        });
        inherited
            .map(Bound::Stream)
            .ok_or(XmlError::BadPrefix("a prefix that is not declared"))
    }

    /// Each of the tag's `count` attributes with a prefix has one that is bound, and no two of them have
    /// the same namespace and local name.
    fn check_prefixed_attributes(&mut self, buf: &[u8], count: usize) -> Result<(), XmlError> {
        let mut known = Vec::new();
        for at in 0..self.names.len() {
            let (start, len) = self.names[at];
            let name = part(buf, (start, len));
            let Some(colon) = memchr::memchr(b':', name) else {
                continue;
            };
            if &name[..colon] == b"xmlns" {
                continue;
            }
            let bound = self.resolve(buf, &name[..colon])?;
            // One alone has none to be compared with.
            if count > 1 {
                let local = place(colon + 1)?;
                known.push((self.namespace(buf, bound), (start + local, len - local)));
            }
        }
        let is_unique = are_unique(known.len(), |at| {
            let (namespace, local) = known[at];
            (namespace, part(buf, local))
        });
        match is_unique {
            true => Ok(()),
            false => Err(XmlError::NotWellFormed("an attribute twice")),
        }
    }

    /// What stands for the namespace in comparisons.
    fn namespace(&mut self, buf: &[u8], bound: Bound) -> Namespace {
        let Bound::Stream(binding) = bound else {
            return match bound {
                Bound::Inside(declaration) => {
                    Namespace::Inside(self.declared.namespace(buf, declaration))
                }
                _ => Namespace::Xml,
            };
        };
        let bindings = || self.namespaces.iter().flat_map(|header| header.iter());
        let namespace = bindings()
            .nth(binding)
            .map_or("", |(_, namespace)| namespace);
        match self.declared.of_namespace(buf, namespace) {
            Some(declaration) => Namespace::Inside(declaration),
            None => Namespace::Stream(bindings().position(|(_, other)| other == namespace)),
        }
    }
}

/// Where a prefix is bound.
#[derive(Clone, Copy)]
enum Bound {
    /// By this declaration inside the stanza.
    Inside(u32),
    /// By this one of the stream header's.
    Stream(usize),
    /// By XML itself.
    Xml,
}

/// A namespace, known by the first place that binds a prefix to it.
#[derive(Clone, Copy, Hash, PartialEq)]
enum Namespace {
    Inside(u32),
    Stream(Option<usize>),
    Xml,
}

/// A place in a frame, or a length, as it is remembered.
fn place(at: usize) -> Result<u32, XmlError> {
    u32::try_from(at).map_err(|_| XmlError::TooBig(BYTES))
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

fn check_text(bytes: &[u8]) -> Result<(), XmlError> {
    let text = check_chars(bytes)?;
    check_references(text)?;
    if END_OF_CDATA.find(bytes).is_some() {
        return Err(XmlError::NotWellFormed("']]>' in text"));
    }
    Ok(())
}

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
