//! Stanzas to a room that the client is still joining. A room service handles one stanza after the other, so bots
//! speak, and owners ask for a new room's form, right behind their join: such stanzas wait until the client is in.

use super::Rooms;
use crate::jid;
use crate::ns;
use crate::translate::held::{Held, has_room_for};
use crate::translate::{Cx, Kind, Wire};
use crate::wire::NO_ANSWER;
use crate::xml::Element;

/// Stanzas of a session that may wait.
const MOST: usize = 256;

/// Stanzas that wait, in the order in which they came, and the bare JIDs of their rooms.
#[derive(Default)]
pub(super) struct Waiting(Vec<(Box<str>, Held)>);

impl Waiting {
    fn has_room_for(&self, stanza: &Element<'_>) -> bool {
        has_room_for(stanza, self.0.iter().map(|(_, held)| held), MOST)
    }

    /// Returns all stanzas as errors, as the session ends.
    pub(super) fn give_back(&mut self, wire: &mut Wire) {
        for (_, held) in self.0.drain(..) {
            held.read(|stanza| wire.refuse(stanza, NO_ANSWER));
        }
    }
}

impl Rooms {
    /// Lets a stanza wait that needs the client to be in a room it is joining; gives whether the stanza waits.
    pub(super) fn waits(&mut self, to: &str, kind: Kind, stanza: &Element<'_>) -> bool {
        let bare = jid::bare(to);
        let is_joining = self.rooms.get(bare).is_some_and(|room| !room.is_joined());
        if !is_joining || !needs_to_be_in(to, kind, stanza) || !self.waiting.has_room_for(stanza) {
            return false;
        }
        self.waiting.0.push((bare.into(), Held::new(kind, stanza)));
        true
    }

    /// Handles the stanzas that waited for a room, once the client is in, or its join has failed and they are refused.
    pub(super) fn say_waiting(&mut self, bare: &str, cx: &mut Cx<'_>) {
        let is_joining = self.rooms.get(bare).is_some_and(|room| !room.is_joined());
        if is_joining || self.waiting.0.is_empty() {
            return;
        }
        let all = std::mem::take(&mut self.waiting.0);
        let (said, waiting) = all.into_iter().partition(|(of, _)| **of == *bare);
        self.waiting.0 = waiting;
        let said: Vec<_> = said;
        for (_, held) in said {
            held.read(|stanza| self.handle_client(held.kind, stanza, cx));
        }
    }
}

/// Whether the room's answer to a stanza depends on its sender being in the room.
fn needs_to_be_in(to: &str, kind: Kind, stanza: &Element<'_>) -> bool {
    let name = stanza.attribute("type");
    match kind {
        Kind::Presence => false,
        Kind::Message => name.as_deref() != Some("error"),
        Kind::Iq if jid::resource(to).is_some() => matches!(name.as_deref(), Some("get" | "set")),
        Kind::Iq => {
            let query = stanza.children().next();
            query.is_some_and(|query| {
                [ns::MUC_ADMIN, ns::MUC_OWNER, ns::DISCO_ITEMS].contains(&&*query.namespace())
            })
        }
    }
}
