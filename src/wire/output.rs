//! Outputs of a session, besides bytes.

use std::sync::Arc;
use std::time::Duration;

use super::event::Event;
use super::leg::Leg;
use crate::xml::Namespaces;

/// How the leg to the server is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Security {
    /// STARTTLS (RFC 6120 §5), required: without it the session ends.
    #[default]
    #[value(name = "starttls")]
    StartTls,
    /// TLS from the first byte (XEP-0368); the shell does it before it reports the connection.
    #[value(name = "direct")]
    DirectTls,
    /// No TLS: only for a server on this machine, and only if asked for by name.
    Plain,
}

/// Facts that are the same for every session with one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// The server has no access model `authorize` (XEP-0060 §4.5), so it need not be tried.
    pub no_authorize: bool,
    /// The server has no privacy lists (XEP-0016), so they need not be asked for.
    pub no_privacy_lists: bool,
    /// The server bounces native subscription stanzas if too many come in a minute.
    pub limits_subscriptions: bool,
}

/// A server that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// How the leg is to be secured, or with [`Security::DirectTls`] has been.
    pub security: Security,
    /// Facts that other sessions have learned about this server.
    pub facts: ServerFacts,
    /// The domain has more servers to try if this one fails.
    pub has_more: bool,
}

/// Tasks for the shell, besides sending the [`outgoing`](crate::session::Session::outgoing) bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to the server of this domain; answered by `Connected` or `Failed`.
    Connect {
        /// The domain the client named, as it wrote it.
        domain: String,
    },
    /// The server that was reached failed, for this reason: connect to the next one of the domain, as there [are
    /// more](crate::session::Reached::has_more). Answered by `Connected` or `Failed`.
    ConnectNext(String),
    /// The server that was reached sends its users to this host (`host`, `host:port`, an IPv6 address in brackets):
    /// connect there, for the same domain. Answered by `Connected` or `Failed`.
    ConnectTo(String),
    /// Start TLS on the client's leg, once all outgoing bytes were sent. Answered by `ClientSecured` or
    /// `ClientNotSecured`.
    AcceptTls {
        /// The domain the client has named; empty if it has named none yet.
        domain: String,
        /// The first bytes of the handshake, if they were read already.
        read: Vec<u8>,
    },
    /// Start TLS on the server's leg, once all outgoing bytes were sent; answered by `Secured` or `Failed`.
    StartTls,
    /// The client is logged in and the server offers compression: may this session use it? Answered by `MayCompress`
    /// or `MayNotCompress`.
    MayCompress,
    /// The server offered compression and then refused it: the session stays uncompressed.
    StayUncompressed,
    /// From here on the server's leg is compressed (XEP-0138, zlib) both ways. These bytes were read already and are
    /// compressed.
    Compress(Vec<u8>),
    /// Facts about the server that its other sessions may be told.
    Learned(ServerFacts),
    /// From here on this session holds so many bytes of unfinished stanzas beyond the
    /// [`Session::FREE`](crate::session::Session::FREE) that every session may hold. The shell answers
    /// [`Input::HoldRefused`](crate::session::Input::HoldRefused) if all sessions together then exceed their limit.
    Hold(usize),
    /// Send all outgoing bytes on this leg, then close it.
    Finish(Leg),
    /// A line for the log.
    Log(Event),
    /// A step for a recording, if the session is [recorded](crate::session::Session::record).
    Recorded(Record),
}

/// A step of a recorded session: frames and other inputs, in the order they were handled, and frames sent.
///
/// Outputs between two inputs were caused by the first of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A frame was handled, with the declarations its prefixes are read with.
    From(Leg, Vec<u8>, Arc<Namespaces>),
    /// Bytes that are no frame. Not the bytes that came, but harmless ones that are refused for the same reason.
    FromRaw(Leg, Vec<u8>),
    /// More bytes than a frame may have; only the first of them.
    TooLarge(Leg, Vec<u8>),
    /// Frames were sent because of the last input.
    To(Leg, Vec<u8>),
    /// The time, or an event that depends on it.
    Timing(Timing),
    /// A leg has ended.
    Ends(Leg),
    /// The server's leg is up.
    Connected(Reached),
    /// The session may be compressed.
    MayCompress,
    /// The session is not to be compressed, for this reason.
    MayNotCompress(String),
    /// The server's leg is secured.
    Secured,
    /// The client's leg is secured.
    ClientSecured,
    /// The client's leg could not be secured, for this reason.
    ClientNotSecured(String),
    /// The server's leg failed, for this reason.
    Failed(String),
    /// A stanza too large to be held was handled: only its start tag was kept.
    CutOff(Leg, Vec<u8>, Arc<Namespaces>),
    /// All sessions together hold as much as they may.
    HoldRefused,
    /// The program ends.
    Shutdown,
}

/// The clock, and events that depend on the speed of a leg. A replay has no clock and no slow leg, so it repeats
/// these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Time passed since the last of these.
    Passed {
        /// All of it.
        time: Duration,
        /// The part that does not count for the server's answers, as its leg was not read.
        unread: Duration,
    },
    /// The date (UTC), measured from 1970.
    Date(Duration),
    /// The session was woken at the time it had asked for.
    Woken,
    /// The reader of a leg has taken nothing for too long.
    Stalled(Leg),
    /// The sender on a leg began a stanza and did not end it in time.
    Unfinished(Leg),
    /// The program ends: the client's stanzas wait for nothing any more.
    Hurried,
    /// The server's next frame came before all bytes to the server had been sent.
    Early,
}

impl Record {
    /// Whether this is an input: it causes the outputs that follow.
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::To(..))
    }
}
