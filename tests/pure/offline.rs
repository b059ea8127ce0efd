//! One of the two is away while the other acts (RFC 6121 §3.1.3 and §3.1.6, Appendix A).
use crate::world::*;

/// Both have been here before, so that their nodes are there; Romeo is away.
fn without_romeo(world: &World) -> Client {
    world.start(ROMEO, "mobile").log_out();
    world.start(JULIET, "balcony")
}

#[test]
fn asked_while_away() {
    let world = World::new();
    let juliet = without_romeo(&world);
    juliet.tell(ROMEO, "subscribe");
    juliet.sees(&["push romeo@montague.lit none asked"]);
    // Romeo is asked at each login until he answers (§3.1.3), each time once, and not before he is available.
    for _ in 0..2 {
        let romeo = world.login(ROMEO, "mobile");
        assert_eq!(romeo.roster(), [""; 0]);
        romeo.say("<presence/>");
        romeo.sees(&["juliet@capulet.lit subscribe"]);
        romeo.log_out();
    }
    let romeo = world.start(ROMEO, "mobile");
    romeo.tell(JULIET, "subscribed");
    romeo.sees(&["push juliet@capulet.lit from"]);
    juliet.sees(&[
        "romeo@montague.lit subscribed",
        "push romeo@montague.lit to",
        "romeo@montague.lit/mobile available",
    ]);
}

#[test]
fn denied_while_the_requester_is_away() {
    let world = World::new();
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    juliet.tell(ROMEO, "subscribe");
    juliet.log_out();
    romeo.look();
    romeo.tell(JULIET, "unsubscribed");
    let juliet = world.start(JULIET, "balcony");
    assert_eq!(juliet.roster(), ["romeo@montague.lit none"]);
    // Her login does not ask him again.
    romeo.sees(&[]);
}

#[test]
fn removed_while_away() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    juliet.log_out();
    romeo.say(&removal("gone", JULIET));
    romeo.look();
    let juliet = world.login(JULIET, "balcony");
    juliet.say("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    juliet.say("<presence/>");
    let seen = juliet.look();
    assert!(!seen.iter().any(|it| it.contains("available")), "{seen:?}");
    assert_eq!(juliet.roster(), ["romeo@montague.lit none"]);
    romeo.status("Alone");
    juliet.sees(&[]);
    romeo.sees(&[]);
}

#[test]
fn a_contact_whose_node_comes_later() {
    let world = World::new();
    let juliet = world.start(JULIET, "balcony");
    // Romeo has never logged in.
    juliet.tell(ROMEO, "subscribe");
    juliet.sees(&["push romeo@montague.lit none asked"]);
    world.advance(600);
    juliet.sees(&[]);
    let romeo = world.start(ROMEO, "mobile");
    world.advance(3600);
    romeo.sees(&["juliet@capulet.lit subscribe"]);
    romeo.tell(JULIET, "subscribed");
    juliet.sees(&[
        "romeo@montague.lit subscribed",
        "push romeo@montague.lit to",
        "romeo@montague.lit/mobile available",
    ]);
}

#[test]
fn names_and_subscriptions_survive() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    let nurse = world.start(NURSE, "chamber");
    befriend(&juliet, &nurse);
    juliet.say(
        "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='romeo@montague.lit' name='Romeo'>\
         <group>Friends</group><group>Montagues</group></item></query></iq>",
    );
    juliet.look();
    let roster = [
        "nurse@capulet.lit both",
        "romeo@montague.lit both 'Romeo' [Friends] [Montagues]",
    ];
    assert_eq!(juliet.roster(), roster);
    for client in [&juliet, &romeo, &nurse] {
        client.log_out();
    }
    assert_eq!(world.login(JULIET, "garden").roster(), roster);
}

#[test]
fn available_again_sees_who_is_there() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    juliet.say("<presence type='unavailable'/>");
    romeo.sees(&["juliet@capulet.lit/balcony unavailable"]);
    romeo.status("Here");
    juliet.sees(&[]);
    juliet.say("<presence/>");
    juliet.sees(&["romeo@montague.lit/mobile available Here"]);
    // The same state is shown once more: a client forgets it when it goes.
    juliet.say("<presence type='unavailable'/>");
    juliet.say("<presence/>");
    juliet.sees(&["romeo@montague.lit/mobile available Here"]);
}

#[test]
fn the_own_node_is_lost() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    juliet.log_out();
    romeo.look();
    world.lose(JULIET, "presence");
    let juliet = world.start(JULIET, "balcony");
    assert_eq!(juliet.roster(), ["romeo@montague.lit both"]);
    // Her shim subscribes Romeo again, and asks nobody.
    juliet.status("Back");
    world.advance(10);
    let seen = romeo.look();
    let statuses: Vec<_> = seen.iter().filter(|it| it.ends_with("Back")).collect();
    assert_eq!(
        statuses,
        ["juliet@capulet.lit/balcony available Back"],
        "{seen:?}"
    );
    assert!(!seen.iter().any(|it| it.contains("subscribe")), "{seen:?}");
}

#[test]
fn a_contacts_node_is_lost() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    juliet.log_out();
    romeo.log_out();
    world.lose(ROMEO, "presence");
    let juliet = world.start(JULIET, "balcony");
    assert_eq!(juliet.roster(), ["romeo@montague.lit both"]);
    let romeo = world.start(ROMEO, "mobile");
    romeo.status("Back");
    world.advance(60);
    let seen = juliet.look();
    assert!(
        seen.contains(&"romeo@montague.lit/mobile available Back".to_owned()),
        "{seen:?}"
    );
    assert!(!seen.iter().any(|it| it.contains("subscribe")), "{seen:?}");
    assert_eq!(romeo.roster(), ["juliet@capulet.lit both"]);
}

#[test]
fn everything_is_lost() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    juliet.log_out();
    romeo.look();
    world.lose(JULIET, "presence");
    world.lose(JULIET, "urn:pubshim:roster");
    let juliet = world.start(JULIET, "balcony");
    assert_eq!(juliet.roster(), [""; 0]);
    // With both nodes lost Romeo cannot be told from a stranger.
    romeo.status("Here");
    juliet.sees(&[]);
    juliet.tell(ROMEO, "subscribe");
    juliet.sees(&[
        "push romeo@montague.lit none asked",
        "romeo@montague.lit subscribed",
        "push romeo@montague.lit to",
        "romeo@montague.lit/mobile available Here",
    ]);
}
