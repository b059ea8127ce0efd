//! One-to-one messages on a server that has nothing but nodes (listings 18 to 20): the right clients get each, once.

use crate::common::Node;
use crate::world::*;

impl Client {
    fn writes(&self, to: &str, id: &str, what: &str) {
        self.say(&format!(
            "<message to='{to}' type='chat' id='{id}'><body>{what}</body></message>"
        ));
    }

    /// The messages it was shown since the last look.
    fn messages(&self) -> Vec<Node> {
        let mut all = self.got();
        all.retain(|it| it.local == "message");
        all
    }

    /// The same in words.
    fn reads(&self) -> Vec<String> {
        self.messages().iter().map(shown).collect()
    }
}

fn shown(message: &Node) -> String {
    let from = message.value("from");
    let id = message.attribute("id").unwrap_or_default();
    if message.attribute("type") == Some("error") {
        return format!(
            "{} of {from} for {id}",
            message.at("error").children[0].local
        );
    }
    let late = if message.has("delay") { " late" } else { "" };
    let said = message.find("body").map_or("", |body| &body.text);
    format!("{from} {id} {said}{late}")
}

#[test]
fn people_write_to_each_other() {
    for world in worlds() {
        let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
        juliet.writes(ROMEO, "m1", "wherefore art thou?");
        assert_eq!(
            romeo.reads(),
            ["juliet@capulet.lit/balcony m1 wherefore art thou?"]
        );
        romeo.writes(&juliet.full, "m2", "Here");
        juliet.writes(ROMEO, "m3", "Where?");
        assert_eq!(juliet.reads(), ["romeo@montague.lit/mobile m2 Here"]);
        assert_eq!(romeo.reads(), ["juliet@capulet.lit/balcony m3 Where?"]);
        // All of it on one node.
        let creates = |client: &Client| {
            let said = client.said();
            let of_pair = |iq: &&Node| iq.has("pubsub/create") && iq.attribute("to").is_some();
            said.iter().filter(of_pair).count()
        };
        assert_eq!([creates(&juliet), creates(&romeo)], [1, 0]);
    }
}

#[test]
fn a_message_keeps_all_that_its_author_has_put_into_it() {
    let world = World::new();
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    juliet.say(&format!(
        "<message to='{ROMEO}' type='normal' id='m1' xml:lang='it'><subject>Amore</subject><thread>t</thread>\
         <request xmlns='urn:xmpp:receipts'/><x xmlns='urn:other' a='1'><y/></x></message>"
    ));
    let message = romeo.messages().remove(0);
    assert_eq!(message.value("type"), "normal");
    assert_eq!(message.attribute("to"), Some(&*romeo.full));
    assert_eq!(message.names(), ["subject", "thread", "request", "x"]);
    assert!(message.has("x/y"));
}

#[test]
fn what_comes_while_nobody_is_there_is_read_later_once() {
    for world in worlds() {
        let juliet = world.start(JULIET, "balcony");
        for n in 1..=3 {
            juliet.writes(ROMEO, &format!("m{n}"), "But soft");
        }
        let romeo = world.start_unseen(ROMEO, "mobile");
        let late = |n: u32| format!("juliet@capulet.lit/balcony m{n} But soft late");
        assert_eq!(romeo.reads(), [late(1), late(2), late(3)]);
        juliet.writes(ROMEO, "m4", "Live");
        assert_eq!(romeo.reads(), ["juliet@capulet.lit/balcony m4 Live"]);
        romeo.log_out();
        juliet.writes(ROMEO, "m5", "But soft");
        let romeo = world.start_unseen(ROMEO, "tablet");
        assert_eq!(romeo.reads(), [late(5)]);
        // The author is not shown her own words.
        assert_eq!(juliet.reads(), [""; 0]);
        // A client that vanishes without a word may read the last messages twice.
        romeo.cut();
        let romeo = world.start_unseen(ROMEO, "mobile");
        assert!(romeo.reads().len() <= 1);
    }
}

