//! Notices of owners about what they do, as others are shown them: the service says neither who has put somebody out
//! nor why. ejabberd names the owners to everybody; Prosody names who has retracted an item.

use super::owner::{affiliations, grant};
use super::*;

const ABBOT: &str = "abbot@verona.lit/cell";
const ROMEO_BARE: &str = "romeo@montague.lit";
const OUT: &str = "<retract id='romeo@montague.lit'/>";

/// A notice of these words, as the service tells of it.
fn notice(by: &str, nick: &str, id: &str, words: &str) -> String {
    let x = format!("<x xmlns='{MUC_USER}'>{words}</x>");
    format!(
        "<item id='{id}' publisher='{by}'><message xmlns='jabber:client' from='{ROOM}/{nick}' type='groupchat'>{x}\
         </message></item>"
    )
}

/// The owner says that this account is put out.
fn puts_out(affiliation: &str, jid: &str, status: &str) -> String {
    format!(
        "<item affiliation='{affiliation}' role='none' jid='{jid}'><reason>Avaunt</reason></item>\
         <status code='{status}'/>"
    )
}

fn is_now(affiliation: &str, jid: &str) -> String {
    format!("<item affiliation='{affiliation}' role='participant' jid='{jid}'/>")
}

/// Juliet in the abbot's room with him and Romeo, on a service that says this of the room.
fn with_owner_in(room: &str) -> Driver {
    let mut d = session();
    join(&mut d, MUC);
    let others = occupant(ABBOT, "Abbot", "") + &occupant(ROMEO, "Romeo", "");
    let publish = answer_join_as(&mut d, room, &others, "");
    assert_eq!(publish.len(), 1, "{publish:#?}");
    if what(&publish[0]) == "affiliations characters" {
        d.error(&publish[0], "auth", "forbidden");
        let publish = asked_for(&mut d, PUBLISH_OWN);
        echo(&mut d, &publish);
    } else {
        echo(&mut d, &publish[0]);
    }
    answer_watch(&mut d);
    d.forget();
    d
}

/// The same on ejabberd.
fn with_owner() -> Driver {
    with_owner_in(&open_room())
}

/// The same on Prosody, which names no owners.
fn with_unknown_owner() -> Driver {
    with_owner_in(&info("open", &[], 3))
}

/// The only presence that is shown, in words, with the affiliation, the actor and the reason.
#[track_caller]
fn sees_done(d: &mut Driver) -> String {
    let shown_now = d.one_to_client();
    let (actor, reason) = done_by(&shown_now);
    let affiliation = shown_now.at("x/item").value("affiliation");
    let words = format!("{} {affiliation} {actor} {reason}", shown(&shown_now));
    words.trim().to_owned()
}

/// Answers the look at the room that follows a notice, which is all that is asked then.
#[track_caller]
fn looks(d: &mut Driver, words: &str, result: Result<&str, (&str, &str)>) {
    d.advance(1);
    let asked = asked(d);
    assert_eq!(in_words(&asked), [words]);
    match result {
        Ok(result) => d.result(&asked[0], result),
        Err((kind, condition)) => d.error(&asked[0], kind, condition),
    }
}

#[test]
fn others_see_who_has_put_somebody_out_and_why() {
    for (affiliation, status, expected) in [
        ("none", "307", "Romeo unavailable 307 none Abbot Avaunt"),
        ("member", "307", "Romeo unavailable 307 member Abbot Avaunt"),
        (
            "outcast",
            "301",
            "Romeo unavailable 301 outcast Abbot Avaunt",
        ),
        ("none", "321", "Romeo unavailable 321 none Abbot Avaunt"),
        // Status 322 is the room's own doing, without an actor.
        ("none", "322", "Romeo unavailable 322 none"),
    ] {
        let mut d = with_owner();
        let words = puts_out(affiliation, ROMEO_BARE, status);
        happens(&mut d, TALK, &notice(ABBOT, "Abbot", "n1", &words));
        assert_eq!(d.client_bytes(), "", "a notice is no message");
        happens(&mut d, OCCUPANTS, OUT);
        assert_eq!(sees_done(&mut d), expected);
        assert_eq!(asks(&mut d), [""; 0]);
        // Romeo comes back without an affiliation, and goes by himself.
        happens(&mut d, OCCUPANTS, &occupant(ROMEO, "Romeo", ""));
        assert_eq!(sees_done(&mut d), "Romeo available none");
        happens(&mut d, OCCUPANTS, OUT);
        assert_eq!(sees_done(&mut d), "Romeo unavailable none");
    }
}

