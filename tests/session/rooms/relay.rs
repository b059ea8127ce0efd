//! Questions to occupants, which go to their real addresses.

use super::*;

const VERSION: &str = "<query xmlns='jabber:iq:version'/>";
const VCARD: &str = "<vCard xmlns='vcard-temp'/>";
const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";

/// Juliet asks an occupant something.
fn ask(d: &mut Driver, nick: &str, id: &str, what: &str) {
    d.client(&format!(
        "<iq type='get' to='{ROOM}/{nick}' id='{id}'>{what}</iq>"
    ));
}

/// The same of Romeo; gives the question that goes to him.
fn ask_romeo(d: &mut Driver, what: &str) -> Node {
    ask(d, "Romeo", "q", what);
    let asked = d.one_to_server();
    assert_ne!(asked.value("id"), "q", "an id of the client's goes nowhere");
    asked
}

#[test]
fn a_question_goes_to_the_real_address() {
    let mut d = joined();
    for what in [
        VERSION,
        PING,
        INFO,
        ITEMS,
        "<x xmlns='urn:other' a='&amp;'/>",
    ] {
        let asked = ask_romeo(&mut d, what);
        assert_eq!((asked.value("to"), asked.value("type")), (ROMEO, "get"));
        assert_eq!(asked.children, Node::stream(what), "{what}");
        d.result(
            &asked,
            "<query xmlns='jabber:iq:version'><name>Psi</name></query>",
        );
        let answer = d.one_to_client();
        answer.assert_values(&[
            ("type", "result"),
            ("from", &format!("{ROOM}/Romeo")),
            ("to", JULIET),
            ("id", "q"),
        ]);
        assert_eq!(answer.at("query/name").text, "Psi");
    }
    d.client(&format!(
        "<iq type='set' to='{ROOM}/Romeo' id='s'><x xmlns='urn:other'/></iq>"
    ));
    assert_eq!(d.one_to_server().value("type"), "set");
}

#[test]
fn an_error_is_his_own_word() {
    let mut d = joined();
    let asked = ask_romeo(&mut d, VERSION);
    let id = asked.value("id");
    d.server(&format!(
        "<iq type='error' from='{ROMEO}' to='{JULIET}' id='{id}'>{VERSION}<error type='modify'><not-acceptable \
         xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>No</text>\
         <closed-node xmlns='http://jabber.org/protocol/pubsub#errors'/></error></iq>"
    ));
    let answer = d.one_to_client();
    assert_eq!(answer.value("from"), format!("{ROOM}/Romeo"));
    let error = answer.at("error");
    assert_eq!(error.value("type"), "modify");
    assert_eq!(error.names(), ["not-acceptable", "text", "closed-node"]);
}

