//! Whose events are believed: those of contacts the account is subscribed to, by its own records.
//!
//! A stranger could claim anything, so the account's own roster is asked, once it is needed, and
//! never the stranger's server.

use std::collections::{HashMap, HashSet};

use super::{Purpose, rules};
use crate::jid;
use crate::ns;
use crate::session::Wire;
use crate::xml::Element;

/// After so many failures a session has no contacts.
const MOST_FAILURES: u8 = 3;

/// The records of one session.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    roster: Roster,
    /// How often the roster could not be had.
    failures: u8,
    /// Accounts to whose presence node the client itself has asked to be subscribed in this session,
    /// with the id of that request: an error takes it back.
    asked: HashMap<Box<str>, Box<str>>,
    /// The client has asked for its roster, so it expects pushes.
    client_has_roster: bool,
}

#[derive(Debug, Default)]
enum Roster {
    #[default]
    Unknown,
    Asked,
    /// The accounts whose presence the account is subscribed to (`to` and `both`).
    Known(HashSet<Box<str>>),
}

impl Contacts {
    /// Whether the account is subscribed to `account`; `None` until the roster is known.
    pub(crate) fn is_subscribed(&self, account: &str) -> Option<bool> {
        match &self.roster {
            _ if self.asked.contains_key(account) => Some(true),
            Roster::Known(contacts) => Some(contacts.contains(account)),
            _ => None,
        }
    }

    /// Asks for the roster, unless that was done. `false`: it cannot be asked for now.
    pub(crate) fn ask(&mut self, wire: &mut Wire) -> bool {
        if matches!(self.roster, Roster::Unknown) {
            let asked = wire.request("get", None, Purpose::Roster, |out| {
                out.extend_from_slice(b"<query xmlns='jabber:iq:roster'/>");
            });
            if asked {
                self.roster = Roster::Asked;
            }
        }
        !matches!(self.roster, Roster::Unknown)
    }

    /// Takes the answer to [`ask`](Self::ask); without one, the roster is asked for again, but not for ever.
    pub(crate) fn handle_roster(&mut self, iq: Option<&Element<'_>>) {
        let query = iq.and_then(|iq| iq.child(ns::ROSTER, "query"));
        self.failures += u8::from(query.is_none());
        self.roster = match query.is_some() || self.failures >= MOST_FAILURES {
            true => Roster::Known(HashSet::new()),
            false => Roster::Unknown,
        };
        if let Some(query) = query {
            self.note_items(&query);
        }
    }

    /// Takes note of a roster push; `true` if the client must not see it.
    pub(crate) fn handle_push(&mut self, iq: &Element<'_>, wire: &mut Wire) -> bool {
        if matches!(self.roster, Roster::Unknown) || iq.attribute("type").as_deref() != Some("set")
        {
            return false;
        }
        let own = jid::bare(&wire.jid);
        if iq.attribute("from").is_some_and(|from| from != own) {
            return false;
        }
        let Some(query) = iq.child(ns::ROSTER, "query") else {
            return false;
        };
        self.note_items(&query);
        if self.client_has_roster {
            return false;
        }
        // The server sends pushes because of our question; a client that never asked would wonder.
        wire.apply(&rules::PUSH);
        wire.answer_result(iq);
        true
    }

    /// Looks at an error for the client: what was asked for is refused.
    pub(crate) fn note_error(&mut self, iq: &Element<'_>) {
        if self.asked.is_empty() || iq.attribute("type").as_deref() != Some("error") {
            return;
        }
        let from = iq.attribute("from").unwrap_or_default();
        if self.asked.get(&*from).map(|id| &**id) == iq.attribute("id").as_deref() {
            self.asked.remove(&*from);
        }
    }

    fn note_items(&mut self, query: &Element<'_>) {
        let Roster::Known(contacts) = &mut self.roster else {
            return;
        };
        for item in query.children().filter(|item| item.is(ns::ROSTER, "item")) {
            let account = item.attribute("jid").unwrap_or_default();
            match item.attribute("subscription").as_deref() {
                Some("to" | "both") => contacts.insert((*account).into()),
                _ => contacts.remove(&*account),
            };
        }
    }

    /// Looks at what the client itself asks for: its roster, subscriptions to presence nodes.
    pub(crate) fn note_client_iq(&mut self, iq: &Element<'_>, node: &str) {
        if iq.child(ns::ROSTER, "query").is_some() {
            self.client_has_roster = true;
        }
        let Some(to) = iq.attribute("to") else { return };
        let Some(pubsub) = iq.child(ns::PUBSUB, "pubsub") else {
            return;
        };
        for request in pubsub.children() {
            if request.attribute("node").as_deref() == Some(node) {
                let id = iq.attribute("id").unwrap_or_default();
                match request.local() {
                    "subscribe" => self.asked.insert((*to).into(), (*id).into()),
                    "unsubscribe" => self.asked.remove(&*to),
                    _ => None,
                };
            }
        }
    }
}
