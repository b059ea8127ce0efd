//! One room from join to leave. A join's steps are in the order a client waits for what comes of them (XEP-0045 §7.2).

mod events;
mod join;
mod show;

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};

use self::join::{access_of, is_missing};
use self::show::{Shown, gone_payload, own_payload};
use super::Ask;
use super::names::OCCUPANTS;
use super::occupants::Occupants;
use super::talk::Talk;
use crate::jid;
use crate::ns;
use crate::pubsub::{answer, request};
use crate::translate::{self, Cx, Wire};
use crate::wire::{Refused, Reply, is_gone};
use crate::xml::Element;

/// So long another client that creates the same room is waited for, and somebody to be heard of.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// So long behind the answer to a publish its event may come.
const EVENT_BEHIND: Duration = Duration::from_secs(5);
/// So often somebody is asked whether he is there, of whom nothing has come for five minutes.
const PING: Duration = Duration::from_secs(60);

/// One of the two nodes of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Occupants,
    Talk,
}

/// What was asked about a room.
#[derive(Debug)]
pub(crate) enum Step {
    Subscribe,
    Items(Part),
    Create(Part),
    /// Whether a room that lacks its second node is the client's.
    Owns,
    /// Why a room is closed to us.
    Why,
    /// Publishing the own occupant for the first time.
    TakeNick,
    /// The same again, with a new status or this nick.
    Update(Box<str>),
    /// The same again, as it was taken away.
    Restore,
    /// Publishing a message; its id.
    Say(Option<Box<str>>),
    /// Letting everybody in, as the client has asked by the IQ of this id.
    Open(Part, Box<str>),
    /// Whether the occupant with this full JID is there.
    Alive(Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many answers are awaited.
    Entering(usize),
    Creating,
    /// It is tried again at this time.
    Waiting(Duration),
    /// It is asked why the room is closed.
    Asking,
    /// The own occupant is published. Once that is answered, its event is waited for until then.
    TakingNick(Option<Duration>),
    Joined,
}

pub(super) struct Room {
    bare: Box<str>,
    /// As the client is called in the room.
    nick: Box<str>,
    /// The client's newest presence, as it is published.
    presence: Bytes,
    /// Its id, which an error repeats.
    id: Option<Box<str>>,
    may_create: bool,
    /// The client has created it and nobody else may come in yet.
    is_locked: bool,
    is_owner: bool,
    tries: u8,
    /// The item the own occupant stands in.
    item: Box<str>,
    state: State,
    occupants: Occupants,
    talk: Talk,
    /// When the own item is published again, which was taken away.
    restore_at: Option<Duration>,
    /// When somebody is asked next whether he is there.
    ping_at: Duration,
    /// So many more are asked as somebody has spoken; when he did, and when the first of them was or will be.
    pings: u8,
    spoken_at: Duration,
    checked_at: Option<Duration>,
    /// Somebody has spoken since.
    asks_again: bool,
}

/// The answers to what was asked about a room are of no use any more.
pub(super) fn forget(bare: &str, wire: &mut Wire) {
    wire.forget(|asked| matches!(asked, translate::Ask::Rooms(Ask::Step(of, _)) if **of == *bare));
}
impl Room {
    /// Listing 12.
    pub(super) fn new(bare: &str, nick: &str, presence: &Element<'_>, cx: &Cx<'_>) -> Self {
        let muc = presence.child(ns::MUC, "x");
        Self {
            bare: bare.into(),
            nick: nick.into(),
            presence: own_payload(presence, bare, nick, cx.account.jid()),
            id: presence.attribute("id").map(|id| (*id).into()),
            // A stray status of a client that never joined creates nothing.
            may_create: muc.is_some(),
            is_locked: false,
            is_owner: false,
            tries: 0,
            item: cx.account.bare().into(),
            state: State::Creating,
            occupants: Occupants::default(),
            talk: Talk::new(muc.as_ref(), cx.wire.unix_time()),
            restore_at: None,
            ping_at: Duration::ZERO,
            pings: 0,
            spoken_at: Duration::ZERO,
            checked_at: None,
            asks_again: false,
        }
    }

    pub(super) fn is_joined(&self) -> bool {
        self.state == State::Joined
    }

    pub(super) fn occupants(&self) -> &Occupants {
        &self.occupants
    }

    pub(super) fn nick(&self) -> &str {
        &self.nick
    }

    pub(super) fn is_owner(&self) -> bool {
        self.is_owner
    }

