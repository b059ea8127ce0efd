//! The way to the server: reached, secured, or the client and the log are told why not.

use std::io::Write as _;

use native_tls::{Identity, TlsAcceptor};
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::text::assert_has;
use crate::tools::{FEATURES_LOGIN, Peer, Server, Shim, free_port, header};

const STARTTLS: &str = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>";
const PROCEED: &str = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/// The error for a client that asks for `localhost`, and the log line about it.
fn refused(options: &[&str]) -> (String, String) {
    let mut shim = Shim::start(options);
    let mut client = shim.connect();
    client.send(&header("to='localhost'"));
    let told = client.rest();
    (told, shim.wait_for_log("ended the client's stream"))
}

/// A server with TLS for `name`, by STARTTLS or from the first byte, and its certificate.
fn tls_server(name: &str, direct: bool) -> (Server, tempfile::NamedTempFile) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).unwrap();
    let identity = Identity::from_pkcs8(
        cert.pem().as_bytes(),
        signing_key.serialize_pem().as_bytes(),
    );
    let acceptor = TlsAcceptor::new(identity.unwrap()).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(cert.pem().as_bytes()).unwrap();
    let server = Server::start(move |stream| {
        let mut plain = Peer::new(stream);
        if !direct {
            plain.wait("http://etherx.jabber.org/streams'>");
            plain.send(&header("id='plain' from='localhost'"));
            plain.send(STARTTLS);
            plain.wait("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
            plain.send(PROCEED);
        }
        if let Ok(tls) = acceptor.accept(plain.stream) {
            let mut secure = Peer::over(tls);
            secure.wait("from='juliet@localhost'>");
            secure.send(&header("id='secure' from='localhost'"));
            secure.send(FEATURES_LOGIN);
            secure.wait("</stream:stream>");
        }
    });
    (server, file)
}

#[test]
fn a_server_that_is_not_there() {
    let (told, log) = refused(&[&format!("--server=127.0.0.1:{}", free_port())]);
    assert_has(&told, "<remote-connection-failed ");
    assert!(told.ends_with("</stream:stream>"), "{told}");
    assert!(log.contains("refused") && log.contains("--server"), "{log}");
}

#[test]
fn a_domain_that_does_not_exist() {
    let mut shim = Shim::start(&[]);
    let mut client = shim.connect();
    client.send(&header("to='nowhere.invalid'"));
    assert!(client.rest().contains("<remote-connection-failed "));
    assert_has(
        &shim.wait_for_log("cannot find the server"),
        "nowhere.invalid",
    );
}

#[test]
fn the_client_sees_only_what_came_over_tls() {
    for direct in [false, true] {
        let (server, ca_file) = tls_server("localhost", direct);
        let scheme = if direct { "tls://" } else { "" };
        let shim = Shim::start(&[
            &format!("--server={scheme}127.0.0.1:{}", server.port),
            &format!("--ca-file={}", ca_file.path().display()),
        ]);
        let mut client = shim.connect();
        client.send(&header("to='localhost' from='juliet@localhost'"));
        let seen = client.wait("</stream:features>");
        assert!(
            seen.contains("id='secure'") && !seen.contains("id='plain'"),
            "{seen}"
        );
        assert_has(&seen, "<mechanism>PLAIN</mechanism>");
    }
}

#[test]
fn a_certificate_nobody_vouches_for() {
    let (server, _) = tls_server("localhost", false);
    let (told, log) = refused(&[&format!("--server=127.0.0.1:{}", server.port)]);
    assert_has(&told, "<remote-connection-failed ");
    assert!(
        log.contains("certificate") && log.contains("--ca-file"),
        "{log}"
    );
}

#[test]
fn a_certificate_for_another_domain() {
    let (server, ca_file) = tls_server("montague.lit", true);
    let (told, log) = refused(&[
        &format!("--server=tls://127.0.0.1:{}", server.port),
        &format!("--ca-file={}", ca_file.path().display()),
    ]);
    assert_has(&told, "<remote-connection-failed ");
    assert!(
        log.contains("hostname mismatch") || log.contains("certificate"),
        "{log}"
    );
}

#[test]
fn tls_that_never_begins() {
    let server = Server::start(|stream| {
        let mut peer = Peer::new(stream);
        peer.wait("http://etherx.jabber.org/streams'>");
        peer.send(&header("id='plain' from='localhost'"));
        peer.send(STARTTLS);
        peer.wait("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        peer.send(PROCEED);
        peer.rest();
    });
    let (told, log) = refused(&[
        &format!("--server=127.0.0.1:{}", server.port),
        "--connect-timeout=1s",
    ]);
    assert_has(&told, "<remote-connection-failed ");
    assert_has(&log, "TLS handshake within 1 s");
}

#[test]
fn a_server_that_never_answers() {
    let (server, connections) = Server::by_hand();
    let shim = Shim::before(&server, &["--login-timeout=1s"]);
    let mut client = shim.connect();
    client.send(&header("to='localhost'"));
    let told = client.rest();
    assert_has(&told, "<connection-timeout ");
    drop(connections);
}

#[test]
fn a_server_that_is_pubshim_itself() {
    let port = free_port();
    let (told, log) = refused(&[
        &format!("--listen=127.0.0.1:{port}"),
        "--listen",
        "127.0.0.1:0",
        &format!("--server=plain://127.0.0.1:{port}"),
    ]);
    assert_has(&told, "<remote-connection-failed ");
    assert_has(&log, "pubshim itself");
}
