//! The same under `pure`: listing 13 as printed, and nobody but the service is asked anything.

use super::*;

/// Listing 13's option.
const NICK: &str = "pubsub/options/x";

pub(super) fn joined_under(policy: Policy) -> Driver {
    let mut d = session_under(policy);
    join(&mut d, MUC);
    let_in(&mut d, &occupant(ROMEO, "Romeo", ""), "");
    d.forget();
    d
}

#[test]
fn a_nick_in_an_option_is_a_value() {
    let mut d = session_under(Policy::Pure);
    d.client(&format!("<presence to='{ROOM}/&lt;J&amp;&apos;C>'/>"));
    let join = asked(&mut d);
    let subscribe = one(&join, "subscribe characters");
    assert_eq!(subscribe.at(NICK).fields()["roomnick"], "<J&'C>");
}

#[test]
fn a_new_room_ends_with_the_sessions_in_it() {
    for policy in [Policy::Pure, Policy::Auto] {
        let mut d = session_under(policy);
        join(&mut d, MUC);
        refuse_subscribe(&mut d, "item-not-found");
        for node in [TALK, OCCUPANTS] {
            let create = asked(&mut d);
            let create = one(&create, &format!("create {node}"));
            let fields = create.at("pubsub/configure/x").fields();
            let is = |field: &str| fields.get(field).is_some_and(|it| it == "1");
            assert_eq!(is("pubsub#tempsub"), policy == Policy::Pure, "{node}");
            let goes = policy == Policy::Pure && node == OCCUPANTS;
            assert_eq!(is("pubsub#purge_offline"), goes, "{node}");
            d.result(create, "");
        }
    }
}

#[test]
fn nobody_is_pinged() {
    for (policy, is_asked) in [(Policy::Pure, false), (Policy::Auto, true)] {
        let mut d = joined_under(policy);
        happens(&mut d, OCCUPANTS, &occupant(NURSE, "Nurse", ""));
        happens(&mut d, TALK, &body(ROMEO, "Romeo", "m1", 1));
        d.advance(400);
        let pinged = asks(&mut d).iter().any(|it| it.starts_with("ping "));
        assert_eq!(pinged, is_asked, "{policy:?}");
    }
}

#[test]
fn a_question_to_an_occupant_is_answered_with_an_error() {
    let mut d = joined_under(Policy::Pure);
    for (kind, what) in [
        ("get", "<ping xmlns='urn:xmpp:ping'/>"),
        ("get", "<query xmlns='jabber:iq:version'/>"),
        ("get", INFO),
        ("set", "<x xmlns='urn:other'/>"),
    ] {
        d.client(&format!(
            "<iq type='{kind}' to='{ROOM}/Romeo' id='q'>{what}</iq>"
        ));
        assert_eq!(
            sees(&mut d),
            ["iq Romeo: service-unavailable for q"],
            "{what}"
        );
        assert_eq!(d.server_bytes(), "", "{what}");
    }
    // The shim asks the service about the room itself.
    d.client(&format!("<iq type='get' to='{ROOM}' id='q'>{INFO}</iq>"));
    assert_eq!(asks(&mut d), ["query characters"]);
}

#[test]
fn whoever_is_gone_with_his_session_is_shown_so() {
    let mut d = joined_under(Policy::Pure);
    happens(&mut d, OCCUPANTS, &format!("<retract id='{CONTACT}'/>"));
    assert_eq!(sees(&mut d), ["Romeo unavailable"]);
    assert_eq!(d.server_bytes(), "");
    // The item of his subject goes, too; the subject stays.
    happens(
        &mut d,
        OCCUPANTS,
        &format!("<retract id='subject/{CONTACT}'/>"),
    );
    assert_eq!((sees(&mut d), asks(&mut d)), (vec![], vec![]));
}

#[test]
fn all_that_the_room_keeps_is_asked_for_and_shown_as_wanted() {
    let mut d = session_under(Policy::Pure);
    join(
        &mut d,
        "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>",
    );
    let subject = line(ROMEO, "Romeo", "s1", 1, "<subject>Balconies</subject>");
    let history = format!("{subject}{}", body(ROMEO, "Romeo", "m1", 2));
    let_in(&mut d, "", &history);
    assert_eq!(
        sees(&mut d),
        ["JC available 100 110", "Romeo sets Balconies late"]
    );
}

/// Juliet writes to Romeo alone, in the room; gives the requests that follow when no service knows a node of theirs.
fn whispers(d: &mut Driver) -> Vec<Node> {
    d.client(&format!(
        "<message to='{ROOM}/Romeo' type='chat' id='w1'><body>Psst</body></message>"
    ));
    let lists = asked(d);
    assert!(
        lists.iter().all(|it| it.has("pubsub/subscriptions")),
        "{lists:#?}"
    );
    for list in &lists {
        d.error(list, "cancel", "item-not-found");
    }
    asked(d)
}

