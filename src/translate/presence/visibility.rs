//! Who must not see the client: invisibility (XEP-0186) and privacy lists (XEP-0016).
//!
//! A publish reaches every subscriber of the node. So as soon as the client is hidden from anybody in
//! one of these ways, nothing is published; native presence goes on, filtered by the server.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::Ask;
use crate::jid;
use crate::ns;
use crate::translate::Wire;
use crate::translate::block_list::Blocked;
use crate::translate::inquiry::Inquiry;
use crate::wire::{Refused, Reply, ServerFacts};
use crate::xml::{Element, escape};

/// So many requests of the client's may wait for their answers.
const MOST_REQUESTS: usize = 16;
/// What is not known if the lists are not.
const LISTS: &str = "from whom your privacy lists hide you";
/// So many privacy lists are remembered.
const MOST_LISTS: usize = 64;

/// What is known of a session's visibility.
#[derive(Debug, Default)]
pub(super) struct Visibility {
    /// What the server has agreed to.
    state: State,
    /// What the client has asked for, by the request's id, until the server has answered; oldest first.
    asked: Vec<(Box<str>, Change)>,
    /// The account's default list may hide the client without a word of it.
    lists: Inquiry,
    /// The list in force.
    list: Inquiry,
    /// So many times the list in force was asked for and has not come.
    reads: usize,
    /// Whom the list in force blocks, as far as that was handed out.
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

/// What a privacy list means for presence.
#[derive(Clone, Debug, Default)]
struct List {
    /// It is hidden from somebody.
    hides: bool,
    /// These are denied everything: ejabberd keeps its block list (XEP-0191) as a privacy list. There may be
    /// tens of thousands, and a state is looked at with each input: a copy of it has them in common.
    blocked: Arc<[Box<str>]>,
}

/// What one request changes.
#[derive(Clone, Debug, Default)]
struct Change {
    invisible: Option<bool>,
    active: Option<Option<Box<str>>>,
    default: Option<Option<Box<str>>>,
    lists: Vec<(Box<str>, List)>,
}

impl Visibility {
    /// Whether the client may be hidden from anybody, or that is not known yet.
    ///
    /// What hides counts as soon as it is asked for, what shows only once the server has agreed to it.
    pub(super) fn hides(&self) -> bool {
        !self.lists.is_known() || self.is_hidden()
    }

    /// Whether the client is hidden from somebody, as far as is known.
    pub(super) fn is_hidden(&self) -> bool {
        if self.state.hides() || self.asked.is_empty() {
            return self.state.hides();
        }
        let mut state = self.state.clone();
        self.asked.iter().any(|(_, change)| {
            state.apply(change);
            state.hides()
        })
    }

    /// Whether the client is hidden from somebody once all it asked for has happened.
    pub(super) fn will_hide(&self) -> bool {
        self.newest().hides()
    }

    /// Asks for what has to be known before anything is published, if it is time to.
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
        // Asked for, too, where there was no room for the question.
        let is_later = self.list.again_at().is_some_and(|at| at > wire.now);
        if self.reads == 0 && !is_later {
            self.ask_for_list(wire);
        }
    }

    /// What became of the questions for the lists, and for the one in force.
    pub(super) fn inquiries(&self) -> [&Inquiry; 2] {
        [&self.lists, &self.list]
    }

    /// Has them asked again at once if they have failed.
    pub(super) fn hasten(&mut self) {
        self.lists.hasten();
        self.list.hasten();
    }

    /// Whether it is known what the list in force says, if there is one.
    pub(super) fn is_known(&self) -> bool {
        let is_seen = |name: &str| self.state.lists.contains_key(name);
        self.lists.is_known() && self.reads == 0 && self.state.list_in_force().is_none_or(is_seen)
    }

    /// Takes the answer about all lists: which is active, which the default.
    pub(super) fn handle_lists(&mut self, reply: Reply<'_>, wire: &mut Wire) {
        match reply {
            Ok(iq) if iq.child(ns::PRIVACY, "query").is_some() => {
                self.lists.note_known();
                // It names the lists and does not say what is in them.
                let lists = Vec::new();
                self.state.apply(&Change {
                    lists,
                    ..Change::of(iq)
                });
                self.ask_for_list(wire);
            }
            Err(refused) if refused.is_unsupported() => {
                self.lists.note_known();
                wire.learn(ServerFacts {
                    no_privacy_lists: true,
                    ..wire.facts
                });
            }
            // None at all, as XEP-0016 §2.3 has it.
            Err(Refused::With("item-not-found")) => self.lists.note_known(),
            Ok(_) => self.lists.fail(LISTS, Refused::NoList, wire),
            Err(refused) => self.lists.fail(LISTS, refused, wire),
        }
    }

