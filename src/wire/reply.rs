//! Answers to IQs of ours.

use std::fmt;

use crate::ns;
use crate::xml::Element;

/// The condition of the error for whoever waits for an answer that does not come.
pub(crate) const NO_ANSWER: &str = "remote-server-timeout";

/// The answer to an IQ of ours, or why it is of no use.
pub(crate) type Reply<'a> = Result<&'a Element<'a>, Refused<'a>>;

/// Why an IQ of ours failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused<'a> {
    /// No answer came in time.
    NoAnswer,
    /// The answer lacks the list or value that was asked for.
    NoList,
    /// The IQ was not sent, as too many wait already.
    NoRoom,
    /// The condition of the error that came (RFC 6120 §8.3.3, or one of XEP-0060's own).
    With(&'a str),
}

impl<'a> Refused<'a> {
    /// The condition of the error for whoever waits for the answer.
    pub(crate) fn condition(self) -> &'a str {
        match self {
            Self::With(condition) => condition,
            Self::NoRoom => "resource-constraint",
            Self::NoAnswer | Self::NoList => NO_ANSWER,
        }
    }

    /// Whether the server does not know this kind of request at all.
    pub(crate) fn is_unsupported(self) -> bool {
        matches!(
            self,
            Self::With("service-unavailable" | "feature-not-implemented")
        )
    }

    /// Whether the failure may be temporary: it says nothing about the node or list that was asked for.
    pub(crate) fn may_pass(self) -> bool {
        match self {
            Self::NoAnswer | Self::NoRoom => true,
            Self::NoList => false,
            Self::With(condition) => matches!(
                condition,
                "internal-server-error" | "remote-server-timeout" | "resource-constraint"
            ),
        }
    }
}

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAnswer => "no answer in time",
            Self::NoList => "an answer without what was asked for",
            Self::NoRoom => "too many requests wait for the server",
            Self::With(condition) => condition,
        })
    }
}

/// Whether the answer to a ping says that the resource is gone. No answer, or any other error, proves nothing: a
/// hibernating session does not answer either.
pub(crate) fn is_gone(pong: Reply<'_>) -> bool {
    let gone = [
        "service-unavailable",
        "item-not-found",
        "recipient-unavailable",
    ];
    matches!(pong, Err(Refused::With(condition)) if gone.contains(&condition))
}

/// The type of an error with this condition (RFC 6120 §8.3.3).
pub(super) fn error_type(condition: &str) -> &'static str {
    match condition {
        "registration-required" | "subscription-required" | "forbidden" | "not-authorized" => {
            "auth"
        }
        "remote-server-timeout" | "resource-constraint" | "internal-server-error" => "wait",
        "not-acceptable" | "jid-malformed" | "bad-request" | "policy-violation" => "modify",
        _ => "cancel",
    }
}

/// The condition of a stanza error (RFC 6120 §8.3.2), or pubsub's own condition if that says more.
pub(crate) fn error_condition(stanza: &Element<'_>) -> String {
    let condition = stanza
        .children()
        .filter(|child| child.local() == "error")
        .find_map(|error| {
            for own in ["closed-node", "pending-subscription", "not-subscribed"] {
                if error.child(ns::PUBSUB_ERRORS, own).is_some() {
                    return Some(own.to_owned());
                }
            }
            let condition = error
                .children()
                .find(|child| child.namespace() == ns::STANZA_ERRORS && child.local() != "text");
            condition.map(|condition| condition.local().to_owned())
        });
    condition.unwrap_or_else(|| "undefined-condition".to_owned())
}
