//! Steps as JSON, an object a line: the content of a recording, for other programs.

use std::time::Duration;

use serde::Serialize;

use crate::fixture::Recording;
use crate::session::Output;

/// One step as a line of JSON.
#[derive(Default, Serialize)]
pub(super) struct Line<'a> {
    time: f64,
    session: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<&'a str>,
    step: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    leg: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    xml: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) rules: &'a [&'a str],
}

impl<'a> Line<'a> {
    /// A line about a session without content.
    pub(super) fn new(time: Duration, session: u64, who: Option<&'a str>, step: &'a str) -> Self {
        Self {
            time: time.as_millis() as f64 / 1000.0,
            session,
            who,
            step,
            ..Self::default()
        }
    }

    /// The line with the content of an entry.
    pub(super) fn of(mut self, entry: &'a Entry) -> Self {
        let (step, said) = entry.parts();
        self.step = step;
        self.leg = leg(step);
        self.bytes = entry.bytes;
        match said.as_deref().unwrap_or_default().starts_with('<') {
            true => self.xml = said,
            false => self.text = said,
        }
        self
    }

    pub(super) fn write(&self, out: &mut String) {
        // Names and numbers cannot fail to be written.
        out.push_str(&serde_json::to_string(self).unwrap_or_default());
        out.push('\n');
    }
}

/// A step of a recording.
pub(super) struct Entry {
    text: String,
    bytes: Option<usize>,
}

impl Entry {
    /// Adds the entries for an output.
    pub(super) fn add(entries: &mut Vec<Self>, recording: &mut Recording, output: &Output) {
        recording.each_step(output, |step, bytes| {
            let text = step.trim_matches('\n').to_owned();
            entries.push(Self { text, bytes });
        });
    }

    /// The step's name in a recording, and its content: the rest of the line, or the lines behind bars.
    fn parts(&self) -> (&str, Option<String>) {
        if let Some((head, lines)) = self.text.split_once(":\n") {
            let lines = lines.split('\n');
            let lines = lines.filter_map(|it| it.strip_prefix("| ").or(it.strip_prefix('|')));
            return (head, Some(lines.collect::<Vec<_>>().join("\n")));
        }
        if let Some((head, said)) = self.text.split_once(": ") {
            return (head, Some(said.to_owned()));
        }
        for head in ["connect", "redirected to", "connected", "date", "wait"] {
            let said = self.text.strip_prefix(head);
            if let Some(said) = said.and_then(|it| it.strip_prefix(' ')) {
                return (head, Some(said.to_owned()));
            }
        }
        (&self.text, None)
    }
}

/// Leg named by a step.
fn leg(step: &str) -> Option<&'static str> {
    let mut words = step.split(' ').take(2);
    words.find_map(|word| match word {
        "client" => Some("client"),
        "server" => Some("server"),
        _ => None,
    })
}
