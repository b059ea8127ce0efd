//! Requests to a publish-subscribe service: each function writes the content of an IQ.

use std::fmt::{Display, Write as _};

use bytes::{BufMut, BytesMut};

use super::form;
use crate::ns;
use crate::xml::escape;

/// Makes `node` with these fields of its configuration (§8.1.3); a `set`.
pub(crate) fn create(out: &mut BytesMut, node: &str, fields: &[(&str, &str)]) {
    wrap(out, ns::PUBSUB, |out| {
        let _ = write!(out, "<create node='{}'/><configure>", escape(node));
        form::write_submit(out, ns::NODE_CONFIG, fields);
        out.put_slice(b"</configure>");
    });
}

/// Asks for the configuration of `node` (§8.2.1); a `get`.
pub(crate) fn configuration(out: &mut BytesMut, node: &str) {
    owner_side(out, "configure", node);
}

/// Changes fields of the configuration of `node` (§8.2.4); a `set`.
pub(crate) fn configure(out: &mut BytesMut, node: &str, fields: &[(&str, &str)]) {
    wrap(out, ns::PUBSUB_OWNER, |out| {
        let _ = write!(out, "<configure node='{}'>", escape(node));
        form::write_submit(out, ns::NODE_CONFIG, fields);
        out.put_slice(b"</configure>");
    });
}

/// Deletes `node` with all that is on it (§8.4); a `set`.
pub(crate) fn delete(out: &mut BytesMut, node: &str) {
    owner_side(out, "delete", node);
}

/// Takes all items of `node` away (§8.5); a `set`.
pub(crate) fn purge(out: &mut BytesMut, node: &str) {
    owner_side(out, "purge", node);
}

/// Publishes `item` with this content (§7.1, listing 3); a `set`.
///
/// `access` is the access model that was verified of an own node. It goes along as a publish-option: if the node has
/// changed or gone meanwhile, the server answers with a conflict instead of leaking the item.
pub(crate) fn publish(
    out: &mut BytesMut,
    node: &str,
    item: &str,
    access: Option<&str>,
    payload: &[u8],
) {
    wrap(out, ns::PUBSUB, |out| {
        let (node, item) = (escape(node), escape(item));
        let _ = write!(out, "<publish node='{node}'><item id='{item}'>");
        out.put_slice(payload);
        out.put_slice(b"</item></publish>");
        if let Some(access) = access {
            out.put_slice(b"<publish-options>");
            form::write_submit(out, ns::PUBLISH_OPTIONS, &[("pubsub#access_model", access)]);
            out.put_slice(b"</publish-options>");
        }
    });
}

/// Takes `item` away without telling anybody (§7.2); a `set`.
pub(crate) fn retract(out: &mut BytesMut, node: &str, item: &str) {
    retract_with(out, node, item, "");
}

/// Takes `item` away and has the service notify the subscribers (§7.2.2.1); a `set`.
pub(crate) fn retract_aloud(out: &mut BytesMut, node: &str, item: &str) {
    retract_with(out, node, item, " notify='true'");
}

fn retract_with(out: &mut BytesMut, node: &str, item: &str, notify: &str) {
    wrap(out, ns::PUBSUB, |out| {
        let (node, item) = (escape(node), escape(item));
        let _ = write!(
            out,
            "<retract node='{node}'{notify}><item id='{item}'/></retract>"
        );
    });
}

/// Asks for all items of `node` (§6.5.2); a `get`.
pub(crate) fn items(out: &mut BytesMut, node: &str) {
    wrap(out, ns::PUBSUB, |out| {
        let _ = write!(out, "<items node='{}'/>", escape(node));
    });
}

/// Asks for the last items of `node`, `most` of them (§6.5.7); a `get`.
pub(crate) fn last_items(out: &mut BytesMut, node: &str, most: usize) {
    wrap(out, ns::PUBSUB, |out| {
        let _ = write!(out, "<items node='{}' max_items='{most}'/>", escape(node));
    });
}

/// Asks for the identity and features of a service, or of a node of it (§5.3, §5.4); a `get`.
pub(crate) fn info(out: &mut BytesMut, node: Option<&str>) {
    let _ = write!(out, "<query xmlns='{}'", ns::DISCO_INFO);
    if let Some(node) = node {
        let _ = write!(out, " node='{}'", escape(node));
    }
    out.put_slice(b"/>");
}

/// Asks which nodes a service has (§5.2); a `get`.
pub(crate) fn nodes(out: &mut BytesMut) {
    let _ = write!(out, "<query xmlns='{}'/>", ns::DISCO_ITEMS);
}

