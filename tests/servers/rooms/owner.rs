//! Deeds of a room's owner against those in it, on real servers.

use super::{Person, SERVICE, statuses};
use crate::common::Node;
use crate::server::Kind;
use crate::stage::Stage;

on_both_servers!(
    an_owner_rules_a_room,
    an_owner_describes_a_room,
    an_owner_comes_back
);

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

    /// The accounts with this affiliation.
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

/// The presence of an occupant after an owner's change.
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

const MEMBERS_ONLY: &str = "<field var='muc#roomconfig_membersonly'><value>1</value></field>";

impl Person<'_> {
    /// The configuration form that the owner is shown: the value of each field.
    #[track_caller]
    fn form(&self, room: &str) -> Vec<[String; 2]> {
        let query = "<query xmlns='http://jabber.org/protocol/muc#owner'/>";
        self.wants(room, "form", "get", query);
        let form = self.answer("form");
        let fields = form.at("query/x").children.iter();
        let fields = fields.filter(|it| it.attribute("var").is_some());
        let read = |it: &Node| [it.value("var").to_owned(), it.at("value").text.clone()];
        fields.map(read).collect()
    }

    /// Configures the room so.
    fn configures(&self, room: &str, id: &str, fields: &str) {
        let form = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
        self.wants_room(room, id, &form);
    }

    /// The room's name and description, from disco#info.
    #[track_caller]
    fn reads(&self, room: &str) -> [String; 2] {
        let query = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        self.wants(room, "info", "get", query);
        let info = self.answer("info");
        let name = info.at("query/identity").value("name").to_owned();
        let fields = info.at("query/x").children.iter();
        let mut fields =
            fields.filter(|it| it.attribute("var") == Some("muc#roominfo_description"));
        let description = fields.next().map(|it| it.at("value").text.clone());
        [name, description.unwrap_or_default()]
    }
}

fn field(var: &str, value: &str) -> String {
    format!("<field var='muc#roomconfig_{var}'><value>{value}</value></field>")
}

/// The form that an owner's client is shown of such a room.
fn form(name: &str, description: &str, closed: &str, history: &str) -> Vec<[String; 2]> {
    let all = [
        ("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig"),
        ("muc#roomconfig_roomname", name),
        ("muc#roomconfig_roomdesc", description),
        ("muc#roomconfig_membersonly", closed),
        ("muc#roomconfig_historylength", history),
        ("muc#roomconfig_persistentroom", "1"),
        ("muc#roomconfig_whois", "anyone"),
    ];
    all.map(|(var, value)| [var.to_owned(), value.to_owned()])
        .into()
}

fn an_owner_describes_a_room(kind: Kind) {
    let stage = Stage::new(kind);
    let [juliet, romeo] = ["juliet", "romeo"].map(|name| stage.account(name));
    let name = juliet.split('@').next().unwrap().replace("juliet", "tomb");
    let room = &*format!("{name}@{SERVICE}");
    let owner = Person::comes(&stage, &juliet);
    owner.is_in(room, "JC");
    // A new room; the owner accepts it with what he has filled in.
    assert_eq!(owner.form(room), form("", "", "0", "200"));
    let filled = [
        field("roomname", "Capulets' tomb"),
        field("roomdesc", "Dark &amp; deep"),
        field("historylength", "2"),
        field("whois", "anyone"),
    ];
    owner.configures(room, "accept", &filled.concat());
    owner.is_granted("accept");
    let now = form("Capulets' tomb", "Dark & deep", "0", "2");
    assert_eq!(owner.form(room), now);
    let friend = Person::comes(&stage, &romeo);
    assert_eq!(friend.reads(room), ["Capulets' tomb", "Dark & deep"]);

    // The shim refuses a field that the service has no option for.
    owner.configures(room, "moderated", &field("moderatedroom", "1"));
    let refused = owner.answer("moderated");
    assert!(refused.has("error/not-acceptable"), "{refused:?}");
    let text = &refused.at("error/text").text;
    assert!(text.ends_with("muc#roomconfig_moderatedroom"), "{text}");
    assert_eq!(owner.form(room), now);

    // The service keeps as many messages as the owner wants.
    for n in 1..=3 {
        owner.says(room, &format!("m{n}"), &format!("<body>{n}</body>"));
        owner.sees_message(room, "JC", "body", &n.to_string());
    }
    friend.is_in(room, "Romeo");
    let first = friend.sees("what was said before", |it| it.has("body"));
    assert_eq!(first.at("body").text, "2");
    friend.sees_message(room, "JC", "body", "3");

    // Another description, for all to read.
    owner.configures(room, "again", &field("roomdesc", "Deeper"));
    owner.is_granted("again");
    assert_eq!(friend.reads(room), ["Capulets' tomb", "Deeper"]);
}

