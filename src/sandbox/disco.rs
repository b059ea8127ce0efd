//! Service discovery (XEP-0030): identities, features and items of the sandbox's addresses.

use std::fmt::Write as _;

use super::NAME;
use super::config::{SERVICES, Target};
use super::error::Error;
use super::form::Writer;
use super::pubsub::{Affiliation, Node};
use super::server::Server;
use crate::ns;
use crate::xml::{Element, escape};

/// Features of the sandbox's pubsub services (XEP-0060 §10), without the namespace before the `#`.
const FEATURES: [&str; 31] = [
    "access-authorize",
    "access-open",
    "access-whitelist",
    "auto-create",
    "config-node",
    "create-and-configure",
    "create-nodes",
    "delete-items",
    "delete-nodes",
    "instant-nodes",
    "item-ids",
    "last-published",
    "manage-subscriptions",
    "member-affiliation",
    "meta-data",
    "modify-affiliations",
    "outcast-affiliation",
    "persistent-items",
    "publish",
    "publish-only-affiliation",
    "publish-options",
    "publisher-affiliation",
    "purge-nodes",
    "retrieve-affiliations",
    "retrieve-default",
    "retrieve-default-sub",
    "retrieve-items",
    "retrieve-subscriptions",
    "subscribe",
    "subscription-notifications",
    "subscription-options",
];

impl Server {
    pub(super) fn disco_info(
        &self,
        from: &str,
        target: &Target,
        query: &Element<'_>,
    ) -> Result<String, Error> {
        let node = query.attribute("node").filter(|it| !it.is_empty());
        let service = match (target, node) {
            (Target::Account(service) | Target::Service(service), Some(name)) => {
                let node = self.visible_node(from, service, &name)?;
                return Ok(info_xml(
                    Some(&name),
                    &[("pubsub", "leaf")],
                    &[ns::PUBSUB],
                    &metadata(node),
                ));
            }
            (_, Some(_)) => return Err(Error::ITEM_NOT_FOUND),
            (target, None) => target,
        };
        let pubsub = FEATURES.map(|it| format!("{}#{it}", ns::PUBSUB));
        let mut features = vec![ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING];
        let identities: &[_] = match service {
            Target::Service(_) => &[("pubsub", "service")],
            Target::Account(_) => &[("account", "registered"), ("pubsub", "pep")],
            _ => &[("server", "im")],
        };
        if identities.iter().any(|(category, _)| *category == "pubsub") {
            features.push(ns::PUBSUB);
            features.extend(pubsub.iter().map(String::as_str));
        }
        Ok(info_xml(None, identities, &features, ""))
    }

    pub(super) fn disco_items(
        &self,
        from: &str,
        target: &Target,
        query: &Element<'_>,
    ) -> Result<String, Error> {
        let node = query.attribute("node").filter(|it| !it.is_empty());
        let mut items = String::new();
        match (target, &node) {
            (Target::Domain(domain), None) => {
                for service in SERVICES {
                    put_item(&mut items, &format!("{service}.{domain}"), None, None);
                }
            }
            (Target::Account(service) | Target::Service(service), None) => {
                let nodes = self.pubsub.nodes(service);
                for (name, node) in nodes.filter(|(_, node)| node.is_visible_to(from)) {
                    let title = node.config.get("pubsub#title");
                    put_item(
                        &mut items,
                        service,
                        Some(name),
                        Some(title).filter(|it| !it.is_empty()),
                    );
                }
            }
            // The items of a node are named by their ids (XEP-0060 §5.5).
            (Target::Account(service) | Target::Service(service), Some(name)) => {
                let node = self.visible_node(from, service, name)?;
                if node.may_retrieve(from).is_ok() {
                    for item in &node.items {
                        put_item(&mut items, service, None, Some(&item.id));
                    }
                }
            }
            _ => return Err(Error::ITEM_NOT_FOUND),
        }
        let node = node.map_or(String::new(), |node| format!(" node='{}'", escape(&node)));
        Ok(format!(
            "<query xmlns='{}'{node}>{items}</query>",
            ns::DISCO_ITEMS
        ))
    }

    fn visible_node(&self, from: &str, service: &str, name: &str) -> Result<&Node, Error> {
        let node = self.pubsub.node(service, name)?;
        if node.is_visible_to(from) {
            Ok(node)
        } else {
            Err(Error::ITEM_NOT_FOUND)
        }
    }
}

fn info_xml(
    node: Option<&str>,
    identities: &[(&str, &str)],
    features: &[&str],
    rest: &str,
) -> String {
    let node = node.map_or(String::new(), |node| format!(" node='{}'", escape(node)));
    let mut out = format!("<query xmlns='{}'{node}>", ns::DISCO_INFO);
    // Writing to a string cannot fail.
    for (category, kind) in identities {
        let _ = write!(
            out,
            "<identity category='{category}' type='{kind}' name='{}'/>",
            escape(NAME)
        );
    }
    for feature in features {
        let _ = write!(out, "<feature var='{feature}'/>");
    }
    out + rest + "</query>"
}

fn put_item(out: &mut String, jid: &str, node: Option<&str>, name: Option<&str>) {
    // Writing to a string cannot fail.
    let _ = write!(out, "<item jid='{}'", escape(jid));
    if let Some(node) = node {
        let _ = write!(out, " node='{}'", escape(node));
    }
    if let Some(name) = name {
        let _ = write!(out, " name='{}'", escape(name));
    }
    out.push_str("/>");
}

/// The metadata of a node (XEP-0060 §5.4).
fn metadata(node: &Node) -> String {
    let mut writer = Writer::new("result", "http://jabber.org/protocol/pubsub#meta-data");
    for var in [
        "title",
        "description",
        "type",
        "access_model",
        "publish_model",
        "max_items",
    ] {
        let var = format!("pubsub#{var}");
        writer.field(&var, "text-single", "", &[], &[node.config.get(&var)]);
    }
    let owners: Vec<_> = node.affiliated(Affiliation::Owner).collect();
    writer.field("pubsub#owner", "jid-multi", "", &[], &owners);
    let publishers: Vec<_> = node.affiliated(Affiliation::Publisher).collect();
    writer.field("pubsub#publisher", "jid-multi", "", &[], &publishers);
    let count = node
        .subscriptions
        .values()
        .filter(|it| it.is_subscribed())
        .count();
    writer.field(
        "pubsub#num_subscribers",
        "text-single",
        "",
        &[],
        &[&count.to_string()],
    );
    writer.finish()
}
