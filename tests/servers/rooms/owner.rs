//! What the owner of a room does to those in it, on real servers.

use super::{Person, SERVICE, statuses};
use crate::common::Node;
use crate::server::Kind;
use crate::stage::Stage;

on_both_servers!(an_owner_rules_a_room);

impl Person<'_> {
    /// Asks the room for something.
    fn wants(&self, room: &str, id: &str, kind: &str, query: &str) {
        self.client.say(&format!(
            "<iq type='{kind}' id='{id}' to='{room}'>{query}</iq>"
        ));
    }

    /// Wants an affiliation or a role changed.
    fn wants_changed(&self, room: &str, id: &str, item: &str) {
        let query = format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query>");
        self.wants(room, id, "set", &query);
    }

    /// Wants the room changed.
    fn wants_room(&self, room: &str, id: &str, what: &str) {
        let query = format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{what}</query>");
        self.wants(room, id, "set", &query);
    }

    #[track_caller]
    fn answer(&self, id: &str) -> Node {
        self.sees(&format!("the answer {id}"), |it| {
            it.local == "iq" && it.attribute("id") == Some(id)
        })
    }

    #[track_caller]
    fn is_granted(&self, id: &str) {
        let answer = self.answer(id);
        assert_eq!(answer.value("type"), "result", "{answer:?}");
    }

    /// Who has this affiliation.
    #[track_caller]
    fn lists(&self, room: &str, affiliation: &str) -> Vec<String> {
        let query = format!(
            "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='{affiliation}'/></query>"
        );
        self.wants(room, affiliation, "get", &query);
        let list = self.answer(affiliation);
        let items = list.at("query").children.iter();
        items.map(|it| it.value("jid").to_owned()).collect()
    }

    #[track_caller]
    fn is_in(&self, room: &str, nick: &str) {
        self.joins(room, nick);
        let own = self.sees_occupant(room, nick, None);
        assert!(statuses(&own).contains(&"110"), "{own:?}");
    }
}

const FORM: &str = "<x xmlns='jabber:x:data' type='submit'/>";

fn an_owner_rules_a_room(kind: Kind) {
    let stage = Stage::new(kind);
    let [juliet, romeo, nurse] = ["juliet", "romeo", "nurse"].map(|name| stage.account(name));
    let name = juliet.split('@').next().unwrap().replace("juliet", "hall");
    let room = &*format!("{name}@{SERVICE}");
    let owner = Person::comes(&stage, &juliet);
    owner.is_in(room, "JC");
    owner.wants_room(room, "accept", FORM);
    owner.is_granted("accept");
    let (victim, friend) = (Person::comes(&stage, &romeo), Person::comes(&stage, &nurse));
    victim.is_in(room, "Romeo");
    friend.is_in(room, "Nurse");
    owner.sees_occupant(room, "Romeo", None);
    owner.sees_occupant(room, "Nurse", None);
    assert_eq!(
        owner
            .lists(room, "owner")
            .iter()
            .filter(|it| **it == juliet)
            .count(),
        1
    );

    // Kicked: everybody is told, and he may come back.
    owner.wants_changed(room, "kick", "<item nick='Romeo' role='none'/>");
    let gone = owner.sees_occupant(room, "Romeo", Some("unavailable"));
    assert_eq!(statuses(&gone), ["307"]);
    owner.is_granted("kick");
    friend.sees_occupant(room, "Romeo", Some("unavailable"));
    let out = victim.sees_occupant(room, "Romeo", Some("unavailable"));
    assert_eq!(statuses(&out), ["110", "307"]);
    victim.is_in(room, "Romeo");
    owner.sees_occupant(room, "Romeo", None);

    // Banned: he may not, until he is forgiven.
    let ban = format!("<item jid='{romeo}' affiliation='outcast'/>");
    owner.wants_changed(room, "ban", &ban);
    let gone = owner.sees_occupant(room, "Romeo", Some("unavailable"));
    assert_eq!(statuses(&gone), ["301"]);
    owner.is_granted("ban");
    victim.sees_occupant(room, "Romeo", Some("unavailable"));
    assert_eq!(owner.lists(room, "outcast"), [romeo.as_str()]);
    victim.joins(room, "Romeo");
    let refused = victim.sees_occupant(room, "Romeo", Some("error"));
    assert!(refused.has("error/forbidden"), "{refused:?}");
    let forgive = format!("<item jid='{romeo}' affiliation='none'/>");
    owner.wants_changed(room, "forgive", &forgive);
    owner.is_granted("forgive");
    victim.is_in(room, "Romeo");
    owner.sees_occupant(room, "Romeo", None);

    // For members only: who is none is out, and neither hears nor speaks; who is one stays.
    let member = format!("<item jid='{nurse}' affiliation='member'/>");
    owner.wants_changed(room, "member", &member);
    owner.is_granted("member");
    let members = "<x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_membersonly'>\
                   <value>1</value></field></x>";
    owner.wants_room(room, "close", members);
    let gone = owner.sees_occupant(room, "Romeo", Some("unavailable"));
    assert_eq!(statuses(&gone), ["322"]);
    owner.is_granted("close");
    victim.sees_occupant(room, "Romeo", Some("unavailable"));
    victim.joins(room, "Romeo");
    let refused = victim.sees_occupant(room, "Romeo", Some("error"));
    assert!(refused.has("error/registration-required"), "{refused:?}");
    friend.says(room, "m1", "<body>But soft</body>");
    owner.sees_message(room, "Nurse", "body", "But soft");

    // Another owner; the first one may go then, and may do nothing more.
    let heir = format!("<item jid='{nurse}' affiliation='owner'/>");
    owner.wants_changed(room, "heir", &heir);
    owner.is_granted("heir");
    let last = format!("<item jid='{juliet}' affiliation='none'/>");
    owner.wants_changed(room, "resign", &last);
    owner.is_granted("resign");
    owner.wants_room(room, "end", "<destroy/>");
    let refused = owner.answer("end");
    assert!(refused.has("error/forbidden"), "{refused:?}");
    // Who comes anew is told that he is an owner, and ends it.
    friend
        .client
        .say(&format!("<presence to='{room}/Nurse' type='unavailable'/>"));
    friend.is_in(room, "Nurse");
    friend.wants_room(
        room,
        "end",
        "<destroy jid='den@chat.shakespeare.lit'><reason>Rain</reason></destroy>",
    );
    let out = friend.sees_occupant(room, "Nurse", Some("unavailable"));
    assert_eq!(out.at("x/destroy/reason").text, "Rain");
    friend.is_granted("end");
}
