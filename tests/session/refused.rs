//! Clients and servers that do not speak XMPP as it must be spoken, before login.

use std::time::Duration;

use pubshim::session::{Ending, Event, Input, Leg, Output, Policy, ServerFacts};

use crate::scenes::*;

const STREAMS: &str = "http://etherx.jabber.org/streams";

/// The answer to a new client with this header.
fn first_words(header: &str) -> Driver {
    let mut d = Driver::new(options(Policy::Auto));
    d.client(header);
    d
}

/// A server that says `text` at `stage`: the client is told, and nothing goes on.
#[track_caller]
fn assert_server_fails(stage: Stage, text: &str) -> Driver {
    let mut d = Driver::at(stage, options(Policy::Auto));
    d.server(text);
    let sent = d.assert_refused("remote-connection-failed");
    assert!(
        sent.starts_with("<?xml version='1.0'?><stream:stream "),
        "{sent}"
    );
    assert_has(&sent, " from='capulet.lit'");
    assert!(d.session.is_closed());
    d
}

#[test]
fn a_version_other_than_1_is_not_supported() {
    for version in [
        "",
        " version='0.9'",
        " version='2.0'",
        " version='10.0'",
        " version=''",
    ] {
        let mut d = first_words(&format!(
            "<stream:stream to='capulet.lit' xmlns='jabber:client' xmlns:stream='{STREAMS}'{version}>"
        ));
        d.assert_refused("unsupported-version");
    }
}

#[test]
fn a_wrong_namespace_ends_the_stream() {
    for header in [
        format!("<stream:stream to='capulet.lit' xmlns='jabber:server' xmlns:stream='{STREAMS}' version='1.0'>"),
        format!("<stream:stream to='capulet.lit' xmlns:stream='{STREAMS}' version='1.0'>"),
        "<stream:stream to='capulet.lit' xmlns='jabber:client' xmlns:stream='http://wrong' version='1.0'>".to_owned(),
        "<stream to='capulet.lit' xmlns='jabber:client' version='1.0'>".to_owned(),
        format!("<stream:flow to='capulet.lit' xmlns='jabber:client' xmlns:stream='{STREAMS}' version='1.0'>"),
    ] {
        let mut d = first_words(&header);
        let sent = d.client_bytes();
        assert!(
            sent.contains("<invalid-namespace ") || sent.contains("<bad-format "),
            "{header}: {sent}"
        );
        assert!(d.session.is_closed());
    }
}

#[test]
fn a_header_has_to_name_a_domain() {
    for to in [
        "",
        " to=''",
        " to='juliet@capulet.lit'",
        " to='a b'",
        " to='x&lt;y'",
    ] {
        let mut d = first_words(&format!(
            "<stream:stream{to} xmlns='jabber:client' xmlns:stream='{STREAMS}' version='1.0'>"
        ));
        let sent = d.client_bytes();
        assert!(
            sent.contains("<improper-addressing ") || sent.contains("<host-unknown "),
            "{to}: {sent}"
        );
        assert!(!d.wanted(|o| matches!(o, Output::Connect { .. })));
    }
}

#[test]
fn what_is_no_xml_is_not_well_formed() {
    for text in [
        "GET / HTTP/1.1\r\nHost: capulet.lit\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}",
        "<a <b>",
        "</stream:stream>",
    ] {
        first_words(text).assert_refused("not-well-formed");
    }
}

#[test]
fn restricted_xml_ends_the_stream() {
    for text in ["<!DOCTYPE html>", "<!-- hi -->", "<?php ?>"] {
        first_words(text).assert_refused("restricted-xml");
    }
    first_words("<stream:stream to='capulet.lit' version='1.0'>")
        .assert_refused("bad-namespace-prefix");
    let mut d = Driver::new(options(Policy::Auto));
    d.input(Input::Bytes(Leg::Client, b"\xFF\xFE<\0s\0"));
    let sent = d.client_bytes();
    assert!(sent.contains("<unsupported-encoding ") || sent.contains("<not-well-formed "));
}

#[test]
fn the_error_before_any_header_comes_after_a_header() {
    // RFC 6120 §4.9.1.2.
    let sent = first_words("GET /").assert_refused("not-well-formed");
    assert!(sent.starts_with("<?xml version='1.0'?><stream:stream "));
    Node::document(&sent);
}

#[test]
fn a_server_without_starttls_is_refused() {
    assert_server_fails(
        Stage::OpeningPlain,
        &format!("{}{MECHANISMS}", server_header("capulet.lit")),
    );
    let hidden = "<stream:features><x><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></x></stream:features>";
    assert_server_fails(
        Stage::OpeningPlain,
        &format!("{}{hidden}", server_header("capulet.lit")),
    );
}

#[test]
fn a_server_that_refuses_starttls_ends_the_session() {
    let mut d = assert_server_fails(
        Stage::StartingTls,
        "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>",
    );
    assert!(d.outputs().iter().all(|o| *o != Output::StartTls));
}

#[test]
fn bytes_right_behind_proceed_are_an_error() {
    for more in [
        " ",
        "\n",
        "x",
        "<stream:features/>",
        &server_header("capulet.lit"),
    ] {
        let mut d = assert_server_fails(Stage::StartingTls, &format!("{PROCEED}{more}"));
        d.input(Input::Secured);
        assert_eq!(d.client_bytes(), "");
    }
}

/// An attacker without the keys may have written these bytes: the TLS stream must not begin with them.
#[test]
fn bytes_between_proceed_and_tls_are_an_error() {
    for more in [
        "\n",
        "<",
        "<stream:features/>",
        &server_header("capulet.lit"),
    ] {
        let mut d = Driver::at(Stage::Handshaking, options(Policy::Auto));
        d.server(more);
        let sent = d.client_bytes();
        assert!(
            sent.contains("<remote-connection-failed "),
            "{more:?}: {sent}"
        );
        assert!(d.session.is_closed(), "{more:?}");
        d.forget();
        d.input(Input::Secured);
        assert_eq!(d.server_bytes(), "");
    }
}

