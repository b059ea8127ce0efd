//! A session between a client and a server that do anything, and what must hold whatever they do.

mod honest;
mod login;
mod outputs;
mod passing;
mod promises;
mod recorder;
mod steps;
mod viewer;

use std::sync::Arc;
use std::time::Duration;

use pubshim::session::{
    ClientTls, Compress, Function, Input, Leg, Options, Output, Policy, Reached, Security, Seed,
    ServerFacts, Session,
};
use pubshim::xml::Limits;

pub use steps::{Cut, Setup, Step};

use crate::sink::Sink;
use crate::text::{self, Asked, Writer};
use honest::Honest;
use login::LOGIN;
use passing::Passing;
use promises::Promises;
use recorder::Recorder;
use steps::Wait;
use viewer::Viewer;

/// Runs a session from its beginning to its end.
pub fn run(setup: &Setup, steps: &[Step]) {
    let mut world = World::new(setup);
    if setup.established {
        // There may be one server after the other, and none of any use.
        for _ in 0..MOST_LOGIN_STEPS {
            world.log_in(Cut::Whole);
        }
        if setup.settled {
            world.settle();
        }
    }
    for step in steps {
        world.act(step);
    }
    world.end();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Connection,
    Tls,
    /// TLS on the client's leg.
    ClientTls,
    /// Whether it may be compressed.
    Place,
}

struct World<'a> {
    setup: &'a Setup,
    options: Arc<Options>,
    own: &'static str,
    session: Session,
    now: Duration,
    sinks: [Sink; 2],
    /// Bytes written to pubshim on each leg and not read.
    unread: [Vec<u8>; 2],
    /// The leg ends behind what is unread.
    ending: [bool; 2],
    ended: [bool; 2],
    blocked: [bool; 2],
    awaited: Option<Awaited>,
    connected: bool,
    /// The client has yet to begin with TLS, or to ask for it.
    may_ask_for_tls: bool,
    /// The client has TLS, and opens its stream anew.
    reopens: bool,
    /// The server's leg is compressed from here on. (The fuzzer packs nothing.)
    is_compressed: bool,
    /// A login is over, or one that needs no new stream.
    restarted: bool,
    login: usize,
    asked: Vec<Asked>,
    /// Number of them that were answered in turn.
    served: usize,
    promises: Promises,
    passing: Passing,
    /// The last bytes written on a leg may be a part of something.
    is_torn: [bool; 2],
    /// The server, if it is no liar.
    honest: Option<Honest>,
    viewer: Option<Viewer>,
    recorder: Option<Recorder>,
    sent: [Vec<u8>; 2],
    recorded: [Vec<u8>; 2],
}

/// Timeouts of so many kinds may be due at once: the stanzas and the readers of both legs, the end.
const MOST_WAKES: usize = 5;

/// When the clock began.
const EPOCH: Duration = Duration::new(1_800_000_000, 123_456_789);

/// Enough of them for two servers and TLS.
const MOST_LOGIN_STEPS: usize = 3 * LOGIN.len();

const HOUR: Duration = Duration::from_secs(3600);

/// More bytes than this never wait to be sent on a leg: what one input may cause, and what no reading is
/// stopped for.
const MOST_OUTGOING: usize = 2 * 1024 * 1024;

const LEGS: [Leg; 2] = [Leg::Client, Leg::Server];

