//! Questions of the service whether somebody may subscribe (listings 10 and 11), under `auto`.

use crate::account::*;
use crate::driver::*;
use crate::presence_out::{OWNER, published};
use crate::tree::Node;

const BARD: &str = "bard@shakespeare.lit";
const AUTHORIZATION: &str = "http://jabber.org/protocol/pubsub#subscribe_authorization";

/// Listing 10 as ejabberd 23.01 really sends it: in the owner's own name and without an id.
fn ejabberd_form(jid: &str) -> String {
    format!(
        "<message to='juliet@capulet.lit' from='juliet@capulet.lit'><x type='form' xmlns='jabber:x:data'>\
         <title>PubSub subscriber request</title><instructions>Choose whether to approve this entity&apos;s \
         subscription.</instructions><field var='FORM_TYPE' type='hidden'><value>{AUTHORIZATION}</value></field>\
         <field var='pubsub#node' type='text-single' label='Node ID'><required/><value>presence</value></field>\
         <field var='pubsub#subscriber_jid' type='jid-single' label='Subscriber Address'><required/>\
         <value>{jid}</value></field><field var='pubsub#allow' type='boolean' \
         label='Allow this Jabber ID to subscribe to this pubsub node?'><required/><value>0</value></field></x></message>"
    )
}

/// Listing 10 as printed, white space included, but for `>>false`.
fn listing_10(jid: &str) -> String {
    format!(
        "<message to='juliet@capulet.lit' from='capulet.lit' id='approve1'>
  <x xmlns='jabber:x:data' type='form'>
    <title>PubSub subscriber request</title>
    <instructions>
To approve this entity's subscription request, click the OK button. To deny the request, click the cancel button.
</instructions>
<field var='FORM_TYPE' type='hidden'>
  <value>http://jabber.org/protocol/pubsub#subscribe_authorization
  </value>
</field>
<field var='pubsub#node' type='text-single' label='Node_ID'>
  <value>presence</value>
</field>
<field var='pubsub#subscriber_jid' type='jid-single' label='
  Subscriber_Address'>
  <value>{jid}</value>
</field>
<field var='pubsub#allow' type='boolean'
  label='Allow_this_JID_to_subscribe_to_this_pubsub_node?'>
  <value>false</value>
</field>
</x>
</message>"
    )
}

/// Juliet's session in which the bard is this much of a contact.
fn session(state: &str) -> (Account, Driver) {
    let account = match state {
        "" => Account::with(&[]),
        state => Account::with(&[(BARD, state)]),
    };
    let d = account.session();
    (account, d)
}

/// What the client sees of a request.
fn request(account: &str) -> Node {
    let shown = format!("<presence from='{account}' to='juliet@capulet.lit' type='subscribe'/>");
    Node::stanza(&shown)
}

/// Answers all that is asked of the own account; what was sent, in words, and what was put on record.
fn settle_records(account: &Account, d: &mut Driver) -> (Vec<String>, Vec<Node>) {
    let (mut said, mut records) = (Vec::new(), Vec::new());
    loop {
        let sent = d.server_got();
        if sent.is_empty() {
            return (said, records);
        }
        for stanza in sent {
            said.push(say(&stanza));
            records.extend(stanza.find("pubsub/publish/item/contacts").cloned());
            if stanza.local == "iq" {
                account.answer_one(&stanza, d);
            }
        }
    }
}

/// What the client says, and what is sent because of it, without the native stanza itself, which must be there.
fn client_says(d: &mut Driver, account: &Account, kind: &str) -> Vec<String> {
    let stanza = format!("<presence to='{BARD}' type='{kind}'/>");
    d.client(&stanza);
    let mut sent = account.settle(d);
    let at = sent
        .iter()
        .position(|said| *said == format!("presence {kind} {BARD}"));
    sent.remove(at.expect("the native stanza passes"));
    sent
}

