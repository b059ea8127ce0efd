//! Scenes that come near to what is promised, so that a session that breaks a promise is caught.

use arbitrary::{Arbitrary as _, Unstructured};

use super::login::{LOGIN, Login};
use super::*;
use crate::text::{Address, Child, FromClient, FromServer, Id};

fn run_scene(policy: u8, steps: &[Step]) {
    run(&setup(policy), steps);
}

fn setup(policy: u8) -> Setup {
    Setup {
        policy,
        native: false,
        security: 0,
        compress: 0,
        client_tls: 0,
        has_more: false,
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
        honest: false,
        past: 0,
    }
}

fn say(said: FromClient) -> Step {
    Step::Client(said, Cut::Whole)
}

/// The client is available, once more.
fn presence() -> Step {
    say(FromClient::Broadcast(2))
}

#[test]
fn nothing_is_published_while_somebody_is_being_put_out() {
    for policy in [1, 4] {
        let end = say(FromClient::Subscription(3, Address::Romeo, Id::None));
        run_scene(
            policy,
            &[end, presence(), Step::Serve(1), presence(), Step::Serve(9)],
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
    run_scene(4, &[hide, presence(), Step::Serve(9)]);
    let hide = say(FromClient::Broadcast(1));
    run_scene(4, &[hide, Step::Serve(9), presence(), Step::Serve(9)]);
}

#[test]
fn what_no_rule_names_passes() {
    for policy in [1, 4] {
        let pass = |is_client| (0..10).map(move |kind| Step::Pass(is_client, kind, Cut::Small(3)));
        let steps: Vec<_> = pass(true).chain(pass(false)).chain(pass(true)).collect();
        run_scene(policy, &steps);
    }
}

#[test]
fn what_no_rule_names_passes_compressed() {
    for policy in [1, 4] {
        for (compress, security) in [(1, 0), (2, 3)] {
            let setup = Setup {
                compress,
                security,
                ..setup(policy)
            };
            let pass = |is_client| (0..10).map(move |kind| Step::Pass(is_client, kind, Cut::Whole));
            let steps: Vec<_> = pass(true).chain(pass(false)).collect();
            run(&setup, &steps);
        }
    }
}

#[test]
fn what_no_rule_names_passes_to_a_client_with_tls() {
    // Offered and required, asked for and begun with.
    for client_tls in [3, 5, 7, 131, 135] {
        for security in [0, 3] {
            let setup = Setup {
                client_tls,
                security,
                ..setup(4)
            };
            let steps: Vec<_> = (0..10)
                .map(|kind| Step::Pass(true, kind, Cut::Whole))
                .collect();
            run(&setup, &steps);
        }
    }
}

#[test]
fn a_login_goes_on_at_the_second_server() {
    let setup = Setup {
        established: false,
        has_more: true,
        security: 3,
        ..setup(4)
    };
    let mut world = World::new(&setup);
    while LOGIN[world.login] != Login::Mechanisms {
        world.log_in(Cut::Whole);
    }
    world.act(&Step::Eof(false));
    assert_eq!((world.awaited, world.login), (Some(Awaited::Connection), 1));
    while world.login < LOGIN.len() {
        world.log_in(Cut::Whole);
    }
    assert!(world.session.jid().is_some());
    world.end();
}

/// The server's bytes are compressed from `<compressed/>` on, also within one read.
#[test]
fn what_is_read_behind_the_agreement_is_not_lost() {
    let setup = Setup {
        compress: 1,
        established: false,
        ..setup(4)
    };
    let mut world = World::new(&setup);
    while LOGIN[world.login] != Login::Compressed {
        world.log_in(Cut::Whole);
    }
    let server = world.writer(Leg::Server);
    let said = [21, 2].map(|which| server.server(&FromServer::Nonza(which)));
    let header = text::server_header(setup.server_header).text;
    let said = format!("{}{header}{}", said[0], said[1]);
    world.write(Leg::Server, said.as_bytes(), Cut::Whole);
    world.login += 2;
    for _ in [Login::Bind, Login::Bound] {
        world.log_in(Cut::Whole);
    }
    assert!(world.is_compressed && world.session.jid().is_some());
    world.end();
}

/// For each state between account and contact, and each leftover of the last shim on the node.
#[test]
fn nobody_is_shown_what_the_server_says_is_not_for_him() {
    for past in 0..32 {
        for no_authorize in [false, true] {
            let setup = Setup {
                honest: true,
                past: past & 15 | (past >> 4) << 12 | 0x0bb0,
                no_authorize,
                ..setup(4)
            };
            run(
                &setup,
                &[presence(), Step::Serve(9), presence(), Step::Serve(9)],
            );
        }
    }
}

#[test]
fn nobody_is_shown_what_is_said_behind_his_end() {
    let ends = [
        say(FromClient::Subscription(3, Address::Romeo, Id::None)),
        say(FromClient::Request(
            true,
            Id::One(true),
            Child::Block(true, vec![Address::Romeo]),
        )),
        say(FromClient::Request(
            true,
            Id::One(true),
            Child::Roster(vec![crate::text::Item {
                address: Address::Romeo,
                subscription: 4,
                more: 0,
            }]),
        )),
    ];
    for end in ends {
        for no_authorize in [false, true] {
            let setup = Setup {
                honest: true,
                // A contact who sees the account, and is subscribed.
                past: 0x100b,
                no_authorize,
                ..setup(4)
            };
            let steps = [
                presence(),
                Step::Serve(99),
                end.clone(),
                presence(),
                Step::Serve(1),
            ];
            let more = [
                Step::Wait(Wait::Seconds(1)),
                Step::Serve(99),
                presence(),
                Step::Serve(99),
            ];
            let steps: Vec<_> = steps.into_iter().chain(more).collect();
            run(&setup, &steps);
        }
    }
}

/// Number of sessions that are replayed.
const SEEDS: u64 = 500;

/// Bytes that are the same for the same seed.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// A session in which anything happens, but often what makes it go on.
fn anything(seed: u64) -> (Setup, Vec<Step>) {
    let bytes = bytes(seed, 300 + (seed as usize % 7) * 700);
    let mut unstructured = Unstructured::new(&bytes);
    let mut setup = Setup::arbitrary(&mut unstructured).expect("enough bytes");
    setup.recorded = true;
    setup.rude &= seed % 8 == 0;
    setup.established |= seed % 4 != 0;
    setup.settled |= seed % 3 == 0;
    let mut steps = Vec::new();
    while !unstructured.is_empty() {
        let Ok(step) = Step::arbitrary(&mut unstructured) else {
            break;
        };
        let ends = matches!(
            step,
            Step::Shutdown | Step::Eof(_) | Step::ClientRaw(..) | Step::ServerRaw(..)
        );
        if !ends || steps.len() > 5 && steps.len() % 4 == 0 {
            steps.push(step);
        }
        if steps.len() % 3 == 0 {
            steps.push(Step::Serve((seed % 5) as u8));
        }
    }
    (setup, steps)
}

/// Each run of the world is recorded and replayed when it ends, those of the other scenes, too.
#[test]
fn what_a_session_did_replays() {
    for seed in 0..SEEDS {
        let (setup, steps) = anything(seed);
        run(&setup, &steps);
    }
}
