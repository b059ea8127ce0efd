//! The listings of XEP-0207 as the view shows them.

mod folded;
mod json;
mod terminal;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pubshim::session::{self, Event, Input, Leg, Output, Policy, Security, Seed, ServerFacts};
use pubshim::view::*;

const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
    version='1.0' to='capulet.lit' from='capulet.lit'>";
const AUTH: &str =
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldABSMG0zMA==</auth>";

/// Listing 1, without its line breaks.
const PRESENCE: &str =
    "<presence from='juliet@capulet.lit/balcony'><status>Moping</status></presence>";
/// Listing 4, the payload without its line breaks.
const EVENT: &str = "<message from='romeo@montague.lit' to='juliet@capulet.lit'><event \
    xmlns='http://jabber.org/protocol/pubsub#event'><items node='presence'><item id='mobile'><presence \
    xmlns='jabber:client' from='romeo@montague.lit/mobile'><status>Wooing</status></presence></item></items></event></message>";
const ROSTER: &str = "<iq type='result' id='r'><query xmlns='jabber:iq:roster'><item jid='romeo@montague.lit' \
    subscription='both'/></query></iq>";

/// Configuration of the node `presence` that pubshim accepts.
const CONFIGURATION: &str = "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='presence'><x \
    xmlns='jabber:x:data' type='form'><field var='pubsub#access_model'><value>authorize</value></field></x></configure></pubsub>";

/// A session that is watched, its server played by the test.
struct Stage {
    session: session::Session,
    view: View,
    /// Bytes sent to the server.
    sent: String,
}

impl Stage {
    fn new(options: Options, screen: Option<Screen>) -> Self {
        let of_session = session::Options {
            policy: Policy::Auto,
            chat: session::Chat::Native,
            ..session::Options::default()
        };
        let mut session =
            session::Session::new(Arc::new(of_session), Seed([7; 32]), Duration::ZERO);
        session.record();
        Self {
            session,
            view: View::new(options, screen),
            sent: String::new(),
        }
    }

    /// The view's text for an input; the bytes that the session sends are taken.
    fn show(&mut self, input: Input<'_>) -> String {
        self.session.handle(input, Duration::ZERO);
        self.sent += &String::from_utf8_lossy(self.session.outgoing(Leg::Server));
        for leg in [Leg::Client, Leg::Server] {
            let count = self.session.outgoing(leg).len();
            self.session.sent(leg, count, Duration::ZERO);
        }
        let outputs: Vec<_> = std::iter::from_fn(|| self.session.poll()).collect();
        self.view.take(1, Duration::from_millis(1500), 0, &outputs)
    }

    fn client(&mut self, xml: &str) -> String {
        self.show(Input::Bytes(Leg::Client, xml.as_bytes()))
    }

    fn server(&mut self, xml: &str) -> String {
        self.show(Input::Bytes(Leg::Server, xml.as_bytes()))
    }

    /// Logs juliet in; the view's text.
    fn log_in(&mut self) -> String {
        let features =
            |inside: &str| format!("{HEADER}<stream:features>{inside}</stream:features>");
        [
            self.client(HEADER),
            self.show(Input::connected(Security::Plain, ServerFacts::default())),
            self.server(&features("<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>")),
            self.client(AUTH),
            self.server("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),
            self.client(HEADER),
            self.server(&features("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")),
            self.client("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"),
            self.server("<iq type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>juliet@capulet.lit/balcony</jid></bind></iq>"),
        ]
        .concat()
    }

    /// The server's answer to the request of pubshim's with `request` in it.
    fn answer(&mut self, request: &str, inside: &str) -> String {
        let before = self.sent.split(request).next().expect("sent");
        let id = before.rsplit("id='").next().expect("an id");
        let id = id.split('\'').next().expect("its end");
        self.server(&format!("<iq type='result' id='{id}'>{inside}</iq>"))
    }
}

/// Options that show all stanzas in this form.
fn options(form: Form) -> Options {
    Options {
        form,
        own: true,
        ..Options::default()
    }
}

/// The same, with words of people if `bodies`.
fn with_bodies(form: Form, bodies: bool) -> Options {
    Options {
        bodies,
        ..options(form)
    }
}

/// Options of the short view.
fn short() -> Options {
    Options {
        form: Form::Short,
        ..Options::default()
    }
}

/// The explanation that follows the first factor.
const PRICE: &str = "on the client's, the price of elegance: what publish-subscribe costs";

/// Asserts that the lines of `text` end so. Words and columns are compared with one space between them, and without
/// sizes, which the tests of `total.rs` are about.
fn assert_lines(text: &str, expected: &[&str]) {
    let squeezed = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let is_size = |at: usize| words.get(at + 1) == Some(&"B");
        let told = words.iter().enumerate();
        let told = told.filter(|(at, word)| !is_size(*at) && **word != "B");
        told.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
    };
    let lines: Vec<_> = text.lines().map(squeezed).collect();
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.ends_with(expected), "{line}\nends with\n{expected}");
    }
}

