//! A stanza's tags in their order, whatever it holds.

use std::borrow::Cow;

use super::Element;
use super::chars::unescape;
use super::declarations::{Declarations, part};
use super::element::{tag_len, token_len};
use super::tag::Tag;

/// A longer namespace is none that anybody knows.
const MOST: usize = 1024;

/// Goes through an element tag by tag, itself included: n bytes in n log n, however deep and however crowded.
pub(crate) struct Walk<'a> {
    root: &'a Element<'a>,
    raw: &'a str,
    at: usize,
    /// How many elements are open.
    depth: u32,
    declared: Declarations,
}

/// What [`Walk`] comes by.
pub(crate) enum Step<'a> {
    /// An element begins; it ends, too, if its tag is the whole of it.
    Start {
        tag: Tag<'a>,
        /// The namespace of its name, empty if it has none.
        namespace: Cow<'a, str>,
    },
    /// The end tag of the element that began last and has not ended.
    End {
        /// Where in the text of the whole it begins.
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
            let value_at = at + attribute.end - 1 - attribute.raw.len();
            let value = (place(value_at)?, place(attribute.raw.len())?);
            self.declared.push(self.depth, prefix, value);
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
            Some(declaration) => {
                let value = part(text, self.declared.value(declaration));
                match std::str::from_utf8(value) {
                    Ok(value) if value.len() <= MOST => unescape(value),
                    _ => Cow::Borrowed(""),
                }
            }
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
            let len = tag_len(token)?;
            self.at = at + len;
            return self.start(at, len);
        }
    }
}

/// `None` beyond 4 GiB, where no frame is.
fn place(at: usize) -> Option<u32> {
    u32::try_from(at).ok()
}
