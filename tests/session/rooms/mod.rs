//! Rooms that are nodes (listings 12 to 17), between a client that knows only chat rooms and a service that knows only
//! nodes. The service's stanzas are cut from those of ejabberd and Prosody.

use crate::scenes::*;
use pubshim::session::{Dropped, Event, Function, Input, Leg, Options, Policy};

mod affiliations;
mod configure;
mod create;
mod hostile;
mod invite;
mod join;
mod leave;
mod limits;
mod many;
mod notice;
mod others;
mod owner;
mod printed;
mod private;
mod pure;
mod refused;
mod relay;
mod services;
mod talk;
mod turns;
mod unheard;
mod watch;

const SERVICE: &str = "chat.shakespeare.lit";
const ROOM: &str = "characters@chat.shakespeare.lit";
const TALK: &str = "characters";
const OCCUPANTS: &str = "characters#occupants";
const MUC: &str = "<x xmlns='http://jabber.org/protocol/muc'/>";
const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
/// Asks what something is.
const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
/// Asks what there is.
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
const NURSE: &str = "nurse@capulet.lit/chamber";

/// Requests of a join, and those that undo it.
const JOIN: [&str; 5] = [
    "query characters",
    "subscribe characters#occupants",
    "subscribe characters",
    "items characters#occupants",
    "items characters",
];
/// The client's own presence goes to a room.
const PUBLISH_OWN: &str = "publish characters#occupants juliet@capulet.lit";
const UNDO: [&str; 2] = ["unsubscribe characters#occupants", "unsubscribe characters"];

/// Requests that create a room, one after the other.
const CREATE: [&str; 2] = ["create characters", "create characters#occupants"];

/// Requests of an occupant who leaves.
const LEAVE: [&str; 3] = [
    "publish characters#occupants juliet@capulet.lit unavailable",
    UNDO[0],
    UNDO[1],
];

/// Juliet's session on a service with rooms.
fn session() -> Driver {
    session_with(Policy::Auto, false)
}

fn session_under(policy: Policy) -> Driver {
    session_with(policy, false)
}

/// The same; `opens`: rooms that she creates are open at once.
fn session_with(policy: Policy, opens: bool) -> Driver {
    let mut d = Driver::logged_in(
        JULIET,
        Options {
            rooms: vec![SERVICE.into()],
            rooms_open: opens,
            ..options(policy)
        },
    );
    d.keep(Question::Stranger);
    d
}

/// The client joins as JC, with `more` in its presence.
fn join(d: &mut Driver, more: &str) {
    d.client(&format!(
        "<presence to='{ROOM}/JC' id='join'>{more}</presence>"
    ));
}

/// Answers a join as a service does that has no such room.
fn is_missing(d: &mut Driver) {
    for iq in asked(d) {
        refuse(d, &iq, "item-not-found");
    }
}

/// Juliet's session that has come to such a room.
fn joining_a_missing_room() -> Driver {
    let mut d = session();
    join(&mut d, MUC);
    is_missing(&mut d);
    d
}

/// Answers the creation of such a room as a service does that takes it.
fn is_created(d: &mut Driver) {
    for words in CREATE {
        let create = asked_for(d, words);
        d.result(&create, "");
    }
}

/// Juliet's session in a room that she has just created, and that is still locked.
fn in_new_room() -> Driver {
    let mut d = joining_a_missing_room();
    is_created(&mut d);
    let_in_as(&mut d, &info("whitelist", &[OWN], 1), "", "");
    answer_watch(&mut d);
    d.forget();
    d
}

fn leave(d: &mut Driver) {
    d.client(&format!("<presence to='{ROOM}/JC' type='unavailable'/>"));
}

fn say_to_all(d: &mut Driver, id: &str, what: &str) {
    d.client(&format!(
        "<message to='{ROOM}' type='groupchat' id='{id}'>{what}</message>"
    ));
}

