//! Subscription stanzas between the client and its contacts (listings 5–7 and 9–11).
//!
//! Under `auto` the handshake is native and pubsub follows it silently; under `pure` there is nothing but
//! pubsub, and the handshake is made of it.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::BufMut;

use super::Wire;
use super::approvals::{Noted, has_share, set_subscription};
use super::contacts::MOST_JIDS;
use super::farewell::Told;
use super::followings::Outcome;
use super::handshake::{Half, Kind, Relation};
use super::rules;
use super::translator::{Translator, refuse};
use crate::jid;
use crate::ns;
use crate::pubsub::{Event, Question};
use crate::wire::{Dropped, Leg, Refused};
use crate::xml::{Element, escape};

/// So many forms, or subscription stanzas of the client's, may wait until the contacts are known.
pub(super) const MOST_HELD: usize = 64;
/// So long after an answer to a form the native request behind it may come.
const NATIVE_BEHIND: Duration = Duration::from_secs(60);

impl Translator {
    /// A subscription stanza from the client; it is always taken.
    pub(super) fn handle_client_subscription(
        &mut self,
        kind: Kind,
        presence: &Element<'_>,
        wire: &mut Wire,
    ) {
        let to = presence.attribute("to").unwrap_or_default();
        let account = jid::bare(&to);
        if self.is_pure() {
            return match jid::prepare(account) {
                Some(account) => self.handle_pure_subscription(kind, &account, presence, wire),
                None => refuse(presence, "modify", "jid-malformed", wire),
            };
        }
        // The server prepares the native copy for itself.
        let account = jid::prepared(account);
        self.follow_client(kind, &account, wire);
        if !self.natives.send(kind, presence, &account, wire) {
            refuse(presence, "wait", "resource-constraint", wire);
        }
    }

    /// Does for pubsub what a native subscription stanza of the client's says.
    fn follow_client(&mut self, kind: Kind, account: &str, wire: &mut Wire) {
        let relation = self.contacts.relation(account);
        match kind {
            // Subscribed to is whoever turns out to have a shim.
            Kind::Subscribe => {}
            Kind::Unsubscribe => self.followings.end(account, wire),
            Kind::Subscribed => {
                let is_asking = self.approvals.has_form(account);
                if relation.from == Half::Asked || is_asking {
                    // Before the native stanza: it makes the contact subscribe. Nothing comes of that
                    // stanza if the request was taken back meanwhile, of which ejabberd tells nobody.
                    self.approve(account, wire);
                    self.approvals.doubt(account, wire.now);
                }
            }
            Kind::Unsubscribed => {
                if self.approvals.has_form(account) {
                    self.approvals.deny(account, wire);
                }
                let told = self.told(account, true);
                self.end_approval(account, told, wire);
            }
        }
        if let Some(contact) = self.contacts.stranger_mut(account)
            && matches!(kind, Kind::Subscribed | Kind::Unsubscribed)
        {
            // One answer is for the form and for the native request behind it, and for no later one.
            let is_first =
                std::mem::take(&mut contact.is_asking) && contact.relation.from != Half::Asked;
            contact.answered = is_first.then_some((kind, wire.now + NATIVE_BEHIND));
            if contact.relation.from == Half::Asked || kind == Kind::Unsubscribed {
                // The roster will say the same.
                contact.relation.from = Half::No;
            }
        }
    }

    /// Lets `account` see our node. Whom no native subscription backs is put on record.
    pub(super) fn approve(&mut self, account: &str, wire: &mut Wire) {
        self.cancel_revocation(account, wire);
        let jids = match self.may_let_in() {
            true => self.approvals.approve(account, wire),
            // There is nothing to be seen yet; who may see it is looked at when there is.
            false => Vec::new(),
        };
        let is_pure = self.is_pure();
        let records_all = self.records_subscribers();
        let Some(contact) = self.contacts.get_mut(account) else {
            return;
        };
        let mut is_news = false;
        for jid in jids {
            let is_recorded = records_all || *jid != *account;
            if is_recorded && contact.jids.len() < MOST_JIDS && !contact.jids.contains(&jid) {
                contact.jids.push(jid);
                is_news = true;
            }
        }
        let is_native = contact.relation.from != Half::No;
        if !is_pure && contact.is_asking && !is_native && contact.recorded.from != Half::Yes {
            contact.recorded.from = Half::Yes;
            is_news = true;
        }
        if is_news && !is_pure {
            self.record.write(account, None, &self.contacts, wire);
        }
    }

