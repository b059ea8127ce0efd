//! Requests to see us, asked by a service's question (listing 10): one entry for each account, from the question to
//! the answer (listing 11).
//!
//! A question waits until the contacts are known. A blocked or approved account is answered as soon as the node is
//! ready. About all others the client is asked, by a `subscribe` from the contact: its answer counts for all questions
//! about that account, and for the native request behind them.

use std::time::Duration;

use bytes::BytesMut;

use super::members::set_subscription;
use super::subscriptions::show_subscription;
use super::{Book, Contacts};
use crate::jid;
use crate::pubsub::Question;
use crate::translate::people::MOST_JIDS;
use crate::translate::relation::{Half, Kind};
use crate::translate::{Cx, rules};
use crate::wire::Dropped;

/// Questions that may wait until the contacts are known; twice as many until the block list is.
const MOST_HELD: usize = 64;
/// Questions that may wait for the user's answer; twice as many for the node, if the answer is known.
const MOST_QUESTIONS: usize = 256;
/// How long after an answer the native request behind a question may come.
const NATIVE_BEHIND: Duration = Duration::from_secs(60);

/// All accounts that ask.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// Questions that wait until it is known who may see us.
    held: Vec<Question>,
    list: Vec<Request>,
}

/// One account that asks.
#[derive(Debug)]
struct Request {
    account: Box<str>,
    /// Unanswered questions, one for each JID.
    questions: Vec<Question>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The client is not asked: the answer is known, or the account has withdrawn its request.
    Idle,
    /// The client is asked once it is available.
    Unshown,
    /// The client is asked.
    Shown,
    /// The client has answered; until this time, the native request behind the question gets the same answer.
    Answered(Kind, Duration),
}

/// The result of noting a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noted {
    New,
    /// The same question waits for an answer already.
    Known,
    /// Too many others wait.
    TooMany,
}

impl Requests {
    /// Whether questions wait until it is known who may see us.
    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Keeps a question until it is known who may see us; `false`: there is no room. `is_contact`: the roster approves
    /// the account.
    fn hold(&mut self, question: Question, is_contact: bool) -> bool {
        let has_room = match is_contact {
            true => self.held.len() < 2 * MOST_HELD,
            false => has_share(self.held.iter(), &question, MOST_HELD),
        };
        if self.held.contains(&question) {
            return true;
        }
        if has_room {
            self.held.push(question);
        }
        has_room
    }

    /// Keeps a question until it is answered. `is_decided`: the answer is known, so the question takes no stranger's
    /// place, nor a stranger its.
    fn note(&mut self, question: Question, is_decided: bool, now: Duration) -> Noted {
        self.list.retain(|request| {
            let is_over = matches!(request.state, State::Answered(_, until) if until < now);
            !(request.questions.is_empty() && (is_over || request.state == State::Idle))
        });
        let waiting = || self.list.iter().flat_map(|request| &request.questions);
        if waiting().any(|other| *other == question) {
            return Noted::Known;
        }
        // The service may ask again with another id: the last question counts.
        let others = || waiting().filter(|other| other.jid != question.jid);
        let has_room = match is_decided {
            true => others().count() < 2 * MOST_QUESTIONS,
            false => has_share(others(), &question, MOST_QUESTIONS),
        };
        let request = self.get_mut(&question.account());
        request.questions.retain(|other| other.jid != question.jid);
        if request.questions.len() >= MOST_JIDS || !has_room {
            return Noted::TooMany;
        }
        request.questions.push(question);
        Noted::New
    }

    fn get(&self, account: &str) -> Option<&Request> {
        self.list
            .iter()
            .find(|request| *request.account == *account)
    }

    fn get_mut(&mut self, account: &str) -> &mut Request {
        let at = self.list.iter().position(|one| *one.account == *account);
        let at = at.unwrap_or_else(|| {
            self.list.push(Request {
                account: account.into(),
                questions: Vec::new(),
                state: State::Idle,
            });
            self.list.len() - 1
        });
        &mut self.list[at]
    }

