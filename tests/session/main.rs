//! The core without I/O, from outside: the stanzas of a session on both legs, to a scripted client and server.
//!
//! Expected values are those of RFC 6120 and 6121, XEP-0060 and XEP-0207; the server's stanzas are cut from real ones
//! of ejabberd 23.01 and Prosody 0.12.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod backpressure;
mod chats;
mod client_tls;
mod closing;
mod compression;
mod contacts;
mod driver;
mod ending;
mod escaped;
mod features;
mod forget;
mod large;
mod limits;
mod login;
mod off;
mod passing;
mod presence;
mod reaching;
mod recorded;
mod refused;
mod requests;
mod rooms;
mod scenes;
mod told;
