//! Steps as JSON, an object a line: the content of a recording, for other programs.

use std::time::Duration;

use serde::Serialize;

use crate::fixture::{Cutter, HEADER, Keep, Recording};
use crate::session::{Output, Record};

/// Turns outputs of one session into entries.
pub(super) struct Writer {
    recording: Recording,
    sent: [Cutter; 2],
}

/// One step as a line of JSON.
#[derive(Serialize)]
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
    count: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    rules: &'a [&'a str],
}

/// A step of a recording.
pub(super) struct Entry {
    text: String,
    bytes: Option<usize>,
}

impl Writer {
    pub(super) fn new(bodies: bool) -> Self {
        Self {
            recording: Recording::new(Keep::bodies(bodies)),
            sent: [Cutter::new(HEADER), Cutter::new(HEADER)],
        }
    }

    /// Adds the entries for an output.
    pub(super) fn note(&mut self, output: &Output, entries: &mut Vec<Entry>) {
        let Output::Recorded(Record::To(leg, bytes)) = output else {
            return self.record(output, size(output), entries);
        };
        // Stanzas sent at once become a step each.
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (cuts, rest) = self.sent[*leg as usize].cut(&text);
        let cuts = cuts.into_iter().map(|cut| cut.text);
        for part in cuts.chain(rest.map(|(rest, _)| rest)) {
            let part = part.into_bytes();
            let size = part.len();
            let output = Output::Recorded(Record::To(*leg, part));
            self.record(&output, Some(size), entries);
        }
    }

    fn record(&mut self, output: &Output, bytes: Option<usize>, entries: &mut Vec<Entry>) {
        let mut text = String::new();
        self.recording.write(output, &mut text);
        let text = text.trim_matches('\n').to_owned();
        if !text.is_empty() {
            entries.push(Entry { text, bytes });
        }
    }
}

impl<'a> Line<'a> {
    /// A line about a session without content.
    pub(super) fn new(time: Duration, session: u64, who: Option<&'a str>, step: &'a str) -> Self {
        Self {
            time: time.as_millis() as f64 / 1000.0,
            session,
            who,
            step,
            leg: None,
            xml: None,
            text: None,
            bytes: None,
            count: None,
            rules: &[],
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

    pub(super) fn count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    pub(super) fn rules(mut self, rules: &'a [&'a str]) -> Self {
        self.rules = rules;
        self
    }

    pub(super) fn write(&self, out: &mut String) {
        // Names and numbers cannot fail to be written.
        out.push_str(&serde_json::to_string(self).unwrap_or_default());
        out.push('\n');
    }
}

impl Entry {
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

/// Size of an input that was recorded as it came.
fn size(output: &Output) -> Option<usize> {
    match output {
        Output::Recorded(Record::From(_, bytes, _)) => Some(bytes.len()),
        _ => None,
    }
}
