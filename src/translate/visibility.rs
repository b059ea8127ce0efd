//! Who must not see the client: invisibility (XEP-0186) and privacy lists (XEP-0016).
//!
//! A publish reaches every subscriber of the node. So as soon as the client is hidden from anybody in
//! one of these ways, nothing is published; native presence goes on, filtered by the server.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::Purpose;
use super::translator::NO_ANSWER;
use crate::ns;
use crate::session::{ServerFacts, Wire};
use crate::xml::{Element, escape};

/// So many requests of the client's may wait for their answers.
const MOST_REQUESTS: usize = 16;
/// So many privacy lists are remembered.
const MOST_LISTS: usize = 64;

/// What is known of a session's visibility.
#[derive(Debug, Default)]
pub(super) struct Visibility {
    state: State,
    /// Privacy lists by name: whether presence is hidden from somebody.
    lists: HashMap<Box<str>, bool>,
    /// States to go back to if the server refuses the request of this id.
    undo: Vec<(Box<str>, State)>,
    default: DefaultList,
}

#[derive(Clone, Debug, Default)]
struct State {
    invisible: bool,
    active: Option<Box<str>>,
    default: Option<Box<str>>,
}

/// Whether the account's default list is known: it may hide the client without a word of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum DefaultList {
    #[default]
    Unknown,
    Asked,
    Known,
}

impl Visibility {
    /// Whether the client may be hidden from anybody, or that is not known yet.
    pub(super) fn hides(&self) -> bool {
        let is_hiding = |name| self.lists.get(name).copied().unwrap_or(true);
        self.default != DefaultList::Known
            || self.state.invisible
            || self.list_in_force().is_some_and(is_hiding)
    }

    /// Asks for what has to be known before anything is published.
    pub(super) fn prepare(&mut self, wire: &mut Wire) {
        if self.default == DefaultList::Unknown && wire.facts.no_privacy_lists {
            self.default = DefaultList::Known;
        }
        if self.default == DefaultList::Unknown {
            let asked = wire.request("get", None, Purpose::PrivacyLists, |out| {
                let _ = write!(out, "<query xmlns='{}'/>", ns::PRIVACY);
            });
            if asked {
                self.default = DefaultList::Asked;
            }
        }
    }

    /// Takes the answer about all lists: which is active, which the default.
    pub(super) fn handle_lists(&mut self, reply: Result<&Element<'_>, &str>, wire: &mut Wire) {
        // Without an answer nothing is published; the client's next presence asks again.
        self.default = match reply {
            Err(NO_ANSWER) => DefaultList::Unknown,
            _ => DefaultList::Known,
        };
        match reply {
            Ok(iq) => {
                if let Some(query) = iq.child(ns::PRIVACY, "query") {
                    self.note_choice(&query);
                }
                self.ask_for_list(wire);
            }
            Err("service-unavailable" | "feature-not-implemented") => wire.learn(ServerFacts {
                no_privacy_lists: true,
                ..wire.facts
            }),
            // None at all, as XEP-0016 §2.3 has it; or nothing that could be done about it.
            Err(_) => {}
        }
    }

    /// Takes the answer about the list in force.
    pub(super) fn handle_list(&mut self, reply: Result<&Element<'_>, &str>) {
        match reply {
            Ok(iq) => self.note_lists(iq),
            Err("item-not-found") => {
                if let Some(name) = self.list_in_force().map(Box::from) {
                    self.lists.insert(name, false);
                }
            }
            // It stays unknown, and so nothing is published.
            Err(_) => {}
        }
    }

    /// Looks at a request of the client's that may change who sees it.
    pub(super) fn note_request(&mut self, iq: &Element<'_>, wire: &mut Wire) {
        if iq.attribute("type").as_deref() != Some("set") {
            return;
        }
        let before = self.state.clone();
        for child in iq.children() {
            match (&*child.namespace(), child.local()) {
                (ns::INVISIBLE | ns::INVISIBLE_0, "invisible") => self.state.invisible = true,
                (ns::INVISIBLE | ns::INVISIBLE_0, "visible") => self.state.invisible = false,
                (ns::PRIVACY, "query") => {
                    self.note_choice(&child);
                    self.note_lists(iq);
                }
                _ => return,
            }
        }
        if self.undo.len() < MOST_REQUESTS {
            let id = iq.attribute("id").unwrap_or_default();
            self.undo.push(((*id).into(), before));
        }
        self.ask_for_list(wire);
    }

    /// Looks at an answer for the client: what was refused did not happen.
    pub(super) fn note_answer(&mut self, iq: &Element<'_>) {
        let id = iq.attribute("id").unwrap_or_default();
        let Some(at) = self.undo.iter().position(|(asked, _)| **asked == *id) else {
            return;
        };
        let (_, before) = self.undo.remove(at);
        if iq.attribute("type").as_deref() == Some("error") {
            self.state = before;
        }
    }

    /// Whether an answer for the client is waited for.
    pub(super) fn is_waiting(&self) -> bool {
        !self.undo.is_empty()
    }

    /// The active list, else the default one.
    fn list_in_force(&self) -> Option<&str> {
        self.state
            .active
            .as_deref()
            .or(self.state.default.as_deref())
    }

    /// Asks for the list in force if it was never seen.
    fn ask_for_list(&self, wire: &mut Wire) {
        let Some(name) = self.list_in_force() else {
            return;
        };
        if !self.lists.contains_key(name) {
            wire.request("get", None, Purpose::PrivacyList, |out| {
                let _ = write!(
                    out,
                    "<query xmlns='{}'><list name='{}'/></query>",
                    ns::PRIVACY,
                    escape(name)
                );
            });
        }
    }

    /// Notes which lists are chosen; an element without a name declines.
    fn note_choice(&mut self, query: &Element<'_>) {
        for choice in query.children() {
            let name = choice.attribute("name").map(|name| (*name).into());
            match choice.local() {
                "active" => self.state.active = name,
                "default" => self.state.default = name,
                _ => {}
            }
        }
    }

    /// Notes the lists that are written out in `iq`.
    fn note_lists(&mut self, iq: &Element<'_>) {
        let Some(query) = iq.child(ns::PRIVACY, "query") else {
            return;
        };
        for list in query.children().filter(|list| list.local() == "list") {
            let name = list.attribute("name").unwrap_or_default();
            if self.lists.len() < MOST_LISTS || self.lists.contains_key(&*name) {
                self.lists.insert((*name).into(), hides_presence(&list));
            }
        }
    }
}

/// Whether a privacy list denies outgoing presence to anybody (XEP-0016 §2.1).
fn hides_presence(list: &Element<'_>) -> bool {
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
    for item in items {
        match (item.attribute("action").as_deref(), item.attribute("type")) {
            (Some("deny"), _) => return true,
            // What comes after a rule for everybody is never reached.
            (_, None) => return false,
            _ => {}
        }
    }
    false
}
