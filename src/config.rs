//! Turns options into the settings of the program.
//!
//! [`RunOptions`] are raw: every field may be missing. [`RunOptions::resolve`] lays the command line and the
//! environment over the configuration file, that over the defaults, and refuses unsafe combinations. Single values are
//! checked where they are read, so that an error can name the option, the variable or the line of the file.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::fixture::Kept;
use crate::session::{self, ClientTls, Compress, Policy};
use crate::view;
use crate::xml::Limits;

mod cert;
mod check;
mod error;
mod forget;
mod list;
mod options;
mod value;
pub use cert::CertOptions;
use check::check;
pub use error::ConfigError;
pub use forget::ForgetOptions;
pub use options::RunOptions;
pub use value::{
    CompressionLevel, Count, Domain, ListenAddress, NameServer, Proxy, ProxyAddress, ProxySource,
    Seconds, Server, ServerAddress, Size, TlsVersion, Verbosity,
};

/// Settings of `pubshim run`, complete and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses on which clients connect; at least one.
    pub listen: Vec<ListenAddress>,
    /// Proxies before pubshim: a connection from one of these addresses begins with a PROXY header.
    pub proxy_from: Vec<IpAddr>,
    /// Certificate shown to clients; `None`: pubshim makes one.
    pub certificate: Option<CertificateFiles>,
    /// Folder that outlives a run; `None`: there is none.
    pub state: Option<PathBuf>,
    /// Server for every client; `None`: DNS names one for the client's domain.
    pub server: Option<ServerAddress>,
    /// DNS server to ask; `None`: the system's.
    pub nameserver: Option<SocketAddr>,
    /// Proxy for all connections to servers.
    pub proxy: Option<ProxyAddress>,
    /// Oldest TLS spoken with a server.
    pub tls_min: TlsVersion,
    /// Certificate shown to servers, by which they may log the user in.
    pub login_certificate: Option<CertificateFiles>,
    /// Certificates trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Leave the server's certificate unchecked.
    pub danger_accept_invalid_certs: bool,
    /// Level of compression of the server's leg, from 1 to 9.
    pub compress_level: u8,
    /// Sessions compressed at once under [`Compress::Auto`].
    pub compress_sessions: usize,
    /// Sessions open at once.
    pub max_sessions: usize,
    /// Bytes of stanzas that all sessions together may hold, beyond [`Session::FREE`](session::Session::FREE) each.
    pub max_held: usize,
    /// Time for connecting to the server, TLS included.
    pub connect_timeout: Duration,
    /// Time for sessions to end when the program is told to stop.
    pub shutdown_timeout: Duration,
    /// Options of each session.
    pub session: session::Options,
    /// Folder for recordings of sessions; `None`: nothing is recorded.
    pub record: Option<PathBuf>,
    /// Keep words of people in recordings.
    pub record_bodies: bool,
    /// Further kinds of content kept in recordings.
    pub record_keep: Vec<Kept>,
    /// Bytes after which a recording goes on in another file.
    pub record_max_size: usize,
    /// Options of the live view on standard output.
    pub show: view::Options,
    /// Options of the log.
    pub log: LogSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], 5222)))],
            proxy_from: Vec::new(),
            certificate: None,
            state: state_folder(),
            server: None,
            nameserver: None,
            proxy: None,
            tls_min: TlsVersion::default(),
            login_certificate: None,
            ca_file: None,
            danger_accept_invalid_certs: false,
            compress_level: 6,
            compress_sessions: 200,
            max_sessions: 1000,
            max_held: 256 * 1024 * 1024,
            connect_timeout: Duration::from_secs(15),
            shutdown_timeout: Duration::from_secs(5),
            session: session::Options {
                limits_before_login: Limits::BEFORE_LOGIN,
                limits: Limits::AFTER_LOGIN,
                client_tls: ClientTls::Auto,
                compress: Compress::Off,
                ..session::Options::default()
            },
            record: None,
            record_bodies: false,
            record_keep: Vec::new(),
            record_max_size: 32 * 1024 * 1024,
            show: view::Options::default(),
            log: LogSettings::default(),
        }
    }
}

