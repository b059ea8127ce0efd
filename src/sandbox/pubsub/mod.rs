//! Publish-subscribe (XEP-0060): nodes of many services, and requests to them.
//!
//! | file | holds |
//! |---|---|
//! | `node.rs`, `config.rs` | a node: items, subscriptions, access rules; its configuration |
//! | `subscriber.rs` | subscribe, options, unsubscribe, the own lists, items (§5.6, §5.7, §6) |
//! | `publisher.rs` | publish, retract (§7) |
//! | `owner.rs`, `lists.rs` | create, configure, delete, purge; subscriptions, affiliations (§8) |
//! | `authorization.rs` | the request for approval and its answer (§8.6; listings 10 and 11) |
//! | `events.rs` | events to subscribers |

mod authorization;
mod config;
mod events;
mod lists;
mod node;
mod owner;
mod publisher;
mod subscriber;

pub(super) use node::{Affiliation, Item, Node, Options, State, Subscription};

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::{Limits, Ways};
use super::error::Error;
use super::random::Random;
use crate::jid;
use crate::ns;
use crate::xml::{Element, escape};

/// The nodes of a service, by name.
pub(super) type Nodes = BTreeMap<String, Node>;

/// All nodes, by the address of their service: a bare JID, or a host.
#[derive(Default)]
pub(super) struct Pubsub {
    pub(super) services: BTreeMap<String, Nodes>,
}

/// Surroundings of a request: limits and rules; messages and changes it causes beside its answer.
pub(super) struct Context<'a> {
    pub(super) limits: &'a Limits,
    pub(super) ways: Ways,
    pub(super) random: &'a mut Random,
    /// Events to subscribers, to be sent before the answer, in this order.
    pub(super) events: &'a mut Vec<Message>,
    /// Other messages, to be sent after the answer, in this order.
    pub(super) messages: &'a mut Vec<Message>,
    /// Set if nodes have changed, so that they have to be saved.
    pub(super) changed: &'a mut bool,
}

/// A message to one JID; to a bare one every connected resource gets a copy.
pub(super) struct Message {
    pub(super) from: String,
    pub(super) to: String,
    /// The attribute `type`; empty if there is none.
    pub(super) kind: &'static str,
    pub(super) id: Arc<str>,
    pub(super) content: Arc<str>,
}

/// An IQ that is about pubsub.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    /// The full JID it comes from.
    pub(super) from: &'a str,
    /// The address of the service it goes to.
    pub(super) service: &'a str,
    /// Whether it is of type `set`.
    pub(super) is_set: bool,
    /// Its payload, of the namespace `pubsub` or `pubsub#owner`.
    pub(super) pubsub: &'a Element<'a>,
    /// The request itself: the first child of `pubsub`.
    pub(super) action: &'a Element<'a>,
}

/// The payload of a result, or why there is none.
type Answer = Result<String, Error>;

/// A node's address.
#[derive(Clone, Copy)]
struct NodeId<'a> {
    service: &'a str,
    name: &'a str,
}

