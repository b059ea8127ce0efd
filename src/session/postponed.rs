//! The server's words that the client does not see yet.

use std::sync::Arc;

use crate::xml::Namespaces;

/// The server's header and features, kept until it is settled that the client sees them.
#[derive(Default)]
pub(super) struct Postponed {
    /// The server's header.
    pub(super) header: Vec<u8>,
    /// The server's features.
    pub(super) features: Vec<u8>,
    /// The declarations of the header that the client had sent before.
    pub(super) declared: Option<Arc<Namespaces>>,
}
