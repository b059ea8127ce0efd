//! What a session hands to translation, and which translator takes it.

use std::time::Duration;

use super::contacts::Contacts;
use super::events::Events;
use super::presence::{NODE, Presence};
use super::revoke::Revocations;
use super::states::States;
use super::{Purpose, rules};
use crate::jid;
use crate::ns;
use crate::session::{Dropped, Function, Leg, Options, Wire};
use crate::xml::{Element, rewrite};

/// So long after the first publish of a session the contacts are looked at: by then the server's probes
/// have told most of their states.
const PROBES: Duration = Duration::from_secs(3);

/// All translation of one session.
pub(crate) struct Translator {
    enabled: bool,
    presence: Presence,
    revocations: Revocations,
    contacts: Contacts,
    events: Events,
    states: States,
    login: Login,
}

/// What is done once in a session, after it has become available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    /// The client is not available yet.
    Waiting,
    /// It begins at this time.
    At(Duration),
    /// It goes on when the roster is known.
    NeedsRoster,
    Done,
}

impl Translator {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            enabled: options.translates(Function::Presence),
            presence: Presence::new(options),
            revocations: Revocations::default(),
            contacts: Contacts::default(),
            events: Events::default(),
            states: States::default(),
            login: Login::Waiting,
        }
    }

    /// A presence from the client; `false` if it passes as it is.
    pub(crate) fn handle_client_presence(
        &mut self,
        presence: &Element<'_>,
        wire: &mut Wire,
    ) -> bool {
        self.enabled && self.presence.handle_client_presence(presence, wire)
    }

    /// Looks at an IQ of the client's, which passes.
    pub(crate) fn note_client_iq(&mut self, iq: &Element<'_>, wire: &mut Wire) {
        if !self.enabled {
            return;
        }
        if mentions(iq, &[ns::ROSTER, NODE]) {
            self.contacts.note_client_iq(iq, NODE);
        }
        if mentions(iq, &[ns::PRIVACY, "urn:xmpp:invisible:"]) {
            self.presence.note_visibility_request(iq, wire);
        }
        if mentions(iq, &[ns::BLOCKING]) {
            self.revocations.note_request(iq);
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
            if let Some(full) = state_of(presence) {
                self.contacts.note_native(jid::bare(&full), is_marked);
                self.states.note_heard(&full);
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

    /// A message from the server; `true` if it was an event on a presence node.
    pub(crate) fn handle_server_message(&mut self, message: &Element<'_>, wire: &mut Wire) -> bool {
        self.enabled
            && mentions(message, &["#event", "&#"])
            && self
                .events
                .handle_message(message, &mut self.contacts, &mut self.states, wire)
    }

    /// An IQ from the server that answers nothing of ours; `true` if the client does not see it.
    pub(crate) fn handle_server_iq(&mut self, iq: &Element<'_>, wire: &mut Wire) -> bool {
        if !self.enabled {
            return false;
        }
        if is_ping_from_others(iq, wire) {
            wire.apply(&rules::PING);
            wire.answer_result(iq);
            return true;
        }
        self.presence.note_visibility_answer(iq, wire);
        self.revocations.note_answer(iq, wire);
        self.contacts.note_error(iq);
        if self.contacts.note_client_roster(iq, jid::bare(&wire.jid)) {
            self.events.release(&self.contacts, wire);
        } else if self.events.is_holding() {
            // The client's own question did not tell.
            self.contacts.ask(wire);
        }
        mentions(iq, &[ns::ROSTER]) && self.contacts.handle_push(iq, wire).1
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
            Purpose::Subscribers => self.revocations.handle_subscribers(reply, wire),
            Purpose::Roster => {
                self.contacts.handle_roster(reply.ok());
                self.events.release(&self.contacts, wire);
            }
            Purpose::State(serial) => self.states.handle_items(serial, reply, wire),
            Purpose::Alive(serial) => {
                if let Some(held) = self.states.handle_pong(serial, reply, wire) {
                    self.events.show_held(&held, &self.contacts, wire);
                }
            }
            purpose => self.presence.handle_reply(purpose, reply, wire),
        }
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
        if self.login == Login::Waiting && self.presence.was_published() {
            self.login = Login::At(wire.now + PROBES);
        }
        if matches!(self.login, Login::At(at) if at <= wire.now) && self.contacts.ask(wire) {
            self.login = Login::NeedsRoster;
        }
        if self.login == Login::NeedsRoster && self.contacts.is_known() {
            self.login = Login::Done;
            self.states.fetch_all(&self.contacts);
        }
        self.states.work(&self.contacts, wire);
    }

    /// When [`work`](Self::work) can go on, if not by an answer.
    pub(crate) fn work_at(&self, wire: &Wire) -> Option<Duration> {
        match self.login {
            Login::At(at) => Some(at),
            _ if self.states.has_work() => wire.may_work_at(),
            _ => None,
        }
    }
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
