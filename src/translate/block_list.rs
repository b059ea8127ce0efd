//! Whom the user has blocked (XEP-0191): nobody of them may see the own node.

use std::collections::HashSet;

use crate::jid;

/// So many JIDs are remembered: as many as a list may have that is read at all.
const MOST_BLOCKED: usize = 65_536;

/// Accounts and domains that are blocked, as the server writes them.
#[derive(Debug, Default)]
pub(super) struct BlockList {
    /// By the block list of the account.
    list: HashSet<Box<str>>,
    /// By the privacy list in force (XEP-0016): ejabberd keeps its block list as one.
    by_privacy_list: HashSet<Box<str>>,
    /// By what the client has asked for and the server has not answered.
    asked: Vec<Box<str>>,
}

/// Whom a privacy list blocks.
#[derive(Debug)]
pub(super) struct Blocked {
    pub(super) all: Vec<Box<str>>,
    /// Those it did not block before.
    pub(super) new: Vec<Box<str>>,
}

impl BlockList {
    /// Whether `account` is blocked, itself or with its whole domain. A block counts as soon as the client
    /// has asked for it, its end only once the server has agreed to it.
    pub(super) fn blocks(&self, account: &str) -> bool {
        [account, jid::domain(account)].iter().any(|jid| {
            self.list.contains(*jid)
                || self.by_privacy_list.contains(*jid)
                || self.asked.iter().any(|other| **other == **jid)
        })
    }

    /// Whether the account's own list names `jid`.
    pub(super) fn names(&self, jid: &str) -> bool {
        self.list.contains(jid)
    }

    /// Adds to the account's own list.
    pub(super) fn add(&mut self, jids: &[Box<str>]) {
        let room = MOST_BLOCKED.saturating_sub(self.list.len());
        self.list.extend(jids.iter().take(room).cloned());
    }

    /// Takes out of the account's own list.
    pub(super) fn remove(&mut self, jids: &[Box<str>]) {
        for jid in jids {
            self.list.remove(jid);
        }
    }

    /// The account's own list is empty.
    pub(super) fn clear(&mut self) {
        self.list.clear();
    }

    /// The privacy list in force denies these everything.
    pub(super) fn set_by_privacy_list(&mut self, blocked: &[Box<str>]) {
        self.by_privacy_list = blocked.iter().take(MOST_BLOCKED).cloned().collect();
    }

    /// The client has asked to block these, and is not answered.
    pub(super) fn set_asked(&mut self, asked: Vec<Box<str>>) {
        self.asked = asked;
    }

    /// Whom the client has asked to block, as far as that is not answered.
    pub(super) fn asked(&self) -> &[Box<str>] {
        &self.asked
    }
}
