//! Questions of the service whether somebody may subscribe (listings 10 and 11), under `auto`.

use pubshim::session::{Dropped, Event, Input, Leg, Level};

use crate::scenes::*;

/// Answers all requests to the own account; gives the stanzas sent, in words, and the records published.
fn settle_records(account: &Account, d: &mut Driver) -> (Vec<String>, Vec<Node>) {
    let sent = account.settle_all(d);
    let records = sent
        .iter()
        .filter_map(|it| it.find("pubsub/publish/item/contacts").cloned());
    (sent.iter().map(say).collect(), records.collect())
}

#[test]
fn ejabberds_form_of_an_approved_contact_is_answered_at_once() {
    for (state, jid) in [("from", BARD), ("both", "bard@shakespeare.lit/globe")] {
        let (_, mut d) = with_bard(state);
        d.server(&ejabberd_form(jid));
        let iq = d.server_got().remove(0);
        let id = iq.value("id");
        let expected = format!(
            "<iq type='set' id='{id}'><pubsub xmlns='{OWNER}'><subscriptions node='presence'>\
             <subscription jid='{jid}' subscription='subscribed'/></subscriptions></pubsub></iq>"
        );
        assert_eq!(iq, Node::stanza(&expected));
        assert_eq!(d.client_bytes(), "");
    }
}

#[test]
fn a_form_of_an_approved_contact_makes_him_a_member_first() {
    let mut account = Account::with(&[(BARD, "from")]);
    account.members.clear();
    let mut d = Driver::auto(JULIET);
    d.keep_all();
    d.client("<presence id='1'/>");
    let asked = d.server_got();
    d.server(&ejabberd_form(BARD));
    assert_eq!(d.server_bytes(), "");
    for iq in &asked[1..] {
        account.answer_one(iq, &mut d);
    }
    let sent = said(&mut d).into_iter();
    let sent: Vec<_> = sent.filter(|said| said.contains(BARD)).collect();
    assert_eq!(
        sent,
        [
            format!("affiliation member {BARD}"),
            format!("subscription subscribed {BARD}")
        ]
    );
}

#[test]
fn an_approved_full_jid_is_on_record_and_goes_with_its_account() {
    let full = "bard@shakespeare.lit/globe";
    let (account, mut d) = with_bard("from");
    d.server(&ejabberd_form(full));
    let (sent, mut records) = settle_records(&account, &mut d);
    assert_eq!(sent[0], format!("subscription subscribed {full}"));
    let expected =
        format!("<contact xmlns='urn:pubshim:0' jid='{BARD}'><jid>{full}</jid></contact>");
    assert_eq!(records.pop().unwrap().children, [Node::document(&expected)]);

    let sent = client_says(&mut d, &account, "unsubscribed");
    let revoked: Vec<_> = sent
        .iter()
        .filter(|said| said.contains(" none "))
        .cloned()
        .collect();
    assert_eq!(
        revoked,
        [
            format!("subscription none {full}"),
            format!("subscription none {BARD}"),
            format!("affiliation none {BARD}")
        ]
    );
}

#[test]
fn what_was_on_record_before_is_kept_and_revoked_on_ejabberd() {
    let full = "bard@shakespeare.lit/globe";
    let mut account = Account::with(&[(BARD, "from")]);
    account.record = Some(format!("<contact jid='{BARD}'><jid>{full}</jid></contact>"));
    // Another JID is approved in this session.
    let mut d = account.session();
    d.server(&ejabberd_form("bard@shakespeare.lit/pda"));
    let (_, mut records) = settle_records(&account, &mut d);
    let jids: Vec<_> = records.pop().unwrap().children[0]
        .children
        .iter()
        .map(|jid| jid.text.clone())
        .collect();
    assert_eq!(jids, [full, &format!("{BARD}/pda")]);

    // Nothing is approved in this session.
    let mut d = account.session();
    let sent = client_says(&mut d, &account, "unsubscribed");
    let revoked: Vec<_> = sent.iter().filter(|said| said.contains(" none ")).collect();
    assert_eq!(
        revoked,
        [
            &format!("subscription none {full}"),
            &format!("subscription none {BARD}"),
            &format!("affiliation none {BARD}")
        ]
    );
}

#[test]
fn a_form_of_a_stranger_is_shown_once() {
    for form in [ejabberd_form(BARD), listing_10(BARD)] {
        let (_, mut d) = with_bard("");
        d.server(&form);
        assert_eq!(d.one_to_client(), request(BARD));
        assert_eq!(d.server_bytes(), "");
        // Again, with another id, for another JID of the same account.
        d.server(&form);
        d.server(&form.replace("approve1", "approve2"));
        d.server(&form.replace(BARD, &format!("{BARD}/globe")));
        d.assert_silent();
        // After a new login it is asked again, if the service does.
        let (_, mut d) = with_bard("");
        d.server(&form);
        assert_eq!(d.one_to_client(), request(BARD));
    }
}