    /// Puts `account` on record, which was subscribed by its bare JID.
    pub(super) fn record_subscriber(&mut self, account: &str, wire: &mut Wire) {
        if !self.records_subscribers() {
            return;
        }
        if let Some(contact) = self.contacts.get_mut(account)
            && contact.jids.len() < MOST_JIDS
            && !contact.jids.iter().any(|jid| **jid == *account)
        {
            contact.jids.push(account.into());
            self.record.write(account, None, &self.contacts, wire);
        }
    }

    /// Whether every subscriber has to be on record, since the server does not list them. (Under `pure` every
    /// contact is.)
    fn records_subscribers(&self) -> bool {
        !self.is_pure() && !self.approvals.lists_subscribers()
    }

    /// What was said last counts, also about a domain that was blocked and is not any more.
    fn cancel_revocation(&mut self, account: &str, wire: &mut Wire) {
        if self.blocking.is_blocked(account) || !self.revocations.is_open() {
            return;
        }
        self.revocations.cancel(account, wire);
        self.revocations.cancel(jid::domain(account), wire);
        self.hold_publishes(wire);
    }

    /// The native roster backs the approval now: it need not be on record.
    pub(super) fn forget_approval(&mut self, account: &str, wire: &mut Wire) {
        if let Some(contact) = self.contacts.known_mut(account)
            && contact.recorded.from != Half::No
        {
            contact.recorded.from = Half::No;
            self.record.write(account, None, &self.contacts, wire);
        }
    }

    /// The node is there: what was asked about contacts who may see it is answered.
    pub(super) fn answer_forms(&mut self, wire: &mut Wire) {
        for account in self.approvals.asking() {
            if self.may_see(&account) {
                self.approve(&account, wire);
            }
        }
    }

    /// `account` is not approved any more, neither natively nor on record; under `auto`.
    pub(super) fn end_approval(&mut self, account: &str, told: Told, wire: &mut Wire) {
        let was_recorded = self.contacts.get_mut(account).is_some_and(|contact| {
            contact.answered = None;
            std::mem::take(&mut contact.recorded.from) == Half::Yes
        });
        self.take_out(account, told, wire);
        if was_recorded {
            self.record.write(account, None, &self.contacts, wire);
        }
    }

    /// Ends what `account` sees of our node. Its JIDs stay on record until that is done.
    pub(super) fn revoke(&mut self, account: &str, wire: &mut Wire) {
        self.approvals.forget(account, wire);
        self.revocations.revoke(account, wire);
        self.hold_publishes(wire);
    }

    /// Whether `account` may see our node. Who is just being thrown out may not, whatever the roster says.
    fn may_see(&self, account: &str) -> bool {
        self.is_approved(account) && !self.revocations.concerns(account)
    }

    fn is_approved(&self, account: &str) -> bool {
        self.blocking.lets_see(&self.contacts, account)
    }

