//! The roster under `pure`: made of who is subscribed to whom and of the private node (listing 8).
//!
//! No roster protocol leaves. The client gets, sets and is pushed its roster as RFC 6121 §2 has it.

use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};
use sha2::{Digest as _, Sha256};

use super::Contacts;
use super::follow::follow_self;
use super::members::Subscribers;
use super::record::{Request, Undo, Written};
use super::subscriptions::show_subscription;
use crate::jid;
use crate::ns;
use crate::pubsub::{Event, PRESENCE, Question, What};
use crate::translate::people::{Contact, People};
use crate::translate::relation::{Half, Kind, Relation};
use crate::translate::{Cx, Wire, rules};
use crate::wire::{Dropped, Leg};
use crate::xml::{Element, escape};

/// So many requests for the roster may wait until it is known.
const MOST_WAITING: usize = 16;
/// A name or a group may be so long, in bytes.
const MOST_NAME: usize = 1023;
/// A contact may be in so many groups.
const MOST_GROUPS: usize = 32;

/// A request for the roster that waits until it is known.
#[derive(Debug)]
pub(super) struct Waiting {
    id: Box<str>,
    version: Option<Box<str>>,
}

/// The version of the roster the client has (RFC 6121 §2.6): the sum, modulo 2^128, of a SHA-256 of each item
/// cut to as many bits. The same list has the same version in whatever order its items came, and a push costs
/// the hash of one item. It is no secret and nobody's proof, so a sum does.
#[derive(Default)]
pub(super) struct Version {
    items: HashMap<Box<str>, u128>,
    sum: u128,
}

impl Version {
    /// Notes the item of `account` as the client is told it; `None`: there is none any more.
    fn note(&mut self, account: &str, item: Option<&[u8]>) {
        let before = match item.map(hash_of) {
            Some(hash) => {
                self.sum = self.sum.wrapping_add(hash);
                self.items.insert(account.into(), hash)
            }
            None => self.items.remove(account),
        };
        self.sum = self.sum.wrapping_sub(before.unwrap_or(0));
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.sum)
    }
}

fn hash_of(item: &[u8]) -> u128 {
    let digest = Sha256::digest(item);
    digest
        .iter()
        .take(16)
        .fold(0, |hash, byte| hash << 8 | u128::from(*byte))
}

impl Contacts {
    /// An IQ from the client about its roster, which is answered here. `is_own`: it asks its own account.
    pub(super) fn handle_roster_iq(
        &mut self,
        iq: &Element<'_>,
        query: &Element<'_>,
        is_own: bool,
        cx: &mut Cx<'_>,
    ) {
        let kind = iq.attribute("type");
        if matches!(kind.as_deref(), Some("result" | "error")) {
            // An answer to a push.
            return;
        }
        if !is_own {
            cx.wire.apply(&rules::NOT_IN_PUBSUB);
            return cx.wire.refuse(iq, "cancel", "service-unavailable");
        }
        self.need(cx);
        let id: Box<str> = iq.attribute("id").unwrap_or_default().into();
        cx.wire.apply(&rules::ROSTER);
        match kind.as_deref() {
            Some("get") => {
                let version = query.attribute("ver").map(|version| (*version).into());
                if self.waiting_rosters.len() >= MOST_WAITING {
                    return answer_error(&id, "wait", "resource-constraint", cx.wire);
                }
                self.waiting_rosters.push(Waiting { id, version });
                self.answer_rosters(cx);
            }
            Some("set") => self.set_item(id, query, cx),
            _ => {}
        }
    }

    /// Answers the requests that wait, if the roster is known or cannot be had.
    pub(super) fn answer_rosters(&mut self, cx: &mut Cx<'_>) {
        if !cx.account.people.is_known() && !self.record.is_unusable() {
            return;
        }
        if !cx.account.people.is_known() {
            self.refuse_changes(cx);
        }
        for Waiting { id, version } in std::mem::take(&mut self.waiting_rosters) {
            if !cx.account.people.is_known() {
                answer_error(&id, "wait", "service-unavailable", cx.wire);
                continue;
            }
            self.client_has_roster = true;
            let items = self.roster_items(&cx.account.people);
            let current = self.roster_version.to_string();
            if version.as_deref() == Some(&*current) {
                cx.wire.show_result(&id);
                continue;
            }
            cx.wire.stanza(Leg::Client, |out| {
                let _ = write!(
                    out,
                    "<iq type='result' id='{}'><query xmlns='{}'",
                    escape(&id),
                    ns::ROSTER
                );
                if version.is_some() {
                    let _ = write!(out, " ver='{current}'");
                }
                out.put_slice(b">");
                out.put_slice(&items);
                out.put_slice(b"</query></iq>");
            });
        }
    }

