//! Messages that the client published and saw no event of; fields that an event leaves out.

use super::*;

/// Juliet speaks in the room; her publish.
fn speak(d: &mut Driver) -> Node {
    say_to_all(d, "m1", "<body>But soft</body>");
    one(&asked(d), "publish characters").clone()
}

/// The same; the service acknowledges the publish and sends her no event.
fn say_unheard(d: &mut Driver) -> Node {
    let publish = speak(d);
    d.result(&publish, "");
    publish
}

#[test]
fn a_message_whose_event_does_not_come_is_shown_all_the_same() {
    let mut d = joined();
    let publish = say_unheard(&mut d);
    d.advance(4);
    assert_eq!((asks(&mut d), sees(&mut d)), (vec![], vec![]));
    d.advance(1);
    let list = asked_for(&mut d, "subscriptions characters");
    d.result(&list, &subscriptions(TALK, &[JULIET]));
    let own = d.one_to_client();
    assert_eq!((&*shown(&own), own.value("id")), ("JC says But soft", "m1"));
    // An event that comes after all is not shown again.
    echo(&mut d, &publish);
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn who_is_not_subscribed_any_more_is_out() {
    for others in [&[][..], &[ROMEO]] {
        let mut d = joined();
        say_unheard(&mut d);
        d.advance(5);
        let list = asked_for(&mut d, "subscriptions characters");
        d.result(&list, &subscriptions(TALK, others));
        assert_eq!(
            sees(&mut d),
            ["message : not-acceptable for m1", "JC unavailable 110 307"]
        );
        // The publish may have made a node.
        let look = asked_for(&mut d, "query characters");
        d.result(&look, &info("open", &[OWN], 0));
        let look = asked_for(&mut d, "query characters#occupants");
        refuse(&mut d, &look, "item-not-found");
        assert_eq!(asks(&mut d), ["delete characters"]);
    }
    // An answer that does not say puts nobody out.
    let mut d = joined();
    say_unheard(&mut d);
    d.advance(5);
    let list = asked_for(&mut d, "subscriptions characters");
    d.error(&list, "wait", "internal-server-error");
    assert_eq!(sees(&mut d), ["JC says But soft"]);
}

#[test]
fn a_status_whose_event_does_not_come_is_shown_all_the_same() {
    let mut d = joined();
    d.client(&format!(
        "<presence to='{ROOM}/Julia' id='p'><show>away</show></presence>"
    ));
    let publish = asked_for(&mut d, PUBLISH_OWN);
    d.result(&publish, "");
    d.advance(5);
    let list = asked_for(&mut d, "subscriptions characters#occupants");
    d.result(&list, &subscriptions(OCCUPANTS, &[JULIET]));
    assert_eq!(
        sees(&mut d),
        ["JC unavailable now Julia 303 110", "Julia available 110"]
    );
}

#[test]
fn a_message_under_way_at_the_end_comes_back() {
    // The client leaves, and then the message is refused.
    let mut d = joined();
    let publish = speak(&mut d);
    leave(&mut d);
    d.forget();
    d.error(&publish, "auth", "forbidden");
    assert_eq!(sees(&mut d), ["message : forbidden for m1"]);
    // The client is kicked.
    let mut d = joined();
    let publish = speak(&mut d);
    subscription_is(&mut d, TALK, JULIET, "none");
    d.error(&publish, "auth", "forbidden");
    assert_eq!(
        sees(&mut d),
        ["JC unavailable 110 307", "message : forbidden for m1"]
    );
    // The server goes.
    let mut d = joined();
    speak(&mut d);
    assert_eq!(
        server_goes(&mut d),
        ["message : remote-server-timeout for m1"]
    );
}

#[test]
fn what_is_said_into_a_deleted_room_comes_back() {
    for (owners, subscribers, is_junk) in [
        (&[OWN][..], 0, true),
        (&[OWN], 1, false),
        (&[OWN, CONTACT], 0, false),
        (&[], 0, false),
    ] {
        let mut d = joined();
        let publish = speak(&mut d);
        event_in(&mut d, &format!("<delete node='{TALK}'/>"));
        assert_eq!(
            sees(&mut d),
            ["message : item-not-found for m1", "JC unavailable destroy"]
        );
        // ejabberd has made a node of it.
        d.result(&publish, "");
        let look = asked(&mut d);
        assert_eq!(in_words(&look), [UNDO[0], "query characters"]);
        d.result(&look[1], &info("open", owners, subscribers));
        let expected: &[&str] = if is_junk { &["delete characters"] } else { &[] };
        assert_eq!(asks(&mut d), expected, "{owners:?} {subscribers}");
    }
    // With no publish under way no node is looked for.
    let mut d = joined();
    event_in(&mut d, &format!("<delete node='{TALK}'/>"));
    assert_eq!(asks(&mut d), [UNDO[0]]);
}

#[test]
fn the_last_word_in_a_deleted_room_leaves_no_node() {
    for (twin, is_junk) in [("item-not-found", true), ("forbidden", false), ("", false)] {
        let mut d = joined();
        leave(&mut d);
        let left = asked(&mut d);
        d.error(one(&left, UNDO[0]), "cancel", "unexpected-request");
        let look = asked_for(&mut d, "query characters#occupants");
        d.result(&look, &info("open", &[OWN], 0));
        let look = asked_for(&mut d, "query characters");
        assert_eq!(
            what(&look),
            "query characters",
            "a room that she has left alone has both"
        );
        match twin {
            "" => d.result(&look, &info("open", &[OWN], 0)),
            condition => refuse(&mut d, &look, condition),
        }
        let expected: &[&str] = if is_junk {
            &["delete characters#occupants"]
        } else {
            &[]
        };
        assert_eq!(asks(&mut d), expected, "{twin}");
    }
}

#[test]
fn a_payload_that_an_event_leaves_out_is_fetched_once() {
    for (node, item, expected) in [
        (TALK, body(ROMEO, "Romeo", "i1", 1), "Romeo says i1"),
        (
            OCCUPANTS,
            item_by(ROMEO, "i1", "Montague", "", ""),
            "Montague available",
        ),
    ] {
        let mut d = joined();
        happens(&mut d, node, "<item id='i1'/>");
        let fetch = asked_for(&mut d, &format!("items {node}"));
        assert_eq!(fetch.at("pubsub/items/item").value("id"), "i1");
        d.result(&fetch, &items(node, &item));
        assert_eq!(sees(&mut d).pop().as_deref(), Some(expected));
        // An answer without the item's payload shows nothing.
        happens(&mut d, node, "<item id='i2'/>");
        let fetch = asked_for(&mut d, &format!("items {node}"));
        d.result(&fetch, &items(node, "<item id='i2'/>"));
        assert_eq!((asks(&mut d), sees(&mut d)), (vec![], vec![]));
    }
}

#[test]
fn a_refused_status_is_not_published_again() {
    let mut d = joined();
    d.client(&format!(
        "<presence to='{ROOM}/JC' id='p1'><show>dnd</show></presence>"
    ));
    let publish = asked(&mut d);
    d.error(&publish[0], "wait", "internal-server-error");
    assert_eq!(sees(&mut d), ["presence JC: internal-server-error for p1"]);
    happens(&mut d, OCCUPANTS, &format!("<retract id='{OWN}'/>"));
    d.advance(2);
    let again = asked_for(&mut d, PUBLISH_OWN);
    assert!(!again.at("pubsub/publish/item/presence").has("show"));
}
