//! Nothing is published before the shim knows all receivers, and has put out those who may not see it.

use pubshim::session::Event;

use crate::scenes::*;

const PARIS: &str = "paris@verona.lit";

/// Answers all requests to the own account as it is at `account`, but those that `special` has answered; gives the
/// stanzas sent meanwhile, in words.
fn settle(
    d: &mut Driver,
    asked: Vec<Node>,
    account: &Account,
    special: impl Fn(&mut Driver, &Node, &str) -> bool,
) -> Vec<String> {
    let (mut said, mut asked) = (Vec::new(), asked);
    while !asked.is_empty() {
        for iq in std::mem::take(&mut asked) {
            let words = say(&iq);
            if iq.local == "iq" && iq.attribute("to").is_none() && !special(d, &iq, &words) {
                account.answer_one(&iq, d);
            }
        }
        asked = d.server_got();
        said.extend(asked.iter().map(say));
    }
    said
}

fn position(said: &[String], what: &str) -> Option<usize> {
    said.iter().position(|said| said == what)
}

/// Asserts that this account was taken out, and that only then something was published.
#[track_caller]
fn assert_out_before_publish(said: &[String], account: &str) {
    let out = position(said, &format!("affiliation none {account}"));
    assert!(out.is_some(), "{account} is out: {said:?}");
    let published = position(said, "publish presence");
    assert!(published > out, "not before {account} is out: {said:?}");
}

#[test]
fn native_presence_goes_and_all_is_asked_in_one_round() {
    let (_, asked) = asking_all();
    let words: Vec<_> = asked.iter().map(say).collect();
    assert_eq!(words, QUESTIONS);
}

#[test]
fn the_answers_may_come_in_any_order() {
    let account = Account::with(&[(CONTACT, "both")]);
    for first in 0..QUESTIONS.len() {
        let (mut d, mut asked) = asking_all();
        asked.rotate_left(first);
        asked.reverse();
        let last = asked.pop().unwrap();
        for iq in asked {
            account.answer_one(&iq, &mut d);
        }
        assert_eq!(d.server_bytes(), "", "without {}", say(&last));
        account.answer_one(&last, &mut d);
        assert_eq!(said(&mut d), ["publish presence"]);
    }
}

#[test]
fn whoever_would_be_delivered_to_is_compared() {
    // Any affiliation, or a subscription alone, delivers events.
    for what in ["member", "publisher", "owner", "publish-only", "subscriber"] {
        for who in [PARIS, CONTACT] {
            let mut account = Account::with(&[(CONTACT, "to"), ("nurse@capulet.lit", "from")]);
            // Prosody lists the subscriptions, ours among them; an outcast gets nothing.
            let mut listed = vec!["juliet@capulet.lit".to_owned()];
            if what == "subscriber" {
                listed.push(format!("{who}/x"));
            }
            account.subscribers = Some(listed);
            let affiliation = match what {
                "subscriber" => String::new(),
                what => format!("<affiliation jid='{who}' affiliation='{what}'/>"),
            };
            let members = format!(
                "<pubsub xmlns='{OWNER}'><affiliations node='presence'>\
                 <affiliation jid='juliet@capulet.lit' affiliation='owner'/>\
                 <affiliation jid='nurse@capulet.lit' affiliation='member'/>\
                 <affiliation jid='tybalt@capulet.lit' affiliation='outcast'/>{affiliation}</affiliations></pubsub>"
            );
            let (mut d, asked) = asking_all();
            let special = |d: &mut Driver, iq: &Node, words: &str| {
                let is_special = words == "get members";
                if is_special {
                    d.result(iq, &members);
                }
                is_special
            };
            let said = settle(&mut d, asked, &account, special);
            assert_eq!(said, [""; 0], "{what}: somebody may be approving him");
            d.advance(5);
            account.subscribers = Some(vec!["juliet@capulet.lit".to_owned()]);
            let asked = d.server_got();
            let said = settle(&mut d, asked, &account, special);
            assert_out_before_publish(&said, who);
            let others: Vec<_> = said
                .iter()
                .filter(|said| said.contains(" none ") && !said.contains(who))
                .collect();
            assert_eq!(others, [""; 0]);
        }
    }
}

