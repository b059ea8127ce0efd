//! The command line of pubshim; the library of the same name does the work.

#![allow(
    clippy::disallowed_methods,
    reason = "here the runtime and the clock start, and the task that waits for signals"
)]

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use pubshim::cli::{self, Cli, Command};
use pubshim::commands::convert::convert;
use pubshim::commands::explain;
use pubshim::commands::print;
use pubshim::commands::replay::replay;
use pubshim::commands::translate::{self, CannotTry};
use pubshim::config::{ConfigError, LogFormat, LogSettings, Settings};
use pubshim::demo;
use pubshim::net::{CertificateError, Listener, cert, forget};
use pubshim::session::Policy;
use pubshim::view::wants_colour;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Exit codes beside 0: 1 for a failure, 2 for usage, 3 for input and output.
const FAILURE: u8 = 1;
const USAGE: u8 = 2;
const INPUT_OUTPUT: u8 = 3;

fn main() -> ExitCode {
    let result = match Cli::parse_from_env().command {
        Command::Config => print(&cli::default_file()),
        Command::Translate { options, print } => {
            piped(|out| translate::translate(&options, &print, io::stdin().lock(), out))
        }
        Command::Explain(options) => {
            piped(|out| explain::explain(&options, io::stdin().lock(), out))
        }
        Command::Run(options) => return start(options.resolve(), serve),
        Command::Forget(options) => return start(options.resolve(), forget),
        Command::Cert(options) => match options.resolve() {
            Ok((settings, domains)) => {
                set_up_log(settings.log);
                cert(&settings, &domains)
            }
            Err(error) => return complain(&error, USAGE),
        },
        Command::Demo(options) => {
            set_up_log(options.log());
            until_signal(|stop| demo::run(*options, stop))
        }
        Command::Convert(options) => match convert(&options) {
            Ok(code) => return code.into(),
            Err(error) => Err(error),
        },
        Command::Replay(options) => {
            let start = Instant::now();
            match replay(&options, &|| start.elapsed()) {
                Ok(code) => return code.into(),
                Err(error) => Err(error),
            }
        }
    };
    report(result)
}

/// Runs `work` with these settings until a signal comes.
fn start<F>(
    settings: Result<Settings, ConfigError>,
    work: impl FnOnce(Settings, CancellationToken) -> F,
) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    match settings {
        Ok(settings) => {
            set_up_log(settings.log);
            warn_of(&settings);
            report(until_signal(|stop| work(settings, stop)))
        }
        Err(error) => complain(&error, USAGE),
    }
}

fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if error.is::<CannotTry>() || error.is::<CertificateError>() {
                return complain(&format_args!("{error:#}"), USAGE);
            }
            let is_io = error.chain().any(|cause| cause.is::<io::Error>());
            complain(
                &format_args!("{error:#}"),
                if is_io { INPUT_OUTPUT } else { FAILURE },
            )
        }
    }
}

fn complain(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    // If this cannot be written either, the exit code still tells.
    let _ = writeln!(io::stderr(), "pubshim: error: {error}");
    ExitCode::from(code)
}

/// Runs a command on standard input and output; a closed pipe is no error.
fn piped(run: impl FnOnce(&mut io::StdoutLock<'_>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    match run(&mut io::stdout().lock()) {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        result => result,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Runs `work` to its end; a signal cancels its token.
fn until_signal<F>(work: impl FnOnce(CancellationToken) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(async { work(stop_on_signal()?).await });
    // A look-up of a name that still runs in the background must not delay the end.
    runtime.shutdown_background();
    result
}

/// Gives a token that the first SIGINT, SIGTERM or SIGHUP cancels; a second SIGINT or SIGTERM ends the program.
///
/// A closed terminal sends SIGHUP, more than once if a shell runs in it: further ones are ignored.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut interrupts = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminations = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut hangups = match ignores_hangups() {
        true => None,
        false => Some(signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?),
    };
    let stopping = stop.clone();
    tokio::spawn(async move {
        loop {
            let is_hangup = tokio::select! {
                _ = interrupts.recv() => false,
                _ = terminations.recv() => false,
                Some(_) = next(&mut hangups) => true,
            };
            if !stopping.is_cancelled() {
                tracing::info!("stopping; once more to stop at once");
                stopping.cancel();
            } else if !is_hangup {
                std::process::exit(FAILURE.into());
            }
        }
    });
    Ok(stop)
}

/// The next signal; never, if pubshim does not listen for it.
async fn next(signals: &mut Option<Signal>) -> Option<()> {
    match signals {
        Some(signals) => signals.recv().await,
        None => std::future::pending().await,
    }
}

/// Whether pubshim is to outlive its terminal, as with `nohup`. Only Linux tells.
fn ignores_hangups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Bit 0 is signal 1.
    ignored.is_some_and(|mask| mask & 1 != 0)
}

fn warn_of(settings: &Settings) {
    if settings.danger_accept_invalid_certs {
        tracing::warn!(
            "--danger-accept-invalid-certs: anybody on the way to the server can read passwords and messages"
        );
    }
    if settings.session.policy == Policy::Pure {
        tracing::warn!(
            "--policy pure: stock servers deliver little to a client without native presence, and messages reach only \
             people who use pubshim with this policy, too"
        );
    }
}

async fn serve(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let listener = Listener::bind(&settings).await?;
    listener.run(settings, stop).await
}

fn set_up_log(settings: LogSettings) {
    let level: LevelFilter = settings.level().parse().unwrap_or(LevelFilter::INFO);
    // Libraries log for their own developers: their lines are left out.
    let ours = Targets::new().with_target("pubshim", level);
    let log = tracing_subscriber::fmt::layer()
        .with_target(false)
        // With standard error closed, reporting that would be a panic.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    let log = match settings.format {
        LogFormat::Json => log.json().boxed(),
        LogFormat::Text => log.with_ansi(wants_colour(&io::stderr())).boxed(),
    };
    tracing_subscriber::registry().with(log).with(ours).init();
}
