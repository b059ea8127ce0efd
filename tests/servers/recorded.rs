//! A client behind a shim that records, so that a test sees both legs.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::common::PUBSUB;
use crate::people::come_online;
use crate::process::PATIENCE;
use crate::puppet::{Event, Puppet};
use crate::server::{Account, Server};
use crate::shim::Shim;

/// A client behind a shim of its own.
pub(crate) struct Person {
    pub(crate) puppet: Puppet,
    pub(crate) shim: Shim,
    pub(crate) tape: Tape,
}

impl Person {
    /// Logs in through a new shim, gets the roster and becomes available.
    pub(crate) fn online(server: &Server, account: &Account, resource: &str) -> Self {
        let person = Self::login(server, account, resource);
        come_online(&person.puppet, "Here");
        person
    }

    /// Logs in through a new shim, without a roster request or presence.
    pub(crate) fn login(server: &Server, account: &Account, resource: &str) -> Self {
        let tape = Tape::new();
        let shim = Shim::start(
            server,
            "auto",
            &["--record", tape.folder(), "--record-bodies"],
        );
        Self {
            puppet: Puppet::login(&shim.entry(), account, resource),
            shim,
            tape,
        }
    }

    pub(crate) fn bare(&self) -> &str {
        &self.puppet.bare
    }

    /// Sends a presence of this type; raw, so that later raw requests do not overtake it.
    pub(crate) fn say(&self, type_: &str, to: &str) {
        self.puppet
            .raw(&format!("<presence type='{type_}' to='{to}'/>"));
    }

    pub(crate) fn log_out(self) {
        log_out(&self.puppet);
    }

    /// Waits for an event with this text on the wire between server and shim.
    pub(crate) fn wait_for_event(&self, owner: &str, text: &str) {
        self.tape.wait(&format!("an event with {text:?}"), |steps| {
            steps.iter().any(|it| is_event_of(it, owner, text))
        });
    }

    /// Whether an event with this text has come from the server so far.
    pub(crate) fn has_event(&self, owner: &str, text: &str) -> bool {
        let steps = self.tape.steps();
        steps.iter().any(|it| is_event_of(it, owner, text))
    }
}

fn is_event_of(step: &str, owner: &str, text: &str) -> bool {
    step.starts_with("from server: <message")
        && step.contains("pubsub#event")
        && step.contains(&format!("from='{owner}'"))
        && step.contains(text)
}

pub(crate) fn log_out(puppet: &Puppet) {
    puppet.send(json!({"cmd": "disconnect"}));
    puppet.wait("the end of the stream", |it| it.event == "disconnected");
}

/// The recordings of a shim: every step on both legs, one a line.
pub(crate) struct Tape {
    folder: TempDir,
}

impl Tape {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::Builder::new()
                .prefix("pubshim-test-")
                .tempdir()
                .expect("a temporary folder"),
        }
    }

    pub(crate) fn folder(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// All steps so far, with one kind of quotes.
    pub(crate) fn steps(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder.path()).unwrap();
        let mut files: Vec<_> = files.map(|it| it.unwrap().path()).collect();
        files.sort();
        let texts = files.iter().map(|it| fs::read_to_string(it).unwrap());
        let text = texts.collect::<String>().replace('"', "'");
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn wait(&self, what: &str, are_right: impl Fn(&[String]) -> bool) {
        poll(what, PATIENCE, || match are_right(&self.steps()) {
            true => Ok(()),
            false => Err("see the recording".to_owned()),
        });
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- recorded:\n{}", self.steps().join("\n"));
        }
    }
}

