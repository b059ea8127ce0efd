//! Subscriptions and the roster under `pure`: nothing but pubsub towards the server.

use pubshim::session::Dropped;

use crate::cells::in_state;
use crate::driver::*;
use crate::presence_in::{event_of, payload};
use crate::presence_out::PUBSUB;
use crate::record::record_event;
use crate::tree::Node;

/// Has the session's account subscribed to the node of `account`, which lets it.
pub(crate) fn subscribe_to(d: &mut Driver, account: &str) {
    d.client(&format!("<presence to='{account}' type='subscribe'/>"));
    let sent = d.server_got();
    let subscribe = sent.iter().find(|iq| iq.has("pubsub/subscribe")).unwrap();
    let id = subscribe.value("id");
    d.server(&format!(
        "<iq type='result' from='{account}' id='{id}'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
         <subscription node='presence' jid='{}' subscription='subscribed'/></pubsub></iq>",
        subscribe.at("pubsub/subscribe").value("jid")
    ));
    d.forget();
}

pub(crate) const CONTACT: &str = "romeo@montague.lit";

pub(crate) const OWN: &str = "juliet@capulet.lit";

const OWNER: &str = "http://jabber.org/protocol/pubsub#owner";

pub(crate) const EVENT: &str = "http://jabber.org/protocol/pubsub#event";

/// The item of the record that holds Romeo: how the SHA-256 of his address begins.
pub(crate) const BUCKET: &str = "5d";

/// Another contact, so that Romeo is not the only one: in item f1.
pub(crate) const OTHER: &str = "benvolio@montague.lit";

/// The items of the record.
pub(crate) fn record(items: &[(&str, &str)]) -> String {
    let items: String = items
        .iter()
        .map(|(id, contacts)| {
            format!("<item id='{id}'><contacts xmlns='urn:pubshim:0'>{contacts}</contacts></item>")
        })
        .collect();
    format!("<pubsub xmlns='{PUBSUB}'><items node='{RECORD}'>{items}</items></pubsub>")
}

/// What the owner sees of the node `presence`: JIDs and states.
pub(crate) fn subscriptions(list: &[(&str, &str)]) -> String {
    let list: String = list
        .iter()
        .map(|(jid, state)| format!("<subscription jid='{jid}' subscription='{state}'/>"))
        .collect();
    format!(
        "<pubsub xmlns='{OWNER}'><subscriptions node='presence'>{list}</subscriptions></pubsub>"
    )
}

pub(crate) fn members(list: &[&str]) -> String {
    let list: String = list
        .iter()
        .map(|jid| format!("<affiliation jid='{jid}' affiliation='member'/>"))
        .collect();
    format!("<pubsub xmlns='{OWNER}'><affiliations node='presence'>{list}</affiliations></pubsub>")
}

/// Listing 10.
pub(crate) fn form(id: &str, jid: &str) -> String {
    format!(
        "<message from='capulet.lit' to='{OWN}' id='{id}'><x xmlns='jabber:x:data' type='form'>\
         <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#subscribe_authorization</value></field>\
         <field var='pubsub#node' type='text-single'><value>presence</value></field>\
         <field var='pubsub#subscriber_jid' type='jid-single'><value>{jid}</value></field>\
         <field var='pubsub#allow' type='boolean'><value>false</value></field></x></message>"
    )
}

/// XEP-0060 §8.6: what became of our subscription.
pub(crate) fn state_event(from: &str, jid: &str, state: &str, more: &str) -> String {
    format!(
        "<message from='{from}' to='{JULIET}'><event xmlns='{EVENT}'>\
         <subscription node='presence' jid='{jid}' subscription='{state}'/></event>{more}</message>"
    )
}

pub(crate) fn roster_set(item: &str) -> String {
    format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
}

/// Juliet's session: available, her roster asked for, with this on record and on her node.
pub(crate) fn started(answers: &[(&str, &str)]) -> Driver {
    let mut d = Driver::pure();
    d.keep_search = true;
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    let mut asked = settle_but_contacts(&mut d, answers);
    d.client("<presence/>");
    asked.extend(settle_but_contacts(&mut d, answers));
    for question in asked {
        let list = format!("<subscription jid='{OWN}' subscription='pending'/>");
        let body = match question.has("pubsub/subscriptions") {
            true => format!("<subscriptions node='presence'>{list}</subscriptions>"),
            false => "<items node='presence'/>".to_owned(),
        };
        answer(
            &mut d,
            &question,
            &format!("<pubsub xmlns='{PUBSUB}'>{body}</pubsub>"),
        );
    }
    d
}