#[test]
fn only_whoever_was_asked_answers() {
    let mut d = joined();
    let asked = ask_romeo(&mut d, VERSION);
    let id = asked.value("id");
    for from in [NURSE, CONTACT, "romeo@montague.lit/pda", SERVICE, ROOM] {
        d.server(&format!(
            "<iq type='result' from='{from}' to='{JULIET}' id='{id}'/>"
        ));
        assert_eq!(d.client_bytes(), "", "{from}");
    }
    d.result(&asked, "");
    assert_eq!(sees(&mut d), ["result Romeo q"]);
    // A second answer is dropped.
    d.result(&asked, "");
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn the_vcard_is_the_accounts() {
    let mut d = joined();
    let asked = ask_romeo(&mut d, VCARD);
    assert_eq!(asked.value("to"), CONTACT, "his server keeps it");
    d.result(&asked, "<vCard xmlns='vcard-temp'><FN>Romeo</FN></vCard>");
    let answer = d.one_to_client();
    answer.assert_values(&[("from", &format!("{ROOM}/Romeo")), ("id", "q")]);
    assert_eq!(answer.at("vCard/FN").text, "Romeo");
    d.keep_everything();
    // Prosody answers about the own vCard without `from`.
    ask(&mut d, "JC", "q2", VCARD);
    let asked = d.one_to_server();
    assert_eq!(asked.attribute("to"), None);
    let id = asked.value("id");
    d.server(&format!(
        "<iq type='result' to='{JULIET}' id='{id}'>{VCARD}</iq>"
    ));
    assert_eq!(sees(&mut d), ["result JC q2"]);
    // Only the account itself may set its vCard: a set for it goes to the occupant.
    d.client(&format!(
        "<iq type='set' to='{ROOM}/Romeo' id='s'>{VCARD}</iq>"
    ));
    assert_eq!(d.one_to_server().value("to"), ROMEO);
}

#[test]
fn an_answer_of_before_is_not_the_nicks_of_now() {
    for what in [VERSION, VCARD] {
        let mut d = joined();
        let asked = ask_romeo(&mut d, what);
        happens(&mut d, OCCUPANTS, &occupant_gone(ROMEO, "Romeo"));
        happens(&mut d, OCCUPANTS, &occupant(NURSE, "Romeo", ""));
        d.forget();
        d.result(&asked, "<query xmlns='jabber:iq:version'/>");
        assert_eq!(sees(&mut d), ["iq Romeo: item-not-found for q"]);
        // A new nick makes another occupant of the nurse, too.
        let asked = {
            ask(&mut d, "Romeo", "q", what);
            d.one_to_server()
        };
        happens(&mut d, OCCUPANTS, &occupant(NURSE, "Nurse", ""));
        d.forget();
        d.error(&asked, "cancel", "service-unavailable");
        assert_eq!(sees(&mut d), ["iq Romeo: item-not-found for q"]);
    }
}

#[test]
fn whoever_leaves_is_answered_all_the_same() {
    let mut d = joined();
    let asked = ask_romeo(&mut d, VERSION);
    ask(&mut d, "Romeo", "q2", VERSION);
    leave(&mut d);
    d.forget();
    d.result(&asked, VERSION);
    assert_eq!(sees(&mut d), ["iq Romeo: item-not-found for q"]);
    d.advance(60);
    assert_eq!(sees(&mut d), ["iq Romeo: item-not-found for q2"]);
}

#[test]
fn who_is_silent_is_not_waited_for() {
    let mut d = joined();
    ask(&mut d, "Romeo", "q", VERSION);
    d.forget();
    d.advance(60);
    assert_eq!(sees(&mut d), ["iq Romeo: remote-server-timeout for q"]);
}

#[test]
fn questions_that_wait_are_few() {
    let mut d = joined();
    for n in 0..17 {
        ask(&mut d, "Romeo", &format!("q{n}"), VERSION);
    }
    let asked = d.server_got();
    assert_eq!(asked.len(), 16);
    assert_eq!(sees(&mut d), ["iq Romeo: resource-constraint for q16"]);
    // The room's own requests go on.
    say_to_all(&mut d, "m", "<body>x</body>");
    assert_eq!(asks(&mut d), ["publish characters"]);
    d.result(&asked[3], "");
    assert_eq!(sees(&mut d), ["result Romeo q3"]);
    ask(&mut d, "Romeo", "q17", VERSION);
    assert_eq!(asks(&mut d).len(), 1);
}

#[test]
fn who_is_not_there_is_not_found() {
    let mut d = joined();
    for what in [VERSION, PING, VCARD] {
        ask(&mut d, "Nurse", "q", what);
        assert_eq!(sees(&mut d), ["iq Nurse: item-not-found for q"]);
    }
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn a_ping_to_oneself_says_whether_one_is_in() {
    let mut d = session();
    ask(&mut d, "JC", "p1", PING);
    assert_eq!(sees(&mut d), ["iq JC: not-acceptable for p1"]);
    join(&mut d, MUC);
    ask(&mut d, "JC", "p2", PING);
    assert_eq!(sees(&mut d), [""; 0]);
    let_in(&mut d, "", "");
    let shown = sees(&mut d);
    assert_eq!(shown.last().unwrap(), "result JC p2", "{shown:?}");
    answer_watch(&mut d);
    d.forget();
    ask(&mut d, "JC", "p3", PING);
    assert_eq!(sees(&mut d), ["result JC p3"]);
    assert_eq!(d.server_bytes(), "");
    // After a change of nick the old one is no occupant's.
    d.client(&format!("<presence to='{ROOM}/Julia' id='n'/>"));
    let publish = asked_for(&mut d, PUBLISH_OWN);
    echo(&mut d, &publish);
    d.forget();
    ask(&mut d, "JC", "p4", PING);
    ask(&mut d, "Julia", "p5", PING);
    assert_eq!(
        sees(&mut d),
        ["iq JC: item-not-found for p4", "result Julia p5"]
    );
    // The service puts the client out.
    subscription_is(&mut d, TALK, JULIET, "none");
    d.forget();
    ask(&mut d, "Julia", "p6", PING);
    assert_eq!(sees(&mut d), ["iq Julia: not-acceptable for p6"]);
}

#[test]
fn a_client_may_ask_itself() {
    let mut d = joined();
    ask(&mut d, "JC", "q", VERSION);
    let asked = d.one_to_server();
    assert_eq!(asked.value("to"), JULIET);
    // The server delivers the question to the client, and its answer to the shim.
    let id = asked.value("id");
    d.server(&format!(
        "<iq type='get' from='{JULIET}' to='{JULIET}' id='{id}'>{VERSION}</iq>"
    ));
    assert_eq!(d.one_to_client().value("id"), id);
    d.client(&format!("<iq type='result' to='{JULIET}' id='{id}'/>"));
    assert_eq!(d.one_to_server().value("id"), id);
    d.server(&format!(
        "<iq type='result' from='{JULIET}' to='{JULIET}' id='{id}'/>"
    ));
    assert_eq!(sees(&mut d), ["result JC q"]);
}
