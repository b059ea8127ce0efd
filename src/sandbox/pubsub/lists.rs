//! An owner's lists: subscriptions and affiliations (XEP-0060 §8.8, §8.9).

use std::collections::BTreeSet;

use super::node::{Affiliation, Node, State, Subscription};
use super::{Answer, Context, NodeId, events, owner_list_xml};
use crate::jid;
use crate::sandbox::config::{is_user, normal};
use crate::sandbox::error::Error;
use crate::xml::{Element, escape};

/// All subscriptions, the pending ones as well.
pub(super) fn subscriptions(at: NodeId<'_>, node: &Node) -> String {
    let entries = node.subscriptions.iter();
    let entries = entries.map(|(jid, it)| subscription_xml(jid, it.as_str()));
    owner_list_xml("subscriptions", at.name, &entries.collect::<String>())
}

pub(super) fn affiliations(at: NodeId<'_>, node: &Node) -> String {
    let entries = node.affiliations.iter();
    let entries = entries.map(|(jid, it)| affiliation_xml(jid, *it));
    owner_list_xml("affiliations", at.name, &entries.collect::<String>())
}

/// Changes subscriptions; those that cannot be changed come back in the error (§8.8.2.4).
pub(super) fn set_subscriptions(
    at: NodeId<'_>,
    node: &mut Node,
    action: &Element<'_>,
    context: &mut Context<'_>,
) -> Answer {
    let mut failed = String::new();
    for entry in action.children().filter(|it| it.local() == "subscription") {
        let jid = normal(&entry.attribute("jid").unwrap_or_default());
        let done = match entry.attribute("subscription").as_deref() {
            None => true,
            Some("subscribed") => subscribe(at, node, &jid, context),
            Some("none") => {
                unsubscribe(at, node, &jid, context);
                true
            }
            Some(_) => false,
        };
        if !done {
            let known = node.subscriptions.get(&jid);
            let state = known.map_or("none", Subscription::as_str);
            failed.push_str(&subscription_xml(&jid, state));
        }
    }
    answer("subscriptions", at.name, &failed)
}

/// Changes affiliations; those that cannot be changed come back in the error (§8.9.2.4).
pub(super) fn set_affiliations(
    at: NodeId<'_>,
    node: &mut Node,
    action: &Element<'_>,
    context: &mut Context<'_>,
) -> Answer {
    let mut named = BTreeSet::new();
    let mut entries = Vec::new();
    for entry in action.children().filter(|it| it.local() == "affiliation") {
        let jid = normal(&entry.attribute("jid").unwrap_or_default());
        if !named.insert(jid.clone()) {
            return Err(Error::BAD_REQUEST.text("an entity twice (XEP-0060 §8.9.2.4)"));
        }
        let affiliation = entry.attribute("affiliation");
        entries.extend(affiliation.map(|it| (jid, Affiliation::parse(&it))));
    }
    let mut failed = String::new();
    for (jid, affiliation) in &entries {
        if !affiliation.is_some_and(|it| affiliate(at, node, jid, it, context)) {
            failed.push_str(&affiliation_xml(jid, node.affiliation(jid)));
        }
    }
    answer("affiliations", at.name, &failed)
}

/// Subscribes `jid`, or approves its pending subscription; `false` if that is not possible.
fn subscribe(at: NodeId<'_>, node: &mut Node, jid: &str, context: &mut Context<'_>) -> bool {
    let known = node.subscriptions.get(jid);
    if known.is_some_and(Subscription::is_subscribed) {
        return true;
    }
    let is_full = known.is_none() && node.subscriptions.len() >= context.limits.subscriptions;
    if is_full || !is_user(jid) || node.affiliation(jid) == Affiliation::Outcast {
        return false;
    }
    approve(at, node, jid, context);
    true
}

/// Makes a subscription, or approves a pending one, and tells the subscriber.
pub(super) fn approve(at: NodeId<'_>, node: &mut Node, jid: &str, context: &mut Context<'_>) {
    node.subscription(jid, State::Subscribed);
    *context.changed = true;
    events::subscription_changed(at, jid, "subscribed", context);
    events::last_item(at, node, jid, context);
}

/// Removes a subscription, and tells the subscriber.
pub(super) fn unsubscribe(at: NodeId<'_>, node: &mut Node, jid: &str, context: &mut Context<'_>) {
    if node.subscriptions.remove(jid).is_some() {
        *context.changed = true;
        events::subscription_changed(at, jid, "none", context);
    }
}

/// Changes an affiliation; `false` if that is not possible: a node keeps an owner, and a PEP node its account as owner.
fn affiliate(
    at: NodeId<'_>,
    node: &mut Node,
    jid: &str,
    affiliation: Affiliation,
    context: &mut Context<'_>,
) -> bool {
    let is_known = node.affiliations.contains_key(jid);
    let loses_owner = node.is_owner(jid) && affiliation != Affiliation::Owner;
    let is_needed = jid == at.service || node.affiliated(Affiliation::Owner).count() == 1;
    let is_full = !is_known && node.affiliations.len() >= context.limits.subscriptions;
    if !is_user(jid)
        || jid::resource(jid).is_some()
        || loses_owner && is_needed
        || is_full && affiliation != Affiliation::None
    {
        return false;
    }
    *context.changed = true;
    match affiliation {
        Affiliation::None => {
            node.affiliations.remove(jid);
        }
        _ => {
            node.affiliations.insert(jid.to_owned(), affiliation);
        }
    }
    if affiliation == Affiliation::Outcast {
        let own = node.subscriptions.keys().filter(|it| jid::bare(it) == jid);
        for subscribed in own.cloned().collect::<Vec<_>>() {
            unsubscribe(at, node, &subscribed, context);
        }
    }
    true
}

fn answer(list: &str, node: &str, failed: &str) -> Answer {
    if failed.is_empty() {
        return Ok(String::new());
    }
    Err(Error::NOT_ACCEPTABLE.failed(owner_list_xml(list, node, failed)))
}

fn subscription_xml(jid: &str, state: &str) -> String {
    format!(
        "<subscription jid='{}' subscription='{state}'/>",
        escape(jid)
    )
}

fn affiliation_xml(jid: &str, affiliation: Affiliation) -> String {
    format!(
        "<affiliation jid='{}' affiliation='{}'/>",
        escape(jid),
        affiliation.as_str()
    )
}
