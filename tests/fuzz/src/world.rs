//! A session between a client and a server that do anything, and what must hold whatever they do.

use std::sync::Arc;
use std::time::Duration;

use arbitrary::Arbitrary;
use pubshim::ns;
use pubshim::session::{
    Function, Input, Leg, Options, Output, Policy, Record, Security, Seed, ServerFacts, Session,
};
use pubshim::xml::{Element, Limits};

use crate::sink::{Sent, Sink};
use crate::text::{self, Asked, FromClient, FromServer, Piece, Question, Writer};

/// What a session is told, and how it begins.
#[derive(Arbitrary, Clone, Debug)]
pub struct Setup {
    policy: u8,
    native: bool,
    security: u8,
    /// Logged in from the start.
    established: bool,
    no_authorize: bool,
    small_limits: bool,
    recorded: bool,
    /// The shell reads what it is not to read.
    rude: bool,
    account: u8,
    client_header: u8,
    server_header: u8,
}

/// Something that happens.
#[derive(Arbitrary, Clone, Debug)]
pub enum Op {
    /// The client says something.
    Client(FromClient, Cut),
    /// The server says something.
    Server(FromServer, Cut),
    /// The next step of a login.
    LogIn(Cut),
    /// Bytes of the client.
    ClientRaw(Vec<Piece>, Cut),
    /// Bytes of the server.
    ServerRaw(Vec<Piece>, Cut),
    /// A leg ends; the client's?
    Eof(bool),
    /// Time passes.
    Wait(Wait),
    /// A leg takes bytes again, or no more; the client's? from now on?
    Block(bool, bool),
    /// A blocked leg takes some bytes.
    Take(bool, u16),
    /// The shell has done what it was asked for.
    Done,
    /// The shell could not.
    Failed,
    /// The program ends.
    Shutdown,
}

/// In which pieces something is read.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Cut {
    /// At once.
    Whole,
    /// In two pieces.
    Two(u8),
    /// In small pieces.
    Small(u8),
    /// The rest never comes, or with what comes next.
    Part(u8),
}

/// How long.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Wait {
    /// Milliseconds.
    Millis(u16),
    /// Seconds; the shell wakes the session in time.
    Seconds(u16),
    /// Seconds; the shell wakes the session too late.
    Late(u16),
    /// Until the session asks to be woken.
    Timeout,
}

/// Runs a session from its beginning to its end.
pub fn run(setup: &Setup, ops: &[Op]) {
    let mut world = World::new(setup);
    if setup.established {
        while world.login < LOGIN.len() {
            world.log_in(Cut::Whole);
        }
    }
    for op in ops {
        world.act(op);
    }
    world.end();
}

/// What a step of a login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    ClientHeader,
    Done,
    OfferTls,
    Proceed,
    Secured,
    Mechanisms,
    Auth,
    Success,
    ClientHeaderAgain,
    BindFeatures,
    Bind,
    Bound,
}

const LOGIN: [Login; 12] = [
    Login::ClientHeader,
    Login::Done,
    Login::OfferTls,
    Login::Proceed,
    Login::Secured,
    Login::Mechanisms,
    Login::Auth,
    Login::Success,
    Login::ClientHeaderAgain,
    Login::BindFeatures,
    Login::Bind,
    Login::Bound,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Connection,
    Tls,
}

struct World<'a> {
    setup: &'a Setup,
    options: Arc<Options>,
    own: &'static str,
    session: Session,
    now: Duration,
    sinks: [Sink; 2],
    /// What was written to pubshim on each leg and not read.
    unread: [Vec<u8>; 2],
    /// The leg ends behind what is unread.
    ending: [bool; 2],
    ended: [bool; 2],
    blocked: [bool; 2],
    awaited: Option<Awaited>,
    connected: bool,
    /// A login is over, or one that needs no new stream.
    restarted: bool,
    login: usize,
    asked: Vec<Asked>,
    sent: [Vec<u8>; 2],
    recorded: [Vec<u8>; 2],
}

