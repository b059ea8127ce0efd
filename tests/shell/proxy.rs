//! The way through a SOCKS5 proxy: the requests to it, and the errors if it refuses.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};

use crate::certificate::Certificate;
use crate::text::assert_has;
use crate::tools::{FEATURES_LOGIN, Peer, Server, Shim, at_once, free_port, header};

const BY_PASSWORD: &[u8] = &[5, 2];
const WELCOME: &[u8] = &[1, 0];
const CONNECTED: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

/// The answers of a proxy, step by step.
type Answers = &'static [&'static [u8]];

/// A request as the proxy got it.
#[derive(Debug)]
struct Asked {
    user: String,
    password: String,
    host: String,
    port: u16,
}

fn bytes(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// A text behind a byte that says how long it is.
fn text(stream: &mut TcpStream) -> String {
    let length = bytes(stream, 1)[0];
    String::from_utf8(bytes(stream, length.into())).unwrap()
}

/// Answers as a proxy does that has connected to the server.
fn negotiate(stream: &mut TcpStream) -> Asked {
    let methods = bytes(stream, 2)[1];
    let methods = bytes(stream, methods.into());
    assert!(methods.contains(&2), "no login by password: {methods:?}");
    stream.write_all(BY_PASSWORD).unwrap();
    assert_eq!(bytes(stream, 1), [1]);
    let (user, password) = (text(stream), text(stream));
    stream.write_all(WELCOME).unwrap();
    assert_eq!(bytes(stream, 4), [5, 1, 0, 3], "connect to a name");
    let host = text(stream);
    let port = bytes(stream, 2);
    stream.write_all(CONNECTED).unwrap();
    Asked {
        user,
        password,
        host,
        port: u16::from_be_bytes([port[0], port[1]]),
    }
}

/// A proxy before a server without TLS, and the request that the proxy got.
fn proxy() -> (Server, Receiver<Asked>) {
    let (sender, asked) = channel();
    let server = Server::start(move |mut stream| {
        sender.send(negotiate(&mut stream)).unwrap();
        let mut server = Peer::new(stream);
        server.wait("http://etherx.jabber.org/streams'>");
        server.send(&header("id='through'"));
        server.send(FEATURES_LOGIN);
        server.rest();
    });
    (server, asked)
}

/// The end of a proxy's connection.
#[derive(Clone, Copy)]
enum Then {
    Nothing,
    HangsUp,
    /// The proxy hangs up after one more request.
    HangsUpLater,
}

/// A proxy that gives these answers, one for each request.
fn scripted(answers: Answers, then: Then) -> Server {
    let mut kept = Vec::new();
    Server::start(move |mut stream| {
        for answer in answers {
            let mut asked = [0; 600];
            if stream.read(&mut asked).unwrap() == 0 {
                return;
            }
            stream.write_all(answer).unwrap();
        }
        match then {
            Then::Nothing => kept.push(stream),
            Then::HangsUp => {}
            Then::HangsUpLater => {
                let _ = stream.read(&mut [0; 600]);
            }
        }
    })
}

fn refused(proxy: &str, options: &[&str]) -> String {
    let mut shim = Shim::start(&[&[proxy], options].concat());
    let mut client = shim.connect();
    client.send(&header("to='shakespeare.lit'"));
    let told = client.rest();
    assert_has(&told, "<remote-connection-failed ");
    shim.wait_for_log("ended the client's stream")
}

fn option(server: &Server) -> String {
    format!("--proxy=socks5://127.0.0.1:{}", server.port)
}

#[test]
fn the_proxy_is_told_the_name_and_each_session_is_another() {
    let (proxy, asked) = proxy();
    let shim = Shim::start(&[&option(&proxy)]);
    let sessions = ["shakespeare.lit", "Shakespeare.lit"].map(|domain| {
        let mut client = shim.connect();
        client.send(&header(&format!("to='{domain}'")));
        // The server behind it has no TLS.
        let told = client.rest();
        assert_has(&told, "<remote-connection-failed ");
        asked.recv().unwrap()
    });
    for asked in &sessions {
        assert_eq!((&*asked.host, asked.port), ("shakespeare.lit", 5222));
        assert!(asked.user.len() >= 16 && asked.password.len() >= 16);
    }
    let [first, second] = sessions;
    assert_ne!(first.user, second.user);
    assert_ne!(first.password, second.password);
    assert_ne!(first.user, first.password);
}

#[test]
fn names_are_told_as_dns_knows_them() {
    let (proxy, asked) = proxy();
    let shim = Shim::start(&[&option(&proxy)]);
    let mut client = shim.connect();
    client.send(&header("to='München.example'"));
    client.rest();
    assert_eq!(asked.recv().unwrap().host, "xn--mnchen-3ya.example");
}

#[test]
fn a_user_and_a_password_that_were_given() {
    let (proxy, asked) = proxy();
    let named = format!("--proxy=socks5://juliet:r0m30@127.0.0.1:{}", proxy.port);
    let shim = Shim::start(&[&named, "--server=tls://here.shakespeare.lit:443"]);
    let mut client = shim.connect();
    client.send(&header("to='shakespeare.lit'"));
    let asked = asked.recv().unwrap();
    assert_eq!((&*asked.user, &*asked.password), ("juliet", "r0m30"));
    assert_eq!((&*asked.host, asked.port), ("here.shakespeare.lit", 443));
}

#[test]
fn a_session_is_the_same_to_the_proxy_wherever_it_is_led() {
    let certificate = Certificate::of("localhost");
    let acceptor = certificate.acceptor.clone();
    let (sender, asked) = channel();
    let proxy = Server::start(move |mut stream| {
        sender.send(negotiate(&mut stream)).unwrap();
        let mut server = Peer::over(acceptor.accept(stream).unwrap());
        server.wait("version='1.0'");
        server.send(&header("id='s'"));
        server.send(
            "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>\
             elsewhere.shakespeare.lit:443</see-other-host></stream:error></stream:stream>",
        );
    });
    let shim = Shim::start(&[
        &option(&proxy),
        &certificate.option(),
        "--server=tls://here.shakespeare.lit",
    ]);
    let mut client = shim.connect();
    client.send(&header("to='localhost'"));
    let told = client.rest();
    assert_has(&told, "<remote-connection-failed ");
    let [first, second] = [(); 2].map(|()| asked.recv().unwrap());
    assert_eq!((&*first.host, first.port), ("here.shakespeare.lit", 5223));
    assert_eq!(
        (&*second.host, second.port),
        ("elsewhere.shakespeare.lit", 443)
    );
    assert_eq!((first.user, first.password), (second.user, second.password));
}

#[test]
fn a_server_behind_a_proxy_here_is_not_here() {
    let certificate = Certificate::of("localhost");
    let acceptor = certificate.acceptor.clone();
    let (sender, connections) = channel();
    let proxy = Server::start(move |mut stream| {
        negotiate(&mut stream);
        let server = Peer::over(acceptor.accept(stream).unwrap());
        sender.send(server).unwrap();
    });
    let shim = Shim::start(&[
        &option(&proxy),
        &certificate.option(),
        "--server=tls://here.shakespeare.lit",
        "--compress=auto",
    ]);
    let (_client, mut server) = shim.authenticate(&connections);
    server.send(&header("id='s2' from='localhost'"));
    server.send(
        "<stream:features><compression xmlns='http://jabber.org/features/compress'>\
         <method>zlib</method></compression></stream:features>",
    );
    server.wait("<compress xmlns='http://jabber.org/protocol/compress'>");
}

#[test]
fn a_proxy_that_is_not_there() {
    let port = free_port();
    let log = refused(&format!("--proxy=socks5://127.0.0.1:{port}"), &[]);
    let place = format!("cannot connect to the proxy 127.0.0.1:{port} (");
    assert!(log.contains(&place) && log.contains("refused"), "{log}");
    assert_has(&log, "--proxy");
}

#[test]
fn a_proxy_that_is_pubshim_itself() {
    let port = free_port();
    let log = refused(
        &format!("--proxy=socks5://127.0.0.1:{port}"),
        &[
            &format!("--listen=127.0.0.1:{port}"),
            "--listen",
            "127.0.0.1:0",
        ],
    );
    assert!(
        log.contains("pubshim itself") && log.contains("--proxy"),
        "{log}"
    );
}

#[test]
fn a_proxy_that_stalls_at_any_step() {
    let steps: [Answers; 5] = [
        &[],
        &[&[5]],
        &[BY_PASSWORD],
        &[BY_PASSWORD, WELCOME],
        &[BY_PASSWORD, WELCOME, &[5, 0, 0, 3, 200, b'a']],
    ];
    at_once(steps, |answers| {
        let proxy = scripted(answers, Then::Nothing);
        let log = refused(&option(&proxy), &["--connect-timeout=1s"]);
        assert!(log.contains("had not connected to"), "{answers:?}: {log}");
        assert!(log.contains("within 1 s"), "{answers:?}: {log}");
    });
}

#[test]
fn a_proxy_that_hangs_up_at_any_step() {
    let steps: [(Answers, Then); 4] = [
        (&[], Then::HangsUpLater),
        (&[BY_PASSWORD], Then::HangsUpLater),
        (&[BY_PASSWORD, WELCOME], Then::HangsUpLater),
        (&[BY_PASSWORD, &[1]], Then::HangsUp),
    ];
    for (answers, then) in steps {
        let proxy = scripted(answers, then);
        let log = refused(&option(&proxy), &[]);
        assert!(log.contains("closed the connection"), "{answers:?}: {log}");
    }
}

#[test]
fn a_proxy_that_refuses() {
    let named = "juliet:r0m30@";
    let table: [(Answers, &str, &[&str]); 11] = [
        (
            &[b"HTTP/1.1 400 Bad Request\r\n\r\n"],
            "",
            &["does not speak SOCKS5"],
        ),
        (&[&[4, 91]], "", &["does not speak SOCKS5"]),
        (
            &[&[5, 0xff]],
            "",
            &["random user", "socks5://USER:PASSWORD@"],
        ),
        (&[&[5, 0xff]], named, &["another login"]),
        (&[&[5, 1]], "", &["a reason of its own"]),
        (
            &[BY_PASSWORD, &[1, 1]],
            "",
            &["asks for a user", "socks5://USER:PASSWORD@"],
        ),
        (
            &[BY_PASSWORD, &[1, 1]],
            named,
            &["refused the user and the password"],
        ),
        (&[BY_PASSWORD, &[9, 0]], "", &["does not speak SOCKS5"]),
        (
            &[BY_PASSWORD, WELCOME, &[5, 2, 0, 1]],
            "",
            &["does not allow"],
        ),
        (
            &[BY_PASSWORD, WELCOME, &[5, 4, 0, 1]],
            "",
            &["Host unreachable", "SRV records", "--server"],
        ),
        (
            &[BY_PASSWORD, WELCOME, &[5, 0xf2, 0, 1]],
            "",
            &["a reason of its own", "--server"],
        ),
    ];
    for (answers, user, expected) in table {
        let proxy = scripted(answers, Then::HangsUpLater);
        let option = format!("--proxy=socks5://{user}127.0.0.1:{}", proxy.port);
        let log = refused(&option, &[]);
        for words in expected {
            assert!(log.contains(words), "{answers:?}: {words:?}: {log}");
        }
        assert!(!log.contains("r0m30"), "the password: {log}");
    }
}
