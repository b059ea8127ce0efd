//! XEP-0060 §8.6 with listings 9 to 11 of XEP-0207: the request to subscribe, and the owner's answer.

use crate::driver::*;

const AUTHORIZATION: &str = "http://jabber.org/protocol/pubsub#subscribe_authorization";

fn world() -> (World, Client, Client) {
    let world = World::new();
    let mut juliet = world.login(JULIET, "balcony");
    juliet.create("", "presence", &[("access_model", "authorize")]);
    let romeo = world.login(ROMEO, "orchard");
    (world, juliet, romeo)
}

/// The id of the only message in `seen`.
fn id_of(seen: &str) -> String {
    assert_eq!(seen.matches("<message ").count(), 1, "{seen}");
    let (_, rest) = seen.split_once(" id='").unwrap();
    rest.split_once('\'').unwrap().0.to_owned()
}

/// Listing 11.
fn answer(to: &str, id: &str, node: &str, jid: &str, allow: &str) -> String {
    let fields = [("node", node), ("subscriber_jid", jid), ("allow", allow)];
    format!(
        "<message to='{to}' id='{id}'>{}</message>",
        form(AUTHORIZATION, &fields)
    )
}

/// Listings 9 and 10.
#[test]
fn the_owner_is_asked() {
    let (world, mut juliet, mut romeo) = world();
    let mut chamber = world.login(JULIET, "chamber");
    let result = romeo.subscribe(JULIET, "presence");
    assert_has(
        &result,
        "<subscription node='presence' jid='romeo@montague.lit' subscription='pending'/>",
    );
    let seen = juliet.seen();
    assert_eq!(chamber.seen(), seen);
    let id = id_of(&seen);
    let expected = format!(
        "<message from='{DOMAIN}' to='{JULIET}' id='{id}'><x xmlns='jabber:x:data' type='form'>\
         <title>PubSub subscriber request</title><instructions>To approve this entity&apos;s subscription request, \
         click the OK button. To deny the request, click the cancel button.</instructions>\
         <field var='FORM_TYPE' type='hidden'><value>{AUTHORIZATION}</value></field>\
         <field var='pubsub#node' type='text-single' label='Node ID'><value>presence</value></field>\
         <field var='pubsub#subscriber_jid' type='jid-single' label='Subscriber Address'><value>{ROMEO}</value></field>\
         <field var='pubsub#allow' type='boolean' label='Allow this JID to subscribe to this pubsub node?'>\
         <value>false</value></field></x></message>"
    );
    assert_eq!(seen, expected);
    // §6.1.3.7; the owner is not bothered again.
    assert_error(
        &romeo.subscribe(JULIET, "presence"),
        "auth not-authorized pending-subscription",
    );
    assert_eq!(juliet.seen(), "");
}

#[test]
fn yes() {
    let (_, mut juliet, mut romeo) = world();
    romeo.subscribe(JULIET, "presence");
    let id = id_of(&juliet.seen());
    assert_eq!(
        juliet.say(&answer(DOMAIN, &id, "presence", ROMEO, "true")),
        ""
    );
    let seen = romeo.seen();
    let expected = "<event xmlns='http://jabber.org/protocol/pubsub#event'>\
                    <subscription node='presence' jid='romeo@montague.lit' subscription='subscribed'/></event>";
    assert!(
        seen.starts_with(&format!("<message from='{JULIET}' to='{ROMEO}' id="))
            && seen.contains(expected),
        "{seen}"
    );
    juliet.publish("", "presence", "balcony", "Moping");
    assert!(romeo.seen().contains("Moping"));
    // The request is answered: the same answer again finds nothing.
    let again = juliet.say(&answer(DOMAIN, &id, "presence", ROMEO, "true"));
    assert_error(&again, "cancel item-not-found");
}

/// Listing 11 as printed: white space around values, upper and lower case of the boolean kept.
#[test]
fn listing_11_with_its_line_breaks() {
    let (_, mut juliet, mut romeo) = world();
    romeo.subscribe(JULIET, "presence");
    let id = id_of(&juliet.seen());
    let text = answer(DOMAIN, &id, "presence", ROMEO, "1")
        .replace("_authorization</value>", "_authorization\n  </value>");
    assert_eq!(juliet.say(&text), "");
    assert!(romeo.seen().contains("subscription='subscribed'"));
}

#[test]
fn no() {
    let (_, mut juliet, mut romeo) = world();
    romeo.subscribe(JULIET, "presence");
    let id = id_of(&juliet.seen());
    assert_eq!(
        juliet.say(&answer(DOMAIN, &id, "presence", ROMEO, "false")),
        ""
    );
    assert_has(
        &romeo.seen(),
        "<subscription node='presence' jid='romeo@montague.lit' subscription='none'/>",
    );
    assert_has(
        &romeo.get(JULIET, "<subscriptions/>"),
        "<subscriptions></subscriptions>",
    );
    // He may ask again.
    assert!(romeo.subscribe(JULIET, "presence").contains("pending"));
    assert_ne!(id_of(&juliet.seen()), id);
}

