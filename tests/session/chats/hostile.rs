//! Tricks of strangers, peers and forged items under `auto`.

use pubshim::session::Dropped;

use super::*;

/// Juliet's session in which Romeo's node is read.
fn reading() -> Driver {
    let mut d = session();
    writes(&mut d, "0");
    serve(&mut d, &his_item("0", OWN, NOW));
    d.forget();
    d
}

#[test]
fn only_the_owner_of_a_node_is_heard_on_it() {
    let good = his_item("1", OWN, NOW);
    let message = |from: &str, to: &str, kind: &str| {
        format!(
            "<message xmlns='jabber:client' from='{from}' to='{to}' type='{kind}'><body>1</body></message>"
        )
    };
    let item = |inside: &str| format!("<item id='1'>{inside}</item>");
    let his = message(HIS, OWN, "chat");
    let rows = [
        (item(&his), Some(HIS)),
        (
            format!("<item id='1' publisher='{CONTACT}'>{his}</item>"),
            Some(HIS),
        ),
        (
            format!("<item id='1' publisher='{HIS}'>{his}</item>"),
            Some(HIS),
        ),
        // Items that another account, or Juliet herself, has published as his words.
        (
            format!("<item id='1' publisher='tybalt@capulet.lit'>{his}</item>"),
            None,
        ),
        (
            format!("<item id='1' publisher='{JULIET}'>{his}</item>"),
            None,
        ),
        // The author is the node's owner, whatever `from` he writes.
        (
            item(&message("tybalt@capulet.lit/x", OWN, "chat")),
            Some(CONTACT),
        ),
        (item(&message(JULIET, OWN, "chat")), Some(CONTACT)),
        // Messages for another account, or of a type that is not published.
        (item(&message(HIS, "tybalt@capulet.lit", "chat")), None),
        (item(&message(HIS, OWN, "groupchat")), None),
        (item(&message(HIS, OWN, "error")), None),
        (item(&(his.clone() + &his)), None),
        (item(""), None),
        ("<retract id='1'/>".to_owned(), None),
    ];
    for (items, expected) in rows {
        let mut d = reading();
        d.server(&event_on(CONTACT, HIS_NODE, &items));
        let expected: Vec<_> = expected.iter().map(|from| format!("{from} 1")).collect();
        assert_eq!(shown(&mut d), expected, "{items}");
        // A dropped item does not stop the next one.
        if expected.is_empty() {
            d.server(&event_on(CONTACT, HIS_NODE, &good));
            assert_eq!(shown(&mut d), [format!("{HIS} 1")], "{items}");
        }
    }
}

#[test]
fn a_purge_or_a_replay_changes_nothing() {
    let mut d = reading();
    writes(&mut d, "1");
    d.forget();
    d.server(&format!(
        "<message from='{CONTACT}' to='{OWN}' type='headline'><event \
         xmlns='http://jabber.org/protocol/pubsub#event'><purge node='{HIS_NODE}'/></event></message>"
    ));
    writes(&mut d, "1");
    writes(&mut d, "0");
    assert_eq!(d.client_bytes(), "");
    writes(&mut d, "2");
    assert_eq!(shown(&mut d), [format!("{HIS} 2")]);
}

#[test]
fn who_may_not_see_the_client_is_not_heard() {
    let stranger = "tybalt@capulet.lit";
    let item = his_item("1", OWN, NOW).replace(CONTACT, stranger);
    let mut d = session();
    for n in 0..2000 {
        d.server(&event_on(stranger, &format!("chat/{n}"), &item));
    }
    assert!(d.dropped().contains(&Dropped::NotSubscribed));
    assert_eq!(shown(&mut d), [""; 0]);
    assert!(d.server_got().is_empty());

    // A contact without permission, or blocked, has nothing read either.
    let blocked = format!(
        "<iq type='set' to='{JULIET}' from='{OWN}' id='b1'><block xmlns='urn:xmpp:blocking'><item jid='{CONTACT}'/>\
         </block></iq>"
    );
    for change in [
        push(CONTACT, "to"),
        push(CONTACT, "none"),
        push(CONTACT, "remove"),
        blocked,
    ] {
        let mut d = reading();
        d.server(&change);
        d.forget();
        writes(&mut d, "1");
        assert_eq!(shown(&mut d), [""; 0], "{change}");
    }
}

