//! The one task that owns both connections of a session and moves its bytes.

use std::cell::RefCell;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::either::Either;

use super::budget::Share;
use super::connector::{Connector, ServerStream};
use super::reaching::Reaching;
use super::watch::Watch;
use super::zlib::{Traffic, Zlib};
use crate::session::{Event, Input, Leg, Level, Options, Output, Seed, Session};

/// What one read takes at the most.
const READ_SIZE: usize = 16 * 1024;
/// How long the other side may take to read our last words.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long to read on after our last word, so that the other side gets to read it.
const LINGER: Duration = Duration::from_secs(2);

thread_local! {
    /// A session that waits holds no read buffer: the threads that read have one each.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_SIZE].into());
}

/// The server's leg: as it is, or compressed.
type ServerLeg = Either<ServerStream, Box<Zlib<ServerStream>>>;

/// A session with its connections.
pub(super) struct Pump {
    session: Session,
    client: Half<TcpStream>,
    server: Half<ServerLeg>,
    /// The server's leg while it is being made or secured.
    reaching: Reaching,
    /// A place among the compressed sessions, from when the server has offered it until it does it or refuses.
    place: Option<OwnedSemaphorePermit>,
    /// What passes compressed, if anything does.
    traffic: Option<Arc<Traffic>>,
    /// What of the budget of all sessions this one holds.
    share: Share,
    start: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    /// Who is told of each step.
    watches: Box<[Watch]>,
}

/// One connection and how far its end is.
struct Half<S> {
    stream: Option<S>,
    /// Something was written that the stream may still hold.
    unflushed: bool,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Not in sight.
    Open,
    /// What is outgoing is sent until then, and nothing more.
    Finishing(Instant),
    /// Our last word is said; what still comes is read and thrown away.
    Lingering(Instant),
}

impl Pump {
    pub(super) fn new(
        client: TcpStream,
        options: Arc<Options>,
        seed: Seed,
        connector: Arc<Connector>,
        share: Share,
        watches: Box<[Watch]>,
    ) -> Self {
        super::connector::prepare(&client);
        let mut session = Session::new(options, seed, Duration::ZERO);
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        session.set_epoch(epoch.unwrap_or_default());
        if !watches.is_empty() {
            session.record();
        }
        Self {
            session,
            client: Half::new(Some(client)),
            server: Half::new(None),
            reaching: Reaching::new(connector),
            place: None,
            traffic: None,
            share,
            start: Instant::now(),
            timer: None,
            watches,
        }
    }

    /// Runs the session to its end; `stop` tells it to end soon.
    pub(super) async fn run(mut self: Box<Self>, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut stopping = false;
        std::future::poll_fn(|cx| {
            if !stopping && stop.as_mut().poll(cx).is_ready() {
                stopping = true;
                self.session.handle(Input::Shutdown, self.start.elapsed());
            }
            self.poll(cx)
        })
        .await;
        if let Some(traffic) = &self.traffic {
            let event = traffic.event();
            log(&event);
            self.tell(vec![Output::Log(event)]);
        }
    }

