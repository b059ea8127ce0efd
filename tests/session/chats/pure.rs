//! Under `pure`, on services that say and do what the sandbox does not.

use pubshim::session::{Dropped, Policy};

use crate::common::*;
use crate::driver::*;

const HIS: &str = "pubsub.montague.lit";

/// Juliet's session, available.
fn session_under_pure() -> Driver {
    let mut d = Driver::logged_in(JULIET, options(Policy::Pure));
    d.keep_chats();
    d.client("<presence/>");
    d
}

/// The answer to disco#info of a node that `owner` has made for `publisher`.
fn of_pair(owner: &str, publisher: &str) -> String {
    let field = |var: &str, value: &str| {
        format!("<field var='pubsub#{var}'><value>{value}</value></field>")
    };
    let fields = [
        field("access_model", "whitelist"),
        field("owner", owner),
        field("publisher", publisher),
    ];
    format!(
        "<query xmlns='http://jabber.org/protocol/disco#info'><x xmlns='jabber:x:data' type='result'>{}</x></query>",
        fields.concat()
    )
}

/// A message of somebody's, as an item.
fn item(id: &str, publisher: &str, to: &str, inside: &str) -> String {
    format!(
        "<item id='{id}' publisher='{publisher}'><message xmlns='jabber:client' from='{publisher}' to='{to}' \
         type='chat' id='m{id}'><body>{id}</body>{inside}</message></item>"
    )
}

fn event(service: &str, items: &str) -> String {
    format!(
        "<message from='{service}' to='{JULIET}' type='headline'><event xmlns='{EVENT}'><items node='n'>{items}</items>\
         </event></message>"
    )
}

/// The form of a node that nobody else may read.
fn private_node() -> String {
    ejabberd_node(&[("access_model", "whitelist"), ("purge_offline", "0")])
}

/// Answers for a service: whose its node is, and what is on it.
fn serve(d: &mut Driver, about: &str, on_it: &str) {
    for _ in 0..5 {
        for question in d.server_got() {
            if question.has("query") {
                d.result(&question, about);
            } else if question.has("pubsub/configure") {
                d.result(&question, &private_node());
            } else if question.has("pubsub/items") && question.attribute("to").is_some() {
                d.result(&question, &items("n", on_it));
            } else {
                d.error(&question, "cancel", "item-not-found");
            }
        }
    }
}

/// Romeo's first message, on a node of his service that he has made for the two of them.
fn romeo_writes(d: &mut Driver) {
    let first = item("1", ROMEO, JULIET, "");
    d.server(&event(HIS, &first));
    serve(d, &of_pair(CONTACT, OWN), &first);
}

/// The last request of the session that has this path.
#[track_caller]
fn question(d: &mut Driver, path: &str) -> Node {
    let mut sent = d.server_got();
    let at = sent.iter().rposition(|it| it.has(path));
    let at = at.unwrap_or_else(|| panic!("no {path} in {sent:#?}"));
    sent.swap_remove(at)
}

/// The messages that the client was shown since the last look.
fn messages(d: &mut Driver) -> Vec<Node> {
    let mut shown = d.client_got();
    shown.retain(|it| it.local == "message");
    shown
}

fn bodies(d: &mut Driver) -> Vec<String> {
    let mut shown = messages(d);
    shown.retain(|it| it.has("body"));
    let said = |it: &Node| format!("{} {}", it.value("from"), it.at("body").text);
    shown.iter().map(said).collect()
}

#[test]
fn a_resource_that_looks_like_a_host_is_no_service_there() {
    let romeos = item("1", ROMEO, JULIET, "");
    for (service, is_believed) in [
        (HIS, true),
        ("evil.lit", false),
        ("evil.lit/pubsub.montague.lit", false),
        ("evil.lit/.capulet.lit", false),
    ] {
        let mut d = session_under_pure();
        d.server(&event(service, &romeos));
        serve(&mut d, &of_pair(CONTACT, OWN), &romeos);
        assert_eq!(bodies(&mut d).len(), usize::from(is_believed), "{service}");
    }
}

