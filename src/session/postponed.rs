//! What the server has said, as long as it is not settled that the client is to see it.

use std::sync::Arc;

use crate::xml::Namespaces;

/// What the server has said on a stream, as long as the client may be shown it.
#[derive(Default)]
pub(super) struct Postponed {
    /// The server's header.
    pub(super) header: Vec<u8>,
    /// Its features.
    pub(super) features: Vec<u8>,
    /// What the client's header declared then.
    pub(super) declared: Option<Arc<Namespaces>>,
}
