//! Messages written while the client was away.

use super::*;

/// Juliet's session, available, with this of Romeo's node on record; the node's items are asked for.
fn coming(last: &str) -> Driver {
    let mut d = before(options());
    d.client("<presence/>");
    open(&mut d, &romeo_on_record(last));
    d.client_bytes();
    d
}

fn at(minute: u32) -> String {
    format!("2026-11-29T11:{minute:02}:00Z")
}

fn three() -> String {
    ["1", "2", "3"]
        .map(|id| his_item(id, OWN, &at(id.parse().unwrap())))
        .concat()
}

#[test]
fn what_was_not_shown_is_shown_in_order() {
    let mut d = coming("item='1' stamp='2026-11-29T11:01:00Z'");
    serve(&mut d, &three());
    assert_eq!(shown(&mut d), [format!("{HIS} 2"), format!("{HIS} 3")]);
}

#[test]
fn what_was_written_before_the_login_has_its_time() {
    let mut d = before(options());
    d.session
        .set_epoch(std::time::Duration::from_secs(1_800_000_000));
    d.client("<presence/>");
    open(
        &mut d,
        &romeo_on_record("item='0' stamp='2026-11-29T10:00:00Z'"),
    );
    d.client_bytes();
    serve(&mut d, &three());
    assert_eq!(shown(&mut d)[0], format!("late {HIS} 1"));
}

#[test]
fn where_the_last_one_is_gone_its_time_counts() {
    let mut d = coming("item='gone' stamp='2026-11-29T12:02:00Z'");
    serve(&mut d, &three());
    assert_eq!(shown(&mut d), [format!("{HIS} 2"), format!("{HIS} 3")]);
}

#[test]
fn of_a_node_that_nothing_was_shown_of_all_is() {
    let mut d = coming("");
    serve(&mut d, &three());
    assert_eq!(shown(&mut d).len(), 3);
}

#[test]
fn without_a_record_no_old_conversation_comes_again() {
    let mut d = before(options());
    d.session
        .set_epoch(std::time::Duration::from_secs(1_795_953_600));
    d.client("<presence/>");
    for question in d.server_got() {
        match question.has("query") {
            true => d.result(&question, &account_info("")),
            false => d.error(&question, "wait", "internal-server-error"),
        }
    }
    d.client_bytes();
    arrives(&mut d, HIS, "chat='1'", "");
    writes(&mut d, "new");
    let on_it = [
        his_item("old", OWN, "2026-11-28T12:00:00Z"),
        his_item("new", OWN, "2026-11-29T12:20:00Z"),
    ];
    serve(&mut d, &on_it.concat());
    assert_eq!(shown(&mut d).len(), 1);
}

#[test]
fn what_is_on_record_was_shown_last() {
    let mut d = coming("item='1' stamp='2026-11-29T11:01:00Z'");
    let asked = d.server_got();
    let fetch = asked.iter().find(|it| is_fetch(it)).unwrap();
    d.result(fetch, &items(HIS_NODE, &three()));
    d.advance(31);
    for question in d.server_got() {
        if question.has("pubsub/configure") {
            d.result(
                &question,
                &ejabberd_node(&[("access_model", "whitelist"), ("purge_offline", "0")]),
            );
        }
    }
    let asked = d.server_got();
    let written = asked
        .iter()
        .find_map(|it| it.find("pubsub/publish/item"))
        .unwrap();
    assert_eq!(written.value("id"), CONTACT);
    let node = written.at("chat/node");
    node.assert_values(&[
        ("service", CONTACT),
        ("name", HIS_NODE),
        ("item", "3"),
        ("stamp", "2026-11-29T11:03:00Z"),
    ]);
}

#[test]
fn his_native_messages_wait_for_them() {
    let mut d = coming("item='1' stamp='2026-11-29T11:01:00Z'");
    let native = |body: &str, more: &str| {
        format!(
            "<message from='{HIS}' to='{JULIET}' type='chat'><body>{body}</body>{more}</message>"
        )
    };
    let copy = |item: &str| {
        native(
            item,
            &format!("<shim xmlns='urn:pubshim:0' item='{item}'/>"),
        )
    };
    d.server(&native("4", ""));
    // Copies of an item shown in the last session, and of one that is to be shown.
    d.server(&copy("1"));
    d.server(&copy("2"));
    // Messages of other people do not wait.
    d.server(&native("x", "").replace(CONTACT, OTHER));
    assert_eq!(shown(&mut d), ["benvolio@montague.lit/mobile x"]);
    serve(&mut d, &three());
    assert_eq!(
        shown(&mut d),
        ["2", "3", "4"].map(|it| format!("{HIS} {it}"))
    );
}

