//! One-to-one messages (listings 18 to 20), so far under `pure`: two accounts share a node, and each of them reads on
//! it what the other one publishes.
//!
//! | file | holds | listings |
//! |---|---|---|
//! | `pair.rs` | where a pair's node is, and who may write to it | 18 |
//! | `send.rs` | a message of the client's to an item | 19 |
//! | `receive.rs` | items to messages: whose they are, and which were shown | 20 |
//! | `seen.rs` | what was shown, on a private node | |
//!
//! The service is the database: a list of the account's subscriptions tells of each node, and the node itself of whom
//! it is. It is believed about these two alone, and only if it is on the domain of one of them.

mod pair;
mod receive;
mod seen;
mod send;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::pair::{Outgoing, Pair, Place};
use self::seen::Seen;
use super::node::Step;
use super::relation::Half;
use super::{Cx, Verdict, Wire};
use crate::jid;
use crate::ns;
use crate::policy::{Function, Policy};
use crate::pubsub::{Event, What, answer, request};
use crate::wire::{Dropped, Refused, Reply};
use crate::xml::Element;

/// So many people may be written to or read in one session.
const MOST_PAIRS: usize = 1024;
/// So many nodes are looked at in one session: anybody may subscribe the account to one of his.
const MOST_LOOKS: usize = 1024;
/// So many bytes may wait until it is known where they go.
const MOST_WAITING_BYTES: usize = 1 << 20;
/// Nodes are looked for on the services of so many domains of contacts.
const MOST_SERVICES: usize = 32;

/// What an answer is for.
#[derive(Debug)]
pub(crate) enum Ask {
    /// What the account is subscribed to on this service.
    List(Box<str>),
    /// Whose node this is; whether all on it was said in this session.
    Look(Place, bool),
    /// What is on it.
    Items(Place),
    /// Making it.
    Create(Place),
    /// Having the other one told of what is published here; the first message's address and id.
    Subscribe(Place, Box<str>, Option<Box<str>>),
    /// Publishing a message here; whom it is to, and its id.
    Publish(Place, Box<str>, Option<Box<str>>),
    /// A step of making the private node.
    SeenNode(Step),
    /// What was shown.
    SeenItems,
}

impl From<Ask> for super::Ask {
    fn from(ask: Ask) -> Self {
        Self::Chats(ask)
    }
}

/// The conversations of one session.
pub(super) struct Chats {
    is_on: bool,
    /// It is looked for conversations: the client is there, or has written to somebody.
    is_begun: bool,
    /// By the other one's bare JID.
    pairs: BTreeMap<Box<str>, Pair>,
    /// Nodes that were looked at.
    places: BTreeMap<Place, Owner>,
    /// Services with nodes that may be the account's.
    services: BTreeMap<Box<str>, Listing>,
    /// The services of the contacts' domains are among them.
    knows_contacts: bool,
    seen: Seen,
    /// The client wants to see what its account writes elsewhere (XEP-0280).
    wants_copies: bool,
}

/// How far it is known to which nodes of a service the account is subscribed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listing {
    Wanted,
    Asked,
    Known,
}

/// Whose a node is.
#[derive(Clone)]
enum Owner {
    /// It is to be asked; whether all on it was said in this session.
    Wanted(bool),
    /// It is asked.
    Asked,
    /// The account shares it with this one.
    Pair(Box<str>),
    /// Somebody else's, or it is of no conversation.
    Other,
}

impl Chats {
    pub(super) fn new(policy: Policy, native: &[Function]) -> Self {
        Self {
            is_on: policy == Policy::Pure && policy.translates(Function::Chat, native),
            is_begun: false,
            pairs: BTreeMap::new(),
            places: BTreeMap::new(),
            services: BTreeMap::new(),
            knows_contacts: false,
            seen: Seen::new(),
            wants_copies: false,
        }
    }

