//! Slow peers: time-outs of stanzas and of readers.

use std::time::Duration;

use pubshim::session::{Input, Leg, Options, Output, Policy};

use crate::scenes::*;

/// Sends one byte of an endless stanza every 10 seconds.
fn drip(d: &mut Driver, leg: Leg, seconds: u64) {
    d.input(Input::Bytes(leg, b"<message>"));
    for _ in 0..seconds / 10 {
        d.advance(10);
        d.input(Input::Bytes(leg, b"x"));
    }
}

#[test]
fn a_client_that_drips_times_out() {
    let mut d = Driver::auto(JULIET);
    drip(&mut d, Leg::Client, 110);
    assert_eq!(d.client_bytes(), "");
    drip(&mut d, Leg::Client, 20);
    d.assert_refused("connection-timeout");
}

#[test]
fn a_server_that_stops_amid_a_stanza_times_out() {
    let mut d = Driver::auto(JULIET);
    // A large stanza over a slow line takes its time.
    drip(&mut d, Leg::Server, 500);
    d.advance(119);
    assert_eq!(d.client_bytes(), "");
    d.advance(2);
    d.assert_refused("reset");
    assert!(d.session.is_closed());
}

#[test]
fn a_server_that_drips_before_tls_ends_with_the_login() {
    let mut d = Driver::at(Stage::OpeningPlain, options(Policy::Auto));
    d.server("<stream:stream ");
    d.advance(130);
    let sent = d.client_bytes();
    assert_eq!(sent.matches("<stream:error>").count(), 1, "{sent}");
    assert!(d.session.is_closed());
}

#[test]
fn many_stanzas_one_after_the_other_are_no_drip() {
    let mut d = Driver::auto(JULIET);
    // A cut that never falls between two stanzas.
    d.client("<mes");
    for _ in 0..30 {
        d.advance(10);
        d.client("sage/><mes");
    }
    assert_eq!(d.server_bytes(), "<message/>".repeat(30));
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn white_space_is_no_drip() {
    let mut d = Driver::auto(JULIET);
    for _ in 0..100 {
        d.advance(60);
        d.client(" ");
        d.server("\n");
    }
    assert_eq!(d.server_bytes(), " ".repeat(100));
    assert_eq!(d.client_bytes(), "\n".repeat(100));
}

#[test]
fn an_idle_session_asks_for_no_timeout() {
    let mut d = Driver::auto(JULIET);
    d.client("<message/>");
    assert_eq!(d.session.timeout(), None);
    d.advance(1_000_000);
    d.client("<message/>");
    assert_eq!(d.server_bytes(), "<message/><message/>");
}

#[test]
fn a_login_that_takes_too_long_is_ended_at_every_stage() {
    for stage in STAGES
        .into_iter()
        .filter(|stage| *stage < Stage::Established)
    {
        let mut options = options(Policy::Auto);
        // A shorter time-out would give a silent server up before.
        options.timeouts.greeting = Duration::from_secs(1000);
        let mut d = Driver::at(stage, options);
        d.advance(126);
        let sent = d.client_bytes();
        assert!(sent.contains("<connection-timeout "), "{stage:?}: {sent}");
        assert_eq!(
            sent.matches("<stream:error>").count(),
            1,
            "{stage:?}: {sent}"
        );
        assert!(d.session.is_closed(), "{stage:?}");
    }
}

#[test]
fn time_outs_are_those_of_the_options() {
    let mut options = options(Policy::Auto);
    options.timeouts.login = Duration::from_secs(5);
    let mut d = Driver::at(Stage::Login, options);
    d.advance(4);
    assert_eq!(d.client_bytes(), "");
    d.advance(1);
    d.assert_refused("connection-timeout");
}

#[test]
fn a_client_that_reads_nothing_goes_offline() {
    let mut d = published();
    d.block(Leg::Client, true);
    d.server("<message/>");
    d.advance(299);
    assert_eq!(d.server_bytes(), "");
    // From here on the server's own time-out for closing counts.
    d.advance(2);
    let sent = d.server_bytes();
    assert_has(&sent, "type='unavailable'");
    assert!(sent.ends_with("</stream:stream>"), "{sent}");
    d.advance(10);
    assert!(d.session.is_closed());
}

#[test]
fn a_server_that_reads_nothing_ends_the_session() {
    let mut d = Driver::auto(JULIET);
    d.block(Leg::Server, true);
    d.client("<message/>");
    d.advance(299);
    assert_eq!(d.client_bytes(), "");
    d.advance(2);
    d.assert_refused("reset");
    d.advance(10);
    assert!(d.session.is_closed());
}

#[test]
fn a_reader_that_takes_a_little_is_no_stall() {
    let mut d = Driver::auto(JULIET);
    d.block(Leg::Server, true);
    d.client("<message/>");
    for _ in 0..9 {
        d.advance(290);
        d.session.sent(Leg::Server, 1, d.now);
    }
    assert_eq!(d.client_bytes(), "");
    assert_eq!(d.outputs(), Vec::<Output>::new());
}

#[test]
fn a_session_that_closes_as_its_login_ends_does_not_spin() {
    let mut d = Driver::at(Stage::Login, options(Policy::Auto));
    d.advance(118);
    d.client("</stream:stream>");
    d.advance(10);
    assert!(d.session.is_closed());
}

#[test]
fn a_header_that_is_too_long_is_refused() {
    let mut d = Driver::new(Options::default());
    d.client("<stream:stream a='");
    for _ in 0..70 {
        d.client(&"x".repeat(1000));
    }
    d.assert_refused("policy-violation");
}
