//! Ending subscriptions to our node, so that delivery really ends.
//!
//! Each server has a trap: on Prosody a subscription outlives the affiliation, ejabberd does not list subscribers, and
//! both stop at the first error of several changes in one request. So first the subscriptions are ended, each JID by
//! itself, then the affiliation; then a new list has to confirm it. One list serves all who wait. Until all are out
//! nothing is published: refused changes are repeated for as long as the session lasts.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::BytesMut;

use super::{Ask, Contacts};
use crate::jid;
use crate::pubsub::{PRESENCE, answer, request};
use crate::translate::inquiry::pause_after;
use crate::translate::{self, Cx, Wire, rules};
use crate::wire::{Event, Refused, Reply};

/// Accounts that may wait. Beyond that, nothing is published any more in this session.
const MOST_WAITING: usize = 4096;
/// Changes sent at once when the session ends. The rest is found at the next login, before anything is published.
const MOST_AT_END: usize = 256;
/// Failures after which the user is told.
const MOST_TRIES: u8 = 3;

/// Accounts whose subscriptions are being ended: all due ones together, later ones after them.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    waiting: Vec<Revocation>,
    /// Too many accounts were to be revoked.
    is_overfull: bool,
    step: Step,
    /// The server may list subscribers, so the list decides whether those in work are out.
    is_listed: bool,
    /// Changes still to be sent.
    changes: VecDeque<Change>,
    /// Accounts whose removal is confirmed; the caller takes them to update the record.
    done: Vec<Box<str>>,
}

#[derive(Debug)]
struct Revocation {
    /// An account or a whole domain.
    whom: Box<str>,
    state: State,
    tries: u8,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// To be begun, at this time.
    At(Duration),
    /// In work, with the error if the server refused a change.
    Ending(Option<String>),
    /// Every removal was acknowledged; a new list of subscribers must confirm it.
    Ended,
}

/// The answer that is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Idle,
    /// The list of subscribers.
    List,
    /// The record, as the server does not list subscribers.
    Record,
    /// The answers to changes.
    Ending,
}

/// One change at the server: ends a subscription, or (without a JID) the affiliation.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    whom: Box<str>,
    jid: Option<Box<str>>,
}

impl Change {
    fn write(&self, out: &mut BytesMut) {
        match &self.jid {
            Some(jid) => request::set_subscription(out, PRESENCE, jid, "none"),
            None => request::set_affiliation(out, PRESENCE, [&*self.whom], "none"),
        }
    }
}

impl Revocation {
    fn is_due(&self, now: Duration) -> bool {
        match self.state {
            State::At(at) => at <= now,
            State::Ending(_) => false,
            State::Ended => true,
        }
    }

    fn fail(&mut self, reason: &str, wire: &mut Wire) {
        self.state = State::At(wire.now + pause_after(self.tries));
        self.tries = self.tries.saturating_add(1);
        if self.tries == MOST_TRIES {
            wire.log(Event::RevokeFailed {
                whom: self.whom.clone().into(),
                reason: reason.to_owned(),
            });
        }
    }
}

impl Revocations {
    /// Whether a revocation is not confirmed yet.
    pub(super) fn is_open(&self) -> bool {
        !self.waiting.is_empty() || self.is_overfull
    }

    /// Whether the revocation of `account` is not confirmed yet.
    pub(super) fn concerns(&self, account: &str) -> bool {
        self.waiting
            .iter()
            .any(|revocation| *revocation.whom == *account)
    }

    /// Ends the subscriptions of `whom` (an account or a whole domain).
    pub(super) fn revoke(&mut self, whom: &str, wire: &mut Wire) {
        let known = self.waiting.iter_mut().find(|other| *other.whom == *whom);
        if let Some(revocation) = known {
            if let State::At(at) = &mut revocation.state {
                *at = wire.now.min(*at);
            }
            return;
        }
        if self.waiting.len() >= MOST_WAITING {
            if !std::mem::replace(&mut self.is_overfull, true) {
                wire.log(Event::RevokeFailed {
                    whom: whom.to_owned(),
                    reason: "too many at once; log in again".to_owned(),
                });
            }
            return;
        }
        wire.apply(&rules::REVOKE);
        self.waiting.push(Revocation {
            whom: whom.into(),
            state: State::At(wire.now),
            tries: 0,
        });
        self.work(wire);
    }

