//! Errors in a room's place, and their texts for people (RFC 6120 §8.3).

use crate::translate::Cx;
use crate::wire::StanzaError;
use crate::xml::Element;

/// The text where the service does not tell the reason (Prosody).
pub(super) const MEMBERS_OR_BANNED: &str = "only members may come in, or you are banned, or whoever has created the room has not accepted it yet";

/// Answers a stanza of the client's with an error.
pub(super) fn refuse(stanza: &Element<'_>, condition: &str, cx: &mut Cx<'_>) {
    let text = text_of(stanza.local(), condition);
    cx.wire
        .refuse(stanza, StanzaError::from(condition).saying(text));
}

/// Answers a message of the client's that holds nothing for others. A chat state alone gets no answer.
pub(super) fn refuse_empty(message: &Element<'_>, cx: &mut Cx<'_>) {
    let text = Some("there is nothing in this message");
    cx.wire
        .refuse(message, StanzaError::from("bad-request").saying(text));
}

/// The text of the error `condition` to a stanza called `name`.
pub(super) fn text_of(name: &str, condition: &str) -> Option<&'static str> {
    Some(match (name, condition) {
        ("presence", "conflict") => "somebody else in the room has this nick",
        ("presence", "registration-required") => {
            "only members may come in, or whoever has created the room has not accepted it yet"
        }
        ("presence", "forbidden") => "the room does not let you in",
        ("presence", "item-not-found") => "there is no such room",
        ("presence", "not-acceptable") => "no room can have this name",
        ("presence", "jid-malformed") => "this is not the address of a room and a nick in it",
        ("presence", "remote-server-timeout") => "the service of this room does not answer",
        ("presence", "service-unavailable") => {
            "this does not work as a service of rooms: is it one of publish-subscribe?"
        }
        ("message" | "iq", "not-acceptable") => "you are not in this room",
        ("message", "item-not-found") => "nobody in this room has this nick",
        ("message", "bad-request") => "what is for everybody goes to the room, not to one nick",
        ("message", "forbidden") => "only its owners invite to a room for members",
        ("message", "not-allowed") => "whoever is banned has to be forgiven before",
        ("message", "service-unavailable") => "no room has a use for this",
        ("message" | "iq", "policy-violation") => "this is too much at once",
        ("iq", "forbidden") => "only an owner may do this, while in the room",
        ("iq", "not-allowed") => "such a room has no admins, and everybody in it may speak",
        ("iq", "conflict") => "nobody can do this to himself",
        (_, "resource-constraint") => "this was too much at once: try again in a moment",
        _ => return None,
    })
}
