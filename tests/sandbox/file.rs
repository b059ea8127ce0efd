//! Nodes that outlive the program.

use std::cell::RefCell;
use std::rc::Rc;

use pubshim::sandbox::Server;

use crate::driver::*;

fn reload(data: &str) -> World {
    let mut server = Server::new(&config(), [9; 32]).unwrap();
    server.load(data).unwrap();
    World(Rc::new(RefCell::new(server)))
}

#[test]
fn everything_comes_back() {
    let world = World::new();
    let [mut juliet, mut romeo] = world.lovers();
    juliet.create(
        CHAT,
        "a 'room' & more",
        &[
            ("access_model", "open"),
            ("title", "Zwei\u{2028}Zeilen \"x\""),
        ],
    );
    juliet.create("", "presence", &[]);
    let nick = form(
        "http://jabber.org/protocol/pubsub#subscribe_options",
        &[("roomnick", "JC")],
    );
    romeo.done(CHAT, &format!("<subscribe node='a &apos;room&apos; &amp; more' jid='{ROMEO}'/><options>{nick}</options>"));
    romeo.subscribe(JULIET, "presence");
    let payload = "<p xmlns='urn:test' a=\"'&lt;\">\n line &#13; <![CDATA[''']]> ü</p>";
    juliet.done(
        CHAT,
        &format!(
            "<publish node='a &apos;room&apos; &amp; more'><item id='1'>{payload}</item></publish>"
        ),
    );
    let data = world.data();
    let world = reload(&data);
    assert_eq!(world.data(), data);
    let mut juliet = world.login(JULIET, "chamber");
    assert!(
        juliet.seen().contains("subscribe_authorization"),
        "the open request"
    );
    let items = juliet.get(CHAT, "<items node='a &apos;room&apos; &amp; more'/>");
    assert!(
        items.contains(payload) && items.contains("publisher='juliet@capulet.lit/balcony'"),
        "{items}"
    );
    let mut romeo = world.login(ROMEO, "orchard");
    let options = format!("<options node='a &apos;room&apos; &amp; more' jid='{ROMEO}'/>");
    assert!(romeo.get(CHAT, &options).contains("<value>JC</value>"));
}

#[test]
fn what_ends_with_a_session_is_not_kept() {
    let world = World::new();
    let mut juliet = world.login(JULIET, "balcony");
    juliet.create(CHAT, "n", &[("purge_offline", "1"), ("tempsub", "1")]);
    juliet.subscribe(CHAT, "n");
    juliet.publish(CHAT, "n", "1", "x");
    let data = world.data();
    assert!(
        data.contains("\"n\"")
            && !data.contains("[[node.item]]")
            && !data.contains("[[node.subscription]]"),
        "{data}"
    );
}

#[test]
fn it_tells_when_there_is_something_to_keep() {
    let world = World::new();
    let mut juliet = world.login(JULIET, "balcony");
    assert!(!world.0.borrow_mut().take_changed());
    juliet.items(CHAT, "n");
    assert!(!world.0.borrow_mut().take_changed());
    juliet.create(CHAT, "n", &[]);
    assert!(world.0.borrow_mut().take_changed());
    assert!(!world.0.borrow_mut().take_changed());
}

#[test]
fn what_is_broken_is_told() {
    let node = "version = 1\n[[node]]\nservice = \"chat.capulet.lit\"\nname = \"n\"\n";
    for (data, reason) in [
        ("".to_owned(), "version"),
        ("<?xml version='1.0'?>".to_owned(), "line 1"),
        ("version = 2".to_owned(), "version 2 is not 1"),
        ("version = 1\ncolour = 3".to_owned(), "colour"),
        (
            format!("{node}config = {{ 'pubsub#colour' = 'x' }}"),
            "pubsub#colour",
        ),
        (
            format!("{node}config = {{ 'pubsub#max_items' = '-1' }}"),
            "pubsub#max_items",
        ),
        (format!("{node}affiliations = {{ 'a@b' = 'king' }}"), "king"),
        (
            format!("{node}{}", node.replace("version = 1", "")),
            "twice",
        ),
        (
            format!("{node}[[node.item]]\nid = '1'\npublisher = 'a@b/c'\npayload = '<a>'"),
            "item \"1\"",
        ),
        (
            format!("{node}[[node.item]]\nid = '1'\npublisher = 'a@b/c'\npayload = '<a/><b/>'"),
            "item \"1\"",
        ),
        (
            format!("{node}[[node.item]]\nid = '1'\npublisher = 'a@b/c'\npayload = '</stream>'"),
            "item \"1\"",
        ),
    ] {
        let error = Server::new(&config(), [9; 32])
            .unwrap()
            .load(&data)
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{data}: {error}");
    }
}
