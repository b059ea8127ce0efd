//! The audience: who gets items published to the node `presence`, at each moment of a session.
//!
//! | moment | recipients | published |
//! |---|---|---|
//! | before the client's first presence | those let in in earlier sessions | nothing |
//! | an answer about recipients is missing ([`Gate::Asking`]) | the same | nothing |
//! | answers are there, recipients without approval remain ([`Gate::Doubting`], [`Gate::Rereading`]) | the same | nothing |
//! | all are compared ([`Gate::Open`]; under `pure` from the start) | those the records let see us, not the blocked | all |
//! | the node is missing or not configured as needed | subscribers of the node that is there | nothing |
//! | a contact is being taken out, or the client waits for its block or removal | the contact, until then | nothing |
//! | a privacy list hides the client, or may (`presence/visibility.rs`) | all others | nothing, `unavailable` before |
//! | the session ends | as before | `unavailable` |
//!
//! Under `auto` nothing is published before all recipients are known. At the client's first presence all questions are
//! asked at once, beside the native copy, which does not wait: the node's configuration, privacy lists, the roster,
//! the block list, the node's affiliations and subscriptions, and the record. Recipients who may not see the client
//! are taken out before the first publish. If that fails, or an answer is missing, nothing is published.
//!
//! Some servers do not list subscribers. There the record names everybody we ever let in, and it is made before the
//! node: a node without a record is not trusted, and is created anew.
//!
//! A contact that is taken out must not keep the client as available. When the user blocks, removes or refuses a
//! contact, the server sends that contact `unavailable` natively. An event that reaches its shim after that shows the
//! client again, and no later logout is sent to it: a ghost. So `unavailable` is published while the contact is still
//! subscribed, then its subscription is ended, and once it is out the client's last presence is published anew. All
//! other contacts see the client go and come back; so this is done only if the contact may have got an event after the
//! server's `unavailable`, or if the server sends none, as no native subscription ends.

use std::time::Duration;

use super::Contacts;
use super::members::{DOUBT, Standing};
use crate::jid;
use crate::translate::Cx;
use crate::translate::account::{Account, Goodbye};
use crate::translate::relation::Half;

/// Why a node is created anew whose subscribers neither the server nor the record can tell.
const NO_RECORD: &str = "who is subscribed to it is neither listed by the server nor on record";

/// How far the recipients of a publish are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Gate {
    /// No gate: under `pure` the roster is made of the subscribers.
    Absent,
    /// The client has sent no presence yet.
    #[default]
    Idle,
    /// An answer is missing.
    Asking,
    /// Recipients without approval were found. Another resource may be approving them, so they are looked at again at
    /// this time.
    Doubting(Duration),
    /// The record is read again, as another resource may have written to it.
    Rereading,
    /// All recipients were compared with the records.
    Open,
}

impl Gate {
    /// Whether the gate allows publishing.
    fn is_open(self) -> bool {
        matches!(self, Self::Absent | Self::Open)
    }

    /// Whether the gate allows letting contacts in.
    fn lets_in(self) -> bool {
        self == Self::Absent || self.is_compared()
    }

    /// Whether the records were compared, so that it is known who may be let in.
    pub(super) fn is_compared(self) -> bool {
        matches!(self, Self::Doubting(_) | Self::Rereading | Self::Open)
    }
}

impl Contacts {
    /// Tells the account whether publishing is allowed: not while a recipient may be somebody who must not see the
    /// client, nor while the client waits for the server to block or to remove a contact.
    pub(super) fn hold_publishes(&mut self, cx: &mut Cx<'_>) {
        cx.account.audience.is_right = self.gate.is_open()
            && !self.revocations.is_open()
            && cx.account.people.blocked.asked().is_empty()
            && !self.native.is_removing(&cx.account.people);
    }

    /// Whether contacts may be let in now: a pending revocation would undo it.
    pub(super) fn may_approve(&self, account: &Account) -> bool {
        self.may_let_in(account) && !self.revocations.is_open()
    }

    /// Whether the node is ready and the gate allows letting contacts in.
    pub(super) fn may_let_in(&self, account: &Account) -> bool {
        account.node.is_ready() && self.gate.lets_in()
    }

