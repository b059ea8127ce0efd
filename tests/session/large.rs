//! A server's stanza beyond what is read or held costs itself, not the session (the two limits).

use pubshim::session::{Dropped, Event, Input, Leg, Level, Options, Output, Policy, Record};

use crate::scenes::*;

const CHAT: &str = "<message from='nurse@capulet.lit' type='chat'><body>Madam!</body></message>";

/// Payloads beyond the limits of reading.
fn unreadable() -> [(&'static str, String); 4] {
    let many =
        |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let attributes = many(65, &|n| format!(" a{n}=''"));
    let declarations = many(65, &|n| format!(" xmlns:a{n}='u'"));
    [
        ("65 attributes", format!("<x xmlns='u'{attributes}/>")),
        ("65 declarations", format!("<x xmlns='u'{declarations}/>")),
        ("130 deep", "<a>".repeat(130) + &"</a>".repeat(130)),
        ("65,536 elements", "<a/>".repeat(65_536)),
    ]
}

/// A session whose questions for the roster are the test's.
fn asking() -> Driver {
    let mut d = Driver::auto(ROMEO);
    d.keep(Question::Roster);
    d
}

/// A session that holds stanzas of up to 1 MB.
fn small() -> Driver {
    let mut options = options(Policy::Auto);
    options.max_server_stanza = 1_000_000;
    Driver::logged_in(ROMEO, options)
}

/// More than that.
fn too_much() -> String {
    "x".repeat(1_000_001)
}

fn from_stranger(inside: &str) -> String {
    format!("<message from='bard@shakespeare.lit' id='m1' type='chat'>{inside}</message>")
}

/// Asserts that an error stands in place of a stanza, as RFC 6120 §8.3 writes it.
#[track_caller]
fn assert_in_place(stanza: &Node, name: &str, attributes: &[(&str, &str)]) {
    assert_eq!(stanza.local, name);
    assert_eq!(stanza.value("type"), "error");
    for (name, value) in attributes {
        assert_eq!(stanza.attribute(name), Some(*value), "{name}");
    }
    let condition = stanza.at("error/policy-violation");
    assert_eq!(condition.namespace, "urn:ietf:params:xml:ns:xmpp-stanzas");
    assert!(stanza.has("error/text"));
}

#[test]
fn what_no_client_may_send_passes_from_a_server() {
    let mut stanzas = unreadable()
        .map(|(what, inside)| (what, from_stranger(&inside)))
        .to_vec();
    for bytes in [262_144, 300_000, 1_100_000] {
        let frame = from_stranger("").len();
        stanzas.push(("many bytes", from_stranger(&"x".repeat(bytes - frame))));
    }
    let attributes: String = (0..65).map(|n| format!(" a{n}=''")).collect();
    stanzas.push((
        "on itself",
        format!("<presence from='bard@shakespeare.lit/x'{attributes}/>"),
    ));
    for (what, stanza) in stanzas {
        for (size, mut d) in [
            (usize::MAX, Driver::auto(ROMEO)),
            (1 << 14, Driver::unrecorded(ROMEO, options(Policy::Auto))),
        ] {
            d.keep(Question::Roster);
            let all = format!("{stanza}{CHAT}");
            for piece in all.as_bytes().chunks(size) {
                d.input(Input::Bytes(Leg::Server, piece));
            }
            assert!(d.client_bytes() == all, "{what}");
            assert_eq!(d.events(), [], "{what}");
        }
    }
}

#[test]
fn a_client_is_still_bounded() {
    for (what, inside) in unreadable()
        .into_iter()
        .filter(|(what, _)| !what.ends_with("elements"))
    {
        let mut d = asking();
        d.client(&from_stranger(&inside));
        let sent = d.assert_refused("policy-violation");
        assert!(sent.contains("too"), "{what}: {sent}");
    }
}

fn roster(contacts: usize) -> String {
    let item = |n| {
        format!(
            "<item jid='colleague-{n:05}@montague.lit' subscription='both' name='Colleague {n} &amp; Söhne'>\
             <group>Everybody at the company</group></item>"
        )
    };
    let items: String = (0..contacts).map(item).collect();
    format!("<query xmlns='jabber:iq:roster' ver='7'>{items}</query>")
}

/// An event of the last contact in such a roster.
fn event_of_last(contacts: usize) -> String {
    let full = format!("colleague-{:05}@montague.lit/desk", contacts - 1);
    event_of(&full, &payload(&full, "p1", "<status>Here</status>"))
}

#[test]
fn a_roster_of_20000_passes_and_is_read() {
    let mut d = Driver::unrecorded(ROMEO, options(Policy::Auto));
    d.keep(Question::Roster);
    d.client("<iq type='get' id='r1'><query xmlns='jabber:iq:roster'/></iq>");
    d.forget();
    let answer = format!("<iq type='result' id='r1'>{}</iq>", roster(20_000));
    for piece in answer.as_bytes().chunks(1 << 14) {
        d.input(Input::Bytes(Leg::Server, piece));
    }
    assert!(d.client_bytes() == answer);
    d.server(&event_of_last(20_000));
    let shown = d.one_to_client();
    assert_eq!((&*shown.local, shown.value("id")), ("presence", "p1"));
}

#[test]
fn our_own_question_may_have_5000_answers() {
    let mut d = asking();
    d.server(&event_of_last(5000));
    let question = d.one_to_server();
    d.result(&question, &roster(5000));
    assert_eq!(d.one_to_client().value("id"), "p1");
}

#[test]
fn an_answer_with_400_items_passes() {
    let item = |n| {
        format!(
            "<item id='{n}'><data xmlns='urn:xmpp:avatar:data'>{}</data></item>",
            "QUJD".repeat(700)
        )
    };
    let items: String = (0..400).map(item).collect();
    let answer = format!(
        "<iq type='result' id='i1' from='juliet@capulet.lit'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
         <items node='urn:xmpp:avatar:data'>{items}</items></pubsub></iq>"
    );
    assert!(answer.len() > 1_000_000);
    let mut d = asking();
    d.server(&format!("{answer}{CHAT}"));
    assert!(d.client_bytes() == format!("{answer}{CHAT}"));
}

#[test]
fn events_and_forms_for_us_that_cannot_be_read_are_dropped() {
    let form = |from: &str, inside: &str| {
        format!(
            "<message from='{from}'><x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE'>\
             <value>http://jabber.org/protocol/pubsub#subscribe_authorization</value></field>{inside}</x></message>"
        )
    };
    for (what, inside) in unreadable() {
        let mut d = romeo();
        for ours in [
            event_of(
                "juliet@capulet.lit/balcony",
                &payload("juliet@capulet.lit/balcony", "p1", &inside),
            ),
            form("montague.lit", &inside),
            form("romeo@montague.lit", &inside),
        ] {
            d.server(&ours);
            assert_eq!(d.client_bytes(), "", "{what}");
            assert_eq!(d.dropped(), [Dropped::Unreadable], "{what}");
        }
        let avatar =
            event("juliet@capulet.lit", &inside).replace("'presence'", "'urn:xmpp:avatar:data'");
        for others in [
            avatar,
            form("bard@shakespeare.lit", &inside),
            form("rooms.montague.lit", &inside),
        ] {
            d.server(&others);
            assert!(d.client_bytes() == others, "{what}");
            assert_eq!(d.dropped(), [], "{what}");
        }
    }
}

#[test]
fn an_answer_to_us_that_cannot_be_read_is_an_error() {
    for (what, inside) in unreadable() {
        let mut d = asking();
        let contact = "juliet@capulet.lit/balcony";
        d.server(&event_of(contact, &payload(contact, "p1", "")));
        let question = d.one_to_server();
        d.result(&question, &format!("<query xmlns='jabber:iq:roster'>{inside}<item jid='juliet@capulet.lit' subscription='both'/></query>"));
        // The shim does not know whether she is a contact, and shows nothing of her.
        assert_eq!(d.client_bytes(), "", "{what}");
        d.server(CHAT);
        assert_eq!(d.client_bytes(), CHAT, "{what}");
    }
}

#[test]
fn a_reference_of_many_digits_costs_its_stanza_alone() {
    for inside in ["<body>&#000000065;</body>", "<x y='&#x000000041;'/>"] {
        let mut d = asking();
        d.server(&format!("{}{CHAT}", from_stranger(inside)));
        let [error, chat] = <[Node; 2]>::try_from(d.client_got()).unwrap();
        assert_in_place(&error, "message", &[("id", "m1")]);
        assert_eq!(chat, Node::stanza(CHAT));
    }
}

/// The stanzas to the client and the server, and the events, after a stanza too large; a chat behind it passes.
fn cut_off(head: &str, name: &str) -> (Vec<Node>, Vec<Node>, Vec<Event>) {
    let mut d = small();
    d.server(&format!(
        "<{name} {head}><a>{}</a></{name}>{CHAT}",
        too_much()
    ));
    let mut client = d.client_got();
    assert_eq!(client.pop(), Some(Node::stanza(CHAT)));
    let server = d.server_got();
    (client, server, d.events())
}

#[test]
fn a_presence_too_large_to_hold_becomes_an_error() {
    for kind in [
        "",
        "type='subscribe' ",
        "type='unavailable' ",
        "type='error' ",
    ] {
        let head = format!("{kind}from='bard@shakespeare.lit' id='&lt;1&gt;'");
        let (client, server, events) = cut_off(&head, "presence");
        let [error] = &client[..] else {
            panic!("{client:?}")
        };
        assert_in_place(
            error,
            "presence",
            &[("from", "bard@shakespeare.lit"), ("id", "<1>")],
        );
        assert_eq!(server, []);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].level(), Level::Warn);
        assert!(
            events[0]
                .to_string()
                .contains("from='bard@shakespeare.lit' id='<1>'/> was larger"),
            "{}",
            events[0]
        );
    }
}

