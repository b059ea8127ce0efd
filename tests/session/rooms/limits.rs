//! Stanzas that are far too large: each costs itself, not the session. Quadratic code would not end here.

use super::configure::configuration;
use super::owner::{USUAL, admin, affiliations, ask_owner, grant, owning};
use super::*;

const MANY: usize = 10_000;

/// Accounts with this affiliation.
fn many(affiliation: &str) -> Vec<(String, String)> {
    let all = 0..MANY;
    all.map(|n| (format!("guest{n}@verona.lit"), affiliation.to_owned()))
        .collect()
}

fn borrowed(all: &[(String, String)]) -> Vec<(&str, &str)> {
    all.iter().map(|(jid, it)| (&**jid, &**it)).collect()
}

/// The client is in the room, and is heard.
#[track_caller]
fn goes_on(d: &mut Driver) {
    say_to_all(d, "m", "<body>Still here</body>");
    let publish = asked(d);
    assert_eq!(in_words(&publish), ["publish characters"]);
    echo(d, &publish[0]);
    assert_eq!(sees(d), ["JC says Still here"]);
}

#[test]
fn a_list_of_ten_thousand_is_shown_and_changed() {
    let outcasts = many("outcast");
    let mut all = borrowed(&outcasts);
    all.push(USUAL[0]);
    let mut d = owning("open");
    admin(&mut d, "get", "<item affiliation='outcast'/>");
    grant(&mut d, "affiliations characters", &affiliations(&all));
    let list = d.one_to_client();
    assert_eq!(list.at("query").children.len(), MANY);
    // One more.
    admin(
        &mut d,
        "set",
        "<item jid='paris@verona.lit' affiliation='outcast'/>",
    );
    grant(&mut d, "affiliations characters", &affiliations(&all));
    for node in [OCCUPANTS, TALK] {
        let words = format!("subscriptions {node}");
        let guests: Vec<_> = outcasts.iter().map(|(jid, _)| &**jid).collect();
        grant(&mut d, &words, &super::owner::subscribed(node, &guests));
    }
    for node in [OCCUPANTS, TALK] {
        grant(&mut d, &format!("affiliations {node}"), "");
    }
    for node in [OCCUPANTS, TALK] {
        let words = format!("subscriptions {node}");
        grant(&mut d, &words, &super::owner::subscribed(node, &[]));
    }
    all.push(("paris@verona.lit", "outcast"));
    grant(&mut d, "affiliations characters", &affiliations(&all));
    assert_eq!(sees(&mut d), ["result  a"]);
    // Others are told.
    assert_eq!(asks(&mut d), ["publish characters", "retract characters"]);
    goes_on(&mut d);
}

#[test]
fn ten_thousand_are_not_put_out_at_once() {
    let mut d = owning("open");
    let members = "<field var='muc#roomconfig_membersonly'><value>1</value></field>";
    ask_owner(
        &mut d,
        &format!("<x xmlns='jabber:x:data' type='submit'>{members}</x>"),
    );
    grant(
        &mut d,
        "configure characters",
        &configuration(&[("access_model", "open")]),
    );
    let list = asked_for(&mut d, "affiliations characters");
    d.result(&list, &affiliations(&USUAL));
    for iq in asked(&mut d) {
        d.result(&iq, "");
    }
    grant(&mut d, "configure characters", "");
    let guests: Vec<_> = (0..MANY)
        .map(|n| format!("guest{n}@verona.lit/x"))
        .collect();
    let guests: Vec<_> = guests.iter().map(|it| &**it).collect();
    let subscribed = super::owner::subscribed(OCCUPANTS, &guests);
    grant(&mut d, "subscriptions characters#occupants", &subscribed);
    assert_eq!(sees(&mut d), ["iq : resource-constraint for o"]);
    goes_on(&mut d);
}

#[test]
fn too_many_changes_at_once_are_refused_as_one() {
    // More would be more bytes than a client's stanza may have.
    let item = |n| format!("<item jid='g{n}@v' affiliation='none'/>");
    let items: String = (0..6_000).map(item).collect();
    let mut d = owning("open");
    admin(&mut d, "set", &items);
    assert_eq!(sees(&mut d), ["iq : policy-violation for a"]);
    assert_eq!(asks(&mut d), [""; 0]);
    goes_on(&mut d);
}

#[test]
fn a_form_of_ten_thousand_fields_is_read_once() {
    let field = |n| format!("<field var='x{n}'/>");
    let fields: String = (0..MANY).map(field).collect();
    let name = "<field var='muc#roomconfig_roomname'><value>Den</value></field>";
    let mut d = owning("open");
    ask_owner(
        &mut d,
        &format!("<x xmlns='jabber:x:data' type='submit'>{fields}{name}</x>"),
    );
    grant(&mut d, "configure characters", &configuration(&[]));
    let talk = grant(&mut d, "configure characters", "");
    assert_eq!(talk.fields()["pubsub#title"], "Den");
    assert_eq!(shown(&d.client_got()[0]), "result  o");
    assert_eq!(asks(&mut d), ["publish characters", "retract characters"]);
    goes_on(&mut d);
}

#[test]
fn of_ten_thousand_occupants_some_are_shown() {
    let guest = |n| occupant(&format!("guest{n}@verona.lit/x"), &format!("Guest {n}"), "");
    let guests: String = (0..MANY).map(guest).collect();
    let mut d = session();
    join(&mut d, MUC);
    let_in(&mut d, &guests, "");
    let shown = sees(&mut d);
    let there = shown.iter().filter(|it| it.starts_with("Guest "));
    assert_eq!(there.count(), 1024);
    answer_watch(&mut d);
    d.forget();
    goes_on(&mut d);
}
