//! Rooms (listings 12 to 17): a room is a node of a publish-subscribe service, and a second node says who is in it.
//!
//! | file | holds | listings |
//! |---|---|---|
//! | `room/` | one room from join to leave: its steps, the join, events, how occupants are shown | 12–15 |
//! | `occupants.rs` | who is in a room, under which nick | 15 |
//! | `owner/`, `affiliations.rs` | who may do what, kicks and bans, configuring and ending a room | |
//! | `notice.rs` | notices: an owner's shim tells all occupants of his deeds | |
//! | `talk.rs`, `payload.rs` | messages, history, the subject | 16, 17 |
//! | `private.rs` | private messages between occupants | |
//! | `invite.rs` | invitations, and their refusals | |
//! | `browse.rs` | service discovery of services and rooms; other IQs to them | |
//! | `refuse.rs` | errors in a room's place | |
//! | `relay.rs` | IQs to occupants | |
//! | `junk.rs` | nodes that ejabberd creates at a publish to a deleted room | |
//! | `timers.rs` | joins and pings that go on when time is up | |
//! | `waiting.rs` | stanzas to a room that the client is joining | |
//! | `services.rs` | domains whose nodes are rooms | |
//! | `names.rs` | a room's JID and its nodes | |
//!
//! | | room node | occupants node |
//! |---|---|---|
//! | name | local part of the room's JID | the same and `#occupants` |
//! | item | a message, by a random id | an occupant's presence, by his bare JID; `subject/` and a bare JID: a subject |
//! | author | the service's `publisher` | the same, never the item's id |
//!
//! A service has rooms if its disco#info tells of publish-subscribe and of no chat rooms, or if the user names it
//! (`--rooms`; `pubshim demo` names its own). Under `pure` nothing but publish-subscribe leaves: the join names the
//! nick as listing 13 prints it, no occupant is sent an IQ, and a service that knows when a session ends removes the
//! occupant's items.

mod affiliations;
mod browse;
mod invite;
mod junk;
mod names;
mod notice;
mod occupants;
mod owner;
mod payload;
mod private;
mod refuse;
mod relay;
mod room;
mod services;
mod talk;
mod timers;
mod waiting;

pub(crate) use self::room::WHOM_IT_IS_FOR;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::invite::Invitations;
use self::junk::Junk;
use self::private::Private;
use self::refuse::refuse;
use self::room::{Room, Step, Ways};
use self::services::Services;
use self::waiting::Waiting;

use super::account::Account;
use super::held::Held;
use super::{Cx, Kind, Verdict, Wire};
use crate::jid;
use crate::ns;
use crate::policy::{Function, Policy};
use crate::pubsub::{Event, What, request};
use crate::wire::{Dropped, Leg, NO_ANSWER, Reply, Rule};
use crate::xml::Element;

/// Rooms that may be joined at once.
const MOST_ROOMS: usize = 256;
/// Rooms and nodes that are remembered.
const MOST_KNOWN: usize = 1024;
/// Conflicts of nicks that a client is told of within a time; further ones tell it to wait, as Gajim tries one nick
/// after the other without end.
const MOST_CONFLICTS: usize = 5;
const CONFLICTS_WITHIN: Duration = Duration::from_secs(10);

const JOIN: Rule = Rule::new(
    "room-join",
    "12, 13",
    "the join becomes subscriptions to the room's nodes, and an item that says who is there",
);

const LEAVE: Rule = Rule::new(
    "room-leave",
    "",
    "whoever leaves says so in his item, and his subscriptions to the room's nodes end",
);
const CHANGE: Rule = Rule::new(
    "room-change",
    "",
    "another status or nick in a room is published in the client's item",
);
const OCCUPANT: Rule = Rule::new(
    "room-occupant",
    "12",
    "an item that says who is in a room is shown as his presence there",
);
const SAY: Rule = Rule::new(
    "room-say",
    "14, 16",
    "what is said to a room is published on its node",
);
const MESSAGE: Rule = Rule::new(
    "room-message",
    "15, 17",
    "an item of a room's node is shown as a message of whoever has published it",
);

/// An item of one of a room's nodes.
#[derive(Clone, Copy)]
struct Item<'a> {
    element: &'a Element<'a>,
    id: &'a str,
    /// The publisher, if the service names him: in the item, else as the address for replies (listing 17).
    author: Option<&'a str>,
}

/// The purpose of a request.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A step of the room with this bare JID.
    Step(Box<str>, Step),
    /// A request of an owner's.
    Owner(Box<owner::Job>),
    /// The client's disco#info request to a room.
    Question(browse::Question),
    /// The client's IQ to an occupant.
    Relayed(relay::Relayed),
    /// Ending the subscription to this room's occupants, after the client's last publish there.
    Left(Box<str>),
    Junk(Junk),
    /// A domain's disco#info.
    Service(Box<str>),
}

