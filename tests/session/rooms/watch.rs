//! Occupants who are no longer there, and the items they leave.

use super::*;

/// One of many, each with an account of his own.
fn one_of_crowd(n: u32) -> String {
    occupant(&format!("c{n}@verona.lit/x"), &format!("c{n}"), "")
}

/// Answers all requests; gives the addresses that were pinged.
fn pinged(d: &mut Driver) -> Vec<String> {
    let asked = asked(d);
    asked.iter().for_each(|iq| d.result(iq, ""));
    let pings = asked.iter().filter(|iq| iq.has("ping"));
    pings.map(|iq| iq.value("to").to_owned()).collect()
}

#[test]
fn who_has_vanished_is_seen_to_leave() {
    // No stanza has come of him for five minutes.
    let mut d = joined();
    d.advance(299);
    assert_eq!(asks(&mut d), [""; 0]);
    d.advance(61);
    let ping = asked(&mut d);
    assert_eq!(in_words(&ping), [format!("ping {ROMEO}")]);
    assert_eq!(ping[0].at("ping/shim").value("room"), ROOM);
    // An occupant who does not answer may be asleep.
    d.advance(60);
    assert_eq!(sees(&mut d), [""; 0]);
    d.advance(360);
    let ping = asked(&mut d);
    assert_eq!(ping.len(), 1, "{ping:#?}");
    refuse(&mut d, &ping[0], "service-unavailable");
    assert_eq!(
        sees(&mut d),
        ["Romeo unavailable 333"],
        "not of his own will"
    );
    d.advance(600);
    assert_eq!(asks(&mut d), [""; 0], "nobody is left to be asked");
}

#[test]
fn when_somebody_speaks_the_silent_are_asked() {
    let mut d = joined();
    happens(&mut d, OCCUPANTS, &occupant(NURSE, "Nurse", ""));
    d.forget();
    d.advance(10);
    happens(&mut d, TALK, &body(ROMEO, "Romeo", "m1", 1));
    assert_eq!(asks(&mut d), [""; 0]);
    d.advance(5);
    assert_eq!(
        asks(&mut d),
        ["ping nurse@capulet.lit/chamber"],
        "not whoever spoke"
    );
    // Soon afterwards somebody speaks again, and then he is asked again, but not at once.
    for (later, waits) in [(0, 1), (1, 4)] {
        d.advance(later);
        for n in 0..2 {
            happens(
                &mut d,
                TALK,
                &body(ROMEO, "Romeo", &format!("m{later}{n}"), 1),
            );
        }
        d.advance(waits - 1);
        assert_eq!(asks(&mut d), [""; 0]);
        d.advance(1);
        assert_eq!(asks(&mut d), ["ping nurse@capulet.lit/chamber"]);
    }
}

#[test]
fn the_silent_are_asked_behind_a_join() {
    let mut d = joined_with(
        &(occupant(ROMEO, "Romeo", "") + &occupant(NURSE, "Nurse", "")),
        "",
    );
    d.forget();
    // An occupant whose item is published is there.
    happens(
        &mut d,
        OCCUPANTS,
        &occupant(NURSE, "Nurse", "<show>away</show>"),
    );
    d.forget();
    d.advance(1);
    let ping = asked_for(&mut d, &format!("ping {ROMEO}"));
    refuse(&mut d, &ping, "service-unavailable");
    assert_eq!(sees(&mut d), ["Romeo unavailable 333"]);
}

