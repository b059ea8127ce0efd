//! The record of conversations for the next session, on a private node: one item for each peer, with the nodes of the
//! conversation and the last item shown of each. After a crash a message may be shown twice, and none is lost.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::Ask;
use super::place::Place;
use crate::jid;
use crate::ns;
use crate::pubsub::{CHATS, answer, request};
use crate::translate::node::{Access, NodeSpec, OwnNode, Step};
use crate::translate::shown::{stamp, unix_of};
use crate::translate::{self, Wire};
use crate::wire::{Refused, Reply};
use crate::xml::{Element, escape};

/// The private node; it outlives the sessions that write it.
const NODE: NodeSpec = NodeSpec {
    name: CHATS,
    access: Access::Whitelist,
    wanted: &[
        ("pubsub#send_last_published_item", "never"),
        ("pubsub#max_items", "max"),
        ("pubsub#persist_items", "1"),
        ("pubsub#purge_offline", "0"),
        ("pubsub#notify_retract", "0"),
        ("pubsub#notification_type", "headline"),
    ],
    few_items: 256,
    is_kept: true,
    ask: |step| translate::Ask::Chats(Ask::RecordNode(step)),
};
/// How long after an item was shown the record is written, with all items shown meanwhile.
const SOON: Duration = Duration::from_secs(30);
/// Peers on record, as far as the server keeps items, and nodes of each.
const MOST_PEERS: usize = 1024;
const MOST_NODES: usize = 64;
/// The longest name of a node or item on record: servers end the stream of a client that sends more than they take.
/// Our names are not half as long.
const MOST_NAME: usize = 128;

pub(super) struct Record {
    node: OwnNode,
    /// Entries by the peer's bare JID.
    entries: BTreeMap<Box<str>, Entry>,
    write_at: Option<Duration>,
    state: State,
    /// The account is subscribed to the node, so that its sessions learn of each other's writes.
    is_subscribed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unasked,
    Asked,
    /// `has_failed`: the record could not be read, so items that are not on it may have been shown.
    Known {
        has_failed: bool,
    },
}

#[derive(Default)]
struct Entry {
    nodes: Vec<Noted>,
    /// The entry is to be written.
    is_new: bool,
}

/// A node of a conversation.
struct Noted {
    place: Place,
    last: Option<Last>,
}

impl Noted {
    /// Whether this node was shown further than `known`. If both last items are of one second, the one that was not
    /// shown here is later.
    fn is_newer(&self, known: &Self, was_shown: impl Fn(&str) -> bool) -> bool {
        let Some(last) = &self.last else {
            return false;
        };
        self.at() > known.at() || self.at() == known.at() && !was_shown(&last.item)
    }

    /// When the last item shown was written.
    fn at(&self) -> Option<i64> {
        self.last.as_ref().map(|last| last.at)
    }
}

