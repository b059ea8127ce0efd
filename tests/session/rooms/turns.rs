//! Answers and events that come out of turn.

use super::*;

#[test]
fn a_late_refusal_puts_nobody_out() {
    for answers in [true, false] {
        let mut d = session();
        join(&mut d, MUC);
        let publish = answer_join(&mut d, "", "");
        happens(&mut d, OCCUPANTS, &occupant(JULIET, "JC", ""));
        assert_eq!(sees(&mut d), ["JC available 100 110", " sets "]);
        match answers {
            true => d.error(&publish[0], "wait", "resource-constraint"),
            false => d.advance(61),
        }
        d.forget();
        happens(&mut d, TALK, &body(ROMEO, "Romeo", "m1", 1));
        assert_eq!(sees(&mut d), ["Romeo says m1"]);
    }
}

#[test]
fn what_he_left_in_another_item_takes_nobody_away() {
    // ejabberd lists items in the order they were made.
    let there =
        occupant(ROMEO, "Romeo", "") + &item_by(ROMEO, ROMEO, "Romeo", " type='unavailable'", "");
    let mut d = joined_with(&there, "");
    assert_eq!(
        sees(&mut d),
        ["Romeo available", "JC available 100 110", " sets "]
    );
}

#[test]
fn of_many_dead_resources_none_hides_the_living() {
    let resource = |n: u32| format!("romeo@montague.lit/r{n}");
    let there: String = (0..6)
        .map(|n| item_by(&resource(n), &resource(n), "Romeo", "", ""))
        .collect();
    let mut d = joined_with(&there, "");
    d.forget();
    for _ in 0..20 {
        d.advance(1);
        for iq in asked(&mut d) {
            match iq.value("to") == resource(5) {
                true => d.result(&iq, ""),
                false => refuse(&mut d, &iq, "service-unavailable"),
            }
        }
    }
    assert_eq!(sees(&mut d), [""; 0]);
}

/// The stanzas of Romeo shown to the client after a join in which `event` came before the answer with `there`; his last
/// status.
fn joined_behind(event: &str, there: &str) -> (Vec<String>, String) {
    let mut d = session();
    join(&mut d, MUC);
    happens(&mut d, OCCUPANTS, event);
    let publish = answer_join(&mut d, there, "");
    echo(&mut d, &publish[0]);
    let mut shown = d.client_got();
    shown.retain(|it| super::shown(it).starts_with("Romeo"));
    let status = shown.last().and_then(|it| it.find("status"));
    let status = status.map_or(String::new(), |it| it.text.clone());
    (shown.iter().map(super::shown).collect(), status)
}

#[test]
fn an_answer_that_an_event_has_overtaken_is_out_of_date() {
    // ejabberd reads the items, tells of another publish, and only then answers.
    let said = |status: &str| format!("<status>{status}</status>");
    let before = occupant(ROMEO, "Romeo", &said("before"));
    let elsewhere = item_by(ROMEO, ROMEO, "Romeo", "", &said("now"));
    let tablet = "romeo@montague.lit/tablet";
    let is_there = || vec!["Romeo available".to_owned()];
    for (event, expected) in [
        (
            occupant(ROMEO, "Romeo", &said("now")),
            (is_there(), "now".to_owned()),
        ),
        (occupant(ROMEO, "Romeo", ""), (is_there(), String::new())),
        // He has gone to an item of his own, and another resource is about to have that one.
        (elsewhere, (is_there(), "now".to_owned())),
        // Another resource has his item, and he will say soon that he is there.
        (
            occupant(tablet, "Romeo", &said("tablet")),
            (is_there(), "tablet".to_owned()),
        ),
        (occupant_gone(ROMEO, "Romeo"), (vec![], String::new())),
        (
            format!("<retract id='{CONTACT}'/>"),
            (vec![], String::new()),
        ),
        // An event of another occupant does not make his item out of date.
        (
            occupant(NURSE, "Nurse", &said("now")),
            (is_there(), "before".to_owned()),
        ),
    ] {
        assert_eq!(joined_behind(&event, &before), expected, "{event}");
    }
}

