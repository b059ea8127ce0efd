//! Log events: a session's lines for its operator.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::ending::{Ending, in_words};
use super::leg::Leg;
use super::rule::Rule;
use crate::xml::{self, XmlError, first_chars};

/// How important an [`Event`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something does not work as it should.
    Warn,
    /// Normal events an operator wants to see.
    Info,
    /// Details for an operator who looks for a cause.
    Debug,
    /// Each step, for an operator who watches.
    Trace,
}

/// An event of a session for its operator. Holds no payload and no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A client has logged in under this full JID.
    LoggedIn(String),
    /// A client has logged in to this domain, and from here on everything passes unread.
    Relaying(String),
    /// The server refused a login.
    LoginFailed {
        /// The account, if the client has named it in plain sight.
        whose: Option<String>,
        /// The SASL condition.
        condition: String,
    },
    /// The client has left without trying any of the ways to log in.
    LeftBeforeLogin {
        /// The client's leg had TLS.
        secured: bool,
    },
    /// One side broke the rules of XML in XMPP.
    BadXml(Leg, XmlError),
    /// One side ended its stream with an error of this condition.
    StreamError(Leg, String),
    /// We ended the session with a stream error to the client, for this reason.
    Refused {
        /// The stream error condition.
        condition: &'static str,
        /// What happened and what the user can do about it.
        reason: String,
    },
    /// TLS is up on the client's leg.
    ClientSecured,
    /// TLS did not come up on the client's leg, for this reason.
    ClientNotSecured(String),
    /// A stream feature the client does not get to see.
    FeatureRemoved(String),
    /// The server's leg is not compressed, for this reason.
    NotCompressed(String),
    /// The session has ended, and its server's leg was compressed: bytes before and after compression.
    Compressed {
        /// To the server.
        sent: [u64; 2],
        /// From the server.
        received: [u64; 2],
    },
    /// A stanza of the server's was larger than may be held; an error went in its place.
    CutOff {
        /// Its start tag, if that could be read.
        stanza: Option<String>,
    },
    /// A top-level element that may not pass: its start tag.
    ElementRefused(Leg, String),
    /// A stanza was answered with an error, which its sender takes for the addressee's.
    StanzaRefused {
        /// The side that sent the stanza.
        from: Leg,
        /// Its start tag.
        stanza: String,
        /// The condition of the error.
        condition: String,
    },
    /// The access model of our node for a function is verified.
    NodeReady {
        /// The node.
        node: &'static str,
        /// Its access model.
        access: String,
    },
    /// A node of ours was unsafe and is deleted and created again.
    NodeReplaced {
        /// The node.
        node: &'static str,
        /// Why it was unsafe.
        reason: String,
    },
    /// A node cannot be made safe; the function stays native.
    NodeUnusable {
        /// The node.
        node: &'static str,
        /// The server's error, or why there is none.
        reason: String,
    },
    /// A publish was refused or not answered.
    PublishFailed {
        /// The node.
        node: &'static str,
        /// The server's error, or why there is none.
        reason: String,
    },
    /// A contact or domain could not be kept from seeing our node. Nothing is published until a later attempt
    /// succeeds; attempts are repeated from time to time.
    RevokeFailed {
        /// The account or domain.
        whom: String,
        /// The server's error, or why there is none.
        reason: String,
    },
    /// The server did not tell who may see the client. Nothing is published until it does; the question is repeated
    /// from time to time.
    NotKnown {
        /// The missing knowledge: completes "the server did not tell …".
        what: &'static str,
        /// The server's error, or why there is none.
        reason: String,
    },
    /// Contacts could not be allowed to see our node.
    ApprovalFailed {
        /// Their accounts.
        whom: Vec<String>,
        /// The server's error, or why there is none.
        reason: String,
    },
    /// The session ended before the user's decisions about these contacts were put on the account's record.
    NotRecorded {
        /// Their accounts.
        whom: Vec<String>,
    },
    /// The client is in a room that is a node.
    RoomJoined {
        /// Its bare JID.
        room: String,
        /// The client's nick there.
        nick: String,
        /// The client has created the room.
        is_new: bool,
    },
    /// A room that is a node does not let the client in.
    RoomRefused {
        /// Its bare JID.
        room: String,
        /// The condition of the error the client is shown.
        reason: String,
    },
    /// A step of removing what pubshim has left on the account.
    Forgetting(Forgetting),
    /// A rule was applied to the stanza in work.
    Applied(&'static Rule),
    /// A stanza or event that came by pubsub was not shown to the client, for this reason; with the start tag of the
    /// stanza that held it, once known.
    Dropped(Dropped, Option<String>),
    /// The session is over.
    Ended {
        /// Time since the client connected.
        after: Duration,
        /// The cause.
        by: Ending,
    },
}

