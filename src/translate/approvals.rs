//! Who may see our node: members of it, and the requests that wait for the user (listings 10 and 11).

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::Wire;
use super::authorization::{Form, set_subscription};
use super::contacts::Contacts;
use super::inquiry::{Inquiry, NO_LIST, has_none};
use super::presence::NODE;
use super::queue::Queue;
use super::revoke::subscriptions_in;
use super::{Purpose, rules};
use crate::jid;
use crate::ns;
use crate::wire::Event;
use crate::xml::{Element, escape};

/// So many contacts are made members by one request.
const BATCH: usize = 16;
/// So many requests may wait for the user's answer.
const MOST_FORMS: usize = 256;
/// One account may have so many JIDs approved.
pub(super) const MOST_JIDS: usize = 16;
/// What is not known if the node's owner side tells nothing.
const MEMBERS: &str = "who is a member of node 'presence'";
const SUBSCRIBERS: &str = "who is subscribed to node 'presence'";
/// So long whoever has no approval is left alone: another resource may be approving him right now.
pub(super) const DOUBT: Duration = Duration::from_secs(5);

/// What became of a form that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    New,
    /// It waits for an answer already.
    Known,
    /// Others wait, and there is no room.
    TooMany,
}

/// What a session knows and does about who sees the own node.
#[derive(Debug, Default)]
pub(super) struct Approvals {
    /// The members of the node, once the server has told.
    members: Option<HashSet<Box<str>>>,
    /// Others who may do something with the node: publishers, owners besides us.
    others: HashSet<Box<str>>,
    /// The subscribed JIDs, where the server lists them.
    subscribers: HashSet<Box<str>>,
    /// The server lists who is subscribed.
    lists_subscribers: bool,
    members_inquiry: Inquiry,
    subscribers_inquiry: Inquiry,
    /// Somebody was let in or out since it was asked who is subscribed.
    is_stale: bool,
    /// The members were compared with the contacts.
    is_compared: bool,
    forms: Vec<Form>,
    /// Contacts to be made members.
    waiting: Queue,
    /// Those of them that were refused together with others: each goes by itself.
    alone: HashSet<Box<str>>,
    /// Contacts to be subscribed by us: they have a shim and may not know that they may subscribe.
    unsubscribed: VecDeque<Box<str>>,
    /// Requests that are not answered.
    grants: Vec<(u32, Vec<Box<str>>)>,
    /// Members who seem to be no contacts, and when to look at each again.
    doubted: BTreeMap<Box<str>, Duration>,
    serial: u32,
}

impl Approvals {
    /// Asks who is a member and who is subscribed, if it is time to.
    pub(super) fn ask(&mut self, wire: &mut Wire) {
        if self.members_inquiry.is_due(wire.now) {
            let asked = wire.request("get", None, Purpose::Members, |out| {
                write_question(out, "affiliations");
            });
            self.members_inquiry.note_asked(asked);
        }
        if self.subscribers_inquiry.is_due(wire.now) {
            self.is_stale = false;
            let asked = wire.request("get", None, Purpose::Listed, |out| {
                write_question(out, "subscriptions");
            });
            self.subscribers_inquiry.note_asked(asked);
        }
    }

    /// Asks who is subscribed, once more.
    pub(super) fn list_again(&mut self, wire: &mut Wire) {
        if !self.subscribers_inquiry.reopen() {
            // One list at a time is enough.
            self.is_stale = true;
        }
        self.ask(wire);
    }

    /// Somebody else has changed the node: who may do what with it is to be asked once more.
    pub(super) fn ask_again(&mut self) {
        self.is_compared = false;
        self.members = None;
        self.members_inquiry.reopen();
        self.subscribers_inquiry.reopen();
    }

    /// The node was made anew: nobody may do anything with it.
    pub(super) fn note_new_node(&mut self) {
        self.members = Some(HashSet::new());
        self.others.clear();
        self.subscribers.clear();
    }

    /// What became of the questions for members and for subscribers.
    pub(super) fn inquiries(&self) -> [&Inquiry; 2] {
        [&self.members_inquiry, &self.subscribers_inquiry]
    }

