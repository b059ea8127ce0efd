//! XEP-0060 §7: publish and retract.

use pubshim::sandbox::{Limits, Ways};

use crate::driver::*;

const OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";

fn room(world: &World, fields: &[(&str, &str)]) -> (Client, Client) {
    let mut juliet = world.login(JULIET, "balcony");
    juliet.create(CHAT, "room", fields);
    juliet.configure(CHAT, "room", &[("access_model", "open")]);
    let mut romeo = world.login(ROMEO, "orchard");
    romeo.subscribe(CHAT, "room");
    (juliet, romeo)
}

/// §7.1.2, Example 101: without an id the service makes one.
#[test]
fn an_item_without_id_gets_one() {
    let (mut juliet, mut romeo) = room(&World::new(), &[]);
    let answer = juliet.set(
        CHAT,
        "<publish node='room'><item><p xmlns='urn:test'/></item></publish>",
    );
    let (_, rest) = answer
        .split_once("<publish node='room'><item id='")
        .unwrap();
    let (id, _) = rest.split_once('\'').unwrap();
    assert!(id.len() >= 16, "{answer}");
    assert!(romeo.seen().contains(&format!("<item id='{id}'")));
}

/// §7.1.3.
#[test]
fn publish_errors() {
    let (mut juliet, mut romeo) = room(&World::new(), &[]);
    assert_forbidden(&romeo.publish(CHAT, "room", "1", "x"));
    assert_error(
        &juliet.publish(CHAT, "none", "1", "x"),
        "cancel item-not-found",
    );
    for (content, special) in [
        ("<publish/>", "nodeid-required"),
        ("<publish node='room'/>", "item-required"),
        ("<publish node='room'><item/></publish>", "payload-required"),
        (
            "<publish node='room'><item><a xmlns='b'/><a xmlns='b'/></item></publish>",
            "invalid-payload",
        ),
        (
            "<publish node='room'><item><a xmlns='b'/></item><item><a xmlns='b'/></item></publish>",
            "",
        ),
    ] {
        assert_error(
            &juliet.set(CHAT, content),
            &format!("modify bad-request {special}"),
        );
    }
    juliet.configure(
        CHAT,
        "room",
        &[("deliver_payloads", "0"), ("persist_items", "0")],
    );
    let answer = juliet.publish(CHAT, "room", "1", "x");
    assert_error(&answer, "modify bad-request item-forbidden");
    assert_eq!(romeo.seen(), "");
}

/// §7.1.3.5.
#[test]
fn payloads_have_a_limit() {
    let (mut juliet, _) = room(&World::new(), &[("max_payload_size", "100")]);
    assert_result(&juliet.publish(CHAT, "room", "1", &"x".repeat(50)));
    let answer = juliet.publish(CHAT, "room", "1", &"x".repeat(100));
    assert_error(&answer, "modify not-acceptable payload-too-big");
    let (mut juliet, _) = room(
        &World::limited(Limits {
            payload: 100,
            ..Limits::default()
        }),
        &[],
    );
    let answer = juliet.publish(CHAT, "room", "1", &"x".repeat(100));
    assert_error(&answer, "modify not-acceptable payload-too-big");
}

/// §4.3: notification-only nodes.
#[test]
fn events_without_payload() {
    let (mut juliet, mut romeo) = room(&World::new(), &[("deliver_payloads", "0")]);
    romeo.seen();
    juliet.publish(CHAT, "room", "1", "x");
    let seen = romeo.seen();
    assert!(
        seen.contains("<item id='1'") && !seen.contains("urn:test"),
        "{seen}"
    );
    assert!(romeo.items(CHAT, "room").contains("urn:test"));
    juliet.configure(CHAT, "room", &[("persist_items", "0")]);
    juliet.done(CHAT, "<publish node='room'/>");
    assert!(romeo.seen().contains("<items node='room'/>"));
}

