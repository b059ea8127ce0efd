//! Items of resources that are gone, and pings that tell who is there.

use std::time::Duration;

use pubshim::session::Input;

use crate::scenes::*;

/// A session that has published once and asked for its account's items; the request.
fn searching() -> (Driver, Node) {
    let mut d = Driver::auto(JULIET);
    d.client("<presence id='1'/>");
    let publish = ready(&mut d);
    d.keep_all();
    d.result(&publish, "");
    let search = d.one_to_server();
    assert_eq!(search.at("pubsub/items").value("node"), "presence");
    (d, search)
}

fn items(resources: &[&str]) -> String {
    let items: String = resources
        .iter()
        .map(|resource| {
            format!(
                "<item id='{resource}'><presence xmlns='jabber:client' from='juliet@capulet.lit/{resource}'/></item>"
            )
        })
        .collect();
    format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='presence'>{items}</items></pubsub>"
    )
}

#[test]
fn an_item_of_a_resource_that_is_gone_is_taken_away() {
    for gone in [
        "service-unavailable",
        "item-not-found",
        "recipient-unavailable",
    ] {
        let (mut d, search) = searching();
        d.result(&search, &items(&["balcony", "tomb"]));
        let ping = d.one_to_server();
        assert_eq!(ping.value("to"), "juliet@capulet.lit/tomb");
        assert_eq!(ping.at("ping").namespace, "urn:xmpp:ping");
        assert_eq!(ping.at("ping/shim").namespace, "urn:pubshim:0");
        d.server(&format!(
            "<iq type='error' from='juliet@capulet.lit/tomb' id='{}'><error type='cancel'>\
             <{gone} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
            ping.value("id")
        ));
        let retract = d.one_to_server();
        let retract = retract.at("pubsub/retract");
        assert_eq!(retract.value("node"), "presence");
        assert_eq!(retract.at("item").value("id"), "tomb");
        assert!(retract.attribute("notify").is_none());
        assert_eq!(d.client_bytes(), "");
    }
}

#[test]
fn only_the_resource_itself_can_say_that_it_is_gone() {
    let (mut d, search) = searching();
    d.result(&search, &items(&["tomb"]));
    let ping = d.one_to_server();
    d.server(&format!(
        "<iq type='error' from='romeo@montague.lit/x' id='{}'><error type='cancel'>\
         <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
        ping.value("id")
    ));
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn what_is_no_item_of_a_shim_is_left_alone() {
    let (mut d, search) = searching();
    d.result(
        &search,
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='presence'>\
         <item id='current'><presence xmlns='jabber:client' from='juliet@capulet.lit/other'/></item>\
         <item id='x'><tune xmlns='http://jabber.org/protocol/tune'/></item><item/></items></pubsub>",
    );
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn the_search_is_made_once_and_may_fail() {
    let (mut d, search) = searching();
    d.error(&search, "cancel", "item-not-found");
    d.client("<presence><show>away</show></presence>");
    let sent = d.server_got();
    d.result(&sent[1], "");
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn a_shims_ping_is_answered_for_the_client() {
    let mut d = Driver::auto(JULIET);
    let ping = |from: &str, to: &str| {
        format!(
            "<iq type='get'{from} to='{to}' id='p'><ping xmlns='urn:xmpp:ping'>\
             <shim xmlns='urn:pubshim:0'/></ping></iq>"
        )
    };
    // Until the client sends presence, an item with its resource is a leftover of an earlier session.
    let mut early = Driver::auto(JULIET);
    early.server(&ping(" from='romeo@montague.lit/mobile'", JULIET));
    assert!(early.one_to_server().has("error/service-unavailable"));
    early.server(&ping(&format!(" from='{JULIET}'"), JULIET));
    assert_eq!(
        early.one_to_server().value("type"),
        "result",
        "but to itself"
    );

    d.client("<presence/>");
    d.forget();
    for from in [
        "romeo@montague.lit/mobile",
        "room@muc.shakespeare.lit/nick",
        "juliet@capulet.lit/other",
    ] {
        d.server(&ping(&format!(" from='{from}'"), JULIET));
        assert_eq!(
            d.server_bytes(),
            format!("<iq type='result' id='p' to='{from}'/>")
        );
        assert_eq!(d.client_bytes(), "");
    }
    // The own server wants to know whether the client is there: that is the client's to answer.
    for from in ["", " from='capulet.lit'", " from='juliet@capulet.lit'"] {
        let ping = ping(from, JULIET);
        d.server_passes(&ping);
        assert_eq!(d.server_bytes(), "");
    }
}

#[test]
fn everybody_elses_ping_is_the_clients() {
    let mut d = Driver::auto(JULIET);
    // A client that is not available may be in a room, so its pings pass, too.
    for presence in [
        "<presence to='room@muc.shakespeare.lit/jule'/>",
        "<presence/>",
    ] {
        d.client(presence);
        d.forget();
        for from in [
            "romeo@montague.lit/mobile",
            "room@muc.shakespeare.lit/nick",
            "juliet@capulet.lit/other",
            JULIET,
        ] {
            let ping = format!(
                "<iq type='get' from='{from}' to='{JULIET}' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"
            );
            d.server_passes(&ping);
            assert_eq!(d.server_bytes(), "");
        }
    }
}

/// Pings are answered as the server's leg bears it: whether one is answered at once hangs on fractions of a
/// second. (The recording replays: see `Driver`.)
#[test]
fn answers_that_wait_for_their_turn() {
    let mut d = Driver::auto(JULIET);
    let ping = |n| {
        format!(
            "<iq type='get' from='romeo@montague.lit/x' to='{JULIET}' id='p{n}'>\
             <ping xmlns='urn:xmpp:ping'><shim xmlns='urn:pubshim:0'/></ping></iq>"
        )
    };
    let waits = (0..1000).find(|n| {
        d.server(&ping(*n));
        d.server_bytes().is_empty()
    });
    assert!(waits.is_some());
    d.now = d.session.timeout().expect("something is waited for");
    d.input(Input::Timeout);
    assert_ne!(d.server_bytes(), "");
    d.now += Duration::from_millis(900);
    d.server(&ping(1000));
    assert_ne!(d.server_bytes(), "");
}
