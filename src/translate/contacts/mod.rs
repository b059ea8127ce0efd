//! Subscriptions and the roster (listings 5 to 11): who may see us, and whom we see.
//!
//! | file | holds | listings |
//! |---|---|---|
//! | `audience.rs` | **who may see us**: when something may be published, who is taken out | 3, 10, 11 |
//! | `requests.rs` | who asks to see us, from a service's question to its answer | 10, 11 |
//! | `subscriptions.rs` | subscription stanzas, and what services say of subscriptions | 5–7, 9 |
//! | `native.rs` | the roster under `auto` | |
//! | `paced.rs` | native subscription stanzas, as fast as the server takes them | 5, 7 |
//! | `pure.rs` | subscription stanzas and roster sets under `pure` | 5–11 |
//! | `roster.rs` | the roster under `pure` | 8 |
//! | `record/` | the record of contacts on a private node | 8 |
//! | `members.rs`, `revoke.rs` | members and subscribers of our node | 10, 11 |
//! | `follow.rs` | our subscriptions to contacts' nodes | 9 |
//! | `blocking.rs` | the block list | |
//! | `catch_up.rs` | steps taken once after the client became available | |

mod audience;
mod blocking;
mod catch_up;
mod follow;
mod members;
mod native;
mod paced;
mod pure;
mod record;
mod requests;
mod revoke;
mod roster;
mod subscriptions;

use std::collections::HashSet;
use std::time::Duration;

use audience::Gate;
use blocking::Blocking;
use catch_up::CatchUp;
use follow::Follow;
use members::Members;
use native::NativeRoster;
use paced::Paced;
use record::Record;
use requests::Requests;
use revoke::Revocations;
use roster::ClientRoster;

use super::account::Account;
use super::node::Step;
use super::relation::{Half, Kind};
use super::{Cx, Verdict, Wire};
use crate::jid;
use crate::ns;
use crate::policy::Policy;
use crate::pubsub::{PRESENCE, Question};
use crate::wire::{Reply, error_condition};
use crate::xml::Element;

/// The purpose of an IQ of ours.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Reads the roster.
    Roster,
    /// Reads the block list.
    Blocklist,
    /// Lists the members of our node.
    Members,
    /// Lists the subscribers of our node.
    Subscribers,
    /// Makes contacts members of our node.
    Grant(Vec<Box<str>>),
    /// Lists the subscribers once more, to confirm that revoked ones are out.
    StillSubscribed,
    /// Ends a subscription to our node, or an affiliation with it.
    Revoked(revoke::Change),
    /// Subscribes to the node of this contact.
    Follow(Box<str>, follow::Question),
    /// A step of making and verifying the private node.
    RecordNode(Step),
    /// Reads the record of contacts.
    RecordItems,
    /// Writes to the record.
    Recorded,
}

impl From<Ask> for super::Ask {
    fn from(ask: Ask) -> Self {
        Self::Contacts(ask)
    }
}

/// The source of relations: who may see us and whom we see.
enum Book {
    /// The server's roster (`auto`): native stanzas change it, pubsub follows.
    Native,
    /// The record and the subscribers of our node (`pure`): pubsub alone.
    Pubsub(pure::Held),
}

impl Book {
    /// Whether we are to be subscribed to the node of `who`. Under `auto` the contact must have a shim, and must be
    /// allowed to know that the client is there: a subscription is visible to the node's owner, on some servers as a
    /// question.
    fn follows(&self, account: &Account, who: &str) -> bool {
        let people = &account.people;
        people.get(who).is_some_and(|contact| match self {
            Self::Pubsub(_) => contact.relation.to != Half::No,
            Self::Native => {
                let is_shown = account.status.is_available && people.may_see(who);
                contact.relation.to == Half::Yes
                    && contact.is_marked
                    && (is_shown || contact.is_directed)
            }
        })
    }
}

