//! IQs to an occupant: they go to his real JID, and the answer comes back as from `room/nick` (XEP-0045 §17.4).

use std::borrow::Cow;

use bytes::BufMut as _;

use super::names::nick_of;
use super::refuse::refuse;
use super::{Ask, Rooms};
use crate::jid;
use crate::ns;
use crate::translate::{self, Cx};
use crate::wire::{Leg, Refused, Reply, Rule};
use crate::xml::{Element, rewrite_standalone, standalone_child};

const RELAY: Rule = Rule::new(
    "room-question",
    "",
    "a question to an occupant goes to his real address, and its answer comes back as his",
);

/// The client's questions to occupants that may be unanswered at once, so that pubshim's own requests find room.
const MOST_RELAYED: usize = 16;

/// A question of the client's to an occupant.
#[derive(Debug)]
pub(crate) struct Relayed {
    room: Box<str>,
    nick: Box<str>,
    /// The JID that is asked.
    real: Box<str>,
    /// The client's id.
    id: Box<str>,
}

impl Rooms {
    /// Relays an IQ to an occupant's real JID, but not under `pure`. A client's ping to its own nick asks whether it is
    /// in the room (XEP-0410), and is answered here.
    pub(super) fn ask_occupant(
        &self,
        bare: &str,
        resource: &str,
        iq: &Element<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(room) = self.rooms.get(bare).filter(|room| room.is_joined()) else {
            return refuse(iq, "not-acceptable", cx);
        };
        let nick = nick_of(resource).unwrap_or_default();
        let id = iq.attribute("id").unwrap_or_default();
        if nick == room.nick && iq.child(ns::PING, "ping").is_some() {
            let from = format!("{bare}/{nick}");
            return cx.wire.show_answer(&id, &from, cx.account.jid(), "");
        }
        let Some(full) = room.occupants.of_nick(&nick) else {
            return refuse(iq, "item-not-found", cx);
        };
        if self.only_nodes {
            return refuse(iq, "service-unavailable", cx);
        }
        let kind = iq.attribute("type").unwrap_or(Cow::Borrowed("get"));
        // The occupant's server keeps the vCard, under the bare JID (XEP-0045 §17.4).
        let is_vcard = *kind == *"get" && iq.child(ns::VCARD, "vCard").is_some();
        let real = if is_vcard { jid::bare(full) } else { full };
        // Prosody's answer for the own account has no `from`.
        let to = (real != cx.account.bare()).then_some(real);
        let relayed = Relayed {
            room: bare.into(),
            nick: nick.clone(),
            real: real.into(),
            id: (*id).into(),
        };
        let body: String = iq
            .children()
            .map(|child| standalone_child(&child))
            .collect();
        let is_one =
            |asked: &&translate::Ask| matches!(asked, translate::Ask::Rooms(Ask::Relayed(_)));
        let has_room = cx.wire.asked().filter(is_one).count() < MOST_RELAYED;
        let is_sent = has_room
            && cx.wire.request(&kind, to, Ask::Relayed(relayed), |out| {
                out.put_slice(body.as_bytes());
            });
        match is_sent {
            true => cx.wire.apply(&RELAY),
            false => refuse(iq, "resource-constraint", cx),
        }
    }

    /// Shows the client an occupant's answer, errors included. If the nick is not that occupant's any more, the client
    /// is told `item-not-found`.
    pub(super) fn handle_relayed(&self, relayed: &Relayed, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let Relayed {
            room,
            nick,
            real,
            id,
        } = relayed;
        let from = format!("{room}/{nick}");
        let own = cx.account.jid();
        let occupants = self.rooms.get(room).filter(|room| room.is_joined());
        let is_his = occupants.is_some_and(|it| it.occupants.is_called(real, nick));
        let reply = match is_his {
            true => reply,
            false => Err(Refused::With("item-not-found")),
        };
        match reply {
            Ok(iq) => {
                let changes = [
                    ("from", Some(&*from)),
                    ("to", Some(own)),
                    ("id", Some(&**id)),
                ];
                cx.wire.stanza(Leg::Client, |out| {
                    rewrite_standalone(out, iq, &changes, |_| true, "");
                });
            }
            Err(refused) => {
                cx.wire.show_failed(id, &from, own, refused.condition());
            }
        }
    }
}
