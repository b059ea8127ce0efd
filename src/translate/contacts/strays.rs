//! Contacts on record under another spelling of their address, or in another item, than their own.
//!
//! An item is named by a hash of the contact's prepared JID. Earlier versions hashed and wrote an address as a
//! client or a server had spelled it. Such an entry is merged with the contact's own, that is written, and only
//! when the server has confirmed it is the stray one taken away: a crash in between loses nothing.

use std::collections::BTreeSet;

use crate::translate::people::{Contact, People, bucket_of};
use crate::translate::relation::Half;

/// So many are remembered: as many as there may be people.
const MOST_STRAYS: usize = 10_000;

/// A contact of an item that is not its own.
#[derive(Debug)]
pub(super) struct Stray {
    /// The item it stands in.
    pub(super) bucket: u8,
    /// The prepared JID.
    pub(super) account: Box<str>,
    /// The JID as it is written there.
    pub(super) written: Box<str>,
    pub(super) contact: Contact,
    /// It was merged with its own entry, which is going to be written.
    pub(super) is_moving: bool,
}

/// Those that are still to be moved.
#[derive(Debug, Default)]
pub(super) struct Strays(Vec<Stray>);

impl Strays {
    /// Keeps what was found in an item until it is moved.
    pub(super) fn note(&mut self, strays: Vec<Stray>) {
        let room = MOST_STRAYS.saturating_sub(self.0.len());
        self.0.extend(strays.into_iter().take(room));
    }

    /// Those in an item, except contacts whose own item it is: these are written under their own name.
    pub(super) fn in_bucket(&self, bucket: u8) -> impl Iterator<Item = &Stray> {
        let is_there =
            move |stray: &&Stray| stray.bucket == bucket && bucket_of(&stray.account) != bucket;
        self.0.iter().filter(is_there)
    }

    /// The item as it is now has none of them.
    pub(super) fn forget(&mut self, bucket: u8) {
        self.0.retain(|stray| stray.bucket != bucket);
    }

    /// The same as [`merge`] for all of them.
    pub(super) fn merge(
        &self,
        people: &mut People,
        is_older: impl Fn(&str) -> bool,
    ) -> Vec<Box<str>> {
        merge(&self.0, people, is_older)
    }

    /// What is known of `account` is written to its own item, whatever its strays say.
    pub(super) fn start(&mut self, account: &str) {
        for stray in self.0.iter_mut().filter(|stray| *stray.account == *account) {
            stray.is_moving = true;
        }
    }

    /// Takes those whose own item is written, and those whose contact is not to be remembered; the items to be
    /// written without them.
    pub(super) fn take_moved(&mut self, written: Option<u8>, people: &People) -> BTreeSet<u8> {
        let is_moved = |stray: &Stray| {
            let is_written = stray.is_moving && written == Some(bucket_of(&stray.account));
            // Whoever there was no room for stays where it is.
            let contact = people.get(&stray.account);
            contact.is_some_and(|contact| is_written || !contact.is_worth_recording())
        };
        let moved = self.0.extract_if(.., |stray| is_moved(stray));
        let others = moved.filter(|stray| stray.bucket != bucket_of(&stray.account));
        others.map(|stray| stray.bucket).collect()
    }
}

/// Merges strays with the contacts' own entries, or only their JIDs if `is_older` says that more is known
/// already; the accounts.
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
        // That is how it may be subscribed.
        let is_spelled = stray.written != stray.account;
        contact.add_jids(is_spelled.then(|| stray.written.clone()));
        contact.add_jids(stray.contact.jids.iter().cloned());
        merged.push(stray.account.clone());
    }
    merged
}

/// Adds to what is known of a contact what another entry says of it.
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