/// The contacts of one session.
pub(super) struct Contacts {
    book: Book,
    members: Members,
    revocations: Revocations,
    follow: Follow,
    blocking: Blocking,
    native: NativeRoster,
    paced: Paced,
    record: Record,
    catch_up: CatchUp,
    gate: Gate,
    requests: Requests,
    shown: Shown,
}

/// State of this client's stream: another stream of the account begins without it.
#[derive(Default)]
struct Shown {
    /// The client's roster under `pure`.
    roster: ClientRoster,
    /// Accounts whose errors the client was shown: they cannot be reached.
    unreachable: HashSet<Box<str>>,
    /// The client has asked the server for its roster, so it expects roster pushes.
    has_native_roster: bool,
    /// The client has asked for its block list, so it expects its pushes.
    has_block_list: bool,
}

impl Contacts {
    pub(super) fn new(policy: Policy) -> Self {
        let (book, gate) = match policy {
            Policy::Pure => (Book::Pubsub(pure::Held::default()), Gate::Absent),
            Policy::Auto | Policy::Off => (Book::Native, Gate::default()),
        };
        Self {
            book,
            members: Members::default(),
            revocations: Revocations::default(),
            follow: Follow::default(),
            blocking: Blocking::default(),
            native: NativeRoster::default(),
            paced: Paced::default(),
            record: Record::new(policy),
            catch_up: CatchUp::default(),
            gate,
            requests: Requests::default(),
            shown: Shown::default(),
        }
    }

    /// Reads the record and the subscribers when they are first needed (`pure`).
    pub(super) fn need(&mut self, cx: &mut Cx<'_>) {
        if let Book::Pubsub(_) = self.book {
            cx.account.node.prepare(cx.wire);
            self.record.load(cx.wire);
        }
    }

    /// Handles a change of the client's availability.
    pub(super) fn handle_availability(&mut self, was_available: bool, cx: &mut Cx<'_>) {
        self.show_requests(cx);
        match (was_available, cx.account.status.is_available) {
            (true, false) => cx.account.people.forget_directed(),
            (false, true) if cx.account.is_caught_up => self.follow_marked(cx),
            _ => {}
        }
        self.open_gate(cx);
    }

    /// Handles an IQ of the client's about its roster, taken under `pure`, or about nodes `presence`.
    pub(super) fn client_iq(&mut self, iq: &Element<'_>, is_own: bool, cx: &mut Cx<'_>) -> Verdict {
        if let Some(query) = iq.child(ns::ROSTER, "query") {
            if let Book::Pubsub(_) = self.book {
                self.handle_roster_iq(iq, &query, is_own, cx);
                return Verdict::Taken;
            }
            if is_own {
                self.handle_roster_set(iq, &query, cx);
            }
            self.shown.has_native_roster = true;
            self.native.note_request(iq, cx.wire.now);
        }
        native::note_own_subscriptions(iq, &mut cx.account.people);
        Verdict::Pass
    }

    /// Handles a native presence that manages a subscription, or an error that answers such a stanza.
    pub(super) fn server_presence(&mut self, presence: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        let is_taken = match presence.attribute("type").as_deref() {
            None => false,
            Some("error") => {
                error_condition(presence) == "not-acceptable"
                    && self.paced.handle_bounce(presence, cx.wire)
            }
            Some(kind) => Kind::of(kind)
                .is_some_and(|kind| self.handle_server_subscription(kind, presence, cx)),
        };
        match is_taken {
            true => Verdict::Taken,
            false => Verdict::Pass,
        }
    }

    /// Notes a native presence that tells the state of the resource `full`.
    pub(super) fn note_native(
        &mut self,
        full: &str,
        is_there: bool,
        is_marked: bool,
        cx: &mut Cx<'_>,
    ) {
        let account = jid::bare(full);
        cx.account.people.note_native(account, is_marked);
        if is_there && is_marked && account != cx.account.bare() {
            self.follow_marker(account, cx);
        }
    }

