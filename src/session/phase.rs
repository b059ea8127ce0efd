//! The stages of a session.

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The client has not opened its stream.
    AwaitHeader,
    /// The client has to ask for TLS first.
    AwaitTls,
    /// The shell connects to the server.
    Connecting,
    /// We have opened a stream over plain TCP and wait for its features.
    OpeningPlain,
    /// We have asked for TLS.
    StartingTls,
    /// The shell does the TLS handshake.
    Handshaking,
    /// The client's stream is open to the server over the final connection, features are awaited.
    Opening,
    /// Logged in; the server offers to compress, and the shell is asked whether it may.
    Offered,
    /// The server is asked to compress.
    Compressing,
    /// The client sees features and logs in.
    Login,
    /// Logged in; both streams begin anew.
    Reopening,
    /// The client sees the features of the new stream and binds a resource.
    Binding,
    /// A resource is bound. (Under [`Policy::Off`](super::Policy::Off): logged in, and everything passes unread.)
    Established,
}
