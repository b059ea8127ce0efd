//! Policy auto: a status is published (listing 3), and its event (listing 4) arrives as presence.

use serde_json::json;

use crate::people::{befriend, come_online, subscribe, wait_for_items, watch_presence_node};
use crate::puppet::{Event, Puppet};
use crate::server::{Kind, Server};
use crate::shim::Shim;

on_both_servers!(
    status_travels_as_event_once,
    killed_client_goes_unavailable,
    clean_close_goes_unavailable,
    shim_sigterm_goes_unavailable,
    shim_hangup_goes_unavailable,
    pings_are_answered_by_whom_they_ask,
    no_marker_reaches_a_client,
    a_cut_is_seen_as_one_logout,
    an_avatar_is_seen_once,
    a_resource_may_end_with_a_space,
);

const MARKER: &str = "urn:pubshim:0";

/// Juliet and Romeo, each behind a shim, with no relation but Romeo's subscription to her node.
struct Scene {
    juliet: Puppet,
    romeo: Puppet,
    /// Juliet's account without a shim and without presence, to look at her node.
    checker: Puppet,
    juliets_shim: Shim,
    _romeos_shim: Shim,
}

impl Scene {
    fn new(server: &Server) -> Self {
        Self::with(server, "balcony")
    }

    /// Juliet's resource has this name.
    fn with(server: &Server, resource: &str) -> Self {
        let juliets_shim = Shim::start(server, "auto", &[]);
        let romeos_shim = Shim::start(server, "auto", &[]);
        let account = server.account("juliet");
        let juliet = Puppet::login(&juliets_shim.entry(), &account, resource);
        let checker = Puppet::login(&server.entry(), &account, "checker");
        let romeo = Puppet::login(&romeos_shim.entry(), &server.account("romeo"), "orchard");
        come_online(&juliet, "Awake");
        wait_for_items(&checker, "the first status", |items| {
            items.contains("Awake")
        });
        come_online(&romeo, "Here");
        watch_presence_node(server.kind, &juliet, &romeo);
        Self {
            juliet,
            romeo,
            checker,
            juliets_shim,
            _romeos_shim: romeos_shim,
        }
    }

    /// Expects that Romeo sees Juliet go, and that no item of hers is left on the server.
    fn expect_the_end(&self) {
        self.romeo.wait_for_unavailable(&self.juliet);
        wait_for_items(&self.checker, "an empty node", |items| {
            items.contains("<items") && !items.contains("<item ")
        });
    }
}

fn status_travels_as_event_once(kind: Kind) {
    let server = Server::get(kind);
    let scene = Scene::new(server);
    let (juliet, romeo) = (&scene.juliet, &scene.romeo);
    // A watcher without a shim, who sees the events themselves.
    let benvolio = Puppet::login(&server.entry(), &server.account("benvolio"), "pda");
    come_online(&benvolio, "Here");
    watch_presence_node(kind, juliet, &benvolio);

    let expect_once = |status: &str| {
        let text = format!("<status>{status}</status>");
        let event = benvolio.wait("the event", |it| {
            it.is_pubsub_event() && it.xml.contains(&text)
        });
        assert_eq!(event.from, juliet.bare);
        for part in [
            "<items node=\"presence\"",
            "<item ",
            "id=\"balcony\"",
            "jabber:client",
        ] {
            assert!(event.xml.contains(part), "no {part} in {}", event.xml);
        }
        assert!(
            event.xml.contains(&format!("from=\"{}\"", juliet.full)),
            "{}",
            event.xml
        );
        assert!(!event.xml.contains(MARKER), "{}", event.xml);
        let seen = romeo.seen_before_next_of(juliet);
        let times = seen
            .iter()
            .filter(|it| it.is_status_of(&juliet.full, status))
            .count();
        assert_eq!(times, 1, "Romeo saw {status:?} {times} times");
        assert!(
            !seen.iter().any(Event::is_pubsub_event),
            "Romeo saw an event"
        );
    };

    juliet.send(json!({"cmd": "presence", "show": "away", "status": "Moping", "id": "mope"}));
    let seen = romeo.wait_for_status(juliet, "Moping");
    assert_eq!((seen.child("show"), seen.id.as_str()), ("away", "mope"));
    expect_once("Moping");

    // With a native subscription each change comes twice to Romeo's shim, and once to his client.
    befriend(juliet, romeo);
    juliet.send(json!({"cmd": "presence", "status": "Weeping"}));
    expect_once("Weeping");
    juliet.raw("<presence><status>Raging</status></presence>");
    expect_once("Raging");
}

fn killed_client_goes_unavailable(kind: Kind) {
    let scene = Scene::new(Server::get(kind));
    scene.juliet.send(json!({"cmd": "abort"}));
    scene.expect_the_end();
}

fn clean_close_goes_unavailable(kind: Kind) {
    let scene = Scene::new(Server::get(kind));
    scene.juliet.send(json!({"cmd": "disconnect"}));
    scene
        .juliet
        .wait("the end of the stream", |it| it.event == "disconnected");
    scene.expect_the_end();
}

fn shim_sigterm_goes_unavailable(kind: Kind) {
    let mut scene = Scene::new(Server::get(kind));
    assert_eq!(scene.juliets_shim.terminate(), Some(0));
    scene
        .juliet
        .wait("the end of the stream", |it| it.event == "disconnected");
    scene.expect_the_end();
}

