//! The node of two accounts under `pure`, and who may write to it (listing 18 as printed): the first to write makes it
//! on the service of its own domain, and the peer may write to it, too. If both have made one, both are read, and the
//! bytewise smaller creator's is written to.
//!
//! The service is the database: a list of the account's subscriptions tells of each node, and the node's information
//! tells whose it is. A node is believed only about its two accounts, and only on the domain of one of them.

use std::collections::{BTreeMap, BTreeSet};

use super::message::Message;
use super::pair::{MOST_ITEMS, Reading};
use super::place::Place;
use super::receive::is_message;
use super::{Ask, Chats};
use crate::jid;
use crate::ns;
use crate::pubsub::{Event, What, answer, form, request};
use crate::translate::relation::Half;
use crate::translate::{Cx, Verdict, Wire};
use crate::wire::{Dropped, Refused, Reply};
use crate::xml::Element;

/// Nodes looked at in one session: anybody may subscribe the account to a node.
const MOST_LOOKS: usize = 1024;
/// Domains of contacts on whose services nodes are looked for.
const MOST_SERVICES: usize = 32;

#[derive(Default)]
pub(super) struct Shared {
    /// Nodes that were looked at.
    places: BTreeMap<Place, Owner>,
    /// Services that may have nodes of the account's.
    services: BTreeMap<Box<str>, Listing>,
    /// The services of the contacts' domains were added.
    knows_contacts: bool,
}

/// Whether the account's subscriptions on a service are known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listing {
    Wanted,
    Asked,
    Known,
}

/// The owners of a node.
#[derive(Clone)]
enum Owner {
    Wanted,
    /// The question is on its way.
    Asked,
    /// The account shares the node with this peer.
    Pair(Box<str>),
    /// Other accounts, or no conversation.
    Other,
}

impl Shared {
    /// The peer with whom the account shares a node.
    pub(super) fn peer(&self, place: &Place) -> Option<&str> {
        match self.places.get(place) {
            Some(Owner::Pair(peer)) => Some(peer),
            _ => None,
        }
    }

    pub(super) fn forget(&mut self, place: &Place) -> Option<Box<str>> {
        match self.places.remove(place) {
            Some(Owner::Pair(peer)) => Some(peer),
            _ => None,
        }
    }

    /// Has the service of a domain asked, once in a session, for the nodes the account is subscribed to.
    pub(super) fn want(&mut self, domain: &str) {
        let service = self.services.entry(service_of(domain));
        service.or_insert(Listing::Wanted);
    }

    /// Looks for nodes on the contacts' domains, too: they may have made them there.
    pub(super) fn want_services_of_contacts(&mut self, cx: &Cx<'_>) {
        if !cx.account.people.is_known() || std::mem::replace(&mut self.knows_contacts, true) {
            return;
        }
        let contacts = cx.account.people.iter();
        let contacts = contacts.filter(|(_, contact)| contact.relation.to == Half::Yes);
        let domains: BTreeSet<_> = contacts.map(|(account, _)| jid::domain(account)).collect();
        for domain in domains.into_iter().take(MOST_SERVICES) {
            self.want(domain);
        }
    }

    /// Asks services for the account's subscriptions; `all`: at once, as the user waits for it.
    pub(super) fn list(&mut self, all: bool, wire: &mut Wire) {
        let wanted = self
            .services
            .iter_mut()
            .filter(|(_, it)| **it == Listing::Wanted);
        for (service, listing) in wanted {
            if !all && !wire.may_work() {
                return;
            }
            let ask = Ask::List(service.clone());
            let body = request::all_own_subscriptions;
            if wire.request("get", Some(service), ask, body) {
                *listing = Listing::Asked;
            }
        }
    }

    pub(super) fn handle_list(&mut self, service: &str, reply: Reply<'_>, own: &str) {
        self.services.insert(service.into(), Listing::Known);
        let list = reply.ok().and_then(answer::all_own_subscriptions);
        for [node, jid, state] in list.unwrap_or_default() {
            if *jid == *own && *state == *"subscribed" {
                self.look(Place::new(service, &node));
            }
        }
    }