impl<'a> Request<'a> {
    /// The address of the node `name` of the service that is asked.
    fn node(self, name: &'a str) -> NodeId<'a> {
        let service = self.service;
        NodeId { service, name }
    }

    /// The attribute `node`, which has to be there.
    fn name(self) -> Result<String, Error> {
        let node = self.action.attribute("node").unwrap_or_default();
        if node.is_empty() {
            return Err(Error::BAD_REQUEST.with("nodeid-required"));
        }
        Ok(node.into_owned())
    }

    fn unknown(self) -> Error {
        let text = format!("this sandbox knows no {}", self.action.local());
        Error::NOT_IMPLEMENTED.text(text)
    }
}

/// A request of an owner, carried out on a node of his.
type OwnerAction = fn(NodeId<'_>, &mut Node, &Element<'_>, &mut Context<'_>) -> Answer;

impl Pubsub {
    /// The nodes of a service; empty if it has none.
    pub(super) fn nodes(&self, service: &str) -> impl Iterator<Item = (&str, &Node)> {
        let nodes = self.services.get(service).into_iter().flatten();
        nodes.map(|(name, node)| (name.as_str(), node))
    }

    pub(super) fn node(&self, service: &str, name: &str) -> Result<&Node, Error> {
        let found = self.services.get(service).and_then(|nodes| nodes.get(name));
        found.ok_or(Error::ITEM_NOT_FOUND)
    }

    fn node_mut(&mut self, service: &str, name: &str) -> Result<&mut Node, Error> {
        let found = self
            .services
            .get_mut(service)
            .and_then(|nodes| nodes.get_mut(name));
        found.ok_or(Error::ITEM_NOT_FOUND)
    }

    /// Carries out a request; returns the payload of the result.
    pub(super) fn handle(&mut self, request: Request<'_>, context: &mut Context<'_>) -> Answer {
        if request.pubsub.namespace() == ns::PUBSUB_OWNER {
            return self.handle_owner(request, context);
        }
        if request.action.namespace() != ns::PUBSUB {
            return Err(Error::BAD_REQUEST.text("an element of another namespace"));
        }
        match (request.is_set, request.action.local()) {
            (true, "create") => self.create(request, context),
            (true, "publish") => self.publish(request, context),
            (true, "retract") => self.retract(request, context),
            (true, "subscribe") => self.subscribe(request, context),
            (true, "unsubscribe") => self.unsubscribe(request, context),
            (true, "options") => self.set_options(request, context),
            (false, "options") => self.get_options(request),
            (false, "items") => self.items(request, context),
            (false, "subscriptions") => Ok(self.own_subscriptions(request)),
            (false, "affiliations") => Ok(self.own_affiliations(request)),
            (false, "default") => Ok(subscriber::default_options()),
            _ => Err(request.unknown()),
        }
    }

    fn handle_owner(&mut self, request: Request<'_>, context: &mut Context<'_>) -> Answer {
        let act: OwnerAction = match (request.is_set, request.action.local()) {
            (false, "default") => return Ok(owner::default_configuration()),
            (true, "delete") => return self.delete(request, context),
            (false, "configure") => |at, node, _, _| Ok(owner::configuration(at, node)),
            (true, "configure") => owner::configure,
            (true, "purge") => |at, node, _, context| owner::purge(at, node, context),
            (false, "subscriptions") => |at, node, _, _| Ok(lists::subscriptions(at, node)),
            (true, "subscriptions") => lists::set_subscriptions,
            (false, "affiliations") => |at, node, _, _| Ok(lists::affiliations(at, node)),
            (true, "affiliations") => lists::set_affiliations,
            _ => return Err(request.unknown()),
        };
        let name = request.name()?;
        let node = self.own_node(request, &name)?;
        act(request.node(&name), node, request.action, context)
    }

    /// The node, for requests that only its owners may make.
    fn own_node(&mut self, request: Request<'_>, name: &str) -> Result<&mut Node, Error> {
        let node = self.node_mut(request.service, name)?;
        node.check_owner(request.from)?;
        Ok(node)
    }

    /// Removes temporary subscriptions (§12.4) and items of nodes with `purge_offline` at the end of the session of the
    /// full JID `from`; `is_last`: the account's last session.
    pub(super) fn session_ended(&mut self, from: &str, is_last: bool, context: &mut Context<'_>) {
        let ends = |jid: &str| jid == from || is_last && jid == jid::bare(from);
        for (service, nodes) in &mut self.services {
            for (name, node) in nodes {
                let temporary = node.config.is("pubsub#tempsub");
                let before = node.subscriptions.len();
                node.subscriptions
                    .retain(|jid, it| !(ends(jid) && (temporary || it.is_temporary())));
                *context.changed |= node.subscriptions.len() != before;
                if node.config.is("pubsub#purge_offline") {
                    let at = NodeId { service, name };
                    publisher::purge_of(from, at, node, context);
                }
            }
        }
    }
}

/// `<pubsub/>` with this content.
fn pubsub_xml(content: &str) -> String {
    format!("<pubsub xmlns='{}'>{content}</pubsub>", ns::PUBSUB)
}

fn subscription_xml(node: &str, jid: &str, state: &str) -> String {
    format!(
        "<subscription node='{}' jid='{}' subscription='{state}'/>",
        escape(node),
        escape(jid)
    )
}

/// The `<pubsub/>` of an owner with this list.
fn owner_list_xml(list: &str, node: &str, entries: &str) -> String {
    format!(
        "<pubsub xmlns='{}'><{list} node='{}'>{entries}</{list}></pubsub>",
        ns::PUBSUB_OWNER,
        escape(node)
    )
}