    /// Looks at the own server's answer to a request of the client's.
    pub(super) fn note_answer(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) {
        let list = &mut cx.account.people.blocked;
        if let Some(blocked) = self.blocking.note_answer(iq, list) {
            self.handle_blocked(&blocked, true, cx);
        }
        let removed = self.native.note_removed(iq, &mut cx.account.people);
        self.handle_removed(removed, cx);
        if self.native.note_answer(iq, cx) {
            self.handle_contacts_known(cx);
        }
    }

    /// Asks for the roster while events or questions wait for it.
    pub(super) fn ask_if_awaited(&mut self, cx: &mut Cx<'_>) {
        let is_awaited = cx.account.people.is_awaited || self.requests.is_holding();
        if is_awaited && !cx.account.people.is_known() {
            self.ask_contacts(cx);
        }
    }

    /// Asks for the roster under `auto`; under `pure`, [`need`](Self::need) does.
    fn ask_contacts(&mut self, cx: &mut Cx<'_>) {
        if let Book::Native = self.book {
            self.native.ask(cx);
        }
    }

    /// Whether the own account or server may have asked this question, about the node `presence`.
    pub(super) fn owns(&self, question: &Question, cx: &Cx<'_>) -> bool {
        let (service, own) = (&*question.service, cx.account.bare());
        (service == own || service == cx.account.domain())
            && *question.node == *PRESENCE
            && question.is_well_formed()
            && question.account() != own
    }

    /// Handles the answer to an IQ of ours.
    pub(super) fn reply(&mut self, ask: Ask, reply: Reply<'_>, cx: &mut Cx<'_>) {
        match ask {
            Ask::Roster => {
                self.native.handle_roster(reply, cx);
                self.handle_contacts_known(cx);
            }
            Ask::Follow(account, question) => {
                let outcome = self.follow.handle_reply(&account, question, reply, cx);
                self.handle_followed(&account, outcome, cx);
            }
            Ask::Grant(accounts) => self.members.handle_grant(accounts, reply, cx),
            Ask::Members => {
                let standing = self.standing(cx);
                self.members.handle_members(reply, standing, cx.wire);
            }
            Ask::Subscribers => self.handle_listed(reply, cx),
            Ask::Blocklist => {
                let blocked = self.blocking.handle_list(reply, cx);
                self.handle_contacts_known(cx);
                if let Some(blocked) = blocked {
                    self.handle_blocked(&blocked, true, cx);
                }
            }
            Ask::StillSubscribed => self.handle_revoking(reply, cx),
            Ask::Revoked(change) => {
                self.revocations.handle_revoked(&change, reply);
                self.work_at_revocations(cx);
            }
            Ask::RecordNode(step) => {
                let written = self.record.handle_node(step, reply, cx.account, cx.wire);
                if let Some(written) = written {
                    self.answer_written(written, cx);
                }
                self.answer_rosters(cx);
            }
            Ask::RecordItems => {
                let people = &mut cx.account.people;
                self.record.handle_items(reply, people, cx.wire);
                self.work_at_revocations(cx);
                self.start_pure(cx);
            }
            Ask::Recorded => {
                let people = &cx.account.people;
                if let Some(written) = self.record.handle_written(reply, people, cx.wire) {
                    self.answer_written(written, cx);
                }
            }
        }
    }

    /// Handles the answer to a step of making and verifying the node `presence`.
    pub(super) fn handle_node(&mut self, step: Step, reply: Reply<'_>, cx: &mut Cx<'_>) {
        if matches!((step, reply), (Step::Create(_), Ok(_))) {
            self.members.note_new_node();
        }
        if cx.account.node.is_ready() {
            self.answer_approved(cx);
        }
        if matches!(self.book, Book::Pubsub(_)) && cx.account.node.is_settled() {
            self.members.ask(cx.wire);
        }
    }

