//! One client's stream as a state machine without I/O.
//!
//! [`Session`] takes what happens ([`Input`]) with the time it happens, and gives what is to be done
//! ([`Output`]) and sent. It never reads a clock, a socket or a source of randomness, so a recorded
//! stream gives the same result every time.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | [`Session`]: inputs, outputs, frames to handlers |
//! | `phase.rs` | the stages of a session |
//! | `postponed.rs` | what the server has said and the client is yet to see |
//! | `negotiation.rs` | headers, features, STARTTLS, SASL, binding |
//! | `clock.rs` | deadlines |
//! | `login_name.rs` | whose login it is, for the log |
//! | `client_tls.rs` | TLS on the client's leg |
//! | `reaching.rs` | servers that are none, other servers to be tried |
//! | `compression.rs` | agreeing with the server to compress |
//! | `relay.rs` | what passes unread under `off` |
//! | `limits.rs` | what is too large to be read or held, and answered in its place |
//! | `stanzas.rs` | what passes, what is translated, what is refused once logged in |
//! | `closing.rs` | closing tags, stream errors, going offline |
//! | `input.rs`, `options.rs` | what goes in; what is configured |
//! | `tap.rs` | what is noted of a session that is recorded |

mod client_tls;
mod clock;
mod closing;
mod compression;
mod connection;
mod input;
mod limits;
mod login_name;
mod negotiation;
mod options;
mod phase;
mod postponed;
mod reaching;
mod relay;
mod stanzas;
mod tap;

use std::sync::Arc;
use std::time::Duration;

pub use crate::policy::{Chat, Forget, Function, Policy};
pub use crate::wire::{
    Dropped, Ending, Event, Forgetting, Leg, Level, Output, Reached, Record, Rule, Security, Seed,
    ServerFacts,
};
pub use input::Input;
pub use options::{ClientTls, Compress, Options, Timeouts};

use client_tls::Tls;
use connection::Connection;
pub(crate) use negotiation::header_to;
use phase::Phase;
use postponed::Postponed;

use crate::translate::{Translator, Wire};
use crate::xml::{Element, Frame, FrameKind};

/// More than this many outgoing bytes on one leg stop the reading of the other.
const HIGH_WATER: usize = 64 * 1024;

/// What the client is told whose account was to be forgotten.
const FORGOTTEN: &str =
    "pubshim forget is done with this account and stops; where it was started it says what it did";

/// A client's session: two streams and what is translated between them.
///
/// The shell feeds it with [`handle`](Self::handle), then does what [`poll`](Self::poll) says and sends
/// what is [`outgoing`](Self::outgoing), until neither has anything left; it reads a leg only while
/// the session [`wants`](Self::wants) it, and comes back at [`timeout`](Self::timeout). Times are
/// measured from any fixed point, the same for all calls.
pub struct Session {
    options: Arc<Options>,
    phase: Phase,
    client: Connection,
    server: Connection,
    wire: Wire,
    translator: Translator,
    /// The domain the client named.
    domain: String,
    /// The client's stream header as it came, until it was sent on.
    header: Vec<u8>,
    /// Whether compression is still to be agreed on.
    compress: Compress,
    /// What the server has said on the stream that is opening, until the client is shown it for good.
    postponed: Postponed,
    /// TLS on the client's leg.
    tls: Tls,
    /// The server that was reached.
    server_at: reaching::ServerAt,
    /// What follows the frame in work is compressed.
    begins_compression: bool,
    /// The client has begun to log in, one way or another.
    login_tried: bool,
    /// The server has refused a login.
    login_failed: bool,
    /// SASL has succeeded.
    authenticated: bool,
    /// The client's next frame has waited.
    has_waited: bool,
    /// The id of the client's bind request, until it is answered.
    login_id: Option<String>,
    /// Whom the client logs in as, where it says so in plain sight.
    login_name: Option<String>,
    now: Duration,
    started: Duration,
    /// Since when the server's leg is not read.
    unread_since: Option<Duration>,
    /// When the translator goes on by itself.
    wake: Option<Duration>,
    /// When a closing session ends even if the other side says nothing.
    closing: Option<Duration>,
    /// What has ended the session.
    ending: Option<Ending>,
    /// What the shell was told that is held.
    hold: usize,
    /// Set if the session is recorded.
    tap: Option<Box<tap::Tap>>,
}

