//! Two events that meet: a wait and an end, a wait and a change of who is there, a wait and a limit.

use pubshim::session::{Input, Leg};

use super::*;

/// A native message of Romeo's.
fn native(body: &str) -> String {
    format!("<message from='{HIS}' to='{JULIET}' type='chat'><body>{body}</body></message>")
}

/// Juliet's session with Romeo's node on record, and this of him in her roster; the node's items may be asked for.
fn reading_as(subscription: &str, presence: &str) -> Driver {
    let mut d = before(options());
    d.account = Account::with(&[(CONTACT, subscription)]);
    d.client(presence);
    open(&mut d, &romeo_on_record("item='1'"));
    d.client_bytes();
    d
}

#[test]
fn however_many_wait_they_stay_in_order() {
    let mut d = reading_as("both", "<presence/>");
    for n in 0..100 {
        d.server(&native(&n.to_string()));
    }
    serve(&mut d, "");
    let expected: Vec<_> = (0..100).map(|n| format!("{HIS} {n}")).collect();
    assert_eq!(shown(&mut d), expected);
}

#[test]
fn a_peer_whose_messages_wait_does_not_stop_others() {
    let mut d = reading_as("both", "<presence/>");
    arrives(&mut d, HIS, "chat='1'", "");
    say(&mut d, "1");
    for _ in 0..20 {
        d.server(&native(&"x".repeat(100_000)));
    }
    d.client_bytes();
    say(&mut d, "2");
    assert_eq!(shown(&mut d), [""; 0]);
}

#[test]
fn whose_node_is_not_read_is_shown_at_once() {
    for (subscription, presence) in [
        ("to", "<presence/>"),
        ("none", "<presence/>"),
        ("both", "<presence><priority>-1</priority></presence>"),
    ] {
        let mut d = reading_as(subscription, presence);
        d.server(&native("4"));
        assert_eq!(shown(&mut d), [format!("{HIS} 4")], "{subscription}");
    }
}

#[test]
fn what_has_waited_is_shown_to_a_client_that_leaves() {
    let ends: [fn(&mut Driver); 4] = [
        |d| d.client("</stream:stream>"),
        |d| d.server("</stream:stream>"),
        |d| d.input(Input::Eof(Leg::Server)),
        |d| d.input(Input::Shutdown),
    ];
    for (n, end) in ends.into_iter().enumerate() {
        let mut d = reading_as("both", "<presence/>");
        d.server(&native("4"));
        assert_eq!(d.client_bytes(), "");
        end(&mut d);
        let told = d.client_bytes();
        assert!(told.contains("<body>4</body>"), "{n}: {told}");
    }
}

#[test]
fn what_comes_after_the_client_has_closed_waits_for_nothing() {
    let mut d = reading_as("both", "<presence/>");
    d.client("</stream:stream>");
    d.client_bytes();
    d.server(&native("4"));
    assert!(d.client_bytes().contains("<body>4</body>"));
}

#[test]
fn a_node_first_named_by_what_has_waited_is_read_at_once() {
    let mut d = reading_as("both", "<presence/>");
    d.server(&format!(
        "<message from='{HIS}' to='{JULIET}' type='chat'><body>x</body><shim xmlns='urn:pubshim:0' \
         node='chat/other' item='i'/></message>"
    ));
    d.server_got();
    d.advance(5);
    assert_eq!(shown(&mut d), [format!("{HIS} x")]);
    let asked = d.server_got();
    let nodes: Vec<_> = asked
        .iter()
        .filter_map(|it| it.find("pubsub/items"))
        .map(|it| it.value("node"))
        .collect();
    assert_eq!(nodes, ["chat/other"]);
}

#[test]
fn what_waits_goes_where_it_is_seen_by_then() {
    type Change = fn(&mut Driver);
    let changes: [(&str, Change); 4] = [
        ("no friend any more", |d| d.server(&push(CONTACT, "to"))),
        ("his phone", |d| {
            arrives(d, "romeo@montague.lit/phone", "none", "");
        }),
        ("her phone", |d| {
            arrives(d, "juliet@capulet.lit/phone", "none", "");
        }),
        ("hidden", |d| {
            d.client("<iq type='set' id='i'><invisible xmlns='urn:xmpp:invisible:1'/></iq>");
        }),
    ];
    for (name, change) in changes {
        let mut d = session();
        first(&mut d);
        say(&mut d, "1");
        say(&mut d, "2");
        let publish = d.one_to_server();
        change(&mut d);
        d.forget();
        d.result(&publish, "");
        let said = sent(&mut d);
        assert_eq!(said.last().unwrap(), "native 2", "{name}: {said:?}");
    }
}