/// Tries until it succeeds. Polls, as nothing announces changes on a server or in a recording.
pub(crate) fn poll<T>(
    what: &str,
    patience: Duration,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        match attempt() {
            Ok(found) => return found,
            Err(last) => assert!(
                Instant::now() < deadline,
                "waited in vain for {what}; last: {last}"
            ),
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// The server's answer about subscriptions of `watcher`'s account to the presence node of `owner`.
pub(crate) fn subscriptions(watcher: &Puppet, owner: &str) -> Event {
    let question = format!("<pubsub xmlns='{PUBSUB}'><subscriptions node='presence'/></pubsub>");
    watcher.iq("get", Some(owner), &question)
}

/// Waits until `jid` of `watcher`'s account is subscribed to the presence node of `owner`.
pub(crate) fn wait_for_subscription(watcher: &Puppet, jid: &str, owner: &str) {
    poll(&format!("{jid} subscribed to {owner}"), PATIENCE, || {
        let answer = subscriptions(watcher, owner);
        let mut found = answer
            .xml
            .split('<')
            .filter(|it| it.starts_with("subscription "));
        let is_it = |it: &str| {
            it.contains(&format!("jid=\"{jid}\"")) && it.contains("subscription=\"subscribed\"")
        };
        match found.any(is_it) {
            true => Ok(()),
            false => Err(answer.xml),
        }
    });
}

/// Waits until `watcher`'s account has no subscription, pending ones included, to the presence node of `owner`.
pub(crate) fn wait_for_no_subscription(watcher: &Puppet, owner: &str) {
    poll(&format!("nobody subscribed to {owner}"), PATIENCE, || {
        let answer = subscriptions(watcher, owner);
        let is_any = ["\"subscribed\"", "\"pending\""]
            .iter()
            .any(|it| answer.xml.contains(it));
        if is_any { Err(answer.xml) } else { Ok(()) }
    });
}

/// Waits until `account` is a member of the own presence node, or is not.
pub(crate) fn wait_for_membership(owner: &Puppet, account: &str, is_wanted: bool) {
    let jid = format!("jid=\"{account}\"");
    let question = "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><affiliations node='presence'/></pubsub>";
    poll(
        &format!("{account} a member: {is_wanted}"),
        PATIENCE,
        || {
            let answer = owner.iq("get", None, question);
            let mut listed = answer.xml.split('<').filter(|it| it.contains(&jid));
            let is_member = listed.any(|it| it.contains("affiliation=\"member\""));
            match answer.type_ == "result" && is_member == is_wanted {
                true => Ok(()),
                false => Err(answer.xml),
            }
        },
    );
}

/// Asks for the items on somebody's presence node.
pub(crate) fn items_of(asks: &Puppet, owner: &str) -> Event {
    let question = format!("<pubsub xmlns='{PUBSUB}'><items node='presence'/></pubsub>");
    asks.iq("get", Some(owner), &question)
}

pub(crate) fn wait_for(person: &Puppet, from: &str, type_: &str) {
    person.wait(&format!("{type_} from {from}"), |it| {
        it.is_presence_from(from, type_)
    });
}

/// One asks, the other approves and asks back, the first approves.
pub(crate) fn make_friends(one: &Person, other: &Person) {
    one.say("subscribe", other.bare());
    wait_for(&other.puppet, one.bare(), "subscribe");
    other.say("subscribed", one.bare());
    other.say("subscribe", one.bare());
    wait_for(&one.puppet, other.bare(), "subscribed");
    wait_for(&one.puppet, other.bare(), "subscribe");
    one.say("subscribed", other.bare());
    wait_for(&other.puppet, one.bare(), "subscribed");
}

pub(crate) fn wait_for_subscriptions(one: &Person, other: &Person) {
    wait_for_subscription(&one.puppet, one.bare(), other.bare());
    wait_for_subscription(&other.puppet, other.bare(), one.bare());
}

/// Expects that a change that comes natively and by event is shown once.
pub(crate) fn expect_once_by_event(from: &Person, to: &Person, status: &str) {
    from.puppet.available(status);
    to.wait_for_event(from.bare(), &format!("<status>{status}</status>"));
    expect_once(&from.puppet, &to.puppet, status);
    let seen = to.puppet.seen_before_next_of(&from.puppet);
    let is_inner = |it: &&Event| it.xml.contains("pubsub#event") || it.xml.contains("urn:pubshim:");
    assert_eq!(seen.iter().find(is_inner).map(|it| &it.xml), None);
}

pub(crate) fn expect_once(from: &Puppet, to: &Puppet, status: &str) {
    to.wait_for_status(from, status);
    let seen = to.seen_before_next_of(from);
    let times = count(&seen, |it| it.is_status_of(&from.full, status));
    assert_eq!(times, 1, "{} was shown {status:?} {times} times", to.full);
}

pub(crate) fn count(seen: &[Event], is_it: impl Fn(&Event) -> bool) -> usize {
    seen.iter().filter(|it| is_it(it)).count()
}

pub(crate) fn expect_requests(asked: &Puppet, asks: &str, times: usize) {
    asked.ping();
    let seen = asked.seen_before_next_of(asked);
    let shown = count(&seen, |it| it.is_presence_from(asks, "subscribe"));
    assert_eq!(shown, times, "{} was asked {shown} times", asked.full);
}
