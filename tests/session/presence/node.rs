//! The node `presence` is made and verified before anything is published to it.

use pubshim::session::{Event, Input, Output, Policy, ServerFacts};

use crate::scenes::*;

/// A session whose client has become available; the first question about the node.
fn asking(facts: ServerFacts) -> (Driver, Node) {
    let (client, server) = (client_header("capulet.lit"), server_header("capulet.lit"));
    let mut d = Driver::logged_in_with(JULIET, options(Policy::Auto), &client, &server, facts);
    d.client("<presence id='1'/>");
    let get = d.one_behind_presence();
    assert_is_get(&get);
    (d, get)
}

#[track_caller]
fn assert_is_create(iq: &Node, access: &str) {
    assert_eq!(iq.value("type"), "set", "{iq:#?}");
    let pubsub = iq.at("pubsub");
    assert_eq!(
        (&*pubsub.namespace, pubsub.names()),
        (PUBSUB, vec!["create", "configure"])
    );
    assert_eq!(pubsub.at("create").value("node"), "presence");
    let fields = pubsub.fields();
    assert_eq!(fields["pubsub#access_model"], access);
    assert_eq!(
        fields["FORM_TYPE"],
        "http://jabber.org/protocol/pubsub#node_config"
    );
}

/// Asserts that the function was given up, that the client is not bothered, and that native presence goes on.
#[track_caller]
fn assert_unusable(d: &mut Driver) {
    let is_unusable = |e: &Event| {
        matches!(
            e,
            Event::NodeUnusable {
                node: "presence",
                ..
            }
        )
    };
    assert!(d.tells(is_unusable));
    d.assert_silent();
    d.client("<presence id='n'/>");
    let native = d.one_to_server();
    assert_eq!((&*native.local, native.value("id")), ("presence", "n"));
    d.client_passes("</stream:stream>");
}

#[test]
fn where_authorize_is_refused_it_is_whitelist() {
    let (mut d, get) = asking(facts());
    d.error(&get, "cancel", "item-not-found");
    let create = d.one_to_server();
    d.error(&create, "modify", "not-acceptable");
    assert_eq!(
        d.outputs(),
        [Output::Learned(ServerFacts {
            no_authorize: true,
            no_privacy_lists: true,
            ..ServerFacts::default()
        })]
    );
    assert_is_create(&d.one_to_server(), "whitelist");
}

#[test]
fn what_another_session_learned_is_not_tried_again() {
    let (mut d, get) = asking(ServerFacts {
        no_authorize: true,
        no_privacy_lists: true,
        ..ServerFacts::default()
    });
    d.error(&get, "cancel", "item-not-found");
    assert_is_create(&d.one_to_server(), "whitelist");
    assert_eq!(d.outputs(), []);

    let (mut d, get) = asking(ServerFacts {
        no_authorize: true,
        no_privacy_lists: true,
        ..ServerFacts::default()
    });
    d.result(&get, &prosody_node("whitelist", "max", "never"));
    let mut iq = d.one_to_server();
    if !iq.has("pubsub/publish") {
        d.result(&iq, "");
        iq = d.one_to_server();
        d.result(&iq, &prosody_node("whitelist", "max", "never"));
        iq = d.one_to_server();
    }
    assert_is_publish(&iq, "whitelist", "1");
}

#[test]
fn another_error_of_create_is_no_reason_to_be_weaker() {
    for (kind, condition) in [("auth", "forbidden"), ("cancel", "service-unavailable")] {
        let (mut d, get) = asking(facts());
        d.error(&get, "cancel", "item-not-found");
        let create = d.one_to_server();
        d.error(&create, kind, condition);
        assert_eq!(d.server_bytes(), "");
        assert_unusable(&mut d);
    }
}

