//! `pubshim forget`: finds, lists and removes the nodes that pubshim has left on the account.
//!
//! The account's server is asked which nodes the account has, and for the items of those with a name of pubshim's.
//! Once all are listed they are deleted, and the server is asked for nodes again: ejabberd lists a hundred at once,
//! and another client behind a shim creates its node anew. Nodes on services, such as rooms, are not the account's.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::node::{Items, whose_items};
use super::{Cx, Wire};
use crate::policy::Forget;
use crate::pubsub::{CHATS, PRESENCE, ROSTER, answer, request};
use crate::wire::{Event, Forgetting, Refused, Reply, is_own_id};
use crate::xml::Element;

/// Nodes looked at in one session; a server that lists more is not believed.
const MOST_NODES: usize = 20_000;

/// Questions to the account's own server.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// Which nodes the account has.
    Nodes,
    /// Which items are on a node.
    Items(Box<str>),
    /// To delete a node.
    Delete(Box<str>),
}

/// The progress of one session.
pub(super) struct Task {
    is_dry_run: bool,
    /// Questions that wait for their turn.
    queue: VecDeque<Ask>,
    /// Questions that wait for an answer.
    waiting: usize,
    /// Nodes that were looked at, or will be.
    known: BTreeSet<Box<str>>,
    /// Nodes of ours whose deletion was not asked for yet.
    ours: Vec<Box<str>>,
    removed: BTreeSet<Box<str>>,
    /// Nodes were deleted since the server listed the nodes.
    is_to_check: bool,
    is_done: bool,
    found: usize,
    failed: usize,
}

impl Task {
    pub(super) fn new(forget: Forget) -> Self {
        Self {
            is_dry_run: forget == Forget::List,
            queue: [Ask::Nodes].into(),
            waiting: 0,
            known: BTreeSet::new(),
            ours: Vec::new(),
            removed: BTreeSet::new(),
            is_to_check: false,
            is_done: false,
            found: 0,
            failed: 0,
        }
    }

