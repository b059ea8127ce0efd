//! A sandbox and a few clients that do anything, and what must hold whatever they do.

use arbitrary::Arbitrary;
use pubshim::ns;
use pubshim::sandbox::{Config, ConnectionId, Limits, Server, Then};

use crate::HEADER;
use crate::sink::Sink;
use crate::text::{self, Address, FromClient, Piece, Request, Writer};

/// How a sandbox is set up.
#[derive(Arbitrary, Clone, Debug)]
pub struct Setup {
    compression: bool,
    /// Limits are as small as may be.
    small: bool,
    /// Number of clients logged in from the start.
    clients: u8,
}

/// Something that happens.
#[derive(Arbitrary, Clone, Debug)]
pub enum Step {
    /// A client asks a pubsub service.
    Ask(u8, Request),
    /// A client says something else.
    Say(u8, FromClient),
    /// A client answers the last question about a subscription it was sent.
    Approve(u8, Address, u8),
    /// Bytes of a client; cut there.
    Raw(u8, Vec<Piece>, u8),
    /// A new connection in place of an old one: does it log in?
    Connect(u8, bool),
    /// A client is gone.
    Leave(u8),
    /// A client reads nothing, or again.
    Block(u8, bool),
    /// A client was silent for too long.
    TimeOut(u8),
    /// A client logs in, or goes on with it.
    LogIn(u8, u8),
    /// Another sandbox reads the stored text, with a character changed.
    Reload(u16, char),
    /// The program ends.
    Shutdown,
}

/// Most clients.
const CLIENTS: usize = 3;
const ACCOUNTS: [&str; CLIENTS] = ["juliet", "nurse", "romeo"];
/// Base64 of a password after each name of [`ACCOUNTS`].
const PLAIN: [&str; CLIENTS] = [
    "AGp1bGlldABzZWNyZXQ=",
    "AG51cnNlAHNlY3JldA==",
    "AHJvbWVvAHNlY3JldA==",
];

/// A client of the sandbox.
struct Client {
    id: ConnectionId,
    sink: Sink,
    is_blocked: bool,
    /// The sandbox has said that there is something to be taken, and it was not taken yet.
    is_woken: bool,
    /// The id of the last question whether somebody may subscribe.
    asked: String,
}

struct Crowd {
    config: Config,
    server: Server,
    clients: [Option<Client>; CLIENTS],
}

/// Runs a sandbox from its beginning to its end.
pub fn run(setup: &Setup, steps: &[Step]) {
    let mut crowd = Crowd::new(setup);
    for at in 0..usize::from(setup.clients % 4).min(CLIENTS) {
        crowd.connect(at, true);
    }
    for step in steps {
        crowd.act(step);
    }
    crowd.reload(None);
    crowd.server.shutdown();
    crowd.read();
    for client in crowd.clients.iter().flatten() {
        assert!(
            client.is_blocked || client.sink.finished,
            "a stream goes on"
        );
    }
}

impl Crowd {
    fn new(setup: &Setup) -> Self {
        let limits = match setup.small {
            true => Limits {
                connections: CLIENTS,
                outgoing: 16 * 1024,
                nodes: 2,
                items: 2,
                subscriptions: 2,
                payload: 512,
                answer: 1024,
                name: 16,
            },
            false => Limits::default(),
        };
        let account = |name| (format!("{name}@capulet.lit"), "secret".to_owned());
        let config = Config {
            domains: vec!["capulet.lit".to_owned()],
            accounts: ACCOUNTS.map(account).into(),
            compression: setup.compression,
            limits,
            ..Config::default()
        };
        Self {
            server: Server::new(&config, [7; 32]).expect("a good configuration"),
            config,
            clients: Default::default(),
        }
    }

    fn act(&mut self, step: &Step) {
        let at = |client: &u8| usize::from(*client) % CLIENTS;
        match step {
            Step::Ask(client, request) => {
                let own = own(at(client));
                let said = writer(&own).request(request);
                self.say(at(client), said.as_bytes());
            }
            Step::Say(client, said) => {
                let own = own(at(client));
                let said = writer(&own).client(said);
                self.say(at(client), said.as_bytes());
            }
            Step::Approve(client, jid, style) => {
                let Some(id) = self.clients[at(client)].as_ref().map(|it| it.asked.clone()) else {
                    return;
                };
                let said = writer(&own(at(client))).approval(&id, *jid, *style);
                self.say(at(client), said.as_bytes());
            }
            Step::Raw(client, pieces, cut) => {
                for bytes in text::raw(pieces).chunks(usize::from(*cut) + 1) {
                    self.say(at(client), bytes);
                }
            }
            Step::Connect(client, logs_in) => self.connect(at(client), *logs_in),
            Step::Leave(client) => self.leave(at(client)),
            Step::Block(client, is_blocked) => {
                if let Some(client) = &mut self.clients[at(client)] {
                    client.is_blocked = *is_blocked;
                }
                self.read();
            }
            Step::TimeOut(client) => {
                if let Some(client) = &self.clients[at(client)] {
                    self.server.time_out(client.id);
                }
                self.read();
            }
            Step::LogIn(client, step) => {
                let steps = login(at(client));
                let step = &steps[usize::from(*step) % steps.len()];
                self.say(at(client), step.as_bytes());
            }
            Step::Reload(place, with) => self.reload(Some((*place, *with))),
            Step::Shutdown => {
                self.server.shutdown();
                self.read();
            }
        }
    }

