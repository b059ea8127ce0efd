//! Strays: contacts on record under another spelling of their address, or in another item than their own.
//!
//! An item is named by a hash of the contact's prepared JID. Earlier versions hashed and wrote an address as a client
//! or a server had spelled it. Such an entry is merged with the contact's own, which is written, and the stray one is
//! removed only after the server has confirmed the write: a crash in between loses nothing.

use std::collections::BTreeSet;

use crate::translate::people::{Contact, People, bucket_of};
use crate::translate::relation::Half;

/// Strays that are remembered.
const MOST_STRAYS: usize = 10_000;

/// A contact of an item that is not its own.
#[derive(Debug)]
pub(super) struct Stray {
    /// The number of the item that holds it.
    pub(super) bucket: u8,
    /// The prepared JID.
    pub(super) account: Box<str>,
    /// The JID as it is written there.
    pub(super) written: Box<str>,
    pub(super) contact: Contact,
    /// The stray was merged with its own entry, which is to be written.
    pub(super) is_moving: bool,
}

/// Strays that are still to be moved.
#[derive(Debug, Default)]
pub(super) struct Strays(pub(super) Vec<Stray>);

impl Strays {
    /// Keeps strays found in an item until they are moved.
    pub(super) fn note(&mut self, strays: Vec<Stray>) {
        let room = MOST_STRAYS.saturating_sub(self.0.len());
        self.0.extend(strays.into_iter().take(room));
    }

    /// The strays in an item, except contacts whose own item it is: these are written under their prepared JID.
    pub(super) fn in_bucket(&self, bucket: u8) -> impl Iterator<Item = &Stray> {
        let is_there =
            move |stray: &&Stray| stray.bucket == bucket && bucket_of(&stray.account) != bucket;
        self.0.iter().filter(is_there)
    }

    /// Forgets the strays of an item that was read again.
    pub(super) fn forget(&mut self, bucket: u8) {
        self.0.retain(|stray| stray.bucket != bucket);
    }

    /// Marks the strays of `account` as moving: its own item is going to be written.
    pub(super) fn start(&mut self, account: &str) {
        for stray in self.0.iter_mut().filter(|stray| *stray.account == *account) {
            stray.is_moving = true;
        }
    }

    /// Removes strays whose own item is written, and strays whose contact needs no entry; gives the items to be
    /// rewritten without them.
    pub(super) fn take_moved(&mut self, written: Option<u8>, people: &People) -> BTreeSet<u8> {
        let is_moved = |stray: &Stray| {
            let is_written = stray.is_moving && written == Some(bucket_of(&stray.account));
            // A stray whose contact had no room stays where it is.
            let contact = people.get(&stray.account);
            contact.is_some_and(|contact| is_written || !contact.is_worth_recording())
        };
        let moved = self.0.extract_if(.., |stray| is_moved(stray));
        let others = moved.filter(|stray| stray.bucket != bucket_of(&stray.account));
        others.map(|stray| stray.bucket).collect()
    }
}

/// Merges strays with the contacts' own entries; gives the accounts. Of accounts with newer changes here (`is_older`)
/// only JIDs are added.
pub(super) fn merge(
    strays: &[Stray],
    people: &mut People,
    is_older: impl Fn(&str) -> bool,
) -> Vec<Box<str>> {
    let mut merged = Vec::new();
    for stray in strays {
        let Some(contact) = people.get_mut(&stray.account) else {
            continue;
        };
        if !is_older(&stray.account) {
            merge_entry(contact, &stray.contact);
        }
        // The contact may be subscribed under this spelling.
        let is_spelled = stray.written != stray.account;
        contact.add_jids(is_spelled.then(|| stray.written.clone()));
        contact.add_jids(stray.contact.jids.iter().cloned());
        merged.push(stray.account.clone());
    }
    merged
}

/// Merges another entry of the same contact into it: the stronger relation counts, empty fields are filled.
fn merge_entry(contact: &mut Contact, other: &Contact) {
    let stronger = |one, other| match (one, other) {
        (Half::Yes, _) | (_, Half::Yes) => Half::Yes,
        (Half::Asked, _) | (_, Half::Asked) => Half::Asked,
        _ => Half::No,
    };
    contact.recorded.to = stronger(contact.recorded.to, other.recorded.to);
    contact.recorded.from = stronger(contact.recorded.from, other.recorded.from);
    contact.is_pending |= other.is_pending;
    contact.is_pending &= contact.recorded.to == Half::Asked;
    contact.is_listed |= other.is_listed;
    if contact.name.is_none() {
        contact.name.clone_from(&other.name);
    }
    if contact.groups.is_empty() {
        contact.groups.clone_from(&other.groups);
    }
}