    /// Stops revoking `whom`, who may see our node again. Answers to changes already sent do not matter, as later
    /// requests take effect after them.
    pub(super) fn cancel(&mut self, whom: &str, wire: &mut Wire) {
        self.waiting.retain(|revocation| *revocation.whom != *whom);
        self.changes.retain(|change| *change.whom != *whom);
        wire.forget(|asked| {
            matches!(asked, translate::Ask::Contacts(Ask::Revoked(change)) if *change.whom == *whom)
        });
    }

    /// Sends the changes that may go now, and concludes or begins a round.
    fn work(&mut self, wire: &mut Wire) {
        while let Some(spare) = wire.spare()
            && let Some(change) = self.changes.pop_front()
        {
            let asked = Ask::Revoked(change.clone());
            spare.request("set", None, asked, |out| change.write(out));
        }
        let is_open = wire
            .asked()
            .any(|asked| matches!(asked, translate::Ask::Contacts(Ask::Revoked(_))));
        if self.step == Step::Ending && self.changes.is_empty() && !is_open {
            self.conclude(wire);
        }
        let is_due = self
            .waiting
            .iter()
            .any(|revocation| revocation.is_due(wire.now));
        // Without room for the question, the next answer makes some.
        if self.step == Step::Idle && is_due && ask_for_subscribers(wire) {
            self.step = Step::List;
        }
    }

    /// When [`work`](Self::work) can go on, if no answer comes first.
    pub(super) fn again_at(&self, wire: &Wire) -> Option<Duration> {
        if !self.changes.is_empty() {
            return wire.may_work_at();
        }
        let pauses = self.waiting.iter().filter_map(|revocation| {
            let State::At(at) = revocation.state else {
                return None;
            };
            Some(at).filter(|at| *at > wire.now && self.step == Step::Idle)
        });
        pauses.min()
    }

    /// Concludes a round, after all answers: on servers without a list, accounts without an error are out.
    fn conclude(&mut self, wire: &mut Wire) {
        self.step = Step::Idle;
        for revocation in &mut self.waiting {
            let State::Ending(refused) = &mut revocation.state else {
                continue;
            };
            match refused.take() {
                Some(reason) => revocation.fail(&reason, wire),
                None if self.is_listed => revocation.state = State::Ended,
                None => self.done.push(revocation.whom.clone()),
            }
        }
        self.forget_done();
    }

    fn forget_done(&mut self) {
        let done = &self.done;
        self.waiting
            .retain(|revocation| !done.contains(&revocation.whom));
    }

    /// Handles the list of subscribers: begins to revoke due accounts, and confirms those that are out.
    fn handle_subscribers(&mut self, list: Vec<(Box<str>, Box<str>)>, wire: &mut Wire) {
        self.step = Step::Ending;
        self.is_listed = true;
        let due = self.waiting.iter_mut().filter(|one| one.is_due(wire.now));
        let mut due: HashMap<Box<str>, (&mut Revocation, Vec<Box<str>>)> = due
            .map(|revocation| (revocation.whom.clone(), (revocation, Vec::new())))
            .collect();
        for (jid, _) in list {
            // Each JID is ended once, also if its whole domain is revoked.
            let prepared = jid::prepared(&jid);
            let names = [jid::bare(&prepared), jid::domain(&prepared), &*prepared];
            let whom = names.into_iter().find(|name| due.contains_key(*name));
            if let Some((_, jids)) = whom.and_then(|whom| due.get_mut(whom)) {
                jids.push(jid.clone());
            }
        }
        let mut due: Vec<_> = due.into_values().collect();
        due.sort_unstable_by(|(one, _), (other, _)| one.whom.cmp(&other.whom));
        for (revocation, jids) in due {
            if revocation.state != State::Ended {
                revocation.state = State::Ending(None);
                self.changes.extend(changes(&revocation.whom, jids));
            } else if jids.is_empty() {
                self.done.push(revocation.whom.clone());
            } else {
                revocation.fail("the server keeps the subscription", wire);
            }
        }
        self.forget_done();
    }

    /// Handles an error in place of the list of subscribers.
    fn handle_unlisted(&mut self, refused: Refused<'_>, wire: &mut Wire) {
        // After a temporary error, the next list decides.
        let is_missing = refused == Refused::With("item-not-found");
        self.is_listed = !refused.is_unsupported() && !is_missing;
        let reason = format!("who is subscribed cannot be looked up: {refused}");
        for revocation in &mut self.waiting {
            if revocation.state == State::Ended {
                revocation.fail(&reason, wire);
            }
        }
        let is_due = self.waiting.iter().any(|one| one.is_due(wire.now));
        self.step = if is_due { Step::Record } else { Step::Idle };
    }

