//! A room's messages, live and from the history, and its subject (listings 16 and 17).

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};

use super::names::nick_of;
use super::occupants::Occupants;
use super::payload::{is_for_room_to_say, is_subject, may_stay};
use super::{Item, MESSAGE};
use crate::jid;
use crate::ns;
use crate::pubsub;
use crate::translate::Cx;
use crate::translate::shown::{Shown, delay, stamp, unix_of};
use crate::wire::{Dropped, Leg};
use crate::xml::{Element, Namespaces, escape, rewrite_standalone};

/// Ids of messages that are remembered.
const MOST_SEEN: usize = 300;
/// Subjects that may be among the messages of the history that a client is shown.
const MOST_SUBJECTS: usize = 10;
/// Bytes that are kept until the client is in.
const MOST_KEPT: usize = 4 * 1024 * 1024;
/// Seconds that a subject's time may be ahead of our clock.
const MOST_AHEAD: i64 = 600;

/// A room's messages in one session.
pub(super) struct Talk {
    wanted: Wanted,
    /// Messages of the history.
    before: Vec<Line>,
    /// Live messages until the client is in.
    meanwhile: Vec<Line>,
    /// The bytes of both.
    kept: usize,
    /// The newest subject, and when it was set.
    subject: Option<(i64, Line)>,
    /// Items that were shown.
    seen: Shown,
}

/// The part of the history that the client wants (XEP-0045 §7.2.14).
#[derive(Clone, Copy)]
struct Wanted {
    stanzas: usize,
    chars: usize,
    /// In seconds since 1970.
    since: i64,
}

/// A message in an item of the node.
struct Post<'a> {
    message: Element<'a>,
    /// The publisher: a full JID if the service names the resource.
    author: Cow<'a, str>,
    item: Cow<'a, str>,
}

/// A message that is kept.
#[derive(Clone)]
struct Line {
    author: Box<str>,
    item: Box<str>,
    payload: Bytes,
    stamp: Option<i64>,
    is_subject: bool,
}

/// A message of the client's, as it is published.
pub(super) struct Said {
    pub(super) item: String,
    pub(super) payload: Bytes,
    pub(super) is_subject: bool,
}

impl Talk {
    /// Messages of the history that a client is shown at most.
    pub(super) const MOST: usize = 50;

    /// `muc`: the join's `<x/>`, with the history the client wants; `now` in seconds since 1970.
    pub(super) fn new(muc: Option<&Element<'_>>, now: i64) -> Self {
        Self {
            wanted: Wanted::of(muc, now),
            before: Vec::new(),
            meanwhile: Vec::new(),
            kept: 0,
            subject: None,
            seen: Shown::new(MOST_SEEN),
        }
    }

    /// Notes the history that a repeated join wants.
    pub(super) fn want(&mut self, muc: &Element<'_>, now: i64) {
        self.wanted = Wanted::of(Some(muc), now);
    }

    /// The number of messages that are to be fetched.
    pub(super) fn wants(&self) -> Option<usize> {
        let most = self.wanted.stanzas;
        (most > 0 && self.wanted.chars > 0).then_some(Self::MOST.min(most + MOST_SUBJECTS))
    }

