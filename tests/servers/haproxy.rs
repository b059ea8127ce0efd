//! Two shims behind haproxy, which passes clients on to either; if one shim ends, the other takes its clients.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::people::come_online;
use crate::process::Guarded;
use crate::puppet::Puppet;
use crate::server::{Entry, Kind, Server};
use crate::shim::Shim;

on_both_servers!(two_shims_behind_haproxy);

struct Haproxy {
    process: Guarded,
    addr: SocketAddr,
}

impl Haproxy {
    fn before(shims: [&Shim; 2]) -> Self {
        let mut said = String::new();
        // Another process may take the port before haproxy starts.
        for _ in 0..5 {
            let haproxy = Self::start(shims);
            if haproxy.is_ready() {
                return haproxy;
            }
            said = haproxy.process.said();
        }
        panic!("haproxy does not start:\n{said}");
    }

    fn start([one, two]: [&Shim; 2]) -> Self {
        const PROGRAM: &str = "/usr/sbin/haproxy";
        assert!(
            Path::new(PROGRAM).exists(),
            "this test needs the Debian package haproxy ({PROGRAM} is missing)"
        );
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = free.local_addr().unwrap();
        drop(free);
        let config = include_str!("haproxy.cfg.in")
            .replace("@PORT@", &addr.port().to_string())
            .replace("@ONE@", &one.addr.to_string())
            .replace("@TWO@", &two.addr.to_string());
        let folder = tempfile::tempdir().unwrap().keep();
        let file = folder.join("haproxy.cfg");
        fs::write(&file, config).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("-db").arg("-f").arg(file);
        Self {
            process: Guarded::start(Some(&folder), &command),
            addr,
        }
    }

    /// Whether haproxy has found both shims, which it does after it has begun to listen.
    fn is_ready(&self) -> bool {
        let is_up = |server: &str| {
            let up = format!("Health check for server shims/{server} succeeded");
            let said = &self.process.output;
            said.find(|line| line.contains(&up).then_some(())).is_some()
        };
        is_up("one") && is_up("two")
    }

    fn entry(&self) -> Entry {
        Entry {
            addr: self.addr,
            ca_file: None,
        }
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- haproxy at {}:\n{}", self.addr, self.process.said());
        }
    }
}

/// A shim that takes clients from haproxy only.
fn shim(server: &Server) -> Shim {
    let options = ["--proxy-from=127.0.0.1", "--allow-remote-plaintext"];
    Shim::start(server, "auto", &options)
}

fn say(from: &Puppet, to: &Puppet, body: &str) {
    from.send(json!({"cmd": "message", "to": to.bare, "body": body}));
    to.wait("a message", |it| it.is_message_from(&from.full, body));
}

fn two_shims_behind_haproxy(kind: Kind) {
    let server = Server::get(kind);
    let (mut one, two) = (shim(server), shim(server));
    let haproxy = Haproxy::before([&one, &two]);
    // haproxy checks the shims' health with connections of its own.
    one.wait_for_log("the proxy only asks whether pubshim is there");

    let accounts = ["juliet", "romeo"].map(|name| server.account(name));
    server.befriend(&accounts[0], &accounts[1]);
    let juliet = Puppet::login(&haproxy.entry(), &accounts[0], "balcony");
    one.wait_for_passed_on(1);
    let romeo = Puppet::login(&haproxy.entry(), &accounts[1], "orchard");
    two.wait_for_passed_on(1);
    come_online(&juliet, "Here");
    come_online(&romeo, "Here");
    juliet.wait_for_status(&romeo, "Here");
    romeo.wait_for_status(&juliet, "Here");
    say(&juliet, &romeo, "Wherefore art thou?");
    say(&romeo, &juliet, "Call me but love.");

    assert_eq!(one.terminate(), Some(0));
    juliet.wait("the end of the stream", |it| it.event == "disconnected");
    romeo.wait_for_unavailable(&juliet);
    let meanwhile = "With love's light wings";
    romeo.send(json!({"cmd": "message", "to": juliet.bare, "body": meanwhile}));
    romeo.ping();

    let again = Puppet::login(&haproxy.entry(), &accounts[0], "balcony");
    two.wait_for_passed_on(2);
    come_online(&again, "Here again");
    again.wait("what was said meanwhile", |it| {
        it.is_message_from(&romeo.full, meanwhile)
    });
    romeo.wait_for_status(&again, "Here again");
    again.wait_for_status(&romeo, "Here");
    say(&again, &romeo, "How camest thou hither?");
    say(&romeo, &again, "By love.");
    assert!(
        romeo.so_far().iter().all(|it| it.event != "disconnected"),
        "his session was at the other shim"
    );
}
