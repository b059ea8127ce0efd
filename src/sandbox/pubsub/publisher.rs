//! Requests of publishers (XEP-0060 §7).

use super::config::NodeConfig;
use super::node::{Item, Node};
use super::{Answer, Context, NodeId, Pubsub, Request, events, pubsub_xml};
use crate::jid;
use crate::ns;
use crate::sandbox::config::Ways;
use crate::sandbox::error::Error;
use crate::sandbox::form::{Form, boolean};
use crate::xml::{Element, escape, standalone};

impl Pubsub {
    /// Publishes one item (§7.1); with publish-options, a node that does not exist is made.
    pub(super) fn publish(&mut self, request: Request<'_>, context: &mut Context<'_>) -> Answer {
        let name = request.name()?;
        let options = match request.pubsub.child(ns::PUBSUB, "publish-options") {
            Some(options) => Some(Form::of(&options).ok_or(Error::BAD_REQUEST)?),
            None => None,
        };
        let existing = self.node(request.service, &name).ok();
        let config = match (existing, &options) {
            (None, None) => return Err(Error::ITEM_NOT_FOUND),
            (None, Some(options)) => {
                self.check_create(request, &name, context)?;
                NodeConfig::default().with_options(options, context.limits)?
            }
            (Some(node), None) => {
                node.may_publish(request.from)?;
                node.config.clone()
            }
            (Some(node), Some(options)) => {
                node.may_publish(request.from)?;
                check_preconditions(node, options, context)?;
                node.config.clone()
            }
        };
        let item = read_item(request.action, request.from, &config, context)?;
        if let (Some(node), Some(item), Ways::Ejabberd) = (existing, &item, context.ways) {
            node.may_replace(request.from, &item.id)?;
        }
        let nodes = self.services.entry(request.service.to_owned()).or_default();
        let node = nodes
            .entry(name.clone())
            .or_insert_with(|| Node::new(jid::bare(request.from), config));
        let at = request.node(&name);
        *context.changed = true;
        let node_xml = escape(&name);
        let Some(item) = item else {
            events::published_nothing(at, node, context);
            return Ok(pubsub_xml(&format!("<publish node='{node_xml}'/>")));
        };
        if node.config.is("pubsub#persist_items") {
            keep(node, item.clone(), context);
        }
        events::published(at, node, &item, context);
        Ok(pubsub_xml(&format!(
            "<publish node='{node_xml}'><item id='{}'/></publish>",
            escape(&item.id)
        )))
    }

    /// Retracts an item (§7.2).
    pub(super) fn retract(&mut self, request: Request<'_>, context: &mut Context<'_>) -> Answer {
        let name = request.name()?;
        let mut items = request
            .action
            .children()
            .filter(|it| it.is(ns::PUBSUB, "item"));
        let id = items
            .next()
            .and_then(|it| it.attribute("id").map(std::borrow::Cow::into_owned));
        let id = id
            .filter(|id| !id.is_empty())
            .ok_or(Error::BAD_REQUEST.with("item-required"))?;
        if items.next().is_some() {
            return Err(Error::BAD_REQUEST.text("one item at a time (XEP-0060 §7.2.1)"));
        }
        let node = self.node_mut(request.service, &name)?;
        if !node.config.is("pubsub#persist_items") {
            node.may_publish(request.from)?;
            return Err(Error::unsupported("persistent-items"));
        }
        let Some(at) = node.items.iter().position(|it| it.id == id) else {
            // An account that may not see items must not learn by the error which ids exist.
            node.may_publish(request.from)
                .or_else(|_| node.may_retrieve(request.from))?;
            return Err(Error::ITEM_NOT_FOUND);
        };
        if !node
            .items
            .get(at)
            .is_some_and(|it| node.may_retract(request.from, it))
        {
            return Err(Error::FORBIDDEN);
        }
        node.items.remove(at);
        *context.changed = true;
        let notify = request
            .action
            .attribute("notify")
            .and_then(|it| boolean(&it));
        if notify == Some(true) || node.config.is("pubsub#notify_retract") {
            events::retracted(request.node(&name), node, &[id], context);
        }
        Ok(String::new())
    }
}

/// Removes the items that the session of `from` published (`pubsub#purge_offline`).
pub(super) fn purge_of(from: &str, at: NodeId<'_>, node: &mut Node, context: &mut Context<'_>) {
    let gone = node.items.iter().filter(|it| it.publisher == from);
    let gone: Vec<_> = gone.map(|it| it.id.clone()).collect();
    if gone.is_empty() {
        return;
    }
    node.items.retain(|it| it.publisher != from);
    *context.changed = true;
    if node.config.is("pubsub#notify_retract") {
        events::retracted(at, node, &gone, context);
    }
}

/// Checks that each option equals the node's configuration (§7.1.5).
fn check_preconditions(node: &Node, options: &Form, context: &Context<'_>) -> Result<(), Error> {
    if node.config.with_options(options, context.limits)? == node.config {
        return Ok(());
    }
    Err(Error::CONFLICT.with("precondition-not-met"))
}

/// The item to be published, if the kind of node wants one (§7.1.3).
fn read_item(
    action: &Element<'_>,
    publisher: &str,
    config: &NodeConfig,
    context: &mut Context<'_>,
) -> Result<Option<Item>, Error> {
    let has_payloads = config.is("pubsub#deliver_payloads");
    let mut items = action.children().filter(|it| it.is(ns::PUBSUB, "item"));
    let wants_item = has_payloads || config.is("pubsub#persist_items");
    let item = match (items.next(), wants_item) {
        (None, false) => return Ok(None),
        (None, true) => return Err(Error::BAD_REQUEST.with("item-required")),
        (Some(_), false) => return Err(Error::BAD_REQUEST.with("item-forbidden")),
        (Some(item), true) => item,
    };
    if items.next().is_some() {
        return Err(Error::BAD_REQUEST.text("one item at a time (XEP-0060 §7.1.1)"));
    }
    let mut payloads = item.children();
    let payload = payloads.next();
    if payloads.next().is_some() {
        return Err(Error::BAD_REQUEST.with("invalid-payload"));
    }
    if payload.is_none() && has_payloads {
        return Err(Error::BAD_REQUEST.with("payload-required"));
    }
    let payload = payload.map_or(String::new(), |payload| standalone(&payload));
    if payload.len() > config.max_payload(context.limits) {
        return Err(Error::NOT_ACCEPTABLE.with("payload-too-big"));
    }
    let id = match item.attribute("id") {
        Some(id) if id.len() > context.limits.name => {
            return Err(Error::BAD_REQUEST.text("the item's id is too long"));
        }
        Some(id) if !id.is_empty() => id.into_owned(),
        _ => context.random.id(),
    };
    Ok(Some(Item {
        id,
        publisher: publisher.to_owned(),
        payload: payload.into(),
    }))
}

/// Adds an item; replaces one of the same id, and drops the oldest ones beyond the limit.
fn keep(node: &mut Node, item: Item, context: &Context<'_>) {
    node.items.retain(|it| it.id != item.id);
    node.items.push(item);
    node.drop_excess(context.limits);
}
