//! What people write to each other (listings 18 to 20 are still to come).

use super::{World, stories};

stories!(a_message_passes_as_it_is);

fn a_message_passes_as_it_is(world: &World) {
    let (juliet, romeo) = world.two_friends();
    juliet.writes("romeo", "Wherefore?");
    // Where there is nothing but pubsub, nothing carries it yet, and she is told so.
    match world.has_natives() {
        true => romeo.sees(["juliet/balcony says Wherefore?"]),
        false => juliet.sees(["message refused: romeo feature-not-implemented"]),
    }
    romeo.sees([]);
    juliet.sees([]);
}
