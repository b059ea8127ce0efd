//! Policy `pure` as a whole: classic clients, the translation and the sandbox, which has nothing but pubsub. No test
//! here reads a clock or opens a socket, so that "nothing comes" and "once" can be seen.
//!
//! A client has to see what RFC 6121 promises; only stanzas of XEP-0207 may reach the server.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod stage;
#[path = "../world/mod.rs"]
mod stories;
mod world;

mod chats;
mod handshake;
mod many;
mod offline;
mod owners;
mod refused;
mod resources;
mod rooms;
mod roster;
