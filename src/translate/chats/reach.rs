//! Resources that would see a message: the available ones of an account, by their native presence, and which of them
//! are behind a shim that translates one-to-one messages.

use std::collections::HashMap;

use crate::jid;
use crate::translate::marker::Marker;
use crate::xml::Element;

/// Accounts that are known; messages to others go natively.
const MOST_ACCOUNTS: usize = 16_384;
/// Resources of each account.
const MOST_RESOURCES: usize = 32;

/// Available resources.
#[derive(Default)]
pub(super) struct Reach {
    /// Resources by bare JID; an account without any has no entry.
    accounts: HashMap<Box<str>, Resources>,
}

#[derive(Default)]
struct Resources {
    known: Vec<Resource>,
    /// There are more resources than can be known.
    has_more: bool,
}

struct Resource {
    name: Box<str>,
    /// A resource below 0 only gets messages addressed to it (RFC 6121 §4.7.2.3).
    priority: i8,
    takes_chats: bool,
}

impl Reach {
    /// Notes a native presence: a state, or an error, after which no state is known.
    pub(super) fn note(&mut self, presence: &Element<'_>) {
        let from = presence.attribute("from").unwrap_or_default();
        let (account, resource) = (jid::bare(&from), jid::resource(&from));
        let is_there = presence.attribute("type").is_none();
        match resource {
            Some(name) => self.forget(account, name),
            // An `unavailable` or error from a bare JID is about all resources.
            None if !is_there => _ = self.accounts.remove(account),
            None => {}
        }
        if let (true, Some(name)) = (is_there, resource) {
            let resource = Resource {
                name: name.into(),
                priority: priority_of(presence),
                takes_chats: Marker::of(presence).is_some_and(|marker| marker.takes_chats),
            };
            self.add(account, resource);
        }
    }

    fn add(&mut self, account: &str, resource: Resource) {
        if self.accounts.len() >= MOST_ACCOUNTS && !self.accounts.contains_key(account) {
            return;
        }
        let all = self.accounts.entry(account.into()).or_default();
        match all.known.len() < MOST_RESOURCES {
            true => all.known.push(resource),
            false => all.has_more = true,
        }
    }

    fn forget(&mut self, account: &str, name: &str) {
        if let Some(all) = self.accounts.get_mut(account) {
            all.known.retain(|it| *it.name != *name);
            if all.known.is_empty() && !all.has_more {
                self.accounts.remove(account);
            }
        }
    }

    /// Forgets all resources.
    pub(super) fn clear(&mut self) {
        self.accounts.clear();
    }

    /// Whether any resource of `account` takes one-to-one messages by pubsub.
    pub(super) fn takes_any(&self, account: &str) -> bool {
        let all = self.accounts.get(account);
        all.is_some_and(|all| all.known.iter().any(|it| it.takes_chats))
    }

    /// Whether all resources of the own account besides the client's, `resource`, take one-to-one messages by pubsub.
    pub(super) fn others_take_all(&self, account: &str, resource: &str) -> bool {
        self.accounts.get(account).is_none_or(|all| {
            let mut others = all.known.iter().filter(|it| *it.name != *resource);
            !all.has_more && others.all(|it| it.takes_chats)
        })
    }

    /// Whether all resources that would see a native message for `account`, or for this resource of it, would see the
    /// item, and there is one.
    pub(super) fn takes_all(&self, account: &str, resource: Option<&str>) -> bool {
        let all = self.accounts.get(account);
        let is_whole = |all: &Resources| !all.has_more && all.known.iter().all(|it| it.takes_chats);
        all.is_some_and(is_whole) && self.would_show(account, resource)
    }

    /// Whether any resource would see an item for `account`, or for this resource of it.
    pub(super) fn would_show(&self, account: &str, resource: Option<&str>) -> bool {
        let mut known = self
            .accounts
            .get(account)
            .into_iter()
            .flat_map(|all| &all.known);
        known.any(|it| {
            let is_meant = resource.is_none_or(|name| *it.name == *name);
            is_meant && it.takes_chats && it.priority >= 0
        })
    }

    /// Whether this resource of `account` is available.
    pub(super) fn has(&self, account: &str, resource: &str) -> bool {
        let all = self.accounts.get(account);
        all.is_some_and(|all| all.known.iter().any(|it| *it.name == *resource))
    }
}

/// The priority of a presence (RFC 6121 §4.7.2.3); 0 if it has none or a wrong one.
pub(super) fn priority_of(presence: &Element<'_>) -> i8 {
    let namespace = presence.namespace();
    let priority = presence.child(&namespace, "priority");
    priority.map_or(0, |it| it.text().trim().parse().unwrap_or(0))
}
