//! Private messages between occupants (XEP-0045 §7.5).
//!
//! A private message goes to the real full JID, with type `groupchat`: servers neither give another resource a copy of
//! that type nor store it if the resource is gone, but return it. An element of ours names the room. Under `pure` the
//! message is an item on the node of the two accounts.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::names::nick_of;
use super::occupants::is_of_room;
use super::refuse::{refuse, refuse_empty};
use super::{Rooms, payload};
use crate::jid;
use crate::ns;
use crate::translate::held::Held;
use crate::translate::queue::push_newest;
use crate::translate::shown::delay;
use crate::translate::{Cx, Kind, Verdict, Wire, marker};
use crate::wire::{Dropped, Leg, Rule};
use crate::xml::{Element, escape, rewrite_standalone};

const SAY_PRIVATE: Rule = Rule::new(
    "room-private-out",
    "",
    "a private message goes to the occupant's real address, in a form that reaches no other resource",
);
const SHOW_PRIVATE: Rule = Rule::new(
    "room-private-in",
    "",
    "a private message of somebody who is in the room is shown as one of his nick",
);
const RETURN_PRIVATE: Rule = Rule::new(
    "room-private-error",
    "",
    "a private message that comes back is shown as an error of the nick it was for",
);

/// Messages remembered in case they come back.
const MOST_SENT: usize = 64;
/// Messages that may wait until the client is in the room.
const MOST_EARLY: usize = 16;
/// Bytes of a message's id.
pub(super) const MOST_ID: usize = 1024;

/// The private messages of one session.
#[derive(Default)]
pub(super) struct Private {
    /// Messages that may come back, the newest last.
    sent: VecDeque<Sent>,
    /// The number of messages that were sent.
    number: u64,
    /// Messages to the client that have overtaken its join.
    early: VecDeque<Early>,
    /// Messages that the chats are to send by the nodes of two accounts (`pure`).
    direct: VecDeque<Direct>,
}

/// A message to the client that has overtaken its join: the author has seen the client come before the client knew.
struct Early {
    room: Box<str>,
    /// The author's real full JID.
    author: Box<str>,
    message: Held,
}

/// A message that may come back.
struct Sent {
    /// One number for all copies to the sessions of one nick.
    number: u64,
    id: Box<str>,
    /// The addressee's real full JID.
    full: Box<str>,
    /// The occupant JID that the client has written to.
    occupant: Box<str>,
}

/// The addressee of a message of the client's.
#[derive(Clone, Copy)]
pub(super) struct To<'a> {
    pub(super) full: &'a str,
    /// The occupant JID that the client has written to, in whose name the message comes back.
    pub(super) occupant: &'a str,
    pub(super) id: &'a str,
    /// The type that the message is sent with.
    pub(super) kind: &'a str,
}

/// A private message that is to go by the node of two accounts.
pub(in crate::translate) struct Direct {
    pub(in crate::translate) full: Box<str>,
    /// The occupant JID that the client has written to.
    pub(in crate::translate) occupant: Box<str>,
    pub(in crate::translate) id: Box<str>,
    pub(in crate::translate) payload: Bytes,
}

impl Private {
    /// Begins another message: copies noted from now on belong to it.
    pub(super) fn number_next(&mut self) {
        self.number += 1;
    }

    fn note_sent(&mut self, id: &str, full: &str, occupant: &str) {
        let sent = Sent {
            number: self.number,
            id: id.into(),
            full: full.into(),
            occupant: occupant.into(),
        };
        push_newest(&mut self.sent, sent, MOST_SENT);
    }

    /// Takes the messages that have overtaken the join of this room.
    fn take_early(&mut self, room: &str) -> Vec<Early> {
        let all = std::mem::take(&mut self.early).into_iter();
        let (of_room, others) = all.partition(|it| *it.room == *room);
        self.early = others;
        Vec::from(of_room)
    }

    /// Takes the message of this id to `full`, which has come back.
    fn take_sent(&mut self, id: &str, full: &str) -> Option<Sent> {
        let is_it = |it: &Sent| *it.id == *id && *it.full == *full;
        // Some clients give all messages the same id.
        let at = self.sent.iter().rposition(is_it)?;
        self.sent.remove(at)
    }

    /// Whether another session of the same nick was sent a copy.
    fn has_copy(&self, of: &Sent) -> bool {
        self.sent.iter().any(|it| it.number == of.number)
    }
}

