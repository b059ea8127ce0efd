//! What comes out of a session, besides bytes.

use std::sync::Arc;
use std::time::Duration;

use super::event::Event;
use super::leg::Leg;
use crate::xml::Namespaces;

/// How the leg to the server is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// STARTTLS (RFC 6120 §5), required: without it the session ends.
    #[default]
    StartTls,
    /// TLS from the first byte (XEP-0368); the shell does it before it reports the connection.
    DirectTls,
    /// None. Only for a server on this machine, and only when asked for by name.
    Plain,
}

/// What is the same for every session with one server.
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
    /// What other sessions have learned of this server.
    pub facts: ServerFacts,
    /// If nothing comes of this one, there are others to be tried.
    pub has_more: bool,
}

/// What a session wants done, besides sending its [`outgoing`](crate::session::Session::outgoing) bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to the server of this domain; answered by `Connected` or `Failed`.
    Connect {
        /// The domain the client named, as it wrote it.
        domain: String,
    },
    /// Nothing comes of the server that was reached, for this reason: connect to the next one of the domain, as there
    /// [are more](crate::session::Reached::has_more). Answered by `Connected` or `Failed`.
    ConnectNext(String),
    /// The server that was reached wants its users at this host (`host`, `host:port`, an IPv6 address in brackets):
    /// connect to that one, for the same domain. Answered by `Connected` or `Failed`.
    ConnectTo(String),
    /// Start TLS on the client's leg, once what is outgoing was sent. Answered by `ClientSecured` or
    /// `ClientNotSecured`.
    AcceptTls {
        /// The domain the client has named; empty if it has named none yet.
        domain: String,
        /// The first bytes of it, which were read already.
        read: Vec<u8>,
    },
    /// Start TLS on the server's leg, once what is outgoing was sent; answered by `Secured` or `Failed`.
    StartTls,
    /// The client is logged in and the server offers to compress: may this session? Answered by `MayCompress` or
    /// `MayNotCompress`.
    MayCompress,
    /// The server had offered to compress and does not: the session stays as it is.
    StayUncompressed,
    /// From here on the server's leg is compressed (XEP-0138, zlib) both ways. These bytes, read already, are the
    /// first that are.
    Compress(Vec<u8>),
    /// Something other sessions with this server may be told.
    Learned(ServerFacts),
    /// From here on this session holds so many bytes of unfinished stanzas beyond the
    /// [`Session::FREE`](crate::session::Session::FREE) that every session may; 0: no more than those. If all sessions
    /// together then hold more than they may, the answer is [`Input::HoldRefused`](crate::session::Input::HoldRefused).
    Hold(usize),
    /// Send what is outgoing on this leg, then close it.
    Finish(Leg),
    /// Something worth a line in the log.
    Log(Event),
    /// A step for a recording, if the session is [recorded](crate::session::Session::record).
    Recorded(Record),
}

/// What passes a session's border, frame by frame and in the order it was handled.
///
/// What else a session puts out while it handles an input stands between that input and the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A frame was handled, with the declarations its prefixes are read with.
    From(Leg, Vec<u8>, Arc<Namespaces>),
    /// Bytes that are no frame: not those that came, but others that are refused for the same reason and tell nothing.
    FromRaw(Leg, Vec<u8>),
    /// More bytes than one frame may have, which begins with these.
    TooLarge(Leg, Vec<u8>),
    /// Frames were sent because of the last input.
    To(Leg, Vec<u8>),
    /// When it was, and what came of that.
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
    /// The client's leg could not be secured.
    ClientNotSecured(String),
    /// The server's leg failed.
    Failed(String),
    /// A stanza was handled that was too large to be held: its start tag is all that was kept.
    CutOff(Leg, Vec<u8>, Arc<Namespaces>),
    /// All sessions together hold as much as they may.
    HoldRefused,
    /// The program ends.
    Shutdown,
}

/// What a session knows of its clock, or of how fast its legs are. Nothing else of a recorded session depends on them: in
/// a replay no leg is slow, and no stanza comes in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// So much time has passed since the last of these.
    Passed {
        /// How much.
        time: Duration,
        /// So much of it does not count for the server's answers, as its leg was not read.
        unread: Duration,
    },
    /// It was this time (UTC), measured from 1970.
    Date(Duration),
    /// The session was woken, as it had asked to be.
    Woken,
    /// The reader of a leg has taken nothing for too long.
    Stalled(Leg),
    /// What was begun on a leg was not ended in time.
    Unfinished(Leg),
    /// What the client has said waits for nothing any more, as the program ends.
    Hurried,
    /// What comes next from the server came before all that was sent to it had left.
    Early,
}

impl Record {
    /// Whether this is an input: what follows it was caused by it.
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::To(..))
    }
}