#[test]
fn what_only_a_server_may_say_is_taken_out() {
    let mut d = reading();
    d.server(&event_on(
        CONTACT,
        HIS_NODE,
        &format!(
            "<item id='1'><message xmlns='jabber:client' from='{HIS}' to='{OWN}' type='chat'><body>1</body>\
             <stanza-id xmlns='urn:xmpp:sid:0' id='x' by='{OWN}'/><sent xmlns='urn:xmpp:carbons:2'/>\
             <result xmlns='urn:xmpp:mam:2'/><x xmlns='http://jabber.org/protocol/muc#user'><item/></x>\
             <delay xmlns='urn:xmpp:delay' from='capulet.lit' stamp='2020-01-01T00:00:00Z'/>\
             <shim xmlns='urn:pubshim:0' item='z'/>\
             <x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b'/></x><unknown xmlns='urn:x'/>\
             <delay xmlns='urn:xmpp:delay' stamp='{NOW}'/></message></item>"
        ),
    ));
    assert_eq!(d.one_to_client().names(), ["body", "x", "unknown"]);
}

#[test]
fn somebody_elses_node_of_that_name_passes() {
    let mut d = session();
    let event = event_on(
        CONTACT,
        "chat/settings",
        "<item id='1'><x xmlns='urn:other'/></item>",
    );
    d.server(&event);
    assert_eq!(d.one_to_client(), Node::stanza(&event));
}

#[test]
fn the_name_of_an_item_counts_for_its_sender_alone() {
    let mut d = reading();
    d.server(&format!(
        "<message from='tybalt@capulet.lit/x' to='{JULIET}' type='chat'><body>t</body><shim xmlns='urn:pubshim:0' \
         node='{HIS_NODE}' item='1'/></message>"
    ));
    assert_eq!(shown(&mut d), ["tybalt@capulet.lit/x t"]);
    writes(&mut d, "1");
    assert_eq!(shown(&mut d), [format!("{HIS} 1")]);
}

#[test]
fn a_flood_of_resources_leads_to_native_messages() {
    let mut d = session();
    for n in 0..100 {
        arrives(&mut d, &format!("romeo@montague.lit/{n}"), "chat='1'", "");
    }
    say(&mut d, "x");
    assert_eq!(sent(&mut d), ["native x"]);
}

#[test]
fn a_presence_of_a_stranger_says_nothing() {
    let mut d = session();
    arrives(&mut d, "tybalt@capulet.lit/x", "chat='1'", "");
    d.client("<message to='tybalt@capulet.lit' type='chat'><body>x</body></message>");
    assert_eq!(sent(&mut d), ["native x"]);
}

#[test]
fn a_node_is_forgotten_when_it_is_gone() {
    let mut d = reading();
    d.server(&format!(
        "<message from='{CONTACT}' to='{OWN}' type='headline'><event \
         xmlns='http://jabber.org/protocol/pubsub#event'><delete node='{HIS_NODE}'/></event></message>"
    ));
    assert_eq!(d.client_bytes(), "");
    d.client("<presence type='unavailable'/>");
    d.client("<presence/>");
    assert!(!d.server_got().iter().any(is_fetch));
}

#[test]
fn a_message_too_deep_to_be_read_is_not_shown_raw() {
    let mut d = reading();
    let deep = "<a>".repeat(200) + &"</a>".repeat(200);
    let item = format!(
        "<item id='1'><message xmlns='jabber:client' from='{HIS}' to='{OWN}' type='chat'>{deep}</message></item>"
    );
    d.server(&event_on(CONTACT, HIS_NODE, &item));
    assert_eq!(d.client_bytes(), "");
    assert_eq!(d.dropped(), [Dropped::Unreadable]);
}
