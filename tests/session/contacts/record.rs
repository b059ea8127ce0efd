//! The private node on which contacts are remembered, under `pure`.

use std::collections::{BTreeMap, BTreeSet};

use pubshim::session::Dropped;

use crate::scenes::*;

#[test]
fn what_is_on_record_is_the_roster() {
    let contact = format!(
        "<contact jid='{CONTACT}' listed='yes' to='yes' name='Romeo &amp; me'><group>A</group><group>B</group></contact>"
    );
    let mut d = Driver::asking_for_roster();
    Account::answering(&[(Question::Record, &record(&[(BUCKET, &contact)]))]).settle(&mut d);
    let answer = d.one_to_client();
    let item = answer.at("query/item");
    item.assert_values(&[
        ("jid", CONTACT),
        ("subscription", "to"),
        ("name", "Romeo & me"),
    ]);
    let groups: Vec<_> = item.children.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(groups, ["A", "B"]);
}

#[test]
fn the_record_of_another_account_is_nothing() {
    for from in [
        CONTACT,
        "capulet.lit",
        "juliet@capulet.lit/balcony",
        "juliet@montague.lit",
    ] {
        let mut d = in_state("None");
        d.server(&record_event(
            from,
            BUCKET,
            &format!("<contact jid='{CONTACT}' to='yes' from='yes'/>"),
        ));
        assert_eq!(d.dropped(), [Dropped::ForeignFrom]);
        assert_eq!(shown(&mut d), [""; 0]);
        assert_eq!(left(&mut d), [""; 0]);
    }
}

#[test]
fn what_another_resource_writes_is_pushed_and_never_written() {
    let mut d = in_state("From");
    let contact = format!("<contact jid='{CONTACT}' listed='yes' from='yes' name='R'/>");
    d.server(&record_event(OWN, BUCKET, &contact));
    assert_eq!(shown(&mut d), [format!("push {CONTACT} from 'R'")]);
    // Its echo is no news.
    d.server(&record_event(OWN, BUCKET, &contact));
    assert_eq!(shown(&mut d), [""; 0]);
    d.server(&record_event(OWN, BUCKET, ""));
    assert_eq!(shown(&mut d), [format!("push {CONTACT} remove")]);
    assert_eq!(left(&mut d), [""; 0]);
}

#[test]
fn what_is_malformed_on_record_is_passed_over() {
    let good = format!("<contact jid='{CONTACT}' to='yes'/>");
    let bad = "<contact/><contact jid=''/><contact jid='a@capulet.lit/x' to='yes'/><other jid='a@capulet.lit'/>\
               <contact jid='@capulet.lit' to='yes'/>";
    let mut d = Driver::asking_for_roster();
    let items = format!("{bad}{good}");
    let body = record(&[(BUCKET, &items)]).replace(
        "</items>",
        "<item id='zz'/><item><something xmlns='else'/></item></items>",
    );
    Account::answering(&[(Question::Record, &body)]).settle(&mut d);
    let answer = d.one_to_client();
    let items = &answer.at("query").children;
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(items[0].value("jid"), CONTACT);
    for (id, contacts) in [("zz", &*good), ("", &good), ("100", &good), (BUCKET, bad)] {
        d.server(&record_event(OWN, id, contacts));
    }
    // The last event empties the item.
    assert_eq!(shown(&mut d), [format!("push {CONTACT} remove")]);
}

/// Juliet sets a name, and her server answers the publish so; gives the stanzas she is shown.
fn name_refused(condition: &str) -> (Driver, Vec<String>) {
    let mut d = in_state("None");
    d.client(&roster_set(&format!("<item jid='{CONTACT}' name='R'/>")));
    let publish = d.one_to_server();
    assert!(publish.has("pubsub/publish"));
    match condition {
        "" => d.advance(61),
        condition => d.error(&publish, "cancel", condition),
    }
    let seen = shown(&mut d);
    (d, seen)
}

#[test]
fn what_cannot_be_written_is_refused_and_as_before() {
    for condition in ["forbidden", "internal-server-error", ""] {
        let (mut d, seen) = name_refused(condition);
        assert_eq!(
            seen.last().unwrap(),
            "error s internal-server-error",
            "{seen:?}"
        );
        d.client("<iq type='get' id='again'><query xmlns='jabber:iq:roster'/></iq>");
        let answer = d.client_got();
        assert_eq!(
            answer[0].at("query/item").attribute("name"),
            None,
            "{condition}"
        );
        let last = seen.iter().rfind(|it| it.starts_with("push"));
        assert!(
            last.is_none_or(|it| *it == format!("push {CONTACT} none")),
            "{seen:?}"
        );
    }
}