    fn connect(&mut self, at: usize, logs_in: bool) {
        self.leave(at);
        let id = self.server.connect().expect("room for another");
        self.clients[at] = Some(Client {
            id,
            sink: Sink::default(),
            is_blocked: false,
            is_woken: false,
            asked: String::new(),
        });
        if logs_in {
            for step in &login(at)[..4] {
                self.say(at, step.as_bytes());
            }
            assert!(self.server.is_bound(id), "the login failed");
        }
    }

    fn leave(&mut self, at: usize) {
        if let Some(client) = self.clients[at].take() {
            self.server.disconnect(client.id);
            self.read();
        }
    }

    fn say(&mut self, at: usize, bytes: &[u8]) {
        if let Some(client) = &self.clients[at] {
            self.server.handle(client.id, bytes);
            self.read();
        }
    }

    /// Everybody who is not blocked reads.
    fn read(&mut self) {
        let woken = self.server.woken();
        for client in self.clients.iter_mut().flatten() {
            client.is_woken |= woken.contains(&client.id);
            if client.is_blocked {
                continue;
            }
            let output = self.server.take(client.id);
            let is_woken = std::mem::take(&mut client.is_woken);
            assert!(output.bytes.is_empty() || is_woken, "nobody was woken");
            let most = self.config.limits.outgoing;
            assert!(
                output.bytes.len() <= most,
                "{} bytes wait",
                output.bytes.len()
            );
            let asked = &mut client.asked;
            client.sink.look("sandbox", &output.bytes, |sent| {
                let Some(element) = sent.element() else {
                    return false;
                };
                if element.is(ns::CLIENT, "message") && element.child(ns::DATA, "x").is_some() {
                    *asked = element.attribute("id").unwrap_or_default().into_owned();
                }
                element.is(ns::SASL, "success") || element.is(ns::COMPRESS, "compressed")
            });
            client.sink.take(output.bytes.len());
            match output.then {
                Then::Continue | Then::Compress => {}
                Then::Close => client.sink.finished = true,
            }
        }
    }

    /// The stored text can be read again, and is the same; with a change it is the same or refused.
    fn reload(&self, change: Option<(u16, char)>) {
        let mut text = self.server.data().expect("what is kept");
        if let Some((place, with)) = change {
            let place = usize::from(place) % (text.chars().count() + 1);
            text = text
                .chars()
                .enumerate()
                .map(|(at, c)| if at == place { with } else { c })
                .collect();
        }
        let mut other = Server::new(&self.config, [8; 32]).expect("a good configuration");
        let loaded = other.load(&text);
        if change.is_none() {
            loaded.expect("what was written can be read");
            assert_eq!(other.data().expect("what is kept"), text);
        } else if loaded.is_ok() {
            let again = other.data().expect("what is kept");
            other.load(&again).expect("what was written can be read");
        }
    }
}

fn own(at: usize) -> String {
    format!("{}@capulet.lit/r", ACCOUNTS[at])
}

fn writer(own: &str) -> Writer<'_> {
    Writer {
        own,
        asked: &[],
        prefix: None,
        stream: "stream",
    }
}

/// The steps of a login.
fn login(at: usize) -> [String; 5] {
    let auth = format!(
        "<auth xmlns='{}' mechanism='PLAIN'>{}</auth>",
        ns::SASL,
        PLAIN[at]
    );
    let bind = format!(
        "<iq type='set' id='b'><bind xmlns='{}'><resource>r</resource></bind></iq>",
        ns::BIND
    );
    let scram = format!(
        "<auth xmlns='{}' mechanism='SCRAM-SHA-1'>biwsbj1qdWxpZXQscj1h</auth>",
        ns::SASL
    );
    // The last is no part of the others.
    [HEADER.to_owned(), auth, HEADER.to_owned(), bind, scram]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_connection_that_does_not_read_is_woken_later() {
        let setup = Setup {
            compression: false,
            small: false,
            clients: 0,
        };
        run(
            &setup,
            &[
                Step::Connect(0, false),
                Step::Block(0, true),
                Step::LogIn(0, 0),
                Step::Block(0, false),
            ],
        );
    }
}
