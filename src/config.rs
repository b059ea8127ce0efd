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
mod forget;
mod list;
mod options;
mod value;
pub use cert::CertOptions;
pub use check::ConfigError;
use check::check;
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
    pub fn resolve(mut self) -> Result<Settings, ConfigError> {
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
        let allow_remote_plaintext = self.allow_remote_plaintext.or(file.allow_remote_plaintext);
        let mut settings = Settings {
            certificate: certificate(
                ["--cert", "--key"],
                self.cert.take().or(file.cert.take()),
                self.key.take().or(file.key.take()),
            )?,
            login_certificate: certificate(
                ["--login-cert", "--login-key"],
                self.login_cert.take().or(file.login_cert.take()),
                self.login_key.take().or(file.login_key.take()),
            )?,
            ..Settings::default()
        };
        file.apply(&mut settings);
        self.apply(&mut settings);
        check(&settings, allow_remote_plaintext.unwrap_or(false))?;
        Ok(settings)
    }

    /// Changes the settings that are given here, but for the files of certificates, which belong together.
    fn apply(self, to: &mut Settings) {
        set(&mut to.listen, self.listen);
        set_all(&mut to.proxy_from, self.proxy_from);
        let state = |path| named(path).or_else(state_folder);
        set(&mut to.state, self.state.map(state));
        set(&mut to.server, self.server);
        set(&mut to.nameserver, self.nameserver);
        set(&mut to.proxy, self.proxy);
        set(&mut to.tls_min, self.tls_min);
        set(&mut to.ca_file, self.ca_file.map(named));
        let unchecked = self.danger_accept_invalid_certs;
        set(&mut to.danger_accept_invalid_certs, unchecked);
        set(&mut to.compress_level, self.compress_level);
        set(&mut to.compress_sessions, self.compress_sessions);
        set(&mut to.max_sessions, self.max_sessions);
        set(&mut to.max_held, self.max_held);
        set(&mut to.connect_timeout, self.connect_timeout);
        set(&mut to.shutdown_timeout, self.shutdown_timeout);
        set(&mut to.record, self.record.map(named));
        set(&mut to.record_bodies, self.record_bodies);
        set(&mut to.record_keep, self.record_keep);
        set(&mut to.record_max_size, self.record_max_size);
        set(&mut to.show.form, self.show);
        set(&mut to.show.bodies, self.show_bodies);
        set(&mut to.show.own, self.show_own);
        set(&mut to.show.only, self.show_only);
        set(&mut to.log.format, self.log_format);
        set(&mut to.log.verbosity, self.verbosity);
        let steps = i16::from(to.log.verbosity) + i16::from(self.verbose) - i16::from(self.quiet);
        to.log.verbosity = i8::try_from(steps.clamp(-3, 2)).unwrap_or_default();

        let session = &mut to.session;
        set(&mut session.policy, self.policy);
        set(&mut session.native, self.native);
        set(&mut session.chat, self.chat);
        set_all(&mut session.rooms, self.rooms);
        set(&mut session.rooms_open, self.rooms_open);
        set_all(&mut session.domains, self.domain);
        set(&mut session.client_tls, self.client_tls);
        set(&mut session.compress, self.compress);
        set(&mut session.max_server_stanza, self.max_server_stanza);
        let times = &mut session.timeouts;
        set(&mut times.login, self.login_timeout);
        set(&mut times.greeting, self.connect_timeout);
        set(&mut times.stanza, self.stanza_timeout);
        set(&mut times.request, self.request_timeout);
        set(&mut times.close, self.close_timeout);
        set(&mut times.stall, self.stall_timeout);
        let (before, after) = (&mut session.limits_before_login, &mut session.limits);
        set(&mut before.bytes, self.max_stanza_size_before_login);
        set(&mut after.bytes, self.max_stanza_size);
        set(&mut after.depth, self.max_depth);
        set(&mut after.attributes, self.max_attributes);
        set(&mut after.namespaces, self.max_namespaces);
        // A client that has not logged in is never allowed more than the default.
        let most = Limits::BEFORE_LOGIN;
        before.depth = after.depth.min(most.depth);
        before.attributes = after.attributes.min(most.attributes);
        before.namespaces = after.namespaces.min(most.namespaces);
    }
}

/// Changes a setting to the value given, if any.
fn set<T>(setting: &mut T, given: Option<impl Into<T>>) {
    if let Some(given) = given {
        *setting = given.into();
    }
}

/// Changes a list to the one given, if any.
fn set_all<T>(setting: &mut Vec<T>, given: Option<Vec<impl Into<T>>>) {
    if let Some(given) = given {
        *setting = given.into_iter().map(Into::into).collect();
    }
}

/// A path, unless empty.
fn named(path: PathBuf) -> Option<PathBuf> {
    Some(path).filter(|path| !path.as_os_str().is_empty())
}

/// The files of a certificate; without a key's path both are in one file. `options`: the flags for both.
fn certificate(
    options: [&str; 2],
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<CertificateFiles>, ConfigError> {
    match (certificate.and_then(named), key.and_then(named)) {
        (Some(certificate), key) => {
            let key = key.unwrap_or_else(|| certificate.clone());
            Ok(Some(CertificateFiles { certificate, key }))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => {
            let [certificate, key] = options;
            Err(ConfigError(format!(
                "{key} without {certificate}: name the file of the certificate, too"
            )))
        }
    }
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
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|reason| {
        ConfigError(format!(
            "cannot read the configuration file {name}: {reason}"
        ))
    })?;
    let mut options = parse_file(&text)
        .map_err(|(line, message)| ConfigError(format!("{name}:{line}: {message}")))?;
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
