//! `pubshim demo` as somebody starts it who has nothing but this program.

#![allow(
    clippy::disallowed_types,
    reason = "these tests start pubshim, and take ports from it"
)]
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pubshim"))
        .arg("demo")
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one sentence of standard error when `demo` ends with `code`.
fn complaint(arguments: &[&str], code: i32) -> String {
    let output = demo(arguments);
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{error}");
    error
}

#[test]
fn the_scene_is_played_and_each_act_named_above_its_stanzas() {
    let output = demo(&["--script", "--listen=127.0.0.1:0"]);
    let text = stdout(&output);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}{error}");
    assert_eq!(error, "");
    let mut rest = &*text;
    for part in [
        "not a server to run",
        "juliet@localhost",
        "/connect juliet@localhost server 127.0.0.1 port ",
        "Refused, as publish-subscribe has no word for it: ",
        "The server itself is at 127.0.0.1:",
        "* Juliet and Romeo log in",
        "presence-publish (1, 3)",
        "* logged in as romeo@localhost/orchard",
        "* He asks to see when she is there, and she lets him (listings 5 to 11)",
        "<presence subscribe> to=juliet@localhost",
        "* Her status changes, and he sees it (listings 1 to 4)",
        "client → shim               61 B  <presence> show=\"away\" status=\"Moping\"",
        "* They write to each other (listings 18 to 20)",
        "client → shim               99 B  <message chat>",
        "room-join (12, 13)",
        "all sessions              * the price of elegance: ×",
        "The scene was played",
    ] {
        let found = rest.split_once(part);
        (_, rest) = found.unwrap_or_else(|| panic!("{part} in {text}"));
    }
}

#[test]
fn a_scene_in_another_domain_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let record = format!("--record={}", folder.path().display());
    let mut arguments = vec!["--script", "--listen=127.0.0.1:0", "--show=off"];
    arguments.extend(["--domain=Verona.lit", &record]);
    let output = demo(&arguments);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("juliet@verona.lit"), "{text}");
    assert!(
        text.contains("\nHe asks to see when she is there"),
        "{text}"
    );
    assert!(!text.contains("presence-publish"), "{text}");
    let files = std::fs::read_dir(folder.path()).unwrap();
    let texts: Vec<_> = files
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert_eq!(texts.len(), 2);
    for name in ["juliet@verona.lit/balcony", "romeo@verona.lit/orchard"] {
        let bound = format!("<jid>{name}</jid>");
        let is_his = |text: &&String| text.contains(&bound) && text.contains("policy: pure");
        assert_eq!(texts.iter().filter(is_his).count(), 1, "{name}");
    }
}

#[test]
fn offers_no_policy_that_cannot_work() {
    for policy in ["auto", "off"] {
        let error = complaint(&["--policy", policy], 2);
        assert!(error.contains("[possible values: pure]"), "{error}");
    }
}

#[test]
fn json_is_all_that_programs_read() {
    let output = demo(&["--script", "--listen=127.0.0.1:0", "--show=json"]);
    let text = stdout(&output);
    let step = |line: &str| -> serde_json::Value { serde_json::from_str(line).expect(line) };
    let steps: Vec<_> = text.lines().map(step).collect();
    let ended = steps.iter().filter(|step| step["step"] == "ended");
    let mut who: Vec<_> = ended.filter_map(|step| step["who"].as_str()).collect();
    who.sort_unstable();
    assert_eq!(who, ["juliet@localhost/balcony", "romeo@localhost/orchard"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("Clients log in at"), "{error}");
}

#[test]
fn the_usual_port_may_be_taken() {
    // The test takes the port, unless another process has it already.
    let _taken = TcpListener::bind("127.0.0.1:5222");
    let output = demo(&["--script"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains(" (5222 is taken), "), "{text}");
}

#[test]
fn the_port_asked_for_may_not_be_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = complaint(&["--script", "--listen", &address], 3);
    let expected = format!(
        "pubshim: error: cannot listen on {address}; choose another address with --listen: "
    );
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn a_broken_data_file_is_left_as_it_is() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "version = 1\nnode = broken\n").unwrap();
    let path = file.path().to_str().unwrap();
    let error = complaint(&["--data", path, "--listen=127.0.0.1:0"], 1);
    assert!(error.contains(path) && error.contains("broken"), "{error}");
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text, "version = 1\nnode = broken\n");
}

#[test]
fn usage_errors() {
    for (arguments, part) in [
        (&["--listen=0.0.0.0:5222"][..], "this machine only"),
        (&["--account=nurse"], "NAME:PASSWORD"),
        (&["--account=a@b:c"], "NAME:PASSWORD"),
        (&["--account=a:b'c"], "NAME:PASSWORD"),
        (&["--script", "--account=nurse:verona"], "--account"),
        (&["--script", "--data=file"], "--data"),
        (&["--show=long"], "off, short, full, json"),
    ] {
        let error = complaint(arguments, 2);
        assert!(error.contains(part), "{arguments:?}: {error}");
    }
}

/// A demo that waits for clients, its text up to the last line before any stanza, and the rest of its output.
fn waiting() -> (Child, String, BufReader<ChildStdout>) {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_pubshim"))
        .args(["demo", "--listen=127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(demo.stdout.take().unwrap());
    let mut told = String::new();
    while !told.contains("Ctrl-C ends it") {
        assert_ne!(stdout.read_line(&mut told).unwrap(), 0, "the end of it");
    }
    (demo, told, stdout)
}

fn signal(demo: &Child, name: &str) {
    let id = demo.id().to_string();
    let kill = Command::new("kill").args([name, &id]).status();
    assert!(kill.unwrap().success());
}

#[test]
fn a_signal_ends_it_with_the_sums() {
    let (mut demo, told, mut stdout) = waiting();
    // The advice on first steps is for people, and no scene prints it.
    for part in ["Try first", "/join characters@chat.localhost "] {
        assert!(told.contains(part), "{part}: {told}");
    }
    signal(&demo, "-TERM");
    assert_eq!(demo.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("all sessions"), "{rest}");
}

#[test]
fn a_closed_terminal_ends_it() {
    let (mut demo, _, _stdout) = waiting();
    signal(&demo, "-HUP");
    assert_eq!(demo.wait().unwrap().code(), Some(0));
}
