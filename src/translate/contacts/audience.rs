//! Who may see us: who is delivered to what is published to the node `presence`, at each moment of a session.
//!
//! | moment | who is delivered to | published |
//! |---|---|---|
//! | before the client's first presence | whoever was let in in earlier sessions | nothing |
//! | something that tells who may see us is not known ([`Gate::Asking`]) | the same | nothing |
//! | all is known, and strangers are members or subscribed ([`Gate::Doubting`], [`Gate::Rereading`]) | the same | nothing |
//! | everybody was compared ([`Gate::Open`]; under `pure` from the start) | whom the records let see us, and nobody who is blocked | all |
//! | the node is not there, or is not as it has to be | whoever is subscribed to what is there | nothing |
//! | somebody is taken out, or the client waits for the server to block or remove him | he, until that is answered | nothing |
//! | a privacy list hides the client from anybody, or may (`presence/visibility.rs`) | everybody else | nothing, `unavailable` before |
//! | the session ends | whoever was | `unavailable` |
//!
//! Under `auto` nothing is published before it is known who would be delivered to. At the client's first presence
//! all that tells is asked at once, beside the native copy, which does not wait: the node's configuration, privacy
//! lists, the roster, whom the user has blocked, the node's affiliations and subscriptions, and what is on record.
//! Whoever would be delivered to and may not see the client is taken out before the first publish. If that fails,
//! or any of it cannot be found out, nothing is published.
//!
//! Some servers do not list who is subscribed. There everybody we ever let in is on record, and the record is
//! made before the node: a node that has none is not to be trusted, and is made anew.
//!
//! Whoever is taken out must not keep the client as available. When the user blocks, removes or refuses a contact,
//! the server tells that contact `unavailable` natively. An event that reaches its shim after that shows the client
//! again, and nobody tells of the logout any more: a ghost. So `unavailable` is published while the contact is
//! still subscribed, then its subscription is ended, and once it is out what the client said last is published
//! anew. Everybody else sees the client go and come back. So it is done only where the contact may have got an
//! event after the server's word, or where the server says nothing, since no native subscription ends.

use std::time::Duration;

use super::Contacts;
use super::members::{DOUBT, Standing};
use crate::jid;
use crate::translate::Cx;
use crate::translate::account::{Account, Goodbye};
use crate::translate::relation::Half;

/// What is wrong with a node nobody can tell the subscribers of.
const NO_RECORD: &str = "who is subscribed to it is neither listed by the server nor on record";

/// How far it is known who would be delivered to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Gate {
    /// There is none: the roster is made of who is subscribed (`pure`).
    Absent,
    /// The client has said nothing yet.
    #[default]
    Idle,
    /// Something is not known.
    Asking,
    /// There are strangers: another resource may be approving them, so they are looked at again at this time.
    Doubting(Duration),
    /// What another resource may have written to the record is read.
    Rereading,
    /// Everybody was compared.
    Open,
}

impl Gate {
    /// Whether something may be published, as far as this goes.
    fn is_open(self) -> bool {
        matches!(self, Self::Absent | Self::Open)
    }

    /// Whether contacts may be let in, as far as this goes.
    fn lets_in(self) -> bool {
        self == Self::Absent || self.is_compared()
    }

    /// Whether it is known who may be let in.
    pub(super) fn is_compared(self) -> bool {
        matches!(self, Self::Doubting(_) | Self::Rereading | Self::Open)
    }
}

impl Contacts {
    /// While somebody is being kept from seeing the node, or it is not known who does, nothing is published
    /// to it; nor while the client waits for the server to block somebody or to take him out of the roster.
    pub(super) fn hold_publishes(&mut self, cx: &mut Cx<'_>) {
        cx.account.audience.is_right = self.gate.is_open()
            && !self.revocations.is_open()
            && cx.account.people.blocked.asked().is_empty()
            && !self.native.is_removing(&cx.account.people);
    }

    /// Whether contacts may be let in now: what a revocation has still to send would undo it.
    pub(super) fn may_approve(&self, account: &Account) -> bool {
        self.may_let_in(account) && !self.revocations.is_open()
    }

    /// Whether the node is there, and it is known who may see it.
    pub(super) fn may_let_in(&self, account: &Account) -> bool {
        account.node.is_ready() && self.gate.lets_in()
    }

    /// Whether `account` may see our node. Who is just being thrown out may not, whatever the roster says.
    pub(super) fn may_be_let_in(&self, account: &str, cx: &Cx<'_>) -> bool {
        cx.account.people.may_see(account) && !self.revocations.concerns(account)
    }

