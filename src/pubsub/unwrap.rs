//! The border between a publisher's payload and the client: an item holds one stanza, and children of it that only a
//! server or a room may vouch for are taken out.

use bytes::BytesMut;

use crate::jid;
use crate::ns;
use crate::xml::{Element, rewrite_standalone};

/// The stanza called `name` in an item, if the item holds nothing else.
pub(crate) fn payload<'a>(item: &'a Element<'a>, name: &str) -> Option<Element<'a>> {
    let mut payloads = item.children();
    let payload = payloads.next().filter(|_| payloads.next().is_none())?;
    payload.is(ns::CLIENT, name).then_some(payload)
}

/// Writes a payload of `account` as the classic presence it stands for, addressed to the own full JID `to`.
pub(crate) fn write_presence(out: &mut BytesMut, presence: &Element<'_>, account: &str, to: &str) {
    let own = jid::bare(to);
    let may_stay = |child: &Element<'_>| match (&*child.namespace(), child.local()) {
        // Only a room may say who is an occupant.
        (ns::MUC | ns::MUC_USER, _) | (ns::SHIM, _) => false,
        // Only the author may say when he wrote it.
        (ns::DELAY | ns::DELAY_0, _) => child
            .attribute("from")
            .is_none_or(|from| jid::bare(&from) == account),
        (ns::SID, "stanza-id") => child.attribute("by").is_none_or(|by| {
            // The client may prepare the address, so it is compared prepared.
            let by = jid::prepared(&by);
            by != own && by != jid::domain(own) && by != to
        }),
        _ => true,
    };
    rewrite_standalone(out, presence, &[("to", Some(to))], may_stay, "");
}
