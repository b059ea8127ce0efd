//! What a session hands to translation, and which translator takes it.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::Wire;
use super::approvals::{Approvals, Subscribers};
use super::blocking::Blocking;
use super::contacts::{Changed, Contacts};
use super::events::Events;
use super::farewell::Told;
use super::followings::Followings;
use super::gate::Gate;
use super::handshake::Kind;
use super::leftovers::is_ping_of_shim;
use super::login::Login;
use super::natives::Natives;
use super::presence::Presence;
use super::record::Record;
use super::revoke::Revocations;
use super::roster::{Version, Waiting};
use super::rules;
use super::states::States;
use crate::jid;
use crate::ns;
use crate::policy::{Function, Policy};
use crate::pubsub::{Event, PRESENCE, Question, ROSTER, What, returned_answer};
use crate::wire::{Dropped, Leg, error_condition};
use crate::xml::{Element, escape, rewrite};

/// All translation of one session.
pub(crate) struct Translator {
    pub(super) policy: Policy,
    enabled: bool,
    pub(super) presence: Presence,
    pub(super) contacts: Contacts,
    pub(super) events: Events,
    pub(super) states: States,
    pub(super) followings: Followings,
    pub(super) approvals: Approvals,
    pub(super) revocations: Revocations,
    pub(super) blocking: Blocking,
    pub(super) natives: Natives,
    pub(super) record: Record,
    pub(super) login: Login,
    pub(super) gate: Gate,
    /// Forms that came before the contacts were known.
    pub(super) held_forms: Vec<Question>,
    /// What the client said about subscriptions before the contacts were known; under `pure`.
    pub(super) held_changes: Vec<(Kind, Box<str>)>,
    /// Accounts whose requests the client is shown when it is available.
    pub(super) unshown: Vec<Box<str>>,
    /// Accounts of which the client was told that they cannot be reached.
    pub(super) told: HashSet<Box<str>>,
    /// The client's requests for its roster that wait; under `pure`.
    pub(super) waiting_rosters: Vec<Waiting>,
    /// The client has its roster from us and is pushed what changes; under `pure`.
    pub(super) client_has_roster: bool,
    /// The version of it; under `pure`.
    pub(super) roster_version: Version,
    /// Who is subscribed to our node, until the record is read, too; under `pure`.
    pub(super) listed: Option<Subscribers>,
}

impl Translator {
    /// A translator under `policy`, which leaves the functions in `native` to classic XMPP.
    pub(crate) fn new(policy: Policy, native: &[Function]) -> Self {
        Self {
            policy,
            enabled: policy.translates(Function::Presence, native),
            presence: Presence::new(policy),
            contacts: Contacts::default(),
            events: Events::new(policy),
            states: States::default(),
            followings: Followings::default(),
            approvals: Approvals::default(),
            revocations: Revocations::default(),
            blocking: Blocking::default(),
            natives: Natives::default(),
            record: Record::new(),
            login: Login::Waiting,
            gate: Gate::default(),
            held_forms: Vec::new(),
            held_changes: Vec::new(),
            unshown: Vec::new(),
            told: HashSet::new(),
            waiting_rosters: Vec::new(),
            client_has_roster: false,
            roster_version: Version::default(),
            listed: None,
        }
    }

    pub(super) fn is_pure(&self) -> bool {
        self.policy == Policy::Pure
    }

    /// A presence from the client; `false` if it passes as it is.
    pub(crate) fn handle_client_presence(
        &mut self,
        presence: &Element<'_>,
        wire: &mut Wire,
    ) -> bool {
        if !self.enabled {
            return false;
        }
        self.need_contacts(wire);
        let kind = presence.attribute("type");
        if presence.attribute("to").is_none() {
            let was_available = self.presence.is_available();
            let is_taken = self.presence.handle_client_presence(presence, wire);
            self.show_requests(wire);
            self.follow_availability(was_available, wire);
            self.open_gate(wire);
            // What is no state (§4.7.1 of RFC 6121) has to name somebody.
            let is_wrong = !matches!(kind.as_deref(), None | Some("invisible" | "error"));
            if self.is_pure() && !is_taken && is_wrong {
                refuse(presence, "modify", "bad-request", wire);
            }
            return is_taken || self.is_pure();
        }
        if let Some(kind) = kind.as_deref().and_then(Kind::of) {
            self.handle_client_subscription(kind, presence, wire);
            return true;
        }
        if !self.is_pure() {
            let to = presence.attribute("to").unwrap_or_default();
            self.note_directed(&to, kind.as_deref(), wire);
            return false;
        }
        self.handle_directed_presence(presence, kind.as_deref(), wire);
        true
    }