/// PEM files of a certificate, its chain included, and of its key; both may be the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Options of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// Steps from the usual amount: `verbosity`, plus one for each `-v`, minus one for each `-q`.
    pub verbosity: i8,
    /// Form of a line.
    pub format: LogFormat,
}

impl LogSettings {
    /// Least important level that is logged, as `tracing` names it.
    pub fn level(self) -> &'static str {
        match self.verbosity {
            ..=-3 => "off",
            -2 => "error",
            -1 => "warn",
            0 => "info",
            1 => "debug",
            2.. => "trace",
        }
    }
}

/// Form of a line of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

impl RunOptions {
    /// Reads the configuration file, if one is named, fills in the defaults and checks the whole.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or understood, or when the options together are not allowed.
    pub fn resolve(self) -> Result<Settings, ConfigError> {
        let mut file = match &self.config {
            Some(path) => read_file(path)?,
            None => Self::default(),
        };
        // `--policy off` helps a user in trouble: keys of the file that only suit another policy must not stop it.
        if self.policy.is_some_and(|policy| policy != Policy::Auto) {
            file.native = None;
            file.chat = None;
        }
        if self.policy == Some(Policy::Off) {
            file.rooms = None;
            file.compress = None;
        }
        let options = self.or(file);
        let allow_remote_plaintext = options.allow_remote_plaintext.unwrap_or(false);
        options.check_files()?;
        let settings = options.or_default();
        check(&settings, allow_remote_plaintext)?;
        Ok(settings)
    }

    /// Each field of `self` where it is given, else of `other`.
    fn or(self, other: Self) -> Self {
        Self {
            config: self.config,
            listen: self.listen.or(other.listen),
            allow_remote_plaintext: self.allow_remote_plaintext.or(other.allow_remote_plaintext),
            proxy_from: self.proxy_from.or(other.proxy_from),
            client_tls: self.client_tls.or(other.client_tls),
            cert: self.cert.or(other.cert),
            key: self.key.or(other.key),
            state: self.state.or(other.state),
            server: self.server.or(other.server),
            nameserver: self.nameserver.or(other.nameserver),
            proxy: self.proxy.or(other.proxy),
            tls_min: self.tls_min.or(other.tls_min),
            login_cert: self.login_cert.or(other.login_cert),
            login_key: self.login_key.or(other.login_key),
            domain: self.domain.or(other.domain),
            ca_file: self.ca_file.or(other.ca_file),
            danger_accept_invalid_certs: self
                .danger_accept_invalid_certs
                .or(other.danger_accept_invalid_certs),
            compress: self.compress.or(other.compress),
            compress_level: self.compress_level.or(other.compress_level),
            compress_sessions: self.compress_sessions.or(other.compress_sessions),
            policy: self.policy.or(other.policy),
            native: self.native.or(other.native),
            chat: self.chat.or(other.chat),
            rooms: self.rooms.or(other.rooms),
            rooms_open: self.rooms_open.or(other.rooms_open),
            max_sessions: self.max_sessions.or(other.max_sessions),
            max_stanza_size: self.max_stanza_size.or(other.max_stanza_size),
            max_stanza_size_before_login: self
                .max_stanza_size_before_login
                .or(other.max_stanza_size_before_login),
            max_server_stanza: self.max_server_stanza.or(other.max_server_stanza),
            max_held: self.max_held.or(other.max_held),
            max_depth: self.max_depth.or(other.max_depth),
            max_attributes: self.max_attributes.or(other.max_attributes),
            max_namespaces: self.max_namespaces.or(other.max_namespaces),
            login_timeout: self.login_timeout.or(other.login_timeout),
            stanza_timeout: self.stanza_timeout.or(other.stanza_timeout),
            request_timeout: self.request_timeout.or(other.request_timeout),
            close_timeout: self.close_timeout.or(other.close_timeout),
            stall_timeout: self.stall_timeout.or(other.stall_timeout),
            connect_timeout: self.connect_timeout.or(other.connect_timeout),
            shutdown_timeout: self.shutdown_timeout.or(other.shutdown_timeout),
            record: self.record.or(other.record),
            record_bodies: self.record_bodies.or(other.record_bodies),
            record_keep: self.record_keep.or(other.record_keep),
            record_max_size: self.record_max_size.or(other.record_max_size),
            show: self.show.or(other.show),
            show_bodies: self.show_bodies.or(other.show_bodies),
            show_own: self.show_own.or(other.show_own),
            show_only: self.show_only.or(other.show_only),
            log_format: self.log_format.or(other.log_format),
            verbosity: self.verbosity.or(other.verbosity),
            verbose: self.verbose,
            quiet: self.quiet,
        }
    }

