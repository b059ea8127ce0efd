//! Comparing two presences: whether one is a copy of the other, by another path.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::ns;
use crate::xml::Element;

/// Children whose names are remembered; with more, names are not compared.
const MOST_CHILDREN: usize = 16;
/// Depth below which elements are compared by their bytes.
const MOST_DEPTH: u8 = 16;
/// Bytes of a presence's children, and of its own tag; more children are compared by their bytes. Each prefix of an attribute is looked
/// up in all tags around it, so the work would grow with the square of the length.
const MOST_BYTES: usize = 16 * 1024;

/// A presence, as far as two of them are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(super) mark: Mark,
    pub(super) children: Children,
    /// Hash of the bytes it came in: two copies of one event have the same.
    pub(super) bytes: u64,
}

/// Id and content, by which two copies of one presence are recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Hash of the stanza id.
    pub(super) id: Option<u64>,
    /// Hash of the content; `None`: the sender is unavailable.
    pub(super) content: Option<u64>,
}

impl Change {
    pub(crate) fn of(presence: &Element<'_>) -> Self {
        let is_available = presence.attribute("type").is_none();
        let said = || presence.children().filter(|child| !is_from_server(child));
        // Only what is compared counts, so that a copy is no larger for what a server adds.
        let len: usize = said().map(|child| child.raw().len()).sum();
        let depth = match len.max(presence.tag().raw().len()) > MOST_BYTES {
            true => MOST_DEPTH,
            false => 0,
        };
        let meaning = |child: Element<'_>| digest(&child, depth);
        Self {
            mark: Mark {
                id: presence.attribute("id").map(hash),
                // Summed, as ejabberd changes the order of children natively.
                content: is_available.then(|| said().map(meaning).fold(0, u64::wrapping_add)),
            },
            children: Children::of(said()),
            bytes: hash(presence.raw()),
        }
    }

    /// Whether the presence shows its sender as available.
    pub(super) fn is_available(&self) -> bool {
        self.mark.is_available()
    }
}

impl Mark {
    pub(super) fn is_available(self) -> bool {
        self.content.is_some()
    }

    /// Whether this presence has the id of `other`, an earlier one, and other content.
    pub(super) fn reuses_id_of(self, other: Self) -> bool {
        self.id.is_some() && self.id == other.id && self.content != other.content
    }
}

/// The children of a presence, by hashed name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Children {
    names: [u64; MOST_CHILDREN],
    count: usize,
}

impl Children {
    fn of<'a>(children: impl Iterator<Item = Element<'a>>) -> Self {
        let mut found = Self {
            names: [0; MOST_CHILDREN],
            count: 0,
        };
        for child in children {
            if let Some(name) = found.names.get_mut(found.count) {
                *name = hash((child.namespace(), child.local()));
            }
            found.count += 1;
        }
        found
    }

    /// Whether there is a child that `other` lacks, if all names are remembered.
    pub(super) fn add_to(&self, other: &Self) -> bool {
        match (self.names.get(..self.count), other.names.get(..other.count)) {
            (Some(own), Some(known)) => own.iter().any(|name| !known.contains(name)),
            _ => false,
        }
    }
}

/// Whether `child` says nothing about the sender: our marker, children that only a server adds, the photo that servers
/// empty or replace in native presence (XEP-0153), and children taken out of events.
fn is_from_server(child: &Element<'_>) -> bool {
    matches!(
        (&*child.namespace(), child.local()),
        (ns::SHIM | ns::MUC | ns::MUC_USER, _)
            | (ns::DELAY, "delay")
            | (ns::DELAY_0 | "vcard-temp:x:update", "x")
            | (ns::SID, "stanza-id")
    ) || child.namespace() == ns::CLIENT && child.inner().is_empty()
}

/// Hashes the meaning of an element: prefixes, the order of attributes, references and white space around text do not
/// matter.
fn digest(element: &Element<'_>, depth: u8) -> u64 {
    if depth >= MOST_DEPTH {
        return hash(element.raw());
    }
    let mut digest = hash((element.namespace(), element.local(), element.text().trim()));
    for attribute in element.tag().attributes().flatten() {
        if attribute.declares().is_none() {
            let (prefix, name) = match attribute.name.split_once(':') {
                Some((prefix, name)) => (element.resolve(Some(prefix)), name),
                None => (None, attribute.name),
            };
            digest = digest.wrapping_add(hash((prefix, name, attribute.value())));
        }
    }
    for child in element.children() {
        digest = hash((digest, self::digest(&child, depth + 1)));
    }
    digest
}

/// Hashes a value, alike in every session: no secret depends on it.
pub(super) fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Namespaces;

    #[test]
    fn a_large_presence_is_compared_by_its_bytes() {
        let content = |prefix: &str, length: usize| {
            let presence = format!(
                "<presence xmlns='jabber:client' xmlns:{prefix}='urn:{}'><c {prefix}:n='1'>x</c></presence>",
                "x".repeat(length)
            );
            let namespaces = Namespaces::none();
            let element = Element::of_frame(presence.as_bytes(), &namespaces).expect("a presence");
            Change::of(&element).mark.content
        };
        assert_eq!(content("a", 10), content("b", 10));
        assert_eq!(content("a", MOST_BYTES), content("a", MOST_BYTES));
        assert_ne!(content("a", MOST_BYTES), content("b", MOST_BYTES));
    }
}