#[test]
fn however_much_waits_at_the_end_it_goes() {
    let mut d = session();
    first(&mut d);
    let all: Vec<_> = (0..65).map(|n| n.to_string()).collect();
    for body in &all {
        say(&mut d, body);
    }
    d.input(Input::Shutdown);
    let bytes = d.server_bytes();
    let told = bytes.strip_suffix("</stream:stream>").unwrap();
    let told = in_words(&Node::stream(told));
    let bodies: Vec<_> = told.iter().map(|it| it.split(' ').next_back()).collect();
    assert_eq!(bodies, all.iter().map(|it| Some(&**it)).collect::<Vec<_>>());
}

#[test]
fn a_first_message_goes_once_however_the_client_ends() {
    let mut d = session();
    say(&mut d, "1");
    d.client("<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>");
    let bytes = d.server_bytes();
    assert_eq!(bytes.matches("<body>1</body>").count(), 2, "{bytes}");
}

#[test]
fn whoever_says_much_at_once_is_not_refused() {
    let mut d = session();
    first(&mut d);
    let all: Vec<_> = (0..300).map(|n| n.to_string()).collect();
    for body in &all {
        say(&mut d, body);
    }
    let mut told = Vec::new();
    for _ in 0..400 {
        let asked = d.server_got();
        told.extend(in_words(&asked));
        for question in asked.iter().filter(|it| is_question(it)) {
            d.result(question, "");
        }
    }
    assert_eq!(shown(&mut d), [""; 0]);
    let expected: Vec<_> = all.iter().map(|it| format!("publish {it}")).collect();
    assert_eq!(told, expected);
}

#[test]
fn what_waits_behind_a_full_conversation_goes_before_the_end() {
    let ends: [fn(&mut Driver); 2] = [
        |d| d.client("</stream:stream>"),
        |d| d.input(Input::Eof(Leg::Client)),
    ];
    for end in ends {
        let mut d = session();
        first(&mut d);
        let all: Vec<_> = (0..100).map(|n| n.to_string()).collect();
        for body in &all {
            say(&mut d, body);
        }
        end(&mut d);
        let mut told = Vec::new();
        for _ in 0..100 {
            let bytes = d.server_bytes();
            let asked = Node::stream(bytes.strip_suffix("</stream:stream>").unwrap_or(&bytes));
            told.extend(in_words(&asked));
            for question in asked.iter().filter(|it| is_question(it)) {
                d.result(question, "");
            }
        }
        let bodies: Vec<_> = told.iter().map(|it| it.split(' ').next_back()).collect();
        assert_eq!(bodies, all.iter().map(|it| Some(&**it)).collect::<Vec<_>>());
    }
}

#[test]
fn what_waits_behind_a_first_presence_goes_before_a_shutdown() {
    let mut d = before(options());
    d.client(&format!(
        "<presence/><message to='{CONTACT}' type='chat'><body>x</body></message>"
    ));
    d.forget();
    d.input(Input::Shutdown);
    let bytes = d.server_bytes();
    assert_has(&bytes, "<body>x</body>");
}

#[test]
fn what_came_while_it_could_not_be_fetched_is_shown() {
    for answer in ["error", "none"] {
        let mut d = session();
        writes(&mut d, "1");
        writes(&mut d, "2");
        match answer {
            "error" => {
                let asked = d.server_got();
                let fetch = asked.iter().find(|it| is_fetch(it)).unwrap();
                d.error(fetch, "wait", "internal-server-error");
            }
            _ => d.advance(120),
        }
        assert_eq!(
            shown(&mut d),
            [format!("{HIS} 1"), format!("{HIS} 2")],
            "{answer}"
        );
    }
}

#[test]
fn a_peer_cannot_make_the_record_too_large_for_the_server() {
    let mut d = with_record(" ");
    arrives(&mut d, HIS, "chat='1'", "");
    let mut longest = 0;
    for n in 0..20 {
        let node = format!("chat/{n}{}", "&apos;".repeat(1000));
        let item = his_item(&format!("{n}{}", "&apos;".repeat(2900)), OWN, NOW);
        d.server(&event_on(CONTACT, &node, &item));
        for _ in 0..10 {
            let sent = d.server_bytes();
            let lengths = sent.split("</iq>").map(str::len);
            longest = lengths.chain([longest]).max().unwrap();
            for question in Node::stream(&sent) {
                let about = question.find("pubsub").map(|it| &it.children[0]);
                let form = [("access_model", "whitelist"), ("purge_offline", "0")];
                match about.map_or("", |it| &it.local) {
                    "configure" => d.result(&question, &ejabberd_node(&form)),
                    "items" => d.result(&question, &items(&node, &item)),
                    _ => d.result(&question, ""),
                }
            }
            d.advance(30);
        }
    }
    assert!(longest < 10_000, "{longest}");
}

#[test]
fn strangers_do_not_hide_who_is_there() {
    let mut d = session();
    for n in 0..17 {
        let presence = |m| format!("<presence from='a{m}@evil.lit/x' to='{JULIET}'/>");
        let all: String = (n * 1000..(n + 1) * 1000).map(presence).collect();
        d.server(&all);
        d.forget();
    }
    arrives(&mut d, "juliet@capulet.lit/phone", "none", "");
    say(&mut d, "x");
    assert_eq!(sent(&mut d), ["native x"]);
}

