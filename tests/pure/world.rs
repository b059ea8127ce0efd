//! A sandbox, shims before it, and classic clients: all of it moved by the test, with the test's clock.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use pubshim::sandbox::{Config, ConnectionId, Server, Then, Ways};
use pubshim::session::{Input, Leg, Options, Output, Policy, Security, Seed, ServerFacts, Session};

pub(crate) use crate::common::removal;
use crate::common::{Node, in_short, is_push, roster_item};

pub(crate) const JULIET: &str = "juliet@capulet.lit";
pub(crate) const ROMEO: &str = "romeo@montague.lit";
pub(crate) const NURSE: &str = "nurse@capulet.lit";
pub(crate) const BENVOLIO: &str = "benvolio@montague.lit";
const EVERYBODY: [&str; 4] = [JULIET, NURSE, ROMEO, BENVOLIO];
/// The service with rooms.
pub(crate) const CHAT: &str = "chat.capulet.lit";

/// A sandbox and everything that is connected to it.
#[derive(Clone)]
pub(crate) struct World(Rc<RefCell<Inner>>);

struct Inner {
    server: Server,
    now: Duration,
    links: Vec<Link>,
}

/// A connection to the sandbox, with a shim before it or none.
struct Link {
    id: ConnectionId,
    session: Option<Session>,
    /// Bytes that have come to the client and were not looked at.
    seen: String,
    is_bound: bool,
    is_open: bool,
    /// When how many bytes went to the sandbox since the resource was bound.
    sent: Vec<(Duration, usize)>,
    /// The same as text.
    said: String,
}

/// Sandboxes by the rules of each server, for stories that must not depend on them.
pub(crate) fn worlds() -> [World; 2] {
    [Ways::Ejabberd, Ways::Prosody].map(|ways| World::in_ways(&EVERYBODY, ways))
}

impl World {
    /// A sandbox of two domains where everybody's password is `secret`.
    pub(crate) fn new() -> Self {
        Self::with(&EVERYBODY)
    }

    pub(crate) fn with(accounts: &[&str]) -> Self {
        Self::in_ways(accounts, Ways::default())
    }

    /// A sandbox that keeps this server's rules.
    pub(crate) fn in_ways(accounts: &[&str], ways: Ways) -> Self {
        let config = Config {
            domains: vec!["capulet.lit".to_owned(), "montague.lit".to_owned()],
            accounts: accounts
                .iter()
                .map(|it| ((*it).to_owned(), "secret".to_owned()))
                .collect(),
            ways,
            ..Config::default()
        };
        Self(Rc::new(RefCell::new(Inner {
            server: Server::new(&config, [3; 32]).unwrap(),
            now: Duration::from_secs(1000),
            links: Vec::new(),
        })))
    }

