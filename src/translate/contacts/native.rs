//! The roster under `auto` is the server's. It is asked for unless the client does so; the client's own changes to it
//! are watched.

use std::time::Duration;

use super::{Ask, Contacts};
use crate::jid;
use crate::ns;
use crate::pubsub::PRESENCE;
use crate::translate::account::Goodbye;
use crate::translate::people::{Changed, People};
use crate::translate::{Cx, Verdict, rules};
use crate::wire::{Refused, Reply};
use crate::xml::Element;

/// Named in the log while the roster is not known.
const ROSTER: &str = "the roster";
/// How long the server may take to answer the client. After that the roster is asked for us, and a contact to be
/// removed counts as removed.
const CLIENT_ANSWER: Duration = Duration::from_secs(60);
/// Requests to remove a contact that may wait for their answers.
const MOST_REMOVALS: usize = 64;

/// Requests of the client's about its roster.
#[derive(Debug, Default)]
pub(super) struct NativeRoster {
    /// The id of the client's request for its roster, until it is answered, and how long ours waits for that.
    client_request: Option<(Box<str>, Duration)>,
    /// Contacts that the client is removing, until that is answered.
    removals: Vec<Removal>,
}

/// A request of the client's to remove an account from its roster.
#[derive(Debug)]
struct Removal {
    id: Box<str>,
    account: Box<str>,
    /// After this time without an answer, the removal counts as done.
    until: Duration,
}

impl NativeRoster {
    /// Asks for the roster, if it is time to.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>) {
        let now = cx.wire.now;
        self.client_request.take_if(|(_, until)| *until <= now);
        let inquiry = &mut cx.account.people.inquiry;
        if inquiry.is_due(now) && self.client_request.is_none() {
            let asked = cx.wire.request("get", None, Ask::Roster, |out| {
                out.extend_from_slice(b"<query xmlns='jabber:iq:roster'/>");
            });
            inquiry.note_asked(asked);
        }
    }

    /// Whether the client's own request for its roster has waited too long for its answer.
    pub(super) fn is_unanswered(&self, now: Duration) -> bool {
        let mut question = self.client_request.iter();
        question.any(|(_, until)| *until <= now)
    }

    /// When a request or a removal of the client's has waited too long for its answer.
    pub(super) fn deadline(&self, people: &People) -> Option<Duration> {
        let question = self.client_request.iter().map(|(_, until)| *until);
        let question = question.filter(|_| !people.is_reliable());
        let removals = self.removals.iter().map(|removal| removal.until);
        question.chain(removals).min()
    }

    /// Handles the answer to [`ask`](Self::ask).
    pub(super) fn handle_roster(&self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let people = &mut cx.account.people;
        if people.is_reliable() {
            return;
        }
        match reply.map(|iq| iq.child(ns::ROSTER, "query")) {
            Ok(Some(query)) => {
                people.inquiry.note_known();
                people.note_items(&query);
            }
            Err(refused) if refused.is_unsupported() => people.inquiry.note_known(),
            Ok(None) => people.inquiry.fail(ROSTER, Refused::NoList, cx.wire),
            Err(refused) => people.inquiry.fail(ROSTER, refused, cx.wire),
        }
    }

    /// Looks at the answer to the client's own request for its roster; gives whether the roster is known by it.
    pub(super) fn note_answer(&mut self, iq: &Element<'_>, cx: &mut Cx<'_>) -> bool {
        let id = iq.attribute("id");
        let is_asked = |(asked, _): &mut (Box<str>, Duration)| Some(&**asked) == id.as_deref();
        if self.client_request.take_if(is_asked).is_none() {
            return false;
        }
        // An error may repeat the empty query, and a result without a query means that the client's copy is current.
        // Neither tells us the roster, so we ask for it.
        let is_result = iq.attribute("type").as_deref() == Some("result");
        let is_known = cx.account.people.is_reliable();
        if !is_result || iq.child(ns::ROSTER, "query").is_none() || is_known {
            return false;
        }
        self.handle_roster(Ok(iq), cx);
        true
    }

    /// Handles a roster push: gives the relations it changes, and whether to hide it from the client. `is_shown`: the
    /// client has its roster, and expects pushes.
    pub(super) fn handle_push(
        &self,
        iq: &Element<'_>,
        is_shown: bool,
        cx: &mut Cx<'_>,
    ) -> (Vec<Changed>, Verdict) {
        let own = cx.account.own_bare();
        let people = &mut cx.account.people;
        let Some(query) = iq.child(ns::ROSTER, "query") else {
            return (Vec::new(), Verdict::Pass);
        };
        if iq.attribute("from").is_some_and(|from| *from != *own) {
            return (Vec::new(), Verdict::Pass);
        }
        let changed = match people.is_known() {
            true => people.note_items(&query),
            false => Vec::new(),
        };
        if is_shown || people.inquiry.is_new() {
            return (changed, Verdict::Pass);
        }
        // The server pushes because of our question; this client never asked and expects no push.
        cx.wire.apply(&rules::PUSH);
        cx.wire.answer_result(iq);
        (changed, Verdict::Taken)
    }

    /// Notes that the client removes `account` from its roster. If too many such requests wait, the oldest counts as
    /// agreed to: gives the relations that ends.
    pub(super) fn note_removal(
        &mut self,
        id: &str,
        account: &str,
        cx: &mut Cx<'_>,
    ) -> Vec<Changed> {
        let until = cx.wire.now + CLIENT_ANSWER;
        let (id, account) = (id.into(), account.into());
        self.removals.push(Removal { id, account, until });
        let over = self.removals.len().saturating_sub(MOST_REMOVALS);
        let oldest: Vec<_> = self.removals.drain(..over).collect();
        remove_all(oldest, &mut cx.account.people)
    }

    /// Whether the client waits for the server to remove a contact who may see us.
    pub(super) fn is_removing(&self, people: &People) -> bool {
        let mut removals = self.removals.iter();
        removals.any(|removal| !people.is_known() || people.is_approved(&removal.account))
    }

    /// Whether the client waits for the server to remove `account` from the roster.
    pub(super) fn is_taking_out(&self, account: &str) -> bool {
        let mut removals = self.removals.iter();
        removals.any(|removal| *removal.account == *account)
    }

    /// Looks at an answer to the client; gives the relations that a removal ends.
    pub(super) fn note_removed(&mut self, iq: &Element<'_>, people: &mut People) -> Vec<Changed> {
        if self.removals.is_empty() {
            return Vec::new();
        }
        let id = iq.attribute("id").unwrap_or_default();
        let answered: Vec<_> = self.removals.extract_if(.., |one| *one.id == *id).collect();
        match iq.attribute("type").as_deref() {
            Some("result") => remove_all(answered, people),
            _ => Vec::new(),
        }
    }

    /// Counts removals without an answer until `now` as done (without `now`, all of them); gives the relations that
    /// ends.
    pub(super) fn end_removals(
        &mut self,
        now: Option<Duration>,
        people: &mut People,
    ) -> Vec<Changed> {
        let is_over = |one: &mut Removal| now.is_none_or(|now| one.until <= now);
        let over: Vec<_> = self.removals.extract_if(.., is_over).collect();
        remove_all(over, people)
    }

    /// Notes a request of the client's for its roster.
    pub(super) fn note_request(&mut self, iq: &Element<'_>, now: Duration) {
        if iq.attribute("type").as_deref() == Some("get") && iq.attribute("to").is_none() {
            let until = now + CLIENT_ANSWER;
            self.client_request = iq.attribute("id").map(|id| ((*id).into(), until));
        }
    }
}

