//! The account's contacts: relations by the account's records, and shims and presences noticed in this session.
//!
//! An event is believed if this account is subscribed to its sender: a stranger could claim anything, so the account's
//! own roster is asked, and never the stranger's server.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::block_list::BlockList;
use super::inquiry::Inquiry;
use super::queue::Queue;
use super::relation::{Half, Relation};
use crate::jid;
use crate::ns;
use crate::xml::Element;

/// Failures after which events wait for the roster no longer.
const MOST_FAILURES: u8 = 3;
/// Accounts remembered at most; later ones count as strangers.
const MOST_CONTACTS: usize = 65_536;
/// Accounts beyond which no stranger is remembered.
const MOST_STRANGERS: usize = 2_000;

/// JIDs of one account that may be approved.
pub(super) const MOST_JIDS: usize = 16;

/// One account: relation, record, and what was noticed of it.
#[derive(Debug, Default)]
pub(super) struct Contact {
    /// The relation by the account's records: the server's roster under `auto` (`contacts/native.rs`), the record on
    /// the private node under `pure` (`contacts/pure.rs`).
    pub(super) relation: Relation,
    /// The number of the record's item that holds the contact.
    bucket: u8,
    /// The contact sent a native presence in this session: its state need not be fetched.
    pub(super) is_native: bool,
    /// A native presence of the contact carried the marker: it has a shim.
    pub(super) is_marked: bool,
    /// The client has sent the contact a directed presence.
    pub(super) is_directed: bool,
    /// The relation by the record on the private node; under `pure` the same as `relation`.
    pub(super) recorded: Relation,
    /// By the record, the contact's service has taken our request: it is not made again.
    pub(super) is_pending: bool,
    /// The user has put the contact into the roster, whatever its relation; on record.
    pub(super) is_listed: bool,
    /// The contact's name in the roster; on record.
    pub(super) name: Option<Box<str>>,
    /// The contact's groups in the roster; on record.
    pub(super) groups: Vec<Box<str>>,
    /// JIDs of the contact that were approved for our node, besides the bare one; on record.
    pub(super) jids: Vec<Box<str>>,
}

/// A contact as a roster shows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    subscription: &'static str,
    is_asked: bool,
    name: Option<Box<str>>,
    groups: Vec<Box<str>>,
}

impl Contact {
    /// The contact as the roster shows it; `None`: the roster does not.
    pub(super) fn item(&self) -> Option<Item> {
        self.is_in_roster().then(|| Item {
            subscription: self.relation.as_str(),
            is_asked: self.relation.to == Half::Asked,
            name: self.name.clone(),
            groups: self.groups.clone(),
        })
    }

    /// Whether the roster shows the contact: not one that only waits for the user's approval (RFC 6121 §A.1).
    pub(super) fn is_in_roster(&self) -> bool {
        self.is_listed || self.relation.to != Half::No || self.relation.from == Half::Yes
    }

    /// Notes JIDs that may be subscribed; gives whether one of them is new.
    pub(super) fn add_jids(&mut self, jids: impl IntoIterator<Item = Box<str>>) -> bool {
        let before = self.jids.len();
        for jid in jids {
            if self.jids.len() < MOST_JIDS && !self.jids.contains(&jid) {
                self.jids.push(jid);
            }
        }
        self.jids.len() > before
    }

    /// Whether the record has to hold anything about the contact.
    pub(super) fn is_worth_recording(&self) -> bool {
        self.is_listed || self.recorded != Relation::default() || !self.jids.is_empty()
    }
}

/// The contacts of one session.
#[derive(Debug, Default)]
pub(super) struct People {
    /// The question for the roster.
    pub(super) inquiry: Inquiry,
    list: HashMap<Box<str>, Contact>,
    /// Accounts and domains that the user has blocked.
    pub(super) blocked: BlockList,
    /// Accounts to whose presence node the client itself has asked to be subscribed in this session, with the id of
    /// that request: an error undoes the entry.
    asked: HashMap<Box<str>, Box<str>>,
    /// Events wait until the roster tells whether their senders are contacts.
    pub(super) is_awaited: bool,
    /// Accounts we have begun or ceased to see; the reader empties the queue.
    pub(super) changed: Queue,
}

/// The number of the record's item that holds `account`.
pub(super) fn bucket_of(account: &str) -> u8 {
    let digest = Sha256::digest(account.as_bytes());
    digest.first().copied().unwrap_or(0)
}

/// A contact whose relation has changed, with the relation before.
pub(super) type Changed = (Box<str>, Relation);

