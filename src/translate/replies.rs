//! The answers to our own IQs: which translator each is for, and what follows.

use super::Purpose;
use super::Wire;
use super::login::Login;
use super::node::Step;
use super::translator::Translator;
use crate::wire::{Refused, Reply, error_condition};
use crate::xml::Element;

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
            Some(condition) => Err(Refused::With(condition)),
        };
        self.go_on(purpose, reply, wire);
    }

    /// An IQ of ours was not answered in time.
    pub(crate) fn handle_timeout(&mut self, purpose: Purpose, wire: &mut Wire) {
        self.go_on(purpose, Err(Refused::NoAnswer), wire);
    }

    pub(super) fn go_on(&mut self, purpose: Purpose, reply: Reply<'_>, wire: &mut Wire) {
        match purpose {
            Purpose::Roster => {
                self.contacts.handle_roster(reply, wire);
                self.handle_contacts_known(wire);
            }
            Purpose::State(fetch) => match reply {
                Ok(iq) => {
                    let may_see = self.blocking.lets_see(&self.contacts, &fetch.account);
                    self.states.handle_items(&fetch, iq, may_see, wire);
                }
                Err(refused) if self.is_pure() => {
                    self.handle_refused_fetch(&fetch.account, refused, wire);
                }
                Err(_) => {}
            },
            Purpose::Alive(held) => self.states.handle_pong(held, reply, wire),
            Purpose::Follow(account, question) => {
                let outcome = self
                    .followings
                    .handle_reply(&account, question, reply, wire);
                self.handle_followed(&account, outcome, wire);
            }
            Purpose::Grant(accounts) => {
                self.approvals
                    .handle_grant(accounts, reply, &self.contacts, wire);
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
            Purpose::Revoked(change) => {
                self.revocations.handle_revoked(&change, reply);
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

    pub(super) fn handle_listed(&mut self, reply: Reply<'_>, wire: &mut Wire) {
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
