//! Shows a change of a contact's presence once, whether it comes natively, by event or both.
//!
//! A shim sends each presence natively and then publishes it with the same stanza id. All native copies come, in
//! order; events come in order, too, but publishes are skipped while one is on its way. Either path may be ahead of
//! the other, and either may be missing. So two queues are kept of each resource: natives shown whose events may still
//! come, and events shown whose native copies may still come. A presence that is found in the other queue was shown
//! before, and entries before it there will not come any more.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::change::{Change, Mark, hash};
use crate::translate::queue::push_newest;
use crate::xml::Element;

/// Full JIDs remembered. Beyond that all are forgotten, and a change may show twice.
const MOST_RESOURCES: usize = 2048;
/// Native presences of one resource that may wait for their events.
const MOST_NATIVES: usize = 64;
/// Events of one resource that are remembered.
const MOST_EVENTS: usize = 8;
/// How long after an event its native copy may come.
const NATIVE_BEHIND: Duration = Duration::from_secs(30);

/// Presence of each contact that has a shim, as the client was shown it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Resources by hashed full JID: a long one must not cost more than a short one.
    resources: HashMap<u64, Resource>,
}

#[derive(Debug, Default)]
struct Resource {
    /// Natives that were shown and whose events have not come, oldest first.
    natives: VecDeque<Mark>,
    /// Events that were shown and whose native copies have not come, oldest first, with the time they came.
    events: VecDeque<(Mark, Duration)>,
    /// Events whose native copy seems to have come, by its id alone.
    doubted: VecDeque<(Mark, Duration)>,
    /// Bytes of the last events, oldest first.
    recent: VecDeque<u64>,
    /// The last available presence on each path.
    last: [Option<Mark>; 2],
    /// The client gives different presences the same id.
    reuses_ids: bool,
    /// A native fell out of the queue: an unknown event may be an old one.
    lost: bool,
    shown: Option<Shown>,
}

/// The path a presence takes.
#[derive(Clone, Copy, Debug)]
enum Path {
    Native,
    Event,
}

#[derive(Debug)]
struct Shown {
    change: Change,
    by_event: bool,
}

impl Seen {
    /// Whether to show a native presence of `full`; `marked`: its sender has a shim.
    pub(crate) fn native(
        &mut self,
        full: &str,
        presence: &Element<'_>,
        marked: bool,
        now: Duration,
    ) -> bool {
        if !marked && !self.resources.contains_key(&hash(full)) {
            return true;
        }
        let change = Change::of(presence);
        self.resource(full).shows_native(change, now)
    }

    /// Whether to show a presence of `full` that came by event.
    pub(crate) fn event(&mut self, full: &str, change: Change, now: Duration) -> bool {
        self.resource(full).shows_event(change, now)
    }

    /// Forgets `full`: its next presence is shown.
    pub(super) fn forget(&mut self, full: &str) {
        self.resources.remove(&hash(full));
    }

    fn resource(&mut self, full: &str) -> &mut Resource {
        if self.resources.len() >= MOST_RESOURCES && !self.resources.contains_key(&hash(full)) {
            self.resources.clear();
        }
        self.resources.entry(hash(full)).or_default()
    }
}

impl Resource {
    fn shows_native(&mut self, change: Change, now: Duration) -> bool {
        let mark = change.mark;
        self.note_id(mark, Path::Native);
        // These events are too old to get a native copy: presence published again after hiding has none.
        for events in [&mut self.events, &mut self.doubted] {
            events.retain(|(_, at)| *at + NATIVE_BEHIND > now);
        }
        let is_there = self
            .shown
            .as_ref()
            .is_some_and(|it| it.change.is_available());
        if !mark.is_available() && is_there {
            // A contact that hid and came back by events alone may really be gone now: show it, so that no ghost
            // stays. If this presence was only late, the native presence behind it is shown again.
            self.events.clear();
            self.doubted.clear();
        }
        if let Some((at, is_same)) = self.find_event(mark) {
            let is_newest = at + 1 == self.events.len();
            let copied: VecDeque<_> = self.events.drain(..=at).collect();
            if !is_same {
                self.doubted.extend(copied);
            }
            if let Some(shown) = &mut self.shown {
                shown.by_event &= !is_newest;
            }
            return is_newest && self.adds(change);
        }
        if let Some(shown) = &mut self.shown
            && shown.by_event
            && shown.change.mark == mark
        {
            shown.by_event = false;
            return false;
        }
        self.events.clear();
        self.doubted.clear();
        self.natives.push_back(mark);
        if self.natives.len() > MOST_NATIVES {
            self.natives.pop_front();
            self.lost = true;
        }
        let by_event = false;
        self.shown = Some(Shown { change, by_event });
        true
    }

