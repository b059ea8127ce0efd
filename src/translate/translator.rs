//! What a session hands to translation, and which translator takes it.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::time::Duration;

use super::approvals::{Approvals, Form, Subscribers};
use super::blocking::Blocking;
use super::contacts::Contacts;
use super::events::Events;
use super::followings::Followings;
use super::handshake::Kind;
use super::natives::Natives;
use super::presence::{NODE, Presence};
use super::record::Record;
use super::revoke::Revocations;
use super::roster::Waiting;
use super::states::States;
use super::{Purpose, rules};
use crate::jid;
use crate::ns;
use crate::session::{Dropped, Function, Leg, Options, Policy, Wire};
use crate::xml::{Element, escape, rewrite};

/// So long after the first publish of a session the contacts are looked at under `auto`: by then the
/// server's probes have told most of their states.
const PROBES: Duration = Duration::from_secs(3);

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
    login: Login,
    /// Forms that came before the contacts were known.
    pub(super) held_forms: Vec<Form>,
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
    /// Who is subscribed to our node, until the record is read, too; under `pure`.
    listed: Option<Subscribers>,
}

/// What is done once in a session, after it has become available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    /// The client is not available yet.
    Waiting,
    /// It begins at this time.
    At(Duration),
    /// It goes on when the contacts are known, who is a member, and who is blocked.
    NeedsContacts,
    Done,
}