    /// Changes what the sandbox has on file.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut toml::Table)) {
        let mut inner = self.0.borrow_mut();
        let mut data: toml::Table = inner.server.data().unwrap().parse().unwrap();
        change(&mut data);
        inner.server.load(&data.to_string()).unwrap();
    }

    /// The sandbox has lost a node of an account.
    pub(crate) fn lose(&self, account: &str, name: &str) {
        self.edit(|data| {
            let nodes = data["node"].as_array_mut().unwrap();
            let before = nodes.len();
            nodes.retain(|it| {
                it["service"].as_str() != Some(account) || it["name"].as_str() != Some(name)
            });
            assert!(nodes.len() < before, "{account} has no {name}");
        });
    }

    /// A client that has logged in through a shim and has said nothing since.
    pub(crate) fn login(&self, bare: &str, resource: &str) -> Client {
        self.connect(bare, resource, true)
    }

    /// The same without a shim.
    pub(crate) fn raw(&self, bare: &str, resource: &str) -> Client {
        self.connect(bare, resource, false)
    }

    /// A client as they begin: it has got its roster and is available.
    pub(crate) fn start(&self, bare: &str, resource: &str) -> Client {
        let client = self.start_unseen(bare, resource);
        client.look();
        client
    }

    /// The same; the stanzas it was shown are left to the test.
    pub(crate) fn start_unseen(&self, bare: &str, resource: &str) -> Client {
        let client = self.login(bare, resource);
        client.say("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        client.say("<presence/>");
        // Our own traffic is paced.
        self.advance(10);
        client
    }

    fn connect(&self, bare: &str, resource: &str, has_shim: bool) -> Client {
        let number = {
            let mut inner = self.0.borrow_mut();
            let id = inner.server.connect().unwrap();
            let number = inner.links.len();
            let mut seed = [9; 32];
            seed[0] = u8::try_from(number).unwrap();
            let options = Options {
                policy: Policy::Pure,
                rooms: vec![CHAT.to_owned()],
                ..Options::default()
            };
            let now = inner.now;
            inner.links.push(Link {
                id,
                session: has_shim.then(|| Session::new(Arc::new(options), Seed(seed), now)),
                seen: String::new(),
                is_bound: false,
                is_open: true,
                sent: Vec::new(),
                said: String::new(),
            });
            number
        };
        let client = Client {
            world: self.clone(),
            number,
            bare: bare.to_owned(),
            full: format!("{bare}/{resource}"),
        };
        client.log_in(resource);
        client
    }

    /// Moves all bytes until none are left, without time passing.
    fn settle(&self) {
        let mut inner = self.0.borrow_mut();
        let inner = &mut *inner;
        while (0..inner.links.len()).fold(false, |is_moved, at| inner.move_link(at) | is_moved) {}
    }

    /// Lets time pass for everybody.
    pub(crate) fn advance(&self, seconds: u64) {
        let end = self.0.borrow().now + Duration::from_secs(seconds);
        loop {
            let mut inner = self.0.borrow_mut();
            let sessions = inner.links.iter().filter(|link| link.is_open);
            let next = sessions
                .filter_map(|link| link.session.as_ref()?.timeout())
                .min();
            let Some(at) = next.filter(|at| *at <= end) else {
                inner.now = end;
                return;
            };
            inner.now = inner.now.max(at);
            let now = inner.now;
            for link in &mut inner.links {
                if let Some(session) = &mut link.session
                    && link.is_open
                    && session.timeout().is_some_and(|at| at <= now)
                {
                    session.handle(Input::Timeout, now);
                }
            }
            drop(inner);
            self.settle();
        }
    }
}

impl Inner {
    /// Moves what waits at one connection; whether there was anything.
    fn move_link(&mut self, at: usize) -> bool {
        let (now, server) = (self.now, &mut self.server);
        let link = &mut self.links[at];
        if !link.is_open {
            return false;
        }
        let mut is_moved = false;
        if let Some(session) = &mut link.session {
            while let Some(output) = session.poll() {
                if let Output::Connect { .. } = output {
                    session.handle(
                        Input::connected(Security::Plain, ServerFacts::default()),
                        now,
                    );
                }
                is_moved = true;
            }
            let to_client = session.outgoing(Leg::Client).to_vec();
            session.sent(Leg::Client, to_client.len(), now);
            link.seen.push_str(std::str::from_utf8(&to_client).unwrap());
            let to_server = session.outgoing(Leg::Server).to_vec();
            session.sent(Leg::Server, to_server.len(), now);
            is_moved |= !to_client.is_empty() || !to_server.is_empty();
            if !to_server.is_empty() {
                let text = String::from_utf8(to_server).unwrap();
                link.tap(&text, now);
                server.handle(link.id, text.as_bytes());
            }
        }
        let output = server.take(link.id);
        let text = std::str::from_utf8(&output.bytes).unwrap();
        is_moved |= !text.is_empty();
        match &mut link.session {
            Some(session) if !text.is_empty() => {
                session.handle(Input::Bytes(Leg::Server, text.as_bytes()), now);
            }
            Some(_) => {}
            None => link.seen.push_str(text),
        }
        if output.then == Then::Close {
            link.is_open = false;
            server.disconnect(link.id);
        }
        is_moved
    }
}

