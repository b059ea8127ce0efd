//! The thin shell around sessions: sockets, TLS, the clock, randomness.
//!
//! | file | holds |
//! |---|---|
//! | `listener.rs` | accepts clients, counts them, ends their sessions when the program ends |
//! | `proxy_header.rs` | what a proxy before pubshim says first: whose connection it is |
//! | `descriptors.rs` | how many files may be open, and what becomes of who comes when they are |
//! | `connector.rs` | connects the server's leg, or says what was tried |
//! | `names.rs`, `dns.rs` | look up servers and addresses |
//! | `targets.rs` | which servers of a domain to try, in which order |
//! | `route.rs` | what of them is still to be tried for one session |
//! | `reaching.rs` | the server's leg of one session while it is being made |
//! | `race.rs` | the first of several addresses that answers |
//! | `proxy.rs` | the way through a SOCKS5 proxy |
//! | `facts.rs` | what sessions have learned of servers |
//! | `tls.rs` | secures the server's leg |
//! | `tls_failure.rs` | why that did not work, in the user's words |
//! | `tls_probe.rs` | looks again at a certificate that was refused |
//! | `tls_certificate.rs` | what may be printed of it |
//! | `heard.rs` | keeps the first bytes a server sends |
//! | `sandbox.rs` | the sockets and the file of a [`sandbox`](crate::sandbox) |
//! | `budget.rs` | how much all sessions together may hold |
//! | `zlib.rs` | the server's leg compressed |
//! | `client.rs` | the client's leg: TCP or a Unix socket, as it is or with TLS |
//! | `client_tls.rs`, `hello.rs` | secures the client's leg, and which name it asks for |
//! | `certificate/` | the certificates clients are shown, and `pubshim cert` |
//! | `socket.rs`, `unix.rs` | what the listener accepts clients from |
//! | `pump.rs` | the one task that owns both connections of a session |
//! | `half.rs` | one of the two: read, written, flushed, ended |
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
mod certificate;
mod client;
mod client_tls;
mod connector;
mod descriptors;
#[cfg(feature = "srv")]
mod dns;
mod facts;
mod forget;
mod half;
mod heard;
mod hello;
mod listener;
mod names;
mod proxy;
mod proxy_header;
mod pump;
mod race;
mod reaching;
mod recorder;
mod route;
mod sandbox;
mod show;
mod socket;
mod targets;
mod tls;
mod tls_certificate;
mod tls_failure;
mod tls_probe;
mod unix;
mod watch;
mod zlib;

pub use certificate::{CertificateError, cert};
pub use connector::Connector;
pub use forget::forget;
pub use listener::Listener;
pub use sandbox::Sandbox;
