//! Elements: places in a frame, read without copying its bytes.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use super::chars::{is_space, unescape};
use super::declarations::part;
use super::index::{Index, Node, place};
use super::known::Number;
use super::tag::{Tag, tag_len};
use super::{Framer, Namespaces};
use crate::ns;

/// An element of a frame.
///
/// It may only be made from what a [`Framer`] let pass.
#[derive(Clone)]
pub struct Element<'a> {
    /// The whole frame.
    text: &'a str,
    stream: &'a Namespaces,
    index: Kept<'a>,
    /// The element's place in the index.
    at: u32,
}

/// The index of a frame: the framer's, or an element's own if it was read from kept bytes.
#[derive(Clone)]
enum Kept<'a> {
    Here(Box<Index>),
    There(&'a Index),
}

impl Deref for Kept<'_> {
    type Target = Index;

    fn deref(&self) -> &Index {
        match self {
            Self::Here(index) => index,
            Self::There(index) => index,
        }
    }
}

impl fmt::Debug for Element<'_> {
    /// Only the name: the rest may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.tag().name())
    }
}

impl<'a> Element<'a> {
    /// Reads a frame again, in a stream whose header declares `stream`.
    ///
    /// `None` if `frame` is not one whole element. One of more than 65,536 elements is read as if it held none.
    pub fn of_frame(frame: &'a [u8], stream: &'a Namespaces) -> Option<Self> {
        match Framer::index_of(frame, stream)? {
            index if index.nodes.is_empty() => Self::unread(frame, stream),
            index => Self::new(frame, stream, Kept::Here(Box::new(index))),
        }
    }

    /// The same for the frame that a framer has just given, with the index taken from that framer.
    pub(crate) fn indexed(
        frame: &'a [u8],
        stream: &'a Namespaces,
        index: &'a Index,
    ) -> Option<Self> {
        Self::new(frame, stream, Kept::There(index))
    }

    /// The same for an opaque frame, which is read as if it held no element.
    pub(crate) fn unread(frame: &'a [u8], stream: &'a Namespaces) -> Option<Self> {
        let tag_end = tag_len(frame)?;
        let tag = Tag::new(std::str::from_utf8(&frame[..tag_end]).ok()?);
        let prefix = tag.name().find(':').map(|colon| &tag.name()[..colon]);
        let mut attributes = tag.attributes().flatten();
        let declaration = attributes.find(|it| it.declares() == Some(prefix));
        let namespace = match declaration {
            Some(it) => Number::of(it.raw.as_bytes(), place(it.value_at())?),
            None => stream
                .number(prefix.unwrap_or_default().as_bytes())
                .unwrap_or_default(),
        };
        let node = Node {
            start: 0,
            tag_end: place(tag_end)?,
            end: place(frame.len())?,
            skip: 1,
            parent: 0,
            name_len: place(tag.name().len())?,
            prefix_len: place(prefix.map_or(0, |prefix| prefix.len() + 1))?,
            namespace,
        };
        let index = Index {
            nodes: vec![node],
            attributes: Vec::new(),
            known: u64::MAX,
            has_prefixes: true,
            has_prefixed: true,
        };
        Self::new(frame, stream, Kept::Here(Box::new(index)))
    }

    fn new(frame: &'a [u8], stream: &'a Namespaces, index: Kept<'a>) -> Option<Self> {
        let text = std::str::from_utf8(frame).ok()?;
        let is_of_frame = index.nodes.first()?.end as usize == text.len();
        is_of_frame.then_some(Self {
            text,
            stream,
            index,
            at: 0,
        })
    }

    fn node(&self) -> &Node {
        &self.index.nodes[self.at as usize]
    }