#[test]
fn the_blocked_are_taken_out_at_once() {
    for blocked in [CONTACT, "montague.lit"] {
        let mut account = Account::with(&[(CONTACT, "both")]);
        account.blocked = vec![blocked.to_owned()];
        let (mut d, asked) = asking_all();
        let said = settle(&mut d, asked, &account, |_, _, _| false);
        assert_out_before_publish(&said, CONTACT);
    }
}

#[test]
fn who_is_on_record_and_no_contact_any_more_is_taken_out() {
    // No roster, node or list names him: only the record knows.
    let full = "romeo@montague.lit/mobile";
    let mut account = Account::with(&[]);
    account.record = Some(format!(
        "<contact jid='{CONTACT}'><jid>{CONTACT}</jid><jid>{full}</jid></contact>"
    ));
    let (mut d, asked) = asking_all();
    let said = settle(&mut d, asked, &account, |_, _, _| false);
    assert_eq!(said, [""; 0]);
    d.advance(5);
    let said = account.settle(&mut d);
    assert_out_before_publish(&said, CONTACT);
    for jid in [CONTACT, full] {
        let ended = position(&said, &format!("subscription none {jid}"));
        assert!(ended.is_some(), "{said:?}");
    }
    // The contact is then taken off the record.
    assert!(said.contains(&"publish record".to_owned()), "{said:?}");
}

#[test]
fn what_the_server_has_not_got_is_known() {
    for condition in ["service-unavailable", "feature-not-implemented"] {
        for missing in [
            "get roster",
            "get blocklist",
            "get members",
            "get subscribers",
        ] {
            let account = Account::with(&[]);
            let (mut d, asked) = asking_all();
            let said = settle(&mut d, asked, &account, |d, iq, words| {
                let is_missing = words == missing;
                if is_missing {
                    d.error(iq, "cancel", condition);
                }
                is_missing
            });
            assert_eq!(said, ["publish presence", "fetch own"], "{missing}");
        }
    }
}

/// A session on ejabberd with `items` on its node, and no record; gives the stanzas sent, in words.
fn without_record(items: &str, condition: &str) -> (Driver, Vec<String>) {
    let account = Account::with(&[(CONTACT, "both")]);
    let (mut d, asked) = asking_all();
    let said = settle(&mut d, asked, &account, |d, iq, words| {
        match words {
            "get record" => d.error(iq, "cancel", condition),
            "fetch own" => d.result(
                iq,
                &format!(
                    "<pubsub xmlns='{PUBSUB}'><items node='presence'>{items}</items></pubsub>"
                ),
            ),
            _ => return false,
        }
        true
    });
    (d, said)
}

const OURS: &str =
    "<item id='x'><presence xmlns='jabber:client' from='juliet@capulet.lit/x'/></item>";
const FOREIGN: &str = "<item id='x'><mood xmlns='http://jabber.org/protocol/mood'/></item>";

#[test]
fn a_node_without_a_record_is_made_anew_where_nobody_lists() {
    for items in [OURS, ""] {
        let (_, said) = without_record(items, "item-not-found");
        let order = [
            "fetch own",
            "delete presence",
            // The record first: the next login finds a node only with its record.
            "create record",
            "create presence",
            "publish presence",
            &format!("affiliation member {CONTACT}"),
        ]
        .map(|what| position(&said, what));
        assert!(order.iter().all(Option::is_some), "{said:?}");
        assert!(order.is_sorted(), "{said:?}");
    }
    // A node whose record cannot be read is made anew, too.
    let (_, said) = without_record(OURS, "forbidden");
    assert!(position(&said, "delete presence") < position(&said, "publish presence"));
}

#[test]
fn a_node_without_a_record_that_others_use_is_left_alone() {
    let (mut d, words) = without_record(FOREIGN, "item-not-found");
    assert_eq!(words, ["fetch own"]);
    let told = d.events();
    let is_told = |event: &Event| matches!(event, Event::NodeUnusable { .. });
    assert!(told.iter().any(is_told), "{told:?}");
    d.client("<presence id='2'/>");
    assert_eq!(said(&mut d), ["presence  own"]);
}

