//! The part of a session that functions of the translation may touch: both directions, requests, the log.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | [`Wire`]: sending on each leg, IQs of ours, answers in the client's place |
//! | `refuse.rs` | stanzas answered in somebody's place |
//! | `reply.rs` | answers to IQs of ours |
//! | `requests.rs` | ids of our IQs, until when they wait, who may answer them |
//! | `pacing.rs` | how much of our own goes to the server at once |
//! | `output.rs` | outputs of a session, besides bytes |
//! | `leg.rs` | the two connections |
//! | `event.rs`, `event/text.rs` | log events, and their words |
//! | `shown.rs` | text from elsewhere in lines of the log |
//! | `dropped.rs` | why an event did not become a stanza |
//! | `forgetting.rs`, `ending.rs` | the steps of removing what pubshim has left; how a session ended |
//! | `named.rs` | stanzas as lines of the log name them |
//! | `rule.rs` | a rule of the translation, as the log names it |

mod dropped;
mod ending;
mod event;
mod forgetting;
mod leg;
mod named;
mod output;
mod pacing;
mod refuse;
mod reply;
mod requests;
mod rule;
mod shown;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

pub use dropped::Dropped;
pub use ending::Ending;
pub use event::{Event, Level};
pub use forgetting::Forgetting;
pub use leg::Leg;
pub(crate) use named::named;
pub use output::{Output, Reached, Record, Security, ServerFacts, Timing};
pub(crate) use refuse::{StanzaError, is_chat_state};
pub(crate) use reply::{NO_ANSWER, Refused, Reply, error_condition, is_gone};
pub use requests::Seed;
pub(crate) use requests::{is_own_id, leading_own_id};
pub use rule::Rule;
pub(crate) use shown::one_line;

use pacing::Pacer;
use requests::{Id, Requests};

use crate::xml::{escape, sole_element};

/// A drained buffer that has held more than this is given back.
const KEEP_BUFFER: usize = 1024;
/// Room for so many outputs is kept while there is none.
const KEEP_OUTPUTS: usize = 4;
/// A buffer that has held more than this is made smaller once half of it was sent.
const SHRINK_BUFFER: usize = 256 * 1024;

/// Bytes that wait to be sent on one leg.
#[derive(Default)]
struct Outgoing {
    bytes: BytesMut,
    /// The most it held since it was empty.
    peak: usize,
    /// Our closing tag is the last of the bytes.
    closed: bool,
}

/// The part of a session that the functions of the translation write to; `P` is the purpose of an IQ of ours, given
/// back with its answer.
pub(crate) struct Wire<P> {
    to_client: Outgoing,
    to_server: Outgoing,
    requests: Requests<P>,
    outputs: VecDeque<Output>,
    /// The client's full JID, once the server has bound it: errors are to it.
    pub(crate) own: Option<Box<str>>,
    /// Facts about the server, learned by this session or others.
    pub(crate) facts: ServerFacts,
    /// Time since the session began, counted only while the server's leg is read.
    pub(crate) read_time: Duration,
    /// How long the server may take to answer an IQ of ours.
    request_timeout: Duration,
    /// The time of the input in work.
    pub(crate) now: Duration,
    /// How long after 1970 (UTC) the clock of the inputs began.
    pub(crate) epoch: Duration,
    pacer: Pacer,
    /// Answers in the client's place that wait for their turn.
    answers: VecDeque<Bytes>,
}

impl<P> Wire<P> {
    pub(crate) fn new(seed: Seed, request_timeout: Duration, now: Duration) -> Self {
        Self {
            to_client: Outgoing::default(),
            to_server: Outgoing::default(),
            requests: Requests::new(seed),
            outputs: VecDeque::new(),
            own: None,
            facts: ServerFacts::default(),
            read_time: Duration::ZERO,
            request_timeout,
            now,
            epoch: Duration::ZERO,
            pacer: Pacer::new(now),
            answers: VecDeque::new(),
        }
    }

    /// Moves the clock to `now`, so that the pacer gains credit.
    pub(crate) fn advance_clock(&mut self, now: Duration) {
        self.now = now;
        self.pacer.advance(now);
    }

    /// The time of the input in work, in seconds since 1970 (UTC).
    pub(crate) fn unix_time(&self) -> i64 {
        i64::try_from((self.epoch + self.now).as_secs()).unwrap_or(i64::MAX)
    }

    /// Whether a request that can wait may go now: the pacer has credit, and half of the places for requests stay free
    /// for those that cannot wait.
    pub(crate) fn may_work(&self) -> bool {
        self.pacer.has_credit() && self.has_room() && !self.is_closed(Leg::Server)
    }