impl Session {
    /// So many bytes of unfinished stanzas may be held without asking.
    pub const FREE: usize = 64 * 1024;

    /// A session for a client that has just connected at `now`.
    pub fn new(options: Arc<Options>, seed: Seed, now: Duration) -> Self {
        let limits = options.limits_before_login;
        Self {
            phase: Phase::AwaitHeader,
            client: Connection::new(limits),
            server: Connection::new(limits),
            wire: Wire::new(seed, options.timeouts.request, now),
            translator: Translator::new(
                options.policy,
                &options.native,
                options.chat,
                &options.rooms,
                options.rooms_open,
                options.forget,
            ),
            domain: String::new(),
            header: Vec::new(),
            compress: options.compress,
            postponed: Postponed::default(),
            tls: Tls::default(),
            server_at: reaching::ServerAt::default(),
            begins_compression: false,
            login_tried: false,
            login_failed: false,
            authenticated: false,
            has_waited: false,
            login_id: None,
            login_name: None,
            now,
            started: now,
            unread_since: None,
            wake: None,
            closing: None,
            ending: None,
            hold: 0,
            tap: None,
            options,
        }
    }

    /// Tells what time it is: so long after 1970 (UTC) the clock of the inputs began. Messages of rooms are stamped
    /// with it; without it they are from 1970.
    pub fn set_epoch(&mut self, epoch: Duration) {
        self.wire.epoch = epoch;
    }

    /// Takes in what happened at `now`.
    pub fn handle(&mut self, input: Input<'_>, now: Duration) {
        if self.is_closed() {
            return;
        }
        self.advance_clock(now);
        self.note_input(&input);
        match input {
            Input::Bytes(leg, bytes) => self.handle_bytes(leg, bytes),
            Input::Eof(leg) => self.handle_eof(leg),
            Input::Connected(reached) => {
                self.wire.facts = reached.facts;
                self.handle_connected(reached);
            }
            Input::MayCompress => self.handle_may_compress(),
            Input::MayNotCompress(reason) => self.handle_may_not_compress(&reason),
            Input::Secured => self.handle_secured(),
            Input::ClientSecured => self.handle_client_secured(),
            Input::ClientNotSecured(reason) => self.handle_client_not_secured(&reason),
            Input::Failed(reason) => self.handle_failed(&reason),
            Input::Timeout => self.handle_timeout(),
            Input::HoldRefused => self.handle_hold_refused(),
            Input::Shutdown => self.handle_shutdown(),
        }
        self.note_outgoing();
        self.resume_held();
        self.settle();
        self.note_outgoing();
        self.note_held();
        self.advance_clock(now);
        self.tell_end();
    }

    /// The next thing to do, if there is one.
    pub fn poll(&mut self) -> Option<Output> {
        self.wire.poll()
    }

    /// The bytes to send on `leg`.
    pub fn outgoing(&self, leg: Leg) -> &[u8] {
        self.wire.outgoing(leg)
    }

    /// Notes that `count` of the outgoing bytes were sent on `leg` at `now`.
    pub fn sent(&mut self, leg: Leg, count: usize, now: Duration) {
        self.wire.advance(leg, count);
        self.note_sent(leg, count);
        if count > 0 {
            self.connection_mut(leg).stalled_since = None;
        }
        self.note_held();
        self.advance_clock(now);
    }

