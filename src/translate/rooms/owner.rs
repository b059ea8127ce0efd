//! What owners ask of a room beside talk: who may do what, kicks and bans, its configuration, its end (XEP-0045 §9,
//! §10). Each is several requests to the service, one after the other; the client is answered behind the last one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{BufMut as _, BytesMut};

use super::affiliations::{Affiliation, Affiliations};
use super::room::{NO_ANSWER, Part, Room, node};
use super::{Ask, Rooms};
use crate::jid;
use crate::ns;
use crate::pubsub::{answer, form, request};
use crate::translate::Cx;
use crate::wire::{Reply, Rule, error_type};
use crate::xml::{Element, escape};

const OWNER: Rule = Rule::new(
    "room-owner",
    "",
    "what an owner wants of a room is asked of the service, for both of its nodes",
);

/// The field of a room's configuration that says whether members alone may come in (XEP-0045 §10.2).
const MEMBERS_ONLY: &str = "muc#roomconfig_membersonly";
/// The one that names it.
const ROOM_NAME: &str = "muc#roomconfig_roomname";
/// A client may change so many affiliations at once.
const MOST_CHANGES: usize = 256;
/// So many subscriptions are ended because of one request, and each list of them is looked through so often: somebody
/// may subscribe while others are put out.
const MOST_PUT_OUT: usize = 4096;
const MOST_LOOKS: u8 = 6;
/// What an owner says of why a room ends may have so many bytes.
const MOST_DESTROY: usize = 4096;

/// A request of an owner's.
#[derive(Debug)]
pub(crate) struct Job {
    room: Box<str>,
    /// Of the client's IQ.
    id: Box<str>,
    wish: Wish,
    /// What is still to be asked of the service; the answer to the first is awaited.
    todo: VecDeque<Todo>,
    /// As the service has told them.
    affiliations: Affiliations,
    looks: u8,
    put_out: usize,
}

#[derive(Debug)]
enum Wish {
    /// To see who has this affiliation.
    List(Affiliation),
    /// To give these accounts another one; `closed`: members alone may be in the room.
    Change {
        changes: BTreeMap<Box<str>, Affiliation>,
        closed: bool,
    },
    /// To put these accounts out.
    Kick(BTreeSet<Box<str>>),
    /// To see the form.
    Form,
    /// `is_new`: nodes are to be configured for it.
    Configure {
        closes: bool,
        title: Option<Box<str>>,
        is_new: bool,
    },
    /// To end it.
    Destroy,
}

#[derive(Debug)]
enum Todo {
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
    /// An item, and a message that says why the room ends.
    Announce(Box<str>, String),
    Delete(Part),
}

/// Both nodes; whoever is put out hears of it on the first one.
const BOTH: [Part; 2] = [Part::Occupants, Part::Talk];

impl Rooms {
    /// An owner's question about affiliations and roles, or his change of them (XEP-0045 §8, §9).
    pub(super) fn ask_admin(
        &mut self,
        bare: &str,
        is_get: bool,
        iq: &Element<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(room) = self.rooms.get(bare).filter(|room| room.is_owner()) else {
            return cx.wire.refuse(iq, "auth", "forbidden");
        };
        let Some(query) = iq.children().next() else {
            return cx.wire.refuse(iq, "modify", "bad-request");
        };
        let wish = match is_get {
            true => list_wish(&query, room, iq, cx),
            false => change_wish(&query, room, cx.account.bare()).map(Some),
        };
        match wish {
            Ok(Some(wish)) => self.begin(bare, wish, iq, cx),
            // It was answered.
            Ok(None) => {}
            Err(condition) => cx.wire.refuse(iq, error_type(condition), condition),
        }
    }

