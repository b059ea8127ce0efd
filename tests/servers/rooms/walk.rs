//! A random walk through rooms: whatever order people come, talk, change and vanish in, each client is shown the
//! truth about every room it is in, as XEP-0045 shows it.
//!
//! Four clients of three accounts (one has two), each behind a shim of its own; two rooms. Each step is done by one of
//! them, or to it or its shim, or to the server; then what every client was shown is compared with the truth.
//! `WALK_SEED` repeats a walk, `WALK_STEPS` says how long it is.
//!
//! - Who is in a room sees everybody in it, under his nick and with his status, and nobody else; a nick goes once, and
//!   only one that was there.
//! - A message is heard once by everybody there, in one order, by its author with the id he gave it; the subject is
//!   the last one.
//! - Who comes in sees others, then himself, then the newest messages there were, each with its time by the room's
//!   word, then the subject.
//! - Who is in no room hears nothing of it.
//! - Another's nick is refused.
//! - Whom an owner puts out is out with all his clients, is told by what, and neither hears nor speaks. He is refused
//!   while he is banned, or is no member of a room for members.
//! - An owner sees who else is one; everybody sees whether he is one himself. The last one stays one. On ejabberd
//!   everybody sees all owners, on Prosody an owner sees members, too. Of who is not there the room tells owners.
//!
//! A killed shim, or one that has lost its server, leaves its occupant behind. Others may see him until somebody
//! speaks, and soon after that no more; whoever has the same account may see him longer. His nick may be refused to
//! others, or given to them; so they may be told apart by their accounts, as in `Romeo (romeo@example.org)`.
//!
//! A walk begins with each kind of step once. It has a server of its own, which it restarts.

mod client;
mod rule;
mod steps;
mod world;

use crate::server::Kind;
use crate::walk::Diary;
use world::World;

on_both_servers!(walk_through_rooms);

/// Default number of steps; at least those of the opening.
const STEPS: usize = 90;

fn walk_through_rooms(kind: Kind) {
    // Dropped last, so that it stands below everything else that a failure prints.
    let (mut diary, steps) = Diary::begin("Rooms", kind, STEPS);
    let mut world = World::new(kind, diary.seed);
    diary.walk(&mut world, steps);
    world.close();
}
