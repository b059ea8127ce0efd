//! The answers to our own IQs: which translator each is for, and what follows.

use super::Purpose;
use super::Wire;
use super::login::Login;
use super::node::Step;
use super::translator::Translator;
use crate::ns;
use crate::xml::Element;

/// Stands for the condition of an error where no answer came.
pub(super) const NO_ANSWER: &str = "no answer in time";

impl Translator {
    /// The answer to an IQ of ours.
    pub(crate) fn handle_reply(
        &mut self,
        purpose: Purpose,
        iq: &Element<'_>,
        is_error: bool,
        wire: &mut Wire,
    ) {
        let condition = is_error.then(|| error_condition(iq));
        let reply = match &condition {
            None => Ok(iq),
            Some(condition) => Err(&**condition),
        };
        self.go_on(purpose, reply, wire);
    }

    /// An IQ of ours was not answered in time.
    pub(crate) fn handle_timeout(&mut self, purpose: Purpose, wire: &mut Wire) {
        self.go_on(purpose, Err(NO_ANSWER), wire);
    }

    pub(super) fn go_on(
        &mut self,
        purpose: Purpose,
        reply: Result<&Element<'_>, &str>,
        wire: &mut Wire,
    ) {
        match purpose {
            Purpose::Roster => {
                self.contacts.handle_roster(reply, wire);
                self.handle_contacts_known(wire);
            }
            Purpose::State(serial) => {
                let (contacts, blocking) = (&self.contacts, &self.blocking);
                let may_see = |account: &str| blocking.lets_see(contacts, account);
                let refused = self.states.handle_items(serial, reply, may_see, wire);
                if let (Some(account), Err(condition), true) = (refused, reply, self.is_pure()) {
                    self.handle_refused_fetch(&account, condition, wire);
                }
            }
            Purpose::Alive(serial) => self.states.handle_pong(serial, reply, wire),
            Purpose::Follow(serial) => self.handle_followed(serial, reply, wire),
            Purpose::Grant(serial) => {
                self.approvals
                    .handle_grant(serial, reply, &self.contacts, wire);
            }
            Purpose::Members => {
                let standing = self.standing();
                self.approvals.handle_members(reply, standing, wire);
            }
            Purpose::Listed => self.handle_listed(reply, wire),
            Purpose::Blocklist => {
                let blocked = self.blocking.handle_list(reply, wire);
                self.handle_contacts_known(wire);
                if let Some(blocked) = blocked {
                    self.follow_blocking(&blocked, true, wire);
                }
            }
            Purpose::Subscribers => self.handle_revoking(reply, wire),
            Purpose::Revoked(serial) => {
                self.revocations.handle_revoked(serial, reply);
                self.work_at_revocations(wire);
            }
            Purpose::RecordNode(step) => {
                let written = self.record.handle_node(step, reply, &self.contacts, wire);
                if let Some(written) = written {
                    self.answer_written(written, wire);
                }
                self.answer_rosters(wire);
            }
            Purpose::RecordItems => {
                let is_pure = self.is_pure();
                self.record
                    .handle_items(reply, &mut self.contacts, is_pure, wire);
                self.work_at_revocations(wire);
                self.start_pure(wire);
            }
            Purpose::Recorded => {
                if let Some(written) = self.record.handle_written(reply, &self.contacts, wire) {
                    self.answer_written(written, wire);
                }
            }
            Purpose::Node(step) => {
                self.presence.handle_reply(purpose, reply, wire);
                if matches!((step, reply), (Step::Create(_), Ok(_))) {
                    self.approvals.note_new_node();
                }
                if self.presence.is_node_ready() {
                    self.answer_forms(wire);
                }
                if self.is_pure() && self.presence.is_node_settled() {
                    self.approvals.ask(wire);
                }
            }
            purpose => {
                let was_ready = self.presence.is_node_ready();
                self.presence.handle_reply(purpose, reply, wire);
                self.follow_privacy_lists(wire);
                if was_ready && !self.presence.is_node_ready() {
                    self.close_gate(wire);
                }
            }
        }
    }

    pub(super) fn handle_contacts_known(&mut self, wire: &mut Wire) {
        if self.contacts.is_known() {
            self.events.release(&self.contacts, wire);
            self.release_forms(wire);
        } else if !self.held_forms.is_empty() || self.login == Login::NeedsContacts {
            self.contacts.ask(wire);
        }
    }

    pub(super) fn handle_listed(&mut self, reply: Result<&Element<'_>, &str>, wire: &mut Wire) {
        let standing = self.standing();
        let listed = self.approvals.handle_subscribers(reply, standing, wire);
        if !self.is_pure() {
            return;
        }
        self.listed = listed;
        match self.contacts.is_known() {
            // Asked once more: somebody may have left.
            true => self.repair_listed(wire),
            false => self.start_pure(wire),
        }
    }

    /// Under `pure`: the record is read and the subscribers are listed, or cannot be.
    pub(super) fn start_pure(&mut self, wire: &mut Wire) {
        if !self.is_pure() || self.contacts.is_known() {
            return;
        }
        if self.record.is_known() && self.approvals.is_listed() {
            let listed = self.listed.take();
            self.merge_record(listed, wire);
            self.handle_contacts_known(wire);
            self.release_changes(wire);
        } else {
            self.answer_rosters(wire);
        }
    }

    pub(super) fn repair_listed(&mut self, wire: &mut Wire) {
        if let Some(listed) = self.listed.take() {
            self.repair(&listed, false, wire);
        }
    }
}

/// The condition of a stanza error (RFC 6120 §8.3.2), or the one of pubsub's own that says more.
pub(super) fn error_condition(iq: &Element<'_>) -> String {
    let condition = iq
        .children()
        .filter(|child| child.local() == "error")
        .find_map(|error| {
            for own in ["pending-subscription", "not-subscribed"] {
                if error.child(ns::PUBSUB_ERRORS, own).is_some() {
                    return Some(own.to_owned());
                }
            }
            let condition = error
                .children()
                .find(|child| child.namespace() == ns::STANZA_ERRORS && child.local() != "text");
            condition.map(|condition| condition.local().to_owned())
        });
    condition.unwrap_or_else(|| "undefined-condition".to_owned())
}
