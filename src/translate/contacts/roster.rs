//! The client's roster under `pure`: it is made of the contacts, answered and pushed (listing 8; RFC 6121 §2).
//!
//! No roster protocol leaves to the server. All state here is of this client's stream: another one begins anew.

use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};
use sha2::{Digest as _, Sha256};

use crate::ns;
use crate::translate::people::{Contact, People};
use crate::translate::relation::Half;
use crate::translate::{Cx, Wire};
use crate::wire::{Leg, StanzaError};
use crate::xml::{Element, escape};

/// Requests for the roster that may wait until it is known.
const MOST_WAITING: usize = 16;
/// The longest name of a contact or a group, in bytes.
const MOST_NAME: usize = 1023;
/// Groups a contact may be in.
const MOST_GROUPS: usize = 32;

/// A request for the roster that waits until it is known.
#[derive(Debug)]
struct Waiting {
    id: Box<str>,
    version: Option<Box<str>>,
}

/// The version of the roster the client has (RFC 6121 §2.6): the sum, modulo 2^128, of a SHA-256 of each item cut to
/// as many bits. Equal lists have the same version whatever the order of their items, and a push costs the hash of one
/// item. The version neither hides nor proves anything, so a sum is enough.
#[derive(Default)]
struct Version {
    items: HashMap<Box<str>, u128>,
    sum: u128,
}

impl Version {
    /// Notes the item of `account` as the client is shown it; `None`: the client is shown its removal.
    fn note(&mut self, account: &str, item: Option<&[u8]>) {
        let before = match item.map(hash_of) {
            Some(hash) => {
                self.sum = self.sum.wrapping_add(hash);
                self.items.insert(account.into(), hash)
            }
            None => self.items.remove(account),
        };
        self.sum = self.sum.wrapping_sub(before.unwrap_or(0));
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.sum)
    }
}

fn hash_of(item: &[u8]) -> u128 {
    let digest = Sha256::digest(item);
    digest
        .iter()
        .take(16)
        .fold(0, |hash, byte| hash << 8 | u128::from(*byte))
}

/// The roster as this client was shown it.
#[derive(Default)]
pub(super) struct ClientRoster {
    /// The client's requests that wait until the roster is known.
    waiting: Vec<Waiting>,
    /// The client has its roster from us, and gets pushes.
    is_pushed: bool,
    version: Version,
}

impl ClientRoster {
    /// Notes a request for the roster; [`answer_waiting`](Self::answer_waiting) answers it.
    pub(super) fn note_request(&mut self, id: &str, query: &Element<'_>, wire: &mut Wire) {
        if self.waiting.len() >= MOST_WAITING {
            return refuse(id, "resource-constraint", wire);
        }
        let version = query.attribute("ver").map(|version| (*version).into());
        let id = id.into();
        self.waiting.push(Waiting { id, version });
    }

    /// Answers the requests that wait, if the roster is known; with an error if it `is_lost`.
    pub(super) fn answer_waiting(&mut self, is_lost: bool, people: &People, wire: &mut Wire) {
        if !people.is_known() && !is_lost {
            return;
        }
        for Waiting { id, version } in std::mem::take(&mut self.waiting) {
            if !people.is_known() {
                refuse(&id, not_now(), wire);
                continue;
            }
            self.is_pushed = true;
            let items = self.items(people);
            let current = self.version.to_string();
            if version.as_deref() == Some(&*current) {
                wire.show_result(&id);
                continue;
            }
            wire.stanza(Leg::Client, |out| {
                let (id, xmlns) = (escape(&id), ns::ROSTER);
                let _ = write!(out, "<iq type='result' id='{id}'><query xmlns='{xmlns}'");
                if version.is_some() {
                    let _ = write!(out, " ver='{current}'");
                }
                out.put_slice(b">");
                out.put_slice(&items);
                out.put_slice(b"</query></iq>");
            });
        }
    }

    /// All items, in the order of their JIDs; the client's version is set to theirs.
    fn items(&mut self, people: &People) -> BytesMut {
        let mut contacts: Vec<_> = people
            .iter()
            .filter(|(_, contact)| contact.is_in_roster())
            .collect();
        contacts.sort_unstable_by_key(|(account, _)| *account);
        let mut items = BytesMut::new();
        let mut version = Version::default();
        for (account, contact) in contacts {
            let start = items.len();
            write_item(&mut items, account, Some(contact));
            version.note(account, items.get(start..));
        }
        self.version = version;
        items
    }

    /// Pushes an item, if the client has asked for its roster (RFC 6121 §2.1.6).
    pub(super) fn push(&mut self, account: &str, cx: &mut Cx<'_>) {
        if !self.is_pushed {
            return;
        }
        let contact = cx.account.people.get(account);
        let contact = contact.filter(|contact| contact.is_in_roster());
        let mut item = BytesMut::new();
        write_item(&mut item, account, contact);
        let is_there = contact.is_some();
        self.version.note(account, is_there.then_some(&*item));
        let id = cx.wire.fresh_id();
        let (to, xmlns) = (escape(cx.account.jid()), ns::ROSTER);
        cx.wire.stanza(Leg::Client, |out| {
            let _ = write!(
                out,
                "<iq type='set' id='{id}' to='{to}'><query xmlns='{xmlns}' ver='{}'>",
                self.version
            );
            out.put_slice(&item);
            out.put_slice(b"</query></iq>");
        });
    }
}

/// The error while the roster cannot be had.
pub(super) fn not_now() -> StanzaError<'static> {
    StanzaError::new("wait", "service-unavailable")
}

/// Answers a request about the roster with an error.
pub(super) fn refuse<'a>(id: &str, error: impl Into<StanzaError<'a>>, wire: &mut Wire) {
    wire.show_error("iq", &[("id", Some(id))], "", error);
}

/// The name of an item, if it is short enough; an error is the condition.
pub(super) fn name_of(item: &Element<'_>) -> Result<Option<Box<str>>, &'static str> {
    match item.attribute("name") {
        Some(name) if name.len() > MOST_NAME => Err("not-acceptable"),
        name => Ok(name.map(|name| (*name).into())),
    }
}

/// The groups of an item, each once (RFC 6121 §2.3.3); an error is the condition.
pub(super) fn groups_of(item: &Element<'_>) -> Result<Vec<Box<str>>, &'static str> {
    let mut groups: Vec<Box<str>> = Vec::new();
    let found = item.children();
    for group in found.filter(|child| child.is(ns::ROSTER, "group")) {
        let group: Box<str> = group.text().into();
        if group.is_empty() || group.len() > MOST_NAME || groups.len() >= MOST_GROUPS {
            return Err("not-acceptable");
        }
        if groups.contains(&group) {
            return Err("bad-request");
        }
        groups.push(group);
    }
    Ok(groups)
}

/// Writes an item as RFC 6121 §2.1.2 has it; without a contact, a removed one.
fn write_item(out: &mut BytesMut, account: &str, contact: Option<&Contact>) {
    let _ = write!(out, "<item jid='{}'", escape(account));
    let Some(contact) = contact else {
        out.put_slice(b" subscription='remove'/>");
        return;
    };
    if let Some(name) = &contact.name {
        let _ = write!(out, " name='{}'", escape(name));
    }
    let _ = write!(out, " subscription='{}'", contact.relation.as_str());
    if contact.relation.to == Half::Asked {
        out.put_slice(b" ask='subscribe'");
    }
    out.put_slice(b">");
    for group in &contact.groups {
        let _ = write!(out, "<group>{}</group>", escape(group));
    }
    out.put_slice(b"</item>");
}
