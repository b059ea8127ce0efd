//! Senders whose events are believed, and the parts of an event that are.

use pubshim::session::Dropped;

use crate::scenes::*;

const BARD: &str = "bard@shakespeare.lit/globe";

/// The children the client is shown of a payload of Juliet's with these.
#[track_caller]
fn kept(children: &str) -> Vec<Node> {
    let mut d = romeo();
    d.server(&event_of(JULIET, &payload(JULIET, "1", children)));
    d.one_to_client().children
}

/// Asserts that `taken` does not reach the client and what stands around it does.
#[track_caller]
fn assert_taken(taken: &str) {
    let (before, after) = ("<show>away</show>", "<x xmlns='urn:unknown'/>");
    let expected = Node::stanza(&format!("<presence>{before}{after}</presence>"));
    assert_eq!(
        kept(&format!("{before}{taken}{after}")),
        expected.children,
        "{taken}"
    );
}

#[track_caller]
fn assert_kept(child: &str) {
    let expected = Node::stanza(&format!("<presence>{child}</presence>"));
    assert_eq!(kept(child), expected.children, "{child}");
}

#[test]
fn a_foreign_from_is_dropped() {
    for from in [
        "romeo@montague.lit/mobile",
        "benvolio@montague.lit/pda",
        "juliet@capulet.lit",
        "juliet@capulet.lit/",
        "capulet.lit",
        "capulet.lit/balcony",
        "juliet@capulet.lit.evil.lit/balcony",
        "juliet@capulet.li/t/balcony",
        "room@muc.shakespeare.lit/juliet",
        "",
    ] {
        let event = event_of(JULIET, &payload(from, "1", ""));
        assert_dropped(&event, Dropped::ForeignFrom);
    }
    let without = payload(JULIET, "1", "").replace(&format!(" from='{JULIET}'"), "");
    assert_dropped(&event_of(JULIET, &without), Dropped::ForeignFrom);
}

#[test]
fn a_type_that_is_no_state_is_dropped() {
    for kind in [
        "subscribe",
        "subscribed",
        "unsubscribe",
        "unsubscribed",
        "probe",
        "error",
        "invisible",
        "available",
        "",
    ] {
        let payload = payload(JULIET, "1", "").replace(" id=", &format!(" type='{kind}' id="));
        assert_dropped(&event_of(JULIET, &payload), Dropped::WrongType);
    }
}

#[test]
fn what_only_a_room_may_say_is_taken_out() {
    for taken in [
        "<x xmlns='http://jabber.org/protocol/muc'/>",
        "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner' role='moderator'/><status code='110'/></x>",
        "<x xmlns='http://jabber.org/protocol/muc&#35;user'><status code='110'/></x>",
        "<x xmlns='http&#58;//jabber.org/protocol/m&#x75;c'/>",
        "<m:x xmlns:m=\"http://jabber.org/protocol/muc#user\"><m:status code='110'/></m:x>",
        "<m:x xmlns:m='http://jabber.org/protocol/muc#us&#101;r'/>",
    ] {
        assert_taken(taken);
    }
    assert_kept("<x xmlns='http://jabber.org/protocol/muc-like'/>");
    assert_kept("<y xmlns='urn:y'><x xmlns='http://jabber.org/protocol/muc#user'/></y>");
}

#[test]
fn what_only_a_server_may_say_is_taken_out() {
    for taken in [
        "<delay xmlns='urn:xmpp:delay' from='montague.lit' stamp='2020-01-01T00:00:00Z'/>",
        "<delay xmlns='urn:xmpp:delay' from='romeo@montague.lit' stamp='2020-01-01T00:00:00Z'/>",
        "<delay xmlns='urn:xmpp:dela&#121;' from='capulet.lit' stamp='2020-01-01T00:00:00Z'/>",
        "<x xmlns='jabber:x:delay' from='montague.lit' stamp='20200101T00:00:00'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' by='romeo@montague.lit' id='1'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' by='montague.lit' id='1'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' by='Romeo@Montague.lit' id='1'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' by='\u{ff2d}ontague.lit' id='1'/>",
        "<s:stanza-id xmlns:s='urn:xmpp:sid:&#48;' by='romeo@montague.lit' id='1'/>",
        "<shim xmlns='urn:pubshim:0'/>",
    ] {
        assert_taken(taken);
    }
    assert_kept(
        "<delay xmlns='urn:xmpp:delay' from='juliet@capulet.lit/balcony' stamp='2020-01-01T00:00:00Z'/>",
    );
    assert_kept("<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@capulet.lit' id='1'/>");
    assert_kept("<origin-id xmlns='urn:xmpp:sid:0' id='1'/>");
}