#[test]
fn his_native_messages_wait_five_seconds_at_most() {
    let mut d = coming("item='1'");
    d.server(&format!(
        "<message from='{HIS}' type='chat'><body>4</body></message>"
    ));
    assert_eq!(shown(&mut d), [""; 0]);
    d.advance(5);
    assert_eq!(shown(&mut d), [format!("{HIS} 4")]);
}

#[test]
fn what_comes_while_it_is_asked_is_not_lost() {
    let mut d = coming("item='1' stamp='2026-11-29T11:01:00Z'");
    writes(&mut d, "3");
    // The answer is older than the event.
    let two = ["1", "2"].map(|id| his_item(id, OWN, &at(1))).concat();
    serve(&mut d, &two);
    assert_eq!(shown(&mut d), [format!("{HIS} 2")]);
    serve(&mut d, &three());
    assert_eq!(shown(&mut d), [format!("{HIS} 3")]);
    assert!(!d.server_got().iter().any(is_fetch), "once more is enough");
}

#[test]
fn what_cannot_be_fetched_is_not_taken_as_shown() {
    let mut d = coming("item='1' stamp='2026-11-29T11:01:00Z'");
    let fetch = d.server_got().into_iter().find(is_fetch).unwrap();
    d.error(&fetch, "wait", "internal-server-error");
    writes(&mut d, "3");
    assert_eq!(shown(&mut d), [format!("{HIS} 3")]);
    d.forget();
    d.advance(31);
    let asked = d.server_got();
    assert!(!asked.iter().any(|it| it.has("pubsub/publish/item/chat")));
}

/// As after a block: ejabberd says that the node is closed, and announces it when somebody may read it again.
#[test]
fn what_is_on_a_node_that_was_closed_is_put_on_record_again() {
    let mut d = coming("item='1' stamp='2026-11-29T11:01:00Z'");
    let fetch = d.server_got().into_iter().find(is_fetch).unwrap();
    d.server(&format!(
        "<iq type='error' id='{}' from='{CONTACT}' to='{JULIET}'><error type='cancel'><closed-node \
         xmlns='http://jabber.org/protocol/pubsub#errors'/><not-allowed \
         xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
        fetch.value("id")
    ));
    d.server(&format!(
        "<message from='{CONTACT}' to='{OWN}'><event xmlns='http://jabber.org/protocol/pubsub#event'><subscription \
         subscription='subscribed' node='{HIS_NODE}' jid='{OWN}'/></event></message>"
    ));
    writes(&mut d, "2");
    serve(&mut d, &his_item("2", OWN, NOW));
    assert_eq!(shown(&mut d), [format!("{HIS} 2")]);
    assert_eq!(last_on_record(&mut d).as_deref(), Some("2"));
}

#[test]
fn who_comes_back_is_shown_what_came_meanwhile() {
    for (away, back) in [
        ("<presence type='unavailable'/>", "<presence/>"),
        (
            "<presence><priority>-1</priority></presence>",
            "<presence/>",
        ),
    ] {
        let mut d = coming("item='1' stamp='2026-11-29T11:01:00Z'");
        serve(&mut d, &three());
        d.forget();
        d.client(away);
        d.forget();
        d.client(back);
        tell_record(&mut d, "item='3' stamp='2026-11-29T11:03:00Z'");
        let more = three() + &his_item("4", OWN, NOW);
        serve(&mut d, &more);
        assert_eq!(shown(&mut d), [format!("{HIS} 4")], "{away}");
    }
}

/// Answers the question for the record: Romeo's node, and its item that was shown last.
fn tell_record(d: &mut Driver, last: &str) {
    let asked = d.server_got();
    let is_it = |it: &&Node| {
        let items = it.find("pubsub/items");
        items.is_some_and(|it| it.value("node") == "urn:pubshim:chats")
    };
    let question = asked.iter().find(is_it).unwrap();
    d.result(
        question,
        &items("urn:pubshim:chats", &romeo_on_record(last)),
    );
}

/// Another resource of hers records Romeo's node, and the last item that it was shown of it.
fn put_on_record(d: &mut Driver, item: &str, stamp: &str) {
    let record = romeo_on_record(&format!("item='{item}' stamp='{stamp}'"));
    d.server(&event_on(OWN, "urn:pubshim:chats", &record));
    assert_eq!(d.client_bytes(), "");
}

