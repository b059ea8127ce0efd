//! `pubshim translate` and `pubshim explain`, as somebody at a prompt uses them.
#![allow(clippy::unwrap_used, clippy::disallowed_types, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod listings;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pubshim::commands::translate::AFTER_HELP;

use crate::common::assert_has;
use crate::listings::{LISTING_14, MESSAGE};

/// Output of the program for `input`, its complaint, and its exit code. `arguments` as they are typed.
fn pubshim(arguments: &str, input: &str) -> (String, String, i32) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pubshim"))
        .args(arguments.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code().unwrap(),
    )
}

/// Output of the program, which has nothing to complain of.
fn printed(arguments: &str, input: &str) -> String {
    let (out, complaint, code) = pubshim(arguments, input);
    assert_eq!((&*complaint, code), ("", 0), "{arguments}");
    out
}

const EVENT: &str = "<message from='romeo@montague.lit'>\
    <event xmlns='http://jabber.org/protocol/pubsub#event'><items node='presence'><item>\
    <presence xmlns='jabber:client' from='romeo@montague.lit/mobile'><show>away</show></presence></item></items></event></message>";
const PRESENCE: &str = "<presence xmlns='jabber:client' from='romeo@montague.lit/mobile' to='juliet@capulet.lit/balcony'>\
    <show>away</show></presence>";

#[test]
fn a_presence_becomes_a_native_copy_and_a_publish() {
    let out = printed("translate", "<presence id='p'/>\n");
    let copy = "to server: <presence id='p'><shim xmlns='urn:pubshim:0' chat='1'/></presence>\n";
    assert!(out.starts_with(copy), "{out}");
    assert_has(
        &out,
        "<publish node='presence'><item id='balcony'><presence ",
    );
    let mut lines = out.lines();
    assert!(lines.all(|line| line.starts_with("to server: ")), "{out}");
}

#[test]
fn an_event_becomes_presence_bare_and_separated_as_asked() {
    for (options, shown) in [
        ("--to=client", format!("{PRESENCE}\n")),
        ("--to=client -0", format!("{PRESENCE}\0")),
        ("--to=client --policy=off", format!("{EVENT}\n")),
    ] {
        let out = printed(&format!("translate --from=server {options}"), EVENT);
        assert_eq!(out, shown);
    }
}

#[test]
fn stanzas_may_stand_in_any_lines_or_between_nuls() {
    let translate = |input: &str| printed("translate --from=server --to=client", input);
    let spread = EVENT.replace("<item", "\n<item");
    assert_eq!(translate(&spread), format!("{PRESENCE}\n"));
    assert_eq!(translate("<iq/>\0<message/>\0"), "<iq/>\n<message/>\n");
}

#[test]
fn explain_names_rule_and_listing() {
    let input = "<presence/><presence to='a@b'/><message/>";
    let out = printed("explain --from client", input);
    let [first, native, publish, second, passes, ..] = &out.lines().collect::<Vec<_>>()[..] else {
        panic!("{out}");
    };
    assert_eq!((*first, *second), ("<presence/>", "<presence to='a@b'/>"));
    let rules = [
        (native, "  presence-native (listing 1): "),
        (publish, "  presence-publish (listing 1, 3): "),
    ];
    assert!(rules.iter().all(|(it, rule)| it.starts_with(rule)), "{out}");
    assert_eq!(*passes, "  passes byte for byte: no rule names it");
    let out = printed("explain --from server", &EVENT.replace("/mobile", ""));
    let dropped = "  dropped: its sender is not who the account or service it came from says (foreign-from)\n";
    assert_has(&out, dropped);
}

#[test]
fn input_that_is_no_stanza_is_named_with_its_line() {
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
        let (_, complaint, code) = pubshim("translate --from=client", input);
        let told = format!("pubshim: error: standard input, {wrong}\n");
        assert_eq!((complaint, code), (told, 2));
    }
    let (_, _, code) = pubshim("translate --account=juliet@capulet.lit", "");
    assert_eq!(code, 2);
}

#[test]
fn steps_are_of_a_fixture_and_bare_xml_is_not() {
    let message = "<message to='a@b'><body>${any}</body></message>";
    let step = format!("to server: {}\n", message.replace("${", "$${"));
    assert_eq!(printed("translate --from=client", message), step);
    let bare = printed("translate --from=client --to=server", message);
    assert_eq!(bare, format!("{message}\n"));
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
            // The stanza may pass or be refused, as long as the program ends.
            let (out, error, code) = pubshim(&format!("{command} --from {from}"), &deep);
            assert!(
                !(out.is_empty() && error.is_empty()),
                "{command} {from}: {code}"
            );
        }
    }
}

