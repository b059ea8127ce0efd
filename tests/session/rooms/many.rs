//! A room where much is said.

use super::*;

fn hears(d: &mut Driver, n: usize) {
    happens(d, TALK, &body(ROMEO, "Romeo", &format!("n{n}"), 0));
}

#[test]
fn of_a_thousand_messages_the_last_ids_are_kept() {
    let mut d = joined();
    for n in 0..1000 {
        hears(&mut d, n);
        assert_eq!(sees(&mut d), [format!("Romeo says n{n}")]);
    }
    d.forget();
    for n in 700..1000 {
        hears(&mut d, n);
    }
    assert_eq!(
        (sees(&mut d), d.dropped()),
        (vec![], vec![Dropped::Seen; 300])
    );
    hears(&mut d, 699);
    assert_eq!(
        sees(&mut d),
        ["Romeo says n699"],
        "more is kept than is bounded"
    );
}

/// More than 64 requests that wait would be refused; a room remembers 300 items and waits for 256 events at the most.
#[test]
fn each_message_of_the_client_is_one_request_that_does_not_wait() {
    let mut d = joined();
    for n in 0..320 {
        say_to_all(&mut d, &format!("m{n}"), &format!("<body>{n}</body>"));
        let publish = d.one_to_server();
        assert_eq!(what(&publish), "publish characters");
        echo(&mut d, &publish);
        assert_eq!(sees(&mut d), [format!("JC says {n}")]);
        assert_eq!(d.server_bytes(), "");
        d.forget();
    }
}
