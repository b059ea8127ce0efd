//! The own account at a server, as far as subscriptions go, and what was asked of it in words.

use crate::driver::*;
use crate::presence_out::{OWNER, PUBSUB, ejabberd_node};
use crate::record::item_of;
use crate::roster::record;
use crate::tree::Node;

/// What the server holds of an account, and so answers.
#[derive(Clone, Default)]
pub(crate) struct Account {
    /// The items of the roster; `None`: it cannot be had.
    pub(crate) roster: Option<String>,
    pub(crate) members: Vec<String>,
    /// Who is subscribed to the node; `None`: nobody can list them, as on ejabberd.
    pub(crate) subscribers: Option<Vec<String>>,
    pub(crate) blocked: Vec<String>,
    /// The contact on record, if there is one; `None`: the record cannot be had.
    pub(crate) record: Option<String>,
}

impl Account {
    /// An account on ejabberd with these contacts and their subscriptions, all of them members that may be.
    pub(crate) fn with(contacts: &[(&str, &str)]) -> Self {
        let item =
            |(jid, state): &(&str, &str)| format!("<item jid='{jid}' subscription='{state}'/>");
        let members = contacts
            .iter()
            .filter(|(_, state)| matches!(*state, "from" | "both"));
        Self {
            roster: Some(contacts.iter().map(item).collect()),
            members: members.map(|(jid, _)| (*jid).to_owned()).collect(),
            record: Some(String::new()),
            ..Self::default()
        }
    }

    /// Answers an IQ to the own account.
    pub(crate) fn answer_one(&self, iq: &Node, d: &mut Driver) {
        if iq.value("type") == "set" {
            return d.result(iq, "");
        }
        let jids = |name: &str, jids: &[String], state: &str| -> String {
            let item = |jid| format!("<{name} jid='{jid}' {state}/>");
            jids.iter().map(item).collect()
        };
        match &*say(iq) {
            "get roster" => match &self.roster {
                Some(items) => d.result(
                    iq,
                    &format!("<query xmlns='jabber:iq:roster'>{items}</query>"),
                ),
                None => d.error(iq, "wait", "internal-server-error"),
            },
            "get blocklist" => {
                let items = jids("item", &self.blocked, "");
                d.result(
                    iq,
                    &format!("<blocklist xmlns='urn:xmpp:blocking'>{items}</blocklist>"),
                );
            }
            "get members" => {
                let items = jids("affiliation", &self.members, "affiliation='member'");
                d.result(
                    iq,
                    &format!(
                        "<pubsub xmlns='{OWNER}'><affiliations node='presence'>\
                         <affiliation jid='juliet@capulet.lit' affiliation='owner'/>{items}</affiliations></pubsub>"
                    ),
                );
            }
            "get subscribers" => match &self.subscribers {
                Some(all) => {
                    let items = jids(
                        "subscription",
                        all,
                        "node='presence' subscription='subscribed'",
                    );
                    d.result(
                        iq,
                        &format!("<pubsub xmlns='{OWNER}'><subscriptions>{items}</subscriptions></pubsub>"),
                    );
                }
                None => d.error(iq, "cancel", "feature-not-implemented"),
            },
            "get record" => match &self.record {
                Some(contact) => {
                    // Each contact stands in the item its address says.
                    let item = contact.split('\'').nth(1).map_or_else(String::new, item_of);
                    d.result(iq, &record(&[(&item, contact)]));
                }
                None => d.error(iq, "wait", "internal-server-error"),
            },
            "configure presence" => d.result(iq, &ejabberd_node(&[])),
            "fetch own" => d.result(
                iq,
                &format!("<pubsub xmlns='{PUBSUB}'><items node='presence'/></pubsub>"),
            ),
            "configure record" => d.result(
                iq,
                &ejabberd_node(&[("access_model", "whitelist"), ("purge_offline", "0")]),
            ),
            other => panic!("{other} is not expected: {iq:#?}"),
        }
    }

    /// Answers all that is asked of the own account; what was sent, in words.
    pub(crate) fn settle(&self, d: &mut Driver) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            let sent = d.server_got();
            if sent.is_empty() {
                return said;
            }
            for stanza in sent {
                said.push(say(&stanza));
                if stanza.local == "iq" && stanza.attribute("to").is_none() {
                    self.answer_one(&stanza, d);
                }
            }
        }
    }

    /// Juliet's session after its login is done; the node is as it should be. What that took, in words.
    pub(crate) fn logged_in(&self) -> (Driver, Vec<String>) {
        let (mut d, mut said) = self.arrived();
        d.advance(3);
        said.extend(self.settle(&mut d));
        (d, said)
    }

    /// Juliet's session after her first presence, all that was asked answered.
    pub(crate) fn arrived(&self) -> (Driver, Vec<String>) {
        let mut d = Driver::auto(JULIET);
        d.keep_search = true;
        d.client("<presence id='1'/>");
        let said = self.settle(&mut d);
        (d, said)
    }

    /// The same some time later, when nobody wants to know what it took.
    pub(crate) fn session(&self) -> Driver {
        let (mut d, _) = self.logged_in();
        d.advance(10);
        self.settle(&mut d);
        d.forget();
        d
    }
}

