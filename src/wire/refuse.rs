//! Stanzas answered in the addressee's place: with an error, or with an empty result.

use std::fmt::Write as _;

use super::named::{named, named_by};
use super::reply::error_type;
use super::{Dropped, Event, Leg, Wire};
use crate::ns;
use crate::xml::{Element, escape, standalone};

/// Answers in the client's place that may wait at most.
const MOST_ANSWERS: usize = 64;
/// The longest answer: it repeats an id of any length that a stranger chose.
const MOST_ANSWER: usize = 4096;

/// An error that answers a stanza (RFC 6120 §8.3).
#[derive(Clone, Copy)]
pub(crate) struct StanzaError<'a> {
    kind: &'a str,
    condition: &'a str,
    /// A text for people.
    text: Option<&'a str>,
}

impl<'a> StanzaError<'a> {
    /// An error of this type (`cancel`, `wait`, …) and condition.
    pub(crate) fn new(kind: &'a str, condition: &'a str) -> Self {
        let text = None;
        Self {
            kind,
            condition,
            text,
        }
    }

    /// The error with a text for people (RFC 6120 §8.3.3).
    pub(crate) fn saying(self, text: Option<&'a str>) -> Self {
        Self { text, ..self }
    }
}

impl<'a> From<&'a str> for StanzaError<'a> {
    /// The error of this condition.
    fn from(condition: &'a str) -> Self {
        Self::new(error_type(condition), condition)
    }
}

