//! The program around the core: sockets, TLS, limits, signals. The servers here are stand-ins that say
//! only what a test is about; how real ones behave is tested in `tests/servers`.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests of the shell start it, and are its peers"
)]
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod certificate;
mod certificates;
mod client_tls;
mod compression;
mod descriptors;
#[cfg(feature = "srv")]
#[path = "../common/dns.rs"]
mod dns;
#[cfg(feature = "srv")]
mod finding;
mod flow;
mod forget;
mod limits;
mod login_certificate;
mod proxied;
mod proxy;
mod reaching;
mod recording;
mod showing;
mod stopping;
#[path = "../common/text.rs"]
mod text;
mod told;
mod tools;
mod unix;
mod weight;
