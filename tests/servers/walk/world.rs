//! The clients that walk, and the truth about them.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Presence, Shown};
use super::rng::Rng;
use super::suitors::{Suitor, make_suitors, watch_all};
use crate::people::{befriend, come_online, wait_for_items};
use crate::process::PATIENCE;
use crate::puppet::Puppet;
use crate::recorded::{poll, wait_for_subscription};
use crate::relay::Relay;
use crate::server::{Account, Kind, Server};
use crate::shim::Shim;
use serde_json::json;

/// Resources that walk; the preparations use others.
pub(super) const RESOURCES: [&str; 3] = ["balcony", "orchard", "pda"];
const SHIMS: usize = 3;

/// A client that is logged in.
pub(super) struct Session {
    pub(super) puppet: Puppet,
    /// Connection from the client to its shim, or to the server.
    pub(super) relay: Relay,
    /// The shim it is behind, if any.
    pub(super) shim: Option<usize>,
    /// The presence it sent last, if it is available.
    pub(super) now: Option<Presence>,
    /// Its item on the node, if it has one.
    pub(super) published: Option<Shown>,
    /// Its privacy list lets no presence out.
    pub(super) is_hidden: bool,
    /// The client hid by a privacy list or `type='invisible'`, and has sent no presence since: views of it may differ.
    pub(super) was_hidden: bool,
    /// Its shim has removed leftover items of the account.
    pub(super) has_cleared: bool,
    /// Number of its events that were looked at.
    pub(super) read: usize,
    /// The last available presence it was shown of each full JID.
    pub(super) view: BTreeMap<String, Shown>,
    /// The value `view` has to have.
    pub(super) wanted: BTreeMap<String, Shown>,
    /// Accounts that blocked its own, or were blocked by it, since it became available: changes meanwhile were not
    /// shown.
    pub(super) estranged: BTreeSet<String>,
    /// Accounts of which it was sent a native presence with the marker.
    pub(super) met: BTreeSet<String>,
}

pub(super) struct World {
    /// By full JID.
    pub(super) sessions: BTreeMap<String, Session>,
    /// A contact of all accounts, natively and by node, without a shim: sees the stanzas themselves.
    pub(super) witness: Puppet,
    pub(super) witness_account: Account,
    pub(super) witness_read: usize,
    pub(super) shims: [Option<Shim>; SHIMS],
    /// Shims that have ended, kept for their logs.
    pub(super) ended_shims: Vec<Shim>,
    /// Between each shim and the server.
    pub(super) uplinks: [Relay; SHIMS],
    pub(super) server: Server,
    pub(super) rng: Rng,
    pub(super) accounts: Vec<Account>,
    /// Pairs of accounts of which the first is subscribed to the node of the second.
    pub(super) subscribed: BTreeSet<(String, String)>,
    /// Pairs whose subscription returns as soon as a shim of the owner's knows that the other account has one, too.
    pub(super) unsubscribed: BTreeSet<(String, String)>,
    /// Pairs of accounts of which the first has blocked the second.
    pub(super) blocked: BTreeSet<(String, String)>,
    /// Items on the nodes before the step.
    pub(super) was_published: BTreeMap<String, Shown>,
    /// Clients whose item is still on the server, though the session has ended.
    pub(super) leftovers: BTreeSet<String>,
    pub(super) suitors: Vec<Suitor>,
    /// Counter that makes each presence different.
    pub(super) serial: usize,
}

/// How a change travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Native,
    Event,
    Both,
}

pub(crate) fn bare(full: &str) -> &str {
    full.split('/').next().unwrap()
}

impl World {
    pub(super) fn new(kind: Kind, seed: u64) -> Self {
        let server = Server::own(kind);
        let mut rng = Rng::new(seed);
        let mut names = vec!["juliet", "romeo"];
        if rng.once_in(3) {
            names.push(rng.pick(&["nurse", "bard"]));
        }
        let accounts: Vec<_> = names.into_iter().map(|it| server.account(it)).collect();
        let benvolio = server.account("benvolio");
        let suitors = make_suitors(&server, &accounts);
        for (at, one) in accounts.iter().enumerate() {
            for other in accounts[..at].iter().chain([&benvolio]) {
                make_friends(&server, one, other);
            }
        }
        let witness = log_in_witness(&server, &benvolio);
        subscribe_to_nodes(&server, &accounts, &witness, &suitors);
        witness.ping();
        let mut subscribed = BTreeSet::new();
        for one in &accounts {
            for other in accounts.iter().filter(|it| it.bare != one.bare) {
                subscribed.insert((one.bare.clone(), other.bare.clone()));
            }
        }
        Self {
            subscribed,
            unsubscribed: BTreeSet::new(),
            uplinks: [(); SHIMS].map(|()| Relay::to(server.addr())),
            server,
            rng,
            accounts,
            sessions: BTreeMap::new(),
            shims: [const { None }; SHIMS],
            ended_shims: Vec::new(),
            witness_read: witness.seen_before_next_of(&witness).len() + 1,
            witness,
            witness_account: benvolio,
            blocked: BTreeSet::new(),
            was_published: BTreeMap::new(),
            leftovers: BTreeSet::new(),
            suitors,
            serial: 0,
        }
    }

    pub(super) fn available(&self) -> impl Iterator<Item = (&String, &Session)> {
        self.sessions.iter().filter(|(_, it)| it.now.is_some())
    }

    /// Items on the nodes, by full JID.
    pub(super) fn published(&self) -> BTreeMap<String, Shown> {
        let items = self.sessions.iter();
        let items = items.filter_map(|(full, it)| Some((full.clone(), it.published.clone()?)));
        items.collect()
    }

