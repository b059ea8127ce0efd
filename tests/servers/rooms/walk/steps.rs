//! The steps of a walk.

use serde_json::json;

use super::world::{Said, World, wait};
use crate::relay::Cut;
use crate::walk::{Note, Walk, bare};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    LogIn,
    Join,
    /// Under the nick of somebody else.
    JoinAs,
    /// Everybody who is not in a room, while everybody who is speaks.
    JoinAtOnce,
    Leave,
    Nick,
    /// The nick of somebody else.
    NickOf,
    Status,
    Talk,
    /// Everybody in a room says something at once.
    TalkAtOnce,
    Subject,
    LogOut,
    /// The network between a client and its shim breaks.
    CutClient,
    /// The network between a shim and the server breaks.
    CutShim,
    KillShim,
    RestartServer,
    Kick,
    Ban,
    Unban,
    /// In spite of a ban, or without being a member.
    JoinBarred,
    Member,
    NoMember,
    Owner,
    NoOwner,
    /// Of the last owner.
    Resign,
    /// For all but members.
    Close,
    Open,
}

const NICKS: [&str; 6] = ["JC", "Romeo", "Nurse", "Friar", "Paris", "Tybalt"];

impl Walk for World {
    type Step = Step;

    fn opening(&self) -> Vec<Step> {
        use Step::{
            Ban, Close, CutClient, CutShim, Join, JoinAs, JoinAtOnce, JoinBarred, Kick, KillShim,
            Leave, LogIn, LogOut, Member, Nick, NickOf, NoMember, NoOwner, Open, Owner, Resign,
            RestartServer, Status, Subject, Talk, TalkAtOnce, Unban,
        };
        let mut steps = vec![LogIn; 3];
        steps.extend([
            Join, JoinAs, Join, Talk, Join, Join, Join, Status, Nick, NickOf,
        ]);
        steps.extend([
            TalkAtOnce, Subject, Leave, Join, Subject, Leave, Leave, JoinAtOnce,
        ]);
        steps.extend([Kick, Talk, Join, Ban, JoinBarred, Talk, Unban, Join, Join]);
        steps.extend([Member, Close, JoinBarred, Talk, NoMember, Open, Join]);
        steps.extend([Resign, Owner, Kick, NoOwner]);
        for end in [KillShim, CutClient, CutShim, LogOut] {
            steps.extend([end, Talk, LogIn, Join, Join]);
        }
        steps.push(RestartServer);
        steps.extend([LogIn; 4]);
        steps.extend([Join, Join, Join, Talk, JoinAs, Join, Join, Join, TalkAtOnce]);
        steps
    }

    fn random_step(&mut self) -> Step {
        use Step::{
            Ban, Close, CutClient, CutShim, Join, JoinAs, JoinAtOnce, JoinBarred, Kick, KillShim,
            Leave, LogIn, LogOut, Member, Nick, NickOf, NoMember, NoOwner, Open, Owner, Resign,
            Status, Subject, Talk, TalkAtOnce, Unban,
        };
        // Logging in takes longest, so most is done by those who are there.
        let often = [Join, Join, Talk, Nick, Status, Subject, TalkAtOnce, Leave];
        let rarely = [
            LogIn, JoinAs, JoinAtOnce, NickOf, LogOut, CutClient, CutShim, KillShim,
        ];
        let by_owners = [
            Kick, Kick, Ban, Unban, Unban, JoinBarred, Member, NoMember, Owner, NoOwner, Resign,
            Close, Open, Open,
        ];
        if self.rng.once_in(5) {
            return self.rng.pick(&by_owners);
        }
        match self.rng.once_in(3) {
            true => self.rng.pick(&rarely),
            false => self.rng.pick(&often),
        }
    }

    fn lacking(&mut self, step: Step) -> Step {
        use Step::{Join, JoinAs, JoinAtOnce, Leave, LogIn, LogOut};
        match step {
            LogIn => self.rng.pick(&[Join, LogOut]),
            Join | JoinAs | JoinAtOnce => self.rng.pick(&[LogIn, Join, Leave]),
            _ => self.rng.pick(&[LogIn, Join]),
        }
    }

