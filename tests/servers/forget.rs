//! `pubshim forget`: removes what sessions have left, and nothing that is not pubshim's.

use crate::common::PUBSUB;
use crate::people::come_online;
use crate::puppet::Puppet;
use crate::recorded::{log_out, wait_for_membership};
use crate::server::{Account, Kind, Server};
use crate::shim::Shim;

on_both_servers!(what_a_session_left_is_forgotten, more_than_a_server_lists);

const OURS: [&str; 4] = [
    "presence",
    "urn:pubshim:roster",
    "urn:pubshim:chats",
    "chat/0123456789abcdef0123456789abcdef",
];
const FOREIGN: [&str; 3] = [
    "http://jabber.org/protocol/nick",
    "urn:xmpp:avatar:metadata",
    "urn:xmpp:bookmarks:1",
];

fn publish(owner: &Puppet, node: &str) {
    let item = "<item id='current'><x xmlns='urn:example:x'/></item>";
    let publish = format!("<publish node='{node}'>{item}</publish>");
    owner.ask(
        "set",
        None,
        &format!("<pubsub xmlns='{PUBSUB}'>{publish}</pubsub>"),
    );
}

/// Those of these nodes that the account has.
fn which<'a>(owner: &Puppet, nodes: &[&'a str]) -> Vec<&'a str> {
    let has = |node: &&&str| {
        let items = format!("<items node='{node}'/>");
        let question = format!("<pubsub xmlns='{PUBSUB}'>{items}</pubsub>");
        let answer = owner.iq("get", None, &question);
        let is_missing = answer.type_ == "error" && answer.xml.contains("item-not-found");
        assert!(answer.type_ == "result" || is_missing, "{}", answer.xml);
        !is_missing
    };
    nodes.iter().filter(has).copied().collect()
}

/// Logs in through `pubshim forget`; its exit code and its output.
fn forget(server: &Server, account: &Account, options: &[&str]) -> (Option<i32>, String) {
    let shim = Shim::forget(server, options);
    let puppet = Puppet::start(&shim.entry(), account, "balcony");
    puppet.wait("an end with a text", |it| {
        it.xml.contains("pubshim forget is done")
    });
    shim.end()
}

fn what_a_session_left_is_forgotten(kind: Kind) {
    let server = Server::get(kind);
    let account = server.account("juliet");
    let romeo = server.account("romeo");
    server.befriend(&account, &romeo);
    let shim = Shim::start(server, "auto", &[]);
    let juliet = Puppet::login(&shim.entry(), &account, "balcony");
    come_online(&juliet, "Here");
    wait_for_membership(&juliet, &romeo.bare, true);
    log_out(&juliet);
    drop(shim);
    let raw = Puppet::login(&server.entry(), &account, "raw");
    for node in OURS[2..].iter().chain(&FOREIGN) {
        publish(&raw, node);
    }
    let ours = which(&raw, &OURS);
    assert_eq!(ours[0], "presence");

    let (code, said) = forget(server, &account, &["--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    for node in &ours {
        assert!(said.contains(&format!("found '{node}'")), "{node}: {said}");
    }
    assert!(!said.contains("removed '"), "{said}");
    assert_eq!(which(&raw, &OURS), ours);

    let (code, said) = forget(server, &account, &[]);
    assert_eq!(code, Some(0), "{said}");
    for node in &ours {
        assert!(
            said.contains(&format!("removed '{node}'")),
            "{node}: {said}"
        );
    }
    assert_eq!(which(&raw, &OURS), [""; 0]);
    assert_eq!(which(&raw, &FOREIGN), FOREIGN);

    let (code, said) = forget(server, &account, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(": 0 found, 0 removed, 0 failed"), "{said}");
}

/// ejabberd lists a hundred nodes at a time.
fn more_than_a_server_lists(kind: Kind) {
    let server = Server::get(kind);
    let account = server.account("juliet");
    let raw = Puppet::login(&server.entry(), &account, "raw");
    let chats: Vec<_> = (0..120).map(|n| format!("chat/{n:032x}")).collect();
    let chats: Vec<_> = chats.iter().map(String::as_str).collect();
    for node in chats.iter().chain(&FOREIGN) {
        publish(&raw, node);
    }
    let (code, said) = forget(server, &account, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(which(&raw, &chats), [""; 0]);
    assert_eq!(which(&raw, &FOREIGN), FOREIGN);
}