    /// An owner's question for the form of his room, his answer to it, or his wish that it ends (XEP-0045 §10).
    pub(super) fn ask_owner(
        &mut self,
        bare: &str,
        is_get: bool,
        iq: &Element<'_>,
        cx: &mut Cx<'_>,
    ) {
        let Some(room) = self.rooms.get(bare).filter(|room| room.is_owner()) else {
            return cx.wire.refuse(iq, "auth", "forbidden");
        };
        if is_get {
            return self.begin(bare, Wish::Form, iq, cx);
        }
        let query = iq.child(ns::MUC_OWNER, "query");
        let Some(query) = query else {
            return cx.wire.refuse(iq, "modify", "bad-request");
        };
        if let Some(destroy) = query.child(ns::MUC_OWNER, "destroy") {
            return self.destroy(bare, &destroy, iq, cx);
        }
        let form = query.child(ns::DATA, "x");
        let kind = form.as_ref().and_then(|form| form.attribute("type"));
        match (form.as_ref(), kind.as_deref()) {
            (Some(form), Some("submit")) => {
                // A form that does not say leaves it as it is.
                let closes = form::value(form, MEMBERS_ONLY)
                    .map_or(room.is_closed(), |it| matches!(it.trim(), "1" | "true"));
                let title = form::value(form, ROOM_NAME);
                let title = title.filter(|title| *title != room.title());
                let is_as_now = match closes {
                    true => !room.is_open(),
                    false => room.is_open() && !room.is_locked(),
                };
                let wish = Wish::Configure {
                    closes,
                    is_new: !is_as_now || title.is_some(),
                    title: title.map(|it| it.into()),
                };
                self.begin(bare, wish, iq, cx);
            }
            // A new room whose creator does not want it after all (§10.1.3).
            (Some(_), Some("cancel")) if room.is_locked() => {
                self.begin(bare, Wish::Destroy, iq, cx);
            }
            (Some(_), Some("cancel")) => {
                let id = iq.attribute("id").unwrap_or_default();
                cx.wire.show_answer(&id, bare, cx.account.jid(), |_| {});
            }
            _ => cx.wire.refuse(iq, "modify", "bad-request"),
        }
    }

    fn destroy(&mut self, bare: &str, destroy: &Element<'_>, iq: &Element<'_>, cx: &mut Cx<'_>) {
        let Some(room) = self.rooms.get(bare) else {
            return;
        };
        let said = said_of_end(destroy);
        if said.len() > MOST_DESTROY {
            return cx.wire.refuse(iq, "modify", "not-acceptable");
        }
        let item = cx.wire.fresh_id().to_string().into();
        let (from, xmlns) = (format!("{bare}/{}", room.nick()), ns::MUC_USER);
        let announcement = format!(
            "<message xmlns='{}' from='{}' type='groupchat'><x xmlns='{xmlns}'>{said}</x></message>",
            ns::CLIENT,
            escape(&from),
        );
        self.begin_with(
            bare,
            Wish::Destroy,
            [Todo::Announce(item, announcement)],
            iq,
            cx,
        );
    }

    fn begin(&mut self, bare: &str, wish: Wish, iq: &Element<'_>, cx: &mut Cx<'_>) {
        self.begin_with(bare, wish, [], iq, cx);
    }

    fn begin_with(
        &mut self,
        bare: &str,
        wish: Wish,
        first: impl IntoIterator<Item = Todo>,
        iq: &Element<'_>,
        cx: &mut Cx<'_>,
    ) {
        cx.wire.apply(&OWNER);
        let was_open = self.rooms.get(bare).is_some_and(Room::is_open);
        let job = Job {
            room: bare.into(),
            id: iq.attribute("id").unwrap_or_default().into(),
            todo: first.into_iter().chain(wish.todo(was_open)).collect(),
            wish,
            affiliations: Affiliations::default(),
            looks: 0,
            put_out: 0,
        };
        self.go_on_with(job.into(), cx);
    }

    /// Sends the next request of a job; behind the last one it is done.
    fn go_on_with(&mut self, job: Box<Job>, cx: &mut Cx<'_>) {
        let Some(next) = job.todo.front() else {
            return self.finish_job(*job, cx);
        };
        let mut body = BytesMut::new();
        let kind = job.write(next, &mut body);
        let (room, id) = (job.room.clone(), job.id.clone());
        let is_sent = cx
            .wire
            .request(kind, Some(jid::domain(&room)), Ask::Owner(job), |out| {
                out.put_slice(&body);
            });
        if !is_sent {
            refuse(&room, &id, "resource-constraint", cx);
        }
    }

    /// Goes on with the answer to a job's request.
    pub(super) fn handle_job(&mut self, mut job: Box<Job>, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let Some(done) = job.todo.pop_front() else {
            return;
        };
        let room = self.rooms.get_mut(&*job.room);
        match job.take(done, reply, room, cx) {
            Ok(()) => self.go_on_with(job, cx),
            Err(condition) => {
                refuse(&job.room, &job.id, &condition, cx);
                self.note_refused(&job.room, &condition, cx);
            }
        }
    }

