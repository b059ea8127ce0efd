//! A sandbox without sockets, and clients that talk to it in whole stanzas.

use std::cell::RefCell;
use std::rc::Rc;

use pubshim::sandbox::{Config, ConnectionId, Limits, Output, Server, Then, Ways};
use pubshim::xml::escape;

pub(crate) use crate::text::assert_has;

pub(crate) const DOMAIN: &str = "capulet.lit";
pub(crate) const CHAT: &str = "chat.capulet.lit";
pub(crate) const JULIET: &str = "juliet@capulet.lit";
pub(crate) const NURSE: &str = "nurse@capulet.lit";
pub(crate) const ROMEO: &str = "romeo@montague.lit";
pub(crate) const ACCOUNTS: [&str; 4] = [JULIET, NURSE, ROMEO, "benvolio@montague.lit"];

const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// `PASSWORD` of everybody, as base64 of `\0NAME\0secret` needs it.
pub(crate) const PASSWORD: &str = "secret";

pub(crate) fn config() -> Config {
    Config {
        domains: vec![DOMAIN.to_owned(), "montague.lit".to_owned()],
        accounts: ACCOUNTS
            .map(|it| (it.to_owned(), PASSWORD.to_owned()))
            .into(),
        ..Config::default()
    }
}

/// A sandbox that several clients share.
#[derive(Clone)]
pub(crate) struct World(pub(crate) Rc<RefCell<Server>>);

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&config())
    }

    pub(crate) fn with(config: &Config) -> Self {
        let server = Server::new(config, [7; 32]).unwrap();
        Self(Rc::new(RefCell::new(server)))
    }

    pub(crate) fn limited(limits: Limits) -> Self {
        Self::with(&Config { limits, ..config() })
    }

    /// One that keeps this server's rules.
    pub(crate) fn in_ways(ways: Ways) -> Self {
        Self::with(&Config { ways, ..config() })
    }

    pub(crate) fn connect(&self) -> Client {
        let id = self.0.borrow_mut().connect().unwrap();
        Client {
            world: self.clone(),
            id,
            jid: String::new(),
            seen: String::new(),
        }
    }

    /// A client in session as `bare/resource`.
    pub(crate) fn login(&self, bare: &str, resource: &str) -> Client {
        let mut client = self.connect();
        client.authenticate(bare);
        let answer = client.say(&format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <resource>{resource}</resource></bind></iq>"
        ));
        client.jid = format!("{bare}/{resource}");
        assert_has(&answer, &format!("<jid>{}</jid>", client.jid));
        // Stanzas that came after it are left to the test.
        let (_, rest) = answer.split_once("</iq>").unwrap();
        client.seen = rest.to_owned();
        client
    }

    /// Juliet and Romeo, both in session.
    pub(crate) fn lovers(&self) -> [Client; 2] {
        [self.login(JULIET, "balcony"), self.login(ROMEO, "orchard")]
    }

    /// The text of the file in which the sandbox would be stored.
    pub(crate) fn data(&self) -> String {
        self.0.borrow().data().unwrap()
    }
}

pub(crate) struct Client {
    world: World,
    pub(crate) id: ConnectionId,
    /// The full JID.
    pub(crate) jid: String,
    /// Bytes sent to the client and not yet looked at.
    seen: String,
}

impl Client {
    pub(crate) fn bare(&self) -> &str {
        self.jid.split_once('/').unwrap().0
    }

    /// Sends this, and gives all that has come since the last look.
    pub(crate) fn say(&mut self, text: &str) -> String {
        self.world.0.borrow_mut().handle(self.id, text.as_bytes());
        self.seen()
    }

    /// All that has come since the last look.
    pub(crate) fn seen(&mut self) -> String {
        let output = self.take();
        self.seen
            .push_str(std::str::from_utf8(&output.bytes).unwrap());
        std::mem::take(&mut self.seen)
    }

    pub(crate) fn take(&mut self) -> Output {
        self.world.0.borrow_mut().take(self.id)
    }

    pub(crate) fn is_closed(&mut self) -> bool {
        let output = self.take();
        self.seen
            .push_str(std::str::from_utf8(&output.bytes).unwrap());
        output.then == Then::Close
    }