    /// The roster says that what is between the account and `account` has changed; under `auto`. `is_own`: this
    /// client has asked for it.
    pub(super) fn follow_roster(
        &mut self,
        account: &str,
        before: Relation,
        is_own: bool,
        wire: &mut Wire,
    ) {
        let Some(contact) = self.contacts.get(account) else {
            return;
        };
        let (now, is_marked) = (contact.relation, contact.is_marked);
        let gained =
            |half: fn(Relation) -> Half| half(now) == Half::Yes && half(before) != Half::Yes;
        let lost = |half: fn(Relation) -> Half| half(now) != Half::Yes && half(before) == Half::Yes;
        if gained(|relation| relation.from) {
            self.forget_approval(account, wire);
            // Maybe another resource has answered.
            if let Some(contact) = self.contacts.get_mut(account) {
                contact.forget_request();
            }
            if self.may_see(account) && self.approvals.has_form(account) {
                self.approve(account, wire);
            } else if self.is_approved(account) {
                self.approvals.want(account, is_marked, wire);
            }
        }
        if lost(|relation| relation.from) {
            let told = match is_own {
                true => Told::Last,
                false => Told::BeforePush,
            };
            self.end_approval(account, told, wire);
        }
        if (gained(|relation| relation.to) || gained(|relation| relation.from)) && is_marked {
            self.follow(account, wire);
        }
        if lost(|relation| relation.to) {
            self.followings.end(account, wire);
            self.events.hide(account, wire);
        }
    }

    /// Has a contact with a shim subscribed to who may know that the client is there; under `auto`.
    pub(super) fn follow(&mut self, account: &str, wire: &mut Wire) {
        let is_shown = self.presence.is_available() && self.is_approved(account)
            || self.contacts.is_directed(account);
        if self.contacts.relation(account).to == Half::Yes && is_shown {
            self.followings.want(account, wire.now);
        }
    }

    /// The same for all whose shim was seen.
    pub(super) fn follow_marked(&mut self, wire: &mut Wire) {
        for account in self.contacts.marked() {
            self.follow(&account, wire);
        }
    }

    /// A presence of the client's for `to` alone passes: whoever gets it may know that the client is there.
    pub(super) fn note_directed(&mut self, to: &str, kind: Option<&str>, wire: &mut Wire) {
        if !matches!(kind, None | Some("unavailable")) {
            return;
        }
        let account = &*jid::prepared(jid::bare(to));
        self.contacts.note_directed(account, kind.is_none());
        if self.contacts.is_to_follow(account, false) {
            self.follow(account, wire);
        }
    }

    /// A native presence with the marker has come: its sender has a shim.
    pub(super) fn follow_marker(&mut self, account: &str, wire: &mut Wire) {
        self.follow(account, wire);
        if self.approvals.is_compared() && self.may_see(account) {
            self.approvals.want(account, true, wire);
        }
    }

    /// A native subscription stanza from the server; `true` if the client does not see it.
    pub(super) fn handle_server_subscription(
        &mut self,
        kind: Kind,
        presence: &Element<'_>,
        wire: &mut Wire,
    ) -> bool {
        let from = presence.attribute("from").unwrap_or_default();
        let account = jid::bare(&from);
        let Some(contact) = self.contacts.stranger_mut(account) else {
            return false;
        };
        if kind == Kind::Unsubscribe {
            // The request is withdrawn; the next one is another.
            contact.forget_request();
        }
        if kind != Kind::Subscribe {
            return false;
        }
        if contact.is_asking {
            // The form was first, and the user is being asked.
            contact.relation.from = Half::Asked;
            wire.apply(&rules::FORM_KNOWN);
            return true;
        }
        match contact.answered.take() {
            Some((kind, until)) if wire.now <= until => {
                wire.apply(&rules::FORM_KNOWN);
                self.natives.repeat(kind, account, wire);
                true
            }
            _ => {
                contact.relation.from = Half::Asked;
                false
            }
        }
    }

    /// Listing 10: approved if the user has approved that account, else the user is asked. It waits until the
    /// contacts are known.
    pub(super) fn handle_question(&mut self, question: Question, wire: &mut Wire) {
        wire.apply(&rules::FORM);
        if self.contacts.is_known() {
            self.handle_form(question, wire);
        } else if self.is_pure() || self.contacts.ask(wire) {
            self.hold_form(question, false, wire);
        } else {
            wire.drop_event(Dropped::Overflow);
        }
    }

    /// An answer of ours about `jid` came back (ejabberd acts on none), so the owner sets the subscription. The
    /// user may have changed his mind since.
    pub(super) fn handle_returned_answer(&mut self, jid: &str, is_allowed: bool, wire: &mut Wire) {
        let account = jid::prepared(jid::bare(jid));
        if wire.may_react() && (!is_allowed || self.may_see(&account)) {
            set_subscription(jid, is_allowed, wire);
        }
    }

