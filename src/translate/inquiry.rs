//! A question to the own server whose answer is needed before anything is published.
//!
//! Answers alone tell who may see the client. After no answer, or an error that may be temporary, the question is
//! repeated, and the user is told.

use std::time::Duration;

use super::Wire;
use crate::wire::{Event, Refused};

/// The pauses after failures; the last one is repeated.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(3),
    Duration::from_secs(30),
    Duration::from_secs(3600),
];

/// The pause before the next try, after so many failures before this one.
pub(super) fn pause_after(failures: u8) -> Duration {
    PAUSES[usize::from(failures).min(PAUSES.len() - 1)]
}

/// The state of one question.
#[derive(Debug, Default)]
pub(super) struct Inquiry {
    state: State,
    /// Failures in a row.
    failures: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The question is to be asked.
    #[default]
    Open,
    Asked,
    /// The question is to be asked again, at this time.
    Later(Duration),
    Known,
}

impl Inquiry {
    /// Whether the answer is known.
    pub(super) fn is_known(&self) -> bool {
        self.state == State::Known
    }

    /// Whether the question was never asked.
    pub(super) fn is_new(&self) -> bool {
        self.state == State::Open && self.failures == 0
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u8 {
        self.failures
    }

    /// Whether the question is to be asked now.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        match self.state {
            State::Open => true,
            State::Later(at) => at <= now,
            State::Asked | State::Known => false,
        }
    }

    /// Whether the question has failed, and is to be asked again now.
    pub(super) fn is_overdue(&self, now: Duration) -> bool {
        self.failures > 0 && self.is_due(now)
    }

    /// When the question is to be asked again.
    pub(super) fn again_at(&self) -> Option<Duration> {
        match self.state {
            State::Later(at) => Some(at),
            _ => None,
        }
    }

    /// Notes whether the question was sent; if there was no room for it, it stays open.
    pub(super) fn note_asked(&mut self, is_sent: bool) {
        if is_sent {
            self.state = State::Asked;
        }
    }

    /// Notes that the answer has come.
    pub(super) fn note_known(&mut self) {
        self.state = State::Known;
        self.failures = 0;
    }

    /// Notes a failure: no answer, or an error; `what` names the missing knowledge for the log.
    pub(super) fn fail(&mut self, what: &'static str, refused: Refused<'_>, wire: &mut Wire) {
        self.state = State::Later(wire.now + pause_after(self.failures));
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 {
            let reason = refused.to_string();
            wire.log(Event::NotKnown { what, reason });
        }
    }

    /// Has a failed question asked again at once, since the client sends a new presence.
    pub(super) fn hasten(&mut self) {
        if let State::Later(_) = self.state {
            self.state = State::Open;
        }
    }

    /// Has the question asked again, as the answer may be out of date. `false`: one is on its way, whose answer will
    /// be out of date, too.
    pub(super) fn reopen(&mut self) -> bool {
        let is_idle = self.state != State::Asked;
        if is_idle {
            self.state = State::Open;
        }
        is_idle
    }
}
