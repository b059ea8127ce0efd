//! What can happen in a step.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::model::{Presence, Shown};
use super::world::{RESOURCES, Session, Way, World, bare};
use crate::puppet::Puppet;
use crate::relay::{Cut, Relay};
use crate::server::{Account, Entry, Kind};
use crate::shim::Shim;

/// What somebody is shown, by sender.
pub(super) type Sequences = BTreeMap<String, Vec<Shown>>;

/// What a step leads to.
#[derive(Default)]
pub(super) struct Expected {
    /// What everybody available is shown.
    pub(super) shown: BTreeMap<String, Sequences>,
    /// Whose node gets what published.
    pub(super) published: Sequences,
    /// Whose nodes are looked at.
    pub(super) nodes: BTreeSet<String>,
    /// Who did it and is still connected.
    pub(super) actor: Option<String>,
    /// Who is logged out, and whom the server tells.
    pub(super) gone: BTreeMap<String, Vec<String>>,
    /// Of those the ones whose privacy list forbids the server to tell others.
    pub(super) hidden: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    LogIn,
    /// Somebody of this account, who can be told anything, behind this shim or none.
    LogInAs(usize, Option<usize>),
    Change,
    Repeat,
    ChangeOften,
    Hide,
    ComeBack,
    Leave(Leave),
    EndShim(Leave),
    /// The network between a client and what it is connected to breaks.
    CutClient,
    /// The network between a shim and the server breaks.
    CutShim,
    RestartServer,
    /// XEP-0186, which neither server knows.
    TryInvisibleCommand,
    /// `type='invisible'`, which neither server knows.
    TryInvisibleType,
    /// A privacy list, which Prosody does not know.
    HideByList,
    ShowAgain,
    Block,
    Unblock,
}

/// How a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    Exit,
    Abort,
    /// With its shim, told to stop.
    Stopped,
    /// With its shim, killed.
    Killed,
    /// By another client with the same full JID.
    Replaced,
    /// Its shim lost the server.
    Lost,
    /// The server ended.
    ServerEnded,
}

type Note<'a> = &'a mut dyn FnMut(String);

impl World {
    /// Each kind of step once, in an order that leaves each something to do.
    pub(super) fn opening(&self) -> Vec<Step> {
        use self::Leave::{Abort, Exit, Killed, Stopped};
        use Step::{
            Block, Change, ChangeOften, ComeBack, CutClient, CutShim, EndShim, Hide, HideByList,
            LogIn, LogInAs, Repeat, RestartServer, ShowAgain, TryInvisibleCommand,
            TryInvisibleType, Unblock,
        };
        let [juliet, romeo] = [0, 1];
        let mut steps = vec![LogInAs(juliet, Some(0)), LogInAs(romeo, Some(1))];
        steps.extend([LogInAs(juliet, Some(1)), LogInAs(romeo, None)]);
        steps.extend([TryInvisibleCommand, Change, TryInvisibleType, Repeat]);
        if self.server.kind == Kind::Ejabberd {
            steps.extend([HideByList, Change, ShowAgain]);
        }
        steps.extend([Block, ChangeOften, Unblock, Hide, ComeBack]);
        for end in [
            EndShim(Killed),
            CutShim,
            CutClient,
            EndShim(Stopped),
            RestartServer,
        ] {
            let all_again = [LogInAs(juliet, Some(2)), LogInAs(romeo, Some(0))];
            steps.push(end);
            steps.extend(all_again);
        }
        steps.extend([Step::Leave(Exit), Step::Leave(Abort), LogIn]);
        steps
    }

    pub(super) fn random_step(&mut self) -> Step {
        match self.rng.below(120) {
            0..=23 => Step::LogIn,
            24..=55 => Step::Change,
            56..=61 => Step::Repeat,
            62..=67 => Step::ChangeOften,
            68..=73 => Step::Hide,
            74..=82 => Step::ComeBack,
            83..=86 => Step::Leave(Leave::Exit),
            87..=89 => Step::Leave(Leave::Abort),
            90..=91 => Step::EndShim(Leave::Stopped),
            92..=93 => Step::EndShim(Leave::Killed),
            94..=96 => Step::CutClient,
            97..=98 => Step::CutShim,
            99..=101 => Step::TryInvisibleCommand,
            102..=104 => Step::TryInvisibleType,
            105..=107 => Step::HideByList,
            108..=113 => Step::ShowAgain,
            114..=115 => Step::Block,
            116..=118 => Step::Unblock,
            _ => Step::RestartServer,
        }
    }

