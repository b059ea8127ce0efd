//! Into a room, or not.

use super::*;

#[test]
fn a_join_is_one_write_and_shows_all_in_order() {
    let mut d = session();
    join(&mut d, MUC);
    let mut requests = asked(&mut d);
    assert_eq!(in_words(&requests), JOIN);
    let room = requests.remove(0);
    d.result(&room, &info("open", &["abbot@verona.lit"], 1));
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
    assert_eq!(what(&publish[0]), PUBLISH_OWN);
    let presence = publish[0].at("pubsub/publish/item/presence");
    assert_eq!(presence.value("from"), format!("{ROOM}/JC"));
    assert_eq!(
        presence.at("x").namespace,
        MUC_USER,
        "what was asked of the room is not for others"
    );
    assert_eq!(presence.at("x/item").value("jid"), JULIET);
    // Messages that come during the join are shown behind the history.
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
    assert_eq!((asks(&mut d), sees(&mut d)), (vec![], vec![]));
    d.advance(1);
    let list = asked_for(&mut d, "subscriptions characters#occupants");
    d.result(&list, &subscriptions(OCCUPANTS, &[JULIET]));
    assert_eq!(sees(&mut d), ["JC available 100 110", " sets "]);

    // A client that is not subscribed is not in the room.
    let mut d = session();
    join(&mut d, MUC);
    let publish = answer_join(&mut d, "", "");
    d.result(&publish[0], "");
    d.advance(5);
    let list = asked_for(&mut d, "subscriptions characters#occupants");
    d.result(&list, &subscriptions(OCCUPANTS, &[ROMEO]));
    assert_eq!(sees(&mut d), ["presence JC: forbidden for join"]);
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
        requests[1].value("id")
    ));
    assert_eq!(asks(&mut d), UNDO);
    assert_eq!(
        sees(&mut d),
        ["presence JC: registration-required for join"]
    );

    // ejabberd has an error of its own for a banned account. Prosody, which names no owners, gives one error to both.
    let owners: &[&str] = &["abbot@verona.lit"];
    for (owners, access, condition) in [
        (owners, "whitelist", "forbidden"),
        (owners, "open", "forbidden"),
        (&[], "whitelist", "registration-required"),
        (&[], "open", "forbidden"),
    ] {
        let mut d = session();
        join(&mut d, MUC);
        let requests = asked(&mut d);
        d.result(&requests[0], &info(access, owners, 1));
        for iq in &requests[1..] {
            refuse(&mut d, iq, "forbidden");
        }
        let asks_owners = owners.is_empty().then_some("affiliations characters");
        let expected: Vec<_> = asks_owners.into_iter().chain(UNDO).collect();
        assert_eq!(asks(&mut d), expected, "{access}");
        let refused = d.one_to_client();
        let words = format!("presence JC: {condition} for join");
        assert_eq!(shown(&refused), words);
        let text = &refused.at("error/text").text;
        let is_either = condition == "registration-required";
        assert_eq!(text.contains("or you are banned"), is_either, "{text}");
    }
}

#[test]
fn a_nick_of_another_account_is_taken() {
    for (pong, says_nothing) in [("", false), ("", true), ("not-acceptable", false)] {
        let mut d = session();
        join(&mut d, MUC);
        let ping = answer_join(&mut d, &occupant(ROMEO, "JC", ""), "");
        assert_eq!(in_words(&ping), [format!("ping {ROMEO}")]);
        assert_eq!(ping[0].at("ping/shim").value("room"), ROOM);
        match (says_nothing, pong) {
            // An occupant who does not answer may be asleep.
            (true, _) => d.advance(5),
            (_, "") => d.result(&ping[0], ""),
            (_, condition) => refuse(&mut d, &ping[0], condition),
        }
        assert_eq!(asks(&mut d), UNDO);
        assert_eq!(sees(&mut d), ["presence JC: conflict for join"]);
    }

    // The nick of an occupant who has left is free, and so is one of the own account's.
    let own = "juliet@capulet.lit/chamber";
    for item in [occupant_gone(ROMEO, "JC"), item_by(own, own, "JC", "", "")] {
        let mut d = joined_with(&item, "");
        assert_eq!(sees(&mut d)[0], "JC available 100 110");
    }
}

#[test]
fn who_stood_in_another_item_stays_in_it() {
    // With a second item, later occupants would see both, the older one last.
    for kind in ["", " type='unavailable'"] {
        let mut d = session();
        join(&mut d, MUC);
        let before = item_by(JULIET, JULIET, "Julia", kind, "");
        let publish = answer_join(&mut d, &before, "");
        assert_eq!(what(&publish[0]), format!("publish {OCCUPANTS} {JULIET}"));
    }
}

#[test]
fn the_nick_of_who_has_vanished_is_free() {
    let mut d = session();
    join(&mut d, MUC);
    let tablet = "romeo@montague.lit/tablet";
    let both = occupant(ROMEO, "JC", "") + &item_by(tablet, tablet, "JC", "", "");
    let ping = answer_join(&mut d, &both, "");
    refuse(&mut d, &ping[0], "service-unavailable");
    let ping = asked_for(&mut d, "ping romeo@montague.lit/tablet");
    // The shim answers that its client is not in the room.
    refuse(&mut d, &ping, "item-not-found");
    let publish = asked_for(&mut d, PUBLISH_OWN);
    echo(&mut d, &publish);
    assert_eq!(sees(&mut d), ["JC available 100 110", " sets "]);
}

