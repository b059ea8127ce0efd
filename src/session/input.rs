//! Inputs of a session.

use std::fmt;

use super::{Leg, Reached, Security, ServerFacts};

/// An input of a session: something that happened outside.
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
    /// The other answer: this session stays uncompressed, for this reason.
    MayNotCompress(String),
    /// The TLS that [`Output::StartTls`](super::Output::StartTls) asked for is up and its certificate checked.
    Secured,
    /// The TLS that [`Output::AcceptTls`](super::Output::AcceptTls) asked for is up.
    ClientSecured,
    /// The client's leg could not be secured and is gone, for this reason.
    ClientNotSecured(String),
    /// The server's leg could not be connected or secured: what happened and what to do, for the user.
    Failed(String),
    /// The time that [`Session::timeout`](super::Session::timeout) named has come.
    Timeout,
    /// The bytes that [`Output::Hold`](super::Output::Hold) asked for exceed the limit of all sessions together: the
    /// server's stanza that is being read is not kept. (The shell does not answer if there is room.)
    HoldRefused,
    /// The program ends.
    Shutdown,
}

impl Input<'_> {
    /// The server's leg is up, and the domain has no other server.
    pub fn connected(security: Security, facts: ServerFacts) -> Self {
        Self::Connected(Reached {
            security,
            facts,
            has_more: false,
        })
    }
}

impl fmt::Debug for Input<'_> {
    /// Hides the bytes: they may hold a password.
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
