//! Subscriptions and roster sets under `pure`, where nothing but pubsub may leave: subscription stanzas become
//! subscriptions, approvals and entries of the record; all others are refused. The roster is made of the subscribers
//! and the private node.

use std::collections::BTreeSet;

use super::follow::follow_self;
use super::members::Subscribers;
use super::record::{Request, Undo, Written};
use super::roster::{groups_of, name_of, not_now, refuse};
use super::subscriptions::show_error;
use super::{Book, Contacts};
use crate::jid;
use crate::pubsub::{Event, PRESENCE, Question, What};
use crate::translate::relation::{Half, Kind, Relation};
use crate::translate::{Cx, rules};
use crate::wire::{Dropped, Reply};
use crate::xml::Element;

/// Subscription stanzas of the client's that may wait until the contacts are known.
const MOST_HELD: usize = 64;

/// Input that waits until the contacts are known.
#[derive(Default)]
pub(super) struct Held {
    /// The client's subscription stanzas.
    changes: Vec<(Kind, Box<str>)>,
    /// The subscribers of our node.
    listed: Option<Subscribers>,
}

impl Contacts {
    /// Answers an IQ from the client about its roster. `is_own`: it asks its own account.
    pub(super) fn handle_roster_iq(
        &mut self,
        iq: &Element<'_>,
        query: &Element<'_>,
        is_own: bool,
        cx: &mut Cx<'_>,
    ) {
        let kind = iq.attribute("type");
        if matches!(kind.as_deref(), Some("result" | "error")) {
            // The client answers a push.
            return;
        }
        if !is_own {
            cx.wire.apply(&rules::NOT_IN_PUBSUB);
            return cx.wire.refuse(iq, "service-unavailable");
        }
        self.need(cx);
        let id: Box<str> = iq.attribute("id").unwrap_or_default().into();
        cx.wire.apply(&rules::ROSTER);
        match kind.as_deref() {
            Some("get") => {
                self.shown.roster.note_request(&id, query, cx.wire);
                self.answer_rosters(cx);
            }
            Some("set") => self.set_item(id, query, cx),
            _ => {}
        }
    }

    /// Answers waiting requests for the roster, once it is known or cannot be had; then refuses waiting subscription
    /// stanzas, too.
    pub(super) fn answer_rosters(&mut self, cx: &mut Cx<'_>) {
        let is_lost = self.record.is_unusable() && !cx.account.people.is_known();
        if is_lost {
            self.refuse_changes(cx);
        }
        self.shown
            .roster
            .answer_waiting(is_lost, &cx.account.people, cx.wire);
    }

    /// Handles a roster set of the client's (RFC 6121 §2.3 to §2.5).
    fn set_item(&mut self, id: Box<str>, query: &Element<'_>, cx: &mut Cx<'_>) {
        if !cx.account.people.is_known() || self.record.is_unusable() {
            return refuse(&id, not_now(), cx.wire);
        }
        let mut items = query.children();
        let (Some(item), None) = (items.next(), items.next()) else {
            return refuse(&id, "bad-request", cx.wire);
        };
        let typed = item.attribute("jid").unwrap_or_default();
        let Some(account) = jid::prepare(&typed).filter(|jid| jid::resource(jid).is_none()) else {
            return refuse(&id, "bad-request", cx.wire);
        };
        if account == cx.account.bare() {
            return refuse(&id, "not-allowed", cx.wire);
        }
        if item.attribute("subscription").as_deref() == Some("remove") {
            return self.remove_item(id, &account, cx);
        }
        let (name, groups) = match (groups_of(&item), name_of(&item)) {
            (Ok(groups), Ok(name)) => (name, groups),
            (Err(condition), _) | (_, Err(condition)) => return refuse(&id, condition, cx.wire),
        };
        let Some(contact) = cx.account.people.get_mut(&account) else {
            return refuse(&id, "resource-constraint", cx.wire);
        };
        let undo = Some(Undo {
            account: (*account).into(),
            is_listed: std::mem::replace(&mut contact.is_listed, true),
            name: std::mem::replace(&mut contact.name, name),
            groups: std::mem::replace(&mut contact.groups, groups),
        });
        let request = Request { id, undo };
        self.record
            .write(&account, Some(request), &cx.account.people, cx.wire);
        self.shown.roster.push(&account, cx);
    }

