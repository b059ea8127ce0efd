//! The account's own record of its contacts: a private node (DESIGN: the server is the database).
//!
//! Under `pure` it holds the parts of the roster that subscriptions do not tell: names, groups, requests. Under `auto`
//! it holds approvals that the native roster does not know, and on servers that do not list subscribers all JIDs let
//! in. A server may keep no more than 256 items on a node, so contacts whose hashes begin alike share an item.
//!
//! An item's id is two hex digits of the SHA-256 of the contact's bare JID, as servers prepare it; it holds
//! `<contacts xmlns='urn:pubshim:0'>` with a `<contact jid name to from listed>` for each: `to` is `asked`,
//! `pending` once the contact's service has taken the request, or `yes`; `from` is `asked` or `yes`; `listed`
//! is there if the user wants it in the roster whatever is subscribed. In it are a `<group>` for each group
//! and a `<jid>` for each JID that was approved besides the bare one; under `auto`, where a server does not
//! list subscribers, also for the bare one.
//!
//! Reading it is here, what an item holds in `entries.rs`, writing it in `writing.rs`; `strays.rs` moves entries that
//! are in a wrong item.

mod entries;
mod strays;
mod writing;

use std::collections::{BTreeMap, HashSet};

use super::Ask;
use entries::{bucket_in, entries, item_id, read_item};
use strays::{Strays, merge};
use writing::Changes;
pub(super) use writing::{Request, Undo, Written};

use crate::policy::Policy;
use crate::pubsub::{ROSTER, answer, request};
use crate::translate::account::Account;
use crate::translate::inquiry::Inquiry;
use crate::translate::node::{Access, NodeSpec, OwnNode, Step};
use crate::translate::people::{Before, Contact, People, bucket_of};
use crate::translate::{self, Wire};
use crate::wire::{Refused, Reply};
use crate::xml::Element;

/// Items of the record: one for each of the numbers.
const BUCKETS: u32 = 256;

/// The private node: it outlives the sessions that write it.
const NODE: NodeSpec = NodeSpec {
    name: ROSTER,
    access: Access::Whitelist,
    wanted: &[
        ("pubsub#presence_based_delivery", "0"),
        ("pubsub#send_last_published_item", "never"),
        ("pubsub#max_items", "max"),
        ("pubsub#persist_items", "1"),
        ("pubsub#deliver_payloads", "1"),
        ("pubsub#purge_offline", "0"),
        ("pubsub#notify_retract", "0"),
        ("pubsub#notification_type", "headline"),
    ],
    few_items: BUCKETS,
    is_kept: true,
    ask: |step| translate::Ask::Contacts(Ask::RecordNode(step)),
};
/// Named in the log while the record cannot be read.
const CONTACTS: &str = "whom you have let see you";

/// The record in one session.
pub(super) struct Record {
    /// Under `pure` one failure to read is enough: the client is told that it has no roster.
    gives_up: bool,
    node: OwnNode,
    state: State,
    /// The question for the items.
    pub(super) inquiry: Inquiry,
    /// The server has no such node.
    is_missing: bool,
    /// Items to be written.
    dirty: BTreeMap<u8, Changes>,
    /// Items read so far; an answer may hold only a part.
    seen: HashSet<u8>,
    /// Entries to be moved to other items.
    strays: Strays,
    /// The item that is being written.
    writing: Option<(u8, Changes)>,
    /// Failed writes in a row.
    failures: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    /// The node is created, subscribed to, then read.
    Loading,
    /// The node is to be read as it is, as soon as there is room for a request.
    Wanted,
    /// The items were asked for.
    Reading,
    Known,
    Unusable,
}

