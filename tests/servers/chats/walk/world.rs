//! The clients that walk, the messages written, and the check that each client was shown the right ones.

use std::collections::BTreeSet;
use std::time::Instant;

use super::super::talk::left_by;
use super::client::Client;
use crate::process::PATIENCE;
use crate::puppet::Event;
use crate::recorded::poll;
use crate::server::{Kind, Server};
use crate::walk::rng::Rng;

const PEOPLE: [&str; 3] = ["juliet", "romeo", "benvolio"];
/// Resources of an account; the last one is a phone's.
const RESOURCES: [&str; 3] = ["balcony", "orchard", "phone"];

pub(super) struct World {
    pub(super) clients: Vec<Client>,
    messages: Vec<Message>,
    /// Pairs of accounts of which the first has blocked the second.
    pub(super) blocked: BTreeSet<(String, String)>,
    /// Pairs of accounts that once had a block between them: presence sent meanwhile may or may not have been shown.
    pub(super) estranged: BTreeSet<(String, String)>,
    pub(super) server: Server,
    pub(super) rng: Rng,
}

/// A message; its text contains its number.
#[derive(Debug)]
struct Message {
    author: usize,
    /// The account it is for.
    to: String,
    /// The client it is for, and the number of its session; `None`: it is for all of the account's.
    to_one: Option<(usize, usize)>,
    way: Way,
    /// Clients whose shims hung when it was delivered natively.
    stuck_at: Vec<usize>,
    /// The server stores it: no client was online when it came natively.
    is_stored: bool,
    /// The server stored it though a client was online, and gave it out late.
    is_late: bool,
    shown_by: BTreeSet<usize>,
    /// Its author was shown an error.
    is_told: bool,
    may_be_lost: bool,
    /// One account has blocked the other.
    is_blocked: bool,
}

/// How a message has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Not known yet.
    Unknown,
    Native,
    /// A native copy may have followed.
    Pubsub,
}

impl World {
    pub(super) fn new(kind: Kind, seed: u64) -> Self {
        let server = Server::own(kind);
        let accounts = PEOPLE.map(|it| server.account(it));
        for account in &accounts {
            let others = accounts.iter().filter(|it| it.bare != account.bare);
            let others: Vec<_> = others.map(|it| (it.bare.clone(), String::new())).collect();
            server.write_roster(account, &others);
        }
        let clients = accounts.iter().flat_map(|account| {
            let client = |name: &&str| Client::new(&server, account, name, *name == RESOURCES[2]);
            RESOURCES.iter().map(client).collect::<Vec<_>>()
        });
        Self {
            clients: clients.collect(),
            messages: Vec::new(),
            blocked: BTreeSet::new(),
            estranged: BTreeSet::new(),
            server,
            rng: Rng::new(seed),
        }
    }

    /// Has a client write to an account, or to one client of it; returns the text.
    pub(super) fn write(&mut self, author: usize, to: &str, one: Option<usize>) -> String {
        let number = self.messages.len();
        let client = &self.clients[author];
        let text = format!("words {number}");
        let jid = one.map_or(to, |it| &self.clients[it].full);
        client.says(&format!(
            "<message to='{jid}' type='chat' id='id-{number}'><body>{text}</body></message>"
        ));
        let own = &client.account.bare;
        let is_blocked = self.are_apart(own, to);
        self.messages.push(Message {
            author,
            to: to.to_owned(),
            to_one: one.map(|it| (it, self.clients[it].session)),
            way: Way::Unknown,
            stuck_at: Vec::new(),
            is_stored: false,
            is_late: false,
            shown_by: BTreeSet::new(),
            is_told: false,
            may_be_lost: is_blocked,
            is_blocked,
        });
        text
    }

    /// Whether nothing passes between two accounts.
    pub(super) fn are_apart(&self, one: &str, other: &str) -> bool {
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        self.blocked.contains(&pair(one, other)) || self.blocked.contains(&pair(other, one))
    }

