//! Nodes of conversations, and how far the one is known that the account writes to.

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

    /// Whether its service is on one of these domains: a host, as the resource of another could end like one.
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
    /// There is none, as far as is known: the next message makes it.
    None,
    Known {
        place: Place,
        state: State,
    },
    /// The server takes none: messages go natively in this session.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is on record. Whoever publishes to a node that is gone makes another one of that name, which nobody reads.
    Unchecked,
    Asked,
    /// It is there, and the peer does not read it.
    Unread,
    /// The peer reads it. `is_proven`: something was published to it in this session.
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

    /// Its name.
    pub(super) fn node(&self) -> Option<&str> {
        self.place().map(Place::node)
    }

    /// Whether a message may be published now, to a node that is made for it if there is none.
    pub(super) fn may_publish(&self) -> bool {
        match self {
            Self::None => true,
            Self::Refused => false,
            Self::Known { state, .. } => matches!(state, State::Unread | State::Ready { .. }),
        }
    }

    /// Whether something was published to it in this session.
    pub(super) fn is_proven(&self) -> bool {
        let proven = State::Ready { is_proven: true };
        matches!(self, Self::Known { state, .. } if *state == proven)
    }

    /// Whether it is to be looked at.
    pub(super) fn is_unchecked(&self) -> bool {
        matches!(self, Self::Known { state, .. } if *state == State::Unchecked)
    }

    pub(super) fn set(&mut self, new: State) {
        if let Self::Known { state, .. } = self {
            *state = new;
        }
    }
}
