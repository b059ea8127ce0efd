//! An input of a session, its outputs, and what is shown of them.

use std::borrow::Cow;
use std::time::Duration;

use super::json;
use super::nature::Nature;
use super::options::{Form, Options};
use super::short::{name, short};
use super::total::{Burst, Total};
use crate::fixture::{Cutter, HEADER, Keep, Recording, redact};
use crate::session::{Dropped, Event, Leg, Level, Output, Record, Rule};
use crate::xml::{Element, Namespaces, is_unsafe, shown};

/// Most children of a stanza that filters look at.
const MOST_CHILDREN: usize = 64;

/// State of a session in the view.
pub(super) struct Session {
    /// Full JID of the client, on one line; before login the session's number.
    pub(super) who: String,
    /// Full JID of the client; empty before login.
    jid: String,
    pub(super) logged_in: bool,
    /// Bytes since login.
    pub(super) total: Total,
    /// Number of steps shown.
    pub(super) shown: u64,
    /// Requests folded since a line was shown.
    pub(super) burst: Burst,
    sent: [Cutter; 2],
    /// Recording of the session, for [`Form::Json`].
    recording: Option<Recording>,
}

/// An input and its outputs.
#[derive(Default)]
pub(super) struct Step {
    /// The input; `None` if it was no bytes.
    pub(super) input: Option<Frame>,
    pub(super) sent: Vec<Frame>,
    pub(super) rules: Vec<&'static Rule>,
    pub(super) notes: Vec<(Level, String)>,
    pub(super) total: Total,
    /// The step as a recording has it, for [`Form::Json`].
    entries: Vec<json::Entry>,
}

/// A frame received or sent.
pub(super) struct Frame {
    pub(super) way: Way,
    pub(super) bytes: usize,
    /// Text shown, on one line.
    pub(super) text: String,
    pub(super) nature: Nature,
    /// Names of the stanza and of elements in it, for filters.
    functions: Vec<String>,
    /// Addresses in the stanza, for filters.
    addresses: Vec<String>,
    raw: Vec<u8>,
}

/// Direction of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Received from a leg.
    From(Leg),
    /// Sent on a leg.
    To(Leg),
    /// Received from a leg and sent on the other unchanged.
    Through(Leg),
}

impl Session {
    pub(super) fn new(number: u64, options: &Options) -> Self {
        Self {
            who: format!("session {number}"),
            jid: String::new(),
            logged_in: false,
            total: Total::default(),
            shown: 0,
            burst: Burst::default(),
            sent: [Cutter::new(HEADER), Cutter::new(HEADER)],
            recording: (options.form == Form::Json)
                .then(|| Recording::new(Keep::bodies(options.bodies))),
        }
    }

    /// Full JID of the client; `None` before login.
    pub(super) fn jid(&self) -> Option<&str> {
        Some(&*self.jid).filter(|jid| !jid.is_empty())
    }

    /// Adds an output to its step.
    pub(super) fn note(&mut self, output: &Output, options: &Options, step: &mut Step) {
        if let Some(recording) = &mut self.recording {
            json::Entry::add(&mut step.entries, recording, output);
        }
        match output {
            Output::Recorded(Record::From(leg, bytes, namespaces)) => {
                step.total.receive(*leg, bytes.len());
                step.input = self.frame(Way::From(*leg), bytes, Some(namespaces), options);
            }
            Output::Recorded(Record::CutOff(leg, head, namespaces)) => {
                step.total.receive(*leg, head.len());
                step.input = self.frame(Way::From(*leg), head, Some(namespaces), options);
                if let Some(frame) = &mut step.input {
                    frame.text.push_str(" (cut off)");
                }
            }
            Output::Recorded(Record::FromRaw(leg, bytes) | Record::TooLarge(leg, bytes)) => {
                step.total.receive(*leg, bytes.len());
                step.input = self.frame(Way::From(*leg), bytes, None, options);
            }
            Output::Recorded(Record::To(leg, bytes)) => {
                step.total.send(*leg, bytes.len());
                self.note_sent(*leg, bytes, options, step);
            }
            Output::Recorded(Record::Ends(leg)) => {
                let text = format!("the {leg} has gone");
                step.notes.push((Level::Debug, text));
            }
            Output::Log(Event::Applied(rule)) => step.rules.push(rule),
            Output::Log(event) => {
                if let Event::LoggedIn(jid) = event {
                    self.who = one_line(jid).into_owned();
                    self.jid.clone_from(jid);
                    self.logged_in = true;
                }
                self.logged_in |= matches!(event, Event::Relaying(_));
                let text = one_line(&event.to_string()).into_owned();
                let level = match event {
                    Event::Dropped(reason, _) if is_usual(*reason) => Level::Trace,
                    event => event.level(),
                };
                step.notes.push((level, text));
            }
            _ => {}
        }
    }