/// A stanza of the session's own, in words; what is not as XEP-0060 has it panics.
pub(crate) fn say(stanza: &Node) -> String {
    let kind = stanza.attribute("type").unwrap_or_default();
    let to = stanza.attribute("to").unwrap_or("own");
    match &*stanza.local {
        "presence" => return format!("presence {kind} {to}"),
        "message" => {
            let x = stanza.at("x");
            let fields = x.fields();
            assert_eq!(
                (&*x.namespace, x.value("type")),
                ("jabber:x:data", "submit")
            );
            assert_eq!(
                fields["FORM_TYPE"],
                "http://jabber.org/protocol/pubsub#subscribe_authorization"
            );
            assert_eq!(fields["pubsub#node"], "presence");
            return format!(
                "form to {to}: {} {}",
                fields["pubsub#subscriber_jid"], fields["pubsub#allow"]
            );
        }
        _ => {}
    }
    if kind == "result" {
        return format!("result {to}");
    }
    let child = &stanza.children[0];
    match (&*child.namespace, &*child.local, kind) {
        ("jabber:iq:roster", "query", "get") => "get roster".to_owned(),
        ("urn:xmpp:blocking", "blocklist", "get") => "get blocklist".to_owned(),
        ("urn:xmpp:ping", "ping", "get") => format!("ping {to}"),
        (PUBSUB | OWNER, "pubsub", _) => say_pubsub(kind, to, &child.namespace, &child.children[0]),
        other => panic!("{other:?}"),
    }
}

fn say_pubsub(kind: &str, to: &str, namespace: &str, what: &Node) -> String {
    let node = match what.value("node") {
        RECORD => "record",
        node => node,
    };
    let list = |state: &str| -> Vec<String> {
        let item = |item: &Node| format!("{} {}", item.value(state), item.value("jid"));
        what.children.iter().map(item).collect()
    };
    match (namespace, &*what.local, kind, node, to) {
        (PUBSUB, "subscribe" | "unsubscribe", "set", "presence", _) => {
            assert_eq!(what.value("jid"), "juliet@capulet.lit");
            format!("{} {to}", what.local)
        }
        (PUBSUB, "items", "get", "presence", to) => format!("fetch {to}"),
        (PUBSUB, "items", "get", "record", "own") => "get record".to_owned(),
        (PUBSUB, "publish", "set", node, "own") => format!("publish {node}"),
        (PUBSUB, "create", "set", node, "own") => format!("create {node}"),
        (OWNER, "delete", "set", node, "own") => format!("delete {node}"),
        (PUBSUB, "retract", "set", node, "own") => format!("retract {node}"),
        (OWNER, "configure", "get", node, "own") => format!("configure {node}"),
        (OWNER, "affiliations", "get", "presence", "own") => "get members".to_owned(),
        (OWNER, "subscriptions", "get", "presence", "own") => "get subscribers".to_owned(),
        (OWNER, "affiliations", "set", "presence", "own") => {
            format!("affiliation {}", list("affiliation").join(", "))
        }
        (OWNER, "subscriptions", "set", "presence", "own") => {
            format!("subscription {}", list("subscription").join(", "))
        }
        other => panic!("{other:?}"),
    }
}

/// What the session has sent since the last look, in words.
pub(crate) fn said(d: &mut Driver) -> Vec<String> {
    d.server_got().iter().map(say).collect()
}

/// A roster push about one contact, as ejabberd sends it.
pub(crate) fn push(account: &str, state: &str) -> String {
    format!(
        "<iq to='{JULIET}' from='juliet@capulet.lit' type='set' id='push14478737876960819775'>\
         <query xmlns='jabber:iq:roster'><item subscription='{state}' jid='{account}'/></query></iq>"
    )
}

/// A presence of somebody who has a shim.
pub(crate) fn marked(full: &str) -> String {
    format!(
        "<presence from='{full}' to='{JULIET}' id='m1'><shim xmlns='urn:pubshim:0'/></presence>"
    )
}

/// A subscription stanza from a contact.
pub(crate) fn native(from: &str, kind: &str) -> String {
    format!("<presence from='{from}' to='juliet@capulet.lit' type='{kind}'/>")
}

/// Answers an IQ to somebody else.
pub(crate) fn answer(d: &mut Driver, question: &Node, kind: &str, body: &str) {
    let (from, id) = (question.value("to"), question.value("id"));
    d.server(&format!(
        "<iq type='{kind}' from='{from}' to='{JULIET}' id='{id}'>{body}</iq>"
    ));
}

/// An error as ejabberd and Prosody write it.
pub(crate) fn error(kind: &str, condition: &str) -> String {
    format!(
        "<error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    )
}
