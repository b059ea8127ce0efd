//! ejabberd takes five native subscription stanzas a minute and bounces the others (experiment 07c).

use pubshim::session::{Input, Leg, Output, Policy, ServerFacts};

use crate::scenes::*;

fn stanza(kind: &str, n: usize) -> String {
    format!("<presence to='u{n}@montague.lit' type='{kind}' id='o{n}'/>")
}

/// Sends these requests of the client's.
fn subscribe(d: &mut Driver, numbers: std::ops::Range<usize>) {
    for n in numbers {
        d.client(&stanza("subscribe", n));
    }
}

/// The error that ejabberd returns for the sixth stanza of a minute and for each after it.
fn bounce(n: usize) -> String {
    format!(
        "<presence xml:lang='en' to='{JULIET}' from='u{n}@montague.lit' type='error' id='o{n}'>\
         <error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
         <text xml:lang='en' xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>Your active privacy list has denied \
         the routing of this stanza.</text></error></presence>"
    )
}

fn all(numbers: impl IntoIterator<Item = usize>) -> String {
    numbers
        .into_iter()
        .map(|n| stanza("subscribe", n))
        .collect()
}

#[test]
fn until_a_server_bounces_one_they_go_at_once() {
    let mut d = counting_server(false);
    subscribe(&mut d, 0..20);
    assert_eq!(d.server_bytes(), all(0..20));
}

#[test]
fn a_bounced_one_is_sent_again_after_a_minute() {
    let mut d = counting_server(false);
    subscribe(&mut d, 0..8);
    d.server_bytes();
    for n in 5..8 {
        d.server(&bounce(n));
    }
    assert_eq!(d.client_bytes(), "", "the user has been told nothing");
    let learned = d
        .outputs()
        .into_iter()
        .any(|output| matches!(output, Output::Learned(facts) if facts.limits_subscriptions));
    assert!(learned, "other sessions pace at once");
    d.advance(60);
    assert_eq!(d.server_bytes(), "");
    d.advance(3);
    assert_eq!(d.server_bytes(), all(5..8), "byte for byte, in order");
    // A second bounce goes to the client.
    d.server_passes(&bounce(5));
}

#[test]
fn five_a_minute_and_the_rest_in_order() {
    let mut d = counting_server(true);
    subscribe(&mut d, 0..12);
    assert_eq!(d.server_bytes(), all(0..5));
    d.advance(60);
    assert_eq!(d.server_bytes(), "");
    d.advance(3);
    assert_eq!(d.server_bytes(), all(5..10));
    // A new stanza waits behind them.
    subscribe(&mut d, 20..21);
    assert_eq!(d.server_bytes(), "");
    d.advance(63);
    assert_eq!(d.server_bytes(), all([10, 11, 20]));
    // Two of this minute are left.
    subscribe(&mut d, 30..33);
    assert_eq!(d.server_bytes(), all(30..32));
}

#[test]
fn the_pause_begins_with_the_last_one_taken() {
    // ejabberd 23.01 counts anew when it has taken none for a minute.
    let mut d = counting_server(true);
    subscribe(&mut d, 0..1);
    d.advance(40);
    subscribe(&mut d, 1..7);
    assert_eq!(d.server_bytes(), all(0..5));
    d.advance(60);
    assert_eq!(d.server_bytes(), "");
    d.advance(3);
    assert_eq!(d.server_bytes(), all(5..7));
}

#[test]
fn a_bounced_one_does_not_begin_the_pause_anew() {
    let mut d = counting_server(false);
    subscribe(&mut d, 0..1);
    d.advance(40);
    subscribe(&mut d, 1..5);
    d.advance(20);
    subscribe(&mut d, 5..6);
    d.server(&bounce(5));
    d.forget();
    d.advance(40);
    assert_eq!(d.server_bytes(), "");
    d.advance(3);
    assert_eq!(d.server_bytes(), all(5..6));
}

#[test]
fn what_takes_a_subscription_away_never_waits() {
    let mut d = counting_server(true);
    subscribe(&mut d, 0..5);
    d.server_bytes();
    for (kind, n) in [("unsubscribed", 5), ("unsubscribe", 6)] {
        d.client(&stanza(kind, n));
        let sent = d.server_bytes();
        assert!(sent.contains(&stanza(kind, n)), "{kind}: {sent}");
    }
}

