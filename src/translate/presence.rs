//! The client's presence to publishes on its node `presence` (listings 1 and 3).

use std::fmt::Write as _;

use bytes::{BufMut, Bytes, BytesMut};

use super::contacts::Contacts;
use super::events::Events;
use super::leftovers::{Leftovers, write_retract};
use super::node::{OwnNode, Step};
use super::revoke::Revocations;
use super::visibility::Visibility;
use super::{Purpose, form, rules};
use crate::jid;
use crate::ns;
use crate::session::{Dropped, Event, Function, Leg, Options, Policy, Wire};
use crate::xml::{Element, escape, rewrite, rewrite_standalone};

/// The node of listings 3 and 4.
pub(super) const NODE: &str = "presence";
/// What the native copy of a presence carries, so that shims know which resources have one.
const MARKER: &str = "<shim xmlns='urn:pubshim:0'/>";
/// About as long is what a publish has around its payload, the marker included.
const PUBLISH_LEN: usize = 768;
/// So often a publish may find the node changed under it.
const MOST_CONFLICTS: u8 = 3;

/// Presence of one session, in both directions.
pub(crate) struct Presence {
    policy: Policy,
    enabled: bool,
    node: OwnNode,
    /// The newest payload that is not published yet.
    waiting: Option<Bytes>,
    /// The payload whose publish is not answered yet.
    publishing: Option<Bytes>,
    /// What the client said last, while it is available.
    current: Option<Bytes>,
    /// The server may hold an item of ours.
    published: bool,
    conflicts: u8,
    /// Counts publishes: only the answer to the newest goes on.
    serial: u32,
    visibility: Visibility,
    revocations: Revocations,
    leftovers: Leftovers,
    contacts: Contacts,
    events: Events,
}

