//! What strangers and bad days do to somebody, each once without a shim and once through one: whoever is
//! concerned must see the same.

mod answers;
mod flood;
mod logout;
pub(crate) mod size;
mod unseen;

use std::fmt::Debug;
use std::thread;

use crate::process::PATIENCE;
use crate::puppet::Puppet;
use crate::recorded::poll;
use crate::server::{Entry, Server};
use crate::shim::Shim;
use crate::strangers::Strangers;
use crate::tree::Node;

const PUBSUB: &str = "http://jabber.org/protocol/pubsub";

/// The way from a client to its server, in one run of a scene.
pub(crate) struct Way<'a> {
    pub(crate) server: &'a Server,
    /// The policy of the shim on it; none if there is no shim.
    policy: Option<&'static str>,
    shim: Option<Shim>,
}

impl<'a> Way<'a> {
    fn new(server: &'a Server, policy: Option<&'static str>) -> Self {
        let shim = policy.map(|it| Shim::start(server, it, &[]));
        Self {
            server,
            policy,
            shim,
        }
    }

    pub(crate) fn entry(&self) -> Entry {
        match &self.shim {
            Some(shim) => shim.entry(),
            None => self.server.entry(),
        }
    }

    pub(crate) fn is_direct(&self) -> bool {
        self.policy.is_none()
    }
}

/// Plays a scene without a shim, and through one of each of these policies, at the same time. What it
/// returns, something to be compared, must be the same.
pub(crate) fn as_without_us<T: PartialEq + Debug + Send>(
    server: &Server,
    policies: &[&'static str],
    scene: impl Fn(&Way<'_>) -> T + Sync,
) -> T {
    let policies = policies.iter().map(|it| Some(*it));
    let ways: Vec<_> = std::iter::once(None).chain(policies).collect();
    let mut results: Vec<_> = thread::scope(|scope| {
        let scene = &scene;
        let runs = ways
            .iter()
            .map(|policy| scope.spawn(move || scene(&Way::new(server, *policy))));
        let runs: Vec<_> = runs.collect();
        let results = runs.into_iter().map(thread::ScopedJoinHandle::join);
        let results: Vec<_> = results.collect();
        // Whoever failed has said why.
        let results = results.into_iter().zip(&ways);
        results
            .map(|(it, way)| it.unwrap_or_else(|_| panic!("the run with {way:?} failed")))
            .collect()
    });
    let direct = results.remove(0);
    for (result, policy) in results.iter().zip(&ways[1..]) {
        assert_eq!(*result, direct, "with {policy:?}, and without a shim");
    }
    direct
}

/// A stranger subscribes a JID of its own to somebody's presence node, who has to allow it.
pub(crate) fn watch(strangers: &Strangers, jid: &str, owner: &str) {
    let subscribe =
        format!("<pubsub xmlns='{PUBSUB}'><subscribe node='presence' jid='{jid}'/></pubsub>");
    poll(&format!("{jid} subscribed to {owner}"), PATIENCE, || {
        let answer = strangers.ask(jid, owner, "set", &subscribe);
        let subscription = answer.find("pubsub/subscription");
        match subscription.and_then(|it| it.attribute("subscription")) {
            Some("subscribed") => Ok(()),
            _ => Err(format!("{answer:?}")),
        }
    });
}

/// What `who` of the strangers was told of somebody's presence, natively or by event: each status, or
/// the type of a presence without one.
pub(crate) fn told_of(strangers: &Strangers, who: &str, of: &str, since: usize) -> Vec<String> {
    let heard = strangers.heard(who, since);
    let heard = heard.iter().filter(|it| {
        let from = it.attribute("from").unwrap_or_default();
        let is_probe = it.attribute("type") == Some("probe");
        !is_probe && (from == of || from.starts_with(&format!("{of}/")))
    });
    heard.flat_map(presences).collect()
}

fn presences(stanza: &Node) -> Vec<String> {
    let inside = match stanza.local.as_str() {
        "presence" => vec![stanza],
        "message" => {
            let items = stanza.find("event/items");
            let items = items.iter().flat_map(|it| &it.children);
            items.filter_map(|it| it.find("presence")).collect()
        }
        _ => Vec::new(),
    };
    let way = match stanza.local.as_str() {
        "presence" => "native",
        _ => "event",
    };
    let says = |it: &Node| {
        let status = it.find("status").map(|it| it.text.clone());
        let type_ = it.attribute("type").map(str::to_owned);
        type_.or(status).unwrap_or_default()
    };
    let told = inside.into_iter().map(says);
    told.map(|it| format!("{way}: {it}")).collect()
}

/// What follows a stanza of somebody's has been done by the server when this returns.
fn rounds(puppet: &Puppet) {
    for _ in 0..3 {
        puppet.ping();
    }
}
