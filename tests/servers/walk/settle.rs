//! After a step: waits until everything has arrived, and compares it with the expectation.

use std::collections::BTreeMap;
use std::time::Instant;

use super::model::Shown;
use super::steps::{Expected, Sequences};
use super::world::{RESOURCES, Session, World, bare};
use crate::process::PATIENCE;
use crate::puppet::{Event, Presence, Puppet};

impl World {
    /// Waits until all clients have seen the step's consequences, and compares.
    pub(super) fn settle(&mut self, expected: &Expected) {
        self.wait_for_publishes(expected);
        self.wait_for_the_gone(expected);
        self.wait_for_changes(expected);
        self.wait_for_farewells();
        let seen = self.collect(expected);
        self.compare_nodes(expected);
        for (full, seen) in seen {
            self.compare_shown(&full, &seen, expected);
        }
        self.compare_views();
        self.compare_suitors();
        self.was_published = self.published();
        self.wait_for_subscriptions();
    }

    /// Waits for the last publish: before it, the order between the shim's stanzas and the client's is unknown.
    fn wait_for_publishes(&self, expected: &Expected) {
        for (full, shown) in &expected.published {
            let what = format!("what {full} publishes: {shown:?}");
            let last = shown.last();
            self.witness.seen_until(self.witness_read, &what, |it| {
                let mut inside = it.presences.iter();
                it.is_pubsub_event()
                    && inside.any(|it| it.from == *full && Shown::of(it).as_ref() == last)
            });
        }
    }

    /// Waits for the server's own `unavailable` (without an id), which comes last. A client behind a shim is shown only
    /// the first of event and native presence.
    fn wait_for_the_gone(&self, expected: &Expected) {
        for (full, told) in &expected.gone {
            let told = told.iter().filter_map(|it| self.sessions.get(it));
            for session in told {
                match session.shim {
                    Some(_) if session.view.contains_key(full) => {
                        wait_for_gone(&session.puppet, session.read, full);
                    }
                    // Shown before.
                    Some(_) => {}
                    None => wait_for_server_to_say_gone(&session.puppet, session.read, full),
                }
            }
            if !expected.hidden.contains(full) {
                wait_for_server_to_say_gone(&self.witness, self.witness_read, full);
            }
        }
    }

    /// Waits until all changes were shown; surplus presences are found later.
    fn wait_for_changes(&self, expected: &Expected) {
        for (to, sequences) in &expected.shown {
            let Some(session) = self.sessions.get(to) else {
                continue;
            };
            for (from, sequence) in sequences {
                let what = format!("what {from} did: {sequence:?}");
                let last = sequence.last();
                session.puppet.seen_until(session.read, &what, |it| {
                    let mut inside = it.presences.iter();
                    it.kind == "presence"
                        && inside.any(|it| it.from == *from && Shown::of(it).as_ref() == last)
                });
            }
        }
    }

    /// A shim that learns that another resource has put an account off the node publishes that its client is gone, and
    /// then that it is there again. Waits until that is done.
    fn wait_for_farewells(&self) {
        // At the first answer each shim has got the push, at the second its farewell was published.
        for _ in 0..2 {
            for session in self.sessions.values().filter(|it| it.shim.is_some()) {
                session.puppet.ping();
            }
        }
        let mark = self.witness.send_mark(&self.witness);
        let seen = up_to(&self.witness, self.witness_read, &mark);
        let said = presences(seen.iter().filter(|it| it.is_pubsub_event()), |_, _| true);
        for full in self.published().keys() {
            if said.get(full).and_then(|it| it.last()) == Some(&Shown::Gone) {
                let what = format!("{full} is there again");
                self.witness
                    .seen_until(self.witness_read + seen.len(), &what, |it| {
                        let mut inside = it.presences.iter();
                        it.is_pubsub_event() && inside.any(|it| it.from == *full)
                    });
            }
        }
    }

    /// Events of every client up to a mark sent now by the client that did the step, else by the witness. Clients that
    /// a block keeps from hearing the actor get a mark of the witness, after the witness has got the actor's.
    fn collect(&mut self, expected: &Expected) -> BTreeMap<String, Vec<Event>> {
        let actor = expected.actor.as_ref();
        let sender = actor.map_or(&self.witness, |it| &self.sessions[it].puppet);
        let mark = sender.send_mark(&self.witness);
        let published = up_to(&self.witness, self.witness_read, &mark);
        let marks: Vec<_> = self
            .sessions
            .iter()
            .map(|(full, it)| match actor {
                Some(actor) if self.are_apart(actor, full) => self.witness.send_mark(&it.puppet),
                _ => sender.send_mark(&it.puppet),
            })
            .collect();
        let mut seen = BTreeMap::new();
        for ((full, session), mark) in self.sessions.iter_mut().zip(marks) {
            let events = up_to(&session.puppet, session.read, &mark);
            session.read += events.len();
            seen.insert(full.clone(), events);
        }
        self.witness_read += published.len();
        compare_published(&published, &self.was_published, expected);
        seen
    }

