//! Messages to the whole room.

use super::pure::joined_under;
use super::*;

#[test]
fn a_message_comes_back_once_with_its_id() {
    let mut d = joined();
    say_to_all(&mut d, "m1", "<body>But soft</body>");
    let publish = asked(&mut d);
    assert_eq!(in_words(&publish), ["publish characters"]);
    let message = publish[0].at("pubsub/publish/item/message");
    assert_eq!(message.value("from"), format!("{ROOM}/JC"));
    assert_eq!(
        (message.attribute("to"), message.value("type")),
        (None, "groupchat")
    );
    assert_eq!(
        message.at("delay").value("stamp"),
        "1970-01-01T00:16:43Z",
        "for whoever comes later"
    );
    assert_eq!(sees(&mut d), [""; 0], "the service has not taken it yet");
    echo(&mut d, &publish[0]);
    let own = d.one_to_client();
    assert_eq!(shown(&own), "JC says But soft");
    assert_eq!(own.value("id"), "m1");
    let item = publish[0].at("pubsub/publish/item").value("id");
    own.at("stanza-id")
        .assert_values(&[("by", ROOM), ("id", item)]);
    // The same event again, as after a stream was resumed.
    echo(&mut d, &publish[0]);
    assert_eq!(
        (d.client_bytes(), d.dropped()),
        (String::new(), vec![Dropped::Seen])
    );
}

#[test]
fn a_message_that_is_refused_comes_back_as_an_error() {
    let mut d = joined();
    say_to_all(&mut d, "m1", "<body>But soft</body>");
    let publish = asked_for(&mut d, "publish characters");
    d.error(&publish, "auth", "forbidden");
    assert_eq!(sees(&mut d), ["message : forbidden for m1"]);
    say_to_all(&mut d, "m2", "<body>But soft</body>");
    d.forget();
    d.advance(60);
    let shown = sees(&mut d);
    assert!(
        shown.contains(&"message : remote-server-timeout for m2".to_owned()),
        "{shown:?}"
    );
    // A client that is not in the room cannot speak there.
    d.client(&format!(
        "<message to='other@{SERVICE}' type='groupchat' id='m3'><body>x</body></message>"
    ));
    let error = d.one_to_client();
    assert_eq!(
        (error.value("id"), error.has("error/not-acceptable")),
        ("m3", true)
    );
}

#[test]
fn a_state_alone_is_not_published() {
    let mut d = joined();
    for state in ["active", "composing", "paused"] {
        say_to_all(
            &mut d,
            "c",
            &format!("<{state} xmlns='http://jabber.org/protocol/chatstates'/>"),
        );
    }
    say_to_all(
        &mut d,
        "c",
        "<thread>1</thread><composing xmlns='http://jabber.org/protocol/chatstates'/>",
    );
    assert_eq!((asks(&mut d), sees(&mut d)), (vec![], vec![]));
    say_to_all(
        &mut d,
        "m",
        "<body>x</body><active xmlns='http://jabber.org/protocol/chatstates'/>",
    );
    assert_eq!(asks(&mut d), ["publish characters"]);
    // A payload that is neither state nor body is published.
    say_to_all(
        &mut d,
        "r",
        "<reactions xmlns='urn:xmpp:reactions:0' id='m1'><reaction>!</reaction></reactions>",
    );
    assert_eq!(asks(&mut d), ["publish characters"]);
}

#[test]
fn a_subject_is_said_and_kept() {
    let mut d = joined();
    say_to_all(&mut d, "s1", "<subject>Balconies</subject><body/>");
    let publish = asked(&mut d);
    assert_eq!(
        in_words(&publish),
        [
            "publish characters",
            "publish characters#occupants subject/juliet@capulet.lit groupchat"
        ]
    );
    assert!(
        !publish[0].has("pubsub/publish/item/message/body"),
        "it would be a message with a title"
    );
    echo(&mut d, &publish[0]);
    echo(&mut d, &publish[1]);
    assert_eq!(sees(&mut d), ["JC sets Balconies"], "once");
    // With a body or a thread it is a message.
    for more in ["<body>x</body>", "<thread>t</thread>"] {
        say_to_all(&mut d, "s2", &format!("<subject>Balconies</subject>{more}"));
        assert_eq!(asks(&mut d), ["publish characters"], "{more}");
    }
}

