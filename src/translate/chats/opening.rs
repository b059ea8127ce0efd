//! Questions of `auto` before the client is shown to anybody: whether its marker may say that this shim translates
//! one-to-one messages, and which items were shown in earlier sessions. The client's first presence waits for both
//! answers, and all its stanzas behind it.

use std::time::Duration;

use super::Ask;
use super::record::Record;
use crate::ns;
use crate::policy::Chat;
use crate::pubsub::request;
use crate::translate::{Cx, Wire};
use crate::wire::Reply;
use crate::xml::Element;

/// How long the first presence waits at most.
const WAIT: Duration = Duration::from_secs(5);
/// Prefix of the features of archives (XEP-0313) of all versions.
const ARCHIVE: &str = "urn:xmpp:mam:";

pub(super) struct Opening {
    mode: Chat,
    /// Whether the server keeps an archive of the account's messages; `None`: not known.
    has_archive: Option<bool>,
    /// The account has answered the question for an archive, also if with an error.
    is_answered: bool,
    first: First,
}

/// The state of the client's first presence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    NotSaid,
    Waits { until: Duration },
    Said,
}

impl Opening {
    pub(super) fn new(mode: Chat) -> Self {
        Self {
            mode,
            has_archive: None,
            is_answered: false,
            first: First::NotSaid,
        }
    }

    /// Whether one-to-one messages go by pubsub: not if an archive would miss them, nor while it is not known whether
    /// there is one.
    pub(super) fn takes_chats(&self) -> bool {
        self.mode == Chat::Pubsub || self.has_archive == Some(false)
    }

    /// Whether the client's first presence is still to come.
    pub(super) fn is_to_come(&self) -> bool {
        self.first == First::NotSaid
    }

    /// Holds the client's first presence, and asks the questions.
    pub(super) fn hold(&mut self, record: &mut Record, cx: &mut Cx<'_>) {
        record.read(cx.wire);
        if self.mode == Chat::Auto {
            let own = cx.account.own_bare();
            cx.wire.request("get", Some(&own), Ask::Archive, |out| {
                request::info(out, None);
            });
        }
        let until = cx.wire.now + WAIT;
        self.first = First::Waits { until };
    }

    /// Handles the features of the account (XEP-0313 §4).
    pub(super) fn handle_archive(&mut self, reply: Reply<'_>) {
        self.is_answered = true;
        let query = reply.ok().and_then(|iq| iq.child(ns::DISCO_INFO, "query"));
        self.has_archive = query.map(|query| {
            let is_archive = |it: Element<'_>| {
                let name = it.attribute("var").unwrap_or_default();
                it.local() == "feature" && name.starts_with(ARCHIVE)
            };
            query.children().any(is_archive)
        });
    }

    /// Whether the client's first presence waits.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.first, First::Waits { .. })
    }

    /// Lets the client's first presence go, if both answers are there or it has waited long enough, or in any case
    /// (`all`).
    pub(super) fn release(&mut self, all: bool, record: &Record, wire: &Wire) {
        let is_answered = self.mode != Chat::Auto || self.is_answered;
        let is_known = is_answered && record.is_known();
        if let First::Waits { until } = self.first
            && (all || is_known || until <= wire.now)
        {
            self.first = First::Said;
        }
    }

    /// Until when the first presence waits at most.
    pub(super) fn again_at(&self) -> Option<Duration> {
        match self.first {
            First::Waits { until } => Some(until),
            _ => None,
        }
    }
}