    fn node(&self, part: Part) -> String {
        let name = jid::local(&self.bare).unwrap_or_default();
        match part {
            Part::Occupants => format!("{name}{OCCUPANTS}"),
            Part::Talk => name.to_owned(),
        }
    }

    /// Sends a request about the room; `false`: too many wait already.
    fn ask(
        &self,
        kind: &str,
        step: Step,
        cx: &mut Cx<'_>,
        body: impl FnOnce(&mut BytesMut),
    ) -> bool {
        let ask = Ask::Step(self.bare.clone(), step);
        cx.wire
            .request(kind, Some(jid::domain(&self.bare)), ask, body)
    }

    /// Goes on by itself: a join that has waited, an event that has not come, occupants of whom nothing comes.
    pub(super) fn go_on(&mut self, cx: &mut Cx<'_>) -> bool {
        match self.state {
            State::Waiting(_) => self.enter(cx),
            State::TakingNick(Some(_)) => {
                self.show_all(cx);
                true
            }
            State::Joined => {
                let now = cx.wire.now;
                if self.restore_at.take_if(|at| *at <= now).is_some() {
                    self.publish_self(Step::Restore, cx);
                }
                if self.next_ping().is_some_and(|at| at <= now) {
                    self.ping(cx);
                }
                true
            }
            _ => true,
        }
    }

    /// When [`go_on`](Self::go_on) does something.
    pub(super) fn again_at(&self) -> Option<Duration> {
        match self.state {
            State::Waiting(at) | State::TakingNick(Some(at)) => Some(at),
            State::Joined => self.restore_at.into_iter().chain(self.next_ping()).min(),
            _ => None,
        }
    }

    fn next_ping(&self) -> Option<Duration> {
        let own = self.own_account()?;
        self.occupants.has_others(own).then_some(self.ping_at)
    }

    fn own_account(&self) -> Option<&str> {
        let item = jid::bare(&self.item);
        (!item.is_empty()).then_some(item)
    }

    /// Goes on with the answer to a step; `false`: the client is not in the room.
    pub(super) fn handle_reply(&mut self, step: Step, reply: Reply<'_>, cx: &mut Cx<'_>) -> bool {
        match (step, reply) {
            (Step::Subscribe, Ok(_)) => self.count_down(cx),
            (Step::Items(part), Ok(iq)) => {
                answer::with_items(iq, |items| self.note_items(items, part, false, cx));
                self.count_down(cx)
            }
            // A history that cannot be read is none.
            (Step::Items(Part::Talk), Err(refused)) if !is_missing(refused) => self.count_down(cx),
            (Step::Subscribe | Step::Items(_), Err(refused)) => self.handle_closed(refused, cx),
            (Step::Why, reply) => {
                let is_whitelist =
                    reply.is_ok_and(|iq| access_of(iq).as_deref() == Some("whitelist"));
                self.end(
                    if is_whitelist {
                        "registration-required"
                    } else {
                        "forbidden"
                    },
                    cx,
                )
            }
            (Step::Create(Part::Talk), Ok(_)) => self.create(Part::Occupants, cx),
            (Step::Create(Part::Occupants), Ok(_)) => {
                (self.is_locked, self.is_owner) = (true, true);
                // A service that says again that it is missing would be asked for ever.
                self.may_create = false;
                self.enter(cx)
            }
            (Step::Owns, Ok(_)) => {
                self.is_owner = true;
                self.create(Part::Occupants, cx)
            }
            // To a client a conflict would be one about its nick.
            (Step::Owns, Err(_)) => self.end("service-unavailable", cx),
            (Step::Create(part), Err(refused)) => self.handle_not_created(part, refused, cx),
            (Step::TakeNick, Ok(_)) => {
                if let State::TakingNick(until) = &mut self.state {
                    *until = Some(cx.wire.now + EVENT_BEHIND);
                }
                true
            }
            (Step::TakeNick, Err(Refused::With("forbidden"))) if self.next_item(cx) => {
                self.take_nick(cx)
            }
            (Step::TakeNick, Err(refused)) => {
                let condition = refused.condition_or("remote-server-timeout").to_owned();
                self.end(&condition, cx)
            }
            // Prosody tells whoever is kicked only that his item is gone.
            (Step::Restore, Err(Refused::With("forbidden"))) => {
                self.show_out(&["110", "307"], "", cx)
            }
            (Step::Update(nick), Err(refused)) => {
                let condition = refused.condition_or("remote-server-timeout");
                self.show_refusal(&nick, condition, cx.account, cx.wire);
                true
            }
            (Step::Say(id), Err(refused)) => {
                let condition = refused.condition_or("remote-server-timeout");
                let (from, to) = (Some(&*self.bare), Some(cx.account.jid()));
                let attributes = [("from", from), ("to", to), ("id", id.as_deref())];
                cx.wire
                    .show_error("message", &attributes, "cancel", condition);
                true
            }
            (Step::Open(part, id), reply) => self.handle_opened(part, &id, reply, cx),
            (Step::Alive(full), pong) => {
                match is_gone(pong) {
                    true => self.show_gone(&full, None, cx),
                    false => self.occupants.hear(&full, cx.wire.now),
                }
                true
            }
            (Step::Restore, _) | (Step::Update(_) | Step::Say(_), Ok(_)) => true,
        }
    }