    /// The client has become available: what was written to it meanwhile is looked for.
    pub(super) fn handle_available(&mut self, cx: &mut Cx<'_>) {
        if self.is_on {
            self.begin(cx);
        }
    }

    fn begin(&mut self, cx: &mut Cx<'_>) {
        self.is_begun = true;
        self.want(jid::domain(cx.account.bare()));
    }

    /// The service of a domain is to be asked for the nodes the account is subscribed to, once in a session.
    fn want(&mut self, domain: &str) {
        let service = self.services.entry(service_of(domain));
        service.or_insert(Listing::Wanted);
    }

    /// Asks services; `all`: the user waits for it.
    fn list(&mut self, all: bool, cx: &mut Cx<'_>) {
        let wanted = self
            .services
            .iter_mut()
            .filter(|(_, it)| **it == Listing::Wanted);
        for (service, listing) in wanted {
            if !all && !cx.wire.may_work() {
                return;
            }
            let ask = Ask::List(service.clone());
            let body = request::all_own_subscriptions;
            if cx.wire.request("get", Some(service), ask, body) {
                *listing = Listing::Asked;
            }
        }
    }

    /// An IQ of the client's to its own account.
    pub(super) fn client_iq(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        let is_set = iq.attribute("type").as_deref() == Some("set");
        if !self.is_on || !is_set {
            return Verdict::Pass;
        }
        for (word, wants) in [("enable", true), ("disable", false)] {
            if iq.child(ns::CARBONS, word).is_some() {
                self.wants_copies = wants;
                let id = iq.attribute("id").unwrap_or_default();
                let own = cx.account.bare().to_owned();
                cx.wire.show_answer(&id, &own, cx.account.jid(), |_| {});
                return Verdict::Taken;
            }
        }
        Verdict::Pass
    }

    /// Whether a node is known to be a conversation's.
    pub(super) fn owns_node(&self, service: &str, node: &str) -> bool {
        let owner = self.places.get(&Place::new(service, node));
        matches!(owner, Some(Owner::Pair(..)))
    }

    /// Whether what comes of a node may be a conversation's.
    pub(super) fn owns(&self, event: &Event<'_>) -> bool {
        let is_room = || event.node.contains('#');
        self.is_on && jid::local(event.service).is_none() && !is_room()
    }

    /// An event on a node of a service (listing 20), or what became of the account's subscription to it.
    pub(super) fn event(&mut self, event: &Event<'_>, cx: &mut Cx<'_>) -> Verdict {
        let place = Place::new(event.service, event.node);
        let may_be_ours = match event.what {
            What::Items => event.element.children().any(|item| is_message(&item)),
            What::Subscription => is_new_subscription(event, cx),
            What::Node => false,
        };
        let peer = match self.places.get(&place).cloned() {
            Some(Owner::Pair(peer)) => peer,
            Some(Owner::Wanted(_) | Owner::Asked) if may_be_ours => return Verdict::Taken,
            // What it tells is found on the node.
            None if may_be_ours && (!self.is_begun || self.look_now(place)) => {
                return Verdict::Taken;
            }
            _ => return Verdict::Pass,
        };
        match event.what {
            What::Items => {
                let replyto = event.replyto();
                self.handle_items(&peer, &place, event.element, replyto.as_deref(), true, cx);
            }
            What::Node if event.element.local() == "delete" => self.forget(&place),
            What::Subscription
                if event.element.attribute("subscription").as_deref() == Some("none") =>
            {
                self.forget(&place);
            }
            _ => cx.wire.drop_event(Dropped::Retracted),
        }
        Verdict::Taken
    }

    /// The node of a conversation is not there any more.
    fn forget(&mut self, place: &Place) {
        if let Some(Owner::Pair(peer)) = self.places.remove(place)
            && let Some(pair) = self.pairs.get_mut(&peer)
        {
            pair.forget(place);
        }
    }