    fn hold_form(&mut self, form: Question, is_contacts: bool, wire: &mut Wire) {
        let has_room = match is_contacts {
            true => self.held_forms.len() < 2 * MOST_HELD,
            false => has_share(&self.held_forms, &form, MOST_HELD),
        };
        if self.held_forms.contains(&form) {
            return;
        }
        match has_room {
            true => self.held_forms.push(form),
            false => wire.drop_event(Dropped::Overflow),
        }
    }

    /// Looks at the forms that had to wait.
    pub(super) fn release_forms(&mut self, wire: &mut Wire) {
        for form in std::mem::take(&mut self.held_forms) {
            self.handle_form(form, wire);
        }
    }

    /// Listing 10: approved if the user has approved that account, else the user is asked.
    pub(super) fn handle_form(&mut self, form: Question, wire: &mut Wire) {
        let account = form.account().into_owned();
        if !self.is_pure() && self.contacts.may_see(&account) && !self.blocking.is_known() {
            // Whoever was approved may be blocked by now.
            self.blocking.ask(wire);
            return self.hold_form(form, true, wire);
        }
        let (is_blocked, may_see) = (self.blocking.is_blocked(&account), self.may_see(&account));
        let is_decided = is_blocked || may_see;
        if is_decided && !wire.may_react() {
            // Somebody asks again and again.
            return wire.drop_event(Dropped::Overflow);
        }
        match self.approvals.note_form(form, is_decided) {
            Noted::New => {}
            Noted::Known => return wire.apply(&rules::FORM_KNOWN),
            Noted::TooMany => return wire.drop_event(Dropped::Overflow),
        }
        if is_blocked {
            return self.approvals.deny(&account, wire);
        }
        if may_see {
            return self.approve(&account, wire);
        }
        let is_pure = self.is_pure();
        let Some(contact) = self.contacts.get_mut(&account) else {
            return self.approvals.deny(&account, wire);
        };
        if contact.is_asking || !is_pure && contact.relation.from == Half::Asked {
            return wire.apply(&rules::FORM_KNOWN);
        }
        contact.is_asking = true;
        if is_pure {
            let (after, _) = contact.relation.inbound(Kind::Subscribe);
            self.set_relation(&account, after, wire);
        }
        if self.presence.is_available() {
            show_subscription(Kind::Subscribe, &account, wire);
        } else if !self.unshown.iter().any(|other| **other == *account) {
            self.unshown.push(account.into());
        }
    }

    /// The client is available: it is shown what came before.
    pub(super) fn show_requests(&mut self, wire: &mut Wire) {
        if self.unshown.is_empty() || !self.presence.is_available() {
            return;
        }
        for account in std::mem::take(&mut self.unshown) {
            if self
                .contacts
                .get(&account)
                .is_some_and(|contact| contact.is_asking)
            {
                show_subscription(Kind::Subscribe, &account, wire);
            }
        }
    }

    /// A service says what became of a subscription of ours (XEP-0060 §8.6).
    pub(super) fn handle_subscription_event(&mut self, event: &Event<'_>, wire: &mut Wire) {
        let account = event.service;
        let is_about_us = event.element.attribute("jid").as_deref() == Some(jid::bare(&wire.jid));
        wire.apply(&rules::STATE);
        if !is_about_us || self.contacts.relation(account).to == Half::No {
            wire.drop_event(Dropped::NotSubscribed);
        } else if event.is_delayed {
            // What it says may have changed since; our next question tells.
            wire.drop_event(Dropped::Delayed);
        } else {
            match event.element.attribute("subscription").as_deref() {
                Some("subscribed") => self.note_subscribed(account, wire),
                Some("none") => self.note_unsubscribed(account, wire),
                _ => {}
            }
        }
    }

