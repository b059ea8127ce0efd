//! Watching for occupants that have vanished, and removing their items. No service tells of them: shims ping each
//! other, one at a time.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BufMut as _;

use super::show::Shown;
use super::{Part, Room, State, Step};
use crate::jid;
use crate::ns;
use crate::pubsub::{answer, request};
use crate::translate::Cx;
use crate::translate::rooms::Ask;
use crate::xml::{Element, escape};

/// Silent occupants that are pinged after a join.
const MOST_BEHIND_JOIN: usize = 20;
/// An occupant is silent after this time; one is pinged in every round.
const QUIET: Duration = Duration::from_secs(300);
const ROUND: Duration = Duration::from_secs(60);
/// Silent occupants that are pinged after a message; not again within this time, nor within as many seconds as there
/// are occupants, as all shims ping the same ones.
const MOST_BEHIND_TALK: usize = 3;
const MOMENT: Duration = Duration::from_secs(5);
/// Time before a ping, in which the occupant may be heard by himself.
const SOON: Duration = Duration::from_secs(1);
/// An occupant heard within this time is not pinged because of a wish for his nick.
const RECENTLY: Duration = Duration::from_secs(60);
/// Time between a join and the search for leftovers of the account's dead resources.
const LEFTOVERS: Duration = Duration::from_secs(2);
/// Own resources that are pinged.
const MOST_LEFTOVERS: usize = 10;
/// An owner retracts the item of an occupant who has been gone for so long. Not earlier, as an occupant who has blocked
/// the owner, or is blocked, only seems to be gone.
const GONE: Duration = Duration::from_secs(600);
/// Items to be retracted that are remembered.
const MOST_LITTER: usize = 256;

#[derive(Default)]
pub(super) struct Watch {
    /// Occupants to be pinged, the next one first.
    suspects: VecDeque<Suspect>,
    /// When silent occupants are looked for.
    check: Option<Check>,
    /// When they were looked for last.
    checked_at: Option<Duration>,
    round_at: Duration,
    leftovers_at: Option<Duration>,
    /// Own resources that are subscribed, to be pinged.
    leftovers: Vec<Box<str>>,
    /// Items of occupants who are gone, and when they may be retracted.
    litter: VecDeque<(Duration, Box<str>)>,
}

/// A search for occupants who are silent `since` then.
struct Check {
    at: Duration,
    since: Duration,
    most: usize,
}

enum Suspect {
    /// An occupant who is silent since then.
    Occupant(Box<str>, Duration),
    /// A resource of the own account that is subscribed.
    Own(Box<str>),
}

impl Room {
    /// Begins to watch after the join: occupants may have vanished long ago.
    pub(super) fn start_watch(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        self.watch.round_at = now + ROUND;
        self.watch.leftovers_at = self.ways.asks_leftovers.then_some(now + LEFTOVERS);
        self.watch.check = Some(Check {
            at: now + SOON,
            since: now,
            most: MOST_BEHIND_JOIN,
        });
    }

    /// Looks for silent occupants, as somebody has spoken: vanished ones are to be seen to leave.
    pub(super) fn watch_silent(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        let soon = now + SOON;
        let checked_at = self.watch.checked_at;
        let moment = MOMENT.max(Duration::from_secs(self.occupants.len() as u64));
        let check = self.watch.check.get_or_insert(Check {
            at: checked_at.map_or(soon, |at| soon.max(at + moment)),
            since: now,
            most: MOST_BEHIND_TALK,
        });
        check.since = now;
    }

    /// Has these occupants pinged, unless they are heard meanwhile.
    pub(super) fn suspect(&mut self, all: Vec<Box<str>>, since: Duration) {
        for full in all {
            let is_it = |it: &Suspect| matches!(it, Suspect::Occupant(known, _) if *known == full);
            self.watch.suspects.retain(|it| !is_it(it));
            let suspect = Suspect::Occupant(full, since);
            self.watch.suspects.push_back(suspect);
        }
    }

    /// Has the occupant pinged whose nick another one wants, unless he was heard recently.
    pub(super) fn suspect_if_quiet(&mut self, full: Box<str>, cx: &mut Cx<'_>) {
        let before = cx.wire.now.saturating_sub(RECENTLY);
        if self.occupants.is_silent_since(&full, before) {
            self.suspect(vec![full], cx.wire.now);
        }
    }

    /// When [`ping`](Self::ping) has somebody to ask.
    pub(in crate::translate::rooms) fn ping_at(&self) -> Option<Duration> {
        if self.state != State::Joined || self.ways.only_nodes {
            return None;
        }
        if !self.watch.suspects.is_empty() {
            return Some(Duration::ZERO);
        }
        let check = self.watch.check.as_ref().map(|check| check.at);
        let has_others = self.occupants.has_others(&self.own);
        let round = has_others.then_some(self.watch.round_at);
        check.into_iter().chain(round).min()
    }

