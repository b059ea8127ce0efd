//! The kinds of steps, and what each does.

use serde_json::json;

use super::world::{World, wait};
use crate::relay::Cut;
use crate::server::Kind;
use crate::walk::{Note, Walk};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    LogIn,
    PhoneLogsIn,
    PhoneEnds,
    /// A message to the bare JID.
    Say,
    /// Several messages at once.
    SayMuch,
    /// A message to the full JID of a client that is online.
    SayToOne,
    ChatState,
    /// A client becomes unavailable, and stays connected.
    Hide,
    /// A client takes a priority below 0.
    Withdraw,
    /// A client becomes available with a priority of 0 or more.
    ComeBack,
    LogOut,
    /// The network between a client and its shim breaks.
    CutClient,
    /// The network between a shim and the server breaks.
    CutShim,
    KillShim,
    /// A shim hangs.
    Freeze,
    /// A shim that hangs goes on.
    Thaw,
    KillFrozen,
    Block,
    Unblock,
    RestartServer,
}

/// Messages written at once, at the most.
const MUCH: usize = 5;
/// Rounds of questions and answers in which shims are done after a login, an end or a block.
const ROUNDS: usize = 4;

impl Walk for World {
    type Step = Step;

    fn opening(&self) -> Vec<Step> {
        use Step::{
            Block, ChatState, ComeBack, CutClient, CutShim, Freeze, Hide, KillFrozen, KillShim,
            LogIn, LogOut, PhoneEnds, PhoneLogsIn, RestartServer, Say, SayMuch, SayToOne, Thaw,
            Unblock, Withdraw,
        };
        let mut steps = vec![LogIn, Say, LogIn, LogIn, Say, SayMuch, SayToOne, ChatState];
        steps.extend([
            LogIn, SayMuch, Hide, SayMuch, ComeBack, Withdraw, SayMuch, ComeBack,
        ]);
        steps.extend([PhoneLogsIn, Say, SayMuch, PhoneEnds]);
        steps.extend([Freeze, SayMuch, Say, Thaw, Freeze, SayMuch, Say, KillFrozen]);
        for end in [LogOut, CutClient, CutShim, KillShim] {
            steps.extend([SayMuch, end, Say, LogIn]);
        }
        steps.extend([Block, Say, Unblock, Say, RestartServer]);
        steps.extend([LogIn, Say, LogIn, LogIn, SayMuch]);
        steps
    }

    fn random_step(&mut self) -> Step {
        use Step::{
            Block, ChatState, ComeBack, CutClient, CutShim, Freeze, Hide, KillFrozen, KillShim,
            LogIn, LogOut, PhoneEnds, PhoneLogsIn, RestartServer, Say, SayMuch, SayToOne, Thaw,
            Unblock, Withdraw,
        };
        let often = [Say, Say, SayMuch, SayToOne];
        let sometimes = [
            LogIn, LogIn, ComeBack, ComeBack, PhoneEnds, Thaw, KillFrozen,
        ];
        let rarely = [
            LogOut,
            CutClient,
            CutShim,
            KillShim,
            Freeze,
            Freeze,
            PhoneLogsIn,
            Hide,
            Withdraw,
            ChatState,
            Unblock,
        ];
        match self.rng.below(20) {
            0..=8 => self.rng.pick(&often),
            9..=13 => self.rng.pick(&sometimes),
            14..=18 => self.rng.pick(&rarely),
            _ => self.rng.pick(&[Block, RestartServer]),
        }
    }

    fn lacking(&mut self, step: Step) -> Step {
        use Step::{
            Block, ComeBack, Freeze, Hide, KillFrozen, LogIn, LogOut, PhoneEnds, PhoneLogsIn, Thaw,
            Unblock,
        };
        let before = match step {
            LogIn => LogOut,
            PhoneLogsIn => PhoneEnds,
            PhoneEnds => PhoneLogsIn,
            ComeBack => Hide,
            Thaw | KillFrozen => Freeze,
            Unblock => Block,
            _ => Thaw,
        };
        self.rng.pick(&[before, LogIn, ComeBack])
    }