fn shim_hangup_goes_unavailable(kind: Kind) {
    let mut scene = Scene::new(Server::get(kind));
    assert_eq!(scene.juliets_shim.hang_up(), Some(0));
    scene.expect_the_end();
}

/// A shim's ping is answered by the other side's shim, or by its client if there is none; other pings by the client.
fn pings_are_answered_by_whom_they_ask(kind: Kind) {
    const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";
    const OF_A_SHIM: &str = "<ping xmlns='urn:xmpp:ping'><shim xmlns='urn:pubshim:0'/></ping>";
    let server = Server::get(kind);
    let shim = Shim::start(server, "auto", &[]);
    let juliet = Puppet::login(&shim.entry(), &server.account("juliet"), "balcony");
    let romeo = Puppet::login(&server.entry(), &server.account("romeo"), "orchard");
    come_online(&juliet, "Here");
    come_online(&romeo, "Here");
    let is_ping =
        |it: &Event| it.kind == "iq" && it.type_ == "get" && it.xml.contains("urn:xmpp:ping");
    let pings_of = |from: &str, seen: &[Event]| {
        let of_him = seen.iter().filter(|it| is_ping(it) && it.from == from);
        of_him.count()
    };
    // slixmpp itself answers: it is no shim and does not know the element.
    juliet.ask("get", Some(&romeo.full), OF_A_SHIM);
    assert_eq!(
        pings_of(&juliet.full, &romeo.seen_before_next_of(&juliet)),
        1
    );
    romeo.ask("get", Some(&juliet.full), OF_A_SHIM);
    assert_eq!(
        pings_of(&romeo.full, &juliet.seen_before_next_of(&romeo)),
        0
    );
    romeo.ask("get", Some(&juliet.full), PING);
    assert_eq!(
        pings_of(&romeo.full, &juliet.seen_before_next_of(&romeo)),
        1
    );
}

fn no_marker_reaches_a_client(kind: Kind) {
    let server = Server::get(kind);
    let scene = Scene::new(server);
    let (juliet, romeo) = (&scene.juliet, &scene.romeo);
    let benvolio = Puppet::login(&server.entry(), &server.account("benvolio"), "pda");
    come_online(&benvolio, "Here");
    subscribe(romeo, juliet);
    subscribe(&benvolio, juliet);
    juliet.available("Marked");
    let seen = benvolio.wait_for_status(juliet, "Marked");
    assert!(seen.xml.contains(MARKER), "no marker in {}", seen.xml);
    romeo.wait_for_status(juliet, "Marked");
    juliet.wait("the own presence", |it| {
        it.is_status_of(&juliet.full, "Marked")
    });
    for person in [juliet, romeo] {
        let seen = person.seen_before_next_of(&benvolio);
        assert!(
            !seen.iter().any(|it| it.xml.contains(MARKER)),
            "{} saw a marker",
            person.full
        );
    }
}

fn a_cut_is_seen_as_one_logout(kind: Kind) {
    let server = Server::get(kind);
    let scene = Scene::new(server);
    let (juliet, romeo) = (&scene.juliet, &scene.romeo);
    // Without a shim.
    let benvolio = Puppet::login(&server.entry(), &server.account("benvolio"), "pda");
    come_online(&benvolio, "Here");
    subscribe(romeo, juliet);
    subscribe(&benvolio, juliet);
    juliet.send(json!({"cmd": "abort"}));
    scene.expect_the_end();
    benvolio.wait_for_unavailable(juliet);
    let is_logout = |it: &&Event| it.is_presence_from(&juliet.full, "unavailable");
    for (person, other) in [(romeo, &benvolio), (&benvolio, romeo)] {
        let seen = person.seen_before_next_of(other);
        let times = seen.iter().filter(is_logout).count();
        assert_eq!(times, 1, "{} saw {seen:#?}", person.full);
    }
}

/// ejabberd replaces the avatar's hash by that of the stored vCard, which does not exist here.
fn an_avatar_is_seen_once(kind: Kind) {
    let scene = Scene::new(Server::get(kind));
    let (juliet, romeo) = (&scene.juliet, &scene.romeo);
    subscribe(romeo, juliet);
    juliet.raw(
        "<presence id='avatar'><status>Painted</status><x xmlns='vcard-temp:x:update'>\
         <photo>8668b9b00eeb2e3a51ea5758e7cff9f7c5780309</photo></x></presence>",
    );
    wait_for_items(&scene.checker, "the status", |items| {
        items.contains("Painted")
    });
    let seen = romeo.seen_before_next_of(juliet);
    let is_it = |it: &&Event| it.is_status_of(&juliet.full, "Painted");
    assert_eq!(seen.iter().filter(is_it).count(), 1, "{seen:#?}");
}

fn a_resource_may_end_with_a_space(kind: Kind) {
    let scene = Scene::with(Server::get(kind), "balcony ");
    let (juliet, romeo) = (&scene.juliet, &scene.romeo);
    assert!(juliet.full.ends_with(' '));
    juliet.available("Moping");
    wait_for_items(&scene.checker, "an item named by her resource", |items| {
        items.contains("Moping") && items.contains("id=\"balcony \"")
    });
    romeo.wait_for_status(juliet, "Moping");
    juliet.send(json!({"cmd": "abort"}));
    scene.expect_the_end();
}