#[test]
fn all_rooms_ask_one_occupant_a_second() {
    let mut d = session();
    for name in ["r1", "r2", "r3"] {
        let room = format!("{name}@{SERVICE}");
        d.client(&format!(
            "<presence to='{room}/JC' id='{name}'>{MUC}</presence>"
        ));
        let there = occupant(ROMEO, "Romeo", "") + &occupant(NURSE, "Nurse", "");
        for iq in asked(&mut d) {
            let node = format!("{name}#occupants");
            let answer = match what(&iq) == format!("items {node}") {
                true => items(&node, &there.replace(ROOM, &room)),
                false => String::new(),
            };
            d.result(&iq, &answer);
        }
        let publish = asked_for(&mut d, &format!("publish {name}#occupants"));
        echo(&mut d, &publish);
    }
    d.forget();
    let mut pings = Vec::new();
    for _ in 0..8 {
        d.advance(1);
        let asked = asked(&mut d);
        let ping = asked.iter().filter(|iq| iq.has("ping"));
        pings.push(ping.count());
    }
    assert_eq!(pings, [1, 1, 1, 1, 1, 1, 0, 0]);
}

#[test]
fn many_are_asked_behind_a_join_and_not_all() {
    let crowd: String = (0..30).map(one_of_crowd).collect();
    let mut d = joined_with(&crowd, "");
    d.forget();
    let mut pings = 0;
    for _ in 0..50 {
        d.advance(1);
        pings += pinged(&mut d).len();
    }
    assert_eq!(pings, 20);
}

#[test]
fn who_comes_with_the_nick_of_the_silent_has_them_asked() {
    let mut d = joined();
    // An occupant heard of just now is not asked.
    happens(&mut d, OCCUPANTS, &occupant(NURSE, "Romeo", ""));
    d.advance(1);
    assert_eq!(asks(&mut d), [""; 0]);
    happens(&mut d, OCCUPANTS, &occupant_gone(NURSE, "Romeo"));
    d.advance(60);
    d.forget();
    happens(&mut d, OCCUPANTS, &occupant(NURSE, "Romeo", ""));
    assert_eq!(sees(&mut d), ["Romeo (nurse@capulet.lit) available"]);
    d.advance(1);
    let ping = asked_for(&mut d, &format!("ping {ROMEO}"));
    refuse(&mut d, &ping, "service-unavailable");
    // The nick is the nurse's then.
    assert_eq!(
        sees(&mut d),
        [
            "Romeo unavailable 333",
            "Romeo (nurse@capulet.lit) unavailable now Romeo 303",
            "Romeo available"
        ]
    );
}

#[test]
fn what_a_dead_resource_has_left_is_ended() {
    let mut d = joined_with("", "");
    d.forget();
    d.advance(2);
    let lists = asked(&mut d);
    assert_eq!(
        in_words(&lists),
        [
            "subscriptions characters#occupants",
            "subscriptions characters"
        ]
    );
    let all = [
        JULIET,
        "juliet@capulet.lit/dead",
        "juliet@capulet.lit/alive",
        OWN,
        ROMEO,
    ];
    d.result(&lists[0], &subscriptions(OCCUPANTS, &all));
    d.result(&lists[1], &subscriptions(TALK, &all));
    let mut pings = Vec::new();
    for _ in 0..5 {
        d.advance(1);
        pings.extend(asked(&mut d));
    }
    assert_eq!(
        in_words(&pings),
        [
            "ping juliet@capulet.lit/dead",
            "ping juliet@capulet.lit/alive"
        ]
    );
    refuse(&mut d, &pings[0], "service-unavailable");
    d.result(&pings[1], "");
    let ended: Vec<_> = d
        .server_got()
        .iter()
        .map(|iq| {
            let what = iq.at("pubsub/unsubscribe");
            format!("{} {}", what.value("node"), what.value("jid"))
        })
        .collect();
    assert_eq!(
        ended,
        [
            "characters#occupants juliet@capulet.lit/dead",
            "characters juliet@capulet.lit/dead"
        ]
    );
    // The shim ends these subscriptions once a session.
    leave(&mut d);
    d.forget();
    join(&mut d, MUC);
    let_in(&mut d, "", "");
    d.advance(5);
    assert_eq!(asks(&mut d), [""; 0]);
}

