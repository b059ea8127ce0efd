//! Our subscriptions to contacts' nodes (listing 9).
//!
//! A wanted subscription is requested, and after a refusal requested again later: the contact's node may not exist
//! yet, or its owner may not have approved us yet.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::Ask;
use crate::pubsub::{PRESENCE, answer, request};
use crate::translate::account::Account;
use crate::translate::{self, Cx, Wire, rules};
use crate::wire::{Refused, Reply};
use crate::xml::Element;

/// Pauses after each refusal; the last one is repeated.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(3),
    Duration::from_secs(30),
    Duration::from_secs(300),
    Duration::from_secs(3600),
];

/// The subscriptions of one session.
#[derive(Debug, Default)]
pub(super) struct Follow {
    list: HashMap<Box<str>, State>,
    /// Accounts to ask next.
    waiting: VecDeque<Box<str>>,
    /// Accounts to ask again, by time.
    later: BTreeSet<(Duration, Box<str>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The question waits for its turn, or for the answer.
    Asking {
        question: Question,
        refusals: usize,
    },
    /// The owner has to approve us.
    Pending,
    Subscribed,
    /// Refused so many times; the question is repeated later.
    Refused {
        question: Question,
        refusals: usize,
    },
}

/// Questions to a contact's service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Subscribes us.
    Subscribe,
    /// Reads the state of a request that the service took in an earlier session.
    Look,
}

/// The outcome of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    Subscribed,
    Pending,
    /// The owner has refused us while we were away.
    Denied,
    Refused(Refused<'a>),
}

impl Follow {
    /// Has a subscription to the node of `account` made, unless it exists or is on its way. After refusals the next
    /// try comes soon.
    pub(super) fn want(&mut self, account: &str, now: Duration) {
        match self.list.get(account) {
            None => self.start(account, Question::Subscribe, 0),
            Some(State::Refused { .. }) => {
                let soon = now + PAUSES[1];
                if let Some((at, _)) = self.later.iter().find(|(_, other)| **other == *account)
                    && *at > soon
                {
                    self.later.retain(|(_, other)| **other != *account);
                    self.later.insert((soon, account.into()));
                }
            }
            Some(_) => {}
        }
    }

    /// Requests the subscription at once, whatever the answers before, as the user has asked for it.
    pub(super) fn insist(&mut self, account: &str, wire: &mut Wire) {
        let is_asking = |state: &State| matches!(state, State::Asking { question, .. } if *question == Question::Subscribe);
        if !self.list.get(account).is_some_and(is_asking) {
            self.forget(account, wire);
            self.start(account, Question::Subscribe, 0);
        }
    }

    /// Reads the state of a request that the service has taken: a new request would ask its owner again, who may have
    /// refused.
    pub(super) fn look(&mut self, account: &str) {
        self.start(account, Question::Look, 0);
    }

    fn start(&mut self, account: &str, question: Question, refusals: usize) {
        let state = State::Asking { question, refusals };
        self.list.insert(account.into(), state);
        self.waiting.push_back(account.into());
    }

    /// Notes that the owner has granted our subscription to the node of `account`, or ended it.
    pub(super) fn note(&mut self, account: &str, is_subscribed: bool, wire: &mut Wire) {
        self.forget(account, wire);
        if is_subscribed {
            self.list.insert(account.into(), State::Subscribed);
        }
    }

    fn forget(&mut self, account: &str, wire: &mut Wire) {
        self.list.remove(account);
        self.waiting.retain(|other| **other != *account);
        self.later.retain(|(_, other)| **other != *account);
        wire.forget(|asked| {
            matches!(asked, translate::Ask::Contacts(Ask::Follow(other, _)) if **other == *account)
        });
    }

    /// Ends our subscription to the node of `account`, whether there is one or not.
    pub(super) fn end(&mut self, account: &str, cx: &mut Cx<'_>) {
        self.forget(account, cx.wire);
        cx.wire.apply(&rules::UNSUBSCRIBE);
        let own = cx.account.bare();
        cx.wire.tell("set", Some(account), |out| {
            request::unsubscribe(out, PRESENCE, own);
        });
    }