    /// The client's message to everybody, as it is to be published.
    pub(super) fn said(
        &self,
        message: &Element<'_>,
        room: &str,
        nick: &str,
        cx: &mut Cx<'_>,
    ) -> Said {
        let is_subject = is_subject(message);
        let from = format!("{room}/{nick}");
        let changes = [
            ("from", Some(&*from)),
            ("to", None),
            ("type", Some("groupchat")),
        ];
        let now = cx.wire.unix_time();
        // A client whose clock is behind sets a newer subject all the same.
        let newest = self.subject.as_ref().filter(|_| is_subject);
        let said_at = newest.map_or(now, |(newest, _)| now.max(newest.saturating_add(1)));
        let delay = delay(said_at);
        let may_stay = |child: &Element<'_>| {
            let is_empty_body = is_subject && child.local() == "body";
            !is_for_room_to_say(child) && !is_empty_body
        };
        let mut out = BytesMut::with_capacity(message.raw().len() + 256);
        rewrite_standalone(&mut out, message, &changes, may_stay, &delay);
        Said {
            item: cx.wire.fresh_id().to_string(),
            payload: out.freeze(),
            is_subject,
        }
    }

    /// Takes over a message on the node, and shows a live one (`is_live`) if the client is in. `false`: its event has
    /// come before.
    pub(super) fn note(
        &mut self,
        item: Item<'_>,
        is_live: bool,
        is_in: bool,
        room: &str,
        occupants: &mut Occupants,
        cx: &mut Cx<'_>,
    ) -> Result<bool, Dropped> {
        let post = Post::read(item)?;
        if !is_live {
            // The message's event has overtaken the answer, which holds it in its place.
            let meanwhile = self.meanwhile.len();
            let is_it = |it: &Line| *it.item == *post.item && !it.item.is_empty();
            self.meanwhile.retain(|it| !is_it(it));
            if self.meanwhile.len() < meanwhile {
                self.before.push(post.keep(room));
                return Ok(false);
            }
        }
        if !self.seen.is_new(&post.item) {
            return Err(Dropped::Seen);
        }
        if is_live && is_in {
            post.show(true, room, occupants, cx);
        } else {
            let lines = match is_live {
                true => &mut self.meanwhile,
                false => &mut self.before,
            };
            let line = post.keep(room);
            if lines.len() >= MOST_SEEN || self.kept + line.payload.len() > MOST_KEPT {
                return Err(Dropped::Overflow);
            }
            self.kept += line.payload.len();
            lines.push(line);
        }
        if is_live {
            occupants.hear_author(&post.author, || post.said_as(), cx.wire.now);
        }
        Ok(true)
    }

    /// Takes over an item that holds a subject: the newest one counts.
    pub(super) fn note_subject(&mut self, item: Item<'_>, room: &str, now: i64) {
        let Ok(line) = Post::read(item).map(|post| post.keep(room)) else {
            return;
        };
        let is_own = item.id.strip_prefix("subject/") == Some(jid::bare(&line.author));
        let stamp = line.stamp.filter(|stamp| *stamp <= now + MOST_AHEAD);
        let before = self.subject.as_ref().map(|(stamp, _)| *stamp);
        if let Some(stamp) = stamp.filter(|_| is_own && line.is_subject)
            && before.is_none_or(|before| before < stamp)
        {
            // All subjects of an account have one item id, so it identifies no message.
            let item = Box::default();
            self.subject = Some((stamp, Line { item, ..line }));
        }
    }

    /// Takes over a newer subject among the messages: the item of the occupant who set it may be gone with his session.
    fn find_subject(&mut self, lines: &[Line], now: i64) {
        // A subject as listing 16 prints it has no time.
        let stamp = |line: &Line| line.stamp.unwrap_or(i64::MIN);
        let mut newest = lines.iter().rev();
        let newest = newest.find(|line| line.is_subject && stamp(line) <= now + MOST_AHEAD);
        let before = self.subject.as_ref().map(|(stamp, _)| *stamp);
        if let Some(line) = newest
            && before.is_none_or(|before| before < stamp(line))
        {
            self.subject = Some((stamp(line), line.clone()));
        }
    }

    /// Shows the client, which is in now, the history it wants, the subject, and the messages that came meanwhile.
    pub(super) fn show_history(&mut self, room: &str, occupants: &Occupants, cx: &mut Cx<'_>) {
        let mut lines = std::mem::take(&mut self.before);
        self.find_subject(&lines, cx.wire.unix_time());
        lines.retain(|line| !line.is_subject);
        lines.retain(|line| line.stamp.is_none_or(|stamp| stamp >= self.wanted.since));
        let mut chars = 0;
        let few = lines.iter().rev().take(self.wanted.stanzas);
        let few = few.take_while(|line| {
            chars += line.payload.len();
            chars <= self.wanted.chars
        });
        let skipped = lines.len() - few.count();
        for line in lines.iter().skip(skipped) {
            line.show(false, room, occupants, cx);
        }
        match &self.subject {
            Some((_, subject)) => subject.show(false, room, occupants, cx),
            None => {
                let (from, to) = (escape(room), escape(cx.account.jid()));
                let empty = format!(
                    "<message type='groupchat' from='{from}' to='{to}'><subject/></message>"
                );
                cx.wire.copy(Leg::Client, empty.as_bytes());
            }
        }
        for line in std::mem::take(&mut self.meanwhile) {
            line.show(true, room, occupants, cx);
        }
    }
}

