//! Stanzas held back until their route is known.

use bytes::Bytes;

use super::{Kind, Wire};
use crate::wire::Leg;
use crate::xml::{Element, Namespaces, standalone};

/// Bytes of stanzas that may wait for one thing.
const MOST_BYTES: usize = 256 * 1024;

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
        read_standalone(&self.standalone, read)
    }

    /// Sends the stanza on as it came.
    pub(super) fn pass(&self, leg: Leg, wire: &mut Wire) {
        wire.copy(leg, &self.raw);
    }
}

/// Whether `stanza` may wait, too, where at most `most` stanzas do.
pub(super) fn has_room_for<'a>(
    stanza: &Element<'_>,
    held: impl ExactSizeIterator<Item = &'a Held>,
    most: usize,
) -> bool {
    held.len() < most
        && held.map(|it| it.raw.len()).sum::<usize>() + stanza.raw().len() <= MOST_BYTES
}

/// Gives `read` an element that was kept with all it inherits declared on it.
pub(super) fn read_standalone<R>(kept: &[u8], read: impl FnOnce(&Element<'_>) -> R) -> Option<R> {
    let namespaces = Namespaces::none();
    Element::of_frame(kept, &namespaces).map(|element| read(&element))
}
