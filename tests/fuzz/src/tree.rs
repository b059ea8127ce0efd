//! XML as rxml reads it, and as pubshim does.

use std::collections::BTreeMap;

use pubshim::ns;
use pubshim::xml::{Element, Namespaces};
use rxml::error::EndOrError;
use rxml::{Event, Parse, Parser, WithOptions};

/// A name with its namespace (empty: none).
pub type Name = (String, String);

/// An element without what no rule depends on: white space, and where its text stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The element's name.
    pub name: Name,
    /// Its attributes; no declarations.
    pub attributes: BTreeMap<Name, String>,
    /// All text directly inside it.
    pub text: String,
    /// Its child elements.
    pub children: Vec<Tree>,
}

/// A document that rxml reads as it comes.
pub struct Document {
    parser: Parser,
    open: Vec<Tree>,
}

impl Default for Document {
    fn default() -> Self {
        let options = rxml::Options {
            max_token_length: 64 * 1024,
            ..rxml::Options::default()
        };
        Self {
            parser: Parser::with_options(options),
            open: Vec::new(),
        }
    }
}

impl Document {
    /// Reads on; the elements below the outermost one that are now complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Tree>, String> {
        // A carriage return is a line end (XML 1.0 §2.11), but rxml refuses one that is alone.
        let bytes: Vec<_> = bytes
            .iter()
            .map(|byte| if *byte == b'\r' { b'\n' } else { *byte })
            .collect();
        let mut bytes = &bytes[..];
        let mut complete = Vec::new();
        loop {
            match self.parser.parse(&mut bytes, false) {
                Ok(Some(event)) => complete.extend(self.take(event)),
                Ok(None) | Err(EndOrError::NeedMoreData) => return Ok(complete),
                Err(EndOrError::Error(error)) => return Err(error.to_string()),
            }
        }
    }

    fn take(&mut self, event: Event) -> Option<Tree> {
        match event {
            Event::XmlDeclaration(..) => {}
            Event::StartElement(_, (namespace, local), attributes) => {
                let name = |namespace: &rxml::Namespace<'_>, local: &str| {
                    (dense(namespace), local.to_owned())
                };
                self.open.push(Tree {
                    name: name(&namespace, &local),
                    attributes: attributes
                        .iter()
                        .map(|((namespace, local), value)| (name(namespace, local), dense(value)))
                        .collect(),
                    ..Tree::default()
                });
            }
            Event::Text(_, text) => {
                if let Some(open) = self.open.last_mut() {
                    open.text.push_str(&dense(&text));
                }
            }
            Event::EndElement(_) => {
                let done = self.open.pop()?;
                if self.open.len() == 1 {
                    return Some(done);
                }
                if let Some(parent) = self.open.last_mut() {
                    parent.children.push(done);
                }
            }
        }
        None
    }
}

/// The one element that `xml` is inside the element that `header` begins.
pub fn read(header: &[u8], xml: &[u8]) -> Result<Tree, String> {
    let mut document = Document::default();
    document.feed(header)?;
    let mut trees = document.feed(xml)?;
    match (trees.pop(), trees.pop(), document.open.len()) {
        (Some(tree), None, 1) => Ok(tree),
        _ => Err("not one element".to_owned()),
    }
}

/// The same from what pubshim makes of a frame; fails if it contradicts itself.
pub fn walk(element: &Element<'_>, stream: &Namespaces) -> Tree {
    let scope = stream.iter().map(|(prefix, namespace)| {
        let binding: Binding = (prefix.to_owned(), dense(namespace));
        binding
    });
    walk_in(element, &mut scope.collect())
}

type Binding = (String, String);

fn walk_in(element: &Element<'_>, scope: &mut Vec<Binding>) -> Tree {
    let outer = scope.len();
    let mut plain = Vec::new();
    for attribute in element.tag().attributes() {
        let attribute = attribute.expect("a checked tag");
        let value = attribute.value();
        match attribute.declares() {
            Some(prefix) => scope.push((prefix.unwrap_or_default().to_owned(), dense(&value))),
            None => {
                let found = element.attribute(attribute.name);
                assert_eq!(found.as_deref(), Some(&*value), "{}", attribute.name);
                plain.push((attribute.name, dense(&value)));
            }
        }
    }
    let resolve = |prefix: &str| match prefix {
        "xml" => ns::XML.to_owned(),
        _ => {
            let found = scope.iter().rfind(|(bound, _)| bound == prefix);
            found.map_or_else(String::new, |(_, namespace)| namespace.clone())
        }
    };
    let tag_name = element.tag().name();
    let (prefix, local) = tag_name.split_once(':').unwrap_or(("", tag_name));
    assert_eq!(local, element.local());
    let namespace = dense(&element.namespace());
    assert_eq!(resolve(prefix), namespace, "<{tag_name}>");
    assert!(element.is(&element.namespace(), local));
    let attributes = plain.into_iter().map(|(name, value)| {
        let name = match name.split_once(':') {
            Some((prefix, local)) => (resolve(prefix), local.to_owned()),
            None => (String::new(), name.to_owned()),
        };
        (name, value)
    });
    let tree = Tree {
        name: (namespace, local.to_owned()),
        attributes: attributes.collect(),
        text: dense(&element.text()),
        children: Vec::new(),
    };
    let children = element.children().map(|child| walk_in(&child, scope));
    let children = children.collect();
    scope.truncate(outer);
    Tree { children, ..tree }
}

/// Without white space: which of it is kept as it is depends on more than is looked at here.
pub fn dense(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n'))
        .collect()
}
