//! The account's own record of its contacts: a private node (DESIGN: the server is the database).
//!
//! Under `pure` it is the roster, as far as subscriptions do not say it: names, groups, requests. Under
//! `auto` it only holds approvals the native roster does not know of. A server may keep no more than 256
//! items on a node, so an item holds all contacts whose hash begins alike.
//!
//! An item's id is two hex digits of the SHA-256 of the contact's bare JID; it holds
//! `<contacts xmlns='urn:pubshim:0'>` with a `<contact jid name to from listed>` for each: `to` is `asked`,
//! `pending` once the contact's service has taken the request, or `yes`; `from` is `asked` or `yes`; `listed`
//! is there if the user wants it in the roster whatever is subscribed. In it are a `<group>` for each group
//! and a `<jid>` for each JID that was approved besides the bare one.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};
use sha2::{Digest as _, Sha256};

use super::approvals::MOST_JIDS;
use super::contacts::{Before, Contact, Contacts};
use super::handshake::{Half, Relation};
use super::node::{OwnNode, Spec, Step};
use super::{Purpose, form, rules};
use crate::jid;
use crate::ns;
use crate::session::{Event, Wire};
use crate::xml::{Element, escape};

/// The private node.
pub(super) const NODE: &str = "urn:pubshim:roster";
/// So many contacts may share an item.
const MOST_IN_ITEM: usize = 256;
/// So often a write may find the node changed under it.
const MOST_CONFLICTS: u8 = 3;

/// A request of the client's that waits for a write.
#[derive(Debug)]
pub(super) struct Request {
    /// Its id.
    pub(super) id: Box<str>,
    /// What is to be said of a contact again if it is refused.
    pub(super) undo: Option<Undo>,
}

/// What the user had said of a contact.
#[derive(Debug)]
pub(super) struct Undo {
    pub(super) account: Box<str>,
    pub(super) is_listed: bool,
    pub(super) name: Option<Box<str>>,
    pub(super) groups: Vec<Box<str>>,
}

/// What became of a write the client waits for.
#[derive(Debug)]
pub(super) struct Written {
    /// The client's requests, the oldest first.
    pub(super) requests: Vec<Request>,
    /// The error condition if it was refused.
    pub(super) refused: Option<String>,
}

