//! Private messages and questions between occupants, by real clients on real servers: the receivers, and nobody else.

use super::{Person, SERVICE};
use crate::common::Node;
use crate::server::Kind;
use crate::stage::Stage;

on_both_servers!(
    occupants_speak_in_private,
    people_are_invited,
    members_are_invited
);

impl Person<'_> {
    fn whispers(&self, room: &str, nick: &str, id: &str) {
        self.client.say(&format!(
            "<message to='{room}/{nick}' type='chat' id='{id}'><body>{id}</body></message>"
        ));
    }

    fn hears(&self, room: &str, nick: &str, id: &str) {
        let heard = self.sees_message(room, nick, "body", id);
        assert_eq!(
            ["type", "id"].map(|it| heard.value(it)),
            ["chat", id],
            "{heard:#?}"
        );
    }

    /// The answer of an occupant to a question.
    fn asks(&self, room: &str, nick: &str, id: &str, what: &str) -> Node {
        self.client.say(&format!(
            "<iq type='get' to='{room}/{nick}' id='{id}'>{what}</iq>"
        ));
        let answer = self.sees(id, |it| it.local == "iq" && it.attribute("id") == Some(id));
        assert_eq!(answer.value("from"), format!("{room}/{nick}"));
        answer
    }
}

/// Juliet makes a room and accepts it.
fn makes_a_room<'a>(stage: &'a Stage, her: &str, name: &str) -> (Person<'a>, String) {
    let name = her.split('@').next().unwrap().replace("juliet", name);
    let room = format!("{name}@{SERVICE}");
    let juliet = Person::comes(stage, her);
    juliet.joins(&room, "JC");
    juliet.sees_occupant(&room, "JC", None);
    juliet.client.say(&format!(
        "<iq type='set' id='accept' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'/></query></iq>"
    ));
    juliet.sees("the answer", |it| it.attribute("id") == Some("accept"));
    (juliet, room)
}

fn people_are_invited(kind: Kind) {
    let stage = Stage::new(kind);
    let [her, his, hers] = ["juliet", "romeo", "nurse"].map(|name| stage.account(name));
    let (juliet, room) = makes_a_room(&stage, &her, "party");
    let invites = |to: &str, id: &str| {
        juliet.client.say(&format!(
            "<message to='{room}' id='{id}'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='{to}'>\
             <reason>Come</reason></invite></x></message>"
        ));
    };
    let romeo = Person::comes(&stage, &his);
    let nurse = stage.login_directly(&hers, "phone");
    nurse.raw("<presence/>");
    for person in [&romeo.client, &juliet.client] {
        person.say("<iq type='get' id='sync'><query xmlns='jabber:iq:roster'/></iq>");
    }
    romeo.sees("the roster", |it| it.attribute("id") == Some("sync"));
    nurse.ping();

    // An account behind a shim is invited by the room, and its answer goes to the room.
    invites(&his, "i1");
    let invited = romeo.sees("an invitation", |it| it.attribute("id") == Some("i1"));
    assert_eq!(invited.value("from"), room);
    let inviter = invited.at("x/invite").value("from").to_owned();
    assert_eq!(inviter, format!("{her}/test"));
    romeo.client.say(&format!(
        "<message to='{room}' id='d1'><x xmlns='http://jabber.org/protocol/muc#user'><decline to='{inviter}'>\
         <reason>No</reason></decline></x></message>"
    ));
    let declined = juliet.sees("an answer", |it| it.attribute("id") == Some("d1"));
    assert_eq!(declined.value("from"), room);
    assert_eq!(declined.at("x/decline").value("from"), his);
    invites(&his, "i2");
    romeo.sees("an invitation", |it| it.attribute("id") == Some("i2"));
    romeo.joins(&room, "Romeo");
    juliet.sees_occupant(&room, "Romeo", None);

    // An account without a shim is told that it cannot see the room.
    invites(&hers, "i3");
    let invited = nurse.wait("an invitation", |it| it.kind == "message" && it.id == "i3");
    let invited = Node::stanza(&invited.xml);
    let direct = invited
        .children
        .iter()
        .find(|it| it.namespace == "jabber:x:conference");
    let direct = direct.expect("a direct invitation");
    assert_eq!(direct.value("jid"), room);
    assert!(
        direct
            .value("reason")
            .starts_with("Come (This room is made of")
    );

    // No such account exists.
    invites(&format!("nobody-{hers}"), "i4");
    let error = juliet.sees("an error", |it| it.attribute("id") == Some("i4"));
    assert_eq!(
        ["type", "from"].map(|it| error.value(it)),
        ["error", &*room]
    );
}