    /// All items, in the order of their JIDs; the client has their version then.
    fn roster_items(&mut self, people: &People) -> BytesMut {
        let mut contacts: Vec<_> = people
            .iter()
            .filter(|(_, contact)| contact.is_in_roster())
            .collect();
        contacts.sort_unstable_by_key(|(account, _)| *account);
        let mut items = BytesMut::new();
        let mut version = Version::default();
        for (account, contact) in contacts {
            let start = items.len();
            write_item(&mut items, account, Some(contact));
            version.note(account, items.get(start..));
        }
        self.roster_version = version;
        items
    }

    /// A roster set of the client's (RFC 6121 §2.3 to §2.5).
    fn set_item(&mut self, id: Box<str>, query: &Element<'_>, cx: &mut Cx<'_>) {
        if !cx.account.people.is_known() || self.record.is_unusable() {
            return answer_error(&id, "wait", "service-unavailable", cx.wire);
        }
        let mut items = query.children();
        let (Some(item), None) = (items.next(), items.next()) else {
            return answer_error(&id, "modify", "bad-request", cx.wire);
        };
        let typed = item.attribute("jid").unwrap_or_default();
        let Some(account) = jid::prepare(&typed).filter(|jid| jid::resource(jid).is_none()) else {
            return answer_error(&id, "modify", "bad-request", cx.wire);
        };
        if account == cx.account.bare() {
            return answer_error(&id, "cancel", "not-allowed", cx.wire);
        }
        if item.attribute("subscription").as_deref() == Some("remove") {
            return self.remove_item(id, &account, cx);
        }
        let name: Option<Box<str>> = item.attribute("name").map(|name| (*name).into());
        let groups = match groups_of(&item) {
            Ok(groups) if name.as_ref().is_none_or(|name| name.len() <= MOST_NAME) => groups,
            Ok(_) => return answer_error(&id, "modify", "not-acceptable", cx.wire),
            Err(condition) => return answer_error(&id, "modify", condition, cx.wire),
        };
        let Some(contact) = cx.account.people.get_mut(&account) else {
            return answer_error(&id, "wait", "resource-constraint", cx.wire);
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
        self.push(&account, cx);
    }

    /// Takes a contact out, and ends both subscriptions (RFC 6121 §2.5.2).
    fn remove_item(&mut self, id: Box<str>, account: &str, cx: &mut Cx<'_>) {
        let Some(contact) = cx
            .account
            .people
            .get_mut(account)
            .filter(|contact| contact.is_in_roster())
        else {
            return answer_error(&id, "cancel", "item-not-found", cx.wire);
        };
        let before = contact.relation;
        contact.is_listed = false;
        contact.is_asking = false;
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
            Half::Asked => self.members.deny(account, cx),
            Half::No => {}
        }
        let request = Request { id, undo: None };
        self.record
            .write(account, Some(request), &cx.account.people, cx.wire);
        self.push(account, cx);
    }

