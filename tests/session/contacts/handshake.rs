//! Every cell of RFC 6121 Appendix A under `auto`: the native stanza passes byte for byte, whatever the
//! state, as the server decides what it means; and pubsub follows.

use crate::scenes::*;

/// The requests that follow a stanza, or the push that the server sends when the roster's `subscription` changes.
const NOTHING: &[&str] = &[];
/// The subscription to the contact's node is ended. The RFC routes it from every state (§A.2.2).
const LEAVE: &[&str] = &["unsubscribe"];
/// The contact may subscribe.
const ADMIT: &[&str] = &["affiliation member"];
/// The contact sees nothing any more. Said to a stranger it ends what only pubsub knows of.
const REVOKE: &[&str] = &["get subscribers", "subscription none", "affiliation none"];
/// The contact's marker was seen, and now there is a subscription to go with it.
const FOLLOW: &[&str] = &["subscribe"];

/// §A.2.1 to §A.2.4. Of each state: the requests for the stanza, the `subscription` that is pushed after it, and the
/// requests then. A contact is admitted before the push, and a revocation is on its way when it comes.
const OUTBOUND: &str = "
                      | subscribe | unsubscribe        | subscribed  | unsubscribed
None                  | -         | leave              | -           | revoke
None + Pending Out    | -         | leave              | -           | revoke
None + Pending In     | -         | leave              | admit, from | revoke
None + Pending Out+In | -         | leave              | admit, from | revoke
To                    | -         | leave, none: leave | -           | revoke
To + Pending In       | -         | leave, none: leave | admit, both | revoke
From                  | -         | leave              | -           | revoke, none
From + Pending Out    | -         | leave              | -           | revoke, none
Both                  | -         | leave, from: leave | -           | revoke, to";

/// §A.3.1 to §A.3.4: pubsub follows the push, which is the account's own server's word, and never the
/// contact's stanza.
const INBOUND: &str = "
                      | subscribe | unsubscribe     | subscribed      | unsubscribed
None                  | -         | -               | -               | -
None + Pending Out    | -         | -               | -, to: follow   | -
None + Pending In     | -         | -               | -               | -
None + Pending Out+In | -         | -               | -, to: follow   | -
To                    | -         | -               | -               | -, none: leave
To + Pending In       | -         | -               | -               | -, none: leave
From                  | -         | -, none: revoke | -               | -
From + Pending Out    | -         | -, none: revoke | -, both: follow | -
Both                  | -         | -, to: revoke   | -               | -, from: leave";

/// A cell, as above.
type Cell = (
    &'static [&'static str],
    Option<&'static str>,
    &'static [&'static str],
);

fn read(cell: &'static str) -> Cell {
    let (now, push) = cell
        .split_once(", ")
        .map_or((cell, None), |(now, push)| (now, Some(push)));
    let push = push.map(|it| it.split_once(": ").unwrap_or((it, "-")));
    let (next, then) = push.unzip();
    (done(now), next, done(then.unwrap_or("-")))
}

fn done(what: &str) -> &'static [&'static str] {
    match what {
        "-" => NOTHING,
        "leave" => LEAVE,
        "admit" => ADMIT,
        "revoke" => REVOKE,
        "follow" => FOLLOW,
        _ => panic!("{what}"),
    }
}

/// Juliet's session in a state with Romeo, whose shim was seen if there is something to be followed.
fn session(state: &str, is_marked: bool) -> (Account, Driver) {
    let (.., shown) = STATES.into_iter().find(|it| it.0 == state).unwrap();
    let subscription = shown.trim_end_matches(" asked");
    let mut account = Account::with(&[(CONTACT, subscription)]);
    if shown != subscription {
        let roster = account.roster.take().unwrap();
        account.roster = Some(roster.replace("/>", " ask='subscribe'/>"));
    }
    let mut d = account.session();
    if state.contains("In") {
        d.server(&native(CONTACT, "subscribe"));
    }
    if is_marked {
        // A contact without a subscription learns that she is there by a directed presence.
        d.client(&format!("<presence to='{CONTACT}'/>"));
        d.server(&marked(ROMEO));
    }
    account.settle(&mut d);
    d.forget();
    (account, d)
}

/// The requests that follow a push of the new state, without the answers to the push itself.
fn follow(account: &Account, d: &mut Driver, next: Option<&str>) -> Vec<String> {
    if let Some(next) = next {
        d.server(&push(CONTACT, next));
    }
    let sent = account.settle(d);
    sent.into_iter()
        .filter(|said| !said.starts_with("result"))
        .collect()
}

/// The expected requests in full.
fn with_address(words: &[&str]) -> Vec<String> {
    let full = |word: &&str| match *word {
        "get subscribers" => (*word).to_owned(),
        word => format!("{word} {CONTACT}"),
    };
    words.iter().map(full).collect()
}

#[test]
fn what_the_user_says_in_every_state() {
    for (kind, state, cell) in cells_of(OUTBOUND) {
        let (now, next, then) = read(cell);
        let cell = format!("{kind} in {state}");
        let (account, mut d) = session(state, false);
        let stanza = format!(
            "<presence  to=\"{CONTACT}\" type='{kind}'\n id='&#49;'><status>a &lt; b</status>\
                 <nick xmlns='http://jabber.org/protocol/nick'>J&amp;</nick></presence>"
        );
        d.client(&stanza);
        let sent = d.server_bytes();
        assert_eq!(sent.matches(&stanza).count(), 1, "{cell}: {sent}");
        let own = sent.replace(&stanza, "");
        let words: Vec<_> = Node::stream(&own).iter().map(say).collect();
        let expected = with_address(now);
        // A revocation goes on with the answers.
        assert_eq!(words, expected[..words.len()], "{cell}");
        if now == ADMIT {
            assert!(
                sent.ends_with(&stanza),
                "{cell}: he may ask as soon as he is told"
            );
        }
        for iq in Node::stream(&own) {
            if iq.attribute("to").is_none() {
                account.answer_one(&iq, &mut d);
            }
        }
        // Before what follows is answered, as the server answers in order.
        let mut rest = follow(&account, &mut d, next);
        let mut all = words;
        all.append(&mut rest);
        assert_eq!(all, [expected, with_address(then)].concat(), "{cell}");
        assert_eq!(d.client_bytes(), "", "{cell}");
    }
}

#[test]
fn what_the_contact_says_in_every_state() {
    for (kind, state, cell) in cells_of(INBOUND) {
        let (now, next, then) = read(cell);
        let cell = format!("{kind} in {state}");
        let (account, mut d) = session(state, then == FOLLOW);
        let stanza = format!(
            "<presence  from=\"{CONTACT}\" to='juliet@capulet.lit' type='{kind}'\n id='&#49;'>\
                 <status>a &lt; b</status><nick xmlns='http://jabber.org/protocol/nick'>R&amp;</nick></presence>"
        );
        d.server(&stanza);
        assert_eq!(d.client_bytes(), stanza, "{cell}");
        assert_eq!(account.settle(&mut d), with_address(now), "{cell}");
        assert_eq!(
            follow(&account, &mut d, next),
            with_address(then),
            "{cell}, after the push"
        );
        assert_eq!(d.client_bytes(), "", "{cell}");
    }
}