#[test]
fn a_request_too_large_to_hold_is_refused_to_its_sender() {
    for kind in ["get", "set"] {
        let (client, server, _) = cut_off(
            &format!("type='{kind}' id='i1' from='bard@shakespeare.lit/x'"),
            "iq",
        );
        assert_eq!(client, []);
        let [error] = &server[..] else {
            panic!("{server:?}")
        };
        assert_in_place(
            error,
            "iq",
            &[("to", "bard@shakespeare.lit/x"), ("id", "i1")],
        );
        assert_eq!(error.attribute("from"), None);
    }
    let (_, server, _) = cut_off("type='set' id='push'", "iq");
    assert_eq!(server[0].attribute("to"), None);
}

#[test]
fn an_answer_to_us_too_large_to_hold_is_an_error() {
    let mut d = small();
    d.keep(Question::Roster);
    let contact = "juliet@capulet.lit/balcony";
    d.server(&event_of(contact, &payload(contact, "p1", "")));
    let question = d.one_to_server();
    d.result(&question, &format!("<query xmlns='jabber:iq:roster'><item jid='juliet@capulet.lit' subscription='both'/>{}</query>", too_much()));
    assert_eq!(d.client_bytes(), "");
    d.server_passes(CHAT);
}

#[test]
fn what_is_no_stanza_and_too_large_is_not_passed() {
    let (client, server, events) = cut_off("xmlns='urn:xmpp:x'", "x");
    assert_eq!((client, server), (vec![], vec![]));
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::ElementRefused(..)))
    );
}