#[test]
fn on_prosody_whoever_took_the_item_away_is_believed() {
    let mut d = with_unknown_owner();
    let words = puts_out("outcast", ROMEO_BARE, "301");
    // Another occupant claims it with another reason.
    let by = |who| format!("<retract id='{ROMEO_BARE}' publisher='{who}'/>");
    let theirs = words.replace("Avaunt", "Ha");
    happens(
        &mut d,
        TALK,
        &notice("abbot@verona.lit", "Abbot", "n1", &words),
    );
    happens(&mut d, TALK, &notice(ROMEO_BARE, "Romeo", "n2", &theirs));
    assert_eq!(d.client_bytes(), "");
    happens(&mut d, OCCUPANTS, &by("abbot@verona.lit"));
    assert_eq!(
        sees_done(&mut d),
        "Romeo unavailable 301 outcast Abbot Avaunt"
    );
    // A notice is not believed if another account has retracted the item, or if the service names nobody.
    for retract in [by("nurse@capulet.lit"), OUT.to_owned()] {
        let mut d = with_unknown_owner();
        happens(&mut d, TALK, &notice(ROMEO_BARE, "Romeo", "n1", &words));
        happens(&mut d, OCCUPANTS, &retract);
        let shown = sees_done(&mut d);
        assert!(
            !shown.contains("Avaunt") && shown.contains("none"),
            "{shown}"
        );
    }
}

#[test]
fn whoever_is_put_out_sees_by_whom_and_why() {
    for (affiliation, status) in [("none", "307"), ("outcast", "301"), ("none", "321")] {
        // ejabberd tells him that his subscription is over.
        let mut d = with_owner();
        let words = puts_out(affiliation, OWN, status);
        happens(&mut d, TALK, &notice(ABBOT, "Abbot", "n1", &words));
        happens(&mut d, OCCUPANTS, "<retract id='juliet@capulet.lit'/>");
        assert_eq!(d.client_bytes(), "");
        subscription_is(&mut d, OCCUPANTS, JULIET, "none");
        let expected = format!("JC unavailable 110 {status} {affiliation} Abbot Avaunt");
        assert_eq!(sees_done(&mut d), expected);

        // Prosody tells him only that his item is gone; he may be late to try.
        let mut d = with_unknown_owner();
        happens(&mut d, TALK, &notice(ABBOT, "Abbot", "n1", &words));
        let retract = "<retract id='juliet@capulet.lit' publisher='abbot@verona.lit'/>";
        happens(&mut d, OCCUPANTS, retract);
        d.advance(2);
        let restore = asked(&mut d);
        assert_eq!(
            in_words(&restore),
            ["publish characters#occupants juliet@capulet.lit"]
        );
        assert_eq!(d.client_bytes(), "");
        d.advance(40);
        d.error(&restore[0], "auth", "forbidden");
        assert_eq!(sees_done(&mut d), expected);
    }
}

