//! The live view: sessions' traffic on both legs, as lines for people. Without I/O.
//!
//! A [`View`] takes the outputs of [recorded](crate::session::Session::record) sessions. Passwords and tokens are
//! never shown, words of people only if asked for. The client stands on the left, the server on the right;
//! numbers behind a rule are its listings of XEP-0207:
//!
//! ```text
//! juliet@localhost/balcony
//!    1.5  client → shim             72 B  <presence> show="away"
//!                                         presence-publish (1, 3): ×7.4
//!          shim → server            536 B  <iq set> publish presence/balcony <presence> …
//!                   2 own requests, 341 B
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | [`View`]: sessions and their sums |
//! | `options.rs` | how much is shown, and of whom |
//! | `names.rs` | words that filters know |
//! | `step.rs` | an input and its outputs, redacted |
//! | `short.rs` | a stanza on one line |
//! | `nature.rs`, `fold.rs` | pubshim's own requests, many in one line |
//! | `total.rs` | bytes in and out |
//! | `paint.rs`, `wrap.rs` | lines, plain or for a terminal |
//! | `json.rs` | steps for other programs |

mod fold;
mod json;
mod names;
mod nature;
mod options;
mod paint;
mod short;
mod step;
mod total;
mod wrap;

use std::collections::BTreeMap;
use std::time::Duration;

pub use options::{Form, Only, Options};
pub use paint::{Screen, wants_colour};
pub(crate) use wrap::wrap;

use crate::session::{Level, Output};
use fold::fold;
use json::Line;
use paint::{Origin, Paint};
use step::{Session, Step};
use total::{Burst, Total};

/// Steps of a session between two lines with its sums.
const STEPS_BETWEEN_SUMS: u64 = 100;

/// Turns outputs of sessions into lines.
pub struct View {
    options: Options,
    paint: Paint,
    sessions: BTreeMap<u64, Session>,
    /// Sum of the sessions that have ended.
    total: Total,
    /// Time of the last step.
    time: Duration,
    /// The line that explains factors was shown.
    is_explained: bool,
}

impl View {
    /// A view for a terminal, or with lines that each stand for themselves.
    pub fn new(options: Options, screen: Option<Screen>) -> Self {
        Self {
            paint: Paint::new(screen, options.form == Form::Short),
            options,
            sessions: BTreeMap::new(),
            total: Total::default(),
            time: Duration::ZERO,
            is_explained: false,
        }
    }

    /// Sets the columns of the terminal.
    pub fn set_width(&mut self, width: usize) {
        if let Some(screen) = &mut self.paint.screen {
            screen.width = width;
        }
    }

    /// Lines for the outputs of session `number` at `time`, from one input up to the next. `lost`: number of outputs
    /// before them that are missing.
    pub fn take(&mut self, number: u64, time: Duration, lost: u64, outputs: &[Output]) -> String {
        let mut text = String::new();
        self.time = time;
        self.note_lost(number, lost, &mut text);
        let mut step = Step::default();
        for output in outputs {
            if matches!(output, Output::Recorded(record) if record.is_input()) {
                self.finish_step(number, std::mem::take(&mut step), &mut text);
            }
            let session = self.sessions.entry(number);
            let session = session.or_insert_with(|| Session::new(number, &self.options));
            session.note(output, &self.options, &mut step);
        }
        self.finish_step(number, step, &mut text);
        text
    }

    /// The last line of session `number`.
    pub fn end(&mut self, number: u64, lost: u64) -> String {
        let mut text = String::new();
        self.note_lost(number, lost, &mut text);
        self.show_own(number, &mut text);
        let Some(session) = self.sessions.remove(&number) else {
            return text;
        };
        self.total += session.total;
        if self.is_json() {
            Line::new(self.time, number, session.jid(), "ended").write(&mut text);
        } else if session.logged_in {
            self.sum(&session.who, "ended: ", session.total, &mut text);
        }
        text
    }

    /// Lines for folded requests, when no output has come for a while.
    pub fn rest(&mut self) -> String {
        let mut text = String::new();
        let sessions = self.sessions.iter();
        // Elsewhere a heading would be needed, which they are not worth.
        let sessions = sessions.filter(|(_, session)| self.paint.is_below(&session.who));
        let numbers: Vec<_> = sessions.map(|(number, _)| *number).collect();
        for number in numbers {
            self.show_own(number, &mut text);
        }
        text
    }

