//! The way from the client: clients that insist on TLS, each as it is after its installation.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::people::{come_online, talk_and_join_muc};
use crate::puppet::{Puppet, python};
use crate::server::{Account, Entry, Kind, Server};
use crate::shim::Shim;

on_both_servers!(
    everyday_over_our_tls,
    aioxmpp_with_its_defaults,
    go_sendxmpp_with_its_defaults
);

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

    /// By STARTTLS, the certificate checked.
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

    /// This client as somebody starts it who trusts our certificate.
    fn trusting(&self, account: &Account, mut command: Command) -> Command {
        command
            .env("SSL_CERT_FILE", self.certificate(account))
            .env_remove("SSL_CERT_DIR");
        command
    }
}

/// slixmpp prefers to bind its login to its TLS, which is ours: it logs in all the same.
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