    pub(super) fn account(&self, bare: &str) -> Account {
        let mut all = self.accounts.iter();
        all.find(|it| it.bare == bare).unwrap().clone()
    }

    /// Whether nothing passes between two accounts.
    pub(super) fn are_apart(&self, one: &str, other: &str) -> bool {
        let pair = |one: &str, other: &str| (bare(one).to_string(), bare(other).to_string());
        self.blocked.contains(&pair(one, other)) || self.blocked.contains(&pair(other, one))
    }

    /// Whether the server passes a broadcast of `from` on to an available client. Privacy lists do not apply within an
    /// account.
    pub(super) fn passes_native(&self, from: &str, to: &str) -> bool {
        let is_hidden = self.sessions[from].is_hidden && bare(from) != bare(to);
        !is_hidden && !self.are_apart(from, to)
    }

    /// Whether an event about `from` reaches the client `to`, which needs a shim and a subscription. Within an account
    /// there is none: clients see each other natively, even hidden ones.
    fn passes_event(&self, from: &str, to: &str, session: &Session) -> bool {
        let pair = (bare(to).to_string(), bare(from).to_string());
        let is_told = self.subscribed.contains(&pair) && !self.are_apart(from, to);
        let is_reachable = session.now.as_ref().is_some_and(|it| it.is_reachable);
        is_told && is_reachable && session.shim.is_some()
    }

    /// Logs the witness in again after the server's restart.
    pub(super) fn meet_witness_again(&mut self) {
        self.witness = log_in_witness(&self.server, &self.witness_account);
        self.witness_read = self.witness.seen_before_next_of(&self.witness).len() + 1;
    }

    /// Waits until unblocked accounts are subscribed again, where the shims can do that by now.
    pub(super) fn wait_for_subscriptions(&mut self) {
        let pairs: Vec<_> = self.unsubscribed.iter().cloned().collect();
        for (watcher, owner) in pairs {
            let mut shims = self.sessions.iter().filter(|(full, it)| {
                bare(full) == owner && it.published.is_some() && it.met.contains(&watcher)
            });
            if self.are_apart(&watcher, &owner) || shims.next().is_none() {
                continue;
            }
            // A session without presence.
            let account = self.account(&watcher);
            let asks = Puppet::login(&self.server.entry(), &account, "asking");
            wait_for_subscription(&asks, &watcher, &owner);
            log_out([asks]);
            let pair = (watcher, owner);
            self.unsubscribed.remove(&pair);
            self.subscribed.insert(pair);
        }
    }

    /// Whether it is unsure who gets events about `full`.
    pub(super) fn is_unsure(&self, full: &str) -> bool {
        let mut owners = self.unsubscribed.iter().map(|(_, owner)| owner);
        owners.any(|it| it == bare(full))
    }

    /// Clients that are shown a change of `from` that goes this way.
    pub(super) fn reached(&self, from: &str, way: Way) -> Vec<String> {
        let some = self.available().filter(|(to, session)| {
            way != Way::Event && self.passes_native(from, to)
                || way != Way::Native && self.passes_event(from, to, session)
        });
        some.map(|(to, _)| to.clone()).collect()
    }
}

pub(super) fn log_in_witness(server: &Server, account: &Account) -> Puppet {
    let witness = Puppet::login(&server.entry(), account, "witness");
    come_online(&witness, "Watching");
    witness
}

/// Makes two accounts contacts, in new sessions: ejabberd counts subscription stanzas per session.
fn make_friends(server: &Server, one: &Account, other: &Account) {
    let [one, other] = [one, other].map(|it| {
        let puppet = Puppet::login(&server.entry(), it, "friend");
        come_online(&puppet, "Preparing");
        puppet
    });
    befriend(&one, &other);
    log_out([one, other]);
}

/// Has a shim make each account's node, and subscribes all other accounts and the witness to it.
fn subscribe_to_nodes(server: &Server, accounts: &[Account], witness: &Puppet, suitors: &[Suitor]) {
    let shim = Shim::start(server, "auto", &[]);
    let people = accounts.iter().map(|it| {
        let puppet = Puppet::login(&shim.entry(), it, "preparing");
        come_online(&puppet, "Preparing");
        wait_for_items(&puppet, "a node", |items| items.contains("Preparing"));
        puppet
    });
    let people: Vec<_> = people.collect();
    for owner in &people {
        watch(witness, &owner.bare);
        // The shims subscribe the other accounts.
        for watcher in people.iter().filter(|it| it.bare != owner.bare) {
            wait_for_subscription(watcher, &watcher.bare, &owner.bare);
        }
    }
    watch_all(server, suitors);
    for person in &people {
        // Wait until contacts have seen the end of the preparations.
        person.raw("<presence type='unavailable' id='prepared'/>");
        witness.wait("the end of the preparations", |it| {
            let mut inside = it.presences.iter();
            it.is_pubsub_event()
                && inside.any(|it| it.from == person.full && it.type_ == "unavailable")
        });
    }
    log_out(people);
}

/// Subscribes an account without a shim to the node of a contact, whose shim approves it sooner or later.
fn watch(watcher: &Puppet, owner: &str) {
    let who = &watcher.bare;
    let subscribe = format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='presence' jid='{who}'/></pubsub>"
    );
    poll(&format!("{who} subscribed to {owner}"), PATIENCE, || {
        let answer = watcher.iq("set", Some(owner), &subscribe);
        match answer.xml.contains("\"subscribed\"") {
            true => Ok(()),
            false => Err(answer.xml),
        }
    });
}

pub(super) fn log_out(people: impl IntoIterator<Item = Puppet>) {
    for person in people {
        person.send(json!({"cmd": "disconnect"}));
        person.wait("the end of the stream", |it| it.event == "disconnected");
    }
}