#[test]
fn what_is_cut_off_ends_where_it_ends_however_it_is_split() {
    let tricky = "<a b='/message>' c=\"'/>\"/><![CDATA[</message> ]]]]><b></b >></message><c/>";
    let stanza = format!(
        "<message \n id = '1' junk='>' from=\"a@b\"><message>{tricky}</message>{}</message >",
        too_much()
    );
    let stanza = stanza.replace("></message><c/>", ">&gt;<c/>");
    let start = stanza.find(&too_much()).unwrap();
    let mut expected = None;
    for size in 1..60 {
        let mut d = small();
        for piece in stanza.as_bytes()[..start].chunks(size) {
            d.input(Input::Bytes(Leg::Server, piece));
        }
        d.server(&stanza[start..stanza.len() - 5]);
        for piece in format!("{} {CHAT}", &stanza[stanza.len() - 5..])
            .as_bytes()
            .chunks(size)
        {
            d.input(Input::Bytes(Leg::Server, piece));
        }
        let sent = d.client_bytes();
        assert!(sent.ends_with(&format!(" {CHAT}")), "{size}: {sent}");
        assert_in_place(
            &Node::stream(&sent)[0],
            "message",
            &[("from", "a@b"), ("id", "1")],
        );
        assert_eq!(*expected.get_or_insert(sent.clone()), sent, "{size}");
    }
}

#[test]
fn a_start_tag_too_large_to_hold_is_read_to_its_end() {
    let attributes: String = (0..200_000).map(|n| format!(" a{n}='>'")).collect();
    let mut d = small();
    let id = "i".repeat(5000);
    for piece in format!("<message id='{id}'{attributes} from='a@b'/>{CHAT}")
        .as_bytes()
        .chunks(1 << 14)
    {
        d.input(Input::Bytes(Leg::Server, piece));
    }
    let [error, chat] = <[Node; 2]>::try_from(d.client_got()).unwrap();
    assert_in_place(&error, "message", &[("from", "a@b")]);
    assert_eq!(error.attribute("id"), None, "nobody's id is that long");
    assert_eq!(chat, Node::stanza(CHAT));
}

#[test]
fn without_room_a_stanza_is_cut_off_where_it_is() {
    let whole = format!(
        "<message from='a@b' id='1'><body>{}</body></message>",
        "x".repeat(100)
    );
    for at in 1..whole.len() {
        let mut d = asking();
        d.server(" ");
        d.server(&whole[..at]);
        d.input(Input::HoldRefused);
        // The shell may refuse again and again.
        d.input(Input::HoldRefused);
        d.server(&format!("{} {CHAT}", &whole[at..]));
        let sent = d.client_bytes();
        let stanzas = Node::stream(&sent);
        assert_in_place(&stanzas[0], "message", &[("from", "a@b"), ("id", "1")]);
        assert!(sent.ends_with(&format!(" {CHAT}")), "{at}: {sent}");
        assert_eq!(stanzas.len(), 2);
    }
}

