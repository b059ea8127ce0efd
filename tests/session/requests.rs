//! The shim's own IQs: only the one asked may answer, and the client never sees one.

use pubshim::session::Event;

use crate::scenes::*;

#[test]
fn only_who_was_asked_may_answer() {
    for from in [
        "romeo@montague.lit",
        "romeo@montague.lit/mobile",
        "montague.lit",
        "juliet@capulet.lit/chamber",
        "juliet@capulet.lit.evil.lit",
        "pubsub.capulet.lit",
        "",
    ] {
        let mut d = Driver::auto(JULIET);
        d.client("<presence id='1'/>");
        let get = d.one_behind_presence();
        let id = get.value("id");
        for kind in ["result", "error"] {
            d.server(&format!(
                "<iq type='{kind}' id='{id}' from='{from}'>{}</iq>",
                ejabberd_node(&[])
            ));
        }
        assert_eq!(d.server_bytes() + &d.client_bytes(), "", "{from}");
        assert_eq!(d.events(), []);
        d.result(&get, &ejabberd_node(&[]));
        assert!(d.one_to_server().has("pubsub/publish"));
    }
}

#[test]
fn the_own_account_and_domain_may_answer() {
    for from in [
        "",
        " from='juliet@capulet.lit'",
        " from='capulet.lit'",
        " from=\"juliet@capulet.lit/balcony\"",
    ] {
        let mut d = Driver::auto(JULIET);
        d.client("<presence id='1'/>");
        let get = d.one_behind_presence();
        let id = get.value("id");
        d.server(&format!(
            "<iq type='result' id='{id}'{from}>{}</iq>",
            ejabberd_node(&[])
        ));
        assert!(d.one_to_server().has("pubsub/publish"), "{from}");
    }
}

#[test]
fn an_answer_counts_once() {
    let mut d = published();
    d.client("<presence id='2'/><presence id='3'/><presence id='4'/>");
    let first = d
        .server_got()
        .into_iter()
        .find(|s| s.local == "iq")
        .unwrap();
    d.result(&first, "");
    let second = d.one_to_server();
    d.client("<presence id='5'/>");
    d.forget();
    d.result(&first, "");
    d.assert_silent(); // 4 is in flight
    d.result(&second, "");
    assert_eq!(changed(&d.one_to_server()).value("id"), "5");
}

#[test]
fn a_late_answer_never_reaches_the_client() {
    let mut d = published();
    d.client("<presence id='2'/>");
    let publish = d.one_behind_presence();
    d.advance(61);
    let failed = |e: &Event| matches!(e, Event::PublishFailed { .. });
    assert!(d.tells(failed));
    d.result(&publish, "");
    d.error(&publish, "cancel", "conflict");
    d.assert_silent();
}

#[test]
fn an_answer_of_another_kind_is_none() {
    let mut d = Driver::auto(JULIET);
    d.client("<presence id='1'/>");
    let get = d.one_behind_presence();
    let id = get.value("id");
    // A request may have any id: it is the client's.
    let request =
        format!("<iq type='get' id='{id}' from='capulet.lit'><ping xmlns='urn:xmpp:ping'/></iq>");
    d.server_passes(&request);
    d.server_passes(&format!("<message id='{id}'/>"));
    d.result(&get, &ejabberd_node(&[]));
    assert!(d.one_to_server().has("pubsub/publish"));
}

#[test]
fn the_clients_own_iqs_pass_whatever_their_ids() {
    let mut d = published();
    d.client("<presence id='2'/>");
    let ours = d.one_behind_presence().value("id").to_owned();
    let similar = [
        ours.to_uppercase(),
        ours.replace("ps-", "ps_"),
        "ps-1".to_owned(),
        "1".to_owned(),
        String::new(),
    ];
    for id in &similar {
        for kind in ["get", "set"] {
            let iq = format!(
                "<iq type='{kind}' id='{id}' to='capulet.lit'><query xmlns='jabber:iq:version'/></iq>"
            );
            d.client_passes(&iq);
        }
        for from in ["", " from='capulet.lit'", " from='juliet@capulet.lit'"] {
            let iq = format!("<iq type='result' id='{id}'{from}/>");
            d.server(&iq);
            assert_eq!(d.client_bytes(), iq, "{id}");
        }
    }
}

#[test]
fn the_clients_own_pubsub_is_its_own() {
    let mut d = published();
    for iq in [
        "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='http://jabber.org/protocol/nick'><item/></publish></pubsub></iq>",
        "<iq type='get' id='2'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='presence'/></pubsub></iq>",
    ] {
        d.client_passes(iq);
        let answer = iq
            .replace("type='set'", "type='result'")
            .replace("type='get'", "type='result'");
        d.server_passes(&answer);
    }
}

#[test]
fn ids_cannot_be_guessed_from_what_others_see() {
    let mut d = published();
    let mut seen = Vec::new();
    for _ in 0..20 {
        d.client("<presence/>");
        let sent = d.server_got();
        seen.push(sent[0].value("id").to_owned());
        seen.push(sent[1].value("id").to_owned());
        d.result(&sent[1], "");
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count);
    assert!(seen.iter().all(|id| id.len() >= 32));
}

#[test]
fn the_same_seed_says_the_same() {
    let run = || {
        let mut d = published();
        d.client("<presence/><presence type='unavailable'/>");
        d.server_bytes()
    };
    assert_eq!(run(), run());
}
