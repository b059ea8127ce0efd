//! The router gives each stanza, event, question and answer to its function, and runs what follows: the only file that
//! knows all functions.

use std::time::Duration;

use super::account::Account;
use super::chats::Chats;
use super::contacts::Contacts;
use super::forget::Task;
use super::marker::{is_marked, pass_unmarked};
use super::presence::Presence;
use super::relation;
use super::rooms::Rooms;
use super::{Ask, Kind, Verdict, Wire, rules};
use crate::jid;
use crate::ns;
use crate::policy::{Chat, Forget, Function, Policy};
use crate::pubsub::{CHATS, Event, PRESENCE, Question, ROSTER, What, returned_answer};
use crate::wire::{Leg, Refused, Reply, error_condition};
use crate::xml::{Element, Tag};

/// All translation of one session.
pub(crate) struct Translator {
    /// The user has left presence to classic XMPP.
    is_off: bool,
    /// Stanzas that no function takes are refused, as nothing but pubsub may leave.
    refuses_rest: bool,
    account: Account,
    presence: Presence,
    contacts: Contacts,
    rooms: Rooms,
    chats: Chats,
    /// The task of a session that only removes what pubshim has left.
    forget: Option<Task>,
}

impl Translator {
    /// A translator under `policy`, which leaves the functions in `native` to classic XMPP.
    ///
    /// `chat`: when one-to-one messages go by pubsub; `rooms`: services whose nodes are rooms; `rooms_open`: new rooms
    /// are open at once. `forget`: whether nodes that pubshim has left are listed or removed.
    pub(crate) fn new(
        policy: Policy,
        native: &[Function],
        chat: Chat,
        rooms: &[String],
        rooms_open: bool,
        forget: Option<Forget>,
    ) -> Self {
        Self {
            is_off: !policy.translates(Function::Presence, native),
            refuses_rest: policy == Policy::Pure,
            account: Account::new(policy),
            presence: Presence::new(policy),
            contacts: Contacts::new(policy),
            rooms: Rooms::new(policy, native, rooms, rooms_open),
            chats: Chats::new(policy, native, chat),
            forget: forget.map(Task::new),
        }
    }

    /// Notes the full JID to which the server has bound the client.
    pub(crate) fn bound(&mut self, jid: String) {
        self.account.bind(jid);
    }

    /// The client's full JID; empty until it is bound.
    pub(crate) fn jid(&self) -> &str {
        self.account.jid()
    }

    /// Handles a stanza from the client.
    pub(crate) fn handle_client(
        &mut self,
        kind: Kind,
        stanza: &Element<'_>,
        wire: &mut Wire,
    ) -> Verdict {
        let cx = &mut self.account.with(wire);
        let verdict = self.rooms.handle_client(kind, stanza, cx);
        self.release(false, wire);
        match verdict {
            Verdict::Taken => Verdict::Taken,
            Verdict::Pass => self.client_stanza(kind, stanza, wire),
        }
    }

    /// Routes stanzas that had to wait and turned out to be for no room, as if the client sent them now.
    fn release(&mut self, all: bool, wire: &mut Wire) {
        self.hand_over_direct(wire);
        while let Some(held) = self.rooms.released(all, wire) {
            let verdict = held.read(|stanza| self.client_stanza(held.kind, stanza, wire));
            if verdict != Some(Verdict::Taken) {
                wire.stanza(Leg::Server, |out| out.extend_from_slice(&held.raw));
            }
        }
    }

    /// Hands private messages between occupants to the chats: they go by the node of the two accounts (`pure`).
    fn hand_over_direct(&mut self, wire: &mut Wire) {
        while let Some(direct) = self.rooms.take_direct() {
            let cx = &mut self.account.with(wire);
            let (full, occupant) = (&direct.full, &direct.occupant);
            self.chats
                .tell_directly(full, occupant, &direct.id, direct.payload, cx);
        }
    }

