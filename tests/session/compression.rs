//! Agreeing with the server to compress (XEP-0138). Its features are cut from what ejabberd 23.01 says with `zlib: true`.

use pubshim::session::{Compress, Event, Input, Leg, Options, Output, Policy, Security};

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

/// The same, the server has offered to compress, and the session may.
fn offered(compress: Compress) -> Driver {
    let mut d = reopened(compress);
    d.server(&format!("{}{OFFER}", header("second")));
    d.input(Input::MayCompress);
    assert_eq!(d.server_bytes(), COMPRESS);
    d.forget();
    d
}

/// The server's header on the stream of this id, so that it can be told which the client is shown.
fn header(id: &str) -> String {
    server_header("capulet.lit").replace("5ded7657-5696-4c86-ab1b-7e0de8fb70ae", id)
}

/// The same, and what the server offers behind it.
fn opened(id: &str) -> String {
    format!("{}{BIND_FEATURES}", header(id))
}

/// The bytes already read of the compressed stream, each time the shell was told to compress.
fn compressions(d: &mut Driver) -> Vec<Vec<u8>> {
    let outputs = d.everything().into_iter();
    let read = outputs.filter_map(|output| match output {
        Output::Compress(read) => Some(read),
        _ => None,
    });
    read.collect()
}

/// How often the shell was asked whether the session may compress.
fn questions(d: &mut Driver) -> usize {
    let outputs = d.everything().into_iter();
    outputs
        .filter(|it| matches!(it, Output::MayCompress))
        .count()
}

/// Binds, and says something both ways.
fn talk(d: &mut Driver) {
    d.client_passes(BIND);
    d.server_passes(&bound(JULIET));
    d.forget();
    d.client_passes("<message to='romeo@montague.lit'/>");
    d.server_passes("<message from='romeo@montague.lit'/>");
}

#[test]
fn what_is_offered_is_used_and_the_client_sees_one_stream() {
    for compress in [Compress::Auto, Compress::Require] {
        let mut d = reopened(compress);
        d.server(&format!("{}{OFFER}", header("second")));
        assert_eq!(d.server_bytes(), "", "it may not yet");
        assert_eq!(questions(&mut d), 1);
        d.input(Input::MayCompress);
        assert_eq!(d.server_bytes(), COMPRESS);
        assert_eq!(d.client_bytes(), "", "nothing is settled yet");
        assert_eq!(compressions(&mut d), [] as [Vec<u8>; 0]);
        d.server(COMPRESSED);
        assert_eq!(compressions(&mut d), [b""]);
        assert_eq!(d.server_bytes(), client_header("capulet.lit"));
        d.server(&opened("third"));
        assert_eq!(d.client_bytes(), opened("third"));
        talk(&mut d);
        assert_eq!(compressions(&mut d), [] as [Vec<u8>; 0]);
    }
}

#[test]
fn bytes_behind_compressed_are_the_first_that_are() {
    let mut d = offered(Compress::Auto);
    let read = [COMPRESSED.as_bytes(), b"\x78\x9c<x/>\xff"].concat();
    // The frame comes in two reads, with compressed bytes behind it.
    d.input(Input::Bytes(Leg::Server, &read[..10]));
    d.input(Input::Bytes(Leg::Server, &read[10..]));
    assert_eq!(compressions(&mut d), [b"\x78\x9c<x/>\xff"]);
    d.server(&opened("third"));
    d.forget();
    talk(&mut d);
}

#[test]
fn a_client_that_does_not_wait_loses_nothing() {
    let mut d = reopened(Compress::Auto);
    d.client(BIND);
    d.server(&format!("{}{OFFER}", header("second")));
    d.input(Input::MayCompress);
    assert_eq!(d.server_bytes(), COMPRESS);
    d.server(COMPRESSED);
    assert_eq!(d.server_bytes(), client_header("capulet.lit"));
    d.server(&opened("third"));
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
        assert_eq!(d.client_bytes(), opened("second"));
        d.input(Input::MayCompress);
        assert_eq!(d.server_bytes(), "", "nobody has asked");
        let outputs = d.everything();
        let count = |is_it: fn(&Output) -> bool| outputs.iter().filter(|it| is_it(it)).count();
        assert_eq!(count(|it| matches!(it, Output::MayCompress)), 0);
        let said = count(|it| matches!(it, Output::Log(Event::NotCompressed(_))));
        assert_eq!(said, 1);
        talk(&mut d);
    }
}

#[test]
fn without_an_offer_require_ends_the_session() {
    let mut d = reopened(Compress::Require);
    d.server(&opened("second"));
    let said = d.assert_refused("remote-connection-failed");
    assert_has(&said, "--compress require");
    assert!(!said.contains("second"), "{said}");
    assert_eq!(d.server_bytes(), "</stream:stream>");
}

