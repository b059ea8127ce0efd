//! The states of a subscription (RFC 6121 Appendix A), as two halves: whether we see the contact's
//! presence, and whether the contact sees ours.

/// One direction of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Half {
    /// No subscription.
    #[default]
    No,
    /// Requested and not answered ("pending").
    Asked,
    /// Granted.
    Yes,
}

/// The subscriptions between the account and a contact: one of the nine states of RFC 6121 §A.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Relation {
    /// Whether the account is subscribed to the contact.
    pub(crate) to: Half,
    /// Whether the contact is subscribed to the account.
    pub(crate) from: Half,
}

/// A presence stanza that manages a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
}

impl Kind {
    /// The kind of a presence of this type, if it manages a subscription.
    pub(crate) fn of(kind: &str) -> Option<Self> {
        let all = [
            Self::Subscribe,
            Self::Subscribed,
            Self::Unsubscribe,
            Self::Unsubscribed,
        ];
        all.into_iter().find(|it| it.as_str() == kind)
    }

    /// Whether the stanza is about what its sender sees, and not about who sees its sender.
    pub(crate) fn is_about_to(self) -> bool {
        matches!(self, Self::Subscribe | Self::Unsubscribe)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Subscribed => "subscribed",
            Self::Unsubscribe => "unsubscribe",
            Self::Unsubscribed => "unsubscribed",
        }
    }
}

impl Relation {
    fn with_to(self, to: Half) -> Self {
        Self { to, ..self }
    }

    fn with_from(self, from: Half) -> Self {
        Self { from, ..self }
    }

    /// Applies a stanza of the user's: gives the state after it, and whether the contact is to be told (RFC 6121
    /// §A.2).
    pub(crate) fn outbound(self, kind: Kind) -> (Self, bool) {
        match kind {
            Kind::Subscribe if self.to == Half::No => (self.with_to(Half::Asked), true),
            Kind::Subscribe => (self, true),
            Kind::Unsubscribe => (self.with_to(Half::No), true),
            Kind::Subscribed if self.from == Half::Asked => (self.with_from(Half::Yes), true),
            Kind::Unsubscribed if self.from != Half::No => (self.with_from(Half::No), true),
            Kind::Subscribed | Kind::Unsubscribed => (self, false),
        }
    }

    /// Applies a stanza of the contact's: gives the state after it, and whether the user is to be told (RFC 6121
    /// §A.3).
    pub(crate) fn inbound(self, kind: Kind) -> (Self, bool) {
        match kind {
            Kind::Subscribe if self.from == Half::No => (self.with_from(Half::Asked), true),
            Kind::Unsubscribe if self.from != Half::No => (self.with_from(Half::No), true),
            Kind::Subscribed if self.to == Half::Asked => (self.with_to(Half::Yes), true),
            Kind::Unsubscribed if self.to != Half::No => (self.with_to(Half::No), true),
            _ => (self, false),
        }
    }

    /// The value of a roster item's `subscription` (RFC 6121 §2.1.2.5).
    pub(crate) fn as_str(self) -> &'static str {
        match (self.to == Half::Yes, self.from == Half::Yes) {
            (false, false) => "none",
            (true, false) => "to",
            (false, true) => "from",
            (true, true) => "both",
        }
    }
}