    /// Whether `leg` is to be read: not while the other side is slower, or has to answer first.
    pub fn wants(&self, leg: Leg) -> bool {
        let connection = self.connection(leg);
        // During a handshake what comes is the shell's.
        let is_handshaking = leg == Leg::Client && self.tls == Tls::Accepting;
        if self.is_over(leg) || connection.eof || is_handshaking {
            return false;
        }
        let has_room = self.outgoing(leg.other()).len() < HIGH_WATER;
        match leg {
            _ if self.is_relaying() => has_room,
            // A full buffer towards the server must not stop the reading of the server: that would be
            // a deadlock. What a client causes towards itself is bounded by not reading it.
            Leg::Server => has_room && !connection.held,
            Leg::Client => {
                let is_patient = connection.pending.len() < self.options.limits_before_login.bytes;
                has_room
                    && self.outgoing(leg).len() < HIGH_WATER
                    && (!connection.held || is_patient)
            }
        }
    }

    /// Whether what still comes on `leg` goes nowhere.
    pub fn is_over(&self, leg: Leg) -> bool {
        let connection = self.connection(leg);
        connection.ended
            || match self.is_relaying() {
                true => self.wire.is_closed(leg.other()),
                false => connection.finished,
            }
    }

    /// Whether the session is over: both legs are to be closed once their bytes are sent.
    pub fn is_closed(&self) -> bool {
        self.client.finished && self.server.finished
    }

    /// The client's full JID, once the server has bound one.
    pub fn jid(&self) -> Option<&str> {
        Some(self.translator.jid()).filter(|jid| !jid.is_empty())
    }

    fn connection(&self, leg: Leg) -> &Connection {
        match leg {
            Leg::Client => &self.client,
            Leg::Server => &self.server,
        }
    }

    fn connection_mut(&mut self, leg: Leg) -> &mut Connection {
        match leg {
            Leg::Client => &mut self.client,
            Leg::Server => &mut self.server,
        }
    }

    /// Lets the translator do what can wait.
    fn settle(&mut self) {
        self.wake = None;
        if self.is_logged_in() && self.closing.is_none() && self.jid().is_some() {
            let wake = self.translator.settle(&mut self.wire);
            // After our own, which would never have a turn while others ask faster than we answer.
            self.wire.send_answers();
            self.wake = wake.into_iter().chain(self.wire.answers_at()).min();
            if self.translator.has_forgotten() {
                self.refuse("system-shutdown", FORGOTTEN);
            }
        }
    }

    fn handle_bytes(&mut self, leg: Leg, bytes: &[u8]) {
        let mut pending = std::mem::take(&mut self.connection_mut(leg).pending);
        if self.is_relaying() {
            self.relay(leg, &pending);
            return self.relay(leg, bytes);
        }
        if self.begins_tls(leg, bytes) {
            // What it was is noted, and no more: it is no XML.
            self.note_garbage(leg, &bytes[..1]);
            return self.accept_tls(bytes);
        }
        if leg == Leg::Server && !bytes.is_empty() {
            // Of a large stanza, which takes its time, only the last byte must not be long ago.
            self.server.frame_since = None;
        }
        if pending.is_empty() {
            let used = self.process(leg, bytes);
            pending.extend_from_slice(&bytes[used..]);
        } else {
            pending.extend_from_slice(bytes);
            let used = self.process(leg, &pending);
            pending.drain(..used);
            pending.shrink_to(Self::FREE);
        }
        let connection = self.connection_mut(leg);
        if !connection.finished && !connection.ended && !pending.is_empty() {
            connection.pending = pending;
        }
    }

    /// Looks at what was held back, where the hold has ended.
    fn resume_held(&mut self) {
        if self.is_logged_in() && self.closing.is_none() {
            self.translator.release_client(false, &self.wire);
            self.client.held = self.translator.holds_client();
        }
        for leg in [Leg::Client, Leg::Server] {
            if self.connection(leg).is_readable() && !self.connection(leg).pending.is_empty() {
                self.handle_bytes(leg, &[]);
            }
            if self.connection(leg).is_readable() && self.connection(leg).eof {
                self.handle_eof(leg);
            }
        }
    }

