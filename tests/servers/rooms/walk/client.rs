//! The rooms as one client was shown them.

use std::collections::BTreeMap;

use crate::common::Node;
use crate::puppet::Puppet;
use crate::relay::Relay;
use crate::server::{Account, Server};
use crate::shim::Shim;

use super::super::{SERVICE, statuses};

pub(super) struct Client {
    pub(super) full: String,
    pub(super) account: Account,
    pub(super) puppet: Option<Puppet>,
    pub(super) shim: Option<Shim>,
    /// Between the client and its shim.
    pub(super) relay: Option<Relay>,
    /// Between its shim and the server.
    pub(super) uplink: Relay,
    /// Number of its events that were looked at.
    read: usize,
    /// Rooms that the client is in or joins.
    pub(super) rooms: BTreeMap<String, Inside>,
    /// The ids of what a room has refused, and why.
    pub(super) refused: BTreeMap<String, String>,
}

/// One room as the client was shown it since its last join.
#[derive(Debug, Default)]
pub(super) struct Inside {
    /// Its own nick, by its last self-presence.
    pub(super) own: Option<String>,
    /// Whom it sees, by nick.
    pub(super) people: BTreeMap<String, Seen>,
    /// Texts of the history.
    pub(super) past: Vec<String>,
    /// Messages since the join: text and id.
    pub(super) heard: Vec<(String, String)>,
    pub(super) subject: Option<String>,
    /// The client was shown that it is out.
    pub(super) is_out: bool,
    /// Status codes of its last `unavailable`.
    pub(super) out_by: Vec<String>,
    /// Affiliations that the room told of accounts without an occupant.
    pub(super) elsewhere: BTreeMap<String, String>,
    /// Number of messages said in the room before the join.
    pub(super) since: usize,
}

#[derive(Debug)]
pub(super) struct Seen {
    pub(super) full: String,
    pub(super) status: String,
    pub(super) affiliation: String,
}

impl Client {
    pub(super) fn new(server: &Server, account: Account, resource: &str) -> Self {
        Self {
            full: format!("{}/{resource}", account.bare),
            account,
            puppet: None,
            shim: None,
            relay: None,
            uplink: Relay::to(server.addr()),
            read: 0,
            rooms: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    pub(super) fn log_in(&mut self, server: &Server) {
        let uplink = self.uplink.addr;
        let shim = self
            .shim
            .get_or_insert_with(|| Shim::start_over(uplink, server, "auto", &["--rooms", SERVICE]));
        let mut entry = shim.entry();
        let relay = Relay::to(entry.addr);
        entry.addr = relay.addr;
        self.relay = Some(relay);
        let (_, resource) = self.full.split_once('/').unwrap();
        let puppet = Puppet::login(&entry, &self.account, resource);
        puppet.raw("<presence/>");
        self.puppet = Some(puppet);
        self.read = 0;
    }

    /// Waits for the end of the client's connection.
    pub(super) fn is_off(&mut self) {
        self.look();
        if let Some(puppet) = self.puppet.take() {
            puppet.wait("the end of the stream", |it| it.event == "disconnected");
        }
        self.relay = None;
        self.rooms.clear();
    }

    pub(super) fn says(&self, xml: &str) {
        self.puppet.as_ref().unwrap().raw(xml);
    }

    /// Takes what has come since the last look; the client would be lost by what has no place there.
    pub(super) fn look(&mut self) {
        let Some(puppet) = &self.puppet else { return };
        let events = puppet.since(self.read);
        self.read += events.len();
        for event in events.iter().filter(|it| it.from.contains(SERVICE)) {
            let stanza = Node::stanza(&event.xml);
            if let Err(why) = self.take(&stanza) {
                panic!("{why}: {} was shown {}", self.full, event.xml);
            }
        }
    }

    fn take(&mut self, stanza: &Node) -> Result<(), &'static str> {
        let from = stanza.value("from");
        let (room, nick) = from.split_once('/').unwrap_or((from, ""));
        let kind = stanza.attribute("type");
        if stanza.local == "presence" && kind == Some("error") {
            let error = stanza.at("error").names()[0].to_owned();
            self.refused.insert(stanza.value("id").to_owned(), error);
            return Ok(());
        }
        if stanza.local == "iq" {
            return Ok(());
        }
        let Some(inside) = self.rooms.get_mut(room) else {
            return Err("not in that room");
        };
        if inside.is_out {
            return Err("out of that room");
        }
        match (&*stanza.local, kind) {
            ("presence", None) => inside.take_presence(stanza, nick),
            ("presence", Some("unavailable")) => inside.take_leave(stanza, nick),
            ("message", Some("groupchat")) => inside.take_message(stanza, room),
            ("message", None) => inside.take_word(stanza, nick),
            _ => Err("not of a room's kinds"),
        }
    }
}

impl Inside {
    fn take_presence(&mut self, stanza: &Node, nick: &str) -> Result<(), &'static str> {
        if statuses(stanza).contains(&"110") {
            self.own = Some(nick.to_owned());
        }
        let status = stanza.find("status").map_or("", |it| &it.text);
        let item = stanza.at("x/item");
        let seen = Seen {
            full: item.value("jid").to_owned(),
            status: status.to_owned(),
            affiliation: item.value("affiliation").to_owned(),
        };
        self.people.insert(nick.to_owned(), seen);
        Ok(())
    }

    fn take_leave(&mut self, stanza: &Node, nick: &str) -> Result<(), &'static str> {
        let codes = statuses(stanza);
        let is_renamed = codes.contains(&"303");
        if codes.contains(&"110") && !is_renamed {
            self.is_out = true;
            self.out_by = codes.iter().map(ToString::to_string).collect();
            return match self.own.as_deref() == Some(nick) {
                true => Ok(()),
                false => Err("out under another nick"),
            };
        }
        match self.people.remove(nick) {
            Some(_) => Ok(()),
            None => Err("gone, and was not there"),
        }
    }

    fn take_word(&mut self, stanza: &Node, nick: &str) -> Result<(), &'static str> {
        let item = stanza.find("x/item").filter(|_| nick.is_empty());
        let item = item.ok_or("not a word of the room")?;
        let [account, affiliation] = ["jid", "affiliation"].map(|it| item.value(it).to_owned());
        self.elsewhere.insert(account, affiliation);
        Ok(())
    }

    fn take_message(&mut self, stanza: &Node, room: &str) -> Result<(), &'static str> {
        if self.own.is_none() {
            return Err("before the self-presence");
        }
        if stanza.find("x/status").is_some() {
            // The room was configured anew.
            return Ok(());
        }
        let Some(body) = stanza.find("body") else {
            self.subject = Some(stanza.at("subject").text.clone());
            return Ok(());
        };
        if stanza.attribute("from") == Some(room) {
            // The room's own word to its creator.
            return Ok(());
        }
        if let Some(delay) = stanza.find("delay") {
            if self.subject.is_some() || delay.attribute("from") != Some(room) {
                return Err("no history");
            }
            self.past.push(body.text.clone());
            return Ok(());
        }
        if self.subject.is_none() {
            return Err("before the subject");
        }
        let id = stanza.attribute("id").unwrap_or_default();
        self.heard.push((body.text.clone(), id.to_owned()));
        Ok(())
    }
}
