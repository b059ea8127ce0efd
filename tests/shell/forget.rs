//! `pubshim forget`: its output and its exit code.

use std::io::Read as _;
use std::process::Command;

use crate::text::assert_has;
use crate::tools::{Peer, Server, Shim};

fn forget(server: &Server, options: &[&str]) -> Shim {
    let command = Command::new(env!("CARGO_BIN_EXE_pubshim"));
    Shim::start_as("forget", command, &[&[&*server.option()], options].concat())
}

/// Answers the next question, which must contain `about`.
fn answer(server: &mut Peer, about: &str, kind: &str, body: &str) {
    let question = server.wait("</iq>");
    assert!(question.contains(about), "{about} in {question}");
    let id = question.split("id='").nth(1).unwrap();
    let id = id.split('\'').next().unwrap();
    server.send(&format!(
        "<iq type='{kind}' id='{id}' from='juliet@localhost' to='juliet@localhost/balcony'>{body}</iq>"
    ));
}

const MISSING: &str =
    "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
const NO_NODES: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";

/// Answers for an account that has only the private node of contacts.
fn show_account(server: &mut Peer) {
    answer(server, "disco#items", "result", NO_NODES);
    answer(server, "presence", "error", MISSING);
    let items = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:pubshim:roster'>\
        <item id='5d'/></items></pubsub>";
    answer(server, "urn:pubshim:roster", "result", items);
    answer(server, "urn:pubshim:chats", "error", MISSING);
}

#[test]
fn it_prints_what_it_does_and_ends() {
    let (server, connections) = Server::by_hand();
    let mut shim = forget(&server, &[]);
    let mut stdout = shim.stdout();
    let (mut client, mut server) = shim.log_in(&connections);
    show_account(&mut server);
    answer(&mut server, "<delete", "result", "");
    answer(&mut server, "disco#items", "result", NO_NODES);
    server.wait("</stream:stream>");
    let told = client.rest();
    assert_has(&told, "pubshim forget is done");
    drop((client, server));
    assert_eq!(shim.exit_code(), Some(0));
    let mut printed = String::new();
    stdout.read_to_string(&mut printed).unwrap();
    let lines: Vec<_> = printed.lines().collect();
    let [greeting, rooms, steps @ ..] = &lines[..] else {
        panic!("{printed}");
    };
    let place = format!("Log in through 127.0.0.1:{} ", shim.port);
    assert!(greeting.starts_with(&place), "{greeting}");
    assert!(rooms.starts_with("Nodes of rooms"), "{rooms}");
    assert_eq!(
        steps,
        [
            "found 'urn:pubshim:roster', items: 1 (your contacts, and whom you let see you)",
            "removed 'urn:pubshim:roster'",
            "nodes of pubshim's on juliet@localhost: 1 found, 1 removed, 0 failed",
        ]
    );
    assert!(!shim.rest_of_log().contains("WARN"));
}

#[test]
fn options_of_run_do_not_matter_and_a_variable_makes_it_dry() {
    let (server, connections) = Server::by_hand();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pubshim"));
    command.envs([("PUBSHIM_POLICY", "off"), ("PUBSHIM_DRY_RUN", "true")]);
    let mut shim = Shim::start_as("forget", command, &[&server.option()]);
    let (client, mut server) = shim.log_in(&connections);
    show_account(&mut server);
    let rest = server.wait("</stream:stream>");
    assert_eq!(rest, "</stream:stream>", "nothing is deleted");
    drop((client, server));
    assert_eq!(shim.exit_code(), Some(0));
}

#[test]
fn a_failure_is_exit_code_1() {
    let (server, connections) = Server::by_hand();
    let mut shim = forget(&server, &[]);
    let (client, mut server) = shim.log_in(&connections);
    answer(&mut server, "disco#items", "error", MISSING);
    server.wait("</stream:stream>");
    drop((client, server));
    shim.wait_for_log("error: not all could be done");
    assert_eq!(shim.exit_code(), Some(1));
}

#[test]
fn nobody_logs_in() {
    let (server, _connections) = Server::by_hand();
    let mut shim = forget(&server, &[]);
    let mut client = shim.connect();
    client.send("no XML");
    client.rest();
    drop(client);
    shim.signal("-TERM");
    shim.wait_for_log("error: nobody has logged in");
    assert_eq!(shim.exit_code(), Some(1));
}

#[test]
fn where_nothing_can_be_printed_nothing_is_done() {
    let (server, _connections) = Server::by_hand();
    let mut full = Command::new("sh");
    full.args(["-c", "exec \"$0\" \"$@\" >/dev/full"]);
    full.arg(env!("CARGO_BIN_EXE_pubshim"));
    let mut shim = Shim::start_as("forget", full, &[&server.option()]);
    assert_eq!(shim.exit_code(), Some(3));
}