    /// Does something if it can be done now, and notes it before.
    pub(super) fn perform(&mut self, step: Step, note: Note<'_>) -> Option<Expected> {
        self.serial += 1;
        match step {
            Step::LogIn => self.log_in(note),
            Step::LogInAs(account, shim) => self.log_in_as(account, shim, note),
            Step::Change => self.change(note),
            Step::Repeat => self.repeat(note),
            Step::ChangeOften => self.change_often(note),
            Step::Hide => self.hide(note),
            Step::ComeBack => self.come_back(note),
            Step::Leave(how) => self.leave(how, note),
            Step::EndShim(how) => self.end_shim(how, note),
            Step::CutClient => self.cut_client(note),
            Step::CutShim => self.cut_shim(note),
            Step::RestartServer => Some(self.restart_server(note)),
            Step::TryInvisibleCommand => self.try_invisible_command(note),
            Step::TryInvisibleType => self.try_invisible_type(note),
            Step::HideByList => self.hide_by_list(note),
            Step::ShowAgain => self.show_again(note),
            Step::Block => self.block(note),
            Step::Unblock => self.unblock(note),
        }
    }

    fn log_in(&mut self, note: Note<'_>) -> Option<Expected> {
        let account = self.rng.pick(&self.accounts);
        let resource = self.rng.pick(&RESOURCES);
        let full = format!("{}/{resource}", account.bare);
        let shim = (!self.rng.once_in(3)).then(|| self.rng.below(self.shims.len()));
        if self.sessions.contains_key(&full) {
            return match self.rng.once_in(3) && !self.would_keep(&full, shim, 0) {
                true => Some(self.replace(&full, &account, shim, note)),
                false => None,
            };
        }
        let how = self.rng.below(8);
        if self.would_keep(&full, shim, how) {
            return None;
        }
        note(format!("{full} logs in, shim {shim:?}, way {how}"));
        let session = self.connect(&account, resource, shim);
        let asks_for_roster = how % 4;
        if asks_for_roster > 1 {
            session.puppet.send(json!({"cmd": "roster"}));
        }
        self.sessions.insert(full.clone(), session);
        let mut expected = Expected::by(&full);
        if how > 0 {
            let presence = Presence::random(&mut self.rng, self.serial);
            self.become_available(&full, presence, &mut expected);
        }
        if asks_for_roster == 1 {
            self.sessions[&full].puppet.send(json!({"cmd": "roster"}));
        }
        Some(expected)
    }

    /// Whether a client that logs in so would keep an item alive that its resource left: it answers the
    /// ping by which shims find out who is gone, and publishes nothing itself.
    fn would_keep(&self, full: &str, shim: Option<usize>, how: usize) -> bool {
        let publishes = shim.is_some() && how > 0 && !self.hides_by_block(full);
        let is_left = match self.sessions.get(full) {
            Some(session) => session.published.is_some() && self.server.kind == Kind::Prosody,
            None => self.leftovers.contains(full),
        };
        is_left && !publishes
    }

    /// ejabberd blocks by the account's default privacy list: a shim that finds one that hides the client
    /// from somebody publishes nothing.
    fn hides_by_block(&self, full: &str) -> bool {
        let mut blockers = self.blocked.iter().map(|(blocker, _)| blocker);
        self.server.kind == Kind::Ejabberd && blockers.any(|it| it == bare(full))
    }

    fn log_in_as(
        &mut self,
        account: usize,
        shim: Option<usize>,
        note: Note<'_>,
    ) -> Option<Expected> {
        let account = self.accounts[account].clone();
        let full_of = |it: &str| format!("{}/{it}", account.bare);
        let is_free = |it: &&str| !self.sessions.contains_key(&full_of(it));
        let resource = RESOURCES.into_iter().find(is_free)?;
        let full = full_of(resource);
        if self.would_keep(&full, shim, 1) {
            return None;
        }
        note(format!("{full} logs in, shim {shim:?}"));
        let session = self.connect(&account, resource, shim);
        self.sessions.insert(full.clone(), session);
        let presence = Presence::unique(&mut self.rng, self.serial);
        let mut expected = Expected::by(&full);
        self.become_available(&full, presence, &mut expected);
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
        let Self {
            server,
            shims,
            uplinks,
            ..
        } = self;
        let entry = match shim {
            None => server.entry(),
            Some(at) => {
                let start = || Shim::start_over(uplinks[at].addr, server, "auto", &["-v"]);
                shims[at].get_or_insert_with(start).entry()
            }
        };
        let relay = Relay::to(entry.addr);
        let addr = relay.addr;
        Session {
            puppet: Puppet::login(&Entry { addr, ..entry }, account, resource),
            relay,
            shim,
            now: None,
            published: None,
            is_hidden: false,
            was_hidden: false,
            publishes: None,
            read: 0,
            view: BTreeMap::new(),
            wanted: BTreeMap::new(),
            estranged: BTreeSet::new(),
        }
    }

