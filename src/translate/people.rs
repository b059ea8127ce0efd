//! The account's contacts, by the account's own records, and what was noticed of each in this session.
//!
//! Whose events are believed follows from it: a stranger could claim anything, so the account's own
//! roster is asked, and never the stranger's server.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sha2::{Digest as _, Sha256};

use super::block_list::BlockList;
use super::inquiry::Inquiry;
use super::queue::Queue;
use super::relation::{Half, Relation};
use crate::jid;
use crate::ns;
use crate::xml::Element;

/// After so many failures events wait for the roster no longer.
const MOST_FAILURES: u8 = 3;
/// So many accounts are remembered; who comes later is nobody's contact.
const MOST_CONTACTS: usize = 65_536;
/// With so many accounts no stranger is remembered any more.
const MOST_STRANGERS: usize = 2_000;

/// One account may have so many JIDs approved.
pub(super) const MOST_JIDS: usize = 16;

/// What is known of one account.
#[derive(Debug, Default)]
pub(super) struct Contact {
    /// What the account's records say: the server's roster under `auto` (`contacts/native.rs`), the record on the
    /// private node under `pure` (`contacts/pure.rs`).
    pub(super) relation: Relation,
    /// A native presence of it came in this session: its state needs no asking for.
    pub(super) is_native: bool,
    /// One of its native presences carried the marker: it has a shim.
    pub(super) is_marked: bool,
    /// The client has sent it a presence of its own.
    pub(super) is_directed: bool,
    /// What the record on the private node says; under `pure` that is the relation.
    pub(super) recorded: Relation,
    /// Its service has taken our request, by the record: it is not to be made again.
    pub(super) is_pending: bool,
    /// The user has put it into the roster, whatever its relation; on record.
    pub(super) is_listed: bool,
    /// Its name in the roster; on record.
    pub(super) name: Option<Box<str>>,
    /// Its groups in the roster; on record.
    pub(super) groups: Vec<Box<str>>,
    /// JIDs of it that were approved for our node, besides the bare one; on record.
    pub(super) jids: Vec<Box<str>>,
}

/// What a roster shows of a contact.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    subscription: &'static str,
    is_asked: bool,
    name: Option<Box<str>>,
    groups: Vec<Box<str>>,
}

impl Contact {
    /// What the roster shows of it, if anything.
    pub(super) fn item(&self) -> Option<Item> {
        self.is_in_roster().then(|| Item {
            subscription: self.relation.as_str(),
            is_asked: self.relation.to == Half::Asked,
            name: self.name.clone(),
            groups: self.groups.clone(),
        })
    }

    /// Whether the roster shows it: a request that waits for the user does not (RFC 6121 §A.1).
    pub(super) fn is_in_roster(&self) -> bool {
        self.is_listed || self.relation.to != Half::No || self.relation.from == Half::Yes
    }

    /// Notes JIDs that may be subscribed; whether one of them is new.
    pub(super) fn add_jids(&mut self, jids: impl IntoIterator<Item = Box<str>>) -> bool {
        let before = self.jids.len();
        for jid in jids {
            if self.jids.len() < MOST_JIDS && !self.jids.contains(&jid) {
                self.jids.push(jid);
            }
        }
        self.jids.len() > before
    }

    /// Whether there is anything to be remembered.
    pub(super) fn is_worth_recording(&self) -> bool {
        self.is_listed || self.recorded != Relation::default() || !self.jids.is_empty()
    }
}

/// The records of one session.
#[derive(Debug, Default)]
pub(super) struct People {
    /// What became of the question for the roster.
    pub(super) inquiry: Inquiry,
    list: HashMap<Box<str>, Contact>,
    /// The accounts of the list by the item of the record they belong into.
    buckets: BTreeMap<u8, BTreeSet<Box<str>>>,
    /// Whom the user has blocked.
    pub(super) blocked: BlockList,
    /// Accounts to whose presence node the client itself has asked to be subscribed in this session,
    /// with the id of that request: an error takes it back.
    asked: HashMap<Box<str>, Box<str>>,
    /// Events wait until it is known whether their senders are contacts.
    pub(super) is_awaited: bool,
    /// Accounts of which it has changed whether we see them, until somebody looks.
    pub(super) changed: Queue,
}

/// The item of the record that `account` belongs into.
pub(super) fn bucket_of(account: &str) -> u8 {
    let digest = Sha256::digest(account.as_bytes());
    digest.first().copied().unwrap_or(0)
}

