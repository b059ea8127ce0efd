//! Messages under `auto`: some are published, others go natively, all in order.

use super::*;

#[test]
fn a_message_after_the_first_is_one_request() {
    let mut d = session();
    first(&mut d);
    say(&mut d, "second");
    assert_eq!(sent(&mut d), ["publish second"]);
}

#[test]
fn what_is_published_keeps_all_it_holds() {
    let mut d = session();
    first(&mut d);
    d.client(&format!(
        "<message to='{CONTACT}' type='normal' id='1' xml:lang='it' q:a='b' xmlns:q='urn:q'><subject>S</subject>\
         <body>a&amp;b</body><thread parent='p'>t</thread><q:x/><request xmlns='urn:xmpp:receipts'/>\
         <markable xmlns='urn:xmpp:chat-markers:0'/><replace xmlns='urn:xmpp:message-correct:0' id='0'/>\
         <active xmlns='http://jabber.org/protocol/chatstates'/>\
         <encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted></message>"
    ));
    let publish = d.one_to_server();
    let message = publish.at("pubsub/publish/item/message");
    assert_eq!(
        message.names(),
        [
            "subject",
            "body",
            "thread",
            "x",
            "request",
            "markable",
            "replace",
            "active",
            "encrypted",
            "delay"
        ]
    );
    assert_eq!(
        [
            message.value("type"),
            message.value("{http://www.w3.org/XML/1998/namespace}lang")
        ],
        ["normal", "it"]
    );
    assert!(message.has("encrypted/header"));
}

/// Rows: who else is there and what the message is; the steps to that; whether it goes by publish or natively.
#[test]
fn only_what_everybody_would_see_is_published() {
    type Case = (&'static str, fn(&mut Driver), &'static str);
    let cases: [Case; 10] = [
        ("he alone, behind a shim", |_| {}, "publish"),
        (
            "his phone, too",
            |d| arrives(d, "romeo@montague.lit/phone", "none", ""),
            "native",
        ),
        (
            "another shim of his",
            |d| arrives(d, "romeo@montague.lit/desk", "chat='1'", ""),
            "publish",
        ),
        (
            "one that takes no chats",
            |d| arrives(d, "romeo@montague.lit/desk", "", ""),
            "native",
        ),
        (
            "her own phone",
            |d| arrives(d, "juliet@capulet.lit/phone", "none", ""),
            "native",
        ),
        (
            "another shim of hers",
            |d| arrives(d, "juliet@capulet.lit/desk", "chat='1'", ""),
            "publish",
        ),
        (
            "his phone, gone",
            |d| {
                arrives(d, "romeo@montague.lit/phone", "none", "");
                goes(d, "romeo@montague.lit/phone", false);
            },
            "publish",
        ),
        (
            "he wants nothing",
            |d| arrives(d, HIS, "chat='1'", "<priority>-1</priority>"),
            "native",
        ),
        ("he switches it off", |d| arrives(d, HIS, "", ""), "native"),
        ("he is not there", |d| goes(d, HIS, true), "native"),
    ];
    for (name, happens, expected) in cases {
        let mut d = session();
        happens(&mut d);
        d.forget();
        say(&mut d, "x");
        let became = sent(&mut d);
        assert_eq!(
            became.last().unwrap(),
            &format!("{expected} x"),
            "{name}: {became:?}"
        );
    }
}

#[test]
fn only_what_is_to_be_read_later_is_published() {
    let rows = [
        ("<body>x</body>", "publish"),
        ("<encrypted xmlns='urn:xmpp:omemo:2'/>", "publish"),
        ("<x xmlns='jabber:x:encrypted'>y</x>", "publish"),
        ("<openpgp xmlns='urn:xmpp:openpgp:0'>y</openpgp>", "publish"),
        (
            "<reactions xmlns='urn:xmpp:reactions:0' id='1'/><store xmlns='urn:xmpp:hints'/>",
            "publish",
        ),
        (
            "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
            "native",
        ),
        ("<received xmlns='urn:xmpp:receipts' id='1'/>", "native"),
        ("<body>x</body><no-store xmlns='urn:xmpp:hints'/>", "native"),
        (
            "<body>x</body><no-permanent-store xmlns='urn:xmpp:hints'/>",
            "native",
        ),
        ("<body>x</body><no-copy xmlns='urn:xmpp:hints'/>", "native"),
        (
            "<body>x</body><private xmlns='urn:xmpp:carbons:2'/>",
            "native",
        ),
    ];
    for (inside, expected) in rows {
        let mut d = session();
        first(&mut d);
        let message = format!("<message to='{CONTACT}' type='chat' id='1'>{inside}</message>");
        d.client(&message);
        let became = d.one_to_server();
        assert_eq!(became.local == "iq", expected == "publish", "{inside}");
        if expected == "native" {
            assert_eq!(became, Node::stanza(&message));
        }
    }
}

