//! Subscription stanzas between the client and its contacts (listings 5–7 and 9–11).
//!
//! Under `auto` the handshake is native and pubsub follows it silently; under `pure` there is nothing but
//! pubsub, and the handshake is made of it.

use std::fmt::Write as _;
use std::time::Duration;

use super::follow::Outcome;
use super::members::{Noted, has_share, set_subscription};
use super::{Book, Contacts};
use crate::jid;
use crate::pubsub::{Event, Question};
use crate::translate::account::Told;
use crate::translate::people::MOST_JIDS;
use crate::translate::relation::{Half, Kind, Relation};
use crate::translate::{Cx, Verdict, rules};
use crate::wire::{Dropped, Leg, Refused};
use crate::xml::{Element, escape};

/// So many forms, or subscription stanzas of the client's, may wait until the contacts are known.
pub(super) const MOST_HELD: usize = 64;
/// So long after an answer to a form the native request behind it may come.
const NATIVE_BEHIND: Duration = Duration::from_secs(60);

impl Contacts {
    /// A subscription stanza from the client; it is always taken.
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
                None => cx.wire.refuse(presence, "modify", "jid-malformed"),
            };
        }
        // The server prepares the native copy for itself.
        let account = jid::prepared(account);
        self.follow_stanza(kind, &account, cx);
        if !self.paced.send(kind, presence, &account, cx.wire) {
            cx.wire.refuse(presence, "wait", "resource-constraint");
        }
    }

    /// Does for pubsub what a native subscription stanza of the client's says.
    fn follow_stanza(&mut self, kind: Kind, account: &str, cx: &mut Cx<'_>) {
        let relation = cx.account.people.relation(account);
        match kind {
            // Subscribed to is whoever turns out to have a shim.
            Kind::Subscribe => {}
            Kind::Unsubscribe => self.follow.end(account, cx),
            Kind::Subscribed => {
                let is_asking = self.members.has_form(account);
                if relation.from == Half::Asked || is_asking {
                    // Before the native stanza: it makes the contact subscribe. Nothing comes of that
                    // stanza if the request was taken back meanwhile, of which ejabberd tells nobody.
                    self.approve(account, cx);
                    self.members.doubt(account, cx.wire.now);
                }
            }
            Kind::Unsubscribed => {
                if self.members.has_form(account) {
                    self.members.deny(account, cx);
                }
                let told = self.told(account, true, cx);
                self.end_approval(account, told, cx);
            }
        }
        if let Some(contact) = cx.account.people.stranger_mut(account)
            && matches!(kind, Kind::Subscribed | Kind::Unsubscribed)
        {
            // One answer is for the form and for the native request behind it, and for no later one.
            let is_first =
                std::mem::take(&mut contact.is_asking) && contact.relation.from != Half::Asked;
            contact.answered = is_first.then_some((kind, cx.wire.now + NATIVE_BEHIND));
            if contact.relation.from == Half::Asked || kind == Kind::Unsubscribed {
                // The roster will say the same.
                contact.relation.from = Half::No;
            }
        }
    }

    /// Lets `account` see our node. Whom no native subscription backs is put on record.
    pub(super) fn approve(&mut self, account: &str, cx: &mut Cx<'_>) {
        self.cancel_revocation(account, cx);
        let jids = match self.may_let_in(cx.account) {
            true => self.members.approve(account, cx),
            // There is nothing to be seen yet; who may see it is looked at when there is.
            false => Vec::new(),
        };
        let records_all = self.records_subscribers();
        let Some(contact) = cx.account.people.get_mut(account) else {
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
        let Book::Native = self.book else {
            return;
        };
        let is_native = contact.relation.from != Half::No;
        if contact.is_asking && !is_native && contact.recorded.from != Half::Yes {
            contact.recorded.from = Half::Yes;
            is_news = true;
        }
        if is_news {
            self.record
                .write(account, None, &cx.account.people, cx.wire);
        }
    }

    /// Puts `account` on record, which was subscribed by its bare JID.
    pub(super) fn record_subscriber(&mut self, account: &str, cx: &mut Cx<'_>) {
        if !self.records_subscribers() {
            return;
        }
        if let Some(contact) = cx.account.people.get_mut(account)
            && contact.jids.len() < MOST_JIDS
            && !contact.jids.iter().any(|jid| **jid == *account)
        {
            contact.jids.push(account.into());
            self.record
                .write(account, None, &cx.account.people, cx.wire);
        }
    }

    /// Whether every subscriber has to be on record, since the server does not list them. (Under `pure` every
    /// contact is.)
    fn records_subscribers(&self) -> bool {
        matches!(self.book, Book::Native) && !self.members.lists_subscribers()
    }

    /// What was said last counts, also about a domain that was blocked and is not any more.
    fn cancel_revocation(&mut self, account: &str, cx: &mut Cx<'_>) {
        if cx.account.people.blocked.blocks(account) || !self.revocations.is_open() {
            return;
        }
        self.revocations.cancel(account, cx.wire);
        self.revocations.cancel(jid::domain(account), cx.wire);
        self.hold_publishes(cx);
    }

    /// The native roster backs the approval now: it need not be on record.
    pub(super) fn forget_approval(&mut self, account: &str, cx: &mut Cx<'_>) {
        if let Some(contact) = cx.account.people.known_mut(account)
            && contact.recorded.from != Half::No
        {
            contact.recorded.from = Half::No;
            self.record
                .write(account, None, &cx.account.people, cx.wire);
        }
    }

    /// The node is there: what was asked about contacts who may see it is answered.
    pub(super) fn answer_forms(&mut self, cx: &mut Cx<'_>) {
        for account in self.members.asking() {
            if self.may_see(&account, cx) {
                self.approve(&account, cx);
            }
        }
    }

    /// `account` is not approved any more, neither natively nor on record; under `auto`.
    pub(super) fn end_approval(&mut self, account: &str, told: Told, cx: &mut Cx<'_>) {
        let was_recorded = cx.account.people.get_mut(account).is_some_and(|contact| {
            contact.answered = None;
            std::mem::take(&mut contact.recorded.from) == Half::Yes
        });
        self.take_out(account, told, cx);
        if was_recorded {
            self.record
                .write(account, None, &cx.account.people, cx.wire);
        }
    }

    /// Ends what `account` sees of our node. Its JIDs stay on record until that is done.
    pub(super) fn revoke(&mut self, account: &str, cx: &mut Cx<'_>) {
        self.members.forget(account, cx.wire);
        self.revocations.revoke(account, cx.wire);
        self.hold_publishes(cx);
    }

    /// The roster says that what is between the account and `account` has changed; under `auto`. `is_own`: this
    /// client has asked for it.
    pub(super) fn follow_roster(
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
            // Maybe another resource has answered.
            if let Some(contact) = cx.account.people.get_mut(account) {
                contact.forget_request();
            }
            if self.may_see(account, cx) && self.members.has_form(account) {
                self.approve(account, cx);
            } else if cx.account.people.lets_see(account) {
                self.members.want(account, is_marked, cx.wire);
            }
        }
        if lost(|relation| relation.from) {
            let told = match is_own {
                true => Told::Last,
                false => Told::BeforePush,
            };
            self.end_approval(account, told, cx);
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

    /// The same for all whose shim was seen.
    pub(super) fn follow_marked(&mut self, cx: &mut Cx<'_>) {
        if let Book::Native = self.book {
            for account in cx.account.people.marked() {
                self.follow(&account, cx);
            }
        }
    }

    /// A presence of the client's for `to` alone passes: whoever gets it may know that the client is there.
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

    /// A native presence with the marker has come: its sender has a shim.
    pub(super) fn follow_marker(&mut self, account: &str, cx: &mut Cx<'_>) {
        self.follow(account, cx);
        if self.members.is_compared() && self.may_see(account, cx) {
            self.members.want(account, true, cx.wire);
        }
    }

    /// A native subscription stanza from the server; `true` if the client does not see it.
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
            // The request is withdrawn; the next one is another.
            contact.forget_request();
        }
        if kind != Kind::Subscribe {
            return false;
        }
        if contact.is_asking {
            // The form was first, and the user is being asked.
            contact.relation.from = Half::Asked;
            cx.wire.apply(&rules::FORM_KNOWN);
            return true;
        }
        match contact.answered.take() {
            Some((kind, until)) if cx.wire.now <= until => {
                cx.wire.apply(&rules::FORM_KNOWN);
                self.paced.repeat(kind, account, cx.wire);
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
    pub(in crate::translate) fn question(&mut self, question: Question, cx: &mut Cx<'_>) {
        cx.wire.apply(&rules::FORM);
        if cx.account.people.is_known() {
            self.handle_form(question, cx);
        } else {
            self.hold_form(question, false, cx);
        }
    }

    /// An answer of ours about `jid` came back (ejabberd acts on none), so the owner sets the subscription. The
    /// user may have changed his mind since.
    pub(in crate::translate) fn answer_returned(
        &mut self,
        jid: &str,
        is_allowed: bool,
        cx: &mut Cx<'_>,
    ) {
        let account = jid::prepared(jid::bare(jid));
        if cx.wire.may_react() && (!is_allowed || self.may_see(&account, cx)) {
            set_subscription(jid, is_allowed, cx.wire);
        }
    }

    fn hold_form(&mut self, form: Question, is_contacts: bool, cx: &mut Cx<'_>) {
        let has_room = match is_contacts {
            true => self.held_forms.len() < 2 * MOST_HELD,
            false => has_share(&self.held_forms, &form, MOST_HELD),
        };
        if self.held_forms.contains(&form) {
            return;
        }
        match has_room {
            true => self.held_forms.push(form),
            false => cx.wire.drop_event(Dropped::Overflow),
        }
    }

    /// Looks at the forms that had to wait.
    pub(super) fn release_forms(&mut self, cx: &mut Cx<'_>) {
        for form in std::mem::take(&mut self.held_forms) {
            self.handle_form(form, cx);
        }
    }

    /// Listing 10: approved if the user has approved that account, else the user is asked.
    pub(super) fn handle_form(&mut self, form: Question, cx: &mut Cx<'_>) {
        let account = form.account().into_owned();
        let is_doubted = cx.account.people.may_see(&account) && !self.blocking.is_known();
        if is_doubted && matches!(self.book, Book::Native) {
            // Whoever was approved may be blocked by now.
            self.blocking.ask(cx);
            return self.hold_form(form, true, cx);
        }
        let is_blocked = cx.account.people.blocked.blocks(&account);
        let may_see = self.may_see(&account, cx);
        let is_decided = is_blocked || may_see;
        if is_decided && !cx.wire.may_react() {
            // Somebody asks again and again.
            return cx.wire.drop_event(Dropped::Overflow);
        }
        match self.members.note_form(form, is_decided) {
            Noted::New => {}
            Noted::Known => return cx.wire.apply(&rules::FORM_KNOWN),
            Noted::TooMany => return cx.wire.drop_event(Dropped::Overflow),
        }
        if is_blocked {
            return self.members.deny(&account, cx);
        }
        if may_see {
            return self.approve(&account, cx);
        }
        let Some(contact) = cx.account.people.get_mut(&account) else {
            return self.members.deny(&account, cx);
        };
        let is_asked = match self.book {
            Book::Native => contact.relation.from == Half::Asked,
            // By the record: nobody was shown it in this session.
            Book::Pubsub(_) => false,
        };
        if contact.is_asking || is_asked {
            return cx.wire.apply(&rules::FORM_KNOWN);
        }
        contact.is_asking = true;
        if let Book::Pubsub(_) = self.book {
            let (after, _) = contact.relation.inbound(Kind::Subscribe);
            self.set_relation(&account, after, cx);
        }
        if cx.account.status.is_available {
            show_subscription(Kind::Subscribe, &account, cx);
        } else if !self.unshown.iter().any(|other| **other == *account) {
            self.unshown.push(account.into());
        }
    }

    /// The client is available: it is shown what came before.
    pub(super) fn show_requests(&mut self, cx: &mut Cx<'_>) {
        if self.unshown.is_empty() || !cx.account.status.is_available {
            return;
        }
        for account in std::mem::take(&mut self.unshown) {
            if cx
                .account
                .people
                .get(&account)
                .is_some_and(|contact| contact.is_asking)
            {
                show_subscription(Kind::Subscribe, &account, cx);
            }
        }
    }

    /// A service says what became of a subscription of ours (XEP-0060 §8.6).
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
            // What it says may have changed since; our next question tells.
            cx.wire.drop_event(Dropped::Delayed);
        } else {
            match event.element.attribute("subscription").as_deref() {
                Some("subscribed") => self.note_subscribed(account, cx),
                Some("none") => self.note_unsubscribed(account, cx),
                _ => {}
            }
        }
        Verdict::Taken
    }

    /// We are subscribed to the node of `account`.
    fn note_subscribed(&mut self, account: &str, cx: &mut Cx<'_>) {
        self.follow.note(account, true, cx.wire);
        let Book::Pubsub(_) = self.book else {
            return;
        };
        let (after, is_news) = cx
            .account
            .people
            .relation(account)
            .inbound(Kind::Subscribed);
        if is_news {
            self.set_relation(account, after, cx);
            show_subscription(Kind::Subscribed, account, cx);
        }
        cx.account.people.changed.push(account);
    }

    /// The owner is being asked, even if we were subscribed before: its server has lost that.
    fn note_pending(&mut self, account: &str, cx: &mut Cx<'_>) {
        let relation = cx.account.people.relation(account);
        if relation.to == Half::Yes {
            let to = Half::Asked;
            self.set_relation(account, Relation { to, ..relation }, cx);
            cx.account.people.changed.push(account);
        }
        if let Some(contact) = cx.account.people.get_mut(account)
            && !std::mem::replace(&mut contact.is_pending, true)
        {
            self.record
                .write(account, None, &cx.account.people, cx.wire);
        }
    }

    /// We are subscribed to it no longer. The contact may have left our node, too.
    fn note_unsubscribed(&mut self, account: &str, cx: &mut Cx<'_>) {
        self.follow.note(account, false, cx.wire);
        let Book::Pubsub(_) = self.book else {
            return;
        };
        let (after, is_news) = cx
            .account
            .people
            .relation(account)
            .inbound(Kind::Unsubscribed);
        if is_news {
            self.set_relation(account, after, cx);
            show_subscription(Kind::Unsubscribed, account, cx);
            cx.account.people.changed.push(account);
            self.members.list_again(cx.wire);
        }
    }

    /// Under `pure`: a contact to whose node we should be subscribed does not let us see it.
    pub(in crate::translate) fn follow_refusal(
        &mut self,
        account: &str,
        refused: Refused<'_>,
        cx: &mut Cx<'_>,
    ) {
        let is_seen = cx.account.people.relation(account).to == Half::Yes;
        if matches!(self.book, Book::Native) || !is_seen {
            return;
        }
        match refused.condition_or("") {
            // It was ended while we were away.
            "not-subscribed" | "not-authorized" | "forbidden" => {
                self.note_unsubscribed(account, cx);
            }
            // Its server has lost the node.
            "item-not-found" => self.follow.want(account, cx.wire.now),
            _ => {}
        }
    }

    /// What became of a request to subscribe (listing 9).
    pub(super) fn handle_followed(&mut self, account: &str, outcome: Outcome<'_>, cx: &mut Cx<'_>) {
        let is_told = matches!(self.book, Book::Native);
        match outcome {
            Outcome::Subscribed => self.note_subscribed(account, cx),
            Outcome::Denied => self.note_unsubscribed(account, cx),
            // A native stanza tells the client what becomes of it.
            _ if is_told => {}
            Outcome::Pending => self.note_pending(account, cx),
            Outcome::Refused(Refused::With(condition)) if is_final(condition) => {
                if self.told.insert(account.into()) {
                    show_error(account, "cancel", condition, cx);
                }
            }
            Outcome::Refused(_) => {}
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
pub(super) fn show_subscription(kind: Kind, account: &str, cx: &mut Cx<'_>) {
    let (from, to) = (escape(account), escape(cx.account.bare()));
    cx.wire.stanza(Leg::Client, |out| {
        let kind = kind.as_str();
        let _ = write!(out, "<presence from='{from}' to='{to}' type='{kind}'/>");
    });
}

pub(super) fn show_error(account: &str, kind: &str, condition: &str, cx: &mut Cx<'_>) {
    let attributes = [("from", Some(account)), ("to", Some(cx.account.jid()))];
    cx.wire.show_error("presence", &attributes, kind, condition);
}
