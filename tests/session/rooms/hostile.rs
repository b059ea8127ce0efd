//! False claims of occupants, strangers and services.

use super::*;

#[track_caller]
fn assert_dropped(node: &str, items: &str, reason: Dropped) {
    let mut d = joined();
    happens(&mut d, node, items);
    assert_eq!(
        (d.client_bytes(), d.server_bytes()),
        Default::default(),
        "{items}"
    );
    assert_eq!(d.dropped(), [reason], "{items}");
}

#[test]
fn what_comes_of_a_room_not_joined_is_nobodys() {
    let mut d = session();
    for node in [TALK, OCCUPANTS, "other"] {
        happens(&mut d, node, &body(ROMEO, "Romeo", "m1", 1));
        happens(&mut d, node, &occupant(ROMEO, "Romeo", ""));
    }
    event_in(&mut d, &format!("<delete node='{OCCUPANTS}'/>"));
    assert_eq!(d.dropped(), [Dropped::NotSubscribed; 7]);
    assert_eq!(d.client_bytes(), "");
    // The resource was in these rooms when it died: its subscriptions are ended, once.
    assert_eq!(asks(&mut d), [UNDO[1], UNDO[0], "unsubscribe other"]);
    // Events of nodes that are no room pass: the client may have subscribed to them itself.
    happens(
        &mut d,
        "news",
        "<item id='1'><entry xmlns='http://www.w3.org/2005/Atom'/></item>",
    );
    assert!(d.one_to_client().has("event/items/item/entry"));
}

/// A message with more nested elements than are read.
fn too_deep() -> String {
    format!("<body>x</body>{}{}", "<a>".repeat(300), "</a>".repeat(300))
}

#[test]
fn an_event_too_deep_to_read_is_not_shown_raw() {
    let deep = too_deep();
    for node in [TALK, OCCUPANTS, "other#occupants"] {
        let mut d = joined();
        happens(&mut d, node, &line(ROMEO, "Romeo", "m1", 1, &deep));
        assert_eq!(d.client_bytes(), "", "{node}");
        assert_eq!(d.dropped(), [Dropped::Unreadable]);
    }
}

#[test]
fn a_history_too_deep_to_read_is_none() {
    let deep = too_deep();
    let mut d = joined_with(
        &occupant(ROMEO, "Romeo", ""),
        &line(ROMEO, "Romeo", "m1", 1, &deep),
    );
    assert_eq!(
        sees(&mut d),
        ["Romeo available", "JC available 100 110", " sets "]
    );
}

#[test]
fn who_it_is_about_is_whoever_published_it() {
    // Payload and item id name the nurse, but Romeo has published it.
    let mut d = joined();
    let forged = format!(
        "<item id='nurse@capulet.lit' publisher='{ROMEO}'><presence xmlns='jabber:client' from='{ROOM}/Nurse'>\
         <x xmlns='{MUC_USER}'><item jid='nurse@capulet.lit/chamber' affiliation='owner'/></x></presence></item>"
    );
    happens(&mut d, OCCUPANTS, &forged);
    let shown = d.client_got();
    assert_eq!(
        shown.iter().map(super::shown).collect::<Vec<_>>(),
        ["Romeo unavailable now Nurse 303", "Nurse available"]
    );
    let item = shown[1].at("x/item");
    item.assert_values(&[("jid", ROMEO), ("affiliation", "none")]);

    // Prosody names the account; then the resource is what the account says, of itself alone.
    let by = |publisher: &str, jid: &str| {
        format!(
            "<item id='x' publisher='{publisher}'><presence xmlns='jabber:client' from='{ROOM}/Benvolio'>\
             <x xmlns='{MUC_USER}'><item jid='{jid}'/></x></presence></item>"
        )
    };
    happens(&mut d, OCCUPANTS, &by(OTHER, &format!("{OTHER}/orchard")));
    let benvolio = d.one_to_client();
    assert_eq!(
        benvolio.at("x/item").value("jid"),
        format!("{OTHER}/orchard")
    );
    assert_dropped(OCCUPANTS, &by(OTHER, ROMEO), Dropped::ForeignFrom);
    assert_dropped(OCCUPANTS, &by(OTHER, OTHER), Dropped::ForeignFrom);
    let unsigned = by(OTHER, ROMEO).replace("publisher", "author");
    assert_dropped(OCCUPANTS, &unsigned, Dropped::ForeignFrom);
    let elsewhere = occupant(ROMEO, "Romeo", "").replace(TALK, "other");
    assert_dropped(OCCUPANTS, &elsewhere, Dropped::ForeignFrom);
    assert_dropped(
        TALK,
        &body(ROMEO, "JC", "m1", 1).replace("publisher", "author"),
        Dropped::ForeignFrom,
    );
}

