//! Native subscription stanzas to the server, no faster than it takes them.
//!
//! ejabberd takes five from a session, and a sixth only if it has taken none for a minute. It bounces the others,
//! after it has applied them to the own roster. The shim recognizes such a server by the first bounce.
//!
//! - `unsubscribed` and `unsubscribe` never wait: a contact just refused must not see the user for a minute. A bounced
//!   `unsubscribed` is done, as the server has sent the contact `unavailable`; the client sees the bounce, as it would
//!   without us. After a bounced `unsubscribe` the contact's server still sends presence, so it is sent again.
//! - `subscribe` and `subscribed` wait, and are sent again once after a bounce.
//! - When the session ends, waiting stanzas are sent, or come back to the client as errors.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{BufMut as _, Bytes};

use crate::translate::relation::Kind;
use crate::translate::{Wire, rules};
use crate::wire::Leg;
use crate::xml::{Element, escape};

/// Stanzas the server takes without a pause.
const MOST: usize = 5;
/// The pause after the last stanza taken: a minute, with some room for the server's clock and the way.
const PAUSE: Duration = Duration::from_secs(62);
/// Stanzas that may wait, and sent ones that are remembered.
const MOST_KEPT: usize = 64;
/// Bytes of waiting stanzas, and of sent ones.
const MOST_BYTES: usize = 64 * 1024;

/// A subscription stanza that was sent, or waits.
#[derive(Clone, Debug)]
struct Stanza {
    kind: Kind,
    account: Box<str>,
    /// The addressee as the client wrote it.
    to: Box<str>,
    id: Option<Box<str>>,
    bytes: Bytes,
    is_repeated: bool,
}

/// A stanza that may still be bounced.
#[derive(Debug)]
struct Sent {
    at: Duration,
    stanza: Stanza,
    /// A server like ejabberd bounces it, as it came too soon.
    is_too_soon: bool,
}

/// Stanzas that a server like ejabberd has taken since its last pause.
#[derive(Debug, Default)]
struct Allowance {
    taken: usize,
    /// When the server took the last one.
    last: Duration,
}

/// Subscription stanzas sent lately, and those that wait.
#[derive(Debug, Default)]
pub(super) struct Paced {
    allowance: Allowance,
    /// Stanzas sent lately, the newest last.
    sent: VecDeque<Sent>,
    waiting: VecDeque<Stanza>,
    /// The client is gone: a bounced stanza cannot be sent again.
    has_left: bool,
}

impl Paced {
    /// Sends a subscription stanza of the client's for `account` or lets it wait; `false`: there is no room for it.
    pub(super) fn send(
        &mut self,
        kind: Kind,
        presence: &Element<'_>,
        account: &str,
        wire: &mut Wire,
    ) -> bool {
        let stanza = Stanza {
            kind,
            account: account.into(),
            to: presence.attribute("to").unwrap_or_default().into(),
            id: presence.attribute("id").map(|id| (*id).into()),
            bytes: Bytes::copy_from_slice(presence.raw().as_bytes()),
            is_repeated: false,
        };
        self.queue(stanza, wire)
    }

    /// Repeats the client's answer, to a native request of a contact whose question was answered by form.
    pub(super) fn repeat(&mut self, kind: Kind, account: &str, wire: &mut Wire) {
        let id = wire.fresh_id();
        let (to, name) = (escape(account), kind.as_str());
        let bytes = format!("<presence to='{to}' type='{name}' id='{id}'/>").into();
        let stanza = Stanza {
            kind,
            account: account.into(),
            to: account.into(),
            id: Some(id.as_str().into()),
            bytes,
            is_repeated: false,
        };
        self.queue(stanza, wire);
    }

    /// Whether an approval of `account` waits.
    pub(super) fn is_approving(&self, account: &str) -> bool {
        self.waiting
            .iter()
            .any(|stanza| *stanza.account == *account && stanza.kind == Kind::Subscribed)
    }

    fn queue(&mut self, stanza: Stanza, wire: &mut Wire) -> bool {
        let is_urgent = matches!(stanza.kind, Kind::Unsubscribe | Kind::Unsubscribed);
        if !is_urgent && !self.has_room_for(&stanza) {
            return false;
        }
        // A newer stanza replaces waiting ones about the same half of the same subscription.
        self.waiting.retain(|other| !other.is_about_same(&stanza));
        if is_urgent {
            self.pass(stanza, wire);
            return true;
        }
        self.waiting.push_back(stanza);
        self.work(wire);
        if !self.waiting.is_empty() {
            wire.apply(&rules::PACED);
        }
        true
    }

    /// Whether `stanza` may wait, once it has replaced those about the same.
    fn has_room_for(&self, stanza: &Stanza) -> bool {
        let others = self
            .waiting
            .iter()
            .filter(|other| !other.is_about_same(stanza));
        let bytes: usize = others.clone().map(|other| other.bytes.len()).sum();
        others.count() < MOST_KEPT && bytes < MOST_BYTES
    }

