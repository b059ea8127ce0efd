//! The client's presence to publishes on its node `presence` (listings 1 and 3).

use std::fmt::Write as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::Ask;
use super::leftovers::Leftovers;
use super::visibility::Visibility;
use crate::policy::Policy;
use crate::pubsub::{PRESENCE, request};
use crate::translate::account::{Goodbye, Status};
use crate::translate::held::read_standalone;
use crate::translate::inquiry::Inquiry;
use crate::translate::marker::Marker;
use crate::translate::{self, Cx, Verdict, Wire, rules};
use crate::wire::{Event, Leg, Refused, Reply, StanzaError};
use crate::xml::{Element, escape, rewrite, rewrite_standalone};

/// Room for the parts of a publish around its payload, and the marker.
const PUBLISH_LEN: usize = 768;
/// Conflicts in a row after which a publish is given up.
const MOST_CONFLICTS: u8 = 3;

/// The own presence of one session.
pub(super) struct Announce {
    /// A native copy of each presence goes out, too; else the client is shown an error if nobody sees it.
    native_copy: bool,
    /// The newest payload that is not published yet.
    waiting: Option<Bytes>,
    /// The payload whose publish is not answered yet.
    publishing: Option<Bytes>,
    /// The client's last presence, while it is available.
    current: Option<Bytes>,
    /// `current` was sent while a privacy list hid the client; it is published with a new id when the list no
    /// longer hides it.
    hid: bool,
    /// The server may hold an item of this resource.
    published: bool,
    conflicts: u8,
    /// The client's last presence for everybody was available.
    is_available: bool,
    pub(super) visibility: Visibility,
    /// Items of other resources on the node.
    pub(super) leftovers: Leftovers,
}

