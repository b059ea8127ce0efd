//! XEP-0060 §5.6, §5.7 and §6: requests of a subscriber.

use pubshim::sandbox::Limits;

use crate::driver::*;

const OPTIONS: &str = "http://jabber.org/protocol/pubsub#subscribe_options";

fn room(world: &World) -> (Client, Client) {
    let mut juliet = world.login(JULIET, "balcony");
    juliet.create(CHAT, "room", &[("access_model", "open")]);
    (juliet, world.login(ROMEO, "orchard"))
}

/// §6.1.2, Example 30.
#[test]
fn subscribe() {
    let (_juliet, mut romeo) = room(&World::new());
    let answer = romeo.subscribe(CHAT, "room");
    assert_has(
        &answer,
        "<subscription node='room' jid='romeo@montague.lit' subscription='subscribed'/>",
    );
    // Once more changes nothing.
    assert_result(&romeo.subscribe(CHAT, "room"));
    let full = "<subscribe node='room' jid='romeo@montague.lit/orchard'/>";
    assert_has(&romeo.set(CHAT, full), "jid='romeo@montague.lit/orchard'");
}

/// §6.1.3.
#[test]
fn subscribe_errors() {
    let world = World::new();
    let (mut juliet, mut romeo) = room(&world);
    let other = format!("<subscribe node='room' jid='{NURSE}'/>");
    assert_error(&romeo.set(CHAT, &other), "modify bad-request invalid-jid");
    assert_error(
        &romeo.set(CHAT, "<subscribe node='room'/>"),
        "modify bad-request invalid-jid",
    );
    assert_error(&romeo.subscribe(CHAT, "none"), "cancel item-not-found");
    let nameless = format!("<subscribe jid='{ROMEO}'/>");
    assert_error(
        &romeo.set(CHAT, &nameless),
        "modify bad-request nodeid-required",
    );
    juliet.configure(CHAT, "room", &[("access_model", "whitelist")]);
    assert_error(
        &romeo.subscribe(CHAT, "room"),
        "cancel not-allowed closed-node",
    );
    juliet.owner_set(
        CHAT,
        &format!("<affiliations node='room'><affiliation jid='{ROMEO}' affiliation='outcast'/></affiliations>"),
    );
    assert_forbidden(&romeo.subscribe(CHAT, "room"));
}

/// §6.1.3.9.
#[test]
fn too_many_subscriptions() {
    let (_juliet, mut romeo) = room(&World::limited(Limits {
        subscriptions: 1,
        ..Limits::default()
    }));
    assert_result(&romeo.subscribe(CHAT, "room"));
    let full = "<subscribe node='room' jid='romeo@montague.lit/orchard'/>";
    assert_error(
        &romeo.set(CHAT, full),
        "wait policy-violation too-many-subscriptions",
    );
}

/// §6.1.7.
#[test]
fn the_last_item_comes_with_the_subscription_if_configured() {
    let (mut juliet, mut romeo) = room(&World::new());
    juliet.publish(CHAT, "room", "1", "first");
    juliet.publish(CHAT, "room", "2", "second");
    romeo.subscribe(CHAT, "room");
    let seen = romeo.seen();
    assert!(seen.contains("second") && !seen.contains("first"), "{seen}");
    romeo.set(CHAT, &format!("<unsubscribe node='room' jid='{ROMEO}'/>"));
    juliet.configure(CHAT, "room", &[("send_last_published_item", "never")]);
    romeo.subscribe(CHAT, "room");
    assert_eq!(romeo.seen(), "");
}

/// §6.2.
#[test]
fn unsubscribe() {
    let (mut juliet, mut romeo) = room(&World::new());
    let request = format!("<unsubscribe node='room' jid='{ROMEO}'/>");
    assert_error(
        &romeo.set(CHAT, &request),
        "cancel unexpected-request not-subscribed",
    );
    romeo.subscribe(CHAT, "room");
    assert_forbidden(&juliet.set(CHAT, &request));
    assert!(romeo.set(CHAT, &request).contains("subscription='none'"));
    assert_error(
        &romeo.set(CHAT, &request),
        "cancel unexpected-request not-subscribed",
    );
    let nowhere = format!("<unsubscribe node='none' jid='{ROMEO}'/>");
    assert_error(&romeo.set(CHAT, &nowhere), "cancel item-not-found");
    juliet.publish(CHAT, "room", "1", "x");
    assert_eq!(romeo.seen(), "");
}

