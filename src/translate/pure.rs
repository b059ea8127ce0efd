//! What a client says under `pure`, where nothing but pubsub may leave: subscription stanzas become
//! subscriptions, approvals and the record; what cannot be said is refused.

use super::Wire;
use super::handshake::{Half, Kind};
use super::rules;
use super::subscriptions::{MOST_HELD, show_error};
use super::translator::{Translator, refuse};
use crate::jid;
use crate::xml::Element;

impl Translator {
    /// Something needs the contacts. Under `pure` all that is known of them has to be asked for.
    pub(super) fn need_contacts(&mut self, wire: &mut Wire) {
        if self.is_pure() {
            self.presence.prepare_node(wire);
            self.record.load(wire);
        }
    }

    /// A presence to somebody, under `pure`: a probe is answered from the contact's node, nothing else can
    /// be said.
    pub(super) fn handle_directed_presence(
        &mut self,
        presence: &Element<'_>,
        kind: Option<&str>,
        wire: &mut Wire,
    ) {
        let to = presence.attribute("to").unwrap_or_default();
        match kind {
            Some("probe") => {
                let account = jid::prepared(jid::bare(&to));
                self.events.forget(&account);
                self.states.fetch(&account);
            }
            // Nobody there was told that the client is available.
            Some("unavailable" | "error") => {}
            _ => {
                wire.apply(&rules::NOT_IN_PUBSUB);
                refuse(presence, "cancel", "feature-not-implemented", wire);
            }
        }
    }

    pub(super) fn handle_pure_subscription(
        &mut self,
        kind: Kind,
        account: &str,
        presence: &Element<'_>,
        wire: &mut Wire,
    ) {
        if !jid::is_account(account) || account == jid::bare(&wire.jid) {
            return refuse(presence, "cancel", "not-allowed", wire);
        }
        if self.record.is_unusable() {
            return refuse(presence, "wait", "service-unavailable", wire);
        }
        if self.contacts.is_known() {
            self.change_subscription(kind, account, wire);
        } else if self.held_changes.len() < MOST_HELD {
            self.held_changes.push((kind, account.into()));
        } else {
            refuse(presence, "wait", "resource-constraint", wire);
        }
    }

    /// Does what the client has said before the contacts were known.
    pub(super) fn release_changes(&mut self, wire: &mut Wire) {
        for (kind, account) in std::mem::take(&mut self.held_changes) {
            self.change_subscription(kind, &account, wire);
        }
    }

    /// The contacts cannot be known: the client is told of what it has said before.
    pub(super) fn refuse_changes(&mut self, wire: &mut Wire) {
        for (_, account) in std::mem::take(&mut self.held_changes) {
            show_error(&account, "wait", "service-unavailable", wire);
        }
    }

    /// Says with pubsub what a subscription stanza says (RFC 6121 §3, §A.2).
    pub(super) fn change_subscription(&mut self, kind: Kind, account: &str, wire: &mut Wire) {
        let before = self.contacts.relation(account);
        let (after, is_routed) = before.outbound(kind);
        match kind {
            Kind::Subscribe => {
                self.told.remove(account);
                self.followings.insist(account, wire);
            }
            Kind::Unsubscribe if before.to != Half::No => {
                self.followings.end(account, wire);
                self.events.hide(account, wire);
            }
            Kind::Subscribed if is_routed => self.approve(account, wire),
            Kind::Unsubscribed if is_routed && before.from == Half::Asked => {
                self.approvals.deny(account, wire);
            }
            Kind::Unsubscribed if is_routed => self.revoke(account, wire),
            _ => {}
        }
        if let Some(contact) = self.contacts.get_mut(account) {
            contact.is_asking &= !matches!(kind, Kind::Subscribed | Kind::Unsubscribed);
            // An item stays until the user removes it (§3.2.3, §3.3.2).
            contact.is_listed |= is_routed && matches!(kind, Kind::Subscribe | Kind::Subscribed);
        }
        self.set_relation(account, after, wire);
    }
}
