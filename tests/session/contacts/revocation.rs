//! Ending what contacts see of our node: refusals, changes of mind, many at once.

use std::collections::HashSet;

use pubshim::session::Event;

use crate::scenes::*;

fn unsubscribed(account: &str) -> String {
    format!("<presence to='{account}' type='unsubscribed'/>")
}

fn subscribed(account: &str) -> String {
    format!("<presence to='{account}' type='subscribed'/>")
}

/// The requests that end all subscriptions of `account` on ejabberd, which lists no subscribers.
fn ending(account: &str) -> [String; 2] {
    [
        format!("subscription none {account}"),
        format!("affiliation none {account}"),
    ]
}

/// The requests sent to end subscriptions; all IQs to the own account are answered, those by `answer`.
fn endings(
    d: &mut Driver,
    account: &Account,
    answer: impl Fn(&mut Driver, &Node, &str),
) -> Vec<String> {
    let mut said = Vec::new();
    account.settle_but(d, |d, iq| {
        let words = say(iq);
        let is_ending = words.contains(" none ");
        if is_ending {
            answer(d, iq, &words);
            said.push(words);
        }
        is_ending
    });
    said
}

/// Contacts that are still subscribed according to the log.
fn failed(d: &mut Driver) -> Vec<String> {
    let events = d.events().into_iter();
    let failed = events.filter_map(|event| match event {
        Event::RevokeFailed { whom, .. } => Some(whom),
        _ => None,
    });
    failed.collect()
}

/// Whether a new presence of the client's is published.
fn publishes(d: &mut Driver) -> bool {
    d.client("<presence><show>dnd</show></presence>");
    let said = said(d);
    assert!(
        said.contains(&"presence  own".to_owned()),
        "native presence goes on: {said:?}"
    );
    said.contains(&"publish presence".to_owned())
}

/// Lets so many seconds pass, before the last of which nothing is sent.
fn pause(d: &mut Driver, seconds: u64) {
    d.advance(seconds - 1);
    assert_eq!(d.server_bytes(), "");
    d.advance(1);
}

#[test]
fn a_refused_revocation_is_tried_again_and_nothing_is_published() {
    for refused in ["subscription", "affiliation"] {
        let account = Account::with(&[(CONTACT, "both")]);
        let mut d = account.session();
        let refuse = |d: &mut Driver, iq: &Node, words: &str| match words.starts_with(refused) {
            true => d.error(iq, "wait", "internal-server-error"),
            false => d.result(iq, ""),
        };
        d.client(&unsubscribed(CONTACT));
        assert_eq!(endings(&mut d, &account, refuse), ending(CONTACT));
        assert!(!publishes(&mut d), "{refused} refused");
        for seconds in [3, 30] {
            assert_eq!(failed(&mut d), [""; 0]);
            pause(&mut d, seconds);
            assert_eq!(endings(&mut d, &account, refuse), ending(CONTACT));
        }
        let told = failed(&mut d);
        assert!(!publishes(&mut d), "{refused} refused three times");
        assert_eq!(told, [CONTACT], "the user is told");
        // The shim tries again every hour; after a success presence is published again.
        pause(&mut d, 3600);
        let accept = |d: &mut Driver, iq: &Node, _: &str| d.result(iq, "");
        assert_eq!(endings(&mut d, &account, accept), ending(CONTACT));
        assert_eq!(failed(&mut d), [""; 0]);
        assert!(publishes(&mut d), "{refused} accepted at last");
    }
}

#[test]
fn the_user_may_have_it_tried_again_at_once() {
    let account = Account::with(&[(CONTACT, "both")]);
    let mut d = account.session();
    d.client(&unsubscribed(CONTACT));
    endings(&mut d, &account, |d, iq, _| {
        d.error(iq, "wait", "internal-server-error");
    });
    d.client(&unsubscribed(CONTACT));
    let said = endings(&mut d, &account, |d, iq, _| d.result(iq, ""));
    assert_eq!(said, ending(CONTACT));
    assert!(publishes(&mut d));
}

#[test]
fn who_was_not_subscribed_is_out() {
    // As ejabberd and Prosody say it (recorded); and a server whose node is gone.
    let own = "not-subscribed xmlns='http://jabber.org/protocol/pubsub#errors'/><bad-request";
    for condition in [own, "unexpected-request", "item-not-found"] {
        let account = Account::with(&[(CONTACT, "both")]);
        let mut d = account.session();
        d.client(&unsubscribed(CONTACT));
        endings(&mut d, &account, |d, iq, words| {
            match words.starts_with("subscription") {
                true => d.error(iq, "cancel", condition),
                false => d.result(iq, ""),
            }
        });
        assert!(publishes(&mut d), "{condition}");
    }
}

