//! After a step: everything has arrived, and is compared with what had to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::model::Shown;
use super::steps::Expected;
use super::world::{RESOURCES, Session, World};
use crate::process::PATIENCE;
use crate::puppet::{Event, Presence, Puppet};

type Sequences = BTreeMap<String, Vec<Shown>>;

impl World {
    /// Waits until everybody has seen what the step leads to, and compares.
    pub(super) fn settle(&mut self, expected: &Expected) {
        self.wait_for_publishes(expected);
        self.wait_for_the_gone(expected);
        self.wait_for_the_newcomer(expected);
        let seen = self.collect(expected);
        self.compare_nodes(expected);
        for (full, seen) in seen {
            self.compare_shown(&full, &seen, expected);
        }
    }

    /// The last publish: before it, no order is known between the shim's stanzas and the client's.
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

    /// The server's own `unavailable`, which has no id, comes last.
    fn wait_for_the_gone(&self, expected: &Expected) {
        let gone = expected
            .gone
            .iter()
            .filter(|it| expected.shown.contains_key(*it));
        for full in gone {
            let clients = self.available().map(|(_, it)| (&it.puppet, it.read));
            for (puppet, read) in clients.chain([(&self.witness, self.witness_read)]) {
                let what = format!("the server's word that {full} is gone");
                puppet.seen_until(read, &what, |it| {
                    it.is_presence_from(full, "unavailable") && it.id.is_empty()
                });
            }
        }
    }

    fn wait_for_the_newcomer(&self, expected: &Expected) {
        let Some(newcomer) = &expected.newcomer else {
            return;
        };
        let session = &self.sessions[newcomer];
        for (full, _) in self.available() {
            let what = format!("the presence of {full}");
            let is_it = |it: &Event| it.is_presence_from(full, "");
            session.puppet.seen_until(session.read, &what, is_it);
        }
    }

    /// Everything that everybody has seen up to a stanza sent now by who did it, else the witness.
    fn collect(&mut self, expected: &Expected) -> BTreeMap<String, Vec<Event>> {
        let actor = expected.actor.as_ref().map(|it| &self.sessions[it].puppet);
        let sender = actor.unwrap_or(&self.witness);
        let marks: Vec<_> = self
            .sessions
            .values()
            .map(|it| sender.send_mark(&it.puppet))
            .collect();
        let mark = sender.send_mark(&self.witness);
        let mut seen = BTreeMap::new();
        for ((full, session), mark) in self.sessions.iter_mut().zip(marks) {
            let events = up_to(&session.puppet, session.read, &mark);
            session.read += events.len();
            seen.insert(full.clone(), events);
        }
        let published = up_to(&self.witness, self.witness_read, &mark);
        self.witness_read += published.len();
        compare_published(&published, expected);
        seen
    }

    /// Whoever published has one item while available, and none after; others' stay as they are.
    fn compare_nodes(&mut self, expected: &Expected) {
        for full in expected.published.keys() {
            self.leftovers.remove(full);
        }
        let bare = |full: &str| full.split('/').next().unwrap().to_string();
        let touched: BTreeSet<_> = expected.published.keys().map(|it| bare(it)).collect();
        for account in touched {
            let wanted = self.truth(|full, it| bare(full) == account && it.shim.is_some());
            let may_be_left = |full: &str| self.leftovers.contains(full);
            wait_for_node(&self.witness, &account, &wanted, may_be_left);
        }
    }

    /// The newest presence of everybody available, or of some of them.
    fn truth(&self, counts: impl Fn(&str, &Session) -> bool) -> Sequences {
        let some = self.available().filter(|(full, it)| counts(full, it));
        some.map(|(full, it)| {
            let now = it.now.iter().map(|it| it.shown.clone());
            (full.clone(), now.collect())
        })
        .collect()
    }

    /// What one client was shown.
    fn compare_shown(&mut self, full: &str, seen: &[Event], expected: &Expected) {
        let truth = self.truth(|_, _| true);
        let session = self.sessions.get_mut(full).unwrap();
        check_stream(full, session, seen);
        let is_available = session.now.is_some();
        let wanted = match &expected.newcomer {
            Some(newcomer) if newcomer == full => truth.clone(),
            _ if is_available => expected.shown.clone(),
            _ => Sequences::new(),
        };
        let seen = seen.iter().filter(|it| it.kind == "presence");
        let shown = presences(seen, |it, before| {
            let is_there = match before {
                Some(before) => *before != Shown::Gone,
                None => session.view.contains_key(&it.from),
            };
            is_available && (is_there || !it.id.is_empty()) && it.from != full
        });
        assert_eq!(
            shown, wanted,
            "what {full} was shown, and what it had to be"
        );
        session.note_view(shown);
        if is_available {
            let truth = truth.into_iter();
            let newest = truth.filter_map(|(full, mut it)| Some((full, it.pop()?)));
            let newest: BTreeMap<_, _> = newest.collect();
            assert_eq!(session.view, newest, "the view of {full}, and the truth");
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

fn up_to(who: &Puppet, from: usize, mark: &str) -> Vec<Event> {
    who.seen_until(from, "a mark", |it| it.kind == "iq" && it.id == mark)
}

/// Asks for the items of somebody's node, again and again, until they are as they should be: the last
/// one goes only after the last publish was seen.
fn wait_for_node(
    asks: &Puppet,
    account: &str,
    wanted: &Sequences,
    may_be_left: impl Fn(&str) -> bool,
) {
    let deadline = Instant::now() + PATIENCE;
    let get = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='presence'/></pubsub>";
    loop {
        let answer = asks.ask("get", Some(account), get);
        let mut items = presences([&answer].into_iter(), |_, _| true);
        items.retain(|full, _| wanted.contains_key(full) || !may_be_left(full));
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

/// What a client may not see at all.
fn check_stream(full: &str, session: &Session, seen: &[Event]) {
    for event in seen {
        let is_end = matches!(&*event.event, "stream_error" | "disconnected");
        assert!(!is_end, "{full} lost its stream: {event:?}");
        if session.shim.is_some() {
            let is_inner = event.xml.contains("pubsub#event")
                || event.xml.contains("urn:pubshim:")
                || event.kind == "iq" && event.type_ != "get" && event.id.starts_with("ps-");
            assert!(!is_inner, "{full} saw what is between shims: {}", event.xml);
        }
    }
}

/// The broadcasts of those who walk, by sender; `unavailable` only where it counts, given what the same
/// sender said before.
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

/// What the witness saw of everybody's node; publishes coalesce, so only the last is sure.
fn compare_published(seen: &[Event], expected: &Expected) {
    for event in seen.iter().filter(|it| it.is_pubsub_event()) {
        assert!(
            !event.xml.contains("urn:pubshim:"),
            "a marker in {}",
            event.xml
        );
    }
    let published = presences(seen.iter().filter(|it| it.is_pubsub_event()), |_, _| true);
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
