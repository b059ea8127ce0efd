//! Servers found by DNS or reached through a proxy, and clients that insist on TLS, each with its default settings.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::dns::{Data, Dns};
use crate::people::{come_online, talk_and_join_muc};
use crate::process::{Guarded, PATIENCE};
use crate::puppet::{Puppet, python};
use crate::server::{Account, Entry, Kind, Server};
use crate::shim::Shim;

on_both_servers!(
    found_by_srv_records,
    found_by_a_record_for_direct_tls,
    through_a_socks5_proxy,
    everyday_over_our_tls,
    aioxmpp_with_its_defaults,
    go_sendxmpp_with_its_defaults
);

/// Everyday use through one shim that is told neither the server's name nor its port.
fn everyday_by_dns(server: &Server, zone: &[(&'static str, Data)]) {
    let dns = Dns::of(zone);
    let ca_file = format!("--ca-file={}", server.ca_file().display());
    let shim = Shim::run(&[&dns.option(), &ca_file]);
    let [juliet, romeo] = ["juliet", "romeo"].map(|name| {
        let account = server.account(name);
        Puppet::login(&shim.entry(), &account, &format!("{name}-dns"))
    });
    talk_and_join_muc(server, &juliet, &romeo);
    assert!(
        dns.asked()
            .iter()
            .any(|name| name == "_xmpp-client._tcp.montague.lit")
    );
}

/// The address of the server.
const HERE: (&str, Data) = ("xmpp.verona.lit", Data::A([127, 0, 0, 1]));

fn found_by_srv_records(kind: Kind) {
    let server = Server::get(kind);
    let at = |priority, port| Data::Srv(priority, 0, port, HERE.0);
    let port = server.addr().port();
    // Each domain's preferred record is wrong: nothing listens there, or the port speaks TLS without STARTTLS.
    let tls_port = server.direct_tls_addr().port();
    everyday_by_dns(
        server,
        &[
            ("_xmpp-client._tcp.capulet.lit", at(10, free_port())),
            ("_xmpp-client._tcp.capulet.lit", at(20, port)),
            ("_xmpp-client._tcp.montague.lit", at(5, tls_port)),
            ("_xmpp-client._tcp.montague.lit", at(10, port)),
            HERE,
        ],
    );
}

fn found_by_a_record_for_direct_tls(kind: Kind) {
    let server = Server::get(kind);
    let port = server.direct_tls_addr().port();
    let here = Data::Srv(0, 0, port, HERE.0);
    let zone = [
        ("_xmpps-client._tcp.capulet.lit", here.clone()),
        ("_xmpps-client._tcp.montague.lit", here),
        HERE,
    ];
    everyday_by_dns(server, &zone);
}

fn through_a_socks5_proxy(kind: Kind) {
    let server = Server::get(kind);
    let proxy = Proxy::start();
    let at = format!("--server=localhost:{}", server.addr().port());
    let ca_file = format!("--ca-file={}", server.ca_file().display());
    let shim = Shim::run(&[&at, &ca_file, &format!("--proxy=socks5://{}", proxy.addr)]);
    let juliet = Puppet::login(&shim.entry(), &server.account("juliet"), "balcony");
    come_online(&juliet, "Here");
    // The proxy was given the name, not an address.
    let connected = format!("connected to localhost:{}", server.addr().port());
    let is_it = |line: &String| line.contains(&connected).then_some(());
    assert!(proxy.process.output.find(is_it).is_some());
}

/// A SOCKS5 proxy.
struct Proxy {
    process: Guarded,
    addr: SocketAddr,
}

impl Proxy {
    fn start() -> Self {
        // Another process may take the port before microsocks starts.
        for _ in 0..5 {
            let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
            let mut command = Command::new("microsocks");
            command.args(["-i", "127.0.0.1", "-p", &addr.port().to_string()]);
            let process = Guarded::start(None, &command);
            if poll_connect(addr) {
                return Self { process, addr };
            }
        }
        panic!("this test needs the Debian package microsocks");
    }
}

/// Whether a program listens there before long.
fn poll_connect(addr: SocketAddr) -> bool {
    let deadline = Instant::now() + PATIENCE / 10;
    while Instant::now() < deadline {
        if TcpStream::connect(addr).is_ok() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    free.local_addr().unwrap().port()
}

/// A shim that offers TLS with a certificate it has made.
struct Secured {
    shim: Shim,
    state: TempDir,
}

impl Secured {
    fn start(server: &Server) -> Self {
        let state = TempDir::new().unwrap();
        let folder = state.path().to_str().unwrap();
        let shim = Shim::start(
            server,
            "auto",
            &["--state", folder, "--domain", "capulet.lit,montague.lit"],
        );
        Self { shim, state }
    }

    /// An entry by STARTTLS with a check of the certificate.
    fn entry(&self, account: &Account) -> Entry {
        Entry {
            addr: self.shim.addr,
            ca_file: Some(self.certificate(account)),
        }
    }

    fn certificate(&self, account: &Account) -> PathBuf {
        let (_, domain) = account.bare.split_once('@').unwrap();
        self.state.path().join(format!("{domain}.pem"))
    }

    /// The command with the shim's certificate as the only trusted one.
    fn trusting(&self, account: &Account, mut command: Command) -> Command {
        command
            .env("SSL_CERT_FILE", self.certificate(account))
            .env_remove("SSL_CERT_DIR");
        command
    }
}

/// slixmpp prefers channel binding, which cannot work through a shim's TLS: it logs in all the same.
fn everyday_over_our_tls(kind: Kind) {
    let server = Server::get(kind);
    let secured = Secured::start(server);
    let [juliet, romeo] = ["juliet", "romeo"].map(|name| {
        let resource = format!("{name}-tls");
        let account = server.account(name);
        Puppet::login(&secured.entry(&account), &account, &resource)
    });
    talk_and_join_muc(server, &juliet, &romeo);
}

fn aioxmpp_with_its_defaults(kind: Kind) {
    let server = Server::get(kind);
    let secured = Secured::start(server);
    let account = server.account("juliet");
    let mut command = secured.trusting(&account, python("with_aioxmpp_tls.py"));
    let addr = secured.shim.addr;
    command
        .args([&addr.ip().to_string(), &addr.port().to_string()])
        .args([&format!("{}/balcony", account.bare), &account.password]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("online"),
        "{said}{complaint}"
    );
    secured
        .shim
        .wait_for_log("TLS is up on the way to the client");
}

/// By STARTTLS, and from the first byte.
fn go_sendxmpp_with_its_defaults(kind: Kind) {
    let server = Server::get(kind);
    let secured = Secured::start(server);
    let romeo = Puppet::login(&server.entry(), &server.account("romeo"), "orchard");
    come_online(&romeo, "Here");
    let account = server.account("juliet");
    for (how, body) in [
        (None, "by STARTTLS"),
        (Some("--tls"), "from the first byte"),
    ] {
        let mut command = secured.trusting(&account, Command::new("go-sendxmpp"));
        command
            .args([
                "-u",
                &account.bare,
                "-p",
                &account.password,
                "-j",
                &secured.shim.addr.to_string(),
            ])
            .args(how)
            .arg(&romeo.bare)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        process
            .stdin
            .take()
            .unwrap()
            .write_all(body.as_bytes())
            .unwrap();
        let output = process.wait_with_output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{how:?}: {complaint}");
        romeo.wait(body, |it| {
            it.kind == "message" && it.child("body").trim() == body
        });
    }
}
