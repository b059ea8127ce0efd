//! Stanzas of the server: events and questions go to the function that owns the node.

use super::{Translator, mentions};
use crate::jid;
use crate::ns;
use crate::pubsub::{CHATS, Event, PRESENCE, Question, ROSTER, What, returned_answer};
use crate::translate::marker::{is_marked, pass_unmarked};
use crate::translate::{Kind, Verdict, Wire};
use crate::xml::{Element, Tag};

impl Translator {
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
            self.chats.handle_native(presence, cx);
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
        let from = head.attribute("from");
        let event = message.opaque_child(ns::PUBSUB_EVENT, "event");
        let has_event = event.is_some();
        let mut is_of_account = false;
        // The event may be megabytes long: it is walked through once.
        let is_of_room_or_chat = |what: Tag<'_>| {
            let Some(node) = what.attribute("node") else {
                return false;
            };
            is_of_account |= [PRESENCE, ROSTER, CHATS].contains(&&*node);
            from.as_ref().is_some_and(|from| {
                self.rooms.owns_node(from, &node) || self.chats.owns_node(from, &node)
            })
        };
        if event.is_some_and(|mut event| event.any(is_of_room_or_chat)) {
            return true;
        }
        if self.rooms.is_private(head, message) {
            return true;
        }
        if self.is_off {
            return false;
        }
        if has_event {
            return is_of_account && from.is_none_or(|from| jid::is_account(&from));
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
                self.presence.handle_answer(iq, cx);
                self.hand_over_blocks(wire);
                let cx = &mut self.account.with(wire);
                self.contacts.note_answer(iq, cx);
                Verdict::Pass
            }
            Some("set") if mentions(iq, &[ns::PRIVACY]) => {
                self.presence.handle_push(iq, cx);
                Verdict::Pass
            }
            Some("set") if mentions(iq, &[ns::BLOCKING]) => self.contacts.block_list_push(iq, cx),
            Some("set") if mentions(iq, &[ns::ROSTER]) => self.contacts.roster_push(iq, cx),
            _ => Verdict::Pass,
        }
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

/// Whether a message too large to be read may hold an authorization form.
fn names_form(message: &Element<'_>) -> bool {
    let bytes = message.raw().as_bytes();
    // Its name may be written with references.
    let mut words = [ns::SUBSCRIBE_AUTHORIZATION, "&#"].into_iter();
    words.any(|word| memchr::memmem::find(bytes, word.as_bytes()).is_some())
}
