//! How much XML one side may send at once.

/// Limits on one top-level element.
///
/// A stanza beyond a limit ends the stream of a client, and before login that of a server. After login a server's
/// stanza passes unread, unless it has too many bytes: see [`Framer::lenient`](super::Framer::lenient).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a stanza or a stream header; never more than 2 GiB.
    pub bytes: usize,
    /// Elements open at once, the stanza itself included.
    pub depth: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
    /// Namespace declarations in force at once inside a stanza.
    pub namespaces: usize,
    /// Elements of a stanza, itself included.
    pub elements: usize,
}

impl Limits {
    /// No limits.
    pub(crate) const NONE: Self = Self {
        bytes: usize::MAX,
        depth: usize::MAX,
        attributes: usize::MAX,
        namespaces: usize::MAX,
        elements: usize::MAX,
    };
    /// What stock servers accept before login (64 KiB).
    pub const BEFORE_LOGIN: Self = Self {
        bytes: 64 * 1024,
        depth: 64,
        attributes: 64,
        namespaces: 64,
        elements: 65_536,
    };
    /// What stock servers accept after login (256 KiB).
    pub const AFTER_LOGIN: Self = Self {
        bytes: 256 * 1024,
        depth: 128,
        ..Self::BEFORE_LOGIN
    };
    /// A server's stanza after login that rules read; its bytes are limited elsewhere. A roster of 20,000 contacts in
    /// groups has 40,002 elements.
    pub const READ: Self = Self {
        bytes: usize::MAX,
        depth: 128,
        attributes: 64,
        namespaces: 64,
        elements: 65_536,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::BEFORE_LOGIN
    }
}
