//! Stanzas as lines of the log name them.

use std::cell::LazyCell;
use std::fmt::Write as _;

use super::Wire;
use super::event::Event;
use super::output::Output;
use crate::ns;
use crate::xml::Element;

/// Characters of a value that are shown at most.
const MOST: usize = 200;

/// The start tag of an element, reduced to the attributes that identify it, with its child's name and node or
/// namespace.
pub(crate) fn named(element: &Element<'_>) -> String {
    let mut named = format!("<{}", element.local());
    let namespace = element.namespace();
    if namespace != ns::CLIENT {
        attribute(&mut named, "xmlns", &namespace);
    }
    for name in ["type", "from", "to", "id"] {
        if let Some(value) = element.attribute(name) {
            attribute(&mut named, name, &value);
        }
    }
    let event = element.child(ns::PUBSUB_EVENT, "event");
    let inside = match (element.local(), &event) {
        (_, Some(event)) => event.children().next().map(|what| (what, "node")),
        ("iq", None) => element.children().next().map(|what| (what, "xmlns")),
        _ => None,
    };
    let Some((inside, key)) = inside else {
        return named + "/>";
    };
    let _ = write!(named, "><{}", inside.local());
    let value = match key {
        "xmlns" => Some(inside.namespace()),
        key => inside.attribute(key),
    };
    attribute(&mut named, key, &value.unwrap_or_default());
    let _ = write!(named, "/></{}>", element.local());
    named
}

/// As [`named`], for a stanza of which only these attributes are left.
pub(super) fn named_by<'a>(
    name: &str,
    attributes: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> String {
    let mut named = format!("<{name}");
    for (name, value) in attributes {
        if let Some(value) = value {
            attribute(&mut named, name, value);
        }
    }
    named + "/>"
}

fn attribute(named: &mut String, name: &str, value: &str) {
    let _ = write!(named, " {name}='");
    named.extend(value.chars().take(MOST));
    named.push('\'');
}

impl<P> Wire<P> {
    /// How many outputs wait to be polled.
    pub(crate) fn outputs_waiting(&self) -> usize {
        self.outputs.len()
    }

    /// Gives events that were dropped since output `since` the name of the stanza `element` that held them.
    pub(crate) fn name_dropped(&mut self, since: usize, element: &Element<'_>) {
        let name = LazyCell::new(|| named(element));
        for output in self.outputs.iter_mut().skip(since) {
            if let Output::Log(Event::Dropped(_, of @ None)) = output {
                *of = Some(name.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Namespaces;

    #[test]
    fn a_long_value_is_cut_short() {
        let namespaces = Namespaces::none();
        let long = format!("<iq xmlns='{}' id='{}'/>", ns::CLIENT, "x".repeat(1000));
        let element = Element::of_frame(long.as_bytes(), &namespaces).expect("whole");
        assert_eq!(named(&element).len(), "<iq id=''/>".len() + MOST);
    }
}
