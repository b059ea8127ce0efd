//! Under `auto` pubsub follows the native subscriptions: the shim subscribes to contacts with shims (listing 9), and
//! makes contacts who may see us members of our node.

use crate::scenes::*;

/// Juliet's session with Romeo in her roster.
fn with_romeo(state: &str) -> Driver {
    Account::with(&[(CONTACT, state)]).session()
}

/// The answer of a service to listing 9.
fn subscription(state: &str) -> String {
    format!(
        "<pubsub xmlns='{PUBSUB}'><subscription node='presence' jid='juliet@capulet.lit' subscription='{state}'/></pubsub>"
    )
}

/// Romeo's shim is seen: listing 9 as it was sent.
fn asked() -> (Driver, Node) {
    let mut d = with_romeo("to");
    // A directed presence lets him see her.
    d.client(&format!("<presence to='{CONTACT}'/>"));
    d.server(&marked(ROMEO));
    d.client_bytes();
    let iq = d.one_behind_presence();
    (d, iq)
}

#[test]
fn a_marker_sends_listing_9_once() {
    let (mut d, iq) = asked();
    for resource in ["mobile", "orchard"] {
        d.server(&marked(&format!("{CONTACT}/{resource}")));
    }
    answer(&mut d, &iq, "result", &subscription("subscribed"));
    d.server(&marked(ROMEO).replace("m1", "m2"));
    d.advance(10_000);
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn without_a_marker_or_a_subscription_nobody_is_asked() {
    let mut d = with_romeo("both");
    d.server(&format!("<presence from='{ROMEO}' to='{JULIET}'/>"));
    d.advance(1000);
    assert_eq!(d.server_bytes(), "");
    for state in ["from", "none"] {
        let mut d = with_romeo(state);
        d.server(&marked(ROMEO));
        d.advance(1000);
        let sent = said(&mut d);
        assert!(
            !sent.iter().any(|said| said.contains("subscribe ")),
            "{sent:?}"
        );
    }
    // The client's own request subscribes to nothing: the contact's marker has to come first.
    let mut d = with_romeo("none");
    d.client(&format!("<presence to='{CONTACT}' type='subscribe'/>"));
    assert_eq!(said(&mut d), [format!("presence subscribe {CONTACT}")]);
}

#[test]
fn a_marker_that_came_before_the_roster_counts() {
    let account = Account::with(&[(CONTACT, "both")]);
    let mut d = Driver::auto(JULIET);
    d.keep_all();
    d.server(&marked(ROMEO));
    assert_eq!(d.server_bytes(), "");
    d.client("<presence id='1'/>");
    account.settle(&mut d);
    d.advance(3);
    let sent = account.settle(&mut d);
    assert!(sent.contains(&format!("subscribe {CONTACT}")), "{sent:?}");
}

#[test]
fn the_own_resources_are_not_subscribed_to() {
    let mut d = with_romeo("to");
    d.server(&marked("juliet@capulet.lit/chamber"));
    d.server(&marked(JULIET));
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn a_pending_request_is_not_repeated() {
    let pending = error("auth", "not-authorized").replace(
        "<not-",
        "<pending-subscription xmlns='http://jabber.org/protocol/pubsub#errors'/><not-",
    );
    for (kind, body) in [("result", subscription("pending")), ("error", pending)] {
        let (mut d, iq) = asked();
        answer(&mut d, &iq, kind, &body);
        d.server(&marked(ROMEO));
        d.advance(5000);
        assert_eq!(d.server_bytes(), "", "{body}");
    }
}

/// When listing 9 goes out again, in seconds after the refusal of the one before; `refuse` does that.
fn pauses(refuse: impl Fn(&mut Driver, &Node)) -> Vec<u64> {
    let (mut d, mut iq) = asked();
    let mut pauses = Vec::new();
    for _ in 0..5 {
        refuse(&mut d, &iq);
        let start = d.now;
        while d.session.timeout().is_some() {
            let at = d.session.timeout().unwrap().max(d.now);
            d.advance((at - d.now).as_secs().max(1));
            let sent = d.server_got();
            if let [again] = &*sent {
                assert_eq!(say(again), format!("subscribe {CONTACT}"));
                assert_ne!(again.value("id"), iq.value("id"));
                iq = again.clone();
                break;
            }
        }
        pauses.push((d.now - start).as_secs());
    }
    pauses
}

#[test]
fn a_refused_request_is_repeated_later_and_later() {
    // Prosody says `forbidden` of everything, ejabberd `item-not-found` while there is no node.
    for condition in ["forbidden", "item-not-found", "remote-server-not-found"] {
        let pauses = pauses(|d, iq| answer(d, iq, "error", &error("cancel", condition)));
        assert_eq!(pauses, [3, 30, 300, 3600, 3600], "{condition}");
    }
    let refused = |d: &mut Driver, iq: &Node| answer(d, iq, "result", &subscription("none"));
    assert_eq!(pauses(refused), [3, 30, 300, 3600, 3600]);
}

#[test]
fn no_answer_is_a_refusal() {
    let (mut d, _) = asked();
    // Our requests wait for a minute.
    d.advance(59);
    assert_eq!(d.server_bytes(), "");
    d.advance(1 + 2);
    assert_eq!(d.server_bytes(), "");
    d.advance(1);
    assert_eq!(said(&mut d), [format!("subscribe {CONTACT}")]);
}

#[test]
fn a_new_marker_makes_a_long_pause_short() {
    let (mut d, mut iq) = asked();
    for pause in [3, 30] {
        answer(&mut d, &iq, "error", &error("auth", "forbidden"));
        d.advance(pause);
        iq = d.one_to_server();
    }
    answer(&mut d, &iq, "error", &error("auth", "forbidden"));
    d.advance(10);
    // Each presence has a marker, so it must not ask at once.
    for id in 0..20 {
        d.server(&marked(ROMEO).replace("m1", &format!("n{id}")));
    }
    d.advance(29);
    assert_eq!(d.server_bytes(), "");
    d.advance(1);
    assert_eq!(said(&mut d), [format!("subscribe {CONTACT}")]);
}

#[test]
fn a_contact_lost_meanwhile_is_not_asked_again() {
    let (mut d, iq) = asked();
    answer(&mut d, &iq, "error", &error("auth", "forbidden"));
    d.server(&push(CONTACT, "none"));
    d.forget();
    d.advance(1000);
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn whoever_is_hidden_from_meanwhile_is_not_asked_again() {
    let block = blocking("block", "b", CONTACT);
    for change in [
        "<presence/>",
        "<presence type='unavailable'/>",
        &format!("<presence to='{CONTACT}' type='unsubscribed'/>"),
        &block,
    ] {
        let mut d = with_romeo("both");
        d.server(&marked(ROMEO));
        let sent = d.server_got();
        let question = sent
            .iter()
            .find(|iq| say(iq) == format!("subscribe {CONTACT}"));
        let refused = error("cancel", "forbidden");
        answer(&mut d, question.unwrap(), "error", &refused);
        d.client(change);
        if change.starts_with("<iq") {
            d.server("<iq type='result' id='b'/>");
        }
        if change.contains("unsubscribed") {
            d.server(&push(CONTACT, "to"));
        }
        let mut sent = d.server_bytes().replace(&block, "");
        for _ in 0..3 {
            d.advance(1);
            sent += &d.server_bytes();
        }
        let said: Vec<_> = Node::stream(&sent).iter().map(say).collect();
        let is_asked = said.contains(&format!("subscribe {CONTACT}"));
        assert_eq!(is_asked, change == "<presence/>", "{change}: {said:?}");
    }
}

#[test]
fn only_the_contact_answers_listing_9() {
    let (mut d, iq) = asked();
    let id = iq.value("id");
    for from in [
        "romeo@montague.lit/mobile",
        "montague.lit",
        "paris@verona.lit",
    ] {
        d.server(&format!(
            "<iq type='error' from='{from}' to='{JULIET}' id='{id}'>{}</iq>",
            error("auth", "forbidden")
        ));
    }
    d.advance(30);
    d.assert_silent();
}

#[test]
fn the_clients_unsubscribe_ends_the_subscription() {
    let mut d = with_romeo("both");
    let native = format!("<presence to='{CONTACT}' type='unsubscribe' id='u'/>");
    d.client(&native);
    let sent = d.server_bytes();
    assert!(sent.ends_with(&native), "{sent}");
    let iq = Node::stanza(&sent[..sent.len() - native.len()]);
    let expected = format!(
        "<iq type='set' to='{CONTACT}' id='{}'><pubsub xmlns='{PUBSUB}'>\
         <unsubscribe node='presence' jid='juliet@capulet.lit'/></pubsub></iq>",
        iq.value("id")
    );
    assert_eq!(iq, Node::stanza(&expected));
    // The client is told nothing of the answer.
    answer(&mut d, &iq, "error", &error("cancel", "unexpected-request"));
    d.assert_silent();
}

#[test]
fn a_push_that_gains_to_subscribes_whoever_has_a_shim() {
    let mut d = with_romeo("from");
    d.server(&marked(ROMEO));
    d.server(&push("benvolio@montague.lit", "to"));
    d.server(&push(CONTACT, "both"));
    let said = answered_pushes(said(&mut d));
    let asked: Vec<_> = said
        .iter()
        .filter(|said| said.starts_with("subscribe "))
        .collect();
    assert_eq!(asked, [&format!("subscribe {CONTACT}")]);
}

#[test]
fn who_may_not_see_us_is_not_shown_that_we_are_there() {
    let follows = |said: &[String]| said.iter().any(|said| said.starts_with("subscribe "));
    // On ejabberd the owner is asked at once whether we may subscribe.
    let account = Account::with(&[(CONTACT, "to")]);
    let (mut d, mut all) = account.arrived();
    d.server(&marked(ROMEO));
    d.advance(60);
    all.extend(account.settle(&mut d));
    assert!(!follows(&all), "{all:?}");
    // A blocked contact is not subscribed to.
    let mut blocked = Account::with(&[(CONTACT, "both")]);
    blocked.blocked = vec![CONTACT.to_owned()];
    let (mut d, mut all) = blocked.arrived();
    d.server(&marked(ROMEO));
    d.advance(60);
    all.extend(blocked.settle(&mut d));
    assert!(!follows(&all), "{all:?}");
    // A directed presence lets the contact's marker count.
    let mut d = account.session();
    d.server(&marked(ROMEO));
    assert!(!follows(&said(&mut d)));
    d.client(&format!("<presence to='{ROMEO}'/>"));
    assert_eq!(
        said(&mut d),
        [format!("presence  {ROMEO}"), format!("subscribe {CONTACT}")]
    );
    // The client takes its directed presence back before the marker comes.
    let mut d = account.session();
    d.client(&format!("<presence to='{CONTACT}'/>"));
    d.client(&format!("<presence to='{CONTACT}' type='unavailable'/>"));
    d.server(&marked(ROMEO));
    assert!(!follows(&said(&mut d)));
    // The roster lets the contact see her.
    d.server(&push(CONTACT, "both"));
    assert!(follows(&account.settle(&mut d)));
}

#[test]
fn nobody_is_subscribed_to_before_the_client_is_available() {
    let mut d = Driver::auto(JULIET);
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    d.server(&format!(
        "<iq type='result' id='r'><query xmlns='jabber:iq:roster'><item jid='{CONTACT}' subscription='both'/></query></iq>"
    ));
    d.forget();
    d.server(&marked(ROMEO));
    d.advance(60);
    assert_eq!(d.server_bytes(), "");
}

/// Takes out the answers to pushes, which the client never asked for.
fn answered_pushes(said: Vec<String>) -> Vec<String> {
    said.into_iter()
        .filter(|said| !said.starts_with("result"))
        .collect()
}

#[test]
fn a_push_that_loses_to_hides_what_only_events_showed() {
    for (before, after) in [("both", "from"), ("to", "none"), ("to", "remove")] {
        let mut d = with_romeo(before);
        let (native, by_event) = (ROMEO, "romeo@montague.lit/orchard");
        d.server(&format!("<presence from='{native}' to='{JULIET}'/>"));
        d.server(&event_of(by_event, &payload(by_event, "1", "")));
        d.forget();
        d.server(&push(CONTACT, after));
        let shown = d.one_to_client();
        let expected = format!("<presence from='{by_event}' to='{JULIET}' type='unavailable'/>");
        assert_eq!(
            shown,
            Node::stanza(&expected),
            "the server says the other itself"
        );
        let sent = answered_pushes(said(&mut d));
        assert_eq!(
            sent,
            [format!("unsubscribe {CONTACT}")],
            "{before} to {after}"
        );
    }
}

#[test]
fn a_push_that_gains_from_makes_a_member() {
    for (before, after) in [("none", "from"), ("to", "both")] {
        let account = Account::with(&[(CONTACT, before)]);
        let mut d = account.session();
        d.server(&push(CONTACT, after));
        let sent = answered_pushes(account.settle(&mut d));
        assert_eq!(sent, [format!("affiliation member {CONTACT}")]);
        // The same again, by another resource's doing.
        d.server(&push(CONTACT, after));
        assert_eq!(answered_pushes(said(&mut d)), [""; 0]);
    }
    // A contact with a shim is subscribed, too: that shim may have asked too early.
    let account = Account::with(&[(CONTACT, "none")]);
    let mut d = account.session();
    d.server(&marked(ROMEO));
    d.server(&push(CONTACT, "from"));
    assert_eq!(
        answered_pushes(account.settle(&mut d)),
        [
            format!("affiliation member {CONTACT}"),
            format!("subscription subscribed {CONTACT}"),
            // The server lists no subscribers, so the shim records them.
            "configure record".to_owned(),
            "publish record".to_owned()
        ]
    );
}

#[test]
fn a_push_that_loses_from_revokes_on_ejabberd() {
    for (before, after) in [("both", "to"), ("from", "none"), ("from", "remove")] {
        let account = Account::with(&[(CONTACT, before)]);
        let mut d = account.session();
        d.server(&push(CONTACT, after));
        assert_eq!(
            answered_pushes(account.settle(&mut d)),
            [
                "get subscribers".to_owned(),
                format!("subscription none {CONTACT}"),
                format!("affiliation none {CONTACT}")
            ]
        );
    }
}

#[test]
fn a_push_that_loses_from_revokes_on_prosody() {
    let mut account = Account::with(&[(CONTACT, "from")]);
    let all = [
        CONTACT,
        ROMEO,
        "romeo@montague.lit.evil.lit",
        "benvolio@montague.lit",
    ];
    account.subscribers = Some(all.map(str::to_owned).to_vec());
    let mut d = account.session();
    d.server(&push(CONTACT, "none"));
    d.client("<presence id='held'/>");
    let sent = d.server_got();
    let list = sent.iter().find(|iq| say(iq) == "get subscribers");
    let list = list.expect("the question who is subscribed").clone();
    account.answer_one(&list, &mut d);
    // One request each: Prosody stops at the first error.
    assert_eq!(
        said(&mut d),
        [
            format!("subscription none {CONTACT}"),
            format!("subscription none {ROMEO}"),
            format!("affiliation none {CONTACT}")
        ]
    );
}

#[test]
fn whoever_asks_is_a_member_before_he_is_told() {
    let mut d = with_romeo("none");
    d.server_passes(&native(CONTACT, "subscribe"));
    let answer = format!("<presence to='{CONTACT}' type='subscribed'/>");
    d.client(&answer);
    let sent = d.server_bytes();
    assert!(sent.ends_with(&answer), "{sent}");
    let member = Node::stanza(&sent[..sent.len() - answer.len()]);
    let expected = format!(
        "<iq type='set' id='{}'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>\
         <affiliations node='presence'><affiliation jid='{CONTACT}' affiliation='member'/></affiliations></pubsub></iq>",
        member.value("id")
    );
    assert_eq!(member, Node::stanza(&expected));
}

#[test]
fn a_push_about_somebody_who_asks_does_not_answer_him() {
    let mut d = with_romeo("none");
    d.server(&native(CONTACT, "subscribe"));
    d.server(&push(CONTACT, "to"));
    d.forget();
    d.client(&format!("<presence to='{CONTACT}' type='subscribed'/>"));
    assert_eq!(said(&mut d)[0], format!("affiliation member {CONTACT}"));
}

#[test]
fn saying_subscribed_to_somebody_who_never_asked_opens_nothing() {
    let mut d = with_romeo("none");
    let answer = "<presence to='paris@verona.lit' type='subscribed'/>";
    d.client_passes(answer);
}

#[test]
fn nothing_is_published_until_unsubscribed_is_done() {
    let account = Account::with(&[(CONTACT, "both")]);
    let mut d = account.session();
    d.client(&format!("<presence to='{CONTACT}' type='unsubscribed'/>"));
    let sent = d.server_got();
    let words: Vec<_> = sent.iter().map(say).collect();
    assert_eq!(
        words,
        [
            "get subscribers".to_owned(),
            format!("presence unsubscribed {CONTACT}")
        ]
    );
    d.client("<presence id='2'/>");
    assert_eq!(
        said(&mut d),
        ["presence  own"],
        "natively it goes, which the server filters"
    );
    account.answer_one(&sent[0], &mut d);
    let mut ending = d.server_got();
    let words: Vec<_> = ending.iter().map(say).collect();
    assert_eq!(
        words,
        [
            format!("subscription none {CONTACT}"),
            format!("affiliation none {CONTACT}")
        ]
    );
    let last = ending.pop().unwrap();
    d.result(&last, "");
    assert_eq!(said(&mut d), [""; 0]);
    d.result(&ending[0], "");
    assert_eq!(said(&mut d), ["publish presence"]);
}

#[test]
fn a_revocation_is_verified_where_that_can_be() {
    let mut account = Account::with(&[(CONTACT, "both")]);
    account.subscribers = Some(vec![CONTACT.to_owned()]);
    let mut d = account.session();
    d.client(&format!("<presence to='{CONTACT}' type='unsubscribed'/>"));
    let sent = account.settle(&mut d);
    let round = [
        "get subscribers".to_owned(),
        format!("subscription none {CONTACT}"),
        format!("affiliation none {CONTACT}"),
    ];
    // This server keeps the subscription, whatever it says.
    let native = format!("presence unsubscribed {CONTACT}");
    let sent: Vec<_> = sent.into_iter().filter(|said| *said != native).collect();
    let verified = [&round[..], &["get subscribers".to_owned()]].concat();
    assert_eq!(sent, verified);
    for pause in [3, 30] {
        d.advance(pause);
        assert_eq!(account.settle(&mut d), verified);
    }
    let failed = d.events().into_iter().any(
        |event| matches!(event, pubshim::session::Event::RevokeFailed { whom, .. } if whom == CONTACT),
    );
    assert!(failed, "the user is told");
}
