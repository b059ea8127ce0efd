//! Invitations through a room, direct ones, and what declines them.

use super::owner::{USUAL, affiliations, grant, owning};
use super::*;

const CONFERENCE: &str = "jabber:x:conference";
const NOTE: &str = "(This room is made of publish-subscribe: only people whose client is behind pubshim can see it.)";

/// Juliet invites these people.
fn invite(d: &mut Driver, to: &[&str], inside: &str) {
    let invites: String = to
        .iter()
        .map(|to| format!("<invite to='{to}'>{inside}</invite>"))
        .collect();
    d.client(&format!(
        "<message to='{ROOM}' id='i1'><x xmlns='{MUC_USER}'>{invites}</x></message>"
    ));
}

/// The message of a shim for an invitation, or for declining one.
fn marked(from: &str, word: &str, room: &str) -> String {
    format!(
        "<message from='{from}' to='{JULIET}' type='normal' id='i2'>\
         <x xmlns='{CONFERENCE}' jid='other@evil.lit' reason='Come {NOTE}'/>\
         <{word} xmlns='urn:pubshim:0' room='{room}'><reason>Come</reason></{word}></message>"
    )
}

fn declines(d: &mut Driver, room: &str, to: &str) {
    d.client(&format!(
        "<message to='{room}' id='d1'><x xmlns='{MUC_USER}'><decline to='{to}'><reason>No</reason></decline></x></message>"
    ));
}