/// Questions to the own account before the first publish. The answers of an account without contacts repeat them.
const QUESTIONS: [&str; 6] = [
    "<query xmlns='jabber:iq:privacy'/>",
    "<query xmlns='jabber:iq:roster'/>",
    "<blocklist xmlns='urn:xmpp:blocking'/>",
    "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><affiliations node='presence'/></pubsub>",
    "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><subscriptions node='presence'/></pubsub>",
    "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:pubshim:roster'/></pubsub>",
];

/// Juliet's login and her first presence, all of it answered.
fn first_presence(stage: &mut Stage) -> String {
    let mut text = stage.log_in() + &stage.client(PRESENCE);
    for question in QUESTIONS {
        text += &stage.answer(question, question);
    }
    text + &stage.answer("<configure node='presence'/>", CONFIGURATION)
}

#[test]
fn a_stanza_of_any_depth_and_breadth_is_shown() {
    for form in [Form::Short, Form::Full] {
        let mut shim = Stage::new(options(form), None);
        shim.log_in();
        let deep = "<a>".repeat(60_000) + &"</a>".repeat(60_000);
        let wide = "<x/>".repeat(60_000);
        for inside in [deep, wide] {
            let shown = shim.server(&format!("<message from='a@b'>{inside}</message>"));
            assert!(shown.contains("a@b"), "{} bytes", shown.len());
        }
    }
}

#[test]
fn listing_1_becomes_listing_3() {
    let mut stage = Stage::new(options(Form::Short), None);
    stage.log_in();
    let lines = stage.client(PRESENCE);
    let start =
        "   1.500  juliet@capulet.lit/balcony  client → shim               78 B  <presence>";
    assert!(lines.starts_with(start), "{lines}");
    assert_lines(
        &lines,
        &[
            "client → shim <presence> status=\"Moping\" | presence-native (1), presence-publish (1, 3): ×14.5",
            "shim → server <presence> status=\"Moping\" shim",
            "shim → server <iq get> privacy",
            "shim → server <iq get> configure presence",
            "shim → server <iq get> roster",
            "shim → server <iq get> blocklist",
            "shim → server <iq get> affiliations presence",
            "shim → server <iq get> subscriptions presence",
            "shim → server <iq get> items urn:pubshim:roster",
            PRICE,
        ],
    );
    // The account has no privacy list, no contacts, no blocked addresses and no subscribers.
    for question in QUESTIONS {
        let lines = stage.answer(question, question);
        assert_eq!(lines.lines().count(), 1, "{lines}");
        assert!(lines.trim_end().ends_with("| own-reply"), "{lines}");
    }
    assert_lines(
        &stage.answer("<configure node='presence'/>", CONFIGURATION),
        &[
            "shim ← server <iq result> configure presence access_model=authorize | own-reply",
            "* node 'presence' is ours, access model authorize",
            "shim → server <iq set> publish presence/balcony <presence> status=\"Moping\" publish-options access_model=authorize",
        ],
    );
}

#[test]
fn listing_4_becomes_listing_2() {
    let mut stage = Stage::new(options(Form::Short), None);
    stage.log_in();
    assert_lines(
        &stage.server(EVENT),
        &[
            "shim ← server <message> from=romeo@montague.lit event items presence/mobile <presence> \
             from=romeo@montague.lit/mobile status=\"Wooing\" | presence-held (4)",
            "shim → server <iq get> roster",
        ],
    );
    assert_lines(
        &stage.answer(
            "<query xmlns='jabber:iq:roster'/></iq>",
            "<query xmlns='jabber:iq:roster'><item jid='romeo@montague.lit' subscription='both'/></query>",
        ),
        &[
            "shim ← server <iq result> roster { item jid=romeo@montague.lit subscription=both } \
             | own-reply, presence-event (2, 4): ×1.3",
            "client ← shim <presence> from=romeo@montague.lit/mobile status=\"Wooing\"",
            PRICE,
        ],
    );
    assert_lines(
        &stage.server(&EVENT.replace("Wooing", "Musing")),
        &[
            "shim ← server <message> from=romeo@montague.lit event items presence/mobile <presence> \
             from=romeo@montague.lit/mobile status=\"Musing\" | presence-event (2, 4): ×2.2",
            "client ← shim <presence> from=romeo@montague.lit/mobile status=\"Musing\"",
        ],
    );
}