#[test]
fn an_owner_is_put_out_by_another_one() {
    // Prosody goes on to take what he publishes, so it is asked whether he hears anything.
    let owners = affiliations(&[("abbot@verona.lit", "owner"), (OWN, "owner")]);
    let others = occupant(ABBOT, "Abbot", "") + &occupant(ROMEO, "Romeo", "");
    let words = puts_out("owner", OWN, "307");
    for (subscribed, expected) in [
        (vec![ROMEO], "JC unavailable 110 307 owner Abbot Avaunt"),
        (vec![ROMEO, JULIET], ""),
    ] {
        let mut d = session();
        join(&mut d, MUC);
        let list = answer_join_as(&mut d, &info("open", &[], 3), &others, "");
        d.result(one(&list, "affiliations characters"), &owners);
        let publish = asked_for(&mut d, PUBLISH_OWN);
        echo(&mut d, &publish);
        answer_watch(&mut d);
        d.forget();
        happens(&mut d, TALK, &notice(ABBOT, "Abbot", "n1", &words));
        let retract = format!("<retract id='{OWN}' publisher='abbot@verona.lit'/>");
        happens(&mut d, OCCUPANTS, &retract);
        d.advance(2);
        let list = subscriptions(OCCUPANTS, &subscribed);
        grant(&mut d, "subscriptions characters#occupants", &list);
        if expected.is_empty() {
            assert_eq!(d.client_bytes(), "");
            assert_eq!(asks(&mut d), [PUBLISH_OWN]);
        } else {
            assert_eq!(sees_done(&mut d), expected);
            assert_eq!(asks(&mut d), [UNDO[1]]);
        }
    }
}

#[test]
fn who_was_put_out_comes_back_as_no_member() {
    for (affiliation, status) in [("none", "321"), ("outcast", "301")] {
        let owners = ["abbot@verona.lit", OWN];
        let mut d = with_owner_in(&info("open", &owners, 3));
        let member = notice(ABBOT, "Abbot", "n1", &is_now("member", ROMEO_BARE));
        happens(&mut d, TALK, &member);
        looks(&mut d, "query characters", Ok(&info("open", &owners, 3)));
        assert_eq!(sees_done(&mut d), "Romeo available member Abbot");
        let words = puts_out(affiliation, ROMEO_BARE, status);
        happens(&mut d, TALK, &notice(ABBOT, "Abbot", "n2", &words));
        happens(&mut d, OCCUPANTS, OUT);
        let expected = format!("Romeo unavailable {status} {affiliation} Abbot Avaunt");
        assert_eq!(sees_done(&mut d), expected);
        happens(&mut d, OCCUPANTS, &occupant(ROMEO, "Romeo", ""));
        assert_eq!(sees_done(&mut d), "Romeo available none");
    }
}

#[test]
fn owners_hear_what_becomes_of_who_is_not_there() {
    let owners = ["abbot@verona.lit", OWN];
    let room = info("open", &owners, 3);
    let paris = "paris@verona.lit";
    let mut d = with_owner_in(&room);
    for (n, affiliation) in ["outcast", "none", "member"].into_iter().enumerate() {
        let words = match affiliation {
            "outcast" => puts_out(affiliation, paris, "301"),
            _ => is_now(affiliation, paris),
        };
        happens(
            &mut d,
            TALK,
            &notice(ABBOT, "Abbot", &format!("n{n}"), &words),
        );
        assert_eq!(d.client_bytes(), "");
        d.advance(5);
        looks(&mut d, "query characters", Ok(&room));
        let told = d.one_to_client();
        assert_eq!((told.value("from"), told.attribute("type")), (ROOM, None));
        let item = told.at("x/item");
        assert_eq!(item.value("jid"), paris);
        assert_eq!(item.value("affiliation"), affiliation);
        assert_eq!(item.value("role"), "none");
        assert_eq!(done_by(&told).0, "Abbot");
    }
    // When he comes, he is that.
    happens(
        &mut d,
        OCCUPANTS,
        &occupant("paris@verona.lit/x", "Paris", ""),
    );
    assert_eq!(sees_done(&mut d), "Paris available member");
    // Once; and whoever is no owner, or hears it of none, hears nothing.
    d.advance(30);
    assert_eq!((d.client_bytes(), asks(&mut d)), Default::default());
    for (owner, by) in [("abbot@verona.lit", ABBOT), (OWN, ROMEO)] {
        let mut d = with_owner_in(&info("open", &[owner], 3));
        happens(
            &mut d,
            TALK,
            &notice(by, "Abbot", "n1", &is_now("member", paris)),
        );
        d.advance(30);
        assert_eq!((d.client_bytes(), asks(&mut d)), Default::default());
    }
}

