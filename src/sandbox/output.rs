//! What is to be sent, and on which connection.

use bytes::Bytes;

/// One connection to a [`Server`](super::Server), never used again after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(super) u64);

/// Bytes for one connection.
#[derive(Debug, Default)]
pub struct Output {
    /// What to send.
    pub bytes: Bytes,
    /// What to do once it is sent.
    pub then: Then,
}

/// What follows the bytes of an [`Output`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    #[default]
    Continue,
    /// Everything that follows, in both directions, is compressed with zlib (XEP-0138).
    Compress,
    /// The connection ends.
    Close,
}
