//! Fetching the states of contacts at login that native presence does not tell. A resource that an item shows as
//! available is pinged before it is shown.
//!
//! An item tells the state at its publish: a resource that has crashed since is still available in it.

use std::collections::VecDeque;

use super::Ask;
use super::feed::{Feed, Held, read_item};
use super::leftovers::write_ping;
use crate::jid;
use crate::pubsub::{PRESENCE, answer, request};
use crate::translate::people::People;
use crate::translate::queue::Queue;
use crate::translate::{self, Cx, Wire, rules};
use crate::wire::{Dropped, Reply, is_gone};
use crate::xml::Element;

/// Resources of one account that are looked at.
const MOST_RESOURCES: usize = 32;
/// Bytes of presence that may wait for pings.
const MOST_SUSPECTED: usize = 256 * 1024;

/// Accounts to be fetched, and resources to be pinged.
#[derive(Default)]
pub(super) struct Fetches {
    /// Accounts whose items are still to be fetched.
    accounts: Queue,
    /// Available items whose resources are still to be pinged.
    suspects: VecDeque<Held>,
    /// Presences that may be shown.
    answered: Vec<Held>,
}

/// A question for an account's items.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(super) account: Box<str>,
    /// Full JIDs with newer presence since the items were asked for.
    heard: Vec<Box<str>>,
}

impl Fetches {
    /// Has the items of every contact fetched that the account is subscribed to.
    pub(super) fn fetch_all(&mut self, people: &People) {
        let mut accounts: Vec<_> = people.iter().map(|(account, _)| account).collect();
        // Sorted, so that every replay has the same order.
        accounts.sort_unstable();
        for account in accounts {
            self.fetch(account);
        }
    }

    /// Has the items of `account` fetched.
    pub(super) fn fetch(&mut self, account: &str) {
        self.accounts.push(account);
    }

    /// Forgets all questions and answers.
    pub(super) fn forget(&mut self, wire: &mut Wire) {
        self.accounts.clear();
        self.suspects.clear();
        self.answered.clear();
        wire.forget(|asked| {
            let translate::Ask::Presence(asked) = asked else {
                return false;
            };
            matches!(asked, Ask::State(_) | Ask::Alive(_))
        });
    }

    /// Notes a presence of `full` that is newer than any item asked for before.
    pub(super) fn note_heard(&mut self, full: &str, wire: &mut Wire) {
        let account = jid::bare(full);
        for asked in wire.asked_mut() {
            if let translate::Ask::Presence(Ask::State(fetch)) = asked
                && *fetch.account == *account
                && fetch.heard.len() < MOST_RESOURCES
            {
                fetch.heard.push(full.into());
            }
        }
        self.suspects.retain(|held| *held.full != *full);
        wire.forget(|asked| {
            matches!(asked, translate::Ask::Presence(Ask::Alive(held)) if *held.full == *full)
        });
    }

    /// Whether a question waits for its turn.
    pub(super) fn has_work(&self) -> bool {
        !self.accounts.is_empty() || !self.suspects.is_empty()
    }

    /// Shows presences that were answered, and sends as many questions as may go now.
    pub(super) fn work(&mut self, feed: &mut Feed, cx: &mut Cx<'_>) {
        for held in std::mem::take(&mut self.answered) {
            feed.show_held(&held, cx);
        }
        if !self.has_work() {
            return;
        }
        let own = cx.account.bare().to_owned();
        while let Some(spare) = cx.wire.spare() {
            if let Some(held) = self.suspects.pop_front() {
                let full = held.full.clone();
                spare.request("get", Some(&full), Ask::Alive(Box::new(held)), write_ping);
                continue;
            }
            let Some(account) = self.accounts.pop() else {
                return;
            };
            let people = &cx.account.people;
            let contact = people.get(&account);
            let is_native = contact.is_some_and(|contact| contact.is_native);
            let is_seen = *account == *own || people.is_subscribed(&account) == Some(true);
            if is_seen && !is_native {
                let fetch = Fetch {
                    account: account.clone(),
                    heard: Vec::new(),
                };
                spare.request("get", Some(&account), Ask::State(fetch), |out| {
                    request::items(out, PRESENCE);
                });
                cx.wire.apply(&rules::FETCH);
            }
        }
    }

    /// Handles the items of an account: available resources are pinged.
    pub(super) fn handle_items(&mut self, fetch: &Fetch, iq: &Element<'_>, cx: &mut Cx<'_>) {
        answer::with_items(iq, |items| self.suspect(fetch, items, cx));
    }

    fn suspect(&mut self, fetch: &Fetch, items: &Element<'_>, cx: &mut Cx<'_>) {
        // A ping shows our full JID, so the items of an account that may not see us are believed without.
        let account = &cx.account;
        let may_ping = account.people.may_see(&fetch.account) || *fetch.account == *account.bare();
        let waiting: usize = self.suspects.iter().map(|held| held.presence.len()).sum();
        let mut room = MOST_SUSPECTED.saturating_sub(waiting);
        for item in items.children().take(MOST_RESOURCES) {
            let (presence, full) = match read_item(&item, &fetch.account) {
                Ok(read) => read,
                Err(reason) => {
                    cx.wire.drop_event(reason);
                    continue;
                }
            };
            let is_heard = fetch.heard.iter().any(|heard| **heard == *full);
            if is_heard || presence.attribute("type").is_some() || full == cx.account.jid() {
                continue;
            }
            let held = Held::new(&presence, &full, &fetch.account, cx.account.jid());
            if held.presence.len() > room {
                cx.wire.drop_event(Dropped::Overflow);
                continue;
            }
            room -= held.presence.len();
            match may_ping {
                true => self.suspects.push_back(held),
                false => self.answered.push(held),
            }
        }
    }

    /// Handles the answer to a ping: the presence is shown, unless its resource is gone.
    pub(super) fn handle_pong(&mut self, held: Held, reply: Reply<'_>, cx: &mut Cx<'_>) {
        match is_gone(reply) {
            true => cx.wire.drop_event(Dropped::Gone),
            false => self.answered.push(held),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_items_of_a_large_roster_wait_to_be_fetched() {
        // More than could be done if each were compared with all that wait.
        let mut fetches = Fetches::default();
        for n in 0..300_000 {
            fetches.fetch(&format!("u{n}@capulet.lit"));
        }
        assert!(fetches.has_work());
    }
}