/// Every child, attribute and namespace of a payload survives, also what it inherited.
#[test]
fn a_payload_is_kept_as_it_came() {
    let (mut juliet, mut romeo) = room(&World::new(), &[]);
    let payload = "<m:message xmlns='jabber:client' xmlns:m='urn:m' m:a=\"1 &amp; 2\"><body>a<b xmlns=''/>c</body>\
                   <![CDATA[<&]]></m:message>";
    juliet.done(
        CHAT,
        &format!("<publish node='room'><item id='1'>{payload}</item></publish>"),
    );
    assert!(romeo.seen().contains(payload));
    assert!(romeo.items(CHAT, "room").contains(payload));
    // Declared outside of the payload: now on it.
    let iq = "<iq type='set' id='q' to='chat.capulet.lit' xmlns:y='urn:y' xml:lang='it'>\
              <p:pubsub xmlns:p='http://jabber.org/protocol/pubsub'><p:publish node='room'><p:item id='2'>\
              <y:x><z/></y:x></p:item></p:publish></p:pubsub></iq>";
    assert_result(&juliet.say(iq));
    let seen = romeo.seen();
    assert_has(
        &seen,
        "<y:x xmlns='jabber:client' xmlns:y='urn:y' xml:lang='it'><z/></y:x>",
    );
}

/// §7.1.3: re-publication is modification. The item moves to the end.
#[test]
fn an_item_is_replaced_by_one_of_its_id() {
    let (mut juliet, mut romeo) = room(&World::new(), &[]);
    for (id, text) in [("a", "old"), ("b", "other"), ("a", "new")] {
        juliet.publish(CHAT, "room", id, text);
    }
    let items = romeo.items(CHAT, "room");
    assert!(
        items.find("other") < items.find("new") && !items.contains("old"),
        "{items}"
    );
}

/// §7.1.2.5.
#[test]
fn the_oldest_item_makes_room() {
    let (mut juliet, mut romeo) = room(&World::new(), &[("max_items", "2")]);
    for id in ["a", "b", "c"] {
        juliet.publish(CHAT, "room", id, id);
    }
    let items = romeo.items(CHAT, "room");
    assert!(
        !items.contains("id='a'") && items.contains("id='b'") && items.contains("id='c'"),
        "{items}"
    );
}

#[test]
fn publish_models() {
    let world = World::new();
    let (mut juliet, mut romeo) = room(&world, &[("publish_model", "subscribers")]);
    assert_result(&romeo.publish(CHAT, "room", "1", "x"));
    romeo.set(CHAT, &format!("<unsubscribe node='room' jid='{ROMEO}'/>"));
    assert_forbidden(&romeo.publish(CHAT, "room", "2", "x"));
    // Another resource than the one that is subscribed is none.
    romeo.set(
        CHAT,
        "<subscribe node='room' jid='romeo@montague.lit/orchard'/>",
    );
    assert_result(&romeo.publish(CHAT, "room", "3", "x"));
    let mut garden = world.login(ROMEO, "garden");
    assert_forbidden(&garden.publish(CHAT, "room", "4", "x"));
    juliet.configure(CHAT, "room", &[("publish_model", "open")]);
    assert_result(&garden.publish(CHAT, "room", "5", "x"));
    for (affiliation, may) in [
        ("outcast", false),
        ("publish-only", true),
        ("publisher", true),
    ] {
        juliet.configure(
            CHAT,
            "room",
            &[("publish_model", if may { "publishers" } else { "open" })],
        );
        juliet.owner_set(
            CHAT,
            &format!("<affiliations node='room'><affiliation jid='{ROMEO}' affiliation='{affiliation}'/></affiliations>"),
        );
        let answer = garden.publish(CHAT, "room", "6", "x");
        assert_eq!(
            answer.contains("type='result'"),
            may,
            "{affiliation}: {answer}"
        );
    }
}

fn with_options(node: &str, fields: &[(&str, &str)]) -> String {
    format!(
        "{}<publish-options>{}</publish-options>",
        publish(node, "1", "x"),
        form(OPTIONS, fields)
    )
}