    /// Removes a contact from the roster, and ends both subscriptions (RFC 6121 §2.5.2).
    fn remove_item(&mut self, id: Box<str>, account: &str, cx: &mut Cx<'_>) {
        let Some(contact) = cx
            .account
            .people
            .get_mut(account)
            .filter(|contact| contact.is_in_roster())
        else {
            return refuse(&id, "item-not-found", cx.wire);
        };
        let before = contact.relation;
        contact.is_listed = false;
        self.requests.end_asking(account);
        contact.name = None;
        contact.groups.clear();
        contact.relation = Relation::default();
        contact.recorded = Relation::default();
        if before.to != Half::No {
            self.follow.end(account, cx);
            cx.account.people.changed.push(account);
        }
        match before.from {
            Half::Yes => self.revoke(account, cx),
            Half::Asked => self.deny(account, cx),
            Half::No => {}
        }
        let request = Request { id, undo: None };
        self.record
            .write(account, Some(request), &cx.account.people, cx.wire);
        self.shown.roster.push(account, cx);
    }

    /// Sets the relation with a contact, on record and for the client; under `pure`.
    pub(super) fn set_relation(&mut self, account: &str, relation: Relation, cx: &mut Cx<'_>) {
        let Some(contact) = cx.account.people.get_mut(account) else {
            return;
        };
        if contact.relation == relation {
            return;
        }
        let before = contact.item();
        contact.is_pending &= relation.to == Half::Asked;
        contact.relation = relation;
        contact.recorded = relation;
        let is_news = contact.item() != before;
        self.write(account, cx);
        if is_news {
            self.shown.roster.push(account, cx);
        }
    }

    /// Answers the client's requests after a write has succeeded or failed.
    pub(super) fn answer_written(&mut self, written: Written, cx: &mut Cx<'_>) {
        if !written.is_refused {
            for Request { id, .. } in written.requests {
                cx.wire.show_result(&id);
            }
            return;
        }
        for Request { id, undo } in written.requests.into_iter().rev() {
            if let Some(undo) = undo {
                self.undo(undo, cx);
            }
            refuse(&id, "internal-server-error", cx.wire);
        }
        self.record.write_next(&cx.account.people, cx.wire);
    }

    fn undo(&mut self, undo: Undo, cx: &mut Cx<'_>) {
        let Some(contact) = cx.account.people.get_mut(&undo.account) else {
            return;
        };
        let before = contact.item();
        contact.is_listed = undo.is_listed;
        contact.name = undo.name;
        contact.groups = undo.groups;
        if contact.item() != before {
            self.shown.roster.push(&undo.account, cx);
        }
    }

    /// Handles a write of another resource to the record: tells the client the changes.
    fn handle_record_event(&mut self, items: &Element<'_>, cx: &mut Cx<'_>) {
        cx.wire.apply(&rules::RECORD);
        for (account, item) in self.record.handle_event(items, &mut cx.account.people) {
            let Some(contact) = cx.account.people.get_mut(&account) else {
                continue;
            };
            let before = contact.relation;
            contact.relation = contact.recorded;
            let after = contact.relation;
            let is_news = contact.item() != item;
            if after.from != Half::Asked {
                // Another resource has answered the request.
                self.requests.end_asking(&account);
            }
            let is_seen = after.to == Half::Yes;
            if is_seen != (before.to == Half::Yes) {
                self.follow.note(&account, is_seen, cx.wire);
                cx.account.people.changed.push(&account);
            }
            if is_news {
                self.shown.roster.push(&account, cx);
            }
        }
        self.record.write_next(&cx.account.people, cx.wire);
    }

