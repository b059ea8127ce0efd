//! Native copies, under `auto`, of messages that were published or could not be. A copy names its item, so that a shim
//! shows a message once, however it came.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use super::delay::{Written, is_delayed};
use super::message::Message;
use super::pair::Pair;
use super::place::Place;
use super::receive::{may_read, takes_messages};
use super::{Ask, Chats};
use crate::jid;
use crate::ns;
use crate::pubsub::{answer, request};
use crate::translate::marker::Marker;
use crate::translate::{Cx, Verdict, rules};
use crate::wire::{Dropped, Leg, Reply};
use crate::xml::{Element, escape, rewrite};

/// Age of items copied after a connection broke: servers take it for alive for five to ten minutes, and items
/// published meanwhile were not seen.
const BROKEN: Duration = Duration::from_secs(15 * 60);
/// Age of items copied after a client went offline by itself: it has seen older ones.
const SEEN: Duration = Duration::from_secs(30);
/// How long a native message may wait for items that are to be shown before it.
const WAIT: Duration = Duration::from_secs(5);

impl Chats {
    /// Copies items natively after a presence of the peer's, if no resource would see them any more, so that the
    /// server keeps them for the peer.
    pub(super) fn copy_unseen(&mut self, presence: &Element<'_>, cx: &mut Cx<'_>) {
        let from = presence.attribute("from").unwrap_or_default();
        let peer = jid::bare(&from);
        let Some(pair) = self.pairs.get_mut(peer).filter(|it| it.has_unread()) else {
            return;
        };
        // An `unavailable` that the server sends for a broken connection has no marker.
        let time = match Marker::of(presence) {
            Some(_) => SEEN,
            None => BROKEN,
        };
        let since = cx.wire.now.saturating_sub(time);
        let items = pair.take_unread(since, |resource| self.reach.would_show(peer, resource));
        let Some(node) = pair.own.node().filter(|_| !items.is_empty()) else {
            return;
        };
        let ask = Ask::Copies(peer.into(), items.clone());
        if cx.wire.request("get", None, ask, |out| {
            request::items_by_id(out, node, &items);
        }) {
            pair.unanswered += 1;
        }
    }

    /// Sends native copies of these items, in the order they were published.
    pub(super) fn handle_copies(
        &mut self,
        peer: &str,
        items: &[Arc<str>],
        reply: Reply<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(pair) = self.pairs.get_mut(peer) else {
            return;
        };
        pair.unanswered = pair.unanswered.saturating_sub(1);
        let node = pair.own.node().unwrap_or_default();
        let Ok(iq) = reply else {
            return;
        };
        answer::with_items(iq, |list| {
            for id in items {
                let is_it = |it: &Element<'_>| it.attribute("id").as_deref() == Some(&**id);
                if let Some(item) = list.children().find(is_it)
                    && let Some(message) = item.child(ns::CLIENT, "message")
                {
                    write_copy(&message, node, id, true, cx);
                }
            }
        });
    }

    /// Sends a message natively that could not be published.
    pub(super) fn send_natively(message: &Message, node: &str, cx: &mut Cx<'_>) {
        message.read(|it| write_copy(it, node, &message.item, false, cx));
    }

