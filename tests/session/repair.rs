//! What is put right at login under `auto`, with regard to who is blocked; and two shims of one account.

use pubshim::session::Event;

use crate::account::*;
use crate::driver::*;
use crate::presence_out::published;

const ROMEO_BARE: &str = "romeo@montague.lit";
const PARIS: &str = "paris@verona.lit";

/// What is asked at every login.
const QUESTIONS: [&str; 4] = [
    "get roster",
    "get members",
    "get subscribers",
    "get blocklist",
];

/// What a login took, without what is always asked and the contacts' states.
fn repaired(account: &Account) -> (Driver, Vec<String>) {
    let (d, said) = account.logged_in();
    assert_eq!(said[..4], QUESTIONS);
    let rest = said.into_iter().skip(4);
    (d, rest.filter(|said| !said.starts_with("fetch")).collect())
}

/// Whom a request makes members.
fn members(said: &str) -> Vec<&str> {
    let list = said.strip_prefix("affiliation ").unwrap();
    list.split(", ")
        .map(|one| one.strip_prefix("member ").unwrap())
        .collect()
}

#[test]
fn what_is_right_is_left_alone() {
    let mut account = Account::with(&[(ROMEO_BARE, "both"), (PARIS, "from"), ("a@b", "to")]);
    account.subscribers = Some(vec![ROMEO_BARE.to_owned()]);
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
    contacts.push((ROMEO_BARE, "to"));
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
    let mut account = Account::with(&[(ROMEO_BARE, "from"), (PARIS, "from")]);
    account.members.clear();
    let mut d = published();
    d.keep_search = true;
    d.advance(3);
    let batch = loop {
        let sent = d.server_got();
        if let [batch] = &*sent
            && say(batch).starts_with("affiliation")
        {
            break batch.clone();
        }
        for iq in sent {
            account.answer_one(&iq, &mut d);
        }
    };
    assert_eq!(members(&say(&batch)), [PARIS, ROMEO_BARE]);
    d.error(&batch, "modify", "jid-malformed");
    let sent = d.server_got();
    let words: Vec<_> = sent.iter().map(say).collect();
    assert_eq!(
        words,
        [
            format!("affiliation member {PARIS}"),
            format!("affiliation member {ROMEO_BARE}")
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
    // ejabberd: nobody can list who is subscribed already, and a second time does no harm.
    let account = Account::with(&[(ROMEO_BARE, "from"), (PARIS, "from")]);
    let mut d = published();
    d.keep_search = true;
    d.server(&marked(ROMEO));
    d.advance(3);
    let said = account.settle(&mut d);
    assert_eq!(said[4..], [format!("subscription subscribed {ROMEO_BARE}")]);
    d.server(&marked(ROMEO));
    assert_eq!(account.settle(&mut d), [""; 0]);
    // Whose marker comes later is subscribed later.
    d.server(&marked("paris@verona.lit/x"));
    d.server(&marked("paris@verona.lit/y"));
    assert_eq!(
        account.settle(&mut d),
        [format!("subscription subscribed {PARIS}")]
    );
    // Prosody: who is listed has what he needs.
    let mut account = Account::with(&[(ROMEO_BARE, "from")]);
    account.subscribers = Some(vec![ROMEO_BARE.to_owned()]);
    let mut d = account.session();
    d.server(&marked(ROMEO));
    assert_eq!(account.settle(&mut d), [""; 0]);
}

/// Juliet's session in which Paris is a member, and Romeo a contact; five seconds after its login.
fn with_stranger(record: Option<&str>) -> (Account, Driver) {
    let mut account = Account::with(&[(ROMEO_BARE, "from")]);
    account.members.push(PARIS.to_owned());
    account.record = record.map(str::to_owned);
    let (mut d, said) = repaired(&account);
    assert_eq!(said, [""; 0]);
    d.advance(4);
    assert_eq!(
        d.server_bytes(),
        "",
        "another resource may be approving him right now"
    );
    (account, d)
}

#[test]
fn members_nobody_approved_are_revoked() {
    let (account, mut d) = with_stranger(Some(""));
    d.advance(1);
    assert_eq!(
        account.settle(&mut d),
        [
            "get record".to_owned(),
            "get subscribers".to_owned(),
            format!("subscription none {PARIS}"),
            format!("affiliation none {PARIS}")
        ]
    );
    d.advance(1000);
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn whoever_is_on_record_or_was_approved_meanwhile_stays() {
    let on_record = format!("<contact jid='{PARIS}' from='yes'/>");
    let (account, mut d) = with_stranger(Some(&on_record));
    d.advance(1);
    assert_eq!(account.settle(&mut d), ["get record"]);
    d.advance(1000);
    assert_eq!(d.server_bytes(), "");

    for state in ["from", "both"] {
        let (account, mut d) = with_stranger(Some(""));
        d.server(&push(PARIS, state));
        account.settle(&mut d);
        d.advance(1);
        assert_eq!(account.settle(&mut d), [""; 0], "no record is needed");
        d.advance(1000);
        assert_eq!(d.server_bytes(), "");
    }
    // What is asked of the contact approves nobody.
    let asked = format!("<contact jid='{PARIS}' from='asked' to='yes'/>");
    let (account, mut d) = with_stranger(Some(&asked));
    d.advance(1);
    let said = account.settle(&mut d);
    assert!(
        said.contains(&format!("affiliation none {PARIS}")),
        "{said:?}"
    );
}

#[test]
fn nobody_is_revoked_by_what_could_not_be_had() {
    // The record.
    let (account, mut d) = with_stranger(None);
    d.advance(1);
    assert_eq!(account.settle(&mut d), ["get record"]);
    d.advance(1000);
    assert_eq!(d.server_bytes(), "");

    // The roster, by an error and by silence.
    let mut account = Account::with(&[]);
    account.members.push(PARIS.to_owned());
    account.roster = None;
    let (mut d, _) = account.logged_in();
    for _ in 0..20 {
        d.advance(60);
        let said = account.settle(&mut d);
        assert!(!said.iter().any(|said| said.contains("none")), "{said:?}");
    }

    // The list of members.
    let mut d = published();
    d.keep_search = true;
    d.advance(3);
    let account = Account::with(&[(ROMEO_BARE, "to")]);
    for iq in d.server_got() {
        match &*say(&iq) {
            "get members" => d.error(&iq, "cancel", "item-not-found"),
            _ => account.answer_one(&iq, &mut d),
        }
    }
    d.advance(1000);
    assert_eq!(account.settle(&mut d), [format!("fetch {ROMEO_BARE}")]);
}

#[test]
fn nothing_is_put_right_before_everything_is_known() {
    let mut account = Account::with(&[(ROMEO_BARE, "from")]);
    account.members = vec![PARIS.to_owned()];
    for missing in QUESTIONS {
        let mut d = published();
        d.keep_search = true;
        d.advance(3);
        for iq in d.server_got().into_iter().filter(|iq| say(iq) != missing) {
            account.answer_one(&iq, &mut d);
        }
        d.advance(20);
        assert_eq!(d.server_bytes(), "", "without an answer to {missing}");
    }
}

fn client_blocks(d: &mut Driver, what: &str, jid: &str) {
    d.client(&format!(
        "<iq type='set' id='{what}1'><{what} xmlns='urn:xmpp:blocking'><item jid='{jid}'/></{what}></iq>"
    ));
    d.server_bytes();
    d.server(&format!("<iq type='result' id='{what}1'/>"));
    d.client_bytes();
}

#[test]
fn the_blocked_are_no_members_until_they_are_unblocked() {
    for blocked in [ROMEO_BARE, "montague.lit"] {
        let mut account = Account::with(&[(ROMEO_BARE, "from"), (PARIS, "from")]);
        account.members.clear();
        account.blocked = vec![blocked.to_owned()];
        let (mut d, said) = repaired(&account);
        assert_eq!(said, [format!("affiliation member {PARIS}")], "{blocked}");
        // Nor is one subscribed because of its shim.
        d.server(&marked(ROMEO));
        assert_eq!(account.settle(&mut d), [""; 0], "{blocked}");
        client_blocks(&mut d, "unblock", blocked);
        assert_eq!(
            account.settle(&mut d),
            [
                format!("affiliation member {ROMEO_BARE}"),
                format!("subscription subscribed {ROMEO_BARE}")
            ],
            "{blocked}"
        );
    }
}

#[test]
fn blocked_here_and_unblocked_elsewhere_before_the_list_is_known() {
    let mut account = Account::with(&[(ROMEO_BARE, "from")]);
    account.members.clear();
    let mut d = published();
    d.keep_search = true;
    client_blocks(&mut d, "block", ROMEO_BARE);
    let said = account.settle(&mut d);
    assert!(
        said.contains(&format!("affiliation none {ROMEO_BARE}")),
        "{said:?}"
    );
    // Prosody tells of changes only whoever has asked for the list.
    d.advance(3);
    let said = account.settle(&mut d);
    assert!(
        said.contains(&format!("affiliation member {ROMEO_BARE}")),
        "{said:?}"
    );
}

#[test]
fn blocked_and_unblocked_in_a_session() {
    let account = Account::with(&[(ROMEO_BARE, "from")]);
    let mut d = account.session();
    client_blocks(&mut d, "block", ROMEO_BARE);
    let said = account.settle(&mut d);
    assert!(
        said.contains(&format!("affiliation none {ROMEO_BARE}")),
        "{said:?}"
    );
    // Whatever another resource says of the roster meanwhile.
    d.server(&push(ROMEO_BARE, "both"));
    let said = account.settle(&mut d);
    assert!(!said.iter().any(|said| said.contains("member")), "{said:?}");
    client_blocks(&mut d, "unblock", ROMEO_BARE);
    let said = account.settle(&mut d);
    assert_eq!(said, [format!("affiliation member {ROMEO_BARE}")]);
}

#[test]
fn unblocked_before_the_revocation_is_done() {
    let account = Account::with(&[(ROMEO_BARE, "from")]);
    let mut d = account.session();
    d.server(&marked(ROMEO));
    account.settle(&mut d);
    for what in ["block", "unblock"] {
        d.client(&format!(
            "<iq type='set' id='{what}2'><{what} xmlns='urn:xmpp:blocking'><item jid='{ROMEO_BARE}'/></{what}></iq>"
        ));
        // Not answered by the account: its answers come before those to the revocation.
        d.server_bytes();
    }
    d.server("<iq type='result' id='block2'/><iq type='result' id='unblock2'/>");
    let said = account.settle(&mut d);
    let changes: Vec<_> = said
        .iter()
        .filter(|said| !said.starts_with("get"))
        .collect();
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
        d.server(&native(ROMEO_BARE, "subscribe"));
        assert_eq!(d.client_bytes(), native(ROMEO_BARE, "subscribe"));
    }
    both[0].client(&format!("<presence to='{ROMEO_BARE}' type='subscribed'/>"));
    for d in &mut both {
        d.server(&push(ROMEO_BARE, "from"));
        d.server(&marked(ROMEO));
        let said = account.settle(d);
        // Both see to it; the server takes the second for what it is already.
        let expected = [
            format!("affiliation member {ROMEO_BARE}"),
            format!("subscription subscribed {ROMEO_BARE}"),
        ];
        for words in expected {
            assert_eq!(
                said.iter().filter(|said| **said == words).count(),
                1,
                "{said:?}"
            );
        }
    }
    // The first one takes it back, and goes: the second has no doubt.
    for d in &mut both {
        d.server(&push(ROMEO_BARE, "none"));
        let said = account.settle(d);
        assert!(
            said.contains(&format!("affiliation none {ROMEO_BARE}")),
            "{said:?}"
        );
    }
    // What was answered by one resource is asked anew by both.
    for d in &mut both {
        d.client_bytes();
        d.server(&native(ROMEO_BARE, "subscribe"));
        assert_eq!(d.client_bytes(), native(ROMEO_BARE, "subscribe"));
    }
}

#[test]
fn a_form_that_another_resource_answered_is_no_question_any_more() {
    let form = "<message to='juliet@capulet.lit' from='juliet@capulet.lit'><x type='form' xmlns='jabber:x:data'>\
        <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#subscribe_authorization</value></field>\
        <field var='pubsub#node'><value>presence</value></field>\
        <field var='pubsub#subscriber_jid'><value>romeo@montague.lit</value></field></x></message>";
    let (account, mut both) = two();
    for d in &mut both {
        d.server(form);
        d.server(&native(ROMEO_BARE, "subscribe"));
        assert_eq!(d.client_got().len(), 1);
    }
    let [_, second] = &mut both;
    // The first one approves; later the contact goes and comes again.
    second.server(&push(ROMEO_BARE, "from"));
    let said = account.settle(second);
    // The form came here, too; who answers it twice does no harm.
    let answer = format!("subscription subscribed {ROMEO_BARE}");
    assert!(said.contains(&answer), "{said:?}");
    second.server(&push(ROMEO_BARE, "none"));
    account.settle(second);
    second.forget();
    second.server(&native(ROMEO_BARE, "subscribe"));
    assert_eq!(second.client_bytes(), native(ROMEO_BARE, "subscribe"));
}

#[test]
fn a_push_for_a_client_that_asked_is_its_own_and_is_followed() {
    let account = Account::with(&[]);
    let mut d = account.session();
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    d.forget();
    let real = push(ROMEO_BARE, "from");
    d.server(&real);
    assert_eq!(d.client_bytes(), real);
    assert_eq!(said(&mut d), [format!("affiliation member {ROMEO_BARE}")]);
    // From somebody else it is neither.
    for from in [
        "romeo@montague.lit",
        "capulet.lit.evil.lit",
        "juliet@capulet.lit/chamber",
    ] {
        let forged =
            push(PARIS, "from").replace("from='juliet@capulet.lit'", &format!("from='{from}'"));
        d.server(&forged);
        assert_eq!(d.client_bytes(), forged);
        assert_eq!(d.server_bytes(), "", "{from}");
    }
}
