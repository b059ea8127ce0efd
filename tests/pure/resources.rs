//! Several clients of one account, each with a shim of its own: all see the changes of each.
use crate::world::*;

const NAMED: &str = "<iq type='set' id='s'><query xmlns='jabber:iq:roster'>\
    <item jid='romeo@montague.lit' name='Romeo'><group>Friends</group></item></query></iq>";

#[test]
fn another_client_sees_the_same_roster() {
    let world = World::new();
    let (juliet, _romeo) = friends(&world);
    juliet.say(NAMED);
    juliet.look();
    let other = world.login(JULIET, "garden");
    assert_eq!(
        other.roster(),
        ["romeo@montague.lit both 'Romeo' [Friends]"]
    );
}

#[test]
fn a_change_is_pushed_to_each_client_once() {
    let world = World::new();
    let (juliet, _romeo) = friends(&world);
    let other = world.start(JULIET, "garden");
    juliet.look();
    juliet.say(NAMED);
    let push = "push romeo@montague.lit both 'Romeo' [Friends]";
    juliet.sees(&["result s", push]);
    other.sees(&[push]);
    other.say(
        "<iq type='set' id='t'><query xmlns='jabber:iq:roster'>\
         <item jid='romeo@montague.lit'/></query></iq>",
    );
    let push = "push romeo@montague.lit both";
    other.sees(&["result t", push]);
    juliet.sees(&[push]);
}

#[test]
fn a_client_that_never_asked_for_the_roster_is_pushed_nothing() {
    let world = World::new();
    let (juliet, _romeo) = friends(&world);
    let other = world.login(JULIET, "garden");
    other.say("<presence/>");
    other.look();
    juliet.say(NAMED);
    other.sees(&[]);
}

#[test]
fn what_one_client_asks_and_answers_the_other_knows() {
    let world = World::new();
    let juliet = world.start(JULIET, "balcony");
    let other = world.start(JULIET, "garden");
    let romeo = world.start(ROMEO, "mobile");
    juliet.look();
    other.look();

    juliet.tell(ROMEO, "subscribe");
    let push = "push romeo@montague.lit none asked";
    juliet.sees(&[push]);
    other.sees(&[push]);
    romeo.tell(JULIET, "subscribed");
    for client in [&juliet, &other] {
        client.sees(&[
            "romeo@montague.lit subscribed",
            "push romeo@montague.lit to",
            "romeo@montague.lit/mobile available",
        ]);
    }

    // Both clients are asked; one answers, and the other need not any more.
    romeo.tell(JULIET, "subscribe");
    for client in [&juliet, &other] {
        client.sees(&["romeo@montague.lit subscribe"]);
    }
    other.tell(ROMEO, "subscribed");
    let push = "push romeo@montague.lit both";
    juliet.sees(&[push]);
    other.sees(&[push]);
    juliet.tell(ROMEO, "subscribed");
    juliet.sees(&[]);
    romeo.look();

    other.say(&removal("gone", ROMEO));
    let push = "push romeo@montague.lit remove";
    other.sees(&["result gone", push, "romeo@montague.lit/mobile unavailable"]);
    juliet.sees(&[push, "romeo@montague.lit/mobile unavailable"]);
}

#[test]
fn two_clients_remove_in_the_same_moment() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    let other = world.start(JULIET, "garden");
    juliet.tell(ROMEO, "unsubscribed");
    other.tell(ROMEO, "unsubscribed");
    juliet.look();
    romeo.look();
    assert_eq!(juliet.roster(), ["romeo@montague.lit to"]);
    assert_eq!(other.roster(), ["romeo@montague.lit to"]);
    assert_eq!(world.raw(JULIET, "checker").subscribers(), [""; 0]);
}

#[test]
fn a_client_is_shown_its_own_presence_once() {
    // §4.2.2 and §4.4.2
    let world = World::new();
    let juliet = world.start(JULIET, "balcony");
    juliet.say("<presence id='p1'><status>Moping</status></presence>");
    let seen = juliet.got();
    assert_eq!(seen.len(), 1, "{seen:?}");
    let values = ["from", "to", "id"].map(|name| seen[0].value(name));
    assert_eq!(values, [&*juliet.full, &*juliet.full, "p1"]);
    assert_eq!(seen[0].at("status").text, "Moping");
    juliet.say("<presence type='unavailable'/>");
    assert_eq!(juliet.got(), []);
}
