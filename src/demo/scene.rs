//! A short scene between two classic clients.

use std::net::SocketAddr;

use anyhow::Context as _;

use super::client::Client;
use super::options::Account;
use Act::{Gets, LogsIn, LogsOut, Says};

/// Who acts: an account of the demo, by number.
type Who = usize;

const JULIET: Who = 0;
const ROMEO: Who = 1;

/// What somebody does.
enum Act {
    /// With this resource.
    LogsIn(&'static str),
    /// Sends a stanza.
    Says(&'static str),
    /// Waits for a stanza that says at least this.
    Gets(&'static str),
    LogsOut,
}

/// The scene, in order; `@domain` stands for the domain of the accounts.
const SCENE: &[(Who, Act)] = &[
    (JULIET, LogsIn("balcony")),
    (JULIET, Says("<presence/>")),
    (ROMEO, LogsIn("orchard")),
    (ROMEO, Says("<presence><status>Wooing</status></presence>")),
    (
        JULIET,
        Says("<presence><show>away</show><status>Moping</status></presence>"),
    ),
    // The answer comes behind everything that was said before.
    (
        JULIET,
        Says("<iq type='get' id='ping'><ping xmlns='urn:xmpp:ping'/></iq>"),
    ),
    (JULIET, Gets("<iq type='result' id='ping'/>")),
    (JULIET, LogsOut),
    (ROMEO, LogsOut),
];

/// Plays the scene on `address`; how many steps it was.
///
/// # Errors
///
/// When what is expected does not come in time: with the step, and with what came instead.
pub(super) async fn play(
    address: SocketAddr,
    domain: &str,
    accounts: &[Account],
) -> anyhow::Result<usize> {
    let mut clients: Vec<Option<Client>> = accounts.iter().map(|_| None).collect();
    for (at, (who, act)) in SCENE.iter().enumerate() {
        let (account, client) = accounts
            .get(*who)
            .zip(clients.get_mut(*who))
            .context("the scene needs another account")?;
        let step = || {
            format!(
                "the scene stopped at step {}: {}",
                at + 1,
                act.told(&account.name)
            )
        };
        let done = match act {
            LogsIn(resource) => {
                Client::log_in(address, &account.name, domain, &account.password, resource)
                    .await
                    .map(|it| *client = Some(it))
            }
            Says(xml) => match client {
                Some(client) => client.say(&at_domain(xml, domain)).await,
                None => Err(anyhow::anyhow!("who has not logged in says nothing")),
            },
            Gets(xml) => match client {
                Some(client) => client.get(&at_domain(xml, domain)).await,
                None => Err(anyhow::anyhow!("who has not logged in gets nothing")),
            },
            LogsOut => match client.take() {
                Some(client) => client.log_out().await,
                None => Ok(()),
            },
        };
        done.with_context(step)?;
    }
    Ok(SCENE.len())
}

fn at_domain(xml: &str, domain: &str) -> String {
    xml.replace("@domain", &format!("@{domain}"))
}

impl Act {
    /// As a sentence about `name`.
    fn told(&self, name: &str) -> String {
        match self {
            LogsIn(resource) => format!("{name} logs in as {resource}"),
            Says(xml) => format!("{name} says {xml}"),
            Gets(xml) => format!("{name} gets {xml}"),
            LogsOut => format!("{name} logs out"),
        }
    }
}
