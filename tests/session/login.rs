//! From the first byte to the bound resource (RFC 6120 §4–7).

use pubshim::session::{Event, Input, Leg, Options, Output, Policy, Security, ServerFacts};

use crate::scenes::*;

const CHALLENGE: &str =
    "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>cj00L1RHQUVM</challenge>";
const RESPONSE: &str =
    "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>Yz1iaXdzLHI9NC</response>";
const ABORT: &str = "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
const ABORTED: &str = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><aborted/></failure>";
const NOT_AUTHORIZED: &str =
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>";

#[test]
fn login_over_starttls() {
    let mut d = Driver::new(options(Policy::Auto));
    let header = "<?xml version='1.0'?><stream:stream from='juliet@capulet.lit' to='capulet.lit' \
        version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
    d.client(header);
    let domain = "capulet.lit".to_owned();
    assert_eq!(d.outputs(), [Output::Connect { domain }]);
    d.assert_silent();

    d.input(Input::connected(Security::StartTls, ServerFacts::default()));
    let own = Node::document(&(d.server_bytes() + "</stream:stream>"));
    assert_eq!(own.namespace, "http://etherx.jabber.org/streams");
    own.assert_values(&[("to", "capulet.lit"), ("version", "1.0")]);
    assert_eq!(own.attribute("from"), None, "before TLS");

    d.server(&server_header("capulet.lit"));
    d.server(STARTTLS);
    let starttls = d.one_to_server();
    assert_eq!(starttls.local, "starttls");
    assert_eq!(starttls.namespace, "urn:ietf:params:xml:ns:xmpp-tls");
    d.server(PROCEED);
    assert_eq!(d.outputs(), [Output::StartTls]);
    d.assert_silent(); // before TLS is up

    d.input(Input::Secured);
    assert_eq!(d.server_bytes(), header);
    let answer = server_header("capulet.lit").replace("5ded7657", "e4eddce6");
    d.server(&answer);
    d.server(MECHANISMS);
    assert_eq!(d.client_bytes(), format!("{answer}{MECHANISMS}"));

    d.client_passes(AUTH);
    d.server_passes(SUCCESS);
    d.client_passes(header);
    d.server_passes(&format!("{answer}{BIND_FEATURES}"));
    d.client_passes(BIND);
    assert_eq!(d.session.jid(), None);
    d.server_passes(&bound(JULIET));
    assert_eq!(d.session.jid(), Some(JULIET));
    assert_eq!(d.events(), [Event::LoggedIn(JULIET.to_owned())]);
    assert_eq!(d.session.timeout(), None);
}

#[test]
fn over_direct_tls_and_plain_the_clients_header_goes_first() {
    for security in [Security::DirectTls, Security::Plain] {
        let mut d = Driver::new(options(Policy::Auto));
        d.client(&client_header("capulet.lit"));
        d.input(Input::connected(security, ServerFacts::default()));
        assert_eq!(d.server_bytes(), client_header("capulet.lit"));
        d.server(&format!("{}{MECHANISMS}", server_header("capulet.lit")));
        assert_eq!(
            d.client_bytes(),
            format!("{}{MECHANISMS}", server_header("capulet.lit"))
        );
    }
}

#[test]
fn a_login_that_comes_byte_by_byte_is_the_same() {
    let mut d = Driver::new(options(Policy::Auto));
    let bytewise = |d: &mut Driver, leg, text: &str| {
        for byte in text.as_bytes() {
            d.input(Input::Bytes(leg, &[*byte]));
        }
    };
    let (header, answer) = (client_header("capulet.lit"), server_header("capulet.lit"));
    bytewise(&mut d, Leg::Client, &header);
    d.input(Input::connected(Security::Plain, ServerFacts::default()));
    bytewise(&mut d, Leg::Server, &format!("{answer}{MECHANISMS}"));
    bytewise(&mut d, Leg::Client, AUTH);
    bytewise(&mut d, Leg::Server, SUCCESS);
    bytewise(&mut d, Leg::Client, &header);
    bytewise(&mut d, Leg::Server, &format!("{answer}{BIND_FEATURES}"));
    bytewise(&mut d, Leg::Client, BIND);
    bytewise(&mut d, Leg::Server, &bound(JULIET));
    assert_eq!(d.server_bytes(), format!("{header}{AUTH}{header}{BIND}"));
    let bound = bound(JULIET);
    assert_eq!(
        d.client_bytes(),
        format!("{answer}{MECHANISMS}{SUCCESS}{answer}{BIND_FEATURES}{bound}")
    );
}

