//! The clients that walk, the true state of the rooms, and a check that each client was shown it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::SERVICE;
use super::client::{Client, Inside};
use crate::process::PATIENCE;
use crate::recorded::poll;
use crate::server::{Kind, Server};
use crate::walk::bare;
use crate::walk::rng::Rng;

/// Messages of a room's history that a client is shown.
const HISTORY: usize = 50;

pub(super) struct World {
    pub(super) clients: Vec<Client>,
    pub(super) rooms: Vec<Room>,
    pub(super) server: Server,
    pub(super) rng: Rng,
    /// Makes what is said different from all before.
    serial: usize,
}

/// The truth about a room.
pub(super) struct Room {
    pub(super) jid: String,
    /// Occupants by full JID: nick and status.
    pub(super) people: BTreeMap<String, (String, String)>,
    /// Nicks of vanished occupants whose items are still on the node, by full JID.
    pub(super) ghosts: BTreeMap<String, String>,
    /// Somebody has spoken since the last one vanished or was shown to a newcomer.
    pub(super) is_rid_of_ghosts: bool,
    pub(super) said: Vec<Said>,
    pub(super) subject: String,
    /// By account; who is not in it has none.
    pub(super) affiliations: BTreeMap<String, &'static str>,
    /// For all but members.
    pub(super) is_closed: bool,
    /// The service names the owners, and whoever else is something, to owners alone.
    tells_owners: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) body: String,
    pub(super) id: String,
    /// Messages of one instant have the same number.
    pub(super) burst: usize,
}

impl World {
    pub(super) fn new(kind: Kind, seed: u64) -> Self {
        let server = Server::own(kind);
        let [juliet, romeo, nurse] = ["juliet", "romeo", "nurse"].map(|it| server.account(it));
        let mut clients = vec![Client::new(&server, juliet.clone(), "balcony")];
        clients.push(Client::new(&server, juliet, "chamber"));
        clients.push(Client::new(&server, romeo, "orchard"));
        clients.push(Client::new(&server, nurse, "kitchen"));
        let rooms = ["hall", "cell"].map(|name| format!("{name}@{SERVICE}"));
        let mut world = Self {
            clients,
            rooms: rooms.map(|it| Room::new(it, kind)).into(),
            server,
            rng: Rng::new(seed),
            serial: 0,
        };
        world.make_rooms();
        world
    }

    /// Only some may create rooms on Prosody: she does, accepts them, and leaves.
    fn make_rooms(&mut self) {
        self.clients[0].log_in(&self.server);
        for room in 0..self.rooms.len() {
            assert_eq!(self.join(0, room, "Maker"), None);
            let jid = &self.rooms[room].jid;
            let puppet = self.clients[0].puppet.as_ref().unwrap();
            puppet.ask(
                "set",
                Some(jid),
                "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>",
            );
            self.leave(0, room);
            let maker = self.clients[0].account.bare.clone();
            self.rooms[room].affiliations.insert(maker, "owner");
        }
    }

    pub(super) fn fresh(&mut self, what: &str) -> String {
        self.serial += 1;
        format!("{what} {}", self.serial)
    }

    /// Has a client come into a room; `Some`: why it was refused.
    pub(super) fn join(&mut self, who: usize, room: usize, nick: &str) -> Option<String> {
        let id = self.ask_in(who, room, nick);
        let refused = self.is_answered(who, room, &id);
        if refused.is_none() {
            self.is_in(who, room, nick);
        }
        refused
    }