    /// Compares the nodes: each published client has one item, others have none, except leftovers.
    fn compare_nodes(&self, expected: &Expected) {
        for account in &expected.nodes {
            let members = self
                .sessions
                .iter()
                .filter(|(full, _)| bare(full) == account);
            let wanted =
                members.filter_map(|(full, it)| Some((full.clone(), vec![it.published.clone()?])));
            let is_left = |full: &str| self.leftovers.contains(full);
            wait_for_node(&self.witness, account, &wanted.collect(), is_left);
        }
    }

    /// Compares the presences one client was shown.
    fn compare_shown(&mut self, full: &str, seen: &[Event], expected: &Expected) {
        let published = self.published();
        let was_published = &self.was_published;
        let session = self.sessions.get_mut(full).unwrap();
        check_stream(full, session, seen);
        let is_available = session.now.is_some();
        let mut wanted = expected.shown.get(full).cloned().unwrap_or_default();
        let seen = seen.iter().filter(|it| it.kind == "presence");
        let mut shown = presences(seen, |it, before| {
            let was_there = session.view.contains_key(&it.from);
            let is_there = before.map_or(was_there, |it| *it != Shown::Gone);
            is_available && (is_there || was_there && !it.id.is_empty()) && it.from != full
        });
        for (from, sequence) in &mut shown {
            if wanted.get(from) != Some(sequence) {
                take_farewells_out(sequence, session.view.get(from));
            }
        }
        shown.retain(|_, sequence| !sequence.is_empty());
        // Some time after its login, a shim asks once for the items of accounts of which it got no presence; during a
        // block the answer may be a refusal.
        for (from, now) in published {
            let is_fetched = session.shim.is_some()
                && session.estranged.contains(bare(&from))
                && !session.wanted.contains_key(&from)
                && shown.get(&from) == Some(&vec![now.clone()]);
            if is_fetched {
                wanted.insert(from.clone(), vec![now.clone()]);
                session.wanted.insert(from, now);
            }
        }
        // The answer may also have come before this step's changes.
        for (from, before) in was_published {
            let is_news = session.shim.is_some()
                && session.estranged.contains(bare(from))
                && !session.view.contains_key(from);
            let Some((first, rest)) = shown.get(from).and_then(|it| it.split_first()) else {
                continue;
            };
            let known = wanted.get(from).map_or(&[][..], |it| it);
            // A client that nobody was shown may go without a word.
            let is_end = *rest == [Shown::Gone] && !session.wanted.contains_key(from);
            if is_news && first == before && (rest == known || is_end) {
                wanted.insert(from.clone(), shown[from].clone());
                if rest.is_empty() {
                    session.wanted.insert(from.clone(), before.clone());
                }
            }
        }
        assert_eq!(
            shown, wanted,
            "what {full} was shown, and what it had to be"
        );
        session.note_view(shown);
        assert_eq!(
            session.view, session.wanted,
            "the view of {full}, and what it had to be"
        );
    }

    /// Each available client's view of each other is the truth, unless a block or hiding is involved.
    fn compare_views(&self) {
        for (watcher, session) in self.available() {
            for account in &self.accounts {
                if session.estranged.contains(&account.bare) {
                    continue;
                }
                let plain = self
                    .sessions
                    .iter()
                    .filter(|(full, it)| bare(full) == account.bare && !it.was_hidden);
                for (full, it) in plain {
                    let now = it.now.as_ref().map(|it| &it.shown);
                    assert_eq!(session.view.get(full), now, "how {watcher} sees {full}");
                }
            }
        }
    }
}

impl Session {
    fn note_view(&mut self, shown: Sequences) {
        for (from, mut sequence) in shown {
            match sequence.pop() {
                Some(Shown::Gone) | None => self.view.remove(&from),
                Some(there) => self.view.insert(from, there),
            };
        }
    }
}

