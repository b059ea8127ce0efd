//! Timers of rooms: joins that wait go on, and occupants are pinged.

use std::time::Duration;

use super::room::{Room, Step};
use super::{Ask, Rooms};
use crate::translate::{self, Cx, Wire};

/// Time between two pings of occupants, in all rooms together.
const PING_EVERY: Duration = Duration::from_secs(1);
/// Pings that may be unanswered.
const MOST_PINGS: usize = 8;

impl Rooms {
    /// Goes on with joins that wait, and looks for occupants who have vanished.
    pub(in crate::translate) fn settle(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        let rooms = self.rooms.iter();
        let due = rooms.filter(|(_, room)| room.again_at().is_some_and(|at| at <= now));
        let due: Vec<_> = due.map(|(bare, _)| bare.clone()).collect();
        for bare in due {
            self.drive(&bare, cx, Room::go_on);
        }
        while self.ping_at <= now
            && self.next_ping().is_some_and(|at| at <= now)
            && may_ping_at(cx.wire).is_some_and(|at| at <= now)
        {
            let rooms = self.rooms.values_mut();
            let next = rooms.min_by_key(|room| room.ping_at().unwrap_or(Duration::MAX));
            if next.is_some_and(|room| room.ping(cx)) {
                self.ping_at = now + PING_EVERY;
            }
        }
    }

    /// When the next occupant is to be pinged.
    fn next_ping(&self) -> Option<Duration> {
        self.rooms.values().filter_map(|room| room.ping_at()).min()
    }

    /// When [`settle`](Self::settle) goes on, if not by an answer.
    pub(in crate::translate) fn again_at(&self, wire: &Wire) -> Option<Duration> {
        let all = self.rooms.values().filter_map(|room| room.again_at());
        let may_ping_at = may_ping_at(wire).map(|at| at.max(self.ping_at));
        let ping = self.next_ping().zip(may_ping_at);
        let ping = ping.map(|(at, may_at)| at.max(may_at));
        let services = self.services.due_at();
        all.chain(ping)
            .chain(services)
            .filter(|at| *at > wire.now)
            .min()
    }
}

/// When a ping takes no place from requests the user waits for; `None`: once another ping is answered.
fn may_ping_at(wire: &Wire) -> Option<Duration> {
    let is_ping = |asked: &&translate::Ask| {
        matches!(
            asked,
            translate::Ask::Rooms(Ask::Step(_, Step::Alive(..) | Step::Leftover(_)))
        )
    };
    let is_idle = wire.asked().filter(is_ping).count() < MOST_PINGS;
    wire.may_work_at().filter(|_| is_idle)
}
