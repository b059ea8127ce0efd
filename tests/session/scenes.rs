//! Sessions at the beginning of a scenario, and steps that many scenarios take.

use pubshim::session::{Dropped, Policy, ServerFacts};

pub(crate) use crate::common::*;
pub(crate) use crate::driver::*;

mod account;
mod pure;

pub(crate) use pure::*;

/// Stanzas the session has sent since the last look, in words.
pub(crate) fn said(d: &mut Driver) -> Vec<String> {
    d.server_got().iter().map(say).collect()
}

/// Asserts that Romeo was put out of the node before the client went.
#[track_caller]
pub(crate) fn assert_out_before_logout(d: &mut Driver) {
    let sent = d.server_bytes();
    let at = |text: &str| {
        sent.find(text)
            .unwrap_or_else(|| panic!("no {text} in {sent}"))
    };
    let gone = at("type='unavailable'");
    assert!(at("<subscription jid='romeo@montague.lit' subscription='none'/>") < gone);
    assert!(at("<affiliation jid='romeo@montague.lit' affiliation='none'/>") < gone);
}

/// The questions of every login, beside the native presence, in one round.
pub(crate) const QUESTIONS: [&str; 6] = [
    "configure presence",
    "get roster",
    "get blocklist",
    "get members",
    "get subscribers",
    "get record",
];

/// Juliet's session after her first presence, which does not wait; gives the requests, none of them answered yet.
pub(crate) fn asking_all() -> (Driver, Vec<Node>) {
    let mut d = Driver::auto(JULIET);
    d.keep_all();
    d.client("<presence id='1'/>");
    let mut sent = d.server_got();
    let questions = sent.split_off(1);
    assert_eq!(sent[0].local, "presence");
    (d, questions)
}

/// Answers an IQ to somebody else.
pub(crate) fn answer(d: &mut Driver, question: &Node, kind: &str, body: &str) {
    let (from, id) = (question.value("to"), question.value("id"));
    d.server(&format!(
        "<iq type='{kind}' from='{from}' to='{JULIET}' id='{id}'>{body}</iq>"
    ));
}

/// Juliet's session with a node that is as it should be and her presence published, all looked at.
pub(crate) fn published() -> Driver {
    published_with(Policy::Auto)
}

pub(crate) fn published_with(policy: Policy) -> Driver {
    let mut d = Driver::logged_in(JULIET, options(policy));
    d.client("<presence id='1'/>");
    let publish = ready(&mut d);
    d.result(&publish, "");
    d.forget();
    d
}

/// Answers what the session asks about its node, which is as it should be; the publish that follows.
pub(crate) fn ready(d: &mut Driver) -> Node {
    let first = d.server_got().pop().unwrap();
    if first.has("pubsub/publish") {
        // Under `pure` the node was looked at before.
        return first;
    }
    assert!(first.has("pubsub/configure"));
    d.result(&first, &ejabberd_node(&[]));
    d.one_to_server()
}

/// Romeo's session that knows his roster: Juliet and Benvolio are contacts, the nurse sees him only.
pub(crate) fn romeo() -> Driver {
    let mut d = Driver::auto(ROMEO);
    d.keep(Question::Roster);
    d.server(&event_of(
        "bard@shakespeare.lit/globe",
        &payload("bard@shakespeare.lit/globe", "0", ""),
    ));
    answer_roster(&mut d);
    d.forget();
    d
}

pub(crate) fn answer_roster(d: &mut Driver) {
    let get = d.one_to_server();
    assert_eq!((get.value("type"), get.attribute("to")), ("get", None));
    assert_eq!(get.at("query").namespace, "jabber:iq:roster");
    d.result(
        &get,
        "<query xmlns='jabber:iq:roster' ver='1'>\
         <item jid='juliet@capulet.lit' subscription='both' name='J'><group>Friends</group></item>\
         <item jid='benvolio@montague.lit' subscription='to'/>\
         <item jid='nurse@capulet.lit' subscription='from'/>\
         <item jid='paris@verona.lit' subscription='none' ask='subscribe'/></query>",
    );
}

/// Asserts that this event shows nothing, causes nothing, and is counted.
#[track_caller]
pub(crate) fn assert_dropped(event: &str, reason: Dropped) {
    let mut d = romeo();
    d.server(event);
    assert_eq!(d.client_bytes(), "", "{event}");
    assert_eq!(d.server_bytes(), "", "{event}");
    assert_eq!(d.dropped(), [reason], "{event}");
}

/// Juliet's session on a server of which this is known.
pub(crate) fn counting_server(limits_subscriptions: bool) -> Driver {
    let facts = ServerFacts {
        limits_subscriptions,
        ..facts()
    };
    let (client, server) = (client_header("capulet.lit"), server_header("capulet.lit"));
    Driver::logged_in_with(JULIET, options(Policy::Auto), &client, &server, facts)
}

/// Juliet's session in which the bard is this much of a contact.
pub(crate) fn with_bard(state: &str) -> (Account, Driver) {
    let account = match state {
        "" => Account::with(&[]),
        state => Account::with(&[(BARD, state)]),
    };
    let d = account.session();
    (account, d)
}

/// The client sends a presence of this kind; the requests that follow, without the native stanza, which must be there.
pub(crate) fn client_says(d: &mut Driver, account: &Account, kind: &str) -> Vec<String> {
    let stanza = format!("<presence to='{BARD}' type='{kind}'/>");
    d.client(&stanza);
    let mut sent = account.settle(d);
    let at = sent
        .iter()
        .position(|said| *said == format!("presence {kind} {BARD}"));
    sent.remove(at.expect("the native stanza passes"));
    sent
}

#[track_caller]
pub(crate) fn assert_is_get(iq: &Node) {
    assert_eq!(iq.value("type"), "get", "{iq:#?}");
    let configure = iq.at("pubsub/configure");
    assert_eq!(
        (&*configure.namespace, configure.value("node")),
        (OWNER, "presence")
    );
}

#[track_caller]
pub(crate) fn assert_is_delete(iq: &Node) {
    let delete = iq.at("pubsub/delete");
    assert_eq!((iq.value("type"), &*delete.namespace), ("set", OWNER));
    assert_eq!(delete.value("node"), "presence");
}

#[track_caller]
pub(crate) fn assert_is_publish(iq: &Node, access: &str, id: &str) {
    assert_eq!(changed(iq).value("id"), id);
    assert_eq!(
        iq.at("pubsub/publish-options").fields()["pubsub#access_model"],
        access
    );
}