#[test]
fn an_answer_is_newer_than_what_came_before_the_question() {
    let mut d = session();
    join(&mut d, MUC);
    happens(&mut d, OCCUPANTS, &occupant(ROMEO, "Romeo", ""));
    event_in(&mut d, &format!("<delete node='{TALK}'/>"));
    d.forget();
    d.advance(1);
    let now = occupant(ROMEO, "Romeo", "<status>now</status>");
    let publish = answer_join(&mut d, &now, "");
    echo(&mut d, &publish[0]);
    assert_eq!(seen(&mut d, "Romeo available").at("status").text, "now");
}

#[test]
fn two_resources_that_join_at_once_have_two_items() {
    let mut d = joined();
    happens(
        &mut d,
        OCCUPANTS,
        &item_by("juliet@capulet.lit/chamber", OWN, "JC", "", ""),
    );
    d.advance(2);
    let again = asked(&mut d);
    assert_eq!(what(&again[0]), format!("publish {OCCUPANTS} {JULIET}"));
}

#[test]
fn who_takes_the_item_of_another_resource_makes_sure_of_it() {
    // The other one, which has joined at the same time, goes to an item of its own. ejabberd may have kept its item.
    let mut d = session();
    join(&mut d, MUC);
    let publish = answer_join(&mut d, "", "");
    let other = item_by("juliet@capulet.lit/chamber", OWN, "JC", "", "");
    happens(&mut d, OCCUPANTS, &other);
    echo(&mut d, &publish[0]);
    d.advance(2);
    let again = asked(&mut d);
    let words = format!("publish {OCCUPANTS} {OWN}");
    assert!(again.iter().any(|iq| what(iq) == words), "{again:#?}");
}

#[test]
fn a_service_that_names_no_authors_has_no_rooms() {
    let mut d = session();
    join(&mut d, MUC);
    answer_join(&mut d, "", "");
    let unsigned = occupant(JULIET, "JC", "").replace(&format!(" publisher='{JULIET}'"), "");
    happens(&mut d, OCCUPANTS, &unsigned);
    let refused = d.one_to_client();
    assert_eq!(shown(&refused), "presence JC: service-unavailable for join");
    let text = &refused.at("error/text").text;
    assert!(
        text.contains("expose_publisher") && text.contains("itemreply"),
        "{text}"
    );
}

#[test]
fn a_nick_that_others_see_otherwise_is_told() {
    let mut d = session();
    d.client(&format!(
        "<presence to='{ROOM}/J (x@y)' id='join'>{MUC}</presence>"
    ));
    let_in(&mut d, "", "");
    let name = "J (x@y) (juliet@capulet.lit)";
    seen(&mut d, &format!("{name} available 100 110 210"));
    happens(&mut d, TALK, &body(JULIET, "J (x@y)", "m1", 1));
    assert_eq!(d.one_to_client().value("from"), format!("{ROOM}/{name}"));
}

#[test]
fn another_nick_is_asked_for_while_the_holder_is() {
    let mut d = session();
    join(&mut d, MUC);
    let ping = answer_join(&mut d, &occupant(ROMEO, "JC", ""), "");
    d.client(&format!(
        "<presence to='{ROOM}/Julia' id='p2'>{MUC}</presence>"
    ));
    let publish = asked_for(&mut d, PUBLISH_OWN);
    d.result(&ping[0], "");
    assert_eq!(sees(&mut d), [""; 0]);
    echo(&mut d, &publish);
    assert_eq!(
        sees(&mut d),
        ["JC available", "Julia available 100 110", " sets "]
    );
}

#[test]
fn whoever_wants_the_nick_is_asked_one_after_the_other() {
    let mut d = session();
    join(&mut d, MUC);
    let there = occupant(ROMEO, "JC", "") + &occupant(NURSE, "JC", "");
    let ping = answer_join(&mut d, &there, "");
    assert_eq!(what(&ping[0]), format!("ping {NURSE}"));
    refuse(&mut d, &ping[0], "service-unavailable");
    let ping = asked_for(&mut d, &format!("ping {ROMEO}"));
    d.result(&ping, "");
    assert_eq!(sees(&mut d), ["presence JC: conflict for join"]);
}

