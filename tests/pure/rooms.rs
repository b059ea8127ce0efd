//! Rooms on a server that has nothing but nodes (listings 12 to 17): clients see each other, and only publish-subscribe
//! is sent for it.

use crate::common::Node;
use crate::world::*;

pub(crate) const ROOM: &str = "characters@chat.capulet.lit";
pub(crate) const MUC: &str = "http://jabber.org/protocol/muc";

impl Client {
    pub(crate) fn joins(&self, nick: &str) {
        self.say(&format!(
            "<presence to='{ROOM}/{nick}' id='join'><x xmlns='{MUC}'/></presence>"
        ));
    }

    /// Accepts the room it has made as it is (XEP-0045 §10.1.2).
    fn accepts(&self) {
        self.say(&format!(
            "<iq type='set' id='accept' to='{ROOM}'><query xmlns='{MUC}#owner'>\
             <x xmlns='jabber:x:data' type='submit'/></query></iq>"
        ));
    }

    fn tells_all(&self, what: &str) {
        self.say(&format!(
            "<message to='{ROOM}' type='groupchat' id='m1'>{what}</message>"
        ));
    }

    fn whispers(&self, nick: &str, what: &str) {
        self.say(&format!(
            "<message to='{ROOM}/{nick}' type='chat' id='w'><body>{what}</body></message>"
        ));
    }

    fn leaves(&self) {
        self.say(&format!("<presence to='{ROOM}' type='unavailable'/>"));
    }

    /// Stanzas of the room shown to the client since the last look, in order; no others may have come.
    pub(crate) fn in_room(&self) -> Vec<String> {
        self.got().iter().map(shown).collect()
    }
}

/// A stanza of the room's in words.
pub(crate) fn shown(stanza: &Node) -> String {
    let from = stanza.attribute("from").unwrap_or_default();
    let who = from.strip_prefix(ROOM).expect("a room's");
    let who = who.strip_prefix('/').unwrap_or(who);
    let kind = stanza.attribute("type").unwrap_or("available");
    if kind == "error" {
        let error = &stanza.at("error").children[0].local;
        return format!("{} {who}: {error}", stanza.local);
    }
    match &*stanza.local {
        "presence" => {
            let mut words = format!("{who} {kind}");
            for child in &stanza.at("x").children {
                if let Some(what) = child.attribute("code").or(child.attribute("nick")) {
                    words += &format!(" {what}");
                }
            }
            if let Some(status) = stanza.find("status") {
                words += &format!(" '{}'", status.text);
            }
            words
        }
        "message" => {
            if kind == "chat" {
                return format!("{who} whispers {}", stanza.at("body").text);
            }
            if let Some(status) = stanza.find("x/status") {
                return format!("{who} configured {}", status.value("code"));
            }
            let (verb, said) = match (stanza.find("body"), stanza.find("subject")) {
                (Some(body), _) => ("says", body),
                (None, subject) => ("sets", subject.expect("something said")),
            };
            let late = if stanza.has("delay") { " late" } else { "" };
            format!("{who} {verb} {}{late}", said.text)
        }
        _ => format!("{kind} {}", stanza.value("id")),
    }
}

/// Juliet has made a room and accepted it; Romeo has joined. All that was shown is looked at.
pub(crate) fn two_in_a_room(world: &World) -> (Client, Client) {
    let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
    juliet.joins("JC");
    juliet.accepts();
    romeo.joins("Romeo");
    juliet.bytes();
    romeo.bytes();
    (juliet, romeo)
}

#[test]
fn a_room_from_its_making_to_its_last_occupant() {
    for world in worlds() {
        let (juliet, romeo) = (world.start(JULIET, "balcony"), world.start(ROMEO, "mobile"));
        juliet.joins("JC");
        assert_eq!(juliet.in_room(), ["JC available 100 110 201", " sets "]);
        // The room is closed to others until she has accepted it (XEP-0045 §10.1.1).
        romeo.joins("Romeo");
        assert_eq!(romeo.in_room(), ["presence Romeo: registration-required"]);
        juliet.accepts();
        assert_eq!(juliet.in_room(), ["result accept"]);
        romeo.joins("Romeo");
        assert_eq!(
            romeo.in_room(),
            ["JC available", "Romeo available 100 110", " sets "]
        );
        assert_eq!(juliet.in_room(), ["Romeo available"]);

        juliet.tells_all("<body>But soft</body>");
        romeo.tells_all("<body>What light</body>");
        for client in [&juliet, &romeo] {
            assert_eq!(
                client.in_room(),
                ["JC says But soft", "Romeo says What light"]
            );
        }
        romeo.tells_all("<subject>Balconies</subject>");
        romeo.say(&format!(
            "<presence to='{ROOM}/Romeo'><status>Climbing</status></presence>"
        ));
        for (client, own) in [(&juliet, ""), (&romeo, " 110")] {
            let status = format!("Romeo available{own} 'Climbing'");
            assert_eq!(client.in_room(), ["Romeo sets Balconies", &status]);
        }
        romeo.leaves();
        assert_eq!(romeo.in_room(), ["Romeo unavailable 110"]);
        assert_eq!(juliet.in_room(), ["Romeo unavailable"]);
        juliet.tells_all("<body>Alone</body>");
        assert_eq!(romeo.in_room(), [""; 0]);
        juliet.leaves();
        assert_eq!(juliet.in_room(), ["JC says Alone", "JC unavailable 110"]);
    }
}

