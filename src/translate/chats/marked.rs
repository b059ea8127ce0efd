//! Items that another shim has marked as a room's (`pure`), to be handled by `rooms`.

use super::Chats;
use super::delay::Written;
use super::item::{Source, full_of};
use crate::jid;
use crate::translate::held::Held;
use crate::translate::{Cx, Kind};
use crate::wire::Dropped;
use crate::xml::Element;

/// An item that another shim has marked as a room's.
pub(in crate::translate) struct Marked {
    /// The publisher's full JID.
    pub(in crate::translate) author: Box<str>,
    pub(in crate::translate) message: Held,
}

impl Chats {
    /// Takes out the next item for `rooms`.
    pub(in crate::translate) fn take_marked(&mut self) -> Option<Marked> {
        self.marked.pop_front()
    }

    pub(super) fn note_marked(&mut self, author: &str, message: &Element<'_>) {
        self.marked.push_back(Marked {
            author: author.into(),
            message: Held::new(Kind::Message, message),
        });
    }

    /// Notes an occupant's private message: for one resource, as long as that is in the room, and not on record.
    pub(super) fn note_private(
        &mut self,
        source: Source<'_>,
        id: &str,
        author: &str,
        message: &Element<'_>,
        cx: &Cx<'_>,
    ) -> Result<(), Dropped> {
        let account = jid::prepared(jid::bare(author));
        let pair = self.pairs.get_mut(source.peer);
        let pair = pair.ok_or(Dropped::NotSubscribed)?;
        let at = Written::of(message, &account).and_then(|it| it.at);
        let is_now = source.is_live || pair.came_meanwhile(source.place, id);
        if !pair.is_new(id) || *account == *cx.account.bare() {
            return Err(Dropped::Seen);
        }
        if !is_now && at.is_none_or(|at| at < self.available_since) {
            return Err(Dropped::Delayed);
        }
        if cx.account.people.is_blocked(&account) {
            return Err(Dropped::NotSubscribed);
        }
        self.note_marked(&full_of(author, &account, message), message);
        Ok(())
    }
}