#[test]
fn a_rival_whose_event_has_no_payload_is_one() {
    let mut d = session();
    join(&mut d, MUC);
    answer_join(&mut d, "", "");
    happens(&mut d, OCCUPANTS, &format!("<item id='{CONTACT}'/>"));
    let fetch = asked_for(&mut d, "items characters#occupants");
    d.result(&fetch, &items(OCCUPANTS, &occupant(ROMEO, "JC", "")));
    assert_eq!(sees(&mut d), ["presence JC: conflict for join"]);
}

#[test]
fn a_join_behind_a_stray_status_is_one() {
    let mut d = session();
    join(&mut d, "");
    join(&mut d, MUC);
    refuse_subscribe(&mut d, "item-not-found");
    assert_eq!(asks(&mut d), ["create characters"]);
}

#[test]
fn a_kick_while_joining_undoes_it() {
    for is_taking in [false, true] {
        let mut d = session();
        join(&mut d, MUC);
        match is_taking {
            true => drop(answer_join(&mut d, "", "")),
            false => d.forget(),
        }
        subscription_is(&mut d, TALK, JULIET, "none");
        assert_eq!(sees(&mut d), ["presence JC: forbidden for join"]);
        let asks = asks(&mut d);
        assert_eq!(asks[asks.len() - 2..], UNDO);
    }
}

#[test]
fn a_room_deleted_while_it_is_joined_is_tried_again() {
    // Of one destruction there are two events, and the client comes back between them.
    let mut d = joined();
    event_in(&mut d, &format!("<delete node='{OCCUPANTS}'/>"));
    assert_eq!(sees(&mut d), ["JC unavailable destroy"]);
    join(&mut d, MUC);
    d.forget();
    event_in(&mut d, &format!("<delete node='{TALK}'/>"));
    assert_eq!((asks(&mut d), sees(&mut d)), (vec![], vec![]));
    d.advance(1);
    assert_eq!(asks(&mut d), JOIN);
    for n in 0..3 {
        event_in(&mut d, &format!("<delete node='{TALK}'/>"));
        d.advance(1);
        assert_eq!(
            asks(&mut d).len(),
            if n < 2 { JOIN.len() } else { 2 },
            "{n}"
        );
    }
    assert_eq!(sees(&mut d), ["presence JC: item-not-found for join"]);
}

#[test]
fn who_leaves_while_creating_leaves_no_node() {
    let mut d = session();
    join(&mut d, MUC);
    refuse_subscribe(&mut d, "item-not-found");
    let create = asked_for(&mut d, "create characters");
    leave(&mut d);
    d.forget();
    d.result(&create, "");
    assert_eq!(asks(&mut d), ["delete characters"]);
}

#[test]
fn what_is_asked_where_there_is_no_place_is_asked_later() {
    let mut d = session();
    join(&mut d, MUC);
    let publish = answer_join(&mut d, "", "");
    d.result(&publish[0], "");
    for n in 0..70 {
        d.client(&format!(
            "<iq type='get' to='other{n}@{SERVICE}' id='q{n}'>{INFO}</iq>"
        ));
    }
    d.forget();
    d.advance(5);
    assert_eq!(asks(&mut d), [""; 0]);
    d.advance(60);
    assert_eq!(asks(&mut d), ["subscriptions characters#occupants"]);
}

#[test]
fn left_out_payloads_leave_places_for_others() {
    let mut d = joined();
    for n in 0..70 {
        happens(&mut d, TALK, &format!("<item id='i{n}'/>"));
    }
    let fetch = asked(&mut d);
    assert_eq!(fetch.len(), 1, "{fetch:#?}");
    // The others are asked for together.
    d.result(&fetch[0], "");
    let fetch = asked_for(&mut d, "items characters");
    assert_eq!(fetch.at("pubsub/items").children.len(), 69);
}

#[test]
fn what_is_kept_has_bounds() {
    // A kept presence has no id, which could be large.
    let large = format!("<presence id='{}' ", "x".repeat(7000));
    let there = occupant(ROMEO, "Romeo", "").replacen("<presence ", &large, 1);
    let mut d = joined_with(&there, "");
    assert_eq!(seen(&mut d, "Romeo available").attribute("id"), None);
    // Messages that come while a service draws out a join.
    let mut d = session();
    join(&mut d, MUC);
    let said = format!("<body>{}</body>", "x".repeat(200_000));
    for n in 0..30 {
        happens(
            &mut d,
            TALK,
            &line(ROMEO, "Romeo", &format!("m{n}"), 1, &said),
        );
    }
    assert_eq!(d.dropped(), [Dropped::Overflow; 10]);
    // Ids count, as the session remembers them.
    happens(&mut d, TALK, &body(ROMEO, "Romeo", &"i".repeat(1025), 1));
    assert_eq!(d.dropped(), [Dropped::Overflow]);
}

