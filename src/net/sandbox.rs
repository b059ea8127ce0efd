//! The sockets and the file of a sandbox; all decisions are made by [`sandbox::Server`](crate::sandbox::Server).

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use async_compression::tokio::bufread::ZlibDecoder;
use async_compression::tokio::write::ZlibEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::sandbox::{Config, ConnectionId, NAME, Server, Then};

/// Bytes that one read takes at the most.
const READ_SIZE: usize = 16 * 1024;
/// Time for a client from connecting to the bound resource.
const LOGIN: Duration = Duration::from_secs(60);
/// How long a client may take to read the bytes of one write.
const STALL: Duration = Duration::from_secs(30);
/// How long to read on after closing our side, so that the client gets to read the last bytes.
const LINGER: Duration = Duration::from_secs(2);
/// How long streams may take to end when the program ends.
const SHUTDOWN: Duration = Duration::from_secs(5);
/// Delay before saving, so that changes in quick succession are written together.
const SAVE_PAUSE: Duration = Duration::from_millis(200);
/// Time to wait after the file could not be written.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// Time to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A sandbox on a loopback address: it has no TLS, so other machines must not reach it.
pub struct Sandbox {
    socket: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    /// Never held across an await.
    state: Mutex<State>,
    file: Option<PathBuf>,
    changed: Notify,
}

struct State {
    server: Server,
    /// Notifiers that wake the tasks of connections.
    doors: HashMap<ConnectionId, Arc<Notify>>,
}

impl Sandbox {
    /// Reads the data file if the configuration names one, and binds `address`, which has to be a loopback address.
    pub async fn bind(address: SocketAddr, config: Config) -> anyhow::Result<Self> {
        if !address.ip().is_loopback() {
            anyhow::bail!(
                "the sandbox takes passwords without TLS and is only for trying and testing: it listens on \
                 127.0.0.1 or ::1, not on {}",
                address.ip()
            );
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)
            .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
        let mut server = Server::new(&config, seed)?;
        if let Some(path) = &config.data {
            load(&mut server, path)?;
        }
        let socket = TcpListener::bind(address).await.with_context(|| {
            format!("the sandbox cannot listen on {address}; choose another port")
        })?;
        let address = socket.local_addr().context("a socket without address")?;
        tracing::info!("{NAME}");
        tracing::info!(
            "the sandbox serves {} at {address}",
            config.domains.join(", ")
        );
        Ok(Self {
            socket,
            address,
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    server,
                    doors: HashMap::new(),
                }),
                file: config.data,
                changed: Notify::new(),
            }),
        })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves clients until `stop` is cancelled, then ends their streams and writes the file.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { socket, shared, .. } = self;
        let connections = TaskTracker::new();
        let saving = stop.run_until_cancelled(shared.keep_saving());
        let accepting = stop.run_until_cancelled(accept(&socket, &shared, &connections));
        tokio::join!(saving, accepting);
        {
            let mut state = shared.lock();
            state.server.shutdown();
            state.wake();
        }
        connections.close();
        if timeout(SHUTDOWN, connections.wait()).await.is_err() {
            tracing::warn!(
                "{} connections to the sandbox were cut off",
                connections.len()
            );
        }
        shared.save().await
    }
}

