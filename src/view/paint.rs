//! Lines of the view, plain or for a terminal.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use super::step::{Frame, Step, Way};
use super::total::{Burst, Size};
use super::wrap::wrap;
use crate::session::{Leg, Level, Rule};

/// Column of lines on a terminal, behind the time.
const TIME: usize = 8;
/// Column of a stanza's text on a terminal.
const INDENT: usize = TIME + 32;
/// Column of its other lines, unless [`ENOUGH`] columns are left beside the first.
const HANGING: usize = TIME + 2;
/// Columns that are enough for a text.
const ENOUGH: usize = 36;
/// Fewest columns that a text begins in.
const LEAST: usize = 12;

const CLASSIC: Style = AnsiColor::Cyan.on_default();
const PUBSUB: Style = AnsiColor::Yellow.on_default();
const PASSED: Style = Style::new();
const RULE: Style = AnsiColor::Green.on_default();
const NOTE: Style = Style::new().dimmed();
const WARNING: Style = AnsiColor::Red.on_default();
const WHO: Style = Style::new().bold();
const ACT: Style = AnsiColor::Magenta.on_default().bold();

/// The terminal that is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Width in columns.
    pub width: usize,
    /// Whether colours are wanted.
    pub colour: bool,
}

/// Whether what is written to `stream` may have colours: it is a terminal, and `NO_COLOR` is not set.
pub fn wants_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes lines of the view.
pub(super) struct Paint {
    /// The terminal; `None`: lines go elsewhere, each stands for itself, without colour.
    pub(super) screen: Option<Screen>,
    /// Long lines are wrapped on a terminal.
    wraps: bool,
    /// Session of the last line.
    last: String,
    /// Time shown last on a terminal.
    time: String,
}

/// Time and session of a line.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    time: Duration,
    who: &'a str,
}

impl<'a> Origin<'a> {
    pub(super) fn new(time: Duration, who: &'a str) -> Self {
        Self { time, who }
    }
}

impl Paint {
    pub(super) fn new(screen: Option<Screen>, wraps: bool) -> Self {
        Self {
            screen,
            wraps,
            last: String::new(),
            time: String::new(),
        }
    }

    /// Whether a line of this session needs no heading.
    pub(super) fn is_below(&self, who: &str) -> bool {
        self.screen.is_none() || self.last == who
    }

    /// Writes a step: input, rules, notes, frames sent.
    pub(super) fn step(&mut self, origin: Origin<'_>, step: &Step, out: &mut String) {
        let mut aside = rules(step);
        if let Some(frame) = &step.input {
            self.frame(origin, frame, &std::mem::take(&mut aside), out);
        }
        for (level, note) in &step.notes {
            self.note(origin, *level, note, out);
        }
        for frame in &step.sent {
            self.frame(origin, frame, &std::mem::take(&mut aside), out);
        }
        if !aside.is_empty() {
            self.note(origin, Level::Debug, &aside, out);
        }
    }

    fn frame(&mut self, origin: Origin<'_>, frame: &Frame, aside: &str, out: &mut String) {
        let (way, size) = (arrow(frame.way), Size(frame.bytes as u64));
        let Some(screen) = self.screen else {
            plain_head(origin, out);
            let _ = write!(out, "{way:22}  {size:>8}  {}", frame.text);
            if !aside.is_empty() {
                let _ = write!(out, "  | {aside}");
            }
            out.push('\n');
            return;
        };
        self.head(screen, origin, out);
        let style = match frame.way {
            Way::From(Leg::Client) | Way::To(Leg::Client) => CLASSIC,
            Way::From(Leg::Server) | Way::To(Leg::Server) => PUBSUB,
            Way::Through(_) => PASSED,
        };
        let head = format!("{way:22} {size:>7}  ");
        self.text(screen, style, &head, &frame.text, INDENT, out);
        if !aside.is_empty() {
            let together = INDENT + frame.text.width() + 2 + aside.width();
            if together <= screen.width {
                out.push_str("  ");
                paint(screen, RULE, aside, out);
            } else {
                out.push('\n');
                let indent = self.indent(screen, INDENT);
                out.push_str(&" ".repeat(indent));
                self.text(screen, RULE, "", aside, indent, out);
            }
        }
        out.push('\n');
    }

