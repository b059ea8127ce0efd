//! How a session ends that is logged in: closing tags and stream errors (RFC 6120 §4.4, §4.9).

use std::time::Duration;

use pubshim::session::{Ending, Event, Input, Leg, Output};

use crate::scenes::*;

const CLOSE: &str = "</stream:stream>";

fn error(condition: &str) -> String {
    format!("<stream:error><{condition} xmlns='{STREAM_ERRORS}'/></stream:error>")
}

#[test]
fn the_clients_closing_tag_closes_both_streams() {
    let mut d = Driver::auto(JULIET);
    d.client_passes(&format!("<message/>{CLOSE}"));
    assert_eq!(d.client_bytes(), "", "the server may have more to say");
    d.server_passes(&format!("<message/>{CLOSE}"));
    assert_eq!(d.server_bytes(), "");
    assert!(d.session.is_closed());
    let outputs = d.outputs();
    assert!(outputs.contains(&Output::Finish(Leg::Client)));
    assert!(outputs.contains(&Output::Finish(Leg::Server)));
    assert_eq!(outputs.len(), 2);
}

#[test]
fn the_servers_closing_tag_closes_both_streams() {
    let mut d = Driver::auto(JULIET);
    d.server_passes(&format!("<message/>{CLOSE}"));
    assert_eq!(d.server_bytes(), CLOSE);
    d.client(CLOSE);
    d.assert_silent();
    assert!(d.session.is_closed());
}

#[test]
fn closing_tags_that_cross_close_both_streams() {
    let mut d = published();
    d.client(CLOSE);
    d.server_passes(CLOSE);
    assert_eq!(d.server_bytes().matches(CLOSE).count(), 1);
    assert!(d.session.is_closed());
}

#[test]
fn a_server_that_does_not_answer_a_closing_tag_is_left() {
    let mut d = Driver::auto(JULIET);
    d.client(CLOSE);
    d.advance(4);
    assert!(!d.session.is_closed());
    d.advance(2);
    assert!(d.session.is_closed());
    assert_eq!(d.client_bytes(), CLOSE, "the client asked for it");
    assert_eq!(d.server_bytes(), CLOSE);
}

#[test]
fn a_client_that_does_not_answer_a_closing_tag_is_left() {
    let mut d = Driver::auto(JULIET);
    d.server(CLOSE);
    d.advance(6);
    assert!(d.session.is_closed());
    assert_eq!(d.client_bytes(), CLOSE);
}

#[test]
fn nothing_follows_a_closing_tag_to_the_server() {
    // While the node is looked at.
    let mut d = Driver::auto(JULIET);
    d.client("<presence/>");
    let get = d.one_behind_presence();
    d.client_passes(CLOSE);
    d.error(&get, "cancel", "item-not-found");
    assert_eq!(d.server_bytes(), "", "an answer must not lead to more");

    // A stranger's event, a push, a request: none is answered any more.
    let mut d = Driver::auto(JULIET);
    d.client(CLOSE);
    let bard = "bard@shakespeare.lit/globe";
    d.server(&event_of(bard, &payload(bard, "1", "")));
    d.server(
        "<iq type='set' id='p'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>",
    );
    assert_eq!(d.server_bytes(), CLOSE);
    d.advance(6);
    assert_eq!(d.server_bytes(), "");

    // The client has not seen yet that the server has closed.
    let mut d = Driver::auto(JULIET);
    d.server(CLOSE);
    d.client("<message/><presence/> ");
    assert_eq!(d.server_bytes(), CLOSE);
}

#[test]
fn nothing_follows_a_closing_tag_to_the_client() {
    let mut d = Driver::auto(JULIET);
    d.input(Input::Shutdown);
    d.assert_refused("system-shutdown");
    d.server("<message/> <presence from='romeo@montague.lit/mobile'><shim xmlns='urn:pubshim:0'/></presence>");
    assert_eq!(d.client_bytes(), "");
    let mut d = Driver::auto(JULIET);
    d.client("<!-- -->");
    d.assert_refused("restricted-xml");
    d.server(&format!("<message/>{}", error("conflict")));
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn a_stream_error_of_the_server_reaches_the_client_once() {
    let conflict = "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
        <text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>Replaced by new connection</text></stream:error>";
    let mut d = published();
    d.server_passes(&format!("{conflict}{CLOSE}"));
    assert_eq!(
        d.server_bytes(),
        CLOSE,
        "what is published is our successor's"
    );
    d.client(CLOSE);
    assert!(d.session.is_closed());
    let error = Event::StreamError(Leg::Server, "conflict".to_owned());
    let by = Ending::StreamError(Leg::Server, "conflict".to_owned());
    let after = Duration::ZERO;
    assert_eq!(d.events(), [error, Event::Ended { after, by }]);
}

#[test]
fn a_stream_error_before_the_connection_breaks_is_the_only_one() {
    let mut d = published();
    d.server(&error("system-shutdown"));
    d.input(Input::Eof(Leg::Server));
    let sent = d.client_bytes();
    assert_eq!(sent, format!("{}{CLOSE}", error("system-shutdown")));
    d.client(CLOSE);
    assert!(d.session.is_closed());
    assert!(!d.server_bytes().contains("<presence"));
}

#[test]
fn a_session_the_server_has_ended_does_not_stay() {
    let mut d = published();
    d.server(&error("policy-violation"));
    d.advance(600);
    assert!(d.session.is_closed());
    assert!(!d.server_bytes().contains("<presence"));
}

#[test]
fn after_a_conflict_nothing_is_published_any_more() {
    let mut d = published();
    d.server(&error("conflict"));
    d.client("<presence id='late'><status>Back</status></presence>");
    d.client(CLOSE);
    let sent = d.server_bytes();
    assert!(!sent.contains("publish"), "{sent}");
    assert!(sent.ends_with(CLOSE));
}

#[test]
fn a_client_is_never_sent_to_another_host() {
    let mut d = published();
    d.server(&format!(
        "<stream:error><see-other-host xmlns='{STREAM_ERRORS}'>[2001:db8::1]:9222</see-other-host></stream:error>{CLOSE}"
    ));
    let sent = d.client_bytes();
    assert!(
        !sent.contains("see-other-host") && !sent.contains("9222"),
        "{sent}"
    );
    assert_eq!(sent.matches("<stream:error>").count(), 1);
    assert!(d.session.is_closed());
    assert_eq!(d.server_bytes(), CLOSE);
}

#[test]
fn a_stream_error_of_the_client_reaches_the_server() {
    let mut d = published();
    d.client(&format!("{}{CLOSE}", error("undefined-condition")));
    let sent = d.server_bytes();
    assert!(
        sent.ends_with(&format!("{}{CLOSE}", error("undefined-condition"))),
        "{sent}"
    );
    let before = sent.split("<stream:error>").next().unwrap();
    let before = Node::stream(before);
    assert!(before[0].has("pubsub/publish/item/presence"));
    assert!(before[1].has("pubsub/retract"));
    d.server_passes(CLOSE);
    assert!(d.session.is_closed());
}

#[test]
fn bad_xml_of_the_server_ends_the_session_at_once() {
    let mut d = published();
    d.server("<message></presence>");
    d.assert_refused("reset");
    let sent = d.server_bytes();
    assert_eq!(sent, format!("{}{CLOSE}", error("not-well-formed")));
    assert!(d.session.is_closed());
}

#[test]
fn a_second_shutdown_ends_at_once() {
    let mut d = Driver::auto(JULIET);
    d.input(Input::Shutdown);
    d.forget();
    d.input(Input::Shutdown);
    assert!(d.session.is_closed());
    d.assert_silent();
}
