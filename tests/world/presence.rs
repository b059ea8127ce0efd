//! Presence between people: clients come, change and go (RFC 6121 §4; listings 1 to 4).

use super::{World, stories};

stories!(
    each_change_is_seen_once,
    whoever_vanishes_is_seen_to_go,
    whoever_loses_the_shim_is_gone,
    whoever_comes_back_is_seen_again,
    two_clients_of_one_account,
    a_large_status_is_kept_whole,
);

fn each_change_is_seen_once(world: &World) {
    let (juliet, romeo) = world.two_friends();
    juliet.has_status("Moping");
    romeo.sees(["juliet/balcony available Moping"]);
    romeo.has_status("Climbing");
    juliet.sees(["romeo/orchard available Climbing"]);
    // Two changes in a row.
    juliet.has_status("Weeping");
    juliet.has_status("Raging");
    romeo.sees([
        "juliet/balcony available Weeping",
        "juliet/balcony available Raging",
    ]);
    juliet.sees([]);
}

fn whoever_vanishes_is_seen_to_go(world: &World) {
    let (juliet, romeo) = world.two_friends();
    juliet.vanishes();
    romeo.sees(["juliet/balcony unavailable"]);
}

fn whoever_loses_the_shim_is_gone(world: &World) {
    let (juliet, romeo) = world.two_friends();
    juliet.loses_its_shim();
    if world.has_natives() {
        romeo.sees(["juliet/balcony unavailable"]);
    }
    // No item is left of her that a later client would be shown.
    romeo.leaves();
    let romeo = world.comes("romeo/tomb");
    romeo.has_contacts(["juliet both"]);
    romeo.sees([]);
}

fn whoever_comes_back_is_seen_again(world: &World) {
    let (juliet, romeo) = world.two_friends();
    juliet.hides();
    romeo.sees(["juliet/balcony unavailable"]);
    romeo.has_status("Waiting");
    juliet.sees([]);
    juliet.has_status("Back");
    romeo.sees(["juliet/balcony available Back"]);
    juliet.sees(["romeo/orchard available Waiting"]);
    juliet.leaves();
    romeo.sees(["juliet/balcony unavailable"]);
    let juliet = world.comes("juliet/balcony");
    juliet.sees(["romeo/orchard available Waiting"]);
    romeo.sees(["juliet/balcony available"]);
}

fn two_clients_of_one_account(world: &World) {
    let (juliet, romeo) = world.two_friends();
    let garden = world.comes("juliet/garden");
    garden.sees(["juliet/balcony available", "romeo/orchard available"]);
    juliet.sees(["juliet/garden available"]);
    romeo.sees(["juliet/garden available"]);
    romeo.has_status("Climbing");
    juliet.sees(["romeo/orchard available Climbing"]);
    garden.sees(["romeo/orchard available Climbing"]);
    garden.has_status("Walking");
    romeo.sees(["juliet/garden available Walking"]);
    juliet.leaves();
    garden.sees(["juliet/balcony unavailable"]);
    romeo.sees(["juliet/balcony unavailable"]);
}

fn a_large_status_is_kept_whole(world: &World) {
    let (juliet, romeo) = world.two_friends();
    // Characters that are escaped, characters long in UTF-8, and no line break, which XML would change.
    let status = "O \u{1f339} & <Romeo> ".repeat(400) + "wherefore";
    let escaped = status.replace('&', "&amp;").replace('<', "&lt;");
    juliet.has_status(&escaped);
    romeo.sees([&*format!("juliet/balcony available {status}")]);
    juliet.has_status("Moping");
    romeo.sees(["juliet/balcony available Moping"]);
}
