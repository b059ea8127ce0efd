//! Everyday actions of people, with or without a shim.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::{OWNER, PUBSUB};
use crate::process::PATIENCE;
use crate::puppet::{Event, Puppet};
use crate::server::{Kind, Server};

/// Asks for the roster, then sends presence, as clients do after the login.
pub(crate) fn come_online(person: &Puppet, status: &str) {
    person.send(json!({"cmd": "roster"}));
    person.wait("the roster", |it| {
        it.kind == "iq" && it.type_ == "result" && it.xml.contains("jabber:iq:roster")
    });
    person.available(status);
    person.wait_for_status(person, status);
}

/// A native subscription, asked and approved by hand.
pub(crate) fn subscribe(asks: &Puppet, approves: &Puppet) {
    asks.send(json!({"cmd": "presence", "to": approves.bare, "type": "subscribe"}));
    approves.wait("a subscription request", |it| {
        it.is_presence_from(&asks.bare, "subscribe")
    });
    approves.send(json!({"cmd": "presence", "to": asks.bare, "type": "subscribed"}));
    asks.wait("an approval", |it| {
        it.is_presence_from(&approves.bare, "subscribed")
    });
    asks.wait("the contact's presence", |it| {
        it.is_presence_from(&approves.full, "")
    });
}

/// A native subscription both ways. Only one per minute and session on ejabberd: it silently drops the sixth
/// subscription stanza, sent or received.
pub(crate) fn befriend(one: &Puppet, other: &Puppet) {
    subscribe(one, other);
    subscribe(other, one);
}

/// All that two people do who know nothing of pubsub, from the roster to the goodbye.
pub(crate) fn talk_and_join_muc(server: &Server, juliet: &Puppet, romeo: &Puppet) {
    come_online(juliet, "Here");
    come_online(romeo, "Here");
    befriend(juliet, romeo);
    romeo.ping();

    let moping = json!({"cmd": "presence", "show": "away", "status": "Moping", "priority": 5});
    juliet.send(moping);
    let seen = romeo.wait_for_status(juliet, "Moping");
    assert_eq!((seen.child("show"), seen.child("priority")), ("away", "5"));

    let (to_romeo, to_juliet) = ("Wherefore <art> & thou?", "Call me but \"love\"");
    juliet.send(json!({"cmd": "message", "to": romeo.bare, "body": to_romeo, "id": "one"}));
    let seen = romeo.wait("a message", |it| it.is_message_from(&juliet.full, to_romeo));
    assert_eq!((seen.type_.as_str(), seen.id.as_str()), ("chat", "one"));
    romeo.send(json!({"cmd": "message", "to": juliet.full, "body": to_juliet}));
    juliet.wait("an answer", |it| it.is_message_from(&romeo.full, to_juliet));

    meet_in_a_room(&server.room(), juliet, romeo);

    juliet.send(json!({"cmd": "disconnect"}));
    juliet.wait("the end of the stream", |it| it.event == "disconnected");
    romeo.wait_for_unavailable(juliet);
}

fn meet_in_a_room(room: &str, juliet: &Puppet, romeo: &Puppet) {
    let (jc, rm) = (format!("{room}/JC"), format!("{room}/RM"));
    let is_self = |it: &Event| it.xml.contains("110");
    juliet.send(json!({"cmd": "join", "room": room, "nick": "JC"}));
    juliet.wait("the room", |it| it.is_presence_from(&jc, "") && is_self(it));
    // A new room is locked until its owner accepts the default configuration.
    juliet.ask(
        "set",
        Some(room),
        "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>",
    );
    romeo.send(json!({"cmd": "join", "room": room, "nick": "RM"}));
    romeo.wait("the other occupant", |it| it.is_presence_from(&jc, ""));
    romeo.wait("the room", |it| it.is_presence_from(&rm, "") && is_self(it));
    juliet.wait("the newcomer", |it| it.is_presence_from(&rm, ""));
    romeo.send(
        json!({"cmd": "message", "to": room, "type": "groupchat", "body": "Hi all", "id": "gc"}),
    );
    for person in [juliet, romeo] {
        let seen = person.wait("the message", |it| it.is_message_from(&rm, "Hi all"));
        assert_eq!((seen.type_.as_str(), seen.id.as_str()), ("groupchat", "gc"));
    }
    romeo.send(json!({"cmd": "leave", "room": room, "nick": "RM"}));
    romeo.wait("the way out", |it| it.is_presence_from(&rm, "unavailable"));
    juliet.wait("the leaving", |it| it.is_presence_from(&rm, "unavailable"));
}

/// Subscribes the watcher's account to the owner's node `presence` by raw pubsub, as shims do, in the way each server
/// allows (ejabberd: asked and approved; Prosody: member first).
pub(crate) fn watch_presence_node(kind: Kind, owner: &Puppet, watcher: &Puppet) {
    let who = &watcher.bare;
    let subscribe =
        format!("<pubsub xmlns='{PUBSUB}'><subscribe node='presence' jid='{who}'/></pubsub>");
    let by_owner = |list: &str, item: &str, state: &str| {
        format!(
            "<pubsub xmlns='{OWNER}'><{list} node='presence'>\
             <{item} jid='{who}' {item}='{state}'/></{list}></pubsub>"
        )
    };
    match kind {
        Kind::Ejabberd => {
            let answer = watcher.ask("set", Some(&owner.bare), &subscribe);
            assert!(
                answer.xml.contains("pending"),
                "not access model authorize: {}",
                answer.xml
            );
            owner.ask(
                "set",
                None,
                &by_owner("subscriptions", "subscription", "subscribed"),
            );
        }
        Kind::Prosody => {
            let answer = watcher.iq("set", Some(&owner.bare), &subscribe);
            assert_eq!(
                answer.type_, "error",
                "not access model whitelist: {}",
                answer.xml
            );
            owner.ask(
                "set",
                None,
                &by_owner("affiliations", "affiliation", "member"),
            );
            watcher.ask("set", Some(&owner.bare), &subscribe);
        }
    }
}

/// The items on the own node `presence`; empty if there is no such node.
pub(crate) fn presence_items(owner: &Puppet) -> String {
    let get = format!("<pubsub xmlns='{PUBSUB}'><items node='presence'/></pubsub>");
    let answer = owner.iq("get", None, &get);
    if answer.type_ == "result" {
        answer.xml
    } else {
        String::new()
    }
}

/// Asks for the own items until they are right. Polls, as a session that is not subscribed gets no events; `owner` is
/// a session without a shim, so that the questions do not count towards the byte limit of another session.
pub(crate) fn wait_for_items(owner: &Puppet, what: &str, are_right: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let items = presence_items(owner);
        if are_right(&items) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{} never had {what}, last: {items}",
            owner.bare
        );
        thread::sleep(Duration::from_millis(50));
    }
}
