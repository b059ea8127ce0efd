//! Nothing is published under `auto` before it is known who would be delivered to.
//!
//! At the client's first presence all that tells who may see it is asked at once, beside the native copy, which
//! does not wait: the node's configuration, privacy lists, the roster, whom the user has blocked, the node's
//! affiliations and subscriptions, and what is on record. Whoever would be delivered to and may not see the
//! client is taken out before the first publish. If that fails, or any of it cannot be found out, nothing is
//! published.
//!
//! Some servers do not list who is subscribed. There everybody we ever let in is on record, and the record is
//! made before the node: a node that has none is not to be trusted, and is made anew.

use std::time::Duration;

use super::Wire;
use super::approvals::{DOUBT, Standing};
use super::farewell::Told;
use super::inquiry::Inquiry;
use super::translator::Translator;
use crate::jid;

/// How far it is known who would be delivered to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Gate {
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
    pub(super) fn is_open(self) -> bool {
        self == Self::Open
    }

    /// Whether it is known who may be let in.
    pub(super) fn is_compared(self) -> bool {
        matches!(self, Self::Doubting(_) | Self::Rereading | Self::Open)
    }
}

impl Translator {
    /// The client has a presence for everybody: what is not known is asked for now.
    pub(super) fn open_gate(&mut self, wire: &mut Wire) {
        if self.is_pure() || !self.presence.has_something() {
            return;
        }
        if self.gate == Gate::Idle {
            self.gate = Gate::Asking;
        }
        self.presence.hasten();
        self.contacts.hasten();
        self.blocking.hasten();
        self.approvals.hasten();
        self.record.hasten();
        self.work_at_gate(wire);
    }

    /// The server says that the node is not what it was: who would be delivered to is not known any more.
    pub(super) fn close_gate(&mut self, wire: &mut Wire) {
        if self.is_pure() || self.gate == Gate::Idle {
            return;
        }
        self.gate = Gate::Asking;
        self.approvals.ask_again();
        self.work_at_gate(wire);
    }

    /// Goes on as far as the answers allow.
    pub(super) fn work_at_gate(&mut self, wire: &mut Wire) {
        if self.is_pure() || self.gate == Gate::Idle || self.presence.node().is_unusable() {
            return;
        }
        self.ask_all(wire);
        if self.presence.node().is_missing() {
            self.make_node(wire);
        }
        if self.gate == Gate::Asking && self.is_all_known() {
            if self.is_node_doubtful() {
                self.presence.remake_node(NO_RECORD, wire);
            } else {
                self.compare_all(wire);
            }
        }
        match self.gate {
            Gate::Doubting(at) if at <= wire.now => {
                self.gate = Gate::Rereading;
                self.record.refresh(wire);
            }
            Gate::Rereading if self.is_record_read() => {
                self.gate = Gate::Open;
                for account in self.strangers(wire) {
                    match self.natives.is_approving(&account) {
                        // It is not known yet whether the server takes the approval.
                        true => self.gate = Gate::Doubting(wire.now + DOUBT),
                        false => self.take_out(&account, Told::Never, wire),
                    }
                }
                self.answer_forms(wire);
            }
            _ => {}
        }
        self.hold_publishes(wire);
    }

    /// When it goes on, if not by an answer.
    pub(super) fn gate_at(&self) -> Option<Duration> {
        match self.gate {
            Gate::Doubting(at) => Some(at),
            _ => None,
        }
    }

    /// When something that could not be found out is asked again.
    pub(super) fn ask_again_at(&self, now: Duration) -> Option<Duration> {
        let [lists, list, node] = self.presence.inquiries();
        let [members, subscribers] = self.approvals.inquiries();
        let all: [&Inquiry; 8] = [
            lists,
            list,
            node,
            self.contacts.inquiry(),
            self.blocking.inquiry(),
            members,
            subscribers,
            self.record.inquiry(),
        ];
        // What is overdue waits for something else than time, and must not hide what does not.
        let again = all.iter().filter_map(|inquiry| inquiry.again_at());
        again
            .chain(self.contacts.client_deadline())
            .filter(|at| *at > now)
            .min()
    }