/// The last item of a node that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) item: Box<str>,
    /// When the item was written, by its author's clock, in seconds since 1970.
    pub(super) at: i64,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            node: OwnNode::new(&NODE),
            entries: BTreeMap::new(),
            write_at: None,
            state: State::Unasked,
            is_subscribed: false,
        }
    }

    /// Has the record read again, as the client was away: other sessions of the account may have written to it.
    pub(super) fn read_again(&mut self) {
        if self.is_known() {
            self.state = State::Unasked;
        }
    }

    /// Asks for the record, once.
    pub(super) fn read(&mut self, wire: &mut Wire) {
        if self.state != State::Unasked {
            return;
        }
        let is_asked = wire.request("get", None, Ask::Record, |out| {
            request::items(out, NODE.name);
        });
        if is_asked {
            self.state = State::Asked;
        }
    }

    pub(super) fn handle_node(&mut self, step: Step, reply: Reply<'_>, own: &str, wire: &mut Wire) {
        self.node.handle_reply(step, reply, own, wire);
    }

    /// Handles the record; gives peers and nodes of the conversations with them.
    pub(super) fn handle_items(
        &mut self,
        reply: Reply<'_>,
        was_shown: impl Fn(&str, &str) -> bool,
        wire: &mut Wire,
    ) -> Vec<(Box<str>, Place)> {
        let is_missing = matches!(reply, Err(Refused::With("item-not-found")));
        if is_missing {
            // Creating the node takes time, and the first session may be short.
            self.node.prepare(wire);
        }
        let recorded = reply.ok().and_then(|iq| answer::with_items(iq, read_all));
        self.state = State::Known {
            has_failed: recorded.is_none() && !is_missing,
        };
        self.learn(recorded.unwrap_or_default(), was_shown, wire.now)
    }

    /// Handles a write of another session to the record; gives peers and nodes of the conversations with them.
    pub(super) fn handle_event(
        &mut self,
        items: &Element<'_>,
        was_shown: impl Fn(&str, &str) -> bool,
        now: Duration,
    ) -> Vec<(Box<str>, Place)> {
        self.learn(read_all(items), was_shown, now)
    }

    /// Merges entries of other sessions. This session's own may be newer or older, as each session writes all it knows
    /// of a peer. `was_shown`: whether this session knows that an item of a peer's was shown.
    fn learn(
        &mut self,
        recorded: Vec<(Box<str>, Vec<Noted>)>,
        was_shown: impl Fn(&str, &str) -> bool,
        now: Duration,
    ) -> Vec<(Box<str>, Place)> {
        let mut places = Vec::new();
        for (peer, nodes) in recorded {
            if self.entries.len() >= MOST_PEERS && !self.entries.contains_key(&peer) {
                continue;
            }
            let entry = self.entries.entry(peer.clone()).or_default();
            for noted in nodes {
                places.push((peer.clone(), noted.place.clone()));
                let has_room = entry.nodes.len() < MOST_NODES;
                match entry.nodes.iter_mut().find(|it| it.place == noted.place) {
                    Some(known) if noted.is_newer(known, |item| was_shown(&peer, item)) => {
                        known.last = noted.last;
                    }
                    // Another session has overwritten our newer entry: write it again.
                    Some(known) if known.at() > noted.at() => {
                        entry.is_new = true;
                        self.write_at.get_or_insert(now + SOON);
                    }
                    None if has_room => entry.nodes.push(noted),
                    _ => {}
                }
            }
        }
        places
    }

    /// Whether the record was read, or cannot be.
    pub(super) fn is_known(&self) -> bool {
        matches!(self.state, State::Known { .. })
    }

    /// Whether the record could not be read: items that are not on it may have been shown.
    pub(super) fn has_failed(&self) -> bool {
        self.state == State::Known { has_failed: true }
    }

    /// The last item of a node that was shown.
    pub(super) fn last(&self, peer: &str, place: &Place) -> Option<&Last> {
        let nodes = &self.entries.get(peer)?.nodes;
        nodes.iter().find(|it| it.place == *place)?.last.as_ref()
    }

    /// Whether the conversation with `peer` has this node.
    pub(super) fn knows(&self, peer: &str, place: &Place) -> bool {
        let mut nodes = self.entries.get(peer).into_iter().flat_map(|it| &it.nodes);
        nodes.any(|it| it.place == *place)
    }

    /// The nodes of the conversation with `peer` that are on `service`.
    pub(super) fn nodes_on(&self, peer: &str, service: &str) -> Vec<Place> {
        let nodes = self.entries.get(peer).into_iter().flat_map(|it| &it.nodes);
        let on_it = nodes.filter(|it| it.place.service() == service);
        on_it.map(|it| it.place.clone()).collect()
    }

    /// Notes a node of the conversation with `peer`. It is written at once, as the session may end at any time.
    pub(super) fn note_node(&mut self, peer: &str, place: &Place, now: Duration) {
        if !self.knows(peer, place) && self.noted(peer, place).is_some() {
            self.write_at = Some(now);
        }
    }

    /// Notes that an item was shown.
    pub(super) fn note(&mut self, peer: &str, place: &Place, last: Last, now: Duration) {
        if last.item.is_empty() || last.item.len() > MOST_NAME {
            return;
        }
        if let Some(noted) = self.noted(peer, place) {
            noted.last = Some(last);
            self.write_at.get_or_insert(now + SOON);
        }
    }

    /// Removes a node from the conversation with `peer`.
    pub(super) fn forget_node(&mut self, peer: &str, place: &Place, now: Duration) {
        if let Some(entry) = self.entries.get_mut(peer)
            && let Some(at) = entry.nodes.iter().position(|it| it.place == *place)
        {
            entry.nodes.remove(at);
            entry.is_new = true;
            self.write_at.get_or_insert(now + SOON);
        }
    }

    /// The entry to be changed for a node of the conversation with `peer`; `None`: there is no room for it.
    fn noted(&mut self, peer: &str, place: &Place) -> Option<&mut Noted> {
        let has_room = self.entries.len() < MOST_PEERS || self.entries.contains_key(peer);
        if !has_room || place.node().len() > MOST_NAME {
            return None;
        }
        if !self.entries.contains_key(peer) {
            self.entries.insert(peer.into(), Entry::default());
        }
        let entry = self.entries.get_mut(peer)?;
        if !entry.nodes.iter().any(|it| it.place == *place) && entry.nodes.len() < MOST_NODES {
            let (place, last) = (place.clone(), None);
            entry.nodes.push(Noted { place, last });
        }
        entry.is_new = true;
        entry.nodes.iter_mut().find(|it| it.place == *place)
    }

    pub(super) fn again_at(&self) -> Option<Duration> {
        self.write_at
    }

    /// Has changes written as soon as possible: this session will not learn of other sessions' writes.
    pub(super) fn hurry(&mut self, now: Duration) {
        self.write_at = self.write_at.map(|at| at.min(now));
    }

    /// Writes changed items, if it is time. The node is prepared earlier, as the session may end at once.
    pub(super) fn write(&mut self, own: &str, wire: &mut Wire) {
        if self.write_at.is_some() {
            self.node.prepare(wire);
        }
        if self.write_at.is_some_and(|at| at <= wire.now) && self.node.is_ready() {
            if !std::mem::replace(&mut self.is_subscribed, true) {
                wire.tell("set", None, |out| request::subscribe(out, NODE.name, own));
            }
            self.write_last(wire);
        }
    }

    /// Writes changed items. At the end of a short session the node may not be verified; but the access model goes
    /// along, so that the server refuses a node that others may read.
    pub(super) fn write_last(&mut self, wire: &mut Wire) {
        if self.node.is_unusable() || self.write_at.take().is_none() {
            return;
        }
        let access = Some(Access::Whitelist.as_str());
        for (peer, entry) in &mut self.entries {
            if !std::mem::take(&mut entry.is_new) {
                continue;
            }
            wire.tell("set", None, |out| match entry.nodes.is_empty() {
                true => request::retract(out, NODE.name, peer),
                false => {
                    let payload = entry.to_string();
                    request::publish(out, NODE.name, peer, access, payload.as_bytes());
                }
            });
        }
        self.entries.retain(|_, entry| !entry.nodes.is_empty());
    }
}

