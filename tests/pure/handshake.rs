//! Two people add, see, deny and remove each other (RFC 6121 §2 and §3; listings 5 to 11).

use crate::world::*;

#[test]
fn two_strangers_become_friends() {
    let world = World::new();
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));

    // §3.1.2: the request, and the push with ask='subscribe'.
    juliet.tell(ROMEO, "subscribe");
    juliet.sees(&["push romeo@montague.lit none asked"]);
    // §3.1.3: asked once, and not in the roster yet.
    romeo.sees(&["juliet@capulet.lit subscribe"]);
    assert_eq!(romeo.roster(), [""; 0]);

    // §3.1.5 and §3.1.6: the approval; she sees him at once.
    romeo.status("Here");
    romeo.tell(JULIET, "subscribed");
    romeo.sees(&["push juliet@capulet.lit from"]);
    juliet.sees(&[
        "romeo@montague.lit subscribed",
        "push romeo@montague.lit to",
        "romeo@montague.lit/mobile available Here",
    ]);

    // The other way round.
    juliet.status("Moping");
    romeo.tell(JULIET, "subscribe");
    romeo.sees(&["push juliet@capulet.lit from asked"]);
    juliet.sees(&["romeo@montague.lit subscribe"]);
    juliet.tell(ROMEO, "subscribed");
    juliet.sees(&["push romeo@montague.lit both"]);
    romeo.sees(&[
        "juliet@capulet.lit subscribed",
        "push juliet@capulet.lit both",
        "juliet@capulet.lit/balcony available Moping",
    ]);

    // Each change once, and nothing of it later.
    juliet.status("Asleep");
    romeo.sees(&["juliet@capulet.lit/balcony available Asleep"]);
    romeo.status("Away");
    juliet.sees(&["romeo@montague.lit/mobile available Away"]);
    world.advance(3600);
    juliet.sees(&[]);
    romeo.sees(&[]);

    romeo.log_out();
    juliet.sees(&["romeo@montague.lit/mobile unavailable"]);
}

#[test]
fn the_same_request_twice_is_one_question() {
    let world = World::new();
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    juliet.tell(ROMEO, "subscribe");
    juliet.tell(ROMEO, "subscribe");
    juliet.sees(&["push romeo@montague.lit none asked"]);
    romeo.sees(&["juliet@capulet.lit subscribe"]);
}

#[test]
fn a_request_that_is_denied() {
    let world = World::new();
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    juliet.tell(ROMEO, "subscribe");
    juliet.look();
    romeo.look();
    // §3.2: no push to the contact who denies, since the requester was not in his roster.
    romeo.tell(JULIET, "unsubscribed");
    romeo.sees(&[]);
    juliet.sees(&[
        "romeo@montague.lit unsubscribed",
        "push romeo@montague.lit none",
    ]);
    assert_eq!(world.raw(ROMEO, "checker").subscribers(), [""; 0]);
    // She may ask again.
    juliet.tell(ROMEO, "subscribe");
    romeo.sees(&["juliet@capulet.lit subscribe"]);
}

#[test]
fn a_contact_that_is_listed_stays_when_it_denies() {
    let world = World::new();
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    juliet.say(
        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'>\
         <item jid='romeo@montague.lit' name='Romeo'/></query></iq>",
    );
    juliet.tell(ROMEO, "subscribe");
    juliet.look();
    romeo.tell(JULIET, "unsubscribed");
    juliet.sees(&[
        "romeo@montague.lit unsubscribed",
        "push romeo@montague.lit none 'Romeo'",
    ]);
}

#[test]
fn a_request_that_is_taken_back() {
    let world = World::new();
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    juliet.tell(ROMEO, "subscribe");
    juliet.look();
    juliet.tell(ROMEO, "unsubscribe");
    juliet.sees(&["push romeo@montague.lit none"]);
    let checker = world.raw(ROMEO, "checker");
    assert_eq!(checker.subscribers(), [""; 0]);
    // His approval comes too late: she has taken her request back.
    romeo.tell(JULIET, "subscribed");
    juliet.sees(&[]);
    assert_eq!(juliet.roster(), ["romeo@montague.lit none"]);
    romeo.status("Nobody's business");
    juliet.sees(&[]);
}

#[test]
fn whoever_is_removed_sees_nothing_more() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    let checker = world.raw(JULIET, "checker");
    romeo.say(&removal("gone", JULIET));
    // §2.5.2: the result, the push; he does not see her any more.
    romeo.sees(&[
        "result gone",
        "push juliet@capulet.lit remove",
        "juliet@capulet.lit/balcony unavailable",
    ]);
    // §2.5.2: 'unsubscribe' and 'unsubscribed'; she does not see him any more, and keeps him.
    juliet.sees(&[
        "romeo@montague.lit unsubscribed",
        "romeo@montague.lit/mobile unavailable",
        "push romeo@montague.lit from",
        "romeo@montague.lit unsubscribe",
        "push romeo@montague.lit none",
    ]);
    assert_eq!(world.raw(ROMEO, "checker").subscribers(), [""; 0]);
    assert_eq!(checker.subscribers(), [""; 0]);
    checker.bytes();

    romeo.status("Alone");
    juliet.status("Alone, too");
    let events = checker.bytes();
    assert!(!events.contains("romeo"), "from his node: {events}");
    juliet.sees(&[]);
    romeo.sees(&[]);
    assert_eq!(romeo.roster(), [""; 0]);
    assert_eq!(juliet.roster(), ["romeo@montague.lit none"]);
}

#[test]
fn whoever_is_cancelled_sees_nothing_more_and_stays_a_contact() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    // §3.2: Romeo cancels what Juliet sees.
    romeo.tell(JULIET, "unsubscribed");
    romeo.sees(&["push juliet@capulet.lit to"]);
    juliet.sees(&[
        "romeo@montague.lit unsubscribed",
        "romeo@montague.lit/mobile unavailable",
        "push romeo@montague.lit from",
    ]);
    romeo.status("Unseen");
    juliet.sees(&[]);
    juliet.status("Seen");
    romeo.sees(&["juliet@capulet.lit/balcony available Seen"]);
    // She asks again, he is asked again.
    juliet.tell(ROMEO, "subscribe");
    romeo.sees(&["juliet@capulet.lit subscribe"]);
    romeo.tell(JULIET, "subscribed");
    juliet.sees(&[
        "push romeo@montague.lit from asked",
        "romeo@montague.lit subscribed",
        "push romeo@montague.lit both",
        "romeo@montague.lit/mobile available Unseen",
    ]);
}

#[test]
fn whoever_unsubscribes_sees_nothing_more() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    // §3.3
    juliet.tell(ROMEO, "unsubscribe");
    juliet.sees(&[
        "romeo@montague.lit/mobile unavailable",
        "push romeo@montague.lit from",
    ]);
    assert_eq!(world.raw(ROMEO, "checker").subscribers(), [""; 0]);
    romeo.status("Unseen");
    juliet.sees(&[]);
}

#[test]
fn approved_already_is_approved_at_once() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    juliet.tell(ROMEO, "unsubscribe");
    juliet.look();
    // §A.3.1: Romeo still approves her, as he was not told that she left: her request needs no question.
    juliet.tell(ROMEO, "subscribe");
    romeo.sees(&[]);
    juliet.sees(&[
        "push romeo@montague.lit from asked",
        "romeo@montague.lit subscribed",
        "push romeo@montague.lit both",
        "romeo@montague.lit/mobile available",
    ]);
}