#[test]
fn no_answer_is_no_success() {
    let account = Account::with(&[(CONTACT, "both")]);
    let mut d = account.session();
    d.client(&unsubscribed(CONTACT));
    endings(&mut d, &account, |_, _, _| {});
    d.advance(59);
    assert!(!publishes(&mut d));
    d.advance(1);
    assert!(!publishes(&mut d));
    d.advance(3);
    let said = endings(&mut d, &account, |d, iq, _| d.result(iq, ""));
    assert_eq!(said, ending(CONTACT));
    assert!(publishes(&mut d));
}

/// Asserts that Romeo is not taken to be out as long as the list that is to verify it is answered so.
fn assert_unverified(answer: impl FnOnce(&mut Driver, &Node)) {
    let mut account = Account::with(&[(CONTACT, "both")]);
    account.subscribers = Some(vec![CONTACT.to_owned()]);
    let mut d = account.session();
    d.client(&unsubscribed(CONTACT));
    let sent = d.server_got();
    assert_eq!(say(&sent[0]), "get subscribers");
    account.answer_one(&sent[0], &mut d);
    for iq in d.server_got() {
        d.result(&iq, "");
    }
    let list = d.one_to_server();
    assert_eq!(say(&list), "get subscribers");
    answer(&mut d, &list);
    assert!(!publishes(&mut d));
    account.subscribers = Some(Vec::new());
    d.advance(3);
    endings(&mut d, &account, |d, iq, _| d.result(iq, ""));
    assert!(publishes(&mut d));
}

#[test]
fn a_list_that_fails_verifies_nothing() {
    assert_unverified(|d, list| d.error(list, "wait", "internal-server-error"));
}

#[test]
fn an_answer_without_a_list_does_not_say_that_he_is_out() {
    assert_unverified(|d, list| d.result(list, ""));
}

#[test]
fn a_full_jid_approved_during_a_revocation_goes_with_the_next() {
    let full = "bard@shakespeare.lit/globe";
    let account = Account::with(&[]);
    let mut d = account.session();
    d.server(&ejabberd_form(BARD));
    d.client(&subscribed(BARD));
    account.settle(&mut d);
    d.client(&unsubscribed(BARD));
    d.server(&ejabberd_form(full));
    d.client(&subscribed(BARD));
    d.client(&unsubscribed(BARD));
    let said = account.settle(&mut d);
    let last = said
        .iter()
        .rposition(|said| said.starts_with("subscription subscribed"));
    let after = &said[last.unwrap()..];
    for jid in [full, BARD] {
        assert!(
            after.contains(&format!("subscription none {jid}")),
            "{said:?}"
        );
    }
    let out = after.last().unwrap();
    assert!(after.contains(&ending(BARD)[1]), "{out}");
}

#[test]
fn who_is_approved_during_a_revocation_stays() {
    // The revocation may be at any step.
    for answered in 0..4 {
        let account = Account::with(&[]);
        let mut d = account.session();
        d.server(&ejabberd_form(BARD));
        d.client(&subscribed(BARD));
        account.settle(&mut d);
        d.client(&unsubscribed(BARD));
        let mut sent = d.server_got();
        let mut all = Vec::new();
        for _ in 0..answered {
            let open = sent.iter().position(|iq| iq.local == "iq");
            if let Some(open) = open {
                let iq = sent.remove(open);
                all.push(say(&iq));
                account.answer_one(&iq, &mut d);
                sent.extend(d.server_got());
            }
        }
        d.server(&ejabberd_form(BARD));
        d.client(&subscribed(BARD));
        for iq in sent.drain(..) {
            all.push(say(&iq));
            if iq.local == "iq" {
                account.answer_one(&iq, &mut d);
            }
        }
        all.extend(account.settle(&mut d));
        let last = |what: &str| {
            let mut said = all.iter().filter(|said| said.starts_with(what));
            said.next_back().cloned()
        };
        let member = format!("affiliation member {BARD}");
        assert_eq!(last("affiliation"), Some(member), "{answered}: {all:?}");
        let approved = format!("subscription subscribed {BARD}");
        assert_eq!(last("subscription"), Some(approved), "{answered}: {all:?}");
        assert!(publishes(&mut d), "{answered}");
    }
}

#[test]
fn a_form_does_not_undo_a_revocation() {
    let account = Account::with(&[(CONTACT, "both")]);
    let mut d = account.session();
    // The server's push is still to come.
    d.client(&unsubscribed(CONTACT));
    d.server(&ejabberd_form(CONTACT));
    d.server(&marked(ROMEO));
    let said = account.settle(&mut d);
    assert!(
        said.iter()
            .all(|said| !said.contains("subscription subscribed")),
        "{said:?}"
    );
    assert!(said.contains(&ending(CONTACT)[1]), "{said:?}");
}