/// §6.3.
#[test]
fn options() {
    let (mut juliet, mut romeo) = room(&World::new());
    let get = format!("<options node='room' jid='{ROMEO}'/>");
    assert_error(
        &romeo.get(CHAT, &get),
        "cancel unexpected-request not-subscribed",
    );
    romeo.subscribe(CHAT, "room");
    assert_error(
        &romeo.get(CHAT, "<options node='room'/>"),
        "modify bad-request jid-required",
    );
    assert_forbidden(&juliet.get(CHAT, &get));
    let answer = romeo.get(CHAT, &get);
    assert_has(&answer, "<field var='pubsub#deliver' type='boolean'");
    let set = |fields: &[(&str, &str)]| {
        format!(
            "<options node='room' jid='{ROMEO}'>{}</options>",
            form(OPTIONS, fields)
        )
    };
    romeo.done(CHAT, &set(&[("deliver", "false")]));
    juliet.publish(CHAT, "room", "1", "x");
    assert_eq!(romeo.seen(), "");
    for (var, value) in [
        ("deliver", "maybe"),
        ("digest", "1"),
        ("expire", "2006-02-28T11:59:59Z"),
    ] {
        assert_error(
            &romeo.set(CHAT, &set(&[(var, value)])),
            "modify bad-request invalid-options",
        );
    }
    let empty = format!("<options node='room' jid='{ROMEO}'/>");
    assert_error(
        &romeo.set(CHAT, &empty),
        "modify bad-request invalid-options",
    );
}

/// Listing 13 of XEP-0207, which repeats `node` and `jid`; §6.3.7 without.
#[test]
fn subscribe_with_options() {
    let (_juliet, mut romeo) = room(&World::new());
    let jid = romeo.jid.clone();
    let nick = form(OPTIONS, &[("roomnick", "JC")]);
    let subscribe = format!("<subscribe node='room' jid='{jid}'/>");
    romeo.done(
        CHAT,
        &format!("{subscribe}<options node='room' jid='{jid}'>{nick}</options>"),
    );
    let answer = romeo.get(CHAT, &format!("<options node='room' jid='{jid}'/>"));
    assert_has(
        &answer,
        "<field var='roomnick' type='text-multi'><value>JC</value>",
    );
    romeo.done(
        CHAT,
        &format!(
            "{subscribe}<options>{}</options>",
            form(OPTIONS, &[("roomnick", "RM")])
        ),
    );
    let answer = romeo.get(CHAT, &format!("<options node='room' jid='{jid}'/>"));
    assert!(
        answer.contains("<value>RM</value>") && !answer.contains("JC"),
        "{answer}"
    );
    for other in ["node='other'", &format!("jid='{NURSE}'")] {
        let options = format!("{subscribe}<options {other}>{nick}</options>");
        assert_error(&romeo.set(CHAT, &options), "modify bad-request");
    }
}

/// §5.6: all JIDs of the account, pending ones with their state; the node is a filter.
#[test]
fn own_subscriptions() {
    let (mut juliet, mut romeo) = room(&World::new());
    assert_has(
        &romeo.get(CHAT, "<subscriptions/>"),
        "<subscriptions></subscriptions>",
    );
    juliet.create(CHAT, "closed", &[]);
    romeo.subscribe(CHAT, "room");
    romeo.set(
        CHAT,
        "<subscribe node='room' jid='romeo@montague.lit/orchard'/>",
    );
    romeo.subscribe(CHAT, "closed");
    let answer = romeo.get(CHAT, "<subscriptions/>");
    assert_eq!(answer.matches("<subscription ").count(), 3, "{answer}");
    assert_has(
        &answer,
        "<subscription node='closed' jid='romeo@montague.lit' subscription='pending'/>",
    );
    let answer = romeo.get(CHAT, "<subscriptions node='room'/>");
    assert_has(&answer, "<subscriptions node='room'>");
    assert_eq!(answer.matches("<subscription ").count(), 2, "{answer}");
    assert!(
        !juliet
            .get(CHAT, "<subscriptions/>")
            .contains("<subscription ")
    );
}

