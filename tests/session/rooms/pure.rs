//! The same under `pure`: listing 13 as printed, and nobody but the service is asked anything.

use super::*;

/// Listing 13's option.
const NICK: &str = "pubsub/options/x";

fn joined_under(policy: Policy) -> Driver {
    let mut d = session_under(policy);
    join(&mut d, MUC);
    let_in(&mut d, &occupant(ROMEO, "Romeo", ""), "");
    d.forget();
    d
}

#[test]
fn the_join_names_the_nick_as_listing_13() {
    for policy in [Policy::Pure, Policy::Auto] {
        let mut d = session_under(policy);
        join(&mut d, MUC);
        let join = asked(&mut d);
        assert_eq!(in_words(&join), JOIN);
        let options: Vec<_> = join.iter().filter(|it| it.has("pubsub/options")).collect();
        if policy == Policy::Auto {
            assert!(options.is_empty(), "ejabberd refuses them");
            continue;
        }
        assert_eq!(options, [one(&join, "subscribe characters")]);
        let named = options[0].at("pubsub/options");
        assert_eq!((named.value("node"), named.value("jid")), (TALK, JULIET));
        let form = options[0].at(NICK);
        assert_eq!(form.value("type"), "submit");
        let fields = form.fields();
        assert_eq!(fields["roomnick"], "JC");
        assert_eq!(
            fields["FORM_TYPE"],
            "http://jabber.org/protocol/pubsub#subscribe_options"
        );
    }
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
    // Of the room itself the service can be asked.
    d.client(&format!("<iq type='get' to='{ROOM}' id='q'>{INFO}</iq>"));
    assert_eq!(asks(&mut d), ["query characters"]);
}

#[test]
fn whoever_is_gone_with_his_session_is_shown_so() {
    let mut d = joined_under(Policy::Pure);
    happens(&mut d, OCCUPANTS, &format!("<retract id='{CONTACT}'/>"));
    assert_eq!(sees(&mut d), ["Romeo unavailable"]);
    assert_eq!(d.server_bytes(), "");
    // The subject he has set goes from the node as well, and stays what it is.
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
