//! The client's visibility: invisibility (XEP-0186) and privacy lists (XEP-0016).
//!
//! A publish reaches every subscriber of the node. So nothing is published as soon as the client is hidden from
//! anybody; native presence goes on, filtered by the server.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::Ask;
use crate::jid;
use crate::ns;
use crate::translate::Wire;
use crate::translate::block_list::Blocked;
use crate::translate::inquiry::Inquiry;
use crate::wire::{Refused, Reply};
use crate::xml::{Element, escape};

/// Requests of the client's that may wait for their answers.
const MOST_REQUESTS: usize = 16;
/// Named in the log while the lists are not known.
const LISTS: &str = "from whom your privacy lists hide you";
/// Privacy lists that are remembered.
const MOST_LISTS: usize = 64;

/// The visibility of one session.
#[derive(Debug, Default)]
pub(super) struct Visibility {
    /// The state that the server has agreed to.
    state: State,
    /// Changes that the client has asked for, with the request's id, until the server has answered; oldest first.
    asked: Vec<(Box<str>, Change)>,
    /// The question for the account's lists: its default list may hide the client without any request of it.
    lists: Inquiry,
    /// The question for the list in force.
    list: Inquiry,
    /// Questions for the list in force that are not answered yet.
    reads: usize,
    /// The JIDs that the list in force blocks, as last handed out.
    blocked: Arc<[Box<str>]>,
}

#[derive(Clone, Debug, Default)]
struct State {
    invisible: bool,
    active: Option<Box<str>>,
    default: Option<Box<str>>,
    /// Privacy lists by name.
    lists: HashMap<Box<str>, List>,
}

/// The meaning of a privacy list for presence.
#[derive(Clone, Debug, Default)]
struct List {
    /// The list hides the client from somebody.
    hides: bool,
    /// JIDs that the list denies everything: ejabberd keeps its block list (XEP-0191) as a privacy list. There may be
    /// tens of thousands, and states are copied with each input: the copies share them.
    blocked: Arc<[Box<str>]>,
}

/// The changes of one request.
#[derive(Clone, Debug, Default)]
struct Change {
    invisible: Option<bool>,
    active: Option<Option<Box<str>>>,
    default: Option<Option<Box<str>>>,
    lists: Vec<(Box<str>, List)>,
}

impl Visibility {
    /// Whether the client may be hidden from anybody, which includes that this is not known yet.
    ///
    /// A change that hides counts as soon as the client asks for it, one that shows only once the server has agreed.
    pub(super) fn hides(&self) -> bool {
        !self.lists.is_known() || self.is_hidden()
    }

    /// Whether the client is known to be hidden from somebody.
    pub(super) fn is_hidden(&self) -> bool {
        self.any_state(State::hides)
    }

    /// Whether the state, now or after some of the changes that the client has asked for, `is_so`.
    fn any_state(&self, is_so: impl Fn(&State) -> bool) -> bool {
        let is_now = is_so(&self.state);
        if is_now || self.asked.is_empty() {
            return is_now;
        }
        let mut state = self.state.clone();
        self.asked.iter().any(|(_, change)| {
            state.apply(change);
            is_so(&state)
        })
    }

    /// Whether the client is hidden from somebody once all its requests are granted.
    pub(super) fn will_hide(&self) -> bool {
        self.newest().hides()
    }

    /// Asks for the lists that have to be known before anything is published, if it is time to.
    pub(super) fn prepare(&mut self, wire: &mut Wire) {
        if !self.lists.is_known() && wire.facts.no_privacy_lists {
            self.lists.note_known();
        }
        if self.lists.is_due(wire.now) {
            let asked = wire.request("get", None, Ask::PrivacyLists, |out| {
                let _ = write!(out, "<query xmlns='{}'/>", ns::PRIVACY);
            });
            self.lists.note_asked(asked);
        }
        // Asks again for a list whose question found no room.
        let is_later = self.list.again_at().is_some_and(|at| at > wire.now);
        if self.reads == 0 && !is_later {
            self.ask_for_list(wire);
        }
    }

    /// The questions for the lists, and for the list in force.
    pub(super) fn inquiries(&self) -> [&Inquiry; 2] {
        [&self.lists, &self.list]
    }

    /// Has failed questions asked again at once.
    pub(super) fn hasten(&mut self) {
        self.lists.hasten();
        self.list.hasten();
    }

    /// Whether the contents of the list in force, if there is one, are known.
    pub(super) fn is_known(&self) -> bool {
        let is_seen = |name: &str| self.state.lists.contains_key(name);
        self.lists.is_known() && self.reads == 0 && self.state.list_in_force().is_none_or(is_seen)
    }