#[test]
fn a_node_that_was_changed_is_verified_before_it_is_written_to() {
    let (mut d, _) = name_refused("conflict");
    let get = d.one_to_server();
    let configure = get.at("pubsub/configure");
    assert_eq!(
        (get.value("type"), configure.value("node")),
        ("get", RECORD)
    );
    Account::answering(&[]).answer_one(&get, &mut d);
    let publish = d.one_to_server();
    assert!(publish.has("pubsub/publish"));
    d.result(&publish, "");
    assert!(shown(&mut d).contains(&"result s".to_owned()));
}

#[test]
fn a_node_that_is_of_no_use_any_more() {
    let (mut d, _) = name_refused("conflict");
    let get = d.one_to_server();
    d.error(&get, "auth", "forbidden");
    assert_eq!(
        shown(&mut d).last().unwrap(),
        "error s internal-server-error"
    );
    d.client(&roster_set(&format!("<item jid='{CONTACT}' name='R'/>")));
    assert_eq!(shown(&mut d), ["error s service-unavailable"]);
}

#[test]
fn without_a_record_there_is_no_roster() {
    for condition in [
        "forbidden",
        "feature-not-implemented",
        "internal-server-error",
    ] {
        let mut d = Driver::asking_for_roster();
        d.client(&format!("<presence to='{CONTACT}' type='subscribe'/>"));
        Account::answering(&[]).settle_but(&mut d, |d, iq| {
            let is_record = iq.at("pubsub").children[0].value("node") == RECORD;
            if is_record {
                d.error(iq, "cancel", condition);
            }
            is_record
        });
        let mut seen = shown(&mut d);
        seen.sort();
        assert_eq!(
            seen,
            [
                "error r service-unavailable".to_owned(),
                format!("presence refused: {CONTACT} service-unavailable")
            ]
        );
    }
}

