//! Contacts, strangers and other resources try to see the client without being allowed to.

use pubshim::session::Dropped;

use crate::scenes::*;

const R: &str = "romeo@montague.lit";

/// Whether anything of this lets `account` see the node.
fn lets_in(said: &[String], account: &str) -> bool {
    [
        format!("affiliation member {account}"),
        format!("subscription subscribed {account}"),
    ]
    .iter()
    .any(|what| said.contains(what))
}

#[test]
fn whoever_hides_waits_for_nothing() {
    let account = Account::with(&[(R, "both")]);
    let mut d = account.session();
    d.server(&marked(ROMEO));
    let sent = d.server_got();
    let subscribe = sent.iter().find(|iq| iq.has("pubsub/subscribe")).unwrap();
    answer(
        &mut d,
        subscribe,
        "error",
        &error("cancel", "item-not-found"),
    );
    d.client("<iq type='set' id='inv'><invisible xmlns='urn:xmpp:invisible:1'/></iq>");
    d.server("<iq type='result' id='inv'/>");
    d.forget();
    // The pause of the refused request ends meanwhile; the driver panics if that is asked for again and again.
    d.advance(10);
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn whom_a_privacy_list_denies_stays_out() {
    let mut account = Account::with(&[(R, "both")]);
    account.members.clear();
    let mut d = account.session();
    account.settle(&mut d);
    for (id, what) in [
        (
            "p1",
            "<list name='b'><item type='jid' value='romeo@montague.lit' action='deny' order='1'/></list>",
        ),
        ("p2", "<active name='b'/>"),
    ] {
        d.client(&format!(
            "<iq type='set' id='{id}'><query xmlns='jabber:iq:privacy'>{what}</query></iq>"
        ));
        d.server_bytes();
        d.server(&format!("<iq type='result' id='{id}'/>"));
    }
    let said = account.settle(&mut d);
    assert!(said.contains(&format!("affiliation none {R}")), "{said:?}");
    d.server(&marked(ROMEO));
    let mut said = account.settle(&mut d);
    d.server(&ejabberd_form(R));
    said.extend(account.settle(&mut d));
    assert!(!lets_in(&said, R), "{said:?}");
}

#[test]
fn whoever_is_blocked_is_not_let_in_before_that_is_known() {
    let mut account = Account::with(&[(R, "both")]);
    account.blocked = vec![R.to_owned()];
    account.members.clear();
    let mut d = published();
    d.keep_all();
    d.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    d.server(&format!(
        "<iq type='result' id='r'><query xmlns='jabber:iq:roster'><item jid='{R}' subscription='both'/></query></iq>"
    ));
    d.forget();
    d.server(&ejabberd_form(R));
    let mut said = account.settle(&mut d);
    d.advance(20);
    said.extend(account.settle(&mut d));
    assert!(!lets_in(&said, R), "{said:?}");
}

#[test]
fn an_answer_to_a_form_is_none_to_a_request_after_the_removal() {
    let (account, mut d) = with_bard("");
    d.server(&ejabberd_form(BARD));
    d.client(&format!("<presence to='{BARD}' type='subscribed'/>"));
    account.settle(&mut d);
    d.server(&push(BARD, "to"));
    account.settle(&mut d);
    d.client(&removal("rm", BARD));
    d.server_bytes();
    d.server(&push(BARD, "remove"));
    account.settle(&mut d);
    d.forget();
    d.server_passes(&native(BARD, "subscribe"));
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn an_answer_to_a_form_is_none_to_a_request_of_another_hour() {
    let (account, mut d) = with_bard("");
    d.server(&ejabberd_form(BARD));
    d.client(&format!("<presence to='{BARD}' type='unsubscribed'/>"));
    account.settle(&mut d);
    d.advance(61);
    account.settle(&mut d);
    d.forget();
    d.server_passes(&native(BARD, "subscribe"));
}

#[test]
fn a_flood_of_forms_takes_nobodys_place() {
    let account = Account::with(&[(R, "both")]);
    let mut d = account.session();
    account.settle(&mut d);
    d.forget();
    for n in 0..300 {
        d.server(&ejabberd_form(&format!("{BARD}/{n}")));
    }
    assert_eq!(d.one_to_client(), request(BARD), "asked once");
    assert_eq!(d.dropped(), vec![Dropped::Overflow; 300 - 16]);
    d.server(&ejabberd_form(&format!("{R}/orchard")));
    let said = account.settle(&mut d);
    assert!(
        said.contains(&format!("subscription subscribed {R}/orchard")),
        "{said:?}"
    );
    d.server(&ejabberd_form("nurse@capulet.lit"));
    assert_eq!(d.one_to_client(), request("nurse@capulet.lit"));
}

#[test]
fn a_flood_of_strangers_takes_no_contacts_place() {
    let account = Account::with(&[]);
    let mut d = account.session();
    account.settle(&mut d);
    for n in 0..3000 {
        d.server(&native(&format!("s{n}@evil.lit"), "subscribe"));
    }
    d.forget();
    d.server(&push(R, "both"));
    d.server(&marked(ROMEO));
    let said: Vec<_> = d.server_got().iter().map(say).collect();
    assert!(
        said.iter().any(|what| what.starts_with("subscribe")),
        "{said:?}"
    );
}

#[test]
fn the_old_way_to_hide_hides_from_pings_too() {
    let account = Account::with(&[(R, "both")]);
    let mut d = account.session();
    account.settle(&mut d);
    d.client("<presence type='invisible'/>");
    d.forget();
    d.server(&format!(
        "<iq type='get' id='x' from='{ROMEO}' to='{JULIET}'><ping xmlns='urn:xmpp:ping'><shim xmlns='urn:pubshim:0'/></ping></iq>"
    ));
    assert!(d.one_to_server().has("error/service-unavailable"));
}

#[test]
fn between_the_no_and_the_push_nobody_is_let_in_again() {
    let account = Account::with(&[(R, "both")]);
    let mut d = account.session();
    d.server(&marked(ROMEO));
    account.settle(&mut d);
    d.client(&format!("<presence to='{R}' type='unsubscribed'/>"));
    account.settle(&mut d);
    d.server(&marked(ROMEO));
    let mut said = account.settle(&mut d);
    d.server(&ejabberd_form(R));
    said.extend(account.settle(&mut d));
    assert!(!lets_in(&said, R), "{said:?}");
}
