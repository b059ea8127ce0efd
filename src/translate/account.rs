//! The account's knowledge shared by all functions. Each row has one writer; the others only read it.
//!
//! | row | writer |
//! |---|---|
//! | `jid` | the router, when the server has bound the client |
//! | `status` | `presence/` |
//! | `people`, `audience`, `is_caught_up` | `contacts/` |
//! | `node` | both: `presence/` has it created, `contacts/` decides when, and who may see it |
//!
//! Three rows are mailboxes, filled by one function and emptied by the other: `people.is_awaited` (by `presence/`),
//! `people.changed` and `audience.farewell` (by `contacts/`).

use std::sync::Arc;

use super::node::{Access, NodeSpec, OwnNode};
use super::people::People;
use super::{Ask, Cx, Wire};
use crate::jid;
use crate::policy::Policy;
use crate::pubsub::PRESENCE;
use crate::xml::Element;

/// The node of listings 3 and 4: delivery does not depend on native presence, the last item is fetched and never
/// pushed, every resource keeps its item, and the server purges items of a crashed client.
const NODE: NodeSpec = NodeSpec {
    name: PRESENCE,
    access: Access::Authorize,
    wanted: &[
        ("pubsub#presence_based_delivery", "0"),
        ("pubsub#send_last_published_item", "never"),
        ("pubsub#max_items", "max"),
        ("pubsub#persist_items", "1"),
        ("pubsub#deliver_payloads", "1"),
        ("pubsub#itemreply", "publisher"),
        ("pubsub#purge_offline", "1"),
        ("pubsub#notify_retract", "0"),
        ("pubsub#notification_type", "headline"),
    ],
    // One item for each resource of the account.
    few_items: 16,
    is_kept: false,
    ask: Ask::Node,
};

/// The account in one session.
pub(super) struct Account {
    /// The client's full JID; empty until the server has bound it.
    jid: String,
    /// The account's bare JID.
    bare: Arc<str>,
    pub(super) people: People,
    /// The node `presence`.
    pub(super) node: OwnNode,
    pub(super) status: Status,
    pub(super) audience: Audience,
    /// One-to-one messages of this client go by pubsub, and the marker in its presence says so.
    pub(super) takes_chats: bool,
    /// The contacts were looked at, once in a session after the client became available: their states may be fetched.
    pub(super) is_caught_up: bool,
}

/// The client's presence and visibility.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// The client's last presence for everybody was available.
    pub(super) is_available: bool,
    /// A privacy list or an invisible mode hides the client from somebody.
    pub(super) is_hidden: bool,
    /// The client is available, and hidden from somebody or possibly so: asking another server would tell that it is
    /// there.
    pub(super) may_be_hidden: bool,
    /// The contents of the privacy list in force are known.
    pub(super) is_visibility_known: bool,
    /// A presence is to be published, or was.
    pub(super) has_something: bool,
    /// A presence was published in this session, and not withdrawn since.
    pub(super) was_published: bool,
}

/// Recipients of a publish, as far as publishing depends on them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Audience {
    /// No recipient of a publish would be somebody who may not see the client.
    pub(super) is_right: bool,
    /// A contact is being taken out of the node, and has to see the client go first.
    pub(super) farewell: Option<Goodbye>,
}

/// How the server tells a contact that is taken out of the node, natively, that the client is gone. The later a
/// variant, the more the contact needs an event; of several, the last counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Goodbye {
    /// After all that was published: this client has revoked the subscription, and publishes are held since. Other
    /// contacts notice nothing.
    AfterAll,
    /// Some time before the push arrived: another client has revoked the subscription. If a publish is on its way, all
    /// contacts see the client go and come back.
    BeforePush,
    /// Never: the contact is subscribed by pubsub alone. All contacts see the client go and come back.
    Never,
}

impl Account {
    pub(super) fn new(policy: Policy) -> Self {
        let mut node = OwnNode::new(&NODE);
        if policy == Policy::Auto {
            // The private record is made first: where subscribers are not listed, a node without a record is not
            // trusted.
            node.forbid();
        }
        Self {
            jid: String::new(),
            bare: "".into(),
            people: People::default(),
            node,
            status: Status::default(),
            audience: Audience {
                // Under `auto` subscribers and members were not compared with the roster yet.
                is_right: policy == Policy::Pure,
                farewell: None,
            },
            takes_chats: false,
            is_caught_up: false,
        }
    }

    /// The context functions are called with.
    pub(super) fn with<'a>(&'a mut self, wire: &'a mut Wire) -> Cx<'a> {
        Cx {
            account: self,
            wire,
        }
    }

    /// Notes the full JID to which the server has bound the client.
    pub(super) fn bind(&mut self, jid: String) {
        self.bare = jid::bare(&jid).into();
        self.jid = jid;
    }

    /// The client's full JID.
    pub(super) fn jid(&self) -> &str {
        &self.jid
    }

    /// The bare JID.
    pub(super) fn bare(&self) -> &str {
        &self.bare
    }

    /// The bare JID, for callers that change the account meanwhile.
    pub(super) fn own_bare(&self) -> Arc<str> {
        Arc::clone(&self.bare)
    }

    /// The domain.
    pub(super) fn domain(&self) -> &str {
        jid::domain(&self.jid)
    }

    /// The client's resource.
    pub(super) fn resource(&self) -> &str {
        jid::resource(&self.jid).unwrap_or_default()
    }

    /// Whether a stanza is from the account or its server.
    pub(super) fn has_sent(&self, stanza: &Element<'_>) -> bool {
        stanza
            .attribute("from")
            .is_none_or(|from| from == self.jid() || from == self.bare() || from == self.domain())
    }
}
