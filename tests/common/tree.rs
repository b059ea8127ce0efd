//! XML as another parser reads it, to compare what means the same.

use std::collections::BTreeMap;
use std::ops::Range;

use rxml::{Event, Parse};

const HEADER: &str =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// An element with its children; white space between elements counts as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) namespace: String,
    pub(crate) local: String,
    /// By name; those with a namespace as `{namespace}name`.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) children: Vec<Node>,
    pub(crate) text: String,
}

impl Node {
    /// Reads a document; a prefix without a declaration is an error.
    pub(crate) fn document(xml: &str) -> Self {
        let mut parser = rxml::Parser::default();
        let mut rest = xml.as_bytes();
        let mut open = vec![Self::default()];
        while let Some(event) = parser
            .parse(&mut rest, true)
            .unwrap_or_else(|error| panic!("{error:?} in {xml}"))
        {
            Self::build(&mut open, event);
        }
        assert_eq!(open.len(), 1, "not closed: {xml}");
        open.remove(0).children.remove(0)
    }

    /// The stanzas that have been sent whole on a stream with this header, and where each stands in what
    /// was sent behind it.
    pub(crate) fn sent(header: &str, bytes: &[u8]) -> Vec<(Range<usize>, Self)> {
        let mut parser = rxml::Parser::default();
        let mut header = header.as_bytes();
        let mut open = vec![Self::default()];
        while let Ok(Some(event)) = parser.parse(&mut header, false) {
            Self::build(&mut open, event);
        }
        let (mut stanzas, mut rest) = (Vec::new(), bytes);
        let (mut start, mut end) = (0, 0);
        while let Ok(Some(event)) = parser.parse(&mut rest, false) {
            if open.len() == 2 {
                start = end;
            }
            end += event.metrics().len();
            Self::build(&mut open, event);
            if open.len() < 2 {
                break; // the stream's own end
            }
            if let Some(stanza) = open[1].children.pop() {
                stanzas.push((start..end, stanza));
            }
        }
        stanzas
    }

    /// Adds what a parser has read to the elements that are open.
    fn build(open: &mut Vec<Self>, event: Event) {
        match event {
            Event::StartElement(_, (namespace, local), attributes) => {
                let name = |namespace: &str, local: &str| match namespace {
                    "" => local.to_owned(),
                    namespace => format!("{{{namespace}}}{local}"),
                };
                open.push(Self {
                    namespace: namespace.to_string(),
                    local: local.to_string(),
                    attributes: attributes
                        .iter()
                        .map(|((ns, local), value)| (name(ns, local), value.clone()))
                        .collect(),
                    ..Self::default()
                });
            }
            Event::EndElement(_) => {
                let node = open.pop().unwrap();
                open.last_mut().unwrap().children.push(node);
            }
            Event::Text(_, text) => open.last_mut().unwrap().text.push_str(&text),
            Event::XmlDeclaration(..) => {}
        }
    }

    /// Reads what stands in a stream: the elements, without a header or closing tag.
    pub(crate) fn stream(xml: &str) -> Vec<Self> {
        Self::document(&format!("{HEADER}{xml}</stream:stream>")).children
    }

    /// Reads one stanza of a stream.
    pub(crate) fn stanza(xml: &str) -> Self {
        let mut all = Self::stream(xml);
        assert_eq!(all.len(), 1, "{xml}");
        all.remove(0)
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// The value of an attribute that has to be there.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> &str {
        self.attribute(name)
            .unwrap_or_else(|| panic!("no {name} on {self:#?}"))
    }

    /// Asserts what these attributes say.
    #[track_caller]
    pub(crate) fn assert_values(&self, expected: &[(&str, &str)]) {
        for (name, value) in expected {
            assert_eq!(self.value(name), *value, "{name} on {self:#?}");
        }
    }

    /// The first descendant by local names, one below the other.
    pub(crate) fn find(&self, path: &str) -> Option<&Self> {
        let (first, rest) = match path.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        let mut matching = self.children.iter().filter(|child| child.local == first);
        match rest {
            None => matching.next(),
            Some(rest) => matching.find_map(|child| child.find(rest)),
        }
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    /// A descendant that has to be there.
    pub(crate) fn at(&self, path: &str) -> &Self {
        self.find(path)
            .unwrap_or_else(|| panic!("no {path} in {self:#?}"))
    }

    /// Names of the children, in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.children
            .iter()
            .map(|child| child.local.as_str())
            .collect()
    }

    /// The fields of a data form below this element and their values.
    pub(crate) fn fields(&self) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        for child in &self.children {
            if child.local == "field" {
                // A text for people has no name (XEP-0004 §3.3).
                if child.attribute("type") == Some("fixed") {
                    continue;
                }
                let value = child.at("value").text.clone();
                let old = fields.insert(child.value("var").to_owned(), value);
                assert_eq!(old, None, "{} twice", child.value("var"));
            } else {
                fields.extend(child.fields());
            }
        }
        fields
    }
}