#[test]
fn an_id_of_the_rooms_in_a_subject_is_none() {
    let what = format!(
        "<subject>Love</subject><stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='forged'/>"
    );
    let mut d = joined_with(
        &line(ROMEO, "Romeo", "subject/romeo@montague.lit", 100, &what),
        "",
    );
    let subject = d.client_got().pop().unwrap();
    let ids = subject.children.iter().filter(|it| it.local == "stanza-id");
    assert_eq!(ids.count(), 0);
}

#[test]
fn an_item_is_of_one_resource() {
    // Romeo has come back with another resource, which takes over the item of the dead one.
    let mut d = joined();
    let again = item_by("romeo@montague.lit/again", CONTACT, "Romeo", "", "");
    happens(&mut d, OCCUPANTS, &again);
    happens(&mut d, OCCUPANTS, &again.replace("/Romeo'", "/Roy'"));
    assert_eq!(
        sees(&mut d),
        [
            "Romeo available",
            "Romeo unavailable now Roy 303",
            "Roy available"
        ]
    );
}

#[test]
fn the_nick_that_the_client_had_before_is_free() {
    let there = occupant(JULIET, "Tyb", "") + &occupant(ROMEO, "Tyb", "");
    let mut d = joined_with(&there, "");
    assert_eq!(sees(&mut d)[..2], ["Tyb available", "JC available 100 110"]);
}

#[test]
fn a_join_that_fails_at_any_step_says_so_and_is_undone() {
    // A service may refuse each of the requests, or leave it unanswered: in a room that exists, and in one that does
    // not.
    for (is_there, most) in [(true, 6), (false, 8)] {
        for step in 0..most {
            for answer in ["internal-server-error", "resource-constraint", ""] {
                let mut d = session();
                join(&mut d, MUC);
                let mut count = 0;
                let mut missing = !is_there;
                let shown = loop {
                    let requests = asked(&mut d);
                    if requests.is_empty() {
                        break sees(&mut d);
                    }
                    let is_join = requests.len() == JOIN.len();
                    for iq in requests {
                        let is_this = count == step;
                        count += 1;
                        match (is_this, &*what(&iq), answer) {
                            (true, _, "") => d.advance(61),
                            (true, _, condition) => refuse(&mut d, &iq, condition),
                            (_, "query characters", _) if missing => {
                                refuse(&mut d, &iq, "item-not-found");
                            }
                            (_, "query characters", _) => {
                                d.result(&iq, &info("open", &[OWN], 1));
                            }
                            (_, subscribe, _) if missing && subscribe.starts_with("subscribe") => {
                                refuse(&mut d, &iq, "item-not-found");
                            }
                            (_, publish, _) if publish.starts_with("publish") => echo(&mut d, &iq),
                            _ => d.result(&iq, ""),
                        }
                    }
                    missing &= !is_join;
                };
                // The client is in, or is told why not; never both, and never neither.
                let own: Vec<_> = shown.iter().filter(|it| it.contains("JC")).collect();
                assert_eq!(own.len(), 1, "{is_there} {step} {answer}: {shown:?}");
            }
        }
    }
}

#[test]
fn several_items_in_one_event_are_each_shown() {
    let mut d = joined();
    let [m1, m2] = ["m1", "m2"].map(|id| body(ROMEO, "Romeo", id, 1));
    happens(&mut d, TALK, &(m1 + &m2));
    let nurse = occupant(NURSE, "Nurse", "");
    happens(
        &mut d,
        OCCUPANTS,
        &(nurse + &format!("<retract id='{CONTACT}'/>")),
    );
    event_in(&mut d, &format!("<configuration node='{TALK}'/>"));
    assert_eq!(
        sees(&mut d),
        [
            "Romeo says m1",
            "Romeo says m2",
            "Nurse available",
            "Romeo unavailable"
        ]
    );
}
