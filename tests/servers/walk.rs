//! A random walk over presence: whatever order people log in, change, go and vanish in, each client
//! sees the others as they are, and each change once.
//!
//! Two or three accounts with up to three clients each, all contacts of one another natively and by
//! node; some clients behind one of several shims, some without. Every step is done by one of them (or
//! to one shim); then everybody's view is compared with the truth. `WALK_SEED` repeats a walk,
//! `WALK_STEPS` says how long it is.
//!
//! After each step, for every client that is available and every full JID:
//! - it was shown exactly the presences sent, in order, child by child: each change once, whether it
//!   came natively, by event, or both ways. What may come besides is the server's own `unavailable`
//!   (one without an id) about somebody already shown as such: after the one that a shim publishes when
//!   it takes its leave, and where servers repeat themselves among the clients of one account;
//! - who has just become available was shown the newest presence of everybody available, once;
//! - its last view of everybody is the truth, but of who is hidden, and across a block: there it is what
//!   the server natively shows, and what shims publish before the hiding and after it;
//! - behind a shim: no pubsub event, no marker, no answer to a request of the shim's.
//!
//! Each account has suitors besides, strangers who are contacts and watch its node. Some are removed,
//! refused or blocked, from another client while no shim is there or with a change and a logout behind it:
//! they are shown nothing from then on. And they throw what is too large for a client to say.
//!
//! Who is not available is shown nobody. A contact without a shim saw the same published, without a
//! marker (of changes in one go some may be left out, never the last), and finds on the node of whoever
//! published one item for each client available behind a shim and no other. What a killed shim, a lost
//! server or a client replaced by another leaves is gone with the next shim session of the account, on
//! ejabberd at once; only while the same resource is there again, it may stay.
//!
//! A walk begins with each kind of step once. It has a server of its own, which it restarts.

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

/// So many steps where nobody says otherwise; never fewer than the opening has.
const STEPS: usize = 70;
/// What is not done after a hundred others were tried is a mistake.
const MOST_IN_VAIN: usize = 100;

/// A world in which somebody walks.
pub(crate) trait Walk {
    type Step: Copy + Debug;

    /// Each kind of step once, in an order that leaves each something to do.
    fn opening(&self) -> Vec<Self::Step>;

    fn random_step(&mut self) -> Self::Step;

    /// One that may leave this one, which cannot be done, something to do.
    fn lacking(&mut self, step: Self::Step) -> Self::Step;

    /// Does it, says what it is, and compares what everybody sees with the truth; `false`: it cannot be done now.
    fn perform(&mut self, step: Self::Step, note: Note<'_>) -> bool;
}

/// Takes down what is done.
pub(crate) type Note<'a> = &'a mut dyn FnMut(String);

/// What was done so far, printed if the test fails.
pub(crate) struct Diary {
    pub(crate) seed: u64,
    pub(crate) steps: Vec<String>,
}

impl Diary {
    /// Of a walk that begins; and how many steps it has, where nobody says otherwise `steps`.
    pub(crate) fn begin(what: &str, kind: Kind, steps: usize) -> (Self, usize) {
        let seed = variable("WALK_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
        let count = variable("WALK_STEPS").unwrap_or(steps);
        eprintln!("{what} on {kind:?}: WALK_SEED={seed} WALK_STEPS={count}");
        let steps = Vec::new();
        (Self { seed, steps }, count)
    }

    /// Takes the opening, and then random steps.
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
    // Dropped last, so that it stands below everything else that a failure prints.
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
