//! Replaying clock and speed: a replayed session is told what it cannot find out again.

use super::{Input, Leg, Session, Timing};

impl Session {
    /// Repeats a recorded step of time.
    pub(crate) fn repeat(&mut self, timing: Timing) {
        let now = self.now;
        match timing {
            Timing::Passed { time, unread } => {
                self.now += time;
                self.wire.read_time += time.saturating_sub(unread);
                self.wire.advance_clock(self.now);
            }
            Timing::Date(date) => self.wire.epoch = date.saturating_sub(now),
            Timing::Early => self.server.is_early = true,
            Timing::Stalled(leg) => self.take(now, |session| {
                session.give_up(leg);
                session.end_step();
            }),
            Timing::Unfinished(leg) => self.take(now, |session| {
                session.refuse_unfinished(leg);
                session.end_step();
            }),
            Timing::Woken => self.handle(Input::Timeout, now),
            Timing::Hurried => self.take(now, Self::hurry),
        }
    }

    /// Whether bytes to the server had not left when it sent the frame in work.
    pub(super) fn has_unsent(&self) -> bool {
        self.server.is_early || !self.outgoing(Leg::Server).is_empty()
    }
}
