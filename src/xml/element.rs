//! A look into a checked element without copying it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use super::Namespaces;
use super::chars::{is_space, unescape};
use super::tag::Tag;
use crate::ns;

/// An element as the bytes it came in, with the scope its names are read in.
///
/// It may only be made from what a [`Framer`](super::Framer) let pass.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    raw: &'a str,
    tag: Tag<'a>,
    scope: Scope<'a>,
}

/// What an element inherits its declarations from.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Stream(&'a Namespaces),
    Parent(&'a Element<'a>),
}

impl fmt::Debug for Element<'_> {
    /// Only the name: the rest may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.tag.name())
    }
}

impl<'a> Element<'a> {
    /// Reads a frame of a stream with the declarations of the stream's header.
    ///
    /// `None` if `frame` is not a whole element.
    pub fn of_frame(frame: &'a [u8], stream: &'a Namespaces) -> Option<Self> {
        let raw = std::str::from_utf8(frame).ok()?;
        Self::new(raw, Scope::Stream(stream))
    }

    fn new(raw: &'a str, scope: Scope<'a>) -> Option<Self> {
        let end = tag_len(raw)?;
        let tag = Tag::new(&raw[..end]);
        Some(Self { raw, tag, scope })
    }

    /// The whole element as it came.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// The element's start tag.
    pub fn tag(&self) -> Tag<'a> {
        self.tag
    }

    /// The name without its prefix.
    pub fn local(&self) -> &'a str {
        let name = self.tag.name();
        name.split_once(':').map_or(name, |(_, local)| local)
    }

    /// The namespace of the element's name; empty if it has none.
    pub fn namespace(&self) -> Cow<'_, str> {
        let prefix = self.tag.name().split_once(':').map(|(prefix, _)| prefix);
        self.resolve(prefix).unwrap_or_default()
    }

    /// Whether this is the element `local` of `namespace`.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local() == local && self.namespace() == namespace
    }

    /// The value of the attribute called `name`, references resolved.
    pub fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        self.tag.attribute(name)
    }

    /// The namespace that `prefix` (`None`: no prefix) stands for inside this element.
    pub(crate) fn resolve(&self, prefix: Option<&str>) -> Option<Cow<'_, str>> {
        if prefix == Some("xml") {
            return Some(Cow::Borrowed(ns::XML));
        }
        let mut element = self;
        loop {
            match (element.tag.declaration(prefix), element.scope) {
                (Some(namespace), _) => return Some(namespace),
                (None, Scope::Parent(parent)) => element = parent,
                (None, Scope::Stream(stream)) => {
                    let namespace = stream.get(prefix.unwrap_or_default());
                    return namespace.map(Cow::Borrowed);
                }
            }
        }
    }

    /// The namespace that `prefix` stands for around this element.
    pub(super) fn outer(&self, prefix: Option<&str>) -> Option<Cow<'a, str>> {
        match self.scope {
            Scope::Parent(parent) => parent.resolve(prefix),
            Scope::Stream(_) if prefix == Some("xml") => Some(Cow::Borrowed(ns::XML)),
            Scope::Stream(stream) => stream.get(prefix.unwrap_or_default()).map(Cow::Borrowed),
        }
    }

    /// Whether `word` stands anywhere in it: a cheap look before a thorough one.
    pub(crate) fn mentions(&self, word: &str) -> bool {
        memchr::memmem::find(self.raw().as_bytes(), word.as_bytes()).is_some()
    }

    /// The language in force inside this element.
    pub(crate) fn lang(&self) -> Option<Cow<'_, str>> {
        self.attribute("xml:lang").or_else(|| self.outer_lang())
    }

    /// The language in force around this element.
    pub(super) fn outer_lang(&self) -> Option<Cow<'a, str>> {
        match self.scope {
            Scope::Parent(parent) => parent.lang(),
            Scope::Stream(stream) => stream.lang().map(Cow::Borrowed),
        }
    }

    /// The prefixes the element inherits, with what they stand for, inner declarations first.
    pub(crate) fn inherited(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let mut scope = self.scope;
        let parents = std::iter::from_fn(move || match scope {
            Scope::Parent(parent) => {
                scope = parent.scope;
                Some(parent)
            }
            Scope::Stream(_) => None,
        });
        let declared = parents.flat_map(|parent| parent.tag.attributes().flatten());
        let local = declared.filter_map(|attribute| {
            let prefix = attribute.declares()?.unwrap_or_default();
            Some((Cow::Borrowed(prefix), attribute.value()))
        });
        let stream = self.stream().iter();
        local.chain(stream.map(|(prefix, ns)| (Cow::Borrowed(prefix), Cow::Borrowed(ns))))
    }

    fn stream(&self) -> &'a Namespaces {
        let mut scope = self.scope;
        loop {
            match scope {
                Scope::Parent(parent) => scope = parent.scope,
                Scope::Stream(stream) => return stream,
            }
        }
    }

    /// The bytes between the start tag and the end tag.
    pub fn inner(&self) -> &'a str {
        if self.tag.is_empty() {
            return "";
        }
        let end = self.raw.rfind("</").unwrap_or(self.raw.len());
        &self.raw[self.tag.raw().len()..end]
    }

    /// The child elements in their order.
    pub fn children(&self) -> Children<'_> {
        Children {
            parent: self,
            rest: self.inner(),
        }
    }

    /// The first child that is `local` of `namespace`.
    pub fn child(&self, namespace: &str, local: &str) -> Option<Element<'_>> {
        self.children().find(|child| child.is(namespace, local))
    }

    /// The same at the cost of reading the element once, whatever it holds; for one that is opaque.
    pub(crate) fn opaque_child(&self, namespace: &str, local: &str) -> Option<Element<'_>> {
        let declared: BTreeMap<_, _> = self
            .tag
            .attributes()
            .flatten()
            .filter_map(|attribute| Some((attribute.declares()?, attribute.value() == namespace)))
            .collect();
        let is_inherited = |prefix: Option<&str>| match (declared.get(&prefix), self.scope) {
            (Some(is_it), _) => *is_it,
            (None, Scope::Parent(parent)) => parent.resolve(prefix).as_deref() == Some(namespace),
            (None, Scope::Stream(stream)) => {
                stream.get(prefix.unwrap_or_default()) == Some(namespace)
            }
        };
        self.children().find(|child| {
            let prefix = child.tag.name().split_once(':').map(|(prefix, _)| prefix);
            child.local() == local
                && match child.tag.declaration(prefix) {
                    Some(declared) => declared == namespace,
                    None => is_inherited(prefix),
                }
        })
    }

    /// The text directly inside the element: references resolved, CDATA included, children left out.
    pub fn text(&self) -> Cow<'a, str> {
        let mut rest = self.inner();
        let mut text = Cow::Borrowed("");
        while !rest.is_empty() {
            let (piece, len) = if let Some(body) = rest.strip_prefix("<![CDATA[") {
                let end = body.find("]]>").unwrap_or(body.len());
                (Cow::Borrowed(&body[..end]), "<![CDATA[]]>".len() + end)
            } else if rest.starts_with('<') {
                (Cow::Borrowed(""), element_len(rest).unwrap_or(rest.len()))
            } else {
                let end = memchr::memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
                (unescape(&rest[..end]), end)
            };
            if text.is_empty() {
                text = piece;
            } else if !piece.is_empty() {
                text.to_mut().push_str(&piece);
            }
            rest = rest.get(len..).unwrap_or_default();
        }
        text
    }
}

