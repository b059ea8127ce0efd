//! A node: its items, subscriptions, affiliations and access rules (XEP-0060 §4).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::NodeConfig;
use crate::jid;
use crate::sandbox::config::Limits;
use crate::sandbox::error::Error;

/// Affiliations (§4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sandbox) enum Affiliation {
    Owner,
    Publisher,
    PublishOnly,
    Member,
    #[default]
    None,
    Outcast,
}

/// States of a subscription (§4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sandbox) enum State {
    /// Approval was asked for, in a message with this id.
    Pending { request: String },
    #[default]
    Subscribed,
}

/// Subscription options (§6.3), by field.
pub(in crate::sandbox) type Options = BTreeMap<String, Vec<String>>;

/// One JID's subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct Subscription {
    pub(in crate::sandbox) state: State,
    pub(in crate::sandbox) options: Options,
}

/// A published item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sandbox) struct Item {
    pub(in crate::sandbox) id: String,
    /// The full JID that published the item.
    pub(in crate::sandbox) publisher: String,
    /// The payload as it came, with the namespaces it inherits declared on it; empty if there was none.
    pub(in crate::sandbox) payload: Arc<str>,
}

/// A leaf node.
#[derive(Clone, Debug, Default)]
pub(in crate::sandbox) struct Node {
    pub(in crate::sandbox) config: NodeConfig,
    /// By bare JID.
    pub(in crate::sandbox) affiliations: BTreeMap<String, Affiliation>,
    /// By the JID that was subscribed, bare or full.
    pub(in crate::sandbox) subscriptions: BTreeMap<String, Subscription>,
    /// The oldest first.
    pub(in crate::sandbox) items: Vec<Item>,
}

impl Affiliation {
    pub(in crate::sandbox) const ALL: [Self; 6] = [
        Self::Owner,
        Self::Publisher,
        Self::PublishOnly,
        Self::Member,
        Self::None,
        Self::Outcast,
    ];

    pub(in crate::sandbox) fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Publisher => "publisher",
            Self::PublishOnly => "publish-only",
            Self::Member => "member",
            Self::None => "none",
            Self::Outcast => "outcast",
        }
    }

    pub(in crate::sandbox) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

impl Subscription {
    pub(in crate::sandbox) fn is_subscribed(&self) -> bool {
        self.state == State::Subscribed
    }

    /// The value of the attribute `subscription`.
    pub(super) fn as_str(&self) -> &'static str {
        match self.state {
            State::Pending { .. } => "pending",
            State::Subscribed => "subscribed",
        }
    }

    fn option(&self, var: &str) -> Option<&str> {
        self.options.get(var)?.first().map(String::as_str)
    }

    /// Whether events are wanted (`pubsub#deliver`).
    pub(super) fn wants_events(&self) -> bool {
        self.is_subscribed() && self.option("pubsub#deliver") != Some("0")
    }

    /// Whether its options ask that it ends with the session (§12.4).
    pub(super) fn is_temporary(&self) -> bool {
        self.option("pubsub#expire") == Some("presence")
    }
}

impl Node {
    /// A node with this owner.
    pub(super) fn new(owner: &str, config: NodeConfig) -> Self {
        Self {
            config,
            affiliations: BTreeMap::from([(owner.to_owned(), Affiliation::Owner)]),
            ..Self::default()
        }
    }

    pub(super) fn affiliation(&self, jid: &str) -> Affiliation {
        let found = self.affiliations.get(jid::bare(jid));
        found.copied().unwrap_or_default()
    }

    pub(super) fn is_owner(&self, jid: &str) -> bool {
        self.affiliation(jid) == Affiliation::Owner
    }

    pub(super) fn check_owner(&self, jid: &str) -> Result<(), Error> {
        self.is_owner(jid).then_some(()).ok_or(Error::FORBIDDEN)
    }

    /// Sets the state of the subscription of `jid`, which is made if there is none.
    pub(super) fn subscription(&mut self, jid: &str, state: State) -> &mut Subscription {
        let subscription = self.subscriptions.entry(jid.to_owned()).or_default();
        subscription.state = state;
        subscription
    }

    /// Drops the oldest items beyond the configured number.
    pub(super) fn drop_excess(&mut self, limits: &Limits) {
        let most = self.config.max_items(limits);
        let excess = self.items.len().saturating_sub(most);
        self.items.drain(..excess);
    }

