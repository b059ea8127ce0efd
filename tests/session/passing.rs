//! Stanzas that are not translated pass byte for byte and in order.

use pubshim::session::{Function, Input, Leg, Options, Policy, ServerFacts};

use crate::scenes::*;

/// Odd but good XML: quoting, CDATA, prefixes, references, empty elements, languages, other scripts.
const ODD: &[&str] = &[
    "<message to=\"romeo@montague.lit\" type='chat'  id = 'a&#x27;b' ><body>a &lt;b&gt; &amp; c</body></message >",
    "<message><body><![CDATA[<presence/> ]] > &amp;]]></body></message>",
    "<c:message xmlns:c='jabber:client'><c:body xml:lang=\"de\">\u{1F600} Grüße</c:body></c:message>",
    "<iq type='get' id='1'><q:query xmlns:q='jabber:iq:roster' q:ver=''/></iq>",
    "<message\n\t to='a@b'\r\n>\n<body/>\n<body></body>\n</message>",
    "<presence to='room@muc.shakespeare.lit/nick'><x xmlns='urn:example#muc'/></presence>",
    "<presence to='romeo@montague.lit' type='subscribe'/>",
    "<presence type='probe' to='romeo@montague.lit'/>",
    "<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='presence'/></pubsub></iq>",
    "<iq type='result' id='ps-not-ours'/>",
    "<message><event xmlns='urn:example#event'><items node='presence'/></event></message>",
    "<message type='error'><a a='>' b=\">'\"/></message>",
];

/// Under `pure` nothing but pubsub leaves.
const POLICIES: [Policy; 2] = [Policy::Auto, Policy::Off];

#[test]
fn stanzas_pass_byte_for_byte_and_in_order() {
    for policy in POLICIES {
        let mut d = Driver::logged_in(JULIET, options(policy));
        for stanza in ODD {
            d.client(stanza);
            assert_eq!(d.server_bytes(), *stanza);
            d.server(stanza);
            assert_eq!(d.client_bytes(), *stanza);
        }
        let all = ODD.concat();
        d.client(&all);
        d.server(&all);
        assert_eq!((d.server_bytes(), d.client_bytes()), (all.clone(), all));
        assert_eq!(d.events(), []);
    }
}

#[test]
fn any_cut_gives_the_same() {
    let all = ODD.concat();
    for size in [1, 2, 3, 7, 64, 100] {
        let mut d = Driver::auto(JULIET);
        for piece in all.as_bytes().chunks(size) {
            d.input(Input::Bytes(Leg::Client, piece));
            d.input(Input::Bytes(Leg::Server, piece));
        }
        assert_eq!(
            (d.server_bytes(), d.client_bytes()),
            (all.clone(), all.clone())
        );
    }
}

#[test]
fn white_space_keeps_alive_on_both_sides() {
    for policy in POLICIES {
        let mut d = Driver::logged_in(JULIET, options(policy));
        for space in [" ", "\n", "\r\n\t "] {
            d.client_passes(space);
            d.server_passes(space);
        }
        d.client_passes(" <message/>\n<message/> ");
    }
}

#[test]
fn prefixes_of_the_stream_header_mean_the_same_on_both_legs() {
    let client = "<stream:stream to='capulet.lit' xmlns='jabber:client' xmlns:a='urn:a' \
        xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
    let server = "<stream:stream from='capulet.lit' id='1' xmlns='jabber:client' xmlns:b='urn:b' \
        xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
    let facts = ServerFacts::default();
    let mut d = Driver::logged_in_with(
        JULIET,
        options(Policy::Auto),
        client,
        &server.replace("xmlns:b='urn:b' ", ""),
        facts,
    );
    d.client_passes("<message><a:x/></message>");
    d.server("<message><a:x/></message>");
    d.assert_refused("reset");
    assert!(d.server_bytes().contains("<bad-namespace-prefix "));
}

#[test]
fn off_adds_and_drops_nothing() {
    let stanzas = "<presence/><presence type='unavailable'/><inactive xmlns='urn:xmpp:csi:0'/>";
    let event = "<message from='romeo@montague.lit' to='juliet@capulet.lit'><event \
        xmlns='http://jabber.org/protocol/pubsub#event'><items node='presence'><item>\
        <presence xmlns='jabber:client' from='romeo@montague.lit/mobile'/></item></items></event></message>\
        <presence from='romeo@montague.lit/mobile'><shim xmlns='urn:pubshim:0'/></presence>";
    let mut d = Driver::logged_in(JULIET, options(Policy::Off));
    d.client(stanzas);
    d.server(event);
    assert_eq!(
        (d.server_bytes(), d.client_bytes()),
        (stanzas.to_owned(), event.to_owned())
    );
    d.client_passes("</stream:stream>");
}

#[test]
fn native_presence_is_not_touched() {
    let options = Options {
        native: vec![Function::Presence],
        ..options(Policy::Auto)
    };
    let mut d = Driver::logged_in(JULIET, options);
    let stanzas =
        "<presence id='1'><status>Moping</status></presence><presence type='unavailable'/>";
    d.client_passes(stanzas);
    let event = "<message from='romeo@montague.lit' to='juliet@capulet.lit'><event \
        xmlns='http://jabber.org/protocol/pubsub#event'><items node='presence'><item>\
        <presence xmlns='jabber:client' from='romeo@montague.lit/mobile'/></item></items></event></message>";
    d.server_passes(event);
    // Other shims' markers are still not the client's.
    d.server("<presence from='romeo@montague.lit/mobile'><shim xmlns='urn:pubshim:0'/></presence>");
    assert!(!d.client_bytes().contains("shim"));
    d.client_passes("</stream:stream>");
}

#[test]
fn restricted_xml_after_login_ends_the_session() {
    for (bad, condition) in [
        ("<!-- x -->", "restricted-xml"),
        ("<message><?x?></message>", "restricted-xml"),
        ("<message>&nbsp;</message>", "restricted-xml"),
        ("<message><a></b></message>", "not-well-formed"),
        ("<message a='1' a='2'/>", "not-well-formed"),
        ("<message>\u{1}</message>", "not-well-formed"),
        ("<message><p:a/></message>", "bad-namespace-prefix"),
        ("text", "bad-format"),
        ("<![CDATA[x]]>", "bad-format"),
    ] {
        let mut d = Driver::auto(JULIET);
        d.client(&format!("<message/>{bad}<message/>"));
        let sent = d.assert_refused(condition);
        assert_eq!(sent.matches("<stream:stream").count(), 0, "{sent}");
        assert_eq!(d.server_bytes(), "<message/></stream:stream>", "{bad}");

        let mut d = Driver::auto(JULIET);
        d.server(&format!("<message/>{bad}<message/>"));
        let sent = d.assert_refused("reset");
        assert!(sent.starts_with("<message/><stream:error>"), "{sent}");
        let sent = d.server_bytes();
        assert!(
            sent.starts_with(&format!("<stream:error><{condition} ")),
            "{sent}"
        );
        assert!(sent.ends_with("</stream:error></stream:stream>"), "{sent}");
        assert!(d.session.is_closed());
    }
    let mut d = Driver::auto(JULIET);
    d.input(Input::Bytes(Leg::Client, b"<message>\xC0\x80</message>"));
    d.assert_refused("unsupported-encoding");
}
