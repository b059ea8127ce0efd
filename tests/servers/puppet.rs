//! A real client, controlled by a test: `puppet.py`.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::process::Feed;
use crate::server::{Account, Entry};

/// One line of a puppet's report; fields it does not have are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Event {
    pub(crate) event: String,
    /// Of a stanza: `message`, `presence`, `iq`.
    pub(crate) kind: String,
    pub(crate) from: String,
    pub(crate) to: String,
    #[serde(rename = "type")]
    pub(crate) type_: String,
    pub(crate) id: String,
    /// The text of the stanza's own children (`body`, `show`, `status`), by name.
    pub(crate) children: BTreeMap<String, String>,
    /// Every presence in it: the stanza itself, or what a pubsub event holds.
    pub(crate) presences: Vec<Presence>,
    pub(crate) xml: String,
    pub(crate) text: String,
}

/// A presence, alone or inside an event.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Presence {
    pub(crate) from: String,
    #[serde(rename = "type")]
    pub(crate) type_: String,
    pub(crate) id: String,
    /// Its children as `flat` in `puppet.py` writes them.
    pub(crate) parts: Vec<String>,
}

impl Event {
    /// Lines of Python's own (warnings, tracebacks) become events, too.
    fn parse(line: String) -> Self {
        serde_json::from_str(&line).unwrap_or_else(|_| Self {
            event: "log".to_string(),
            text: line,
            ..Self::default()
        })
    }

    pub(crate) fn child(&self, name: &str) -> &str {
        self.children.get(name).map_or("", String::as_str)
    }

    pub(crate) fn is_message_from(&self, from: &str, body: &str) -> bool {
        self.kind == "message" && self.from == from && self.child("body") == body
    }

    pub(crate) fn is_presence_from(&self, from: &str, type_: &str) -> bool {
        self.kind == "presence" && self.from == from && self.type_ == type_
    }

    /// An available presence with this status.
    pub(crate) fn is_status_of(&self, from: &str, status: &str) -> bool {
        self.is_presence_from(from, "") && self.child("status") == status
    }

    /// A pubsub event with items.
    pub(crate) fn is_pubsub_event(&self) -> bool {
        self.kind == "message" && self.xml.contains("pubsub#event") && self.xml.contains("<items")
    }

    /// Whether this is between shims: no client behind a shim may be shown it.
    pub(crate) fn is_between_shims(&self) -> bool {
        // Events with items only: those about subscriptions are for clients, too.
        self.is_pubsub_event()
            || self.xml.contains("urn:pubshim:")
            || self.kind == "iq" && self.type_ != "get" && self.id.starts_with("ps-")
    }
}

/// A client in Python: takes commands and reports events as lines of JSON. Ends when this is dropped.
pub(crate) struct Script<T> {
    pub(crate) name: String,
    process: Child,
    pub(crate) told: Feed<T>,
}

impl<T: Clone + Send + 'static> Script<T> {
    pub(crate) fn start(name: &str, command: &mut Command, parse: fn(String) -> T) -> Self {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = spawned.unwrap_or_else(|why| {
            let python = command.get_program();
            panic!("these tests need Python ({python:?}: {why})")
        });
        Self {
            name: name.to_owned(),
            told: Feed::new(process.stdout.take().unwrap(), parse),
            process,
        }
    }

    /// Sends a command: `{"cmd": NAME, ...}` with the arguments of the script's `do_NAME`.
    #[allow(clippy::needless_pass_by_value)] // json!(…) at every call
    pub(crate) fn send(&self, command: Value) {
        let mut stdin = self.process.stdin.as_ref().unwrap();
        writeln!(stdin, "{command}").unwrap_or_else(|why| panic!("{} is gone: {why}", self.name));
    }
}

impl<T> Drop for Script<T> {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a script of this folder.
pub(crate) fn python(script: &str) -> Command {
    let python = std::env::var_os("TEST_PYTHON").unwrap_or("python3".into());
    let mut command = Command::new(python);
    command.arg(format!(
        "{}/tests/servers/{script}",
        env!("CARGO_MANIFEST_DIR")
    ));
    command
}

/// The command line of a script that logs in.
pub(crate) fn client(script: &str, entry: &Entry, full: &str, account: &Account) -> Command {
    let mut command = python(script);
    command
        .args([&entry.addr.ip().to_string(), &entry.addr.port().to_string()])
        .args([full, &account.password])
        .args(&entry.ca_file);
    command
}

pub(crate) struct Puppet {
    pub(crate) bare: String,
    pub(crate) full: String,
    client: Script<Event>,
}

static IDS: AtomicUsize = AtomicUsize::new(1);

impl Puppet {
    /// Starts a client that logs in; does not wait.
    pub(crate) fn start(entry: &Entry, account: &Account, resource: &str) -> Self {
        let full = format!("{}/{resource}", account.bare);
        let mut command = client("puppet.py", entry, &full, account);
        Self {
            bare: account.bare.clone(),
            client: Script::start(&full, &mut command, Event::parse),
            full,
        }
    }

    /// A client that has logged in, and has sent no presence yet.
    pub(crate) fn login(entry: &Entry, account: &Account, resource: &str) -> Self {
        let puppet = Self::start(entry, account, resource);
        puppet.wait("a session", |it| it.event == "session_started");
        puppet
    }

