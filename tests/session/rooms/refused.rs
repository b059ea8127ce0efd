//! Errors as a room sends them (RFC 6120 §8.3, XEP-0045 §7 to §10).

use super::owner::{admin, owning};
use super::*;

/// The client says this and is refused: by whom, for which stanza, with which type and condition. The error.
#[track_caller]
fn refused(d: &mut Driver, stanza: &str, kind: &str, condition: &str) -> Node {
    d.client(stanza);
    let said = Node::stanza(stanza);
    let error = d.one_to_client();
    assert_eq!(error.local, said.local);
    assert_eq!(
        ["from", "to", "id", "type"].map(|it| error.value(it)),
        [said.value("to"), JULIET, "e1", "error"],
        "{stanza}"
    );
    let why = error.at("error");
    assert_eq!(why.value("type"), kind, "{stanza}");
    assert!(why.has(condition), "{why:#?}");
    assert_eq!(d.server_bytes(), "", "{stanza}");
    error
}

/// The same, and people are told why.
#[track_caller]
fn refused_saying(d: &mut Driver, stanza: &str, kind: &str, condition: &str, text: &str) -> Node {
    let error = refused(d, stanza, kind, condition);
    assert_eq!(error.at("error/text").text, text);
    error
}

#[test]
fn a_message_that_is_refused_comes_back_whole() {
    let mut d = joined();
    let content = "<body xml:lang='en'>Psst</body><html xmlns='urn:x'><b>Psst</b></html>";
    for (to, attribute, kind, condition, text) in [
        (
            format!("{ROOM}/Nurse"),
            "type='chat'",
            "cancel",
            "item-not-found",
            "nobody in this room has this nick",
        ),
        (
            format!("{ROOM}/Romeo"),
            "type='groupchat'",
            "modify",
            "bad-request",
            "what is for everybody goes to the room, not to one nick",
        ),
        (
            "den@chat.shakespeare.lit".to_owned(),
            "type='groupchat'",
            "modify",
            "not-acceptable",
            "you are not in this room",
        ),
        (
            "den@chat.shakespeare.lit/Nurse".to_owned(),
            "type='chat'",
            "modify",
            "not-acceptable",
            "you are not in this room",
        ),
        (
            ROOM.to_owned(),
            "type='chat'",
            "cancel",
            "service-unavailable",
            "no room has a use for this",
        ),
    ] {
        let stanza = format!("<message to='{to}' {attribute} id='e1'>{content}</message>");
        let error = refused_saying(&mut d, &stanza, kind, condition, text);
        assert_eq!(error.names(), ["body", "html", "error"]);
        assert_eq!(error.at("body").text, "Psst");
        assert_eq!(error.at("html/b").text, "Psst");
    }
    // A chat state alone needs no error.
    d.client(&format!(
        "<message to='{ROOM}/Nurse' type='chat' id='e1'><active xmlns='http://jabber.org/protocol/chatstates'/></message>"
    ));
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn what_the_service_refuses_comes_back_whole() {
    let mut d = joined();
    say_to_all(&mut d, "e1", "<body>But soft</body><a xmlns='urn:x'/>");
    let publish = asked_for(&mut d, "publish characters");
    d.error(&publish, "auth", "forbidden");
    let error = d.one_to_client();
    assert_eq!(error.names(), ["body", "a", "error"]);
    assert_eq!(["from", "to"].map(|it| error.value(it)), [ROOM, JULIET]);
    assert_eq!(error.at("body").text, "But soft");
}

#[test]
fn a_join_that_is_refused_says_that_it_was_one() {
    let mut d = session();
    let join = "<x xmlns='http://jabber.org/protocol/muc'><password>cauldronburn</password></x>";
    let name = "x".repeat(221);
    for (to, condition, text) in [
        (
            ROOM.to_owned(),
            "jid-malformed",
            "this is not the address of a room and a nick in it",
        ),
        (
            format!("{name}@{SERVICE}/JC"),
            "not-acceptable",
            "no room can have this name",
        ),
    ] {
        let stanza = format!("<presence to='{to}' id='e1'>{join}<c xmlns='urn:x'/></presence>");
        let error = refused_saying(&mut d, &stanza, "modify", condition, text);
        assert_eq!(error.names(), ["x", "error"]);
        assert!(error.at("x").children.is_empty(), "the password stays here");
    }
}

#[test]
fn who_owns_no_room_asks_in_vain() {
    let owners = "only an owner may do this, while in the room";
    let mut d = joined();
    for (kind, inside) in [
        (
            "get",
            "<query xmlns='http://jabber.org/protocol/muc#owner'/>",
        ),
        (
            "set",
            "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>",
        ),
        (
            "get",
            "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='outcast'/></query>",
        ),
        (
            "get",
            "<query xmlns='http://jabber.org/protocol/muc#admin'><item role='participant'/></query>",
        ),
        (
            "set",
            "<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='Romeo' role='none'/></query>",
        ),
        (
            "set",
            "<query xmlns='http://jabber.org/protocol/muc#admin'>\
             <item jid='romeo@montague.lit' affiliation='outcast'/></query>",
        ),
    ] {
        let stanza = format!("<iq type='{kind}' to='{ROOM}' id='e1'>{inside}</iq>");
        let error = refused_saying(&mut d, &stanza, "auth", "forbidden", owners);
        assert_eq!(error.names(), ["error"]);
    }
    // Rooms have no registration and no archive.
    for inside in [
        "<query xmlns='jabber:iq:register'/>",
        "<query xmlns='urn:xmpp:mam:2'/>",
        "<vCard xmlns='vcard-temp'/>",
    ] {
        let stanza = format!("<iq type='get' to='{ROOM}' id='e1'>{inside}</iq>");
        refused(&mut d, &stanza, "cancel", "service-unavailable");
    }
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    let stanza = format!("<iq type='get' to='{ROOM}/Nurse' id='e1'>{ping}</iq>");
    refused(&mut d, &stanza, "cancel", "item-not-found");
}

#[test]
fn what_rooms_of_nodes_have_not_is_said() {
    let mut d = owning("open");
    // Rooms of nodes have no admins, and occupants need not ask for a voice.
    for item in ["<item affiliation='admin'/>", "<item role='visitor'/>"] {
        admin(&mut d, "get", item);
        let list = d.one_to_client();
        assert_eq!(shown(&list), "result  a");
        assert!(list.at("query").children.is_empty(), "{list:#?}");
    }
    let voice = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
                 <value>http://jabber.org/protocol/muc#request</value></field></x>";
    let stanza = format!("<message to='{ROOM}' id='e1'>{voice}</message>");
    refused(&mut d, &stanza, "cancel", "service-unavailable");
    // Rooms keep no nick for anybody.
    let nick = "<query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/>";
    let stanza = format!("<iq type='get' to='{ROOM}' id='e1'>{nick}</iq>");
    refused(&mut d, &stanza, "cancel", "item-not-found");
}

#[test]
fn a_room_asks_for_no_password() {
    let mut d = session();
    join(
        &mut d,
        "<x xmlns='http://jabber.org/protocol/muc'><password>cauldronburn</password></x>",
    );
    let sent = answer_join(&mut d, "", "");
    assert_eq!(in_words(&sent).len(), 1);
    assert!(!raw(&sent[0]).contains("cauldronburn"), "{sent:#?}");
    echo(&mut d, &sent[0]);
    assert_eq!(sees(&mut d)[0], "JC available 100 110");
}
