//! Refusals, and the duties of any server by RFC 6120.

use crate::driver::*;

#[test]
fn presence_is_refused_with_a_sentence() {
    let world = World::new();
    let mut juliet = world.login(JULIET, "balcony");
    let answer = juliet.say("<presence id='p1'><show>away</show></presence>");
    assert!(
        answer.starts_with("<presence type='error' from='juliet@capulet.lit'"),
        "{answer}"
    );
    assert_has(&answer, " id='p1'>");
    assert_error(&answer, "cancel feature-not-implemented");
    assert_has(&answer, "knows nothing but publish-subscribe");
    let answer = juliet.say(&format!("<presence type='subscribe' to='{ROMEO}'/>"));
    assert_has(&answer, &format!("from='{ROMEO}'"));
    assert_error(&answer, "cancel feature-not-implemented");
    for silent in [
        "<presence type='unavailable'/>",
        "<presence type='error'/>",
        "<message type='error'/>",
    ] {
        assert_eq!(juliet.say(silent), "", "{silent}");
    }
}

#[test]
fn messages_go_nowhere() {
    let [mut juliet, mut romeo] = World::new().lovers();
    for to in [
        ROMEO,
        "romeo@montague.lit/orchard",
        CHAT,
        "room@chat.capulet.lit",
    ] {
        let answer = juliet.say(&format!(
            "<message to='{to}' id='m'><body>hi</body></message>"
        ));
        assert_error(&answer, "cancel service-unavailable");
        assert!(
            answer.contains("<message type='error'") && answer.contains(" id='m'"),
            "{answer}"
        );
    }
    assert_eq!(romeo.seen(), "");
}

#[test]
fn roster_and_the_rest_are_unavailable() {
    let mut juliet = World::new().login(JULIET, "balcony");
    for query in [
        "jabber:iq:roster",
        "jabber:iq:privacy",
        "vcard-temp",
        "urn:xmpp:mam:2",
    ] {
        let query = format!("<query xmlns='{query}'/>");
        for to in ["", "capulet.lit", CHAT] {
            assert_error(&juliet.iq("get", to, &query), "cancel service-unavailable");
        }
    }
    for to in [
        "nobody@capulet.lit",
        "room@chat.capulet.lit",
        "capulet.lit/x",
        "romeo@montague.lit/gone",
    ] {
        let answer = juliet.iq("get", to, "<ping xmlns='urn:xmpp:ping'/>");
        assert_error(&answer, "cancel service-unavailable");
    }
    let answer = juliet.iq(
        "get",
        "benvolio@verona.lit",
        "<ping xmlns='urn:xmpp:ping'/>",
    );
    assert_error(&answer, "cancel remote-server-not-found");
}

#[test]
fn pings_and_the_old_session_are_answered() {
    let mut juliet = World::new().login(JULIET, "balcony");
    for to in ["", "capulet.lit", CHAT, "Juliet@CAPULET.lit"] {
        assert_result(&juliet.iq("get", to, "<ping xmlns='urn:xmpp:ping'/>"));
    }
    assert_result(&juliet.iq(
        "set",
        "",
        "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>",
    ));
}

/// RFC 6120 §10.5.4: an IQ to a connected resource is the resource's to answer.
#[test]
fn an_iq_reaches_a_connected_resource_and_its_answer_comes_back() {
    let [mut juliet, mut romeo] = World::new().lovers();
    let ping =
        "<iq type='get' id='p' to='romeo@montague.lit/orchard'><ping xmlns='urn:xmpp:ping'/></iq>";
    assert_eq!(juliet.say(ping), "");
    let seen = romeo.seen();
    assert_has(&seen, "from='juliet@capulet.lit/balcony'");
    assert_has(&seen, "<ping xmlns='urn:xmpp:ping'/>");
    romeo.say("<iq type='result' id='p' to='juliet@capulet.lit/balcony'/>");
    let answer = juliet.seen();
    assert!(
        answer.contains("type='result'") && answer.contains("from='romeo@montague.lit/orchard'"),
        "{answer}"
    );
    romeo.disconnect();
    assert_error(&juliet.say(ping), "cancel service-unavailable");
}

#[test]
fn a_name_that_is_not_the_own_ends_the_stream() {
    let mut juliet = World::new().login(JULIET, "balcony");
    let answer = juliet.iq("get", "", "<ping xmlns='urn:xmpp:ping'/>");
    assert_result(&answer);
    let answer = juliet.say(&format!(
        "<iq type='get' id='x' from='{ROMEO}'><ping xmlns='urn:xmpp:ping'/></iq>"
    ));
    assert!(
        answer.contains("<invalid-from ") && juliet.is_closed(),
        "{answer}"
    );
}

#[test]
fn an_iq_has_a_type_and_one_child() {
    let mut juliet = World::new().login(JULIET, "balcony");
    for bad in [
        "<iq id='q'><a xmlns='b'/></iq>",
        "<iq id='q' type='get'/>",
        "<iq id='q' type='get'><a xmlns='b'/><a xmlns='b'/></iq>",
    ] {
        assert_error(&juliet.say(bad), "modify bad-request");
    }
}

#[test]
fn disco_says_what_it_is() {
    let mut juliet = World::new().login(JULIET, "balcony");
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    for (to, identity) in [
        ("capulet.lit", "category='server' type='im'"),
        (CHAT, "category='pubsub' type='service'"),
        ("pubsub.montague.lit", "category='pubsub' type='service'"),
        ("", "category='pubsub' type='pep'"),
        (ROMEO, "category='pubsub' type='pep'"),
    ] {
        let answer = juliet.iq("get", to, info);
        assert!(
            answer.contains(identity) && answer.contains("not a server to run"),
            "{to}: {answer}"
        );
        // XEP-0060 §5.1: only entities with pubsub name the feature.
        let has_pubsub = answer.contains("'http://jabber.org/protocol/pubsub#publish'");
        assert_eq!(has_pubsub, to != "capulet.lit", "{to}: {answer}");
        assert!(!answer.contains("muc"), "{answer}");
    }
    let answer = juliet.iq("get", "capulet.lit", items);
    for host in ["chat.capulet.lit", "pubsub.capulet.lit"] {
        assert_has(&answer, &format!("<item jid='{host}'/>"));
    }
}
