//! What a room's two nodes tell, in events and in answers.

use std::cell::LazyCell;
use std::time::Duration;

use bytes::Bytes;

use super::show::{Shown, bare_presence};
use super::{Part, Room, State};
use crate::jid;
use crate::pubsub::{Event, What};
use crate::translate::Cx;
use crate::translate::rooms::Item;
use crate::translate::rooms::affiliations::Affiliation;
use crate::translate::rooms::notice::{Heard, Notice};
use crate::translate::rooms::occupants::{Change, Said};
use crate::wire::Dropped;
use crate::xml::Element;

/// So long after the own item was taken away it is published again: a kick comes in several steps.
const RESTORE: Duration = Duration::from_secs(2);
/// So often it is at most.
const RESTORE_AGAIN: Duration = Duration::from_secs(60);
/// So many others may come before the own item may be pushed out: Prosody keeps 256.
const MOST_SINCE: u16 = 128;
/// An event may have so many items; servers send one.
const MOST_ITEMS: usize = 256;
/// A list may have so many: those who have left are in it, too.
const MOST_LISTED: usize = 4096;
/// So many are remembered that events have told of during a join.
const MOST_OVERTAKEN: usize = 1024;
/// An item's id may have so many bytes.
const MOST_ID: usize = 1024;

/// What tells of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The answer to a join's question: it was there before.
    Answer,
    Event,
    /// The answer to a question about an event, which may leave out the payload.
    Fetch,
}

impl Room {
    /// An event on one of the two nodes; `false`: the client is out of the room by it.
    pub(crate) fn handle_event(
        &mut self,
        event: &Event<'_>,
        is_occupants: bool,
        cx: &mut Cx<'_>,
    ) -> bool {
        let part = match is_occupants {
            true => Part::Occupants,
            false => Part::Talk,
        };
        let says = |name, value| event.element.attribute(name).as_deref() == Some(value);
        match event.what {
            What::Items => self.handle_items(event.element, part, Source::Event, Some(event), cx),
            What::Subscription if says("jid", cx.account.jid()) && says("subscription", "none") => {
                self.handle_kick(part, cx)
            }
            What::Node if event.element.local() == "delete" => self.handle_delete(part, cx),
            What::Node if event.element.local() == "purge" && is_occupants => {
                self.handle_purge(cx);
                true
            }
            What::Subscription | What::Node => {
                cx.wire.drop_event(Dropped::Retracted);
                true
            }
        }
    }

    /// Items in an answer, or in an event, which says who has published those that do not say it themselves; `false`:
    /// the client is out of the room by it.
    pub(super) fn handle_items(
        &mut self,
        items: &Element<'_>,
        part: Part,
        source: Source,
        event: Option<&Event<'_>>,
        cx: &mut Cx<'_>,
    ) -> bool {
        let most = match source {
            Source::Event => MOST_ITEMS,
            Source::Answer | Source::Fetch => MOST_LISTED,
        };
        // Most services sign each item.
        let replyto = LazyCell::new(|| event.and_then(Event::replyto));
        let mut bare = Vec::new();
        for element in items.children().take(most) {
            let id = element.attribute("id").unwrap_or_default();
            let publisher = element.attribute("publisher");
            let author = publisher.as_deref().or_else(|| replyto.as_deref());
            let item = Item {
                element: &element,
                id: &id,
                author: author.filter(|it| !it.is_empty()),
            };
            if part == Part::Occupants && source == Source::Event {
                self.note_overtaken(&id);
            }
            let noted = match (part, item.element.local()) {
                _ if id.len() > MOST_ID => Err(Dropped::Overflow),
                (Part::Occupants, _) if source == Source::Answer && self.is_overtaken(&id) => {
                    Ok(true)
                }
                (Part::Talk, "item") => self.handle_message(item, source, cx),
                (Part::Occupants, "item") if id.starts_with("subject/") => {
                    self.talk
                        .note_subject(item, &self.bare, cx.wire.unix_time());
                    Ok(true)
                }
                (Part::Occupants, "item")
                    if item.author.is_none()
                        && self.state == State::TakingNick
                        && *id == *self.item =>
                {
                    Ok(self.fail_unsigned(cx))
                }
                (Part::Occupants, "item") => self.handle_occupant(item, source, cx),
                (Part::Occupants, "retract") => {
                    self.handle_retract(&id, publisher.as_deref(), cx);
                    Ok(true)
                }
                _ => Err(Dropped::Retracted),
            };
            match noted {
                Ok(true) => {}
                Ok(false) => return false,
                Err(Dropped::WrongPayload)
                    if source == Source::Event && element.inner().trim_ascii().is_empty() =>
                {
                    bare.push(id.into_owned());
                }
                Err(reason) => cx.wire.drop_event(reason),
            }
        }
        self.fetch(part, bare, cx);
        true
    }