    fn perform(&mut self, step: Step, note: Note<'_>) -> bool {
        let done = match step {
            Step::LogIn => self.log_in(note),
            Step::Join => self.come_in(note, false),
            Step::JoinAs => self.come_in(note, true),
            Step::JoinAtOnce => self.come_in_at_once(note),
            Step::Leave => self.go_out(note),
            Step::Nick => self.rename(note, false),
            Step::NickOf => self.rename(note, true),
            Step::Status => self.change(note),
            Step::Talk => self.talk(note),
            Step::TalkAtOnce => self.talk_at_once(note),
            Step::Subject => self.set_subject(note),
            Step::LogOut | Step::CutClient | Step::CutShim | Step::KillShim => self.end(step, note),
            Step::RestartServer => self.restart_server(note),
            Step::Kick => self.kick(note),
            Step::Ban => self.ban(note),
            Step::Unban => self.unban(note),
            Step::JoinBarred => self.come_in_barred(note),
            Step::Member | Step::NoMember | Step::Owner | Step::NoOwner => self.grant(step, note),
            Step::Resign => self.resign(note),
            Step::Close | Step::Open => self.close_or_open(step == Step::Close, note),
        };
        if done.is_some() {
            self.settle();
        }
        done.is_some()
    }
}

impl World {
    fn log_in(&mut self, note: Note<'_>) -> Option<()> {
        let who = self.some_client(|world, it| world.clients[it].puppet.is_none())?;
        note(format!("{} logs in", self.clients[who].full));
        self.clients[who].log_in(&self.server);
        Some(())
    }

    fn come_in(&mut self, note: Note<'_>, is_taken: bool) -> Option<()> {
        let room = self.rng.below(self.rooms.len());
        let who = self.some_client(|world, it| {
            let client = &world.clients[it];
            client.puppet.is_some() && !client.rooms.contains_key(&world.rooms[room].jid)
        })?;
        let nick = self.some_nick(who, room, is_taken)?;
        note(format!("{} joins {room} as {nick}", self.clients[who].full));
        let refused = self.join(who, room, nick);
        self.is_right(who, room, nick, refused.as_deref());
        Some(())
    }

    /// Of those who want one nick at once, just one account gets it.
    fn come_in_at_once(&mut self, note: Note<'_>) -> Option<()> {
        let (_, room) = self.somebody()?;
        let jid = self.rooms[room].jid.clone();
        let all = 0..self.clients.len();
        let may = |it: &usize| {
            let account = &self.clients[*it].account.bare;
            self.rooms[room].refusals(account).is_empty()
        };
        let (inside, outside): (Vec<_>, Vec<_>) = all
            .filter(|it| self.clients[*it].puppet.is_some() && may(it))
            .partition(|it| self.clients[*it].rooms.contains_key(&jid));
        if outside.len() < 2 {
            return None;
        }
        let is_one_nick = self.rng.once_in(2);
        let mut asked: Vec<(usize, &str, String)> = Vec::new();
        for who in outside {
            let nick = match asked.first() {
                Some((_, nick, _)) if is_one_nick => nick,
                _ => self.some_nick(who, room, false)?,
            };
            note(format!(
                "{} joins {room} as {nick} at once",
                self.clients[who].full
            ));
            let id = self.ask_in(who, room, nick);
            asked.push((who, nick, id));
        }
        let mut said: Vec<_> = inside
            .iter()
            .map(|who| self.say(*who, room, note))
            .collect();
        self.are_heard(inside[0], room, &mut said);
        let wanted: Vec<_> = asked.iter().map(|(who, nick, _)| (*who, *nick)).collect();
        for (who, nick, id) in asked {
            let Some(why) = self.is_answered(who, room, &id) else {
                self.has_heard(who, room, &said);
                self.is_in(who, room, nick);
                continue;
            };
            // A client yields to an earlier rival, though that one may have yielded, too.
            let account = |who: usize| &self.clients[who].account.bare;
            let mut rivals = wanted.iter().filter(|(_, it)| *it == nick);
            if why != "conflict" || !rivals.any(|(it, _)| account(*it) != account(who)) {
                self.is_right(who, room, nick, Some(&why));
            }
        }
        let truth = &self.rooms[room];
        for (_, nick) in wanted {
            let people = truth.people.values().map(|(it, _)| it);
            let mut nicks = people.chain(truth.ghosts.values());
            assert!(nicks.any(|it| it == nick), "nobody is {nick}");
        }
        for (full, (nick, _)) in &truth.people {
            assert!(!truth.is_taken(nick, bare(full)), "two are {nick}");
        }
        Some(())
    }

