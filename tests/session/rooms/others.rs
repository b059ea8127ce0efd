//! Others in a room, and what is asked of it and of them.

use super::*;

const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";

fn ask(d: &mut Driver, to: &str, id: &str, what: &str) {
    d.client(&format!("<iq type='get' to='{to}' id='{id}'>{what}</iq>"));
}

#[test]
fn others_come_change_and_leave() {
    let mut d = joined();
    happens(&mut d, OCCUPANTS, &occupant(NURSE, "Nurse", ""));
    happens(
        &mut d,
        OCCUPANTS,
        &occupant(NURSE, "Nurse", "<show>away</show>"),
    );
    happens(&mut d, OCCUPANTS, &occupant(NURSE, "Angelica", ""));
    happens(&mut d, OCCUPANTS, &occupant_gone(NURSE, "Angelica"));
    happens(&mut d, OCCUPANTS, &occupant_gone(NURSE, "Angelica"));
    let got = d.client_got();
    assert!(got[1].has("show"));
    assert_eq!(
        got.iter().map(shown).collect::<Vec<_>>(),
        [
            "Nurse available",
            "Nurse available",
            "Nurse unavailable now Angelica 303",
            "Angelica available",
            "Angelica unavailable"
        ]
    );
}

#[test]
fn a_nick_leaves_with_its_last_resource() {
    let mut d = joined();
    happens(
        &mut d,
        OCCUPANTS,
        &item_by(
            "romeo@montague.lit/tablet",
            "romeo@montague.lit/tablet",
            "Romeo",
            "",
            "",
        ),
    );
    d.forget();
    happens(&mut d, OCCUPANTS, &occupant_gone(ROMEO, "Romeo"));
    assert_eq!(sees(&mut d), [""; 0]);
    let tablet = "romeo@montague.lit/tablet";
    let gone = item_by(tablet, tablet, "Romeo", " type='unavailable'", "");
    happens(&mut d, OCCUPANTS, &gone);
    assert_eq!(sees(&mut d), ["Romeo unavailable"]);
}

#[test]
fn a_status_and_another_nick_are_published() {
    let mut d = joined();
    for (nick, expected) in [
        ("/JC", vec!["JC available 110"]),
        // Rooms take a presence without a nick for the occupant's own.
        ("", vec!["JC available 110"]),
        (
            "/Julia",
            vec!["JC unavailable now Julia 303 110", "Julia available 110"],
        ),
    ] {
        d.client(&format!(
            "<presence to='{ROOM}{nick}' id='p'><show>away</show></presence>"
        ));
        let publish = asked_for(&mut d, PUBLISH_OWN);
        assert_eq!(sees(&mut d), [""; 0], "the service has not taken it yet");
        echo(&mut d, &publish);
        assert_eq!(sees(&mut d), expected);
    }
    // Another occupant's nick is taken, unless he has vanished.
    for (answers, expected) in [
        (true, vec!["presence Romeo: conflict for p"]),
        (false, vec!["presence Romeo: conflict for p"]),
    ] {
        d.client(&format!("<presence to='{ROOM}/Romeo' id='p'/>"));
        let ping = asked_for(&mut d, &format!("ping {ROMEO}"));
        match answers {
            true => d.result(&ping, ""),
            false => d.advance(5),
        }
        assert_eq!(sees(&mut d), expected);
        d.forget();
    }
    d.client(&format!("<presence to='{ROOM}/Montague' id='p'/>"));
    let publish = asked_for(&mut d, PUBLISH_OWN);
    d.error(&publish, "auth", "forbidden");
    assert_eq!(sees(&mut d), ["presence Montague: forbidden for p"]);
    d.client(&format!("<presence to='{ROOM}/Romeo' id='p'/>"));
    let ping = asked_for(&mut d, "ping romeo@montague.lit/mobile");
    refuse(&mut d, &ping, "service-unavailable");
    assert_eq!(sees(&mut d), ["Romeo unavailable 333"]);
    let publish = asked_for(&mut d, PUBLISH_OWN);
    echo(&mut d, &publish);
    assert_eq!(
        sees(&mut d),
        ["Julia unavailable now Romeo 303 110", "Romeo available 110"]
    );
}

