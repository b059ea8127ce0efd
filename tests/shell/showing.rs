//! The live view, read by a pipe.

use std::io::{BufRead as _, BufReader, Read as _};

use crate::text::assert_has;
use crate::tools::{Server, Shim};

/// The standard output of `run` in a session in which something is said each way.
fn shown(options: &[&str]) -> String {
    let (server, connections) = Server::by_hand();
    // Chats through nodes would have the end wait for answers.
    let mut shim = Shim::before(&server, &[&["--native=chat"], options].concat());
    let mut stdout = shim.stdout();
    let (mut client, mut server) = shim.log_in(&connections);
    client.send("<presence id='p'><show>away</show></presence>");
    server.wait("<configure node='presence'/></pubsub></iq>");
    client.send("<message to='romeo@localhost' id='m'><body>wherefore</body></message>");
    server.wait("</message>");
    shim.end(client, server);
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    text
}

/// The one line of `text` with `part` in it, words apart by one space.
fn line(text: &str, part: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| line.contains(part)).collect();
    assert_eq!(lines.len(), 1, "{part} in {text}");
    lines[0].split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_pipe_gets_plain_lines() {
    let text = shown(&["--show", "--show-own"]);
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(!text.contains("wherefore"), "{text}");
    let came = line(&text, "presence-publish");
    for part in [
        "juliet@localhost/balcony client → shim 45 B <presence> show=\"away\" |",
        "presence-native (1)",
        "presence-publish (1, 3): ×",
    ] {
        assert!(came.contains(part), "{part} in {came}");
    }
    line(&text, "<iq get> configure presence");
    let passed = line(&text, "server      69 B");
    assert!(
        passed.ends_with(
            "client ───────→ server 69 B <message> to=romeo@localhost body=\"REDACTED\""
        ),
        "{passed}"
    );
    line(
        &text,
        "juliet@localhost/balcony  * ended: the price of elegance: ×",
    );
    let last = text.lines().last().unwrap();
    assert!(last.contains("all sessions"), "{text}");
}

#[test]
fn own_requests_are_folded() {
    let text = shown(&["--show"]);
    assert!(!text.contains("<iq get>"), "{text}");
    assert_has(&text, " own requests, ");
}

#[test]
fn other_programs_read_the_steps() {
    let text = shown(&["--show=json"]);
    let step = |line: &str| -> serde_json::Value { serde_json::from_str(line).expect(line) };
    let steps: Vec<_> = text.lines().map(step).collect();
    let said = steps
        .iter()
        .find(|it| it["step"] == "from client" && it["bytes"] == 45);
    let said = said.unwrap_or_else(|| panic!("{text}"));
    assert_eq!(said["who"], "juliet@localhost/balcony");
    assert_eq!(said["xml"], "<presence id='p'><show>away</show></presence>");
    assert!(
        !text.contains("AGEAYg==") && !text.contains("wherefore"),
        "{text}"
    );
}

#[test]
fn all_of_it_or_only_some_is_shown() {
    let text = shown(&["--show=full", "--show-bodies", "--show-only=message"]);
    assert_has(
        &text,
        "<message to='romeo@localhost' id='m'><body>wherefore</body></message>\n",
    );
    assert!(!text.contains("<presence"), "{text}");
    assert!(!text.contains("AGEAYg=="), "{text}");
}

#[test]
fn what_passes_unread_is_shown_stanza_by_stanza() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &["--policy=off", "--show"]);
    let mut stdout = shim.stdout();
    let (mut client, mut server) = shim.log_in(&connections);
    client.send("<message id='m' to='romeo@localhost'>");
    server.wait("<message id='m' to='romeo@localhost'>");
    client.send("<body>wherefore</body></message>");
    server.wait("</message>");
    server.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
    client.wait("</iq>");
    server.send(&format!(
        "<presence id='large'>{}</presence>",
        "<a/>".repeat(300_000)
    ));
    client.wait("</presence>");
    drop((client, server));
    shim.wait_for_log(": ended");
    shim.signal("-TERM");
    assert_eq!(shim.exit_code(), Some(0));
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    let large = line(&text, "<presence>");
    assert!(large.ends_with("(cut off)"), "{large}");
    let passed = line(&text, "<message>");
    assert!(passed.contains("client ───────→ server"), "{text}");
    assert!(!text.contains("wherefore"), "{text}");
    assert!(
        line(&text, "ping").contains("client ←─────── server"),
        "{text}"
    );
}

#[test]
fn nothing_is_shown_unless_asked_for() {
    assert_eq!(shown(&[]), "");
}

#[test]
fn sessions_go_on_when_nobody_reads_the_view() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &["--show"]);
    let mut stdout = BufReader::new(shim.stdout());
    let (mut client, mut server) = shim.log_in(&connections);
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    client.send("<message id='1'/>");
    server.wait("<message id='1'/>");
    shim.wait_for_log("the live view is over");
    client.send("<message id='2'/>");
    server.wait("<message id='2'/>");
    shim.signal("-TERM");
    client.rest();
    drop((client, server));
    let log = shim.rest_of_log();
    assert!(!log.contains("live view"), "once is enough: {log}");
    assert_eq!(shim.exit_code(), Some(0));
}

#[test]
fn who_stops_reading_the_view_keeps_nobody_waiting() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &["--show=full", "--shutdown-timeout=1"]);
    // The test never reads: the pipe is full after some of this.
    let _stdout = shim.stdout();
    let (mut client, mut server) = shim.log_in(&connections);
    let long = format!(
        "<message><x xmlns='n'>{}</x></message>",
        "<y/>".repeat(50_000)
    );
    for _ in 0..3 {
        client.send(&long);
        server.wait("</message>");
    }
    shim.signal("-TERM");
    server.wait("</stream:stream>");
    drop((client, server));
    shim.wait_for_log("--show was not written to its end in time");
    assert_eq!(shim.exit_code(), Some(0));
}
