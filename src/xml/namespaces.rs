//! What a stream header says and declares for everything inside the stream.

use super::known::Number;
use super::tag::Tag;

/// The namespace declarations and attributes of a stream header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespaces {
    stream_name: Box<str>,
    /// Prefix (empty for the default namespace) and namespace.
    bindings: Box<[(Box<str>, Box<str>)]>,
    /// What stands for the namespaces of the bindings in an index.
    numbers: Box<[Number]>,
    /// And for that of names without a prefix.
    default: Number,
    /// The other attributes, by name.
    attributes: Box<[(Box<str>, Box<str>)]>,
}

impl Namespaces {
    /// Those of an element that declares all it uses.
    pub(crate) fn none() -> Self {
        Self {
            stream_name: "stream".into(),
            bindings: Box::default(),
            numbers: Box::default(),
            default: Number::NONE,
            attributes: Box::default(),
        }
    }

    /// What `tag` declares.
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
        let number = |(at, (_, namespace)): (usize, &(Box<str>, Box<str>))| {
            Number::known(namespace.as_bytes()).unwrap_or(Number::of_stream(at))
        };
        let numbers: Box<[_]> = bindings.iter().enumerate().map(number).collect();
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

    /// What stands for the namespace of a binding, by its place among them.
    pub(super) fn number_of(&self, binding: usize) -> Number {
        self.numbers[binding]
    }

    /// The same by the prefix (`None`: no prefix).
    pub(super) fn number(&self, prefix: Option<&str>) -> Number {
        let prefix = prefix.unwrap_or_default();
        let binding = self.iter().position(|(bound, _)| bound == prefix);
        binding.map_or(Number::NONE, |binding| self.numbers[binding])
    }

    /// What stands for the default namespace.
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