#[test]
fn a_login_is_short_and_its_secret_never_shown() {
    let mut stage = Stage::new(options(Form::Short), None);
    assert_lines(
        &stage.log_in(),
        &[
            "client ←─────── server <iq result> bind { jid=\"juliet@capulet.lit/balcony\" }",
            "* logged in as juliet@capulet.lit/balcony",
        ],
    );
    for bodies in [false, true] {
        let mut stage = Stage::new(with_bodies(Form::Full, bodies), None);
        let login = stage.log_in();
        assert!(
            login.contains("mechanism='PLAIN'>REDACTED</auth>"),
            "{login}"
        );
        assert!(!login.contains("AGp1bGlldABSMG0zMA=="), "{login}");
    }
}

#[test]
fn bodies_are_shown_if_asked_for() {
    let letter = "<message to='romeo@montague.lit'><body>Wherefore</body></message>";
    for form in [Form::Short, Form::Full] {
        for bodies in [false, true] {
            let mut stage = Stage::new(with_bodies(form, bodies), None);
            stage.log_in();
            let line = stage.client(letter);
            assert_eq!(line.contains("Wherefore"), bodies, "{line}");
            assert_eq!(line.contains("REDACTED"), !bodies, "{line}");
        }
    }
}

#[test]
fn only_what_is_asked_for_is_shown_and_everything_summed() {
    let mut sums = BTreeSet::new();
    for (name, expected) in [
        ("presence", [false, false, true, false]),
        ("roster", [true, true, false, false]),
        ("romeo@montague.lit", [false, false, false, true]),
        ("@capulet.lit", [true; 4]),
    ] {
        let only = Options {
            only: vec![name.parse().expect(name)],
            ..options(Form::Short)
        };
        let mut stage = Stage::new(only, None);
        stage.log_in();
        let shown = [
            stage.client("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"),
            stage.server(ROSTER),
            stage.client(PRESENCE),
            stage.server("<message from='romeo@montague.lit/mobile'><body>hi</body></message>"),
        ]
        .map(|lines| !lines.is_empty());
        assert_eq!(shown, expected, "{name}");
        // The view explains the factor once, here or before.
        let sum = stage.view.finish();
        sums.insert(sum.lines().next().unwrap_or_default().to_owned());
    }
    let is_sum = |sum: &String| sum.contains("the price of elegance: ×");
    assert!(sums.len() == 1 && sums.iter().all(is_sum), "{sums:#?}");
}

#[test]
fn control_characters_are_escaped() {
    for form in [Form::Short, Form::Full] {
        let mut stage = Stage::new(options(form), None);
        stage.log_in();
        let lines =
            stage.client("<presence><status>a\n\u{9b}2J\u{202e}\u{feff}b</status></presence>");
        assert!(lines.contains("a \\u{9b}2J\\u{202e}\\u{feff}b"), "{lines}");
        let jid = "a@b/c\n\u{9b}2J\u{202e}d".to_owned();
        let lines = stage
            .view
            .take(2, Duration::ZERO, 0, &[Output::Log(Event::LoggedIn(jid))]);
        assert!(
            lines.starts_with("   0.000  a@b/c \\u{9b}2J\\u{202e}d") && lines.lines().count() == 1,
            "{lines}"
        );
    }
}

#[test]
fn lost_steps_and_input_that_is_no_xml_are_told() {
    let mut stage = Stage::new(options(Form::Short), None);
    stage.log_in();
    let lost = stage.view.take(1, Duration::ZERO, 3, &[]);
    assert!(lost.contains("* 3 steps are not shown"), "{lost}");
    let lines = stage.client("<presence><secret></presence>");
    assert!(
        lines.contains("(this is no XML)") && !lines.contains("secret"),
        "{lines}"
    );
    let end = stage.view.end(1, 2);
    assert!(
        end.contains("* 2 steps") && end.contains("* ended: "),
        "{end}"
    );
}
