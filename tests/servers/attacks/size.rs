//! Stanzas larger than those clients may send: each arrives, and so does everything behind it.

use serde_json::json;

use super::{Way, as_without_us};
use crate::common::PUBSUB;
use crate::people::come_online;
use crate::puppet::{Event, Puppet};
use crate::recorded::log_out;
use crate::server::{Kind, Server};
use crate::strangers::{DOMAIN, LARGE, bombs};

on_both_servers!(
    bombs_of_a_stranger_cost_nothing_else,
    bomb_in_a_rooms_history,
    roster_of_two_thousand,
    large_answer_to_the_client,
);

const POLICIES: [&str; 2] = ["auto", "off"];
/// Stored offline, waiting as a request, and live.
fn bombs_of_a_stranger_cost_nothing_else(kind: Kind) {
    let server = Server::get(kind);
    let strangers = server.strangers();
    let shown = as_without_us(server, &POLICIES, |way| {
        let account = server.account("juliet");
        let [tybalt, paris] = ["tybalt", "paris"].map(|it| strangers.name(it));
        let say = |to: &str, id: &str, children: &str| {
            strangers.say(&format!(
                "<message from='{tybalt}' to='{to}' type='chat' id='{id}'><body>{id}</body>{children}</message>"
            ));
        };
        for (name, bomb) in bombs() {
            say(&account.bare, name, &bomb);
            say(&account.bare, &format!("behind {name}"), "");
        }
        say(&account.bare, "the fifth", "");
        // ejabberd keeps but the status of a request, and shows a large one only now and then.
        let asks: &[&String] = match kind {
            Kind::Ejabberd => &[&tybalt],
            Kind::Prosody => &[&tybalt, &paris],
        };
        let [(_, attributes), _, (_, nested), _] = <[_; 4]>::try_from(bombs()).unwrap();
        let status = format!("<status>{}</status>", "x".repeat(LARGE));
        for (from, children) in asks.iter().zip([attributes + &nested, status]) {
            let to = &account.bare;
            strangers.say(&format!(
                "<presence from='{from}' to='{to}' type='subscribe'>{children}</presence>"
            ));
        }
        strangers.catch_up("capulet.lit");

        let names = [
            (&*account.bare, "juliet"),
            (&tybalt, "tybalt"),
            (&paris, "paris"),
        ];
        let mut shown = Vec::new();
        let juliet = Puppet::login(&way.entry(), &account, "balcony");
        come_online(&juliet, "Here");
        juliet.wait("the last message", |it| {
            it.is_message_from(&tybalt, "the fifth")
        });
        for from in asks {
            juliet.wait("a request", |it| it.is_presence_from(from, "subscribe"));
        }
        juliet.ping();
        for (name, bomb) in bombs() {
            say(&juliet.full, &format!("live {name}"), &bomb);
            strangers.say(&format!(
                "<presence from='{tybalt}/crypt' to='{}'>{bomb}</presence>",
                juliet.full
            ));
            let answer = strangers.ask(
                &tybalt,
                &juliet.full,
                "get",
                &format!("<q xmlns='urn:q'>{bomb}</q>"),
            );
            let error = answer.find("error").map(|it| it.names().join(" "));
            shown.push(format!("{name}: {:?} {error:?}", answer.attribute("type")));
        }
        say(&juliet.full, "the end", "");
        juliet.wait("the last message", |it| {
            it.is_message_from(&tybalt, "the end")
        });
        let seen = juliet.seen_before_next_of(&juliet);
        let mut stanzas = stanzas_of(&seen, &tybalt, &names);
        stanzas.extend(stanzas_of(&seen, &paris, &names));
        // Servers may deliver requests before or after stored messages: the order does not count.
        log_out(&juliet);

        let again = Puppet::login(&way.entry(), &account, "balcony");
        come_online(&again, "Here again");
        for from in asks {
            again.wait("a request", |it| it.is_presence_from(from, "subscribe"));
        }
        let seen = again.seen_before_next_of(&again);
        stanzas.extend(stanzas_of(&seen, &tybalt, &names));
        shown.extend(stanzas);
        // Shorten, so that a failure does not print half a megabyte.
        shown
            .into_iter()
            .map(|it| it.replace(&"x".repeat(LARGE), "[large]"))
            .collect::<Vec<_>>()
    });
    let is_there = |id: &str| {
        let body = format!("<body>{id}</body>");
        shown.iter().any(|it| it.contains(&body))
    };
    // Prosody stores nothing that is nested so deeply.
    for id in ["attributes", "large", "the fifth", "live nested", "the end"] {
        assert!(is_there(id), "no {id} in {shown:#?}");
    }
}

