//! Requests of owners: create, configure, delete and purge nodes (XEP-0060 §8.1 to §8.5).

use super::config::NodeConfig;
use super::node::{Affiliation, Node};
use super::{Answer, Context, NodeId, Pubsub, Request, events, pubsub_xml};
use crate::jid;
use crate::ns;
use crate::sandbox::config::{is_user, normal};
use crate::sandbox::error::Error;
use crate::sandbox::form::Form;
use crate::xml::{Element, escape};

impl Pubsub {
    /// Makes a node, and configures it if the request says how (§8.1).
    pub(super) fn create(&mut self, request: Request<'_>, context: &mut Context<'_>) -> Answer {
        let given = request.action.attribute("node").filter(|it| !it.is_empty());
        let name = given.map_or_else(|| context.random.id(), std::borrow::Cow::into_owned);
        self.check_create(request, &name, context)?;
        let mut node = Node::new(jid::bare(request.from), NodeConfig::default());
        if let Some(configure) = request.pubsub.child(ns::PUBSUB, "configure") {
            if configure.attribute("node").is_some() {
                return Err(Error::BAD_REQUEST.text("a node named twice (XEP-0060 §8.1.3)"));
            }
            if let Some(form) = Form::of(&configure) {
                apply(&mut node, &form, context)?;
            }
        }
        let nodes = self.services.entry(request.service.to_owned()).or_default();
        nodes.insert(name.clone(), node);
        *context.changed = true;
        Ok(pubsub_xml(&format!("<create node='{}'/>", escape(&name))))
    }

    /// Checks that `request` may make a node called `name`: in PEP only the account itself.
    pub(super) fn check_create(
        &self,
        request: Request<'_>,
        name: &str,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let is_pep = request.service.contains('@');
        if is_pep && jid::bare(request.from) != request.service {
            return Err(Error::FORBIDDEN);
        }
        if name.len() > context.limits.name {
            return Err(Error::NOT_ACCEPTABLE.text("the node's name is too long"));
        }
        let nodes = self.services.get(request.service);
        if nodes.is_some_and(|nodes| nodes.contains_key(name)) {
            return Err(Error::CONFLICT);
        }
        if nodes.is_some_and(|nodes| nodes.len() >= context.limits.nodes) {
            return Err(Error::RESOURCE_CONSTRAINT.with("max-nodes-exceeded"));
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, request: Request<'_>, context: &mut Context<'_>) -> Answer {
        let name = request.name()?;
        let node = self.own_node(request, &name)?;
        if node.config.is("pubsub#notify_delete") {
            events::deleted(request.node(&name), node, context);
        }
        if let Some(nodes) = self.services.get_mut(request.service) {
            nodes.remove(&name);
        }
        *context.changed = true;
        Ok(String::new())
    }
}

pub(super) fn configuration(at: NodeId<'_>, node: &Node) -> String {
    owner_xml(&format!(
        "<configure node='{}'>{}</configure>",
        escape(at.name),
        node.config.to_form("form")
    ))
}

/// Configures a node (§8.2); a form of the type `cancel` changes nothing.
pub(super) fn configure(
    at: NodeId<'_>,
    node: &mut Node,
    action: &Element<'_>,
    context: &mut Context<'_>,
) -> Answer {
    let form = Form::of(action).ok_or(Error::BAD_REQUEST.text("no form"))?;
    if form.kind == "cancel" {
        return Ok(String::new());
    }
    apply(node, &form, context)?;
    node.drop_excess(context.limits);
    if !node.config.is("pubsub#persist_items") {
        node.items.clear();
    }
    *context.changed = true;
    if node.config.is("pubsub#notify_config") {
        events::configured(at, node, context);
    }
    Ok(String::new())
}

pub(super) fn purge(at: NodeId<'_>, node: &mut Node, context: &mut Context<'_>) -> Answer {
    if !node.config.is("pubsub#persist_items") {
        return Err(Error::unsupported("persistent-items"));
    }
    node.items.clear();
    *context.changed = true;
    events::purged(at, node, context);
    Ok(String::new())
}

/// The default configuration (§8.3).
pub(super) fn default_configuration() -> String {
    owner_xml(&format!(
        "<default>{}</default>",
        NodeConfig::default().to_form("form")
    ))
}

/// Changes the configuration; `pubsub#publisher` (listing 18) is not kept in it, but makes publishers.
fn apply(node: &mut Node, form: &Form, context: &Context<'_>) -> Result<(), Error> {
    let config = node.config.with(form, context.limits)?;
    let publishers = form.fields.get("pubsub#publisher").into_iter().flatten();
    let publishers: Vec<_> = publishers
        .map(|it| jid::bare(&normal(it)).to_owned())
        .collect();
    if node.affiliations.len() + publishers.len() > context.limits.subscriptions {
        return Err(Error::NOT_ACCEPTABLE.text("too many publishers"));
    }
    node.config = config;
    for publisher in publishers.into_iter().filter(|it| is_user(it)) {
        if !node.is_owner(&publisher) {
            node.affiliations.insert(publisher, Affiliation::Publisher);
        }
    }
    Ok(())
}

fn owner_xml(content: &str) -> String {
    format!("<pubsub xmlns='{}'>{content}</pubsub>", ns::PUBSUB_OWNER)
}
