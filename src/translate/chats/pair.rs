//! The conversation with one peer: nodes read, the node written to, messages that wait, items that were shown.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::message::{Message, Outgoing};
use super::place::{Own, Place};
use super::series::{self, Series};
use crate::translate::Kind;
use crate::translate::held::{Held, has_room_for};
use crate::translate::queue::push_newest;
use crate::translate::shown::Shown;
use crate::xml::Element;

/// Messages fetched of each node at login, and kept on it.
pub(super) const MOST_ITEMS: usize = 50;
/// Nodes of a pair that are read.
const MOST_PLACES: usize = 16;
/// Item ids that are remembered.
const MOST_SHOWN: usize = 128;
/// Messages that wait until the node is known, or until there is room for more requests; and native messages of the
/// peer's that wait for items.
const MOST_WAITING: usize = 64;
/// Nodes of one conversation that may turn out useless in one session.
const MOST_FAILURES: u8 = 2;
/// Searches for lost items in one session.
const MOST_SEARCHES: u8 = 64;
/// How long messages may cross: a message of the peer's shows that it has seen items older than this.
const CROSSING: Duration = Duration::from_secs(10);

/// A published item that may not have been read.
struct Unread {
    item: Arc<str>,
    /// The addressed resource; `None`: all resources.
    resource: Option<Box<str>>,
    at: Duration,
}

/// The conversation with a peer.
pub(super) struct Pair {
    places: Vec<Known>,
    /// The node that is written to under `auto`.
    pub(super) own: Own,
    /// Nodes that have turned out useless.
    failures: u8,
    pub(super) waiting: VecDeque<Outgoing>,
    /// Requests without an answer that native messages must not overtake.
    pub(super) unanswered: usize,
    /// The names of items published here.
    pub(super) series: Series,
    /// Items that were shown, or published here.
    shown: Shown,
    /// Searches for lost items so far.
    searches: u8,
    /// Published items that may not have been read, oldest first.
    unread: VecDeque<Unread>,
    /// Items that a native copy has followed.
    copied: Shown,
    /// The peer's native messages that wait for the items before them.
    held: Vec<Held>,
    /// Until when these wait at most.
    held_until: Duration,
}

/// A node that is read.
struct Known {
    place: Place,
    creator: Box<str>,
    reading: Reading,
    /// Items that came before the node was read.
    missed: Vec<Missed>,
    /// More items came than could be kept.
    has_more: bool,
    /// The last item that came, for any resource.
    last: Box<str>,
}

/// An item that is not shown before the earlier items on its node.
struct Missed {
    item: Box<str>,
    /// The item came while the items were asked for: the answer may lack it.
    may_lack: bool,
    /// The item itself, to be shown if the node cannot be read; `None`: there was no room for it.
    element: Option<Held>,
}

/// How far the earlier items of a node were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Wanted,
    Asked,
    Done,
    /// The node could not be read.
    Failed,
}

impl Default for Pair {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            own: Own::None,
            failures: 0,
            waiting: VecDeque::new(),
            unanswered: 0,
            series: Series::default(),
            shown: Shown::new(MOST_SHOWN),
            searches: 0,
            unread: VecDeque::new(),
            copied: Shown::new(MOST_ITEMS),
            held: Vec::new(),
            held_until: Duration::ZERO,
        }
    }
}

/// The nodes that are read.
impl Pair {
    /// Adds a node; the oldest one makes room for it.
    pub(super) fn add(&mut self, place: Place, creator: &str) {
        if self.known(&place).is_some() {
            return;
        }
        if self.places.len() >= MOST_PLACES {
            self.places.remove(0);
        }
        self.places.push(Known {
            place,
            creator: creator.into(),
            reading: Reading::Wanted,
            missed: Vec::new(),
            has_more: false,
            last: Box::default(),
        });
    }

    fn known(&self, place: &Place) -> Option<&Known> {
        self.places.iter().find(|it| it.place == *place)
    }

    fn known_mut(&mut self, place: &Place) -> Option<&mut Known> {
        self.places.iter_mut().find(|it| it.place == *place)
    }

    pub(super) fn forget(&mut self, place: &Place) {
        self.places.retain(|it| it.place != *place);
    }

    /// The node both parties write to under `pure`: that of the bytewise smaller creator.
    pub(super) fn shared(&self) -> Option<&Place> {
        let first = self
            .places
            .iter()
            .min_by(|one, other| one.creator.cmp(&other.creator));
        first.map(|it| &it.place)
    }