fn members_are_invited(kind: Kind) {
    let stage = Stage::new(kind);
    let [her, his, hers] = ["juliet", "romeo", "nurse"].map(|name| stage.account(name));
    let (juliet, room) = makes_a_room(&stage, &her, "feast");
    let room = &*room;
    juliet.client.say(&format!(
        "<iq type='set' id='close' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_membersonly'><value>1</value></field>\
         </x></query></iq>"
    ));
    let closed = juliet.sees("the answer", |it| it.attribute("id") == Some("close"));
    assert_eq!(closed.value("type"), "result", "{closed:?}");
    let invites = |person: &Person<'_>, to: &str, id: &str| {
        person.client.say(&format!(
            "<message to='{room}' id='{id}'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='{to}'/></x></message>"
        ));
    };
    let romeo = Person::comes(&stage, &his);
    romeo.joins(room, "Romeo");
    let refused = romeo.sees_occupant(room, "Romeo", Some("error"));
    assert!(refused.has("error/registration-required"), "{refused:?}");
    invites(&juliet, &his, "i1");
    let invited = romeo.sees("an invitation", |it| it.attribute("id") == Some("i1"));
    assert_eq!(invited.value("from"), room);
    romeo.joins(room, "Romeo");
    for person in [&romeo, &juliet] {
        let member = person.sees_occupant(room, "Romeo", None);
        assert_eq!(member.at("x/item").value("affiliation"), "member");
    }
    romeo.says(room, "m1", "<body>But soft</body>");
    juliet.sees_message(room, "Romeo", "body", "But soft");
    // Romeo is a member, and members may not invite others.
    invites(&romeo, &hers, "i2");
    let refused = romeo.sees("an error", |it| it.attribute("id") == Some("i2"));
    assert!(refused.has("error/forbidden"), "{refused:?}");
    // Of whoever is banned Prosody says no more than that he is no member.
    juliet.client.say(&format!(
        "<iq type='set' id='ban' to='{room}'><query xmlns='http://jabber.org/protocol/muc#admin'>\
         <item jid='{his}' affiliation='outcast'/></query></iq>"
    ));
    romeo.sees_occupant(room, "Romeo", Some("unavailable"));
    let banned = juliet.sees("the answer", |it| it.attribute("id") == Some("ban"));
    assert_eq!(banned.value("type"), "result", "{banned:?}");
    romeo.joins(room, "Romeo");
    let refused = romeo.sees_occupant(room, "Romeo", Some("error"));
    let condition = match kind {
        Kind::Ejabberd => "forbidden",
        Kind::Prosody => "registration-required",
    };
    assert!(refused.has(&format!("error/{condition}")), "{refused:?}");
}

fn occupants_speak_in_private(kind: Kind) {
    let stage = Stage::new(kind);
    let [her, his] = ["juliet", "romeo"].map(|name| stage.account(name));
    let (juliet, room) = makes_a_room(&stage, &her, "private");
    let room = &*room;
    let romeo = Person::comes(&stage, &his);
    // A second client of his, available, without a shim: it would be given messages to the bare JID.
    let phone = stage.login_directly(&his, "phone");
    phone.raw("<presence><priority>100</priority></presence>");
    phone.ping();
    romeo.joins(room, "Romeo");
    romeo.sees_occupant(room, "Romeo", None);
    juliet.sees_occupant(room, "Romeo", None);

    // They speak in private.
    juliet.whispers(room, "Romeo", "w1");
    romeo.hears(room, "JC", "w1");
    romeo.whispers(room, "JC", "w2");
    juliet.hears(room, "Romeo", "w2");

    // They ask each other.
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let answer = juliet.asks(room, "Romeo", "q1", ping);
    assert_eq!(answer.value("type"), "result");
    let answer = juliet.asks(room, "Romeo", "q2", info);
    assert!(answer.has("query/identity"), "{answer:#?}");
    // His server answers for a vCard, kept or missing: neither client of his is asked.
    juliet.asks(room, "Romeo", "q3", "<vCard xmlns='vcard-temp'/>");
    assert!(phone.so_far().iter().all(|it| !it.xml.contains("vCard")));
    let answer = juliet.asks(room, "Nurse", "q4", ping);
    assert!(answer.has("error/item-not-found"), "{answer:#?}");
    let answer = juliet.asks(room, "JC", "q5", ping);
    assert_eq!(answer.value("type"), "result");
    let answer = juliet.asks(room, "JC", "q6", info);
    assert!(answer.has("query/identity"), "{answer:#?}");
    juliet.asks(room, "JC", "q8", "<vCard xmlns='vcard-temp'/>");

    // A client that is not in the room does not speak in it, whatever its account.
    let full = format!("{her}/test");
    phone.raw(&format!(
        "<message to='{full}' type='groupchat' id='f1'><body>forged</body>\
         <pm xmlns='urn:pubshim:0' room='{room}'/></message>"
    ));
    phone.raw(&format!(
        "<message to='{full}' type='chat' id='f2'><body>as himself</body></message>"
    ));
    let next = juliet.sees("a message of the phone", |it| {
        it.attribute("id").is_some_and(|id| id.starts_with('f'))
    });
    assert_eq!(next.value("id"), "f2", "{next:#?}");

    // Romeo's shim is killed unnoticed: the message comes back, and no other client has it, neither now nor later.
    romeo.client.kill_shim();
    juliet.whispers(room, "Romeo", "w3");
    let error = juliet.sees("an error", |it| it.attribute("id") == Some("w3"));
    assert_eq!(
        ["type", "from"].map(|it| error.value(it)),
        ["error", &*format!("{room}/Romeo")]
    );
    assert!(error.has("error/service-unavailable"), "{error:#?}");
    phone.ping();
    phone.raw("<presence type='unavailable'/>");
    phone.ping();
    let romeo = Person::comes(&stage, &his);
    romeo.joins(room, "Romeo");
    romeo.sees_occupant(room, "Romeo", None);
    juliet.whispers(room, "Romeo", "w4");
    let next = romeo.sees("a message to him alone", |it| {
        it.local == "message" && it.attribute("type") != Some("groupchat")
    });
    assert_eq!(next.value("id"), "w4", "{next:#?}");
    phone.raw("<presence/>");
    phone.ping();
    let said = phone.so_far();
    assert!(
        said.iter().all(|it| !it.child("body").starts_with('w')),
        "{said:#?}"
    );

    // A client that has left the room says and asks nothing there.
    juliet
        .client
        .say(&format!("<presence to='{room}/JC' type='unavailable'/>"));
    let answer = juliet.asks(room, "JC", "q7", ping);
    assert!(answer.has("error/not-acceptable"), "{answer:#?}");
    juliet.whispers(room, "Romeo", "w5");
    let error = juliet.sees("an error", |it| it.attribute("id") == Some("w5"));
    assert!(error.has("error/not-acceptable"), "{error:#?}");
}
