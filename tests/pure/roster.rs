//! The roster as a classic client knows it (RFC 6121 §2), made of pubsub.
use crate::world::*;

fn set(items: &str) -> String {
    format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{items}</query></iq>")
}

#[test]
fn asked_for_before_and_after_presence() {
    let world = World::new();
    let (juliet, _romeo) = friends(&world);
    juliet.log_out();
    let first = world.login(JULIET, "garden");
    assert_eq!(first.roster(), ["romeo@montague.lit both"]);
    let second = world.login(JULIET, "orchard");
    second.say("<presence/>");
    assert_eq!(second.roster(), ["romeo@montague.lit both"]);
}

#[test]
fn a_new_account_has_an_empty_one() {
    let world = World::new();
    let juliet = world.login(JULIET, "balcony");
    juliet.say("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    let answer = &juliet.got()[0];
    assert_eq!((answer.value("type"), answer.value("id")), ("result", "r"));
    assert_eq!(answer.at("query").namespace, "jabber:iq:roster");
    assert_eq!(answer.at("query").children, []);
}

#[test]
fn an_item_is_added_changed_and_removed() {
    let world = World::new();
    let juliet = world.start(JULIET, "balcony");
    // §2.3: the result and the push.
    juliet.say(&set(
        "<item jid='romeo@montague.lit' name='R'><group>A</group></item>",
    ));
    juliet.sees(&["result s", "push romeo@montague.lit none 'R' [A]"]);
    // §2.4: a name or group that the set leaves out is gone.
    juliet.say(&set(
        "<item jid='romeo@montague.lit' name='Romeo &amp; &lt;1&gt;'/>",
    ));
    juliet.sees(&["result s", "push romeo@montague.lit none 'Romeo & <1>'"]);
    assert_eq!(juliet.roster(), ["romeo@montague.lit none 'Romeo & <1>'"]);
    // §2.5.
    juliet.say(&set(
        "<item jid='romeo@montague.lit' subscription='remove'/>",
    ));
    juliet.sees(&["result s", "push romeo@montague.lit remove"]);
    assert_eq!(juliet.roster(), [""; 0]);
    assert_eq!(world.login(JULIET, "garden").roster(), [""; 0]);
}

#[test]
fn an_address_is_the_same_in_capitals() {
    let world = World::new();
    let (juliet, _romeo) = friends(&world);
    juliet.say(&set("<item jid='Romeo@Montague.LIT' name='Romeo'/>"));
    juliet.sees(&["result s", "push romeo@montague.lit both 'Romeo'"]);
    juliet.tell("ROMEO@montague.lit", "unsubscribe");
    assert_eq!(juliet.roster(), ["romeo@montague.lit from 'Romeo'"]);
}

#[test]
fn a_client_cannot_set_a_subscription() {
    let world = World::new();
    let juliet = world.start(JULIET, "balcony");
    // §2.1.2.5: any value but 'remove' is ignored.
    juliet.say(&set(
        "<item jid='romeo@montague.lit' subscription='both' ask='subscribe'/>",
    ));
    juliet.sees(&["result s", "push romeo@montague.lit none"]);
}

#[test]
fn what_is_no_item_is_refused() {
    let world = World::new();
    let juliet = world.start(JULIET, "balcony");
    let long = "x".repeat(1024);
    for (items, condition) in [
        // §2.3.3
        (
            "<item jid='a@capulet.lit'/><item jid='b@capulet.lit'/>".to_owned(),
            "bad-request",
        ),
        (String::new(), "bad-request"),
        (
            "<item jid='a@capulet.lit'><group>A</group><group>A</group></item>".to_owned(),
            "bad-request",
        ),
        (
            "<item jid='a@capulet.lit'><group/></item>".to_owned(),
            "not-acceptable",
        ),
        (
            format!("<item jid='a@capulet.lit' name='{long}'/>"),
            "not-acceptable",
        ),
        (
            format!("<item jid='a@capulet.lit'><group>{long}</group></item>"),
            "not-acceptable",
        ),
        ("<item/>".to_owned(), "bad-request"),
        ("<item jid='a@capulet.lit/x'/>".to_owned(), "bad-request"),
        ("<item jid='@capulet.lit'/>".to_owned(), "bad-request"),
        // Her own address, and a contact who is not in the roster (§2.5.3).
        ("<item jid='juliet@capulet.lit'/>".to_owned(), "not-allowed"),
        (
            "<item jid='a@capulet.lit' subscription='remove'/>".to_owned(),
            "item-not-found",
        ),
    ] {
        juliet.said();
        juliet.say(&set(&items));
        juliet.sees(&[&format!("error s {condition}")]);
        assert_eq!(juliet.said(), [], "{items}");
    }
    assert_eq!(juliet.roster(), [""; 0]);
}

#[test]
fn a_version_spares_the_list() {
    let world = World::new();
    let (juliet, romeo) = friends(&world);
    let get = |client: &Client, version: &str| {
        client.say(&format!(
            "<iq type='get' id='v'><query xmlns='jabber:iq:roster' ver='{version}'/></iq>"
        ));
        let mut got = client.got();
        assert_eq!(got.len(), 1, "{got:?}");
        got.remove(0)
    };
    // §2.6: none yet, so all of it.
    let answer = get(&juliet, "");
    let version = answer.at("query").value("ver").to_owned();
    assert_eq!(answer.at("query").children.len(), 1);
    // The same, and at another client: an empty result.
    assert_eq!(get(&juliet, &version).children, []);
    assert_eq!(get(&world.login(JULIET, "garden"), &version).children, []);
    // A push has the new one.
    juliet.say(&set("<item jid='romeo@montague.lit' name='Romeo'/>"));
    let pushed = juliet
        .got()
        .iter()
        .find_map(|it| Some(it.find("query")?.value("ver").to_owned()));
    let pushed = pushed.unwrap();
    assert_ne!(pushed, version);
    assert_eq!(get(&juliet, &pushed).children, []);
    let answer = get(&juliet, &version);
    assert_eq!(answer.at("query").value("ver"), pushed);
    assert_eq!(answer.at("query").children.len(), 1);
    drop(romeo);
}

#[test]
fn somebody_elses_roster_is_not_ours_to_answer() {
    let world = World::new();
    let juliet = world.start(JULIET, "balcony");
    juliet.say(
        "<iq type='get' id='r' to='juliet@capulet.lit'><query xmlns='jabber:iq:roster'/></iq>",
    );
    juliet.sees(&["result r"]);
    juliet.say(
        "<iq type='get' id='r' to='romeo@montague.lit'><query xmlns='jabber:iq:roster'/></iq>",
    );
    juliet.sees(&["error r service-unavailable"]);
}