#[test]
fn without_room_between_stanzas_nothing_is_lost() {
    let mut d = asking();
    d.input(Input::HoldRefused);
    d.client("<mess");
    d.input(Input::HoldRefused);
    d.client("age/>");
    d.server(&format!(" {CHAT}"));
    d.input(Input::HoldRefused);
    assert_eq!(d.client_bytes(), format!(" {CHAT}"));
    assert_eq!(d.server_bytes(), "<message/>");
    assert_eq!(d.events(), []);
}

/// How much the shell was told that is held.
fn holds(d: &mut Driver) -> Vec<usize> {
    let held = |output| match output {
        Output::Hold(bytes) => Some(bytes),
        _ => None,
    };
    d.everything().into_iter().filter_map(held).collect()
}

#[test]
fn what_is_held_is_told_in_steps_and_given_back() {
    let mut d = asking();
    d.block(Leg::Client, true);
    d.server("<message><body>");
    for _ in 0..4 {
        d.server(&"x".repeat(15_000));
    }
    assert_eq!(holds(&mut d), [0_usize; 0], "64 KiB are free");
    for _ in 0..96 {
        d.server(&"x".repeat(15_000));
    }
    let steps = holds(&mut d);
    assert!(steps.is_sorted() && steps.len() < 20, "{steps:?}");
    assert!(
        (1_400_000..4_000_000).contains(steps.last().unwrap()),
        "{steps:?}"
    );
    d.server("</body></message>");
    assert_eq!(holds(&mut d), [0_usize; 0], "the client has not read it");
    d.block(Leg::Client, false);
    assert!(d.client_bytes().len() > 1_500_000);
    d.server(" ");
    assert_eq!(holds(&mut d), [0]);
}

#[test]
fn nothing_is_held_of_what_is_cut_off() {
    let mut d = asking();
    d.server(&format!("<message><body>{}", "x".repeat(200_000)));
    assert_eq!(holds(&mut d).len(), 1);
    d.input(Input::HoldRefused);
    assert_eq!(holds(&mut d), [0]);
    for _ in 0..100 {
        d.server(&"<a>".repeat(10_000));
    }
    assert_eq!(holds(&mut d), [0_usize; 0]);
}

#[test]
fn the_names_of_open_elements_are_held_too() {
    let mut d = asking();
    d.server(&format!("<message>{}", "<a>".repeat(50_000)));
    assert!(*holds(&mut d).last().unwrap() > 200_000);
}

#[test]
fn broken_xml_of_a_server_still_ends_the_session() {
    for broken in [
        "<message><a></b></message>",
        "<message a='1' a='2'/>",
        "<message>&nbsp;</message>",
        "<x:message/>",
        "text",
    ] {
        let mut d = asking();
        d.server(broken);
        d.assert_refused("reset");
    }
    let twice: String = (0..100).map(|n| format!(" a{}=''", n % 99)).collect();
    let mut d = asking();
    d.server(&format!("<message{twice}/>"));
    d.assert_refused("reset");
}

#[test]
fn before_the_login_a_server_is_bounded() {
    for (what, inside) in unreadable().into_iter().take(3) {
        let mut d = Driver::at(Stage::Opened, options(Policy::Auto));
        d.server(&format!("<stream:features>{inside}</stream:features>"));
        let sent = d.client_bytes();
        assert!(
            sent.contains("<remote-connection-failed "),
            "{what}: {sent}"
        );
    }
}

#[test]
fn what_is_cut_off_is_recorded_by_its_start_tag() {
    let mut d = small();
    d.show_records();
    d.server(&format!(
        "<message from='a@b' id='1' x='y'>{}</message>",
        too_much()
    ));
    let recorded = d.everything();
    let is_cut_off = |output: &Output| {
        matches!(output, Output::Recorded(Record::CutOff(Leg::Server, head, _))
            if head == b"<message from='a@b' id='1'/>")
    };
    assert_eq!(
        recorded.iter().filter(|output| is_cut_off(output)).count(),
        1,
        "{recorded:?}"
    );
    let big = |output: &Output| {
        matches!(
            output,
            Output::Recorded(Record::From(..) | Record::FromRaw(..))
        )
    };
    assert!(!recorded.iter().any(big));
}

#[test]
fn the_default_holds_16_mib() {
    assert_eq!(Options::default().max_server_stanza, 16 * 1024 * 1024);
}
