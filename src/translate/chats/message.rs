//! Messages of the client's to be published, or waiting.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::ns;
use crate::translate::Cx;
use crate::translate::held::{Held, read_standalone};
use crate::translate::shown::delay;
use crate::wire::{NO_ANSWER, Refused};
use crate::xml::{Element, rewrite_standalone};

/// Prefix of the item id of a bare chat state: each state replaces the one before.
pub(super) const STATE: &str = "state/";

/// A message of the client's to the peer that was not sent yet.
pub(super) enum Outgoing {
    Item(Message),
    /// A native message, as it came.
    Native(Held),
}

/// A message to be published.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(super) item: Arc<str>,
    pub(super) payload: Bytes,
    /// The addressee as the client wrote it, if the message names another one: an occupant of a room.
    pub(super) occupant: Option<Box<str>>,
}

impl Message {
    pub(super) fn of(message: &Element<'_>, item: Arc<str>, cx: &Cx<'_>) -> Self {
        let delay = delay(cx.wire.unix_time());
        let kind = message.attribute("type");
        let changes = [
            ("from", Some(cx.account.jid())),
            ("type", Some(kind.as_deref().unwrap_or("normal"))),
        ];
        let mut payload = BytesMut::with_capacity(message.raw().len() + 256);
        rewrite_standalone(&mut payload, message, &changes, |_| true, &delay);
        Self {
            item,
            payload: payload.freeze(),
            occupant: None,
        }
    }

    /// Whether the message is a bare chat state.
    pub(super) fn is_state(&self) -> bool {
        self.item.starts_with(STATE)
    }

    /// Gives the message to `read`.
    pub(super) fn read<R>(&self, read: impl FnOnce(&Element<'_>) -> R) -> Option<R> {
        read_standalone(&self.payload, read)
    }

    /// The addressee, as the client has written it, and the id.
    pub(super) fn address(&self) -> (Box<str>, Option<Box<str>>) {
        let address = self.read(|message| {
            let [to, id] = ["to", "id"].map(|name| message.attribute(name).map(|it| (*it).into()));
            (self.occupant.clone().or(to).unwrap_or_default(), id)
        });
        address.unwrap_or_default()
    }
}

impl Outgoing {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Item(message) => message.payload.len(),
            Self::Native(held) => held.raw.len(),
        }
    }

    /// Tells the client that the message was not sent.
    pub(super) fn give_back(self, cx: &mut Cx<'_>) {
        match self {
            Self::Item(message) => show_unsent(&message, Refused::NoAnswer, cx),
            Self::Native(held) => {
                held.read(|it| cx.wire.refuse(it, NO_ANSWER));
            }
        }
    }
}

/// Whether a message has content to be read later, too, and may be kept and copied (XEP-0280, XEP-0334).
pub(super) fn is_worth_keeping(message: &Element<'_>) -> bool {
    let mut is_worth = false;
    for child in message.children() {
        match (&*child.namespace(), child.local()) {
            (ns::HINTS, "no-store" | "no-permanent-store" | "no-copy") => return false,
            (ns::CARBONS, "private") => return false,
            (ns::HINTS, "store") | (_, "body" | "encrypted" | "openpgp") => is_worth = true,
            (ns::ENCRYPTED, _) => is_worth = true,
            _ => {}
        }
    }
    is_worth
}

/// Tells the client that a message may not have been published. A bare chat state gets no error.
pub(super) fn show_unsent(message: &Message, refused: Refused<'_>, cx: &mut Cx<'_>) {
    if message.is_state() {
        return;
    }
    let (to, id) = message.address();
    show_unsent_to(&to, id.as_deref(), refused, cx);
}

/// As [`show_unsent`], for a message of this address and id.
pub(super) fn show_unsent_to(to: &str, id: Option<&str>, refused: Refused<'_>, cx: &mut Cx<'_>) {
    let own = cx.account.jid();
    cx.wire.show_unsent(to, own, id, "", refused.condition());
}