#[test]
fn nothing_but_publish_subscribe_is_said_for_it() {
    let world = World::new();
    let (juliet, romeo) = two_in_a_room(&world);
    juliet.tells_all("<body>But soft</body>");
    juliet.joins("Julia");
    // A shim asks no occupant whether he is still there, however long he is silent.
    world.advance(7200);
    juliet.leaves();
    romeo.leaves();
    for client in [&juliet, &romeo] {
        let said = client.said();
        let to_room = said.iter().filter(|it| it.attribute("to") == Some(CHAT));
        assert!(to_room.count() >= 6, "{said:#?}");
        for stanza in said {
            let to = stanza.attribute("to").unwrap_or(&client.bare);
            // The shim also looks for conversations at the services.
            let is_allowed = [CHAT, &client.bare].contains(&to) || to.starts_with("pubsub.");
            assert!(is_allowed, "{stanza:#?}");
            assert_eq!(stanza.local, "iq");
            if to == CHAT {
                // Pubsub, or the disco#info of a node (XEP-0060 §5.4).
                let names = stanza.names();
                assert!(names == ["pubsub"] || names == ["query"], "{names:?}");
            }
        }
    }
}

#[test]
fn a_question_to_an_occupant_is_answered_without_asking_him() {
    let world = World::new();
    let (juliet, romeo) = two_in_a_room(&world);
    juliet.said();
    for (nick, answer) in [
        ("JC", "result q"),
        ("Romeo", "iq Romeo: service-unavailable"),
        ("Nurse", "iq Nurse: item-not-found"),
    ] {
        juliet.say(&format!(
            "<iq type='get' id='q' to='{ROOM}/{nick}'><ping xmlns='urn:xmpp:ping'/></iq>"
        ));
        assert_eq!(juliet.in_room(), [answer], "{nick}");
    }
    assert_eq!(juliet.said(), []);
    assert_eq!(romeo.bytes(), "");
}

#[test]
fn what_is_said_in_private_one_hears() {
    for world in worlds() {
        let (juliet, romeo) = two_in_a_room(&world);
        let (nurse, pda) = (world.start(NURSE, "chamber"), world.start(ROMEO, "pda"));
        nurse.joins("Nurse");
        for client in [&juliet, &romeo, &nurse] {
            client.bytes();
        }
        // The first message makes the node, and each is shown once.
        for what in ["Psst", "Psst!"] {
            juliet.whispers("Romeo", what);
            world.advance(10);
            assert_eq!(romeo.in_room(), [format!("JC whispers {what}")]);
        }
        romeo.whispers("JC", "Here");
        assert_eq!(juliet.in_room(), ["Romeo whispers Here"]);
        // Other clients see nothing of it, neither another resource of his, nor a later one.
        world.advance(60);
        assert_eq!((nurse.bytes(), pda.bytes()), Default::default());
        let late = world.start(ROMEO, "tablet");
        late.joins("Romeo");
        assert!(!late.bytes().contains("Psst"));
        late.log_out();
        romeo.leaves();
        for client in [&juliet, &romeo] {
            client.bytes();
        }
        juliet.whispers("Romeo", "Gone?");
        assert_eq!(juliet.in_room(), ["message Romeo: item-not-found"]);
        // The same resource joins again.
        romeo.log_out();
        world.advance(60);
        let romeo = world.start(ROMEO, "mobile");
        romeo.joins("Romeo");
        world.advance(60);
        assert!(!romeo.bytes().contains("Psst"));
        juliet.bytes();
        juliet.whispers("Romeo", "Again");
        assert_eq!(romeo.in_room(), ["JC whispers Again"]);
        // An occupant who takes the nick hears no message that was for the one before.
        romeo.leaves();
        nurse.say(&format!("<presence to='{ROOM}/Romeo'/>"));
        nurse.bytes();
        juliet.bytes();
        juliet.whispers("Romeo", "Nurse?");
        assert_eq!(nurse.in_room(), ["JC whispers Nurse?"]);
        for client in [&romeo, &pda] {
            assert!(!client.bytes().contains("<body>"));
        }
    }
}