    pub(crate) fn open(&mut self, domain: &str) -> String {
        self.say(&format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams' to='{domain}' version='1.0'>"
        ))
    }

    /// Logs in by PLAIN and opens the second stream.
    pub(crate) fn authenticate(&mut self, bare: &str) {
        let (name, domain) = bare.split_once('@').unwrap();
        self.open(domain);
        let answer = self.plain(name, PASSWORD);
        assert_eq!(answer, format!("<success xmlns='{SASL}'></success>"));
        let features = self.open(domain);
        assert_has(&features, "<bind ");
    }

    pub(crate) fn plain(&mut self, name: &str, password: &str) -> String {
        let text = base64(&format!("\0{name}\0{password}"));
        self.say(&format!(
            "<auth xmlns='{SASL}' mechanism='PLAIN'>{text}</auth>"
        ))
    }

    /// Asks somebody, or without `to` the own account; the answer without what came before and behind it.
    pub(crate) fn iq(&mut self, kind: &str, to: &str, payload: &str) -> String {
        let to = if to.is_empty() {
            String::new()
        } else {
            format!(" to='{to}'")
        };
        let before = self.seen();
        let answer = self.say(&format!("<iq type='{kind}' id='q'{to}>{payload}</iq>"));
        let found = answer.find("<iq ").zip(answer.find("</iq>"));
        let (start, end) = found.unwrap_or_else(|| panic!("no answer: {answer}"));
        let end = end + "</iq>".len();
        self.seen = before + &answer[..start] + &answer[end..];
        answer[start..end].to_owned()
    }

    pub(crate) fn get(&mut self, to: &str, content: &str) -> String {
        self.iq("get", to, &pubsub(content))
    }

    /// A `set` of the namespace `pubsub`.
    pub(crate) fn set(&mut self, to: &str, content: &str) -> String {
        self.iq("set", to, &pubsub(content))
    }

    /// A `set` that has to succeed.
    pub(crate) fn done(&mut self, to: &str, content: &str) -> String {
        let answer = self.set(to, content);
        assert!(answer.contains("type='result'"), "{content}: {answer}");
        answer
    }

    pub(crate) fn owner_get(&mut self, to: &str, content: &str) -> String {
        self.iq("get", to, &owner(content))
    }

    pub(crate) fn owner_set(&mut self, to: &str, content: &str) -> String {
        self.iq("set", to, &owner(content))
    }

    /// Makes a node with these fields.
    pub(crate) fn create(&mut self, to: &str, node: &str, fields: &[(&str, &str)]) {
        let form = form("http://jabber.org/protocol/pubsub#node_config", fields);
        self.done(
            to,
            &format!(
                "<create node='{}'/><configure>{form}</configure>",
                escape(node)
            ),
        );
    }

    pub(crate) fn configure(&mut self, to: &str, node: &str, fields: &[(&str, &str)]) -> String {
        let form = form("http://jabber.org/protocol/pubsub#node_config", fields);
        self.owner_set(to, &format!("<configure node='{node}'>{form}</configure>"))
    }

    /// Subscribes the own bare JID.
    pub(crate) fn subscribe(&mut self, to: &str, node: &str) -> String {
        let jid = self.bare().to_owned();
        self.set(to, &format!("<subscribe node='{node}' jid='{jid}'/>"))
    }

    pub(crate) fn publish(&mut self, to: &str, node: &str, id: &str, text: &str) -> String {
        self.set(to, &publish(node, id, text))
    }

    pub(crate) fn items(&mut self, to: &str, node: &str) -> String {
        self.get(to, &format!("<items node='{node}'/>"))
    }

    pub(crate) fn disconnect(self) {
        self.world.0.borrow_mut().disconnect(self.id);
    }
}

pub(crate) fn publish(node: &str, id: &str, text: &str) -> String {
    format!(
        "<publish node='{node}'><item id='{id}'><p xmlns='urn:test'>{text}</p></item></publish>"
    )
}

pub(crate) fn pubsub(content: &str) -> String {
    format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{content}</pubsub>")
}

pub(crate) fn owner(content: &str) -> String {
    format!("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>{content}</pubsub>")
}

/// A form with these fields; all but the nick of XEP-0207 are XEP-0060's.
pub(crate) fn form(form_type: &str, fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| {
        let prefix = if *var == "roomnick" { "" } else { "pubsub#" };
        let value = escape(value);
        format!("<field var='{prefix}{var}'><value>{value}</value></field>")
    };
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
         <value>{form_type}</value></field>{fields}</x>"
    )
}

/// Fails unless `answer` is the error that `words` name: its type, its condition and, where there is one, the
/// condition of XEP-0060.
#[track_caller]
pub(crate) fn assert_error(answer: &str, words: &str) {
    let mut words = words.split_whitespace();
    let (kind, condition) = (words.next().unwrap(), words.next().unwrap());
    let expected =
        format!("<error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>");
    assert_has(answer, "type='error'");
    assert_has(answer, &expected);
    match words.next() {
        None => assert!(!answer.contains("pubsub#errors"), "{answer}"),
        Some(special) => assert_has(
            answer,
            &format!("<{special} xmlns='http://jabber.org/protocol/pubsub#errors'"),
        ),
    }
}

#[track_caller]
pub(crate) fn assert_forbidden(answer: &str) {
    assert_error(answer, "auth forbidden");
}

#[track_caller]
pub(crate) fn assert_result(answer: &str) {
    assert_has(answer, "type='result'");
}

pub(crate) fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
