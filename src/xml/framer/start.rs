//! Start tags where they stand: their declarations and the namespaces of their names.

use super::super::declarations::part;
use super::super::index::{Index, Node};
use super::super::known::Number;
use super::super::unique::are_unique;
use super::super::{Namespaces, XmlError};
use super::tag::{BAD_ATTRIBUTE, Declared, Whole, read};
use super::{Framer, place};

impl Framer {
    /// Checks the start tag at `self.token` and notes that its element begins; gives where the tag ends.
    pub(super) fn start_tag(
        &mut self,
        buf: &[u8],
        stream: &Namespaces,
    ) -> Result<Option<usize>, XmlError> {
        // The end of a tag is searched for only if the tag came in parts or is wrong: a good tag is read to its end.
        let mut end = None;
        if self.scan > self.token {
            end = self.tag_end(buf);
            if end.is_none() {
                return Ok(None);
            }
        }
        let tag = read(buf, self.token, &mut self.noted).transpose();
        let tag = tag.unwrap_or(Err(BAD_ATTRIBUTE));
        if tag.is_err() && end.is_none() {
            end = self.tag_end(buf);
            if end.is_none() {
                return Ok(None);
            }
        }
        if self.open.len() >= self.limits.depth {
            self.exceed("elements nested too deeply")?;
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            self.exceed("too many elements")?;
        }
        let end = tag.as_ref().map_or(end, |tag| Some(tag.end));
        self.check_chars(buf, end.unwrap_or_default())?;
        let tag = tag?;
        let namespace = self.check_tag(buf, tag, stream)?;
        self.enter(tag, namespace)?;
        Ok(Some(tag.end))
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

    /// Checks the names of `tag`, which begins at `self.token`, and notes its declarations; gives the namespace of its
    /// name.
    fn check_tag(
        &mut self,
        buf: &[u8],
        tag: Whole,
        stream: &Namespaces,
    ) -> Result<Number, XmlError> {
        if self.noted.attributes.len() > self.limits.attributes {
            self.exceed("too many attributes")?;
        }
        for at in 0..self.noted.declarations.len() {
            let declaration = self.noted.declarations[at];
            self.declare(buf, declaration)?;
        }
        let attributes = &self.noted.attributes;
        if !are_unique(attributes.len(), |at| part(buf, attributes[at].0)) {
            return Err(XmlError::NotWellFormed("an attribute twice"));
        }
        let namespace = match tag.name.prefix_len {
            0 => self.defaults.last().map_or(stream.default(), |(_, it)| *it),
            len => {
                let prefix = &buf[self.token + 1..self.token + len];
                match self.resolve(buf, prefix, stream)? {
                    Bound::Inside(declaration) => self.declared.number_of(declaration),
                    Bound::Outside(number) => number,
                }
            }
        };
        if self.noted.prefixed > 0 {
            self.index.has_prefixed = true;
            self.check_prefixed_attributes(buf, stream)?;
        }
        Ok(namespace)
    }

    /// Notes that the element of `tag` begins, and ends if the tag is the whole of it.
    fn enter(&mut self, tag: Whole, namespace: Number) -> Result<(), XmlError> {
        if self.index.nodes.len() >= Index::MOST {
            self.make_opaque();
        }
        let place_in_index = self.index.next();
        if !self.is_opaque {
            let end = place(tag.end)?;
            let is_inside = !self.open.is_empty();
            if !is_inside {
                self.index.note_attributes(&self.noted.attributes);
            }
            self.index.known |= namespace.bit();
            self.index.nodes.push(Node {
                start: place(self.token)?,
                tag_end: end,
                end,
                skip: place_in_index + 1,
                parent: if is_inside { self.innermost } else { 0 },
                name_len: place(tag.name.len)?,
                prefix_len: place(tag.name.prefix_len)?,
                namespace,
            });
        }
        if tag.is_empty {
            self.leave_scope();
        } else {
            self.open
                .push((place(self.token + 1)?, place(tag.name.len)?));
            self.innermost = place_in_index;
        }
        Ok(())
    }

    /// Notes a namespace declaration, if it is one that may be made (Namespaces in XML §3).
    fn declare(&mut self, buf: &[u8], declared: Declared) -> Result<(), XmlError> {
        let number = Number::of(part(buf, declared.value), declared.value.0);
        let is_reserved = matches!(number, Number::XML | Number::XMLNS);
        let allowed = match declared.prefix.map(|prefix| part(buf, prefix)) {
            Some(b"xml") => number == Number::XML,
            Some(b"xmlns") => false,
            Some(_) => number != Number::NONE && !is_reserved,
            None => !is_reserved,
        };
        if !allowed {
            return Err(XmlError::BadPrefix("a declaration that may not be made"));
        }
        if self.declared.len() >= self.limits.namespaces {
            self.exceed("too many namespace declarations")?;
        }
        let depth = self.depth();
        let prefix = declared.prefix.unwrap_or((declared.value.0, 0));
        self.declared.push(depth, prefix, declared.value, number);
        match declared.prefix {
            Some(_) => self.index.has_prefixes = true,
            None => self.defaults.push((depth, number)),
        }
        Ok(())
    }

    /// Finds where `prefix` is bound at this point.
    fn resolve(
        &mut self,
        buf: &[u8],
        prefix: &[u8],
        stream: &Namespaces,
    ) -> Result<Bound, XmlError> {
        if prefix == b"xmlns" {
            return Err(XmlError::BadPrefix("an element or attribute in 'xmlns'"));
        }
        if let Some(declaration) = self.declared.find(buf, prefix) {
            return Ok(Bound::Inside(declaration));
        }
        stream
            .number(prefix)
            .map(Bound::Outside)
            .ok_or(XmlError::BadPrefix("a prefix that is not declared"))
    }

    /// Checks that each of the tag's attributes with a prefix has one that is bound, and that no two have the same
    /// namespace and local name.
    fn check_prefixed_attributes(
        &mut self,
        buf: &[u8],
        stream: &Namespaces,
    ) -> Result<(), XmlError> {
        let mut known = Vec::new();
        for at in 0..self.noted.attributes.len() {
            let ((start, len), _) = self.noted.attributes[at];
            let name = part(buf, (start, len));
            let Some(colon) = memchr::memchr(b':', name) else {
                continue;
            };
            if &name[..colon] == b"xmlns" {
                continue;
            }
            let bound = self.resolve(buf, &name[..colon], stream)?;
            // One alone has none to be compared with.
            if self.noted.prefixed > 1 {
                let namespace = match bound {
                    Bound::Inside(declaration) => self.declared.namespace(buf, declaration, stream),
                    Bound::Outside(number) => number,
                };
                let local = place(colon + 1)?;
                known.push((namespace, (start + local, len - local)));
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
}

/// Where a prefix is bound.
#[derive(Clone, Copy)]
enum Bound {
    /// By this declaration inside the stanza.
    Inside(u32),
    /// By the stream's header or by XML itself, to this namespace.
    Outside(Number),
}
