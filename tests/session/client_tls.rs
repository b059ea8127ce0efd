//! TLS on the client's leg, by STARTTLS and from the first byte: RFC 6120 §5, XEP-0368, RFC 5802 §6.

use std::time::Duration;

use pubshim::session::{
    ClientTls, Ending, Event, Input, Leg, Options, Output, Policy, Security, ServerFacts,
};

use crate::scenes::*;

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const PROCEED: &str = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const CONFLICT: &str =
    "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
/// How a TLS connection begins.
const HELLO: [u8; 6] = [0x16, 3, 1, 2, 0, 1];

fn with(client_tls: ClientTls) -> Options {
    Options {
        client_tls,
        ..options(Policy::Auto)
    }
}

fn certified(domain: &str) -> Options {
    Options {
        certified: vec![domain.to_owned()],
        ..with(ClientTls::Auto)
    }
}

fn accepting(domain: &str, read: &[u8]) -> Output {
    Output::AcceptTls {
        domain: domain.to_owned(),
        read: read.to_vec(),
    }
}

/// A session whose client sees features, which are these.
fn shown(options: Options, mechanisms: &str) -> (Driver, String) {
    let mut d = Driver::new(options);
    d.client(&client_header("capulet.lit"));
    d.input(Input::connected(Security::Plain, ServerFacts::default()));
    d.server(&format!("{}{mechanisms}", server_header("capulet.lit")));
    let seen = d.client_bytes();
    d.forget();
    (d, seen)
}

/// The features that the client is shown when it has opened its stream again after TLS.
fn secured(d: &mut Driver) -> String {
    d.client(STARTTLS);
    assert_eq!(d.client_bytes(), PROCEED);
    assert_eq!(d.outputs(), [accepting("capulet.lit", &[])]);
    d.input(Input::ClientSecured);
    d.client(&client_header("capulet.lit"));
    d.client_bytes()
}

fn log_in(d: &mut Driver) {
    d.client(AUTH);
    d.server(SUCCESS);
    d.client(&client_header("capulet.lit"));
    d.server(&format!("{}{BIND_FEATURES}", server_header("capulet.lit")));
    d.client(BIND);
    d.server(&bound(JULIET));
    assert_eq!(d.session.jid(), Some(JULIET));
}

#[test]
fn a_client_may_ask_for_tls() {
    for options in [with(ClientTls::Offer), certified("Capulet.LIT.")] {
        let (mut d, seen) = shown(options, MECHANISMS);
        let with_offer = MECHANISMS.replace(
            "</stream:features>",
            &format!("{STARTTLS}</stream:features>"),
        );
        assert_eq!(
            seen,
            format!("{}{with_offer}", server_header("capulet.lit"))
        );
        let again = secured(&mut d);
        assert_eq!(
            again,
            format!("{}{MECHANISMS}", server_header("capulet.lit"))
        );
        // The server was told nothing of the client's TLS.
        assert_eq!(d.server_bytes(), "");
        log_in(&mut d);
    }
}

#[test]
fn a_client_need_not_ask_for_it() {
    let (mut d, _) = shown(with(ClientTls::Offer), MECHANISMS);
    log_in(&mut d);
}

/// A certificate for another domain would only make the client ask its user whether to trust it.
#[test]
fn what_no_certificate_is_for_is_not_offered() {
    for options in [certified("montague.lit"), with(ClientTls::Off)] {
        let (mut d, seen) = shown(options, MECHANISMS);
        assert!(!seen.contains("starttls"), "{seen}");
        d.client(STARTTLS);
        let sent = d.assert_refused("policy-violation");
        assert_has(&sent, "<failure ");
    }
}

