//! The border between what somebody has published and what a client is shown: what only a server may say is
//! taken out.

use bytes::BytesMut;

use crate::jid;
use crate::ns;
use crate::xml::{Element, rewrite_standalone};

/// Writes a payload of `account` as the classic presence it stands for, to `to`, the own full JID.
pub(crate) fn write_presence(out: &mut BytesMut, presence: &Element<'_>, account: &str, to: &str) {
    let own = jid::bare(to);
    let may_stay = |child: &Element<'_>| match (&*child.namespace(), child.local()) {
        // Only a room may say who is an occupant.
        (ns::MUC | ns::MUC_USER, _) | (ns::SHIM, _) => false,
        // Only the author may say when it was said.
        (ns::DELAY | ns::DELAY_0, _) => child
            .attribute("from")
            .is_none_or(|from| jid::bare(&from) == account),
        (ns::SID, "stanza-id") => child.attribute("by").is_none_or(|by| {
            // However it is written: a client may prepare it.
            let by = jid::prepared(&by);
            by != own && by != jid::domain(own) && by != to
        }),
        _ => true,
    };
    rewrite_standalone(out, presence, &[("to", Some(to))], may_stay, "");
}
