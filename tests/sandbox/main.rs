//! The sandbox: its core on bytes, against the text of XEP-0060 (sections are named where a test is),
//! and its sockets.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "these tests use sockets and files"
)]

mod access;
mod authorization;
mod driver;
mod file;
mod hostile;
mod login;
mod notifications;
mod owner;
mod publisher;
mod running;
mod socket;
mod stanzas;
mod subscriber;
#[path = "../common/text.rs"]
mod text;