#[test]
fn what_goes_natively_passes_byte_for_byte() {
    let mut d = session();
    let rows = [
        format!("<message to='{CONTACT}' type='error' id='1'><body>x</body></message>"),
        format!("<message to='{CONTACT}' type='groupchat' id='1'><body>x</body></message>"),
        format!("<message to='{OWN}' type='chat'><body>x</body></message>"),
        "<message type='chat'><body>to myself</body></message>".to_owned(),
        format!("<message  to='{OWN}/desk'\n type='chat'><body>x</body></message>"),
        "<message to='montague.lit'><body>x</body></message>".to_owned(),
        format!("<message to='{OTHER}' type='chat'><body>x</body></message>"),
    ];
    for message in rows {
        d.client_passes(&message);
    }
}

#[test]
fn a_large_message_goes_natively() {
    let mut d = session();
    let body = "x".repeat(9_000);
    d.client(&format!(
        "<message to='{CONTACT}' type='chat'><body>{body}</body></message>"
    ));
    assert_eq!(d.one_to_server().local, "message");
}

#[test]
fn to_one_resource_it_is_published_while_that_is_there() {
    for (to, expected) in [
        (HIS, "publish"),
        ("romeo@montague.lit/desk", "native"),
        ("romeo@montague.lit/asleep", "native"),
    ] {
        let mut d = session();
        arrives(
            &mut d,
            "romeo@montague.lit/asleep",
            "chat='1'",
            "<priority>-5</priority>",
        );
        d.client(&format!(
            "<message to='{to}' type='chat'><body>x</body></message>"
        ));
        assert_eq!(
            sent(&mut d).last().unwrap(),
            &format!("{expected} x"),
            "{to}"
        );
    }
}

#[test]
fn nothing_overtakes_what_is_not_acknowledged() {
    let mut d = session();
    first(&mut d);
    say(&mut d, "1");
    let publish = d.one_to_server();
    let typing = format!(
        "<message to='{CONTACT}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"
    );
    d.client(&typing);
    say(&mut d, "2");
    say(&mut d, "3");
    assert_eq!(d.server_bytes(), "");
    // Messages to other people do not wait.
    d.client(&format!(
        "<message to='{OTHER}' type='chat'><body>x</body></message>"
    ));
    assert_eq!(sent(&mut d), ["native x"]);
    d.result(&publish, "");
    let went = d.server_got();
    assert_eq!(went[0], Node::stanza(&typing));
    assert_eq!(went.len(), 2);
    d.result(&went[1], "");
    assert_eq!(sent(&mut d), ["publish 3"]);
}

#[test]
fn what_the_server_refuses_goes_natively_in_its_place() {
    let mut d = session();
    first(&mut d);
    say(&mut d, "1");
    say(&mut d, "2");
    let publish = d.one_to_server();
    let item = publish.at("pubsub/publish/item").value("id").to_owned();
    d.error(&publish, "wait", "resource-constraint");
    let went = d.server_got();
    let copy = &went[0];
    copy.assert_values(&[("to", CONTACT), ("type", "chat"), ("id", "1")]);
    assert_eq!(copy.names(), ["body", "shim"]);
    assert_eq!(copy.at("shim").value("item"), item);
    assert!(went[1].has("pubsub/publish"));
    assert_eq!(shown(&mut d), [""; 0]);
}

#[test]
fn a_server_that_takes_no_nodes_gets_all_natively() {
    let mut d = session();
    say(&mut d, "1");
    for question in d.server_got() {
        match question.has("pubsub/publish") {
            // The server creates a node for the publish, but nobody can be subscribed to it.
            true => d.result(&question, ""),
            false => d.error(&question, "auth", "forbidden"),
        }
    }
    assert_eq!(sent(&mut d), ["delete", "native 1", "delete"]);
    say(&mut d, "last");
    assert_eq!(sent(&mut d), ["native last"]);
}

