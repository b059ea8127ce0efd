//! Subscriptions and the roster under `pure`: nothing but pubsub towards the server.

use pubshim::session::Dropped;

use crate::scenes::*;

#[test]
fn an_open_request_is_asked_again_at_the_next_login() {
    // The service repeats its form, or only lists the request as pending.
    for repeats in [true, false] {
        let contact = format!("<contact jid='{CONTACT}' from='asked'/>");
        let mut d = Driver::pure();
        if repeats {
            d.server(&form("approve1", CONTACT));
        }
        d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        let answers = [
            (Question::Record, &*record(&[(BUCKET, &contact)])),
            (
                Question::Subscribers,
                &subscriptions(&[(CONTACT, "pending")]),
            ),
        ];
        Account::answering(&answers).settle(&mut d);
        assert_eq!(shown(&mut d), ["result r"], "not before it is available");
        d.client("<presence/>");
        Account::answering(&answers).settle(&mut d);
        assert_eq!(shown(&mut d), [format!("{CONTACT} subscribe")]);
        d.client(&format!("<presence to='{CONTACT}' type='subscribed'/>"));
        let answer = if repeats {
            "listing 11: true"
        } else {
            "owner: subscribed"
        };
        assert_eq!(
            left(&mut d),
            ["affiliation: member", answer, "record: to - from yes"]
        );
    }
}

#[test]
fn a_request_that_was_taken_is_looked_at_and_not_made_again() {
    for (state, seen) in [
        (
            "subscribed",
            vec![
                format!("{CONTACT} subscribed"),
                format!("push {CONTACT} to"),
            ],
        ),
        ("pending", vec![]),
        (
            "none",
            vec![
                format!("{CONTACT} unsubscribed"),
                format!("push {CONTACT} none"),
            ],
        ),
    ] {
        let contact = format!("<contact jid='{CONTACT}' listed='yes' to='pending'/>");
        let mut d = Driver::asking_for_roster();
        let question = settle_but_contacts(
            &mut d,
            &[(Question::Record, &record(&[(BUCKET, &contact)]))],
        );
        d.forget();
        assert_eq!(question.len(), 1);
        let list = question[0].at("pubsub/subscriptions");
        assert_eq!(
            (list.namespace.as_str(), list.value("node")),
            (PUBSUB, "presence")
        );
        question[0].assert_values(&[("type", "get"), ("to", CONTACT)]);
        let listed = match state {
            "none" => String::new(),
            state => format!("<subscription jid='{OWN}' subscription='{state}'/>"),
        };
        answer(
            &mut d,
            &question[0],
            "result",
            &format!(
                "<pubsub xmlns='{PUBSUB}'><subscriptions node='presence'>{listed}</subscriptions></pubsub>"
            ),
        );
        let mut told = shown(&mut d);
        told.sort();
        let mut seen = seen;
        seen.sort();
        assert_eq!(told, seen, "{state}");
    }
}

#[test]
fn what_nobody_asked_for_changes_nothing() {
    for event in [
        // Events from accounts that did not ask, about other accounts, from a server or a resource.
        state_event("paris@verona.lit", OWN, "subscribed", ""),
        state_event("paris@verona.lit", OWN, "none", ""),
        state_event(CONTACT, "nurse@capulet.lit", "none", ""),
        state_event("capulet.lit", OWN, "none", ""),
        state_event("romeo@montague.lit/mobile", OWN, "none", ""),
        state_event(CONTACT, OWN, "pending", ""),
        state_event(CONTACT, OWN, "unheard-of", ""),
        // A delayed event: the state was true once.
        state_event(
            CONTACT,
            OWN,
            "none",
            "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>",
        ),
    ] {
        let mut d = in_state("Both");
        d.server(&event);
        assert_eq!(left(&mut d), [""; 0], "{event}");
        let seen = d.client_got();
        assert!(
            seen.iter().all(|it| it.local == "message"),
            "{event}: {seen:?}"
        );
    }
}

#[test]
fn a_form_of_a_stranger_is_nothing() {
    let good = form("approve1", "paris@verona.lit");
    for bad in [
        good.replace("from='capulet.lit'", "from='paris@verona.lit'"),
        good.replace("from='capulet.lit'", "from='verona.lit'"),
        good.replace("<value>presence</value>", "<value>other</value>"),
        good.replace("type='form'", "type='submit'"),
        good.replace("#subscribe_authorization", "#something"),
        good.replace("paris@verona.lit", OWN),
        good.replace("paris@verona.lit", "verona.lit"),
        good.replace("<value>paris@verona.lit</value>", "<value/>"),
        good.replace("pubsub#subscriber_jid", "pubsub#somebody"),
        good.replace("<message ", "<message type='error' "),
    ] {
        let mut d = in_state("None");
        d.server(&bad);
        assert_eq!(left(&mut d), [""; 0], "{bad}");
        let seen = d.client_got();
        assert!(
            seen.iter().all(|it| it.local == "message"),
            "{bad}: {seen:?}"
        );
        // The same form without its fault shows the request.
        d.server(&good);
        assert_eq!(shown(&mut d), ["paris@verona.lit subscribe"]);
    }
}

