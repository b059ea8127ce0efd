//! Events on a room's two nodes, and the items in answers.

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

/// Wait before the own item, which was taken away, is published again: a kick comes in several steps.
const RESTORE: Duration = Duration::from_secs(2);
/// Time between two such publishes.
const RESTORE_AGAIN: Duration = Duration::from_secs(60);
/// Occupants that may come before the own item is published again: Prosody keeps 256 items and drops the oldest.
const MOST_SINCE: u16 = 128;
/// Items of an event that are read; servers send one.
const MOST_ITEMS: usize = 256;
/// Items of an answer that are read: those of occupants who have left are among them.
const MOST_LISTED: usize = 4096;
/// Items of events during a join that are remembered.
const MOST_OVERTAKEN: usize = 1024;
/// Bytes of an item's id.
const MOST_ID: usize = 1024;

/// Where an item was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The answer to a join's request: the item was there before.
    Answer,
    Event,
    /// The answer to a request for an item whose payload the event has left out.
    Fetch,
}

impl Room {
    /// Handles an event on one of the two nodes; `false`: the client is out of the room by it.
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

    /// Handles items of an answer or an event; an event names the publisher of items that do not. `false`: the client
    /// is out of the room by them.
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
        // Most services name the publisher in each item.
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

    /// Notes that an event has shown this item: ejabberd may have read an older one for an answer that is still to
    /// come, which must not be shown behind it.
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
            // A notice in an answer was published before this join.
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
            // The other occupant's item was published before the own one, and everybody sees that order.
            return Ok(self.fail("conflict", cx));
        }
        if is_own && matches!(self.state, State::Entering(_)) {
            // The resource's older item is overwritten: later occupants would see both, and on ejabberd not the newer
            // one last. The older nick is free.
            self.item.clone_from(&said.item);
            return Ok(true);
        }
        let known = self.occupants.get(&said.full);
        if source == Source::Answer && known.is_some_and(|it| self.is_overtaken(&it.item)) {
            // The occupant has gone to another item since.
            return Ok(true);
        }
        if is_own {
            if said.is_gone {
                // Another resource has written it: this client would not be in the room any more.
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

    /// Handles an item of another occupant.
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
        // Prosody lets an occupant overwrite another's item, and drops the oldest of many.
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

    /// Takes another item, as another resource of the account has joined at the same time with the same one.
    fn handle_own_twin(&mut self, cx: &mut Cx<'_>) {
        if self.state == State::Joined {
            self.item = cx.account.jid().into();
            self.restore_soon(cx);
        }
    }

    /// Shows that an occupant is gone whose item another resource of his account has taken; if he is there, his shim
    /// publishes him again.
    fn replace_twin(&mut self, said: &Said, cx: &mut Cx<'_>) {
        let Some(before) = self.occupants.of_item(&said.item) else {
            return;
        };
        let is_twin = before != said.full && jid::bare(&before) == jid::bare(&said.full);
        if !is_twin || *before == *cx.account.jid() {
            return;
        }
        if *said.full == *cx.account.jid() {
            // Two resources have joined at once, and ejabberd may keep the item of the first one.
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

    /// Shows that the service has put the client out; `false`.
    pub(super) fn handle_kick(&mut self, part: Part, cx: &mut Cx<'_>) -> bool {
        if self.state != State::Joined {
            return self.fail("forbidden", cx);
        }
        self.unsubscribe_from(part.other(), &self.own, cx);
        self.show_kicked(cx)
    }

    /// Handles the deletion of a node, which ends the room; `false`: the client is out of it. During a join another
    /// client may be creating the room anew.
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

    /// Handles that all items were removed although nobody has left.
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
        // Another resource of the account may still use the nick that the occupant has left.
        if let Change::Renamed(before) = change
            && let Some(other) = self.occupants.of_nick(before)
            && let Some(occupant) = self.occupants.get(other)
        {
            self.show(other, before, &occupant.presence, Shown::default(), cx);
        }
    }

    /// Handles a retracted item: an owner tidies up, or kicks.
    ///
    /// `by`: the retractor, where the service names him (Prosody). Owners tidy up only behind occupants who are gone.
    fn handle_retract(&mut self, item: &str, by: Option<&str>, cx: &mut Cx<'_>) {
        if *item == *self.item {
            // After a kick the service refuses the publish.
            self.note_verdict(by, cx);
            self.restore_soon(cx);
        } else if let Some(full) = self.occupants.of_item(item) {
            let is_kick = by.is_some_and(|by| jid::bare(by) != jid::bare(&full));
            let why = self.why_out(jid::bare(&full), by, cx.wire.now);
            let status = why.as_ref().and_then(|it| it.word.out);
            let status = status.or(is_kick.then_some("307"));
            let said = why.as_ref().map(Heard::said).unwrap_or_default();
            if matches!(status, Some("301" | "321")) {
                // The account is a member no more; changes while it is away are announced on their own.
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

    /// Shows the occupant who wanted a nick that has become free with it.
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