    /// Sends a first presence; the newcomer is shown everybody whom the server lets it see.
    fn become_available(&mut self, full: &str, presence: Presence, expected: &mut Expected) {
        // A probe is answered with less than what broadcasts tell the own account.
        let others = self
            .available()
            .filter(|(other, it)| self.passes_native(other, full) && !it.is_hidden);
        let others = others.map(|(other, it)| (other.clone(), it.now.clone().unwrap().shown));
        let wanted: BTreeMap<_, _> = others.collect();
        let shown = wanted
            .iter()
            .map(|(other, it)| (other.clone(), vec![it.clone()]));
        expected.shown.insert(full.to_string(), shown.collect());
        let apart = self
            .accounts
            .iter()
            .filter(|it| self.are_apart(full, &it.bare));
        let estranged = apart.map(|it| it.bare.clone()).collect();
        let session = self.sessions.get_mut(full).unwrap();
        session.wanted = wanted;
        session.estranged = estranged;
        self.send(full, &[presence], expected);
    }

    fn change(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|it| it.now.is_some())?;
        let presence = Presence::random(&mut self.rng, self.serial);
        note(format!("{full} sends {}", presence.xml));
        let mut expected = Expected::by(&full);
        self.send(&full, &[presence], &mut expected);
        Some(expected)
    }

    fn repeat(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|it| it.now.is_some())?;
        let presence = self.sessions[&full].now.clone()?;
        note(format!("{full} repeats {}", presence.xml));
        let mut expected = Expected::by(&full);
        self.send(&full, &[presence], &mut expected);
        Some(expected)
    }

    fn change_often(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|it| it.now.is_some())?;
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
        let mut expected = Expected::by(&full);
        self.send(&full, &presences, &mut expected);
        Some(expected)
    }

    fn hide(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|it| it.now.is_some())?;
        let presence = Presence::unavailable(&mut self.rng, self.serial);
        note(format!("{full} sends {} and stays", presence.xml));
        let mut expected = Expected::by(&full);
        self.send_unavailable(&full, &presence, &mut expected);
        Some(expected)
    }

    fn come_back(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|it| it.now.is_none())?;
        note(format!("{full} becomes available"));
        let mut expected = Expected::by(&full);
        let presence = Presence::random(&mut self.rng, self.serial);
        self.become_available(&full, presence, &mut expected);
        Some(expected)
    }

    fn leave(&mut self, how: Leave, note: Note<'_>) -> Option<Expected> {
        let is_available = !self.rng.once_in(4);
        let full = self.somebody(|it| it.now.is_some() == is_available)?;
        let last_words = (is_available && how == Leave::Exit && self.rng.once_in(2))
            .then(|| Presence::unique(&mut self.rng, self.serial));
        let mut expected = Expected::default();
        if let Some(presence) = last_words {
            note(format!("{full} sends {}", presence.xml));
            self.send(&full, &[presence], &mut expected);
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

    fn end_shim(&mut self, how: Leave, note: Note<'_>) -> Option<Expected> {
        let (at, sessions) = self.some_shim()?;
        let mut shim = self.shims[at].take()?;
        note(format!("shim {at} is {how:?}, with {sessions:?}"));
        if how == Leave::Killed {
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

    fn cut_client(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|_| true)?;
        let (stalls, how) = self.some_cut();
        note(format!("{full} is cut off, stalls: {stalls}, {how:?}"));
        let session = &self.sessions[&full];
        if stalls {
            session.relay.stall();
            session
                .puppet
                .raw("<presence><status>Into the void</status></presence>");
        }
        session.relay.cut(how);
        let mut expected = Expected::default();
        self.remove(&full, Leave::Abort, &mut expected);
        Some(expected)
    }

    fn cut_shim(&mut self, note: Note<'_>) -> Option<Expected> {
        let (at, sessions) = self.some_shim()?;
        let (stalls, how) = self.some_cut();
        note(format!(
            "shim {at} is cut off, stalls: {stalls}, {how:?}, with {sessions:?}"
        ));
        if stalls {
            self.uplinks[at].stall();
            for full in &sessions {
                let puppet = &self.sessions[full].puppet;
                puppet.raw("<presence><status>Into the void</status></presence>");
            }
        }
        self.uplinks[at].cut(how);
        let mut expected = Expected::default();
        for full in sessions {
            self.remove(&full, Leave::Lost, &mut expected);
        }
        Some(expected)
    }

    /// All sessions end; the shims stay.
    fn restart_server(&mut self, note: Note<'_>) -> Expected {
        note("the server is restarted".to_string());
        self.server.restart();
        for uplink in &self.uplinks {
            uplink.retarget(self.server.addr());
        }
        let mut expected = Expected::default();
        let sessions: Vec<_> = self.sessions.keys().cloned().collect();
        for full in sessions {
            self.remove(&full, Leave::ServerEnded, &mut expected);
        }
        // Nobody is left to be told.
        expected.gone.clear();
        self.meet_witness_again();
        expected
    }

    /// The shim hides the client as soon as it asks; the server refuses, and the shim shows it again.
    fn try_invisible_command(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|it| it.published.is_some())?;
        note(format!("{full} asks to be invisible, by XEP-0186"));
        let mut expected = Expected::by(&full);
        let payload = "<invisible xmlns='urn:xmpp:invisible:1'/>";
        let answer = self.sessions[&full].puppet.iq("set", None, payload);
        assert_eq!(answer.type_, "error", "{}", answer.xml);
        let now = self.sessions[&full].published.clone()?;
        self.tell(&mut expected, &full, Way::Event, &Shown::Gone);
        self.tell(&mut expected, &full, Way::Event, &now);
        Some(expected)
    }

    /// The server refuses it and goes on as before. Until the client says something else, it is gone for
    /// whoever believes its shim.
    fn try_invisible_type(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|it| it.published.is_some())?;
        note(format!("{full} sends type='invisible'"));
        let mut expected = Expected::by(&full);
        self.sessions[&full]
            .puppet
            .raw("<presence type='invisible'/>");
        self.tell(&mut expected, &full, Way::Event, &Shown::Gone);
        self.sessions.get_mut(&full)?.was_hidden = true;
        Some(expected)
    }

    fn hide_by_list(&mut self, note: Note<'_>) -> Option<Expected> {
        if self.server.kind != Kind::Ejabberd {
            return None;
        }
        // Whoever is invisible already for its shim would not be shown again.
        let is_shown = |it: &Session| it.published.is_some() || it.publishes == Some(false);
        let full = self.somebody(|it| it.now.is_some() && !it.is_hidden && is_shown(it))?;
        // The active list would stand in for the default one, by which ejabberd blocks.
        if self.hides_by_block(&full) {
            return None;
        }
        // XEP-0126 has clients take their leave before.
        let takes_leave = self.rng.once_in(2);
        note(format!(
            "{full} hides by a privacy list, takes leave: {takes_leave}"
        ));
        let mut expected = Expected::by(&full);
        if takes_leave {
            let presence = Presence::unavailable(&mut self.rng, self.serial);
            self.send_unavailable(&full, &presence, &mut expected);
        }
        let puppet = &self.sessions[&full].puppet;
        puppet.ask(
            "set",
            None,
            "<query xmlns='jabber:iq:privacy'><list name='hidden'>\
             <item action='deny' order='1'><presence-out/></item></list></query>",
        );
        puppet.ask(
            "set",
            None,
            "<query xmlns='jabber:iq:privacy'><active name='hidden'/></query>",
        );
        if self.sessions[&full].published.is_some() {
            self.tell(&mut expected, &full, Way::Event, &Shown::Gone);
        }
        let session = self.sessions.get_mut(&full)?;
        session.is_hidden = true;
        session.was_hidden = true;
        if takes_leave {
            let presence = Presence::random(&mut self.rng, self.serial);
            self.become_available(&full, presence, &mut expected);
        }
        Some(expected)
    }

    fn show_again(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|it| it.is_hidden)?;
        let says_more = self.rng.once_in(2);
        note(format!("{full} hides no more, says more: {says_more}"));
        let mut expected = Expected::by(&full);
        let payload = "<query xmlns='jabber:iq:privacy'><active/></query>";
        let session = self.sessions.get_mut(&full)?;
        session.is_hidden = false;
        if says_more && session.now.is_some() {
            session
                .puppet
                .raw(&format!("<iq type='set' id='show'>{payload}</iq>"));
        } else {
            session.puppet.ask("set", None, payload);
        }
        if let (Some(true), Some(now)) = (session.publishes, session.now.clone()) {
            self.tell(&mut expected, &full, Way::Event, &now.shown);
        }
        if says_more && self.sessions[&full].now.is_some() {
            let presence = Presence::unique(&mut self.rng, self.serial);
            self.send(&full, &[presence], &mut expected);
        }
        Some(expected)
    }

    /// Somebody behind a shim blocks another account. Prosody tells that account that everybody of the
    /// blocker's is gone; ejabberd tells nobody anything, and each sees the other as before.
    fn block(&mut self, note: Note<'_>) -> Option<Expected> {
        let full = self.somebody(|it| it.shim.is_some())?;
        let own = bare(&full).to_string();
        let others = self.accounts.iter().map(|it| it.bare.clone());
        let others: Vec<_> = others.filter(|it| *it != own).collect();
        let other = self.rng.pick(&others);
        let pair = (own.clone(), other.clone());
        let mut members = self.sessions.iter().filter(|(it, _)| bare(it) == own);
        if self.blocked.contains(&pair) || members.any(|(_, it)| it.is_hidden) {
            return None;
        }
        note(format!("{full} blocks {other}"));
        let mut expected = Expected::by(&full);
        let puppet = &self.sessions[&full].puppet;
        puppet.ask("set", None, &blocking("block", &other));
        // The shim ends subscriptions in two rounds, the first begun before the answer came.
        puppet.ping();
        puppet.ping();
        if self.server.kind == Kind::Prosody {
            let members = self.available().filter(|(it, _)| bare(it) == own);
            let members: Vec<_> = members.map(|(it, _)| it.clone()).collect();
            for from in members {
                self.tell_some(&mut expected, &from, Way::Native, &Shown::Gone, |to| {
                    bare(to) == other
                });
            }
        }
        self.blocked.insert(pair);
        self.subscribed.remove(&(other.clone(), own.clone()));
        for (full, session) in &mut self.sessions {
            match bare(full) {
                it if it == own => session.estranged.insert(other.clone()),
                it if it == other => session.estranged.insert(own.clone()),
                _ => false,
            };
        }
        Some(expected)
    }

    /// Prosody tells the account what everybody of the blocker's said last; ejabberd tells nothing. Then
    /// the nodes are subscribed to as before.
    fn unblock(&mut self, note: Note<'_>) -> Option<Expected> {
        let pairs: Vec<_> = self.blocked.iter().cloned().collect();
        let pair = (!pairs.is_empty()).then(|| self.rng.pick(&pairs))?;
        let (own, other) = pair.clone();
        let members = self.sessions.keys().filter(|it| bare(it) == own);
        let members: Vec<_> = members.cloned().collect();
        let full = (!members.is_empty()).then(|| self.rng.pick(&members))?;
        note(format!("{full} unblocks {other}"));
        let mut expected = Expected::by(&full);
        let puppet = &self.sessions[&full].puppet;
        puppet.ask("set", None, &blocking("unblock", &other));
        self.blocked.remove(&pair);
        if self.server.kind == Kind::Prosody {
            for from in members {
                if let Some(now) = self.sessions[&from].now.clone() {
                    self.tell_some(&mut expected, &from, Way::Native, &now.shown, |to| {
                        bare(to) == other
                    });
                }
            }
        }
        if !self.are_apart(&own, &other) {
            for (watcher, owner) in [(&own, &other), (&other, &own)] {
                if self.subscribed.insert((watcher.clone(), owner.clone())) {
                    self.subscribe_again(watcher, owner);
                }
            }
        }
        Some(expected)
    }

    /// A client for which this holds.
    fn somebody(&mut self, is_it: impl Fn(&Session) -> bool) -> Option<String> {
        let some = self.sessions.iter().filter(|(_, it)| is_it(it));
        let some: Vec<_> = some.map(|(full, _)| full.clone()).collect();
        (!some.is_empty()).then(|| self.rng.pick(&some))
    }

    /// A shim with clients, and these.
    fn some_shim(&mut self) -> Option<(usize, Vec<String>)> {
        let at = self.rng.below(self.shims.len());
        let behind = self.sessions.iter().filter(|(_, it)| it.shim == Some(at));
        let behind: Vec<_> = behind.map(|(full, _)| full.clone()).collect();
        (!behind.is_empty()).then_some((at, behind))
    }

    /// Whether nothing passes for a while before the cut, and how that is.
    fn some_cut(&mut self) -> (bool, Cut) {
        let stalls = self.rng.once_in(2);
        (stalls, self.rng.pick(&[Cut::Reset, Cut::Close]))
    }

    fn send(&mut self, full: &str, presences: &[Presence], expected: &mut Expected) {
        let hides_by_block = self.hides_by_block(full);
        let session = self.sessions.get_mut(full).unwrap();
        let xml: Vec<_> = presences.iter().map(|it| &*it.xml).collect();
        session.puppet.raw(&xml.concat());
        session.now = presences.last().cloned();
        let is_first = session.publishes.is_none();
        let may_publish = session.shim.is_some() && !hides_by_block;
        let publishes = *session.publishes.get_or_insert(may_publish);
        session.was_hidden = session.is_hidden;
        let way = match publishes && !session.is_hidden {
            true => Way::Both,
            false => Way::Native,
        };
        for presence in presences {
            self.tell(expected, full, way, &presence.shown);
        }
        if is_first && publishes {
            self.expect_no_leftovers(full);
        }
    }

    fn send_unavailable(&mut self, full: &str, presence: &Presence, expected: &mut Expected) {
        let session = &self.sessions[full];
        session.puppet.raw(&presence.xml);
        let way = match session.published {
            Some(_) => Way::Both,
            None => Way::Native,
        };
        self.tell(expected, full, way, &presence.shown);
        let session = self.sessions.get_mut(full).unwrap();
        session.now = None;
        session.view.clear();
        session.wanted.clear();
        expected.shown.remove(full);
    }

    /// A shim that publishes for the first time clears away what the account's other sessions left.
    fn expect_no_leftovers(&mut self, full: &str) {
        self.leftovers.retain(|it| bare(it) != bare(full));
    }

    /// Takes note that somebody is no longer connected.
    fn remove(&mut self, full: &str, how: Leave, expected: &mut Expected) {
        let session = &self.sessions[full];
        let gone = |it: &crate::puppet::Event| it.event == "disconnected";
        session.puppet.wait("the end of the stream", gone);
        let is_left = !matches!(how, Leave::Exit | Leave::Abort | Leave::Stopped);
        let is_published = session.published.is_some();
        if session.now.is_some() {
            let mut told = self.reached(full, Way::Native);
            told.retain(|it| it != full);
            expected.gone.insert(full.to_string(), told);
            if session.is_hidden {
                expected.hidden.insert(full.to_string());
            }
            let way = match is_published && !is_left {
                true => Way::Both,
                false => Way::Native,
            };
            self.tell(expected, full, way, &Shown::Gone);
            expected.shown.remove(full);
        }
        if is_published && is_left {
            expected.nodes.insert(bare(full).to_string());
            // ejabberd takes the items of a session away when it ends, unless it ends itself.
            if self.server.kind == Kind::Prosody || how == Leave::ServerEnded {
                self.leftovers.insert(full.to_string());
            }
        }
        self.sessions.remove(full);
    }

    /// Expects that everybody whom it reaches is shown a change of `from`.
    fn tell(&mut self, expected: &mut Expected, from: &str, way: Way, shown: &Shown) {
        self.tell_some(expected, from, way, shown, |_| true);
        if way == Way::Native {
            return;
        }
        let published = expected.published.entry(from.to_string()).or_default();
        published.push(shown.clone());
        expected.nodes.insert(bare(from).to_string());
        let session = self.sessions.get_mut(from).unwrap();
        session.published = (*shown != Shown::Gone).then(|| shown.clone());
    }

    fn tell_some(
        &mut self,
        expected: &mut Expected,
        from: &str,
        way: Way,
        shown: &Shown,
        is_told: impl Fn(&str) -> bool,
    ) {
        for to in self.reached(from, way).into_iter().filter(|it| is_told(it)) {
            let wanted = &mut self.sessions.get_mut(&to).unwrap().wanted;
            let is_news = match shown {
                Shown::Gone => wanted.remove(from).is_some(),
                there => {
                    let before = wanted.insert(from.to_string(), there.clone());
                    way != Way::Event || before.as_ref() != Some(there)
                }
            };
            if is_news {
                let shown_to = expected.shown.entry(to).or_default();
                let sequence = shown_to.entry(from.to_string()).or_default();
                sequence.push(shown.clone());
            }
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

fn blocking(what: &str, account: &str) -> String {
    format!("<{what} xmlns='urn:xmpp:blocking'><item jid='{account}'/></{what}>")
}
