//! The states of contacts at login, where native presence does not tell them: their items are fetched,
//! and what claims to be available is pinged before it is shown.
//!
//! An item is what was true when it was published; whoever crashed since is still "available" in it.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::Wire;
use super::contacts::Contacts;
use super::events::{Events, Held, read_item};
use super::leftovers::write_ping;
use super::presence::NODE;
use super::queue::Queue;
use super::{Purpose, rules};
use crate::jid;
use crate::ns;
use crate::wire::Dropped;
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
    fetches: Vec<Fetch>,
    /// Available items whose resources are still to be pinged.
    suspects: VecDeque<Held>,
    pings: Vec<(u32, Held)>,
    /// What may be shown.
    answered: Vec<Held>,
    /// Counts questions.
    serial: u32,
}

/// A question for an account's items.
struct Fetch {
    serial: u32,
    account: Box<str>,
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
    pub(super) fn forget(&mut self) {
        self.accounts.clear();
        self.fetches.clear();
        self.suspects.clear();
        self.pings.clear();
        self.answered.clear();
    }

    /// Something newer than any item asked for before has come of `full`.
    pub(super) fn note_heard(&mut self, full: &str) {
        let account = jid::bare(full);
        for fetch in &mut self.fetches {
            if *fetch.account == *account && fetch.heard.len() < MOST_RESOURCES {
                fetch.heard.push(full.into());
            }
        }
        self.suspects.retain(|held| *held.full != *full);
        self.pings.retain(|(_, held)| *held.full != *full);
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
        while self.has_work() && wire.may_work() {
            self.serial = self.serial.wrapping_add(1);
            if let Some(held) = self.suspects.pop_front() {
                self.ping(held, wire);
            } else if let Some(account) = self.accounts.pop() {
                let is_native = contacts
                    .get(&account)
                    .is_some_and(|contact| contact.is_native);
                let is_own = *account == *jid::bare(&wire.jid);
                if (is_own || contacts.is_subscribed(&account) == Some(true)) && !is_native {
                    self.ask_items(account, wire);
                }
            }
        }
    }

    fn ask_items(&mut self, account: Box<str>, wire: &mut Wire) {
        let asked = wire.request("get", Some(&account), Purpose::State(self.serial), |out| {
            let _ = write!(
                out,
                "<pubsub xmlns='{}'><items node='{NODE}'/></pubsub>",
                ns::PUBSUB
            );
        });
        if asked {
            wire.apply(&rules::FETCH);
            self.fetches.push(Fetch {
                serial: self.serial,
                account,
                heard: Vec::new(),
            });
        }
    }

    fn ping(&mut self, held: Held, wire: &mut Wire) {
        let purpose = Purpose::Alive(self.serial);
        let asked = wire.request("get", Some(&held.full), purpose, write_ping);
        if asked {
            self.pings.push((self.serial, held));
        }
    }

    /// Takes the items of an account: who is available in them is pinged. The account if it refused.
    pub(super) fn handle_items(
        &mut self,
        serial: u32,
        reply: Result<&Element<'_>, &str>,
        may_see: impl Fn(&str) -> bool,
        wire: &mut Wire,
    ) -> Option<Box<str>> {
        let at = self
            .fetches
            .iter()
            .position(|fetch| fetch.serial == serial)?;
        let fetch = self.fetches.swap_remove(at);
        let Ok(iq) = reply else {
            return Some(fetch.account);
        };
        let pubsub = iq.child(ns::PUBSUB, "pubsub")?;
        let items = pubsub.child(ns::PUBSUB, "items")?;
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
            match may_see(&fetch.account) || *fetch.account == *jid::bare(&wire.jid) {
                true => self.suspects.push_back(held),
                false => self.answered.push(held),
            }
        }
        None
    }

    /// Takes the answer to a ping: the presence is shown, unless its resource is gone.
    pub(super) fn handle_pong(
        &mut self,
        serial: u32,
        reply: Result<&Element<'_>, &str>,
        wire: &mut Wire,
    ) {
        let Some(at) = self.pings.iter().position(|(asked, _)| *asked == serial) else {
            return;
        };
        let (_, held) = self.pings.swap_remove(at);
        match is_gone(reply) {
            true => wire.drop_event(Dropped::Gone),
            false => self.answered.push(held),
        }
    }
}

/// Whether the answer to a ping says that the resource is not there. No answer, or any other error,
/// says nothing: a hibernating session answers nothing, too.
pub(super) fn is_gone(pong: Result<&Element<'_>, &str>) -> bool {
    matches!(
        pong,
        Err("service-unavailable" | "item-not-found" | "recipient-unavailable")
    )
}