    fn perform(&mut self, step: Step, note: Note<'_>) -> bool {
        let rounds = match step {
            Step::LogIn => self.log_in(false, note),
            Step::PhoneLogsIn => self.log_in(true, note),
            Step::PhoneEnds => self.end_phone(note),
            Step::Say => self.say(1, note),
            Step::SayMuch => self.say(MUCH, note),
            Step::SayToOne => self.say_to_one(note),
            Step::ChatState => self.say_state(note),
            Step::Hide => self.hide(note),
            Step::Withdraw => self.withdraw(note),
            Step::ComeBack => self.come_back(note),
            Step::LogOut | Step::CutClient | Step::CutShim | Step::KillShim => self.end(step, note),
            Step::Freeze => self.freeze(note),
            Step::Thaw => self.thaw(note),
            Step::KillFrozen => self.kill_frozen(note),
            Step::Block => self.block(note),
            Step::Unblock => self.unblock(note),
            Step::RestartServer => self.restart_server(note),
        };
        if let Some(rounds) = rounds {
            self.settle(rounds);
        }
        rounds.is_some()
    }
}

/// Each step returns after how many rounds shims are done; `None`: it is not possible now.
impl World {
    fn log_in(&mut self, is_phone: bool, note: Note<'_>) -> Option<usize> {
        let who = self.some_client(|world, it| {
            let client = &world.clients[it];
            client.puppet.is_none() && client.is_phone == is_phone
        })?;
        self.log_in_as(who, note);
        Some(ROUNDS)
    }

    pub(super) fn log_in_as(&mut self, who: usize, note: Note<'_>) {
        note(format!("{} logs in", self.clients[who].full));
        self.clients[who].log_in(&self.server);
        self.become_available(who, 0);
    }

    /// Sends presence, and waits until all clients that are online have seen it.
    fn become_available(&mut self, who: usize, priority: i8) {
        let client = &mut self.clients[who];
        let before = client.priority.replace(priority);
        client.says(&format!(
            "<presence><priority>{priority}</priority></presence>"
        ));
        let puppet = client.puppet.as_ref().unwrap();
        puppet.seen_until(client.read, "its own presence", |it| {
            it.is_presence_from(&client.full, "")
        });
        if priority >= 0 {
            // Prosody gives stored messages to clients that become available, not to those that raise their priority.
            let is_given = before.is_none() || self.server.kind == Kind::Ejabberd;
            let account = self.clients[who].account.bare.clone();
            self.note_store(&account, is_given);
        }
        self.reach_others(who);
    }

    /// Waits until everything that a client has sent to others has arrived.
    fn reach_others(&self, who: usize) {
        let puppet = self.clients[who].puppet.as_ref().unwrap();
        puppet.ping();
        let account = &self.clients[who].account.bare;
        let others = self.clients.iter().filter(|it| {
            it.is_alive() && it.full != puppet.full && !self.are_apart(account, &it.account.bare)
        });
        let marks: Vec<_> = others
            .filter_map(|it| it.puppet.as_ref())
            .map(|it| (it, puppet.send_mark(it)))
            .collect();
        for (other, mark) in marks {
            other.wait("a mark", |it| it.kind == "iq" && it.id == mark);
        }
    }

    fn say(&mut self, most: usize, note: Note<'_>) -> Option<usize> {
        // One time in three also a client whose shim hangs.
        let may_hang = self.rng.once_in(3);
        let who = self.some_client(|world, it| {
            let client = &world.clients[it];
            client.puppet.is_some() && (may_hang || !client.is_frozen)
        })?;
        let own = self.clients[who].account.bare.clone();
        let to = self.some_client(|world, it| world.clients[it].account.bare != own)?;
        let to = self.clients[to].account.bare.clone();
        for _ in 0..most {
            let text = self.write(who, &to, None);
            note(format!("{} to {to}: {text}", self.clients[who].full));
        }
        Some(most + 1)
    }

    fn say_to_one(&mut self, note: Note<'_>) -> Option<usize> {
        let who = self.some_client(|world, it| world.clients[it].is_alive())?;
        let own = self.clients[who].account.bare.clone();
        let to = self.some_client(|world, it| {
            let client = &world.clients[it];
            client.account.bare != own && client.is_alive() && client.takes_messages()
        })?;
        let (full, account) = (
            self.clients[to].full.clone(),
            self.clients[to].account.bare.clone(),
        );
        let text = self.write(who, &account, Some(to));
        note(format!("{} to {full}: {text}", self.clients[who].full));
        Some(2)
    }

    /// Sends a chat state, which may be shown or not.
    fn say_state(&mut self, note: Note<'_>) -> Option<usize> {
        let who = self.some_client(|world, it| world.clients[it].is_alive())?;
        let own = self.clients[who].account.bare.clone();
        let to = self.some_client(|world, it| world.clients[it].account.bare != own)?;
        let (client, to) = (&self.clients[who], &self.clients[to].account.bare);
        note(format!("{} to {to}: a chat state", client.full));
        client.says(&format!(
            "<message to='{to}' type='chat' id='state'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
        ));
        Some(2)
    }