    /// Pings the next suspect; gives whether there was one.
    pub(in crate::translate::rooms) fn ping(&mut self, cx: &mut Cx<'_>) -> bool {
        let now = cx.wire.now;
        if self.watch.round_at <= now {
            self.watch.round_at = now + ROUND;
            self.look_for_silent(now.saturating_sub(QUIET), 1);
        }
        if let Some(check) = self.watch.check.take_if(|check| check.at <= now) {
            self.watch.checked_at = Some(now);
            self.look_for_silent(check.since, check.most);
        }
        while let Some(suspect) = self.watch.suspects.pop_front() {
            let (full, step) = match suspect {
                Suspect::Own(full) => (full.clone(), Step::Leftover(full)),
                Suspect::Occupant(full, since) => {
                    if !self.occupants.is_silent_since(&full, since) {
                        continue;
                    }
                    // The occupant is pinged once, whatever the answer.
                    self.occupants.hear(&full, now);
                    (full.clone(), Step::Alive(full, now))
                }
            };
            return self.ask_whether_there(&full, step, cx);
        }
        false
    }

    fn look_for_silent(&mut self, since: Duration, most: usize) {
        let silent = self.occupants.quietest(&self.own, since, most);
        self.suspect(silent, since);
    }

    /// Asks the shim of an occupant whether he is in the room.
    pub(super) fn ask_whether_there(&self, full: &str, step: Step, cx: &mut Cx<'_>) -> bool {
        let ask = Ask::Step(self.bare.clone(), step);
        let room = escape(&self.bare);
        cx.wire.request("get", Some(full), ask, |out| {
            let ping = format!(
                "<ping xmlns='{}'><shim xmlns='{}' room='{room}'/></ping>",
                ns::PING,
                ns::SHIM
            );
            out.put_slice(ping.as_bytes());
        })
    }

    /// Handles that an occupant is there: his item stays.
    pub(super) fn handle_alive(&mut self, full: &str, cx: &mut Cx<'_>) {
        self.occupants.hear(full, cx.wire.now);
        if let Some(occupant) = self.occupants.get(full) {
            let item = occupant.item.clone();
            self.forget_litter(&item);
        }
    }

    /// Shows that an occupant has vanished (XEP-0045 §11.1).
    pub(super) fn handle_vanished(&mut self, full: &str, cx: &mut Cx<'_>) {
        if let Some(occupant) = self.occupants.get(full) {
            let item = occupant.item.clone();
            self.note_litter(&item, cx);
        }
        let claimed = self.nick.clone();
        self.show_gone_as(full, Shown::gone(&["333"]), cx);
        if self.state != State::Joined {
            // The occupant was not shown yet.
            self.occupants.free(&claimed);
        }
    }

    /// Remembers to retract an item, as its occupant is gone.
    pub(super) fn note_litter(&mut self, item: &str, cx: &mut Cx<'_>) {
        self.forget_litter(item);
        if self.watch.litter.len() < MOST_LITTER {
            let at = cx.wire.now + GONE;
            self.watch.litter.push_back((at, item.into()));
        }
    }

    /// Keeps an item, as its occupant is there.
    pub(super) fn forget_litter(&mut self, item: &str) {
        self.watch.litter.retain(|(_, gone)| **gone != *item);
    }

    /// When [`clean_up`](Self::clean_up) has something to do.
    pub(super) fn clean_up_at(&self) -> Option<Duration> {
        let litter = self.watch.litter.front().filter(|_| self.is_owner);
        let litter = litter.map(|(at, _)| *at);
        litter.into_iter().chain(self.watch.leftovers_at).min()
    }

    /// Searches for leftovers of the account's dead resources, and retracts items of occupants who are gone, as far as
    /// pacing allows.
    pub(super) fn clean_up(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        if self.watch.leftovers_at.take_if(|at| *at <= now).is_some() {
            for part in [Part::Occupants, Part::Talk] {
                let step = Step::Leftovers(part);
                self.ask("get", part, step, cx, request::own_subscriptions);
            }
        }
        if !self.is_owner {
            return;
        }
        while let Some((at, _)) = self.watch.litter.front_mut().filter(|(at, _)| *at <= now) {
            if !cx.wire.may_work() {
                *at = now + SOON;
                break;
            }
            let Some((_, item)) = self.watch.litter.pop_front() else {
                break;
            };
            if self.occupants.of_item(&item).is_some() {
                continue;
            }
            self.take_away(&item, cx);
        }
    }

    /// Notes other resources of the account that are subscribed, to ping them.
    pub(super) fn note_leftovers(&mut self, part: Part, iq: &Element<'_>, cx: &mut Cx<'_>) {
        let (own, account) = (cx.account.jid(), cx.account.bare());
        let is_other = |full: &str| full != own && jid::bare(full) == account;
        let list = answer::own_subscriptions(iq, &self.node(part));
        for (full, _) in list.unwrap_or_default() {
            let known = &mut self.watch.leftovers;
            let is_new =
                is_other(&full) && jid::resource(&full).is_some() && !known.contains(&full);
            if is_new && known.len() < MOST_LEFTOVERS {
                known.push(full.clone());
                self.watch.suspects.push_back(Suspect::Own(full));
            }
        }
    }
}