/// A step of removing what pubshim has left on the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forgetting {
    /// A node of the account's that is pubshim's.
    Found {
        /// The node.
        node: String,
        /// How many items are on it.
        items: usize,
        /// What pubshim used it for.
        purpose: &'static str,
    },
    /// A node with a name of ours that holds something else: it stays.
    Foreign {
        /// The node.
        node: String,
    },
    /// A node was deleted.
    Removed {
        /// The node.
        node: String,
    },
    /// A step failed.
    Failed {
        /// The node; `None`: all of them.
        node: Option<String>,
        /// The server's error, or why there is none.
        reason: String,
    },
    /// All steps are done.
    Done {
        /// The account's bare JID.
        account: String,
        /// Nodes that were found.
        found: usize,
        /// Nodes that were deleted.
        removed: usize,
        /// Steps that failed.
        failed: usize,
    },
}

impl fmt::Display for Forgetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found {
                node,
                items,
                purpose,
            } => write!(f, "found '{}', items: {items} ({purpose})", shown(node)),
            Self::Foreign { node } => write!(
                f,
                "left '{}' as it is: what is on it is not pubshim's",
                shown(node)
            ),
            Self::Removed { node } => write!(f, "removed '{}'", shown(node)),
            Self::Failed { node: None, reason } => write!(f, "failed: {}", shown(reason)),
            Self::Failed {
                node: Some(node),
                reason,
            } => write!(f, "failed with '{}': {}", shown(node), shown(reason)),
            Self::Done {
                account,
                found,
                removed,
                failed,
            } => write!(
                f,
                "nodes of pubshim's on {}: {found} found, {removed} removed, {failed} failed",
                shown(account)
            ),
        }
    }
}

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
    /// The reason as a word for counters and logs.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ForeignFrom => "foreign-from",
            Self::WrongType => "wrong-type",
            Self::WrongPayload => "wrong-payload",
            Self::NotSubscribed => "not-subscribed",
            Self::Seen => "seen",
            Self::Delayed => "delayed",
            Self::Retracted => "retracted",
            Self::Overflow => "overflow",
            Self::Gone => "gone",
            Self::Unavailable => "unavailable",
            Self::Unreadable => "unreadable",
        }
    }

    /// The reason as a sentence.
    pub fn text(self) -> &'static str {
        match self {
            Self::ForeignFrom => "its sender is not who the account or service it came from says",
            Self::WrongType => "its payload is of a type that does not travel so",
            Self::WrongPayload => "its payload is missing, or not what the node is for",
            Self::NotSubscribed => {
                "the roster does not say that the account is subscribed to its sender"
            }
            Self::Seen => "the client was shown this already",
            Self::Delayed => "a server had stored it: it says what was, not what is",
            Self::Retracted => "it says that items went away, which shows nothing new",
            Self::Overflow => "more than can be held waits already",
            Self::Gone => "the resource it tells of is not there any more",
            Self::Unavailable => "the client has not said that it is available",
            Self::Unreadable => "it is too deep or has too many parts to be read",
        }
    }
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
}

