//! `pubshim demo`: the sandbox and pubshim in front of it, in one process.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | [`run`]: starts both, ends both |
//! | `options.rs` | options of the demo |
//! | `banner.rs` | first text: accounts, the port, lines to copy |
//! | `scene.rs`, `client.rs` | `--script`: two classic clients that play a scene |

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this starts the shell, and its clients are a part of it"
)]

mod banner;
mod client;
mod options;
mod scene;

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;

pub use options::{AFTER_HELP, Account, DemoOptions};

use crate::commands::print;
use crate::config::{Domain, ListenAddress, ServerAddress, Settings};
use crate::net::{Announcer, Listener, Sandbox};
use crate::session::Security;
use crate::view::Form;

/// A port of this machine; the system chooses it.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Runs the demo until `stop` is cancelled or the scene is over.
///
/// # Errors
///
/// The port asked for is taken, the data file cannot be used, or the scene fails.
pub async fn run(options: DemoOptions, stop: CancellationToken) -> anyhow::Result<()> {
    let sandbox = Sandbox::bind(ANY_PORT, options.sandbox()).await?;
    let server = sandbox.local_addr();
    let mut settings = options.settings();
    settings.server = Some(ServerAddress {
        security: Security::Plain,
        host: server.ip().to_string(),
        port: server.port(),
    });
    let (listener, is_other) = listen(&mut settings, options.listen.is_some()).await?;
    let address = listener.address().context("nothing to listen on")?;
    let stage = Stage {
        address,
        announcer: listener.announcer(),
        show: options.show,
    };
    stage.say(&banner::banner(&options, address, is_other, server))?;

    let sandbox_stop = CancellationToken::new();
    let sandbox = tokio::spawn(sandbox.run(sandbox_stop.clone()));
    let sessions = tokio::spawn(listener.run(settings, stop.clone()));
    let played = match options.script {
        true => Some(play(&options, &stage, &stop).await),
        false => None,
    };
    if played.is_some() {
        stop.cancel();
    }
    // Sessions go offline at the server, so it ends last.
    let ended = sessions.await.context("pubshim has failed")?;
    sandbox_stop.cancel();
    sandbox.await.context("the sandbox has failed")??;
    ended?;
    match played {
        Some(steps) => stage.say(&format!(
            "The scene was played: {} steps, and each answer came that a classic client expects.\n",
            steps?
        )),
        None => Ok(()),
    }
}

/// Address where clients connect, and the view in which people watch.
struct Stage {
    address: SocketAddr,
    announcer: Announcer,
    show: Form,
}

impl Stage {
    /// Prints for people; not on standard output if programs read that.
    fn say(&self, text: &str) -> anyhow::Result<()> {
        match self.show {
            Form::Json => io::stderr()
                .write_all(text.as_bytes())
                .context("cannot write to standard error"),
            _ => print(text),
        }
    }

    /// Shows the name of an act before its steps.
    fn name_act(&self, name: &str) -> anyhow::Result<()> {
        match self.show {
            Form::Off | Form::Json => self.say(&format!("{name}\n")),
            Form::Short | Form::Full => {
                self.announcer.announce(name);
                Ok(())
            }
        }
    }
}

async fn play(
    options: &DemoOptions,
    stage: &Stage,
    stop: &CancellationToken,
) -> anyhow::Result<usize> {
    let (Domain(domain), accounts) = (&options.domain, options.accounts());
    let name_act = |name: &str| stage.name_act(name);
    let scene = scene::play(stage.address, domain, &accounts, name_act);
    match stop.run_until_cancelled(scene).await {
        Some(played) => played,
        None => bail!("stopped before the scene was over"),
    }
}

/// Listens for clients. If the usual port is taken and the user `asked` for none, on a free one; `true`: so it was.
async fn listen(settings: &mut Settings, asked: bool) -> anyhow::Result<(Listener, bool)> {
    match Listener::bind(settings).await {
        Err(error) if !asked && is_taken(&error) => {
            settings.listen = vec![ListenAddress::Tcp(ANY_PORT)];
            Ok((Listener::bind(settings).await?, true))
        }
        result => Ok((result?, false)),
    }
}

fn is_taken(error: &anyhow::Error) -> bool {
    let mut causes = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::AddrInUse)
}