    /// Another element of the frame.
    fn other(&self, at: u32) -> Element<'_> {
        Element {
            text: self.text,
            stream: self.stream,
            index: Kept::There(&self.index),
            at,
        }
    }

    /// The whole element as it came.
    pub fn raw(&self) -> &'a str {
        let node = self.node();
        &self.text[node.start as usize..node.end as usize]
    }

    /// The element's start tag.
    pub fn tag(&self) -> Tag<'a> {
        self.tag_of(self.node())
    }

    fn tag_of(&self, node: &Node) -> Tag<'a> {
        let raw = &self.text[node.start as usize..node.tag_end as usize];
        Tag::with_name(raw, node.name_len as usize)
    }

    /// The name without its prefix.
    pub fn local(&self) -> &'a str {
        let node = self.node();
        let start = node.start + 1;
        &self.text[(start + node.prefix_len) as usize..(start + node.name_len) as usize]
    }

    /// The namespace of the element's name: empty if it has none, `…` if it is declared in more than 1,024 bytes.
    pub fn namespace(&self) -> Cow<'_, str> {
        self.node().namespace.namespace(self.text, self.stream)
    }

    /// Whether this is the element `local` of `namespace`.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local() == local && self.namespace() == namespace
    }

    /// The value of the attribute called `name`, references resolved.
    pub fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        if self.at > 0 || self.index.attributes.is_empty() {
            return self.tag().attribute(name);
        }
        let is_it = |range| part(self.text.as_bytes(), range) == name.as_bytes();
        let (_, value) = self
            .index
            .attributes
            .iter()
            .find(|(name, _)| is_it(*name))?;
        let (start, len) = (value.0 as usize, value.1 as usize);
        Some(unescape(&self.text[start..start + len]))
    }

    /// The start tags of the elements around this one, inner ones first.
    fn parents(&self) -> impl Iterator<Item = Tag<'a>> + use<'_, 'a> {
        let mut at = self.at;
        std::iter::from_fn(move || {
            let parent = (at > 0).then(|| self.index.nodes[at as usize].parent)?;
            at = parent;
            Some(self.tag_of(&self.index.nodes[parent as usize]))
        })
    }

    /// The namespace that `prefix` (`None`: no prefix) stands for inside this element.
    pub(crate) fn resolve(&self, prefix: Option<&str>) -> Option<Cow<'a, str>> {
        match self.tag().declaration(prefix) {
            Some(namespace) if prefix != Some("xml") => Some(namespace),
            _ => self.outer(prefix),
        }
    }

    /// The namespace that `prefix` stands for around this element.
    pub(super) fn outer(&self, prefix: Option<&str>) -> Option<Cow<'a, str>> {
        if prefix == Some("xml") {
            return Some(Cow::Borrowed(ns::XML));
        }
        let inside = self.parents().find_map(|tag| tag.declaration(prefix));
        let stream = || self.stream.get(prefix.unwrap_or_default());
        inside.or_else(|| stream().map(Cow::Borrowed))
    }

    /// Whether an element of `namespace` may be somewhere in the frame: a quick question before children are read.
    pub(crate) fn mentions(&self, namespace: &str) -> bool {
        Number::known(namespace.as_bytes()).is_none_or(|known| self.index.known & known.bit() != 0)
    }

    /// The language in force around this element.
    pub(super) fn outer_lang(&self) -> Option<Cow<'a, str>> {
        let mut parents = self.parents().filter(|_| self.index.has_prefixed);
        let inside = parents.find_map(|tag| tag.attribute("xml:lang"));
        inside.or_else(|| self.stream.lang().map(Cow::Borrowed))
    }

    /// The prefixes declared around the element, with their namespaces, inner declarations first. The empty prefix
    /// stands for the default namespace of the stream; no other default namespace is given.
    pub(crate) fn inherited(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let parents = self.parents().filter(|_| self.index.has_prefixes);
        let declared = parents.flat_map(|tag| tag.attributes().flatten());
        let local = declared.filter_map(|attribute| {
            let prefix = attribute.declares()??;
            Some((Cow::Borrowed(prefix), attribute.value()))
        });
        let stream = self.stream.iter();
        local.chain(stream.map(|(prefix, ns)| (Cow::Borrowed(prefix), Cow::Borrowed(ns))))
    }

    /// The bytes between the start tag and the end tag.
    pub fn inner(&self) -> &'a str {
        let node = self.node();
        if node.tag_end == node.end {
            return "";
        }
        let inner = &self.text[node.tag_end as usize..node.end as usize];
        let end = memchr::memrchr(b'<', inner.as_bytes()).unwrap_or(inner.len());
        &inner[..end]
    }

    /// The child elements in their order.
    pub fn children(&self) -> Children<'_> {
        Children {
            parent: self,
            next: self.at + 1,
            end: self.node().skip,
        }
    }

    /// The first child that is `local` of `namespace`.
    pub fn child(&self, namespace: &str, local: &str) -> Option<Element<'_>> {
        self.children().find(|child| child.is(namespace, local))
    }

    /// The text directly inside the element: references resolved, CDATA included, children left out.
    pub fn text(&self) -> Cow<'a, str> {
        let mut text = Cow::Borrowed("");
        let mut from = self.node().tag_end as usize;
        for child in self.children() {
            let node = child.node();
            add_text(&mut text, &self.text[from..node.start as usize]);
            from = node.end as usize;
        }
        let inner = self.inner();
        let end = self.node().tag_end as usize + inner.len();
        add_text(&mut text, &self.text[from..end]);
        text
    }
}