/// The item recorded last for Romeo's node when the session ends.
fn last_on_record(d: &mut Driver) -> Option<String> {
    let told = leave(d);
    let items = told
        .iter()
        .filter_map(|it| it.find("pubsub/publish/item/chat"));
    let mut nodes = items.flat_map(|it| &it.children);
    let his = nodes.find(|it| it.value("name") == HIS_NODE)?;
    his.attribute("item").map(str::to_owned)
}

#[test]
fn who_comes_back_learns_what_others_were_shown_meanwhile() {
    let mut d = with_record("");
    d.client("<presence type='unavailable'/>");
    d.forget();
    d.client("<presence/>");
    tell_record(&mut d, "item='2' stamp='2026-11-29T11:02:00Z'");
    // The fetched item is shown before any other message of his.
    d.server(&format!(
        "<message from='{HIS}' to='{JULIET}' type='chat'><body>4</body></message>"
    ));
    assert_eq!(shown(&mut d), [""; 0]);
    serve(&mut d, &three());
    assert_eq!(shown(&mut d), [format!("{HIS} 3"), format!("{HIS} 4")]);
}

#[test]
fn what_another_resource_was_shown_is_not_taken_off_the_record() {
    for (last, expected) in [
        (("9", "2026-11-29T11:59:00Z"), "9"),
        (("0", "2026-11-29T11:00:00Z"), "3"),
        // Items of the same second.
        (("9", "2026-11-29T11:03:00Z"), "9"),
        (("2", "2026-11-29T11:03:00Z"), "3"),
    ] {
        let mut d = coming("item='1' stamp='2026-11-29T11:01:00Z'");
        serve(&mut d, &three());
        shown(&mut d);
        put_on_record(&mut d, last.0, last.1);
        assert_eq!(last_on_record(&mut d).as_deref(), Some(expected));
    }
}

/// Two resources write at once, and the older item comes last: the other resource writes its own once more.
#[test]
fn what_another_resource_has_overwritten_is_written_again() {
    let mut d = coming("item='3' stamp='2026-11-29T11:03:00Z'");
    serve(&mut d, &three());
    d.forget();
    put_on_record(&mut d, "1", "2026-11-29T11:01:00Z");
    assert_eq!(last_on_record(&mut d).as_deref(), Some("3"));
    // Items of the same second count as equal: neither resource writes again.
    let mut d = coming("item='3' stamp='2026-11-29T11:03:00Z'");
    serve(&mut d, &three());
    d.forget();
    put_on_record(&mut d, "2", "2026-11-29T11:03:00Z");
    assert_eq!(last_on_record(&mut d), None);
}

#[test]
fn the_peers_node_is_followed_before_the_first_is_written() {
    let mut d = coming("item='1' stamp='2026-11-29T11:01:00Z'");
    serve(&mut d, &three());
    d.advance(31);
    for question in d.server_got() {
        if question.has("pubsub/configure") {
            let options = [("access_model", "whitelist"), ("purge_offline", "0")];
            d.result(&question, &ejabberd_node(&options));
        }
    }
    let asked = d.server_got();
    let actions: Vec<_> = asked
        .iter()
        .filter_map(|it| it.find("pubsub")?.children.first())
        .filter(|it| it.value("node") == "urn:pubshim:chats")
        .map(|it| &*it.local)
        .collect();
    assert_eq!(actions, ["subscribe", "publish"]);
}

#[test]
fn who_steps_back_has_put_on_record_what_was_shown() {
    for away in [
        "<presence type='unavailable'/>",
        "<presence><priority>-1</priority></presence>",
    ] {
        let mut d = coming("item='1' stamp='2026-11-29T11:01:00Z'");
        serve(&mut d, &three());
        for question in d.server_got() {
            if question.has("pubsub/configure") {
                let options = [("access_model", "whitelist"), ("purge_offline", "0")];
                d.result(&question, &ejabberd_node(&options));
            }
        }
        d.forget();
        d.client(away);
        let written = d.server_got();
        let is_record = |it: &Node| it.has("pubsub/publish/item/chat");
        assert!(written.iter().any(is_record), "{away}: {written:#?}");
    }
}

#[test]
fn who_wants_nothing_is_shown_nothing() {
    let mut d = before(options());
    d.client("<presence><priority>-1</priority></presence>");
    open(
        &mut d,
        &romeo_on_record("item='1' stamp='2026-11-29T11:01:00Z'"),
    );
    assert!(!d.server_got().iter().any(is_fetch));
}

