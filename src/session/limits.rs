//! Server stanzas too large to be read or held: each costs that stanza alone, not the session.

use std::fmt::Write as _;

use super::stanzas::stanza_kind;
use super::{Dropped, Event, HIGH_WATER, Leg, Output, Session};
use crate::ns;
use crate::translate::Kind;
use crate::wire::named;
use crate::xml::{Element, Limits, Namespaces, Skipper, XmlError, escape, head};

/// Text of the error that is sent in place of a stanza that was not kept.
const TOO_LARGE: &str = "this was larger than pubshim may hold, and was not passed on";

impl Session {
    /// Lets the server's stanzas pass from the next one on, even if they are too deep or have too many parts to be
    /// read.
    pub(super) fn trust_server(&mut self) {
        let bytes = self.options.max_server_stanza;
        self.server.stream.framer.lenient(bytes, Limits::READ);
    }

    /// Stops keeping the server's stanza in work; it is to be [skipped](Self::skip) from its first byte.
    pub(super) fn cut_off(&mut self) {
        self.server.stream.framer.forget();
        self.server.stream.skipper = Some(Skipper::default());
    }

    /// Goes on with a stanza that is not kept: gives how many of `bytes` belong to it, if it ends in them.
    pub(super) fn skip(&mut self, bytes: &[u8]) -> Option<usize> {
        let stream = &mut self.server.stream;
        let end = stream.skipper.as_mut()?.skip(bytes)?;
        let head = stream.skipper.take().and_then(Skipper::into_head);
        stream.frame_since = None;
        self.handle_cut_off(head);
        Some(end)
    }

    /// Drops the server's unfinished stanza, as all sessions together hold too much.
    pub(super) fn handle_hold_refused(&mut self) {
        self.cut_unread();
        let is_kept = !self.server.stream.pending.is_empty() && self.server.stream.is_readable();
        if is_kept && self.is_logged_in() {
            let pending = std::mem::take(&mut self.server.stream.pending);
            self.cut_off();
            self.skip(&pending);
        }
    }

    /// Whether an error of the server's framer costs only the stanza in work.
    pub(super) fn is_bearable(&self, leg: Leg, error: XmlError) -> bool {
        leg == Leg::Server && self.is_logged_in() && matches!(error, XmlError::TooBig(_))
    }

    /// Reports to the shell how much is held, if that has changed by much.
    pub(super) fn note_held(&mut self) {
        let stream = &self.server.stream;
        let frame = stream.pending.len() + stream.framer.memory() + self.kept_unread();
        let frame = frame.saturating_sub(Self::FREE);
        // Reading stops at the high-water mark, so only a large stanza takes outgoing bytes beyond twice that.
        let outgoing = self.outgoing(Leg::Client).len();
        let held = frame + outgoing.saturating_sub(2 * HIGH_WATER);
        // A refusal costs the frame in work: outgoing bytes alone must not ask for more.
        let grows = frame > 0 && held > self.hold;
        let shrinks = held < self.hold / 4 || held == 0 && self.hold > 0;
        if grows || shrinks {
            self.hold = match held {
                0 => 0,
                held => held.next_power_of_two(),
            };
            self.wire.output(Output::Hold(self.hold));
        }
    }

    /// Handles a stanza of the server's that has too many parts to be read: reads its start tag alone.
    pub(super) fn handle_opaque(&mut self, bytes: &[u8], namespaces: &Namespaces) {
        let Some(opaque) = Element::unread(bytes, namespaces) else {
            return;
        };
        let head = head(bytes);
        let stanza = head
            .as_deref()
            .and_then(|head| Element::of_frame(head, namespaces));
        let Some(stanza) = stanza else {
            // Even its name cannot be read.
            return self.pass(Leg::Server, &opaque);
        };
        if self.handle_stream_error(Leg::Server, &stanza) {
            return;
        }
        match stanza_kind(&stanza) {
            None => return self.refuse_element(Leg::Server, &stanza),
            Some(Kind::Iq) if self.handle_unread_answer(&stanza, namespaces) => return,
            Some(Kind::Message) if self.translator.is_ours(&stanza, &opaque) => {
                let of = Some(named(&stanza));
                return self.wire.log(Event::Dropped(Dropped::Unreadable, of));
            }
            Some(_) => {}
        }
        self.pass_stanza(Leg::Server, &opaque);
    }