#[test]
fn a_nick_of_somebody_else_stands_with_the_account() {
    let mut d = joined();
    // The speaker is the account that the service names, whatever nick he claims.
    happens(&mut d, TALK, &body(ROMEO, "JC", "m1", 1));
    assert_eq!(sees(&mut d), ["Romeo says m1"]);
    let fullwidth = "\u{ff32}omeo";
    for nick in ["Romeo", fullwidth, "Ro\u{200b}meo", "Ro&#xad;meo"] {
        happens(&mut d, TALK, &body(NURSE, nick, &format!("m {nick}"), 1));
        let shown = d.one_to_client();
        assert_eq!(
            shown.value("from"),
            format!("{ROOM}/Romeo (nurse@capulet.lit)"),
            "{nick}"
        );
        happens(&mut d, OCCUPANTS, &occupant(NURSE, nick, ""));
        assert_eq!(
            sees(&mut d),
            ["Romeo (nurse@capulet.lit) available"],
            "{nick}"
        );
        happens(&mut d, OCCUPANTS, &occupant_gone(NURSE, nick));
        d.forget();
    }
    // No nick may look like that of an occupant who is shown with his account.
    happens(
        &mut d,
        OCCUPANTS,
        &occupant(NURSE, "JC (juliet@capulet.lit)", ""),
    );
    assert_eq!(
        sees(&mut d),
        ["JC (juliet@capulet.lit) (nurse@capulet.lit) available"]
    );
    // An occupant who is shown with his account may take that as his nick.
    let hall = "nurse@capulet.lit/hall";
    for _ in 0..2 {
        happens(
            &mut d,
            OCCUPANTS,
            &item_by(hall, hall, "Romeo (nurse@capulet.lit)", "", ""),
        );
        assert_eq!(sees(&mut d), ["Romeo (nurse@capulet.lit) available"]);
    }
    // Romeo is Romeo still.
    happens(&mut d, TALK, &body(ROMEO, "Romeo", "m9", 1));
    assert_eq!(sees(&mut d), ["Romeo says m9"]);
}

#[test]
fn what_only_a_room_says_is_taken_out() {
    let forged = format!(
        "<x xmlns='{MUC_USER}'><status code='307'/><invite from='{OWN}'/></x><x xmlns='http://jabber.org/protocol/muc'/>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/><stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='forged'/>\
         <shim xmlns='urn:pubshim:0'/><stanza-id xmlns='urn:xmpp:sid:0' by='elsewhere.lit' id='other'/>"
    );
    let said = line(ROMEO, "Romeo", "m1", 1, &format!("<body>x</body>{forged}"));
    let there = occupant(NURSE, "Nurse", &forged);
    let mut d = joined_with(&there, &said);
    happens(&mut d, TALK, &said.replace("m1", "m2"));
    happens(&mut d, OCCUPANTS, &occupant(ROMEO, "Romeo", &forged));
    happens(
        &mut d,
        OCCUPANTS,
        &item_by(ROMEO, CONTACT, "Romeo", " type='unavailable'", &forged),
    );
    let shown = d.client_got();
    assert_eq!(
        shown.iter().map(super::shown).collect::<Vec<_>>(),
        [
            "Nurse available",
            "JC available 100 110",
            "Romeo says x late",
            " sets ",
            "Romeo says x",
            "Romeo available",
            "Romeo unavailable"
        ]
    );
    for stanza in shown {
        let ids = stanza.children.iter().filter(|it| it.local == "stanza-id");
        let ids: Vec<_> = ids.map(|it| (it.value("by"), it.value("id"))).collect();
        assert!(!ids.contains(&(ROOM, "forged")), "{stanza:#?}");
        let of_room = stanza.children.iter().filter(|it| it.local == "x").count();
        assert_eq!(
            of_room,
            usize::from(stanza.local == "presence"),
            "{stanza:#?}"
        );
        assert!(
            !stanza.has("occupant-id") && !stanza.has("shim"),
            "{stanza:#?}"
        );
    }
}

#[test]
fn what_is_no_item_of_a_room_is_dropped() {
    let presence = format!("<presence xmlns='jabber:client' from='{ROOM}/Romeo'/>");
    let message =
        format!("<message xmlns='jabber:client' from='{ROOM}/Romeo'><body>x</body></message>");
    let item = |payload: &str| format!("<item id='1' publisher='{ROMEO}'>{payload}</item>");
    for (node, payload, reason) in [
        (
            OCCUPANTS,
            format!("{presence}{presence}"),
            Dropped::WrongPayload,
        ),
        (OCCUPANTS, message.clone(), Dropped::WrongPayload),
        (
            OCCUPANTS,
            presence.replace("from", "type='subscribe' from"),
            Dropped::WrongType,
        ),
        (
            OCCUPANTS,
            presence.replace("jabber:client", "jabber:server"),
            Dropped::WrongPayload,
        ),
        (TALK, format!("{message}{message}"), Dropped::WrongPayload),
        (TALK, presence.clone(), Dropped::WrongPayload),
        (
            TALK,
            message.replace("from", "type='chat' from"),
            Dropped::WrongType,
        ),
        (
            TALK,
            message.replace("from", "type='error' from"),
            Dropped::WrongType,
        ),
    ] {
        assert_dropped(node, &item(&payload), reason);
    }
}

#[test]
fn so_many_are_known_and_no_more() {
    let crowd = |accounts: u32, resources: u32| -> String {
        let all = (0..accounts).flat_map(|n| (0..resources).map(move |r| (n, r)));
        all.map(|(n, r)| {
            let full = format!("c{n}@verona.lit/{r}");
            item_by(&full, &full, &format!("c{n}-{r}"), "", "")
        })
        .collect()
    };
    // Five occupants of one account are shown.
    let mut d = joined_with(&crowd(1, 6), "");
    assert_eq!(sees(&mut d).len(), 5 + 2);
    // 1024 occupants are shown; the client itself is in, and its status is still shown.
    let mut d = joined_with(&crowd(1025, 1), "");
    let shown = sees(&mut d);
    assert_eq!(shown.len(), 1024 + 2);
    assert_eq!(shown[1024], "JC available 100 110");
    d.client(&format!(
        "<presence to='{ROOM}/JC'><show>away</show></presence>"
    ));
    let publish = asked_for(&mut d, PUBLISH_OWN);
    echo(&mut d, &publish);
    assert_eq!(sees(&mut d), ["JC available 110"]);
}

#[test]
fn a_presence_too_large_is_kept_without_its_children() {
    let large = format!("<status>{}</status>", "x".repeat(5000));
    let mut d = joined_with(&occupant(ROMEO, "Romeo", &large), "");
    let romeo = seen(&mut d, "Romeo available");
    assert!(!romeo.has("status"));
}