impl<'a> World<'a> {
    fn new(setup: &'a Setup) -> Self {
        let small = Limits {
            bytes: 2048,
            depth: 8,
            attributes: 8,
            namespaces: 8,
            elements: 64,
        };
        let (before, after) = match setup.small_limits {
            true => (small, small),
            false => (Limits::BEFORE_LOGIN, Limits::AFTER_LOGIN),
        };
        let options = Arc::new(Options {
            policy: match setup.policy % 8 {
                0 => Policy::Off,
                1..=3 => Policy::Pure,
                _ => Policy::Auto,
            },
            native: match setup.native {
                true => vec![Function::Presence],
                false => Vec::new(),
            },
            compress: match setup.compress % 4 {
                1 => Compress::Auto,
                2 => Compress::Require,
                _ => Compress::Off,
            },
            client_tls: match setup.client_tls / 2 % 4 {
                0 => ClientTls::Off,
                1 => ClientTls::Auto,
                2 => ClientTls::Offer,
                _ => ClientTls::Require,
            },
            certified: vec!["capulet.lit".to_owned()],
            limits_before_login: before,
            limits: after,
            ..Options::default()
        });
        let is_honest = setup.honest && !setup.rude && options.policy == Policy::Auto;
        let own = match setup.account % 16 {
            _ if is_honest => "juliet@capulet.lit/balcony",
            0 => "juliet@capulet.lit/bal'co<&\">\u{e9}",
            4 => "juliet@capulet.lit/a\n\u{9b}31m\u{202e}b",
            1 => "juliet@capulet.lit",
            2 => "",
            3 => "capulet.lit",
            _ => "juliet@capulet.lit/balcony",
        };
        let now = Duration::ZERO;
        let mut session = Session::new(Arc::clone(&options), Seed([7; 32]), now);
        session.set_epoch(EPOCH);
        if setup.recorded {
            session.record();
        }
        Self {
            setup,
            own,
            session,
            now,
            sinks: [(); 2].map(|()| Sink::new(options.policy == Policy::Off)),
            unread: Default::default(),
            ending: [false; 2],
            ended: [false; 2],
            blocked: [false; 2],
            awaited: None,
            connected: false,
            may_ask_for_tls: setup.client_tls % 2 == 1,
            reopens: false,
            is_compressed: false,
            restarted: false,
            login: 0,
            asked: Vec::new(),
            served: 0,
            promises: Promises::new(&options),
            passing: Passing::default(),
            is_torn: [false; 2],
            honest: is_honest.then(|| Honest::new(own, setup.past, setup.no_authorize)),
            recorder: (setup.recorded).then(|| Recorder::new(&options, setup.view & 1 != 0)),
            viewer: setup.recorded.then(|| Viewer::new(setup.view)),
            sent: Default::default(),
            recorded: Default::default(),
            options,
        }
    }

    fn act(&mut self, step: &Step) {
        let leg = |is_client| if is_client { Leg::Client } else { Leg::Server };
        match step {
            Step::Client(said, cut) => {
                let said = self.writer(Leg::Client).client(said);
                self.write(Leg::Client, said.as_bytes(), *cut);
            }
            // An honest server says only what follows from the session.
            Step::Server(..) | Step::ServerRaw(..) if self.honest.is_some() => {}
            Step::Server(said, cut) => {
                let said = self.writer(Leg::Server).server(said);
                self.write(Leg::Server, said.as_bytes(), *cut);
            }
            Step::LogIn(cut) => self.log_in(*cut),
            Step::Serve(many) => self.serve(*many),
            Step::ClientRaw(pieces, cut) => {
                self.is_torn[Leg::Client as usize] = true;
                self.write(Leg::Client, &text::raw(pieces), *cut);
            }
            Step::ServerRaw(pieces, cut) => {
                self.is_torn[Leg::Server as usize] = true;
                self.write(Leg::Server, &text::raw(pieces), *cut);
            }
            Step::Eof(is_client) => {
                self.ending[leg(*is_client) as usize] = true;
                self.read();
            }
            Step::Wait(wait) => self.wait(*wait),
            Step::Block(is_client, blocked) => {
                self.blocked[leg(*is_client) as usize] = *blocked;
                self.send();
            }
            Step::Take(is_client, count) => self.take(leg(*is_client), usize::from(*count)),
            Step::Done => self.done(),
            Step::Failed => {
                let reason = "it's <broken> & \u{e9}".to_owned();
                match self.awaited.take() {
                    Some(Awaited::Place) => self.input(Input::MayNotCompress(reason)),
                    Some(Awaited::ClientTls) => self.input(Input::ClientNotSecured(reason)),
                    Some(_) => self.input(Input::Failed(reason)),
                    None if self.setup.rude => {
                        self.input(Input::MayNotCompress(reason.clone()));
                        self.input(Input::ClientNotSecured(reason.clone()));
                        self.input(Input::Failed(reason));
                    }
                    None => {}
                }
            }
            Step::Shutdown => self.input(Input::Shutdown),
            Step::Pass(is_client, kind, cut) => self.pass(leg(*is_client), *kind, *cut),
        }
    }

    /// A stanza that no rule names comes on `from`.
    fn pass(&mut self, from: Leg, kind: u8, cut: Cut) {
        let (at, to) = (from as usize, from.other());
        let is_over = |sink: &Sink| sink.closed || sink.finished;
        let is_ready = self.session.jid().is_some()
            && !self.setup.rude
            && !self.is_torn[at]
            && !self.ending[at]
            && !self.sinks.iter().any(is_over);
        if !is_ready || matches!(cut, Cut::Part(_)) {
            return;
        }
        if let Some(said) = self.passing.write(to, kind, self.options.policy) {
            self.write(from, said.as_bytes(), cut);
        }
    }