    /// Has them asked again at once if they have failed.
    pub(super) fn hasten(&mut self) {
        self.members_inquiry.hasten();
        self.subscribers_inquiry.hasten();
    }

    /// Whether all is known that the server tells.
    pub(super) fn is_listed(&self) -> bool {
        self.members_inquiry.is_known() && self.subscribers_inquiry.is_known()
    }

    /// Whether the server lists who is subscribed; else it is on record.
    pub(super) fn lists_subscribers(&self) -> bool {
        self.lists_subscribers
    }

    /// Whether it is known who is to be made a member.
    pub(super) fn is_compared(&self) -> bool {
        self.is_compared
    }

    /// Takes the answer about members. What is said of a node before it was made anew does not count.
    pub(super) fn handle_members(
        &mut self,
        reply: Result<&Element<'_>, &str>,
        standing: Standing,
        wire: &mut Wire,
    ) {
        let list = match reply {
            Ok(iq) if standing.is_pure || holds(iq, "affiliations") => affiliations_in(iq),
            // Nobody; under `pure` nobody is taken away by what could not be had.
            Err(condition) if standing.is_final(condition) => {
                self.members_inquiry.note_known();
                if !standing.is_pure {
                    self.members.get_or_insert_default();
                }
                return;
            }
            failed => {
                let reason = failed.err().unwrap_or(NO_LIST);
                return self.members_inquiry.fail(MEMBERS, reason, wire);
            }
        };
        self.members_inquiry.note_known();
        if standing.is_new {
            self.members.get_or_insert_default();
            return;
        }
        let mut members = HashSet::new();
        self.others.clear();
        for (jid, affiliation) in list {
            match &*affiliation {
                "member" => members.insert(jid.into()),
                // An outcast gets nothing but by a subscription, which counts by itself.
                "none" | "outcast" => false,
                _ => self.others.insert(jid::bare(&jid).into()),
            };
        }
        self.members = Some(members);
    }

    /// Takes the answer about subscribers; who they are, if the server lists them. An answer to what was
    /// asked before a change would undo it, so it is asked again. Of a new node Prosody lists those of the
    /// one deleted before, to whom it delivers nothing: they are subscribed again.
    pub(super) fn handle_subscribers(
        &mut self,
        reply: Result<&Element<'_>, &str>,
        standing: Standing,
        wire: &mut Wire,
    ) -> Option<Subscribers> {
        let iq = match reply {
            Ok(iq) if standing.is_pure || holds(iq, "subscriptions") => iq,
            Err(condition) if standing.is_final(condition) => {
                self.subscribers_inquiry.note_known();
                return None;
            }
            failed => {
                let reason = failed.err().unwrap_or(NO_LIST);
                self.subscribers_inquiry.fail(SUBSCRIBERS, reason, wire);
                return None;
            }
        };
        self.subscribers_inquiry.note_known();
        self.lists_subscribers = true;
        if self.is_stale {
            self.list_again(wire);
            return None;
        }
        let mut subscribers = Subscribers::default();
        for (jid, state) in subscriptions_in(iq) {
            match &*state {
                "pending" => subscribers.pending.insert(jid.into()),
                _ => subscribers.subscribed.insert(jid.into()),
            };
        }
        if !standing.is_new {
            self.subscribers.clone_from(&subscribers.subscribed);
        }
        Some(subscribers)
    }

    /// Compares the members with the account's records: who is missing is made one.
    pub(super) fn want_missing(&mut self, contacts: &Contacts, may_see: impl Fn(&str) -> bool) {
        self.is_compared = true;
        let Some(members) = &self.members else { return };
        let mut missing: Vec<&str> = contacts
            .iter()
            .map(|(account, _)| account)
            .filter(|account| may_see(account) && !members.contains(*account))
            .collect();
        missing.sort_unstable();
        for account in missing {
            self.waiting.push(account);
        }
    }

