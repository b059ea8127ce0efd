//! Why a configuration is refused.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::ListenAddress;

/// Why the program does not start with this configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The configuration file cannot be read.
    #[error("cannot read the configuration file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The configuration file says something that is not understood.
    #[error("{}:{line}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line in it, the first being 1.
        line: usize,
        /// What is wrong with which key, and what is allowed.
        message: String,
    },
    /// There is no address to listen on.
    #[error("`listen` is empty: no client could connect; name an address such as 127.0.0.1:5222")]
    ListenNowhere,
    /// Others than this machine could connect, and nobody has said that they may.
    #[error(
        "will not listen on {0}: it can be reached from other machines, and a client's password \
         and messages may travel to pubshim unencrypted; listen on 127.0.0.1 or [::1], let nobody in \
         without TLS with --client-tls require, or allow it with --allow-remote-plaintext if every network \
         between is trusted"
    )]
    RemotePlaintext(ListenAddress),
    /// Others than this machine could connect anywhere through us.
    #[error(
        "will not listen on {0} without --server or --domain: it can be reached from other \
         machines, and anybody could connect to any server through it (an open relay); name the \
         server with --server, or the domains clients may log in to with --domain"
    )]
    OpenRelay(ListenAddress),
    /// What a proxy before pubshim passes on comes from others than this machine, and nobody has said that it may.
    #[error(
        "--proxy-from: what a proxy passes on comes from other machines, and a client's password and messages may \
         travel to pubshim unencrypted; let nobody in without TLS with --client-tls require, or allow it with \
         --allow-remote-plaintext if every network between is trusted"
    )]
    ProxiedPlaintext,
    /// The same, and they could connect anywhere through us.
    #[error(
        "--proxy-from without --server or --domain: what a proxy passes on comes from other machines, and anybody \
         could connect to any server through pubshim (an open relay); name the server with --server, or the domains \
         clients may log in to with --domain"
    )]
    ProxiedRelay,
    /// Stanzas that every server delivers would not pass.
    #[error(
        "--max-server-stanza is less than 64KiB: everyday stanzas of the server, such as a roster, would not pass"
    )]
    SmallServerStanza,
    /// No stanza of the allowed size could be held.
    #[error(
        "--max-held is less than --max-server-stanza: it is what all sessions together may hold of stanzas, so one \
         of that size could never pass; raise the one or lower the other"
    )]
    SmallBudget,
    /// `native` was given where it means nothing.
    #[error(
        "--native takes functions out of --policy auto, and means nothing under another policy; \
         leave one of the two out"
    )]
    NativeWithoutAuto,
    /// `chat` was given where it means nothing.
    #[error(
        "--chat says when messages go by pubsub under --policy auto, and means nothing under another policy; \
         leave one of the two out"
    )]
    ChatWithoutAuto,
    /// `rooms` was given where it means nothing.
    #[error(
        "--rooms means nothing under --policy off, which changes nothing; leave one of the two out"
    )]
    RoomsUnderOff,
    /// A key without a certificate, or for one that is made.
    #[error("{key} without {certificate}: name the file of the certificate, too")]
    KeyAlone {
        /// The option that was given.
        key: &'static str,
        /// The one that was not.
        certificate: &'static str,
    },
    /// A certificate for clients that get none.
    #[error("--cert means nothing with --client-tls off; leave one of the two out")]
    CertificateUnused,
    /// Everybody on this machine could log in with the user's certificate.
    #[error(
        "will not listen on {0} with --login-cert: whoever connects there could log in by that certificate, without a \
         password; listen on a socket that only you can reach, as in --listen unix:/run/user/1000/pubshim"
    )]
    LoginForAnybody(SocketAddr),
    /// The certificate would be shown to whatever server a client names.
    #[error(
        "--login-cert without one --domain: name the domain whose server knows the certificate, so that no other is \
         shown it"
    )]
    LoginAnywhere,
    /// The last step would be somewhere else.
    #[error(
        "--proxy with plain://: what the proxy reaches is not on this machine; use tls:// or leave the scheme out"
    )]
    PlainBehindProxy,
    /// Names are not looked up here.
    #[error(
        "--nameserver means nothing with --proxy, which looks names up itself; leave one of the two out"
    )]
    NameserverBehindProxy,
    /// `compress` was given where it means nothing.
    #[error(
        "--compress require means nothing under --policy off, which changes nothing; leave one of the two out"
    )]
    CompressUnderOff,
}