    fn hide(&mut self, note: Note<'_>) -> Option<usize> {
        let who = self.somebody_there()?;
        let client = &mut self.clients[who];
        note(format!("{} becomes unavailable", client.full));
        client.priority = None;
        client.says("<presence type='unavailable'/>");
        self.reach_others(who);
        Some(ROUNDS)
    }

    fn withdraw(&mut self, note: Note<'_>) -> Option<usize> {
        let who = self.somebody_there()?;
        note(format!("{}: priority -1", self.clients[who].full));
        self.become_available(who, -1);
        Some(ROUNDS)
    }

    fn come_back(&mut self, note: Note<'_>) -> Option<usize> {
        let who = self.some_client(|world, it| {
            let client = &world.clients[it];
            client.is_alive() && !client.takes_messages()
        })?;
        note(format!("{}: priority 0", self.clients[who].full));
        self.become_available(who, 0);
        Some(ROUNDS)
    }

    fn end_phone(&mut self, note: Note<'_>) -> Option<usize> {
        let who = self.some_client(|world, it| {
            let client = &world.clients[it];
            client.is_phone && client.is_alive()
        })?;
        let how = self.rng.pick(&[Step::LogOut, Step::CutClient]);
        self.end_as(who, how, note)
    }

    fn end(&mut self, how: Step, note: Note<'_>) -> Option<usize> {
        let who = self.some_client(|world, it| {
            let client = &world.clients[it];
            !client.is_phone && client.is_alive()
        })?;
        self.end_as(who, how, note)
    }

    pub(super) fn end_as(&mut self, who: usize, how: Step, note: Note<'_>) -> Option<usize> {
        let client = &mut self.clients[who];
        note(format!("{}: {how:?}", client.full));
        let was_there = client.priority.is_some();
        match how {
            Step::KillShim | Step::KillFrozen => client.shim.take()?.kill(),
            Step::CutShim => client.uplink.cut(Cut::Reset),
            Step::CutClient => {
                let how = self.rng.pick(&[Cut::Reset, Cut::Close]);
                client.relay.as_ref()?.cut(how);
            }
            _ => client.puppet.as_ref()?.send(json!({"cmd": "disconnect"})),
        }
        let (full, account) = (client.full.clone(), client.account.bare.clone());
        if was_there {
            for other in &self.clients {
                let pair = (account.clone(), other.account.bare.clone());
                let is_told = other.is_alive() && other.priority.is_some() && other.full != full;
                if let Some(puppet) = &other.puppet
                    && is_told
                    && !self.estranged.contains(&pair)
                {
                    puppet.seen_until(other.read, &format!("{full} is gone"), |it| {
                        it.is_presence_from(&full, "unavailable")
                    });
                }
            }
        }
        self.remove(who, matches!(how, Step::LogOut | Step::CutClient));
        // ejabberd announces the end before it hands the client's undelivered messages to others. Until it has, a ping
        // to the client may get no answer: wait for one.
        let mut others = self.clients.iter().filter(|it| it.is_alive());
        let other = others.find(|it| !self.are_apart(&account, &it.account.bare));
        if let Some(puppet) = other.and_then(|it| it.puppet.as_ref()) {
            wait("nobody there", || {
                let ping = puppet.send_ping_to(&full);
                puppet.ping();
                let mut seen = puppet.so_far().into_iter();
                match seen.any(|it| it.kind == "iq" && it.id == ping) {
                    true => Ok(()),
                    false => Err(full.clone()),
                }
            });
        }
        Some(ROUNDS)
    }

    fn freeze(&mut self, note: Note<'_>) -> Option<usize> {
        let who = self.somebody_there()?;
        let client = &mut self.clients[who];
        note(format!("{}: its shim hangs", client.full));
        client.shim.as_mut()?.freeze();
        client.is_frozen = true;
        Some(1)
    }

    fn thaw(&mut self, note: Note<'_>) -> Option<usize> {
        let who = self.some_client(|world, it| world.clients[it].is_frozen)?;
        self.thaw_one(who, note);
        Some(MUCH + ROUNDS)
    }

    pub(super) fn thaw_one(&mut self, who: usize, note: Note<'_>) {
        note(format!("{}: its shim goes on", self.clients[who].full));
        self.clients[who].shim.as_mut().unwrap().thaw();
        self.note_thawed(who);
    }

    fn kill_frozen(&mut self, note: Note<'_>) -> Option<usize> {
        let who = self.some_client(|world, it| world.clients[it].is_frozen)?;
        self.end_as(who, Step::KillFrozen, note)
    }

