//! A node of the own account: made, repaired and verified before anything is published to it.

use bytes::BytesMut;

use super::inquiry::Inquiry;
use super::{Ask, Wire};
use crate::jid;
use crate::ns;
use crate::pubsub::{answer, form, request};
use crate::wire::{Event, Refused, Reply};
use crate::xml::Element;

/// Access models of a node (XEP-0060 §4.5). All others would leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The owner approves each subscriber; asked for by XEP-0207 §8.
    Authorize,
    /// The owner lists the subscribers; for servers without `authorize`.
    Whitelist,
}

impl Access {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Whitelist => "whitelist",
        }
    }
}

/// Requests to the server about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The node's configuration.
    Get,
    /// Lists the items of a node before it is deleted: they may be another program's.
    Inspect,
    /// Deletes a node whose subscribers nobody approved.
    Delete,
    /// Creates the node.
    Create(Access),
    /// Changes the access model, and nothing else: a refusal must have one meaning.
    SetAccess(Access),
    /// Changes the other options.
    SetOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unchecked,
    Asking,
    /// The node does not exist, and may not be created yet.
    Missing,
    Ready,
    Unusable,
}

/// The wanted configuration of a node of the own account. The function that owns the node declares it.
#[derive(Debug)]
pub(super) struct NodeSpec {
    pub(super) name: &'static str,
    /// The access model, if the server knows it; else `whitelist`.
    pub(super) access: Access,
    /// Options that are set where the server offers the field.
    pub(super) wanted: &'static [(&'static str, &'static str)],
    /// The least `max_items` that is accepted in place of `max`.
    pub(super) few_items: u32,
    /// The items must not be lost: the node is repaired, never deleted.
    pub(super) is_kept: bool,
    /// Makes the purpose of a request about the node.
    pub(super) ask: fn(Step) -> Ask,
}

impl NodeSpec {
    fn best_access(&self, wire: &Wire) -> Access {
        match wire.facts.no_authorize {
            true => Access::Whitelist,
            false => self.access,
        }
    }
}

/// Requests after which the server's configuration is given up.
const MOST_REQUESTS: u8 = 10;
/// Named in the log if the server cannot answer.
const CONFIGURATION: &str = "how your node 'presence' is configured";

/// A node of the own account, and the progress of making and verifying it.
#[derive(Debug)]
pub(crate) struct OwnNode {
    spec: &'static NodeSpec,
    state: State,
    /// The access model that was verified last.
    verified: Option<Access>,
    requests: u8,
    /// The question for the configuration.
    pub(super) inquiry: Inquiry,
    /// The options were set once: the server will not change those that still differ.
    configured: bool,
    is_new: bool,
    /// The node may be created if it does not exist.
    may_create: bool,
    /// Why the node is to be replaced, while its items are looked at.
    fault: Option<String>,
    /// When the node was first looked at, its options were those of a shim.
    was_right: bool,
    /// Another program has created the node and left it empty: it is configured, not deleted.
    is_adopted: bool,
}

/// The publishers of a node's items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Items {
    None,
    /// All items are presences of this account's resources.
    Ours,
    Foreign,
}

impl OwnNode {
    pub(super) fn new(spec: &'static NodeSpec) -> Self {
        Self {
            spec,
            state: State::Unchecked,
            verified: None,
            requests: 0,
            inquiry: Inquiry::default(),
            configured: false,
            is_new: false,
            may_create: true,
            fault: None,
            was_right: false,
            is_adopted: false,
        }
    }

    /// Forbids creating the node until [`allow`](Self::allow).
    pub(super) fn forbid(&mut self) {
        self.may_create = false;
    }

    /// Whether the node does not exist and waits until it may be created.
    pub(super) fn is_missing(&self) -> bool {
        self.state == State::Missing
    }

    /// Allows creating the node.
    pub(super) fn allow(&mut self, wire: &mut Wire) {
        self.may_create = true;
        if self.is_missing() {
            self.make(wire);
        }
    }

    /// Creates a node that does not exist.
    pub(super) fn make(&mut self, wire: &mut Wire) {
        self.state = State::Asking;
        self.ask(Step::Create(self.spec.best_access(wire)), wire);
    }

    /// Has a ready node deleted and created anew, unless another program's items are on it.
    pub(super) fn remake(&mut self, fault: &str, wire: &mut Wire) {
        if self.is_ready() {
            self.state = State::Asking;
            self.replace(fault, wire);
        }
    }

    /// Whether another program has created the node and left it empty.
    pub(super) fn is_adopted(&self) -> bool {
        self.is_adopted
    }

