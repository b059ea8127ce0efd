//! Which messages were shown, on a private node: one item for each node of a conversation, with the last item that was.
//! After a crash something may be shown twice, and nothing is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BufMut as _;

use super::Ask;
use super::pair::Place;
use crate::ns;
use crate::pubsub::{answer, request};
use crate::translate::node::{Access, OwnNode, Spec, Step};
use crate::translate::{self, Wire};
use crate::wire::Reply;
use crate::xml::{Element, escape};

/// The private node; it outlives the sessions that write it.
const NODE: Spec = Spec {
    name: "urn:pubshim:chats",
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
    ask: |step| translate::Ask::Chats(Ask::SeenNode(step)),
};
/// What was shown is put on record so long after it was, together with what is shown meanwhile.
const SOON: Duration = Duration::from_secs(30);
/// So many nodes are on record, as far as the server keeps them.
const MOST: usize = 1024;

pub(super) struct Seen {
    node: OwnNode,
    /// The last item that was shown of each node, and whether that is to be written.
    last: BTreeMap<Place, (Box<str>, bool)>,
    write_at: Option<Duration>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unasked,
    Asked,
    Known,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self {
            node: OwnNode::new(&NODE),
            last: BTreeMap::new(),
            write_at: None,
            state: State::Unasked,
        }
    }

    /// Asks what is on record, once.
    pub(super) fn read(&mut self, wire: &mut Wire) {
        if self.state != State::Unasked {
            return;
        }
        let is_asked = wire.request("get", None, Ask::SeenItems, |out| {
            request::items(out, NODE.name);
        });
        if is_asked {
            self.state = State::Asked;
        }
    }

    pub(super) fn handle_node(&mut self, step: Step, reply: Reply<'_>, own: &str, wire: &mut Wire) {
        self.node.handle_reply(step, reply, own, wire);
    }

    /// The nodes that are on record.
    pub(super) fn handle_items(&mut self, reply: Reply<'_>) -> Vec<Place> {
        self.state = State::Known;
        let read = |iq| {
            answer::with_items(iq, |items| {
                let items = items.children().take(MOST);
                items.filter_map(|item| read(&item)).collect::<Vec<_>>()
            })
        };
        // Where there is no record, messages are shown again rather than not at all.
        let recorded = reply.ok().and_then(read).unwrap_or_default();
        let places = recorded.iter().map(|(place, _)| place.clone()).collect();
        for (place, last) in recorded {
            self.last.entry(place).or_insert((last, false));
        }
        places
    }

    /// Whether it is known what was shown before, as far as it can be.
    pub(super) fn is_known(&self) -> bool {
        self.state == State::Known
    }

    /// The last item of a node that was shown.
    pub(super) fn last(&self, place: &Place) -> Option<&str> {
        self.last.get(place).map(|(last, _)| &**last)
    }

    /// An item was shown.
    pub(super) fn note(&mut self, place: &Place, item: &str, now: Duration) {
        if item.is_empty() || self.last.len() >= MOST && !self.last.contains_key(place) {
            return;
        }
        self.last.insert(place.clone(), (item.into(), true));
        self.write_at.get_or_insert(now + SOON);
    }

    pub(super) fn again_at(&self) -> Option<Duration> {
        self.write_at
    }

    /// Puts on record what was shown, if it is time. The node is prepared before, as the session may end at once.
    pub(super) fn write(&mut self, wire: &mut Wire) {
        if self.write_at.is_some() {
            self.node.prepare(wire);
        }
        if self.write_at.is_some_and(|at| at <= wire.now) {
            self.write_last(wire);
        }
    }

    /// Puts on record what was shown.
    pub(super) fn write_last(&mut self, wire: &mut Wire) {
        if !self.node.is_ready() || self.write_at.take().is_none() {
            return;
        }
        let access = self.node.verified().map(Access::as_str);
        for (place, (last, is_new)) in &mut self.last {
            if !std::mem::take(is_new) {
                continue;
            }
            let [service, node, last] = [place.service(), place.node(), last].map(escape);
            let id = format!("{}/{}", place.service(), place.node());
            wire.tell("set", None, |out| {
                request::publish(out, NODE.name, &id, access, |out| {
                    let seen = format!(
                        "<seen xmlns='{}' service='{service}' node='{node}' item='{last}'/>",
                        ns::SHIM
                    );
                    out.put_slice(seen.as_bytes());
                });
            });
        }
    }
}

fn read(item: &Element<'_>) -> Option<(Place, Box<str>)> {
    let seen = item.child(ns::SHIM, "seen")?;
    let place = Place::new(&seen.attribute("service")?, &seen.attribute("node")?);
    Some((place, (*seen.attribute("item")?).into()))
}
