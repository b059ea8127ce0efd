//! What clients and servers say, made from few words so that they often mean each other.

use std::fmt::Write as _;

use arbitrary::Arbitrary;
use pubshim::ns;
use pubshim::xml::{Element, escape};

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

/// Writes what is said; knows the names it needs.
pub struct Writer<'a> {
    /// The full JID of the client.
    pub own: &'a str,
    /// The session's own IQs, oldest first.
    pub asked: &'a [Asked],
    /// A prefix that the header of this leg declares.
    pub prefix: Option<&'a str>,
    /// What the stream's elements are called with.
    pub stream: &'a str,
}

impl Writer<'_> {
    /// What a client says.
    pub fn client(&self, said: &FromClient) -> String {
        let mut out = String::new();
        match said {
            FromClient::Presence(presence) => self.presence(&mut out, presence, 0),
            FromClient::Stanza(stanza) => self.stanza(&mut out, stanza),
            FromClient::Header(style) => out = client_header(*style).text,
            FromClient::Close => self.close(&mut out),
            FromClient::Nonza(which) => {
                let (stream, errors) = (self.stream, ns::STREAM_ERRORS);
                let sasl = ns::SASL;
                let _ = match which % 16 {
                    0 => write!(out, "<inactive xmlns='{}'/>", ns::CSI),
                    1 => write!(out, "<enable xmlns='{}'/>", ns::SM),
                    2 => write!(out, "<r xmlns='{}'/>", ns::SM),
                    3 => write!(
                        out,
                        "<compress xmlns='{}'><method>zlib</method></compress>",
                        ns::COMPRESS
                    ),
                    4 => write!(out, "<starttls xmlns='{}'/>", ns::TLS),
                    5 => write!(out, "<auth xmlns='{sasl}' mechanism='PLAIN'>AA==</auth>"),
                    6 => write!(out, "<response xmlns='{sasl}'>AA==</response>"),
                    7 => write!(out, "<abort xmlns='{sasl}'/>"),
                    8 => write!(
                        out,
                        "<{stream}:error><reset xmlns='{errors}'/></{stream}:error>"
                    ),
                    9 => write!(
                        out,
                        "<iq type='set' id='bind'><bind xmlns='{}'/></iq>",
                        ns::BIND
                    ),
                    10 => write!(
                        out,
                        "<iq type='set' id='auth'><query xmlns='{}'/></iq>",
                        ns::IQ_AUTH
                    ),
                    11 => write!(
                        out,
                        "<iq type='get' id='reg'><query xmlns='{}'/></iq>",
                        ns::REGISTER
                    ),
                    12 => write!(
                        out,
                        "<authenticate xmlns='{}' mechanism='PLAIN'/>",
                        ns::SASL2
                    ),
                    13 => write!(out, "<unknown xmlns='urn:other'/>"),
                    14 => write!(out, "<presence xmlns='urn:other'/>"),
                    _ => write!(out, " "),
                };
            }
        }
        out
    }

    /// What a server says.
    pub fn server(&self, said: &FromServer) -> String {
        let mut out = String::new();
        match said {
            FromServer::Presence(presence) => self.presence(&mut out, presence, 0),
            FromServer::Stanza(stanza) => self.stanza(&mut out, stanza),
            FromServer::Header(style) => out = server_header(*style).text,
            FromServer::Close => self.close(&mut out),
            FromServer::Event(event) => self.event(&mut out, event),
            FromServer::Push(from, id, items) => {
                out.push_str("<iq type='set'");
                self.id(&mut out, *id);
                self.who(&mut out, "from", *from);
                out.push('>');
                self.roster(&mut out, items);
                out.push_str("</iq>");
            }
            FromServer::Answer(answer) => self.answer(&mut out, answer),
            FromServer::Nonza(which) => self.server_nonza(&mut out, *which),
        }
        out
    }

    fn server_nonza(&self, out: &mut String, which: u8) {
        let (s, sasl) = (self.stream, ns::SASL);
        let error = |out: &mut String, condition: &str| {
            let errors = ns::STREAM_ERRORS;
            write!(
                out,
                "<{s}:error><{condition} xmlns='{errors}'/></{s}:error>"
            )
        };
        let _ = match which % 20 {
            0 => write!(
                out,
                "<{s}:features><starttls xmlns='{}'/></{s}:features>",
                ns::TLS
            ),
            1 => write!(
                out,
                "<{s}:features><mechanisms xmlns='{sasl}'><mechanism>PLAIN</mechanism></mechanisms>\
                 <compression xmlns='{}'/><ver xmlns='{}'/></{s}:features>",
                ns::COMPRESS_FEATURE,
                ns::ROSTERVER
            ),
            2 => write!(
                out,
                "<{s}:features><bind xmlns='{}'/><sm xmlns='{}'/></{s}:features>",
                ns::BIND,
                ns::SM
            ),
            3 => write!(out, "<{s}:features/>"),
            4 => write!(out, "<proceed xmlns='{}'/>", ns::TLS),
            5 => write!(out, "<failure xmlns='{}'/>", ns::TLS),
            6 => write!(out, "<challenge xmlns='{sasl}'>AA==</challenge>"),
            7 => write!(out, "<success xmlns='{sasl}'/>"),
            8 => write!(out, "<failure xmlns='{sasl}'><not-authorized/></failure>"),
            9 => write!(
                out,
                "<iq type='result' id='bind'><bind xmlns='{}'><jid>{}</jid></bind></iq>",
                ns::BIND,
                escape(self.own)
            ),
            10 => write!(out, "<iq type='error' id='bind'/>"),
            11 => write!(out, "<iq type='result' id='auth'/>"),
            12 => write!(out, "<success xmlns='{}'/>", ns::SASL2),
            13 => error(out, "conflict"),
            14 => error(out, "see-other-host"),
            15 => error(out, "system-shutdown"),
            16 => write!(out, "<{s}:error/>"),
            17 => write!(out, "<unknown xmlns='urn:other'/>"),
            18 => write!(
                out,
                "<iq type='result' id='bind'><bind xmlns='{}'/></iq>",
                ns::BIND
            ),
            _ => write!(out, " "),
        };
    }

    fn close(&self, out: &mut String) {
        let _ = write!(out, "</{}:stream>", self.stream);
    }

    fn who(&self, out: &mut String, name: &str, who: Option<Who>) {
        if let Some(who) = who {
            let _ = write!(out, " {name}='{}'", escape(&who.text(self.own)));
        }
    }

    fn id(&self, out: &mut String, id: Id) {
        let id = match id {
            Id::None => return,
            Id::Empty => String::new(),
            Id::One(one) => format!("p{}", u8::from(one)),
            Id::Many(many) => format!("m{many}"),
            Id::Ours(which) => self
                .ours(which)
                .map_or_else(String::new, |asked| asked.id.clone()),
            Id::LikeOurs => "ps-00000000-00000000000000000000000000000000".to_owned(),
            Id::Odd => "a'<&\">\n\u{e9}".to_owned(),
        };
        let _ = write!(out, " id='{}'", escape(&id));
    }

    fn ours(&self, which: u8) -> Option<&Asked> {
        self.asked.iter().nth_back(usize::from(which))
    }

    fn presence(&self, out: &mut String, presence: &Presence, depth: usize) {
        const KINDS: [&str; 8] = [
            "unavailable",
            "invisible",
            "subscribe",
            "subscribed",
            "error",
            "probe",
            "",
            "&#117;navailable",
        ];
        let name = match presence.style % 16 {
            1 => "c:presence",
            _ => "presence",
        };
        let _ = write!(out, "<{name}");
        match presence.style % 16 {
            1 => out.push_str(" xmlns:c='jabber:client'"),
            2 => out.push_str(" xml:lang='de'"),
            3 => out.push_str("\n xmlns=\"jabber:client\"\t"),
            4 => out.push_str(" xmlns='urn:other'"),
            5 => out.push_str(" xmlns='jabber&#58;client'"),
            6 => out.push_str(" xmlns:x='urn:pubshim:0' x:id='a'"),
            _ if depth > 0 => out.push_str(" xmlns='jabber:client'"),
            _ => {}
        }
        if let Some(kind) = KINDS.get(usize::from(presence.kind % 16)) {
            let _ = write!(out, " type='{kind}'");
        }
        self.id(out, presence.id);
        self.who(out, "from", presence.from);
        self.who(out, "to", presence.to);
        if presence.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        self.children(out, &presence.children, depth);
        let _ = write!(out, "</{name} >");
    }

    fn stanza(&self, out: &mut String, stanza: &Stanza) {
        const KINDS: [(&str, &str); 12] = [
            ("message", "chat"),
            ("message", "headline"),
            ("message", "error"),
            ("message", "groupchat"),
            ("message", ""),
            ("iq", "get"),
            ("iq", "set"),
            ("iq", "result"),
            ("iq", "error"),
            ("iq", "odd"),
            ("iq", ""),
            ("other", "get"),
        ];
        let (name, kind) = KINDS[usize::from(stanza.kind) % KINDS.len()];
        let _ = write!(out, "<{name}");
        if !kind.is_empty() {
            let _ = write!(out, " type='{kind}'");
        }
        self.id(out, stanza.id);
        self.who(out, "from", stanza.from);
        self.who(out, "to", stanza.to);
        out.push('>');
        self.children(out, &stanza.children, 0);
        let _ = write!(out, "</{name}>");
    }

    fn children(&self, out: &mut String, children: &[Child], depth: usize) {
        for child in children {
            if out.len() > MOST || depth > MOST_DEPTH {
                return;
            }
            self.child(out, child, depth + 1);
        }
    }

    fn child(&self, out: &mut String, child: &Child, depth: usize) {
        let _ = match child {
            Child::Status(text) => write!(out, "<status>{}</status>", content(text)),
            Child::Body(text) => write!(out, "<body xml:lang='en'>{}</body>", content(text)),
            Child::Show => write!(out, "<show>away</show>"),
            Child::Priority(priority) => write!(out, "<priority>{priority}</priority>"),
            Child::Shim(style) => match (style % 8, self.prefix) {
                (0, _) => write!(out, "<shim xmlns='urn:pubshim:0'/>"),
                (1, _) => write!(out, "<x:shim xmlns:x=\"urn:pubshim:0\"></x:shim>"),
                (2, _) => write!(out, "<shim xmlns='urn&#58;pubshim&#x3a;0'/>"),
                (3, Some(prefix)) => write!(out, "<{prefix}:shim/>"),
                (4, _) => write!(out, "<x:shim/>"),
                (5, _) => write!(out, "<shim/>"),
                _ => write!(out, "<shim xmlns='urn:pubshim:0' a='b'>text<c/></shim>"),
            },
            Child::Delay(from) => {
                let _ = write!(
                    out,
                    "<delay xmlns='{}' stamp='2026-01-01T00:00:00Z'",
                    ns::DELAY
                );
                self.who(out, "from", *from);
                write!(out, "/>")
            }
            Child::StanzaId(by) => {
                let _ = write!(out, "<stanza-id xmlns='{}' id='1'", ns::SID);
                self.who(out, "by", *by);
                write!(out, "/>")
            }
            Child::Muc(user) => {
                let xmlns = if *user { ns::MUC_USER } else { ns::MUC };
                write!(out, "<x xmlns='{xmlns}'/>")
            }
            Child::Photo(photo) => {
                out.push_str("<x xmlns='vcard-temp:x:update'>");
                out.push_str(match photo {
                    None => "",
                    Some(false) => "<photo/>",
                    Some(true) => "<photo>abc</photo>",
                });
                write!(out, "</x>")
            }
            Child::Prefixed(which, children) => {
                let xmlns = ["urn:a", "urn:pubshim:0", "jabber:client", "urn:a&amp;&#39;"];
                let xmlns = xmlns[usize::from(*which) % xmlns.len()];
                let _ = write!(out, "<x:a xmlns:x='{xmlns}' x:b='1' b='2'>");
                self.children(out, children, depth);
                write!(out, "</x:a>")
            }
            Child::HeaderPrefixed(children) => match self.prefix {
                Some(prefix) => {
                    let _ = write!(out, "<{prefix}:a {prefix}:b='1'>");
                    self.children(out, children, depth);
                    write!(out, "</{prefix}:a>")
                }
                None => write!(out, "<{}:a/>", self.stream),
            },
            Child::Other(which, children) => {
                let xmlns = ["urn:other", "", "jabber:client", ns::PUBSUB, ns::ROSTER];
                let xmlns = xmlns[usize::from(*which) % xmlns.len()];
                let _ = write!(out, "<a xmlns='{xmlns}'>");
                self.children(out, children, depth);
                write!(out, "</a>")
            }
            Child::Text(text) => write!(out, "{}", content(text)),
            Child::Stanza(presence) => {
                self.presence(out, presence, depth);
                Ok(())
            }
            Child::Roster(items) => {
                self.roster(out, items);
                Ok(())
            }
            Child::Pubsub(which) => {
                let node = if which & 1 == 0 { "presence" } else { "other" };
                let request = if which & 2 == 0 {
                    "subscribe"
                } else {
                    "unsubscribe"
                };
                write!(
                    out,
                    "<pubsub xmlns='{}'><{request} node='{node}' jid='a@b'/></pubsub>",
                    ns::PUBSUB
                )
            }
            Child::Privacy(which) => {
                privacy(out, *which);
                Ok(())
            }
            Child::Invisible(invisible) => {
                let name = if *invisible { "invisible" } else { "visible" };
                write!(out, "<{name} xmlns='urn:xmpp:invisible:1'/>")
            }
            Child::Block(accounts) => {
                out.push_str("<block xmlns='urn:xmpp:blocking'>");
                for account in accounts.iter().take(16) {
                    out.push_str("<item");
                    self.who(out, "jid", Some(*account));
                    out.push_str("/>");
                }
                write!(out, "</block>")
            }
            Child::Ping => write!(out, "<ping xmlns='urn:xmpp:ping'/>"),
            Child::Space => write!(out, "\n\t "),
        };
    }

    fn roster(&self, out: &mut String, items: &[Item]) {
        let _ = write!(out, "<query xmlns='{}'>", ns::ROSTER);
        for item in items.iter().take(32) {
            out.push_str("<item");
            self.who(out, "jid", Some(item.who));
            let subscription = ["both", "to", "from", "none", "remove"];
            if let Some(subscription) = subscription.get(usize::from(item.subscription % 8)) {
                let _ = write!(out, " subscription='{subscription}'");
            }
            out.push_str("/>");
        }
        out.push_str("</query>");
    }

    fn event(&self, out: &mut String, event: &Event) {
        out.push_str("<message");
        self.who(out, "from", event.from);
        self.who(out, "to", Some(Who::Own));
        if let Some(kind) = ["headline", "error", "normal"].get(usize::from(event.kind % 6)) {
            let _ = write!(out, " type='{kind}'");
        }
        if event.what & 0x80 != 0 {
            out.push_str(" xml:lang='it' xmlns:y='urn:y'");
        }
        let node = if event.what & 0x40 == 0 {
            "presence"
        } else {
            "other"
        };
        let _ = write!(out, "><event xmlns='{}'>", ns::PUBSUB_EVENT);
        let _ = match event.what % 16 {
            1 => write!(out, "<purge node='{node}'/>"),
            2 => write!(out, "<delete node='{node}'/>"),
            3 => write!(out, "<configuration node='{node}'/>"),
            _ => {
                let _ = write!(out, "<items node='{node}'>");
                for _ in 0..=event.times {
                    for item in &event.items {
                        self.item(out, item.as_ref());
                    }
                    if out.len() > MOST || event.items.is_empty() {
                        break;
                    }
                }
                write!(out, "</items>")
            }
        };
        out.push_str("</event>");
        if let Some(child) = &event.more {
            self.child(out, child, 1);
        }
        out.push_str("</message>");
    }

    fn item(&self, out: &mut String, presence: Option<&Presence>) {
        match presence {
            Some(presence) => {
                out.push_str("<item id='i'>");
                self.presence(out, presence, 1);
                out.push_str("</item>");
            }
            None => out.push_str("<retract id='i'/>"),
        }
    }

    fn items(&self, out: &mut String, resources: &[Who]) {
        let _ = write!(
            out,
            "<pubsub xmlns='{}'><items node='presence'>",
            ns::PUBSUB
        );
        for who in resources.iter().take(40) {
            let full = who.text(self.own);
            let resource = full.split_once('/').map_or("", |(_, resource)| resource);
            let (full, id) = (escape(&full), escape(resource));
            let _ = write!(
                out,
                "<item id='{id}'><presence xmlns='jabber:client' from='{full}'/></item>"
            );
        }
        out.push_str("</items></pubsub>");
    }

    fn answer(&self, out: &mut String, answer: &Answer) {
        let Some(asked) = self.ours(answer.which) else {
            return;
        };
        let good = match asked.what {
            Question::Configuration => Reply::Configuration(0, 0, 0),
            Question::Roster => Reply::Roster(
                [(Who::Romeo, 0), (Who::Nurse, 2)]
                    .map(|(who, subscription)| Item { who, subscription })
                    .to_vec(),
            ),
            Question::Items => Reply::Items(vec![Who::Own, Who::OwnOther]),
            Question::Subscribers => Reply::Subscribers(vec![Who::Romeo, Who::RomeoOdd]),
            Question::Privacy => Reply::Privacy(0),
            Question::Other => Reply::Empty,
        };
        let reply = match &answer.what {
            Reply::Good => &good,
            reply => reply,
        };
        let kind = match reply {
            Reply::Error(_) => "error",
            _ => "result",
        };
        let _ = write!(out, "<iq type='{kind}' id='{}'", asked.id);
        self.who(out, "from", answer.from);
        out.push('>');
        match reply {
            Reply::Good | Reply::Empty => {}
            Reply::Configuration(access, publishers, fields) => {
                configuration(out, *access, *publishers, *fields);
            }
            Reply::Roster(items) => self.roster(out, items),
            Reply::Privacy(which) => privacy(out, *which),
            Reply::Items(resources) => self.items(out, resources),
            Reply::Subscribers(subscribers) => {
                let xmlns = ns::PUBSUB_OWNER;
                let _ = write!(
                    out,
                    "<pubsub xmlns='{xmlns}'><subscriptions node='presence'>"
                );
                for subscriber in subscribers.iter().take(16) {
                    out.push_str("<subscription");
                    self.who(out, "jid", Some(*subscriber));
                    out.push_str(" subscription='subscribed'/>");
                }
                out.push_str("</subscriptions></pubsub>");
            }
            Reply::Other(child) => self.child(out, child, 1),
            Reply::Error(which) => {
                let conditions = [
                    "item-not-found",
                    "not-acceptable",
                    "feature-not-implemented",
                    "conflict",
                    "forbidden",
                    "service-unavailable",
                ];
                let condition = conditions[usize::from(*which) % conditions.len()];
                let xmlns = ns::STANZA_ERRORS;
                let _ = write!(
                    out,
                    "<error type='cancel'><{condition} xmlns='{xmlns}'/></error>"
                );
            }
        }
        out.push_str("</iq>");
    }
}