fn wait_for_gone(puppet: &Puppet, read: usize, full: &str) {
    puppet.seen_until(read, &format!("{full} is gone"), |it| {
        it.is_presence_from(full, "unavailable")
    });
}

fn wait_for_server_to_say_gone(puppet: &Puppet, read: usize, full: &str) {
    let what = format!("the server's word that {full} is gone");
    puppet.seen_until(read, &what, |it| {
        it.is_presence_from(full, "unavailable") && it.id.is_empty()
    });
}

fn up_to(who: &Puppet, from: usize, mark: &str) -> Vec<Event> {
    who.seen_until(from, "a mark", |it| it.kind == "iq" && it.id == mark)
}

/// Asks for the items of an account's node until they are right: the last item may be removed some time after the last
/// event.
fn wait_for_node(asks: &Puppet, account: &str, wanted: &Sequences, is_left: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let get = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='presence'/></pubsub>";
    loop {
        let answer = asks.ask("get", Some(account), get);
        let mut items = presences([&answer].into_iter(), |_, _| true);
        items.retain(|full, _| wanted.contains_key(full) || !is_left(full));
        if items == *wanted {
            return;
        }
        let is_in_time = Instant::now() < deadline;
        assert!(
            is_in_time,
            "the node of {account} has {items:#?}, not {wanted:#?}"
        );
    }
}

/// Checks that a client has seen nothing it must not: ends of streams, traffic between shims.
fn check_stream(full: &str, session: &Session, seen: &[Event]) {
    for event in seen {
        let is_end = matches!(&*event.event, "stream_error" | "disconnected");
        assert!(!is_end, "{full} lost its stream: {event:?}");
        if session.shim.is_some() {
            let is_inner = event.is_between_shims();
            assert!(!is_inner, "{full} saw what is between shims: {}", event.xml);
        }
    }
}

/// Broadcasts of the walking clients, by sender; an `unavailable` only if `end_counts`, given the sender's previous
/// presence.
fn presences<'a>(
    events: impl Iterator<Item = &'a Event>,
    end_counts: impl Fn(&Presence, Option<&Shown>) -> bool,
) -> Sequences {
    let mut sequences = Sequences::new();
    for seen in events.flat_map(|it| &it.presences) {
        let Some(shown) = Shown::of(seen) else {
            continue;
        };
        let resource = seen.from.split_once('/').map(|(_, resource)| resource);
        let before = sequences.get(&seen.from).and_then(|it| it.last());
        let counts = shown != Shown::Gone || end_counts(seen, before);
        if counts && resource.is_some_and(|it| RESOURCES.contains(&it)) {
            sequences.entry(seen.from.clone()).or_default().push(shown);
        }
    }
    sequences
}

/// Drops pairs of `unavailable` and the same presence as `before`: a shim publishes these when another resource has put
/// an account off the node.
fn take_farewells_out(sequence: &mut Vec<Shown>, before: Option<&Shown>) {
    let mut at = 0;
    while at + 1 < sequence.len() {
        let known = at.checked_sub(1).map_or(before, |it| sequence.get(it));
        if sequence[at] == Shown::Gone && known == Some(&sequence[at + 1]) {
            sequence.drain(at..at + 2);
        } else {
            at += 1;
        }
    }
}

/// Compares the events of all nodes that the witness got; publishes may be merged, so only the last one is certain.
fn compare_published(seen: &[Event], before: &BTreeMap<String, Shown>, expected: &Expected) {
    for event in seen.iter().filter(|it| it.is_pubsub_event()) {
        assert!(
            !event.xml.contains("urn:pubshim:"),
            "a marker in {}",
            event.xml
        );
    }
    let mut published = presences(seen.iter().filter(|it| it.is_pubsub_event()), |_, _| true);
    for (from, sequence) in &mut published {
        let wanted = expected.published.get(from).map_or(&[][..], |it| it);
        if !wanted.ends_with(sequence) {
            take_farewells_out(sequence, before.get(from));
        }
    }
    published.retain(|_, sequence| !sequence.is_empty());
    for (from, sequence) in &published {
        let mut wanted = expected.published.get(from).into_iter().flatten();
        let is_in_order = sequence.iter().all(|it| wanted.any(|other| other == it));
        assert!(
            is_in_order,
            "{from} published {sequence:#?}, not {:#?}",
            expected.published
        );
    }
    for (from, wanted) in &expected.published {
        let last = published.get(from).and_then(|it| it.last());
        assert_eq!(last, wanted.last(), "the last that {from} published");
    }
}
