//! The kinds of steps, and what each does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::model::{Presence, Shown};
use super::world::{RESOURCES, Session, World, bare};
use crate::puppet::Puppet;
use crate::relay::Relay;
use crate::server::{Account, Entry, Kind};
use crate::shim::Shim;
use crate::walk::{Note, Walk};

/// Presences in order, by sender.
pub(super) type Sequences = BTreeMap<String, Vec<Shown>>;

/// Expected consequences of a step.
#[derive(Default)]
pub(super) struct Expected {
    /// Presences shown, by the client that is shown them.
    pub(super) shown: BTreeMap<String, Sequences>,
    /// Presences published, by client.
    pub(super) published: Sequences,
    /// Accounts whose nodes are compared.
    pub(super) nodes: BTreeSet<String>,
    /// The client that did the step, if still connected.
    pub(super) actor: Option<String>,
    /// Clients that are logged out, and the clients the server tells.
    pub(super) gone: BTreeMap<String, Vec<String>>,
    /// Those of `gone` whose privacy list forbids the server to tell others.
    pub(super) hidden: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    LogIn,
    /// A client of this account with a priority that is not negative, behind this shim or none.
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
    BlockBriefly,
    /// A suitor is removed, refused or blocked by a client without a shim.
    EndElsewhere,
    /// A suitor is refused or blocked by a client, which then sends presence; `true`: and leaves at once.
    EndAndSay(bool),
    LetInAgain,
    Bomb,
}

/// How a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    Exit,
    Abort,
    /// Its shim is told to stop.
    Stopped,
    /// Its shim is killed.
    Killed,
    /// Another client logs in with the same full JID.
    Replaced,
    /// Its shim loses the server.
    Lost,
    /// The server ends.
    ServerEnded,
}

impl Walk for World {
    type Step = Step;

    fn opening(&self) -> Vec<Step> {
        use self::Leave::{Abort, Exit, Killed, Stopped};
        use Step::{
            Block, BlockBriefly, Bomb, Change, ChangeOften, ComeBack, CutClient, CutShim,
            EndAndSay, EndElsewhere, EndShim, Hide, HideByList, LetInAgain, LogIn, LogInAs, Repeat,
            RestartServer, ShowAgain, TryInvisibleCommand, TryInvisibleType, Unblock,
        };
        let [juliet, romeo] = [0, 1];
        let mut steps = vec![EndElsewhere];
        steps.extend([LogInAs(juliet, Some(0)), LogInAs(romeo, Some(1))]);
        steps.extend([LogInAs(juliet, Some(1)), LogInAs(romeo, None)]);
        steps.extend([TryInvisibleCommand, Change, TryInvisibleType, Repeat]);
        if self.server.kind == Kind::Ejabberd {
            steps.extend([HideByList, Change, ShowAgain]);
        }
        steps.extend([BlockBriefly, Block, ChangeOften, Unblock]);
        steps.extend([Hide, ComeBack, EndAndSay(false), Bomb]);
        steps.extend([
            EndAndSay(true),
            LogInAs(juliet, Some(0)),
            LogInAs(romeo, Some(1)),
        ]);
        steps.push(LetInAgain);
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

    fn random_step(&mut self) -> Step {
        match self.rng.below(134) {
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
            119..=120 => Step::BlockBriefly,
            121..=123 => Step::EndElsewhere,
            124..=125 => Step::EndAndSay(false),
            126..=127 => Step::EndAndSay(true),
            128..=130 => Step::LetInAgain,
            131..=132 => Step::Bomb,
            _ => Step::RestartServer,
        }
    }

    fn lacking(&mut self, step: Step) -> Step {
        let before = match step {
            Step::LogIn | Step::LogInAs(..) => return Step::Leave(Leave::Exit),
            Step::ComeBack => Step::Hide,
            Step::ShowAgain => Step::HideByList,
            Step::Unblock => Step::Block,
            Step::LetInAgain => Step::EndElsewhere,
            _ => Step::ShowAgain,
        };
        let [juliet, romeo] = [0, 1].map(|it| Step::LogInAs(it, Some(it)));
        let there = [Step::ComeBack, Step::Unblock, Step::LetInAgain];
        self.rng
            .pick(&[&[before, juliet, romeo][..], &there].concat())
    }

    fn perform(&mut self, step: Step, note: Note<'_>) -> bool {
        self.serial += 1;
        let expected = self.attempt(step, note);
        if let Some(expected) = &expected {
            self.settle(expected);
        }
        expected.is_some()
    }
}

impl World {
    /// Notes and does a step, if it is possible now.
    fn attempt(&mut self, step: Step, note: Note<'_>) -> Option<Expected> {
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
            Step::Block => self.block(false, note),
            Step::BlockBriefly => self.block(true, note),
            Step::Unblock => self.unblock(note),
            Step::EndElsewhere => self.end_elsewhere(note),
            Step::EndAndSay(leaves) => self.end_and_say(leaves, note),
            Step::LetInAgain => self.let_in_again(note),
            Step::Bomb => self.bomb(note),
        }
    }