#[test]
fn a_copy_is_of_what_was_written_to_whose_node_it_is() {
    let mut d = session_under_pure();
    d.client("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    romeo_writes(&mut d);
    d.forget();
    let own = |id: &str, to: &str, inside: &str| item(id, "juliet@capulet.lit/chamber", to, inside);
    // Romeo's service cannot make a copy name another account than his.
    for (id, to, expected) in [
        ("2", CONTACT, CONTACT),
        ("3", ROMEO, ROMEO),
        ("4", "nurse@capulet.lit", CONTACT),
    ] {
        d.server(&event(HIS, &own(id, to, "")));
        let copy = d.one_to_client();
        assert_eq!(copy.at("sent/forwarded/message").value("to"), expected);
    }
    // As listing 19 prints it.
    d.server(&event(
        HIS,
        "<item id='5' publisher='juliet@capulet.lit/chamber'><message xmlns='jabber:client'><body>x</body></message></item>",
    ));
    let copy = d.one_to_client();
    assert_eq!(copy.at("sent/forwarded/message").value("to"), CONTACT);
    // A private message is not copied (XEP-0280).
    d.server(&event(
        HIS,
        &own("6", CONTACT, "<private xmlns='urn:xmpp:carbons:2'/>"),
    ));
    assert_eq!(d.client_bytes(), "");
}

#[test]
fn only_the_author_says_when_it_was_said() {
    let mut d = session_under_pure();
    let delays = "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/><delay xmlns='urn:xmpp:delay' \
                  from='capulet.lit' stamp='2020-01-01T00:00:00Z'/><x xmlns='jabber:x:delay' from='capulet.lit' \
                  stamp='20200101T00:00:00'/>";
    let first = item("1", ROMEO, JULIET, delays);
    d.server(
        "<message from='pubsub.montague.lit' to='juliet@capulet.lit/balcony'><event \
         xmlns='http://jabber.org/protocol/pubsub#event'><subscription node='n' jid='juliet@capulet.lit' \
         subscription='subscribed'/></event></message>",
    );
    serve(&mut d, &of_pair(CONTACT, OWN), "");
    d.forget();
    d.server(&event(HIS, &first));
    assert_eq!(d.one_to_client().names(), ["body"]);
}

/// Ids on record as shown last, once the record is written.
fn on_record(d: &mut Driver) -> Vec<String> {
    for question in d.server_got() {
        if question.has("pubsub/configure") {
            d.result(&question, &private_node());
        }
    }
    d.advance(31);
    let sent = d.server_got();
    let seen = sent
        .iter()
        .filter_map(|it| it.find("pubsub/publish/item/chat/node"));
    let last = seen.filter_map(|it| it.attribute("item"));
    last.map(str::to_owned).collect()
}

#[test]
fn what_could_not_be_fetched_is_not_taken_as_shown() {
    for is_refused in [false, true] {
        let mut d = session_under_pure();
        d.server(&event(HIS, &item("1", ROMEO, JULIET, "")));
        let info = question(&mut d, "query");
        d.result(&info, &of_pair(CONTACT, OWN));
        let record = question(&mut d, "pubsub/items");
        d.result(&record, &items("urn:pubshim:chats", ""));
        let fetch = question(&mut d, "pubsub/items");
        match is_refused {
            true => d.error(&fetch, "wait", "internal-server-error"),
            false => d.result(&fetch, &items("n", &item("1", ROMEO, JULIET, ""))),
        }
        // A new event is shown all the same.
        d.server(&event(HIS, &item("2", ROMEO, JULIET, "")));
        assert_eq!(bodies(&mut d).last().unwrap(), &format!("{ROMEO} 2"));
        let expected: &[&str] = if is_refused { &[] } else { &["2"] };
        assert_eq!(on_record(&mut d), expected);
    }
}

#[test]
fn nobody_is_written_to_before_his_service_was_asked() {
    let mut d = session_under_pure();
    d.forget();
    for n in 0..40 {
        d.client(&format!(
            "<message to='romeo@d{n}.lit' type='chat' id='m{n}'><body>x</body></message>"
        ));
        let list = question(&mut d, "pubsub/subscriptions");
        assert_eq!(list.value("to"), format!("pubsub.d{n}.lit"));
        d.error(&list, "cancel", "remote-server-not-found");
    }
}

#[test]
fn who_is_blocked_is_not_heard() {
    let mut d = session_under_pure();
    romeo_writes(&mut d);
    assert_eq!(bodies(&mut d).len(), 1);
    d.client(&blocking("block", "b", CONTACT));
    d.server(&format!("<iq type='result' to='{JULIET}' id='b'/>"));
    d.server(&event(HIS, &item("2", ROMEO, JULIET, "")));
    assert_eq!(bodies(&mut d), [""; 0]);
}

#[test]
fn what_is_old_stays_old_whatever_is_said_at_the_login() {
    // Juliet has come a quarter of an hour after the clock began.
    for (stamp, is_old) in [
        ("1970-01-01T00:10:00Z", true),
        ("1970-01-01T00:20:00Z", false),
    ] {
        let delay = format!("<delay xmlns='urn:xmpp:delay' stamp='{stamp}'/>");
        let mut d = session_under_pure();
        d.server(&event("pubsub.capulet.lit", &item("2", ROMEO, JULIET, "")));
        serve(
            &mut d,
            &of_pair(CONTACT, OWN),
            &item("1", ROMEO, JULIET, &delay),
        );
        let shown = messages(&mut d);
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].has("delay"), is_old);
    }
}

