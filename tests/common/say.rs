//! Stanzas in words.

use super::people::*;
use super::pubsub::*;
use super::tree::Node;

/// A stanza of the session's own, in words.
#[track_caller]
pub(crate) fn say(stanza: &Node) -> String {
    words(stanza).unwrap_or_else(|| panic!("nobody knows what this is: {stanza:#?}"))
}

/// The same, if it is known; panics on a stanza that is not as XEP-0060 has it.
pub(crate) fn words(stanza: &Node) -> Option<String> {
    let kind = stanza.attribute("type").unwrap_or_default();
    let to = stanza.attribute("to").unwrap_or("own");
    match &*stanza.local {
        "presence" => return Some(format!("presence {kind} {to}")),
        "message" => {
            let x = stanza.at("x");
            let fields = x.fields();
            assert_eq!(
                (&*x.namespace, x.value("type")),
                ("jabber:x:data", "submit")
            );
            assert_eq!(fields["FORM_TYPE"], AUTHORIZATION);
            assert_eq!(fields["pubsub#node"], "presence");
            return Some(format!(
                "form to {to}: {} {}",
                fields["pubsub#subscriber_jid"], fields["pubsub#allow"]
            ));
        }
        _ => {}
    }
    if kind == "result" {
        return Some(format!("result {to}"));
    }
    let child = stanza.children.first()?;
    Some(match (&*child.namespace, &*child.local, kind) {
        ("jabber:iq:roster", "query", "get") => "get roster".to_owned(),
        ("jabber:iq:privacy", "query", "get") => "get privacy".to_owned(),
        ("urn:xmpp:blocking", "blocklist", "get") => "get blocklist".to_owned(),
        ("urn:xmpp:ping", "ping", "get") => format!("ping {to}"),
        (PUBSUB | OWNER, "pubsub", _) => {
            words_of_pubsub(kind, to, &child.namespace, child.children.first()?)?
        }
        _ => return None,
    })
}

fn words_of_pubsub(kind: &str, to: &str, namespace: &str, what: &Node) -> Option<String> {
    let node = match what.attribute("node")? {
        RECORD => "record",
        "presence" => "presence",
        _ => return None,
    };
    let list = |state: &str| -> Vec<String> {
        let item = |item: &Node| format!("{} {}", item.value(state), item.value("jid"));
        what.children.iter().map(item).collect()
    };
    Some(match (namespace, &*what.local, kind, node, to) {
        (PUBSUB, "subscribe" | "unsubscribe", "set", "presence", _) => {
            let whom = what.value("jid");
            assert!(!whom.contains('/'), "the account: {whom}");
            format!("{} {to}", what.local)
        }
        (PUBSUB, "subscriptions", "get", "presence", to) => format!("subscriptions {to}"),
        (PUBSUB, "items", "get", "presence", to) => format!("fetch {to}"),
        (PUBSUB, "items", "get", "record", "own") => "get record".to_owned(),
        (PUBSUB, "publish", "set", node, "own") => format!("publish {node}"),
        (PUBSUB, "create", "set", node, "own") => format!("create {node}"),
        (OWNER, "delete", "set", node, "own") => format!("delete {node}"),
        (PUBSUB, "retract", "set", node, "own") => format!("retract {node}"),
        (OWNER, "configure", "get", node, "own") => format!("configure {node}"),
        (OWNER, "configure", "set", node, "own") => format!("set up {node}"),
        (OWNER, "affiliations", "get", "presence", "own") => "get members".to_owned(),
        (OWNER, "subscriptions", "get", "presence", "own") => "get subscribers".to_owned(),
        (OWNER, "affiliations", "set", "presence", "own") => {
            format!("affiliation {}", list("affiliation").join(", "))
        }
        (OWNER, "subscriptions", "set", "presence", "own") => {
            format!("subscription {}", list("subscription").join(", "))
        }
        _ => return None,
    })
}

pub(crate) fn is_push(stanza: &Node) -> bool {
    stanza.local == "iq" && stanza.value("type") == "set" && stanza.has("query")
}

/// A roster item in a few words: `jid subscription [ask] ['name'] [groups]`.
pub(crate) fn roster_item(item: &Node) -> String {
    let mut text = format!("{} {}", item.value("jid"), item.value("subscription"));
    if item.attribute("ask") == Some("subscribe") {
        text.push_str(" asked");
    }
    if let Some(name) = item.attribute("name").filter(|it| !it.is_empty()) {
        text.push_str(&format!(" '{name}'"));
    }
    for group in &item.children {
        text.push_str(&format!(" [{}]", group.text));
    }
    text
}

/// A stanza in a few words.
pub(crate) fn in_short(stanza: &Node) -> String {
    let kind = stanza.attribute("type").unwrap_or_default();
    let from = stanza.attribute("from").unwrap_or_default();
    let error = || {
        let error = &stanza.at("error").children;
        error.first().map(|it| it.local.clone()).unwrap_or_default()
    };
    match (&*stanza.local, kind) {
        ("presence" | "message", "error") => {
            format!("{} refused: {from} {}", stanza.local, error())
        }
        ("presence", "") => {
            let status = stanza.find("status").map(|it| format!(" {}", it.text));
            format!("{from} available{}", status.unwrap_or_default())
        }
        ("presence", kind) => format!("{from} {kind}"),
        ("iq", "set") if is_push(stanza) => {
            let query = stanza.at("query");
            assert_eq!(query.namespace, "jabber:iq:roster");
            assert_eq!(query.children.len(), 1, "RFC 6121 §2.1.6: one item");
            assert_eq!(stanza.attribute("from"), None);
            format!("push {}", roster_item(&query.children[0]))
        }
        ("iq", "error") => format!("error {} {}", stanza.value("id"), error()),
        ("iq", kind) => format!("{kind} {}", stanza.value("id")),
        ("message", _) if stanza.has("body") => format!("{from} says {}", stanza.at("body").text),
        _ => format!("{stanza:?}"),
    }
}