impl Link {
    /// The proof of `pure`: between the login and the end of the stream every stanza is an IQ or
    /// listing 11, and no IQ is about a roster.
    fn tap(&mut self, text: &str, now: Duration) {
        if !self.is_bound {
            self.is_bound = text.contains("urn:ietf:params:xml:ns:xmpp-bind");
            return;
        }
        self.sent.push((now, text.len()));
        self.said.push_str(text);
        let text = text.strip_suffix("</stream:stream>").unwrap_or(text);
        assert!(!text.contains("jabber:iq:roster"), "{text}");
        for stanza in Node::stream(text) {
            let is_allowed = match &*stanza.local {
                // A result needs a `to`: an answer to a roster push would have none.
                "iq" => stanza.value("type") != "result" || stanza.attribute("to").is_some(),
                "message" => {
                    let form = "http://jabber.org/protocol/pubsub#subscribe_authorization";
                    stanza.names() == ["x"]
                        && stanza.at("x").value("type") == "submit"
                        && stanza.fields().get("FORM_TYPE").map(String::as_str) == Some(form)
                }
                _ => false,
            };
            assert!(is_allowed, "this reached the sandbox: {text}");
        }
    }
}

/// A classic client.
pub(crate) struct Client {
    world: World,
    number: usize,
    pub(crate) bare: String,
    pub(crate) full: String,
}

