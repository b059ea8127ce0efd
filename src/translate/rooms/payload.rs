//! Telling messages to or of a room apart by their children.

use super::occupants::is_of_room;
use crate::ns;
use crate::xml::Element;

/// Whether a message holds nothing that is worth an item: at most a chat state (XEP-0085 §5.5 leaves them out in
/// rooms).
pub(super) fn is_empty(message: &Element<'_>) -> bool {
    let mut children = message.children();
    children.all(|child| is_idle(&child) || is_for_room_to_say(&child))
}

/// Whether a child of a message says nothing on its own: a chat state, or an element that accompanies others.
pub(super) fn is_idle(child: &Element<'_>) -> bool {
    matches!(&*child.namespace(), ns::CHAT_STATES | ns::HINTS)
        || child.local() == "thread"
        || child.is(ns::SID, "origin-id")
}

/// Whether a message sets the subject: clients send it alone, or with an empty body. With a thread it is a message
/// (XEP-0045 §8.1).
pub(super) fn is_subject(message: &Element<'_>) -> bool {
    let body = message.child(ns::CLIENT, "body");
    message.child(ns::CLIENT, "subject").is_some()
        && message.child(ns::CLIENT, "thread").is_none()
        && body.is_none_or(|body| body.inner().is_empty())
}

/// Whether only a room may add this child: it is neither published nor read.
pub(super) fn is_for_room_to_say(child: &Element<'_>) -> bool {
    is_of_room(child) || child.namespace() == ns::DELAY
}

/// Whether a child of a message may be shown: elements that only a room may add, and `room`'s stanza id, may not.
pub(super) fn may_stay(child: &Element<'_>, room: &str) -> bool {
    let is_id = || child.is(ns::SID, "stanza-id") && child.attribute("by").as_deref() == Some(room);
    !is_of_room(child) && !is_id()
}
