//! The server's leg: which host, which addresses, and TLS with the right name.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::either::Either;

use super::facts::Facts;
use super::names::{Names, addresses_by_system};
use super::proxy;
use super::race::{Until, race};
use super::route::{Credentials, Route, Tried};
use super::secured::SecureStream;
use super::targets::{Plan, Target, place, plan};
use super::tls::{Limits, ServerTls};
use crate::config::{ProxyAddress, ServerAddress, Settings};
use crate::net::domain::to_host;
use crate::net::tcp::prepare;
use crate::session::{Compress, Policy, Reached, Security, ServerFacts};

/// Time for the SRV lookups of a domain; a third of `--connect-timeout` if that is less.
const LOOKUP: Duration = Duration::from_secs(5);
/// All servers of a session together may take this many times `--connect-timeout`.
const ROUTE: u32 = 2;
/// Addresses of the proxy that are tried.
const MOST_OF_PROXY: usize = 8;

/// The connection to the server: left plain TCP, before STARTTLS or with `plain://`; right TLS, its certificate
/// checked.
pub(in crate::net) type ServerStream = Either<TcpStream, SecureStream>;

/// A server that was reached, and the route on from it. The error is a sentence for the user, with all that was tried.
pub(super) type Way = Result<(Box<Route>, Reached, ServerStream), String>;

/// Makes connections to servers; one for the whole program.
pub struct Connector {
    server: Option<ServerAddress>,
    /// The SOCKS5 proxy for all connections: the peer address of each is then the proxy's.
    proxy: Option<ProxyAddress>,
    names: Names,
    tls: ServerTls,
    /// Addresses pubshim listens on: a connection to one of them would lead back to pubshim.
    listen: Vec<SocketAddr>,
    timeout: Duration,
    facts: Facts,
    /// Certificates are checked, so the facts learned of a server may be kept.
    verifies: bool,
    compress: Compress,
    compress_level: u8,
    /// Places for sessions that `--compress auto` compresses.
    compressed: Arc<Semaphore>,
}