    /// Whether the node may be published to.
    pub(crate) fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// The access model that was verified last; a publish that names it cannot leak.
    pub(crate) fn verified(&self) -> Option<&'static str> {
        self.verified.map(Access::as_str)
    }

    /// Whether the node was made in this session.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether the node is to be looked at.
    pub(super) fn is_unchecked(&self) -> bool {
        self.state == State::Unchecked
    }

    /// Whether nothing can be published to the node in this session.
    pub(crate) fn is_unusable(&self) -> bool {
        self.state == State::Unusable
    }

    /// Whether the node is looked at again later, as the server could not answer.
    pub(super) fn is_paused(&self) -> bool {
        self.state == State::Unchecked && self.inquiry.failures() > 0
    }

    /// Whether no request about the node is to come for now.
    pub(super) fn is_settled(&self) -> bool {
        self.is_ready() || self.is_unusable() || self.is_paused()
    }

    /// Has the node checked, unless it is being checked, was, or is [paused](Self::is_paused).
    pub(crate) fn prepare(&mut self, wire: &mut Wire) {
        let is_later = self.inquiry.again_at().is_some_and(|at| at > wire.now);
        if self.state == State::Unchecked && !is_later {
            self.state = State::Asking;
            self.inquiry.note_asked(true);
            self.ask(Step::Get, wire);
        }
    }

    /// Has the node checked anew when needed, as a server's answer contradicts what was verified.
    pub(crate) fn doubt(&mut self) {
        self.state = State::Unchecked;
        self.configured = false;
        self.is_new = false;
        self.is_adopted = false;
    }

    /// Handles the answer to `step`. `own`: the own bare JID.
    pub(crate) fn handle_reply(
        &mut self,
        step: Step,
        reply: Reply<'_>,
        own: &str,
        wire: &mut Wire,
    ) {
        // A server without `authorize` answers with one of these errors (XEP-0060 §8.1.3), no other.
        let is_unknown_access = matches!(
            reply,
            Err(Refused::With("not-acceptable" | "feature-not-implemented"))
        );
        self.is_new |= matches!((step, reply), (Step::Create(_), Ok(_)));
        match (step, reply) {
            (Step::Get, Ok(iq)) => {
                answer::with_configuration(iq, |form| self.handle_configuration(form, wire))
                    .unwrap_or_else(|| self.give_up("an answer without a configuration", wire));
            }
            (Step::Inspect, Ok(iq)) => self.handle_items(iq, own, wire),
            (Step::Get | Step::Inspect | Step::Delete, Err(Refused::With("item-not-found")))
            | (Step::Delete, Ok(_)) => match self.may_create {
                true => self.make(wire),
                false => self.state = State::Missing,
            },
            (Step::Create(Access::Authorize), Err(_)) if is_unknown_access => {
                wire.learn(|facts| facts.no_authorize = true);
                self.ask(Step::Create(Access::Whitelist), wire);
            }
            (Step::SetAccess(_), Err(_)) if is_unknown_access => {
                wire.learn(|facts| facts.no_authorize = true);
                self.ask(Step::Get, wire);
            }
            (Step::Create(_) | Step::SetAccess(_) | Step::SetOptions, Ok(_))
            | (Step::Create(_), Err(Refused::With("conflict")))
            // A refused option is harmless: access model and publish model are checked again.
            | (Step::SetOptions, Err(_)) => self.ask(Step::Get, wire),
            // ejabberd answers so after five seconds when many log in at once; the next request works.
            (_, Err(Refused::With("internal-server-error"))) if self.requests < MOST_REQUESTS => {
                self.ask(Step::Get, wire);
            }
            (_, Err(refused)) if !self.spec.is_kept && refused.may_pass() => {
                self.pause(refused, wire);
            }
            (_, Err(refused)) => self.give_up(&refused.to_string(), wire),
        }
    }

    fn handle_configuration(&mut self, form: &Element<'_>, wire: &mut Wire) {
        let model = form::value(form, "pubsub#access_model").unwrap_or_default();
        let access = match &*model {
            "authorize" => Access::Authorize,
            "whitelist" => Access::Whitelist,
            // An adopted node is empty, and nobody has published to it: changing it harms nobody.
            _ if self.is_adopted => {
                return self.ask(Step::SetAccess(self.spec.best_access(wire)), wire);
            }
            // Another program's access model. Its subscribers were never approved, and on some servers they stay
            // subscribed after a change of the access model.
            other => return self.replace(&format!("its access model is '{other}'"), wire),
        };
        let publishers = form::value(form, "pubsub#publish_model");
        let is_open = publishers.is_some_and(|model| model != "publishers");
        if is_open && (!self.is_adopted || self.configured) {
            return self.replace("others may publish to it", wire);
        }
        if access == Access::Whitelist && self.spec.best_access(wire) == Access::Authorize {
            return self.ask(Step::SetAccess(Access::Authorize), wire);
        }
        let mut options: Vec<_> = differences(form, self.spec).collect();
        if is_open {
            options.push(("pubsub#publish_model", "publishers"));
        }
        self.was_right |= options.is_empty() && !self.configured;
        if options.is_empty() || self.configured {
            self.state = State::Ready;
            self.verified = Some(access);
            self.requests = 0;
            self.inquiry.note_known();
            let (node, access) = (self.spec.name, access.as_str().to_owned());
            return wire.log(Event::NodeReady { node, access });
        }
        self.configured = true;
        self.send(Step::SetOptions, wire, |out, node| {
            request::configure(out, node, &options);
        });
    }

    fn replace(&mut self, reason: &str, wire: &mut Wire) {
        if self.spec.is_kept {
            return self.send(Step::SetAccess(Access::Whitelist), wire, |out, node| {
                let fields = [
                    ("pubsub#access_model", Access::Whitelist.as_str()),
                    ("pubsub#publish_model", "publishers"),
                ];
                request::configure(out, node, &fields);
            });
        }
        if self.is_adopted {
            return self.give_up(reason, wire);
        }
        self.fault = Some(reason.to_owned());
        self.ask(Step::Inspect, wire);
    }

    /// Handles the items of a node that is to be replaced: a node of ours is created anew, an empty one is configured,
    /// another program's is left alone.
    fn handle_items(&mut self, iq: &Element<'_>, own: &str, wire: &mut Wire) {
        let reason = self.fault.take().unwrap_or_default();
        // An answer without a list may hide items.
        let whose = answer::with_items(iq, |items| whose_items(items, own));
        match whose.unwrap_or(Items::Foreign) {
            Items::Foreign => self.give_up(
                &format!("{reason}, and something else has published to it, so it is left as it is; delete that node if nothing needs it"),
                wire,
            ),
            Items::None if !self.was_right => {
                self.is_adopted = true;
                self.ask(Step::Get, wire);
            }
            Items::None | Items::Ours => {
                let node = self.spec.name;
                wire.log(Event::NodeReplaced { node, reason });
                self.was_right = false;
                self.configured = false;
                self.ask(Step::Delete, wire);
            }
        }
    }

    fn ask(&mut self, step: Step, wire: &mut Wire) {
        let model = |access: Access| [("pubsub#access_model", access.as_str())];
        self.send(step, wire, |out, node| match step {
            Step::Inspect => request::items(out, node),
            Step::Delete => request::delete(out, node),
            Step::Create(access) => request::create(out, node, &model(access)),
            Step::SetAccess(access) => request::configure(out, node, &model(access)),
            Step::Get | Step::SetOptions => request::configuration(out, node),
        });
    }

    fn send(&mut self, step: Step, wire: &mut Wire, body: impl FnOnce(&mut BytesMut, &str)) {
        self.requests += 1;
        let kind = match step {
            Step::Get | Step::Inspect => "get",
            _ => "set",
        };
        if self.requests > MOST_REQUESTS {
            return self.give_up("the server does not keep the configuration", wire);
        }
        let node = self.spec.name;
        if !wire.request(kind, None, (self.spec.ask)(step), |out| body(out, node)) {
            match self.spec.is_kept {
                false => self.pause(Refused::NoRoom, wire),
                true => self.give_up(&Refused::NoRoom.to_string(), wire),
            }
        }
    }

    /// Has the node looked at again later, as the server could not answer.
    fn pause(&mut self, refused: Refused<'_>, wire: &mut Wire) {
        self.doubt();
        self.requests = 0;
        self.fault = None;
        self.inquiry.fail(CONFIGURATION, refused, wire);
    }

    fn give_up(&mut self, reason: &str, wire: &mut Wire) {
        self.state = State::Unusable;
        wire.log(Event::NodeUnusable {
            node: self.spec.name,
            reason: reason.to_owned(),
        });
    }
}

