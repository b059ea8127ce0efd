//! Whether a stanza is pubshim's own business.

use crate::ns;
use crate::xml::Element;

/// How ids of pubshim's requests begin.
const OWN_ID: &str = "ps-";
/// How the nodes begin on which it keeps what is for itself alone.
const OWN_NODE: &str = "urn:pubshim:";
/// What tells of a stanza whether it is pubshim's own business.
#[derive(Clone, Copy, Default)]
pub(super) struct Nature {
    /// It has an id of pubshim's.
    pub(super) is_own: bool,
    /// It changes something.
    pub(super) is_set: bool,
    /// It publishes a stanza of the client's.
    pub(super) has_stanza: bool,
    /// It is about a node that is for pubshim alone.
    pub(super) is_private: bool,
}

impl Nature {
    pub(super) fn of(stanza: &Element<'_>) -> Self {
        let has = |name, value| stanza.attribute(name).as_deref() == Some(value);
        let id = stanza.attribute("id");
        let inside = stanza
            .children()
            .find(|it| matches!(it.local(), "pubsub" | "event"));
        let action = inside.as_ref().and_then(|it| it.children().next());
        let node = action.as_ref().and_then(|it| it.attribute("node"));
        let item = action.as_ref().and_then(|it| it.children().next());
        let payload = item.as_ref().and_then(|it| it.children().next());
        Self {
            is_own: stanza.local() == "iq" && id.is_some_and(|id| id.starts_with(OWN_ID)),
            is_set: has("type", "set"),
            has_stanza: payload.is_some_and(|it| it.namespace() == ns::CLIENT),
            is_private: node.is_some_and(|node| node.starts_with(OWN_NODE)),
        }
    }
}