    /// Asks again what has failed some time ago.
    pub(super) fn ask_overdue(&mut self, wire: &mut Wire) {
        let deadline = self.contacts.client_deadline();
        if deadline.is_some_and(|until| until <= wire.now) {
            let removed = self.contacts.end_removals(Some(wire.now));
            self.follow_removals(removed, wire);
        }
        let is_overdue = self.contacts.inquiry().is_overdue(wire.now);
        if is_overdue || self.contacts.is_unanswered(wire.now) {
            self.contacts.ask(wire);
        }
        if self.blocking.inquiry().is_overdue(wire.now) {
            self.blocking.ask(wire);
        }
        if self.record.inquiry().is_overdue(wire.now) {
            self.record.read(wire);
        }
    }

    /// Asks what was not asked yet, and what has failed some time ago.
    fn ask_all(&mut self, wire: &mut Wire) {
        self.presence.ask_again(wire);
        self.contacts.ask(wire);
        self.blocking.ask(wire);
        self.approvals.ask(wire);
        self.record.read(wire);
    }

    fn is_all_known(&self) -> bool {
        self.presence.is_node_ready()
            && self.presence.is_visibility_known()
            && self.contacts.is_reliable()
            && self.blocking.is_known()
            && self.approvals.is_listed()
            && self.is_record_read()
    }

    fn is_record_read(&self) -> bool {
        self.record.is_known() || self.record.is_unusable()
    }

    /// The node is missing: it is made as soon as its record is there, or cannot be had.
    fn make_node(&mut self, wire: &mut Wire) {
        if !self.is_record_read() {
            return;
        }
        if self.record.is_missing() && !self.record.is_unusable() {
            return self.record.make(wire);
        }
        self.presence.allow_node(wire);
    }

    /// Whether nobody can tell who is subscribed to the node: the server does not list them, and there is no
    /// record.
    fn is_node_doubtful(&self) -> bool {
        let node = self.presence.node();
        !self.approvals.lists_subscribers()
            && !node.is_new()
            && !node.is_adopted()
            && (self.record.is_missing() || self.record.is_unusable())
    }

    /// Everything is known: whoever is missing is let in, and whoever should see nothing is thrown out.
    fn compare_all(&mut self, wire: &mut Wire) {
        self.gate = Gate::Open;
        for account in self.contacts.approved_twice() {
            // Else it would outlive what the roster says of him.
            self.forget_approval(&account, wire);
        }
        self.compare_members();
        for account in self.strangers(wire) {
            if self.blocking.is_blocked(&account) {
                self.take_out(&account, Told::Never, wire);
            } else if !self.revocations.concerns(&account) {
                self.gate = Gate::Doubting(wire.now + DOUBT);
            }
        }
        if self.presence.node().is_new() && !self.approvals.lists_subscribers() {
            // Of a node that was not there nobody could say whether its subscribers can be listed.
            self.approvals.list_again(wire);
        }
        self.answer_forms(wire);
    }

    /// Whoever would be delivered to and may not see us.
    pub(super) fn strangers(&self, wire: &Wire) -> Vec<Box<str>> {
        let (contacts, blocking) = (&self.contacts, &self.blocking);
        let may_see = |account: &str| blocking.lets_see(contacts, account);
        self.approvals
            .strangers(jid::bare(&wire.jid), contacts, may_see)
    }

    /// What answers about the node are read with.
    pub(super) fn standing(&self) -> Standing {
        Standing {
            is_pure: self.is_pure(),
            is_new: self.presence.is_node_new(),
        }
    }
}

/// What is wrong with a node nobody can tell the subscribers of.
const NO_RECORD: &str = "who is subscribed to it is neither listed by the server nor on record";