/// Timeouts of so many kinds may be due at once: the stanzas and the readers of both legs, the end.
const MOST_WAKES: usize = 5;

const LEGS: [Leg; 2] = [Leg::Client, Leg::Server];

impl<'a> World<'a> {
    fn new(setup: &'a Setup) -> Self {
        let small = Limits {
            bytes: 2048,
            depth: 8,
            attributes: 8,
            namespaces: 8,
        };
        let (before, after) = match setup.small_limits {
            true => (small, small),
            false => (Limits::BEFORE_LOGIN, Limits::AFTER_LOGIN),
        };
        let options = Arc::new(Options {
            policy: match setup.policy % 8 {
                0 => Policy::Off,
                1 => Policy::Pure,
                _ => Policy::Auto,
            },
            native: match setup.native {
                true => vec![Function::Presence],
                false => Vec::new(),
            },
            security: match setup.security % 4 {
                0 => Security::Plain,
                1 => Security::DirectTls,
                _ => Security::StartTls,
            },
            limits_before_login: before,
            limits: after,
            ..Options::default()
        });
        let own = match setup.account % 16 {
            0 => "juliet@capulet.lit/bal'co<&\">\u{e9}",
            1 => "juliet@capulet.lit",
            2 => "",
            3 => "capulet.lit",
            _ => "juliet@capulet.lit/balcony",
        };
        let now = Duration::from_secs(1000);
        let mut session = Session::new(Arc::clone(&options), Seed([7; 32]), now);
        if setup.recorded {
            session.record();
        }
        Self {
            setup,
            options,
            own,
            session,
            now,
            sinks: Default::default(),
            unread: Default::default(),
            ending: [false; 2],
            ended: [false; 2],
            blocked: [false; 2],
            awaited: None,
            connected: false,
            restarted: false,
            login: 0,
            asked: Vec::new(),
            sent: Default::default(),
            recorded: Default::default(),
        }
    }

    fn act(&mut self, op: &Op) {
        let leg = |is_client| if is_client { Leg::Client } else { Leg::Server };
        match op {
            Op::Client(said, cut) => {
                let said = self.writer(Leg::Client).client(said);
                self.write(Leg::Client, said.as_bytes(), *cut);
            }
            Op::Server(said, cut) => {
                let said = self.writer(Leg::Server).server(said);
                self.write(Leg::Server, said.as_bytes(), *cut);
            }
            Op::LogIn(cut) => self.log_in(*cut),
            Op::ClientRaw(pieces, cut) => self.write(Leg::Client, &text::raw(pieces), *cut),
            Op::ServerRaw(pieces, cut) => self.write(Leg::Server, &text::raw(pieces), *cut),
            Op::Eof(is_client) => {
                self.ending[leg(*is_client) as usize] = true;
                self.read();
            }
            Op::Wait(wait) => self.wait(*wait),
            Op::Block(is_client, blocked) => {
                self.blocked[leg(*is_client) as usize] = *blocked;
                self.send();
            }
            Op::Take(is_client, count) => self.take(leg(*is_client), usize::from(*count)),
            Op::Done => self.done(),
            Op::Failed => {
                if self.awaited.take().is_some() || self.setup.rude {
                    self.input(Input::Failed("it's <broken> & \u{e9}".to_owned()));
                }
            }
            Op::Shutdown => self.input(Input::Shutdown),
        }
    }

