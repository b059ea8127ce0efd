//! Contacts who are taken out have seen the client go, and others are not bothered without need.

use crate::scenes::*;

const NURSE: &str = "nurse@capulet.lit";
const AWAY: &str = "<presence id='2'><show>away</show></presence>";

fn block_push(jid: &str) -> String {
    format!(
        "<iq to='{JULIET}' from='juliet@capulet.lit' type='set' id='b'><block xmlns='urn:xmpp:blocking'>\
         <item jid='{jid}'/></block></iq>"
    )
}

/// The pushes of Juliet's server when another client of hers takes Romeo's right away.
fn pushes() -> [String; 4] {
    [
        push(CONTACT, "to"),
        push(CONTACT, "remove"),
        block_push(CONTACT),
        block_push("montague.lit"),
    ]
}

/// An account whose node Romeo and the nurse see.
fn account() -> Account {
    Account::with(&[(CONTACT, "both"), (NURSE, "both")])
}

/// A stanza in words, with the state it publishes.
fn tell(stanza: &Node) -> String {
    let words = say(stanza);
    match &*words {
        "publish presence" => {
            let presence = changed(stanza);
            let state = presence.attribute("type").unwrap_or("available");
            format!("publish {state}")
        }
        _ => words,
    }
}

/// Answers all requests to the own account; gives the stanzas sent, in words, and all publishes.
fn settle(d: &mut Driver, account: &Account) -> (Vec<String>, Vec<Node>) {
    let mut sent = account.settle_all(d);
    let told = sent.iter().map(tell).collect();
    sent.retain(|it| it.has("pubsub/publish/item/presence"));
    (told, sent)
}

/// Asserts that the client was taken back, then `whom` was taken out, and then the same was published anew.
#[track_caller]
fn assert_farewell(d: &mut Driver, account: &Account, whom: &str, show: Option<&str>) {
    let (told, publishes) = settle(d, account);
    let order = [
        "publish unavailable",
        &format!("subscription none {whom}"),
        &format!("affiliation none {whom}"),
        "publish available",
    ]
    .map(|what| told.iter().position(|told| told == what));
    assert!(order.iter().all(Option::is_some), "{told:?}");
    assert!(order.is_sorted(), "{told:?}");
    assert_eq!(publishes.len(), 2, "{told:?}");
    let anew = changed(&publishes[1]);
    let id = anew.value("id");
    assert!(id.starts_with("ps-"), "no native copy has its id: {id}");
    let shown = show.map(|_| anew.at("show").text.as_str());
    assert_eq!(shown, show, "what the client said last");
}

/// Asserts that `whom` was taken out, and nobody saw anything of it.
#[track_caller]
fn assert_silent(d: &mut Driver, account: &Account, whom: &str) {
    let (told, publishes) = settle(d, account);
    let out = format!("affiliation none {whom}");
    assert!(told.contains(&out), "{told:?}");
    assert_eq!(publishes.len(), 0, "{told:?}");
}

#[test]
fn what_a_push_may_have_overtaken_is_taken_back() {
    for push in pushes() {
        let account = account();
        let mut d = account.session();
        d.client(AWAY);
        // The server may have published before the change that the push tells of, or after it.
        let sent = d.server_got();
        d.server(&push);
        assert_farewell(&mut d, &account, CONTACT, Some("away"));
        d.result(sent.last().unwrap(), "");
        assert_eq!(said(&mut d), [""; 0], "that answer changes nothing");
    }
}

#[test]
fn what_was_answered_before_a_push_is_left_as_it_is() {
    for push in pushes() {
        let account = account();
        let mut d = account.session();
        d.client(AWAY);
        account.settle(&mut d);
        d.forget();
        d.server(&push);
        assert_silent(&mut d, &account, CONTACT);
    }
}

#[test]
fn what_the_client_says_meanwhile_is_published_in_its_place() {
    let account = account();
    let mut d = account.session();
    d.client("<presence id='2'/>");
    d.server(&push(CONTACT, "remove"));
    d.client("<presence id='3'><show>dnd</show></presence>");
    let (told, publishes) = settle(&mut d, &account);
    let published: Vec<_> = publishes.iter().map(changed).collect();
    let [first, last, anew] = &*published else {
        panic!("{told:?}")
    };
    assert_eq!(first.value("id"), "2");
    assert_eq!(last.value("type"), "unavailable");
    assert_eq!((anew.value("id"), &*anew.at("show").text), ("3", "dnd"));
}