impl Connector {
    /// Reads the CA file, prepares TLS and the lookup of names.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self {
            server: settings.server.clone(),
            proxy: settings.proxy.clone(),
            names: Names::new(settings.nameserver)?,
            tls: ServerTls::new(settings)?,
            listen: Vec::new(),
            timeout: settings.connect_timeout,
            facts: Facts::default(),
            verifies: !settings.danger_accept_invalid_certs,
            compress: match settings.session.policy {
                Policy::Off => Compress::Off,
                _ => settings.session.compress,
            },
            compress_level: settings.compress_level,
            compressed: Arc::new(Semaphore::new(settings.compress_sessions)),
        })
    }

    /// Sets the addresses pubshim listens on, which are refused as servers.
    pub fn listening_on(mut self, listen: Vec<SocketAddr>) -> Self {
        self.listen = listen;
        self
    }

    /// Facts that earlier sessions have learned of the server of `domain`.
    pub(super) fn facts(&self, domain: &str) -> ServerFacts {
        self.facts.of(domain, Instant::now().into_std())
    }

    /// Keeps what a session has learned of the server of `domain`.
    pub(in crate::net) fn learn(&self, domain: &str, facts: ServerFacts) {
        if self.verifies {
            self.facts.learn(domain, facts, Instant::now().into_std());
        }
    }

    /// A place for one more compressed session; `None` where none is needed (`--compress require`). The error tells why
    /// the session stays uncompressed.
    pub(in crate::net) fn compressed_place(
        &self,
        stream: &ServerStream,
    ) -> Result<Option<OwnedSemaphorePermit>, &'static str> {
        if self.compress != Compress::Auto {
            return Ok(None);
        }
        let tcp = match stream {
            Either::Left(tcp) => tcp,
            Either::Right(tls) => tls.tcp(),
        };
        let is_here = |address: SocketAddr| address.ip().to_canonical().is_loopback();
        if self.proxy.is_none() && tcp.peer_addr().is_ok_and(is_here) {
            return Err("the server is on this machine");
        }
        let place = Arc::clone(&self.compressed).try_acquire_owned();
        place
            .map(Some)
            .map_err(|_| "as many sessions are compressed as --compress-sessions allows")
    }

    /// `--compress-level`.
    pub(in crate::net) fn compress_level(&self) -> u8 {
        self.compress_level
    }

    /// Finds the servers of `domain` and connects to the first that can be reached.
    pub(super) async fn connect(self: Arc<Self>, domain: String) -> Way {
        let begun = Instant::now();
        let plan = self.find(&domain).await?;
        let route = Route::new(domain, plan, begun + ROUTE * self.timeout);
        self.go_on(Box::new(route), begun).await
    }

    /// Connects to the next server of a session, as the one that was reached is of no use for this `reason`.
    pub(super) async fn connect_next(
        self: Arc<Self>,
        mut route: Box<Route>,
        reason: String,
    ) -> Way {
        route.failed_here(&reason);
        self.go_on(route, Instant::now()).await
    }

    /// Connects to `host`, to which the reached server redirects its users (`see-other-host`).
    pub(super) async fn connect_to(self: Arc<Self>, mut route: Box<Route>, host: String) -> Way {
        route.turn_to(&host, self.verifies)?;
        self.go_on(route, Instant::now()).await
    }

    /// The servers of `domain`.
    async fn find(&self, domain: &str) -> Result<Plan, String> {
        if let Some(server) = &self.server {
            let target = Target {
                host: to_host(&server.host)?,
                port: server.port,
                security: server.security,
            };
            return Ok(Plan::of(target));
        }
        let host = to_host(domain)?;
        let is_address = host.parse::<IpAddr>().is_ok();
        let plan = match is_address || self.proxy.is_some() {
            true => Plan::of(Target::of_domain(&host)),
            false => {
                let limit = self.timeout.min(3 * LOOKUP) / 3;
                let [direct, start_tls] = self.names.services(&host, limit).await;
                plan(&host, direct, start_tls, draw)?
            }
        };
        tracing::debug!("servers to try: {plan}");
        Ok(plan)
    }

    /// Tries the remaining targets, each with an equal share of the time: `--connect-timeout` from `begun`, within what
    /// the route has left.
    async fn go_on(self: Arc<Self>, mut route: Box<Route>, begun: Instant) -> Way {
        // A second look at a certificate may have used up the first; then the route's time is shared.
        let ends = [route.until.min(begun + self.timeout), route.until];
        let left = || {
            let left = ends.map(|end| end.saturating_duration_since(Instant::now()));
            left.into_iter().find(|left| !left.is_zero())
        };
        while let Some(left) = left()
            && let Some(target) = route.next()
        {
            let share = left / (route.left() + 1);
            match self.reach(&mut route, &target, Until::in_(share)).await {
                Ok(stream) => {
                    let reached = Reached {
                        security: target.security,
                        facts: self.facts(&route.domain),
                        has_more: route.has_more(),
                    };
                    tracing::debug!("reached {target}");
                    route.reached(target);
                    return Ok((route, reached, stream));
                }
                Err(tried) => route.failed(&target, tried),
            }
        }
        Err(route.report())
    }

    /// Connects to one target, and begins TLS if the target speaks it from the first byte.
    async fn reach(
        &self,
        route: &mut Route,
        target: &Target,
        until: Until,
    ) -> Result<ServerStream, Tried> {
        let tcp = match &self.proxy {
            Some(proxy) => {
                let credentials = route.credentials(|| proxy::credentials(proxy))?;
                self.connect_through(proxy, credentials, target, until)
                    .await?
            }
            None => self.connect_directly(route, target, until).await?,
        };
        prepare(&tcp);
        if target.security != Security::DirectTls {
            return Ok(Either::Left(tcp));
        }
        let limits = Limits {
            handshake: match route.left() {
                0 => Until::in_(self.timeout),
                _ => until,
            },
            look: route.until,
        };
        let secured = self.start_tls(tcp, &route.domain, target.security, limits);
        secured.await.map_err(|reason| Tried::new(reason, ""))
    }

    /// Connects to an address of the target.
    async fn connect_directly(
        &self,
        route: &mut Route,
        target: &Target,
        until: Until,
    ) -> Result<TcpStream, Tried> {
        let host = &target.host;
        let cannot_find = |reason: &str| {
            Tried::whole(
                format!("cannot find the server {host}: {reason}"),
                match self.server {
                    Some(_) => "check the name in --server",
                    None => "check the domain, or name the server with --server",
                },
            )
        };
        let found = timeout_at(until.at, self.names.addresses(host)).await;
        let found = match found {
            Ok(Ok(found)) => found,
            Ok(Err(reason)) => return Err(cannot_find(&reason)),
            Err(_) => return Err(cannot_find(&format!("no answer within {until}"))),
        };
        let is_allowed =
            |ip: &IpAddr| target.security != Security::Plain || ip.to_canonical().is_loopback();
        let (allowed, elsewhere): (Vec<_>, Vec<_>) = found.into_iter().partition(is_allowed);
        if let (true, Some(elsewhere)) = (allowed.is_empty(), elsewhere.first()) {
            return Err(Tried::new(
                format!("{elsewhere} is not on this machine: only there goes plain:// without TLS"),
                "",
            ));
        }
        let addresses = route.take_addresses(&allowed);
        let leads_back = |tcp: &TcpStream| self.leads_back(tcp);
        let connected = race(&addresses, target.port, until, leads_back).await;
        // The failure names the address already: do not repeat it as the target.
        let tried = match host.parse::<IpAddr>() {
            Ok(_) => Tried::whole,
            Err(_) => Tried::new,
        };
        connected.map_err(|reason| {
            tried(
                format!("cannot connect to {reason}"),
                "is the server running there? name another with --server",
            )
        })
    }

    /// Connects to the target through the proxy.
    async fn connect_through(
        &self,
        proxy: &ProxyAddress,
        credentials: &Credentials,
        target: &Target,
        until: Until,
    ) -> Result<TcpStream, Tried> {
        let place = place(&proxy.host, proxy.port);
        let cannot_connect = |reason: &str| {
            Tried::whole(
                format!("cannot connect to the proxy {place} ({reason})"),
                "is it running there? name the right one with --proxy",
            )
        };
        let found = timeout_at(until.at, addresses_by_system(&proxy.host)).await;
        let found = found.unwrap_or_else(|_| Err("its name is not found in time".to_owned()));
        let found = found.map_err(|reason| cannot_connect(&reason))?;
        let addresses = &found[..found.len().min(MOST_OF_PROXY)];
        let leads_back = |tcp: &TcpStream| self.leads_back(tcp);
        let connected = race(addresses, proxy.port, until, leads_back).await;
        let tcp = connected.map_err(|reason| cannot_connect(&reason))?;
        let is_named = self.server.is_some();
        let connected = proxy::connect(tcp, proxy, credentials, target, is_named);
        match timeout_at(until.at, connected).await {
            Ok(connected) => connected,
            Err(_) => Err(Tried::whole(
                format!(
                    "the proxy {place} accepted the connection, and had not connected to {target} within {until}"
                ),
                "is it a SOCKS5 proxy, and can it reach the server? if the way is long, raise --connect-timeout",
            )),
        }
    }

    /// Whether a connection leads to one of our own sockets.
    fn leads_back(&self, stream: &TcpStream) -> bool {
        let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else {
            return false;
        };
        let (local, ip) = (local.ip().to_canonical(), peer.ip().to_canonical());
        self.listen.iter().any(|own| {
            let is_here = own.ip().to_canonical() == ip || own.ip().is_unspecified() && local == ip;
            own.port() == peer.port() && is_here
        })
    }

    /// Secures a connection whose server has agreed to STARTTLS; `until` is the end of the route's time.
    pub(super) async fn secure(
        self: Arc<Self>,
        stream: ServerStream,
        domain: String,
        until: Instant,
    ) -> Result<ServerStream, String> {
        let Either::Left(tcp) = stream else {
            return Err("TLS was already up".to_owned());
        };
        let limits = Limits {
            handshake: Until::in_(self.timeout),
            look: until,
        };
        self.start_tls(tcp, &domain, Security::StartTls, limits)
            .await
    }

    /// Secures a connection; the certificate has to be for `domain`, not for the host the connection leads to.
    async fn start_tls(
        &self,
        tcp: TcpStream,
        domain: &str,
        security: Security,
        limits: Limits,
    ) -> Result<ServerStream, String> {
        // Behind a proxy the server's address is not known.
        let address = tcp.peer_addr().ok().filter(|_| self.proxy.is_none());
        let secure = self.tls.secure(tcp, domain, security, address, limits);
        Ok(Either::Right(secure.await?))
    }
}

/// A random number from 0 to `most`.
fn draw(most: u32) -> u32 {
    // Without random numbers the order is that of DNS, which is good enough.
    getrandom::u32().map_or(0, |number| number % most.saturating_add(1))
}
