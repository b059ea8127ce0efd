//! One script of pubsub requests at an account, asked of the sandbox, of ejabberd and of Prosody: the
//! outcomes are XEP-0060's, which the sandbox follows, but for the differences listed.

use pubshim::ns;
use pubshim::xml::{Element, Framer, Limits};

use crate::puppet::Puppet;
use crate::sandbox;
use crate::server::{Kind, Server};

/// A request and what comes of it: `result`, the conditions of an error, the ids of items, a
/// subscription's state; behind a comma the event that Romeo sees.
struct Step {
    name: &'static str,
    /// Juliet asks, or Romeo.
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

use Who::{Juliet, Romeo};

/// What makes an IQ an owner's.
const OWNER: &str = "owner ";

const fn step(
    name: &'static str,
    who: Who,
    kind: &'static str,
    content: &'static str,
    outcome: &'static str,
) -> Step {
    Step {
        name,
        who,
        kind,
        content,
        outcome,
    }
}

/// `JULIET`, `ROMEO` are bare JIDs, `MOBILE` is Romeo's full one; `CONFIG(a=b)` is a submitted form with
/// that field, `OPTIONS(a=b)` one of publish-options.
const STEPS: &[Step] = &[
    step(
        "publish to no node",
        Juliet,
        "set",
        "<publish node='auto'><item id='1'><p xmlns='urn:test'/></item></publish>",
        "item-not-found",
    ),
    step(
        "create",
        Juliet,
        "set",
        "<create node='n'/><configure>CONFIG(pubsub#access_model=whitelist pubsub#max_items=5 pubsub#presence_based_delivery=0 pubsub#notify_retract=1 pubsub#notify_delete=1 pubsub#itemreply=publisher)</configure>",
        "result",
    ),
    step(
        "create again",
        Juliet,
        "set",
        "<create node='n'/>",
        "conflict",
    ),
    step(
        "create at somebody's",
        Romeo,
        "set",
        "<create node='m'/>",
        "forbidden",
    ),
    step(
        "configuration of somebody's",
        Romeo,
        "owner get",
        "<configure node='n'/>",
        "forbidden",
    ),
    step(
        "configuration of no node",
        Juliet,
        "owner get",
        "<configure node='m'/>",
        "item-not-found",
    ),
    step(
        "model presence",
        Juliet,
        "owner set",
        "<configure node='n'>CONFIG(pubsub#access_model=presence)</configure>",
        "not-acceptable unsupported-access-model",
    ),
    step(
        "model nonsense",
        Juliet,
        "owner set",
        "<configure node='n'>CONFIG(pubsub#access_model=nonsense)</configure>",
        "not-acceptable unsupported-access-model",
    ),
    step(
        "no items",
        Juliet,
        "owner set",
        "<configure node='n'>CONFIG(pubsub#max_items=0)</configure>",
        "not-acceptable max-items-exceeded",
    ),
    step(
        "model whitelist",
        Juliet,
        "owner set",
        "<configure node='n'>CONFIG(pubsub#access_model=whitelist pubsub#max_items=5)</configure>",
        "result",
    ),
    step(
        "subscribe, closed",
        Romeo,
        "set",
        "<subscribe node='n' jid='MOBILE'/>",
        "not-allowed closed-node",
    ),
    step(
        "items, closed",
        Romeo,
        "get",
        "<items node='n'/>",
        "not-allowed closed-node",
    ),
    step(
        "subscribe to no node",
        Romeo,
        "set",
        "<subscribe node='m' jid='MOBILE'/>",
        "item-not-found",
    ),
    step(
        "affiliations by another",
        Romeo,
        "owner set",
        "<affiliations node='n'><affiliation jid='ROMEO' affiliation='owner'/></affiliations>",
        "forbidden",
    ),
    step(
        "last owner",
        Juliet,
        "owner set",
        "<affiliations node='n'><affiliation jid='JULIET' affiliation='none'/></affiliations>",
        "not-acceptable",
    ),
    step(
        "member",
        Juliet,
        "owner set",
        "<affiliations node='n'><affiliation jid='ROMEO' affiliation='member'/></affiliations>",
        "result",
    ),
    step(
        "subscribe another",
        Romeo,
        "set",
        "<subscribe node='n' jid='JULIET'/>",
        "bad-request invalid-jid",
    ),
    step(
        "subscribe",
        Romeo,
        "set",
        "<subscribe node='n' jid='MOBILE'/>",
        "subscribed",
    ),
    step(
        "subscribe again",
        Romeo,
        "set",
        "<subscribe node='n' jid='MOBILE'/>",
        "subscribed",
    ),
    step(
        "own subscriptions",
        Romeo,
        "get",
        "<subscriptions/>",
        "subscribed",
    ),
    step(
        "publish",
        Juliet,
        "set",
        "<publish node='n'><item id='1'><p xmlns='urn:test'/></item></publish>",
        "result 1, item 1 by full JID, replyto",
    ),
    step(
        "publish again",
        Juliet,
        "set",
        "<publish node='n'><item id='1'><p xmlns='urn:test'/></item></publish>",
        "result 1, item 1 by full JID, replyto",
    ),
    step(
        "publish without item",
        Juliet,
        "set",
        "<publish node='n'/>",
        "bad-request item-required",
    ),
    step(
        "publish without payload",
        Juliet,
        "set",
        "<publish node='n'><item id='x'/></publish>",
        "bad-request payload-required",
    ),
    step(
        "publish two payloads",
        Juliet,
        "set",
        "<publish node='n'><item id='x'><p xmlns='urn:test'/><p xmlns='urn:test'/></item></publish>",
        "bad-request invalid-payload",
    ),
    step(
        "publish two items",
        Juliet,
        "set",
        "<publish node='n'><item id='x'><p xmlns='urn:test'/></item><item id='y'><p xmlns='urn:test'/></item></publish>",
        "bad-request",
    ),
    step(
        "publish, no publisher",
        Romeo,
        "set",
        "<publish node='n'><item id='x'><p xmlns='urn:test'/></item></publish>",
        "forbidden",
    ),
    step(
        "precondition met",
        Juliet,
        "set",
        "<publish node='n'><item id='2'><p xmlns='urn:test'/></item></publish><publish-options>OPTIONS(pubsub#access_model=whitelist)</publish-options>",
        "result 2, item 2 by full JID, replyto",
    ),
    step(
        "precondition not met",
        Juliet,
        "set",
        "<publish node='n'><item id='x'><p xmlns='urn:test'/></item></publish><publish-options>OPTIONS(pubsub#access_model=open)</publish-options>",
        "conflict precondition-not-met",
    ),
    step(
        "precondition unknown",
        Juliet,
        "set",
        "<publish node='n'><item id='3'><p xmlns='urn:test'/></item></publish><publish-options>OPTIONS(pubsub#colour=blue)</publish-options>",
        "conflict precondition-not-met",
    ),
    step(
        "items",
        Romeo,
        "get",
        "<items node='n'><item id='1'/><item id='2'/></items>",
        "items 1 2",
    ),
    step(
        "newest item",
        Romeo,
        "get",
        "<items node='n' max_items='1'/>",
        "items 2",
    ),
    step(
        "item by id",
        Romeo,
        "get",
        "<items node='n'><item id='1'/></items>",
        "items 1",
    ),
    step(
        "no such item",
        Romeo,
        "get",
        "<items node='n'><item id='none'/></items>",
        "items",
    ),
    step(
        "retract, no publisher",
        Romeo,
        "set",
        "<retract node='n'><item id='1'/></retract>",
        "forbidden",
    ),
    step(
        "retract without id",
        Juliet,
        "set",
        "<retract node='n'><item/></retract>",
        "bad-request item-required",
    ),
    step(
        "retract nothing",
        Juliet,
        "set",
        "<retract node='n'><item id='none'/></retract>",
        "item-not-found",
    ),
    step(
        "retract",
        Juliet,
        "set",
        "<retract node='n' notify='true'><item id='1'/></retract>",
        "result, retract 1",
    ),
    step(
        "purge",
        Juliet,
        "owner set",
        "<purge node='n'/>",
        "result, purge",
    ),
    step(
        "subscribers",
        Juliet,
        "owner get",
        "<subscriptions node='n'/>",
        "subscribed",
    ),
    step(
        "subscriber removed",
        Juliet,
        "owner set",
        "<subscriptions node='n'><subscription jid='MOBILE' subscription='none'/></subscriptions>",
        "result, none",
    ),
    step(
        "unsubscribe, not subscribed",
        Romeo,
        "set",
        "<unsubscribe node='n' jid='MOBILE'/>",
        "unexpected-request not-subscribed",
    ),
    step(
        "model authorize",
        Juliet,
        "set",
        "<create node='a'/><configure>CONFIG(pubsub#access_model=authorize pubsub#presence_based_delivery=0)</configure>",
        "result",
    ),
    step(
        "ask",
        Romeo,
        "set",
        "<subscribe node='a' jid='MOBILE'/>",
        "pending",
    ),
    step(
        "ask again",
        Romeo,
        "set",
        "<subscribe node='a' jid='MOBILE'/>",
        "not-authorized pending-subscription",
    ),
    step(
        "items while pending",
        Romeo,
        "get",
        "<items node='a'/>",
        "not-authorized not-subscribed",
    ),
    step("own pending", Romeo, "get", "<subscriptions/>", "pending"),
    step(
        "approve",
        Juliet,
        "owner set",
        "<subscriptions node='a'><subscription jid='MOBILE' subscription='subscribed'/></subscriptions>",
        "result, subscribed",
    ),
    step(
        "items, subscribed",
        Romeo,
        "get",
        "<items node='a'/>",
        "items",
    ),
    step(
        "outcast",
        Juliet,
        "owner set",
        "<affiliations node='a'><affiliation jid='ROMEO' affiliation='outcast'/></affiliations>",
        "result, none",
    ),
    step(
        "items, outcast",
        Romeo,
        "get",
        "<items node='a'/>",
        "forbidden",
    ),
    step(
        "delete by another",
        Romeo,
        "owner set",
        "<delete node='n'/>",
        "forbidden",
    ),
    step(
        "delete",
        Juliet,
        "owner set",
        "<delete node='n'/>",
        "result",
    ),
    step(
        "items of no node",
        Juliet,
        "get",
        "<items node='n'/>",
        "item-not-found",
    ),
    step(
        "unsupported",
        Juliet,
        "set",
        "<conquer/>",
        "feature-not-implemented",
    ),
];

/// Where a server does otherwise: the step, the outcome on ejabberd and on Prosody (empty: as the sandbox).
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("publish to no node", "result 1", "result 1"),
    ("model presence", "result", "result"),
    ("model nonsense", "resource-constraint", "not-acceptable"),
    ("no items", "result", "bad-request"),
    ("subscribe, closed", "", "forbidden"),
    ("items, closed", "", "forbidden"),
    ("subscribe to no node", "", "forbidden"),
    ("last owner", "result", "result"),
    ("subscribe another", "", "forbidden"),
    (
        "publish",
        "result 1, item 1 by full JID",
        "result 1, item 1 by bare JID",
    ),
    (
        "publish again",
        "result 1, item 1 by full JID",
        "result 1, item 1 by bare JID",
    ),
    ("publish without item", "", "bad-request"),
    (
        "publish without payload",
        "bad-request item-required",
        "bad-request",
    ),
    ("publish two payloads", "", "bad-request"),
    (
        "publish two items",
        "bad-request invalid-payload",
        "result x, item x by bare JID",
    ),
    (
        "precondition met",
        "result 2, item 2 by full JID",
        "result 2, item 2 by bare JID",
    ),
    (
        "precondition unknown",
        "resource-constraint",
        "result 3, item 3 by bare JID",
    ),
    ("newest item", "", "items 3"),
    ("retract without id", "", "item-not-found"),
    ("subscribers", "feature-not-implemented unsupported", ""),
    ("subscriber removed", "", "result"),
    ("model authorize", "", "not-acceptable"),
    ("ask", "", "forbidden"),
    ("ask again", "", "forbidden"),
    ("items while pending", "forbidden", "forbidden"),
    ("own pending", "", "no subscriptions"),
    ("approve", "", "item-not-found"),
    ("items, subscribed", "", "forbidden"),
    ("outcast", "result", "item-not-found"),
    ("unsupported", "bad-request", "service-unavailable"),
];

#[test]
fn on_the_sandbox() {
    let running = sandbox::sandbox();
    let entry = sandbox::entry(&running);
    let juliet = Puppet::login(&entry, &sandbox::account("juliet@capulet.lit"), "balcony");
    let romeo = Puppet::login(&entry, &sandbox::account("romeo@montague.lit"), "mobile");
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

/// Compares the outcomes with the table, and shows all that differ.
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

/// Asks everything; the outcome of each step.
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
        let asking = if step.who == Juliet { juliet } else { romeo };
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

/// Puts forms where `CONFIG(…)` and `OPTIONS(…)` stand.
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
        // In whatever order they come, RFC 6120's is the first.
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
    // Beside it may stand what XEP-0059 says of the list.
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

/// What an event says, of whom, and whether the address for replies stands beside it (listing 17).
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
