//! One-to-one messages (listings 18 to 20).
//!
//! | file | holds | listings |
//! |---|---|---|
//! | `own.rs` | `auto`: the node that the account writes to and the peer reads | 18 |
//! | `shared.rs` | `pure`: the node that both write to | 18 |
//! | `reach.rs` | `auto`: available resources, behind a shim or not | |
//! | `opening.rs` | `auto`: questions that come before the client's first presence | |
//! | `send.rs` | a message of the client's to an item, or natively | 19 |
//! | `receive.rs` | events and fetched items of a conversation's nodes: in order, once each | 20 |
//! | `item.rs` | an item to a message: its author, whom it is for | 20 |
//! | `copies.rs` | `auto`: native copies of items | |
//! | `series.rs` | items that were lost on their way | 20 |
//! | `pair.rs` | the conversation with one peer | |
//! | `place.rs`, `message.rs` | nodes; messages of the client's that wait | |
//! | `show.rs`, `delay.rs` | a message as the client is shown it; when it was written | |
//! | `marked.rs` | items of rooms | |
//! | `record.rs` | the last item shown of each node, on a private node | |

mod copies;
mod delay;
mod item;
mod marked;
mod message;
mod opening;
mod own;
mod pair;
mod place;
mod reach;
mod receive;
mod record;
mod send;
mod series;
mod shared;
mod show;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use self::marked::Marked;
use self::message::show_unsent_to;
use self::opening::Opening;
use self::own::PREFIX;
use self::pair::{Pair, Reading};
use self::place::{Own, Place, State};
use self::reach::{Reach, priority_of};
use self::receive::{may_read, takes_messages};
use self::record::Record;
use self::send::Publish;
use self::shared::Shared;
use super::node::Step;
use super::{Cx, Verdict, Wire};
use crate::jid;
use crate::ns;
use crate::policy::{Chat, Function, Policy};
use crate::pubsub::{Event, What, request};
use crate::wire::{Dropped, Reply};
use crate::xml::Element;

/// Peers that may be written to or read in one session.
const MOST_PAIRS: usize = 1024;

/// The purpose of an IQ of ours.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Lists the account's subscriptions on this service.
    List(Box<str>),
    /// Asks whose node this is.
    Look(Place),
    /// Lists the items of this node.
    Items(Place),
    /// Creates this node.
    Create(Place),
    /// Subscribes the peer to the node; with the first message's address and id.
    Subscribe(Place, Box<str>, Option<Box<str>>),
    /// Publishes a message.
    Publish(Publish),
    /// Asks whether the server keeps an archive of the account's messages.
    Archive,
    /// A step with the own node that is written to for this peer.
    Own(Arc<str>, own::Step),
    /// Reads items published to this peer that may not have been seen, to copy them.
    Copies(Arc<str>, Vec<Arc<str>>),
    /// A step of making and verifying the private node.
    RecordNode(Step),
    /// Reads the record of items that were shown.
    Record,
}

impl From<Ask> for super::Ask {
    fn from(ask: Ask) -> Self {
        Self::Chats(ask)
    }
}

/// The conversations of one session.
pub(super) struct Chats {
    is_on: bool,
    /// The two accounts share a node on a service, and nothing leaves natively (`pure`); else each writes to a node of
    /// its own, if all who would see the message natively see the item (`auto`).
    shares_nodes: bool,
    /// Nodes of conversations are looked for: the client is available, or has written a message.
    is_begun: bool,
    /// No item, message or question waits for its turn.
    is_idle: bool,
    opening: Opening,
    reach: Reach,
    shared: Shared,
    /// Peers were compared with the roster.
    knows_contacts: bool,
    /// Conversations by the peer's bare JID.
    pairs: BTreeMap<Arc<str>, Pair>,
    record: Record,
    /// Items that rooms have to look at.
    marked: VecDeque<Marked>,
    /// The client wants copies of messages that other resources of its account send and receive (XEP-0280).
    wants_copies: bool,
    /// The client's priority.
    priority: i8,
    /// Since when the client is available, in seconds since 1970.
    available_since: i64,
}