#[test]
fn an_owner_takes_away_what_the_gone_have_left() {
    for is_owner in [true, false] {
        let mut d = session();
        join(&mut d, MUC);
        let there = occupant(ROMEO, "Romeo", "")
            + &occupant_gone(NURSE, "Nurse")
            + &occupant_gone("back@verona.lit/x", "Back");
        for iq in asked(&mut d) {
            match &*what(&iq) {
                "query characters" if is_owner => d.result(&iq, &info("open", &[OWN], 2)),
                "query characters" => d.result(&iq, &info("open", &[OTHER], 2)),
                "items characters#occupants" => d.result(&iq, &items(OCCUPANTS, &there)),
                _ => d.result(&iq, ""),
            }
        }
        let publish = asked_for(&mut d, PUBLISH_OWN);
        echo(&mut d, &publish);
        d.advance(1);
        let ping = asked(&mut d);
        refuse(
            &mut d,
            one(&ping, &format!("ping {ROMEO}")),
            "service-unavailable",
        );
        happens(
            &mut d,
            OCCUPANTS,
            &occupant("back@verona.lit/x", "Back", ""),
        );
        d.advance(2);
        d.forget();
        // An occupant who has blocked the owner only seems to be gone, so the owner waits.
        d.advance(590);
        let tidied = |d: &mut Driver| -> Vec<String> {
            let sent = d.server_got();
            let retracted = sent.iter().filter_map(|iq| iq.find("pubsub/retract/item"));
            retracted.map(|item| item.value("id").to_owned()).collect()
        };
        assert_eq!(tidied(&mut d), [""; 0]);
        d.advance(20);
        let expected: &[&str] = match is_owner {
            true => &["nurse@capulet.lit", CONTACT],
            false => &[],
        };
        assert_eq!(tidied(&mut d), expected);
    }
}

#[test]
fn an_item_that_somebody_overwrites_is_published_again() {
    // Prosody lets an occupant overwrite the item of another.
    let mut d = joined();
    let over = || item_by("nurse@capulet.lit/x", OWN, "Nurse", "", "");
    happens(&mut d, OCCUPANTS, &over());
    assert_eq!(sees(&mut d), ["Nurse available"]);
    d.advance(2);
    let again = asked(&mut d);
    assert_eq!(what(&again[0]), PUBLISH_OWN);
    echo(&mut d, &again[0]);
    d.forget();
    // The shim publishes its item again at most once a minute.
    happens(&mut d, OCCUPANTS, &over());
    d.advance(50);
    assert_eq!(asks(&mut d), [""; 0]);
    d.advance(10);
    assert_eq!(asks(&mut d), [PUBLISH_OWN]);
}

#[test]
fn an_item_about_to_be_pushed_out_is_published_again() {
    let mut d = joined();
    for n in 0..128 {
        happens(&mut d, OCCUPANTS, &one_of_crowd(n));
        assert_eq!(asks(&mut d), [""; 0]);
    }
    d.advance(2);
    assert_eq!(asks(&mut d), [PUBLISH_OWN]);
}

#[test]
fn who_is_joining_is_there() {
    let mut d = session();
    join(&mut d, MUC);
    d.forget();
    shim_asks(&mut d, ROOM);
    assert_eq!(d.one_to_server().value("type"), "result");
}

#[test]
fn nobody_is_asked_again_and_again() {
    let pings_of_romeo = |d: &mut Driver| {
        let pinged = pinged(d);
        pinged.iter().filter(|it| *it == ROMEO).count()
    };
    // A speaker is there, also where the service names only his account.
    let mut d = joined();
    let mut count = 0;
    for n in 0..60 {
        let said = body(ROMEO, "Romeo", &format!("m{n}"), 1);
        happens(
            &mut d,
            TALK,
            &said.replace(
                &format!("publisher='{ROMEO}'"),
                &format!("publisher='{CONTACT}'"),
            ),
        );
        d.advance(5);
        count += pings_of_romeo(&mut d);
    }
    assert_eq!(count, 0);
    // Another occupant takes his nick every second.
    let mut d = joined();
    let mut count = 0;
    for n in 0..300 {
        happens(
            &mut d,
            OCCUPANTS,
            &occupant(NURSE, "Romeo", &format!("<status>{n}</status>")),
        );
        d.advance(1);
        count += pings_of_romeo(&mut d);
    }
    assert!(count <= 5, "{count}");
    // In a large room somebody speaks all the time, and everybody asks the same ones.
    let crowd: String = (0..60).map(one_of_crowd).collect();
    let mut d = joined_with(&crowd, "");
    d.advance(100);
    d.forget();
    let mut count = 0;
    for n in 0..60 {
        happens(
            &mut d,
            TALK,
            &body("c1@verona.lit/x", "c1", &format!("m{n}"), 1),
        );
        d.advance(5);
        count += pinged(&mut d).len();
    }
    assert!(count <= 25, "{count} in five minutes");
}