    /// Another owner may have taken the client's ownership away.
    fn note_refused(&mut self, bare: &str, condition: &str, cx: &mut Cx<'_>) {
        let room = self.rooms.get_mut(bare);
        if let Some(room) = room.filter(|room| condition == "forbidden" && room.is_owner()) {
            let own = cx.account.bare().to_owned();
            room.show_affiliation(&own, Affiliation::None, cx);
        }
    }

    fn finish_job(&mut self, job: Job, cx: &mut Cx<'_>) {
        let Job { room: bare, id, .. } = &job;
        let own = cx.account.jid();
        match &job.wish {
            Wish::List(affiliation) => {
                let list = list_of(job.affiliations.with(*affiliation), *affiliation);
                cx.wire
                    .show_answer(id, bare, own, |out| out.put_slice(list.as_bytes()));
                return;
            }
            // It was answered by what came.
            Wish::Form => return,
            Wish::Change { .. } | Wish::Kick(_) | Wish::Configure { .. } | Wish::Destroy => {
                cx.wire.show_answer(id, bare, own, |_| {});
            }
        }
        let Some(room) = self.rooms.get_mut(&**bare) else {
            return;
        };
        match job.wish {
            Wish::Change { changes, .. } => {
                for (account, affiliation) in changes {
                    room.show_affiliation(&account, affiliation, cx);
                }
            }
            Wish::Configure { closes, title, .. } => room.note_configured(closes, title, cx),
            _ => {}
        }
    }
}

impl Wish {
    /// What it takes; `was_open`: whoever is in the room came in without being a member.
    fn todo(&self, was_open: bool) -> VecDeque<Todo> {
        let look = BOTH.map(Todo::Subscriptions);
        let mut todo = VecDeque::new();
        match self {
            Self::List(_) => todo.push_back(Todo::Affiliations),
            Self::Form => todo.push_back(Todo::Configuration),
            Self::Kick(_) => {
                todo.push_back(Todo::Affiliations);
                todo.extend(look);
            }
            Self::Change { changes, closed } => {
                todo.push_back(Todo::Affiliations);
                let puts_out = changes.values().any(|it| is_out(*it, *closed));
                // Whoever is subscribed goes on to hear and to speak, whatever else he may do: he is put out first, and
                // looked for once more when he cannot come back.
                if puts_out {
                    todo.extend(BOTH.map(Todo::Subscriptions));
                }
                for affiliation in [
                    Affiliation::Owner,
                    Affiliation::Member,
                    Affiliation::None,
                    Affiliation::Outcast,
                ] {
                    if changes.values().any(|it| *it == affiliation) {
                        todo.extend(BOTH.map(|part| Todo::Affiliate(part, affiliation)));
                    }
                }
                if puts_out {
                    todo.extend(look);
                }
                todo.push_back(Todo::Verify);
            }
            Self::Configure { is_new: false, .. } => {}
            Self::Configure { closes, .. } => {
                // Prosody ends subscriptions by itself then, and tells nobody: who has to go is told before.
                let puts_out = *closes && was_open;
                todo.extend(puts_out.then_some(Todo::Affiliations));
                todo.extend(BOTH.map(Todo::Configure));
                todo.extend(look.into_iter().filter(|_| puts_out));
            }
            Self::Destroy => todo.extend([Part::Talk, Part::Occupants].map(Todo::Delete)),
        }
        todo
    }
}

/// Whether an account with this affiliation may not be in a room; `closed`: members alone may.
fn is_out(affiliation: Affiliation, closed: bool) -> bool {
    affiliation == Affiliation::Outcast || closed && affiliation == Affiliation::None
}

