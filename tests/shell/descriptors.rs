//! The limit of open files, of which each session needs some.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::text::assert_has;
use crate::tools::{Server, Shim};

/// A shim that a shell starts after these commands.
fn start_after(commands: &str, options: &[&str]) -> Shim {
    let mut shell = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_pubshim");
    shell.args([
        "-c",
        &format!("{commands} && exec '{program}' \"$@\""),
        "sh",
    ]);
    Shim::start_by(shell, options)
}

/// Its soft and its hard limit of open files.
fn limits(shim: &Shim) -> Vec<String> {
    let limits = fs::read_to_string(format!("/proc/{}/limits", shim.id())).unwrap();
    let line = limits.lines().find(|it| it.starts_with("Max open files"));
    let words = line.unwrap().split_whitespace().skip(3).take(2);
    words.map(str::to_owned).collect()
}

/// Forbids the shim to open one more file. New ones get the lowest free number, and numbers are limited.
fn allow_no_more_files(shim: &Shim) {
    let fd = format!("/proc/{}/fd", shim.id());
    let is_free = |number: &usize| !Path::new(&format!("{fd}/{number}")).exists();
    set_limit(shim, (0..).find(is_free).unwrap());
}

fn set_limit(shim: &Shim, most: usize) {
    let prlimit = Command::new("prlimit")
        .args(["--pid", &shim.id().to_string()])
        .arg(format!("--nofile={most}:"))
        .status();
    assert!(prlimit.unwrap().success());
}

#[test]
fn as_many_files_as_the_system_allows() {
    let mut shim = start_after("ulimit -Sn 100 && ulimit -Hn 3000", &[]);
    shim.wait_for_log("allows 3000 open files");
    assert_eq!(limits(&shim), ["3000", "3000"]);
}

#[test]
fn no_more_sessions_than_there_are_descriptors_for() {
    let (server, connections) = Server::by_hand();
    let option = server.option();
    let mut shim = start_after("ulimit -n 72", &[&option, "--max-sessions=50"]);
    let line = shim.wait_for_log("--max-sessions is lowered");
    assert!(
        line.contains("WARN") && line.contains("from 50 to 3:"),
        "{line}"
    );
    for part in ["72 open files", "ulimit -n 166", "LimitNOFILE=166"] {
        assert_has(&line, part);
    }
    let mut sessions: Vec<_> = (0..3).map(|_| shim.log_in(&connections)).collect();
    let told = shim.connect().rest();
    assert_has(&told, "<resource-constraint ");
    for (client, server) in &mut sessions {
        client.send("<iq type='get' id='there'/>");
        server.wait("<iq type='get' id='there'/>");
    }
}

#[test]
fn a_session_that_is_recorded_needs_one_more() {
    let folder = tempfile::tempdir().unwrap();
    let record = format!("--record={}", folder.path().display());
    let mut shim = start_after("ulimit -n 72", &["--max-sessions=3", &record]);
    shim.wait_for_log("from 3 to 2:");
}

#[test]
fn enough_is_nothing_to_tell() {
    let mut shim = start_after("ulimit -n 72", &["--max-sessions=3"]);
    shim.signal("-TERM");
    let log = shim.rest_of_log();
    assert!(!log.contains("WARN"), "{log}");
}

#[test]
fn a_client_for_whom_there_is_no_descriptor() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &[]);
    let (mut client, mut server) = shim.log_in(&connections);
    allow_no_more_files(&shim);
    // The spare descriptor serves one client after the other.
    for _ in 0..3 {
        let told = shim.connect().rest();
        assert_has(&told, "<resource-constraint ");
        assert_has(&told, "as its system allows");
        assert!(told.ends_with("</stream:stream>"), "{told}");
        let line = shim.wait_for_log("turned a client away");
        assert_has(&line, "ulimit -n");
        assert_has(&line, "LimitNOFILE");
    }
    client.send("<iq type='get' id='there'/>");
    server.wait("<iq type='get' id='there'/>");
    server.send("<message><body>hello</body></message>");
    client.wait("<body>hello</body>");

    set_limit(&shim, 1000);
    shim.log_in(&connections);
}
