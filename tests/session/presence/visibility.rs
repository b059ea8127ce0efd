//! Hidden in any of the three ways, nothing is published; blocking ends a subscription.

use pubshim::session::{Event, Output, Policy, ServerFacts};

use crate::scenes::*;

const AWAY: &str = "<presence id='2'><show>away</show></presence>";

/// Ids of the published payloads, in order; `anew` for one that no native copy has.
fn publishes(sent: &[Node]) -> Vec<String> {
    let of_publish = sent.iter().filter(|iq| iq.has("pubsub/publish"));
    let ids = of_publish.map(|iq| changed(iq).value("id"));
    ids.map(|id| match id.starts_with("ps-") {
        true => "anew".to_owned(),
        false => id.to_owned(),
    })
    .collect()
}

/// Asserts that the client was taken back before what it said passed: unavailable published, then retracted.
#[track_caller]
fn assert_withdrawn(sent: &[Node]) {
    let [.., last, retract, _] = sent else {
        panic!("{sent:#?}")
    };
    assert_eq!(changed(last).value("type"), "unavailable");
    assert_eq!(retract.at("pubsub/retract/item").value("id"), "balcony");
}

fn invisible(version: u8, what: &str) -> String {
    format!("<iq type='set' id='v-{what}'><{what} xmlns='urn:xmpp:invisible:{version}'/></iq>")
}

fn server_answers(d: &mut Driver, id: &str, kind: &str, body: &str) {
    d.server(&format!("<iq type='{kind}' id='{id}'>{body}</iq>"));
}

const BLOCK: &str = "<block xmlns='urn:xmpp:blocking'><item jid='romeo@montague.lit'/></block>";

const REFUSED: &str = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";

#[test]
fn nothing_is_published_while_invisible() {
    for version in [0, 1] {
        let mut d = published();
        d.client(&invisible(version, "invisible"));
        let sent = d.server_got();
        assert_withdrawn(&sent);
        server_answers(&mut d, "v-invisible", "result", "");
        d.client(AWAY);
        let sent = d.server_got();
        assert_eq!(
            sent.len(),
            1,
            "only the native presence, which the server filters: {sent:#?}"
        );
        d.client(&invisible(version, "visible"));
        server_answers(&mut d, "v-visible", "result", "");
        let sent = d.server_got();
        assert_eq!(publishes(&sent), ["anew"]);
        let publish = sent.iter().find(|iq| iq.has("pubsub/publish")).unwrap();
        assert_eq!(
            changed(publish).at("show").text,
            "away",
            "what the client said last"
        );
    }
}

#[test]
fn what_is_said_after_asking_to_be_seen_has_its_copys_id() {
    let mut d = published();
    d.client(&invisible(1, "invisible"));
    server_answers(&mut d, "v-invisible", "result", "");
    d.client("<presence id='hidden'/>");
    d.client(&invisible(1, "visible"));
    d.client(AWAY);
    d.forget();
    server_answers(&mut d, "v-visible", "result", "");
    assert_eq!(publishes(&d.server_got()), ["2"]);
}

fn list(name: &str, items: &str) -> String {
    format!("<query xmlns='jabber:iq:privacy'><list name='{name}'>{items}</list></query>")
}

fn set(id: &str, query: &str) -> String {
    format!("<iq type='set' id='{id}'>{query}</iq>")
}

fn choose(what: &str, name: &str) -> String {
    format!("<query xmlns='jabber:iq:privacy'><{what} name='{name}'/></query>")
}

#[test]
fn a_list_that_denies_presence_to_anybody_hides() {
    for (items, hides) in [
        ("<item action='deny' order='1'><presence-out/></item>", true),
        ("<item action='deny' order='1'/>", true),
        (
            "<item type='jid' value='romeo@montague.lit' action='deny' order='1'><presence-out/></item>",
            true,
        ),
        (
            "<item type='jid' value='romeo@montague.lit' action='allow' order='1'/><item action='deny' order='2'><presence-out/></item>",
            true,
        ),
        ("<item action='deny' order='1'><message/></item>", false),
        ("<item action='deny' order='1'><presence-in/></item>", false),
        (
            "<item action='deny' order='2'><presence-out/></item><item action='allow' order='1'/>",
            false,
        ),
        ("", false),
    ] {
        let mut d = published();
        d.client(&set("l1", &list("special", items)));
        d.client(&set("l2", &choose("active", "special")));
        let sent = d.server_got();
        if hides {
            assert_withdrawn(&sent);
        } else {
            assert_eq!(sent.len(), 2, "{items}: {sent:#?}");
        }
        server_answers(&mut d, "l1", "result", "");
        server_answers(&mut d, "l2", "result", "");
        d.forget();
        d.client(&set(
            "l3",
            "<query xmlns='jabber:iq:privacy'><active/></query>",
        ));
        server_answers(&mut d, "l3", "result", "");
        let expected: &[&str] = if hides { &["anew"] } else { &[] };
        assert_eq!(publishes(&d.server_got()), expected, "{items}");
    }
}

