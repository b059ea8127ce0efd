//! The login streams of real clients (`fixtures/clients`) through a session, however they are split.
//!
//! The recordings were made without pubshim, so some clients use stream management in them, which
//! pubshim does not offer.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pubshim::ns;
use pubshim::session::{
    Event, Input, Leg, Options, Output, Policy, Security, Seed, ServerFacts, Session,
};
use pubshim::xml::{Element, FrameKind, Framer, Limits, Namespaces};

const HEADER: &str = "<stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' to='capulet.lit' version='1.0'>";
const MARKER: &str = "<shim xmlns='urn:pubshim:0'/>";
/// Features that a client may see (DESIGN §5).
const FEATURES: [&str; 9] = [
    "{urn:ietf:params:xml:ns:xmpp-sasl}mechanisms",
    "{urn:xmpp:sasl-cb:0}sasl-channel-binding",
    "{urn:ietf:params:xml:ns:xmpp-bind}bind",
    "{urn:ietf:params:xml:ns:xmpp-session}session",
    "{http://jabber.org/features/iq-register}register",
    "{urn:xmpp:invite}register",
    "{urn:xmpp:features:rosterver}ver",
    "{urn:xmpp:features:pre-approval}sub",
    "{http://jabber.org/protocol/caps}c",
];
/// Features taken out of the server's under [`Policy::Off`].
const NEVER_OFFERED: [&str; 2] = [
    "{urn:ietf:params:xml:ns:xmpp-tls}starttls",
    "{http://jabber.org/features/compress}compression",
];

#[test]
fn off_passes_every_byte() {
    for recording in recordings() {
        let name = &recording.name;
        let may_pass = |feature: &str| !NEVER_OFFERED.contains(&feature);
        let expected = [
            concat(&recording.frames(Leg::Client), may_pass),
            concat(&recording.frames(Leg::Server), may_pass),
        ];
        for split in splits() {
            let replay = Replay::run(&recording, Policy::Off, &split);
            replay.check_events(name);
            let shown = format!("{name}, {split:?}");
            assert_same(&replay.to_server, &expected[0], &shown, "to the server");
            assert_same(&replay.to_client, &expected[1], &shown, "to the client");
        }
    }
}

#[test]
fn auto_changes_presence_and_nothing_else() {
    for recording in recordings() {
        let expected = [
            expected_at_server(&recording),
            expected_at_client(&recording),
        ];
        for split in splits() {
            let shown = format!("{}, {split:?}", recording.name);
            let replay = Replay::run(&recording, Policy::Auto, &split);
            replay.check_events(&shown);
            let seen = [at_server(&replay), at_client(&recording, &replay, &shown)];
            for (seen, expected) in seen.iter().zip(&expected) {
                for (seen, expected) in seen.iter().zip(expected) {
                    assert_eq!(seen, expected, "{shown}");
                }
                assert_eq!(seen.len(), expected.len(), "{shown}");
            }
            let bound = recording.bound();
            assert_eq!(replay.session.jid(), bound.as_deref(), "{shown}");
            let is_broadcast = |frame: &Frame| frame.is_broadcast();
            if recording.frames(Leg::Client).iter().any(is_broadcast) {
                assert!(replay.asked > 0, "{shown}: the node was not asked for");
            }
        }
    }
}

#[test]
fn auto_gives_the_same_for_any_split() {
    for recording in recordings() {
        let whole = Replay::run(&recording, Policy::Auto, &Split::Recorded);
        for split in splits() {
            let other = Replay::run(&recording, Policy::Auto, &split);
            let shown = format!("{}, {split:?}", recording.name);
            assert_same(&other.to_client, &whole.to_client, &shown, "to the client");
            assert_eq!(other.sorted_events(), whole.sorted_events(), "{shown}");
            assert_eq!(other.asked, whole.asked, "{shown}");
        }
    }
}

/// The frames that the server has to get under [`Policy::Auto`].
fn expected_at_server(recording: &Recording) -> Vec<String> {
    let frames = recording.frames(Leg::Client);
    let frames = frames.iter().filter(|frame| !frame.is_swallowed());
    frames
        .map(|frame| match frame.is_broadcast() {
            true => native(&open(frame.text()), frame.id().as_deref()),
            false => frame.text().to_owned(),
        })
        .collect()
}

/// The frames that the server got, without our own IQs, and with our additions to a presence in words.
fn at_server(replay: &Replay) -> Vec<String> {
    let frames = frames(&replay.to_server);
    let frames = frames.iter().filter(|frame| !frame.is_own_iq());
    frames
        .map(|frame| match frame.text().split_once(MARKER) {
            Some((before, "</presence>")) => {
                let presence = format!("{before}</presence>");
                match frame.id().filter(|id| id.starts_with("ps-")) {
                    Some(id) => native(&presence.replacen(&format!(" id='{id}'"), "", 1), None),
                    None => native(&presence, frame.id().as_deref()),
                }
            }
            _ => frame.text().to_owned(),
        })
        .collect()
}

