//! Who walks, and what is true of them.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Presence, Shown};
use super::rng::Rng;
use crate::people::{befriend, come_online, wait_for_items, watch_presence_node};
use crate::puppet::Puppet;
use crate::recorded::wait_for_subscription;
use crate::server::{Account, Server};
use crate::shim::Shim;
use serde_json::json;

/// The only resources that walk; those of the preparations have another name.
pub(super) const RESOURCES: [&str; 3] = ["balcony", "orchard", "pda"];
const SHIMS: usize = 3;

/// A client that is logged in.
pub(super) struct Session {
    pub(super) puppet: Puppet,
    /// The shim it is behind, if it is.
    pub(super) shim: Option<usize>,
    /// The presence it sent last, if it is available.
    pub(super) now: Option<Presence>,
    /// How many of its events were looked at.
    pub(super) read: usize,
    /// The last available presence it was shown of each full JID.
    pub(super) view: BTreeMap<String, Shown>,
}

pub(super) struct World {
    pub(super) server: &'static Server,
    pub(super) rng: Rng,
    pub(super) accounts: Vec<Account>,
    /// By full JID.
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) shims: [Option<Shim>; SHIMS],
    /// For their logs.
    pub(super) ended_shims: Vec<Shim>,
    /// Everybody's contact, natively and by node, without a shim: sees what is really sent.
    pub(super) witness: Puppet,
    pub(super) witness_read: usize,
    /// Whose item a killed shim may have left on the server.
    pub(super) leftovers: BTreeSet<String>,
    /// Makes what is sent different from all before.
    pub(super) serial: usize,
}

impl World {
    pub(super) fn new(server: &'static Server, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut names = vec!["juliet", "romeo"];
        if rng.once_in(3) {
            names.push(rng.pick(&["nurse", "bard"]));
        }
        let accounts: Vec<_> = names.into_iter().map(|it| server.account(it)).collect();
        let benvolio = server.account("benvolio");
        for (at, one) in accounts.iter().enumerate() {
            for other in accounts[..at].iter().chain([&benvolio]) {
                make_friends(server, one, other);
            }
        }
        let witness = Puppet::login(&server.entry(), &benvolio, "witness");
        come_online(&witness, "Watching");
        subscribe_to_nodes(server, &accounts, &witness);
        witness.ping();
        Self {
            server,
            rng,
            accounts,
            sessions: BTreeMap::new(),
            shims: [const { None }; SHIMS],
            ended_shims: Vec::new(),
            witness_read: witness.seen_before_next_of(&witness).len() + 1,
            witness,
            leftovers: BTreeSet::new(),
            serial: 0,
        }
    }

    pub(super) fn available(&self) -> impl Iterator<Item = (&String, &Session)> {
        self.sessions.iter().filter(|(_, it)| it.now.is_some())
    }
}

/// In sessions of their own: ejabberd counts subscription stanzas per session.
fn make_friends(server: &Server, one: &Account, other: &Account) {
    let [one, other] = [one, other].map(|it| {
        let puppet = Puppet::login(&server.entry(), it, "friend");
        come_online(&puppet, "Preparing");
        puppet
    });
    befriend(&one, &other);
    log_out([one, other]);
}

/// Has everybody's node made by a shim, and everybody and the witness subscribed to it.
fn subscribe_to_nodes(server: &Server, accounts: &[Account], witness: &Puppet) {
    let shim = Shim::start(server, "auto", &[]);
    let people = accounts.iter().map(|it| {
        let puppet = Puppet::login(&shim.entry(), it, "preparing");
        come_online(&puppet, "Preparing");
        wait_for_items(&puppet, "a node", |items| items.contains("Preparing"));
        puppet
    });
    let people: Vec<_> = people.collect();
    for owner in &people {
        watch_presence_node(server.kind, owner, witness);
        // The shims see to the others.
        for watcher in people.iter().filter(|it| it.bare != owner.bare) {
            wait_for_subscription(watcher, &watcher.bare, &owner.bare);
        }
    }
    for person in &people {
        // Gone for contacts before anybody looks.
        person.raw("<presence type='unavailable' id='prepared'/>");
        witness.wait("the end of the preparations", |it| {
            let mut inside = it.presences.iter();
            it.is_pubsub_event()
                && inside.any(|it| it.from == person.full && it.type_ == "unavailable")
        });
    }
    log_out(people);
}

fn log_out(people: impl IntoIterator<Item = Puppet>) {
    for person in people {
        person.send(json!({"cmd": "disconnect"}));
        person.wait("the end of the stream", |it| it.event == "disconnected");
    }
}
