//! Bytes to send, and the connection to send them on.

use bytes::Bytes;

/// One connection to a [`Server`](super::Server), never used again after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(super) u64);

/// Bytes for one connection.
#[derive(Debug, Default)]
pub struct Output {
    /// Bytes to send; may be empty.
    pub bytes: Bytes,
    /// The next thing to do once the bytes are sent.
    pub then: Then,
}

/// The next thing to do after the bytes of an [`Output`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// Nothing special.
    #[default]
    Continue,
    /// Compress all later bytes, in both directions, with zlib (XEP-0138).
    Compress,
    /// Close the connection.
    Close,
}