    /// Sends a command: `{"cmd": NAME, ...}` with the arguments of `do_NAME` in `puppet.py`.
    pub(crate) fn send(&self, command: Value) {
        self.client.send(command);
    }

    pub(crate) fn raw(&self, xml: &str) {
        self.send(json!({"cmd": "raw", "xml": xml}));
    }

    pub(crate) fn available(&self, status: &str) {
        self.send(json!({"cmd": "presence", "status": status}));
    }

    /// Waits for the first event, since the start of the client, for which this holds.
    pub(crate) fn wait(&self, what: &str, is_it: impl Fn(&Event) -> bool) -> Event {
        let found = self.client.told.find(|it| is_it(it).then(|| it.clone()));
        let Some((_, event)) = found else {
            panic!("{} waited in vain for {what}", self.full);
        };
        event
    }

    pub(crate) fn wait_for_status(&self, of: &Self, status: &str) -> Event {
        let what = format!("{}'s status {status:?}", of.full);
        self.wait(&what, |it| it.is_status_of(&of.full, status))
    }

    pub(crate) fn wait_for_unavailable(&self, of: &Self) -> Event {
        let what = format!("{} going offline", of.full);
        self.wait(&what, |it| it.is_presence_from(&of.full, "unavailable"))
    }

    /// Sends an IQ (`get`, `set`) to somebody, or without `to` to the own account; the answer, a result or an error.
    pub(crate) fn iq(&self, type_: &str, to: Option<&str>, payload: &str) -> Event {
        let id = new_id();
        let to = to.map_or(String::new(), |to| format!(" to='{to}'"));
        self.raw(&format!("<iq type='{type_}' id='{id}'{to}>{payload}</iq>"));
        self.wait(&format!("an answer to {payload}"), |it| {
            it.kind == "iq" && it.id == id && matches!(it.type_.as_str(), "result" | "error")
        })
    }

    /// Sends an IQ; the answer must be a result.
    pub(crate) fn ask(&self, type_: &str, to: Option<&str>, payload: &str) -> Event {
        let answer = self.iq(type_, to, payload);
        assert_eq!(
            answer.type_, "result",
            "{} asked {payload} and got {}",
            self.full, answer.xml
        );
        answer
    }

    /// A round trip to the own server.
    pub(crate) fn ping(&self) {
        let id = self.send_ping();
        self.wait("an answer to a ping", |it| it.kind == "iq" && it.id == id);
    }

    /// Sends a ping to the own server; returns the id of the answer.
    pub(crate) fn send_ping(&self) -> String {
        let (_, domain) = self.bare.split_once('@').unwrap();
        self.send_ping_to(domain)
    }

    pub(crate) fn send_ping_to(&self, to: &str) -> String {
        let id = new_id();
        self.raw(&format!(
            "<iq type='get' id='{id}' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>"
        ));
        id
    }

    /// All events so far.
    pub(crate) fn so_far(&self) -> Vec<Event> {
        self.client.told.so_far()
    }

    /// Events after the first `from`.
    pub(crate) fn since(&self, from: usize) -> Vec<Event> {
        self.client.told.since(from, |_| true)
    }

    /// All events up to a stanza that `sender` sends now. Servers keep the order between two sessions, so the effects
    /// of everything that `sender` did before are among them.
    pub(crate) fn seen_before_next_of(&self, sender: &Self) -> Vec<Event> {
        let id = sender.send_mark(self);
        let found = self
            .client
            .told
            .find(|it| (it.kind == "iq" && it.id == id).then_some(()));
        let Some((at, ())) = found else {
            panic!(
                "{} waited in vain for the IQ {id} of {}",
                self.full, sender.full
            );
        };
        self.client.told.so_far().drain(..at).collect()
    }

    /// Sends a stanza that marks a point in the other client's events; returns its id.
    pub(crate) fn send_mark(&self, to: &Self) -> String {
        let id = new_id();
        self.raw(&format!(
            "<iq type='get' id='{id}' to='{}'><query xmlns='jabber:iq:version'/></iq>",
            to.full
        ));
        id
    }

    /// The events from number `from` on, up to the first for which this holds.
    pub(crate) fn seen_until(
        &self,
        from: usize,
        what: &str,
        is_it: impl Fn(&Event) -> bool,
    ) -> Vec<Event> {
        let (mut count, mut seen) = (0, Vec::new());
        let found = self.client.told.find(|it| {
            count += 1;
            if count <= from {
                return None;
            }
            seen.push(it.clone());
            is_it(it).then_some(())
        });
        assert!(
            found.is_some(),
            "{} waited in vain for {what}, and saw since then {seen:#?}",
            self.full
        );
        seen
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- seen by {}:", self.full);
            for event in self.client.told.so_far() {
                if event.xml.is_empty() {
                    eprintln!("{} {}", event.event, event.text);
                } else {
                    eprintln!("{}", event.xml);
                }
            }
        }
    }
}

fn new_id() -> String {
    format!("test-{}", IDS.fetch_add(1, Ordering::Relaxed))
}