#[test]
fn a_node_that_is_in_use_is_not_given_up_for_one_of_before() {
    let mut d = before(options());
    d.client("<presence/>");
    let asked = d.server_got();
    let info = asked.iter().find(|it| it.has("query")).unwrap();
    d.result(info, &account_info(""));
    d.advance(5);
    arrives(&mut d, HIS, "chat='1'", "");
    first(&mut d);
    let record = asked.iter().find(|it| it.has("pubsub/items")).unwrap();
    let before = on_record(&format!("<node service='{OWN}' name='chat/mine'/>"));
    d.result(record, &items("urn:pubshim:chats", &before));
    d.forget();
    say(&mut d, "second");
    assert_eq!(sent(&mut d), ["publish second"]);
}

#[test]
fn strangers_who_come_before_the_roster_take_nobodys_place() {
    let mut d = before(options());
    d.keep(Question::Roster);
    d.client("<presence/>");
    let asked = d.server_got();
    for question in &asked {
        if question.has("query") && question.attribute("to") == Some(OWN) {
            d.result(question, &account_info(""));
        } else if question.has("pubsub/items") {
            d.result(question, &items("urn:pubshim:chats", " "));
        }
    }
    for n in 0..1100 {
        let item = his_item("s", OWN, NOW);
        d.server(&event_on(&format!("a{n}@evil.lit"), "chat/x", &item));
    }
    let asked = [asked, d.server_got()].concat();
    let is_roster = |it: &Node| {
        it.find("query")
            .is_some_and(|it| it.namespace == "jabber:iq:roster")
    };
    let roster = asked.iter().find(|it| is_roster(it));
    let known = format!(
        "<query xmlns='jabber:iq:roster'><item jid='{CONTACT}' subscription='both'/></query>"
    );
    d.result(roster.unwrap(), &known);
    d.forget();
    writes(&mut d, "1");
    serve(&mut d, &his_item("1", OWN, NOW));
    assert_eq!(shown(&mut d), [format!("{HIS} 1")]);
    d.advance(31);
    let written = d.server_bytes();
    assert!(!written.contains("evil.lit"), "{written}");
}

#[test]
fn a_peer_cannot_have_his_node_fetched_without_end() {
    let mut d = session();
    writes(&mut d, "0");
    let mut asked = 0;
    for n in 0..1000 {
        d.server(&native(&n.to_string()));
        let fetch = d.server_got().into_iter().find(is_fetch);
        let Some(fetch) = fetch else {
            break;
        };
        asked += 1;
        // An unusable item is not shown, so no fetched item matches it.
        d.server(&event_on(
            CONTACT,
            HIS_NODE,
            &format!("<item id='{n}'><message xmlns='jabber:client'/></item>"),
        ));
        d.result(&fetch, &items(HIS_NODE, ""));
    }
    assert!(asked < 200, "{asked}");
}

#[test]
fn a_node_that_could_not_be_opened_keeps_what_is_on_it() {
    let mut d = with_record(&on_record(&format!(
        "<node service='{OWN}' name='chat/mine'/>"
    )));
    d.server(&marked(HIS).replace("'urn:pubshim:0'", "'urn:pubshim:0' chat='1'"));
    let asked = d.server_got();
    let check = asked.iter().find(|it| it.has("pubsub/subscriptions"));
    d.error(check.unwrap(), "cancel", "feature-not-implemented");
    d.forget();
    say(&mut d, "1");
    for question in d.server_got().iter().filter(|it| is_question(it)) {
        match question.has("pubsub/publish") {
            true => d.result(question, ""),
            false => d.error(question, "wait", "internal-server-error"),
        }
    }
    let became = sent(&mut d);
    assert_eq!(became, ["native 1"]);
}

#[test]
fn what_could_not_be_fetched_is_when_he_is_there_again() {
    let mut d = session();
    writes(&mut d, "1");
    let fetch = d.server_got().into_iter().find(is_fetch).unwrap();
    d.error(&fetch, "wait", "remote-server-timeout");
    assert_eq!(shown(&mut d), [format!("{HIS} 1")]);
    d.server(&marked(HIS));
    let all = his_item("0", OWN, NOW) + &his_item("1", OWN, NOW);
    serve(&mut d, &all);
    assert_eq!(shown(&mut d), [format!("{HIS} 0")]);
}

#[test]
fn what_an_answer_lacks_is_shown_if_the_next_question_fails() {
    let mut d = session();
    writes(&mut d, "1");
    let fetch = d.server_got().into_iter().find(is_fetch).unwrap();
    writes(&mut d, "2");
    d.result(&fetch, &items(HIS_NODE, &his_item("1", OWN, NOW)));
    let fetch = d.server_got().into_iter().find(is_fetch).unwrap();
    d.error(&fetch, "wait", "internal-server-error");
    assert_eq!(shown(&mut d), [format!("{HIS} 1"), format!("{HIS} 2")]);
}
