//! A written fixture is read as the same fixture.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use pubshim::fixture::{
    Exchange, Expected, ExpectedKind, Fixture, Header, Keep, Outcome, Recording, Start, Step,
    bless, replay,
};
use pubshim::session::{
    Chat, ClientTls, Compress, Function, Leg, Options, Output, Policy, Record, Security,
    ServerFacts, Timeouts, Timing,
};
use pubshim::xml::{Framer, Limits};

/// A line of text without white space at its ends, which is not empty.
fn line() -> impl Strategy<Value = String> {
    "[^\\s\\p{C}]([^\\p{C}]{0,20}[^\\s\\p{C}])?"
}

/// XML as far as the format goes: lines of text, however indented, which may be empty.
fn xml() -> impl Strategy<Value = String> {
    let lines = vec("[ \\t]{0,3}[^\\r\\n]{0,20}", 1..4).prop_map(|lines| lines.join("\n"));
    // A carriage return is written raw; see `raw`.
    lines.prop_filter("no text, or a carriage return", |xml| {
        !xml.is_empty() && !xml.contains('\r')
    })
}

prop_compose! {
    fn facts()(
        [no_authorize, no_privacy_lists, limits_subscriptions] in any::<[bool; 3]>(),
    ) -> ServerFacts {
        ServerFacts { no_authorize, no_privacy_lists, limits_subscriptions }
    }
}

fn security() -> impl Strategy<Value = Security> {
    select(vec![
        Security::StartTls,
        Security::DirectTls,
        Security::Plain,
    ])
}

fn leg() -> impl Strategy<Value = Leg> {
    select(vec![Leg::Client, Leg::Server])
}

fn raw() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..20),
        any::<String>().prop_map(String::into_bytes)
    ]
}

fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        any::<u32>().prop_map(|millis| Duration::from_millis(millis.into())),
        any::<u32>().prop_map(|seconds| Duration::from_secs(seconds.into())),
    ]
}

fn timing() -> impl Strategy<Value = Timing> {
    prop_oneof![
        (time(), time()).prop_map(|(one, other)| Timing::Passed {
            time: one.max(other),
            unread: one.min(other),
        }),
        time().prop_map(Timing::Date),
        Just(Timing::Woken),
        leg().prop_map(Timing::Stalled),
        leg().prop_map(Timing::Unfinished),
        Just(Timing::Hurried),
        Just(Timing::Early),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        timing().prop_map(Step::Timing),
        (leg(), raw()).prop_map(|(leg, bytes)| Step::TooLarge(leg, bytes)),
        any::<u64>().prop_map(Step::Missing),
        (leg(), xml()).prop_map(|(leg, xml)| Step::From(leg, xml)),
        (leg(), raw()).prop_map(|(leg, bytes)| Step::FromRaw(leg, bytes)),
        (leg(), xml()).prop_map(|(leg, xml)| Step::CutOff(leg, xml)),
        Just(Step::HoldRefused),
        leg().prop_map(Step::Ends),
        (option::of(security()), any::<bool>(), facts()).prop_map(|(security, has_more, facts)| {
            Step::Connected {
                security,
                has_more,
                facts,
            }
        }),
        Just(Step::ClientSecured),
        line().prop_map(Step::ClientNotSecured),
        Just(Step::MayCompress),
        line().prop_map(Step::MayNotCompress),
        Just(Step::Secured),
        line().prop_map(Step::Failed),
        time().prop_map(Step::After),
        Just(Step::Shutdown),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        (leg(), any::<bool>(), xml()).prop_map(|(leg, relaxed, xml)| Outcome::To {
            leg,
            relaxed,
            xml
        }),
        (leg(), raw()).prop_map(|(leg, bytes)| Outcome::ToRaw(leg, bytes)),
        line().prop_map(Outcome::Connect),
        line().prop_map(Outcome::ConnectNext),
        line().prop_map(Outcome::ConnectTo),
        Just(Outcome::AcceptTls),
        Just(Outcome::StartTls),
        leg().prop_map(Outcome::Close),
        line().prop_map(Outcome::Dropped),
    ]
}

fn comment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        line().prop_map(|text| format!("# {text}"))
    ]
}

fn numberless(kind: ExpectedKind) -> Expected {
    Expected { line: 0, kind }
}

fn simple() -> impl Strategy<Value = Expected> {
    prop_oneof![
        outcome().prop_map(ExpectedKind::Output),
        Just(ExpectedKind::Nothing),
        comment().prop_map(ExpectedKind::Comment),
    ]
    .prop_map(numberless)
}

