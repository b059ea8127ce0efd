//! Rooms that are nodes (listings 12 to 17), between clients that know only chat rooms.

mod makes;
mod meet;
mod owner;
mod private;
mod walk;

use std::cell::RefCell;

use crate::common::Node;
use crate::server::Kind;
use crate::stage::{Client, Stage};

on_both_servers!(people_meet_in_a_room);

const SERVICE: &str = "chat.shakespeare.lit";

/// A person's client, and the stanzas it was shown.
struct Person<'a> {
    stage: &'a Stage,
    client: Client,
    shown: RefCell<Vec<Node>>,
}

impl<'a> Person<'a> {
    fn comes(stage: &'a Stage, bare: &str) -> Self {
        let client = stage.login_with(bare, "test", &["--rooms", SERVICE]);
        client.say("<presence/>");
        Self {
            stage,
            client,
            shown: RefCell::default(),
        }
    }

    fn joins(&self, room: &str, nick: &str) {
        self.client.say(&format!(
            "<presence to='{room}/{nick}' id='join-{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ));
    }

    fn says(&self, room: &str, id: &str, what: &str) {
        self.client.say(&format!(
            "<message to='{room}' type='groupchat' id='{id}'>{what}</message>"
        ));
    }

    /// Waits for a stanza, and takes it and all that came before it out of what was shown.
    #[track_caller]
    fn sees(&self, what: &str, is_it: impl Fn(&Node) -> bool) -> Node {
        self.stage.wait(|| {
            let mut shown = self.shown.borrow_mut();
            shown.extend(self.client.stanzas());
            match shown.iter().position(&is_it) {
                Some(at) => Ok(shown.drain(..=at).next_back().unwrap()),
                None => Err(format!("{what} is not in {shown:#?}")),
            }
        })
    }

    #[track_caller]
    fn sees_occupant(&self, room: &str, nick: &str, kind: Option<&str>) -> Node {
        let from = format!("{room}/{nick}");
        self.sees(&format!("{kind:?} {from}"), |it| {
            it.local == "presence" && it.value("from") == from && it.attribute("type") == kind
        })
    }

    #[track_caller]
    fn sees_message(&self, room: &str, nick: &str, path: &str, text: &str) -> Node {
        let from = format!("{room}/{nick}");
        self.sees(&format!("{path} {text} of {from}"), |it| {
            it.local == "message"
                && it.value("from") == from
                && it.find(path).is_some_and(|it| it.text == text)
        })
    }
}

fn statuses(presence: &Node) -> Vec<&str> {
    let x = presence.at("x");
    let statuses = x.children.iter().filter(|it| it.local == "status");
    statuses.map(|it| it.value("code")).collect()
}

fn people_meet_in_a_room(kind: Kind) {
    let stage = Stage::new(kind);
    let [juliet, romeo, nurse] = ["juliet", "romeo", "nurse"].map(|name| stage.account(name));
    let name = juliet.split('@').next().unwrap().replace("juliet", "room");
    let room = &*format!("{name}@{SERVICE}");
    let juliet = Person::comes(&stage, &juliet);

    // The first client creates the room; nobody else comes in until she has accepted it.
    juliet.joins(room, "JC");
    let own = juliet.sees_occupant(room, "JC", None);
    assert_eq!(statuses(&own), ["100", "110", "201"]);
    assert_eq!(own.value("id"), "join-JC");
    assert_eq!(own.at("x/item").value("role"), "moderator");
    juliet.sees("an empty subject", |it| it.has("subject"));
    let romeo = Person::comes(&stage, &romeo);
    romeo.joins(room, "Romeo");
    let refused = romeo.sees_occupant(room, "Romeo", Some("error"));
    assert!(refused.has("error/registration-required"), "{refused:?}");
    juliet.client.say(&format!(
        "<iq type='set' id='accept' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'/></query></iq>"
    ));
    let accepted = juliet.sees("the answer", |it| it.attribute("id") == Some("accept"));
    assert_eq!(accepted.value("type"), "result", "{accepted:?}");

    // A newcomer sees the other occupants before himself.
    romeo.joins(room, "Romeo");
    romeo.sees_occupant(room, "JC", None);
    let own = romeo.sees_occupant(room, "Romeo", None);
    assert_eq!(statuses(&own), ["100", "110"]);
    romeo.sees("an empty subject", |it| it.has("subject"));
    juliet.sees_occupant(room, "Romeo", None);

    // Each occupant gets a message once, its author with his own id.
    romeo.says(room, "m1", "<body>But soft</body>");
    let reflected = romeo.sees_message(room, "Romeo", "body", "But soft");
    assert_eq!(reflected.value("id"), "m1");
    assert!(!reflected.has("delay"), "{reflected:?}");
    juliet.sees_message(room, "Romeo", "body", "But soft");
    juliet.says(room, "s1", "<subject>Balconies</subject>");
    romeo.sees_message(room, "JC", "subject", "Balconies");

    // A nick has one owner. A newcomer sees the history and the subject.
    let nurse = Person::comes(&stage, &nurse);
    nurse.joins(room, "JC");
    let refused = nurse.sees_occupant(room, "JC", Some("error"));
    assert!(refused.has("error/conflict"), "{refused:?}");
    nurse.joins(room, "Nurse");
    nurse.sees_occupant(room, "Nurse", None);
    let before = nurse.sees_message(room, "Romeo", "body", "But soft");
    assert!(before.has("delay"), "{before:?}");
    nurse.sees_message(room, "JC", "subject", "Balconies");

    // An occupant changes status, then nick.
    romeo.client.say(&format!(
        "<presence to='{room}/Romeo' id='p2'><show>away</show></presence>"
    ));
    let away = juliet.sees("Romeo away", |it| it.has("show"));
    assert_eq!(away.value("from"), format!("{room}/Romeo"));
    romeo
        .client
        .say(&format!("<presence to='{room}/Montague' id='p3'/>"));
    let renamed = juliet.sees_occupant(room, "Romeo", Some("unavailable"));
    assert_eq!(statuses(&renamed), ["303"]);
    assert_eq!(renamed.at("x/item").value("nick"), "Montague");
    juliet.sees_occupant(room, "Montague", None);
    let own = romeo.sees_occupant(room, "Romeo", Some("unavailable"));
    assert_eq!(statuses(&own), ["303", "110"]);

    // An occupant who leaves is out at once; one who vanishes, soon after somebody speaks.
    romeo.client.say(&format!(
        "<presence to='{room}/Montague' type='unavailable'/>"
    ));
    let own = romeo.sees_occupant(room, "Montague", Some("unavailable"));
    assert_eq!(statuses(&own), ["110"]);
    juliet.sees_occupant(room, "Montague", Some("unavailable"));
    nurse.client.kill_shim();
    juliet.says(room, "m2", "<body>Nurse!</body>");
    juliet.sees_message(room, "JC", "body", "Nurse!");
    juliet.sees_occupant(room, "Nurse", Some("unavailable"));
}
