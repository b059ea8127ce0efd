//! A proxy before pubshim: its PROXY header says whose connection it is, and only a proxy's does.

use std::net::{IpAddr, Shutdown, SocketAddr};

use socket2::{Domain, Socket, Type};

use crate::text::assert_has;
use crate::tools::{PATIENCE, Peer, Server, Shim, header};

const PROXIED: [&str; 2] = ["--proxy-from=127.0.0.1", "--allow-remote-plaintext"];

/// A header of version 2 with this command (0: local, 1: proxy); the client is 192.0.2.7:54321.
fn proxy_header(command: u8) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([0x20 | command, 0x11, 0, 12]);
    header.extend([192, 0, 2, 7, 127, 0, 0, 1, 0xd4, 0x31, 0x14, 0x66]);
    header
}

fn proxied(server: &Server, options: &[&str]) -> Shim {
    Shim::before(server, &[&PROXIED[..], options].concat())
}

/// Connects from another address of this machine.
fn connect_from(ip: &str, shim: &Shim) -> Peer {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from = SocketAddr::new(ip.parse::<IpAddr>().unwrap(), 0);
    socket.bind(&from.into()).unwrap();
    let to = SocketAddr::from(([127, 0, 0, 1], shim.port));
    socket.connect(&to.into()).unwrap();
    Peer::new(socket.into())
}

/// Opens a stream; the server's end of it.
fn open(client: &mut Peer, connections: &std::sync::mpsc::Receiver<Peer>) -> Peer {
    client.send(&header("to='localhost'"));
    let mut server = connections.recv_timeout(PATIENCE).unwrap();
    server.wait("to='localhost'>");
    server
}

/// Asserts that a connection of the proxy's that begins so and then ends is turned away; the log line about it.
fn turned_away(shim: &mut Shim, bytes: &[u8]) -> String {
    let mut proxy = shim.connect();
    proxy.send_bytes(bytes);
    // The shim may have turned it away already.
    let _ = proxy.stream.shutdown(Shutdown::Write);
    assert_eq!(proxy.rest(), "");
    let line = shim.wait_for_log("--proxy-from names");
    assert_has(&line, "WARN");
    assert_has(&line, "proxy=127.0.0.1:");
    assert!(!line.contains("peer="), "{line}");
    assert_has(&line, "send-proxy-v2");
    line
}

#[test]
fn a_login_through_a_proxy() {
    let (server, connections) = Server::by_hand();
    let mut shim = proxied(&server, &[]).with_preface(proxy_header(1));
    let (client, server) = shim.log_in(&connections);
    for said in ["passed on by a proxy", "logged in"] {
        let line = shim.wait_for_log(said);
        assert_has(&line, "peer=192.0.2.7:54321");
        assert_has(&line, "proxy=127.0.0.1:");
    }
    shim.end(client, server);
}

#[test]
fn a_client_that_speaks_in_the_same_breath() {
    let (server, connections) = Server::by_hand();
    let shim = proxied(&server, &[]);
    let mut client = shim.connect();
    let open = header("to='localhost'");
    client.send_bytes(&[&proxy_header(1), open.as_bytes()].concat());
    let mut server = connections.recv_timeout(PATIENCE).unwrap();
    assert!(server.wait(&open).ends_with(&open));
}

#[test]
fn a_proxy_that_sends_no_header() {
    let (server, _connections) = Server::by_hand();
    let mut shim = proxied(&server, &[]);
    let said = turned_away(&mut shim, header("to='localhost'").as_bytes());
    assert_has(&said, "something else");
    let said = turned_away(&mut shim, b"PROXY TCP4 192.0.2.7 127.0.0.1 54321 5222\r\n");
    assert_has(&said, "version 1");
}

#[test]
fn a_header_that_is_broken() {
    let (server, _connections) = Server::by_hand();
    let mut shim = proxied(&server, &[]);
    let whole = proxy_header(1);
    let said = turned_away(&mut shim, &whole[..20]);
    assert_has(&said, "ended within");
    let mut endless = whole.clone();
    endless[14..16].copy_from_slice(&[255, 255]);
    let said = turned_away(&mut shim, &endless);
    assert_has(&said, "65551 bytes");
    let mut datagrams_of_no_family = whole;
    datagrams_of_no_family[13] = 0xf2;
    let said = turned_away(&mut shim, &datagrams_of_no_family);
    assert_has(&said, "cannot be read");
}

#[test]
fn a_proxy_that_stops_within_its_header() {
    let (server, connections) = Server::by_hand();
    let mut shim = proxied(&server, &["--max-sessions=1", "--login-timeout=2s"]);
    let mut proxy = shim.connect();
    proxy.send_bytes(&proxy_header(1)[..20]);
    // The proxy's connection takes the place of a session.
    let told = shim.connect().rest();
    assert_has(&told, "<resource-constraint ");
    assert_eq!(proxy.rest(), "");
    let line = shim.wait_for_log("within 2 s");
    assert_has(&line, "WARN");
    // The place is free again.
    let mut client = shim.connect();
    client.send_bytes(&proxy_header(1));
    open(&mut client, &connections);
}

#[test]
fn a_program_that_ends_waits_for_no_header() {
    let (server, _connections) = Server::by_hand();
    let mut shim = proxied(&server, &[]);
    let mut proxy = shim.connect();
    shim.wait_for_log("connected");
    proxy.send_bytes(&proxy_header(1)[..20]);
    shim.signal("-TERM");
    assert_eq!(proxy.rest(), "");
    assert_eq!(shim.exit_code(), Some(0));
    assert!(!shim.rest_of_log().contains("did not end"));
}

#[test]
fn a_proxy_that_asks_for_itself() {
    let (server, _connections) = Server::by_hand();
    let mut shim = proxied(&server, &["--max-sessions=1"]);
    for bytes in [&proxy_header(0)[..], b""] {
        let mut proxy = shim.connect();
        proxy.send_bytes(bytes);
        // The shim may have turned it away already.
        let _ = proxy.stream.shutdown(Shutdown::Write);
        assert_eq!(proxy.rest(), "");
        let line = shim.wait_for_log("the proxy ");
        assert_has(&line, "DEBUG");
    }
}

#[test]
fn who_is_no_proxy_is_not_believed() {
    let (server, connections) = Server::by_hand();
    let mut shim = proxied(&server, &[]);
    let mut client = connect_from("127.0.0.2", &shim);
    let line = shim.wait_for_log("connected");
    assert_has(&line, "peer=127.0.0.2:");
    assert!(!line.contains("proxy="), "{line}");
    open(&mut client, &connections);

    let mut liar = connect_from("127.0.0.2", &shim);
    liar.send_bytes(&proxy_header(1));
    let told = liar.rest();
    assert_has(&told, "<not-well-formed ");
    assert!(!shim.wait_for_log("not-well-formed").contains("192.0.2.7"));
}

#[test]
fn a_proxy_on_a_socket_of_both_families() {
    let (server, connections) = Server::by_hand();
    let mut shim = proxied(&server, &["--listen", "[::ffff:127.0.0.1]:0"]);
    let mut client = shim.connect();
    client.send_bytes(&proxy_header(1));
    shim.wait_for_log("peer=192.0.2.7:54321");
    open(&mut client, &connections);
}
