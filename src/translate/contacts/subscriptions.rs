//! Subscription stanzas between the client and its contacts (listings 5–7 and 9–11).
//!
//! Under `auto` the handshake is native and pubsub follows it silently; under `pure` there is nothing but
//! pubsub, and the handshake is made of it.

use std::fmt::Write as _;

use super::follow::Outcome;
use super::members::set_subscription;
use super::{Book, Contacts};
use crate::jid;
use crate::pubsub::Event;
use crate::translate::account::Goodbye;
use crate::translate::relation::{Half, Kind, Relation};
use crate::translate::{Cx, Verdict, rules};
use crate::wire::{Dropped, Leg, Refused, StanzaError};
use crate::xml::{Element, escape};

impl Contacts {
    /// Handles a subscription stanza from the client, which is always taken.
    pub(in crate::translate) fn client_subscription(
        &mut self,
        kind: Kind,
        presence: &Element<'_>,
        cx: &mut Cx<'_>,
    ) {
        let to = presence.attribute("to").unwrap_or_default();
        let account = jid::bare(&to);
        if let Book::Pubsub(_) = self.book {
            return match jid::prepare(account) {
                Some(account) => self.handle_pure_subscription(kind, &account, presence, cx),
                None => cx.wire.refuse(presence, "jid-malformed"),
            };
        }
        // The server prepares the address of the native copy itself.
        let account = jid::prepared(account);
        self.handle_said(kind, &account, cx);
        if !self.paced.send(kind, presence, &account, cx.wire) {
            cx.wire.refuse(presence, "resource-constraint");
        }
    }

    /// Does in pubsub what a native subscription stanza of the client's asks for.
    fn handle_said(&mut self, kind: Kind, account: &str, cx: &mut Cx<'_>) {
        let relation = cx.account.people.relation(account);
        match kind {
            // The shim subscribes once the contact's presence shows that it has a shim.
            Kind::Subscribe => {}
            Kind::Unsubscribe => self.follow.end(account, cx),
            Kind::Subscribed => {
                let is_asking = self.requests.has(account);
                if relation.from == Half::Asked || is_asking {
                    // Approve before the native stanza goes, as that makes the contact subscribe. If the request was
                    // withdrawn meanwhile, of which ejabberd tells nobody, the stanza has no effect: so the new member
                    // is doubted.
                    self.approve(account, cx);
                    self.members.doubt(account, cx.wire.now);
                }
            }
            Kind::Unsubscribed => {
                if self.requests.has(account) {
                    self.deny(account, cx);
                }
                let goodbye = self.goodbye(account, true, cx);
                self.end_approval(account, goodbye, cx);
            }
        }
        if !matches!(kind, Kind::Subscribed | Kind::Unsubscribed) {
            return;
        }
        let (was_asked, now) = (relation.from == Half::Asked, cx.wire.now);
        self.requests.note_decision(account, kind, !was_asked, now);
        if let Some(contact) = cx.account.people.known_mut(account)
            && (was_asked || kind == Kind::Unsubscribed)
        {
            // The request is answered; the roster will tell whether the contact may see us.
            contact.relation.from = Half::No;
        }
    }

    /// Lets `account` see our node. An account without native subscription is put on record.
    pub(super) fn approve(&mut self, account: &str, cx: &mut Cx<'_>) {
        self.cancel_revocation(account, cx);
        // A blocked account is let in when the block ends.
        let is_blocked = cx.account.people.blocked.blocks(account);
        let mut jids = match self.may_let_in(cx.account) && !is_blocked {
            true => {
                cx.wire.apply(&rules::APPROVE);
                self.members.let_in(account, cx.wire);
                let jids = self.answer_yes(account, cx);
                self.members.note_subscribed(&jids);
                jids
            }
            // Without the node nobody sees anything; contacts are let in when it is ready.
            false => Vec::new(),
        };
        let records_all = self.records_subscribers();
        let Some(contact) = cx.account.people.get_mut(account) else {
            return;
        };
        jids.retain(|jid| records_all || **jid != *account);
        let mut is_news = contact.add_jids(jids);
        let Book::Native = self.book else {
            return;
        };
        let is_native = contact.relation.from != Half::No;
        let is_asking = self.requests.is_asking(account);
        if is_asking && !is_native && contact.recorded.from != Half::Yes {
            contact.recorded.from = Half::Yes;
            is_news = true;
        }
        if is_news {
            self.write(account, cx);
        }
    }