#[test]
fn who_is_away_for_a_while_reads_what_came_meanwhile() {
    for world in worlds() {
        let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
        juliet.writes(ROMEO, "m1", "But soft");
        assert_eq!(romeo.reads().len(), 1);
        romeo.say("<presence type='unavailable'/>");
        juliet.writes(ROMEO, "m2", "But soft");
        juliet.writes(ROMEO, "m3", "But soft");
        assert_eq!(romeo.reads(), [""; 0]);
        romeo.say("<presence/>");
        world.advance(10);
        juliet.writes(ROMEO, "m4", "Live");
        assert_eq!(
            romeo.reads(),
            [
                "juliet@capulet.lit/balcony m2 But soft late",
                "juliet@capulet.lit/balcony m3 But soft late",
                "juliet@capulet.lit/balcony m4 Live"
            ]
        );
    }
}

#[test]
fn what_many_have_written_is_read() {
    let many: Vec<_> = (0..80).map(|n| format!("p{n}@capulet.lit")).collect();
    let mut accounts: Vec<_> = many.iter().map(String::as_str).collect();
    accounts.push(ROMEO);
    let world = World::with(&accounts);
    for account in &many {
        let client = world.login(account, "x");
        client.writes(ROMEO, "m1", account);
        client.log_out();
    }
    let romeo = world.start_unseen(ROMEO, "mobile");
    world.advance(600);
    let mut read = romeo.reads();
    read.sort();
    let mut expected: Vec<_> = many
        .iter()
        .map(|it| format!("{it}/x m1 {it} late"))
        .collect();
    expected.sort();
    assert_eq!(read, expected);
}

#[test]
fn an_answer_on_a_strangers_domain_is_read_at_the_next_login() {
    for world in worlds() {
        let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
        juliet.writes(ROMEO, "m1", "But soft");
        assert_eq!(romeo.reads().len(), 1);
        juliet.log_out();
        romeo.writes(JULIET, "m2", "What light");
        let juliet = world.start_unseen(JULIET, "chamber");
        assert_eq!(
            juliet.reads(),
            ["romeo@montague.lit/mobile m2 What light late"]
        );
    }
}

#[test]
fn who_leaves_at_once_does_not_read_it_again() {
    for world in worlds() {
        let (juliet, romeo) = friends(&world);
        romeo.writes(JULIET, "m1", "But soft");
        juliet.writes(ROMEO, "m2", "Here");
        romeo.writes(JULIET, "m3", "Where?");
        assert_eq!(juliet.reads().len(), 2);
        assert_eq!(romeo.reads().len(), 1);
        juliet.log_out();
        romeo.log_out();
        for (account, resource) in [(JULIET, "chamber"), (ROMEO, "tablet")] {
            assert_eq!(world.start_unseen(account, resource).reads(), [""; 0]);
        }
    }
}

#[test]
fn a_bot_that_writes_and_leaves_loses_nothing() {
    let world = World::new();
    let bot = world.login(NURSE, "bot");
    bot.writes(ROMEO, "m1", "I am the drudge");
    bot.log_out();
    let romeo = world.start_unseen(ROMEO, "mobile");
    assert_eq!(
        romeo.reads(),
        ["nurse@capulet.lit/bot m1 I am the drudge late"]
    );
}

#[test]
fn what_is_written_and_left_in_one_breath_arrives() {
    for world in worlds() {
        let state = "<message to='benvolio@montague.lit' type='chat'><gone xmlns='http://jabber.org/protocol/chatstates'/></message>";
        let bot = world.login(NURSE, "bot");
        bot.say(&format!(
            "<message to='{ROMEO}' type='chat' id='m1'><body>I am the drudge</body></message>{state}</stream:stream>"
        ));
        bot.close();
        let romeo = world.start_unseen(ROMEO, "mobile");
        let read = ["nurse@capulet.lit/bot m1 I am the drudge late"];
        assert_eq!(romeo.reads(), read);
        // No node was made for the person whose chat was only left.
        let mut services = Vec::new();
        world.edit(|data| {
            let nodes = data["node"].as_array().unwrap().iter();
            services.extend(nodes.filter_map(|it| it["service"].as_str().map(str::to_owned)));
        });
        services.retain(|it| !it.contains('@'));
        assert_eq!(services, ["pubsub.montague.lit"]);
    }
}

