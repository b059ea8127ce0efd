//! Events on contacts' presence nodes to presence (listings 4 and 2).

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::{BufMut as _, BytesMut};

use super::change::Change;
use super::seen::Seen;
use crate::jid;
use crate::policy::Policy;
use crate::pubsub::{Event, What, payload, write_presence};
use crate::translate::{Cx, Wire, rules};
use crate::wire::{Dropped, Leg};
use crate::xml::{Element, escape};

/// Bytes of presence that may wait until the roster is known.
const MOST_HELD: usize = 256 * 1024;
/// Bytes of presence that one message may cause: declarations on the message are repeated in each presence.
const MOST_SHOWN: usize = 256 * 1024;
/// Accounts remembered as available, and resources of each.
const MOST_AVAILABLE: usize = 4096;
/// Items in one message that are read; servers send one.
const MOST_ITEMS: usize = 256;
/// The longest resource, in bytes (RFC 6122 §2.1).
const MOST_RESOURCE: usize = 1023;

/// Presence by event: held, shown, available.
pub(super) struct Feed {
    seen: Seen,
    held: Vec<Held>,
    /// No native presence comes beside events (`pure`): they show the client the account's own resources, itself
    /// included (RFC 6121 §4.2.2), and nothing while it is unavailable. Contacts we begin to see are asked for.
    pub(super) is_alone: bool,
    /// Resources the client sees as available because of events or items alone, by account.
    available: HashMap<Box<str>, Vec<Box<str>>>,
}

/// A presence that is shown later, if its sender turns out to be a contact.
#[derive(Debug)]
pub(crate) struct Held {
    pub(super) full: Box<str>,
    change: Change,
    pub(super) presence: BytesMut,
}

