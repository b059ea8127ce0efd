//! `pubshim demo` with real clients.

use std::process::Command;

use serde_json::json;

use crate::people::befriend;
use crate::process::Guarded;
use crate::puppet::Puppet;
use crate::server::{Account, Entry};

#[test]
fn two_clients_meet_on_a_server_with_nothing_but_pubsub() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pubshim"));
    command.args(["demo", "--listen=127.0.0.1:0"]);
    let mut demo = Guarded::start(None, &command);
    let port = demo.output.find(|line| {
        let (_, rest) = line.split_once("Clients log in at 127.0.0.1, port ")?;
        rest.split(',').next()?.parse::<u16>().ok()
    });
    let Some((_, port)) = port else {
        panic!("the demo does not listen:\n{}", demo.said());
    };
    let entry = Entry {
        addr: ([127, 0, 0, 1], port).into(),
        ca_file: None,
    };
    let log_in = |name, password: &str, resource| {
        let account = Account {
            bare: format!("{name}@localhost"),
            password: password.to_owned(),
        };
        let client = Puppet::login(&entry, &account, resource);
        client.send(json!({"cmd": "roster"}));
        client.available("Here");
        // A node has to exist before it can be subscribed to.
        let published = format!("publish presence/{resource} <presence> status=\"Here\"");
        let is_it = |line: &String| line.contains(&published).then_some(());
        let seen = demo.output.find(is_it);
        assert!(seen.is_some(), "{published}:\n{}", demo.said());
        client
    };
    let juliet = log_in("juliet", "capulet", "balcony");
    let romeo = log_in("romeo", "montague", "orchard");
    befriend(&juliet, &romeo);
    juliet.available("Moping");
    romeo.wait_for_status(&juliet, "Moping");

    // They meet in a room that Juliet creates and accepts.
    let room = "characters@chat.localhost";
    juliet.send(json!({"cmd": "join", "room": room, "nick": "JC"}));
    juliet.wait("her own presence in the room", |it| {
        it.is_presence_from("characters@chat.localhost/JC", "") && it.xml.contains("201")
    });
    juliet.iq(
        "set",
        Some(room),
        "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>",
    );
    romeo.send(json!({"cmd": "join", "room": room, "nick": "Romeo"}));
    romeo.wait("her presence in the room", |it| {
        it.is_presence_from("characters@chat.localhost/JC", "")
    });
    juliet.wait("his presence in the room", |it| {
        it.is_presence_from("characters@chat.localhost/Romeo", "")
    });
    romeo.send(json!({"cmd": "message", "to": room, "body": "But soft", "type": "groupchat"}));
    for client in [&juliet, &romeo] {
        client.wait("his words", |it| {
            it.is_message_from("characters@chat.localhost/Romeo", "But soft")
        });
    }
    drop(juliet);
    for from in ["juliet@localhost/balcony", "characters@chat.localhost/JC"] {
        romeo.wait("her farewell", |it| {
            it.is_presence_from(from, "unavailable")
        });
    }
    demo.signal("TERM");
    assert_eq!(demo.exit_code(), Some(0), "{}", demo.said());
}
