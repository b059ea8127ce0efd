//! Policy auto: clients add, approve, deny and remove contacts with native stanzas; presence then travels by event, to
//! the right accounts only.

use serde_json::json;

use crate::people::{come_online, wait_for_items};
use crate::puppet::{Event, Puppet};
use crate::recorded::{
    Person, expect_once, expect_once_by_event, expect_requests, items_of, log_out, make_friends,
    wait_for, wait_for_membership, wait_for_no_subscription, wait_for_subscription,
    wait_for_subscriptions,
};
use crate::server::{Account, Kind, Server};

on_both_servers!(
    contacts_see_each_other_by_event,
    approval_for_somebody_offline,
    removed_contact_receives_nothing,
    unsubscribed_contact_receives_nothing,
    blocked_contact_receives_nothing,
    denied_request,
    cancelled_request,
    request_made_twice,
    contact_gets_a_shim_and_gives_it_up,
);

/// Adds a contact to the roster, as clients do before they ask for a subscription.
fn add(person: &Puppet, whom: &str, name: &str, group: &str) {
    person.ask(
        "set",
        None,
        &format!(
            "<query xmlns='jabber:iq:roster'><item jid='{whom}' name='{name}'>\
             <group>{group}</group></item></query>"
        ),
    );
}

/// Expects these parts in the roster item of `whom`.
fn expect_in_roster(person: &Puppet, whom: &str, parts: &[&str]) {
    let roster = person.ask("get", None, "<query xmlns='jabber:iq:roster'/>");
    let from = format!("jid=\"{whom}\"");
    let items: Vec<_> = roster.xml.split("<item ").collect();
    let item = items.iter().find(|it| it.contains(&from));
    let item = item.unwrap_or_else(|| panic!("no {whom} in {}", roster.xml));
    for part in parts {
        assert!(item.contains(part), "no {part} in {item}");
    }
}

fn juliet_and_romeo(server: &Server) -> (Person, Person, Account, Account) {
    let (juliet, romeo) = (server.account("juliet"), server.account("romeo"));
    (
        Person::online(server, &juliet, "balcony"),
        Person::online(server, &romeo, "orchard"),
        juliet,
        romeo,
    )
}

fn contacts_see_each_other_by_event(kind: Kind) {
    let server = Server::get(kind);
    let (juliet, romeo, _, account) = juliet_and_romeo(server);
    add(&romeo.puppet, juliet.bare(), "Jule", "Capulets");
    make_friends(&romeo, &juliet);
    romeo.puppet.wait_for_status(&juliet.puppet, "Here");
    juliet.puppet.wait_for_status(&romeo.puppet, "Here");
    wait_for_subscriptions(&romeo, &juliet);
    expect_requests(&juliet.puppet, romeo.bare(), 1);
    expect_requests(&romeo.puppet, juliet.bare(), 1);
    expect_once_by_event(&juliet, &romeo, "Moping");
    expect_once_by_event(&romeo, &juliet, "Climbing");

    let there = ["name=\"Jule\"", "<group>Capulets", "subscription=\"both\""];
    expect_in_roster(&romeo.puppet, juliet.bare(), &there);
    add(&romeo.puppet, juliet.bare(), "Sun", "East");
    let elsewhere = Person::online(server, &account, "mobile");
    let there = ["name=\"Sun\"", "<group>East", "subscription=\"both\""];
    expect_in_roster(&elsewhere.puppet, juliet.bare(), &there);
    elsewhere.puppet.wait_for_status(&juliet.puppet, "Moping");
    juliet.puppet.wait_for_status(&elsewhere.puppet, "Here");
    expect_once_by_event(&juliet, &elsewhere, "Weeping");
    expect_once_by_event(&elsewhere, &juliet, "Walking");
    expect_requests(&elsewhere.puppet, juliet.bare(), 0);
}

fn approval_for_somebody_offline(kind: Kind) {
    let server = Server::get(kind);
    let (juliet, romeo, _, account) = juliet_and_romeo(server);
    romeo.say("subscribe", juliet.bare());
    wait_for(&juliet.puppet, romeo.bare(), "subscribe");
    romeo.log_out();
    juliet.say("subscribed", &account.bare);
    juliet.say("subscribe", &account.bare);
    juliet.puppet.ping();
    let romeo = Person::online(server, &account, "orchard");
    wait_for(&romeo.puppet, juliet.bare(), "subscribe");
    romeo.puppet.wait_for_status(&juliet.puppet, "Here");
    romeo.say("subscribed", juliet.bare());
    juliet.puppet.wait_for_status(&romeo.puppet, "Here");
    wait_for_subscriptions(&juliet, &romeo);
    expect_requests(&romeo.puppet, juliet.bare(), 1);
    expect_once_by_event(&juliet, &romeo, "Moping");
    expect_once_by_event(&romeo, &juliet, "Climbing");
}

/// Friends, made through shims, and a session of Romeo's that watches Juliet's node with its bare and its full JID.
struct Watched {
    juliet: Person,
    /// Romeo behind a shim.
    romeo: Person,
    /// A client of Romeo without a shim.
    watcher: Puppet,
    /// A client of Juliet without a shim and without presence.
    checker: Puppet,
}