    fn handle_contacts_known(&mut self, cx: &mut Cx<'_>) {
        if cx.account.people.is_known() {
            cx.account.people.is_awaited = false;
            self.release_questions(cx);
        } else if self.catch_up == CatchUp::NeedsContacts && !cx.account.is_caught_up {
            self.ask_contacts(cx);
        }
    }

    /// Sends the questions that tell who may see us, as far as they may go now.
    pub(super) fn learn(&mut self, cx: &mut Cx<'_>) {
        self.paced.work(cx.wire);
        self.record.work(&cx.account.people, cx.wire);
        self.ask_overdue(cx);
        self.blocking.work(cx);
        self.work_at_gate(cx);
    }

    /// Repeats questions that failed some time ago.
    fn ask_overdue(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        let deadline = self.native.deadline(&cx.account.people);
        if deadline.is_some_and(|until| until <= now) {
            let removed = self.native.end_removals(Some(now), &mut cx.account.people);
            self.handle_removed(removed, cx);
        }
        if cx.account.people.inquiry.is_overdue(now) || self.native.is_unanswered(now) {
            self.native.ask(cx);
        }
        if self.blocking.inquiry.is_overdue(now) {
            self.blocking.ask(cx);
        }
        if self.record.inquiry.is_overdue(now) {
            self.record.read(cx.wire);
        }
    }

    /// Does work that can wait, as far as it may go now.
    pub(super) fn work(&mut self, cx: &mut Cx<'_>) {
        self.look_at_contacts(cx);
        self.look_at_strangers(cx);
        self.work_at_revocations(cx);
        if cx.account.status.may_be_hidden {
            // A request to a contact's server tells that the client is there.
            return;
        }
        let mut subscribed = Vec::new();
        if self.may_approve(cx.account) {
            subscribed = self.members.work(cx);
        }
        let book = &self.book;
        self.follow
            .work(|account, who| book.follows(account, who), cx);
        for account in subscribed {
            self.record_subscriber(&account, cx);
        }
    }

    /// When [`learn`](Self::learn) and [`work`](Self::work) can go on, if no answer comes first.
    pub(super) fn again_at(&self, account: &Account, wire: &Wire) -> Option<Duration> {
        let now = wire.now;
        let later = |at: Option<Duration>| at.filter(|at| *at > now);
        // A client that may be hidden sends contacts nothing.
        let is_seen = !account.status.may_be_hidden;
        let has_work =
            self.members.has_work() && self.may_approve(account) || self.follow.has_work();
        let work = match has_work && is_seen || self.record.has_work() {
            true => wire.may_work_at(),
            false => None,
        };
        [
            later(self.catch_up_at()),
            work,
            self.follow.again_at().filter(|_| is_seen),
            self.paced.again_at(),
            later(self.members.again_at()),
            self.gate_again_at(account, wire.now),
            self.blocking.again_at(now),
            self.revocations.again_at(wire),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Sends the last stanzas while the server still listens: subscription stanzas that wait, and revocations of
    /// contacts that the client blocks or removes.
    pub(super) fn say_last(&mut self, is_heard: bool, cx: &mut Cx<'_>) {
        self.paced.leave(is_heard, cx.wire);
        let blocked = cx.account.people.blocked.asked().to_vec();
        self.handle_blocked(&blocked, true, cx);
        let removed = self.native.end_removals(None, &mut cx.account.people);
        self.handle_removed(removed, cx);
    }

    /// Ends revocations and writes the record, after everybody was told farewell.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>) {
        self.end_revocations(cx);
        self.record.write_all(&cx.account.people, cx.wire);
    }

    /// Returns to the client, as errors, the stanzas that the server was not sent.
    pub(super) fn give_back(&mut self, cx: &mut Cx<'_>) {
        self.paced.give_back(cx.wire);
        self.refuse_changes(cx);
        self.record.tell_lost(cx.wire);
    }
}
