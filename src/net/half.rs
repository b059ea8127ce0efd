//! One connection of a session: reading, writing, flushing, and closing without losing the last bytes.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::session::{Input, Leg, Session};

/// Bytes that one read takes at the most.
const READ_SIZE: usize = 16 * 1024;
/// How long the peer may take at the most to read the last bytes that pubshim sends.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long to read on after closing our side: a socket closed with unread bytes would reset the connection, and the
/// peer would lose our last bytes.
const LINGER: Duration = Duration::from_secs(2);

thread_local! {
    /// Read buffers belong to threads, one each, so that a waiting session holds none.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_SIZE].into());
}

/// One connection, and how far its end has come.
pub(super) struct Half<S> {
    /// The connection; `None` when it is gone, and while TLS is negotiated on it elsewhere.
    pub(super) stream: Option<S>,
    /// Bytes were written that the stream may still hold in its buffers.
    pub(super) unflushed: bool,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The connection stays open.
    Open,
    /// Outgoing bytes are still sent, until this time at the latest; then the connection ends.
    Finishing(Instant),
    /// Our side is closed; bytes that still come are read and thrown away until this time.
    Lingering(Instant),
}

impl<S> Half<S> {
    /// A connection that stays open until [`finish`](Self::finish).
    pub(super) fn new(stream: Option<S>) -> Self {
        Self {
            stream,
            unflushed: false,
            end: End::Open,
        }
    }

    /// Closes the connection as soon as all outgoing bytes are sent, and at the latest after [`LAST_WORDS`], or
    /// after `stall` if that is shorter.
    pub(super) fn finish(&mut self, stall: Duration) {
        self.end = End::Finishing(Instant::now() + stall.min(LAST_WORDS));
    }

    /// When the connection is dropped, whatever the peer does.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.end {
            End::Finishing(until) | End::Lingering(until) if self.stream.is_some() => Some(until),
            _ => None,
        }
    }
}

/// Reads once, if the session wants bytes of this leg; whether the read gave anything (bytes, the end, an error).
pub(super) fn poll_read<S: AsyncRead + Unpin>(
    half: &mut Half<S>,
    session: &mut Session,
    leg: Leg,
    cx: &mut Context<'_>,
    now: Duration,
) -> bool {
    let is_lingering = matches!(half.end, End::Lingering(_));
    let Some(stream) = &mut half.stream else {
        return false;
    };
    // Lingering: bytes that the session does not want any more are still read, and thrown away.
    let is_over = is_lingering && session.is_over(leg);
    if !is_over && !session.wants(leg) {
        return false;
    }
    let mut has_ended = false;
    let moved = SCRATCH.with_borrow_mut(|scratch| {
        let mut buf = ReadBuf::new(scratch);
        let Poll::Ready(result) = Pin::new(stream).poll_read(cx, &mut buf) else {
            return false;
        };
        // Not an end of the stream: the server sent bytes that are no TLS or no zlib, or refused us in TLS.
        let is_wrong_data = leg == Leg::Server
            && matches!(&result, Err(error) if error.kind() == ErrorKind::InvalidData);
        has_ended = result.is_err() || buf.filled().is_empty();
        match (is_over, has_ended) {
            (true, _) => {}
            (false, true) if is_wrong_data => {
                let reason = result.err().map(|error| error.to_string());
                session.handle(Input::Failed(reason.unwrap_or_default()), now);
            }
            (false, true) => session.handle(Input::Eof(leg), now),
            (false, false) => session.handle(Input::Bytes(leg, buf.filled()), now),
        }
        true
    });
    if is_lingering && has_ended {
        half.stream = None;
    }
    moved
}

