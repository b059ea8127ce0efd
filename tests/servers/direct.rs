//! Without a shim: servers, clients and test helpers behave as the other tests assume.

use crate::people::{
    come_online, presence_items, talk_and_join_muc, wait_for_items, watch_presence_node,
};
use crate::puppet::Puppet;
use crate::server::{Kind, Server};

on_both_servers!(direct_talk, direct_pubsub, direct_wrong_password);

fn direct_talk(kind: Kind) {
    let server = Server::get(kind);
    let juliet = Puppet::login(&server.entry(), &server.account("juliet"), "balcony");
    let romeo = Puppet::login(&server.entry(), &server.account("romeo"), "orchard");
    talk_and_join_muc(server, &juliet, &romeo);
}

/// Listings 3 and 4 by hand.
fn direct_pubsub(kind: Kind) {
    let server = Server::get(kind);
    let account = server.account("juliet");
    let juliet = Puppet::login(&server.entry(), &account, "balcony");
    let checker = Puppet::login(&server.entry(), &account, "checker");
    let romeo = Puppet::login(&server.entry(), &server.account("romeo"), "orchard");
    come_online(&juliet, "Here");
    come_online(&romeo, "Here");
    assert_eq!(presence_items(&juliet), "");

    let access = match kind {
        Kind::Ejabberd => "authorize",
        Kind::Prosody => "whitelist",
    };
    let pubsub = |content: String| {
        format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{content}</pubsub>")
    };
    let field =
        |name: &str, value: &str| format!("<field var='{name}'><value>{value}</value></field>");
    juliet.ask(
        "set",
        None,
        &pubsub(format!(
            "<create node='presence'/><configure><x xmlns='jabber:x:data' type='submit'>{}{}{}</x></configure>",
            field("FORM_TYPE", "http://jabber.org/protocol/pubsub#node_config"),
            field("pubsub#access_model", access),
            field("pubsub#presence_based_delivery", "0"),
        )),
    );
    watch_presence_node(kind, &juliet, &romeo);
    juliet.ask(
        "set",
        None,
        &pubsub(format!(
            "<publish node='presence'><item id='balcony'><presence xmlns='jabber:client' from='{}'>\
             <status>Moping</status></presence></item></publish>",
            juliet.full
        )),
    );
    let seen = romeo.seen_before_next_of(&juliet);
    let events: Vec<_> = seen.iter().filter(|it| it.is_pubsub_event()).collect();
    assert_eq!(events.len(), 1, "{seen:#?}");
    assert_eq!(events[0].from, juliet.bare);
    assert!(
        events[0].xml.contains("<status>Moping</status>"),
        "{}",
        events[0].xml
    );
    wait_for_items(&checker, "the status", |items| items.contains("Moping"));
}

fn direct_wrong_password(kind: Kind) {
    let server = Server::get(kind);
    let mut account = server.account("juliet");
    account.password.push('!');
    let juliet = Puppet::start(&server.entry(), &account, "balcony");
    juliet.wait("a refusal", |it| it.event == "auth_failed");
}