#[test]
fn a_first_message_is_shown_though_its_node_was_not_known() {
    let mut d = session();
    writes(&mut d, "2");
    serve(
        &mut d,
        &(his_item("1", OWN, &at(1)) + &his_item("2", OWN, NOW)),
    );
    assert_eq!(shown(&mut d), [format!("{HIS} 1"), format!("{HIS} 2")]);
    // ejabberd announces the node, and keeps that for who is away.
    let mut d = session();
    d.server(&format!(
        "<message from='{CONTACT}' to='{OWN}'><event xmlns='http://jabber.org/protocol/pubsub#event'><subscription \
         subscription='subscribed' node='{HIS_NODE}' jid='{OWN}'/></event></message>"
    ));
    assert_eq!(d.client_bytes(), "");
    serve(&mut d, &his_item("1", OWN, NOW));
    assert_eq!(shown(&mut d), [format!("{HIS} 1")]);
}

#[test]
fn what_comes_by_itself_has_no_time_however_it_was_found() {
    let mut d = session();
    // Both were written in the second of the login.
    let stamp = "1970-01-01T00:16:40Z";
    d.server(&event_on(CONTACT, HIS_NODE, &his_item("2", OWN, stamp)));
    serve(
        &mut d,
        &["1", "2"].map(|id| his_item(id, OWN, stamp)).concat(),
    );
    assert_eq!(shown(&mut d), [format!("late {HIS} 1"), format!("{HIS} 2")]);
}

#[test]
fn a_roster_that_is_not_known_lets_nothing_be_shown() {
    let mut d = before(options());
    d.account.roster = None;
    d.client("<presence/>");
    open(&mut d, &romeo_on_record("item='1'"));
    writes(&mut d, "2");
    assert!(!d.server_got().iter().any(is_fetch));
    assert_eq!(d.client_bytes(), "");
}

/// An event was lost between two servers. Rows: the id of the next item, and whether the node's items are fetched.
#[test]
fn what_was_lost_on_its_way_is_shown_before_what_follows_it() {
    let cases = [
        ("a#3", true),
        ("a#2", false),
        ("b", false),
        ("b#0", false),
        ("b#1", true),
        ("b#two", false),
    ];
    for (item, is_fetched) in cases {
        let mut d = coming("item='a' stamp='2026-11-29T11:01:00Z'");
        let known = ["a", "a#1"].map(|id| his_item(id, OWN, NOW)).concat();
        serve(&mut d, &known);
        assert_eq!(shown(&mut d), [format!("{HIS} a#1")]);
        d.forget();
        writes(&mut d, item);
        if !is_fetched {
            assert_eq!(shown(&mut d), [format!("{HIS} {item}")]);
            assert!(!d.server_got().iter().any(is_fetch), "{item}");
            continue;
        }
        assert_eq!(shown(&mut d), [""; 0], "{item}");
        let lost = his_item("lost", OWN, NOW) + &his_item(item, OWN, NOW);
        serve(&mut d, &(known + &lost));
        assert_eq!(
            shown(&mut d),
            ["lost", item].map(|it| format!("{HIS} {it}"))
        );
        assert!(!d.server_got().iter().any(is_fetch), "once is enough");
    }
}

#[test]
fn what_was_for_another_resource_was_not_lost() {
    let mut d = coming("item='a' stamp='2026-11-29T11:01:00Z'");
    serve(&mut d, &his_item("a", OWN, NOW));
    arrives(&mut d, "juliet@capulet.lit/desk", "chat='1'", "");
    let for_the_desk = his_item("a#1", "juliet@capulet.lit/desk", NOW);
    d.server(&event_on(CONTACT, HIS_NODE, &for_the_desk));
    writes(&mut d, "a#2");
    assert_eq!(shown(&mut d), [format!("{HIS} a#2")]);
    assert!(!d.server_got().iter().any(is_fetch));
}

#[test]
fn who_always_says_that_something_was_lost_is_not_believed() {
    let mut d = coming("item='a' stamp='2026-11-29T11:01:00Z'");
    serve(&mut d, &his_item("a", OWN, NOW));
    d.forget();
    let mut fetches = 0;
    for number in 0..200 {
        let item = format!("b{number}#1");
        writes(&mut d, &item);
        d.advance(1);
        if let Some(fetch) = d.server_got().iter().find(|it| is_fetch(it)) {
            fetches += 1;
            d.result(fetch, &items(HIS_NODE, &his_item(&item, OWN, NOW)));
        }
        assert_eq!(shown(&mut d), [format!("{HIS} {item}")]);
    }
    assert!((1..100).contains(&fetches), "{fetches}");
}
