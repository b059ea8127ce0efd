//! Forms that are no question of the service, forms that have to wait, and forms that come back (listings 10 and 11),
//! under `auto`.

use pubshim::session::Dropped;

use crate::scenes::*;

/// Asserts that nothing is made of a message: it passes, and the session does nothing.
#[track_caller]
fn assert_passes(message: &str) {
    for state in ["", "from"] {
        let (_, mut d) = with_bard(state);
        d.server_passes(message);
        assert_eq!(d.server_bytes(), "", "{message}");
    }
}

#[test]
fn who_may_not_ask_is_not_believed() {
    for from in [
        "bard@shakespeare.lit",
        "bard@shakespeare.lit/globe",
        "shakespeare.lit",
        "pubsub.capulet.lit",
        "capulet.lit.evil.lit",
        "capulet.lit/x",
        "juliet@capulet.lit/balcony",
        "juliet@capulet.lit/chamber",
        "nurse@capulet.lit",
    ] {
        let foreign = format!(" from='{from}'");
        assert_passes(&ejabberd_form(BARD).replace(" from='juliet@capulet.lit'", &foreign));
        assert_passes(&listing_10(BARD).replace(" from='capulet.lit'", &foreign));
    }
}

#[test]
fn a_form_that_is_not_listing_10_is_none() {
    let form = ejabberd_form(BARD);
    let field = |var: &str| {
        let start = form.find(&format!("<field var='{var}'")).unwrap();
        let end = form[start..].find("</field>").unwrap() + start + "</field>".len();
        form[start..end].to_owned()
    };
    for (part, by) in [
        // Missing fields and values.
        (field("FORM_TYPE"), ""),
        (field("pubsub#node"), ""),
        (field("pubsub#subscriber_jid"), ""),
        (format!("<value>{BARD}</value>"), ""),
        (format!("<value>{BARD}</value>"), "<value/>"),
        // Another node, another form, another type of one, no form of XEP-0004.
        ("<value>presence</value>".into(), "<value>Presence</value>"),
        (
            "<value>presence</value>".into(),
            "<value>urn:xmpp:avatar:data</value>",
        ),
        (
            format!("<value>{AUTHORIZATION}</value>"),
            "<value>jabber:iq:register</value>",
        ),
        ("<x type='form'".into(), "<x type='submit'"),
        ("<x type='form'".into(), "<x type='cancel'"),
        ("<x type='form'".into(), "<x"),
        (
            "<x type='form' xmlns='jabber:x:data'>".into(),
            "<x type='form' xmlns='jabber:x:other'>",
        ),
        // The answer to nothing of ours.
        ("<message".into(), "<message type='error'"),
    ] {
        assert!(form.contains(&part), "{part}");
        assert_passes(&form.replacen(&part, by, 1));
    }
}

#[test]
fn foreign_fields_and_the_order_do_not_matter() {
    let (_, mut d) = with_bard("");
    let form = ejabberd_form(BARD)
        .replace("<title>", "<field var='pubsub#subscriber' type='jid-single'><value>evil@evil.lit</value></field><y xmlns='urn:y'/><title>")
        .replace("</x>", "<field var='pubsub#subid'><value>x</value></field><field/></x><z xmlns='urn:z'/>");
    d.server(&form);
    assert_eq!(d.one_to_client(), request(BARD));
}

#[test]
fn a_form_about_no_account_or_the_own_one_is_none() {
    for jid in [
        "",
        " ",
        "shakespeare.lit",
        "@shakespeare.lit",
        "bard@",
        "bard@/globe",
        "/globe",
        "bard@shakespeare.lit@evil.lit",
        "bard bard@shakespeare.lit",
        "bard@shakespeare lit",
        "bard&lt;x/&gt;@shakespeare.lit",
        "&quot;@shakespeare.lit",
        "bard@shakespeare.lit&apos; type=&apos;subscribed",
        "juliet@capulet.lit",
        "juliet@capulet.lit/chamber",
    ] {
        assert_passes(&ejabberd_form(jid));
    }
}

#[test]
fn forms_before_the_roster_is_known_wait_for_it() {
    for state in ["from", "to"] {
        let account = Account::with(&[(BARD, state)]);
        let mut d = Driver::auto(JULIET);
        d.keep_all();
        d.client("<presence id='1'/>");
        let asked = d.server_got();
        d.server(&ejabberd_form(BARD));
        d.server(&ejabberd_form("paris@verona.lit"));
        d.assert_silent();
        for iq in &asked[1..] {
            account.answer_one(iq, &mut d);
        }
        let (shown, sent) = (d.client_got(), account.settle(&mut d));
        let approved = format!("subscription subscribed {BARD}");
        match state {
            "from" => {
                assert_eq!(shown, [request("paris@verona.lit")]);
                assert!(sent.contains(&approved), "{sent:?}");
            }
            _ => {
                assert_eq!(shown, [request(BARD), request("paris@verona.lit")]);
                assert_eq!(sent, ["publish presence", "fetch own"]);
            }
        }
    }
}

