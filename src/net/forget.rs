//! `pubshim forget`: listens until what pubshim has left on one account is removed.

use std::ops::ControlFlow;
use std::sync::mpsc::{Sender, channel};

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;

use super::Listener;
use super::watch::{Watcher, Watching};
use crate::commands::print;
use crate::config::Settings;
use crate::session::{Event, Forget, Forgetting, Output};

/// Serves clients until one has logged in and its account is forgotten, or `stop` is cancelled. Prints what is found
/// and what is done.
///
/// # Errors
///
/// When no client has logged in, something could not be removed, or a socket or standard output fails.
pub async fn forget(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let mut listener = Listener::bind(&settings).await?;
    let address = listener.addresses().next();
    let address = address.context("nothing to listen on")?;
    let (sender, outcome) = channel();
    let report = Report {
        outcome: sender,
        stop: stop.clone(),
    };
    listener.tell(Watching::start("forget", report)?);
    let what = match settings.session.forget {
        Some(Forget::Remove) => "listed and removed",
        _ => "listed, and nothing is removed",
    };
    print(&format!(
        "Log in through {address} with your client as always. What pubshim has left on the first account that does is \
         {what}.\nNodes of rooms are on services and not the account's: they stay.\n"
    ))?;
    listener.run(settings, stop).await?;
    match outcome.try_recv() {
        Ok(outcome) => outcome,
        Err(_) => bail!("nobody has logged in, and nothing was done"),
    }
}

/// Prints what a session finds and removes on its account, and stops the program afterwards.
struct Report {
    outcome: Sender<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl Report {
    fn end(&self, outcome: anyhow::Result<()>) -> ControlFlow<()> {
        // Sending fails only if the program has ended already.
        let _ = self.outcome.send(outcome);
        self.stop.cancel();
        ControlFlow::Break(())
    }
}

impl Watcher for Report {
    fn steps(&mut self, _: u64, _: u64, steps: &[Output]) -> ControlFlow<()> {
        for step in steps {
            let Output::Log(Event::Forgetting(step)) = step else {
                continue;
            };
            if let Err(error) = print(&format!("{step}\n")) {
                return self.end(Err(error));
            }
            match step {
                Forgetting::Done { failed: 0, .. } => return self.end(Ok(())),
                Forgetting::Done { .. } => {
                    let error = "not all could be done: see above, and try again";
                    return self.end(Err(anyhow::Error::msg(error)));
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn ended(&mut self, _: u64, lost: u64) -> ControlFlow<()> {
        match lost {
            0 => ControlFlow::Continue(()),
            _ => self.end(Err(anyhow::Error::msg("what was done could not be told"))),
        }
    }

    fn finished(&mut self) {}
}
