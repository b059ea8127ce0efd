//! One script of pubsub requests to an account on the sandbox, ejabberd and Prosody. The outcomes are those of
//! XEP-0060, which the sandbox follows; differences of the servers are listed.

mod table;

use pubshim::ns;
use pubshim::xml::{Element, Framer, Limits};

use crate::puppet::Puppet;
use crate::server::{Kind, Server, sandbox, sandbox_account, sandbox_entry};
use table::{DIFFERENCES, STEPS};

/// A request and its outcome: `result`, the conditions of an error, the ids of items, or a subscription's state;
/// behind a comma the event that Romeo gets.
struct Step {
    name: &'static str,
    /// The account that asks.
    who: Who,
    kind: &'static str,
    content: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Juliet,
    Romeo,
}

/// Prefix of a `kind` for IQs in the owner's namespace.
const OWNER: &str = "owner ";

#[test]
fn on_the_sandbox() {
    let running = sandbox();
    let entry = sandbox_entry(&running);
    let juliet = Puppet::login(&entry, &sandbox_account("juliet@capulet.lit"), "balcony");
    let romeo = Puppet::login(&entry, &sandbox_account("romeo@montague.lit"), "mobile");
    check(&play(&juliet, &romeo), |_| "");
}

#[test]
fn on_ejabberd() {
    check(&play_on(Kind::Ejabberd), |(_, ejabberd, _)| ejabberd);
}

#[test]
fn on_prosody() {
    check(&play_on(Kind::Prosody), |(_, _, prosody)| prosody);
}

fn play_on(kind: Kind) -> Vec<String> {
    let server = Server::get(kind);
    let juliet = Puppet::login(&server.entry(), &server.account("juliet"), "balcony");
    let romeo = Puppet::login(&server.entry(), &server.account("romeo"), "mobile");
    play(&juliet, &romeo)
}