    /// An event tells of this item: ejabberd may have read it before, for an answer that is still to come. Whatever is
    /// published from now on comes as an event, too.
    fn note_overtaken(&mut self, item: &str) {
        if let Some(overtaken) = &mut self.overtaken
            && overtaken.len() < MOST_OVERTAKEN
            && item.len() <= MOST_ID
        {
            overtaken.insert(item.into());
        }
    }

    fn is_overtaken(&self, item: &str) -> bool {
        let overtaken = self.overtaken.as_ref();
        overtaken.is_some_and(|it| it.contains(item))
    }

    fn handle_message(
        &mut self,
        item: Item<'_>,
        source: Source,
        cx: &mut Cx<'_>,
    ) -> Result<bool, Dropped> {
        let is_joined = self.state == State::Joined;
        let is_live = source != Source::Answer;
        if is_live && !self.unheard.is_empty() {
            self.unheard.take(Part::Talk, item.id);
        }
        if let Some(notice) = Notice::read(item.element) {
            // One that was there before says what was, not what is.
            return match is_live {
                true => self.handle_notice(item, notice, cx),
                false => Err(Dropped::Delayed),
            };
        }
        let (talk, occupants) = (&mut self.talk, &mut self.occupants);
        let is_taken = talk.note(item, is_live, is_joined, &self.bare, occupants, cx)?;
        if is_taken && is_live && is_joined {
            self.watch_silent(cx);
        }
        Ok(true)
    }

    fn handle_occupant(
        &mut self,
        item: Item<'_>,
        source: Source,
        cx: &mut Cx<'_>,
    ) -> Result<bool, Dropped> {
        let said = Said::read(item, &self.bare)?;
        let is_own = *said.full == *cx.account.jid();
        let is_other = jid::bare(&said.full) != cx.account.bare();
        let is_rival = is_other && !said.is_gone && *said.nick == *self.nick;
        if is_rival && self.state == State::TakingNick && source != Source::Answer {
            // His claim stands before ours, in the order everybody sees.
            return Ok(self.fail("conflict", cx));
        }
        if is_own && matches!(self.state, State::Entering(_)) {
            // Where it stood before, it is published again: whoever comes later would see both items, and on ejabberd
            // not the newer one last. The nick of before is nobody's.
            self.item.clone_from(&said.item);
            return Ok(true);
        }
        let known = self.occupants.get(&said.full);
        if source == Source::Answer && known.is_some_and(|it| self.is_overtaken(&it.item)) {
            // He has gone to another item since.
            return Ok(true);
        }
        if is_own {
            if said.is_gone {
                // Not by this client: it would not be in the room any more.
                return Ok(true);
            }
            self.unheard.take(Part::Occupants, &said.item);
        }
        if is_other {
            self.handle_other(&said, cx);
        } else if !is_own && !said.is_gone && said.item == self.item {
            self.handle_own_twin(cx);
        }
        if !said.is_gone {
            self.replace_twin(&said, cx);
        }
        if !is_own
            && !said.is_gone
            && let Some(crowded) = self.occupants.crowded_out(&said.full, cx.account.jid())
        {
            self.show_gone(&crowded, cx);
        }
        let (full, presence) = (said.full.clone(), said.presence.clone());
        let heard = (source != Source::Answer).then_some(cx.wire.now);
        let change = self.occupants.note(said, is_own, heard)?;
        if is_own && self.state == State::TakingNick {
            self.show_all(cx);
            return Ok(true);
        }
        if self.state == State::Joined
            && let Some(change) = change
        {
            self.show_change(&full, &presence, &change, cx);
        }
        Ok(true)
    }