impl Chats {
    pub(super) fn new(policy: Policy, native: &[Function], chat: Chat) -> Self {
        let is_on = policy.translates(Function::Chat, native);
        Self {
            is_on: is_on && (policy == Policy::Pure || chat != Chat::Native),
            shares_nodes: policy == Policy::Pure,
            is_begun: false,
            is_idle: true,
            opening: Opening::new(chat),
            reach: Reach::default(),
            shared: Shared::default(),
            knows_contacts: false,
            pairs: BTreeMap::new(),
            record: Record::new(),
            marked: VecDeque::new(),
            wants_copies: false,
            priority: 0,
            available_since: 0,
        }
    }

    fn has_own_nodes(&self) -> bool {
        self.is_on && !self.shares_nodes
    }

    /// Whether the client's first presence has to wait.
    pub(super) fn awaits_first(&self) -> bool {
        self.has_own_nodes() && self.opening.is_to_come()
    }

    /// Holds the client's first presence, and all stanzas behind it.
    pub(super) fn hold_first(&mut self, cx: &mut Cx<'_>) {
        self.opening.hold(&mut self.record, cx);
    }

    /// Whether the client's next stanzas have to wait: for its first presence, or because too many messages wait for
    /// answers.
    pub(super) fn holds_client(&self) -> bool {
        self.opening.is_waiting() || self.has_own_nodes() && self.is_full()
    }

    /// Lets the client's first presence go, if it has waited long enough, or in any case (`all`).
    pub(super) fn release_first(&mut self, all: bool, wire: &Wire) {
        self.opening.release(all, &self.record, wire);
    }

    /// Handles the client's available presence: looks for messages that came meanwhile.
    pub(super) fn handle_available(
        &mut self,
        presence: &Element<'_>,
        was_available: bool,
        cx: &mut Cx<'_>,
    ) {
        if !self.is_on {
            return;
        }
        let took = was_available && self.priority >= 0;
        let was_there = self.available_since > 0;
        self.priority = priority_of(presence);
        cx.account.takes_chats = self.has_own_nodes() && self.opening.takes_chats();
        if !was_available {
            self.available_since = cx.wire.unix_time();
            self.begin(cx);
        }
        if !took && self.priority >= 0 {
            self.is_idle = false;
            // Items that came while the client took no messages are on the nodes only.
            self.pairs.values_mut().for_each(Pair::note_away);
            if was_there {
                self.record.read_again();
            }
        } else if self.priority < 0 {
            self.record.hurry(cx.wire.now);
        }
    }

    /// Handles the client's unavailable presence: no presence of others comes any more.
    pub(super) fn handle_unavailable(&mut self, wire: &Wire) {
        self.reach.clear();
        self.record.hurry(wire.now);
    }

    fn begin(&mut self, cx: &mut Cx<'_>) {
        self.is_begun = true;
        self.is_idle = false;
        if self.shares_nodes {
            self.shared.want(jid::domain(cx.account.bare()));
        }
    }

    /// Handles an IQ of the client's to its own account.
    pub(super) fn client_iq(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        let is_set = iq.attribute("type").as_deref() == Some("set");
        if !self.is_on || !is_set {
            return Verdict::Pass;
        }
        for (word, wants) in [("enable", true), ("disable", false)] {
            if iq.child(ns::CARBONS, word).is_some() {
                self.wants_copies = wants;
                if !self.shares_nodes {
                    // The server copies native messages.
                    return Verdict::Pass;
                }
                let id = iq.attribute("id").unwrap_or_default();
                let own = cx.account.own_bare();
                cx.wire.show_answer(&id, &own, cx.account.jid(), "");
                return Verdict::Taken;
            }
        }
        Verdict::Pass
    }

    /// Handles a native presence that tells whether a resource is available.
    pub(super) fn handle_native(&mut self, presence: &Element<'_>, cx: &mut Cx<'_>) {
        if !self.has_own_nodes() {
            return;
        }
        let from = presence.attribute("from").unwrap_or_default();
        let (account, people) = (jid::bare(&from), &cx.account.people);
        // Once the roster is known, only contacts matter.
        let matters = !people.is_known() || people.get(account).is_some();
        if !matters && account != cx.account.bare() {
            return;
        }
        self.reach.note(presence);
        self.is_idle = false;
        if presence.attribute("type").is_none()
            && let Some(pair) = self.pairs.get_mut(account)
        {
            pair.note_there();
        }
        self.copy_unseen(presence, cx);
    }

