//! Our subscriptions to contacts' nodes (listing 9).
//!
//! A subscription is wanted, asked for, and if it is refused asked for again after a while: the contact's
//! node may not be there yet, or its owner may not have approved us yet.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use bytes::BytesMut;

use super::Wire;
use super::presence::NODE;
use super::{Purpose, rules};
use crate::jid;
use crate::ns;
use crate::xml::{Element, escape};

/// How long to wait after each refusal; after the last one always as long.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(3),
    Duration::from_secs(30),
    Duration::from_secs(300),
    Duration::from_secs(3600),
];

/// The subscriptions of one session.
#[derive(Debug, Default)]
pub(super) struct Followings {
    list: HashMap<Box<str>, State>,
    /// Whom to ask next.
    waiting: VecDeque<Box<str>>,
    /// Whom to ask again, and when.
    later: BTreeSet<(Duration, Box<str>)>,
    /// Questions that are not answered.
    asked: Vec<(u32, Question, Box<str>)>,
    serial: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It waits for its turn, or for the answer.
    Asking {
        question: Question,
        refusals: usize,
    },
    /// The owner has to approve it.
    Pending,
    Subscribed,
    /// It was refused so often, and is asked for again later.
    Refused {
        question: Question,
        refusals: usize,
    },
}

/// What a service is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// To subscribe us.
    Subscribe,
    /// What became of a request it took in an earlier session.
    Look,
}

/// What became of a request to subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    Subscribed,
    Pending,
    /// The owner has said no while we were away.
    Denied,
    /// The error condition.
    Refused(&'a str),
}

impl Followings {
    /// Has a subscription to the node of `account` made, unless there is one or it is asked for. After
    /// refusals it is asked again soon.
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

    /// The user has asked for it: it is asked for at once, whatever was said before.
    pub(super) fn insist(&mut self, account: &str) {
        let is_asking = |state: &State| matches!(state, State::Asking { question, .. } if *question == Question::Subscribe);
        if !self.list.get(account).is_some_and(is_asking) {
            self.forget(account);
            self.start(account, Question::Subscribe, 0);
        }
    }

    /// Has it looked at what became of a request that the service has taken: to ask once more would
    /// have its owner asked once more, who may have said no.
    pub(super) fn look(&mut self, account: &str) {
        self.start(account, Question::Look, 0);
    }

    fn start(&mut self, account: &str, question: Question, refusals: usize) {
        let state = State::Asking { question, refusals };
        self.list.insert(account.into(), state);
        self.waiting.push_back(account.into());
    }

    /// The owner has said that we are subscribed to the node of `account`, or that we are not.
    pub(super) fn note(&mut self, account: &str, is_subscribed: bool) {
        self.forget(account);
        if is_subscribed {
            self.list.insert(account.into(), State::Subscribed);
        }
    }

    fn forget(&mut self, account: &str) {
        self.list.remove(account);
        self.waiting.retain(|other| **other != *account);
        self.later.retain(|(_, other)| **other != *account);
        self.asked.retain(|(_, _, other)| **other != *account);
    }

    /// Ends our subscription to the node of `account`, if there may be one.
    pub(super) fn end(&mut self, account: &str, wire: &mut Wire) {
        self.forget(account);
        wire.apply(&rules::UNSUBSCRIBE);
        let own = jid::bare(&wire.jid).to_owned();
        wire.tell("set", Some(account), |out| {
            write_request(out, "unsubscribe", &own);
        });
    }

