//! Stanzas of the client: rooms are asked first, by the domain of the addressee.

use super::{Translator, mentions};
use crate::jid;
use crate::ns;
use crate::translate::{Kind, Verdict, Wire, relation, rules};
use crate::xml::Element;

impl Translator {
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

    /// Handles a stanza from the client that is for no room.
    pub(super) fn client_stanza(
        &mut self,
        kind: Kind,
        stanza: &Element<'_>,
        wire: &mut Wire,
    ) -> Verdict {
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
                cx.wire.refuse(presence, "bad-request");
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
                cx.wire.refuse(presence, "feature-not-implemented");
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
            self.presence.handle_request(iq, cx);
        }
        if is_own && mentions(iq, &[ns::BLOCKING]) {
            self.contacts.handle_blocking(iq, cx);
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
            cx.wire.refuse(message, "feature-not-implemented");
        }
        Verdict::Taken
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
}