/// Adds the text that `raw` stands for.
fn add_text<'a>(text: &mut Cow<'a, str>, raw: &'a str) {
    let mut rest = raw;
    while !rest.is_empty() {
        let (piece, len) = match rest.strip_prefix("<![CDATA[") {
            Some(body) => {
                let end = body.find("]]>").unwrap_or(body.len());
                (Cow::Borrowed(&body[..end]), "<![CDATA[]]>".len() + end)
            }
            // The text of an opaque element ends at its first child.
            None if rest.starts_with('<') => return,
            None => {
                let end = memchr::memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
                (unescape(&rest[..end]), end)
            }
        };
        if text.is_empty() {
            *text = piece;
        } else if !piece.is_empty() {
            text.to_mut().push_str(&piece);
        }
        rest = rest.get(len..).unwrap_or_default();
    }
}

/// Iterator over the child elements of an [`Element`].
#[derive(Clone, Debug)]
pub struct Children<'a> {
    parent: &'a Element<'a>,
    next: u32,
    end: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        if self.next >= self.end {
            return None;
        }
        let child = self.parent.other(self.next);
        self.next = child.node().skip;
        Some(child)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Frame, Limits};

    /// A framer behind the header of a stream that binds `r` to the roster.
    fn framer() -> Framer {
        let mut framer = Framer::new(Limits::AFTER_LOGIN);
        let header =
            b"<s:s xmlns='jabber:client' xmlns:s='urn:s' xmlns:r='jabber:iq:roster' xml:lang='en'>";
        assert!(matches!(framer.next(header), Ok(Some(_))));
        framer
    }

    /// Gives `stanza` to `look` as it comes to a session.
    fn with(stanza: &str, look: impl FnOnce(&Element<'_>)) {
        let mut framer = framer();
        let namespaces = framer.namespaces().expect("a header").clone();
        let frame = framer.next(stanza.as_bytes());
        assert!(matches!(frame, Ok(Some(Frame { len, .. })) if len == stanza.len()));
        let index = framer.take_index();
        look(&Element::indexed(stanza.as_bytes(), &namespaces, &index).expect("a frame"));
    }

    #[test]
    fn a_namespace_is_noticed_however_it_is_declared() {
        for (stanza, is_there) in [
            ("<iq><query xmlns='jabber:iq:roster'/></iq>", true),
            ("<iq><r:query/></iq>", true),
            ("<iq><query xmlns='jabber&#58;iq&#x3A;roster'/></iq>", true),
            ("<iq xmlns:x='jabber:iq:roster'><x:query/></iq>", true),
            ("<iq><r:query xmlns:r='jabber:iq:auth'/></iq>", false),
            ("<iq xmlns:x='jabber:iq:roster'><query/></iq>", false),
            ("<iq>jabber:iq:roster</iq>", false),
        ] {
            with(stanza, |iq| {
                assert_eq!(iq.mentions(ns::ROSTER), is_there, "{stanza}");
                assert_eq!(iq.child(ns::ROSTER, "query").is_some(), is_there);
            });
        }
    }

    #[test]
    fn a_frame_has_one_index_however_it_comes() {
        let stanzas = [
            "<m xmlns:x='u&amp;v'><x:a x:b='1' xml:lang='de'/><r:q><b xmlns=''/></r:q>t</m >",
            "<a><b><c><d xmlns:x='u' x:e=''/></c></b></a>",
            "<p/>",
            "<é:a xmlns:é='w'><é:b>&amp;<![CDATA[<c>]]></é:b></é:a>",
            "<xml:a b='>'><a xmlns='jabber:iq:roster'/></xml:a>",
        ];
        for size in [1, 2, 3, 7, 100] {
            let mut framer = framer();
            let stream = framer.namespaces().expect("a header").clone();
            let depth = 3;
            framer.lenient(
                1000,
                Limits {
                    depth,
                    ..Limits::READ
                },
            );
            for stanza in stanzas {
                let bytes = stanza.as_bytes();
                let ends = (size..).step_by(size).map(|end| end.min(bytes.len()));
                let mut frames = ends.map(|end| framer.next(&bytes[..end]));
                let frame = frames.find_map(|it| it.expect(stanza)).expect("a frame");
                assert_eq!(frame.is_opaque, stanza.contains("<d"), "{stanza}");
                let index = framer.take_index();
                let again = Framer::index_of(bytes, &stream).expect(stanza);
                match frame.is_opaque {
                    true => assert_eq!(index.nodes, []),
                    false => assert_eq!(index, again, "{stanza}"),
                }
                let unread = Element::unread(bytes, &stream).expect(stanza);
                assert_eq!(unread.node().namespace, again.nodes[0].namespace);
                framer.give_back(index);
            }
        }
    }

    #[test]
    fn a_long_namespace_is_read_once() {
        let long = format!("u&amp;{}", "u".repeat(100_000));
        let children = "<x:a/>".repeat(20_000);
        with(&format!("<m xmlns:x='{long}'>{children}</m>"), |m| {
            assert!(m.children().all(|child| child.namespace() == "…"));
            assert!(!m.mentions(ns::ROSTER));
            assert_eq!(
                m.resolve(Some("x")).as_deref(),
                Some(&*long.replace("&amp;", "&"))
            );
        });
    }

    #[test]
    fn each_element_knows_its_own_part_of_the_frame() {
        with(
            "<m a='1'>x<a xmlns='u'><b xml:lang='de'><c/></b>y</a ><![CDATA[<z>]]><a/>&amp;</m>",
            |m| {
                let all: Vec<_> = m.children().map(|it| it.raw()).collect();
                let first = "<a xmlns='u'><b xml:lang='de'><c/></b>y</a >";
                assert_eq!(all, [first, "<a/>"]);
                assert_eq!(m.text(), "x<z>&");
                let a = m.child("u", "a").expect("a child");
                assert_eq!((a.inner(), &*a.text()), ("<b xml:lang='de'><c/></b>y", "y"));
                let b = a.child("u", "b").expect("a child");
                let c = b.child("u", "c").expect("a child");
                assert_eq!(c.outer_lang().as_deref(), Some("de"));
                assert_eq!(c.outer(None).as_deref(), Some("u"));
                assert_eq!(b.outer_lang().as_deref(), Some("en"));
                assert_eq!(c.children().count(), 0);
            },
        );
    }
}
