//! pubshim: XEP-0207 (XMPP Eventing via Pubsub) for XMPP clients that never heard of it.
//!
//! A local proxy between an unmodified client and an unmodified server. What a byte of the client
//! goes through, and back:
//!
//! ```text
//!            net::pump             xml               session           translate
//!            ─────────             ───               ───────           ─────────
//!  client ──▶ read ──▶ bytes ──▶ Framer ──▶ frame ──▶ Session ──▶ stanza ──▶ Presence ─┐
//!                                                      │  passed as it came            │ publish,
//!                                                      ▼                               ▼ native copy
//!  server ◀── write ◀──────────────────────────── outgoing ◀──────── rewrite ◀─────────┘
//!  server ──▶ read ──▶ … the same the other way: events become presence … ──▶ write ──▶ client
//! ```
//!
//! | module | what it is | I/O |
//! |---|---|---|
//! | [`xml`] | frames, elements, splicing: bytes are looked at, not rebuilt | none |
//! | [`session`] | one client's stream as a state machine: [`session::Session`] | none |
//! | `translate` | classic stanzas to pubsub and back, a folder per function | none |
//! | `pubsub` | the words of XEP-0060, written and read | none |
//! | `wire` | what a function may touch of its session | none |
//! | [`policy`] | how much is translated | none |
//! | [`jid`], [`ns`] | addresses, namespaces | none |
//! | `nearest` | what was meant by a misspelt word | none |
//! | [`net`] | sockets, TLS, the clock, randomness: one task owns a session | all |
//! | [`fixture`] | recorded streams as text, replayed and compared | reads fixtures, rewrites them if asked |
//! | [`view`] | what passes, as lines for people | none |
//! | [`sandbox`] | a server that knows only publish-subscribe, for trying and testing | none |
//! | [`commands`] | what the commands beside `run` do | files, standard input and output |
//! | [`demo`] | the sandbox and pubshim in front of it, to be tried without an account | all |
//! | [`config`], [`cli`] | what was asked for, and what the program runs with | reads one file |
//!
//! The core has no I/O: time comes in as an argument, ids come from a seed, so a recorded stream gives
//! the same result every time. Nothing a rule does not name is changed: it passes byte for byte.
//!
//! # On the wire
//!
//! What another implementer needs to understand us, until there is a specification:
//!
//! | what | where | access | item id | payload |
//! |---|---|---|---|---|
//! | presence | PEP node `presence` | `authorize`, else `whitelist` | resource | `<presence xmlns='jabber:client' from='full JID' id='…'>` |
//! | room | node of a service | owner's | random | `<message from='room/nick' type='groupchat'>` with `<delay/>` |
//! | occupants | node `…#occupants` | the room's | bare JID, else full JID | `<presence from='room/nick'>` with `<item jid='full JID'/>` in `<x xmlns='…muc#user'/>` |
//! | a room's subject | node `…#occupants` | the room's | `subject/` and the bare JID | the message |
//! | private message in a room | native `<message type='groupchat' to='full JID'>`; under `pure` an item of the two accounts' node | | random | the content, `<x xmlns='…muc#user'/>`, `<pm xmlns='urn:pubshim:0' room='bare JID'/>` (`type='normal'` if it was no chat) |
//! | invitation, and its decline | native message; under `pure` as above | | random | `<invite xmlns='urn:pubshim:0' room='bare JID'>` or `<decline …>` with a `<reason/>`, beside an invitation the one of XEP-0249 |
//! | one-to-one | PEP node `chat/<random>`, of each for the other | `whitelist`, the peer `member` and subscribed | random, then `…#1`, `…#2` | `<message from='full JID' to type id>` with the author's `<delay/>` last |
//! | one-to-one, `pure` | a node of any name on `pubsub.<domain>` | `whitelist`, both publish | random | the same |
//! | what was shown | PEP node `urn:pubshim:chats` | `whitelist` | the peer's bare JID | `<chat xmlns='urn:pubshim:0'>` with `<node service name item stamp/>` for each node |
//! | marker | native presence; inside a shim's XEP-0199 `<ping/>` | | | `<shim xmlns='urn:pubshim:0'/>`, in presence with `chat='1'` if messages may come by pubsub |
//! | copy | a native message that was, or was to be, published | | | `<shim xmlns='urn:pubshim:0' node='…' item='…'/>` in it |
//!
//! The payload is the classic stanza as its receiver would have got it, with the prefixes, the default
//! namespace and the `xml:lang` it inherited declared on it. The native copy goes first and has the
//! same `id`. Going offline is an item of type `unavailable`, which is then retracted without a notice.
//! An event is believed if its payload's `from` is a full JID of the account that sent it, and the
//! receiver's own roster says that it is subscribed to that account. Each publish names the access model
//! that was verified (publish-options), so that a node changed meanwhile is a conflict and not a leak. A
//! shim answers pings with the marker to its full JID in its client's place, and leaves all others to its
//! client: items of resources whose ping says `service-unavailable` or `item-not-found` are leftovers, and
//! another shim of the account takes them away.
//!
//! In a room it is the service's `publisher` that says who has spoken or who is there, never an item's id or its
//! payload; the resource is the publisher's, or where the service names the account alone the one of `item@jid`. A
//! ping whose marker has an attribute `room` asks whether the resource is in that room.
//!
//! A message is published only while every available resource of the peer and of the author's account has `chat='1'` in
//! its presence, and one of the peer's has a priority of 0 or more; both see each other's presence. Its author is the
//! account the event comes from. Of what was published, and neither a receipt, a marker nor anything said later shows to
//! be read, a native copy follows when nobody is left who would be shown it: of the last 15 minutes, and of the last 30
//! seconds if the peer's own unavailable carries the marker. Who reads remembers ids of items, and on the private node
//! the last one of each node.
//!
//! The first item that a session writes for a peer has a random id, the next ones the same with `#1`, `#2` and so on.
//! Who is told of one and not of the one before it, as a connection between two servers broke, fetches the node first.

pub mod cli;
pub mod commands;
pub mod config;
pub mod demo;
pub mod fixture;
pub mod jid;
mod nearest;
pub mod net;
pub mod ns;
pub mod policy;
mod pubsub;
pub mod sandbox;
pub mod session;
mod translate;
pub mod view;
mod wire;
pub mod xml;
