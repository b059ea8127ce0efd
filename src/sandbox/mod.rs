//! A server that knows publish-subscribe and nothing else: for trying and testing, not a server to run.
//!
//! It takes logins and serves XEP-0060: at each account's bare JID (PEP, XEP-0163), at `chat.<domain>` and
//! at `pubsub.<domain>`. There is no roster, no presence, no MUC and no routing of messages; each is
//! refused with an error. It knows no rule of the translator: if a classic client works on it through
//! the shim, pubsub is the one model that serves all needs.
//!
//! | file | holds |
//! |---|---|
//! | `config.rs` | domains, accounts, limits |
//! | `server.rs` | [`Server`]: who is connected, what is sent to whom |
//! | `connection.rs`, `output.rs` | a connection: its bytes, how far it is; what is to be sent on which |
//! | `stream.rs` | a stream from its header to its bound resource (RFC 6120 §4–7) |
//! | `sasl.rs` | PLAIN and SCRAM, the server's side |
//! | `stanzas.rs` | what happens to an IQ, a message, a presence |
//! | `disco.rs` | XEP-0030: what the addresses say they are |
//! | `pubsub/` | XEP-0060, a file for each role |
//! | `store.rs` | the nodes as text that a person can read, and back |
//! | `form.rs`, `error.rs`, `random.rs` | data forms, stanza errors, ids from a seed |
//!
//! There is no I/O here; [`net::Sandbox`](crate::net::Sandbox) moves the bytes.
//!
//! What it decides where XEP-0060 leaves a choice, and where it departs from it for XEP-0207:
//!
//! - The default access model is `authorize` on every service (XEP-0207 §8). `presence` and `roster` are
//!   refused: there is neither here.
//! - Publishing creates a node only with publish-options, which say that this is wanted.
//! - Subscription options may repeat the `node` and `jid` of their `<subscribe/>`, as listing 13 prints
//!   them (XEP-0060 §6.3.7 forbids it), and hold fields of other specifications, such as `roomnick`.
//! - `pubsub#publisher` in a configuration makes publishers (listing 18).
//! - An owner's list of subscriptions has the pending ones, too (§8.8.1.2 advises against it).
//! - An authorization request comes from the domain of a PEP node's owner (listing 10), and again at
//!   each login of an owner until it is answered with its `id`.
//! - An item can be replaced only by the account that published it, and an author under the publish model
//!   `subscribers` who is neither publisher nor owner cannot take his away: so does ejabberd. [`Ways::Prosody`]
//!   lets everybody replace what others published.
//! - The item's publisher stands in its attribute `publisher`, and beside the event as the address for replies
//!   (listing 17).
//! - Events go out before the answer to the request that caused them, as on stock servers. What only one
//!   subscriber is told goes behind it.
//! - Who becomes an outcast loses his subscriptions. A subscriber is told what others did to his
//!   subscription, not what he did himself.
//! - An item that no longer fits is dropped without a notification.
//! - Subscriptions that end with a session (`pubsub#tempsub`): of a full JID with that session, of a bare JID
//!   with the account's last. Items that do (`pubsub#purge_offline`): those published in that session.

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

/// What the sandbox says of itself wherever a protocol lets it.
pub const NAME: &str =
    "pubshim sandbox: nothing but publish-subscribe, for trying and testing, not a server to run";
