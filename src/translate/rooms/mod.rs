//! Rooms (listings 12 to 17): a room is a node of a publish-subscribe service, and a second node says who is in it.
//!
//! | file | holds | listings |
//! |---|---|---|
//! | `room/` | one room from join to leave: its steps, the join, events, how occupants are shown | 12–15 |
//! | `occupants.rs` | who is in a room, under which nick | 15 |
//! | `talk.rs` | messages, history, the subject | 16, 17 |
//! | `browse.rs` | what a service and a room say of themselves; other questions to them | |
//! | `names.rs` | a room's JID and its nodes | |
//!
//! | | room node | occupants node |
//! |---|---|---|
//! | name | local part of the room's JID | the same and `#occupants` |
//! | item | a message, by a random id | an occupant's presence, by his bare JID; `subject/` and a bare JID: a subject |
//! | whose word | the service's `publisher` | the same, never the item's id |
//!
//! So far a service has rooms if the user says so (`--rooms`, or `pubshim demo` for its own). Under `pure` nothing but
//! publish-subscribe leaves: the join names the nick as listing 13 prints it, nobody is asked anything at his own
//! address, and a service that knows when a session ends takes away what was published in it.

mod browse;
mod names;
mod occupants;
mod room;
mod talk;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::room::{Room, Step};

use super::account::Account;
use super::{Cx, Kind, Verdict, Wire};
use crate::jid;
use crate::ns;
use crate::policy::{Function, Policy};
use crate::pubsub::Event;
use crate::wire::{Dropped, Reply, Rule};
use crate::xml::Element;

/// So many rooms may be joined at once.
const MOST_ROOMS: usize = 256;

const JOIN: Rule = Rule::new(
    "room-join",
    "12, 13",
    "the join becomes subscriptions to the room's nodes, and an item that says who is there",
);

/// An item of one of a room's nodes.
#[derive(Clone, Copy)]
struct Item<'a> {
    element: &'a Element<'a>,
    /// Who has published it, if the service says so: in the item, else as the address for replies (listing 17).
    author: Option<&'a str>,
}

/// What an answer is for.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A step of this room.
    Step(Box<str>, Step),
    /// Something a client has asked about a room or an occupant.
    Question(browse::Question),
}

impl From<Ask> for super::Ask {
    fn from(ask: Ask) -> Self {
        Self::Rooms(ask)
    }
}

/// The rooms of one session.
pub(super) struct Rooms {
    /// Domains whose nodes are rooms.
    services: BTreeSet<Box<str>>,
    /// Only requests about nodes may leave: people are neither pinged nor asked for anything.
    only_nodes: bool,
    /// Joined rooms and those that are being joined, by bare JID.
    rooms: BTreeMap<Box<str>, Room>,
}

impl Rooms {
    /// Rooms on these services, unless `policy` or the user leaves them to classic XMPP.
    pub(super) fn new(policy: Policy, native: &[Function], services: &[String]) -> Self {
        let is_on = policy.translates(Function::Rooms, native);
        let services = services.iter().filter(|_| is_on);
        Self {
            services: services.map(|it| jid::prepared(it).into()).collect(),
            only_nodes: policy == Policy::Pure,
            rooms: BTreeMap::new(),
        }
    }

