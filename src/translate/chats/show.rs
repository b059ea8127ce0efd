//! Shows the client a message from a node, without children that only a server may add.

use bytes::BytesMut;

use super::delay::{Written, is_delay, is_said_by};
use crate::jid;
use crate::ns;
use crate::translate::Cx;
use crate::wire::Leg;
use crate::xml::{Element, escape, rewrite_standalone};

/// Shows a message. `hidden`: the author's `<delay/>` to be left out, as the message is new.
pub(super) fn show(
    message: &Element<'_>,
    from: &str,
    kind: &str,
    hidden: Option<Written>,
    cx: &mut Cx<'_>,
) {
    let to = cx.account.jid();
    let changes = [("from", Some(from)), ("to", Some(to)), ("type", Some(kind))];
    let account = jid::bare(from);
    let may_stay = |child: &Element<'_>| match is_delay(child) {
        true => is_said_by(child, account) && !hidden.is_some_and(|it| it.is(child)),
        false => !is_of_server(child),
    };
    cx.wire.stanza(Leg::Client, |out| {
        rewrite_standalone(out, message, &changes, may_stay, "");
    });
}

/// Shows a copy of a message that another resource of the account has sent or received (XEP-0280).
pub(super) fn show_copy(word: &str, message: &Element<'_>, from: &str, to: &str, cx: &mut Cx<'_>) {
    let mut inside = BytesMut::new();
    let changes = [("from", Some(from)), ("to", Some(to))];
    let written = Written::of(message, jid::bare(from));
    let may_stay =
        |child: &Element<'_>| !is_of_server(child) && !written.is_some_and(|it| it.is(child));
    rewrite_standalone(&mut inside, message, &changes, may_stay, "");
    let (own, client) = (escape(cx.account.bare()), escape(cx.account.jid()));
    let (copies, forward) = (ns::CARBONS, ns::FORWARD);
    let start = format!(
        "<message from='{own}' to='{client}' type='chat'><{word} xmlns='{copies}'><forwarded xmlns='{forward}'>"
    );
    let end = format!("</forwarded></{word}></message>");
    cx.wire.stanza(Leg::Client, |out| {
        out.extend_from_slice(start.as_bytes());
        out.extend_from_slice(&inside);
        out.extend_from_slice(end.as_bytes());
    });
}

/// Whether only a server may add this child: ids, copies, archived messages, words of a room.
fn is_of_server(child: &Element<'_>) -> bool {
    let namespace = child.namespace();
    let is_room = namespace == ns::MUC_USER && child.child(ns::MUC_USER, "invite").is_none();
    matches!(
        &*namespace,
        ns::CARBONS | ns::MAM | ns::MUC | ns::OCCUPANT_ID | ns::SHIM
    ) || is_room
        || child.is(ns::SID, "stanza-id")
}