/// Asks for items of `node` by their ids (§6.5.8); a `get`.
pub(crate) fn items_by_id(
    out: &mut BytesMut,
    node: &str,
    ids: impl IntoIterator<Item = impl Display>,
) {
    wrap(out, ns::PUBSUB, |out| {
        let _ = write!(out, "<items node='{}'>", escape(node));
        for id in ids {
            let _ = write!(out, "<item id='{}'/>", escape(&id.to_string()));
        }
        out.put_slice(b"</items>");
    });
}

/// Subscribes `jid` to `node` (§6.1, listing 9); a `set`.
pub(crate) fn subscribe(out: &mut BytesMut, node: &str, jid: &str) {
    subscriber_side(out, "subscribe", node, jid);
}

/// Subscribes with these subscription options, which name the subscription again as listing 13 does; a `set`.
pub(crate) fn subscribe_with(out: &mut BytesMut, node: &str, jid: &str, options: &[(&str, &str)]) {
    wrap(out, ns::PUBSUB, |out| {
        let (node, jid) = (escape(node), escape(jid));
        let _ = write!(out, "<subscribe node='{node}' jid='{jid}'/>");
        let _ = write!(out, "<options node='{node}' jid='{jid}'>");
        form::write_submit(out, ns::SUBSCRIBE_OPTIONS, options);
        out.put_slice(b"</options>");
    });
}

/// Ends the subscription of `jid` to `node` (§6.2); a `set`.
pub(crate) fn unsubscribe(out: &mut BytesMut, node: &str, jid: &str) {
    subscriber_side(out, "unsubscribe", node, jid);
}

/// Asks for our own subscriptions to `node` (§5.6); a `get`.
pub(crate) fn own_subscriptions(out: &mut BytesMut, node: &str) {
    wrap(out, ns::PUBSUB, |out| {
        let _ = write!(out, "<subscriptions node='{}'/>", escape(node));
    });
}

/// Asks for all our own subscriptions on a service (§5.6); a `get`.
pub(crate) fn all_own_subscriptions(out: &mut BytesMut) {
    wrap(out, ns::PUBSUB, |out| out.put_slice(b"<subscriptions/>"));
}

/// Asks, as the owner of `node`, for its affiliations (§8.9.1); a `get`.
pub(crate) fn affiliations(out: &mut BytesMut, node: &str) {
    owner_side(out, "affiliations", node);
}

/// Asks, as the owner of `node`, for its subscriptions (§8.8.1); a `get`.
pub(crate) fn subscriptions(out: &mut BytesMut, node: &str) {
    owner_side(out, "subscriptions", node);
}

/// Sets, as the owner of `node`, the affiliation of these accounts (§8.9.2); a `set`.
pub(crate) fn set_affiliation<'a>(
    out: &mut BytesMut,
    node: &str,
    accounts: impl IntoIterator<Item = &'a str>,
    affiliation: &str,
) {
    wrap(out, ns::PUBSUB_OWNER, |out| {
        let _ = write!(out, "<affiliations node='{}'>", escape(node));
        for account in accounts {
            let _ = write!(
                out,
                "<affiliation jid='{}' affiliation='{affiliation}'/>",
                escape(account)
            );
        }
        out.put_slice(b"</affiliations>");
    });
}

/// Sets, as the owner of `node`, the subscription of `jid` to it (§8.8.2); a `set`.
pub(crate) fn set_subscription(out: &mut BytesMut, node: &str, jid: &str, state: &str) {
    wrap(out, ns::PUBSUB_OWNER, |out| {
        let (node, jid) = (escape(node), escape(jid));
        let _ = write!(
            out,
            "<subscriptions node='{node}'><subscription jid='{jid}' subscription='{state}'/></subscriptions>"
        );
    });
}

fn owner_side(out: &mut BytesMut, what: &str, node: &str) {
    wrap(out, ns::PUBSUB_OWNER, |out| {
        let _ = write!(out, "<{what} node='{}'/>", escape(node));
    });
}

fn subscriber_side(out: &mut BytesMut, what: &str, node: &str, jid: &str) {
    wrap(out, ns::PUBSUB, |out| {
        let (node, jid) = (escape(node), escape(jid));
        let _ = write!(out, "<{what} node='{node}' jid='{jid}'/>");
    });
}

fn wrap(out: &mut BytesMut, namespace: &str, inside: impl FnOnce(&mut BytesMut)) {
    // Writing to a buffer in memory cannot fail.
    let _ = write!(out, "<pubsub xmlns='{namespace}'>");
    inside(out);
    out.put_slice(b"</pubsub>");
}