    /// Refuses a key whose certificate is not named.
    fn check_files(&self) -> Result<(), ConfigError> {
        let is_named = |path: &Option<PathBuf>| named(path.clone()).is_some();
        for (key, certificate, key_name, certificate_name) in [
            (&self.key, &self.cert, "--key", "--cert"),
            (
                &self.login_key,
                &self.login_cert,
                "--login-key",
                "--login-cert",
            ),
        ] {
            if is_named(key) && !is_named(certificate) {
                return Err(ConfigError::KeyAlone {
                    key: key_name,
                    certificate: certificate_name,
                });
            }
        }
        Ok(())
    }

    /// The settings, with defaults for absent options.
    fn or_default(self) -> Settings {
        let default = Settings::default();
        let session = self.session(default.session);
        let seconds = |given: Option<Seconds>, default| given.map_or(default, |seconds| seconds.0);
        let steps = i16::from(self.verbosity.unwrap_or_default().0) + i16::from(self.verbose)
            - i16::from(self.quiet);
        Settings {
            listen: self.listen.unwrap_or(default.listen),
            proxy_from: self
                .proxy_from
                .into_iter()
                .flatten()
                .map(|source| source.0)
                .collect(),
            certificate: certificate(self.cert, self.key),
            state: named(self.state).or(default.state),
            server: self.server.and_then(|server| server.0),
            nameserver: self.nameserver.and_then(|server| server.0),
            proxy: self.proxy.and_then(|proxy| proxy.0),
            tls_min: self.tls_min.unwrap_or(default.tls_min),
            login_certificate: certificate(self.login_cert, self.login_key),
            ca_file: named(self.ca_file),
            danger_accept_invalid_certs: self.danger_accept_invalid_certs.unwrap_or(false),
            compress_level: self
                .compress_level
                .map_or(default.compress_level, |level| level.0),
            compress_sessions: self
                .compress_sessions
                .map_or(default.compress_sessions, |count| count.0),
            max_sessions: self
                .max_sessions
                .map_or(default.max_sessions, |count| count.0),
            max_held: self.max_held.map_or(default.max_held, |size| size.0),
            connect_timeout: seconds(self.connect_timeout, default.connect_timeout),
            shutdown_timeout: seconds(self.shutdown_timeout, default.shutdown_timeout),
            session,
            record: named(self.record),
            record_bodies: self.record_bodies.unwrap_or(default.record_bodies),
            record_keep: self.record_keep.unwrap_or(default.record_keep),
            record_max_size: self
                .record_max_size
                .map_or(default.record_max_size, |count| count.0),
            show: view::Options {
                form: self.show.unwrap_or_default(),
                bodies: self.show_bodies.unwrap_or(default.show.bodies),
                own: self.show_own.unwrap_or(default.show.own),
                only: self.show_only.unwrap_or_default(),
            },
            log: LogSettings {
                verbosity: i8::try_from(steps.clamp(-3, 2)).unwrap_or_default(),
                format: self.log_format.unwrap_or_default(),
            },
        }
    }

