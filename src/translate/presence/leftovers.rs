//! Items of resources that are gone: found at login, judged by a ping, taken away.
//!
//! A resource that crashed leaves its item on the node as if it were still there, where the server does
//! not purge it. Whether a resource is there, only a ping tells: one that a shim or a client answers.

use std::collections::HashSet;
use std::fmt::Write as _;

use bytes::BytesMut;

use super::Ask;
use crate::jid;
use crate::ns;
use crate::pubsub::{PRESENCE, answer, request};
use crate::translate::{Cx, rules};
use crate::wire::{Reply, is_gone};
use crate::xml::Element;

/// No account has more resources than this; servers allow about ten.
const MOST_SUSPECTS: usize = 32;

/// The search of one session, made once.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    asked: bool,
    /// Resources of the account whose native presence has no marker: whatever they left as items, they have
    /// no shim any more.
    unmarked: HashSet<Box<str>>,
}

impl Leftovers {
    /// Notes a native presence of another resource of the account.
    pub(super) fn note_native(&mut self, resource: &str, is_marked: bool) {
        if is_marked {
            self.unmarked.remove(resource);
        } else if self.unmarked.len() < MOST_SUSPECTS {
            self.unmarked.insert(resource.into());
        }
    }

    /// Asks for the items on the own node, unless that was done.
    pub(super) fn search(&mut self, cx: &mut Cx<'_>) {
        if !self.asked {
            self.asked = cx.wire.request("get", None, Ask::OwnItems, |out| {
                request::items(out, PRESENCE);
            });
        }
    }

    /// Pings each other resource that has an item, which is named by it.
    pub(super) fn handle_items(&self, iq: &Element<'_>, cx: &mut Cx<'_>) {
        let own = cx.account.jid().to_owned();
        answer::with_items(iq, |items| {
            for item in items.children().take(MOST_SUSPECTS) {
                let Some(id) = item.attribute("id") else {
                    continue;
                };
                let full = format!("{}/{id}", jid::bare(&own));
                if full != own && names_resource(&item, &full) {
                    let ping = Ask::Ping((*id).into());
                    cx.wire.request("get", Some(&full), ping, write_ping);
                }
            }
        });
    }

    /// Takes the item of a resource away if the answer to its ping says that it is gone.
    pub(super) fn handle_pong(&self, resource: &str, reply: Reply<'_>, cx: &mut Cx<'_>) {
        if is_gone(reply) || self.unmarked.contains(resource) {
            cx.wire.apply(&rules::LEFTOVER);
            cx.wire
                .tell("set", None, |out| request::retract(out, PRESENCE, resource));
        }
    }
}

/// Whether the item is one of a shim: a presence from the resource it is named by.
fn names_resource(item: &Element<'_>, full: &str) -> bool {
    item.child(ns::CLIENT, "presence")
        .is_some_and(|presence| presence.attribute("from").as_deref() == Some(full))
}

/// Writes a shim's ping (XEP-0199): with an element of ours, so that the shim of whom it asks about answers
/// in its client's place.
pub(super) fn write_ping(out: &mut BytesMut) {
    let _ = write!(
        out,
        "<ping xmlns='{}'><shim xmlns='{}'/></ping>",
        ns::PING,
        ns::SHIM
    );
}

/// Whether `iq` is such a ping, and asks about this very resource. Everybody else's are the client's.
pub(super) fn is_ping_of_shim(iq: &Element<'_>, cx: &Cx<'_>) -> bool {
    let is_of_shim = |ping: Element<'_>| ping.child(ns::SHIM, "shim").is_some();
    iq.attribute("type").as_deref() == Some("get")
        && iq.child(ns::PING, "ping").is_some_and(is_of_shim)
        && iq.attribute("to").is_some_and(|to| to == cx.account.jid())
        && iq
            .attribute("from")
            .is_some_and(|from| jid::resource(&from).is_some())
}