#[test]
fn more_than_can_be_asked_at_once_arrives_in_order() {
    let world = World::new();
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    juliet.writes(ROMEO, "m0", "x");
    romeo.reads();
    let write = |n| format!("<message to='{ROMEO}' type='chat' id='m{n}'><body>x</body></message>");
    juliet.say(&(1..=100).map(write).collect::<String>());
    let expected: Vec<_> = (1..=100)
        .map(|n| format!("juliet@capulet.lit/balcony m{n} x"))
        .collect();
    assert_eq!(romeo.reads(), expected);
    assert_eq!(juliet.reads(), [""; 0]);
}

#[test]
fn a_node_that_is_lost_is_made_anew() {
    for world in worlds() {
        let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
        juliet.writes(ROMEO, "m1", "x");
        assert_eq!(romeo.reads().len(), 1);
        world.edit(|data| {
            let nodes = data["node"].as_array_mut().unwrap();
            nodes.retain(|it| it["service"].as_str() != Some("pubsub.montague.lit"));
        });
        juliet.writes(&romeo.full, "m2", "x");
        assert_eq!(
            juliet.reads(),
            ["item-not-found of romeo@montague.lit/mobile for m2"]
        );
        juliet.writes(ROMEO, "m3", "x");
        assert_eq!(romeo.reads(), ["juliet@capulet.lit/balcony m3 x"]);
    }
}

#[test]
fn two_who_write_first_at_once_read_both() {
    let world = World::new();
    let (juliet, romeo) = (world.login(JULIET, "balcony"), world.login(ROMEO, "mobile"));
    // Both have looked for a node and found none.
    for (one, other) in [(&juliet, ROMEO), (&romeo, JULIET)] {
        one.say("<presence/>");
        one.writes(other, "m1", "first");
    }
    world.advance(10);
    let mut read = [juliet.reads(), romeo.reads()].concat();
    juliet.writes(ROMEO, "m2", "second");
    romeo.writes(JULIET, "m2", "second");
    read.extend([juliet.reads(), romeo.reads()].concat());
    let mut words: Vec<_> = read.iter().map(|it| it.trim_end_matches(" late")).collect();
    words.sort_unstable();
    assert_eq!(
        words,
        [
            "juliet@capulet.lit/balcony m1 first",
            "juliet@capulet.lit/balcony m2 second",
            "romeo@montague.lit/mobile m1 first",
            "romeo@montague.lit/mobile m2 second"
        ]
    );
}