    /// Options of each session.
    fn session(&self, default: session::Options) -> session::Options {
        let count = |given: Option<Count>, default| given.map_or(default, |count| count.0);
        let size = |given: Option<Size>, default| given.map_or(default, |size| size.0);
        let seconds = |given: Option<Seconds>, default| given.map_or(default, |seconds| seconds.0);
        let (before, after) = (default.limits_before_login, default.limits);
        let limits = Limits {
            bytes: size(self.max_stanza_size, after.bytes),
            depth: count(self.max_depth, after.depth),
            attributes: count(self.max_attributes, after.attributes),
            namespaces: count(self.max_namespaces, after.namespaces),
            elements: after.elements,
        };
        session::Options {
            policy: self.policy.unwrap_or(default.policy),
            native: self.native.clone().unwrap_or(default.native),
            chat: self.chat.unwrap_or(default.chat),
            rooms: self
                .rooms
                .iter()
                .flatten()
                .map(|domain| domain.0.clone())
                .collect(),
            rooms_open: self.rooms_open.unwrap_or(default.rooms_open),
            forget: default.forget,
            domains: self
                .domain
                .iter()
                .flatten()
                .map(|domain| domain.0.clone())
                .collect(),
            client_tls: self.client_tls.unwrap_or(default.client_tls),
            certified: default.certified,
            compress: self.compress.unwrap_or(default.compress),
            // A client that has not logged in is never allowed more than the default.
            limits_before_login: Limits {
                bytes: size(self.max_stanza_size_before_login, before.bytes),
                depth: limits.depth.min(before.depth),
                attributes: limits.attributes.min(before.attributes),
                namespaces: limits.namespaces.min(before.namespaces),
                elements: before.elements,
            },
            limits,
            max_server_stanza: size(self.max_server_stanza, default.max_server_stanza),
            timeouts: session::Timeouts {
                login: seconds(self.login_timeout, default.timeouts.login),
                greeting: seconds(self.connect_timeout, default.timeouts.greeting),
                stanza: seconds(self.stanza_timeout, default.timeouts.stanza),
                request: seconds(self.request_timeout, default.timeouts.request),
                close: seconds(self.close_timeout, default.timeouts.close),
                stall: seconds(self.stall_timeout, default.timeouts.stall),
            },
        }
    }
}

/// A path, unless empty.
fn named(path: Option<PathBuf>) -> Option<PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty())
}

/// The files of a certificate; without a key's path both are in one file.
fn certificate(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Option<CertificateFiles> {
    let certificate = named(certificate)?;
    let key = named(key).unwrap_or_else(|| certificate.clone());
    Some(CertificateFiles { certificate, key })
}

/// pubshim's folder for state (XDG Base Directory Specification); `None` without a home.
fn state_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let folder = |name| variable(name).filter(|path| path.is_absolute());
    let home = || Some(folder("HOME")?.join(".local/state"));
    let base = folder("XDG_STATE_HOME");
    Some(base.or_else(home)?.join("pubshim"))
}

/// Reads a configuration file. Relative paths begin at its folder.
fn read_file(path: &Path) -> Result<RunOptions, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|reason| ConfigError::Unreadable {
        path: path.to_owned(),
        reason,
    })?;
    let mut options = parse_file(&text).map_err(|(line, message)| ConfigError::Invalid {
        path: path.to_owned(),
        line,
        message,
    })?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let paths = [
        &mut options.ca_file,
        &mut options.cert,
        &mut options.key,
        &mut options.login_cert,
        &mut options.login_key,
        &mut options.state,
        &mut options.record,
    ];
    for path in paths.into_iter().flatten() {
        if !path.as_os_str().is_empty() {
            *path = directory.join(&*path);
        }
    }
    Ok(options)
}

/// Parses a configuration file; the error is a line and its fault.
fn parse_file(text: &str) -> Result<RunOptions, (usize, String)> {
    toml::from_str(text).map_err(|mut error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text
            .bytes()
            .take(start)
            .filter(|byte| *byte == b'\n')
            .count();
        let message = error.message().replacen("unknown field", "unknown key", 1);
        // Without the text, the error names the key instead of drawing the line.
        error.set_input(None);
        let shown = error.to_string();
        let key = shown.trim_end().rsplit_once("\nin ").map(|(_, key)| key);
        let content = text.lines().nth(line).unwrap_or_default().trim();
        let message = match key {
            Some(key) => format!("{key}: {message}"),
            None if message.starts_with("unknown key") => message,
            // The line may hold a password.
            None if content.starts_with("proxy") => message,
            None => format!("{message}: {content}"),
        };
        (line + 1, message)
    })
}

#[cfg(test)]
mod tests;