impl Wanted {
    fn of(muc: Option<&Element<'_>>, now: i64) -> Self {
        let mut wanted = Self {
            stanzas: Talk::MOST,
            chars: usize::MAX,
            since: i64::MIN,
        };
        let Some(muc) = muc else { return wanted };
        let Some(history) = muc.child(ns::MUC, "history") else {
            return wanted;
        };
        let number = |name| history.attribute(name)?.trim().parse::<u32>().ok();
        let most = |name, most: usize| {
            number(name).map_or(most, |it| most.min(usize::try_from(it).unwrap_or(most)))
        };
        wanted.stanzas = most("maxstanzas", wanted.stanzas);
        wanted.chars = most("maxchars", wanted.chars);
        if let Some(seconds) = number("seconds") {
            wanted.since = now - i64::from(seconds);
        }
        if let Some(since) = history.attribute("since").and_then(|it| unix_of(&it)) {
            wanted.since = wanted.since.max(since);
        }
        wanted
    }
}

impl<'a> Post<'a> {
    /// Reads a message as pubshim writes it, or as listing 17 prints it: without `from`, `type` and `id`.
    fn read(
        Item {
            element,
            id,
            author,
        }: Item<'a>,
    ) -> Result<Self, Dropped> {
        let message = pubsub::payload(element, "message").ok_or(Dropped::WrongPayload)?;
        if !matches!(
            message.attribute("type").as_deref(),
            None | Some("groupchat")
        ) {
            return Err(Dropped::WrongType);
        }
        // Elements that only a room may add are no message.
        if message.children().all(|child| is_for_room_to_say(&child)) {
            return Err(Dropped::WrongPayload);
        }
        Ok(Self {
            message,
            author: author.ok_or(Dropped::ForeignFrom)?.into(),
            item: id.into(),
        })
    }

    /// The author's nick, by the message itself.
    fn said_as(&self) -> Option<Box<str>> {
        let from = self.message.attribute("from")?;
        jid::resource(&from).and_then(nick_of)
    }

    /// When the message was written, by its author's clock, in seconds since 1970.
    fn said_at(&self) -> Option<i64> {
        let delay = self.message.child(ns::DELAY, "delay")?;
        unix_of(&delay.attribute("stamp")?)
    }

    /// A copy of the message, to be shown later.
    fn keep(&self, room: &str) -> Line {
        let mut payload = BytesMut::with_capacity(self.message.raw().len());
        let may_stay = |child: &Element<'_>| may_stay(child, room);
        rewrite_standalone(&mut payload, &self.message, &[], may_stay, "");
        Line {
            author: (*self.author).into(),
            item: (*self.item).into(),
            payload: payload.freeze(),
            stamp: self.said_at(),
            is_subject: is_subject(&self.message),
        }
    }

    /// Writes the message to the client.
    fn show(&self, is_live: bool, room: &str, occupants: &Occupants, cx: &mut Cx<'_>) {
        let nick = match is_live {
            true => occupants.nick_of_author(&self.author, || self.said_as()),
            false => occupants.nick_before(&self.author, self.said_as()),
        };
        // Both texts are in one buffer, large enough not to grow.
        let mut text = String::with_capacity(256);
        let _ = write!(text, "{room}/{nick}");
        let from = text.len();
        if !self.item.is_empty() {
            let (by, item) = (escape(room), escape(&self.item));
            let _ = write!(
                text,
                "<stanza-id xmlns='{}' by='{by}' id='{item}'/>",
                ns::SID
            );
        }
        // Clients recognise messages of the history by the room's own delay (XEP-0045 §7.2.14).
        if let Some(said_at) = (!is_live).then(|| self.said_at()).flatten() {
            let _ = write!(
                text,
                "<delay xmlns='{}' from='{}' stamp='{}'/>",
                ns::DELAY,
                escape(room),
                stamp(said_at)
            );
        }
        let (from, more) = text.split_at(from);
        let changes = [
            ("from", Some(from)),
            ("to", Some(cx.account.jid())),
            ("type", Some("groupchat")),
        ];
        let may_stay =
            |child: &Element<'_>| may_stay(child, room) && child.namespace() != ns::DELAY;
        cx.wire.apply(&MESSAGE);
        cx.wire.stanza(Leg::Client, |out| {
            rewrite_standalone(out, &self.message, &changes, may_stay, more);
        });
    }
}

impl Line {
    fn show(&self, is_live: bool, room: &str, occupants: &Occupants, cx: &mut Cx<'_>) {
        let namespaces = Namespaces::none();
        if let Some(message) = Element::of_frame(&self.payload, &namespaces) {
            let post = Post {
                message,
                author: Cow::Borrowed(&self.author),
                item: Cow::Borrowed(&self.item),
            };
            post.show(is_live, room, occupants, cx);
        }
    }
}
