//! Ending subscriptions to our node, so that delivery really ends.
//!
//! Each server has a trap: on Prosody a subscription outlives the affiliation, on ejabberd nobody can list
//! who has one. So first the subscriptions go, every recorded JID of the account, then the affiliation.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::presence::NODE;
use super::{Purpose, rules};
use crate::jid;
use crate::ns;
use crate::session::Wire;
use crate::xml::{Element, escape};

/// So many accounts may wait.
const MOST_WAITING: usize = 256;

/// Accounts whose subscriptions are being ended, one after the other.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    waiting: VecDeque<Box<str>>,
    /// Blocking requests of the client's by id, with the accounts to be blocked (XEP-0191).
    blocking: Vec<(Box<str>, Vec<Box<str>>)>,
}

impl Revocations {
    /// Looks at a request of the client's to block somebody.
    pub(super) fn note_request(&mut self, iq: &Element<'_>) {
        if let Some(block) = iq.child(ns::BLOCKING, "block")
            && iq.attribute("type").as_deref() == Some("set")
            && self.blocking.len() < MOST_WAITING
        {
            let accounts = block
                .children()
                .filter_map(|item| Some((*item.attribute("jid")?).into()));
            let id = iq.attribute("id").unwrap_or_default();
            self.blocking.push(((*id).into(), accounts.collect()));
        }
    }

    /// Looks at an answer for the client: whoever is blocked now is subscribed no longer.
    pub(super) fn note_answer(&mut self, iq: &Element<'_>, wire: &mut Wire) {
        if self.blocking.is_empty() {
            return;
        }
        let id = iq.attribute("id").unwrap_or_default();
        let Some(at) = self.blocking.iter().position(|(asked, _)| **asked == *id) else {
            return;
        };
        let (_, accounts) = self.blocking.remove(at);
        if iq.attribute("type").as_deref() == Some("result") {
            wire.apply(&rules::REVOKE);
            for account in accounts {
                self.revoke(&account, wire);
            }
        }
    }

    /// Ends what `account` (or a whole domain) has subscribed to.
    pub(super) fn revoke(&mut self, account: &str, wire: &mut Wire) {
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(account.into());
            if self.waiting.len() == 1 {
                self.go_on(wire);
            }
        }
    }

    /// Goes on with the list of subscribers, or without one.
    pub(super) fn handle_subscribers(
        &mut self,
        reply: Result<&Element<'_>, &str>,
        wire: &mut Wire,
    ) {
        let Some(account) = self.waiting.pop_front() else {
            return;
        };
        let mut subscribers = reply
            .map(|iq| subscribers_of(iq, &account))
            .unwrap_or_default();
        if reply.is_err() {
            // ejabberd lists none; a shim subscribes with the bare JID.
            subscribers.push(account.to_string());
        }
        if !subscribers.is_empty() {
            wire.request("set", None, Purpose::Ignore, |out| {
                let _ = write!(
                    out,
                    "<pubsub xmlns='{}'><subscriptions node='{NODE}'>",
                    ns::PUBSUB_OWNER
                );
                for jid in &subscribers {
                    let _ = write!(
                        out,
                        "<subscription jid='{}' subscription='none'/>",
                        escape(jid)
                    );
                }
                let _ = write!(out, "</subscriptions></pubsub>");
            });
        }
        wire.request("set", None, Purpose::Ignore, |out| {
            let _ = write!(
                out,
                "<pubsub xmlns='{}'><affiliations node='{NODE}'><affiliation jid='{}' affiliation='none'/></affiliations></pubsub>",
                ns::PUBSUB_OWNER,
                escape(&account)
            );
        });
        self.go_on(wire);
    }

    /// Asks for the subscribers; if that cannot be asked now, goes on as if nobody could list them.
    fn go_on(&mut self, wire: &mut Wire) {
        if !self.waiting.is_empty() && !ask(wire) {
            self.handle_subscribers(Err("too many requests wait for the server"), wire);
        }
    }
}

fn ask(wire: &mut Wire) -> bool {
    wire.request("get", None, Purpose::Subscribers, |out| {
        let _ = write!(
            out,
            "<pubsub xmlns='{}'><subscriptions node='{NODE}'/></pubsub>",
            ns::PUBSUB_OWNER
        );
    })
}

/// The subscribed JIDs in an answer that belong to `account`, which may be a domain.
fn subscribers_of(iq: &Element<'_>, account: &str) -> Vec<String> {
    let mut found = Vec::new();
    for pubsub in iq.children() {
        for subscriptions in pubsub
            .children()
            .filter(|child| child.local() == "subscriptions")
        {
            for subscription in subscriptions.children() {
                let jid = subscription.attribute("jid").unwrap_or_default();
                let is_meant =
                    jid::bare(&jid) == account || jid::domain(&jid) == account || jid == account;
                if is_meant && subscription.attribute("subscription").as_deref() != Some("none") {
                    found.push(jid.into_owned());
                }
            }
        }
    }
    found
}
