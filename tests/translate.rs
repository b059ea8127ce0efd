//! `pubshim translate` and `pubshim explain`, as somebody at a prompt uses them.
#![allow(clippy::unwrap_used, clippy::disallowed_types, missing_docs)]

use std::io::Write as _;
use std::process::{Command, Stdio};

/// What the program prints for `input`, what it complains of, and its exit code.
fn pubshim(arguments: &[&str], input: &str) -> (String, String, i32) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pubshim"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have had enough before the end.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code().unwrap(),
    )
}

const EVENT: &str = "<message from='romeo@montague.lit'>\
    <event xmlns='http://jabber.org/protocol/pubsub#event'><items node='presence'><item>\
    <presence xmlns='jabber:client' from='romeo@montague.lit/mobile'/></item></items></event></message>";
const PRESENCE: &str = "<presence xmlns='jabber:client' from='romeo@montague.lit/mobile' to='juliet@capulet.lit/balcony'/>";

#[test]
fn a_presence_becomes_a_native_copy_and_a_publish() {
    let (out, _, code) = pubshim(&["translate", "--from", "client"], "<presence id='p'/>\n");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(code, 0);
    assert_eq!(
        lines[0],
        "to server: <presence id='p'><shim xmlns='urn:pubshim:0'/></presence>"
    );
    let publish = "<publish node='presence'><item id='balcony'><presence ";
    assert!(lines.iter().any(|line| line.contains(publish)), "{out}");
    assert!(
        lines.iter().all(|line| line.starts_with("to server: ")),
        "{out}"
    );
}

#[test]
fn an_event_becomes_presence_bare_and_separated_as_asked() {
    for (option, end) in [("--to=client", "\n"), ("--to=client -0", "\0")] {
        let options: Vec<_> = ["translate", "--from=server"]
            .into_iter()
            .chain(option.split(' '))
            .collect();
        let (out, _, _) = pubshim(&options, EVENT);
        assert_eq!(out, format!("{PRESENCE}{end}"));
    }
    assert_eq!(
        pubshim(
            &["translate", "--from=server", "--policy=off", "--to=client"],
            EVENT
        )
        .0,
        format!("{EVENT}\n")
    );
}

#[test]
fn stanzas_may_stand_in_any_lines_or_between_nuls() {
    let spread = EVENT.replace("><", ">\n<");
    let (out, _, _) = pubshim(&["translate", "--from=server", "--to=client"], &spread);
    assert_eq!(out, format!("{PRESENCE}\n"));
    let (out, _, _) = pubshim(
        &["translate", "--from=server", "--to=client"],
        "<iq/>\0<message/>\0",
    );
    assert_eq!(out, "<iq/>\n<message/>\n");
}

#[test]
fn explain_names_rule_and_listing() {
    let input = "<presence/><presence to='a@b'/><message/>";
    let (out, _, _) = pubshim(&["explain", "--from", "client"], input);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[0], "<presence/>");
    assert!(
        lines[1].starts_with("  presence-native (listing 1): "),
        "{out}"
    );
    assert!(
        lines[2].starts_with("  presence-publish (listing 1, 3): "),
        "{out}"
    );
    assert_eq!(lines[3], "<presence to='a@b'/>");
    assert_eq!(lines[4], "  passes byte for byte: no rule names it");
    let forged = EVENT.replace("/mobile", "");
    let (out, _, _) = pubshim(&["explain", "--from", "server"], &forged);
    assert!(out.contains("dropped: foreign-from"), "{out}");
}

#[test]
fn what_is_no_stanza_is_named_with_its_line() {
    for (input, wrong) in [
        (
            "<iq/>\n\n<iq>",
            "line 3: not well-formed XML: an element is not closed",
        ),
        ("<iq/>\n<!-- -->", "line 2: forbidden in XMPP: a comment"),
        (
            "hello",
            "line 1: not a stream of stanzas: text between stanzas",
        ),
    ] {
        let (_, complaint, code) = pubshim(&["translate", "--from=client"], input);
        assert_eq!(code, 2);
        assert_eq!(
            complaint,
            format!("pubshim: error: standard input, {wrong}\n")
        );
    }
    assert_eq!(pubshim(&["translate"], "").2, 2);
    assert_eq!(
        pubshim(
            &["translate", "--from=client", "--account=juliet@capulet.lit"],
            ""
        )
        .2,
        2
    );
}

#[test]
fn steps_are_of_a_fixture_and_bare_xml_is_not() {
    let message = "<message to='a@b'><body>${any}</body></message>";
    let (out, _, _) = pubshim(&["translate", "--from=client"], message);
    let step = format!("to server: {}\n", message.replace("${", "$${"));
    assert_eq!(out, step);
    let (out, _, _) = pubshim(&["translate", "--from=client", "--to=server"], message);
    assert_eq!(out, format!("{message}\n"));
}

#[test]
fn a_stanza_of_any_depth_is_answered() {
    for from in ["client", "server"] {
        let deep = format!(
            "<message>{}{}</message>",
            "<a>".repeat(100_000),
            "</a>".repeat(100_000)
        );
        for command in ["translate", "explain"] {
            // It may pass or be refused, as long as it ends.
            let (out, error, code) = pubshim(&[command, "--from", from], &deep);
            assert!(
                !(out.is_empty() && error.is_empty()),
                "{command} {from}: {code}"
            );
        }
    }
}
