//! Any number of strangers on another server, played by an external component (XEP-0114). As with other servers, its
//! stanzas are neither throttled nor limited to the size of clients' stanzas.

use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rxml::{Event, Reader};
use sha1::{Digest, Sha1};

use crate::common::{Node, PUBSUB};
use crate::process::{Feed, PATIENCE};
use crate::recorded::poll;

/// Domain of the component in the servers' configurations.
pub(crate) const DOMAIN: &str = "strangers.lit";
const SECRET: &str = "secret";

pub(crate) struct Strangers {
    stream: Mutex<TcpStream>,
    heard: Feed<Node>,
    names: AtomicUsize,
}

impl Strangers {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let mut to_server = stream.try_clone().unwrap();
        write!(
            to_server,
            "<stream:stream xmlns='jabber:component:accept' to='{DOMAIN}' \
             xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        .unwrap();
        let mut elements = Elements {
            reader: Reader::new(BufReader::new(stream)),
            id: String::new(),
        };
        elements.read_header();
        let hash = Sha1::digest(format!("{}{SECRET}", elements.id));
        let hash: String = hash.iter().map(|it| format!("{it:02x}")).collect();
        write!(to_server, "<handshake>{hash}</handshake>").unwrap();
        let answer = elements.next();
        assert_eq!(answer.map(|it| it.local).as_deref(), Some("handshake"));
        Self {
            stream: Mutex::new(to_server),
            heard: Feed::of(elements),
            names: AtomicUsize::new(1),
        }
    }

    /// The address of a new stranger.
    pub(crate) fn name(&self, name: &str) -> String {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        format!("{name}-{number}@{DOMAIN}")
    }

    pub(crate) fn say(&self, xml: &str) {
        let mut stream = self.stream.lock().unwrap();
        stream.write_all(xml.as_bytes()).unwrap();
    }

    /// Waits for the first stanza, since the start, for which this holds.
    pub(crate) fn wait(&self, what: &str, is_it: impl Fn(&Node) -> bool) -> Node {
        let found = self.heard.find(|it| is_it(it).then(|| it.clone()));
        let Some((_, node)) = found else {
            panic!("strangers waited in vain for {what}");
        };
        node
    }

    /// Sends an IQ from a stranger; the answer, a result or an error.
    pub(crate) fn ask(&self, from: &str, to: &str, type_: &str, payload: &str) -> Node {
        let id = format!("ask-{}", self.names.fetch_add(1, Ordering::Relaxed));
        self.say(&format!(
            "<iq type='{type_}' id='{id}' from='{from}' to='{to}'>{payload}</iq>"
        ));
        self.wait(payload, |it| {
            it.local == "iq"
                && it.attribute("id") == Some(&id)
                && matches!(it.attribute("type"), Some("result" | "error"))
        })
    }

    /// Waits until the component has received all stanzas that the server had for it.
    pub(crate) fn catch_up(&self, domain: &str) {
        let payload = "<ping xmlns='urn:xmpp:ping'/>";
        self.ask(&self.name("listener"), domain, "get", payload);
    }

    /// Number of stanzas received so far.
    pub(crate) fn count(&self) -> usize {
        self.heard.len()
    }

    /// Stanzas to `who` after the first `since` of all; for a bare JID also those to its resources.
    pub(crate) fn heard(&self, who: &str, since: usize) -> Vec<Node> {
        self.heard.since(since, |it| {
            let to = it.attribute("to").unwrap_or_default();
            let rest = to.strip_prefix(who);
            rest.is_some_and(|it| it.is_empty() || it.starts_with('/'))
        })
    }
}

/// The elements of the stream, one after the other.
struct Elements {
    reader: Reader<BufReader<TcpStream>>,
    /// The id of the stream.
    id: String,
}

impl Elements {
    fn read_header(&mut self) {
        while let Some(event) = self.reader.read().unwrap() {
            if let Event::StartElement(_, _, attributes) = event {
                let id = attributes.iter().find(|((_, name), _)| **name == *"id");
                self.id = id.map(|(_, value)| value.clone()).unwrap_or_default();
                return;
            }
        }
    }
}