    /// Handles the answer about all lists: which one is active, which the default.
    pub(super) fn handle_lists(&mut self, reply: Reply<'_>, wire: &mut Wire) {
        match reply {
            Ok(iq) if iq.child(ns::PRIVACY, "query").is_some() => {
                self.lists.note_known();
                // The answer names the lists without their contents.
                let lists = Vec::new();
                self.state.apply(&Change {
                    lists,
                    ..Change::of(iq)
                });
                self.ask_for_list(wire);
            }
            Err(refused) if refused.is_unsupported() => {
                self.lists.note_known();
                wire.learn(|facts| facts.no_privacy_lists = true);
            }
            // The account has no lists (XEP-0016 §2.3).
            Err(Refused::With("item-not-found")) => self.lists.note_known(),
            Ok(_) => self.lists.fail(LISTS, Refused::NoList, wire),
            Err(refused) => self.lists.fail(LISTS, refused, wire),
        }
    }

    /// Handles the contents of the list in force.
    pub(super) fn handle_list(&mut self, reply: Reply<'_>, wire: &mut Wire) {
        self.reads = self.reads.saturating_sub(1);
        let change = reply.map(Change::of);
        if let Ok(change) = &change {
            self.state.apply(change);
        }
        let newest = self.newest();
        let name = newest.list_in_force();
        // The contents of a list that is no longer in force tell nothing.
        let is_told = self.reads > 0 || name.is_none_or(|name| newest.lists.contains_key(name));
        match change {
            Ok(change) if is_told && !change.lists.is_empty() => self.list.note_known(),
            Err(Refused::With("item-not-found")) => {
                self.list.note_known();
                if let Some(name) = name {
                    self.state.note_list(name.into(), List::default());
                }
            }
            // The list is unknown now, so nothing is published.
            failed => {
                let refused = failed.err().unwrap_or(Refused::NoList);
                self.list.fail(LISTS, refused, wire);
                if let Some(name) = name {
                    self.state.lists.remove(name);
                }
            }
        }
    }

    /// Notes a request of the client's that may change who sees it.
    pub(super) fn handle_request(&mut self, iq: &Element<'_>, wire: &mut Wire) {
        if iq.attribute("type").as_deref() != Some("set") {
            return;
        }
        if self.asked.len() >= MOST_REQUESTS {
            let (_, oldest) = self.asked.remove(0);
            self.state.apply(&oldest);
        }
        let id = iq.attribute("id").unwrap_or_default();
        self.asked.push(((*id).into(), Change::of(iq)));
        self.ask_for_list(wire);
    }

    /// Notes an answer of the own server to the client: a refused request changes nothing.
    pub(super) fn note_answer(&mut self, iq: &Element<'_>) {
        let id = iq.attribute("id").unwrap_or_default();
        let Some(at) = self.asked.iter().position(|(asked, _)| **asked == *id) else {
            return;
        };
        let (_, change) = self.asked.remove(at);
        if iq.attribute("type").as_deref() == Some("result") {
            self.state.apply(&change);
        }
    }

    /// Handles a push of the own server: another resource has changed a list (XEP-0016 §2.6), so its contents are not
    /// known.
    pub(super) fn handle_push(&mut self, iq: &Element<'_>, wire: &mut Wire) {
        for (name, _) in Change::of(iq).lists {
            let is_ours =
                |(_, change): &(_, Change)| change.lists.iter().any(|(it, _)| *it == name);
            if self.asked.iter().any(is_ours) {
                continue;
            }
            // While the list in force is read nothing is published, but no presence is withdrawn either.
            if self.newest().list_in_force() != Some(&*name) || !self.read(&name, wire) {
                self.state.lists.remove(&name);
            }
        }
    }

    /// Whether nothing may be published now.
    pub(super) fn holds(&self) -> bool {
        self.reads > 0 || self.hides() || self.blocks_more()
    }

    /// Whether a blocked JID was not handed out yet, also one of a list that the client has asked for.
    fn blocks_more(&self) -> bool {
        self.any_state(|state| {
            let changed = state.blocked().filter(|it| !is_same(it, &self.blocked));
            changed.is_some_and(|blocked| {
                let known: HashSet<_> = self.blocked.iter().collect();
                blocked.iter().any(|it| !known.contains(it))
            })
        })
    }

    /// The JIDs that the list in force blocks, if they changed since the last call.
    pub(super) fn changed_blocks(&mut self) -> Option<Blocked> {
        // The contents of this privacy list have not arrived yet.
        let all = self.state.blocked()?;
        if is_same(&all, &self.blocked) {
            return None;
        }
        let known = std::mem::replace(&mut self.blocked, all.clone());
        let known: HashSet<_> = known.iter().collect();
        let all = all.to_vec();
        let mut new = all.clone();
        new.retain(|account| !known.contains(account));
        Some(Blocked { all, new })
    }

    /// Whether a request of the client's waits for its answer.
    pub(super) fn is_waiting(&self) -> bool {
        !self.asked.is_empty()
    }

    /// The state once all requests are granted.
    fn newest(&self) -> State {
        let mut state = self.state.clone();
        for (_, change) in &self.asked {
            state.apply(change);
        }
        state
    }

    /// Asks for the list in force if its contents are not known.
    fn ask_for_list(&mut self, wire: &mut Wire) {
        let state = self.newest();
        if let Some(name) = state.list_in_force()
            && !state.lists.contains_key(name)
        {
            self.read(name, wire);
        }
    }