#[test]
fn nothing_is_published_again_and_again() {
    let restores = |d: &mut Driver| {
        let asked = asked(d);
        let again: Vec<_> = asked
            .iter()
            .filter(|iq| iq.find("pubsub/publish").is_some())
            .collect();
        again.iter().for_each(|iq| echo(d, iq));
        again.len()
    };
    // Many occupants publish again, as each shim does that has counted so many others.
    let mut d = joined();
    let mut count = 0;
    for _ in 0..10 {
        for n in 0..130 {
            happens(&mut d, OCCUPANTS, &one_of_crowd(n));
        }
        d.advance(60);
        count += restores(&mut d);
    }
    assert_eq!(count, 1);
    // An owner retracts the item all the time.
    let mut d = joined();
    let mut count = 0;
    for _ in 0..60 {
        happens(&mut d, OCCUPANTS, &format!("<retract id='{OWN}'/>"));
        d.advance(1);
        count += restores(&mut d);
    }
    assert_eq!(count, 1);
}

#[test]
fn an_owner_leaves_the_item_of_who_is_there() {
    let mut d = session();
    join(&mut d, MUC);
    let tablet = item_by("romeo@montague.lit/tablet", CONTACT, "Romeo", "", "");
    let_in_as(&mut d, &info("open", &[OWN], 2), &tablet, "");
    // Two of his resources have joined at once, with the same item.
    happens(
        &mut d,
        OCCUPANTS,
        &item_by("romeo@montague.lit/phone", CONTACT, "Romeo", "", ""),
    );
    for _ in 0..700 {
        d.advance(1);
        for iq in d.server_got() {
            assert!(!iq.has("pubsub/retract"), "{iq:#?}");
            match iq.attribute("to") == Some("romeo@montague.lit/tablet") {
                true => refuse(&mut d, &iq, "service-unavailable"),
                false => d.result(&iq, ""),
            }
        }
    }
}

#[test]
fn a_purge_takes_everybody_away_and_nobody_out() {
    let mut d = joined();
    event_in(&mut d, &format!("<purge node='{OCCUPANTS}'/>"));
    assert_eq!(sees(&mut d), ["Romeo unavailable"]);
    d.advance(2);
    assert_eq!(asks(&mut d), [PUBLISH_OWN]);
}

#[test]
fn who_has_come_back_meanwhile_is_there() {
    let mut d = joined();
    d.advance(361);
    let ping = asked_for(&mut d, &format!("ping {ROMEO}"));
    d.advance(1);
    happens(&mut d, OCCUPANTS, &occupant(ROMEO, "Romeo", ""));
    d.forget();
    refuse(&mut d, &ping, "service-unavailable");
    assert_eq!(sees(&mut d), [""; 0]);
}

#[test]
fn who_speaks_says_nothing_of_another_resource() {
    // Prosody tells the account alone.
    let mut d = joined();
    let other = "romeo@montague.lit/other";
    happens(&mut d, OCCUPANTS, &item_by(other, other, "Roy", "", ""));
    d.advance(10);
    d.forget();
    let said = body(ROMEO, "Romeo", "m1", 1);
    happens(&mut d, TALK, &said.replace(ROMEO, CONTACT));
    d.advance(5);
    assert_eq!(asks(&mut d), [format!("ping {other}")]);
}