    /// Whoever is delivered to, or could have himself delivered to, and should not, in the order of their
    /// JIDs. `own` is our account. Where nobody lists subscribers, those on record are looked at.
    pub(super) fn strangers(
        &self,
        own: &str,
        contacts: &Contacts,
        may_see: impl Fn(&str) -> bool,
    ) -> Vec<Box<str>> {
        let members = self.members.iter().flatten().chain(&self.others);
        let subscribed = self.subscribers.iter().map(|jid| jid::bare(jid));
        let recorded = contacts
            .iter()
            .filter(|(_, contact)| !self.lists_subscribers && !contact.jids.is_empty())
            .map(|(account, _)| account);
        let all = members.map(|it| &**it).chain(subscribed).chain(recorded);
        let strangers: BTreeSet<&str> = all.filter(|it| *it != own && !may_see(it)).collect();
        strangers.into_iter().map(Box::from).collect()
    }

    /// Has it looked at later whether the account's records let `account` see our node.
    pub(super) fn doubt(&mut self, account: &str, now: Duration) {
        self.doubted.insert(account.into(), now + DOUBT);
    }

    /// Whether somebody of whom `is_meant` speaks is let in, or is just being.
    pub(super) fn lets_in(&self, is_meant: impl Fn(&str) -> bool) -> bool {
        let granting = self.grants.iter().flat_map(|(_, accounts)| accounts);
        let members = self.members.iter().flatten().chain(&self.others);
        let subscribed = self.subscribers.iter().map(|jid| jid::bare(jid));
        let mut all = members
            .chain(granting)
            .map(|account| &**account)
            .chain(subscribed);
        all.any(is_meant)
    }

    /// Forgets the doubts about whom `may_see` speaks for.
    pub(super) fn settle_doubts(&mut self, may_see: impl Fn(&str) -> bool) {
        self.doubted.retain(|member, _| !may_see(member));
    }

    /// The doubted who still should not be members, once it is time to say so.
    pub(super) fn due_doubts(
        &mut self,
        may_see: impl Fn(&str) -> bool,
        now: Duration,
    ) -> Vec<Box<str>> {
        let mut strangers = Vec::new();
        self.doubted.retain(|member, at| {
            let is_due = *at <= now;
            if is_due && !may_see(member) {
                strangers.push(member.clone());
            }
            !is_due
        });
        strangers
    }

    /// Has a contact made a member, and subscribed if it has a shim and is not.
    pub(super) fn want(&mut self, account: &str, is_marked: bool) {
        let is_member = self
            .members
            .as_ref()
            .is_some_and(|members| members.contains(account));
        if !is_member && !self.is_granting(account) {
            self.waiting.push(account);
        }
        if is_member && is_marked {
            self.want_subscribed(account);
        }
    }

    /// Whether `account` is being made a member.
    fn is_granting(&self, account: &str) -> bool {
        let mut accounts = self.grants.iter().flat_map(|(_, accounts)| accounts);
        accounts.any(|other| **other == *account)
    }

    /// Has a member subscribed, unless it is.
    pub(super) fn want_subscribed(&mut self, account: &str) {
        if self.subscribers.insert(account.into()) {
            self.unsubscribed.push_back(account.into());
        }
    }

