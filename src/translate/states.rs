//! The states of contacts at login, where native presence does not tell them: their items are fetched,
//! and what claims to be available is pinged before it is shown.
//!
//! An item is what was true when it was published; whoever crashed since is still "available" in it.

use std::collections::VecDeque;

use super::Wire;
use super::contacts::Contacts;
use super::events::{Events, Held, read_item};
use super::leftovers::write_ping;
use super::queue::Queue;
use super::{Purpose, rules};
use crate::jid;
use crate::pubsub::{PRESENCE, answer, request};
use crate::wire::{Dropped, Reply, is_gone};
use crate::xml::Element;

/// So many resources of one account are looked at.
const MOST_RESOURCES: usize = 32;
/// So many bytes of presence may wait for their pings.
const MOST_SUSPECTED: usize = 256 * 1024;

/// What is being asked and what waits to be asked.
#[derive(Default)]
pub(super) struct States {
    /// Accounts whose items are still to be fetched.
    accounts: Queue,
    /// Available items whose resources are still to be pinged.
    suspects: VecDeque<Held>,
    /// What may be shown.
    answered: Vec<Held>,
}

/// A question for an account's items.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(super) account: Box<str>,
    /// Full JIDs of which something newer came since it was asked.
    heard: Vec<Box<str>>,
}

impl States {
    /// Has the items of every contact fetched that the account is subscribed to.
    pub(super) fn fetch_all(&mut self, contacts: &Contacts) {
        let mut accounts: Vec<_> = contacts.iter().map(|(account, _)| account).collect();
        // The same order in every replay.
        accounts.sort_unstable();
        for account in accounts {
            self.fetch(account);
        }
    }

    /// Has the items of `account` fetched.
    pub(super) fn fetch(&mut self, account: &str) {
        self.accounts.push(account);
    }

    /// Nothing is to be shown that was asked for.
    pub(super) fn forget(&mut self, wire: &mut Wire) {
        self.accounts.clear();
        self.suspects.clear();
        self.answered.clear();
        wire.forget(|asked| matches!(asked, Purpose::State(_) | Purpose::Alive(_)));
    }

    /// Something newer than any item asked for before has come of `full`.
    pub(super) fn note_heard(&mut self, full: &str, wire: &mut Wire) {
        let account = jid::bare(full);
        for asked in wire.asked_mut() {
            if let Purpose::State(fetch) = asked
                && *fetch.account == *account
                && fetch.heard.len() < MOST_RESOURCES
            {
                fetch.heard.push(full.into());
            }
        }
        self.suspects.retain(|held| *held.full != *full);
        wire.forget(|asked| matches!(asked, Purpose::Alive(held) if *held.full == *full));
    }

    /// Whether something waits to be asked.
    pub(super) fn has_work(&self) -> bool {
        !self.accounts.is_empty() || !self.suspects.is_empty()
    }

    /// Asks as much as may be asked now.
    pub(super) fn work(&mut self, contacts: &Contacts, events: &mut Events, wire: &mut Wire) {
        for held in std::mem::take(&mut self.answered) {
            events.show_held(&held, contacts, wire);
        }
        let own = jid::bare(&wire.jid).to_owned();
        while let Some(spare) = wire.spare() {
            if let Some(held) = self.suspects.pop_front() {
                let full = held.full.clone();
                spare.request("get", Some(&full), Purpose::Alive(held), write_ping);
                continue;
            }
            let Some(account) = self.accounts.pop() else {
                return;
            };
            let contact = contacts.get(&account);
            let is_native = contact.is_some_and(|contact| contact.is_native);
            let is_seen = *account == *own || contacts.is_subscribed(&account) == Some(true);
            if is_seen && !is_native {
                let fetch = Fetch {
                    account: account.clone(),
                    heard: Vec::new(),
                };
                spare.request("get", Some(&account), Purpose::State(fetch), |out| {
                    request::items(out, PRESENCE);
                });
                wire.apply(&rules::FETCH);
            }
        }
    }

    /// Takes the items of an account: who is available in them is pinged. `may_see`: it may see us.
    pub(super) fn handle_items(
        &mut self,
        fetch: &Fetch,
        iq: &Element<'_>,
        may_see: bool,
        wire: &mut Wire,
    ) {
        answer::with_items(iq, |items| self.suspect(fetch, items, may_see, wire));
    }

    fn suspect(&mut self, fetch: &Fetch, items: &Element<'_>, may_see: bool, wire: &mut Wire) {
        let waiting: usize = self.suspects.iter().map(|held| held.presence.len()).sum();
        let mut room = MOST_SUSPECTED.saturating_sub(waiting);
        for item in items.children().take(MOST_RESOURCES) {
            let (presence, full) = match read_item(&item, &fetch.account) {
                Ok(read) => read,
                Err(reason) => {
                    wire.drop_event(reason);
                    continue;
                }
            };
            let is_heard = fetch.heard.iter().any(|heard| **heard == *full);
            if is_heard || presence.attribute("type").is_some() || full == wire.jid {
                continue;
            }
            let held = Held::new(&presence, &full, &fetch.account, &wire.jid);
            if held.presence.len() > room {
                wire.drop_event(Dropped::Overflow);
                continue;
            }
            room -= held.presence.len();
            // A ping shows our full JID; who may not see us is believed.
            match may_see || *fetch.account == *jid::bare(&wire.jid) {
                true => self.suspects.push_back(held),
                false => self.answered.push(held),
            }
        }
    }

    /// Takes the answer to a ping: the presence is shown, unless its resource is gone.
    pub(super) fn handle_pong(&mut self, held: Held, reply: Reply<'_>, wire: &mut Wire) {
        match is_gone(reply) {
            true => wire.drop_event(Dropped::Gone),
            false => self.answered.push(held),
        }
    }
}