#[test]
fn what_a_service_says_of_itself_keeps_its_namespaces() {
    let mut d = session();
    ask(
        &mut d,
        SERVICE,
        "i1",
        &format!("<query xmlns='{DISCO_INFO}'/>"),
    );
    let asked = d.one_to_server();
    d.result(
        &asked,
        &format!(
            "<d:query xmlns:d='{DISCO_INFO}' xmlns:s='urn:s'><d:identity category='pubsub' type='service'/>\
             <s:more s:of='it'/></d:query>"
        ),
    );
    let info = d.one_to_client();
    let shown = &info.at("query").children;
    let shown: Vec<_> = shown
        .iter()
        .map(|it| (&*it.namespace, &*it.local))
        .collect();
    assert_eq!(
        shown,
        [
            (DISCO_INFO, "identity"),
            (DISCO_INFO, "feature"),
            (DISCO_INFO, "identity"),
            ("urn:s", "more")
        ]
    );
}

#[test]
fn a_service_and_its_nodes_are_browsed_as_rooms() {
    let mut d = session();
    ask(&mut d, SERVICE, "i1", INFO);
    ask(&mut d, SERVICE, "i2", ITEMS);
    let passed = d.server_got();
    assert_eq!(
        passed.iter().map(|it| it.value("id")).collect::<Vec<_>>(),
        ["i1", "i2"]
    );
    d.result(
        &passed[0],
        &format!(
            "<query xmlns='{DISCO_INFO}'><identity category='pubsub' type='service'/>\
             <feature var='http://jabber.org/protocol/pubsub'/></query>"
        ),
    );
    let info = d.one_to_client();
    let query = info.at("query");
    let kinds: Vec<_> = query
        .children
        .iter()
        .filter_map(|it| it.attribute("category"))
        .collect();
    assert_eq!(kinds, ["conference", "pubsub"]);
    assert!(
        query
            .children
            .iter()
            .any(|it| it.attribute("var") == Some("http://jabber.org/protocol/muc"))
    );
    let node =
        |node: &str, name: &str| format!("<item jid='{SERVICE}' node='{node}' name='{name}'/>");
    let nodes = [
        node(OCCUPANTS, ""),
        node(TALK, "The characters"),
        node("news", "News"),
        node("Odd", ""),
        node("Odd#occupants", ""),
    ];
    d.result(
        &passed[1],
        &format!("<query xmlns='{DISCO_ITEMS}'>{}</query>", nodes.concat()),
    );
    let list = d.one_to_client();
    let list: Vec<_> = list
        .at("query")
        .children
        .iter()
        .map(|it| (it.value("jid"), it.attribute("node")))
        .collect();
    // A client could not join `Odd`: it would ask for `odd`.
    assert_eq!(
        list,
        [
            (ROOM, None),
            (SERVICE, Some("news")),
            (SERVICE, Some("Odd"))
        ]
    );
}

#[test]
fn a_room_says_what_it_is() {
    for (access, feature) in [("open", "muc_open"), ("whitelist", "muc_membersonly")] {
        let mut d = session();
        ask(&mut d, ROOM, "i1", INFO);
        let info = asked_for(&mut d, "query characters");
        assert_eq!(info.value("to"), SERVICE);
        d.result(
            &info,
            &format!(
                "<query xmlns='{DISCO_INFO}' node='{TALK}'><identity category='pubsub' type='leaf'/>\
                 <x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
                 <value>http://jabber.org/protocol/pubsub#meta-data</value></field><field var='pubsub#title'>\
                 <value>Tom &amp; Jerry</value></field><field var='pubsub#access_model'><value>{access}</value></field></x></query>"
            ),
        );
        let answer = d.one_to_client();
        assert_eq!((answer.value("from"), answer.value("id")), (ROOM, "i1"));
        let query = answer.at("query");
        assert_eq!(query.at("identity").value("category"), "conference");
        assert_eq!(query.at("identity").value("name"), "Tom & Jerry");
        let features: Vec<_> = query
            .children
            .iter()
            .filter_map(|it| it.attribute("var"))
            .collect();
        for var in [
            "http://jabber.org/protocol/muc",
            "muc_nonanonymous",
            feature,
        ] {
            assert!(features.contains(&var), "{features:?}");
        }
    }
    let mut d = session();
    ask(&mut d, ROOM, "i1", INFO);
    let info = asked_for(&mut d, "query characters");
    refuse(&mut d, &info, "item-not-found");
    let answer = d.one_to_client();
    assert!(answer.has("error/item-not-found"), "{answer:?}");
    assert_eq!((answer.value("from"), answer.value("id")), (ROOM, "i1"));
}

