//! What clients and servers say, made from few words so that they often mean each other.

mod pubsub;
mod writer;

pub use writer::Writer;


use arbitrary::Arbitrary;
use pubshim::ns;
use pubshim::xml::Element;

/// More bytes than this are not said at once.
const MOST: usize = 16 * 1024;
/// Deeper than this nothing is nested.
const MOST_DEPTH: usize = 6;

/// Whom an address names.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The full JID that was bound.
    Own,
    /// The account.
    OwnBare,
    /// The account's domain.
    OwnDomain,
    /// Another resource of the account.
    OwnOther,
    /// A contact.
    Romeo,
    /// A contact's resource.
    RomeoMobile,
    /// Another resource of his.
    RomeoOdd,
    /// Another contact.
    Nurse,
    /// Her resource.
    NurseHome,
    /// A resource of a domain.
    Service,
    /// No address at all.
    Empty,
    /// Hardly an address.
    Odd,
    /// A very long resource.
    Long,
}

impl Who {
    fn text(self, own: &str) -> String {
        let bare = own.split('/').next().unwrap_or_default();
        match self {
            Self::Own => own.to_owned(),
            Self::OwnBare => bare.to_owned(),
            Self::OwnDomain => bare.split('@').next_back().unwrap_or_default().to_owned(),
            Self::OwnOther => format!("{bare}/chamber"),
            Self::Romeo => "romeo@montague.lit".to_owned(),
            Self::RomeoMobile => "romeo@montague.lit/mobile".to_owned(),
            Self::RomeoOdd => "romeo@montague.lit/a'<&\">@b/\u{e9}".to_owned(),
            Self::Nurse => "nurse@capulet.lit".to_owned(),
            Self::NurseHome => "nurse@capulet.lit/home".to_owned(),
            Self::Service => "montague.lit/service".to_owned(),
            Self::Empty => String::new(),
            Self::Odd => "@/\n@".to_owned(),
            Self::Long => format!("romeo@montague.lit/{}", "x".repeat(1100)),
        }
    }
}

/// An id.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Id {
    /// None.
    None,
    /// The empty one.
    Empty,
    /// One of few.
    One(bool),
    /// One of many.
    Many(u8),
    /// One of the session's own, newest first.
    Ours(u8),
    /// One that looks like the session's own.
    LikeOurs,
    /// One that has to be escaped.
    Odd,
}

/// Text inside an element.
#[derive(Arbitrary, Clone, Debug)]
pub enum Text {
    /// None.
    None,
    /// A word.
    Word,
    /// A number.
    Number(i8),
    /// References and CDATA.
    Odd,
    /// Our marker's namespace.
    Shim,
    /// Much.
    Long(u8),
    /// Anything, escaped.
    Any(String),
}

/// A child of a stanza.
#[derive(Arbitrary, Clone, Debug)]
pub enum Child {
    /// `<status/>`
    Status(Text),
    /// `<show/>`
    Show,
    /// `<priority/>`
    Priority(i8),
    /// `<body/>`
    Body(Text),
    /// Our marker, written in one of several ways.
    Shim(u8),
    /// A delay.
    Delay(Option<Who>),
    /// A stanza id.
    StanzaId(Option<Who>),
    /// What an occupant or a room says.
    Muc(bool),
    /// A photo's hash, or the lack of one.
    Photo(Option<bool>),
    /// Something with a prefix of its own.
    Prefixed(u8, Vec<Child>),
    /// Something with a prefix that the header may have declared.
    HeaderPrefixed(Vec<Child>),
    /// Something else.
    Other(u8, Vec<Child>),
    /// Text.
    Text(Text),
    /// A stanza in a stanza.
    Stanza(Box<Presence>),
    /// A roster.
    Roster(Vec<Item>),
    /// A request to a node.
    Pubsub(u8),
    /// A privacy list, or which of them is in force.
    Privacy(u8),
    /// Invisibility.
    Invisible(bool),
    /// Accounts to be blocked.
    Block(Vec<Who>),
    /// A ping.
    Ping,
    /// White space.
    Space,
}