    /// Whether `account` may see our node. An account being revoked may not, whatever the roster says.
    pub(super) fn may_be_let_in(&self, account: &str, cx: &Cx<'_>) -> bool {
        cx.account.people.may_see(account) && !self.revocations.concerns(account)
    }

    /// Starts asking all that is not known, once the client has a presence for everybody.
    pub(super) fn open_gate(&mut self, cx: &mut Cx<'_>) {
        if self.gate == Gate::Absent || !cx.account.status.has_something {
            return;
        }
        if self.gate == Gate::Idle {
            self.gate = Gate::Asking;
        }
        for inquiry in [
            &mut cx.account.node.inquiry,
            &mut cx.account.people.inquiry,
            &mut self.blocking.inquiry,
            &mut self.members.members_inquiry,
            &mut self.members.subscribers_inquiry,
            &mut self.record.inquiry,
        ] {
            inquiry.hasten();
        }
        self.work_at_gate(cx);
    }

    /// Starts asking anew: a server's answer shows that the node has changed, so its recipients are unknown.
    pub(in crate::translate) fn close_gate(&mut self, cx: &mut Cx<'_>) {
        if matches!(self.gate, Gate::Absent | Gate::Idle) {
            return;
        }
        self.gate = Gate::Asking;
        self.members.ask_again();
        self.work_at_gate(cx);
    }

    /// Takes the steps that the answers so far allow.
    pub(super) fn work_at_gate(&mut self, cx: &mut Cx<'_>) {
        let is_idle = matches!(self.gate, Gate::Absent | Gate::Idle);
        if is_idle || cx.account.node.is_unusable() {
            return;
        }
        self.ask_all(cx);
        if cx.account.node.is_missing() {
            self.make_node(cx);
        }
        if self.gate == Gate::Asking && self.is_all_known(cx) {
            if self.is_node_doubtful(cx) {
                cx.account.node.remake(NO_RECORD, cx.wire);
            } else {
                self.compare_all(cx);
            }
        }
        match self.gate {
            Gate::Doubting(at) if at <= cx.wire.now => {
                self.gate = Gate::Rereading;
                self.record.refresh(cx.wire);
            }
            Gate::Rereading if self.is_record_read() => {
                self.gate = Gate::Open;
                for account in self.members.strangers(cx.account) {
                    match self.paced.is_approving(&account) {
                        // The native approval still waits: the server may not know it yet.
                        true => self.gate = Gate::Doubting(cx.wire.now + DOUBT),
                        false => self.take_out(&account, Goodbye::Never, cx),
                    }
                }
                self.answer_approved(cx);
            }
            _ => {}
        }
        self.hold_publishes(cx);
    }

    /// Asks the questions that are due.
    fn ask_all(&mut self, cx: &mut Cx<'_>) {
        self.native.ask(cx);
        self.blocking.ask(cx);
        self.members.ask(cx.wire);
        self.record.read(cx.wire);
    }

    fn is_all_known(&self, cx: &Cx<'_>) -> bool {
        cx.account.node.is_ready()
            && cx.account.status.is_visibility_known
            && cx.account.people.is_reliable()
            && self.blocking.inquiry.is_known()
            && self.members.is_listed()
            && self.is_record_read()
    }

    pub(super) fn is_record_read(&self) -> bool {
        self.record.is_known() || self.record.is_unusable()
    }

    /// Creates the missing node, once its record exists or cannot be had.
    fn make_node(&mut self, cx: &mut Cx<'_>) {
        if !self.is_record_read() {
            return;
        }
        if self.record.is_missing() && !self.record.is_unusable() {
            return self.record.make(cx.wire);
        }
        cx.account.node.allow(cx.wire);
    }

    /// Whether the subscribers of the node cannot be known: the server does not list them, and there is no record.
    fn is_node_doubtful(&self, cx: &Cx<'_>) -> bool {
        let node = &cx.account.node;
        !self.members.lists_subscribers
            && !node.is_new()
            && !node.is_adopted()
            && (self.record.is_missing() || self.record.is_unusable())
    }