/// What the client was shown, each in a few words.
pub(crate) fn shown(d: &mut Driver) -> Vec<String> {
    let short = |stanza: &Node| {
        let kind = stanza.attribute("type").unwrap_or("available");
        if stanza.local != "iq" {
            return format!("{} {kind}", stanza.value("from"));
        }
        match stanza.find("query/item") {
            Some(item) if kind == "set" => {
                let ask = item
                    .attribute("ask")
                    .map_or(String::new(), |ask| format!(" ask={ask}"));
                let name = item
                    .attribute("name")
                    .map_or(String::new(), |name| format!(" {name}"));
                format!(
                    "push {} {}{ask}{name}",
                    item.value("jid"),
                    item.value("subscription")
                )
            }
            _ => {
                let error = stanza.find("error").map_or("", |it| &it.children[0].local);
                format!("{kind} {} {error}", stanza.value("id"))
                    .trim_end()
                    .to_owned()
            }
        }
    };
    d.client_got().iter().map(short).collect()
}

/// What left, each in a few words.
pub(crate) fn left(d: &mut Driver) -> Vec<String> {
    let short = |stanza: &Node| {
        if stanza.local == "message" {
            let fields = stanza.fields();
            assert_eq!(stanza.value("to"), "capulet.lit");
            assert_eq!(fields["pubsub#subscriber_jid"], CONTACT);
            return format!("listing 11: {}", fields["pubsub#allow"]);
        }
        let action = &stanza.at("pubsub").children[0];
        let kind = format!("{} {}", stanza.value("type"), action.local);
        match &*action.local {
            "publish" if action.value("node") == RECORD => {
                let entries = &action.at("item/contacts").children;
                let entry = entries.iter().find(|it| it.value("jid") == CONTACT);
                let half = |name| entry.and_then(|it| it.attribute(name)).unwrap_or("-");
                format!("record: to {} from {}", half("to"), half("from"))
            }
            "subscribe" | "unsubscribe" => {
                assert_eq!((stanza.value("to"), action.value("jid")), (CONTACT, OWN));
                format!("listing 9: {}", action.local)
            }
            "affiliations" if stanza.value("type") == "set" => {
                format!(
                    "affiliation: {}",
                    action.at("affiliation").value("affiliation")
                )
            }
            "subscriptions" if stanza.value("type") == "set" => {
                format!("owner: {}", action.at("subscription").value("subscription"))
            }
            _ => kind,
        }
    };
    d.server_got().iter().map(short).collect()
}