impl Rooms {
    /// Sends a message of the client's to an occupant.
    pub(super) fn say_privately(
        &mut self,
        bare: &str,
        resource: &str,
        message: &Element<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(room) = self.rooms.get(bare).filter(|room| room.is_joined()) else {
            return refuse(message, "not-acceptable", cx);
        };
        let nick = nick_of(resource).unwrap_or_default();
        // An occupant with several sessions gets the message in each, as in other rooms.
        let full_jids: Vec<Box<str>> = room.occupants.called(&nick).map(Into::into).collect();
        if full_jids.is_empty() {
            return refuse(message, "item-not-found", cx);
        }
        let id = message.attribute("id").filter(|id| !id.is_empty());
        if id.as_ref().is_some_and(|id| id.len() > MOST_ID) {
            return refuse(message, "policy-violation", cx);
        }
        if self.only_nodes && payload::is_empty(message) {
            return refuse_empty(message, cx);
        }
        cx.wire.apply(&SAY_PRIVATE);
        let id = id.map_or_else(|| cx.wire.fresh_id().to_string(), Into::into);
        let occupant = format!("{bare}/{nick}");
        let is_chat = message.attribute("type").as_deref() == Some("chat");
        let kind = if is_chat { "chat" } else { "normal" };
        self.private.number_next();
        for full in full_jids {
            let to = To {
                full: &full,
                occupant: &occupant,
                id: &id,
                kind: "groupchat",
            };
            let may_stay = |child: &Element<'_>| !is_of_room(child);
            self.send(to, message, may_stay, marks(Some((bare, kind))), cx);
        }
    }

