//! One change of a contact's presence, seen natively and by event, reaches the client once.
//!
//! A shim sends the native presence first and then publishes it with the same stanza id. The two may
//! overtake each other, publishes may be skipped, and either path may be missing altogether.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::ns;
use crate::xml::Element;

/// Of more full JIDs than this the memory is given up: a change may then show twice.
const MOST_RESOURCES: usize = 2048;
/// Native presences of one resource that may wait for their events.
const MOST_NATIVES: usize = 64;
/// Events of one resource that are remembered.
const MOST_EVENTS: usize = 8;
/// More children than this are not compared.
const MOST_CHILDREN: usize = 16;

/// What a presence says of its sender, as far as two of them are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    id: Option<u64>,
    available: bool,
    children: Children,
    bytes: u64,
}

impl Change {
    pub(crate) fn of(presence: &Element<'_>) -> Self {
        Self {
            id: presence.attribute("id").map(hash),
            available: presence.attribute("type").is_none(),
            children: Children::of(presence),
            bytes: hash(presence.raw()),
        }
    }
}

impl Change {
    /// Whether the sender is available by it.
    pub(super) fn is_available(&self) -> bool {
        self.available
    }
}

/// Which children a presence has, by hashed name.
#[derive(Clone, Copy, Debug)]
struct Children {
    names: [u64; MOST_CHILDREN],
    count: usize,
}

impl Children {
    fn of(presence: &Element<'_>) -> Self {
        let mut children = Self {
            names: [0; MOST_CHILDREN],
            count: 0,
        };
        for child in presence.children().filter(|child| !is_from_server(child)) {
            if let Some(name) = children.names.get_mut(children.count) {
                *name = hash((child.namespace(), child.local()));
            }
            children.count += 1;
        }
        children
    }

    /// Whether there is one that `other` lacks.
    fn add_to(&self, other: &Self) -> bool {
        let known = &other.names[..other.count.min(MOST_CHILDREN)];
        let own = self.names.get(..self.count);
        own.is_none_or(|own| own.iter().any(|name| !known.contains(name)))
    }
}

/// Whether `child` says nothing about the sender: our marker, a delay, or the empty photo that
/// servers add to native presence (XEP-0153).
fn is_from_server(child: &Element<'_>) -> bool {
    let photo = || child.child("vcard-temp:x:update", "photo");
    child.is(ns::SHIM, "shim")
        || child.is(ns::DELAY, "delay")
        || child.is("vcard-temp:x:update", "x")
            && photo().is_none_or(|photo| photo.inner().is_empty())
}

/// What the client was shown of each contact that has a shim.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// By hashed full JID: a long one must not cost more than a short one.
    resources: HashMap<u64, Resource>,
}

#[derive(Debug, Default)]
struct Resource {
    /// Ids of native presences whose event has not come, oldest first.
    natives: VecDeque<u64>,
    /// Ids and bytes of events shown whose native copy has not come, oldest first.
    events: VecDeque<(u64, u64)>,
    /// Bytes of events whose native copy has come, too: another copy of them is no news.
    settled: VecDeque<u64>,
    /// An id fell out of `natives`: an unknown event may be an old one.
    lost: bool,
    shown: Option<Shown>,
}

#[derive(Debug)]
struct Shown {
    change: Change,
    /// It came by event, and its native copy has not come yet.
    by_event: bool,
}

impl Seen {
    /// Whether to show a native presence of `full`; `marked`: its sender has a shim.
    pub(crate) fn native(&mut self, full: &str, change: Change, marked: bool) -> bool {
        if !marked && !self.resources.contains_key(&hash(full)) {
            return true;
        }
        let resource = self.resource(full);
        let event = resource
            .events
            .iter()
            .position(|(id, _)| change.available && Some(*id) == change.id);
        if let (Some(at), Some(shown)) = (event, &mut resource.shown) {
            let is_newest = at + 1 == resource.events.len();
            let settled = resource.events.drain(..=at).map(|(_, bytes)| bytes);
            resource.settled.extend(settled);
            keep_newest(&mut resource.settled);
            if !is_newest || !change.children.add_to(&shown.change.children) {
                shown.by_event = false;
                return false;
            }
        }
        if !change.available {
            resource.events.clear();
        }
        if let (true, Some(id)) = (marked, change.id) {
            resource.natives.push_back(id);
            if resource.natives.len() > MOST_NATIVES {
                resource.natives.pop_front();
                resource.lost = true;
            }
        }
        let by_event = false;
        resource.shown = Some(Shown { change, by_event });
        true
    }

    /// Whether to show a presence of `full` that came by event.
    pub(crate) fn event(&mut self, full: &str, change: Change) -> bool {
        let resource = self.resource(full);
        let native = resource
            .natives
            .iter()
            .position(|id| Some(*id) == change.id);
        if let Some(at) = native {
            // Older natives will see no event any more: publishes coalesce.
            let is_newest = at + 1 == resource.natives.len();
            resource.natives.drain(..=at);
            resource.lost = false;
            resource.settled.push_back(change.bytes);
            keep_newest(&mut resource.settled);
            return match &mut resource.shown {
                Some(shown) if is_newest && change.available && shown.change.id == change.id => {
                    let adds = change.children.add_to(&shown.change.children);
                    if adds {
                        shown.change.children = change.children;
                    }
                    adds
                }
                _ => false,
            };
        }
        if resource.lost || resource.settled.contains(&change.bytes) {
            return false;
        }
        if let Some(shown) = &resource.shown {
            let is_same = change.id.is_some()
                && shown.change.id == change.id
                && (!shown.by_event || shown.change.bytes == change.bytes);
            if is_same || !change.available && !shown.change.available {
                return false;
            }
        }
        if let (true, Some(id)) = (change.available, change.id) {
            resource.events.push_back((id, change.bytes));
            keep_newest(&mut resource.events);
        }
        if !change.available {
            // Whoever was hidden publishes the same as before once more: that is news again.
            resource.settled.clear();
        }
        let by_event = true;
        resource.shown = Some(Shown { change, by_event });
        true
    }

    /// What comes of `full` from now on is news.
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

fn keep_newest<T>(queue: &mut VecDeque<T>) {
    while queue.len() > MOST_EVENTS {
        queue.pop_front();
    }
}

/// The same value has the same hash in every session: no secret depends on it.
fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