impl Client {
    fn log_in(&self, resource: &str) {
        let (local, domain) = self.bare.split_once('@').unwrap();
        let header = format!(
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
             to='{domain}' version='1.0'>"
        );
        let auth = base64(&format!("\0{local}\0secret"));
        self.say(&header);
        self.say(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{auth}</auth>"
        ));
        self.say(&header);
        self.say(&format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <resource>{resource}</resource></bind></iq>"
        ));
        let seen = self.bytes();
        assert!(
            seen.contains(&format!("<jid>{}</jid>", self.full)),
            "{seen}"
        );
        // Stanzas that came after it are left to the test.
        let (_, rest) = seen.split_once("</bind></iq>").unwrap();
        self.inner(|_, link| link.seen.insert_str(0, rest));
    }

    fn inner<T>(&self, act: impl FnOnce(&mut Server, &mut Link) -> T) -> T {
        let mut inner = self.world.0.borrow_mut();
        let inner = &mut *inner;
        act(&mut inner.server, &mut inner.links[self.number])
    }

    /// Says this, and lets happen what follows from it.
    pub(crate) fn say(&self, xml: &str) {
        let now = self.world.0.borrow().now;
        self.inner(|server, link| match &mut link.session {
            Some(session) => session.handle(Input::Bytes(Leg::Client, xml.as_bytes()), now),
            None => server.handle(link.id, xml.as_bytes()),
        });
        self.world.settle();
    }

    /// Bytes that have come since the last look, as they are.
    pub(crate) fn bytes(&self) -> String {
        self.inner(|_, link| std::mem::take(&mut link.seen))
    }

    /// The stanzas that have come since the last look. Pushes are answered as RFC 6121 §2.1.6 asks.
    pub(crate) fn got(&self) -> Vec<Node> {
        let stanzas = Node::stream(&self.bytes());
        for push in stanzas.iter().filter(|it| is_push(it)) {
            self.say(&format!("<iq type='result' id='{}'/>", push.value("id")));
        }
        stanzas
    }

    /// The same, each in a few words, without the client's own presence.
    pub(crate) fn look(&self) -> Vec<String> {
        let stanzas = self.got();
        let others = stanzas
            .iter()
            .filter(|it| it.attribute("from") != Some(&*self.full));
        others.map(in_short).collect()
    }

    /// Asserts what has come since the last look, whatever the order.
    #[track_caller]
    pub(crate) fn sees(&self, expected: &[&str]) {
        let mut seen = self.look();
        seen.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(seen, expected, "seen by {}", self.full);
    }

    /// The client's roster as it is now, each item in a few words.
    pub(crate) fn roster(&self) -> Vec<String> {
        let id = "the-roster";
        self.say(&format!(
            "<iq type='get' id='{id}'><query xmlns='jabber:iq:roster'/></iq>"
        ));
        let stanzas = self.got();
        let answer = stanzas.iter().find(|it| it.attribute("id") == Some(id));
        let items = &answer.expect("an answer").at("query").children;
        items.iter().map(roster_item).collect()
    }

    /// The sandbox's own answer to an IQ, for a client without a shim.
    pub(crate) fn ask(&self, to: &str, kind: &str, payload: &str) -> Node {
        self.bytes();
        self.say(&format!(
            "<iq type='{kind}' id='ask' to='{to}'>{payload}</iq>"
        ));
        let mut stanzas = Node::stream(&self.bytes());
        let at = stanzas
            .iter()
            .position(|it| it.attribute("id") == Some("ask"));
        stanzas.swap_remove(at.expect("an answer"))
    }

    /// Other subscribers of this account's node `presence`, as the sandbox lists them.
    pub(crate) fn subscribers(&self) -> Vec<String> {
        let answer = self.ask(
            &self.bare,
            "get",
            "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><subscriptions node='presence'/></pubsub>",
        );
        let list = &answer.at("pubsub/subscriptions").children;
        let mut list: Vec<_> = list
            .iter()
            .filter(|it| it.value("jid") != self.bare)
            .map(|it| format!("{} {}", it.value("jid"), it.value("subscription")))
            .collect();
        list.sort();
        list
    }

    /// Sends a subscription stanza.
    pub(crate) fn tell(&self, to: &str, kind: &str) {
        self.say(&format!("<presence to='{to}' type='{kind}'/>"));
    }

    /// Is available with this status.
    pub(crate) fn status(&self, status: &str) {
        self.say(&format!("<presence><status>{status}</status></presence>"));
    }

    /// Ends the stream as clients do.
    pub(crate) fn log_out(&self) {
        self.say("<presence type='unavailable'/></stream:stream>");
        self.close();
    }

    /// The connection to the shim is gone without a word.
    pub(crate) fn cut(&self) {
        let now = self.world.0.borrow().now;
        self.inner(|_, link| {
            let session = link.session.as_mut().unwrap();
            session.handle(Input::Eof(Leg::Client), now);
        });
        self.world.settle();
    }

    /// The connection to the sandbox is gone without a word.
    pub(crate) fn close(&self) {
        self.inner(|server, link| {
            link.is_open = false;
            server.disconnect(link.id);
        });
        self.world.settle();
    }

    /// How many bytes went to the sandbox since the login, and when.
    pub(crate) fn sent(&self) -> Vec<(Duration, usize)> {
        self.inner(|_, link| link.sent.clone())
    }

    /// Stanzas that went to the sandbox since the last look.
    pub(crate) fn said(&self) -> Vec<Node> {
        Node::stream(&self.inner(|_, link| std::mem::take(&mut link.said)))
    }
}

/// Juliet and Romeo, who see each other; all stanzas shown are looked at.
pub(crate) fn friends(world: &World) -> (Client, Client) {
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    befriend(&juliet, &romeo);
    world.advance(10);
    (juliet, romeo)
}

/// Has two clients ask and approve each other.
pub(crate) fn befriend(one: &Client, other: &Client) {
    one.tell(&other.bare, "subscribe");
    other.tell(&one.bare, "subscribed");
    other.tell(&one.bare, "subscribe");
    one.tell(&other.bare, "subscribed");
    one.look();
    other.look();
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