    /// Whether a question waits for its turn.
    pub(super) fn has_work(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When the next question is repeated.
    pub(super) fn again_at(&self) -> Option<Duration> {
        self.later.first().map(|(at, _)| *at)
    }

    /// Sends the questions that may go now, for accounts that `is_wanted` still confirms.
    pub(super) fn work(&mut self, is_wanted: impl Fn(&Account, &str) -> bool, cx: &mut Cx<'_>) {
        while self.again_at().is_some_and(|at| at <= cx.wire.now) {
            if let Some((_, account)) = self.later.pop_first()
                && let Some(State::Refused { question, refusals }) =
                    self.list.get(&account).copied()
            {
                self.start(&account, question, refusals);
            }
        }
        if !self.has_work() {
            return;
        }
        let own = cx.account.bare().to_owned();
        while let Some(spare) = cx.wire.spare()
            && let Some(account) = self.waiting.pop_front()
        {
            if !is_wanted(cx.account, &account) {
                self.list.remove(&account);
                continue;
            }
            let question = match self.list.get(&account) {
                Some(State::Asking { question, .. }) => *question,
                _ => Question::Subscribe,
            };
            let asked = Ask::Follow(account.clone(), question);
            // Listing 9, with the bare JID, so that every resource gets the events.
            match question {
                Question::Subscribe => spare.request("set", Some(&account), asked, |out| {
                    request::subscribe(out, PRESENCE, &own);
                }),
                Question::Look => spare.request("get", Some(&account), asked, |out| {
                    request::own_subscriptions(out, PRESENCE);
                }),
            }
            cx.wire.apply(&rules::SUBSCRIBE);
        }
    }

    /// Handles the answer to a question about `account`; gives the outcome.
    pub(super) fn handle_reply<'a>(
        &mut self,
        account: &str,
        question: Question,
        reply: Reply<'a>,
        cx: &Cx<'_>,
    ) -> Outcome<'a> {
        let outcome = match (question, reply) {
            (Question::Subscribe, Ok(iq)) => subscription_in(iq),
            (Question::Look, Ok(iq)) => own_subscription_in(iq, cx.account.bare()),
            // The owner was asked before and has not answered.
            (Question::Subscribe, Err(Refused::With("pending-subscription"))) => Outcome::Pending,
            (_, Err(refused)) => Outcome::Refused(refused),
        };
        let state = match outcome {
            Outcome::Subscribed => State::Subscribed,
            Outcome::Pending => State::Pending,
            Outcome::Denied => {
                self.list.remove(account);
                return outcome;
            }
            Outcome::Refused(refused) => {
                let refusals = match self.list.get(account) {
                    Some(State::Asking { refusals, .. }) => *refusals,
                    _ => 0,
                };
                let pause = PAUSES[refusals.min(PAUSES.len() - 1)];
                self.later.insert((cx.wire.now + pause, account.into()));
                State::Refused {
                    // Without the node, the state of an earlier request is lost, too.
                    question: match refused {
                        Refused::With("item-not-found") => Question::Subscribe,
                        _ => question,
                    },
                    refusals: refusals + 1,
                }
            }
        };
        self.list.insert(account.into(), state);
        outcome
    }
}

/// The outcome of a subscribe request; an empty result grants it (XEP-0060 §6.1.2).
fn subscription_in(iq: &Element<'_>) -> Outcome<'static> {
    match answer::subscription(iq).as_deref() {
        Some("pending") => Outcome::Pending,
        Some("none" | "unconfigured") => Outcome::Refused(Refused::With("not-acceptable")),
        _ => Outcome::Subscribed,
    }
}

/// The outcome by a list of our subscriptions.
fn own_subscription_in(iq: &Element<'_>, own: &str) -> Outcome<'static> {
    match answer::own_subscription(iq, PRESENCE, own).as_deref() {
        Some("subscribed") => Outcome::Subscribed,
        Some("pending") => Outcome::Pending,
        _ => Outcome::Denied,
    }
}

/// Subscribes the account to its own node, so that its resources see each other (RFC 6121 §4.2.2).
pub(super) fn follow_self(cx: &mut Cx<'_>) {
    let own = cx.account.bare();
    cx.wire
        .tell("set", None, |out| request::subscribe(out, PRESENCE, own));
}