    pub(super) fn is_unread(&self) -> bool {
        self.places.iter().any(|it| it.reading == Reading::Wanted)
    }

    /// Whether earlier items on a node are still to be shown.
    pub(super) fn is_reading(&self) -> bool {
        let mut readings = self.places.iter().map(|it| it.reading);
        readings.any(|it| matches!(it, Reading::Wanted | Reading::Asked))
    }

    /// Nodes that are to be fetched.
    pub(super) fn unread(&self) -> Vec<Place> {
        let unread = self
            .places
            .iter()
            .filter(|it| it.reading == Reading::Wanted);
        unread.map(|it| it.place.clone()).collect()
    }

    /// Has all nodes fetched again, as the client was away.
    pub(super) fn note_away(&mut self) {
        for known in &mut self.places {
            known.reading = Reading::Wanted;
        }
    }

    /// Has nodes fetched again that could not be read, as the peer is available.
    pub(super) fn note_there(&mut self) {
        let failed = |it: &&mut Known| it.reading == Reading::Failed;
        for known in self.places.iter_mut().filter(failed) {
            known.reading = Reading::Wanted;
        }
    }

    pub(super) fn note(&mut self, place: &Place, reading: Reading) {
        if let Some(known) = self.known_mut(place) {
            known.reading = reading;
        }
    }

    /// Notes an item that came before its node was read, and keeps it if it has at most `room` bytes.
    pub(super) fn note_missed(&mut self, place: &Place, item: &Element<'_>, room: usize) {
        let Some(known) = self.known_mut(place) else {
            return;
        };
        if known.missed.len() >= MOST_ITEMS {
            known.has_more = true;
            return;
        }
        let has_room = item.raw().len() <= room;
        known.missed.push(Missed {
            item: (*item.attribute("id").unwrap_or_default()).into(),
            may_lack: known.reading == Reading::Asked,
            element: has_room.then(|| Held::new(Kind::Message, item)),
        });
    }

    /// Whether an item came by event before its node was read: it is no old message.
    pub(super) fn came_meanwhile(&self, place: &Place, item: &str) -> bool {
        let missed = self.known(place).into_iter().flat_map(|it| &it.missed);
        missed.into_iter().any(|it| *it.item == *item)
    }

    /// Bytes of such items that are kept.
    pub(super) fn missed_bytes(&self) -> usize {
        let missed = self.places.iter().flat_map(|it| &it.missed);
        let elements = missed.filter_map(|it| it.element.as_ref());
        elements.map(|it| it.raw.len()).sum()
    }

    /// Notes that the items of a node were shown. If the answer lacked one that came meanwhile, they are fetched
    /// again.
    pub(super) fn note_read(&mut self, place: &Place) {
        let mut places = self.places.iter_mut();
        let Some(known) = places.find(|it| it.place == *place) else {
            return;
        };
        let lacks = |it: &mut Missed| std::mem::take(&mut it.may_lack) && !self.shown.has(&it.item);
        known.missed.retain_mut(lacks);
        let has_more = std::mem::take(&mut known.has_more);
        known.reading = match has_more || !known.missed.is_empty() {
            true => Reading::Wanted,
            false => Reading::Done,
        };
    }

    /// Whether the item before this one, which came by event, is missing. Then the node is fetched again.
    pub(super) fn search_before(&mut self, place: &Place, item: &str) -> bool {
        let Some(before) = series::before(item) else {
            return false;
        };
        let last = self.known(place).map(|it| &*it.last);
        let is_lost = last != Some(&*before) && !self.shown.has(&before) && !self.shown.has(item);
        let may_search = is_lost && self.searches < MOST_SEARCHES;
        if may_search {
            self.searches += 1;
            self.note(place, Reading::Wanted);
        }
        may_search
    }

    pub(super) fn note_last(&mut self, place: &Place, item: &str) {
        if let Some(known) = self.known_mut(place) {
            known.last = item.into();
        }
    }

    /// Notes that a node cannot be read; gives the items that came meanwhile.
    pub(super) fn note_failed(&mut self, place: &Place) -> Vec<Held> {
        let Some(known) = self.known_mut(place) else {
            return Vec::new();
        };
        known.reading = Reading::Failed;
        known.has_more = false;
        let missed = std::mem::take(&mut known.missed);
        missed.into_iter().filter_map(|it| it.element).collect()
    }

    /// The node of this name, if it is read.
    pub(super) fn place(&self, node: &str) -> Option<Place> {
        let mut places = self.places.iter().map(|it| &it.place);
        places.find(|it| it.node() == node).cloned()
    }

