//! Events of a node to its subscribers (XEP-0060 §7.1.2, §8; form: listings 4, 17, 20).

use std::sync::Arc;

use super::node::{Item, Node, Subscription};
use super::{Context, Message, NodeId, subscription_xml};
use crate::jid;
use crate::ns;
use crate::sandbox::config::Ways;
use crate::xml::escape;

/// `<item/>` as subscribers see it: with its publisher if replies go to him, and with its payload.
pub(super) fn item_xml(ways: Ways, node: &Node, item: &Item, with_payload: bool) -> String {
    let mut out = format!("<item id='{}'", escape(&item.id));
    if node.config.get("pubsub#itemreply") == "publisher" {
        let publisher = match ways {
            Ways::Ejabberd => &item.publisher,
            Ways::Prosody => jid::bare(&item.publisher),
        };
        out.push_str(&format!(" publisher='{}'", escape(publisher)));
    }
    if !with_payload || item.payload.is_empty() {
        out.push_str("/>");
        return out;
    }
    out.push('>');
    out.push_str(&item.payload);
    out.push_str("</item>");
    out
}

/// The event of an item, and beside it the address for replies.
fn published_xml(ways: Ways, at: NodeId<'_>, node: &Node, item: &Item) -> String {
    let item_xml = item_xml(ways, node, item, node.config.is("pubsub#deliver_payloads"));
    let mut out = event(&format!(
        "<items node='{}'>{item_xml}</items>",
        escape(at.name)
    ));
    if ways == Ways::Ejabberd && node.config.get("pubsub#itemreply") == "publisher" {
        out.push_str(&format!(
            "<addresses xmlns='{}'><address type='replyto' jid='{}'/></addresses>",
            ns::ADDRESS,
            escape(&item.publisher)
        ));
    }
    out
}

fn event(content: &str) -> String {
    format!("<event xmlns='{}'>{content}</event>", ns::PUBSUB_EVENT)
}

/// Sends a published item to the subscribers that want events.
pub(super) fn published(at: NodeId<'_>, node: &Node, item: &Item, context: &mut Context<'_>) {
    notify(
        at,
        node,
        published_xml(context.ways, at, node, item),
        Subscription::wants_events,
        context,
    );
}

/// Sends the event of a publish on a node that has no items.
pub(super) fn published_nothing(at: NodeId<'_>, node: &Node, context: &mut Context<'_>) {
    let content = event(&format!("<items node='{}'/>", escape(at.name)));
    notify(at, node, content, Subscription::wants_events, context);
}

pub(super) fn retracted(at: NodeId<'_>, node: &Node, ids: &[String], context: &mut Context<'_>) {
    let retracts: String = ids
        .iter()
        .map(|id| format!("<retract id='{}'/>", escape(id)))
        .collect();
    let content = event(&format!(
        "<items node='{}'>{retracts}</items>",
        escape(at.name)
    ));
    notify(at, node, content, Subscription::wants_events, context);
}

pub(super) fn purged(at: NodeId<'_>, node: &Node, context: &mut Context<'_>) {
    let content = event(&format!("<purge node='{}'/>", escape(at.name)));
    notify(at, node, content, Subscription::wants_events, context);
}

/// Tells all subscribers, pending ones as well, that the node is deleted (§8.4.2).
pub(super) fn deleted(at: NodeId<'_>, node: &Node, context: &mut Context<'_>) {
    let content = event(&format!("<delete node='{}'/>", escape(at.name)));
    notify(at, node, content, |_| true, context);
}

pub(super) fn configured(at: NodeId<'_>, node: &Node, context: &mut Context<'_>) {
    let form = match node.config.is("pubsub#deliver_payloads") {
        true => node.config.to_form("result"),
        false => String::new(),
    };
    let content = event(&format!(
        "<configuration node='{}'>{form}</configuration>",
        escape(at.name)
    ));
    notify(at, node, content, Subscription::wants_events, context);
}

/// One message to each subscription that `wants` it, all with the same id.
fn notify(
    at: NodeId<'_>,
    node: &Node,
    content: String,
    wants: impl Fn(&Subscription) -> bool,
    context: &mut Context<'_>,
) {
    if !node.config.is("pubsub#deliver_notifications") {
        return;
    }
    let content: Arc<str> = content.into();
    let id: Arc<str> = context.random.id().into();
    let wanting = node.subscriptions.iter().filter(|(_, it)| wants(it));
    context.events.extend(wanting.map(|(jid, _)| Message {
        from: at.service.to_owned(),
        to: jid.clone(),
        kind: message_type(node),
        id: Arc::clone(&id),
        content: Arc::clone(&content),
    }));
}

/// The attribute `type` of events; `normal` is what a message without one is.
fn message_type(node: &Node) -> &'static str {
    match node.config.get("pubsub#notification_type") {
        "normal" => "",
        _ => "headline",
    }
}

/// Sends the last item to the new subscriber `jid`, if that is configured (§6.1.7).
pub(super) fn last_item(at: NodeId<'_>, node: &Node, jid: &str, context: &mut Context<'_>) {
    let wants = node
        .subscriptions
        .get(jid)
        .is_some_and(Subscription::wants_events);
    if let Some(item) = node.items.last()
        && wants
        && node.config.sends_last()
        && node.config.is("pubsub#deliver_notifications")
    {
        let id = context.random.id().into();
        context.messages.push(Message {
            from: at.service.to_owned(),
            to: jid.to_owned(),
            kind: message_type(node),
            id,
            content: published_xml(context.ways, at, node, item).into(),
        });
    }
}

/// Tells a subscriber the new state of his subscription (§12.10).
pub(super) fn subscription_changed(
    at: NodeId<'_>,
    jid: &str,
    state: &str,
    context: &mut Context<'_>,
) {
    let content = event(&subscription_xml(at.name, jid, state));
    let id = context.random.id().into();
    context.messages.push(Message {
        from: at.service.to_owned(),
        to: jid.to_owned(),
        kind: "",
        id,
        content: content.into(),
    });
}
