//! Every cell of RFC 6121 Appendix A under `auto`: the native stanza passes byte for byte, whatever the
//! state, as the server decides what it means; and pubsub follows.

use crate::scenes::*;

/// A state of §A.1: the roster's `subscription`, whether it says `ask`, and whether the user is being asked.
struct State {
    name: &'static str,
    subscription: &'static str,
    is_asked: bool,
    is_asking: bool,
}

const fn state(
    name: &'static str,
    subscription: &'static str,
    is_asked: bool,
    is_asking: bool,
) -> State {
    State {
        name,
        subscription,
        is_asked,
        is_asking,
    }
}

const STATES: [State; 9] = [
    state("None", "none", false, false),
    state("None + Pending Out", "none", true, false),
    state("None + Pending In", "none", false, true),
    state("None + Pending Out+In", "none", true, true),
    state("To", "to", false, false),
    state("To + Pending In", "to", false, true),
    state("From", "from", false, false),
    state("From + Pending Out", "from", true, false),
    state("Both", "both", false, false),
];

/// What pubsub does for a stanza, and for the push the server sends if the roster's `subscription` changes.
const NOTHING: &[&str] = &[];
/// The subscription to the contact's node is ended. The RFC routes it from every state (§A.2.2).
const LEAVE: &[&str] = &["unsubscribe"];
/// The contact may subscribe.
const ADMIT: &[&str] = &["affiliation member"];
/// The contact sees nothing any more. Said to a stranger it ends what only pubsub knows of.
const REVOKE: &[&str] = &["get subscribers", "subscription none", "affiliation none"];
/// The contact's marker was seen, and now there is a subscription to go with it.
const FOLLOW: &[&str] = &["subscribe"];

/// Of each state: what is done for the stanza, the `subscription` that is pushed after it, what is done then.
type Cell = (
    &'static [&'static str],
    Option<&'static str>,
    &'static [&'static str],
);

const SAME: Option<&str> = None;

/// §A.2.1 to §A.2.4, in the order of `STATES`.
const OUTBOUND: [(&str, [Cell; 9]); 4] = [
    ("subscribe", [(NOTHING, SAME, NOTHING); 9]),
    (
        "unsubscribe",
        [
            (LEAVE, SAME, NOTHING),
            (LEAVE, SAME, NOTHING),
            (LEAVE, SAME, NOTHING),
            (LEAVE, SAME, NOTHING),
            (LEAVE, Some("none"), LEAVE),
            (LEAVE, Some("none"), LEAVE),
            (LEAVE, SAME, NOTHING),
            (LEAVE, SAME, NOTHING),
            (LEAVE, Some("from"), LEAVE),
        ],
    ),
    (
        "subscribed",
        [
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
            // Before the push, so that there is nothing left to be done for it.
            (ADMIT, Some("from"), NOTHING),
            (ADMIT, Some("from"), NOTHING),
            (NOTHING, SAME, NOTHING),
            (ADMIT, Some("both"), NOTHING),
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
        ],
    ),
    (
        "unsubscribed",
        [
            (REVOKE, SAME, NOTHING),
            (REVOKE, SAME, NOTHING),
            (REVOKE, SAME, NOTHING),
            (REVOKE, SAME, NOTHING),
            (REVOKE, SAME, NOTHING),
            (REVOKE, SAME, NOTHING),
            // It is being done when the push comes.
            (REVOKE, Some("none"), NOTHING),
            (REVOKE, Some("none"), NOTHING),
            (REVOKE, Some("to"), NOTHING),
        ],
    ),
];

/// §A.3.1 to §A.3.4: pubsub follows the push, which is the account's own server's word, and never the
/// contact's stanza.
const INBOUND: [(&str, [Cell; 9]); 4] = [
    ("subscribe", [(NOTHING, SAME, NOTHING); 9]),
    (
        "unsubscribe",
        [
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
            (NOTHING, Some("none"), REVOKE),
            (NOTHING, Some("none"), REVOKE),
            (NOTHING, Some("to"), REVOKE),
        ],
    ),
    (
        "subscribed",
        [
            (NOTHING, SAME, NOTHING),
            (NOTHING, Some("to"), FOLLOW),
            (NOTHING, SAME, NOTHING),
            (NOTHING, Some("to"), FOLLOW),
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
            (NOTHING, Some("both"), FOLLOW),
            (NOTHING, SAME, NOTHING),
        ],
    ),
    (
        "unsubscribed",
        [
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
            (NOTHING, Some("none"), LEAVE),
            (NOTHING, Some("none"), LEAVE),
            (NOTHING, SAME, NOTHING),
            (NOTHING, SAME, NOTHING),
            (NOTHING, Some("from"), LEAVE),
        ],
    ),
];

/// Juliet's session in a state with Romeo, whose shim was seen if there is something to be followed.
fn session(state: &State, is_marked: bool) -> (Account, Driver) {
    let mut account = Account::with(&[(CONTACT, state.subscription)]);
    if state.is_asked {
        let roster = account.roster.take().unwrap();
        account.roster = Some(roster.replace("/>", " ask='subscribe'/>"));
    }
    let mut d = account.session();
    if state.is_asking {
        d.server(&native(CONTACT, "subscribe"));
    }
    if is_marked {
        // Who may not see her knows that she is there by a presence of its own.
        d.client(&format!("<presence to='{CONTACT}'/>"));
        d.server(&marked(ROMEO));
    }
    account.settle(&mut d);
    d.forget();
    (account, d)
}

/// What was sent because of a push of the new state; answers to the push itself left out.
fn follow(account: &Account, d: &mut Driver, next: Option<&str>) -> Vec<String> {
    if let Some(next) = next {
        d.server(&push(CONTACT, next));
    }
    let sent = account.settle(d);
    sent.into_iter()
        .filter(|said| !said.starts_with("result"))
        .collect()
}

/// What is to be sent, in full.
fn with_address(words: &[&str]) -> Vec<String> {
    let full = |word: &&str| match *word {
        "get subscribers" => (*word).to_owned(),
        word => format!("{word} {CONTACT}"),
    };
    words.iter().map(full).collect()
}

#[test]
fn what_the_user_says_in_every_state() {
    for (kind, cells) in OUTBOUND {
        for (state, (now, next, then)) in STATES.iter().zip(cells) {
            let cell = format!("{kind} in {}", state.name);
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
}

#[test]
fn what_the_contact_says_in_every_state() {
    for (kind, cells) in INBOUND {
        for (state, (now, next, then)) in STATES.iter().zip(cells) {
            let cell = format!("{kind} in {}", state.name);
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
}
