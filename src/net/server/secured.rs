//! The server's leg behind TLS: what a server says of TLS after the handshake is put into words.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_native_tls::TlsStream;

use super::heard::Heard;
use super::tls_failure;

/// A connection to the server that TLS secures.
pub(in crate::net) type SecureStream = Box<Secured>;

/// What is behind the pointer.
pub(in crate::net) struct Secured {
    tls: TlsStream<BufReader<Heard>>,
    /// The server was shown the certificate of `--login-cert`.
    has_login_cert: bool,
}

impl Secured {
    /// A connection whose handshake, as far as we can tell, is over: in TLS 1.3 the server may still refuse our
    /// certificate, and says so to whoever reads next.
    pub(super) fn new(tls: TlsStream<BufReader<Heard>>, has_login_cert: bool) -> Self {
        Self {
            tls,
            has_login_cert,
        }
    }

    /// The connection under it.
    pub(super) fn tcp(&self) -> &TcpStream {
        self.tls.get_ref().get_ref().get_ref().get_ref().tcp()
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut TlsStream<BufReader<Heard>>> {
        Pin::new(&mut self.get_mut().tls)
    }
}

impl AsyncRead for Secured {
    /// An alert is an error of the kind [`ErrorKind::InvalidData`], which the session is told of in these words; others
    /// are the end of a connection.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.as_mut().stream().poll_read(cx, buf);
        read.map_err(
            |error| match tls_failure::alert(&error, self.has_login_cert) {
                Some(alert) => io::Error::new(ErrorKind::InvalidData, alert),
                None => error,
            },
        )
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}