fn expected() -> impl Strategy<Value = Expected> {
    prop_oneof![
        simple(),
        vec(simple(), 0..4).prop_map(|steps| numberless(ExpectedKind::AnyOrder(steps))),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    [any::<usize>(); 5].prop_map(|[bytes, depth, attributes, namespaces, elements]| Limits {
        bytes,
        depth,
        attributes,
        namespaces,
        elements,
    })
}

prop_compose! {
    fn options()(
        policy in select(vec![Policy::Auto, Policy::Pure, Policy::Off]),
        // Services may be named although rooms are native.
        native in subsequence(vec![Function::Presence, Function::Chat, Function::Rooms], 0..=3),
        chat in select(vec![Chat::Auto, Chat::Pubsub, Chat::Native]),
        domains in vec("[a-z]{1,8}\\.example", 0..3),
        rooms_open in any::<bool>(),
        compress in select(vec![Compress::Auto, Compress::Require, Compress::Off]),
        client_tls in select(vec![ClientTls::Off, ClientTls::Auto, ClientTls::Require]),
        [limits_before_login, limits] in [limits(), limits()],
        close in time(),
    ) -> Options {
        Options {
            policy,
            native,
            chat,
            rooms: domains.clone(),
            rooms_open,
            compress,
            client_tls,
            certified: domains.clone(),
            domains,
            limits_before_login,
            limits,
            timeouts: Timeouts { close, ..Timeouts::default() },
            ..Options::default()
        }
    }
}

prop_compose! {
    fn header()(
        title in line(),
        [skip, listing] in [option::of(line()), option::of(line())],
        mut options in options(),
        account in "[a-z]{1,8}@[a-z]{1,8}\\.example/[a-z ]{0,4}[a-z]",
        mut facts in facts(),
        seed in any::<u64>(),
        security in option::of(security()),
    ) -> Header {
        let start = security.map_or(Start::Established, Start::Connected);
        match start {
            // An established session has negotiated compression and TLS long since, or never will.
            Start::Established => {
                options.compress = Compress::Off;
                options.client_tls = ClientTls::Off;
                options.certified.clear();
            }
            // Facts known from the start are those of an established session.
            Start::Connected(_) => facts = Header::default().facts,
        }
        Header { title, listing, skip, options, account, facts, seed, start }
    }
}

prop_compose! {
    fn exchange()(input in step(), expected in vec(expected(), 0..5)) -> Exchange {
        Exchange { line: 0, input, expected }
    }
}

prop_compose! {
    fn fixture()(
        header in header(),
        preamble in vec(comment(), 0..3),
        exchanges in vec(exchange(), 0..5),
    ) -> Fixture {
        Fixture { header, preamble, exchanges }
    }
}

/// The fixture without its line numbers, which depend on how it is laid out.
fn without_lines(mut fixture: Fixture) -> Fixture {
    fn clear(expected: &mut [Expected]) {
        for expected in expected {
            expected.line = 0;
            if let ExpectedKind::AnyOrder(steps) = &mut expected.kind {
                clear(steps);
            }
        }
    }
    for exchange in &mut fixture.exchanges {
        exchange.line = 0;
        clear(&mut exchange.expected);
    }
    fixture
}

#[test]
fn carriage_returns_at_line_ends_are_no_text() {
    let text = "pubshim fixture 1\ntitle: t\n\nfrom client:\n| <a>\r\r\n| b\r\n| </a>\n";
    let fixture = Fixture::parse(text).expect("a fixture");
    let again = fixture.to_string();
    assert_eq!(again, text.replace('\r', ""));
    assert_eq!(Fixture::parse(&again), Ok(fixture));
}

proptest! {
    #[test]
    fn format_and_reparse_is_stable(fixture in fixture()) {
        let text = fixture.to_string();
        let again = Fixture::parse(&text).map_err(|error| {
            TestCaseError::fail(format!("{error} in:\n{text}"))
        })?;
        prop_assert_eq!(again.to_string(), text);
        prop_assert_eq!(without_lines(again), fixture);
    }

    #[test]
    fn any_text_is_read_or_refused_by_line(text in "(pubshim fixture 1\ntitle: x\n\n)?(\\PC|\n){0,200}") {
        if let Err(error) = Fixture::parse(&text) {
            prop_assert!(error.line >= 1 && error.line <= text.lines().count().max(1));
        }
    }
}

/// A stanza deeper than any stack.
fn deep(depth: usize) -> String {
    let (start, end) = ("<a>".repeat(depth), "</a>".repeat(depth));
    format!("<message from='a@b'>{start}{end}</message>")
}

#[test]
fn a_stanza_of_any_depth_is_replayed() -> Result<(), Box<dyn std::error::Error>> {
    let stanza = deep(100_000);
    let fixture = |expected: &str| {
        let text = format!(
            "pubshim fixture 1\ntitle: deep\n\nfrom server: {stanza}\nto client: {expected}\n"
        );
        Fixture::parse(&text)
    };
    assert_eq!(replay(&fixture(&stanza)?)?, []);
    assert_eq!(replay(&fixture(&deep(99_999))?)?.len(), 1);
    Ok(())
}

#[test]
fn a_stanza_of_any_depth_is_recorded() -> Result<(), Box<dyn std::error::Error>> {
    let mut framer = Framer::new(Limits::AFTER_LOGIN);
    framer.next(b"<s:s xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>")?;
    let namespaces = framer.namespaces().ok_or("no header")?.clone();
    let mut recording = Recording::new(Keep::bodies(true));
    let mut text = String::new();
    for record in [
        Record::From(Leg::Server, deep(200_000).into_bytes(), namespaces),
        Record::To(Leg::Client, deep(200_000).into_bytes()),
    ] {
        recording.write(&Output::Recorded(record), &mut text);
    }
    assert!(text.contains("from server: <message from='a@b'><a>"));
    assert!(text.contains("to client: <message from='a@b'><a>"));
    Ok(())
}

#[test]
fn keys_that_are_absent_are_off() -> Result<(), Box<dyn std::error::Error>> {
    let fixture = Fixture::parse("pubshim fixture 1\ntitle: x\nstart: connected\n\nshutdown\n")?;
    // Without "..": a new key must say here what its absence means.
    let Header {
        title: _,
        listing,
        skip,
        options,
        account,
        facts,
        seed,
        start,
    } = fixture.header;
    let usual = Options::default();
    let off = Options {
        policy: Policy::Auto,
        native: vec![Function::Rooms],
        chat: Chat::Native,
        rooms: Vec::new(),
        rooms_open: false,
        forget: None,
        domains: Vec::new(),
        client_tls: ClientTls::Off,
        certified: Vec::new(),
        compress: Compress::Off,
        limits_before_login: usual.limits_before_login,
        limits: usual.limits,
        max_server_stanza: usual.max_server_stanza,
        timeouts: usual.timeouts,
    };
    assert_eq!((listing, skip, options), (None, None, off));
    assert_eq!((&*account, seed), ("juliet@capulet.lit/balcony", 0));
    assert!(facts.no_privacy_lists && !facts.no_authorize && !facts.limits_subscriptions);
    assert_eq!(start, Start::Connected(Security::StartTls));
    Ok(())
}

/// A fixture without keys shows nothing of functions that later versions have added.
#[test]
fn functions_that_are_off_leave_a_session_alone() -> Result<(), Box<dyn std::error::Error>> {
    let header = "<stream:stream to='capulet.lit' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
    let server = "<stream:stream from='capulet.lit' id='1' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
    let mechanisms = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>";
    let both_ways = |xml: &str| format!("from client: {xml}\nto server: {xml}\n");
    let established = [
        // rooms: a service is not asked what it is.
        both_ways(
            "<presence to='cave@chat.shakespeare.lit/thirdwitch'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
        ),
        // chat: a message is a message, and nobody is told that it could be otherwise.
        both_ways(
            "<message to='romeo@montague.lit' type='chat' id='m1'><body>Art thou</body></message>",
        ),
    ];
    let connected = [
        // client-tls: not offered. compress: the server's offer is not taken.
        format!("from client: {header}\nconnect capulet.lit\n\nconnected\nto server: {header}\n"),
        format!("from server: {server}\nnothing\n"),
        format!(
            "from server: <stream:features>{mechanisms}<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression></stream:features>\n\
             to client: {server}\nto client: <stream:features>{mechanisms}</stream:features>\n"
        ),
    ];
    for (start, steps) in [
        ("", established.concat()),
        ("start: connected\nsecurity: plain\n", connected.concat()),
    ] {
        let text = format!("pubshim fixture 1\ntitle: x\n{start}\n{steps}");
        assert_eq!(replay(&Fixture::parse(&text)?)?, [], "{text}");
    }
    Ok(())
}

#[test]
fn recordings_of_earlier_versions_parse_and_replay() -> Result<(), Box<dyn std::error::Error>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir("fixtures/earlier")? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let fixture = Fixture::parse(&text)?;
        // One recording is also kept unblessed: its session asked the server in another order.
        let is_blessed = path.extension().is_some_and(|ending| ending == "txt");
        let text = match is_blessed {
            true => text,
            false => {
                assert_ne!(replay(&fixture)?, [], "{path:?}");
                bless(&text).map_err(|problem| problem.to_string())?.text
            }
        };
        assert_eq!(replay(&Fixture::parse(&text)?)?, [], "{path:?}");
        names.push(path);
    }
    assert_eq!(names.len(), 6, "{names:?}");
    Ok(())
}
