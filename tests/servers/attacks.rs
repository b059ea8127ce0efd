//! Attacks by strangers, and mishaps: each scene is played without a shim and through one, and the users must see
//! the same.

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

/// A client's way to its server in one run of a scene.
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

/// Plays a scene without a shim and through one of each of these policies, at the same time. All runs must return the
/// same.
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
        // A run that failed has printed why.
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

/// Waits until the server has acted on all that a client has sent: three pings.
fn rounds(puppet: &Puppet) {
    for _ in 0..3 {
        puppet.ping();
    }
}