#[test]
fn strangers_cannot_have_others_unheard() {
    let mut d = session_under_pure();
    for n in 0..1030 {
        d.server(&event(
            &format!("pubsub{n}.evil.lit"),
            &item("1", "x@evil.lit", JULIET, ""),
        ));
        serve(&mut d, &of_pair("x@evil.lit", "y@evil.lit"), "");
        d.advance(1);
    }
    d.forget();
    romeo_writes(&mut d);
    assert_eq!(bodies(&mut d), [format!("{ROMEO} 1")]);
}

#[test]
fn what_the_other_one_is_never_told_of_comes_back() {
    let mut d = session_under_pure();
    d.forget();
    d.client(&format!(
        "<message to='{CONTACT}' type='chat' id='m1'><body>x</body></message>"
    ));
    let list = question(&mut d, "pubsub/subscriptions");
    d.error(&list, "cancel", "item-not-found");
    for own in d.server_got() {
        d.error(&own, "cancel", "item-not-found");
    }
    // The own service is asked at the login, and does not answer in time.
    d.advance(60);
    for question in d.server_got() {
        let is_of_contact = |it: &Node| it.value("jid") == CONTACT;
        match question.find("pubsub/subscriptions/subscription") {
            Some(subscription) if is_of_contact(subscription) => {
                d.error(&question, "modify", "not-acceptable");
            }
            _ => d.result(&question, ""),
        }
    }
    let shown = messages(&mut d);
    assert_eq!(shown.len(), 1);
    shown[0].assert_values(&[("type", "error"), ("id", "m1")]);
    assert!(shown[0].has("error/not-acceptable"));
}

/// The ids of messages that came back to the client, whose stream may have ended.
fn bounced(d: &mut Driver) -> Vec<String> {
    let bytes = d.client_bytes();
    let mut shown = Node::stream(bytes.trim_end_matches("</stream:stream>"));
    shown.retain(|it| it.local == "message" && it.value("type") == "error");
    shown.iter().map(|it| it.value("id").to_owned()).collect()
}

#[test]
fn no_chat_state_is_bounced_at_logout() {
    let say = |d: &mut Driver, to: &str, id: &str, inside: &str| {
        d.client(&format!(
            "<message to='{to}' type='chat' id='{id}'>{inside}</message>"
        ));
    };
    let gone = "<gone xmlns='http://jabber.org/protocol/chatstates'/>";
    let body = "<body>x</body>";
    // A message on its way to a node, and not answered.
    let mut d = session_under_pure();
    romeo_writes(&mut d);
    d.forget();
    say(&mut d, CONTACT, "m1", body);
    say(&mut d, CONTACT, "s1", gone);
    d.advance(61);
    assert_eq!(bounced(&mut d), ["m1"]);
    // The shim does not know yet whether there is a node.
    let mut d = session_under_pure();
    d.forget();
    say(&mut d, CONTACT, "s1", gone);
    say(&mut d, CONTACT, "m1", body);
    d.server("</stream:stream>");
    assert_eq!(bounced(&mut d), ["m1"]);
    // A domain takes no messages by publish-subscribe.
    let mut d = session_under_pure();
    d.forget();
    say(&mut d, "capulet.lit", "s1", gone);
    say(&mut d, "capulet.lit", "m1", body);
    assert_eq!(bounced(&mut d), ["m1"]);
}

#[test]
fn for_a_chat_state_alone_no_node_is_made() {
    let mut d = session_under_pure();
    d.forget();
    d.client(&format!(
        "<message to='{CONTACT}' type='chat'><active xmlns='http://jabber.org/protocol/chatstates'/></message>"
    ));
    d.client("</stream:stream>");
    let bytes = d.server_bytes();
    assert!(!bytes.contains("<create"), "{bytes}");
}

#[test]
fn a_message_too_deep_to_read_is_not_shown_raw() {
    let mut d = session_under_pure();
    romeo_writes(&mut d);
    d.forget();
    let deep = format!("{}{}", "<a>".repeat(300), "</a>".repeat(300));
    d.server(&event(HIS, &item("2", ROMEO, JULIET, &deep)));
    assert_eq!(d.client_bytes(), "");
    assert_eq!(d.dropped(), [Dropped::Unreadable]);
}
