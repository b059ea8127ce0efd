//! Invitations through a room, and their refusals (XEP-0045 §7.8.2).
//!
//! The client's invitation goes to the invited account as a direct one (XEP-0249), which clients without a shim read,
//! too. An element of ours beside it makes a shim show it as the room's, so that the invited client can decline it.
//!
//! The inviter is the real sender of the message; no name inside the message counts.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::affiliations::Affiliation;
use super::names::node_of;
use super::owner::Wish;
use super::private::To;
use super::refuse::refuse;
use super::room::WHOM_IT_IS_FOR;
use super::{Rooms, private};
use crate::jid;
use crate::ns;
use crate::translate::held::Held;
use crate::translate::queue::push_newest;
use crate::translate::{Cx, Kind};
use crate::wire::{Dropped, Leg, Rule, StanzaError};
use crate::xml::{Element, escape, rewrite_standalone, standalone_child};

const INVITE: Rule = Rule::new(
    "room-invite",
    "",
    "an invitation goes to the invited account, in a form that clients without pubshim can read, too",
);
const INVITED: Rule = Rule::new(
    "room-invited",
    "",
    "an invitation that another pubshim has sent is shown as the room's",
);
const DECLINE: Rule = Rule::new(
    "room-decline",
    "",
    "the refusal of an invitation goes between the two accounts, and is shown as the room's",
);

/// Accounts that one message may invite.
const MOST_INVITED: usize = 16;
/// Invitations remembered in each direction, so that they can be declined.
const MOST_KNOWN: usize = 64;

/// The invitations of one session, the newest last: the room, and the other account.
#[derive(Default)]
pub(super) struct Invitations {
    /// By bare JIDs.
    sent: VecDeque<[Box<str>; 2]>,
    /// By full JIDs.
    received: VecDeque<[Box<str>; 2]>,
}

impl Rooms {
    /// Handles a message of the client's that invites accounts through a room. Only an owner invites to a room for
    /// members, and the invited account is made a member first (XEP-0045 §7.8.2, §9.3).
    pub(super) fn invite(&mut self, bare: &str, message: &Element<'_>, cx: &mut Cx<'_>) {
        let Some(room) = self.rooms.get(bare).filter(|room| room.is_joined()) else {
            return refuse(message, "not-acceptable", cx);
        };
        let invited = match invited(message) {
            Ok(invited) => invited,
            Err(condition) => return refuse(message, condition, cx),
        };
        if room.is_open() {
            return self.send_invitations(bare, message, cx);
        }
        if !room.is_owner {
            return refuse(message, "forbidden", cx);
        }
        if room.is_locked {
            // The owner may still give the new room up, with its guests in it.
            let error = StanzaError::from("not-allowed").saying(Some("accept the new room first"));
            return cx.wire.refuse(message, error);
        }
        let accounts = invited.iter().map(|to| jid::bare(to).into());
        let wish = Wish::Invite {
            message: Held::new(Kind::Message, message),
            changes: accounts.map(|it| (it, Affiliation::Member)).collect(),
        };
        self.begin(bare, wish, message, cx);
    }

    /// Sends the invitations in a message of the client's.
    pub(super) fn send_invitations(&mut self, bare: &str, message: &Element<'_>, cx: &mut Cx<'_>) {
        let (Some(x), Ok(invited)) = (message.child(ns::MUC_USER, "x"), invited(message)) else {
            return;
        };
        cx.wire.apply(&INVITE);
        let password = x.child(ns::MUC_USER, "password");
        let password = password.map_or_else(String::new, |it| standalone_child(&it));
        for (to, invite) in invited.iter().zip(invites_in(&x)) {
            let reason = reason_of(&invite);
            // An invited client without a shim cannot join the room: the reason tells its user why.
            let for_all = match &*reason {
                "" => format!("({WHOM_IT_IS_FOR})"),
                reason => format!("{reason} ({WHOM_IT_IS_FOR})"),
            };
            let mark = mark("invite", bare, &(said_in(&invite) + &password));
            let body = conference(bare, &for_all, [&invite, &x]) + &mark;
            let new = [bare, jid::bare(to)].map(Into::into);
            push_newest(&mut self.invitations.sent, new, MOST_KNOWN);
            self.tell(to, bare, message, body, cx);
        }
    }

