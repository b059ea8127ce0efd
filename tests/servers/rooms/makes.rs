//! People in rooms by clients of several makes, each with its own library's idea of a room: `with_slixmpp.py`,
//! `with_aioxmpp.py`, `with_mcabber.py`. They take the same commands and report in the same words.

use std::cell::{Cell, RefCell};

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::puppet::{Script, client};
use crate::relay::{Cut, Relay};
use crate::server::{Account, Entry, Server};
use crate::shim::Shim;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Make {
    Slixmpp,
    Aioxmpp,
    Mcabber,
}

impl Make {
    fn script(self) -> &'static str {
        match self {
            Self::Slixmpp => "rooms/with_slixmpp.py",
            Self::Aioxmpp => "rooms/with_aioxmpp.py",
            Self::Mcabber => "rooms/with_mcabber.py",
        }
    }
}

/// One line of a report; fields it does not have are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    pub(super) event: String,
    pub(super) room: String,
    pub(super) nick: String,
    /// The new nick.
    pub(super) to: String,
    /// A message, a topic, a status.
    pub(super) text: String,
    pub(super) show: String,
    /// The condition of a refusal.
    pub(super) condition: String,
    /// The codes of XEP-0045 §15.6.
    pub(super) codes: Vec<u16>,
    /// Results of browsing: JIDs; or identities and features.
    pub(super) items: Vec<String>,
    /// Occupants: nick, role, affiliation, show.
    pub(super) people: Vec<[String; 4]>,
    /// Messages from before the join: nick, body, time.
    pub(super) past: Vec<[String; 3]>,
}

impl Told {
    fn parse(line: String) -> Self {
        serde_json::from_str(&line).unwrap_or_else(|_| Self {
            event: "log".to_owned(),
            text: line,
            ..Self::default()
        })
    }

    pub(super) fn is(&self, event: &str, room: &str, nick: &str) -> bool {
        self.event == event && self.room == room && self.nick == nick
    }
}

/// A person with a real client.
pub(super) struct Guest {
    client: Script<Told>,
    /// Number of lines of the report that were looked at.
    read: Cell<usize>,
    /// `None`: the client connects to the server.
    shim: Option<RefCell<Shim>>,
    /// The connection of the client, which tests can cut.
    relay: Relay,
    /// The client's own files.
    _folder: TempDir,
}

impl Guest {
    /// Logs in through a shim of his own, with rooms on `service`.
    pub(super) fn by_shim(make: Make, server: &Server, account: &Account, service: &str) -> Self {
        let shim = Shim::start(server, "auto", &["--rooms", service]);
        let entry = shim.entry();
        Self::start(make, entry, account, Some(RefCell::new(shim)))
    }

    /// Logs in without a shim.
    pub(super) fn directly(make: Make, server: &Server, account: &Account) -> Self {
        Self::start(make, server.entry(), account, None)
    }

    fn start(make: Make, mut entry: Entry, account: &Account, shim: Option<RefCell<Shim>>) -> Self {
        let relay = Relay::to(entry.addr);
        entry.addr = relay.addr;
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix("pubshim-test-").tempdir();
        let folder = folder.expect("a temporary folder");
        let full = format!("{}/here", account.bare);
        let mut command = client(make.script(), &entry, &full, account);
        command.env("TMPDIR", folder.path());
        let guest = Self {
            client: Script::start(&account.bare, &mut command, Told::parse),
            read: Cell::new(0),
            shim,
            relay,
            _folder: folder,
        };
        guest.is_told("the session", |it| it.event == "online");
        guest
    }

    /// Sends the client a command.
    pub(super) fn does(&self, command: Value) {
        self.client.send(command);
    }

    /// Waits for a line that was not looked at yet; it and all before it count as looked at.
    #[track_caller]
    pub(super) fn is_told(&self, what: &str, is_it: impl Fn(&Told) -> bool) -> Told {
        let (read, mut at) = (self.read.get(), 0);
        let found = self.client.told.find(|told| {
            at += 1;
            (at > read && is_it(told)).then(|| told.clone())
        });
        let Some((at, told)) = found else {
            let new = self.client.told.since(read, |_| true);
            panic!(
                "{} waited in vain for {what}, after {new:#?}",
                self.client.name
            );
        };
        self.read.set(at + 1);
        told
    }

    /// All lines about a room so far.
    pub(super) fn told_of(&self, room: &str) -> Vec<Told> {
        self.client.told.since(0, |it| it.room == room)
    }

    #[track_caller]
    pub(super) fn finds(&self, what: &str, at: &str) -> Vec<String> {
        self.does(json!({"cmd": what, "to": at}));
        self.is_told(&format!("{what} of {at}"), |it| {
            it.event == what && it.room == at
        })
        .items
    }

    /// Joins a room; accepts a new one as it is.
    #[track_caller]
    pub(super) fn joins(&self, room: &str, nick: &str) -> Told {
        let join = json!({"cmd": "join", "room": room, "nick": nick});
        self.does(join.clone());
        let answer = |it: &Told| it.is("joined", room, nick) || it.is("refused", room, nick);
        let answered = self.is_told("the room", answer);
        if answered.condition != "internal-server-error" {
            assert_eq!(answered.event, "joined", "{answered:?}");
            return answered;
        }
        // ejabberd answers so now and then, when several nodes are made at once; a person would try again.
        self.does(join);
        self.is_told("the room", |it| it.is("joined", room, nick))
    }

    /// Breaks his connection; he may make another.
    pub(super) fn cut(&self) {
        self.relay.cut(Cut::Reset);
    }

    pub(super) fn kill_shim(&self) {
        self.shim.as_ref().unwrap().borrow_mut().kill();
    }

    /// Logs out; the shim ends with it, and well.
    pub(super) fn goes_home(self) {
        self.does(json!({"cmd": "log_out"}));
        self.is_told("the end of the stream", |it| it.event == "offline");
        if let Some(shim) = &self.shim {
            let code = shim.borrow_mut().terminate();
            assert_eq!(
                code,
                Some(0),
                "the exit code of {}'s shim",
                self.client.name
            );
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- told by {}:", self.client.name);
            for told in self.client.told.so_far() {
                eprintln!("{told:?}");
            }
        }
    }
}