    fn note_sent(&mut self, leg: Leg, bytes: &[u8], options: &Options, step: &mut Step) {
        let text = String::from_utf8_lossy(bytes);
        let (cuts, rest) = self.sent[leg as usize].cut(&text);
        for cut in cuts {
            let namespaces = cut.namespaces.as_deref();
            let frame = self.frame(Way::To(leg), cut.text.as_bytes(), namespaces, options);
            let Some(frame) = frame else { continue };
            match &mut step.input {
                Some(input) if input.way == Way::From(leg.other()) && input.raw == frame.raw => {
                    input.way = Way::Through(leg.other());
                }
                _ => step.sent.push(frame),
            }
        }
        if let Some((rest, _)) = rest {
            step.sent
                .extend(self.frame(Way::To(leg), rest.as_bytes(), None, options));
        }
    }

    /// A frame with its text; `None` for white space.
    fn frame(
        &self,
        way: Way,
        bytes: &[u8],
        namespaces: Option<&Namespaces>,
        options: &Options,
    ) -> Option<Frame> {
        let text = String::from_utf8_lossy(bytes);
        if text.trim().is_empty() {
            return None;
        }
        let mut frame = Frame {
            way,
            bytes: bytes.len(),
            text: String::new(),
            nature: Nature::default(),
            functions: Vec::new(),
            addresses: Vec::new(),
            raw: bytes.to_vec(),
        };
        let is_element = !text.starts_with("</") && !text.starts_with("<?");
        let element = namespaces
            .filter(|_| is_element)
            .and_then(|namespaces| Some((Element::of_frame(bytes, namespaces)?, namespaces)));
        match element {
            Some((element, namespaces)) => self.describe(&element, namespaces, options, &mut frame),
            // Tags of a stream hold no secret.
            None if namespaces.is_some() => frame.text = one_line(&text).into_owned(),
            None => frame.text = "(this is no XML)".to_owned(),
        }
        Some(frame)
    }

    fn describe(
        &self,
        element: &Element<'_>,
        namespaces: &Namespaces,
        options: &Options,
        frame: &mut Frame,
    ) {
        if !options.only.is_empty() {
            note_for_filters(element, frame);
        }
        frame.nature = Nature::of(element);
        let redacted = redact(element, Keep::bodies(options.bodies));
        let text = match Element::of_frame(redacted.as_bytes(), namespaces) {
            Some(redacted) if options.form == Form::Short => short(&redacted, &self.jid),
            _ => redacted,
        };
        frame.text = one_line(&text).into_owned();
    }
}

/// Whether events are dropped for this reason all the time, and the user misses nothing.
fn is_usual(reason: Dropped) -> bool {
    matches!(
        reason,
        Dropped::Seen | Dropped::Delayed | Dropped::Retracted | Dropped::Unavailable
    )
}

/// Notes functions and addresses of a stanza for filters.
fn note_for_filters(element: &Element<'_>, frame: &mut Frame) {
    frame.functions.push(element.local().to_owned());
    for child in element.children().take(MOST_CHILDREN) {
        frame.functions.push(name(&child));
    }
    for name in ["from", "to"] {
        frame
            .addresses
            .extend(element.attribute(name).map(Cow::into_owned));
    }
}

impl Step {
    pub(super) fn is_empty(&self) -> bool {
        self.input.is_none()
            && self.sent.is_empty()
            && self.rules.is_empty()
            && self.notes.is_empty()
            && self.entries.is_empty()
    }

    /// Writes a line of JSON for each entry; the first one has the rules.
    pub(super) fn write(&self, time: Duration, number: u64, who: Option<&str>, out: &mut String) {
        let mut rules: Vec<_> = self.rules.iter().map(|rule| rule.name).collect();
        for entry in &self.entries {
            let mut line = json::Line::new(time, number, who, "").of(entry);
            line.rules = &rules;
            line.write(out);
            rules.clear();
        }
    }

    /// Whether the filters of `options` let the step be shown. Warnings always are.
    pub(super) fn is_shown(&self, session: &Session, options: &Options) -> bool {
        if self.notes.iter().any(|(level, _)| *level == Level::Warn) {
            return true;
        }
        let mut functions: Vec<_> = self.rules.iter().map(|rule| rule.name).collect();
        let mut addresses = vec![session.jid.as_str()];
        for frame in self.input.iter().chain(&self.sent) {
            functions.extend(frame.functions.iter().map(String::as_str));
            addresses.extend(frame.addresses.iter().map(String::as_str));
        }
        options.shows(&functions, &addresses)
    }
}

/// `text` on one line, without characters that a terminal acts on.
fn one_line(text: &str) -> Cow<'_, str> {
    match text.contains(is_unsafe) {
        true => Cow::Owned(shown(&text.replace(['\n', '\r', '\t'], " ")).into_owned()),
        false => Cow::Borrowed(text),
    }
}
