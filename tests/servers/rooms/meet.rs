//! Clients of several makes in one room, as their own libraries see it, and beside it in a room of the server's.

use std::time::{Duration, Instant};

use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::makes::{Guest, Make, Told};
use crate::server::{Kind, Server};

on_both_servers!(makes_of_client_meet, servers_own_rooms_stay);

#[test]
fn any_service_has_rooms() {
    short_meeting(Kind::Ejabberd, "pubsub.shakespeare.lit");
}

const DOMAIN: &str = "shakespeare.lit";
const SERVICE: &str = "chat.shakespeare.lit";
const CONFERENCE: [&str; 2] = ["conference/text", "http://jabber.org/protocol/muc"];
/// Longest time from a message in the room until all see that a vanished occupant is gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);

fn makes_of_client_meet(kind: Kind) {
    let server = Server::get(kind);
    let guest = |make, name| Guest::by_shim(make, server, &server.account(name), SERVICE);
    let juliet = guest(Make::Slixmpp, "juliet");
    let romeo = guest(Make::Aioxmpp, "romeo");
    let nurse = guest(Make::Mcabber, "nurse");
    let room = &*format!("{}@{SERVICE}", server.new_name("hall"));

    // The room is found by browsing as soon as it is there.
    for person in [&juliet, &romeo] {
        assert!(person.finds("items", DOMAIN).contains(&SERVICE.to_owned()));
        is_conference(&person.finds("info", SERVICE));
    }
    let own = juliet.joins(room, "JC");
    assert_eq!(own.codes, [100, 110, 201]);
    for person in [&romeo, &juliet] {
        assert!(person.finds("items", SERVICE).contains(&room.to_owned()));
        is_conference(&person.finds("info", room));
    }

    // All see each other, each with the own status.
    assert_eq!(romeo.joins(room, "Romeo").codes, [100, 110]);
    juliet.is_told("Romeo", |it| it.is("came", room, "Romeo"));
    nurse.joins(room, "Nurse");
    for nick in ["JC", "Romeo"] {
        nurse.is_told(nick, |it| it.is("came", room, nick));
    }
    let all = [&juliet, &romeo, &nurse];
    for person in [&juliet, &romeo] {
        person.is_told("Nurse", |it| it.is("came", room, "Nurse"));
    }
    romeo.does(json!({"cmd": "status", "room": room, "show": "away", "status": "Moping"}));
    for person in [&juliet, &romeo] {
        let is_it = |it: &Told| it.is("changed", room, "Romeo") && it.text == "Moping";
        assert_eq!(person.is_told("Romeo away", is_it).show, "away");
        is_in(
            person,
            room,
            &[("JC", ""), ("Nurse", ""), ("Romeo", "away")],
        );
    }

    // They talk, all at once and then in turn: everybody hears it all, in one order.
    for who in [&juliet, &romeo, &nurse, &romeo, &juliet] {
        who.does(json!({"cmd": "say", "room": room, "body": "Hush!"}));
    }
    let hushes = all.map(|person| hears(person, room, 5));
    assert_eq!([&hushes[1], &hushes[2]], [&hushes[0]; 2]);
    let words = [(&nurse, "Nurse"), (&juliet, "JC"), (&romeo, "Romeo")].map(|(who, nick)| {
        let said = [nick, "Words"].map(str::to_owned);
        who.does(json!({"cmd": "say", "room": room, "body": "Words"}));
        for person in all {
            assert_eq!(hears(person, room, 1)[0], said);
        }
        said
    });
    romeo.does(json!({"cmd": "topic", "room": room, "text": "Balconies"}));
    for person in all {
        person.is_told("the topic", |it| {
            it.is("topic", room, "Romeo") && it.text == "Balconies"
        });
    }

    // A new nick is granted, unless another occupant has it.
    nurse.does(json!({"cmd": "nick", "room": room, "nick": "Angelica"}));
    for person in all {
        let renamed = person.is_told("another nick", |it| it.is("renamed", room, "Nurse"));
        assert_eq!(renamed.to, "Angelica");
    }
    romeo.does(json!({"cmd": "nick", "room": room, "nick": "JC"}));
    let refused = romeo.is_told("a refusal", |it| it.event == "refused");
    assert_eq!((&*refused.nick, &*refused.condition), ("JC", "conflict"));
    is_in(
        &juliet,
        room,
        &[("Angelica", ""), ("JC", ""), ("Romeo", "away")],
    );

    // A person who comes back is shown earlier messages with their times, and the topic.
    romeo.does(json!({"cmd": "leave", "room": room}));
    for person in all {
        person.is_told("Romeo's leave", |it| it.is("went", room, "Romeo"));
    }
    let mut back = romeo.joins(room, "Romeo");
    // ejabberd may list messages of one instant in another order.
    assert!(back.past.drain(..5).all(|[_, body, _]| body == "Hush!"));
    // The history may show her former nick or her present one.
    for it in back.past.iter_mut().filter(|it| it[0] == "Angelica") {
        it[0] = "Nurse".to_owned();
    }
    is_past(&back, &words);
    let topics = romeo.told_of(room);
    let topics: Vec<_> = topics.iter().filter(|it| it.event == "topic").collect();
    assert_eq!(topics.last().unwrap().text, "Balconies");
    for person in [&juliet, &nurse] {
        person.is_told("Romeo again", |it| it.is("came", room, "Romeo"));
    }

    // An occupant whose connection breaks is gone; this client comes back by itself.
    romeo.cut();
    for person in [&juliet, &nurse] {
        person.is_told("Romeo gone", |it| it.is("went", room, "Romeo"));
        person.is_told("Romeo again", |it| it.is("came", room, "Romeo"));
    }
    romeo.is_told("the room again", |it| it.is("joined", room, "Romeo"));

    // An occupant whose shim dies is gone soon after somebody has spoken.
    nurse.kill_shim();
    juliet.does(json!({"cmd": "say", "room": room, "body": "Nurse!"}));
    let spoken = Instant::now();
    for person in [&juliet, &romeo] {
        person.is_told("Angelica gone", |it| it.is("went", room, "Angelica"));
        assert!(spoken.elapsed() < GONE_WITHIN, "{:?}", spoken.elapsed());
        is_in(person, room, &[("JC", ""), ("Romeo", "")]);
    }

    // Both were told each message once, and of no occupant who was not there.
    for person in [&juliet, &romeo] {
        let told = person.told_of(room);
        let said = told.iter().filter(|it| it.event == "said");
        // The creator has a word of the room itself besides.
        let said: Vec<_> = said.filter(|it| !it.nick.is_empty()).collect();
        assert_eq!(said.len(), 9, "{said:#?}");
    }
    juliet.goes_home();
    romeo.is_told("JC's leave", |it| it.is("went", room, "JC"));
    romeo.goes_home();
}

