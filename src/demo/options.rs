//! Options of `pubshim demo`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Args};

use crate::config::{Domain, ListenAddress, LogSettings, Settings};
use crate::sandbox;
use crate::session::{self, ClientTls, Compress, Policy};
use crate::view::{self, Form, Only};

/// Text below the help.
pub const AFTER_HELP: &str = "\
The server is pubshim's own: it knows publish-subscribe and nothing else. It is for trying and
testing, takes connections from this machine only, and is not a server to run.

Examples:
  pubshim demo
      Two accounts, the port, a line to copy for three clients, and a live view of what they say
  pubshim demo --script --record scene
      The same with two clients of its own that play a short scene, for CI; it is recorded for
      `pubshim replay`
  pubshim demo --account nurse:verona --data demo.toml
      One account of your own; what it publishes is still there the next time

Exit codes:
  0  success
  1  failure: the scene did not go as it should, or the data file is broken
  2  usage
  3  input or output: the port asked for is taken, for instance";

/// Options of `pubshim demo`. The documentation of a field is its help.
#[derive(Clone, Debug, Args)]
pub struct DemoOptions {
    /// Address and port of this machine where clients connect [default: 127.0.0.1:5222].
    ///
    /// If this is not given and 5222 is taken, the system chooses a port.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = loopback)]
    pub listen: Option<SocketAddr>,

    /// Domain of the accounts.
    #[arg(long, value_name = "DOMAIN", default_value = "localhost")]
    pub domain: Domain,

    /// An account instead of juliet and romeo; may be repeated.
    #[arg(long, value_name = "NAME:PASSWORD")]
    pub account: Vec<Account>,

    /// Keep published items in this file, from one start to the next.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,

    /// Play a short scene with two classic clients, then end.
    #[arg(long, conflicts_with_all = ["account", "data"])]
    pub script: bool,

    /// How much pubshim translates to publish-subscribe (XEP-0207): everything, as the server knows nothing else.
    #[arg(long, value_name = "POLICY", value_parser = ["pure"], default_value = "pure")]
    pub policy: String,

    /// Record each session to a file in this folder, for `pubshim replay`.
    #[arg(long, value_name = "FOLDER")]
    pub record: Option<PathBuf>,

    /// How much of each stanza is shown; message bodies, too.
    #[arg(long, value_name = "FORM", value_enum, require_equals = true)]
    #[arg(num_args = 0..=1, default_value = "short", default_missing_value = "short")]
    pub show: Form,

    /// Show each request of pubshim's own and its answer, too.
    #[arg(long)]
    pub show_own: bool,

    /// Show only this function or address, as for `pubshim run`; may be repeated.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub show_only: Vec<Only>,

    /// Log more than errors; may be repeated.
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
}

/// An account of the demo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Local part of the address.
    pub name: String,
    /// The password.
    pub password: String,
}

impl Account {
    fn new(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: password.to_owned(),
        }
    }
}

impl FromStr for Account {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A banner's lines are copied to a shell: signs that it acts on are refused.
        let is_plain = |text: &str, beside: &str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_alphanumeric() || beside.contains(c))
        };
        match text.split_once(':') {
            Some((name, password))
                if is_plain(name, "-._+") && is_plain(password, "-._+=,@:/%") =>
            {
                Ok(Self::new(&name.to_lowercase(), password))
            }
            _ => Err(
                "expected NAME:PASSWORD such as nurse:verona, of letters, digits and a few signs",
            ),
        }
    }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = match text.parse()? {
        ListenAddress::Tcp(address) => address,
        ListenAddress::Unix(_) => {
            return Err("the demo listens on an address and a port".to_owned());
        }
    };
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err("the demo is for this machine only: listen on 127.0.0.1 or [::1]".to_owned()),
    }
}

impl DemoOptions {
    /// The accounts.
    pub(super) fn accounts(&self) -> Vec<Account> {
        match self.account.is_empty() {
            true => vec![
                Account::new("juliet", "capulet"),
                Account::new("romeo", "montague"),
            ],
            false => self.account.clone(),
        }
    }

    /// Service whose nodes are rooms; the server has one for its domain.
    pub(super) fn rooms(&self) -> String {
        let Domain(domain) = &self.domain;
        format!("chat.{domain}")
    }

    /// Configuration of the server.
    pub(super) fn sandbox(&self) -> sandbox::Config {
        let Domain(domain) = &self.domain;
        sandbox::Config {
            domains: vec![domain.clone()],
            accounts: self
                .accounts()
                .into_iter()
                .map(|account| (format!("{}@{domain}", account.name), account.password))
                .collect(),
            data: self.data.clone(),
            compression: true,
            ..sandbox::Config::default()
        }
    }

    /// Settings of pubshim, without the server's address.
    pub(super) fn settings(&self) -> Settings {
        let default = Settings::default();
        let Domain(domain) = &self.domain;
        Settings {
            listen: self
                .listen
                .map_or(default.listen, |address| vec![ListenAddress::Tcp(address)]),
            session: session::Options {
                policy: Policy::Pure,
                rooms: vec![self.rooms()],
                domains: vec![domain.clone()],
                client_tls: ClientTls::Off,
                // Compression saves nothing here: the demo shows it.
                compress: Compress::Require,
                ..default.session
            },
            record: self.record.clone(),
            show: view::Options {
                form: self.show,
                bodies: true,
                own: self.show_own,
                only: self.show_only.clone(),
            },
            ..default
        }
    }

    /// Options of the log. Warnings about sessions are in the live view, too.
    pub fn log(&self) -> LogSettings {
        let usual = if self.show == Form::Off { -1 } else { -2 };
        LogSettings {
            verbosity: usual + i8::try_from(self.verbose).unwrap_or(i8::MAX).min(4),
            ..LogSettings::default()
        }
    }
}