/// What is known of the node in one session.
pub(super) struct Record {
    node: OwnNode,
    state: State,
    /// Items to be written, with the client's requests that wait for it.
    dirty: BTreeMap<u8, Vec<Request>>,
    /// Accounts that have changed before the record was read: what is read of them is older.
    fresh: HashSet<Box<str>>,
    /// The items that came so far, while the record is read.
    seen: HashSet<u8>,
    /// The item that is being written.
    writing: Option<(u8, Vec<Request>)>,
    conflicts: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    /// The node is made, then subscribed to, then read.
    Loading,
    /// The node is read as it is.
    Reading,
    Known,
    Unusable,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            node: OwnNode::new(NODE, Spec::Private),
            state: State::Unknown,
            dirty: BTreeMap::new(),
            fresh: HashSet::new(),
            seen: HashSet::new(),
            writing: None,
            conflicts: 0,
        }
    }

    /// Has the node made, subscribed to and read, unless that was done.
    pub(super) fn load(&mut self, wire: &mut Wire) {
        if self.state == State::Unknown {
            self.state = State::Loading;
            self.node.prepare(wire);
            self.check_usable();
        }
    }

    /// Has the node read, if there is one, unless that was done.
    pub(super) fn read(&mut self, wire: &mut Wire) {
        if self.state == State::Unknown && ask_items(wire) {
            self.state = State::Reading;
        }
    }

    /// Whether the contacts on record are known.
    pub(super) fn is_known(&self) -> bool {
        self.state == State::Known
    }

    /// Whether they cannot be had in this session.
    pub(super) fn is_unusable(&self) -> bool {
        self.state == State::Unusable
    }

    fn check_usable(&mut self) {
        if self.node.is_unusable() {
            self.state = State::Unusable;
        }
    }

    /// Goes on with making and verifying the node; what cannot be written any more, if it is of no use.
    pub(super) fn handle_node(
        &mut self,
        step: Step,
        reply: Result<&Element<'_>, &str>,
        contacts: &Contacts,
        wire: &mut Wire,
    ) -> Option<Written> {
        self.node.handle_reply(step, reply, wire);
        self.check_usable();
        if self.is_unusable() {
            let dirty = std::mem::take(&mut self.dirty);
            return Some(Written {
                requests: dirty.into_values().flatten().collect(),
                refused: Some("the node is of no use".to_owned()),
            });
        }
        if !self.node.is_ready() {
            return None;
        }
        if self.state == State::Loading {
            // Events of what other resources write; then what was written before.
            let own = jid::bare(&wire.jid).to_owned();
            wire.request("set", None, Purpose::Ignore, |out| {
                let _ = write!(
                    out,
                    "<pubsub xmlns='{}'><subscribe node='{NODE}' jid='{}'/></pubsub>",
                    ns::PUBSUB,
                    escape(&own)
                );
            });
            if ask_items(wire) {
                self.state = State::Reading;
            }
        } else {
            self.write_next(contacts, wire);
        }
        None
    }

    /// Takes what is on record, and writes what has changed before it was read.
    pub(super) fn handle_items(
        &mut self,
        reply: Result<&Element<'_>, &str>,
        contacts: &mut Contacts,
        wire: &mut Wire,
    ) {
        self.state = match reply {
            // Nothing was ever written.
            Ok(_) | Err("item-not-found") => State::Known,
            Err(_) => State::Unusable,
        };
        let pubsub = reply.ok().and_then(|iq| iq.child(ns::PUBSUB, "pubsub"));
        if let Some(pubsub) = &pubsub
            && let Some(items) = pubsub.child(ns::PUBSUB, "items")
        {
            let before = self.seen.len();
            for item in items.children() {
                self.seen.extend(bucket_in(&item));
                read_item(&item, contacts, |account| self.fresh.contains(account));
            }
            let is_part = pubsub.child(ns::RSM, "set").is_some();
            if is_part && self.seen.len() > before && self.ask_for_rest(wire) {
                self.state = State::Reading;
                return;
            }
        }
        self.fresh.clear();
        self.seen.clear();
        if self.is_known() && !self.dirty.is_empty() {
            self.write_next(contacts, wire);
        }
    }

    /// The answer was only a part (XEP-0059): asks for the items that were not in it, by their ids. An item
    /// that is taken for empty would be written over.
    fn ask_for_rest(&self, wire: &mut Wire) -> bool {
        let missing: Vec<u8> = (0..=u8::MAX)
            .filter(|bucket| !self.seen.contains(bucket))
            .collect();
        !missing.is_empty()
            && wire.request("get", None, Purpose::RecordItems, |out| {
                let _ = write!(out, "<pubsub xmlns='{}'><items node='{NODE}'>", ns::PUBSUB);
                for bucket in missing {
                    let _ = write!(out, "<item id='{bucket:02x}'/>");
                }
                out.put_slice(b"</items></pubsub>");
            })
    }

    /// Takes an event on the node: what another resource has written; whom it may concern, each once.
    pub(super) fn handle_event(
        &mut self,
        items: &Element<'_>,
        contacts: &mut Contacts,
    ) -> Vec<Before> {
        let mut concerned = BTreeMap::new();
        if self.state != State::Known {
            return Vec::new();
        }
        for item in items.children().filter(|item| item.local() == "item") {
            let Some(bucket) = bucket_in(&item) else {
                continue;
            };
            let is_ours = |writing: &(u8, _)| writing.0 == bucket;
            if self.dirty.contains_key(&bucket) || self.writing.as_ref().is_some_and(is_ours) {
                // What is being written here is newer.
                continue;
            }
            for (account, before) in
                contacts.forget_recorded(|account| bucket_of(account) == bucket)
            {
                concerned.entry(account).or_insert(before);
            }
            for account in read_item(&item, contacts, |_| false) {
                concerned.entry(account).or_insert(None);
            }
        }
        concerned.into_iter().collect()
    }

    /// Has what is known of `account` written; `request` is the client's that waits for it.
    pub(super) fn write(
        &mut self,
        account: &str,
        request: Option<Request>,
        contacts: &Contacts,
        wire: &mut Wire,
    ) {
        self.dirty
            .entry(bucket_of(account))
            .or_default()
            .extend(request);
        if !self.is_known() {
            // What else the item holds must not be lost.
            self.fresh.insert(account.into());
            return self.read(wire);
        }
        self.write_next(contacts, wire);
    }

    /// Goes on with what is to be written.
    pub(super) fn write_next(&mut self, contacts: &Contacts, wire: &mut Wire) {
        // What is on record already would be lost.
        if !self.is_known() || self.dirty.is_empty() {
            return;
        }
        let Some(access) = self.node.verified().filter(|_| self.node.is_ready()) else {
            return self.node.prepare(wire);
        };
        if self.writing.is_some() {
            return;
        }
        let Some((bucket, requests)) = self.dirty.pop_first() else {
            return;
        };
        wire.apply(&rules::RECORD);
        let sent = wire.request("set", None, Purpose::Recorded, |out| {
            write_bucket(out, bucket, contacts, access.as_str());
        });
        match sent {
            true => self.writing = Some((bucket, requests)),
            false => {
                self.dirty.insert(bucket, requests);
            }
        }
    }

    /// Takes the answer to a write; whose requests are answered by it.
    pub(super) fn handle_written(
        &mut self,
        reply: Result<&Element<'_>, &str>,
        contacts: &Contacts,
        wire: &mut Wire,
    ) -> Option<Written> {
        let (bucket, mut requests) = self.writing.take()?;
        let refused = match reply {
            Ok(_) => {
                self.conflicts = 0;
                None
            }
            // The node is not what was verified: it is checked before anything is written to it.
            Err("conflict") if self.conflicts < MOST_CONFLICTS => {
                self.conflicts += 1;
                self.node.doubt();
                // Those that came later come later.
                self.dirty.entry(bucket).or_default().splice(..0, requests);
                self.node.prepare(wire);
                return None;
            }
            Err(reason) => {
                wire.log(Event::PublishFailed {
                    node: NODE,
                    reason: reason.to_owned(),
                });
                // What was built upon it falls with it.
                if let Some(later) = self.dirty.get_mut(&bucket) {
                    requests.append(later);
                }
                Some(reason.to_owned())
            }
        };
        if refused.is_none() {
            self.write_next(contacts, wire);
        }
        Some(Written { requests, refused })
    }
}