    /// The answer to an IQ of ours.
    pub(super) fn reply(&mut self, ask: Ask, reply: Reply<'_>, cx: &mut Cx<'_>) {
        match ask {
            Ask::List(service) => self.handle_list(&service, reply, cx),
            Ask::Look(place, is_fresh) => self.handle_look(&place, is_fresh, reply, cx),
            Ask::Items(place) => self.handle_fetched(&place, reply, cx),
            Ask::Create(place) => {
                if reply.is_err() {
                    self.forget(&place);
                }
            }
            Ask::Subscribe(place, to, id) => {
                // It is on the node, and nobody would ever look there.
                if let Err(refused) = reply
                    && self.places.contains_key(&place)
                {
                    self.forget(&place);
                    send::show_unsent(&to, id.as_deref(), refused, cx);
                }
            }
            Ask::Publish(place, to, id) => {
                if let Err(refused) = reply {
                    send::show_unsent(&to, id.as_deref(), refused, cx);
                }
                if matches!(reply, Err(Refused::With("item-not-found"))) {
                    self.forget(&place);
                }
            }
            Ask::SeenNode(step) => {
                let own = cx.account.bare().to_owned();
                self.seen.handle_node(step, reply, &own, cx.wire);
            }
            Ask::SeenItems => {
                // Of nodes on a stranger's domain nothing else tells.
                for place in self.seen.handle_items(reply) {
                    self.look(place, false);
                }
            }
        }
        self.settle(cx);
    }

    fn handle_list(&mut self, service: &str, reply: Reply<'_>, cx: &mut Cx<'_>) {
        self.services.insert(service.into(), Listing::Known);
        let list = reply.ok().and_then(answer::all_own_subscriptions);
        let own = cx.account.bare().to_owned();
        for [node, jid, state] in list.unwrap_or_default() {
            if *jid == *own && *state == *"subscribed" {
                self.look(Place::new(service, &node), false);
            }
        }
    }

    /// Has it asked whose a node is, once; `false`: it is not asked.
    /// `is_fresh`: all on it was said in this session.
    fn look(&mut self, place: Place, is_fresh: bool) -> bool {
        if self.places.len() >= MOST_LOOKS && !self.places.contains_key(&place) {
            // Strangers cannot fill it: what is nobody's can be asked again.
            let mut all = self.places.iter();
            let other = all.find(|(_, owner)| matches!(owner, Owner::Other));
            let other = other.map(|(place, _)| place.clone());
            other.and_then(|place| self.places.remove(&place));
        }
        let has_room = self.places.len() < MOST_LOOKS || self.places.contains_key(&place);
        if has_room {
            let owner = self.places.entry(place);
            owner.or_insert(Owner::Wanted(is_fresh));
        }
        has_room
    }

    /// The same for a node that tells of itself. If it is not in the list of its service, it was made since, and all
    /// on it is new.
    fn look_now(&mut self, place: Place) -> bool {
        let is_fresh = self.services.get(place.service()) == Some(&Listing::Known);
        self.look(place, is_fresh)
    }

    /// Asks whose nodes are, as many as may be asked now.
    fn look_at_some(&mut self, cx: &mut Cx<'_>) {
        for (place, owner) in &mut self.places {
            let Owner::Wanted(is_fresh) = *owner else {
                continue;
            };
            let Some(spare) = cx.wire.spare() else {
                return;
            };
            let ask = Ask::Look(place.clone(), is_fresh);
            spare.request("get", Some(place.service()), ask, |out| {
                request::info(out, Some(place.node()));
            });
            *owner = Owner::Asked;
        }
    }

    fn handle_look(&mut self, place: &Place, is_fresh: bool, reply: Reply<'_>, cx: &mut Cx<'_>) {
        if reply.is_err_and(Refused::may_pass) {
            // Whatever is said on it next has it asked again.
            self.places.remove(place);
            return;
        }
        self.places.insert(place.clone(), Owner::Other);
        let parties = reply.ok().and_then(|iq| pair::parties(iq, place));
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
        if !place.is_on(&domains) || !self.has_room_for(&peer) {
            return;
        }
        let owner = Owner::Pair(peer.clone());
        self.places.insert(place.clone(), owner);
        let pair = self.pairs.entry(peer).or_default();
        pair.add(place.clone(), &creator, is_fresh);
    }