    /// A client that goes forgets who was there, and is told when it comes back.
    fn follow_availability(&mut self, was_available: bool, wire: &mut Wire) {
        match (was_available, self.presence.is_available()) {
            (true, false) => {
                self.events.forget_all();
                self.states.forget(wire);
                self.contacts.forget_directed();
            }
            (false, true) if self.login == Login::Done => {
                self.fetch_states(wire);
                if !self.is_pure() {
                    self.follow_marked(wire);
                }
            }
            _ => {}
        }
    }

    /// A message from the client; `false` if it passes as it is.
    pub(crate) fn handle_client_message(&mut self, message: &Element<'_>, wire: &mut Wire) -> bool {
        if !self.enabled || !self.is_pure() {
            return false;
        }
        wire.apply(&rules::NOT_IN_PUBSUB);
        if message.attribute("type").as_deref() != Some("error") {
            refuse(message, "cancel", "feature-not-implemented", wire);
        }
        true
    }

    /// An IQ from the client; `false` if it passes as it is.
    pub(crate) fn handle_client_iq(&mut self, iq: &Element<'_>, wire: &mut Wire) -> bool {
        if !self.enabled {
            return false;
        }
        let is_answer = matches!(iq.attribute("type").as_deref(), Some("result" | "error"));
        if is_answer
            && iq
                .attribute("id")
                .is_some_and(|id| wire.requests.is_ours(&id))
        {
            // The answer to a push of ours.
            wire.apply(&rules::REPLY);
            return true;
        }
        // What is asked of somebody else changes nothing here.
        let is_own = iq
            .attribute("to")
            .is_none_or(|to| jid::prepared(&to) == jid::bare(&wire.jid));
        if mentions(iq, &[ns::ROSTER, PRESENCE]) {
            if let Some(query) = iq.child(ns::ROSTER, "query")
                && self.is_pure()
            {
                if is_own && !is_answer {
                    self.need_contacts(wire);
                    self.handle_roster_iq(iq, &query, wire);
                } else if !is_answer {
                    wire.apply(&rules::NOT_IN_PUBSUB);
                    refuse(iq, "cancel", "service-unavailable", wire);
                }
                return true;
            }
            if is_own {
                self.note_roster_set(iq, wire);
            }
            self.contacts.note_client_iq(iq, wire.now);
        }
        if is_own && mentions(iq, &[ns::PRIVACY, "urn:xmpp:invisible:"]) {
            self.presence.note_visibility_request(iq, wire);
        }
        if is_own && mentions(iq, &[ns::BLOCKING]) {
            let blocked = self.blocking.note_request(iq, wire);
            self.follow_blocking(&blocked, true, wire);
        }
        false
    }

    /// Whom the client takes out of its roster: nothing that waits for him may be sent any more, and nothing
    /// is published before the server has done it, or refused, and he is out of the node.
    fn note_roster_set(&mut self, iq: &Element<'_>, wire: &mut Wire) {
        let is_set = iq.attribute("type").as_deref() == Some("set");
        let Some(query) = iq.child(ns::ROSTER, "query").filter(|_| is_set) else {
            return;
        };
        let id = iq.attribute("id").unwrap_or_default();
        for item in query.children() {
            if item.attribute("subscription").as_deref() != Some("remove") {
                continue;
            }
            let jid = item.attribute("jid").unwrap_or_default();
            let account = jid::prepared(&jid);
            self.natives.forget(&account);
            let removed = self.contacts.note_removal(&id, &account, wire.now);
            self.follow_removals(removed, wire);
        }
    }

