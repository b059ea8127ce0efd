//! Conversations of two people, and how their messages went, by the shims' recordings.

use std::cell::Cell;

use serde_json::json;

use crate::between::Homes;
use crate::puppet::{Event, Puppet};
use crate::recorded::{Person, Tape};
use crate::server::Account;

/// Logs both in; each one's shim knows that the other one's takes chats by pubsub.
pub(super) fn together(homes: Homes<'_>, accounts: &(Account, Account)) -> (Person, Person) {
    let juliet = Person::online(homes.juliet, &accounts.0, "balcony");
    let romeo = Person::online(homes.romeo, &accounts.1, "orchard");
    know_each_other(&juliet, &romeo);
    (juliet, romeo)
}

/// Waits until each one's shim and client have heard of the other one's present session.
pub(super) fn know_each_other(one: &Person, other: &Person) {
    for (one, other) in [(one, other), (other, one)] {
        let (from, id) = (format!("from='{}'", other.puppet.full), announced(other));
        one.tape.wait("the other one's marker", |steps| {
            steps.iter().any(|it| {
                it.starts_with("from server: <presence")
                    && it.contains(&from)
                    && it.contains(&id)
                    && it.contains("chat='1'")
            })
        });
        one.puppet.wait("the other one", |it| {
            it.is_presence_from(&other.puppet.full, "") && it.xml.contains(&id.replace('\'', "\""))
        });
    }
}

/// The id, as an attribute, of the presence that this session has broadcast.
fn announced(who: &Person) -> String {
    let is_it = |it: &&String| it.starts_with("to server: <presence id='");
    who.tape
        .wait("its presence", |steps| steps.iter().any(|it| is_it(&it)));
    let steps = who.tape.steps();
    let presence = steps.iter().rfind(is_it).unwrap();
    let id = presence.split('\'').nth(1).unwrap();
    format!("id='{id}'")
}

pub(super) fn says(who: &Puppet, to: &str, body: &str) {
    who.send(json!({"cmd": "message", "to": to, "body": body, "id": format!("id-{body}")}));
}

/// The bodies that a client was shown, up to this one.
#[track_caller]
pub(super) fn heard(who: &Puppet, from: usize, last: &str) -> Vec<String> {
    let seen = who.seen_until(from, last, |it| {
        it.kind == "message" && it.child("body") == last
    });
    bodies(&seen)
}

pub(super) fn bodies(seen: &[Event]) -> Vec<String> {
    let messages = seen.iter().filter(|it| it.kind == "message");
    let bodies = messages.map(|it| it.child("body").to_owned());
    bodies.filter(|it| !it.is_empty()).collect()
}

/// How this message has left the shim: `publish`, `native`, or both. Waits, as a recording may lag behind.
pub(super) fn left(who: &Person, body: &str) -> Vec<&'static str> {
    who.tape
        .wait(body, |steps| !ways_of(steps, body).is_empty());
    left_by(&who.tape, body)
}

pub(super) fn left_by(tape: &Tape, body: &str) -> Vec<&'static str> {
    ways_of(&tape.steps(), body)
}

pub(super) fn ways_of(steps: &[String], body: &str) -> Vec<&'static str> {
    let body = format!("<body>{body}</body>");
    let sent = steps
        .iter()
        .filter(|it| it.starts_with("to server: ") && it.contains(&body));
    sent.map(|it| {
        if it.contains("<publish ") {
            "publish"
        } else {
            "native"
        }
    })
    .collect()
}

/// Waits until the shim's publishes are answered.
pub(super) fn settled(who: &Person) {
    who.tape.wait("the answers", |steps| {
        let count = |leg: &str, word: &str| {
            let of = steps
                .iter()
                .filter(|it| it.starts_with(leg) && it.contains(word));
            of.count()
        };
        count("to server: ", "<publish node='chat/") <= count("from server: ", "type='result'")
    });
}

/// Waits until these lines were published, and the server has confirmed that.
pub(super) fn settled_as(who: &Person, lines: &[&str]) {
    who.tape.wait("the publishes", |steps| {
        lines.iter().all(|it| ways_of(steps, it) == ["publish"])
    });
    settled(who);
}

/// Two people writing to each other at the same time.
#[derive(Default)]
pub(super) struct Talk(Cell<usize>);

impl Talk {
    /// Each writes three lines, and waits for those of the other.
    pub(super) fn go_on(&self, one: &Person, other: &Person) {
        for _ in 0..3 {
            let number = self.0.replace(self.0.get() + 1);
            for (speaker, listener) in [(one, other), (other, one)] {
                says(&speaker.puppet, listener.bare(), &line(speaker, number));
            }
        }
        for (speaker, listener) in [(one, other), (other, one)] {
            heard(&listener.puppet, 0, &line(speaker, self.0.get() - 1));
        }
    }

    /// They go on until this holds for both, and for three more lines; the number of the first of these.
    pub(super) fn go_on_until(
        &self,
        one: &Person,
        other: &Person,
        is_it: impl Fn(&Event) -> bool,
    ) -> usize {
        let have_seen = |it: &Person| it.puppet.so_far().iter().any(&is_it);
        while ![one, other].into_iter().all(have_seen) {
            self.go_on(one, other);
        }
        let number = self.0.get();
        self.go_on(one, other);
        number
    }

    pub(super) fn lines(&self, speaker: &Person) -> Vec<String> {
        (0..self.0.get()).map(|it| line(speaker, it)).collect()
    }
}

fn line(speaker: &Person, number: usize) -> String {
    format!("{} {number}", speaker.bare())
}