#[test]
fn a_subject_is_newer_than_the_one_before() {
    let mut d = joined();
    // Our clock stands at 1003 seconds; another one said that, too.
    let before = line(
        ROMEO,
        "Romeo",
        &format!("subject/{CONTACT}"),
        1003,
        "<subject>Love</subject>",
    );
    happens(&mut d, OCCUPANTS, &before);
    say_to_all(&mut d, "s1", "<subject>Balconies</subject>");
    for publish in asked(&mut d) {
        let message = publish.at("pubsub/publish/item/message");
        assert_eq!(message.at("delay").value("stamp"), "1970-01-01T00:16:44Z");
    }
    say_to_all(&mut d, "m1", "<body>But soft</body>");
    let message = &asked(&mut d)[0];
    let delay = message.at("pubsub/publish/item/message/delay");
    assert_eq!(delay.value("stamp"), "1970-01-01T00:16:43Z");
}

#[test]
fn the_newest_subject_counts() {
    let subject = |full: &str, item: &str, second, what: &str| {
        line(
            full,
            "x",
            &format!("subject/{item}"),
            second,
            &format!("<subject>{what}</subject>"),
        )
    };
    let first = subject(ROMEO, CONTACT, 100, "Love");
    for (second, set) in [
        (subject(OTHER, OTHER, 101, "Peace"), "x sets Peace late"),
        (subject(OTHER, OTHER, 99, "Peace"), "x sets Love late"),
        // Our clock stands at 1000 seconds.
        (subject(OTHER, OTHER, 1600, "Peace"), "x sets Peace late"),
        (subject(OTHER, OTHER, 1601, "Peace"), "x sets Love late"),
        (
            subject(OTHER, "nurse@capulet.lit", 200, "Peace"),
            "x sets Love late",
        ),
    ] {
        let mut d = joined_with(&format!("{first}{second}"), "");
        assert_eq!(sees(&mut d), ["JC available 100 110", set], "{second}");
    }
}

#[test]
fn a_subject_among_the_messages_counts_if_it_is_newer() {
    let set = |second, what: &str| {
        let said = format!("<subject>{what}</subject>");
        line(ROMEO, "Romeo", &format!("s{second}"), second, &said)
    };
    let item = line(
        OTHER,
        "x",
        &format!("subject/{OTHER}"),
        100,
        "<subject>Peace</subject>",
    );
    let undated = set(1, "Love").replace("<delay", "<late");
    for (item, history, expected) in [
        ("", set(50, "Love"), "Romeo sets Love late"),
        ("", undated.clone(), "Romeo sets Love"),
        (&*item, undated, "x sets Peace late"),
        (&item, set(99, "Love"), "x sets Peace late"),
        (&item, set(101, "Love"), "Romeo sets Love late"),
        (
            &item,
            set(101, "Love") + &set(102, "War"),
            "Romeo sets War late",
        ),
        // Our clock stands at 1000 seconds.
        (
            &item,
            set(101, "Love") + &set(1601, "War"),
            "Romeo sets Love late",
        ),
        (
            &item,
            set(101, "Love") + &body(ROMEO, "Romeo", "m1", 102),
            "Romeo sets Love late",
        ),
    ] {
        let mut d = joined_with(item, &history);
        assert_eq!(sees(&mut d).last().unwrap(), expected, "{history}");
    }
}

