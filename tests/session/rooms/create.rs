//! A room that is not there yet.

use super::owner::grant;
use super::*;

/// The owner sends the form of the room with these fields.
fn send_form(d: &mut Driver, id: &str, fields: &str) {
    d.client(&format!(
        "<iq type='set' id='{id}' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'>{fields}</x></query></iq>"
    ));
}

#[test]
fn a_missing_room_is_created_by_who_knows_rooms() {
    let mut d = joining_a_missing_room();
    let create = asked_for(&mut d, "create characters");
    let fields = create.fields();
    assert_eq!(
        fields["pubsub#access_model"], "whitelist",
        "locked until accepted"
    );
    assert_eq!(fields["pubsub#publish_model"], "subscribers");
    assert_eq!(fields["pubsub#send_last_published_item"], "never");
    d.result(&create, "");
    let create = asked_for(&mut d, "create characters#occupants");
    d.result(&create, "");
    let_in_as(&mut d, &info("whitelist", &[OWN], 1), "", "");
    let own = seen(&mut d, "JC available 100 110 201");
    let joined = Event::RoomJoined {
        room: ROOM.into(),
        nick: "JC".into(),
        is_new: true,
    };
    assert!(d.events().contains(&joined));
    assert_eq!(own.at("x/item").value("affiliation"), "owner");

    // The owner accepts it: both nodes are opened, then he is answered.
    send_form(&mut d, "accept", "");
    for node in [OCCUPANTS, TALK] {
        let configure = asked_for(&mut d, &format!("configure {node}"));
        assert_eq!(configure.fields()["pubsub#access_model"], "open");
        assert_eq!(sees(&mut d), [""; 0]);
        d.result(&configure, "");
    }
    let got = d.client_got();
    assert_eq!(shown(&got[0]), "result  accept");
    // The creator of a room is told once that others need pubshim to see it.
    assert_eq!(got[1].value("from"), ROOM);
    let told = &got[1].at("body").text;
    assert_has(told, "behind pubshim");
}

#[test]
fn the_form_of_a_new_room_is_asked_for_behind_the_join() {
    let mut d = session();
    join(&mut d, MUC);
    d.client(&format!(
        "<iq type='get' id='form' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>"
    ));
    is_missing(&mut d);
    is_created(&mut d);
    let publish = answer_join_as(&mut d, &info("whitelist", &[OWN], 1), "", "");
    echo(&mut d, &publish[0]);
    let shown = sees(&mut d);
    assert_eq!(shown[0], "JC available 100 110 201");
    assert_eq!(asks(&mut d), ["configure characters"]);
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
    let mut d = joining_a_missing_room();
    is_created(&mut d);
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
        let create = asked_for(&mut d, "create characters");
        refuse(&mut d, &create, "conflict");
        assert_eq!(asks(&mut d), [""; 0]);
        d.advance(1);
    }
    // The room has both its nodes now.
    let_in(&mut d, "", "");
    assert_eq!(sees(&mut d)[0], "JC available 100 110");
}

#[test]
fn a_room_half_made_is_completed_by_its_owner() {
    for (is_owner, completes) in [(true, true), (true, false), (false, false)] {
        let mut d = session();
        join(&mut d, MUC);
        for _ in 0..4 {
            is_missing(&mut d);
            let create = asked_for(&mut d, "create characters");
            refuse(&mut d, &create, "conflict");
            d.advance(1);
        }
        let configuration = asked_for(&mut d, "configure characters");
        assert_eq!(configuration.value("type"), "get");
        if !is_owner {
            d.error(&configuration, "auth", "forbidden");
        } else {
            d.result(&configuration, &ejabberd_node(&[]));
            let create = asked_for(&mut d, "create characters#occupants");
            if completes {
                d.result(&create, "");
                let_in(&mut d, "", "");
                assert_eq!(sees(&mut d)[0], "JC available 100 110 201");
                continue;
            }
            refuse(&mut d, &create, "conflict");
            let twin = asked_for(&mut d, "configure characters#occupants");
            d.error(&twin, "auth", "forbidden");
        }
        assert_eq!(asks(&mut d), UNDO, "what was said in it is not deleted");
        // `conflict` would tell the client that its nick is taken.
        assert_eq!(sees(&mut d), ["presence JC: service-unavailable for join"]);
    }
}

#[test]
fn who_may_not_create_is_told() {
    let mut d = joining_a_missing_room();
    let create = asked(&mut d);
    refuse(&mut d, &create[0], "forbidden");
    assert_eq!(asks(&mut d), UNDO);
    let refused = d.one_to_client();
    assert_eq!(shown(&refused), "presence JC: not-allowed for join");
    assert!(refused.at("error/text").text.contains("may not create"));
    assert_eq!(
        refused.at("x").namespace,
        "http://jabber.org/protocol/muc",
        "some clients know a join by it alone"
    );
    let said = Event::RoomRefused {
        room: ROOM.into(),
        reason: "not-allowed".into(),
    };
    assert!(d.events().contains(&said));
}