#[test]
fn a_form_stored_while_nobody_was_there_is_a_request_as_well() {
    let (_, mut d) = with_bard("");
    let delay = "<delay from='capulet.lit' stamp='2026-11-22T07:01:54.496752Z' xmlns='urn:xmpp:delay'>Offline storage</delay>";
    d.server(&ejabberd_form(BARD).replace("</message>", &format!("{delay}</message>")));
    assert_eq!(d.one_to_client(), request(BARD));
}

#[test]
fn approved_by_form_it_is_approved_for_every_jid_that_asked() {
    let (account, mut d) = with_bard("");
    d.server(&ejabberd_form(BARD));
    d.server(&ejabberd_form("bard@shakespeare.lit/globe"));
    d.server(&ejabberd_form("paris@verona.lit"));
    d.forget();
    let sent = client_says(&mut d, &account, "subscribed");
    assert_eq!(
        sent[..3],
        [
            format!("affiliation member {BARD}"),
            format!("subscription subscribed {BARD}"),
            format!("subscription subscribed {BARD}/globe")
        ]
    );
    assert!(sent.contains(&"publish record".to_owned()), "{sent:?}");
}

#[test]
fn approved_by_listing_11_with_the_id_of_the_last_form() {
    let (account, mut d) = with_bard("");
    d.server(&listing_10(BARD));
    d.server(&listing_10(BARD).replace("approve1", "approve&lt;2"));
    d.forget();
    d.client(&format!("<presence to='{BARD}' type='subscribed'/>"));
    let sent = d.server_got();
    let forms: Vec<_> = sent.iter().filter(|s| s.local == "message").collect();
    assert_eq!(forms.len(), 1);
    assert_eq!(say(forms[0]), format!("form to capulet.lit: {BARD} true"));
    assert_eq!(forms[0].value("id"), "approve<2");
    let _ = account;
}

#[test]
fn of_two_forms_about_one_jid_the_last_is_answered() {
    let (account, mut d) = with_bard("");
    d.server(&listing_10(BARD));
    d.server(&ejabberd_form(BARD));
    d.forget();
    let sent = client_says(&mut d, &account, "unsubscribed");
    assert_eq!(sent[0], format!("subscription none {BARD}"));
    assert!(
        !sent.iter().any(|said| said.starts_with("form to")),
        "{sent:?}"
    );
}

#[test]
fn denied_it_is_denied() {
    for (form, answer) in [
        (ejabberd_form(BARD), format!("subscription none {BARD}")),
        (
            listing_10(BARD),
            format!("form to capulet.lit: {BARD} false"),
        ),
    ] {
        let (account, mut d) = with_bard("");
        d.server(&form);
        d.forget();
        let sent = client_says(&mut d, &account, "unsubscribed");
        assert_eq!(sent[0], answer);
        assert!(!sent.iter().any(|said| said.contains("member")), "{sent:?}");
    }
}

#[test]
fn native_and_form_are_one_question() {
    // The native request first.
    let (account, mut d) = with_bard("");
    d.server_passes(&native(BARD, "subscribe"));
    d.server(&ejabberd_form(BARD));
    d.assert_silent();
    let sent = client_says(&mut d, &account, "subscribed");
    assert_eq!(
        sent[..2],
        [
            format!("affiliation member {BARD}"),
            format!("subscription subscribed {BARD}")
        ]
    );

    // The form first.
    let (account, mut d) = with_bard("");
    d.server(&ejabberd_form(BARD));
    assert_eq!(d.one_to_client(), request(BARD));
    d.server(&native(BARD, "subscribe"));
    d.assert_silent();
    let sent = client_says(&mut d, &account, "subscribed");
    assert_eq!(
        sent[..2],
        [
            format!("affiliation member {BARD}"),
            format!("subscription subscribed {BARD}")
        ]
    );
}

#[test]
fn a_native_request_gets_the_answer_that_the_form_has_got() {
    for kind in ["subscribed", "unsubscribed"] {
        let (account, mut d) = with_bard("");
        d.server(&ejabberd_form(BARD));
        client_says(&mut d, &account, kind);
        d.forget();
        d.server(&native(BARD, "subscribe"));
        assert_eq!(d.client_bytes(), "");
        let answer = d.one_to_server();
        let values = ["to", "type"].map(|name| answer.value(name));
        assert_eq!(values, [BARD, kind]);
        // Another request is another question.
        d.server_passes(&native(BARD, "subscribe"));
    }
}

