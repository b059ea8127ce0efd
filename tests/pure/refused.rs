//! Requests that cannot be granted, or not yet: the client is told so (RFC 6120 §8.3), and nothing else leaves.
use crate::world::*;

#[test]
fn somebody_who_is_not_there() {
    let world = World::new();
    let juliet = world.start(JULIET, "balcony");
    // No such account: to the contact's service it is one that has no node yet.
    juliet.tell("tybalt@capulet.lit", "subscribe");
    juliet.sees(&["push tybalt@capulet.lit none asked"]);
    // No such host.
    juliet.tell("paris@verona.lit", "subscribe");
    juliet.sees(&[
        "push paris@verona.lit none asked",
        "presence refused: paris@verona.lit remote-server-not-found",
    ]);
    // The error is shown once, and the shim does not try again.
    world.advance(7200);
    juliet.sees(&[]);
    juliet.tell("paris@verona.lit", "unsubscribe");
    juliet.sees(&["push paris@verona.lit none"]);
    juliet.said();
    world.advance(7200);
    let asked: Vec<_> = juliet.said();
    assert!(
        asked
            .iter()
            .all(|it| it.attribute("to") != Some("paris@verona.lit")),
        "{asked:?}"
    );
}

#[test]
fn addresses_nobody_can_be_asked_at() {
    let world = World::new();
    let juliet = world.start(JULIET, "balcony");
    for (to, condition) in [
        (JULIET, "not-allowed"),
        ("Juliet@Capulet.lit", "not-allowed"),
        ("capulet.lit", "not-allowed"),
        ("@capulet.lit", "jid-malformed"),
        ("romeo@", "jid-malformed"),
        ("ro meo@montague.lit", "jid-malformed"),
    ] {
        juliet.say(&format!("<presence to='{to}' type='subscribe' id='x'/>"));
        juliet.sees(&[&format!("presence refused: {to} {condition}")]);
    }
    juliet.said();
    assert_eq!(juliet.roster(), [""; 0]);
}

#[test]
fn a_full_address_means_the_account() {
    let world = World::new();
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    juliet.tell("romeo@montague.lit/mobile", "subscribe");
    romeo.tell("juliet@capulet.lit/balcony", "subscribed");
    assert_eq!(juliet.roster(), ["romeo@montague.lit to"]);
    assert_eq!(romeo.roster(), ["juliet@capulet.lit from"]);
}

#[test]
fn messages_and_directed_presence() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    juliet.said();
    juliet.say("<message to='montague.lit' type='chat' id='m1'><body>hi</body></message>");
    // A service of which nobody said that it has rooms.
    juliet.say("<presence to='characters@pubsub.capulet.lit/JC' id='j1'/>");
    juliet.sees(&[
        "message refused: montague.lit feature-not-implemented",
        "presence refused: characters@pubsub.capulet.lit/JC feature-not-implemented",
    ]);
    // No occupant was told anything, so there is nothing to take back; and an error is not answered.
    juliet.say("<presence to='characters@pubsub.capulet.lit/JC' type='unavailable'/>");
    juliet.say("<message to='romeo@montague.lit' type='error'/>");
    juliet.sees(&[]);
    assert_eq!(juliet.said(), []);
    romeo.sees(&[]);
}

#[test]
fn a_probe_is_answered_from_the_contacts_node() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    romeo.status("Here");
    juliet.look();
    juliet.tell(ROMEO, "probe");
    juliet.sees(&["romeo@montague.lit/mobile available Here"]);
    // A probe to a stranger is not translated.
    juliet.said();
    juliet.tell(NURSE, "probe");
    juliet.sees(&[]);
    assert_eq!(juliet.said(), []);
}

#[test]
fn an_answer_nobody_asked_for() {
    let world = World::new();
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    juliet.said();
    // §A.2.3 and §A.2.4: neither is routed.
    juliet.tell(ROMEO, "subscribed");
    juliet.tell(ROMEO, "unsubscribed");
    assert_eq!(juliet.said(), []);
    juliet.sees(&[]);
    romeo.sees(&[]);
}

#[test]
fn a_stranger_who_subscribes_a_whole_domain_away() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    // Benvolio publishes presence of Romeo, and of himself, for Juliet, who never asked him.
    let benvolio = world.raw("benvolio@montague.lit", "pda");
    let benvolio_is = |payload: &str| {
        benvolio.ask(
            "benvolio@montague.lit",
            "set",
            &format!(
                "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='presence'><item id='x'>{payload}\
                 </item></publish><publish-options><x xmlns='jabber:x:data' type='submit'>\
                 <field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
                 </x></publish-options></pubsub>"
            ),
        )
    };
    benvolio_is("<presence xmlns='jabber:client' from='benvolio@montague.lit/pda'/>");
    let answer = benvolio.ask(
        "benvolio@montague.lit",
        "set",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><subscriptions node='presence'>\
         <subscription jid='juliet@capulet.lit' subscription='subscribed'/></subscriptions></pubsub>",
    );
    assert_eq!(answer.value("type"), "result", "{answer:?}");
    benvolio_is("<presence xmlns='jabber:client' from='benvolio@montague.lit/pda'/>");
    benvolio_is(
        "<presence xmlns='jabber:client' from='romeo@montague.lit/mobile' type='unavailable'/>",
    );
    juliet.sees(&[]);
    assert_eq!(juliet.roster(), ["romeo@montague.lit both"]);
    romeo.sees(&[]);
}
