//! The server's leg compressed (XEP-0138): ejabberd with `zlib: true`, the sandbox, and Prosody, which has none.

use crate::people::talk_and_join_muc;
use crate::puppet::Puppet;
use crate::sandbox::publish_through;
use crate::server::{Kind, Server, sandbox};
use crate::shim::Shim;

#[test]
fn ejabberd_talks_through_zlib() {
    let server = Server::get(Kind::Ejabberd);
    let shim = Shim::start(server, "auto", &["--compress=require"]);
    let juliet = Puppet::login(&shim.entry(), &server.account("juliet"), "balcony");
    let romeo = Puppet::login(&shim.entry(), &server.account("romeo"), "orchard");
    talk_and_join_muc(server, &juliet, &romeo);
    let [sent, sent_as, received, received_as] = shim.compressed();
    assert!(5 * sent_as < 2 * sent, "{sent} bytes went as {sent_as}");
    assert!(
        5 * received_as < 2 * received,
        "{received} bytes came as {received_as}"
    );
}

#[test]
fn ejabberd_talks_through_zlib_on_its_tls_port() {
    let server = Server::get(Kind::Ejabberd);
    let options = ["--compress=require", "--compress-level=1"];
    let shim = Shim::start_on_tls_port(server, &options);
    let juliet = Puppet::login(&shim.entry(), &server.account("juliet"), "balcony");
    juliet.ping();
    juliet.send(serde_json::json!({"cmd": "disconnect"}));
    shim.compressed();
}

#[test]
fn prosody_offers_none_and_that_is_said() {
    let server = Server::get(Kind::Prosody);
    let shim = Shim::start(server, "auto", &["--compress=require"]);
    let account = server.account("juliet");
    let _juliet = Puppet::start(&shim.entry(), &account, "balcony");
    shim.wait_for_log("which --compress require asks for: the server does not offer zlib");

    let shim = Shim::start(server, "auto", &["--compress=auto"]);
    let juliet = Puppet::login(&shim.entry(), &account, "balcony");
    juliet.ping();
    shim.wait_for_log("not compressed: the server does not offer zlib");
}

#[test]
fn the_sandbox_talks_through_zlib() {
    let sandbox = sandbox();
    let shim = publish_through(&sandbox, &["--compress=require"]);
    shim.compressed();
}