    /// Handles a stanza from the client that is for no room.
    fn client_stanza(&mut self, kind: Kind, stanza: &Element<'_>, wire: &mut Wire) -> Verdict {
        if self.is_off {
            return Verdict::Pass;
        }
        let verdict = match kind {
            Kind::Presence => self.client_presence(stanza, wire),
            Kind::Iq => self.client_iq(stanza, wire),
            Kind::Message => return self.client_message(stanza, wire),
        };
        self.follow_up(wire);
        verdict
    }

    fn client_presence(&mut self, presence: &Element<'_>, wire: &mut Wire) -> Verdict {
        let cx = &mut self.account.with(wire);
        self.contacts.need(cx);
        let kind = presence.attribute("type");
        let Some(to) = presence.attribute("to") else {
            let was_available = cx.account.status.is_available;
            if kind.is_none() {
                self.chats.handle_available(presence, was_available, cx);
            }
            let verdict = self.presence.handle_client(presence, cx);
            self.contacts.handle_availability(was_available, cx);
            if was_available && !cx.account.status.is_available {
                self.chats.handle_unavailable(cx.wire);
            }
            if verdict == Verdict::Taken || !self.refuses_rest {
                return verdict;
            }
            // A presence without `to` that is neither a state nor an error needs an addressee (RFC 6121 §4.7.1).
            if !matches!(kind.as_deref(), None | Some("invisible" | "error")) {
                cx.wire.refuse(presence, "modify", "bad-request");
            }
            return Verdict::Taken;
        };
        if let Some(kind) = kind.as_deref().and_then(relation::Kind::of) {
            self.contacts.client_subscription(kind, presence, cx);
            return Verdict::Taken;
        }
        if !self.refuses_rest {
            self.contacts.note_directed(&to, kind.as_deref(), cx);
            return Verdict::Pass;
        }
        match kind.as_deref() {
            Some("probe") => self.presence.handle_probe(&to),
            // The addressee was never told that the client is available.
            Some("unavailable" | "error") => {}
            _ => {
                cx.wire.apply(&rules::NOT_IN_PUBSUB);
                cx.wire
                    .refuse(presence, "cancel", "feature-not-implemented");
            }
        }
        Verdict::Taken
    }

    fn client_iq(&mut self, iq: &Element<'_>, wire: &mut Wire) -> Verdict {
        let cx = &mut self.account.with(wire);
        let is_answer = matches!(iq.attribute("type").as_deref(), Some("result" | "error"));
        let id = iq.attribute("id");
        // A client that has pinged its own nick in a room is asked by itself, under an id of ours.
        let is_to_itself = || iq.attribute("to").as_deref() == Some(cx.account.jid());
        if is_answer && id.is_some_and(|id| cx.wire.is_ours(&id)) && !is_to_itself() {
            // The client answers a push of ours.
            cx.wire.apply(&rules::REPLY);
            return Verdict::Taken;
        }
        // A request to another account changes nothing of this one.
        let to = iq.attribute("to");
        let is_own = to.is_none_or(|to| jid::prepared(&to) == cx.account.bare());
        if mentions(iq, &[ns::ROSTER, ns::PUBSUB, ns::PUBSUB_OWNER])
            && self.contacts.client_iq(iq, is_own, cx) == Verdict::Taken
        {
            return Verdict::Taken;
        }
        if is_own && mentions(iq, &[ns::CARBONS]) && self.chats.client_iq(iq, cx) == Verdict::Taken
        {
            return Verdict::Taken;
        }
        if is_own && mentions(iq, &[ns::PRIVACY, ns::INVISIBLE, ns::INVISIBLE_0]) {
            self.presence.note_request(iq, cx);
        }
        if is_own && mentions(iq, &[ns::BLOCKING]) {
            self.contacts.note_blocking(iq, cx);
        }
        Verdict::Pass
    }

    fn client_message(&mut self, message: &Element<'_>, wire: &mut Wire) -> Verdict {
        let cx = &mut self.account.with(wire);
        let verdict = self.chats.client_message(message, cx);
        if verdict == Verdict::Taken || !self.refuses_rest {
            return verdict;
        }
        cx.wire.apply(&rules::NOT_IN_PUBSUB);
        if message.attribute("type").as_deref() != Some("error") {
            cx.wire.refuse(message, "cancel", "feature-not-implemented");
        }
        Verdict::Taken
    }

