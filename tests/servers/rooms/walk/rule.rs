//! Steps of owners on occupants and rooms, and joins that a room refuses.
//!
//! The account that has made the rooms stays an owner: on Prosody it is one of every node, whatever the node says.

use super::super::SERVICE;
use super::client::Client;
use super::steps::Step;
use super::world::{Room, World, wait};
use crate::walk::{Note, bare};

impl Room {
    pub(super) fn affiliation(&self, account: &str) -> &'static str {
        self.affiliations.get(account).copied().unwrap_or("none")
    }

    /// By which conditions this account is refused; none: it is let in.
    pub(super) fn refusals(&self, account: &str) -> &'static [&'static str] {
        match (self.affiliation(account), self.is_closed) {
            ("outcast", false) => &["forbidden"],
            // Prosody says the same to who is not a member and to who is banned.
            ("outcast", true) => &["forbidden", "registration-required"],
            ("none", true) => &["registration-required"],
            _ => &[],
        }
    }

    fn is_owner(&self, account: &str) -> bool {
        self.affiliation(account) == "owner"
    }

    fn set_affiliation(&mut self, account: &str, affiliation: &'static str) {
        self.affiliations.insert(account.to_owned(), affiliation);
    }
}

impl World {
    /// An owner in a room, and the room.
    fn some_owner(&mut self) -> Option<(usize, usize)> {
        let room = self.rng.below(self.rooms.len());
        let who = self.some_client(|world, it| {
            let (client, truth) = (&world.clients[it], &world.rooms[room]);
            client.rooms.contains_key(&truth.jid) && truth.is_owner(&client.account.bare)
        })?;
        Some((who, room))
    }

    /// The account of another than this client that is so; not the one that has made the rooms.
    fn some_account(&mut self, who: usize, is_it: impl Fn(&str) -> bool) -> Option<String> {
        let other = self.some_client(|world, it| {
            let account = &world.clients[it].account.bare;
            let kept = [who, 0].map(|it| &world.clients[it].account.bare);
            !kept.contains(&account) && is_it(account)
        })?;
        Some(self.clients[other].account.bare.clone())
    }

    pub(super) fn kick(&mut self, note: Note<'_>) -> Option<()> {
        let (who, room) = self.some_owner()?;
        let (owner, truth) = (&self.clients[who], &self.rooms[room]);
        let (own, jid) = (owner.account.bare.clone(), truth.jid.clone());
        let victim = self.some_client(|world, it| {
            let client = &world.clients[it];
            client.account.bare != own && client.rooms.contains_key(&jid)
        })?;
        let account = self.clients[victim].account.bare.clone();
        let people = &self.clients[who].rooms[&jid].people;
        let mut people = people.iter();
        let (nick, _) = people.find(|(_, it)| bare(&it.full) == account)?;
        note(format!(
            "{} kicks {nick} out of {room}",
            self.clients[who].full
        ));
        let item = format!("<item nick='{nick}' role='none'/>");
        assert_eq!(self.clients[who].changes(&jid, &item), None);
        self.are_out(&account, room, "307");
        Some(())
    }

    /// Bans an account, whether it is in the room or not.
    pub(super) fn ban(&mut self, note: Note<'_>) -> Option<()> {
        let (who, room) = self.some_owner()?;
        let before = self.rooms[room].affiliations.clone();
        let is_free = |account: &str| before.get(account) != Some(&"outcast");
        let account = self.some_account(who, is_free)?;
        self.affiliate(who, room, &account, "outcast", note);
        self.are_out(&account, room, "301");
        Some(())
    }

    pub(super) fn unban(&mut self, note: Note<'_>) -> Option<()> {
        let (who, room) = self.some_owner()?;
        let before = self.rooms[room].affiliations.clone();
        let account = self.some_account(who, |it| before.get(it) == Some(&"outcast"))?;
        self.affiliate(who, room, &account, "none", note);
        Some(())
    }

    fn affiliate(
        &mut self,
        who: usize,
        room: usize,
        account: &str,
        affiliation: &'static str,
        note: Note<'_>,
    ) {
        let (owner, truth) = (&self.clients[who], &mut self.rooms[room]);
        note(format!(
            "{} makes {account} {affiliation} in {room}",
            owner.full
        ));
        let item = format!("<item jid='{account}' affiliation='{affiliation}'/>");
        assert_eq!(owner.changes(&truth.jid, &item), None);
        let ghosts = truth.ghosts.keys();
        let is_there = truth
            .people
            .keys()
            .chain(ghosts)
            .any(|it| bare(it) == account);
        let owners: Vec<_> = (0..self.clients.len())
            .filter(|it| *it != who && truth.is_owner(&self.clients[*it].account.bare))
            .collect();
        truth.set_affiliation(account, affiliation);
        for other in owners.into_iter().filter(|_| !is_there) {
            self.is_told(other, room, account, affiliation);
        }
    }

    /// An owner's client, if it is in the room, is told what somebody is who is not.
    fn is_told(&mut self, who: usize, room: usize, account: &str, affiliation: &str) {
        let (client, jid) = (&mut self.clients[who], &self.rooms[room].jid);
        wait("a word of the room", || {
            client.look();
            let Some(inside) = client.rooms.get_mut(jid) else {
                return Ok(());
            };
            let told = inside.elsewhere.get(account);
            if told.is_none_or(|it| it != affiliation) {
                return Err(format!("{} was told {told:?}", client.full));
            }
            inside.elsewhere.remove(account);
            Ok(())
        });
    }