impl Presence {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            policy: options.policy,
            enabled: options.translates(Function::Presence),
            node: OwnNode::new(NODE),
            waiting: None,
            publishing: None,
            current: None,
            published: false,
            conflicts: 0,
            serial: 0,
            visibility: Visibility::default(),
            revocations: Revocations::default(),
            leftovers: Leftovers::default(),
            contacts: Contacts::default(),
            events: Events::default(),
        }
    }

    /// A presence from the client; `false` if it passes as it is.
    ///
    /// Broadcasts (no `to`, available or `unavailable`) are published; under [`Policy::Auto`] the
    /// native copy goes first, with the same id and the marker.
    pub(crate) fn handle_client_presence(
        &mut self,
        presence: &Element<'_>,
        wire: &mut Wire,
    ) -> bool {
        let kind = presence.attribute("type");
        if !self.enabled || presence.attribute("to").is_some() {
            return false;
        }
        let is_available = match kind.as_deref() {
            None => true,
            Some("unavailable") => false,
            // The old way of being invisible: nothing may be known any more.
            Some("invisible") => {
                self.go_offline(wire);
                return false;
            }
            Some(_) => return false,
        };
        let has_id = presence.attribute("id").is_some_and(|id| !id.is_empty());
        let fresh = (!has_id).then(|| wire.requests.id());
        let id: &[_] = match &fresh {
            Some(id) => &[("id", Some(id.as_str()))],
            None => &[],
        };
        if self.policy == Policy::Auto {
            wire.apply(&rules::NATIVE_COPY);
            let out = wire.to(Leg::Server);
            // Room for the publish, too, so that the buffer grows once.
            out.reserve(2 * presence.raw().len() + PUBLISH_LEN);
            rewrite(out, presence, id, |_| true, MARKER);
        }
        let mut payload = BytesMut::with_capacity(presence.raw().len() + wire.jid.len() + 128);
        let from = ("from", Some(&*wire.jid));
        let changes: &[_] = match id {
            [id] => &[from, *id],
            _ => &[from],
        };
        rewrite_standalone(&mut payload, presence, changes, |_| true, "");
        if is_available {
            wire.apply(&rules::PUBLISH);
            let payload = payload.freeze();
            self.current = Some(payload.clone());
            self.waiting = Some(payload);
            self.advance(wire);
        } else {
            self.withdraw(&payload, wire);
        }
        true
    }

    /// Publishes that the client is gone, if it ever was there.
    pub(crate) fn go_offline(&mut self, wire: &mut Wire) {
        let mut payload = BytesMut::new();
        if self.published {
            let id = wire.requests.id();
            let from = escape(&wire.jid);
            let _ = write!(
                payload,
                "<presence xmlns='jabber:client' from='{from}' type='unavailable' id='{id}'/>"
            );
        }
        self.withdraw(&payload, wire);
    }

    /// The server has ended the session: nothing can or need be published any more.
    pub(crate) fn forget_published(&mut self) {
        self.current = None;
        self.waiting = None;
        self.publishing = None;
        self.published = false;
    }

    /// Publishes `payload` as the last word, then takes our item away. Other resources keep theirs.
    fn withdraw(&mut self, payload: &[u8], wire: &mut Wire) {
        let published = self.published;
        self.forget_published();
        if !published {
            return;
        }
        wire.apply(&rules::WITHDRAW);
        // Not waiting for the answers: the stream may end right after.
        self.publish(payload, Purpose::Ignore, wire);
        let item = jid::resource(&wire.jid).unwrap_or_default().to_owned();
        wire.request("set", None, Purpose::Ignore, |out| {
            write_retract(out, &item);
        });
    }

    /// Does what can be done for the payload that waits: checks the node or publishes.
    fn advance(&mut self, wire: &mut Wire) {
        if self.waiting.is_none() || self.publishing.is_some() {
            return;
        }
        self.visibility.prepare(wire);
        if self.node.is_unusable() {
            self.waiting = None;
            self.tell_failure("service-unavailable", wire);
        } else if !self.node.is_ready() {
            self.node.prepare(wire);
        } else if self.visibility.hides() {
            // It waits until the client may be seen again.
        } else if let Some(payload) = self.waiting.take() {
            self.serial += 1;
            if self.publish(&payload, Purpose::Publish(self.serial), wire) {
                self.published = true;
                self.publishing = Some(payload);
            }
        }
    }

    /// Listing 3, with the resource as item id. `access_model` goes along each time: should the node
    /// have changed or gone, the publish is a conflict and not a leak. `false`: it could not be sent.
    fn publish(&self, payload: &[u8], purpose: Purpose, wire: &mut Wire) -> bool {
        let Some(access) = self.node.verified() else {
            return false;
        };
        let item = escape(jid::resource(&wire.jid).unwrap_or_default()).into_owned();
        let sent = wire.request("set", None, purpose, |out| {
            let _ = write!(
                out,
                "<pubsub xmlns='{}'><publish node='{NODE}'><item id='{item}'>",
                ns::PUBSUB
            );
            out.put_slice(payload);
            out.put_slice(b"</item></publish><publish-options>");
            form::write_submit(
                out,
                ns::PUBLISH_OPTIONS,
                &[("pubsub#access_model", access.as_str())],
            );
            out.put_slice(b"</publish-options></pubsub>");
        });
        if !sent {
            let reason = "too many requests wait for the server".to_owned();
            wire.log(Event::PublishFailed { node: NODE, reason });
        }
        sent
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
        self.go_on(purpose, Err("no answer in time"), wire);
    }

    fn go_on(&mut self, purpose: Purpose, reply: Result<&Element<'_>, &str>, wire: &mut Wire) {
        match purpose {
            Purpose::Node(step) => self.handle_node(step, reply, wire),
            Purpose::Publish(serial) if serial == self.serial => self.handle_published(reply, wire),
            Purpose::Publish(_) => {}
            Purpose::OwnItems => {
                if let Ok(items) = reply {
                    self.leftovers.handle_items(items, wire);
                }
            }
            Purpose::PrivacyLists => {
                self.change_visibility(wire, |visibility, wire| {
                    visibility.handle_lists(reply, wire);
                });
            }
            Purpose::PrivacyList => {
                self.change_visibility(wire, |visibility, _| visibility.handle_list(reply));
            }
            Purpose::Subscribers => self.revocations.handle_subscribers(reply, wire),
            Purpose::Ping(suspect) => self.leftovers.handle_pong(suspect, reply, wire),
            Purpose::Roster => {
                self.contacts.handle_roster(reply.ok());
                self.events.release(&self.contacts, wire);
            }
            Purpose::Ignore => {}
        }
    }

    fn handle_node(&mut self, step: Step, reply: Result<&Element<'_>, &str>, wire: &mut Wire) {
        self.node.handle_reply(step, reply, wire);
        self.advance(wire);
    }

    fn handle_published(&mut self, reply: Result<&Element<'_>, &str>, wire: &mut Wire) {
        let payload = self.publishing.take();
        match reply {
            Ok(_) => {
                self.conflicts = 0;
                self.leftovers.search(wire);
            }
            // The node is not what was verified: whoever changed it, it is checked before anything is said.
            Err("conflict") if self.conflicts < MOST_CONFLICTS && payload.is_some() => {
                self.conflicts += 1;
                self.node.doubt();
                self.waiting = self.waiting.take().or(payload);
            }
            Err(reason) => {
                self.tell_failure(reason, wire);
                wire.log(Event::PublishFailed {
                    node: NODE,
                    reason: reason.to_owned(),
                });
            }
        }
        self.advance(wire);
    }

    /// Under [`Policy::Pure`], where no native presence has gone, the client is told that nobody sees it.
    fn tell_failure(&self, condition: &str, wire: &mut Wire) {
        if self.policy != Policy::Pure {
            return;
        }
        let condition = match condition.contains(' ') {
            true => "remote-server-timeout",
            false => condition,
        };
        let to = wire.jid.clone();
        let (from, to) = (escape(jid::bare(&to)), escape(&to));
        let _ = write!(
            wire.to(Leg::Client),
            "<presence type='error' from='{from}' to='{to}'><error type='wait'><{condition} xmlns='{}'/></error></presence>",
            ns::STANZA_ERRORS
        );
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
            self.change_visibility(wire, |visibility, wire| visibility.note_request(iq, wire));
        }
        if mentions(iq, &[ns::BLOCKING]) {
            self.revocations.note_request(iq);
        }
    }

    /// Lets something change who may see the client, and does what follows from it.
    fn change_visibility(
        &mut self,
        wire: &mut Wire,
        change: impl FnOnce(&mut Visibility, &mut Wire),
    ) {
        let was_hidden = self.visibility.hides();
        change(&mut self.visibility, wire);
        match (was_hidden, self.visibility.hides()) {
            (false, true) => {
                wire.apply(&rules::HIDE);
                let current = self.current.clone();
                self.go_offline(wire);
                self.current.clone_from(&current);
                self.waiting = current;
            }
            (true, false) => self.advance(wire),
            _ => {}
        }
    }

    /// An IQ from the server that answers nothing of ours; `true` if the client does not see it.
    pub(crate) fn handle_server_iq(&mut self, iq: &Element<'_>, wire: &mut Wire) -> bool {
        if !self.enabled {
            return false;
        }
        if self.is_ping_from_others(iq, wire) {
            wire.apply(&rules::PING);
            wire.answer_result(iq);
            return true;
        }
        if self.visibility.is_waiting() {
            self.change_visibility(wire, |visibility, _| visibility.note_answer(iq));
        }
        self.revocations.note_answer(iq, wire);
        self.contacts.note_error(iq);
        mentions(iq, &[ns::ROSTER]) && self.contacts.handle_push(iq, wire)
    }

    /// Whether `iq` asks if this very resource is there. (The own server's pings are the client's.)
    fn is_ping_from_others(&self, iq: &Element<'_>, wire: &Wire) -> bool {
        iq.attribute("type").as_deref() == Some("get")
            && iq.child(ns::PING, "ping").is_some()
            && iq.attribute("to").is_some_and(|to| to == wire.jid)
            && iq
                .attribute("from")
                .is_some_and(|from| jid::resource(&from).is_some())
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
        if self.enabled && !self.events.shows_native(presence, is_marked, wire) {
            wire.drop_event(Dropped::Seen);
            return true;
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
                .handle_message(message, &mut self.contacts, wire)
    }
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