    /// Puts `account`, which we have subscribed by its bare JID, on record.
    pub(super) fn record_subscriber(&mut self, account: &str, cx: &mut Cx<'_>) {
        if !self.records_subscribers() {
            return;
        }
        let contact = cx.account.people.get_mut(account);
        if contact.is_some_and(|contact| contact.add_jids([account.into()])) {
            self.write(account, cx);
        }
    }

    /// Has the contact `account` written to the record.
    pub(super) fn write(&mut self, account: &str, cx: &mut Cx<'_>) {
        self.record
            .write(account, None, &cx.account.people, cx.wire);
    }

    /// Whether every subscriber has to be on record, as the server does not list them. (Under `pure` every contact
    /// is.)
    fn records_subscribers(&self) -> bool {
        matches!(self.book, Book::Native) && !self.members.lists_subscribers
    }

    /// Stops revoking `account`, and a domain that is blocked no longer: the last decision counts.
    fn cancel_revocation(&mut self, account: &str, cx: &mut Cx<'_>) {
        if cx.account.people.blocked.blocks(account) || !self.revocations.is_open() {
            return;
        }
        self.revocations.cancel(account, cx.wire);
        self.revocations.cancel(jid::domain(account), cx.wire);
        self.hold_publishes(cx);
    }

    /// Removes an approval from the record, as the native roster backs it now.
    pub(super) fn forget_approval(&mut self, account: &str, cx: &mut Cx<'_>) {
        if let Some(contact) = cx.account.people.known_mut(account)
            && contact.recorded.from != Half::No
        {
            contact.recorded.from = Half::No;
            self.write(account, cx);
        }
    }

    /// Ends the approval of `account`, native and on record; under `auto`.
    pub(super) fn end_approval(&mut self, account: &str, goodbye: Goodbye, cx: &mut Cx<'_>) {
        self.requests.forget_answer(account);
        let contact = cx.account.people.known_mut(account);
        let was_recorded =
            contact.is_some_and(|it| std::mem::take(&mut it.recorded.from) == Half::Yes);
        self.take_out(account, goodbye, cx);
        if was_recorded {
            self.write(account, cx);
        }
    }

    /// Ends the subscription of `account` to our node. Its JIDs stay on record until that is confirmed.
    pub(super) fn revoke(&mut self, account: &str, cx: &mut Cx<'_>) {
        self.members.forget(account, cx.wire);
        self.revocations.revoke(account, cx.wire);
        self.hold_publishes(cx);
    }

    /// Handles a change of the relation with `account` in the roster; under `auto`. `is_own`: this client has asked
    /// for it.
    pub(super) fn handle_relation(
        &mut self,
        account: &str,
        before: Relation,
        is_own: bool,
        cx: &mut Cx<'_>,
    ) {
        let Some(contact) = cx.account.people.get(account) else {
            return;
        };
        let (now, is_marked) = (contact.relation, contact.is_marked);
        let gained =
            |half: fn(Relation) -> Half| half(now) == Half::Yes && half(before) != Half::Yes;
        let lost = |half: fn(Relation) -> Half| half(now) != Half::Yes && half(before) == Half::Yes;
        if gained(|relation| relation.from) {
            self.forget_approval(account, cx);
            // Another resource may have answered.
            self.requests.end_asking(account);
            if self.may_be_let_in(account, cx) && self.requests.has(account) {
                self.approve(account, cx);
            } else if cx.account.people.may_see(account) {
                self.members.want(account, is_marked, cx.wire);
            }
        }
        if lost(|relation| relation.from) {
            let goodbye = match is_own {
                true => Goodbye::AfterAll,
                false => Goodbye::BeforePush,
            };
            self.end_approval(account, goodbye, cx);
        }
        if (gained(|relation| relation.to) || gained(|relation| relation.from)) && is_marked {
            self.follow(account, cx);
        }
        if lost(|relation| relation.to) {
            self.follow.end(account, cx);
            cx.account.people.changed.push(account);
        }
    }