fn an_owner_comes_back(kind: Kind) {
    let mut stage = Stage::own(kind);
    let [juliet, romeo, nurse, paris] =
        ["juliet", "romeo", "nurse", "paris"].map(|name| stage.account(name));
    let name = juliet.split('@').next().unwrap().replace("juliet", "old");
    let room = &*format!("{name}@{SERVICE}");
    {
        let owner = Person::comes(&stage, &juliet);
        owner.is_in(room, "JC");
        let filled = [field("roomname", "Orchard"), field("roomdesc", "Trees")];
        owner.configures(room, "accept", &filled.concat());
        owner.is_granted("accept");
        // Romeo comes and goes; the nurse vanishes and becomes a member; Paris is banned.
        let friend = Person::comes(&stage, &romeo);
        for nick in ["Romeo", "Montague"] {
            friend.is_in(room, nick);
            owner.sees_occupant(room, nick, None);
            friend.client.say(&format!(
                "<presence to='{room}/{nick}' type='unavailable'/>"
            ));
            owner.sees_occupant(room, nick, Some("unavailable"));
        }
        let ghost = Person::comes(&stage, &nurse);
        ghost.is_in(room, "Nurse");
        owner.sees_occupant(room, "Nurse", None);
        ghost.client.kill_shim();
        let items = [
            format!("<item jid='{paris}' affiliation='outcast'/>"),
            format!("<item jid='{nurse}' affiliation='member'/>"),
            format!("<item jid='{romeo}' affiliation='owner'/>"),
        ];
        owner.wants_changed(room, "change", &items.concat());
        owner.is_granted("change");
        owner.says(room, "s1", "<subject>Balconies</subject>");
        owner.sees_message(room, "JC", "subject", "Balconies");
        owner.configures(room, "close", MEMBERS_ONLY);
        owner.is_granted("close");
        owner.client.log_out();
    }
    stage.restart();

    // After the restart the room is as it was, and empty.
    let owner = Person::comes(&stage, &juliet);
    owner.is_in(room, "JC");
    owner.sees_message(room, "JC", "subject", "Balconies");
    assert_eq!(owner.form(room), form("Orchard", "Trees", "1", "200"));
    for (affiliation, expected) in [("outcast", &paris), ("member", &nurse)] {
        assert_eq!(owner.lists(room, affiliation), [expected.as_str()]);
    }
    let owners = owner.lists(room, "owner");
    for account in [&juliet, &romeo] {
        assert!(owners.contains(account), "{owners:?}");
    }
    let banned = Person::comes(&stage, &paris);
    banned.joins(room, "Paris");
    let refused = banned.sees_occupant(room, "Paris", Some("error"));
    let error = refused.at("error");
    // Prosody gives the same error to an account that is no member and to a banned one.
    assert!(error.has("forbidden") || error.has("registration-required"));
    // The nick of the vanished nurse is free again.
    let member = Person::comes(&stage, &nurse);
    member.is_in(room, "Nurse");
    owner.sees_occupant(room, "Nurse", None);
    member.says(room, "m1", "<body>Juliet!</body>");
    owner.sees_message(room, "Nurse", "body", "Juliet!");
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

    // Kicked: all are told, and he may come back.
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

    // Banned: he may not come back until he is forgiven.
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

    // For members only: other occupants are out, and neither hear nor speak; members stay.
    let member = format!("<item jid='{nurse}' affiliation='member'/>");
    owner.wants_changed(room, "member", &member);
    owner.is_granted("member");
    // Prosody tells only owners who is a member.
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

    // A second owner is named; the first may go then, and may do nothing more.
    let heir = format!("<item jid='{nurse}' affiliation='owner'/>");
    owner.wants_changed(room, "heir", &heir);
    owner.is_granted("heir");
    // The new owner is told, and may do everything.
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