    /// Handles the whole frames in `buf`; how many bytes they were.
    fn process(&mut self, leg: Leg, buf: &[u8]) -> usize {
        let mut used = 0;
        while self.connection(leg).is_readable() {
            if self.is_relaying() {
                self.relay(leg, &buf[used..]);
                return buf.len();
            }
            if self.phase == Phase::Handshaking && leg == Leg::Server && used < buf.len() {
                // RFC 6120 §5.4.3.3: whoever wrote them could not know the TLS keys.
                self.fail_server(
                    "the server sent bytes between <proceed/> and TLS, somebody may be tampering",
                );
                break;
            }
            if self.connection(leg).skipper.is_some() {
                let rest = &buf[used..];
                if rest.is_empty() {
                    break;
                }
                used += self.skip(rest).unwrap_or(rest.len());
                self.note_outgoing();
                continue;
            }
            match self.connection_mut(leg).framer.next(&buf[used..]) {
                Ok(Some(frame)) => {
                    let bytes = &buf[used..used + frame.len];
                    let must_wait = leg == Leg::Client && self.must_wait(&frame, bytes);
                    // What has waited was noted when it came, as something follows from it at once.
                    if must_wait || !(leg == Leg::Client && std::mem::take(&mut self.has_waited)) {
                        self.note_frame(leg, bytes);
                    }
                    if must_wait {
                        // It is looked at again.
                        self.has_waited = true;
                        self.client.held = true;
                        break;
                    }
                    used += frame.len;
                    self.connection_mut(leg).frame_since = None;
                    self.handle_frame(leg, frame, bytes);
                    if leg == Leg::Client && self.tls == Tls::Accepting {
                        used += self.check_behind_starttls(&buf[used..]);
                    }
                    if std::mem::take(&mut self.begins_compression) {
                        let read = buf[used..].to_vec();
                        used = buf.len();
                        self.wire.output(Output::Compress(read));
                    }
                }
                Ok(None) => break,
                Err(error) if self.is_bearable(leg, error) => self.cut_off(),
                Err(error) => {
                    self.note_garbage(leg, &buf[used..]);
                    self.handle_bad_xml(leg, error, &buf[used..]);
                }
            }
            self.note_outgoing();
        }
        used
    }

    /// Whether what the client says has to wait for answers of the server, with all behind it.
    fn must_wait(&mut self, frame: &Frame, bytes: &[u8]) -> bool {
        let may_wait = self.is_logged_in()
            && self.closing.is_none()
            && frame.kind == FrameKind::Element
            && self.translator.awaits_first();
        if !may_wait {
            return false;
        }
        let Some(namespaces) = self.client.namespaces() else {
            return false;
        };
        Element::of_frame(bytes, &namespaces)
            .is_some_and(|stanza| self.translator.must_wait(&stanza, &mut self.wire))
    }

    fn handle_frame(&mut self, leg: Leg, frame: Frame, bytes: &[u8]) {
        match frame.kind {
            FrameKind::Header => self.handle_header(leg, bytes),
            FrameKind::Whitespace => self.handle_whitespace(leg, bytes),
            FrameKind::Close => self.handle_close(leg),
            FrameKind::Element => {
                // A framer that has seen no header gives no element.
                let Some(namespaces) = self.connection(leg).namespaces() else {
                    return;
                };
                if frame.is_opaque {
                    self.handle_opaque(bytes, &namespaces);
                } else if let Some(element) = Element::of_frame(bytes, &namespaces) {
                    self.handle_element(leg, &element);
                }
            }
        }
    }

    /// Passes a keep-alive on, if both streams are open.
    fn handle_whitespace(&mut self, leg: Leg, bytes: &[u8]) {
        let is_open = |connection: &Connection| connection.framer.namespaces().is_some();
        if self.is_negotiated() && is_open(&self.client) && is_open(&self.server) {
            self.wire.send(leg.other(), bytes);
        }
    }

    fn handle_element(&mut self, leg: Leg, element: &Element<'_>) {
        if self.handle_stream_error(leg, element) {
            return;
        }
        let told = self.wire.told();
        match (leg, self.is_logged_in()) {
            (Leg::Client, false) => self.negotiate_with_client(element),
            (Leg::Server, false) => self.negotiate_with_server(element),
            (Leg::Client, true) => self.handle_client_stanza(element),
            (Leg::Server, true) => self.handle_server_stanza(element),
        }
        self.wire.name_dropped(told, element);
    }
}