    /// Waits until a newcomer knows what was said as it came in: as history, or live.
    fn has_heard(&mut self, who: usize, room: usize, said: &[Said]) {
        let (client, truth) = (&mut self.clients[who], &self.rooms[room]);
        wait("what was said during a join", || {
            client.look();
            let inside = client.rooms.get_mut(&truth.jid).unwrap();
            let heard = inside.heard.iter().map(|(body, _)| body);
            let known: Vec<_> = heard.chain(&inside.past).collect();
            inside.since = truth.said.len().saturating_sub(inside.heard.len());
            match said.iter().all(|it| known.contains(&&it.body)) {
                true => Ok(()),
                false => Err(format!("{inside:#?}")),
            }
        });
    }

    fn rename(&mut self, note: Note<'_>, is_taken: bool) -> Option<()> {
        let (who, room) = self.somebody()?;
        let nick = self.some_nick(who, room, is_taken)?;
        note(format!(
            "{} in {room} wants to be {nick}",
            self.clients[who].full
        ));
        let id = self.fresh("nick");
        let (client, truth) = (&mut self.clients[who], &self.rooms[room]);
        client.says(&format!("<presence to='{}/{nick}' id='{id}'/>", truth.jid));
        let refused = wait("an answer to a nick", || {
            client.look();
            let own = client.rooms[&truth.jid].own.as_deref();
            let refused = client.refused.remove(&id);
            let is_it = own.is_some_and(|it| it == nick || it.starts_with(&format!("{nick} (")));
            match refused.is_some() || is_it {
                true => Ok(refused),
                false => Err(format!("{own:?}")),
            }
        });
        self.is_right(who, room, nick, refused.as_deref());
        if refused.is_none() {
            let full = self.clients[who].full.clone();
            let own = (nick.to_owned(), String::new());
            self.rooms[room].people.insert(full, own);
        }
        Some(())
    }

    /// Another's nick is refused; that of somebody who has vanished may be.
    pub(super) fn is_right(&self, who: usize, room: usize, nick: &str, refused: Option<&str>) {
        let (account, room) = (&self.clients[who].account.bare, &self.rooms[room]);
        let refusals = room.refusals(account);
        if !refusals.is_empty() {
            let is_right = refused.is_some_and(|it| refusals.contains(&it));
            assert!(is_right, "{account} is not let in: {refused:?}");
            return;
        }
        let mut ghosts = room.ghosts.iter();
        let is_ghosts = ghosts.any(|(full, it)| it == nick && bare(full) != account);
        let is_taken = room.is_taken(nick, account);
        match refused {
            Some("conflict") => assert!(is_taken || is_ghosts, "{nick} is refused"),
            None => assert!(!is_taken, "{nick} is not refused"),
            Some(why) => panic!("{nick} is refused: {why}"),
        }
    }

    fn go_out(&mut self, note: Note<'_>) -> Option<()> {
        let (who, room) = self.somebody()?;
        note(format!("{} leaves {room}", self.clients[who].full));
        self.leave(who, room);
        Some(())
    }

    fn change(&mut self, note: Note<'_>) -> Option<()> {
        let (who, room) = self.somebody()?;
        let status = self.fresh("status");
        let client = &self.clients[who];
        note(format!("{} in {room}: {status}", client.full));
        let truth = &mut self.rooms[room];
        let (nick, before) = truth.people.get_mut(&client.full)?;
        client.says(&format!(
            "<presence to='{}/{nick}'><status>{status}</status></presence>",
            truth.jid
        ));
        *before = status;
        Some(())
    }

    /// Soon after somebody speaks, whoever has vanished is seen to be gone.
    fn talk(&mut self, note: Note<'_>) -> Option<()> {
        let (who, room) = self.somebody()?;
        let said = self.say(who, room, note);
        let truth = &mut self.rooms[room];
        truth.said.push(said);
        truth.is_rid_of_ghosts = true;
        Some(())
    }

