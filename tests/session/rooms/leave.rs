//! Out of a room, willingly or not.

use super::*;

#[test]
fn who_leaves_is_out_at_once() {
    let mut d = joined();
    d.client(&format!(
        "<presence to='{ROOM}/JC' type='unavailable'><status>Farewell</status></presence>"
    ));
    assert_eq!(sees(&mut d), ["JC unavailable 110"]);
    let sent = asked(&mut d);
    assert_eq!(in_words(&sent), LEAVE);
    assert_eq!(
        sent[0].at("pubsub/publish/item/presence/status").text,
        "Farewell"
    );
    // An event that is late is not shown.
    happens(&mut d, TALK, &body(ROMEO, "Romeo", "m1", 1));
    assert_eq!(
        (d.client_bytes(), d.dropped()),
        (String::new(), vec![Dropped::NotSubscribed])
    );
}

#[test]
fn who_sends_a_room_an_error_has_left_it() {
    let mut d = joined();
    d.client(&format!(
        "<presence to='{ROOM}/JC' type='error'><status>Crashed</status><error type='cancel'><service-unavailable \
         xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
    ));
    assert_eq!(sees(&mut d), ["JC unavailable 110"]);
    let sent = asked(&mut d);
    assert_eq!(in_words(&sent), LEAVE);
    let gone = sent[0].at("pubsub/publish/item/presence");
    let names: Vec<_> = gone.children.iter().map(|it| &*it.local).collect();
    assert_eq!(names, ["status", "x"]);
}

#[test]
fn who_leaves_while_joining_undoes_it() {
    let mut d = session();
    join(&mut d, MUC);
    let requests = asked(&mut d);
    leave(&mut d);
    assert_eq!(asks(&mut d), UNDO, "nobody was told that she came");
    assert_eq!(sees(&mut d), ["JC unavailable 110"]);
    // The client joins again: answers to the first requests do not answer the second ones.
    join(&mut d, MUC);
    let again = asked(&mut d);
    assert_eq!(in_words(&again), JOIN);
    for iq in requests {
        d.result(&iq, "");
    }
    assert_eq!((asks(&mut d), d.client_bytes()), (vec![], String::new()));
    for iq in again {
        d.result(&iq, "");
    }
    assert_eq!(asks(&mut d), [PUBLISH_OWN]);
}

#[test]
fn who_is_gone_is_in_no_room() {
    let mut d = joined();
    d.client("<presence type='unavailable'/>");
    let about_rooms = |sent: Vec<Node>| -> Vec<String> {
        let to_room = |it: &&Node| it.attribute("to") == Some(SERVICE);
        sent.iter().filter(to_room).map(what).collect()
    };
    assert_eq!(about_rooms(d.server_got()), LEAVE);

    let mut d = joined();
    d.client("</stream:stream>");
    let sent = d.server_bytes();
    let stanzas = sent.strip_suffix("</stream:stream>").unwrap();
    // Said before the end.
    assert_eq!(about_rooms(Node::stream(stanzas)), LEAVE);
}

#[test]
fn who_is_kicked_is_told() {
    // ejabberd tells of the end of each subscription.
    let mut d = joined();
    subscription_is(&mut d, TALK, JULIET, "none");
    assert_eq!(sees(&mut d), ["JC unavailable 110 307"]);
    subscription_is(&mut d, OCCUPANTS, JULIET, "none");
    assert_eq!(
        (d.client_bytes(), asks(&mut d)),
        (String::new(), vec![UNDO[0].to_owned()])
    );

    // The nodes come in either order; the second one tells nothing new.
    let mut d = joined();
    subscription_is(&mut d, OCCUPANTS, JULIET, "none");
    assert_eq!(sees(&mut d), ["JC unavailable 110 307"]);
    subscription_is(&mut d, TALK, JULIET, "none");
    event_in(&mut d, &format!("<delete node='{TALK}'/>"));
    assert_eq!(d.client_bytes(), "");

    // Prosody tells only that the item is gone.
    let mut d = joined();
    happens(
        &mut d,
        OCCUPANTS,
        &format!("<retract id='{OWN}' publisher='{CONTACT}'/>"),
    );
    d.advance(2);
    let again = asked_for(&mut d, PUBLISH_OWN);
    d.error(&again, "auth", "forbidden");
    assert_eq!(sees(&mut d), ["JC unavailable 110 307"]);
}

#[test]
fn an_item_that_was_tidied_away_is_published_again() {
    let mut d = joined();
    happens(&mut d, OCCUPANTS, &format!("<retract id='{OWN}'/>"));
    assert_eq!(asks(&mut d), [""; 0], "a kick may still be under way");
    d.advance(2);
    let again = asked_for(&mut d, PUBLISH_OWN);
    d.result(&again, "");
    assert_eq!(sees(&mut d), [""; 0]);
    // A retract of another occupant's item says that he is gone.
    happens(&mut d, OCCUPANTS, &format!("<retract id='{CONTACT}'/>"));
    assert_eq!(sees(&mut d), ["Romeo unavailable"]);
    happens(&mut d, OCCUPANTS, "<retract id='nurse@capulet.lit'/>");
    assert_eq!(sees(&mut d), [""; 0]);
}

#[test]
fn a_room_that_is_deleted_is_destroyed() {
    let mut d = joined();
    event_in(&mut d, &format!("<delete node='{TALK}'/>"));
    assert_eq!(sees(&mut d), ["JC unavailable destroy"]);
    event_in(&mut d, &format!("<delete node='{OCCUPANTS}'/>"));
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn who_may_not_say_why_a_room_ends_says_nothing() {
    let mut d = joined();
    let why = format!("<x xmlns='{MUC_USER}'><destroy jid='den@{SERVICE}'/></x>");
    happens(&mut d, TALK, &line(ROMEO, "Romeo", "m1", 1000, &why));
    assert_eq!(
        (d.client_bytes(), d.dropped()),
        (String::new(), vec![Dropped::ForeignFrom])
    );
    event_in(&mut d, &format!("<delete node='{TALK}'/>"));
    let gone = d.one_to_client();
    assert_eq!(gone.at("x/destroy").attribute("jid"), None);
}

#[test]
fn what_became_of_another_subscription_is_no_kick() {
    let mut d = joined();
    for (jid, state) in [(ROMEO, "none"), (OWN, "none"), (JULIET, "subscribed")] {
        subscription_is(&mut d, TALK, jid, state);
        assert_eq!(d.client_bytes(), "", "{jid} {state}");
    }
}
