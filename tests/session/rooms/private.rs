//! Private messages between two occupants.

use super::*;

const PM: &str = "urn:pubshim:0";

/// Juliet writes to somebody in the room alone.
fn whisper(d: &mut Driver, nick: &str, what: &str) {
    d.client(&format!(
        "<message to='{ROOM}/{nick}' type='chat' id='w1'>{what}</message>"
    ));
}

/// A private message to her, as an occupant's shim sends it.
fn whispered(from: &str, to: &str, room: &str, what: &str) -> String {
    format!(
        "<message from='{from}' to='{to}' type='groupchat' id='w2'>{what}<x xmlns='{MUC_USER}'/>\
         <pm xmlns='{PM}' room='{room}'/></message>"
    )
}

fn comes_back(d: &mut Driver, from: &str, id: &str) {
    d.server(&format!(
        "<message from='{from}' to='{JULIET}' type='error' id='{id}'><error type='cancel'>\
         <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error><body>Psst</body>\
         <x xmlns='{MUC_USER}'/><pm xmlns='{PM}' room='{ROOM}'/></message>"
    ));
}

/// Type, sender and body of the messages shown to the client.
fn said(d: &mut Driver) -> Vec<[String; 3]> {
    let shown = d.client_got();
    let said = shown.iter().map(|it| {
        let body = it.find("body").map_or("", |it| &it.text);
        ["type", "from"]
            .map(|name| it.attribute(name).unwrap_or_default().to_owned())
            .into_iter()
            .chain([body.to_owned()])
            .collect::<Vec<_>>()
            .try_into()
            .unwrap()
    });
    said.collect()
}

/// The client is shown nothing, and the message goes back to its author.
#[track_caller]
fn goes_back(d: &mut Driver, to: &str, reason: Dropped) {
    assert_eq!(d.client_bytes(), "");
    let error = d.one_to_server();
    assert_eq!(
        ["to", "type", "id"].map(|it| error.value(it)),
        [to, "error", "w2"]
    );
    assert!(error.has("error/service-unavailable"), "{error:#?}");
    assert_eq!(d.dropped(), [reason]);
}

#[track_caller]
fn is_nothing(d: &mut Driver, reason: Dropped) {
    assert_eq!((d.client_bytes(), d.server_bytes()), Default::default());
    assert_eq!(d.dropped(), [reason]);
}

#[test]
fn a_private_message_keeps_its_type() {
    let mut d = joined();
    d.client(&format!(
        "<message to='{ROOM}/Romeo' id='w1'><x xmlns='jabber:x:conference' jid='den@{SERVICE}'/></message>"
    ));
    let sent = d.one_to_server();
    assert_eq!(
        (sent.value("type"), sent.at("pm").value("type")),
        ("groupchat", "normal")
    );
    for (kind, expected) in [
        (" type='normal'", "normal"),
        ("", "chat"),
        (" type='error'", "chat"),
    ] {
        let said = whispered(ROMEO, JULIET, ROOM, "<body>x</body>");
        d.server(&said.replace("<pm", &format!("<pm{kind}")));
        assert_eq!(d.one_to_client().value("type"), expected, "{kind}");
    }
}

#[test]
fn a_private_message_goes_to_one_resource() {
    let mut d = joined();
    // Marks that only a room or a shim may make are taken out of the client's message.
    whisper(
        &mut d,
        "Romeo",
        "<body>Psst</body><request xmlns='urn:xmpp:receipts'/>\
         <x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x>\
         <pm xmlns='urn:pubshim:0' room='other@chat.shakespeare.lit'/>",
    );
    let sent = d.one_to_server();
    assert_eq!(
        ["to", "type", "id"].map(|it| sent.value(it)),
        [ROMEO, "groupchat", "w1"],
        "neither another resource nor an offline store takes it"
    );
    assert_eq!(sent.names(), ["body", "request", "x", "pm"]);
    assert!(sent.at("x").children.is_empty());
    assert_eq!(sent.at("pm").value("room"), ROOM);
    assert_eq!(d.client_bytes(), "");
    // A message without an id gets one from the shim, by which an error that comes back is known.
    d.client(&format!(
        "<message to='{ROOM}/Romeo'><body>x</body></message>"
    ));
    let sent = d.one_to_server();
    assert_eq!(sent.value("type"), "groupchat");
    comes_back(&mut d, ROMEO, sent.value("id"));
    assert_eq!(sees(&mut d).len(), 1);
}