    /// Whoever was taken out of the roster sees us no longer.
    pub(super) fn follow_removals(
        &mut self,
        removed: impl IntoIterator<Item = Changed>,
        wire: &mut Wire,
    ) {
        for (account, before) in removed {
            self.follow_roster(&account, before, true, wire);
            if self.contacts.may_see(&account) {
                // He was approved by a form alone, of which the roster says nothing.
                self.end_approval(&account, Told::Never, wire);
            }
        }
        self.hold_publishes(wire);
    }

    /// A presence from the server; `true` if it was taken. The marker never reaches a client.
    pub(crate) fn handle_server_presence(
        &mut self,
        presence: &Element<'_>,
        wire: &mut Wire,
    ) -> bool {
        let is_marker = |child: &Element<'_>| child.is(ns::SHIM, "shim");
        let is_marked =
            mentions(presence, &[ns::SHIM]) && presence.children().any(|child| is_marker(&child));
        if self.enabled {
            let kind = presence.attribute("type");
            let is_taken = match kind.as_deref() {
                Some("error") => {
                    is_not_acceptable(presence) && self.natives.handle_bounce(presence, wire)
                }
                Some(kind) => Kind::of(kind)
                    .is_some_and(|kind| self.handle_server_subscription(kind, presence, wire)),
                None => false,
            };
            if is_taken {
                return true;
            }
            if let Some(full) = state_of(presence) {
                let account = jid::bare(&full);
                self.contacts.note_native(account, is_marked);
                self.states.note_heard(&full, wire);
                let is_own = account == jid::bare(&wire.jid);
                match kind {
                    None if is_own => {
                        let resource = jid::resource(&full).unwrap_or_default();
                        self.presence.note_sibling(resource, is_marked);
                    }
                    None if is_marked => self.follow_marker(account, wire),
                    _ => {}
                }
            }
            if !self.events.shows_native(presence, is_marked, wire) {
                wire.drop_event(Dropped::Seen);
                return true;
            }
        }
        if is_marked {
            wire.apply(&rules::MARKER);
            rewrite(
                wire.to(Leg::Client),
                presence,
                &[],
                |child| !is_marker(child),
                "",
            );
        }
        is_marked
    }

    /// A message from the server; `true` if it is an event or a question about the own node.
    pub(crate) fn handle_server_message(&mut self, message: &Element<'_>, wire: &mut Wire) -> bool {
        if !self.enabled || !mentions(message, &["#event", "#subscribe_authorization", "&#"]) {
            return false;
        }
        self.need_contacts(wire);
        let own = jid::bare(&wire.jid).to_owned();
        if let Some(question) = Question::read(message, &own)
            && is_about_own(&question, &own)
        {
            self.handle_question(question, wire);
            return true;
        }
        if message.attribute("from").as_deref() == Some(jid::domain(&own))
            && let Some((jid, is_allowed)) = returned_answer(message, PRESENCE)
        {
            self.handle_returned_answer(&jid, is_allowed, wire);
            return true;
        }
        Event::with(message, &own, |event| self.handle_event(event, wire)).unwrap_or(false)
    }

    /// An event; `false` if it passes, as it is of no node of ours: of a service, or of somebody's resource.
    fn handle_event(&mut self, event: &Event<'_>, wire: &mut Wire) -> bool {
        match event.node {
            ROSTER => self.handle_private_event(event, wire),
            PRESENCE if !jid::is_account(event.service) => return false,
            PRESENCE if event.what == What::Subscription => {
                if self.contacts.is_clients_own(event.service) {
                    return false;
                }
                self.handle_subscription_event(event, wire);
            }
            PRESENCE => {
                // Under `pure` nothing else keeps a client that is not available from being shown presence.
                self.events.is_closed = self.is_pure() && !self.presence.is_available();
                self.events
                    .handle_event(event, &mut self.contacts, &mut self.states, wire);
            }
            _ => return false,
        }
        true
    }

    /// Whether a message that is not read is an event on a node of ours, or the form of who may send one;
    /// `head` is its start tag.
    pub(crate) fn is_ours(&self, head: &Element<'_>, message: &Element<'_>, wire: &Wire) -> bool {
        if !self.enabled {
            return false;
        }
        if let Some(event) = message.opaque_child(ns::PUBSUB_EVENT, "event") {
            let is_account = head
                .attribute("from")
                .is_none_or(|from| jid::is_account(&from));
            return is_account
                && event.children().any(|what| {
                    let node = what.attribute("node");
                    node.is_some_and(|node| node == PRESENCE || node == ROSTER)
                });
        }
        is_from_account(head, wire)
            && mentions(message, &[ns::SUBSCRIBE_AUTHORIZATION, "&#"])
            && message.opaque_child(ns::DATA, "x").is_some()
    }