    /// A place for a request that can wait, if one [may go now](Self::may_work).
    pub(crate) fn spare(&mut self) -> Option<Spare<'_, P>> {
        self.may_work().then_some(Spare(self))
    }

    /// When a request that can wait may go; `None`: an answer has to come first, or the server's leg is closed.
    pub(crate) fn may_work_at(&self) -> Option<Duration> {
        (self.has_room() && !self.is_closed(Leg::Server)).then(|| self.pacer.ready_at())
    }

    fn has_room(&self) -> bool {
        self.places() > Requests::<P>::MOST / 2
    }

    /// Writes one whole stanza to `leg`: the only exit of stanzas. After our closing tag it is discarded.
    pub(crate) fn stanza(&mut self, leg: Leg, write: impl FnOnce(&mut BytesMut)) {
        self.element(leg, write, is_stanza);
    }

    /// Writes one whole stanza, as it is, to `leg`.
    pub(crate) fn copy(&mut self, leg: Leg, stanza: &[u8]) {
        self.stanza(leg, |out| out.put_slice(stanza));
    }

    /// Writes one whole element of the stream to `leg` that is no stanza (XEP-0360).
    pub(crate) fn nonza(&mut self, leg: Leg, write: impl FnOnce(&mut BytesMut)) {
        self.element(leg, write, |_| true);
    }

    fn element(
        &mut self,
        leg: Leg,
        write: impl FnOnce(&mut BytesMut),
        is_right: impl FnOnce(&str) -> bool,
    ) {
        let outgoing = self.leg_mut(leg);
        if !outgoing.closed {
            let start = outgoing.bytes.len();
            write(&mut outgoing.bytes);
            debug_assert!(
                sole_element(&outgoing.bytes[start..]).is_some_and(is_right),
                "what is written to the {leg} is not one element, or not of that kind"
            );
        }
    }

    /// The bytes that wait to be sent on `leg`.
    pub(crate) fn outgoing(&self, leg: Leg) -> &BytesMut {
        &self.leg(leg).bytes
    }

    /// Notes that `count` bytes were sent on `leg`.
    pub(crate) fn advance(&mut self, leg: Leg, count: usize) {
        let outgoing = self.leg_mut(leg);
        outgoing.peak = outgoing.peak.max(outgoing.bytes.len());
        let left = outgoing.bytes.len().saturating_sub(count);
        if left > 0 {
            outgoing.bytes.advance(count);
            if outgoing.peak > SHRINK_BUFFER && left <= outgoing.peak / 2 {
                // Copy the unsent rest of a large stanza, to give its large buffer back.
                outgoing.bytes = BytesMut::from(&*outgoing.bytes);
                outgoing.peak = left;
            }
        } else if std::mem::take(&mut outgoing.peak) > KEEP_BUFFER {
            outgoing.bytes = BytesMut::new();
        } else {
            outgoing.bytes.clear();
        }
    }

    /// Sends a closing tag on `leg`, and nothing after it.
    pub(crate) fn close(&mut self, leg: Leg, tag: &str) {
        self.send(leg, tag.as_bytes());
        self.end(leg);
    }

    /// Lets nothing more be sent on `leg`.
    pub(crate) fn end(&mut self, leg: Leg) {
        self.leg_mut(leg).closed = true;
    }

    /// Discards bytes that wait for a server that is left for another one.
    pub(crate) fn reopen_server(&mut self) {
        self.to_server = Outgoing::default();
    }

    /// Whether our closing tag was sent on `leg`.
    pub(crate) fn is_closed(&self, leg: Leg) -> bool {
        self.leg(leg).closed
    }

    fn leg(&self, leg: Leg) -> &Outgoing {
        match leg {
            Leg::Client => &self.to_client,
            Leg::Server => &self.to_server,
        }
    }

    fn leg_mut(&mut self, leg: Leg) -> &mut Outgoing {
        match leg {
            Leg::Client => &mut self.to_client,
            Leg::Server => &mut self.to_server,
        }
    }

    /// Sends `bytes` on `leg` as they are: a header, white space, a closing tag, relayed bytes.
    pub(crate) fn send(&mut self, leg: Leg, bytes: &[u8]) {
        let outgoing = self.leg_mut(leg);
        if !outgoing.closed {
            outgoing.bytes.put_slice(bytes);
        }
    }

    /// Sends an IQ of ours: `kind` is `get` or `set`, `body` writes the content.
    ///
    /// Without `to` the IQ goes to the own account. `false`: nothing was sent, as too many requests wait or the
    /// server's leg is closed.
    pub(crate) fn request(
        &mut self,
        kind: &str,
        to: Option<&str>,
        purpose: impl Into<P>,
        body: impl FnOnce(&mut BytesMut),
    ) -> bool {
        if self.is_closed(Leg::Server) {
            return false;
        }
        let deadline = self.read_time + self.request_timeout;
        let Some(id) = self.requests.start(to, deadline, purpose.into()) else {
            return false;
        };
        self.write_iq(kind, to, &id, body);
        true
    }

    /// Sends an IQ of ours whose answer is ignored, however many requests wait. `false`: the server's leg is closed.
    pub(crate) fn tell(
        &mut self,
        kind: &str,
        to: Option<&str>,
        body: impl FnOnce(&mut BytesMut),
    ) -> bool {
        if self.is_closed(Leg::Server) {
            return false;
        }
        let id = self.fresh_id();
        self.write_iq(kind, to, &id, body);
        true
    }

    fn write_iq(
        &mut self,
        kind: &str,
        to: Option<&str>,
        id: &Id,
        body: impl FnOnce(&mut BytesMut),
    ) {
        let before = self.to_server.bytes.len();
        self.stanza(Leg::Server, |out| {
            start_iq(out, kind, to, id);
            body(out);
            out.put_slice(b"</iq>");
        });
        self.pacer.spend(self.to_server.bytes.len() - before);
    }

    /// Sends answers in the client's place, as far as the pacer has credit.
    pub(crate) fn send_answers(&mut self) {
        while self.pacer.has_credit()
            && let Some(answer) = self.answers.pop_front()
        {
            self.send_own(&answer);
        }
    }

    /// Sends a stanza of ours to the server that is no request.
    pub(crate) fn send_own(&mut self, stanza: &[u8]) {
        self.copy(Leg::Server, stanza);
        self.pacer.spend(stanza.len());
    }

    /// When the next answer in the client's place may go; `None`: none waits.
    pub(crate) fn answers_at(&self) -> Option<Duration> {
        (!self.answers.is_empty()).then(|| self.pacer.ready_at())
    }

    /// Whether an IQ or stanza that others cause may go at once, on credit.
    pub(crate) fn may_react(&self) -> bool {
        self.pacer.may_overdraw()
    }

    /// Puts an event into the log.
    pub(crate) fn log(&mut self, event: Event) {
        self.outputs.push_back(Output::Log(event));
    }

    /// Logs that a rule is applied to the stanza in work.
    pub(crate) fn apply(&mut self, rule: &'static Rule) {
        self.log(Event::Applied(rule));
    }

    /// Logs that an event is not shown to the client.
    pub(crate) fn drop_event(&mut self, reason: Dropped) {
        self.log(Event::Dropped(reason, None));
    }

    /// Remembers a fact about the server, for other sessions, too.
    pub(crate) fn learn(&mut self, note: impl FnOnce(&mut ServerFacts)) {
        note(&mut self.facts);
        self.output(Output::Learned(self.facts));
    }

    /// Asks the shell for something.
    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            self.outputs.shrink_to(KEEP_OUTPUTS);
        }
        output
    }
}