    /// Handles a stanza from the server that answers no IQ of ours.
    pub(crate) fn handle_server(
        &mut self,
        kind: Kind,
        stanza: &Element<'_>,
        wire: &mut Wire,
    ) -> Verdict {
        let cx = &mut self.account.with(wire);
        let verdict = match kind {
            Kind::Iq => self.rooms.server_iq(stanza, cx),
            Kind::Message => self.rooms.server_message(stanza, cx),
            Kind::Presence => Verdict::Pass,
        };
        if verdict == Verdict::Taken {
            return Verdict::Taken;
        }
        let verdict = match kind {
            Kind::Message if self.is_off => {
                return match self.room_event(stanza, wire) {
                    Verdict::Pass => self.native_message(stanza, wire),
                    taken => taken,
                };
            }
            // No client sees a marker.
            Kind::Presence if self.is_off => return pass_unmarked(stanza, wire),
            _ if self.is_off => return Verdict::Pass,
            Kind::Presence => self.server_presence(stanza, wire),
            Kind::Iq => self.server_iq(stanza, wire),
            // Most messages hold neither an event nor a form.
            Kind::Message if !mentions(stanza, &[ns::PUBSUB_EVENT, ns::DATA]) => {
                return self.chats.native_message(stanza, cx);
            }
            Kind::Message => self.server_message(stanza, wire),
        };
        self.follow_up(wire);
        verdict
    }

    fn server_presence(&mut self, presence: &Element<'_>, wire: &mut Wire) -> Verdict {
        let cx = &mut self.account.with(wire);
        if self.contacts.server_presence(presence, cx) == Verdict::Taken {
            return Verdict::Taken;
        }
        if matches!(
            presence.attribute("type").as_deref(),
            None | Some("unavailable" | "error")
        ) {
            self.chats.note_native(presence, cx);
        }
        let is_marked = is_marked(presence);
        let state = state_of(presence);
        if let Some(full) = &state {
            let is_there = presence.attribute("type").is_none();
            self.contacts.note_native(full, is_there, is_marked, cx);
        }
        let state = state.as_deref();
        match self.presence.handle_native(presence, state, is_marked, cx) {
            Verdict::Taken => Verdict::Taken,
            Verdict::Pass => pass_unmarked(presence, wire),
        }
    }