    /// A client asks to come in; the id of that.
    pub(super) fn ask_in(&mut self, who: usize, room: usize, nick: &str) -> String {
        let id = self.fresh("join");
        let (client, truth) = (&mut self.clients[who], &self.rooms[room]);
        let jid = &truth.jid;
        client.says(&format!(
            "<presence to='{jid}/{nick}' id='{id}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ));
        let inside = Inside {
            since: truth.said.len(),
            ..Inside::default()
        };
        client.rooms.insert(jid.clone(), inside);
        id
    }

    /// Waits until it is in, or refused: why.
    pub(super) fn is_answered(&mut self, who: usize, room: usize, id: &str) -> Option<String> {
        let (client, jid) = (&mut self.clients[who], &self.rooms[room].jid);
        let refused = wait("an answer to a join", || {
            client.look();
            let refused = client.refused.remove(id);
            let inside = &client.rooms[jid];
            match refused.is_some() || inside.subject.is_some() {
                true => Ok(refused),
                false => Err(format!("{inside:#?}")),
            }
        });
        if refused.is_some() {
            client.rooms.remove(jid);
        }
        refused
    }

    /// Notes that a client is in, and asserts that it was told the history.
    pub(super) fn is_in(&mut self, who: usize, room: usize, nick: &str) {
        let (client, truth) = (&self.clients[who], &mut self.rooms[room]);
        truth.is_history(&client.rooms[&truth.jid]);
        truth.ghosts.remove(&client.full);
        truth.is_rid_of_ghosts = false;
        let own = (nick.to_owned(), String::new());
        truth.people.insert(client.full.clone(), own);
    }

    pub(super) fn leave(&mut self, who: usize, room: usize) {
        let (client, truth) = (&mut self.clients[who], &mut self.rooms[room]);
        let own = client.rooms[&truth.jid].own.as_deref().unwrap();
        client.says(&format!(
            "<presence to='{}/{own}' type='unavailable'/>",
            truth.jid
        ));
        wait("a way out", || {
            client.look();
            match client.rooms[&truth.jid].is_out {
                true => Ok(()),
                false => Err(client.full.clone()),
            }
        });
        client.rooms.remove(&truth.jid);
        truth.people.remove(&client.full);
    }

    /// A client is connected no more; its rooms were told (`has_left`), or not.
    pub(super) fn remove(&mut self, who: usize, has_left: bool) {
        let client = &mut self.clients[who];
        client.is_off();
        for truth in &mut self.rooms {
            let Some((nick, _)) = truth.people.remove(&client.full) else {
                continue;
            };
            if !has_left {
                truth.ghosts.insert(client.full.clone(), nick);
                truth.is_rid_of_ghosts = false;
            }
        }
    }

    /// Waits until everybody was shown the truth.
    pub(super) fn settle(&mut self) {
        wait("the truth", || {
            for client in &mut self.clients {
                client.look();
                for (room, inside) in &client.rooms {
                    let mut rooms = self.rooms.iter();
                    let truth = rooms.find(|it| it.jid == *room).unwrap();
                    let check = truth.is_seen(&client.full, inside);
                    check.map_err(|why| format!("{why}: {} sees {inside:#?}", client.full))?;
                }
            }
            Ok(())
        });
    }

    /// Everybody logs out, and no shim has anything left to do.
    pub(super) fn close(mut self) {
        for client in &mut self.clients {
            if let Some(puppet) = &client.puppet {
                crate::recorded::log_out(puppet);
            }
            if let Some(shim) = &mut client.shim {
                assert_eq!(shim.terminate(), Some(0), "the exit code of a shim");
            }
        }
    }
}

impl Room {
    fn new(jid: String, kind: Kind) -> Self {
        Self {
            jid,
            people: BTreeMap::new(),
            ghosts: BTreeMap::new(),
            is_rid_of_ghosts: true,
            said: Vec::new(),
            subject: String::new(),
            affiliations: BTreeMap::new(),
            is_closed: false,
            tells_owners: kind == Kind::Prosody,
        }
    }

    /// Somebody else's nick; `None`: it is free for this account, or its holder has vanished.
    pub(super) fn is_taken(&self, nick: &str, account: &str) -> bool {
        let mut people = self.people.iter();
        people.any(|(full, (other, _))| other == nick && bare(full) != account)
    }

    /// The newest that was said; servers may turn round what was said in one instant.
    fn is_history(&self, inside: &Inside) {
        let (past, before) = (&inside.past, &self.said[..inside.since]);
        let newest = before.iter().rev().take(HISTORY).rev();
        let mut left: Vec<_> = newest.collect();
        assert_eq!(past.len(), left.len(), "{past:?} is not {left:#?}");
        for body in past {
            let burst = left[0].burst;
            let mut same = left.iter().take_while(|it| it.burst == burst);
            let at = same.position(|it| it.body == *body);
            let at = at.unwrap_or_else(|| panic!("{body} of {past:?} before {left:#?}"));
            left.remove(at);
        }
    }

    fn is_seen(&self, viewer: &str, inside: &Inside) -> Result<(), String> {
        let own = inside.own.as_deref().map(|nick| named(nick, viewer));
        let wanted = &self.people[viewer].0;
        if own != Some(wanted) {
            return Err(format!("{own:?} is not {wanted}"));
        }
        self.are_seen(viewer, inside)?;
        if inside.subject.as_ref() != Some(&self.subject) {
            return Err(format!("the subject is not {:?}", self.subject));
        }
        let said = self.said[inside.since..].iter();
        let said: Vec<_> = said.map(|it| (&*it.body, &*it.id)).collect();
        let heard: Vec<_> = inside
            .heard
            .iter()
            .map(|(body, id)| (&**body, &**id))
            .collect();
        // More than was said will not become less.
        assert!(
            heard.len() <= said.len(),
            "{viewer} heard {heard:?} of {said:?}"
        );
        match heard == said {
            true => Ok(()),
            false => Err(format!("heard is not {said:?}")),
        }
    }

    /// Everybody under his nick and with his status, and nobody else.
    fn are_seen(&self, viewer: &str, inside: &Inside) -> Result<(), String> {
        let seen = inside.people.iter();
        let seen: BTreeMap<_, _> = seen.map(|(nick, it)| (named(nick, &it.full), it)).collect();
        let nicks: BTreeSet<_> = seen.keys().copied().collect();
        let wanted: BTreeSet<_> = self.people.values().map(|(nick, _)| &**nick).collect();
        let ghosts = self.ghosts.iter();
        // A shim pings no client of its own account, so a ghost of it stays.
        let ghosts =
            ghosts.filter(|(full, _)| !self.is_rid_of_ghosts || bare(full) == bare(viewer));
        let ghosts: BTreeSet<_> = ghosts.map(|(_, nick)| &**nick).collect();
        let missing: Vec<_> = wanted.difference(&nicks).collect();
        let extra = nicks.difference(&wanted).filter(|it| !ghosts.contains(*it));
        let extra: Vec<_> = extra.collect();
        if !missing.is_empty() || !extra.is_empty() {
            return Err(format!("{missing:?} missing, {extra:?} too many"));
        }
        for (full, (nick, status)) in &self.people {
            let seen = seen[&**nick];
            // Of two who share a nick either may be seen.
            if seen.full == *full && seen.status != *status {
                return Err(format!("{nick}'s status is not {status:?}"));
            }
            let affiliation = self.affiliation(bare(full));
            let is_right = match (seen.affiliation.as_str(), affiliation) {
                _ if seen.full != *full => true,
                // Prosody tells an owner everything, and others nothing but what they are.
                (seen, now) if self.tells_owners && self.affiliation(bare(viewer)) == "owner" => {
                    seen == now
                }
                (seen, now) if !self.tells_owners || full == viewer => {
                    (seen == "owner") == (now == "owner")
                }
                _ => true,
            };
            if !is_right {
                return Err(format!("{nick} is not {affiliation}"));
            }
        }
        Ok(())
    }
}

/// The nick of somebody who may be told apart by his account.
fn named<'a>(nick: &'a str, full: &str) -> &'a str {
    let suffix = format!(" ({})", bare(full));
    nick.strip_suffix(&suffix).unwrap_or(nick)
}

#[track_caller]
pub(super) fn wait<T>(what: &str, look: impl FnMut() -> Result<T, String>) -> T {
    poll(what, PATIENCE, look)
}
