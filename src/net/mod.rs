//! The thin shell around sessions: sockets, TLS, the clock, randomness.
//!
//! | file | holds |
//! |---|---|
//! | `listener.rs` | accepts clients, counts them, ends their sessions when the program ends |
//! | `proxy_header.rs` | what a proxy before pubshim says first: whose connection it is |
//! | `descriptors.rs` | how many files may be open, and what becomes of who comes when they are |
//! | `connector.rs` | resolves and connects the server's leg |
//! | `tls.rs` | secures the server's leg |
//! | `sandbox.rs` | the sockets and the file of a [`sandbox`](crate::sandbox) |
//! | `budget.rs` | how much all sessions together may hold |
//! | `zlib.rs` | the server's leg compressed |
//! | `pump.rs` | the one task that owns both connections of a session |
//! | `forget.rs` | listens until one account is forgotten, and prints what is done |
//! | `watch.rs` | threads that are told what sessions do, without keeping them waiting |
//! | `recorder.rs` | writes recordings |
//! | `show.rs` | writes the live view |

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the shell: sockets, the clock and randomness are here, and nowhere else"
)]

mod budget;
mod connector;
mod descriptors;
mod forget;
mod listener;
mod proxy_header;
mod pump;
mod recorder;
mod sandbox;
mod show;
mod tls;
mod watch;
mod zlib;

pub use connector::Connector;
pub use forget::forget;
pub use listener::Listener;
pub use sandbox::Sandbox;
