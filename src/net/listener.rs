//! Accepts clients, and ends their sessions when the program ends.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::budget::Budget;
use super::client::certificate::Certificates;
use super::client::proxy_header;
use super::client::socket::{Peer, Socket};
use super::client::stream::{self, PlainClient};
use super::descriptors::Spare;
use super::pump::{self, Pump};
use super::server::connector::Connector;
use super::watch::{Announcer, Watching};
use super::{descriptors, recorder, show};
use crate::config::{ListenAddress, Settings};
use crate::session::{Options, Seed};

/// A stream that consists of a stream error with this text.
macro_rules! refusal {
    ($reason:literal) => {
        concat!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams' version='1.0'><stream:error>\
             <resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
             <text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>",
            $reason,
            "</text></stream:error></stream:stream>"
        )
        .as_bytes()
    };
}

/// Stream error for a client beyond `--max-sessions`.
const FULL: &[u8] = refusal!("pubshim has as many sessions as --max-sessions allows");
/// Stream error for a client for which the system has no descriptor.
const NO_DESCRIPTOR: &[u8] = refusal!("pubshim has as many connections as its system allows");
/// Time to wait after a client could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// The addresses clients connect to.
pub struct Listener {
    sockets: Vec<Socket>,
    connector: Connector,
    certificates: Certificates,
    options: Options,
    watchings: Vec<Watching>,
}

/// State that all sessions share.
struct Shared {
    options: Arc<Options>,
    connector: Arc<Connector>,
    certificates: Arc<Certificates>,
    budget: Arc<Budget>,
    /// Threads that are told what sessions do.
    watchings: Vec<Watching>,
    /// Addresses of proxies (`--proxy-from`), which begin each connection with a PROXY header.
    proxies: Vec<IpAddr>,
    /// Connections so far: the last number given to one.
    count: AtomicU64,
    room: Arc<Semaphore>,
    sessions: TaskTracker,
    stop: CancellationToken,
}

impl Listener {
    /// Checks the settings of the server's leg, certificates and recordings, then binds all addresses to listen on.
    pub async fn bind(settings: &Settings) -> anyhow::Result<Self> {
        let connector = Connector::new(settings)?;
        let certificates = Certificates::open(settings)?;
        let mut settings = settings.clone();
        certificates.tell(&mut settings.session);
        let settings = &settings;
        let watchings = [recorder::start(settings)?, show::start(settings)?];
        let mut sockets = Vec::new();
        let mut addresses = Vec::new();
        for address in &settings.listen {
            let socket = Socket::bind(address).await?;
            let bound = socket.address().context("a socket without address")?;
            tracing::info!("listening on {bound}");
            addresses.extend(bound.tcp());
            sockets.push(socket);
        }
        let connector = connector.listening_on(addresses);
        Ok(Self {
            sockets,
            connector,
            certificates,
            options: settings.session.clone(),
            watchings: watchings.into_iter().flatten().collect(),
        })
    }

    /// Adds a thread that is told what sessions do.
    pub(super) fn tell(&mut self, watching: Watching) {
        self.watchings.push(watching);
    }

    /// A handle that announces names of steps to the watching threads.
    pub(crate) fn announcer(&self) -> Announcer {
        Announcer::new(&self.watchings)
    }

    /// The first IP address and port clients connect to.
    pub fn address(&self) -> Option<SocketAddr> {
        self.addresses().find_map(|address| address.tcp())
    }

    /// The addresses clients connect to.
    pub fn addresses(&self) -> impl Iterator<Item = ListenAddress> {
        let addresses = self.sockets.iter().map(Socket::address);
        addresses.filter_map(Result::ok)
    }

