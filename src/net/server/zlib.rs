//! The server's leg compressed (XEP-0138, zlib).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use async_compression::Level;
use async_compression::tokio::bufread::ZlibDecoder;
use async_compression::tokio::write::ZlibEncoder;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::coop;

use crate::net::prefixed::Prefixed;
use crate::session::Event;

/// A connection on which both sides compress.
pub(in crate::net) struct Zlib<S> {
    codec: ZlibDecoder<BufReader<ZlibEncoder<Counted<S>>>>,
    /// A flush is under way. Writes wait for its end: a write in between could leave earlier bytes in the encoder, and
    /// the server would wait for them.
    flushing: bool,
    traffic: Arc<Traffic>,
    /// Place among the sessions that `--compress auto` compresses.
    _place: Option<OwnedSemaphorePermit>,
}

/// Bytes of the stream, and bytes on the wire after compression.
#[derive(Debug, Default)]
pub(in crate::net) struct Traffic {
    sent: [AtomicU64; 2],
    received: [AtomicU64; 2],
}

/// Indices of the two counts.
const STREAM: usize = 0;
const WIRE: usize = 1;

impl Traffic {
    /// The counts as an event for the log.
    pub(in crate::net) fn event(&self) -> Event {
        let read =
            |counts: &[AtomicU64; 2]| [counts[STREAM].load(Relaxed), counts[WIRE].load(Relaxed)];
        Event::Compressed {
            sent: read(&self.sent),
            received: read(&self.received),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Zlib<S> {
    /// Compresses `stream` from here on. `read` holds bytes of it that were read already; they are compressed, too.
    pub(in crate::net) fn new(
        stream: S,
        read: Vec<u8>,
        level: u8,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let traffic = Arc::new(Traffic::default());
        let counted = Counted {
            stream: Prefixed::new(read, stream),
            has_ended: false,
            traffic: Arc::clone(&traffic),
        };
        let encoder = ZlibEncoder::with_quality(counted, Level::Precise(level.into()));
        Self {
            codec: ZlibDecoder::new(BufReader::new(encoder)),
            flushing: false,
            traffic,
            _place: place,
        }
    }

    /// Byte counts, kept up to date while bytes pass.
    pub(in crate::net) fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }
}

/// An error that `half.rs` tells the session as a failure, not as the end of the connection.
fn wrong(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Zlib<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // A few bytes may unpack to millions: let other tasks of this thread have their turn in between.
        let turn = ready!(coop::poll_proceed(cx));
        let before = buf.filled().len();
        let result = ready!(Pin::new(&mut this.codec).poll_read(cx, buf));
        turn.made_progress();
        let has_ended = this.codec.get_ref().get_ref().get_ref().has_ended;
        Poll::Ready(match result {
            Ok(()) => {
                let count = buf.filled().len() - before;
                this.traffic.received[STREAM].fetch_add(count as u64, Relaxed);
                Ok(())
            }
            // The connection broke, or the server closed without zlib's trailer, as servers do: an ordinary end.
            Err(_) if has_ended => Ok(()),
            Err(error) => Err(wrong(&format!(
                "what the server sent is not compressed as agreed (zlib): {error}"
            ))),
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Zlib<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.flushing {
            ready!(Pin::new(&mut *this).poll_flush(cx))?;
        }
        let count = ready!(Pin::new(&mut this.codec).poll_write(cx, bytes))?;
        this.traffic.sent[STREAM].fetch_add(count as u64, Relaxed);
        Poll::Ready(Ok(count))
    }

    /// Flushes the encoder, too: the server can then read all bytes that were written.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.flushing = true;
        let result = ready!(Pin::new(&mut this.codec).poll_flush(cx));
        this.flushing = false;
        Poll::Ready(result)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.flushing {
            ready!(Pin::new(&mut *this).poll_flush(cx))?;
        }
        Pin::new(&mut this.codec).poll_shutdown(cx)
    }
}

/// The connection below, which counts compressed bytes.
struct Counted<S> {
    stream: Prefixed<S>,
    /// The connection has ended, or broken.
    has_ended: bool,
    traffic: Arc<Traffic>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        self.has_ended = result.is_err() || buf.filled().len() == before;
        result?;
        let count = buf.filled().len() - before;
        self.traffic.received[WIRE].fetch_add(count as u64, Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.traffic.sent[WIRE].fetch_add(count as u64, Relaxed);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[tokio::test]
    async fn a_bomb_gives_others_their_turn() {
        let mut compress = flate2::Compress::new(flate2::Compression::default(), true);
        let blank = vec![b' '; 64 * 1024 * 1024];
        let mut packed = Vec::with_capacity(blank.len() / 100);
        let sync = flate2::FlushCompress::Sync;
        let taken = compress.compress_vec(&blank, &mut packed, sync);
        taken.expect("packed");
        let mut zlib = Zlib::new(Cursor::new(Vec::new()), packed, 6, None);
        let mut scratch = [0; 16 * 1024];
        let unpacked = std::future::poll_fn(|cx| {
            let mut unpacked = 0;
            loop {
                let mut buf = ReadBuf::new(&mut scratch);
                match Pin::new(&mut zlib).poll_read(cx, &mut buf) {
                    Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                        unpacked += buf.filled().len();
                    }
                    Poll::Ready(_) => panic!("all of it in one turn"),
                    Poll::Pending => return Poll::Ready(unpacked),
                }
            }
        });
        let unpacked = unpacked.await;
        assert!(unpacked <= 4 * 1024 * 1024, "{unpacked} in one turn");
    }
}