    /// Whether a question about exactly this JID waits for an answer.
    pub(super) fn has_jid(&self, jid: &str) -> bool {
        let mut waiting = self.list.iter().flat_map(|request| &request.questions);
        waiting.any(|question| *question.jid == *jid)
    }

    /// Whether a question about `account` waits for an answer.
    pub(super) fn has(&self, account: &str) -> bool {
        let request = self.get(account);
        request.is_some_and(|request| !request.questions.is_empty())
    }

    /// The accounts about which a question waits for an answer.
    fn accounts(&self) -> Vec<Box<str>> {
        let asking = self.list.iter().filter(|one| !one.questions.is_empty());
        asking.map(|request| request.account.clone()).collect()
    }

    /// Takes out the questions about `account`, to be answered.
    fn take(&mut self, account: &str) -> Vec<Question> {
        let mut list = self.list.iter_mut();
        let request = list.find(|request| *request.account == *account);
        request.map_or_else(Vec::new, |request| std::mem::take(&mut request.questions))
    }

    /// Whether the client is being asked about `account`, or will be.
    pub(super) fn is_asking(&self, account: &str) -> bool {
        let request = self.get(account);
        request.is_some_and(|one| matches!(one.state, State::Unshown | State::Shown))
    }

    /// Stops asking the client about `account` without an answer of its: another resource has answered, or the account
    /// has withdrawn its request.
    pub(super) fn end_asking(&mut self, account: &str) {
        let mut list = self.list.iter_mut();
        if let Some(request) = list.find(|request| *request.account == *account) {
            request.state = State::Idle;
        }
    }

    /// Notes the client's answer `kind` about `account`. It counts for the question and, if one may still come
    /// (`is_native_behind`), for the native request behind it, and for no later one.
    pub(super) fn note_decision(
        &mut self,
        account: &str,
        kind: Kind,
        is_native_behind: bool,
        now: Duration,
    ) {
        let is_first = self.is_asking(account);
        self.end_asking(account);
        if is_first && is_native_behind {
            self.get_mut(account).state = State::Answered(kind, now + NATIVE_BEHIND);
        }
    }

    /// Takes out the client's answer about `account`, for a native request that comes now.
    pub(super) fn take_answer(&mut self, account: &str, now: Duration) -> Option<Kind> {
        let State::Answered(kind, until) = self.get(account)?.state else {
            return None;
        };
        self.end_asking(account);
        (now <= until).then_some(kind)
    }

    /// Forgets the client's answer about `account`.
    pub(super) fn forget_answer(&mut self, account: &str) {
        if !self.is_asking(account) {
            self.end_asking(account);
        }
    }
}

impl Contacts {
    /// Handles a service's question (listing 10).
    pub(in crate::translate) fn question(&mut self, question: Question, cx: &mut Cx<'_>) {
        cx.wire.apply(&rules::FORM);
        match cx.account.people.is_known() {
            true => self.look_at(question, cx),
            false => self.hold(question, false, cx),
        }
    }

    fn hold(&mut self, question: Question, is_contact: bool, cx: &mut Cx<'_>) {
        if !self.requests.hold(question, is_contact) {
            cx.wire.drop_event(Dropped::Overflow);
        }
    }

    /// Looks at the questions that had to wait for the contacts.
    pub(super) fn release_questions(&mut self, cx: &mut Cx<'_>) {
        for question in std::mem::take(&mut self.requests.held) {
            self.look_at(question, cx);
        }
    }