    /// Takes the answer about the list in force.
    pub(super) fn handle_list(&mut self, reply: Reply<'_>, wire: &mut Wire) {
        self.reads = self.reads.saturating_sub(1);
        let change = reply.map(Change::of);
        if let Ok(change) = &change {
            self.state.apply(change);
        }
        let newest = self.newest();
        let name = newest.list_in_force();
        // Another list than the one that is waited for tells nothing.
        let is_told = self.reads > 0 || name.is_none_or(|name| newest.lists.contains_key(name));
        match change {
            Ok(change) if is_told && !change.lists.is_empty() => self.list.note_known(),
            Err(Refused::With("item-not-found")) => {
                self.list.note_known();
                if let Some(name) = name {
                    self.state.note_list(name.into(), List::default());
                }
            }
            // It is unknown now, and so nothing is published.
            failed => {
                let refused = failed.err().unwrap_or(Refused::NoList);
                self.list.fail(LISTS, refused, wire);
                if let Some(name) = name {
                    self.state.lists.remove(name);
                }
            }
        }
    }

    /// Looks at a request of the client's that may change who sees it.
    pub(super) fn note_request(&mut self, iq: &Element<'_>, wire: &mut Wire) {
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

    /// Looks at an answer of the own server for the client: what was refused did not happen.
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

    /// Another resource has changed a list, says the own server (XEP-0016 §2.6): what it says is not known.
    pub(super) fn note_push(&mut self, iq: &Element<'_>, wire: &mut Wire) {
        for (name, _) in Change::of(iq).lists {
            let is_ours =
                |(_, change): &(_, Change)| change.lists.iter().any(|(it, _)| *it == name);
            if self.asked.iter().any(is_ours) {
                continue;
            }
            // While the list in force is read, nothing is published, but nothing is taken back either.
            if self.newest().list_in_force() != Some(&*name) || !self.read(&name, wire) {
                self.state.lists.remove(&name);
            }
        }
    }

    /// Whether nothing may be published now, for whatever reason.
    pub(super) fn holds(&self) -> bool {
        self.reads > 0 || self.hides() || self.blocks_more()
    }

    /// Whether somebody is blocked who was not handed out yet, or would be by a list the client has asked for.
    fn blocks_more(&self) -> bool {
        let is_new = |state: &State| {
            let Some(blocked) = state.blocked() else {
                return false;
            };
            let known = || self.blocked.iter().collect::<HashSet<_>>();
            !is_same(&blocked, &self.blocked)
                && !blocked.iter().collect::<HashSet<_>>().is_subset(&known())
        };
        let mut state = self.state.clone();
        is_new(&state)
            || self.asked.iter().any(|(_, change)| {
                state.apply(change);
                is_new(&state)
            })
    }

    /// Whom the list in force blocks, if that has changed since the last call.
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

    /// Whether an answer for the client is waited for.
    pub(super) fn is_waiting(&self) -> bool {
        !self.asked.is_empty()
    }

    /// The state once everything that was asked for has happened.
    fn newest(&self) -> State {
        let mut state = self.state.clone();
        for (_, change) in &self.asked {
            state.apply(change);
        }
        state
    }

    /// Asks for the list in force if it was never seen.
    fn ask_for_list(&mut self, wire: &mut Wire) {
        let state = self.newest();
        if let Some(name) = state.list_in_force()
            && !state.lists.contains_key(name)
        {
            self.read(name, wire);
        }
    }

    /// Asks for a list; `false` if that cannot be done now.
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

/// Whether two lists name the same accounts; at once if one is a copy of the other.
fn is_same(one: &Arc<[Box<str>]>, other: &Arc<[Box<str>]>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

impl State {
    fn hides(&self) -> bool {
        let is_hiding = |name| self.lists.get(name).is_none_or(|list| list.hides);
        self.invisible || self.list_in_force().is_some_and(is_hiding)
    }

    /// Whom the list in force denies everything; `None` if that list is not known.
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

    /// Remembers a list. Of too many one is forgotten that is not chosen: if it ever is, it is read again.
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
    /// What an IQ says of who sees the client; a choice without a name declines.
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
    /// Whether a privacy list denies outgoing presence to anybody (XEP-0016 §2.1), and whom it blocks.
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
                // What comes after a rule for everybody is never reached.
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
