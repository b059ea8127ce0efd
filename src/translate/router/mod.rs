//! The router gives each stanza, event, question and answer to its function, and runs what follows: nothing else knows
//! all functions. `client.rs` has the client's stanzas, `server.rs` the server's; answers, and a session's life, are
//! here.

mod client;
mod server;

use std::time::Duration;

use super::account::Account;
use super::chats::Chats;
use super::contacts::Contacts;
use super::forget::Task;
use super::presence::Presence;
use super::rooms::Rooms;
use super::{Ask, Verdict, Wire};
use crate::policy::{Chat, Forget, Function, Policy};
use crate::wire::{Leg, NO_ANSWER, Refused, Reply, error_condition};
use crate::xml::Element;

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

    /// Handles the answer to an IQ of ours.
    pub(crate) fn handle_answer(&mut self, ask: Ask, iq: &Element<'_>, wire: &mut Wire) {
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

    /// Routes stanzas that had to wait and turned out to be for no room, as if the client sent them now.
    fn release(&mut self, all: bool, wire: &mut Wire) {
        self.hand_over_direct(wire);
        while let Some(held) = self.rooms.released(all, wire) {
            let verdict = held.read(|stanza| self.client_stanza(held.kind, stanza, wire));
            if verdict != Some(Verdict::Taken) {
                held.pass(Leg::Server, wire);
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
            held.read(|stanza| wire.refuse(stanza, NO_ANSWER));
        }
    }

    /// Forgets publishes, as the server has ended the session: nothing can or need be withdrawn.
    pub(crate) fn broken(&mut self) {
        self.presence.forget_published();
    }
}

/// Whether an element of one of these namespaces may be in a stanza.
fn mentions(stanza: &Element<'_>, namespaces: &[&str]) -> bool {
    namespaces.iter().any(|it| stanza.mentions(it))
}
