//! Repairs at login under `auto`, with regard to blocked contacts; and two shims of one account.

use pubshim::session::Event;

use crate::scenes::*;

const PARIS: &str = "paris@verona.lit";

/// Requests of a login, without the questions, the publish and the fetches of every login.
fn repaired(account: &Account) -> (Driver, Vec<String>) {
    let (d, said) = account.logged_in();
    (d, put_right(said))
}

/// Requests besides those of every login.
fn put_right(said: Vec<String>) -> Vec<String> {
    assert_eq!(said[0], "presence  own", "native presence does not wait");
    assert_eq!(said[1..7], QUESTIONS);
    let rest = said.into_iter().skip(7);
    let is_usual = |said: &String| said.starts_with("fetch") || said == "publish presence";
    rest.filter(|said| !is_usual(said)).collect()
}

/// The accounts that a request makes members.
fn members(said: &str) -> Vec<&str> {
    let list = said.strip_prefix("affiliation ").unwrap();
    list.split(", ")
        .map(|one| one.strip_prefix("member ").unwrap())
        .collect()
}

#[test]
fn what_is_right_is_left_alone() {
    let mut account = Account::with(&[(CONTACT, "both"), (PARIS, "from"), ("a@b", "to")]);
    account.subscribers = Some(vec![CONTACT.to_owned()]);
    let (mut d, said) = repaired(&account);
    assert_eq!(said, [""; 0]);
    d.forget();
    d.advance(1000);
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn contacts_who_are_no_members_are_made_members_in_batches() {
    let friends: Vec<_> = (10..50).map(|n| format!("friend{n}@verona.lit")).collect();
    let mut contacts: Vec<_> = friends.iter().map(|jid| (&**jid, "from")).collect();
    contacts.push((CONTACT, "to"));
    contacts.push((PARIS, "none"));
    let mut account = Account::with(&contacts);
    account.members.truncate(5);
    let (_, said) = repaired(&account);
    assert_eq!(said.len(), 3, "35 contacts, 16 at once: {said:?}");
    let all: Vec<_> = said.iter().flat_map(|said| members(said)).collect();
    assert_eq!(all, friends[5..]);
}

#[test]
fn one_whom_the_server_refuses_does_not_harm_the_others() {
    let mut account = Account::with(&[(CONTACT, "from"), (PARIS, "from")]);
    account.members.clear();
    let (mut d, asked) = asking_all();
    for iq in asked {
        account.answer_one(&iq, &mut d);
    }
    let sent = d.server_got().into_iter();
    let mut sent = sent.filter(|iq| say(iq).starts_with("affiliation"));
    let batch = sent.next().unwrap();
    assert_eq!(members(&say(&batch)), [PARIS, CONTACT]);
    d.error(&batch, "modify", "jid-malformed");
    let sent = d.server_got();
    let words: Vec<_> = sent.iter().map(say).collect();
    assert_eq!(
        words,
        [
            format!("affiliation member {PARIS}"),
            format!("affiliation member {CONTACT}")
        ]
    );
    d.error(&sent[0], "modify", "jid-malformed");
    d.result(&sent[1], "");
    assert_eq!(d.server_bytes(), "");
    let failed: Vec<_> = d
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::ApprovalFailed { whom, .. } => Some(whom),
            _ => None,
        })
        .collect();
    assert_eq!(failed, [[PARIS]]);
}