#[test]
fn a_list_nobody_has_seen_hides_until_it_is_read() {
    let mut d = published();
    d.client(&set("l1", &choose("active", "other")));
    let sent = d.server_got();
    let get = sent
        .iter()
        .find(|iq| iq.has("query/list") && iq.value("type") == "get")
        .unwrap();
    assert_eq!(get.at("query/list").value("name"), "other");
    assert!(sent.iter().any(|iq| iq.has("pubsub/retract")));
    server_answers(&mut d, "l1", "result", "");
    d.result(get, &list("other", "<item action='allow' order='1'/>"));
    assert_eq!(publishes(&d.server_got()), ["anew"]);
}

/// A session that knows nothing of its server, after its first presence: its questions about all lists and its node.
fn asking() -> (Driver, Node, Node) {
    let mut d = Driver::logged_in_with(
        JULIET,
        options(Policy::Auto),
        &client_header("capulet.lit"),
        &server_header("capulet.lit"),
        ServerFacts::default(),
    );
    d.client("<presence id='1'/>");
    let [_, lists, config] = d.server_got().try_into().unwrap();
    (d, lists, config)
}

#[test]
fn a_default_list_hides_before_the_first_publish() {
    let (mut d, lists, config) = asking();
    assert_eq!(lists.at("query").children.len(), 0);
    d.result(&config, &ejabberd_node(&[]));
    assert_eq!(
        d.server_bytes(),
        "",
        "not before it is known who may see it"
    );
    d.result(
        &lists,
        "<query xmlns='jabber:iq:privacy'><default name='hidden'/><list name='hidden'/></query>",
    );
    let list_get = d.one_to_server();
    d.result(
        &list_get,
        &list(
            "hidden",
            "<item action='deny' order='1'><presence-out/></item>",
        ),
    );
    assert_eq!(d.server_bytes(), "");
    // The client chooses another list for this session.
    d.client(&set("l", &choose("active", "open")));
    let get = d.server_got().remove(0);
    d.result(&get, &list("open", "<item action='allow' order='1'/>"));
    assert_eq!(
        d.server_bytes(),
        "",
        "not before the server has agreed to it"
    );
    server_answers(&mut d, "l", "result", "");
    assert_eq!(publishes(&d.server_got()), ["1"]);
}

#[test]
fn a_server_without_lists_is_asked_once_for_all_sessions() {
    let (mut d, lists, config) = asking();
    d.forget();
    d.error(&lists, "cancel", "service-unavailable");
    assert_eq!(d.outputs(), [Output::Learned(facts())]);
    d.result(&config, &ejabberd_node(&[]));
    assert_eq!(publishes(&d.server_got()), ["1"]);
}

