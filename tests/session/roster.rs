//! Subscriptions and the roster under `pure`: nothing but pubsub towards the server.

use pubshim::session::Dropped;

use crate::driver::*;
use crate::presence_in::{event_of, payload};
use crate::presence_out::PUBSUB;
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

const CONTACT: &str = "romeo@montague.lit";
const OWN: &str = "juliet@capulet.lit";
const OWNER: &str = "http://jabber.org/protocol/pubsub#owner";
const EVENT: &str = "http://jabber.org/protocol/pubsub#event";
/// The item of the record that holds Romeo: how the SHA-256 of his address begins.
const BUCKET: &str = "5d";
/// Another contact, so that Romeo is not the only one: in item f1.
const OTHER: &str = "benvolio@montague.lit";

/// The items of the record.
fn record(items: &[(&str, &str)]) -> String {
    let items: String = items
        .iter()
        .map(|(id, contacts)| {
            format!("<item id='{id}'><contacts xmlns='urn:pubshim:0'>{contacts}</contacts></item>")
        })
        .collect();
    format!("<pubsub xmlns='{PUBSUB}'><items node='{RECORD}'>{items}</items></pubsub>")
}

/// What the owner sees of the node `presence`: JIDs and states.
fn subscriptions(list: &[(&str, &str)]) -> String {
    let list: String = list
        .iter()
        .map(|(jid, state)| format!("<subscription jid='{jid}' subscription='{state}'/>"))
        .collect();
    format!(
        "<pubsub xmlns='{OWNER}'><subscriptions node='presence'>{list}</subscriptions></pubsub>"
    )
}

fn members(list: &[&str]) -> String {
    let list: String = list
        .iter()
        .map(|jid| format!("<affiliation jid='{jid}' affiliation='member'/>"))
        .collect();
    format!("<pubsub xmlns='{OWNER}'><affiliations node='presence'>{list}</affiliations></pubsub>")
}

/// Another resource of the account has written an item of the record.
fn record_event(from: &str, id: &str, contacts: &str) -> String {
    format!(
        "<message from='{from}' to='{JULIET}' type='headline'><event xmlns='{EVENT}'><items node='{RECORD}'>\
         <item id='{id}'><contacts xmlns='urn:pubshim:0'>{contacts}</contacts></item></items></event></message>"
    )
}

/// Listing 10.
fn form(id: &str, jid: &str) -> String {
    format!(
        "<message from='capulet.lit' to='{OWN}' id='{id}'><x xmlns='jabber:x:data' type='form'>\
         <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#subscribe_authorization</value></field>\
         <field var='pubsub#node' type='text-single'><value>presence</value></field>\
         <field var='pubsub#subscriber_jid' type='jid-single'><value>{jid}</value></field>\
         <field var='pubsub#allow' type='boolean'><value>false</value></field></x></message>"
    )
}

/// XEP-0060 §8.6: what became of our subscription.
fn state_event(from: &str, jid: &str, state: &str, more: &str) -> String {
    format!(
        "<message from='{from}' to='{JULIET}'><event xmlns='{EVENT}'>\
         <subscription node='presence' jid='{jid}' subscription='{state}'/></event>{more}</message>"
    )
}

fn roster_set(item: &str) -> String {
    format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
}