impl<P> Wire<P> {
    /// Answers a stanza of the client's with an error; it was not sent. A bare chat state gets no answer: its user has
    /// written nothing that could be missed.
    pub(crate) fn refuse<'a>(&mut self, stanza: &Element<'_>, error: impl Into<StanzaError<'a>>) {
        if is_chat_state(stanza) {
            return;
        }
        let error = error.into();
        let [from, id] = ["to", "id"].map(|name| stanza.attribute(name));
        let attributes = [("from", from.as_deref()), ("id", id.as_deref())];
        self.note_refused(Leg::Client, named(stanza), error.condition);
        self.write_error(stanza.local(), &attributes, &echo(stanza), error);
    }

    /// Shows the client an error: a stanza called `name` with those of the attributes that have a value, and `echo`, a
    /// part of the refused stanza.
    pub(crate) fn show_error<'a>(
        &mut self,
        name: &str,
        attributes: &[(&str, Option<&str>)],
        echo: &str,
        error: impl Into<StanzaError<'a>>,
    ) {
        let error = error.into();
        // The log names the client's own stanza, whose addressee the error has as its sender.
        let sent = attributes.iter().filter_map(|(name, value)| match *name {
            "from" => Some(("to", *value)),
            "to" => None,
            name => Some((name, *value)),
        });
        self.note_refused(Leg::Client, named_by(name, sent), error.condition);
        self.write_error(name, attributes, echo, error);
    }

    fn note_refused(&mut self, from: Leg, stanza: String, condition: &str) {
        self.log(Event::StanzaRefused {
            from,
            stanza,
            condition: condition.to_owned(),
        });
    }

    fn write_error(
        &mut self,
        name: &str,
        attributes: &[(&str, Option<&str>)],
        echo: &str,
        error: StanzaError<'_>,
    ) {
        let StanzaError {
            kind,
            condition,
            text,
        } = error;
        let is_addressed = attributes.iter().any(|(name, _)| *name == "to");
        let own = self.own.clone().filter(|_| !is_addressed);
        self.stanza(Leg::Client, |out| {
            // Writing to a buffer in memory cannot fail.
            let _ = write!(out, "<{name} type='error'");
            if let Some(own) = own {
                let _ = write!(out, " to='{}'", escape(&own));
            }
            for (name, value) in attributes {
                if let Some(value) = value {
                    let _ = write!(out, " {name}='{}'", escape(value));
                }
            }
            let xmlns = ns::STANZA_ERRORS;
            let _ = write!(
                out,
                ">{echo}<error type='{kind}'><{condition} xmlns='{xmlns}'/>"
            );
            if let Some(text) = text {
                let text = escape(text);
                let _ = write!(out, "<text xmlns='{xmlns}' xml:lang='en'>{text}</text>");
            }
            let _ = write!(out, "</error></{name}>");
        });
    }

    /// Tells the client, `own`, that its message of this id, which said `echo`, may not have reached `to`.
    pub(crate) fn show_unsent(
        &mut self,
        to: &str,
        own: &str,
        id: Option<&str>,
        echo: &str,
        condition: &str,
    ) {
        let attributes = [("from", Some(to)), ("to", Some(own)), ("id", id)];
        self.show_error("message", &attributes, echo, condition);
    }

    /// Tells the client, `own`, in the place of `from`, that its request of this id failed.
    pub(crate) fn show_failed(&mut self, id: &str, from: &str, own: &str, condition: &str) {
        let attributes = [("from", Some(from)), ("to", Some(own)), ("id", Some(id))];
        self.show_error("iq", &attributes, "", condition);
    }

    /// Answers a request of the client's, in the place of `from`, with this payload.
    pub(crate) fn show_answer(&mut self, id: &str, from: &str, to: &str, payload: &str) {
        self.stanza(Leg::Client, |out| {
            let (id, from, to) = (escape(id), escape(from), escape(to));
            let _ = write!(
                out,
                "<iq type='result' id='{id}' from='{from}' to='{to}'>{payload}</iq>"
            );
        });
    }

    /// Answers a request of the client's with an empty result.
    pub(crate) fn show_result(&mut self, id: &str) {
        self.stanza(Leg::Client, |out| {
            let _ = write!(out, "<iq type='result' id='{}'/>", escape(id));
        });
    }

    /// Answers a request of the server's with an empty result, in the client's place.
    pub(crate) fn answer_result(&mut self, iq: &Element<'_>) {
        self.queue_answer(iq, "result", "");
    }

    /// Answers an IQ or a message in the client's place as the server does for a resource that is not there.
    pub(crate) fn answer_unavailable(&mut self, stanza: &Element<'_>) {
        self.answer_error(stanza, "service-unavailable");
    }

    /// Answers an IQ or a message in the client's place with an error.
    pub(crate) fn answer_error(&mut self, stanza: &Element<'_>, condition: &str) {
        let xmlns = ns::STANZA_ERRORS;
        let error = format!("<error type='cancel'><{condition} xmlns='{xmlns}'/></error>");
        if self.queue_answer(stanza, "error", &error) {
            self.note_refused(Leg::Server, named(stanza), condition);
        }
    }

    /// Queues an answer in the client's place. `false`: none is sent, as the asker's id is too long or too many
    /// answers wait.
    fn queue_answer(&mut self, stanza: &Element<'_>, kind: &str, body: &str) -> bool {
        let (name, id) = (stanza.local(), stanza.attribute("id").unwrap_or_default());
        let mut answer = format!("<{name} type='{kind}' id='{}'", escape(&id));
        if let Some(from) = stanza.attribute("from") {
            let _ = write!(answer, " to='{}'", escape(&from));
        }
        match body {
            "" => answer.push_str("/>"),
            body => {
                let _ = write!(answer, ">{body}</{name}>");
            }
        }
        if self.answers.len() >= MOST_ANSWERS || answer.len() > MOST_ANSWER {
            self.drop_event(Dropped::Overflow);
            return false;
        }
        self.answers.push_back(answer.into());
        true
    }
}

/// The part of a stanza of the client's that an error repeats (RFC 6120 §8.3.1): all that a message says, so that
/// nothing written is lost; of a presence that it was to join a room (XEP-0045 §7.2), but not by which password.
fn echo(stanza: &Element<'_>) -> String {
    match stanza.local() {
        "message" => stanza.children().map(|child| standalone(&child)).collect(),
        "presence" if stanza.child(ns::MUC, "x").is_some() => format!("<x xmlns='{}'/>", ns::MUC),
        _ => String::new(),
    }
}

/// Whether a message holds nothing but a chat state (XEP-0085).
pub(crate) fn is_chat_state(message: &Element<'_>) -> bool {
    let is_state = |child: &Element<'_>| child.namespace() == ns::CHAT_STATES;
    let is_beside = |child: &Element<'_>| {
        matches!(&*child.namespace(), ns::HINTS | ns::SID) || child.local() == "thread"
    };
    message.local() == "message"
        && message.children().any(|child| is_state(&child))
        && message
            .children()
            .all(|child| is_state(&child) || is_beside(&child))
}