    /// Answers a question about an approved or blocked account; about others asks the client.
    pub(super) fn look_at(&mut self, question: Question, cx: &mut Cx<'_>) {
        let account = question.account().into_owned();
        let is_doubted =
            cx.account.people.is_approved(&account) && !self.blocking.inquiry.is_known();
        if is_doubted && matches!(self.book, Book::Native) {
            // An approved account may have been blocked meanwhile.
            self.blocking.ask(cx);
            return self.hold(question, true, cx);
        }
        let is_blocked = cx.account.people.blocked.blocks(&account);
        let may_see = self.may_be_let_in(&account, cx);
        let is_decided = is_blocked || may_see;
        if is_decided && !cx.wire.may_react() {
            // The account asks again and again.
            return cx.wire.drop_event(Dropped::Overflow);
        }
        match self.requests.note(question, is_decided, cx.wire.now) {
            Noted::New => {}
            Noted::Known => return cx.wire.apply(&rules::FORM_KNOWN),
            Noted::TooMany => return cx.wire.drop_event(Dropped::Overflow),
        }
        if may_see && !is_blocked {
            self.approve(&account, cx);
        } else if is_blocked || cx.account.people.get_mut(&account).is_none() {
            self.deny(&account, cx);
        } else {
            self.ask_client(&account, cx);
        }
    }

    /// Asks the client about `account`, unless it is being asked.
    fn ask_client(&mut self, account: &str, cx: &mut Cx<'_>) {
        let relation = cx.account.people.relation(account);
        let is_asked = match self.book {
            Book::Native => relation.from == Half::Asked,
            // By the record, it is asked; but in this session the client was not shown the request.
            Book::Pubsub(_) => false,
        };
        if self.requests.is_asking(account) || is_asked {
            return cx.wire.apply(&rules::FORM_KNOWN);
        }
        self.requests.get_mut(account).state = State::Unshown;
        if let Book::Pubsub(_) = self.book {
            self.set_relation(account, relation.inbound(Kind::Subscribe).0, cx);
        }
        self.show_requests(cx);
    }

    /// Shows the client the requests it has not seen, once it is available.
    pub(super) fn show_requests(&mut self, cx: &mut Cx<'_>) {
        if !cx.account.status.is_available {
            return;
        }
        for request in &mut self.requests.list {
            if request.state == State::Unshown {
                request.state = State::Shown;
                show_subscription(Kind::Subscribe, &request.account, cx);
            }
        }
    }

    /// Answers questions about contacts that may be let in, once the node is ready.
    pub(super) fn answer_approved(&mut self, cx: &mut Cx<'_>) {
        for account in self.requests.accounts() {
            if self.may_be_let_in(&account, cx) {
                self.approve(&account, cx);
            }
        }
    }

    /// Answers the questions about `account` with no.
    pub(super) fn deny(&mut self, account: &str, cx: &mut Cx<'_>) {
        cx.wire.apply(&rules::DENY);
        for question in self.requests.take(account) {
            answer_question(&question, false, cx);
        }
    }

    /// Answers the questions about `account` with yes; gives the JIDs that are subscribed by it.
    pub(super) fn answer_yes(&mut self, account: &str, cx: &mut Cx<'_>) -> Vec<Box<str>> {
        let questions = self.requests.take(account);
        for question in &questions {
            answer_question(question, true, cx);
        }
        questions.into_iter().map(|question| question.jid).collect()
    }
}

/// Answers a question with listing 11. ejabberd asks in the owner's own name and ignores answers, so there the owner
/// sets the subscription.
fn answer_question(question: &Question, is_allowed: bool, cx: &mut Cx<'_>) {
    if *question.service == *cx.account.bare() {
        return set_subscription(&question.jid, is_allowed, cx.wire);
    }
    let mut answer = BytesMut::new();
    question.write_answer(&mut answer, is_allowed);
    cx.wire.send_own(&answer);
}

/// Whether `question` may wait with others in `most` places: its domain gets at most half of the places that other
/// domains leave. So a flood from one domain leaves room for all others.
fn has_share<'a>(
    waiting: impl Iterator<Item = &'a Question>,
    question: &Question,
    most: usize,
) -> bool {
    let account = question.account();
    let (mut same, mut others) = (0, 0);
    for other in waiting {
        match jid::domain(&other.account()) == jid::domain(&account) {
            true => same += 1,
            false => others += 1,
        }
    }
    same < most.saturating_sub(others).div_ceil(2)
}