    /// Whether all steps are done.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Sends the questions that may go now.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>) {
        while let Some(ask) = self.queue.front()
            && let Some(spare) = cx.wire.spare()
        {
            let purpose = super::Ask::Forget(ask.clone());
            match ask {
                Ask::Nodes => {
                    spare.request("get", Some(cx.account.bare()), purpose, request::nodes);
                }
                Ask::Items(node) => {
                    spare.request("get", None, purpose, |out| request::items(out, node));
                }
                Ask::Delete(node) => {
                    spare.request("set", None, purpose, |out| request::delete(out, node));
                }
            }
            self.queue.pop_front();
            self.waiting += 1;
        }
    }

    /// When the next question may go, if no answer comes first.
    pub(super) fn again_at(&self, wire: &Wire) -> Option<Duration> {
        let is_waiting = !self.queue.is_empty();
        is_waiting.then(|| wire.may_work_at()).flatten()
    }

    pub(super) fn reply(&mut self, ask: Ask, reply: Reply<'_>, cx: &mut Cx<'_>) {
        self.waiting -= 1;
        match ask {
            Ask::Nodes => self.handle_nodes(reply, cx),
            Ask::Items(node) => self.handle_items(node, reply, cx),
            Ask::Delete(node) => self.handle_deleted(node, reply, cx.wire),
        }
        if self.queue.is_empty() && self.waiting == 0 {
            self.go_on(cx);
        }
    }

    fn handle_nodes(&mut self, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let listed = reply.and_then(|iq| {
            let listed = answer::nodes(iq, cx.account.bare());
            listed.ok_or(Refused::NoList)
        });
        let listed = match listed {
            Ok(listed) => listed,
            Err(refused) => {
                let reason = format!("the server does not list the account's nodes: {refused}");
                return self.fail(None, &reason, cx.wire);
            }
        };
        // Ask for these in any case: a list that is cut short may lack them.
        let certain = match self.known.is_empty() {
            true => &[PRESENCE, ROSTER, CHATS][..],
            false => &[],
        };
        let certain = certain.iter().map(|node| Box::from(*node));
        for node in certain.chain(listed) {
            if purpose(&node).is_none() {
                continue;
            }
            if self.removed.remove(&node) {
                let reason = "it is there again: another client of the account uses pubshim";
                self.fail(Some(&node), reason, cx.wire);
            } else if self.known.len() == MOST_NODES && !self.known.contains(&node) {
                let reason = format!("the server lists more than {MOST_NODES} nodes of pubshim's");
                return self.fail(None, &reason, cx.wire);
            } else if self.known.insert(node.clone()) {
                self.queue.push_back(Ask::Items(node));
            }
        }
    }

    fn handle_items(&mut self, node: Box<str>, reply: Reply<'_>, cx: &mut Cx<'_>) {
        let own = cx.account.bare();
        let items = reply.and_then(|iq| {
            let items = answer::with_items(iq, |items| (count(items), whose_items(items, own)));
            // The missing part of a list may hold another program's items.
            let is_certain = *node != *PRESENCE || !answer::is_part(iq);
            items.filter(|_| is_certain).ok_or(Refused::NoList)
        });
        match items {
            Err(Refused::With("item-not-found")) => {}
            Err(refused) => {
                let reason = format!("the server does not tell what is on it: {refused}");
                self.fail(Some(&node), &reason, cx.wire);
            }
            Ok((_, Items::Foreign)) if *node == *PRESENCE => {
                let node = node.into_string();
                log(Forgetting::Foreign { node }, cx.wire);
            }
            Ok((items, _)) => {
                self.found += 1;
                let found = Forgetting::Found {
                    node: node.to_string(),
                    items,
                    purpose: purpose(&node).unwrap_or_default(),
                };
                log(found, cx.wire);
                self.ours.push(node);
            }
        }
    }

    fn handle_deleted(&mut self, node: Box<str>, reply: Reply<'_>, wire: &mut Wire) {
        match reply {
            Ok(_) | Err(Refused::With("item-not-found")) => {
                let name = node.to_string();
                log(Forgetting::Removed { node: name }, wire);
                self.removed.insert(node);
                self.is_to_check = true;
            }
            Err(refused) => self.fail(Some(&node), &refused.to_string(), wire),
        }
    }

    /// Takes the next step after all answers: deletes the nodes found, looks for more, or finishes.
    fn go_on(&mut self, cx: &mut Cx<'_>) {
        if !self.is_dry_run && !self.ours.is_empty() {
            self.queue.extend(self.ours.drain(..).map(Ask::Delete));
        } else if std::mem::take(&mut self.is_to_check) {
            self.queue.push_back(Ask::Nodes);
        } else {
            self.finish(cx);
        }
    }

    /// Reports the unfinished steps as the session ends.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>) {
        if !self.is_done {
            let reason = "the session ended before all was done";
            self.fail(None, reason, cx.wire);
            self.finish(cx);
        }
    }

    fn finish(&mut self, cx: &mut Cx<'_>) {
        self.is_done = true;
        let done = Forgetting::Done {
            account: cx.account.bare().to_owned(),
            found: self.found,
            removed: self.removed.len(),
            failed: self.failed,
        };
        log(done, cx.wire);
    }

    fn fail(&mut self, node: Option<&str>, reason: &str, wire: &mut Wire) {
        self.failed += 1;
        let (node, reason) = (node.map(str::to_owned), reason.to_owned());
        log(Forgetting::Failed { node, reason }, wire);
    }
}

fn log(step: Forgetting, wire: &mut Wire) {
    wire.log(Event::Forgetting(step));
}

fn count(items: &Element<'_>) -> usize {
    let items = items.children().filter(|child| child.local() == "item");
    items.count()
}

/// The purpose of a node of ours, for people; `None`: the name is none of ours.
fn purpose(node: &str) -> Option<&'static str> {
    Some(match node {
        PRESENCE => "your presence",
        ROSTER => "your contacts, and whom you let see you",
        CHATS => "where your messages are, and which were shown",
        _ if is_chat(node) => "messages with one contact",
        _ => return None,
    })
}

/// Whether this names a node of one-to-one messages: `chat/` and 32 hex digits, or an id as shims make them.
fn is_chat(node: &str) -> bool {
    let Some(name) = node.strip_prefix("chat/") else {
        return false;
    };
    let is_digit = |digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    is_own_id(name) || name.len() == 32 && name.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_nodes_of_messages() {
        let digits = "0123456789abcdef0123456789abcdef";
        for name in [
            format!("chat/{digits}"),
            format!("chat/ps-01234567-{digits}"),
        ] {
            assert!(is_chat(&name), "{name}");
        }
        for name in [
            digits.to_owned(),
            format!("chat/{digits}0"),
            format!("chat/{}", digits.to_uppercase()),
            format!("chat/{}", &digits[1..]),
            format!("chat/{digits}\n"),
            format!("Chat/{digits}"),
            format!("chat/ps-0123456-{digits}"),
            format!("chat/ps-0123456g-{digits}"),
            format!("chat/ps-01234567{digits}"),
            format!("chat/ps-01234567-{digits}-"),
        ] {
            assert!(!is_chat(&name), "{name}");
        }
    }
}