    /// Writes a line other than a frame.
    pub(super) fn note(&mut self, origin: Origin<'_>, level: Level, note: &str, out: &mut String) {
        let style = match level {
            Level::Warn => WARNING,
            Level::Info => WHO,
            Level::Debug | Level::Trace => NOTE,
        };
        self.line(origin, style, "* ", note, out);
    }

    /// Writes the line for folded requests.
    pub(super) fn own(&mut self, origin: Origin<'_>, burst: &Burst, out: &mut String) {
        self.line(origin, NOTE, &" ".repeat(9), &burst.to_string(), out);
    }

    fn line(&mut self, origin: Origin<'_>, style: Style, head: &str, text: &str, out: &mut String) {
        match self.screen {
            None => {
                plain_head(origin, out);
                let _ = write!(out, "{head}{text}");
            }
            Some(screen) => {
                self.head(screen, origin, out);
                self.text(screen, style, head, text, TIME + head.len(), out);
            }
        }
        out.push('\n');
    }

    /// Writes a heading for the lines below.
    pub(super) fn act(&mut self, time: Duration, name: &str, out: &mut String) {
        let Some(screen) = self.screen else {
            return self.note(Origin::new(time, "the scene"), Level::Info, name, out);
        };
        self.last.clear();
        out.push('\n');
        self.text(screen, ACT, "", &format!("── {name}"), 0, out);
        out.push('\n');
    }

    /// Writes the time, unless it stands above. On a terminal a new session's name comes first.
    fn head(&mut self, screen: Screen, origin: Origin<'_>, out: &mut String) {
        if self.last != origin.who {
            if !self.last.is_empty() {
                out.push('\n');
            }
            origin.who.clone_into(&mut self.last);
            self.time.clear();
            self.text(screen, WHO, "", origin.who, 0, out);
            out.push('\n');
        }
        let time = format!("{:.1}", origin.time.as_secs_f64());
        let shown = if time == self.time { "" } else { &time };
        paint(screen, NOTE, &format!("{shown:>6}  "), out);
        self.time = time;
    }

    /// Writes a text behind its `head`, over as many lines as it needs; those below the first are indented.
    fn text(
        &self,
        screen: Screen,
        style: Style,
        head: &str,
        text: &str,
        indent: usize,
        out: &mut String,
    ) {
        let below = self.indent(screen, indent);
        // If hardly anything fits, the whole text stands below.
        let room = screen.width.saturating_sub(indent);
        let room = if room < LEAST { 0 } else { room };
        let lines = match self.wraps {
            true => wrap(text, room, screen.width.saturating_sub(below).max(LEAST)),
            false => vec![text.to_owned()],
        };
        for (at, line) in lines.iter().enumerate() {
            match at {
                0 => paint(screen, style, &format!("{head}{line}"), out),
                _ => {
                    out.push('\n');
                    out.push_str(&" ".repeat(below));
                    paint(screen, style, line, out);
                }
            }
        }
    }

    /// Column where a text begun at `indent` goes on.
    fn indent(&self, screen: Screen, indent: usize) -> usize {
        match indent + ENOUGH <= screen.width {
            true => indent,
            false => indent.min(HANGING),
        }
    }
}

fn plain_head(origin: Origin<'_>, out: &mut String) {
    let _ = write!(
        out,
        "{:8.3}  {:24}  ",
        origin.time.as_secs_f64(),
        origin.who
    );
}

fn paint(screen: Screen, style: Style, text: &str, out: &mut String) {
    let _ = match screen.colour {
        true => write!(out, "{style}{text}{style:#}"),
        false => write!(out, "{text}"),
    };
}

/// Direction of a frame: client on the left, pubshim in the middle, server on the right.
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

/// Rules of a step with their listings, and the factor.
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