    /// Sends `to` a message in the room's name. If it comes back as an error, the client is shown it as the room's.
    fn tell(&mut self, to: &str, room: &str, of: &Element<'_>, body: String, cx: &mut Cx<'_>) {
        let id = of.attribute("id").filter(|id| id.len() <= private::MOST_ID);
        let id = id.map_or_else(|| cx.wire.fresh_id().to_string(), Into::into);
        let to = To {
            full: to,
            occupant: room,
            id: &id,
            kind: "normal",
        };
        self.private.number_next();
        self.send(to, of, |_| false, body, cx);
    }

    /// Sends the inviter the client's refusal, if the message declines an invitation the client was shown; whether it
    /// does.
    pub(super) fn decline(&mut self, to: &str, message: &Element<'_>, cx: &mut Cx<'_>) -> bool {
        let Some(x) = message.child(ns::MUC_USER, "x") else {
            return false;
        };
        let Some(decline) = x.child(ns::MUC_USER, "decline") else {
            return false;
        };
        let (room, whom) = (jid::prepared(to), decline.attribute("to"));
        let whom = whom.as_deref().map_or("", jid::bare);
        let all = &mut self.invitations.received;
        let mut known = all.iter();
        let at = known.rposition(|[of, by]| **of == *room && jid::bare(by) == whom);
        let Some([room, by]) = at.and_then(|at| all.remove(at)) else {
            return false;
        };
        cx.wire.apply(&DECLINE);
        let body = mark("decline", &room, &said_in(&decline));
        self.tell(&by, &room, message, body, cx);
        true
    }