    /// A heading for the next lines: an act of a scene.
    pub fn act(&mut self, name: &str) -> String {
        let mut text = self.rest();
        if !self.is_json() {
            self.paint.act(self.time, name, &mut text);
        }
        text
    }

    /// The last line of all.
    pub fn finish(&mut self) -> String {
        let mut text = self.rest();
        let mut total = self.total;
        for session in self.sessions.values() {
            total += session.total;
        }
        if !self.is_json() {
            self.sum("all sessions", "", total, &mut text);
        }
        text
    }

    fn is_json(&self) -> bool {
        self.options.form == Form::Json
    }

    fn finish_step(&mut self, number: u64, mut step: Step, text: &mut String) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        // Lines of a login say little about pubsub, and fill a screen.
        if !session.logged_in && self.options.form == Form::Short {
            for (level, note) in &step.notes {
                let origin = Origin::new(self.time, &session.who);
                self.paint.note(origin, *level, note, text);
            }
            return;
        }
        if session.logged_in {
            session.total += step.total;
        }
        if step.is_empty() || !step.is_shown(session, &self.options) {
            return;
        }
        if self.options.form == Form::Json {
            return step.write(self.time, number, session.jid(), text);
        }
        let burst = match self.options.folds() {
            true => fold(&mut step),
            false => Burst::default(),
        };
        if step.is_empty() {
            session.burst += burst;
            return;
        }
        // Requests that were folded of a step stand below its input.
        let behind = match step.input.is_some() {
            true => burst,
            false => {
                session.burst += burst;
                Burst::default()
            }
        };
        self.show_own(number, text);
        self.show_step(number, &step, text);
        if let Some(session) = self.sessions.get_mut(&number) {
            session.burst += behind;
        }
    }

    fn show_step(&mut self, number: u64, step: &Step, text: &mut String) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        session.shown += 1;
        let (who, total) = (session.who.clone(), session.total);
        let is_sum_due = session.shown.is_multiple_of(STEPS_BETWEEN_SUMS);
        self.paint.step(Origin::new(self.time, &who), step, text);
        if !step.rules.is_empty() {
            self.explain(&who, step.total, text);
        }
        if is_sum_due {
            self.sum(&who, "so far: ", total, text);
        }
    }

    /// Shows the line for a session's folded requests. Answers alone wait for the next request: their own requests were
    /// shown already.
    fn show_own(&mut self, number: u64, text: &mut String) {
        let session = self.sessions.get_mut(&number);
        if let Some(session) = session.filter(|session| session.burst.requests > 0) {
            let burst = std::mem::take(&mut session.burst);
            let origin = Origin::new(self.time, &session.who);
            self.paint.own(origin, &burst, text);
        }
    }

    fn note_lost(&mut self, number: u64, lost: u64, text: &mut String) {
        if lost == 0 {
            return;
        }
        let session = self.sessions.get(&number);
        if self.is_json() {
            let who = session.and_then(Session::jid);
            let mut line = Line::new(self.time, number, who, "lost");
            line.count = Some(lost);
            return line.write(text);
        }
        let who = session.map_or("a session", |session| &session.who);
        let note =
            format!("{lost} steps are not shown: they came faster than they could be written");
        let origin = Origin::new(self.time, who);
        self.paint.note(origin, Level::Warn, &note, text);
    }

    fn sum(&mut self, who: &str, head: &str, total: Total, text: &mut String) {
        let origin = Origin::new(self.time, who);
        self.paint
            .note(origin, Level::Info, &format!("{head}{total}"), text);
        self.explain(who, total, text);
    }

    /// Explains factors once, below the first one.
    fn explain(&mut self, who: &str, total: Total, text: &mut String) {
        let Some(factor) = total.factor().filter(|_| !self.is_explained) else {
            return;
        };
        self.is_explained = true;
        let origin = Origin::new(self.time, who);
        let factor = factor.to_string();
        let times = factor.trim_start_matches('×');
        let note = format!(
            "{factor}: {times} times as many bytes passed on the server's side as on the client's, the price of \
             elegance: what publish-subscribe costs"
        );
        self.paint.note(origin, Level::Debug, &note, text);
    }
}