/// A contact whose relation has changed: what it was before.
pub(super) type Changed = (Box<str>, Relation);

/// A contact of which the record may say something else: what the roster showed of it before.
pub(super) type Before = (Box<str>, Option<Item>);

impl People {
    /// Whether the account is subscribed to `account`; `None` until the roster is known.
    pub(super) fn is_subscribed(&self, account: &str) -> Option<bool> {
        if self.asked.contains_key(account) {
            return Some(true);
        }
        self.is_known()
            .then(|| self.relation(account).to == Half::Yes)
    }

    /// Whether the roster is known, or has failed so often that nothing waits for it any longer.
    pub(super) fn is_known(&self) -> bool {
        self.is_reliable() || self.inquiry.failures() >= MOST_FAILURES
    }

    /// Whether the user has blocked `account`, as far as is known.
    pub(super) fn is_blocked(&self, account: &str) -> bool {
        self.blocked.blocks(account)
    }

    /// What the records say of `account`; nothing of somebody unknown.
    pub(super) fn relation(&self, account: &str) -> Relation {
        self.list
            .get(account)
            .map(|contact| contact.relation)
            .unwrap_or_default()
    }

    /// Whether the account's records let `account` see our node.
    pub(super) fn is_approved(&self, account: &str) -> bool {
        self.list.get(account).is_some_and(|contact| {
            contact.relation.from == Half::Yes || contact.recorded.from == Half::Yes
        })
    }

    /// Whether `account` may see our node: by the account's records, and not blocked.
    pub(super) fn may_see(&self, account: &str) -> bool {
        self.is_approved(account) && !self.blocked.blocks(account)
    }

    /// Notes a presence of the client's for `account` alone.
    pub(super) fn note_directed(&mut self, account: &str, is_available: bool) {
        if let Some(contact) = self.stranger_mut(account) {
            contact.is_directed = is_available;
        }
    }

    /// The client is not available any more, to whomever (RFC 6121 §4.6.3).
    pub(super) fn forget_directed(&mut self) {
        for contact in self.list.values_mut() {
            contact.is_directed = false;
        }
    }

    /// Whoever has a shim, in the order of their JIDs.
    pub(super) fn marked(&self) -> Vec<Box<str>> {
        let marked = self.list.iter().filter(|(_, contact)| contact.is_marked);
        let mut accounts: Vec<_> = marked.map(|(account, _)| account.clone()).collect();
        accounts.sort_unstable();
        accounts
    }

    /// Whose approval is on record and in the roster, too, in the order of their JIDs.
    pub(super) fn approved_twice(&self) -> Vec<Box<str>> {
        let is_twice = |contact: &Contact| {
            contact.relation.from == Half::Yes && contact.recorded.from != Half::No
        };
        let twice = self.list.iter().filter(|(_, contact)| is_twice(contact));
        let mut accounts: Vec<_> = twice.map(|(account, _)| account.clone()).collect();
        accounts.sort_unstable();
        accounts
    }

    /// The accounts of `domain` that something is known of, in the order of their JIDs.
    pub(super) fn of_domain(&self, domain: &str) -> Vec<Box<str>> {
        if domain.contains(['@', '/']) {
            // A block list of thousands of accounts is looked through at once.
            return Vec::new();
        }
        let accounts = self
            .list
            .keys()
            .filter(|account| jid::domain(account) == domain);
        let mut accounts: Vec<_> = accounts.cloned().collect();
        accounts.sort_unstable();
        accounts
    }

    /// Whether the client itself has asked to be subscribed to the node of `account`.
    pub(super) fn is_clients_own(&self, account: &str) -> bool {
        self.asked.contains_key(account)
    }

    /// The client asks by itself to be subscribed to the node of `account`.
    pub(super) fn note_clients_own(&mut self, account: &str, id: &str) {
        self.asked.insert(account.into(), id.into());
    }

    /// The client ends that subscription, or its request (`id`, if that is known) was refused.
    pub(super) fn forget_clients_own(&mut self, account: &str, id: Option<&str>) {
        if id.is_none() || self.asked.get(account).map(|id| &**id) == id {
            self.asked.remove(account);
        }
    }

