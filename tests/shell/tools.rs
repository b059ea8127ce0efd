//! A running pubshim, a client that is a socket, and a server that is a thread.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A test that waits longer than this has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const FEATURES_LOGIN: &str = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
    <mechanism>PLAIN</mechanism></mechanisms></stream:features>";
const FEATURES_BIND: &str =
    "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>";
const SUCCESS: &str = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
const BOUND: &str = "<iq type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
    <jid>juliet@localhost/balcony</jid></bind></iq>";

pub fn header(attributes: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
         version='1.0' {attributes}>"
    )
}

/// pubshim as its users start it.
pub struct Shim {
    child: Child,
    pub port: u16,
    log: Receiver<String>,
    /// First bytes of each connection.
    preface: Vec<u8>,
}

impl Shim {
    pub fn start(options: &[&str]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_pubshim")), options)
    }

    /// Starts `command` with these arguments.
    pub fn start_by(command: Command, options: &[&str]) -> Self {
        Self::start_as("run", command, options)
    }

    /// The same for another command of pubshim's that listens.
    pub fn start_as(name: &str, mut command: Command, options: &[&str]) -> Self {
        let mut child = command
            // Keep out of the state folder of the user who runs the tests.
            .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
            // The system's authorities vouch for nobody here, and take a tenth of a second to be read.
            .env("SSL_CERT_FILE", "/dev/null")
            .args([name, "-v"])
            .args(options)
            .args((!options.contains(&"--listen")).then_some("--listen=127.0.0.1:0"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut shim = Self {
            child,
            port: 0,
            log,
            preface: Vec::new(),
        };
        let line = shim.wait_for_log("listening on ");
        // The address may be a path, without a port; the line may be JSON.
        let port = line.rsplit(':').next().unwrap();
        let port = port.trim_end_matches(['"', '}']).parse();
        shim.port = port.unwrap_or_default();
        shim
    }

    /// For a server that listens here without TLS.
    pub fn before(server: &Server, options: &[&str]) -> Self {
        Self::start(&[&[&*server.option()], options].concat())
    }

    pub fn wait_for_log(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            if line.contains(text) {
                return line;
            }
            seen.push(line);
        }
        panic!("no {text:?} in the log: {seen:#?}");
    }

    /// The log from now to its end.
    pub fn rest_of_log(&mut self) -> String {
        let mut rest = String::new();
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            rest += &line;
        }
        rest
    }

    /// Closes the log: the shim writes its next line to a closed pipe.
    pub fn close_log(&mut self) {
        self.log = channel().1;
    }

    /// The shim's standard output; to be taken once.
    pub fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().unwrap()
    }

    /// How much memory it has, in bytes.
    pub fn memory(&self) -> usize {
        self.status("VmRSS:")
    }

    /// How much memory it had at the most.
    pub fn most_memory(&self) -> usize {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(key));
        let kibibytes = line.unwrap().split_whitespace().nth(1).unwrap();
        1024 * kibibytes.parse::<usize>().unwrap()
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// The client ends its session and the server answers; then the shim is told to stop, and does.
    pub fn end<S: Read + Write>(&mut self, mut client: Peer, mut server: Peer<S>) {
        client.send("</stream:stream>");
        server.wait("</stream:stream>");
        server.send("</stream:stream>");
        // Or the shim would linger.
        drop(server);
        client.rest();
        drop(client);
        self.wait_for_log(": ended");
        self.signal("-TERM");
        assert_eq!(self.exit_code(), Some(0));
    }

    /// Every connection begins with these bytes.
    pub fn with_preface(mut self, preface: Vec<u8>) -> Self {
        self.preface = preface;
        self
    }

    pub fn connect(&self) -> Peer {
        let mut peer = Peer::new(TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        peer.send_bytes(&self.preface);
        peer
    }

    /// A client that is logged in, and the server's end of its session.
    pub fn log_in(&self, connections: &Receiver<Peer>) -> (Peer, Peer) {
        let (mut client, mut server) = self.authenticate(connections);
        server.send(&header("id='s2' from='localhost'"));
        bind(&mut client, &mut server);
        (client, server)
    }

    /// A client that sees how it may log in, and the server's end of its session.
    pub fn open<S: Read + Write>(&self, connections: &Receiver<Peer<S>>) -> (Peer, Peer<S>) {
        let open = header("to='localhost'");
        let mut client = self.connect();
        client.send(&open);
        let mut server = connections.recv_timeout(PATIENCE).unwrap();
        server.wait(&open);
        server.send(&header("id='s1' from='localhost'"));
        server.send(FEATURES_LOGIN);
        client.wait("</stream:features>");
        (client, server)
    }

    /// A client whose password was right and who has opened its stream again, and the server's end of its session.
    pub fn authenticate<S: Read + Write>(
        &self,
        connections: &Receiver<Peer<S>>,
    ) -> (Peer, Peer<S>) {
        let open = header("to='localhost'");
        let (mut client, mut server) = self.open(connections);
        client.send(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>",
        );
        server.wait("</auth>");
        server.send(SUCCESS);
        client.wait("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
        client.send(&open);
        server.wait(&open);
        (client, server)
    }
}

/// From the features of the second stream to the bound resource; gives the bytes shown to the client before it binds.
pub fn bind<S: Read + Write>(client: &mut Peer, server: &mut Peer<S>) -> String {
    server.send(FEATURES_BIND);
    let shown = client.wait("</stream:features>");
    client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    server.wait("</iq>");
    server.send(BOUND);
    client.wait("</iq>");
    shown
}

impl Drop for Shim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One end of a stream.
pub struct Peer<S = TcpStream> {
    pub stream: S,
    read: Vec<u8>,
}

impl Peer<TcpStream> {
    pub fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }
}

