//! Going offline in any way publishes it once and takes the item away.

use pubshim::session::{Input, Leg, Policy};

use crate::scenes::*;

const CLOSE: &str = "</stream:stream>";

/// Asserts that the presence is published as unavailable and then retracted, and nothing else.
#[track_caller]
fn assert_goes_offline(sent: &[Node]) {
    assert_eq!(sent.len(), 2, "{sent:#?}");
    let event = changed(&sent[0]);
    event.assert_values(&[("from", JULIET), ("type", "unavailable")]);
    assert!(!event.value("id").is_empty());
    let item = sent[0].at("pubsub/publish/item");
    assert_eq!(item.value("id"), "balcony");
    assert!(
        sent[0]
            .at("pubsub/publish-options")
            .fields()
            .contains_key("pubsub#access_model")
    );
    let retract = sent[1].at("pubsub/retract");
    assert_eq!(
        (sent[1].value("type"), retract.value("node")),
        ("set", "presence")
    );
    assert_eq!(retract.at("item").value("id"), "balcony");
}

#[test]
fn unavailable_is_published_once_and_taken_away() {
    let mut d = published();
    d.client("<presence type='unavailable' id='u'><status>Bye</status></presence>");
    let sent = d.server_got();
    let native = &sent[0];
    native.assert_values(&[("type", "unavailable"), ("id", "u")]);
    assert_eq!(native.names(), ["status", "shim"]);
    assert_goes_offline(&sent[1..]);
    assert_eq!(changed(&sent[1]).value("id"), "u");
    assert_eq!(changed(&sent[1]).at("status").text, "Bye");
    d.client(CLOSE);
    assert_eq!(d.server_bytes(), CLOSE, "it was said already");
}

#[test]
fn every_way_of_leaving_publishes_it() {
    type Way = fn(&mut Driver);
    let ways: [(&str, Way); 6] = [
        ("close", |d| d.client(CLOSE)),
        ("cut", |d| d.input(Input::Eof(Leg::Client))),
        ("shutdown", |d| d.input(Input::Shutdown)),
        ("bad xml", |d| d.client("<!-- -->")),
        ("unknown element", |d| {
            d.client("<weather xmlns='urn:example'/>");
        }),
        ("close in the middle", |d| {
            d.client("<message><body>");
            d.input(Input::Eof(Leg::Client));
        }),
    ];
    for (name, leave) in ways {
        for policy in [Policy::Auto, Policy::Pure] {
            let mut d = published_with(policy);
            leave(&mut d);
            let sent = d.server_bytes();
            let sent = sent
                .strip_suffix(CLOSE)
                .unwrap_or_else(|| panic!("{name}: {sent}"));
            assert_goes_offline(&Node::stream(sent));
            d.server(CLOSE);
            assert_eq!(d.server_bytes(), "");
            assert!(d.session.is_closed(), "{name}");
        }
    }
}

#[test]
fn nothing_is_published_by_who_was_never_available() {
    for first in ["", "<presence to='romeo@montague.lit'/>", "<message/>"] {
        let mut d = Driver::auto(JULIET);
        d.client(first);
        d.forget();
        d.client_passes(CLOSE);
    }
    let mut d = Driver::auto(JULIET);
    d.client("<presence type='unavailable'/>");
    let native = d.one_to_server();
    assert_eq!(native.value("type"), "unavailable");
}

