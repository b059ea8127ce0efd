//! Lines of the view, plain or for a terminal.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::step::{Frame, Step, Way};
use super::total::Size;
use crate::session::{Leg, Level, Rule};

/// Where the text of a stanza begins on a terminal.
const INDENT: usize = 34;
/// So much of a text is enough to leave the rest of the line to the rules.
const ENOUGH: usize = 30;
/// So much of a text is shown on the narrowest terminal.
const LEAST: usize = 20;

const CLASSIC: Style = AnsiColor::Cyan.on_default();
const PUBSUB: Style = AnsiColor::Yellow.on_default();
const PASSED: Style = Style::new();
const RULE: Style = AnsiColor::Green.on_default();
const NOTE: Style = Style::new().dimmed();
const WARNING: Style = AnsiColor::Red.on_default();
const WHO: Style = Style::new().bold();

/// The terminal that is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Whether colours are wanted.
    pub colour: bool,
}

/// Whether what is written to `stream` may have colours: it is a terminal, and `NO_COLOR` is not set.
pub fn wants_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes lines.
pub(super) struct Paint {
    /// `None`: not a terminal; each line stands for itself, without colour.
    pub(super) screen: Option<Screen>,
    /// Long lines are cut on a terminal.
    pub(super) cut: bool,
    /// Whose lines were written last.
    last: String,
}

/// When and whose.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    time: Duration,
    who: &'a str,
}

impl<'a> Whose<'a> {
    pub(super) fn new(time: Duration, who: &'a str) -> Self {
        Self { time, who }
    }
}

impl Paint {
    pub(super) fn new(screen: Option<Screen>, cut: bool) -> Self {
        Self {
            screen,
            cut,
            last: String::new(),
        }
    }

    /// What came, which rules apply, what is worth knowing, what went.
    pub(super) fn step(&mut self, whose: Whose<'_>, step: &Step, out: &mut String) {
        let mut aside = rules(step);
        if let Some(frame) = &step.input {
            self.frame(whose, frame, &std::mem::take(&mut aside), out);
        }
        for (level, note) in &step.notes {
            self.note(whose, *level, note, out);
        }
        for frame in &step.sent {
            self.frame(whose, frame, &std::mem::take(&mut aside), out);
        }
        if !aside.is_empty() {
            self.note(whose, Level::Debug, &aside, out);
        }
    }

    fn frame(&mut self, whose: Whose<'_>, frame: &Frame, aside: &str, out: &mut String) {
        let (way, size) = (arrow(frame.way), Size(frame.bytes as u64));
        let Some(screen) = self.screen else {
            plain_head(whose, out);
            let _ = write!(out, "{way:22}  {size:>8}  {}", frame.text);
            if !aside.is_empty() {
                let _ = write!(out, "  | {aside}");
            }
            out.push('\n');
            return;
        };
        self.heading(screen, whose, out);
        let style = match frame.way {
            Way::From(Leg::Client) | Way::To(Leg::Client) => CLASSIC,
            Way::From(Leg::Server) | Way::To(Leg::Server) => PUBSUB,
            Way::Through(_) => PASSED,
        };
        let beside = if aside.is_empty() {
            0
        } else {
            aside.width() + 2
        };
        let is_beside = INDENT + beside + frame.text.width() <= screen.width
            || self.cut && INDENT + beside + ENOUGH <= screen.width;
        let indent = if is_beside { INDENT + beside } else { INDENT };
        let text = self.fit(screen, &frame.text, indent);
        paint(screen, style, &format!("{way:22}  {size:>8}  {text}"), out);
        if !aside.is_empty() {
            match is_beside {
                true => out.push_str("  "),
                false => out.extend(["\n", &" ".repeat(INDENT)]),
            }
            paint(screen, RULE, &self.fit(screen, aside, INDENT), out);
        }
        out.push('\n');
    }

    /// A line that is no frame.
    pub(super) fn note(&mut self, whose: Whose<'_>, level: Level, note: &str, out: &mut String) {
        let Some(screen) = self.screen else {
            plain_head(whose, out);
            let _ = writeln!(out, "* {note}");
            return;
        };
        self.heading(screen, whose, out);
        let note = self.fit(screen, note, 2);
        let style = match level {
            Level::Warn => WARNING,
            Level::Info => WHO,
            Level::Debug | Level::Trace => NOTE,
        };
        paint(screen, style, &format!("* {note}"), out);
        out.push('\n');
    }

    /// On a terminal, lines of one session stand below its name.
    fn heading(&mut self, screen: Screen, whose: Whose<'_>, out: &mut String) {
        if self.last == whose.who {
            return;
        }
        if !self.last.is_empty() {
            out.push('\n');
        }
        whose.who.clone_into(&mut self.last);
        paint(screen, WHO, whose.who, out);
        out.push('\n');
    }

    /// As much of `text` as fits behind `indent` columns.
    fn fit(&self, screen: Screen, text: &str, indent: usize) -> String {
        let room = screen.width.saturating_sub(indent).max(LEAST);
        if !self.cut || text.width() <= room {
            return text.to_owned();
        }
        let mut used = 1;
        let fits = |c: &char| {
            used += c.width().unwrap_or(0);
            used <= room
        };
        text.chars().take_while(fits).chain(['…']).collect()
    }
}

fn plain_head(whose: Whose<'_>, out: &mut String) {
    let _ = write!(out, "{:8.3}  {:24}  ", whose.time.as_secs_f64(), whose.who);
}

fn paint(screen: Screen, style: Style, text: &str, out: &mut String) {
    let _ = match screen.colour {
        true => write!(out, "{style}{text}{style:#}"),
        false => write!(out, "{text}"),
    };
}

/// The client is on the left, pubshim between the two, the server on the right.
fn arrow(way: Way) -> &'static str {
    match way {
        Way::From(Leg::Client) => "client → shim",
        Way::To(Leg::Server) => "         shim → server",
        Way::Through(Leg::Client) => "client ───────→ server",
        Way::From(Leg::Server) => "         shim ← server",
        Way::To(Leg::Client) => "client ← shim",
        Way::Through(Leg::Server) => "client ←─────── server",
    }
}

/// The rules with their listings, and how many times as much passed on the server's leg.
fn rules(step: &Step) -> String {
    let mut names: Vec<String> = Vec::new();
    for Rule { name, listing, .. } in step.rules.iter().copied() {
        let text = match *listing {
            "" => (*name).to_owned(),
            listing => format!("{name} ({listing})"),
        };
        if !names.contains(&text) {
            names.push(text);
        }
    }
    match step.total.factor() {
        Some(factor) if !names.is_empty() => format!("{}: {factor}", names.join(", ")),
        _ => names.join(", "),
    }
}
