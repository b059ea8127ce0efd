//! The command line, its help, and the configuration file with every option.
//!
//! All of it comes from [`RunOptions`], the one list of options.

mod variables;

use std::ffi::{OsStr, OsString};
use std::fmt::Write;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::convert::{self, ConvertOptions};
use crate::commands::replay::{self, ReplayOptions};
use crate::commands::translate::{self, PrintOptions, TranslateOptions};
use crate::config::{CertOptions, ForgetOptions, RunOptions};
use crate::demo::{self, DemoOptions};
use crate::view::wrap;

const AFTER_HELP: &str = "\
Examples:
  pubshim demo
      A first minute without any account: a small server, two accounts, a live view
  pubshim run
      Clients on this machine log in through 127.0.0.1:5222, each to its own server
  pubshim run --server tls://xmpp.example.org --domain example.org -v
      Only to this server and this domain, with TLS from the first byte; log more
  pubshim forget --dry-run
      What of pubshim's is on the account of the next client that logs in through it?
  pubshim replay fixtures
      Do all recorded streams still give the same? For CI

Every option of `run` and `forget` can also be set by its variable, or in the file named by --config under
the name of its flag. A flag beats a variable, a variable beats the file, the file beats the
default. Lists are separated by commas in a variable; an empty variable counts as not set, and one
that begins with PUBSHIM_ and is no option's is an error.

Exit codes:
  0  success
  1  failure
  2  usage: an option, a variable or the configuration file is not right
  3  input or output: an address is taken, for instance";

const FORGET_AFTER_HELP: &str = "\
It listens as `run` does. Log in through it with your client as always, as pubshim knows no
password. Of the first account that does, the nodes that pubshim has made are listed, then
deleted; the client's stream is ended, and pubshim ends. Nothing else on the account is touched:
contacts, names and groups stay in the roster. Rooms are nodes of services and not the account's,
they stay. First log out all other clients of the account that go through pubshim: they would
make their nodes anew.

Examples:
  pubshim forget --dry-run
      Only list the nodes
  pubshim forget --server tls://xmpp.example.org
      Remove them; the client connects to 127.0.0.1:5222

Exit codes:
  0  all was removed, or with --dry-run, listed
  1  something could not be removed, or nobody has logged in
  2  usage: an option, a variable or the configuration file is not right
  3  input or output: an address is taken, for instance";

const CERT_AFTER_HELP: &str = "\
For clients that have TLS on their way to pubshim. A certificate is for one domain and for this
machine (localhost, 127.0.0.1, ::1), nobody vouches for it, and its key lies in the same file,
which you alone can read. `run` makes those for localhost and each --domain by itself.

Examples:
  pubshim cert
      The one for localhost, and those of --domain in PUBSHIM_DOMAIN or a file
  pubshim cert example.org
      One for example.org, for clients whose accounts are there

Exit codes:
  0  success
  1  failure: the file of a certificate is broken, or others can read it
  2  usage: a domain, a variable or the configuration file is not right
  3  input or output: the folder cannot be written, for instance";

/// Command line of `pubshim`.
#[derive(Debug, Parser)]
#[command(version, about, after_help = AFTER_HELP)]
pub struct Cli {
    /// Command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands of `pubshim`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try pubshim without an account: a server with nothing but pubsub, and a live view.
    #[command(after_help = demo::AFTER_HELP)]
    Demo(Box<DemoOptions>),
    /// Listen for clients and connect each to its server.
    #[command(after_help = AFTER_HELP)]
    Run(Box<RunOptions>),
    /// Remove what pubshim has left on an account.
    #[command(after_help = FORGET_AFTER_HELP)]
    Forget(Box<ForgetOptions>),
    /// Show the certificates that clients are shown, made if missing, and how clients come to accept them.
    #[command(after_help = CERT_AFTER_HELP)]
    Cert(Box<CertOptions>),
    /// Replay recorded streams without a network and report every difference from what is expected.
    #[command(after_help = replay::AFTER_HELP)]
    Replay(ReplayOptions),
    /// Turn a client's log, a scansion script or a packet dump into the inputs of a fixture.
    #[command(after_help = convert::AFTER_HELP)]
    Convert(ConvertOptions),
    /// Print what pubshim would send for stanzas.
    #[command(after_help = translate::AFTER_HELP)]
    Translate {
        /// Options for trying stanzas.
        #[command(flatten)]
        options: TranslateOptions,
        /// Options for printing.
        #[command(flatten)]
        print: PrintOptions,
    },
    /// Tell which rules apply to stanzas, from which listings; what waits, is refused or is dropped, and why.
    #[command(after_help = translate::AFTER_HELP)]
    Explain(TranslateOptions),
    /// Print a configuration file with every option, its default and an explanation.
    Config,
}

