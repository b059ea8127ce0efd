//! `pubshim convert`: logs of real programs as inputs of a fixture.
#![allow(clippy::unwrap_used, clippy::disallowed_types, missing_docs)]

mod choose;
#[path = "../common/text.rs"]
mod text;

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use proptest::prelude::*;
use pubshim::fixture::{Conversion, Fixture, Kept, Start, Step, replay};
use pubshim::session::Leg;

use crate::choose::connection;
use crate::text::assert_has;

const CLIENT_HEADER: &str = "<?xml version='1.0'?><stream:stream to='capulet.lit' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const SERVER_HEADER: &str = "<stream:stream id='s1' from='capulet.lit' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

fn with(conversion: &Conversion, text: &str) -> Fixture {
    let fixture = conversion.convert("a log", text).expect("understood");
    let written = fixture.to_string();
    let parsed = Fixture::parse(&written).unwrap_or_else(|error| panic!("{error}:\n{written}"));
    assert_eq!(parsed.to_string(), written);
    replay(&parsed).unwrap_or_else(|error| panic!("{error}:\n{written}"));
    fixture
}

fn convert(text: &str) -> Fixture {
    with(&Conversion::default(), text)
}

fn refused(conversion: &Conversion, text: &str) -> String {
    conversion
        .convert("a log", text)
        .expect_err("refused")
        .to_string()
}

/// The inputs with commas between them: `C` or `S` and the first tag's name, or the step if it has no XML.
fn inputs(fixture: &Fixture) -> String {
    let name = |xml: &str| {
        let xml = xml
            .split_once("?>")
            .map_or(xml, |(_, rest)| rest.trim_start());
        let end = xml.find([' ', '>', '\n']).unwrap();
        xml[..end].trim_matches(['<', '/']).to_owned()
    };
    let input = |step: &Step| match step {
        Step::From(Leg::Client, xml) => format!("C {}", name(xml)),
        Step::From(Leg::Server, xml) => format!("S {}", name(xml)),
        step => step.to_string().trim().to_owned(),
    };
    let exchanges = fixture.exchanges.iter();
    let all: Vec<_> = exchanges.map(|it| input(&it.input)).collect();
    all.join(", ")
}

fn notes(fixture: &Fixture) -> String {
    fixture.preamble.join("\n")
}

