//! The nodes as a text that a person can read (TOML), and back.
//!
//! The text has no subscriptions and items that end with a session: when it is read, there are no sessions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::Limits;
use super::pubsub::{Affiliation, Item, Node, Options, Pubsub, State, Subscription};
use crate::xml::{FrameKind, Framer, Limits as XmlLimits};

/// Why nodes cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DataError(String);

/// First line of the text.
const HEADER: &str =
    "# The nodes of a pubshim sandbox. It is written anew whenever they change.\n\n";
/// Version of the format.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    version: u32,
    #[serde(default)]
    node: Vec<NodeData>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeData {
    service: String,
    name: String,
    /// Fields that differ from the default.
    #[serde(default)]
    config: BTreeMap<String, String>,
    #[serde(default)]
    affiliations: BTreeMap<String, String>,
    #[serde(default)]
    subscription: Vec<SubscriptionData>,
    #[serde(default)]
    item: Vec<Item>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubscriptionData {
    jid: String,
    /// The id of the request for approval, if it has no answer yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    options: Options,
}

/// All nodes as text.
pub(super) fn write(pubsub: &Pubsub) -> Result<String, DataError> {
    let nodes = pubsub.services.iter().flat_map(|(service, nodes)| {
        nodes
            .iter()
            .map(|(name, node)| NodeData::of(service, name, node))
    });
    let data = Data {
        version: VERSION,
        node: nodes.collect(),
    };
    let text = toml::to_string(&data).map_err(|error| DataError(error.to_string()))?;
    Ok(HEADER.to_owned() + &text)
}

/// The nodes of a text; all of it is checked, since a person may have edited it.
pub(super) fn read(text: &str, limits: &Limits) -> Result<Pubsub, DataError> {
    let data: Data = toml::from_str(text).map_err(|error| DataError(error.to_string()))?;
    if data.version != VERSION {
        return Err(DataError(format!(
            "version {} is not {VERSION}",
            data.version
        )));
    }
    let mut pubsub = Pubsub::default();
    for node in data.node {
        let place = format!("node {:?} of {}", node.name, node.service);
        let nodes = pubsub.services.entry(node.service.clone()).or_default();
        let name = node.name.clone();
        let read = node
            .read(limits)
            .map_err(|why| DataError(format!("{place}: {why}")))?;
        if nodes.insert(name, read).is_some() {
            return Err(DataError(format!("{place} is there twice")));
        }
    }
    Ok(pubsub)
}

impl NodeData {
    fn of(service: &str, name: &str, node: &Node) -> Self {
        let ends_with_session = node.config.is("pubsub#purge_offline");
        let subscriptions = node
            .subscriptions
            .iter()
            .filter(|(_, it)| !node.is_temporary(it));
        let items = node.items.iter().filter(|_| !ends_with_session);
        let affiliations = node.affiliations.iter();
        Self {
            service: service.to_owned(),
            name: name.to_owned(),
            config: node.config.changed(),
            affiliations: affiliations
                .map(|(jid, it)| (jid.clone(), it.as_str().to_owned()))
                .collect(),
            subscription: subscriptions
                .map(|(jid, it)| SubscriptionData::of(jid, it))
                .collect(),
            item: items.cloned().collect(),
        }
    }

    fn read(self, limits: &Limits) -> Result<Node, String> {
        let mut node = Node::default();
        for (var, value) in &self.config {
            match node.config.set(var, value, limits) {
                Ok(true) => {}
                Ok(false) => return Err(format!("there is no option {var}")),
                Err(_) => return Err(format!("{var} cannot be {value:?}")),
            }
        }
        for (jid, name) in self.affiliations {
            let affiliation =
                Affiliation::parse(&name).ok_or(format!("{name:?} is no affiliation"))?;
            node.affiliations.insert(jid, affiliation);
        }
        for subscription in self.subscription {
            let state = match subscription.pending {
                Some(request) => State::Pending { request },
                None => State::Subscribed,
            };
            let options = subscription.options;
            node.subscriptions
                .insert(subscription.jid, Subscription { state, options });
        }
        for item in self.item {
            if !item.payload.is_empty() && !is_element(&item.payload) {
                return Err(format!(
                    "the payload of item {:?} is not an XML element",
                    item.id
                ));
            }
            node.items.push(item);
        }
        Ok(node)
    }
}

impl SubscriptionData {
    fn of(jid: &str, subscription: &Subscription) -> Self {
        Self {
            jid: jid.to_owned(),
            pending: match &subscription.state {
                State::Pending { request } => Some(request.clone()),
                State::Subscribed => None,
            },
            options: subscription.options.clone(),
        }
    }
}

/// Whether `text` is one element that may stand in a stanza, with all its namespaces declared on it.
fn is_element(text: &str) -> bool {
    const HEADER: &[u8] = b"<stream xmlns='jabber:client'>";
    let mut framer = Framer::new(XmlLimits::AFTER_LOGIN);
    if !matches!(framer.next(HEADER), Ok(Some(frame)) if frame.len == HEADER.len()) {
        return false;
    }
    matches!(
        framer.next(text.as_bytes()),
        Ok(Some(frame)) if frame.kind == FrameKind::Element && frame.len == text.len()
    )
}
