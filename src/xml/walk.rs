//! The tags of a stanza in their order, also of one that has too many elements for an index.

use std::borrow::Cow;

use super::declarations::Declarations;
use super::index::place;
use super::known::Number;
use super::tag::{Tag, tag_len};
use super::{Element, Namespaces};

/// Goes through an element tag by tag, its own tags included. It takes n log n steps for n bytes, however many elements
/// and declarations there are.
pub(crate) struct Walk<'a> {
    root: &'a Element<'a>,
    raw: &'a str,
    at: usize,
    /// How many elements are open.
    depth: u32,
    declared: Declarations,
}

/// A tag on the way of a [`Walk`].
pub(crate) enum Step<'a> {
    /// A start tag, or an empty-element tag: no [`End`](Self::End) follows for that.
    Start {
        tag: Tag<'a>,
        /// The namespace of its name, empty if it has none.
        namespace: Cow<'a, str>,
    },
    /// The end tag of the element that began last and has not ended.
    End {
        /// Where the tag begins in the text of the element that is walked through.
        at: usize,
    },
}

impl<'a> Walk<'a> {
    pub(crate) fn new(root: &'a Element<'a>) -> Self {
        Self {
            root,
            raw: root.raw(),
            at: 0,
            depth: 0,
            declared: Declarations::default(),
        }
    }

    /// Whether the walk is over and its text was one element.
    fn is_whole(&self) -> bool {
        self.depth == 0 && self.at == self.raw.len()
    }

    fn start(&mut self, at: usize, len: usize) -> Option<Step<'a>> {
        let tag = Tag::new(&self.raw[at..at + len]);
        for attribute in tag.attributes().flatten() {
            let Some(prefix) = attribute.declares() else {
                continue;
            };
            let name_at = at + attribute.name_at;
            let prefix = match prefix {
                Some(prefix) => (place(name_at + "xmlns:".len())?, place(prefix.len())?),
                None => (place(name_at)?, 0),
            };
            let raw = attribute.raw.as_bytes();
            let value = (place(at + attribute.value_at())?, place(raw.len())?);
            let number = Number::of(raw, value.0);
            self.declared.push(self.depth, prefix, value, number);
        }
        let prefix = tag.name().split_once(':').map(|(prefix, _)| prefix);
        let namespace = self.namespace(prefix);
        match tag.is_empty() {
            true => self.declared.leave(self.depth),
            false => self.depth += 1,
        }
        Some(Step::Start { tag, namespace })
    }

    fn namespace(&mut self, prefix: Option<&str>) -> Cow<'a, str> {
        let text = self.raw.as_bytes();
        let prefix_bytes = prefix.unwrap_or_default().as_bytes();
        match self.declared.find(text, prefix_bytes) {
            Some(declaration) => self.declared.number_of(declaration).declared(self.raw),
            None => self.root.outer(prefix).unwrap_or_default(),
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        loop {
            let rest = &self.raw[self.at..];
            let at = self.at + memchr::memchr(b'<', rest.as_bytes())?;
            let token = &self.raw[at..];
            if self.at > 0 && self.depth == 0 {
                // The element has ended: the rest is no part of it.
                return None;
            }
            if token.starts_with("<!") {
                self.at = at + token_len(token)?;
                continue;
            }
            if token.starts_with("</") {
                self.at = at + token_len(token)?;
                self.depth = self.depth.checked_sub(1)?;
                self.declared.leave(self.depth);
                return Some(Step::End { at });
            }
            let len = tag_len(token.as_bytes())?;
            self.at = at + len;
            return self.start(at, len);
        }
    }
}

impl Element<'_> {
    /// The children's start tags of the first child that is `local` of `namespace`, for an element that is opaque: it
    /// is walked through once.
    pub(crate) fn opaque_child(
        &self,
        namespace: &str,
        local: &str,
    ) -> Option<impl Iterator<Item = Tag<'_>>> {
        let mut walk = Walk::new(self);
        let mut is_over = loop {
            let is_child = walk.depth == 1;
            if let Step::Start { tag, namespace: of } = walk.next()?
                && is_child
                && tag.local() == local
                && of == namespace
            {
                break tag.is_empty();
            }
        };
        Some(std::iter::from_fn(move || {
            while !is_over {
                let depth = walk.depth;
                match walk.next()? {
                    Step::Start { tag, .. } if depth == 2 => return Some(tag),
                    Step::Start { .. } => {}
                    Step::End { .. } => is_over = walk.depth == 1,
                }
            }
            None
        }))
    }
}

/// The name without its prefix of the one element that `bytes` are; `None` if they are anything else.
pub(crate) fn sole_element(bytes: &[u8]) -> Option<&str> {
    let stream = Namespaces::none();
    let element = Element::unread(bytes, &stream)?;
    let mut walk = Walk::new(&element);
    walk.by_ref().for_each(drop);
    let is_whole = walk.is_whole();
    let raw = std::str::from_utf8(bytes).ok()?;
    is_whole.then_some(Tag::new(raw).local())
}

/// The length of the end tag or CDATA section that `raw` begins with.
fn token_len(raw: &str) -> Option<usize> {
    match raw.starts_with("<!") {
        true => Some(raw.find("]]>")? + 3),
        false => Some(memchr::memchr(b'>', raw.as_bytes())? + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_opaque_is_looked_through_for_one_child() {
        let event = |start: &str, inside: &str| {
            let crowd = "<a><x:event xmlns:x='u'><no/></x:event></a>".repeat(30_000);
            format!(
                "<m>{crowd}<event xmlns='u'{start}>{inside}</event><event xmlns='u'><no/></event></m>"
            )
        };
        let stream = Namespaces::none();
        for (inside, names) in [("<b><no/></b>t<c/>", vec!["b", "c"]), ("", vec![])] {
            let stanza = event("", inside);
            let opaque = Element::of_frame(stanza.as_bytes(), &stream).expect("whole");
            assert_eq!(opaque.children().count(), 0, "more than are told apart");
            let child = opaque.opaque_child("u", "event").expect("a child");
            assert_eq!(child.map(|tag| tag.name()).collect::<Vec<_>>(), names);
            assert!(opaque.opaque_child("u", "no").is_none());
        }
    }
}
