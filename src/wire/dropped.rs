//! Why an event did not become a stanza.

/// Why an event did not become a stanza (counted as `pubshim_dropped_total{reason}`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Dropped {
    /// The payload's `from` is no full JID of the account the event came from.
    ForeignFrom,
    /// The payload's `type` is not allowed in an event.
    WrongType,
    /// The payload is missing or not what the node is for.
    WrongPayload,
    /// We are not subscribed to the account the event came from.
    NotSubscribed,
    /// The client was shown this state already.
    Seen,
    /// A server had stored the event: its state may be out of date.
    Delayed,
    /// The event says that items were retracted.
    Retracted,
    /// Too many already wait: events for a check, requests for the user or for an answer.
    Overflow,
    /// The resource was published as available, but its server says it is not there.
    Gone,
    /// The client has not said that it is available.
    Unavailable,
    /// The event is too deep or has too many parts to be read.
    Unreadable,
}

impl Dropped {
    /// Every reason there is.
    pub const ALL: [Self; 11] = [
        Self::ForeignFrom,
        Self::WrongType,
        Self::WrongPayload,
        Self::NotSubscribed,
        Self::Seen,
        Self::Delayed,
        Self::Retracted,
        Self::Overflow,
        Self::Gone,
        Self::Unavailable,
        Self::Unreadable,
    ];

    /// The reason as a word for counters and logs.
    pub fn reason(self) -> &'static str {
        self.words().0
    }

    /// The reason as a sentence.
    pub fn text(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::ForeignFrom => (
                "foreign-from",
                "its sender is not who the account or service it came from says",
            ),
            Self::WrongType => (
                "wrong-type",
                "its payload is of a type that does not travel so",
            ),
            Self::WrongPayload => (
                "wrong-payload",
                "its payload is missing, or not what the node is for",
            ),
            Self::NotSubscribed => (
                "not-subscribed",
                "the roster does not say that the account is subscribed to its sender",
            ),
            Self::Seen => ("seen", "the client was shown this already"),
            Self::Delayed => (
                "delayed",
                "a server had stored it: it says what was, not what is",
            ),
            Self::Retracted => (
                "retracted",
                "it says that items went away, which shows nothing new",
            ),
            Self::Overflow => ("overflow", "more than can be held waits already"),
            Self::Gone => ("gone", "the resource it tells of is not there any more"),
            Self::Unavailable => (
                "unavailable",
                "the client has not said that it is available",
            ),
            Self::Unreadable => (
                "unreadable",
                "it is too deep or has too many parts to be read",
            ),
        }
    }
}
