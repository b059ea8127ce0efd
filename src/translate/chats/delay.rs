//! When a message was written: what its author's shim says of that, and what others say (XEP-0203).

use crate::jid;
use crate::ns;
use crate::translate::shown::unix_of;
use crate::xml::Element;

/// The time that the shim of its author has put into a message, behind all that the client has said.
#[derive(Clone, Copy)]
pub(super) struct Written {
    /// Where it stands.
    place: *const u8,
    /// By the author's clock, in seconds since 1970.
    pub(super) at: Option<i64>,
}

impl Written {
    /// `account`: the author.
    pub(super) fn of(message: &Element<'_>, account: &str) -> Option<Self> {
        let delays = message.children().filter(|it| it.is(ns::DELAY, "delay"));
        let last = delays.filter(|it| is_said_by(it, account)).last()?;
        Some(Self {
            place: last.raw().as_ptr(),
            at: last.attribute("stamp").and_then(|it| unix_of(&it)),
        })
    }

    /// Whether this is where it stands.
    pub(super) fn is(self, child: &Element<'_>) -> bool {
        child.raw().as_ptr() == self.place
    }
}

/// Whether it says when a message was said.
pub(super) fn is_delay(child: &Element<'_>) -> bool {
    matches!(&*child.namespace(), ns::DELAY | ns::DELAY_0)
}

/// Whether it is said in the name of nobody but `account`.
pub(super) fn is_said_by(child: &Element<'_>, account: &str) -> bool {
    let from = child.attribute("from");
    from.is_none_or(|from| jid::bare(&from) == account)
}

/// Whether a message was kept before it was delivered.
pub(super) fn is_delayed(message: &Element<'_>) -> bool {
    message.children().any(|it| is_delay(&it))
}
