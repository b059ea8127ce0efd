//! Writing the record: one item at a time, which holds all changes of its contacts.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::BytesMut;

use super::entries::{entries, item_id, write_bucket};
use super::strays::Strays;
use super::{Ask, Record};
use crate::pubsub::{ROSTER, request};
use crate::translate::people::{People, bucket_of};
use crate::translate::{Wire, rules};
use crate::wire::{Event, Refused, Reply};

/// Failures in a row after which a write is not repeated.
const MOST_TRIES: u8 = 3;

/// A request of the client's that waits for a write.
#[derive(Debug)]
pub(in crate::translate::contacts) struct Request {
    /// The request's id.
    pub(in crate::translate::contacts) id: Box<str>,
    /// The contact's listing before the request, for when the write is refused.
    pub(in crate::translate::contacts) undo: Option<Undo>,
}

/// The listing of a contact before a roster set.
#[derive(Debug)]
pub(in crate::translate::contacts) struct Undo {
    pub(in crate::translate::contacts) account: Box<str>,
    pub(in crate::translate::contacts) is_listed: bool,
    pub(in crate::translate::contacts) name: Option<Box<str>>,
    pub(in crate::translate::contacts) groups: Vec<Box<str>>,
}

/// The outcome of a write for requests of the client's.
#[derive(Debug)]
pub(in crate::translate::contacts) struct Written {
    /// The client's requests, the oldest first.
    pub(in crate::translate::contacts) requests: Vec<Request>,
    pub(in crate::translate::contacts) is_refused: bool,
}

/// Changes to be written to an item.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Accounts changed here: entries read meanwhile are older.
    pub(super) accounts: HashSet<Box<str>>,
    /// The client's requests that wait for the write.
    pub(super) requests: Vec<Request>,
}

impl Record {
    /// Has entries written again that another resource wrote while our write was on its way: our write removes them,
    /// and its echo does not show them.
    pub(super) fn write_again(
        &mut self,
        bucket: u8,
        before: &BTreeMap<Box<str>, BytesMut>,
        people: &People,
    ) {
        let after = entries(bucket, people);
        let accounts: Vec<_> = before
            .keys()
            .chain(after.keys())
            .filter(|account| before.get(*account) != after.get(*account))
            .cloned()
            .collect();
        if !accounts.is_empty() {
            let changes = self.dirty.entry(bucket).or_default();
            changes.accounts.extend(accounts);
        }
    }

    /// Has the contact `account` written; `request` is the client's that waits for it.
    pub(in crate::translate::contacts) fn write(
        &mut self,
        account: &str,
        request: Option<Request>,
        people: &People,
        wire: &mut Wire,
    ) {
        let changes = self.dirty.entry(bucket_of(account)).or_default();
        changes.accounts.insert(account.into());
        changes.requests.extend(request);
        self.strays.start(account);
        self.remove_strays(None, people);
        if !self.is_known() {
            // An item not read yet would lose its other contacts.
            return self.read(wire);
        }
        self.write_next(people, wire);
    }

    /// Writes the next item: at once if a request of the client's waits for it, else as pacing allows.
    pub(in crate::translate::contacts) fn write_next(&mut self, people: &People, wire: &mut Wire) {
        // Writing before reading would remove contacts on record.
        if !self.is_known() || self.dirty.is_empty() {
            return;
        }
        let Some(access) = self.node.verified().filter(|_| self.node.is_ready()) else {
            return self.node.prepare(wire);
        };
        if self.writing.is_some() {
            return;
        }
        let awaited = self
            .dirty
            .iter()
            .find(|(_, changes)| !changes.requests.is_empty());
        let bucket = match awaited {
            Some((bucket, _)) => Some(*bucket),
            None if wire.may_work() => self.dirty.keys().next().copied(),
            None => None,
        };
        let Some((bucket, changes)) = bucket.and_then(|it| self.dirty.remove_entry(&it)) else {
            return;
        };
        wire.apply(&rules::RECORD);
        let sent = wire.request("set", None, Ask::Recorded, |out| {
            write_publish(out, bucket, access, people, &self.strays);
        });
        match sent {
            true => self.writing = Some((bucket, changes)),
            false => {
                self.dirty.insert(bucket, changes);
            }
        }
    }

    /// Writes all changed items at once, as the session ends, without waiting for answers. Items that cannot be sent
    /// stay for [`tell_lost`](Self::tell_lost).
    pub(in crate::translate::contacts) fn write_all(&mut self, people: &People, wire: &mut Wire) {
        if !self.is_known() || !self.node.is_ready() {
            return;
        }
        let Some(access) = self.node.verified() else {
            return;
        };
        self.dirty.retain(|bucket, _| {
            wire.apply(&rules::RECORD);
            let is_sent = wire.tell("set", None, |out| {
                write_publish(out, *bucket, access, people, &self.strays);
            });
            !is_sent
        });
    }

    /// Logs the contacts whose changes could not be written before the session ended.
    pub(in crate::translate::contacts) fn tell_lost(&mut self, wire: &mut Wire) {
        let lost: BTreeSet<_> = std::mem::take(&mut self.dirty)
            .into_values()
            .flat_map(|changes| changes.accounts)
            .collect();
        if !lost.is_empty() {
            wire.log(Event::NotRecorded {
                whom: lost.into_iter().map(String::from).collect(),
            });
        }
    }

    /// Handles the answer to a write; gives the client's requests that it answers.
    pub(in crate::translate::contacts) fn handle_written(
        &mut self,
        reply: Reply<'_>,
        people: &People,
        wire: &mut Wire,
    ) -> Option<Written> {
        let (bucket, mut changes) = self.writing.take()?;
        let may_retry = self.failures < MOST_TRIES;
        let refused = match reply {
            Ok(_) => {
                self.failures = 0;
                self.remove_strays(Some(bucket), people);
                self.write_next(people, wire);
                return Some(Written {
                    requests: changes.requests,
                    is_refused: false,
                });
            }
            // The node has changed since it was verified: verify it before writing again.
            Err(Refused::With("conflict")) if may_retry => {
                self.failures += 1;
                self.node.doubt();
                let later = self.dirty.entry(bucket).or_default();
                later.accounts.extend(changes.accounts);
                // Keep the order of the client's requests.
                later.requests.splice(..0, changes.requests);
                self.node.prepare(wire);
                return None;
            }
            Err(refused) => refused,
        };
        wire.log(Event::PublishFailed {
            node: ROSTER,
            reason: refused.to_string(),
        });
        // Requests queued behind a refused write are refused too: they assumed that it had succeeded.
        if let Some(later) = self.dirty.get_mut(&bucket) {
            changes.requests.append(&mut later.requests);
        }
        // The client has been answered with an error. Changes it was not told about are written again.
        let may_have_passed = matches!(
            refused,
            Refused::NoAnswer | Refused::With("internal-server-error")
        );
        if may_have_passed && may_retry {
            self.failures += 1;
            let again = self.dirty.entry(bucket).or_default();
            again.accounts.extend(changes.accounts);
        }
        Some(Written {
            requests: changes.requests,
            is_refused: true,
        })
    }
}

fn write_publish(out: &mut BytesMut, bucket: u8, access: &str, people: &People, strays: &Strays) {
    let mut payload = BytesMut::new();
    write_bucket(&mut payload, bucket, people, strays);
    request::publish(out, ROSTER, &item_id(bucket), Some(access), &payload);
}
