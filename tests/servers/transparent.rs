//! Through a shim, everything a client does works as without one.

use crate::people::{presence_items, talk_and_join_muc};
use crate::puppet::Puppet;
use crate::server::{Kind, Server};
use crate::shim::Shim;

on_both_servers!(
    off_is_transparent,
    auto_talks_and_joins_muc,
    tls_port_of_the_server,
    wrong_password_is_told,
);

fn off_is_transparent(kind: Kind) {
    let server = Server::get(kind);
    let shim = Shim::start(server, "off", &[]);
    let account = server.account("juliet");
    let juliet = Puppet::login(&shim.entry(), &account, "balcony");
    let romeo = Puppet::login(&shim.entry(), &server.account("romeo"), "orchard");
    talk_and_join_muc(server, &juliet, &romeo);
    let checker = Puppet::login(&server.entry(), &account, "checker");
    assert_eq!(presence_items(&checker), "", "nothing is published");
}

fn auto_talks_and_joins_muc(kind: Kind) {
    let server = Server::get(kind);
    let shim = Shim::start(server, "auto", &[]);
    let juliet = Puppet::login(&shim.entry(), &server.account("juliet"), "balcony");
    let romeo = Puppet::login(&shim.entry(), &server.account("romeo"), "orchard");
    talk_and_join_muc(server, &juliet, &romeo);
}

fn tls_port_of_the_server(kind: Kind) {
    let server = Server::get(kind);
    let shim = Shim::start_on_tls_port(server, &[]);
    let juliet = Puppet::login(&shim.entry(), &server.account("juliet"), "balcony");
    juliet.ping();
}

fn wrong_password_is_told(kind: Kind) {
    let server = Server::get(kind);
    let shim = Shim::start(server, "auto", &[]);
    let mut account = server.account("juliet");
    account.password.push('!');
    let juliet = Puppet::start(&shim.entry(), &account, "balcony");
    juliet.wait("a refusal", |it| it.event == "auth_failed");
}
