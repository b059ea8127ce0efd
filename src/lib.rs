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
//! | contacts on record | PEP node `urn:pubshim:roster` | `whitelist` | first byte of SHA-256 of the bare JID, in hex | `<contacts xmlns='urn:pubshim:0'>` |
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
//! A message is published only while every available resource of the peer and of the author's account has `chat='1'`
//! in its presence, and one of the peer's has a priority of 0 or more; both see each other's presence. Its author is
//! the account the event comes from. Of what was published, and neither a receipt, a marker nor anything said later
//! shows to be read, a native copy follows when nobody is left who would be shown it: of the last 15 minutes, and of
//! the last 30 seconds if the peer's own unavailable carries the marker. Who reads remembers ids of items, and on the
//! private node the last one of each node.
//!
//! The first item that a session writes for a peer has a random id, the next ones the same with `#1`, `#2` and so on.
//! Who is told of one and not of the one before it, as a connection between two servers broke, fetches the node first.
//!
//! # Three walks
//!
//! A **presence of the client** (listings 1 and 3). `net::pump` reads bytes and hands them to
//! [`session::Session::handle`] with the time. `session::reading` has the framer cut a frame out of them, and
//! `session::stanzas` gives the stanza to the translator. `translate::router` asks the functions in a fixed order: it
//! is for no room, tells nobody of a subscription, so `presence::announce` takes it. It writes the native copy with
//! the marker, and behind it, once the node is made and verified (`translate::node`) and it is known who is
//! subscribed, a `pubsub::request::publish` whose payload is the presence with all it inherited declared on it. The
//! request carries an `Ask`; its answer comes back to `announce` by it. At the end of the step the router lets all
//! functions settle, and says when to come back.
//!
//! An **event of a contact** (listing 4). The server's bytes go the same way to `router::handle_server`. A message
//! that mentions no event passes after one search. Of others `pubsub::Event` is read once: service, node, items. The
//! router knows the node `presence`; `presence::feed` checks that the payload's `from` is a full JID of the account
//! that sent the event and that the roster says we are subscribed, asks `presence::seen` whether the native copy was
//! shown already, and `pubsub::unwrap` splices the presence out of the event's bytes into the client's stream.
//!
//! A **message to a room and back** (listings 16 and 17). `rooms` sees each stanza first. `rooms::talk` checks that
//! the room is joined and publishes the message with a `<delay/>` of its own under a random id; `room::unheard`
//! remembers the id until the event comes. To each occupant, the author included, the service sends an event on the
//! room's node: `room::events` takes the author from the service's `publisher`, `rooms::occupants` knows the nick of
//! that full JID, and the client is shown a groupchat message from `room/nick`; its author is shown the id it was sent
//! under. If the publish is refused, its author gets a message error with that id; if the event does not come, the
//! room is asked whether the client is still in it.
//!
//! # To change something
//!
//! *Where is it?* A rule is where its function is: `translate/presence`, `contacts`, `rooms`, `chats`, each with a table
//! of its files at the top of `mod.rs`. The words of XEP-0060 are in `pubsub`, errors to either side in `wire::refuse`,
//! streams in `session`, sockets in `net`. A module may import only from floors below its own, and a function of the
//! translation never imports another one; `tests/house.rs` fails if it does.
//!
//! *A new rule.* Begin with a fixture (`fixtures/README.md` describes the format): the listing or a recording
//! (`pubshim run --record`) says what comes in; write what should come out by hand, from the specification or from
//! what a direct run shows. `cargo test --test fixtures` fails and says how. Name the rule (`Rule::new`, with its
//! listing and a sentence for people), apply it where the stanza is taken, and list it in `view/names.rs`. Then the
//! scene that shows what goes wrong: `tests/session` for one client with both sides scripted, `tests/pure` for several
//! on one clock. Whatever a server decides is tried on both, in `tests/servers`. Limits are on everything that comes
//! from a wire, cost one stanza and not the session, and are said to whoever has sent it.
//!
//! | to run | what |
//! |---|---|
//! | `cargo test` | all that needs neither servers nor a network |
//! | `cargo test --test fixtures rooms` | fixtures whose name has this in it |
//! | `pubshim replay --bless fixtures/…` | takes over what comes out, once it was read |
//! | `sh tests/all.sh` | everything, with real servers and clients, on Debian |
//! | `WALK_SEED=11 cargo test --test servers walk` | random walks against real servers, the same each time |
//! | `sh tests/fuzz/run.sh` | what a session promises, under bytes nobody thought of |
//! | `cargo bench --bench core` | the core without a network |
//! | `.ci/run` | what a change must pass |

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