/// Juliet's session: available, her roster asked for, with this on record and on her node.
fn started(answers: &[(&str, &str)]) -> Driver {
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
fn shown(d: &mut Driver) -> Vec<String> {
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
fn left(d: &mut Driver) -> Vec<String> {
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

/// The states of RFC 6121 §A.1: name, what the record says, what the roster shows.
const STATES: [(&str, &str, &str, &str); 9] = [
    ("None", "-", "-", "none"),
    ("None + Pending Out", "pending", "-", "none ask=subscribe"),
    ("None + Pending In", "-", "asked", "none"),
    (
        "None + Pending Out+In",
        "pending",
        "asked",
        "none ask=subscribe",
    ),
    ("To", "yes", "-", "to"),
    ("To + Pending In", "yes", "asked", "to"),
    ("From", "-", "yes", "from"),
    ("From + Pending Out", "pending", "yes", "from ask=subscribe"),
    ("Both", "yes", "yes", "both"),
];

/// Juliet's session where Romeo, who is in her roster, is in this state.
fn in_state(name: &str) -> Driver {
    let (_, to, from, _) = STATES.into_iter().find(|state| state.0 == name).unwrap();
    let half = |name, value| match value {
        "-" => String::new(),
        value => format!(" {name}='{value}'"),
    };
    let contact = format!(
        "<contact jid='{CONTACT}' listed='yes'{}{}/>",
        half("to", to),
        half("from", from)
    );
    let (mut list, mut known) = (vec![(OTHER, "subscribed")], vec![OTHER]);
    match from {
        "yes" => {
            list.push((CONTACT, "subscribed"));
            known.push(CONTACT);
        }
        "asked" => list.push((CONTACT, "pending")),
        _ => {}
    }
    let mut d = started(&[
        (&format!("items {RECORD}"), &record(&[(BUCKET, &contact)])),
        ("subscriptions presence", &subscriptions(&list)),
        ("affiliations presence", &members(&known)),
    ]);
    if from == "asked" {
        d.server(&form("approve1", CONTACT));
    }
    d.forget();
    d
}

/// A row of the tables in §A.2 and §A.3: the stanza, and the state after it in each of [`STATES`]; the
/// last value says in which states the other side is to know.
type Row = (&'static str, [&'static str; 9], [bool; 9]);

const SAME: &str = "";
const T: bool = true;
const F: bool = false;

/// §A.2.1 to §A.2.4.
const OUTBOUND: [Row; 4] = [
    (
        "subscribe",
        [
            "None + Pending Out",
            SAME,
            "None + Pending Out+In",
            SAME,
            SAME,
            SAME,
            "From + Pending Out",
            SAME,
            SAME,
        ],
        [T; 9],
    ),
    (
        "unsubscribe",
        [
            SAME,
            "None",
            SAME,
            "None + Pending In",
            "None",
            "None + Pending In",
            SAME,
            "From",
            "From",
        ],
        [T; 9],
    ),
    (
        "subscribed",
        [
            SAME,
            SAME,
            "From",
            "From + Pending Out",
            SAME,
            "Both",
            SAME,
            SAME,
            SAME,
        ],
        [F, F, T, T, F, T, F, F, F],
    ),
    (
        "unsubscribed",
        [
            SAME,
            SAME,
            "None",
            "None + Pending Out",
            SAME,
            "To",
            "None",
            "None + Pending Out",
            "To",
        ],
        [F, F, T, T, F, T, T, T, T],
    ),
];

/// §A.3.1, §A.3.3 and §A.3.4.
const INBOUND: [Row; 3] = [
    (
        "subscribe",
        [
            "None + Pending In",
            "None + Pending Out+In",
            SAME,
            SAME,
            "To + Pending In",
            SAME,
            SAME,
            SAME,
            SAME,
        ],
        [T, T, F, F, T, F, F, F, F],
    ),
    (
        "subscribed",
        [
            SAME,
            "To",
            SAME,
            "To + Pending In",
            SAME,
            SAME,
            SAME,
            "Both",
            SAME,
        ],
        [F, T, F, T, F, F, F, T, F],
    ),
    (
        "unsubscribed",
        [
            SAME,
            "None",
            SAME,
            "None + Pending In",
            "None",
            "None + Pending In",
            SAME,
            "From",
            "From",
        ],
        [F, T, F, T, T, T, F, T, T],
    ),
];

/// §A.3.2. Nobody tells an owner that somebody has unsubscribed: it is seen at the next login.
const INBOUND_UNSUBSCRIBE: Row = (
    "unsubscribe",
    [
        SAME,
        SAME,
        SAME,
        SAME,
        SAME,
        SAME,
        "None",
        "None + Pending Out",
        "To",
    ],
    [F, F, F, F, F, F, T, T, T],
);

/// Each cell of a row: the state before it, the one after it, and whether the other side is to know.
fn cells(row: &Row) -> Vec<(&'static str, &'static str, bool)> {
    let cell = |at: usize| {
        let before = STATES[at].0;
        let after = if row.1[at] == SAME { before } else { row.1[at] };
        (before, after, row.2[at])
    };
    (0..STATES.len()).map(cell).collect()
}

/// What is recorded of Romeo in a state, and what the roster shows.
fn words_of(name: &str) -> (String, &'static str) {
    let (_, to, from, shown) = STATES.into_iter().find(|state| state.0 == name).unwrap();
    (format!("record: to {to} from {from}"), shown)
}

/// The push for a change of state, if the roster shows it.
fn push(before: &str, after: &str) -> Option<String> {
    let (before, after) = (words_of(before).1, words_of(after).1);
    (before != after).then(|| format!("push {CONTACT} {after}"))
}

#[test]
fn every_cell_of_rfc_6121_appendix_a_outbound() {
    for row in &OUTBOUND {
        for (before, after, is_routed) in cells(row) {
            let mut d = in_state(before);
            d.client(&format!("<presence to='{CONTACT}' type='{}'/>", row.0));
            let context = format!("{} in {before}", row.0);
            let mut expected: Vec<String> = Vec::new();
            let asked = before.contains("In");
            match row.0 {
                // Where nothing was asked for there is nothing to end.
                "unsubscribe" if before == after => assert!(is_routed),
                "subscribe" | "unsubscribe" => expected.push(format!("listing 9: {}", row.0)),
                "subscribed" if is_routed => {
                    expected.extend([
                        "affiliation: member".to_owned(),
                        "listing 11: true".to_owned(),
                    ]);
                }
                "unsubscribed" if is_routed && asked => {
                    expected.push("listing 11: false".to_owned())
                }
                // First it is looked who is subscribed.
                "unsubscribed" if is_routed => expected.push("get subscriptions".to_owned()),
                _ => assert!(!is_routed),
            }
            if before != after {
                // Whether the service has taken the request is not known yet.
                let record = words_of(after).0;
                expected.push(match row.0 {
                    "subscribe" => record.replace("pending", "asked"),
                    _ => record,
                });
            }
            let mut sent = left(&mut d);
            sent.sort();
            expected.sort();
            assert_eq!(sent, expected, "{context}");
            let expected: Vec<_> = push(before, after).into_iter().collect();
            assert_eq!(shown(&mut d), expected, "{context}");
        }
    }
}

#[test]
fn every_cell_of_rfc_6121_appendix_a_inbound() {
    for row in &INBOUND {
        for (before, after, is_delivered) in cells(row) {
            let mut d = in_state(before);
            d.server(&match row.0 {
                "subscribe" => form("approve2", CONTACT),
                "subscribed" => state_event(CONTACT, OWN, "subscribed", ""),
                _ => state_event(CONTACT, OWN, "none", ""),
            });
            let context = format!("{} in {before}", row.0);
            let mut expected: Vec<_> = push(before, after).into_iter().collect();
            if is_delivered {
                expected.push(format!("{CONTACT} {}", row.0));
            }
            let mut seen = shown(&mut d);
            seen.sort();
            expected.sort();
            assert_eq!(seen, expected, "{context}");
            let mut expected = Vec::new();
            // §3.1.3: who is approved is told so again.
            if row.0 == "subscribe" && before.contains("From") | before.contains("Both") {
                expected.push("listing 11: true".to_owned());
            }
            if before != after {
                expected.push(words_of(after).0);
                if row.0 == "unsubscribed" {
                    // The contact may have left our node, too.
                    expected.push("get subscriptions".to_owned());
                }
            }
            // Its states are asked for in turn.
            let mut sent: Vec<_> = left(&mut d)
                .into_iter()
                .filter(|it| it != "get items")
                .collect();
            sent.sort();
            expected.sort();
            assert_eq!(sent, expected, "{context}");
        }
    }
}

#[test]
fn every_cell_of_rfc_6121_appendix_a_left_while_away() {
    let row = &INBOUND_UNSUBSCRIBE;
    for (before, after, is_delivered) in cells(row) {
        let (_, to, from, _) = STATES.into_iter().find(|state| state.0 == before).unwrap();
        let half = |name, value: &str| match value {
            "-" => String::new(),
            value => format!(" {name}='{value}'"),
        };
        let contact = format!(
            "<contact jid='{CONTACT}' listed='yes'{}{}/>",
            half("to", to),
            half("from", from)
        );
        let mut d = Driver::pure();
        d.keep_search = true;
        d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        let other = format!("<contact jid='{OTHER}' from='yes'/>");
        d.settle(&[
            (
                &format!("items {RECORD}"),
                &record(&[(BUCKET, &contact), ("f1", &other)]),
            ),
            (
                "subscriptions presence",
                &subscriptions(&[(OTHER, "subscribed")]),
            ),
        ]);
        let stanzas = d.client_got();
        let told = stanzas
            .iter()
            .any(|it| it.local == "presence" && it.value("type") == "unsubscribe");
        assert_eq!(told, is_delivered, "{before}");
        let answer = stanzas
            .iter()
            .find(|it| it.attribute("id") == Some("r"))
            .unwrap();
        let items = &answer.at("query").children;
        let item = items.iter().find(|it| it.value("jid") == CONTACT).unwrap();
        let ask = item
            .attribute("ask")
            .map_or(String::new(), |ask| format!(" ask={ask}"));
        assert_eq!(
            format!("{}{ask}", item.value("subscription")),
            words_of(after).1,
            "{before}"
        );
    }
}

#[test]
fn what_is_on_record_is_the_roster() {
    let contact = format!(
        "<contact jid='{CONTACT}' listed='yes' to='yes' name='Romeo &amp; me'><group>A</group><group>B</group></contact>"
    );
    let mut d = Driver::pure();
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    d.settle(&[(&format!("items {RECORD}"), &record(&[(BUCKET, &contact)]))]);
    let answer = d.one_to_client();
    let item = answer.at("query/item");
    assert_eq!(
        [
            item.value("jid"),
            item.value("subscription"),
            item.value("name")
        ],
        [CONTACT, "to", "Romeo & me"]
    );
    let groups: Vec<_> = item.children.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(groups, ["A", "B"]);
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
fn settle_but_contacts(d: &mut Driver, answers: &[(&str, &str)]) -> Vec<Node> {
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
fn answer(d: &mut Driver, question: &Node, body: &str) {
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
    assert_eq!(shown(&mut d), [format!("push {CONTACT} from R")]);
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
    let mut d = Driver::pure();
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    let items = format!("{bad}{good}");
    let body = record(&[(BUCKET, &items)]).replace(
        "</items>",
        "<item id='zz'/><item><something xmlns='else'/></item></items>",
    );
    d.settle(&[(&format!("items {RECORD}"), &body)]);
    let answer = d.one_to_client();
    let items = &answer.at("query").children;
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(items[0].value("jid"), CONTACT);
    for (id, contacts) in [("zz", &*good), ("", &good), ("100", &good), (BUCKET, bad)] {
        d.server(&record_event(OWN, id, contacts));
    }
    // The last one says that the item is empty.
    assert_eq!(shown(&mut d), [format!("push {CONTACT} remove")]);
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

/// Juliet sets a name, and her server says this to the publish; what she is told.
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
        let pushes = seen.iter().filter(|it| it.starts_with("push"));
        let last = pushes.last();
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
    d.answer_own(&get, &[]);
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
        let mut d = Driver::pure();
        d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        d.client(&format!("<presence to='{CONTACT}' type='subscribe'/>"));
        loop {
            let sent = d.server_got();
            if sent.is_empty() {
                break;
            }
            for iq in sent {
                match iq.at("pubsub").children[0].value("node") {
                    RECORD => d.error(&iq, "cancel", condition),
                    _ => d.answer_own(&iq, &[]),
                }
            }
        }
        let mut seen = shown(&mut d);
        seen.sort();
        assert_eq!(
            seen,
            [
                "error r service-unavailable".to_owned(),
                format!("{CONTACT} error")
            ]
        );
    }
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