#[test]
fn a_subject_takes_no_place_in_the_history() {
    let mut d = session();
    join(
        &mut d,
        "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='2'/></x>",
    );
    let requests = asked(&mut d);
    let talk = requests.iter().find(|iq| what(iq) == "items characters");
    let most = talk.unwrap().at("pubsub/items").value("max_items");
    assert_eq!(most, "12", "some of the last ones may be subjects");
    for iq in &requests {
        match &*what(iq) {
            "items characters" => {
                let subject = line(ROMEO, "Romeo", "s", 300, "<subject>Love</subject>");
                let history = [
                    body(ROMEO, "Romeo", "m1", 100),
                    body(ROMEO, "Romeo", "m2", 200),
                    subject,
                    body(ROMEO, "Romeo", "m3", 400),
                ];
                d.result(iq, &items(TALK, &history.concat()));
            }
            _ => d.result(iq, ""),
        }
    }
    let publish = asked_for(&mut d, PUBLISH_OWN);
    echo(&mut d, &publish);
    assert_eq!(
        sees(&mut d),
        [
            "JC available 100 110",
            "Romeo says m2 late",
            "Romeo says m3 late",
            "Romeo sets Love late"
        ]
    );
}

#[test]
fn history_is_as_much_as_the_client_wants() {
    let history: String = (1..=4)
        .map(|n| body(ROMEO, "Romeo", &format!("m{n}"), n * 200))
        .collect();
    let late = |from: u32| {
        (from..=4)
            .map(|n| format!("Romeo says m{n} late"))
            .collect::<Vec<_>>()
    };
    // Our clock stands at 1000 seconds.
    for (wanted, from, is_asked) in [
        ("", 1, true),
        ("maxstanzas='2'", 3, true),
        ("maxstanzas='0'", 5, false),
        ("maxchars='0'", 5, false),
        ("seconds='400'", 3, true),
        ("since='1970-01-01T00:13:20Z'", 4, true),
        ("since='1970-01-01T00:03:20Z' maxstanzas='1'", 4, true),
        ("seconds='x' maxstanzas='-1'", 1, true),
    ] {
        let mut d = session();
        join(
            &mut d,
            &format!("<x xmlns='http://jabber.org/protocol/muc'><history {wanted}/></x>"),
        );
        let requests = asked(&mut d);
        assert_eq!(
            requests.iter().any(|iq| what(iq) == "items characters"),
            is_asked,
            "{wanted}"
        );
        // A service may say more than it was asked for.
        for iq in &requests {
            match &*what(iq) {
                "items characters" => d.result(iq, &items(TALK, &history)),
                _ => d.result(iq, ""),
            }
        }
        let publish = asked_for(&mut d, PUBLISH_OWN);
        echo(&mut d, &publish);
        let mut expected = vec!["JC available 100 110".to_owned()];
        expected.extend(late(from));
        expected.push(" sets ".to_owned());
        assert_eq!(sees(&mut d), expected, "{wanted}");
    }
}

#[test]
fn maxchars_counts_the_newest_whole_messages() {
    let history = format!(
        "{}{}",
        line(
            ROMEO,
            "Romeo",
            "m1",
            1,
            &format!("<body>{}</body>", "x".repeat(2000))
        ),
        body(ROMEO, "Romeo", "m2", 2)
    );
    let mut d = session();
    join(
        &mut d,
        "<x xmlns='http://jabber.org/protocol/muc'><history maxchars='1000'/></x>",
    );
    let_in(&mut d, "", &history);
    assert_eq!(
        sees(&mut d),
        ["JC available 100 110", "Romeo says m2 late", " sets "]
    );
}

#[test]
fn what_is_said_right_behind_a_join_is_said_when_in() {
    let mut d = session();
    join(&mut d, MUC);
    say_to_all(&mut d, "m1", "<body>x</body>");
    d.client(&format!(
        "<message to='{ROOM}/Romeo' type='chat' id='w1'><body>y</body></message>"
    ));
    let publish = answer_join(&mut d, &occupant(ROMEO, "Romeo", ""), "");
    assert_eq!(
        in_words(&publish),
        ["publish characters#occupants juliet@capulet.lit"]
    );
    assert_eq!(sees(&mut d), [""; 0]);
    echo(&mut d, &publish[0]);
    let said = d.server_bytes();
    let at = |what| said.find(what).unwrap_or_else(|| panic!("{what}: {said}"));
    assert!(
        at("<publish node='characters'>") < at("<message"),
        "in the order it was said"
    );
}