#[test]
fn of_what_comes_back_no_chat_state_is_told() {
    let mut d = session();
    first(&mut d);
    say(&mut d, "1");
    say(&mut d, "2");
    d.client(&format!(
        "<message to='{CONTACT}' type='chat' id='s'><gone xmlns='http://jabber.org/protocol/chatstates'/></message>"
    ));
    d.forget();
    d.server("</stream:stream>");
    // The server may have taken the message under way; the one behind it was not sent.
    let bytes = d.client_bytes();
    let back = Node::stream(bytes.trim_end_matches("</stream:stream>"));
    let ids: Vec<_> = back.iter().map(|it| it.value("id")).collect();
    assert_eq!(ids, ["2"]);
}

#[test]
fn what_is_not_answered_comes_back_and_is_not_sent_twice() {
    let mut d = session();
    first(&mut d);
    say(&mut d, "1");
    d.forget();
    d.advance(61);
    let error = d.one_to_client();
    error.assert_values(&[("type", "error"), ("from", CONTACT), ("id", "1")]);
    assert!(error.has("error/remote-server-timeout"));
    assert!(!sent(&mut d).contains(&"native 1".to_owned()));
}

#[test]
fn a_node_of_before_is_looked_at_first() {
    let own = format!("<node service='{OWN}' name='chat/mine'/>");
    let readers = |list: &[(&str, &str)]| {
        let entries: String = list
            .iter()
            .map(|(jid, state)| format!("<subscription jid='{jid}' subscription='{state}'/>"))
            .collect();
        format!(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><subscriptions node='chat/mine'>{entries}\
             </subscriptions></pubsub>"
        )
    };
    let setup = ["affiliations", "subscriptions", "subscribe", "publish x"];
    let rows = [
        (
            vec![(OWN, "subscribed"), (CONTACT, "subscribed")],
            vec!["publish x"],
        ),
        (vec![(OWN, "subscribed")], setup.to_vec()),
        // Another reader is subscribed: the shim gives the node up and creates a new one.
        (
            vec![
                (CONTACT, "subscribed"),
                ("tybalt@capulet.lit", "subscribed"),
            ],
            [&["create"], &setup[..]].concat(),
        ),
    ];
    for (list, expected) in rows {
        let mut d = with_record(&on_record(&own));
        d.server(&format!(
            "<presence from='{HIS}' to='{JULIET}'><shim xmlns='urn:pubshim:0' chat='1'/></presence>"
        ));
        let asked = d.server_got();
        let check = asked.iter().find(|it| it.has("pubsub/subscriptions"));
        let check = check.filter(|it| it.at("pubsub/subscriptions").value("node") == "chat/mine");
        // Meanwhile messages go natively.
        say(&mut d, "early");
        assert_eq!(sent(&mut d), ["native early"]);
        d.result(check.unwrap(), &readers(&list));
        d.forget();
        say(&mut d, "x");
        assert_eq!(sent(&mut d), expected, "{list:?}");
    }
    let mut d = with_record(&on_record(&own));
    d.server(&format!(
        "<presence from='{HIS}' to='{JULIET}'><shim xmlns='urn:pubshim:0' chat='1'/></presence>"
    ));
    let asked = d.server_got();
    let check = asked
        .iter()
        .find(|it| it.has("pubsub/subscriptions"))
        .unwrap();
    d.error(check, "cancel", "item-not-found");
    d.forget();
    say(&mut d, "x");
    assert_eq!(sent(&mut d)[0], "create");
}

#[test]
fn whoever_is_no_friend_any_more_reads_nothing_more() {
    let pushes = ["to", "from", "none", "remove"].map(|state| push(CONTACT, state));
    let blocked = format!(
        "<iq type='set' to='{JULIET}' from='{OWN}' id='b1'><block xmlns='urn:xmpp:blocking'><item jid='{CONTACT}'/>\
         </block></iq>"
    );
    for change in pushes.iter().chain([&blocked]) {
        let mut d = session();
        first(&mut d);
        d.server(change);
        let became = sent(&mut d);
        assert!(
            became.ends_with(&["subscriptions", "affiliations", "purge"].map(str::to_owned)),
            "{change}: {became:?}"
        );
        say(&mut d, "x");
        assert_eq!(sent(&mut d), ["native x"]);
    }
}

#[test]
fn what_waits_at_the_end_goes() {
    let mut d = session();
    first(&mut d);
    say(&mut d, "1");
    say(&mut d, "2");
    d.client(&format!("<message to='{CONTACT}' type='chat'><active xmlns='http://jabber.org/protocol/chatstates'/></message>"));
    let told = leave(&mut d);
    assert_eq!(in_words(&told), ["publish 1", "publish 2", "native "]);
}