/// "If the owner cancels the Data Form, then the subscription request MUST remain in the pending state."
#[test]
fn cancel() {
    let (_, mut juliet, mut romeo) = world();
    romeo.subscribe(JULIET, "presence");
    let id = id_of(&juliet.seen());
    let cancel = answer(DOMAIN, &id, "presence", ROMEO, "true").replace("'submit'", "'cancel'");
    assert_eq!(juliet.say(&cancel), "");
    assert_eq!(romeo.seen(), "");
    assert!(romeo.get(JULIET, "<subscriptions/>").contains("pending"));
}

#[test]
fn answers_that_do_not_count() {
    let (world, mut juliet, mut romeo) = world();
    romeo.subscribe(JULIET, "presence");
    let id = id_of(&juliet.seen());
    let right = answer(DOMAIN, &id, "presence", ROMEO, "true");
    assert_forbidden(&romeo.say(&right));
    assert_forbidden(&world.login(NURSE, "chamber").say(&right));
    for (wrong, error) in [
        (
            answer(DOMAIN, "other", "presence", ROMEO, "true"),
            "cancel item-not-found",
        ),
        (
            answer("montague.lit", &id, "presence", ROMEO, "true"),
            "cancel item-not-found",
        ),
        (
            answer(CHAT, &id, "presence", ROMEO, "true"),
            "cancel item-not-found",
        ),
        (
            answer(DOMAIN, &id, "other", ROMEO, "true"),
            "modify not-acceptable",
        ),
        (
            answer(DOMAIN, &id, "presence", NURSE, "true"),
            "modify not-acceptable",
        ),
        (
            answer(DOMAIN, &id, "presence", ROMEO, "perhaps"),
            "modify bad-request",
        ),
        (
            answer(JULIET, &id, "presence", ROMEO, "true"),
            "cancel service-unavailable",
        ),
    ] {
        assert_error(&juliet.say(&wrong), error);
    }
    assert!(romeo.get(JULIET, "<subscriptions/>").contains("pending"));
}

/// At a service the form comes from it, and every owner is asked; the first answer counts.
#[test]
fn at_a_service_with_two_owners() {
    let world = World::new();
    let mut juliet = world.login(JULIET, "balcony");
    let mut nurse = world.login(NURSE, "chamber");
    let mut romeo = world.login(ROMEO, "orchard");
    juliet.create(CHAT, "room", &[]);
    let entry = format!("<affiliation jid='{NURSE}' affiliation='owner'/>");
    juliet.owner_set(
        CHAT,
        &format!("<affiliations node='room'>{entry}</affiliations>"),
    );
    romeo.subscribe(CHAT, "room");
    let seen = nurse.seen();
    assert!(
        seen.starts_with(&format!("<message from='{CHAT}' to='{NURSE}'")),
        "{seen}"
    );
    let id = id_of(&juliet.seen());
    assert_eq!(id, id_of(&seen));
    assert_eq!(nurse.say(&answer(CHAT, &id, "room", ROMEO, "true")), "");
    assert!(romeo.seen().contains("subscription='subscribed'"));
}

/// An owner who is away is asked at his next login, and at each until he answers.
#[test]
fn the_request_waits_for_the_owner() {
    let (world, juliet, mut romeo) = world();
    juliet.disconnect();
    romeo.subscribe(JULIET, "presence");
    let mut first = world.login(JULIET, "first");
    let seen = first.seen();
    let id = id_of(&seen);
    let mut second = world.login(JULIET, "second");
    assert_eq!(second.seen(), seen);
    assert_eq!(first.seen(), "", "asked once a login");
    second.say(&answer(DOMAIN, &id, "presence", ROMEO, "false"));
    assert_eq!(world.login(JULIET, "third").seen(), "");
}

/// §8.8.2: the owner may do without the form.
#[test]
fn the_owner_sets_subscriptions() {
    let (_, mut juliet, mut romeo) = world();
    romeo.subscribe(JULIET, "presence");
    juliet.seen();
    let set = |state: &str| {
        format!(
            "<subscriptions node='presence'><subscription jid='{ROMEO}' subscription='{state}'/></subscriptions>"
        )
    };
    let list = juliet.owner_get("", "<subscriptions node='presence'/>");
    assert_has(
        &list,
        "<subscription jid='romeo@montague.lit' subscription='pending'/>",
    );
    let answer = juliet.owner_set("", &set("subscribed"));
    assert!(
        answer.contains("type='result'") && !answer.contains("<pubsub"),
        "{answer}"
    );
    assert!(romeo.seen().contains("subscription='subscribed'"));
    juliet.owner_set("", &set("none"));
    assert!(romeo.seen().contains("subscription='none'"));
    juliet.owner_set("", &set("none"));
    assert_eq!(romeo.seen(), "", "told once");
}
