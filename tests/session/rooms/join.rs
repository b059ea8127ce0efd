//! Into a room, or not.

use super::*;

#[test]
fn a_join_is_one_write_and_shows_all_in_order() {
    let mut d = session();
    join(&mut d, MUC);
    let requests = asked(&mut d);
    assert_eq!(requests.iter().map(what).collect::<Vec<_>>(), JOIN);
    assert_eq!(
        one(&requests, "items characters")
            .at("pubsub/items")
            .value("max_items"),
        "50"
    );
    // Answered in turn; until the last one nothing is published nor shown.
    let subject = line(
        ROMEO,
        "Romeo",
        "subject/romeo@montague.lit",
        100,
        "<subject>Love</subject>",
    );
    let occupants = format!("{}{subject}", occupant(ROMEO, "Romeo", "<show>away</show>"));
    d.result(&requests[0], "");
    d.result(&requests[1], "");
    d.result(&requests[2], &items(OCCUPANTS, &occupants));
    assert_eq!(asks(&mut d), [""; 0]);
    d.result(&requests[3], &items(TALK, &body(ROMEO, "Romeo", "m1", 90)));
    let publish = asked(&mut d);
    assert_eq!(
        what(&publish[0]),
        "publish characters#occupants juliet@capulet.lit"
    );
    let presence = publish[0].at("pubsub/publish/item/presence");
    assert_eq!(presence.value("from"), format!("{ROOM}/JC"));
    assert_eq!(
        presence.at("x").namespace,
        MUC_USER,
        "what was asked of the room is not for others"
    );
    assert_eq!(presence.at("x/item").value("jid"), JULIET);
    // What is said meanwhile comes behind what was said before.
    happens(&mut d, TALK, &body(ROMEO, "Romeo", "m2", 95));
    assert_eq!(sees(&mut d), [""; 0]);
    echo(&mut d, &publish[0]);
    let shown = d.client_got();
    assert_eq!(shown[1].value("id"), "join");
    assert_eq!(shown[0].at("x/item").value("jid"), ROMEO);
    assert!(shown[0].has("show"));
    assert_eq!(
        shown.iter().map(super::shown).collect::<Vec<_>>(),
        [
            "Romeo available",
            "JC available 100 110",
            "Romeo says m1 late",
            "Romeo sets Love late",
            "Romeo says m2"
        ]
    );
}

#[test]
fn an_event_that_does_not_come_is_not_waited_for() {
    let mut d = session();
    join(&mut d, MUC);
    let publish = answer_join(&mut d, "", "");
    d.result(&publish[0], "");
    d.advance(4);
    assert_eq!(sees(&mut d), [""; 0]);
    d.advance(1);
    assert_eq!(sees(&mut d), ["JC available 100 110", " sets "]);
}

/// Answers a join as a service does that has no such room.
fn is_missing(d: &mut Driver) {
    for iq in asked(d) {
        refuse(d, &iq, "item-not-found");
    }
}

#[test]
fn a_missing_room_is_created_by_who_knows_rooms() {
    let mut d = session();
    join(&mut d, MUC);
    is_missing(&mut d);
    let create = asked(&mut d);
    assert_eq!(
        create.iter().map(what).collect::<Vec<_>>(),
        ["create characters"]
    );
    let fields = create[0].fields();
    assert_eq!(
        fields["pubsub#access_model"], "whitelist",
        "locked until accepted"
    );
    assert_eq!(fields["pubsub#publish_model"], "subscribers");
    assert_eq!(fields["pubsub#send_last_published_item"], "never");
    d.result(&create[0], "");
    let create = asked(&mut d);
    assert_eq!(
        create.iter().map(what).collect::<Vec<_>>(),
        ["create characters#occupants"]
    );
    d.result(&create[0], "");
    let publish = answer_join(&mut d, "", "");
    echo(&mut d, &publish[0]);
    let own = d.client_got().remove(0);
    assert_eq!(shown(&own), "JC available 100 110 201");
    assert_eq!(own.at("x/item").value("affiliation"), "owner");

    // The owner accepts it: both nodes are opened, then he is answered.
    d.client(&format!(
        "<iq type='set' id='accept' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'/></query></iq>"
    ));
    for node in [OCCUPANTS, TALK] {
        let configure = asked(&mut d);
        assert_eq!(what(&configure[0]), format!("configure {node}"));
        assert_eq!(configure[0].fields()["pubsub#access_model"], "open");
        assert_eq!(sees(&mut d), [""; 0]);
        d.result(&configure[0], "");
    }
    assert_eq!(sees(&mut d), ["result  accept"]);
}

