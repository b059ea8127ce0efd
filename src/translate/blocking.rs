//! Whom the user has blocked (XEP-0191): nobody of them may see the own node.

use std::collections::HashSet;
use std::time::Duration;

use super::Purpose;
use super::Wire;
use super::contacts::Contacts;
use super::inquiry::Inquiry;
use crate::jid;
use crate::ns;
use crate::wire::{Refused, Reply};
use crate::xml::Element;

/// So many requests of the client's may wait for their answers.
const MOST_REQUESTS: usize = 16;
/// So long an answer to one of them is waited for.
const MOST_PATIENCE: Duration = Duration::from_secs(60);
/// What is not known if the list is not.
const LIST: &str = "whom you have blocked";
/// So many JIDs are remembered: as many as a list may have that is read at all.
const MOST_BLOCKED: usize = 65_536;

/// What is known of one session.
#[derive(Debug, Default)]
pub(super) struct Blocking {
    /// As the server writes them, in lower case.
    list: HashSet<Box<str>>,
    /// Whom the privacy list in force blocks (XEP-0016).
    by_privacy_list: HashSet<Box<str>>,
    inquiry: Inquiry,
    /// The client has asked for the list, so it expects pushes.
    client_has_list: bool,
    /// Requests of the client's that are not answered, oldest first.
    requests: Vec<Request>,
}

#[derive(Debug)]
struct Request {
    id: Box<str>,
    change: Change,
    /// If it is not answered by then, the list tells what became of it.
    deadline: Duration,
    /// The list was asked for after that.
    is_looked_up: bool,
}

#[derive(Debug)]
enum Change {
    Block(Vec<Box<str>>),
    /// Nobody named: everybody.
    Unblock(Vec<Box<str>>),
}

impl Change {
    fn blocks(&self) -> &[Box<str>] {
        match self {
            Self::Block(jids) => jids,
            Self::Unblock(_) => &[],
        }
    }
}

impl Blocking {
    /// Whether `account` is blocked, itself or with its whole domain. A block counts as soon as the client
    /// has asked for it, its end only once the server has agreed to it.
    pub(super) fn is_blocked(&self, account: &str) -> bool {
        let being_blocked = || self.requests.iter().flat_map(|one| one.change.blocks());
        [account, jid::domain(account)].iter().any(|jid| {
            self.list.contains(*jid)
                || self.by_privacy_list.contains(*jid)
                || being_blocked().any(|other| **other == **jid)
        })
    }

    /// Whether the client waits for the server to block somebody.
    pub(super) fn is_blocking(&self) -> bool {
        let mut requests = self.requests.iter();
        requests.any(|request| !request.change.blocks().is_empty())
    }

    /// Whom the client has asked to block, as far as that is not answered.
    pub(super) fn being_blocked(&self) -> Vec<Box<str>> {
        let changes = self.requests.iter().map(|request| &request.change);
        changes.flat_map(Change::blocks).cloned().collect()
    }

    /// Whether `account` may see our node: by the account's records, and not blocked.
    pub(super) fn lets_see(&self, contacts: &Contacts, account: &str) -> bool {
        contacts.may_see(account) && !self.is_blocked(account)
    }

    /// The privacy list in force denies these everything: ejabberd keeps its block list as one.
    pub(super) fn set_by_privacy_list(&mut self, blocked: &[Box<str>]) {
        self.by_privacy_list = blocked.iter().take(MOST_BLOCKED).cloned().collect();
    }

    /// Whether the list of the account is known.
    pub(super) fn is_known(&self) -> bool {
        self.inquiry.is_known()
    }

    /// Asks for the list, if it is time to.
    pub(super) fn ask(&mut self, wire: &mut Wire) {
        if self.inquiry.is_due(wire.now) {
            let asked = wire.request("get", None, Purpose::Blocklist, |out| {
                out.extend_from_slice(b"<blocklist xmlns='urn:xmpp:blocking'/>");
            });
            self.inquiry.note_asked(asked);
            for request in &mut self.requests {
                request.is_looked_up |= asked && request.deadline <= wire.now;
            }
        }
    }

    /// Has the list asked for anew if a request of the client's was not answered in time.
    pub(super) fn work(&mut self, wire: &mut Wire) {
        let is_overdue = |request: &Request| request.deadline <= wire.now && !request.is_looked_up;
        if self.requests.iter().any(is_overdue) {
            if self.inquiry.is_known() {
                self.inquiry.reopen();
            }
            self.ask(wire);
        }
    }

    /// When [`work`](Self::work) goes on, if not by an answer.
    pub(super) fn again_at(&self, now: Duration) -> Option<Duration> {
        let deadlines = self.requests.iter().map(|request| request.deadline);
        deadlines.filter(|deadline| *deadline > now).min()
    }

    /// What became of the question for the list.
    pub(super) fn inquiry(&self) -> &Inquiry {
        &self.inquiry
    }

