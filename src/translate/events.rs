//! Events on contacts' presence nodes to presence (listings 4 and 2).

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::BytesMut;

use super::Wire;
use super::contacts::Contacts;
use super::rules;
use super::seen::{Change, Seen};
use super::states::States;
use crate::jid;
use crate::ns;
use crate::policy::Policy;
use crate::pubsub::{Event, What, write_presence};
use crate::wire::{Dropped, Leg};
use crate::xml::{Element, escape};

/// So many bytes of presence may wait until the roster is known.
const MOST_HELD: usize = 256 * 1024;
/// One message may make so many bytes of presence: what it declares once would stand on each.
const MOST_SHOWN: usize = 256 * 1024;
/// So many accounts are remembered as available, and so many resources of each.
const MOST_AVAILABLE: usize = 4096;
/// One message may have so many items; servers send one.
const MOST_ITEMS: usize = 256;
/// A resource may be so long (RFC 6122 §2.1).
const MOST_RESOURCE: usize = 1023;

/// What came in by event, and what was shown of it.
pub(super) struct Events {
    seen: Seen,
    held: Vec<Held>,
    /// The client is shown the presence of the account's own resources, itself included (RFC 6121 §4.2.2):
    /// under `auto` the server does that natively.
    shows_own: bool,
    /// The client is not to be shown anything now.
    pub(super) is_closed: bool,
    /// Resources the client sees as available because of events or items alone, by account.
    available: HashMap<Box<str>, Vec<Box<str>>>,
}

/// A presence that may be shown if its sender turns out to be a contact.
#[derive(Debug)]
pub(crate) struct Held {
    pub(super) full: Box<str>,
    change: Change,
    pub(super) presence: BytesMut,
}

impl Held {
    /// `presence`, as it would be shown to the client, whose full JID `to` is.
    pub(super) fn new(presence: &Element<'_>, full: &str, account: &str, to: &str) -> Self {
        let mut bytes = BytesMut::new();
        write_presence(&mut bytes, presence, account, to);
        Self {
            full: full.into(),
            change: Change::of(presence),
            presence: bytes,
        }
    }
}

