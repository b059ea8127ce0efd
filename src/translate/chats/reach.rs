//! Where a message would be seen: which resources of an account are available, as their native presences tell, and
//! which of them are behind a shim that translates one-to-one messages.

use std::collections::HashMap;

use crate::jid;
use crate::translate::marker::Marker;
use crate::xml::Element;

/// So many accounts are known; of others it is not known where a message would be seen.
const MOST_ACCOUNTS: usize = 16_384;
/// So many resources of each.
const MOST_RESOURCES: usize = 32;

/// Who is where.
#[derive(Default)]
pub(super) struct Reach {
    /// By the bare JID; nobody is here without a resource.
    accounts: HashMap<Box<str>, Resources>,
}

#[derive(Default)]
struct Resources {
    known: Vec<Resource>,
    /// There were more of them than can be known.
    has_more: bool,
}

struct Resource {
    name: Box<str>,
    /// Below 0 nothing comes that is not for this resource alone (RFC 6121 §4.7.2.3).
    priority: i8,
    takes_chats: bool,
}

impl Reach {
    /// A native presence of somebody's: it tells a state, or that there is none (an error).
    pub(super) fn note(&mut self, presence: &Element<'_>) {
        let from = presence.attribute("from").unwrap_or_default();
        let (account, resource) = (jid::bare(&from), jid::resource(&from));
        let is_there = presence.attribute("type").is_none();
        match resource {
            Some(name) => self.forget(account, name),
            // Nobody is there any more, or it is not to be known.
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

    /// Nobody is known to be anywhere.
    pub(super) fn clear(&mut self) {
        self.accounts.clear();
    }

    /// Whether a resource of `account` takes one-to-one messages.
    pub(super) fn takes_any(&self, account: &str) -> bool {
        let all = self.accounts.get(account);
        all.is_some_and(|all| all.known.iter().any(|it| it.takes_chats))
    }

    /// Whether each resource of the own account but `resource`, which is the client's, takes one-to-one messages.
    pub(super) fn others_take_all(&self, account: &str, resource: &str) -> bool {
        self.accounts.get(account).is_none_or(|all| {
            let mut others = all.known.iter().filter(|it| *it.name != *resource);
            !all.has_more && others.all(|it| it.takes_chats)
        })
    }

    /// Whether a message for `account`, or for this resource of it, would be seen by pubsub by all who would see it
    /// natively, and by somebody.
    pub(super) fn takes_all(&self, account: &str, resource: Option<&str>) -> bool {
        let all = self.accounts.get(account);
        let is_whole = |all: &Resources| !all.has_more && all.known.iter().all(|it| it.takes_chats);
        all.is_some_and(is_whole) && self.would_show(account, resource)
    }

    /// Whether somebody would see an item for `account`, or for this resource of it.
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

/// The priority a presence gives (RFC 6121 §4.7.2.3); 0 if none that may be.
pub(super) fn priority_of(presence: &Element<'_>) -> i8 {
    let namespace = presence.namespace();
    let priority = presence.child(&namespace, "priority");
    priority.map_or(0, |it| it.text().trim().parse().unwrap_or(0))
}
