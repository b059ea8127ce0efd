//! All options of `pubshim run`, raw.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgAction, Args};
use serde::Deserialize;

use super::list::one_or_more;
use super::{
    CompressionLevel, Count, Domain, ListenAddress, LogFormat, NameServer, Proxy, ProxySource,
    Seconds, Server, Size, TlsVersion, Verbosity,
};
use crate::fixture::Kept;
use crate::session::{Chat, ClientTls, Compress, Function, Policy};
use crate::view::{Form, Only};

/// Options of `pubshim run` as given; `None`: set elsewhere, or left at its default. The documentation of a field is
/// its help.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunOptions {
    /// Read options from this TOML file.
    ///
    /// `pubshim config` prints one to start from. An unknown key is an error.
    #[arg(long, env = "PUBSHIM_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Addresses on which clients connect: an address and port, or unix:PATH; may be repeated.
    ///
    /// Clients may talk to pubshim unencrypted, so only addresses of this machine (127.0.0.1 and ::1)
    /// are allowed, unless --client-tls require or --allow-remote-plaintext is given. Port 0 lets the system
    /// choose. A socket at a path can be reached by you alone.
    #[arg(long, env = "PUBSHIM_LISTEN")]
    #[arg(value_name = "ADDRESS:PORT", help_heading = "Connections")]
    #[arg(value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_more")]
    pub listen: Option<Vec<ListenAddress>>,

    /// Allow --listen on an address that other machines can reach.
    ///
    /// Passwords and messages then travel unencrypted between the client and pubshim: only for a
    /// network you trust. --server or --domain must then say where clients may go, so that
    /// pubshim is no open relay.
    #[arg(long, env = "PUBSHIM_ALLOW_REMOTE_PLAINTEXT")]
    #[arg(value_name = "BOOL", help_heading = "Connections")]
    #[arg(value_parser = boolean, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", hide_possible_values = true)]
    pub allow_remote_plaintext: Option<bool>,

    /// Proxies before pubshim, such as haproxy: connections from these addresses begin with a PROXY header (v2);
    /// may be repeated.
    ///
    /// A connection from there without one is refused. From other addresses such a header is not believed.
    #[arg(long, env = "PUBSHIM_PROXY_FROM")]
    #[arg(value_name = "IP", help_heading = "Connections")]
    #[arg(value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_more")]
    pub proxy_from: Option<Vec<ProxySource>>,

    /// Whether clients may have TLS on their way to pubshim.
    ///
    /// By STARTTLS or from the first byte, both on the same port. `pubshim cert` makes a certificate for your
    /// domain, and tells how a client comes to accept it.
    #[arg(long, env = "PUBSHIM_CLIENT_TLS")]
    #[arg(value_name = "WHEN", help_heading = "Connections", value_enum)]
    pub client_tls: Option<ClientTls>,

    /// Show clients the certificate in this PEM file, with its chain.
    ///
    /// STARTTLS is then offered whatever domain a client names. If empty, pubshim makes one for localhost, and one
    /// for each --domain; `pubshim cert` makes others.
    #[arg(long, env = "PUBSHIM_CERT")]
    #[arg(value_name = "FILE", help_heading = "Connections")]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub cert: Option<PathBuf>,

    /// The private key of --cert, in PEM (PKCS #8); if empty, it is in the same file.
    #[arg(long, env = "PUBSHIM_KEY")]
    #[arg(value_name = "FILE", help_heading = "Connections")]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub key: Option<PathBuf>,

    /// The folder for pubshim's state: the certificates it has made.
    ///
    /// If empty, pubshim in $XDG_STATE_HOME, or in ~/.local/state.
    #[arg(long, env = "PUBSHIM_STATE")]
    #[arg(value_name = "FOLDER", help_heading = "Connections")]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub state: Option<PathBuf>,

    /// Connect every client to this server.
    ///
    /// HOST or HOST:PORT is spoken to with STARTTLS, which the server must offer (port 5222 if
    /// none is given), tls://HOST or tls://HOST:PORT with TLS from the first byte (port 5223),
    /// and plain://HOST:PORT without encryption, which is only allowed to this machine. An IPv6
    /// address is written in brackets. The certificate is checked against the domain the client
    /// names, whatever the server's address is. If empty, the server is the one that the domain's SRV records
    /// name, or the domain itself.
    #[arg(long, env = "PUBSHIM_SERVER")]
    #[arg(value_name = "ADDRESS", help_heading = "Connections")]
    pub server: Option<Server>,

    /// Ask this DNS server, an IP address with or without a port, not those of the system.
    #[arg(long, env = "PUBSHIM_NAMESERVER")]
    #[arg(value_name = "ADDRESS", help_heading = "Connections")]
    pub nameserver: Option<NameServer>,

    /// Connect to servers through this SOCKS5 proxy, such as Tor.
    ///
    /// socks5://HOST:PORT (1080 if none is given), or with USER:PASSWORD@ before the host. The proxy looks names up,
    /// and nothing is looked up here: SRV records are not, so name the server with --server if it is not the domain
    /// itself. If no user is given, each session has a random one, for which Tor makes a circuit of its own.
    #[arg(long, env = "PUBSHIM_PROXY", hide_env_values = true)]
    #[arg(value_name = "ADDRESS", help_heading = "Connections")]
    pub proxy: Option<Proxy>,

    /// The oldest TLS to speak with a server.
    #[arg(long, env = "PUBSHIM_TLS_MIN")]
    #[arg(value_name = "VERSION", help_heading = "Connections", value_enum)]
    pub tls_min: Option<TlsVersion>,

    /// Show the server the certificate in this PEM file, by which it may log you in (SASL EXTERNAL).
    ///
    /// Everybody who can connect to pubshim can then log in as you, so --listen may only name sockets (unix:PATH).
    /// Only the server of the one --domain is shown the certificate.
    #[arg(long, env = "PUBSHIM_LOGIN_CERT")]
    #[arg(value_name = "FILE", help_heading = "Connections")]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub login_cert: Option<PathBuf>,

    /// The private key of --login-cert, in PEM (PKCS #8); if empty, it is in the same file.
    #[arg(long, env = "PUBSHIM_LOGIN_KEY")]
    #[arg(value_name = "FILE", help_heading = "Connections")]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub login_key: Option<PathBuf>,

    /// Domain a client may log in to; may be repeated.
    ///
    /// Case does not matter. If there is none, any domain is allowed.
    #[arg(long, env = "PUBSHIM_DOMAIN")]
    #[arg(value_name = "DOMAIN", help_heading = "Connections")]
    #[arg(value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_more")]
    pub domain: Option<Vec<Domain>>,

    /// Trust the certificates in this PEM file as well.
    ///
    /// For a server whose certificate is signed by an authority of your own. The system's
    /// certificates stay trusted. In a configuration file, a relative path begins at the
    /// directory of that file.
    #[arg(long, env = "PUBSHIM_CA_FILE")]
    #[arg(value_name = "FILE", help_heading = "Connections")]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub ca_file: Option<PathBuf>,

    /// Do not check the server's certificate: anybody on the way can read everything.
    ///
    /// Only for tests. To trust one certificate of your own, use --ca-file.
    #[arg(long, env = "PUBSHIM_DANGER_ACCEPT_INVALID_CERTS")]
    #[arg(value_name = "BOOL", help_heading = "Connections")]
    #[arg(num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", value_parser = boolean)]
    pub danger_accept_invalid_certs: Option<bool>,

    /// Whether to compress what pubshim and the server send each other (XEP-0138, zlib).
    ///
    /// Only if the server offers it, after the login; never under --policy off. It saves most of what pubsub costs
    /// on the way. Not by default: an attacker who can write to you and sees how many bytes pass can guess at
    /// secrets in the same stream, such as the passwords of rooms.
    #[arg(long, env = "PUBSHIM_COMPRESS")]
    #[arg(value_name = "WHEN", help_heading = "Connections", value_enum)]
    pub compress: Option<Compress>,

    /// How hard to compress: 1 is fastest, 9 is smallest.
    #[arg(long, env = "PUBSHIM_COMPRESS_LEVEL")]
    #[arg(value_name = "LEVEL", help_heading = "Connections")]
    pub compress_level: Option<CompressionLevel>,

    /// Sessions compressed at once under --compress auto.
    ///
    /// Each takes about 390KiB of memory. Further sessions stay uncompressed.
    #[arg(long, env = "PUBSHIM_COMPRESS_SESSIONS")]
    #[arg(value_name = "COUNT", help_heading = "Connections")]
    pub compress_sessions: Option<Count>,

    /// How much pubshim translates to publish-subscribe (XEP-0207).
    #[arg(long, env = "PUBSHIM_POLICY")]
    #[arg(value_name = "POLICY", help_heading = "Translation", value_enum)]
    pub policy: Option<Policy>,

    /// Leave these functions to classic XMPP; may be repeated.
    ///
    /// Exceptions from --policy auto; under another policy this is an error.
    #[arg(long, env = "PUBSHIM_NATIVE")]
    #[arg(value_name = "FUNCTION", help_heading = "Translation")]
    #[arg(value_enum, value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_more")]
    pub native: Option<Vec<Function>>,

    /// When one-to-one messages go by pubsub.
    ///
    /// A message goes by pubsub only while every client that would show it is behind pubshim; others go natively. The
    /// server's archive has no messages sent by pubsub, so auto leaves all native where there is an archive. The value
    /// native is the same as --native chat. Only under --policy auto.
    #[arg(long, env = "PUBSHIM_CHAT")]
    #[arg(value_name = "WHEN", help_heading = "Translation", value_enum)]
    pub chat: Option<Chat>,

    /// Publish-subscribe services whose nodes are shown as chat rooms; may be repeated.
    ///
    /// Everybody in such a room has to be behind pubshim. Do not name a service of real chat rooms here. Not under
    /// --policy off.
    #[arg(long, env = "PUBSHIM_ROOMS")]
    #[arg(value_name = "DOMAIN", help_heading = "Translation")]
    #[arg(value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_more")]
    pub rooms: Option<Vec<Domain>>,

    /// Whether a room on such a service is open as soon as a client creates it.
    ///
    /// Else nobody can join until the client accepts the room, as in every chat service. Some clients never accept if
    /// they join by themselves (Gajim).
    #[arg(long, env = "PUBSHIM_ROOMS_OPEN")]
    #[arg(value_name = "BOOL", help_heading = "Translation")]
    #[arg(value_parser = boolean, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    pub rooms_open: Option<bool>,

    /// Sessions open at once.
    ///
    /// Further clients are turned away with a stream error.
    #[arg(long, env = "PUBSHIM_MAX_SESSIONS")]
    #[arg(value_name = "COUNT", help_heading = "Limits")]
    pub max_sessions: Option<Count>,

    /// Largest stanza a client may send after login.
    ///
    /// The default is what stock servers accept. A larger stanza ends the stream, as every limit on
    /// what a client sends does; under --policy off there is none. A size is a number of bytes, or a
    /// number with KiB, MiB or GiB such as 256KiB.
    #[arg(long, env = "PUBSHIM_MAX_STANZA_SIZE")]
    #[arg(value_name = "SIZE", help_heading = "Limits")]
    pub max_stanza_size: Option<Size>,

    /// Largest stanza before login, from either side.
    #[arg(long, env = "PUBSHIM_MAX_STANZA_SIZE_BEFORE_LOGIN")]
    #[arg(value_name = "SIZE", help_heading = "Limits")]
    pub max_stanza_size_before_login: Option<Size>,

    /// Largest stanza of the server's that pubshim passes on after login.
    ///
    /// pubshim holds a stanza in memory until all of it has come. In place of a larger one comes an error: for an IQ to
    /// the side that waits for the answer, for a message or presence to the client (policy-violation). The session and
    /// later stanzas are not harmed. At least 64KiB; under --policy off there is no limit, as nothing is held.
    #[arg(long, env = "PUBSHIM_MAX_SERVER_STANZA")]
    #[arg(value_name = "SIZE", help_heading = "Limits")]
    pub max_server_stanza: Option<Size>,

    /// Memory for stanzas of all sessions together that have not wholly come, or are not wholly sent.
    ///
    /// 64KiB a session are not counted. A stanza that finds no room is treated as one larger than
    /// --max-server-stanza. Not less than that size.
    #[arg(long, env = "PUBSHIM_MAX_HELD")]
    #[arg(value_name = "SIZE", help_heading = "Limits")]
    pub max_held: Option<Size>,

    /// Elements inside each other in a client's stanza, itself included.
    ///
    /// Before login never more than 64, from either side.
    #[arg(long, env = "PUBSHIM_MAX_DEPTH")]
    #[arg(value_name = "COUNT", help_heading = "Limits")]
    pub max_depth: Option<Count>,

    /// Attributes of one element of a client's, namespace declarations included.
    ///
    /// Before login never more than 64, from either side.
    #[arg(long, env = "PUBSHIM_MAX_ATTRIBUTES")]
    #[arg(value_name = "COUNT", help_heading = "Limits")]
    pub max_attributes: Option<Count>,

    /// Namespace declarations in force at once inside a client's stanza.
    ///
    /// Before login never more than 64, from either side.
    #[arg(long, env = "PUBSHIM_MAX_NAMESPACES")]
    #[arg(value_name = "COUNT", help_heading = "Limits")]
    pub max_namespaces: Option<Count>,

    /// Time from a client's connection to the end of its login.
    ///
    /// A time is a number of seconds, or a number with s, m or h such as 90s or 2m; it is at
    /// least 1s and at most 24h.
    #[arg(long, env = "PUBSHIM_LOGIN_TIMEOUT")]
    #[arg(value_name = "TIME", help_heading = "Time-outs")]
    pub login_timeout: Option<Seconds>,

    /// Time from the first byte of a stanza to its last.
    #[arg(long, env = "PUBSHIM_STANZA_TIMEOUT")]
    #[arg(value_name = "TIME", help_heading = "Time-outs")]
    pub stanza_timeout: Option<Seconds>,

    /// Time for the answer to a request of pubshim's own.
    #[arg(long, env = "PUBSHIM_REQUEST_TIMEOUT")]
    #[arg(value_name = "TIME", help_heading = "Time-outs")]
    pub request_timeout: Option<Seconds>,

    /// Time for the other side to close the stream after us.
    #[arg(long, env = "PUBSHIM_CLOSE_TIMEOUT")]
    #[arg(value_name = "TIME", help_heading = "Time-outs")]
    pub close_timeout: Option<Seconds>,

    /// Longest time in which a side reads none of the bytes that wait for it.
    #[arg(long, env = "PUBSHIM_STALL_TIMEOUT")]
    #[arg(value_name = "TIME", help_heading = "Time-outs")]
    pub stall_timeout: Option<Seconds>,

    /// Time to connect to the server, TLS included.
    #[arg(long, env = "PUBSHIM_CONNECT_TIMEOUT")]
    #[arg(value_name = "TIME", help_heading = "Time-outs")]
    pub connect_timeout: Option<Seconds>,

    /// Time for sessions to end when pubshim is told to stop.
    ///
    /// Each goes offline and closes its streams; sessions still open after this are cut. SIGTERM, SIGINT and a closed
    /// terminal (SIGHUP) tell it to stop; a second SIGTERM or SIGINT cuts at once.
    #[arg(long, env = "PUBSHIM_SHUTDOWN_TIMEOUT")]
    #[arg(value_name = "TIME", help_heading = "Time-outs")]
    pub shutdown_timeout: Option<Seconds>,

    /// Record each session to a file in this folder, for `pubshim replay`.
    ///
    /// All that both sides send, decrypted. Passwords, tokens, keys and what people wrote are taken out; addresses,
    /// names, status texts and room names are not. Only their owner can read the files. If empty, nothing is recorded.
    #[arg(long, env = "PUBSHIM_RECORD")]
    #[arg(value_name = "FOLDER", help_heading = "Recording")]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub record: Option<PathBuf>,

    /// Keep message bodies in recordings.
    #[arg(long, env = "PUBSHIM_RECORD_BODIES")]
    #[arg(value_name = "BOOL", help_heading = "Recording")]
    #[arg(value_parser = boolean, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", hide_possible_values = true)]
    pub record_bodies: Option<bool>,

    /// Keep these kinds of content in recordings, comma-separated.
    ///
    /// Passwords, tokens and keys are never kept. The value bodies is the same as --record-bodies.
    #[arg(long, env = "PUBSHIM_RECORD_KEEP")]
    #[arg(value_name = "KIND", help_heading = "Recording")]
    #[arg(value_enum, value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_more")]
    pub record_keep: Option<Vec<Kept>>,

    /// Size after which a recording goes on in another file.
    #[arg(long, env = "PUBSHIM_RECORD_MAX_SIZE")]
    #[arg(value_name = "SIZE", help_heading = "Recording")]
    pub record_max_size: Option<Size>,

    /// Show stanzas on both sides, live, on standard output.
    ///
    /// Stanzas received, the rules that apply (with the listings of XEP-0207 they come from), stanzas sent, and bytes;
    /// pubshim's own requests share a line. With colours on a terminal (unless NO_COLOR is set), one line each in a
    /// pipe. Passwords and tokens are never shown.
    ///
    /// json is for other programs: the steps that --record would write, an object a line. time is in seconds since
    /// pubshim has started; session is a number; who is the full JID, once it is known; step is called as in a
    /// recording ("from client", "to server", "client ends", …), or "ended", or "lost" with count; leg is client or
    /// server; xml is a stanza, text other content of the step; bytes is the size of a stanza that was taken whole;
    /// rules are names, and stand with the input. Fields that do not apply are left out.
    #[arg(long, env = "PUBSHIM_SHOW")]
    #[arg(value_name = "FORM", help_heading = "Live view")]
    #[arg(value_enum, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "short")]
    pub show: Option<Form>,

    /// Show message bodies, too.
    #[arg(long, env = "PUBSHIM_SHOW_BODIES")]
    #[arg(value_name = "BOOL", help_heading = "Live view")]
    #[arg(value_parser = boolean, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", hide_possible_values = true)]
    pub show_bodies: Option<bool>,

    /// Show each request of pubshim's own and its answer, too.
    #[arg(long, env = "PUBSHIM_SHOW_OWN")]
    #[arg(value_name = "BOOL", help_heading = "Live view")]
    #[arg(value_parser = boolean, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", hide_possible_values = true)]
    pub show_own: Option<bool>,

    /// Show only this function or address; may be repeated.
    ///
    /// A function is a rule's name or how it begins (presence, presence-publish), a kind of stanza (message)
    /// or what is in it (roster, ping). romeo@example.org is everything from or to that account,
    /// @example.org that of a whole domain. Given both, both must hold. Sums count everything.
    #[arg(long, env = "PUBSHIM_SHOW_ONLY")]
    #[arg(value_name = "WHAT", help_heading = "Live view")]
    #[arg(value_delimiter = ',')]
    #[serde(deserialize_with = "one_or_more")]
    pub show_only: Option<Vec<Only>>,

    /// How a line of the log is written.
    #[arg(long, env = "PUBSHIM_LOG_FORMAT")]
    #[arg(value_name = "FORMAT", help_heading = "Log", value_enum)]
    pub log_format: Option<LogFormat>,

    /// How much to log: 0 is the usual amount, higher is more.
    ///
    /// 2 is everything, 1 helps to find a fault, 0 is the course of sessions, -1 is warnings and errors, -2 is errors
    /// only, -3 is nothing. -v and -q count from here.
    #[arg(long, env = "PUBSHIM_VERBOSITY")]
    #[arg(value_name = "STEPS", help_heading = "Log")]
    #[arg(allow_negative_numbers = true)]
    pub verbosity: Option<Verbosity>,

    /// Log more; may be repeated.
    ///
    /// One step up from --verbosity.
    #[arg(short, long, action = ArgAction::Count, help_heading = "Log")]
    #[serde(skip)]
    pub verbose: u8,

    /// Log less; may be repeated.
    ///
    /// One step down from --verbosity.
    #[arg(short, long, action = ArgAction::Count, help_heading = "Log")]
    #[serde(skip)]
    pub quiet: u8,
}

pub(super) fn boolean(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("expected true or false"),
    }
}