/// Juliet's session in the room, which has just begun to be available.
fn joined_and_there() -> Driver {
    let mut d = session_under(Policy::Pure);
    d.keep_chats();
    d.client("<presence/>");
    d.advance(10);
    for list in asked(&mut d) {
        d.error(&list, "cancel", "item-not-found");
    }
    d.forget();
    join(&mut d, MUC);
    let_in(&mut d, &occupant(ROMEO, "Romeo", ""), "");
    d.forget();
    d
}

#[test]
fn a_private_message_is_an_item_for_one() {
    let mut d = joined_and_there();
    let asked = whispers(&mut d);
    let create = asked.iter().find(|it| it.has("pubsub/create")).unwrap();
    assert_eq!(
        create.at("pubsub/configure/x").fields()["pubsub#publisher"],
        CONTACT
    );
    let publish = asked.iter().find(|it| it.has("pubsub/publish")).unwrap();
    let message = publish.at("pubsub/publish/item/message");
    message.assert_values(&[
        ("from", JULIET),
        ("to", ROMEO),
        ("type", "groupchat"),
        ("id", "w1"),
    ]);
    assert_eq!(message.names(), ["body", "x", "pm", "delay"]);
    assert_eq!(message.at("pm").value("room"), ROOM);
    // Chat states are not published.
    d.client(&format!(
        "<message to='{ROOM}/Romeo' type='chat'><active xmlns='http://jabber.org/protocol/chatstates'/></message>"
    ));
    assert_eq!((d.client_bytes(), d.server_bytes()), Default::default());
    // An account has no node with itself.
    d.client(&format!(
        "<message to='{ROOM}/JC' type='chat' id='w2'><body>x</body></message>"
    ));
    assert_eq!(sees(&mut d), ["message JC: feature-not-implemented for w2"]);
}

#[test]
fn a_private_message_that_is_refused_comes_of_the_nick() {
    for step in ["pubsub/subscriptions", "pubsub/publish"] {
        let mut d = joined_and_there();
        let asked = whispers(&mut d);
        let refused = asked.iter().find(|it| it.has(step)).unwrap();
        d.error(refused, "auth", "forbidden");
        assert_eq!(sees(&mut d), ["message Romeo: forbidden for w1"], "{step}");
    }
    let mut d = joined_and_there();
    whispers(&mut d);
    d.advance(60);
    assert!(sees(&mut d).contains(&"message Romeo: remote-server-timeout for w1".to_owned()));
}

#[test]
fn what_a_node_has_of_a_room_is_an_occupants_word() {
    let mut d = joined_and_there();
    let asked = whispers(&mut d);
    let create = asked.iter().find(|it| it.has("pubsub/create")).unwrap();
    let (service, node) = (
        create.value("to").to_owned(),
        create.at("pubsub/create").value("node").to_owned(),
    );
    for iq in &asked {
        d.result(iq, "");
    }
    d.forget();
    let mut number = 0;
    let mut says = |d: &mut Driver, publisher: &str, from: &str, to: &str, room: &str| {
        number += 1;
        d.server(&format!(
            "<message from='{service}' to='{JULIET}' type='headline'><event xmlns='{EVENT}'><items node='{node}'>\
             <item id='i{number}' publisher='{publisher}'><message xmlns='jabber:client' from='{from}' to='{to}' \
             type='groupchat' id='w2'><body>x</body><x xmlns='{MUC_USER}'/><pm xmlns='urn:pubshim:0' room='{room}'/>\
             <delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/></message></item></items></event></message>"
        ));
    };
    for (publisher, from) in [(ROMEO, ROMEO), (CONTACT, ROMEO), (ROMEO, NURSE)] {
        says(&mut d, publisher, from, JULIET, ROOM);
        let shown = d.one_to_client();
        shown.assert_values(&[
            ("type", "chat"),
            ("from", &format!("{ROOM}/Romeo")),
            ("to", JULIET),
            ("id", "w2"),
        ]);
        assert_eq!(shown.names(), ["body", "x"]);
    }
    let pda = "romeo@montague.lit/pda";
    for (publisher, from, to, room, reason) in [
        (pda, pda, JULIET, ROOM, Dropped::ForeignFrom),
        (CONTACT, pda, JULIET, ROOM, Dropped::ForeignFrom),
        (CONTACT, NURSE, JULIET, ROOM, Dropped::ForeignFrom),
        (NURSE, NURSE, JULIET, ROOM, Dropped::ForeignFrom),
        (
            ROMEO,
            ROMEO,
            JULIET,
            "other@chat.shakespeare.lit",
            Dropped::NotSubscribed,
        ),
        (
            ROMEO,
            ROMEO,
            "juliet@capulet.lit/garden",
            ROOM,
            Dropped::WrongPayload,
        ),
        // Juliet's own message, from another session.
        (JULIET, JULIET, ROMEO, ROOM, Dropped::Seen),
    ] {
        says(&mut d, publisher, from, to, room);
        assert_eq!(d.client_bytes(), "", "{publisher} {from} {to}");
        assert_eq!(d.dropped(), [reason], "{publisher} {from} {to}");
    }
}
