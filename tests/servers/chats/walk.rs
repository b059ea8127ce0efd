//! A random walk of one-to-one conversations: whoever comes, goes and vanishes in whatever order, what people write
//! to each other arrives, once and in order.
//!
//! Three people, all friends; each has two clients behind shims of their own, and a phone without one. Each step is
//! done by one of them, or to it or its shim, or to the server; then what every client was shown is compared with what
//! was written. `WALK_SEED` repeats a walk, `WALK_STEPS` says how long it is. At its end everybody
//! logs out and in again, with all clients.
//!
//! - What is written to somebody is shown by at least one of his clients: at once by whoever is there, else by who
//!   comes next. An error that its author is shown is as good.
//! - A client shows it once, in its next sessions, too, under its author's full JID and with the id he gave it. If its
//!   shim was killed, or lost the server, soon after it was shown, it may be shown once more: what was shown is put on
//!   record every 30 seconds.
//! - What one account writes to another is shown in the order of writing. Only a native copy may come late: of what
//!   was for a client that has vanished since, or to a phone.
//! - What is for one client is shown by no other while that one is there. Nobody else is shown anything.
//! - A client behind a shim sees nothing of what is between shims.
//!
//! These may be lost, as they would be without a shim: what was written to a client whose shim hangs, if it did not go
//! by pubsub and the shim is killed before it goes on; what was written by one whose shim hangs and is killed; what was
//! on its way between two accounts as one blocked the other, or is written meanwhile, which is not shown until then.
//! What went by pubsub is at the latest shown by the next client behind a shim: a phone may have nothing of it. What
//! it keeps natively Prosody gives to who becomes available, not to who takes a priority that is not below 0: that comes
//! late.

mod client;
mod steps;
mod world;

use crate::server::Kind;
use crate::walk::Diary;
use world::World;

on_both_servers!(walk_of_conversations);

/// So many steps where nobody says otherwise; never fewer than the opening has.
const STEPS: usize = 80;

fn walk_of_conversations(kind: Kind) {
    // Dropped last, so that it stands below everything else that a failure prints.
    let (mut diary, steps) = Diary::begin("Conversations", kind, STEPS);
    let mut world = World::new(kind, diary.seed);
    diary.walk(&mut world, steps);
    world.close(&mut |step| diary.steps.push(step));
}
