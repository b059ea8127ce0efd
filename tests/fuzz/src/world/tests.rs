//! Scenes that come near to what is promised, so that a session that breaks a promise is caught.

use super::*;
use crate::text::{Child, FromClient, Id, Who};

fn run_scene(policy: u8, ops: &[Op]) {
    let setup = Setup {
        policy,
        native: false,
        security: 0,
        established: true,
        settled: true,
        no_authorize: false,
        small_limits: false,
        recorded: true,
        view: 0,
        rude: false,
        account: 5,
        client_header: 0,
        server_header: 0,
    };
    run(&setup, ops);
}

fn say(said: FromClient) -> Op {
    Op::Client(said, Cut::Whole)
}

/// The client is available, once more.
fn presence() -> Op {
    say(FromClient::Broadcast(2))
}

#[test]
fn nothing_is_published_while_somebody_is_being_kept_from_seeing_it() {
    for policy in [1, 4] {
        let end = say(FromClient::Subscription(3, Who::Romeo, Id::None));
        run_scene(
            policy,
            &[end, presence(), Op::Serve(1), presence(), Op::Serve(9)],
        );
    }
}

#[test]
fn nothing_is_published_while_the_client_is_invisible() {
    let hide = say(FromClient::Request(
        true,
        Id::One(true),
        Child::Invisible(true),
    ));
    run_scene(4, &[hide, presence(), Op::Serve(9)]);
    let hide = say(FromClient::Broadcast(1));
    run_scene(4, &[hide, Op::Serve(9), presence(), Op::Serve(9)]);
}
