//! Accounts that wait for their turn: each once, in the order they came.

use std::collections::{HashSet, VecDeque};

/// A queue that finds an account without looking at all others: a roster may have tens of thousands.
#[derive(Debug, Default)]
pub(super) struct Queue {
    accounts: VecDeque<Box<str>>,
    /// The same, to be found.
    all: HashSet<Box<str>>,
}

impl Queue {
    /// Has `account` wait, unless it does.
    pub(super) fn push(&mut self, account: &str) {
        if self.all.insert(account.into()) {
            self.accounts.push_back(account.into());
        }
    }

    /// The next one, which stays.
    pub(super) fn front(&self) -> Option<&str> {
        self.accounts.front().map(|account| &**account)
    }

    /// The next one, which waits no longer.
    pub(super) fn pop(&mut self) -> Option<Box<str>> {
        let account = self.accounts.pop_front()?;
        self.all.remove(&account);
        Some(account)
    }

    /// `account` waits no longer.
    pub(super) fn remove(&mut self, account: &str) {
        if self.all.remove(account) {
            self.accounts.retain(|waiting| **waiting != *account);
        }
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Nobody waits any longer.
    pub(super) fn clear(&mut self) {
        self.accounts.clear();
        self.all.clear();
    }
}
