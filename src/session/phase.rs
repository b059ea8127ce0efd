//! The stages of a session.

/// The stage of a session, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The client has not opened its stream.
    AwaitHeader,
    /// The client has to ask for TLS before the server is contacted.
    AwaitTls,
    /// The shell connects to the server.
    Connecting,
    /// We have opened a stream over plain TCP and wait for its features.
    OpeningPlain,
    /// We have asked for TLS.
    StartingTls,
    /// The shell does the TLS handshake.
    Handshaking,
    /// The client's header went to the server over the final connection; its features are awaited.
    Opening,
    /// Logged in; the server offers compression, and the shell is asked whether the session may use it.
    Offered,
    /// The server was asked to compress.
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