/// Compares the outcomes with the table, and prints all that differ.
fn check(
    outcomes: &[String],
    difference: impl Fn(&(&'static str, &'static str, &'static str)) -> &'static str,
) {
    for (name, ..) in DIFFERENCES {
        assert!(
            STEPS.iter().any(|step| step.name == *name),
            "there is no step {name:?}"
        );
    }
    let mut wrong = Vec::new();
    for (step, outcome) in STEPS.iter().zip(outcomes) {
        let listed = DIFFERENCES.iter().find(|(name, ..)| *name == step.name);
        let expected = match listed.map(&difference) {
            None | Some("") => step.outcome,
            Some(other) => {
                assert_ne!(other, step.outcome, "{:?} is no difference", step.name);
                other
            }
        };
        if outcome != expected {
            wrong.push(format!(
                "{}: {outcome:?} instead of {expected:?}",
                step.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Plays the script; returns the outcome of each step.
fn play(juliet: &Puppet, romeo: &Puppet) -> Vec<String> {
    let mut seen = 0;
    let mut outcomes = Vec::new();
    for step in STEPS {
        let (kind, namespace) = match step.kind.strip_prefix(OWNER) {
            Some(kind) => (kind, ns::PUBSUB_OWNER),
            None => (step.kind, ns::PUBSUB),
        };
        let content = forms(step.content)
            .replace("JULIET", &juliet.bare)
            .replace("ROMEO", &romeo.bare)
            .replace("MOBILE", &romeo.full);
        let payload = format!("<pubsub xmlns='{namespace}'>{content}</pubsub>");
        let asking = if step.who == Who::Juliet {
            juliet
        } else {
            romeo
        };
        let answer = asking.iq(kind, Some(&juliet.bare), &payload);
        let mut outcome = with_element(&answer.xml, outcome_of);
        let events = romeo.seen_before_next_of(juliet);
        for event in events.iter().skip(seen).filter(|it| it.kind == "message") {
            outcome.push_str(", ");
            outcome.push_str(&with_element(&event.xml, event_of));
        }
        seen = events.len();
        outcomes.push(outcome);
    }
    outcomes
}

/// Replaces `CONFIG(…)` and `OPTIONS(…)` by forms.
fn forms(content: &str) -> String {
    let mut content = content.to_owned();
    for (name, form_type) in [
        ("CONFIG(", ns::NODE_CONFIG),
        ("OPTIONS(", ns::PUBLISH_OPTIONS),
    ] {
        if let Some((before, rest)) = content.clone().split_once(name) {
            let (fields, after) = rest.split_once(')').unwrap();
            let fields = fields
                .split(' ')
                .map(|field| field.split_once('=').unwrap());
            let fields = std::iter::once(("FORM_TYPE", form_type)).chain(fields);
            let fields: String = fields
                .map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>"))
                .collect();
            content = format!("{before}<x xmlns='jabber:x:data' type='submit'>{fields}</x>{after}");
        }
    }
    content
}

fn with_element(xml: &str, look: impl Fn(&Element<'_>) -> String) -> String {
    const HEADER: &[u8] = b"<stream xmlns='jabber:client'>";
    let mut framer = Framer::new(Limits::AFTER_LOGIN);
    framer.next(HEADER).unwrap();
    let stream = framer.namespaces().unwrap();
    look(&Element::of_frame(xml.as_bytes(), stream).unwrap())
}

fn outcome_of(iq: &Element<'_>) -> String {
    if let Some(error) = iq.child(ns::CLIENT, "error") {
        let conditions = error.children().filter(|it| it.local() != "text");
        let mut conditions: Vec<_> = conditions
            .map(|it| (it.namespace() != ns::STANZA_ERRORS, it.local().to_owned()))
            .collect();
        // Sorted, as their order differs; RFC 6120's is then the first.
        conditions.sort();
        return conditions
            .into_iter()
            .map(|(_, name)| name)
            .collect::<Vec<_>>()
            .join(" ");
    }
    let Some(pubsub) = iq.children().next() else {
        return "result".to_owned();
    };
    // An element of XEP-0059 may stand beside it.
    let is_pubsub = |it: &Element<'_>| it.namespace() == pubsub.namespace();
    let Some(content) = pubsub.children().find(is_pubsub) else {
        return "result".to_owned();
    };
    match content.local() {
        "items" => format!("items {}", ids(&content)).trim_end().to_owned(),
        "publish" => format!("result {}", ids(&content)),
        "subscription" => subscription(&content),
        "subscriptions" if content.children().next().is_none() => "no subscriptions".to_owned(),
        "subscriptions" => content
            .children()
            .map(|it| subscription(&it))
            .collect::<Vec<_>>()
            .join(" "),
        _ => "result".to_owned(),
    }
}

fn subscription(element: &Element<'_>) -> String {
    let state = element.attribute("subscription");
    state.map_or("a subscription without state".to_owned(), |it| {
        it.into_owned()
    })
}

/// An event in short: its content, the publisher, and whether there is an address for replies (listing 17).
fn event_of(message: &Element<'_>) -> String {
    let Some(event) = message.child(ns::PUBSUB_EVENT, "event") else {
        return format!("a message: {}", message.raw());
    };
    let Some(content) = event.children().next() else {
        return "nothing".to_owned();
    };
    let Some(item) = content
        .children()
        .next()
        .filter(|_| content.local() == "items")
    else {
        let state = content.attribute("subscription");
        return state.map_or(content.local().to_owned(), |it| it.into_owned());
    };
    let publisher = match item.attribute("publisher") {
        _ if item.local() == "retract" => "",
        None => " by nobody",
        Some(jid) if jid.contains('/') => " by full JID",
        Some(_) => " by bare JID",
    };
    let has_address = message.children().any(|it| it.local() == "addresses");
    let address = if has_address { ", replyto" } else { "" };
    format!("{} {}{publisher}{address}", item.local(), ids(&content))
}

fn ids(parent: &Element<'_>) -> String {
    let ids = parent
        .children()
        .filter_map(|it| it.attribute("id").map(|it| it.into_owned()));
    ids.collect::<Vec<_>>().join(" ")
}