/// Whose items these are: [`Items::Ours`] if every one is a presence of a resource of `own`.
pub(super) fn whose_items(items: &Element<'_>, own: &str) -> Items {
    let is_ours = |item: &Element<'_>| {
        let presence = item.child(ns::CLIENT, "presence");
        let from = presence.and_then(|presence| Some(presence.attribute("from")?.into_owned()));
        from.is_some_and(|from| jid::bare(&from) == own && jid::resource(&from).is_some())
    };
    let mut items = items.children().filter(|child| child.local() == "item");
    match items.next() {
        None => Items::None,
        Some(first) if is_ours(&first) && items.all(|item| is_ours(&item)) => Items::Ours,
        Some(_) => Items::Foreign,
    }
}

/// Wanted options that the server offers and has set otherwise.
fn differences<'a>(
    form: &'a Element<'a>,
    spec: &'static NodeSpec,
) -> impl Iterator<Item = (&'static str, &'static str)> + use<'a> {
    spec.wanted.iter().copied().filter(move |(var, wanted)| {
        form::value(form, var).is_some_and(|value| match (&*value, *wanted) {
            (number, "max") if number != "max" => {
                number.parse().is_ok_and(|n: u32| n < spec.few_items)
            }
            ("true", "1") | ("false", "0") => false,
            (value, wanted) => value != wanted,
        })
    })
}
