//! What a stream header declares for everything inside the stream.

use super::known::Number;
use super::tag::Tag;

/// The namespace declarations and attributes of a stream header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespaces {
    stream_name: Box<str>,
    /// Prefix (empty for the default namespace) and namespace.
    bindings: Box<[(Box<str>, Box<str>)]>,
    /// The numbers of the bindings' namespaces; bindings of one namespace share a number.
    numbers: Box<[Number]>,
    /// The number of the default namespace.
    default: Number,
    /// The other attributes, by name.
    attributes: Box<[(Box<str>, Box<str>)]>,
}

impl Namespaces {
    /// The declarations around an element that declares all it uses: none.
    pub(crate) fn none() -> Self {
        Self {
            stream_name: "stream".into(),
            bindings: Box::default(),
            numbers: Box::default(),
            default: Number::NONE,
            attributes: Box::default(),
        }
    }

    /// Reads the stream header `tag`.
    pub(crate) fn of(tag: &Tag<'_>) -> Self {
        let mut bindings = Vec::new();
        let mut attributes = Vec::new();
        for attribute in tag.attributes().flatten() {
            let (name, to) = match attribute.declares() {
                Some(prefix) => (prefix.unwrap_or_default(), &mut bindings),
                None => (attribute.name, &mut attributes),
            };
            to.push((name.into(), attribute.value().into()));
        }
        let number = |(_, namespace): &(Box<str>, Box<str>)| {
            let first = || bindings.iter().position(|(_, other)| other == namespace);
            let known = Number::known(namespace.as_bytes());
            known.unwrap_or_else(|| Number::of_stream(first().unwrap_or_default()))
        };
        let numbers: Box<[_]> = bindings.iter().map(number).collect();
        let default = bindings.iter().position(|(prefix, _)| prefix.is_empty());
        Self {
            stream_name: tag.name().into(),
            default: default.map_or(Number::NONE, |at| numbers[at]),
            numbers,
            bindings: bindings.into(),
            attributes: attributes.into(),
        }
    }

    /// The stream element's name with its prefix; its closing tag repeats it.
    pub fn stream_name(&self) -> &str {
        &self.stream_name
    }

    /// The namespace bound to `prefix` (empty for the default namespace).
    pub fn get(&self, prefix: &str) -> Option<&str> {
        self.iter()
            .find(|(bound, _)| *bound == prefix)
            .map(|(_, namespace)| namespace)
    }

    /// The number of the namespace bound to `prefix` (empty for the default namespace).
    pub(super) fn number(&self, prefix: &[u8]) -> Option<Number> {
        if prefix == b"xml" {
            return Some(Number::XML);
        }
        let mut bindings = self.iter();
        let binding = bindings.position(|(bound, _)| bound.as_bytes() == prefix);
        binding.map(|binding| self.numbers[binding])
    }

    /// The number of `namespace`, if a prefix is bound to it.
    pub(super) fn number_of(&self, namespace: &str) -> Option<Number> {
        let binding = self.iter().position(|(_, other)| other == namespace);
        binding.map(|binding| self.numbers[binding])
    }

    /// The number of the default namespace.
    pub(super) fn default(&self) -> Number {
        self.default
    }

    /// The stream's `xml:lang`.
    pub fn lang(&self) -> Option<&str> {
        self.attribute("xml:lang")
    }

    /// The value of the header's attribute called `name`.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| &**known == name);
        found.map(|(_, value)| &**value)
    }

    /// Prefixes (empty for the default namespace) and what they are bound to.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.bindings.iter().map(|(prefix, ns)| (&**prefix, &**ns))
    }
}
