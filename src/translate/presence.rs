//! The client's presence to publishes on its node `presence` (listings 1 and 3).

use std::fmt::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::Wire;
use super::inquiry::Inquiry;
use super::leftovers::Leftovers;
use super::node::{Access, OwnNode, Spec, Step};
use super::visibility::{Blocked, Visibility};
use super::{Purpose, rules};
use crate::jid;
use crate::ns;
use crate::policy::Policy;
use crate::pubsub::{PRESENCE, request};
use crate::wire::{Event, Leg, Refused, Reply};
use crate::xml::{Element, Namespaces, Tag, escape, rewrite, rewrite_standalone};

/// What the native copy of a presence carries, so that shims know which resources have one.
const MARKER: &str = "<shim xmlns='urn:pubshim:0'/>";
/// About as long is what a publish has around its payload, the marker included.
const PUBLISH_LEN: usize = 768;
/// So often a publish may find the node changed under it.
const MOST_CONFLICTS: u8 = 3;

/// The own presence of one session.
pub(super) struct Presence {
    policy: Policy,
    node: OwnNode,
    /// The newest payload that is not published yet.
    waiting: Option<Bytes>,
    /// The payload whose publish is not answered yet.
    publishing: Option<Bytes>,
    /// What the client said last, while it is available.
    current: Option<Bytes>,
    /// The client hid from somebody when it said that: it is published anew once it is seen again.
    hid: bool,
    /// The server may hold an item of ours.
    published: bool,
    conflicts: u8,
    /// Nothing is to be published for now.
    is_held: bool,
    /// The client has said that it is available, to whomever.
    is_available: bool,
    visibility: Visibility,
    leftovers: Leftovers,
}

impl Presence {
    pub(super) fn new(policy: Policy) -> Self {
        let is_auto = policy == Policy::Auto;
        let mut node = OwnNode::new(PRESENCE, Spec::Presence);
        if is_auto {
            // Its record comes first, so that a node of ours without one is known by that.
            node.forbid();
        }
        Self {
            policy,
            node,
            waiting: None,
            publishing: None,
            current: None,
            hid: false,
            published: false,
            conflicts: 0,
            // Nobody has looked yet who may see it.
            is_held: is_auto,
            is_available: false,
            visibility: Visibility::default(),
            leftovers: Leftovers::default(),
        }
    }

