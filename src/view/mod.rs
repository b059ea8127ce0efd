//! The live view: what passes on both legs of sessions, as lines for people. Without I/O.
//!
//! A [`View`] is told what [recorded](crate::session::Session::record) sessions put out. Passwords and
//! tokens are never in what it says, what people wrote only if asked for. In it the client stands on the
//! left, the server on the right; numbers behind a rule are the listings of XEP-0207 it comes from:
//!
//! ```text
//! juliet@localhost/balcony
//! client → shim             72 B  <presence> show="away"
//!                                 presence-publish (1, 3): ×7.4
//!          shim → server   536 B  <iq set> publish presence/balcony <presence> show="away" …
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | [`View`]: sessions and their sums |
//! | `options.rs` | how much is shown, and of whom |
//! | `names.rs` | what can be asked for by name |
//! | `step.rs` | an input and what followed of it, redacted |
//! | `short.rs` | a stanza on one line |
//! | `total.rs` | bytes in and out |
//! | `paint.rs` | lines, plain or for a terminal |

mod names;
mod options;
mod paint;
mod short;
mod step;
mod total;

use std::collections::HashMap;
use std::time::Duration;

pub use options::{Form, Only, Options};
pub use paint::{Screen, wants_colour};

use crate::session::{Level, Output};
use paint::{Paint, Whose};
use step::{Session, Step};
use total::Total;

/// After so many steps of a session its sums are shown.
const STEPS_BETWEEN_SUMS: u64 = 100;

/// Turns what sessions put out into lines.
pub struct View {
    options: Options,
    paint: Paint,
    sessions: HashMap<u64, Session>,
    /// Of sessions that have ended.
    total: Total,
    /// The time of the last step.
    time: Duration,
}

impl View {
    /// A view for a terminal, or with lines that each stand for themselves.
    pub fn new(options: Options, screen: Option<Screen>) -> Self {
        Self {
            paint: Paint::new(screen, options.form == Form::Short),
            options,
            sessions: HashMap::new(),
            total: Total::default(),
            time: Duration::ZERO,
        }
    }

    /// The terminal has this many columns from now on.
    pub fn set_width(&mut self, width: usize) {
        if let Some(screen) = &mut self.paint.screen {
            screen.width = width;
        }
    }

    /// Lines for what session `number` put out at `time`, from an input to before another. `lost`: so many
    /// outputs before are not known.
    pub fn take(&mut self, number: u64, time: Duration, lost: u64, outputs: &[Output]) -> String {
        let mut text = String::new();
        self.time = time;
        self.note_lost(number, lost, &mut text);
        let mut step = Step::default();
        for output in outputs {
            if matches!(output, Output::Recorded(record) if record.is_input()) {
                self.finish_step(number, &step, &mut text);
                step = Step::default();
            }
            let session = self.sessions.entry(number);
            let session = session.or_insert_with(|| Session::new(number));
            session.note(output, &self.options, &mut step);
        }
        self.finish_step(number, &step, &mut text);
        text
    }

    /// The last line of session `number`.
    pub fn end(&mut self, number: u64, lost: u64) -> String {
        let mut text = String::new();
        self.note_lost(number, lost, &mut text);
        if let Some(session) = self.sessions.remove(&number) {
            if session.logged_in {
                self.sum(
                    &session.who,
                    &format!("ended: {}", session.total),
                    &mut text,
                );
            }
            self.total += session.total;
        }
        text
    }

    /// The last line of all.
    pub fn finish(&mut self) -> String {
        let mut total = self.total;
        for session in self.sessions.values() {
            total += session.total;
        }
        let mut text = String::new();
        self.sum("all sessions", &total.to_string(), &mut text);
        text
    }

    fn finish_step(&mut self, number: u64, step: &Step, text: &mut String) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        // A login says little about pubsub, and fills a screen.
        if !session.logged_in && self.options.form == Form::Short {
            for (level, note) in &step.notes {
                let whose = Whose::new(self.time, &session.who);
                self.paint.note(whose, *level, note, text);
            }
            return;
        }
        if session.logged_in {
            session.total += step.total;
        }
        if !step.is_empty() && step.is_shown(session, &self.options) {
            let whose = Whose::new(self.time, &session.who);
            self.paint.step(whose, step, text);
            session.shown += 1;
            if session.shown.is_multiple_of(STEPS_BETWEEN_SUMS) {
                let sum = format!("so far: {}", session.total);
                self.paint.note(whose, Level::Info, &sum, text);
            }
        }
    }

    fn note_lost(&mut self, number: u64, lost: u64, text: &mut String) {
        if lost == 0 {
            return;
        }
        let session = self.sessions.get(&number);
        let who = session.map_or("a session", |session| &session.who);
        let note =
            format!("{lost} steps are not shown: they came faster than they could be written");
        let whose = Whose::new(self.time, who);
        self.paint.note(whose, Level::Warn, &note, text);
    }

    fn sum(&mut self, who: &str, sum: &str, text: &mut String) {
        let whose = Whose::new(self.time, who);
        self.paint.note(whose, Level::Info, sum, text);
    }
}
