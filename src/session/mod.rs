//! One client's stream as a state machine without I/O.
//!
//! [`Session`] takes what happens ([`Input`]) with the time it happens, and gives what is to be done
//! ([`Output`]) and sent. It never reads a clock, a socket or a source of randomness, so a recorded
//! stream gives the same result every time.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | [`Session`]: inputs and outputs |
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
//! | `reading.rs` | bytes to frames, frames to handlers |
//! | `stanzas.rs` | what passes, what is translated, what is refused once logged in |
//! | `closing.rs` | closing tags, stream errors, going offline |
//! | `input.rs`, `options.rs` | what goes in; what is configured |
//! | `tap.rs`, `passing.rs` | what is noted of a session that is recorded |
//! | `timing.rs` | what a session is told that is replayed |

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
mod passing;
mod phase;
mod postponed;
mod reaching;
mod reading;
mod relay;
mod stanzas;
mod tap;
mod timing;

use std::sync::Arc;
use std::time::Duration;

pub use crate::policy::{Chat, Forget, Function, Policy};
pub use crate::wire::{
    Dropped, Ending, Event, Forgetting, Leg, Level, Output, Reached, Record, Rule, Security, Seed,
    ServerFacts, Timing,
};
pub use input::Input;
pub use options::{ClientTls, Compress, Options, Timeouts};

use client_tls::Tls;
use connection::Connection;
pub(crate) use negotiation::header_to;
use phase::Phase;
use postponed::Postponed;

use crate::translate::{Translator, Wire};

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
/// measured from any fixed point, the same for all calls; what is less than a millisecond does not count.
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
    /// What was sent to the server had not left when the frame in work came: in a replay, where all leaves at once.
    is_early: bool,
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
        let now = clock::whole_millis(now);
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
            is_early: false,
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
        self.wire.epoch = clock::whole_millis(epoch);
        self.note_date();
    }

    /// Takes in what happened at `now`.
    pub fn handle(&mut self, input: Input<'_>, now: Duration) {
        self.take(now, |session| session.act(input));
    }

    /// Does `act` at `now`, and what follows from it.
    fn take(&mut self, now: Duration, act: impl FnOnce(&mut Self)) {
        if self.is_closed() {
            return;
        }
        self.advance_clock(now);
        act(self);
        self.resume_held();
        self.note_held();
        self.advance_clock(now);
        self.tell_end();
    }

    fn act(&mut self, input: Input<'_>) {
        self.note_input(&input);
        match input {
            Input::Bytes(leg, bytes) => return self.handle_bytes(leg, bytes),
            Input::Eof(leg) => return self.handle_eof(leg),
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
        self.end_step();
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

    /// An input or a frame was handled: what follows is said at once.
    fn end_step(&mut self) {
        self.note_outgoing();
        if self.is_logged_in() && self.closing.is_none() {
            self.translator.release_client(false, &self.wire);
            self.client.held = self.translator.holds_client();
        }
        self.settle();
        self.note_outgoing();
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
}
