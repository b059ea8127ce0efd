//! Native copies of what was published, for people who have gone meanwhile.

use super::*;

/// Juliet has published this to Romeo, and it was acknowledged; the item.
fn published(d: &mut Driver, body: &str) -> String {
    say(d, body);
    let asked = answer_all(d);
    let publish = asked
        .iter()
        .find_map(|it| it.find("pubsub/publish"))
        .unwrap();
    publish.at("item").value("id").to_owned()
}

fn own_item(id: &str, body: &str) -> String {
    format!(
        "<item id='{id}'><message xmlns='jabber:client' from='{JULIET}' to='{CONTACT}' type='chat' id='{body}'>\
         <body>{body}</body><delay xmlns='urn:xmpp:delay' stamp='{NOW}'/></message></item>"
    )
}

/// Answers the question for items of the own node; which were asked for.
fn serve_own(d: &mut Driver, on_it: &str) -> Vec<String> {
    for question in d.server_got() {
        let Some(asked) = question
            .find("pubsub/items")
            .filter(|it| !it.children.is_empty())
        else {
            continue;
        };
        let ids = asked
            .children
            .iter()
            .map(|it| it.value("id").to_owned())
            .collect();
        d.result(&question, &items(asked.value("node"), on_it));
        return ids;
    }
    Vec::new()
}

fn copies(d: &mut Driver) -> Vec<Node> {
    let mut sent = d.server_got();
    sent.retain(|it| it.local == "message");
    sent
}

#[test]
fn who_vanishes_right_after_finds_it_with_its_time() {
    let mut d = session();
    let ids = ["1", "2"].map(|body| published(&mut d, body));
    goes(&mut d, HIS, false);
    // A message written meanwhile does not overtake the copies.
    say(&mut d, "3");
    // ejabberd may list neighbours the other way round.
    let on_it = own_item(&ids[1], "2") + &own_item(&ids[0], "1");
    assert_eq!(serve_own(&mut d, &on_it), ids);
    let copies = copies(&mut d);
    let bodies: Vec<_> = copies.iter().map(|it| &*it.at("body").text).collect();
    assert_eq!(bodies, ["1", "2", "3"]);
    assert_eq!(copies[0].at("shim").value("item"), ids[0]);
    assert!(copies[0].at("shim").value("node").starts_with("chat/"));
    assert_eq!(copies[0].at("delay").value("stamp"), NOW);
    copies[0].assert_values(&[("to", CONTACT), ("id", "1")]);
    assert!(!copies[2].has("shim"));
}

#[test]
fn who_goes_before_the_answer_finds_it_too() {
    let mut d = session();
    first(&mut d);
    say(&mut d, "1");
    let publish = d.one_to_server();
    goes(&mut d, HIS, false);
    let asked = d.server_got();
    d.result(&publish, "");
    let question = asked.iter().find(|it| it.has("pubsub/items/item")).unwrap();
    let ids = question
        .at("pubsub/items")
        .children
        .iter()
        .map(|it| it.value("id").to_owned());
    let ids: Vec<_> = ids.collect();
    assert_eq!(ids.len(), 2);
    let on_it = own_item(&ids[0], "first") + &own_item(&ids[1], "1");
    d.result(question, &items("chat/x", &on_it));
    assert_eq!(copies(&mut d).len(), 2);
}

/// Rows: Romeo's stanza after the message, the seconds between them, whether he logs out cleanly, whether a copy goes.
#[test]
fn what_was_seen_is_not_copied() {
    let receipt = format!(
        "<message from='{HIS}' to='{JULIET}'><received xmlns='urn:xmpp:receipts' id='1'/></message>"
    );
    let typing = format!(
        "<message from='{HIS}' to='{JULIET}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
    );
    let stored = typing.replace(
        "<composing",
        "<delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z'/><composing",
    );
    let bounced = typing.replace("type='chat'", "type='error'");
    let nick = event_on(
        CONTACT,
        "http://jabber.org/protocol/nick",
        "<item id='current'/>",
    );
    let rows: [(&str, u64, bool, bool); 11] = [
        ("", 0, false, true),
        ("", 1000, false, false),
        // A client that logs out cleanly has seen messages that came some time before.
        ("", 0, true, true),
        ("", 60, true, false),
        (&receipt, 0, false, false),
        // This chat state may have crossed the message.
        (&typing, 1, false, true),
        (&typing, 11, false, false),
        (&stored, 11, false, true),
        (&bounced, 11, false, true),
        (&nick, 11, false, true),
        (
            &event_on(CONTACT, HIS_NODE, &his_item("9", OWN, NOW)),
            11,
            false,
            false,
        ),
    ];
    for (says, after, is_clean, is_copied) in rows {
        let mut d = session();
        // The clock of a replay begins with the session.
        d.advance(60);
        published(&mut d, "1");
        d.advance(after);
        d.server(says);
        d.forget();
        goes(&mut d, HIS, is_clean);
        let asks = d.server_got().iter().any(|it| it.has("pubsub/items/item"));
        assert_eq!(asks, is_copied, "{says} after {after} s, clean: {is_clean}");
    }
}

