//! Log events of a session for its operator: how it ended, and which stanzas were refused or dropped.

use std::time::Duration;

use pubshim::session::{Ending, Event, Input, Leg, Level, Policy};

use crate::scenes::*;

const CLOSE: &str = "</stream:stream>";

/// How the session ended; it did so once.
fn ended(d: &mut Driver) -> (Duration, Ending) {
    let ends = d.events().into_iter().filter_map(|event| match event {
        Event::Ended { after, by } => Some((after, by)),
        _ => None,
    });
    let ends: Vec<_> = ends.collect();
    let [end] = ends.try_into().expect("one end");
    end
}

fn error(condition: &str) -> String {
    format!("<stream:error><{condition} xmlns='{STREAM_ERRORS}'/></stream:error>{CLOSE}")
}

/// Something that ends a session.
type End = fn(&mut Driver);

#[test]
fn how_a_session_ended_is_told() {
    let ends: [(Ending, End); 8] = [
        (Ending::LoggedOut, |d| d.client(CLOSE)),
        (Ending::Broke(Leg::Client), |d| {
            d.input(Input::Eof(Leg::Client));
        }),
        (Ending::Broke(Leg::Server), |d| {
            d.input(Input::Eof(Leg::Server));
        }),
        (Ending::Closed, |d| d.server(CLOSE)),
        (
            Ending::StreamError(Leg::Server, "conflict".to_owned()),
            |d| d.server(&error("conflict")),
        ),
        (Ending::StreamError(Leg::Client, "reset".to_owned()), |d| {
            d.client(&error("reset"));
        }),
        (Ending::Refused("restricted-xml"), |d| d.client("<!---->")),
        (Ending::Stopped, |d| d.input(Input::Shutdown)),
    ];
    for (expected, end) in ends {
        let mut d = Driver::auto(JULIET);
        d.now += Duration::from_secs(30);
        end(&mut d);
        for leg in [Leg::Client, Leg::Server] {
            d.input(Input::Eof(leg));
        }
        assert!(d.session.is_closed(), "{expected}");
        assert_eq!(ended(&mut d), (Duration::from_secs(30), expected));
    }
}

#[test]
fn how_a_session_ended_before_its_login_is_told() {
    let ends: [(Stage, Ending, End); 7] = [
        (Stage::New, Ending::Nothing, |d| {
            d.input(Input::Eof(Leg::Client));
        }),
        (Stage::New, Ending::Broke(Leg::Client), |d| {
            d.client("<stream:str");
            d.input(Input::Eof(Leg::Client));
        }),
        (Stage::Connecting, Ending::NoServer, |d| {
            d.input(Input::Failed("nobody".to_owned()));
        }),
        (Stage::Login, Ending::Left, |d| d.client(CLOSE)),
        (Stage::Authenticating, Ending::LoginFailed, |d| {
            d.server(
                "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>",
            );
            d.client(CLOSE);
        }),
        (Stage::Authenticating, Ending::LoginFailed, |d| {
            d.server(
                "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>",
            );
            d.input(Input::Eof(Leg::Server));
        }),
        (Stage::Login, Ending::Closed, |d| d.server(CLOSE)),
    ];
    for (stage, expected, end) in ends {
        let mut d = Driver::at(stage, options(Policy::Auto));
        end(&mut d);
        for leg in [Leg::Client, Leg::Server] {
            d.input(Input::Eof(leg));
        }
        assert_eq!(ended(&mut d).1, expected);
    }
}

#[test]
fn who_connects_and_says_nothing_is_no_news() {
    let level = |by| {
        let after = Duration::ZERO;
        Event::Ended { after, by }.level()
    };
    assert_eq!(level(Ending::Nothing), Level::Debug);
    assert_eq!(level(Ending::LoggedOut), Level::Info);
}

#[test]
fn one_side_that_takes_nothing_is_named() {
    let mut d = Driver::auto(JULIET);
    d.block(Leg::Client, true);
    d.server("<message/>");
    d.advance(1000);
    d.input(Input::Eof(Leg::Server));
    assert_eq!(ended(&mut d).1, Ending::Stalled(Leg::Client));
}

/// The lines about stanzas.
fn lines(d: &mut Driver) -> Vec<String> {
    let about = |event: &Event| {
        matches!(
            event,
            Event::StanzaRefused { .. } | Event::ElementRefused(..) | Event::Dropped(..)
        )
    };
    let events = d.events().into_iter().filter(about);
    events.map(|event| event.to_string()).collect()
}

#[test]
fn what_was_refused_is_named() {
    let mut d = Driver::pure();
    d.forget();
    d.client(
        "<iq type='get' id='q&#xA;1' to='nurse@capulet.lit'><query xmlns='jabber:iq:roster'/></iq>",
    );
    assert_eq!(
        lines(&mut d),
        [
            "answered the client's <iq type='get' to='nurse@capulet.lit' id='q\\n1'><query xmlns='jabber:iq:roster'/></iq> \
          with an error: service-unavailable"
        ]
    );
    d.client(
        "<message to='nurse@capulet.lit/x' type='groupchat' id='m'><body>secret</body></message>",
    );
    assert_eq!(
        lines(&mut d),
        [
            "answered the client's <message type='groupchat' to='nurse@capulet.lit/x' id='m'/> with an error: \
          feature-not-implemented"
        ]
    );
    d.server("<r xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(
        lines(&mut d),
        ["did not pass the server's <r xmlns='urn:xmpp:sm:3'/>"]
    );
}

#[test]
fn what_was_dropped_is_named() {
    let mut d = Driver::auto(JULIET);
    d.server(
        "<message from='bard@shakespeare.lit' id='e'><event xmlns='http://jabber.org/protocol/pubsub#event'>\
         <items node='presence'><retract id='secret'/></items></event></message>",
    );
    assert_eq!(
        lines(&mut d),
        [
            "dropped <message from='bard@shakespeare.lit' id='e'><items node='presence'/></message>: retracted"
        ]
    );
}