    /// Reads each leg once, lets the session handle it, writes each leg once, as long as anything moves.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = self.start.elapsed();
            let mut moved = self.poll_connecting(cx, now);
            moved |= poll_read(&mut self.client, &mut self.session, Leg::Client, cx, now);
            moved |= poll_read(&mut self.server, &mut self.session, Leg::Server, cx, now);
            moved |= self.follow_outputs();
            if self.server.stream.is_some() && !self.session.outgoing(Leg::Client).is_empty() {
                self.reaching.settle();
            }
            moved |= poll_write(&mut self.client, &mut self.session, Leg::Client, cx, now);
            moved |= poll_write(&mut self.server, &mut self.session, Leg::Server, cx, now);
            if self.client.stream.is_none()
                && self.server.stream.is_none()
                && self.session.is_closed()
            {
                return Poll::Ready(());
            }
            if !moved && self.poll_timer(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn poll_connecting(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        let Poll::Ready((input, stream)) = self.reaching.poll(cx) else {
            return false;
        };
        self.session.handle(input, now);
        self.server.stream = stream.map(Either::Left);
        true
    }

    /// Another server is being reached, or the session is told why not; the connection there was is closed.
    fn lead_on(&mut self, led: Result<(), Input<'static>>) {
        self.server = Half::new(None);
        if let Err(input) = led {
            self.session.handle(input, self.start.elapsed());
        }
    }

    /// Does what the session wants done; whether there was anything.
    fn follow_outputs(&mut self) -> bool {
        let mut moved = false;
        let mut steps = Vec::new();
        while let Some(output) = self.session.poll() {
            moved = true;
            if !self.watches.is_empty() {
                if matches!(output, Output::Recorded(_)) {
                    steps.push(output);
                    continue;
                }
                steps.push(output.clone());
            }
            match output {
                Output::Connect { domain } => self.reaching.connect(domain),
                Output::ConnectNext(reason) => {
                    let led = self.reaching.connect_next(reason);
                    self.lead_on(led);
                }
                Output::ConnectTo(host) => {
                    let led = self.reaching.connect_to(host);
                    self.lead_on(led);
                }
                Output::StartTls => {
                    if let Some(Either::Left(stream)) = self.server.stream.take() {
                        self.reaching.secure(stream);
                    }
                }
                // To be done.
                Output::AcceptTls(_) => {}
                Output::MayCompress => self.take_place(),
                Output::Compress(read) => self.compress(read),
                Output::Hold(bytes) => {
                    if !self.share.hold(bytes) {
                        let now = self.start.elapsed();
                        self.session.handle(Input::HoldRefused, now);
                    }
                }
                Output::Learned(facts) => self.reaching.learn(facts),
                Output::Finish(Leg::Client) => self.client.finish(),
                Output::Finish(Leg::Server) => {
                    self.reaching.give_up();
                    self.server.finish();
                }
                Output::Log(event) => {
                    if matches!(event, Event::NotCompressed(_)) {
                        // The server refused after all.
                        self.place = None;
                    }
                    log(&event);
                }
                // Nobody watches, so there is none.
                Output::Recorded(_) => {}
            }
        }
        if !steps.is_empty() {
            self.tell(steps);
        }
        moved
    }

    /// Takes a place among the compressed sessions, if this one needs one and there is one.
    fn take_place(&mut self) {
        let place = match &self.server.stream {
            Some(Either::Left(stream)) => self.reaching.connector.compressed_place(stream),
            _ => Err("its connection is gone"),
        };
        let input = match place {
            Ok(place) => {
                self.place = place;
                Input::MayCompress
            }
            Err(reason) => Input::MayNotCompress(reason.to_owned()),
        };
        self.session.handle(input, self.start.elapsed());
    }

    /// Compresses the server's leg, of which these bytes were read already.
    fn compress(&mut self, read: Vec<u8>) {
        if let Some(Either::Left(stream)) = self.server.stream.take() {
            let level = self.reaching.connector.compress_level();
            let zlib = Zlib::new(stream, read, level, self.place.take());
            self.traffic = Some(zlib.traffic());
            self.server.stream = Some(Either::Right(Box::new(zlib)));
        }
    }

    fn tell(&mut self, steps: Vec<Output>) {
        if let [others @ .., last] = &mut *self.watches {
            for watch in others {
                watch.tell(steps.clone());
            }
            last.tell(steps);
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ending = [self.client.deadline(), self.server.deadline()]
            .into_iter()
            .flatten();
        let session = self.session.timeout().map(|timeout| self.start + timeout);
        let Some(deadline) = ending.chain(session).min() else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        std::task::ready!(timer.as_mut().poll(cx));
        self.timer = None;
        self.session.handle(Input::Timeout, self.start.elapsed());
        Poll::Ready(())
    }
}

impl<S> Half<S> {
    fn new(stream: Option<S>) -> Self {
        Self {
            stream,
            unflushed: false,
            end: End::Open,
        }
    }

    fn finish(&mut self) {
        self.end = End::Finishing(Instant::now() + LAST_WORDS);
    }

    /// When the connection is dropped, whatever the other side does.
    fn deadline(&self) -> Option<Instant> {
        match self.end {
            End::Finishing(until) | End::Lingering(until) if self.stream.is_some() => Some(until),
            _ => None,
        }
    }
}

/// Reads once, if the session wants it; whether anything came.
fn poll_read<S: AsyncRead + Unpin>(
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
    // Behind our last word only what is of no use to anybody is read without being asked for.
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
        // The other side is there, and says what nobody can read.
        let is_wrong_data = matches!(&result, Err(error) if error.kind() == ErrorKind::InvalidData);
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

/// Writes what is outgoing, and ends the connection where that is due; whether anything moved.
fn poll_write<S: AsyncWrite + Unpin>(
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
                // Nobody reads it any more.
                half.stream = None;
                session.sent(leg, count, now);
                session.handle(Input::Eof(leg), now);
                return true;
            }
        };
        session.sent(leg, written, now);
        half.unflushed = true;
        if !session.outgoing(leg).is_empty() {
            // One flush for all of it.
            return true;
        }
    }
    if half.unflushed && Pin::new(&mut *stream).poll_flush(cx).is_ready() {
        // If it failed, so will what comes next.
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

fn log(event: &Event) {
    match event.level() {
        Level::Warn => tracing::warn!("{event}"),
        Level::Info => tracing::info!("{event}"),
        Level::Debug => tracing::debug!("{event}"),
        Level::Trace => tracing::trace!("{event}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::task::Waker;

    use super::*;

    /// Takes it in parts, and holds it until it was asked twice to flush.
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
