//! Members and subscribers of our node, present and wanted (listing 11).

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::time::Duration;

use super::Ask;
use crate::jid;
use crate::pubsub::{PRESENCE, answer, request};
use crate::translate::account::Account;
use crate::translate::inquiry::Inquiry;
use crate::translate::people::People;
use crate::translate::queue::Queue;
use crate::translate::{self, Cx, Wire, rules};
use crate::wire::{Event, Refused, Reply};

/// Contacts that one request makes members.
const BATCH: usize = 16;
/// Named in the log while the node's owner side answers with errors.
const MEMBERS: &str = "who is a member of node 'presence'";
const SUBSCRIBERS: &str = "who is subscribed to node 'presence'";
/// How long a recipient without approval is left alone: another resource may be approving it right now.
pub(super) const DOUBT: Duration = Duration::from_secs(5);

/// Recipients of our node in one session.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// The members of the node, once the server has listed them.
    members: Option<HashSet<Box<str>>>,
    /// Other accounts with an affiliation: publishers, owners besides us.
    others: HashSet<Box<str>>,
    /// The subscribed JIDs, if the server lists them.
    subscribers: HashSet<Box<str>>,
    /// The server lists subscribers; else the record has to.
    pub(super) lists_subscribers: bool,
    pub(super) members_inquiry: Inquiry,
    pub(super) subscribers_inquiry: Inquiry,
    /// A contact was let in or taken out since the list of subscribers was asked for.
    is_stale: bool,
    /// The members were compared with the contacts.
    pub(super) is_compared: bool,
    /// Contacts to be made members.
    waiting: Queue,
    /// Contacts refused together with others: each is requested by itself.
    alone: HashSet<Box<str>>,
    /// Contacts with a shim to be subscribed by us, as they may not know that they may subscribe.
    unsubscribed: VecDeque<Box<str>>,
    /// Members without approval, and when to look at each again.
    doubted: BTreeMap<Box<str>, Duration>,
}

impl Members {
    /// Asks for members and subscribers, if it is time to.
    pub(super) fn ask(&mut self, wire: &mut Wire) {
        if self.members_inquiry.is_due(wire.now) {
            let asked = wire.request("get", None, Ask::Members, |out| {
                request::affiliations(out, PRESENCE);
            });
            self.members_inquiry.note_asked(asked);
        }
        if self.subscribers_inquiry.is_due(wire.now) {
            self.is_stale = false;
            let asked = wire.request("get", None, Ask::Subscribers, |out| {
                request::subscriptions(out, PRESENCE);
            });
            self.subscribers_inquiry.note_asked(asked);
        }
    }

    /// Asks for the subscribers once more.
    pub(super) fn list_again(&mut self, wire: &mut Wire) {
        if !self.subscribers_inquiry.reopen() {
            // The list on its way is read first, and the next one asked for after it.
            self.is_stale = true;
        }
        self.ask(wire);
    }

    /// Has members and subscribers asked for once more, as another client has changed the node.
    pub(super) fn ask_again(&mut self) {
        self.is_compared = false;
        self.members = None;
        self.members_inquiry.reopen();
        self.subscribers_inquiry.reopen();
    }

    /// Notes that the node was created anew: it has no members and no subscribers.
    pub(super) fn note_new_node(&mut self) {
        self.members = Some(HashSet::new());
        self.others.clear();
        self.subscribers.clear();
    }

    /// Whether the server has answered both questions.
    pub(super) fn is_listed(&self) -> bool {
        self.members_inquiry.is_known() && self.subscribers_inquiry.is_known()
    }

