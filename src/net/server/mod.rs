//! The server's leg: finding, reaching and securing the server, and compression.
//!
//! | file | holds |
//! |---|---|
//! | `connector.rs` | connects, or reports what was tried |
//! | `names.rs`, `dns.rs` | look up servers and addresses |
//! | `targets.rs` | which servers of a domain to try, in which order |
//! | `route.rs` | the servers still to be tried for one session, and why the others failed |
//! | `reaching.rs` | the leg of one session while it is being connected or secured |
//! | `race.rs` | connects to the first of several addresses that answers |
//! | `proxy.rs` | connects through a SOCKS5 proxy |
//! | `facts.rs` | facts that sessions have learned of servers |
//! | `tls.rs` | secures the leg |
//! | `secured.rs` | the secured leg |
//! | `tls_failure.rs` | why TLS failed, in words for the user |
//! | `tls_probe.rs` | fetches a refused certificate once more, to tell the user about it |
//! | `tls_certificate.rs` | the part of a certificate that may be printed |
//! | `heard.rs` | keeps the first bytes a server sends |
//! | `zlib.rs` | compresses the leg |

pub(super) mod connector;
#[cfg(feature = "srv")]
mod dns;
mod facts;
mod heard;
mod names;
mod proxy;
mod race;
pub(super) mod reaching;
mod route;
mod secured;
mod targets;
mod tls;
mod tls_certificate;
mod tls_failure;
mod tls_probe;
pub(super) mod zlib;