#[test]
fn an_error_of_the_server_before_tls_is_told_in_our_words() {
    let error = "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
        <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>This server does not serve capulet.lit</text>\
        </stream:error></stream:stream>";
    for stage in [Stage::OpeningPlain, Stage::Opening] {
        let mut d = Driver::at(stage, options(Policy::Auto));
        d.server(&format!("{}{error}", server_header("capulet.lit")));
        let sent = d.client_bytes();
        assert_eq!(sent.matches("<stream:error>").count(), 1, "{sent}");
        assert_eq!(sent.matches("<stream:stream ").count(), 1, "{sent}");
        assert!(sent.ends_with("</stream:error></stream:stream>"), "{sent}");
        let refused = |event: &Event| matches!(event, Event::Refused { reason, .. } if reason.contains("host-unknown"));
        assert!(d.tells(refused));
        assert!(d.session.is_closed());
    }
}

#[test]
fn a_server_that_hangs_up_before_tls_is_told_to_the_client() {
    for stage in [
        Stage::OpeningPlain,
        Stage::StartingTls,
        Stage::Handshaking,
        Stage::Opening,
    ] {
        let mut d = Driver::at(stage, options(Policy::Auto));
        d.input(Input::Eof(Leg::Server));
        d.assert_refused("remote-connection-failed");
        assert!(d.session.is_closed(), "{stage:?}");
    }
}

#[test]
fn a_server_that_closes_before_tls_is_told_to_the_client() {
    assert_server_fails(
        Stage::OpeningPlain,
        &format!("{}</stream:stream>", server_header("capulet.lit")),
    );
    assert_server_fails(Stage::StartingTls, "</stream:stream>");
}

#[test]
fn a_server_that_speaks_something_else_is_told_to_the_client() {
    for text in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "220 capulet.lit ESMTP\r\n",
        "<!DOCTYPE html><html>",
        "<html>",
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
        // A header without a version could be a refusal of our version.
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><stream:features/>",
    ] {
        for stage in [Stage::OpeningPlain, Stage::Opening] {
            assert_server_fails(stage, text);
        }
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_told_to_the_client() {
    for stage in [Stage::Connecting, Stage::Handshaking] {
        let mut d = Driver::at(stage, options(Policy::Auto));
        d.input(Input::Failed(
            "nobody listens at <capulet.lit:5222>".to_owned(),
        ));
        let sent = d.assert_refused("remote-connection-failed");
        Node::document(&sent);
        assert_eq!(d.server_bytes(), "");
        assert!(d.session.is_closed());
        let reason = "nobody listens at <capulet.lit:5222>".to_owned();
        let condition = "remote-connection-failed";
        let refused = Event::Refused { condition, reason };
        let (after, by) = (Duration::ZERO, Ending::NoServer);
        assert_eq!(d.events(), [refused, Event::Ended { after, by }]);
    }
}

#[test]
fn nothing_is_sent_in_plain_after_proceed() {
    type What = fn(&mut Driver);
    let endings: [What; 4] = [
        |d| d.input(Input::Eof(Leg::Client)),
        |d| d.input(Input::Eof(Leg::Server)),
        |d| d.input(Input::Shutdown),
        |d| d.advance(130),
    ];
    for end in endings {
        let mut d = Driver::at(Stage::Handshaking, options(Policy::Auto));
        end(&mut d);
        assert_eq!(d.server_bytes(), "", "no stream is open there");
    }
}

#[test]
fn the_prefix_of_the_stream_is_the_one_that_was_declared() {
    let client = "<s:stream to='capulet.lit' xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams' version='1.0'>";
    let server = "<t:stream from='capulet.lit' id='1' xmlns='jabber:client' xmlns:t='http://etherx.jabber.org/streams' version='1.0'>";
    let logged_in = || {
        Driver::logged_in_with(
            JULIET,
            options(Policy::Auto),
            client,
            server,
            ServerFacts::default(),
        )
    };
    let mut d = logged_in();
    d.client("<message><!-- --></message>");
    let sent = d.client_bytes();
    assert!(sent.starts_with("<t:error><restricted-xml "), "{sent}");
    assert!(sent.ends_with("</t:error></t:stream>"), "{sent}");
    assert_eq!(d.server_bytes(), "</s:stream>");

    let mut d = logged_in();
    d.server("<message><?x ?></message>");
    assert!(d.client_bytes().ends_with("</t:error></t:stream>"));
    let sent = d.server_bytes();
    assert!(sent.starts_with("<s:error><restricted-xml "), "{sent}");
    assert!(sent.ends_with("</s:error></s:stream>"), "{sent}");

    let mut d = logged_in();
    d.client_passes("</s:stream>");
    d.server_passes("</t:stream>");

    let mut d = logged_in();
    let error = "<t:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></t:error>";
    d.server(error);
    assert!(d.client_bytes().starts_with(error));

    let mut d = logged_in();
    d.client("</stream:stream>");
    let sent = d.client_bytes();
    assert!(
        sent.contains("<not-well-formed ") || sent.contains("<bad-namespace-prefix "),
        "{sent}"
    );
}

#[test]
fn a_silent_client_is_sent_away() {
    let mut d = Driver::new(options(Policy::Auto));
    d.advance(119);
    assert!(!d.session.is_closed());
    d.advance(2);
    d.assert_refused("connection-timeout");
    assert!(d.session.is_closed());
}