impl From<Ask> for super::Ask {
    fn from(ask: Ask) -> Self {
        Self::Rooms(ask)
    }
}

/// The rooms of one session.
pub(super) struct Rooms {
    services: Services,
    /// Only requests about nodes may leave (`pure`): no occupant is sent an IQ.
    only_nodes: bool,
    /// Joined rooms and those that are being joined, by bare JID. In boxes, as a node of the tree has eleven places.
    rooms: BTreeMap<Box<str>, Box<Room>>,
    waiting: Waiting,
    /// New rooms are open at once.
    opens: bool,
    /// Rooms in which leftovers of dead resources were looked for.
    tidied: BTreeSet<Box<str>>,
    /// Rooms that the client has sent stanzas to in this session.
    known: BTreeSet<Box<str>>,
    private: Private,
    invitations: Invitations,
    /// Nodes, of no room that is joined, whose subscriptions were ended.
    ended: BTreeSet<Box<str>>,
    /// Rooms in which the client was told that a nick is taken, and when.
    conflicts: Vec<(Box<str>, Duration)>,
    /// When the session may ping an occupant again.
    ping_at: Duration,
}

impl Rooms {
    /// Rooms on these services, unless `policy` or the user leaves them to classic XMPP. `opens`: a room that the
    /// client creates is open at once.
    pub(super) fn new(
        policy: Policy,
        native: &[Function],
        services: &[String],
        opens: bool,
    ) -> Self {
        let is_on = policy.translates(Function::Rooms, native);
        let services = if is_on { services } else { &[] };
        Self {
            services: Services::new(services, is_on && policy == Policy::Auto),
            only_nodes: policy == Policy::Pure,
            rooms: BTreeMap::new(),
            waiting: Waiting::default(),
            opens,
            tidied: BTreeSet::new(),
            known: BTreeSet::new(),
            private: Private::default(),
            invitations: Invitations::default(),
            ended: BTreeSet::new(),
            conflicts: Vec::new(),
            ping_at: Duration::ZERO,
        }
    }

