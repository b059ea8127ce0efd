//! XEP-0060 §8: create, configure, delete, purge, subscriptions, affiliations.

use pubshim::sandbox::Limits;

use crate::driver::*;

const CONFIG: &str = "http://jabber.org/protocol/pubsub#node_config";

/// §8.1.1.
#[test]
fn create() {
    let [mut juliet, mut romeo] = World::new().lovers();
    juliet.done(CHAT, "<create node='n'/>");
    assert_error(&juliet.set(CHAT, "<create node='n'/>"), "cancel conflict");
    assert_error(&romeo.set(CHAT, "<create node='n'/>"), "cancel conflict");
    // Names belong to their service; letters in upper case are others.
    for (to, node) in [
        ("pubsub.capulet.lit", "n"),
        ("chat.montague.lit", "n"),
        (CHAT, "N"),
        (JULIET, "n"),
    ] {
        juliet.done(to, &format!("<create node='{node}'/>"));
    }
    // PEP: only the account itself.
    assert_forbidden(&romeo.set(JULIET, "<create node='other'/>"));
    // An instant node.
    let answer = juliet.done(CHAT, "<create/>");
    let (_, rest) = answer.split_once("<create node='").unwrap();
    let name = rest.split_once('\'').unwrap().0;
    assert_result(&juliet.items(CHAT, name));
}

/// §8.1.2, §8.1.3.
#[test]
fn create_and_configure() {
    let mut juliet = World::new().login(JULIET, "balcony");
    let bad = form(CONFIG, &[("access_model", "presence")]);
    let answer = juliet.set(
        CHAT,
        &format!("<create node='n'/><configure>{bad}</configure>"),
    );
    assert_error(&answer, "modify not-acceptable unsupported-access-model");
    assert_error(&juliet.items(CHAT, "n"), "cancel item-not-found");
    let answer = juliet.set(CHAT, "<create node='n'/><configure node='n'/>");
    assert_error(&answer, "modify bad-request");
    juliet.done(CHAT, "<create node='n'/><configure/>");
    let collection = form(CONFIG, &[("node_type", "collection")]);
    let answer = juliet.set(
        CHAT,
        &format!("<create node='m'/><configure>{collection}</configure>"),
    );
    assert_error(&answer, "cancel feature-not-implemented unsupported");
}

/// Listing 18: a publisher in the configuration.
#[test]
fn create_with_a_publisher() {
    let [mut juliet, mut romeo] = World::new().lovers();
    juliet.create(
        "pubsub.capulet.lit",
        "me_and_romeo",
        &[("access_model", "whitelist"), ("publisher", ROMEO)],
    );
    let entry = format!("<subscription jid='{ROMEO}' subscription='subscribed'/>");
    let subscriptions = format!("<subscriptions node='me_and_romeo'>{entry}</subscriptions>");
    assert_result(&juliet.owner_set("pubsub.capulet.lit", &subscriptions));
    romeo.seen();
    assert_result(&romeo.publish("pubsub.capulet.lit", "me_and_romeo", "1", "x"));
    assert!(romeo.seen().contains("<item id='1'"));
}

#[test]
fn there_are_only_so_many_nodes() {
    let mut juliet = World::limited(Limits {
        nodes: 1,
        ..Limits::default()
    })
    .login(JULIET, "balcony");
    juliet.done(CHAT, "<create node='n'/>");
    assert_error(
        &juliet.set(CHAT, "<create node='m'/>"),
        "wait resource-constraint max-nodes-exceeded",
    );
    let long = "x".repeat(1024);
    assert_error(
        &juliet.set("", &format!("<create node='{long}'/>")),
        "modify not-acceptable",
    );
}