/// The answer to disco#info of a node, as ejabberd writes it.
fn info(access: &str, owners: &[&str], subscribers: u32) -> String {
    let field = |var: &str, values: &[&str]| {
        let values: String = values
            .iter()
            .map(|it| format!("<value>{it}</value>"))
            .collect();
        format!("<field var='pubsub#{var}'>{values}</field>")
    };
    let (access, owners) = (field("access_model", &[access]), field("owner", owners));
    let subscribers = field("num_subscribers", &[&subscribers.to_string()]);
    format!(
        "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='pubsub' type='leaf'/><x \
         xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
         <value>http://jabber.org/protocol/pubsub#meta-data</value></field>{access}{owners}{subscribers}</x></query>"
    )
}

/// The same of a room that everybody may enter and is not hers.
fn open_room() -> String {
    info("open", &["abbot@verona.lit"], 1)
}

/// Answers the questions of a join; gives the requests that follow.
fn answer_join(d: &mut Driver, occupants: &str, history: &str) -> Vec<Node> {
    answer_join_as(d, &open_room(), occupants, history)
}

/// The same of a room that says this of itself.
fn answer_join_as(d: &mut Driver, room: &str, occupants: &str, history: &str) -> Vec<Node> {
    for iq in asked(d) {
        match &*what(&iq) {
            "query characters" => d.result(&iq, room),
            "items characters#occupants" => d.result(&iq, &items(OCCUPANTS, occupants)),
            "items characters" => d.result(&iq, &items(TALK, history)),
            subscribe => {
                assert!(subscribe.starts_with("subscribe "), "{subscribe}");
                let node = iq.at("pubsub/subscribe").value("node");
                d.result(
                    &iq,
                    &format!(
                        "<pubsub xmlns='{PUBSUB}'><subscription subscription='subscribed' \
                         node='{node}' jid='{JULIET}'/></pubsub>"
                    ),
                );
            }
        }
    }
    asked(d)
}

/// Answers a join and takes the publish that follows, which is all that is asked then: the client is in.
#[track_caller]
fn let_in(d: &mut Driver, occupants: &str, history: &str) {
    let_in_as(d, &open_room(), occupants, history);
}

/// The same of a room that says this of itself.
#[track_caller]
fn let_in_as(d: &mut Driver, room: &str, occupants: &str, history: &str) {
    let publish = answer_join_as(d, room, occupants, history);
    assert_eq!(publish.len(), 1, "{publish:#?}");
    echo(d, &publish[0]);
}

/// The session in the room, with these others and this history; nothing looked at but what was asked.
fn joined_with(occupants: &str, history: &str) -> Driver {
    let mut d = session();
    join(&mut d, MUC);
    let_in(&mut d, occupants, history);
    d
}

/// The same with Romeo, all looked at.
fn joined() -> Driver {
    let mut d = joined_with(&occupant(ROMEO, "Romeo", ""), "");
    answer_watch(&mut d);
    d.forget();
    d
}

/// Goes on until what is asked behind a join was asked and answered: everybody is there, and nothing was left.
fn answer_watch(d: &mut Driver) {
    for _ in 0..3 {
        d.advance(1);
        for iq in asked(d) {
            d.result(&iq, "");
        }
    }
}

/// The service takes a publish, and tells of it first, as ejabberd does.
fn echo(d: &mut Driver, publish: &Node) {
    let publish_in = publish.at("pubsub/publish");
    let (node, id) = (
        publish_in.value("node"),
        publish_in.at("item").value("id").to_owned(),
    );
    let payload = raw(&publish_in.at("item").children[0]);
    happens(
        d,
        node,
        &format!("<item id='{id}' publisher='{JULIET}'>{payload}</item>"),
    );
    d.result(publish, "");
}

/// An element as XML again.
fn raw(node: &Node) -> String {
    let mut xml = format!("<{} xmlns='{}'", node.local, node.namespace);
    for (name, value) in &node.attributes {
        xml += &format!(" {name}='{value}'");
    }
    xml += &format!(">{}", node.text);
    xml.extend(node.children.iter().map(raw));
    xml + &format!("</{}>", node.local)
}

