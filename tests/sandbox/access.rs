//! Permission to retrieve and to subscribe under each access model (XEP-0060 §4.1, §4.5, §6.5.1).

use crate::driver::*;

fn affiliate(owner: &mut Client, jid: &str, affiliation: &str) {
    let entry = format!("<affiliation jid='{jid}' affiliation='{affiliation}'/>");
    assert_result(&owner.owner_set(
        CHAT,
        &format!("<affiliations node='n'>{entry}</affiliations>"),
    ));
}

fn node(access: &str) -> (World, Client, Client) {
    let world = World::new();
    let mut juliet = world.login(JULIET, "balcony");
    juliet.create(CHAT, "n", &[("access_model", access)]);
    juliet.publish(CHAT, "n", "1", "x");
    let romeo = world.login(ROMEO, "orchard");
    (world, juliet, romeo)
}

/// "Any entity may subscribe [...] and any entity may retrieve items"
#[test]
fn open() {
    let (_, mut juliet, mut romeo) = node("open");
    assert_result(&romeo.items(CHAT, "n"));
    affiliate(&mut juliet, ROMEO, "outcast");
    assert_forbidden(&romeo.items(CHAT, "n"));
    assert_forbidden(&romeo.subscribe(CHAT, "n"));
    affiliate(&mut juliet, ROMEO, "publish-only");
    assert_forbidden(&romeo.items(CHAT, "n"));
    affiliate(&mut juliet, ROMEO, "none");
    assert_result(&romeo.items(CHAT, "n"));
}

/// "The node owner must approve all subscription requests, and only subscribers may retrieve items"
#[test]
fn authorize() {
    let (_, mut juliet, mut romeo) = node("authorize");
    assert_error(
        &romeo.items(CHAT, "n"),
        "auth not-authorized not-subscribed",
    );
    assert_has(&romeo.subscribe(CHAT, "n"), "subscription='pending'");
    assert_error(
        &romeo.items(CHAT, "n"),
        "auth not-authorized not-subscribed",
    );
    assert!(!romeo.seen().contains("urn:test"));
    // A member need not be asked about.
    affiliate(&mut juliet, ROMEO, "member");
    assert_has(&romeo.subscribe(CHAT, "n"), "subscription='subscribed'");
    assert_result(&romeo.items(CHAT, "n"));
}

/// "An entity may subscribe or retrieve items only if on a whitelist managed by the node owner."
#[test]
fn whitelist() {
    let (world, mut juliet, mut romeo) = node("whitelist");
    assert_error(&romeo.items(CHAT, "n"), "cancel not-allowed closed-node");
    assert_error(
        &romeo.subscribe(CHAT, "n"),
        "cancel not-allowed closed-node",
    );
    affiliate(&mut juliet, ROMEO, "member");
    assert_has(&romeo.subscribe(CHAT, "n"), "subscription='subscribed'");
    assert_result(&romeo.items(CHAT, "n"));
    assert_forbidden(&romeo.publish(CHAT, "n", "2", "x"));
    // A client that the owner has subscribed may retrieve.
    let mut nurse = world.login(NURSE, "chamber");
    let entry = format!("<subscription jid='{NURSE}' subscription='subscribed'/>");
    juliet.owner_set(
        CHAT,
        &format!("<subscriptions node='n'>{entry}</subscriptions>"),
    );
    assert_result(&nurse.items(CHAT, "n"));
}

/// §8.1.2: there is neither presence nor a roster to decide by.
#[test]
fn presence_and_roster() {
    let (_, mut juliet, _) = node("open");
    for model in ["presence", "roster", "nonsense"] {
        let answer = juliet.configure(CHAT, "n", &[("access_model", model)]);
        assert_error(&answer, "modify not-acceptable unsupported-access-model");
    }
}

/// XEP-0207 §8: "XEP nodes MUST have a default access model of 'authorize'".
#[test]
fn the_default_is_authorize() {
    let [mut juliet, mut romeo] = World::new().lovers();
    for to in [JULIET, CHAT] {
        juliet.done(to, "<create node='n'/>");
        assert!(romeo.subscribe(to, "n").contains("subscription='pending'"));
    }
}

/// A closed node is found by its owner and its members alone.
#[test]
fn a_closed_node_is_not_listed() {
    let (_, mut juliet, mut romeo) = node("whitelist");
    let items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    let info = "<query xmlns='http://jabber.org/protocol/disco#info' node='n'/>";
    assert!(juliet.iq("get", CHAT, items).contains("node='n'"));
    assert_has(
        &juliet.iq("get", CHAT, info),
        "<identity category='pubsub' type='leaf'",
    );
    assert!(!romeo.iq("get", CHAT, items).contains("node='n'"));
    assert_error(&romeo.iq("get", CHAT, info), "cancel item-not-found");
    affiliate(&mut juliet, ROMEO, "member");
    assert!(romeo.iq("get", CHAT, items).contains("node='n'"));
}

/// §5.4, §5.5.
#[test]
fn disco_of_a_node() {
    let (_, mut juliet, mut romeo) = node("open");
    juliet.configure(
        CHAT,
        "n",
        &[("title", "Names & things"), ("type", "urn:test")],
    );
    let info = romeo.iq(
        "get",
        CHAT,
        "<query xmlns='http://jabber.org/protocol/disco#info' node='n'/>",
    );
    for expected in [
        "pubsub#meta-data",
        "<value>Names &amp; things</value>",
        "<field var='pubsub#type' type='text-single'><value>urn:test</value>",
        "<field var='pubsub#owner' type='jid-multi'><value>juliet@capulet.lit</value>",
    ] {
        assert!(info.contains(expected), "{expected}: {info}");
    }
    let items = romeo.iq(
        "get",
        CHAT,
        "<query xmlns='http://jabber.org/protocol/disco#items' node='n'/>",
    );
    assert_has(&items, "<item jid='chat.capulet.lit' name='1'/>");
}
