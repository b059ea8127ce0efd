//! What is known of the conversation with one peer: the nodes that are read, the node that is written to, what waits,
//! and what was shown.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::message::{Message, Outgoing};
use super::place::{Own, Place};
use super::series::{self, Series};
use crate::translate::Kind;
use crate::translate::held::Held;
use crate::translate::shown::Shown;
use crate::xml::Element;

/// So many messages are fetched of each node at login, and as many are kept on it.
pub(super) const MOST_ITEMS: usize = 50;
/// So many nodes of a pair are read.
const MOST_PLACES: usize = 16;
/// So many ids of items are remembered.
const MOST_SHOWN: usize = 128;
/// So many messages wait until it is known where the node is, or until there is room for more requests; and so many
/// of the peer's until it is known what was to be shown before.
const MOST_WAITING: usize = 64;
/// So many bytes of the peer's messages wait for that.
const MOST_HELD_BYTES: usize = 256 * 1024;

/// So many nodes of one conversation may turn out to be of no use in one session.
const MOST_FAILURES: u8 = 2;
/// So often in one session it is looked for what was lost on its way.
const MOST_SEARCHES: u8 = 64;
/// What somebody says shows that he has seen what is older than this.
const CROSSING: Duration = Duration::from_secs(10);

/// An item that was published and may not have been read.
struct Unread {
    item: Arc<str>,
    /// The resource it is for; `None`: for all.
    resource: Option<Box<str>>,
    at: Duration,
}

/// What is known of the conversation with somebody.
pub(super) struct Pair {
    places: Vec<Known>,
    /// The node that is written to under `auto`.
    pub(super) own: Own,
    /// So many of them have turned out to be of no use.
    failures: u8,
    pub(super) waiting: VecDeque<Outgoing>,
    /// So many requests are not answered that what goes natively must not overtake.
    pub(super) unanswered: usize,
    /// The names of what is published here.
    pub(super) series: Series,
    /// Items that were shown, or published here.
    shown: Shown,
    /// So often it was looked for what was lost.
    searches: u8,
    /// What was published and may not have been read, oldest first.
    unread: VecDeque<Unread>,
    /// Items of which a native copy has followed.
    copied: Shown,
    /// The peer's native messages that wait for the items before them.
    held: Vec<Held>,
    /// Until when they wait at most.
    held_until: Duration,
}

/// A node that is read.
struct Known {
    place: Place,
    creator: Box<str>,
    reading: Reading,
    /// Items that came while what is on it was not known.
    missed: Vec<Missed>,
    /// There were more of them.
    has_more: bool,
    /// The last item that came, whoever it is for.
    last: Box<str>,
}

/// An item that is not shown before what is on its node.
struct Missed {
    item: Box<str>,
    /// It came when what is on its node was asked for: the answer may be older.
    may_lack: bool,
    /// The item itself, to be shown if what is on its node cannot be had; `None`: there was no room.
    element: Option<Held>,
}

/// How far what was on a node before is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Wanted,
    Asked,
    Done,
    /// It could not be had.
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
    /// One more; the oldest makes room for it.
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

    /// Where both parties write to under `pure`: the bytewise smaller creator's.
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

    /// Whether something is still to be shown of what was on the nodes before.
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

    /// All that is on the nodes is to be fetched: the client was away.
    pub(super) fn note_away(&mut self) {
        for known in &mut self.places {
            known.reading = Reading::Wanted;
        }
    }

    /// The peer is there: what could not be fetched is to be asked for again.
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

    /// An item came while what is on its node is not known; so many bytes of it may be kept.
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

    /// Whether an item came by itself while what is on its node was not known: it is of now.
    pub(super) fn came_meanwhile(&self, place: &Place, item: &str) -> bool {
        let missed = self.known(place).into_iter().flat_map(|it| &it.missed);
        missed.into_iter().any(|it| *it.item == *item)
    }

    /// How many bytes of such items are kept.
    pub(super) fn missed_bytes(&self) -> usize {
        let missed = self.places.iter().flat_map(|it| &it.missed);
        let elements = missed.filter_map(|it| it.element.as_ref());
        elements.map(|it| it.raw.len()).sum()
    }

    /// What is on a node was shown. If the answer lacked something that came meanwhile, it is asked for again.
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

    /// Whether an item that came by itself shows that the one before it did not come. Then what is on the node is to be
    /// fetched.
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

    /// What is on a node cannot be had: the items that came meanwhile.
    pub(super) fn note_failed(&mut self, place: &Place) -> Vec<Held> {
        let Some(known) = self.known_mut(place) else {
            return Vec::new();
        };
        known.reading = Reading::Failed;
        known.has_more = false;
        let missed = std::mem::take(&mut known.missed);
        missed.into_iter().filter_map(|it| it.element).collect()
    }

    /// The node of this name that is read.
    pub(super) fn place(&self, node: &str) -> Option<Place> {
        let mut places = self.places.iter().map(|it| &it.place);
        places.find(|it| it.node() == node).cloned()
    }

    /// How far what was on the node before was shown.
    pub(super) fn reading(&self, place: &Place) -> Option<Reading> {
        self.known(place).map(|it| it.reading)
    }

    pub(super) fn was_shown(&self, item: &str) -> bool {
        self.shown.has(item)
    }

    /// Whether an item was not shown before; from now on it was.
    pub(super) fn is_new(&mut self, item: &str) -> bool {
        self.shown.is_new(item)
    }
}