/// The frames that the client has to get under [`Policy::Auto`].
///
/// The server's `<enabled/>`, `<r/>` and `<a/>` are left out: they answer what a client in a recording
/// said because it was offered stream management, and pubshim neither offers nor passes that.
fn expected_at_client(recording: &Recording) -> Vec<String> {
    let frames = recording.frames(Leg::Server);
    let frames = frames.iter().filter(|frame| !frame.is_swallowed());
    frames
        .map(|frame| frame.with_features(|feature| FEATURES.contains(&feature)))
        .collect()
}

/// The frames that the client got, without the refusals of a stream management that it was never offered.
fn at_client(recording: &Recording, replay: &Replay, shown: &str) -> Vec<String> {
    let (refusals, others): (Vec<_>, Vec<_>) = frames(&replay.to_client)
        .into_iter()
        .partition(|frame| frame.is(ns::SM, "failed"));
    let frames = recording.frames(Leg::Client);
    let enables = frames.iter().filter(|frame| frame.is(ns::SM, "enable"));
    assert_eq!(refusals.len(), enables.count(), "{shown}");
    others.iter().map(|frame| frame.text().to_owned()).collect()
}

/// One client's recorded stream.
struct Recording {
    name: String,
    chunks: Vec<(Leg, Vec<u8>)>,
}

impl Recording {
    /// Reads what follows each `<!-- C2S … -->` or `<!-- S2C … -->` up to the next, without the line
    /// feed before it.
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut chunks: Vec<(Leg, Vec<u8>)> = Vec::new();
        for line in text.split_inclusive('\n') {
            let leg = match line.strip_prefix("<!-- ").and_then(|line| line.get(..4)) {
                Some("C2S ") => Leg::Client,
                Some("S2C ") => Leg::Server,
                Some("NOTE") => continue,
                _ => {
                    let (_, chunk) = chunks.last_mut().expect("a comment first");
                    chunk.extend_from_slice(line.as_bytes());
                    continue;
                }
            };
            chunks.push((leg, Vec::new()));
        }
        for (_, chunk) in &mut chunks {
            assert_eq!(chunk.pop(), Some(b'\n'), "{name}");
        }
        Self { name, chunks }
    }

    /// All that came on `leg`.
    fn bytes(&self, leg: Leg) -> Vec<u8> {
        let chunks = self.chunks.iter().filter(|(on, _)| *on == leg);
        chunks.flat_map(|(_, chunk)| chunk).copied().collect()
    }

    /// The frames of `leg`, without white space before the header of a stream that begins anew: it
    /// belongs to a stream that has ended, and in front of an XML declaration nothing may stand.
    fn frames(&self, leg: Leg) -> Vec<Frame> {
        let mut frames = frames(&self.bytes(leg));
        let kinds: Vec<_> = frames.iter().map(|frame| frame.kind).collect();
        let mut index = 0;
        frames.retain(|_| {
            index += 1;
            kinds[index - 1] != FrameKind::Whitespace
                || kinds.get(index) != Some(&FrameKind::Header)
        });
        frames
    }

    /// The full JID that the server bound.
    fn bound(&self) -> Option<String> {
        let frames = self.frames(Leg::Server);
        frames.iter().find_map(|frame| {
            let iq = frame.element()?;
            let bind = iq.child(ns::BIND, "bind")?;
            let jid = bind.child(ns::BIND, "jid")?;
            Some(jid.text().into_owned())
        })
    }
}

fn recordings() -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/clients");
    let files = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "xml"));
    paths.sort();
    assert!(paths.len() >= 12, "twelve clients and more");
    paths.iter().map(|path| Recording::read(path)).collect()
}

/// How the bytes of a recorded chunk are cut before a session gets them.
#[derive(Clone, Debug)]
enum Split {
    /// Not at all.
    Recorded,
    /// Into pieces of one size.
    Every(usize),
    /// Into pieces of changing size, the same ones each time.
    Uneven { seed: u64, most: u64 },
}

fn splits() -> Vec<Split> {
    let mut splits = vec![Split::Recorded];
    splits.extend([1, 2, 3, 7, 64, 1000].map(Split::Every));
    splits.extend((1..=6).map(|seed| Split::Uneven {
        seed,
        most: seed * seed * 40,
    }));
    splits
}

