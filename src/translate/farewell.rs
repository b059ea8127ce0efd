//! Whoever is taken out of our node must not keep the client as available.
//!
//! When the user blocks, removes or refuses a contact, the server tells that contact `unavailable` natively. An
//! event that reaches its shim after that shows the client again, and nobody tells of the logout any more: a
//! ghost. So `unavailable` is published while the contact is still subscribed, then its subscription is ended,
//! and once it is out what the client said last is published anew.
//!
//! Everybody else sees the client go and come back. So it is done only where the contact may have got an event
//! after the server's word, or where the server says nothing, since no native subscription ends.

use super::Wire;
use super::handshake::Half;
use super::translator::Translator;
use crate::jid;

/// When the server tells somebody who is taken out that the client is unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// After all that was published: this client has asked for it, and since then publishes are held.
    Last,
    /// Some time before its push came: another client has asked for it.
    BeforePush,
    /// Never: its subscription is pubsub's alone.
    Never,
}

impl Translator {
    /// Ends what `account` sees of our node, after it has seen the client go.
    pub(super) fn take_out(&mut self, account: &str, told: Told, wire: &mut Wire) {
        self.say_farewell(account, told, wire);
        self.revoke(account, wire);
    }

    /// Publishes `unavailable` if `whom` (an account, or a whole domain) may keep the client as available.
    ///
    /// Under `pure` there is no need: its service tells a shim that its subscription has ended, and with it ends
    /// what the shim shows.
    pub(super) fn say_farewell(&mut self, whom: &str, told: Told, wire: &mut Wire) {
        let is_left = match told {
            Told::Last => false,
            // What was answered before the push came was published before what the push tells of.
            Told::BeforePush => self.presence.is_publishing(),
            Told::Never => true,
        };
        if is_left && !self.is_pure() && self.is_delivered_to(whom, wire) {
            self.presence.take_back(wire);
        }
    }

    /// What the server tells `account`, whom the user blocks or refuses; `is_own`: by this very client.
    pub(super) fn told(&self, account: &str, is_own: bool) -> Told {
        match (self.contacts.relation(account).from, is_own) {
            (Half::Yes, true) => Told::Last,
            (Half::Yes, false) => Told::BeforePush,
            _ => Told::Never,
        }
    }

    /// Whether `whom` (an account, or a whole domain) may get what is published. Who is just being taken out was
    /// told before.
    fn is_delivered_to(&self, whom: &str, wire: &Wire) -> bool {
        let is_recorded = |account: &str| {
            !self.revocations.concerns(account) && !self.contacts.jids_of(account).is_empty()
        };
        is_recorded(whom)
            || self
                .contacts
                .of_domain(whom)
                .iter()
                .any(|it| is_recorded(it))
            || self.approvals.lets_in(
                |account| account == whom || jid::domain(account) == whom,
                wire,
            )
    }
}
