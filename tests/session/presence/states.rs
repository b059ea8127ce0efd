//! Contacts' states at login: fetched where native presence does not tell them, judged by a ping, paced.

use pubshim::session::Dropped;

use crate::scenes::*;

const BENVOLIO: &str = "benvolio@montague.lit/pda";
const GONE: &str = "<error type='cancel'><service-unavailable \
    xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";

/// Juliet's session after her first presence, all answered but what is in her roster.
fn asking() -> (Driver, Node) {
    let mut d = Driver::auto(JULIET);
    d.keep(Question::Roster);
    d.client("<presence id='1'/>");
    let [_, configure, get] = d.server_got().try_into().unwrap();
    d.result(&configure, &ejabberd_node(&[]));
    assert_eq!(get.at("query").namespace, "jabber:iq:roster");
    (d, get)
}

/// The same, some seconds after she was published with that roster.
fn known(roster: &str) -> Driver {
    let (mut d, get) = asking();
    d.result(
        &get,
        &format!("<query xmlns='jabber:iq:roster'>{roster}</query>"),
    );
    let publish = d.server_got().remove(0);
    d.result(&publish, "");
    d.advance(3);
    d
}

/// The same with Romeo and Benvolio in her roster, and the nurse, who only sees her; gives its next requests.
fn fetching() -> (Driver, Vec<Node>) {
    let mut d = known(
        "<item jid='romeo@montague.lit' subscription='both'/>\
         <item jid='benvolio@montague.lit' subscription='to'/>\
         <item jid='nurse@capulet.lit' subscription='from'/>\
         <item jid='paris@verona.lit' subscription='none' ask='subscribe'/>",
    );
    let fetches = to_others(d.server_got());
    (d, fetches)
}

/// Requests to other accounts.
fn to_others(sent: Vec<Node>) -> Vec<Node> {
    sent.into_iter()
        .filter(|iq| iq.attribute("to").is_some())
        .collect()
}

/// The items of a node `presence`, by full JID and id.
fn items(presences: &[(&str, &str)]) -> String {
    let items: String = presences
        .iter()
        .map(|(full, id)| {
            let resource = full.split_once('/').unwrap().1;
            format!("<item id='{resource}'>{}</item>", payload(full, id, ""))
        })
        .collect();
    format!("<pubsub xmlns='{PUBSUB}'><items node='presence'>{items}</items></pubsub>")
}

#[test]
fn whom_we_are_subscribed_to_is_asked_for_its_items() {
    let (_, fetches) = fetching();
    let asked: Vec<_> = fetches.iter().map(|iq| iq.value("to")).collect();
    assert_eq!(asked, ["benvolio@montague.lit", "romeo@montague.lit"]);
    for fetch in &fetches {
        assert_eq!(fetch.value("type"), "get");
        assert_eq!(fetch.at("pubsub").namespace, PUBSUB);
        assert_eq!(fetch.at("pubsub/items").value("node"), "presence");
    }
}

#[test]
fn nobody_is_asked_for_a_client_that_went_meanwhile() {
    let (mut d, get) = asking();
    let items = "<item jid='romeo@montague.lit' subscription='to'/>";
    let roster = format!("<query xmlns='jabber:iq:roster'>{items}</query>");
    d.result(&get, &roster);
    let publish = d.one_to_server();
    d.result(&publish, "");
    d.client("<presence type='unavailable'/>");
    d.forget();
    d.advance(3);
    assert_eq!(to_others(d.server_got()), []);
    d.client("<presence/>");
    let asked = to_others(d.server_got());
    let asked: Vec<_> = asked.iter().map(|iq| iq.value("to")).collect();
    assert_eq!(asked, ["romeo@montague.lit"], "once it is back");
}