    /// Subscribes to the node of a contact, if we are to be.
    pub(super) fn follow(&mut self, account: &str, cx: &mut Cx<'_>) {
        if self.book.follows(cx.account, account) {
            self.follow.want(account, cx.wire.now);
        }
    }

    /// Subscribes to the nodes of all contacts that have a shim, if we are to be.
    pub(super) fn follow_marked(&mut self, cx: &mut Cx<'_>) {
        if let Book::Native = self.book {
            for account in cx.account.people.marked() {
                self.follow(&account, cx);
            }
        }
    }

    /// Notes a directed presence of the client's, which passes: its addressee may know that the client is there.
    pub(in crate::translate) fn note_directed(
        &mut self,
        to: &str,
        kind: Option<&str>,
        cx: &mut Cx<'_>,
    ) {
        if !matches!(kind, None | Some("unavailable")) {
            return;
        }
        let account = &*jid::prepared(jid::bare(to));
        cx.account.people.note_directed(account, kind.is_none());
        self.follow(account, cx);
    }

    /// Handles the marker in a native presence: its sender has a shim.
    pub(super) fn follow_marker(&mut self, account: &str, cx: &mut Cx<'_>) {
        self.follow(account, cx);
        if self.members.is_compared && self.may_be_let_in(account, cx) {
            self.members.want(account, true, cx.wire);
        }
    }