#[test]
fn what_is_said_to_a_room_that_lets_nobody_in_comes_back() {
    let mut d = session();
    join(&mut d, MUC);
    say_to_all(&mut d, "m1", "<body>x</body>");
    for iq in asked(&mut d) {
        refuse(&mut d, &iq, "closed-node");
    }
    assert_eq!(
        sees(&mut d),
        [
            "presence JC: registration-required for join",
            "message : not-acceptable for m1"
        ]
    );
    // The client leaves the room, or ends its session.
    join(&mut d, MUC);
    say_to_all(&mut d, "m2", "<body>x</body>");
    leave(&mut d);
    assert_eq!(
        sees(&mut d),
        ["JC unavailable 110", "message : not-acceptable for m2"]
    );
    join(&mut d, MUC);
    say_to_all(&mut d, "m3", "<body>x</body>");
    d.client("<presence type='unavailable'/>");
    assert_eq!(sees(&mut d), ["message : not-acceptable for m3"]);
    // 256 messages wait, and no more.
    join(&mut d, MUC);
    for _ in 0..256 {
        say_to_all(&mut d, "m4", "<body>x</body>");
    }
    assert_eq!(sees(&mut d), [""; 0]);
    say_to_all(&mut d, "m5", "<body>x</body>");
    assert_eq!(sees(&mut d), ["message : not-acceptable for m5"]);
    d.forget();
    d.server("</stream:stream>");
    let said = d.client_bytes();
    assert_eq!(
        ["id='m4'", "<error type='wait'><remote-server-timeout"].map(|it| said.matches(it).count()),
        [256, 257], // and the join
    );
}

#[test]
fn what_is_not_said_to_all_is_refused() {
    let mut d = joined();
    for kind in ["chat", "normal", "headline"] {
        d.client(&format!(
            "<message to='{ROOM}' type='{kind}' id='m1'><body>x</body></message>"
        ));
        let refused = d.one_to_client();
        assert!(refused.has("error/service-unavailable"), "{refused:#?}");
        assert_eq!(d.server_bytes(), "", "everybody would read it");
    }
}

#[test]
fn a_message_with_nothing_in_it_is_refused() {
    let word = format!("<x xmlns='{MUC_USER}'><status code='110'/></x>");
    for nothing in [
        "",
        "<thread>t</thread>",
        "<origin-id xmlns='urn:xmpp:sid:0' id='m1'/>",
        &word,
    ] {
        for (mut d, to, kind) in [
            (joined(), ROOM.to_owned(), "groupchat"),
            (joined_under(Policy::Pure), format!("{ROOM}/Romeo"), "chat"),
        ] {
            d.client(&format!(
                "<message to='{to}' type='{kind}' id='m1'>{nothing}</message>"
            ));
            let refused = d.one_to_client();
            assert!(refused.has("error/bad-request"), "{refused:#?}");
            assert_eq!(
                refused.at("error/text").text,
                "there is nothing in this message"
            );
            assert_eq!(asks(&mut d), [""; 0], "it would take a place on the node");
        }
    }
}

#[test]
fn what_is_said_during_a_join_is_shown_once_and_in_order() {
    for wanted in ["", "<history maxstanzas='0'/>"] {
        let mut d = session();
        join(
            &mut d,
            &format!("<x xmlns='http://jabber.org/protocol/muc'>{wanted}</x>"),
        );
        // The event of the second message overtakes the answer that has it.
        let [m1, m2, m3] = [1, 2, 3].map(|n| body(ROMEO, "Romeo", &format!("m{n}"), n));
        happens(&mut d, TALK, &m2);
        let publish = answer_join(&mut d, "", &format!("{m1}{m2}"));
        happens(&mut d, TALK, &m3);
        echo(&mut d, &publish[0]);
        let expected: &[&str] = match wanted {
            "" => &[
                "Romeo says m1 late",
                "Romeo says m2 late",
                " sets ",
                "Romeo says m3",
            ],
            _ => &[" sets ", "Romeo says m2", "Romeo says m3"],
        };
        assert_eq!(sees(&mut d)[1..], *expected, "{wanted}");
        happens(&mut d, TALK, &m2);
        assert_eq!(d.client_bytes(), "");
    }
}
