//! Why a configuration is refused.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::ListenAddress;

/// Why pubshim does not start with this configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The configuration file cannot be read.
    #[error("cannot read the configuration file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Error of the system.
        reason: io::Error,
    },
    /// A line of the configuration file is not understood.
    #[error("{}:{line}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line in it, the first being 1.
        line: usize,
        /// Key, fault and what is allowed.
        message: String,
    },
    /// There is no address to listen on.
    #[error("`listen` is empty: no client could connect; name an address such as 127.0.0.1:5222")]
    ListenNowhere,
    /// Clients on other machines could connect without TLS, and no option allows that.
    #[error(
        "will not listen on {0}: it can be reached from other machines, and a client's password \
         and messages may travel to pubshim unencrypted; listen on 127.0.0.1 or [::1], let nobody in \
         without TLS with --client-tls require, or allow it with --allow-remote-plaintext if every network \
         between is trusted"
    )]
    RemotePlaintext(ListenAddress),
    /// Clients on other machines could connect to any server through pubshim.
    #[error(
        "will not listen on {0} without --server or --domain: it can be reached from other \
         machines, and anybody could connect to any server through it (an open relay); name the \
         server with --server, or the domains clients may log in to with --domain"
    )]
    OpenRelay(ListenAddress),
    /// Clients of a proxy may be on other machines, and no option allows them to connect without TLS.
    #[error(
        "--proxy-from: what a proxy passes on comes from other machines, and a client's password and messages may \
         travel to pubshim unencrypted; let nobody in without TLS with --client-tls require, or allow it with \
         --allow-remote-plaintext if every network between is trusted"
    )]
    ProxiedPlaintext,
    /// Clients of a proxy could connect to any server through pubshim.
    #[error(
        "--proxy-from without --server or --domain: what a proxy passes on comes from other machines, and anybody \
         could connect to any server through pubshim (an open relay); name the server with --server, or the domains \
         clients may log in to with --domain"
    )]
    ProxiedRelay,
    /// Everyday stanzas of servers would not pass.
    #[error(
        "--max-server-stanza is less than 64KiB: everyday stanzas of the server, such as a roster, would not pass"
    )]
    SmallServerStanza,
    /// A stanza of the allowed size could never be held.
    #[error(
        "--max-held is less than --max-server-stanza: it is what all sessions together may hold of stanzas, so one \
         of that size could never pass; raise the one or lower the other"
    )]
    SmallBudget,
    /// `native` without effect.
    #[error(
        "--native takes functions out of --policy auto, and means nothing under another policy; \
         leave one of the two out"
    )]
    NativeWithoutAuto,
    /// `chat` without effect.
    #[error(
        "--chat says when messages go by pubsub under --policy auto, and means nothing under another policy; \
         leave one of the two out"
    )]
    ChatWithoutAuto,
    /// `rooms` without effect.
    #[error(
        "--rooms means nothing under --policy off, which changes nothing; leave one of the two out"
    )]
    RoomsUnderOff,
    /// A key without a certificate.
    #[error("{key} without {certificate}: name the file of the certificate, too")]
    KeyAlone {
        /// Option given.
        key: &'static str,
        /// Option missing.
        certificate: &'static str,
    },
    /// A certificate without clients to show it to.
    #[error("--cert means nothing with --client-tls off; leave one of the two out")]
    CertificateUnused,
    /// Every user of this machine could log in with the certificate.
    #[error(
        "will not listen on {0} with --login-cert: whoever connects there could log in by that certificate, without a \
         password; listen on a socket that only you can reach, as in --listen unix:/run/user/1000/pubshim"
    )]
    LoginForAnybody(SocketAddr),
    /// The certificate would be shown to any server that a client names.
    #[error(
        "--login-cert without one --domain: name the domain whose server knows the certificate, so that no other is \
         shown it"
    )]
    LoginAnywhere,
    /// The way from the proxy to the server would be unencrypted.
    #[error(
        "--proxy with plain://: what the proxy reaches is not on this machine; use tls:// or leave the scheme out"
    )]
    PlainBehindProxy,
    /// The proxy looks names up, and pubshim none.
    #[error(
        "--nameserver means nothing with --proxy, which looks names up itself; leave one of the two out"
    )]
    NameserverBehindProxy,
    /// `compress` without effect.
    #[error(
        "--compress require means nothing under --policy off, which changes nothing; leave one of the two out"
    )]
    CompressUnderOff,
}
