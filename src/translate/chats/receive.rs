//! Events and fetched items of a conversation's nodes: in order, each once (listing 20).

use super::Chats;
use super::delay::Written;
use super::item::{Source, is_public};
use super::message::STATE;
use super::own::PREFIX;
use super::pair::{Pair, Reading};
use super::place::{Own, Place, State};
use super::show::show_copy;
use crate::jid;
use crate::ns;
use crate::pubsub::{Event, What, answer, payload};
use crate::translate::{Cx, Verdict, rules};
use crate::wire::{Dropped, Refused, Reply};
use crate::xml::Element;

/// Items of an event that are read; servers send one.
const MOST_ITEMS: usize = 256;
/// Bytes of items kept until their nodes are read.
const MOST_MISSED_BYTES: usize = 1 << 20;
/// Seconds before the last item shown from which items are shown again, if that item is gone: authors' clocks differ,
/// and items of one second may be listed in any order.
const OVERLAP: i64 = 60 * 60;

impl Chats {
    /// Handles an event on a node of a peer's account under `auto` (listing 20), or of the own account.
    pub(super) fn account_event(&mut self, event: &Event<'_>, cx: &mut Cx<'_>) -> Verdict {
        let is_ours = || match event.what {
            What::Items => event.element.children().any(|it| is_message(&it)),
            What::Subscription => true,
            What::Node => false,
        };
        if event.service == cx.account.bare() {
            return self.own_event(event, is_ours(), cx);
        }
        let pair = self.pairs.get(event.service);
        let known = pair.and_then(|pair| pair.place(event.node));
        if known.is_none() && !is_ours() {
            return Verdict::Pass;
        }
        if cx.account.people.is_reliable() && !cx.account.people.may_see(event.service) {
            cx.wire.drop_event(Dropped::NotSubscribed);
            return Verdict::Taken;
        }
        let place = known.unwrap_or_else(|| Place::new(event.service, event.node));
        match event.what {
            What::Items => {
                self.adopt(&place, cx);
                if let Some(pair) = self.pairs.get_mut(event.service) {
                    pair.note_heard(cx.wire.now);
                }
                let source = Source {
                    peer: event.service,
                    place: &place,
                    replyto: None,
                    is_live: true,
                };
                self.handle_items(source, event.element, cx);
            }
            _ if event.is_end() => self.forget_read(&place, cx),
            What::Subscription => self.adopt(&place, cx),
            What::Node => cx.wire.drop_event(Dropped::Retracted),
        }
        self.settle(cx);
        Verdict::Taken
    }

    /// Reads a node of the peer's from now on, its earlier items included.
    pub(super) fn adopt(&mut self, place: &Place, cx: &mut Cx<'_>) {
        let peer = place.service();
        let people = &cx.account.people;
        let may_be = !people.is_reliable() || people.may_see(peer);
        let is_one = place.node().starts_with(PREFIX) && jid::is_account(peer);
        if !may_be || !is_one || !self.has_own_nodes() {
            return;
        }
        if let Some(pair) = self.pair_mut(peer)
            && pair.reading(place).is_none()
        {
            pair.add(place.clone(), peer);
            self.is_idle = false;
        }
    }

    fn forget_read(&mut self, place: &Place, cx: &mut Cx<'_>) {
        let peer = place.service();
        if let Some(pair) = self.pairs.get_mut(peer) {
            pair.forget(place);
            self.record.forget_node(peer, place, cx.wire.now);
        }
    }

    /// Handles an event on a node that the account writes to.
    fn own_event(&mut self, event: &Event<'_>, is_ours: bool, cx: &mut Cx<'_>) -> Verdict {
        match event.what {
            What::Items if is_ours => {
                for item in event.element.children().take(MOST_ITEMS) {
                    if let Err(reason) = self.handle_own_item(event.node, &item, cx) {
                        cx.wire.drop_event(reason);
                    }
                }
            }
            What::Items => return Verdict::Pass,
            What::Node if event.is_end() => {
                let written = |pair: &Pair| pair.own.node() == Some(event.node);
                let mut pairs = self.pairs.iter();
                let peer = pairs.find(|(_, pair)| written(pair));
                if let Some(peer) = peer.map(|(peer, _)| peer.clone()) {
                    self.forget_own(&peer, cx);
                }
            }
            _ => cx.wire.drop_event(Dropped::Retracted),
        }
        Verdict::Taken
    }

