//! The server's leg: found, reached, secured, compressed.
//!
//! | file | holds |
//! |---|---|
//! | `connector.rs` | connects, or says what was tried |
//! | `names.rs`, `dns.rs` | look up servers and addresses |
//! | `targets.rs` | which servers of a domain to try, in which order |
//! | `route.rs` | what of them is still to be tried for one session |
//! | `reaching.rs` | the leg of one session while it is being made |
//! | `race.rs` | the first of several addresses that answers |
//! | `proxy.rs` | the way through a SOCKS5 proxy |
//! | `facts.rs` | what sessions have learned of servers |
//! | `tls.rs` | secures it |
//! | `secured.rs` | the leg that is secured |
//! | `tls_failure.rs` | why that did not work, in the user's words |
//! | `tls_probe.rs` | looks again at a certificate that was refused |
//! | `tls_certificate.rs` | what may be printed of it |
//! | `heard.rs` | keeps the first bytes a server sends |
//! | `zlib.rs` | compresses it |

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