#[test]
fn members_with_a_shim_are_subscribed_once() {
    // ejabberd lists no subscribers; subscribing a contact twice does no harm.
    let account = Account::with(&[(CONTACT, "from"), (PARIS, "from")]);
    let (mut d, _) = account.arrived();
    d.server(&marked(ROMEO));
    let subscribed = |said: Vec<String>| -> Vec<String> {
        let said = said.into_iter();
        said.filter(|said| said.starts_with("subscription"))
            .collect()
    };
    assert_eq!(
        subscribed(account.settle(&mut d)),
        [format!("subscription subscribed {CONTACT}")]
    );
    d.server(&marked(ROMEO));
    assert_eq!(account.settle(&mut d), [""; 0]);
    // A contact whose marker comes later is subscribed later.
    d.server(&marked("paris@verona.lit/x"));
    d.server(&marked("paris@verona.lit/y"));
    assert_eq!(
        subscribed(account.settle(&mut d)),
        [format!("subscription subscribed {PARIS}")]
    );
    // Prosody lists him as a subscriber: nothing is to be done.
    let mut account = Account::with(&[(CONTACT, "from")]);
    account.subscribers = Some(vec![CONTACT.to_owned()]);
    let mut d = account.session();
    d.server(&marked(ROMEO));
    assert_eq!(account.settle(&mut d), [""; 0]);
}

/// Juliet's session in which Paris is a member, and Romeo a contact; four seconds after her first presence.
fn with_stranger() -> (Account, Driver) {
    let mut account = Account::with(&[(CONTACT, "from")]);
    account.members.push(PARIS.to_owned());
    let (mut d, said) = account.arrived();
    assert_eq!(said.len(), 7, "nothing is published: {said:?}");
    d.advance(4);
    assert_eq!(
        d.server_bytes(),
        "",
        "another resource may be approving him right now"
    );
    (account, d)
}

#[test]
fn members_nobody_approved_are_revoked_before_the_first_publish() {
    let (account, mut d) = with_stranger();
    d.advance(1);
    assert_eq!(
        account.settle(&mut d),
        [
            "get record".to_owned(),
            "get subscribers".to_owned(),
            format!("subscription none {PARIS}"),
            format!("affiliation none {PARIS}"),
            "publish presence".to_owned(),
            "fetch own".to_owned(),
        ]
    );
    d.advance(1000);
    assert_eq!(account.settle(&mut d), [""; 0]);
}

#[test]
fn whoever_is_on_record_or_was_approved_meanwhile_stays() {
    let mut account = Account::with(&[(CONTACT, "from")]);
    account.members.push(PARIS.to_owned());
    account.record = Some(format!("<contact jid='{PARIS}' from='yes'/>"));
    let (_, said) = repaired(&account);
    assert_eq!(said, [""; 0]);

    for state in ["from", "both"] {
        let (account, mut d) = with_stranger();
        d.server(&push(PARIS, state));
        account.settle(&mut d);
        d.advance(1);
        assert_eq!(
            account.settle(&mut d),
            ["get record", "publish presence", "fetch own"]
        );
        d.advance(1000);
        let said = account.settle(&mut d);
        assert!(
            said.iter().all(|said| said.starts_with("fetch")),
            "{said:?}"
        );
    }
    // Another resource has approved him and put it on record.
    let (mut account, mut d) = with_stranger();
    account.record = Some(format!("<contact jid='{PARIS}' from='yes'/>"));
    d.advance(1);
    assert_eq!(
        account.settle(&mut d),
        ["get record", "publish presence", "fetch own"]
    );
    // A recorded request of the contact's approves nobody.
    let (mut account, mut d) = with_stranger();
    account.record = Some(format!("<contact jid='{PARIS}' from='asked' to='yes'/>"));
    d.advance(1);
    let said = account.settle(&mut d);
    assert!(
        said.contains(&format!("affiliation none {PARIS}")),
        "{said:?}"
    );
}

