//! What the server sends beyond what is read of a stanza, or held of one: it costs that stanza alone.

use std::fmt::Write as _;

use super::stanzas::stanza_kind;
use super::{Dropped, Event, HIGH_WATER, Leg, Output, Session};
use crate::ns;
use crate::translate::Kind;
use crate::wire::named;
use crate::xml::{Element, Limits, Namespaces, Skipper, XmlError, escape, head};

/// What whoever waits for the stanza is told.
const TOO_LARGE: &str = "this was larger than pubshim may hold, and was not passed on";

impl Session {
    /// From the next stanza on, what the server sends passes whatever is in it.
    pub(super) fn trust_server(&mut self) {
        let bytes = self.options.max_server_stanza;
        self.server.framer.lenient(bytes, Limits::READ);
    }

    /// The server's stanza in work is not kept any further; it is to be [skipped](Self::skip) from its
    /// first byte.
    pub(super) fn cut_off(&mut self) {
        self.server.framer.forget();
        self.server.skipper = Some(Skipper::default());
    }

    /// Goes on with a stanza that is not kept: how many of `bytes` are its own, if it ends in them.
    pub(super) fn skip(&mut self, bytes: &[u8]) -> Option<usize> {
        let end = self.server.skipper.as_mut()?.skip(bytes)?;
        let head = self.server.skipper.take().and_then(Skipper::into_head);
        self.server.frame_since = None;
        self.handle_cut_off(head);
        Some(end)
    }

    /// All sessions together hold as much as they may.
    pub(super) fn handle_hold_refused(&mut self) {
        self.cut_unread();
        let is_kept = !self.server.pending.is_empty() && self.server.is_readable();
        if is_kept && self.is_logged_in() {
            let pending = std::mem::take(&mut self.server.pending);
            self.cut_off();
            self.skip(&pending);
        }
    }

    /// Whether an error of the server's framer costs no more than the stanza in work.
    pub(super) fn is_bearable(&self, leg: Leg, error: XmlError) -> bool {
        leg == Leg::Server && self.is_logged_in() && matches!(error, XmlError::TooBig(_))
    }

    /// Says how much is held, where that has changed by much.
    pub(super) fn note_held(&mut self) {
        let frame = self.server.pending.len() + self.server.framer.memory() + self.kept_unread();
        let frame = frame.saturating_sub(Self::FREE);
        // Reading stops at the high-water mark, so only a large stanza makes it more than twice that.
        let outgoing = self.outgoing(Leg::Client).len();
        let held = frame + outgoing.saturating_sub(2 * HIGH_WATER);
        // The shell's no would cost the frame in work, so only that asks for more.
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

    /// Takes a stanza of the server's that is too much to read.
    pub(super) fn handle_opaque(&mut self, bytes: &[u8], namespaces: &Namespaces) {
        let Some(opaque) = Element::unread(bytes, namespaces) else {
            return;
        };
        let head = head(bytes);
        let stanza = head
            .as_deref()
            .and_then(|head| Element::of_frame(head, namespaces));
        let Some(stanza) = stanza else {
            // Not even its name can be read.
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

    /// Takes an answer that nobody reads as an error; whether it is one to an IQ of ours.
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
        // What the client asked for may tell us something, too: then it does not.
        let _ = self
            .translator
            .handle_server(Kind::Iq, &error, &mut self.wire);
        false
    }

    /// Answers in place of a stanza that was not kept; of it only the `head` is known.
    fn handle_cut_off(&mut self, head: Option<Vec<u8>>) {
        let Some(namespaces) = self.server.namespaces() else {
            return;
        };
        let head = head.unwrap_or_default();
        // What is echoed in an answer is checked like any other stanza.
        let is_whole =
            matches!(self.server.framer.next(&head), Ok(Some(frame)) if frame.len == head.len());
        self.server.framer.forget();
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

    /// Answers a request that was not kept.
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

/// An error of the same name, `from`, `to` and `id` as `stanza`.
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
