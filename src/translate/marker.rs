//! The marker by which shims know of each other in native presence; it never reaches a client.

use super::{Verdict, Wire, rules};
use crate::ns;
use crate::wire::Leg;
use crate::xml::{Element, rewrite};

fn is_marker(child: &Element<'_>) -> bool {
    child.is(ns::SHIM, "shim")
}

/// Whether a presence carries the marker.
pub(super) fn is_marked(presence: &Element<'_>) -> bool {
    presence.mentions(ns::SHIM) && presence.children().any(|child| is_marker(&child))
}

/// Shows the client a presence without the marker, if it has one.
pub(super) fn pass_unmarked(presence: &Element<'_>, wire: &mut Wire) -> Verdict {
    if !is_marked(presence) {
        return Verdict::Pass;
    }
    wire.apply(&rules::MARKER);
    wire.stanza(Leg::Client, |out| {
        rewrite(out, presence, &[], |child| !is_marker(child), "");
    });
    Verdict::Taken
}