#[test]
fn a_first_message_at_the_end_goes_both_ways() {
    let mut d = session();
    say(&mut d, "1");
    let all = leave(&mut d);
    let item = all.iter().find_map(|it| it.find("pubsub/publish/item"));
    let copy = all.iter().find(|it| it.local == "message").unwrap();
    // A shim at the other end shows the message once: the copy names the item.
    assert_eq!(copy.at("shim").value("item"), item.unwrap().value("id"));
    assert_eq!(copy.at("body").text, "1");
}

#[test]
fn an_invisible_client_publishes_nothing() {
    let mut d = session();
    d.client("<iq type='set' id='i'><invisible xmlns='urn:xmpp:invisible:1'/></iq>");
    d.forget();
    say(&mut d, "x");
    assert_eq!(sent(&mut d), ["native x"]);
}

#[test]
fn a_node_that_is_deleted_under_a_publish_is_not_trusted() {
    let mut d = session();
    first(&mut d);
    say(&mut d, "1");
    let publish = d.one_to_server();
    let node = publish.at("pubsub/publish").value("node").to_owned();
    d.server(&format!(
        "<message from='{OWN}' to='{OWN}' type='headline'><event \
         xmlns='http://jabber.org/protocol/pubsub#event'><delete node='{node}'/></event></message>"
    ));
    d.result(&publish, "");
    // The publish has made the deleted node anew.
    assert_eq!(sent(&mut d), ["native 1", "delete"]);
    say(&mut d, "2");
    assert_eq!(sent(&mut d)[0], "create");
}

#[test]
fn what_another_resource_writes_is_shown_as_its_copy() {
    let mut d = session();
    d.client("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    let passed = d.one_to_server();
    assert!(passed.has("enable"), "the server copies what goes natively");
    arrives(&mut d, "juliet@capulet.lit/desk", "chat='1'", "");
    let item = format!(
        "<item id='d1'><message xmlns='jabber:client' from='{OWN}/desk' to='{CONTACT}' type='chat' id='m'>\
         <body>from my desk</body><delay xmlns='urn:xmpp:delay' stamp='{NOW}'/></message></item>"
    );
    // ejabberd sends the event twice.
    for _ in 0..2 {
        d.server(&event_on(OWN, "chat/mine", &item));
    }
    let copy = d.one_to_client();
    assert_eq!([copy.value("from"), copy.value("to")], [OWN, JULIET]);
    let message = copy.at("sent/forwarded/message");
    message.assert_values(&[("from", "juliet@capulet.lit/desk"), ("to", CONTACT)]);
    assert_eq!(message.names(), ["body"]);
}

#[test]
fn the_echo_of_what_was_written_here_is_not_shown() {
    let mut d = session();
    d.client("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    d.forget();
    say(&mut d, "1");
    let asked = answer_all(&mut d);
    let publish = asked
        .iter()
        .find_map(|it| it.find("pubsub/publish"))
        .unwrap();
    let id = publish.at("item").value("id");
    let echo = format!(
        "<item id='{id}'><message xmlns='jabber:client' from='{JULIET}' to='{CONTACT}' type='chat' id='1'><body>1</body>\
         </message></item>"
    );
    d.server(&event_on(OWN, publish.value("node"), &echo));
    assert_eq!(shown(&mut d), [""; 0]);
}

#[test]
fn what_is_for_another_resource_is_its_own() {
    for (is_there, copies, expected) in [
        (true, false, vec![]),
        (true, true, vec![format!("{OWN} -")]),
        (false, false, vec![format!("{HIS} 1")]),
    ] {
        let mut d = session();
        if copies {
            d.client("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
        }
        if is_there {
            arrives(&mut d, "juliet@capulet.lit/desk", "chat='1'", "");
        }
        writes(&mut d, "0");
        serve(&mut d, &his_item("0", OWN, NOW));
        d.forget();
        let item = his_item("1", "juliet@capulet.lit/desk", NOW);
        d.server(&event_on(CONTACT, HIS_NODE, &item));
        assert_eq!(shown(&mut d), expected);
    }
}

#[test]
fn an_items_name_tells_which_one_came_before() {
    let mut d = session();
    let mut names = Vec::new();
    for body in ["first", "second", "third"] {
        say(&mut d, body);
        let asked = answer_all(&mut d);
        let published = asked.iter().filter_map(|it| it.find("pubsub/publish/item"));
        let messages = published.filter(|it| it.has("message"));
        names.extend(messages.map(|it| it.value("id").to_owned()));
    }
    let first = names[0].clone();
    assert_eq!(
        names,
        [first.clone(), format!("{first}#1"), format!("{first}#2")]
    );
}