    /// A presence from the client; `false` if it passes as it is.
    ///
    /// Broadcasts (no `to`, available or `unavailable`) are published; under [`Policy::Auto`] the
    /// native copy goes first, with the same id and the marker.
    pub(super) fn handle_client_presence(
        &mut self,
        presence: &Element<'_>,
        wire: &mut Wire,
    ) -> bool {
        let kind = presence.attribute("type");
        let is_available = match kind.as_deref() {
            None => true,
            Some("unavailable") => false,
            // The old way of being invisible: nothing may be known any more.
            Some("invisible") => {
                self.is_available = false;
                self.go_offline(wire);
                return false;
            }
            Some(_) => return false,
        };
        self.is_available = is_available;
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
            // Its native copy is for everybody if the client is seen by everybody when the server reads it.
            self.hid &= self.visibility.will_hide();
            wire.apply(&rules::PUBLISH);
            let payload = payload.freeze();
            self.current = Some(payload.clone());
            self.waiting = Some(payload);
            self.advance(wire);
        } else if self.is_held || self.visibility.holds() {
            // Somebody who may not see it might be delivered to still: he is told no more than that it is over.
            self.go_offline(wire);
        } else {
            self.withdraw(&payload, wire);
        }
        true
    }

    /// Publishes that the client is gone, if it ever was there.
    pub(super) fn go_offline(&mut self, wire: &mut Wire) {
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
    pub(super) fn forget_published(&mut self) {
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
        let item = jid::resource(&wire.jid).unwrap_or_default().to_owned();
        let is_sent = self.node.verified().is_some_and(|access| {
            wire.tell("set", None, |out| {
                write_publish(out, &item, access, payload);
            })
        });
        if !is_sent {
            let reason = "nothing can be sent to the server any more".to_owned();
            let node = PRESENCE;
            wire.log(Event::PublishFailed { node, reason });
        }
        wire.tell("set", None, |out| request::retract(out, PRESENCE, &item));
    }

    /// Does what can be done for the payload that waits: checks the node or publishes.
    fn advance(&mut self, wire: &mut Wire) {
        if self.waiting.is_none() || self.publishing.is_some() {
            return;
        }
        self.visibility.prepare(wire);
        if self.node.is_unusable() {
            self.waiting = None;
            self.tell_failure(Refused::With("service-unavailable"), wire);
        } else if !self.node.is_ready() {
            self.node.prepare(wire);
        } else if self.visibility.holds() || self.is_held {
            // It waits until the client may be seen again.
        } else if let Some(payload) = self.waiting.take() {
            if self.publish(&payload, wire) {
                self.published = true;
                self.publishing = Some(payload);
            } else {
                // Too many requests wait for the server: the next answer makes room.
                self.waiting = Some(payload);
            }
        }
    }

    /// Publishes under our resource, if the node is verified; `false`: it could not be sent.
    fn publish(&self, payload: &[u8], wire: &mut Wire) -> bool {
        let Some(access) = self.node.verified() else {
            return false;
        };
        let item = jid::resource(&wire.jid).unwrap_or_default().to_owned();
        // Only the answer to the newest goes on.
        wire.forget(|asked| matches!(asked, Purpose::Publish));
        wire.request("set", None, Purpose::Publish, |out| {
            write_publish(out, &item, access, payload);
        })
    }

    /// Whether the answer to a publish is still to come.
    pub(super) fn is_publishing(&self) -> bool {
        self.publishing.is_some()
    }

    /// Publishes that the client is gone, if it ever was there, to everybody who is subscribed; what it said last
    /// is published anew as soon as publishes are held no longer.
    pub(super) fn take_back(&mut self, wire: &mut Wire) {
        if !self.published || !self.node.is_ready() {
            return;
        }
        let current = self.current.take();
        self.go_offline(wire);
        // Whoever has seen the native copy with its id, and then `unavailable`, must not take it for that.
        let current = current.map(|payload| with_id(&payload, wire.requests.id().as_str()));
        self.current.clone_from(&current);
        self.waiting = current;
    }

    /// Lets publishes wait, or go on: also one that found no room.
    pub(super) fn hold(&mut self, is_held: bool, wire: &mut Wire) {
        self.is_held = is_held;
        if !is_held {
            self.advance(wire);
        }
    }

    /// Has the node made and verified, whether or not anything is to be published.
    pub(super) fn prepare_node(&mut self, wire: &mut Wire) {
        self.node.prepare(wire);
    }

    /// The node, to be looked at.
    pub(super) fn node(&self) -> &OwnNode {
        &self.node
    }

    /// The node may be made, if it is missing.
    pub(super) fn allow_node(&mut self, wire: &mut Wire) {
        self.node.allow(wire);
    }

    /// Has the node made anew: nobody can tell who is subscribed to it.
    pub(super) fn remake_node(&mut self, fault: &str, wire: &mut Wire) {
        self.node.remake(fault, wire);
    }

    /// Whether something is to be published, or was.
    pub(super) fn has_something(&self) -> bool {
        self.waiting.is_some() || self.published
    }

    /// Asks again for what may hide the client and is not known, and for the node.
    pub(super) fn ask_again(&mut self, wire: &mut Wire) {
        if self.waiting.is_some() {
            self.visibility.prepare(wire);
            self.node.prepare(wire);
        }
    }

    /// What became of the questions for privacy lists, and for the node.
    pub(super) fn inquiries(&self) -> [&Inquiry; 3] {
        let [lists, list] = self.visibility.inquiries();
        [lists, list, self.node.inquiry()]
    }

    /// Has them asked again at once if they have failed.
    pub(super) fn hasten(&mut self) {
        self.visibility.hasten();
        self.node.hasten();
    }

    /// Whether it is known from whom the client hides.
    pub(super) fn is_visibility_known(&self) -> bool {
        self.visibility.is_known()
    }

    /// Whether the node is there, as it should be.
    pub(super) fn is_node_ready(&self) -> bool {
        self.node.is_ready()
    }

    /// Whether nothing more is to be asked about the node for now.
    pub(super) fn is_node_settled(&self) -> bool {
        self.node.is_ready() || self.node.is_unusable() || self.node.is_paused()
    }

    /// Whether the node was made in this session: nobody can be subscribed to it.
    pub(super) fn is_node_new(&self) -> bool {
        self.node.is_new()
    }

    /// Whether the client has said that it is available.
    pub(super) fn is_available(&self) -> bool {
        self.is_available
    }

    /// Whether the client is available and hidden from somebody.
    pub(super) fn hides(&self) -> bool {
        self.is_available && self.visibility.hides()
    }

    /// Notes a native presence of another resource of the account.
    pub(super) fn note_sibling(&mut self, resource: &str, is_marked: bool) {
        self.leftovers.note_native(resource, is_marked);
    }

    /// Whether the client was shown to anybody in this session, and still is.
    pub(super) fn was_published(&self) -> bool {
        self.published && self.publishing.is_none()
    }

    /// Goes on with the answer to an IQ of ours; the error condition if it is an error.
    pub(super) fn handle_reply(&mut self, purpose: Purpose, reply: Reply<'_>, wire: &mut Wire) {
        match purpose {
            Purpose::Node(step) => self.handle_node(step, reply, wire),
            Purpose::Publish => self.handle_published(reply, wire),
            Purpose::OwnItems => {
                if let Ok(items) = reply {
                    self.leftovers.handle_items(items, wire);
                }
            }
            Purpose::Ping(resource) => self.leftovers.handle_pong(&resource, reply, wire),
            Purpose::PrivacyLists => {
                self.change_visibility(wire, |visibility, wire| {
                    visibility.handle_lists(reply, wire);
                });
            }
            Purpose::PrivacyList => {
                self.change_visibility(wire, |visibility, wire| {
                    visibility.handle_list(reply, wire);
                });
            }
            // Nobody's.
            _ => {}
        }
    }

    fn handle_node(&mut self, step: Step, reply: Reply<'_>, wire: &mut Wire) {
        self.node.handle_reply(step, reply, wire);
        if self.node.is_paused() && self.waiting.is_some() {
            self.tell_failure(reply.err().unwrap_or(Refused::NoAnswer), wire);
        }
        self.advance(wire);
    }

    fn handle_published(&mut self, reply: Reply<'_>, wire: &mut Wire) {
        let payload = self.publishing.take();
        match reply {
            Ok(_) => {
                self.conflicts = 0;
                self.leftovers.search(wire);
            }
            // The node is not what was verified: whoever changed it, it is checked before anything is said.
            Err(Refused::With("conflict"))
                if self.conflicts < MOST_CONFLICTS && payload.is_some() =>
            {
                self.conflicts += 1;
                self.node.doubt();
                self.waiting = self.waiting.take().or(payload);
            }
            Err(refused) => {
                self.tell_failure(refused, wire);
                wire.log(Event::PublishFailed {
                    node: PRESENCE,
                    reason: refused.to_string(),
                });
            }
        }
        self.advance(wire);
    }

    /// Under [`Policy::Pure`], where no native presence has gone, the client is told that nobody sees it.
    fn tell_failure(&self, refused: Refused<'_>, wire: &mut Wire) {
        if self.policy != Policy::Pure {
            return;
        }
        let condition = refused.condition_or("remote-server-timeout");
        let to = wire.jid.clone();
        let (from, to) = (escape(jid::bare(&to)), escape(&to));
        let _ = write!(
            wire.to(Leg::Client),
            "<presence type='error' from='{from}' to='{to}'><error type='wait'><{condition} xmlns='{}'/></error></presence>",
            ns::STANZA_ERRORS
        );
    }

    /// Looks at a request of the client's that may change who sees it.
    pub(super) fn note_visibility_request(&mut self, iq: &Element<'_>, wire: &mut Wire) {
        self.change_visibility(wire, |visibility, wire| visibility.note_request(iq, wire));
    }

    /// Looks at an answer of the own server for the client that may say that such a request was refused.
    pub(super) fn note_visibility_answer(&mut self, iq: &Element<'_>, wire: &mut Wire) {
        if self.visibility.is_waiting() {
            self.change_visibility(wire, |visibility, _| visibility.note_answer(iq));
        }
    }

    /// Looks at a push of the own server about privacy lists.
    pub(super) fn note_visibility_push(&mut self, iq: &Element<'_>, wire: &mut Wire) {
        self.change_visibility(wire, |visibility, wire| visibility.note_push(iq, wire));
    }

    /// Whom the privacy list in force blocks, if that has changed since the last call.
    pub(super) fn changed_blocks(&mut self) -> Option<Blocked> {
        self.visibility.changed_blocks()
    }

    /// Whether the client is hidden from somebody, as far as is known.
    pub(super) fn is_hidden(&self) -> bool {
        self.visibility.is_hidden()
    }

    /// What is published again after hiding gets an id of its own. No native copy goes with it: whoever
    /// waits for one, or has seen one that others have not, must not take it for that.
    fn renew(&mut self, wire: &mut Wire) {
        if let (true, Some(payload)) = (std::mem::take(&mut self.hid), &self.waiting) {
            let payload = with_id(payload, wire.requests.id().as_str());
            self.current = Some(payload.clone());
            self.waiting = Some(payload);
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
                self.hid = true;
            }
            (true, false) => {
                self.renew(wire);
                self.advance(wire);
            }
            _ => self.advance(wire),
        }
    }
}

/// Listing 3.
fn write_publish(out: &mut BytesMut, item: &str, access: Access, payload: &[u8]) {
    request::publish(out, PRESENCE, item, access.as_str(), |out| {
        out.put_slice(payload);
    });
}

/// A payload with another id.
fn with_id(payload: &Bytes, id: &str) -> Bytes {
    let namespaces = Namespaces::of(&Tag::new("<stream>"));
    let mut changed = BytesMut::with_capacity(payload.len() + id.len());
    if let Some(presence) = Element::of_frame(payload, &namespaces) {
        rewrite(&mut changed, &presence, &[("id", Some(id))], |_| true, "");
    }
    changed.freeze()
}