    /// Handles a native subscription stanza from the server; `true`: the client does not see it.
    pub(super) fn handle_server_subscription(
        &mut self,
        kind: Kind,
        presence: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> bool {
        let from = presence.attribute("from").unwrap_or_default();
        let account = jid::bare(&from);
        let Some(contact) = cx.account.people.stranger_mut(account) else {
            return false;
        };
        if kind == Kind::Unsubscribe {
            // The contact has withdrawn its request; a later one is new.
            self.requests.end_asking(account);
            if contact.relation.from == Half::Asked {
                contact.relation.from = Half::No;
            }
        }
        if kind != Kind::Subscribe {
            return false;
        }
        if self.requests.is_asking(account) {
            // The form came first, and the client is being asked.
            contact.relation.from = Half::Asked;
            cx.wire.apply(&rules::FORM_KNOWN);
            return true;
        }
        let Some(answer) = self.requests.take_answer(account, cx.wire.now) else {
            contact.relation.from = Half::Asked;
            return false;
        };
        cx.wire.apply(&rules::FORM_KNOWN);
        self.paced.repeat(answer, account, cx.wire);
        true
    }

    /// Handles an answer of ours about `jid` that came back, as ejabberd acts on none: the owner sets the subscription
    /// instead, unless the user has changed his mind since.
    pub(in crate::translate) fn answer_returned(
        &mut self,
        jid: &str,
        is_allowed: bool,
        cx: &mut Cx<'_>,
    ) {
        let account = jid::prepared(jid::bare(jid));
        if cx.wire.may_react() && (!is_allowed || self.may_be_let_in(&account, cx)) {
            set_subscription(jid, is_allowed, cx.wire);
        }
    }

    /// Handles a service's event about a subscription of ours (XEP-0060 §8.6).
    pub(in crate::translate) fn subscription_event(
        &mut self,
        event: &Event<'_>,
        cx: &mut Cx<'_>,
    ) -> Verdict {
        let account = event.service;
        if cx.account.people.is_clients_own(account) {
            return Verdict::Pass;
        }
        let is_about_us = event.element.attribute("jid").as_deref() == Some(cx.account.bare());
        cx.wire.apply(&rules::STATE);
        if !is_about_us || cx.account.people.relation(account).to == Half::No {
            cx.wire.drop_event(Dropped::NotSubscribed);
        } else if event.is_delayed {
            // The state may have changed since; our next request tells.
            cx.wire.drop_event(Dropped::Delayed);
        } else {
            match event.element.attribute("subscription").as_deref() {
                Some("subscribed") => self.handle_subscribed(account, cx),
                Some("none") => self.handle_unsubscribed(account, cx),
                _ => {}
            }
        }
        Verdict::Taken
    }

    /// Handles that we are subscribed to the node of `account`.
    fn handle_subscribed(&mut self, account: &str, cx: &mut Cx<'_>) {
        self.follow.note(account, true, cx.wire);
        if let Book::Pubsub(_) = self.book {
            self.hear(Kind::Subscribed, account, cx);
            cx.account.people.changed.push(account);
        }
    }

    /// Handles that the owner is being asked; if we were subscribed before, its server has lost that.
    fn handle_pending(&mut self, account: &str, cx: &mut Cx<'_>) {
        let relation = cx.account.people.relation(account);
        if relation.to == Half::Yes {
            let to = Half::Asked;
            self.set_relation(account, Relation { to, ..relation }, cx);
            cx.account.people.changed.push(account);
        }
        if let Some(contact) = cx.account.people.get_mut(account)
            && !std::mem::replace(&mut contact.is_pending, true)
        {
            self.write(account, cx);
        }
    }

    /// Handles the end of our subscription. The contact may have left our node, too, so subscribers are listed
    /// again.
    fn handle_unsubscribed(&mut self, account: &str, cx: &mut Cx<'_>) {
        self.follow.note(account, false, cx.wire);
        if matches!(self.book, Book::Pubsub(_)) && self.hear(Kind::Unsubscribed, account, cx) {
            cx.account.people.changed.push(account);
            self.members.list_again(cx.wire);
        }
    }

    /// Applies a subscription stanza that a contact's service implies (RFC 6121 §A.3); gives whether it changes
    /// anything.
    pub(super) fn hear(&mut self, kind: Kind, account: &str, cx: &mut Cx<'_>) -> bool {
        let (after, is_news) = cx.account.people.relation(account).inbound(kind);
        if is_news {
            self.set_relation(account, after, cx);
            show_subscription(kind, account, cx);
        }
        is_news
    }

    /// Under `pure`: handles the refusal of a contact whose node we should be subscribed to.
    pub(in crate::translate) fn handle_refused_fetch(
        &mut self,
        account: &str,
        refused: Refused<'_>,
        cx: &mut Cx<'_>,
    ) {
        let is_seen = cx.account.people.relation(account).to == Half::Yes;
        if matches!(self.book, Book::Native) || !is_seen {
            return;
        }
        match refused.condition() {
            // The contact has ended our subscription while we were away.
            "not-subscribed" | "not-authorized" | "forbidden" => {
                self.handle_unsubscribed(account, cx);
            }
            // The contact's server has lost the node.
            "item-not-found" => self.follow.want(account, cx.wire.now),
            _ => {}
        }
    }

    /// Handles the outcome of a request to subscribe (listing 9).
    pub(super) fn handle_followed(&mut self, account: &str, outcome: Outcome<'_>, cx: &mut Cx<'_>) {
        let is_told = matches!(self.book, Book::Native);
        match outcome {
            Outcome::Subscribed => self.handle_subscribed(account, cx),
            Outcome::Denied => self.handle_unsubscribed(account, cx),
            // Under `auto` native stanzas tell the client the outcome.
            _ if is_told => {}
            Outcome::Pending => self.handle_pending(account, cx),
            Outcome::Refused(Refused::With(condition)) if is_final(condition) => {
                if self.shown.unreachable.insert(account.into()) {
                    show_error(account, StanzaError::new("cancel", condition), cx);
                }
            }
            Outcome::Refused(_) => {}
        }
    }
}

/// Whether the error means that the contact cannot be reached later either.
fn is_final(condition: &str) -> bool {
    matches!(
        condition,
        "remote-server-not-found"
            | "remote-server-timeout"
            | "jid-malformed"
            | "gone"
            | "not-allowed"
            | "closed-node"
    )
}

/// Shows the client a subscription stanza from a contact.
pub(super) fn show_subscription(kind: Kind, account: &str, cx: &mut Cx<'_>) {
    let (from, to) = (escape(account), escape(cx.account.bare()));
    cx.wire.stanza(Leg::Client, |out| {
        let kind = kind.as_str();
        let _ = write!(out, "<presence from='{from}' to='{to}' type='{kind}'/>");
    });
}

/// Shows the client an error in a contact's place.
pub(super) fn show_error(account: &str, error: StanzaError<'_>, cx: &mut Cx<'_>) {
    let attributes = [("from", Some(account)), ("to", Some(cx.account.jid()))];
    cx.wire.show_error("presence", &attributes, "", error);
}