#[test]
fn prefixes_declared_around_the_payload_hide_nothing() {
    let mut d = romeo();
    let message = event_of(
        JULIET,
        &payload(
            JULIET,
            "1",
            "<m:x><m:status code='110'/></m:x><show>away</show>",
        ),
    )
    .replace(
        "<items ",
        "<items xmlns:m='http://jabber.org/protocol/muc#user' ",
    );
    d.server(&message);
    assert_eq!(d.one_to_client().names(), ["show"]);
}

#[test]
fn everything_else_survives_in_order() {
    let children =
        "<a xmlns='urn:a'/><b xmlns='urn:b'>text<c/></b><show>xa</show><a xmlns='urn:a'/>";
    assert_kept(children);
}

#[test]
fn a_stranger_is_dropped_and_never_asked() {
    let mut d = Driver::auto(ROMEO);
    d.keep(Question::Roster);
    for id in 0..100 {
        d.server(&event_of(BARD, &payload(BARD, &id.to_string(), "")));
        let other = format!("bard{id}@shakespeare.lit/globe");
        d.server(&event_of(&other, &payload(&other, "1", "")));
    }
    answer_roster(&mut d);
    d.assert_silent();
    let dropped = d.dropped();
    assert_eq!(dropped.len(), 200);
    d.server(&event_of(BARD, &payload(BARD, "x", "")));
    assert_eq!(d.dropped(), [Dropped::NotSubscribed]);
    d.assert_silent(); // the roster is known
}

#[test]
fn contacts_we_are_subscribed_to_are_shown() {
    for (full, is_shown) in [
        (JULIET, true),
        ("benvolio@montague.lit/pda", true),
        ("nurse@capulet.lit/chamber", false),
        ("paris@verona.lit/x", false),
    ] {
        let mut d = romeo();
        d.server(&event_of(full, &payload(full, "1", "")));
        assert_eq!(!d.client_bytes().is_empty(), is_shown, "{full}");
    }
}

#[test]
fn a_roster_push_changes_who_is_shown() {
    let push = |account: &str, subscription: &str| {
        format!(
            "<iq type='set' id='push1' to='{ROMEO}'><query xmlns='jabber:iq:roster' ver='2'>\
             <item jid='{account}' subscription='{subscription}'/></query></iq>"
        )
    };
    let mut d = romeo();
    for (subscription, is_shown) in [
        ("to", true),
        ("from", false),
        ("both", true),
        ("remove", false),
        ("none", false),
    ] {
        d.server(&push("bard@shakespeare.lit", subscription));
        d.forget();
        d.server(&event_of(BARD, &payload(BARD, subscription, "")));
        assert_eq!(!d.client_bytes().is_empty(), is_shown, "{subscription}");
    }
    // RFC 6121 §2.1.6: a push comes from the own account or without `from`.
    for from in [
        "bard@shakespeare.lit",
        "montague.lit",
        "romeo@montague.lit.evil.lit",
    ] {
        let forged =
            push("bard@shakespeare.lit", "both").replace(" id=", &format!(" from='{from}' id="));
        d.server(&forged);
        d.forget();
        d.server(&event_of(BARD, &payload(BARD, from, "")));
        assert_eq!(d.client_bytes(), "", "{from}");
    }
}

