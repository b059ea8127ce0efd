//! What became of an IQ of ours.

use std::fmt;

use crate::ns;
use crate::xml::Element;

/// The answer to an IQ of ours, or why there is none that is of use.
pub(crate) type Reply<'a> = Result<&'a Element<'a>, Refused<'a>>;

/// Why an IQ of ours came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused<'a> {
    /// No answer came in time.
    NoAnswer,
    /// The answer does not hold what was asked for.
    NoList,
    /// It was not sent, as too many wait already.
    NoRoom,
    /// The condition of the error that came (RFC 6120 §8.3.3, or one of XEP-0060's own).
    With(&'a str),
}

impl<'a> Refused<'a> {
    /// The condition of the error; `default` where none came.
    pub(crate) fn condition_or(self, default: &'a str) -> &'a str {
        match self {
            Self::With(condition) => condition,
            _ => default,
        }
    }

    /// Whether the server does not know what was asked for at all.
    pub(crate) fn is_unsupported(self) -> bool {
        matches!(
            self,
            Self::With("service-unavailable" | "feature-not-implemented")
        )
    }

    /// Whether it says nothing of what was asked for, but only that there was no answer this time.
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

/// Whether the answer to a ping says that the resource is not there. No answer, or any other error, says
/// nothing: a hibernating session answers nothing, too.
pub(crate) fn is_gone(pong: Reply<'_>) -> bool {
    let gone = [
        "service-unavailable",
        "item-not-found",
        "recipient-unavailable",
    ];
    matches!(pong, Err(Refused::With(condition)) if gone.contains(&condition))
}

/// The type of an error with this condition (RFC 6120 §8.3.3).
pub(crate) fn error_type(condition: &str) -> &'static str {
    match condition {
        "registration-required" | "subscription-required" | "forbidden" | "not-authorized" => {
            "auth"
        }
        "remote-server-timeout" | "resource-constraint" | "internal-server-error" => "wait",
        "not-acceptable" | "jid-malformed" | "bad-request" | "policy-violation" => "modify",
        _ => "cancel",
    }
}

/// The condition of a stanza error (RFC 6120 §8.3.2), or the one of pubsub's own that says more.
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