    /// Notes an item written by this resource or another one of the account; the client gets a copy of the latter.
    fn handle_own_item(
        &mut self,
        node: &str,
        item: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Dropped> {
        let message = payload(item, "message").ok_or(Dropped::WrongPayload)?;
        let from = message.attribute("from").unwrap_or_default();
        let to = message.attribute("to").unwrap_or_default();
        let peer = jid::prepared(jid::bare(&to));
        let own = cx.account.bare();
        if jid::bare(&from) != own || jid::local(&peer).is_none() || *peer == *own {
            return Err(Dropped::ForeignFrom);
        }
        let id = item.attribute("id").unwrap_or_default();
        let place = Place::new(own, node);
        let pair = self.pair_mut(&peer).ok_or(Dropped::Overflow)?;
        if !pair.is_new(&id) || from == cx.account.jid() {
            return Err(Dropped::Seen);
        }
        if pair.own == Own::None {
            pair.own = Own::Known {
                place: place.clone(),
                state: State::Unchecked,
            };
            self.is_idle = false;
        }
        self.record.note_node(&peer, &place, cx.wire.now);
        if self.wants_copies && cx.account.status.is_available && is_public(&message) {
            cx.wire.apply(&rules::MESSAGE_IN);
            show_copy("sent", &message, &from, &to, cx);
        }
        Ok(())
    }

    /// Handles the items of a node: those not shown yet are shown, oldest first.
    pub(super) fn handle_fetched(&mut self, place: &Place, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let peer = match self.shares_nodes {
            true => self.shared.peer(place).unwrap_or_default().to_owned(),
            false => place.service().to_owned(),
        };
        if !takes_messages(self.priority, cx) || !may_read(self.shares_nodes, &peer, cx) {
            // The node is fetched again when the client takes messages.
            if let Some(pair) = self.pairs.get_mut(&*peer) {
                pair.note(place, Reading::Wanted);
            }
            return;
        }
        let source = Source {
            peer: &peer,
            place,
            replyto: None,
            is_live: false,
        };
        let read = |iq| answer::with_items(iq, |items| self.handle_items(source, items, cx));
        let is_read = reply.ok().and_then(read).is_some();
        let Some(pair) = self.pairs.get_mut(&*peer) else {
            return;
        };
        if is_read {
            return pair.note_read(place);
        }
        let source = Source {
            is_live: true,
            ..source
        };
        for held in pair.note_failed(place) {
            held.read(|item| self.show_item(source, item, cx));
        }
        // The node is gone or may not be read any more; an event would name it anew.
        let is_closed = matches!(
            reply,
            Err(Refused::With(
                "item-not-found" | "not-allowed" | "closed-node" | "forbidden"
            ))
        );
        if is_closed && !self.shares_nodes {
            self.forget_read(place, cx);
        }
    }

    /// Handles an event on a node that the account shares with `peer` under `pure`.
    pub(super) fn handle_shared(
        &mut self,
        peer: &str,
        place: &Place,
        event: &Event<'_>,
        cx: &mut Cx<'_>,
    ) {
        let replyto = event.replyto();
        let source = Source {
            peer,
            place,
            replyto: replyto.as_deref(),
            is_live: true,
        };
        self.handle_items(source, event.element, cx);
    }

    fn handle_items(&mut self, source: Source<'_>, items: &Element<'_>, cx: &mut Cx<'_>) {
        let Source {
            peer,
            place,
            is_live,
            ..
        } = source;
        let all: Vec<_> = items.children().take(MOST_ITEMS).collect();
        let Some(pair) = self.pairs.get_mut(peer) else {
            return;
        };
        match pair.reading(place) {
            None => return,
            // The item is fetched when the client takes messages again.
            Some(_) if is_live && !takes_messages(self.priority, cx) => {
                return pair.note(place, Reading::Wanted);
            }
            // The item is in the answer that is awaited, or is asked for after it.
            Some(Reading::Wanted | Reading::Asked) if is_live => {
                return self.note_missed(source, &all);
            }
            Some(Reading::Done) if is_live => {
                let item = all.first().and_then(|it| it.attribute("id"));
                if pair.search_before(place, &item.unwrap_or_default()) {
                    self.is_idle = false;
                    return self.note_missed(source, &all);
                }
            }
            _ => {}
        }
        if let Some(item) = all.last().and_then(|it| it.attribute("id")) {
            pair.note_last(place, &item);
        }
        let first = if is_live {
            0
        } else {
            self.first_unseen(source, &all, cx)
        };
        for item in &all[..first] {
            // A native copy of an item shown in an earlier session may still come.
            let id = item.attribute("id").unwrap_or_default();
            if let Some(pair) = self.pairs.get_mut(peer).filter(|_| !id.starts_with(STATE)) {
                pair.is_new(&id);
            }
        }
        for item in &all[first..] {
            self.show_item(source, item, cx);
        }
    }

    /// Keeps items that came before their node was read, in case it cannot be.
    fn note_missed(&mut self, source: Source<'_>, items: &[Element<'_>]) {
        for item in items {
            let kept: usize = self.pairs.values().map(Pair::missed_bytes).sum();
            if let Some(pair) = self.pairs.get_mut(source.peer) {
                let room = MOST_MISSED_BYTES.saturating_sub(kept);
                pair.note_missed(source.place, item, room);
            }
        }
    }