/// §5.7.
#[test]
fn own_affiliations() {
    let (mut juliet, mut romeo) = room(&World::new());
    let answer = juliet.get(CHAT, "<affiliations/>");
    assert_has(&answer, "<affiliation node='room' affiliation='owner'/>");
    assert_has(
        &romeo.get(CHAT, "<affiliations/>"),
        "<affiliations></affiliations>",
    );
}

/// §6.5.
#[test]
fn items() {
    let (mut juliet, mut romeo) = room(&World::new());
    assert_has(&romeo.items(CHAT, "room"), "<items node='room'></items>");
    for id in ["a", "b", "c"] {
        juliet.publish(CHAT, "room", id, id);
    }
    let order = |answer: &str| -> String {
        let ids = answer.split("<item id='").skip(1);
        ids.map(|rest| rest.split_once('\'').unwrap().0).collect()
    };
    assert_eq!(order(&romeo.items(CHAT, "room")), "abc");
    assert_eq!(
        order(&romeo.get(CHAT, "<items node='room' max_items='2'/>")),
        "bc"
    );
    assert_eq!(
        order(&romeo.get(
            CHAT,
            "<items node='room'><item id='a'/><item id='c'/></items>"
        )),
        "ac"
    );
    assert_eq!(
        order(&romeo.get(CHAT, "<items node='room'><item id='none'/></items>")),
        ""
    );
    // §7.1.2.3: with the publisher in every form of retrieval.
    assert_has(
        &romeo.items(CHAT, "room"),
        "publisher='juliet@capulet.lit/balcony'",
    );
    assert_error(&romeo.items(CHAT, "none"), "cancel item-not-found");
    assert_error(
        &romeo.get(CHAT, "<items/>"),
        "modify bad-request nodeid-required",
    );
    juliet.configure(CHAT, "room", &[("persist_items", "0")]);
    assert_error(
        &romeo.items(CHAT, "room"),
        "cancel feature-not-implemented unsupported",
    );
}

/// §6.5.4: XEP-0059 tells how many items are left out.
#[test]
fn an_answer_has_an_end() {
    let (mut juliet, mut romeo) = room(&World::limited(Limits {
        answer: 300,
        ..Limits::default()
    }));
    for id in ["a", "b", "c"] {
        juliet.set(CHAT, &publish("room", id, &"x".repeat(100)));
    }
    let answer = romeo.items(CHAT, "room");
    assert_eq!(answer.matches("<item ").count(), 1, "{answer}");
    assert_has(
        &answer,
        "<first index='2'>c</first><last>c</last><count>3</count>",
    );
}

/// §12.4.
#[test]
fn temporary_subscriptions_end_with_the_session() {
    let world = World::new();
    let (mut juliet, mut romeo) = room(&world);
    let second = world.login(ROMEO, "garden");
    let temporary = form(OPTIONS, &[("expire", "presence")]);
    for jid in [
        ROMEO,
        "romeo@montague.lit/orchard",
        "romeo@montague.lit/garden",
    ] {
        romeo.done(
            CHAT,
            &format!("<subscribe node='room' jid='{jid}'/><options>{temporary}</options>"),
        );
    }
    let mut list = || juliet.owner_get(CHAT, "<subscriptions node='room'/>");
    romeo.disconnect();
    let left = list();
    assert!(
        !left.contains("/orchard")
            && left.contains("/garden")
            && left.contains("'romeo@montague.lit'"),
        "{left}"
    );
    second.disconnect();
    assert!(!list().contains("romeo"), "{}", list());
}

/// §12.4, Example 230: the node's owner may want them all temporary.
#[test]
fn tempsub_makes_all_subscriptions_temporary() {
    let world = World::new();
    let (mut juliet, mut romeo) = room(&world);
    juliet.configure(CHAT, "room", &[("tempsub", "true")]);
    romeo.subscribe(CHAT, "room");
    romeo.disconnect();
    let left = juliet.owner_get(CHAT, "<subscriptions node='room'/>");
    assert!(!left.contains("romeo"), "{left}");
}
