//! The README's table of clients: each client, set up as its row says, word for word, comes online through pubshim,
//! gets the roster, and talks with a contact.

mod row;
mod scene;
mod terminal;

use std::os::unix::fs::chown;
use std::process::Command;

use crate::process::Guarded;
use crate::puppet::python;
use crate::recipes::scene::{ANSWER, Bot, CONTACT, QUESTION, Scene};
use crate::server::Kind;

on_both_servers!(
    slixmpp,
    slixmpp_of_debian,
    aioxmpp,
    profanity,
    mcabber,
    poezio,
    finch
);

const SLIXMPP: &str = "slixmpp (bots), from 1.10";

fn slixmpp(kind: Kind) {
    let command = python("recipes/with_slixmpp.py");
    bot(&Scene::set(kind), SLIXMPP, command);
}

#[test]
fn slixmpp_where_a_password_is_not_taken_as_it_is() {
    let command = python("recipes/with_slixmpp.py");
    bot(&Scene::of(Kind::Prosody, "escalus"), SLIXMPP, command);
}

fn slixmpp_of_debian(kind: Kind) {
    let script = python("recipes/with_slixmpp.py");
    let mut debian = Command::new(DEBIANS_PYTHON);
    debian.args(script.get_args());
    bot(&Scene::set(kind), "slixmpp (bots), before 1.10", debian);
}

fn aioxmpp(kind: Kind) {
    let command = python("recipes/with_aioxmpp.py");
    bot(&Scene::set(kind), "aioxmpp (bots)", command);
}

/// User and group id of `nobody`.
const NOBODY: u32 = 65534;

/// Python of the system, with the modules that Debian packages.
const DEBIANS_PYTHON: &str = "/usr/bin/python3";

/// A bot runs the code of its row, answers a message, and leaves when told.
fn bot(scene: &Scene, row: &str, mut command: Command) {
    command
        .args([&scene.you.bare, &scene.you.password])
        .args(scene.row(row).code());
    scene.talk_with(&Bot::start(row, &mut command));
}

fn profanity(kind: Kind) {
    let scene = Scene::set(kind);
    let terminal = scene.terminal(&["profanity"]);
    terminal.shows("Type '/help'");
    let row = scene.row("Profanity");
    for command in row.code().filter(|it| it.starts_with('/')) {
        terminal.line(command);
    }
    terminal.shows("Enter password:");
    terminal.text(&scene.you.password);
    terminal.keys(&["Enter"]);
    scene.sees_you_come();
    terminal.line("/roster");
    terminal.shows(CONTACT);
    scene.says(QUESTION);
    terminal.line(&format!("/msg {}", scene.contact()));
    terminal.shows(QUESTION);
    terminal.line(ANSWER);
    scene.hears(ANSWER);
    terminal.line("/quit");
    scene.sees_you_go();
    terminal.ends();
}

fn mcabber(kind: Kind) {
    let scene = Scene::set(kind);
    let row = scene.row("mcabber");
    let mut config: Vec<_> = row.code().filter(|it| it.starts_with("set ")).collect();
    let password = format!("set password = {}", scene.you.password);
    config.push(&password);
    scene.write("mcabberrc", &config);
    let terminal = scene.terminal(&["mcabber", "-f", "mcabberrc"]);
    scene.sees_you_come();
    terminal.shows(CONTACT);
    scene.says(QUESTION);
    terminal.line(&format!("/roster search {CONTACT}"));
    terminal.keys(&["Enter"]); // opens the chat
    terminal.shows(QUESTION);
    terminal.line(&format!("/say {ANSWER}"));
    scene.hears(ANSWER);
    terminal.line("/quit");
    scene.sees_you_go();
    terminal.ends();
}