#[test]
fn recordings_of_clients() {
    for (name, expected) in [
        ("pidgin", 105),
        ("gajim", 123),
        ("profanity", 65),
        ("go-sendxmpp-plain", 4),
    ] {
        let text = fs::read_to_string(format!("fixtures/clients/{name}.xml")).unwrap();
        let fixture = convert(&text);
        assert_eq!(fixture.exchanges.len(), expected, "{name}");
        assert!(
            matches!(fixture.header.start, Start::Connected(_)),
            "{name}"
        );
        assert!(inputs(&fixture).starts_with("C stream:stream, connected, "));
    }
    for file in fs::read_dir("fixtures/clients").unwrap() {
        let path = file.unwrap().path();
        // The others are fixtures already.
        if path.extension().is_some_and(|ending| ending == "xml") {
            convert(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn pidgin_debug_log() {
    let fixture = convert(
        "(16:54:27) proxy: Connected to capulet.lit:5222.
(16:54:27) jabber: Sending (juliet@capulet.lit): <?xml version='1.0' ?>
(16:54:27) jabber: Sending (juliet@capulet.lit): <stream:stream to='capulet.lit' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>
(16:54:27) jabber: Recv (158): <stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client' id='17' from='capulet.lit' version='1.0'>
(16:54:28) jabber: Recv (107): <stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>
(16:54:28) jabber: Sending (juliet@capulet.lit): <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>
(16:54:28) jabber: Recv (50): <proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>
(16:54:29) nss: SSL version 3.3 using 128-bit AES
Server Auth: 2048-bit RSA, Key Exchange: 2048-bit RSA, Compression: NULL
(16:54:29) jabber: Sending (ssl) (juliet@capulet.lit): <stream:stream to='capulet.lit' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>
(16:54:29) jabber: Recv (ssl)(158): <stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client' id='18' from='capulet.lit' version='1.0'>
(16:54:30) jabber: Recv (ssl)(167): <stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mech
(16:54:30) jabber: Recv (ssl)(20): anism></mechanisms></stream:features>
(16:54:30) sasl: Mechs found: PLAIN
(16:54:30) jabber: Sending (ssl) (juliet@capulet.lit): <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN' xmlns:ga='http://www.google.com/talk/protocol/auth' ga:client-uses-full-bind-result='true'>AGp1bGlldAByMG0zMA==</auth>
(16:54:30) jabber: Recv (ssl)(77): <failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>
(16:54:30) jabber: Sending (ssl) (juliet@capulet.lit/): </stream:stream>
",
    );
    let expected = "C stream:stream, connected, S stream:stream, S stream:features, C auth, S failure, C stream:stream";
    assert_eq!(inputs(&fixture), expected);
    assert!(!fixture.to_string().contains("AGp1"), "{fixture}");
    assert!(notes(&fixture).contains("negotiated TLS"), "{fixture}");
    assert_eq!(fixture.header.account, "juliet@capulet.lit/converted");
}

#[test]
fn profanity_console_and_log() {
    let console = "12:00:01 - SENT:
12:00:01 - <iq id=\"a\" type=\"get\"><query xmlns=\"jabber:iq:roster\"/></iq>
12:00:01 -
";
    // A console may be copied without its times: then a line begins with the XML.
    let bare = console.replace("12:00:01 - ", "").replace("12:00:01 -", "");
    assert_eq!(inputs(&convert(&bare)), "C iq");
    let log = "21/05/2023 12:00:00: prof: INF: Starting
21/05/2023 12:00:00: conn: DBG: SENT: <presence id=\"p\"><status>Two
lines</status></presence>
21/05/2023 12:00:01: prof: DBG: something <odd
21/05/2023 12:00:01: xmpp: DBG: RECV: <presence to=\"juliet@capulet.lit/balcony\" from=\"romeo@montague.lit/x\"/>
";
    let fixture = convert(log);
    assert_eq!(inputs(&fixture), "C presence, S presence");
    assert_eq!(fixture.header.start, Start::Established);
    assert!(fixture.to_string().contains("Two\n| lines<"), "{fixture}");
    assert_eq!(inputs(&convert(console)), "C iq");
}

#[test]
fn gajim_console() {
    let text = "<!-- Outgoing Mon 01 Jan 2024 (juliet@capulet.lit) -->
<message to=\"romeo@montague.lit\">
<body>It is the lark</body>
</message>

<!-- In Mon 01 Jan 2024 (nurse@capulet.lit) -->
<presence from='romeo@montague.lit/x' to='nurse@capulet.lit/y'/>
<!-- In Mon 01 Jan 2024 (juliet@capulet.lit) -->
<presence from='romeo@montague.lit/x' to='juliet@capulet.lit/balcony'/>
";
    let fixture = convert(text);
    assert_eq!(inputs(&fixture), "C message, S presence");
    let written = fixture.to_string();
    assert!(written.contains("<message to=\"romeo@montague.lit\"><body>REDACTED</body></message>"));
    assert!(notes(&fixture).contains("2 connections"), "{written}");
    for (keep_bodies, keep) in [(true, vec![]), (false, vec![Kept::Bodies])] {
        let kept = Conversion {
            keep_bodies,
            keep,
            ..Conversion::default()
        };
        assert!(with(&kept, text).to_string().contains("the lark"));
    }
    let fixture = with(&connection("nurse@capulet.lit"), text);
    assert_eq!(inputs(&fixture), "S presence");
    assert_eq!(fixture.header.account, "nurse@capulet.lit/y");
    // A connection that has a name is not called by its place.
    let expected =
        " there is no connection \"2\"; there are: juliet@capulet.lit, nurse@capulet.lit";
    assert_eq!(refused(&connection("2"), text), expected);
}

#[test]
fn slixmpp_debug_log() {
    let fixture = convert(
        "DEBUG    Using selector: EpollSelector
DEBUG    SEND: <stream:stream to='capulet.lit' xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client' xml:lang='en' version='1.0'>
DEBUG    RECV: <stream:stream:stream xmlns=\"http://etherx.jabber.org/streams\" from=\"capulet.lit\" id=\"1\" version=\"1.0\" xml:lang=\"en\">
DEBUG    RECV: <stream:stream:features xmlns=\"http://etherx.jabber.org/streams\"><bind xmlns=\"urn:ietf:params:xml:ns:xmpp-bind\" /></stream:stream:features>
DEBUG    Event triggered: <x>
DEBUG    SEND (IMMED): <presence/>
",
    );
    let expected = "C stream:stream, connected, S stream:stream, S stream:features, C presence";
    assert_eq!(inputs(&fixture), expected);
    assert!(notes(&fixture).contains("namespaces"), "{fixture}");
}

#[test]
fn mcabber_tracelog() {
    let log = "[2024-01-01 12:00:00] LM-NET: SEND:
[2024-01-01 12:00:00] LM-NET: -----------------------------------
[2024-01-01 12:00:00] LM-NET: <presence/>
[2024-01-01 12:00:00] LM-NET: -----------------------------------
[2024-01-01 12:00:00] LM-VERBOSE: Read: 60 chars
[2024-01-01 12:00:00] LM-NET: RECV [60]:
[2024-01-01 12:00:00] LM-NET: -----------------------------------
[2024-01-01 12:00:00] LM-NET: '<presence from='a@b/c' to='juliet@capulet.lit/x'/>'
[2024-01-01 12:00:00] LM-NET: -----------------------------------
";
    let fixture = convert(log);
    assert_eq!(inputs(&fixture), "C presence, S presence");
    assert_eq!(fixture.header.account, "juliet@capulet.lit/x");
}

const SCRIPT: &str = "# Pre-approval

[Client] Romeo
\tjid: user@localhost
\tpassword: secret

[Client] Juliet
\tjid: user2@localhost/balcony

-----

Romeo connects

# He asks
-- Really:
// vim: syntax=xml:
Romeo sends:
\t<presence to=\"${Juliet's JID}\" type='subscribe'/>

Romeo receives:
\t<iq type='set' id='{scansion:any}' xmlns:scansion='https://matthewwild.co.uk/projects/scansion' scansion:strict='false'>
\t\t<query xmlns='jabber:iq:roster'>
\t\t\t<item jid=\"${Juliet's full JID}\"/>
\t\t</query>
\t</iq>

Juliet sends:
\t<presence/>

Romeo disconnects
";

#[test]
fn scansion_script() {
    let fixture = convert(SCRIPT);
    assert_eq!(inputs(&fixture), "C presence, S iq, C stream:stream");
    assert_eq!(fixture.header.title, "Pre-approval");
    assert_eq!(fixture.header.account, "user@localhost/romeo");
    let written = fixture.to_string();
    for text in [
        "\n# He asks\n# Really:\n# vim: syntax=xml:\nfrom client: <presence to=\"user2@localhost\" type='subscribe'/>",
        "from server:\n| <iq type='set' id='any1'>\n|   <query",
        "jid=\"user2@localhost/balcony\"",
        "# Taken out: scansion:strict='false'",
    ] {
        assert!(written.contains(text), "{text}: {written}");
    }
    let client = |name: &str| Conversion {
        client: Some(name.to_owned()),
        ..Conversion::default()
    };
    let fixture = with(&client("Juliet"), SCRIPT);
    assert_eq!(inputs(&fixture), "C presence");
    assert_eq!(fixture.header.account, "user2@localhost/balcony");
    let message = "1: there is no client \"Nurse\"; there are: Romeo, Juliet";
    assert_eq!(refused(&client("Nurse"), SCRIPT), message);
    assert!(refused(&client("Juliet"), "SENT: <a/>").contains("--client"));
}

/// Adds a packet as tshark prints it.
fn packet(out: &mut String, leg: Leg, bytes: &[u8]) {
    let ports = match leg {
        Leg::Client => "40000\t5222",
        Leg::Server => "5222\t40000",
    };
    let _ = write!(out, "{ports}\t");
    bytes.iter().for_each(|byte| {
        let _ = write!(out, "{byte:02x}");
    });
    out.push('\n');
}

#[test]
fn tshark_fields() {
    let mut dump = String::from("tcp.srcport\ttcp.dstport\ttcp.payload\n");
    let message = "<message id='é'/>".as_bytes();
    packet(&mut dump, Leg::Client, &CLIENT_HEADER.as_bytes()[..2]);
    packet(&mut dump, Leg::Server, b"");
    packet(&mut dump, Leg::Client, &CLIENT_HEADER.as_bytes()[2..]);
    packet(&mut dump, Leg::Server, SERVER_HEADER.as_bytes());
    packet(&mut dump, Leg::Client, &message[..14]);
    packet(&mut dump, Leg::Client, &message[14..]);
    packet(&mut dump, Leg::Client, b" ");
    packet(&mut dump, Leg::Client, b"<presence>");
    packet(&mut dump, Leg::Server, &[0x16, 3, 3, 0, 9, 1]);
    let expected = "C stream:stream, connected, S stream:stream, C message, from client raw: \" \"";
    for dump in [
        dump.clone(),
        dump.replace('\t', ","),
        dump.replacen("tcp.srcport\ttcp.dstport\ttcp.payload\n", "", 1),
    ] {
        let fixture = convert(&dump);
        assert_eq!(inputs(&fixture), expected);
        let notes = notes(&fixture);
        assert_has(&notes, "encrypted or compressed from line");
        assert_has(&notes, "inside of what the client sends");
    }
    let other = Conversion {
        server_port: 5223,
        ..Conversion::default()
    };
    assert!(refused(&other, &dump).starts_with("2: neither port 40000 nor port 5222"));
}

#[test]
fn secrets_do_not_stay() {
    let log = "SENT: <iq type='set' id='a'><query xmlns='jabber:iq:auth'><username>juliet</username><password>r0m30</password></query></iq>
SENT: <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>r0m30</auth>
SENT: <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>r0m30";
    assert!(!convert(log).to_string().contains("r0m30"));
    let bad = "SENT: <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>r0m30</response>";
    let message = refused(&Conversion::default(), bad);
    assert_eq!(
        message,
        "1: not well-formed XML: an end tag of another element, in what begins with \"<auth\""
    );
}

#[test]
fn logs_that_are_not_understood() {
    let nobody = "1: no line says who sent what";
    for (text, complaint) in [
        (" \n", "1: the file is empty"),
        ("hello\n", nobody),
        ("SENT:\n", nobody),
        ("<presence/>\n", nobody),
        ("\nSENT: <a></b>\n", "2: "),
        (
            "[Client] Romeo\n---\nTybalt sends:\n",
            "3: expected one of the clients",
        ),
        (
            "40000\t5222\t160303",
            "1: the stream is encrypted or compressed from its first byte",
        ),
        ("40000\t5222\t3c\n1\t5222\txy", "2: the payload"),
    ] {
        let message = refused(&Conversion::default(), text);
        assert!(message.starts_with(complaint), "{text}: {message}");
    }
}

#[test]
fn complaints_name_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pubshim"));
        command.arg("convert").args(args).current_dir(folder.path());
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    fs::write(folder.path().join("a.scs"), SCRIPT).unwrap();
    fs::write(folder.path().join("bad.log"), "SENT: <a>\n\nSENT: </b>\n").unwrap();
    fs::write(folder.path().join("bytes.log"), b"SENT:\n\xff").unwrap();
    let (code, out, err) = run(&["--title", "A\ntitle", "--client", "Juliet", "a.scs"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(
        out.starts_with("pubshim fixture 1\ntitle: A title\n"),
        "{out}"
    );
    assert_has(&out, "# Converted from a.scs (a script of scansion).");
    for (file, message) in [
        ("none.log", "none.log: cannot be read: "),
        (
            "bad.log",
            "bad.log:1: not well-formed XML: an end tag of another element",
        ),
        ("bytes.log", "bytes.log:2: this line is not UTF-8"),
    ] {
        let (code, out, err) = run(&[file]);
        assert_eq!((code, out.as_str()), (Some(2), ""));
        assert!(
            err.starts_with(&format!("pubshim: error: {message}")),
            "{err}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A stream gives the same fixture, however it is cut into packets.
    #[test]
    fn any_packets_give_the_same(sizes in prop::collection::vec(1_usize..90, 1..40)) {
        let stanzas = [
            (Leg::Client, CLIENT_HEADER),
            (Leg::Server, SERVER_HEADER),
            (Leg::Server, "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>"),
            (Leg::Client, "<presence><status>é ${any} \u{1f339}\nx</status></presence>"),
            (Leg::Server, "<message from='a@b'><body>x</body></message>"),
        ];
        let mut sizes = sizes.into_iter().cycle();
        let mut dump = String::new();
        let mut whole = String::new();
        for (leg, text) in stanzas {
            packet(&mut whole, leg, text.as_bytes());
            let mut rest = text.as_bytes();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(sizes.next().unwrap().min(rest.len()));
                packet(&mut dump, leg, now);
                rest = later;
            }
        }
        prop_assert_eq!(convert(&dump).to_string(), convert(&whole).to_string());
    }

    /// Any log gives a fixture or a message.
    #[test]
    fn any_log_is_converted_or_refused(lines in prop::collection::vec(prop_oneof![
        Just("SENT: <a>".to_owned()), Just("RECV: </a>".to_owned()), Just("<!-- In x (y) -->".to_owned()),
        Just("SENT: <stream:stream".to_owned()), Just("RECV: <?xml".to_owned()), Just("'<b/>'".to_owned()),
        Just("(1) jabber: Recv (1: <c/>".to_owned()), Just("[Client] é".to_owned()), Just("é sends:".to_owned()),
        Just("\t<d x='{scansion:any' scansion:y=\"/>".to_owned()), Just("----".to_owned()),
        Just("1,5222,3c61".to_owned()), "\\PC{0,12}",
    ], 0..12)) {
        let text = lines.join("\n");
        if let Ok(fixture) = Conversion::default().convert("a log", &text) {
            let parsed = Fixture::parse(&fixture.to_string()).map_err(|error| TestCaseError::fail(error.to_string()))?;
            replay(&parsed).map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
    }
}