#[test]
fn an_answer_is_not_given_again_to_a_request_of_another_day() {
    // Answered by one answer: the form and the native request that came behind it.
    let (account, mut d) = with_bard("");
    d.server(&ejabberd_form(BARD));
    d.server(&native(BARD, "subscribe"));
    client_says(&mut d, &account, "subscribed");
    d.server(&push(BARD, "from"));
    d.server(&native(BARD, "unsubscribe"));
    d.server(&push(BARD, "none"));
    account.settle(&mut d);
    d.forget();
    d.server_passes(&native(BARD, "subscribe"));
    assert_eq!(d.server_bytes(), "");

    // Approved by the form alone, then taken back.
    let (account, mut d) = with_bard("");
    d.server(&ejabberd_form(BARD));
    client_says(&mut d, &account, "subscribed");
    client_says(&mut d, &account, "unsubscribed");
    d.forget();
    d.server_passes(&native(BARD, "subscribe"));
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn an_approval_by_form_alone_is_on_record_until_taken_back() {
    let (account, mut d) = with_bard("");
    d.server(&ejabberd_form(BARD));
    d.client(&format!("<presence to='{BARD}' type='subscribed'/>"));
    let (_, mut records) = settle_records(&account, &mut d);
    let record = records.pop().expect("it is on record");
    let expected = format!(
        "<contacts xmlns='urn:pubshim:0'><contact jid='{BARD}' from='yes'><jid>{BARD}</jid></contact></contacts>"
    );
    assert_eq!(record, Node::document(&expected));
    // At each login from now on he is a member.
    d.client(&format!("<presence to='{BARD}' type='unsubscribed'/>"));
    let (_, mut records) = settle_records(&account, &mut d);
    let record = records.pop().expect("it is taken off the record");
    assert_eq!(record, Node::document("<contacts xmlns='urn:pubshim:0'/>"));
}

#[test]
fn an_approval_that_cannot_be_written_any_more_is_told() {
    for way in [Input::Shutdown, Input::Eof(Leg::Server)] {
        let (_, mut d) = with_bard("");
        d.server(&ejabberd_form(BARD));
        d.client(&format!("<presence to='{BARD}' type='subscribed'/>"));
        d.forget();
        // The node is not made yet.
        d.input(way);
        let events = d.events();
        let is_told = |event: &Event| {
            matches!(event, Event::NotRecorded { whom } if *whom == [BARD])
                && event.level() == Level::Warn
        };
        assert_eq!(
            events.iter().filter(|it| is_told(it)).count(),
            1,
            "{events:?}"
        );
    }
}

#[test]
fn who_was_approved_by_form_alone_is_revoked_by_a_removal() {
    let (account, mut d) = with_bard("");
    d.server(&ejabberd_form(BARD));
    client_says(&mut d, &account, "subscribed");
    d.server(&push(BARD, "remove"));
    let sent = account.settle(&mut d);
    assert!(
        sent.contains(&format!("subscription none {BARD}")),
        "{sent:?}"
    );
    assert!(
        sent.contains(&format!("affiliation none {BARD}")),
        "{sent:?}"
    );
}

/// The subscriptions granted or denied since the last look.
fn answered(d: &mut Driver) -> Vec<String> {
    let mut said = said(d);
    said.retain(|words| words.starts_with("subscription "));
    said
}

#[test]
fn strangers_take_no_contacts_place() {
    let mut account = Account::with(&[(BARD, "from"), ("nurse@capulet.lit", "from")]);
    account.blocked = vec!["nurse@capulet.lit".to_owned()];
    let mut d = account.session();
    for n in 0..600 {
        d.server(&ejabberd_form(&format!("s{n}@d{}.lit", n % 40)));
    }
    d.advance(60);
    d.forget();
    d.server(&ejabberd_form(BARD));
    assert_eq!(
        answered(&mut d),
        [format!("subscription subscribed {BARD}")]
    );
    d.server(&ejabberd_form("nurse@capulet.lit"));
    assert_eq!(answered(&mut d), ["subscription none nurse@capulet.lit"]);
}

#[test]
fn a_domain_full_of_strangers_leaves_room_for_others() {
    let (_, mut d) = with_bard("");
    for n in 0..300 {
        d.server(&ejabberd_form(&format!("s{n}@montague.lit")));
    }
    assert!(d.dropped().contains(&Dropped::Overflow));
    d.forget();
    d.server(&ejabberd_form(BARD));
    assert_eq!(d.one_to_client(), request(BARD));
    // The same before the contacts are known.
    let mut d = Driver::auto(JULIET);
    d.keep_all();
    d.client("<presence id='1'/>");
    let asked = d.server_got();
    for n in 0..100 {
        d.server(&ejabberd_form(&format!("s{n}@montague.lit")));
    }
    d.server(&ejabberd_form(BARD));
    for iq in &asked[1..] {
        Account::with(&[]).answer_one(iq, &mut d);
    }
    assert!(d.client_got().contains(&request(BARD)));
}

#[test]
fn a_contact_who_asks_again_and_again_is_not_answered_for_ever() {
    for form in [ejabberd_form(BARD), listing_10(BARD)] {
        let (account, mut d) = with_bard("from");
        d.block(Leg::Server, true);
        let mut most = 0;
        for _ in 0..300 {
            d.server(&form);
            most = most.max(d.session.outgoing(Leg::Server).len());
        }
        assert!(most < 64 * 1024, "{most} bytes wait for the server");
        d.block(Leg::Server, false);
        account.settle(&mut d);
        d.advance(60);
        d.forget();
        d.server(&form);
        let sent = d.server_bytes();
        assert!(sent.contains(BARD), "answered later: {sent}");
    }
}