    fn block(&mut self, note: Note<'_>) -> Option<usize> {
        let who = self.some_client(|world, it| world.clients[it].is_alive())?;
        let own = self.clients[who].account.bare.clone();
        let other = self.some_client(|world, it| world.clients[it].account.bare != own)?;
        let other = self.clients[other].account.bare.clone();
        let pair = (own.clone(), other.clone());
        if self.blocked.contains(&pair) {
            return None;
        }
        note(format!("{} blocks {other}", self.clients[who].full));
        self.ask_about(who, "block", &other);
        self.note_block(&own, &other);
        self.blocked.insert(pair.clone());
        self.estranged.extend([pair, (other, own)]);
        Some(2 * ROUNDS)
    }

    fn unblock(&mut self, note: Note<'_>) -> Option<usize> {
        let blocked: Vec<_> = self.blocked.iter().cloned().collect();
        let (own, other) = (!blocked.is_empty()).then(|| self.rng.pick(&blocked))?;
        let who = self.some_client(|world, it| {
            let client = &world.clients[it];
            client.account.bare == own && client.is_alive()
        })?;
        self.unblock_one(who, &other, note);
        Some(2 * ROUNDS)
    }

    pub(super) fn unblock_one(&mut self, who: usize, other: &str, note: Note<'_>) {
        let client = &self.clients[who];
        note(format!("{} unblocks {other}", client.full));
        self.ask_about(who, "unblock", other);
        let own = self.clients[who].account.bare.clone();
        self.blocked.remove(&(own, other.to_owned()));
    }

    fn ask_about(&self, who: usize, what: &str, other: &str) {
        let puppet = self.clients[who].puppet.as_ref().unwrap();
        let item = format!("<{what} xmlns='urn:xmpp:blocking'><item jid='{other}'/></{what}>");
        puppet.ask("set", None, &item);
    }

    /// All sessions end; the shims stay.
    fn restart_server(&mut self, note: Note<'_>) -> Option<usize> {
        if self.clients.iter().any(|it| it.is_frozen) {
            return None;
        }
        note("the server is restarted".to_owned());
        self.server.restart();
        for who in 0..self.clients.len() {
            self.clients[who].uplink.retarget(self.server.addr());
            self.remove(who, false);
        }
        Some(0)
    }

    /// All clients log out and in again and write something; no shim has anything left to do after that.
    pub(super) fn close(mut self, note: Note<'_>) {
        let all = 0..self.clients.len();
        for who in all
            .clone()
            .filter(|it| self.clients[*it].is_frozen)
            .collect::<Vec<_>>()
        {
            self.thaw_one(who, note);
        }
        self.settle(MUCH + ROUNDS);
        for (own, other) in self.blocked.clone() {
            let own = |it: &usize| self.clients[*it].account.bare == own;
            let alive = |it: &usize| self.clients[*it].is_alive();
            let who = all.clone().find(|it| own(it) && alive(it));
            let first = all.clone().find(own).unwrap();
            if who.is_none() {
                self.log_in_as(first, note);
            }
            let who = who.unwrap_or(first);
            self.unblock_one(who, &other, note);
            self.settle(2 * ROUNDS);
        }
        for who in all.clone() {
            if self.clients[who].puppet.is_some() {
                self.end_as(who, Step::LogOut, note);
                self.settle(ROUNDS);
            }
        }
        for who in all.clone() {
            self.log_in_as(who, note);
            self.settle(ROUNDS);
        }
        for who in all {
            for other in ["juliet", "romeo", "benvolio"] {
                let mut others = self.clients.iter().map(|it| it.account.bare.clone());
                let to = others.find(|it| it.starts_with(other)).unwrap();
                if to != self.clients[who].account.bare {
                    self.write(who, &to, None);
                    self.settle(2);
                }
            }
        }
        assert!(self.goes_both_ways(), "all went one way");
        for client in &mut self.clients {
            crate::recorded::log_out(client.puppet.as_ref().unwrap());
            if let Some(shim) = &mut client.shim {
                assert_eq!(shim.terminate(), Some(0), "the exit code of a shim");
            }
        }
    }

    /// A client behind a shim that is available and does not hang.
    fn somebody_there(&mut self) -> Option<usize> {
        self.some_client(|world, it| {
            let client = &world.clients[it];
            !client.is_phone && client.is_alive() && client.priority.is_some()
        })
    }

    fn some_client(&mut self, is_it: impl Fn(&Self, usize) -> bool) -> Option<usize> {
        let all = (0..self.clients.len()).filter(|it| is_it(self, *it));
        let all: Vec<_> = all.collect();
        (!all.is_empty()).then(|| self.rng.pick(&all))
    }
}
