//! Log events in words.

use std::fmt;

use super::Event;
use crate::wire::dropped::Dropped;
use crate::wire::ending::in_words;
use crate::wire::shown::shown;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::one_line;

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
