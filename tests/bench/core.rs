//! Time and allocations of the core, without I/O: `cargo bench --bench core`.
//!
//! The allocations are what is aimed at: none for a stanza that passes, at most 4 for one that is
//! wrapped or unwrapped (`alloc` and `grow` together, per round). Time says little on a busy machine;
//! instructions do: `sh tests/bench/instructions.sh` counts those of [`measured`].

mod chats;
mod rooms;

use std::sync::Arc;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use pubshim::session::{Input, Leg, Options, Security, Seed, ServerFacts, Session};
use pubshim::xml::{Framer, Limits};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

/// Rounds before the measured ones: buffers, and what is remembered, have grown by then.
const WARM_UP: usize = 400;
/// Stanzas that one read of a busy leg may bring.
const BATCH: usize = 16;

const CLIENT_HEADER: &str = "<?xml version='1.0'?><stream:stream to='montague.lit' version='1.0' \
    xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
const SERVER_HEADER: &str = "<?xml version='1.0'?><stream:stream from='montague.lit' id='1' \
    version='1.0' xml:lang='en' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams'>";

/// 330 bytes, as chat clients send them.
const MESSAGE: &str = "<message from='romeo@montague.lit/mobile' to='juliet@capulet.lit' \
    type='chat' id='f5b1a0c2-57d6-4a5e-9d0b'><body>Neither, fair maid, if either thee displease.\
    </body><active xmlns='http://jabber.org/protocol/chatstates'/><request \
    xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='f5b1a0c2-57d6-4a5e-9d0b'/>\
    </message>";

const PRESENCE: &str = "<presence id='p1'><show>away</show><status>Moping</status><priority>5\
    </priority><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' \
    node='http://code.matthewwild.co.uk/clix/' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/><x \
    xmlns='vcard-temp:x:update'><photo>9f5a4e8b0c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f</photo></x></presence>";

/// Listing 4, with the ids a shim gives.
fn event(id: &str) -> Vec<u8> {
    format!(
        "<message from='juliet@capulet.lit' to='romeo@montague.lit/mobile' id='presfoo'>\
         <event xmlns='http://jabber.org/protocol/pubsub#event'><items node='presence'>\
         <item id='balcony'><presence from='juliet@capulet.lit/balcony' id='{id}' \
         xmlns='jabber:client'><status>Moping</status></presence></item></items></event></message>"
    )
    .into_bytes()
}

/// The native copy of the same.
fn native(id: &str) -> Vec<u8> {
    format!(
        "<presence from='juliet@capulet.lit/balcony' to='romeo@montague.lit/mobile' id='{id}'>\
         <status>Moping</status><shim xmlns='urn:pubshim:0'/></presence>"
    )
    .into_bytes()
}

/// As long as the ids a shim gives.
const ID: &str = "ps-0000000a-00000000000000000000000000000000";

fn main() {
    divan::main();
}

#[divan::bench]
fn framer(bencher: Bencher<'_, '_>) {
    let mut framer = Framer::new(Limits::AFTER_LOGIN);
    let header = framer.next(SERVER_HEADER.as_bytes());
    assert!(header.is_ok_and(|frame| frame.is_some()));
    let mut round = move || framer.next(black_box(MESSAGE.as_bytes()));
    for _ in 0..WARM_UP {
        assert!(round().is_ok_and(|frame| frame.is_some_and(|frame| frame.len == 330)));
    }
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| measured(&mut round));
}

/// A message from the client, then one from the server.
#[divan::bench]
fn message_each_way(bencher: Bencher<'_, '_>) {
    pass_each_way(bencher, MESSAGE.as_bytes(), 1);
}

/// 16 messages from the client in one read, then as many from the server.
#[divan::bench]
fn batch_each_way(bencher: Bencher<'_, '_>) {
    pass_each_way(bencher, MESSAGE.repeat(BATCH).as_bytes(), BATCH);
}

fn pass_each_way(bencher: Bencher<'_, '_>, bytes: &[u8], count: usize) {
    let mut shim = Shim::established();
    let mut round = || {
        shim.receive(Leg::Client, black_box(bytes));
        shim.receive(Leg::Server, black_box(bytes));
        shim.to_client.len() + shim.to_server.len()
    };
    for _ in 0..WARM_UP {
        assert_eq!(round(), bytes.len());
    }
    bencher
        .counter(ItemsCount::new(2 * count))
        .bench_local(|| measured(&mut round));
}

/// A broadcast presence becomes its native copy and a publish, and the publish is answered.
#[divan::bench]
fn presence_wrapped(bencher: Bencher<'_, '_>) {
    let mut shim = Shim::established();
    shim.receive(Leg::Client, PRESENCE.as_bytes());
    shim.settle();
    rounds(bencher, 1, || {
        shim.receive(Leg::Client, black_box(PRESENCE.as_bytes()));
        let has_native = shim.to_server.starts_with(b"<presence ");
        shim.answer("");
        has_native && shim.to_client.is_empty() && shim.to_server.is_empty()
    });
}

