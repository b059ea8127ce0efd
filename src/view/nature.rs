//! Tells pubshim's own stanzas from the client's.

use crate::ns;
use crate::wire::is_own_id;
use crate::xml::Element;

/// Prefix of the nodes that only pubshim uses.
const OWN_NODE: &str = "urn:pubshim:";

/// Signs that a stanza is pubshim's own business.
#[derive(Clone, Copy, Default)]
pub(super) struct Nature {
    /// An IQ with an id of pubshim's.
    pub(super) is_own: bool,
    /// A request that changes something.
    pub(super) is_set: bool,
    /// Publishes a stanza of the client's, or brings one.
    pub(super) has_stanza: bool,
    /// Concerns a node that only pubshim uses.
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
            is_own: stanza.local() == "iq" && id.is_some_and(|id| is_own_id(&id)),
            is_set: has("type", "set"),
            has_stanza: payload.is_some_and(|it| it.namespace() == ns::CLIENT),
            is_private: node.is_some_and(|node| node.starts_with(OWN_NODE)),
        }
    }
}
