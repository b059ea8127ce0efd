//! What is said in a room: live, before, and its subject (listings 16 and 17).

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::names::nick_of;
use super::occupants::{Occupants, is_of_room};
use crate::jid;
use crate::ns;
use crate::translate::Cx;
use crate::wire::{Dropped, Leg};
use crate::xml::{Element, Namespaces, escape, rewrite, rewrite_standalone};

/// So many ids of messages are remembered.
const MOST_SEEN: usize = 300;
/// A subject may be so many seconds ahead of our clock.
const MOST_AHEAD: i64 = 600;

/// What one session knows of a room's talk.
pub(super) struct Talk {
    wanted: Wanted,
    /// What was said before the client asked for it.
    before: Vec<Line>,
    /// What has been said since, until the client is in.
    meanwhile: Vec<Line>,
    /// The newest subject, and when it was said.
    subject: Option<(i64, Line)>,
    /// Items that were shown, oldest first.
    seen: VecDeque<Box<str>>,
}

/// How much of what was said before the client wants (XEP-0045 §7.2.14).
#[derive(Clone, Copy)]
struct Wanted {
    stanzas: usize,
    chars: usize,
    /// In seconds since 1970.
    since: i64,
}

/// A message on the node.
#[derive(Clone)]
struct Line {
    /// Who has published it: a full JID where the service tells it.
    author: Box<str>,
    /// What he calls himself in it.
    nick: Option<Box<str>>,
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
    /// So many messages of before a client is shown at most.
    pub(super) const MOST: usize = 50;

    /// `muc`: what the client wants of history; `now` in seconds since 1970.
    pub(super) fn new(muc: Option<&Element<'_>>, now: i64) -> Self {
        Self {
            wanted: Wanted::of(muc, now),
            before: Vec::new(),
            meanwhile: Vec::new(),
            subject: None,
            seen: VecDeque::new(),
        }
    }

    /// How many messages of before are to be asked for.
    pub(super) fn wants(&self) -> Option<usize> {
        let most = self.wanted.stanzas;
        (most > 0 && self.wanted.chars > 0).then_some(most)
    }

