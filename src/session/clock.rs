//! How long what may take: when a session asks to be woken, and what it does then.

use std::time::Duration;

use super::{Ending, Leg, Session};

impl Session {
    /// When to come back with [`Input::Timeout`](super::Input::Timeout) at the latest.
    pub fn timeout(&self) -> Option<Duration> {
        if self.is_closed() {
            return None;
        }
        let timeouts = &self.options.timeouts;
        let login =
            (!self.is_logged_in() && self.closing.is_none()).then(|| self.started + timeouts.login);
        let requests = match self.unread_since {
            Some(_) => None,
            None => self
                .wire
                .deadline()
                .map(|deadline| deadline + self.unread_total()),
        };
        let mut next: Option<Duration> = None;
        let greeting = self.server_at.greeting;
        for at in [login, greeting, requests, self.wake, self.closing] {
            next = next.into_iter().chain(at).min();
        }
        for connection in [&self.client, &self.server] {
            let frame = connection.frame_since.map(|since| since + timeouts.stanza);
            let stall = connection.stalled_since.map(|since| since + timeouts.stall);
            next = next.into_iter().chain(frame).chain(stall).min();
        }
        next
    }

    /// How long the server's leg was not read, all in all.
    fn unread_total(&self) -> Duration {
        self.now - self.wire.read_time
    }

    /// Moves time on, and notes which legs stand still.
    pub(super) fn advance_clock(&mut self, now: Duration) {
        let now = now.max(self.now);
        if self.unread_since.is_none() {
            self.wire.read_time += now - self.now;
        }
        self.now = now;
        self.wire.advance_clock(now);
        self.unread_since = match self.wants(Leg::Server) {
            true => None,
            false => self.unread_since.or(Some(now)),
        };
        for leg in [Leg::Client, Leg::Server] {
            let is_idle = self.outgoing(leg).is_empty() || self.connection(leg).finished;
            let is_read = self.wants(leg);
            let connection = self.connection_mut(leg);
            connection.stalled_since = match is_idle {
                true => None,
                false => connection.stalled_since.or(Some(now)),
            };
            connection.frame_since = match connection.is_amid_frame() && !connection.held && is_read
            {
                true => connection.frame_since.or(Some(now)),
                false => None,
            };
        }
    }

    pub(super) fn handle_timeout(&mut self) {
        let timeouts = self.options.timeouts;
        let (now, over) = (self.now, |since: Option<Duration>, limit| {
            since.is_some_and(|since| since + limit <= self.now)
        });
        if self.closing.is_some_and(|deadline| deadline <= now) {
            if !self.is_relaying() {
                self.close_stream(Leg::Client);
                self.close_stream(Leg::Server);
            }
            return self.finish_both();
        }
        for leg in [Leg::Client, Leg::Server] {
            if over(self.connection(leg).stalled_since, timeouts.stall) {
                self.note_ending(Ending::Stalled(leg));
                self.handle_eof(leg);
                return self.finish(leg);
            }
        }
        if over(self.client.frame_since, timeouts.stanza) {
            return self.refuse(
                "connection-timeout",
                "the client began a stanza and did not end it in time",
            );
        }
        if over(self.server.frame_since, timeouts.stanza) {
            return self.fail_server("the server began a stanza and did not end it in time");
        }
        if self.server_at.greeting.is_some_and(|at| at <= now) {
            return self.fail_greeting();
        }
        if !self.is_logged_in() && self.closing.is_none() && self.started + timeouts.login <= now {
            return self.refuse("connection-timeout", "the login was not complete in time");
        }
        while let Some(purpose) = self.wire.take_expired() {
            self.translator.timed_out(purpose, &mut self.wire);
        }
    }
}
