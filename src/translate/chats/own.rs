//! The node of a conversation that the account writes to under `auto` (listings 18 and 19): on the own account,
//! readable by the peer alone. So the author of an item is the account it comes from, and no other account can retract
//! an item.

use super::place::{Own, Place, State};
use super::{Ask, Chats};
use crate::pubsub::{answer, request};
use crate::translate::Cx;
use crate::translate::relation::Half;
use crate::wire::{Refused, Reply};

/// Prefix of the names of these nodes; the rest cannot be guessed.
pub(super) const PREFIX: &str = "chat/";
/// Requests that a message to a new node takes.
const REQUESTS: usize = 5;
/// Conversations that are closed at once.
const MOST_CLOSED: usize = 8;

/// Requests to the server about the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Creates the node.
    Create,
    /// Makes the peer a member, or subscribes it.
    Open,
    /// Lists the subscribers.
    Check,
}

impl Chats {
    /// The node to publish to; creates it or lets the peer in, in one write with the publish that follows.
    pub(super) fn open_own(&mut self, peer: &str, cx: &mut Cx<'_>) -> Option<Place> {
        let pair = self.pairs.get_mut(peer)?;
        let (place, is_there) = match &pair.own {
            Own::Known {
                place,
                state: State::Ready { .. },
            } => return Some(place.clone()),
            Own::Known { place, .. } => (place.clone(), true),
            Own::None => {
                let node = format!("{PREFIX}{}", cx.wire.fresh_id());
                (Place::new(cx.account.bare(), &node), false)
            }
            Own::Refused => return None,
        };
        if cx.wire.places() < REQUESTS {
            return None;
        }
        let ask = |step| Ask::Own(peer.into(), step);
        let node = place.node();
        if !is_there {
            self.record.note_node(peer, &place, cx.wire.now);
            cx.wire.request("set", None, ask(Step::Create), |out| {
                request::create(out, node, &OPTIONS);
            });
        }
        cx.wire.request("set", None, ask(Step::Open), |out| {
            request::set_affiliation(out, node, [peer], "member");
        });
        cx.wire.request("set", None, ask(Step::Open), |out| {
            request::set_subscription(out, node, peer, "subscribed");
        });
        // Subscribe the account, too, so that its other resources get the items. On servers that notify the owner
        // anyway this changes nothing.
        let own = cx.account.own_bare();
        cx.wire
            .tell("set", None, |out| request::subscribe(out, node, &own));
        pair.own = Own::Known {
            place: place.clone(),
            state: State::Ready { is_proven: false },
        };
        Some(place)
    }

    /// Looks whether recorded nodes exist, for peers that take messages now.
    pub(super) fn check_own(&mut self, cx: &mut Cx<'_>) {
        for (peer, pair) in &mut self.pairs {
            let Own::Known { place, state } = &mut pair.own else {
                continue;
            };
            if *state != State::Unchecked || !self.reach.takes_any(peer) {
                continue;
            }
            let Some(spare) = cx.wire.spare() else {
                return;
            };
            let ask = Ask::Own(peer.clone(), Step::Check);
            spare.request("get", None, ask, |out| {
                request::subscriptions(out, place.node());
            });
            *state = State::Asked;
        }
    }

    pub(super) fn handle_own(&mut self, peer: &str, step: Step, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let Some(pair) = self.pairs.get_mut(peer) else {
            return;
        };
        match (step, reply) {
            (Step::Create | Step::Open, Ok(_)) => {}
            // The peer may not read this node, so the next message makes another one. It is not deleted: earlier items
            // on it may still be read.
            (Step::Create | Step::Open, Err(refused)) if refused.may_pass() => {
                if std::mem::replace(&mut pair.own, Own::None) != Own::None {
                    pair.note_failure();
                }
            }
            (Step::Open, Err(_)) => self.drop_own(peer, cx),
            (Step::Create, Err(_)) => {
                self.drop_own(peer, cx);
                if let Some(pair) = self.pairs.get_mut(peer) {
                    pair.own = Own::Refused;
                }
            }
            (Step::Check, Ok(iq)) => {
                let own = cx.account.bare();
                let readers = answer::subscriptions(iq).unwrap_or_default();
                let is_meant = |jid: &str| jid == own || jid == peer;
                match readers.iter().all(|(jid, _)| is_meant(jid)) {
                    true if readers.iter().any(|(jid, _)| **jid == *peer) => {
                        pair.own.set(State::Ready { is_proven: false });
                    }
                    true => pair.own.set(State::Unread),
                    // Another program has made the node readable for others.
                    false => self.drop_own(peer, cx),
                }
            }
            (Step::Check, Err(Refused::With("item-not-found" | "forbidden"))) => {
                self.forget_own(peer, cx);
            }
            // ejabberd does not list subscribers. The next message lets the peer in again; the answer tells whether
            // the node exists.
            (Step::Check, Err(refused)) if refused.is_unsupported() => pair.own.set(State::Unread),
            (Step::Check, Err(_)) => pair.own = Own::Refused,
        }
    }

