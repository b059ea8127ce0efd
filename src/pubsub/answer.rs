//! Reads the answers of a publish-subscribe service. `None` always means that the answer does not hold the list or
//! value.

use crate::ns;
use crate::xml::Element;

/// Reads the list of items in an answer (§6.5.2).
pub(crate) fn with_items<R>(iq: &Element<'_>, read: impl FnOnce(&Element<'_>) -> R) -> Option<R> {
    let pubsub = iq.child(ns::PUBSUB, "pubsub")?;
    let items = pubsub.child(ns::PUBSUB, "items")?;
    Some(read(&items))
}

/// Whether an answer is only a part of a list (XEP-0059).
pub(crate) fn is_part(iq: &Element<'_>) -> bool {
    let pubsub = iq.child(ns::PUBSUB, "pubsub");
    pubsub.is_some_and(|pubsub| pubsub.child(ns::RSM, "set").is_some())
}

/// The nodes that `service` lists as its own (§5.2).
pub(crate) fn nodes(iq: &Element<'_>, service: &str) -> Option<Vec<Box<str>>> {
    let query = iq.child(ns::DISCO_ITEMS, "query")?;
    let read = |item: Element<'_>| {
        let is_own = item.attribute("jid").is_some_and(|jid| jid == service);
        let node = item.attribute("node").filter(|_| is_own)?;
        Some((*node).into())
    };
    Some(query.children().filter_map(read).collect())
}

/// Reads the form of a node's configuration (§8.2.2).
pub(crate) fn with_configuration<R>(
    iq: &Element<'_>,
    read: impl FnOnce(&Element<'_>) -> R,
) -> Option<R> {
    let pubsub = iq.child(ns::PUBSUB_OWNER, "pubsub")?;
    let configure = pubsub.child(ns::PUBSUB_OWNER, "configure")?;
    let form = configure.child(ns::DATA, "x")?;
    Some(read(&form))
}

/// Affiliations with a node, as its owner reads them (§8.9.1): JIDs and affiliations.
pub(crate) fn affiliations(iq: &Element<'_>) -> Option<Vec<(Box<str>, Box<str>)>> {
    owner_list(iq, "affiliations", "affiliation")
}

/// Subscriptions to a node, pending ones too, as its owner reads them (§8.8.1): JIDs and states.
pub(crate) fn subscriptions(iq: &Element<'_>) -> Option<Vec<(Box<str>, Box<str>)>> {
    let mut found = owner_list(iq, "subscriptions", "subscription")?;
    found.retain(|(_, state)| **state != *"none");
    Some(found)
}

fn owner_list(iq: &Element<'_>, list: &str, what: &str) -> Option<Vec<(Box<str>, Box<str>)>> {
    let pubsub = iq.child(ns::PUBSUB_OWNER, "pubsub")?;
    let list = pubsub.child(ns::PUBSUB_OWNER, list)?;
    let read = |entry: Element<'_>| {
        let [jid, value] = ["jid", what].map(|name| entry.attribute(name).unwrap_or_default());
        ((*jid).into(), (*value).into())
    };
    Some(list.children().map(read).collect())
}

/// The state of the subscription in the answer to a request to subscribe (§6.1.2).
pub(crate) fn subscription(iq: &Element<'_>) -> Option<Box<str>> {
    let pubsub = iq.child(ns::PUBSUB, "pubsub")?;
    let subscription = pubsub.child(ns::PUBSUB, "subscription")?;
    Some((*subscription.attribute("subscription")?).into())
}

/// The state of the subscription of `own` to `node` in a list of our own (§5.6).
pub(crate) fn own_subscription(iq: &Element<'_>, node: &str, own: &str) -> Option<Box<str>> {
    let mut all = own_subscriptions(iq, node)?.into_iter();
    all.find(|(jid, _)| **jid == *own).map(|(_, state)| state)
}

/// Our own subscriptions to `node` (§5.6): JIDs of our account and states.
pub(crate) fn own_subscriptions(iq: &Element<'_>, node: &str) -> Option<Vec<(Box<str>, Box<str>)>> {
    // Services name the node on each subscription or on the list; ejabberd nowhere, if asked about one node.
    own_list(iq, |of, jid, state| {
        of.is_none_or(|of| of == node).then_some((jid, state))
    })
}

/// All our own subscriptions on a service (§5.6): nodes, JIDs of our account, states.
pub(crate) fn all_own_subscriptions(iq: &Element<'_>) -> Option<Vec<[Box<str>; 3]>> {
    own_list(iq, |node, jid, state| Some([node?.into(), jid, state]))
}

/// Our own subscriptions, each given to `read`: the node, if the list names it, the JID, the state.
fn own_list<R>(
    iq: &Element<'_>,
    read: impl Fn(Option<&str>, Box<str>, Box<str>) -> Option<R>,
) -> Option<Vec<R>> {
    let pubsub = iq.child(ns::PUBSUB, "pubsub")?;
    let list = pubsub.child(ns::PUBSUB, "subscriptions")?;
    let read = |child: Element<'_>| {
        let node = child.attribute("node").or_else(|| list.attribute("node"));
        let (jid, state) = (child.attribute("jid")?, child.attribute("subscription")?);
        read(node.as_deref(), (*jid).into(), (*state).into())
    };
    Some(list.children().filter_map(read).collect())
}