    /// An IQ from the server that answers nothing of ours; `true` if the client does not see it.
    pub(crate) fn handle_server_iq(&mut self, iq: &Element<'_>, wire: &mut Wire) -> bool {
        if !self.enabled {
            return false;
        }
        // Whoever hides would be given away; whether to answer is then the client's own choice.
        if !self.presence.is_hidden() && is_ping_of_shim(iq, wire) {
            wire.apply(&rules::PING);
            // What others have read of this resource is not its own before it has said so.
            let is_own = iq.attribute("from").is_some_and(|from| from == wire.jid);
            match is_own || self.presence.is_available() {
                true => wire.answer_result(iq),
                false => wire.answer_unavailable(iq),
            }
            return true;
        }
        self.contacts.note_error(iq);
        // Somebody else's stanza with the same id answers nothing and pushes nothing.
        if !is_from_account(iq, wire) {
            return false;
        }
        match iq.attribute("type").as_deref() {
            Some("result" | "error") => {
                self.note_answer(iq, wire);
                false
            }
            Some("set") => self.handle_push(iq, wire),
            _ => false,
        }
    }

    /// Looks at an answer of the own server for the client.
    fn note_answer(&mut self, iq: &Element<'_>, wire: &mut Wire) {
        self.presence.note_visibility_answer(iq, wire);
        self.follow_privacy_lists(wire);
        if self.blocking.is_waiting() {
            let blocked = self.blocking.note_answer(iq);
            self.follow_blocking(&blocked, true, wire);
        }
        let removed = self.contacts.note_removed(iq);
        self.follow_removals(removed, wire);
        if self.contacts.note_client_roster(iq, wire) {
            self.handle_contacts_known(wire);
        } else if self.events.is_holding() || !self.held_forms.is_empty() {
            // The client's own question did not tell.
            self.contacts.ask(wire);
        }
    }

    /// A push about the roster, the block list or privacy lists; `true` if the client must not see it.
    fn handle_push(&mut self, iq: &Element<'_>, wire: &mut Wire) -> bool {
        if mentions(iq, &[ns::PRIVACY]) {
            self.presence.note_visibility_push(iq, wire);
            return false;
        }
        if mentions(iq, &[ns::BLOCKING]) {
            let asked = self.blocking.being_blocked();
            let (blocked, is_taken) = self.blocking.handle_push(iq);
            let (own, others): (Vec<_>, Vec<_>) =
                blocked.into_iter().partition(|jid| asked.contains(jid));
            self.follow_blocking(&own, true, wire);
            self.follow_blocking(&others, false, wire);
            if is_taken {
                wire.answer_result(iq);
            }
            return is_taken;
        }
        if !mentions(iq, &[ns::ROSTER]) {
            return false;
        }
        let (changed, is_taken) = self.contacts.handle_push(iq, wire);
        for (account, before) in changed {
            let is_own = self.contacts.is_taking_out(&account);
            self.follow_roster(&account, before, is_own, wire);
        }
        is_taken
    }

    /// Privacy lists may block somebody, too: ejabberd keeps its block list as one.
    pub(super) fn follow_privacy_lists(&mut self, wire: &mut Wire) {
        let Some(blocked) = self.presence.changed_blocks() else {
            return;
        };
        self.blocking.set_by_privacy_list(&blocked.all);
        self.follow_blocking(&blocked.new, false, wire);
    }

    /// Whoever is blocked now is subscribed no longer; whoever is not any more may be again. `is_own`: this
    /// client has asked for it.
    pub(super) fn follow_blocking(&mut self, blocked: &[Box<str>], is_own: bool, wire: &mut Wire) {
        for jid in blocked {
            // Where nobody lists subscribers, a domain's have to be known by name.
            for account in self.contacts.of_domain(jid) {
                if self.contacts.may_see(&account) {
                    let told = self.told(&account, is_own);
                    self.take_out(&account, told, wire);
                }
            }
            let told = self.told(jid, is_own);
            self.take_out(jid, told, wire);
        }
        self.hold_publishes(wire);
        if self.login == Login::Done || self.gate.is_compared() {
            self.compare_members();
        }
        if self.login == Login::Done && !self.is_pure() {
            self.follow_marked(wire);
        }
    }

