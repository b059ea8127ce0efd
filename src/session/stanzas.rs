//! Stanzas between a client that is logged in and its server: passed, translated, or refused.

use bytes::{BufMut as _, BytesMut};

use super::{Event, Leg, Session};
use crate::ns;
use crate::translate::{Kind, Verdict, rules};
use crate::wire::named;
use crate::xml::Element;

impl Session {
    pub(super) fn handle_client_stanza(&mut self, stanza: &Element<'_>) {
        let Some(kind) = stanza_kind(stanza) else {
            return self.refuse_element(Leg::Client, stanza);
        };
        if self.translator.handle_client(kind, stanza, &mut self.wire) == Verdict::Pass {
            self.pass_stanza(Leg::Client, stanza);
        }
    }

    pub(super) fn handle_server_stanza(&mut self, stanza: &Element<'_>) {
        let Some(kind) = stanza_kind(stanza) else {
            return self.refuse_element(Leg::Server, stanza);
        };
        let is_ours = kind == Kind::Iq && self.handle_reply(stanza);
        if !is_ours && self.translator.handle_server(kind, stanza, &mut self.wire) == Verdict::Pass
        {
            self.pass_stanza(Leg::Server, stanza);
        }
    }

    /// Passes an element on as it came.
    pub(super) fn pass(&mut self, from: Leg, element: &Element<'_>) {
        let write = |out: &mut BytesMut| out.put_slice(element.raw().as_bytes());
        self.wire.nonza(from.other(), write);
    }

    /// Passes a stanza on as it came.
    pub(super) fn pass_stanza(&mut self, from: Leg, stanza: &Element<'_>) {
        let write = |out: &mut BytesMut| out.put_slice(stanza.raw().as_bytes());
        self.wire.stanza(from.other(), write);
    }

    /// Handles the answer to an IQ of ours; `false` if `iq` is none.
    pub(super) fn handle_reply(&mut self, iq: &Element<'_>) -> bool {
        let Some(id) = iq.attribute("id") else {
            return false;
        };
        let is_answer = matches!(iq.attribute("type").as_deref(), Some("result" | "error"));
        if !is_answer || !self.wire.is_ours(&id) {
            return false;
        }
        self.wire.apply(&rules::REPLY);
        let from = iq.attribute("from");
        let own = self.translator.jid();
        // An answer that is late, or not from whom we asked, is swallowed: the client has not asked either.
        if let Some(ask) = self.wire.take(&id, from.as_deref(), own) {
            self.translator.handle_answer(ask, iq, &mut self.wire);
        }
        true
    }

    /// Refuses a top-level element that is no stanza.
    pub(super) fn refuse_element(&mut self, leg: Leg, element: &Element<'_>) {
        let namespace = element.namespace();
        if (&*namespace, leg) == (ns::CSI, Leg::Client) {
            // A server holds events back from an inactive client, but we need them.
            return self.wire.apply(&rules::CSI);
        }
        self.wire.apply(&rules::REFUSED);
        self.wire.log(Event::ElementRefused(leg, named(element)));
        if leg == Leg::Server {
            // An element of the server's that nobody asked for is no reason to lose the session.
            return;
        }
        let answer = match (&*namespace, element.local()) {
            (ns::SM | ns::SM2, "enable" | "resume") => format!(
                "<failed xmlns='{namespace}'><feature-not-implemented xmlns='{}'/></failed>",
                ns::STANZA_ERRORS
            ),
            (ns::SM | ns::SM2, _) => return,
            (ns::COMPRESS, "compress") => {
                format!(
                    "<failure xmlns='{}'><setup-failed/></failure>",
                    ns::COMPRESS
                )
            }
            _ => {
                return self.refuse(
                    "unsupported-stanza-type",
                    "the client sent an element that was not offered",
                );
            }
        };
        let write = |out: &mut BytesMut| out.put_slice(answer.as_bytes());
        self.wire.nonza(Leg::Client, write);
    }
}

pub(super) fn stanza_kind(element: &Element<'_>) -> Option<Kind> {
    let kind = match element.local() {
        "message" => Kind::Message,
        "presence" => Kind::Presence,
        "iq" => Kind::Iq,
        _ => return None,
    };
    (element.namespace() == ns::CLIENT).then_some(kind)
}
