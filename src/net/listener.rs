//! Accepts clients, and ends their sessions when the program ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::budget::Budget;
use super::certificate::Certificates;
use super::client::{self, PlainClient};
use super::connector::Connector;
use super::pump::Pump;
use super::socket::Socket;
use super::watch::Watching;
use super::{recorder, show};
use crate::config::{ListenAddress, Settings};
use crate::session::{Options, Seed};

/// What a client is told that comes when there are as many as allowed.
const FULL: &[u8] = b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'><stream:error>\
    <resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
    <text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>pubshim has as many sessions \
    as --max-sessions allows</text></stream:error></stream:stream>";
/// How long to wait when the system has no room for another connection.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(100);

/// The addresses clients connect to.
pub struct Listener {
    sockets: Vec<Socket>,
    connector: Connector,
    certificates: Certificates,
    watchings: Vec<Watching>,
}

/// What all sessions share.
struct Shared {
    options: Arc<Options>,
    connector: Arc<Connector>,
    certificates: Arc<Certificates>,
    budget: Arc<Budget>,
    /// Who is told what sessions do.
    watchings: Vec<Watching>,
    /// Sessions so far.
    count: AtomicU64,
    room: Arc<Semaphore>,
    sessions: TaskTracker,
    stop: CancellationToken,
}

impl Listener {
    /// Checks what sessions will need, then binds all addresses of the configuration.
    pub async fn bind(settings: &Settings) -> anyhow::Result<Self> {
        let connector = Connector::new(settings)?;
        let certificates = Certificates::open(settings)?;
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
            watchings: watchings.into_iter().flatten().collect(),
        })
    }

    /// Has one more told what sessions do.
    pub(super) fn tell(&mut self, watching: Watching) {
        self.watchings.push(watching);
    }

    /// The first address clients connect to.
    pub fn address(&self) -> Option<ListenAddress> {
        self.sockets.first()?.address().ok()
    }

    /// Serves clients until `stop` is cancelled, then waits for their sessions to end.
    pub async fn run(self, settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
        let options = Options {
            certified: self.certificates.domains().to_vec(),
            ..settings.session
        };
        let shared = Arc::new(Shared {
            watchings: self.watchings,
            count: AtomicU64::new(0),
            connector: Arc::new(self.connector),
            certificates: Arc::new(self.certificates),
            budget: Budget::new(settings.max_held),
            options: Arc::new(options),
            room: Arc::new(Semaphore::new(settings.max_sessions)),
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
            tracing::info!("ending {left} sessions");
        }
        if tokio::time::timeout(settings.shutdown_timeout, shared.sessions.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                "{} sessions did not end within {} s and were cut off",
                shared.sessions.len(),
                settings.shutdown_timeout.as_secs()
            );
        }
        // Sessions that were cut off still hold their ends; what the others said is written.
        let watchings = Arc::into_inner(shared).map(|shared| shared.watchings);
        for watching in watchings.into_iter().flatten() {
            watching.finish(settings.shutdown_timeout).await;
        }
        Ok(())
    }
}

async fn accept(socket: Socket, shared: Arc<Shared>) {
    while let Some(accepted) = shared.stop.run_until_cancelled(socket.accept()).await {
        match accepted {
            Ok((client, peer)) => {
                let number = shared.count.fetch_add(1, Ordering::Relaxed) + 1;
                let span = tracing::info_span!("session", number, %peer);
                span.in_scope(|| start(client, number, &shared));
            }
            Err(error) => {
                // Out of file descriptors, most likely: those who are here go on.
                tracing::warn!("cannot accept a client: {error}");
                tokio::time::sleep(NO_ROOM_PAUSE).await;
            }
        }
    }
}

fn start(client: PlainClient, number: u64, shared: &Arc<Shared>) {
    let Ok(permit) = Arc::clone(&shared.room).try_acquire_owned() else {
        tracing::warn!("turned a client away: as many sessions as --max-sessions allows");
        client::say(&client, FULL);
        return;
    };
    let mut seed = [0; 32];
    if let Err(error) = getrandom::fill(&mut seed) {
        tracing::error!("turned a client away: the system gives no random numbers: {error}");
        return;
    }
    tracing::debug!("connected");
    // A future holds its arguments several times over: better that this is a pointer.
    let watches = shared.watchings.iter();
    let pump = Box::new(Pump::new(
        client,
        Arc::clone(&shared.options),
        Seed(seed),
        Arc::clone(&shared.connector),
        Arc::clone(&shared.certificates),
        shared.budget.share(),
        watches.map(|watching| watching.session(number)).collect(),
    ));
    let task = run(pump, shared.stop.clone(), permit).in_current_span();
    shared.sessions.spawn(task);
}

async fn run(pump: Box<Pump>, stop: CancellationToken, permit: OwnedSemaphorePermit) {
    pump.run(stop.cancelled()).await;
    drop(permit);
    tracing::debug!("ended");
}