fn poezio(kind: Kind) {
    let scene = Scene::set(kind);
    let row = scene.row("poezio");
    let password = format!("password = {}", scene.you.password);
    let mut config = vec!["[Poezio]", &password];
    config.extend(row.code().filter(|it| it.contains(" = ")));
    scene.write(".config/poezio/poezio.cfg", &config);
    let mut command = vec!["poezio"];
    if scene.is_by_root() {
        // poezio refuses to run as root.
        let home = scene.home();
        for it in [".config/poezio/poezio.cfg", ".config/poezio", ".config", ""] {
            chown(home.join(it), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
        command.splice(0..0, nobody.split(' '));
    }
    let terminal = scene.terminal(&command);
    scene.sees_you_come();
    terminal.shows(CONTACT);
    scene.says(QUESTION);
    // The input line is ready.
    terminal.text("/");
    terminal.shows("│/");
    terminal.line(&format!("message {}", scene.contact()));
    terminal.shows(QUESTION);
    terminal.line(ANSWER);
    scene.hears(ANSWER);
    terminal.line("/quit");
    scene.sees_you_go();
    terminal.ends();
}

/// Finch's dialog has the fields of Pidgin's, with the same names.
fn finch(kind: Kind) {
    let scene = Scene::set(kind);
    let row = scene.row("Pidgin, Finch");
    let terminal = scene.terminal(&["finch"]);
    terminal.shows("New Account");
    terminal.keys(&["Enter"]);
    terminal.line("XMPP");
    terminal.shows("Connection security");
    let (user, domain) = scene.you.bare.split_once('@').unwrap();
    let (port, server) = (row.value("Connect port"), row.value("Connect server"));
    let security = row.value("Connection security");
    terminal.fill(&[user, domain, "", &scene.you.password, ""]);
    terminal.keys(&["Tab", "Space"]); // remember the password
    terminal.keys(&["Tab", "Tab", "Tab", "Enter"]);
    terminal.shows("Use old-style SSL"); // the list is open
    terminal.text(&security[..5]); // which searches it
    terminal.keys(&["Enter", "Tab", "Space", "Tab"]);
    terminal.keys(&["BSpace"; 4]); // the port that stands there
    terminal.text(port);
    terminal.fill(&[server]);
    // The dialog shows the beginning of the text.
    terminal.shows_line(&["Connection security", &security[..14]]);
    terminal.shows_line(&["[X]", row.ticked()]);
    terminal.shows_line(&["Connect port ", port]);
    terminal.shows_line(&["Connect server ", server]);
    terminal.keys(&["Tab", "Tab", "Tab", "Tab", "Tab", "Enter"]);
    scene.sees_you_come();
    terminal.keys(&["M-c"]); // the list of accounts
    terminal.shows(CONTACT);
    scene.says(QUESTION);
    terminal.shows_line(&["Buddy List", CONTACT]); // the windows there are
    terminal.keys(&["M-n"]);
    terminal.shows(QUESTION);
    terminal.line(ANSWER);
    scene.hears(ANSWER);
    terminal.keys(&["M-q"]);
    scene.sees_you_go();
    terminal.ends();
}

/// On one server only, as Gajim takes the longest to start.
#[test]
fn gajim() {
    let scene = Scene::set(Kind::Prosody);
    let display = Guarded::start(None, Command::new("Xvfb").args(["-displayfd", "1"]));
    let number = display.output.find(|line| line.parse::<u16>().ok());
    let (_, number) = number.unwrap_or_else(|| panic!("no Xvfb:\n{}", display.said()));
    let row = scene.row("Gajim");
    let script = python("recipes/with_gajim.py");
    let mut gajim = Command::new(DEBIANS_PYTHON);
    gajim
        .args(script.get_args())
        .args([&scene.you.bare, &scene.you.password])
        .args(["Hostname", "Port", "Type"].map(|it| row.value(it)))
        .envs([("HOME", scene.home()), ("TMPDIR", scene.home())])
        .env("DISPLAY", format!(":{number}"))
        .env("LC_ALL", "C.UTF-8")
        .env("DBUS_SESSION_BUS_ADDRESS", "disabled:");
    let gajim = Bot::start("Gajim", &mut gajim);
    gajim.shows("Insecure Connection");
    scene.talk_with(&gajim);
}