#[test]
fn where_subscribers_are_listed_no_record_is_needed() {
    let mut account = Account::with(&[(CONTACT, "both")]);
    account.subscribers = Some(vec![CONTACT.to_owned()]);
    let (mut d, asked) = asking_all();
    let said = settle(&mut d, asked, &account, |d, iq, words| {
        let is_record = words == "get record";
        if is_record {
            d.error(iq, "cancel", "item-not-found");
        }
        is_record
    });
    assert_eq!(said, ["publish presence", "fetch own"]);
    d.server(&marked(ROMEO));
    d.advance(3);
    let said = account.settle(&mut d);
    assert!(!said.iter().any(|said| said.contains("record")), "{said:?}");
}

#[test]
fn who_is_let_in_goes_on_record_once() {
    let mut account = Account::with(&[(CONTACT, "both")]);
    let (mut d, _) = account.arrived();
    d.server(&marked(ROMEO));
    let said = account.settle(&mut d);
    let let_in = position(&said, &format!("subscription subscribed {CONTACT}"));
    assert!(let_in.is_some() && let_in < position(&said, "publish record"));
    for resource in ["a", "b"] {
        d.server(&marked(&format!("{CONTACT}/{resource}")));
    }
    assert_eq!(account.settle(&mut d), [""; 0]);
    // The next login writes no record either.
    account.record = Some(format!(
        "<contact jid='{CONTACT}'><jid>{CONTACT}</jid></contact>"
    ));
    let (mut d, _) = account.arrived();
    d.server(&marked(ROMEO));
    let said = account.settle(&mut d);
    assert_eq!(position(&said, "publish record"), None, "{said:?}");
}

#[test]
fn a_conflict_has_everybody_compared_again() {
    let mut account = Account::with(&[(CONTACT, "both")]);
    let mut d = account.session();
    d.client("<presence id='2'/>");
    let publish = d.one_behind_presence();
    d.error(&publish, "cancel", "conflict");
    account.members.push(PARIS.to_owned());
    let asked = d.server_got();
    let words: Vec<_> = asked.iter().map(say).collect();
    assert_eq!(
        words,
        ["configure presence", "get members", "get subscribers"]
    );
    let said = settle(&mut d, asked, &account, |_, _, _| false);
    assert_eq!(said, [""; 0]);
    d.advance(5);
    let said = account.settle(&mut d);
    // Paris may have got earlier events, so he sees her go.
    let gone = position(&said, "publish presence");
    let out = position(&said, &format!("affiliation none {PARIS}"));
    let anew = said.iter().rposition(|said| said == "publish presence");
    assert!(gone.is_some() && gone < out && out < anew, "{said:?}");
}

#[test]
fn who_goes_before_anything_was_known_was_never_there() {
    let account = Account::with(&[(CONTACT, "both")]);
    for last in [
        "<presence type='unavailable'/>",
        "<presence type='invisible'/>",
        "</stream:stream>",
    ] {
        let (mut d, asked) = asking_all();
        d.client(last);
        d.server_bytes();
        let said = settle(&mut d, asked, &account, |_, _, _| false);
        assert_eq!(
            position(&said, "publish presence"),
            None,
            "{last}: {said:?}"
        );
        d.advance(10);
        assert_eq!(position(&account.settle(&mut d), "publish presence"), None);
    }
}

#[test]
fn what_is_said_meanwhile_is_what_is_published() {
    let account = Account::with(&[]);
    let (mut d, asked) = asking_all();
    d.client("<presence id='2'><show>away</show></presence>");
    assert_eq!(said(&mut d), ["presence  own"]);
    for iq in asked {
        account.answer_one(&iq, &mut d);
    }
    let publish = d.one_to_server();
    let presence = publish.at("pubsub/publish/item/presence");
    assert_eq!(presence.value("id"), "2");
}

