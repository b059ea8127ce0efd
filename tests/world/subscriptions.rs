//! Subscriptions between people: request, approval, refusal, end (RFC 6121 §2 and §3; listings 5 to 11).

use super::{Person, World, stories};

stories!(
    two_strangers_become_friends,
    a_request_is_refused,
    a_request_waits_for_whoever_is_away,
    an_approval_waits_for_whoever_is_away,
    requests_that_cross,
    whoever_unsubscribes_sees_no_more,
    whoever_is_refused_later_sees_no_more,
    whoever_is_removed_is_a_stranger_again,
);

/// Each changes the status, and the other sees it once.
fn each_sees_the_other(juliet: &Person<'_>, romeo: &Person<'_>) {
    juliet.has_status("Moping");
    romeo.sees(["juliet/balcony available Moping"]);
    romeo.has_status("Climbing");
    juliet.sees(["romeo/orchard available Climbing"]);
}

fn two_strangers_become_friends(world: &World) {
    let (juliet, romeo) = (world.comes("juliet/balcony"), world.comes("romeo/orchard"));
    juliet.has_status("Here");
    // A request that comes while the server takes his presence is delivered twice by ejabberd.
    world.settle();
    juliet.asks("romeo");
    romeo.sees(["juliet subscribe"]);
    juliet.has_contacts(["romeo none asked"]);

    romeo.approves("juliet");
    juliet.sees(["romeo subscribed", "romeo/orchard available"]);
    romeo.has_contacts(["juliet from"]);

    romeo.asks("juliet");
    juliet.sees(["romeo subscribe"]);
    juliet.approves("romeo");
    romeo.sees(["juliet subscribed", "juliet/balcony available Here"]);
    juliet.has_contacts(["romeo both"]);
    romeo.has_contacts(["juliet both"]);

    each_sees_the_other(&juliet, &romeo);
    juliet.leaves();
    romeo.sees(["juliet/balcony unavailable"]);
}

fn a_request_is_refused(world: &World) {
    let (juliet, romeo) = (world.comes("juliet/balcony"), world.comes("romeo/orchard"));
    romeo.asks("juliet");
    juliet.sees(["romeo subscribe"]);
    juliet.refuses("romeo");
    romeo.sees(["juliet unsubscribed"]);
    juliet.has_status("Private");
    romeo.sees([]);
    romeo.has_contacts(["juliet none"]);
    juliet.has_contacts([]);
}

fn a_request_waits_for_whoever_is_away(world: &World) {
    // Juliet has logged in before, so her node exists.
    world.comes("juliet/balcony").leaves();
    let romeo = world.comes("romeo/orchard");
    romeo.asks("juliet");
    romeo.has_contacts(["juliet none asked"]);
    let juliet = world.comes("juliet/balcony");
    juliet.sees(["romeo subscribe"]);
    juliet.approves("romeo");
    romeo.sees(["juliet subscribed", "juliet/balcony available"]);
    juliet.asks("romeo");
    romeo.sees(["juliet subscribe"]);
    romeo.approves("juliet");
    juliet.sees(["romeo subscribed", "romeo/orchard available"]);
    romeo.has_contacts(["juliet both"]);
    juliet.has_contacts(["romeo both"]);
    each_sees_the_other(&juliet, &romeo);
}

fn an_approval_waits_for_whoever_is_away(world: &World) {
    let (juliet, romeo) = (world.comes("juliet/balcony"), world.comes("romeo/orchard"));
    romeo.asks("juliet");
    juliet.sees(["romeo subscribe"]);
    romeo.leaves();
    juliet.approves("romeo");
    juliet.has_contacts(["romeo from"]);
    let romeo = world.comes("romeo/mobile");
    romeo.may_see("juliet subscribed");
    romeo.sees(["juliet/balcony available"]);
    romeo.has_contacts(["juliet to"]);
    juliet.has_status("Later");
    romeo.sees(["juliet/balcony available Later"]);
}

fn requests_that_cross(world: &World) {
    let (juliet, romeo) = (world.comes("juliet/balcony"), world.comes("romeo/orchard"));
    juliet.asks("romeo");
    romeo.asks("juliet");
    juliet.sees(["romeo subscribe"]);
    romeo.sees(["juliet subscribe"]);
    juliet.approves("romeo");
    romeo.sees(["juliet subscribed", "juliet/balcony available"]);
    romeo.approves("juliet");
    juliet.sees(["romeo subscribed", "romeo/orchard available"]);
    juliet.has_contacts(["romeo both"]);
    romeo.has_contacts(["juliet both"]);
    each_sees_the_other(&juliet, &romeo);
}

fn whoever_unsubscribes_sees_no_more(world: &World) {
    let (juliet, romeo) = world.two_friends();
    juliet.turns_from("romeo");
    // RFC 6121 §3.3.3; Prosody does not say so.
    juliet.may_see("romeo/orchard unavailable");
    juliet.sees([]);
    juliet.has_contacts(["romeo from"]);
    romeo.has_status("Unseen");
    juliet.sees([]);
    // By pubsub alone he is not told at once, but at his next login.
    if world.has_natives() {
        romeo.sees(["juliet unsubscribe"]);
    }
    juliet.has_status("Seen");
    romeo.sees(["juliet/balcony available Seen"]);
    romeo.leaves();
    let romeo = world.comes("romeo/mobile");
    match world.has_natives() {
        true => romeo.sees(["juliet/balcony available Seen"]),
        false => romeo.sees(["juliet unsubscribe", "juliet/balcony available Seen"]),
    }
    romeo.has_contacts(["juliet to"]);
    juliet.sees([]);
}

fn whoever_is_refused_later_sees_no_more(world: &World) {
    let (juliet, romeo) = world.two_friends();
    juliet.refuses("romeo");
    romeo.sees(["juliet unsubscribed", "juliet/balcony unavailable"]);
    // Juliet is still subscribed to him. Her own roster says so on Prosody alone: on ejabberd 23.01 it says `none`.
    romeo.has_contacts(["juliet from"]);
    juliet.has_status("Unseen");
    romeo.sees([]);
}

fn whoever_is_removed_is_a_stranger_again(world: &World) {
    let (juliet, romeo) = world.two_friends();
    juliet.removes("romeo");
    juliet.may_see("romeo/orchard unavailable");
    juliet.sees([]);
    romeo.sees([
        "juliet unsubscribe",
        "juliet unsubscribed",
        "juliet/balcony unavailable",
    ]);
    juliet.has_contacts([]);
    romeo.has_contacts(["juliet none"]);
    juliet.has_status("Unseen");
    romeo.has_status("Unseen, too");
    romeo.sees([]);
    juliet.sees([]);
}