    /// Goes on with a login where one normally would.
    fn log_in(&mut self, cut: Cut) {
        let mut step = LOGIN.get(self.login);
        if self.options.security != Security::StartTls && step == Some(&Login::OfferTls) {
            self.login += 3;
            step = LOGIN.get(self.login);
        }
        let Some(step) = step else { return };
        self.login += 1;
        let (client, server) = (
            text::client_header(self.setup.client_header),
            text::server_header(self.setup.server_header),
        );
        let nonza = |which| FromServer::Nonza(which);
        let answer = |which| {
            let features = self.writer(Leg::Server).server(&nonza(which));
            format!("{}{features}", server.text)
        };
        let (leg, said) = match step {
            Login::ClientHeader | Login::ClientHeaderAgain => (Leg::Client, client.text),
            Login::Done | Login::Secured => return self.done(),
            Login::OfferTls => (Leg::Server, answer(0)),
            Login::Mechanisms => (Leg::Server, answer(1)),
            Login::BindFeatures => (Leg::Server, answer(2)),
            Login::Proceed => (Leg::Server, self.writer(Leg::Server).server(&nonza(4))),
            Login::Success => (Leg::Server, self.writer(Leg::Server).server(&nonza(7))),
            Login::Bound => (Leg::Server, self.writer(Leg::Server).server(&nonza(9))),
            Login::Auth => {
                let auth = FromClient::Nonza(5);
                (Leg::Client, self.writer(Leg::Client).client(&auth))
            }
            Login::Bind => {
                let bind = FromClient::Nonza(9);
                (Leg::Client, self.writer(Leg::Client).client(&bind))
            }
        };
        self.write(leg, said.as_bytes(), cut);
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
        for piece in pieces {
            self.unread[leg as usize].extend_from_slice(piece);
            self.read();
        }
    }