#[test]
fn whoever_was_seen_natively_is_not_asked() {
    let (mut d, get) = asking();
    d.server(&format!("<presence from='{ROMEO}'/>"));
    d.server(&format!("<presence from='{BENVOLIO}' type='unavailable'/>"));
    d.result(
        &get,
        "<query xmlns='jabber:iq:roster'><item jid='romeo@montague.lit' subscription='to'/>\
         <item jid='benvolio@montague.lit' subscription='to'/></query>",
    );
    let publish = d.one_to_server();
    d.result(&publish, "");
    d.advance(3);
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn the_clients_own_roster_is_enough() {
    let mut d = Driver::auto(JULIET);
    d.client("<iq type='get' id='r1'><query xmlns='jabber:iq:roster'/></iq>");
    d.server(
        "<iq type='result' id='r1'><query xmlns='jabber:iq:roster'>\
         <item jid='romeo@montague.lit' subscription='to'/></query></iq>",
    );
    d.forget();
    d.client("<presence id='1'/>");
    let publish = ready(&mut d);
    d.result(&publish, "");
    d.advance(3);
    assert_eq!(d.one_to_server().value("to"), "romeo@montague.lit");
}

#[test]
fn a_cached_roster_of_the_clients_says_nothing_to_us() {
    let mut d = Driver::auto(JULIET);
    d.client("<iq type='get' id='r1'><query xmlns='jabber:iq:roster' ver='5'/></iq>");
    d.server("<iq type='result' id='r1'/>");
    d.forget();
    d.keep(Question::Roster);
    d.client("<presence id='1'/>");
    let sent = d.server_got();
    assert!(sent.iter().any(|it| say(it) == "get roster"), "{sent:#?}");
}

#[test]
fn nobody_is_asked_before_the_client_is_shown_to_anybody() {
    let mut d = Driver::auto(JULIET);
    d.keep_all();
    d.advance(60);
    assert_eq!(d.server_bytes(), "");
}

#[test]
fn an_available_item_is_shown_after_its_resource_answered() {
    let (mut d, fetches) = fetching();
    answer(&mut d, &fetches[1], "result", &items(&[(ROMEO, "1")]));
    assert_eq!(d.client_bytes(), "");
    let ping = d.one_to_server();
    assert_eq!((ping.value("type"), ping.value("to")), ("get", ROMEO));
    assert_eq!(ping.at("ping").namespace, "urn:xmpp:ping");
    assert_eq!(ping.at("ping/shim").namespace, "urn:pubshim:0");
    answer(&mut d, &ping, "result", "");
    let shown = d.one_to_client();
    assert_eq!(shown.local, "presence");
    let values = ["from", "to", "id"].map(|name| shown.value(name));
    assert_eq!(values, [ROMEO, JULIET, "1"]);
}

#[test]
fn a_resource_that_is_gone_is_not_shown() {
    for condition in [
        "service-unavailable",
        "item-not-found",
        "recipient-unavailable",
    ] {
        let (mut d, fetches) = fetching();
        answer(&mut d, &fetches[1], "result", &items(&[(ROMEO, "1")]));
        let ping = d.one_to_server();
        answer(
            &mut d,
            &ping,
            "error",
            &GONE.replace("service-unavailable", condition),
        );
        assert_eq!(d.client_bytes(), "");
        assert_eq!(d.dropped(), [Dropped::Gone]);
    }
}

#[test]
fn no_answer_or_any_other_error_leaves_it() {
    let (mut d, fetches) = fetching();
    answer(&mut d, &fetches[1], "result", &items(&[(ROMEO, "1")]));
    let ping = d.one_to_server();
    let error = GONE.replace("service-unavailable", "feature-not-implemented");
    answer(&mut d, &ping, "error", &error);
    assert_eq!(d.one_to_client().value("from"), ROMEO);

    let (mut d, fetches) = fetching();
    answer(&mut d, &fetches[1], "result", &items(&[(ROMEO, "1")]));
    d.forget();
    d.advance(61);
    assert_eq!(d.one_to_client().value("from"), ROMEO);
}

#[test]
fn what_comes_meanwhile_is_newer() {
    // Newer presence comes between fetch and answer, or between ping and answer.
    for before_items in [true, false] {
        for newer in [
            event_of(ROMEO, &payload(ROMEO, "2", "<show>away</show>")),
            format!("<presence from='{ROMEO}' id='2'><show>away</show></presence>"),
            format!("<presence from='{ROMEO}' type='unavailable' id='2'/>"),
        ] {
            let (mut d, fetches) = fetching();
            if before_items {
                d.server(&newer);
            }
            answer(&mut d, &fetches[1], "result", &items(&[(ROMEO, "1")]));
            if !before_items {
                let ping = d.one_to_server();
                d.server(&newer);
                answer(&mut d, &ping, "result", "");
            }
            assert_eq!(d.one_to_client().value("id"), "2", "{newer}");
            assert_eq!(d.server_bytes(), "", "{newer}");
        }
    }
}

#[test]
fn another_resource_of_the_same_contact_is_another_matter() {
    let (mut d, fetches) = fetching();
    let other = "romeo@montague.lit/orchard";
    d.server(&event_of(ROMEO, &payload(ROMEO, "2", "")));
    d.forget();
    answer(
        &mut d,
        &fetches[1],
        "result",
        &items(&[(ROMEO, "1"), (other, "3")]),
    );
    assert_eq!(d.one_to_server().value("to"), other);
}

#[test]
fn what_an_item_may_not_say_is_dropped() {
    let (mut d, fetches) = fetching();
    let body = items(&[(BENVOLIO, "1")]).replace(
        "</items>",
        &format!(
            "<item id='x'>{}</item><item id='y'/></items>",
            payload(ROMEO, "2", "",).replace(" id=", " type='subscribe' id=")
        ),
    );
    answer(&mut d, &fetches[1], "result", &body);
    d.assert_silent();
    assert_eq!(
        d.dropped(),
        [
            Dropped::ForeignFrom,
            Dropped::WrongType,
            Dropped::WrongPayload
        ]
    );
}

#[test]
fn unavailable_items_and_refusals_are_silence() {
    let (mut d, fetches) = fetching();
    let gone = items(&[(ROMEO, "1")]).replace(" id='1'", " type='unavailable' id='1'");
    answer(&mut d, &fetches[1], "result", &gone);
    answer(
        &mut d,
        &fetches[0],
        "error",
        &GONE.replace("service-unavailable", "forbidden"),
    );
    d.assert_silent();
}

#[test]
fn only_the_contact_itself_answers() {
    let (mut d, fetches) = fetching();
    let id = fetches[1].value("id");
    d.server(&format!(
        "<iq type='result' from='paris@verona.lit' id='{id}'>{}</iq>",
        items(&[(ROMEO, "1")])
    ));
    d.assert_silent();
}

/// Answers the requests to the own account; gives those to others.
fn answer_own(d: &mut Driver, sent: &str) -> Vec<Node> {
    let iqs = Node::stream(sent)
        .into_iter()
        .filter(|stanza| stanza.local == "iq");
    let (others, own) = iqs.partition(|iq| iq.attribute("to").is_some());
    let own: Vec<Node> = own;
    for iq in &own {
        d.result(iq, "");
    }
    others
}

#[test]
fn five_hundred_contacts_are_asked_at_1500_bytes_a_second() {
    let (mut d, get) = asking();
    let roster: String = (0..500)
        .map(|n| format!("<item jid='friend{n}@verona.lit' subscription='both'/>"))
        .collect();
    d.result(
        &get,
        &format!("<query xmlns='jabber:iq:roster'>{roster}</query>"),
    );
    let mut asked = 0;
    let mut bytes = 0;
    for second in 0..120_usize {
        let sent = d.server_bytes();
        bytes += sent.len();
        // One request may overdraw: that for sixteen members is the largest.
        assert!(
            bytes <= 10_000 + 1_500 * second + 1_400,
            "{bytes} after {second} s"
        );
        let fetches = answer_own(&mut d, &sent);
        asked += fetches.len();
        for fetch in &fetches {
            answer(&mut d, fetch, "error", GONE);
        }
        // A message of the user goes at once.
        d.client("<message to='romeo@montague.lit'><body>hi</body></message>");
        let sent = d.server_bytes();
        assert!(sent.contains("<body>hi</body>"));
        bytes += sent.len() - "<message to='romeo@montague.lit'><body>hi</body></message>".len();
        let more = answer_own(&mut d, &sent);
        asked += more.len();
        for fetch in &more {
            answer(&mut d, fetch, "error", GONE);
        }
        d.advance(1);
    }
    assert_eq!(asked, 500);
}

#[test]
fn contacts_that_never_answer_do_not_use_up_all_requests() {
    let roster: String = (0..200)
        .map(|n| format!("<item jid='friend{n}@verona.lit' subscription='to'/>"))
        .collect();
    let mut d = known(&roster);
    d.advance(30);
    assert_eq!(d.server_got().len(), 32);
    d.client("<presence id='2'/>");
    let publish = d.one_behind_presence();
    assert!(publish.has("pubsub/publish"));
}