#[test]
fn a_cut_while_the_node_is_set_up_publishes_nothing() {
    let mut d = Driver::auto(JULIET);
    d.client("<presence/>");
    let get = d.one_behind_presence();
    d.input(Input::Eof(Leg::Client));
    assert_eq!(d.server_bytes(), CLOSE);
    d.result(&get, &ejabberd_node(&[]));
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn who_leaves_while_the_node_is_set_up_is_not_published() {
    let mut d = Driver::auto(JULIET);
    d.client("<presence/>");
    let get = d.one_behind_presence();
    d.client("<presence type='unavailable'/>");
    assert_eq!(d.one_to_server().local, "presence");
    d.result(&get, &ejabberd_node(&[]));
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn a_change_that_waits_is_not_published_behind_unavailable() {
    let mut d = published();
    d.client("<presence id='2'/><presence id='3'/>");
    let publish = d
        .server_got()
        .into_iter()
        .find(|s| s.local == "iq")
        .unwrap();
    d.client("<presence type='unavailable' id='u'/>");
    assert_goes_offline(&d.server_got()[1..]);
    d.result(&publish, "");
    assert_eq!(d.server_bytes(), "", "3 is history");
}

#[test]
fn available_again_is_published_again() {
    let mut d = published();
    d.client("<presence type='unavailable'/>");
    d.forget();
    d.client("<presence id='again'/>");
    let sent = d.server_got();
    assert_eq!(changed(&sent[1]).value("id"), "again");
    assert_eq!(changed(&sent[1]).attribute("type"), None);
    d.client(CLOSE);
    let sent = d.server_bytes();
    assert_goes_offline(&Node::stream(sent.strip_suffix(CLOSE).unwrap()));
}

#[test]
fn the_answer_to_an_old_publish_is_not_taken_for_a_new_one() {
    let mut d = Driver::auto(JULIET);
    d.client("<presence id='1'/>");
    let first = ready(&mut d);
    d.client("<presence type='unavailable'/><presence id='2'/>");
    let second = d.server_got().pop().expect("its publish");
    assert_eq!(changed(&second).value("id"), "2");
    d.result(&first, "");
    d.client("<presence id='3'/>");
    let sent = d.server_got();
    assert_eq!(sent.len(), 1, "2 is in flight: {sent:#?}");
    d.result(&second, "");
    assert_eq!(changed(&d.one_to_server()).value("id"), "3");
}

#[test]
fn who_comes_and_goes_often_is_still_published() {
    let mut d = published();
    for _ in 0..100 {
        d.client("<presence type='unavailable'/><presence id='x'/>");
    }
    let sent = d.server_got();
    for iq in sent.iter().filter(|stanza| stanza.local == "iq") {
        d.result(iq, "");
    }
    for iq in d.server_got() {
        d.result(&iq, "");
    }
    d.forget();
    d.client("<presence id='last'/>");
    let sent = d.server_got();
    assert_eq!(sent.len(), 2, "{sent:#?}");
    assert_eq!(changed(&sent[1]).value("id"), "last");
    d.client(CLOSE);
    let sent = d.server_bytes();
    assert_goes_offline(&Node::stream(sent.strip_suffix(CLOSE).unwrap()));
}

#[test]
fn the_last_word_is_unavailable_even_without_any_answer() {
    let mut d = published();
    for _ in 0..100 {
        d.client("<presence id='x'/><presence type='unavailable'/>");
    }
    d.client("<presence id='y'/>");
    d.client(CLOSE);
    let sent = d.server_bytes();
    let sent = Node::stream(sent.strip_suffix(CLOSE).unwrap());
    let last = sent
        .iter()
        .rfind(|stanza| stanza.has("pubsub/publish"))
        .unwrap();
    assert_eq!(changed(last).value("type"), "unavailable");
    assert!(
        sent.iter()
            .rfind(|s| s.local == "iq")
            .unwrap()
            .has("pubsub/retract")
    );
}

#[test]
fn unavailable_does_not_leak_to_a_node_in_doubt() {
    let mut d = published();
    d.client("<presence id='2'/>");
    let publish = d.one_behind_presence();
    d.error(&publish, "cancel", "conflict");
    d.forget();
    d.client("<presence type='unavailable' id='u'/>");
    // The access model that was verified goes along, so that a changed node is a conflict again.
    for iq in d.server_got().iter().filter(|iq| iq.has("pubsub/publish")) {
        let options = iq.at("pubsub/publish-options").fields();
        assert_eq!(options["pubsub#access_model"], "authorize");
    }
}
