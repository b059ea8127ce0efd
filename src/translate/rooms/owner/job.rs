//! The requests of an owner's wish, one after the other, and their answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::BytesMut;

use super::configuration::{configured, fields, owner_form};
use super::wish::{Reasons, Wish, list_of};
use crate::jid;
use crate::pubsub::{answer, request};
use crate::translate::Cx;
use crate::translate::held::Held;
use crate::translate::rooms::affiliations::{Affiliation, Affiliations};
use crate::translate::rooms::notice::{Notice, Word};
use crate::translate::rooms::refuse::refuse;
use crate::translate::rooms::room::{Part, Room, access_model, node};
use crate::wire::{NO_ANSWER, Reply, StanzaError};
use crate::xml::Element;

/// Subscriptions that are ended because of one request.
const MOST_PUT_OUT: usize = 4096;
/// Lists of subscriptions that are read because of one request: somebody may subscribe while others are put out.
const MOST_LOOKS: u8 = 6;

/// A request of an owner's.
#[derive(Debug)]
pub(crate) struct Job {
    pub(super) room: Box<str>,
    /// The id of the client's IQ.
    pub(super) id: Box<str>,
    pub(super) wish: Wish,
    /// The requests that are left; the answer to the first one is awaited.
    todo: VecDeque<Todo>,
    pub(super) reasons: Reasons,
    /// The affiliations, as the service has told them.
    pub(super) affiliations: Affiliations,
    /// Whether only members may be in the room, once the service has told.
    is_closed: Option<bool>,
    /// The payload of the answer to the client.
    pub(super) answer: String,
    looks: u8,
    put_out: usize,
    /// Occupants of whom others were told that they are put out.
    told: BTreeSet<Box<str>>,
}

#[derive(Debug)]
enum Todo {
    /// Tell others who is put out, and retract the items; no answer is awaited.
    PutOut,
    /// Tell others of the changes; no answer is awaited.
    Tell,
    /// Get the affiliations.
    Affiliations,
    /// Get the affiliations again, to verify the change.
    Verify,
    Affiliate(Part, Affiliation),
    /// Get the subscriptions of a node, to end those of accounts that are put out.
    Subscriptions(Part),
    Unsubscribe(Part, Box<str>),
    /// Get the room's configuration.
    Configuration,
    Configure(Part),
    /// Publish a message with the reason for destroying the room.
    Announce,
    Delete(Part),
}

/// Both nodes; an occupant who is put out hears of it on the first one.
const BOTH: [Part; 2] = [Part::Occupants, Part::Talk];

/// The requests of a wish of the account `own`. If they depend on the configuration, that is read first (`is_closed` is
/// known then), as another owner may just have changed it.
fn requests(wish: &Wish, is_closed: Option<bool>, own: &str) -> VecDeque<Todo> {
    let look = || BOTH.map(Todo::Subscriptions);
    let mut todo = VecDeque::new();
    match wish {
        Wish::List(_) => todo.push_back(Todo::Affiliations),
        Wish::Form => todo.push_back(Todo::Configuration),
        Wish::Kick(_) => {
            todo.extend([Todo::Affiliations, Todo::PutOut]);
            todo.extend(look());
        }
        Wish::Change(changes)
            if is_closed.is_none() && changes.values().any(|it| *it == Affiliation::None) =>
        {
            todo.push_back(Todo::Configuration);
        }
        Wish::Change(changes) => {
            todo.push_back(Todo::Affiliations);
            // A subscriber goes on to hear and to speak whatever his affiliation is: he is unsubscribed first, and
            // looked for once more when he cannot come back.
            let puts_out = changes.values().any(|it| is_out(*it, is_closed));
            todo.push_back(Todo::PutOut);
            todo.extend(look().into_iter().filter(|_| puts_out));
            let mut all = [
                Affiliation::Owner,
                Affiliation::Member,
                Affiliation::None,
                Affiliation::Outcast,
            ];
            // A client that is no owner any more may change nothing else.
            let resigns_to = changes.get(own).filter(|_| wish.resigns(own));
            all.sort_by_key(|it| resigns_to == Some(it));
            for affiliation in all {
                if resigns_to == Some(&affiliation) {
                    todo.push_back(Todo::Tell);
                }
                if changes.values().any(|it| *it == affiliation) {
                    todo.extend(BOTH.map(|part| Todo::Affiliate(part, affiliation)));
                }
            }
            // After resigning the client may retract nothing, and is not told the affiliations.
            if resigns_to.is_none() {
                todo.extend(look().into_iter().filter(|_| puts_out));
                todo.extend([Todo::Verify, Todo::Tell]);
            }
        }
        Wish::Invite { .. } => {
            let affiliate = |part| Todo::Affiliate(part, Affiliation::Member);
            todo.push_back(Todo::Affiliations);
            todo.extend(BOTH.map(affiliate));
            todo.push_back(Todo::Verify);
        }
        Wish::Configure(_) if is_closed.is_none() => todo.push_back(Todo::Configuration),
        Wish::Configure(wanted) if wanted.is_empty() => {}
        Wish::Configure(wanted) => {
            // Prosody ends subscriptions by itself then, and tells nobody: occupants who have to go are told before.
            let puts_out = wanted.closes == Some(true);
            if puts_out {
                todo.extend([Todo::Affiliations, Todo::PutOut]);
            }
            // The access model is the only setting of the second node.
            let parts = BOTH.into_iter().skip(usize::from(wanted.closes.is_none()));
            todo.extend(parts.map(Todo::Configure));
            todo.extend(look().into_iter().filter(|_| puts_out));
            todo.push_back(Todo::Tell);
        }
        Wish::Destroy(announcement) => {
            todo.extend(announcement.as_ref().map(|_| Todo::Announce));
            todo.extend([Part::Talk, Part::Occupants].map(Todo::Delete));
        }
    }
    todo
}

