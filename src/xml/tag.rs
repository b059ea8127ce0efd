//! Start tags and their attributes, as slices of the bytes they came in.

use std::borrow::Cow;

use super::XmlError;
use super::chars::{is_space, unescape};

/// A start tag or an empty-element tag, from `<` to `>`.
#[derive(Clone, Copy)]
pub struct Tag<'a> {
    raw: &'a str,
    name_len: usize,
}

/// One attribute of a [`Tag`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The name with its prefix, as written.
    pub name: &'a str,
    /// The value as written, between its quotes.
    pub raw: &'a str,
    /// Where the attribute stands in its tag, with the white space before it.
    pub(crate) start: usize,
    /// Where its name begins.
    pub(crate) name_at: usize,
    /// Where it ends, after the closing quote.
    pub(crate) end: usize,
}

impl<'a> Tag<'a> {
    /// Takes the text from `<` to `>`, both included.
    pub(crate) fn new(raw: &'a str) -> Self {
        let name_len = raw.as_bytes()[1..]
            .iter()
            .position(|&b| is_space(b) || b == b'/' || b == b'>')
            .unwrap_or(0);
        Self { raw, name_len }
    }

    /// The same if the length of its name is known.
    pub(super) fn with_name(raw: &'a str, name_len: usize) -> Self {
        Self { raw, name_len }
    }

    /// The name without its prefix.
    pub(super) fn local(&self) -> &'a str {
        let name = self.name();
        name.split_once(':').map_or(name, |(_, local)| local)
    }

    /// The element's name with its prefix, as written.
    pub fn name(&self) -> &'a str {
        &self.raw[1..=self.name_len]
    }

    /// The tag as it came.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// Whether the tag is the whole element (`<a/>`).
    pub fn is_empty(&self) -> bool {
        self.raw.ends_with("/>")
    }

    /// The attributes in their order, namespace declarations included.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes {
            raw: self.raw,
            at: 1 + self.name_len,
        }
    }

    /// The value of the attribute called `name`, references resolved.
    pub fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        self.find(|it| it == name.as_bytes()).map(unescape)
    }

    /// The namespace this tag binds to `prefix` (`None`: the default one), if it declares it.
    pub fn declaration(&self, prefix: Option<&str>) -> Option<Cow<'a, str>> {
        let Some(prefix) = prefix else {
            return self.attribute("xmlns");
        };
        let is_it = |name: &[u8]| name.strip_prefix(b"xmlns:") == Some(prefix.as_bytes());
        self.find(is_it).map(unescape)
    }

    /// The value, as written, of the first attribute with such a name.
    ///
    /// Attributes are asked for more often than anything else, so this does less than [`Attributes`]: it relies on a
    /// checked tag.
    fn find(&self, is_it: impl Fn(&[u8]) -> bool) -> Option<&'a str> {
        let bytes = self.raw.as_bytes();
        let mut at = 1 + self.name_len;
        loop {
            // No other character up to the space is allowed.
            while *bytes.get(at)? <= b' ' {
                at += 1;
            }
            let start = at;
            while !matches!(bytes.get(at)?, b'=' | ..=b' ') {
                at += 1;
            }
            let is_found = is_it(&bytes[start..at]);
            while !matches!(bytes.get(at)?, b'"' | b'\'') {
                at += 1;
            }
            let (quote, value_at) = (bytes[at], at + 1);
            at = value_at + memchr::memchr(quote, &bytes[value_at..])?;
            if is_found {
                return Some(&self.raw[value_at..at]);
            }
            at += 1;
        }
    }
}

impl<'a> Attribute<'a> {
    /// Where its value begins in the tag.
    pub(super) fn value_at(&self) -> usize {
        self.end - 1 - self.raw.len()
    }

    /// The value, references resolved.
    pub fn value(&self) -> Cow<'a, str> {
        unescape(self.raw)
    }

    /// For a namespace declaration the prefix it binds (`Some(None)`: the default namespace).
    pub fn declares(&self) -> Option<Option<&'a str>> {
        match self.name.strip_prefix("xmlns")? {
            "" => Some(None),
            rest => rest.strip_prefix(':').map(Some),
        }
    }
}

/// Iterator over a tag's attributes; on a checked tag every item is `Ok`.
#[derive(Clone)]
pub struct Attributes<'a> {
    raw: &'a str,
    at: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, XmlError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.raw.as_bytes();
        let start = self.at;
        let name_at = skip_space(bytes, start);
        let tail = &bytes[name_at..];
        if tail == b">" || tail == b"/>" {
            return None;
        }
        let item = self.attribute(start, name_at);
        // After an error there is nothing more to find.
        self.at = item.map_or(self.raw.len() - 1, |attribute| attribute.end);
        Some(item)
    }
}

impl<'a> Attributes<'a> {
    fn attribute(&self, start: usize, name_at: usize) -> Result<Attribute<'a>, XmlError> {
        const BAD: XmlError = XmlError::NotWellFormed("bad attribute");
        let bytes = self.raw.as_bytes();
        if name_at == start {
            return Err(BAD);
        }
        let mut name_end = name_at;
        while !matches!(
            bytes.get(name_end).ok_or(BAD)?,
            b'=' | b' ' | b'\t' | b'\r' | b'\n'
        ) {
            name_end += 1;
        }
        let equals = skip_space(bytes, name_end);
        if bytes.get(equals) != Some(&b'=') {
            return Err(BAD);
        }
        let quote_at = skip_space(bytes, equals + 1);
        let quote = *bytes.get(quote_at).ok_or(BAD)?;
        if quote != b'"' && quote != b'\'' {
            return Err(BAD);
        }
        let value_at = quote_at + 1;
        let value_len = memchr::memchr(quote, &bytes[value_at..]).ok_or(BAD)?;
        Ok(Attribute {
            name: &self.raw[name_at..name_end],
            raw: &self.raw[value_at..value_at + value_len],
            start,
            name_at,
            end: value_at + value_len + 1,
        })
    }
}

/// The first place from `at` on without white space.
pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|byte| is_space(*byte)) {
        at += 1;
    }
    at
}

/// The length of the tag that `bytes` begin with; a `>` inside a quoted value does not end it.
pub(super) fn tag_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let found = at + memchr::memchr3(b'>', b'"', b'\'', bytes.get(at..)?)?;
        if bytes[found] == b'>' {
            return Some(found + 1);
        }
        at = found + 1 + memchr::memchr(bytes[found], &bytes[found + 1..])? + 1;
    }
}