    /// Handles a native message of a peer's. It waits for items that are to be shown before it; a copy is shown if its
    /// item was not.
    pub(in crate::translate) fn native_message(
        &mut self,
        message: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> Verdict {
        let is_copy = message.mentions(ns::SHIM);
        if !is_copy && self.pairs.is_empty() {
            return Verdict::Pass;
        }
        let from = message.attribute("from").unwrap_or_default();
        let peer = jid::bare(&from);
        let kind = message.attribute("type");
        if let Some(pair) = self.pairs.get_mut(peer)
            && matches!(kind.as_deref(), None | Some("chat" | "normal" | "headline"))
        {
            if pair.has_unread() && jid::resource(&from).is_some() && !is_delayed(message) {
                match is_receipt(message) {
                    true => pair.note_read_until(cx.wire.now),
                    false => pair.note_heard(cx.wire.now),
                }
            }
            if self.waits_for_items(peer, cx) {
                if self.hold(peer, message, cx) {
                    return Verdict::Taken;
                }
                // There is no room to wait: earlier waiting messages are shown first.
                self.show_held(peer, cx);
            }
        }
        match is_copy {
            true => self.show_native_copy(message, cx),
            false => Verdict::Pass,
        }
    }

    /// Whether native messages of `peer` wait for items on its nodes: not if the nodes may not be read.
    fn waits_for_items(&self, peer: &str, cx: &Cx<'_>) -> bool {
        let may_be_read = may_read(self.shares_nodes, peer, cx) || !cx.account.people.is_known();
        let pair = self.pairs.get(peer);
        self.is_begun
            && takes_messages(self.priority, cx)
            && may_be_read
            && pair.is_some_and(|pair| pair.holds(cx.wire.now))
    }

    /// Holds a native message; `false`: there is no room.
    fn hold(&mut self, peer: &str, message: &Element<'_>, cx: &Cx<'_>) -> bool {
        self.is_idle = false;
        let until = cx.wire.now + WAIT;
        let pair = self.pairs.get_mut(peer);
        pair.is_some_and(|pair| pair.hold(message, until))
    }

    /// Shows held messages with no items to be shown before them any more, and those that have waited too long.
    pub(super) fn release_held(&mut self, cx: &mut Cx<'_>) {
        let held = self.pairs.iter().filter(|(_, pair)| pair.has_held());
        let over = held.filter(|(peer, _)| !self.waits_for_items(peer, cx));
        let over: Vec<_> = over.map(|(peer, _)| peer.clone()).collect();
        for peer in over {
            self.show_held(&peer, cx);
        }
    }

    /// Shows the held native messages of `peer`.
    fn show_held(&mut self, peer: &str, cx: &mut Cx<'_>) {
        let held = self.pairs.get_mut(peer).map(Pair::take_held);
        for message in held.into_iter().flatten() {
            let verdict = message.read(|it| match it.mentions(ns::SHIM) {
                true => self.show_native_copy(it, cx),
                false => Verdict::Pass,
            });
            if verdict != Some(Verdict::Taken) {
                message.pass(Leg::Client, cx.wire);
            }
        }
    }

    /// Shows the client a native copy without the name of its item, unless the item was shown.
    fn show_native_copy(&mut self, message: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        let Some(copy) = Copy::of(message, cx.account.bare()) else {
            return Verdict::Pass;
        };
        cx.wire.apply(&rules::MESSAGE_COPY);
        // The node is read from now on, so that the record includes this item.
        if let (false, Some(node)) = (copy.is_own || copy.is_error, &copy.node) {
            self.adopt(&Place::new(&copy.peer, node), cx);
        }
        if let Some(pair) = self.pairs.get_mut(&*copy.peer) {
            let is_seen = match copy.is_error {
                // The item of a bounced copy is on the node, and the peer sees it at the next login.
                true => pair.was_copied(&copy.item),
                false => !copy.item.is_empty() && !pair.is_new(&copy.item),
            };
            if is_seen {
                cx.wire.drop_event(Dropped::Seen);
                return Verdict::Taken;
            }
        }
        let raw = message.raw().as_bytes();
        cx.wire.stanza(Leg::Client, |out| {
            out.extend_from_slice(&raw[..copy.name.start]);
            out.extend_from_slice(&raw[copy.name.end..]);
        });
        Verdict::Taken
    }
}

/// Whether a message is a receipt or marker for other messages (XEP-0184, XEP-0333).
fn is_receipt(message: &Element<'_>) -> bool {
    message.children().any(|it| {
        let is_one = matches!(&*it.namespace(), ns::RECEIPTS | ns::CHAT_MARKERS);
        is_one && it.attribute("id").is_some()
    })
}

/// A native message that names the item it is a copy of.
struct Copy {
    /// The other account of the conversation.
    peer: Box<str>,
    item: Box<str>,
    node: Option<Box<str>>,
    /// The own account has written it.
    is_own: bool,
    /// The server has returned the copy as an error.
    is_error: bool,
    /// The place in the stanza of the element that names the item.
    name: Range<usize>,
}

impl Copy {
    /// Reads a copy. `own`: the account, which also sends copies of its other resources' messages (XEP-0280).
    fn of(message: &Element<'_>, own: &str) -> Option<Self> {
        let from = message.attribute("from").unwrap_or_default();
        if from == own {
            for (word, is_own) in [("sent", true), ("received", false)] {
                let Some(copy) = message.child(ns::CARBONS, word) else {
                    continue;
                };
                let forwarded = copy.child(ns::FORWARD, "forwarded")?;
                let inner = forwarded.child(ns::CLIENT, "message")?;
                let peer = inner.attribute(if is_own { "to" } else { "from" })?;
                return Self::read(&inner, message, &peer, is_own);
            }
        }
        Self::read(message, message, &from, false)
    }

    fn read(message: &Element<'_>, outer: &Element<'_>, peer: &str, is_own: bool) -> Option<Self> {
        let name = message.child(ns::SHIM, "shim")?;
        let start = name.raw().as_ptr() as usize - outer.raw().as_ptr() as usize;
        let attribute = |key| Some((*name.attribute(key)?).into());
        Some(Self {
            peer: (*jid::prepared(jid::bare(peer))).into(),
            item: attribute("item").unwrap_or_default(),
            node: attribute("node"),
            is_own,
            is_error: message.attribute("type").as_deref() == Some("error"),
            name: start..start + name.raw().len(),
        })
    }
}

/// Sends a message natively, with the name of its item. `is_late`: with the time it was written.
fn write_copy(message: &Element<'_>, node: &str, item: &str, is_late: bool, cx: &mut Cx<'_>) {
    cx.wire.apply(&rules::MESSAGE_COPY);
    let mut name = String::new();
    let (xmlns, node, item) = (ns::SHIM, escape(node), escape(item));
    let _ = write!(name, "<shim xmlns='{xmlns}' node='{node}' item='{item}'/>");
    let written = Written::of(message, cx.account.bare());
    let mut copy = BytesMut::with_capacity(message.raw().len() + name.len());
    let may_stay = |it: &Element<'_>| is_late || !written.is_some_and(|at| at.is(it));
    rewrite(&mut copy, message, &[], may_stay, &name);
    cx.wire.copy(Leg::Server, &copy);
}