#[test]
fn a_node_that_leaks_is_made_anew_before_anything_is_published() {
    for change in [
        ("access_model", "open"),
        ("access_model", "presence"),
        ("access_model", "roster"),
        ("access_model", ""),
        ("publish_model", "open"),
        ("publish_model", "subscribers"),
    ] {
        let (mut d, get) = asking(facts());
        d.keep_all();
        d.result(&get, &ejabberd_node(&[change]));
        let look = d.one_to_server();
        assert_eq!(look.at("pubsub/items").value("node"), "presence");
        d.result(
            &look,
            &node_with(&[&payload(JULIET), &payload("juliet@capulet.lit/tomb")]),
        );
        let delete = d.one_to_server();
        assert_is_delete(&delete);
        d.result(&delete, "");
        let create = d.one_to_server();
        assert_is_create(&create, "authorize");
        d.result(&create, "");
        let get = d.one_to_server();
        assert_is_get(&get);
        d.result(&get, &ejabberd_node(&[]));
        assert_is_publish(&d.one_to_server(), "authorize", "1");
    }
}

/// The items of a node with these payloads.
fn node_with(payloads: &[&str]) -> String {
    let items: String = payloads
        .iter()
        .map(|payload| format!("<item id='1'>{payload}</item>"))
        .collect();
    format!("<pubsub xmlns='{PUBSUB}'><items node='presence'>{items}</items></pubsub>")
}

fn payload(from: &str) -> String {
    format!("<presence xmlns='jabber:client' from='{from}'/>")
}

#[test]
fn a_node_with_something_else_on_it_is_left_as_it_is() {
    let foreign = [
        // Other payloads, no payload, a bare JID, other accounts.
        "<presence xmlns='urn:example:presence' from='juliet@capulet.lit/x'/>".to_owned(),
        "<geoloc xmlns='http://jabber.org/protocol/geoloc'/>".to_owned(),
        String::new(),
        payload("juliet@capulet.lit"),
        payload("romeo@montague.lit/mobile"),
        payload("juliet@capulet.lit.evil.lit/x"),
    ];
    for other in &foreign {
        let (mut d, get) = asking(facts());
        d.keep_all();
        d.result(&get, &ejabberd_node(&[("access_model", "open")]));
        let look = d.one_to_server();
        d.result(&look, &node_with(&[&payload(JULIET), other]));
        assert_unusable(&mut d);
    }
    // A node whose items cannot be read is not deleted either.
    let (mut d, get) = asking(facts());
    d.keep_all();
    d.result(&get, &ejabberd_node(&[("access_model", "open")]));
    let look = d.one_to_server();
    d.error(&look, "auth", "forbidden");
    assert_unusable(&mut d);
}

#[test]
fn an_empty_node_is_configured_and_never_deleted() {
    for (field, value) in [("access_model", "presence"), ("publish_model", "open")] {
        let (mut d, get) = asking(facts());
        let wrong = ejabberd_node(&[(field, value)]);
        d.result(&get, &wrong);
        let get = d.one_to_server();
        assert_is_get(&get);
        d.result(&get, &wrong);
        let set = d.one_to_server();
        let right = ["authorize", "publishers"];
        assert!(right.contains(&&*set.fields()[&format!("pubsub#{field}")]));
        d.result(&set, "");
        let get = d.one_to_server();
        d.result(&get, &ejabberd_node(&[]));
        assert_is_publish(&d.one_to_server(), "authorize", "1");
    }
}

#[test]
fn a_server_that_lies_about_the_access_model_gets_nothing() {
    let (mut d, mut iq) = asking(facts());
    for _ in 0..100 {
        assert!(!iq.has("pubsub/publish"), "{iq:#?}");
        let answer = if iq.has("pubsub/configure/x") || iq.value("type") == "set" {
            String::new()
        } else {
            ejabberd_node(&[("access_model", "open"), ("max_items", "1")])
        };
        d.result(&iq, &answer);
        let mut sent = d.server_got();
        match sent.pop() {
            None => return assert_unusable(&mut d),
            Some(next) => iq = next,
        }
        assert!(sent.is_empty());
    }
    panic!("it goes on for ever");
}

#[test]
fn what_a_server_does_not_change_is_set_once_and_not_fatal() {
    let (mut d, get) = asking(facts());
    let node = ejabberd_node(&[("itemreply", "none"), ("max_items", "32")]);
    d.result(&get, &node);
    let set = d.one_to_server();
    assert_eq!(set.fields()["pubsub#itemreply"], "publisher");
    d.result(&set, "");
    let get = d.one_to_server();
    assert_is_get(&get);
    d.result(&get, &node);
    assert_is_publish(&d.one_to_server(), "authorize", "1");
}

