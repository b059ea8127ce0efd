//! One client's stream as a state machine without I/O.
//!
//! [`Session`] takes [`Input`]s with the time they happen, and gives [`Output`]s to be done and bytes to be sent. It
//! never reads a clock, a socket or a source of randomness, so a recorded stream gives the same result every time.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | [`Session`]: inputs and outputs |
//! | `client_leg.rs` | what the client may say now, and its login: header, features it is shown, SASL, binding |
//! | `client_tls.rs` | TLS on the client's leg |
//! | `login_name.rs` | the account that logs in, for the log |
//! | `server_leg.rs` | what is awaited of the server: connection, TLS, features, compression |
//! | `reaching.rs` | servers that fail before the login, other servers to be tried |
//! | `relay.rs` | bytes that pass unread under `off` |
//! | `limits.rs` | server stanzas too large to be read or held |
//! | `connection.rs` | the reading side of a leg |
//! | `reading.rs` | bytes to frames, frames to handlers |
//! | `clock.rs` | deadlines |
//! | `stanzas.rs` | stanzas after the login: passed, translated or refused |
//! | `closing.rs` | closing tags, stream errors, going offline |
//! | `input.rs`, `options.rs` | inputs; configuration |
//! | `tap.rs`, `passing.rs` | recording a session |
//! | `timing.rs` | replaying clock and speed |

mod client_leg;
mod client_tls;
mod clock;
mod closing;
mod connection;
mod input;
mod limits;
mod login_name;
mod options;
mod passing;
mod reaching;
mod reading;
mod relay;
mod server_leg;
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

use client_leg::{ClientLeg, Tls};
use connection::Connection;
use server_leg::ServerLeg;
pub(crate) use server_leg::header_to;

use crate::translate::{Translator, Wire};

/// Outgoing bytes on one leg that stop the reading of the other.
const HIGH_WATER: usize = 64 * 1024;

/// Shown to a client whose account was cleaned by `pubshim forget`.
const FORGOTTEN: &str =
    "pubshim forget is done with this account and stops; where it was started it says what it did";

/// A client's session: two streams and what is translated between them.
///
/// The shell feeds it with [`handle`](Self::handle), then does what [`poll`](Self::poll) says and sends the
/// [`outgoing`](Self::outgoing) bytes, until neither has anything left; it reads a leg only while the session
/// [`wants`](Self::wants) it, and comes back at [`timeout`](Self::timeout). Times are measured from any fixed point,
/// the same for all calls; fractions of a millisecond are ignored.
pub struct Session {
    options: Arc<Options>,
    client: ClientLeg,
    server: ServerLeg,
    wire: Wire,
    translator: Translator,
    /// The domain the client named.
    domain: String,
    /// SASL has succeeded.
    authenticated: bool,
    now: Duration,
    started: Duration,
    /// When the translator wants to be called again.
    wake: Option<Duration>,
    /// When a closing session ends even if the other side says nothing.
    closing: Option<Duration>,
    /// The cause that ended the session.
    ending: Option<Ending>,
    /// The bytes held, as last reported to the shell.
    hold: usize,
    /// The recorder, if the session is recorded.
    tap: Option<Box<tap::Tap>>,
}

impl Session {
    /// Bytes of unfinished stanzas that a session may hold without asking.
    pub const FREE: usize = 64 * 1024;

    /// A session for a client that connected at `now`.
    pub fn new(options: Arc<Options>, seed: Seed, now: Duration) -> Self {
        let limits = options.limits_before_login;
        let now = clock::whole_millis(now);
        Self {
            client: ClientLeg {
                stream: Connection::new(limits),
                ..ClientLeg::default()
            },
            server: ServerLeg {
                stream: Connection::new(limits),
                compress: options.compress,
                ..ServerLeg::default()
            },
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
            authenticated: false,
            now,
            started: now,
            wake: None,
            closing: None,
            ending: None,
            hold: 0,
            tap: None,
            options,
        }
    }

    /// Sets the date: the clock of the inputs began `epoch` after 1970 (UTC). Room messages are stamped with it;
    /// without it they are from 1970.
    pub fn set_epoch(&mut self, epoch: Duration) {
        self.wire.epoch = clock::whole_millis(epoch);
        self.note_date();
    }

    /// Handles an input that happened at `now`.
    pub fn handle(&mut self, input: Input<'_>, now: Duration) {
        self.take(now, |session| session.act(input));
    }

    /// Runs `act` at `now`, and all steps that follow from it.
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
        // During the TLS handshake the shell reads the client's leg.
        let is_handshaking = leg == Leg::Client && self.client.tls == Tls::Accepting;
        if self.is_over(leg) || connection.eof || is_handshaking {
            return false;
        }
        let has_room = self.outgoing(leg.other()).len() < HIGH_WATER;
        match leg {
            _ if self.is_relaying() => has_room,
            // A full buffer towards the server must not stop the reading of the server: that would be a deadlock. A
            // client that causes answers without reading them is not read itself.
            Leg::Server => has_room && !connection.held,
            Leg::Client => {
                let is_patient = connection.pending.len() < self.options.limits_before_login.bytes;
                has_room
                    && self.outgoing(leg).len() < HIGH_WATER
                    && (!connection.held || is_patient)
            }
        }
    }

    /// Whether bytes that still come on `leg` are discarded.
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
        self.client.stream.finished && self.server.stream.finished
    }

    /// The client's full JID, once the server has bound one.
    pub fn jid(&self) -> Option<&str> {
        Some(self.translator.jid()).filter(|jid| !jid.is_empty())
    }

    /// Whether the client has been shown features: from here on both streams are open.
    fn is_negotiated(&self) -> bool {
        self.server.stage == server_leg::Stage::Open
    }

    /// Whether the login is over: a resource is bound, or under [`Policy::Off`] bytes pass unread.
    fn is_logged_in(&self) -> bool {
        self.client.stage == client_leg::Stage::Established
    }

    fn connection(&self, leg: Leg) -> &Connection {
        match leg {
            Leg::Client => &self.client.stream,
            Leg::Server => &self.server.stream,
        }
    }

    fn connection_mut(&mut self, leg: Leg) -> &mut Connection {
        match leg {
            Leg::Client => &mut self.client.stream,
            Leg::Server => &mut self.server.stream,
        }
    }

    /// Ends a step, after an input or a frame: sends everything that follows from it at once.
    fn end_step(&mut self) {
        self.note_outgoing();
        if self.is_logged_in() && self.closing.is_none() {
            self.translator.release_client(false, &self.wire);
            self.client.stream.held = self.translator.holds_client();
        }
        self.settle();
        self.note_outgoing();
    }

    /// Lets the translator do work that can wait.
    fn settle(&mut self) {
        self.wake = None;
        if self.is_logged_in() && self.closing.is_none() && self.jid().is_some() {
            let wake = self.translator.settle(&mut self.wire);
            // Answers to strangers come after our own requests, which would never have a turn while others ask faster
            // than we answer.
            self.wire.send_answers();
            self.wake = wake.into_iter().chain(self.wire.answers_at()).min();
            if self.translator.has_forgotten() {
                self.refuse("system-shutdown", FORGOTTEN);
            }
        }
    }
}
