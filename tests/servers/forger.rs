//! A forger between a shim and its server, which answers some questions itself, with a temporary error.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::common::Node;
use crate::relay;
use crate::server::Server;

/// Listens without TLS, and talks to the server with it.
pub(crate) struct Forger {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: SocketAddr,
    /// Text of the questions to forge answers to.
    part: &'static str,
    is_forging: AtomicBool,
    forged: AtomicUsize,
}

impl Forger {
    pub(crate) fn before(server: &Server, part: &'static str) -> Self {
        let shared = Arc::new(Shared {
            server: server.direct_tls_addr(),
            part,
            is_forging: AtomicBool::new(true),
            forged: AtomicUsize::new(0),
        });
        let runtime = relay::runtime();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = runtime.block_on(listener).unwrap();
        let addr = listener.local_addr().unwrap();
        let common = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((shim, _)) = listener.accept().await {
                tokio::spawn(pass(shim, Arc::clone(&common)));
            }
        });
        Self { addr, shared }
    }

    /// Number of forged answers.
    pub(crate) fn forged(&self) -> usize {
        self.shared.forged.load(Ordering::SeqCst)
    }

    /// From now on passes all questions on to the server.
    pub(crate) fn stop(&self) {
        self.shared.is_forging.store(false, Ordering::SeqCst);
    }
}

async fn pass(shim: TcpStream, shared: Arc<Shared>) {
    let mut connector = native_tls::TlsConnector::builder();
    connector.danger_accept_invalid_certs(true);
    let connector = tokio_native_tls::TlsConnector::from(connector.build().unwrap());
    let server = TcpStream::connect(shared.server).await.unwrap();
    let server = connector.connect("capulet.lit", server).await.unwrap();
    let (mut from_server, mut to_server) = split(server);
    let (mut from_shim, mut to_shim) = shim.into_split();
    let (say, mut said) = mpsc::unbounded_channel::<Vec<u8>>();
    let answers = say.clone();
    let down = async move {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            if say.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    };
    let write = async move {
        let mut gate = Gate::default();
        while let Some(bytes) = said.recv().await {
            for piece in gate.pieces(&bytes) {
                if to_shim.write_all(&piece).await.is_err() {
                    return;
                }
            }
        }
    };
    let up = async move {
        let (mut buffer, mut gate) = ([0; 4096], Gate::default());
        while let Ok(count @ 1..) = from_shim.read(&mut buffer).await {
            for piece in gate.pieces(&buffer[..count]) {
                if let Some(answer) = shared.forge(&piece) {
                    let _ = answers.send(answer);
                } else if to_server.write_all(&piece).await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = down => {}
        () = write => {}
        () = up => {}
    }
}

impl Shared {
    /// The forged answer, if `piece` is such a question.
    fn forge(&self, piece: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(piece).ok()?;
        let is_asked = text.starts_with("<iq") && text.contains(self.part);
        if !is_asked || !self.is_forging.load(Ordering::SeqCst) {
            return None;
        }
        let iq = Node::stanza(text);
        if iq.attribute("type") != Some("get") {
            return None;
        }
        self.forged.fetch_add(1, Ordering::SeqCst);
        let id = iq.value("id");
        let from = iq.attribute("to");
        let from = from.map_or(String::new(), |it| format!(" from='{it}'"));
        Some(
            format!(
                "<iq type='error' id='{id}'{from}><error type='wait'><internal-server-error \
                 xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
            )
            .into_bytes(),
        )
    }
}

/// Cuts a stream between its top-level elements. Neither shims nor these servers write comments or CDATA.
#[derive(Default)]
struct Gate {
    /// The piece read so far.
    piece: Vec<u8>,
    depth: usize,
    is_in_tag: bool,
    quote: Option<u8>,
}

impl Gate {
    /// The pieces that are whole now; a stream header is one.
    fn pieces(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        for byte in bytes {
            self.piece.push(*byte);
            match (self.quote, byte) {
                (Some(quote), byte) if quote == *byte => self.quote = None,
                (Some(_), _) => {}
                (None, b'\'' | b'"') if self.is_in_tag => self.quote = Some(*byte),
                (None, b'<') => self.is_in_tag = true,
                (None, b'>') => {
                    self.is_in_tag = false;
                    self.note_tag();
                    if self.depth == 0 {
                        pieces.push(std::mem::take(&mut self.piece));
                    }
                }
                _ => {}
            }
        }
        pieces
    }

    fn note_tag(&mut self) {
        let start = self.piece.iter().rposition(|it| *it == b'<').unwrap_or(0);
        // Values of attributes contain no '<'.
        let tag = &self.piece[start..];
        if tag.starts_with(b"<?")
            || tag.windows(14).any(|it| it == b"stream:stream ")
            || tag == b"</stream:stream>"
        {
            return;
        }
        if tag.starts_with(b"</") {
            self.depth = self.depth.saturating_sub(1);
        } else if !tag.ends_with(b"/>") {
            self.depth += 1;
        }
    }
}