impl Events {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            shows_own: policy == Policy::Pure,
            seen: Seen::default(),
            held: Vec::new(),
            is_closed: false,
            available: HashMap::new(),
        }
    }

    /// Whether to show a native presence to the client.
    pub(super) fn shows_native(
        &mut self,
        presence: &Element<'_>,
        marked: bool,
        wire: &Wire,
    ) -> bool {
        let is_state = matches!(
            presence.attribute("type").as_deref(),
            None | Some("unavailable")
        );
        let Some(from) = presence.attribute("from").filter(|_| is_state) else {
            return true;
        };
        // Events about this very resource are not shown, so its reflection has no twin.
        if jid::resource(&from).is_none() || from == wire.jid {
            return true;
        }
        self.note_available(&from, false);
        // A native presence is newer than what was held before it came.
        self.held.retain(|held| *held.full != *from);
        self.seen.native(&from, presence, marked, wire.now)
    }

    /// Takes an event on an account's presence node (listing 4).
    pub(super) fn handle_event(
        &mut self,
        event: &Event<'_>,
        contacts: &mut Contacts,
        states: &mut States,
        wire: &mut Wire,
    ) {
        if event.what != What::Items {
            wire.drop_event(Dropped::Retracted);
        } else if event.is_delayed {
            wire.drop_event(Dropped::Delayed);
        } else {
            self.handle_items(event.element, event.service, contacts, states, wire);
        }
    }

    fn handle_items(
        &mut self,
        items: &Element<'_>,
        account: &str,
        contacts: &mut Contacts,
        states: &mut States,
        wire: &mut Wire,
    ) {
        let before = wire.outgoing(Leg::Client).len() + self.held_bytes();
        for (count, item) in items.children().enumerate() {
            let made = wire.outgoing(Leg::Client).len() + self.held_bytes() - before;
            if count >= MOST_ITEMS || made > MOST_SHOWN {
                return wire.drop_event(Dropped::Overflow);
            }
            let outcome = match item.local() {
                "item" => self.handle_item(&item, account, contacts, states, wire),
                _ => Err(Dropped::Retracted),
            };
            if let Err(reason) = outcome {
                wire.drop_event(reason);
            }
        }
    }

    fn held_bytes(&self) -> usize {
        self.held.iter().map(|held| held.presence.len()).sum()
    }

    fn handle_item(
        &mut self,
        item: &Element<'_>,
        account: &str,
        contacts: &mut Contacts,
        states: &mut States,
        wire: &mut Wire,
    ) -> Result<(), Dropped> {
        let (presence, full) = read_item(item, account)?;
        let is_own = account == jid::bare(&wire.jid);
        if is_own && !self.shows_own {
            return Err(Dropped::Seen);
        }
        if self.is_closed {
            return Err(Dropped::Unavailable);
        }
        states.note_heard(&full, wire);
        let is_believed = match is_own {
            true => Some(true),
            false => contacts.is_subscribed(account),
        };
        match is_believed {
            Some(true) => self.show(&presence, &full, account, wire),
            Some(false) => Err(Dropped::NotSubscribed),
            None if self.held_bytes() >= MOST_HELD || !contacts.ask(wire) => Err(Dropped::Overflow),
            None => {
                self.held
                    .push(Held::new(&presence, &full, account, &wire.jid));
                wire.apply(&rules::HELD);
                Ok(())
            }
        }
    }

    fn show(
        &mut self,
        presence: &Element<'_>,
        full: &str,
        account: &str,
        wire: &mut Wire,
    ) -> Result<(), Dropped> {
        if !self.seen.event(full, Change::of(presence), wire.now) {
            return Err(Dropped::Seen);
        }
        wire.apply(&rules::EVENT);
        self.note_available(full, presence.attribute("type").is_none());
        let to = std::mem::take(&mut wire.jid);
        write_presence(wire.to(Leg::Client), presence, account, &to);
        wire.jid = to;
        Ok(())
    }

    /// Notes that the client sees `full` as available by event alone, or no longer.
    fn note_available(&mut self, full: &str, is_available: bool) {
        let account = jid::bare(full);
        if let Some(resources) = self.available.get_mut(account) {
            resources.retain(|resource| **resource != *full);
            if is_available && resources.len() < MOST_AVAILABLE {
                resources.push(full.into());
            } else if resources.is_empty() {
                self.available.remove(account);
            }
        } else if is_available && self.available.len() < MOST_AVAILABLE {
            self.available.insert(account.into(), vec![full.into()]);
        }
    }

    /// Shows as unavailable what was only known by events of `account`: we do not see it any more.
    pub(super) fn hide(&mut self, account: &str, wire: &mut Wire) {
        self.held.retain(|held| jid::bare(&held.full) != account);
        let to = escape(&wire.jid).into_owned();
        for full in self.available.remove(account).unwrap_or_default() {
            self.seen.forget(&full);
            let from = escape(&full);
            let _ = write!(
                wire.to(Leg::Client),
                "<presence from='{from}' to='{to}' type='unavailable'/>"
            );
        }
    }

    /// What was shown of `account` is to be shown again if it comes again.
    pub(super) fn forget(&mut self, account: &str) {
        for full in self.available.get(account).into_iter().flatten() {
            self.seen.forget(full);
        }
    }

    /// Nothing that was shown counts any more.
    pub(super) fn forget_all(&mut self) {
        self.seen = Seen::default();
        self.available.clear();
        self.held.clear();
    }

    /// Whether something waits until the roster is known.
    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Shows or drops what was held, now that the roster may be known.
    pub(super) fn release(&mut self, contacts: &Contacts, wire: &mut Wire) {
        for held in std::mem::take(&mut self.held) {
            self.show_held(&held, contacts, wire);
        }
    }

    /// Shows what had to wait, if its sender is a contact and it is still news.
    pub(super) fn show_held(&mut self, held: &Held, contacts: &Contacts, wire: &mut Wire) {
        let account = jid::bare(&held.full);
        let is_own = account == jid::bare(&wire.jid);
        if !is_own && contacts.is_subscribed(account) != Some(true) {
            wire.drop_event(Dropped::NotSubscribed);
        } else if self.seen.event(&held.full, held.change, wire.now) {
            self.note_available(&held.full, held.change.is_available());
            wire.apply(&rules::EVENT);
            wire.send(Leg::Client, &held.presence);
        } else {
            wire.drop_event(Dropped::Seen);
        }
    }
}

/// The presence in an item of `account`, with the full JID it speaks of.
pub(super) fn read_item<'a>(
    item: &'a Element<'a>,
    account: &str,
) -> Result<(Element<'a>, Cow<'a, str>), Dropped> {
    let mut payloads = item.children();
    let (Some(presence), None) = (payloads.next(), payloads.next()) else {
        return Err(Dropped::WrongPayload);
    };
    if !presence.is(ns::CLIENT, "presence") {
        return Err(Dropped::WrongPayload);
    }
    if !matches!(
        presence.attribute("type").as_deref(),
        None | Some("unavailable")
    ) {
        return Err(Dropped::WrongType);
    }
    let full = presence.attribute("from").unwrap_or_default();
    let is_resource = |resource: &str| {
        (1..=MOST_RESOURCE).contains(&resource.len()) && !resource.contains(char::is_control)
    };
    if jid::bare(&full) != account || !jid::resource(&full).is_some_and(is_resource) {
        return Err(Dropped::ForeignFrom);
    }
    Ok((presence, full))
}
