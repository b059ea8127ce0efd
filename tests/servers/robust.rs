//! Peers that do not behave.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::process::PATIENCE;
use crate::puppet::Puppet;
use crate::server::{Kind, Server};
use crate::shim::Shim;

on_both_servers!(
    wrong_certificate_is_refused,
    garbage_peers_leave_others_alone
);

fn wrong_certificate_is_refused(kind: Kind) {
    let server = Server::get(kind);
    let shim = Shim::run(&["--server", &server.addr().to_string()]);
    let juliet = Puppet::start(&shim.entry(), &server.account("juliet"), "balcony");
    juliet.wait("a stream error", |it| it.event == "stream_error");
    juliet.wait("the end of the stream", |it| it.event == "disconnected");
    shim.wait_for_log("--ca-file");
}

fn garbage_peers_leave_others_alone(kind: Kind) {
    let server = Server::get(kind);
    let shim = Shim::start(server, "auto", &[]);
    let juliet = Puppet::login(&shim.entry(), &server.account("juliet"), "balcony");
    let connect = |says: &[u8]| {
        let mut stream = TcpStream::connect(shim.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(says).unwrap();
        stream
    };

    let _silent = connect(b"");
    let _half_a_hello = connect(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    let mut answer = String::new();
    connect(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .read_to_string(&mut answer)
        .expect("an answer and an end");
    assert!(answer.contains("<stream:error"), "{answer:?}");
    let header = "<stream:stream to='capulet.lit' version='1.0' xmlns='jabber:client' \
                  xmlns:stream='http://etherx.jabber.org/streams'>";
    drop(connect(format!("{header}<mess").as_bytes()));
    let half_closed = connect(format!("{header}<presence><sta").as_bytes());
    half_closed.shutdown(Shutdown::Write).unwrap();

    juliet.ping();
}