#[test]
fn whom_nobody_can_hear_is_told_so() {
    let mut d = joined();
    for (to, kind, condition) in [
        ("Nurse", "chat", "item-not-found"),
        ("Romeo", "groupchat", "bad-request"),
    ] {
        d.client(&format!(
            "<message to='{ROOM}/{to}' type='{kind}' id='w'><body>x</body></message>"
        ));
        assert_eq!(
            sees(&mut d),
            [format!("message {to}: {condition} for w")],
            "{to}"
        );
    }
    happens(&mut d, OCCUPANTS, &occupant_gone(ROMEO, "Romeo"));
    d.forget();
    whisper(&mut d, "Romeo", "<body>x</body>");
    assert_eq!(sees(&mut d), ["message Romeo: item-not-found for w1"]);
    let long = "x".repeat(1025);
    d.client(&format!(
        "<message to='{ROOM}/JC' type='chat' id='{long}'><body>x</body></message>"
    ));
    assert_eq!(
        sees(&mut d),
        [format!("message JC: policy-violation for {long}")]
    );
    leave(&mut d);
    d.forget();
    whisper(&mut d, "JC", "<body>x</body>");
    assert_eq!(sees(&mut d), ["message JC: not-acceptable for w1"]);
    // An error is not answered.
    d.client(&format!("<message to='{ROOM}/Romeo' type='error' id='w'/>"));
    assert_eq!((d.client_bytes(), d.server_bytes()), Default::default());
}

