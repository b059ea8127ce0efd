//! One room from join to leave. A join's steps are in the order a client waits for what comes of them (XEP-0045 §7.2).

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::Ask;
use super::names::OCCUPANTS;
use super::occupants::{Change, Occupants, Said, is_of_room};
use super::talk::Talk;
use crate::jid;
use crate::ns;
use crate::pubsub::{Event, What, answer, form, request};
use crate::translate::account::Account;
use crate::translate::{self, Cx, Wire};
use crate::wire::{Dropped, Leg, Refused, Reply, is_gone};
use crate::xml::{Element, Namespaces, Tag, escape, rewrite, rewrite_standalone};

/// So often another client may be creating the same room, and so long it is waited for.
const MOST_TRIES: u8 = 3;
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// So long behind the answer to a publish its event may come.
const EVENT_BEHIND: Duration = Duration::from_secs(5);
/// So long after the own item was taken away it is published again: a kick comes in several steps.
const RESTORE: Duration = Duration::from_secs(2);
/// So often somebody is asked whether he is there, of whom nothing has come for [`QUIET`].
const PING: Duration = Duration::from_secs(60);
const QUIET: Duration = Duration::from_secs(300);
/// When somebody speaks, so many others are asked, one a second, of whom nothing has come since; not again within
/// this time.
const MOST_AT_ONCE: u8 = 3;
const MOMENT: Duration = Duration::from_secs(5);
/// An event may have so many items; servers send one.
const MOST_ITEMS: usize = 256;
/// The requests of a join.
const JOIN: usize = 4;

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

    /// Asks for all that a join needs in one write (listing 13); later, where there is no place for it.
    pub(super) fn enter(&mut self, cx: &mut Cx<'_>) -> bool {
        if cx.wire.places() < JOIN {
            self.state = State::Waiting(cx.wire.now + TRY_AGAIN);
            return true;
        }
        let own = cx.account.jid().to_owned();
        let mut awaited = 0;
        for part in [Part::Occupants, Part::Talk] {
            let node = self.node(part);
            awaited += usize::from(self.ask("set", Step::Subscribe, cx, |out| {
                request::subscribe(out, &node, &own);
            }));
        }
        let node = self.node(Part::Occupants);
        awaited += usize::from(self.ask("get", Step::Items(Part::Occupants), cx, |out| {
            request::items(out, &node);
        }));
        if let Some(most) = self.talk.wants() {
            let node = self.node(Part::Talk);
            awaited += usize::from(self.ask("get", Step::Items(Part::Talk), cx, |out| {
                request::last_items(out, &node, most);
            }));
        }
        self.state = State::Entering(awaited);
        true
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
        self.occupants.first_heard(own).map(|_| self.ping_at)
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

    /// One more answer has come: with the last one the nick is taken.
    fn count_down(&mut self, cx: &mut Cx<'_>) -> bool {
        let State::Entering(awaited) = &mut self.state else {
            return true;
        };
        *awaited = awaited.saturating_sub(1);
        if *awaited > 0 {
            return true;
        }
        let holder = self.occupants.of_nick(&self.nick);
        if holder.is_some_and(|full| jid::bare(full) != cx.account.bare()) {
            return self.end("conflict", cx);
        }
        let own = cx.account.jid();
        let is_other = |full: &str| full != own;
        if self
            .occupants
            .of_item(&self.item)
            .is_some_and(|full| is_other(&full))
        {
            // Another resource of the account is in the room.
            self.item = own.into();
        }
        self.take_nick(cx)
    }

    fn take_nick(&mut self, cx: &mut Cx<'_>) -> bool {
        self.state = State::TakingNick(None);
        self.publish_self(Step::TakeNick, cx) || self.end("resource-constraint", cx)
    }

    fn publish_self(&self, step: Step, cx: &mut Cx<'_>) -> bool {
        let node = self.node(Part::Occupants);
        self.ask("set", step, cx, |out| {
            request::publish(out, &node, &self.item, None, |out| {
                out.put_slice(&self.presence);
            });
        })
    }

    /// Somebody else has an item of the name of ours: the next name.
    fn next_item(&mut self, cx: &mut Cx<'_>) -> bool {
        let own = cx.account.jid();
        let is_first = *self.item == *cx.account.bare();
        if !is_first && *self.item != *own {
            return false;
        }
        self.item = match is_first {
            true => own.into(),
            false => format!("{own}/{}", cx.wire.fresh_id()).into(),
        };
        true
    }

    /// A room that does not let us in: it is missing, or closed.
    fn handle_closed(&mut self, refused: Refused<'_>, cx: &mut Cx<'_>) -> bool {
        // The other requests of the join come to the same.
        forget(&self.bare, cx.wire);
        let condition = refused.condition_or("remote-server-timeout").to_owned();
        match &*condition {
            "item-not-found" if self.may_create => self.create(Part::Talk, cx),
            "not-allowed" | "closed-node" => self.end("registration-required", cx),
            "forbidden" => {
                self.state = State::Asking;
                let node = self.node(Part::Talk);
                self.ask("get", Step::Why, cx, |out| request::info(out, Some(&node)))
                    || self.end("forbidden", cx)
            }
            condition => self.end(condition, cx),
        }
    }

    /// A new room is locked until its owner accepts it (XEP-0045 §10.1.1): nobody else may come in.
    fn create(&mut self, part: Part, cx: &mut Cx<'_>) -> bool {
        self.state = State::Creating;
        let node = self.node(part);
        let (most, retracts) = match part {
            Part::Occupants => ("max", "1"),
            Part::Talk => ("200", "0"),
        };
        let fields = [
            ("pubsub#access_model", "whitelist"),
            ("pubsub#publish_model", "subscribers"),
            ("pubsub#persist_items", "1"),
            ("pubsub#max_items", most),
            ("pubsub#send_last_published_item", "never"),
            ("pubsub#notify_retract", retracts),
            ("pubsub#notify_delete", "1"),
            ("pubsub#notify_config", "0"),
            ("pubsub#notification_type", "headline"),
            ("pubsub#deliver_payloads", "1"),
            ("pubsub#presence_based_delivery", "0"),
            ("pubsub#itemreply", "publisher"),
        ];
        let is_sent = self.ask("set", Step::Create(part), cx, |out| {
            request::create(out, &node, &fields);
        });
        is_sent || self.end("resource-constraint", cx)
    }

    fn handle_not_created(&mut self, part: Part, refused: Refused<'_>, cx: &mut Cx<'_>) -> bool {
        match (part, refused) {
            // Somebody else is creating it.
            (Part::Talk, Refused::With("conflict")) if self.tries < MOST_TRIES => {
                self.tries += 1;
                self.state = State::Waiting(cx.wire.now + TRY_AGAIN);
                true
            }
            (Part::Talk, Refused::With("forbidden")) => self.end("not-allowed", cx),
            // Nobody is: whoever was creating it has not come to an end.
            (Part::Talk, Refused::With("conflict")) => {
                let node = self.node(part);
                let is_sent = self.ask("get", Step::Owns, cx, |out| {
                    request::configuration(out, &node);
                });
                is_sent || self.end("resource-constraint", cx)
            }
            (Part::Talk, refused) => {
                let condition = refused.condition_or("remote-server-timeout").to_owned();
                self.end(&condition, cx)
            }
            (Part::Occupants, _) => {
                // A room just made is of no use without the other node.
                if !self.is_owner {
                    let node = self.node(Part::Talk);
                    cx.wire.tell("set", Some(jid::domain(&self.bare)), |out| {
                        request::delete(out, &node);
                    });
                }
                self.end("service-unavailable", cx)
            }
        }
    }

    /// The owner accepts the room: everybody may come in. `id`: of the client's request.
    pub(super) fn open(&mut self, id: &str, cx: &mut Cx<'_>) {
        self.open_part(Part::Occupants, id, cx);
    }

    fn open_part(&mut self, part: Part, id: &str, cx: &mut Cx<'_>) {
        let (node, step) = (self.node(part), Step::Open(part, id.into()));
        let is_sent = self.ask("set", step, cx, |out| {
            request::configure(out, &node, &[("pubsub#access_model", "open")]);
        });
        if !is_sent {
            self.answer_owner(id, Err(Refused::NoRoom), cx);
        }
    }

    fn handle_opened(&mut self, part: Part, id: &str, reply: Reply<'_>, cx: &mut Cx<'_>) -> bool {
        match (part, reply) {
            (Part::Occupants, Ok(_)) => self.open_part(Part::Talk, id, cx),
            (Part::Talk, Ok(_)) => {
                self.is_locked = false;
                self.answer_owner(id, reply, cx);
            }
            (_, Err(_)) => self.answer_owner(id, reply, cx),
        }
        true
    }

    fn answer_owner(&self, id: &str, reply: Reply<'_>, cx: &mut Cx<'_>) {
        match reply {
            Ok(_) => cx
                .wire
                .show_answer(id, &self.bare, cx.account.jid(), |_| {}),
            Err(refused) => {
                let (from, to) = (Some(&*self.bare), Some(cx.account.jid()));
                let attributes = [("from", from), ("to", to), ("id", Some(id))];
                let condition = refused.condition_or("remote-server-timeout");
                cx.wire.show_error("iq", &attributes, "cancel", condition);
            }
        }
    }

    /// The client is in: others, itself, what was said before, the subject (XEP-0045 §7.2.2 to §7.2.15).
    fn show_all(&mut self, cx: &mut Cx<'_>) {
        self.state = State::Joined;
        self.ping_at = cx.wire.now + PING;
        let own = cx.account.jid().to_owned();
        let mut shown: Vec<&str> = Vec::new();
        for (full, occupant) in self.occupants.iter() {
            if full != own && *occupant.nick != *self.nick && !shown.contains(&&*occupant.nick) {
                shown.push(&occupant.nick);
                self.show(
                    full,
                    &occupant.nick,
                    &occupant.presence,
                    Shown::default(),
                    cx,
                );
            }
        }
        let statuses: &[&str] = match self.is_locked {
            true => &["100", "110", "201"],
            false => &["100", "110"],
        };
        self.show_self(statuses, cx);
        self.talk.show_history(&self.bare, &self.occupants, cx);
    }

    fn show_self(&self, statuses: &[&str], cx: &mut Cx<'_>) {
        let own = cx.account.jid().to_owned();
        let shown = Shown {
            statuses,
            ..Shown::default()
        };
        self.show(&own, &self.nick, &self.presence, shown, cx);
    }

    /// Shows the client an occupant.
    fn show(&self, full: &str, nick: &str, presence: &Bytes, shown: Shown<'_>, cx: &mut Cx<'_>) {
        let namespaces = Namespaces::of(&Tag::new("<stream>"));
        let Some(presence) = Element::of_frame(presence, &namespaces) else {
            return;
        };
        let own = cx.account.jid();
        let (affiliation, role) = match full == own && self.is_owner {
            true => ("owner", "moderator"),
            false => ("none", "participant"),
        };
        let role = if shown.is_gone { "none" } else { role };
        let mut x = format!(
            "<x xmlns='{}'><item affiliation='{affiliation}' role='{role}' jid='{}'",
            ns::MUC_USER,
            escape(full)
        );
        if let Some(nick) = shown.new_nick {
            x += &format!(" nick='{}'", escape(nick));
        }
        x += "/>";
        for status in shown.statuses {
            x += &format!("<status code='{status}'/>");
        }
        x += shown.more;
        x += "</x>";
        let from = format!("{}/{nick}", self.bare);
        let changes = [
            ("from", Some(&*from)),
            ("to", Some(own)),
            ("type", shown.is_gone.then_some("unavailable")),
        ];
        let may_stay = |child: &Element<'_>| !is_of_room(child);
        cx.wire.stanza(Leg::Client, |out| {
            rewrite(out, &presence, &changes, may_stay, &x);
        });
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

    /// An event on one of the two nodes; `false`: the client is out of the room by it.
    pub(super) fn handle_event(
        &mut self,
        event: &Event<'_>,
        is_occupants: bool,
        cx: &mut Cx<'_>,
    ) -> bool {
        let part = match is_occupants {
            true => Part::Occupants,
            false => Part::Talk,
        };
        let is_own = event.element.attribute("jid").as_deref() == Some(cx.account.jid());
        let state = event.element.attribute("subscription");
        match event.what {
            What::Items => self.note_items(event.element, part, true, cx),
            What::Subscription if is_own && state.as_deref() == Some("none") => {
                self.show_out(&["110", "307"], "", cx)
            }
            What::Node if event.element.local() == "delete" => {
                self.show_out(&["110"], "<destroy/>", cx)
            }
            What::Subscription | What::Node => {
                cx.wire.drop_event(Dropped::Retracted);
                true
            }
        }
    }

    /// Items in an answer, or in an event (`is_live`); `false`: the client is out of the room by it.
    fn note_items(
        &mut self,
        items: &Element<'_>,
        part: Part,
        is_live: bool,
        cx: &mut Cx<'_>,
    ) -> bool {
        let most = if is_live { MOST_ITEMS } else { usize::MAX };
        for item in items.children().take(most) {
            let id = item.attribute("id").unwrap_or_default();
            let noted = match (part, item.local()) {
                (Part::Talk, "item") => {
                    self.note_talk(&item, is_live, cx);
                    Ok(true)
                }
                (Part::Occupants, "item") if id.starts_with("subject/") => {
                    self.talk.note_subject(&item, cx.wire.unix_time());
                    Ok(true)
                }
                (Part::Occupants, "item") => self.note_occupant(&item, cx),
                (Part::Occupants, "retract") => {
                    self.note_retracted(&id, cx);
                    Ok(true)
                }
                _ => Err(Dropped::Retracted),
            };
            match noted {
                Ok(true) => {}
                Ok(false) => return false,
                Err(reason) => cx.wire.drop_event(reason),
            }
        }
        true
    }

    fn note_talk(&mut self, item: &Element<'_>, is_live: bool, cx: &mut Cx<'_>) {
        let is_joined = self.state == State::Joined;
        let talk = &mut self.talk;
        let author = talk.note(item, is_live, is_joined, &self.bare, &self.occupants, cx);
        let Some(author) = author else {
            return;
        };
        self.occupants.hear(&author, cx.wire.now);
        if !is_live || !is_joined {
            return;
        }
        let now = cx.wire.now;
        self.spoken_at = now;
        if self.pings == 0 {
            let soon = now + TRY_AGAIN;
            let at = self.checked_at.map_or(soon, |at| soon.max(at + MOMENT));
            self.pings = MOST_AT_ONCE;
            (self.ping_at, self.checked_at) = (at, Some(at));
        }
    }

    fn note_occupant(&mut self, item: &Element<'_>, cx: &mut Cx<'_>) -> Result<bool, Dropped> {
        let said = Said::read(item, &self.bare)?;
        let is_own = *said.full == *cx.account.jid();
        let is_rival = !is_own && !said.is_gone && *said.nick == *self.nick;
        let is_other = jid::bare(&said.full) != cx.account.bare();
        if is_rival && is_other && matches!(self.state, State::TakingNick(_)) {
            // His claim stands before ours, in the order everybody sees.
            return Ok(self.end("conflict", cx));
        }
        if is_own && said.is_gone {
            // Not by this client: it would not be in the room any more.
            return Ok(true);
        }
        let (full, presence) = (said.full.clone(), said.presence.clone());
        let change = self.occupants.note(said, is_own, cx.wire.now)?;
        if is_own && matches!(self.state, State::TakingNick(_)) {
            self.show_all(cx);
            return Ok(true);
        }
        if self.state == State::Joined
            && let Some(change) = change
        {
            self.show_change(&full, &presence, &change, cx);
        }
        Ok(true)
    }

    fn show_change(&mut self, full: &str, presence: &Bytes, change: &Change, cx: &mut Cx<'_>) {
        let is_own = full == cx.account.jid();
        let own: &[&str] = if is_own { &["110"] } else { &[] };
        if let Change::Gone(nick) = change {
            let shown = Shown::gone(own);
            return self.show(full, nick, presence, shown, cx);
        }
        let nick = self.occupants.get(full).map(|it| it.nick.clone());
        let Some(nick) = nick else { return };
        if let Change::Renamed(before) = change {
            let renamed: &[&str] = if is_own { &["303", "110"] } else { &["303"] };
            let shown = Shown {
                new_nick: Some(&nick),
                ..Shown::gone(renamed)
            };
            self.show(full, before, presence, shown, cx);
        }
        if is_own {
            self.nick.clone_from(&nick);
        }
        let shown = Shown {
            statuses: own,
            ..Shown::default()
        };
        self.show(full, &nick, presence, shown, cx);
    }

    /// An item was taken away: an owner tidies, or kicks.
    fn note_retracted(&mut self, item: &str, cx: &mut Cx<'_>) {
        if *item == *self.item {
            // If that was a kick, the service refuses.
            self.restore_at.get_or_insert(cx.wire.now + RESTORE);
        } else if let Some(full) = self.occupants.of_item(item) {
            self.show_gone(&full, None, cx);
        }
    }

    fn show_gone(&mut self, full: &str, presence: Option<&Bytes>, cx: &mut Cx<'_>) {
        let last = self.occupants.get(full).map(|it| it.presence.clone());
        if let Some(nick) = self.occupants.remove(full)
            && self.state == State::Joined
            && let Some(presence) = presence.cloned().or(last)
        {
            self.show(full, &nick, &bare_presence(&presence), Shown::gone(&[]), cx);
        }
    }

    /// Asks whoever was not heard of for longest whether he is there: his shim may have died without a word.
    fn ping(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        let before = match self.pings {
            0 => now.saturating_sub(QUIET),
            _ => self.spoken_at,
        };
        self.pings = self.pings.saturating_sub(1);
        self.ping_at = now + if self.pings == 0 { PING } else { TRY_AGAIN };
        let quiet = self.occupants.quietest(cx.account.bare(), before);
        let Some(full) = quiet.map(Box::<str>::from) else {
            return;
        };
        let ask = Ask::Step(self.bare.clone(), Step::Alive(full.clone()));
        let room = &self.bare;
        cx.wire.request("get", Some(&full), ask, |out| {
            let ping = format!(
                "<ping xmlns='{}'><shim xmlns='{}' room='{}'/></ping>",
                ns::PING,
                ns::SHIM,
                escape(room)
            );
            out.put_slice(ping.as_bytes());
        });
        // He is asked once, whatever comes of it.
        self.occupants.hear(&full, now);
    }

    /// The service has put the client out of the room.
    fn show_out(&self, statuses: &[&str], more: &str, cx: &mut Cx<'_>) -> bool {
        if self.state == State::Joined {
            let shown = Shown {
                more,
                ..Shown::gone(statuses)
            };
            let own = cx.account.jid().to_owned();
            self.show(&own, &self.nick, &bare_presence(&self.presence), shown, cx);
        } else {
            self.refuse("forbidden", cx.account, cx.wire);
        }
        false
    }

    /// Nothing comes of the join: what it has begun is undone, and the client is told.
    fn end(&self, condition: &str, cx: &mut Cx<'_>) -> bool {
        self.go(None, cx);
        self.refuse(condition, cx.account, cx.wire);
        false
    }

    /// Tells the client that nothing came of its join, unless it is in (XEP-0045 §7.2).
    pub(super) fn refuse(&self, condition: &str, account: &Account, wire: &mut Wire) {
        if self.state != State::Joined {
            self.show_refusal(&self.nick, condition, account, wire);
        }
    }

    fn show_refusal(&self, nick: &str, condition: &str, account: &Account, wire: &mut Wire) {
        let kind = match condition {
            "registration-required" | "forbidden" => "auth",
            "remote-server-timeout" | "resource-constraint" => "wait",
            _ => "cancel",
        };
        let from = format!("{}/{nick}", self.bare);
        let (from, to) = (Some(&*from), Some(account.jid()));
        let attributes = [("from", from), ("to", to), ("id", self.id.as_deref())];
        wire.show_error("presence", &attributes, kind, condition);
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

/// How an occupant is shown.
#[derive(Clone, Copy, Default)]
struct Shown<'a> {
    is_gone: bool,
    statuses: &'a [&'a str],
    new_nick: Option<&'a str>,
    /// What else the room says.
    more: &'a str,
}

impl<'a> Shown<'a> {
    fn gone(statuses: &'a [&'a str]) -> Self {
        Self {
            is_gone: true,
            statuses,
            ..Self::default()
        }
    }
}

