//! The markers by which shims know of each other in native presence, and of what is passed on in a room; none reaches a
//! client.

use super::{Verdict, Wire, rules};
use crate::ns;
use crate::wire::Leg;
use crate::xml::{Element, rewrite};

/// What a marker says of the shim that has put it into a presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// It translates one-to-one messages now.
    pub(super) takes_chats: bool,
}

impl Marker {
    /// The marker of a presence, if it carries one.
    pub(super) fn of(presence: &Element<'_>) -> Option<Self> {
        if !presence.mentions(ns::SHIM) {
            return None;
        }
        let marker = presence.child(ns::SHIM, "shim")?;
        Some(Self {
            takes_chats: marker.attribute("chat").as_deref() == Some("1"),
        })
    }

    /// As it stands in a presence of ours.
    pub(super) fn as_str(self) -> &'static str {
        match self.takes_chats {
            true => "<shim xmlns='urn:pubshim:0' chat='1'/>",
            false => "<shim xmlns='urn:pubshim:0'/>",
        }
    }
}

/// Whether a message says that it is passed on in a room: a private one, an invitation, or what declines one.
pub(super) fn is_of_a_room(message: &Element<'_>) -> bool {
    if !message.mentions(ns::SHIM) {
        return false;
    }
    let marks: &[&str] = match message.attribute("type").as_deref() {
        Some("groupchat") => &["pm"],
        None | Some("normal") => &["invite", "decline"],
        _ => return false,
    };
    let has = |mark: &&str| message.child(ns::SHIM, mark).is_some();
    marks.iter().any(has)
}

/// Whether a presence carries the marker.
pub(super) fn is_marked(presence: &Element<'_>) -> bool {
    Marker::of(presence).is_some()
}

/// Shows the client a presence without the marker, if it has one.
pub(super) fn pass_unmarked(presence: &Element<'_>, wire: &mut Wire) -> Verdict {
    if !is_marked(presence) {
        return Verdict::Pass;
    }
    wire.apply(&rules::MARKER);
    wire.stanza(Leg::Client, |out| {
        rewrite(out, presence, &[], |child| !child.is(ns::SHIM, "shim"), "");
    });
    Verdict::Taken
}
