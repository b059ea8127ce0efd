//! Notifications to subscribers (XEP-0060 §7.1.2; listings 4, 17 and 20 of XEP-0207).

use pubshim::sandbox::Ways;

use crate::driver::*;

fn room(fields: &[(&str, &str)]) -> (World, Client, Client) {
    let world = World::new();
    let mut juliet = world.login(JULIET, "balcony");
    juliet.create(CHAT, "characters", fields);
    juliet.configure(CHAT, "characters", &[("access_model", "open")]);
    let romeo = world.login(ROMEO, "mobile");
    (world, juliet, romeo)
}

fn id_of(seen: &str) -> &str {
    let (_, rest) = seen.split_once(" id='").unwrap();
    rest.split_once('\'').unwrap().0
}

/// Listing 17: the publisher stands in the item and beside the event.
#[test]
fn an_event() {
    let (_, mut juliet, mut romeo) = room(&[]);
    romeo.set(
        CHAT,
        "<subscribe node='characters' jid='romeo@montague.lit/mobile'/>",
    );
    juliet.done(
        CHAT,
        "<publish node='characters'><item id='1'><message xmlns='jabber:client'><body>hi</body></message></item></publish>",
    );
    let seen = romeo.seen();
    let expected = format!(
        "<message from='chat.capulet.lit' to='romeo@montague.lit/mobile' type='headline' id='{}'>\
         <event xmlns='http://jabber.org/protocol/pubsub#event'><items node='characters'>\
         <item id='1' publisher='juliet@capulet.lit/balcony'>\
         <message xmlns='jabber:client'><body>hi</body></message></item></items></event>\
         <addresses xmlns='http://jabber.org/protocol/address'>\
         <address type='replyto' jid='juliet@capulet.lit/balcony'/></addresses></message>",
        id_of(&seen)
    );
    assert_eq!(seen, expected);
}

/// A bare JID: every connected resource, `to` as subscribed. A full one: this one.
#[test]
fn to_bare_and_full_jids() {
    let (world, mut juliet, mut mobile) = room(&[]);
    let mut pda = world.login(ROMEO, "pda");
    mobile.subscribe(CHAT, "characters");
    juliet.publish(CHAT, "characters", "1", "x");
    let seen = mobile.seen();
    assert_has(&seen, " to='romeo@montague.lit' ");
    assert_eq!(pda.seen(), seen);
    mobile.set(
        CHAT,
        &format!("<unsubscribe node='characters' jid='{ROMEO}'/>"),
    );
    pda.set(
        CHAT,
        "<subscribe node='characters' jid='romeo@montague.lit/pda'/>",
    );
    pda.seen();
    juliet.publish(CHAT, "characters", "2", "x");
    assert!(pda.seen().contains(" to='romeo@montague.lit/pda' "));
    assert_eq!(mobile.seen(), "");
    // The sandbox keeps no event for later; the subscription stays.
    pda.disconnect();
    juliet.publish(CHAT, "characters", "3", "x");
    let mut pda = world.login(ROMEO, "pda");
    assert_eq!(pda.seen(), "");
    juliet.publish(CHAT, "characters", "4", "x");
    assert!(pda.seen().contains("<item id='4'"));
}

/// The publisher gets a copy like everybody; all copies have one id.
#[test]
fn the_publisher_gets_a_copy() {
    let (_, mut juliet, mut romeo) = room(&[]);
    juliet.subscribe(CHAT, "characters");
    romeo.subscribe(CHAT, "characters");
    juliet.publish(CHAT, "characters", "1", "x");
    let (own, other) = (juliet.seen(), romeo.seen());
    assert_eq!(id_of(&own), id_of(&other));
    juliet.publish(CHAT, "characters", "1", "x");
    assert_ne!(id_of(&juliet.seen()), id_of(&own));
}

/// An event goes out before the answer to the request that caused it, as on ejabberd and Prosody. Notices to one
/// subscriber alone go behind the answer (§6.1.7).
#[test]
fn an_event_comes_before_the_answer() {
    let (_, mut juliet, _) = room(&[
        ("notify_retract", "1"),
        ("notify_config", "1"),
        ("send_last_published_item", "on_sub"),
    ]);
    let mut order = |kind: &str, content: &str| {
        let answer = juliet.say(&format!(
            "<iq type='set' id='q' to='{CHAT}'><pubsub xmlns='{kind}'>{content}</pubsub></iq>"
        ));
        assert_has(&answer, "type='result'");
        match (answer.find("<message "), answer.find("<iq ")) {
            (Some(event), Some(result)) if event < result => "event, result",
            (Some(_), Some(_)) => "result, event",
            _ => "result",
        }
    };
    let (pubsub, owner) = (
        "http://jabber.org/protocol/pubsub",
        "http://jabber.org/protocol/pubsub#owner",
    );
    let configuration = form(
        "http://jabber.org/protocol/pubsub#node_config",
        &[("title", "New")],
    );
    for (kind, content, expected) in [
        (pubsub, publish("characters", "1", "x"), "result"),
        (
            pubsub,
            format!("<subscribe node='characters' jid='{JULIET}'/>"),
            "result, event",
        ),
        (pubsub, publish("characters", "2", "x"), "event, result"),
        (
            pubsub,
            "<retract node='characters'><item id='2'/></retract>".to_owned(),
            "event, result",
        ),
        (
            owner,
            format!("<configure node='characters'>{configuration}</configure>"),
            "event, result",
        ),
        (
            owner,
            "<purge node='characters'/>".to_owned(),
            "event, result",
        ),
        (
            owner,
            "<delete node='characters'/>".to_owned(),
            "event, result",
        ),
    ] {
        assert_eq!(order(kind, &content), expected, "{content}");
    }
}