    /// Notes what is between the account and a contact now: on record, and for the client.
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
        self.record
            .write(account, None, &cx.account.people, cx.wire);
        if is_news {
            self.push(account, cx);
        }
    }

    /// Pushes an item to the client, if it has asked for its roster (RFC 6121 §2.1.6).
    fn push(&mut self, account: &str, cx: &mut Cx<'_>) {
        if !self.client_has_roster {
            return;
        }
        let contact = cx
            .account
            .people
            .get(account)
            .filter(|contact| contact.is_in_roster());
        let mut item = BytesMut::new();
        write_item(&mut item, account, contact);
        self.roster_version
            .note(account, contact.is_some().then_some(&*item));
        let id = cx.wire.requests.id();
        let to = escape(cx.account.jid());
        cx.wire.stanza(Leg::Client, |out| {
            let _ = write!(
                out,
                "<iq type='set' id='{id}' to='{to}'><query xmlns='{}' ver='{}'>",
                ns::ROSTER,
                self.roster_version
            );
            out.put_slice(&item);
            out.put_slice(b"</query></iq>");
        });
    }

    /// What the client waits for is written, or cannot be.
    pub(super) fn answer_written(&mut self, written: Written, cx: &mut Cx<'_>) {
        if written.refused.is_none() {
            for Request { id, .. } in written.requests {
                cx.wire.show_result(&id);
            }
            return;
        }
        for Request { id, undo } in written.requests.into_iter().rev() {
            if let Some(undo) = undo {
                self.undo(undo, cx);
            }
            answer_error(&id, "wait", "internal-server-error", cx.wire);
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
            self.push(&undo.account, cx);
        }
    }

    /// Another resource has written to the record: the client is told what is new in it.
    pub(super) fn handle_record_event(&mut self, items: &Element<'_>, cx: &mut Cx<'_>) {
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
                // Another resource has answered.
                contact.is_asking = false;
            }
            if before.to == Half::Yes && after.to != Half::Yes {
                self.follow.note(&account, false, cx.wire);
                cx.account.people.changed.push(&account);
            } else if after.to == Half::Yes && before.to != Half::Yes {
                self.follow.note(&account, true, cx.wire);
                cx.account.people.changed.push(&account);
            }
            if is_news {
                self.push(&account, cx);
            }
        }
        self.record.write_next(&cx.account.people, cx.wire);
    }

    /// The record is read and the subscribers are listed: the roster is known.
    pub(super) fn merge_record(&mut self, listed: Option<Subscribers>, cx: &mut Cx<'_>) {
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
        cx.account.people.set_known();
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

    /// Makes the record and the subscriptions of our node agree. A contact that is subscribed no longer has
    /// left. Of a node that had to be made at this login the server has lost all there was: nobody has left
    /// it, and whom it lists all the same (Prosody does) gets nothing.
    pub(super) fn repair(&mut self, listed: &Subscribers, is_login: bool, cx: &mut Cx<'_>) {
        // Whoever has left and asks again is approved again.
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
                continue;
            }
            if is_listed(account) {
                continue;
            }
            let (after, _) = cx
                .account
                .people
                .relation(account)
                .inbound(Kind::Unsubscribe);
            self.set_relation(account, after, cx);
            self.revoke(account, cx);
            show_subscription(Kind::Unsubscribe, account, cx);
        }
        let subscribed = listed.subscribed.iter();
        let mut unknown: Vec<_> = subscribed
            .map(|jid| jid::prepared(jid::bare(jid)))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        for account in &unknown {
            let relation = cx.account.people.relation(account);
            let is_leaving = self.revocations.concerns(account);
            if *account != own && relation.from != Half::Yes && !is_leaving && !is_new {
                let from = Half::Yes;
                self.set_relation(account, Relation { from, ..relation }, cx);
            }
        }
        let mut pending: Vec<&str> = listed.pending.iter().map(|jid| &**jid).collect();
        pending.sort_unstable();
        for jid in pending {
            // Its form got lost, or is still to come.
            if jid::bare(jid) != own && !self.members.has_form_of(jid) {
                let question = Question {
                    service: own.as_str().into(),
                    node: PRESENCE.into(),
                    jid: jid.into(),
                    id: Box::default(),
                };
                self.handle_form(question, cx);
            }
        }
    }

    /// An event on a node named as the account's own private one.
    pub(in crate::translate) fn record_event(&mut self, event: &Event<'_>, cx: &mut Cx<'_>) {
        if event.service != cx.account.bare() {
            cx.wire.drop_event(Dropped::ForeignFrom);
        } else if event.what == What::Items && self.is_pure() {
            self.handle_record_event(event.element, cx);
        }
    }
}

/// Reads the groups of an item, each once (RFC 6121 §2.3.3); else the error condition.
fn groups_of(item: &Element<'_>) -> Result<Vec<Box<str>>, &'static str> {
    let mut groups: Vec<Box<str>> = Vec::new();
    for group in item
        .children()
        .filter(|child| child.is(ns::ROSTER, "group"))
    {
        let group: Box<str> = group.text().into();
        if group.is_empty() || group.len() > MOST_NAME || groups.len() >= MOST_GROUPS {
            return Err("not-acceptable");
        }
        if groups.contains(&group) {
            return Err("bad-request");
        }
        groups.push(group);
    }
    Ok(groups)
}

/// Writes an item as RFC 6121 §2.1.2 has it; without a contact as removed.
fn write_item(out: &mut BytesMut, account: &str, contact: Option<&Contact>) {
    let _ = write!(out, "<item jid='{}'", escape(account));
    let Some(contact) = contact else {
        out.put_slice(b" subscription='remove'/>");
        return;
    };
    if let Some(name) = &contact.name {
        let _ = write!(out, " name='{}'", escape(name));
    }
    let _ = write!(out, " subscription='{}'", contact.relation.as_str());
    if contact.relation.to == Half::Asked {
        out.put_slice(b" ask='subscribe'");
    }
    out.put_slice(b">");
    for group in &contact.groups {
        let _ = write!(out, "<group>{}</group>", escape(group));
    }
    out.put_slice(b"</item>");
}

fn answer_error(id: &str, kind: &str, condition: &str, wire: &mut Wire) {
    wire.show_error("iq", &[("id", Some(id))], kind, condition);
}
