//! The index of a frame: where its elements stand.
//!
//! The framer writes it while it checks the frame; so nobody searches the bytes for an element a second time.

use super::declarations::Attribute;
use super::known::Number;

/// Room for more elements than this is given back after the stanza; more attributes are not noted.
const KEEP: usize = 32;

/// An element of a frame: places in its bytes and in the [`Index`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) start: u32,
    /// Where its start tag ends.
    pub(super) tag_end: u32,
    pub(super) end: u32,
    /// The place in the index of the first element behind this one that is not inside it.
    pub(super) skip: u32,
    /// The place in the index of the element around this one; its own place if none is.
    pub(super) parent: u32,
    pub(super) name_len: u32,
    /// The length of the prefix with its colon; 0 if there is none.
    pub(super) prefix_len: u32,
    pub(super) namespace: Number,
}

/// All elements of a frame, in the order of their start tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub(super) nodes: Vec<Node>,
    /// The attributes of the stanza itself, which are asked for more than once; none if they are more than a few.
    pub(super) attributes: Vec<Attribute>,
    /// A [bit](Number::bit) for each known namespace that an element is in.
    pub(super) known: u64,
    /// Whether an element declares a prefix.
    pub(super) has_prefixes: bool,
    /// Whether an element has an attribute with a prefix, such as `xml:lang`.
    pub(super) has_prefixed: bool,
}

impl Index {
    /// The most elements of a frame; one with more is opaque.
    pub(super) const MOST: usize = 65_536;

    /// Forgets the frame, and gives back the room of a large one.
    pub(super) fn clear(&mut self) {
        self.known = 0;
        (self.has_prefixes, self.has_prefixed) = (false, false);
        empty(&mut self.nodes, KEEP);
        self.attributes.clear();
    }

    /// Notes the attributes of the stanza itself.
    pub(super) fn note_attributes(&mut self, attributes: &[Attribute]) {
        if attributes.len() <= KEEP {
            self.attributes.extend_from_slice(attributes);
        }
    }

    /// The place of the next element.
    pub(super) fn next(&self) -> u32 {
        // There are at most `MOST`.
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    /// The bytes it needs.
    pub(super) fn memory(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.attributes.capacity() * size_of::<Attribute>()
    }
}

/// A place in a frame, or a length; `None` beyond the longest frame.
pub(super) fn place(at: usize) -> Option<u32> {
    u32::try_from(at).ok().filter(|_| at < Number::MOST)
}

/// Empties `list`, and gives its room back if there is room for more than `keep`.
pub(super) fn empty<T>(list: &mut Vec<T>, keep: usize) {
    match list.capacity() > keep {
        true => *list = Vec::new(),
        false => list.clear(),
    }
}