    /// The JIDs with an affiliation.
    pub(in crate::sandbox) fn affiliated(
        &self,
        affiliation: Affiliation,
    ) -> impl Iterator<Item = &str> {
        let matching = self
            .affiliations
            .iter()
            .filter(move |(_, it)| **it == affiliation);
        matching.map(|(jid, _)| jid.as_str())
    }

    /// Whether the subscription of `jid` ends with its session.
    pub(in crate::sandbox) fn is_temporary(&self, subscription: &Subscription) -> bool {
        self.config.is("pubsub#tempsub") || subscription.is_temporary()
    }

    /// Whether any JID of the account of `jid` is subscribed.
    fn is_account_subscribed(&self, jid: &str) -> bool {
        let mut subscriptions = self.subscriptions.iter();
        subscriptions.any(|(other, it)| it.is_subscribed() && jid::bare(other) == jid::bare(jid))
    }

    /// `true`: `jid` is subscribed at once; `false`: an owner has to approve first (§6.1.3).
    pub(super) fn may_subscribe(&self, jid: &str) -> Result<bool, Error> {
        match (
            self.affiliation(jid),
            self.config.get("pubsub#access_model"),
        ) {
            (Affiliation::Outcast | Affiliation::PublishOnly, _) => Err(Error::FORBIDDEN),
            (Affiliation::Owner | Affiliation::Publisher | Affiliation::Member, _)
            | (_, "open") => Ok(true),
            (Affiliation::None, "authorize") => Ok(false),
            (Affiliation::None, _) => Err(Error::NOT_ALLOWED.with("closed-node")),
        }
    }

    /// Checks that `jid` may see items (§6.5.1).
    pub(in crate::sandbox) fn may_retrieve(&self, jid: &str) -> Result<(), Error> {
        match (
            self.affiliation(jid),
            self.config.get("pubsub#access_model"),
        ) {
            (Affiliation::Outcast | Affiliation::PublishOnly, _) => Err(Error::FORBIDDEN),
            (Affiliation::Owner | Affiliation::Publisher | Affiliation::Member, _)
            | (_, "open") => Ok(()),
            (Affiliation::None, _) if self.is_account_subscribed(jid) => Ok(()),
            (Affiliation::None, "authorize") => Err(Error::NOT_AUTHORIZED.with("not-subscribed")),
            (Affiliation::None, _) => Err(Error::NOT_ALLOWED.with("closed-node")),
        }
    }

    /// Checks that the full JID `from` may publish: under the model `subscribers`, if it or its bare JID is subscribed.
    pub(super) fn may_publish(&self, from: &str) -> Result<(), Error> {
        let is_subscribed = |jid: &str| {
            self.subscriptions
                .get(jid)
                .is_some_and(Subscription::is_subscribed)
        };
        let allowed = match (
            self.affiliation(from),
            self.config.get("pubsub#publish_model"),
        ) {
            (Affiliation::Outcast, _) => false,
            (Affiliation::Owner | Affiliation::Publisher | Affiliation::PublishOnly, _)
            | (_, "open") => true,
            (_, "subscribers") => is_subscribed(from) || is_subscribed(jid::bare(from)),
            _ => false,
        };
        allowed.then_some(()).ok_or(Error::FORBIDDEN)
    }

    /// Whether `from` may retract `item`: owners may, and its publisher, unless he may publish only as a subscriber.
    pub(super) fn may_retract(&self, from: &str, item: &Item) -> bool {
        let is_own = jid::bare(&item.publisher) == jid::bare(from);
        match self.affiliation(from) {
            Affiliation::Owner => true,
            Affiliation::Publisher => is_own,
            Affiliation::Outcast => false,
            _ => is_own && self.config.get("pubsub#publish_model") != "subscribers",
        }
    }

    /// Checks that no other account has published an item called `id`: only its own publisher, not even an owner, may
    /// replace it.
    pub(super) fn may_replace(&self, from: &str, id: &str) -> Result<(), Error> {
        let mut items = self.items.iter();
        let old = items.find(|item| item.id == id);
        let is_own = old.is_none_or(|old| jid::bare(&old.publisher) == jid::bare(from));
        is_own.then_some(()).ok_or(Error::FORBIDDEN)
    }

    /// Whether `jid` may know that the node exists.
    pub(in crate::sandbox) fn is_visible_to(&self, jid: &str) -> bool {
        self.may_subscribe(jid).is_ok() || self.is_account_subscribed(jid)
    }
}