    fn shows_event(&mut self, change: Change, now: Duration) -> bool {
        let mark = change.mark;
        self.note_id(mark, Path::Event);
        if self.is_repeated(change) {
            return false;
        }
        if let Some((at, _)) = find(self.natives.iter().copied(), mark, self.reuses_ids) {
            let is_newest = at + 1 == self.natives.len();
            self.natives.drain(..=at);
            self.lost = false;
            return is_newest && self.adds(change);
        }
        if self.lost {
            return false;
        }
        // Events of older natives will not come any more.
        self.natives.clear();
        push_newest(&mut self.events, (mark, now), MOST_EVENTS);
        let shown = self.shown.as_ref();
        if !mark.is_available() && shown.is_some_and(|shown| !shown.change.is_available()) {
            return false;
        }
        let by_event = true;
        self.shown = Some(Shown { change, by_event });
        true
    }

    /// The event that a native presence is a copy of.
    fn find_event(&self, mark: Mark) -> Option<(usize, bool)> {
        let events = self.events.iter().map(|(mark, _)| *mark);
        if !mark.is_available() {
            return find(events, mark, self.reuses_ids);
        }
        // Natives come in order: `unavailable` comes before the next available one.
        let events = events.take_while(|event| event.is_available());
        let found = find(events, mark, self.reuses_ids);
        // All natives come: without an id of its own, this is the copy of the oldest event, or older than that.
        let has_own_id = mark.id.is_some() && !self.reuses_ids;
        found.filter(|(at, _)| has_own_id || *at == 0)
    }

    /// Notes whether the client gives each presence its own id. If not, events counted as copied by their id alone are
    /// put back.
    fn note_id(&mut self, mark: Mark, path: Path) {
        if !mark.is_available() {
            return;
        }
        let last = self.last[path as usize].replace(mark);
        self.reuses_ids |= last.is_some_and(|last| mark.reuses_id_of(last));
        if self.reuses_ids {
            while let Some(event) = self.doubted.pop_back() {
                self.events.push_front(event);
            }
        } else if last.is_none_or(|last| last.id != mark.id) {
            self.doubted.clear();
        }
    }

    /// Whether an event repeats an earlier one: ejabberd sends one for each kind of subscription.
    fn is_repeated(&mut self, change: Change) -> bool {
        let is_unique = change.is_available() && change.mark.id.is_some() && !self.reuses_ids;
        let is_repeated = match is_unique {
            true => self.recent.contains(&change.bytes),
            false => self.recent.back() == Some(&change.bytes),
        };
        if !is_repeated {
            if !change.is_available() {
                // After hiding, a client publishes the same presence again: then it is new.
                self.recent.clear();
            }
            push_newest(&mut self.recent, change.bytes, MOST_EVENTS);
        }
        is_repeated
    }

    /// Whether the second copy of the presence shown last has a child that the first one lacks.
    fn adds(&mut self, change: Change) -> bool {
        let Some(shown) = &mut self.shown else {
            return false;
        };
        let adds = change.is_available()
            && shown.change.is_available()
            && change.mark.content != shown.change.mark.content
            && change.children.add_to(&shown.change.children);
        if adds {
            shown.change = change;
            shown.by_event = true;
        }
        adds
    }
}