#[test]
fn explain_tells_what_waits_is_refused_or_is_answered() {
    for (policy, input, line) in [
        (
            "auto",
            "<presence to='x@conference.example.org/n'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
            "  held until conference.example.org has answered <query xmlns='http://jabber.org/protocol/disco#info'/>",
        ),
        (
            "pure",
            MESSAGE,
            "  held until pubsub.montague.lit has answered <subscriptions/>",
        ),
        (
            "pure",
            "<presence to='a@b'/>",
            "  refused: feature-not-implemented",
        ),
        (
            "pure",
            "<presence type='subscribe'/>",
            "  refused: bad-request",
        ),
        (
            "pure",
            "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>",
            "  answered by pubshim",
        ),
        (
            "auto",
            "<foo xmlns='bar'/>",
            "  refused: the session ends (unsupported-stanza-type)",
        ),
    ] {
        let out = printed(&format!("explain --policy {policy}"), input);
        assert!(out.lines().any(|it| it == line), "{input}:\n{out}");
        let is_held = out.contains("held until");
        let is_whole = out.contains("no rule names it") || out.contains("passes") && !is_held;
        assert!(!is_whole, "{input}:\n{out}");
    }
}

#[test]
fn explain_tells_why_an_event_is_dropped() {
    let stranger = EVENT.replace("romeo@montague.lit", "tybalt@capulet.lit");
    for (input, reason) in [
        // The same change came natively.
        (
            format!("{PRESENCE}{EVENT}"),
            "the client was shown this already (seen)",
        ),
        (
            stranger,
            "the roster does not say that the account is subscribed to its sender (not-subscribed)",
        ),
    ] {
        let out = printed("explain --from=server", &input);
        assert_has(&out, &format!("\n  dropped: {reason}\n"));
    }
}

#[test]
fn files_are_read_in_order_and_standard_input_among_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (one, two) = (path("1.xml", "<message id='1'/>"), path("2.xml", "<iq>"));
    let files = format!("translate --to=server {one} - {one}");
    let all = "<message id='1'/>\n<message id='2'/>\n<message id='1'/>\n";
    assert_eq!(printed(&files, "<message id='2'/>"), all);
    let (_, complaint, code) = pubshim(&format!("explain {two}"), "");
    let wrong =
        format!("pubshim: error: {two}, line 1: not well-formed XML: an element is not closed\n");
    assert_eq!((complaint, code), (wrong, 2));
    let (_, _, code) = pubshim("explain no/such/file", "");
    assert_eq!(code, 3);
}

#[test]
fn a_roster_says_who_is_a_contact() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roster.xml");
    let options = format!("explain --from=server --roster {}", path.display());
    let explain = |roster: &str, input: &str| {
        std::fs::write(&path, roster).unwrap();
        pubshim(&options, input)
    };
    let of = |subscription: &str| {
        format!(
            "<iq><query xmlns='jabber:iq:roster'><item jid='romeo@montague.lit' subscription='{subscription}'/></query></iq>"
        )
    };
    assert!(explain(&of("to"), EVENT).0.contains("presence-event"));
    assert!(explain(&of("from"), EVENT).0.contains("(not-subscribed)"));
    for (wrong, reason) in [
        ("<a/>".to_owned(), "not a roster"),
        (String::new(), "not a roster"),
        (of("maybe"), "item 1 of the roster has a subscription"),
        (
            of("to").replace("jid", "id"),
            "item 1 of the roster has no attribute 'jid'",
        ),
    ] {
        let (_, complaint, code) = explain(&wrong, EVENT);
        assert!(complaint.contains(reason), "{complaint}");
        assert_eq!(code, 2);
    }
}

#[test]
fn steps_before_a_stanza_are_shown_if_asked_for() {
    let out = printed("translate", LISTING_14);
    assert!(
        !out.contains("from server: ") && !out.contains("<auth "),
        "{out}"
    );
    let out = printed("translate -v", LISTING_14);
    let at = |text: &str| {
        out.find(text)
            .unwrap_or_else(|| panic!("{text} is not in {out}"))
    };
    let order = [
        "# The login\n",
        "from client: <auth ",
        "# What comes first\n",
        "from client: <presence to='characters@chat.shakespeare.lit/JC'>",
        "# The stanza\n",
        "<publish node='characters'>",
    ];
    assert!(order.map(at).is_sorted(), "{out}");
}

#[test]
fn nobody_logs_in_with_an_address_no_server_takes() {
    let long = format!("translate --account={}@c.lit/d", "x".repeat(1024));
    let (_, complaint, code) = pubshim(&long, "<presence/>");
    let told = "pubshim: error: nobody can log in as \"xxx";
    assert!(complaint.starts_with(told), "{complaint}");
    assert_eq!(code, 2);
}

#[test]
fn the_examples_of_the_help_work() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("events.xml"), EVENT).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_pubshim")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let is_example = |line: &&str| line.starts_with("  echo ") || line.starts_with("  pubshim ");
    let examples: Vec<_> = AFTER_HELP.lines().filter(is_example).collect();
    assert_eq!(examples.len(), 7);
    for example in examples {
        let shell = Command::new("sh")
            .args(["-c", example])
            .env("PATH", &path)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&shell.stderr);
        assert!(
            shell.status.success() && error.is_empty(),
            "{example}: {error}"
        );
        assert!(!shell.stdout.is_empty(), "{example}");
    }
}