/// §8.2.
#[test]
fn configure() {
    let [mut juliet, mut romeo] = World::new().lovers();
    juliet.create(CHAT, "n", &[("access_model", "open"), ("max_items", "5")]);
    for request in [
        "<configure node='n'/>",
        "<subscriptions node='n'/>",
        "<affiliations node='n'/>",
    ] {
        assert_forbidden(&romeo.owner_get(CHAT, request));
    }
    assert_error(
        &juliet.owner_get(CHAT, "<configure node='m'/>"),
        "cancel item-not-found",
    );
    assert_error(
        &juliet.owner_get(CHAT, "<configure/>"),
        "modify bad-request nodeid-required",
    );
    let form = juliet.owner_get(CHAT, "<configure node='n'/>");
    assert_has(&form, "<x xmlns='jabber:x:data' type='form'>");
    assert_has(
        &form,
        "<field var='pubsub#max_items' type='text-single' label='How many items to keep'><value>5</value>",
    );
    assert_forbidden(&romeo.configure(CHAT, "n", &[]));
    // XEP-0004: fields that are not submitted keep their values; boolean in either writing.
    assert_result(&juliet.configure(
        CHAT,
        "n",
        &[("notify_delete", "false"), ("unheard_of", "x")],
    ));
    let form = juliet.owner_get(CHAT, "<configure node='n'/>");
    assert!(
        form.contains("<value>5</value>") && form.contains("<value>open</value>"),
        "{form}"
    );
    for (var, value, special) in [
        ("notify_delete", "maybe", ""),
        ("publish_model", "nobody", ""),
        ("max_items", "0", "max-items-exceeded"),
        ("max_items", "1001", "max-items-exceeded"),
        ("max_payload_size", "10000000", ""),
    ] {
        let answer = juliet.configure(CHAT, "n", &[(var, value)]);
        assert_error(&answer, &format!("modify not-acceptable {special}"));
    }
    // §8.3
    let answer = juliet.owner_get(CHAT, "<default/>");
    assert_has(&answer, "<default><x xmlns='jabber:x:data' type='form'>");
}

#[test]
fn fewer_items_are_kept_at_once() {
    let mut juliet = World::new().login(JULIET, "balcony");
    juliet.create(CHAT, "n", &[]);
    for id in ["a", "b", "c"] {
        juliet.publish(CHAT, "n", id, "x");
    }
    juliet.configure(CHAT, "n", &[("max_items", "1")]);
    let items = juliet.items(CHAT, "n");
    assert!(
        items.contains("id='c'") && !items.contains("id='b'"),
        "{items}"
    );
}

/// §8.4, §8.5.
#[test]
fn delete_and_purge() {
    let [mut juliet, mut romeo] = World::new().lovers();
    juliet.create(
        CHAT,
        "n",
        &[("access_model", "open"), ("publish_model", "open")],
    );
    romeo.publish(CHAT, "n", "1", "x");
    for action in ["purge", "delete"] {
        let request = format!("<{action} node='n'/>");
        assert_forbidden(&romeo.owner_set(CHAT, &request));
        assert_error(
            &juliet.owner_set(CHAT, &format!("<{action}/>")),
            "modify bad-request nodeid-required",
        );
        let nowhere = format!("<{action} node='m'/>");
        assert_error(&juliet.owner_set(CHAT, &nowhere), "cancel item-not-found");
        assert_result(&juliet.owner_set(CHAT, &request));
        if action == "purge" {
            assert!(romeo.items(CHAT, "n").contains("<items node='n'></items>"));
        }
    }
    assert_error(&romeo.items(CHAT, "n"), "cancel item-not-found");
    juliet.create(CHAT, "n", &[("persist_items", "0")]);
    let answer = juliet.owner_set(CHAT, "<purge node='n'/>");
    assert_error(&answer, "cancel feature-not-implemented unsupported");
}

fn affiliations(entries: &[(&str, &str)]) -> String {
    let entries: String = entries
        .iter()
        .map(|(jid, it)| format!("<affiliation jid='{jid}' affiliation='{it}'/>"))
        .collect();
    format!("<affiliations node='n'>{entries}</affiliations>")
}

/// §8.9.
#[test]
fn affiliations_are_set() {
    let [mut juliet, mut romeo] = World::new().lovers();
    juliet.create(CHAT, "n", &[]);
    let list = juliet.owner_get(CHAT, "<affiliations node='n'/>");
    assert_has(
        &list,
        "<affiliations node='n'><affiliation jid='juliet@capulet.lit' affiliation='owner'/></affiliations>",
    );
    assert_forbidden(&romeo.owner_set(CHAT, &affiliations(&[(ROMEO, "owner")])));
    assert_result(&juliet.owner_set(
        CHAT,
        &affiliations(&[(ROMEO, "publisher"), (NURSE, "member")]),
    ));
    assert_result(&juliet.owner_set(CHAT, &affiliations(&[(NURSE, "none")])));
    let list = juliet.owner_get(CHAT, "<affiliations node='n'/>");
    assert!(
        list.contains("affiliation='publisher'") && !list.contains(NURSE),
        "{list}"
    );
    let twice = affiliations(&[(NURSE, "member"), (NURSE, "outcast")]);
    assert_error(&juliet.owner_set(CHAT, &twice), "modify bad-request");
}