#[test]
fn while_another_shim_of_his_is_there_nothing_is_copied() {
    let mut d = session();
    arrives(&mut d, "romeo@montague.lit/desk", "chat='1'", "");
    published(&mut d, "1");
    goes(&mut d, HIS, false);
    assert!(!d.server_got().iter().any(|it| it.has("pubsub/items/item")));
    goes(&mut d, "romeo@montague.lit/desk", false);
    assert!(d.server_got().iter().any(|it| it.has("pubsub/items/item")));
}

#[test]
fn what_is_for_one_resource_is_copied_when_that_goes() {
    let mut d = session();
    arrives(&mut d, "romeo@montague.lit/desk", "chat='1'", "");
    d.client(&format!(
        "<message to='{HIS}' type='chat' id='1'><body>1</body></message>"
    ));
    answer_all(&mut d);
    goes(&mut d, HIS, false);
    assert!(d.server_got().iter().any(|it| it.has("pubsub/items/item")));
}

fn copy(item: &str, more: &str) -> String {
    format!(
        "<message from='{HIS}' to='{JULIET}' type='chat' id='m{item}'><body>{item}</body>{more}\
         <shim xmlns='urn:pubshim:0' node='{HIS_NODE}' item='{item}'/></message>"
    )
}

#[test]
fn a_copy_is_shown_once_and_without_the_name_of_its_item() {
    let mut d = session();
    d.server(&copy("1", ""));
    let message = d.one_to_client();
    assert_eq!(message.names(), ["body"]);
    d.server(&copy("1", ""));
    assert_eq!(d.client_bytes(), "");
    // The fetched item is the same message: only the other one is shown.
    serve(
        &mut d,
        &[his_item("1", OWN, NOW), his_item("2", OWN, NOW)].concat(),
    );
    assert_eq!(shown(&mut d), [format!("{HIS} 2")]);
}

#[test]
fn the_servers_copies_of_a_copy_are_seen_through() {
    let inner = |from: &str, to: &str| {
        format!(
            "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='{from}' to='{to}' type='chat'>\
             <body>1</body><shim xmlns='urn:pubshim:0' item='i1'/></message></forwarded>"
        )
    };
    for (word, from, to) in [
        ("sent", "juliet@capulet.lit/desk", CONTACT),
        ("received", HIS, "juliet@capulet.lit/desk"),
    ] {
        let mut d = session();
        first(&mut d);
        let carbon = format!(
            "<message from='{OWN}' to='{JULIET}' type='chat'><{word} xmlns='urn:xmpp:carbons:2'>{}</{word}></message>",
            inner(from, to)
        );
        d.server(&carbon);
        let message = d.one_to_client();
        assert_eq!(
            message.at(&format!("{word}/forwarded/message")).names(),
            ["body"]
        );
        d.server(&carbon);
        assert_eq!(d.client_bytes(), "", "{word}");
    }
}

#[test]
fn an_error_for_a_copy_is_not_the_clients() {
    let mut d = session();
    let id = published(&mut d, "1");
    goes(&mut d, HIS, false);
    serve_own(&mut d, &own_item(&id, "1"));
    d.forget();
    let bounce = |item: &str| {
        format!(
            "<message from='{CONTACT}' to='{JULIET}' type='error' id='1'><body>1</body><shim xmlns='urn:pubshim:0' \
             node='n' item='{item}'/>{}</message>",
            error("cancel", "service-unavailable")
        )
    };
    d.server(&bounce(&id));
    assert_eq!(d.client_bytes(), "");
    // The client has to learn of a message that only went natively.
    d.server(&bounce("other"));
    let shown = d.one_to_client();
    assert_eq!(shown.value("type"), "error");
    assert!(!shown.has("shim"));
}

#[test]
fn whoever_leaves_chats_native_never_sees_the_name() {
    use pubshim::session::Function;
    for native in [Function::Chat, Function::Presence] {
        let mut d = before(Options {
            native: vec![native],
            ..options()
        });
        d.client("<presence/>");
        d.forget();
        d.server(&copy("1", ""));
        assert_eq!(d.one_to_client().names(), ["body"], "{native:?}");
    }
}