    /// A stanza of the client's, if it is for a service with rooms.
    pub(super) fn handle_client(
        &mut self,
        kind: Kind,
        stanza: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> Verdict {
        if self.services.is_empty() {
            return Verdict::Pass;
        }
        let Some(to) = stanza.attribute("to") else {
            // Whoever says `unavailable` to everybody is in no room any more (RFC 6121 §4.6.3).
            if kind == Kind::Presence && stanza.attribute("type").as_deref() == Some("unavailable")
            {
                self.leave_all(cx);
            }
            return Verdict::Pass;
        };
        if !self.services.contains(&*jid::prepared(jid::domain(&to))) {
            return Verdict::Pass;
        }
        let Some(to) = jid::prepare(&to) else {
            cx.wire.refuse(stanza, "modify", "jid-malformed");
            return Verdict::Taken;
        };
        match kind {
            Kind::Presence => self.client_presence(&to, stanza, cx),
            Kind::Message => self.client_message(&to, stanza, cx),
            Kind::Iq => return self.client_iq(&to, stanza, cx),
        }
        Verdict::Taken
    }

    fn client_presence(&mut self, to: &str, presence: &Element<'_>, cx: &mut Cx<'_>) {
        let (bare, nick) = (jid::bare(to), jid::resource(to));
        match presence.attribute("type").as_deref() {
            None => {}
            Some("unavailable") => {
                if let Some(room) = self.take(bare, cx.wire) {
                    room.leave(Some(presence), cx);
                }
                return;
            }
            // A room has no use for the others.
            Some(_) => return,
        }
        let Some(nick) = nick.and_then(names::nick_of) else {
            return cx.wire.refuse(presence, "modify", "jid-malformed");
        };
        if let Some(room) = self.rooms.get_mut(bare) {
            return room.update(&nick, presence, cx);
        }
        if names::node_of(bare).is_none() {
            return cx.wire.refuse(presence, "modify", "not-acceptable");
        }
        if self.rooms.len() >= MOST_ROOMS {
            return cx.wire.refuse(presence, "wait", "resource-constraint");
        }
        cx.wire.apply(&JOIN);
        let room = Room::new(bare, &nick, presence, self.only_nodes, cx);
        self.rooms.insert(bare.into(), room);
        self.drive(bare, cx, |room, cx| room.enter(cx));
    }

    fn client_message(&mut self, to: &str, message: &Element<'_>, cx: &mut Cx<'_>) {
        let kind = message.attribute("type");
        if kind.as_deref() == Some("error") {
            return;
        }
        let room = self.rooms.get_mut(jid::bare(to));
        match (room, kind.as_deref(), jid::resource(to)) {
            (Some(room), Some("groupchat"), None) => room.say(message, cx),
            (None, Some("groupchat"), None) => cx.wire.refuse(message, "modify", "not-acceptable"),
            // Private messages and invitations are still to come.
            _ => cx.wire.refuse(message, "cancel", "feature-not-implemented"),
        }
    }

    /// Has a room do something; it is over if that says `false`.
    fn drive(
        &mut self,
        bare: &str,
        cx: &mut Cx<'_>,
        go: impl FnOnce(&mut Room, &mut Cx<'_>) -> bool,
    ) {
        if let Some(room) = self.rooms.get_mut(bare)
            && !go(room, cx)
        {
            self.take(bare, cx.wire);
        }
    }

    /// A room is over: no answer about it is of use any more.
    fn take(&mut self, bare: &str, wire: &mut Wire) -> Option<Room> {
        room::forget(bare, wire);
        self.rooms.remove(bare)
    }

    /// The client, or its session, goes while the server still listens.
    pub(super) fn leave_all(&mut self, cx: &mut Cx<'_>) {
        for (bare, room) in std::mem::take(&mut self.rooms) {
            room::forget(&bare, cx.wire);
            room.leave(None, cx);
        }
    }

    /// Whether an event of `service` on `node` is one of a room. What comes of rooms that are not joined is nobody's.
    pub(super) fn owns(&self, service: &str) -> bool {
        self.services.contains(service)
    }

    /// Whether a node is one of a room that is joined, or could be of a room only.
    pub(super) fn owns_node(&self, service: &str, node: &str) -> bool {
        let is_joined = || self.rooms.contains_key(&*format!("{node}@{service}"));
        self.owns(service) && (node.ends_with(names::OCCUPANTS) || is_joined())
    }

    /// An event of such a service (listing 17). What comes of a room that is not joined is nobody's; of a node that is
    /// no room the client may have asked for it.
    pub(super) fn event(&mut self, event: &Event<'_>, cx: &mut Cx<'_>) -> Verdict {
        let name = event.node.strip_suffix(names::OCCUPANTS);
        let bare = format!("{}@{}", name.unwrap_or(event.node), event.service);
        if self.rooms.contains_key(&*bare) {
            self.drive(&bare, cx, |room, cx| {
                room.handle_event(event, name.is_some(), cx)
            });
        } else if name.is_some() || event.element.children().any(|item| is_of_a_room(&item)) {
            cx.wire.drop_event(Dropped::NotSubscribed);
        } else {
            return Verdict::Pass;
        }
        Verdict::Taken
    }

    /// The answer to an IQ of ours.
    pub(super) fn reply(&mut self, ask: Ask, reply: Reply<'_>, cx: &mut Cx<'_>) {
        match ask {
            Ask::Step(bare, step) => {
                self.drive(&bare, cx, |room, cx| room.handle_reply(step, reply, cx));
            }
            Ask::Question(question) => question.answer(reply, cx),
        }
    }

    /// Goes on with joins that wait, and looks for occupants who have vanished.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        let rooms = self.rooms.iter();
        let due = rooms.filter(|(_, room)| room.again_at().is_some_and(|at| at <= now));
        let due: Vec<_> = due.map(|(bare, _)| bare.clone()).collect();
        for bare in due {
            self.drive(&bare, cx, Room::go_on);
        }
    }

    /// When [`settle`](Self::settle) goes on, if not by an answer.
    pub(super) fn again_at(&self, wire: &Wire) -> Option<Duration> {
        let all = self.rooms.values().filter_map(Room::again_at);
        all.filter(|at| *at > wire.now).min()
    }

    /// Whether the client is in this room: what the shim of another occupant asks (a ping that names it).
    pub(super) fn is_in(&self, bare: &str) -> bool {
        self.rooms.get(bare).is_some_and(Room::is_joined)
    }

    /// The session ends: who was joining is told that nothing came of it.
    pub(super) fn give_back(&mut self, account: &Account, wire: &mut Wire) {
        for room in std::mem::take(&mut self.rooms).into_values() {
            room.refuse("remote-server-timeout", account, wire);
        }
    }
}

/// Whether an item holds what is said in rooms.
fn is_of_a_room(item: &Element<'_>) -> bool {
    let mut payloads = item.children();
    payloads.any(|payload| payload.namespace() == ns::CLIENT)
}
