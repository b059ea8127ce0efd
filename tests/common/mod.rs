//! Helpers that the tests of several binaries share.
#![allow(dead_code, unused_imports, reason = "each binary uses a part of it")]

mod people;
mod pubsub;
mod say;
mod server;
mod stream;
mod text;
mod tree;

pub(crate) use people::*;
pub(crate) use pubsub::*;
pub(crate) use say::*;
pub(crate) use server::*;
pub(crate) use stream::*;
pub(crate) use text::*;
pub(crate) use tree::Node;
