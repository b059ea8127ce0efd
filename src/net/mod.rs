//! The thin shell around sessions: sockets, TLS, the clock, randomness.
//!
//! | file | holds |
//! |---|---|
//! | `listener.rs` | accepts clients, counts them, ends their sessions when the program ends |
//! | `client/` | the client's leg: sockets, TLS, certificates |
//! | `server/` | the server's leg: found, reached, secured, compressed |
//! | `prefixed.rs` | a connection of which some bytes were read already |
//! | `pump.rs` | the one task that owns both connections of a session |
//! | `half.rs` | one of the two connections: read, written, flushed, ended |
//! | `budget.rs` | how many bytes all sessions together may hold |
//! | `descriptors.rs` | how many files may be open, and the client that is turned away for want of one |
//! | `domain.rs` | domains as DNS and certificates know them |
//! | `tcp.rs` | socket options of every TCP connection |
//! | `lock.rs` | a lock between processes |
//! | `pem.rs` | a certificate and its key, as files hold them |
//! | `forget.rs` | listens until one account is forgotten, and prints what is done |
//! | `sandbox.rs` | the sockets and the file of a [`sandbox`](crate::sandbox) |
//! | `watch.rs` | threads that are told what sessions do, without keeping them waiting |
//! | `recorder.rs` | writes recordings |
//! | `show.rs` | writes the live view |

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the shell: sockets, the clock and randomness are here, and nowhere else"
)]

mod budget;
mod client;
mod descriptors;
mod domain;
mod forget;
mod half;
mod listener;
mod lock;
mod pem;
mod prefixed;
mod pump;
mod recorder;
mod sandbox;
mod server;
mod show;
mod tcp;
mod watch;

pub use client::certificate::{CertificateError, cert};
pub use forget::forget;
pub use listener::Listener;
pub use sandbox::Sandbox;
pub use server::connector::Connector;
pub(crate) use watch::Announcer;
