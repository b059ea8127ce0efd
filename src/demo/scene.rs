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
    // They are there.
    (JULIET, LogsIn("balcony")),
    (
        JULIET,
        Says("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>"),
    ),
    (
        JULIET,
        Gets("<iq type='result' id='roster'><query xmlns='jabber:iq:roster'/></iq>"),
    ),
    (JULIET, Says("<presence/>")),
    (ROMEO, LogsIn("orchard")),
    (
        ROMEO,
        Says("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>"),
    ),
    (
        ROMEO,
        Gets("<iq type='result' id='roster'><query xmlns='jabber:iq:roster'/></iq>"),
    ),
    (ROMEO, Says("<presence><status>Wooing</status></presence>")),
    // He asks to see her, and she lets him (listings 5-11).
    (
        ROMEO,
        Says("<presence to='juliet@domain' type='subscribe'/>"),
    ),
    (
        JULIET,
        Gets("<presence from='romeo@domain' type='subscribe'/>"),
    ),
    (
        JULIET,
        Says("<presence to='romeo@domain' type='subscribed'/>"),
    ),
    (
        ROMEO,
        Gets("<presence from='juliet@domain' type='subscribed'/>"),
    ),
    (
        ROMEO,
        Gets(
            "<iq type='set'><query xmlns='jabber:iq:roster'><item jid='juliet@domain' subscription='to'/></query></iq>",
        ),
    ),
    (ROMEO, Gets("<presence from='juliet@domain/balcony'/>")),
    // And the other way round.
    (
        JULIET,
        Says("<presence to='romeo@domain' type='subscribe'/>"),
    ),
    (
        ROMEO,
        Gets("<presence from='juliet@domain' type='subscribe'/>"),
    ),
    (
        ROMEO,
        Says("<presence to='juliet@domain' type='subscribed'/>"),
    ),
    (
        JULIET,
        Gets("<presence from='romeo@domain' type='subscribed'/>"),
    ),
    (
        JULIET,
        Gets(
            "<iq type='set'><query xmlns='jabber:iq:roster'><item jid='romeo@domain' subscription='both'/></query></iq>",
        ),
    ),
    (
        JULIET,
        Gets("<presence from='romeo@domain/orchard'><status>Wooing</status></presence>"),
    ),
    (
        JULIET,
        Says("<iq type='get' id='again'><query xmlns='jabber:iq:roster'/></iq>"),
    ),
    (
        JULIET,
        Gets(
            "<iq type='result' id='again'><query xmlns='jabber:iq:roster'><item jid='romeo@domain' subscription='both'/></query></iq>",
        ),
    ),
    // Her status changes (listings 1-4).
    (
        JULIET,
        Says("<presence><show>away</show><status>Moping</status></presence>"),
    ),
    (
        ROMEO,
        Gets(
            "<presence from='juliet@domain/balcony'><show>away</show><status>Moping</status></presence>",
        ),
    ),
    // She leaves.
    (JULIET, LogsOut),
    (
        ROMEO,
        Gets("<presence from='juliet@domain/balcony' type='unavailable'/>"),
    ),
    (ROMEO, LogsOut),
];

/// Plays the scene on `address`; how many steps it was.
///
/// # Errors
///
/// When what is expected does not come in time, with the step and what came instead.
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
        act.play(client, address, domain, account)
            .await
            .with_context(|| {
                let told = act.told(&account.name);
                format!("the scene stopped at step {}: {told}", at + 1)
            })?;
    }
    Ok(SCENE.len())
}

impl Act {
    /// Does it with the client of `account`, if it has logged in.
    async fn play(
        &self,
        client: &mut Option<Client>,
        address: SocketAddr,
        domain: &str,
        account: &Account,
    ) -> anyhow::Result<()> {
        let at_domain = |xml: &str| xml.replace("@domain", &format!("@{domain}"));
        match self {
            LogsIn(resource) => {
                *client = Some(Client::log_in(address, account, domain, resource).await?);
            }
            Says(xml) => present(client)?.say(&at_domain(xml)).await?,
            Gets(xml) => present(client)?.get(&at_domain(xml)).await?,
            LogsOut => {
                present(client)?.log_out().await?;
                *client = None;
            }
        }
        Ok(())
    }

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

fn present(client: &mut Option<Client>) -> anyhow::Result<&mut Client> {
    client.as_mut().context("this account has not logged in")
}