    /// Handles the list of members. A list from before the node was created anew does not count.
    pub(super) fn handle_members(&mut self, reply: Reply<'_>, standing: Standing, wire: &mut Wire) {
        let list = match reply.and_then(|iq| answer::affiliations(iq).ok_or(Refused::NoList)) {
            Ok(list) => list,
            // An error means no members, or (lenient) that no member can be taken out.
            Err(refused) if standing.is_final(refused) => {
                self.members_inquiry.note_known();
                if !standing.is_lenient {
                    self.members.get_or_insert_default();
                }
                return;
            }
            Err(refused) => return self.members_inquiry.fail(MEMBERS, refused, wire),
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
                "member" => members.insert(jid),
                // An outcast gets items only by a subscription, which is looked at by itself.
                "none" | "outcast" => false,
                _ => self.others.insert(jid::bare(&jid).into()),
            };
        }
        self.members = Some(members);
    }

    /// Handles the list of subscribers; gives them, if the server lists them. A list asked for before a change would
    /// undo the change, so it is asked for again. After a node is deleted and created again, Prosody still lists its
    /// old subscribers but delivers nothing to them: they are subscribed again.
    pub(super) fn handle_subscribers(
        &mut self,
        reply: Reply<'_>,
        standing: Standing,
        wire: &mut Wire,
    ) -> Option<Subscribers> {
        let list = match reply.and_then(|iq| answer::subscriptions(iq).ok_or(Refused::NoList)) {
            Ok(list) => list,
            Err(refused) if standing.is_final(refused) => {
                self.subscribers_inquiry.note_known();
                return None;
            }
            Err(refused) => {
                self.subscribers_inquiry.fail(SUBSCRIBERS, refused, wire);
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
        for (jid, state) in list {
            match &*state {
                "pending" => subscribers.pending.insert(jid),
                _ => subscribers.subscribed.insert(jid),
            };
        }
        if !standing.is_new {
            self.subscribers.clone_from(&subscribers.subscribed);
        }
        Some(subscribers)
    }

    /// Has approved contacts made members that are none yet.
    pub(super) fn want_missing(&mut self, people: &People) {
        self.is_compared = true;
        let Some(members) = &self.members else { return };
        let mut missing: Vec<&str> = people
            .iter()
            .map(|(account, _)| account)
            .filter(|account| people.may_see(account) && !members.contains(*account))
            .collect();
        missing.sort_unstable();
        for account in missing {
            self.waiting.push(account);
        }
    }

    /// Accounts that get published items, or could, and have no approval, in the order of their JIDs. On servers that
    /// do not list subscribers, those on record are looked at.
    pub(super) fn strangers(&self, account: &Account) -> Vec<Box<str>> {
        let people = &account.people;
        let members = self.members.iter().flatten().chain(&self.others);
        let subscribed = self.subscribers.iter().map(|jid| jid::bare(jid));
        let recorded = people
            .iter()
            .filter(|(_, contact)| !self.lists_subscribers && !contact.jids.is_empty())
            .map(|(account, _)| account);
        let all = members.map(|it| &**it).chain(subscribed).chain(recorded);
        let is_stranger = |it: &&str| *it != account.bare() && !people.may_see(it);
        let strangers: BTreeSet<&str> = all.filter(is_stranger).collect();
        strangers.into_iter().map(Box::from).collect()
    }

    /// Has `account` looked at later: it may be approved by then.
    pub(super) fn doubt(&mut self, account: &str, now: Duration) {
        self.doubted.insert(account.into(), now + DOUBT);
    }

    /// Whether an account that `is_meant` selects is a recipient, or is just being let in.
    pub(super) fn lets_in(&self, is_meant: impl Fn(&str) -> bool, wire: &Wire) -> bool {
        let granting = being_granted(wire);
        let members = self.members.iter().flatten().chain(&self.others);
        let subscribed = self.subscribers.iter().map(|jid| jid::bare(jid));
        let mut all = members
            .chain(granting)
            .map(|account| &**account)
            .chain(subscribed);
        all.any(is_meant)
    }

    /// Forgets doubts about accounts that have an approval now.
    pub(super) fn settle_doubts(&mut self, people: &People) {
        self.doubted.retain(|member, _| !people.may_see(member));
    }

    /// Takes out the doubted accounts that are due.
    pub(super) fn due_doubts(&mut self, now: Duration) -> Vec<Box<str>> {
        let due = self.doubted.iter().filter(|(_, at)| **at <= now);
        let due: Vec<_> = due.map(|(member, _)| member.clone()).collect();
        self.doubted.retain(|_, at| *at > now);
        due
    }

    /// Has a contact made a member, and subscribed if it has a shim and is not subscribed.
    pub(super) fn want(&mut self, account: &str, is_marked: bool, wire: &Wire) {
        let is_member = self
            .members
            .as_ref()
            .is_some_and(|members| members.contains(account));
        if !is_member && !being_granted(wire).any(|other| **other == *account) {
            self.waiting.push(account);
        }
        if is_member && is_marked {
            self.want_subscribed(account);
        }
    }

    /// Has a member subscribed, unless it is subscribed.
    pub(super) fn want_subscribed(&mut self, account: &str) {
        if self.subscribers.insert(account.into()) {
            self.unsubscribed.push_back(account.into());
        }
    }

    /// Whether something waits to be asked.
    pub(super) fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.unsubscribed.is_empty()
    }

    /// When doubted members are to be looked at again.
    pub(super) fn again_at(&self) -> Option<Duration> {
        self.doubted.values().min().copied()
    }

    /// Sends as many requests as may go now, for contacts that may still see us; gives the accounts subscribed.
    pub(super) fn work(&mut self, cx: &mut Cx<'_>) -> Vec<Box<str>> {
        let mut subscribed = Vec::new();
        while self.has_work() && cx.wire.may_work() {
            if self.waiting.is_empty() {
                if let Some(account) = self.unsubscribed.pop_front()
                    && cx.account.people.may_see(&account)
                {
                    cx.wire.apply(&rules::APPROVE);
                    set_subscription(&account, true, cx.wire);
                    subscribed.push(account);
                }
                continue;
            }
            let mut batch = self.next_batch();
            batch.retain(|account| cx.account.people.may_see(account));
            if !batch.is_empty() {
                self.grant(batch, cx.wire);
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
        wire.apply(&rules::MEMBER);
        let sent = wire.request("set", None, Ask::Grant(accounts.clone()), |out| {
            let accounts = accounts.iter().map(|account| &**account);
            request::set_affiliation(out, PRESENCE, accounts, "member");
        });
        if !sent {
            self.wait(accounts);
        }
    }

    /// Has accounts made members later.
    fn wait(&mut self, accounts: Vec<Box<str>>) {
        for account in accounts {
            self.waiting.push(&account);
        }
    }

    /// Handles the answer to a grant: a new member with a shim has to be subscribed.
    pub(super) fn handle_grant(
        &mut self,
        accounts: Vec<Box<str>>,
        reply: Reply<'_>,
        cx: &mut Cx<'_>,
    ) {
        match reply {
            // All these contacts were taken out meanwhile.
            _ if accounts.is_empty() => {}
            Ok(_) => {
                for account in accounts {
                    let contact = cx.account.people.get(&account);
                    if contact.is_some_and(|contact| contact.is_marked) {
                        self.want_subscribed(&account);
                    }
                    self.members.get_or_insert_default().insert(account);
                }
            }
            // One contact may be at fault: each is requested by itself.
            Err(_) if accounts.len() > 1 => {
                self.alone.extend(accounts.iter().cloned());
                self.wait(accounts);
            }
            Err(refused) => cx.wire.log(Event::ApprovalFailed {
                whom: accounts.into_iter().map(String::from).collect(),
                reason: refused.to_string(),
            }),
        }
    }

    /// Makes `account` a member at once, unless it is one.
    pub(super) fn let_in(&mut self, account: &str, wire: &mut Wire) {
        self.is_stale = true;
        let members = self.members.as_ref();
        if !members.is_some_and(|members| members.contains(account)) {
            self.waiting.remove(account);
            self.grant(vec![account.into()], wire);
        }
    }

    /// Notes JIDs as subscribed, after a question about them was answered with yes.
    pub(super) fn note_subscribed(&mut self, jids: &[Box<str>]) {
        self.subscribers.extend(jids.iter().cloned());
    }

    /// Forgets `account` as member and subscriber, as it is being revoked.
    pub(super) fn forget(&mut self, account: &str, wire: &mut Wire) {
        self.is_stale = true;
        self.waiting.remove(account);
        self.unsubscribed.retain(|waiting| **waiting != *account);
        for asked in wire.asked_mut() {
            if let translate::Ask::Contacts(Ask::Grant(granting)) = asked {
                granting.retain(|waiting| **waiting != *account);
            }
        }
        self.subscribers
            .retain(|jid| jid::prepared(jid::bare(jid)) != account);
        self.others.remove(account);
        if let Some(members) = &mut self.members {
            members.remove(account);
        }
    }
}

/// How answers of the node's owner side are to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// An unavailable list counts as empty: under `pure` the roster is made of the lists that exist.
    pub(super) is_lenient: bool,
    /// The node was made in this session.
    pub(super) is_new: bool,
}

impl Standing {
    /// Whether an error means an empty list, or a list that this server never gives.
    fn is_final(self, refused: Refused<'_>) -> bool {
        let is_missing = refused == Refused::With("item-not-found");
        let is_told = refused != Refused::NoList && (self.is_new || refused.is_unsupported());
        self.is_lenient || is_told || is_missing
    }
}

/// Accounts being made members.
fn being_granted(wire: &Wire) -> impl Iterator<Item = &Box<str>> {
    let granting = wire.asked().filter_map(|asked| match asked {
        translate::Ask::Contacts(Ask::Grant(accounts)) => Some(accounts),
        _ => None,
    });
    granting.flatten()
}

/// Sets the subscription of `jid` to our node, as its owner.
pub(super) fn set_subscription(jid: &str, is_subscribed: bool, wire: &mut Wire) {
    let state = if is_subscribed { "subscribed" } else { "none" };
    wire.tell("set", None, |out| {
        request::set_subscription(out, PRESENCE, jid, state);
    });
}

/// The subscribers of the own node, and JIDs that ask to be.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    pub(super) subscribed: HashSet<Box<str>>,
    pub(super) pending: HashSet<Box<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Seed;

    #[test]
    fn the_contacts_of_a_large_roster_wait_to_be_members() {
        // More than could be done if each were compared with all that wait.
        let wire = Wire::new(Seed([0; 32]), Duration::ZERO, Duration::ZERO);
        let mut members = Members::default();
        for n in 0..300_000 {
            members.want(&format!("u{n}@capulet.lit"), true, &wire);
        }
        assert!(members.has_work());
    }
}