    /// Every account something is known of.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Contact)> {
        self.list
            .iter()
            .map(|(account, contact)| (&**account, contact))
    }

    /// What is known of `account`, if anything.
    pub(super) fn get(&self, account: &str) -> Option<&Contact> {
        self.list.get(account)
    }

    /// The JIDs of `account`, besides the bare one, that are known to be subscribed.
    pub(super) fn jids_of(&self, account: &str) -> Vec<Box<str>> {
        let contact = self.list.get(account);
        contact.map_or_else(Vec::new, |contact| contact.jids.clone())
    }

    /// What is known of `account`, to be changed; `None` if there is no room for it.
    pub(super) fn get_mut(&mut self, account: &str) -> Option<&mut Contact> {
        if !self.list.contains_key(account) {
            if self.list.len() >= MOST_CONTACTS {
                return None;
            }
            let bucket = self.buckets.entry(bucket_of(account)).or_default();
            bucket.insert(account.into());
            self.list.insert(account.into(), Contact::default());
        }
        self.list.get_mut(account)
    }

    /// The same for somebody who may be a stranger: they take no contact's place.
    pub(super) fn stranger_mut(&mut self, account: &str) -> Option<&mut Contact> {
        if self.list.len() >= MOST_STRANGERS {
            return self.list.get_mut(account);
        }
        self.get_mut(account)
    }

    /// What is known of `account`, to be changed, if anything is.
    pub(super) fn known_mut(&mut self, account: &str) -> Option<&mut Contact> {
        self.list.get_mut(account)
    }

    /// The accounts that belong into an item of the record, in their order.
    pub(super) fn in_bucket(&self, bucket: u8) -> impl Iterator<Item = (&str, &Contact)> {
        let accounts = self.buckets.get(&bucket).into_iter().flatten();
        accounts.filter_map(|account| Some((&**account, self.list.get(account)?)))
    }

    /// Forgets what an item of the record says of whom `is_meant` speaks for; who they were, and what the
    /// roster showed of them.
    pub(super) fn forget_recorded(
        &mut self,
        bucket: u8,
        is_meant: impl Fn(&str) -> bool,
    ) -> Vec<Before> {
        let mut forgotten = Vec::new();
        for account in self.buckets.get(&bucket).into_iter().flatten() {
            if let Some(contact) = self.list.get_mut(account)
                && contact.is_worth_recording()
                && is_meant(account)
            {
                forgotten.push((account.clone(), contact.item()));
                contact.recorded = Relation::default();
                contact.is_pending = false;
                contact.is_listed = false;
                contact.name = None;
                contact.groups.clear();
                contact.jids.clear();
            }
        }
        forgotten
    }

    /// Whether the roster is known and really the account's: not one that could not be had.
    pub(super) fn is_reliable(&self) -> bool {
        self.inquiry.is_known()
    }

    /// Notes a native presence of `account`. Once the roster is known, only contacts matter.
    pub(super) fn note_native(&mut self, account: &str, is_marked: bool) {
        if self.is_known() && !self.list.contains_key(account) {
            return;
        }
        if let Some(contact) = self.stranger_mut(account) {
            contact.is_native = true;
            contact.is_marked |= is_marked;
        }
    }

    /// Notes what a roster, or a push, says of its items (RFC 6121 §2.1.2).
    pub(super) fn note_items(&mut self, query: &Element<'_>) -> Vec<Changed> {
        let mut changed = Vec::new();
        for item in query.children().filter(|item| item.is(ns::ROSTER, "item")) {
            let account = item.attribute("jid").unwrap_or_default();
            let Some(contact) = self.get_mut(&account) else {
                continue;
            };
            let mut before = contact.relation;
            let (to, from) = match item.attribute("subscription").as_deref() {
                Some("both") => (Half::Yes, Half::Yes),
                Some("to") => (Half::Yes, Half::No),
                Some("from") => (Half::No, Half::Yes),
                _ => (Half::No, Half::No),
            };
            let is_asked = item.attribute("ask").as_deref() == Some("subscribe");
            // A roster says nothing of requests that wait for the user.
            contact.relation = Relation {
                to: if to == Half::No && is_asked {
                    Half::Asked
                } else {
                    to
                },
                from: if from == Half::No && before.from == Half::Asked {
                    Half::Asked
                } else {
                    from
                },
            };
            if item.attribute("subscription").as_deref() == Some("remove")
                && contact.recorded.from == Half::Yes
            {
                // It saw us without the roster's saying so.
                before.from = Half::Yes;
            }
            if contact.relation != before {
                changed.push(((*account).into(), before));
            }
        }
        changed
    }

    /// The client takes `account` out of its roster, and the server has agreed: what it was before.
    pub(super) fn remove(&mut self, account: Box<str>) -> Option<Changed> {
        let contact = self.known_mut(&account)?;
        let before = std::mem::take(&mut contact.relation);
        Some((account, before))
    }
}