#[test]
fn each_resource_reads_and_may_see_what_another_writes() {
    let world = World::new();
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    let tablet = world.start(ROMEO, "tablet");
    tablet.say("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    juliet.writes(ROMEO, "m1", "But soft");
    for client in [&romeo, &tablet] {
        assert_eq!(client.reads(), ["juliet@capulet.lit/balcony m1 But soft"]);
    }
    romeo.writes(JULIET, "m2", "What light");
    assert_eq!(romeo.reads(), [""; 0]);
    let copy = tablet.messages().remove(0);
    assert_eq!(copy.value("from"), ROMEO);
    let inside = copy.at("sent/forwarded/message");
    inside.assert_values(&[("from", &*romeo.full), ("id", "m2"), ("to", JULIET)]);
}

#[test]
fn a_state_is_of_now_alone() {
    let world = World::new();
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    let state = |client: &Client, to: &str, what: &str| {
        client.say(&format!(
            "<message to='{to}' type='chat'><{what} xmlns='http://jabber.org/protocol/chatstates'/></message>"
        ));
    };
    // Before the first message no node is made for a chat state.
    state(&juliet, ROMEO, "composing");
    assert_eq!(romeo.messages().len(), 0);
    juliet.writes(ROMEO, "m1", "x");
    romeo.messages();
    for what in ["composing", "paused"] {
        state(&juliet, ROMEO, what);
        assert!(romeo.messages()[0].has(what));
    }
    romeo.log_out();
    state(&juliet, ROMEO, "composing");
    let romeo = world.start_unseen(ROMEO, "mobile");
    assert_eq!(romeo.reads(), [""; 0]);
}

#[test]
fn what_is_for_nobody_is_refused() {
    let world = World::new();
    let juliet = world.start(JULIET, "balcony");
    for to in ["capulet.lit", JULIET, "@", "nobody@elsewhere.lit"] {
        juliet.writes(to, "m1", "x");
        let refused = juliet.messages();
        assert_eq!(refused.len(), 1, "{to} {refused:#?}");
        assert_eq!(refused[0].value("type"), "error");
        refused[0].assert_values(&[("id", "m1"), ("from", to)]);
    }
}

/// Mallory, without a shim, makes a node as juliet and romeo would have it.
fn forged(world: &World, fields: &str, item: &str) -> Vec<String> {
    let romeo = world.start(ROMEO, "mobile");
    let mallory = world.raw(BENVOLIO, "x");
    let service = "pubsub.montague.lit";
    let form = format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#node_config\
         </value></field>{fields}</x>"
    );
    let pubsub = "http://jabber.org/protocol/pubsub";
    for payload in [
        format!(
            "<pubsub xmlns='{pubsub}'><create node='n'/><configure>{form}</configure></pubsub>"
        ),
        format!(
            "<pubsub xmlns='{pubsub}#owner'><subscriptions node='n'><subscription jid='{ROMEO}' \
             subscription='subscribed'/></subscriptions></pubsub>"
        ),
        format!("<pubsub xmlns='{pubsub}'><publish node='n'>{item}</publish></pubsub>"),
    ] {
        mallory.ask(service, "set", &payload);
    }
    world.advance(10);
    romeo.reads()
}

#[test]
fn nobody_is_taken_for_somebody_else() {
    let item = |from: &str| {
        format!(
            "<item id='i'><message xmlns='jabber:client' from='{from}' type='chat' id='m'><body>x</body></message></item>"
        )
    };
    let field = |var: &str, value: &str| {
        format!("<field var='pubsub#{var}'><value>{value}</value></field>")
    };
    let whitelist = field("access_model", "whitelist");
    let pair = whitelist.clone() + &field("publisher", ROMEO);
    // The publisher is shown as the author, whatever the payload claims.
    assert_eq!(
        forged(&World::new(), &pair, &item("juliet@capulet.lit/balcony")),
        ["benvolio@montague.lit/x m x"]
    );
    // A node that others may read, or that is not the two's alone, is no conversation.
    let open = field("access_model", "open") + &field("publisher", ROMEO);
    let two = format!(
        "{whitelist}<field var='pubsub#publisher'><value>{ROMEO}</value><value>{JULIET}</value></field>"
    );
    let other = whitelist.clone() + &field("publisher", JULIET);
    for fields in [open, two, other, whitelist] {
        let read = forged(&World::new(), &fields, &item("juliet@capulet.lit/balcony"));
        assert!(!read.iter().any(|it| it.contains(" m x")), "{read:?}");
    }
    // Only a server says such things.
    let words = "<sent xmlns='urn:xmpp:carbons:2'/><result xmlns='urn:xmpp:mam:2'/><x \
                 xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x>";
    let world = World::new();
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    juliet.say(&format!(
        "<message to='{ROMEO}' type='chat' id='m1'><body>x</body>{words}<stanza-id xmlns='urn:xmpp:sid:0' \
         by='{ROMEO}' id='1'/></message>"
    ));
    assert_eq!(romeo.messages()[0].names(), ["body"]);
}
