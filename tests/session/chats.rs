//! One-to-one messages (listings 18 to 20) on services that say and do what the sandbox does not.

use pubshim::session::Policy;

use crate::common::*;
use crate::driver::*;

const HIS: &str = "pubsub.montague.lit";

/// Juliet's session, available.
fn session() -> Driver {
    let mut d = Driver::logged_in(JULIET, options(Policy::Pure));
    d.keep_services();
    d.client("<presence/>");
    d
}

/// What a node says of itself that `owner` has made for `publisher`.
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
        "<message from='{service}' to='{JULIET}' type='headline'><event \
         xmlns='http://jabber.org/protocol/pubsub#event'><items node='n'>{items}</items></event></message>"
    )
}

/// Answers for a service: whose its node is, and what is on it.
fn serve(d: &mut Driver, about: &str, items: &str) {
    for _ in 0..3 {
        for question in d.server_got() {
            if question.has("query") {
                d.result(&question, about);
            } else if question.has("pubsub/items") {
                let items =
                    format!("<pubsub xmlns='{PUBSUB}'><items node='n'>{items}</items></pubsub>");
                d.result(&question, &items);
            } else {
                d.error(&question, "cancel", "item-not-found");
            }
        }
    }
}

fn bodies(d: &mut Driver) -> Vec<String> {
    let mut got = d.client_got();
    got.retain(|it| it.local == "message" && it.has("body"));
    let said = |it: &Node| format!("{} {}", it.value("from"), it.at("body").text);
    got.iter().map(said).collect()
}

#[test]
fn a_resource_that_looks_like_a_host_is_no_service_of_that_domain() {
    let romeos = item("1", ROMEO, JULIET, "");
    for (service, is_believed) in [
        (HIS, true),
        ("evil.lit", false),
        ("evil.lit/pubsub.montague.lit", false),
        ("evil.lit/.capulet.lit", false),
    ] {
        let mut d = session();
        d.server(&event(service, &romeos));
        serve(&mut d, &of_pair(CONTACT, OWN), &romeos);
        assert_eq!(bodies(&mut d).len(), usize::from(is_believed), "{service}");
    }
}