/// §7.1.5: preconditions; and a node made with them.
#[test]
fn publish_options() {
    let mut juliet = World::new().login(JULIET, "balcony");
    assert_error(
        &juliet.publish("", "presence", "1", "x"),
        "cancel item-not-found",
    );
    let whitelist = [("access_model", "whitelist"), ("max_items", "3")];
    juliet.done("", &with_options("presence", &whitelist));
    let configuration = juliet.owner_get("", "<configure node='presence'/>");
    assert_has(&configuration, "</option><value>whitelist</value>");
    juliet.done("", &with_options("presence", &whitelist));
    let other = with_options("presence", &[("access_model", "open")]);
    assert_error(
        &juliet.set("", &other),
        "cancel conflict precondition-not-met",
    );
    let unknown = with_options("presence", &[("colour", "blue")]);
    assert_error(
        &juliet.set("", &unknown),
        "cancel conflict precondition-not-met",
    );
    assert_error(
        &juliet.set("", &with_options("other", &[("colour", "blue")])),
        "cancel conflict precondition-not-met",
    );
    assert_error(&juliet.items("", "other"), "cancel item-not-found");
    // A publish that fails makes no node.
    let empty = format!(
        "<publish node='other'/><publish-options>{}</publish-options>",
        form(OPTIONS, &whitelist)
    );
    assert_error(&juliet.set("", &empty), "modify bad-request item-required");
    assert_error(&juliet.items("", "other"), "cancel item-not-found");
}

#[test]
fn publish_options_make_no_node_of_somebody_else() {
    let world = World::new();
    let mut romeo = world.login(ROMEO, "orchard");
    assert_forbidden(&romeo.set(JULIET, &with_options("presence", &[])));
}

/// §7.2.
#[test]
fn retract() {
    let world = World::new();
    let (mut juliet, mut romeo) = room(
        &world,
        &[("notify_retract", "0"), ("publish_model", "open")],
    );
    juliet.publish(CHAT, "room", "1", "x");
    romeo.publish(CHAT, "room", "2", "x");
    romeo.publish(CHAT, "room", "3", "x");
    romeo.seen();
    let retract = |id: &str| format!("<retract node='room'><item id='{id}'/></retract>");
    assert_forbidden(&romeo.set(CHAT, &retract("1")));
    assert_eq!(
        romeo.done(CHAT, &retract("2")).matches("<pubsub").count(),
        0
    );
    assert_error(&romeo.set(CHAT, &retract("2")), "cancel item-not-found");
    assert_eq!(romeo.seen(), "");
    // The owner takes away anything; 'notify' is told to all.
    juliet.done(
        CHAT,
        "<retract node='room' notify='true'><item id='3'/></retract>",
    );
    let seen = romeo.seen();
    assert_has(&seen, "<items node='room'><retract id='3'/></items>");
    for (content, special) in [
        ("<retract><item id='1'/></retract>", "nodeid-required"),
        ("<retract node='room'/>", "item-required"),
        ("<retract node='room'><item/></retract>", "item-required"),
    ] {
        assert_error(
            &juliet.set(CHAT, content),
            &format!("modify bad-request {special}"),
        );
    }
    let nowhere = "<retract node='none'><item id='1'/></retract>";
    assert_error(&juliet.set(CHAT, nowhere), "cancel item-not-found");
    juliet.configure(CHAT, "room", &[("persist_items", "0")]);
    let answer = juliet.set(CHAT, &retract("1"));
    assert_error(&answer, "cancel feature-not-implemented unsupported");
}

/// A subscriber under `publish_model` subscribers takes nothing away, not even his own item, as on both stock servers.
/// A publisher takes away his own, an owner everything.
#[test]
fn a_subscriber_retracts_nothing() {
    let (mut juliet, mut romeo) = room(&World::new(), &[("publish_model", "subscribers")]);
    assert_result(&romeo.publish(CHAT, "room", "1", "x"));
    juliet.publish(CHAT, "room", "2", "x");
    let retract = |id: &str| format!("<retract node='room'><item id='{id}'/></retract>");
    assert_forbidden(&romeo.set(CHAT, &retract("1")));
    for affiliation in ["member", "publisher"] {
        juliet.owner_set(
            CHAT,
            &format!(
                "<affiliations node='room'><affiliation jid='{ROMEO}' affiliation='{affiliation}'/></affiliations>"
            ),
        );
        assert_forbidden(&romeo.set(CHAT, &retract("2")));
        let answer = romeo.set(CHAT, &retract("1"));
        match affiliation {
            "publisher" => assert_result(&answer),
            _ => assert_forbidden(&answer),
        }
    }
    assert_result(&romeo.publish(CHAT, "room", "3", "x"));
    assert_result(&juliet.set(CHAT, &retract("3")));
}