#[test]
fn a_push_only_after_the_client_has_asked_for_its_roster() {
    let mut d = Driver::pure();
    d.client("<presence/>");
    Account::answering(&[]).settle(&mut d);
    d.client(&format!("<presence to='{CONTACT}' type='subscribe'/>"));
    d.server(&record_event(
        OWN,
        BUCKET,
        &format!("<contact jid='{CONTACT}' to='asked' name='R'/>"),
    ));
    assert_eq!(shown(&mut d), [""; 0]);
    d.forget();
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    assert_eq!(shown(&mut d), ["result r"]);
    d.client(&format!("<presence to='{CONTACT}' type='unsubscribe'/>"));
    assert_eq!(shown(&mut d).len(), 1);
}

#[test]
fn answers_to_pushes_are_ours() {
    let mut d = in_state("None");
    d.client(&format!("<presence to='{CONTACT}' type='subscribe'/>"));
    let push = d.one_to_client();
    d.server_bytes();
    let id = push.value("id");
    for answer in [
        format!("<iq type='result' id='{id}'/>"),
        format!("<iq type='result' id='{id}' to='{OWN}'/>"),
        format!(
            "<iq type='error' id='{id}'><query xmlns='jabber:iq:roster'/><error type='cancel'/></iq>"
        ),
        "<iq type='error' id='whose'><query xmlns='jabber:iq:roster'/><error type='cancel'/></iq>"
            .to_owned(),
    ] {
        d.client(&answer);
        assert_eq!(d.server_bytes() + &d.client_bytes(), "", "{answer}");
    }
}

#[test]
fn presence_to_nobody_is_not_sent_on() {
    let mut d = in_state("None");
    for kind in ["subscribe", "subscribed", "probe", "unheard-of"] {
        d.client(&format!("<presence type='{kind}' id='x'/>"));
        let answer = d.one_to_client();
        assert_eq!((answer.value("type"), answer.value("id")), ("error", "x"));
        assert!(answer.has("error/bad-request"));
        assert_eq!(d.server_bytes(), "", "{kind}");
    }
    d.client("<presence type='error'/><presence type='invisible'/>");
    assert_eq!(d.client_bytes(), "");
    let sent = d.server_got();
    assert!(sent.iter().all(|it| it.local == "iq"), "{sent:?}");
}

/// Juliet's roster at her login, where three contacts are on record and `list` on her node, which has to be made anew
/// or not; gives the stanzas she was shown, and the contacts her shim subscribes.
fn three_on_record(list: &[(&str, &str)], is_new: bool) -> (Vec<String>, Vec<String>) {
    let entries: String = THREE
        .iter()
        .map(|it| format!("<contact jid='{it}' from='yes'/>"))
        .collect();
    let (record, list) = (record(&[(BUCKET, &entries)]), subscriptions(list));
    let answers = [
        (Question::Record, &*record),
        (Question::Subscribers, &*list),
    ];
    let mut d = Driver::asking_for_roster();
    let (mut is_there, mut subscribed) = (!is_new, Vec::new());
    Account::answering(&answers).settle_but(&mut d, |d, iq| {
        is_there |= iq.has("pubsub/create");
        if let Some(change) = iq.find("pubsub/subscriptions/subscription")
            && change.value("subscription") == "subscribed"
        {
            subscribed.push(change.value("jid").to_owned());
        }
        let is_missing = say(iq) == "configure presence" && !is_there;
        if is_missing {
            d.error(iq, "cancel", "item-not-found");
        }
        is_missing
    });
    subscribed.sort();
    (shown(&mut d), subscribed)
}

const THREE: [&str; 3] = ["c0@verona.lit", "c1@verona.lit", "c2@verona.lit"];

#[test]
fn contacts_that_are_gone_have_left_even_all_of_them() {
    let (seen, subscribed) =
        three_on_record(&[(THREE[0], "subscribed"), (THREE[2], "subscribed")], false);
    assert!(
        seen.contains(&format!("{} unsubscribe", THREE[1])),
        "{seen:?}"
    );
    assert_eq!(subscribed, [""; 0]);
    let (mut seen, subscribed) = three_on_record(&[], false);
    seen.sort();
    let left = THREE.map(|it| format!("{it} unsubscribe"));
    assert_eq!(seen[..3], left);
    assert_eq!(subscribed, [""; 0]);
}

#[test]
fn from_a_node_that_was_lost_nobody_has_left() {
    // Prosody lists those of the node that was there before, and delivers nothing to them.
    for list in [
        &[][..],
        &[(THREE[1], "subscribed"), (CONTACT, "subscribed")],
    ] {
        let (seen, subscribed) = three_on_record(list, true);
        assert_eq!(seen, ["result r"]);
        assert_eq!(subscribed, THREE);
    }
}