fn is_stanza(name: &str) -> bool {
    matches!(name, "message" | "presence" | "iq")
}

/// A place for one request: sending it cannot fail.
pub(crate) struct Spare<'a, P>(&'a mut Wire<P>);

impl<P> Spare<'_, P> {
    /// As [`Wire::request`].
    pub(crate) fn request(
        self,
        kind: &str,
        to: Option<&str>,
        purpose: impl Into<P>,
        body: impl FnOnce(&mut BytesMut),
    ) {
        self.0.request(kind, to, purpose, body);
    }
}

fn start_iq(out: &mut BytesMut, kind: &str, to: Option<&str>, id: &Id) {
    // Writing to a buffer in memory cannot fail.
    let _ = write!(out, "<iq type='{kind}' id='{id}'");
    if let Some(to) = to {
        let _ = write!(out, " to='{}'", escape(to));
    }
    out.put_slice(b">");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_large_stanza_needed_is_given_back_while_it_is_sent() {
        let mut wire: Wire<()> = Wire::new(Seed([0; 32]), Duration::ZERO, Duration::ZERO);
        let stanza: Vec<u8> = (0..=u8::MAX).cycle().take(16 << 20).collect();
        wire.send(Leg::Client, &stanza);
        let mut sent = 0;
        while sent < stanza.len() {
            assert!(wire.outgoing(Leg::Client)[..] == stanza[sent..]);
            sent += 1_000_003;
            wire.advance(Leg::Client, 1_000_003);
            let room = 2 * stanza.len().saturating_sub(sent) + SHRINK_BUFFER;
            let has_room = wire.to_client.bytes.try_reclaim(room);
            assert!(!has_room, "more room than needed after {sent}");
        }
    }

    /// Debug builds check every write, so each test of a session checks this, too.
    fn write(stanza: &'static str) {
        let mut wire: Wire<()> = Wire::new(Seed([0; 32]), Duration::ZERO, Duration::ZERO);
        wire.stanza(Leg::Server, |out| out.put_slice(stanza.as_bytes()));
    }

    #[test]
    fn a_write_is_one_stanza() {
        write("<presence/>");
        write("<iq type='get'><query xmlns='jabber:iq:roster'/></iq>");
    }

    #[test]
    #[should_panic(expected = "not one element")]
    fn two_stanzas_are_two_writes() {
        write("<presence/><presence/>");
    }

    #[test]
    #[should_panic(expected = "not one element")]
    fn half_a_stanza_is_none() {
        write("<message><body>");
    }

    #[test]
    #[should_panic(expected = "not one element")]
    fn an_element_of_the_stream_is_no_stanza() {
        write("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    }
}