/// An item's id is its publisher's: another account cannot take it over, the owner neither.
#[test]
fn nobody_replaces_what_another_published() {
    let world = World::new();
    let (mut juliet, mut romeo) = room(&world, &[("publish_model", "open")]);
    romeo.publish(CHAT, "room", "1", "his");
    romeo.seen();
    assert_forbidden(&juliet.publish(CHAT, "room", "1", "hers"));
    assert_eq!(romeo.seen(), "");
    assert!(romeo.items(CHAT, "room").contains("his"));
    // Another resource of the account is the same publisher.
    let mut garden = world.login(ROMEO, "garden");
    assert_result(&garden.publish(CHAT, "room", "1", "from the garden"));
    assert_has(&romeo.items(CHAT, "room"), "romeo@montague.lit/garden");
    // Once it is taken away, the id is free.
    juliet.done(CHAT, "<retract node='room'><item id='1'/></retract>");
    assert_result(&juliet.publish(CHAT, "room", "1", "hers"));
}

/// On Prosody whoever may publish takes over any item.
#[test]
fn in_prosodys_ways_everybody_replaces() {
    let world = World::in_ways(Ways::Prosody);
    let (mut juliet, mut romeo) = room(&world, &[("publish_model", "subscribers")]);
    juliet.publish(CHAT, "room", "1", "hers");
    assert_result(&romeo.publish(CHAT, "room", "1", "his"));
    let items = romeo.items(CHAT, "room");
    assert!(
        items.contains("<item id='1' publisher='romeo@montague.lit'>") && !items.contains("hers"),
        "{items}"
    );
    // Romeo cannot retract the item all the same, though it is his.
    assert_forbidden(&romeo.set(CHAT, "<retract node='room'><item id='1'/></retract>"));
}

#[test]
fn purge_offline_takes_items_with_the_session() {
    let world = World::new();
    let (mut juliet, mut romeo) = room(&world, &[("purge_offline", "1")]);
    let mut chamber = world.login(JULIET, "chamber");
    juliet.publish(CHAT, "room", "1", "balcony");
    chamber.publish(CHAT, "room", "2", "chamber");
    romeo.seen();
    juliet.disconnect();
    assert!(romeo.seen().contains("<retract id='1'/>"));
    let items = romeo.items(CHAT, "room");
    assert!(
        items.contains("chamber") && !items.contains("balcony<"),
        "{items}"
    );
    // A closing tag ends a session, too; an item that another resource has taken over stays.
    let mut hall = world.login(JULIET, "hall");
    hall.publish(CHAT, "room", "2", "hall");
    romeo.seen();
    chamber.say("</stream:stream>");
    assert_eq!(romeo.seen(), "");
    hall.say("</stream:stream>");
    assert!(romeo.seen().contains("<retract id='2'/>"));
    // Subscribers are told only if the node tells them of retractions.
    let mut garden = world.login(JULIET, "garden");
    garden.configure(CHAT, "room", &[("notify_retract", "0")]);
    garden.publish(CHAT, "room", "3", "garden");
    romeo.seen();
    garden.disconnect();
    assert_eq!(romeo.seen(), "");
    assert!(!romeo.items(CHAT, "room").contains("garden"));
}

/// By Prosody's rules items name accounts; a session's end takes only the items of that session all the same.
#[test]
fn purge_offline_tells_resources_apart_in_prosodys_ways() {
    let world = World::in_ways(Ways::Prosody);
    let (mut juliet, mut romeo) = room(&world, &[("purge_offline", "1")]);
    let mut chamber = world.login(JULIET, "chamber");
    juliet.publish(CHAT, "room", "1", "balcony");
    chamber.publish(CHAT, "room", "2", "chamber");
    juliet.disconnect();
    let items = romeo.items(CHAT, "room");
    assert!(
        items.contains("chamber") && !items.contains("balcony<"),
        "{items}"
    );
}
