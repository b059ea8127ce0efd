//! What a client says under `pure`, where nothing but pubsub may leave: subscription stanzas become
//! subscriptions, approvals and the record; what cannot be said is refused.

use super::Contacts;
use super::subscriptions::{MOST_HELD, show_error};
use crate::jid;
use crate::translate::Cx;
use crate::translate::relation::{Half, Kind};
use crate::wire::Reply;
use crate::xml::Element;

impl Contacts {
    pub(super) fn handle_pure_subscription(
        &mut self,
        kind: Kind,
        account: &str,
        presence: &Element<'_>,
        cx: &mut Cx<'_>,
    ) {
        if !jid::is_account(account) || account == cx.account.bare() {
            return cx.wire.refuse(presence, "cancel", "not-allowed");
        }
        if self.record.is_unusable() {
            return cx.wire.refuse(presence, "wait", "service-unavailable");
        }
        if cx.account.people.is_known() {
            self.change_subscription(kind, account, cx);
        } else if self.held_changes.len() < MOST_HELD {
            self.held_changes.push((kind, account.into()));
        } else {
            cx.wire.refuse(presence, "wait", "resource-constraint");
        }
    }

    /// Does what the client has said before the contacts were known.
    pub(super) fn release_changes(&mut self, cx: &mut Cx<'_>) {
        for (kind, account) in std::mem::take(&mut self.held_changes) {
            self.change_subscription(kind, &account, cx);
        }
    }

    /// The contacts cannot be known: the client is told of what it has said before.
    pub(super) fn refuse_changes(&mut self, cx: &mut Cx<'_>) {
        for (_, account) in std::mem::take(&mut self.held_changes) {
            show_error(&account, "wait", "service-unavailable", cx);
        }
    }

    /// Says with pubsub what a subscription stanza says (RFC 6121 §3, §A.2).
    pub(super) fn change_subscription(&mut self, kind: Kind, account: &str, cx: &mut Cx<'_>) {
        let before = cx.account.people.relation(account);
        let (after, is_routed) = before.outbound(kind);
        match kind {
            Kind::Subscribe => {
                self.told.remove(account);
                self.follow.insist(account, cx.wire);
            }
            Kind::Unsubscribe if before.to != Half::No => {
                self.follow.end(account, cx);
                cx.account.people.changed.push(account);
            }
            Kind::Subscribed if is_routed => self.approve(account, cx),
            Kind::Unsubscribed if is_routed && before.from == Half::Asked => {
                self.members.deny(account, cx);
            }
            Kind::Unsubscribed if is_routed => self.revoke(account, cx),
            _ => {}
        }
        if let Some(contact) = cx.account.people.get_mut(account) {
            contact.is_asking &= !matches!(kind, Kind::Subscribed | Kind::Unsubscribed);
            // An item stays until the user removes it (§3.2.3, §3.3.2).
            contact.is_listed |= is_routed && matches!(kind, Kind::Subscribe | Kind::Subscribed);
        }
        self.set_relation(account, after, cx);
    }

    /// The answer to who is subscribed to our node.
    pub(super) fn handle_listed(&mut self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let standing = self.standing(cx);
        let listed = self.members.handle_subscribers(reply, standing, cx.wire);
        if !self.is_pure() {
            return;
        }
        self.listed = listed;
        match cx.account.people.is_known() {
            // Asked once more: somebody may have left.
            true => self.repair_listed(cx),
            false => self.start_pure(cx),
        }
    }

    /// Under `pure`: the record is read and the subscribers are listed, or cannot be.
    pub(super) fn start_pure(&mut self, cx: &mut Cx<'_>) {
        if !self.is_pure() || cx.account.people.is_known() {
            return;
        }
        if self.record.is_known() && self.members.is_listed() {
            let listed = self.listed.take();
            self.merge_record(listed, cx);
            self.handle_contacts_known(cx);
            self.release_changes(cx);
        } else {
            self.answer_rosters(cx);
        }
    }

    fn repair_listed(&mut self, cx: &mut Cx<'_>) {
        if let Some(listed) = self.listed.take() {
            self.repair(&listed, false, cx);
        }
    }
}