    /// A message of the client's to everybody, to be published; `None`: it is not.
    pub(super) fn said(
        &self,
        message: &Element<'_>,
        room: &str,
        nick: &str,
        cx: &mut Cx<'_>,
    ) -> Option<Said> {
        // A state alone would take a place on the node (XEP-0085 §5.5 leaves it out in rooms).
        let is_idle = |child: Element<'_>| {
            matches!(&*child.namespace(), ns::CHAT_STATES | ns::HINTS) || child.local() == "thread"
        };
        if message.children().all(is_idle) {
            return None;
        }
        let is_subject = is_subject(message);
        let from = format!("{room}/{nick}");
        let changes = [
            ("from", Some(&*from)),
            ("to", None),
            ("type", Some("groupchat")),
        ];
        let mut now = cx.wire.unix_time();
        if let Some((before, _)) = self.subject.as_ref().filter(|_| is_subject) {
            // The newest counts for whoever comes later; a time has no parts of a second.
            now = now.max(before + 1);
        }
        let delay = format!("<delay xmlns='{}' stamp='{}'/>", ns::DELAY, stamp(now));
        let may_stay = |child: &Element<'_>| {
            let is_empty_body = is_subject && child.local() == "body";
            !is_of_room(child) && !is_empty_body && child.namespace() != ns::DELAY
        };
        let mut out = BytesMut::new();
        rewrite_standalone(&mut out, message, &changes, may_stay, &delay);
        Some(Said {
            item: cx.wire.fresh_id().to_string(),
            payload: out.freeze(),
            is_subject,
        })
    }

    /// Takes a message on the node, and shows it if it is new (`is_live`) and the client is in; its author.
    pub(super) fn note(
        &mut self,
        item: &Element<'_>,
        is_live: bool,
        is_in: bool,
        room: &str,
        occupants: &Occupants,
        cx: &mut Cx<'_>,
    ) -> Option<Box<str>> {
        let line = match Line::read(item, room) {
            Ok(line) => line,
            Err(reason) => {
                cx.wire.drop_event(reason);
                return None;
            }
        };
        if !is_live {
            // Its event has overtaken the answer that has it, too, and in its place.
            let meanwhile = self.meanwhile.len();
            self.meanwhile.retain(|it| it.item != line.item);
            if self.meanwhile.len() < meanwhile {
                self.before.push(line);
                return None;
            }
        }
        if self.seen.contains(&line.item) {
            cx.wire.drop_event(Dropped::Seen);
            return None;
        }
        self.seen.push_back(line.item.clone());
        if self.seen.len() > MOST_SEEN {
            self.seen.pop_front();
        }
        let author = line.author.clone();
        if is_live && is_in {
            line.show(true, room, occupants, cx);
            return Some(author);
        }
        let lines = if is_live {
            &mut self.meanwhile
        } else {
            &mut self.before
        };
        if lines.len() < MOST_SEEN {
            lines.push(line);
        }
        Some(author)
    }

    /// Takes an item that holds a subject: the newest one counts.
    pub(super) fn note_subject(&mut self, item: &Element<'_>, now: i64) {
        let id = item.attribute("id").unwrap_or_default();
        let Ok(line) = Line::read(item, "") else {
            return;
        };
        let is_own = id.strip_prefix("subject/") == Some(jid::bare(&line.author));
        let stamp = line.stamp.filter(|stamp| *stamp <= now + MOST_AHEAD);
        let before = self.subject.as_ref().map(|(stamp, _)| *stamp);
        if let Some(stamp) = stamp.filter(|_| is_own && line.is_subject)
            && before.is_none_or(|before| before < stamp)
        {
            self.subject = Some((stamp, line));
        }
    }

    /// The client is in: it is shown what was said before, as much as it wants, then the subject, then what came
    /// meanwhile.
    pub(super) fn show_history(&mut self, room: &str, occupants: &Occupants, cx: &mut Cx<'_>) {
        let mut lines = std::mem::take(&mut self.before);
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
                cx.wire
                    .stanza(Leg::Client, |out| out.extend_from_slice(empty.as_bytes()));
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

impl Line {
    fn read(item: &Element<'_>, room: &str) -> Result<Self, Dropped> {
        let mut payloads = item.children();
        let (Some(message), None) = (payloads.next(), payloads.next()) else {
            return Err(Dropped::WrongPayload);
        };
        if !message.is(ns::CLIENT, "message") {
            return Err(Dropped::WrongPayload);
        }
        if !matches!(
            message.attribute("type").as_deref(),
            None | Some("groupchat")
        ) {
            return Err(Dropped::WrongType);
        }
        let author = item.attribute("publisher").ok_or(Dropped::ForeignFrom)?;
        let from = message.attribute("from").unwrap_or_default();
        let stamp = message.child(ns::DELAY, "delay").and_then(|delay| {
            let stamp = delay.attribute("stamp")?;
            unix_of(&stamp)
        });
        let may_stay = |child: &Element<'_>| {
            let by = child.attribute("by");
            let is_id = child.is(ns::SID, "stanza-id") && by.as_deref() == Some(room);
            !is_of_room(child) && !is_id
        };
        let mut payload = BytesMut::new();
        rewrite_standalone(&mut payload, &message, &[], may_stay, "");
        Ok(Self {
            author: (*author).into(),
            nick: jid::resource(&from).and_then(nick_of),
            item: item.attribute("id").unwrap_or_default().into(),
            payload: payload.freeze(),
            stamp,
            is_subject: is_subject(&message),
        })
    }

    fn show(&self, is_live: bool, room: &str, occupants: &Occupants, cx: &mut Cx<'_>) {
        let namespaces = Namespaces::none();
        let Some(message) = Element::of_frame(&self.payload, &namespaces) else {
            return;
        };
        let nick = occupants.nick_of_author(&self.author, self.nick.as_deref());
        let from = format!("{room}/{nick}");
        let changes = [
            ("from", Some(&*from)),
            ("to", Some(cx.account.jid())),
            ("type", Some("groupchat")),
        ];
        let mut more = format!(
            "<stanza-id xmlns='{}' by='{}' id='{}'/>",
            ns::SID,
            escape(room),
            escape(&self.item)
        );
        // Clients know what was said before by the room's own word for when (XEP-0045 §7.2.14).
        if let Some(said_at) = self.stamp.filter(|_| !is_live) {
            more += &format!(
                "<delay xmlns='{}' from='{}' stamp='{}'/>",
                ns::DELAY,
                escape(room),
                stamp(said_at)
            );
        }
        let may_stay = |child: &Element<'_>| child.namespace() != ns::DELAY;
        cx.wire.stanza(Leg::Client, |out| {
            rewrite(out, &message, &changes, may_stay, &more);
        });
    }
}

/// Whether a message sets the subject: clients send it alone, or with an empty body.
fn is_subject(message: &Element<'_>) -> bool {
    let body = message.child(ns::CLIENT, "body");
    message.child(ns::CLIENT, "subject").is_some()
        && body.is_none_or(|body| body.inner().is_empty())
}

/// A time in seconds since 1970 as XEP-0082 writes it.
fn stamp(unix: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}

/// The same the other way.
fn unix_of(stamp: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(stamp.trim(), &Rfc3339).ok()?;
    Some(time.unix_timestamp())
}