    /// Sends the children of the client's message that `may_stay`, and `more`: natively, or by the node of the two
    /// accounts.
    pub(super) fn send(
        &mut self,
        to: To<'_>,
        message: &Element<'_>,
        may_stay: impl Fn(&Element<'_>) -> bool,
        mut more: String,
        cx: &mut Cx<'_>,
    ) {
        let from = self.only_nodes.then(|| cx.account.jid());
        let changes = [
            ("from", from),
            ("to", Some(to.full)),
            ("type", Some(to.kind)),
            ("id", Some(to.id)),
        ];
        if !self.only_nodes {
            cx.wire.stanza(Leg::Server, |out| {
                rewrite_standalone(out, message, &changes, may_stay, &more);
            });
            return self.private.note_sent(to.id, to.full, to.occupant);
        }
        more += &delay(cx.wire.unix_time());
        let mut payload = BytesMut::with_capacity(message.raw().len() + 256);
        rewrite_standalone(&mut payload, message, &changes, may_stay, &more);
        self.private.direct.push_back(Direct {
            full: to.full.into(),
            occupant: to.occupant.into(),
            id: to.id.into(),
            payload: payload.freeze(),
        });
    }

    /// The next private message that is to go by the node of two accounts.
    pub(in crate::translate) fn take_direct(&mut self) -> Option<Direct> {
        self.private.direct.pop_front()
    }

    /// Handles a message from the server, if it is one of a room or one that comes back.
    pub(in crate::translate) fn server_message(
        &mut self,
        message: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> Verdict {
        if self.services.is_empty() {
            return Verdict::Pass;
        }
        let kind = message.attribute("type");
        if kind.as_deref() == Some("error") {
            return self.returned(message, cx);
        }
        if !marker::is_of_a_room(message) {
            return Verdict::Pass;
        }
        let from = message.attribute("from").unwrap_or_default();
        self.hear_marked(&from, message, cx);
        Verdict::Taken
    }

    /// Whether a message too large to be read is a private one; `head` is its start tag.
    pub(in crate::translate) fn is_private(
        &self,
        head: &Element<'_>,
        message: &Element<'_>,
    ) -> bool {
        !self.services.is_empty()
            && head.attribute("type").as_deref() == Some("groupchat")
            && message.opaque_child(ns::SHIM, "pm").is_some()
    }

    /// Handles a message that a shim has marked as one of a room; `author`: its real sender.
    pub(in crate::translate) fn hear_marked(
        &mut self,
        author: &str,
        message: &Element<'_>,
        cx: &mut Cx<'_>,
    ) {
        let mark = |name| message.child(ns::SHIM, name);
        let shown = if let Some(mark) = mark("pm") {
            self.show_private(author, message, &mark, cx)
        } else if let Some(mark) = mark("invite") {
            self.show_invitation(author, message, &mark, cx)
        } else if let Some(mark) = mark("decline") {
            self.show_decline(author, message, &mark, cx)
        } else {
            Err(Dropped::WrongPayload)
        };
        if let Err(reason) = shown {
            cx.wire.drop_event(reason);
        }
    }

    /// Shows a private message, if its author, a full JID, is in the room and it is to the client.
    fn show_private(
        &mut self,
        author: &str,
        message: &Element<'_>,
        mark: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Dropped> {
        let bare = mark.attribute("room").ok_or(Dropped::WrongPayload)?;
        let own = cx.account.jid();
        if message.attribute("to").as_deref() != Some(own) {
            return Err(Dropped::WrongPayload);
        }
        let room = self.rooms.get_mut(&*bare);
        if room.as_ref().is_some_and(|room| !room.is_joined())
            && self.private.early.len() < MOST_EARLY
        {
            self.private.early.push_back(Early {
                room: (*bare).into(),
                author: author.into(),
                message: Held::new(Kind::Message, message),
            });
            return Ok(());
        }
        let Some(room) = room.filter(|room| room.is_joined()) else {
            self.send_back(message, cx.wire);
            return Err(Dropped::NotSubscribed);
        };
        let Some(occupant) = room.occupants.get(author) else {
            self.send_back(message, cx.wire);
            return Err(Dropped::ForeignFrom);
        };
        let from = format!("{bare}/{}", occupant.nick);
        let is_normal = mark.attribute("type").as_deref() == Some("normal");
        let kind = if is_normal { "normal" } else { "chat" };
        let changes = [
            ("from", Some(&*from)),
            ("to", Some(own)),
            ("type", Some(kind)),
        ];
        let more = marks(None);
        cx.wire.apply(&SHOW_PRIVATE);
        cx.wire.stanza(Leg::Client, |out| {
            let may_stay = |child: &Element<'_>| may_stay(child, &bare);
            rewrite_standalone(out, message, &changes, may_stay, &more);
        });
        room.occupants.hear(author, cx.wire.now);
        Ok(())
    }

    /// Returns a private message to its author, with the error of a server for a resource that is not there. Not under
    /// `pure`: there an event never causes a write to its node.
    fn send_back(&self, message: &Element<'_>, wire: &mut Wire) {
        if !self.only_nodes {
            wire.answer_unavailable(message);
        }
    }

    /// Shows the client, which is in now, the messages that have overtaken its join.
    pub(super) fn show_early(&mut self, bare: &str, cx: &mut Cx<'_>) {
        let is_in = |rooms: &Self| rooms.rooms.get(bare).is_some_and(|room| room.is_joined());
        if self.private.early.is_empty() || !is_in(self) {
            return;
        }
        for early in self.private.take_early(bare) {
            let author = &early.author;
            early.message.read(|it| self.hear_marked(author, it, cx));
        }
    }

    /// Returns the messages that have overtaken a join, as it has failed.
    pub(super) fn send_early_back(&mut self, bare: &str, wire: &mut Wire) {
        for early in self.private.take_early(bare) {
            early.message.read(|it| self.send_back(it, wire));
            wire.drop_event(Dropped::NotSubscribed);
        }
    }

    /// Shows the client a message of its own that has come back with an error.
    fn returned(&mut self, message: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        let [from, id] = ["from", "id"].map(|name| message.attribute(name));
        let (Some(from), Some(id)) = (from, id) else {
            return Verdict::Pass;
        };
        let Some(sent) = self.private.take_sent(&id, &from) else {
            return Verdict::Pass;
        };
        cx.wire.apply(&RETURN_PRIVATE);
        // The occupant may have got the message in another session.
        if !self.private.has_copy(&sent) {
            let changes = [
                ("from", Some(&*sent.occupant)),
                ("to", Some(cx.account.jid())),
            ];
            cx.wire.stanza(Leg::Client, |out| {
                let may_stay = |child: &Element<'_>| child.namespace() == ns::CLIENT;
                rewrite_standalone(out, message, &changes, may_stay, "");
            });
        }
        Verdict::Taken
    }
}

/// The marks of a private message: for clients, and for shims, which read the room and the message's own type.
fn marks(of: Option<(&str, &str)>) -> String {
    let mut marks = format!("<x xmlns='{}'/>", ns::MUC_USER);
    if let Some((room, kind)) = of {
        let kind = match kind {
            "chat" => String::new(),
            kind => format!(" type='{kind}'"),
        };
        marks += &format!("<pm xmlns='{}' room='{}'{kind}/>", ns::SHIM, escape(room));
    }
    marks
}

/// Whether a child of a private message may be shown: elements that only a room may add may not; a server's delay may.
fn may_stay(child: &Element<'_>, room: &str) -> bool {
    let by = |name| {
        child
            .attribute(name)
            .is_none_or(|it| jid::bare(&it) == room)
    };
    let is_rooms =
        child.is(ns::SID, "stanza-id") && by("by") || child.namespace() == ns::DELAY && by("from");
    !is_of_room(child) && !is_rooms
}
