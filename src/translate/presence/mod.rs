//! Presence (listings 1 to 4): the client's presence goes to its own node, those of contacts come from theirs.
//!
//! | file | holds | listings |
//! |---|---|---|
//! | `announce.rs` | the client's presence to publishes, going offline | 1, 3 |
//! | `visibility.rs` | invisibility and privacy lists | 3 |
//! | `leftovers.rs` | items of resources that are gone | 3 |
//! | `feed.rs` | events on contacts' nodes to presence | 2, 4 |
//! | `seen.rs` | shows a change once that comes natively and by event | 2, 4 |
//! | `change.rs` | whether two presences are copies of one | |
//! | `fetch.rs` | the contacts' states at login | 4 |

mod announce;
mod change;
mod feed;
mod fetch;
mod leftovers;
mod seen;
mod visibility;

use std::time::Duration;

use announce::Announce;
use feed::Feed;
use fetch::Fetches;
use leftovers::is_ping_of_shim;
use visibility::Visibility;

use super::account::{Account, Status};
use super::block_list::Blocked;
use super::relation::Half;
use super::{Cx, Verdict, Wire, rules};
use crate::jid;
use crate::policy::Policy;
use crate::pubsub::Event;
use crate::wire::{Dropped, Reply};
use crate::xml::Element;

/// The purpose of an IQ of ours.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Publishes the newest presence.
    Publish,
    /// Lists the items of our resources.
    OwnItems,
    /// Pings this resource of ours.
    Ping(Box<str>),
    /// Asks which privacy lists are active and default.
    PrivacyLists,
    /// Reads the privacy list in force.
    PrivacyList,
    /// Reads the states of a contact's resources.
    State(fetch::Fetch),
    /// Pings the contact's resource that has published this.
    Alive(Box<feed::Held>),
}

impl From<Ask> for super::Ask {
    fn from(ask: Ask) -> Self {
        Self::Presence(ask)
    }
}

/// The presence of one session, in both directions.
pub(super) struct Presence {
    /// Presence that this resource publishes.
    announce: Announce,
    /// Presence of others as this client's stream was shown it: another stream of the account begins without it.
    feed: Feed,
    fetches: Fetches,
    /// The contacts' states were fetched since the client became available.
    has_fetched: bool,
}