#[test]
fn tls_from_the_first_byte() {
    for client_tls in [ClientTls::Auto, ClientTls::Offer, ClientTls::Require] {
        let mut d = Driver::new(with(client_tls));
        d.input(Input::Bytes(Leg::Client, &HELLO));
        assert_eq!(d.outputs(), [accepting("", &HELLO)]);
        assert!(
            !d.session.wants(Leg::Client),
            "what comes now is the shell's"
        );
        d.input(Input::ClientSecured);
        d.client(&client_header("capulet.lit"));
        d.input(Input::connected(Security::Plain, ServerFacts::default()));
        d.server(&format!("{}{MECHANISMS}", server_header("capulet.lit")));
        let seen = d.client_bytes();
        assert!(!seen.contains("starttls"), "{seen}");
        log_in(&mut d);
    }
}

#[test]
fn where_there_is_none_its_first_byte_is_no_xml() {
    let mut d = Driver::new(with(ClientTls::Off));
    d.input(Input::Bytes(Leg::Client, &HELLO));
    let sent = d.assert_refused("not-well-formed");
    assert_has(&sent, "set to connect without encryption");
}

#[test]
fn its_first_byte_is_nothing_special_later() {
    let (mut d, _) = shown(with(ClientTls::Offer), MECHANISMS);
    d.input(Input::Bytes(Leg::Client, &HELLO));
    d.assert_refused("bad-format");
    for before in ["\n", "<"] {
        let mut d = Driver::new(with(ClientTls::Offer));
        d.client(before);
        d.input(Input::Bytes(Leg::Client, &HELLO));
        assert!(!d.wanted(|it| matches!(it, Output::AcceptTls { .. })));
    }
}

#[test]
fn bytes_behind_starttls_end_the_session() {
    for behind in [AUTH, "\n<auth", "<", "\u{16}"] {
        let (mut d, _) = shown(with(ClientTls::Offer), MECHANISMS);
        d.client(&format!("{STARTTLS}{behind}"));
        // Before TLS the shim cannot know who would read an error, and sends none.
        assert_eq!(d.client_bytes(), PROCEED, "{behind:?}");
        assert!(d.session.is_over(Leg::Client), "{behind:?}");
        let refused = |event: &Event| matches!(event, Event::Refused { reason, .. } if reason.contains("tampering"));
        assert!(d.tells(refused), "{behind:?}");
        d.input(Input::ClientSecured);
        assert_eq!(d.client_bytes(), "");
        assert!(!d.server_bytes().contains("<auth"), "{behind:?}");
    }
}

/// go-sendxmpp ends this line.
#[test]
fn a_line_that_ends_behind_starttls_is_no_harm() {
    let (mut d, _) = shown(with(ClientTls::Offer), MECHANISMS);
    d.client(&format!("{STARTTLS}\n"));
    assert_eq!(d.client_bytes(), PROCEED);
    d.input(Input::ClientSecured);
    d.client(&client_header("capulet.lit"));
    assert!(d.client_bytes().ends_with(MECHANISMS));
    log_in(&mut d);
}

#[test]
fn what_was_said_before_tls_does_not_count_after() {
    let register = "<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>";
    for before in [AUTH, register] {
        let (mut d, _) = shown(with(ClientTls::Offer), MECHANISMS);
        d.client(before);
        d.server("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>");
        d.client_bytes();
        d.client(STARTTLS);
        d.assert_refused("policy-violation");
    }
}

