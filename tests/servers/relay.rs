//! A stretch of network that can break: passes connections on until told to stall or cut them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Listens on a port of its own and passes each connection on to the target.
pub(crate) struct Relay {
    pub(crate) addr: SocketAddr,
    route: Arc<Mutex<Route>>,
    task: JoinHandle<()>,
}

struct Route {
    target: SocketAddr,
    /// Fate of the connections made since the last cut.
    fate: watch::Sender<Fate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Flow,
    /// The relay passes no more bytes, and neither side notices.
    Stall,
    /// Both connections are ended.
    Cut(Cut),
}

/// How connections are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// By a RST.
    Reset,
    /// By an end of file.
    Close,
}

impl Relay {
    pub(crate) fn to(target: SocketAddr) -> Self {
        let runtime = runtime();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = runtime.block_on(listener).unwrap();
        let fate = watch::Sender::new(Fate::Flow);
        let route = Arc::new(Mutex::new(Route { target, fate }));
        Self {
            addr: listener.local_addr().unwrap(),
            task: runtime.spawn(accept(listener, Arc::clone(&route))),
            route,
        }
    }

    /// New connections go elsewhere.
    pub(crate) fn retarget(&self, target: SocketAddr) {
        self.route.lock().unwrap().target = target;
    }

    /// Stalls the present connections: nothing passes any more.
    pub(crate) fn stall(&self) {
        self.route.lock().unwrap().fate.send_replace(Fate::Stall);
    }

    /// Ends the present connections; new ones may be made.
    pub(crate) fn cut(&self, how: Cut) {
        let mut route = self.route.lock().unwrap();
        route.fate.send_replace(Fate::Cut(how));
        route.fate = watch::Sender::new(Fate::Flow);
    }
}

/// The runtime of all relays.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).enable_io().build().unwrap()
    })
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, route: Arc<Mutex<Route>>) {
    while let Ok((near, _)) = listener.accept().await {
        let (target, fate) = {
            let route = route.lock().unwrap();
            (route.target, route.fate.subscribe())
        };
        // Errors are ignored here: the test sees broken connections itself.
        tokio::spawn(pass(near, target, fate));
    }
}

async fn pass(
    mut near: TcpStream,
    target: SocketAddr,
    mut fate: watch::Receiver<Fate>,
) -> io::Result<()> {
    let mut far = TcpStream::connect(target).await?;
    for side in [&near, &far] {
        side.set_nodelay(true)?;
    }
    tokio::select! {
        biased; // bytes that come after the order do not pass
        // Also if the relay was dropped: that ends the connection.
        changed = fate.wait_for(|it| *it != Fate::Flow) => drop(changed),
        ended = copy_bidirectional(&mut near, &mut far) => return ended.map(|_| ()),
    }
    let end = fate.wait_for(|it| matches!(it, Fate::Cut(_))).await;
    if matches!(end.as_deref(), Ok(Fate::Cut(Cut::Reset))) {
        for side in [&near, &far] {
            SockRef::from(side).set_linger(Some(Duration::ZERO))?;
        }
    }
    Ok(())
}