impl Job {
    /// Writes a request; whether it is a `get` or a `set`.
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
            Todo::Announce(item, message) => {
                let payload = |out: &mut BytesMut| out.put_slice(message.as_bytes());
                request::publish(out, &node(&Part::Talk), item, None, payload);
            }
            Todo::Delete(part) => request::delete(out, &node(part)),
        }
        "set"
    }

    fn write_configuration(&self, part: Part, out: &mut BytesMut) {
        let Wish::Configure { closes, title, .. } = &self.wish else {
            return;
        };
        let access = if *closes { "whitelist" } else { "open" };
        let mut fields = vec![("pubsub#access_model", access)];
        let title = title.as_deref().filter(|_| part == Part::Talk);
        fields.extend(title.map(|title| ("pubsub#title", title)));
        request::configure(out, &node(&self.room, part), &fields);
    }

    /// Takes an answer; the condition of the error that the client is shown if it is of no use.
    fn take(
        &mut self,
        done: Todo,
        reply: Reply<'_>,
        room: Option<&mut Room>,
        cx: &mut Cx<'_>,
    ) -> Result<(), String> {
        let answer = match (&done, reply) {
            // It is looked again whether they are still there.
            (Todo::Unsubscribe(..), Err(_)) => return Ok(()),
            (_, reply) => reply.map_err(|refused| refused.condition_or(NO_ANSWER).to_owned())?,
        };
        match done {
            Todo::Affiliations => {
                let list = answer::affiliations(answer).ok_or(NO_ANSWER)?;
                self.affiliations = Affiliations::of_list(list);
                self.check(cx.account.bare())?;
                if self.wish.resigns(cx.account.bare()) {
                    // Who is no owner any more is not told.
                    let last = |it: &Todo| matches!(it, Todo::Affiliate(..));
                    let end = self.todo.iter().rposition(last).map_or(0, |it| it + 1);
                    self.todo.truncate(end);
                }
                if let Some(room) = room {
                    room.note_affiliations(self.affiliations.clone());
                    self.show_out(room, cx);
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
                self.unsubscribe(part, list, cx.account.bare())?;
            }
            Todo::Configuration => {
                let read = |form: &Element<'_>| {
                    let title = form::value(form, "pubsub#title").unwrap_or_default();
                    let access = form::value(form, "pubsub#access_model").unwrap_or_default();
                    let is_locked = room.is_some_and(|room| room.is_locked());
                    owner_form(&title, access != "open" && !is_locked)
                };
                let form = answer::with_configuration(answer, read).ok_or(NO_ANSWER)?;
                cx.wire
                    .show_answer(&self.id, &self.room, cx.account.jid(), |out| {
                        out.put_slice(form.as_bytes());
                    });
            }
            Todo::Affiliate(..)
            | Todo::Unsubscribe(..)
            | Todo::Configure(_)
            | Todo::Announce(..)
            | Todo::Delete(_) => {}
        }
        Ok(())
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
            Wish::Change { changes, closed } => {
                let affiliation = *changes.get(account)?;
                is_out(affiliation, *closed).then_some(match affiliation {
                    Affiliation::Outcast => "301",
                    _ => "321",
                })
            }
            Wish::Configure { .. } => (!self.affiliations.lets_in(account)).then_some("322"),
            Wish::List(_) | Wish::Form | Wish::Destroy => None,
        }
    }

    /// Takes away the items of those who are to be out: Prosody tells them by nothing else, and tells nobody who is not
    /// subscribed any more.
    fn show_out(&self, room: &mut Room, cx: &mut Cx<'_>) {
        let own = cx.account.bare();
        let occupants = room.occupants().iter();
        let out = occupants.filter_map(|(full, occupant)| {
            let status = self.puts_out(jid::bare(full), own)?;
            Some((occupant.item.clone(), status))
        });
        let out: Vec<_> = out.collect();
        if let Some(changes) = self.wish.changes() {
            let outcasts = changes
                .iter()
                .filter(|(_, it)| **it == Affiliation::Outcast);
            outcasts.for_each(|(account, it)| room.set_affiliation(account, *it));
        }
        for (item, status) in out {
            room.put_out(item, status, cx);
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

impl Wish {
    /// Whether the client's account is to be an owner no more.
    fn resigns(&self, own: &str) -> bool {
        let changes = self.changes();
        changes.is_some_and(|it| it.get(own).is_some_and(|it| *it != Affiliation::Owner))
    }

    fn changes(&self) -> Option<&BTreeMap<Box<str>, Affiliation>> {
        match self {
            Self::Change { changes, .. } => Some(changes),
            _ => None,
        }
    }
}

/// Tells the client that nothing came of its request.
fn refuse(room: &str, id: &str, condition: &str, cx: &mut Cx<'_>) {
    let attributes = [
        ("from", Some(room)),
        ("to", Some(cx.account.jid())),
        ("id", Some(id)),
    ];
    cx.wire
        .show_error("iq", &attributes, error_type(condition), condition);
}

/// What an owner wants to see (XEP-0045 §9.5, §9.8); roles are known, and shown at once.
fn list_wish(
    query: &Element<'_>,
    room: &Room,
    iq: &Element<'_>,
    cx: &mut Cx<'_>,
) -> Result<Option<Wish>, &'static str> {
    let item = query.child(ns::MUC_ADMIN, "item").ok_or("bad-request")?;
    if let Some(word) = item.attribute("affiliation") {
        if let Some(affiliation) = Affiliation::of_client(&word) {
            return Ok(Some(Wish::List(affiliation)));
        }
    } else if item.attribute("role").is_none() {
        return Err("bad-request");
    }
    // There are no admins, and none without a voice.
    let role = item.attribute("role").unwrap_or_default();
    let mut list = format!("<query xmlns='{}'>", ns::MUC_ADMIN);
    for (full, occupant) in room.occupants().iter() {
        let affiliation = room.affiliation(full);
        let has_role = match &*role {
            "moderator" => affiliation == Affiliation::Owner,
            "participant" => affiliation != Affiliation::Owner,
            _ => false,
        };
        if has_role {
            list += &format!(
                "<item affiliation='{}' role='{role}' nick='{}' jid='{}'/>",
                affiliation.word(),
                escape(&occupant.nick),
                escape(full)
            );
        }
    }
    list += "</query>";
    let (id, bare) = (iq.attribute("id").unwrap_or_default(), room.bare());
    cx.wire.show_answer(&id, bare, cx.account.jid(), |out| {
        out.put_slice(list.as_bytes());
    });
    Ok(None)
}

/// What an owner wants to change: affiliations by address or nick, or to put occupants out by nick.
fn change_wish(query: &Element<'_>, room: &Room, own: &str) -> Result<Wish, &'static str> {
    let (mut changes, mut kicked) = (BTreeMap::new(), BTreeSet::new());
    for (count, item) in query.children().enumerate() {
        if !item.is(ns::MUC_ADMIN, "item") || count >= MOST_CHANGES {
            return Err("bad-request");
        }
        let account = match (item.attribute("jid"), item.attribute("nick")) {
            (Some(jid), _) => jid::prepare(jid::bare(&jid))
                .ok_or("jid-malformed")?
                .into_owned(),
            (None, Some(nick)) => {
                let full = room.occupants().of_nick(&nick).ok_or("item-not-found")?;
                jid::bare(full).to_owned()
            }
            (None, None) => return Err("bad-request"),
        };
        match (item.attribute("affiliation"), item.attribute("role")) {
            (Some(word), _) => {
                let affiliation = Affiliation::of_client(&word).ok_or("not-allowed")?;
                if account == own && affiliation == Affiliation::Outcast {
                    return Err("conflict");
                }
                changes.insert(account.into(), affiliation);
            }
            (None, Some(role)) if role == "none" && account != own => {
                kicked.insert(account.into());
            }
            // Everybody may speak, and owners are moderators.
            (None, Some(_)) => return Err("not-allowed"),
            (None, None) => return Err("bad-request"),
        }
    }
    match (changes.is_empty(), kicked.is_empty()) {
        (false, true) => Ok(Wish::Change {
            changes,
            closed: room.is_closed(),
        }),
        (true, false) => Ok(Wish::Kick(kicked)),
        _ => Err("bad-request"),
    }
}

/// The accounts with an affiliation, for the client.
fn list_of<'a>(accounts: impl Iterator<Item = &'a str>, affiliation: Affiliation) -> String {
    let mut list = format!("<query xmlns='{}'>", ns::MUC_ADMIN);
    for account in accounts {
        list += &format!(
            "<item affiliation='{}' jid='{}'/>",
            affiliation.word(),
            escape(account)
        );
    }
    list + "</query>"
}

/// Why a room ends and where it goes on, as others read it.
fn said_of_end(destroy: &Element<'_>) -> String {
    let mut said = String::from("<destroy");
    if let Some(jid) = destroy.attribute("jid") {
        said += &format!(" jid='{}'", escape(&jid));
    }
    said += ">";
    if let Some(reason) = destroy.child(ns::MUC_OWNER, "reason") {
        said += &format!("<reason>{}</reason>", escape(&reason.text()));
    }
    said + "</destroy>"
}

/// What of a room its owner may change.
fn owner_form(title: &str, is_closed: bool) -> String {
    let (title, is_closed) = (escape(title), u8::from(is_closed));
    format!(
        "<query xmlns='{}'><x xmlns='{}' type='form'><title>A room on publish-subscribe</title>\
         <instructions>Everybody in it has to be behind pubshim.</instructions>\
         <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/muc#roomconfig</value></field>\
         <field var='{ROOM_NAME}' type='text-single' label='Name'><value>{title}</value></field>\
         <field var='{MEMBERS_ONLY}' type='boolean' label='Only members may come in'><value>{is_closed}</value></field>\
         </x></query>",
        ns::MUC_OWNER,
        ns::DATA
    )
}
