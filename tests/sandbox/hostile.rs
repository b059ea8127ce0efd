//! Hostile clients: the sandbox stands, and its output is well-formed XML.

use proptest::prelude::*;
use pubshim::xml::{FrameKind, Framer, Limits as XmlLimits};

use crate::driver::*;
use pubshim::sandbox::Limits;

const NAMES: &[&str] = &[
    "n",
    "",
    "m",
    "a&amp;b",
    "&lt;",
    "juliet@capulet.lit",
    "juliet@capulet.lit/balcony",
    "romeo@montague.lit",
    "romeo@montague.lit/orchard",
    "chat.capulet.lit",
    "capulet.lit",
    "@",
    "/",
    "x@chat.capulet.lit",
    "&#x10FFFF;",
];
const ELEMENTS: &[&str] = &[
    "create",
    "configure",
    "default",
    "delete",
    "purge",
    "subscribe",
    "unsubscribe",
    "options",
    "subscriptions",
    "subscription",
    "affiliations",
    "affiliation",
    "items",
    "item",
    "publish",
    "retract",
    "publish-options",
    "x",
];
const FIELDS: &[&str] = &[
    "pubsub#access_model",
    "pubsub#publish_model",
    "pubsub#max_items",
    "pubsub#persist_items",
    "pubsub#allow",
    "pubsub#deliver_payloads",
    "pubsub#publisher",
    "pubsub#expire",
    "pubsub#tempsub",
    "pubsub#purge_offline",
    "pubsub#notify_config",
    "pubsub#node",
    "FORM_TYPE",
    "roomnick",
    "&lt;&apos;",
];
const VALUES: &[&str] = &[
    "",
    "0",
    "1",
    "true",
    "open",
    "authorize",
    "whitelist",
    "subscribers",
    "max",
    "2",
    "none",
    "subscribed",
    "owner",
    "outcast",
    "publisher",
    "member",
    "presence",
    "romeo@montague.lit",
    "&lt;&apos;&#9;",
    "http://jabber.org/protocol/pubsub#subscribe_authorization",
];

fn one_of(list: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(list)
}

fn a_form() -> impl Strategy<Value = String> {
    let field = (one_of(FIELDS), one_of(VALUES))
        .prop_map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>"));
    let kind = one_of(&["submit", "cancel", "form"]);
    (kind, proptest::collection::vec(field, 0..4)).prop_map(|(kind, fields)| {
        format!(
            "<x xmlns='jabber:x:data' type='{kind}'>{}</x>",
            fields.concat()
        )
    })
}

fn an_element() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        a_form(),
        Just("<p xmlns='urn:test'>x</p>".to_owned()),
        (one_of(ELEMENTS), one_of(NAMES))
            .prop_map(|(name, node)| format!("<{name} node='{node}'/>")),
    ];
    let publish =
        (one_of(&["n", "a&amp;b"]), one_of(&["1", "&lt;&apos;"])).prop_map(|(node, id)| {
            format!("<publish node='{node}'><item id='{id}'><p xmlns='urn:test'/></item></publish>")
        });
    let any = leaf.prop_recursive(3, 8, 3, |inner| {
        let attributes = (one_of(ELEMENTS), one_of(NAMES), one_of(NAMES), one_of(VALUES), one_of(&["1", "x", ""]));
        (attributes, proptest::collection::vec(inner, 0..3)).prop_map(|((name, node, jid, state, id), inner)| {
            format!(
                "<{name} node='{node}' jid='{jid}' subscription='{state}' affiliation='{state}' id='{id}'>{}</{name}>",
                inner.concat()
            )
        })
    });
    prop_oneof![1 => publish, 4 => any]
}

fn a_stanza() -> impl Strategy<Value = String> {
    let to = prop_oneof![4 => Just(CHAT), 2 => Just(JULIET), 1 => one_of(NAMES)];
    let namespace = one_of(&[
        "http://jabber.org/protocol/pubsub",
        "http://jabber.org/protocol/pubsub#owner",
        "http://jabber.org/protocol/disco#items",
    ]);
    let iq = (one_of(&["get", "set", "result"]), to, namespace, proptest::collection::vec(an_element(), 0..3))
        .prop_map(|(kind, to, namespace, content)| {
            let name = if namespace.ends_with("items") { "query" } else { "pubsub" };
            let content = content.concat();
            format!("<iq type='{kind}' id='q' to='{to}'><{name} xmlns='{namespace}'>{content}</{name}></iq>")
        });
    let other = (one_of(&["message", "presence"]), one_of(NAMES), a_form())
        .prop_map(|(name, to, form)| format!("<{name} to='{to}' id='1'>{form}</{name}>"));
    prop_oneof![9 => iq, 1 => other]
}

/// Fails unless all that a client got is well-formed.
fn check(client: &mut Client, stream: &mut String) {
    stream.push_str(&client.seen());
    let mut framer = Framer::new(XmlLimits::AFTER_LOGIN);
    let mut rest = stream.as_bytes();
    while let Some(frame) = framer
        .next(rest)
        .unwrap_or_else(|why| panic!("{why}: {stream}"))
    {
        rest = &rest[frame.len..];
        if frame.kind == FrameKind::Close {
            break;
        }
    }
    assert!(rest.is_empty(), "{stream}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn stanzas(stanzas in proptest::collection::vec((any::<bool>(), a_stanza()), 1..40)) {
        const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
        let world = World::limited(Limits { nodes: 3, items: 2, subscriptions: 3, ..Limits::default() });
        let mut juliet = world.login(JULIET, "balcony");
        let mut romeo = world.login(ROMEO, "orchard");
        juliet.create(JULIET, "n", &[]);
        juliet.create(CHAT, "n", &[("access_model", "open"), ("publish_model", "open")]);
        juliet.create(CHAT, "a&b", &[("access_model", "open"), ("publish_model", "open")]);
        for node in ["n", "a&amp;b"] {
            romeo.subscribe(CHAT, node);
        }
        let mut streams = [HEADER.to_owned(), HEADER.to_owned()];
        for (is_juliet, stanza) in &stanzas {
            let client = if *is_juliet { &juliet } else { &romeo };
            world.0.borrow_mut().handle(client.id, stanza.as_bytes());
        }
        check(&mut juliet, &mut streams[0]);
        check(&mut romeo, &mut streams[1]);
        // The stored text can be read again, and a client that comes back can log in.
        let data = world.data();
        romeo.disconnect();
        world.0.borrow_mut().load(&data).unwrap();
        prop_assert_eq!(world.data(), data);
        world.login(ROMEO, "orchard");
    }

    #[test]
    fn bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), login in any::<bool>()) {
        let world = World::new();
        let client = if login { world.login(JULIET, "balcony") } else { world.connect() };
        world.0.borrow_mut().handle(client.id, &bytes);
    }

    #[test]
    fn logins(text in "(n|y|p=x)?,(a=.{0,5})?,(n=[a-z=,]{0,6},r=.{0,5})?.{0,10}", scram in any::<bool>(), next in ".{0,30}") {
        let mut client = World::new().connect();
        client.open("capulet.lit");
        let mechanism = if scram { "SCRAM-SHA-1" } else { "PLAIN" };
        client.say(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{}</auth>",
            base64(&text)
        ));
        let answer = client.say(&format!(
            "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</response>",
            base64(&next)
        ));
        prop_assert!(!answer.contains("<success"));
    }
}
