//! A slow reader slows down the other side, and nobody else.

use pubshim::session::{Dropped, Event, Input, Leg, Options, Policy};

use crate::scenes::*;

const MESSAGE: &str = "<message to='romeo@montague.lit'><body>0123456789</body></message>";

/// Has `from` write until the session wants no more of it; how many messages that took.
fn fill(d: &mut Driver, from: Leg) -> usize {
    for count in 0..10_000 {
        if !d.session.wants(from) {
            return count;
        }
        d.input(Input::Bytes(from, MESSAGE.as_bytes()));
    }
    panic!("everything was taken");
}

#[test]
fn a_full_leg_stops_the_other_one_only() {
    for (slow, fast) in [(Leg::Server, Leg::Client), (Leg::Client, Leg::Server)] {
        let mut d = Driver::auto(JULIET);
        d.block(slow, true);
        let count = fill(&mut d, fast);
        assert!(count * MESSAGE.len() < 256 * 1024);
        if slow == Leg::Server {
            assert!(d.session.wants(slow), "or both could wait for ever");
        }
        d.input(Input::Bytes(slow, MESSAGE.as_bytes()));
        let passed = if fast == Leg::Client {
            d.client_bytes()
        } else {
            d.server_bytes()
        };
        assert_eq!(passed, MESSAGE);

        d.block(slow, false);
        assert!(d.session.wants(fast));
        let sent = if slow == Leg::Server {
            d.server_bytes()
        } else {
            d.client_bytes()
        };
        assert_eq!(sent, MESSAGE.repeat(count));
        assert!(d.session.outgoing(slow).is_empty());
    }
}

#[test]
fn two_full_legs_come_free_again() {
    let mut d = Driver::auto(JULIET);
    d.block(Leg::Client, true);
    d.block(Leg::Server, true);
    let counts = [fill(&mut d, Leg::Client), fill(&mut d, Leg::Server)];
    assert!(!d.session.wants(Leg::Client) && !d.session.wants(Leg::Server));
    d.block(Leg::Client, false);
    d.block(Leg::Server, false);
    assert!(d.session.wants(Leg::Client) && d.session.wants(Leg::Server));
    assert_eq!(d.server_bytes(), MESSAGE.repeat(counts[0]));
    assert_eq!(d.client_bytes(), MESSAGE.repeat(counts[1]));
}

#[test]
fn bytes_sent_in_part_stay_in_order() {
    let mut d = Driver::auto(JULIET);
    d.block(Leg::Server, true);
    d.client(MESSAGE);
    let mut sent = Vec::new();
    for count in 1.. {
        let outgoing = d.session.outgoing(Leg::Server);
        if outgoing.is_empty() {
            break;
        }
        let count = usize::min(count, outgoing.len());
        sent.extend_from_slice(&outgoing[..count]);
        d.session.sent(Leg::Server, count, d.now);
        if sent.len() < 30 {
            d.client(MESSAGE);
        }
    }
    let sent = String::from_utf8(sent).unwrap();
    assert_eq!(sent, MESSAGE.repeat(sent.len() / MESSAGE.len()));
    assert!(sent.len() > MESSAGE.len());
}

#[test]
fn a_client_that_waits_for_the_server_is_read_only_so_far() {
    let mut d = Driver::at(Stage::Login, options(Policy::Auto));
    d.client(AUTH);
    let count = fill(&mut d, Leg::Client);
    assert!(count * MESSAGE.len() <= 65 * 1024);
    assert!(d.session.wants(Leg::Server));
}

#[test]
fn a_client_that_floods_while_it_is_held_is_not_read() {
    let mut d = Driver::new(options(Policy::Auto));
    d.client(&client_header("capulet.lit"));
    let count = fill(&mut d, Leg::Client);
    assert!(count * MESSAGE.len() <= 65 * 1024);
}

