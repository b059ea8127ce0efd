//! Policy `off`: once logged in, bytes pass as they come, as without a shim.

use std::time::Duration;

use pubshim::session::{Event, Input, Leg, Output, Policy, Record};

use crate::scenes::*;

const CLOSE: &str = "</stream:stream>";

fn off() -> Driver {
    Driver::logged_in(JULIET, options(Policy::Off))
}

/// Bytes that would end a translated session, but pass between client and server here.
fn unacceptable() -> Vec<String> {
    let attributes: String = (0..65).map(|n| format!(" a{n}=''")).collect();
    [
        &*format!("<message><x{attributes}/></message>"),
        &*format!(
            "<message>{}{}</message>",
            "<a>".repeat(200),
            "</a>".repeat(200)
        ),
        &*format!("<message><body>{}</body></message>", "x".repeat(300_000)),
        "<message><p:a/></message>",
        "<message a='1' a='2'/>",
        "<message>&nbsp;<!-- x --></message>",
        "<message><a></b></message>",
        "<message><?x?></message>",
        "text",
        "</a></a></a>",
        "\u{1}",
        "<",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[test]
fn half_a_stanza_is_passed_on_at_once() {
    let mut d = off();
    for piece in [
        "<mess",
        "age><body>wher",
        "efore",
        "</body></message",
        "><a",
    ] {
        d.client_passes(piece);
        d.server_passes(piece);
    }
    d.advance(10_000);
    d.assert_silent(); // it may take its time
    assert_eq!(d.events(), []);
}

#[test]
fn what_no_stream_may_hold_passes() {
    for stanza in unacceptable() {
        let mut d = off();
        d.client_passes(&stanza);
        d.server_passes(&stanza);
        d.client("<message/>");
        d.server("<message/>");
        assert_eq!(d.server_bytes() + &d.client_bytes(), "<message/><message/>");
        assert_eq!(d.outputs(), []);
    }
}

#[test]
fn a_stanza_without_end_is_not_kept() {
    let mut d = Driver::unrecorded(JULIET, options(Policy::Off));
    d.block(Leg::Client, true);
    d.server("<message><body>");
    let piece = "x".repeat(16 * 1024);
    while d.session.wants(Leg::Server) {
        d.server(&piece);
    }
    assert!(d.session.outgoing(Leg::Client).len() <= 80 * 1024);
    d.block(Leg::Client, false);
    assert!(d.session.wants(Leg::Server));
    for _ in 0..2000 {
        d.server(&piece);
        assert!(d.session.outgoing(Leg::Client).is_empty());
    }
    assert!(
        d.everything().is_empty(),
        "nothing is held, so nothing is asked for"
    );
}

#[test]
fn who_reads_slowly_stops_one_direction() {
    let mut d = off();
    d.block(Leg::Client, true);
    d.server(&"x".repeat(64 * 1024));
    assert!(!d.session.wants(Leg::Server));
    assert!(d.session.wants(Leg::Client), "the server still reads");
    d.block(Leg::Server, true);
    d.client(&"x".repeat(64 * 1024));
    assert!(!d.session.wants(Leg::Client));
    d.block(Leg::Client, false);
    assert!(d.session.wants(Leg::Server));
    assert!(!d.session.wants(Leg::Client));
}

#[test]
fn what_was_sent_before_the_login_was_over_passes_behind_it() {
    let mut d = Driver::at(Stage::Reopening, options(Policy::Off));
    let early = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq><pres";
    let header = client_header("capulet.lit");
    d.client(&format!("{header}{early}"));
    assert_eq!(d.server_bytes(), header);
    d.server(&format!(
        "{}{BIND_FEATURES}<mess",
        server_header("capulet.lit")
    ));
    assert_eq!(d.server_bytes(), early);
    assert!(d.client_bytes().ends_with(&format!("{BIND_FEATURES}<mess")));
    assert_eq!(d.events(), [Event::Relaying("capulet.lit".to_owned())]);
}

/// XEP-0388 §2.6: the features of the stream after login come without a new header.
#[test]
fn features_behind_a_login_of_the_new_way_lose_what_is_ours() {
    let success = "<success xmlns='urn:xmpp:sasl:2'/>";
    for (sent, shown) in [
        (
            "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><compression \
             xmlns='http://jabber.org/features/compress'><method>zlib</method></compression></stream:features>",
            "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
        ),
        ("<message/>", "<message/>"),
    ] {
        let mut d = Driver::at(Stage::Login, options(Policy::Off));
        d.client(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/><iq type='get' id='1'/>",
        );
        d.forget();
        d.server(&format!("{success}{sent}<message><x"));
        assert_eq!(d.client_bytes(), format!("{success}{shown}<message><x"));
        d.client_passes("<iq><a");
    }
}

#[test]
fn a_closing_tag_passes_and_the_server_ends_the_connection() {
    let mut d = off();
    d.client(CLOSE);
    assert_eq!((d.server_bytes(), d.outputs()), (CLOSE.to_owned(), vec![]));
    d.server_passes(&format!("<message/>{CLOSE}"));
    d.input(Input::Eof(Leg::Server));
    assert_eq!(d.outputs(), [Output::Finish(Leg::Client)]);
    d.input(Input::Eof(Leg::Client));
    assert_eq!(d.outputs(), [Output::Finish(Leg::Server)]);
    assert!(d.session.is_closed());
    d.assert_silent();
}

/// With stream management a closing tag of ours would end what the client means to resume.
#[test]
fn a_client_that_vanishes_is_not_said_to_have_left() {
    let mut d = off();
    d.client("<presence/><pres");
    d.input(Input::Eof(Leg::Client));
    assert_eq!(d.server_bytes(), "<presence/><pres");
    assert_eq!(d.outputs(), [Output::Finish(Leg::Server)]);
    // The client may only have stopped sending.
    assert!(d.session.wants(Leg::Server) && !d.session.wants(Leg::Client));
    d.server_passes("<message/>");
    d.input(Input::Eof(Leg::Server));
    assert_eq!(d.outputs(), [Output::Finish(Leg::Client)]);
    assert!(d.session.is_closed());
}

#[test]
fn a_server_that_vanishes_ends_the_connection_without_a_word() {
    let mut d = off();
    d.server("<mess");
    d.input(Input::Eof(Leg::Server));
    assert_eq!(d.client_bytes(), "<mess");
    assert_eq!(d.outputs(), [Output::Finish(Leg::Client)]);
    // The client goes on writing.
    d.client("<presence/>");
    d.advance(6);
    assert_eq!(d.client_bytes(), "");
    assert!(d.session.is_closed());
}

#[test]
fn a_shutdown_is_told_between_two_stanzas_only() {
    for (said, is_told) in [
        ("", true),
        (" <message><a b='>'/></message> ", true),
        ("<message><![CDATA[</message>", false),
        ("<mess", false),
        (CLOSE, false),
    ] {
        let mut d = off();
        d.client("<presence/>");
        d.server(said);
        d.forget();
        d.input(Input::Shutdown);
        match is_told {
            true => {
                let told = d.client_bytes();
                assert!(
                    told.contains("<system-shutdown ") && told.ends_with(CLOSE),
                    "{told}"
                );
            }
            false => assert_eq!(d.client_bytes(), "", "{said}"),
        }
        assert_eq!(d.server_bytes(), "", "{said}");
        assert!(d.session.is_closed());
    }
}

#[test]
fn who_reads_nothing_is_given_up() {
    for leg in [Leg::Client, Leg::Server] {
        let mut d = off();
        d.block(leg, true);
        d.input(Input::Bytes(leg.other(), b"<message/>"));
        d.advance(299);
        assert_eq!(d.outputs(), []);
        d.advance(2);
        assert_eq!(
            d.outputs(),
            [Output::Finish(leg.other()), Output::Finish(leg)]
        );
        assert!(d.session.is_closed());
    }
}

#[test]
fn an_idle_session_sets_no_timer() {
    let mut d = off();
    d.client("<mess");
    d.server("<mess");
    assert_eq!(d.session.timeout(), None::<Duration>);
}

/// A recording keeps a copy of the stanza, and the session asks for the memory.
#[test]
fn what_is_kept_of_a_stanza_for_a_recording_is_asked_for() {
    let mut d = off();
    d.show_records();
    d.server(&format!("<message id='1'>{}", "x".repeat(200_000)));
    let asked = |output: &Output| matches!(output, Output::Hold(136_000..));
    assert!(d.everything().iter().any(asked));
    d.input(Input::HoldRefused);
    assert!(d.everything().contains(&Output::Hold(0)));
    d.server(&format!("{}</message>", "x".repeat(2_000_000)));
    assert_eq!(
        d.client_bytes().len(),
        "<message id='1'></message>".len() + 2_200_000
    );
    let noted = d.everything();
    assert!(noted.iter().any(|output| matches!(
        output,
        Output::Recorded(Record::CutOff(Leg::Server, head, _)) if head == b"<message id='1'/>"
    )));
    assert!(!noted.iter().any(|output| matches!(output, Output::Hold(_))));
}
