//! Approval of subscribers: the form an owner gets and his answer (XEP-0060 §8.6; listings 10 and 11).

use super::node::{Affiliation, Node, State};
use super::{Context, Message, NodeId, Pubsub, lists};
use crate::jid;
use crate::ns;
use crate::sandbox::error::Error;
use crate::sandbox::form::{Form, Writer, boolean};

/// The address that sends requests about a node and takes the answers: for PEP the account's domain (listing 10).
fn desk(service: &str) -> &str {
    jid::domain(service)
}

/// Asks every owner whether `jid` may subscribe.
pub(super) fn ask_owners(at: NodeId<'_>, node: &Node, jid: &str, context: &mut Context<'_>) {
    for owner in node.affiliated(Affiliation::Owner) {
        context.messages.extend(request(at, node, jid, owner));
    }
}

/// The request about the pending subscription of `jid`, always with the same id.
fn request(at: NodeId<'_>, node: &Node, jid: &str, owner: &str) -> Option<Message> {
    let State::Pending { request } = &node.subscriptions.get(jid)?.state else {
        return None;
    };
    let mut writer = Writer::new("form", ns::SUBSCRIBE_AUTHORIZATION);
    writer.introduce(
        "PubSub subscriber request",
        "To approve this entity's subscription request, click the OK button. \
         To deny the request, click the cancel button.",
    );
    writer.field("pubsub#node", "text-single", "Node ID", &[], &[at.name]);
    writer.field(
        "pubsub#subscriber_jid",
        "jid-single",
        "Subscriber Address",
        &[],
        &[jid],
    );
    writer.field(
        "pubsub#allow",
        "boolean",
        "Allow this JID to subscribe to this pubsub node?",
        &[],
        &["false"],
    );
    Some(Message {
        from: desk(at.service).to_owned(),
        to: owner.to_owned(),
        kind: "",
        id: request.as_str().into(),
        content: writer.finish().into(),
    })
}

impl Pubsub {
    /// All requests that wait for an answer of this account.
    pub(in crate::sandbox) fn open_requests(&self, account: &str) -> Vec<Message> {
        let mut requests = Vec::new();
        for (service, nodes) in &self.services {
            for (name, node) in nodes.iter().filter(|(_, node)| node.is_owner(account)) {
                let at = NodeId { service, name };
                let jids = node.subscriptions.keys();
                requests.extend(jids.filter_map(|jid| request(at, node, jid, account)));
            }
        }
        requests
    }

    /// Handles the answer that `from` sent to the address `to`; `id` is the request's.
    pub(in crate::sandbox) fn answer(
        &mut self,
        from: &str,
        to: &str,
        id: &str,
        form: &Form,
        context: &mut Context<'_>,
    ) -> Result<(), Error> {
        let services = self
            .services
            .iter_mut()
            .filter(|(service, _)| desk(service) == to);
        for (service, nodes) in services {
            for (name, node) in nodes {
                let pending = node.subscriptions.iter().find(
                    |(_, it)| matches!(&it.state, State::Pending { request } if request == id),
                );
                if let Some((jid, _)) = pending {
                    let jid = jid.clone();
                    let at = NodeId { service, name };
                    return decide(from, at, node, &jid, form, context);
                }
            }
        }
        Err(Error::ITEM_NOT_FOUND.text("no subscription waits for an answer with this id"))
    }
}

/// Approves or denies the pending subscription of `jid`, as the form says.
fn decide(
    from: &str,
    at: NodeId<'_>,
    node: &mut Node,
    jid: &str,
    form: &Form,
    context: &mut Context<'_>,
) -> Result<(), Error> {
    node.check_owner(from)?;
    if form.kind == "cancel" {
        return Ok(());
    }
    form.check(ns::SUBSCRIBE_AUTHORIZATION)?;
    let says_other = |var: &str, expected: &str| form.value(var).is_some_and(|it| it != expected);
    if says_other("pubsub#node", at.name) || says_other("pubsub#subscriber_jid", jid) {
        return Err(Error::NOT_ACCEPTABLE.text("an answer about something else than was asked"));
    }
    match form.value("pubsub#allow").and_then(boolean) {
        Some(true) => lists::approve(at, node, jid, context),
        Some(false) => lists::unsubscribe(at, node, jid, context),
        None => return Err(Error::BAD_REQUEST.text("pubsub#allow says neither yes nor no")),
    }
    Ok(())
}
