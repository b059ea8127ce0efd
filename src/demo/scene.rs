//! A short scene between two classic clients.

use std::collections::HashMap;
use std::net::SocketAddr;

use anyhow::{Context as _, bail};

use super::client::Client;
use super::options::Account;

/// The scene. A line names an act, or a client and what it does: log in with a resource, say a stanza, get one that
/// matches, log out. `@domain` stands for the accounts' domain, `@chat.domain` for the service with rooms.
const SCENE: &str = "
# Juliet and Romeo log in, and say that they are there (listings 1, 3)
juliet logs in as balcony
juliet says <iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>
juliet gets <iq type='result' id='roster'><query xmlns='jabber:iq:roster'/></iq>
juliet says <presence/>
romeo logs in as orchard
romeo says <iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>
romeo gets <iq type='result' id='roster'><query xmlns='jabber:iq:roster'/></iq>
romeo says <presence><status>Wooing</status></presence>
romeo gets <presence from='romeo@domain/orchard'><status>Wooing</status></presence>

# He asks to see when she is there, and she lets him (listings 5 to 11)
romeo says <presence to='juliet@domain' type='subscribe'/>
juliet gets <presence from='romeo@domain' type='subscribe'/>
juliet says <presence to='romeo@domain' type='subscribed'/>
romeo gets <presence from='juliet@domain' type='subscribed'/>
romeo gets <iq type='set'><query xmlns='jabber:iq:roster'><item jid='juliet@domain' subscription='to'/></query></iq>
romeo gets <presence from='juliet@domain/balcony'/>

# She asks the same, and he lets her
juliet says <presence to='romeo@domain' type='subscribe'/>
romeo gets <presence from='juliet@domain' type='subscribe'/>
romeo says <presence to='juliet@domain' type='subscribed'/>
juliet gets <presence from='romeo@domain' type='subscribed'/>
juliet gets <iq type='set'><query xmlns='jabber:iq:roster'><item jid='romeo@domain' subscription='both'/></query></iq>
juliet gets <presence from='romeo@domain/orchard'><status>Wooing</status></presence>
juliet says <iq type='get' id='again'><query xmlns='jabber:iq:roster'/></iq>
juliet gets <iq type='result' id='again'><query xmlns='jabber:iq:roster'><item jid='romeo@domain' subscription='both'/></query></iq>

# Her status changes, and he sees it (listings 1 to 4)
juliet says <presence><show>away</show><status>Moping</status></presence>
romeo gets <presence from='juliet@domain/balcony'><show>away</show><status>Moping</status></presence>

# They write to each other (listings 18 to 20)
juliet says <message to='romeo@domain' type='chat' id='wherefore'><body>wherefore art thou?</body></message>
romeo gets <message from='juliet@domain/balcony' type='chat' id='wherefore'><body>wherefore art thou?</body></message>
romeo says <message to='juliet@domain/balcony' type='chat'><body>Here</body></message>
juliet gets <message from='romeo@domain/orchard' type='chat'><body>Here</body></message>

# She makes a room, and lets everybody in (listings 12, 13)
juliet says <presence to='characters@chat.domain/JC'><x xmlns='http://jabber.org/protocol/muc'/></presence>
juliet gets <presence from='characters@chat.domain/JC'><x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner' role='moderator'/><status code='110'/><status code='201'/></x></presence>
juliet gets <message from='characters@chat.domain' type='groupchat'><subject/></message>
juliet says <iq type='set' id='accept' to='characters@chat.domain'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>
juliet gets <iq type='result' id='accept' from='characters@chat.domain'/>

# He joins, and both see each other
romeo says <presence to='characters@chat.domain/Romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>
romeo gets <presence from='characters@chat.domain/JC'><x xmlns='http://jabber.org/protocol/muc#user'><item role='moderator'/></x></presence>
romeo gets <presence from='characters@chat.domain/Romeo'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x></presence>
romeo gets <message from='characters@chat.domain' type='groupchat'><subject/></message>
juliet gets <presence from='characters@chat.domain/Romeo'/>

