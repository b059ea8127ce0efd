//! Where the node of two accounts is, and who may write to it (listing 18): whoever writes first makes it on the
//! service of his domain, and the other one may write to it, too. If both have made one, both are read, and the
//! bytewise smaller creator's is written to.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::jid;
use crate::ns;
use crate::pubsub::form;
use crate::translate::shown::Shown;
use crate::xml::Element;

/// So many messages are fetched of each node at login, and as many are kept on it.
pub(super) const MOST_ITEMS: usize = 50;
/// So many nodes of a pair are read.
const MOST_PLACES: usize = 64;
/// So many ids of items are remembered.
const MOST_SHOWN: usize = 128;
/// So many messages wait until it is known where the node is, or until there is room for more requests.
const MOST_WAITING: usize = 64;

/// A node on a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    service: Box<str>,
    node: Box<str>,
}

impl Place {
    pub(super) fn new(service: &str, node: &str) -> Self {
        Self {
            service: service.into(),
            node: node.into(),
        }
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// Whether its service is on one of these domains: a host, as the resource of another could end like one.
    pub(super) fn is_on(&self, domains: &[&str]) -> bool {
        let is_host = jid::resource(&self.service).is_none();
        is_host
            && domains.iter().any(|domain| {
                let rest = self.service.strip_suffix(domain);
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })
    }
}

/// What a chat state that stands alone is published as: each replaces the one before.
pub(super) const STATE: &str = "state/";

/// A message that is to be published.
pub(super) struct Outgoing {
    /// Whom it is to, as the client has written it.
    pub(super) to: Box<str>,
    pub(super) id: Option<Box<str>>,
    pub(super) item: Box<str>,
    pub(super) payload: Bytes,
}

/// What is known of the conversation with somebody.
pub(super) struct Pair {
    places: Vec<Known>,
    /// What the client has said before it was known where the node is.
    waiting: VecDeque<Outgoing>,
    /// Items that were shown.
    shown: Shown,
}

struct Known {
    place: Place,
    creator: Box<str>,
    reading: Reading,
    /// What is on it was said in this session.
    is_fresh: bool,
}

/// How far what was on a node before is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Wanted,
    Asked,
    Done,
    /// It is not, and is not in this session.
    Failed,
}

impl Default for Pair {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            waiting: VecDeque::new(),
            shown: Shown::new(MOST_SHOWN),
        }
    }
}

impl Pair {
    pub(super) fn add(&mut self, place: Place, creator: &str, is_fresh: bool) {
        if self.known(&place).is_none() && self.places.len() < MOST_PLACES {
            self.places.push(Known {
                place,
                creator: creator.into(),
                reading: Reading::Wanted,
                is_fresh,
            });
        }
    }

    fn known(&self, place: &Place) -> Option<&Known> {
        self.places.iter().find(|it| it.place == *place)
    }

    fn known_mut(&mut self, place: &Place) -> Option<&mut Known> {
        self.places.iter_mut().find(|it| it.place == *place)
    }

    /// The client has just made it, so nothing is on it.
    pub(super) fn add_new(&mut self, place: &Place, creator: &str) {
        self.add(place.clone(), creator, true);
        self.note_read(place);
    }

    pub(super) fn forget(&mut self, place: &Place) {
        self.places.retain(|it| it.place != *place);
    }

    /// Where the client writes to.
    pub(super) fn written(&self) -> Option<&Place> {
        let first = self
            .places
            .iter()
            .min_by(|one, other| one.creator.cmp(&other.creator));
        first.map(|it| &it.place)
    }

    pub(super) fn is_unread(&self) -> bool {
        self.places.iter().any(|it| it.reading == Reading::Wanted)
    }

    /// Nodes that are to be fetched.
    pub(super) fn unread(&self) -> Vec<Place> {
        let unread = self
            .places
            .iter()
            .filter(|it| it.reading == Reading::Wanted);
        unread.map(|it| it.place.clone()).collect()
    }

    /// Something was said on it that the client was not shown: it is on the node, and fetched from there.
    pub(super) fn note_unread(&mut self, place: &Place) {
        if let Some(known) = self.known_mut(place) {
            (known.reading, known.is_fresh) = (Reading::Wanted, false);
        }
    }

    /// What is on it cannot be had.
    pub(super) fn note_failed(&mut self, place: &Place) {
        self.note(place, Reading::Failed);
    }

    pub(super) fn note_asked(&mut self, place: &Place) {
        self.note(place, Reading::Asked);
    }

    pub(super) fn note_read(&mut self, place: &Place) {
        self.note(place, Reading::Done);
    }

    fn note(&mut self, place: &Place, reading: Reading) {
        if let Some(known) = self.known_mut(place) {
            known.reading = reading;
        }
    }

    /// How far what was on the node before was shown.
    pub(super) fn reading(&self, place: &Place) -> Option<Reading> {
        self.known(place).map(|it| it.reading)
    }

    /// Whether what is on the node was said in this session.
    pub(super) fn is_fresh(&self, place: &Place) -> bool {
        self.known(place).is_some_and(|it| it.is_fresh)
    }

    /// Whether an item was not shown before; from now on it was.
    pub(super) fn is_new(&mut self, item: &str) -> bool {
        self.shown.is_new(item)
    }

    /// Lets a message wait; it comes back if there is no room.
    pub(super) fn wait(&mut self, message: Outgoing) -> Result<(), Outgoing> {
        if self.waiting.len() >= MOST_WAITING {
            return Err(message);
        }
        self.waiting.push_back(message);
        Ok(())
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The item of the message that has waited longest and is no state, whose item moves.
    pub(super) fn first_waiting(&self) -> Option<&str> {
        let mut items = self.waiting.iter().map(|it| &*it.item);
        items.find(|item| !item.starts_with(STATE))
    }

    /// Whom the message is to that has waited longest, and its id.
    pub(super) fn first_waiting_for(&self) -> Option<(Box<str>, Option<Box<str>>)> {
        let first = self.waiting.front();
        first.map(|it| (it.to.clone(), it.id.clone()))
    }

    /// The message that has waited longest; it waits no longer.
    pub(super) fn next_waiting(&mut self) -> Option<Outgoing> {
        self.waiting.pop_front()
    }

    /// How many bytes wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting.iter().map(|it| it.payload.len()).sum()
    }

    /// Of what waits only what says something stays: no states that say something of now.
    pub(super) fn drop_states(&mut self) {
        self.waiting.retain(|it| !it.item.starts_with(STATE));
    }
}

/// Who has made a node and who else may write to it, as it says of itself, if that makes it one of two accounts
/// (listing 18): nobody else may read it, and one account beside the owner may publish.
pub(super) fn parties(iq: &Element<'_>, place: &Place) -> Option<(Box<str>, Box<str>)> {
    let query = iq.child(ns::DISCO_INFO, "query")?;
    if query
        .attribute("node")
        .is_some_and(|node| *node != *place.node)
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