#[test]
fn deadlines_of_requests_stop_while_the_server_is_not_read() {
    let mut d = published();
    d.client("<presence id='2'><status>Asleep</status></presence>");
    let publish = d.one_behind_presence();
    d.advance(30);
    d.block(Leg::Client, true);
    fill(&mut d, Leg::Server);
    assert!(!d.session.wants(Leg::Server));
    d.advance(200);
    d.block(Leg::Client, false);
    assert!(d.session.wants(Leg::Server));
    d.advance(29);
    assert!(!d.tells(|e| matches!(e, Event::PublishFailed { .. })));
    d.advance(2);
    assert!(d.tells(|e| matches!(e, Event::PublishFailed { .. })));
    // The answer comes too late, and the client is shown none of it.
    d.client_bytes();
    d.result(&publish, "");
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn a_leg_that_is_not_read_has_no_time_out() {
    let mut d = Driver::auto(JULIET);
    d.client("<mess");
    d.block(Leg::Server, true);
    d.block(Leg::Client, true);
    for _ in 0..2000 {
        d.server(MESSAGE);
    }
    assert!(!d.session.wants(Leg::Client), "its own bytes wait");
    d.advance(200);
    d.block(Leg::Client, false);
    d.block(Leg::Server, false);
    d.client("age/>");
    assert_eq!(d.server_bytes(), "<message/>");
}

#[test]
fn changes_while_a_publish_is_in_flight_leave_one() {
    let mut d = published();
    for count in 0..100 {
        d.client(&format!(
            "<presence id='c{count}'><priority>{count}</priority></presence>"
        ));
    }
    let sent = d.server_got();
    let native = |node: &&Node| node.local == "presence";
    assert_eq!(sent.iter().filter(native).count(), 100);
    let publishes: Vec<_> = sent.iter().filter(|node| node.local == "iq").collect();
    assert_eq!(publishes.len(), 1);
    assert_eq!(changed(publishes[0]).value("id"), "c0");

    d.result(publishes[0], "");
    let newest = d.one_to_server();
    assert_eq!(changed(&newest).value("id"), "c99");
    d.result(&newest, "");
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn drained_buffers_are_empty() {
    let mut d = Driver::logged_in(JULIET, Options::default());
    for _ in 0..1000 {
        d.client(MESSAGE);
        d.server(MESSAGE);
    }
    for leg in [Leg::Client, Leg::Server] {
        assert!(d.session.outgoing(leg).is_empty());
    }
    assert_eq!(d.server_bytes().len(), 1000 * MESSAGE.len());
}

/// A shim of this stranger asks whether the client is there.
fn ping(n: usize, id: &str) -> String {
    format!(
        "<iq type='get' from='s{n}@montague.lit/x' to='{JULIET}' id='{id}'><ping xmlns='urn:xmpp:ping'>\
         <shim xmlns='urn:pubshim:0'/></ping></iq>"
    )
}

fn pings(count: usize) -> String {
    (0..count).map(|n| ping(n % 6, &format!("p{n}"))).collect()
}

#[test]
fn answers_are_bounded_though_the_server_does_not_read() {
    let mut d = published();
    d.block(Leg::Server, true);
    let (flood, mut most) = (pings(500), 0);
    for _ in 0..10 {
        d.server(&flood);
        most = most.max(d.session.outgoing(Leg::Server).len());
    }
    assert!(most < 16 * 1024, "{most} bytes wait for the server");
    assert!(d.dropped().contains(&Dropped::Overflow));
    d.block(Leg::Server, false);
    d.advance(60);
    let answers = d.server_bytes().matches("<iq type='result'").count();
    // Ten kilobytes at once, and 64 of the others.
    assert!((64..300).contains(&answers), "{answers}");
    // The shim answers the next ping as ever.
    d.server(&ping(7, "later"));
    assert!(d.server_bytes().contains("id='later'"));
}

#[test]
fn what_the_user_says_goes_before_answers_to_others() {
    let mut d = published();
    // As much at once as one read takes.
    for _ in 0..40 {
        d.server(&pings(100));
    }
    d.client(MESSAGE);
    let sent = d.server_bytes();
    let before = sent.find(MESSAGE).expect("the message");
    assert!(before < 11_000, "{before} bytes go before");
    // The pacer sends the other answers later.
    d.advance(1);
    let next = d.server_bytes().len();
    assert!((1..2000).contains(&next), "{next} bytes in the next second");
}

#[test]
fn an_id_that_is_too_long_is_not_repeated() {
    let mut d = published();
    let long = "x".repeat(1000);
    d.server(&ping(0, &long));
    assert!(d.server_bytes().contains(&long));
    d.server(&ping(0, &long.repeat(5)));
    assert_eq!(d.server_bytes(), "");
    assert_eq!(d.dropped(), [Dropped::Overflow]);
}
