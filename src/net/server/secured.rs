//! The server's leg behind TLS: alerts that a server sends after the handshake are put into words for the user.

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

/// The stream behind [`SecureStream`].
pub(in crate::net) struct Secured {
    tls: TlsStream<BufReader<Heard>>,
    /// There is a `--login-cert`, which the server was offered.
    has_login_cert: bool,
}

impl Secured {
    /// A connection whose handshake is over on our side. In TLS 1.3 the server may still refuse our certificate: its
    /// alert comes with the next read.
    pub(super) fn new(tls: TlsStream<BufReader<Heard>>, has_login_cert: bool) -> Self {
        Self {
            tls,
            has_login_cert,
        }
    }

    /// The TCP connection below TLS.
    pub(super) fn tcp(&self) -> &TcpStream {
        self.tls.get_ref().get_ref().get_ref().get_ref().tcp()
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut TlsStream<BufReader<Heard>>> {
        Pin::new(&mut self.get_mut().tls)
    }
}

impl AsyncRead for Secured {
    /// An alert becomes an error of the kind [`ErrorKind::InvalidData`], whose text the session is told; any other
    /// error counts as the end of the connection.
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
