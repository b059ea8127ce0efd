//! A room's JID, and the nodes that stand for it.

use crate::jid;

/// Suffix of the node that holds a room's occupants, behind the room's name.
pub(super) const OCCUPANTS: &str = "#occupants";
/// Longest name of a room, in bytes of the file name in which Prosody keeps the node: all bytes but ASCII letters and
/// digits count three times. With `#occupants` behind it the file name stays below 255 bytes.
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

/// A nick as servers write a resource (resourceprep), so that two spellings of one nick are equal; `None`: no valid
/// resource.
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
