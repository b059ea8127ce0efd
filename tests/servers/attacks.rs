//! What strangers and bad days do to somebody, each once without a shim and once through one: whoever is
//! concerned must see the same.

mod answers;
mod flood;
mod logout;
mod size;
mod unseen;

use std::fmt::Debug;
use std::thread;

use crate::puppet::Puppet;
use crate::server::{Entry, Server};
use crate::shim::Shim;

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

/// What follows a stanza of somebody's has been done by the server when this returns.
fn rounds(puppet: &Puppet) {
    for _ in 0..3 {
        puppet.ping();
    }
}
