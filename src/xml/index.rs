//! Where the elements of a frame stand: what the framer leaves of the one time it looks at each byte.

use super::known::Number;

/// Room for more elements than this is given back after the stanza.
const KEEP: usize = 32;

/// An element of a frame: places in its bytes and in the [`Index`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) start: u32,
    /// Where its start tag ends.
    pub(super) tag_end: u32,
    pub(super) end: u32,
    /// The first element behind it that it does not hold.
    pub(super) skip: u32,
    /// The element that holds it; its own place if none does.
    pub(super) parent: u32,
    pub(super) name_len: u32,
    /// The length of the prefix with its colon; 0 if there is none.
    pub(super) prefix_len: u32,
    pub(super) namespace: Number,
}

/// All elements of a frame, in the order of their start tags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    pub(super) nodes: Vec<Node>,
    /// Which of the known namespaces are those of an element.
    pub(super) known: u64,
    /// Whether an element declares a prefix.
    pub(super) has_prefixes: bool,
    /// Whether an element has an attribute with a prefix, as `xml:lang` is.
    pub(super) has_prefixed: bool,
}

impl Index {
    /// So many elements are told apart; a frame with more is opaque.
    pub(super) const MOST: usize = 65_536;

    /// Forgets the frame, and gives back the room of a large one.
    pub(super) fn clear(&mut self) {
        self.known = 0;
        (self.has_prefixes, self.has_prefixed) = (false, false);
        match self.nodes.capacity() > KEEP {
            true => self.nodes = Vec::new(),
            false => self.nodes.clear(),
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
    }
}