    /// While somebody is being kept from seeing the node, or it is not known who does, nothing is published
    /// to it; nor while the client waits for the server to block somebody or to take him out of the roster.
    pub(super) fn hold_publishes(&mut self, wire: &mut Wire) {
        let is_known = self.is_pure() || self.gate.is_open();
        let is_held = !is_known
            || self.revocations.is_open()
            || self.blocking.is_blocking()
            || self.contacts.is_removing();
        self.presence.hold(is_held, wire);
    }

    /// The session ends and the server still listens: all that the client has said is said, and then that
    /// it is gone, if it ever was there. `is_heard`: the client still reads what the server answers.
    pub(crate) fn leave(&mut self, is_heard: bool, wire: &mut Wire) {
        if self.enabled {
            self.natives.leave(is_heard, wire);
            let blocked = self.blocking.being_blocked();
            self.follow_blocking(&blocked, true, wire);
            let removed = self.contacts.end_removals(None);
            self.follow_removals(removed, wire);
            self.end_revocations(wire);
            self.record.write_all(&self.contacts, wire);
            self.presence.go_offline(wire);
        }
    }

    /// The session ends: what the client has said and the server was not told comes back to the client.
    pub(crate) fn give_back(&mut self, wire: &mut Wire) {
        self.natives.give_back(wire);
        self.refuse_changes(wire);
        self.record.tell_lost(wire);
    }

    /// The server has ended the session: nothing can or need be published any more.
    pub(crate) fn forget_published(&mut self) {
        self.presence.forget_published();
    }
}

/// Answers a stanza of the client's with an error: it was not sent.
pub(super) fn refuse(stanza: &Element<'_>, kind: &str, condition: &str, wire: &mut Wire) {
    let (name, out) = (stanza.local(), wire.to(Leg::Client));
    let _ = write!(out, "<{name} type='error'");
    for (name, source) in [("from", "to"), ("id", "id")] {
        if let Some(value) = stanza.attribute(source) {
            let _ = write!(out, " {name}='{}'", escape(&value));
        }
    }
    let _ = write!(
        out,
        "><error type='{kind}'><{condition} xmlns='{}'/></error></{name}>",
        ns::STANZA_ERRORS
    );
}

/// Whether a question is one about the own node, by who may ask it.
fn is_about_own(question: &Question, own: &str) -> bool {
    let is_asker = *question.service == *own || *question.service == *jid::domain(own);
    is_asker
        && *question.node == *PRESENCE
        && question.is_well_formed()
        && question.account() != own
}

/// Whether a presence error says that the stanza was not acceptable.
fn is_not_acceptable(presence: &Element<'_>) -> bool {
    error_condition(presence) == "not-acceptable"
}

/// The full JID whose state a native presence tells.
fn state_of<'a>(presence: &Element<'a>) -> Option<std::borrow::Cow<'a, str>> {
    let is_state = matches!(
        presence.attribute("type").as_deref(),
        None | Some("unavailable")
    );
    let from = presence.attribute("from").filter(|_| is_state)?;
    jid::resource(&from).is_some().then_some(from)
}

/// Whether a stanza is from the own account or its server.
fn is_from_account(stanza: &Element<'_>, wire: &Wire) -> bool {
    stanza.attribute("from").is_none_or(|from| {
        from == wire.jid || from == jid::bare(&wire.jid) || from == jid::domain(&wire.jid)
    })
}

/// Whether one of these words occurs in a stanza: a cheap look before a thorough one.
///
/// A namespace may be written with references, so whoever must not miss one gives `&#` as a word.
fn mentions(stanza: &Element<'_>, words: &[&str]) -> bool {
    let bytes = stanza.raw().as_bytes();
    words
        .iter()
        .any(|word| memchr::memmem::find(bytes, word.as_bytes()).is_some())
}
