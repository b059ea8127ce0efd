//! Invitations through a room, direct ones, and what declines them.

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

/// What a shim sends for that, or for declining it.
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
    // For clients without a shim: they are told that the room is not for them.
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
    // It comes back from the room.
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
    // Whom it is to has to be said.
    d.client(&format!(
        "<message to='{ROOM}' id='i1'><x xmlns='{MUC_USER}'><invite/></x></message>"
    ));
    assert_eq!(sees(&mut d), ["message : jid-malformed for i1"]);
    leave(&mut d);
    d.forget();
    invite(&mut d, &["nurse@capulet.lit"], "");
    assert_eq!(sees(&mut d), ["message : not-acceptable for i1"]);
    // Nobody could come.
    let mut d = session();
    join(&mut d, MUC);
    let closed = info("whitelist", &[OWN], 1);
    let_in_as(&mut d, &closed, "", "");
    answer_watch(&mut d);
    d.forget();
    invite(&mut d, &["nurse@capulet.lit"], "");
    assert_eq!(sees(&mut d), ["message : forbidden for i1"]);
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn an_invitation_is_shown_as_the_rooms() {
    let mut d = session();
    // Of a service that the client has never turned to, too.
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
    // Nor does who would speak for somebody else: for the client's own server, or for his own.
    for room in ["nurse@capulet.lit", "friend@montague.lit"] {
        d.server(&marked(ROMEO, "invite", room));
        assert_eq!((d.client_bytes(), d.server_bytes()), Default::default());
        assert_eq!(d.dropped(), [Dropped::ForeignFrom], "{room}");
    }
    // Nor does what is nobody.
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
    // Once, and only what was sent. To another service it is the client's own matter.
    for (room, to) in [("den@other.lit", CONTACT), ("den@other.lit", NURSE)] {
        declines(&mut d, room, to);
        assert_eq!(d.one_to_server().value("to"), room);
    }
    declines(&mut d, ROOM, CONTACT);
    assert_eq!(sees(&mut d), ["message : feature-not-implemented for d1"]);
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
    // Once.
    d.server(&marked(NURSE, "decline", ROOM));
    assert_eq!(d.dropped(), [Dropped::ForeignFrom]);
    // The room is left.
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