#[test]
fn who_loses_the_right_while_it_is_asked_is_out_as_well() {
    let account = Account::with(&[(CONTACT, "both")]);
    let pushes = [
        push(CONTACT, "to"),
        push(CONTACT, "remove"),
        format!(
            "<iq to='{JULIET}' from='juliet@capulet.lit' type='set' id='b'><block xmlns='urn:xmpp:blocking'>\
             <item jid='{CONTACT}'/></block></iq>"
        ),
    ];
    for push in pushes {
        let (mut d, asked) = asking_all();
        let (last, first) = asked.split_last().unwrap();
        for iq in first {
            account.answer_one(iq, &mut d);
        }
        d.server(&push);
        let mut said = settle(&mut d, vec![last.clone()], &account, |_, _, _| false);
        d.advance(5);
        said.extend(account.settle(&mut d));
        assert_out_before_publish(&said, CONTACT);
    }
}

#[test]
fn a_node_that_was_not_there_has_only_contacts_in_it() {
    let account = Account::with(&[(CONTACT, "from")]);
    let (mut d, asked) = asking_all();
    let missing = |d: &mut Driver, iq: &Node, words: &str| {
        let is_missing = matches!(
            words,
            "configure presence" | "get members" | "get subscribers" | "get record"
        );
        if is_missing {
            d.error(iq, "cancel", "item-not-found");
        }
        is_missing
    };
    for iq in &asked {
        if !missing(&mut d, iq, &say(iq)) {
            account.answer_one(iq, &mut d);
        }
    }
    // The record is created first: a node of ours without a record is known by that.
    let create = d.one_to_server();
    assert_eq!(say(&create), "create record");
    d.result(&create, "");
    let asked = d.server_got();
    assert!(asked.iter().any(|iq| say(iq) == "create presence"));
    let said = settle(&mut d, asked, &account, |d, iq, words| {
        let is_node = words == "configure presence";
        if is_node {
            d.result(iq, &ejabberd_node(&[]));
        }
        is_node
    });
    assert!(position(&said, "publish presence").is_some(), "{said:?}");
    assert!(position(&said, &format!("affiliation member {CONTACT}")).is_some());
}

#[test]
fn a_roster_the_client_never_gets_is_asked_for_us() {
    let account = Account::with(&[(CONTACT, "both")]);
    let mut d = Driver::auto(JULIET);
    d.keep_all();
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    d.forget();
    d.client("<presence id='1'/>");
    let asked = d.server_got();
    let said = settle(&mut d, asked, &account, |_, _, _| false);
    assert_eq!(position(&said, "publish presence"), None, "{said:?}");
    assert!(d.session.timeout().is_some(), "it does not wait for ever");
    d.advance(60);
    let asked = d.server_got();
    assert_eq!(asked.iter().map(say).collect::<Vec<_>>(), ["get roster"]);
    let said = settle(&mut d, asked, &account, |_, _, _| false);
    assert!(position(&said, "publish presence").is_some(), "{said:?}");
}

#[test]
fn who_is_asked_to_let_us_see_him_is_no_less_a_stranger() {
    let mut account = Account::with(&[]);
    account.members = vec![PARIS.to_owned()];
    let mut d = counting_server(true);
    d.keep_all();
    for n in 0..5 {
        d.client(&format!(
            "<presence to='c{n}@verona.lit' type='subscribe'/>"
        ));
    }
    d.client(&format!("<presence to='{PARIS}' type='subscribe'/>"));
    d.forget();
    d.client("<presence id='1'/>");
    let mut said = account.settle(&mut d);
    d.advance(6);
    said.extend(account.settle(&mut d));
    assert_out_before_publish(&said, PARIS);
}

#[test]
fn what_the_roster_says_needs_no_record() {
    let mut account = Account::with(&[(CONTACT, "both")]);
    account.record = Some(format!("<contact jid='{CONTACT}' from='yes'/>"));
    let mut d = Driver::auto(JULIET);
    d.keep_all();
    d.client("<presence id='1'/>");
    // The record would let a contact in who was removed from the roster while no shim was there, so it is written anew.
    let mut written = account.settle(&mut d);
    d.advance(60);
    written.extend(account.settle(&mut d));
    assert!(
        written.iter().any(|said| said.contains("record")),
        "{written:?}"
    );
}