    /// Asks for a list; `false`: there is no room for the question.
    fn read(&mut self, name: &str, wire: &mut Wire) -> bool {
        let asked = wire.request("get", None, Ask::PrivacyList, |out| {
            let _ = write!(
                out,
                "<query xmlns='{}'><list name='{}'/></query>",
                ns::PRIVACY,
                escape(name)
            );
        });
        self.reads += usize::from(asked);
        asked
    }
}

/// Whether two lists name the same JIDs; needs no comparison if one is a copy of the other.
fn is_same(one: &Arc<[Box<str>]>, other: &Arc<[Box<str>]>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

impl State {
    fn hides(&self) -> bool {
        let is_hiding = |name| self.lists.get(name).is_none_or(|list| list.hides);
        self.invisible || self.list_in_force().is_some_and(is_hiding)
    }

    /// The JIDs to which the list in force denies everything; `None`: its contents are not known.
    fn blocked(&self) -> Option<Arc<[Box<str>]>> {
        match self.list_in_force() {
            None => Some(Arc::default()),
            Some(name) => self.lists.get(name).map(|list| list.blocked.clone()),
        }
    }

    /// The active list, else the default one.
    fn list_in_force(&self) -> Option<&str> {
        self.active.as_deref().or(self.default.as_deref())
    }

    fn apply(&mut self, change: &Change) {
        self.invisible = change.invisible.unwrap_or(self.invisible);
        if let Some(active) = &change.active {
            self.active.clone_from(active);
        }
        if let Some(default) = &change.default {
            self.default.clone_from(default);
        }
        for (name, list) in &change.lists {
            self.note_list(name.clone(), list.clone());
        }
    }

    /// Remembers a list. If there are too many, one that is neither active nor default is forgotten; it can be read
    /// again.
    fn note_list(&mut self, name: Box<str>, list: List) {
        if self.lists.len() >= MOST_LISTS && !self.lists.contains_key(&name) {
            let chosen = [self.active.as_deref(), self.default.as_deref()];
            let spare = self.lists.keys();
            let spare = spare.filter(|name| !chosen.contains(&Some(&***name)));
            let spare = spare.min().cloned();
            if let Some(spare) = spare {
                self.lists.remove(&spare);
            }
        }
        self.lists.insert(name, list);
    }
}

impl Change {
    /// The changes in an IQ; `<active/>` or `<default/>` without a name chooses no list.
    fn of(iq: &Element<'_>) -> Self {
        let mut change = Self::default();
        for child in iq.children() {
            match (&*child.namespace(), child.local()) {
                (ns::INVISIBLE | ns::INVISIBLE_0, "invisible") => change.invisible = Some(true),
                (ns::INVISIBLE | ns::INVISIBLE_0, "visible") => change.invisible = Some(false),
                (ns::PRIVACY, "query") => change.note_query(&child),
                _ => {}
            }
        }
        change
    }

    fn note_query(&mut self, query: &Element<'_>) {
        for child in query.children() {
            let name = child.attribute("name").map(|name| (*name).into());
            match child.local() {
                "active" => self.active = Some(name),
                "default" => self.default = Some(name),
                "list" if self.lists.len() < MOST_LISTS => {
                    self.lists
                        .push((name.unwrap_or_default(), List::of(&child)));
                }
                _ => {}
            }
        }
    }
}

impl List {
    /// Reads whether a privacy list denies outgoing presence to anybody (XEP-0016 §2.1), and which JIDs it blocks.
    fn of(list: &Element<'_>) -> Self {
        let order = |item: &Element<'_>| {
            item.attribute("order")
                .and_then(|order| order.parse::<u32>().ok())
        };
        let concerns = |item: &Element<'_>| {
            item.children().next().is_none()
                || item.children().any(|child| child.local() == "presence-out")
        };
        let mut items: Vec<_> = list.children().filter(concerns).collect();
        items.sort_by_key(order);
        let (mut hides, mut blocked) = (false, Vec::new());
        for item in items {
            let value = item.attribute("value").unwrap_or_default();
            match (
                item.attribute("action").as_deref(),
                item.attribute("type").as_deref(),
            ) {
                (Some("deny"), Some("jid")) if item.children().next().is_none() => {
                    blocked.push(jid::prepared(&value).into());
                }
                (Some("deny"), _) => {
                    hides = true;
                    break;
                }
                // Rules after one for everybody are never reached.
                (_, None) => break,
                _ => {}
            }
        }
        let blocked = blocked.into();
        Self { hides, blocked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_block_list_is_not_copied_with_each_input() {
        let list = List {
            hides: false,
            blocked: (0..60_000)
                .map(|n| format!("u{n}@capulet.lit").into())
                .collect(),
        };
        let mut visibility = Visibility::default();
        visibility.lists.note_known();
        visibility.state.default = Some("blocked".into());
        visibility.state.note_list("blocked".into(), list);
        assert!(visibility.changed_blocks().is_some());
        visibility.asked.push(("a1".into(), Change::default()));
        for _ in 0..10_000 {
            assert!(!visibility.holds());
        }
    }
}