/// The same, 16 presences in one read, and the answers to what they cause likewise.
#[divan::bench]
fn presence_batch(bencher: Bencher<'_, '_>) {
    let mut shim = Shim::established();
    shim.receive(Leg::Client, PRESENCE.as_bytes());
    shim.settle();
    let batch = PRESENCE.repeat(BATCH);
    rounds(bencher, BATCH, || {
        shim.receive(Leg::Client, black_box(batch.as_bytes()));
        let has_native = shim.to_server.starts_with(b"<presence ");
        while !shim.to_server.is_empty() {
            shim.answer("");
        }
        has_native && shim.to_client.is_empty()
    });
}

/// From the client's first byte to the last answer that the first presence makes the shim ask for.
#[divan::bench]
fn login(bencher: Bencher<'_, '_>) {
    rounds(bencher, 1, || {
        let mut shim = Shim::established();
        shim.receive(Leg::Client, black_box(PRESENCE.as_bytes()));
        shim.settle();
        shim.to_client.is_empty() && shim.to_server.is_empty()
    });
}

/// Listing 4 becomes a presence.
#[divan::bench]
fn event_unwrapped(bencher: Bencher<'_, '_>) {
    let mut shim = Shim::with_roster();
    let mut event = Numbered::new(event(ID));
    rounds(bencher, 1, || {
        event.next();
        shim.receive(Leg::Server, black_box(&event.stanza));
        shim.to_client.starts_with(b"<presence ") && shim.to_server.is_empty()
    });
}

/// A native presence loses its marker; then its event comes and is dropped.
#[divan::bench]
fn native_then_its_event(bencher: Bencher<'_, '_>) {
    let mut shim = Shim::with_roster();
    let (mut native, mut event) = (Numbered::new(native(ID)), Numbered::new(event(ID)));
    rounds(bencher, 2, || {
        native.next();
        event.next();
        shim.receive(Leg::Server, black_box(&native.stanza));
        let is_shown = shim.to_client.starts_with(b"<presence ");
        shim.receive(Leg::Server, black_box(&event.stanza));
        is_shown && shim.to_client.is_empty()
    });
}

/// A stanza with another id each time: a session shows no id twice.
struct Numbered {
    stanza: Vec<u8>,
    /// The offset at which the id ends.
    end: usize,
    count: usize,
}

impl Numbered {
    /// `stanza` has [`ID`] once.
    fn new(stanza: Vec<u8>) -> Self {
        let at = memchr::memmem::find(&stanza, ID.as_bytes()).expect("an id");
        Self {
            stanza,
            end: at + ID.len(),
            count: 0,
        }
    }

    fn next(&mut self) {
        self.count += 1;
        let mut rest = self.count;
        for digit in self.stanza[..self.end].iter_mut().rev().take(12) {
            *digit = b"0123456789"[rest % 10];
            rest /= 10;
        }
    }
}

/// Measures `round`, in which so many stanzas pass, once it runs as it will; it says whether all came out right.
fn rounds(bencher: Bencher<'_, '_>, stanzas: usize, mut round: impl FnMut() -> bool) {
    for _ in 0..WARM_UP {
        assert!(round());
    }
    bencher
        .counter(ItemsCount::new(stanzas))
        .bench_local(|| measured(&mut round));
}

/// callgrind counts the instructions of this function.
#[inline(never)]
fn measured<T>(round: impl FnOnce() -> T) -> T {
    round()
}

/// A session of Romeo's under policy auto with a plain leg, and a shell that has no sockets.
struct Shim {
    session: Session,
    /// Bytes to both sides after the last input.
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    /// The last answer to a request of the shim's.
    answer: Vec<u8>,
}

impl Shim {
    fn established() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        let options = Options { ..options };
        let mut shim = Self {
            session: Session::new(Arc::new(options), Seed([7; 32]), Duration::ZERO),
            to_client: Vec::new(),
            to_server: Vec::new(),
            answer: Vec::new(),
        };
        shim.receive(Leg::Client, CLIENT_HEADER.as_bytes());
        shim.handle(Input::connected(
            Security::Plain,
            ServerFacts {
                no_privacy_lists: true,
                ..ServerFacts::default()
            },
        ));
        shim.receive_after_header(
            "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
             <mechanism>PLAIN</mechanism></mechanisms></stream:features>",
        );
        shim.receive(
            Leg::Client,
            b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHIAcg==</auth>",
        );
        shim.receive(
            Leg::Server,
            b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        );
        shim.receive(Leg::Client, CLIENT_HEADER.as_bytes());
        shim.receive_after_header(
            "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
        );
        shim.receive(
            Leg::Client,
            b"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        );
        shim.receive(
            Leg::Server,
            b"<iq type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
              <jid>romeo@montague.lit/mobile</jid></bind></iq>",
        );
        assert_eq!(shim.session.jid(), Some("romeo@montague.lit/mobile"));
        shim
    }