#[test]
fn every_question_to_a_room_is_answered_here() {
    let mut d = joined();
    for (what, to, expected) in [
        (PING, format!("{ROOM}/JC"), "result JC q"),
        (PING, ROOM.to_owned(), "result  q"),
        (
            PING,
            format!("{ROOM}/Nobody"),
            "iq Nobody: item-not-found for q",
        ),
        (
            PING,
            format!("other@{SERVICE}/JC"),
            "iq other@chat.shakespeare.lit/JC: not-acceptable for q",
        ),
        (
            "<vCard xmlns='vcard-temp'/>",
            ROOM.to_owned(),
            "iq : service-unavailable for q",
        ),
        (
            "<query xmlns='urn:xmpp:mam:2'/>",
            ROOM.to_owned(),
            "iq : service-unavailable for q",
        ),
        (
            "<query xmlns='http://jabber.org/protocol/muc#admin'/>",
            ROOM.to_owned(),
            "iq : forbidden for q",
        ),
        (
            "<query xmlns='http://jabber.org/protocol/muc#owner'/>",
            ROOM.to_owned(),
            "iq : forbidden for q",
        ),
        (
            "<query xmlns='http://jabber.org/protocol/disco#items' node='x'/>",
            ROOM.to_owned(),
            "iq : item-not-found for q",
        ),
        ("", ROOM.to_owned(), "iq : bad-request for q"),
    ] {
        ask(&mut d, &to, "q", what);
        assert_eq!(sees(&mut d), [expected], "{what} {to}");
        assert_eq!(asks(&mut d), [""; 0], "{what} {to}");
    }
    ask(&mut d, ROOM, "q", ITEMS);
    let list = d.one_to_client();
    let list: Vec<_> = list
        .at("query")
        .children
        .iter()
        .map(|it| it.value("jid").to_owned())
        .collect();
    assert_eq!(list, [format!("{ROOM}/JC"), format!("{ROOM}/Romeo")]);
}

#[test]
fn a_question_to_an_occupant_goes_to_his_address() {
    const VERSION: &str = "<query xmlns='jabber:iq:version'/>";
    let mut d = joined();
    ask(&mut d, &format!("{ROOM}/Romeo"), "v1", VERSION);
    let relayed = asked_for(&mut d, "query romeo@montague.lit/mobile");
    relayed.assert_values(&[("to", ROMEO), ("type", "get")]);
    assert_eq!(relayed.at("query").namespace, "jabber:iq:version");
    assert_ne!(
        relayed.value("id"),
        "v1",
        "another client's id may be the same"
    );
    d.result(
        &relayed,
        "<query xmlns='jabber:iq:version'><name>Psi</name></query>",
    );
    let answer = d.one_to_client();
    answer.assert_values(&[("from", &format!("{ROOM}/Romeo")), ("id", "v1")]);
    assert_eq!(answer.at("query/name").text, "Psi");

    ask(&mut d, &format!("{ROOM}/Romeo"), "v2", VERSION);
    let relayed = asked_for(&mut d, "query romeo@montague.lit/mobile");
    refuse(&mut d, &relayed, "service-unavailable");
    assert_eq!(sees(&mut d), ["iq Romeo: service-unavailable for v2"]);
}

#[test]
fn another_shim_is_told_whether_the_client_is_there() {
    let mut d = joined();
    shim_asks(&mut d, ROOM);
    let pong = d.one_to_server();
    pong.assert_values(&[("type", "result"), ("to", ROMEO), ("id", "p")]);
    shim_asks(&mut d, &format!("other@{SERVICE}"));
    let pong = d.one_to_server();
    assert!(pong.has("error/item-not-found"), "{pong:?}");
    assert_eq!(d.client_bytes(), "");
}
