//! Markers: shims know each other by them in native presence, and mark messages passed on in a room. No client sees a
//! marker.

use super::{Verdict, Wire, rules};
use crate::ns;
use crate::wire::Leg;
use crate::xml::{Element, rewrite};

/// The capabilities of a shim, by the marker in its presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// The shim translates one-to-one messages now.
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

    /// The marker as it is written into a presence.
    pub(super) fn as_str(self) -> &'static str {
        match self.takes_chats {
            true => "<shim xmlns='urn:pubshim:0' chat='1'/>",
            false => "<shim xmlns='urn:pubshim:0'/>",
        }
    }
}

/// Whether a message is marked as passed on in a room: a private message, an invitation or its refusal.
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

/// Shows the client a presence without its marker; a presence without one passes.
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