#[test]
fn what_could_not_be_had_revokes_nobody_and_lets_nothing_out() {
    // A temporary error or silence leaves the question open: it is asked again, later only once an hour.
    for missing in QUESTIONS.into_iter().skip(1) {
        for is_silent in [false, true] {
            let mut account = Account::with(&[(CONTACT, "from")]);
            account.members = vec![PARIS.to_owned()];
            let (mut d, asked) = asking_all();
            for iq in asked {
                match say(&iq) == missing {
                    true if is_silent => {}
                    true => d.error(&iq, "wait", "internal-server-error"),
                    false => account.answer_one(&iq, &mut d),
                }
            }
            d.advance(if is_silent { 60 } else { 0 });
            assert_eq!(d.server_bytes(), "", "without an answer to {missing}");
            let told = d.events();
            let is_told = told
                .iter()
                .any(|event| matches!(event, Event::NotKnown { .. }));
            assert!(is_told, "{missing}: {told:?}");
            for pause in [3, 30, 3600] {
                d.advance(pause - 1);
                assert_eq!(d.server_bytes(), "", "{missing}");
                d.advance(1);
                let again = d.one_to_server();
                assert_eq!(say(&again), missing);
                d.error(&again, "wait", "internal-server-error");
            }
            // A stanza of the client's has the shim ask at once.
            d.client("<presence id='2'/>");
            let [native, again] = d.server_got().try_into().unwrap();
            assert_eq!((&*native.local, &*say(&again)), ("presence", missing));
            account.answer_one(&again, &mut d);
            d.advance(5);
            let said = account.settle(&mut d);
            let position = |what: &str| said.iter().position(|said| *said == what);
            let out = position(&format!("affiliation none {PARIS}")).expect(missing);
            assert!(position("publish presence").unwrap() > out, "{said:?}");
        }
    }
}

fn client_blocks(d: &mut Driver, what: &str, jid: &str) {
    d.client(&blocking(what, &format!("{what}1"), jid));
    d.server_bytes();
    d.server(&format!("<iq type='result' id='{what}1'/>"));
    d.client_bytes();
}

#[test]
fn the_blocked_are_no_members_until_they_are_unblocked() {
    for blocked in [CONTACT, "montague.lit"] {
        let mut account = Account::with(&[(CONTACT, "from"), (PARIS, "from")]);
        account.members.clear();
        account.blocked = vec![blocked.to_owned()];
        let (mut d, said) = repaired(&account);
        assert_eq!(said, [format!("affiliation member {PARIS}")], "{blocked}");
        // A blocked contact is not subscribed for its shim's marker either.
        d.server(&marked(ROMEO));
        assert_eq!(account.settle(&mut d), [""; 0], "{blocked}");
        client_blocks(&mut d, "unblock", blocked);
        assert_eq!(
            account.settle(&mut d)[..2],
            [
                format!("affiliation member {CONTACT}"),
                format!("subscription subscribed {CONTACT}")
            ],
            "{blocked}"
        );
    }
}

#[test]
fn blocked_here_and_unblocked_elsewhere_before_the_list_comes() {
    let mut account = Account::with(&[(CONTACT, "from")]);
    account.members.clear();
    let (mut d, asked) = asking_all();
    client_blocks(&mut d, "block", CONTACT);
    // Prosody tells of changes only whoever has asked for the list.
    let mut said = Vec::new();
    for iq in asked {
        account.answer_one(&iq, &mut d);
    }
    said.extend(account.settle(&mut d));
    let position = |what: &str| {
        let words = format!("affiliation {what} {CONTACT}");
        said.iter().position(|said| *said == words)
    };
    assert!(position("member").is_some(), "{said:?}");
    assert!(position("none") < position("member"), "{said:?}");
}

#[test]
fn blocked_and_unblocked_in_a_session() {
    let account = Account::with(&[(CONTACT, "from")]);
    let mut d = account.session();
    client_blocks(&mut d, "block", CONTACT);
    let said = account.settle(&mut d);
    assert!(
        said.contains(&format!("affiliation none {CONTACT}")),
        "{said:?}"
    );
    // A push caused by another resource lets nobody in who is blocked.
    d.server(&push(CONTACT, "both"));
    let said = account.settle(&mut d);
    assert!(!said.iter().any(|said| said.contains("member")), "{said:?}");
    client_blocks(&mut d, "unblock", CONTACT);
    let said = account.settle(&mut d);
    assert_eq!(said, [format!("affiliation member {CONTACT}")]);
}