impl Peer<TcpStream> {
    /// Plays a server that offers STARTTLS and agrees to it.
    pub fn agree_to_tls(&mut self) {
        let tls = "urn:ietf:params:xml:ns:xmpp-tls";
        self.wait("<stream:stream ");
        self.wait(">");
        self.send(&header("id='plain' from='localhost'"));
        self.send(&format!(
            "<stream:features><starttls xmlns='{tls}'/></stream:features>"
        ));
        self.wait(&format!("<starttls xmlns='{tls}'/>"));
        self.send(&format!("<proceed xmlns='{tls}'/>"));
    }

    /// Waits until the other end has read all that was sent.
    pub fn wait_until_read(&self) {
        let ports = [self.stream.local_addr(), self.stream.peer_addr()];
        let [own, other] = ports.map(|address| format!(":{:04X}", address.unwrap().port()));
        let deadline = Instant::now() + PATIENCE;
        // Both ends are on this machine: a row each, with the bytes that wait to be sent and to be read.
        let waits = |row: &str| {
            let fields: Vec<_> = row.split_whitespace().collect();
            let ends = |from: &str, to: &str| fields[1].ends_with(from) && fields[2].ends_with(to);
            (ends(&own, &other) || ends(&other, &own)) && fields[4] != "00000000:00000000"
        };
        while std::fs::read_to_string("/proc/net/tcp")
            .unwrap()
            .lines()
            .any(waits)
        {
            assert!(Instant::now() < deadline, "nobody reads it");
            std::thread::yield_now();
        }
    }
}

impl<S: Read + Write> Peer<S> {
    pub fn over(stream: S) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub fn send(&mut self, text: &str) {
        self.send_bytes(text.as_bytes());
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Reads until `text` has come; everything up to its end.
    pub fn wait(&mut self, text: &str) -> String {
        let mut looked = 0;
        loop {
            if let Some(at) = memchr::memmem::find(&self.read[looked..], text.as_bytes()) {
                let rest = self.read.split_off(looked + at + text.len());
                return into_text(&std::mem::replace(&mut self.read, rest));
            }
            // A part of the text may have come already.
            looked = self.read.len().saturating_sub(text.len());
            let mut buf = [0; 64 * 1024];
            let read = String::from_utf8_lossy(&self.read[self.read.len().saturating_sub(2000)..]);
            match self.stream.read(&mut buf) {
                Ok(0) => panic!("the end instead of {text:?}, after {read:?}"),
                Ok(n) => self.read.extend_from_slice(&buf[..n]),
                Err(error) => panic!("{error} instead of {text:?}, after {read:?}"),
            }
        }
    }

    /// Reads to the end of the stream.
    pub fn rest(&mut self) -> String {
        let _ = self.stream.read_to_end(&mut self.read);
        into_text(&std::mem::take(&mut self.read))
    }
}

fn into_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Tries all of these side by side, as each has to wait for something.
pub fn at_once<T: Send, const N: usize>(all: [T; N], attempt: impl Fn(T) + Sync) {
    let attempt = &attempt;
    std::thread::scope(|scope| {
        for one in all {
            scope.spawn(move || attempt(one));
        }
    });
}

/// A server that does the same with each connection.
pub struct Server {
    pub port: u16,
    _thread: JoinHandle<()>,
}

impl Server {
    pub fn start(mut serve: impl FnMut(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                serve(stream);
            }
        });
        Self {
            port,
            _thread: thread,
        }
    }

    /// The option that names it, without TLS.
    pub fn option(&self) -> String {
        format!("--server=plain://127.0.0.1:{}", self.port)
    }

    /// A server whose connections are handed to the test.
    pub fn by_hand() -> (Self, Receiver<Peer>) {
        let (sender, connections) = channel();
        let server = Self::start(move |stream| {
            let _ = sender.send(Peer::new(stream));
        });
        (server, connections)
    }
}

/// A port nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
