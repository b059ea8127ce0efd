//! The occupants of a room, and their nicks.
//!
//! An occupant is the publisher of an item, whatever its id and payload say. A present occupant keeps the nick he was
//! first seen with; an occupant who comes with the nick of another account is shown as `nick (account)`. So nobody can
//! be impersonated or silenced.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::Item;
use super::names::nick_of;
use crate::jid;
use crate::ns;
use crate::pubsub::payload;
use crate::wire::Dropped;
use crate::xml::{Element, rewrite_standalone};

/// Occupants that are known.
const MOST_OCCUPANTS: usize = 1024;
/// Occupants of one account.
const MOST_RESOURCES: usize = 5;
/// Bytes of an occupant's presence; of a longer one only the type is kept.
const MOST_PRESENCE: usize = 4096;

/// All occupants of a room, the client itself included, by full JID.
#[derive(Debug, Default)]
pub(super) struct Occupants(BTreeMap<Box<str>, Occupant>);

#[derive(Debug)]
pub(super) struct Occupant {
    /// The nick as it is shown.
    pub(super) nick: Box<str>,
    /// The nick that the occupant wants.
    claimed: Box<str>,
    /// The occupant's presence, standalone, without elements that only a room may add.
    pub(super) presence: Bytes,
    /// The id of the item that holds the presence.
    pub(super) item: Box<str>,
    /// When a stanza of the occupant last came, since the client joined.
    pub(super) heard: Option<Duration>,
}

/// An item, read.
#[derive(Debug)]
pub(super) struct Said {
    /// The occupant's full JID.
    pub(super) full: Box<str>,
    pub(super) nick: Box<str>,
    pub(super) is_gone: bool,
    pub(super) presence: Bytes,
    pub(super) item: Box<str>,
}

/// The change by an item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The occupant is new, or has a new presence.
    Shown,
    /// The occupant had this nick before.
    Renamed(Box<str>),
    /// The occupant, who had this nick, is gone.
    Gone(Box<str>),
}

impl Said {
    /// Reads an item of the occupants node.
    pub(super) fn read(
        Item {
            element,
            id,
            author,
        }: Item<'_>,
        room: &str,
    ) -> Result<Self, Dropped> {
        let presence = payload(element, "presence").ok_or(Dropped::WrongPayload)?;
        let is_gone = match presence.attribute("type").as_deref() {
            None => false,
            Some("unavailable") => true,
            Some(_) => return Err(Dropped::WrongType),
        };
        let from = presence.attribute("from").unwrap_or_default();
        let nick = jid::resource(&from).filter(|_| jid::bare(&from) == room);
        let nick = nick.and_then(nick_of);
        let full = author.and_then(|author| full_of(author, &presence));
        let full = full.filter(|full| jid::resource(full).is_some());
        let (Some(nick), Some(full)) = (nick, full) else {
            return Err(Dropped::ForeignFrom);
        };
        Ok(Self {
            full,
            nick,
            is_gone,
            presence: kept(&presence),
            item: id.into(),
        })
    }
}

/// The full JID of an item's publisher. If the service names the account alone, the resource is taken from the payload.
fn full_of(author: &str, presence: &Element<'_>) -> Option<Box<str>> {
    if jid::resource(author).is_some() {
        return Some(author.into());
    }
    let x = presence.child(ns::MUC_USER, "x")?;
    let said = x.child(ns::MUC_USER, "item")?.attribute("jid")?;
    (jid::bare(&said) == author).then(|| (*said).into())
}

/// A presence without elements that only a room may add.
fn kept(presence: &Element<'_>) -> Bytes {
    let may_stay = |child: &Element<'_>| !is_of_room(child) && child.namespace() != ns::SID;
    let mut whole = BytesMut::with_capacity(presence.raw().len());
    rewrite_standalone(&mut whole, presence, &[], may_stay, "");
    match whole.len() > MOST_PRESENCE {
        true => {
            let kind = presence.attribute("type").map(|_| " type='unavailable'");
            format!(
                "<presence xmlns='{}'{}/>",
                ns::CLIENT,
                kind.unwrap_or_default()
            )
            .into()
        }
        // Kept for as long as the occupant is there: with no more room than it fills.
        false => Bytes::copy_from_slice(&whole),
    }
}

/// Whether only a room or its service may add this element.
pub(super) fn is_of_room(child: &Element<'_>) -> bool {
    matches!(
        &*child.namespace(),
        ns::MUC | ns::MUC_USER | ns::OCCUPANT_ID | ns::SHIM
    )
}

