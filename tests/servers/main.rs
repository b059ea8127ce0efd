//! Real servers: stock ejabberd and stock Prosody from Debian, real clients (slixmpp) and the built
//! `pubshim` between them. `cargo test --test servers` runs it; plain `cargo test` does not, since it
//! needs the packages. Every test runs on both servers, with accounts of its own, so all run at once.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "these tests start servers and wait for them"
)]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

/// `on_both_servers!(name)` makes the tests `name::ejabberd` and `name::prosody` of `fn name(Kind)`.
macro_rules! on_both_servers {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[test]
            fn ejabberd() {
                super::$name(crate::server::Kind::Ejabberd);
            }

            #[test]
            fn prosody() {
                super::$name(crate::server::Kind::Prosody);
            }
        }
    )*};
}

#[path = "../common/mod.rs"]
mod common;

mod between;
#[path = "../common/dns.rs"]
mod dns;
mod forger;
mod hidden;
mod people;
mod process;
mod puppet;
mod recorded;
mod relay;
#[path = "../sandbox/running.rs"]
mod running;
mod server;
mod shim;
mod stage;
#[path = "../world/mod.rs"]
mod stories;
mod strangers;
mod tap;

mod attacks;
mod chats;
mod compression;
mod demo;
mod direct;
mod forget;
mod haproxy;
mod login_certificate;
mod presence;
mod pubsub;
mod pure;
mod reach;
mod recipes;
mod repair;
mod robust;
mod rooms;
mod sandbox;
mod subscriptions;
mod transparent;
mod walk;
