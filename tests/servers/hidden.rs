//! Hiding and blocking: the events that a raw subscriber of the node gets.

use std::thread;
use std::time::{Duration, Instant};

use crate::people::{come_online, wait_for_items, watch_presence_node};
use crate::process::PATIENCE;
use crate::puppet::{Event, Puppet};
use crate::server::{Kind, Server};
use crate::shim::Shim;

on_both_servers!(
    nothing_is_published_while_hidden,
    who_is_blocked_is_subscribed_no_longer
);

const DENY: &str = "<query xmlns='jabber:iq:privacy'><list name='hidden'>\
    <item action='deny' order='1'><presence-out/></item></list></query>";
const HIDE: &str = "<query xmlns='jabber:iq:privacy'><active name='hidden'/></query>";
const SHOW: &str = "<query xmlns='jabber:iq:privacy'><active/></query>";
const INVISIBLE: &str = "<invisible xmlns='urn:xmpp:invisible:1'/>";

/// Juliet behind a shim, and a watcher without one who is subscribed to her node.
fn juliet_and_watcher(server: &Server) -> (Shim, Puppet, Puppet) {
    let shim = Shim::start(server, "auto", &[]);
    let juliet = Puppet::login(&shim.entry(), &server.account("juliet"), "balcony");
    let watcher = Puppet::login(&server.entry(), &server.account("benvolio"), "pda");
    come_online(&juliet, "Awake");
    wait_for_items(&juliet, "the first status", |items| items.contains("Awake"));
    come_online(&watcher, "Here");
    watch_presence_node(server.kind, &juliet, &watcher);
    (shim, juliet, watcher)
}

fn shows(event: &Event, text: &str) -> bool {
    event.is_pubsub_event() && event.xml.contains(text)
}

fn nothing_is_published_while_hidden(kind: Kind) {
    let server = Server::get(kind);
    let (_shim, juliet, watcher) = juliet_and_watcher(server);
    match kind {
        Kind::Ejabberd => {
            juliet.ask("set", None, DENY);
            juliet.ask("set", None, HIDE);
            watcher.wait("her going", |it| shows(it, "unavailable"));
            juliet.available("Hidden");
            let seen = watcher.seen_before_next_of(&juliet);
            assert!(!seen.iter().any(|it| shows(it, "Hidden")), "{seen:#?}");
            wait_for_items(&juliet, "an empty node", |items| !items.contains("<item "));
            juliet.ask("set", None, SHOW);
            watcher.wait("what she said last", |it| shows(it, "Hidden"));
        }
        // Prosody knows neither privacy lists nor XEP-0186: hiding fails, and she is visible again.
        Kind::Prosody => {
            let answer = juliet.iq("set", None, INVISIBLE);
            assert_eq!(answer.type_, "error", "{}", answer.xml);
            watcher.wait("her going", |it| shows(it, "unavailable"));
            wait_for_items(&juliet, "her status again", |items| items.contains("Awake"));
        }
    }
}

fn who_is_blocked_is_subscribed_no_longer(kind: Kind) {
    let server = Server::get(kind);
    let (_shim, juliet, watcher) = juliet_and_watcher(server);
    let item = format!("<item jid='{}'/>", watcher.bare);
    let ask = |what: &str| {
        juliet.ask(
            "set",
            None,
            &format!("<{what} xmlns='urn:xmpp:blocking'>{item}</{what}>"),
        );
    };
    ask("block");
    ask("unblock");
    wait_for_no_subscription(&watcher, &juliet);
    juliet.available("After");
    wait_for_items(&juliet, "the next status", |items| items.contains("After"));
    let seen = watcher.seen_before_next_of(&juliet);
    assert!(!seen.iter().any(|it| shows(it, "After")), "{seen:#?}");
}

/// Asks the owner's server whether `watcher` is still subscribed, until it is not.
fn wait_for_no_subscription(watcher: &Puppet, owner: &Puppet) {
    let question = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscriptions node='presence'/></pubsub>";
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = watcher.iq("get", Some(&owner.bare), question);
        if !answer.xml.contains("\"subscribed\"") {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "still subscribed: {}",
            answer.xml
        );
        thread::sleep(Duration::from_millis(50));
    }
}
