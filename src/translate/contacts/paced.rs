//! Native subscription stanzas to the server, no faster than it takes them.
//!
//! ejabberd takes five from a session, and a sixth only if it has taken none for a minute. The others it
//! bounces, after it has done in the own roster what they say. Which server does so is found out by its
//! bouncing one.
//!
//! - `unsubscribed` and `unsubscribe` never wait: the user must not be seen for a minute by whom he has just
//!   refused. A bounced `unsubscribed` is done, since the server has sent the contact `unavailable`; that
//!   the contact was told no more than this is for the client to know, as it would be without us. After a
//!   bounced `unsubscribe` the contact's server still sends presence, so that one is sent again.
//! - `subscribe` and `subscribed` wait, and are sent again after a bounce, once.
//! - When the session ends, whatever waits is sent, or comes back to the client as an error.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{BufMut as _, Bytes};

use crate::translate::relation::Kind;
use crate::translate::{Wire, rules};
use crate::wire::{Leg, ServerFacts};
use crate::xml::{Element, escape};

/// So many the server takes without a pause.
const MOST: usize = 5;
/// So long after the last one it took it takes more: a minute, with some room for its clock and the way.
const PAUSE: Duration = Duration::from_secs(62);
/// So many may wait, and so many are remembered that were sent.
const MOST_KEPT: usize = 64;
/// So many bytes of either.
const MOST_BYTES: usize = 64 * 1024;

/// A stanza that was sent, or waits.
#[derive(Clone, Debug)]
struct Stanza {
    kind: Kind,
    account: Box<str>,
    /// As the client wrote it.
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
    /// A server like ejabberd does not take it: it came too soon.
    is_too_soon: bool,
}

/// How many a server like ejabberd has taken since its last pause.
#[derive(Debug, Default)]
struct Allowance {
    taken: usize,
    /// When it took the last one.
    last: Duration,
}

/// What was sent lately and what waits.
#[derive(Debug, Default)]
pub(super) struct Paced {
    allowance: Allowance,
    /// The newest last.
    sent: VecDeque<Sent>,
    waiting: VecDeque<Stanza>,
    /// Nothing is sent any more, so no bounce can be made good.
    has_left: bool,
}

impl Paced {
    /// Sends a subscription stanza of the client's for `account` or lets it wait; `false` if there is no
    /// room for it.
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

    /// Gives the answer of the client's once more, to a request that came by another way.
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
        // What waits about the same half of the same subscription is overtaken by it.
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

    /// Whether `stanza` may wait, once it has overtaken what waits about the same.
    fn has_room_for(&self, stanza: &Stanza) -> bool {
        let others = self
            .waiting
            .iter()
            .filter(|other| !other.is_about_same(stanza));
        let bytes: usize = others.clone().map(|other| other.bytes.len()).sum();
        others.count() < MOST_KEPT && bytes < MOST_BYTES
    }

    /// Nothing about `account` is to be sent any more, nor sent again.
    pub(super) fn forget(&mut self, account: &str) {
        self.waiting.retain(|stanza| *stanza.account != *account);
        self.sent.retain(|sent| *sent.stanza.account != *account);
    }

    /// Sends what may be sent now.
    pub(super) fn work(&mut self, wire: &mut Wire) {
        while !self.waiting.is_empty() && self.may_pass(wire) {
            if let Some(stanza) = self.waiting.pop_front() {
                self.pass(stanza, wire);
            }
        }
    }

    /// When something may be sent that waits.
    pub(super) fn again_at(&self) -> Option<Duration> {
        (!self.waiting.is_empty()).then(|| self.allowance.last + PAUSE)
    }

    fn may_pass(&self, wire: &Wire) -> bool {
        !wire.facts.limits_subscriptions || self.allowance.has_room(wire.now)
    }

    /// Sends a stanza; whether a server like ejabberd takes it.
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

    /// Takes the error with which a server refuses one stanza too many; `false` if it is the client's.
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
            wire.learn(ServerFacts {
                limits_subscriptions: true,
                ..wire.facts
            });
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

    /// The client goes, so whatever waits is sent now. What the server does not take it bounces to the
    /// client; one that does not hear that any more (`is_heard` is false) is told before.
    pub(super) fn leave(&mut self, is_heard: bool, wire: &mut Wire) {
        self.has_left = true;
        for stanza in std::mem::take(&mut self.waiting) {
            if !self.pass(stanza.clone(), wire) && !is_heard {
                stanza.give_back(wire);
            }
        }
    }

    /// The server is gone: whatever waits comes back to the client.
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

    /// One is sent; whether the server takes it.
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
    /// Whether both speak of the same half of the same subscription.
    fn is_about_same(&self, other: &Self) -> bool {
        *self.account == *other.account && self.kind.is_about_to() == other.kind.is_about_to()
    }

    /// Tells the client that it was not sent, unless the client did not write it.
    fn give_back(&self, wire: &mut Wire) {
        let id = self.id.as_deref();
        if id.is_some_and(|id| wire.is_ours(id)) {
            return;
        }
        let attributes = [("from", Some(&*self.to)), ("id", id)];
        wire.show_error("presence", &attributes, "wait", "resource-constraint");
    }
}