#[test]
fn who_is_blocked_is_subscribed_no_longer() {
    let mut d = published();
    d.keep(Question::Subscribers);
    d.client_passes(&set("b", BLOCK));
    server_answers(&mut d, "b", "result", "");
    let get = d.one_to_server();
    assert_eq!(get.at("pubsub/subscriptions").value("node"), "presence");
    // As Prosody lists them: no node on the list, one on each subscription.
    d.result(
        &get,
        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><subscriptions>\
         <subscription node='presence' jid='romeo@montague.lit' subscription='subscribed'/>\
         <subscription node='presence' jid='romeo@montague.lit/mobile' subscription='subscribed'/>\
         <subscription node='presence' jid='nurse@capulet.lit' subscription='subscribed'/></subscriptions></pubsub>",
    );
    // One request each: a server stops at the first error.
    let [bare, mobile, last] = d.server_got().try_into().unwrap();
    for (ended, jid) in [
        (&bare, "romeo@montague.lit"),
        (&mobile, "romeo@montague.lit/mobile"),
    ] {
        let ended = ended.at("pubsub/subscriptions/subscription");
        ended.assert_values(&[("jid", jid), ("subscription", "none")]);
    }
    let affiliation = last.at("pubsub/affiliations/affiliation");
    affiliation.assert_values(&[("jid", "romeo@montague.lit"), ("affiliation", "none")]);
    // The shim publishes nothing until a list confirms that he is out.
    d.client("<presence id='2'/>");
    assert_eq!(d.one_to_server().local, "presence");
    // Prosody answers this error, and removes him all the same.
    d.error(&last, "auth", "forbidden");
    for ended in [&bare, &mobile] {
        assert_eq!(d.server_bytes(), "");
        d.result(ended, "");
    }
    let verify = d.one_to_server();
    assert!(verify.has("pubsub/subscriptions"));
    d.result(
        &verify,
        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><subscriptions>\
         <subscription node='presence' jid='nurse@capulet.lit' subscription='subscribed'/></subscriptions></pubsub>",
    );
    assert!(d.one_to_server().has("pubsub/publish"));
}

#[test]
fn ejabberd_lists_nobody_and_is_told_the_account() {
    let mut d = published();
    d.keep(Question::Subscribers);
    d.client(&set("b", BLOCK));
    d.forget();
    server_answers(&mut d, "b", "result", "");
    let get = d.one_to_server();
    d.error(&get, "cancel", "feature-not-implemented");
    let [subscriptions, _] = d.server_got().try_into().unwrap();
    let ended = subscriptions.at("pubsub/subscriptions/subscription");
    ended.assert_values(&[("jid", "romeo@montague.lit"), ("subscription", "none")]);
}

