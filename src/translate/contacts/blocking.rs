//! The block list (XEP-0191): questions, the client's changes, pushes.

use std::time::Duration;

use super::{Ask, Contacts};
use crate::jid;
use crate::ns;
use crate::translate::block_list::{BlockList, Blocked};
use crate::translate::inquiry::Inquiry;
use crate::translate::{Cx, Verdict};
use crate::wire::{Refused, Reply};
use crate::xml::Element;

/// Requests of the client's that may wait for their answers.
const MOST_REQUESTS: usize = 16;
/// How long an answer to one of them is waited for.
const MOST_PATIENCE: Duration = Duration::from_secs(60);
/// Named in the log while the block list is not known.
const LIST: &str = "whom you have blocked";

/// The block list in one session.
#[derive(Debug, Default)]
pub(super) struct Blocking {
    pub(super) inquiry: Inquiry,
    /// Requests of the client's that are not answered, oldest first.
    requests: Vec<Request>,
}

#[derive(Debug)]
struct Request {
    id: Box<str>,
    change: Change,
    /// After this time without an answer, the block list is read to learn whether the request took effect.
    deadline: Duration,
    /// The block list was asked for after the deadline.
    is_looked_up: bool,
}

#[derive(Debug)]
enum Change {
    Block(Vec<Box<str>>),
    /// Without JIDs: unblocks everybody.
    Unblock(Vec<Box<str>>),
}

impl Change {
    /// The change that a request or a push tells of.
    fn of(iq: &Element<'_>) -> Option<Self> {
        let block = iq.child(ns::BLOCKING, "block");
        let block = block.map(|it| Self::Block(jids_in(&it)));
        let unblock = || iq.child(ns::BLOCKING, "unblock");
        block.or_else(|| unblock().map(|it| Self::Unblock(jids_in(&it))))
    }

    fn blocks(&self) -> &[Box<str>] {
        match self {
            Self::Block(jids) => jids,
            Self::Unblock(_) => &[],
        }
    }

    /// Applies the change to the list; gives the JIDs it blocks.
    fn apply(self, list: &mut BlockList) -> Vec<Box<str>> {
        match self {
            Self::Block(jids) => {
                list.add(&jids);
                return jids;
            }
            Self::Unblock(jids) if jids.is_empty() => list.clear(),
            Self::Unblock(jids) => list.remove(&jids),
        }
        Vec::new()
    }
}

impl Blocking {
    /// Asks for the block list, if it is time to.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        if self.inquiry.is_due(now) {
            let asked = cx.wire.request("get", None, Ask::Blocklist, |out| {
                out.extend_from_slice(b"<blocklist xmlns='urn:xmpp:blocking'/>");
            });
            self.inquiry.note_asked(asked);
            for request in &mut self.requests {
                request.is_looked_up |= asked && request.deadline <= now;
            }
        }
    }

    /// Has the block list read again if a request of the client's was not answered in time.
    pub(super) fn work(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        let is_overdue = |request: &Request| request.deadline <= now && !request.is_looked_up;
        if self.requests.iter().any(is_overdue) {
            if self.inquiry.is_known() {
                self.inquiry.reopen();
            }
            self.ask(cx);
        }
    }

    /// When [`work`](Self::work) goes on, if no answer comes first.
    pub(super) fn again_at(&self, now: Duration) -> Option<Duration> {
        let deadlines = self.requests.iter().map(|request| request.deadline);
        deadlines.filter(|deadline| *deadline > now).min()
    }

    /// Handles the answer to [`ask`](Self::ask); a server without block lists blocks nobody. If the list was read for
    /// requests without an answer, gives the JIDs these have blocked.
    pub(super) fn handle_list(
        &mut self,
        reply: Reply<'_>,
        cx: &mut Cx<'_>,
    ) -> Option<Vec<Box<str>>> {
        let list = &mut cx.account.people.blocked;
        match reply.map(|iq| iq.child(ns::BLOCKING, "blocklist")) {
            Ok(Some(blocked)) => {
                self.inquiry.note_known();
                // Some servers push no changes before this question, so the old list may be out of date.
                list.clear();
                list.add(&jids_in(&blocked));
            }
            Err(refused) if refused.is_unsupported() => self.inquiry.note_known(),
            Ok(None) => self.inquiry.fail(LIST, Refused::NoList, cx.wire),
            Err(refused) => self.inquiry.fail(LIST, refused, cx.wire),
        }
        let is_told = |request: &Request| request.is_looked_up;
        if !self.inquiry.is_known() || !self.requests.iter().any(is_told) {
            return None;
        }
        let told = self.requests.extract_if(.., |request| request.is_looked_up);
        let blocks = told.flat_map(|request| request.change.blocks().to_vec());
        let mut blocked: Vec<_> = blocks.collect();
        blocked.retain(|jid| list.names(jid));
        self.tell(list);
        Some(blocked)
    }

    /// Notes a request of the client's. If too many wait, the oldest counts as agreed to: gives the JIDs it blocks.
    pub(super) fn note_request(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) -> Vec<Box<str>> {
        if iq.attribute("type").as_deref() != Some("set") {
            return Vec::new();
        }
        let Some(change) = Change::of(iq) else {
            return Vec::new();
        };
        let id = iq.attribute("id").unwrap_or_default();
        self.requests.push(Request {
            id: (*id).into(),
            change,
            deadline: cx.wire.now + MOST_PATIENCE,
            is_looked_up: false,
        });
        let list = &mut cx.account.people.blocked;
        let mut blocked = Vec::new();
        if self.requests.len() > MOST_REQUESTS
            && let block @ Change::Block(_) = self.requests.remove(0).change
        {
            blocked = block.apply(list);
        }
        self.tell(list);
        blocked
    }

    /// Notes an answer to the client; if it is about the block list, gives the JIDs blocked from now on.
    pub(super) fn note_answer(
        &mut self,
        iq: &Element<'_>,
        list: &mut BlockList,
    ) -> Option<Vec<Box<str>>> {
        let id = iq.attribute("id").unwrap_or_default();
        let at = self.requests.iter().position(|one| *one.id == *id)?;
        let Request { change, .. } = self.requests.remove(at);
        self.tell(list);
        match iq.attribute("type").as_deref() {
            Some("result") => Some(change.apply(list)),
            _ => Some(Vec::new()),
        }
    }

    /// Handles a push of the block list, which another resource may have caused (XEP-0191 §3.4): gives the JIDs
    /// blocked from now on. `is_shown`: the client has the list, and expects pushes.
    pub(super) fn handle_push(
        &self,
        iq: &Element<'_>,
        is_shown: bool,
        list: &mut BlockList,
    ) -> (Vec<Box<str>>, Verdict) {
        let Some(change) = Change::of(iq) else {
            return (Vec::new(), Verdict::Pass);
        };
        // The server pushes because of our question; this client never asked and expects no push.
        let verdict = match !self.inquiry.is_new() && !is_shown {
            true => Verdict::Taken,
            false => Verdict::Pass,
        };
        (change.apply(list), verdict)
    }

    /// Tells `list` which JIDs the client waits to have blocked.
    fn tell(&self, list: &mut BlockList) {
        let changes = self.requests.iter().map(|request| &request.change);
        list.set_asked(changes.flat_map(Change::blocks).cloned().collect());
    }
}