    /// Whether a node is known to be a conversation's.
    pub(super) fn owns_node(&self, service: &str, node: &str) -> bool {
        match self.shares_nodes {
            true => self.shared.peer(&Place::new(service, node)).is_some(),
            false => self.is_on && jid::is_account(service) && node.starts_with(PREFIX),
        }
    }

    /// Whether an event on a node may belong to a conversation.
    pub(super) fn owns(&self, event: &Event<'_>) -> bool {
        match self.shares_nodes {
            true => {
                let is_room = || event.node.contains('#');
                self.is_on && jid::local(event.service).is_none() && !is_room()
            }
            false => self.owns_node(event.service, event.node),
        }
    }

    /// Handles an event on a node (listing 20), or about the account's subscription to it.
    pub(super) fn event(&mut self, event: &Event<'_>, cx: &mut Cx<'_>) -> Verdict {
        match self.shares_nodes {
            true => self.service_event(event, cx),
            false => self.account_event(event, cx),
        }
    }

    /// Handles the answer to an IQ of ours.
    pub(super) fn reply(&mut self, ask: Ask, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let was_idle = std::mem::replace(&mut self.is_idle, false);
        match ask {
            Ask::List(service) => {
                let own = cx.account.own_bare();
                self.shared.handle_list(&service, reply, &own);
            }
            Ask::Look(place) => self.handle_look(&place, reply, cx),
            Ask::Items(place) => self.handle_fetched(&place, reply, cx),
            Ask::Create(place) => {
                if reply.is_err() {
                    self.forget(&place);
                }
            }
            Ask::Subscribe(place, to, id) => {
                // The first message is on the node, but the peer would never look there.
                if let Err(refused) = reply
                    && self.shared.peer(&place).is_some()
                {
                    self.forget(&place);
                    show_unsent_to(&to, id.as_deref(), refused, cx);
                }
            }
            Ask::Publish(publish) => {
                // The answer concerns this conversation alone.
                self.is_idle = was_idle;
                return self.handle_published(&publish, reply, cx);
            }
            Ask::Archive => self.opening.handle_archive(reply),
            Ask::Own(peer, step) => self.handle_own(&peer, step, reply, cx),
            Ask::Copies(peer, items) => self.handle_copies(&peer, &items, reply, cx),
            Ask::RecordNode(step) => {
                let own = cx.account.own_bare();
                self.record.handle_node(step, reply, &own, cx.wire);
            }
            Ask::Record => self.handle_record(reply, cx),
        }
        self.settle(cx);
    }

    fn handle_record(&mut self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let recorded = self
            .record
            .handle_items(reply, was_shown(&self.pairs), cx.wire);
        self.learn(recorded, cx);
    }

    /// Handles an event on the private node: another session of the account has written to the record.
    pub(super) fn record_event(&mut self, event: &Event<'_>, cx: &mut Cx<'_>) {
        if !self.is_on || event.what != What::Items {
            return cx.wire.drop_event(Dropped::Seen);
        }
        let recorded = self
            .record
            .handle_event(event.element, was_shown(&self.pairs), cx.wire.now);
        self.learn(recorded, cx);
        self.is_idle = false;
        self.settle(cx);
    }

    fn learn(&mut self, recorded: Vec<(Box<str>, Place)>, cx: &mut Cx<'_>) {
        for (peer, place) in recorded {
            if self.shares_nodes {
                // No list tells of nodes on another domain's service, so the record does.
                self.shared.look(place);
            } else if let Some(pair) = self.pair_mut(&peer) {
                if place.service() == cx.account.bare() {
                    // A node made or seen in this session is newer than the record.
                    if pair.own == Own::None || pair.own.is_unchecked() {
                        let state = State::Unchecked;
                        pair.own = Own::Known { place, state };
                    }
                } else if place.service() == &*peer {
                    pair.add(place, &peer);
                }
            }
        }
    }

    /// The conversation with `peer`, to be changed, made if there is none; `None`: there is no room for one more.
    fn pair_mut(&mut self, peer: &str) -> Option<&mut Pair> {
        if self.pairs.len() < MOST_PAIRS && !self.pairs.contains_key(peer) {
            self.pairs.insert(peer.into(), Pair::default());
        }
        self.pairs.get_mut(peer)
    }