    /// How far the earlier items of the node were read.
    pub(super) fn reading(&self, place: &Place) -> Option<Reading> {
        self.known(place).map(|it| it.reading)
    }

    pub(super) fn was_shown(&self, item: &str) -> bool {
        self.shown.has(item)
    }

    /// Notes an item as shown; gives whether it is new.
    pub(super) fn is_new(&mut self, item: &str) -> bool {
        self.shown.is_new(item)
    }
}

/// Messages of the client's.
impl Pair {
    /// Lets a message wait; `false`: there is no room.
    pub(super) fn wait(&mut self, message: Outgoing) -> bool {
        let has_room = !self.is_full();
        if has_room {
            self.waiting.push_back(message);
        }
        has_room
    }

    /// Whether there is no room for another waiting message.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST_WAITING
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Notes that a node, or a message to it, has failed.
    pub(super) fn note_failure(&mut self) {
        self.failures += 1;
        if self.failures > MOST_FAILURES {
            self.own = Own::Refused;
        }
    }

    /// Whether a native message has to wait for messages before it.
    pub(super) fn is_busy(&self) -> bool {
        self.unanswered > 0 || self.is_waiting()
    }

    /// The message that has waited longest.
    pub(super) fn first_waiting(&self) -> Option<&Message> {
        self.waiting.iter().find_map(|it| match it {
            Outgoing::Item(message) => Some(message),
            Outgoing::Native(_) => None,
        })
    }

    /// Bytes of messages that wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting.iter().map(Outgoing::len).sum()
    }

    /// Drops waiting chat states, which are out of date.
    pub(super) fn drop_states(&mut self) {
        let is_state = |it: &Outgoing| matches!(it, Outgoing::Item(message) if message.is_state());
        self.waiting.retain(|it| !is_state(it));
    }

    /// Notes a message published as this item, for all resources or for one.
    pub(super) fn note_published(
        &mut self,
        item: &Arc<str>,
        resource: Option<&str>,
        now: Duration,
    ) {
        self.shown.is_new(item);
        let unread = Unread {
            item: Arc::clone(item),
            resource: resource.map(Into::into),
            at: now,
        };
        push_newest(&mut self.unread, unread, MOST_ITEMS);
    }

    /// Notes a message of the peer's: it has seen all items published before, unless they crossed.
    pub(super) fn note_heard(&mut self, now: Duration) {
        self.note_read_until(now.saturating_sub(CROSSING));
    }

    /// Notes that the peer has seen all items published until then.
    pub(super) fn note_read_until(&mut self, at: Duration) {
        self.unread.retain(|it| it.at > at);
    }

    /// Forgets an item that was not published after all.
    pub(super) fn forget_published(&mut self, item: &str) {
        self.unread.retain(|it| *it.item != *item);
    }

    /// Takes out unread items that no resource would see any more; gives those published since then, oldest first, of
    /// which native copies follow.
    pub(super) fn take_unread(
        &mut self,
        since: Duration,
        would_be_seen: impl Fn(Option<&str>) -> bool,
    ) -> Vec<Arc<str>> {
        let mut taken = Vec::new();
        self.unread.retain(|it| {
            let stays = would_be_seen(it.resource.as_deref());
            if !stays && it.at >= since {
                self.copied.is_new(&it.item);
                taken.push(it.item.clone());
            }
            stays
        });
        taken
    }

    pub(super) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Whether a native copy of an item has followed.
    pub(super) fn was_copied(&self, item: &str) -> bool {
        self.copied.has(item)
    }
}

/// Native messages of the peer's.
impl Pair {
    /// Holds a native message; `false`: there is no room.
    pub(super) fn hold(&mut self, message: &Element<'_>, until: Duration) -> bool {
        if !has_room_for(message, self.held.iter(), MOST_WAITING) {
            return false;
        }
        if self.held.is_empty() {
            self.held_until = until;
        }
        self.held.push(Held::new(Kind::Message, message));
        true
    }

    /// Whether native messages are held.
    pub(super) fn has_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes out the held native messages.
    pub(super) fn take_held(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.held)
    }

    /// Whether native messages are held, and new ones have to wait, too.
    pub(super) fn holds(&self, now: Duration) -> bool {
        self.is_reading() && (self.held.is_empty() || now < self.held_until)
    }

    /// Until when held messages wait at most.
    pub(super) fn held_until(&self) -> Option<Duration> {
        (!self.held.is_empty()).then_some(self.held_until)
    }
}
