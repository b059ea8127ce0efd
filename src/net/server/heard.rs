//! The first bytes that a server sends: if the TLS handshake fails, they tell which protocol the server speaks.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes kept: enough to tell a web server, an XMPP server and TLS apart.
const KEPT: usize = 8;

/// A connection whose first bytes are kept.
pub(in crate::net) struct Heard {
    tcp: TcpStream,
    /// Place for the first bytes; `None` once they have come.
    first: Option<First>,
}

/// The first bytes that were read, up to eight; empty before that.
#[derive(Clone, Default)]
pub(super) struct First(Arc<OnceLock<Box<[u8]>>>);

impl First {
    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.get().map_or(&[], |bytes| bytes)
    }
}

impl Heard {
    /// Wraps a connection from which nothing was read yet; the second value will hold its first bytes.
    pub(super) fn new(tcp: TcpStream) -> (Self, First) {
        let first = First::default();
        let heard = Self {
            tcp,
            first: Some(first.clone()),
        };
        (heard, first)
    }

    /// The connection itself.
    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let start = buf.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buf))?;
        if let Some(first) = self.first.take() {
            let read = &buf.filled()[start..];
            // Cannot fail: set once, and only here.
            let _ = first.0.set(read[..read.len().min(KEPT)].into());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