#[test]
fn required_tls_shows_nothing_else() {
    for policy in [Policy::Auto, Policy::Off] {
        let mut d = Driver::new(Options {
            policy,
            ..with(ClientTls::Require)
        });
        d.client(&client_header("capulet.lit"));
        // The server hears nothing of a client that may never come in.
        assert_eq!(d.outputs(), []);
        let seen = Node::document(&(d.client_bytes() + "</stream:stream>"));
        assert_eq!(seen.value("from"), "capulet.lit");
        let features: Vec<_> = seen
            .at("features")
            .children
            .iter()
            .map(|it| &*it.local)
            .collect();
        assert_eq!(features, ["starttls"]);
        assert!(seen.has("features/starttls/required"));

        d.client(STARTTLS);
        assert_eq!(d.client_bytes(), PROCEED);
        assert_eq!(d.outputs(), [accepting("capulet.lit", &[])]);
        d.input(Input::ClientSecured);
        d.forget();
        d.client(&client_header("capulet.lit"));
        assert!(matches!(&d.outputs()[..], [Output::Connect { .. }]));
        d.input(Input::connected(Security::Plain, ServerFacts::default()));
        d.server(&format!("{}{MECHANISMS}", server_header("capulet.lit")));
        assert_eq!(
            d.client_bytes(),
            format!("{}{MECHANISMS}", server_header("capulet.lit"))
        );
    }
}

#[test]
fn a_login_before_required_tls_is_refused() {
    let register = "<iq type='set' id='1'><query xmlns='jabber:iq:register'><password>x</password></query></iq>";
    for policy in [Policy::Auto, Policy::Off, Policy::Pure] {
        for early in [AUTH, register, "<message/>"] {
            let mut d = Driver::new(Options {
                policy,
                ..with(ClientTls::Require)
            });
            d.client(&format!("{}{early}", client_header("capulet.lit")));
            let sent = d.assert_refused("policy-violation");
            assert_has(&sent, "without TLS");
            assert_eq!(d.server_bytes(), "", "{policy:?}");
        }
    }
}

#[test]
fn the_header_after_tls_names_the_same_domain() {
    for client_tls in [ClientTls::Offer, ClientTls::Require] {
        let mut d = match client_tls {
            ClientTls::Offer => shown(with(client_tls), MECHANISMS).0,
            _ => {
                let mut d = Driver::new(with(client_tls));
                d.client(&client_header("capulet.lit"));
                d.forget();
                d
            }
        };
        d.client(STARTTLS);
        d.input(Input::ClientSecured);
        d.forget();
        d.client(&client_header("montague.lit"));
        d.assert_refused("improper-addressing");
    }
}

/// The server was told the header from before TLS, and passed stanzas use its prefixes: the new header may declare no
/// others.
#[test]
fn the_header_after_tls_declares_the_same() {
    let again = |header: &str| {
        let (mut d, _) = shown(with(ClientTls::Offer), MECHANISMS);
        d.client(STARTTLS);
        d.input(Input::ClientSecured);
        d.forget();
        d.client(header);
        d
    };
    let header = client_header("capulet.lit");
    let more = header.replace(" to=", " xmlns:x='urn:example:x' to=");
    again(&more).assert_refused("bad-namespace-prefix");
    let known = header.replace(" to=", " from='juliet@capulet.lit' xml:lang='en' to=");
    let seen = again(&known).client_bytes();
    assert!(seen.ends_with(MECHANISMS), "{seen}");
}

fn offering(names: &[&str]) -> String {
    let names: String = names
        .iter()
        .map(|name| format!("<mechanism>{name}</mechanism>"))
        .collect();
    format!(
        "<stream:features><sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/></sasl-channel-binding>\
         <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{names}</mechanisms></stream:features>"
    )
}

/// The mechanisms shown, and whether channel binding is offered.
fn ways(shown: &str) -> (Vec<String>, bool) {
    let ways = shown
        .split("<mechanism>")
        .skip(1)
        .filter_map(|it| it.split_once("</mechanism>"));
    let ways = ways.map(|(name, _)| name.to_owned()).collect();
    (ways, shown.contains("sasl-channel-binding"))
}

/// A client with TLS to the shim would bind its login to that, or say that it could: an attack, for the server.
#[test]
fn only_plain_where_the_server_binds_channels() {
    let offer = offering(&[
        "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA-1",
        "EXTERNAL",
        "PLAIN",
        "X-OTHER",
    ]);
    let (mut d, seen) = shown(with(ClientTls::Offer), &offer);
    // Without TLS a client binds nothing, and says so.
    assert_eq!(ways(&seen).0.len(), 5);
    let again = secured(&mut d);
    let (left, says_how) = ways(&again);
    assert_eq!(left, ["EXTERNAL", "PLAIN"]);
    assert!(!says_how, "{again}");
}

