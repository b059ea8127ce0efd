//! Stanzas held back until their route is known.

use bytes::Bytes;

use super::Kind;
use crate::xml::{Element, Namespaces, standalone};

/// A stanza that was held back.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// The bytes as they came.
    pub(super) raw: Bytes,
    /// The same stanza with all namespaces it inherits declared on it.
    standalone: Bytes,
    pub(super) kind: Kind,
}

impl Held {
    pub(super) fn new(kind: Kind, stanza: &Element<'_>) -> Self {
        Self {
            raw: Bytes::copy_from_slice(stanza.raw().as_bytes()),
            standalone: standalone(stanza).into(),
            kind,
        }
    }

    /// Gives the stanza to `read`.
    pub(super) fn read<R>(&self, read: impl FnOnce(&Element<'_>) -> R) -> Option<R> {
        let namespaces = Namespaces::none();
        Element::of_frame(&self.standalone, &namespaces).map(|stanza| read(&stanza))
    }
}
