//! A viewer of a session, who must learn no secret.

use std::time::Duration;

use pubshim::session::Output;
use pubshim::view::{Form, Options, Screen, View};

use crate::text::{SECRET, WRITTEN};

/// The number of the session.
const NUMBER: u64 = 7;

/// A view and what it may show.
pub(super) struct Viewer {
    view: View,
    bodies: bool,
    is_terminal: bool,
}

impl Viewer {
    pub(super) fn new(kind: u8) -> Self {
        let bodies = kind & 1 != 0;
        let form = match kind & 2 {
            0 => Form::Short,
            _ => Form::Full,
        };
        let is_terminal = kind & 4 != 0;
        let screen = Screen {
            width: usize::from(kind >> 3) * 8,
            colour: false,
        };
        let only = match kind >> 6 {
            3 => vec!["presence".parse().expect("a function")],
            _ => Vec::new(),
        };
        let options = Options {
            form,
            bodies,
            only,
            ..Options::default()
        };
        Self {
            view: View::new(options, is_terminal.then_some(screen)),
            bodies,
            is_terminal,
        }
    }

    /// Shows outputs that a session gave at once.
    pub(super) fn take(&mut self, now: Duration, outputs: &[Output]) {
        let text = self
            .view
            .take(NUMBER, now, u64::from(outputs.len() == 3), outputs);
        self.check(&text);
    }

    /// The session has ended, and the program does.
    pub(super) fn end(&mut self) {
        let text = self.view.end(NUMBER, 1) + &self.view.finish();
        self.check(&text);
    }

    fn check(&self, text: &str) {
        assert!(!text.contains(SECRET), "a secret: {text}");
        assert!(self.bodies || !text.contains(WRITTEN), "a body: {text}");
        assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
        for line in text.lines() {
            let is_unsafe = |c: char| c.is_control() || ('\u{202A}'..='\u{202E}').contains(&c);
            assert!(!line.contains(is_unsafe), "{line:?}");
            let time = line.split_whitespace().next().unwrap_or_default();
            let is_whole = self.is_terminal || time.parse::<f64>().is_ok();
            assert!(is_whole, "a part of a line: {line:?}");
        }
    }
}