    /// Whether something waits to be asked.
    pub(super) fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.unsubscribed.is_empty()
    }

    /// When members are to be looked at again.
    pub(super) fn again_at(&self) -> Option<Duration> {
        self.doubted.values().min().copied()
    }

    /// Asks as much as may be asked now, for those of whom `may_see` still says yes; who was subscribed.
    pub(super) fn work(
        &mut self,
        may_see: impl Fn(&str) -> bool,
        wire: &mut Wire,
    ) -> Vec<Box<str>> {
        let mut subscribed = Vec::new();
        while self.has_work() && wire.may_work() {
            if self.waiting.is_empty() {
                if let Some(account) = self.unsubscribed.pop_front()
                    && may_see(&account)
                {
                    wire.apply(&rules::APPROVE);
                    set_subscription(&account, true, wire);
                    subscribed.push(account);
                }
                continue;
            }
            let batch = self.next_batch();
            let batch: Vec<_> = batch
                .into_iter()
                .filter(|account| may_see(account))
                .collect();
            if !batch.is_empty() {
                self.grant(batch, wire);
            }
        }
        subscribed
    }

    /// The next accounts to be made members by one request.
    fn next_batch(&mut self) -> Vec<Box<str>> {
        let mut batch = Vec::new();
        while let Some(account) = self.waiting.front() {
            let is_alone = self.alone.contains(account);
            if batch.len() >= BATCH || is_alone && !batch.is_empty() {
                break;
            }
            batch.extend(self.waiting.pop());
            if is_alone {
                break;
            }
        }
        batch
    }

    fn grant(&mut self, accounts: Vec<Box<str>>, wire: &mut Wire) {
        self.serial = self.serial.wrapping_add(1);
        wire.apply(&rules::MEMBER);
        let sent = wire.request("set", None, Purpose::Grant(self.serial), |out| {
            let _ = write!(
                out,
                "<pubsub xmlns='{}'><affiliations node='{NODE}'>",
                ns::PUBSUB_OWNER
            );
            for account in &accounts {
                let _ = write!(
                    out,
                    "<affiliation jid='{}' affiliation='member'/>",
                    escape(account)
                );
            }
            out.put_slice(b"</affiliations></pubsub>");
        });
        match sent {
            true => self.grants.push((self.serial, accounts)),
            false => self.wait(accounts),
        }
    }

    /// Has accounts made members later.
    fn wait(&mut self, accounts: Vec<Box<str>>) {
        for account in accounts {
            self.waiting.push(&account);
        }
    }

    /// Takes the answer to a grant: who is a member now has to be subscribed, if it has a shim.
    pub(super) fn handle_grant(
        &mut self,
        serial: u32,
        reply: Result<&Element<'_>, &str>,
        contacts: &Contacts,
        wire: &mut Wire,
    ) {
        let Some(at) = self.grants.iter().position(|(asked, _)| *asked == serial) else {
            return;
        };
        let (_, accounts) = self.grants.swap_remove(at);
        if accounts.is_empty() {
            // They are to see nothing any more.
            return;
        }
        match reply {
            Ok(_) => {
                for account in accounts {
                    if contacts
                        .get(&account)
                        .is_some_and(|contact| contact.is_marked)
                    {
                        self.want_subscribed(&account);
                    }
                    self.members.get_or_insert_default().insert(account);
                }
            }
            // One of them is at fault; the others must not suffer.
            Err(_) if accounts.len() > 1 => {
                self.alone.extend(accounts.iter().cloned());
                self.wait(accounts);
            }
            Err(reason) => wire.log(Event::ApprovalFailed {
                whom: accounts.into_iter().map(String::from).collect(),
                reason: reason.to_owned(),
            }),
        }
    }

    /// Keeps a form until it is answered. `is_decided`: what the answer will be is known, so it takes no
    /// stranger's place, and strangers take none of its.
    pub(super) fn note_form(&mut self, form: Form, is_decided: bool) -> Noted {
        if self.forms.contains(&form) {
            return Noted::Known;
        }
        // The service may ask again, with another id: the last one counts.
        self.forms.retain(|other| other.jid != form.jid);
        let account = form.account();
        let of_account = self.forms.iter().filter(|other| other.account() == account);
        let has_room = match is_decided {
            true => self.forms.len() < 2 * MOST_FORMS,
            false => has_share(&self.forms, &form, MOST_FORMS),
        };
        if of_account.count() >= MOST_JIDS || !has_room {
            return Noted::TooMany;
        }
        self.forms.push(form);
        Noted::New
    }

    /// Whether a form about exactly this JID waits for an answer.
    pub(super) fn has_form_of(&self, jid: &str) -> bool {
        self.forms.iter().any(|form| *form.jid == *jid)
    }

    /// Whether a form about `account` waits for an answer.
    pub(super) fn has_form(&self, account: &str) -> bool {
        self.forms.iter().any(|form| form.account() == account)
    }

    /// The accounts about which a form waits for an answer, each once.
    pub(super) fn asking(&self) -> Vec<Box<str>> {
        let mut accounts: Vec<Box<str>> = Vec::new();
        for form in &self.forms {
            let account = form.account();
            if !accounts.iter().any(|other| **other == *account) {
                accounts.push((*account).into());
            }
        }
        accounts
    }

    /// Makes `account` a member at once and answers what was asked about it; the JIDs that were approved.
    pub(super) fn approve(&mut self, account: &str, wire: &mut Wire) -> Vec<Box<str>> {
        wire.apply(&rules::APPROVE);
        self.is_stale = true;
        let is_member = self
            .members
            .as_ref()
            .is_some_and(|members| members.contains(account));
        if !is_member {
            self.waiting.remove(account);
            self.grant(vec![account.into()], wire);
        }
        self.answer_forms(account, true, wire)
    }

    /// Answers what was asked about `account` with no.
    pub(super) fn deny(&mut self, account: &str, wire: &mut Wire) {
        wire.apply(&rules::DENY);
        self.answer_forms(account, false, wire);
    }

    fn answer_forms(&mut self, account: &str, is_allowed: bool, wire: &mut Wire) -> Vec<Box<str>> {
        let mut jids = Vec::new();
        let (asked, others) = std::mem::take(&mut self.forms)
            .into_iter()
            .partition(|form| form.account() == account);
        self.forms = others;
        for form in asked {
            if jids.len() >= MOST_JIDS && is_allowed {
                set_subscription(&form.jid, false, wire);
                continue;
            }
            form.answer(is_allowed, wire);
            if is_allowed {
                self.subscribers.insert(form.jid.clone());
            }
            jids.push(form.jid);
        }
        jids
    }

    /// `account` is to see nothing any more.
    pub(super) fn forget(&mut self, account: &str) {
        self.is_stale = true;
        self.waiting.remove(account);
        self.unsubscribed.retain(|waiting| **waiting != *account);
        for (_, granting) in &mut self.grants {
            granting.retain(|waiting| **waiting != *account);
        }
        self.subscribers
            .retain(|jid| jid::prepared(jid::bare(jid)) != account);
        self.others.remove(account);
        if let Some(members) = &mut self.members {
            members.remove(account);
        }
    }
}

