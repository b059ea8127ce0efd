//! The client's presence: its native copy and its publish (listings 1 and 3).

use pubshim::session::Policy;

use crate::scenes::*;

#[test]
fn a_verified_node_is_not_looked_at_again() {
    let mut d = published();
    d.client("<presence id='2'><show>away</show></presence>");
    let sent = d.server_got();
    assert_eq!((sent.len(), sent[0].value("id")), (2, "2"));
    assert_eq!(changed(&sent[1]).value("id"), "2");
}

#[test]
fn both_copies_have_the_same_id_whatever_the_client_wrote() {
    for attribute in [" id='given'", " id=''", "", " id='a&amp;&apos;b'"] {
        let mut d = published();
        d.client(&format!(
            "<presence{attribute}><status>x</status></presence>"
        ));
        let sent = d.server_got();
        let id = sent[0].value("id");
        assert!(!id.is_empty());
        assert_eq!(changed(&sent[1]).value("id"), id);
        match attribute {
            " id='given'" => assert_eq!(id, "given"),
            " id='a&amp;&apos;b'" => assert_eq!(id, "a&'b"),
            _ => assert_ne!(id, sent[1].value("id")),
        }
    }
}

#[test]
fn everything_in_a_presence_survives_in_both_copies() {
    let body = "<show>dnd</show><status xml:lang='de'>Ä &lt;&amp;&gt; <![CDATA[</presence>]]></status>\
        <priority>-1</priority><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v='/>\
        <x xmlns='vcard-temp:x:update'><photo/></x><y:z xmlns:y='urn:y' y:a=\"'\"><none xmlns=''/></y:z>\n";
    let mut d = published();
    d.client(&format!(
        "<presence\n own:attr='1' xmlns:own='urn:own' id = \"2\" xml:lang='en'>{body}</presence >"
    ));
    let sent = d.server_bytes();
    assert_eq!(sent.matches(body).count(), 2, "their own bytes");
    let sent = Node::stream(&sent);
    let (native, event) = (&sent[0], changed(&sent[1]));
    assert_eq!(native.attribute("{urn:own}attr"), Some("1"));
    assert_eq!(native.children[..6], event.children[..]);
    let mut attributes = native.attributes.clone();
    attributes.insert("from".to_owned(), JULIET.to_owned());
    assert_eq!(event.attributes, attributes);
}

#[test]
fn the_payload_needs_nothing_from_around_it() {
    let header = "<stream:stream to='capulet.lit' xmlns='jabber:client' xmlns:a='urn:a' xmlns:b='urn:b' \
        xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='fr'>";
    let options = options(Policy::Auto);
    let facts = facts();
    let mut d = Driver::logged_in_with(
        JULIET,
        options,
        header,
        &server_header("capulet.lit"),
        facts,
    );
    d.client("<presence id='1'><a:x a:y='1'/><c:d xmlns:c='urn:c'/><status>b:</status></presence>");
    let native = d.server_bytes();
    let get = Node::stanza(&native[native.find("<iq").unwrap()..]);
    d.result(&get, &ejabberd_node(&[]));
    let publish = d.server_bytes();
    let payload = &publish[publish.find("<presence").unwrap()..publish.find("</item>").unwrap()];
    let alone = Node::document(payload);
    assert_eq!(
        (&*alone.namespace, &*alone.local),
        ("jabber:client", "presence")
    );
    assert_eq!(
        alone.value("{http://www.w3.org/XML/1998/namespace}lang"),
        "fr"
    );
    assert_eq!(alone.children[0].namespace, "urn:a");
    assert_eq!(alone.children[0].value("{urn:a}y"), "1");
    assert_eq!(alone.children[1].namespace, "urn:c");
    assert!(!payload.contains("urn:b"), "not used");
}

#[test]
fn a_presence_with_a_prefix_is_published_as_what_it_means() {
    let mut d = published();
    d.client(
        "<c:presence xmlns:c='jabber:client' c:from='x' id='2'><c:show>away</c:show></c:presence>",
    );
    let sent = d.server_got();
    assert_eq!(sent[0].names(), ["show", "shim"]);
    let event = changed(&sent[1]);
    assert_eq!(
        (&*event.namespace, event.value("from")),
        ("jabber:client", JULIET)
    );
    assert_eq!(event.children[0].namespace, "jabber:client");
}

#[test]
fn the_from_of_the_payload_is_the_full_address() {
    for from in ["juliet@capulet.lit", "romeo@montague.lit/mobile", ""] {
        let mut d = published();
        d.client(&format!("<presence from='{from}' id='2'/>"));
        let sent = d.server_got();
        assert_eq!(changed(&sent[1]).value("from"), JULIET);
    }
}

#[test]
fn a_resource_with_odd_characters_stays_what_it_is() {
    let mut d = Driver::auto("juliet@capulet.lit/a@b/&apos;&lt;&amp;&quot;ü");
    d.client("<presence/>");
    let get = d.one_behind_presence();
    let id = get.value("id");
    d.server(&format!(
        "<iq type='result' id='{id}'>{}</iq>",
        ejabberd_node(&[])
    ));
    let iq = d.one_to_server();
    assert_eq!(changed(&iq).value("from"), "juliet@capulet.lit/a@b/'<&\"ü");
    assert_eq!(iq.at("pubsub/publish/item").value("id"), "a@b/'<&\"ü");
}

#[test]
fn presence_that_is_no_broadcast_passes() {
    for stanza in [
        "<presence to='romeo@montague.lit'/>",
        "<presence to='room@muc.shakespeare.lit/J'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
        "<presence to='romeo@montague.lit' type='unavailable'/>",
        "<presence to='romeo@montague.lit' type='subscribe'/>",
        "<presence type='probe'/>",
        "<presence type='error'/>",
        "<presence type='subscribe'/>",
    ] {
        let mut d = published();
        d.client_passes(stanza);
    }
}

#[test]
fn pure_sends_no_native_presence() {
    let mut d = Driver::logged_in(JULIET, options(Policy::Pure));
    d.client("<presence id='1'><status>Moping</status></presence>");
    let iq = ready(&mut d);
    assert_eq!(changed(&iq).value("id"), "1");
    d.result(&iq, "");
    d.client("<presence id='2' type='unavailable'/>");
    d.client("</stream:stream>");
    let sent = d.server_bytes();
    let sent = Node::stream(sent.strip_suffix("</stream:stream>").unwrap());
    assert!(sent.iter().all(|stanza| stanza.local == "iq"), "{sent:#?}");
    assert!(!format!("{sent:?}").contains("shim"));
}

#[test]
fn an_invisible_client_publishes_nothing_more() {
    let mut d = published();
    d.client("<presence type='invisible'/>");
    let sent = d.server_got();
    assert_eq!(changed(&sent[0]).value("type"), "unavailable");
    assert!(sent[1].has("pubsub/retract"));
    assert_eq!(sent[2], Node::stanza("<presence type='invisible'/>"));
    d.client_passes("</stream:stream>");
}