#[test]
fn two_changes_of_one_item_are_two_writes_in_order() {
    let mut d = in_state("None");
    d.client(&roster_set(&format!("<item jid='{CONTACT}' name='1'/>")));
    let first = d.one_to_server();
    d.client(&roster_set(&format!("<item jid='{CONTACT}' name='2'/>")));
    d.client(&roster_set(&format!("<item jid='{CONTACT}' name='3'/>")));
    assert_eq!(d.server_bytes(), "", "one at a time");
    // Another resource wrote before: ours come after it.
    d.forget();
    d.server(&record_event(
        OWN,
        BUCKET,
        &format!("<contact jid='{CONTACT}' listed='yes' name='0'/>"),
    ));
    assert_eq!(shown(&mut d), [""; 0]);
    d.result(&first, "");
    let second = d.one_to_server();
    assert_eq!(
        second
            .at("pubsub/publish/item/contacts/contact")
            .value("name"),
        "3"
    );
    d.result(&second, "");
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn a_record_that_comes_in_parts_is_asked_for_to_its_end() {
    let romeo = format!("<contact jid='{CONTACT}' to='yes'/>");
    let first = record(&[(BUCKET, &romeo)]).replace(
        "</pubsub>",
        "<set xmlns='http://jabber.org/protocol/rsm'><count>2</count></set></pubsub>",
    );
    let rest = record(&[("f1", "<contact jid='benvolio@montague.lit' to='yes'/>")]);
    let mut d = Driver::asking_for_roster();
    let mut asked = Vec::new();
    Account::answering(&[]).settle_but(&mut d, |d, iq| {
        let is_record = Question::of(iq) == Some(Question::Record);
        if is_record {
            let body = if asked.is_empty() { &first } else { &rest };
            d.result(iq, body);
            asked.push(iq.at("pubsub/items").children.len());
        }
        is_record
    });
    // The second request asks for all items but the one that came: an item left out is not taken for empty.
    assert_eq!(asked, [0, 255]);
    let answer = d.one_to_client();
    let jids: Vec<_> = answer
        .at("query")
        .children
        .iter()
        .map(|it| it.value("jid"))
        .collect();
    assert_eq!(jids, ["benvolio@montague.lit", CONTACT]);
}

/// The contacts of the item that is published: JID, name.
fn written(publish: &Node) -> Vec<(String, String)> {
    let entries = &publish.at("pubsub/publish/item/contacts").children;
    let name = |it: &Node| it.attribute("name").unwrap_or_default().to_owned();
    entries
        .iter()
        .map(|it| (it.value("jid").to_owned(), name(it)))
        .collect()
}

#[test]
fn what_two_resources_write_to_one_item_is_both_kept() {
    let near = account_in(BUCKET);
    let mut d = in_state("None");
    d.client(&roster_set(&format!("<item jid='{CONTACT}' name='1'/>")));
    let first = d.one_to_server();
    d.forget();
    // The other resource's write came to the server before ours, which takes it away again.
    let theirs = |name| format!("<contact jid='{near}' listed='yes' name='{name}'/>");
    let old = format!("<contact jid='{CONTACT}' listed='yes'/>");
    d.server(&record_event(OWN, BUCKET, &format!("{old}{}", theirs("N"))));
    assert_eq!(shown(&mut d), [format!("push {near} none 'N'")]);
    d.result(&first, "");
    let second = d.one_to_server();
    let both = [
        (near.clone(), "N".to_owned()),
        (CONTACT.to_owned(), "1".to_owned()),
    ];
    assert_eq!(written(&second), both);
    // The echo of the first write, without the other resource's entry, then that of the second.
    let ours = format!("<contact jid='{CONTACT}' listed='yes' name='1'/>");
    d.forget();
    d.server(&record_event(OWN, BUCKET, &ours));
    d.server(&record_event(
        OWN,
        BUCKET,
        &format!("{}{ours}", theirs("N")),
    ));
    d.result(&second, "");
    assert_eq!((shown(&mut d), d.server_bytes()), (vec![], String::new()));
    // With no write of ours under way the other resource's item is the state.
    d.server(&record_event(OWN, BUCKET, &theirs("M")));
    assert_eq!(
        shown(&mut d),
        [
            format!("push {near} none 'M'"),
            format!("push {CONTACT} remove")
        ]
    );
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn a_write_without_an_answer_is_made_again_and_not_for_ever() {
    // A presence stanza changes the record without a request of the client's that waits for the answer.
    let mut d = in_state("None");
    d.client(&format!("<presence to='{CONTACT}' type='subscribe'/>"));
    let mut writes = 0;
    for _ in 0..10 {
        let sent = d.server_got();
        let publish = |it: &&Node| {
            it.find("pubsub/publish")
                .is_some_and(|it| it.value("node") == RECORD)
        };
        for publish in sent.iter().filter(publish) {
            assert_eq!(written(publish), [(CONTACT.to_owned(), String::new())]);
            writes += 1;
        }
        d.advance(61);
    }
    assert_eq!(writes, 4);
}

#[test]
fn a_name_that_nobody_answered_for_leaves_the_record_too() {
    let (mut d, _) = name_refused("");
    let again = d.one_to_server();
    assert_eq!(written(&again), [(CONTACT.to_owned(), String::new())]);
    d.result(&again, "");
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn what_nobody_waits_for_is_written_at_the_pace_of_all_else() {
    // A hundred contacts have left since the last login.
    let names: Vec<_> = (0..100).map(|n| format!("c{n}@verona.lit")).collect();
    let entry = |it| {
        format!(
            "<contact jid='{it}' from='yes' listed='yes' name='{}'/>",
            "n".repeat(200)
        )
    };
    let items: Vec<_> = names.iter().map(|it| (item_of(it), entry(it))).collect();
    let mut buckets: BTreeMap<&str, String> = BTreeMap::new();
    for (bucket, entry) in &items {
        buckets.entry(bucket).or_default().push_str(entry);
    }
    let items: Vec<_> = buckets.iter().map(|(id, them)| (*id, &**them)).collect();
    let list = [(OWN, "subscribed")];
    let answers = [
        (Question::Record, &*record(&items)),
        (Question::Subscribers, &subscriptions(&list)),
    ];
    let mut d = Driver::asking_for_roster();
    let mut bytes = 0;
    let mut seconds = 0;
    let mut buckets = BTreeSet::new();
    while seconds < 120 {
        let sent = d.server_bytes();
        for iq in Node::stream(&sent) {
            if let Some(publish) = iq.find("pubsub/publish") {
                buckets.insert(publish.at("item").value("id").to_owned());
            }
            Account::answering(&answers).answer_one(&iq, &mut d);
        }
        if sent.is_empty() {
            d.advance(1);
            seconds += 1;
        }
        if sent.contains("<publish ") {
            bytes += sent.len();
            assert!(
                bytes <= 12_000 + 1_500 * seconds,
                "{bytes} bytes in {seconds} s"
            );
        }
        // A request of the client's does not wait for these writes.
        if seconds == 2 && sent.is_empty() {
            d.client_bytes();
            d.client(&roster_set(&format!("<item jid='{CONTACT}' name='R'/>")));
        }
        if seconds == 5 && sent.is_empty() {
            assert!(shown(&mut d).contains(&"result s".to_owned()));
        }
    }
    assert!(buckets.len() > 50, "{}", buckets.len());
}