    /// Goes on with all that waits: items to be fetched, messages to be published, the record to be written.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>) {
        if !self.is_begun {
            return;
        }
        if !self.is_idle {
            self.settle_pairs(cx);
        }
        let own = cx.account.own_bare();
        self.record.write(&own, cx.wire);
    }

    fn settle_pairs(&mut self, cx: &mut Cx<'_>) {
        if self.shares_nodes {
            self.shared.want_services_of_contacts(cx);
            self.shared.list(false, cx.wire);
            self.shared.look_at_some(cx.wire);
        } else {
            self.check_own(cx);
        }
        // Messages that were held back may name nodes that are read from now on.
        self.release_held(cx);
        self.forget_strangers(cx);
        if takes_messages(self.priority, cx) {
            let own = cx.account.bare();
            if !self.shares_nodes
                || self.shared.is_own_service_known(own)
                || self.pairs.values().any(Pair::is_unread)
            {
                self.record.read(cx.wire);
            }
            if self.record.is_known() {
                self.fetch_some(cx);
            }
        }
        self.send_waiting(cx);
        self.is_idle = !self.has_work();
    }

    /// Drops conversations that turned out to be a stranger's, once the roster is known: they take no contact's place.
    fn forget_strangers(&mut self, cx: &Cx<'_>) {
        let people = &cx.account.people;
        let is_new = people.is_reliable() && !std::mem::replace(&mut self.knows_contacts, true);
        if is_new && !self.shares_nodes {
            self.pairs.retain(|peer, pair| {
                let is_in_use = pair.is_busy() || pair.own != Own::None;
                is_in_use || people.is_approved(peer)
            });
        }
    }

    /// Whether an item, message or question waits for its turn.
    fn has_work(&self) -> bool {
        let mut pairs = self.pairs.iter();
        self.shares_nodes
            || pairs.any(|(peer, pair)| {
                pair.is_unread()
                    || pair.is_waiting()
                    || pair.has_held()
                    || pair.own.is_unchecked() && self.reach.takes_any(peer)
            })
    }

    fn fetch_some(&mut self, cx: &mut Cx<'_>) {
        for (peer, pair) in &mut self.pairs {
            if !may_read(self.shares_nodes, peer, cx) {
                continue;
            }
            for place in pair.unread() {
                // A peer whose native messages wait for the items is asked first, unless it causes too much.
                let may_ask = match pair.has_held() {
                    true => cx.wire.may_react(),
                    false => cx.wire.may_work(),
                };
                if !may_ask {
                    continue;
                }
                let ask = Ask::Items(place.clone());
                let is_asked = cx.wire.request("get", Some(place.service()), ask, |out| {
                    request::last_items(out, place.node(), pair::MOST_ITEMS);
                });
                if is_asked {
                    pair.note(&place, Reading::Asked);
                    if !self.shares_nodes {
                        self.record.note_node(peer, &place, cx.wire.now);
                    }
                }
            }
        }
    }

    /// When [`settle`](Self::settle) goes on, if no answer comes first.
    pub(super) fn again_at(&self, wire: &Wire) -> Option<Duration> {
        let waits = self.is_begun && !self.is_idle;
        let mut pairs = self.pairs.values();
        let is_wanted =
            |pair: &Pair| self.record.is_known() && pair.is_unread() || pair.own.is_unchecked();
        let has_questions = waits && (self.shared.has_questions() || pairs.any(is_wanted));
        let work = has_questions.then(|| wire.may_work_at()).flatten();
        let held = || self.pairs.values().filter_map(Pair::held_until).min();
        let held = waits.then(held).flatten();
        let all = work.into_iter().chain(held).chain(self.record.again_at());
        all.chain(self.opening.again_at())
            .filter(|at| *at > wire.now)
            .min()
    }

    /// Sends all waiting messages and writes the record, as the session ends.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>) {
        self.send_last(cx);
        if self.is_begun {
            self.record.write_last(cx.wire);
        }
    }
}

/// Whether this session knows that an item of a peer's was shown.
fn was_shown(pairs: &BTreeMap<Arc<str>, Pair>) -> impl Fn(&str, &str) -> bool {
    |peer, item| pairs.get(peer).is_some_and(|pair| pair.was_shown(item))
}
