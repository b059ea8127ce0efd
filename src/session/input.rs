//! What goes into a session.

use std::fmt;

use super::{Leg, Reached, Security, ServerFacts};

/// What happens to a session from outside.
#[derive(Clone)]
pub enum Input<'a> {
    /// Bytes were read.
    Bytes(Leg, &'a [u8]),
    /// The other side of a leg sends no more, or the leg broke.
    Eof(Leg),
    /// The server's leg is up.
    Connected(Reached),
    /// The answer to [`Output::MayCompress`](super::Output::MayCompress): this session may be compressed.
    MayCompress,
    /// The other answer: it is to stay as it is, and why.
    MayNotCompress(String),
    /// The TLS that [`Output::StartTls`](super::Output::StartTls) asked for is up and its certificate checked.
    Secured,
    /// The TLS that [`Output::AcceptTls`](super::Output::AcceptTls) asked for is up.
    ClientSecured,
    /// The client's leg could not be secured, and is gone: why.
    ClientNotSecured(String),
    /// The server's leg could not be made or secured: what happened and what to do, for the user.
    Failed(String),
    /// The time that [`Session::timeout`](super::Session::timeout) named has come.
    Timeout,
    /// What [`Output::Hold`](super::Output::Hold) asked for would be more than all sessions together may hold: the stanza of the
    /// server's that is being read is not kept any further. (Nothing is said if there is room.)
    HoldRefused,
    /// The program ends.
    Shutdown,
}

impl Input<'_> {
    /// The server's leg is up, and it is the only server there is.
    pub fn connected(security: Security, facts: ServerFacts) -> Self {
        Self::Connected(Reached {
            security,
            facts,
            has_more: false,
        })
    }
}

impl fmt::Debug for Input<'_> {
    /// Without the bytes: they may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(leg, bytes) => write!(f, "Bytes({leg}, {} bytes)", bytes.len()),
            Self::Eof(leg) => write!(f, "Eof({leg})"),
            Self::Connected(reached) => write!(f, "Connected({reached:?})"),
            Self::MayCompress => f.write_str("MayCompress"),
            Self::MayNotCompress(reason) => write!(f, "MayNotCompress({reason:?})"),
            Self::Secured => f.write_str("Secured"),
            Self::ClientSecured => f.write_str("ClientSecured"),
            Self::ClientNotSecured(reason) => write!(f, "ClientNotSecured({reason:?})"),
            Self::Failed(reason) => write!(f, "Failed({reason:?})"),
            Self::Timeout => f.write_str("Timeout"),
            Self::HoldRefused => f.write_str("HoldRefused"),
            Self::Shutdown => f.write_str("Shutdown"),
        }
    }
}