/// Whether an account with this affiliation may not be in a room; `is_closed`: only members may.
fn is_out(affiliation: Affiliation, is_closed: Option<bool>) -> bool {
    let is_closed = is_closed == Some(true);
    affiliation == Affiliation::Outcast || is_closed && affiliation == Affiliation::None
}

impl Job {
    /// The job of a wish of the client's, whose account is `own`; `id`: of its IQ; `is_closed`: whether only members
    /// may be in the room, if known.
    pub(super) fn new(
        room: &str,
        id: &str,
        wish: Wish,
        reasons: Reasons,
        is_closed: Option<bool>,
        own: &str,
    ) -> Self {
        Self {
            room: room.into(),
            id: id.into(),
            todo: requests(&wish, is_closed, own),
            wish,
            reasons,
            affiliations: Affiliations::default(),
            is_closed,
            answer: String::new(),
            looks: 0,
            put_out: 0,
            told: BTreeSet::new(),
        }
    }

    /// The client's message, if it was one that invites somebody.
    pub(super) fn invitation(&self) -> Option<&Held> {
        match &self.wish {
            Wish::Invite { message, .. } => Some(message),
            _ => None,
        }
    }

    /// Answers the client's IQ with an error.
    pub(super) fn refuse(&self, condition: &str, cx: &mut Cx<'_>) {
        match self.invitation() {
            Some(message) => {
                message.read(|it| refuse(it, condition, cx));
            }
            None => {
                let (from, to) = (Some(&*self.room), Some(cx.account.jid()));
                let attributes = [("from", from), ("to", to), ("id", Some(&*self.id))];
                let is_last = condition == "conflict" && self.wish.changes().is_some();
                let text = is_last.then_some("the room would have no owner");
                let error = StanzaError::from(condition).saying(text);
                cx.wire.show_error("iq", &attributes, "", error);
            }
        }
    }