#[test]
fn whoever_is_invited_may_come_or_decline() {
    for world in worlds() {
        let (juliet, _romeo) = two_in_a_room(&world);
        let invite = |to: &str| {
            juliet.say(&format!(
                "<message to='{ROOM}' id='i'><x xmlns='{MUC}#user'><invite to='{to}'><reason>Come</reason></invite></x>\
                 </message>"
            ));
        };
        // An account that is there, and one that comes later.
        let nurse = world.start(NURSE, "chamber");
        invite(NURSE);
        invite(BENVOLIO);
        world.advance(10);
        let benvolio = world.start_unseen(BENVOLIO, "square");
        world.advance(10);
        for client in [&nurse, &benvolio] {
            let mut shown = client.got();
            shown.retain(|it| it.local == "message");
            assert_eq!(shown.len(), 1, "{shown:#?}");
            assert_eq!(shown[0].value("from"), ROOM);
            let word = shown[0].at("x/invite");
            assert_eq!(word.value("from"), juliet.full);
            assert_eq!(word.at("reason").text, "Come");
            client.say(&format!(
                "<message to='{ROOM}'><x xmlns='{MUC}#user'><decline to='{}'><reason>No</reason></decline></x></message>",
                juliet.full
            ));
            assert_eq!(client.bytes(), "");
            world.advance(10);
            let shown = juliet.got().remove(0);
            assert_eq!(shown.value("from"), ROOM);
            assert_eq!(shown.at("x/decline").value("from"), client.bare);
        }
        // An invitation is shown once.
        nurse.log_out();
        let nurse = world.start_unseen(NURSE, "chamber");
        world.advance(10);
        assert!(nurse.got().iter().all(|it| it.local != "message"));
    }
}

#[test]
fn a_nick_is_one_persons() {
    for world in worlds() {
        let (juliet, romeo) = two_in_a_room(&world);
        let nurse = world.start(NURSE, "chamber");
        nurse.joins("Romeo");
        assert_eq!(nurse.in_room(), ["presence Romeo: conflict"]);
        assert_eq!(juliet.in_room(), [""; 0]);
        // The nurse is not in the room, and hears nothing of it.
        juliet.tells_all("<body>Nurse?</body>");
        assert_eq!(nurse.in_room(), [""; 0]);
        nurse.joins("Nurse");
        assert_eq!(
            nurse.in_room(),
            [
                "JC available",
                "Romeo available",
                "Nurse available 100 110",
                "JC says Nurse? late",
                " sets "
            ]
        );
        for client in [&juliet, &romeo] {
            client.bytes();
        }
        nurse.joins("JC");
        assert_eq!(nurse.in_room(), ["presence JC: conflict"]);
        nurse.joins("Angelica");
        assert_eq!(
            nurse.in_room(),
            [
                "Nurse unavailable Angelica 303 110",
                "Angelica available 110"
            ]
        );
        for client in [&juliet, &romeo] {
            assert_eq!(
                client.in_room(),
                ["Nurse unavailable Angelica 303", "Angelica available"]
            );
        }
        nurse.tells_all("<body>Madam!</body>");
        for client in [&juliet, &romeo, &nurse] {
            assert_eq!(client.in_room(), ["Angelica says Madam!"]);
        }
    }
}

#[test]
fn a_room_whose_owner_approves_each_subscription_is_for_members() {
    // Nodes as they are by default (XEP-0207 §8), made without a shim.
    let world = World::new();
    let owner = world.raw(ROMEO, "maker");
    for node in ["characters", "characters#occupants"] {
        let create = format!(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><create node='{node}'/></pubsub>"
        );
        assert_eq!(owner.ask(CHAT, "set", &create).value("type"), "result");
    }
    let juliet = world.start(JULIET, "balcony");
    juliet.joins("JC");
    // 407, not 401, for which a client would ask for a password (XEP-0045 §7.2.5 and §7.2.6).
    assert_eq!(juliet.in_room(), ["presence JC: registration-required"]);
    // No pending subscription is left for the owner to answer.
    let pending = owner.ask(
        CHAT,
        "get",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><subscriptions node='characters'/></pubsub>",
    );
    assert_eq!(pending.at("pubsub/subscriptions").children, []);
}

