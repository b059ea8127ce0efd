//! Ids of items that were shown, and time stamps.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::queue::push_newest;
use crate::ns;

/// Items that were shown, oldest first, as hashes of their ids. A collision would have to be searched for, and would
/// silence only the author of both items.
pub(super) struct Shown {
    ids: VecDeque<u64>,
    most: usize,
}

impl Shown {
    /// Keeps the last `most` items.
    pub(super) fn new(most: usize) -> Self {
        Self {
            ids: VecDeque::new(),
            most,
        }
    }

    /// Notes an item as shown; gives whether it is new. Items without an id, as the listings print them, are all new.
    pub(super) fn is_new(&mut self, item: &str) -> bool {
        if item.is_empty() {
            return true;
        }
        let hash = hash_of(item);
        if self.ids.contains(&hash) {
            return false;
        }
        push_newest(&mut self.ids, hash, self.most);
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

/// The seconds since 1970 of a time as XEP-0082 writes it.
pub(super) fn unix_of(stamp: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(stamp.trim(), &Rfc3339).ok()?;
    Some(time.unix_timestamp())
}

/// A `<delay/>` element with this time (XEP-0203).
pub(super) fn delay(unix: i64) -> String {
    let mut delay = String::with_capacity(80);
    let _ = write!(
        delay,
        "<delay xmlns='{}' stamp='{}'/>",
        ns::DELAY,
        stamp(unix)
    );
    delay
}