# They talk in it, and he says what about (listings 14 to 17)
juliet says <message to='characters@chat.domain' type='groupchat' id='hi'><body>hi</body></message>
juliet gets <message from='characters@chat.domain/JC' type='groupchat' id='hi'><body>hi</body></message>
romeo gets <message from='characters@chat.domain/JC' type='groupchat'><body>hi</body></message>
romeo says <message to='characters@chat.domain' type='groupchat'><subject>Balconies</subject></message>
romeo gets <message from='characters@chat.domain/Romeo' type='groupchat'><subject>Balconies</subject></message>
juliet gets <message from='characters@chat.domain/Romeo' type='groupchat'><subject>Balconies</subject></message>

# He leaves the room, and comes back to what was said
romeo says <presence to='characters@chat.domain/Romeo' type='unavailable'/>
romeo gets <presence from='characters@chat.domain/Romeo' type='unavailable'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x></presence>
juliet gets <presence from='characters@chat.domain/Romeo' type='unavailable'/>
romeo says <presence to='characters@chat.domain/Romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>
romeo gets <message from='characters@chat.domain/JC' type='groupchat'><body>hi</body><delay xmlns='urn:xmpp:delay'/></message>
romeo gets <message from='characters@chat.domain/Romeo' type='groupchat'><subject>Balconies</subject><delay xmlns='urn:xmpp:delay'/></message>
juliet gets <presence from='characters@chat.domain/Romeo'/>

# She logs out, and is gone from the room as well
juliet logs out
romeo gets <presence from='characters@chat.domain/JC' type='unavailable'/>
romeo gets <presence from='juliet@domain/balcony' type='unavailable'/>
romeo logs out
";

/// Plays the scene on `address`; gives the number of steps. `name_act` gets the name of each act.
///
/// # Errors
///
/// An expected stanza does not come in time; the error names the step, and what came.
pub(super) async fn play(
    address: SocketAddr,
    domain: &str,
    accounts: &[Account],
    name_act: impl Fn(&str) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let mut clients = HashMap::new();
    let lines = SCENE.lines().map(str::trim);
    let mut count = 0;
    for step in lines.filter(|line| !line.is_empty()) {
        if let Some(act) = step.strip_prefix("# ") {
            name_act(act)?;
            continue;
        }
        count += 1;
        act(step, &mut clients, address, domain, accounts)
            .await
            .with_context(|| format!("the scene stopped at step {count}: {step}"))?;
    }
    Ok(count)
}

/// Plays one line.
async fn act<'a>(
    step: &'a str,
    clients: &mut HashMap<&'a str, Client>,
    address: SocketAddr,
    domain: &str,
    accounts: &[Account],
) -> anyhow::Result<()> {
    let (name, does) = step.split_once(' ').context("nobody does anything")?;
    if let Some(resource) = does.strip_prefix("logs in as ") {
        let mut accounts = accounts.iter();
        let account = accounts.find(|account| account.name == name);
        let account = account.context("the scene needs another account")?;
        let client = Client::log_in(address, account, domain, resource).await?;
        clients.insert(name, client);
        return Ok(());
    }
    let client = clients.get_mut(name);
    let client = client.context("this account has not logged in")?;
    let at_domain = |xml: &str| {
        let xml = xml.replace("@domain", &format!("@{domain}"));
        xml.replace("@chat.domain", &format!("@chat.{domain}"))
    };
    match does.split_once(' ') {
        Some(("says", xml)) => client.say(&at_domain(xml)).await,
        Some(("gets", xml)) => client.get(&at_domain(xml)).await,
        _ if does == "logs out" => {
            client.log_out().await?;
            clients.remove(name);
            Ok(())
        }
        _ => bail!("nobody knows how to do this"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_scene_that_stops_is_a_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its number");
        // The server hangs up on every client.
        tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let played = play(address, "localhost", &[], |_| Ok(())).await;
        let error = format!("{:#}", played.expect_err("nobody can log in"));
        let start = "the scene stopped at step 1: juliet logs in as balcony: ";
        assert!(error.starts_with(start), "{error}");
    }
}
