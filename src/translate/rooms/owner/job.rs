//! The requests that an owner's wish takes, one after the other, and what their answers say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{BufMut as _, BytesMut};

use super::configuration::{configured, fields, owner_form};
use super::wish::{Reasons, Wish, list_of};
use crate::jid;
use crate::pubsub::{answer, request};
use crate::translate::Cx;
use crate::translate::held::Held;
use crate::translate::rooms::affiliations::{Affiliation, Affiliations};
use crate::translate::rooms::notice::{Notice, Word};
use crate::translate::rooms::refuse::refuse;
use crate::translate::rooms::room::{NO_ANSWER, Part, Room, access_model, node};
use crate::wire::{Reply, error_type};
use crate::xml::Element;

/// So many subscriptions are ended because of one request, and each list of them is looked through so often: somebody
/// may subscribe while others are put out.
const MOST_PUT_OUT: usize = 4096;
const MOST_LOOKS: u8 = 6;
/// A request of an owner's.
#[derive(Debug)]
pub(crate) struct Job {
    pub(super) room: Box<str>,
    /// Of the client's IQ.
    pub(super) id: Box<str>,
    pub(super) wish: Wish,
    /// What is still to be asked of the service; the answer to the first is awaited.
    todo: VecDeque<Todo>,
    pub(super) reasons: Reasons,
    /// As the service has told them.
    pub(super) affiliations: Affiliations,
    /// Whether members alone may be in the room, once the service has told.
    is_closed: Option<bool>,
    /// What the client is answered.
    pub(super) answer: String,
    looks: u8,
    put_out: usize,
    /// Who was in the room and others were told that they are put out.
    told: BTreeSet<Box<str>>,
}

#[derive(Debug)]
enum Todo {
    /// Others are told who is put out, and his item is taken away; no answer is awaited.
    PutOut,
    /// Others are told what has changed; neither is it here.
    Tell,
    /// Who may do what.
    Affiliations,
    /// Whether that is as it was wished.
    Verify,
    Affiliate(Part, Affiliation),
    /// Who is subscribed; whoever is not to be is unsubscribed.
    Subscriptions(Part),
    Unsubscribe(Part, Box<str>),
    /// How the room is configured.
    Configuration,
    Configure(Part),
    /// A message that says why the room ends.
    Announce,
    Delete(Part),
}

/// Both nodes; whoever is put out hears of it on the first one.
const BOTH: [Part; 2] = [Part::Occupants, Part::Talk];

/// The requests that a wish of the account `own` takes. Where they depend on how the room is configured, that is asked
/// first (`is_closed`: and known then), as another owner may just have changed it.
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
            // Whoever is subscribed goes on to hear and to speak, whatever else he may do: he is put out first, and
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
            // Who is no owner any more may change nothing else.
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
            // Who resigns may take nothing away behind it, and is not told how it is then.
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
            // Prosody ends subscriptions by itself then, and tells nobody: who has to go is told before.
            let puts_out = wanted.closes == Some(true);
            if puts_out {
                todo.extend([Todo::Affiliations, Todo::PutOut]);
            }
            // Whom they let in is the same for both, and all that is said of the second one.
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

/// Whether an account with this affiliation may not be in a room; `is_closed`: members alone may.
fn is_out(affiliation: Affiliation, is_closed: Option<bool>) -> bool {
    let is_closed = is_closed == Some(true);
    affiliation == Affiliation::Outcast || is_closed && affiliation == Affiliation::None
}

impl Job {
    /// What the client, of the account `own`, wants by its IQ of this id; `is_closed`: members alone may be in the room,
    /// if that is known.
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

    /// Tells the client that nothing came of its wish.
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
                let kind = error_type(condition);
                cx.wire
                    .show_error_with("iq", &attributes, "", kind, condition, text);
            }
        }
    }

    /// Writes the next request; whether it is a `get` or a `set`. `None`: all is done.
    pub(super) fn write_next(&self, out: &mut BytesMut) -> Option<&'static str> {
        Some(self.write(self.todo.front()?, out))
    }

    /// Takes the answer to that request; the condition of the error that the client is shown if it is of no use.
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
            Todo::Affiliations | Todo::Verify => {
                request::affiliations(out, &node(&Part::Talk));
                return "get";
            }
            Todo::Subscriptions(part) => {
                request::subscriptions(out, &node(part));
                return "get";
            }
            Todo::Configuration => {
                request::configuration(out, &node(&Part::Talk));
                return "get";
            }
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
        "set"
    }

    fn write_announcement(&self, out: &mut BytesMut) {
        if let Wish::Destroy(Some((item, message))) = &self.wish {
            let payload = |out: &mut BytesMut| out.put_slice(message.as_bytes());
            request::publish(out, &node(&self.room, Part::Talk), item, None, payload);
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
            // It is looked again whether they are still there.
            (Todo::Unsubscribe(..), Err(_)) => return Ok(()),
            (_, reply) => reply.map_err(|refused| refused.condition_or(NO_ANSWER).to_owned())?,
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
                let is_locked = room.as_ref().is_some_and(|room| room.is_locked());
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

    /// The room is configured so: what of the wish is not so already is asked for next.
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

    /// Whoever may come in already needs not become a member to be invited; whoever is banned does not become one so.
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

    /// Checks the wish against the affiliations as they are.
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

    /// Does what comes next as far as no answer is awaited: tells others.
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

    /// Says who is to be out, and takes away their items: Prosody tells them by nothing else, and tells nobody who is
    /// not subscribed any more.
    fn put_out_of(&mut self, room: &mut Room, cx: &mut Cx<'_>) {
        let own = cx.account.bare();
        let (mut words, mut items) = (BTreeMap::new(), Vec::new());
        for (full, occupant) in room.occupants().iter() {
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

    /// What others are told of who is what now; of owners in any case, as their word counts.
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
            is_configured: matches!(self.wish, Wish::Configure(_)) && !room.is_locked(),
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

    /// Ends the subscriptions of those who are to be out, then looks again.
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