fn privacy(out: &mut String, which: u8) {
    out.push_str("<query xmlns='jabber:iq:privacy'>");
    out.push_str(match which % 8 {
        0 => "",
        1 => "<active name='a'/>",
        2 => "<default name='b'/><active/>",
        3 => "<list name='a'><item action='deny' order='1'><presence-out/></item></list>",
        4 => "<list name='a'><item action='allow' order='x'/></list><list name='b'/>",
        5 => "<active name='c&apos;&lt;'/><default name=''/>",
        6 => "<list/>",
        _ => "<list name='b'><item type='jid' value='a@b' action='allow' order='1'/></list>",
    });
    out.push_str("</query>");
}

fn configuration(out: &mut String, access_at: u8, publishers: u8, fields: u8) {
    let access = ["authorize", "whitelist", "presence", "open", ""];
    let access_model = access[usize::from(access_at) % access.len()];
    let _ = write!(
        out,
        "<pubsub xmlns='{}'><configure node='presence'><x xmlns='{}' type='form'>",
        ns::PUBSUB_OWNER,
        ns::DATA
    );
    let mut field = |var: &str, value: &str| {
        let _ = write!(
            out,
            "<field var='pubsub#{var}'><value>{value}</value></field>"
        );
    };
    field("access_model", access_model);
    match publishers % 4 {
        0 => field("publish_model", "publishers"),
        1 => field("publish_model", "open"),
        _ => {}
    }
    if fields & 1 != 0 {
        field("notify_retract", "1");
    }
    if fields & 2 != 0 {
        field("max_items", "1");
    }
    if fields & 4 != 0 {
        field("purge_offline", "true");
    }
    out.push_str("</x></configure></pubsub>");
}

fn content(text: &Text) -> String {
    match text {
        Text::None => String::new(),
        Text::Word => "Moping".to_owned(),
        Text::Number(number) => number.to_string(),
        Text::Odd => "a&amp;<![CDATA[</a>&]]>&#x1F600; \r\n\u{e9}&gt;".to_owned(),
        Text::Shim => "urn:pubshim:0 &#".to_owned(),
        Text::Long(many) => "long ".repeat(usize::from(*many) * 4),
        Text::Any(text) => {
            let is_char = |c: &char| !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
            let text: String = text.chars().filter(is_char).take(200).collect();
            escape(&text).into_owned()
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