#[test]
fn what_this_client_asks_for_is_seen_by_nobody_else() {
    let block = &*blocking("block", "b", CONTACT);
    let result = "<iq type='result' id='b'/>".to_owned();
    let remove = &*removal("b", CONTACT);
    let refuse = format!("<presence to='{CONTACT}' type='unsubscribed'/>");
    // The push comes before the answer, or behind it, or not at all; so does the roster's.
    for (asked, answers) in [
        (block, vec![result.clone()]),
        (block, vec![block_push(CONTACT), result.clone()]),
        (block, vec![result.clone(), block_push(CONTACT)]),
        (remove, vec![push(CONTACT, "remove"), result.clone()]),
        (remove, vec![result, push(CONTACT, "remove")]),
        (&*refuse, vec![push(CONTACT, "to")]),
    ] {
        let account = account();
        let mut d = account.session();
        d.client(AWAY);
        let publish = d.one_behind_presence();
        d.client(asked);
        // The answer comes before the push: the server had published before the change.
        d.result(&publish, "");
        let mut sent: Vec<_> = Node::stream(&d.server_bytes().replace(asked, ""));
        for answer in &answers {
            d.server(answer);
        }
        for iq in sent.drain(..).filter(|sent| sent.local == "iq") {
            account.answer_one(&iq, &mut d);
        }
        assert_silent(&mut d, &account, CONTACT);
    }
}

#[test]
fn who_is_subscribed_by_pubsub_alone_sees_the_client_go() {
    // No native subscription ends, so the server says nothing.
    let full = "romeo@montague.lit/mobile";
    let mut account = Account::with(&[(NURSE, "both")]);
    account.members.push(CONTACT.to_owned());
    account.record = Some(format!(
        "<contact jid='{CONTACT}' from='yes'><jid>{full}</jid></contact>"
    ));
    let refuse = format!("<presence to='{CONTACT}' type='unsubscribed'/>");
    for asked in [refuse, block_push(CONTACT)] {
        let mut d = account.session();
        d.advance(100);
        match asked.starts_with("<iq") {
            true => d.server(&asked),
            false => d.client(&asked),
        }
        assert_farewell(&mut d, &account, CONTACT, None);
    }
}

#[test]
fn who_was_let_in_and_is_no_contact_sees_the_client_go() {
    // The server knows of no request of Romeo's any more, so her approval changes no roster.
    let account = Account::with(&[(NURSE, "both")]);
    let mut d = account.session();
    d.server(&native(CONTACT, "subscribe"));
    d.client(&format!("<presence to='{CONTACT}' type='subscribed'/>"));
    let let_in = account.settle(&mut d);
    assert!(let_in.contains(&format!("affiliation member {CONTACT}")));
    d.advance(5);
    assert_farewell(&mut d, &account, CONTACT, None);
}

#[test]
fn many_who_are_taken_out_together_see_the_client_go_once() {
    let names: Vec<String> = (0..40).map(|n| format!("c{n}@montague.lit")).collect();
    let contacts: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "both")).collect();
    let account = Account::with(&contacts);
    let mut d = account.session();
    d.client(AWAY);
    for name in &names {
        d.server(&push(name, "remove"));
    }
    let (mut told, mut publishes) = (Vec::new(), Vec::new());
    for _ in 0..60 {
        let (more, published) = settle(&mut d, &account);
        told.extend(more);
        publishes.extend(published);
        d.advance(1);
    }
    let out = told
        .iter()
        .filter(|told| told.starts_with("affiliation none"));
    assert_eq!(out.count(), 40);
    // Her new status, her farewell, her return.
    assert_eq!(publishes.len(), 3, "{told:?}");
}

#[test]
fn who_could_not_see_the_client_makes_nobody_see_it_go() {
    let account = account();
    for stranger in ["paris@verona.lit", "verona.lit"] {
        let mut d = account.session();
        d.client(AWAY);
        account.settle(&mut d);
        d.server(&block_push(stranger));
        assert_silent(&mut d, &account, stranger);
    }
}

/// The last state of Juliet that Romeo's client was shown.
fn last_shown(d: &mut Driver) -> Option<String> {
    let shown = d.client_got().pop()?;
    assert_eq!(shown.value("from"), JULIET);
    Some(shown.attribute("type").unwrap_or("available").to_owned())
}

#[test]
fn whoever_is_told_that_the_client_went_shows_no_ghost() {
    let gone = payload(JULIET, "ps-9", "").replace(" id=", " type='unavailable' id=");
    for is_overtaken in [true, false] {
        let mut d = romeo();
        d.server(&marked(JULIET));
        d.server(&event_of(JULIET, &payload(JULIET, "m1", "")));
        d.server(&format!(
            "<presence from='{JULIET}' to='{ROMEO}' type='unavailable'/>"
        ));
        assert_eq!(last_shown(&mut d).as_deref(), Some("unavailable"));
        if is_overtaken {
            d.server(&event_of(
                JULIET,
                &payload(JULIET, "2", "<show>away</show>"),
            ));
            assert_eq!(last_shown(&mut d).as_deref(), Some("available"), "a ghost");
        }
        d.server(&event_of(JULIET, &gone));
        let expected = is_overtaken.then_some("unavailable");
        assert_eq!(last_shown(&mut d).as_deref(), expected, "said once");
    }
}