    /// Handles a failed publish.
    pub(super) fn handle_failure(&mut self, peer: &str, refused: Refused<'_>, cx: &mut Cx<'_>) {
        let is_useless = matches!(
            refused,
            Refused::With("item-not-found" | "conflict" | "precondition-not-met" | "forbidden")
        );
        if is_useless {
            self.drop_own(peer, cx);
        } else if let Some(pair) = self.pairs.get_mut(peer) {
            pair.note_failure();
        }
    }

    /// Deletes a node that is of no use; the next message makes another one, unless that has failed too often.
    fn drop_own(&mut self, peer: &str, cx: &mut Cx<'_>) {
        let Some(place) = self.forget_own(peer, cx) else {
            return;
        };
        cx.wire
            .tell("set", None, |out| request::delete(out, place.node()));
        if let Some(pair) = self.pairs.get_mut(peer) {
            pair.note_failure();
        }
    }

    /// Forgets a node that does not exist any more.
    pub(super) fn forget_own(&mut self, peer: &str, cx: &mut Cx<'_>) -> Option<Place> {
        let pair = self.pairs.get_mut(peer)?;
        let place = pair.own.place()?.clone();
        pair.own = Own::None;
        self.record.forget_node(peer, &place, cx.wire.now);
        Some(place)
    }

    /// Closes the nodes of peers that are blocked or no contacts any more.
    pub(in crate::translate) fn close_some(&mut self, cx: &mut Cx<'_>) {
        if !self.has_own_nodes() || !cx.account.people.is_reliable() {
            return;
        }
        let written = self.pairs.iter().filter(|(_, it)| it.own.node().is_some());
        let closed = written.filter(|(peer, _)| !is_friend(peer, cx));
        let closed: Vec<_> = closed
            .map(|(peer, _)| peer.clone())
            .take(MOST_CLOSED)
            .collect();
        for peer in closed {
            self.close(&peer, cx);
        }
    }

    /// Empties the nodes written to for `peer`, and ends its subscription. The nodes are not deleted: after that, the
    /// peer's server may never again answer a request for all subscriptions of an account that had one there.
    fn close(&mut self, peer: &str, cx: &mut Cx<'_>) {
        let own = cx.account.own_bare();
        for place in self.record.nodes_on(peer, &own) {
            let node = place.node();
            cx.wire.tell("set", None, |out| {
                request::set_subscription(out, node, peer, "none");
            });
            cx.wire.tell("set", None, |out| {
                request::set_affiliation(out, node, [peer], "none");
            });
            cx.wire.tell("set", None, |out| request::purge(out, node));
            self.record.forget_node(peer, &place, cx.wire.now);
        }
        if let Some(pair) = self.pairs.get_mut(peer) {
            pair.own = Own::None;
        }
    }
}

/// Whether the account and `peer` are known to see each other's presence, and `peer` is not blocked.
pub(super) fn is_friend(peer: &str, cx: &Cx<'_>) -> bool {
    let people = &cx.account.people;
    let relation = people.relation(peer);
    people.is_reliable()
        && relation.to == Half::Yes
        && relation.from == Half::Yes
        && !people.is_blocked(peer)
}

/// The options of the node.
const OPTIONS: [(&str, &str); 8] = [
    ("pubsub#access_model", "whitelist"),
    ("pubsub#publish_model", "publishers"),
    ("pubsub#max_items", "50"),
    ("pubsub#persist_items", "1"),
    ("pubsub#send_last_published_item", "never"),
    ("pubsub#presence_based_delivery", "0"),
    ("pubsub#notification_type", "headline"),
    ("pubsub#notify_retract", "0"),
];