impl Split {
    fn pieces<'a>(&self, mut chunk: &'a [u8], random: &mut u64) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !chunk.is_empty() {
            let size = match self {
                Self::Recorded => chunk.len(),
                Self::Every(size) => *size,
                Self::Uneven { most, .. } => {
                    // xorshift64: any sizes will do, as long as they are the same next time.
                    *random ^= *random << 13;
                    *random ^= *random >> 7;
                    *random ^= *random << 17;
                    usize::try_from(*random % most + 1).unwrap()
                }
            };
            let (piece, rest) = chunk.split_at(size.min(chunk.len()));
            pieces.push(piece);
            chunk = rest;
        }
        pieces
    }
}

/// A session that has been through a recording.
struct Replay {
    session: Session,
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    events: Vec<Event>,
    /// How many IQs the session has sent for itself.
    asked: usize,
    /// Answers to these IQs that wait for the end of a stanza of the server's.
    answers: VecDeque<String>,
}

impl Replay {
    fn run(recording: &Recording, policy: Policy, split: &Split) -> Self {
        let options = Options {
            policy,
            ..Options::default()
        };
        let session = Session::new(Arc::new(options), Seed([7; 32]), Duration::ZERO);
        let mut replay = Self {
            session,
            to_client: Vec::new(),
            to_server: Vec::new(),
            events: Vec::new(),
            asked: 0,
            answers: VecDeque::new(),
        };
        let ends = ends(&recording.bytes(Leg::Server));
        let mut from_server = 0;
        let mut random = match split {
            Split::Uneven { seed, .. } => *seed,
            _ => 1,
        };
        for (leg, chunk) in &recording.chunks {
            for piece in split.pieces(chunk, &mut random) {
                replay.handle(Input::Bytes(*leg, piece));
                if *leg == Leg::Server {
                    from_server += piece.len();
                }
                while ends.contains(&from_server)
                    && let Some(answer) = replay.answers.pop_front()
                {
                    replay.handle(Input::Bytes(Leg::Server, answer.as_bytes()));
                }
            }
        }
        replay
    }

    fn handle(&mut self, input: Input<'_>) {
        self.session.handle(input, Duration::ZERO);
        while let Some(output) = self.session.poll() {
            match output {
                Output::Connect { .. } => {
                    let facts = ServerFacts {
                        no_privacy_lists: true,
                        ..ServerFacts::default()
                    };
                    self.session
                        .handle(Input::connected(Security::Plain, facts), Duration::ZERO);
                }
                Output::Log(event) => self.events.push(event),
                Output::Finish(_) | Output::Hold(_) | Output::Learned(_) | Output::Recorded(_) => {}
                Output::MayCompress | Output::StayUncompressed | Output::Compress(_) => {
                    panic!("compression nobody has asked for")
                }
                Output::ConnectNext(_) | Output::ConnectTo(_) | Output::AcceptTls { .. } => {
                    panic!("nobody has offered it")
                }
                Output::StartTls => panic!("STARTTLS on a plain connection"),
            }
        }
        for leg in [Leg::Client, Leg::Server] {
            let out = self.session.outgoing(leg).to_vec();
            self.session.sent(leg, out.len(), Duration::ZERO);
            match leg {
                Leg::Client => self.to_client.extend_from_slice(&out),
                Leg::Server => {
                    self.answer_own(&out);
                    self.to_server.extend_from_slice(&out);
                }
            }
        }
    }

    /// Prepares the refusal of each IQ of the session's own.
    fn answer_own(&mut self, out: &[u8]) {
        if self.session.jid().is_none() || out.is_empty() {
            return;
        }
        let frames = frames(&[HEADER.as_bytes(), out].concat());
        for asked in frames.iter().filter(|it| it.is_own_iq()) {
            let id = asked.id().unwrap_or_default();
            let from = asked.attribute("to");
            let from = from.map_or_else(String::new, |to| format!(" from='{to}'"));
            self.asked += 1;
            self.answers.push_back(format!(
                "<iq type='error' id='{id}'{from}><error type='cancel'>\
                 <service-unavailable xmlns='{}'/></error></iq>",
                ns::STANZA_ERRORS
            ));
        }
    }

    /// No stream error, nothing bad, and nothing refused but what a client may not have.
    fn check_events(&self, shown: &str) {
        for event in &self.events {
            let is_fine = match event {
                Event::LoggedIn(_)
                | Event::Relaying(_)
                | Event::FeatureRemoved(_)
                | Event::Applied(_)
                | Event::Ended { .. }
                | Event::NodeUnusable { .. } => true,
                Event::ElementRefused(_, element) => {
                    element.contains(&format!("xmlns='{}'", ns::SM))
                        || element.contains(&format!("xmlns='{}'", ns::CSI))
                }
                _ => false,
            };
            assert!(is_fine, "{shown}: {event:?}");
        }
    }