    /// Waits until all messages have arrived. `rounds`: questions and answers between shims and server that this takes.
    pub(super) fn settle(&mut self, rounds: usize) {
        for _ in 0..rounds {
            let alive = self.clients.iter().filter(|it| it.is_alive());
            let asked = alive.filter_map(|it| it.puppet.as_ref());
            let asked: Vec<_> = asked.map(|it| (it, it.send_ping())).collect();
            for (puppet, id) in asked {
                puppet.wait("an answer to a ping", |it| it.kind == "iq" && it.id == id);
            }
        }
        self.look();
        self.find_ways();
        wait("what was written", || {
            self.look();
            let missing = (0..self.messages.len()).find(|it| self.is_missing(*it));
            missing.map_or(Ok(()), |it| Err(format!("{it}: {:?}", self.messages[it])))
        });
    }

    /// Finds out how each message has left, as far as it has.
    fn find_ways(&mut self) {
        let listeners = self.clients.iter().enumerate();
        let listeners = listeners.filter(|(_, it)| it.takes_messages());
        let listeners: Vec<_> = listeners.map(|(at, _)| at).collect();
        for (number, message) in self.messages.iter_mut().enumerate() {
            let author = &self.clients[message.author];
            let is_held = author.is_frozen || message.may_be_lost || message.is_told;
            if message.way != Way::Unknown || is_held {
                continue;
            }
            message.way = match author.is_phone {
                true => Way::Native,
                false => wait("a message that leaves", || {
                    let ways = left_by(&author.tape, &format!("words {number}"));
                    match ways.first() {
                        Some(&"publish") => Ok(Way::Pubsub),
                        Some(_) => Ok(Way::Native),
                        None => Err(format!("{number}: {message:?}")),
                    }
                }),
            };
            if message.way == Way::Native {
                let own = listeners.iter();
                let own = own.filter(|it| self.clients[**it].account.bare == message.to);
                let own: Vec<_> = own.copied().collect();
                message.is_stored = own.is_empty();
                message.stuck_at = match own.iter().all(|it| self.clients[*it].is_frozen) {
                    true => own,
                    false => Vec::new(),
                };
            }
        }
    }

    /// Whether some messages have left natively, and some by pubsub.
    pub(super) fn goes_both_ways(&self) -> bool {
        let mut ways = [Way::Native, Way::Pubsub].into_iter();
        ways.all(|way| self.messages.iter().any(|it| it.way == way))
    }

    /// Whether a client is online that should have been shown a message, and no client was.
    fn is_missing(&self, number: usize) -> bool {
        let message = &self.messages[number];
        let is_done = message.is_told || message.may_be_lost || !message.shown_by.is_empty();
        let is_on_its_way =
            message.way == Way::Unknown || !message.stuck_at.is_empty() || message.is_stored;
        let mut all = self.clients.iter();
        !is_done
            && !is_on_its_way
            && all.any(|it| {
                let reads = !it.is_phone || message.way == Way::Native;
                it.account.bare == message.to && it.is_alive() && it.takes_messages() && reads
            })
    }

    /// Reads the clients' new events, and checks each message in them.
    pub(super) fn look(&mut self) {
        for at in 0..self.clients.len() {
            let client = &mut self.clients[at];
            let Some(puppet) = &client.puppet else {
                continue;
            };
            let events = puppet.since(client.read);
            client.read += events.len();
            for event in events {
                if let Err(why) = self.take(at, &event) {
                    let full = &self.clients[at].full;
                    panic!("{why}: {full} was shown {}", event.xml);
                }
            }
        }
    }