/// The position of a copy of `mark`, and whether its content is the same. Servers may change a presence: an equal id
/// shows that it is the same, if the client gives each presence its own.
fn find(
    mut marks: impl Iterator<Item = Mark> + Clone,
    mark: Mark,
    reuses_ids: bool,
) -> Option<(usize, bool)> {
    if !mark.is_available() {
        // An `unavailable` that a server sends itself has no id.
        return Some((marks.position(|other| !other.is_available())?, true));
    }
    if let Some(at) = marks.clone().position(|other| other == mark) {
        return Some((at, true));
    }
    let has_id = |other: Mark| other.is_available() && other.id.is_some() && other.id == mark.id;
    Some((marks.position(has_id).filter(|_| !reuses_ids)?, false))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::xml::{Namespaces, Tag};

    /// How a client gives ids.
    #[derive(Clone, Copy, Debug)]
    enum Ids {
        Unique,
        Same,
        None,
    }

    /// A presence of a contact, and how it travels.
    #[derive(Clone, Debug)]
    struct Status {
        /// `None`: the contact goes offline.
        says: Option<u8>,
        /// The client sends `unavailable`; else its connection is cut.
        is_explicit: bool,
        /// The publish is sent, and not skipped.
        is_published: bool,
        /// Copies of its event that come.
        copies: u8,
    }

    fn status() -> impl Strategy<Value = Status> {
        let says = prop_oneof![4 => (0..4u8).prop_map(Some), 1 => Just(None)];
        (says, any::<bool>(), any::<bool>(), 1..3u8).prop_map(
            |(says, is_explicit, is_published, copies)| Status {
                says,
                is_explicit,
                is_published,
                copies,
            },
        )
    }

    fn change(presence: &str) -> Change {
        let namespaces = Namespaces::of(&Tag::new("<stream xmlns='jabber:client'>"));
        Change::of(&Element::of_frame(presence.as_bytes(), &namespaces).expect("a presence"))
    }

    /// Writes a presence as its payload; natively as a server changes it.
    fn write(status: &Status, number: usize, ids: Ids, is_native: bool) -> String {
        let is_cut = status.says.is_none() && !status.is_explicit;
        let id = match ids {
            _ if is_cut && is_native => String::new(),
            _ if is_cut => format!(" id='shim{number}'"),
            Ids::Unique => format!(" id='{number}'"),
            Ids::Same => " id='x'".to_owned(),
            Ids::None => String::new(),
        };
        let (kind, children) = match status.says {
            None => (" type='unavailable'", String::new()),
            Some(says) => ("", format!("<show>away</show><status>&#65;{says}</status>")),
        };
        match (is_native, is_cut) {
            (true, true) => format!("<presence{kind}/>"),
            (true, false) => {
                let children = children
                    .replace("&#65;", "A")
                    .replace("<show>away</show>", "");
                let children = format!("{children}<show>away</show>");
                format!(
                    "<presence{id}{kind} xml:lang='en'>{children}<x xmlns='vcard-temp:x:update'/><shim xmlns='urn:pubshim:0'/></presence>"
                )
            }
            _ => format!(
                "<presence xmlns='jabber:client'{id}{kind}>{children}<x xmlns='vcard-temp:x:update'><photo>1</photo></x></presence>"
            ),
        }
    }

    #[test]
    fn who_hid_for_a_moment_and_is_cut_leaves_no_ghost() {
        let mut seen = Resource::default();
        let mut event = |presence: &str| seen.shows_event(change(presence), Duration::ZERO);
        assert!(event("<presence id='1'/>"));
        assert!(event("<presence type='unavailable' id='shim1'/>"));
        assert!(event("<presence id='shim2'/>"));
        let gone = change("<presence type='unavailable'/>");
        assert!(seen.shows_native(gone, Duration::ZERO));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        /// The client is shown some of the presences, in order, each at most once, and the newest last.
        #[test]
        fn each_status_is_shown_once_and_in_order(
            mut said in prop::collection::vec(status(), 1..8),
            ids in prop_oneof![Just(Ids::Unique), Just(Ids::Same), Just(Ids::None)],
            events_first in prop::collection::vec(any::<bool>(), 32),
        ) {
            // A contact does not go offline twice in a row.
            said.dedup_by(|one, other| one.says.is_none() && other.says.is_none());
            let last = said.len() - 1;
            for (number, status) in said.iter_mut().enumerate() {
                // The last publish of a session is always sent; so is the last one of all.
                status.is_published |= status.says.is_none() || number == last;
            }
            if !matches!(ids, Ids::Unique) {
                // With equal ids, going offline twice with nothing between looks like two copies of one event.
                for number in 0..last {
                    said[number].is_published |= said[number + 1].says.is_none();
                }
            }
            let mut natives: VecDeque<usize> = (0..said.len()).collect();
            let published = (0..said.len()).filter(|it| said[*it].is_published);
            let mut events: VecDeque<usize> = published
                .flat_map(|it| std::iter::repeat_n(it, usize::from(said[it].copies)))
                .collect();
            let mut seen = Resource::default();
            let mut shown = Vec::new();
            let mut turns = events_first.into_iter();
            while !natives.is_empty() || !events.is_empty() {
                // An event may pass the native copy of the same status, not those of earlier ones.
                let waits = natives
                    .front()
                    .is_some_and(|native| events.front().is_some_and(|event| event > native));
                let is_event = natives.is_empty()
                    || !waits && !events.is_empty() && turns.next().unwrap_or(true);
                let next = if is_event { &mut events } else { &mut natives };
                let number = next.pop_front().expect("not empty");
                let status = &said[number];
                let presence = write(status, number, ids, !is_event);
                let is_shown = match is_event {
                    true => seen.shows_event(change(&presence), Duration::ZERO),
                    false => {
                        seen.shows_native(change(&presence), Duration::ZERO)
                    }
                };
                if is_shown {
                    shown.push((number, status.says));
                }
            }
            let mut rest = said.iter().map(|status| status.says);
            let is_part = shown.iter().all(|(_, says)| rest.any(|said| said == *says));
            prop_assert!(is_part, "{:?}", shown);
            prop_assert_eq!(shown.last().map(|(_, says)| *says), Some(said[last].says), "{:?}", shown);
            if matches!(ids, Ids::Unique) {
                let is_ordered = shown.is_sorted_by(|(one, _), (other, _)| one < other);
                prop_assert!(is_ordered, "{:?}", shown);
            }
        }
    }
}