    /// The client has a presence for everybody: what is not known is asked for now.
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

    /// The server says that the node is not what it was: who would be delivered to is not known any more.
    pub(in crate::translate) fn close_gate(&mut self, cx: &mut Cx<'_>) {
        if matches!(self.gate, Gate::Absent | Gate::Idle) {
            return;
        }
        self.gate = Gate::Asking;
        self.members.ask_again();
        self.work_at_gate(cx);
    }

    /// Goes on as far as the answers allow.
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
                        // It is not known yet whether the server takes the approval.
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

    /// Asks what was not asked yet, and what has failed some time ago.
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

    fn is_record_read(&self) -> bool {
        self.record.is_known() || self.record.is_unusable()
    }

    /// The node is missing: it is made as soon as its record is there, or cannot be had.
    fn make_node(&mut self, cx: &mut Cx<'_>) {
        if !self.is_record_read() {
            return;
        }
        if self.record.is_missing() && !self.record.is_unusable() {
            return self.record.make(cx.wire);
        }
        cx.account.node.allow(cx.wire);
    }

    /// Whether nobody can tell who is subscribed to the node: the server does not list them, and there is no
    /// record.
    fn is_node_doubtful(&self, cx: &Cx<'_>) -> bool {
        let node = &cx.account.node;
        !self.members.lists_subscribers()
            && !node.is_new()
            && !node.is_adopted()
            && (self.record.is_missing() || self.record.is_unusable())
    }

    /// Everything is known: whoever is missing is let in, and whoever should see nothing is thrown out.
    fn compare_all(&mut self, cx: &mut Cx<'_>) {
        self.gate = Gate::Open;
        for account in cx.account.people.approved_twice() {
            // Else it would outlive what the roster says of him.
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
        if cx.account.node.is_new() && !self.members.lists_subscribers() {
            // Of a node that was not there nobody could say whether its subscribers can be listed.
            self.members.list_again(cx.wire);
        }
        self.answer_approved(cx);
    }

    /// When something goes on by itself: strangers are looked at, what could not be found out is asked again.
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
        // What is overdue waits for something else than time, and must not hide what does not.
        again
            .chain(self.native.deadline(people))
            .chain(doubting)
            .filter(|at| *at > now)
            .min()
    }

    /// Takes away who is a member of the node and was never approved, if that is still so.
    pub(super) fn look_at_strangers(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        if self.members.again_at().is_none_or(|at| at > now) {
            return;
        }
        self.members.settle_doubts(&cx.account.people);
        if self.members.again_at().is_none() {
            return;
        }
        if !self.gate.lets_in() {
            // Everybody is looked at then.
            return;
        }
        for account in self.members.due_doubts(&cx.account.people, now) {
            match self.paced.is_approving(&account) {
                true => self.members.doubt(&account, now),
                false => self.take_out(&account, Goodbye::Never, cx),
            }
        }
    }

    /// Ends what `account` sees of our node, after it has seen the client go.
    pub(super) fn take_out(&mut self, account: &str, goodbye: Goodbye, cx: &mut Cx<'_>) {
        self.say_farewell(account, goodbye, cx);
        self.revoke(account, cx);
    }

    /// Has `unavailable` published if `whom` (an account, or a whole domain) may keep the client as available.
    ///
    /// Under `pure`, which has no gate, there is no need: its service tells a shim that its subscription has ended,
    /// and with it ends what the shim shows.
    fn say_farewell(&self, whom: &str, goodbye: Goodbye, cx: &mut Cx<'_>) {
        if self.gate != Gate::Absent && self.is_delivered_to(whom, cx) {
            cx.account.audience.farewell = cx.account.audience.farewell.max(Some(goodbye));
        }
    }

    /// What the server tells `account`, whom the user blocks or refuses; `is_own`: by this very client.
    pub(super) fn goodbye(&self, account: &str, is_own: bool, cx: &Cx<'_>) -> Goodbye {
        match (cx.account.people.relation(account).from, is_own) {
            (Half::Yes, true) => Goodbye::AfterAll,
            (Half::Yes, false) => Goodbye::BeforePush,
            _ => Goodbye::Never,
        }
    }

    /// Whether `whom` (an account, or a whole domain) may get what is published. Who is just being taken out was
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

    /// What answers about the node are read with.
    pub(super) fn standing(&self, cx: &Cx<'_>) -> Standing {
        Standing {
            is_lenient: self.gate == Gate::Absent,
            is_new: cx.account.node.is_new(),
        }
    }
}