    /// A stanza that no rule names has been sent on once it was read, while nobody has left.
    fn expect_passed(&self) {
        let is_over = |sink: &Sink| sink.closed || sink.finished;
        let is_going = self.session.is_closed() || self.sinks.iter().any(is_over);
        for leg in LEGS {
            let from = leg.other() as usize;
            let is_read = self.unread[from].is_empty() && !self.ending[from] && !self.is_torn[from];
            if is_read && !is_going && !self.setup.rude {
                self.passing.expect_none(leg);
            }
        }
    }

    fn writer(&self, leg: Leg) -> Writer<'_> {
        let header = match leg {
            Leg::Client => text::client_header(self.setup.client_header),
            Leg::Server => text::server_header(self.setup.server_header),
        };
        Writer {
            own: self.own,
            asked: &self.asked,
            prefix: header.prefix,
            stream: header.stream,
        }
    }

    /// The other side of `leg` writes.
    fn write(&mut self, leg: Leg, bytes: &[u8], cut: Cut) {
        if leg == Leg::Server && !self.connected && !self.setup.rude {
            return;
        }
        if self.ending[leg as usize] || bytes.is_empty() {
            return;
        }
        let at = |n: u8| bytes.len() * usize::from(n) / 256;
        let pieces: Vec<_> = match cut {
            Cut::Whole => vec![bytes],
            Cut::Two(n) => {
                let (one, two) = bytes.split_at(at(n));
                vec![one, two]
            }
            Cut::Part(n) => vec![&bytes[..at(n)]],
            Cut::Small(n) => bytes.chunks(usize::from(n) + 1).collect(),
        };
        self.is_torn[leg as usize] |= matches!(cut, Cut::Part(_));
        match leg {
            Leg::Client => self.promises.hear_client(bytes),
            Leg::Server => self.promises.hear_server(bytes),
        }
        for piece in pieces {
            self.unread[leg as usize].extend_from_slice(piece);
            self.read();
        }
        // Bytes read before this may have to be unpacked first.
        self.read();
    }

    fn may_be_compressed(&self) -> bool {
        self.options.compress != Compress::Off && self.options.policy != Policy::Off
    }

    /// Reads what the session wants.
    fn read(&mut self) {
        for leg in LEGS {
            let at = leg as usize;
            let handshake = match self.awaited {
                None => false,
                Some(Awaited::ClientTls) => leg == Leg::Client,
                Some(_) => leg == Leg::Server,
            };
            if handshake || self.ended[at] {
                continue;
            }
            if !self.unread[at].is_empty() && (self.session.wants(leg) || self.setup.rude) {
                let bytes = std::mem::take(&mut self.unread[at]);
                self.input(Input::Bytes(leg, &bytes));
            }
            if self.ending[at] && self.unread[at].is_empty() {
                self.ended[at] = true;
                self.input(Input::Eof(leg));
            }
        }
    }

    fn security(&self) -> Security {
        match self.setup.security % 4 {
            0 => Security::Plain,
            1 => Security::DirectTls,
            _ => Security::StartTls,
        }
    }

    fn done(&mut self) {
        match self.awaited {
            Some(Awaited::Connection) => {
                self.awaited = None;
                self.connected = true;
                let facts = ServerFacts {
                    no_authorize: self.setup.no_authorize,
                    ..ServerFacts::default()
                };
                self.input(Input::Connected(Reached {
                    security: self.security(),
                    facts,
                    has_more: self.setup.has_more,
                }));
            }
            // The shell starts TLS once everything was sent.
            Some(Awaited::Tls) if self.session.outgoing(Leg::Server).is_empty() => {
                self.awaited = None;
                self.input(Input::Secured);
            }
            Some(Awaited::ClientTls) if self.session.outgoing(Leg::Client).is_empty() => {
                self.awaited = None;
                self.reopens = true;
                self.input(Input::ClientSecured);
            }
            Some(Awaited::Tls | Awaited::ClientTls) => {}
            Some(Awaited::Place) => {
                self.awaited = None;
                self.input(Input::MayCompress);
            }
            None if self.setup.rude => {
                self.input(Input::MayCompress);
                self.input(Input::connected(self.security(), ServerFacts::default()));
                self.input(Input::Secured);
                self.input(Input::ClientSecured);
            }
            None => {}
        }
    }

    fn wait(&mut self, wait: Wait) {
        let (end, is_late) = match wait {
            Wait::Millis(millis) => (self.now + Duration::from_millis(millis.into()), false),
            Wait::Seconds(seconds) => (self.now + Duration::from_secs(seconds.into()), false),
            Wait::Late(seconds) => (self.now + Duration::from_secs(seconds.into()), true),
            Wait::Hours(hours) => (self.now + HOUR * u32::from(hours), false),
            Wait::Days(days) => (self.now + HOUR * 24 * u32::from(days), true),
            Wait::Timeout => match self.session.timeout() {
                Some(at) => (at.max(self.now), true),
                None => return,
            },
        };
        let most = 5000 + (end - self.now).as_secs() / 10;
        let mut wakes = 0;
        while !is_late && let Some(at) = self.session.timeout().filter(|at| *at < end) {
            self.now = self.now.max(at);
            self.wake();
            wakes += 1;
            assert!(wakes < most, "woken again and again");
        }
        self.now = end;
        self.wake();
    }

    /// Wakes the session; time-outs that are due at once may need a call each.
    fn wake(&mut self) {
        for _ in 0..MOST_WAKES {
            self.input(Input::Timeout);
            if self.session.timeout().is_none_or(|at| at > self.now) {
                return;
            }
        }
        let timeout = self.session.timeout();
        panic!("at {:?} it wants to be woken at {timeout:?}", self.now);
    }

    fn input(&mut self, input: Input<'_>) {
        let len = match &input {
            Input::Bytes(_, bytes) => bytes.len(),
            _ => 0,
        };
        let _ = format!("{input:?}");
        self.promises.begin_step(self.session.jid());
        self.session.handle(input, self.now);
        let outputs = self.outputs(len);
        if outputs
            .iter()
            .any(|it| matches!(it, Output::ConnectNext(_) | Output::ConnectTo(_)))
        {
            self.leave_server();
        }
        if outputs.iter().any(|it| matches!(it, Output::Compress(_))) {
            self.sinks[Leg::Server as usize].restart();
        }
        let before = self.sinks.iter().map(|sink| sink.total).sum::<usize>();
        self.look();
        let grown = self.sinks.iter().map(|sink| sink.total).sum::<usize>() - before;
        assert!(
            grown <= 1024 * 1024 + 64 * len,
            "{len} bytes became {grown}"
        );
        self.follow(outputs);
        self.send();
        self.check_state();
    }

    /// Takes what is outgoing on the legs that are not blocked.
    fn send(&mut self) {
        for leg in LEGS {
            if !self.blocked[leg as usize] {
                self.take(leg, usize::MAX);
            }
        }
    }

    fn take(&mut self, leg: Leg, count: usize) {
        let count = count.min(self.session.outgoing(leg).len());
        self.sinks[leg as usize].take(count);
        self.session.sent(leg, count, self.now);
        self.look();
    }

    fn check_state(&self) {
        let session = &self.session;
        for leg in LEGS {
            let waiting = session.outgoing(leg).len();
            assert!(
                self.setup.rude || waiting < MOST_OUTGOING,
                "{leg}: {waiting} bytes wait"
            );
        }
        let finished = self.sinks.iter().all(|sink| sink.finished);
        assert_eq!(session.is_closed(), finished);
        if finished {
            assert_eq!(session.timeout(), None);
        }
        if finished || LEGS.iter().any(|leg| session.wants(*leg)) {
            return;
        }
        // A session that reads nothing waits until a leg takes bytes, or not for long.
        let is_blocked = LEGS.iter().any(|leg| !session.outgoing(*leg).is_empty());
        let limit = self.now + Duration::from_secs(if is_blocked { 301 } else { 121 });
        assert!(
            session.timeout().is_some_and(|at| at <= limit),
            "nothing is read, and nothing will change that: {:?}",
            session.timeout()
        );
    }

    /// Shuts the session down; it has to end soon.
    fn end(&mut self) {
        self.expect_passed();
        self.input(Input::Shutdown);
        let end = self.now + self.options.timeouts.close;
        while !self.session.is_closed() {
            let at = self.session.timeout().expect("it is not closed");
            assert!(at <= end, "{at:?} after the program was to end at {end:?}");
            self.now = self.now.max(at);
            self.wake();
        }
        self.input(Input::Timeout);
        if let Some(viewer) = &mut self.viewer {
            viewer.end();
        }
        if let Some(recorder) = &self.recorder {
            recorder.end();
        }
        // Bytes that pass unread may be recorded as cut off.
        let is_off = self.options.policy == Policy::Off;
        for leg in LEGS {
            assert!(!self.session.wants(leg));
            let at = leg as usize;
            assert!(
                !self.setup.recorded || is_off || self.sent[at] == self.recorded[at],
                "{leg}: recorded was {}, sent {}",
                String::from_utf8_lossy(&self.recorded[at]),
                String::from_utf8_lossy(&self.sent[at])
            );
        }
    }
}

#[cfg(test)]
mod tests;