/// A contact in a roster.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Item {
    /// Who.
    pub who: Who,
    /// In which state.
    pub subscription: u8,
}

/// A presence.
#[derive(Arbitrary, Clone, Debug)]
pub struct Presence {
    /// Its type: mostly none.
    pub kind: u8,
    /// Its id.
    pub id: Id,
    /// Its `from`.
    pub from: Option<Who>,
    /// Its `to`.
    pub to: Option<Who>,
    /// Whether it has a language, a prefix and other odd things.
    pub style: u8,
    /// What it holds.
    pub children: Vec<Child>,
}

/// Any stanza but presence.
#[derive(Arbitrary, Clone, Debug)]
pub struct Stanza {
    /// Its name and type.
    pub kind: u8,
    /// Its id.
    pub id: Id,
    /// Its `from`.
    pub from: Option<Who>,
    /// Its `to`.
    pub to: Option<Who>,
    /// What it holds.
    pub children: Vec<Child>,
}

/// An event of a node.
#[derive(Arbitrary, Clone, Debug)]
pub struct Event {
    /// The message's `from`.
    pub from: Option<Who>,
    /// The message's type.
    pub kind: u8,
    /// The node, and what happened to it.
    pub what: u8,
    /// The items' payloads.
    pub items: Vec<Option<Presence>>,
    /// What else the message holds.
    pub more: Option<Child>,
    /// How often all items are repeated.
    pub times: u8,
}

/// An answer to an IQ of the session's own.
#[derive(Arbitrary, Clone, Debug)]
pub struct Answer {
    /// To which, newest first.
    pub which: u8,
    /// Who answers.
    pub from: Option<Who>,
    /// What.
    pub what: Reply,
}

/// What an answer says.
#[derive(Arbitrary, Clone, Debug)]
pub enum Reply {
    /// What was hoped for.
    Good,
    /// Nothing.
    Empty,
    /// A configuration: access model, publishers, other fields.
    Configuration(u8, u8, u8),
    /// A roster.
    Roster(Vec<Item>),
    /// Items of other resources on the own node.
    Items(Vec<Who>),
    /// Who is subscribed to the own node.
    Subscribers(Vec<Who>),
    /// Privacy lists.
    Privacy(u8),
    /// An error.
    Error(u8),
    /// Something else.
    Other(Child),
}

/// What a client says.
#[derive(Arbitrary, Clone, Debug)]
pub enum FromClient {
    /// A presence.
    Presence(Presence),
    /// An IQ or a message.
    Stanza(Stanza),
    /// An element that is no stanza.
    Nonza(u8),
    /// A stream header.
    Header(u8),
    /// The closing tag.
    Close,
}

/// What a server says.
#[derive(Arbitrary, Clone, Debug)]
pub enum FromServer {
    /// A presence.
    Presence(Presence),
    /// An event.
    Event(Event),
    /// A roster push.
    Push(Option<Who>, Id, Vec<Item>),
    /// An answer to an IQ of the session's own.
    Answer(Answer),
    /// An IQ or a message.
    Stanza(Stanza),
    /// An element that is no stanza.
    Nonza(u8),
    /// A stream header.
    Header(u8),
    /// The closing tag.
    Close,
}

/// Bytes that make no sense, or some.
#[derive(Arbitrary, Clone, Debug)]
pub enum Piece {
    /// One of few words.
    Word(u8),
    /// Anything.
    Bytes(Vec<u8>),
}

const WORDS: [&[u8]; 32] = [
    b" ",
    b"\n",
    b"<",
    b">",
    b"/>",
    b"'",
    b"\"",
    b"&",
    b"&amp;",
    b"&#58;",
    b"<a>",
    b"</a>",
    b"<a b='",
    b"<presence>",
    b"</presence>",
    b"<iq type='get' id='",
    b"</iq>",
    b"<?xml version='1.0'?>",
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='capulet.lit' version='1.0'>",
    b"</stream:stream>",
    b"<stream:error>",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"<?",
    b"\0",
    b"\xff",
    b"\xef\xbf\xbf",
    b"xmlns:x='urn:pubshim:0'",
    b"xmlns='urn:pubshim:0'",
    b"\x16\x03\x01",
    b"x:",
];