    fn sorted_events(&self) -> Vec<String> {
        let mut events: Vec<_> = self.events.iter().map(|e| format!("{e:?}")).collect();
        events.sort();
        events
    }
}

/// A piece of a stream with what its stream's header declared.
struct Frame {
    kind: FrameKind,
    bytes: Vec<u8>,
    namespaces: Arc<Namespaces>,
}

/// The frames of a leg's whole bytes, through the restarts of the stream.
fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut framer = Framer::new(Limits::AFTER_LOGIN);
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        if bytes.starts_with(b"<?xml") || bytes.starts_with(b"<stream:stream") {
            framer = Framer::new(Limits::AFTER_LOGIN);
        }
        let frame = framer.next(bytes).unwrap().expect("whole frames");
        let (first, rest) = bytes.split_at(frame.len);
        frames.push(Frame {
            kind: frame.kind,
            bytes: first.to_vec(),
            namespaces: framer.namespaces().cloned().unwrap(),
        });
        bytes = rest;
    }
    frames
}

/// Offsets at which the frames of a leg end: another stanza may come in there.
fn ends(bytes: &[u8]) -> HashSet<usize> {
    let mut end = 0;
    let ends = frames(bytes).into_iter().map(|frame| {
        end += frame.bytes.len();
        end
    });
    ends.collect()
}

impl Frame {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    fn element(&self) -> Option<Element<'_>> {
        let is_element = self.kind == FrameKind::Element;
        is_element.then(|| Element::of_frame(&self.bytes, &self.namespaces).unwrap())
    }

    fn is(&self, namespace: &str, local: &str) -> bool {
        let element = self.element();
        element.is_some_and(|element| element.is(namespace, local))
    }

    fn attribute(&self, name: &str) -> Option<String> {
        Some(self.element()?.attribute(name)?.into_owned())
    }

    fn id(&self) -> Option<String> {
        self.attribute("id")
    }

    /// An IQ that the session made for itself.
    fn is_own_iq(&self) -> bool {
        self.is(ns::CLIENT, "iq") && self.id().is_some_and(|id| id.starts_with("ps-"))
    }

    /// A presence for everybody (listing 3).
    fn is_broadcast(&self) -> bool {
        let kind = self.attribute("type");
        self.is(ns::CLIENT, "presence")
            && self.attribute("to").is_none()
            && matches!(kind.as_deref(), None | Some("unavailable"))
    }

    /// Stream management and client state indication end at pubshim.
    fn is_swallowed(&self) -> bool {
        let element = self.element();
        element.is_some_and(|element| matches!(&*element.namespace(), ns::SM | ns::CSI))
    }

    /// The frame without the features for which `may_pass` says no.
    fn with_features(&self, may_pass: impl Fn(&str) -> bool) -> String {
        let mut text = self.text().to_owned();
        if let Some(features) = self.element().filter(|e| e.is(ns::STREAM, "features")) {
            for feature in features.children() {
                let name = format!("{{{}}}{}", feature.namespace(), feature.local());
                if !may_pass(&name) {
                    text = text.replacen(feature.raw(), "", 1);
                }
            }
        }
        text
    }
}

fn concat(frames: &[Frame], may_pass: impl Fn(&str) -> bool) -> Vec<u8> {
    let texts = frames.iter().map(|frame| frame.with_features(&may_pass));
    texts.collect::<String>().into_bytes()
}

/// An empty element with two tags, so that something can be put between them.
fn open(element: &str) -> String {
    match element.strip_suffix("/>") {
        Some(tag) => format!("{}></presence>", tag.trim_end()),
        None => element.to_owned(),
    }
}

/// The words for a presence that goes out natively; the quotes of its id do not matter.
fn native(presence: &str, id: Option<&str>) -> String {
    let id = id.unwrap_or_default();
    let presence = presence.replacen(&format!("id=\"{id}\""), &format!("id='{id}'"), 1);
    format!("{presence} natively, once, with the marker")
}

/// Compares long bytes, and shows where they part.
fn assert_same(seen: &[u8], expected: &[u8], shown: &str, where_to: &str) {
    let common = seen
        .iter()
        .zip(expected)
        .take_while(|(a, b)| a == b)
        .count();
    let part = |bytes: &[u8]| {
        let from = common.saturating_sub(80);
        let to = (common + 200).min(bytes.len());
        String::from_utf8_lossy(&bytes[from..to]).into_owned()
    };
    assert!(
        seen == expected,
        "{shown}: {where_to}, from byte {common} on\n     got: {}\nexpected: {}",
        part(seen),
        part(expected)
    );
}