#[test]
fn an_invitation_goes_to_whoever_is_invited() {
    let mut d = joined();
    invite(
        &mut d,
        &["Nurse@capulet.lit"],
        "<reason>Come &amp; see</reason>",
    );
    let sent = d.one_to_server();
    assert_eq!(
        ["to", "type", "id"].map(|it| sent.value(it)),
        ["nurse@capulet.lit", "normal", "i1"]
    );
    assert_eq!(sent.names(), ["x", "invite"]);
    // A client without a shim reads here that the room is not for it.
    let direct = sent.at("x");
    assert_eq!(
        (&*direct.namespace, direct.value("jid")),
        (CONFERENCE, ROOM)
    );
    assert_eq!(direct.value("reason"), format!("Come & see {NOTE}"));
    let mark = sent.at("invite");
    assert_eq!(
        (&*mark.namespace, mark.value("room")),
        ("urn:pubshim:0", ROOM)
    );
    assert_eq!(mark.at("reason").text, "Come & see");
    assert_eq!(d.client_bytes(), "");
    // An error of the invited account comes back from the room.
    d.server(&format!(
        "<message from='nurse@capulet.lit' to='{JULIET}' type='error' id='i1'><error type='cancel'>\
         <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    ));
    assert_eq!(sees(&mut d), ["message : item-not-found for i1"]);
    // Several at once, without a reason.
    invite(&mut d, &["nurse@capulet.lit", NURSE], "");
    let sent = d.server_got();
    let to: Vec<_> = sent.iter().map(|it| it.value("to")).collect();
    assert_eq!(to, ["nurse@capulet.lit", NURSE]);
    assert_eq!(sent[0].at("x").value("reason"), NOTE);
    assert!(sent[0].at("invite").children.is_empty());
}

#[test]
fn an_invitation_that_cannot_be_is_refused() {
    let mut d = joined();
    let many = vec!["nurse@capulet.lit"; 17];
    for (to, condition) in [
        (&["capulet.lit"][..], "jid-malformed"),
        (&["nurse@capulet.lit", "@"], "jid-malformed"),
        (&many, "policy-violation"),
    ] {
        invite(&mut d, to, "");
        assert_eq!(sees(&mut d), [format!("message : {condition} for i1")]);
    }
    // An invitation without an address is refused.
    d.client(&format!(
        "<message to='{ROOM}' id='i1'><x xmlns='{MUC_USER}'><invite/></x></message>"
    ));
    assert_eq!(sees(&mut d), ["message : jid-malformed for i1"]);
    leave(&mut d);
    d.forget();
    invite(&mut d, &["nurse@capulet.lit"], "");
    assert_eq!(sees(&mut d), ["message : not-acceptable for i1"]);
    // Only its owner may say who comes into a room for members.
    let mut d = session();
    join(&mut d, MUC);
    let closed = info("whitelist", &["abbot@verona.lit"], 1);
    let_in_as(&mut d, &closed, "", "");
    answer_watch(&mut d);
    d.forget();
    invite(&mut d, &["nurse@capulet.lit"], "");
    assert_eq!(sees(&mut d), ["message : forbidden for i1"]);
    // The owner has to accept a new room before he invites.
    let mut d = in_new_room();
    invite(&mut d, &["nurse@capulet.lit"], "");
    assert_eq!(sees(&mut d), ["message : not-allowed for i1"]);
    assert_eq!(d.server_bytes(), "");
}

/// Juliet invites these people to a room of hers for members, which has these affiliations.
fn inviting_to_a_closed_room(to: &[&str], now: &[(&str, &str)]) -> Driver {
    let mut d = owning("whitelist");
    invite(&mut d, to, "<reason>Come</reason>");
    grant(&mut d, "affiliations characters", &affiliations(now));
    d
}

/// The accounts that a request makes members.
fn made_members(iq: &Node) -> Vec<String> {
    let all = iq.at("pubsub/affiliations").children.iter();
    let jid = |it: &Node| {
        assert_eq!(it.value("affiliation"), "member");
        it.value("jid").to_owned()
    };
    all.map(jid).collect()
}

#[test]
fn who_is_invited_to_a_closed_room_is_made_a_member() {
    // Members and owners keep their affiliation.
    let invited = ["nurse@capulet.lit/x", "friar@verona.lit", OWN];
    let mut d = inviting_to_a_closed_room(&invited, &USUAL);
    for node in [OCCUPANTS, TALK] {
        let set = grant(&mut d, &format!("affiliations {node}"), "");
        assert_eq!(made_members(&set), ["nurse@capulet.lit"]);
    }
    assert_eq!(d.client_bytes(), "");
    let now = [USUAL[0], USUAL[1], ("nurse@capulet.lit", "member")];
    grant(&mut d, "affiliations characters", &affiliations(&now));
    let sent = d.server_got();
    let to: Vec<_> = sent.iter().map(|it| it.value("to")).collect();
    assert_eq!(to, invited);
    for invitation in &sent {
        assert_eq!(invitation.names(), ["x", "invite"]);
        assert_eq!(invitation.value("id"), "i1");
        assert_eq!(invitation.at("invite/reason").text, "Come");
    }
    // The new member is in the room already, and is shown with her affiliation.
    let shown = d.one_to_client();
    assert_eq!(shown.value("from"), format!("{ROOM}/Nurse"));
    assert_eq!(shown.at("x/item").value("affiliation"), "member");
}

#[test]
fn a_member_is_invited_to_a_closed_room_at_once() {
    let d = &mut inviting_to_a_closed_room(&["friar@verona.lit"], &USUAL);
    assert_eq!(d.one_to_server().value("to"), "friar@verona.lit");
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn who_is_banned_is_not_invited_to_a_closed_room() {
    let banned = [USUAL[0], ("paris@verona.lit", "outcast")];
    let to = ["nurse@capulet.lit", "paris@verona.lit"];
    let mut d = inviting_to_a_closed_room(&to, &banned);
    assert_eq!(sees(&mut d), ["message : not-allowed for i1"]);
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn an_invitation_whose_member_is_refused_comes_back() {
    let condition = "internal-server-error";
    let mut d = inviting_to_a_closed_room(&["nurse@capulet.lit"], &USUAL);
    let set = asked_for(&mut d, "affiliations characters#occupants");
    d.error(&set, "wait", condition);
    assert_eq!(sees(&mut d), [format!("message : {condition} for i1")]);
    // The service acknowledges the member but does not list her.
    let mut d = inviting_to_a_closed_room(&["nurse@capulet.lit"], &USUAL);
    grant(&mut d, "affiliations characters#occupants", "");
    grant(&mut d, "affiliations characters", "");
    grant(&mut d, "affiliations characters", &affiliations(&USUAL));
    assert_eq!(sees(&mut d), ["message : not-allowed for i1"]);
    assert_eq!(d.server_bytes(), "");
    // The server goes before it has answered.
    let mut d = inviting_to_a_closed_room(&["nurse@capulet.lit"], &USUAL);
    let expected = "message : remote-server-timeout for i1";
    assert!(server_goes(&mut d).contains(&expected.to_owned()));
}

#[test]
fn an_invitation_is_shown_as_the_rooms() {
    let mut d = session();
    // Services that the client has never turned to may have rooms, too.
    for room in [ROOM, "den@other.lit"] {
        d.server(&marked(ROMEO, "invite", room));
        let shown = d.one_to_client();
        assert_eq!(
            ["from", "to", "id"].map(|it| shown.value(it)),
            [room, JULIET, "i2"]
        );
        let word = &shown.children[0];
        assert_eq!((&*word.namespace, &*word.local), (MUC_USER, "x"));
        assert_eq!(word.at("invite").value("from"), ROMEO);
        assert_eq!(word.at("invite/reason").text, "Come");
        let direct = &shown.children[1];
        assert_eq!(["jid", "reason"].map(|it| direct.value(it)), [room, "Come"]);
        assert_eq!(shown.children.len(), 2);
    }
    assert_eq!(d.server_bytes(), "");
}

/// Asserts that an invitation names the password and the conversation that it goes on with.
fn how_it_goes_on(x: &Node) {
    assert_eq!(x.namespace, CONFERENCE);
    let said = ["password", "continue", "thread"].map(|it| x.value(it));
    assert_eq!(said, ["cauldron<burn", "true", "e0ffe42b"]);
}

#[test]
fn an_invitation_says_what_it_goes_on_with() {
    let reason = "<reason xml:lang='de'>Komm</reason>";
    let going_on = "<continue thread='e0ffe42b'/><more xmlns='urn:x' a='1'/>";
    let mut d = joined();
    d.client(&format!(
        "<message to='{ROOM}' id='i1'><x xmlns='{MUC_USER}'><invite to='nurse@capulet.lit'>{reason}{going_on}</invite>\
         <password>cauldron&lt;burn</password></x></message>"
    ));
    let sent = d.server_bytes();
    let invitation = Node::stanza(&sent);
    how_it_goes_on(invitation.at("x"));
    // The invited client has a shim, too.
    let mut hers = session();
    let from_romeo = format!("<message xml:lang='en' from='{ROMEO}'");
    let came = sent.replacen("<message", &from_romeo, 1);
    hers.server(&came.replacen("nurse@capulet.lit", JULIET, 1));
    let shown = hers.one_to_client();
    let x = &shown.children[0];
    let inside: Vec<_> = x.children.iter().map(|it| &*it.local).collect();
    assert_eq!(inside, ["invite", "password"]);
    assert_eq!(x.at("password").text, "cauldron<burn");
    let invite = x.at("invite");
    assert_eq!(
        invite.names(),
        ["reason", "continue", "more"],
        "a payload keeps what is in it"
    );
    assert!(
        invite.children[..2]
            .iter()
            .all(|it| it.namespace == MUC_USER)
    );
    assert!(sent.contains("xml:lang='de'"));
    assert_eq!(invite.at("continue").value("thread"), "e0ffe42b");
    // A language that the server adds stays on the message: aioxmpp takes no element with attributes it does not know.
    const LANG: &str = "{http://www.w3.org/XML/1998/namespace}lang";
    assert_eq!(shown.value(LANG), "en");
    let of = |name: &str| invite.at(name).attribute(LANG);
    assert_eq!((of("continue"), of("reason")), (None, Some("de")));
    assert_eq!(invite.at("more").value("a"), "1");
    how_it_goes_on(&shown.children[1]);
}

#[test]
fn what_names_no_room_invites_to_none() {
    let mut d = joined();
    for room in [
        "",
        "evil.lit",
        "Cave@chat.shakespeare.lit",
        "cave@chat.shakespeare.lit/Romeo",
        "cave#occupants@chat.shakespeare.lit",
    ] {
        d.server(&marked(ROMEO, "invite", room));
        assert_eq!((d.client_bytes(), d.server_bytes()), Default::default());
        assert_eq!(d.dropped(), [Dropped::WrongPayload], "{room}");
    }
    // An invitation to a room at an account's domain is dropped: its sender would speak for the client's own server, or
    // for his own.
    for room in ["nurse@capulet.lit", "friend@montague.lit"] {
        d.server(&marked(ROMEO, "invite", room));
        assert_eq!((d.client_bytes(), d.server_bytes()), Default::default());
        assert_eq!(d.dropped(), [Dropped::ForeignFrom], "{room}");
    }
    // A service itself invites nobody.
    d.server(&marked(SERVICE, "invite", ROOM));
    assert_eq!(d.dropped(), [Dropped::ForeignFrom]);
}

#[test]
fn an_invitation_is_declined_to_who_has_sent_it() {
    let mut d = session();
    d.server(&marked(ROMEO, "invite", "den@other.lit"));
    d.forget();
    declines(&mut d, "den@other.lit", CONTACT);
    let sent = d.one_to_server();
    assert_eq!(
        ["to", "type", "id"].map(|it| sent.value(it)),
        [ROMEO, "normal", "d1"]
    );
    assert_eq!(sent.names(), ["decline"]);
    assert_eq!(sent.at("decline").value("room"), "den@other.lit");
    assert_eq!(sent.at("decline/reason").text, "No");
    // Only the first answer goes to the sender of the invitation. An answer to another service's room is the client's
    // own.
    for (room, to) in [("den@other.lit", CONTACT), ("den@other.lit", NURSE)] {
        declines(&mut d, room, to);
        assert_eq!(d.one_to_server().value("to"), room);
    }
    declines(&mut d, ROOM, CONTACT);
    assert_eq!(sees(&mut d), ["message : service-unavailable for d1"]);
}

#[test]
fn only_whoever_was_invited_declines() {
    let mut d = joined();
    d.server(&marked(NURSE, "decline", ROOM));
    assert_eq!(d.dropped(), [Dropped::ForeignFrom]);
    invite(&mut d, &["nurse@capulet.lit"], "");
    d.forget();
    for (from, room, reason) in [
        (ROMEO, ROOM, Dropped::ForeignFrom),
        (NURSE, "other@chat.shakespeare.lit", Dropped::NotSubscribed),
        (NURSE, "", Dropped::NotSubscribed),
    ] {
        d.server(&marked(from, "decline", room));
        assert_eq!(d.client_bytes(), "");
        assert_eq!(d.dropped(), [reason]);
    }
    d.server(&marked(NURSE, "decline", ROOM));
    let shown = d.one_to_client();
    assert_eq!(shown.value("from"), ROOM);
    assert_eq!(shown.names(), ["x"]);
    let word = shown.at("x/decline");
    assert_eq!(word.value("from"), "nurse@capulet.lit");
    assert_eq!(word.at("reason").text, "Come");
    // A second answer is dropped.
    d.server(&marked(NURSE, "decline", ROOM));
    assert_eq!(d.dropped(), [Dropped::ForeignFrom]);
    // The client has left the room.
    invite(&mut d, &["nurse@capulet.lit"], "");
    leave(&mut d);
    d.forget();
    d.server(&marked(NURSE, "decline", ROOM));
    assert_eq!(d.dropped(), [Dropped::NotSubscribed]);
}

#[test]
fn a_direct_invitation_passes() {
    let mut d = joined();
    let direct = format!("<x xmlns='{CONFERENCE}' jid='{ROOM}' reason='Come'/>");
    let sent = format!("<message to='{CONTACT}' id='i3'>{direct}</message>");
    d.client(&sent);
    assert_eq!(d.server_bytes(), sent);
    let came = format!("<message from='{ROMEO}' to='{JULIET}' id='i3'>{direct}</message>");
    d.server(&came);
    assert_eq!(d.client_bytes(), came);
}
