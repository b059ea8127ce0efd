//! The scene for trying a client: an account with one contact, the contact's client, and a shim for both.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::row::Row;
use super::terminal::Terminal;
use crate::people::come_online;
use crate::puppet::{Event, Puppet, Script};
use crate::server::{Account, Kind, Server};
use crate::shim::Shim;

/// The contact's name in the roster.
pub(super) const CONTACT: &str = "Montague";
/// Text of the contact's message.
pub(super) const QUESTION: &str = "O wilt thou leave me so?";
/// Text of the answer of the client under test.
pub(super) const ANSWER: &str = "What satisfaction?";
/// Text that makes a bot log out.
const FAREWELL: &str = "Good night";

pub(super) struct Scene {
    pub(super) you: Account,
    romeo: Puppet,
    shim: Shim,
    home: TempDir,
}

impl Scene {
    pub(super) fn set(kind: Kind) -> Self {
        Self::of(kind, "juliet")
    }

    /// A scene with an account of this name.
    pub(super) fn of(kind: Kind, name: &str) -> Self {
        let server = Server::get(kind);
        let (you, romeo) = (server.account(name), server.account("romeo"));
        server.write_roster(&you, &[(romeo.bare.clone(), CONTACT.to_owned())]);
        server.write_roster(&romeo, &[(you.bare.clone(), String::new())]);
        let shim = Shim::start(server, "auto", &[]);
        let romeo = Puppet::login(&shim.entry(), &romeo, "orchard");
        come_online(&romeo, "Here");
        Self {
            you,
            romeo,
            shim,
            home: TempDir::new().unwrap(),
        }
    }

    /// The README's row for a client, for this account and shim.
    pub(super) fn row(&self, client: &str) -> Row {
        Row::of(client).filled(&self.you.bare, self.shim.addr.port())
    }

    pub(super) fn contact(&self) -> &str {
        &self.romeo.bare
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file below the home folder of the client that only its user can read.
    pub(super) fn write(&self, path: &str, lines: &[&str]) {
        let path = self.home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }

    /// Whether the tests run as root.
    pub(super) fn is_by_root(&self) -> bool {
        self.home.path().metadata().unwrap().uid() == 0
    }

    /// Starts a client on a terminal.
    pub(super) fn terminal(&self, command: &[&str]) -> Terminal {
        Terminal::start(self.home.path(), command)
    }

    /// Waits until the contact sees the client under test online.
    pub(super) fn sees_you_come(&self) {
        self.waits("you", |it| it.kind == "presence" && it.type_.is_empty());
    }

    pub(super) fn sees_you_go(&self) {
        self.waits("you going", |it| {
            it.kind == "presence" && it.type_ == "unavailable" && it.from.contains('/')
        });
    }

    pub(super) fn says(&self, body: &str) {
        let to = &self.you.bare;
        self.romeo
            .send(json!({"cmd": "message", "to": to, "body": body}));
    }

    pub(super) fn hears(&self, body: &str) {
        self.waits(body, |it| it.kind == "message" && it.child("body") == body);
    }

    /// The contact talks with a bot, which answers the question and leaves on anything else.
    pub(super) fn talk_with(&self, bot: &Bot) {
        self.sees_you_come();
        bot.shows(CONTACT);
        self.says(QUESTION);
        bot.shows(QUESTION);
        self.hears(ANSWER);
        self.says(FAREWELL);
        self.sees_you_go();
        bot.ends();
    }

    fn waits(&self, what: &str, is_it: impl Fn(&Event) -> bool) {
        let is_yours = |it: &Event| it.from.split('/').next() == Some(&*self.you.bare);
        self.romeo.wait(what, |it| is_yours(it) && is_it(it));
    }
}

/// A client that acts by itself, and prints what it is shown.
pub(super) struct Bot(Script<String>);

impl Bot {
    pub(super) fn start(name: &str, command: &mut Command) -> Self {
        Self(Script::start(name, command, |line| line))
    }

    pub(super) fn shows(&self, text: &str) {
        let found = self.0.told.find(|it| it.contains(text).then_some(()));
        assert!(found.is_some(), "{} does not show {text:?}", self.0.name);
    }

    pub(super) fn ends(&self) {
        assert!(self.0.told.ends(), "{} does not end", self.0.name);
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}:\n{}", self.0.name, self.0.told.so_far().join("\n"));
        }
    }
}
