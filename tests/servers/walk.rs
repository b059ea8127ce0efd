//! A random walk over presence: whatever order people log in, change, go and vanish in, each client
//! sees the others as they are, and each change once.
//!
//! Two or three accounts with up to three clients each, all contacts of one another natively and by
//! node; some clients behind one of several shims, some without. Every step is done by one of them (or
//! to one shim); then everybody's view is compared with the truth. `PUBSHIM_WALK_SEED` repeats a walk,
//! `PUBSHIM_WALK_STEPS` says how long it is.
//!
//! After each step, for every client that is available and every full JID:
//! - it was shown exactly the presences sent, in order, child by child: each change once, whether it
//!   came natively, by event, or both ways. What may come besides is the server's own `unavailable`
//!   (one without an id) about somebody already shown as such: after the one that a shim publishes when
//!   it takes its leave, and where servers repeat themselves among the clients of one account;
//! - who has just become available was shown the newest presence of everybody available, once;
//! - its last view of everybody is the truth;
//! - behind a shim: no pubsub event, no marker, no answer to a request of the shim's.
//!
//! Who is not available is shown nobody. A contact without a shim saw the same published, without a
//! marker (of changes in one go some may be left out, never the last), and finds on the node of whoever
//! published one item for each client available behind a shim and no other, but what a killed shim or a
//! client replaced by another may have left.
//!
//! The servers themselves are not restarted: all tests share them.

mod model;
mod rng;
mod settle;
mod steps;
mod world;

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::thread;

use crate::server::{Kind, Server};
use world::World;

on_both_servers!(presence_walk);

/// Where nobody says otherwise.
const STEPS: usize = 40;

/// What was done so far, printed if the test fails.
struct Diary {
    seed: u64,
    steps: Vec<String>,
}

impl Drop for Diary {
    fn drop(&mut self) {
        let seed = self.seed;
        if thread::panicking() {
            eprintln!("--- PUBSHIM_WALK_SEED={seed}, up to the failure:");
            for (number, step) in self.steps.iter().enumerate() {
                eprintln!("{number:4} {step}");
            }
        }
    }
}

fn presence_walk(kind: Kind) {
    let seed = variable("PUBSHIM_WALK_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let steps = variable("PUBSHIM_WALK_STEPS").unwrap_or(STEPS);
    eprintln!("{kind:?}: PUBSHIM_WALK_SEED={seed} PUBSHIM_WALK_STEPS={steps}");
    // Dropped last, so that it stands below everything else that a failure prints.
    let mut diary = Diary {
        seed,
        steps: Vec::new(),
    };
    let mut world = World::new(Server::get(kind), seed);
    for _ in 0..steps {
        let expected = world.step(&mut |step| diary.steps.push(step));
        world.settle(&expected);
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    let value = value.parse().ok();
    assert!(value.is_some(), "{name} is not a number");
    value
}