    fn has_room_for(&self, peer: &str) -> bool {
        self.pairs.len() < MOST_PAIRS || self.pairs.contains_key(peer)
    }

    /// Goes on with what waited for knowledge: items to be fetched, messages to be published, what is to be put on
    /// record.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>) {
        if !self.is_begun {
            return;
        }
        self.want_services_of_contacts(cx);
        self.list(false, cx);
        self.look_at_some(cx);
        if cx.account.status.is_available {
            if self.is_own_service_known(cx) || self.pairs.values().any(Pair::is_unread) {
                self.seen.read(cx.wire);
            }
            if self.seen.is_known() {
                self.fetch_some(cx);
            }
        }
        self.send_waiting(cx);
        self.seen.write(cx.wire);
    }

    /// Whether the service of the own domain has told of the nodes on it, or cannot: the others are on record.
    fn is_own_service_known(&self, cx: &Cx<'_>) -> bool {
        let own = service_of(jid::domain(cx.account.bare()));
        self.services.get(&own) == Some(&Listing::Known)
    }

    /// People the client writes to, or is written to by, have their nodes on their own domains, too.
    fn want_services_of_contacts(&mut self, cx: &Cx<'_>) {
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

    fn fetch_some(&mut self, cx: &mut Cx<'_>) {
        for pair in self.pairs.values_mut() {
            for place in pair.unread() {
                let Some(spare) = cx.wire.spare() else {
                    return;
                };
                let ask = Ask::Items(place.clone());
                spare.request("get", Some(place.service()), ask, |out| {
                    request::last_items(out, place.node(), pair::MOST_ITEMS);
                });
                pair.note_asked(&place);
            }
        }
    }

    /// When [`settle`](Self::settle) goes on, if not by an answer.
    pub(super) fn again_at(&self, wire: &Wire) -> Option<Duration> {
        let is_unread = self.seen.is_known() && self.pairs.values().any(Pair::is_unread);
        let is_unlisted = self.services.values().any(|it| *it == Listing::Wanted);
        let mut owners = self.places.values();
        let is_unasked = owners.any(|it| matches!(it, Owner::Wanted(_)));
        let waits = self.is_begun && (is_unread || is_unlisted || is_unasked);
        let fetch = waits.then(|| wire.may_work_at()).flatten();
        let all = fetch.into_iter().chain(self.seen.again_at());
        all.filter(|at| *at > wire.now).min()
    }

    /// The session ends: what the client has said is published, and what was shown is put on record.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>) {
        self.send_last(cx);
        if self.is_begun {
            self.seen.write_last(cx.wire);
        }
    }

    /// The session ends: what was not published comes back.
    pub(super) fn give_back(&mut self, cx: &mut Cx<'_>) {
        for pair in self.pairs.values_mut() {
            while let Some(Outgoing { to, id, .. }) = pair.next_waiting() {
                send::show_unsent(&to, id.as_deref(), Refused::NoAnswer, cx);
            }
        }
    }
}

/// Whether an item holds what people write to each other.
fn is_message(item: &Element<'_>) -> bool {
    item.child(ns::CLIENT, "message").is_some()
}

/// The service for the nodes of accounts of this domain.
fn service_of(domain: &str) -> Box<str> {
    format!("pubsub.{domain}").into()
}

/// Whether an event tells the account that it was subscribed to a node.
fn is_new_subscription(event: &Event<'_>, cx: &Cx<'_>) -> bool {
    let is = |name, value| event.element.attribute(name).as_deref() == Some(value);
    is("jid", cx.account.bare()) && is("subscription", "subscribed")
}