/// Prosody names the account that published, and no address for replies.
#[test]
fn an_event_in_prosodys_ways() {
    let world = World::in_ways(Ways::Prosody);
    let mut juliet = world.login(JULIET, "balcony");
    juliet.create(CHAT, "characters", &[("access_model", "open")]);
    let mut romeo = world.login(ROMEO, "mobile");
    romeo.subscribe(CHAT, "characters");
    juliet.publish(CHAT, "characters", "1", "x");
    let (event, items) = (romeo.seen(), romeo.items(CHAT, "characters"));
    for text in [&event, &items] {
        assert_has(text, "<item id='1' publisher='juliet@capulet.lit'>");
    }
    assert!(!event.contains("<addresses "), "{event}");
}

#[test]
fn as_configured() {
    for (fields, with, without) in [
        (("notification_type", "normal"), "<event ", "headline"),
        (("itemreply", "none"), "type='headline'", "publisher="),
        (("itemreply", "none"), "<event ", "addresses"),
    ] {
        let (_, mut juliet, mut romeo) = room(&[fields]);
        romeo.subscribe(CHAT, "characters");
        juliet.publish(CHAT, "characters", "1", "x");
        let seen = romeo.seen();
        assert!(
            seen.contains(with) && !seen.contains(without),
            "{fields:?}: {seen}"
        );
    }
    let (_, mut juliet, mut romeo) = room(&[("deliver_notifications", "0")]);
    romeo.subscribe(CHAT, "characters");
    juliet.publish(CHAT, "characters", "1", "x");
    assert_eq!(romeo.seen(), "");
}

/// §7.2.2.1, §8.4.2, §8.5.2, §8.2.5.3: retract, delete, purge, configure.
#[test]
fn of_other_changes() {
    let notify = [
        ("notify_config", "1"),
        ("notify_retract", "1"),
        ("notify_delete", "1"),
    ];
    let (_, mut juliet, mut romeo) = room(&notify);
    romeo.subscribe(CHAT, "characters");
    juliet.publish(CHAT, "characters", "1", "x");
    romeo.seen();
    juliet.set(CHAT, "<retract node='characters'><item id='1'/></retract>");
    assert_has(
        &romeo.seen(),
        "<items node='characters'><retract id='1'/></items>",
    );
    juliet.publish(CHAT, "characters", "2", "x");
    juliet.publish(CHAT, "characters", "3", "x");
    romeo.seen();
    assert_result(&juliet.owner_set(CHAT, "<purge node='characters'/>"));
    let seen = romeo.seen();
    assert_has(&seen, "<purge node='characters'/>");
    assert_eq!(seen.matches("<message ").count(), 1, "{seen}");
    juliet.configure(CHAT, "characters", &[("title", "New")]);
    let seen = romeo.seen();
    assert!(
        seen.contains("<configuration node='characters'><x ")
            && seen.contains("<value>New</value>"),
        "{seen}"
    );
    juliet.owner_set(CHAT, "<delete node='characters'/>");
    assert!(romeo.seen().contains("<delete node='characters'/>"));
}

#[test]
fn of_nothing_if_configured_so() {
    let (_, mut juliet, mut romeo) = room(&[("notify_retract", "0"), ("notify_delete", "0")]);
    romeo.subscribe(CHAT, "characters");
    juliet.publish(CHAT, "characters", "1", "x");
    romeo.seen();
    juliet.set(CHAT, "<retract node='characters'><item id='1'/></retract>");
    juliet.configure(CHAT, "characters", &[("title", "New")]);
    juliet.owner_set(CHAT, "<delete node='characters'/>");
    assert_eq!(romeo.seen(), "");
}

/// §8.4.2: pending subscribers hear of the end, too, and of nothing else.
#[test]
fn pending_subscribers_hear_only_of_the_end() {
    let world = World::new();
    let mut juliet = world.login(JULIET, "balcony");
    let mut romeo = world.login(ROMEO, "mobile");
    juliet.create("", "presence", &[]);
    romeo.subscribe(JULIET, "presence");
    juliet.publish("", "presence", "1", "x");
    assert_eq!(romeo.seen(), "");
    juliet.owner_set("", "<delete node='presence'/>");
    assert!(romeo.seen().contains("<delete node='presence'/>"));
}