    /// What an item of somebody else means for others, and for the own one.
    fn handle_other(&mut self, said: &Said, cx: &mut Cx<'_>) {
        match said.is_gone {
            true => self.note_litter(&said.item, cx),
            false => self.forget_litter(&said.item),
        }
        if self.state != State::Joined {
            return;
        }
        if !said.is_gone && self.occupants.get(&said.full).is_none() {
            self.forget_put_out(jid::bare(&said.full));
        }
        if self.occupants.get(&said.full).is_none() {
            self.new_since = self.new_since.saturating_add(1);
        }
        // Prosody lets one overwrite the item of another, and drops the oldest of many.
        if said.item == self.item || self.new_since == MOST_SINCE {
            self.restore_soon(cx);
        }
        let holder = self.occupants.of_nick(&said.nick);
        let holder = holder.filter(|full| jid::bare(full) != jid::bare(&said.full));
        let holder = holder.filter(|full| jid::bare(full) != cx.account.bare());
        if let Some(holder) = holder.filter(|_| !said.is_gone).map(Box::from) {
            self.suspect_if_quiet(holder, cx);
        }
    }

    /// Another resource of the account has taken the client's item: both have joined at the same time. Each is to have
    /// its own.
    fn handle_own_twin(&mut self, cx: &mut Cx<'_>) {
        if self.state == State::Joined {
            self.item = cx.account.jid().into();
            self.restore_soon(cx);
        }
    }

    /// An item is of one resource: whoever of the same account stood in it before is gone, or says soon that he is not.
    fn replace_twin(&mut self, said: &Said, cx: &mut Cx<'_>) {
        let Some(before) = self.occupants.of_item(&said.item) else {
            return;
        };
        let is_twin = before != said.full && jid::bare(&before) == jid::bare(&said.full);
        if !is_twin || *before == *cx.account.jid() {
            return;
        }
        if *said.full == *cx.account.jid() {
            // Two have joined at once, and ejabberd may keep what the first one has published.
            self.restore_soon(cx);
        }
        let keeps_nick = self
            .occupants
            .get(&before)
            .is_some_and(|it| it.nick == said.nick);
        match keeps_nick {
            true => drop(self.occupants.remove(&before)),
            false => self.show_gone(&before, cx),
        }
    }

    /// Publishes the own item again in a moment, and not more often than once a minute.
    fn restore_soon(&mut self, cx: &mut Cx<'_>) {
        let soon = cx.wire.now + RESTORE;
        let again = self.restored_at.map(|at| at + RESTORE_AGAIN);
        let at = again.map_or(soon, |again| soon.max(again));
        self.restore_at.get_or_insert(at);
    }

    /// The service has put the client out; `false`.
    pub(super) fn handle_kick(&mut self, part: Part, cx: &mut Cx<'_>) -> bool {
        if self.state != State::Joined {
            return self.fail("forbidden", cx);
        }
        self.unsubscribe_from(part.other(), &self.own, cx);
        self.show_kicked(cx)
    }

    /// One of the nodes was deleted, and so is the room; `false`: the client is out of it. While it joins, it may be
    /// that another client makes it anew.
    fn handle_delete(&mut self, part: Part, cx: &mut Cx<'_>) -> bool {
        match self.state {
            State::Joined => {
                self.unsubscribe_from(part.other(), &self.own, cx);
                self.show_deleted(cx)
            }
            State::Creating | State::Waiting(_) => true,
            State::Entering(_) | State::AskingHolder(_) | State::TakingNick => self.try_again(cx),
        }
    }