impl Presence {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            announce: Announce::new(policy),
            feed: Feed::new(policy),
            fetches: Fetches::default(),
            has_fetched: false,
        }
    }

    /// Handles a presence of the client's for everybody (listing 1).
    pub(super) fn handle_client(&mut self, presence: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        let was_available = cx.account.status.is_available;
        let verdict = self.announce.handle_client(presence, cx);
        self.tell(cx);
        if was_available && !cx.account.status.is_available {
            // An unavailable client forgets who was there, and is told again when it comes back.
            self.feed.forget_all();
            self.fetches.forget(cx.wire);
            self.has_fetched = false;
        }
        verdict
    }

    /// Answers a probe of the client's from the contact's node, as nothing native may leave (`pure`).
    pub(super) fn handle_probe(&mut self, to: &str) {
        let account = jid::prepared(jid::bare(to));
        self.feed.forget(&account);
        self.fetches.fetch(&account);
    }

    /// Handles a request of the client's that may change who sees it.
    pub(super) fn handle_request(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) {
        self.change_visibility(cx, |visibility, wire| visibility.handle_request(iq, wire));
    }

    /// Handles an answer of the own server that may refuse such a request.
    pub(super) fn handle_answer(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) {
        if self.announce.visibility.is_waiting() {
            self.change_visibility(cx, |visibility, _| visibility.note_answer(iq));
        }
    }

    /// Handles a push of the own server about privacy lists.
    pub(super) fn handle_push(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) {
        self.change_visibility(cx, |visibility, wire| visibility.handle_push(iq, wire));
    }

    /// The JIDs that the privacy list in force blocks, if they changed since the last call.
    pub(super) fn changed_blocks(&mut self) -> Option<Blocked> {
        self.announce.visibility.changed_blocks()
    }

    /// Handles a native presence, which may tell the `state` of a full JID. A change that the client has seen by event
    /// is not shown again.
    pub(super) fn handle_native(
        &mut self,
        presence: &Element<'_>,
        state: Option<&str>,
        is_marked: bool,
        cx: &mut Cx<'_>,
    ) -> Verdict {
        let Some(full) = state else {
            return Verdict::Pass;
        };
        self.fetches.note_heard(full, cx.wire);
        let is_there = presence.attribute("type").is_none();
        if is_there && jid::bare(full) == cx.account.bare() {
            let resource = jid::resource(full).unwrap_or_default();
            self.announce.leftovers.note_native(resource, is_marked);
        }
        if self.feed.shows_native(full, presence, is_marked, cx) {
            return Verdict::Pass;
        }
        feed::log_dropped(Dropped::Seen, cx.wire);
        Verdict::Taken
    }

    /// Handles an event on an account's presence node (listing 4).
    pub(super) fn event(&mut self, event: &Event<'_>, cx: &mut Cx<'_>) {
        let fetches = &mut self.fetches;
        let heard = &mut |full: &str, wire: &mut Wire| fetches.note_heard(full, wire);
        self.feed.handle_event(event, heard, cx);
    }

    /// Answers a shim's ping in the client's place. An answer would give a hidden client away: its pings pass, and the
    /// client decides.
    pub(super) fn answer_ping(&self, iq: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        let status = cx.account.status;
        if status.is_hidden || !is_ping_of_shim(iq, cx) {
            return Verdict::Pass;
        }
        cx.wire.apply(&rules::PING);
        // Until the client sends presence, an item with this resource is a leftover of an earlier session.
        let is_own = iq.attribute("from").as_deref() == Some(cx.account.jid());
        match is_own || status.is_available {
            true => cx.wire.answer_result(iq),
            false => cx.wire.answer_unavailable(iq),
        }
        Verdict::Taken
    }

    /// Handles the answer to an IQ of ours; gives the contact that has refused to show us its states.
    pub(super) fn reply(
        &mut self,
        ask: Ask,
        reply: Reply<'_>,
        cx: &mut Cx<'_>,
    ) -> Option<Box<str>> {
        let mut refused = None;
        match (ask, reply) {
            (Ask::Publish, _) => self.announce.handle_published(reply, cx),
            (Ask::OwnItems, Ok(iq)) => self.announce.leftovers.handle_items(iq, cx),
            (Ask::OwnItems, Err(_)) => {}
            (Ask::Ping(resource), _) => self.announce.leftovers.handle_pong(&resource, reply, cx),
            (Ask::PrivacyLists, _) => {
                self.change_visibility(cx, |visibility, wire| visibility.handle_lists(reply, wire));
            }
            (Ask::PrivacyList, _) => {
                self.change_visibility(cx, |visibility, wire| visibility.handle_list(reply, wire));
            }
            (Ask::State(fetch), Ok(iq)) => self.fetches.handle_items(&fetch, iq, cx),
            (Ask::State(fetch), Err(_)) => refused = Some(fetch.account),
            (Ask::Alive(held), _) => self.fetches.handle_pong(*held, reply, cx),
        }
        self.tell(cx);
        refused
    }

    /// Handles the answer to a step of making and verifying the node `presence`.
    pub(super) fn handle_node(&mut self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        self.announce.handle_node(reply, cx);
        self.tell(cx);
    }

    /// Publishes and shows all that may be published and shown now.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>) {
        if self.announce.settle(cx) {
            self.tell(cx);
        }
        while let Some(account) = cx.account.people.changed.pop() {
            if cx.account.people.relation(&account).to != Half::Yes {
                self.feed.hide(&account, cx);
            } else if self.feed.is_alone && cx.account.status.is_available {
                self.fetches.fetch(&account);
            }
        }
        self.feed.release(cx);
    }

    /// Asks for the states that native presence does not tell.
    pub(super) fn work(&mut self, cx: &mut Cx<'_>) {
        let account = &cx.account;
        if account.is_caught_up && account.status.is_available && !self.has_fetched {
            self.has_fetched = true;
            self.fetches.fetch_all(&account.people);
            if self.feed.is_alone {
                self.fetches.fetch(account.bare());
            }
        }
        if !account.status.may_be_hidden {
            self.fetches.work(&mut self.feed, cx);
        }
    }

    /// When [`work`](Self::work) goes on, if no answer comes first.
    pub(super) fn again_at(&self, account: &Account, wire: &Wire) -> Option<Duration> {
        let has_work = self.fetches.has_work() && !account.status.may_be_hidden;
        let work = has_work.then(|| wire.may_work_at()).flatten();
        let again = self.announce.again_at().filter(|at| *at > wire.now);
        work.into_iter().chain(again).min()
    }

    /// Publishes `unavailable` as the session ends, if a presence was published.
    pub(super) fn go_offline(&mut self, cx: &mut Cx<'_>) {
        self.announce.go_offline(cx);
        self.tell(cx);
    }

    /// Forgets publishes, as the server has ended the session: nothing can or need be withdrawn.
    pub(super) fn forget_published(&mut self) {
        self.announce.forget_published();
    }

    fn change_visibility(
        &mut self,
        cx: &mut Cx<'_>,
        change: impl FnOnce(&mut Visibility, &mut Wire),
    ) {
        self.announce.change_visibility(cx, change);
        self.tell(cx);
    }

    /// The client's presence and visibility.
    pub(super) fn status(&self) -> Status {
        self.announce.status()
    }

    /// Tells the other functions the client's status.
    fn tell(&self, cx: &mut Cx<'_>) {
        cx.account.status = self.status();
    }
}
