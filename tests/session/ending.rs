//! Ends in every stage of a session, and what comes after the end.

use std::time::Duration;

use pubshim::session::{Input, Leg, Output, Policy, Security, ServerFacts};

use crate::scenes::*;

const CLOSE: &str = "</stream:stream>";

fn at(stage: Stage) -> Driver {
    Driver::at(stage, options(Policy::Auto))
}

/// Everything that can still arrive after the end does nothing.
fn assert_dead(mut d: Driver, stage: Stage) {
    assert!(d.session.is_closed(), "{stage:?}");
    assert_eq!(d.session.timeout(), None);
    d.forget();
    for leg in [Leg::Client, Leg::Server] {
        assert!(!d.session.wants(leg));
    }
    d.input(Input::connected(Security::StartTls, ServerFacts::default()));
    d.input(Input::Secured);
    d.input(Input::Failed("too late".to_owned()));
    for leg in [Leg::Client, Leg::Server] {
        for bytes in [
            "<message/>",
            CLOSE,
            "<!--",
            &client_header("capulet.lit"),
            " ",
        ] {
            d.input(Input::Bytes(leg, bytes.as_bytes()));
        }
        d.input(Input::Eof(leg));
    }
    d.input(Input::Shutdown);
    d.now += Duration::from_secs(10_000);
    d.input(Input::Timeout);
    assert_eq!(d.client_bytes(), "", "{stage:?}");
    assert_eq!(d.server_bytes(), "", "{stage:?}");
    assert_eq!(d.everything(), [], "{stage:?}");
    assert_eq!(d.session.timeout(), None);
}

#[test]
fn a_half_closed_client_goes_offline_and_still_reads() {
    let mut d = published();
    d.input(Input::Eof(Leg::Client));
    let sent = d.server_bytes();
    let stanzas = Node::stream(sent.strip_suffix(CLOSE).unwrap());
    assert_eq!(
        stanzas[0].at("pubsub/publish/item/presence").value("type"),
        "unavailable"
    );
    d.server_passes("<message id='last'/>");
    d.server_passes(CLOSE);
    assert_dead(d, Stage::Established);
}

#[test]
fn a_client_that_hangs_up_ends_the_session_at_every_stage() {
    for stage in STAGES {
        let mut d = at(stage);
        d.input(Input::Eof(Leg::Client));
        let sent = d.server_bytes();
        match stage {
            Stage::New | Stage::Connecting | Stage::Handshaking => {
                assert_eq!(sent, "", "{stage:?}");
            }
            // The server expects a new stream, which the client has not opened.
            Stage::Reopening => {}
            _ => assert_eq!(sent, CLOSE, "{stage:?}"),
        }
        d.advance(6);
        assert_dead(d, stage);
    }
}

#[test]
fn a_server_that_hangs_up_is_told_to_the_client_at_every_stage() {
    for stage in STAGES
        .into_iter()
        .filter(|stage| *stage >= Stage::OpeningPlain)
    {
        let mut d = at(stage);
        d.input(Input::Eof(Leg::Server));
        let sent = match stage {
            Stage::Login | Stage::Authenticating | Stage::Binding | Stage::Established => {
                d.assert_refused("reset")
            }
            // Between two streams either error is right.
            Stage::Reopening | Stage::Reopened => d.client_bytes(),
            _ => d.assert_refused("remote-connection-failed"),
        };
        assert_eq!(
            sent.matches("<stream:error>").count(),
            1,
            "{stage:?}: {sent}"
        );
        // RFC 6120 §4.9.1.2: where no header was sent, one comes first.
        let has_header = sent.contains("<stream:stream ");
        let was_opened = matches!(
            stage,
            Stage::Login | Stage::Authenticating | Stage::Binding | Stage::Established
        );
        assert_eq!(has_header, !was_opened, "{stage:?}: {sent}");
        if has_header {
            Node::document(&sent);
        }
        assert_dead(d, stage);
    }
}

#[test]
fn a_shutdown_ends_the_session_at_every_stage() {
    for stage in STAGES {
        let mut d = at(stage);
        d.input(Input::Shutdown);
        d.assert_refused("system-shutdown");
        let is_open = !matches!(
            stage,
            Stage::New | Stage::Connecting | Stage::Handshaking | Stage::Reopening
        );
        if is_open {
            assert_eq!(d.server_bytes(), CLOSE, "{stage:?}");
        }
        d.advance(6);
        assert_dead(d, stage);
    }
}