/// The bytes of several pieces.
pub fn raw(pieces: &[Piece]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Word(word) => out.extend_from_slice(WORDS[usize::from(*word) % WORDS.len()]),
            Piece::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        if out.len() > MOST {
            break;
        }
    }
    out
}

/// An IQ of the session's own that was sent to the server.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// What it asks for.
    pub what: Question,
}

/// What an IQ of the session's own asks for.
#[derive(Clone, Copy, Debug)]
pub enum Question {
    /// A node's configuration.
    Configuration,
    /// The subscribers of a node.
    Subscribers,
    /// The items on a node.
    Items,
    /// The roster.
    Roster,
    /// Privacy lists.
    Privacy,
    /// Something that needs no more than a result.
    Other,
}

impl Question {
    /// What an IQ asks for.
    pub fn of(iq: &Element<'_>) -> Self {
        if iq.attribute("type").as_deref() != Some("get") {
            return Self::Other;
        }
        let Some(asked) = iq.children().next() else {
            return Self::Other;
        };
        let inner = asked.children().next();
        match (&*asked.namespace(), inner.map(|inner| inner.local())) {
            (ns::ROSTER, _) => Self::Roster,
            ("jabber:iq:privacy", _) => Self::Privacy,
            (ns::PUBSUB_OWNER, Some("configure")) => Self::Configuration,
            (ns::PUBSUB_OWNER, Some("subscriptions")) => Self::Subscribers,
            (ns::PUBSUB, Some("items")) => Self::Items,
            _ => Self::Other,
        }
    }
}

/// A stream header.
pub struct Header {
    /// As it is written.
    pub text: String,
    /// The prefix of the stream's elements.
    pub stream: &'static str,
    /// A prefix that it declares besides.
    pub prefix: Option<&'static str>,
}

/// A client's header; most styles are good ones.
pub fn client_header(style: u8) -> Header {
    let to = match style % 16 {
        15 => "to='b&#111;gus lit'",
        14 => "",
        13 => "to='CAPULET.lit'",
        _ => "to='capulet.lit'",
    };
    header(style, to)
}

/// A server's header.
pub fn server_header(style: u8) -> Header {
    header(style, "from='capulet.lit' id='s1'")
}

fn header(style: u8, address: &str) -> Header {
    let good = Header {
        text: String::new(),
        stream: "stream",
        prefix: None,
    };
    let streams = ns::STREAM;
    let (text, header) = match style % 16 {
        1 => (
            format!(
                "<?xml version='1.0' encoding='utf-8'?>\n<stream:stream {address} version='1.0' \
                 xmlns='jabber:client' xmlns:stream='{streams}' xml:lang='en'>"
            ),
            good,
        ),
        2 => (
            format!(
                "<s:stream xmlns=\"jabber:client\"\n xmlns:s=\"{streams}\" {address} version='1.0' >"
            ),
            Header {
                stream: "s",
                ..good
            },
        ),
        3 | 4 => {
            let xmlns = if style % 16 == 3 {
                "urn:pubshim:0"
            } else {
                "urn:x&amp;'&#39;"
            };
            let xmlns = xmlns.replace('\'', "&apos;");
            (
                format!(
                    "<stream:stream xmlns='jabber:client' xmlns:stream='{streams}' \
                     xmlns:x='{xmlns}' {address} version='1.0'>"
                ),
                Header {
                    prefix: Some("x"),
                    ..good
                },
            )
        }
        12 => (
            format!("<stream:stream xmlns='jabber:client' xmlns:stream='{streams}' {address}>"),
            good,
        ),
        11 => (
            format!(
                "<stream:stream xmlns='jabber:server' xmlns:stream='{streams}' {address} version='1.0'>"
            ),
            good,
        ),
        _ => (
            format!(
                "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
                 xmlns:stream='{streams}' {address} version='1.0'>"
            ),
            good,
        ),
    };
    Header { text, ..header }
}