    /// Has it asked again at once if it has failed.
    pub(super) fn hasten(&mut self) {
        self.inquiry.hasten();
    }

    /// Takes the answer to [`ask`](Self::ask); a server that has none blocks nobody. If it tells what became
    /// of requests that were not answered: whom these have blocked.
    pub(super) fn handle_list(
        &mut self,
        reply: Reply<'_>,
        wire: &mut Wire,
    ) -> Option<Vec<Box<str>>> {
        match reply.map(|iq| iq.child(ns::BLOCKING, "blocklist")) {
            Ok(Some(list)) => {
                self.inquiry.note_known();
                let jids = jids_in(&list);
                // Not every server tells of changes before this question.
                self.list.clear();
                self.add(&jids);
            }
            Err(refused) if refused.is_unsupported() => self.inquiry.note_known(),
            Ok(None) => self.inquiry.fail(LIST, Refused::NoList, wire),
            Err(refused) => self.inquiry.fail(LIST, refused, wire),
        }
        let is_told = |request: &Request| request.is_looked_up;
        if !self.inquiry.is_known() || !self.requests.iter().any(is_told) {
            return None;
        }
        let told = self.requests.extract_if(.., |request| request.is_looked_up);
        let blocks = told.flat_map(|request| request.change.blocks().to_vec());
        let mut blocked: Vec<_> = blocks.collect();
        blocked.retain(|jid| self.list.contains(jid));
        Some(blocked)
    }

    /// Looks at a request of the client's. If too many wait, the oldest counts as agreed to: whom that blocks.
    pub(super) fn note_request(&mut self, iq: &Element<'_>, wire: &Wire) -> Vec<Box<str>> {
        self.client_has_list |= iq.child(ns::BLOCKING, "blocklist").is_some();
        if iq.attribute("type").as_deref() != Some("set") {
            return Vec::new();
        }
        let change = if let Some(block) = iq.child(ns::BLOCKING, "block") {
            Change::Block(jids_in(&block))
        } else if let Some(unblock) = iq.child(ns::BLOCKING, "unblock") {
            Change::Unblock(jids_in(&unblock))
        } else {
            return Vec::new();
        };
        let id = iq.attribute("id").unwrap_or_default();
        self.requests.push(Request {
            id: (*id).into(),
            change,
            deadline: wire.now + MOST_PATIENCE,
            is_looked_up: false,
        });
        if self.requests.len() <= MOST_REQUESTS {
            return Vec::new();
        }
        match self.requests.remove(0).change {
            block @ Change::Block(_) => self.change(block),
            Change::Unblock(_) => Vec::new(),
        }
    }

    /// Whether an answer for the client is waited for.
    pub(super) fn is_waiting(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Looks at an answer for the client; whoever is blocked from now on.
    pub(super) fn note_answer(&mut self, iq: &Element<'_>) -> Vec<Box<str>> {
        let id = iq.attribute("id").unwrap_or_default();
        let Some(at) = self.requests.iter().position(|one| *one.id == *id) else {
            return Vec::new();
        };
        let Request { change, .. } = self.requests.remove(at);
        if iq.attribute("type").as_deref() != Some("result") {
            return Vec::new();
        }
        self.change(change)
    }

    /// Takes a push about the list, which another resource may have caused (XEP-0191 §3.4): whoever is
    /// blocked from now on, and whether the client must not see it.
    pub(super) fn handle_push(&mut self, iq: &Element<'_>) -> (Vec<Box<str>>, bool) {
        let blocked = if let Some(block) = iq.child(ns::BLOCKING, "block") {
            self.change(Change::Block(jids_in(&block)))
        } else if let Some(unblock) = iq.child(ns::BLOCKING, "unblock") {
            self.change(Change::Unblock(jids_in(&unblock)))
        } else {
            return (Vec::new(), false);
        };
        // The server sends it because of our question; a client that never asked would wonder.
        (blocked, !self.inquiry.is_new() && !self.client_has_list)
    }

    fn change(&mut self, change: Change) -> Vec<Box<str>> {
        match change {
            Change::Block(jids) => {
                self.add(&jids);
                jids
            }
            Change::Unblock(jids) if jids.is_empty() => {
                self.list.clear();
                Vec::new()
            }
            Change::Unblock(jids) => {
                for jid in &jids {
                    self.list.remove(jid);
                }
                Vec::new()
            }
        }
    }

    fn add(&mut self, jids: &[Box<str>]) {
        let room = MOST_BLOCKED.saturating_sub(self.list.len());
        self.list.extend(jids.iter().take(room).cloned());
    }
}

/// Whom a list names. A client may write what the server has prepared: `Romeo@Montague.lit`.
fn jids_in(list: &Element<'_>) -> Vec<Box<str>> {
    let jids = list.children().filter_map(|item| item.attribute("jid"));
    jids.map(|jid| jid::prepared(&jid).into()).collect()
}