#[test]
fn a_stray_status_creates_no_room() {
    let mut d = session();
    join(&mut d, "<show>away</show>");
    is_missing(&mut d);
    assert_eq!(asks(&mut d), UNDO);
    assert_eq!(sees(&mut d), ["presence JC: item-not-found for join"]);
}

#[test]
fn a_room_that_stays_missing_is_created_once() {
    let mut d = session();
    join(&mut d, MUC);
    is_missing(&mut d);
    for _ in 0..2 {
        let create = asked(&mut d);
        d.result(&create[0], "");
    }
    is_missing(&mut d);
    assert_eq!(asks(&mut d), UNDO);
    assert_eq!(sees(&mut d), ["presence JC: item-not-found for join"]);
}

#[test]
fn who_creates_the_same_room_is_waited_for() {
    let mut d = session();
    join(&mut d, MUC);
    for _ in 0..3 {
        is_missing(&mut d);
        let create = asked(&mut d);
        refuse(&mut d, &create[0], "conflict");
        assert_eq!(asks(&mut d), [""; 0]);
        d.advance(1);
    }
    // Now it has both its nodes.
    let publish = answer_join(&mut d, "", "");
    echo(&mut d, &publish[0]);
    assert_eq!(sees(&mut d)[0], "JC available 100 110");
}

#[test]
fn a_room_half_made_is_completed_by_its_owner() {
    for (is_owner, completes) in [(true, true), (true, false), (false, false)] {
        let mut d = session();
        join(&mut d, MUC);
        for _ in 0..4 {
            is_missing(&mut d);
            let create = asked(&mut d);
            assert_eq!(what(&create[0]), "create characters");
            refuse(&mut d, &create[0], "conflict");
            d.advance(1);
        }
        let configuration = asked(&mut d);
        assert_eq!(what(&configuration[0]), "configure characters");
        assert_eq!(configuration[0].value("type"), "get");
        if !is_owner {
            d.error(&configuration[0], "auth", "forbidden");
        } else {
            d.result(&configuration[0], &ejabberd_node(&[]));
            let create = asked(&mut d);
            assert_eq!(what(&create[0]), "create characters#occupants");
            if completes {
                d.result(&create[0], "");
                let publish = answer_join(&mut d, "", "");
                echo(&mut d, &publish[0]);
                assert_eq!(sees(&mut d)[0], "JC available 100 110 201");
                continue;
            }
            refuse(&mut d, &create[0], "conflict");
        }
        assert_eq!(asks(&mut d), UNDO, "what was said in it is not deleted");
        // A conflict would be one about the nick.
        assert_eq!(sees(&mut d), ["presence JC: service-unavailable for join"]);
    }
}

#[test]
fn who_may_not_create_is_told() {
    let mut d = session();
    join(&mut d, MUC);
    is_missing(&mut d);
    let create = asked(&mut d);
    refuse(&mut d, &create[0], "forbidden");
    assert_eq!(asks(&mut d), UNDO);
    assert_eq!(sees(&mut d), ["presence JC: not-allowed for join"]);
}

#[test]
fn a_room_without_its_second_node_is_deleted() {
    let mut d = session();
    join(&mut d, MUC);
    is_missing(&mut d);
    let create = asked(&mut d);
    d.result(&create[0], "");
    let create = asked(&mut d);
    refuse(&mut d, &create[0], "conflict");
    assert_eq!(asks(&mut d), ["delete characters", UNDO[0], UNDO[1]]);
    assert_eq!(sees(&mut d), ["presence JC: service-unavailable for join"]);
}