fn is_missing(refused: Refused<'_>) -> bool {
    refused == Refused::With("item-not-found")
}

/// The access model by a node's description (XEP-0060 §5.4).
fn access_of(iq: &Element<'_>) -> Option<String> {
    let query = iq.child(ns::DISCO_INFO, "query")?;
    let x = query.child(ns::DATA, "x")?;
    form::value(&x, "pubsub#access_model").map(std::borrow::Cow::into_owned)
}

/// The client's presence as it is published: who he is the item says, and what only a room may say is taken out.
fn own_payload(presence: &Element<'_>, bare: &str, nick: &str, own: &str) -> Bytes {
    let from = format!("{bare}/{nick}");
    let changes = [("from", Some(&*from)), ("to", None)];
    let mut out = BytesMut::new();
    let may_stay = |child: &Element<'_>| !is_of_room(child);
    rewrite_standalone(&mut out, presence, &changes, may_stay, &item_of(own));
    out.freeze()
}

fn gone_payload(bare: &str, nick: &str, own: &str) -> Bytes {
    let from = format!("{bare}/{nick}");
    let payload = format!(
        "<presence xmlns='{}' from='{}' type='unavailable'>{}</presence>",
        ns::CLIENT,
        escape(&from),
        item_of(own)
    );
    payload.into()
}

fn item_of(own: &str) -> String {
    format!(
        "<x xmlns='{}'><item jid='{}'/></x>",
        ns::MUC_USER,
        escape(own)
    )
}

/// A presence without anything in it.
fn bare_presence(presence: &Bytes) -> Bytes {
    let namespaces = Namespaces::of(&Tag::new("<stream>"));
    let mut out = BytesMut::new();
    if let Some(presence) = Element::of_frame(presence, &namespaces) {
        rewrite(&mut out, &presence, &[("id", None)], |_| false, "");
    }
    out.freeze()
}
