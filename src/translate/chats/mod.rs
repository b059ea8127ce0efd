//! One-to-one messages (listings 18 to 20).
//!
//! | file | holds | listings |
//! |---|---|---|
//! | `own.rs` | `auto`: the node that the account writes to and the peer reads | 18 |
//! | `shared.rs` | `pure`: the node that both write to | 18 |
//! | `reach.rs` | `auto`: who is where, behind a shim or not | |
//! | `opening.rs` | `auto`: what has to be known before the client is shown to anybody | |
//! | `send.rs` | a message of the client's to an item, or natively | 19 |
//! | `receive.rs` | items to messages: whose they are, and which were shown | 20 |
//! | `copies.rs` | `auto`: native copies of items | |
//! | `series.rs` | items that were lost on their way | 20 |
//! | `pair.rs` | what is known of the conversation with one peer | |
//! | `place.rs`, `message.rs` | nodes; messages of the client's that wait | |
//! | `show.rs`, `delay.rs` | a message as the client is shown it; when it was written | |
//! | `marked.rs` | items of rooms | |
//! | `record.rs` | what was shown, on a private node | |

mod copies;
mod delay;
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

/// So many people may be written to or read in one session.
const MOST_PAIRS: usize = 1024;

/// What an answer is for.
#[derive(Debug)]
pub(crate) enum Ask {
    /// What the account is subscribed to on this service.
    List(Box<str>),
    /// Whose node this is.
    Look(Place),
    /// What is on it.
    Items(Place),
    /// Making it.
    Create(Place),
    /// Having the other one told of what is published here; the first message's address and id.
    Subscribe(Place, Box<str>, Option<Box<str>>),
    /// Publishing a message.
    Publish(Publish),
    /// Whether the server keeps an archive of the account's messages.
    Archive,
    /// Something about the node that is written to for this peer.
    Own(Arc<str>, own::Step),
    /// Items that were published to this peer and may not have been seen.
    Copies(Arc<str>, Vec<Arc<str>>),
    /// A step of making the private node.
    RecordNode(Step),
    /// What was shown.
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
    /// Two accounts share a node on a service, and nothing leaves natively (`pure`); else each writes to a node of its
    /// own, where that is seen by all who would see it natively (`auto`).
    shares_nodes: bool,
    /// It is looked for conversations: the client is there, or has written to somebody.
    is_begun: bool,
    /// Nothing waits for its turn.
    is_idle: bool,
    opening: Opening,
    reach: Reach,
    shared: Shared,
    /// The roster has told who may be read.
    knows_contacts: bool,
    /// By the other one's bare JID.
    pairs: BTreeMap<Arc<str>, Pair>,
    record: Record,
    /// Items that rooms have to look at.
    marked: VecDeque<Marked>,
    /// The client wants to see what its account writes and is written elsewhere (XEP-0280).
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

    /// Whether the client's first presence is to wait.
    pub(super) fn awaits_first(&self) -> bool {
        self.has_own_nodes() && self.opening.is_to_come()
    }

    /// Lets the client's first presence wait, with all that the client says behind it.
    pub(super) fn hold_first(&mut self, cx: &mut Cx<'_>) {
        self.opening.hold(&mut self.record, cx);
    }

    /// Whether what the client says next has to wait: its first presence does, or as much as may wait for answers of
    /// the own server.
    pub(super) fn holds_client(&self) -> bool {
        self.opening.is_waiting() || self.has_own_nodes() && self.is_full()
    }

    /// Lets the client's first presence go, if it has waited long enough. `all`: in any case.
    pub(super) fn release_first(&mut self, all: bool, wire: &Wire) {
        self.opening.release(all, &self.record, wire);
    }

    /// The client says that it is available: what was written to it meanwhile is looked for.
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
            // Nothing came while nobody was there.
            self.pairs.values_mut().for_each(Pair::note_away);
            if was_there {
                self.record.read_again();
            }
        } else if self.priority < 0 {
            self.record.hurry(cx.wire.now);
        }
    }

    /// The client is not available any more, and hears of nobody.
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

    /// An IQ of the client's to its own account.
    pub(super) fn client_iq(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        let is_set = iq.attribute("type").as_deref() == Some("set");
        if !self.is_on || !is_set {
            return Verdict::Pass;
        }
        for (word, wants) in [("enable", true), ("disable", false)] {
            if iq.child(ns::CARBONS, word).is_some() {
                self.wants_copies = wants;
                if !self.shares_nodes {
                    // The server copies what goes natively.
                    return Verdict::Pass;
                }
                let id = iq.attribute("id").unwrap_or_default();
                let own = cx.account.own_bare();
                cx.wire.show_answer(&id, &own, cx.account.jid(), |_| {});
                return Verdict::Taken;
            }
        }
        Verdict::Pass
    }

    /// A native presence that tells where somebody is, or that he is not there.
    pub(super) fn note_native(&mut self, presence: &Element<'_>, cx: &mut Cx<'_>) {
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

    /// Whether what comes of a node may be a conversation's.
    pub(super) fn owns(&self, event: &Event<'_>) -> bool {
        match self.shares_nodes {
            true => {
                let is_room = || event.node.contains('#');
                self.is_on && jid::local(event.service).is_none() && !is_room()
            }
            false => self.owns_node(event.service, event.node),
        }
    }

    /// An event on a node (listing 20), or what became of the account's subscription to it.
    pub(super) fn event(&mut self, event: &Event<'_>, cx: &mut Cx<'_>) -> Verdict {
        match self.shares_nodes {
            true => self.service_event(event, cx),
            false => self.account_event(event, cx),
        }
    }

    /// The answer to an IQ of ours.
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
                // It is on the node, and nobody would ever look there.
                if let Err(refused) = reply
                    && self.shared.peer(&place).is_some()
                {
                    self.forget(&place);
                    show_unsent_to(&to, id.as_deref(), refused, cx);
                }
            }
            Ask::Publish(publish) => {
                // It concerns this conversation alone.
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

    /// An event on the private node: what another session of the account's has put on record.
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
                // Of nodes on a stranger's domain nothing else tells.
                self.shared.look(place);
            } else if let Some(pair) = self.pair_mut(&peer) {
                if place.service() == cx.account.bare() {
                    // What this session has made or seen already is newer.
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

    /// What is known of the conversation with `peer`, to be changed; `None`: there is no room for one more.
    fn pair_mut(&mut self, peer: &str) -> Option<&mut Pair> {
        if self.pairs.len() < MOST_PAIRS && !self.pairs.contains_key(peer) {
            self.pairs.insert(peer.into(), Pair::default());
        }
        self.pairs.get_mut(peer)
    }

    fn takes_messages(&self, cx: &Cx<'_>) -> bool {
        takes_messages(self.priority, cx)
    }

    fn may_read(&self, peer: &str, cx: &Cx<'_>) -> bool {
        may_read(self.shares_nodes, peer, cx)
    }

    /// Goes on with what waited for knowledge: items to be fetched, messages to be published, what is to be put on
    /// record.
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
        // What has waited may name nodes that are read from now on.
        self.release_held(cx);
        self.forget_strangers(cx);
        if self.takes_messages(cx) {
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

    /// Whoever was heard before it was known that he may not be takes nobody's place.
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

    /// Whether something waits for its turn.
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
                // Whose messages wait is not made to wait for others, unless he causes too much.
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

    /// When [`settle`](Self::settle) goes on, if not by an answer.
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

    /// The session ends: what the client has said is published, and what was shown is put on record.
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
