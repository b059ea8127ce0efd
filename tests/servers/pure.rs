//! Two people with slixmpp on a server that has nothing but pubsub: the scenarios of `tests/pure`, once with real
//! sockets.

use pubshim::sandbox::Config;
use serde_json::json;

use crate::puppet::{Event, Puppet};
use crate::running::Running;
use crate::server::{sandbox_account, sandbox_entry};
use crate::shim::Shim;
use crate::tap::Tap;

const JULIET: &str = "juliet@capulet.lit";
const ROMEO: &str = "romeo@montague.lit";

/// A shim of its own before the sandbox.
fn shim(tap: &Tap) -> Shim {
    let server = format!("plain://{}", tap.address);
    Shim::run(&["--server", &server, "--policy", "pure"])
}

/// Asks for the roster, then sends presence.
fn come_online(person: &Puppet, status: &str) {
    person.send(json!({"cmd": "roster"}));
    person.wait("the roster", |it| {
        it.kind == "iq" && it.type_ == "result" && it.xml.contains("jabber:iq:roster")
    });
    person.available(status);
}

fn tell(person: &Puppet, to: &str, kind: &str) {
    person.send(json!({"cmd": "presence", "to": to, "type": kind}));
}

/// One asks, the other approves, and is seen.
fn subscribe(asks: &Puppet, approves: &Puppet) {
    tell(asks, &approves.bare, "subscribe");
    approves.wait("a request", |it| {
        it.is_presence_from(&asks.bare, "subscribe")
    });
    tell(approves, &asks.bare, "subscribed");
    asks.wait("an approval", |it| {
        it.is_presence_from(&approves.bare, "subscribed")
    });
    asks.wait("the contact", |it| it.is_presence_from(&approves.full, ""));
}

fn set_item(person: &Puppet, item: &str) -> Event {
    let payload = format!("<query xmlns='jabber:iq:roster'>{item}</query>");
    person.ask("set", None, &payload)
}

fn is_push_with(event: &Event, part: &str) -> bool {
    event.kind == "iq" && event.type_ == "set" && event.xml.contains(part)
}

#[test]
fn two_people_on_nothing_but_pubsub() {
    // Without compression, so that the tap can read the stream.
    let sandbox = Running::start(Config {
        domains: vec!["capulet.lit".to_owned(), "montague.lit".to_owned()],
        accounts: [JULIET, ROMEO]
            .map(|it| (it.to_owned(), "secret".to_owned()))
            .into(),
        ..Config::default()
    });
    let tap = Tap::before(sandbox.address);
    let (first, second, third) = (shim(&tap), shim(&tap), shim(&tap));
    let juliet = Puppet::login(&first.entry(), &sandbox_account(JULIET), "balcony");
    let romeo = Puppet::login(&second.entry(), &sandbox_account(ROMEO), "mobile");
    come_online(&juliet, "Here");
    come_online(&romeo, "Here");
    subscribe(&juliet, &romeo);
    subscribe(&romeo, &juliet);

    // Each change once.
    juliet.available("Moping");
    romeo.available("Away");
    romeo.wait_for_status(&juliet, "Moping");
    juliet.wait_for_status(&romeo, "Away");
    for (sees, other, status) in [(&romeo, &juliet, "Moping"), (&juliet, &romeo, "Away")] {
        let seen = sees.seen_before_next_of(other);
        let count = seen
            .iter()
            .filter(|it| it.is_status_of(&other.full, status))
            .count();
        assert_eq!(count, 1, "{seen:#?}");
        let asked = seen
            .iter()
            .filter(|it| it.is_presence_from(&other.bare, "subscribe"));
        assert_eq!(asked.count(), 1);
        assert!(!seen.iter().any(|it| it.kind == "message"), "{seen:#?}");
    }

    // Names and groups reach another client behind another shim.
    set_item(
        &juliet,
        "<item jid='romeo@montague.lit' name='Romeo'><group>Friends</group></item>",
    );
    let other = Puppet::login(&third.entry(), &sandbox_account(JULIET), "garden");
    other.send(json!({"cmd": "roster"}));
    let roster = other.wait("the roster", |it| {
        it.kind == "iq" && it.xml.contains("jabber:iq:roster")
    });
    for part in [
        "romeo@montague.lit",
        "name=\"Romeo\"",
        "subscription=\"both\"",
        "<group>Friends</group>",
    ] {
        assert!(roster.xml.contains(part), "no {part} in {}", roster.xml);
    }
    other.available("Also here");
    romeo.wait_for_status(&other, "Also here");
    set_item(&other, "<item jid='romeo@montague.lit' name='R.'/>");
    juliet.wait("the push", |it| is_push_with(it, "name=\"R.\""));

    // Romeo removes Juliet.
    let raw = Puppet::login(&sandbox_entry(&sandbox), &sandbox_account(JULIET), "raw");
    set_item(
        &romeo,
        "<item jid='juliet@capulet.lit' subscription='remove'/>",
    );
    for client in [&juliet, &other] {
        client.wait("the end", |it| it.is_presence_from(ROMEO, "unsubscribed"));
        client.wait_for_unavailable(&romeo);
    }
    let checker = Puppet::login(&sandbox_entry(&sandbox), &sandbox_account(ROMEO), "checker");
    let list = checker.ask(
        "get",
        None,
        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><subscriptions node='presence'/></pubsub>",
    );
    assert!(!list.xml.contains(JULIET), "{}", list.xml);
    romeo.available("Unseen");
    // The status is on Romeo's node when the checker sees it there.
    crate::people::wait_for_items(&checker, "the status", |items| items.contains("Unseen"));
    for client in [&juliet, &other, &raw] {
        let seen = client.seen_before_next_of(&checker);
        assert!(
            !seen.iter().any(|it| it.xml.contains("Unseen")),
            "{seen:#?}"
        );
    }

    // The server got pubsub requests and forms alone.
    let stanzas = tap.stanzas();
    let forms = stanzas.iter().filter(|it| it.local == "message").count();
    assert_eq!(forms, 2, "the two approvals");
    for stanza in &stanzas {
        let is_form = || {
            stanza.names() == ["x"]
                && stanza.fields()["FORM_TYPE"]
                    == "http://jabber.org/protocol/pubsub#subscribe_authorization"
        };
        assert!(
            stanza.local == "iq" || stanza.local == "message" && is_form(),
            "{stanza:#?}"
        );
        assert!(
            !stanza
                .children
                .iter()
                .any(|it| it.namespace == "jabber:iq:roster"),
            "{stanza:#?}"
        );
    }
}
