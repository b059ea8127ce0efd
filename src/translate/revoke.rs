//! Ending subscriptions to our node, so that delivery really ends.
//!
//! Each server has a trap: on Prosody a subscription outlives the affiliation, on ejabberd nobody can list
//! who has one, and both stop at the first error of several changes in one request. So first the
//! subscriptions go, each recorded JID of the account by itself, then the affiliation; then it is looked
//! whether that is so. Until then nothing is published.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::authorization::set_subscription;
use super::presence::NODE;
use super::{Purpose, rules};
use crate::jid;
use crate::ns;
use crate::session::{Event, Wire};
use crate::xml::{Element, escape};

/// So many accounts may wait.
const MOST_WAITING: usize = 1024;
/// So often an account may turn out to be subscribed after all.
const MOST_TRIES: u8 = 2;

/// Accounts whose subscriptions are being ended, one after the other.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    /// The first is in work.
    waiting: VecDeque<Revocation>,
    step: Step,
}

#[derive(Debug)]
struct Revocation {
    /// An account, or a whole domain.
    whom: Box<str>,
    /// Full JIDs that were approved, too.
    jids: Vec<Box<str>>,
    tries: u8,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Idle,
    /// The list of who is subscribed.
    List,
    /// What is on record, as nobody lists them.
    Record,
    /// The answer to the last of what was sent.
    Ending { is_listed: bool },
    /// The list as it is after it.
    Verifying,
}

impl Revocations {
    /// Whether somebody is still to be kept from seeing anything.
    pub(super) fn is_open(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether `account` is still to be kept from seeing anything.
    pub(super) fn concerns(&self, account: &str) -> bool {
        self.waiting
            .iter()
            .any(|revocation| *revocation.whom == *account)
    }

    /// Ends what `whom` (an account, or a whole domain) has subscribed to; `jids` were approved, too.
    pub(super) fn revoke(&mut self, whom: &str, jids: Vec<Box<str>>, wire: &mut Wire) {
        if self.waiting.len() >= MOST_WAITING {
            return wire.log(Event::RevokeFailed {
                whom: whom.to_owned(),
                reason: "too many at once".to_owned(),
            });
        }
        if self.waiting.iter().any(|other| *other.whom == *whom) {
            return;
        }
        wire.apply(&rules::REVOKE);
        self.waiting.push_back(Revocation {
            whom: whom.into(),
            jids,
            tries: 0,
        });
        self.go_on(wire);
    }

    fn go_on(&mut self, wire: &mut Wire) {
        while self.step == Step::Idle && self.is_open() {
            self.step = Step::List;
            if !ask(wire) {
                self.give_up("too many requests wait for the server", wire);
            }
        }
    }

    fn give_up(&mut self, reason: &str, wire: &mut Wire) {
        self.step = Step::Idle;
        if let Some(revocation) = self.waiting.pop_front() {
            wire.log(Event::RevokeFailed {
                whom: revocation.whom.into(),
                reason: reason.to_owned(),
            });
        }
    }

    /// Who is to be revoked now, without a list of subscribers; `None`: it is not that far.
    pub(super) fn unlisted(&self) -> Option<&str> {
        let is_unlisted = matches!(self.step, Step::List | Step::Record);
        let revocation = self.waiting.front().filter(|_| is_unlisted)?;
        Some(&revocation.whom)
    }

    /// What is on record has to be read before it goes on.
    pub(super) fn wait_for_record(&mut self) {
        self.step = Step::Record;
    }

    /// Whether it waits for that.
    pub(super) fn waits_for_record(&self) -> bool {
        self.step == Step::Record
    }

    /// These JIDs of the first were approved, too.
    pub(super) fn add(&mut self, jids: Vec<Box<str>>) {
        if let Some(revocation) = self.waiting.front_mut() {
            revocation.jids.extend(jids);
        }
    }

    /// Goes on with the list of subscribers, or without one.
    pub(super) fn handle_subscribers(
        &mut self,
        reply: Result<&Element<'_>, &str>,
        wire: &mut Wire,
    ) {
        let Some(revocation) = self.waiting.front_mut() else {
            self.step = Step::Idle;
            return;
        };
        let listed = reply.ok().map(|iq| subscribers_of(iq, &revocation.whom));
        match (self.step, &listed) {
            (Step::Verifying, Some(left)) if !left.is_empty() && revocation.tries < MOST_TRIES => {}
            (Step::Verifying, Some(left)) if !left.is_empty() => {
                self.give_up("the server keeps the subscription", wire);
                return self.go_on(wire);
            }
            (Step::Verifying, _) => {
                self.waiting.pop_front();
                self.step = Step::Idle;
                return self.go_on(wire);
            }
            _ => {}
        }
        revocation.tries += 1;
        let is_listed = listed.is_some();
        // Where nobody can list them: a shim subscribes with the bare JID.
        let jids = listed.unwrap_or_else(|| {
            let recorded = revocation.jids.iter().map(|jid| jid.to_string());
            recorded.chain([revocation.whom.to_string()]).collect()
        });
        for jid in &jids {
            set_subscription(jid, false, wire);
        }
        let whom = revocation.whom.clone();
        self.step = Step::Ending { is_listed };
        let sent = wire.request("set", None, Purpose::Revoked, |out| {
            let _ = write!(
                out,
                "<pubsub xmlns='{}'><affiliations node='{NODE}'><affiliation jid='{}' affiliation='none'/></affiliations></pubsub>",
                ns::PUBSUB_OWNER,
                escape(&whom)
            );
        });
        if !sent {
            self.give_up("too many requests wait for the server", wire);
            self.go_on(wire);
        }
    }

    /// The affiliation was taken, or not: Prosody says `forbidden` and does it all the same.
    pub(super) fn handle_revoked(&mut self, wire: &mut Wire) {
        let is_listed = matches!(self.step, Step::Ending { is_listed: true });
        self.step = Step::Verifying;
        if !is_listed || !ask(wire) {
            self.waiting.pop_front();
            self.step = Step::Idle;
            self.go_on(wire);
        }
    }
}

fn ask(wire: &mut Wire) -> bool {
    wire.request("get", None, Purpose::Subscribers, |out| {
        let _ = write!(
            out,
            "<pubsub xmlns='{}'><subscriptions node='{NODE}'/></pubsub>",
            ns::PUBSUB_OWNER
        );
    })
}

/// The subscribed JIDs in an answer that belong to `account`, which may be a domain.
fn subscribers_of(iq: &Element<'_>, account: &str) -> Vec<String> {
    subscriptions_in(iq)
        .into_iter()
        .map(|(jid, _)| jid)
        .filter(|jid| jid::bare(jid) == account || jid::domain(jid) == account || jid == account)
        .collect()
}

/// Who is subscribed to a node by an answer about it, pending ones included (XEP-0060 §8.8.1).
pub(super) fn subscriptions_in(iq: &Element<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for pubsub in iq.children() {
        for subscriptions in pubsub
            .children()
            .filter(|child| child.local() == "subscriptions")
        {
            for subscription in subscriptions.children() {
                let jid = subscription.attribute("jid").unwrap_or_default();
                let state = subscription.attribute("subscription").unwrap_or_default();
                if state != "none" {
                    found.push((jid.into_owned(), state.into_owned()));
                }
            }
        }
    }
    found
}
