//! Queues: of accounts, where each waits once, and of the newest things of a kind.

use std::collections::{HashSet, VecDeque};

/// Appends `new`; of more than `most`, the oldest are dropped.
pub(super) fn push_newest<T>(all: &mut VecDeque<T>, new: T, most: usize) {
    while all.len() >= most {
        all.pop_front();
    }
    all.push_back(new);
}

/// A queue that finds an account without a search: a roster may have tens of thousands.
#[derive(Debug, Default)]
pub(super) struct Queue {
    accounts: VecDeque<Box<str>>,
    /// The same accounts, for looking them up.
    all: HashSet<Box<str>>,
}

impl Queue {
    /// Appends `account`, unless it waits already.
    pub(super) fn push(&mut self, account: &str) {
        if self.all.insert(account.into()) {
            self.accounts.push_back(account.into());
        }
    }

    /// The first account, which stays.
    pub(super) fn front(&self) -> Option<&str> {
        self.accounts.front().map(|account| &**account)
    }

    /// Takes out the first account.
    pub(super) fn pop(&mut self) -> Option<Box<str>> {
        let account = self.accounts.pop_front()?;
        self.all.remove(&account);
        self.give_back();
        Some(account)
    }

    /// Takes out `account`.
    pub(super) fn remove(&mut self, account: &str) {
        if self.all.remove(account) {
            self.accounts.retain(|waiting| **waiting != *account);
            self.give_back();
        }
    }

    /// Whether no account waits.
    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Takes out all accounts.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Gives memory back once no account waits: most sessions fill a queue at login only.
    fn give_back(&mut self) {
        if self.is_empty() {
            self.clear();
        }
    }
}