impl Iterator for Elements {
    type Item = Node;

    fn next(&mut self) -> Option<Node> {
        let mut open: Vec<Node> = Vec::new();
        loop {
            match self.reader.read().ok()?? {
                Event::StartElement(_, (namespace, local), attributes) => {
                    let attributes = attributes.iter();
                    open.push(Node {
                        namespace: namespace.to_string(),
                        local: local.to_string(),
                        attributes: attributes
                            .map(|((_, name), value)| (name.to_string(), value.clone()))
                            .collect(),
                        ..Node::default()
                    });
                }
                Event::EndElement(_) => {
                    let node = open.pop()?; // none: the stream's end
                    match open.last_mut() {
                        Some(parent) => parent.children.push(node),
                        None => return Some(node),
                    }
                }
                Event::Text(_, text) => {
                    if let Some(node) = open.last_mut() {
                        node.text.push_str(&text);
                    }
                }
                Event::XmlDeclaration(..) => {}
            }
        }
    }
}

/// Subscribes a stranger's JID to an account's presence node; the owner has to allow it.
pub(crate) fn watch(strangers: &Strangers, jid: &str, owner: &str) {
    let subscribe =
        format!("<pubsub xmlns='{PUBSUB}'><subscribe node='presence' jid='{jid}'/></pubsub>");
    poll(&format!("{jid} subscribed to {owner}"), PATIENCE, || {
        let answer = strangers.ask(jid, owner, "set", &subscribe);
        let subscription = answer.find("pubsub/subscription");
        match subscription.and_then(|it| it.attribute("subscription")) {
            Some("subscribed") => Ok(()),
            _ => Err(format!("{answer:?}")),
        }
    });
}

/// The presences of an account that the stranger `who` was sent, natively or by event: the status of each, or its
/// type if it has none.
pub(crate) fn told_of(strangers: &Strangers, who: &str, of: &str, since: usize) -> Vec<String> {
    let heard = strangers.heard(who, since);
    let heard = heard.iter().filter(|it| {
        let from = it.attribute("from").unwrap_or_default();
        let is_probe = it.attribute("type") == Some("probe");
        !is_probe && (from == of || from.starts_with(&format!("{of}/")))
    });
    heard.flat_map(presences).collect()
}

fn presences(stanza: &Node) -> Vec<String> {
    let inside = match stanza.local.as_str() {
        "presence" => vec![stanza],
        "message" => {
            let items = stanza.find("event/items");
            let items = items.iter().flat_map(|it| &it.children);
            items.filter_map(|it| it.find("presence")).collect()
        }
        _ => Vec::new(),
    };
    let way = match stanza.local.as_str() {
        "presence" => "native",
        _ => "event",
    };
    let says = |it: &Node| {
        let status = it.find("status").map(|it| it.text.clone());
        let type_ = it.attribute("type").map(str::to_owned);
        type_.or(status).unwrap_or_default()
    };
    let told = inside.into_iter().map(says);
    told.map(|it| format!("{way}: {it}")).collect()
}

/// Bytes of a large stanza; servers take half a MiB from one another.
pub(crate) const LARGE: usize = 300_000;

/// Excessive contents of stanzas, some of them small in bytes; each a name and children of a stanza.
pub(crate) fn bombs() -> Vec<(&'static str, String)> {
    let numbered =
        |count: usize, write: fn(usize) -> String| (0..count).map(write).collect::<String>();
    let attributes = numbered(65, |it| format!(" a{it}='{it}'"));
    let declared = numbered(65, |it| format!(" xmlns:p{it}='urn:p{it}'"));
    let used = numbered(65, |it| format!(" p{it}:a=''"));
    let nested = "<a>".repeat(129) + &"</a>".repeat(129);
    vec![
        (
            "attributes",
            format!("<x xmlns='urn:example:bomb'{attributes}/>"),
        ),
        (
            "declarations",
            format!("<x xmlns='urn:example:bomb'{declared}{used}/>"),
        ),
        (
            "nested",
            format!("<x xmlns='urn:example:bomb'>{nested}</x>"),
        ),
        ("large", format!("<status>{}</status>", "x".repeat(LARGE))),
    ]
}