    /// Makes the roster of the record and the list of subscribers, once both were read.
    fn merge_record(&mut self, listed: Option<Subscribers>, cx: &mut Cx<'_>) {
        let accounts: Vec<Box<str>> = cx
            .account
            .people
            .iter()
            .map(|(account, _)| account.into())
            .collect();
        for account in &accounts {
            if let Some(contact) = cx.account.people.get_mut(account) {
                contact.relation = contact.recorded;
            }
        }
        // Under `pure`, the record is the roster.
        cx.account.people.inquiry.note_known();
        let own = cx.account.bare();
        if !listed
            .as_ref()
            .is_some_and(|listed| listed.subscribed.contains(own))
        {
            follow_self(cx);
        }
        if let Some(listed) = listed {
            self.repair(&listed, true, cx);
        }
        for account in accounts {
            let contact = cx.account.people.get(&account);
            match contact.map(|contact| (contact.relation.to, contact.is_pending)) {
                Some((Half::Asked, true)) => self.follow.look(&account),
                Some((Half::Asked, false)) => self.follow.want(&account, cx.wire.now),
                _ => {}
            }
        }
        self.answer_rosters(cx);
    }

    /// Makes the record and the subscriptions of our node agree. A recorded contact that is no longer subscribed has
    /// left. But if the node had to be created at this login, the server has lost all subscriptions: no contact has
    /// left, and those it still lists (Prosody does) get nothing, so they are subscribed again.
    fn repair(&mut self, listed: &Subscribers, is_login: bool, cx: &mut Cx<'_>) {
        // A contact that has left and asks again is approved again.
        let is_listed = |account: &str| {
            let mut jids = listed.subscribed.iter().chain(&listed.pending);
            jids.any(|jid| jid::prepared(jid::bare(jid)) == account)
        };
        let own = cx.account.bare().to_owned();
        let mut approved: Vec<Box<str>> = cx
            .account
            .people
            .iter()
            .filter(|(_, contact)| contact.relation.from == Half::Yes)
            .map(|(account, _)| account.into())
            .collect();
        approved.sort_unstable();
        let is_new = cx.account.node.is_new();
        let is_lost = is_login && is_new;
        for account in &approved {
            if is_lost {
                self.members.want(account, false, cx.wire);
                self.members.want_subscribed(account);
            } else if !is_listed(account) {
                self.hear(Kind::Unsubscribe, account, cx);
                self.revoke(account, cx);
            }
        }
        let subscribed = listed.subscribed.iter();
        let subscribed: BTreeSet<_> = subscribed
            .map(|jid| jid::prepared(jid::bare(jid)))
            .collect();
        for account in &subscribed {
            let relation = cx.account.people.relation(account);
            let is_leaving = self.revocations.concerns(account);
            if *account != own && relation.from != Half::Yes && !is_leaving && !is_new {
                let from = Half::Yes;
                self.set_relation(account, Relation { from, ..relation }, cx);
            }
        }
        let pending: BTreeSet<&str> = listed.pending.iter().map(|jid| &**jid).collect();
        for jid in pending {
            // The question about this JID got lost, or is still to come.
            if jid::bare(jid) != own && !self.requests.has_jid(jid) {
                let question = Question {
                    service: own.as_str().into(),
                    node: PRESENCE.into(),
                    jid: jid.into(),
                    id: Box::default(),
                };
                self.look_at(question, cx);
            }
        }
    }

    /// Handles an event on a node named as the account's private one.
    pub(in crate::translate) fn record_event(&mut self, event: &Event<'_>, cx: &mut Cx<'_>) {
        if event.service != cx.account.bare() {
            cx.wire.drop_event(Dropped::ForeignFrom);
        } else if event.what == What::Items && matches!(self.book, Book::Pubsub(_)) {
            self.handle_record_event(event.element, cx);
        }
    }

