//! Events: what a publish-subscribe service says unasked (§4.3), read once a message.

use crate::ns;
use crate::xml::Element;

/// An event on a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    /// The account or the service that sent it.
    pub(crate) service: &'a str,
    pub(crate) node: &'a str,
    pub(crate) what: What,
    /// The first child of `<event/>`, such as `<items/>`.
    pub(crate) element: &'a Element<'a>,
    /// The server has stored the event, so it may be out of date.
    pub(crate) is_delayed: bool,
    message: &'a Element<'a>,
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Items were published or retracted.
    Items,
    /// A subscription changed its state (§8.6).
    Subscription,
    /// The node was purged, deleted or configured.
    Node,
}

impl Event<'_> {
    /// Gives `message` to `read` as an event, if it is one. A message without `from` is from the account `own`.
    pub(crate) fn with<R>(
        message: &Element<'_>,
        own: &str,
        read: impl FnOnce(&Event<'_>) -> R,
    ) -> Option<R> {
        if message.attribute("type").as_deref() == Some("error") {
            return None;
        }
        let (mut event, mut is_delayed) = (None, false);
        for child in message.children() {
            is_delayed |= child.local() == "delay";
            if event.is_none() && child.is(ns::PUBSUB_EVENT, "event") {
                event = Some(child);
            }
        }
        let event = event?;
        let element = event.children().next()?;
        let what = match element.local() {
            "items" => What::Items,
            "subscription" => What::Subscription,
            "purge" | "delete" | "configuration" => What::Node,
            _ => return None,
        };
        let from = message.attribute("from");
        Some(read(&Event {
            service: from.as_deref().unwrap_or(own),
            node: &element.attribute("node")?,
            what,
            element: &element,
            is_delayed,
            message,
        }))
    }

    /// Whether the node was deleted, or the subscription has ended.
    pub(crate) fn is_end(&self) -> bool {
        match self.what {
            What::Items => false,
            What::Subscription => self.element.attribute("subscription").as_deref() == Some("none"),
            What::Node => self.element.local() == "delete",
        }
    }

    /// The JID replies go to (listing 17): that of the publisher, for items that do not name one. Only the service
    /// writes the address list beside `<event/>`; with two lists or two addresses neither is believed.
    pub(crate) fn replyto(&self) -> Option<String> {
        let children = self.message.children();
        let mut lists = children.filter(|it| it.is(ns::ADDRESS, "addresses"));
        let (Some(list), None) = (lists.next(), lists.next()) else {
            return None;
        };
        let addresses = list.children().filter(|it| it.is(ns::ADDRESS, "address"));
        let mut replies = addresses.filter(|it| it.attribute("type").as_deref() == Some("replyto"));
        let (Some(address), None) = (replies.next(), replies.next()) else {
            return None;
        };
        Some(address.attribute("jid")?.into_owned())
    }
}
