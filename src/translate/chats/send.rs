//! Sending: a message of the client's becomes an item of a node that its addressee reads (listings 18 and 19).

use std::sync::Arc;

use bytes::Bytes;

use super::message::{Message, Outgoing, STATE, is_worth_keeping, show_unsent, show_unsent_to};
use super::own::is_friend;
use super::pair::{Pair, Reading};
use super::place::{Own, Place, State};
use super::receive::takes_messages;
use super::shared::service_of;
use super::{Ask, Chats};
use crate::jid;
use crate::pubsub::request;
use crate::translate::held::Held;
use crate::translate::node::Access;
use crate::translate::{self, Cx, Kind, Verdict, rules};
use crate::wire::{Leg, Refused, Reply, is_chat_state};
use crate::xml::Element;

/// Bytes of messages that may wait.
const MOST_WAITING_BYTES: usize = 1 << 20;
/// The longest message that is published under `auto`: all items of a node are fetched in one answer, and servers take
/// no stanza of more than half a megabyte from each other.
const MOST_PAYLOAD: usize = 8 * 1024;

/// A publish without an answer yet.
#[derive(Debug)]
pub(crate) struct Publish {
    peer: Arc<str>,
    place: Place,
    message: Message,
}

impl Chats {
    /// Handles a message of the client's. It passes if it does not go by pubsub and has to wait for nothing.
    pub(in crate::translate) fn client_message(
        &mut self,
        message: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> Verdict {
        let to = message.attribute("to").unwrap_or_default();
        let peer = jid::prepared(jid::bare(&to));
        if !self.is_on || jid::local(&peer).is_none() || *peer == *cx.account.bare() {
            return Verdict::Pass;
        }
        let kind = message.attribute("type");
        let is_chat = matches!(kind.as_deref(), None | Some("chat" | "normal" | "headline"));
        match self.shares_nodes {
            true if is_chat => self.say_by_pubsub(&peer, message, cx),
            true => Verdict::Pass,
            false => {
                let by_pubsub = is_chat && self.goes_by_pubsub(&peer, &to, message, cx);
                self.say(&peer, by_pubsub, message, cx)
            }
        }
    }

    /// Publishes a message under `pure`.
    fn say_by_pubsub(&mut self, peer: &str, message: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        if jid::prepare(peer).is_none() {
            return Verdict::Pass;
        }
        cx.wire.apply(&rules::MESSAGE_OUT);
        let outgoing = self.item_for(peer, message, cx);
        if !self.wait(peer, outgoing) {
            cx.wire.refuse(message, "resource-constraint");
            return Verdict::Taken;
        }
        self.send_by_pubsub(peer, cx);
        Verdict::Taken
    }

    fn send_by_pubsub(&mut self, peer: &str, cx: &mut Cx<'_>) {
        self.is_idle = false;
        self.begin(cx);
        self.shared.want(jid::domain(peer));
        self.shared.list(true, cx.wire);
        self.settle(cx);
    }

    /// Publishes a private message of a room for `full` under `pure`; the client has addressed it to `occupant`.
    pub(in crate::translate) fn tell_directly(
        &mut self,
        full: &str,
        occupant: &str,
        id: &str,
        payload: Bytes,
        cx: &mut Cx<'_>,
    ) {
        let peer = jid::bare(full);
        // The account has no node shared with itself.
        if !self.is_on || !self.shares_nodes || peer == cx.account.bare() {
            let refused = Refused::With("feature-not-implemented");
            return show_unsent_to(occupant, Some(id), refused, cx);
        }
        let pair = self.pair_mut(peer);
        let message = Message {
            item: pair.map_or_else(Arc::default, |pair| pair.series.next(cx.wire)),
            payload,
            occupant: Some(occupant.into()),
        };
        match self.wait(peer, Outgoing::Item(message)) {
            true => self.send_by_pubsub(peer, cx),
            false => show_unsent_to(occupant, Some(id), Refused::NoRoom, cx),
        }
    }

    /// Sends a message by pubsub or natively, behind those that wait.
    fn say(
        &mut self,
        peer: &str,
        by_pubsub: bool,
        message: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> Verdict {
        let is_first = !self.pairs.get(peer).is_some_and(Pair::is_busy);
        if !by_pubsub && is_first {
            return Verdict::Pass;
        }
        let outgoing = match by_pubsub {
            true => self.item_for(peer, message, cx),
            false => Outgoing::Native(Held::new(Kind::Message, message)),
        };
        if self.wait(peer, outgoing) {
            self.send_waiting_for(peer, cx);
            self.is_idle &= !self.pairs.get(peer).is_some_and(Pair::is_waiting);
        } else if is_first {
            // There is no room for one more conversation.
            return Verdict::Pass;
        } else {
            cx.wire.refuse(message, "resource-constraint");
        }
        Verdict::Taken
    }

    /// A message as an item. Without room for one more conversation its name does not matter, as it is not sent.
    fn item_for(&mut self, peer: &str, message: &Element<'_>, cx: &mut Cx<'_>) -> Outgoing {
        let item = if is_chat_state(message) {
            format!("{STATE}{}", cx.account.bare()).into()
        } else {
            let pair = self.pair_mut(peer);
            pair.map_or_else(Arc::default, |pair| pair.series.next(cx.wire))
        };
        Outgoing::Item(Message::of(message, item, cx))
    }

    /// Lets a message wait until it may go; `false`: there is no room.
    fn wait(&mut self, peer: &str, outgoing: Outgoing) -> bool {
        self.waiting_bytes() + outgoing.len() <= MOST_WAITING_BYTES
            && self.pair_mut(peer).is_some_and(|pair| pair.wait(outgoing))
    }

    /// Whether there may be no room for the client's next message.
    pub(super) fn is_full(&self) -> bool {
        let mut pairs = self.pairs.values();
        !self.is_idle && (pairs.any(Pair::is_full) || self.waiting_bytes() > MOST_WAITING_BYTES / 2)
    }

    /// Bytes of messages that wait.
    fn waiting_bytes(&self) -> usize {
        match self.is_idle {
            true => 0,
            false => self.pairs.values().map(Pair::waiting_bytes).sum(),
        }
    }

    /// Whether a message is to be published under `auto`: all who would see it natively see the item, and it has
    /// lasting content.
    fn goes_by_pubsub(&self, peer: &str, to: &str, message: &Element<'_>, cx: &Cx<'_>) -> bool {
        self.is_reached(peer, to, cx)
            && message.raw().len() <= MOST_PAYLOAD
            && is_worth_keeping(message)
    }

    /// Whether everybody who would see a message natively sees its item. If that is not known: `false`.
    fn is_reached(&self, peer: &str, to: &str, cx: &Cx<'_>) -> bool {
        let status = cx.account.status;
        let may_publish = |pair: &Pair| pair.own.may_publish();
        self.is_begun
            && cx.account.takes_chats
            && takes_messages(self.priority, cx)
            && !status.is_hidden
            && !status.may_be_hidden
            && self.reach.takes_all(peer, jid::resource(to))
            && self
                .reach
                .others_take_all(cx.account.bare(), cx.account.resource())
            && is_friend(peer, cx)
            && self.pairs.get(peer).is_none_or(may_publish)
    }

    /// As [`is_reached`](Self::is_reached), for a message that has waited.
    fn would_reach(&self, peer: &str, message: &Message, cx: &Cx<'_>) -> bool {
        let is_reached = message.read(|it| {
            let to = it.attribute("to").unwrap_or_default();
            self.is_reached(peer, &to, cx)
        });
        is_reached == Some(true)
    }

    /// Peers to whom messages wait.
    fn waiting(&self) -> Vec<Arc<str>> {
        let waiting = self.pairs.iter().filter(|(_, pair)| pair.is_waiting());
        waiting.map(|(peer, _)| peer.clone()).collect()
    }

    /// Sends waiting messages that may go now.
    pub(super) fn send_waiting(&mut self, cx: &mut Cx<'_>) {
        for peer in self.waiting() {
            self.send_waiting_for(&peer, cx);
        }
    }

    fn send_waiting_for(&mut self, peer: &str, cx: &mut Cx<'_>) {
        if self.shares_nodes {
            let known = self.pairs.get(peer).and_then(Pair::shared);
            let place = match known.cloned() {
                Some(place) => Some(place),
                None if self.shared.is_looked_for(cx.account.bare(), peer) => {
                    self.make_for_waiting(peer, cx)
                }
                None => None,
            };
            if let Some(place) = place {
                self.publish_waiting(peer, &place, cx);
            }
            return;
        }
        // One after the other: a message that the server refuses goes natively before the next one.
        while cx.wire.places() > 0
            && let Some(pair) = self.pairs.get_mut(peer)
            && pair.unanswered == 0
            && let Some(next) = pair.waiting.pop_front()
        {
            match next {
                Outgoing::Native(held) => held.pass(Leg::Server, cx.wire),
                Outgoing::Item(message) => {
                    if !self.would_reach(peer, &message, cx) {
                        Self::send_natively(&message, "", cx);
                    } else if let Some(place) = self.open_own(peer, cx) {
                        self.publish_to_own(peer, &place, message, cx);
                    } else {
                        // The next answer makes room, or shows that the server takes no node.
                        return self.put_back(peer, message, cx);
                    }
                }
            }
        }
    }

    /// Makes a node for waiting messages, unless those are chat states alone: the peer does not know the node yet.
    fn make_for_waiting(&mut self, peer: &str, cx: &mut Cx<'_>) -> Option<Place> {
        let pair = self.pairs.get_mut(peer)?;
        pair.drop_states();
        pair.is_waiting().then(|| self.make_shared(peer, cx))?
    }

    fn put_back(&mut self, peer: &str, message: Message, cx: &mut Cx<'_>) {
        if let Some(pair) = self.pairs.get_mut(peer) {
            match pair.own {
                Own::Refused => Self::send_natively(&message, "", cx),
                _ => pair.waiting.push_front(Outgoing::Item(message)),
            }
        }
    }

    fn publish_to_own(&mut self, peer: &str, place: &Place, message: Message, cx: &mut Cx<'_>) {
        let known = self.pairs.get_key_value(peer);
        let Some(peer) = known.map(|(peer, _)| Arc::clone(peer)) else {
            return;
        };
        if let Some(pair) = self.pairs.get_mut(&peer) {
            pair.unanswered += 1;
            message.read(|it| {
                let to = it.attribute("to").unwrap_or_default();
                pair.note_published(&message.item, jid::resource(&to), cx.wire.now);
            });
        }
        cx.wire.apply(&rules::MESSAGE_OUT);
        publish(peer, place, message, None, cx);
    }

    /// Handles the answer to a publish, or its time-out.
    pub(super) fn handle_published(
        &mut self,
        publish: &Publish,
        reply: Reply<'_>,
        cx: &mut Cx<'_>,
    ) {
        match self.shares_nodes {
            true => {
                if let Err(refused) = reply {
                    show_unsent(&publish.message, refused, cx);
                }
                if matches!(reply, Err(Refused::With("item-not-found"))) {
                    self.forget(&publish.place);
                }
            }
            false => self.handle_published_to_own(publish, reply, cx),
        }
        self.send_waiting_for(&publish.peer, cx);
    }

    fn handle_published_to_own(&mut self, publish: &Publish, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let Publish {
            peer,
            place,
            message,
        } = publish;
        let Some(pair) = self.pairs.get_mut(peer) else {
            return;
        };
        pair.unanswered = pair.unanswered.saturating_sub(1);
        // If the node was given up meanwhile, the publish may have created another one, which the peer does not read.
        let is_current = pair.own.place() == Some(place);
        match reply {
            Ok(_) if is_current => {
                pair.own.set(State::Ready { is_proven: true });
                return;
            }
            // The item may be on the node, and be seen.
            Err(Refused::NoAnswer) => show_unsent(message, Refused::NoAnswer, cx),
            Err(_) => Self::send_natively(message, place.node(), cx),
            Ok(_) => {
                Self::send_natively(message, place.node(), cx);
                if !self.record.knows(peer, place) {
                    cx.wire
                        .tell("set", None, |out| request::delete(out, place.node()));
                }
            }
        }
        pair.forget_published(&message.item);
        if let (true, Err(refused)) = (is_current, reply) {
            self.handle_failure(peer, refused, cx);
        }
    }

    /// Sends waiting messages as the session ends. Under `pure` a node that is not known by now is made, even if the
    /// pair may have one: all nodes of a pair are read. Under `auto` only a node that accepted a publish before is
    /// trusted.
    pub(super) fn send_last(&mut self, cx: &mut Cx<'_>) {
        if !self.shares_nodes {
            return self.send_last_natively(cx);
        }
        for peer in self.waiting() {
            let known = self.pairs.get(&peer).and_then(Pair::shared).cloned();
            if let Some(place) = known.or_else(|| self.make_for_waiting(&peer, cx)) {
                self.publish_waiting(&peer, &place, cx);
            }
        }
    }

    fn send_last_natively(&mut self, cx: &mut Cx<'_>) {
        // First messages, whose answers will not be read any more, are copied in the order of writing.
        let unproven = cx.wire.asked().filter_map(|ask| self.unproven(ask));
        let copy = |it: &Publish| (it.place.clone(), it.message.clone());
        let copies: Vec<_> = unproven.map(copy).collect();
        // Forget them: a client may end its stream twice, with an error and with a closing tag.
        cx.wire.forget(|ask| self.unproven(ask).is_some());
        for (place, message) in copies {
            Self::send_natively(&message, place.node(), cx);
        }
        for peer in self.waiting() {
            while let Some(pair) = self.pairs.get_mut(&peer)
                && let Some(next) = pair.waiting.pop_front()
            {
                match next {
                    Outgoing::Native(held) => held.pass(Leg::Server, cx.wire),
                    Outgoing::Item(message) => match self.proven(&peer, &message, cx) {
                        Some(place) => self.publish_to_own(&peer, &place, message, cx),
                        None => Self::send_natively(&message, "", cx),
                    },
                }
            }
        }
    }

    /// A publish without an answer, to a node that has not accepted one before.
    fn unproven<'a>(&self, ask: &'a translate::Ask) -> Option<&'a Publish> {
        let translate::Ask::Chats(Ask::Publish(publish)) = ask else {
            return None;
        };
        let pair = self.pairs.get(&publish.peer);
        (!pair.is_some_and(|pair| pair.own.is_proven())).then_some(publish)
    }

