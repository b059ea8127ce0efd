//! A node of the own account: made, repaired and verified before anything is published to it.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};

use super::{Purpose, form};
use crate::ns;
use crate::session::{Event, ServerFacts, Wire};
use crate::xml::Element;

/// Who may subscribe to a node (XEP-0060 §4.5). Others than these two would leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whom the owner approves; what XEP-0207 §8 asks for.
    Authorize,
    /// Whom the owner has listed; where a server knows no `authorize`.
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

/// What was asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The node's configuration.
    Get,
    /// To delete a node whose subscribers nobody approved.
    Delete,
    /// To make the node.
    Create(Access),
    /// To change the node's configuration.
    Configure(Access),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unchecked,
    Asking,
    Ready(Access),
    Unusable,
}

/// Configuration that is changed where the server offers the field: delivery does not depend on
/// native presence, the last item is fetched and never pushed, every resource keeps its item, and
/// what a crash leaves behind goes away.
const WANTED: [(&str, &str); 9] = [
    ("pubsub#presence_based_delivery", "0"),
    ("pubsub#send_last_published_item", "never"),
    ("pubsub#max_items", "max"),
    ("pubsub#persist_items", "1"),
    ("pubsub#deliver_payloads", "1"),
    ("pubsub#itemreply", "publisher"),
    ("pubsub#purge_offline", "1"),
    ("pubsub#notify_retract", "0"),
    ("pubsub#notification_type", "headline"),
];

/// Fewer items than this would not do for the resources of one account.
const FEW_ITEMS: u32 = 16;

/// So many requests, and the server will not be convinced.
const MOST_REQUESTS: u8 = 10;

/// A node of the own account and what is known of it.
#[derive(Debug)]
pub(crate) struct OwnNode {
    name: &'static str,
    state: State,
    requests: u8,
    /// The configuration was set once: what still differs, the server will not change.
    configured: bool,
}