#[test]
fn a_closed_room_says_whom_it_lets_in() {
    // As ejabberd says it.
    let mut d = session();
    join(&mut d, MUC);
    let requests = asked(&mut d);
    d.server(&format!(
        "<iq from='{SERVICE}' to='{JULIET}' type='error' id='{}'><error code='405' type='cancel'><not-allowed \
         xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><closed-node \
         xmlns='http://jabber.org/protocol/pubsub#errors'/></error></iq>",
        requests[0].value("id")
    ));
    assert_eq!(asks(&mut d), UNDO);
    assert_eq!(
        sees(&mut d),
        ["presence JC: registration-required for join"]
    );

    // Prosody says the same to who is not a member and to who is banned.
    for (access, condition) in [
        ("whitelist", "registration-required"),
        ("open", "forbidden"),
    ] {
        let mut d = session();
        join(&mut d, MUC);
        for iq in asked(&mut d) {
            refuse(&mut d, &iq, "forbidden");
        }
        let info = asked(&mut d);
        assert_eq!(
            info.iter().map(what).collect::<Vec<_>>(),
            ["query characters"]
        );
        d.result(
            &info[0],
            &format!(
                "<query xmlns='http://jabber.org/protocol/disco#info' node='{TALK}'><x xmlns='jabber:x:data' \
                 type='result'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#meta-data\
                 </value></field><field var='pubsub#access_model'><value>{access}</value></field></x></query>"
            ),
        );
        assert_eq!(asks(&mut d), UNDO, "{access}");
        assert_eq!(sees(&mut d), [format!("presence JC: {condition} for join")]);
    }
}

#[test]
fn a_nick_of_another_account_is_taken() {
    let mut d = session();
    join(&mut d, MUC);
    assert_eq!(
        answer_join(&mut d, &occupant(ROMEO, "JC", ""), "")
            .iter()
            .map(what)
            .collect::<Vec<_>>(),
        UNDO
    );
    assert_eq!(sees(&mut d), ["presence JC: conflict for join"]);

    // One of whoever has left is free, and so is one of the own account's.
    for item in [
        occupant_gone(ROMEO, "JC"),
        occupant("juliet@capulet.lit/chamber", "JC", ""),
    ] {
        let mut d = session();
        join(&mut d, MUC);
        let publish = answer_join(&mut d, &item, "");
        echo(&mut d, &publish[0]);
        assert_eq!(sees(&mut d)[0], "JC available 100 110");
    }
}

#[test]
fn who_stood_in_another_item_stays_in_it() {
    // Both items would be there for whoever comes later, and the older one last.
    for kind in ["", " type='unavailable'"] {
        let mut d = session();
        join(&mut d, MUC);
        let before = item_by(JULIET, JULIET, "Julia", kind, "");
        let publish = answer_join(&mut d, &before, "");
        assert_eq!(what(&publish[0]), format!("publish {OCCUPANTS} {JULIET}"));
    }
}

#[test]
fn an_item_another_resource_has_taken_is_left_to_it() {
    let mut d = joined();
    let other = occupant("juliet@capulet.lit/chamber", "Julia", "");
    happens(&mut d, OCCUPANTS, &other);
    assert_eq!(asks(&mut d), [format!("publish {OCCUPANTS} {JULIET}")]);
    happens(&mut d, OCCUPANTS, &other);
    assert_eq!(asks(&mut d), [""; 0]);
}

#[test]
fn another_resource_has_another_item() {
    let mut d = session();
    join(&mut d, MUC);
    let publish = answer_join(
        &mut d,
        &occupant("juliet@capulet.lit/chamber", "Julia", ""),
        "",
    );
    assert_eq!(what(&publish[0]), format!("publish {OCCUPANTS} {JULIET}"));
    // Somebody else's item has that name, too.
    refuse(&mut d, &publish[0], "forbidden");
    let again = asked(&mut d);
    let named = format!("publish {OCCUPANTS} {JULIET}/");
    assert!(what(&again[0]).starts_with(&named), "{again:#?}");
    refuse(&mut d, &again[0], "forbidden");
    assert_eq!(sees(&mut d), ["presence JC: forbidden for join"]);
}

