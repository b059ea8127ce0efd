//! A message of the client's becomes an item of the node it shares with whom it is to (listings 18 and 19).

use bytes::{BufMut as _, BytesMut};

use super::pair::{MOST_ITEMS, Outgoing, Pair, Place, Reading, STATE};
use super::{Ask, Chats, Listing, MOST_WAITING_BYTES, Owner, service_of};
use crate::jid;
use crate::ns;
use crate::pubsub::request;
use crate::translate::relation::Half;
use crate::translate::shown::stamp;
use crate::translate::{Cx, rules};
use crate::wire::Refused;
use crate::xml::{Element, rewrite_standalone};

impl Chats {
    /// A message of the client's; `false`: it is not for one account.
    pub(in crate::translate) fn client_message(
        &mut self,
        message: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> bool {
        let kind = message.attribute("type");
        if !self.is_on || !matches!(kind.as_deref(), None | Some("chat" | "normal" | "headline")) {
            return false;
        }
        let to = message.attribute("to").unwrap_or_default();
        let peer = jid::prepare(jid::bare(&to)).filter(|peer| jid::local(peer).is_some());
        let Some(peer) = peer.filter(|peer| *peer != *cx.account.bare()) else {
            return false;
        };
        cx.wire.apply(&rules::MESSAGE_OUT);
        if !self.has_room_for(&peer) {
            cx.wire.refuse(message, "wait", "resource-constraint");
            return true;
        }
        let outgoing = Outgoing::of(message, cx);
        let waiting: usize = self.pairs.values().map(Pair::waiting_bytes).sum();
        if waiting + outgoing.payload.len() > MOST_WAITING_BYTES {
            cx.wire.refuse(message, "wait", "resource-constraint");
            return true;
        }
        self.begin(cx);
        self.want(jid::domain(&peer));
        self.list(true, cx);
        let pair = self.pairs.entry(peer.into()).or_default();
        if pair.wait(outgoing).is_err() {
            cx.wire.refuse(message, "wait", "resource-constraint");
        }
        self.settle(cx);
        true
    }

    /// To whom something waits.
    fn waiting(&self) -> Vec<Box<str>> {
        let waiting = self.pairs.iter().filter(|(_, pair)| pair.is_waiting());
        waiting.map(|(peer, _)| peer.clone()).collect()
    }

    /// Publishes what waited, where it is known where.
    pub(super) fn send_waiting(&mut self, cx: &mut Cx<'_>) {
        for peer in self.waiting() {
            let known = self
                .pairs
                .get(&peer)
                .and_then(|pair| pair.written().cloned());
            let place = match known {
                Some(place) => Some(place),
                None if self.is_looked_for(&peer, cx) => self.make(&peer, cx),
                None => None,
            };
            if let Some(place) = place {
                self.publish_waiting(&peer, &place, cx);
            }
        }
    }

    /// The session ends: publishes what waited. A node that is not known by now is made, whether there is one or not:
    /// all nodes of a pair are read.
    pub(super) fn send_last(&mut self, cx: &mut Cx<'_>) {
        for peer in self.waiting() {
            let pair = self.pairs.entry(peer.clone()).or_default();
            if pair.written().is_none() {
                pair.drop_states();
            }
            let place = match pair.written().cloned() {
                None if pair.is_waiting() => self.make(&peer, cx),
                known => known,
            };
            if let Some(place) = place {
                self.publish_waiting(&peer, &place, cx);
            }
        }
    }

    /// Publishes what waited, as far as there is room for requests.
    fn publish_waiting(&mut self, peer: &str, place: &Place, cx: &mut Cx<'_>) {
        let Some(pair) = self.pairs.get_mut(peer) else {
            return;
        };
        // A node that no list tells of is on record from its first item on: the answer may come while nobody is there.
        let own_service = service_of(jid::domain(cx.account.bare()));
        if place.service() != &*own_service
            && pair.reading(place) == Some(Reading::Done)
            && self.seen.last(place).is_none()
            && let Some(item) = pair.first_waiting()
        {
            self.seen.note(place, item, cx.wire.now);
        }
        while cx.wire.places() > 0
            && let Some(Outgoing {
                to,
                id,
                item,
                payload,
            }) = pair.next_waiting()
        {
            let ask = Ask::Publish(place.clone(), to.clone(), id.clone());
            let is_sent = cx.wire.request("set", Some(place.service()), ask, |out| {
                request::publish(out, place.node(), &item, None, |out| {
                    out.put_slice(&payload);
                });
            });
            if !is_sent {
                show_unsent(&to, id.as_deref(), Refused::NoRoom, cx);
            }
        }
    }

    /// Whether the services on both domains have told all they know, so that a node that is not known is not there.
    fn is_looked_for(&self, peer: &str, cx: &Cx<'_>) -> bool {
        let domains = [jid::domain(cx.account.bare()), jid::domain(peer)];
        domains.map(service_of).iter().all(|service| {
            let listing = self.services.get(service);
            let has_answered = listing.is_none_or(|it| *it == Listing::Known);
            let mut places = self.places.iter();
            let is_unknown = places.any(|(place, owner)| {
                matches!(owner, Owner::Wanted(_) | Owner::Asked) && place.service() == &**service
            });
            has_answered && !is_unknown
        })
    }

    /// Makes the node of a pair, in one write with what is published on it (listing 18): the other one may write to it,
    /// and both are subscribed, as listing 20 delivers to both.
    /// `None`: too many requests wait.
    fn make(&mut self, peer: &str, cx: &mut Cx<'_>) -> Option<Place> {
        let own = cx.account.bare().to_owned();
        // Contacts look for nodes on each other's domains, others on their own alone.
        let contact = cx.account.people.get(peer);
        let is_contact = contact.is_some_and(|contact| contact.relation.from == Half::Yes);
        let host = if is_contact { &*own } else { peer };
        let service = service_of(jid::domain(host));
        let place = Place::new(&service, &cx.wire.fresh_id().to_string());
        let most = MOST_ITEMS.to_string();
        let fields = [
            ("pubsub#access_model", "whitelist"),
            ("pubsub#publisher", peer),
            ("pubsub#publish_model", "publishers"),
            ("pubsub#max_items", &*most),
            ("pubsub#persist_items", "1"),
            ("pubsub#send_last_published_item", "never"),
            ("pubsub#presence_based_delivery", "0"),
            ("pubsub#itemreply", "publisher"),
        ];
        if cx.wire.places() < 2 {
            return None;
        }
        let ask = Ask::Create(place.clone());
        let is_asked = cx.wire.request("set", Some(&service), ask, |out| {
            request::create(out, place.node(), &fields);
        });
        if !is_asked {
            return None;
        }
        let pair = self.pairs.entry(peer.into()).or_default();
        let (to, id) = pair
            .first_waiting_for()
            .unwrap_or_else(|| (peer.into(), None));
        let ask = Ask::Subscribe(place.clone(), to, id);
        cx.wire.request("set", Some(&service), ask, |out| {
            request::set_subscription(out, place.node(), peer, "subscribed");
        });
        cx.wire.tell("set", Some(&service), |out| {
            request::set_subscription(out, place.node(), &own, "subscribed");
        });
        self.places.insert(place.clone(), Owner::Pair(peer.into()));
        pair.add_new(&place, &own);
        Some(place)
    }
}

impl Outgoing {
    fn of(message: &Element<'_>, cx: &mut Cx<'_>) -> Self {
        let is_state = |child: &Element<'_>| {
            matches!(&*child.namespace(), ns::CHAT_STATES | ns::HINTS) || child.local() == "thread"
        };
        let item = match message.children().all(|child| is_state(&child)) {
            true => format!("{STATE}{}", cx.account.bare()),
            false => cx.wire.fresh_id().to_string(),
        };
        let delay = format!(
            "<delay xmlns='{}' stamp='{}'/>",
            ns::DELAY,
            stamp(cx.wire.unix_time())
        );
        let kind = message.attribute("type");
        let changes = [
            ("from", Some(cx.account.jid())),
            ("type", Some(kind.as_deref().unwrap_or("normal"))),
        ];
        let may_stay = |child: &Element<'_>| child.namespace() != ns::DELAY;
        let mut payload = BytesMut::with_capacity(message.raw().len() + 256);
        rewrite_standalone(&mut payload, message, &changes, may_stay, &delay);
        Self {
            to: (*message.attribute("to").unwrap_or_default()).into(),
            id: message.attribute("id").map(|id| (*id).into()),
            item: item.into(),
            payload: payload.freeze(),
        }
    }
}

/// A message was not published, as far as is known.
pub(super) fn show_unsent(to: &str, id: Option<&str>, refused: Refused<'_>, cx: &mut Cx<'_>) {
    let condition = match refused {
        Refused::NoRoom => "resource-constraint",
        refused => refused.condition_or("remote-server-timeout"),
    };
    cx.wire.show_unsent(to, cx.account.jid(), id, condition);
}