/// The same where rooms share a service with other nodes.
fn short_meeting(kind: Kind, service: &str) {
    let server = Server::get(kind);
    let guest = |make, name| Guest::by_shim(make, server, &server.account(name), service);
    let romeo = guest(Make::Aioxmpp, "romeo");
    let juliet = guest(Make::Slixmpp, "juliet");
    let room = &*format!("{}@{service}", server.new_name("hall"));
    is_conference(&juliet.finds("info", service));
    assert_eq!(romeo.joins(room, "Romeo").codes, [100, 110, 201]);
    assert!(juliet.finds("items", service).contains(&room.to_owned()));
    is_conference(&juliet.finds("info", room));
    juliet.joins(room, "JC");
    let words = [(&juliet, "JC"), (&romeo, "Romeo")].map(|(who, nick)| {
        let said = [nick, "Here"].map(str::to_owned);
        who.does(json!({"cmd": "say", "room": room, "body": "Here"}));
        for person in [&juliet, &romeo] {
            assert_eq!(hears(person, room, 1)[0], said);
        }
        said
    });
    juliet.does(json!({"cmd": "leave", "room": room}));
    romeo.is_told("JC's leave", |it| it.is("went", room, "JC"));
    is_past(&juliet.joins(room, "JC"), &words);
    juliet.goes_home();
    romeo.goes_home();
}