impl Watched {
    fn new(server: &Server) -> Self {
        let (juliet, romeo, her, his) = juliet_and_romeo(server);
        make_friends(&romeo, &juliet);
        wait_for_subscriptions(&romeo, &juliet);
        // New sessions, as ejabberd takes only five subscription stanzas a minute from each.
        juliet.log_out();
        let juliet = Person::online(server, &her, "balcony");
        let watcher = Puppet::login(&server.entry(), &his, "watcher");
        come_online(&watcher, "Watching");
        let subscribe = format!(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'>\
             <subscribe node='presence' jid='{}'/></pubsub>",
            watcher.full
        );
        watcher.ask("set", Some(juliet.bare()), &subscribe);
        wait_for_subscription(&watcher, &watcher.full, juliet.bare());
        juliet.puppet.available("Before");
        for to in [&watcher.bare, &watcher.full] {
            watcher.wait("an event", |it| {
                it.is_pubsub_event() && it.to == *to && it.xml.contains("Before")
            });
        }
        let checker = Puppet::login(&server.entry(), &her, "checker");
        Self {
            juliet,
            romeo,
            watcher,
            checker,
        }
    }

    /// Expects that Juliet's next status reaches none of Romeo's clients.
    fn expect_the_end(&self) {
        let Self {
            juliet,
            romeo,
            watcher,
            checker,
        } = self;
        wait_for_no_subscription(watcher, juliet.bare());
        wait_for_membership(checker, romeo.bare(), false);
        let answer = items_of(watcher, juliet.bare());
        assert_eq!(answer.type_, "error", "{}", answer.xml);
        juliet.puppet.available("After");
        wait_for_items(checker, "the next status", |items| items.contains("After"));
    }

    fn expect_nothing_came(&self) {
        for person in [&self.watcher, &self.romeo.puppet] {
            let seen = person.seen_before_next_of(&self.juliet.puppet);
            let is_leaked = |it: &&Event| it.xml.contains("After") || it.xml.contains("Behind");
            assert_eq!(seen.iter().find(is_leaked).map(|it| &it.xml), None);
        }
        for status in ["Behind", "After"] {
            assert!(!self.romeo.has_event(self.juliet.bare(), status));
        }
    }
}

fn removed_contact_receives_nothing(kind: Kind) {
    let scene = Watched::new(Server::get(kind));
    let remove = format!(
        "<query xmlns='jabber:iq:roster'><item jid='{}' subscription='remove'/></query>",
        scene.romeo.bare()
    );
    scene.juliet.puppet.ask("set", None, &remove);
    scene.expect_the_end();
    scene.expect_nothing_came();
}

fn unsubscribed_contact_receives_nothing(kind: Kind) {
    let scene = Watched::new(Server::get(kind));
    scene.juliet.say("unsubscribed", scene.romeo.bare());
    scene.expect_the_end();
    scene.expect_nothing_came();
    // Juliet is still subscribed to Romeo; ejabberd 23.01 takes that out of her roster, too.
    if kind == Kind::Prosody {
        expect_once_by_event(&scene.romeo, &scene.juliet, "Sighing");
    }
}

fn blocked_contact_receives_nothing(kind: Kind) {
    let scene = Watched::new(Server::get(kind));
    let juliet = &scene.juliet.puppet;
    let payload = |what: &str| {
        let item = format!("<item jid='{}'/>", scene.romeo.bare());
        format!("<{what} xmlns='urn:xmpp:blocking'>{item}</{what}>")
    };
    // A status right behind the request.
    juliet.raw(&format!("<iq type='set' id='b'>{}</iq>", payload("block")));
    juliet.available("Behind");
    wait_for_membership(&scene.checker, scene.romeo.bare(), false);
    juliet.available("After");
    wait_for_items(&scene.checker, "the next status", |items| {
        items.contains("After")
    });
    juliet.available("Later");
    wait_for_items(&scene.checker, "the last status", |items| {
        items.contains("Later")
    });
    juliet.ask("set", None, &payload("unblock"));
    scene.expect_nothing_came();
    // He is a contact as before.
    wait_for_membership(&scene.checker, scene.romeo.bare(), true);
    wait_for_subscription(
        &scene.romeo.puppet,
        scene.romeo.bare(),
        juliet.bare.as_str(),
    );
    expect_once_by_event(&scene.juliet, &scene.romeo, "Again");
}

fn denied_request(kind: Kind) {
    let server = Server::get(kind);
    let (juliet, romeo, ..) = juliet_and_romeo(server);
    wait_for_items(&juliet.puppet, "her status", |items| items.contains("Here"));
    romeo.say("subscribe", juliet.bare());
    wait_for(&juliet.puppet, romeo.bare(), "subscribe");
    juliet.say("unsubscribed", romeo.bare());
    wait_for(&romeo.puppet, juliet.bare(), "unsubscribed");
    expect_a_stranger(&romeo, &juliet);
}