    /// Reads what the session wants.
    fn read(&mut self) {
        for leg in LEGS {
            let at = leg as usize;
            let handshake = leg == Leg::Server && self.awaited.is_some();
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

    fn done(&mut self) {
        match self.awaited {
            Some(Awaited::Connection) => {
                self.awaited = None;
                self.connected = true;
                self.input(Input::Connected(ServerFacts {
                    no_authorize: self.setup.no_authorize,
                    ..ServerFacts::default()
                }));
            }
            // The shell starts it once everything was sent.
            Some(Awaited::Tls) if self.session.outgoing(Leg::Server).is_empty() => {
                self.awaited = None;
                self.input(Input::Secured);
            }
            Some(Awaited::Tls) => {}
            None if self.setup.rude => {
                self.input(Input::Connected(ServerFacts::default()));
                self.input(Input::Secured);
            }
            None => {}
        }
    }

    fn wait(&mut self, wait: Wait) {
        let (end, is_late) = match wait {
            Wait::Millis(millis) => (self.now + Duration::from_millis(millis.into()), false),
            Wait::Seconds(seconds) => (self.now + Duration::from_secs(seconds.into()), false),
            Wait::Late(seconds) => (self.now + Duration::from_secs(seconds.into()), true),
            Wait::Timeout => match self.session.timeout() {
                Some(at) => (at.max(self.now), true),
                None => return,
            },
        };
        let mut wakes = 0;
        while !is_late && let Some(at) = self.session.timeout().filter(|at| *at < end) {
            self.now = self.now.max(at);
            self.wake();
            wakes += 1;
            assert!(wakes < 5000, "woken again and again");
        }
        self.now = end;
        self.wake();
    }

    /// Wakes the session; what is due at the same time may need a call each.
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
        self.session.handle(input, self.now);
        let before = self.sinks.iter().map(|sink| sink.total).sum::<usize>();
        self.look();
        let grown = self.sinks.iter().map(|sink| sink.total).sum::<usize>() - before;
        assert!(
            grown <= 1024 * 1024 + 64 * len,
            "{len} bytes became {grown}"
        );
        self.poll(len);
        self.send();
        self.check_state();
    }

    /// Looks at what is outgoing: the client's leg first, as it says when streams begin anew.
    fn look(&mut self) {
        for leg in LEGS {
            let mut sink = std::mem::take(&mut self.sinks[leg as usize]);
            let outgoing = self.session.outgoing(leg).to_vec();
            let mut restarts = false;
            sink.look(&leg.to_string(), &outgoing, |sent| {
                let is_last = self.look_at(leg, sent);
                restarts |= is_last;
                is_last
            });
            self.sinks[leg as usize] = sink;
            if restarts {
                self.sinks[leg.other() as usize].restart();
            }
        }
    }

    /// Looks at what was sent; whether both streams begin anew behind it.
    fn look_at(&mut self, leg: Leg, sent: &Sent) -> bool {
        if self.setup.recorded {
            self.sent[leg as usize].extend_from_slice(&sent.bytes);
        }
        let Some(element) = sent.element() else {
            return false;
        };
        match leg {
            Leg::Client => {
                self.check_marker(&element);
                let is_off = self.options.policy == Policy::Off;
                let is_other_login = element.is(ns::SASL2, "success")
                    || element.attribute("id").as_deref() == Some("auth");
                let is_login = element.is(ns::SASL, "success");
                let restarts = is_login && !self.restarted;
                self.restarted |= is_login || is_off && is_other_login;
                restarts
            }
            Leg::Server => {
                self.note_request(&element);
                false
            }
        }
    }

    /// Notes an IQ of the session's own.
    fn note_request(&mut self, element: &Element<'_>) {
        let id = element.attribute("id").unwrap_or_default();
        let kind = element.attribute("type");
        if element.is(ns::CLIENT, "iq")
            && id.starts_with("ps-")
            && matches!(kind.as_deref(), Some("get" | "set"))
        {
            self.asked.push(Asked {
                id: id.into_owned(),
                what: Question::of(element),
            });
        }
    }

    /// The marker is between shims: no client sees it.
    fn check_marker(&self, element: &Element<'_>) {
        if self.options.policy == Policy::Off || !element.is(ns::CLIENT, "presence") {
            return;
        }
        let marker = element.child(ns::SHIM, "shim");
        // One who writes it so wants it to be seen.
        let is_hidden = !element.raw().contains(ns::SHIM);
        assert!(marker.is_none() || is_hidden, "{}", element.raw());
    }

    fn poll(&mut self, len: usize) {
        let mut count = 0;
        while let Some(output) = self.session.poll() {
            count += 1;
            assert!(count < 4096 + 4 * len, "too many outputs");
            match output {
                Output::Connect { domain } => {
                    assert!(!domain.is_empty() && self.awaited.is_none() && !self.connected);
                    self.awaited = Some(Awaited::Connection);
                }
                Output::StartTls => {
                    assert!(self.awaited.is_none());
                    self.awaited = Some(Awaited::Tls);
                    self.sinks[Leg::Server as usize].restart();
                }
                Output::Finish(leg) => {
                    let sink = &mut self.sinks[leg as usize];
                    assert!(!sink.finished, "{leg}: ended twice");
                    sink.finished = true;
                    self.unread[leg as usize].clear();
                    if leg == Leg::Server {
                        self.awaited = None;
                    }
                }
                Output::Log(event) => {
                    let text = event.to_string();
                    assert!(!text.contains('\n'), "{text:?}");
                    let _ = event.level();
                }
                Output::Recorded(Record::To(leg, bytes)) => {
                    self.recorded[leg as usize].extend_from_slice(&bytes);
                }
                Output::Learned(_) | Output::Recorded(_) => {}
            }
        }
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
        let finished = self.sinks.iter().all(|sink| sink.finished);
        assert_eq!(session.is_closed(), finished);
        if finished {
            assert_eq!(session.timeout(), None);
        }
        if finished || LEGS.iter().any(|leg| session.wants(*leg)) {
            return;
        }
        // Who reads nothing waits for somebody to read, or not for long.
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
        self.input(Input::Shutdown);
        let end = self.now + self.options.timeouts.close;
        while !self.session.is_closed() {
            let at = self.session.timeout().expect("it is not closed");
            assert!(at <= end, "{at:?} after the program was to end at {end:?}");
            self.now = self.now.max(at);
            self.wake();
        }
        self.input(Input::Timeout);
        for leg in LEGS {
            assert!(!self.session.wants(leg));
            let at = leg as usize;
            assert!(
                !self.setup.recorded || self.sent[at] == self.recorded[at],
                "{leg}: recorded was {}, sent {}",
                String::from_utf8_lossy(&self.recorded[at]),
                String::from_utf8_lossy(&self.sent[at])
            );
        }
    }
}
