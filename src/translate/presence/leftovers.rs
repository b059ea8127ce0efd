//! Leftovers: items of resources that are gone. They are found at login, judged by a ping, and retracted.
//!
//! A resource that crashed leaves its item as if it were still there, unless the server purges it. Only a ping,
//! answered by a shim or a client, tells whether a resource is there.

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

/// Resources of one account; servers allow about ten.
const MOST_SUSPECTS: usize = 32;

/// The search of one session, made once.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    asked: bool,
    /// Resources of the account whose native presence has no marker: they have no shim any more, so their items are
    /// old.
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

    /// Asks for the items on the own node, once.
    pub(super) fn search(&mut self, cx: &mut Cx<'_>) {
        if !self.asked {
            self.asked = cx.wire.request("get", None, Ask::OwnItems, |out| {
                request::items(out, PRESENCE);
            });
        }
    }

    /// Pings each other resource that has an item; the item's id is the resource.
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

    /// Retracts the item of a resource, if the answer to its ping says that it is gone.
    pub(super) fn handle_pong(&self, resource: &str, reply: Reply<'_>, cx: &mut Cx<'_>) {
        if is_gone(reply) || self.unmarked.contains(resource) {
            cx.wire.apply(&rules::LEFTOVER);
            cx.wire
                .tell("set", None, |out| request::retract(out, PRESENCE, resource));
        }
    }
}

/// Whether a shim has published the item: a presence from the resource that its id names.
fn names_resource(item: &Element<'_>, full: &str) -> bool {
    item.child(ns::CLIENT, "presence")
        .is_some_and(|presence| presence.attribute("from").as_deref() == Some(full))
}

/// Writes a shim's ping (XEP-0199), with an element of ours, so that the addressee's shim answers in its client's
/// place.
pub(super) fn write_ping(out: &mut BytesMut) {
    let _ = write!(
        out,
        "<ping xmlns='{}'><shim xmlns='{}'/></ping>",
        ns::PING,
        ns::SHIM
    );
}

/// Whether `iq` is a shim's ping to this very resource. All other pings are the client's.
pub(super) fn is_ping_of_shim(iq: &Element<'_>, cx: &Cx<'_>) -> bool {
    let is_of_shim = |ping: Element<'_>| ping.child(ns::SHIM, "shim").is_some();
    iq.attribute("type").as_deref() == Some("get")
        && iq.child(ns::PING, "ping").is_some_and(is_of_shim)
        && iq.attribute("to").is_some_and(|to| to == cx.account.jid())
        && iq
            .attribute("from")
            .is_some_and(|from| jid::resource(&from).is_some())
}