/// Whether a full JID is one of `account`.
fn is_of(full: &str, account: &str) -> bool {
    let rest = full.strip_prefix(account);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a nick has the form `nick (account)` with another account than `account`.
fn looks_named(nick: &str, account: &str) -> bool {
    let looks = nick.ends_with(')') && nick.contains(" (") && nick.contains('@');
    looks && !nick.ends_with(&format!(" ({account})"))
}

impl Occupants {
    /// Takes over an item's presence. The client's own, `is_own`, is exempt from the limits.
    pub(super) fn note(
        &mut self,
        said: Said,
        is_own: bool,
        heard: Option<Duration>,
    ) -> Result<Option<Change>, Dropped> {
        if said.is_gone {
            // The occupant's item of an earlier visit is out of date.
            let is_his = self
                .0
                .get(&said.full)
                .is_some_and(|it| it.item == said.item);
            let gone = is_his.then(|| self.remove(&said.full)).flatten();
            return Ok(gone.map(Change::Gone));
        }
        let account = jid::bare(&said.full).to_owned();
        let before = self.0.get(&said.full).map(|occupant| occupant.nick.clone());
        let others = self.of_account(&account).count();
        let has_room = is_own || self.0.len() < MOST_OCCUPANTS && others < MOST_RESOURCES;
        if before.is_none() && !has_room {
            return Err(Dropped::Overflow);
        }
        let nick = self.nick_for(&account, &said.nick);
        let change = match before {
            Some(before) if before != nick && (is_own || !self.has_other(&said.full, &before)) => {
                Change::Renamed(before)
            }
            _ => Change::Shown,
        };
        let occupant = Occupant {
            nick,
            claimed: said.nick,
            presence: said.presence,
            item: said.item,
            heard,
        };
        self.0.insert(said.full, occupant);
        Ok(Some(change))
    }

    /// Removes an occupant; gives his nick, if no other occupant has it.
    pub(super) fn remove(&mut self, full: &str) -> Option<Box<str>> {
        let occupant = self.0.remove(full)?;
        let is_free = self.of_nick(&occupant.nick).is_none();
        is_free.then_some(occupant.nick)
    }

    /// The nick that `account` is shown with if it wants `nick`.
    pub(super) fn nick_for(&self, account: &str, nick: &str) -> Box<str> {
        let mut all = self.iter();
        let is_taken = all.any(|(full, other)| *other.nick == *nick && !is_of(full, account));
        let suffix = format!(" ({account})");
        match looks_named(nick, account) || is_taken && !nick.ends_with(&suffix) {
            true => (nick.to_owned() + &suffix).into(),
            false => nick.into(),
        }
    }

    /// The occupant of the same account that has to go to make room for this one: the one not heard for longest.
    pub(super) fn crowded_out(&self, full: &str, own: &str) -> Option<Box<str>> {
        let all = || self.of_account(jid::bare(full));
        if self.0.contains_key(full) || all().count() < MOST_RESOURCES {
            return None;
        }
        let others = all().filter(|(it, _)| **it != *own);
        let quietest = others.min_by_key(|(_, occupant)| occupant.heard);
        quietest.map(|(full, _)| full.into())
    }

    /// An occupant of another account than `own` who wants this nick, shown with it or not.
    pub(super) fn claimant(&self, nick: &str, own: &str) -> Option<Box<str>> {
        let mut all = self.0.iter();
        all.find(|(full, it)| *it.claimed == *nick && !is_of(full, own))
            .map(|(full, _)| full.clone())
    }

    /// Gives a nick that has become free to an occupant who wants it; gives the occupant and his former nick.
    pub(super) fn free(&mut self, nick: &str) -> Option<(Box<str>, Box<str>)> {
        if self.of_nick(nick).is_some() {
            return None;
        }
        let mut all = self.0.iter_mut();
        let (full, next) = all.find(|(full, it)| {
            *it.claimed == *nick && !looks_named(nick, jid::bare(full)) && *it.nick != *nick
        })?;
        let before = std::mem::replace(&mut next.nick, nick.into());
        Some((full.clone(), before))
    }

    fn has_other(&self, full: &str, nick: &str) -> bool {
        self.called(nick).any(|other| other != full)
    }

    /// All occupants of an account: they are neighbours in the map, but for accounts whose name begins with this one.
    pub(super) fn of_account<'a>(
        &'a self,
        account: &str,
    ) -> impl Iterator<Item = (&'a str, &'a Occupant)> {
        let behind = (Bound::Included(account), Bound::Unbounded);
        let all = self.0.range::<str, _>(behind);
        let near = all.take_while(move |(full, _)| full.starts_with(account));
        near.filter(move |(full, _)| is_of(full, account))
            .map(|(full, occupant)| (&**full, occupant))
    }

    /// All occupants with this nick: resources of one account.
    pub(super) fn called<'a>(&'a self, nick: &str) -> impl Iterator<Item = &'a str> {
        let all = self.0.iter().filter(move |(_, it)| *it.nick == *nick);
        all.map(|(full, _)| &**full)
    }

    /// Whether the occupant of this full JID, or one of this account, has this nick.
    pub(super) fn is_called(&self, jid: &str, nick: &str) -> bool {
        let mut all = self.called(nick);
        all.any(|full| full == jid || jid::bare(full) == jid)
    }

    /// The occupant with this nick.
    pub(super) fn of_nick(&self, nick: &str) -> Option<&str> {
        self.called(nick).next()
    }

    /// The occupant whose item this is.
    pub(super) fn of_item(&self, item: &str) -> Option<Box<str>> {
        let mut all = self.0.iter();
        all.find(|(_, occupant)| *occupant.item == *item)
            .map(|(full, _)| full.clone())
    }

    /// Whether an occupant of this account is there.
    pub(super) fn has_account(&self, account: &str) -> bool {
        self.of_account(account).next().is_some()
    }

    pub(super) fn get(&self, full: &str) -> Option<&Occupant> {
        self.0.get(full)
    }

    /// All occupants, in the order of their JIDs.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Occupant)> {
        self.0.iter().map(|(full, occupant)| (&**full, occupant))
    }

    /// The nick that the author of a message, who wants `nick`, is shown with. Of several resources it may be any one
    /// with that nick.
    pub(super) fn nick_of_author(
        &self,
        author: &str,
        nick: impl FnOnce() -> Option<Box<str>>,
    ) -> Cow<'_, str> {
        if let Some(occupant) = self.0.get(author) {
            return Cow::Borrowed(&occupant.nick);
        }
        let (account, nick) = (jid::bare(author), nick());
        let mut own = self.of_account(account).map(|(_, occupant)| occupant);
        let own = match &nick {
            Some(nick) => own.find(|occupant| occupant.claimed == *nick),
            None => own.next(),
        };
        let unnamed = || nick.as_deref().or(jid::local(account)).unwrap_or(account);
        own.map_or_else(
            || Cow::Owned(self.nick_for(account, unnamed()).into()),
            |occupant| Cow::Borrowed(&*occupant.nick),
        )
    }

    /// The nick for a message of before the client came: the one the author had then, if no other account has it now.
    pub(super) fn nick_before(&self, author: &str, nick: Option<Box<str>>) -> Cow<'_, str> {
        match nick {
            Some(nick) => Cow::Owned(self.nick_for(jid::bare(author), &nick).into()),
            None => self.nick_of_author(author, || None),
        }
    }

    /// Notes that a stanza of an author has come. Prosody does not name the resource: it is the one with this nick.
    pub(super) fn hear_author(
        &mut self,
        author: &str,
        nick: impl FnOnce() -> Option<Box<str>>,
        now: Duration,
    ) {
        if let Some(occupant) = self.0.get_mut(author) {
            occupant.heard = Some(now);
        } else if jid::resource(author).is_none() {
            let nick = nick();
            let is_it = |full: &str, it: &Occupant| {
                is_of(full, author) && nick.as_ref().is_none_or(|nick| it.claimed == *nick)
            };
            let all = self.0.iter_mut().filter(|(full, it)| is_it(full, it));
            all.for_each(|(_, occupant)| occupant.heard = Some(now));
        }
    }

    /// Notes that a stanza of this full JID has come.
    pub(super) fn hear(&mut self, full: &str, now: Duration) {
        if let Some(occupant) = self.0.get_mut(full) {
            occupant.heard = Some(now);
        }
    }

    /// The `most` occupants that were not heard for longest, all of them last before `before`; without the client
    /// itself, `own`.
    pub(super) fn quietest(&self, own: &str, before: Duration, most: usize) -> Vec<Box<str>> {
        let all = self.0.iter();
        let all = all.filter(|(full, it)| it.heard < Some(before) && ***full != *own);
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(_, occupant)| occupant.heard);
        let all = all.into_iter().take(most);
        all.map(|(full, _)| full.clone()).collect()
    }

    /// Whether the occupant is in the room and was not heard since.
    pub(super) fn is_silent_since(&self, full: &str, since: Duration) -> bool {
        let occupant = self.0.get(full);
        occupant.is_some_and(|it| it.heard < Some(since))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are occupants besides the client itself, `own`.
    pub(super) fn has_others(&self, own: &str) -> bool {
        self.0.keys().any(|full| **full != *own)
    }
}
