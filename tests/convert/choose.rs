//! One connection of several, and some steps of many.

use std::fmt::Write as _;

use pubshim::fixture::{Conversion, Fixture, Steps};
use pubshim::session::Leg;

use crate::{CLIENT_HEADER, SERVER_HEADER, convert, inputs, notes, packet, refused, with};

pub(crate) fn connection(name: &str) -> Conversion {
    Conversion {
        connection: Some(name.to_owned()),
        ..Conversion::default()
    }
}

/// Two connections of Smack's console debugger, one within the other.
const SMACK: &str = "\
12:29:58 SENT (0): <stream:stream xmlns='jabber:client' to='capulet.lit' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' from='juliet@capulet.lit'>
12:29:58 RECV (0): <?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client' from='capulet.lit' version='1.0' id='1'>
12:30:00 SENT (0): <presence id='Zq1-5'/>
12:29:59 SENT (1): <stream:stream xmlns='jabber:client' to='montague.lit' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>
12:30:02 RECV (1): <?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client' from='montague.lit' version='1.0' id='2'>
12:30:02 RECV (1): <presence to='romeo@montague.lit/x' from='nurse@capulet.lit/m'/>
12:30:03 RECV (0): <presence to='juliet@capulet.lit/balcony' from='romeo@montague.lit/m'/>
";

#[test]
fn smack_numbers_its_connections() {
    let first = convert(SMACK);
    let expected = "C stream:stream, connected, S stream:stream, C presence, S presence";
    assert_eq!(inputs(&first), expected);
    assert!(first.to_string().contains("from='romeo@montague.lit/m'"));
    assert!(
        notes(&first).contains("2 connections: 0, 1. This is 0."),
        "{first}"
    );
    assert_eq!(first.header.account, "juliet@capulet.lit/balcony");
    assert_eq!(with(&connection("0"), SMACK).exchanges, first.exchanges);

    let second = with(&connection("1"), SMACK);
    let expected = "C stream:stream, connected, S stream:stream, S presence";
    assert_eq!(inputs(&second), expected);
    assert!(second.to_string().contains("from='nurse@capulet.lit/m'"));
    assert_eq!(second.header.account, "romeo@montague.lit/x");
    assert!(refused(&connection("2"), SMACK).ends_with("there are: 0, 1"));
}

#[test]
fn a_connection_is_the_logs_number_or_its_place() {
    let login = |name: &str, id: &str| {
        format!(
            "SENT{name}: {CLIENT_HEADER}\nRECV{name}: {SERVER_HEADER}\nRECV{name}: <stream:features/>\nSENT{name}: <presence id='{id}'/>\n"
        )
    };
    let is_it = |text: &str, name: &str, id: &str| {
        let fixture = with(&connection(name), text).to_string();
        assert_eq!(fixture.matches("<presence ").count(), 1, "{fixture}");
        assert!(fixture.contains(&format!("id='{id}'")), "{name}: {fixture}");
    };
    let unnamed = login("", "first") + &login("", "second");
    is_it(&unnamed, "1", "first");
    is_it(&unnamed, "2", "second");
    assert!(refused(&connection("0"), &unnamed).ends_with("there are: 1, 2"));
    // The number of the second is the place of the third, which has logged in twice.
    let named =
        login(" (7)", "a") + &login(" (3)", "b") + &login(" (2)", "c") + &login(" (2)", "d");
    for (name, id) in [("7", "a"), ("3", "b"), ("2", "c"), ("2.2", "d")] {
        is_it(&named, name, id);
    }
    assert!(refused(&connection("1"), &named).ends_with("there are: 7, 3, 2, 2.2"));
    // A dump names its connections by stream, else by the client's port.
    let mut packets = String::new();
    packet(&mut packets, Leg::Client, b"<presence id='p'/>");
    is_it(&packets, "40000", "p");
    is_it(&format!("0\t{packets}"), "0", "p");
}

/// A recording: a login, three messages, and an answer to the second.
fn recorded() -> String {
    let mut text = format!(
        "pubshim fixture 1\ntitle: Recorded\nstart: connected\nsecurity: plain\n\n\
         # Of the whole.\n\nfrom client: {CLIENT_HEADER}\nconnect capulet.lit\n\nconnected\n\
         to server: {CLIENT_HEADER}\n\nfrom server: {SERVER_HEADER}\nnothing\n\n\
         from server: <iq type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>juliet@capulet.lit/x</jid></bind></iq>\n"
    );
    for at in 1..=3 {
        let _ = write!(
            text,
            "\n# Message {at}\nfrom client: <message id='m{at}'/>\nto server: <message id='${{is:m{at}}}'/>\n"
        );
    }
    text + "\nfrom server: <message id='${m2}'/>\nto client: <message id='${m2}'/>\n\nafter 1s\nnothing\n"
}

#[test]
fn cuts_to_the_steps_around_one() {
    let text = recorded();
    let line = |step: &str| text.lines().position(|line| line == step).unwrap() + 1;
    let steps = |steps: &str| Conversion {
        steps: Some(steps.parse().unwrap()),
        ..Conversion::default()
    };
    let cut = |chosen: &str| with(&steps(chosen), &text);
    let login = "C stream:stream, connected, S stream:stream, S iq";
    let (third, answer) = (
        line("from client: <message id='m3'/>"),
        line("from server: <message id='${m2}'/>"),
    );
    // A single step, named by any of its lines; the comment above it is kept, too.
    for line in [third, third + 1] {
        let fixture = cut(&format!("{line}~0"));
        assert_eq!(inputs(&fixture), format!("{login}, C message"));
        let written = fixture.to_string();
        let kept = "# Left out: 2.\n\n# Message 3\nfrom client: <message id='m3'/>\nto server: <message id='${is:m3}'/>\n";
        assert!(written.ends_with(kept), "{written}");
        assert!(notes(&fixture).contains("4 of its 9 inputs are left out"));
        assert!(notes(&fixture).contains("# Of the whole."), "{written}");
    }
    // The step that binds the name in the answer is kept, too.
    let fixture = cut(&format!("{answer}-{answer}"));
    assert_eq!(inputs(&fixture), format!("{login}, C message, S message"));
    assert!(fixture.to_string().contains("<message id='m2'/>"));
    let fixture = cut(&format!("{third}~1"));
    assert_eq!(fixture.exchanges.len(), 4 + 3);
    let fixture = cut(&format!("{}-{answer}", line("# Message 1")));
    assert_eq!(fixture.exchanges.len(), 4 + 4);
    // Five inputs on each side are the whole recording.
    let whole = Fixture::parse(&text).unwrap().to_string();
    assert_eq!(cut(&third.to_string()).to_string(), whole);
    for wrong in ["", "x", "3-", "-3", "9-8", "3~", "0x3"] {
        assert!(wrong.parse::<Steps>().is_err(), "{wrong}");
    }
    let far = steps("900~1");
    assert!(refused(&far, &text).contains("there is no line 900"));
    assert!(refused(&far, "SENT: <a/>").contains("this is none"));
    assert!(refused(&Conversion::default(), &text).contains("--steps"));
}