    fn talk_at_once(&mut self, note: Note<'_>) -> Option<()> {
        let (_, room) = self.somebody()?;
        let jid = self.rooms[room].jid.clone();
        let all = (0..self.clients.len()).filter(|it| self.clients[*it].rooms.contains_key(&jid));
        let all: Vec<_> = all.collect();
        let mut said: Vec<_> = all.iter().map(|who| self.say(*who, room, note)).collect();
        self.are_heard(all[0], room, &mut said);
        Some(())
    }

    /// In which order a room has what was said at once, anybody in it can tell.
    fn are_heard(&mut self, who: usize, room: usize, said: &mut [Said]) {
        let (client, truth) = (&mut self.clients[who], &mut self.rooms[room]);
        let order = wait("what all say at once", || {
            client.look();
            let inside = &client.rooms[&truth.jid];
            let new = &inside.heard[truth.said.len() - inside.since..];
            match new.len() == said.len() {
                true => Ok(new.to_vec()),
                false => Err(format!("{new:?}")),
            }
        });
        said.sort_by_key(|it| order.iter().position(|(body, _)| *body == it.body));
        truth.said.extend(said.iter().cloned());
    }

    fn say(&mut self, who: usize, room: usize, note: Note<'_>) -> Said {
        let (body, id) = (self.fresh("words"), self.fresh("id"));
        let (client, truth) = (&self.clients[who], &self.rooms[room]);
        note(format!("{} in {room}: {body}", client.full));
        client.says(&format!(
            "<message to='{}' type='groupchat' id='{id}'><body>{body}</body></message>",
            truth.jid
        ));
        let burst = truth.said.len();
        Said { body, id, burst }
    }

    fn set_subject(&mut self, note: Note<'_>) -> Option<()> {
        let (who, room) = self.somebody()?;
        let subject = self.fresh("subject");
        let (client, truth) = (&self.clients[who], &mut self.rooms[room]);
        note(format!("{} in {room}: {subject}", client.full));
        client.says(&format!(
            "<message to='{}' type='groupchat'><subject>{subject}</subject></message>",
            truth.jid
        ));
        truth.subject = subject;
        Some(())
    }

    fn end(&mut self, step: Step, note: Note<'_>) -> Option<()> {
        // Somebody in a room is missed by more.
        let (who, _) = self.somebody()?;
        let client = &mut self.clients[who];
        note(format!("{}: {step:?}", client.full));
        match step {
            Step::KillShim => client.shim.take()?.kill(),
            Step::CutShim => client.uplink.cut(Cut::Reset),
            Step::CutClient => {
                let how = self.rng.pick(&[Cut::Reset, Cut::Close]);
                client.relay.as_ref()?.cut(how);
            }
            _ => client.puppet.as_ref()?.send(json!({"cmd": "disconnect"})),
        }
        self.remove(who, matches!(step, Step::LogOut | Step::CutClient));
        Some(())
    }

    fn restart_server(&mut self, note: Note<'_>) -> Option<()> {
        note("the server is restarted".to_owned());
        self.server.restart();
        for who in 0..self.clients.len() {
            self.clients[who].uplink.retarget(self.server.addr());
            self.remove(who, false);
        }
        Some(())
    }

    /// A client in a room, and the room.
    fn somebody(&mut self) -> Option<(usize, usize)> {
        let room = self.rng.below(self.rooms.len());
        let jid = self.rooms[room].jid.clone();
        let who = self.some_client(|world, it| world.clients[it].rooms.contains_key(&jid))?;
        Some((who, room))
    }

    pub(super) fn some_client(&mut self, is_it: impl Fn(&Self, usize) -> bool) -> Option<usize> {
        let all = (0..self.clients.len()).filter(|it| is_it(self, *it));
        let all: Vec<_> = all.collect();
        (!all.is_empty()).then(|| self.rng.pick(&all))
    }

    /// A nick that somebody of another account has in this room, or that nobody else has.
    pub(super) fn some_nick(
        &mut self,
        who: usize,
        room: usize,
        is_taken: bool,
    ) -> Option<&'static str> {
        let (client, truth) = (&self.clients[who], &self.rooms[room]);
        let own = truth.people.get(&client.full).map(|(nick, _)| &**nick);
        let nicks = NICKS
            .iter()
            .filter(|it| truth.is_taken(it, &client.account.bare) == is_taken && own != Some(**it));
        let nicks: Vec<_> = nicks.copied().collect();
        (!nicks.is_empty()).then(|| self.rng.pick(&nicks))
    }
}