    /// Treats an answer that is not read like an error; `true`: it answers an IQ of ours.
    fn handle_unread_answer(&mut self, iq: &Element<'_>, namespaces: &Namespaces) -> bool {
        if !is_answer(iq) {
            return false;
        }
        let error = error_in_place(iq);
        let Some(error) = Element::of_frame(error.as_bytes(), namespaces) else {
            return false;
        };
        if self.handle_reply(&error) {
            return true;
        }
        // The translator learns from answers to the client's requests, too: this one failed for it.
        let _ = self
            .translator
            .handle_server(Kind::Iq, &error, &mut self.wire);
        false
    }

    /// Sends an error in place of a stanza that was not kept; only its start tag, `head`, is known.
    fn handle_cut_off(&mut self, head: Option<Vec<u8>>) {
        let Some(namespaces) = self.server.stream.namespaces() else {
            return;
        };
        let head = head.unwrap_or_default();
        // The error repeats attributes of the start tag, so the framer checks it like any other stanza.
        let framer = &mut self.server.stream.framer;
        let is_whole = matches!(framer.next(&head), Ok(Some(frame)) if frame.len == head.len());
        framer.forget();
        let stanza = match is_whole {
            true => Element::of_frame(&head, &namespaces),
            false => None,
        };
        self.wire.log(Event::CutOff {
            stanza: stanza.as_ref().map(named),
        });
        let Some(stanza) = stanza else {
            return;
        };
        self.note_cut_off(&head, namespaces.clone());
        self.answer_cut_off(&stanza, &namespaces);
        self.end_frame(Leg::Server);
    }

    fn answer_cut_off(&mut self, stanza: &Element<'_>, namespaces: &Namespaces) {
        if self.handle_stream_error(Leg::Server, stanza) {
            return;
        }
        match stanza_kind(stanza) {
            None => self.refuse_element(Leg::Server, stanza),
            Some(Kind::Iq) if !is_answer(stanza) => self.refuse_cut_off(stanza),
            Some(Kind::Iq) if self.handle_unread_answer(stanza, namespaces) => {}
            Some(_) => {
                let error = error_in_place(stanza);
                self.wire
                    .stanza(Leg::Client, |out| out.extend_from_slice(error.as_bytes()));
            }
        }
    }

    /// Answers a request that was not kept with an error to its sender.
    fn refuse_cut_off(&mut self, iq: &Element<'_>) {
        self.wire.stanza(Leg::Server, |out| {
            out.extend_from_slice(b"<iq type='error'");
            for (name, source) in [("to", "from"), ("id", "id")] {
                if let Some(value) = iq.attribute(source) {
                    crate::xml::put_attribute(out, name, &value);
                }
            }
            let _ = write!(out, ">{}</iq>", error());
        });
    }
}

fn is_answer(iq: &Element<'_>) -> bool {
    matches!(iq.attribute("type").as_deref(), Some("result" | "error"))
}

/// An error to the client in place of `stanza`, with its name, `from`, `to` and `id`.
fn error_in_place(stanza: &Element<'_>) -> String {
    let name = stanza.local();
    let mut text = format!("<{name} type='error'");
    for name in ["from", "to", "id"] {
        if let Some(value) = stanza.attribute(name) {
            let _ = write!(text, " {name}='{}'", escape(&value));
        }
    }
    let _ = write!(text, ">{}</{name}>", error());
    text
}

fn error() -> String {
    let xmlns = ns::STANZA_ERRORS;
    format!(
        "<error type='modify'><policy-violation xmlns='{xmlns}'/>\
         <text xmlns='{xmlns}' xml:lang='en'>{TOO_LARGE}</text></error>"
    )
}
