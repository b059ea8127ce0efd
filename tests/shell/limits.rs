//! Misbehaving peers are turned away, and no other session is disturbed.

use std::io::Write as _;
use std::net::Shutdown;

use crate::text::assert_has;
use crate::tools::{Server, Shim, header};

#[test]
fn more_sessions_than_allowed() {
    let (server, _connections) = Server::by_hand();
    let shim = Shim::before(&server, &["--max-sessions=1"]);
    let _first = shim.connect();
    let told = shim.connect().rest();
    assert!(
        told.contains("<resource-constraint ") && told.ends_with("</stream:stream>"),
        "{told}"
    );
}

#[test]
fn a_session_that_ends_makes_room() {
    let (server, _connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &["--max-sessions=1"]);
    drop(shim.connect());
    shim.wait_for_log(": ended");
    shim.connect()
        .stream
        .write_all(b"GET / HTTP/1.1\r\n")
        .unwrap();
    shim.wait_for_log("not-well-formed");
}

#[test]
fn what_is_no_xmpp_is_told_so() {
    let (server, connections) = Server::by_hand();
    let shim = Shim::before(
        &server,
        &["--client-tls=off", "--max-stanza-size-before-login=2000"],
    );
    let (mut juliet, mut server) = shim.log_in(&connections);
    for (sent, told) in [
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n<stream:stream",
            "not-well-formed",
        ),
        ("\u{16}\u{3}\u{1}", "not-well-formed"),
        ("<!DOCTYPE html>", "restricted-xml"),
        (
            "<stream:stream xmlns='jabber:client' version='1.0'>",
            "bad-namespace-prefix",
        ),
        (
            &header("to='localhost'").replace("jabber:client", "jabber:server"),
            "invalid-namespace",
        ),
        (
            &header("to='localhost'").replace("version='1.0'", ""),
            "unsupported-version",
        ),
        (&header(""), "improper-addressing"),
        (&format!("<a b='{}'", "x".repeat(3000)), "policy-violation"),
    ] {
        let mut peer = shim.connect();
        peer.send(sent);
        let answer = peer.rest();
        assert!(answer.contains(&format!("<{told} ")), "{sent}: {answer}");
        assert!(answer.ends_with("</stream:stream>"), "{sent}: {answer}");
    }
    // Juliet's stream goes on.
    juliet.send("<iq type='get' id='still-here'/>");
    server.wait("<iq type='get' id='still-here'/>");
}

#[test]
fn a_client_that_says_nothing() {
    let (server, _connections) = Server::by_hand();
    let shim = Shim::before(&server, &["--login-timeout=1s"]);
    let told = shim.connect().rest();
    assert_has(&told, "<connection-timeout ");
}

#[test]
fn a_stanza_that_never_ends() {
    let (server, _connections) = Server::by_hand();
    let shim = Shim::before(&server, &["--stanza-timeout=1s"]);
    let mut client = shim.connect();
    client.send("<stream:str");
    assert!(client.rest().contains("<connection-timeout "));
}

#[test]
fn a_client_that_only_stops_sending_still_gets_its_end() {
    let (server, connections) = Server::by_hand();
    let shim = Shim::before(&server, &[]);
    let (mut client, mut server) = shim.log_in(&connections);
    client.stream.shutdown(Shutdown::Write).unwrap();
    server.wait("</stream:stream>");
    server.send("<message><body>the last one</body></message></stream:stream>");
    assert_eq!(
        client.rest(),
        "<message><body>the last one</body></message></stream:stream>"
    );
}

#[test]
fn off_has_no_limits_and_waits_for_nothing() {
    let (server, connections) = Server::by_hand();
    let shim = Shim::before(&server, &["--policy=off", "--stanza-timeout=1s"]);
    let (mut client, mut server) = shim.log_in(&connections);
    let attributes: String = (0..65).map(|n| format!(" a{n}=''")).collect();
    let large = "x".repeat(300_000);
    for stanza in [
        "<message><body>half of it",
        "</body></message>",
        &format!("<message><x{attributes}/></message>"),
        &format!("<message>{large}</message>"),
        "<message>&nbsp;<p:a/></message>",
        "<presence></message>",
    ] {
        server.send(stanza);
        assert!(client.wait(stanza) == stanza, "{stanza}");
        client.send(stanza);
        assert!(server.wait(stanza) == stanza, "{stanza}");
    }
}

/// A closing tag of ours would end a session that the client means to resume (XEP-0198).
#[test]
fn under_off_an_end_is_passed_on_as_an_end() {
    let (server, connections) = Server::by_hand();
    let shim = Shim::before(&server, &["--policy=off"]);
    let (mut client, mut server) = shim.log_in(&connections);
    client.send("<presence/>");
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.rest(), "<presence/>");
    server.send("<message><body>the last one</body></message>");
    drop(server);
    assert_eq!(
        client.rest(),
        "<message><body>the last one</body></message>"
    );

    let (mut client, mut server) = shim.log_in(&connections);
    server.send("<mess");
    drop(server);
    assert_eq!(client.rest(), "<mess");
}