impl Event {
    /// How important this is.
    pub fn level(&self) -> Level {
        match self {
            // A shutdown is on purpose.
            Self::Refused {
                condition: "system-shutdown",
                ..
            } => Level::Info,
            Self::Refused { .. }
            | Self::CutOff { .. }
            | Self::StreamError(Leg::Server, _)
            | Self::NodeReplaced { .. }
            | Self::NodeUnusable { .. }
            | Self::PublishFailed { .. }
            | Self::RevokeFailed { .. }
            | Self::NotKnown { .. }
            | Self::ApprovalFailed { .. }
            | Self::NotRecorded { .. }
            | Self::LoginFailed { .. }
            | Self::ClientNotSecured(_)
            | Self::LeftBeforeLogin { .. } => Level::Warn,
            Self::Ended {
                by: Ending::Nothing,
                ..
            } => Level::Debug,
            Self::LoggedIn(_)
            | Self::Relaying(_)
            | Self::RoomRefused { .. }
            | Self::Ended { .. } => Level::Info,
            Self::Applied(_) => Level::Trace,
            _ => Level::Debug,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoggedIn(jid) => write!(f, "logged in as {}", shown(jid)),
            Self::Relaying(domain) => write!(
                f,
                "logged in at {}; everything passes unchanged",
                shown(domain)
            ),
            Self::LoginFailed { whose, condition } => {
                f.write_str("the server refused the login")?;
                if let Some(whose) = whose {
                    write!(f, " of {}", shown(whose))?;
                }
                write!(f, " ({})", shown(condition))?;
                match &**condition {
                    "not-authorized" => f.write_str(": check name and password in the client"),
                    _ => Ok(()),
                }
            }
            Self::LeftBeforeLogin { secured: false } => f.write_str(
                "the client left without trying to log in: it may insist on encryption; set it to connect to pubshim \
                 without, or see `pubshim cert`",
            ),
            Self::LeftBeforeLogin { secured: true } => f.write_str(
                "the client left without trying to log in: none of the ways that the server offers may suit it",
            ),
            Self::BadXml(leg, error) => {
                write!(f, "the {leg} sent what no XMPP stream may hold: {error}")
            }
            Self::StreamError(leg, condition) => {
                write!(f, "the {leg} ended the stream: {}", shown(condition))
            }
            Self::Refused { condition, reason } => {
                write!(
                    f,
                    "ended the client's stream ({condition}): {}",
                    shown(reason)
                )
            }
            Self::ClientSecured => f.write_str("TLS is up on the way to the client"),
            Self::ClientNotSecured(reason) => {
                write!(f, "no TLS on the way to the client: {}", shown(reason))
            }
            Self::FeatureRemoved(name) => write!(f, "took the stream feature {} out", shown(name)),
            Self::NotCompressed(reason) => write!(f, "not compressed: {}", shown(reason)),
            Self::Compressed { sent, received } => write!(
                f,
                "compressed: {} bytes to the server went as {}, {} from it came as {}",
                sent[0], sent[1], received[0], received[1]
            ),
            Self::CutOff { stanza } => {
                let stanza = stanza.as_deref().map_or("a stanza".into(), shown);
                write!(
                    f,
                    "the server's {stanza} was larger than may be held (--max-server-stanza, --max-held) and is \
                     lost: whoever waits for it was sent an error"
                )
            }
            Self::ElementRefused(leg, element) => {
                write!(f, "did not pass the {leg}'s {}", shown(element))
            }
            Self::StanzaRefused {
                from,
                stanza,
                condition,
            } => write!(
                f,
                "answered the {from}'s {} with an error: {}",
                shown(stanza),
                shown(condition)
            ),
            Self::NodeReady { node, access } => {
                write!(f, "node '{node}' is ours, access model {}", shown(access))
            }
            Self::NodeReplaced { node, reason } => {
                let reason = shown(reason);
                write!(
                    f,
                    "node '{node}' was not safe to publish to ({reason}): deleting it and making it anew"
                )
            }
            Self::NodeUnusable { node, reason } => {
                write!(
                    f,
                    "node '{node}' cannot be used, going on without it: {}",
                    shown(reason)
                )
            }
            Self::RevokeFailed { whom, reason } => write!(
                f,
                "{} may still be subscribed to node 'presence', so nothing is published to it \
                 (contacts are shown native presence all the same): {}; it is tried again within the \
                 hour, and at once if you take the contact's subscription away again",
                shown(whom),
                shown(reason)
            ),
            Self::NotKnown { what, reason } => write!(
                f,
                "the server did not tell {what} ({}), so nothing is published to node 'presence' (contacts are \
                 shown native presence all the same); it is asked again within the hour, and when the client \
                 says something new",
                shown(reason)
            ),
            Self::ApprovalFailed { whom, reason } => write!(
                f,
                "{} cannot be shown what is published to node 'presence': {}",
                shown(&whom.join(", ")),
                shown(reason)
            ),
            Self::NotRecorded { whom } => write!(
                f,
                "the session ended before it could be put on record what you said of {}: if you have let one of \
                 them see you, do so again",
                shown(&whom.join(", "))
            ),
            Self::PublishFailed { node, reason } => {
                write!(f, "publishing to node '{node}' failed: {}", shown(reason))
            }
            Self::RoomJoined { room, nick, is_new } => {
                let what = if *is_new { "created" } else { "joined" };
                write!(f, "{what} room {} as {}", shown(room), shown(nick))
            }
            Self::RoomRefused { room, reason } => {
                write!(
                    f,
                    "room {} does not let the client in: {}",
                    shown(room),
                    shown(reason)
                )
            }
            Self::Forgetting(step) => write!(f, "{step}"),
            Self::Applied(rule) => write!(f, "{}: {}", rule.name, rule.text),
            Self::Dropped(dropped, of) => {
                let of = of.as_deref().map_or("an event".into(), shown);
                let reason = match dropped {
                    Dropped::Seen => dropped.text(),
                    dropped => dropped.reason(),
                };
                write!(f, "dropped {of}: {reason}")
            }
            Self::Ended { after, by } => {
                write!(f, "ended after {}: {}", in_words(*after), shown(&by.to_string()))
            }
        }
    }
}

/// Text from the wire for the log: on one line, of limited length.
fn shown(text: &str) -> Cow<'_, str> {
    const MOST: usize = 1000;
    xml::shown(first_chars(text, MOST))
}

/// A reason on one line, without control characters of terminals: the operating system's texts may have several lines.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    xml::shown(&words.join(" ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_escaped() {
        let bad = "a\u{1b}[2J\u{9b}\u{7f}\u{202e}\u{2028}\u{feff}b".to_owned();
        let escaped = "a\\u{1b}[2J\\u{9b}\\u{7f}\\u{202e}\\u{2028}\\u{feff}b";
        for event in [
            Event::LoggedIn(bad.clone()),
            Event::PublishFailed {
                node: "presence",
                reason: bad.clone(),
            },
        ] {
            let line = event.to_string();
            assert!(line.contains(escaped), "{line}");
        }
        assert_eq!(one_line(" a\n\u{1b}[31m b "), "a \\u{1b}[31m b");
    }
}