#[test]
fn an_unblocked_contact_is_let_in_after_it_was_thrown_out() {
    let account = Account::with(&[(CONTACT, "both")]);
    let mut d = account.session();
    for change in ["block", "unblock"] {
        d.client(&blocking(change, change, CONTACT));
        d.server(&format!("<iq type='result' id='{change}'/>"));
    }
    let sent = d.server_got();
    let mut said: Vec<_> = Vec::new();
    for iq in sent
        .iter()
        .filter(|iq| !["block", "unblock"].contains(&iq.value("id")))
    {
        said.push(say(iq));
        account.answer_one(iq, &mut d);
    }
    said.extend(account.settle(&mut d));
    let changes: Vec<_> = said
        .iter()
        .filter(|said| said.starts_with("affiliation"))
        .collect();
    let member = format!("affiliation member {CONTACT}");
    assert_eq!(changes, [&ending(CONTACT)[1], &member]);
}

#[test]
fn nothing_is_published_while_a_revocation_waits_for_room() {
    let account = Account::with(&[(CONTACT, "both")]);
    let mut d = account.session();
    let open = fill(&mut d);
    d.client(&unsubscribed(CONTACT));
    assert!(!said(&mut d).contains(&"get subscribers".to_owned()));
    assert_eq!(failed(&mut d), [""; 0]);
    assert!(!publishes(&mut d));
    for iq in open {
        account.answer_one(&iq, &mut d);
    }
    let mut said = endings(&mut d, &account, |d, iq, _| d.result(iq, ""));
    assert_eq!(
        said, [""; 0],
        "so many approvals are more than the server's leg bears"
    );
    d.advance(6);
    said.extend(endings(&mut d, &account, |d, iq, _| d.result(iq, "")));
    assert!(said.starts_with(&ending(CONTACT)), "{said:?}");
}

/// Lets as many requests wait as may: approvals, each a request that cannot wait.
fn fill(d: &mut Driver) -> Vec<Node> {
    for n in 0..64 {
        d.server(&native(&format!("c{n}@montague.lit"), "subscribe"));
    }
    for n in 0..64 {
        d.client(&subscribed(&format!("c{n}@montague.lit")));
    }
    let sent = d.server_got().into_iter();
    sent.filter(|sent| sent.local == "iq").collect()
}

#[test]
fn a_whole_domain_needs_one_list_and_does_not_flood() {
    let names: Vec<String> = (0..300).map(|n| format!("c{n}@montague.lit")).collect();
    let contacts: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "both")).collect();
    let mut account = Account::with(&contacts);
    account.subscribers = Some(names.clone());
    let mut d = account.session();
    d.client(&blocking("block", "b", "montague.lit"));
    d.forget();
    d.server("<iq type='result' id='b'/>");
    let (mut lists, mut bytes) = (0, 0);
    let mut ended = HashSet::new();
    let start = d.now;
    while (d.now - start).as_secs() < 600 {
        let sent = d.server_bytes();
        assert!(sent.len() < 11_000, "{} at once", sent.len());
        bytes += sent.len();
        // Ten kilobytes at once, then 1500 a second.
        let most = 11_000 + 1500 * usize::try_from((d.now - start).as_secs()).unwrap();
        assert!(bytes < most, "{bytes} of {most}");
        if sent.is_empty() {
            d.advance(1);
        }
        for iq in Node::stream(&sent) {
            let words = say(&iq);
            lists += usize::from(words == "get subscribers");
            if let Some(jid) = words.strip_prefix("subscription none ") {
                assert!(ended.insert(jid.to_owned()), "{jid} twice");
                account
                    .subscribers
                    .as_mut()
                    .unwrap()
                    .retain(|other| other != jid);
            }
            if iq.attribute("to").is_none() {
                account.answer_one(&iq, &mut d);
            }
        }
    }
    assert_eq!((lists, ended.len()), (2, 300), "one list, one verification");
    assert!(publishes(&mut d));
}

#[test]
fn too_many_to_be_revoked_end_publishing() {
    let account = Account::with(&[]);
    let mut d = account.session();
    for part in 0..5 {
        let items: String = (0..1000)
            .map(|n| format!("<item jid='x{part}-{n}@montague.lit'/>"))
            .collect();
        d.client(&format!(
            "<iq type='set' id='b{part}'><block xmlns='urn:xmpp:blocking'>{items}</block></iq>"
        ));
        d.server_bytes();
        d.server(&format!("<iq type='result' id='b{part}'/>"));
    }
    assert_eq!(failed(&mut d).len(), 1);
    account.settle(&mut d);
    assert!(!publishes(&mut d));
}