    pub(super) fn handle_pure_subscription(
        &mut self,
        kind: Kind,
        account: &str,
        presence: &Element<'_>,
        cx: &mut Cx<'_>,
    ) {
        if !jid::is_account(account) || account == cx.account.bare() {
            return cx.wire.refuse(presence, "not-allowed");
        }
        if self.record.is_unusable() {
            return cx.wire.refuse(presence, not_now());
        }
        if cx.account.people.is_known() {
            return self.change_subscription(kind, account, cx);
        }
        match &mut self.book {
            Book::Pubsub(held) if held.changes.len() < MOST_HELD => {
                held.changes.push((kind, account.into()));
            }
            _ => cx.wire.refuse(presence, "resource-constraint"),
        }
    }

    /// Handles the client's subscription stanzas that had to wait for the contacts.
    pub(super) fn release_changes(&mut self, cx: &mut Cx<'_>) {
        for (kind, account) in self.take_changes() {
            self.change_subscription(kind, &account, cx);
        }
    }

    fn take_changes(&mut self) -> Vec<(Kind, Box<str>)> {
        match &mut self.book {
            Book::Pubsub(held) => std::mem::take(&mut held.changes),
            Book::Native => Vec::new(),
        }
    }

    /// Refuses the client's subscription stanzas that had to wait, as the contacts cannot be known.
    pub(super) fn refuse_changes(&mut self, cx: &mut Cx<'_>) {
        for (_, account) in self.take_changes() {
            show_error(&account, not_now(), cx);
        }
    }

    /// Translates a subscription stanza of the client's to pubsub (RFC 6121 §3, §A.2).
    pub(super) fn change_subscription(&mut self, kind: Kind, account: &str, cx: &mut Cx<'_>) {
        let before = cx.account.people.relation(account);
        let (after, is_routed) = before.outbound(kind);
        match kind {
            Kind::Subscribe => {
                self.shown.unreachable.remove(account);
                self.follow.insist(account, cx.wire);
            }
            Kind::Unsubscribe if before.to != Half::No => {
                self.follow.end(account, cx);
                cx.account.people.changed.push(account);
            }
            Kind::Subscribed if is_routed => self.approve(account, cx),
            Kind::Unsubscribed if is_routed && before.from == Half::Asked => {
                self.deny(account, cx);
            }
            Kind::Unsubscribed if is_routed => self.revoke(account, cx),
            _ => {}
        }
        if matches!(kind, Kind::Subscribed | Kind::Unsubscribed) {
            self.requests.end_asking(account);
        }
        if let Some(contact) = cx.account.people.get_mut(account) {
            // The roster shows the contact until the user removes it (§3.2.3, §3.3.2).
            contact.is_listed |= is_routed && matches!(kind, Kind::Subscribe | Kind::Subscribed);
        }
        self.set_relation(account, after, cx);
    }

    /// Handles the list of subscribers of our node.
    pub(super) fn handle_listed(&mut self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let standing = self.standing(cx);
        let listed = self.members.handle_subscribers(reply, standing, cx.wire);
        let Book::Pubsub(held) = &mut self.book else {
            return;
        };
        match listed {
            // A later list: a contact may have left.
            Some(listed) if cx.account.people.is_known() => self.repair(&listed, false, cx),
            listed => {
                held.listed = listed;
                self.start_pure(cx);
            }
        }
    }

    /// Under `pure`: makes the roster, once the record is read and the subscribers are listed, or cannot be.
    pub(super) fn start_pure(&mut self, cx: &mut Cx<'_>) {
        let Book::Pubsub(held) = &mut self.book else {
            return;
        };
        if cx.account.people.is_known() {
            return;
        }
        if self.record.is_known() && self.members.is_listed() {
            let listed = held.listed.take();
            self.merge_record(listed, cx);
            self.handle_contacts_known(cx);
            self.release_changes(cx);
        } else {
            self.answer_rosters(cx);
        }
    }
}