/// Expects that Romeo gets nothing of Juliet, whatever he asks for.
fn expect_a_stranger(romeo: &Person, juliet: &Person) {
    // A member could read the items.
    let answer = items_of(&romeo.puppet, juliet.bare());
    assert_eq!(answer.type_, "error", "{}", answer.xml);
    wait_for_no_subscription(&romeo.puppet, juliet.bare());
    juliet.puppet.available("Private");
    wait_for_items(&juliet.puppet, "her status", |items| {
        items.contains("Private")
    });
    let seen = romeo.puppet.seen_before_next_of(&juliet.puppet);
    let leaked = seen.iter().find(|it| it.xml.contains("Private"));
    assert_eq!(leaked.map(|it| &it.xml), None);
    assert!(!romeo.has_event(juliet.bare(), "Private"));
}

fn cancelled_request(kind: Kind) {
    let server = Server::get(kind);
    let (juliet, romeo, ..) = juliet_and_romeo(server);
    romeo.say("subscribe", juliet.bare());
    wait_for(&juliet.puppet, romeo.bare(), "subscribe");
    // ejabberd does not pass this on to Juliet.
    romeo.say("unsubscribe", juliet.bare());
    juliet.puppet.seen_before_next_of(&romeo.puppet);
    expect_a_stranger(&romeo, &juliet);
    // Too late: this makes no native subscription.
    juliet.say("subscribed", romeo.bare());
    juliet.puppet.ping();
    wait_for_membership(&juliet.puppet, romeo.bare(), false);
    expect_a_stranger(&romeo, &juliet);
}

fn request_made_twice(kind: Kind) {
    let server = Server::get(kind);
    let (juliet, romeo, ..) = juliet_and_romeo(server);
    romeo.say("subscribe", juliet.bare());
    wait_for(&juliet.puppet, romeo.bare(), "subscribe");
    romeo.say("subscribe", juliet.bare());
    romeo.puppet.ping();
    juliet.say("subscribed", romeo.bare());
    wait_for(&romeo.puppet, juliet.bare(), "subscribed");
    romeo.say("subscribe", juliet.bare());
    // Juliet may not see Romeo, so his shim does not reveal itself by subscribing to her node: presence comes natively.
    juliet.puppet.available("Moping");
    romeo.puppet.wait_for_status(&juliet.puppet, "Moping");
    assert!(!romeo.has_event(juliet.bare(), "Moping"));
}

/// A contact without a shim is sent nothing that only shims understand; and all see every change, one way or the other.
fn contact_gets_a_shim_and_gives_it_up(kind: Kind) {
    let server = Server::get(kind);
    let account = server.account("romeo");
    let juliet = Person::online(server, &server.account("juliet"), "balcony");
    let romeo = Puppet::login(&server.entry(), &account, "orchard");
    come_online(&romeo, "Here");
    romeo.send(json!({"cmd": "presence", "to": juliet.bare(), "type": "subscribe"}));
    wait_for(&juliet.puppet, &romeo.bare, "subscribe");
    juliet.say("subscribed", &romeo.bare);
    juliet.say("subscribe", &romeo.bare);
    wait_for(&romeo, juliet.bare(), "subscribe");
    romeo.send(json!({"cmd": "presence", "to": juliet.bare(), "type": "subscribed"}));
    wait_for(&juliet.puppet, &romeo.bare, "subscribed");
    juliet.puppet.wait_for_status(&romeo, "Here");
    juliet.puppet.available("Moping");
    expect_once(&juliet.puppet, &romeo, "Moping");
    romeo.available("Climbing");
    expect_once(&romeo, &juliet.puppet, "Climbing");
    // Romeo is a member, for the day he has a shim; until then he is sent nothing about the node.
    wait_for_membership(&juliet.puppet, &romeo.bare, true);
    let seen = romeo.seen_before_next_of(&juliet.puppet);
    let strange = seen
        .iter()
        .find(|it| it.kind == "message" || it.id.starts_with("ps-"));
    assert_eq!(strange.map(|it| &it.xml), None);
    let steps = juliet.tape.steps();
    let asks_him = |it: &&String| it.starts_with("to server: ") && it.contains("<subscribe ");
    assert_eq!(steps.iter().find(asks_him), None);
    log_out(&romeo);

    let romeo = Person::online(server, &account, "mobile");
    juliet.puppet.wait_for_status(&romeo.puppet, "Here");
    wait_for_subscriptions(&juliet, &romeo);
    expect_once_by_event(&juliet, &romeo, "Weeping");
    expect_once_by_event(&romeo, &juliet, "Walking");
    expect_requests(&romeo.puppet, juliet.bare(), 0);
    romeo.log_out();

    let romeo = Puppet::login(&server.entry(), &account, "plain");
    come_online(&romeo, "Back");
    juliet.puppet.wait_for_status(&romeo, "Back");
    romeo.wait_for_status(&juliet.puppet, "Weeping");
    juliet.puppet.available("Sleeping");
    expect_once(&juliet.puppet, &romeo, "Sleeping");
    romeo.available("Running");
    expect_once(&romeo, &juliet.puppet, "Running");
}