impl State {
    /// Wakes the tasks of connections that have something to send.
    fn wake(&mut self) {
        for id in self.server.woken() {
            if let Some(door) = self.doors.get(&id) {
                door.notify_one();
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `act` work on the server, and wakes the connections that have something to send.
    fn with<T>(&self, act: impl FnOnce(&mut Server) -> T) -> T {
        let mut state = self.lock();
        let result = act(&mut state.server);
        state.wake();
        // A hint only: `save` looks whether anything has changed.
        self.changed.notify_one();
        result
    }

    async fn keep_saving(&self) {
        loop {
            self.changed.notified().await;
            sleep(SAVE_PAUSE).await;
            if let Err(error) = self.save().await {
                tracing::warn!("{error:#}; trying again");
                sleep(RETRY_PAUSE).await;
                self.changed.notify_one();
            }
        }
    }

    /// Writes the file, if there is one and something new to write.
    async fn save(&self) -> anyhow::Result<()> {
        let Some(path) = self.file.clone() else {
            return Ok(());
        };
        let text = {
            let mut state = self.lock();
            if !state.server.take_changed() {
                return Ok(());
            }
            state.server.data()?
        };
        let written = tokio::task::spawn_blocking(move || write(&path, &text)).await;
        let result = written
            .context("writing the sandbox's nodes was interrupted")
            .and_then(|result| result);
        if result.is_err() {
            self.lock().server.set_changed();
        }
        result
    }
}

/// Reads the nodes of an earlier run. If the file does not exist, writes one to find out whether that is possible.
fn load(server: &mut Server, path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    match fs::read_to_string(path) {
        Ok(text) => server.load(&text).with_context(|| {
            format!("the sandbox's data file {shown} is broken; repair it or choose another, it was left as it is")
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => write(path, &server.data()?),
        Err(error) => Err(error).with_context(|| format!("cannot read the sandbox's data file {shown}")),
    }
}

/// Replaces the file atomically: a reader finds all of the old one or all of the new one.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let result = (|| {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let new = path.with_file_name(format!(".{}.pubshim-new", name.display()));
        if let Err(error) = fs::remove_file(&new)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    })();
    result.with_context(|| format!("cannot write the sandbox's data file {}", path.display()))
}

async fn accept(socket: &TcpListener, shared: &Arc<Shared>, connections: &TaskTracker) {
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                let door = Arc::new(Notify::new());
                let mut state = shared.lock();
                let Some(id) = state.server.connect() else {
                    tracing::warn!("the sandbox turned {peer} away: too many connections");
                    continue;
                };
                state.doors.insert(id, Arc::clone(&door));
                drop(state);
                super::tcp::prepare(&stream);
                let connection = Connection {
                    id,
                    door,
                    shared: Arc::clone(shared),
                };
                connections.spawn(connection.run(Transport::Plain(stream)));
            }
            Err(error) => {
                tracing::warn!("the sandbox cannot accept a client: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The task of one connection.
struct Connection {
    id: ConnectionId,
    door: Arc<Notify>,
    shared: Arc<Shared>,
}

/// How a connection goes on after something was sent.
enum Next {
    /// Look for more to send.
    Send(Transport),
    /// Wait for the client, or for something to send.
    Wait(Transport),
    End,
}

impl Connection {
    async fn run(self, mut transport: Transport) {
        let mut buffer = vec![0; READ_SIZE];
        let login = Instant::now() + LOGIN;
        loop {
            transport = match self.send(transport).await {
                Next::Send(transport) => transport,
                Next::Wait(mut transport) => {
                    let is_bound = self.shared.lock().server.is_bound(self.id);
                    tokio::select! {
                        read = transport.read(&mut buffer) => match read {
                            Ok(count) if count > 0 => {
                                let bytes = &buffer[..count];
                                self.shared.with(|server| server.handle(self.id, bytes));
                            }
                            _ => break,
                        },
                        () = self.door.notified() => {}
                        () = sleep_until(login), if !is_bound => {
                            self.shared.with(|server| server.time_out(self.id));
                        }
                    }
                    transport
                }
                Next::End => break,
            };
        }
        self.shared.with(|server| server.disconnect(self.id));
        self.shared.lock().doors.remove(&self.id);
    }

    /// Sends what is outgoing, if anything is.
    async fn send(&self, mut transport: Transport) -> Next {
        let output = self.shared.lock().server.take(self.id);
        if !output.bytes.is_empty() {
            let sent = tokio::select! {
                sent = timeout(STALL, transport.send(&output.bytes)) => sent,
                () = self.cut_off() => return Next::End,
            };
            if !matches!(sent, Ok(Ok(()))) {
                return Next::End;
            }
        }
        match output.then {
            Then::Close => {
                // The client may be gone already.
                let _ = timeout(LINGER, transport.end()).await;
                Next::End
            }
            Then::Compress => Next::Send(transport.compress()),
            Then::Continue if output.bytes.is_empty() => Next::Wait(transport),
            Then::Continue => Next::Send(transport),
        }
    }

    /// Returns when too many bytes wait for the client.
    async fn cut_off(&self) {
        while !self.shared.lock().server.is_cut_off(self.id) {
            self.door.notified().await;
        }
    }
}

/// A socket, with or without compression (XEP-0138).
enum Transport {
    Plain(TcpStream),
    Zlib {
        reader: Box<ZlibDecoder<BufReader<OwnedReadHalf>>>,
        writer: Box<ZlibEncoder<OwnedWriteHalf>>,
    },
}

impl Transport {
    /// The same socket, compressed from here on.
    fn compress(self) -> Self {
        match self {
            Self::Plain(stream) => {
                let (reader, writer) = stream.into_split();
                Self::Zlib {
                    reader: Box::new(ZlibDecoder::new(BufReader::new(reader))),
                    writer: Box::new(ZlibEncoder::new(writer)),
                }
            }
            compressed @ Self::Zlib { .. } => compressed,
        }
    }

    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer).await,
            Self::Zlib { reader, .. } => reader.read(buffer).await,
        }
    }

    /// Sends all bytes; flushes the compressor, so that the client can read all of them.
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Zlib { writer, .. } => {
                writer.write_all(bytes).await?;
                writer.flush().await
            }
        }
    }

    /// Closes our side, and reads until the client closes its own: it may still be sending, and a socket closed with
    /// unread bytes would reset the connection before the client has read our last bytes.
    async fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shutdown().await?,
            Self::Zlib { writer, .. } => writer.shutdown().await?,
        }
        let mut buffer = [0; 1024];
        while self.read(&mut buffer).await? > 0 {}
        Ok(())
    }
}