    /// Writes the next request and gives its type, `get` or `set`. `None`: all is done.
    pub(super) fn write_next(&self, out: &mut BytesMut) -> Option<&'static str> {
        Some(self.write(self.todo.front()?, out))
    }

    /// Takes the answer to that request, or gives the condition of the error for the client.
    pub(super) fn handle_reply(
        &mut self,
        reply: Reply<'_>,
        room: Option<&mut Room>,
        cx: &mut Cx<'_>,
    ) -> Result<(), String> {
        match self.todo.pop_front() {
            Some(done) => self.take(&done, reply, room, cx),
            None => Ok(()),
        }
    }

    fn write(&self, todo: &Todo, out: &mut BytesMut) -> &'static str {
        let node = |part: &Part| node(&self.room, *part);
        match todo {
            Todo::Affiliations | Todo::Verify => request::affiliations(out, &node(&Part::Talk)),
            Todo::Subscriptions(part) => request::subscriptions(out, &node(part)),
            Todo::Configuration => request::configuration(out, &node(&Part::Talk)),
            Todo::Affiliate(part, affiliation) => {
                let changes = self.wish.changes().into_iter().flatten();
                let accounts = changes.filter(|(_, it)| *it == affiliation);
                let accounts = accounts.map(|(account, _)| &**account);
                request::set_affiliation(out, &node(part), accounts, affiliation.word());
            }
            Todo::Unsubscribe(part, jid) => {
                request::set_subscription(out, &node(part), jid, "none");
            }
            Todo::Configure(part) => self.write_configuration(*part, out),
            Todo::Announce => self.write_announcement(out),
            Todo::Delete(part) => request::delete(out, &node(part)),
            Todo::PutOut | Todo::Tell => {}
        }
        match todo {
            Todo::Affiliations | Todo::Verify | Todo::Subscriptions(_) | Todo::Configuration => {
                "get"
            }
            _ => "set",
        }
    }

    fn write_announcement(&self, out: &mut BytesMut) {
        if let Wish::Destroy(Some((item, message))) = &self.wish {
            let node = node(&self.room, Part::Talk);
            request::publish(out, &node, item, None, message.as_bytes());
        }
    }

    fn write_configuration(&self, part: Part, out: &mut BytesMut) {
        let Wish::Configure(wanted) = &self.wish else {
            return;
        };
        let access = wanted.closes.map(access_model);
        let more = fields(wanted);
        let more = more.iter().filter(|_| part == Part::Talk);
        let access = access.map(|it| ("pubsub#access_model", it)).into_iter();
        let fields = access.chain(more.map(|(var, value)| (*var, &**value)));
        let fields: Vec<_> = fields.collect();
        request::configure(out, &node(&self.room, part), &fields);
    }

    fn take(
        &mut self,
        done: &Todo,
        reply: Reply<'_>,
        room: Option<&mut Room>,
        cx: &mut Cx<'_>,
    ) -> Result<(), String> {
        let answer = match (done, reply) {
            // The subscriptions are listed again behind this.
            (Todo::Unsubscribe(..), Err(_)) => return Ok(()),
            (_, reply) => reply.map_err(|refused| refused.condition().to_owned())?,
        };
        let own = cx.account.bare();
        match done {
            Todo::Affiliations => {
                let list = answer::affiliations(answer).ok_or(NO_ANSWER)?;
                self.affiliations = Affiliations::of_list(list);
                self.leave_members_alone()?;
                self.check(own)?;
                if let Wish::List(affiliation) = self.wish {
                    let accounts = self.affiliations.with(affiliation);
                    self.answer = list_of(accounts, affiliation, room.as_deref());
                }
                if let Some(room) = room {
                    room.note_affiliations(self.affiliations.clone());
                }
            }
            Todo::Verify => {
                let list = answer::affiliations(answer).ok_or(NO_ANSWER)?;
                let now = Affiliations::of_list(list);
                let mut changes = self.wish.changes().into_iter().flatten();
                if changes.any(|(account, wanted)| now.of(account) != *wanted) {
                    return Err("not-allowed".to_owned());
                }
            }
            Todo::Subscriptions(part) => {
                let list = answer::subscriptions(answer).ok_or(NO_ANSWER)?;
                self.unsubscribe(*part, list, own)?;
            }
            Todo::Configuration => {
                let is_locked = room.as_ref().is_some_and(|room| room.is_locked);
                let read = |node: &Element<'_>| self.note_configuration(node, is_locked, own);
                answer::with_configuration(answer, read).ok_or(NO_ANSWER)?;
            }
            Todo::Affiliate(..)
            | Todo::Unsubscribe(..)
            | Todo::Configure(_)
            | Todo::Announce
            | Todo::Delete(_)
            | Todo::PutOut
            | Todo::Tell => {}
        }
        Ok(())
    }

    /// Takes the room's present configuration: only fields that differ from it are changed.
    fn note_configuration(&mut self, node: &Element<'_>, is_locked: bool, own: &str) {
        let now = configured(node);
        self.is_closed = now.closes;
        match &mut self.wish {
            Wish::Form => return self.answer = owner_form(node, is_locked),
            Wish::Configure(wanted) => wanted.leave_out(&now),
            _ => {}
        }
        self.todo = requests(&self.wish, self.is_closed, own);
    }

    /// Takes accounts out of an invitation's changes that may come in already; refuses to make banned accounts members.
    fn leave_members_alone(&mut self) -> Result<(), &'static str> {
        let Wish::Invite { changes, .. } = &mut self.wish else {
            return Ok(());
        };
        changes.retain(|account, _| !self.affiliations.lets_in(account));
        if changes.is_empty() {
            self.todo.clear();
        }
        let mut accounts = changes.keys();
        match accounts.any(|it| self.affiliations.of(it) == Affiliation::Outcast) {
            true => Err("not-allowed"),
            false => Ok(()),
        }
    }

    /// Checks the wish against the present affiliations.
    fn check(&self, own: &str) -> Result<(), &'static str> {
        if !self.affiliations.is_owner(own) {
            return Err("forbidden");
        }
        let Some(changes) = self.wish.changes() else {
            return Ok(());
        };
        // A room without an owner could never be changed again (XEP-0045 §10.5).
        let stays = |account: &str| {
            changes
                .get(account)
                .is_none_or(|it| *it == Affiliation::Owner)
        };
        let is_owned = self.affiliations.with(Affiliation::Owner).any(stays);
        let gets_owner = changes.values().any(|it| *it == Affiliation::Owner);
        match is_owned || gets_owner {
            true => Ok(()),
            false => Err("conflict"),
        }
    }

    /// Whether an account is to be out of the room, and the status by which that is shown (XEP-0045 §15.6).
    fn puts_out(&self, account: &str, own: &str) -> Option<&'static str> {
        match &self.wish {
            _ if account == own => None,
            Wish::Kick(accounts) => accounts.contains(account).then_some("307"),
            Wish::Change(changes) => {
                let affiliation = *changes.get(account)?;
                is_out(affiliation, self.is_closed).then_some(match affiliation {
                    Affiliation::Outcast => "301",
                    _ => "321",
                })
            }
            Wish::Configure(_) => (!self.affiliations.lets_in(account)).then_some("322"),
            Wish::List(_) | Wish::Invite { .. } | Wish::Form | Wish::Destroy(_) => None,
        }
    }

    /// Runs the next steps that await no answer: others are told.
    pub(super) fn tell_all(&mut self, mut room: Option<&mut Room>, cx: &mut Cx<'_>) {
        while let Some(Todo::PutOut | Todo::Tell) = self.todo.front() {
            match (self.todo.pop_front(), room.as_deref_mut()) {
                (Some(Todo::PutOut), Some(room)) => self.put_out_of(room, cx),
                (Some(Todo::Tell), Some(room)) => {
                    let changes = self.changes(room);
                    room.announce(changes, cx);
                }
                _ => {}
            }
        }
    }

    /// Publishes a notice of those who are put out, and retracts their items: on Prosody they learn it by nothing else,
    /// and an account that is unsubscribed is told nothing.
    fn put_out_of(&mut self, room: &mut Room, cx: &mut Cx<'_>) {
        let own = cx.account.bare();
        let (mut words, mut items) = (BTreeMap::new(), Vec::new());
        for (full, occupant) in room.occupants.iter() {
            let account = jid::bare(full);
            let Some(status) = self.puts_out(account, own) else {
                continue;
            };
            let affiliation = self.wish.changes().and_then(|it| it.get(account)).copied();
            let affiliation = affiliation.unwrap_or_else(|| self.affiliations.of(account));
            words.insert(
                account.to_owned(),
                self.word(account, affiliation, Some(status)),
            );
            items.push(occupant.item.clone());
        }
        self.told = words.keys().map(|it| it.as_str().into()).collect();
        let notice = Notice {
            words: words.into_values().collect(),
            ..Notice::default()
        };
        room.announce(notice, cx);
        for item in items {
            room.take_away(&item, cx);
        }
    }

    /// The notice of changed affiliations: of owners in any case, as their notices count.
    fn changes(&self, room: &Room) -> Notice {
        let is_new = |account: &str, now: Affiliation| {
            let before = self.affiliations.of(account);
            let is_owner = [before, now].contains(&Affiliation::Owner);
            before != now && (is_owner || !self.told.contains(account))
        };
        let changes = self.wish.changes().into_iter().flatten();
        let changes = changes.filter(|(account, now)| is_new(account, **now));
        Notice {
            words: changes
                .map(|(account, now)| self.word(account, *now, None))
                .collect(),
            is_configured: matches!(self.wish, Wish::Configure(_)) && !room.is_locked,
            ..Notice::default()
        }
    }

    fn word(&self, account: &str, affiliation: Affiliation, out: Option<&'static str>) -> Word {
        Word {
            account: account.into(),
            affiliation,
            out,
            reason: self.reasons.get(account).cloned(),
        }
    }

    /// Ends the subscriptions of accounts that are put out, then lists them again.
    fn unsubscribe(
        &mut self,
        part: Part,
        list: Vec<(Box<str>, Box<str>)>,
        own: &str,
    ) -> Result<(), &'static str> {
        let out = list.into_iter().map(|(jid, _)| jid);
        let out = out.filter(|it| self.puts_out(jid::bare(it), own).is_some());
        let out: Vec<_> = out.collect();
        if out.is_empty() {
            return Ok(());
        }
        self.looks += 1;
        self.put_out += out.len();
        if self.looks > MOST_LOOKS || self.put_out > MOST_PUT_OUT {
            return Err("resource-constraint");
        }
        self.todo.push_front(Todo::Subscriptions(part));
        for jid in out {
            self.todo.push_front(Todo::Unsubscribe(part, jid));
        }
        Ok(())
    }
}
