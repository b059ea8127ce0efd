//! Recordings of times, of slow legs and of refused stanzas, whose replay gives the same again.
//! (Every session of these tests is replayed when it is over: see `Driver`.)

use std::time::Duration;

use pubshim::session::{Input, Leg, Options, Output, Policy, Record, Timeouts, Timing};

use crate::scenes::*;

const HELLO: &str = "<message to='romeo@montague.lit' id='hello'><body>Hello</body></message>";

/// A session that is logged in, whose records are shown from here on.
fn session() -> Driver {
    let mut d = Driver::auto(JULIET);
    d.show_records();
    d
}

/// Steps recorded since the last look, but for sent bytes.
fn records(d: &mut Driver) -> Vec<Record> {
    let record = |output| match output {
        Output::Recorded(record) if !matches!(record, Record::To(..)) => Some(record),
        _ => None,
    };
    d.everything().into_iter().filter_map(record).collect()
}

/// Times recorded since the last look.
fn timings(d: &mut Driver) -> Vec<Timing> {
    let timing = |record| match record {
        Record::Timing(timing) => Some(timing),
        _ => None,
    };
    records(d).into_iter().filter_map(timing).collect()
}

fn passed(time: u64, unread: u64) -> Timing {
    Timing::Passed {
        time: Duration::from_millis(time),
        unread: Duration::from_millis(unread),
    }
}

#[test]
fn times_are_whole_milliseconds() {
    let mut d = session();
    // Fractions of a millisecond are added to the next time.
    for (nanos, expected) in [
        (400_000, vec![]),
        (600_000, vec![passed(1, 0)]),
        (2_999_999, vec![passed(2, 0)]),
        (1, vec![passed(1, 0)]),
    ] {
        d.now += Duration::from_nanos(nanos);
        d.client(HELLO);
        assert_eq!(timings(&mut d), expected, "{nanos}");
    }
    // A session asks to be woken at a whole millisecond, and so is not woken twice for one time-out.
    d.client("<presence");
    d.now += Duration::from_nanos(123);
    let at = d.session.timeout().unwrap();
    assert_eq!(at.subsec_nanos() % 1_000_000, 0);
}

#[test]
fn a_leg_that_stalls_is_a_step() {
    for leg in [Leg::Client, Leg::Server] {
        let mut d = session();
        d.block(leg, true);
        match leg {
            Leg::Client => d.server(&HELLO.replace("to=", "from=")),
            Leg::Server => d.client(HELLO),
        }
        timings(&mut d);
        d.advance(300);
        let timings = timings(&mut d);
        assert!(timings.contains(&Timing::Stalled(leg)), "{timings:?}");
    }
}

#[test]
fn a_stanza_that_is_not_ended_is_a_step() {
    for leg in [Leg::Client, Leg::Server] {
        let mut d = session();
        d.input(Input::Bytes(leg, b"<message id='secret'"));
        d.advance(120);
        let timings = timings(&mut d);
        assert!(timings.contains(&Timing::Unfinished(leg)), "{timings:?}");
    }
}

#[test]
fn time_in_which_the_server_was_not_read_is_said() {
    let mut d = session();
    d.block(Leg::Client, true);
    let long = "x".repeat(1000);
    for _ in 0..100 {
        d.server(&format!(
            "<message from='romeo@montague.lit'><body>{long}</body></message>"
        ));
    }
    assert!(!d.session.wants(Leg::Server));
    timings(&mut d);
    d.now += Duration::from_secs(7);
    d.client(HELLO);
    assert_eq!(timings(&mut d), [passed(7000, 7000)]);
    d.block(Leg::Client, false);
    d.now += Duration::from_secs(2);
    d.client(HELLO);
    assert_eq!(timings(&mut d), [passed(2000, 0)]);
}

#[test]
fn a_server_that_is_early_is_said_to_be() {
    let mut d = Driver::at(Stage::OpeningPlain, options(Policy::Auto));
    d.show_records();
    d.block(Leg::Server, true);
    d.server(&format!(
        "{}{STARTTLS}{PROCEED}",
        server_header("capulet.lit")
    ));
    assert!(timings(&mut d).contains(&Timing::Early));
    d.assert_refused("remote-connection-failed");
}

#[test]
fn what_is_not_as_usual_stands_in_the_header() {
    let close = Duration::from_millis(1500);
    let timeouts = Timeouts {
        close,
        ..Timeouts::default()
    };
    let options = Options {
        timeouts,
        domains: vec!["capulet.lit".to_owned()],
        ..options(Policy::Auto)
    };
    let mut d = Driver::logged_in(JULIET, options);
    d.client("</stream:stream>");
    d.now += close;
    d.input(Input::Timeout);
    assert!(d.session.is_closed());
}