/// What the answers of a node's owner side are read with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) is_pure: bool,
    /// The node was made in this session.
    pub(super) is_new: bool,
}

impl Standing {
    /// Whether an error means that there is nobody, or that nobody can be listed. Under `pure` the roster is
    /// made of what there is.
    fn is_final(self, condition: &str) -> bool {
        self.is_pure || self.is_new || has_none(condition) || condition == "item-not-found"
    }
}

/// Whether an answer of the node's owner side holds its `affiliations` or its `subscriptions`.
pub(super) fn holds(iq: &Element<'_>, what: &str) -> bool {
    let pubsub = iq.child(ns::PUBSUB_OWNER, "pubsub");
    pubsub.is_some_and(|pubsub| pubsub.child(ns::PUBSUB_OWNER, what).is_some())
}

/// Who may do what with a node by an answer about it (XEP-0060 §8.9.1).
fn affiliations_in(iq: &Element<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for pubsub in iq.children() {
        for affiliations in pubsub.children().filter(|c| c.local() == "affiliations") {
            for affiliation in affiliations.children() {
                let jid = affiliation.attribute("jid").unwrap_or_default();
                let what = affiliation.attribute("affiliation").unwrap_or_default();
                found.push((jid.into_owned(), what.into_owned()));
            }
        }
    }
    found
}

/// Who is subscribed to the own node, and who asks to be.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    pub(super) subscribed: HashSet<Box<str>>,
    pub(super) pending: HashSet<Box<str>>,
}

/// Whether `form` may wait with others, where there are `most` places: its domain has at most half of those
/// that other domains leave. So whoever fills one domain with accounts leaves room for all others.
pub(super) fn has_share(waiting: &[Form], form: &Form, most: usize) -> bool {
    let account = form.account();
    let is_same = |other: &&Form| jid::domain(&other.account()) == jid::domain(&account);
    let same = waiting.iter().filter(is_same).count();
    let left = most.saturating_sub(waiting.len() - same);
    same < left.div_ceil(2)
}

/// Writes a question to the own node's owner side: its `affiliations` or its `subscriptions`.
pub(super) fn write_question(out: &mut BytesMut, what: &str) {
    let _ = write!(
        out,
        "<pubsub xmlns='{}'><{what} node='{NODE}'/></pubsub>",
        ns::PUBSUB_OWNER
    );
}
