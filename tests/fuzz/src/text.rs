//! Stanzas of clients and servers, made from few words so that they often mean each other.

mod asked;
mod header;
mod lists;
mod pubsub;
mod raw;
mod requests;
mod subscriptions;
mod writer;

pub use asked::{Asked, Question};
pub use header::{Header, client_header, server_header};
pub use lists::{Entry, Recorded};
pub use pubsub::configuration;
pub use raw::{Piece, raw};
pub use requests::Request;
pub use subscriptions::{Form, Notice};
pub use writer::Writer;

use arbitrary::Arbitrary;

/// The node of the account's own record.
pub const RECORD: &str = "urn:pubshim:roster";
/// A password, which nobody who watches may read.
pub const SECRET: &str = "c2VjcmV0LXRvLW5vYm9keQ==";
/// A message text, shown only to those who ask for it.
pub const WRITTEN: &str = "wherefore art thou";

/// More bytes than this are not said at once.
const MOST: usize = 16 * 1024;
/// Deeper than this nothing is nested.
const MOST_DEPTH: usize = 6;

/// Addresses.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
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
    /// A person who is no contact at first.
    Bard,
    /// His resource.
    BardGlobe,
    /// A contact, written as no server writes him.
    Upper,
    /// The domain of a contact.
    Domain,
    /// One of many.
    One(u8),
    /// A resource of a domain.
    Service,
    /// No address at all.
    Empty,
    /// Hardly an address.
    Odd,
    /// A very long resource.
    Long,
}

impl Address {
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
            Self::Bard => "bard@shakespeare.lit".to_owned(),
            Self::BardGlobe => "bard@shakespeare.lit/globe".to_owned(),
            Self::Upper => "Romeo@Montague.LIT".to_owned(),
            Self::Domain => "montague.lit".to_owned(),
            Self::One(which) => format!("c{which}@many.lit"),
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
    Delay(Option<Address>),
    /// A stanza id.
    StanzaId(Option<Address>),
    /// Words of an occupant or a room (XEP-0045).
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
    /// Accounts to be blocked, or no longer.
    Block(bool, Vec<Address>),
    /// The list of blocked addresses.
    Blocklist(Vec<Address>),
    /// A ping.
    Ping,
    /// White space.
    Space,
}

/// A contact in a roster.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Item {
    /// His address.
    pub address: Address,
    /// In which state.
    pub subscription: u8,
    /// Whether he is asked, his name and groups.
    pub more: u8,
}

/// A presence.
#[derive(Arbitrary, Clone, Debug)]
pub struct Presence {
    /// Its type: mostly none.
    pub kind: u8,
    /// Its id.
    pub id: Id,
    /// Its `from`.
    pub from: Option<Address>,
    /// Its `to`.
    pub to: Option<Address>,
    /// Whether it has a language, a prefix and other odd things.
    pub style: u8,
    /// Its children.
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
    pub from: Option<Address>,
    /// Its `to`.
    pub to: Option<Address>,
    /// Its children.
    pub children: Vec<Child>,
}

/// An event of a node.
#[derive(Arbitrary, Clone, Debug)]
pub struct Event {
    /// The message's `from`.
    pub from: Option<Address>,
    /// The message's type.
    pub kind: u8,
    /// The node, and what happened to it.
    pub what: u8,
    /// The items' payloads.
    pub items: Vec<Option<Presence>>,
    /// Another child of the message.
    pub more: Option<Child>,
    /// How often all items are repeated.
    pub times: u8,
}

/// An answer to an IQ of the session's own.
#[derive(Arbitrary, Clone, Debug)]
pub struct Answer {
    /// To which, newest first.
    pub which: u8,
    /// Its `from`.
    pub from: Option<Address>,
    /// Its contents.
    pub what: Reply,
}

/// The contents of an answer.
#[derive(Arbitrary, Clone, Debug)]
pub enum Reply {
    /// The answer that the session hopes for.
    Good,
    /// Nothing.
    Empty,
    /// A configuration: access model, publishers, other fields.
    Configuration(u8, u8, u8),
    /// A roster.
    Roster(Vec<Item>),
    /// Items of resources on a node.
    Items(Vec<Address>),
    /// Subscribers of the own node, with their states.
    Subscribers(Vec<(Address, u8)>),
    /// Affiliations with the own node.
    Affiliations(Vec<(Address, u8)>),
    /// The account's subscriptions at a service, with their states.
    OwnSubscriptions(Vec<(Address, u8)>),
    /// The new state of a requested subscription.
    Subscription(u8),
    /// Contacts on record.
    Record(Vec<Recorded>),
    /// Blocked addresses.
    Blocklist(Vec<Address>),
    /// Privacy lists.
    Privacy(u8),
    /// An error.
    Error(u8),
    /// Something else.
    Other(Child),
}

/// A client's side of its stream.
#[derive(Arbitrary, Clone, Debug)]
pub enum FromClient {
    /// A presence.
    Presence(Presence),
    /// An IQ or a message.
    Stanza(Stanza),
    /// A presence of this type to somebody.
    Subscription(u8, Address, Id),
    /// A request: to set something?
    Request(bool, Id, Child),
    /// A request for the roster, of this version.
    Roster(Id, u8),
    /// A presence of this type to everybody.
    Broadcast(u8),
    /// A message text to somebody.
    Chat(Address),
    /// An element that is no stanza.
    Nonza(u8),
    /// A stream header.
    Header(u8),
    /// The closing tag.
    Close,
}

/// A server's side of a stream.
#[derive(Arbitrary, Clone, Debug)]
pub enum FromServer {
    /// A presence.
    Presence(Presence),
    /// An event.
    Event(Event),
    /// A roster push.
    Push(Option<Address>, Id, Vec<Item>),
    /// A push about something else.
    SetPush(Option<Address>, Id, Child),
    /// An answer to an IQ of the session's own.
    Answer(Answer),
    /// An answer to an IQ of the client's: an error?
    Reply(bool, Id, Option<Child>),
    /// A question whether somebody may subscribe.
    Form(Form),
    /// The new state of a subscription.
    Notice(Notice),
    /// A presence of this type from somebody, with the marker?
    Subscription(u8, Address, bool),
    /// An event on the account's own record.
    Record(Option<Address>, Vec<Recorded>),
    /// A message text from somebody.
    Chat(Address),
    /// An IQ or a message.
    Stanza(Stanza),
    /// An element that is no stanza.
    Nonza(u8),
    /// A stream header.
    Header(u8),
    /// The closing tag.
    Close,
}
