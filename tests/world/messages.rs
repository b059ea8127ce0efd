//! Messages between two people (listings 18 to 20).

use super::{World, stories};

stories!(a_message_passes_as_it_is);

fn a_message_passes_as_it_is(world: &World) {
    let (juliet, romeo) = world.two_friends();
    juliet.writes("romeo", "Wherefore?");
    romeo.sees(["juliet/balcony says Wherefore?"]);
    romeo.sees([]);
    juliet.sees([]);
}