#[test]
fn a_room_without_its_second_node_is_deleted() {
    let mut d = joining_a_missing_room();
    let create = asked_for(&mut d, CREATE[0]);
    d.result(&create, "");
    let create = asked_for(&mut d, CREATE[1]);
    refuse(&mut d, &create, "conflict");
    // The node may be the client's own, made another day.
    let twin = asked_for(&mut d, "configure characters#occupants");
    d.error(&twin, "auth", "forbidden");
    assert_eq!(asks(&mut d), ["delete characters", UNDO[0], UNDO[1]]);
    assert_eq!(sees(&mut d), ["presence JC: service-unavailable for join"]);

    let mut d = joining_a_missing_room();
    let create = asked_for(&mut d, CREATE[0]);
    d.result(&create, "");
    let create = asked_for(&mut d, CREATE[1]);
    refuse(&mut d, &create, "conflict");
    let twin = asked_for(&mut d, "configure characters#occupants");
    d.result(&twin, &ejabberd_node(&[]));
    let_in(&mut d, "", "");
    assert_eq!(sees(&mut d)[0], "JC available 100 110 201");
}

#[test]
fn a_room_is_created_open_if_the_user_says_so() {
    let mut d = session_with(Policy::Auto, true);
    join(&mut d, MUC);
    is_missing(&mut d);
    for words in CREATE {
        let create = asked_for(&mut d, words);
        assert_eq!(create.fields()["pubsub#access_model"], "open");
        d.result(&create, "");
    }
}

/// The configuration of the room node, as its owner is told.
fn configuration(access: &str, title: &str) -> String {
    format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='{TALK}'>\
         <x xmlns='jabber:x:data' type='form'><field var='pubsub#access_model'><value>{access}</value></field>\
         <field var='pubsub#title'><value>{title}</value></field></x></configure></pubsub>"
    )
}

/// The owner submits `fields` in the form of a room with this access model: the requests, and the answers he sees.
fn submit(access: &str, fields: &str) -> (Vec<String>, Vec<String>) {
    let mut d = session();
    join(&mut d, MUC);
    let_in_as(&mut d, &info(access, &[OWN], 1), "", "");
    answer_watch(&mut d);
    d.forget();
    send_form(&mut d, "c", fields);
    grant(&mut d, "configure characters", &configuration(access, ""));
    (asks(&mut d), sees(&mut d))
}

#[test]
fn a_room_for_members_is_opened_by_its_owners_word_alone() {
    let members =
        |value| format!("<field var='muc#roomconfig_membersonly'><value>{value}</value></field>");
    let done = (vec![], vec!["result  c".to_owned()]);
    assert_eq!(submit("whitelist", ""), done);
    assert_eq!(submit("whitelist", &members(1)), done);
    assert_eq!(submit("open", ""), done);
    assert_eq!(submit("open", &members(0)), done);
    assert_eq!(
        submit("whitelist", &members(0)),
        (vec!["configure characters#occupants".to_owned()], vec![])
    );
    assert_eq!(
        submit("open", &members(1)),
        (vec!["affiliations characters".to_owned()], vec![]),
        "whoever is no member has to go"
    );
}

#[test]
fn a_room_that_could_not_be_opened_stays_locked() {
    let mut d = in_new_room();
    let name = "<field var='muc#roomconfig_roomname'><value>Cave</value></field>";
    send_form(&mut d, "c", name);
    let configure = asked(&mut d);
    d.error(&configure[0], "wait", "internal-server-error");
    assert_eq!(sees(&mut d), ["iq : internal-server-error for c"]);
    // The second attempt succeeds; the room has its name.
    send_form(&mut d, "c", name);
    for (node, title) in [(OCCUPANTS, None), (TALK, Some("Cave"))] {
        let configure = asked_for(&mut d, &format!("configure {node}"));
        let fields = configure.fields();
        assert_eq!(fields["pubsub#access_model"], "open");
        assert_eq!(fields.get("pubsub#title").map(String::as_str), title);
        d.result(&configure, "");
    }
    assert_eq!(sees(&mut d)[0], "result  c");
    d.client(&format!(
        "<iq type='get' id='g' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>"
    ));
    // Another client of the owner's may have changed it since: the service is asked.
    let get = asked_for(&mut d, "configure characters");
    d.result(&get, &configuration("whitelist", "Den"));
    let form = d.one_to_client();
    assert_eq!(form.fields()["muc#roomconfig_roomname"], "Den");
    assert_eq!(form.fields()["muc#roomconfig_membersonly"], "1");
}