/// An event on a node of the room.
fn happens(d: &mut Driver, node: &str, items: &str) {
    event_in(d, &format!("<items node='{node}'>{items}</items>"));
}

fn event_in(d: &mut Driver, what: &str) {
    d.server(&format!(
        "<message to='{JULIET}' from='{SERVICE}' type='headline'><event xmlns='{EVENT}'>{what}</event></message>"
    ));
}

/// ejabberd tells the new state of a subscription.
fn subscription_is(d: &mut Driver, node: &str, jid: &str, state: &str) {
    event_in(
        d,
        &format!("<subscription subscription='{state}' node='{node}' jid='{jid}'/>"),
    );
}

/// Another shim asks for Romeo whether the client is in this room.
fn shim_asks(d: &mut Driver, room: &str) {
    d.server(&format!(
        "<iq type='get' from='{ROMEO}' to='{JULIET}' id='p'><ping xmlns='urn:xmpp:ping'>\
         <shim xmlns='urn:pubshim:0' room='{room}'/></ping></iq>"
    ));
}

/// The item of an occupant, as ejabberd tells it.
fn occupant(full: &str, nick: &str, more: &str) -> String {
    let account = full.split('/').next().unwrap();
    item_by(full, account, nick, "", more)
}

fn occupant_gone(full: &str, nick: &str) -> String {
    let account = full.split('/').next().unwrap();
    item_by(full, account, nick, " type='unavailable'", "")
}

fn item_by(full: &str, item: &str, nick: &str, kind: &str, more: &str) -> String {
    format!(
        "<item id='{item}' publisher='{full}'><presence xmlns='jabber:client' from='{ROOM}/{nick}'{kind}>{more}\
         <x xmlns='{MUC_USER}'><item jid='{full}'/></x></presence></item>"
    )
}

/// The item of a message, said so many seconds after 1970.
fn line(full: &str, nick: &str, id: &str, second: u32, what: &str) -> String {
    let stamp = format!("1970-01-01T00:{:02}:{:02}Z", second / 60, second % 60);
    format!(
        "<item id='{id}' publisher='{full}'><message xmlns='jabber:client' from='{ROOM}/{nick}' type='groupchat' \
         id='{id}'>{what}<delay xmlns='urn:xmpp:delay' stamp='{stamp}'/></message></item>"
    )
}

fn body(full: &str, nick: &str, id: &str, second: u32) -> String {
    line(full, nick, id, second, &format!("<body>{id}</body>"))
}

/// Requests to the service and to occupants of its rooms since the last look.
fn asked(d: &mut Driver) -> Vec<Node> {
    let mut sent = d.server_got();
    sent.retain(|it| it.attribute("to").is_some());
    sent
}

/// The only request that the service has got now, which is of these words.
#[track_caller]
fn asked_for(d: &mut Driver, words: &str) -> Node {
    let asked = asked(d);
    assert_eq!(in_words(&asked), [words]);
    asked.into_iter().next().unwrap()
}

/// The same in words.
fn asks(d: &mut Driver) -> Vec<String> {
    in_words(&asked(d))
}

fn in_words(asked: &[Node]) -> Vec<String> {
    asked.iter().map(what).collect()
}

/// A request about a node, or to an occupant, in words.
fn what(iq: &Node) -> String {
    let to = iq.value("to");
    let Some(pubsub) = iq.find("pubsub") else {
        let child = &iq.children[0];
        let node = child.attribute("node").unwrap_or(to);
        return format!("{} {node}", child.local);
    };
    assert_eq!(to, SERVICE);
    let what = &pubsub.children[0];
    let node = what.value("node");
    match &*what.local {
        "subscribe" | "unsubscribe" => assert_eq!(what.value("jid"), JULIET),
        "publish" if node == OCCUPANTS => {
            let item = what.at("item");
            let said = &item.children[0];
            let kind = said
                .attribute("type")
                .map_or(String::new(), |it| format!(" {it}"));
            return format!("publish {node} {}{kind}", item.value("id"));
        }
        _ => {}
    }
    format!("{} {node}", what.local)
}