#[test]
fn a_notice_alone_puts_nobody_out() {
    for jid in [ROMEO_BARE, OWN] {
        let mut d = with_owner();
        let words = puts_out("outcast", jid, "301");
        happens(&mut d, TALK, &notice(ABBOT, "Abbot", "n1", &words));
        d.advance(29);
        assert_eq!((d.client_bytes(), asks(&mut d)), Default::default());
        // A retraction long after the notice has nothing to do with it.
        d.advance(1);
        happens(&mut d, OCCUPANTS, OUT);
        assert_eq!(sees_done(&mut d), "Romeo unavailable none");
        subscription_is(&mut d, OCCUPANTS, JULIET, "none");
        assert_eq!(sees_done(&mut d), "JC unavailable 110 307 none");
    }
}

#[test]
fn who_is_no_owner_says_nothing_to_others() {
    let mut d = with_owner();
    for (id, words) in [
        ("n1", puts_out("outcast", ROMEO_BARE, "301")),
        ("n2", puts_out("outcast", OWN, "301")),
        ("n3", is_now("owner", ROMEO_BARE)),
        ("n4", is_now("none", "abbot@verona.lit")),
        ("n5", "<status code='104'/>".to_owned()),
        ("n6", "<destroy jid='den@chat.shakespeare.lit'/>".to_owned()),
        ("n7", String::new()),
    ] {
        happens(&mut d, TALK, &notice(ROMEO, "Romeo", id, &words));
    }
    d.advance(10);
    assert_eq!((d.client_bytes(), asks(&mut d)), Default::default());
    assert_eq!(d.dropped(), [Dropped::ForeignFrom; 7]);
    happens(&mut d, OCCUPANTS, OUT);
    assert_eq!(sees_done(&mut d), "Romeo unavailable none");
    event_in(&mut d, "<delete node='characters'/>");
    let gone = d.one_to_client();
    assert!(!gone.at("x/destroy").children.iter().any(|_| true));
    assert_eq!(gone.at("x/destroy").attribute("jid"), None);
}

#[test]
fn a_notice_of_before_says_nothing() {
    let mut d = session();
    join(&mut d, MUC);
    let others = occupant(ABBOT, "Abbot", "") + &occupant(ROMEO, "Romeo", "");
    let words = puts_out("outcast", ROMEO_BARE, "301");
    let before = notice(ABBOT, "Abbot", "n1", &words) + &body(ROMEO, "Romeo", "m1", 1);
    let_in(&mut d, &others, &before);
    answer_watch(&mut d);
    let mut seen = sees(&mut d);
    seen.retain(|it| it.contains("says") || it.starts_with("Abbot sets"));
    assert_eq!(seen, ["Romeo says m1 late"]);
    happens(&mut d, OCCUPANTS, OUT);
    assert_eq!(sees_done(&mut d), "Romeo unavailable none");
}

#[test]
fn a_notice_that_comes_during_the_join_is_heard() {
    for (words, then) in [
        // Romeo becomes a member while Juliet is shown nothing yet.
        (is_now("member", ROMEO_BARE), "Romeo available member Abbot"),
        // The room ends as soon as she is in.
        (
            format!("<destroy jid='den@{SERVICE}'><reason>Rain</reason></destroy>"),
            "JC unavailable destroy none",
        ),
        // He is put out just then.
        (
            puts_out("outcast", ROMEO_BARE, "301"),
            "Romeo unavailable 301 outcast Abbot Avaunt",
        ),
    ] {
        let mut d = session();
        join(&mut d, MUC);
        let said = notice(ABBOT, "Abbot", "n1", &words);
        let others = occupant(ABBOT, "Abbot", "") + &occupant(ROMEO, "Romeo", "");
        // Of what comes first of all it is not known yet who may say it, nor who is there.
        let is_first = !words.contains("destroy");
        if is_first {
            happens(&mut d, TALK, &said);
        }
        let publish = answer_join(&mut d, &others, "");
        if !is_first {
            happens(&mut d, TALK, &said);
        }
        echo(&mut d, &publish[0]);
        d.forget();
        match then {
            "JC unavailable destroy none" => event_in(&mut d, "<delete node='characters'/>"),
            "Romeo available member Abbot" => {
                d.advance(1);
                let all = asked(&mut d);
                d.result(one(&all, "query characters"), &open_room());
            }
            _ => happens(&mut d, OCCUPANTS, OUT),
        }
        let seen = d.one_to_client();
        let (actor, reason) = done_by(&seen);
        let affiliation = seen.at("x/item").value("affiliation");
        let words = format!("{} {affiliation} {actor} {reason}", shown(&seen));
        assert_eq!(words.trim(), then);
        if let Some(destroy) = seen.find("x/destroy") {
            assert_eq!(destroy.at("reason").text, "Rain");
        }
    }
}

