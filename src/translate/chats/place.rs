//! Nodes of conversations, and the state of the node that the account writes to.

use std::sync::Arc;

use crate::jid;

/// A node on a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(Arc<(Box<str>, Box<str>)>);

impl Place {
    pub(super) fn new(service: &str, node: &str) -> Self {
        Self(Arc::new((service.into(), node.into())))
    }

    pub(super) fn service(&self) -> &str {
        &self.0.0
    }

    pub(super) fn node(&self) -> &str {
        &self.0.1
    }

    /// Whether the service is on one of these domains. Its JID must have no resource, which could end like a domain.
    pub(super) fn is_on(&self, domains: &[&str]) -> bool {
        let is_host = jid::resource(self.service()).is_none();
        is_host
            && domains.iter().any(|domain| {
                let rest = self.service().strip_suffix(domain);
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })
    }
}

/// The node of a conversation that the account writes to under `auto`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// No known node: the next message makes one.
    None,
    Known {
        place: Place,
        state: State,
    },
    /// The server takes no node: messages go natively in this session.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The node is on record and may be gone: a publish would create another one of that name, which the peer does not
    /// read.
    Unchecked,
    Asked,
    /// The node exists, and the peer is not subscribed.
    Unread,
    /// The peer is subscribed. `is_proven`: a publish was accepted in this session.
    Ready {
        is_proven: bool,
    },
}

impl Own {
    /// The node, if there is one.
    pub(super) fn place(&self) -> Option<&Place> {
        match self {
            Self::Known { place, .. } => Some(place),
            Self::None | Self::Refused => None,
        }
    }

    /// The node's name, if there is one.
    pub(super) fn node(&self) -> Option<&str> {
        self.place().map(Place::node)
    }

    /// Whether a message may be published now; if there is no node, one is made.
    pub(super) fn may_publish(&self) -> bool {
        match self {
            Self::None => true,
            Self::Refused => false,
            Self::Known { state, .. } => matches!(state, State::Unread | State::Ready { .. }),
        }
    }

    /// Whether the node has accepted a publish in this session.
    pub(super) fn is_proven(&self) -> bool {
        let proven = State::Ready { is_proven: true };
        matches!(self, Self::Known { state, .. } if *state == proven)
    }

    /// Whether the node is still to be looked at.
    pub(super) fn is_unchecked(&self) -> bool {
        matches!(self, Self::Known { state, .. } if *state == State::Unchecked)
    }

    pub(super) fn set(&mut self, new: State) {
        if let Self::Known { state, .. } = self {
            *state = new;
        }
    }
}