impl Cli {
    /// Reads the arguments and environment of this process. Prints help and usage errors, then ends the process
    /// with 0 or 2.
    pub fn parse_from_env() -> Self {
        Self::try_from_args(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads `args`, the program's name first, and the environment.
    ///
    /// # Errors
    ///
    /// Arguments are not understood, or ask for help.
    pub fn try_from_args<I, T>(args: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        // `mut_subcommand` would move the command behind the others.
        let mut command = Self::command().mut_subcommands(|command| match command.get_name() {
            "run" => command.mut_args(|arg| show_default(without_empty_variable(arg))),
            "forget" => command.mut_args(|arg| {
                let is_idle = is_idle_in_forget(&arg);
                show_default(without_empty_variable(arg)).hide(is_idle)
            }),
            "cert" => command.mut_args(|arg| {
                let is_idle = is_idle_in_cert(&arg);
                without_empty_variable(arg).hide(is_idle)
            }),
            _ => command.mut_args(without_empty_variable),
        });
        match command.try_get_matches_from_mut(args) {
            Ok(matches) => {
                if let Err(complaint) = variables::check(&command) {
                    return Err(command.error(ErrorKind::UnknownArgument, complaint));
                }
                Self::from_arg_matches(&matches).map_err(|e| e.format(&mut command))
            }
            Err(error) => {
                let error = without_password(error);
                // `build` gives the arguments of all commands their names.
                command.build();
                Err(blame_variable(error, &command))
            }
        }
    }
}

/// Defaults as the configuration file writes them, for help and [`default_file`]. A test compares them with
/// [`Settings`](crate::config::Settings).
const DEFAULTS: &[(&str, &str)] = &[
    ("listen", r#"["127.0.0.1:5222"]"#),
    ("allow-remote-plaintext", "false"),
    ("proxy-from", "[]"),
    ("client-tls", r#""auto""#),
    ("cert", r#""""#),
    ("key", r#""""#),
    ("state", r#""""#),
    ("server", r#""""#),
    ("nameserver", r#""""#),
    ("proxy", r#""""#),
    ("tls-min", r#""1.2""#),
    ("login-cert", r#""""#),
    ("login-key", r#""""#),
    ("domain", "[]"),
    ("ca-file", r#""""#),
    ("danger-accept-invalid-certs", "false"),
    ("compress", r#""off""#),
    ("compress-level", "6"),
    ("compress-sessions", "200"),
    ("policy", r#""auto""#),
    ("native", "[]"),
    ("chat", r#""auto""#),
    ("rooms", "[]"),
    ("rooms-open", "false"),
    ("max-sessions", "1000"),
    ("max-stanza-size", r#""256KiB""#),
    ("max-stanza-size-before-login", r#""64KiB""#),
    ("max-server-stanza", r#""16MiB""#),
    ("max-held", r#""256MiB""#),
    ("max-depth", "128"),
    ("max-attributes", "64"),
    ("max-namespaces", "64"),
    ("login-timeout", r#""120s""#),
    ("stanza-timeout", r#""120s""#),
    ("request-timeout", r#""60s""#),
    ("close-timeout", r#""5s""#),
    ("stall-timeout", r#""300s""#),
    ("connect-timeout", r#""15s""#),
    ("shutdown-timeout", r#""5s""#),
    ("record", r#""""#),
    ("record-bodies", "false"),
    ("record-keep", "[]"),
    ("record-max-size", r#""32MiB""#),
    ("show", r#""off""#),
    ("show-bodies", "false"),
    ("show-own", "false"),
    ("show-only", "[]"),
    ("log-format", r#""text""#),
    ("verbosity", "0"),
];

/// Default of an option, as the configuration file writes it; `None` if it has no key there.
fn default_of(arg: &Arg) -> Option<&'static str> {
    let (_, default) = DEFAULTS
        .iter()
        .find(|(key, _)| Some(*key) == arg.get_long())?;
    Some(default)
}

/// The text of `pubshim config`: a file with every option commented out at its default.
pub fn default_file() -> String {
    let mut file = String::from(
        "# Configuration of pubshim, for `pubshim run --config FILE`.\n\
         #\n\
         # Every option is here with its default; take the # away to change it.\n\
         # A flag beats a PUBSHIM_* variable, a variable beats this file.\n",
    );
    let mut group = None;
    let run = RunOptions::augment_args(clap::Command::new("run"));
    for arg in run.get_arguments() {
        let (Some(key), Some(default)) = (arg.get_long(), default_of(arg)) else {
            continue;
        };
        if group != arg.get_help_heading() {
            group = arg.get_help_heading();
            let _ = write!(file, "\n\n## {}\n", group.unwrap_or_default());
        }
        file.push('\n');
        file.push_str(&commented(&explanation(arg)));
        let _ = writeln!(file, "#{key} = {default}");
    }
    file
}

/// Long help of an option, and the meaning of its values.
fn explanation(arg: &Arg) -> String {
    let mut text = help_text(arg.get_long_help().or(arg.get_help()));
    if !text.ends_with('.') {
        text.push('.');
    }
    for value in arg.get_possible_values() {
        let help = help_text(value.get_help());
        let _ = write!(text, "\n- {}: {help}", value.get_name());
    }
    text
}

fn help_text(help: Option<&StyledStr>) -> String {
    help.map(ToString::to_string).unwrap_or_default()
}

/// `text` as comments of at most 80 columns.
fn commented(text: &str) -> String {
    let paragraph = |text: &str| {
        let indent = if text.starts_with("- ") { "  " } else { "" };
        let lines = wrap(text, 78, 78 - indent.len());
        let comment = format!("# {}", lines.join(&format!("\n# {indent}")));
        comment.trim_end().to_owned() + "\n"
    };
    text.lines().map(paragraph).collect()
}

/// Adds the default of an option to its help.
fn show_default(arg: Arg) -> Arg {
    // clap's `default_value` would count as given, and so beat the configuration file.
    let plain = |c: char| !"[]\"".contains(c);
    let default: String = default_of(&arg)
        .unwrap_or_default()
        .chars()
        .filter(|c| plain(*c))
        .collect();
    if default.is_empty() || default == "false" {
        return arg;
    }
    let with = |help: String, gap: &str| format!("{help}{gap}[default: {default}]");
    let short = with(help_text(arg.get_help()), " ");
    match arg.get_long_help() {
        Some(long) => {
            let long = with(help_text(Some(long)), "\n\n");
            arg.help(short).long_help(long)
        }
        None => arg.help(short),
    }
}

/// Whether an option of `run` has no effect on `forget`, which has one session and translates nothing.
fn is_idle_in_forget(arg: &Arg) -> bool {
    let is_idle = matches!(arg.get_help_heading(), Some("Translation" | "Recording"));
    is_idle || arg.get_long() == Some("max-sessions")
}

/// Whether an option of `run` has no effect on `cert`, as it is not about certificates for clients.
fn is_idle_in_cert(arg: &Arg) -> bool {
    let own = ["config", "cert", "key", "state", "domain"];
    arg.get_long().is_some_and(|option| !own.contains(&option))
}

/// Ignores an empty variable.
fn without_empty_variable(arg: Arg) -> Arg {
    let empty = arg
        .get_env()
        .and_then(std::env::var_os)
        .is_some_and(|value| value.is_empty());
    if empty { arg.env(None::<&str>) } else { arg }
}

/// Hides a refused value of `--proxy`: there may be a password in it.
fn without_password(mut error: clap::Error) -> clap::Error {
    let of_proxy = |context: Option<&ContextValue>| matches!(context, Some(ContextValue::String(name)) if name.starts_with("--proxy "));
    if of_proxy(error.get(ContextKind::InvalidArg)) {
        let hidden = ContextValue::String("(not shown)".to_owned());
        error.insert(ContextKind::InvalidValue, hidden);
    }
    error
}

/// Names the variable that a refused value came from; clap names the flag only.
fn blame_variable(mut error: clap::Error, command: &clap::Command) -> clap::Error {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let (Some(name), Some(value)) = (
        context(ContextKind::InvalidArg),
        context(ContextKind::InvalidValue),
    ) else {
        return error;
    };
    let mut arguments = command
        .get_subcommands()
        .flat_map(clap::Command::get_arguments);
    let arg = arguments.find(|arg| arg.get_env().is_some() && arg.to_string() == name);
    let Some(variable) = arg.and_then(Arg::get_env).and_then(OsStr::to_str) else {
        return error;
    };
    if std::env::var(variable).is_ok_and(|text| text.split(',').any(|part| part == value)) {
        let tip = format!("the value may come from the environment variable {variable}");
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![tip.into()]),
        );
    }
    error
}
