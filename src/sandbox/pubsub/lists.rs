//! An owner's lists: who is subscribed, and who is what (XEP-0060 §8.8, §8.9).

use super::node::{Affiliation, Node, Options, State, Subscription};
use super::{Context, NodeId, Pubsub, Request, events, node_attribute, owner_list_xml};
use crate::jid;
use crate::sandbox::config::{is_user, normal};
use crate::sandbox::error::Error;
use crate::xml::{Element, escape};

impl Pubsub {
    /// All subscriptions, the pending ones as well.
    pub(super) fn get_subscriptions(
        &self,
        request: Request<'_>,
        action: &Element<'_>,
    ) -> Result<String, Error> {
        let name = node_attribute(action)?;
        let node = self.node(request.service, &name)?;
        node.check_owner(request.from)?;
        let entries = node
            .subscriptions
            .iter()
            .map(|(jid, it)| subscription_xml(jid, it.as_str()));
        Ok(owner_list_xml(
            "subscriptions",
            &name,
            &entries.collect::<String>(),
        ))
    }

    pub(super) fn get_affiliations(
        &self,
        request: Request<'_>,
        action: &Element<'_>,
    ) -> Result<String, Error> {
        let name = node_attribute(action)?;
        let node = self.node(request.service, &name)?;
        node.check_owner(request.from)?;
        let entries = node
            .affiliations
            .iter()
            .map(|(jid, it)| affiliation_xml(jid, *it));
        Ok(owner_list_xml(
            "affiliations",
            &name,
            &entries.collect::<String>(),
        ))
    }

    /// Changes subscriptions; those that cannot be changed come back in the error (§8.8.2.4).
    pub(super) fn set_subscriptions(
        &mut self,
        request: Request<'_>,
        action: &Element<'_>,
        context: &mut Context<'_>,
    ) -> Result<String, Error> {
        let name = node_attribute(action)?;
        let node = self.node_mut(request.service, &name)?;
        node.check_owner(request.from)?;
        let at = NodeId {
            service: request.service,
            node: &name,
        };
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
                let state = node
                    .subscriptions
                    .get(&jid)
                    .map_or("none", Subscription::as_str);
                failed.push_str(&subscription_xml(&jid, state));
            }
        }
        answer("subscriptions", &name, &failed)
    }

    /// Changes affiliations; those that cannot be changed come back in the error (§8.9.2.4).
    pub(super) fn set_affiliations(
        &mut self,
        request: Request<'_>,
        action: &Element<'_>,
        context: &mut Context<'_>,
    ) -> Result<String, Error> {
        let name = node_attribute(action)?;
        let node = self.node_mut(request.service, &name)?;
        node.check_owner(request.from)?;
        let at = NodeId {
            service: request.service,
            node: &name,
        };
        let entries = action.children().filter(|it| it.local() == "affiliation");
        let entries: Vec<_> = entries
            .map(|it| {
                let jid = normal(&it.attribute("jid").unwrap_or_default());
                (
                    jid,
                    it.attribute("affiliation")
                        .map(std::borrow::Cow::into_owned),
                )
            })
            .collect();
        let is_twice =
            |index: usize, jid: &str| entries.iter().take(index).any(|(other, _)| other == jid);
        if entries
            .iter()
            .enumerate()
            .any(|(index, (jid, _))| is_twice(index, jid))
        {
            return Err(Error::BAD_REQUEST.text("an entity twice (XEP-0060 §8.9.2.4)"));
        }
        let mut failed = String::new();
        for (jid, affiliation) in &entries {
            let Some(affiliation) = affiliation else {
                continue;
            };
            let affiliation = Affiliation::parse(affiliation);
            if !affiliation.is_some_and(|it| affiliate(at, node, jid, it, context)) {
                failed.push_str(&affiliation_xml(jid, node.affiliation(jid)));
            }
        }
        answer("affiliations", &name, &failed)
    }
}

/// Subscribes somebody, or approves of him; whether that can be.
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

/// Makes a subscription, or a pending one a real one, and tells the subscriber.
pub(super) fn approve(at: NodeId<'_>, node: &mut Node, jid: &str, context: &mut Context<'_>) {
    let subscription = node
        .subscriptions
        .entry(jid.to_owned())
        .or_insert(Subscription {
            state: State::Subscribed,
            options: Options::new(),
        });
    subscription.state = State::Subscribed;
    *context.changed = true;
    events::subscription_changed(at, jid, "subscribed", context);
    events::last_item(at, node, jid, context);
}

/// Takes a subscription away, and tells who had it.
pub(super) fn unsubscribe(at: NodeId<'_>, node: &mut Node, jid: &str, context: &mut Context<'_>) {
    if node.subscriptions.remove(jid).is_some() {
        *context.changed = true;
        events::subscription_changed(at, jid, "none", context);
    }
}

/// Changes an affiliation; whether that can be. A node keeps an owner, and a PEP node its account.
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

fn answer(list: &str, node: &str, failed: &str) -> Result<String, Error> {
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
