//! Events on contacts' nodes become presence (listings 4 and 2).

use pubshim::session::{Dropped, Policy};

use crate::scenes::*;

#[test]
fn the_clients_address_replaces_the_one_in_the_payload() {
    let payload = payload(JULIET, "1", "").replace(" id=", " to='evil@evil.lit' id=");
    let mut d = romeo();
    d.server(&event_of(JULIET, &payload));
    assert_eq!(d.one_to_client().value("to"), ROMEO);
}

#[test]
fn a_payload_keeps_its_bytes() {
    let inner = "<show>dnd</show>  <status xml:lang='de'>Ä&#x2014;<![CDATA[<x>]]></status>\
        <y:z xmlns:y=\"urn:y\" y:a = '&quot;'/><none xmlns=''/>\n";
    let mut d = romeo();
    d.server(&event_of(
        JULIET,
        &payload(JULIET, "1", inner).replace(" id=", " own:a='1' xmlns:own='urn:own' id="),
    ));
    let sent = d.client_bytes();
    assert_has(&sent, inner);
    let got = Node::stanza(&sent);
    assert_eq!(got.value("{urn:own}a"), "1");
    assert_eq!(got.value("id"), "1");
}

#[test]
fn a_payload_takes_what_it_inherits_along() {
    let mut d = romeo();
    d.server(&format!(
        "<message from='juliet@capulet.lit' to='romeo@montague.lit' xmlns:m='urn:m' xml:lang='it'>\
         <p:event xmlns:p='{EVENT}' xmlns:m2='urn:wrong'><p:items node='presence' xmlns:m2='urn:m2'>\
         <p:item><presence from='{JULIET}' id='1'><m:x m2:y='1'/></presence></p:item></p:items></p:event></message>"
    ));
    let got = d.one_to_client();
    assert_eq!(got.children[0].namespace, "urn:m");
    assert_eq!(got.children[0].value("{urn:m2}y"), "1");
    assert_eq!(
        got.value("{http://www.w3.org/XML/1998/namespace}lang"),
        "it"
    );
}

#[test]
fn what_is_no_single_presence_is_dropped() {
    let good = payload(JULIET, "1", "");
    for inner in [
        String::new(),
        format!("{good}{good}"),
        format!("{good}<x xmlns='urn:x'/>"),
        good.replace("jabber:client", "jabber:server"),
        good.replace("presence", "message"),
        format!("<presence from='{JULIET}'/>"),
        format!("<x xmlns='urn:x'>{good}</x>"),
        "text".to_owned(),
    ] {
        assert_dropped(&event_of(JULIET, &inner), Dropped::WrongPayload);
    }
}

#[test]
fn what_is_no_event_of_an_account_passes_untouched() {
    let good = event_of(JULIET, &payload(JULIET, "1", ""));
    let from = "from='juliet@capulet.lit' type";
    for other in [
        good.replace(from, "from='juliet@capulet.lit/balcony' type"),
        good.replace(from, "from='capulet.lit' type"),
        good.replace(from, "from='pubsub.capulet.lit' type"),
        good.replace("type='headline'", "type='error'"),
        good.replace("node='presence'", "node='urn:xmpp:avatar:metadata'"),
        good.replace("node='presence'", "node='presence2'"),
        good.replace(EVENT, "urn:example#event"),
        good.replace(
            &format!("<event xmlns='{EVENT}'>"),
            &format!("<x xmlns='urn:x'><event xmlns='{EVENT}'>"),
        )
        .replace("</event>", "</event></x>"),
    ] {
        let mut d = romeo();
        d.server_passes(&other);
        assert_eq!(d.server_bytes(), "");
    }
}

#[test]
fn pure_shows_events_the_same_way() {
    let mut d = Driver::logged_in(ROMEO, options(Policy::Pure));
    d.client("<presence/>");
    subscribe_to(&mut d, "juliet@capulet.lit");
    d.server(&event_of(
        JULIET,
        &payload(JULIET, "1", "<show>away</show>"),
    ));
    let got = d.one_to_client();
    assert_eq!((got.value("from"), got.value("to")), (JULIET, ROMEO));
}

#[test]
fn of_the_accounts_own_resources_native_presence_tells() {
    let mut d = Driver::auto(ROMEO);
    d.keep(Question::Roster);
    let other = "romeo@montague.lit/pda";
    let event = event_of(other, &payload(other, "1", ""));
    // Prosody sends nothing but `to` there.
    let without_from = event.replace(" from='romeo@montague.lit' type", " type");
    let own = event_of(ROMEO, &payload(ROMEO, "2", ""));
    for event in [event, without_from, own] {
        d.server(&event);
        assert_eq!(d.client_bytes() + &d.server_bytes(), "", "{event}");
        assert_eq!(d.dropped(), [Dropped::Seen]);
    }
}

#[test]
fn the_marker_never_reaches_the_client() {
    let marker = "<shim xmlns='urn:pubshim:0'/>";
    for policy in [Policy::Auto, Policy::Pure] {
        for (before, after) in [
            (format!("<presence from='{JULIET}' to='{ROMEO}' id='1'>{marker}</presence>"), format!("<presence from='{JULIET}' to='{ROMEO}' id='1'></presence>")),
            (
                format!("<presence type='error' from='bard@shakespeare.lit'><show>away</show>{marker}<error type='cancel'/></presence>"),
                "<presence type='error' from='bard@shakespeare.lit'><show>away</show><error type='cancel'/></presence>".to_owned(),
            ),
            (
                format!("<presence from='{JULIET}'>{marker}<status>a</status>{marker}</presence>"),
                format!("<presence from='{JULIET}'><status>a</status></presence>"),
            ),
            (
                format!("<presence from='{JULIET}' type='unavailable'><p:shim xmlns:p='urn:pubshim:0'>x</p:shim> </presence>"),
                format!("<presence from='{JULIET}' type='unavailable'> </presence>"),
            ),
        ] {
            let mut d = Driver::logged_in(ROMEO, options(policy));
            d.server(&before);
            assert_eq!(Node::stanza(&d.client_bytes()), Node::stanza(&after));
        }
    }
}

#[test]
fn what_only_looks_like_the_marker_stays() {
    for presence in [
        format!(
            "<presence from='{JULIET}'><x xmlns='urn:x'><shim xmlns='urn:pubshim:0'/></x></presence>"
        ),
        format!("<presence from='{JULIET}'><shim xmlns='urn:pubshim:1'/></presence>"),
        format!("<presence from='{JULIET}'><status>urn:pubshim:0</status></presence>"),
        format!("<presence from='{JULIET}'><other xmlns='urn:pubshim:0'/></presence>"),
    ] {
        let mut d = Driver::auto(ROMEO);
        d.keep(Question::Roster);
        d.server_passes(&presence);
    }
}
