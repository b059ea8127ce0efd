//! Catching up once in a session, after the client became available: contacts are looked at, members compared with
//! them.

use std::time::Duration;

use super::{Book, Contacts};
use crate::translate::Cx;

/// The pause after the first publish before contacts are looked at under `auto`: by then the server's probes have told
/// most of their states.
const PROBES: Duration = Duration::from_secs(3);

/// The stage of catching up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum CatchUp {
    /// The client is not available yet.
    #[default]
    Waiting,
    /// Catching up begins at this time.
    At(Duration),
    /// Catching up waits for the contacts.
    NeedsContacts,
}

impl Contacts {
    /// When catching up begins, if that is known.
    pub(super) fn catch_up_at(&self) -> Option<Duration> {
        match self.catch_up {
            CatchUp::At(at) => Some(at),
            _ => None,
        }
    }

    /// Looks at the contacts, once they are known and a presence was published.
    pub(super) fn look_at_contacts(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        if cx.account.is_caught_up {
            return;
        }
        if self.catch_up == CatchUp::Waiting && cx.account.status.was_published {
            let pause = match self.book {
                Book::Native => PROBES,
                Book::Pubsub(_) => Duration::ZERO,
            };
            self.catch_up = CatchUp::At(now + pause);
        }
        if matches!(self.catch_up, CatchUp::At(at) if at <= now) {
            self.catch_up = CatchUp::NeedsContacts;
        }
        let is_complete = match self.book {
            Book::Native => self.gate.is_compared(),
            Book::Pubsub(_) => {
                cx.account.people.is_known()
                    && self.members.is_listed()
                    && cx.account.status.is_available
            }
        };
        if self.catch_up != CatchUp::NeedsContacts || !is_complete {
            return;
        }
        cx.account.is_caught_up = true;
        if let Book::Pubsub(_) = self.book {
            self.members.want_missing(&cx.account.people);
            for account in self.members.strangers(cx.account) {
                self.members.doubt(&account, now);
            }
        }
        for account in cx.account.people.marked() {
            self.follow_marker(&account, cx);
        }
    }
}
