//! When a message was written, by its author's shim and by servers (XEP-0203).

use crate::jid;
use crate::ns;
use crate::translate::shown::unix_of;
use crate::xml::Element;

/// The `<delay/>` that the author's shim has appended to a message.
#[derive(Clone, Copy)]
pub(super) struct Written {
    /// The place of the `<delay/>`.
    place: *const u8,
    /// The time by the author's clock, in seconds since 1970.
    pub(super) at: Option<i64>,
}

impl Written {
    /// Finds the last `<delay/>` of the author, `account`.
    pub(super) fn of(message: &Element<'_>, account: &str) -> Option<Self> {
        let delays = message.children().filter(|it| it.is(ns::DELAY, "delay"));
        let last = delays.filter(|it| is_said_by(it, account)).last()?;
        Some(Self {
            place: last.raw().as_ptr(),
            at: last.attribute("stamp").and_then(|it| unix_of(&it)),
        })
    }

    /// Whether `child` is this `<delay/>`.
    pub(super) fn is(self, child: &Element<'_>) -> bool {
        child.raw().as_ptr() == self.place
    }
}

/// Whether `child` is a `<delay/>`.
pub(super) fn is_delay(child: &Element<'_>) -> bool {
    matches!(&*child.namespace(), ns::DELAY | ns::DELAY_0)
}

/// Whether `child` claims no other source than `account`.
pub(super) fn is_said_by(child: &Element<'_>, account: &str) -> bool {
    let from = child.attribute("from");
    from.is_none_or(|from| jid::bare(&from) == account)
}

/// Whether a server has stored a message before delivering it.
pub(super) fn is_delayed(message: &Element<'_>) -> bool {
    message.children().any(|it| is_delay(&it))
}