    /// Handles a room's event while presence is left to classic XMPP.
    fn room_event(&mut self, message: &Element<'_>, wire: &mut Wire) -> Verdict {
        if !message.mentions(ns::PUBSUB_EVENT) {
            return Verdict::Pass;
        }
        let own = self.account.own_bare();
        let event = |event: &Event<'_>| match self.rooms.owns(event.service) {
            true => self.event(event, wire),
            false => Verdict::Pass,
        };
        Event::with(message, &own, event).unwrap_or(Verdict::Pass)
    }

    /// Handles a message that may hold an event, or a question about the own node.
    fn server_message(&mut self, message: &Element<'_>, wire: &mut Wire) -> Verdict {
        let is_any =
            |child: Element<'_>| matches!(&*child.namespace(), ns::PUBSUB_EVENT | ns::DATA);
        if !message.children().any(is_any) {
            // The message only mentions the words in its text.
            return self.native_message(message, wire);
        }
        let cx = &mut self.account.with(wire);
        // Events of rooms do not need the roster.
        let from = message.attribute("from").unwrap_or_default();
        if !self.rooms.owns(&from) {
            self.contacts.need(cx);
        }
        let own = cx.account.own_bare();
        if message.mentions(ns::DATA)
            && let Some(question) = Question::read(message, &own)
            && self.contacts.owns(&question, cx)
        {
            self.contacts.question(question, cx);
            return Verdict::Taken;
        }
        if message.attribute("from").as_deref() == Some(jid::domain(&own))
            && let Some((jid, is_allowed)) = returned_answer(message, PRESENCE)
        {
            self.contacts.answer_returned(&jid, is_allowed, cx);
            return Verdict::Taken;
        }
        match Event::with(message, &own, |event| self.event(event, wire)) {
            Some(verdict) => verdict,
            None => self.native_message(message, wire),
        }
    }

    fn native_message(&mut self, message: &Element<'_>, wire: &mut Wire) -> Verdict {
        let cx = &mut self.account.with(wire);
        self.chats.native_message(message, cx)
    }

    /// Gives an event to the function that owns the node; events of other nodes pass.
    fn event(&mut self, event: &Event<'_>, wire: &mut Wire) -> Verdict {
        let cx = &mut self.account.with(wire);
        match event.node {
            _ if self.rooms.owns(event.service) => return self.rooms.event(event, cx),
            ROSTER => self.contacts.record_event(event, cx),
            CHATS if event.service == cx.account.bare() => self.chats.record_event(event, cx),
            PRESENCE if !jid::is_account(event.service) => return Verdict::Pass,
            PRESENCE if event.what == What::Subscription => {
                return self.contacts.subscription_event(event, cx);
            }
            PRESENCE => self.presence.event(event, cx),
            _ if self.chats.owns(event) => return self.chats.event(event, cx),
            _ => return Verdict::Pass,
        }
        Verdict::Taken
    }

    /// Whether a message too large to be read holds an event on a node of ours, or an authorization form; `head` is
    /// its start tag.
    pub(crate) fn is_ours(&self, head: &Element<'_>, message: &Element<'_>) -> bool {
        let event = || message.opaque_child(ns::PUBSUB_EVENT, "event");
        let mut first = event();
        if let (Some(event), Some(from)) = (&mut first, head.attribute("from"))
            && event.any(|what| {
                let node = what.attribute("node");
                node.is_some_and(|node| {
                    self.rooms.owns_node(&from, &node) || self.chats.owns_node(&from, &node)
                })
            })
        {
            return true;
        }
        if self.rooms.is_private(head, message) {
            return true;
        }
        if self.is_off {
            return false;
        }
        if first.is_some() {
            let is_account = head
                .attribute("from")
                .is_none_or(|from| jid::is_account(&from));
            let is_ours = |what: Tag<'_>| {
                let node = what.attribute("node");
                node.is_some_and(|node| [PRESENCE, ROSTER, CHATS].contains(&&*node))
            };
            return is_account && event().is_some_and(|mut event| event.any(is_ours));
        }
        self.account.has_sent(head)
            && names_form(message)
            && message.opaque_child(ns::DATA, "x").is_some()
    }

    fn server_iq(&mut self, iq: &Element<'_>, wire: &mut Wire) -> Verdict {
        let verdict = self.contacts_iq(iq, wire);
        let cx = &mut self.account.with(wire);
        self.chats.close_some(cx);
        verdict
    }

    fn contacts_iq(&mut self, iq: &Element<'_>, wire: &mut Wire) -> Verdict {
        let cx = &mut self.account.with(wire);
        if self.presence.answer_ping(iq, cx) == Verdict::Taken {
            return Verdict::Taken;
        }
        self.contacts.note_error(iq, cx);
        // Another account's stanza with the same id is neither an answer nor a push.
        if !cx.account.has_sent(iq) {
            return Verdict::Pass;
        }
        match iq.attribute("type").as_deref() {
            Some("result" | "error") => {
                self.presence.note_answer(iq, cx);
                self.hand_over_blocks(wire);
                let cx = &mut self.account.with(wire);
                self.contacts.note_answer(iq, cx);
                Verdict::Pass
            }
            Some("set") if mentions(iq, &[ns::PRIVACY]) => {
                self.presence.note_push(iq, cx);
                Verdict::Pass
            }
            Some("set") if mentions(iq, &[ns::BLOCKING]) => self.contacts.block_list_push(iq, cx),
            Some("set") if mentions(iq, &[ns::ROSTER]) => self.contacts.roster_push(iq, cx),
            _ => Verdict::Pass,
        }
    }

    /// Handles the answer to an IQ of ours.
    pub(crate) fn answer(&mut self, ask: Ask, iq: &Element<'_>, wire: &mut Wire) {
        match iq.attribute("type").as_deref() {
            Some("error") if !ask.reads_errors() => {
                let condition = error_condition(iq);
                self.reply(ask, Err(Refused::With(&condition)), wire);
            }
            _ => self.reply(ask, Ok(iq), wire),
        }
    }

    /// Handles an IQ of ours that was not answered in time.
    pub(crate) fn timed_out(&mut self, ask: Ask, wire: &mut Wire) {
        self.reply(ask, Err(Refused::NoAnswer), wire);
    }

    fn reply(&mut self, ask: Ask, reply: Reply<'_>, wire: &mut Wire) {
        let cx = &mut self.account.with(wire);
        let was_ready = cx.account.node.is_ready();
        let changes_contacts = matches!(ask, Ask::Contacts(_) | Ask::Presence(_));
        match ask {
            Ask::Node(step) => {
                let own = cx.account.bare().to_owned();
                cx.account.node.handle_reply(step, reply, &own, cx.wire);
                self.presence.handle_node(reply, cx);
                self.contacts.handle_node(step, reply, cx);
            }
            Ask::Presence(ask) => {
                let refused = self.presence.reply(ask, reply, cx);
                if let (Some(account), Err(reason)) = (refused, reply) {
                    self.contacts.handle_refused_fetch(&account, reason, cx);
                }
                if was_ready && !cx.account.node.is_ready() {
                    self.contacts.close_gate(cx);
                }
            }
            Ask::Contacts(ask) => self.contacts.reply(ask, reply, cx),
            Ask::Chats(ask) => self.chats.reply(ask, reply, cx),
            Ask::Rooms(ask) => {
                self.rooms.reply(ask, reply, cx);
                self.release(false, wire);
            }
            Ask::Forget(ask) => {
                if let Some(task) = &mut self.forget {
                    task.reply(ask, reply, cx);
                }
            }
        }
        if changes_contacts {
            let cx = &mut self.account.with(wire);
            self.chats.close_some(cx);
        }
        self.follow_up(wire);
    }

    /// Whether the client's first presence is still to come, and has to wait.
    pub(crate) fn awaits_first(&self) -> bool {
        self.chats.awaits_first()
    }

    /// Whether this stanza of the client's has to wait: its first presence for everybody does. The session hands it
    /// over again once nothing [holds the client](Self::holds_client).
    pub(crate) fn must_wait(&mut self, stanza: &Element<'_>, wire: &mut Wire) -> bool {
        let is_first = stanza.is(ns::CLIENT, "presence")
            && ["to", "type"]
                .iter()
                .all(|name| stanza.attribute(name).is_none());
        if is_first {
            let cx = &mut self.account.with(wire);
            self.contacts.need(cx);
            self.chats.hold_first(cx);
        }
        is_first
    }

    /// Ends the client's wait if it has lasted long enough, or in any case (`all`).
    pub(crate) fn release_client(&mut self, all: bool, wire: &Wire) {
        self.chats.release_first(all, wire);
    }

    /// Whether the client's next stanzas have to wait.
    pub(crate) fn holds_client(&self) -> bool {
        self.chats.holds_client()
    }

    /// Runs at once what follows from the last stanza or answer.
    fn follow_up(&mut self, wire: &mut Wire) {
        self.hand_over_blocks(wire);
        let cx = &mut self.account.with(wire);
        while let Some(marked) = self.chats.take_marked() {
            let (author, message) = (&marked.author, &marked.message);
            message.read(|it| self.rooms.hear_marked(author, it, cx));
        }
        self.contacts.ask_if_awaited(cx);
        self.presence.settle(cx);
    }

    /// Hands blocks by the privacy list to the contacts: ejabberd keeps its block list as one.
    fn hand_over_blocks(&mut self, wire: &mut Wire) {
        if let Some(blocked) = self.presence.changed_blocks() {
            let cx = &mut self.account.with(wire);
            self.contacts.handle_privacy_list(&blocked, cx);
        }
    }

    /// Does work that can wait, as far as it may go now; gives when to go on, if no answer comes first. Functions that
    /// write shared knowledge come first.
    pub(crate) fn settle(&mut self, wire: &mut Wire) -> Option<Duration> {
        self.settle_once(wire);
        let before = [Leg::Client, Leg::Server].map(|leg| wire.outgoing(leg).len());
        if cfg!(debug_assertions) {
            self.settle_once(wire);
        }
        let after = [Leg::Client, Leg::Server].map(|leg| wire.outgoing(leg).len());
        debug_assert_eq!(before, after, "what could be said was not said at once");
        debug_assert_eq!(
            self.account.status,
            self.presence.status(),
            "others know less"
        );
        let contacts = self.contacts.again_at(&self.account, wire);
        let presence = self.presence.again_at(&self.account, wire);
        let rooms = self.rooms.again_at(wire);
        let chats = self.chats.again_at(wire);
        let forget = self.forget.as_ref().and_then(|task| task.again_at(wire));
        let all = contacts.into_iter().chain(presence);
        all.chain(rooms).chain(chats).chain(forget).min()
    }

    /// Whether the session was there to forget the account, and has done so.
    pub(crate) fn has_forgotten(&self) -> bool {
        self.forget.as_ref().is_some_and(Task::is_done)
    }

    fn settle_once(&mut self, wire: &mut Wire) {
        self.release(false, wire);
        let cx = &mut self.account.with(wire);
        self.rooms.settle(cx);
        self.contacts.learn(cx);
        self.presence.settle(cx);
        self.contacts.work(cx);
        self.presence.settle(cx);
        self.presence.work(cx);
        self.chats.settle(cx);
        if let Some(task) = &mut self.forget {
            task.settle(cx);
        }
    }

    /// Goes offline while the server still listens: sends all stanzas that wait, then the client's unavailable if it
    /// was available. `is_heard`: the client still reads the server's answers.
    pub(crate) fn offline(&mut self, is_heard: bool, wire: &mut Wire) {
        self.release(true, wire);
        let cx = &mut self.account.with(wire);
        self.rooms.leave_all(cx);
        if self.is_off {
            return;
        }
        self.chats.end(cx);
        self.contacts.say_last(is_heard, cx);
        self.presence.settle(cx);
        self.contacts.end(cx);
        self.presence.go_offline(cx);
    }

    /// Returns to the client, as errors, the stanzas that the server was not sent.
    pub(crate) fn give_back(&mut self, wire: &mut Wire) {
        let cx = &mut self.account.with(wire);
        if let Some(task) = &mut self.forget {
            task.end(cx);
        }
        self.contacts.give_back(cx);
        self.chats.give_back(cx);
        self.rooms.give_back(&self.account, wire);
        while let Some(held) = self.rooms.released(true, wire) {
            held.read(|stanza| wire.refuse(stanza, "wait", "remote-server-timeout"));
        }
    }

    /// Forgets publishes, as the server has ended the session: nothing can or need be withdrawn.
    pub(crate) fn broken(&mut self) {
        self.presence.forget_published();
    }
}

/// The sender's full JID, if a native presence tells its state.
fn state_of<'a>(presence: &Element<'a>) -> Option<std::borrow::Cow<'a, str>> {
    let is_state = matches!(
        presence.attribute("type").as_deref(),
        None | Some("unavailable")
    );
    let from = presence.attribute("from").filter(|_| is_state)?;
    jid::resource(&from).is_some().then_some(from)
}

/// Whether an element of one of these namespaces may be in a stanza.
fn mentions(stanza: &Element<'_>, namespaces: &[&str]) -> bool {
    namespaces.iter().any(|it| stanza.mentions(it))
}

/// Whether a message too large to be read may hold an authorization form.
fn names_form(message: &Element<'_>) -> bool {
    let bytes = message.raw().as_bytes();
    // Its name may be written with references.
    let mut words = [ns::SUBSCRIBE_AUTHORIZATION, "&#"].into_iter();
    words.any(|word| memchr::memmem::find(bytes, word.as_bytes()).is_some())
}