    fn log_in(&mut self, note: Note<'_>) -> Option<Expected> {
        let account = self.rng.pick(&self.accounts);
        let resource = self.rng.pick(&RESOURCES);
        let full = format!("{}/{resource}", account.bare);
        let shim = (!self.rng.once_in(3)).then(|| self.rng.below(self.shims.len()));
        if self.sessions.contains_key(&full) {
            let is_wanted = self.rng.once_in(3) && !self.would_lie(&full, shim);
            return match is_wanted {
                true => Some(self.replace(&full, &account, shim, note)),
                false => None,
            };
        }
        let how = self.rng.below(8);
        if how == 0 && self.would_lie(&full, shim) {
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

    /// Whether a client that is connected, but not available, would make a leftover item of its resource look valid:
    /// without a shim it answers the ping by which shims find out which clients are gone.
    fn would_lie(&self, full: &str, shim: Option<usize>) -> bool {
        let is_published = |it: &Session| it.published.is_some();
        let is_left = self.leftovers.contains(full)
            || self.server.kind == Kind::Prosody
                && self.sessions.get(full).is_some_and(is_published);
        is_left && shim.is_none()
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
            read: 0,
            view: BTreeMap::new(),
            wanted: BTreeMap::new(),
            estranged: BTreeSet::new(),
            met: BTreeSet::new(),
            has_cleared: false,
        }
    }

    /// Sends a first presence; the newcomer is shown all clients that the server lets it see.
    pub(super) fn become_available(
        &mut self,
        full: &str,
        presence: Presence,
        expected: &mut Expected,
    ) {
        // The answer to a probe leaves hidden clients out, which broadcasts within the account do not.
        let others = self
            .available()
            .filter(|(other, it)| self.passes_native(other, full) && !it.is_hidden);
        let others = others.map(|(other, it)| (other.clone(), it.now.clone().unwrap().shown));
        let wanted: BTreeMap<_, _> = others.collect();
        let shims = wanted.keys().filter(|it| self.sessions[*it].shim.is_some());
        let met: Vec<_> = shims.map(|it| bare(it).to_string()).collect();
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
        session.met.extend(met);
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
        if self.would_lie(&full, self.sessions[&full].shim) {
            return None;
        }
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

    /// A client for which this holds.
    pub(super) fn somebody(&mut self, is_it: impl Fn(&Session) -> bool) -> Option<String> {
        let some = self.sessions.iter().filter(|(_, it)| is_it(it));
        let some: Vec<_> = some.map(|(full, _)| full.clone()).collect();
        (!some.is_empty()).then(|| self.rng.pick(&some))
    }
}

impl Expected {
    pub(super) fn by(actor: &str) -> Self {
        Self {
            actor: Some(actor.to_string()),
            ..Self::default()
        }
    }
}