impl Record {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            gives_up: policy == Policy::Pure,
            node: OwnNode::new(&NODE),
            state: State::Unknown,
            inquiry: Inquiry::default(),
            is_missing: false,
            dirty: BTreeMap::new(),
            seen: HashSet::new(),
            strays: Strays::default(),
            writing: None,
            failures: 0,
        }
    }

    /// Has the node created, subscribed to and read, unless that was done.
    pub(super) fn load(&mut self, wire: &mut Wire) {
        if self.state == State::Unknown {
            self.state = State::Loading;
            self.node.prepare(wire);
            self.check_usable();
        }
    }

    /// Has the node read, if it exists, unless that was done.
    pub(super) fn read(&mut self, wire: &mut Wire) {
        if self.state == State::Unknown && self.inquiry.is_due(wire.now) {
            self.ask(wire);
        }
    }

    /// Has the node read again, as another resource may have written to it.
    pub(super) fn refresh(&mut self, wire: &mut Wire) {
        if self.state == State::Known {
            self.ask(wire);
        }
    }

    /// Whether the node did not exist, and was not created since.
    pub(super) fn is_missing(&self) -> bool {
        self.is_missing && !self.node.is_new() && !self.node.is_ready()
    }

    /// Creates the node, if it did not exist.
    pub(super) fn make(&mut self, wire: &mut Wire) {
        if self.is_missing && self.node.is_unchecked() {
            self.node.make(wire);
            self.check_usable();
        }
    }

    /// Asks for the items, or by their ids for those missing in an answer that was only a part (XEP-0059): an item taken
    /// for empty would be overwritten. Without room for a request, asks later.
    fn ask(&mut self, wire: &mut Wire) {
        let missing = (0..=u8::MAX).filter(|bucket| !self.seen.contains(bucket));
        let is_asked = wire.request("get", None, Ask::RecordItems, |out| {
            match self.seen.is_empty() {
                true => request::items(out, ROSTER),
                false => request::items_by_id(out, ROSTER, missing.map(item_id)),
            }
        });
        self.state = match is_asked {
            true => State::Reading,
            false => State::Wanted,
        };
    }

    /// Whether a read or a write that can wait is due.
    pub(super) fn has_work(&self) -> bool {
        match self.state {
            State::Wanted => true,
            State::Known => {
                self.node.is_ready() && self.writing.is_none() && !self.dirty.is_empty()
            }
            _ => false,
        }
    }

    /// Reads or writes, as far as that may go now.
    pub(super) fn work(&mut self, people: &People, wire: &mut Wire) {
        if self.state == State::Wanted && wire.may_work() {
            self.ask(wire);
        }
        if self.has_work() {
            self.write_next(people, wire);
        }
    }

    /// Whether the contacts on record are known.
    pub(super) fn is_known(&self) -> bool {
        self.state == State::Known
    }

    /// Whether the record cannot be read in this session.
    pub(super) fn is_unusable(&self) -> bool {
        self.state == State::Unusable
    }

    fn check_usable(&mut self) {
        if self.node.is_unusable() {
            self.state = State::Unusable;
        }
    }

    /// Handles a step of making and verifying the node; gives the client's waiting requests if the node turns out
    /// unusable.
    pub(super) fn handle_node(
        &mut self,
        step: Step,
        reply: Reply<'_>,
        account: &Account,
        wire: &mut Wire,
    ) -> Option<Written> {
        self.node.handle_reply(step, reply, account.bare(), wire);
        self.check_usable();
        if self.is_unusable() {
            let dirty = std::mem::take(&mut self.dirty);
            return Some(Written {
                requests: dirty
                    .into_values()
                    .flat_map(|changes| changes.requests)
                    .collect(),
                is_refused: true,
            });
        }
        if !self.node.is_ready() {
            return None;
        }
        if self.state == State::Loading {
            // Subscribe first, so that no write of another resource is missed between reading and events.
            wire.tell("set", None, |out| {
                request::subscribe(out, ROSTER, account.bare());
            });
            self.ask(wire);
        } else {
            self.write_next(&account.people, wire);
        }
        None
    }

    /// Handles the items of the record, then writes changes made before they were read.
    pub(super) fn handle_items(&mut self, reply: Reply<'_>, people: &mut People, wire: &mut Wire) {
        self.state = match reply {
            // Without the node, nothing was ever written.
            Ok(_) | Err(Refused::With("item-not-found")) => State::Known,
            Err(refused) if self.gives_up || is_final(refused) => State::Unusable,
            Err(refused) => {
                self.seen.clear();
                self.inquiry.fail(CONTACTS, refused, wire);
                State::Unknown
            }
        };
        if self.state == State::Unknown {
            return;
        }
        self.inquiry.note_known();
        self.is_missing = reply.is_err();
        if let Ok(iq) = reply {
            let before = self.seen.len();
            answer::with_items(iq, |items| self.read_items(items, people));
            let has_more = (before + 1..=usize::from(u8::MAX)).contains(&self.seen.len());
            if has_more && answer::is_part(iq) {
                return self.ask(wire);
            }
        }
        self.seen.clear();
        self.move_strays(people);
        if self.is_known() && !self.dirty.is_empty() {
            self.write_next(people, wire);
        }
    }

    fn read_items(&mut self, items: &Element<'_>, people: &mut People) {
        for item in items.children() {
            self.seen.extend(bucket_in(&item));
            let is_older = |account: &str| self.is_changed(account);
            let (_, strays) = read_item(&item, people, is_older);
            if let Some(bucket) = bucket_in(&item) {
                // This item replaces what an earlier read found in it.
                self.strays.forget(bucket);
            }
            self.strays.note(strays);
        }
    }

    /// Moves contacts found in a wrong item, or under another spelling, to their own item.
    fn move_strays(&mut self, people: &mut People) {
        let merged = merge(&self.strays.0, people, |account| self.is_changed(account));
        for account in merged {
            self.strays.start(&account);
            let changes = self.dirty.entry(bucket_of(&account)).or_default();
            changes.accounts.insert(account);
        }
        self.remove_strays(None, people);
    }

    /// Has items rewritten without strays that are no longer needed: their own item, `written`, is stored now, or they
    /// need no entry.
    fn remove_strays(&mut self, written: Option<u8>, people: &People) {
        for bucket in self.strays.take_moved(written, people) {
            self.dirty.entry(bucket).or_default();
        }
    }

    /// Handles an event on the node, a write of another resource; gives each account it may concern once. Accounts
    /// changed here are skipped, as the change is newer.
    pub(super) fn handle_event(&mut self, items: &Element<'_>, people: &mut People) -> Vec<Before> {
        let mut concerned = BTreeMap::new();
        if self.state != State::Known {
            return Vec::new();
        }
        let items = items.children().filter(|item| item.local() == "item");
        for item in items.take(BUCKETS as usize) {
            let Some(bucket) = bucket_in(&item) else {
                continue;
            };
            let is_overwritten = self.writing.as_ref().is_some_and(|(it, _)| *it == bucket);
            let before = match is_overwritten {
                true => entries(bucket, people),
                false => BTreeMap::new(),
            };
            let is_older = |account: &str| self.is_changed(account);
            for (account, before) in people.forget_recorded(bucket, |account| !is_older(account)) {
                concerned.entry(account).or_insert(before);
            }
            let (named, strays) = read_item(&item, people, is_older);
            for account in named {
                concerned.entry(account).or_insert(None);
            }
            // Strays are moved at the next login: an event never causes a write.
            for stray in &strays {
                let item = people.get(&stray.account).and_then(Contact::item);
                concerned.entry(stray.account.clone()).or_insert(item);
            }
            merge(&strays, people, |account| self.is_changed(account));
            self.strays.forget(bucket);
            self.strays.note(strays);
            if is_overwritten {
                self.write_again(bucket, &before, people);
            }
        }
        concerned.into_iter().collect()
    }

    /// Whether a change of `account` is still to be written.
    fn is_changed(&self, account: &str) -> bool {
        let bucket = bucket_of(account);
        let writing = self.writing.as_ref().filter(|(it, _)| *it == bucket);
        let mut changes = self
            .dirty
            .get(&bucket)
            .into_iter()
            .chain(writing.map(|(_, changes)| changes));
        changes.any(|changes| changes.accounts.contains(account))
    }
}

/// Whether an error means that the node can never be read.
fn is_final(refused: Refused<'_>) -> bool {
    let conditions = ["forbidden", "not-allowed", "closed-node", "not-authorized"];
    refused.is_unsupported() || conditions.contains(&refused.condition())
}