    /// Compares recipients with the records: lets missing ones in, revokes blocked ones, doubts the others.
    fn compare_all(&mut self, cx: &mut Cx<'_>) {
        self.gate = Gate::Open;
        for account in cx.account.people.approved_twice() {
            // The roster backs the approval; the one on record would outlive it.
            self.forget_approval(&account, cx);
        }
        self.members.want_missing(&cx.account.people);
        for account in self.members.strangers(cx.account) {
            if cx.account.people.blocked.blocks(&account) {
                self.take_out(&account, Goodbye::Never, cx);
            } else if !self.revocations.concerns(&account) {
                self.gate = Gate::Doubting(cx.wire.now + DOUBT);
            }
        }
        if cx.account.node.is_new() && !self.members.lists_subscribers {
            // An answer from before the node was created did not show whether this server lists subscribers.
            self.members.list_again(cx.wire);
        }
        self.answer_approved(cx);
    }

    /// When the gate goes on by itself: doubted recipients are looked at, failed questions repeated.
    pub(super) fn gate_again_at(&self, account: &Account, now: Duration) -> Option<Duration> {
        let doubting = match self.gate {
            Gate::Doubting(at) => Some(at),
            _ => None,
        };
        let people = &account.people;
        let all = [
            &account.node.inquiry,
            &people.inquiry,
            &self.blocking.inquiry,
            &self.members.members_inquiry,
            &self.members.subscribers_inquiry,
            &self.record.inquiry,
        ];
        let again = all.iter().filter_map(|inquiry| inquiry.again_at());
        // A time that has passed waits for an answer, and must not hide later times.
        again
            .chain(self.native.deadline(people))
            .chain(doubting)
            .filter(|at| *at > now)
            .min()
    }

    /// Takes members out that were doubted and still have no approval.
    pub(super) fn look_at_strangers(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        if self.members.again_at().is_none_or(|at| at > now) {
            return;
        }
        self.members.settle_doubts(&cx.account.people);
        if !self.gate.lets_in() {
            // Strangers are looked at when the gate lets in.
            return;
        }
        for account in self.members.due_doubts(now) {
            match self.paced.is_approving(&account) {
                true => self.members.doubt(&account, now),
                false => self.take_out(&account, Goodbye::Never, cx),
            }
        }
    }

    /// Revokes `account`, after it has seen the client go.
    pub(super) fn take_out(&mut self, account: &str, goodbye: Goodbye, cx: &mut Cx<'_>) {
        self.say_farewell(account, goodbye, cx);
        self.revoke(account, cx);
    }

    /// Has `unavailable` published if `whom` (an account or a whole domain) may keep the client as available.
    ///
    /// Not under `pure`, which has no gate: the service tells the shim of `whom` that its subscription has ended, and
    /// the shim then shows the client as unavailable.
    fn say_farewell(&self, whom: &str, goodbye: Goodbye, cx: &mut Cx<'_>) {
        if self.gate != Gate::Absent && self.is_delivered_to(whom, cx) {
            cx.account.audience.farewell = cx.account.audience.farewell.max(Some(goodbye));
        }
    }

    /// When the server tells `account` natively that the client is gone, as the user blocks or refuses it; `is_own`:
    /// by this client.
    pub(super) fn goodbye(&self, account: &str, is_own: bool, cx: &Cx<'_>) -> Goodbye {
        match (cx.account.people.relation(account).from, is_own) {
            (Half::Yes, true) => Goodbye::AfterAll,
            (Half::Yes, false) => Goodbye::BeforePush,
            _ => Goodbye::Never,
        }
    }

    /// Whether `whom` (an account or a whole domain) may get published items. An account already being revoked was
    /// told before.
    fn is_delivered_to(&self, whom: &str, cx: &Cx<'_>) -> bool {
        let people = &cx.account.people;
        let is_recorded = |account: &str| {
            !self.revocations.concerns(account) && !people.jids_of(account).is_empty()
        };
        is_recorded(whom)
            || people.of_domain(whom).iter().any(|it| is_recorded(it))
            || self.members.lets_in(
                |account| account == whom || jid::domain(account) == whom,
                cx.wire,
            )
    }

    /// How answers about the node are to be read.
    pub(super) fn standing(&self, cx: &Cx<'_>) -> Standing {
        Standing {
            is_lenient: self.gate == Gate::Absent,
            is_new: cx.account.node.is_new(),
        }
    }
}