#[test]
fn who_tries_nicks_without_end_is_told_to_wait() {
    let mut d = session();
    for n in 0..7 {
        join(&mut d, MUC);
        let ping = answer_join(&mut d, &occupant(ROMEO, "JC", ""), "");
        if n < 5 {
            d.result(&ping[0], "");
            assert_eq!(sees(&mut d), ["presence JC: conflict for join"], "{n}");
        } else {
            assert_eq!(
                (ping.len(), sees(&mut d)),
                (
                    0,
                    vec!["presence JC: resource-constraint for join".to_owned()]
                )
            );
        }
        d.forget();
    }
    // Other rooms are counted apart, and ten seconds later this one is open again.
    d.client(&format!(
        "<presence to='other@{SERVICE}/JC' id='join'>{MUC}</presence>"
    ));
    assert_eq!(asked(&mut d).len(), JOIN.len());
    d.advance(11);
    d.forget();
    join(&mut d, MUC);
    assert_eq!(asks(&mut d), JOIN);
}

#[test]
fn whose_room_it_is_is_shown() {
    // ejabberd names the owners to everybody, Prosody to the owners alone.
    for (named, listed) in [
        (&[OWN, "abbot@verona.lit"][..], None),
        (&[], Some(true)),
        (&[], Some(false)),
    ] {
        let mut d = session();
        join(&mut d, MUC);
        let requests = asked(&mut d);
        d.result(one(&requests, "query characters"), &info("open", named, 1));
        for iq in &requests[1..] {
            let answer = match &*what(iq) {
                "items characters#occupants" => {
                    items(OCCUPANTS, &occupant("abbot@verona.lit/cell", "Abbot", ""))
                }
                _ => String::new(),
            };
            d.result(iq, &answer);
        }
        let mut publish = asked(&mut d);
        if let Some(is_owner) = listed {
            let list = publish.remove(0);
            assert_eq!(what(&list), "affiliations characters");
            match is_owner {
                true => d.result(
                    &list,
                    &format!(
                        "<pubsub xmlns='{PUBSUB}#owner'><affiliations node='{TALK}'><affiliation jid='{OWN}' \
                         affiliation='owner'/><affiliation jid='{CONTACT}' affiliation='member'/></affiliations></pubsub>"
                    ),
                ),
                false => d.error(&list, "auth", "forbidden"),
            }
            publish = asked(&mut d);
        }
        echo(&mut d, &publish[0]);
        let shown = d.client_got();
        let of = |n: usize| {
            let item = shown[n].at("x/item");
            [item.value("affiliation"), item.value("role")].join(" ")
        };
        let (owner, other) = ("owner moderator", "none participant");
        assert_eq!(of(0), if listed.is_none() { owner } else { other });
        assert_eq!(of(1), if listed == Some(false) { other } else { owner });
    }
}

#[test]
fn a_second_join_shows_everything_again() {
    let mut d = joined();
    join(&mut d, MUC);
    let publish = answer_join(
        &mut d,
        &(occupant(ROMEO, "Romeo", "") + &occupant(JULIET, "JC", "")),
        &body(ROMEO, "Romeo", "m1", 1),
    );
    assert_eq!(what(&publish[0]), PUBLISH_OWN);
    echo(&mut d, &publish[0]);
    assert_eq!(
        sees(&mut d),
        [
            "Romeo available",
            "JC available 100 110",
            "Romeo says m1 late",
            " sets "
        ]
    );
    // A status is no join.
    d.client(&format!(
        "<presence to='{ROOM}/JC' id='p'><show>away</show></presence>"
    ));
    assert_eq!(asks(&mut d), [PUBLISH_OWN]);
}

#[test]
fn another_resource_has_another_item() {
    let mut d = session();
    join(&mut d, MUC);
    let own = occupant("juliet@capulet.lit/chamber", "Julia", "");
    let ping = answer_join(&mut d, &own, "");
    assert_eq!(what(&ping[0]), "ping juliet@capulet.lit/chamber");
    d.result(&ping[0], "");
    let publish = asked(&mut d);
    assert_eq!(what(&publish[0]), format!("publish {OCCUPANTS} {JULIET}"));
    // Another account has an item of that name, too.
    refuse(&mut d, &publish[0], "forbidden");
    let again = asked(&mut d);
    let named = format!("publish {OCCUPANTS} {JULIET}/");
    assert!(what(&again[0]).starts_with(&named), "{again:#?}");
    refuse(&mut d, &again[0], "forbidden");
    assert_eq!(sees(&mut d), ["presence JC: forbidden for join"]);

    // The item of a dead resource is taken over.
    let mut d = session();
    join(&mut d, MUC);
    let ping = answer_join(&mut d, &own, "");
    refuse(&mut d, &ping[0], "service-unavailable");
    assert_eq!(asks(&mut d), [format!("publish {OCCUPANTS} {OWN}")]);
}

#[test]
fn of_two_who_want_a_nick_the_later_yields() {
    let mut d = session();
    join(&mut d, MUC);
    answer_join(&mut d, "", "");
    happens(&mut d, OCCUPANTS, &occupant(ROMEO, "JC", ""));
    assert_eq!(asks(&mut d), LEAVE);
    assert_eq!(sees(&mut d), ["presence JC: conflict for join"]);
    // The first to have the nick keeps it: the other one is seen to yield.
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
    assert_eq!(
        server_goes(&mut d),
        ["presence JC: remote-server-timeout for join"]
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
    // Capitals do not make another room.
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
    for options in [off(Policy::Auto, &[Function::Rooms]), off(Policy::Off, &[])] {
        let mut d = Driver::logged_in(JULIET, options);
        join(&mut d, MUC);
        let passed = d.one_to_server();
        assert_eq!(passed.value("to"), format!("{ROOM}/JC"));
        happens(&mut d, TALK, &body(ROMEO, "Romeo", "m1", 1));
        assert!(d.one_to_client().has("event"));
    }
}