#[test]
fn a_block_that_is_refused_ends_nothing() {
    let mut d = published();
    d.client(&set("b", BLOCK));
    d.forget();
    server_answers(&mut d, "b", "error", REFUSED);
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn a_status_behind_a_block_waits_for_the_revocation() {
    let status = "<presence id='2'><status>Gone</status></presence>";
    let mut d = published();
    d.keep(Question::Subscribers);
    // In one read: the block, then the status.
    d.client(&(set("b", BLOCK) + status));
    let sent = d.server_bytes();
    let native = "<presence id='2'><status>Gone</status><shim xmlns='urn:pubshim:0'/></presence>";
    assert_eq!(sent, set("b", BLOCK) + native);
    server_answers(&mut d, "b", "result", "");
    let get = d.one_to_server();
    let nobody =
        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><subscriptions/></pubsub>";
    d.result(&get, nobody);
    let affiliation = d.one_to_server();
    assert!(affiliation.has("pubsub/affiliations"));
    d.result(&affiliation, "");
    let verify = d.one_to_server();
    d.result(&verify, nobody);
    assert_eq!(publishes(&d.server_got()), ["2"]);
}

#[test]
fn a_status_behind_a_refused_block_is_published() {
    let mut d = published();
    d.client(&(set("b", BLOCK) + "<presence id='2'/>"));
    assert_eq!(publishes(&d.server_got()), [""; 0]);
    server_answers(&mut d, "b", "error", REFUSED);
    assert_eq!(publishes(&d.server_got()), ["2"]);
}

#[test]
fn a_status_behind_a_list_that_blocks_waits_too() {
    let item = "<item type='jid' value='romeo@montague.lit' action='deny' order='1'/>";
    let list = format!("<query xmlns='jabber:iq:privacy'><list name='l'>{item}</list></query>");
    let active = "<query xmlns='jabber:iq:privacy'><active name='l'/></query>";
    for (body, is_agreed) in [("", true), (REFUSED, false)] {
        let mut d = published();
        d.keep(Question::Subscribers);
        d.client(&set("l", &list));
        server_answers(&mut d, "l", "result", "");
        d.forget();
        d.client(&(set("a", active) + "<presence id='2'/>"));
        assert_eq!(publishes(&d.server_got()), [""; 0]);
        server_answers(
            &mut d,
            "a",
            if is_agreed { "result" } else { "error" },
            body,
        );
        let sent = d.server_got();
        match is_agreed {
            true => assert!(sent.len() == 1 && sent[0].has("pubsub/subscriptions")),
            false => assert_eq!(publishes(&sent), ["2"]),
        }
    }
}

#[test]
fn who_is_blocked_right_before_the_logout_is_out() {
    let mut d = published();
    d.client(&(set("b", BLOCK) + "</stream:stream>"));
    assert_out_before_logout(&mut d);
}

#[test]
fn more_blocks_than_are_remembered_hide_all_the_same() {
    let mut d = published();
    for n in 0..20 {
        d.client(&set(
            &format!("b{n}"),
            &BLOCK.replace("romeo", &format!("r{n}")),
        ));
    }
    for n in 4..20 {
        server_answers(&mut d, &format!("b{n}"), "error", REFUSED);
    }
    d.forget();
    d.client("<presence id='2'/>");
    assert_eq!(publishes(&d.server_got()), [""; 0]);
}

#[test]
fn an_answer_without_the_list_leaves_it_unknown() {
    for useless in ["", "<query xmlns='jabber:iq:privacy'/>", &list("third", "")] {
        let mut d = published();
        d.client(&set("l1", &choose("active", "other")));
        let sent = d.server_got();
        let get = sent.iter().find(|iq| iq.has("query/list")).unwrap();
        server_answers(&mut d, "l1", "result", "");
        d.forget();
        d.result(get, useless);
        let is_told = |event: &Event| matches!(event, Event::NotKnown { .. });
        assert!(d.tells(is_told), "{useless}");
        assert_eq!(d.server_bytes(), "", "{useless}");
        d.advance(3);
        let get = d.one_to_server();
        assert_eq!(get.at("query/list").value("name"), "other");
        d.result(&get, &list("other", ""));
        assert_eq!(publishes(&d.server_got()), ["anew"]);
    }
}

#[test]
fn of_many_lists_the_one_in_force_is_remembered() {
    let mut d = published();
    for n in 0..70 {
        let deny = "<item action='deny' order='1'/>";
        d.client(&set(&format!("s{n}"), &list(&format!("l{n}"), deny)));
        server_answers(&mut d, &format!("s{n}"), "result", "");
    }
    // The last one is changed before it is chosen.
    d.client(&set("s", &list("l69", "")));
    server_answers(&mut d, "s", "result", "");
    d.client(&set("a", &choose("active", "l69")));
    server_answers(&mut d, "a", "result", "");
    d.forget();
    d.client(AWAY);
    assert_eq!(publishes(&d.server_got()), ["2"]);
}

#[test]
fn what_is_asked_of_somebody_else_hides_nothing() {
    let active = choose("active", "l");
    for body in [BLOCK, &active, "<invisible xmlns='urn:xmpp:invisible:1'/>"] {
        for (to, is_own) in [("romeo@montague.lit", false), ("Juliet@Capulet.lit", true)] {
            let mut d = published();
            d.client(&set("b", body).replacen("id=", &format!("to='{to}' id="), 1));
            d.forget();
            d.client("<presence id='2'/>");
            let expected: &[&str] = if is_own { &[] } else { &["2"] };
            assert_eq!(publishes(&d.server_got()), expected, "{to}: {body}");
        }
    }
}

#[test]
fn a_block_that_is_not_answered_is_looked_up() {
    for (is_done, is_asked_twice) in [(true, false), (false, false), (false, true)] {
        let mut d = published();
        d.keep(Question::Blocklist);
        d.keep(Question::Subscribers);
        d.client(&(set("b", BLOCK) + "<presence id='2'/>"));
        d.forget();
        d.advance(59);
        assert_eq!(d.server_bytes(), "");
        d.advance(1);
        let mut ask = d.one_to_server();
        assert_eq!(ask.names(), ["blocklist"]);
        if is_asked_twice {
            d.error(&ask, "wait", "internal-server-error");
            let is_told = |event: &Event| matches!(event, Event::NotKnown { .. });
            assert!(d.tells(is_told));
            d.advance(3);
            ask = d.one_to_server();
        }
        let item = if is_done {
            "<item jid='romeo@montague.lit'/>"
        } else {
            ""
        };
        d.result(
            &ask,
            &format!("<blocklist xmlns='urn:xmpp:blocking'>{item}</blocklist>"),
        );
        let sent = d.server_got();
        match is_done {
            true => assert!(sent.len() == 1 && sent[0].has("pubsub/subscriptions")),
            false => assert_eq!(publishes(&sent), ["2"]),
        }
        d.advance(600);
        let sent = d.server_bytes();
        assert!(!sent.contains("blocklist"), "{sent}");
    }
}