    /// The node of this peer, if it has accepted a publish, the message would be seen, and there is room for a
    /// request.
    fn proven(&self, peer: &str, message: &Message, cx: &Cx<'_>) -> Option<Place> {
        let own = &self.pairs.get(peer)?.own;
        let is_of_use = own.is_proven() && cx.wire.places() > 0;
        let may_go = is_of_use && self.would_reach(peer, message, cx);
        own.place().filter(|_| may_go).cloned()
    }

    /// Publishes waiting messages to a shared node, as far as there is room for requests.
    fn publish_waiting(&mut self, peer: &str, place: &Place, cx: &mut Cx<'_>) {
        let Some(pair) = self.pairs.get_mut(peer) else {
            return;
        };
        // No list tells of a node on another domain's service: record it with its first item, as the peer may answer
        // while the client is away.
        let own_service = service_of(jid::domain(cx.account.bare()));
        if place.service() != &*own_service && pair.reading(place) == Some(Reading::Done) {
            self.record.note_node(peer, place, cx.wire.now);
        }
        while cx.wire.places() > 0
            && let Some(Outgoing::Item(message)) = pair.waiting.pop_front()
        {
            publish(peer.into(), place, message, Some(place.service()), cx);
        }
    }

    /// Returns unsent messages to the client as errors, and shows held native messages, as the session ends.
    pub(in crate::translate) fn give_back(&mut self, cx: &mut Cx<'_>) {
        self.is_begun = false;
        self.release_held(cx);
        for pair in self.pairs.values_mut() {
            while let Some(next) = pair.waiting.pop_front() {
                next.give_back(cx);
            }
        }
    }
}

/// Publishes a message; `service`: that of a shared node, `None` for the own account.
fn publish(
    peer: Arc<str>,
    place: &Place,
    message: Message,
    service: Option<&str>,
    cx: &mut Cx<'_>,
) {
    let copy = message.clone();
    let ask = Ask::Publish(Publish {
        peer,
        place: place.clone(),
        message,
    });
    // A shared node may be the peer's: no access model is named.
    let access = service.is_none().then(|| Access::Whitelist.as_str());
    let is_sent = cx.wire.request("set", service, ask, |out| {
        request::publish(out, place.node(), &copy.item, access, &copy.payload);
    });
    if !is_sent {
        show_unsent(&copy, Refused::NoRoom, cx);
    }
}