fn ask_items(wire: &mut Wire) -> bool {
    wire.request("get", None, Purpose::RecordItems, |out| {
        let _ = write!(
            out,
            "<pubsub xmlns='{}'><items node='{NODE}'/></pubsub>",
            ns::PUBSUB
        );
    })
}

/// The item that holds `account`.
fn bucket_of(account: &str) -> u8 {
    Sha256::digest(account.as_bytes())
        .first()
        .copied()
        .unwrap_or(0)
}

/// The number of an item by its id.
fn bucket_in(item: &Element<'_>) -> Option<u8> {
    u8::from_str_radix(&item.attribute("id")?, 16).ok()
}

/// Writes a publish of all contacts of an item.
fn write_bucket(out: &mut BytesMut, bucket: u8, contacts: &Contacts, access: &str) {
    let mut entries: Vec<_> = contacts
        .iter()
        .filter(|(account, contact)| bucket_of(account) == bucket && contact.is_worth_recording())
        .collect();
    entries.sort_unstable_by_key(|(account, _)| *account);
    let _ = write!(
        out,
        "<pubsub xmlns='{}'><publish node='{NODE}'><item id='{bucket:02x}'><contacts xmlns='{}'>",
        ns::PUBSUB,
        ns::SHIM
    );
    for (account, contact) in entries {
        write_entry(out, account, contact);
    }
    out.put_slice(b"</contacts></item></publish><publish-options>");
    form::write_submit(out, ns::PUBLISH_OPTIONS, &[("pubsub#access_model", access)]);
    out.put_slice(b"</publish-options></pubsub>");
}

fn write_entry(out: &mut BytesMut, account: &str, contact: &Contact) {
    let half = |half| match half {
        Half::No => None,
        Half::Asked => Some("asked"),
        Half::Yes => Some("yes"),
    };
    let to = match contact.recorded.to {
        Half::Asked if contact.is_pending => Some("pending"),
        to => half(to),
    };
    let _ = write!(out, "<contact jid='{}'", escape(account));
    for (name, value) in [
        ("to", to),
        ("from", half(contact.recorded.from)),
        ("listed", contact.is_listed.then_some("yes")),
        ("name", contact.name.as_deref()),
    ] {
        if let Some(value) = value {
            let _ = write!(out, " {name}='{}'", escape(value));
        }
    }
    out.put_slice(b">");
    for (name, values) in [("group", &contact.groups), ("jid", &contact.jids)] {
        for value in values {
            let _ = write!(out, "<{name}>{}</{name}>", escape(value));
        }
    }
    out.put_slice(b"</contact>");
}

/// Takes the contacts of an item; whom it names. Of those for which `is_fresh` more is known already.
fn read_item(
    item: &Element<'_>,
    contacts: &mut Contacts,
    is_fresh: impl Fn(&str) -> bool,
) -> Vec<Box<str>> {
    let Some(list) = item.child(ns::SHIM, "contacts") else {
        return Vec::new();
    };
    let mut named = Vec::new();
    for entry in list
        .children()
        .filter(|entry| entry.local() == "contact")
        .take(MOST_IN_ITEM)
    {
        let half = |name| match entry.attribute(name).as_deref() {
            Some("yes") => Half::Yes,
            Some("asked" | "pending") => Half::Asked,
            _ => Half::No,
        };
        let account = entry.attribute("jid").unwrap_or_default();
        let is_address = jid::is_account(&account) || jid::domain(&account) == &*account;
        if !is_address {
            continue;
        }
        let Some(contact) = contacts.get_mut(&account) else {
            continue;
        };
        let texts = |name: &str| {
            let children = entry.children().filter(|child| child.local() == name);
            let mut texts = Vec::new();
            for child in children {
                texts.push(child.text().into());
            }
            texts
        };
        let jids: Vec<Box<str>> = texts("jid");
        if is_fresh(&account) {
            // What is to be written is newer; but all who may be subscribed have to be known.
            for jid in jids {
                if contact.jids.len() < MOST_JIDS && !contact.jids.contains(&jid) {
                    contact.jids.push(jid);
                }
            }
            continue;
        }
        contact.recorded = Relation {
            to: half("to"),
            from: half("from"),
        };
        contact.is_pending = entry.attribute("to").as_deref() == Some("pending");
        contact.is_listed = entry.attribute("listed").is_some();
        contact.name = entry.attribute("name").map(|name| (*name).into());
        contact.groups = texts("group");
        contact.jids = jids;
        named.push((*account).into());
    }
    named
}