    fn take(&mut self, at: usize, event: &Event) -> Result<(), &'static str> {
        let is_inner = event.is_between_shims() || event.xml.contains("pubsub#event");
        if is_inner && !self.clients[at].is_phone {
            return Err("between shims");
        }
        if event.kind != "message" {
            return Ok(());
        }
        if event.type_ == "error" {
            let Some(number) = event.id.strip_prefix("id-") else {
                return Ok(());
            };
            let number: usize = number.parse().unwrap();
            let message = &mut self.messages[number];
            message.is_told = true;
            return match message.author == at {
                true => Ok(()),
                false => Err("an error of another's"),
            };
        }
        let Some(number) = event.child("body").strip_prefix("words ") else {
            return Ok(());
        };
        let number: usize = number.parse().unwrap();
        self.is_right(at, number, event)?;
        let client = &mut self.clients[at];
        client.shown.push(number);
        client.known.insert(number, Instant::now());
        client.may_come_again.remove(&number);
        self.messages[number].shown_by.insert(at);
        Ok(())
    }

    fn is_right(&self, at: usize, number: usize, event: &Event) -> Result<(), &'static str> {
        let (client, message) = (&self.clients[at], &self.messages[number]);
        let author = &self.clients[message.author];
        let is_as_written = event.from == author.full
            && event.type_ == "chat"
            && event.id == format!("id-{number}");
        let is_there = |(one, session): (usize, usize)| {
            let one = &self.clients[one];
            one.session == session && one.puppet.is_some()
        };
        let is_anothers = message
            .to_one
            .is_some_and(|one| one.0 != at && is_there(one));
        let is_of_pair = |it: &&usize| {
            let author = &self.clients[self.messages[**it].author];
            author.account.bare == self.clients[message.author].account.bare
        };
        let before = client.shown.iter().rev().find(is_of_pair);
        // A native copy of a message that another client may have shown before it vanished.
        let is_copy = message.way == Way::Pubsub
            && (client.is_phone || message.to_one.is_some_and(|one| one.0 != at));
        let may_be_late = is_copy || message.is_late;
        let comes_again = client.known.contains_key(&number);
        if client.account.bare != message.to || is_anothers {
            Err("what is not for it")
        } else if !is_as_written {
            Err("not as it was written")
        } else if client.shown.contains(&number) {
            Err("twice")
        } else if comes_again && !client.may_come_again.contains(&number) {
            Err("once more")
        } else if before.is_some_and(|before| *before > number) && !may_be_late {
            Err("too late")
        } else if message.is_blocked && self.are_apart(&author.account.bare, &message.to) {
            Err("in spite of a block")
        } else {
            Ok(())
        }
    }

    /// Notes that a client is not connected any more. `is_clean`: its shim could finish its work.
    pub(super) fn remove(&mut self, who: usize, is_clean: bool) {
        let client = &mut self.clients[who];
        let was_frozen = client.is_frozen;
        let Some(puppet) = &client.puppet else {
            return;
        };
        // Messages to this session may be shown by other clients from now on.
        client.session += 1;
        puppet.wait("the end of the stream", |it| it.event == "disconnected");
        self.look();
        self.clients[who].is_off(is_clean);
        if !was_frozen {
            return;
        }
        for message in &mut self.messages {
            let never_left = message.author == who && message.way == Way::Unknown;
            let was_stuck = message.stuck_at.contains(&who);
            message.stuck_at.retain(|it| *it != who);
            let is_lost = never_left || was_stuck && message.stuck_at.is_empty();
            message.may_be_lost |= is_lost && message.shown_by.is_empty();
        }
    }

    /// Notes that a shim that hung goes on.
    pub(super) fn note_thawed(&mut self, who: usize) {
        self.clients[who].is_frozen = false;
        for message in &mut self.messages {
            if message.stuck_at.contains(&who) {
                message.stuck_at.clear();
            }
        }
    }

    /// Notes that a client takes messages from now on. `is_given`: the server gives it the account's stored messages.
    pub(super) fn note_store(&mut self, account: &str, is_given: bool) {
        let stored = self.messages.iter_mut().filter(|it| it.is_stored);
        for message in stored.filter(|it| it.to == account) {
            message.is_stored = !is_given;
            message.is_late |= !is_given;
        }
    }

    /// Notes that messages on their way between two accounts may be lost.
    pub(super) fn note_block(&mut self, one: &str, other: &str) {
        for message in &mut self.messages {
            let (from, to) = (&*self.clients[message.author].account.bare, &*message.to);
            let is_theirs = (from, to) == (one, other) || (from, to) == (other, one);
            message.may_be_lost |= is_theirs && message.shown_by.is_empty();
        }
    }
}

#[track_caller]
pub(super) fn wait<T>(what: &str, look: impl FnMut() -> Result<T, String>) -> T {
    poll(what, PATIENCE, look)
}
