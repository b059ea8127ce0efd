//! What all functions know of the account. Each row has one writer; the others only read it.
//!
//! | row | writer |
//! |---|---|
//! | `jid` | the router, when the server has bound the client |
//! | `status` | `presence/` |
//! | `people`, `audience`, `is_caught_up` | `contacts/` |
//! | `node` | both: `presence/` has it made, `contacts/` says when it may be and who may see it |
//!
//! Three rows are mailboxes, which one puts into and the other empties: `people.is_awaited` (by `presence/`),
//! `people.changed` and `audience.farewell` (by `contacts/`).

use std::sync::Arc;

use super::node::{Access, OwnNode, Spec};
use super::people::People;
use super::{Ask, Cx, Wire};
use crate::jid;
use crate::policy::Policy;
use crate::pubsub::PRESENCE;
use crate::xml::Element;

/// The node of listings 3 and 4: delivery does not depend on native presence, the last item is fetched and never
/// pushed, every resource keeps its item, and what a crash leaves behind goes away.
const NODE: Spec = Spec {
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
    // The resources of one account.
    few_items: 16,
    is_kept: false,
    ask: Ask::Node,
};

/// What is known of the account in one session.
pub(super) struct Account {
    /// The client's full JID; empty until the server has bound it.
    jid: String,
    /// The same without its resource.
    bare: Arc<str>,
    pub(super) people: People,
    /// The node `presence`.
    pub(super) node: OwnNode,
    pub(super) status: Status,
    pub(super) audience: Audience,
    /// Its one-to-one messages go by pubsub, and so its presence says.
    pub(super) takes_chats: bool,
    /// The contacts were looked at, once in a session, after the client became available: their states may be
    /// fetched.
    pub(super) is_caught_up: bool,
}

/// What the client has said of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// It has said that it is available, to whomever.
    pub(super) is_available: bool,
    /// It is hidden from somebody, as far as is known.
    pub(super) is_hidden: bool,
    /// It is available, and hidden from somebody or that is not known: a question would tell that it is there.
    pub(super) may_be_hidden: bool,
    /// It is known what the privacy list in force says.
    pub(super) is_visibility_known: bool,
    /// Something is to be published, or was.
    pub(super) has_something: bool,
    /// It was shown to somebody in this session, and still is.
    pub(super) was_published: bool,
}

/// Who would be delivered to, as far as publishing goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Audience {
    /// Nobody would be delivered to who may not see the client.
    pub(super) is_right: bool,
    /// Somebody is taken out of the node who has to see the client go first.
    pub(super) farewell: Option<Goodbye>,
}

/// When the server says natively that the client is gone to somebody who is taken out of the node, and so who needs
/// to be told by an event; the last of them needs it most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Goodbye {
    /// After all that was published: this client has asked for it, and since then publishes are held. Everybody else
    /// sees nothing of it.
    AfterAll,
    /// Some time before its push came: another client has asked for it. If a publish is on its way, everybody sees
    /// the client go and come back.
    BeforePush,
    /// Never: its subscription is pubsub's alone. Everybody sees the client go and come back.
    Never,
}

impl Account {
    pub(super) fn new(policy: Policy) -> Self {
        let mut node = OwnNode::new(&NODE);
        if policy == Policy::Auto {
            // Its record comes first, so that a node of ours without one is known by that.
            node.forbid();
        }
        Self {
            jid: String::new(),
            bare: "".into(),
            people: People::default(),
            node,
            status: Status::default(),
            audience: Audience {
                // Under `auto` nobody has looked yet who may see it.
                is_right: policy == Policy::Pure,
                farewell: None,
            },
            takes_chats: false,
            is_caught_up: false,
        }
    }

    /// What functions are handed.
    pub(super) fn with<'a>(&'a mut self, wire: &'a mut Wire) -> Cx<'a> {
        Cx {
            account: self,
            wire,
        }
    }

    /// The server has bound the client to this full JID.
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

    /// The same for whoever writes to the account meanwhile.
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