/// The rooms of the server's own service are what they are without a shim, in one session with a room on a node.
fn servers_own_rooms_stay(kind: Kind) {
    let server = Server::get(kind);
    let makes = [(Make::Slixmpp, "juliet"), (Make::Aioxmpp, "romeo")];
    let shimmed =
        makes.map(|(make, name)| Guest::by_shim(make, server, &server.account(name), SERVICE));
    let node = &*format!("{}@{SERVICE}", server.new_name("hall"));
    shimmed[0].joins(node, "JC");
    shimmed[1].joins(node, "Romeo");
    let by_shim = own_room(server, &shimmed);
    // The room on a node still works.
    shimmed[0].does(json!({"cmd": "say", "room": node, "body": "Here"}));
    assert_eq!(
        hears(&shimmed[1], node, 1),
        [["JC", "Here"].map(str::to_owned)]
    );
    let direct = makes.map(|(make, name)| Guest::directly(make, server, &server.account(name)));
    let directly = own_room(server, &direct);
    assert_eq!(by_shim, directly);
    for guest in shimmed.into_iter().chain(direct) {
        guest.goes_home();
    }
}

/// A short life of a room of the server's own service; the reports of both clients.
fn own_room(server: &Server, [juliet, romeo]: &[Guest; 2]) -> [Vec<Told>; 2] {
    let room = &*server.room();
    juliet.joins(room, "JC");
    juliet.does(json!({"cmd": "say", "room": room, "body": "Early"}));
    hears(juliet, room, 1);
    romeo.joins(room, "Romeo");
    juliet.is_told("Romeo", |it| it.is("came", room, "Romeo"));
    romeo.does(json!({"cmd": "say", "room": room, "body": "Late"}));
    for person in [juliet, romeo] {
        hears(person, room, 1);
    }
    juliet.does(json!({"cmd": "who", "room": room}));
    juliet.is_told("who is there", |it| it.event == "who" && it.room == room);
    juliet.does(json!({"cmd": "topic", "room": room, "text": "Owls"}));
    for person in [juliet, romeo] {
        person.is_told("the topic", |it| it.is("topic", room, "JC"));
    }
    romeo.does(json!({"cmd": "nick", "room": room, "nick": "JC"}));
    romeo.is_told("a refusal", |it| it.event == "refused" && it.room == room);
    romeo.does(json!({"cmd": "nick", "room": room, "nick": "Montague"}));
    for person in [juliet, romeo] {
        person.is_told("another nick", |it| it.is("renamed", room, "Romeo"));
    }
    romeo.does(json!({"cmd": "leave", "room": room}));
    for person in [juliet, romeo] {
        person.is_told("the leave", |it| it.is("went", room, "Montague"));
    }
    [juliet, romeo].map(|person| {
        let mut told = person.told_of(room);
        for told in &mut told {
            told.room = "a room".to_owned();
            for past in &mut told.past {
                past[2].clear();
            }
        }
        told
    })
}

#[track_caller]
fn is_conference(info: &[String]) {
    for it in CONFERENCE {
        assert!(info.contains(&it.to_owned()), "{it} is not in {info:?}");
    }
}

/// The client's own list has these nicks and shows; each occupant has a role and an affiliation.
#[track_caller]
fn is_in(person: &Guest, room: &str, wanted: &[(&str, &str)]) {
    person.does(json!({"cmd": "who", "room": room}));
    let who = person.is_told("who is there", |it| it.event == "who" && it.room == room);
    let people = who.people.iter();
    let found: Vec<_> = people.map(|it| (&*it[0], &*it[3])).collect();
    assert_eq!(found, wanted, "{who:?}");
    for [nick, role, affiliation, _] in &who.people {
        let is_right = match &**affiliation {
            "owner" => role == "moderator",
            _ => affiliation == "none" && role == "participant",
        };
        assert!(is_right, "{nick}: {role}, {affiliation}");
    }
}

/// The next so many messages of a room: nick and body.
#[track_caller]
fn hears(person: &Guest, room: &str, many: usize) -> Vec<[String; 2]> {
    let next = || person.is_told("words", |it| it.event == "said" && it.room == room);
    let next = |_| {
        let said = next();
        [said.nick, said.text]
    };
    (0..many).map(next).collect()
}

/// Asserts that these messages came from before the join, each with a time.
#[track_caller]
fn is_past(joined: &Told, words: &[[String; 2]]) {
    let past = joined.past.iter();
    let past: Vec<_> = past
        .map(|[nick, body, _]| [nick.clone(), body.clone()])
        .collect();
    assert_eq!(past, words);
    for [_, _, stamp] in &joined.past {
        let age = OffsetDateTime::now_utc() - OffsetDateTime::parse(stamp, &Rfc3339).unwrap();
        assert!(age.whole_seconds() < 120, "said {age} ago: {stamp}");
    }
}
