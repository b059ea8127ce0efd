//! The server's leg compressed (XEP-0138): ejabberd with `zlib: true`, the sandbox, and Prosody, which has none.

use crate::people::{talk_and_join_muc, wait_for_items};
use crate::puppet::Puppet;
use crate::server::{Kind, Server, sandbox, sandbox_account, sandbox_entry};
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
    let uri = format!("tls://{}", server.direct_tls_addr());
    let shim = Shim::run(&[
        "--compress=require",
        "--compress-level=1",
        "--server",
        &uri,
        "--ca-file",
        server.ca_file().to_str().unwrap(),
    ]);
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
    let uri = format!("plain://{}", sandbox.address);
    let shim = Shim::run(&["--server", &uri, "--policy=pure", "--compress=require"]);
    let account = sandbox_account("juliet@capulet.lit");
    let juliet = Puppet::login(&shim.entry(), &account, "balcony");
    let checker = Puppet::login(&sandbox_entry(&sandbox), &account, "checker");
    juliet.available("Moping");
    wait_for_items(&checker, "the status", |items| items.contains("Moping"));
    juliet.send(serde_json::json!({"cmd": "disconnect"}));
    wait_for_items(&checker, "nothing", |items| !items.contains("Moping"));
    shim.compressed();
}
