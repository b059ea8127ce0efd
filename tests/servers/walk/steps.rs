//! What happens in a step.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::model::{Presence, Shown};
use super::world::{RESOURCES, Session, World};
use crate::puppet::Puppet;
use crate::server::Account;
use crate::shim::Shim;

/// What a step leads to.
#[derive(Default)]
pub(super) struct Expected {
    /// What everybody available is shown, by sender.
    pub(super) shown: BTreeMap<String, Vec<Shown>>,
    /// Whose node gets what published.
    pub(super) published: BTreeMap<String, Vec<Shown>>,
    /// Who is shown the newest presence of everybody available.
    pub(super) newcomer: Option<String>,
    /// Who did it and is still connected.
    pub(super) actor: Option<String>,
    /// Who is logged out.
    pub(super) gone: BTreeSet<String>,
}

/// How a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    Exit,
    Abort,
    /// With its shim, told to stop.
    Stopped,
    /// With its shim, killed.
    Killed,
    /// By another client with the same full JID.
    Replaced,
}

type Note<'a> = &'a mut dyn FnMut(String);

impl World {
    /// Does something that can be done now, and notes it before.
    pub(super) fn step(&mut self, note: Note<'_>) -> Expected {
        self.serial += 1;
        loop {
            let done = match self.rng.below(40) {
                0..=7 => self.log_in(note),
                8..=21 => self.change(note),
                22..=24 => self.repeat(note),
                25..=26 => self.change_often(note),
                27..=29 => self.hide(note),
                30..=33 => self.come_back(note),
                34..=35 => self.leave(Leave::Exit, note),
                36..=37 => self.leave(Leave::Abort, note),
                38 => self.end_shim(false, note),
                _ => self.end_shim(true, note),
            };
            if let Some(expected) = done {
                return expected;
            }
        }
    }

    fn log_in(&mut self, note: Note<'_>) -> Option<Expected> {
        let account = self.rng.pick(&self.accounts);
        let resource = self.rng.pick(&RESOURCES);
        let full = format!("{}/{resource}", account.bare);
        let shim = (!self.rng.once_in(3)).then(|| self.rng.below(self.shims.len()));
        if self.sessions.contains_key(&full) {
            let replaces = self.rng.once_in(3);
            return replaces.then(|| self.replace(&full, &account, shim, note));
        }
        let how = self.rng.below(8);
        note(format!("{full} logs in, shim {shim:?}, way {how}"));
        let session = self.connect(&account, resource, shim);
        let asks_for_roster = how % 4;
        if asks_for_roster > 1 {
            session.puppet.send(json!({"cmd": "roster"}));
        }
        self.sessions.insert(full.clone(), session);
        let mut expected = Expected::by(&full);
        if how > 0 {
            expected = self.become_available(&full);
        }
        if asks_for_roster == 1 {
            self.sessions[&full].puppet.send(json!({"cmd": "roster"}));
        }
        Some(expected)
    }

    /// A second client takes the resource of one that is logged in; it sends no presence yet.
    fn replace(
        &mut self,
        full: &str,
        account: &Account,
        shim: Option<usize>,
        note: Note<'_>,
    ) -> Expected {
        note(format!("{full} logs in once more, shim {shim:?}"));
        let resource = full.split_once('/').unwrap().1;
        let session = self.connect(account, resource, shim);
        let mut expected = Expected::by(full);
        self.remove(full, Leave::Replaced, &mut expected);
        self.sessions.insert(full.to_string(), session);
        expected
    }

    fn connect(&mut self, account: &Account, resource: &str, shim: Option<usize>) -> Session {
        let server = self.server;
        let entry = match shim {
            None => server.entry(),
            Some(at) => {
                let shim = &mut self.shims[at];
                shim.get_or_insert_with(|| Shim::start(server, "auto", &["-v"]))
                    .entry()
            }
        };
        Session {
            puppet: Puppet::login(&entry, account, resource),
            shim,
            now: None,
            read: 0,
            view: BTreeMap::new(),
        }
    }

    fn become_available(&mut self, full: &str) -> Expected {
        let presence = Presence::random(&mut self.rng, self.serial);
        let mut expected = self.send(full, &[presence]);
        expected.newcomer = Some(full.to_string());
        expected
    }

    fn change(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(true)?;
        let presence = Presence::random(&mut self.rng, self.serial);
        note(format!("{full} sends {}", presence.xml));
        Some(self.send(&full, &[presence]))
    }

    fn repeat(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(true)?;
        let presence = self.sessions[&full].now.clone()?;
        note(format!("{full} repeats {}", presence.xml));
        Some(self.send(&full, &[presence]))
    }

