//! What a room's two nodes tell, in events and in answers.

use std::time::Duration;

use bytes::{BufMut as _, Bytes};

use super::show::{Shown, bare_presence};
use super::{PING, Part, Room, State, Step, TRY_AGAIN};
use crate::jid;
use crate::ns;
use crate::pubsub::{Event, What};
use crate::translate::Cx;
use crate::translate::rooms::Ask;
use crate::translate::rooms::occupants::{Change, Said};
use crate::wire::Dropped;
use crate::xml::{Element, escape};

/// So long after the own item was taken away it is published again: a kick comes in several steps.
const RESTORE: Duration = Duration::from_secs(2);
/// Somebody of whom nothing has come for so long is asked whether he is there.
const QUIET: Duration = Duration::from_secs(300);
/// When somebody speaks, so many others are asked, one a second, of whom nothing has come since; not again within
/// this time.
const MOST_AT_ONCE: u8 = 3;
const MOMENT: Duration = Duration::from_secs(5);
/// An event may have so many items; servers send one.
const MOST_ITEMS: usize = 256;

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
        let is_own = event.element.attribute("jid").as_deref() == Some(cx.account.jid());
        let state = event.element.attribute("subscription");
        match event.what {
            What::Items => self.note_items(event.element, part, true, cx),
            What::Subscription if is_own && state.as_deref() == Some("none") => {
                self.show_out(&["110", "307"], "", cx)
            }
            What::Node if event.element.local() == "delete" => {
                self.show_out(&["110"], "<destroy/>", cx)
            }
            What::Subscription | What::Node => {
                cx.wire.drop_event(Dropped::Retracted);
                true
            }
        }
    }

    /// Items in an answer, or in an event (`is_live`); `false`: the client is out of the room by it.
    pub(super) fn note_items(
        &mut self,
        items: &Element<'_>,
        part: Part,
        is_live: bool,
        cx: &mut Cx<'_>,
    ) -> bool {
        let most = if is_live { MOST_ITEMS } else { usize::MAX };
        for item in items.children().take(most) {
            let id = item.attribute("id").unwrap_or_default();
            let noted = match (part, item.local()) {
                (Part::Talk, "item") => {
                    self.note_talk(&item, is_live, cx);
                    Ok(true)
                }
                (Part::Occupants, "item") if id.starts_with("subject/") => {
                    self.talk.note_subject(&item, cx.wire.unix_time());
                    Ok(true)
                }
                (Part::Occupants, "item") => self.note_occupant(&item, cx),
                (Part::Occupants, "retract") => {
                    self.note_retracted(&id, cx);
                    Ok(true)
                }
                _ => Err(Dropped::Retracted),
            };
            match noted {
                Ok(true) => {}
                Ok(false) => return false,
                Err(reason) => cx.wire.drop_event(reason),
            }
        }
        true
    }

    fn note_talk(&mut self, item: &Element<'_>, is_live: bool, cx: &mut Cx<'_>) {
        let is_joined = self.state == State::Joined;
        let talk = &mut self.talk;
        let author = talk.note(item, is_live, is_joined, &self.bare, &self.occupants, cx);
        let Some(author) = author else {
            return;
        };
        self.occupants.hear(&author, cx.wire.now);
        if !is_live || !is_joined {
            return;
        }
        let now = cx.wire.now;
        self.spoken_at = now;
        if self.pings > 0 {
            // Whoever has vanished since some were asked already is asked in another round.
            self.asks_again = true;
        } else {
            self.begin_pings(now);
        }
    }

    fn begin_pings(&mut self, now: Duration) {
        let soon = now + TRY_AGAIN;
        let at = self.checked_at.map_or(soon, |at| soon.max(at + MOMENT));
        self.pings = MOST_AT_ONCE;
        (self.ping_at, self.checked_at) = (at, Some(at));
    }

    fn note_occupant(&mut self, item: &Element<'_>, cx: &mut Cx<'_>) -> Result<bool, Dropped> {
        let said = Said::read(item, &self.bare)?;
        let is_own = *said.full == *cx.account.jid();
        let is_rival = !is_own && !said.is_gone && *said.nick == *self.nick;
        let is_other = jid::bare(&said.full) != cx.account.bare();
        if is_rival && is_other && matches!(self.state, State::TakingNick(_)) {
            // His claim stands before ours, in the order everybody sees.
            return Ok(self.end("conflict", cx));
        }
        if is_own && matches!(self.state, State::Entering(_)) {
            // Where it stood before, it is published again: whoever comes later would see both items, and on ejabberd
            // not the newer one last.
            self.item.clone_from(&said.item);
        }
        if self.state == State::Joined && !is_own && *said.item == *self.item {
            // Another client of the account came at the same moment, and took the same item.
            if self.next_item(cx) {
                self.publish_self(Step::Restore, cx);
            }
        }
        if is_own && said.is_gone {
            // Not by this client: it would not be in the room any more.
            return Ok(true);
        }
        let (full, presence) = (said.full.clone(), said.presence.clone());
        let change = self.occupants.note(said, is_own, cx.wire.now)?;
        if is_own && matches!(self.state, State::TakingNick(_)) {
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

    fn show_change(&mut self, full: &str, presence: &Bytes, change: &Change, cx: &mut Cx<'_>) {
        let is_own = full == cx.account.jid();
        let own: &[&str] = if is_own { &["110"] } else { &[] };
        if let Change::Gone(nick) = change {
            let shown = Shown::gone(own);
            return self.show(full, nick, presence, shown, cx);
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
    }

    /// An item was taken away: an owner tidies, or kicks.
    fn note_retracted(&mut self, item: &str, cx: &mut Cx<'_>) {
        if *item == *self.item {
            // If that was a kick, the service refuses.
            self.restore_at.get_or_insert(cx.wire.now + RESTORE);
        } else if let Some(full) = self.occupants.of_item(item) {
            self.show_gone(&full, None, cx);
        }
    }

    pub(super) fn show_gone(&mut self, full: &str, presence: Option<&Bytes>, cx: &mut Cx<'_>) {
        let last = self.occupants.get(full).map(|it| it.presence.clone());
        if let Some(nick) = self.occupants.remove(full)
            && self.state == State::Joined
            && let Some(presence) = presence.cloned().or(last)
        {
            self.show(full, &nick, &bare_presence(&presence), Shown::gone(&[]), cx);
        }
    }

    /// Asks whoever was not heard of for longest whether he is there: his shim may have died without a word.
    pub(super) fn ping(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        let before = match self.pings {
            0 => now.saturating_sub(QUIET),
            _ => self.spoken_at,
        };
        self.pings = self.pings.saturating_sub(1);
        self.ping_at = now + if self.pings == 0 { PING } else { TRY_AGAIN };
        if self.pings == 0 && std::mem::take(&mut self.asks_again) {
            self.begin_pings(now);
        }
        let quiet = self.occupants.quietest(cx.account.bare(), before);
        let Some(full) = quiet.map(Box::<str>::from) else {
            return;
        };
        let ask = Ask::Step(self.bare.clone(), Step::Alive(full.clone()));
        let room = &self.bare;
        cx.wire.request("get", Some(&full), ask, |out| {
            let ping = format!(
                "<ping xmlns='{}'><shim xmlns='{}' room='{}'/></ping>",
                ns::PING,
                ns::SHIM,
                escape(room)
            );
            out.put_slice(ping.as_bytes());
        });
        // He is asked once, whatever comes of it.
        self.occupants.hear(&full, now);
    }
}