    /// All items are gone, and nobody has left.
    fn handle_purge(&mut self, cx: &mut Cx<'_>) {
        let others = self
            .occupants
            .iter()
            .map(|(full, _)| Box::<str>::from(full));
        let others: Vec<_> = others.filter(|full| **full != *cx.account.jid()).collect();
        for full in others {
            self.show_gone(&full, cx);
        }
        self.restore_soon(cx);
    }

    fn show_change(&mut self, full: &str, presence: &Bytes, change: &Change, cx: &mut Cx<'_>) {
        let is_own = full == cx.account.jid();
        let own: &[&str] = if is_own { &["110"] } else { &[] };
        if let Change::Gone(nick) = change {
            self.show(full, nick, presence, Shown::gone(own), cx);
            self.forget_affiliation(jid::bare(full));
            return self.show_freed(nick, cx);
        }
        let nick = self.occupants.get(full).map(|it| it.nick.clone());
        let Some(nick) = nick else { return };
        if let Change::Renamed(before) = change {
            let renamed: &[&str] = if is_own { &["303", "110"] } else { &["303"] };
            let shown = Shown {
                new_nick: Some(&nick),
                ..Shown::gone(renamed)
            };
            self.show(full, before, presence, shown, cx);
        }
        if is_own {
            self.nick.clone_from(&nick);
        }
        let shown = Shown {
            statuses: own,
            ..Shown::default()
        };
        self.show(full, &nick, presence, shown, cx);
        // Another resource of the account may go on by the nick that the client has left.
        if let Change::Renamed(before) = change
            && let Some(other) = self.occupants.of_nick(before)
            && let Some(occupant) = self.occupants.get(other)
        {
            self.show(other, before, &occupant.presence, Shown::default(), cx);
        }
    }

    /// An item was taken away: an owner tidies, or kicks.
    ///
    /// `by`: who has, where the service tells it (Prosody). An owner tidies only behind those who are gone.
    fn handle_retract(&mut self, item: &str, by: Option<&str>, cx: &mut Cx<'_>) {
        if *item == *self.item {
            // If that was a kick, the service refuses.
            self.note_verdict(by, cx);
            self.restore_soon(cx);
        } else if let Some(full) = self.occupants.of_item(item) {
            let is_kick = by.is_some_and(|by| jid::bare(by) != jid::bare(&full));
            let why = self.why_out(jid::bare(&full), by, cx.wire.now);
            let status = why.as_ref().and_then(|it| it.word.out);
            let status = status.or(is_kick.then_some("307"));
            let said = why.as_ref().map(Heard::said).unwrap_or_default();
            if matches!(status, Some("301" | "321")) {
                // He is a member no more. Whatever he becomes while he is away is told then.
                self.affiliations.set(jid::bare(&full), Affiliation::None);
            }
            let shown = Shown {
                affiliation: why.map(|it| it.word.affiliation),
                in_item: &said,
                ..Shown::gone(status.as_slice())
            };
            self.show_gone_as(&full, shown, cx);
        }
    }

    pub(super) fn show_gone(&mut self, full: &str, cx: &mut Cx<'_>) {
        self.show_gone_as(full, Shown::gone(&[]), cx);
    }

    pub(super) fn show_gone_as(&mut self, full: &str, shown: Shown<'_>, cx: &mut Cx<'_>) {
        let last = self.occupants.get(full).map(|it| it.presence.clone());
        if let Some(nick) = self.occupants.remove(full)
            && self.state == State::Joined
            && let Some(presence) = last
        {
            let presence = bare_presence(&presence);
            self.show(full, &nick, &presence, shown, cx);
            self.forget_affiliation(jid::bare(full));
            self.show_freed(&nick, cx);
        }
    }

    /// Whoever wants a nick that nobody has any more is shown with it.
    fn show_freed(&mut self, nick: &str, cx: &mut Cx<'_>) {
        let Some((full, before)) = self.occupants.free(nick) else {
            return;
        };
        if let Some(occupant) = self.occupants.get(&full) {
            let presence = occupant.presence.clone();
            let change = Change::Renamed(before);
            self.show_change(&full, &presence, &change, cx);
        }
    }
}