    /// The same once the first event has made it ask for the roster, where Juliet is.
    fn with_roster() -> Self {
        let mut shim = Self::established();
        shim.receive(Leg::Server, &event("p0"));
        shim.answer(
            "<query xmlns='jabber:iq:roster'><item jid='juliet@capulet.lit' subscription='both'/>\
             </query>",
        );
        assert!(shim.to_client.starts_with(b"<presence "));
        shim
    }

    fn receive_after_header(&mut self, features: &str) {
        self.receive(Leg::Server, format!("{SERVER_HEADER}{features}").as_bytes());
    }

    fn receive(&mut self, leg: Leg, bytes: &[u8]) {
        self.handle(Input::Bytes(leg, bytes));
    }

    /// Hands `input` over and sends all that comes out, as the shell does once per batch.
    fn handle(&mut self, input: Input<'_>) {
        self.session.handle(input, Duration::ZERO);
        while let Some(output) = self.session.poll() {
            black_box(output);
        }
        for leg in [Leg::Client, Leg::Server] {
            let sent = match leg {
                Leg::Client => &mut self.to_client,
                Leg::Server => &mut self.to_server,
            };
            sent.clear();
            sent.extend_from_slice(self.session.outgoing(leg));
            if !sent.is_empty() {
                self.session.sent(leg, sent.len(), Duration::ZERO);
            }
        }
    }

    /// Answers all that is asked once the client is available: nodes are right, and nobody else is there.
    fn settle(&mut self) {
        self.settle_with("");
    }

    /// The same, with these items in the roster.
    fn settle_with(&mut self, roster: &str) {
        const OWNER: &str = "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>";
        while !self.to_server.is_empty() {
            let asked = std::mem::take(&mut self.to_server);
            let asked = String::from_utf8(asked).expect("stanzas");
            let mut more = Vec::new();
            for iq in asked.split("<iq ").skip(1) {
                let (_, rest) = iq.split_once(" id='").expect("a request");
                let (id, body) = rest.split_once('\'').expect("a whole id");
                let is_for = |what: &str| body.contains(what);
                let to = body
                    .strip_prefix(" to='")
                    .and_then(|it| it.split('\'').next());
                let from = to.map_or(String::new(), |to| format!(" from='{to}'"));
                let payload = match body {
                    _ if is_for("<configure node=") => format!(
                        "{OWNER}<configure node='presence'><x xmlns='jabber:x:data' type='form'><field \
                         var='pubsub#access_model'><value>authorize</value></field></x></configure></pubsub>"
                    ),
                    _ if is_for("<affiliations ") => {
                        format!("{OWNER}<affiliations node='presence'/></pubsub>")
                    }
                    _ if is_for("<subscriptions ") => {
                        format!("{OWNER}<subscriptions node='presence'/></pubsub>")
                    }
                    _ if is_for("disco#info") => {
                        "<query xmlns='http://jabber.org/protocol/disco#info'/>".to_owned()
                    }
                    _ if is_for("<query ") => {
                        format!("<query xmlns='jabber:iq:roster'>{roster}</query>")
                    }
                    _ if is_for("<blocklist ") => {
                        "<blocklist xmlns='urn:xmpp:blocking'/>".to_owned()
                    }
                    _ if is_for("<items ") => {
                        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items \
                         node='urn:pubshim:roster'/></pubsub>"
                            .to_owned()
                    }
                    _ => String::new(),
                };
                let answer = format!("<iq type='result' id='{id}'{from}>{payload}</iq>");
                self.receive(Leg::Server, answer.as_bytes());
                more.extend_from_slice(&self.to_server);
            }
            self.to_server = more;
        }
    }

    /// Answers the requests that were just sent to the server.
    fn answer(&mut self, payload: &str) {
        const ID: &[u8] = b"' id='ps-";
        let mut answer = std::mem::take(&mut self.answer);
        answer.clear();
        for start in memchr::memmem::find_iter(&self.to_server, b"<iq ") {
            let iq = &self.to_server[start..];
            let id = memchr::memmem::find(iq, ID).expect("a request of the shim's") + 1;
            let id = &iq[id..];
            let len = ID.len() + memchr::memchr(b'\'', &id[ID.len()..]).expect("a whole id") + 1;
            for part in [
                b"<iq type='result'",
                &id[..len],
                b">",
                payload.as_bytes(),
                b"</iq>",
            ] {
                answer.extend_from_slice(part);
            }
        }
        assert!(!answer.is_empty(), "nothing was asked");
        self.receive(Leg::Server, &answer);
        self.answer = answer;
    }
}
