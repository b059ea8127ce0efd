//! Requests of the session to the server.

use pubshim::ns;
use pubshim::xml::Element;

/// An IQ of the session's own that was sent to the server.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// Its `to`; `None`: the own account.
    pub to: Option<String>,
    /// The subject of the question.
    pub what: Question,
}

/// Subjects of the session's own IQs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// A node's configuration.
    Configuration,
    /// The subscribers of a node.
    Subscribers,
    /// The affiliations with a node.
    Affiliations,
    /// The items on a node.
    Items,
    /// Contacts on record.
    Record,
    /// The account's subscriptions at a service.
    OwnSubscriptions,
    /// To be subscribed.
    Subscribe,
    /// The roster.
    Roster,
    /// The list of blocked addresses.
    Blocklist,
    /// Privacy lists.
    Privacy,
    /// Something that needs no more than a result.
    Other,
}

impl Question {
    /// The subject of an IQ.
    pub fn of(iq: &Element<'_>) -> Self {
        let Some(asked) = iq.children().next() else {
            return Self::Other;
        };
        let inner = asked.children().next();
        let node = inner.as_ref().and_then(|inner| inner.attribute("node"));
        let inner = inner.as_ref().map(Element::local);
        let is_get = iq.attribute("type").as_deref() == Some("get");
        match (&*asked.namespace(), inner, is_get) {
            (ns::ROSTER, _, true) => Self::Roster,
            (ns::PRIVACY, _, true) => Self::Privacy,
            (ns::BLOCKING, _, true) => Self::Blocklist,
            (ns::PUBSUB_OWNER, Some("configure"), true) => Self::Configuration,
            (ns::PUBSUB_OWNER, Some("subscriptions"), true) => Self::Subscribers,
            (ns::PUBSUB_OWNER, Some("affiliations"), true) => Self::Affiliations,
            (ns::PUBSUB, Some("subscriptions"), true) => Self::OwnSubscriptions,
            (ns::PUBSUB, Some("items"), true) if node.as_deref() == Some(super::RECORD) => {
                Self::Record
            }
            (ns::PUBSUB, Some("items"), true) => Self::Items,
            (ns::PUBSUB, Some("subscribe"), false) => Self::Subscribe,
            _ => Self::Other,
        }
    }
}