    /// All clients of an account are shown to be out by this status, and may not speak.
    fn are_out(&mut self, account: &str, room: usize, status: &str) {
        let truth = &mut self.rooms[room];
        for client in &mut self.clients {
            if client.account.bare != account || !client.rooms.contains_key(&truth.jid) {
                continue;
            }
            wait("a way out", || {
                client.look();
                match client.rooms[&truth.jid].is_out {
                    true => Ok(()),
                    false => Err(client.full.clone()),
                }
            });
            let inside = client.rooms.remove(&truth.jid).unwrap();
            let codes = &inside.out_by;
            assert!(codes.iter().any(|it| it == status), "{codes:?}: {status}");
            truth.people.remove(&client.full);
            // An owner may always.
            if !truth.is_owner(account) {
                client.is_silent(&truth.jid);
            }
        }
    }

    /// Has a client join a room that does not let it in.
    pub(super) fn come_in_barred(&mut self, note: Note<'_>) -> Option<()> {
        let room = self.rng.below(self.rooms.len());
        let who = self.some_client(|world, it| {
            let client = &world.clients[it];
            let refusals = world.rooms[room].refusals(&client.account.bare);
            client.puppet.is_some() && !refusals.is_empty()
        })?;
        let nick = self.some_nick(who, room, false)?;
        note(format!("{} may not join {room}", self.clients[who].full));
        let refused = self.join(who, room, nick);
        self.is_right(who, room, nick, refused.as_deref());
        self.clients[who].is_silent(&self.rooms[room].jid);
        Some(())
    }

    /// A member, or an owner, or none of these any more.
    pub(super) fn grant(&mut self, step: Step, note: Note<'_>) -> Option<()> {
        let (who, room) = self.some_owner()?;
        let (from, to): (&[_], _) = match step {
            Step::Member => (&["none"], "member"),
            Step::NoMember => (&["member"], "none"),
            Step::Owner => (&["none", "member"], "owner"),
            _ => (&["owner"], self.rng.pick(&["member", "none"])),
        };
        let before = self.rooms[room].affiliations.clone();
        let is_it = |it: &str| from.contains(before.get(it).unwrap_or(&"none"));
        let account = self.some_account(who, is_it)?;
        self.affiliate(who, room, &account, to, note);
        if !self.rooms[room].refusals(&account).is_empty() {
            self.are_out(&account, room, "321");
        }
        Some(())
    }

    /// The last owner wants to be none any more.
    pub(super) fn resign(&mut self, note: Note<'_>) -> Option<()> {
        let (who, room) = self.some_owner()?;
        let (owner, truth) = (&self.clients[who], &self.rooms[room]);
        let mut owners = truth.affiliations.values().filter(|it| **it == "owner");
        if owners.nth(1).is_some() {
            return None;
        }
        note(format!("{} resigns in {room}", owner.full));
        let item = format!("<item jid='{}' affiliation='none'/>", owner.account.bare);
        let refused = owner.changes(&truth.jid, &item);
        assert!(refused.is_some_and(|it| it.contains("<conflict")));
        Some(())
    }

    /// Closes the room for all but members, or opens it again.
    pub(super) fn close_or_open(&mut self, is_closed: bool, note: Note<'_>) -> Option<()> {
        let (who, room) = self.some_owner()?;
        let (owner, truth) = (&self.clients[who], &mut self.rooms[room]);
        if truth.is_closed == is_closed {
            return None;
        }
        let does = if is_closed { "closes" } else { "opens" };
        note(format!("{} {does} {room}", owner.full));
        let value = u8::from(is_closed);
        let query = format!(
            "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>\
             <field var='muc#roomconfig_membersonly'><value>{value}</value></field></x></query>"
        );
        let puppet = owner.puppet.as_ref()?;
        puppet.ask("set", Some(&truth.jid), &query);
        truth.is_closed = is_closed;
        let accounts = self.clients.iter().map(|it| it.account.bare.clone());
        for account in accounts.collect::<Vec<_>>() {
            if !self.rooms[room].refusals(&account).is_empty() {
                self.are_out(&account, room, "322");
            }
        }
        Some(())
    }
}

impl Client {
    /// Wants an affiliation or a role changed; `Some`: the error.
    fn changes(&self, room: &str, item: &str) -> Option<String> {
        let query = format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>");
        let puppet = self.puppet.as_ref().unwrap();
        let answer = puppet.iq("set", Some(room), &query);
        (answer.type_ != "result").then_some(answer.xml)
    }

    /// The service takes no message from it for this room, as publish-subscribe.
    fn is_silent(&self, room: &str) {
        let node = room.split('@').next().unwrap();
        let publish = format!(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{node}'><item>\
             <message xmlns='jabber:client' from='{room}/Nobody' type='groupchat'><body>Boo</body></message>\
             </item></publish></pubsub>"
        );
        let puppet = self.puppet.as_ref().unwrap();
        let answer = puppet.iq("set", Some(SERVICE), &publish);
        assert_eq!(
            answer.type_, "error",
            "{} speaks: {}",
            self.full, answer.xml
        );
    }
}
