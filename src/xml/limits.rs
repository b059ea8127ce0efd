//! How much XML one side may send at once.

/// Limits on one top-level element; exceeding one ends the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a stanza or a stream header.
    pub bytes: usize,
    /// Elements open at once, the stanza itself included.
    pub depth: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
    /// Namespace declarations in force at once inside a stanza.
    pub namespaces: usize,
}

impl Limits {
    /// Anything.
    pub(crate) const NONE: Self = Self {
        bytes: usize::MAX,
        depth: usize::MAX,
        attributes: usize::MAX,
        namespaces: usize::MAX,
    };
    /// What stock servers accept before login (64 KiB).
    pub const BEFORE_LOGIN: Self = Self {
        bytes: 64 * 1024,
        depth: 64,
        attributes: 64,
        namespaces: 64,
    };
    /// What stock servers accept after login (256 KiB).
    pub const AFTER_LOGIN: Self = Self {
        bytes: 256 * 1024,
        depth: 128,
        ..Self::BEFORE_LOGIN
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::BEFORE_LOGIN
    }
}
