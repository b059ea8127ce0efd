//! What a translator may touch of its session: both directions, requests, the log.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::requests::{Id, Requests, Seed};
use super::{Dropped, Event, Leg, Output, ServerFacts};
use crate::translate::Purpose;
use crate::xml::{Element, escape};

/// The part of a session that its translators write to.
pub(crate) struct Wire {
    to_client: BytesMut,
    to_server: BytesMut,
    pub(crate) requests: Requests,
    outputs: VecDeque<Output>,
    /// The client's full JID; empty until the server has bound it.
    pub(crate) jid: String,
    /// What is known of the server.
    pub(crate) facts: ServerFacts,
    /// Time, counted only while the server's leg is read.
    pub(crate) read_time: Duration,
    /// How long an IQ of ours may take.
    request_timeout: Duration,
}

impl Wire {
    pub(crate) fn new(seed: Seed, request_timeout: Duration) -> Self {
        Self {
            to_client: BytesMut::new(),
            to_server: BytesMut::new(),
            requests: Requests::new(seed),
            outputs: VecDeque::new(),
            jid: String::new(),
            facts: ServerFacts::default(),
            read_time: Duration::ZERO,
            request_timeout,
        }
    }

    /// What waits to be sent on `leg`; append to send.
    pub(crate) fn to(&mut self, leg: Leg) -> &mut BytesMut {
        match leg {
            Leg::Client => &mut self.to_client,
            Leg::Server => &mut self.to_server,
        }
    }

    /// What waits to be sent on `leg`.
    pub(crate) fn outgoing(&self, leg: Leg) -> &BytesMut {
        match leg {
            Leg::Client => &self.to_client,
            Leg::Server => &self.to_server,
        }
    }

    /// Sends `bytes` on `leg` as they are.
    pub(crate) fn send(&mut self, leg: Leg, bytes: &[u8]) {
        self.to(leg).put_slice(bytes);
    }

    /// Sends an IQ of ours: `kind` is `get` or `set`, `body` writes what is inside.
    ///
    /// Without `to` it goes to the own account. `false`: too many wait already, nothing was sent.
    pub(crate) fn request(
        &mut self,
        kind: &str,
        to: Option<&str>,
        purpose: Purpose,
        body: impl FnOnce(&mut BytesMut),
    ) -> bool {
        let deadline = self.read_time + self.request_timeout;
        let Some(id) = self.requests.start(to, deadline, purpose) else {
            return false;
        };
        self.start_iq(kind, to, &id);
        body(&mut self.to_server);
        self.to_server.put_slice(b"</iq>");
        true
    }

    fn start_iq(&mut self, kind: &str, to: Option<&str>, id: &Id) {
        // Writing to a buffer in memory cannot fail.
        let _ = write!(self.to_server, "<iq type='{kind}' id='{id}'");
        if let Some(to) = to {
            let _ = write!(self.to_server, " to='{}'", escape(to));
        }
        self.to_server.put_slice(b">");
    }

    /// Answers a request of the server's with an empty result, in the client's place.
    pub(crate) fn answer_result(&mut self, iq: &Element<'_>) {
        let id = iq.attribute("id").unwrap_or_default();
        let _ = write!(self.to_server, "<iq type='result' id='{}'", escape(&id));
        if let Some(from) = iq.attribute("from") {
            let _ = write!(self.to_server, " to='{}'", escape(&from));
        }
        self.to_server.put_slice(b"/>");
    }

    /// Notes something for the log.
    pub(crate) fn log(&mut self, event: Event) {
        self.outputs.push_back(Output::Log(event));
    }

    /// Notes that something from pubsub is not shown to the client.
    pub(crate) fn drop_event(&mut self, reason: Dropped) {
        self.log(Event::Dropped(reason));
    }

    /// Notes what is true of the server for other sessions, too.
    pub(crate) fn learn(&mut self, facts: ServerFacts) {
        self.facts = facts;
        self.output(Output::Learned(facts));
    }

    /// Asks the shell for something.
    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