#[test]
fn a_roster_that_fails_once_is_asked_for_again_for_a_form() {
    let mut d = Driver::auto(JULIET);
    d.keep(Question::Roster);
    d.server(&ejabberd_form(BARD));
    let get = d.one_to_server();
    d.error(&get, "wait", "internal-server-error");
    d.advance(3);
    let get = d.one_to_server();
    assert_eq!(say(&get), "get roster");
    d.client("<presence id='1'/>");
    Account::with(&[]).answer_one(&get, &mut d);
    assert_eq!(d.one_to_client(), request(BARD));
}

#[test]
fn held_forms_are_bounded() {
    let mut d = Driver::auto(JULIET);
    d.keep(Question::Roster);
    for n in 0..1000 {
        d.server(&ejabberd_form(&format!("bard{n}@shakespeare.lit")));
    }
    let get = d.one_to_server();
    d.client("<presence id='1'/>");
    Account::with(&[]).answer_one(&get, &mut d);
    let shown = d.client_got().len();
    assert!((1..=256).contains(&shown), "{shown}");
    assert_eq!(d.dropped().len(), 1000 - shown);
}

#[test]
fn a_form_before_the_node_is_verified_is_answered_then() {
    // ejabberd sends what it has stored as soon as the client is available.
    let mut d = Driver::auto(JULIET);
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    d.server(&format!(
        "<iq type='result' id='r'><query xmlns='jabber:iq:roster'><item jid='{BARD}' subscription='from'/></query></iq>"
    ));
    d.forget();
    d.client("<presence id='1'/>");
    let configure = d.one_behind_presence();
    d.keep_all();
    d.server(&ejabberd_form("bard@shakespeare.lit/globe"));
    d.assert_silent();
    d.result(&configure, &ejabberd_node(&[]));
    let sent = said(&mut d);
    let expected = "subscription subscribed bard@shakespeare.lit/globe".to_owned();
    assert!(sent.contains(&expected), "{sent:?}");
}

