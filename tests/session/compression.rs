//! Agreeing with the server to compress (XEP-0138). Its features are cut from what ejabberd 23.01 says with `zlib: true`.

use pubshim::session::{Compress, Event, Input, Leg, Options, Output, Policy};

use crate::scenes::*;

const OFFER: &str = "<stream:features><compression xmlns='http://jabber.org/features/compress'><method>zlib</method>\
    </compression><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><required/></bind></stream:features>";
const COMPRESS: &str =
    "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>";
const COMPRESSED: &str = "<compressed xmlns='http://jabber.org/protocol/compress'/>";
const FAILURE: &str =
    "<failure xmlns='http://jabber.org/protocol/compress'><setup-failed/></failure>";

fn wanting(compress: Compress) -> Options {
    Options {
        compress,
        ..options(Policy::Auto)
    }
}

/// The client has opened its stream for the second time.
fn reopened(compress: Compress) -> Driver {
    Driver::at(Stage::Reopened, wanting(compress))
}

/// The server's header on the stream of this id, so that it can be told which the client is shown.
fn header(id: &str) -> String {
    server_header("capulet.lit").replace("5ded7657-5696-4c86-ab1b-7e0de8fb70ae", id)
}

/// Each time the shell was told to compress: what was read of that already.
fn compressions(d: &mut Driver) -> Vec<Vec<u8>> {
    let outputs = d.everything().into_iter();
    let read = outputs.filter_map(|output| match output {
        Output::Compress(read) => Some(read),
        _ => None,
    });
    read.collect()
}

/// Binds, and says something both ways.
fn talk(d: &mut Driver) {
    d.client(BIND);
    assert_eq!(d.server_bytes(), BIND);
    d.server(&bound(JULIET));
    assert_eq!(d.client_bytes(), bound(JULIET));
    d.forget();
    d.client("<message to='romeo@montague.lit'/>");
    assert_eq!(d.server_bytes(), "<message to='romeo@montague.lit'/>");
    d.server("<message from='romeo@montague.lit'/>");
    assert_eq!(d.client_bytes(), "<message from='romeo@montague.lit'/>");
}

#[test]
fn what_is_offered_is_used_and_the_client_sees_one_stream() {
    for compress in [Compress::Auto, Compress::Require] {
        let mut d = reopened(compress);
        d.server(&format!("{}{OFFER}", header("second")));
        assert_eq!(d.server_bytes(), COMPRESS);
        assert_eq!(d.client_bytes(), "", "nothing is settled yet");
        assert_eq!(compressions(&mut d), [] as [Vec<u8>; 0]);
        d.server(COMPRESSED);
        assert_eq!(compressions(&mut d), [b""]);
        assert_eq!(d.server_bytes(), client_header("capulet.lit"));
        d.server(&format!("{}{BIND_FEATURES}", header("third")));
        assert_eq!(
            d.client_bytes(),
            format!("{}{BIND_FEATURES}", header("third"))
        );
        talk(&mut d);
        assert_eq!(compressions(&mut d), [] as [Vec<u8>; 0]);
    }
}

#[test]
fn bytes_behind_compressed_are_the_first_that_are() {
    let mut d = reopened(Compress::Auto);
    d.server(&format!("{}{OFFER}", header("second")));
    d.forget();
    let read = [COMPRESSED.as_bytes(), b"\x78\x9c<x/>\xff"].concat();
    // In one read, and where the frame came in two.
    d.input(Input::Bytes(Leg::Server, &read[..10]));
    d.input(Input::Bytes(Leg::Server, &read[10..]));
    assert_eq!(compressions(&mut d), [b"\x78\x9c<x/>\xff"]);
    d.server(&format!("{}{BIND_FEATURES}", header("third")));
    d.forget();
    talk(&mut d);
}

#[test]
fn a_client_that_does_not_wait_loses_nothing() {
    let mut d = reopened(Compress::Auto);
    d.client(BIND);
    d.server(&format!("{}{OFFER}", header("second")));
    assert_eq!(d.server_bytes(), COMPRESS);
    d.server(COMPRESSED);
    assert_eq!(d.server_bytes(), client_header("capulet.lit"));
    d.server(&format!("{}{BIND_FEATURES}", header("third")));
    assert_eq!(d.server_bytes(), BIND);
}

#[test]
fn without_an_offer_auto_goes_on_and_says_so_once() {
    for features in [
        BIND_FEATURES.to_owned(),
        OFFER.replace("zlib", "lzw"),
        OFFER.replace("<method>zlib</method>", ""),
    ] {
        let mut d = reopened(Compress::Auto);
        d.server(&format!("{}{features}", header("second")));
        assert_eq!(d.server_bytes(), "");
        assert_eq!(
            d.client_bytes(),
            format!("{}{BIND_FEATURES}", header("second"))
        );
        let is_it = |event: &Event| matches!(event, Event::NotCompressed(_));
        assert_eq!(d.events().iter().filter(|event| is_it(event)).count(), 1);
        talk(&mut d);
    }
}

#[test]
fn without_an_offer_require_ends_the_session() {
    let mut d = reopened(Compress::Require);
    d.server(&format!("{}{BIND_FEATURES}", header("second")));
    let said = d.assert_refused("remote-connection-failed");
    assert!(said.contains("--compress require"), "{said}");
    assert!(!said.contains("second"), "{said}");
    assert_eq!(d.server_bytes(), "</stream:stream>");
}