#[test]
fn what_is_refused_goes_on_as_it_was() {
    let mut d = offered(Compress::Auto);
    d.server(FAILURE);
    assert_eq!(d.client_bytes(), opened("second"));
    let events = d.events();
    let said =
        |event: &Event| matches!(event, Event::NotCompressed(why) if why.contains("setup-failed"));
    assert!(events.iter().any(said), "{events:?}");
    talk(&mut d);

    let mut d = offered(Compress::Require);
    d.server(FAILURE);
    let said = d.assert_refused("remote-connection-failed");
    assert_has(&said, "setup-failed");
}

#[test]
fn what_may_not_be_is_not_asked_for() {
    let mut off = reopened(Compress::Off);
    let mut full = reopened(Compress::Auto);
    for d in [&mut off, &mut full] {
        d.server(&format!("{}{OFFER}", header("second")));
    }
    assert_eq!(questions(&mut off), 0);
    assert_eq!(full.client_bytes(), "", "nothing is settled yet");
    full.input(Input::MayNotCompress("no place is left".to_owned()));
    let events = full.events();
    let said =
        |event: &Event| matches!(event, Event::NotCompressed(why) if why == "no place is left");
    assert!(events.iter().any(said), "{events:?}");
    for d in [&mut off, &mut full] {
        assert_eq!(d.server_bytes(), "");
        assert_eq!(d.client_bytes(), opened("second"));
        talk(d);
    }

    let mut d = reopened(Compress::Require);
    d.server(&format!("{}{OFFER}", header("second")));
    d.input(Input::MayNotCompress("no place is left".to_owned()));
    let said = d.assert_refused("remote-connection-failed");
    assert_has(&said, "no place is left");
}

/// Strangers who never log in take no place.
#[test]
fn before_the_login_nobody_asks_whether_it_may_be() {
    let mut d = Driver::new(wanting(Compress::Auto));
    d.client(&client_header("capulet.lit"));
    d.input(Input::connected(Security::Plain, facts()));
    let offer = MECHANISMS.replace(
        "<stream:features>",
        "<stream:features><compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>",
    );
    d.server(&format!("{}{offer}", server_header("capulet.lit")));
    d.client(AUTH);
    d.server(SUCCESS);
    assert_eq!(questions(&mut d), 0);
    d.client(&client_header("capulet.lit"));
    d.server(&format!("{}{OFFER}", header("second")));
    assert_eq!(questions(&mut d), 1);
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
    assert_eq!(d.client_bytes(), opened("second"));
}

#[test]
fn before_the_login_nothing_is_compressed() {
    let mut d = Driver::at(Stage::Opened, wanting(Compress::Require));
    d.server(&MECHANISMS.replace(
        "<stream:features>",
        "<stream:features><compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>",
    ));
    assert_eq!(d.server_bytes(), "");
    assert!(d.client_bytes().ends_with(MECHANISMS));
}

#[test]
fn who_agrees_before_he_is_asked_is_not_believed() {
    let mut d = reopened(Compress::Auto);
    d.server(&format!("{}{OFFER}{COMPRESSED}", header("second")));
    d.input(Input::MayCompress);
    let said = d.assert_refused("remote-connection-failed");
    assert_has(&said, "before it was asked");
    assert_eq!(compressions(&mut d), [] as [Vec<u8>; 0]);
}

#[test]
fn a_second_answer_is_none() {
    let mut d = offered(Compress::Auto);
    d.server(FAILURE);
    d.client(BIND);
    d.server(&bound(JULIET));
    d.forget();
    d.server(COMPRESSED);
    d.server("<message/>");
    d.input(Input::MayCompress);
    assert_eq!(d.client_bytes(), "<message/>");
    assert_eq!(compressions(&mut d), [] as [Vec<u8>; 0]);
}

#[test]
fn whoever_breaks_off_amid_it_is_told() {
    let asking = || {
        let mut d = reopened(Compress::Auto);
        d.server(&format!("{}{OFFER}", header("second")));
        d.forget();
        d
    };
    for begin in [asking, || offered(Compress::Auto)] {
        let mut d = begin();
        d.input(Input::Eof(Leg::Server));
        d.assert_refused("remote-connection-failed");

        let mut d = begin();
        d.server("</stream:stream>");
        d.input(Input::MayCompress);
        d.assert_refused("remote-connection-failed");

        let mut d = begin();
        d.input(Input::Shutdown);
        d.assert_refused("system-shutdown");
        assert_eq!(d.server_bytes(), "</stream:stream>");
        d.input(Input::MayCompress);
        assert_eq!(d.server_bytes(), "");
        d.server("</stream:stream>");
        assert!(d.session.is_closed());

        let mut d = begin();
        d.advance(120);
        d.assert_refused("connection-timeout");

        let mut d = begin();
        d.input(Input::Eof(Leg::Client));
        d.advance(10);
        assert!(d.session.is_closed());
    }

    // The shell reports bytes that are no zlib as a failure.
    let mut d = offered(Compress::Auto);
    d.server(COMPRESSED);
    d.server(&opened("third"));
    d.client(BIND);
    d.server(&bound(JULIET));
    d.forget();
    d.input(Input::Failed("it is no zlib".to_owned()));
    let said = d.assert_refused("reset");
    assert_has(&said, "it is no zlib");
}