    /// Drops waiting stanzas about `account`, and sends none again.
    pub(super) fn forget(&mut self, account: &str) {
        self.waiting.retain(|stanza| *stanza.account != *account);
        self.sent.retain(|sent| *sent.stanza.account != *account);
    }

    /// Sends the stanzas that may go now.
    pub(super) fn work(&mut self, wire: &mut Wire) {
        while !self.waiting.is_empty() && self.may_pass(wire) {
            if let Some(stanza) = self.waiting.pop_front() {
                self.pass(stanza, wire);
            }
        }
    }

    /// When a waiting stanza may go.
    pub(super) fn again_at(&self) -> Option<Duration> {
        (!self.waiting.is_empty()).then(|| self.allowance.last + PAUSE)
    }

    fn may_pass(&self, wire: &Wire) -> bool {
        !wire.facts.limits_subscriptions || self.allowance.has_room(wire.now)
    }

    /// Sends a stanza; gives whether a server like ejabberd takes it.
    fn pass(&mut self, stanza: Stanza, wire: &mut Wire) -> bool {
        wire.stanza(Leg::Server, |out| out.put_slice(&stanza.bytes));
        let is_taken = self.allowance.spend(wire.now);
        self.sent.push_back(Sent {
            at: wire.now,
            stanza,
            is_too_soon: !is_taken,
        });
        let mut bytes: usize = self.sent.iter().map(|sent| sent.stanza.bytes.len()).sum();
        while let Some(oldest) = self.sent.front()
            && (self.sent.len() > MOST_KEPT || bytes > MOST_BYTES || oldest.at + PAUSE <= wire.now)
        {
            bytes -= oldest.stanza.bytes.len();
            self.sent.pop_front();
        }
        is_taken
    }

    /// Handles the error with which a server bounces one stanza too many; `false`: the client is to see it.
    pub(super) fn handle_bounce(&mut self, error: &Element<'_>, wire: &mut Wire) -> bool {
        let from = error.attribute("from").unwrap_or_default();
        let id = error.attribute("id");
        let at = self.sent.iter().rposition(|sent| {
            *sent.stanza.account == *from && sent.stanza.id.as_deref() == id.as_deref()
        });
        let Some(at) = at else { return false };
        let sent = &self.sent[at];
        let is_limit = sent.is_too_soon || wire.facts.limits_subscriptions;
        if !is_limit || sent.at + PAUSE <= wire.now {
            return false;
        }
        self.allowance.taken = MOST;
        if !wire.facts.limits_subscriptions {
            wire.learn(|facts| facts.limits_subscriptions = true);
        }
        let stanza = &self.sent[at].stanza;
        let mut later = self.sent.iter().skip(at + 1).map(|sent| &sent.stanza);
        let is_overtaken = later.any(|other| other.is_about_same(stanza))
            || self.waiting.iter().any(|other| other.is_about_same(stanza));
        if stanza.kind == Kind::Unsubscribed
            || stanza.is_repeated
            || is_overtaken
            || self.has_left
            || self.waiting.len() >= MOST_KEPT
        {
            return false;
        }
        wire.apply(&rules::PACED);
        self.waiting.push_back(Stanza {
            is_repeated: true,
            ..stanza.clone()
        });
        true
    }

    /// Sends all waiting stanzas, as the client goes. The server's bounces go to the client; one that does not read
    /// them any more (`is_heard` is false) gets errors from us first.
    pub(super) fn leave(&mut self, is_heard: bool, wire: &mut Wire) {
        self.has_left = true;
        for stanza in std::mem::take(&mut self.waiting) {
            if !self.pass(stanza.clone(), wire) && !is_heard {
                stanza.give_back(wire);
            }
        }
    }

    /// Returns all waiting stanzas to the client as errors, as the server is gone.
    pub(super) fn give_back(&mut self, wire: &mut Wire) {
        for stanza in std::mem::take(&mut self.waiting) {
            stanza.give_back(wire);
        }
    }
}

impl Allowance {
    fn has_room(&self, now: Duration) -> bool {
        self.taken < MOST || self.last + PAUSE <= now
    }

    /// Counts a stanza that is sent; gives whether the server takes it.
    fn spend(&mut self, now: Duration) -> bool {
        if !self.has_room(now) {
            return false;
        }
        if self.last + PAUSE <= now {
            self.taken = 0;
        }
        self.taken += 1;
        self.last = now;
        true
    }
}

impl Stanza {
    /// Whether both are about the same half of the same subscription.
    fn is_about_same(&self, other: &Self) -> bool {
        *self.account == *other.account && self.kind.is_about_to() == other.kind.is_about_to()
    }

    /// Tells the client that its stanza was not sent. A stanza of our own has no such answer.
    fn give_back(&self, wire: &mut Wire) {
        let id = self.id.as_deref();
        if id.is_some_and(|id| wire.is_ours(id)) {
            return;
        }
        let attributes = [("from", Some(&*self.to)), ("id", id)];
        wire.show_error("presence", &attributes, "", "resource-constraint");
    }
}