impl Announce {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            native_copy: policy == Policy::Auto,
            waiting: None,
            publishing: None,
            current: None,
            hid: false,
            published: false,
            conflicts: 0,
            is_available: false,
            visibility: Visibility::default(),
            leftovers: Leftovers::default(),
        }
    }

    /// Handles a presence of the client's for everybody (listing 1): available and `unavailable` are published. The
    /// native copy goes first, as it waits for nothing, with the same id and the marker: a shim that has seen it
    /// recognizes the event that follows.
    pub(super) fn handle_client(&mut self, presence: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        let kind = presence.attribute("type");
        let is_available = match kind.as_deref() {
            None => true,
            Some("unavailable") => false,
            // The old protocol of invisibility: contacts must see the client as unavailable.
            Some("invisible") => {
                self.is_available = false;
                self.go_offline(cx);
                return Verdict::Pass;
            }
            Some(_) => return Verdict::Pass,
        };
        self.is_available = is_available;
        let has_id = presence.attribute("id").is_some_and(|id| !id.is_empty());
        let fresh = (!has_id).then(|| cx.wire.fresh_id());
        let id: &[_] = match &fresh {
            Some(id) => &[("id", Some(id.as_str()))],
            None => &[],
        };
        if self.native_copy {
            // Failed questions about privacy lists are asked again at once.
            self.visibility.hasten();
            cx.wire.apply(&rules::NATIVE_COPY);
            let marker = Marker {
                takes_chats: cx.account.takes_chats,
            };
            cx.wire.stanza(Leg::Server, |out| {
                // Room for the publish, too, so that the buffer grows once.
                out.reserve(2 * presence.raw().len() + PUBLISH_LEN);
                rewrite(out, presence, id, |_| true, marker.as_str());
            });
        }
        let mut payload =
            BytesMut::with_capacity(presence.raw().len() + cx.account.jid().len() + 128);
        let from = ("from", Some(cx.account.jid()));
        let changes: &[_] = match id {
            [id] => &[from, *id],
            _ => &[from],
        };
        rewrite_standalone(&mut payload, presence, changes, |_| true, "");
        if is_available {
            // If all pending changes leave the client visible, the server broadcasts the native copy to everybody.
            self.hid &= self.visibility.will_hide();
            cx.wire.apply(&rules::PUBLISH);
            let payload = payload.freeze();
            self.current = Some(payload.clone());
            self.waiting = Some(payload);
            self.advance(cx);
        } else if !cx.account.audience.is_right || self.visibility.holds() {
            // A recipient may still be one who must not see the client: publish a bare `unavailable`, without the
            // client's text.
            self.go_offline(cx);
        } else {
            self.withdraw(&payload, cx);
        }
        Verdict::Taken
    }

    /// Publishes `unavailable` and retracts the item, if a presence was published.
    pub(super) fn go_offline(&mut self, cx: &mut Cx<'_>) {
        let mut payload = BytesMut::new();
        if self.published {
            let id = cx.wire.fresh_id();
            let from = escape(cx.account.jid());
            let _ = write!(
                payload,
                "<presence xmlns='jabber:client' from='{from}' type='unavailable' id='{id}'/>"
            );
        }
        self.withdraw(&payload, cx);
    }

    /// Forgets publishes, as the server has ended the session: nothing can or need be withdrawn.
    pub(super) fn forget_published(&mut self) {
        self.current = None;
        self.waiting = None;
        self.publishing = None;
        self.published = false;
    }

    /// Publishes `payload` as the last event, then retracts our item. Other resources keep theirs.
    fn withdraw(&mut self, payload: &[u8], cx: &mut Cx<'_>) {
        let published = self.published;
        self.forget_published();
        if !published {
            return;
        }
        cx.wire.apply(&rules::WITHDRAW);
        // The answers are not waited for: the stream may end right after.
        let item = cx.account.resource().to_owned();
        let is_sent = cx.account.node.verified().is_some_and(|access| {
            cx.wire.tell("set", None, |out| {
                request::publish(out, PRESENCE, &item, Some(access), payload);
            })
        });
        if !is_sent {
            let reason = "nothing can be sent to the server any more".to_owned();
            let node = PRESENCE;
            cx.wire.log(Event::PublishFailed { node, reason });
        }
        cx.wire
            .tell("set", None, |out| request::retract(out, PRESENCE, &item));
    }

    /// Takes the next step for the payload that waits: checks the node or publishes.
    pub(super) fn advance(&mut self, cx: &mut Cx<'_>) {
        if self.waiting.is_none() || self.publishing.is_some() {
            return;
        }
        self.visibility.prepare(cx.wire);
        if cx.account.node.is_unusable() {
            self.waiting = None;
            self.tell_failure(Refused::With("service-unavailable"), cx);
        } else if !cx.account.node.is_ready() {
            cx.account.node.prepare(cx.wire);
        } else if self.visibility.holds() || !cx.account.audience.is_right {
            // The payload waits until the client may be seen again.
        } else if let Some(payload) = self.waiting.take() {
            if self.publish(&payload, cx) {
                self.published = true;
                self.publishing = Some(payload);
            } else {
                // Too many requests wait for the server: the next answer makes room.
                self.waiting = Some(payload);
            }
        }
    }

    /// Publishes under our resource, if the node is verified; `false`: the request could not be sent.
    fn publish(&self, payload: &[u8], cx: &mut Cx<'_>) -> bool {
        let access = cx.account.node.verified();
        if access.is_none() {
            return false;
        }
        let item = cx.account.resource().to_owned();
        // Only the answer to the newest publish counts.
        cx.wire
            .forget(|asked| matches!(asked, translate::Ask::Presence(Ask::Publish)));
        cx.wire.request("set", None, Ask::Publish, |out| {
            request::publish(out, PRESENCE, &item, access, payload);
        })
    }

    /// Publishes `unavailable` to all subscribers, if a presence was published; the client's last presence is
    /// published anew as soon as publishing is allowed again.
    fn take_back(&mut self, cx: &mut Cx<'_>) {
        if !self.published || !cx.account.node.is_ready() {
            return;
        }
        let current = self.current.take();
        self.go_offline(cx);
        // The new id keeps a shim that has seen the native copy, and then `unavailable`, from taking this event for
        // that copy.
        let current = current.map(|payload| with_id(&payload, cx.wire.fresh_id().as_str()));
        self.current.clone_from(&current);
        self.waiting = current;
    }

    /// Says farewell to contacts that are taken out of the node, then goes on with the payload that waits for the
    /// node, for room, or until the client may be seen. `false`: there was nothing to do.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>) -> bool {
        let farewell = cx.account.audience.farewell.take();
        if farewell.is_none() && self.waiting.is_none() {
            return false;
        }
        let is_left = match farewell {
            None | Some(Goodbye::AfterAll) => false,
            // A publish answered before the push came had reached the contact before the server's `unavailable`.
            Some(Goodbye::BeforePush) => self.publishing.is_some(),
            Some(Goodbye::Never) => true,
        };
        if is_left {
            self.take_back(cx);
        }
        self.advance(cx);
        true
    }

    /// When failed questions about privacy lists are asked again.
    pub(super) fn again_at(&self) -> Option<Duration> {
        let inquiries = self.visibility.inquiries().into_iter();
        inquiries.filter_map(Inquiry::again_at).min()
    }

    /// The client's presence and visibility.
    pub(super) fn status(&self) -> Status {
        Status {
            is_available: self.is_available,
            is_hidden: self.visibility.is_hidden(),
            may_be_hidden: self.is_available && self.visibility.hides(),
            is_visibility_known: self.visibility.is_known(),
            has_something: self.waiting.is_some() || self.published,
            was_published: self.published && self.publishing.is_none(),
        }
    }

    /// Handles the answer to a step of making and verifying the node. If the node is paused, `reply` is the cause.
    pub(super) fn handle_node(&mut self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        if cx.account.node.is_paused() && self.waiting.is_some() {
            self.tell_failure(reply.err().unwrap_or(Refused::NoAnswer), cx);
        }
        self.advance(cx);
    }

    /// Handles the answer to a publish (listing 3).
    pub(super) fn handle_published(&mut self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let payload = self.publishing.take();
        match reply {
            Ok(_) => {
                self.conflicts = 0;
                self.leftovers.search(cx);
            }
            // The node has changed since it was verified: verify it before publishing again.
            Err(Refused::With("conflict"))
                if self.conflicts < MOST_CONFLICTS && payload.is_some() =>
            {
                self.conflicts += 1;
                cx.account.node.doubt();
                self.waiting = self.waiting.take().or(payload);
            }
            Err(refused) => {
                self.tell_failure(refused, cx);
                cx.wire.log(Event::PublishFailed {
                    node: PRESENCE,
                    reason: refused.to_string(),
                });
            }
        }
        self.advance(cx);
    }

    /// Shows the client an error if nobody sees it, as no native presence has gone out.
    fn tell_failure(&self, refused: Refused<'_>, cx: &mut Cx<'_>) {
        if self.native_copy {
            return;
        }
        let (from, to) = (cx.account.bare(), cx.account.jid());
        let attributes = [("from", Some(from)), ("to", Some(to))];
        let error = StanzaError::new("wait", refused.condition());
        cx.wire.show_error("presence", &attributes, "", error);
    }

    /// Gives a presence that is published again after hiding a new id. No native copy goes with it, and a shim that
    /// waits for one, or has seen an earlier one, must not take it for that.
    fn renew(&mut self, cx: &mut Cx<'_>) {
        if let (true, Some(payload)) = (std::mem::take(&mut self.hid), &self.waiting) {
            let payload = with_id(payload, cx.wire.fresh_id().as_str());
            self.current = Some(payload.clone());
            self.waiting = Some(payload);
        }
    }

    /// Applies a change of visibility, then hides the client or shows it again.
    pub(super) fn change_visibility(
        &mut self,
        cx: &mut Cx<'_>,
        change: impl FnOnce(&mut Visibility, &mut Wire),
    ) {
        let was_hidden = self.visibility.hides();
        change(&mut self.visibility, cx.wire);
        match (was_hidden, self.visibility.hides()) {
            (false, true) => {
                cx.wire.apply(&rules::HIDE);
                let current = self.current.clone();
                self.go_offline(cx);
                self.current.clone_from(&current);
                self.waiting = current;
                self.hid = true;
            }
            (true, false) => {
                self.renew(cx);
                self.advance(cx);
            }
            _ => self.advance(cx),
        }
    }
}

/// The payload with another id.
fn with_id(payload: &Bytes, id: &str) -> Bytes {
    let mut changed = BytesMut::with_capacity(payload.len() + id.len());
    read_standalone(payload, |presence| {
        rewrite(&mut changed, presence, &[("id", Some(id))], |_| true, "");
    });
    changed.freeze()
}