    /// Ends the recorded subscriptions of due accounts, whose JIDs `jids_of` gives.
    fn end_recorded(&mut self, jids_of: impl Fn(&str) -> Vec<Box<str>>, now: Duration) {
        self.step = Step::Ending;
        for revocation in self.waiting.iter_mut().filter(|one| one.is_due(now)) {
            let mut jids = jids_of(&revocation.whom);
            // A shim subscribes with the bare JID.
            if !jids.contains(&revocation.whom) {
                jids.push(revocation.whom.clone());
            }
            revocation.state = State::Ending(None);
            self.changes.extend(changes(&revocation.whom, jids));
        }
    }

    /// Sends the remaining changes at once as the session ends, without waiting for answers; `jids_of` gives the JIDs
    /// of accounts not begun yet.
    fn end_at_once(&mut self, jids_of: impl Fn(&str) -> Vec<Box<str>>, wire: &mut Wire) {
        let mut left = std::mem::take(&mut self.waiting);
        left.retain(|revocation| matches!(revocation.state, State::At(_)));
        for revocation in left {
            let mut jids = jids_of(&revocation.whom);
            jids.push(revocation.whom.clone());
            self.changes.extend(changes(&revocation.whom, jids));
        }
        for change in self.changes.drain(..).take(MOST_AT_END) {
            wire.tell("set", None, |out| change.write(out));
        }
    }

    /// Handles the answer to a change.
    pub(super) fn handle_revoked(&mut self, change: &Change, reply: Reply<'_>) {
        let Err(refused) = reply else { return };
        let condition = refused.condition();
        let is_done = match change.jid {
            // The JID is not subscribed.
            Some(_) => {
                self.is_listed
                    || matches!(
                        condition,
                        "not-subscribed" | "unexpected-request" | "item-not-found"
                    )
            }
            // Prosody answers `forbidden` and does it all the same.
            None => matches!(condition, "forbidden" | "item-not-found"),
        };
        let mut waiting = self.waiting.iter_mut();
        if !is_done && let Some(revocation) = waiting.find(|other| other.whom == change.whom) {
            revocation.state = State::Ending(Some(refused.to_string()));
        }
    }
}

impl Contacts {
    /// Handles the answer to a revocation's question for subscribers.
    pub(super) fn handle_revoking(&mut self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        // An answer without a list confirms no removal.
        match reply.and_then(|iq| answer::subscriptions(iq).ok_or(Refused::NoList)) {
            Ok(list) => self.revocations.handle_subscribers(list, cx.wire),
            Err(refused) => self.revocations.handle_unlisted(refused, cx.wire),
        }
        self.work_at_revocations(cx);
    }

    /// Goes on with revocations. On servers that do not list subscribers, the record has the JIDs to be ended.
    pub(super) fn work_at_revocations(&mut self, cx: &mut Cx<'_>) {
        if self.revocations.step == Step::Record {
            self.record.read(cx.wire);
            if self.is_record_read() {
                let contacts = &cx.account.people;
                self.revocations
                    .end_recorded(|account| contacts.jids_of(account), cx.wire.now);
            }
        }
        self.revocations.work(cx.wire);
        let done = std::mem::take(&mut self.revocations.done);
        for account in &done {
            if let Some(contact) = cx.account.people.get_mut(account)
                && !std::mem::take(&mut contact.jids).is_empty()
            {
                self.write(account, cx);
            }
        }
        self.hold_publishes(cx);
    }

    /// Sends the remaining revocations as the session ends.
    pub(super) fn end_revocations(&mut self, cx: &mut Cx<'_>) {
        let contacts = &cx.account.people;
        self.revocations
            .end_at_once(|account| contacts.jids_of(account), cx.wire);
    }
}

/// The changes that end the subscriptions of `jids`, then the affiliation of `whom`.
fn changes(whom: &str, jids: Vec<Box<str>>) -> impl Iterator<Item = Change> {
    let jids = jids.into_iter().map(Some).chain([None]);
    jids.map(move |jid| Change {
        whom: whom.into(),
        jid,
    })
}

fn ask_for_subscribers(wire: &mut Wire) -> bool {
    wire.request("get", None, Ask::StillSubscribed, |out| {
        request::subscriptions(out, PRESENCE);
    })
}
