//! The live view, written to standard output.

use std::io::{self, IsTerminal, Write as _};
use std::ops::ControlFlow;
use std::time::Instant;

use terminal_size::{Width, terminal_size_of};

use super::watch::{Watcher, Watching};
use crate::config::Settings;
use crate::session::Output;
use crate::view::{Form, Screen, View, wants_colour};

/// Columns of a terminal that does not tell its width.
const USUAL_WIDTH: usize = 80;

/// Starts the thread that writes the view, unless `--show` is off.
pub(super) fn start(settings: &Settings) -> anyhow::Result<Option<Watching>> {
    if settings.show.form == Form::Off {
        return Ok(None);
    }
    let screen = io::stdout().is_terminal().then(|| Screen {
        width: width(),
        colour: wants_colour(&io::stdout()),
    });
    let show = Show {
        view: View::new(settings.show.clone(), screen),
        start: Instant::now(),
    };
    Watching::start("show", show).map(Some)
}

struct Show {
    view: View,
    start: Instant,
}

impl Watcher for Show {
    fn steps(&mut self, number: u64, lost: u64, steps: &[Output]) -> ControlFlow<()> {
        self.view.set_width(width());
        let text = self.view.take(number, self.start.elapsed(), lost, steps);
        write(&text)
    }

    fn ended(&mut self, number: u64, lost: u64) -> ControlFlow<()> {
        let text = self.view.end(number, lost);
        write(&text)
    }

    fn rests(&mut self) -> ControlFlow<()> {
        let text = self.view.rest();
        write(&text)
    }

    fn announced(&mut self, name: &str) -> ControlFlow<()> {
        let text = self.view.act(name);
        write(&text)
    }

    fn finished(&mut self) {
        let text = self.view.finish();
        let _ = write(&text);
    }
}

/// Writes and flushes, for somebody is watching. `Break` if standard output is closed.
fn write(text: &str) -> ControlFlow<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    let Err(error) = written else {
        return ControlFlow::Continue(());
    };
    tracing::warn!(
        "the live view is over: cannot write to standard output: {error}; sessions go on"
    );
    ControlFlow::Break(())
}

fn width() -> usize {
    terminal_size_of(io::stdout()).map_or(USUAL_WIDTH, |(Width(columns), _)| usize::from(columns))
}
