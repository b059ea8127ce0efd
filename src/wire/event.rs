//! Log events: a session's lines for its operator; `text.rs` puts them in words.

mod text;

use std::time::Duration;

use super::dropped::Dropped;
use super::ending::Ending;
use super::forgetting::Forgetting;
use super::leg::Leg;
use super::rule::Rule;
use crate::xml::XmlError;

/// How important an [`Event`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something does not work as it should.
    Warn,
    /// Normal events an operator wants to see.
    Info,
    /// Details for an operator who looks for a cause.
    Debug,
    /// Each step, for an operator who watches.
    Trace,
}

/// An event of a session for its operator. Holds no payload and no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A client has logged in under this full JID.
    LoggedIn(String),
    /// A client has logged in to this domain, and from here on everything passes unread.
    Relaying(String),
    /// The server refused a login.
    LoginFailed {
        /// The account, if the client has named it in plain sight.
        whose: Option<String>,
        /// The SASL condition.
        condition: String,
    },
    /// The client has left without trying any of the ways to log in.
    LeftBeforeLogin {
        /// The client's leg had TLS.
        secured: bool,
    },
    /// One side broke the rules of XML in XMPP.
    BadXml(Leg, XmlError),
    /// One side ended its stream with an error of this condition.
    StreamError(Leg, String),
    /// We ended the session with a stream error to the client, for this reason.
    Refused {
        /// The stream error condition.
        condition: &'static str,
        /// The cause, and what the user can do about it.
        reason: String,
    },
    /// TLS is up on the client's leg.
    ClientSecured,
    /// TLS did not come up on the client's leg, for this reason.
    ClientNotSecured(String),
    /// A stream feature the client does not get to see.
    FeatureRemoved(String),
    /// The server's leg is not compressed, for this reason.
    NotCompressed(String),
    /// The session has ended, and its server's leg was compressed: bytes before and after compression.
    Compressed {
        /// To the server.
        sent: [u64; 2],
        /// From the server.
        received: [u64; 2],
    },
    /// A stanza of the server's was larger than may be held; an error went in its place.
    CutOff {
        /// Its start tag, if that could be read.
        stanza: Option<String>,
    },
    /// A top-level element that may not pass: its start tag.
    ElementRefused(Leg, String),
    /// A stanza was answered with an error, which its sender takes for the addressee's.
    StanzaRefused {
        /// The side that sent the stanza.
        from: Leg,
        /// Its start tag.
        stanza: String,
        /// The condition of the error.
        condition: String,
    },
    /// The access model of our node for a function is verified.
    NodeReady {
        /// The node.
        node: &'static str,
        /// Its access model.
        access: String,
    },
    /// A node of ours was unsafe and is deleted and created again.
    NodeReplaced {
        /// The node.
        node: &'static str,
        /// Why it was unsafe.
        reason: String,
    },
    /// A node cannot be made safe; the function stays native.
    NodeUnusable {
        /// The node.
        node: &'static str,
        /// The server's error, or why there is none.
        reason: String,
    },
    /// A publish was refused or not answered.
    PublishFailed {
        /// The node.
        node: &'static str,
        /// The server's error, or why there is none.
        reason: String,
    },
    /// A contact or domain could not be kept from seeing our node. Nothing is published until a later attempt
    /// succeeds; attempts are repeated from time to time.
    RevokeFailed {
        /// The account or domain.
        whom: String,
        /// The server's error, or why there is none.
        reason: String,
    },
    /// The server did not tell who may see the client. Nothing is published until it does; the question is repeated
    /// from time to time.
    NotKnown {
        /// The missing knowledge: completes "the server did not tell …".
        what: &'static str,
        /// The server's error, or why there is none.
        reason: String,
    },
    /// Contacts could not be allowed to see our node.
    ApprovalFailed {
        /// Their accounts.
        whom: Vec<String>,
        /// The server's error, or why there is none.
        reason: String,
    },
    /// The session ended before the user's decisions about these contacts were put on the account's record.
    NotRecorded {
        /// Their accounts.
        whom: Vec<String>,
    },
    /// The client is in a room that is a node.
    RoomJoined {
        /// Its bare JID.
        room: String,
        /// The client's nick there.
        nick: String,
        /// The client has created the room.
        is_new: bool,
    },
    /// A room that is a node does not let the client in.
    RoomRefused {
        /// Its bare JID.
        room: String,
        /// The condition of the error the client is shown.
        reason: String,
    },
    /// A step of removing what pubshim has left on the account.
    Forgetting(Forgetting),
    /// A rule was applied to the stanza in work.
    Applied(&'static Rule),
    /// A stanza or event that came by pubsub was not shown to the client, for this reason; with the start tag of the
    /// stanza that held it, once known.
    Dropped(Dropped, Option<String>),
    /// The session is over.
    Ended {
        /// Time since the client connected.
        after: Duration,
        /// The cause.
        by: Ending,
    },
}

impl Event {
    /// How important this is.
    pub fn level(&self) -> Level {
        match self {
            // A shutdown is on purpose.
            Self::Refused {
                condition: "system-shutdown",
                ..
            } => Level::Info,
            Self::Refused { .. }
            | Self::CutOff { .. }
            | Self::StreamError(Leg::Server, _)
            | Self::NodeReplaced { .. }
            | Self::NodeUnusable { .. }
            | Self::PublishFailed { .. }
            | Self::RevokeFailed { .. }
            | Self::NotKnown { .. }
            | Self::ApprovalFailed { .. }
            | Self::NotRecorded { .. }
            | Self::LoginFailed { .. }
            | Self::ClientNotSecured(_)
            | Self::LeftBeforeLogin { .. } => Level::Warn,
            Self::Ended {
                by: Ending::Nothing,
                ..
            } => Level::Debug,
            Self::LoggedIn(_)
            | Self::Relaying(_)
            | Self::RoomRefused { .. }
            | Self::Ended { .. } => Level::Info,
            Self::Applied(_) => Level::Trace,
            _ => Level::Debug,
        }
    }
}