    /// A presence of the client's for a room it is in, or is joining: a new status, or another nick.
    pub(super) fn update(&mut self, nick: &str, presence: &Element<'_>, cx: &mut Cx<'_>) {
        let holder = self.occupants.of_nick(nick);
        if holder.is_some_and(|full| jid::bare(full) != cx.account.bare()) {
            return cx.wire.refuse(presence, "cancel", "conflict");
        }
        self.presence = own_payload(presence, &self.bare, nick, cx.account.jid());
        self.id = presence.attribute("id").map(|id| (*id).into());
        match self.state {
            State::Joined | State::TakingNick(_) => {
                if !self.publish_self(Step::Update(nick.into()), cx) {
                    cx.wire.refuse(presence, "wait", "resource-constraint");
                }
            }
            // It is published when it is time to.
            _ => self.nick = nick.into(),
        }
    }

    /// A message of the client's to everybody.
    pub(super) fn say(&mut self, message: &Element<'_>, cx: &mut Cx<'_>) {
        if self.state != State::Joined {
            return cx.wire.refuse(message, "modify", "not-acceptable");
        }
        let Some(said) = self.talk.said(message, &self.bare, &self.nick, cx) else {
            return;
        };
        let id = message.attribute("id").map(|id| (*id).into());
        let node = self.node(Part::Talk);
        let is_sent = self.ask("set", Step::Say(id), cx, |out| {
            request::publish(out, &node, &said.item, None, |out| {
                out.put_slice(&said.payload);
            });
        });
        if !is_sent {
            return cx.wire.refuse(message, "wait", "resource-constraint");
        }
        if said.is_subject {
            let (node, item) = (
                self.node(Part::Occupants),
                format!("subject/{}", cx.account.bare()),
            );
            cx.wire.tell("set", Some(jid::domain(&self.bare)), |out| {
                request::publish(out, &node, &item, None, |out| out.put_slice(&said.payload));
            });
        }
    }

    /// Nothing comes of the join: what it has begun is undone, and the client is told.
    fn end(&self, condition: &str, cx: &mut Cx<'_>) -> bool {
        self.go(None, cx);
        self.refuse(condition, cx.account, cx.wire);
        false
    }

    /// The client leaves: the room is told, and the client at once. `presence`: its own words; without them it does
    /// not listen any more.
    pub(super) fn leave(self, presence: Option<&Element<'_>>, cx: &mut Cx<'_>) {
        self.go(presence, cx);
        if let Some(presence) = presence {
            let own = cx.account.jid().to_owned();
            let said = own_payload(presence, &self.bare, &self.nick, &own);
            self.show(&own, &self.nick, &said, Shown::gone(&["110"]), cx);
        }
    }

    /// One overwrite, two unsubscribes.
    fn go(&self, presence: Option<&Element<'_>>, cx: &mut Cx<'_>) {
        let service = Some(jid::domain(&self.bare));
        let own = cx.account.jid();
        if matches!(self.state, State::TakingNick(_) | State::Joined) {
            let node = self.node(Part::Occupants);
            let said = match presence {
                Some(presence) => own_payload(presence, &self.bare, &self.nick, own),
                None => gone_payload(&self.bare, &self.nick, own),
            };
            cx.wire.tell("set", service, |out| {
                request::publish(out, &node, &self.item, None, |out| out.put_slice(&said));
            });
        }
        for part in [Part::Occupants, Part::Talk] {
            let node = self.node(part);
            cx.wire
                .tell("set", service, |out| request::unsubscribe(out, &node, own));
        }
    }
}