    /// Serves clients until `stop` is cancelled, then waits for their sessions to end.
    pub async fn run(self, settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
        let max_sessions = descriptors::sessions(&settings);
        let shared = Arc::new(Shared {
            proxies: settings.proxy_from,
            watchings: self.watchings,
            count: AtomicU64::new(0),
            connector: Arc::new(self.connector),
            certificates: Arc::new(self.certificates),
            budget: Budget::new(settings.max_held),
            options: Arc::new(self.options),
            room: Arc::new(Semaphore::new(max_sessions)),
            sessions: TaskTracker::new(),
            stop,
        });
        let accepting = TaskTracker::new();
        for socket in self.sockets {
            accepting.spawn(accept(socket, Arc::clone(&shared)));
        }
        accepting.close();
        accepting.wait().await;
        shared.sessions.close();
        let left = shared.sessions.len();
        if left > 0 {
            let sessions = if left == 1 { "session" } else { "sessions" };
            tracing::info!("ending {left} {sessions}");
        }
        if tokio::time::timeout(settings.shutdown_timeout, shared.sessions.wait())
            .await
            .is_err()
        {
            let (left, seconds) = (shared.sessions.len(), settings.shutdown_timeout.as_secs());
            let sessions = if left == 1 { "session" } else { "sessions" };
            tracing::warn!(
                "{left} {sessions} did not end within {seconds} s (--shutdown-timeout): cut off"
            );
        }
        // Sessions that were cut off still hold their `Watch`; the steps of all others are written.
        let watchings = Arc::into_inner(shared).map(|shared| shared.watchings);
        for watching in watchings.into_iter().flatten() {
            watching.finish(settings.shutdown_timeout).await;
        }
        Ok(())
    }
}

async fn accept(socket: Socket, shared: Arc<Shared>) {
    let mut spare = Spare::new();
    while let Some(accepted) = shared.stop.run_until_cancelled(socket.accept()).await {
        let result = match accepted {
            Ok((client, peer)) => {
                let number = shared.count.fetch_add(1, Ordering::Relaxed) + 1;
                let is_proxy = peer.ip().is_some_and(|ip| shared.proxies.contains(&ip));
                let span = proxy_header::span(number, peer, is_proxy);
                span.in_scope(|| start(client, number, is_proxy, &shared));
                continue;
            }
            Err(error) if descriptors::are_used_up(&error) => {
                let tell = |(client, peer)| turn_away(&client, peer, &error);
                spare.lend(socket.accept(), tell).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracing::warn!("cannot accept a client: {error}");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Tells a client that there is no descriptor for its session.
fn turn_away(client: &PlainClient, peer: Peer, error: &io::Error) {
    tracing::warn!(
        %peer,
        "turned a client away: {error}; allow pubshim more open files (`ulimit -n`, or LimitNOFILE in the systemd \
         unit), or lower --max-sessions"
    );
    stream::say(client, NO_DESCRIPTOR);
}

fn start(client: PlainClient, number: u64, is_proxy: bool, shared: &Arc<Shared>) {
    let Ok(permit) = Arc::clone(&shared.room).try_acquire_owned() else {
        tracing::warn!("turned a client away: as many sessions as --max-sessions allows");
        stream::say(&client, FULL);
        return;
    };
    let mut seed = [0; 32];
    if let Err(error) = getrandom::fill(&mut seed) {
        tracing::error!("turned a client away: the system gives no random numbers: {error}");
        return;
    }
    tracing::debug!("connected");
    let session = Arc::clone(shared);
    let pump = move |client| session.pump(client, number, Seed(seed));
    let stop = shared.stop.clone();
    if is_proxy {
        let login = shared.options.timeouts.login;
        let task = run_behind_proxy(client, login, pump, stop, permit);
        shared.sessions.spawn(task.in_current_span());
    } else {
        let task = run(pump(client), stop, permit);
        shared.sessions.spawn(task.in_current_span());
    }
}

impl Shared {
    /// A new session for this client.
    fn pump(&self, client: PlainClient, number: u64, seed: Seed) -> Box<Pump> {
        let watches = self.watchings.iter();
        // Boxed, since futures keep several copies of their arguments.
        Box::new(Pump::new(
            client,
            Arc::clone(&self.options),
            seed,
            Arc::clone(&self.connector),
            Arc::clone(&self.certificates),
            self.budget.share(),
            watches.map(|watching| watching.session(number)).collect(),
        ))
    }
}

/// Reads the PROXY header, then runs the session; there is none if the proxy connects for itself or the header is
/// broken.
async fn run_behind_proxy(
    mut proxy: PlainClient,
    login: Duration,
    pump: impl FnOnce(PlainClient) -> Box<Pump>,
    stop: CancellationToken,
    permit: OwnedSemaphorePermit,
) {
    let passes = Box::pin(proxy_header::passes(&mut proxy, login));
    if stop.run_until_cancelled(passes).await == Some(true) {
        run(pump(proxy), stop, permit).await;
    }
}

async fn run(pump: Box<Pump>, stop: CancellationToken, permit: OwnedSemaphorePermit) {
    let ended = pump.run(stop.cancelled()).await;
    drop(permit);
    if let Some(event) = ended {
        pump::log(&event);
    }
}