#[test]
fn of_two_who_want_a_nick_the_later_yields() {
    let mut d = session();
    join(&mut d, MUC);
    answer_join(&mut d, "", "");
    happens(&mut d, OCCUPANTS, &occupant(ROMEO, "JC", ""));
    assert_eq!(
        asks(&mut d),
        [
            "publish characters#occupants juliet@capulet.lit unavailable",
            UNDO[0],
            UNDO[1]
        ]
    );
    assert_eq!(sees(&mut d), ["presence JC: conflict for join"]);
    // Who was first keeps it: the other one is seen to yield.
    let mut d = joined_with("", "");
    d.forget();
    happens(&mut d, OCCUPANTS, &occupant(ROMEO, "JC", ""));
    assert_eq!(sees(&mut d), ["JC (romeo@montague.lit) available"]);
    happens(&mut d, OCCUPANTS, &occupant_gone(ROMEO, "JC"));
    assert_eq!(sees(&mut d), ["JC (romeo@montague.lit) unavailable"]);
}

#[test]
fn a_service_that_says_nothing_is_not_waited_for() {
    let mut d = session();
    join(&mut d, MUC);
    asked(&mut d);
    d.advance(60);
    assert_eq!(
        sees(&mut d),
        ["presence JC: remote-server-timeout for join"]
    );
    assert_eq!(asks(&mut d), UNDO);
    // A server that goes answers nothing more.
    join(&mut d, MUC);
    d.forget();
    d.input(Input::Eof(Leg::Server));
    let shown = d.client_bytes();
    let (refused, _) = shown.split_once("</presence>").unwrap();
    let refused = Node::stanza(&format!("{refused}</presence>"));
    assert_eq!(
        super::shown(&refused),
        "presence JC: remote-server-timeout for join"
    );
}

#[test]
fn many_rooms_are_joined_in_turn() {
    let mut d = session();
    for n in 0..100 {
        d.client(&format!(
            "<presence to='r{n}@{SERVICE}/JC' id='r{n}'>{MUC}</presence>"
        ));
    }
    let mut joined = 0;
    for _ in 0..100 {
        for iq in asked(&mut d) {
            match iq.find("pubsub/publish").is_some() {
                true => echo(&mut d, &iq),
                false => d.result(&iq, ""),
            }
        }
        let shown = d.client_got();
        joined += shown.iter().filter(|it| it.local == "presence").count();
        assert!(shown.iter().all(|it| !it.has("error")), "{shown:#?}");
        d.advance(1);
    }
    assert_eq!(joined, 100);
}

#[test]
fn what_cannot_be_a_room_is_refused_here() {
    let mut d = session();
    for (to, condition) in [
        (ROOM.to_owned(), "jid-malformed"),
        (format!("{OCCUPANTS}@{SERVICE}/JC"), "not-acceptable"),
        (
            format!("{}@{SERVICE}/JC", "x".repeat(221)),
            "not-acceptable",
        ),
    ] {
        d.client(&format!("<presence to='{to}' id='join'>{MUC}</presence>"));
        let refused = d.one_to_client();
        assert_eq!((refused.value("from"), refused.value("id")), (&*to, "join"));
        assert!(refused.has(&format!("error/{condition}")), "{refused:#?}");
        assert_eq!(d.server_bytes(), "");
    }
    // However it is written, it is the same room.
    d.client(&format!(
        "<presence to='Characters@Chat.Shakespeare.lit/JC' id='join'>{MUC}</presence>"
    ));
    assert_eq!(asks(&mut d), JOIN);
}

#[test]
fn rooms_that_are_left_to_classic_xmpp_pass() {
    let off = |policy, native: &[Function]| Options {
        rooms: vec![SERVICE.into()],
        native: native.to_vec(),
        ..options(policy)
    };
    for options in [
        off(Policy::Auto, &[Function::Rooms]),
        off(Policy::Off, &[]),
        options(Policy::Auto),
    ] {
        let mut d = Driver::logged_in(JULIET, options);
        join(&mut d, MUC);
        let passed = d.one_to_server();
        assert_eq!(passed.value("to"), format!("{ROOM}/JC"));
        happens(&mut d, TALK, &body(ROMEO, "Romeo", "m1", 1));
        assert!(d.one_to_client().has("event"));
    }
}