    /// Shows an invitation of `author`'s that his shim has sent; `mark` is its element of ours.
    pub(super) fn show_invitation(
        &mut self,
        author: &str,
        message: &Element<'_>,
        mark: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Dropped> {
        if !jid::is_account(jid::bare(author)) {
            return Err(Dropped::ForeignFrom);
        }
        let room = mark.attribute("room").ok_or(Dropped::WrongPayload)?;
        let is_one = jid::prepare(&room).as_deref() == Some(&*room)
            && jid::resource(&room).is_none()
            && node_of(&room).is_some();
        if !is_one {
            return Err(Dropped::WrongPayload);
        }
        // Only the author vouches for the room: its address must not be that of a person the client may know.
        let hosts = [jid::domain(author), jid::domain(cx.account.bare())];
        if hosts.contains(&jid::domain(&room)) || cx.account.people.get(&room).is_some() {
            return Err(Dropped::ForeignFrom);
        }
        let mut word = format!(
            "<invite from='{}'>{}</invite>",
            escape(author),
            said_in(mark)
        );
        let password = mark.child(ns::MUC_USER, "password");
        word.extend(password.map(|it| standalone_child(&it)));
        let more = user(&word) + &conference(&room, &reason_of(mark), [mark, mark]);
        cx.wire.apply(&INVITED);
        show_of_room(&room, message, &more, cx);
        let new = [&room, author].map(Into::into);
        push_newest(&mut self.invitations.received, new, MOST_KNOWN);
        Ok(())
    }

    /// Shows that `author` declines an invitation the client has sent him; `mark` is the element of ours.
    pub(super) fn show_decline(
        &mut self,
        author: &str,
        message: &Element<'_>,
        mark: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Dropped> {
        let room = mark.attribute("room").ok_or(Dropped::WrongPayload)?;
        let is_joined = self.rooms.get(&*room).is_some_and(|it| it.is_joined());
        if !is_joined {
            return Err(Dropped::NotSubscribed);
        }
        let all = &mut self.invitations.sent;
        let at = all
            .iter()
            .position(|[of, to]| **of == *room && **to == *jid::bare(author));
        at.and_then(|at| all.remove(at))
            .ok_or(Dropped::ForeignFrom)?;
        let word = format!(
            "<decline from='{}'>{}</decline>",
            escape(jid::bare(author)),
            said_in(mark)
        );
        cx.wire.apply(&DECLINE);
        show_of_room(&room, message, &user(&word), cx);
        Ok(())
    }
}

/// The accounts that a message of the client's invites, or the condition of the error.
fn invited(message: &Element<'_>) -> Result<Vec<String>, &'static str> {
    let x = message.child(ns::MUC_USER, "x").ok_or("bad-request")?;
    let invited = invites_in(&x).map(|invite| {
        let to = invite.attribute("to")?;
        let to = jid::prepare(&to).filter(|to| jid::is_account(jid::bare(to)))?;
        Some(to.into_owned())
    });
    let invited: Vec<_> = invited.take(MOST_INVITED + 1).collect();
    if invited.len() > MOST_INVITED {
        return Err("policy-violation");
    }
    let all: Option<_> = invited.into_iter().collect();
    all.ok_or("jid-malformed")
}

fn invites_in<'a>(x: &'a Element<'a>) -> impl Iterator<Item = Element<'a>> {
    x.children().filter(|it| it.is(ns::MUC_USER, "invite"))
}

/// Whether a message of the client's invites somebody.
pub(super) fn invites(message: &Element<'_>) -> bool {
    let x = message.child(ns::MUC_USER, "x");
    x.is_some_and(|x| x.child(ns::MUC_USER, "invite").is_some())
}

/// Shows a message as a room's. Of the message's own children only the servers' delays stay.
fn show_of_room(room: &str, message: &Element<'_>, more: &str, cx: &mut Cx<'_>) {
    let changes = [
        ("from", Some(room)),
        ("to", Some(cx.account.jid())),
        ("type", None),
    ];
    let may_stay = |child: &Element<'_>| {
        let from = child.attribute("from");
        child.namespace() == ns::DELAY && from.is_some_and(|it| jid::bare(&it) != room)
    };
    cx.wire.stanza(Leg::Client, |out| {
        rewrite_standalone(out, message, &changes, may_stay, more);
    });
}

/// The reason given in an invitation or a refusal.
fn reason_of(word: &Element<'_>) -> String {
    let mut children = word.children();
    let reason = children.find(|it| it.local() == "reason");
    reason.map_or_else(String::new, |it| it.text().into_owned())
}

/// The children of an invitation or a refusal, to be shown in the room's message; the password has its place beside it.
fn said_in(word: &Element<'_>) -> String {
    let said = word.children().map(|child| {
        // Earlier versions of pubshim write the reason in their own namespace.
        if child.is(ns::SHIM, "reason") {
            let (xmlns, reason) = (ns::MUC_USER, child.text());
            return format!("<reason xmlns='{xmlns}'>{}</reason>", escape(&reason));
        }
        match child.is(ns::MUC_USER, "password") {
            true => String::new(),
            false => standalone_child(&child),
        }
    });
    said.collect()
}

/// The element that other shims read.
fn mark(word: &str, room: &str, said: &str) -> String {
    let (xmlns, room) = (ns::SHIM, escape(room));
    format!("<{word} xmlns='{xmlns}' room='{room}'>{said}</{word}>")
}

/// The `<x/>` of a room's message.
fn user(word: &str) -> String {
    format!("<x xmlns='{}'>{word}</x>", ns::MUC_USER)
}

/// A direct invitation (XEP-0249): `invite` holds `<continue/>`, `x` the password.
fn conference(room: &str, reason: &str, [invite, x]: [&Element<'_>; 2]) -> String {
    let going_on = invite.child(ns::MUC_USER, "continue");
    let thread = going_on.as_ref().and_then(|it| it.attribute("thread"));
    let password = x.child(ns::MUC_USER, "password");
    let attributes = [
        ("jid", Some(room.into())),
        ("reason", (!reason.is_empty()).then(|| reason.into())),
        ("password", password.as_ref().map(Element::text)),
        ("continue", going_on.as_ref().map(|_| "true".into())),
        ("thread", thread),
    ];
    let mut direct = format!("<x xmlns='{}'", ns::CONFERENCE);
    for (name, value) in attributes {
        if let Some::<Cow<'_, str>>(value) = value {
            direct += &format!(" {name}='{}'", escape(&value));
        }
    }
    direct + "/>"
}