#[test]
fn an_open_request_is_asked_again_at_the_next_login() {
    // The service repeats its form, or it is in the list alone.
    for repeats in [true, false] {
        let contact = format!("<contact jid='{CONTACT}' from='asked'/>");
        let mut d = Driver::pure();
        d.keep_search = true;
        if repeats {
            d.server(&form("approve1", CONTACT));
        }
        d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        let answers = [
            (&*format!("items {RECORD}"), &*record(&[(BUCKET, &contact)])),
            (
                "subscriptions presence",
                &subscriptions(&[(CONTACT, "pending")]),
            ),
        ];
        d.settle(&answers);
        assert_eq!(shown(&mut d), ["result r"], "not before it is available");
        d.client("<presence/>");
        d.settle(&answers);
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
        let mut d = Driver::pure();
        d.keep_search = true;
        d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        let question = settle_but_contacts(
            &mut d,
            &[(&format!("items {RECORD}"), &record(&[(BUCKET, &contact)]))],
        );
        d.forget();
        assert_eq!(question.len(), 1);
        let list = question[0].at("pubsub/subscriptions");
        assert_eq!(
            (list.namespace.as_str(), list.value("node")),
            (PUBSUB, "presence")
        );
        assert_eq!(
            (question[0].value("type"), question[0].value("to")),
            ("get", CONTACT)
        );
        let listed = match state {
            "none" => String::new(),
            state => format!("<subscription jid='{OWN}' subscription='{state}'/>"),
        };
        answer(
            &mut d,
            &question[0],
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

/// Answers what is asked of the own account; what is asked of contacts.
pub(crate) fn settle_but_contacts(d: &mut Driver, answers: &[(&str, &str)]) -> Vec<Node> {
    let mut others = Vec::new();
    loop {
        let sent = d.server_got();
        if sent.is_empty() {
            return others;
        }
        for iq in sent {
            if iq.attribute("to").is_some_and(|to| to != OWN) {
                others.push(iq);
            } else {
                d.answer_own(&iq, answers);
            }
        }
    }
}

/// A contact's service answers.
pub(crate) fn answer(d: &mut Driver, question: &Node, body: &str) {
    let (from, id) = (question.value("to"), question.value("id"));
    d.server(&format!(
        "<iq type='result' from='{from}' to='{JULIET}' id='{id}'>{body}</iq>"
    ));
}

#[test]
fn what_nobody_asked_for_changes_nothing() {
    for event in [
        // In somebody's own name, about somebody else, or from a resource or a service.
        state_event("paris@verona.lit", OWN, "subscribed", ""),
        state_event("paris@verona.lit", OWN, "none", ""),
        state_event(CONTACT, "nurse@capulet.lit", "none", ""),
        state_event("capulet.lit", OWN, "none", ""),
        state_event("romeo@montague.lit/mobile", OWN, "none", ""),
        state_event(CONTACT, OWN, "pending", ""),
        state_event(CONTACT, OWN, "unheard-of", ""),
        // It was true once.
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
        // The good one, so that this is a test.
        d.server(&good);
        assert_eq!(shown(&mut d), ["paris@verona.lit subscribe"]);
    }
}

#[test]
fn a_push_only_after_the_client_has_asked_for_its_roster() {
    let mut d = Driver::pure();
    d.keep_search = true;
    d.client("<presence/>");
    d.settle(&[]);
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

#[test]
fn one_contact_that_is_gone_has_left_and_all_are_lost() {
    let contacts =
        |count: usize| -> Vec<String> { (0..count).map(|n| format!("c{n}@verona.lit")).collect() };
    let names = contacts(3);
    let entries: String = names
        .iter()
        .map(|it| format!("<contact jid='{it}' from='yes'/>"))
        .collect();
    let record = record(&[(BUCKET, &entries)]);
    let item = format!("items {RECORD}");
    let start = |list: &[(&str, &str)]| {
        let mut d = Driver::pure();
        d.keep_search = true;
        d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        d.settle(&[
            (&item, &record),
            ("subscriptions presence", &subscriptions(list)),
        ]);
        d
    };
    let mut d = start(&[(&names[0], "subscribed"), (&names[2], "subscribed")]);
    assert!(shown(&mut d).contains(&format!("{} unsubscribe", names[1])));
    let mut d = start(&[]);
    assert_eq!(shown(&mut d), ["result r"]);
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
    let mut d = Driver::pure();
    d.keep_search = true;
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    let item = format!("items {RECORD}");
    d.settle(&[(&item, &record(&[(BUCKET, &contact)]))]);
    d.forget();
    d.server(&event_of(ROMEO, &payload(ROMEO, "1", "")));
    assert_eq!(d.client_bytes(), "");
    assert_eq!(d.dropped(), [Dropped::Unavailable]);
    d.client("<presence/>");
    d.settle(&[]);
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
    let mut d = Driver::pure();
    d.keep_search = true;
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    let mut sent = Vec::new();
    let answers = [
        (&*format!("items {RECORD}"), &*record(&[(BUCKET, &contact)])),
        (
            "subscriptions presence",
            &subscriptions(&[(CONTACT, "pending")]),
        ),
    ];
    loop {
        let iqs = d.server_got();
        if iqs.is_empty() {
            break;
        }
        for iq in iqs {
            d.answer_own(&iq, &answers);
            sent.push(iq);
        }
    }
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
    // What is to be ended, and who else may have left: both lists still name him.
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
