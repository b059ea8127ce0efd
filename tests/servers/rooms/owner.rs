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

/// How somebody is shown to whom something was done.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    statuses: Vec<String>,
    affiliation: String,
    actor: String,
    reason: String,
}

impl Done {
    fn new(statuses: &[&str], affiliation: &str, actor: &str, reason: &str) -> Self {
        Self {
            statuses: statuses.iter().map(ToString::to_string).collect(),
            affiliation: affiliation.to_owned(),
            actor: actor.to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn of(presence: &Node) -> Self {
        let item = presence.at("x/item");
        let actor = item.find("actor").map_or("", |it| it.value("nick"));
        let reason = item.find("reason").map_or("", |it| &it.text);
        let affiliation = item.value("affiliation");
        Self::new(&statuses(presence), affiliation, actor, reason)
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
    let kick = "<item nick='Romeo' role='none'><reason>Avaunt</reason></item>";
    owner.wants_changed(room, "kick", kick);
    let sees_out = |who: &Person<'_>, done: &Done| {
        let out = who.sees_occupant(room, "Romeo", Some("unavailable"));
        assert_eq!(Done::of(&out), *done);
    };
    let kicked = Done::new(&["307"], "none", "JC", "Avaunt");
    sees_out(&owner, &kicked);
    owner.is_granted("kick");
    sees_out(&friend, &kicked);
    sees_out(&victim, &Done::new(&["110", "307"], "none", "JC", "Avaunt"));
    victim.is_in(room, "Romeo");
    owner.sees_occupant(room, "Romeo", None);

    // Banned: he may not, until he is forgiven.
    let ban = format!("<item jid='{romeo}' affiliation='outcast'><reason>Treason</reason></item>");
    owner.wants_changed(room, "ban", &ban);
    let banned = Done::new(&["301"], "outcast", "JC", "Treason");
    sees_out(&owner, &banned);
    owner.is_granted("ban");
    sees_out(&friend, &banned);
    sees_out(
        &victim,
        &Done::new(&["110", "301"], "outcast", "JC", "Treason"),
    );
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
    // Prosody tells nobody but owners who one is.
    if kind == Kind::Ejabberd {
        let own = friend.sees("a member", |it| {
            it.find("x/item")
                .is_some_and(|it| it.value("affiliation") == "member")
        });
        assert_eq!(Done::of(&own), Done::new(&["110"], "member", "JC", ""));
    }
    let members = "<x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_membersonly'>\
                   <value>1</value></field></x>";
    owner.wants_room(room, "close", members);
    let closed = Done::new(&["322"], "none", "", "");
    sees_out(&owner, &closed);
    owner.is_granted("close");
    sees_out(&friend, &closed);
    sees_out(&victim, &Done::new(&["110", "322"], "none", "", ""));
    let code = |it: &Node| it.find("x/status").map(|it| it.value("code").to_owned());
    for person in [&owner, &friend] {
        person.sees("104", |it| code(it).as_deref() == Some("104"));
    }
    victim.joins(room, "Romeo");
    let refused = victim.sees_occupant(room, "Romeo", Some("error"));
    assert!(refused.has("error/registration-required"), "{refused:?}");
    friend.says(room, "m1", "<body>But soft</body>");
    owner.sees_message(room, "Nurse", "body", "But soft");

    // Another owner; the first one may go then, and may do nothing more.
    let heir = format!("<item jid='{nurse}' affiliation='owner'/>");
    owner.wants_changed(room, "heir", &heir);
    owner.is_granted("heir");
    // Who is one now is told, and may do it all.
    let own = friend.sees_occupant(room, "Nurse", None);
    assert_eq!(Done::of(&own), Done::new(&["110"], "owner", "JC", ""));
    assert!(friend.lists(room, "owner").contains(&nurse));
    let last = format!("<item jid='{juliet}' affiliation='none'/>");
    owner.wants_changed(room, "resign", &last);
    owner.is_granted("resign");
    owner.wants_room(room, "end", "<destroy/>");
    let refused = owner.answer("end");
    assert!(refused.has("error/forbidden"), "{refused:?}");
    let left = friend.sees_occupant(room, "JC", None);
    assert_eq!(Done::of(&left), Done::new(&[], "none", "JC", ""));
    friend.wants_room(
        room,
        "end",
        "<destroy jid='den@chat.shakespeare.lit'><reason>Rain</reason></destroy>",
    );
    let out = friend.sees_occupant(room, "Nurse", Some("unavailable"));
    assert_eq!(out.at("x/destroy/reason").text, "Rain");
    friend.is_granted("end");
}