    /// Has it asked whose a node is, once; `false`: there is no room.
    pub(super) fn look(&mut self, place: Place) -> bool {
        if self.places.len() >= MOST_LOOKS && !self.places.contains_key(&place) {
            // Forget another account's node: so strangers cannot fill the list, and it can be asked about again.
            let mut all = self.places.iter();
            let other = all.find(|(_, owner)| matches!(owner, Owner::Other));
            let other = other.map(|(place, _)| place.clone());
            other.and_then(|place| self.places.remove(&place));
        }
        let has_room = self.places.len() < MOST_LOOKS || self.places.contains_key(&place);
        if has_room {
            self.places.entry(place).or_insert(Owner::Wanted);
        }
        has_room
    }

    /// Asks whose nodes are, as many as may be asked now.
    pub(super) fn look_at_some(&mut self, wire: &mut Wire) {
        for (place, owner) in &mut self.places {
            if !matches!(owner, Owner::Wanted) {
                continue;
            }
            let Some(spare) = wire.spare() else {
                return;
            };
            let ask = Ask::Look(place.clone());
            spare.request("get", Some(place.service()), ask, |out| {
                request::info(out, Some(place.node()));
            });
            *owner = Owner::Asked;
        }
    }

    /// Whether the service of the own domain has listed its nodes, or cannot; nodes elsewhere are on record.
    pub(super) fn is_own_service_known(&self, own: &str) -> bool {
        let service = service_of(jid::domain(own));
        self.services.get(&service) == Some(&Listing::Known)
    }

    /// Whether the services of both domains have answered, so that an unknown node does not exist.
    pub(super) fn is_looked_for(&self, own: &str, peer: &str) -> bool {
        let domains = [jid::domain(own), jid::domain(peer)];
        domains.map(service_of).iter().all(|service| {
            let listing = self.services.get(service);
            let has_answered = listing.is_none_or(|it| *it == Listing::Known);
            let mut places = self.places.iter();
            let is_unknown = places.any(|(place, owner)| {
                matches!(owner, Owner::Wanted | Owner::Asked) && place.service() == &**service
            });
            has_answered && !is_unknown
        })
    }

    /// Whether a question waits for its turn.
    pub(super) fn has_questions(&self) -> bool {
        let mut owners = self.places.values();
        self.services.values().any(|it| *it == Listing::Wanted)
            || owners.any(|it| matches!(it, Owner::Wanted))
    }
}

impl Chats {
    /// Handles an event on a node of a service, under `pure`.
    pub(super) fn service_event(&mut self, event: &Event<'_>, cx: &mut Cx<'_>) -> Verdict {
        let place = Place::new(event.service, event.node);
        let may_be_ours = match event.what {
            What::Items => event.element.children().any(|item| is_message(&item)),
            What::Subscription => is_new_subscription(event, cx),
            What::Node => false,
        };
        let peer = match self.shared.places.get(&place).cloned() {
            Some(Owner::Pair(peer)) => peer,
            Some(Owner::Wanted | Owner::Asked) if may_be_ours => return Verdict::Taken,
            // The item is found on the node.
            None if may_be_ours && (!self.is_begun || self.shared.look(place)) => {
                self.is_idle = false;
                return Verdict::Taken;
            }
            _ => return Verdict::Pass,
        };
        match event.what {
            What::Items => self.handle_shared(&peer, &place, event, cx),
            _ if event.is_end() => self.forget(&place),
            _ => cx.wire.drop_event(Dropped::Retracted),
        }
        Verdict::Taken
    }

    /// Forgets a shared node that does not exist any more.
    pub(super) fn forget(&mut self, place: &Place) {
        if let Some(peer) = self.shared.forget(place)
            && let Some(pair) = self.pairs.get_mut(&*peer)
        {
            pair.forget(place);
        }
    }

