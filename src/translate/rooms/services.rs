//! Domains whose nodes are rooms: those the user names, and those whose disco#info tells of a publish-subscribe service
//! and of no chat rooms. An unknown domain is asked once, when the client joins one of its rooms or asks about it; the
//! client's stanzas to the domain wait meanwhile. A client that only browses is shown the service as it is: it would
//! offer to create rooms on the first service that seems to have some.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Ask;
use crate::jid;
use crate::ns;
use crate::pubsub::request;
use crate::translate::held::{Held, has_room_for};
use crate::translate::{Cx, Kind};
use crate::xml::Element;

/// How long stanzas wait for the domain's answer; then they pass as they came.
const WAIT: Duration = Duration::from_secs(5);
/// Domains remembered.
const MOST_DOMAINS: usize = 256;
/// Stanzas that may wait for one domain.
const MOST_HELD: usize = 256;

pub(super) struct Services {
    /// Whether a domain has rooms.
    known: BTreeMap<Box<str>, bool>,
    /// Unknown domains are asked.
    asks: bool,
    asked: Vec<Asked>,
    /// Stanzas that waited and are for no room, in the client's order.
    released: VecDeque<Held>,
}

/// A domain whose disco#info is awaited.
struct Asked {
    domain: Box<str>,
    until: Duration,
    held: Vec<Held>,
}

impl Services {
    /// `named` have rooms; `asks`: others are asked.
    pub(super) fn new(named: &[String], asks: bool) -> Self {
        let named = named.iter().map(|it| (jid::prepared(it).into(), true));
        Self {
            known: named.collect(),
            asks,
            asked: Vec::new(),
            released: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.asks && self.known.is_empty()
    }

    pub(super) fn has_rooms(&self, domain: &str) -> bool {
        self.known.get(domain) == Some(&true)
    }

    /// Lets a stanza to `domain` wait while the domain is unknown; gives whether the stanza waits.
    pub(super) fn hold(
        &mut self,
        domain: &str,
        kind: Kind,
        stanza: &Element<'_>,
        cx: &mut Cx<'_>,
    ) -> bool {
        if let Some(asked) = self.asked.iter_mut().find(|it| *it.domain == *domain) {
            if has_room_for(stanza, asked.held.iter(), MOST_HELD) {
                asked.held.push(Held::new(kind, stanza));
                return true;
            }
            // No room for it: the stanzas in front of it pass first.
            self.decide(domain, false);
            return false;
        }
        let is_asked = self.asks
            && is_about_a_room(kind, stanza)
            && domain != jid::domain(cx.account.jid())
            && !self.known.contains_key(domain)
            && self.known.len() + self.asked.len() < MOST_DOMAINS
            && cx
                .wire
                .request("get", Some(domain), Ask::Service(domain.into()), |out| {
                    request::info(out, None);
                });
        if is_asked {
            self.asked.push(Asked {
                domain: domain.into(),
                until: cx.wire.now + WAIT,
                held: vec![Held::new(kind, stanza)],
            });
        }
        is_asked
    }

    /// Notes a domain's disco#info, `None` for an error; gives the stanzas that waited for it, if the domain has rooms.
    pub(super) fn note_info(&mut self, domain: &str, iq: Option<&Element<'_>>) -> Vec<Held> {
        self.decide(domain, iq.is_some_and(is_pubsub_alone))
    }

    fn decide(&mut self, domain: &str, has_rooms: bool) -> Vec<Held> {
        self.known.insert(domain.into(), has_rooms);
        let at = self.asked.iter().position(|it| *it.domain == *domain);
        let held = at.map_or_else(Vec::new, |at| self.asked.remove(at).held);
        if has_rooms {
            return held;
        }
        self.released.extend(held);
        Vec::new()
    }

    /// Takes domains that have not answered in time for domains without rooms; `all`: also those with time left.
    pub(super) fn give_up(&mut self, now: Duration, all: bool) {
        let is_late = |it: &&Asked| all || it.until <= now;
        while let Some(late) = self.asked.iter().find(is_late) {
            let domain = late.domain.clone();
            self.decide(&domain, false);
        }
    }

    /// When the next domain is [given up](Self::give_up).
    pub(super) fn due_at(&self) -> Option<Duration> {
        self.asked.iter().map(|it| it.until).min()
    }

    /// The next stanza that has waited and is for no room.
    pub(super) fn released(&mut self) -> Option<Held> {
        self.released.pop_front()
    }
}

/// Whether the stanza joins a room or asks what it is.
fn is_about_a_room(kind: Kind, stanza: &Element<'_>) -> bool {
    let to = stanza.attribute("to").unwrap_or_default();
    match kind {
        Kind::Presence => jid::resource(&to).is_some() && stanza.child(ns::MUC, "x").is_some(),
        Kind::Message => false,
        Kind::Iq if jid::resource(&to).is_some() || jid::local(&to).is_none() => false,
        Kind::Iq => {
            let query = stanza.child(ns::DISCO_INFO, "query");
            let query = query.or_else(|| stanza.child(ns::DISCO_ITEMS, "query"));
            query.is_some_and(|query| query.attribute("node").is_none())
        }
    }
}

/// Whether a disco#info answer describes a publish-subscribe service and no chat rooms (XEP-0030, XEP-0060 §5.1,
/// XEP-0045 §6.1).
fn is_pubsub_alone(iq: &Element<'_>) -> bool {
    let Some(query) = iq.child(ns::DISCO_INFO, "query") else {
        return false;
    };
    let is_identity = |child: &Element<'_>, category: &str, kind: Option<&str>| {
        child.is(ns::DISCO_INFO, "identity")
            && child.attribute("category").as_deref() == Some(category)
            && kind.is_none_or(|kind| child.attribute("type").as_deref() == Some(kind))
    };
    let is_muc = |child: &Element<'_>| {
        is_identity(child, "conference", None)
            || child.is(ns::DISCO_INFO, "feature")
                && child.attribute("var").as_deref() == Some(ns::MUC)
    };
    let is_pubsub = |child: Element<'_>| is_identity(&child, "pubsub", Some("service"));
    query.attribute("node").is_none()
        && query.children().any(is_pubsub)
        && !query.children().any(|child| is_muc(&child))
}
