//! Native subscription stanzas to the server, no faster than it takes them.
//!
//! ejabberd takes five a minute from a session and bounces the others, though it has noted them in the
//! roster already. Which server does so is found out by its bouncing one; that one is sent again.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::handshake::Kind;
use super::rules;
use crate::session::{Leg, ServerFacts, Wire};
use crate::xml::{Element, escape};

/// So many go at once.
const MOST: usize = 5;
/// In so long; with some room for the server's clock.
const WINDOW: Duration = Duration::from_secs(62);
/// So many may wait.
const MOST_WAITING: usize = 64;

/// A stanza that was sent, or waits.
#[derive(Clone, Debug)]
struct Stanza {
    kind: Kind,
    account: Box<str>,
    id: Option<Box<str>>,
    bytes: Bytes,
    is_repeated: bool,
}

/// What was sent in the last minute and what waits.
#[derive(Debug, Default)]
pub(super) struct Natives {
    /// The newest last.
    sent: VecDeque<(Duration, Stanza)>,
    waiting: VecDeque<Stanza>,
}

impl Natives {
    /// Sends a subscription stanza of the client's for `account` or lets it wait; `false` if there is no
    /// room for it.
    pub(super) fn send(
        &mut self,
        kind: Kind,
        presence: &Element<'_>,
        account: &str,
        wire: &mut Wire,
    ) -> bool {
        let id = presence.attribute("id").map(|id| (*id).into());
        let bytes = Bytes::copy_from_slice(presence.raw().as_bytes());
        self.queue(kind, account, id, bytes, wire)
    }

    /// Gives the answer of the client's once more, to a request that came by another way.
    pub(super) fn repeat(&mut self, kind: Kind, account: &str, wire: &mut Wire) {
        let id = wire.requests.id();
        let (to, name) = (escape(account), kind.as_str());
        let stanza = format!("<presence to='{to}' type='{name}' id='{id}'/>");
        self.queue(kind, account, Some(id.as_str().into()), stanza.into(), wire);
    }

    /// Whether something for `account` waits.
    pub(super) fn is_waiting(&self, account: &str) -> bool {
        self.waiting
            .iter()
            .any(|stanza| *stanza.account == *account)
    }

    fn queue(
        &mut self,
        kind: Kind,
        account: &str,
        id: Option<Box<str>>,
        bytes: Bytes,
        wire: &mut Wire,
    ) -> bool {
        // What waits about the same half of the same subscription is overtaken by it.
        self.waiting.retain(|stanza| {
            *stanza.account != *account || stanza.kind.is_about_to() != kind.is_about_to()
        });
        if self.waiting.len() >= MOST_WAITING {
            return false;
        }
        self.waiting.push_back(Stanza {
            kind,
            account: account.into(),
            id,
            bytes,
            is_repeated: false,
        });
        self.work(wire);
        if !self.waiting.is_empty() {
            wire.apply(&rules::PACED);
        }
        true
    }

    /// Nothing that waits for `account` is to be sent any more.
    pub(super) fn forget(&mut self, account: &str) {
        self.waiting.retain(|stanza| *stanza.account != *account);
    }

    /// Sends what may be sent now.
    pub(super) fn work(&mut self, wire: &mut Wire) {
        while self
            .sent
            .front()
            .is_some_and(|(at, _)| *at + WINDOW <= wire.now)
        {
            self.sent.pop_front();
        }
        while !wire.facts.limits_subscriptions || self.sent.len() < MOST {
            let Some(stanza) = self.waiting.pop_front() else {
                return;
            };
            wire.send(Leg::Server, &stanza.bytes);
            self.sent.push_back((wire.now, stanza));
        }
    }

    /// When something may be sent that waits.
    pub(super) fn again_at(&self) -> Option<Duration> {
        let (at, _) = self.sent.front()?;
        (!self.waiting.is_empty()).then_some(*at + WINDOW)
    }

    /// Takes the error with which a server refuses one stanza too many; it is sent again later, once.
    pub(super) fn handle_bounce(&mut self, error: &Element<'_>, wire: &mut Wire) -> bool {
        let is_limit = self.sent.len() > MOST || wire.facts.limits_subscriptions;
        let from = error.attribute("from").unwrap_or_default();
        let id = error.attribute("id");
        let at = self.sent.iter().rposition(|(_, stanza)| {
            *stanza.account == *from && stanza.id.as_deref() == id.as_deref()
        });
        let Some((_, stanza)) = at.and_then(|at| self.sent.get(at)).filter(|_| is_limit) else {
            return false;
        };
        if stanza.is_repeated {
            return false;
        }
        let stanza = Stanza {
            is_repeated: true,
            ..stanza.clone()
        };
        if !wire.facts.limits_subscriptions {
            wire.learn(ServerFacts {
                limits_subscriptions: true,
                ..wire.facts
            });
        }
        wire.apply(&rules::PACED);
        self.waiting.push_back(stanza);
        true
    }
}
