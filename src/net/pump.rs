//! The one task that owns both connections of a session and moves its bytes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::either::Either;
use tracing::{Span, field};

use super::budget::Share;
use super::client::certificate::Certificates;
use super::client::stream::{self, ClientStream, PlainClient};
use super::client::tls::Securing;
use super::half::{Half, poll_read, poll_write};
use super::server::connector::{Connector, ServerStream};
use super::server::reaching::Reaching;
use super::server::zlib::{Traffic, Zlib};
use super::watch::Watch;
use crate::session::{Event, Input, Leg, Level, Options, Output, Seed, Session};
use crate::xml::shown;

/// The server's leg: as it is, or compressed.
type ServerLeg = Either<ServerStream, Box<Zlib<ServerStream>>>;

/// A session with its connections.
pub(super) struct Pump {
    session: Session,
    client: Half<ClientStream>,
    server: Half<ServerLeg>,
    /// Connecting to the server, and TLS on the server's leg, while under way.
    reaching: Reaching,
    /// The TLS handshake on the client's leg, while under way.
    securing: Securing,
    certificates: Arc<Certificates>,
    /// A place among the compressed sessions (`--compress-sessions`), from the server's offer until compression begins
    /// or is refused.
    place: Option<OwnedSemaphorePermit>,
    /// Byte counts of the compressed leg, if it is compressed.
    traffic: Option<Arc<Traffic>>,
    /// This session's share of the budget of all sessions.
    share: Share,
    start: Instant,
    /// Longest time in which a side reads nothing of what waits for it.
    stall: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// Threads that are told each step.
    watches: Box<[Watch]>,
    /// How the session ended; logged by the listener once both connections are closed.
    ended: Option<Event>,
}

impl Pump {
    pub(super) fn new(
        client: PlainClient,
        options: Arc<Options>,
        seed: Seed,
        connector: Arc<Connector>,
        certificates: Arc<Certificates>,
        share: Share,
        watches: Box<[Watch]>,
    ) -> Self {
        stream::prepare(&client);
        let stall = options.timeouts.stall;
        let mut session = Session::new(options, seed, Duration::ZERO);
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        session.set_epoch(epoch.unwrap_or_default());
        if !watches.is_empty() {
            session.record();
        }
        Self {
            session,
            client: Half::new(Some(Either::Left(client))),
            server: Half::new(None),
            reaching: Reaching::new(connector),
            securing: Securing::default(),
            certificates,
            place: None,
            traffic: None,
            share,
            start: Instant::now(),
            stall,
            timer: None,
            watches,
            ended: None,
        }
    }

    /// Runs the session to its end, and returns how it ended. When `stop` completes, the session begins to end.
    pub(super) async fn run(mut self: Box<Self>, stop: impl Future<Output = ()>) -> Option<Event> {
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
        self.ended.take()
    }

    /// Reads each leg once, does what the session wants, writes each leg once, and repeats as long as anything moves.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = self.start.elapsed();
            let mut moved = self.poll_connecting(cx, now);
            if !self.securing.is_asked() {
                moved |= poll_read(&mut self.client, &mut self.session, Leg::Client, cx, now);
            }
            moved |= poll_read(&mut self.server, &mut self.session, Leg::Server, cx, now);
            moved |= self.follow_outputs();
            if self.server.stream.is_some() && !self.session.outgoing(Leg::Client).is_empty() {
                self.reaching.settle();
            }
            moved |= poll_write(&mut self.client, &mut self.session, Leg::Client, cx, now);
            moved |= poll_write(&mut self.server, &mut self.session, Leg::Server, cx, now);
            moved |= self.poll_securing(cx, now);
            if moved {
                // The session may have new outputs, if only for the log.
                continue;
            }
            if self.client.stream.is_none()
                && self.server.stream.is_none()
                && self.session.is_closed()
            {
                return Poll::Ready(());
            }
            if self.poll_timer(cx).is_pending() {
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

    /// Drops the connection to the server; another one is being made, or the session is told why not.
    fn lead_on(&mut self, led: Result<(), Input<'static>>) {
        self.server = Half::new(None);
        if let Err(input) = led {
            self.session.handle(input, self.start.elapsed());
        }
    }

    /// Begins TLS with the client once all outgoing bytes are sent, and continues it; whether it has ended.
    fn poll_securing(&mut self, cx: &mut Context<'_>, now: Duration) -> bool {
        if self.session.outgoing(Leg::Client).is_empty() && !self.client.unflushed {
            let stream = &mut self.client.stream;
            self.securing.begin(stream, &self.certificates);
        }
        let Poll::Ready(result) = self.securing.poll(cx) else {
            return false;
        };
        match result {
            Ok(stream) => {
                self.client.stream = Some(Either::Right(stream));
                self.session.handle(Input::ClientSecured, now);
            }
            Err(reason) => self.session.handle(Input::ClientNotSecured(reason), now),
        }
        true
    }

    /// Does what the session wants done; whether it wanted anything.
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
                Output::Connect { domain } => {
                    Span::current().record("domain", field::display(shown(&domain)));
                    self.reaching.connect(domain);
                }
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
                Output::AcceptTls { domain, read } => {
                    self.securing = Securing::Asked { domain, read };
                }
                Output::MayCompress => self.take_place(),
                Output::StayUncompressed => self.place = None,
                Output::Compress(read) => self.compress(read),
                Output::Hold(bytes) => {
                    if !self.share.hold(bytes) {
                        let now = self.start.elapsed();
                        self.session.handle(Input::HoldRefused, now);
                    }
                }
                Output::Learned(facts) => self.reaching.learn(facts),
                Output::Finish(Leg::Client) => {
                    self.securing = Securing::Idle;
                    self.client.finish(self.stall);
                }
                Output::Finish(Leg::Server) => {
                    self.reaching.give_up();
                    self.server.finish(self.stall);
                }
                Output::Log(event @ Event::Ended { .. }) => self.ended = Some(event),
                Output::Log(event) => {
                    log(&event);
                    if let Event::LoggedIn(jid) = &event {
                        Span::current().record("account", field::display(shown(jid)));
                    }
                }
                // Recorded steps only come while somebody watches, and are taken above.
                Output::Recorded(_) => {}
            }
        }
        if !steps.is_empty() {
            self.tell(steps);
        }
        moved
    }

    /// Takes a place among the compressed sessions, if this one needs one; tells the session whether it may compress.
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

    /// Compresses the server's leg; `read` holds compressed bytes of it that came together with `<compressed/>`.
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

/// Writes an event of a session to the log.
pub(super) fn log(event: &Event) {
    match event.level() {
        Level::Warn => tracing::warn!("{event}"),
        Level::Info => tracing::info!("{event}"),
        Level::Debug => tracing::debug!("{event}"),
        Level::Trace => tracing::trace!("{event}"),
    }
}