impl Held {
    /// `presence` as the client, whose full JID is `to`, would be shown it.
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

impl Feed {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            is_alone: policy == Policy::Pure,
            seen: Seen::default(),
            held: Vec::new(),
            available: HashMap::new(),
        }
    }

    /// Whether to show the client a native presence that tells the state of the resource `full`.
    pub(super) fn shows_native(
        &mut self,
        full: &str,
        presence: &Element<'_>,
        marked: bool,
        cx: &Cx<'_>,
    ) -> bool {
        // Events about this very resource are not shown, so its reflection is no duplicate.
        if full == cx.account.jid() {
            return true;
        }
        self.note_available(full, false);
        // A native presence is newer than events held before it came.
        self.held.retain(|held| *held.full != *full);
        self.seen.native(full, presence, marked, cx.wire.now)
    }

    /// Handles an event on an account's presence node (listing 4). `heard` is called with each full JID whose state it
    /// tells.
    pub(super) fn handle_event(
        &mut self,
        event: &Event<'_>,
        heard: &mut dyn FnMut(&str, &mut Wire),
        cx: &mut Cx<'_>,
    ) {
        if event.what != What::Items {
            cx.wire.drop_event(Dropped::Retracted);
        } else if event.is_delayed {
            cx.wire.drop_event(Dropped::Delayed);
        } else {
            self.handle_items(event.element, event.service, heard, cx);
        }
    }

    fn handle_items(
        &mut self,
        items: &Element<'_>,
        account: &str,
        heard: &mut dyn FnMut(&str, &mut Wire),
        cx: &mut Cx<'_>,
    ) {
        let before = cx.wire.outgoing(Leg::Client).len() + self.held_bytes();
        for (count, item) in items.children().enumerate() {
            let made = cx.wire.outgoing(Leg::Client).len() + self.held_bytes() - before;
            if count >= MOST_ITEMS || made > MOST_SHOWN {
                return cx.wire.drop_event(Dropped::Overflow);
            }
            let outcome = match item.local() {
                "item" => self.handle_item(&item, account, heard, cx),
                _ => Err(Dropped::Retracted),
            };
            if let Err(reason) = outcome {
                log_dropped(reason, cx.wire);
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
        heard: &mut dyn FnMut(&str, &mut Wire),
        cx: &mut Cx<'_>,
    ) -> Result<(), Dropped> {
        let (presence, full) = read_item(item, account)?;
        let is_own = account == cx.account.bare();
        if is_own && !self.is_alone {
            return Err(Dropped::Seen);
        }
        if self.is_alone && !cx.account.status.is_available {
            return Err(Dropped::Unavailable);
        }
        heard(&full, cx.wire);
        let is_believed = match is_own {
            true => Some(true),
            false => cx.account.people.is_subscribed(account),
        };
        match is_believed {
            Some(true) => self.show(&full, Change::of(&presence), cx, |out, to| {
                write_presence(out, &presence, account, to);
            }),
            Some(false) => Err(Dropped::NotSubscribed),
            None if self.held_bytes() >= MOST_HELD => Err(Dropped::Overflow),
            None => {
                self.held
                    .push(Held::new(&presence, &full, account, cx.account.jid()));
                cx.account.people.is_awaited = true;
                cx.wire.apply(&rules::HELD);
                Ok(())
            }
        }
    }

    /// Shows a presence that `write` writes for a full JID, if it is news.
    fn show(
        &mut self,
        full: &str,
        change: Change,
        cx: &mut Cx<'_>,
        write: impl FnOnce(&mut BytesMut, &str),
    ) -> Result<(), Dropped> {
        if !self.seen.event(full, change, cx.wire.now) {
            return Err(Dropped::Seen);
        }
        cx.wire.apply(&rules::EVENT);
        self.note_available(full, change.is_available());
        let own = cx.account.jid();
        cx.wire.stanza(Leg::Client, |out| write(out, own));
        Ok(())
    }

    /// Notes whether the client sees `full` as available by event alone.
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

    /// Shows resources of `account` as unavailable that were known by event alone, as we do not see the account any
    /// more.
    pub(super) fn hide(&mut self, account: &str, cx: &mut Cx<'_>) {
        self.held.retain(|held| jid::bare(&held.full) != account);
        let to = escape(cx.account.jid());
        for full in self.available.remove(account).unwrap_or_default() {
            self.seen.forget(&full);
            cx.wire.stanza(Leg::Client, |out| {
                let from = escape(&full);
                let _ = write!(
                    out,
                    "<presence from='{from}' to='{to}' type='unavailable'/>"
                );
            });
        }
    }

    /// Lets the states of `account` be shown again when they come again.
    pub(super) fn forget(&mut self, account: &str) {
        for full in self.available.get(account).into_iter().flatten() {
            self.seen.forget(full);
        }
    }

    /// Forgets all that was shown.
    pub(super) fn forget_all(&mut self) {
        self.seen = Seen::default();
        self.available.clear();
        self.held.clear();
    }

    /// Shows or drops held presences, once the roster is known.
    pub(super) fn release(&mut self, cx: &mut Cx<'_>) {
        if cx.account.people.is_known() {
            for held in std::mem::take(&mut self.held) {
                self.show_held(&held, cx);
            }
        }
    }

    /// Shows a held presence, if its sender is a contact and it is still news.
    pub(super) fn show_held(&mut self, held: &Held, cx: &mut Cx<'_>) {
        let account = jid::bare(&held.full);
        let is_own = account == cx.account.bare();
        let is_believed = is_own || cx.account.people.is_subscribed(account) == Some(true);
        let shown = match is_believed {
            true => self.show(&held.full, held.change, cx, |out, _| {
                out.put_slice(&held.presence);
            }),
            false => Err(Dropped::NotSubscribed),
        };
        if let Err(reason) = shown {
            log_dropped(reason, cx.wire);
        }
    }
}

/// Logs that a presence is not shown, and why.
pub(super) fn log_dropped(reason: Dropped, wire: &mut Wire) {
    if reason == Dropped::Seen {
        wire.apply(&rules::SEEN);
    }
    wire.drop_event(reason);
}

/// The presence in an item of `account`, and its sender's full JID.
pub(super) fn read_item<'a>(
    item: &'a Element<'a>,
    account: &str,
) -> Result<(Element<'a>, Cow<'a, str>), Dropped> {
    let presence = payload(item, "presence").ok_or(Dropped::WrongPayload)?;
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
