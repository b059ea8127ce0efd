//! A random walk over presence: in whatever order clients log in, change, go and vanish, each client sees the others
//! as they are, and each change once.
//!
//! Two or three accounts with up to three clients each, all contacts of one another natively and by
//! node; some clients behind one of several shims, some without. A step is an action of a client, or something that
//! happens to a shim; after it every client's view is compared with the truth. `WALK_SEED` repeats a walk,
//! `WALK_STEPS` sets its length.
//!
//! After each step, for every client that is available and every full JID:
//! - the client was shown exactly the presences sent, in order, child by child: each change once, whether it
//!   came natively, by event, or both ways. In addition the server's own `unavailable` (without an id) may come about
//!   a client already shown as gone: after the one that a shim publishes at a logout, and among the clients of one
//!   account, where servers repeat themselves;
//! - a client that has just become available was shown the newest presence of all available clients, once;
//! - the last presence it was shown of each JID is the truth. Across a block and for hidden clients it is instead what
//!   the server shows natively, and what shims publish before the hiding and after it;
//! - a client behind a shim was shown no pubsub event, no marker, no answer to a request of the shim's.
//!
//! Each account also has suitors: strangers who are contacts and watch its node. Some are removed, refused or
//! blocked, by another client while no shim is there, or with a change and a logout right behind: from then on they
//! are shown nothing. Suitors also send stanzas too large for a client.
//!
//! A client that is not available is shown nobody. The witness, a contact without a shim, gets the same presences as
//! events, without a marker (of several changes in one go only the last is certain). On the node of each account that
//! published, it finds one item for each client available behind a shim, and no other. Items left by a killed shim, a
//! lost server or a replaced client are gone with the next shim session of the account, on ejabberd at once; they may
//! stay only while the same resource is online again.
//!
//! A walk begins with each kind of step once. It restarts the server, and so has one of its own.

mod breaks;
mod hides;
mod model;
pub(crate) mod rng;
mod settle;
mod steps;
mod suitors;
mod tell;
mod world;

use std::collections::VecDeque;
use std::env;
use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::thread;

use crate::server::Kind;
use world::World;
pub(crate) use world::bare;

on_both_servers!(presence_walk);

/// Steps of a walk without `WALK_STEPS`; never fewer than the opening has.
const STEPS: usize = 70;
/// Attempts after which a step that was never possible counts as a mistake of the test.
const MOST_IN_VAIN: usize = 100;

/// A world in which clients walk.
pub(crate) trait Walk {
    type Step: Copy + Debug;

    /// Each kind of step once, in an order in which each is possible.
    fn opening(&self) -> Vec<Self::Step>;

    fn random_step(&mut self) -> Self::Step;

    /// A step that may make `step`, which is not possible now, possible.
    fn lacking(&mut self, step: Self::Step) -> Self::Step;

    /// Does a step, notes it, and compares what every client sees with the truth; `false`: it is not possible now.
    fn perform(&mut self, step: Self::Step, note: Note<'_>) -> bool;
}

/// Takes notes of steps.
pub(crate) type Note<'a> = &'a mut dyn FnMut(String);

/// The steps done so far; printed if the test fails.
pub(crate) struct Diary {
    pub(crate) seed: u64,
    pub(crate) steps: Vec<String>,
}

impl Diary {
    /// Begins a diary; also gives the number of steps: `WALK_STEPS`, or `steps`.
    pub(crate) fn begin(what: &str, kind: Kind, steps: usize) -> (Self, usize) {
        let seed = variable("WALK_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
        let count = variable("WALK_STEPS").unwrap_or(steps);
        eprintln!("{what} on {kind:?}: WALK_SEED={seed} WALK_STEPS={count}");
        let steps = Vec::new();
        (Self { seed, steps }, count)
    }

    /// Does the opening, and then random steps.
    pub(crate) fn walk<W: Walk>(&mut self, world: &mut W, steps: usize) {
        let mut opening = VecDeque::from(world.opening());
        let (mut done, mut in_vain, mut is_lacking) = (0, 0, false);
        while done < steps || !opening.is_empty() {
            let first = opening.front().copied();
            let step = match first {
                Some(first) if is_lacking => world.lacking(first),
                Some(first) => first,
                None => world.random_step(),
            };
            let is_done = world.perform(step, &mut |step| self.steps.push(step));
            done += usize::from(is_done);
            if is_done && !is_lacking {
                opening.pop_front();
                in_vain = 0;
                continue;
            }
            in_vain += 1;
            assert!(
                in_vain < MOST_IN_VAIN,
                "{:?} cannot be done",
                first.unwrap_or(step)
            );
            is_lacking = !is_lacking && first.is_some();
        }
    }
}

impl Drop for Diary {
    fn drop(&mut self) {
        let seed = self.seed;
        if thread::panicking() {
            eprintln!("--- WALK_SEED={seed}, up to the failure:");
            for (number, step) in self.steps.iter().enumerate() {
                eprintln!("{number:4} {step}");
            }
        }
    }
}

fn presence_walk(kind: Kind) {
    // Dropped last, so that it is printed below everything else when the test fails.
    let (mut diary, steps) = Diary::begin("Presence", kind, STEPS);
    let mut world = World::new(kind, diary.seed);
    diary.walk(&mut world, steps);
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    let value = value.parse().ok();
    assert!(value.is_some(), "{name} is not a number");
    value
}
