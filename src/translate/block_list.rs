//! Accounts and domains that the user has blocked (XEP-0191): they may not see the own node.

use std::collections::HashSet;

use crate::jid;

/// JIDs remembered at most: as many as the longest list may have that is read.
const MOST_BLOCKED: usize = 65_536;

/// Accounts and domains that are blocked, as the server writes them.
#[derive(Debug, Default)]
pub(super) struct BlockList {
    /// By the block list of the account.
    list: HashSet<Box<str>>,
    /// By the privacy list in force (XEP-0016): ejabberd keeps its block list as one.
    by_privacy_list: HashSet<Box<str>>,
    /// By the client's requests that the server has not answered.
    asked: Vec<Box<str>>,
}

/// Accounts and domains that a privacy list blocks.
#[derive(Debug)]
pub(super) struct Blocked {
    pub(super) all: Vec<Box<str>>,
    /// JIDs that it did not block before.
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

    /// Whether the account's block list names `jid`.
    pub(super) fn names(&self, jid: &str) -> bool {
        self.list.contains(jid)
    }

    /// Adds to the account's block list.
    pub(super) fn add(&mut self, jids: &[Box<str>]) {
        let room = MOST_BLOCKED.saturating_sub(self.list.len());
        self.list.extend(jids.iter().take(room).cloned());
    }

    /// Removes from the account's block list.
    pub(super) fn remove(&mut self, jids: &[Box<str>]) {
        for jid in jids {
            self.list.remove(jid);
        }
    }

    /// Empties the account's block list.
    pub(super) fn clear(&mut self) {
        self.list.clear();
    }

    /// Notes the JIDs to which the privacy list in force denies everything.
    pub(super) fn set_by_privacy_list(&mut self, blocked: &[Box<str>]) {
        self.by_privacy_list = blocked.iter().take(MOST_BLOCKED).cloned().collect();
    }

    /// Notes the JIDs that the client has asked to block, without an answer yet.
    pub(super) fn set_asked(&mut self, asked: Vec<Box<str>>) {
        self.asked = asked;
    }

    /// JIDs that the client has asked to block, without an answer yet.
    pub(super) fn asked(&self) -> &[Box<str>] {
        &self.asked
    }
}