#[test]
fn a_challenge_and_its_response_pass() {
    let mut d = Driver::at(Stage::Login, options(Policy::Auto));
    d.client(AUTH);
    d.server(CHALLENGE);
    d.client(RESPONSE);
    d.server(SUCCESS);
    assert_eq!(d.server_bytes(), format!("{AUTH}{RESPONSE}"));
    assert_eq!(d.client_bytes(), format!("{CHALLENGE}{SUCCESS}"));
}

#[test]
fn a_failed_login_may_be_tried_again() {
    let mut d = Driver::at(Stage::Login, options(Policy::Auto));
    d.client(AUTH);
    d.server_passes(NOT_AUTHORIZED);
    let failed = Event::LoginFailed {
        whose: Some("juliet@capulet.lit".to_owned()),
        condition: "not-authorized".to_owned(),
    };
    assert_eq!(d.events(), [failed]);
    // Clients try one way after the other.
    d.client(AUTH);
    d.server_passes(NOT_AUTHORIZED);
    assert_eq!(d.events(), []);
    d.client(AUTH);
    d.server(CHALLENGE);
    d.client(ABORT);
    d.server(ABORTED);
    d.client(AUTH);
    d.server(SUCCESS);
    assert_eq!(d.server_bytes(), format!("{AUTH}{AUTH}{AUTH}{ABORT}{AUTH}"));
    assert_eq!(d.client_bytes(), format!("{CHALLENGE}{ABORTED}{SUCCESS}"));
    d.client_passes(&client_header("capulet.lit"));
}

#[test]
fn a_header_right_behind_auth_waits_for_success() {
    let mut d = Driver::at(Stage::Login, options(Policy::Auto));
    let header = client_header("capulet.lit");
    d.client(&format!("{AUTH}{header}"));
    assert_eq!(d.server_bytes(), AUTH);
    d.server(SUCCESS);
    assert_eq!(d.server_bytes(), header);
    assert_eq!(d.client_bytes(), SUCCESS);
}

#[test]
fn presence_right_behind_bind_waits_for_the_address() {
    let mut d = Driver::at(Stage::Binding, options(Policy::Auto));
    d.client(&format!("{BIND}<presence/>"));
    assert_eq!(d.server_bytes(), BIND);
    d.server(&bound(JULIET));
    let sent = d.server_got();
    assert_eq!(sent[0].local, "presence");
    assert!(sent[0].has("shim"));
    assert_eq!(sent[1].local, "iq", "the node is looked at");
}

