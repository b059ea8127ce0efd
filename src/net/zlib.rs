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

use crate::session::Event;

/// Of what is unpacked, this much is looked at together: more than strangers get through in a row, who can make a server
/// send us what packs well.
const PORTION: u64 = 32 * 1024 * 1024;
/// A portion that came as less than this part of it is no XMPP. zlib reaches 1029 to 1; presence of thousands, each the
/// same but for the name, 75 to 1.
const MOST_RATIO: u64 = 250;

/// A connection on which both sides compress.
pub(super) struct Zlib<S> {
    codec: ZlibDecoder<BufReader<ZlibEncoder<Counted<S>>>>,
    /// A flush has begun: nothing is written before it has ended, or the other side could wait for what it held.
    flushing: bool,
    /// Received since a portion began: bytes of the stream, and where `Traffic::received` stood.
    portion: [u64; 2],
    traffic: Arc<Traffic>,
    /// The place among the sessions that may be compressed.
    _permit: Option<OwnedSemaphorePermit>,
}

/// How many bytes of a stream there were, and as how many they travelled.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    sent: [AtomicU64; 2],
    received: [AtomicU64; 2],
}

/// Where the two are.
const STREAM: usize = 0;
const WIRE: usize = 1;

impl Traffic {
    /// The same for the log.
    pub(super) fn event(&self) -> Event {
        let read =
            |counts: &[AtomicU64; 2]| [counts[STREAM].load(Relaxed), counts[WIRE].load(Relaxed)];
        Event::Compressed {
            sent: read(&self.sent),
            received: read(&self.received),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Zlib<S> {
    /// Compresses `stream` from here on. `read`: what was read of it already is compressed, too.
    pub(super) fn new(
        stream: S,
        read: Vec<u8>,
        level: u8,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let traffic = Arc::new(Traffic::default());
        let counted = Counted {
            stream,
            read,
            has_ended: false,
            traffic: Arc::clone(&traffic),
        };
        let encoder = ZlibEncoder::with_quality(counted, Level::Precise(level.into()));
        Self {
            codec: ZlibDecoder::new(BufReader::new(encoder)),
            flushing: false,
            portion: [0; 2],
            traffic,
            _permit: permit,
        }
    }

    /// What passes, counted while it does.
    pub(super) fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }

    /// Notes that `count` bytes were unpacked, and sees what they came as.
    fn unpacked(&mut self, count: u64) -> io::Result<()> {
        self.traffic.received[STREAM].fetch_add(count, Relaxed);
        self.portion[STREAM] += count;
        if self.portion[STREAM] < PORTION {
            return Ok(());
        }
        let wire = self.traffic.received[WIRE].load(Relaxed);
        let came_as = wire - std::mem::replace(&mut self.portion[WIRE], wire);
        let unpacked = std::mem::take(&mut self.portion[STREAM]);
        if came_as.saturating_mul(MOST_RATIO) < unpacked {
            return Err(wrong(&format!(
                "the server sent {came_as} compressed bytes that become {unpacked}, which no honest one does"
            )));
        }
        Ok(())
    }
}

/// What the shell tells the session of as a failure, and not as an end.
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
        let before = buf.filled().len();
        let result = ready!(Pin::new(&mut this.codec).poll_read(cx, buf));
        let has_ended = this.codec.get_ref().get_ref().get_ref().has_ended;
        Poll::Ready(match result {
            Ok(()) => this.unpacked((buf.filled().len() - before) as u64),
            // Servers close without zlib's trailer, and connections break: an end as any other.
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

    /// After this the other side can read all that was written.
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

/// The connection below, which counts what it takes and gives.
struct Counted<S> {
    stream: S,
    /// Given before anything else is read.
    read: Vec<u8>,
    /// It has ended, or broken.
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
        if self.read.is_empty() {
            let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
            self.has_ended = result.is_err() || buf.filled().len() == before;
            result?;
        } else {
            let count = self.read.len().min(buf.remaining());
            buf.put_slice(&self.read[..count]);
            self.read.drain(..count);
        }
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
