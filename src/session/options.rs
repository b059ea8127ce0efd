//! Options of a session, fixed before its first byte.

use std::time::Duration;

use crate::policy::{Chat, Forget, Function, Policy};
use crate::xml::Limits;

/// Whether the leg to the server is compressed (XEP-0138, zlib) once the client has logged in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compress {
    /// If the server offers it, is not on this machine, and there are no more such sessions than
    /// --compress-sessions.
    Auto,
    /// Always: a session whose server does not compress ends.
    Require,
    /// Never.
    #[default]
    Off,
}

/// Whether the client may have TLS on its leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientTls {
    /// Never.
    #[default]
    Off,
    /// From the first byte, and by STARTTLS if there is a certificate for the client's domain; not required.
    Auto,
    /// From the first byte and by STARTTLS; not required.
    Offer,
    /// Always: a client that does not ask for TLS is not let in.
    Require,
}

/// How long a session waits, measured on the time of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the client's connection to the end of its login.
    pub login: Duration,
    /// From the server's connection, and again from its TLS, to its first features.
    pub greeting: Duration,
    /// From the first byte of a stanza to its last, counted only while we read.
    pub stanza: Duration,
    /// For the answer to one of our own IQs, counted only while the server's leg is read.
    pub request: Duration,
    /// For the other side's closing tag after ours.
    pub close: Duration,
    /// For the reader of a leg to take any byte that waits for it.
    pub stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            login: Duration::from_secs(120),
            greeting: Duration::from_secs(15),
            stanza: Duration::from_secs(120),
            request: Duration::from_secs(60),
            close: Duration::from_secs(5),
            stall: Duration::from_secs(300),
        }
    }
}

/// The configuration of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How much is translated to pubsub.
    pub policy: Policy,
    /// Functions left to classic XMPP under [`Policy::Auto`].
    pub native: Vec<Function>,
    /// When one-to-one messages go by pubsub under [`Policy::Auto`].
    pub chat: Chat,
    /// Publish-subscribe services whose nodes are rooms, unless under [`Policy::Off`].
    pub rooms: Vec<String>,
    /// Rooms that the client creates there are open at once, not only when the client accepts the configuration.
    pub rooms_open: bool,
    /// The session only removes what pubshim has left on the account; set by [`to_forget`](Self::to_forget).
    pub forget: Option<Forget>,
    /// Domains a client may name; empty means any.
    pub domains: Vec<String>,
    /// Whether the client may have TLS.
    pub client_tls: ClientTls,
    /// Domains that have a certificate, by which clients can verify us.
    pub certified: Vec<String>,
    /// Whether the leg to the server is compressed; never under [`Policy::Off`].
    pub compress: Compress,
    /// Limits on the stanzas of either side before login.
    pub limits_before_login: Limits,
    /// Limits on the stanzas of either side after login.
    pub limits: Limits,
    /// The largest stanza of the server's, in bytes, that is held to be read and passed on whole, once logged in.
    pub max_server_stanza: usize,
    /// How long the session waits.
    pub timeouts: Timeouts,
}

impl Options {
    /// The default of [`max_server_stanza`](Self::max_server_stanza): 16 MiB.
    pub const MAX_SERVER_STANZA: usize = 16 * 1024 * 1024;

    /// Options for a session that translates nothing, removes what pubshim has left, and then ends.
    pub fn to_forget(self, forget: Forget) -> Self {
        Self {
            policy: Policy::Auto,
            native: vec![Function::Presence, Function::Rooms, Function::Chat],
            rooms: Vec::new(),
            forget: Some(forget),
            ..self
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            native: Vec::new(),
            chat: Chat::default(),
            rooms: Vec::new(),
            rooms_open: false,
            forget: None,
            domains: Vec::new(),
            client_tls: ClientTls::default(),
            certified: Vec::new(),
            compress: Compress::default(),
            limits_before_login: Limits::BEFORE_LOGIN,
            limits: Limits::AFTER_LOGIN,
            max_server_stanza: Self::MAX_SERVER_STANZA,
            timeouts: Timeouts::default(),
        }
    }
}
