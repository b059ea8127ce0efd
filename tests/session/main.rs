//! The core without I/O, from outside: what a session says on both legs to a scripted client and server.
//!
//! Expected values are those of RFC 6120 and 6121, XEP-0060 and XEP-0207; what the server says is cut
//! from what ejabberd 23.01 and Prosody 0.12 really said.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod addresses;
mod backpressure;
mod cells;
mod chats;
mod client_tls;
mod closing;
mod compression;
mod driver;
mod ending;
mod escaped;
mod farewell;
mod features;
mod forget;
mod form_input;
mod forms;
mod gate;
mod handshake;
mod hostile;
mod large;
mod leftovers;
mod limits;
mod login;
mod natives;
mod node;
mod off;
mod once;
mod passing;
mod presence_in;
mod presence_out;
mod publish;
mod reaching;
mod record;
mod refused;
mod repair;
mod requests;
mod revocation;
mod rooms;
mod roster;
mod scenes;
mod states;
mod subscriptions;
mod told;
mod trust;
mod unavailable;
mod visibility;
