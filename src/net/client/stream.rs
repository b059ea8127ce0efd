//! The client's leg: TCP or a Unix socket, as it is or with TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_native_tls::TlsStream;
use tokio_util::either::Either;

use crate::net::tcp;

/// A connection as it was accepted.
pub(in crate::net) type PlainClient = Either<TcpStream, UnixStream>;

/// A connection that TLS secures.
pub(in crate::net) type SecureClient = Box<TlsStream<BufReader<Prefixed>>>;

/// The connection to the client: left as it was accepted, right with TLS. The latter is boxed, so that a session
/// without stays small.
pub(in crate::net) type ClientStream = Either<PlainClient, SecureClient>;

/// Sends what is written at once, and notices a dead client.
pub(in crate::net) fn prepare(client: &PlainClient) {
    if let Either::Left(tcp) = client {
        tcp::prepare(tcp);
    }
}

/// Sends a few bytes to a new connection, which has room for them.
pub(in crate::net) fn say(client: &PlainClient, bytes: &[u8]) {
    let _ = match client {
        Either::Left(tcp) => tcp.try_write(bytes),
        Either::Right(unix) => unix.try_write(bytes),
    };
}

/// A connection of which the first bytes were read already.
pub(in crate::net) struct Prefixed {
    first: io::Cursor<Vec<u8>>,
    stream: PlainClient,
}

impl Prefixed {
    /// `stream` with these bytes in front again.
    pub(in crate::net) fn new(first: Vec<u8>, stream: PlainClient) -> Self {
        Self {
            first: io::Cursor::new(first),
            stream,
        }
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let first = Pin::new(&mut self.first).poll_read(cx, buf);
        if first.is_pending() || buf.filled().len() > before {
            return first;
        }
        // They are not needed again.
        self.first = io::Cursor::default();
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Prefixed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