#[test]
fn without_plain_the_binding_ones_are_taken_out() {
    let offer = offering(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1"]);
    let (mut d, _) = shown(with(ClientTls::Offer), &offer);
    let (left, says_how) = ways(&secured(&mut d));
    assert_eq!(left, ["SCRAM-SHA-256", "SCRAM-SHA-1"]);
    assert!(!says_how);
}

#[test]
fn where_nothing_binds_all_ways_are_shown() {
    let offer = offering(&["SCRAM-SHA-1", "PLAIN"]);
    let (mut d, _) = shown(with(ClientTls::Offer), &offer);
    assert_eq!(
        ways(&secured(&mut d)),
        (vec!["SCRAM-SHA-1".to_owned(), "PLAIN".to_owned()], true)
    );
}

#[test]
fn a_client_that_breaks_off_its_handshake() {
    let lost = || Input::ClientNotSecured("it does not know\nthe certificate".to_owned());
    let known = || Event::ClientNotSecured("it does not know the certificate".to_owned());
    let mut d = Driver::new(with(ClientTls::Auto));
    d.input(Input::Bytes(Leg::Client, &HELLO));
    d.forget();
    d.input(lost());
    let ended = Event::Ended {
        after: Duration::ZERO,
        by: Ending::NotSecured,
    };
    assert_eq!(d.events(), [known(), ended]);
    assert!(d.session.is_closed());

    let (mut d, _) = shown(with(ClientTls::Offer), MECHANISMS);
    d.client(STARTTLS);
    d.forget();
    d.input(lost());
    assert_eq!(d.events(), [known()]);
    assert_eq!(
        (d.client_bytes(), d.server_bytes()),
        (String::new(), "</stream:stream>".to_owned())
    );
    assert!(d.session.is_over(Leg::Client));
    d.server("</stream:stream>");
    assert!(d.session.is_closed());
}

#[test]
fn nothing_is_written_into_a_handshake() {
    let ends: [fn(&mut Driver); 4] = [
        |d| d.input(Input::Eof(Leg::Server)),
        |d| d.input(Input::Shutdown),
        |d| d.advance(1000),
        |d| d.server(CONFLICT),
    ];
    for end in ends {
        let (mut d, _) = shown(with(ClientTls::Offer), MECHANISMS);
        d.client(STARTTLS);
        d.forget();
        end(&mut d);
        assert_eq!(d.client_bytes(), "");
        d.input(Input::ClientSecured);
        d.client(&client_header("capulet.lit"));
        let told = d.client_bytes();
        assert!(told.is_empty() || told.contains("<stream:error>"), "{told}");
    }
}

#[test]
fn a_handshake_nobody_has_asked_for() {
    let (mut d, _) = shown(with(ClientTls::Offer), MECHANISMS);
    d.input(Input::ClientSecured);
    d.input(Input::ClientNotSecured("nothing".to_owned()));
    assert_eq!(d.everything(), []);
    log_in(&mut d);
}

#[test]
fn a_handshake_is_recorded() {
    let mut d = Driver::new(with(ClientTls::Offer));
    d.client(&client_header("capulet.lit"));
    d.input(Input::connected(
        Security::DirectTls,
        ServerFacts::default(),
    ));
    d.server(&format!("{}{MECHANISMS}", server_header("capulet.lit")));
    d.client(STARTTLS);
    d.input(Input::ClientSecured);
    d.client(&client_header("capulet.lit"));
    log_in(&mut d);
    d.assert_recorded(&[
        "client-tls: offer",
        "accept tls",
        "client secured",
        "connected by direct",
    ]);
}
