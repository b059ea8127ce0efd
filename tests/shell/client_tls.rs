//! TLS on the client's way to pubshim.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use native_tls::{Certificate, TlsConnector, TlsStream};
use tempfile::TempDir;

use crate::text::assert_has;
use crate::tools::{FEATURES_LOGIN, Peer, Server, Shim, header};

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const PROCEED: &str = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/// A pubshim with a state folder of its own, before a server that is handed to the test.
struct Stage {
    shim: Shim,
    connections: std::sync::mpsc::Receiver<Peer>,
    state: TempDir,
    _server: Server,
}

impl Stage {
    fn new(options: &[&str]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let (server, connections) = Server::by_hand();
        let folder = format!("--state={}", state.path().display());
        let shim = Shim::before(&server, &[&[&*folder], options].concat());
        Self {
            shim,
            connections,
            state,
            _server: server,
        }
    }

    /// A client that trusts the certificate which was made for `domain`, and no other.
    fn connector(&self, domain: &str) -> TlsConnector {
        trusting(&self.state.path().join(format!("{domain}.pem")))
    }

    /// A client that has TLS from the first byte, and asks for `domain`.
    fn connect(&self, domain: &str) -> Peer<TlsStream<TcpStream>> {
        let stream = self.shim.connect().stream;
        Peer::over(self.connector(domain).connect(domain, stream).unwrap())
    }

    /// The server shows `client` how to log in to `domain`; gives the bytes the client sees, and the server.
    fn greet<S: std::io::Read + std::io::Write>(
        &self,
        client: &mut Peer<S>,
        domain: &str,
    ) -> (String, Peer) {
        client.send(&header(&format!("to='{domain}'")));
        let mut server = self.connections.recv().unwrap();
        server.wait("<stream:stream ");
        server.send(&header(&format!("id='s1' from='{domain}'")));
        server.send(FEATURES_LOGIN);
        (client.wait("</stream:features>"), server)
    }
}

fn trusting(file: &Path) -> TlsConnector {
    let pem = std::fs::read(file).unwrap();
    let mut tls = TlsConnector::builder();
    tls.disable_built_in_roots(true);
    for certificate in Certificate::stack_from_pem(&pem).unwrap() {
        tls.add_root_certificate(certificate);
    }
    tls.build().unwrap()
}

#[test]
fn certificates_are_made_at_the_first_start() {
    let stage = Stage::new(&["--domain=localhost,example.org"]);
    let mut files: Vec<_> = std::fs::read_dir(stage.state.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["example.org.pem", "localhost.pem"]);
}

#[test]
fn tls_from_the_first_byte() {
    let stage = Stage::new(&["--domain=localhost,example.org"]);
    for domain in ["localhost", "example.org"] {
        let mut client = stage.connect(domain);
        let (seen, _server) = stage.greet(&mut client, domain);
        assert_has(&seen, "<mechanism>PLAIN</mechanism>");
        assert!(!seen.contains("starttls"), "it is up: {seen}");
    }
}

#[test]
fn starttls_with_the_certificate_for_the_domain() {
    let stage = Stage::new(&["--domain=localhost,example.org"]);
    for domain in ["localhost", "example.org"] {
        let mut plain = stage.shim.connect();
        let (seen, _server) = stage.greet(&mut plain, domain);
        assert_has(&seen, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'");
        plain.send(STARTTLS);
        plain.wait(PROCEED);
        let tls = stage.connector(domain).connect(domain, plain.stream);
        let mut client = Peer::over(tls.unwrap());
        client.send(&header(&format!("to='{domain}'")));
        let seen = client.wait("</stream:features>");
        assert_has(&seen, "<mechanism>PLAIN</mechanism>");
        assert!(!seen.contains("starttls"), "it is up: {seen}");
    }
}

#[test]
fn a_given_certificate_is_shown_for_every_domain() {
    let own = Stage::new(&["--domain=example.org"]);
    let file = own.state.path().join("example.org.pem");
    let stage = Stage::new(&[&format!("--cert={}", file.display())]);
    assert_eq!(
        std::fs::read_dir(stage.state.path()).unwrap().count(),
        0,
        "none is made"
    );
    let stream = stage.shim.connect().stream;
    trusting(&file).connect("example.org", stream).unwrap();
}

#[test]
fn a_given_certificate_offers_starttls_for_every_domain() {
    let names = ["*.example.org".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let pem = made.cert.pem() + &made.signing_key.serialize_pem();
    file.write_all(pem.as_bytes()).unwrap();
    let stage = Stage::new(&[&format!("--cert={}", file.path().display())]);
    for domain in ["chat.example.org", "elsewhere.example"] {
        let mut client = stage.shim.connect();
        let (seen, _server) = stage.greet(&mut client, domain);
        assert!(
            seen.contains("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'"),
            "{domain}: {seen}"
        );
    }
}

#[test]
fn a_client_that_does_not_trust() {
    let mut stage = Stage::new(&[]);
    let stream = stage.shim.connect().stream;
    let distrusting = TlsConnector::new().unwrap();
    distrusting
        .connect("localhost", stream)
        .expect_err("it does not trust");
    let line = stage
        .shim
        .wait_for_log("does not accept pubshim's certificate");
    assert_has(&line, "`pubshim cert localhost`");
    stage.shim.wait_for_log(": ended");
}

#[test]
fn a_client_that_breaks_off_in_the_handshake() {
    let mut stage = Stage::new(&[]);
    for bytes in [
        &b"\x16"[..],
        b"\x16\x03\x01",
        b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03",
    ] {
        let mut client = stage.shim.connect();
        client.stream.write_all(bytes).unwrap();
        drop(client);
        stage
            .shim
            .wait_for_log("closed the connection in the TLS handshake");
        stage.shim.wait_for_log(": ended");
    }
}

#[test]
fn a_client_that_stalls_in_the_handshake() {
    let mut stage = Stage::new(&["--login-timeout=1s", "--domain=localhost,example.org"]);
    let half: [&[u8]; 2] = [b"\x16\x03", b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03"];
    let clients = half.map(|bytes| {
        let mut client = stage.shim.connect();
        client.send_bytes(bytes);
        client
    });
    for mut client in clients {
        let told = client.rest();
        assert_eq!(told, "", "plain text is of no use to it");
        stage.shim.wait_for_log(": ended");
    }
}

#[test]
fn what_is_no_tls_after_all() {
    let mut stage = Stage::new(&[]);
    let mut client = stage.shim.connect();
    client
        .stream
        .write_all(b"\x16\x03\x01\x00\x08nonsense")
        .unwrap();
    let mut told = Vec::new();
    let _ = client.stream.read_to_end(&mut told);
    assert!(!told.contains(&b'<'), "an alert at the most: {told:?}");
    stage.shim.wait_for_log("not TLS as it should be");
    stage.shim.wait_for_log(": ended");
}

#[test]
fn over_a_socket_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pubshim");
    let stage = Stage::new(&["--listen", &format!("unix:{}", path.display())]);
    let stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let tls = stage.connector("localhost").connect("localhost", stream);
    let mut client = Peer::over(tls.unwrap());
    let _greeted = stage.greet(&mut client, "localhost");
}

#[test]
fn a_state_folder_that_cannot_be_used_takes_tls_alone() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (server, connections) = Server::by_hand();
    let state = format!("--state={}/state", file.path().display());
    let (_client, _server) = Shim::before(&server, &[&state]).open(&connections);
}
