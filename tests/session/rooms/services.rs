//! Which domains have rooms that are nodes.

use super::*;

const PUBSUB_SERVICE: &str = "<query xmlns='http://jabber.org/protocol/disco#info'>\
    <identity category='pubsub' type='service'/><feature var='http://jabber.org/protocol/pubsub'/></query>";
const MUC_SERVICE: &str = "<query xmlns='http://jabber.org/protocol/disco#info'>\
    <identity category='conference' type='text'/><feature var='http://jabber.org/protocol/muc'/></query>";

/// Juliet's session without a service that the user has named.
fn unnamed() -> Driver {
    let mut d = Driver::logged_in(JULIET, options(Policy::Auto));
    d.keep(Question::Stranger);
    d
}

/// She turns to a room; the question what its service is.
fn turn_to(d: &mut Driver, stanza: &str) -> Node {
    d.client(stanza);
    let mut asked = d.server_got();
    assert_eq!(asked.len(), 1, "{asked:#?}");
    let question = asked.remove(0);
    assert_eq!(
        (what(&question), question.value("to")),
        (format!("query {SERVICE}"), SERVICE)
    );
    question
}

fn join_stanza() -> String {
    format!("<presence to='{ROOM}/JC' id='join'>{MUC}</presence>")
}

fn ids(sent: &[Node]) -> Vec<&str> {
    sent.iter().map(|it| it.value("id")).collect()
}

#[test]
fn a_service_of_nodes_has_rooms() {
    for stanza in [
        join_stanza(),
        format!("<iq type='get' to='{ROOM}' id='i'>{INFO}</iq>"),
        format!("<iq type='get' to='{ROOM}' id='i'>{ITEMS}</iq>"),
    ] {
        let mut d = unnamed();
        let question = turn_to(&mut d, &stanza);
        join(&mut d, MUC);
        assert_eq!(
            (d.server_bytes(), d.client_bytes()),
            Default::default(),
            "it waits"
        );
        d.result(&question, PUBSUB_SERVICE);
        let asked = asks(&mut d);
        assert_eq!(asked[asked.len() - JOIN.len()..], JOIN, "{stanza}");
        // The service is asked once.
        join(&mut d, MUC);
        assert_eq!(asks(&mut d), [""; 0]);
    }
}

#[test]
fn a_service_of_chat_rooms_is_left_alone() {
    let both = format!(
        "{}<feature var='http://jabber.org/protocol/muc'/></query>",
        PUBSUB_SERVICE.strip_suffix("</query>").unwrap()
    );
    for answer in [
        MUC_SERVICE,
        &both,
        "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='server' type='im'/>\
         <identity category='pubsub' type='pep'/></query>",
        "",
    ] {
        let mut d = unnamed();
        let question = turn_to(&mut d, &join_stanza());
        let more = format!(
            "<message to='{ROOM}' type='groupchat' id='m'><body>a&#x26;b</body></message>\
             <iq to='{SERVICE}' type='get' id='i'>{INFO}</iq><presence to='{ROOM}/JC' id='p'/>"
        );
        d.client(&more);
        assert_eq!(d.server_bytes(), "");
        d.result(&question, answer);
        assert_eq!(
            d.server_bytes(),
            join_stanza() + &more,
            "byte for byte, in order"
        );
        join(&mut d, MUC);
        assert_eq!(ids(&d.server_got()), ["join"], "it is asked once");
        happens(&mut d, TALK, &body(ROMEO, "Romeo", "m1", 1));
        assert!(d.one_to_client().has("event"));
    }
}

#[test]
fn a_service_that_does_not_say_is_left_alone() {
    // The service refuses.
    let mut d = unnamed();
    let question = turn_to(&mut d, &join_stanza());
    d.error(&question, "cancel", "service-unavailable");
    assert_eq!(d.server_bytes(), join_stanza());
    // The service does not answer; a stranger does.
    let mut d = unnamed();
    let question = turn_to(&mut d, &join_stanza());
    d.server(&format!(
        "<iq type='result' from='evil.lit' to='{JULIET}' id='{}'>{PUBSUB_SERVICE}</iq>",
        question.value("id")
    ));
    d.forget();
    d.advance(4);
    assert_eq!(d.server_bytes(), "");
    d.advance(1);
    assert_eq!(d.server_bytes(), join_stanza());
    // The client sends more than there is room for.
    let mut d = unnamed();
    turn_to(&mut d, &join_stanza());
    let large = format!(
        "<message to='{ROOM}' id='m'><body>{}</body></message>",
        "x".repeat(100_000)
    );
    for _ in 0..2 {
        d.client(&large);
    }
    assert_eq!(d.server_bytes(), "");
    d.client(&large);
    assert_eq!(d.server_bytes(), join_stanza() + &large.repeat(3));
}

#[test]
fn what_waits_at_the_end_is_said_or_comes_back() {
    let mut d = unnamed();
    turn_to(&mut d, &join_stanza());
    d.client("</stream:stream>");
    let sent = d.server_bytes();
    assert!(sent.starts_with(&join_stanza()), "{sent}");

    let mut d = unnamed();
    turn_to(&mut d, &join_stanza());
    assert_eq!(
        server_goes(&mut d),
        ["presence JC: remote-server-timeout for join"]
    );
}

#[test]
fn who_only_browses_is_shown_what_is_there() {
    // A client would make its rooms on the first service that seems to have some.
    let mut d = unnamed();
    let browse = format!("<iq type='get' to='{SERVICE}' id='i'>{INFO}</iq>");
    d.client_passes(&browse);
    let answer =
        format!("<iq type='result' from='{SERVICE}' to='{JULIET}' id='i'>{PUBSUB_SERVICE}</iq>");
    d.server_passes(&answer);
    // A service counts as one of rooms once the client has turned to a room there.
    let question = turn_to(&mut d, &join_stanza());
    d.result(&question, PUBSUB_SERVICE);
    d.forget();
    d.server(&answer);
    let info = d.one_to_client();
    let kinds = info.at("query").children.iter();
    let kinds: Vec<_> = kinds.filter_map(|it| it.attribute("category")).collect();
    assert_eq!(kinds, ["conference", "pubsub"]);
}

#[test]
fn nobody_is_asked_but_for_a_room() {
    let mut d = unnamed();
    for stanza in [
        format!("<presence to='{CONTACT}/mobile' id='x'><show>away</show></presence>"),
        format!("<message to='{ROOM}' type='groupchat' id='x'><body>x</body></message>"),
        format!("<iq type='get' to='{CONTACT}' id='x'><vCard xmlns='vcard-temp'/></iq>"),
        format!("<iq type='get' to='{ROMEO}' id='x'>{INFO}</iq>"),
        format!("<iq type='get' to='{OWN}' id='x'>{INFO}</iq>"),
        format!("<iq type='get' to='capulet.lit' id='x'>{INFO}</iq>"),
        format!("<iq type='get' to='{SERVICE}' id='x'>{ITEMS}</iq>"),
    ] {
        d.client_passes(&stanza);
    }
}