impl Contacts {
    /// Handles contacts that the client removes from its roster: stanzas that wait for them are not sent any more, and
    /// nothing is published until the server has removed them, or refused, and they are out of the node.
    pub(super) fn handle_roster_set(
        &mut self,
        iq: &Element<'_>,
        query: &Element<'_>,
        cx: &mut Cx<'_>,
    ) {
        if iq.attribute("type").as_deref() != Some("set") {
            return;
        }
        let id = iq.attribute("id").unwrap_or_default();
        for item in query.children() {
            if item.attribute("subscription").as_deref() != Some("remove") {
                continue;
            }
            let jid = item.attribute("jid").unwrap_or_default();
            let account = jid::prepared(&jid);
            self.paced.forget(&account);
            let removed = self.native.note_removal(&id, &account, cx);
            self.handle_removed(removed, cx);
        }
    }

    /// Ends the subscriptions of contacts that were removed from the roster.
    pub(super) fn handle_removed(
        &mut self,
        removed: impl IntoIterator<Item = Changed>,
        cx: &mut Cx<'_>,
    ) {
        for (account, before) in removed {
            self.handle_relation(&account, before, true, cx);
            if cx.account.people.is_approved(&account) {
                // The contact was approved by form alone, which the roster does not show.
                self.end_approval(&account, Goodbye::Never, cx);
            }
        }
        self.hold_publishes(cx);
    }

    /// Notes an error to the client: it may refuse the client's own subscription request.
    pub(in crate::translate) fn note_error(&self, iq: &Element<'_>, cx: &mut Cx<'_>) {
        if iq.attribute("type").as_deref() == Some("error")
            && let (Some(from), Some(id)) = (iq.attribute("from"), iq.attribute("id"))
        {
            let people = &mut cx.account.people;
            people.forget_clients_own(&from, Some(&id));
        }
    }

    /// Handles a push of the own server about the roster.
    pub(in crate::translate) fn roster_push(
        &mut self,
        iq: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> Verdict {
        let is_shown = self.shown.has_native_roster;
        let (changed, verdict) = self.native.handle_push(iq, is_shown, cx);
        for (account, before) in changed {
            let is_own = self.native.is_taking_out(&account);
            self.handle_relation(&account, before, is_own, cx);
        }
        verdict
    }
}

fn remove_all(removals: Vec<Removal>, people: &mut People) -> Vec<Changed> {
    let accounts = removals.into_iter().map(|removal| removal.account);
    accounts
        .filter_map(|account| people.remove(account))
        .collect()
}

/// Notes the client's own pubsub requests: an account whose node `presence` the client subscribes to by itself is
/// believed.
pub(super) fn note_own_subscriptions(iq: &Element<'_>, people: &mut People) {
    let Some(to) = iq.attribute("to") else { return };
    let account = jid::prepared(&to);
    let Some(pubsub) = iq.child(ns::PUBSUB, "pubsub") else {
        return;
    };
    for request in pubsub.children() {
        if request.attribute("node").as_deref() == Some(PRESENCE) {
            let id = iq.attribute("id").unwrap_or_default();
            match request.local() {
                "subscribe" => people.note_clients_own(&account, &id),
                "unsubscribe" => people.forget_clients_own(&account, None),
                _ => {}
            }
        }
    }
}
