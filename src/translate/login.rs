//! What is done once in a session after it has become available, and whatever else can wait: contacts are
//! looked at, members compared with them, states fetched.

use std::time::Duration;

use super::Wire;
use super::farewell::Told;
use super::translator::Translator;
use crate::jid;

/// So long after the first publish of a session the contacts are looked at under `auto`: by then the
/// server's probes have told most of their states.
const PROBES: Duration = Duration::from_secs(3);

/// What is done once in a session, after it has become available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// The client is not available yet.
    Waiting,
    /// It begins at this time.
    At(Duration),
    /// It goes on when the contacts are known.
    NeedsContacts,
    Done,
}

impl Translator {
    /// Does what can wait, as far as it may go now.
    pub(crate) fn work(&mut self, wire: &mut Wire) {
        self.natives.work(wire);
        self.record.work(&self.contacts, wire);
        self.ask_overdue(wire);
        self.blocking.work(wire);
        self.work_at_gate(wire);
        self.look_at_contacts(wire);
        self.look_at_strangers(wire);
        self.work_at_revocations(wire);
        if self.presence.hides() {
            // A question tells that the client is there.
            return;
        }
        let may_approve = self.may_approve();
        let (contacts, blocking) = (&self.contacts, &self.blocking);
        let is_pure = self.is_pure();
        let mut subscribed = Vec::new();
        if may_approve {
            subscribed = self
                .approvals
                .work(|account| blocking.lets_see(contacts, account), wire);
        }
        // Who is subscribed to shows the owner, on some servers by a question, that he is there.
        let is_available = self.presence.is_available();
        let is_shown = |account: &str| {
            is_pure
                || is_available && blocking.lets_see(contacts, account)
                || contacts.is_directed(account)
        };
        self.followings.work(
            |account| contacts.is_to_follow(account, is_pure) && is_shown(account),
            wire,
        );
        self.states.work(contacts, &mut self.events, wire);
        for account in subscribed {
            self.record_subscriber(&account, wire);
        }
    }

    /// When [`work`](Self::work) can go on, if not by an answer.
    pub(crate) fn work_at(&self, wire: &Wire) -> Option<Duration> {
        let later = |at: Option<Duration>| at.filter(|at| *at > wire.now);
        let login = match self.login {
            Login::At(at) => later(Some(at)),
            _ => None,
        };
        let is_hidden = self.presence.hides();
        let has_work = self.approvals.has_work() && self.may_approve()
            || self.followings.has_work()
            || self.states.has_work();
        // Whoever hides asks nobody.
        let work = match has_work && !is_hidden || self.record.has_work() {
            true => wire.may_work_at(),
            false => None,
        };
        let followings = self.followings.again_at().filter(|_| !is_hidden);
        [
            login,
            work,
            followings,
            self.natives.again_at(),
            later(self.approvals.again_at()),
            later(self.gate_at()),
            self.ask_again_at(wire.now),
            self.blocking.again_at(wire.now),
            self.revocations.again_at(wire),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether contacts may be let in now: what a revocation has still to send would undo it.
    fn may_approve(&self) -> bool {
        self.may_let_in() && !self.revocations.is_open()
    }

    /// Whether the node is there, and it is known who may see it.
    pub(super) fn may_let_in(&self) -> bool {
        self.presence.is_node_ready() && (self.is_pure() || self.gate.is_compared())
    }

    pub(super) fn look_at_contacts(&mut self, wire: &mut Wire) {
        if self.login == Login::Waiting && self.presence.was_published() {
            let pause = if self.is_pure() {
                Duration::ZERO
            } else {
                PROBES
            };
            self.login = Login::At(wire.now + pause);
        }
        if matches!(self.login, Login::At(at) if at <= wire.now) {
            self.login = Login::NeedsContacts;
        }
        let is_complete = match self.is_pure() {
            true => {
                self.contacts.is_known()
                    && self.approvals.is_listed()
                    && self.presence.is_available()
            }
            false => self.gate.is_compared(),
        };
        if self.login == Login::NeedsContacts && is_complete {
            self.login = Login::Done;
            if self.is_pure() {
                self.compare_members();
                for account in self.strangers(wire) {
                    self.approvals.doubt(&account, wire.now);
                }
            }
            for account in self.contacts.marked() {
                self.follow_marker(&account, wire);
            }
            if self.presence.is_available() {
                self.fetch_states(wire);
            }
        }
    }

    /// Takes away who is a member of the node and was never approved, if that is still so.
    pub(super) fn look_at_strangers(&mut self, wire: &mut Wire) {
        if self.approvals.again_at().is_none_or(|at| at > wire.now) {
            return;
        }
        let (contacts, blocking) = (&self.contacts, &self.blocking);
        let may_see = |account: &str| blocking.lets_see(contacts, account);
        self.approvals.settle_doubts(may_see);
        if self.approvals.again_at().is_none() {
            return;
        }
        if !self.is_pure() && !self.gate.is_compared() {
            // Everybody is looked at then.
            return;
        }
        for account in self.approvals.due_doubts(may_see, wire.now) {
            match self.natives.is_approving(&account) {
                true => self.approvals.doubt(&account, wire.now),
                false => self.take_out(&account, Told::Never, wire),
            }
        }
    }

    pub(super) fn compare_members(&mut self) {
        let (contacts, blocking) = (&self.contacts, &self.blocking);
        self.approvals
            .want_missing(contacts, |account| blocking.lets_see(contacts, account));
    }

    /// Has the states fetched that native presence does not tell: under `pure` also those of the account's
    /// own resources.
    pub(super) fn fetch_states(&mut self, wire: &Wire) {
        self.states.fetch_all(&self.contacts);
        if self.is_pure() {
            self.states.fetch(jid::bare(&wire.jid));
        }
    }
}