impl Translator {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            policy: options.policy,
            enabled: options.translates(Function::Presence),
            presence: Presence::new(options),
            contacts: Contacts::default(),
            events: Events::new(options.policy),
            states: States::default(),
            followings: Followings::default(),
            approvals: Approvals::default(),
            revocations: Revocations::default(),
            blocking: Blocking::default(),
            natives: Natives::default(),
            record: Record::new(),
            login: Login::Waiting,
            held_forms: Vec::new(),
            held_changes: Vec::new(),
            unshown: Vec::new(),
            told: HashSet::new(),
            waiting_rosters: Vec::new(),
            client_has_roster: false,
            listed: None,
        }
    }

    pub(super) fn is_pure(&self) -> bool {
        self.policy == Policy::Pure
    }

    /// Something needs the contacts. Under `pure` all that is known of them has to be asked for.
    fn need_contacts(&mut self, wire: &mut Wire) {
        if self.is_pure() {
            self.presence.prepare_node(wire);
            self.record.load(wire);
        }
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
            return false;
        }
        self.handle_directed_presence(presence, kind.as_deref(), wire);
        true
    }

    /// A client that goes forgets who was there, and is told when it comes back.
    fn follow_availability(&mut self, was_available: bool, wire: &Wire) {
        match (was_available, self.presence.is_available()) {
            (true, false) => {
                self.events.forget_all();
                self.states.forget();
            }
            (false, true) if self.login == Login::Done => {
                self.fetch_states(wire);
            }
            _ => {}
        }
    }

    /// Has the states fetched that native presence does not tell: under `pure` also those of the account's
    /// own resources.
    fn fetch_states(&mut self, wire: &Wire) {
        self.states.fetch_all(&self.contacts);
        if self.is_pure() {
            self.states.fetch(jid::bare(&wire.jid));
        }
    }

    /// A presence to somebody, under `pure`: a probe is answered from the contact's node, nothing else can
    /// be said.
    fn handle_directed_presence(
        &mut self,
        presence: &Element<'_>,
        kind: Option<&str>,
        wire: &mut Wire,
    ) {
        let to = presence.attribute("to").unwrap_or_default();
        match kind {
            Some("probe") => {
                let account = jid::lowercase(jid::bare(&to));
                self.events.forget(&account);
                self.states.fetch(&account);
            }
            // Nobody there was told that the client is available.
            Some("unavailable" | "error") => {}
            _ => {
                wire.apply(&rules::NOT_IN_PUBSUB);
                self.refuse_presence(presence, "cancel", "feature-not-implemented", wire);
            }
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
        if mentions(iq, &[ns::ROSTER, NODE]) {
            let is_own = iq
                .attribute("to")
                .is_none_or(|to| to == jid::bare(&wire.jid));
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
            self.note_roster_set(iq);
            self.contacts.note_client_iq(iq, NODE);
        }
        if mentions(iq, &[ns::PRIVACY, "urn:xmpp:invisible:"]) {
            self.presence.note_visibility_request(iq, wire);
        }
        if mentions(iq, &[ns::BLOCKING]) {
            self.blocking.note_request(iq);
        }
        false
    }

    /// Nothing that waits for a contact may be sent after the client has taken it out of its roster.
    fn note_roster_set(&mut self, iq: &Element<'_>) {
        if let Some(query) = iq.child(ns::ROSTER, "query") {
            for item in query.children() {
                if item.attribute("subscription").as_deref() == Some("remove") {
                    self.natives
                        .forget(&item.attribute("jid").unwrap_or_default());
                }
            }
        }
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
                self.states.note_heard(&full);
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
        if self.handle_subscription_message(message, wire)
            || self.handle_private_event(message, wire)
        {
            return true;
        }
        // Under `pure` nothing else keeps a client that is not available from being shown presence.
        self.events.is_closed = self.is_pure() && !self.presence.is_available();
        self.events
            .handle_message(message, &mut self.contacts, &mut self.states, wire)
    }

    /// An IQ from the server that answers nothing of ours; `true` if the client does not see it.
    pub(crate) fn handle_server_iq(&mut self, iq: &Element<'_>, wire: &mut Wire) -> bool {
        if !self.enabled {
            return false;
        }
        // Whoever hides would be given away; whether to answer is then the client's own choice.
        if !self.presence.is_hidden() && is_ping_from_others(iq, wire) {
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
            self.follow_blocking(&blocked, wire);
        }
        if self.contacts.note_client_roster(iq) {
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
            let (blocked, is_taken) = self.blocking.handle_push(iq);
            self.follow_blocking(&blocked, wire);
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
            self.follow_roster(&account, before, wire);
        }
        is_taken
    }

    /// Privacy lists may block somebody, too: ejabberd keeps its block list as one.
    fn follow_privacy_lists(&mut self, wire: &mut Wire) {
        for account in self.presence.newly_blocked() {
            self.revoke(&account, wire);
        }
    }

    /// Whoever is blocked now is subscribed no longer; whoever is not any more may be again.
    fn follow_blocking(&mut self, blocked: &[Box<str>], wire: &mut Wire) {
        for jid in blocked {
            // Where nobody lists subscribers, a domain's have to be known by name.
            for account in self.contacts.of_domain(jid) {
                if self.contacts.may_see(&account) {
                    self.revoke(&account, wire);
                }
            }
            self.revoke(jid, wire);
        }
        if self.login == Login::Done {
            self.compare_members(wire);
        }
    }

    fn compare_members(&mut self, wire: &Wire) {
        let (contacts, blocking) = (&self.contacts, &self.blocking);
        self.approvals.compare(
            contacts,
            |account| contacts.may_see(account) && !blocking.is_blocked(account),
            wire.now,
        );
    }

    /// The answer to an IQ of ours.
    pub(crate) fn handle_reply(
        &mut self,
        purpose: Purpose,
        iq: &Element<'_>,
        is_error: bool,
        wire: &mut Wire,
    ) {
        let condition = is_error.then(|| error_condition(iq));
        let reply = match &condition {
            None => Ok(iq),
            Some(condition) => Err(&**condition),
        };
        self.go_on(purpose, reply, wire);
    }

    /// An IQ of ours was not answered in time.
    pub(crate) fn handle_timeout(&mut self, purpose: Purpose, wire: &mut Wire) {
        self.go_on(purpose, Err(NO_ANSWER), wire);
    }

    fn go_on(&mut self, purpose: Purpose, reply: Result<&Element<'_>, &str>, wire: &mut Wire) {
        match purpose {
            Purpose::Roster => {
                self.contacts.handle_roster(reply.ok());
                self.handle_contacts_known(wire);
            }
            Purpose::State(serial) => {
                let refused = self
                    .states
                    .handle_items(serial, reply, &self.contacts, wire);
                if let (Some(account), Err(condition), true) = (refused, reply, self.is_pure()) {
                    self.handle_refused_fetch(&account, condition, wire);
                }
            }
            Purpose::Alive(serial) => self.states.handle_pong(serial, reply, wire),
            Purpose::Follow(serial) => self.handle_followed(serial, reply, wire),
            Purpose::Grant(serial) => {
                self.approvals
                    .handle_grant(serial, reply, &self.contacts, wire);
            }
            Purpose::Members => self.approvals.handle_members(reply),
            Purpose::Listed => self.handle_listed(reply, wire),
            Purpose::Blocklist => self.blocking.handle_list(reply),
            Purpose::Subscribers => self.handle_revoking(reply, wire),
            Purpose::Revoked => {
                self.revocations.handle_revoked(wire);
                self.hold_publishes(wire);
            }
            Purpose::RecordNode(step) => {
                let written = self.record.handle_node(step, reply, &self.contacts, wire);
                if let Some(written) = written {
                    self.answer_written(written, wire);
                }
                self.answer_rosters(wire);
            }
            Purpose::RecordItems => {
                self.record.handle_items(reply, &mut self.contacts, wire);
                if self.revocations.waits_for_record() {
                    self.handle_revoking(Err("not listed"), wire);
                }
                self.start_pure(wire);
            }
            Purpose::Recorded => {
                if let Some(written) = self.record.handle_written(reply, &self.contacts, wire) {
                    self.answer_written(written, wire);
                }
            }
            Purpose::Node(_) => {
                self.presence.handle_reply(purpose, reply, wire);
                if self.presence.is_node_ready() {
                    self.answer_forms(wire);
                }
                if self.is_pure() && self.presence.is_node_settled() {
                    self.approvals.ask(wire);
                }
            }
            Purpose::Ignore => {}
            purpose => {
                self.presence.handle_reply(purpose, reply, wire);
                self.follow_privacy_lists(wire);
            }
        }
    }

    fn handle_contacts_known(&mut self, wire: &mut Wire) {
        self.events.release(&self.contacts, wire);
        if self.contacts.is_known() {
            self.release_forms(wire);
        } else if !self.held_forms.is_empty() || self.login == Login::NeedsContacts {
            self.contacts.ask(wire);
        }
    }

    fn handle_listed(&mut self, reply: Result<&Element<'_>, &str>, wire: &mut Wire) {
        let is_new = self.presence.is_node_new();
        let listed = self.approvals.handle_subscribers(reply, is_new, wire);
        if !self.is_pure() {
            return;
        }
        self.listed = listed;
        match self.contacts.is_known() {
            // Asked once more: somebody may have left.
            true => self.repair_listed(wire),
            false => self.start_pure(wire),
        }
    }

    /// Under `pure`: the record is read and the subscribers are listed, or cannot be.
    fn start_pure(&mut self, wire: &mut Wire) {
        if !self.is_pure() || self.contacts.is_known() {
            return;
        }
        if self.record.is_known() && self.approvals.is_listed() {
            let listed = self.listed.take();
            self.merge_record(listed, wire);
            self.handle_contacts_known(wire);
            self.release_changes(wire);
        } else {
            self.answer_rosters(wire);
        }
    }

    fn repair_listed(&mut self, wire: &mut Wire) {
        if let Some(listed) = self.listed.take() {
            self.repair(&listed, false, wire);
        }
    }

    /// While somebody is being kept from seeing the node, nothing is published to it.
    pub(super) fn hold_publishes(&mut self, wire: &mut Wire) {
        self.presence.hold(self.revocations.is_open(), wire);
    }

    /// The client is to be shown as gone, if it ever was there.
    pub(crate) fn go_offline(&mut self, wire: &mut Wire) {
        if self.enabled {
            self.presence.go_offline(wire);
        }
    }

    /// The server has ended the session: nothing can or need be published any more.
    pub(crate) fn forget_published(&mut self) {
        self.presence.forget_published();
    }

    /// Does what can wait, as far as it may go now.
    pub(crate) fn work(&mut self, wire: &mut Wire) {
        self.natives.work(wire);
        self.look_at_contacts(wire);
        self.look_at_strangers(wire);
        if self.presence.hides() {
            // A question tells that the client is there.
            return;
        }
        let (contacts, blocking) = (&self.contacts, &self.blocking);
        let is_pure = self.policy == Policy::Pure;
        if self.presence.is_node_ready() {
            self.approvals.work(
                |account| contacts.may_see(account) && !blocking.is_blocked(account),
                wire,
            );
        }
        self.followings
            .work(|account| contacts.is_to_follow(account, is_pure), wire);
        self.states.work(contacts, &mut self.events, wire);
    }

    fn look_at_contacts(&mut self, wire: &mut Wire) {
        if self.login == Login::Waiting && self.presence.was_published() {
            let pause = if self.is_pure() {
                Duration::ZERO
            } else {
                PROBES
            };
            self.login = Login::At(wire.now + pause);
        }
        if matches!(self.login, Login::At(at) if at <= wire.now)
            && (self.is_pure() || self.contacts.ask(wire))
        {
            self.login = Login::NeedsContacts;
            if !self.is_pure() {
                self.approvals.ask(wire);
                self.blocking.ask(wire);
            }
        }
        let is_complete = self.contacts.is_known()
            && self.approvals.is_listed()
            && match self.is_pure() {
                true => self.presence.is_available(),
                false => self.blocking.is_known(),
            };
        if self.login == Login::NeedsContacts && is_complete {
            self.login = Login::Done;
            self.compare_members(wire);
            for account in self.contacts.marked() {
                self.follow_marker(&account, wire);
            }
            self.fetch_states(wire);
        }
    }

    /// Takes away who is a member of the node and was never approved, if that is still so.
    fn look_at_strangers(&mut self, wire: &mut Wire) {
        if self.approvals.again_at().is_none_or(|at| at > wire.now) {
            return;
        }
        let (contacts, blocking) = (&self.contacts, &self.blocking);
        let may_see = |account: &str| contacts.may_see(account) && !blocking.is_blocked(account);
        self.approvals.settle_doubts(may_see);
        if self.approvals.again_at().is_none() {
            return;
        }
        if !self.record.is_known() && !self.record.is_unusable() {
            // Approvals that no native subscription backs.
            return self.record.read(wire);
        }
        let strangers = self.approvals.strangers(may_see, wire.now);
        if contacts.is_reliable() && self.record.is_known() {
            for account in strangers {
                self.revoke(&account, wire);
            }
        }
    }

    /// When [`work`](Self::work) can go on, if not by an answer.
    pub(crate) fn work_at(&self, wire: &Wire) -> Option<Duration> {
        let login = match self.login {
            Login::At(at) => Some(at),
            _ => None,
        };
        let has_work = self.approvals.has_work() && self.presence.is_node_ready()
            || self.followings.has_work()
            || self.states.has_work();
        let work = match has_work && !self.presence.hides() {
            true => wire.may_work_at(),
            false => None,
        };
        let strangers = self.approvals.again_at().filter(|at| *at > wire.now);
        [
            login,
            work,
            self.followings.again_at(),
            self.natives.again_at(),
            strangers,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// Answers a stanza of the client's with an error: it was not sent.
fn refuse(stanza: &Element<'_>, kind: &str, condition: &str, wire: &mut Wire) {
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

/// Whether `iq` asks if this very resource is there. (The own server's pings are the client's.)
fn is_ping_from_others(iq: &Element<'_>, wire: &Wire) -> bool {
    iq.attribute("type").as_deref() == Some("get")
        && iq.child(ns::PING, "ping").is_some()
        && iq.attribute("to").is_some_and(|to| to == wire.jid)
        && iq
            .attribute("from")
            .is_some_and(|from| jid::resource(&from).is_some())
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

/// Stands for the condition of an error where no answer came.
pub(super) const NO_ANSWER: &str = "no answer in time";

/// The condition of a stanza error (RFC 6120 §8.3.2).
fn error_condition(iq: &Element<'_>) -> String {
    let condition = iq
        .children()
        .filter(|child| child.local() == "error")
        .find_map(|error| {
            let condition = error
                .children()
                .find(|child| child.namespace() == ns::STANZA_ERRORS && child.local() != "text");
            condition.map(|condition| condition.local().to_owned())
        });
    condition.unwrap_or_else(|| "undefined-condition".to_owned())
}
