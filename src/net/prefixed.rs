//! A connection of which some bytes were read already, for example together with the request for TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection, and the bytes of it that were read already.
pub(super) struct Prefixed<S> {
    first: io::Cursor<Vec<u8>>,
    stream: S,
}

impl<S> Prefixed<S> {
    /// `stream` with the bytes `first` put back in front.
    pub(super) fn new(first: Vec<u8>, stream: S) -> Self {
        Self {
            first: io::Cursor::new(first),
            stream,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
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
        // All of `first` was read: free it.
        self.first = io::Cursor::default();
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
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