#[test]
fn an_approval_before_the_node_is_verified_is_done_then() {
    let account = Account::with(&[]);
    let mut d = Driver::auto(JULIET);
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    d.server("<iq type='result' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    d.forget();
    d.client("<presence id='1'/>");
    let configure = d.one_behind_presence();
    d.keep_all();
    d.server(&ejabberd_form(BARD));
    assert_eq!(d.one_to_client(), request(BARD));
    let sent = client_says(&mut d, &account, "subscribed");
    assert!(sent.contains(&"publish record".to_owned()), "{sent:?}");
    assert!(!sent.iter().any(|said| said.contains("member")), "{sent:?}");
    d.result(&configure, &ejabberd_node(&[]));
    let sent = said(&mut d);
    for expected in [
        format!("affiliation member {BARD}"),
        format!("subscription subscribed {BARD}"),
    ] {
        assert!(sent.contains(&expected), "{sent:?}");
    }
}

#[test]
fn a_form_about_somebody_blocked_is_denied_unseen() {
    for blocked in [BARD, "shakespeare.lit"] {
        let mut account = Account::with(&[(BARD, "from")]);
        account.blocked = vec![blocked.to_owned()];
        let mut d = account.session();
        d.server(&ejabberd_form(BARD));
        assert_eq!(said(&mut d), [format!("subscription none {BARD}")]);
        assert_eq!(d.client_bytes(), "");
    }
}

#[test]
fn whoever_was_blocked_since_he_asked_is_not_let_in() {
    let account = Account::with(&[]);
    let mut d = account.session();
    d.server(&ejabberd_form(BARD));
    assert!(d.client_bytes().contains("subscribe"), "the user is asked");
    d.client(&blocking("block", "b", BARD));
    d.server("<iq type='result' id='b'/>");
    d.forget();
    d.client(&format!("<presence to='{BARD}' type='subscribed'/>"));
    let sent = said(&mut d);
    assert!(
        !sent.contains(&format!("affiliation member {BARD}"))
            && !sent.contains(&format!("subscription subscribed {BARD}")),
        "{sent:?}"
    );
}

/// Listing 11 as it comes back from a server that does not act on it (ejabberd, experiment 02a).
fn returned(from: &str, allow: &str) -> String {
    format!(
        "<message xml:lang='en' to='{JULIET}' from='{from}' type='error' id='approve1'>\
         <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{AUTHORIZATION}</value></field>\
         <field var='pubsub#node'><value>presence</value></field><field var='pubsub#subscriber_jid'><value>{BARD}</value></field>\
         <field var='pubsub#allow'><value>{allow}</value></field></x><error type='cancel'><item-not-found \
         xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xml:lang='en' xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>\
         No available resource found</text></error></message>"
    )
}

#[test]
fn listing_11_that_comes_back_is_done_as_the_owner() {
    for (state, kind, allow, expected) in [
        (
            "",
            "subscribed",
            "true",
            format!("subscription subscribed {BARD}"),
        ),
        (
            "",
            "unsubscribed",
            "false",
            format!("subscription none {BARD}"),
        ),
    ] {
        let (account, mut d) = with_bard(state);
        d.server(&listing_10(BARD));
        client_says(&mut d, &account, kind);
        d.forget();
        d.server(&returned("capulet.lit", allow));
        assert_eq!(said(&mut d), [expected]);
        assert_eq!(d.client_bytes(), "");
    }
    // A form returned by another address is the client's.
    for from in [
        "shakespeare.lit",
        "bard@shakespeare.lit",
        "capulet.lit.evil.lit",
    ] {
        let (_, mut d) = with_bard("");
        d.server_passes(&returned(from, "true"));
        assert_eq!(d.server_bytes(), "");
    }
}

/// The event by which ejabberd tells the new state of a subscription.
fn state(from: &str, jid: &str, node: &str, state: &str) -> String {
    format!(
        "<message to='juliet@capulet.lit' from='{from}'><event xmlns='http://jabber.org/protocol/pubsub#event'>\
         <subscription subscription='{state}' node='{node}' jid='{jid}'/></event></message>"
    )
}

/// Juliet's session in which she sees the bard, and the bard sees her by directed presence alone.
fn shown_to_the_bard() -> Driver {
    let (_, mut d) = with_bard("to");
    d.client(&format!("<presence to='{BARD}'/>"));
    d.forget();
    d
}

#[test]
fn what_became_of_our_subscription_is_no_matter_of_the_clients() {
    let mut d = shown_to_the_bard();
    d.server(&state(BARD, "juliet@capulet.lit", "presence", "subscribed"));
    // The contact's marker needs no answer any more.
    d.server(&marked("bard@shakespeare.lit/globe").replace("<shim xmlns='urn:pubshim:0'/>", ""));
    d.client_bytes();
    d.server(&marked("bard@shakespeare.lit/globe").replace("m1", "m2"));
    assert_eq!(d.server_bytes(), "");
    // The owner has ended it: the next marker asks again.
    d.server(&state(BARD, "juliet@capulet.lit", "presence", "none"));
    d.server(&marked("bard@shakespeare.lit/globe").replace("m1", "m3"));
    assert_eq!(said(&mut d), [format!("subscribe {BARD}")]);
    assert!(!d.client_bytes().contains("<event"));
}

#[test]
fn states_nobody_asked_for_change_nothing() {
    let own = "juliet@capulet.lit";
    for (message, reason) in [
        (state(BARD, "nurse@capulet.lit", "presence", "subscribed"), Dropped::NotSubscribed),
        (state(BARD, "juliet@capulet.lit/balcony", "presence", "subscribed"), Dropped::NotSubscribed),
        (state("paris@verona.lit", own, "presence", "subscribed"), Dropped::NotSubscribed),
        (state("paris@verona.lit", own, "presence", "none"), Dropped::NotSubscribed),
        (
            state(BARD, own, "presence", "subscribed").replace(
                "</message>",
                "<delay from='capulet.lit' stamp='2026-11-22T07:02:00Z' xmlns='urn:xmpp:delay'/></message>",
            ),
            Dropped::Delayed,
        ),
    ] {
        let mut d = shown_to_the_bard();
        d.server(&message);
        assert_eq!(d.client_bytes() + &d.server_bytes(), "", "{message}");
        assert_eq!(d.dropped(), [reason], "{message}");
        // The session still believes that it has to ask.
        d.server(&marked("bard@shakespeare.lit/globe"));
        assert_eq!(said(&mut d), [format!("subscribe {BARD}")], "{message}");
    }
    // Events of other nodes, and errors, are the client's.
    for message in [
        state(BARD, own, "urn:xmpp:avatar:data", "subscribed"),
        state("pubsub.shakespeare.lit", own, "presence", "subscribed"),
        state(BARD, own, "presence", "subscribed").replace("<message", "<message type='error'"),
    ] {
        assert_passes(&message);
    }
}