    /// Whether somebody is to be asked.
    pub(super) fn has_work(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When somebody is to be asked again.
    pub(super) fn again_at(&self) -> Option<Duration> {
        self.later.first().map(|(at, _)| *at)
    }

    /// Asks as many as may be asked now, and for whom `is_wanted` still says yes.
    pub(super) fn work(&mut self, is_wanted: impl Fn(&str) -> bool, wire: &mut Wire) {
        while self.again_at().is_some_and(|at| at <= wire.now) {
            if let Some((_, account)) = self.later.pop_first()
                && let Some(State::Refused { question, refusals }) =
                    self.list.get(&account).copied()
            {
                self.start(&account, question, refusals);
            }
        }
        while self.has_work() && wire.may_work() {
            let Some(account) = self.waiting.pop_front() else {
                return;
            };
            if is_wanted(&account) {
                self.ask(account, wire);
            } else {
                self.list.remove(&account);
            }
        }
    }

    /// Listing 9, with the bare JID, so that every resource gets the events.
    fn ask(&mut self, account: Box<str>, wire: &mut Wire) {
        self.serial = self.serial.wrapping_add(1);
        let question = match self.list.get(&account) {
            Some(State::Asking { question, .. }) => *question,
            _ => Question::Subscribe,
        };
        let kind = match question {
            Question::Subscribe => "set",
            Question::Look => "get",
        };
        let own = jid::bare(&wire.jid).to_owned();
        let asked =
            wire.request(
                kind,
                Some(&account),
                Purpose::Follow(self.serial),
                |out| match question {
                    Question::Subscribe => write_request(out, "subscribe", &own),
                    Question::Look => write_look(out),
                },
            );
        if asked {
            wire.apply(&rules::SUBSCRIBE);
            self.asked.push((self.serial, question, account));
        } else {
            self.list.remove(&account);
        }
    }

    /// Takes the answer to a request; whom it concerns, and what became of it.
    pub(super) fn handle_reply<'a>(
        &mut self,
        serial: u32,
        reply: Result<&Element<'_>, &'a str>,
        wire: &Wire,
    ) -> Option<(Box<str>, Outcome<'a>)> {
        let is_asked = |(asked, ..): &(u32, Question, Box<str>)| *asked == serial;
        let at = self.asked.iter().position(is_asked)?;
        let (_, question, account) = self.asked.swap_remove(at);
        let outcome = match (question, reply) {
            (Question::Subscribe, Ok(iq)) => subscription_in(iq),
            (Question::Look, Ok(iq)) => own_subscription_in(iq, jid::bare(&wire.jid)),
            // The owner was asked and has not answered.
            (Question::Subscribe, Err("pending-subscription")) => Outcome::Pending,
            (_, Err(condition)) => Outcome::Refused(condition),
        };
        let state = match outcome {
            Outcome::Subscribed => State::Subscribed,
            Outcome::Pending => State::Pending,
            Outcome::Denied => {
                self.list.remove(&account);
                return Some((account, outcome));
            }
            Outcome::Refused(_) => {
                let refusals = match self.list.get(&account) {
                    Some(State::Asking { refusals, .. }) => *refusals,
                    _ => 0,
                };
                let pause = PAUSES[refusals.min(PAUSES.len() - 1)];
                self.later.insert((wire.now + pause, account.clone()));
                State::Refused {
                    // The node is gone, and with it what became of a request.
                    question: match outcome {
                        Outcome::Refused("item-not-found") => Question::Subscribe,
                        _ => question,
                    },
                    refusals: refusals + 1,
                }
            }
        };
        self.list.insert(account.clone(), state);
        Some((account, outcome))
    }
}

/// What the result of a request says; a result without a word means that it was granted (XEP-0060 §6.1.2).
fn subscription_in(iq: &Element<'_>) -> Outcome<'static> {
    let state = iq.child(ns::PUBSUB, "pubsub").and_then(|pubsub| {
        let subscription = pubsub.child(ns::PUBSUB, "subscription")?;
        Some(subscription.attribute("subscription")?.into_owned())
    });
    match state.as_deref() {
        Some("pending") => Outcome::Pending,
        Some("none" | "unconfigured") => Outcome::Refused("not-acceptable"),
        _ => Outcome::Subscribed,
    }
}

/// What a list of our subscriptions at a service says (XEP-0060 §5.6).
fn own_subscription_in(iq: &Element<'_>, own: &str) -> Outcome<'static> {
    let state = iq.child(ns::PUBSUB, "pubsub").and_then(|pubsub| {
        let list = pubsub.child(ns::PUBSUB, "subscriptions")?;
        let is_meant = |child: &Element<'_>| {
            // On each, or once on the list.
            let node = child.attribute("node").or_else(|| list.attribute("node"));
            node.as_deref() == Some(NODE) && child.attribute("jid").as_deref() == Some(own)
        };
        let subscription = list.children().find(is_meant)?;
        Some(subscription.attribute("subscription")?.into_owned())
    });
    match state.as_deref() {
        Some("subscribed") => Outcome::Subscribed,
        Some("pending") => Outcome::Pending,
        _ => Outcome::Denied,
    }
}

/// Writes a question for our subscriptions (XEP-0060 §5.6).
fn write_look(out: &mut BytesMut) {
    let _ = write!(
        out,
        "<pubsub xmlns='{}'><subscriptions node='{NODE}'/></pubsub>",
        ns::PUBSUB
    );
}

/// Subscribes the account to its own node: its resources see each other (RFC 6121 §4.2.2).
pub(super) fn follow_self(wire: &mut Wire) {
    let own = jid::bare(&wire.jid).to_owned();
    wire.tell("set", None, |out| {
        write_request(out, "subscribe", &own);
    });
}

/// Writes a request to `subscribe` or `unsubscribe` the own account (XEP-0060 §6.1, §6.2).
fn write_request(out: &mut BytesMut, what: &str, own: &str) {
    let _ = write!(
        out,
        "<pubsub xmlns='{}'><{what} node='{NODE}' jid='{}'/></pubsub>",
        ns::PUBSUB,
        escape(own)
    );
}