    pub(super) fn handle_look(&mut self, place: &Place, reply: Reply<'_>, cx: &mut Cx<'_>) {
        if reply.is_err_and(Refused::may_pass) {
            // The next event on the node has it asked about again.
            self.shared.places.remove(place);
            return;
        }
        self.shared.places.insert(place.clone(), Owner::Other);
        let parties = reply.ok().and_then(|iq| parties(iq, place));
        let Some((creator, other)) = parties else {
            return;
        };
        let own = cx.account.bare();
        let peer: Box<str> = match (&*creator == own, &*other == own) {
            (true, false) => other,
            (false, true) => creator.clone(),
            _ => return,
        };
        let domains = [jid::domain(own), jid::domain(&peer)];
        if place.is_on(&domains)
            && let Some(pair) = self.pair_mut(&peer)
        {
            pair.add(place.clone(), &creator);
            self.shared.places.insert(place.clone(), Owner::Pair(peer));
        }
    }

    /// Makes the node of a pair, in one write with the items published on it (listing 18): the peer may write to it,
    /// and both are subscribed, as listing 20 delivers to both. `None`: too many requests wait.
    pub(super) fn make_shared(&mut self, peer: &str, cx: &mut Cx<'_>) -> Option<Place> {
        let own = cx.account.own_bare();
        // Contacts look for nodes on each other's domains, strangers on their own alone.
        let contact = cx.account.people.get(peer);
        let is_contact = contact.is_some_and(|contact| contact.relation.from == Half::Yes);
        let host = if is_contact { &*own } else { peer };
        let service = service_of(jid::domain(host));
        let place = Place::new(&service, cx.wire.fresh_id().as_str());
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
        let first = pair.first_waiting();
        let (to, id) = first.map_or_else(|| (peer.into(), None), Message::address);
        let ask = Ask::Subscribe(place.clone(), to, id);
        cx.wire.request("set", Some(&service), ask, |out| {
            request::set_subscription(out, place.node(), peer, "subscribed");
        });
        cx.wire.tell("set", Some(&service), |out| {
            request::set_subscription(out, place.node(), &own, "subscribed");
        });
        let owner = Owner::Pair(peer.into());
        self.shared.places.insert(place.clone(), owner);
        pair.add(place.clone(), &own);
        // The node was just made, so nothing is on it.
        pair.note(&place, Reading::Done);
        Some(place)
    }
}

/// The service for the nodes of accounts of this domain.
pub(super) fn service_of(domain: &str) -> Box<str> {
    format!("pubsub.{domain}").into()
}

/// The creator of a node and the other account that may write to it, by the node's information, if it is a node of two
/// accounts (listing 18): a whitelist, one owner and one other publisher.
fn parties(iq: &Element<'_>, place: &Place) -> Option<(Box<str>, Box<str>)> {
    let query = iq.child(ns::DISCO_INFO, "query")?;
    if query
        .attribute("node")
        .is_some_and(|node| *node != *place.node())
    {
        return None;
    }
    let x = query.child(ns::DATA, "x")?;
    if form::value(&x, "pubsub#access_model").as_deref() != Some("whitelist") {
        return None;
    }
    let [owners, publishers] =
        ["pubsub#owner", "pubsub#publisher"].map(|var| form::values(&x, var));
    let ([owner], [publisher]) = (&owners[..], &publishers[..]) else {
        return None;
    };
    let [owner, publisher] = [owner, publisher].map(|it| jid::prepare(it));
    let (owner, publisher) = (owner?, publisher?);
    let is_account = |jid: &str| jid::local(jid).is_some() && jid::resource(jid).is_none();
    (is_account(&owner) && is_account(&publisher) && owner != publisher)
        .then(|| (owner.into(), publisher.into()))
}

/// Whether an event tells the account that it was subscribed to a node.
fn is_new_subscription(event: &Event<'_>, cx: &Cx<'_>) -> bool {
    let is = |name, value| event.element.attribute(name).as_deref() == Some(value);
    is("jid", cx.account.bare()) && is("subscription", "subscribed")
}