fn bomb_in_a_rooms_history(kind: Kind) {
    let server = Server::get(kind);
    let room = server.room();
    let romeo = Puppet::login(&server.entry(), &server.account("romeo"), "orchard");
    let own = format!("{room}/RM");
    romeo.send(json!({"cmd": "join", "room": room, "nick": "RM"}));
    romeo.wait("the room", |it| it.is_presence_from(&own, ""));
    let configuration = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>";
    romeo.ask("set", Some(&room), configuration);
    let small = bombs().into_iter().filter(|(name, _)| *name != "large");
    for (name, bomb) in small {
        romeo.raw(&format!(
            "<message to='{room}' type='groupchat' id='{name}'><body>{name}</body>{bomb}</message>"
        ));
        romeo.wait("the message", |it| it.is_message_from(&own, name));
    }
    let history = as_without_us(server, &POLICIES, |way| {
        let juliet = Puppet::login(&way.entry(), &server.account("juliet"), "balcony");
        // Nicks of their own, as all runs join the room at the same time.
        let nick = format!("{room}/{}", resource(way));
        juliet.raw(&format!(
            "<presence to='{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ));
        juliet.wait("herself", |it| {
            it.is_presence_from(&nick, "") && it.xml.contains("110")
        });
        juliet.wait("the end of history", |it| {
            it.kind == "message" && it.from.starts_with(&room) && it.xml.contains("<subject")
        });
        juliet.ping();
        let seen = juliet.seen_before_next_of(&juliet);
        let messages = seen.iter().filter(|it| it.kind == "message");
        let names = [(&*juliet.full, "juliet"), (&*room, "room")];
        messages
            .map(|it| plain(&it.xml, &names))
            .collect::<Vec<_>>()
    });
    assert!(history.len() > 3, "{history:#?}");
}

fn roster_of_two_thousand(kind: Kind) {
    let server = Server::get(kind);
    let account = server.account("juliet");
    let name = "Capulet ".repeat(12);
    let contacts = (0..2000).map(|it| (format!("contact-{it}@{DOMAIN}"), format!("{name}{it}")));
    server.write_roster(&account, &contacts.collect::<Vec<_>>());
    let roster = as_without_us(server, &POLICIES, |way| {
        let juliet = Puppet::login(&way.entry(), &account, resource(way));
        let roster = juliet.ask("get", None, "<query xmlns='jabber:iq:roster'/>");
        juliet.available("Here");
        juliet.wait_for_status(&juliet, "Here");
        juliet.ping();
        let mut items: Vec<_> = roster.xml.split("<item ").map(str::to_owned).collect();
        items.remove(0);
        let last = items.last_mut().unwrap();
        *last = last.split("</query>").next().unwrap().to_owned();
        items.sort();
        items
    });
    assert_eq!(roster.len(), 2000);
    assert!(roster.concat().len() > LARGE);
}

/// A client asks for the items of a node that strangers have filled.
fn large_answer_to_the_client(kind: Kind) {
    let server = Server::get(kind);
    let strangers = server.strangers();
    // Prosody keeps 256 items, and writes all of them anew with each publish.
    let count = match kind {
        Kind::Ejabberd => 400,
        Kind::Prosody => 40,
    };
    let account = server.account("juliet");
    let owner = Puppet::login(&server.entry(), &account, "owner");
    let field =
        |name: &str, value: &str| format!("<field var='{name}'><value>{value}</value></field>");
    let fields = [
        field("FORM_TYPE", "http://jabber.org/protocol/pubsub#node_config"),
        field("pubsub#access_model", "open"),
        field("pubsub#publish_model", "open"),
        field("pubsub#max_items", &count.to_string()),
    ];
    owner.ask(
        "set",
        None,
        &format!(
            "<pubsub xmlns='{PUBSUB}'><create node='urn:example:wall'/><configure>\
             <x xmlns='jabber:x:data' type='submit'>{}</x></configure></pubsub>",
            fields.concat()
        ),
    );
    let text = "x".repeat(LARGE / count);
    let paris = strangers.name("paris");
    for item in 0..count {
        let to = &account.bare;
        let publish = format!(
            "<pubsub xmlns='{PUBSUB}'><publish node='urn:example:wall'><item id='{item}'>\
             <note xmlns='urn:example:note'>{text}</note></item></publish></pubsub>"
        );
        match item + 1 == count {
            true => drop(strangers.ask(&paris, to, "set", &publish)),
            false => strangers.say(&format!(
                "<iq type='set' id='item-{item}' from='{paris}' to='{to}'>{publish}</iq>"
            )),
        }
    }
    let items = as_without_us(server, &POLICIES, |way| {
        let juliet = Puppet::login(&way.entry(), &account, resource(way));
        let items = format!("<pubsub xmlns='{PUBSUB}'><items node='urn:example:wall'/></pubsub>");
        let answer = juliet.ask("get", None, &items);
        juliet.ping();
        let items = answer.xml.split("<item ").map(str::to_owned);
        items.skip(1).collect::<Vec<_>>()
    });
    assert_eq!(items.len(), count);
}

/// A resource for each run, for runs that share an account or a room.
fn resource(way: &Way<'_>) -> &'static str {
    way.policy.unwrap_or("direct")
}

/// A text in which names and times, which differ between runs, are replaced.
pub(crate) fn plain(text: &str, names: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (name, role) in names {
        text = text.replace(name, role);
    }
    let mut parts = text.split(" stamp=\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once('"').map_or(part, |(_, rest)| rest)
    })
}

/// The messages and presences of somebody among what a client has seen, as plain texts.
fn stanzas_of(seen: &[Event], from: &str, names: &[(&str, &str)]) -> Vec<String> {
    let stanzas = seen
        .iter()
        .filter(|it| it.kind != "iq" && it.from.starts_with(from));
    stanzas.map(|it| plain(&it.xml, names)).collect()
}