    /// We are subscribed to the node of `account`.
    fn note_subscribed(&mut self, account: &str, wire: &mut Wire) {
        self.followings.note(account, true, wire);
        if !self.is_pure() {
            return;
        }
        let (after, is_news) = self.contacts.relation(account).inbound(Kind::Subscribed);
        if is_news {
            self.set_relation(account, after, wire);
            show_subscription(Kind::Subscribed, account, wire);
        }
        if self.presence.is_available() {
            self.states.fetch(account);
        }
    }

    /// The owner is being asked, even if we were subscribed before: its server has lost that.
    fn note_pending(&mut self, account: &str, wire: &mut Wire) {
        let relation = self.contacts.relation(account);
        if relation.to == Half::Yes {
            let to = Half::Asked;
            self.set_relation(account, Relation { to, ..relation }, wire);
            self.events.hide(account, wire);
        }
        if let Some(contact) = self.contacts.get_mut(account)
            && !std::mem::replace(&mut contact.is_pending, true)
        {
            self.record.write(account, None, &self.contacts, wire);
        }
    }

    /// We are subscribed to it no longer. The contact may have left our node, too.
    fn note_unsubscribed(&mut self, account: &str, wire: &mut Wire) {
        self.followings.note(account, false, wire);
        if !self.is_pure() {
            return;
        }
        let (after, is_news) = self.contacts.relation(account).inbound(Kind::Unsubscribed);
        if is_news {
            self.set_relation(account, after, wire);
            show_subscription(Kind::Unsubscribed, account, wire);
            self.events.hide(account, wire);
            self.approvals.list_again(wire);
        }
    }

    /// Under `pure`: a contact to whose node we should be subscribed does not let us see it.
    pub(super) fn handle_refused_fetch(
        &mut self,
        account: &str,
        refused: Refused<'_>,
        wire: &mut Wire,
    ) {
        if self.contacts.relation(account).to != Half::Yes {
            return;
        }
        match refused.condition_or("") {
            // It was ended while we were away.
            "not-subscribed" | "not-authorized" | "forbidden" => {
                self.note_unsubscribed(account, wire);
            }
            // Its server has lost the node.
            "item-not-found" => self.followings.want(account, wire.now),
            _ => {}
        }
    }

    /// What became of a request to subscribe (listing 9).
    pub(super) fn handle_followed(&mut self, account: &str, outcome: Outcome<'_>, wire: &mut Wire) {
        match outcome {
            Outcome::Subscribed => self.note_subscribed(account, wire),
            Outcome::Refused(Refused::With(condition))
                if self.is_pure() && is_final(condition) && self.told.insert(account.into()) =>
            {
                show_error(account, "cancel", condition, wire);
            }
            Outcome::Pending if self.is_pure() => self.note_pending(account, wire),
            Outcome::Denied => self.note_unsubscribed(account, wire),
            Outcome::Pending | Outcome::Refused(_) => {}
        }
    }
}

/// Whether a contact with such an error will not be there later either.
fn is_final(condition: &str) -> bool {
    matches!(
        condition,
        "remote-server-not-found"
            | "remote-server-timeout"
            | "jid-malformed"
            | "gone"
            | "not-allowed"
    )
}

/// Shows the client a subscription stanza of a contact.
pub(super) fn show_subscription(kind: Kind, account: &str, wire: &mut Wire) {
    let to = escape(jid::bare(&wire.jid)).into_owned();
    let (from, kind) = (escape(account), kind.as_str());
    let _ = write!(
        wire.to(Leg::Client),
        "<presence from='{from}' to='{to}' type='{kind}'/>"
    );
}

pub(super) fn show_error(account: &str, kind: &str, condition: &str, wire: &mut Wire) {
    let to = escape(&wire.jid).into_owned();
    let out = wire.to(Leg::Client);
    let _ = write!(
        out,
        "<presence from='{}' to='{to}' type='error'><error type='{kind}'><{condition} xmlns='{}'/>",
        escape(account),
        ns::STANZA_ERRORS
    );
    out.put_slice(b"</error></presence>");
}