#[test]
fn a_message_with_a_rooms_word_is_a_message() {
    let mut d = with_owner();
    let words = puts_out("outcast", ROMEO_BARE, "301");
    let said =
        notice(ABBOT, "Abbot", "n1", &words).replace("</message>", "<body>Hm</body></message>");
    happens(&mut d, TALK, &said);
    assert_eq!(sees(&mut d), ["Abbot says Hm"]);
    happens(&mut d, OCCUPANTS, OUT);
    assert_eq!(sees_done(&mut d), "Romeo unavailable none");
}

#[test]
fn whoever_is_there_is_shown_as_what_he_becomes() {
    let mut d = with_owner();
    for (word, owners, expected) in [
        (
            "member",
            vec!["abbot@verona.lit"],
            "Romeo available member Abbot",
        ),
        // Only the service says who an owner is.
        (
            "owner",
            vec!["abbot@verona.lit", ROMEO_BARE],
            "Romeo available owner Abbot",
        ),
        (
            "none",
            vec!["abbot@verona.lit"],
            "Romeo available none Abbot",
        ),
    ] {
        let said = notice(ABBOT, "Abbot", word, &is_now(word, ROMEO_BARE));
        happens(&mut d, TALK, &said);
        assert_eq!(d.client_bytes(), "");
        d.advance(5);
        looks(&mut d, "query characters", Ok(&info("open", &owners, 3)));
        assert_eq!(sees_done(&mut d), expected);
    }
    // The service does not name Romeo as an owner.
    let said = notice(ABBOT, "Abbot", "n9", &is_now("owner", ROMEO_BARE));
    happens(&mut d, TALK, &said);
    d.advance(4);
    looks(&mut d, "query characters", Ok(&open_room()));
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn a_new_owner_has_his_rights_at_once() {
    let lists = format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><affiliations node='{TALK}'>\
         <affiliation jid='abbot@verona.lit' affiliation='owner'/><affiliation jid='{OWN}' affiliation='owner'/>\
         </affiliations></pubsub>"
    );
    let names = info("open", &["abbot@verona.lit", OWN], 3);
    for (mut d, words, result) in [
        (with_owner(), "query characters", names),
        (with_unknown_owner(), "affiliations characters", lists),
    ] {
        let kick = format!(
            "<iq type='set' id='k' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#admin'>\
             <item nick='Romeo' role='none'/></query></iq>"
        );
        d.client(&kick);
        assert_eq!(sees(&mut d), ["iq : forbidden for k"]);
        let said = notice(ABBOT, "Abbot", "n1", &is_now("owner", OWN));
        happens(&mut d, TALK, &said);
        looks(&mut d, words, Ok(&result));
        let shown_now = d.client_got();
        let own = shown_now.iter().find(|it| shown(it) == "JC available 110");
        let own = own.unwrap();
        assert_eq!(own.at("x/item").value("role"), "moderator");
        assert_eq!(done_by(own), ("Abbot", ""));
        d.client(&kick);
        assert_eq!(asks(&mut d), ["affiliations characters"]);
    }
}

#[test]
fn an_owner_who_is_deposed_is_none() {
    // Rows: the owners that the service names then, and the stanzas shown.
    for (owners, expected) in [
        (vec!["abbot@verona.lit"], vec!["JC available 110"]),
        (vec!["abbot@verona.lit", OWN], vec![]),
        // The author of the notice is no owner himself any more.
        (vec![OWN], vec!["Abbot available"]),
    ] {
        let mut d = with_owner_in(&info("open", &["abbot@verona.lit", OWN], 3));
        let said = notice(ABBOT, "Abbot", "n1", &is_now("none", OWN));
        happens(&mut d, TALK, &said);
        looks(&mut d, "query characters", Ok(&info("open", &owners, 3)));
        assert_eq!(sees(&mut d), expected);
        // A notice of the former owner is dropped.
        if !owners.contains(&"abbot@verona.lit") {
            let said = notice(ABBOT, "Abbot", "n2", &is_now("member", ROMEO_BARE));
            happens(&mut d, TALK, &said);
            assert_eq!(d.dropped(), [Dropped::ForeignFrom]);
        }
    }
}