#[test]
fn the_resource_is_the_one_the_server_chose() {
    let mut d = Driver::at(Stage::Binding, options(Policy::Auto));
    d.client("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    d.server(&bound("juliet@capulet.lit/4db06f06-1ea4&apos;"));
    assert_eq!(d.session.jid(), Some("juliet@capulet.lit/4db06f06-1ea4'"));
}

#[test]
fn a_refused_resource_may_be_asked_for_again() {
    let refused = "<iq type='error' id='bind'><error type='modify'><conflict \
        xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
    let mut d = Driver::at(Stage::Binding, options(Policy::Auto));
    d.client(BIND);
    d.server_passes(refused);
    assert_eq!(d.session.jid(), None);
    d.client(BIND);
    d.server(&bound("juliet@capulet.lit/other"));
    assert_eq!(d.session.jid(), Some("juliet@capulet.lit/other"));
}

#[test]
fn the_old_session_request_passes() {
    let session =
        "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>";
    let mut d = Driver::auto(JULIET);
    d.client_passes(session);
    let result = format!("<iq type='result' to='{JULIET}' id='s'/>");
    d.server_passes(&result);
}

#[test]
fn the_login_of_before_sasl_is_refused_as_an_iq() {
    let mut d = Driver::at(Stage::Login, options(Policy::Auto));
    d.client("<iq type='get' id='a&amp;1'><query xmlns='jabber:iq:auth'><username>juliet</username></query></iq>");
    let answer = d.one_to_client();
    assert_eq!((answer.value("type"), answer.value("id")), ("error", "a&1"));
    assert!(answer.has("error/service-unavailable"));
    assert_eq!(d.server_bytes(), "");
    d.client_passes(AUTH);
}

#[test]
fn registration_passes_before_login() {
    let get = "<iq type='get' id='r' to='capulet.lit'><query xmlns='jabber:iq:register'/></iq>";
    let form = "<iq type='result' id='r' from='capulet.lit'><query xmlns='jabber:iq:register'>\
        <username/><password/></query></iq>";
    let mut d = Driver::at(Stage::Login, options(Policy::Auto));
    d.client_passes(get);
    d.server_passes(form);
}

#[test]
fn a_stanza_before_login_ends_the_stream() {
    for stanza in [
        "<message to='romeo@montague.lit'><body>hi</body></message>",
        "<presence/>",
        "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
    ] {
        let mut d = Driver::at(Stage::Login, options(Policy::Auto));
        d.client(stanza);
        d.assert_refused("not-authorized");
        assert_eq!(d.server_bytes(), "</stream:stream>");
    }
    let mut d = Driver::at(Stage::Binding, options(Policy::Auto));
    d.client("<presence/>");
    d.assert_refused("not-authorized");
}

#[test]
fn a_client_that_asks_for_tls_is_told_that_there_is_none() {
    for policy in [Policy::Auto, Policy::Off] {
        let mut d = Driver::at(Stage::Login, options(policy));
        d.client("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        let sent = d.client_bytes();
        // RFC 6120 §5.4.2.2: the failure, then the closing tag.
        assert!(sent.starts_with("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"));
        assert!(sent.ends_with("</stream:stream>"));
        assert!(d.outputs().contains(&Output::Finish(Leg::Client)));
        assert_eq!(d.server_bytes(), "</stream:stream>");
    }
}

#[test]
fn a_client_may_not_change_the_domain_after_its_login() {
    let mut d = Driver::at(Stage::Reopening, options(Policy::Auto));
    d.client(&client_header("montague.lit"));
    assert!(!d.server_bytes().contains("montague.lit"));
    assert!(d.client_bytes().contains("<stream:error>"));

    let mut d = Driver::at(Stage::Reopening, options(Policy::Auto));
    d.client_passes(&client_header("Capulet.LIT"));
}

#[test]
fn only_the_domains_of_the_list_may_be_named() {
    let options = Options {
        domains: vec!["Capulet.lit".to_owned(), "montague.lit".to_owned()],
        ..options(Policy::Auto)
    };
    for domain in ["capulet.lit", "CAPULET.LIT", "montague.lit"] {
        let mut d = Driver::new(options.clone());
        d.client(&client_header(domain));
        let domain = domain.to_owned();
        assert_eq!(d.outputs(), [Output::Connect { domain }]);
    }
    for domain in ["shakespeare.lit", "capulet.lit.evil.lit", "xcapulet.lit"] {
        let mut d = Driver::new(options.clone());
        d.client(&client_header(domain));
        d.assert_refused("host-unknown");
        assert!(d.session.is_closed());
        assert!(!d.wanted(|o| matches!(o, Output::Connect { .. })));
    }
}

#[test]
fn a_client_that_tries_no_way_to_log_in_is_told_of() {
    let is_told = |d: &mut Driver| {
        d.events()
            .contains(&Event::LeftBeforeLogin { secured: false })
    };
    let mut d = Driver::at(Stage::Login, options(Policy::Auto));
    d.input(Input::Eof(Leg::Client));
    assert!(is_told(&mut d));
    let mut d = Driver::at(Stage::Authenticating, options(Policy::Auto));
    d.input(Input::Eof(Leg::Client));
    assert!(!is_told(&mut d));
}
