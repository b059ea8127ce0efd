//! A question to the own server that has to be answered before anything is published.
//!
//! Who may see the client is known only by answers. An answer that did not come, or came as an error that may
//! pass, tells nothing: it is asked again, and the user is told.

use std::time::Duration;

use super::Wire;
use crate::wire::{Event, Refused};

/// The pauses after failures; the last one is repeated.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(3),
    Duration::from_secs(30),
    Duration::from_secs(3600),
];

/// The pause after so many failures before this one.
pub(super) fn pause_after(failures: u8) -> Duration {
    PAUSES[usize::from(failures).min(PAUSES.len() - 1)]
}

/// What became of one question.
#[derive(Debug, Default)]
pub(super) struct Inquiry {
    state: State,
    /// Failures in a row.
    failures: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// To be asked.
    #[default]
    Open,
    Asked,
    /// To be asked again, at this time.
    Later(Duration),
    Known,
}

impl Inquiry {
    /// Whether it was answered.
    pub(super) fn is_known(&self) -> bool {
        self.state == State::Known
    }

    /// Whether nobody has asked yet.
    pub(super) fn is_new(&self) -> bool {
        self.state == State::Open && self.failures == 0
    }

    /// How often in a row it could not be answered.
    pub(super) fn failures(&self) -> u8 {
        self.failures
    }

    /// Whether it is to be asked now.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        match self.state {
            State::Open => true,
            State::Later(at) => at <= now,
            State::Asked | State::Known => false,
        }
    }

    /// Whether it has failed, and is to be asked again now.
    pub(super) fn is_overdue(&self, now: Duration) -> bool {
        self.failures > 0 && self.is_due(now)
    }

    /// When it is to be asked again.
    pub(super) fn again_at(&self) -> Option<Duration> {
        match self.state {
            State::Later(at) => Some(at),
            _ => None,
        }
    }

    /// Notes whether the question was sent; without room for it it stays open.
    pub(super) fn note_asked(&mut self, is_sent: bool) {
        if is_sent {
            self.state = State::Asked;
        }
    }

    /// The answer has come.
    pub(super) fn note_known(&mut self) {
        self.state = State::Known;
        self.failures = 0;
    }

    /// There was no answer, or one that tells nothing: `what` is not known.
    pub(super) fn fail(&mut self, what: &'static str, refused: Refused<'_>, wire: &mut Wire) {
        self.state = State::Later(wire.now + pause_after(self.failures));
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 {
            let reason = refused.to_string();
            wire.log(Event::NotKnown { what, reason });
        }
    }

    /// The client has something new to say: what failed is asked again at once.
    pub(super) fn hasten(&mut self) {
        if let State::Later(_) = self.state {
            self.state = State::Open;
        }
    }

    /// What was known may not be true any more. A question on its way is older, too: `false`.
    pub(super) fn reopen(&mut self) -> bool {
        let is_idle = self.state != State::Asked;
        if is_idle {
            self.state = State::Open;
        }
        is_idle
    }
}