#[test]
fn what_is_refused_goes_on_as_it_was() {
    let mut d = reopened(Compress::Auto);
    d.server(&format!("{}{OFFER}", header("second")));
    d.forget();
    d.server(FAILURE);
    assert_eq!(
        d.client_bytes(),
        format!("{}{BIND_FEATURES}", header("second"))
    );
    let events = d.events();
    let said =
        |event: &Event| matches!(event, Event::NotCompressed(why) if why.contains("setup-failed"));
    assert!(events.iter().any(said), "{events:?}");
    talk(&mut d);

    let mut d = reopened(Compress::Require);
    d.server(&format!("{}{OFFER}{FAILURE}", header("second")));
    let said = d.assert_refused("remote-connection-failed");
    assert!(said.contains("setup-failed"), "{said}");
}

#[test]
fn what_is_not_wanted_is_not_asked_for() {
    let mut off = reopened(Compress::Off);
    let mut unwanted = Driver::new(wanting(Compress::Auto));
    unwanted.client(&client_header("capulet.lit"));
    unwanted.input(Input::Connected(facts()));
    unwanted.input(Input::Uncompressed);
    unwanted.server(&format!("{}{MECHANISMS}", server_header("capulet.lit")));
    unwanted.client(AUTH);
    unwanted.server(SUCCESS);
    unwanted.client(&client_header("capulet.lit"));
    unwanted.forget();
    for d in [&mut off, &mut unwanted] {
        d.server(&format!("{}{OFFER}", header("second")));
        assert_eq!(d.server_bytes(), "");
        assert_eq!(
            d.client_bytes(),
            format!("{}{BIND_FEATURES}", header("second"))
        );
        talk(d);
    }
}

#[test]
fn require_does_not_care_what_the_shell_would_rather() {
    let mut d = Driver::new(wanting(Compress::Require));
    d.client(&client_header("capulet.lit"));
    d.input(Input::Connected(facts()));
    d.input(Input::Uncompressed);
    d.server(&format!("{}{MECHANISMS}", server_header("capulet.lit")));
    d.client(AUTH);
    d.server(SUCCESS);
    d.client(&client_header("capulet.lit"));
    d.forget();
    d.server(&format!("{}{OFFER}", header("second")));
    assert_eq!(d.server_bytes(), COMPRESS);
}

#[test]
fn off_changes_nothing() {
    let mut d = Driver::at(
        Stage::Reopened,
        Options {
            compress: Compress::Auto,
            ..options(Policy::Off)
        },
    );
    d.server(&format!("{}{OFFER}", header("second")));
    assert_eq!(d.server_bytes(), "");
    assert_eq!(
        d.client_bytes(),
        format!("{}{BIND_FEATURES}", header("second"))
    );
}

#[test]
fn before_the_login_nothing_is_compressed() {
    let mut d = Driver::at(Stage::Opened, wanting(Compress::Require));
    d.server(&MECHANISMS.replace(
        "<stream:features>",
        "<stream:features><compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>",
    ));
    assert_eq!(d.server_bytes(), "");
    assert_eq!(d.client_bytes(), MECHANISMS);
}

#[test]
fn who_agrees_before_he_is_asked_is_not_believed() {
    let mut d = reopened(Compress::Auto);
    d.server(&format!("{}{OFFER}{COMPRESSED}", header("second")));
    let said = d.assert_refused("remote-connection-failed");
    assert!(said.contains("before it was asked"), "{said}");
    assert_eq!(compressions(&mut d), [] as [Vec<u8>; 0]);
}

#[test]
fn a_second_answer_is_none() {
    let mut d = reopened(Compress::Auto);
    d.server(&format!("{}{OFFER}", header("second")));
    d.server(FAILURE);
    d.client(BIND);
    d.server(&bound(JULIET));
    d.forget();
    d.server(COMPRESSED);
    d.server("<message/>");
    assert_eq!(d.client_bytes(), "<message/>");
    assert_eq!(compressions(&mut d), [] as [Vec<u8>; 0]);
}

#[test]
fn whoever_breaks_off_amid_it_is_told() {
    let offered = || {
        let mut d = reopened(Compress::Auto);
        d.server(&format!("{}{OFFER}", header("second")));
        d.forget();
        d
    };
    let mut d = offered();
    d.input(Input::Eof(Leg::Server));
    d.assert_refused("remote-connection-failed");

    let mut d = offered();
    d.input(Input::Shutdown);
    d.assert_refused("system-shutdown");
    assert_eq!(d.server_bytes(), "</stream:stream>");

    let mut d = offered();
    d.advance(120);
    d.assert_refused("connection-timeout");

    let mut d = offered();
    d.input(Input::Eof(Leg::Client));
    d.advance(10);
    assert!(d.session.is_closed());

    // What is no zlib the shell tells as a failure.
    let mut d = offered();
    d.server(COMPRESSED);
    d.server(&format!("{}{BIND_FEATURES}", header("third")));
    d.client(BIND);
    d.server(&bound(JULIET));
    d.forget();
    d.input(Input::Failed("it is no zlib".to_owned()));
    let said = d.assert_refused("reset");
    assert!(said.contains("it is no zlib"), "{said}");
}