/// What the client says.
impl Pair {
    /// Lets a message wait; `false`: there is no room.
    pub(super) fn wait(&mut self, message: Outgoing) -> bool {
        let has_room = !self.is_full();
        if has_room {
            self.waiting.push_back(message);
        }
        has_room
    }

    /// Whether there is no room for another one.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST_WAITING
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The node that is written to, or a message to it, came to nothing.
    pub(super) fn note_failure(&mut self) {
        self.failures += 1;
        if self.failures > MOST_FAILURES {
            self.own = Own::Refused;
        }
    }

    /// Whether what goes natively has to wait for something before it.
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

    /// How many bytes wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting.iter().map(Outgoing::len).sum()
    }

    /// Of what waits only what says something stays: no states that say something of now.
    pub(super) fn drop_states(&mut self) {
        let is_state = |it: &Outgoing| matches!(it, Outgoing::Item(message) if message.is_state());
        self.waiting.retain(|it| !is_state(it));
    }

    /// A message is published as this item, for all resources or for one.
    pub(super) fn note_published(
        &mut self,
        item: &Arc<str>,
        resource: Option<&str>,
        now: Duration,
    ) {
        self.shown.is_new(item);
        if self.unread.len() >= MOST_ITEMS {
            self.unread.pop_front();
        }
        self.unread.push_back(Unread {
            item: Arc::clone(item),
            resource: resource.map(Into::into),
            at: now,
        });
    }

    /// The peer has said something: it has seen what was published before, unless that has crossed it.
    pub(super) fn note_heard(&mut self, now: Duration) {
        self.note_read_until(now.saturating_sub(CROSSING));
    }

    /// The peer has seen what was published until then.
    pub(super) fn note_read_until(&mut self, at: Duration) {
        self.unread.retain(|it| it.at > at);
    }

    /// An item was not published.
    pub(super) fn forget_published(&mut self, item: &str) {
        self.unread.retain(|it| *it.item != *item);
    }

    /// What was published since then, is not known to be read, and would not be seen any more: each item once, oldest
    /// first. Of these a native copy follows.
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

/// What the peer says natively.
impl Pair {
    /// Lets a native message wait; `false`: there is no room.
    pub(super) fn hold(&mut self, message: &Element<'_>, until: Duration) -> bool {
        let bytes: usize = self.held.iter().map(|it| it.raw.len()).sum();
        let has_room = bytes + message.raw().len() <= MOST_HELD_BYTES;
        if self.held.len() >= MOST_WAITING || !has_room {
            return false;
        }
        if self.held.is_empty() {
            self.held_until = until;
        }
        self.held.push(Held::new(Kind::Message, message));
        true
    }

    /// Whether some of its native messages wait.
    pub(super) fn has_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Its native messages that have waited; they wait no longer.
    pub(super) fn take_held(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.held)
    }

    /// Whether its native messages wait, and those that come.
    pub(super) fn holds(&self, now: Duration) -> bool {
        self.is_reading() && (self.held.is_empty() || now < self.held_until)
    }

    /// Until when what it has said waits at most.
    pub(super) fn held_until(&self) -> Option<Duration> {
        (!self.held.is_empty()).then_some(self.held_until)
    }
}