/// Writes outgoing bytes, flushes, and closes the connection when its end has come; whether anything was done.
pub(super) fn poll_write<S: AsyncWrite + Unpin>(
    half: &mut Half<S>,
    session: &mut Session,
    leg: Leg,
    cx: &mut Context<'_>,
    now: Duration,
) -> bool {
    let Some(stream) = &mut half.stream else {
        return false;
    };
    match half.end {
        End::Finishing(until) | End::Lingering(until) if until <= Instant::now() => {
            half.stream = None;
            return true;
        }
        End::Lingering(_) => return false,
        End::Open | End::Finishing(_) => {}
    }
    let out = session.outgoing(leg);
    let count = out.len();
    if count > 0 {
        let written = match Pin::new(&mut *stream).poll_write(cx, out) {
            Poll::Pending => return false,
            Poll::Ready(Ok(written)) if written > 0 => written,
            Poll::Ready(_) => {
                // The peer is gone: outgoing bytes count as sent, so that the session does not wait for them.
                half.stream = None;
                session.sent(leg, count, now);
                session.handle(Input::Eof(leg), now);
                return true;
            }
        };
        session.sent(leg, written, now);
        half.unflushed = true;
        if !session.outgoing(leg).is_empty() {
            // Write the rest first: one flush for all of it.
            return true;
        }
    }
    if half.unflushed && Pin::new(&mut *stream).poll_flush(cx).is_ready() {
        // A failed flush is no news: the next read or write fails, too.
        half.unflushed = false;
    }
    if count > 0 {
        return true;
    }
    if matches!(half.end, End::Finishing(_)) {
        if Pin::new(stream).poll_shutdown(cx).is_pending() {
            return false;
        }
        half.end = End::Lingering(Instant::now() + LINGER);
        return true;
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::task::Waker;

    use super::*;
    use crate::session::{Output, Seed};

    /// A stream that takes 100 bytes at a time, and holds them until the second flush.
    #[derive(Default)]
    struct Holding {
        held: usize,
        asked: usize,
        sent: usize,
    }

    impl AsyncWrite for Holding {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let count = bytes.len().min(100);
            self.held += count;
            Poll::Ready(Ok(count))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.asked += 1;
            if self.asked == 1 {
                return Poll::Pending;
            }
            self.sent += std::mem::take(&mut self.held);
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A stream whose reads fail with `InvalidData`.
    struct Wrong;

    impl AsyncRead for Wrong {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, "wrong")))
        }
    }

    #[test]
    fn what_is_wrong_with_the_client_is_not_said_of_the_server() {
        let now = Duration::ZERO;
        let mut session = Session::new(Arc::default(), Seed([0; 32]), now);
        let mut half = Half::new(Some(Wrong));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(poll_read(
            &mut half,
            &mut session,
            Leg::Client,
            &mut cx,
            now
        ));
        let told = String::from_utf8_lossy(session.outgoing(Leg::Client));
        assert!(!told.contains("remote-connection-failed"), "{told}");
        let logged = std::iter::from_fn(|| session.poll()).any(
            |output| matches!(output, Output::Log(event) if event.to_string().contains("wrong")),
        );
        assert!(!logged);
    }

    #[test]
    fn what_a_stream_holds_is_flushed_when_it_can_be() {
        let now = Duration::ZERO;
        let mut session = Session::new(Arc::default(), Seed([0; 32]), now);
        session.handle(Input::Bytes(Leg::Client, b"no stream"), now);
        let count = session.outgoing(Leg::Client).len();
        let mut half = Half::new(Some(Holding::default()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(count > 200, "it takes more than one write");
        let mut poll = || {
            let is_all = session.outgoing(Leg::Client).len() <= 100;
            let moved = poll_write(&mut half, &mut session, Leg::Client, &mut cx, now);
            let stream = half.stream.as_ref().expect("an open stream");
            (is_all, moved, stream.asked, stream.sent)
        };
        for _ in 0..(count - 1) / 100 {
            assert_eq!(poll(), (false, true, 0, 0), "one flush for all of it");
        }
        assert_eq!(poll(), (true, true, 1, 0));
        assert_eq!(poll(), (true, false, 2, count));
        assert_eq!(poll(), (true, false, 2, count));
    }
}