#[test]
fn a_bounced_refusal_is_done_and_not_said_again() {
    // ejabberd has changed the roster and sent the contact `unavailable`.
    let mut d = counting_server(true);
    subscribe(&mut d, 0..5);
    d.client(&stanza("unsubscribed", 5));
    d.forget();
    d.server(&bounce(5));
    assert_eq!(d.client_bytes(), bounce(5), "the contact was not told");
    d.advance(200);
    let again = d.server_bytes();
    assert!(!again.contains("type='unsubscribed'"), "{again}");
}

#[test]
fn a_bounced_unsubscribe_is_said_again() {
    // ejabberd has told the contact's server nothing, so presence still comes.
    let mut d = counting_server(true);
    subscribe(&mut d, 0..5);
    d.client(&stanza("unsubscribe", 5));
    d.forget();
    d.server(&bounce(5));
    d.advance(63);
    assert_eq!(d.client_bytes(), "");
    assert_eq!(d.server_bytes(), stanza("unsubscribe", 5));
}

#[test]
fn a_bounced_one_does_not_undo_what_was_said_since() {
    let mut d = counting_server(true);
    subscribe(&mut d, 0..6);
    d.advance(63);
    d.client("<presence to='u5@montague.lit' type='unsubscribe' id='later'/>");
    d.forget();
    d.server(&bounce(5));
    d.advance(200);
    assert_eq!(d.client_bytes(), bounce(5));
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn all_four_kinds_count_and_other_presence_does_not() {
    let mut d = counting_server(true);
    for n in 0..10 {
        d.client(&format!(
            "<presence to='u{n}@montague.lit'><show>away</show></presence>"
        ));
        d.client(&format!("<presence to='u{n}@montague.lit' type='probe'/>"));
    }
    d.forget();
    for (n, kind) in ["subscribed", "unsubscribed", "unsubscribe", "subscribe"]
        .iter()
        .enumerate()
    {
        d.client(&stanza(kind, n));
    }
    let sent = d.server_got();
    let natives = sent.iter().filter(|stanza| stanza.local == "presence");
    assert_eq!(natives.count(), 4);
    subscribe(&mut d, 4..6);
    assert_eq!(d.server_bytes(), stanza("subscribe", 4));
}

#[test]
fn the_opposite_overtakes_what_waits_for_the_same_contact() {
    let mut d = counting_server(true);
    subscribe(&mut d, 0..8);
    d.server_bytes();
    d.client(&stanza("unsubscribe", 6));
    d.client(&stanza("subscribe", 5));
    let sent = d.server_bytes();
    assert_has(&sent, &stanza("unsubscribe", 6));
    d.advance(63);
    assert_eq!(d.server_bytes(), all([7, 5]));
}

#[test]
fn who_is_taken_out_of_the_roster_is_not_asked_any_more() {
    let mut d = counting_server(true);
    subscribe(&mut d, 0..7);
    d.client(&removal("r", "u5@montague.lit"));
    d.forget();
    d.advance(63);
    assert_eq!(d.server_bytes(), all(6..7));
}

#[test]
fn what_finds_no_room_is_refused_with_its_id() {
    let mut d = counting_server(true);
    subscribe(&mut d, 0..5 + 64);
    assert_eq!(d.client_bytes(), "");
    subscribe(&mut d, 100..101);
    let refused = d.one_to_client();
    assert_eq!(refused, Node::stanza(&returned(100)));
    assert_eq!(d.server_bytes(), all(0..5));
}

#[test]
fn what_finds_no_room_takes_nothing_out_that_waits() {
    let mut d = counting_server(true);
    subscribe(&mut d, 0..6);
    let large = |n| {
        stanza("subscribe", n).replace(
            "/>",
            &format!("><status>{}</status></presence>", "x".repeat(40_000)),
        )
    };
    d.client(&large(6));
    d.client(&large(7));
    d.forget();
    subscribe(&mut d, 5..6);
    assert_eq!(d.client_bytes(), returned(5));
    d.advance(63);
    assert_eq!(d.server_bytes(), all(5..6) + &large(6) + &large(7));
}

#[test]
fn a_denial_by_a_privacy_list_is_the_clients() {
    // Fewer than five were sent this minute: a privacy list has denied it, as the error says.
    let mut d = counting_server(false);
    subscribe(&mut d, 0..5);
    d.server_bytes();
    d.server_passes(&bounce(4));
    d.advance(100);
    assert_eq!(d.server_bytes(), "");
    // More than a minute has passed since the others.
    let mut d = counting_server(false);
    subscribe(&mut d, 0..5);
    d.advance(70);
    subscribe(&mut d, 5..6);
    d.forget();
    d.server_passes(&bounce(5));
}

#[test]
fn other_errors_and_those_of_others_are_the_clients() {
    let other = bounce(7).replace("not-acceptable", "remote-server-not-found");
    let directed = bounce(77);
    let full = bounce(7).replace("u7@montague.lit", "u7@montague.lit/x");
    for error in [other, directed, full] {
        let mut d = counting_server(false);
        subscribe(&mut d, 0..8);
        d.server_bytes();
        d.server_passes(&error);
        d.advance(100);
        assert_eq!(d.server_bytes(), "");
    }
}

/// The error of a stanza that was not sent.
fn returned(n: usize) -> String {
    format!(
        "<presence type='error' to='{JULIET}' from='u{n}@montague.lit' id='o{n}'><error type='wait'>\
         <resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
    )
}

const CLOSE: &str = "</stream:stream>";

#[test]
fn what_waits_is_said_before_the_stream_ends() {
    let close = Input::Bytes(Leg::Client, CLOSE.as_bytes());
    for way in [close, Input::Eof(Leg::Client), Input::Shutdown] {
        let mut d = counting_server(true);
        subscribe(&mut d, 0..7);
        d.forget();
        d.input(way.clone());
        assert_eq!(d.server_bytes(), all(5..7) + CLOSE, "{way:?}");
    }
    // A client that reads no more.
    let mut d = counting_server(true);
    subscribe(&mut d, 0..7);
    d.forget();
    d.block(Leg::Client, true);
    d.server("<message/>");
    d.advance(600);
    assert_eq!(d.server_bytes(), all(5..7) + CLOSE);
}

#[test]
fn what_waits_is_said_before_the_client_is_gone() {
    let facts = ServerFacts {
        limits_subscriptions: true,
        ..facts()
    };
    let (client, server) = (client_header("capulet.lit"), server_header("capulet.lit"));
    let mut d = Driver::logged_in_with(JULIET, options(Policy::Auto), &client, &server, facts);
    d.client("<presence id='1'/>");
    let publish = ready(&mut d);
    d.result(&publish, "");
    subscribe(&mut d, 0..7);
    d.forget();
    d.client(CLOSE);
    let sent = d.server_bytes();
    let gone = sent.strip_prefix(&all(5..7)).expect(&sent);
    assert_has(gone, "type='unavailable'");
}

#[test]
fn a_client_that_closes_its_stream_hears_of_a_bounce() {
    let mut d = counting_server(true);
    subscribe(&mut d, 0..7);
    d.client(CLOSE);
    d.forget();
    d.server(&format!("{}{CLOSE}", bounce(5)));
    assert_eq!(d.client_bytes(), bounce(5) + CLOSE);
}

#[test]
fn a_client_whose_stream_is_ended_is_told_before() {
    // The server will bounce the last two when no client hears it any more.
    let mut d = counting_server(true);
    subscribe(&mut d, 0..7);
    d.forget();
    d.input(Input::Shutdown);
    let told = d.client_bytes();
    let expected = returned(5) + &returned(6) + "<stream:error>";
    assert!(told.starts_with(&expected), "{told}");
    // After a minute the server takes the last two.
    let mut d = counting_server(true);
    subscribe(&mut d, 0..5);
    d.now += std::time::Duration::from_secs(63);
    subscribe(&mut d, 5..7);
    d.forget();
    d.input(Input::Shutdown);
    let told = d.client_bytes();
    assert!(told.starts_with("<stream:error>"), "{told}");
}

#[test]
fn what_the_server_was_not_told_comes_back_when_it_is_gone() {
    let error = "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    let ends = [
        Input::Eof(Leg::Server),
        Input::Bytes(Leg::Server, CLOSE.as_bytes()),
        Input::Bytes(Leg::Server, error.as_bytes()),
    ];
    for end in ends {
        let mut d = counting_server(true);
        subscribe(&mut d, 0..7);
        d.forget();
        d.input(end.clone());
        let told = d.client_bytes();
        assert!(
            told.starts_with(&(returned(5) + &returned(6))),
            "{end:?}: {told}"
        );
        assert!(!d.server_bytes().contains("<presence"), "{end:?}");
    }
}

#[test]
fn what_waited_for_the_contacts_comes_back_when_the_client_goes() {
    let mut d = Driver::pure();
    d.client(&stanza("subscribe", 1));
    d.forget();
    d.client(CLOSE);
    let told = d.client_bytes();
    assert!(
        told.starts_with("<presence type='error' from='u1@montague.lit' "),
        "{told}"
    );
}