#[test]
fn two_sessions_that_make_the_node_at_once_agree() {
    let (mut d, get) = asking(facts());
    d.error(&get, "cancel", "item-not-found");
    let create = d.one_to_server();
    d.error(&create, "cancel", "conflict");
    let get = d.one_to_server();
    assert_is_get(&get);
    d.result(&get, &ejabberd_node(&[]));
    assert_is_publish(&d.one_to_server(), "authorize", "1");
    let (node, access) = ("presence", "authorize".to_owned());
    assert_eq!(d.events(), [Event::NodeReady { node, access }]);
}

#[test]
fn a_server_without_pubsub_leaves_presence_native() {
    for (kind, condition) in [
        ("cancel", "service-unavailable"),
        ("cancel", "feature-not-implemented"),
        ("auth", "forbidden"),
    ] {
        let (mut d, get) = asking(facts());
        d.error(&get, kind, condition);
        assert_unusable(&mut d);
    }
    for answer in [
        "",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'/>",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure/></pubsub>",
    ] {
        let (mut d, get) = asking(facts());
        d.result(&get, answer);
        assert_unusable(&mut d);
    }
}

#[test]
fn a_server_that_never_answers_leaves_presence_native() {
    let (mut d, get) = asking(facts());
    d.advance(59);
    assert_eq!(d.events(), []);
    d.advance(2);
    assert_eq!(unknown(&mut d), 1);
    d.assert_silent();
    d.result(&get, &ejabberd_node(&[]));
    d.assert_silent(); // it is too late
    d.advance(2);
    let get = d.one_to_server();
    assert_is_get(&get);
    d.result(&get, &ejabberd_node(&[]));
    assert_is_publish(&d.one_to_server(), "authorize", "1");
}

/// How often the user was told that something is not known.
fn unknown(d: &mut Driver) -> usize {
    let is_told = |event: &&Event| matches!(event, Event::NotKnown { .. });
    d.events().iter().filter(is_told).count()
}

#[test]
fn a_question_about_the_node_that_fails_is_asked_again() {
    for condition in [
        "resource-constraint",
        "remote-server-timeout",
        "internal-server-error",
    ] {
        let (mut d, mut iq) = asking(facts());
        for seconds in [3, 30, 3600, 3600] {
            for _ in 0..10 {
                d.error(&iq, "wait", condition);
                match d.server_got().pop() {
                    Some(next) => iq = next,
                    None => break,
                }
            }
            d.advance(seconds - 1);
            assert_eq!(d.server_bytes(), "", "{condition}");
            d.advance(1);
            iq = d.one_to_server();
            assert_is_get(&iq);
        }
        assert_eq!(unknown(&mut d), 1);
        // A node that does not exist is created all the same; and that may fail, too.
        d.error(&iq, "cancel", "item-not-found");
        let create = d.one_to_server();
        assert_is_create(&create, "authorize");
        d.error(&create, "wait", "resource-constraint");
        assert_eq!(d.server_bytes(), "");
        // A new presence has the node asked for at once.
        d.client("<presence id='2'/>");
        let get = d.one_behind_presence();
        assert_is_get(&get);
        d.result(&get, &ejabberd_node(&[]));
        assert_is_publish(&d.one_to_server(), "authorize", "2");
    }
}

#[test]
fn a_lost_answer_after_a_conflict_does_not_end_publishing() {
    let (mut d, get) = asking(facts());
    d.result(&get, &ejabberd_node(&[]));
    let publish = d.one_to_server();
    d.error(&publish, "cancel", "conflict");
    assert_is_get(&d.one_to_server());
    d.advance(60);
    d.forget();
    d.advance(3);
    let get = d.one_to_server();
    assert_is_get(&get);
    d.result(&get, &ejabberd_node(&[]));
    assert_is_publish(&d.one_to_server(), "authorize", "1");
}

#[test]
fn a_shutdown_while_the_node_is_set_up_publishes_nothing() {
    let (mut d, get) = asking(facts());
    d.input(Input::Shutdown);
    assert_eq!(d.server_bytes(), "</stream:stream>");
    d.error(&get, "cancel", "item-not-found");
    assert_eq!(d.server_bytes(), "");
}
