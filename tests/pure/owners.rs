//! Deeds of owners in rooms on a server that has nothing but nodes, as all occupants are shown them.

use crate::common::Node;
use crate::rooms::{MUC, ROOM, shown, two_in_a_room};
use crate::world::*;

/// A presence of the room's in words, with the affiliation, the actor and the reason.
fn shown_done(stanza: &Node) -> String {
    let Some(item) = stanza.find("x/item") else {
        return shown(stanza);
    };
    let actor = item.find("actor").map_or("", |it| it.value("nick"));
    let reason = item.find("reason").map_or("", |it| &it.text);
    let words = [&*shown(stanza), item.value("affiliation"), actor, reason];
    words.join(" ").trim().to_owned()
}

#[test]
fn what_an_owner_does_everybody_is_told() {
    for world in worlds() {
        let (juliet, romeo) = two_in_a_room(&world);
        let nurse = world.start(NURSE, "chamber");
        nurse.joins("Nurse");
        let all = [&juliet, &romeo, &nurse];
        let look = || all.iter().for_each(|client| drop(client.bytes()));
        look();
        // As a classic room shows it: to Juliet, to Romeo, to the nurse.
        let sees = |expected: [&[&str]; 3]| {
            world.advance(6);
            for (client, expected) in all.into_iter().zip(expected) {
                let mut got: Vec<_> = client.got().iter().map(shown_done).collect();
                got.retain(|it| !it.starts_with("result"));
                assert_eq!(got, expected, "{}", client.bare);
            }
        };
        let wants = |what: &str, query: &str| {
            juliet.say(&format!(
                "<iq type='set' id='w' to='{ROOM}'><query xmlns='{MUC}#{what}'>{query}</query></iq>"
            ));
        };
        let comes_back = || {
            romeo.joins("Romeo");
            look();
        };
        wants(
            "admin",
            "<item nick='Romeo' role='none'><reason>Avaunt</reason></item>",
        );
        let kicked = "Romeo unavailable 307 none JC Avaunt";
        let own = "Romeo unavailable 110 307 none JC Avaunt";
        sees([&[kicked], &[own], &[kicked]]);
        comes_back();
        for (word, own) in [("member", "member"), ("none", "none"), ("owner", "owner")] {
            let item = format!("<item jid='{ROMEO}' affiliation='{word}'/>");
            wants("admin", &item);
            let others = format!("Romeo available {word} JC");
            let own = format!("Romeo available 110 {own} JC");
            sees([&[&others], &[&own], &[&others]]);
        }
        // Romeo has an owner's right at once, and loses it again.
        romeo.say(&format!(
            "<iq type='set' id='k' to='{ROOM}'><query xmlns='{MUC}#admin'><item nick='Nurse' role='none'/></query></iq>"
        ));
        let kicked = "Nurse unavailable 307 none Romeo";
        sees([
            &[kicked],
            &[kicked],
            &["Nurse unavailable 110 307 none Romeo"],
        ]);
        nurse.joins("Nurse");
        look();
        wants(
            "admin",
            &format!("<item jid='{ROMEO}' affiliation='none'/>"),
        );
        let none = "Romeo available none JC";
        sees([&[none], &["Romeo available 110 none JC"], &[none]]);
        let title = "<x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_roomname'>\
                     <value>Hall</value></field></x>";
        wants("owner", title);
        sees([&[" configured 104"]; 3]);
        wants(
            "admin",
            &format!("<item jid='{ROMEO}' affiliation='outcast'><reason>Treason</reason></item>"),
        );
        let banned = "Romeo unavailable 301 outcast JC Treason";
        let own = "Romeo unavailable 110 301 outcast JC Treason";
        sees([&[banned], &[own], &[banned]]);
        // The history shows nothing of all this.
        romeo.joins("Romeo");
        assert_eq!(romeo.in_room(), ["presence Romeo: forbidden"]);
        wants(
            "admin",
            &format!("<item jid='{ROMEO}' affiliation='none'/>"),
        );
        comes_back();
        let owner = world.raw(JULIET, "checker");
        let items =
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='characters'/></pubsub>";
        assert_eq!(
            owner.ask(CHAT, "get", items).at("pubsub/items").children,
            []
        );
        // For members only.
        let members = title
            .replace("roomname", "membersonly")
            .replace("Hall", "1");
        wants(
            "admin",
            &format!("<item jid='{NURSE}' affiliation='member'/>"),
        );
        world.advance(6);
        look();
        wants("owner", &members);
        let out = "Romeo unavailable 322 none";
        let changed = " configured 104";
        sees([
            &[out, changed],
            &["Romeo unavailable 110 322 none"],
            &[out, changed],
        ]);
        wants(
            "admin",
            &format!("<item jid='{NURSE}' affiliation='none'><reason>Bye</reason></item>"),
        );
        let out = "Nurse unavailable 321 none JC Bye";
        sees([&[out], &[], &["Nurse unavailable 110 321 none JC Bye"]]);
    }
}

#[test]
fn an_owner_puts_others_out() {
    for world in worlds() {
        let (juliet, romeo) = two_in_a_room(&world);
        let wants = |id: &str, what: &str, query: &str| {
            juliet.say(&format!(
                "<iq type='set' id='{id}' to='{ROOM}'><query xmlns='{MUC}#{what}'>{query}</query></iq>"
            ));
        };
        wants("kick", "admin", "<item nick='Romeo' role='none'/>");
        assert_eq!(juliet.in_room(), ["Romeo unavailable 307", "result kick"]);
        assert_eq!(romeo.in_room(), ["Romeo unavailable 110 307"]);
        romeo.joins("Romeo");
        romeo.bytes();
        juliet.bytes();
        let ban = format!("<item jid='{ROMEO}' affiliation='outcast'/>");
        wants("ban", "admin", &ban);
        assert_eq!(juliet.in_room(), ["Romeo unavailable 301", "result ban"]);
        assert_eq!(romeo.in_room(), ["Romeo unavailable 110 301"]);
        romeo.joins("Romeo");
        assert_eq!(romeo.in_room(), ["presence Romeo: forbidden"]);
        wants("end", "owner", "<destroy/>");
        assert_eq!(juliet.in_room(), ["JC unavailable", "result end"]);
    }
}