#[test]
fn an_answer_asked_for_before_a_change_does_not_undo_it() {
    let mut d = in_state("Both");
    // Benvolio asks, and while the subscribers are listed because Romeo has left he is approved.
    d.server(&form("approve9", OTHER));
    d.forget();
    d.server(&state_event(CONTACT, OWN, "none", ""));
    let sent = d.server_got();
    let list = sent
        .iter()
        .find(|it| it.has("pubsub/subscriptions"))
        .unwrap()
        .clone();
    d.client("<presence to='paris@verona.lit' type='subscribed'/>");
    d.server(&form("approve8", "paris@verona.lit"));
    d.client("<presence to='paris@verona.lit' type='subscribed'/>");
    d.forget();
    d.result(
        &list,
        &subscriptions(&[(OTHER, "subscribed"), (CONTACT, "subscribed")]),
    );
    assert_eq!(shown(&mut d), [""; 0]);
    assert_eq!(left(&mut d), ["get subscriptions"], "asked again");
}

#[test]
fn events_of_contacts_wait_for_the_roster_and_the_client() {
    let contact = format!("<contact jid='{CONTACT}' to='yes'/>");
    let mut d = Driver::asking_for_roster();
    Account::answering(&[(Question::Record, &record(&[(BUCKET, &contact)]))]).settle(&mut d);
    d.forget();
    d.server(&event_of(ROMEO, &payload(ROMEO, "1", "")));
    assert_eq!(d.client_bytes(), "");
    assert_eq!(d.dropped(), [Dropped::Unavailable]);
    d.client("<presence/>");
    Account::answering(&[]).settle(&mut d);
    d.server(&event_of(ROMEO, &payload(ROMEO, "2", "")));
    assert_eq!(shown(&mut d), [format!("{ROMEO} available")]);
    d.server(&event_of(
        "paris@verona.lit/x",
        &payload("paris@verona.lit/x", "3", ""),
    ));
    assert_eq!(shown(&mut d), [""; 0]);
}

#[test]
fn who_has_left_and_asks_again_is_approved_again() {
    let contact = format!("<contact jid='{CONTACT}' listed='yes' from='yes'/>");
    let mut d = Driver::asking_for_roster();
    let answers = [
        (Question::Record, &*record(&[(BUCKET, &contact)])),
        (
            Question::Subscribers,
            &subscriptions(&[(CONTACT, "pending")]),
        ),
    ];
    let sent = Account::answering(&answers).settle_all(&mut d);
    assert_eq!(shown(&mut d), ["result r"]);
    let approved = sent
        .iter()
        .filter_map(|iq| iq.find("pubsub/subscriptions/subscription"));
    let approved: Vec<_> = approved
        .map(|it| (it.value("jid"), it.value("subscription")))
        .collect();
    assert_eq!(approved, [(CONTACT, "subscribed")]);
}

#[test]
fn who_is_being_thrown_out_is_no_new_subscriber() {
    let mut d = in_state("Both");
    d.client(&format!("<presence to='{CONTACT}' type='unsubscribed'/>"));
    d.server(&state_event(CONTACT, OWN, "none", ""));
    let sent = d.server_got();
    let lists = sent.iter().filter(|iq| iq.value("type") == "get");
    let lists: Vec<_> = lists.filter(|iq| iq.has("pubsub/subscriptions")).collect();
    // One list for the revocation, one to find others who have left: both still name him.
    assert_eq!(lists.len(), 2);
    d.forget();
    for list in lists {
        let listed = [(OTHER, "subscribed"), (CONTACT, "subscribed")];
        d.result(list, &subscriptions(&listed));
    }
    assert_eq!(shown(&mut d), [""; 0]);
    let sent = left(&mut d);
    assert!(sent.contains(&"owner: none".to_owned()), "{sent:?}");
    assert!(!sent.iter().any(|it| it.starts_with("record")), "{sent:?}");
}

#[test]
fn pushes_lead_to_the_version_of_the_whole_roster() {
    let get = |d: &mut Driver, known: &str| {
        d.client(&format!(
            "<iq type='get' id='v'><query xmlns='jabber:iq:roster' ver='{known}'/></iq>"
        ));
        d.one_to_client()
    };
    let version = |answer: &Node| answer.at("query").value("ver").to_owned();
    let mut d = in_state("Both");
    let first = version(&get(&mut d, ""));
    let romeo = format!("<contact jid='{CONTACT}' listed='yes' to='yes' from='yes'/>");
    let other = |name| format!("<contact jid='{OTHER}' listed='yes' name='{name}'/>");
    let mut seen = vec![first.clone()];
    for (bucket, item) in [
        ("f1", other("A")),
        (BUCKET, String::new()),
        ("f1", other("B")),
        (BUCKET, romeo),
        ("f1", format!("<contact jid='{OTHER}' from='yes'/>")),
    ] {
        d.server(&record_event(OWN, bucket, &item));
        let pushes = d.client_got();
        let pushed = version(pushes.last().unwrap());
        assert!(!get(&mut d, &pushed).has("query"), "the client is current");
        assert_eq!(version(&get(&mut d, "other")), pushed);
        seen.push(pushed);
    }
    assert_eq!(seen.last(), Some(&first), "the same list again");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5, "each list has its own: {seen:?}");
}