#[test]
fn a_form_of_an_approved_contact_is_answered_at_once_as_the_owner_on_ejabberd() {
    for (state, jid) in [("from", BARD), ("both", "bard@shakespeare.lit/globe")] {
        let (_, mut d) = session(state);
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
fn a_form_of_an_approved_contact_is_answered_with_listing_11() {
    let (_, mut d) = session("from");
    d.server(&listing_10(BARD));
    // As printed, but for 'from', which the server writes, the service's name and `>>true`.
    let listing_11 = format!(
        "<message to='capulet.lit' id='approve1'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE' type='hidden'><value>{AUTHORIZATION}</value></field>\
         <field var='pubsub#node'><value>presence</value></field>\
         <field var='pubsub#subscriber_jid'><value>{BARD}</value></field>\
         <field var='pubsub#allow'><value>true</value></field></x></message>"
    );
    assert_eq!(d.one_to_server(), Node::stanza(&listing_11));
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn a_form_of_an_approved_contact_who_is_no_member_yet_makes_him_one_first() {
    let mut account = Account::with(&[(BARD, "from")]);
    account.members.clear();
    let mut d = published();
    d.keep_search = true;
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    d.server(&format!(
        "<iq type='result' id='r'><query xmlns='jabber:iq:roster'>{}</query></iq>",
        account.roster.as_ref().unwrap()
    ));
    d.forget();
    d.server(&ejabberd_form(BARD));
    assert_eq!(
        said(&mut d),
        [
            format!("affiliation member {BARD}"),
            format!("subscription subscribed {BARD}")
        ]
    );
}

#[test]
fn a_full_jid_that_was_approved_is_on_record_and_revoked_with_its_account() {
    let full = "bard@shakespeare.lit/globe";
    let (account, mut d) = session("from");
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
    assert_eq!(jids, [&format!("{BARD}/pda"), full]);

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
        let (_, mut d) = session("");
        d.server(&form);
        assert_eq!(d.one_to_client(), request(BARD));
        assert_eq!(d.server_bytes(), "");
        // Again, with another id, for another JID of the same account.
        d.server(&form);
        d.server(&form.replace("approve1", "approve2"));
        d.server(&form.replace(BARD, &format!("{BARD}/globe")));
        assert_eq!(d.client_bytes() + &d.server_bytes(), "");
        // After a new login it is asked again, if the service does.
        let (_, mut d) = session("");
        d.server(&form);
        assert_eq!(d.one_to_client(), request(BARD));
    }
}

#[test]
fn a_form_stored_while_nobody_was_there_is_a_request_as_well() {
    let (_, mut d) = session("");
    let delay = "<delay from='capulet.lit' stamp='2026-11-22T07:01:54.496752Z' xmlns='urn:xmpp:delay'>Offline storage</delay>";
    d.server(&ejabberd_form(BARD).replace("</message>", &format!("{delay}</message>")));
    assert_eq!(d.one_to_client(), request(BARD));
}

#[test]
fn approved_by_form_it_is_approved_for_every_jid_that_asked() {
    let (account, mut d) = session("");
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
    let (account, mut d) = session("");
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
fn denied_it_is_denied() {
    for (form, answer) in [
        (ejabberd_form(BARD), format!("subscription none {BARD}")),
        (
            listing_10(BARD),
            format!("form to capulet.lit: {BARD} false"),
        ),
    ] {
        let (account, mut d) = session("");
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
    let (account, mut d) = session("");
    d.server(&native(BARD, "subscribe"));
    assert_eq!(d.client_bytes(), native(BARD, "subscribe"));
    d.server(&ejabberd_form(BARD));
    assert_eq!(d.client_bytes() + &d.server_bytes(), "");
    let sent = client_says(&mut d, &account, "subscribed");
    assert_eq!(
        sent,
        [
            format!("affiliation member {BARD}"),
            format!("subscription subscribed {BARD}")
        ]
    );

    // The form first.
    let (account, mut d) = session("");
    d.server(&ejabberd_form(BARD));
    assert_eq!(d.one_to_client(), request(BARD));
    d.server(&native(BARD, "subscribe"));
    assert_eq!(d.client_bytes() + &d.server_bytes(), "");
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
fn a_native_request_after_the_answer_to_the_form_gets_the_same_answer() {
    for kind in ["subscribed", "unsubscribed"] {
        let (account, mut d) = session("");
        d.server(&ejabberd_form(BARD));
        client_says(&mut d, &account, kind);
        d.forget();
        d.server(&native(BARD, "subscribe"));
        assert_eq!(d.client_bytes(), "");
        let expected = format!("<presence to='{BARD}' type='{kind}'/>");
        assert_eq!(d.one_to_server(), Node::stanza(&expected));
        // Another request is another question.
        d.server(&native(BARD, "subscribe"));
        assert_eq!(d.client_bytes(), native(BARD, "subscribe"));
    }
}

#[test]
fn an_answer_is_not_given_again_to_a_request_of_another_day() {
    // Answered by one answer: the form and the native request that came behind it.
    let (account, mut d) = session("");
    d.server(&ejabberd_form(BARD));
    d.server(&native(BARD, "subscribe"));
    client_says(&mut d, &account, "subscribed");
    d.server(&push(BARD, "from"));
    d.server(&native(BARD, "unsubscribe"));
    d.server(&push(BARD, "none"));
    account.settle(&mut d);
    d.forget();
    d.server(&native(BARD, "subscribe"));
    assert_eq!(d.client_bytes(), native(BARD, "subscribe"));
    assert_eq!(d.server_bytes(), "");

    // Approved by the form alone, then taken back.
    let (account, mut d) = session("");
    d.server(&ejabberd_form(BARD));
    client_says(&mut d, &account, "subscribed");
    client_says(&mut d, &account, "unsubscribed");
    d.forget();
    d.server(&native(BARD, "subscribe"));
    assert_eq!(d.client_bytes(), native(BARD, "subscribe"));
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn a_request_that_was_withdrawn_may_come_again() {
    let (_, mut d) = session("");
    d.server(&ejabberd_form(BARD));
    d.server(&native(BARD, "subscribe"));
    d.server(&native(BARD, "unsubscribe"));
    d.forget();
    d.server(&native(BARD, "subscribe"));
    assert_eq!(d.client_bytes(), native(BARD, "subscribe"));
}

#[test]
fn an_approval_by_form_alone_is_remembered_until_it_is_taken_back() {
    let (account, mut d) = session("");
    d.server(&ejabberd_form(BARD));
    d.client(&format!("<presence to='{BARD}' type='subscribed'/>"));
    let (_, mut records) = settle_records(&account, &mut d);
    let record = records.pop().expect("it is on record");
    let expected =
        format!("<contacts xmlns='urn:pubshim:0'><contact jid='{BARD}' from='yes'/></contacts>");
    assert_eq!(record, Node::document(&expected));
    // At each login from now on he is a member.
    d.client(&format!("<presence to='{BARD}' type='unsubscribed'/>"));
    let (_, mut records) = settle_records(&account, &mut d);
    let record = records.pop().expect("it is taken off the record");
    assert_eq!(record, Node::document("<contacts xmlns='urn:pubshim:0'/>"));
}

#[test]
fn who_was_approved_by_form_alone_is_revoked_when_removed_from_the_roster() {
    let (account, mut d) = session("");
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

/// Asserts that nothing is made of a message: it passes, and the session does nothing.
#[track_caller]
fn assert_passes(message: &str) {
    for state in ["", "from"] {
        let (_, mut d) = session(state);
        d.server(message);
        assert_eq!(d.client_bytes(), message);
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
    let (_, mut d) = session("");
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
        let mut d = published();
        d.keep_search = true;
        d.server(&ejabberd_form(BARD));
        d.server(&ejabberd_form("paris@verona.lit"));
        assert_eq!(d.client_bytes(), "");
        let get = d.one_to_server();
        assert_eq!(say(&get), "get roster");
        account.answer_one(&get, &mut d);
        let (shown, sent) = (d.client_got(), said(&mut d));
        let approved = format!("subscription subscribed {BARD}");
        match state {
            "from" => {
                assert_eq!(shown, [request("paris@verona.lit")]);
                assert!(sent.contains(&approved), "{sent:?}");
            }
            _ => {
                assert_eq!(shown, [request(BARD), request("paris@verona.lit")]);
                assert_eq!(sent, [""; 0]);
            }
        }
    }
}

#[test]
fn a_roster_that_fails_once_is_asked_for_again_for_a_form() {
    let mut d = published();
    d.keep_search = true;
    d.server(&ejabberd_form(BARD));
    let get = d.one_to_server();
    d.error(&get, "wait", "internal-server-error");
    let get = d.one_to_server();
    assert_eq!(say(&get), "get roster");
    Account::with(&[]).answer_one(&get, &mut d);
    assert_eq!(d.one_to_client(), request(BARD));
}

#[test]
fn held_forms_are_bounded() {
    let mut d = published();
    d.keep_search = true;
    for n in 0..1000 {
        d.server(&ejabberd_form(&format!("bard{n}@shakespeare.lit")));
    }
    let get = d.one_to_server();
    Account::with(&[]).answer_one(&get, &mut d);
    let shown = d.client_got().len();
    assert!((1..=256).contains(&shown), "{shown}");
    assert_eq!(d.dropped().len(), 1000 - shown);
}

#[test]
fn a_form_that_comes_before_the_node_is_verified_is_answered_then() {
    // ejabberd sends what it has stored as soon as the client is available.
    let mut d = Driver::auto(JULIET);
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    d.server(&format!(
        "<iq type='result' id='r'><query xmlns='jabber:iq:roster'><item jid='{BARD}' subscription='from'/></query></iq>"
    ));
    d.forget();
    d.client("<presence id='1'/>");
    let configure = d.server_got().pop().unwrap();
    d.keep_search = true;
    d.server(&ejabberd_form("bard@shakespeare.lit/globe"));
    assert_eq!(d.client_bytes(), "");
    d.result(&configure, &crate::presence_out::ejabberd_node(&[]));
    let sent = said(&mut d);
    let expected = "subscription subscribed bard@shakespeare.lit/globe".to_owned();
    assert!(sent.contains(&expected), "{sent:?}");
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
        let (account, mut d) = session(state);
        d.server(&listing_10(BARD));
        client_says(&mut d, &account, kind);
        d.forget();
        d.server(&returned("capulet.lit", allow));
        assert_eq!(said(&mut d), [expected]);
        assert_eq!(d.client_bytes(), "");
    }
    // Somebody else's error is his.
    for from in [
        "shakespeare.lit",
        "bard@shakespeare.lit",
        "capulet.lit.evil.lit",
    ] {
        let (_, mut d) = session("");
        d.server(&returned(from, "true"));
        assert_eq!(d.client_bytes(), returned(from, "true"));
        assert_eq!(d.server_bytes(), "");
    }
}

/// What a service says became of a subscription, as ejabberd does.
fn state(from: &str, jid: &str, node: &str, state: &str) -> String {
    format!(
        "<message to='juliet@capulet.lit' from='{from}'><event xmlns='http://jabber.org/protocol/pubsub#event'>\
         <subscription subscription='{state}' node='{node}' jid='{jid}'/></event></message>"
    )
}

#[test]
fn what_became_of_our_subscription_is_no_matter_of_the_clients() {
    let (_, mut d) = session("to");
    d.server(&state(BARD, "juliet@capulet.lit", "presence", "subscribed"));
    // So the marker needs nothing any more.
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
    use pubshim::session::Dropped;

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
        let (_, mut d) = session("to");
        d.server(&message);
        assert_eq!(d.client_bytes() + &d.server_bytes(), "", "{message}");
        assert_eq!(d.dropped(), [reason], "{message}");
        // The session still believes that it has to ask.
        d.server(&marked("bard@shakespeare.lit/globe"));
        assert_eq!(said(&mut d), [format!("subscribe {BARD}")], "{message}");
    }
    // What is not about a presence node, or is an error, is the client's.
    for message in [
        state(BARD, own, "urn:xmpp:avatar:data", "subscribed"),
        state("pubsub.shakespeare.lit", own, "presence", "subscribed"),
        state(BARD, own, "presence", "subscribed").replace("<message", "<message type='error'"),
    ] {
        assert_passes(&message);
    }
}