#[test]
fn an_occupants_word_is_a_chat_of_his_nick() {
    let mut d = joined();
    let what = format!(
        "<body>Psst</body><origin-id xmlns='urn:xmpp:sid:0' id='o'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='forged'/>\
         <x xmlns='{MUC_USER}'><invite from='abbot@verona.lit'/></x>\
         <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2026-01-01T00:00:00Z'/>\
         <delay xmlns='urn:xmpp:delay' from='capulet.lit' stamp='2026-01-01T00:00:00Z'/>"
    );
    d.server(&whispered(ROMEO, JULIET, ROOM, &what));
    let shown = d.one_to_client();
    assert_eq!(
        ["type", "from", "to", "id"].map(|it| shown.value(it)),
        ["chat", &*format!("{ROOM}/Romeo"), JULIET, "w2"]
    );
    assert_eq!(shown.names(), ["body", "origin-id", "delay", "x"]);
    assert_eq!(shown.at("delay").value("from"), "capulet.lit");
    let x = shown.at("x");
    assert_eq!((&*x.namespace, x.children.len()), (MUC_USER, 0));
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn nobody_else_speaks_as_an_occupant() {
    let mut d = joined();
    for (from, to, room, reason) in [
        ("stranger@evil.lit/x", JULIET, ROOM, Dropped::ForeignFrom),
        // Resources of his account that are not in the room.
        (CONTACT, JULIET, ROOM, Dropped::ForeignFrom),
        ("romeo@montague.lit/pda", JULIET, ROOM, Dropped::ForeignFrom),
        // The occupant's own address in the room.
        (
            "characters@chat.shakespeare.lit/Romeo",
            JULIET,
            ROOM,
            Dropped::ForeignFrom,
        ),
        (
            ROMEO,
            JULIET,
            "other@chat.shakespeare.lit",
            Dropped::NotSubscribed,
        ),
        (ROMEO, JULIET, "", Dropped::NotSubscribed),
        (ROMEO, OWN, ROOM, Dropped::WrongPayload),
        (
            ROMEO,
            "juliet@capulet.lit/garden",
            ROOM,
            Dropped::WrongPayload,
        ),
    ] {
        d.server(&whispered(from, to, room, "<body>x</body>"));
        match reason {
            Dropped::WrongPayload => is_nothing(&mut d, reason),
            _ => goes_back(&mut d, from, reason),
        }
    }
    d.server(&format!(
        "<message from='{ROMEO}' to='{JULIET}' type='groupchat'><pm xmlns='{PM}'/></message>"
    ));
    is_nothing(&mut d, Dropped::WrongPayload);
    let deep = format!("<body>x</body>{}{}", "<a>".repeat(300), "</a>".repeat(300));
    d.server(&whispered(ROMEO, JULIET, ROOM, &deep));
    is_nothing(&mut d, Dropped::Unreadable);
    // A message without the mark is for no room of ours.
    let other = format!(
        "<message from='den@rooms.lit/Romeo' to='{JULIET}' type='groupchat'><body>x</body></message>"
    );
    d.server(&other);
    assert_eq!(d.one_to_client().value("from"), "den@rooms.lit/Romeo");
}

#[test]
fn whoever_has_left_is_not_heard() {
    let mut d = joined();
    happens(&mut d, OCCUPANTS, &occupant_gone(ROMEO, "Romeo"));
    // The nurse takes his nick.
    happens(&mut d, OCCUPANTS, &occupant(NURSE, "Romeo", ""));
    d.forget();
    d.server(&whispered(ROMEO, JULIET, ROOM, "<body>x</body>"));
    goes_back(&mut d, ROMEO, Dropped::ForeignFrom);
    // A private message to a nick goes to the occupant who has it now.
    whisper(&mut d, "Romeo", "<body>Psst</body>");
    assert_eq!(d.one_to_server().value("to"), NURSE);
    // The client has left.
    leave(&mut d);
    d.forget();
    d.server(&whispered(NURSE, JULIET, ROOM, "<body>x</body>"));
    goes_back(&mut d, NURSE, Dropped::NotSubscribed);
}

#[test]
fn what_overtakes_the_join_is_heard_behind_it() {
    let mut d = session();
    join(&mut d, MUC);
    let publish = answer_join(&mut d, &occupant(ROMEO, "Romeo", ""), "");
    // Romeo has seen her come in. The nurse is not in the room.
    for (from, what) in [(ROMEO, "1"), (NURSE, "x"), (ROMEO, "2")] {
        d.server(&whispered(
            from,
            JULIET,
            ROOM,
            &format!("<body>{what}</body>"),
        ));
    }
    assert_eq!((d.client_bytes(), asks(&mut d).len()), Default::default());
    echo(&mut d, &publish[0]);
    let mut shown = said(&mut d);
    let words = shown.split_off(shown.len() - 2);
    let from = format!("{ROOM}/Romeo");
    let expected = ["1", "2"].map(|what| ["chat", &*from, what].map(str::to_owned));
    assert_eq!(words, expected, "behind the history and the subject");
    goes_back_to(&mut d, &[NURSE]);
}

/// Asserts that the senders are told that she was not there.
#[track_caller]
fn goes_back_to(d: &mut Driver, to: &[&str]) {
    let mut errors = d.server_got();
    errors.retain(|it| it.local == "message");
    let got: Vec<_> = errors.iter().map(|it| it.value("to")).collect();
    assert_eq!(got, to);
    for error in &errors {
        assert_eq!(["type", "id"].map(|it| error.value(it)), ["error", "w2"]);
    }
}

#[test]
fn what_overtakes_a_join_that_fails_goes_back() {
    for way in ["refused", "left", "gone"] {
        let mut d = session();
        join(&mut d, MUC);
        let requests = asked(&mut d);
        for _ in 0..17 {
            d.server(&whispered(ROMEO, JULIET, ROOM, "<body>x</body>"));
        }
        // Sixteen messages wait, and no more.
        assert_eq!(d.dropped(), [Dropped::NotSubscribed]);
        goes_back_to(&mut d, &[ROMEO]);
        match way {
            "refused" => refuse(&mut d, one(&requests, "subscribe characters"), "forbidden"),
            "left" => leave(&mut d),
            _ => d.client("<presence type='unavailable'/>"),
        }
        goes_back_to(&mut d, &[ROMEO; 16]);
        assert_eq!(d.dropped(), [Dropped::NotSubscribed; 16]);
    }
}

#[test]
fn two_of_one_account_are_told_apart() {
    let pda = "romeo@montague.lit/pda";
    let mut d = joined();
    happens(&mut d, OCCUPANTS, &item_by(pda, pda, "Montague", "", ""));
    d.forget();
    for (full, nick) in [(ROMEO, "Romeo"), (pda, "Montague")] {
        d.server(&whispered(full, JULIET, ROOM, "<body>x</body>"));
        let from = format!("{ROOM}/{nick}");
        assert_eq!(said(&mut d), [["chat", &*from, "x"].map(str::to_owned)]);
        whisper(&mut d, nick, "<body>x</body>");
        assert_eq!(d.one_to_server().value("to"), full);
    }
}

#[test]
fn several_sessions_of_a_nick_all_hear() {
    let pda = "romeo@montague.lit/pda";
    let mut d = joined();
    happens(&mut d, OCCUPANTS, &item_by(pda, pda, "Romeo", "", ""));
    d.forget();
    for errors in [&[ROMEO][..], &[pda], &[ROMEO, pda]] {
        whisper(&mut d, "Romeo", "<body>Psst</body>");
        let sent = d.server_got();
        let to: Vec<_> = sent.iter().map(|it| it.value("to")).collect();
        assert_eq!(to, [ROMEO, pda]);
        for full in errors {
            comes_back(&mut d, full, "w1");
        }
        // The client gets one error, and only if no resource has taken the message.
        let shown = sees(&mut d).len();
        assert_eq!(shown, errors.len() / 2, "{errors:?}");
    }
}

#[test]
fn what_comes_back_comes_of_the_nick() {
    let mut d = joined();
    whisper(&mut d, "Romeo", "<body>Psst</body>");
    d.forget();
    // Romeo goes, and the nurse takes his nick; the message was for him all the same.
    happens(&mut d, OCCUPANTS, &occupant_gone(ROMEO, "Romeo"));
    happens(&mut d, OCCUPANTS, &occupant(NURSE, "Romeo", ""));
    d.forget();
    comes_back(&mut d, ROMEO, "w1");
    let error = d.one_to_client();
    assert_eq!(
        ["type", "from", "to", "id"].map(|it| error.value(it)),
        ["error", &*format!("{ROOM}/Romeo"), JULIET, "w1"]
    );
    assert!(error.has("error/service-unavailable"));
    assert_eq!(error.names(), ["error", "body"]);
    // A second error is the client's as it came.
    comes_back(&mut d, ROMEO, "w1");
    assert_eq!(d.one_to_client().value("from"), ROMEO);
    // Errors from other addresses, or with another id, are not of this message.
    whisper(&mut d, "Romeo", "<body>Psst</body>");
    d.forget();
    for (from, id) in [(ROMEO, "w1"), (NURSE, "w9"), ("nurse@capulet.lit", "w1")] {
        comes_back(&mut d, from, id);
        assert_eq!(d.one_to_client().value("from"), from);
    }
    // The error finds its message also after the client has left.
    leave(&mut d);
    d.forget();
    comes_back(&mut d, NURSE, "w1");
    assert_eq!(d.one_to_client().value("from"), format!("{ROOM}/Romeo"));
}

#[test]
fn of_many_sent_the_newest_are_known() {
    let mut d = joined();
    for n in 0..65 {
        d.client(&format!(
            "<message to='{ROOM}/Romeo' type='chat' id='w{n}'><body>x</body></message>"
        ));
    }
    d.forget();
    for (n, from) in [
        (0, ROMEO.to_owned()),
        (1, format!("{ROOM}/Romeo")),
        (64, format!("{ROOM}/Romeo")),
    ] {
        comes_back(&mut d, ROMEO, &format!("w{n}"));
        assert_eq!(d.one_to_client().value("from"), from);
    }
}

#[test]
fn a_nick_of_two_is_named_with_its_account() {
    let mut d = joined();
    happens(&mut d, OCCUPANTS, &occupant(NURSE, "Romeo", ""));
    d.forget();
    let nick = "Romeo (nurse@capulet.lit)";
    d.server(&whispered(NURSE, JULIET, ROOM, "<body>x</body>"));
    let from = format!("{ROOM}/{nick}");
    assert_eq!(said(&mut d), [["chat", &*from, "x"].map(str::to_owned)]);
    for (nick, full) in [(nick, NURSE), ("Romeo", ROMEO)] {
        whisper(&mut d, nick, "<body>x</body>");
        assert_eq!(d.one_to_server().value("to"), full);
    }
}
