//! Deadlines: when a session asks to be woken, and what it does then.

use std::time::Duration;

use super::{Leg, Record, Session, Timing};

/// Cuts `time` to whole milliseconds, the precision of a session.
pub(super) fn whole_millis(time: Duration) -> Duration {
    time - Duration::from_nanos(u64::from(time.subsec_nanos() % 1_000_000))
}

/// The deadline that has passed.
#[derive(Clone, Copy)]
enum Due {
    /// A closing session has waited long enough for the other side.
    End,
    Stalled(Leg),
    Unfinished(Leg),
    Greeting,
    Login,
    /// Requests without an answer, or the translator's wake-up.
    Rest,
}

impl Session {
    /// When to come back with [`Input::Timeout`](super::Input::Timeout) at the latest.
    pub fn timeout(&self) -> Option<Duration> {
        if self.is_closed() {
            return None;
        }
        let timeouts = &self.options.timeouts;
        let login =
            (!self.is_logged_in() && self.closing.is_none()).then(|| self.started + timeouts.login);
        let requests = match self.server.unread_since {
            Some(_) => None,
            None => self
                .wire
                .deadline()
                .map(|deadline| deadline + self.unread_total()),
        };
        let mut next: Option<Duration> = None;
        let greeting = self.server.greeting;
        for at in [login, greeting, requests, self.wake, self.closing] {
            next = next.into_iter().chain(at).min();
        }
        for connection in [&self.client.stream, &self.server.stream] {
            let frame = connection.frame_since.map(|since| since + timeouts.stanza);
            let stall = connection.stalled_since.map(|since| since + timeouts.stall);
            next = next.into_iter().chain(frame).chain(stall).min();
        }
        // Rounded up: a shell that came too early would come again and again.
        next.map(|at| whole_millis(at + Duration::from_nanos(999_999)))
    }

    /// How long in all the server's leg was not read.
    fn unread_total(&self) -> Duration {
        self.now - self.wire.read_time
    }

    /// Moves time on, and notes which legs make no progress.
    pub(super) fn advance_clock(&mut self, now: Duration) {
        let now = whole_millis(now).max(self.now);
        if self.server.unread_since.is_none() {
            self.wire.read_time += now - self.now;
        }
        self.now = now;
        self.wire.advance_clock(now);
        self.server.unread_since = match self.wants(Leg::Server) {
            true => None,
            false => self.server.unread_since.or(Some(now)),
        };
        for leg in [Leg::Client, Leg::Server] {
            let is_idle = self.outgoing(leg).is_empty() || self.connection(leg).finished;
            // Most frames come whole.
            let is_read = self.connection(leg).is_amid_frame() && self.wants(leg);
            let connection = self.connection_mut(leg);
            connection.stalled_since = match is_idle {
                true => None,
                false => connection.stalled_since.or(Some(now)),
            };
            connection.frame_since = match is_read && !connection.held {
                true => connection.frame_since.or(Some(now)),
                false => None,
            };
        }
    }

    fn due(&self) -> Due {
        let timeouts = &self.options.timeouts;
        let over =
            |since: Option<Duration>, limit| since.is_some_and(|since| since + limit <= self.now);
        let legs = [Leg::Client, Leg::Server];
        let stalled = |leg: &Leg| over(self.connection(*leg).stalled_since, timeouts.stall);
        let unfinished = |leg: &Leg| over(self.connection(*leg).frame_since, timeouts.stanza);
        if over(self.closing, Duration::ZERO) {
            Due::End
        } else if let Some(leg) = legs.into_iter().find(stalled) {
            Due::Stalled(leg)
        } else if let Some(leg) = legs.into_iter().find(unfinished) {
            Due::Unfinished(leg)
        } else if over(self.server.greeting, Duration::ZERO) {
            Due::Greeting
        } else if !self.is_logged_in()
            && self.closing.is_none()
            && over(Some(self.started), timeouts.login)
        {
            Due::Login
        } else {
            Due::Rest
        }
    }

    pub(super) fn handle_timeout(&mut self) {
        let due = self.due();
        match due {
            Due::Stalled(leg) => self.note_stalled(leg),
            Due::Unfinished(leg) => self.note(Record::Timing(Timing::Unfinished(leg))),
            _ => self.note(Record::Timing(Timing::Woken)),
        }
        match due {
            Due::End => {
                if !self.is_relaying() {
                    self.close_stream(Leg::Client);
                    self.close_stream(Leg::Server);
                }
                self.finish_both();
            }
            Due::Stalled(leg) => self.give_up(leg),
            Due::Unfinished(leg) => self.refuse_unfinished(leg),
            Due::Greeting => self.fail_greeting(),
            Due::Login => self.refuse("connection-timeout", "the login was not complete in time"),
            Due::Rest => {
                while let Some(purpose) = self.wire.take_expired() {
                    self.translator.timed_out(purpose, &mut self.wire);
                }
            }
        }
    }

    /// Ends the session: one side began a stanza and did not end it in time.
    pub(super) fn refuse_unfinished(&mut self, leg: Leg) {
        match leg {
            Leg::Client => self.refuse(
                "connection-timeout",
                "the client began a stanza and did not end it in time",
            ),
            Leg::Server => {
                self.fail_server("the server began a stanza and did not end it in time");
            }
        }
    }
}
