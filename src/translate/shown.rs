//! Which items were shown, and when people say that they have said something.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher as _};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::ns;

/// Items that were shown, oldest first: hashes of their ids. Two ids of one hash would need to be looked for, and
/// whoever finds a second one to his own has silenced himself.
pub(super) struct Shown {
    ids: VecDeque<u64>,
    most: usize,
}

impl Shown {
    /// Of so many at `most`.
    pub(super) fn new(most: usize) -> Self {
        Self {
            ids: VecDeque::new(),
            most,
        }
    }

    /// Whether an item was not shown before; from now on it was. The listings print items without ids, each of which is
    /// another.
    pub(super) fn is_new(&mut self, item: &str) -> bool {
        if item.is_empty() {
            return true;
        }
        let hash = hash_of(item);
        if self.ids.contains(&hash) {
            return false;
        }
        if self.ids.len() >= self.most {
            self.ids.pop_front();
        }
        self.ids.push_back(hash);
        true
    }

    /// Whether an item was shown.
    pub(super) fn has(&self, item: &str) -> bool {
        self.ids.contains(&hash_of(item))
    }
}

fn hash_of(item: &str) -> u64 {
    let mut hash = DefaultHasher::new();
    hash.write(item.as_bytes());
    hash.finish()
}

/// A time in seconds since 1970 as XEP-0082 writes it.
pub(super) fn stamp(unix: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}

/// The same the other way.
pub(super) fn unix_of(stamp: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(stamp.trim(), &Rfc3339).ok()?;
    Some(time.unix_timestamp())
}

/// An element that says that something was said then (XEP-0203).
pub(super) fn delay(unix: i64) -> String {
    let mut delay = String::with_capacity(80);
    delay.push_str("<delay xmlns='");
    delay.push_str(ns::DELAY);
    delay.push_str("' stamp='");
    delay.push_str(&stamp(unix));
    delay.push_str("'/>");
    delay
}