    fn change_often(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(true)?;
        let count = 2 + self.rng.below(6);
        let mut presences = Vec::new();
        for _ in 0..count {
            self.serial += 1;
            presences.push(Presence::random(&mut self.rng, self.serial));
        }
        presences.push(Presence::unique(&mut self.rng, self.serial + 1));
        self.serial += 1;
        note(format!("{full} sends {} changes at once:", presences.len()));
        for presence in &presences {
            note(format!("    {}", presence.xml));
        }
        Some(self.send(&full, &presences))
    }

    fn hide(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(true)?;
        let presence = Presence::unavailable(&mut self.rng, self.serial);
        note(format!("{full} sends {} and stays", presence.xml));
        let expected = self.send(&full, &[presence]);
        let session = self.sessions.get_mut(&full)?;
        session.now = None;
        session.view.clear();
        Some(expected)
    }

    fn come_back(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(false)?;
        note(format!("{full} becomes available"));
        Some(self.become_available(&full))
    }

    fn leave(&mut self, how: Leave, note: Note<'_>) -> Option<Expected> {
        let is_available = !self.rng.once_in(4);
        let full = self.somebody(is_available)?;
        let last_words = (is_available && how == Leave::Exit && self.rng.once_in(2))
            .then(|| Presence::unique(&mut self.rng, self.serial));
        let mut expected = Expected::default();
        if let Some(presence) = last_words {
            note(format!("{full} sends {}", presence.xml));
            expected = self.send(&full, &[presence]);
            expected.actor = None;
        }
        let command = match how {
            Leave::Exit => "disconnect",
            _ => "abort",
        };
        note(format!("{full} leaves: {command}"));
        self.sessions[&full].puppet.send(json!({"cmd": command}));
        self.remove(&full, how, &mut expected);
        Some(expected)
    }

    fn end_shim(&mut self, killed: bool, note: Note<'_>) -> Option<Expected> {
        let at = self.rng.below(self.shims.len());
        let mut shim = self.shims[at].take()?;
        let behind = |it: &Session| it.shim == Some(at);
        let sessions = self.sessions.iter().filter(|(_, it)| behind(it));
        let sessions: Vec<_> = sessions.map(|(full, _)| full.clone()).collect();
        let how = match killed {
            true => Leave::Killed,
            false => Leave::Stopped,
        };
        note(format!("shim {at} is {how:?}, with {sessions:?}"));
        if killed {
            shim.kill();
        } else {
            assert_eq!(shim.terminate(), Some(0), "the exit code of a shim");
        }
        self.ended_shims.push(shim);
        let mut expected = Expected::default();
        for full in sessions {
            self.remove(&full, how, &mut expected);
        }
        Some(expected)
    }

    /// A client that is available, or is not.
    fn somebody(&mut self, available: bool) -> Option<String> {
        let all = self.sessions.iter();
        let some: Vec<_> = all
            .filter(|(_, it)| it.now.is_some() == available)
            .map(|(full, _)| full.clone())
            .collect();
        (!some.is_empty()).then(|| self.rng.pick(&some))
    }

    fn send(&mut self, full: &str, presences: &[Presence]) -> Expected {
        let session = self.sessions.get_mut(full).unwrap();
        let xml: Vec<_> = presences.iter().map(|it| &*it.xml).collect();
        session.puppet.raw(&xml.concat());
        session.now = presences.last().cloned();
        let shown: Vec<_> = presences.iter().map(|it| it.shown.clone()).collect();
        let mut expected = Expected::by(full);
        if session.shim.is_some() {
            expected.published.insert(full.to_string(), shown.clone());
        }
        expected.shown.insert(full.to_string(), shown);
        expected
    }

    /// Takes note that somebody is no longer connected.
    fn remove(&mut self, full: &str, how: Leave, expected: &mut Expected) {
        let session = self.sessions.remove(full).unwrap();
        let gone = |it: &crate::puppet::Event| it.event == "disconnected";
        session.puppet.wait("the end of the stream", gone);
        expected.gone.insert(full.to_string());
        if session.now.is_none() {
            return;
        }
        let shown = expected.shown.entry(full.to_string()).or_default();
        shown.push(Shown::Gone);
        if session.shim.is_none() {
            return;
        }
        if matches!(how, Leave::Killed | Leave::Replaced) {
            self.leftovers.insert(full.to_string());
        } else {
            let published = expected.published.entry(full.to_string()).or_default();
            published.push(Shown::Gone);
        }
    }
}

impl Expected {
    fn by(actor: &str) -> Self {
        Self {
            actor: Some(actor.to_string()),
            ..Self::default()
        }
    }
}