/// Iterator over the child elements of an [`Element`].
#[derive(Clone, Debug)]
pub struct Children<'a> {
    parent: &'a Element<'a>,
    rest: &'a str,
}

impl<'a> Iterator for Children<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let start = memchr::memchr(b'<', self.rest.as_bytes())?;
            let rest = &self.rest[start..];
            let len = element_len(rest)?;
            self.rest = &rest[len..];
            if !rest.starts_with("<!") {
                return Element::new(&rest[..len], Scope::Parent(self.parent));
            }
        }
    }
}

/// The length of the start tag that `raw` begins with.
pub(super) fn tag_len(raw: &str) -> Option<usize> {
    let bytes = raw.as_bytes();
    let mut at = 1;
    loop {
        let found = at + memchr::memchr3(b'>', b'"', b'\'', bytes.get(at..)?)?;
        if bytes[found] == b'>' {
            return Some(found + 1);
        }
        at = found + 1 + memchr::memchr(bytes[found], &bytes[found + 1..])? + 1;
    }
}

/// The length of the end tag or CDATA section that `raw` begins with.
pub(super) fn token_len(raw: &str) -> Option<usize> {
    match raw.starts_with("<!") {
        true => Some(raw.find("]]>")? + 3),
        false => Some(memchr::memchr(b'>', raw.as_bytes())? + 1),
    }
}

/// The length of the element or CDATA section that `raw` begins with.
fn element_len(raw: &str) -> Option<usize> {
    let bytes = raw.as_bytes();
    let (mut at, mut depth) = (0, 0);
    loop {
        let token = &raw[at..];
        if token.starts_with("<!") {
            at += token_len(token)?;
        } else if token.starts_with("</") {
            at += token_len(token)?;
            depth -= 1;
        } else {
            let len = tag_len(token)?;
            at += len;
            depth += i32::from(!token[..len].ends_with("/>"));
        }
        if depth <= 0 {
            return Some(at);
        }
        at += memchr::memchr(b'<', &bytes[at..])?;
    }
}

/// The name without its prefix of the one element that `bytes` are; `None` if they are anything else.
pub(crate) fn sole_element(bytes: &[u8]) -> Option<&str> {
    let raw = std::str::from_utf8(bytes).ok()?;
    let is_sole = raw.starts_with('<') && element_len(raw) == Some(raw.len());
    let name = Tag::new(&raw[..tag_len(raw)?]).name();
    is_sole.then(|| name.split_once(':').map_or(name, |(_, local)| local))
}

/// Whether `raw` uses `prefix` in the name of an element or an attribute, or seems to.
pub(crate) fn mentions_prefix(raw: &str, prefix: &str) -> bool {
    let bytes = raw.as_bytes();
    memchr::memchr_iter(b':', bytes).any(|colon| {
        let before = bytes[..colon].strip_suffix(prefix.as_bytes());
        let before = before.and_then(<[u8]>::last);
        before.is_some_and(|&b| b == b'<' || b == b'/' || is_space(b))
    })
}
