//! The server's leg: which host, which addresses, and TLS with the right name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::either::Either;

use super::tls::{self, SecureStream, ServerTls, to_ascii};
use crate::config::{ServerAddress, Settings};
use crate::session::{Compress, Policy, Security, ServerFacts};

/// The port of classic XMPP clients (RFC 6120 §14.7).
const XMPP_CLIENT_PORT: u16 = 5222;
/// Without traffic for this long the kernel asks whether the other side still lives.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);

/// The connection to the server: left plain TCP, before STARTTLS or asked for by name; right TLS, its certificate
/// checked.
pub(super) type ServerStream = Either<TcpStream, SecureStream>;

/// Makes connections to servers; one for the whole program.
pub struct Connector {
    server: Option<ServerAddress>,
    tls: ServerTls,
    /// Our own addresses, where no server can be.
    listen: Vec<SocketAddr>,
    timeout: Duration,
    /// What sessions have learned of verified servers, by domain.
    facts: DashMap<String, ServerFacts>,
    /// The certificate of the server is checked, so what it says may be kept.
    verifies: bool,
    compress: Compress,
    compress_level: u8,
    /// Places for sessions that are compressed because it may be worth it.
    compressed: Arc<Semaphore>,
}

impl Connector {
    /// Reads the CA file and prepares TLS.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self {
            server: settings.server.clone(),
            tls: ServerTls::new(settings)?,
            listen: Vec::new(),
            timeout: settings.connect_timeout,
            facts: DashMap::new(),
            verifies: !settings.danger_accept_invalid_certs,
            compress: match settings.session.policy {
                Policy::Off => Compress::Off,
                _ => settings.session.compress,
            },
            compress_level: settings.compress_level,
            compressed: Arc::new(Semaphore::new(settings.compress_sessions)),
        })
    }

    /// Notes the addresses pubshim is bound to: no server is there.
    pub fn listening_on(mut self, listen: Vec<SocketAddr>) -> Self {
        self.listen = listen;
        self
    }

    /// What is known of the server of `domain`.
    pub(super) fn facts(&self, domain: &str) -> ServerFacts {
        self.facts
            .get(domain)
            .map(|facts| *facts)
            .unwrap_or_default()
    }

    /// Keeps what a session has learned of the server of `domain`.
    pub(super) fn learn(&self, domain: &str, facts: ServerFacts) {
        if self.verifies {
            self.facts.insert(domain.to_owned(), facts);
        }
    }

    /// A place for one more compressed session, if sessions need one. The error tells why this one is to stay as it
    /// is.
    pub(super) fn compressed_place(
        &self,
        stream: &ServerStream,
    ) -> Result<Option<OwnedSemaphorePermit>, &'static str> {
        if self.compress != Compress::Auto {
            return Ok(None);
        }
        let tcp = match stream {
            Either::Left(tcp) => tcp,
            Either::Right(tls) => tls::tcp(tls),
        };
        let is_here = |address: SocketAddr| address.ip().to_canonical().is_loopback();
        if tcp.peer_addr().is_ok_and(is_here) {
            return Err("the server is on this machine");
        }
        let place = Arc::clone(&self.compressed).try_acquire_owned();
        place
            .map(Some)
            .map_err(|_| "as many sessions are compressed as --compress-sessions allows")
    }

    /// How hard to compress.
    pub(super) fn compress_level(&self) -> u8 {
        self.compress_level
    }

    /// Connects to the server of `domain`, or to `host` where that server has sent us; how it is secured or is to be.
    /// The error is a sentence for the user.
    pub(super) async fn connect(
        self: Arc<Self>,
        domain: String,
    ) -> Result<(Security, ServerStream), String> {
        let (host, port, security) = match &self.server {
            Some(server) => (server.host.clone(), server.port, server.security),
            None => (to_ascii(&domain)?, XMPP_CLIENT_PORT, Security::StartTls),
        };
        let place = format!("{host}:{port}");
        let connected = self.connect_tcp(&host, port, security);
        let tcp = tokio::time::timeout(self.timeout, connected)
            .await
            .unwrap_or_else(|_| {
                Err(format!(
                    "no connection to {place} within {} s: check the network, or name the server with --server",
                    self.timeout.as_secs()
                ))
            })?;
        let stream = match security {
            Security::DirectTls => self.start_tls(tcp, &domain, security).await?,
            Security::StartTls | Security::Plain => Either::Left(tcp),
        };
        Ok((security, stream))
    }

    async fn connect_tcp(
        &self,
        host: &str,
        port: u16,
        security: Security,
    ) -> Result<TcpStream, String> {
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let addresses: Vec<_> = lookup_host((name, port))
            .await
            .map_err(|error| {
                format!(
                    "cannot find the server {host}: {error}; check the domain, or name the server with --server"
                )
            })?
            .collect();
        // One that does not answer must not take the time of the others.
        let share = self.timeout / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        let mut failure = format!("{host} has no address");
        for address in addresses {
            if security == Security::Plain && !address.ip().to_canonical().is_loopback() {
                failure = format!(
                    "{address} is not on this machine: only there goes plain:// without TLS"
                );
                continue;
            }
            match self.connect_address(address, share).await {
                Ok(stream) => return Ok(stream),
                Err(reason) => failure = reason,
            }
        }
        Err(failure)
    }

    async fn connect_address(
        &self,
        address: SocketAddr,
        timeout: Duration,
    ) -> Result<TcpStream, String> {
        let fail = |reason: &str| {
            Err(format!(
                "cannot connect to {address}: {reason}; is the server running there? name another with --server"
            ))
        };
        match tokio::time::timeout(timeout, TcpStream::connect(address)).await {
            Ok(Ok(stream)) if self.leads_back(&stream) => Err(format!(
                "{address} is pubshim itself: name the real server with --server"
            )),
            Ok(Ok(stream)) => {
                prepare(&stream);
                Ok(stream)
            }
            Ok(Err(error)) => fail(&error.to_string()),
            Err(_) => fail("no answer"),
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

    /// Secures a connection whose server has agreed to STARTTLS.
    pub(super) async fn secure(
        self: Arc<Self>,
        stream: ServerStream,
        domain: String,
    ) -> Result<ServerStream, String> {
        let Either::Left(tcp) = stream else {
            return Err("TLS was already up".to_owned());
        };
        self.start_tls(tcp, &domain, Security::StartTls).await
    }

    /// Secures a connection, checking the certificate against `domain` whatever host it leads to.
    async fn start_tls(
        &self,
        tcp: TcpStream,
        domain: &str,
        security: Security,
    ) -> Result<ServerStream, String> {
        let address = tcp.peer_addr().ok();
        let secure = self.tls.secure(tcp, domain, security, address);
        Ok(Either::Right(secure.await?))
    }
}

/// Sends what is written at once, and notices a dead other side.
pub(super) fn prepare(stream: &TcpStream) {
    // Neither is needed for anything to work, so a failure is none.
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_AFTER / 3);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}
