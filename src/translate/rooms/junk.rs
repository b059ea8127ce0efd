//! Junk: nodes that ejabberd created because the client published to a node that had just been deleted. They belong to
//! the client's account, and nobody else could ever create a room of that name.

use super::Ask;
use crate::ns;
use crate::pubsub::{form, request};
use crate::translate::Cx;
use crate::wire::{Refused, Reply};
use crate::xml::Element;

/// A node that may be junk.
#[derive(Debug)]
pub(crate) struct Junk {
    service: Box<str>,
    node: Box<str>,
    /// The other node of the room; it is looked for first, unless the node itself was seen to be deleted. A room
    /// whose owner has just left it alone has both.
    twin: Option<Box<str>>,
    is_ours: bool,
}

impl Junk {
    /// A node whose deletion the service announced while a publish to it was on its way.
    pub(super) fn deleted(service: &str, node: String) -> Self {
        Self {
            service: service.into(),
            node: node.into(),
            twin: None,
            is_ours: false,
        }
    }

    /// A node that was published to although the client is not subscribed to it.
    pub(super) fn alone(service: &str, node: String, twin: String) -> Self {
        Self {
            twin: Some(twin.into()),
            ..Self::deleted(service, node)
        }
    }

    /// Asks the service for the node's metadata.
    pub(super) fn look(self, cx: &mut Cx<'_>) {
        let service = self.service.clone();
        let node = match (&self.twin, self.is_ours) {
            (Some(twin), true) => twin.clone(),
            _ => self.node.clone(),
        };
        cx.wire
            .request("get", Some(&service), Ask::Junk(self), |out| {
                request::info(out, Some(&node));
            });
    }

    /// Deletes the node once it is known to be junk.
    pub(super) fn handle_reply(mut self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let is_junk = match (reply, self.is_ours) {
            (Ok(iq), false) if is_ours_alone(iq, cx.account.bare()) => {
                if self.twin.is_some() {
                    self.is_ours = true;
                    return self.look(cx);
                }
                true
            }
            (Err(Refused::With("item-not-found")), true) => true,
            _ => false,
        };
        if is_junk {
            cx.wire.tell("set", Some(&self.service), |out| {
                request::delete(out, &self.node);
            });
        }
    }
}

/// Whether nobody but `own` owns a node, and nobody is subscribed to it.
fn is_ours_alone(iq: &Element<'_>, own: &str) -> bool {
    let form = iq.child(ns::DISCO_INFO, "query");
    let form = form.as_ref().and_then(|query| query.child(ns::DATA, "x"));
    form.is_some_and(|form| {
        let subscribers = form::value(&form, "pubsub#num_subscribers");
        form::values(&form, "pubsub#owner") == [own] && subscribers.as_deref() == Some("0")
    })
}