#[test]
fn unblocked_before_the_revocation_is_done() {
    let account = Account::with(&[(CONTACT, "from")]);
    let mut d = account.session();
    d.server(&marked(ROMEO));
    account.settle(&mut d);
    for what in ["block", "unblock"] {
        d.client(&blocking(what, &format!("{what}2"), CONTACT));
        // These requests are answered further down, before those of the revocation.
        d.server_bytes();
    }
    d.server("<iq type='result' id='block2'/><iq type='result' id='unblock2'/>");
    let said = account.settle(&mut d);
    let changes: Vec<_> = said.iter().filter(|said| said.contains(CONTACT)).collect();
    assert_eq!(
        changes,
        [
            "subscription none romeo@montague.lit",
            "affiliation none romeo@montague.lit",
            "affiliation member romeo@montague.lit",
            "subscription subscribed romeo@montague.lit",
        ]
    );
}

/// Two sessions of Juliet's account, with nobody in the roster, and what goes to both.
fn two() -> (Account, [Driver; 2]) {
    let account = Account::with(&[]);
    let sessions = [account.session(), account.session()];
    (account, sessions)
}

#[test]
fn the_second_session_sees_what_the_first_has_done() {
    let (account, mut both) = two();
    for d in &mut both {
        d.server_passes(&native(CONTACT, "subscribe"));
    }
    both[0].client(&format!("<presence to='{CONTACT}' type='subscribed'/>"));
    for d in &mut both {
        d.server(&push(CONTACT, "from"));
        d.server(&marked(ROMEO));
        let said = account.settle(d);
        // Both see to it; the server takes the second for what it is already.
        let expected = [
            format!("affiliation member {CONTACT}"),
            format!("subscription subscribed {CONTACT}"),
        ];
        for words in expected {
            assert_eq!(
                said.iter().filter(|said| **said == words).count(),
                1,
                "{said:?}"
            );
        }
    }
    // The first resource takes the approval back and goes; the second follows the push.
    for d in &mut both {
        d.server(&push(CONTACT, "none"));
        let said = account.settle(d);
        assert!(
            said.contains(&format!("affiliation none {CONTACT}")),
            "{said:?}"
        );
    }
    // A new request goes to both clients, though one of them has answered the first.
    for d in &mut both {
        d.client_bytes();
        d.server_passes(&native(CONTACT, "subscribe"));
    }
}

#[test]
fn a_form_that_another_resource_answered_is_answered() {
    let form = "<message to='juliet@capulet.lit' from='juliet@capulet.lit'><x type='form' xmlns='jabber:x:data'>\
        <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#subscribe_authorization</value></field>\
        <field var='pubsub#node'><value>presence</value></field>\
        <field var='pubsub#subscriber_jid'><value>romeo@montague.lit</value></field></x></message>";
    let (account, mut both) = two();
    for d in &mut both {
        d.server(form);
        d.server(&native(CONTACT, "subscribe"));
        assert_eq!(d.client_got().len(), 1);
    }
    let [_, second] = &mut both;
    // The first one approves; later the contact goes and comes again.
    second.server(&push(CONTACT, "from"));
    let said = account.settle(second);
    // The second resource has the form, too; answering it twice does no harm.
    let answer = format!("subscription subscribed {CONTACT}");
    assert!(said.contains(&answer), "{said:?}");
    second.server(&push(CONTACT, "none"));
    account.settle(second);
    second.forget();
    second.server(&native(CONTACT, "subscribe"));
    assert_eq!(second.client_bytes(), native(CONTACT, "subscribe"));
}

#[test]
fn a_push_for_a_client_that_asked_is_its_own_and_is_followed() {
    let account = Account::with(&[]);
    let mut d = account.session();
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    d.forget();
    let real = push(CONTACT, "from");
    d.server_passes(&real);
    assert_eq!(said(&mut d), [format!("affiliation member {CONTACT}")]);
    // A push from another address is the client's, and is not followed.
    for from in [
        "romeo@montague.lit",
        "capulet.lit.evil.lit",
        "juliet@capulet.lit/chamber",
    ] {
        let forged =
            push(PARIS, "from").replace("from='juliet@capulet.lit'", &format!("from='{from}'"));
        d.server_passes(&forged);
        assert_eq!(d.server_bytes(), "", "{from}");
    }
}