#[test]
fn a_closing_tag_of_the_client_ends_the_session_at_every_stage() {
    for stage in STAGES
        .into_iter()
        .filter(|stage| *stage >= Stage::Connecting)
    {
        if stage == Stage::Reopening {
            continue;
        }
        let mut d = at(stage);
        d.client(CLOSE);
        d.input(Input::Eof(Leg::Client));
        // A server that still has to answer gets at most the time of a login.
        d.advance(126);
        assert_dead(d, stage);
    }
}

#[test]
fn a_closing_tag_of_the_server_ends_the_session_at_every_stage() {
    for stage in STAGES.into_iter().filter(|stage| *stage >= Stage::Opened) {
        if stage == Stage::Reopening || stage == Stage::Reopened {
            continue;
        }
        let mut d = at(stage);
        d.server(CLOSE);
        assert_eq!(d.server_bytes(), CLOSE, "{stage:?}");
        assert!(d.client_bytes().ends_with(CLOSE), "{stage:?}");
        d.advance(6);
        assert_dead(d, stage);
    }
}

#[test]
fn a_client_that_hangs_up_behind_its_closing_tag_ends_cleanly() {
    let mut d = published();
    d.client(CLOSE);
    d.input(Input::Eof(Leg::Client));
    let sent = d.server_bytes();
    assert_eq!(sent.matches("type='unavailable'").count(), 1, "{sent}");
    assert_eq!(sent.matches(CLOSE).count(), 1);
    d.server(CLOSE);
    assert_dead(d, Stage::Established);
}

#[test]
fn a_half_closed_server_ends_the_session() {
    let mut d = published();
    d.server("<message/>");
    d.input(Input::Eof(Leg::Server));
    let sent = d.client_bytes();
    assert!(
        sent.starts_with("<message/><stream:error><reset "),
        "{sent}"
    );
    assert!(!d.server_bytes().contains("publish"), "nobody reads it");
    assert_dead(d, Stage::Established);
}

#[test]
fn a_cut_in_the_middle_of_a_stanza_passes_none_of_it() {
    let mut d = Driver::auto(JULIET);
    d.client("<message><body>half");
    d.input(Input::Eof(Leg::Client));
    assert_eq!(d.server_bytes(), CLOSE);
    let mut d = Driver::auto(JULIET);
    d.server("<message><body>half");
    d.input(Input::Eof(Leg::Server));
    assert!(!d.client_bytes().contains("half"));
}

#[test]
fn both_legs_break_at_once() {
    for stage in STAGES
        .into_iter()
        .filter(|stage| *stage >= Stage::OpeningPlain)
    {
        for legs in [[Leg::Client, Leg::Server], [Leg::Server, Leg::Client]] {
            let mut d = at(stage);
            d.input(Input::Eof(legs[0]));
            d.input(Input::Eof(legs[1]));
            assert_dead(d, stage);
        }
    }
}

#[test]
fn what_comes_while_the_server_is_connected_is_kept_for_it() {
    let mut d = Driver::at(Stage::New, options(Policy::Auto));
    // A client may know what it will be offered, and log in at once.
    d.client(&format!("{}{AUTH}", client_header("capulet.lit")));
    assert_eq!(d.server_bytes(), "");
    assert!(matches!(&d.outputs()[..], [Output::Connect { .. }]));
    d.input(Input::connected(Security::StartTls, ServerFacts::default()));
    d.server(&format!("{}{STARTTLS}", server_header("capulet.lit")));
    d.server(PROCEED);
    assert!(!d.server_bytes().contains("<auth "), "before TLS");
    d.input(Input::Secured);
    d.server(&format!("{}{MECHANISMS}", server_header("capulet.lit")));
    assert!(d.server_bytes().ends_with(AUTH));
}

#[test]
fn inputs_out_of_turn_do_nothing() {
    for stage in STAGES
        .into_iter()
        .filter(|stage| *stage != Stage::Connecting)
    {
        let mut d = at(stage);
        d.input(Input::connected(Security::StartTls, ServerFacts::default()));
        if stage != Stage::Handshaking {
            d.input(Input::Secured);
        }
        d.input(Input::Timeout);
        assert_eq!(d.server_bytes() + &d.client_bytes(), "", "{stage:?}");
        assert_eq!(d.everything(), []);
    }
}