impl Contacts {
    /// Handles a request of the client's about its block list, which passes.
    pub(in crate::translate) fn handle_blocking(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) {
        self.shown.has_block_list |= iq.child(ns::BLOCKING, "blocklist").is_some();
        let blocked = self.blocking.note_request(iq, cx);
        self.handle_blocked(&blocked, true, cx);
    }

    /// Handles a push of the own server about the block list.
    pub(in crate::translate) fn block_list_push(
        &mut self,
        iq: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> Verdict {
        let list = &mut cx.account.people.blocked;
        let asked = list.asked().to_vec();
        let is_shown = self.shown.has_block_list;
        let (blocked, verdict) = self.blocking.handle_push(iq, is_shown, list);
        let (own, others): (Vec<_>, Vec<_>) =
            blocked.into_iter().partition(|jid| asked.contains(jid));
        self.handle_blocked(&own, true, cx);
        self.handle_blocked(&others, false, cx);
        if verdict == Verdict::Taken {
            cx.wire.answer_result(iq);
        }
        verdict
    }

    /// Handles a change of the JIDs that the privacy list in force blocks.
    pub(in crate::translate) fn handle_privacy_list(&mut self, blocked: &Blocked, cx: &mut Cx<'_>) {
        cx.account.people.blocked.set_by_privacy_list(&blocked.all);
        self.handle_blocked(&blocked.new, false, cx);
    }

    /// Ends the subscriptions of newly blocked JIDs, and lets unblocked contacts in again. `is_own`: this client has
    /// asked for the block.
    pub(super) fn handle_blocked(&mut self, blocked: &[Box<str>], is_own: bool, cx: &mut Cx<'_>) {
        for jid in blocked {
            // On servers that do not list subscribers, a domain's accounts are revoked by name.
            for account in cx.account.people.of_domain(jid) {
                if cx.account.people.is_approved(&account) {
                    let goodbye = self.goodbye(&account, is_own, cx);
                    self.take_out(&account, goodbye, cx);
                }
            }
            let goodbye = self.goodbye(jid, is_own, cx);
            self.take_out(jid, goodbye, cx);
        }
        self.hold_publishes(cx);
        if cx.account.is_caught_up || self.gate.is_compared() {
            self.members.want_missing(&cx.account.people);
        }
        if cx.account.is_caught_up {
            self.follow_marked(cx);
        }
    }
}

/// The JIDs of a list, prepared: a client may write `Romeo@Montague.lit`.
fn jids_in(list: &Element<'_>) -> Vec<Box<str>> {
    let jids = list.children().filter_map(|item| item.attribute("jid"));
    jids.map(|jid| jid::prepared(&jid).into()).collect()
}
