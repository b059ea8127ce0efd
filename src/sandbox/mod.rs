//! A server that knows publish-subscribe and nothing else: for trying and testing, not a server to run.
//!
//! The sandbox takes logins and serves XEP-0060: at each account's bare JID (PEP, XEP-0163), at `chat.<domain>` and
//! at `pubsub.<domain>`. There is no roster, no presence, no MUC and no routing of messages; each is
//! refused with an error. The sandbox has no rules made for the translator: a classic client that works on it
//! through the shim shows that pubsub alone suffices.
//!
//! | file | holds |
//! |---|---|
//! | `config.rs` | domains, accounts, limits |
//! | `server.rs` | [`Server`]: connections and sessions, delivery to them |
//! | `connection.rs`, `output.rs` | a connection: its bytes and its stage; bytes to send |
//! | `stream.rs` | a stream from its header to its bound resource (RFC 6120 §4–7) |
//! | `sasl.rs` | PLAIN and SCRAM, the server's side |
//! | `stanzas.rs` | handles IQs, messages and presence |
//! | `disco.rs` | XEP-0030: identities, features and items of the addresses |
//! | `pubsub/` | XEP-0060, a file for each role |
//! | `store.rs` | the nodes as text that a person can read, and back |
//! | `form.rs`, `error.rs`, `random.rs` | data forms, stanza errors, ids from a seed |
//!
//! There is no I/O here; [`net::Sandbox`](crate::net::Sandbox) moves the bytes.
//!
//! Decisions where XEP-0060 leaves a choice, and departures from it for XEP-0207:
//!
//! - The default access model is `authorize` on every service (XEP-0207 §8). The models `presence` and `roster` are
//!   refused: the sandbox has neither.
//! - Publishing creates a node only if there are publish-options, which show that the client wants it.
//! - Subscription options may repeat the `node` and `jid` of their `<subscribe/>`, as listing 13 prints
//!   them (XEP-0060 §6.3.7 forbids it), and hold fields of other specifications, such as `roomnick`.
//! - `pubsub#publisher` in a configuration makes publishers (listing 18).
//! - An owner's list of subscriptions has the pending ones, too (§8.8.1.2 advises against it).
//! - An authorization request comes from the domain of a PEP node's owner (listing 10), and again at
//!   each login of an owner until it is answered with its `id`.
//! - An item can be replaced only by the account that published it. Under the publish model `subscribers`, an author
//!   who is neither publisher nor owner cannot retract his item. Both as on ejabberd. [`Ways::Prosody`] lets everybody
//!   replace the items of others.
//! - An item's publisher stands in its attribute `publisher`, and beside the event as the address for replies
//!   (listing 17).
//! - Events go out before the answer to the request that caused them, as on stock servers. Messages to a single
//!   subscriber go out after it.
//! - An account that becomes an outcast loses its subscriptions. A subscriber is told of changes that others made to
//!   his subscription, not of his own.
//! - An item that is dropped for a newer one (`max_items`) is not announced as retracted.
//! - Temporary subscriptions (`pubsub#tempsub`) end: that of a full JID with its session, that of a bare JID with the
//!   account's last session. Items of nodes with `pubsub#purge_offline` go with the session that published them.

mod config;
mod connection;
mod disco;
mod error;
mod form;
mod output;
mod pubsub;
mod random;
mod sasl;
mod server;
mod stanzas;
mod store;
mod stream;

pub use config::{Config, ConfigError, Limits, Ways};
pub use output::{ConnectionId, Output, Then};
pub use server::Server;
pub use store::DataError;

/// The sandbox's description of itself, wherever a protocol has room for one.
pub const NAME: &str =
    "pubshim sandbox: nothing but publish-subscribe, for trying and testing, not a server to run";