#[test]
fn who_was_just_refused_is_out_when_the_session_ends() {
    let names: Vec<String> = (0..12).map(|n| format!("u{n}@montague.lit")).collect();
    let contacts: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "both")).collect();
    let mut d = Account::with(&contacts).session();
    for name in &names {
        d.client(&unsubscribed(name));
    }
    // The server answers no request any more.
    d.client("</stream:stream>");
    let sent = d.server_bytes();
    let sent = sent.strip_suffix("</stream:stream>").expect("closed");
    let said: Vec<String> = Node::stream(sent).iter().map(say).collect();
    let at = |words: &str| said.iter().position(|other| other == words);
    let gone = at("publish presence").expect("unavailable");
    for words in names.iter().flat_map(|name| ending(name)) {
        let at = at(&words);
        assert!(at.is_some_and(|at| at < gone), "{words}: {said:?}");
    }
}

const STATUS: &str = "<presence id='2'><status>Gone</status></presence>";

/// Requests to the own account until no more follow.
fn said_until_quiet(d: &mut Driver, account: &Account) -> Vec<String> {
    let mut sent = account.settle_all(d);
    sent.retain(is_ours);
    sent.iter().map(say).collect()
}

/// Romeo, with this subscription, is removed by this stanza, and the client has a new status.
fn removing(subscription: &str, removal: &str) -> (Account, Driver) {
    let account = Account::with(&[(CONTACT, subscription)]);
    let mut d = account.session();
    d.client(&(removal.to_owned() + STATUS));
    (account, d)
}

/// Asserts that the status is published, and only when Romeo is out.
#[track_caller]
fn assert_out_before_status(d: &mut Driver, account: &Account) {
    let said = said_until_quiet(d, account);
    let at = |words: &str| said.iter().position(|other| other.starts_with(words));
    let published = at("publish").expect("the status");
    for end in ending(CONTACT) {
        assert!(at(&end).is_some_and(|ended| ended < published), "{said:?}");
    }
}

/// Asserts that the status is published and nothing else is done.
#[track_caller]
fn assert_only_status(d: &mut Driver, account: &Account) {
    assert_eq!(said_until_quiet(d, account), ["publish presence"]);
}

#[test]
fn a_status_behind_a_removal_waits_until_he_is_out() {
    for typed in [CONTACT, "Romeo@Montague.LIT"] {
        let (account, mut d) = removing("both", &removal("r", typed));
        assert_eq!(said_until_quiet(&mut d, &account), [""; 0], "{typed}");
        d.server("<iq type='result' id='r'/>");
        assert_out_before_status(&mut d, &account);
    }
}

#[test]
fn a_status_behind_a_refused_removal_is_published() {
    let (account, mut d) = removing("both", &removal("r", CONTACT));
    let refused = error("cancel", "not-allowed");
    d.server(&format!("<iq type='error' id='r'>{refused}</iq>"));
    assert_only_status(&mut d, &account);
}

#[test]
fn who_is_removed_right_before_the_logout_is_out() {
    let mut d = Account::with(&[(CONTACT, "both")]).session();
    d.client(&(removal("r", CONTACT) + "</stream:stream>"));
    assert_out_before_logout(&mut d);
}

#[test]
fn a_removal_of_who_sees_nothing_holds_nothing() {
    let (account, mut d) = removing("to", &removal("r", CONTACT));
    assert_only_status(&mut d, &account);
}

#[test]
fn a_status_that_finds_no_room_is_published_when_there_is_some() {
    let account = Account::with(&[]);
    let mut d = account.session();
    let open = fill(&mut d);
    d.client(STATUS);
    assert_eq!(said(&mut d), ["presence  own"]);
    account.answer_one(&open[0], &mut d);
    let sent = d.server_got();
    let publish = sent.iter().find(|iq| iq.has("pubsub/publish"));
    let publish = publish.expect("the status");
    assert_eq!(changed(publish).value("id"), "2");
    assert_eq!(d.events(), []);
}

#[test]
fn a_removal_that_is_never_answered_counts() {
    let (account, mut d) = removing("both", &removal("r", CONTACT));
    assert_eq!(said_until_quiet(&mut d, &account), [""; 0]);
    d.advance(60);
    assert_out_before_status(&mut d, &account);
}

#[test]
fn a_removal_from_somebody_elses_list_holds_nothing() {
    let elsewhere = removal("r", CONTACT).replace("id='r'", "id='r' to='nurse@capulet.lit'");
    let (account, mut d) = removing("both", &elsewhere);
    assert_only_status(&mut d, &account);
}