impl OwnNode {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            state: State::Unchecked,
            requests: 0,
            configured: false,
        }
    }

    /// The verified access model, once the node may be published to.
    pub(crate) fn ready(&self) -> Option<Access> {
        match self.state {
            State::Ready(access) => Some(access),
            _ => None,
        }
    }

    /// Whether nothing can be published to the node in this session.
    pub(crate) fn is_unusable(&self) -> bool {
        self.state == State::Unusable
    }

    /// Has the node checked, unless it is being checked or known.
    pub(crate) fn prepare(&mut self, wire: &mut Wire) {
        if self.state == State::Unchecked {
            self.state = State::Asking;
            self.ask(Step::Get, wire);
        }
    }

    /// The server says that the node is not what was verified: it is checked anew when needed.
    pub(crate) fn doubt(&mut self) {
        self.state = State::Unchecked;
        self.configured = false;
    }

    /// Goes on with the answer to `step`; the error condition if it is an error.
    pub(crate) fn handle_reply(
        &mut self,
        step: Step,
        reply: Result<&Element<'_>, &str>,
        wire: &mut Wire,
    ) {
        // A server without `authorize` says so in one of these ways (XEP-0060 §8.1.3), no other.
        let is_unknown_access = matches!(reply, Err("not-acceptable" | "feature-not-implemented"));
        match (step, reply) {
            (Step::Get, Ok(iq)) => self.handle_configuration(iq, wire),
            (Step::Get | Step::Delete, Err("item-not-found")) | (Step::Delete, Ok(_)) => {
                self.ask(Step::Create(best_access(wire)), wire);
            }
            (Step::Create(_) | Step::Configure(_), Ok(_)) | (Step::Create(_), Err("conflict")) => {
                self.ask(Step::Get, wire);
            }
            (Step::Create(Access::Authorize) | Step::Configure(Access::Authorize), Err(_))
                if is_unknown_access && !wire.facts.no_authorize =>
            {
                wire.learn(ServerFacts { no_authorize: true });
                self.configured = false;
                let next = match step {
                    Step::Create(_) => Step::Create(Access::Whitelist),
                    _ => Step::Get,
                };
                self.ask(next, wire);
            }
            // What the configuration lacks is only fatal if the next look says so.
            (Step::Configure(_), Err(_)) => self.ask(Step::Get, wire),
            (_, Err(condition)) => self.give_up(condition, wire),
        }
    }

    fn handle_configuration(&mut self, iq: &Element<'_>, wire: &mut Wire) {
        let Some(pubsub) = iq.child(ns::PUBSUB_OWNER, "pubsub") else {
            return self.give_up("an answer without a configuration", wire);
        };
        let Some(configure) = pubsub.child(ns::PUBSUB_OWNER, "configure") else {
            return self.give_up("an answer without a configuration", wire);
        };
        let Some(form) = configure.child(ns::DATA, "x") else {
            return self.give_up("an answer without a configuration", wire);
        };
        let access = match form::value(&form, "pubsub#access_model").as_deref() {
            Some("authorize") => Access::Authorize,
            Some("whitelist") => Access::Whitelist,
            // Somebody else's idea of this node. Who subscribed to it was never approved, and changing
            // the access model does not take subscriptions away on every server.
            _ => return self.ask(Step::Delete, wire),
        };
        let publishers = form::value(&form, "pubsub#publish_model");
        if publishers.is_some_and(|model| model != "publishers") {
            return self.ask(Step::Delete, wire);
        }
        let best = best_access(wire);
        let is_right = access == best && differences(&form).next().is_none();
        if is_right || self.configured {
            self.state = State::Ready(access);
            let (node, access) = (self.name, access.as_str().to_owned());
            return wire.log(Event::NodeReady { node, access });
        }
        self.configured = true;
        let mut fields = vec![("pubsub#access_model", best.as_str())];
        fields.extend(differences(&form));
        self.send(Step::Configure(best), wire, |out, node| {
            let _ = write!(
                out,
                "<pubsub xmlns='{}'><configure node='{node}'>",
                ns::PUBSUB_OWNER
            );
            form::write_submit(out, ns::NODE_CONFIG, &fields);
            out.put_slice(b"</configure></pubsub>");
        });
    }

    fn ask(&mut self, step: Step, wire: &mut Wire) {
        self.send(step, wire, |out, node| {
            let owner = ns::PUBSUB_OWNER;
            let _ = match step {
                Step::Delete => write!(
                    out,
                    "<pubsub xmlns='{owner}'><delete node='{node}'/></pubsub>"
                ),
                Step::Create(access) => {
                    let _ = write!(
                        out,
                        "<pubsub xmlns='{}'><create node='{node}'/><configure>",
                        ns::PUBSUB
                    );
                    let fields = [("pubsub#access_model", access.as_str())];
                    form::write_submit(out, ns::NODE_CONFIG, &fields);
                    write!(out, "</configure></pubsub>")
                }
                Step::Get | Step::Configure(_) => {
                    write!(
                        out,
                        "<pubsub xmlns='{owner}'><configure node='{node}'/></pubsub>"
                    )
                }
            };
        });
    }

    fn send(&mut self, step: Step, wire: &mut Wire, body: impl FnOnce(&mut BytesMut, &str)) {
        self.requests += 1;
        let kind = match step {
            Step::Get => "get",
            _ => "set",
        };
        if self.requests > MOST_REQUESTS {
            return self.give_up("the server does not keep the configuration", wire);
        }
        let node = self.name;
        if !wire.request(kind, None, Purpose::Node(step), |out| body(out, node)) {
            self.give_up("too many requests wait for the server", wire);
        }
    }

    fn give_up(&mut self, reason: &str, wire: &mut Wire) {
        self.state = State::Unusable;
        wire.log(Event::NodeUnusable {
            node: self.name,
            reason: reason.to_owned(),
        });
    }
}

/// The access model to ask this server for.
fn best_access(wire: &Wire) -> Access {
    match wire.facts.no_authorize {
        true => Access::Whitelist,
        false => Access::Authorize,
    }
}

/// What of [`WANTED`] the server offers and has set otherwise.
fn differences<'a>(
    form: &'a Element<'a>,
) -> impl Iterator<Item = (&'static str, &'static str)> + use<'a> {
    WANTED.into_iter().filter(move |(var, wanted)| {
        form::value(form, var).is_some_and(|value| match (&*value, *wanted) {
            (number, "max") if number != "max" => number.parse().is_ok_and(|n: u32| n < FEW_ITEMS),
            ("true", "1") | ("false", "0") => false,
            (value, wanted) => value != wanted,
        })
    })
}
