//! Presence (listings 1 to 4): the client's goes to its own node, those of contacts come from theirs.
//!
//! | file | holds | listings |
//! |---|---|---|
//! | `announce.rs` | the client's presence to publishes, going offline | 1, 3 |
//! | `visibility.rs` | who must not see the client | 3 |
//! | `leftovers.rs` | items of resources that are gone | 3 |
//! | `feed.rs` | events on contacts' nodes to presence | 2, 4 |
//! | `seen.rs` | one change, seen natively and by event, shown once | 2, 4 |
//! | `fetch.rs` | the contacts' states at login | 4 |

mod announce;
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

/// What an answer is for.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Publishing the newest presence.
    Publish,
    /// Learning which items our resources have.
    OwnItems,
    /// Learning whether this resource of ours is there.
    Ping(Box<str>),
    /// Learning which privacy lists are in force.
    PrivacyLists,
    /// Learning what the list in force says.
    PrivacyList,
    /// Learning the states of a contact's resources.
    State(fetch::Fetch),
    /// Learning whether a contact's resource is there, which has published this.
    Alive(feed::Held),
}

impl From<Ask> for super::Ask {
    fn from(ask: Ask) -> Self {
        Self::Presence(ask)
    }
}

/// The presence of one session, in both directions.
pub(super) struct Presence {
    /// What this resource has published.
    announce: Announce,
    /// What this client's stream was shown of others: another stream of the account begins without it.
    feed: Feed,
    fetches: Fetches,
    /// Nothing native tells of contacts: whoever we come to see is asked for.
    is_alone: bool,
    /// The contacts' states were fetched since the client became available.
    has_fetched: bool,
}

impl Presence {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            announce: Announce::new(policy),
            feed: Feed::new(policy),
            fetches: Fetches::default(),
            is_alone: policy == Policy::Pure,
            has_fetched: false,
        }
    }

    /// A presence of the client's for everybody (listing 1).
    pub(super) fn handle_client(&mut self, presence: &Element<'_>, cx: &mut Cx<'_>) -> Verdict {
        let was_available = cx.account.status.is_available;
        let verdict = self.announce.handle_client(presence, cx);
        self.tell(cx);
        if was_available && !cx.account.status.is_available {
            // A client that goes forgets who was there, and is told when it comes back.
            self.feed.forget_all();
            self.fetches.forget(cx.wire);
            self.has_fetched = false;
        }
        verdict
    }

    /// A probe of the client's, where nothing native leaves: it is answered from the contact's node.
    pub(super) fn handle_probe(&mut self, to: &str) {
        let account = jid::prepared(jid::bare(to));
        self.feed.forget(&account);
        self.fetches.fetch(&account);
    }

    /// Looks at a request of the client's that may change who sees it.
    pub(super) fn note_request(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) {
        self.change_visibility(cx, |visibility, wire| visibility.note_request(iq, wire));
    }

    /// Looks at an answer of the own server for the client that may say that such a request was refused.
    pub(super) fn note_answer(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) {
        if self.announce.visibility.is_waiting() {
            self.change_visibility(cx, |visibility, _| visibility.note_answer(iq));
        }
    }

    /// Looks at a push of the own server about privacy lists.
    pub(super) fn note_push(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) {
        self.change_visibility(cx, |visibility, wire| visibility.note_push(iq, wire));
    }

    /// Whom the privacy list in force blocks, if that has changed since the last call.
    pub(super) fn changed_blocks(&mut self) -> Option<Blocked> {
        self.announce.visibility.changed_blocks()
    }

    /// A native presence, which may tell the `state` of a full JID. It is not shown if the client has seen that
    /// change by an event.
    pub(super) fn handle_native(
        &mut self,
        presence: &Element<'_>,
        state: Option<&str>,
        is_marked: bool,
        cx: &mut Cx<'_>,
    ) -> Verdict {
        if let Some(full) = state {
            self.fetches.note_heard(full, cx.wire);
            let is_there = presence.attribute("type").is_none();
            if is_there && jid::bare(full) == cx.account.bare() {
                let resource = jid::resource(full).unwrap_or_default();
                self.announce.leftovers.note_native(resource, is_marked);
            }
        }
        if self.feed.shows_native(presence, is_marked, cx) {
            return Verdict::Pass;
        }
        feed::drop(Dropped::Seen, cx.wire);
        Verdict::Taken
    }

    /// Takes an event on an account's presence node (listing 4).
    pub(super) fn event(&mut self, event: &Event<'_>, cx: &mut Cx<'_>) {
        let fetches = &mut self.fetches;
        let heard = &mut |full: &str, wire: &mut Wire| fetches.note_heard(full, wire);
        self.feed.handle_event(event, heard, cx);
    }

    /// Answers a shim's ping in the client's place. Whoever hides would be given away: whether to answer is then
    /// the client's own choice.
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

    /// The answer to an IQ of ours; the contact that has refused to show us its states.
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
            (Ask::Alive(held), _) => self.fetches.handle_pong(held, reply, cx),
        }
        self.tell(cx);
        refused
    }

    /// Something about the node `presence` was answered.
    pub(super) fn handle_node(&mut self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        self.announce.handle_node(reply, cx);
        self.tell(cx);
    }

    /// Publishes what may be published now, and shows what is known now.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>) {
        if self.announce.settle(cx) {
            self.tell(cx);
        }
        while let Some(account) = cx.account.people.changed.pop() {
            if cx.account.people.relation(&account).to != Half::Yes {
                self.feed.hide(&account, cx);
            } else if self.is_alone && cx.account.status.is_available {
                self.fetches.fetch(&account);
            }
        }
        self.feed.release(cx);
    }

    /// Asks what can wait: the states that native presence does not tell.
    pub(super) fn work(&mut self, cx: &mut Cx<'_>) {
        let account = &cx.account;
        if account.is_caught_up && account.status.is_available && !self.has_fetched {
            self.has_fetched = true;
            self.fetches.fetch_all(&account.people);
            if self.is_alone {
                self.fetches.fetch(account.bare());
            }
        }
        if !account.status.may_be_hidden {
            self.fetches.work(&mut self.feed, cx);
        }
    }

    /// When to go on, if not by an answer.
    pub(super) fn again_at(&self, account: &Account, wire: &Wire) -> Option<Duration> {
        let has_work = self.fetches.has_work() && !account.status.may_be_hidden;
        let work = has_work.then(|| wire.may_work_at()).flatten();
        let again = self.announce.again_at().filter(|at| *at > wire.now);
        work.into_iter().chain(again).min()
    }

    /// The session ends: publishes that the client is gone, if it ever was there.
    pub(super) fn go_offline(&mut self, cx: &mut Cx<'_>) {
        self.announce.go_offline(cx);
        self.tell(cx);
    }

    /// The server has ended the session: nothing can or need be published any more.
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

    /// What the client has said of itself.
    pub(super) fn status(&self) -> Status {
        self.announce.status()
    }

    /// Notes what the others are to know of the client.
    fn tell(&self, cx: &mut Cx<'_>) {
        cx.account.status = self.status();
    }
}