/// §8.9.2.4, Example 216: impossible changes come back, the others are made.
#[test]
fn the_last_owner_stays() {
    let mut juliet = World::new().login(JULIET, "balcony");
    juliet.create(CHAT, "n", &[]);
    let answer = juliet.owner_set(
        CHAT,
        &affiliations(&[(JULIET, "none"), (ROMEO, "publisher")]),
    );
    assert_error(&answer, "modify not-acceptable");
    let failed = "<affiliations node='n'><affiliation jid='juliet@capulet.lit' affiliation='owner'/></affiliations>";
    assert_has(&answer, failed);
    assert!(
        juliet
            .owner_get(CHAT, "<affiliations node='n'/>")
            .contains(ROMEO)
    );
    for (jid, affiliation) in [
        ("romeo@montague.lit/orchard", "member"),
        ("", "member"),
        (NURSE, "king"),
    ] {
        let answer = juliet.owner_set(CHAT, &affiliations(&[(jid, affiliation)]));
        assert_error(&answer, "modify not-acceptable");
    }
    // With a second owner the first may go; from her own account she may not.
    juliet.owner_set(CHAT, &affiliations(&[(ROMEO, "owner")]));
    assert_result(&juliet.owner_set(CHAT, &affiliations(&[(JULIET, "none")])));
    juliet.create("", "n", &[]);
    juliet.owner_set("", &affiliations(&[(ROMEO, "owner")]));
    let answer = juliet.owner_set("", &affiliations(&[(JULIET, "none")]));
    assert_error(&answer, "modify not-acceptable");
}

#[test]
fn an_outcast_loses_his_subscriptions() {
    let [mut juliet, mut romeo] = World::new().lovers();
    juliet.create(CHAT, "n", &[("access_model", "open")]);
    romeo.subscribe(CHAT, "n");
    juliet.owner_set(CHAT, &affiliations(&[(ROMEO, "outcast")]));
    assert!(romeo.seen().contains("subscription='none'"));
    juliet.publish(CHAT, "n", "1", "x");
    assert_eq!(romeo.seen(), "");
}

/// §8.8.
#[test]
fn subscriptions_are_set() {
    let [mut juliet, mut romeo] = World::new().lovers();
    juliet.create(CHAT, "n", &[]);
    juliet.owner_set(CHAT, &affiliations(&[(NURSE, "outcast")]));
    let entries = format!(
        "<subscription jid='{ROMEO}' subscription='subscribed'/><subscription jid='{NURSE}' subscription='subscribed'/>\
         <subscription jid='x' subscription='subscribed'/><subscription jid='{JULIET}' subscription='king'/>"
    );
    let answer = juliet.owner_set(
        CHAT,
        &format!("<subscriptions node='n'>{entries}</subscriptions>"),
    );
    assert_error(&answer, "modify not-acceptable");
    for failed in [NURSE, "x", JULIET] {
        assert_has(
            &answer,
            &format!("<subscription jid='{failed}' subscription='none'/>"),
        );
    }
    assert!(!answer.contains(ROMEO));
    let list = juliet.owner_get(CHAT, "<subscriptions node='n'/>");
    assert_has(
        &list,
        "<subscriptions node='n'><subscription jid='romeo@montague.lit' subscription='subscribed'/></subscriptions>",
    );
    assert_forbidden(&romeo.owner_set(CHAT, "<subscriptions node='n'/>"));
}

#[test]
fn what_nobody_knows() {
    let mut juliet = World::new().login(JULIET, "balcony");
    assert_error(
        &juliet.set(CHAT, "<conquer/>"),
        "cancel feature-not-implemented",
    );
    assert_error(
        &juliet.owner_get(CHAT, "<conquer/>"),
        "cancel feature-not-implemented",
    );
    assert_error(&juliet.set(CHAT, ""), "modify bad-request");
    assert_error(
        &juliet.get(CHAT, "<create node='x'/>"),
        "cancel feature-not-implemented",
    );
}