/// Rows: refused bytes, and their recorded form.
#[test]
fn what_was_refused_replays() {
    let secret = "hunter2";
    let many = |what: &str| {
        (0..70)
            .map(|n| what.replace('N', &n.to_string()))
            .collect::<String>()
    };
    let rows: [(String, &str); 20] = [
        ("<!-- hunter2 -->".into(), "<!-"),
        ("<?hunter2?>".into(), "<?"),
        ("<!DOCTYPE hunter2>".into(), "<!D"),
        ("hunter2".into(), "x<"),
        ("<a>hunter2&nbsp;</a>".into(), "<a>x&x;<"),
        ("<a>hunter2&#0;</a>".into(), "<a>x&#0;<"),
        ("<a>&#104;&#117;&#0;</a>".into(), "<a>xx&#0;<"),
        (
            "<a b='&#x000000000068;unter2'/>".into(),
            "<a b='&#000000000;x",
        ),
        ("<a>hunter2\u{1}</a>".into(), "<a>x\u{1}<"),
        ("<a>hunter2\u{FFFF}</a>".into(), "<a>x\u{FFFF}<"),
        ("<a>hunter2 & so on</a>".into(), "<a>x & x x<"),
        (
            "<a><![CDATA[hunter2\u{1}]]></a>".into(),
            "<a><![CDATA[x\u{1}]]>",
        ),
        (
            "<a b='hunter2'><p:c d='hunter2'/></a>".into(),
            "<a b='x'><p:c d='x'/>",
        ),
        ("<a b='hunter2' b='hunter2'/>".into(), "<a b='x' b='x'/>"),
        ("<a hunter2/>".into(), "<x x/>"),
        ("<a b='hunter2'></hunter2>".into(), "<a b='x'></x>"),
        ("</hunter2>".into(), "</x>"),
        (format!("<a{}/>", many(" aN='hunter2'")), " a63='x'"),
        (format!("<a{}/>", many(" xmlns:aN='u'")), " xmlns:a63='u'"),
        ("<b>hunter2".repeat(129), "<b><b><b>"),
    ];
    for (said, kept) in rows {
        let before = format!(
            "<message to='romeo@montague.lit' id='m'><body>{secret}</body><x y='{secret}'>"
        );
        for (before, shown) in [
            ("", ""),
            (
                &*before,
                "<message to='romeo@montague.lit' id='m'><body></body><x y='x'>",
            ),
        ] {
            if !before.is_empty() && !said.starts_with("<a") {
                continue;
            }
            let mut d = session();
            d.client(&format!("{before}{said}"));
            let records = records(&mut d);
            let [Record::FromRaw(Leg::Client, bytes)] = &records[..] else {
                panic!("{said}: {records:?}");
            };
            let bytes = String::from_utf8_lossy(bytes);
            assert!(!bytes.contains(secret), "{said}: {bytes}");
            assert!(
                bytes.starts_with(shown) && bytes.contains(kept),
                "{said}: {bytes}"
            );
            assert!(d.client_bytes().contains("<stream:error>"), "{said}");
        }
    }
    let mut d = session();
    d.input(Input::Bytes(
        Leg::Client,
        b"<message to='a@b'>hunter2\xFF</message>",
    ));
    let bytes = b"<message to='a@b'>x\xFF<".to_vec();
    assert_eq!(records(&mut d), [Record::FromRaw(Leg::Client, bytes)]);
}

#[test]
fn what_was_too_large_replays() {
    for (said, kept) in [
        (
            "<message to='a@b' id='m'><body>",
            "<message to='a@b' id='m'>",
        ),
        ("<message to='a@b' id='m", "<"),
    ] {
        let mut d = session();
        d.client(&format!("{said}{}", "hunter2 ".repeat(40_000)));
        let expected = Record::TooLarge(Leg::Client, kept.as_bytes().to_vec());
        assert_eq!(records(&mut d), [expected]);
        d.assert_refused("policy-violation");
    }
}

#[test]
fn what_is_no_server_replays() {
    for said in [
        "HTTP/1.1 400 Bad Request\r\n",
        "\u{15}\u{3}\u{1}",
        "SSH-2.0-OpenSSH_9.6",
    ] {
        let mut d = Driver::at(Stage::Opening, options(Policy::Auto));
        d.show_records();
        d.server(said);
        let bytes = said.as_bytes()[..said.len().min(16)].to_vec();
        assert_eq!(records(&mut d), [Record::FromRaw(Leg::Server, bytes)]);
        d.assert_refused("remote-connection-failed");
    }
}