/// Writes the payload of an item.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<chat xmlns='{}'>", ns::SHIM)?;
        for Noted { place, last } in &self.nodes {
            let [service, node] = [place.service(), place.node()].map(escape);
            write!(f, "<node service='{service}' name='{node}'")?;
            if let Some(Last { item, at }) = last {
                write!(f, " item='{}' stamp='{}'", escape(item), stamp(*at))?;
            }
            f.write_str("/>")?;
        }
        f.write_str("</chat>")
    }
}

/// Reads the payloads of items.
fn read_all(items: &Element<'_>) -> Vec<(Box<str>, Vec<Noted>)> {
    let items = items.children().take(MOST_PEERS);
    items.filter_map(|item| read(&item)).collect()
}

/// Reads the payload of an item.
fn read(item: &Element<'_>) -> Option<(Box<str>, Vec<Noted>)> {
    let peer = jid::prepare(&item.attribute("id")?)?.into_owned();
    let chat = item.child(ns::SHIM, "chat")?;
    let nodes = chat.children().filter(|it| it.is(ns::SHIM, "node"));
    let nodes = nodes.take(MOST_NODES).filter_map(|it| {
        let place = Place::new(&it.attribute("service")?, &it.attribute("name")?);
        let last = it.attribute("item").map(|item| Last {
            item: (*item).into(),
            at: it
                .attribute("stamp")
                .and_then(|it| unix_of(&it))
                .unwrap_or(0),
        });
        Some(Noted { place, last })
    });
    Some((peer.into(), nodes.collect()))
}
