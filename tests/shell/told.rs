//! The log as its reader needs it: the session of each line, refused peers, and how sessions ended.

use crate::text::assert_has;
use crate::tools::{Server, Shim};

const REFUSED: &str =
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>";

#[test]
fn a_session_ends_with_a_line() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &[]);
    let (mut client, mut server) = shim.log_in(&connections);
    client.send("</stream:stream>");
    server.wait("</stream:stream>");
    server.send("</stream:stream>");
    client.rest();
    drop((client, server));
    let line = shim.wait_for_log(": ended after ");
    assert_has(&line, " INFO ");
    assert!(line.ends_with(" s: the client logged out"), "{line}");
    assert_has(&line, "account=juliet@localhost/balcony");
    let (client, mut server) = shim.log_in(&connections);
    drop(client);
    server.wait("</stream:stream>");
    drop(server);
    let line = shim.wait_for_log(": ended after ");
    assert!(
        line.ends_with(" s: the client's connection broke"),
        "{line}"
    );
    // A health check is no news.
    drop(shim.connect());
    let line = shim.wait_for_log(": ended after ");
    assert_has(&line, "DEBUG");
    assert!(line.ends_with(": the client said nothing"), "{line}");
}

#[test]
fn one_wrong_password_is_one_warning() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &["-q"]);
    let (mut client, mut server) = shim.open(&connections);
    // A client may try two mechanisms.
    for _ in 0..2 {
        client.send(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldABi</auth>",
        );
        server.wait("</auth>");
        server.send(REFUSED);
        client.wait(REFUSED);
    }
    client.send("</stream:stream>");
    server.wait("</stream:stream>");
    drop(server);
    client.rest();
    drop(client);
    let mut warned = Vec::new();
    loop {
        let line = shim.wait_for_log("session{");
        let is_end = line.contains(": ended after ");
        warned.extend(line.contains(" WARN ").then(|| line.clone()));
        if is_end {
            assert!(line.ends_with(": the server refused the login"), "{line}");
            break;
        }
    }
    let [line] = &warned[..] else {
        panic!("{warned:#?}")
    };
    let told = "the server refused the login of juliet@localhost (not-authorized): check name and password";
    assert_has(line, told);
    assert_has(line, " domain=localhost}");
}

#[test]
fn what_was_refused_is_named() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &["--policy=pure"]);
    let (mut client, _server) = shim.log_in(&connections);
    client.send("<iq type='get' id='q' to='a@localhost'><query xmlns='jabber:iq:roster'/></iq>");
    client.wait("</iq>");
    shim.wait_for_log(
        "answered the client's <iq type='get' to='a@localhost' id='q'><query xmlns='jabber:iq:roster'/></iq> with an \
         error: service-unavailable",
    );
}

#[test]
fn a_warning_names_account_and_domain() {
    let (server, connections) = Server::by_hand();
    for format in ["text", "json"] {
        let mut shim = Shim::before(&server, &["--log-format", format]);
        let (_client, mut server) = shim.log_in(&connections);
        server.send(
            "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
        );
        let line = shim.wait_for_log("the server ended the stream: conflict");
        assert_has(&line, "WARN");
        if format == "text" {
            let whose = " domain=localhost account=juliet@localhost/balcony}";
            assert_has(&line, whose);
        } else {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(line["span"]["domain"], "localhost");
            assert_eq!(line["span"]["account"], "juliet@localhost/balcony");
        }
    }
}

#[test]
fn one_session_is_not_called_several() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &["--shutdown-timeout=1s"]);
    let _peers = shim.log_in(&connections);
    shim.signal("-TERM");
    let line = shim.wait_for_log("ending 1 session");
    assert!(line.ends_with("ending 1 session"), "{line}");
}