#[test]
fn what_strangers_say_is_asked_about_now_and_then() {
    let mut d = with_unknown_owner();
    let mut count = 0;
    for n in 0..60 {
        for (id, words) in [
            ("a", is_now("owner", OWN)),
            ("b", "<status code='104'/>".to_owned()),
            ("c", puts_out("outcast", "abbot@verona.lit", "301")),
        ] {
            let said = notice(ROMEO, "Romeo", &format!("{id}{n}"), &words);
            happens(&mut d, TALK, &said);
        }
        d.advance(1);
        for iq in asked(&mut d) {
            match &*what(&iq) {
                "query characters" => d.result(&iq, &info("open", &[], 3)),
                "affiliations characters" => d.error(&iq, "auth", "forbidden"),
                other => panic!("{other}"),
            }
            count += 1;
        }
    }
    assert_eq!(d.client_bytes(), "");
    assert!((20..=26).contains(&count), "{count}");
    subscription_is(&mut d, OCCUPANTS, JULIET, "none");
    assert_eq!(sees_done(&mut d), "JC unavailable 110 307 none");
}

#[test]
fn many_words_of_one_cost_nobody_elses() {
    let mut d = with_unknown_owner();
    let words = puts_out("outcast", ROMEO_BARE, "301");
    happens(&mut d, TALK, &notice(ABBOT, "Abbot", "n1", &words));
    // Forty occupants write more notices than are kept.
    for n in 0..40 {
        let full = format!("guest{n}@verona.lit/x");
        happens(
            &mut d,
            OCCUPANTS,
            &occupant(&full, &format!("Guest{n}"), ""),
        );
        let words = puts_out("outcast", jid_of(&full), "301");
        happens(
            &mut d,
            TALK,
            &notice(ROMEO, "Romeo", &format!("r{n}"), &words),
        );
    }
    d.forget();
    let out = format!("<retract id='{ROMEO_BARE}' publisher='abbot@verona.lit'/>");
    happens(&mut d, OCCUPANTS, &out);
    assert_eq!(
        sees_done(&mut d),
        "Romeo unavailable 301 outcast Abbot Avaunt"
    );
}

fn jid_of(full: &str) -> &str {
    full.split('/').next().unwrap()
}

#[test]
fn others_see_that_the_room_is_configured_anew() {
    let is_told = |d: &mut Driver| {
        let mut got = d.client_got();
        got.retain(|it| it.local == "message");
        let codes = got.iter().filter_map(|it| it.find("x/status"));
        codes
            .map(|it| it.value("code").to_owned())
            .collect::<Vec<_>>()
    };
    let configured = notice(ABBOT, "Abbot", "n1", "<status code='104'/>");
    let mut d = with_owner();
    happens(&mut d, TALK, &configured);
    assert_eq!(d.client_bytes(), "");
    looks(&mut d, "query characters", Ok(&open_room()));
    assert_eq!(is_told(&mut d), ["104"]);
    // With the owners unknown the notice is believed only if the configuration has changed.
    for (access, expected) in [("open", vec![]), ("whitelist", vec!["104"])] {
        let mut d = with_unknown_owner();
        happens(&mut d, TALK, &configured);
        looks(&mut d, "query characters", Ok(&info(access, &[], 3)));
        assert_eq!(is_told(&mut d), expected);
    }
    // Without the service's answer no change is known.
    let mut d = with_owner();
    happens(&mut d, TALK, &configured);
    looks(
        &mut d,
        "query characters",
        Err(("cancel", "item-not-found")),
    );
    assert_eq!(is_told(&mut d), [""; 0]);
}