/// Stanzas shown to the client since the last look, in words.
fn sees(d: &mut Driver) -> Vec<String> {
    d.client_got().iter().map(shown).collect()
}

/// The stanza of these words among what the client was shown since the last look.
#[track_caller]
fn seen(d: &mut Driver, words: &str) -> Node {
    let all = d.client_got();
    let found = all.iter().find(|it| shown(it) == words);
    let found = found.unwrap_or_else(|| panic!("no {words} in {all:#?}"));
    found.clone()
}

/// The connection to the server ends; gives the last stanzas to the client, in words.
fn server_goes(d: &mut Driver) -> Vec<String> {
    d.input(Input::Eof(Leg::Server));
    let bytes = d.client_bytes();
    let (stanzas, _) = bytes.split_once("<stream:error>").unwrap();
    Node::stream(stanzas).iter().map(shown).collect()
}

/// A stanza of a room's in words; from a room's occupant it is his nick.
fn shown(stanza: &Node) -> String {
    let from = stanza.attribute("from").unwrap_or_default();
    let who = from.strip_prefix(ROOM).unwrap_or(from);
    let who = who.strip_prefix('/').unwrap_or(who);
    let kind = stanza.attribute("type").unwrap_or("available");
    if kind == "error" {
        let error = stanza.at("error");
        return format!(
            "{} {who}: {} for {}",
            stanza.local,
            error.children[0].local,
            stanza.attribute("id").unwrap_or_default()
        );
    }
    match &*stanza.local {
        "presence" => {
            let x = stanza.at("x");
            assert_eq!(x.namespace, MUC_USER);
            let mut words = format!("{who} {kind}");
            for child in &x.children {
                match &*child.local {
                    "status" => words += &format!(" {}", child.value("code")),
                    "item" => {
                        if let Some(nick) = child.attribute("nick") {
                            words += &format!(" now {nick}");
                        }
                    }
                    other => words += &format!(" {other}"),
                }
            }
            words
        }
        "message" => {
            assert_eq!(kind, "groupchat");
            let said = stanza.find("body").or(stanza.find("subject"));
            let said = said.map(|it| it.text.clone()).unwrap_or_default();
            let what = if stanza.has("body") { "says" } else { "sets" };
            // Clients ask whose word the time is.
            let late = match stanza.find("delay").map(|it| it.attribute("from")) {
                Some(Some(ROOM)) => " late",
                Some(_) => " late by nobody's word",
                None => "",
            };
            format!("{who} {what} {said}{late}")
        }
        _ => format!("{kind} {who} {}", stanza.value("id")),
    }
}

/// Actor and reason of a change of affiliation or role.
fn done_by(presence: &Node) -> (&str, &str) {
    let item = presence.at("x/item");
    let actor = item.find("actor").map_or("", |it| it.value("nick"));
    let reason = item.find("reason").map_or("", |it| &it.text);
    (actor, reason)
}

/// The own account's subscriptions to a node, as both servers list them.
fn subscriptions(node: &str, all: &[&str]) -> String {
    let each =
        |jid: &&str| format!("<subscription jid='{jid}' subscription='subscribed' node='{node}'/>");
    let all: String = all.iter().map(each).collect();
    format!("<pubsub xmlns='{PUBSUB}'><subscriptions node='{node}'>{all}</subscriptions></pubsub>")
}

/// The service refuses a request.
fn refuse(d: &mut Driver, iq: &Node, condition: &str) {
    d.error(iq, "cancel", condition);
}

/// The service refuses to have the client subscribe to the room, and has answered nothing else of its join yet.
#[track_caller]
fn refuse_subscribe(d: &mut Driver, condition: &str) {
    let requests = asked(d);
    refuse(d, one(&requests, "subscribe characters"), condition);
}

/// The request of these words among those.
#[track_caller]
fn one<'a>(asked: &'a [Node], words: &str) -> &'a Node {
    let found = asked.iter().find(|iq| what(iq) == words);
    found.unwrap_or_else(|| panic!("no {words} in {asked:#?}"))
}
