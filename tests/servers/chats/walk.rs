//! A random walk of one-to-one conversations: in whatever order clients come, go and vanish, messages arrive, once and
//! in order.
//!
//! Three people, all friends; each has two clients behind shims of their own, and a phone without one. A step is an
//! action of a client, or something that happens to a client, a shim or the server; after it the messages every client
//! was shown are compared with those written. `WALK_SEED` repeats a walk, `WALK_STEPS` sets its length. At the end all
//! clients log out and in again.
//!
//! - A message is shown by at least one client of its recipient: at once if one is online, else by the next that comes.
//!   An error to its author is as good.
//! - A client shows a message once, over all its sessions, under the author's full JID and with the author's id. If its
//!   shim was killed, or lost the server, soon after, it may show the message once more: a shim records every
//!   30 seconds which messages were shown.
//! - Messages from one account to another are shown in the order of writing. Only a native copy may come late: one for
//!   a client that has vanished since, or one to a phone.
//! - A message to one client is shown by no other while that one is online, and by no other account's client ever.
//! - A client behind a shim is shown nothing that shims say to each other.
//!
//! Some messages may be lost, as they would be without a shim: native ones to a client whose shim hangs and is killed;
//! those written by a client whose shim hangs and is killed; those on their way between two accounts when one blocks
//! the other; and those written during a block, which must not be shown while it lasts.
//! A message by pubsub is shown by the next client behind a shim at the latest: a phone may never get it. Prosody gives
//! stored messages to a client that becomes available, but not to one that only raises its priority to 0 or more: these
//! come late.

mod client;
mod steps;
mod world;

use crate::server::Kind;
use crate::walk::Diary;
use world::World;

on_both_servers!(walk_of_conversations);

/// Steps of a walk without `WALK_STEPS`; never fewer than the opening has.
const STEPS: usize = 80;

fn walk_of_conversations(kind: Kind) {
    // Dropped last, so that it is printed below everything else when the test fails.
    let (mut diary, steps) = Diary::begin("Conversations", kind, STEPS);
    let mut world = World::new(kind, diary.seed);
    diary.walk(&mut world, steps);
    world.close(&mut |step| diary.steps.push(step));
}