#[test]
fn a_push_the_client_did_not_ask_for_is_answered_for_it() {
    let push = format!(
        "<iq type='set' id='p&amp;1' to='{ROMEO}'><query xmlns='jabber:iq:roster'><item jid='a@b' subscription='to'/></query></iq>"
    );
    let mut d = romeo();
    d.server(&push);
    assert_eq!(d.client_bytes(), "");
    let answer = d.one_to_server();
    answer.assert_values(&[("type", "result"), ("id", "p&1")]);

    // A client that asked gets them all, and answers itself.
    let mut d = romeo();
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    d.forget();
    d.server(&push);
    assert_eq!(
        (d.client_bytes(), d.server_bytes()),
        (push.clone(), String::new())
    );

    // With no roster asked for, the push passes as the server sends it.
    let mut d = Driver::auto(ROMEO);
    d.keep(Question::Roster);
    d.server(&push);
    assert_eq!((d.client_bytes(), d.server_bytes()), (push, String::new()));
}

#[test]
fn a_roster_that_the_client_asked_for_passes() {
    let get = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>";
    let mut d = romeo();
    d.client_passes(get);
    let result =
        format!("<iq type='result' id='r' to='{ROMEO}'><query xmlns='jabber:iq:roster'/></iq>");
    d.server_passes(&result);
}

#[test]
fn events_held_for_the_roster_are_shown_in_order() {
    let mut d = Driver::auto(ROMEO);
    d.keep(Question::Roster);
    let benvolio = "benvolio@montague.lit/pda";
    d.server(&event_of(JULIET, &payload(JULIET, "1", "")));
    d.server(&event_of(BARD, &payload(BARD, "2", "")));
    d.server(&event_of(benvolio, &payload(benvolio, "3", "")));
    d.server(&event_of(
        JULIET,
        &payload(JULIET, "4", "<show>away</show>"),
    ));
    assert_eq!(d.client_bytes(), "");
    answer_roster(&mut d);
    let got = d.client_got();
    let ids: Vec<_> = got.iter().map(|presence| presence.value("id")).collect();
    assert_eq!(ids, ["1", "3", "4"]);
    assert!(got.iter().all(|presence| presence.value("to") == ROMEO));
    assert_eq!(d.dropped(), [Dropped::NotSubscribed]);
}

#[test]
fn held_events_are_bounded() {
    let mut d = Driver::auto(ROMEO);
    d.keep(Question::Roster);
    let status = format!("<status>{}</status>", "x".repeat(1000));
    for id in 0..5000 {
        d.server(&event_of(
            JULIET,
            &payload(JULIET, &id.to_string(), &status),
        ));
    }
    let overflow = d.dropped();
    assert!(overflow.iter().all(|dropped| *dropped == Dropped::Overflow));
    assert!(overflow.len() > 4000, "5 MB are too much to hold");
    answer_roster(&mut d);
    let got = d.client_got();
    assert_eq!(got.len(), 5000 - overflow.len());
    let ids: Vec<_> = got
        .iter()
        .map(|presence| presence.value("id").to_owned())
        .collect();
    let first: Vec<_> = (0..got.len()).map(|id| id.to_string()).collect();
    assert_eq!(ids, first, "the first ones, in order");
}

#[test]
fn a_roster_that_cannot_be_had_is_asked_for_again() {
    let mut d = Driver::auto(ROMEO);
    d.keep(Question::Roster);
    d.server(&event_of(JULIET, &payload(JULIET, "1", "")));
    let get = d.one_to_server();
    d.error(&get, "wait", "internal-server-error");
    d.assert_silent();
    d.server(&event_of(JULIET, &payload(JULIET, "2", "")));
    d.assert_silent();
    d.advance(3);
    answer_roster(&mut d);
    let shown = d.client_got();
    let ids: Vec<_> = shown.iter().map(|it| it.value("id")).collect();
    assert_eq!(ids, ["1", "2"], "what came meanwhile is not lost");

    let mut d = Driver::auto(ROMEO);
    d.keep(Question::Roster);
    d.server(&event_of(JULIET, &payload(JULIET, "1", "")));
    d.forget();
    d.advance(61);
    d.assert_silent();
}

#[test]
fn who_the_client_subscribes_to_by_itself_is_believed() {
    let mut d = romeo();
    d.client(
        "<iq type='set' to='bard@shakespeare.lit' id='s'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
         <subscribe node='presence' jid='romeo@montague.lit'/></pubsub></iq>",
    );
    d.forget();
    d.server(&event_of(BARD, &payload(BARD, "1", "")));
    assert_eq!(d.one_to_client().value("from"), BARD);
}