    fn show_item(&mut self, source: Source<'_>, item: &Element<'_>, cx: &mut Cx<'_>) {
        if let Err(reason) = self.handle_item(source, item, cx) {
            cx.wire.drop_event(reason);
        }
    }

    /// The position of the first item on a node that was not shown before, by the record.
    fn first_unseen(&self, source: Source<'_>, all: &[Element<'_>], cx: &Cx<'_>) -> usize {
        let Some(last) = self.record.last(source.peer, source.place) else {
            // Without a record, messages are shown again rather than not at all, but not a whole old conversation.
            let since = match self.record.has_failed() && !self.shares_nodes {
                true => cx.wire.unix_time() - OVERLAP,
                false => i64::MIN,
            };
            return first_since(since, source.peer, all);
        };
        let is_last = |item: &Element<'_>| item.attribute("id").as_deref() == Some(&*last.item);
        match all.iter().position(is_last) {
            Some(at) => at + 1,
            None => first_since(last.at - OVERLAP, source.peer, all),
        }
    }
}

/// Whether the client gets messages for all resources (RFC 6121 §8.5.2.1.1).
pub(super) fn takes_messages(priority: i8, cx: &Cx<'_>) -> bool {
    cx.account.status.is_available && priority >= 0
}

/// Whether messages of `peer` may be shown. Under `auto` only if `peer` may see the client: an event passes a server's
/// filters against strangers.
pub(super) fn may_read(shares_nodes: bool, peer: &str, cx: &Cx<'_>) -> bool {
    let people = &cx.account.people;
    shares_nodes || people.is_reliable() && people.may_see(peer)
}

/// Whether the item holds a message.
pub(super) fn is_message(item: &Element<'_>) -> bool {
    item.child(ns::CLIENT, "message").is_some()
}

/// The position of the first item written since then, or without a time.
fn first_since(since: i64, author: &str, all: &[Element<'_>]) -> usize {
    let written = |item: &Element<'_>| Written::of(&payload(item, "message")?, author)?.at;
    let is_since = |item: &Element<'_>| written(item).is_none_or(|at| at >= since);
    all.iter().position(is_since).unwrap_or(all.len())
}
