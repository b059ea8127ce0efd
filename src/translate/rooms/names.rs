//! A room's JID, and the nodes that stand for it.

use crate::jid;

/// What the node that says who is in a room is called, behind the room's own name.
pub(super) const OCCUPANTS: &str = "#occupants";
/// A room's name may be so long, as Prosody writes it into a file name: every byte but ASCII letters and digits
/// counts three times. With `#occupants` behind it that stays below what a file name may have.
const MOST_NAME: usize = 220;

/// The node of the room with this bare JID, which is prepared; `None`: it cannot be a room.
pub(super) fn node_of(bare: &str) -> Option<&str> {
    let name = jid::local(bare)?;
    let encoded: usize = name
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { 1 } else { 3 })
        .sum();
    (encoded <= MOST_NAME && !name.ends_with(OCCUPANTS)).then_some(name)
}

/// The bare JID of the room whose node this is, if a client could join it.
pub(super) fn room_of(service: &str, node: &str) -> Option<String> {
    let bare = format!("{node}@{service}");
    let is_one = jid::prepare(&bare).as_deref() == Some(&bare) && node_of(&bare) == Some(node);
    is_one.then_some(bare)
}

/// A nick as servers write a resource (resourceprep), so that two that look alike are one; `None`: no client takes it.
pub(super) fn nick_of(resource: &str) -> Option<Box<str>> {
    let prepared = ::jid::ResourcePart::new(resource).ok()?;
    Some(prepared.as_str().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_what_both_servers_can_keep() {
        let long = "x".repeat(220);
        for (bare, node) in [
            ("characters@chat.shakespeare.lit", Some("characters")),
            ("chat.shakespeare.lit", None),
            ("characters#occupants@chat.shakespeare.lit", None),
            (&*format!("{long}@chat.lit"), Some(&*long)),
            (&*format!("{long}x@chat.lit"), None),
            (&*format!("{}@chat.lit", "é".repeat(37)), None),
        ] {
            assert_eq!(node_of(bare), node, "{bare}");
        }
        assert_eq!(
            room_of("chat.lit", "Cave"),
            None,
            "a client would ask for cave"
        );
        assert_eq!(
            room_of("chat.lit", "cave").as_deref(),
            Some("cave@chat.lit")
        );
    }
}