/// A contact whose record may have changed, with its roster item before.
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

    /// Whether the user is known to have blocked `account`.
    pub(super) fn is_blocked(&self, account: &str) -> bool {
        self.blocked.blocks(account)
    }

    /// The relation with `account` by the records; none with an unknown one.
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

    /// Notes a directed presence of the client's for `account`.
    pub(super) fn note_directed(&mut self, account: &str, is_available: bool) {
        if let Some(contact) = self.stranger_mut(account) {
            contact.is_directed = is_available;
        }
    }

    /// Forgets directed presences, as the client is unavailable for everybody now (RFC 6121 §4.6.3).
    pub(super) fn forget_directed(&mut self) {
        for contact in self.list.values_mut() {
            contact.is_directed = false;
        }
    }

    /// Accounts that have a shim, in the order of their JIDs.
    pub(super) fn marked(&self) -> Vec<Box<str>> {
        let marked = self.list.iter().filter(|(_, contact)| contact.is_marked);
        let mut accounts: Vec<_> = marked.map(|(account, _)| account.clone()).collect();
        accounts.sort_unstable();
        accounts
    }

    /// Accounts approved both on record and in the roster, in the order of their JIDs.
    pub(super) fn approved_twice(&self) -> Vec<Box<str>> {
        let is_twice = |contact: &Contact| {
            contact.relation.from == Half::Yes && contact.recorded.from != Half::No
        };
        let twice = self.list.iter().filter(|(_, contact)| is_twice(contact));
        let mut accounts: Vec<_> = twice.map(|(account, _)| account.clone()).collect();
        accounts.sort_unstable();
        accounts
    }

    /// The known accounts of `domain`, in the order of their JIDs.
    pub(super) fn of_domain(&self, domain: &str) -> Vec<Box<str>> {
        if domain.contains(['@', '/']) {
            // Accounts return at once, as a block list may name thousands.
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

    /// Notes that the client itself asks to be subscribed to the node of `account`.
    pub(super) fn note_clients_own(&mut self, account: &str, id: &str) {
        self.asked.insert(account.into(), id.into());
    }

    /// Forgets that subscription: the client ends it, or its request (`id`, if known) was refused.
    pub(super) fn forget_clients_own(&mut self, account: &str, id: Option<&str>) {
        if id.is_none() || self.asked.get(account).map(|id| &**id) == id {
            self.asked.remove(account);
        }
    }

    /// All known accounts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Contact)> {
        self.list
            .iter()
            .map(|(account, contact)| (&**account, contact))
    }

    /// The contact of this account, if known.
    pub(super) fn get(&self, account: &str) -> Option<&Contact> {
        self.list.get(account)
    }

    /// The JIDs of `account`, besides the bare one, that may be subscribed.
    pub(super) fn jids_of(&self, account: &str) -> Vec<Box<str>> {
        let contact = self.list.get(account);
        contact.map_or_else(Vec::new, |contact| contact.jids.clone())
    }

    /// The contact of this account, to be changed, made if unknown; `None`: there is no room for it.
    pub(super) fn get_mut(&mut self, account: &str) -> Option<&mut Contact> {
        if !self.list.contains_key(account) {
            if self.list.len() >= MOST_CONTACTS {
                return None;
            }
            let contact = Contact {
                bucket: bucket_of(account),
                ..Contact::default()
            };
            self.list.insert(account.into(), contact);
        }
        self.list.get_mut(account)
    }

    /// As [`get_mut`](Self::get_mut), for a possible stranger: strangers take no contact's place.
    pub(super) fn stranger_mut(&mut self, account: &str) -> Option<&mut Contact> {
        if self.list.len() >= MOST_STRANGERS {
            return self.list.get_mut(account);
        }
        self.get_mut(account)
    }

    /// The contact of this account, to be changed, if known.
    pub(super) fn known_mut(&mut self, account: &str) -> Option<&mut Contact> {
        self.list.get_mut(account)
    }

    /// The accounts that an item of the record holds, in the order of their JIDs.
    pub(super) fn in_bucket(&self, bucket: u8) -> Vec<(&str, &Contact)> {
        let mut accounts: Vec<_> = self
            .iter()
            .filter(|(_, contact)| contact.bucket == bucket)
            .collect();
        accounts.sort_unstable_by_key(|(account, _)| *account);
        accounts
    }

    /// Forgets the recorded part of the accounts in an item of the record for which `is_meant` is true; gives them
    /// with their roster items before, in any order.
    pub(super) fn forget_recorded(
        &mut self,
        bucket: u8,
        is_meant: impl Fn(&str) -> bool,
    ) -> Vec<Before> {
        let mut forgotten = Vec::new();
        for (account, contact) in &mut self.list {
            if contact.bucket == bucket && contact.is_worth_recording() && is_meant(account) {
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

    /// Whether the roster is known, and not only given up after failures.
    pub(super) fn is_reliable(&self) -> bool {
        self.inquiry.is_known()
    }

    /// Notes a native presence of `account`. Once the roster is known, strangers are not noted.
    pub(super) fn note_native(&mut self, account: &str, is_marked: bool) {
        if self.is_known() && !self.list.contains_key(account) {
            return;
        }
        if let Some(contact) = self.stranger_mut(account) {
            contact.is_native = true;
            contact.is_marked |= is_marked;
        }
    }

    /// Notes the items of a roster or of a push (RFC 6121 §2.1.2); gives the contacts whose relation changed.
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
            // A roster does not show requests that wait for the user.
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
                // The contact was approved through the private node only; the roster never had a subscription.
                before.from = Half::Yes;
            }
            if contact.relation != before {
                changed.push(((*account).into(), before));
            }
        }
        changed
    }

    /// Removes `account` from the roster, after the server has agreed; gives its relation before.
    pub(super) fn remove(&mut self, account: Box<str>) -> Option<Changed> {
        let contact = self.known_mut(&account)?;
        let before = std::mem::take(&mut contact.relation);
        Some((account, before))
    }
}
