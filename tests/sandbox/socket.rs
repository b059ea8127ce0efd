//! The sockets and the file around the core.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use pubshim::net::Sandbox;
use pubshim::sandbox::{Config, Limits};
use tokio::runtime::Runtime;

use crate::driver::*;
use crate::running::{PATIENCE, Running};

/// A logged-in socket of Juliet's.
fn login(address: SocketAddr) -> TcpStream {
    login_as(address, "balcony")
}

fn login_as(address: SocketAddr, resource: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                  to='capulet.lit' version='1.0'>";
    let auth = base64("\0juliet\0secret");
    ask(&mut stream, header, "</stream:features>");
    let auth =
        format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{auth}</auth>");
    ask(&mut stream, &auth, "</success>");
    ask(&mut stream, header, "</stream:features>");
    let bind = format!(
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <resource>{resource}</resource></bind></iq>"
    );
    ask(&mut stream, &bind, "</iq>");
    stream
}

/// Sends, and reads up to the end of the answer.
fn ask(stream: &mut TcpStream, text: &str, end: &str) -> String {
    stream.write_all(text.as_bytes()).unwrap();
    read_until(stream, end)
}

fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.ends_with(end) {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended: {seen}");
        seen.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    seen
}

fn create(stream: &mut TcpStream, node: &str) -> String {
    let iq = format!(
        "<iq type='set' id='c'><pubsub xmlns='http://jabber.org/protocol/pubsub'><create node='{node}'/></pubsub></iq>"
    );
    ask(stream, &iq, "</iq>")
}

fn bind_error(address: &str, config: Config) -> String {
    let result = Runtime::new()
        .unwrap()
        .block_on(Sandbox::bind(address.parse().unwrap(), config));
    format!("{:#}", result.err().expect("an error"))
}

#[test]
fn only_this_machine_reaches_it() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = bind_error(address, config());
        assert!(
            error.contains("without TLS") && error.contains("127.0.0.1"),
            "{error}"
        );
    }
}

#[test]
fn a_port_in_use() {
    let running = Running::start(config());
    let error = bind_error(&running.address.to_string(), config());
    assert!(
        error.contains("cannot listen on") && error.contains("choose another port"),
        "{error}"
    );
}

#[test]
fn nodes_outlive_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nodes.toml");
    let with_data = || Config {
        data: Some(path.clone()),
        ..config()
    };
    let mut running = Running::start(with_data());
    assert!(create(&mut login(running.address), "n").contains("type='result'"));
    running.stop();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no other file is left"
    );
    let running = Running::start(with_data());
    assert!(create(&mut login(running.address), "n").contains("<conflict "));
}

#[test]
fn a_change_is_written_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nodes.toml");
    let running = Running::start(Config {
        data: Some(path.clone()),
        ..config()
    });
    create(&mut login(running.address), "written-soon");
    let start = std::time::Instant::now();
    while !fs::read_to_string(&path).unwrap().contains("written-soon") {
        assert!(start.elapsed() < PATIENCE, "never written");
        std::thread::yield_now();
    }
}

#[test]
fn a_broken_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nodes.toml");
    let with = |path: &Path| Config {
        data: Some(path.to_owned()),
        ..config()
    };
    fs::write(&path, "version = 1\nnode = 7\n").unwrap();
    let error = bind_error("127.0.0.1:0", with(&path));
    assert!(
        error.contains("nodes.toml is broken") && error.contains("line 2"),
        "{error}"
    );
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "version = 1\nnode = 7\n"
    );
    let error = bind_error("127.0.0.1:0", with(&folder.path().join("none/nodes.toml")));
    assert_has(&error, "cannot write");
}

#[test]
fn its_end_is_told() {
    let mut running = Running::start(config());
    let mut stream = login(running.address);
    let waiting = std::thread::spawn(move || read_until(&mut stream, "</stream:stream>"));
    running.stop();
    assert!(waiting.join().unwrap().contains("<system-shutdown "));
}

/// A client that does not read is cut off, and the others go on.
#[test]
fn who_does_not_read_does_not_stay() {
    let running = Running::start(Config {
        limits: Limits {
            outgoing: 256 * 1024,
            ..Limits::default()
        },
        ..config()
    });
    let mut silent = login_as(running.address, "silent");
    let mut busy = login_as(running.address, "busy");
    let pubsub = |content: &str| {
        format!(
            "<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'>{content}</pubsub></iq>"
        )
    };
    create(&mut busy, "n");
    ask(
        &mut silent,
        &pubsub("<subscribe node='n' jid='juliet@capulet.lit/silent'/>"),
        "</iq>",
    );
    let payload = "x".repeat(100_000);
    let publish = pubsub(&format!(
        "<publish node='n'><item id='1'><p xmlns='urn:test'>{payload}</p></item></publish>"
    ));
    let ping = "<iq type='get' id='q' to='juliet@capulet.lit/silent'><ping xmlns='urn:xmpp:ping'/></iq>\
                <iq type='get' id='end'><ping xmlns='urn:xmpp:ping'/></iq>";
    let start = std::time::Instant::now();
    loop {
        ask(&mut busy, &publish, "</iq>");
        busy.write_all(ping.as_bytes()).unwrap();
        // The answer to the second ping; before it, if there is nobody to route the first to, its error.
        let mut seen = String::new();
        while !seen.contains("id='end'") {
            seen += &read_until(&mut busy, ">");
        }
        if seen.contains("<service-unavailable ") {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "still there: {seen}");
    }
}