    /// Handles a stanza of the client's, if it is for a service with rooms.
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
            // A broadcast `unavailable` leaves all rooms (RFC 6121 §4.6.3).
            if kind == Kind::Presence && stanza.attribute("type").as_deref() == Some("unavailable")
            {
                self.leave_all(cx);
            }
            return Verdict::Pass;
        };
        // A room that the client was invited to may be on a service that it has never turned to.
        if kind == Kind::Message && self.decline(&to, stanza, cx) {
            return Verdict::Taken;
        }
        let domain = jid::prepared(jid::domain(&to));
        if !self.services.has_rooms(&domain) {
            return match self.services.hold(&domain, kind, stanza, cx) {
                true => Verdict::Taken,
                false => Verdict::Pass,
            };
        }
        let Some(to) = jid::prepare(&to) else {
            refuse(stanza, "jid-malformed", cx);
            return Verdict::Taken;
        };
        match kind {
            Kind::Presence => self.client_presence(&to, stanza, cx),
            _ if self.waits(&to, kind, stanza) => {}
            Kind::Message => self.client_message(&to, stanza, cx),
            Kind::Iq => return self.client_iq(&to, stanza, cx),
        }
        Verdict::Taken
    }

    fn client_presence(&mut self, to: &str, presence: &Element<'_>, cx: &mut Cx<'_>) {
        let (bare, nick) = (jid::bare(to), jid::resource(to));
        match presence.attribute("type").as_deref() {
            None => {}
            // A client that answers with an error is not there any more: it leaves.
            Some("unavailable" | "error") => {
                if let Some(room) = self.take(bare, cx.wire) {
                    room.leave(Some(presence), cx);
                }
                return self.say_waiting(bare, cx);
            }
            // Presences of other types mean nothing to a room.
            Some(_) => return,
        }
        let nick = match nick {
            Some(nick) => names::nick_of(nick),
            // A presence to the bare JID is a status of a client that is in the room.
            None => self.rooms.get(bare).map(|room| room.nick.clone()),
        };
        let Some(nick) = nick else {
            return refuse(presence, "jid-malformed", cx);
        };
        let rejoins = presence.child(ns::MUC, "x").is_some();
        if let Some(room) = self.rooms.get(bare) {
            if !(rejoins && room.is_joined() && room.nick == nick) {
                return self.drive(bare, cx, |room, cx| room.update(&nick, presence, cx));
            }
            // The client joins a room it is in already: it has lost its state, and is shown everything again.
            self.take(bare, cx.wire);
        }
        if names::node_of(bare).is_none() {
            return refuse(presence, "not-acceptable", cx);
        }
        if self.rooms.len() >= MOST_ROOMS {
            return refuse(presence, "resource-constraint", cx);
        }
        let recently = cx.wire.now.saturating_sub(CONFLICTS_WITHIN);
        self.conflicts.retain(|(_, at)| *at >= recently);
        let conflicts = self.conflicts.iter().filter(|(of, _)| **of == *bare);
        if conflicts.count() >= MOST_CONFLICTS {
            return refuse(presence, "resource-constraint", cx);
        }
        cx.wire.apply(&JOIN);
        let ways = Ways {
            opens: self.opens,
            only_nodes: self.only_nodes,
            asks_leftovers: !self.only_nodes && !self.tidied.contains(bare),
        };
        let room = Room::new(bare, &nick, presence, ways, cx);
        if self.known.len() < MOST_KNOWN {
            self.known.insert(bare.into());
        }
        self.rooms.insert(bare.into(), Box::new(room));
        self.drive(bare, cx, |room, cx| room.enter(cx));
    }

    fn client_message(&mut self, to: &str, message: &Element<'_>, cx: &mut Cx<'_>) {
        let kind = message.attribute("type");
        if kind.as_deref() == Some("error") {
            return;
        }
        let bare = jid::bare(to);
        let room = self.rooms.get_mut(bare);
        match (room, kind.as_deref(), jid::resource(to)) {
            (_, Some("groupchat"), Some(_)) => refuse(message, "bad-request", cx),
            (_, _, Some(nick)) => self.say_privately(bare, nick, message, cx),
            (Some(room), Some("groupchat"), None) => room.say(message, cx),
            (None, Some("groupchat"), None) => refuse(message, "not-acceptable", cx),
            _ if invite::invites(message) => self.invite(bare, message, cx),
            _ => refuse(message, "service-unavailable", cx),
        }
    }

    /// Runs a step of a room; the room is over if that gives `false`.
    fn drive(
        &mut self,
        bare: &str,
        cx: &mut Cx<'_>,
        go: impl FnOnce(&mut Room, &mut Cx<'_>) -> bool,
    ) {
        let Some(room) = self.rooms.get_mut(bare) else {
            return;
        };
        if go(room, cx) {
            self.show_early(bare, cx);
        } else {
            let is_nick_taken = room.is_nick_taken;
            self.take(bare, cx.wire);
            if is_nick_taken {
                self.conflicts.push((bare.into(), cx.wire.now));
            }
        }
        self.say_waiting(bare, cx);
    }

    /// Removes a room, and forgets the requests about it.
    fn take(&mut self, bare: &str, wire: &mut Wire) -> Option<Room> {
        room::forget(bare, wire);
        self.send_early_back(bare, wire);
        self.rooms.remove(bare).map(|room| *room)
    }

    /// Leaves all rooms, as the client or its session goes while the server still listens.
    pub(super) fn leave_all(&mut self, cx: &mut Cx<'_>) {
        for (bare, room) in std::mem::take(&mut self.rooms) {
            room::forget(&bare, cx.wire);
            self.send_early_back(&bare, cx.wire);
            room.leave(None, cx);
            self.say_waiting(&bare, cx);
        }
    }

    /// Whether events of `service` are those of rooms, joined or not.
    pub(super) fn owns(&self, service: &str) -> bool {
        self.services.has_rooms(service)
    }

    /// Whether a node is that of a joined room, or can only be a room's.
    pub(super) fn owns_node(&self, service: &str, node: &str) -> bool {
        let is_joined = || self.rooms.contains_key(&*format!("{node}@{service}"));
        self.owns(service) && (node.ends_with(names::OCCUPANTS) || is_joined())
    }

    /// Handles an event of such a service (listing 17). Events of rooms that are not joined are dropped; those of other
    /// nodes pass, as the client may be subscribed itself.
    pub(super) fn event(&mut self, event: &Event<'_>, cx: &mut Cx<'_>) -> Verdict {
        let name = event.node.strip_suffix(names::OCCUPANTS);
        let bare = [name.unwrap_or(event.node), "@", event.service].concat();
        if self.rooms.contains_key(&*bare) {
            self.drive(&bare, cx, |room, cx| {
                room.handle_event(event, name.is_some(), cx)
            });
        } else if name.is_some() || self.is_last_of(&bare, event) {
            cx.wire.drop_event(Dropped::NotSubscribed);
            self.end_subscription(&bare, event, cx);
        } else {
            return Verdict::Pass;
        }
        Verdict::Taken
    }

    /// Whether an event on the node of a room that is not joined is about the room: it holds an item of a room, or says
    /// that the client was put out of the second node, too.
    fn is_last_of(&self, bare: &str, event: &Event<'_>) -> bool {
        match event.what {
            What::Items => event.element.children().any(|item| is_of_a_room(&item)),
            What::Subscription | What::Node => self.known.contains(bare),
        }
    }

    /// Ends the subscription of this resource to a node of a room that it is not in, once for each node: an earlier
    /// session of the resource died there.
    fn end_subscription(&mut self, bare: &str, event: &Event<'_>, cx: &mut Cx<'_>) {
        let is_new = event.what == What::Items && !self.known.contains(bare);
        let node = [event.node, "@", event.service].concat();
        if !is_new || self.ended.len() >= MOST_KNOWN || !cx.wire.may_react() {
            return;
        }
        if self.ended.insert(node.into()) {
            let (service, own) = (Some(event.service), cx.account.jid().to_owned());
            cx.wire.tell("set", service, |out| {
                request::unsubscribe(out, event.node, &own);
            });
        }
    }

    /// Handles the answer to an IQ of ours.
    pub(super) fn reply(&mut self, ask: Ask, reply: Reply<'_>, cx: &mut Cx<'_>) {
        match ask {
            Ask::Step(bare, step) => self.handle_step(&bare, step, reply, cx),
            Ask::Owner(job) => self.handle_job(job, reply, cx),
            Ask::Question(question) => question.show_answer(reply, cx),
            Ask::Relayed(relayed) => self.handle_relayed(&relayed, reply, cx),
            // Without a subscription the client's last publish may have made ejabberd create a node.
            Ask::Left(bare) if reply.is_err() => room::left_alone(&bare).look(cx),
            Ask::Left(_) => {}
            Ask::Junk(junk) => junk.handle_reply(reply, cx),
            Ask::Service(domain) => {
                let held = self.services.note_info(&domain, reply.ok());
                self.say_held(held, cx);
            }
        }
    }

    /// Handles stanzas to rooms that waited until the service was known.
    fn say_held(&mut self, held: Vec<Held>, cx: &mut Cx<'_>) {
        for held in held {
            let kind = held.kind;
            let verdict = held.read(|stanza| self.handle_client(kind, stanza, cx));
            // An IQ to the service itself passes.
            if verdict != Some(Verdict::Taken) {
                held.pass(Leg::Server, cx.wire);
            }
        }
    }

    /// The next stanza of the client's that has waited and is for no room; `all`: no domain is waited for any longer.
    pub(super) fn released(&mut self, all: bool, wire: &Wire) -> Option<Held> {
        self.services.give_up(wire.now, all);
        self.services.released()
    }

    fn handle_step(&mut self, bare: &str, step: Step, reply: Reply<'_>, cx: &mut Cx<'_>) {
        if matches!(step, Step::Leftovers(_)) && self.tidied.len() < MOST_ROOMS {
            self.tidied.insert(bare.into());
        }
        match (&step, reply) {
            // The client has left meanwhile. The node that it was creating would be in everybody's way.
            (Step::Create(part), Ok(_)) if !self.rooms.contains_key(bare) => {
                room::delete(bare, *part, cx.wire);
            }
            (Step::Say(id, _), Err(refused)) if !self.rooms.contains_key(bare) => {
                let (own, id) = (cx.account.jid(), id.as_deref());
                cx.wire.show_unsent(bare, own, id, "", refused.condition());
            }
            _ => self.drive(bare, cx, |room, cx| room.handle_reply(step, reply, cx)),
        }
    }

    /// Tells the client, as the session ends, that its joins have failed and which of its messages may be lost.
    pub(super) fn give_back(&mut self, account: &Account, wire: &mut Wire) {
        for room in std::mem::take(&mut self.rooms).into_values() {
            room.refuse(NO_ANSWER, account, wire);
        }
        self.waiting.give_back(wire);
        let asked = wire.asked().filter_map(|asked| match asked {
            super::Ask::Rooms(Ask::Step(bare, Step::Say(id, _))) => {
                Some((bare.clone(), id.clone()))
            }
            _ => None,
        });
        for (bare, id) in asked.collect::<Vec<_>>() {
            wire.show_unsent(&bare, account.jid(), id.as_deref(), "", NO_ANSWER);
        }
        Self::give_jobs_back(wire);
    }
}

/// Whether an item holds a stanza of a room.
fn is_of_a_room(item: &Element<'_>) -> bool {
    let mut payloads = item.children();
    payloads.any(|payload| payload.namespace() == ns::CLIENT)
}