#[test]
fn whoever_comes_later_is_told_what_was_said() {
    for world in worlds() {
        let (juliet, romeo) = two_in_a_room(&world);
        romeo.tells_all("<subject>Balconies</subject>");
        juliet.tells_all("<body>one</body>");
        romeo.tells_all("<body>two</body>");
        // The service removes Romeo's items of the occupants' node, the subject among them; his messages stay.
        romeo.close();
        let nurse = world.start(NURSE, "chamber");
        nurse.joins("Nurse");
        assert_eq!(
            nurse.in_room(),
            [
                "JC available",
                "Nurse available 100 110",
                "JC says one late",
                "Romeo says two late",
                "Romeo sets Balconies late"
            ]
        );
        nurse.leaves();
        nurse.bytes();
        // A client that asks for no history is told the subject all the same (XEP-0045 §7.2.15).
        nurse.say(&format!(
            "<presence to='{ROOM}/Nurse'><x xmlns='{MUC}'><history maxstanzas='0'/></x></presence>"
        ));
        assert_eq!(
            nurse.in_room(),
            [
                "JC available",
                "Nurse available 100 110",
                "Romeo sets Balconies late"
            ]
        );
    }
}

#[test]
fn whoever_goes_is_gone_however_he_goes() {
    type Go = fn(&Client);
    let ways: [(&str, Go); 3] = [
        ("as clients do", Client::log_out),
        ("his client is cut off", Client::cut),
        ("his shim is killed", Client::close),
    ];
    for (how, go) in ways {
        for world in worlds() {
            let (juliet, romeo) = two_in_a_room(&world);
            go(&romeo);
            assert_eq!(juliet.in_room(), ["Romeo unavailable"], "{how}");
            world.advance(600);
            assert_eq!(juliet.in_room(), [""; 0], "{how}");
            // No item or subscription of his is left.
            let owner = world.raw(JULIET, "checker");
            for node in ["characters", "characters#occupants"] {
                let answer = owner.ask(
                    CHAT,
                    "get",
                    &format!(
                        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>\
                         <subscriptions node='{node}'/></pubsub>"
                    ),
                );
                let subscribed = &answer.at("pubsub/subscriptions").children;
                let subscribed: Vec<_> = subscribed.iter().map(|it| it.value("jid")).collect();
                assert_eq!(subscribed, [&*juliet.full], "{how}: {node}");
            }
            let nurse = world.start(NURSE, "chamber");
            nurse.joins("Romeo");
            assert_eq!(
                nurse.in_room(),
                ["JC available", "Romeo available 100 110", " sets "],
                "{how}"
            );
        }
    }
}

#[test]
fn whoever_comes_back_is_there_again() {
    let world = World::new();
    let (juliet, romeo) = two_in_a_room(&world);
    romeo.close();
    assert_eq!(juliet.in_room(), ["Romeo unavailable"]);
    let romeo = world.start(ROMEO, "mobile");
    world.advance(60);
    assert_eq!(romeo.in_room(), [""; 0]);
    romeo.joins("Romeo");
    assert_eq!(
        romeo.in_room(),
        ["JC available", "Romeo available 100 110", " sets "]
    );
    assert_eq!(juliet.in_room(), ["Romeo available"]);
    // The room's creator goes, too, and a new session of hers joins as an occupant.
    juliet.close();
    assert_eq!(romeo.in_room(), ["JC unavailable"]);
    let juliet = world.start(JULIET, "garden");
    juliet.joins("JC");
    assert_eq!(
        juliet.in_room(),
        ["Romeo available", "JC available 100 110", " sets "]
    );
    assert_eq!(romeo.in_room(), ["JC available"]);
}

#[test]
fn a_nick_goes_with_its_last_client() {
    for world in worlds() {
        let (juliet, romeo) = two_in_a_room(&world);
        let pda = world.start(ROMEO, "pda");
        pda.joins("Romeo");
        assert_eq!(
            pda.in_room(),
            ["JC available", "Romeo available 100 110", " sets "]
        );
        juliet.bytes();
        romeo.close();
        assert_eq!(juliet.in_room(), [""; 0]);
        pda.tells_all("<body>Still here</body>");
        assert_eq!(juliet.in_room(), ["Romeo says Still here"]);
        pda.close();
        assert_eq!(juliet.in_room(), ["Romeo unavailable"]);
    }
}

#[test]
fn rooms_are_found_by_browsing() {
    let world = World::new();
    let (_juliet, romeo) = two_in_a_room(&world);
    let ask = |to: &str, what: &str| {
        romeo.say(&format!(
            "<iq type='get' id='disco' to='{to}'><query xmlns='http://jabber.org/protocol/disco#{what}'/></iq>"
        ));
        romeo.got().remove(0).at("query").clone()
    };
    let service = ask(CHAT, "info");
    let is_conference = |it: &Node| it.attribute("category") == Some("conference");
    assert!(service.children.iter().any(is_conference), "{service:#?}");
    let rooms = ask(CHAT, "items");
    let rooms: Vec<_> = rooms.children.iter().map(|it| it.value("jid")).collect();
    assert_eq!(rooms, [ROOM]);
    let room = ask(ROOM, "info");
    let says = |var: &str| {
        room.children
            .iter()
            .any(|it| it.attribute("var") == Some(var))
    };
    assert!(says("muc_open") && says(MUC), "{room:#?}");
}
