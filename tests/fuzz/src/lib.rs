//! Modules that the fuzz targets share.
//!
//! | file | holds |
//! |---|---|
//! | `frames.rs` | the frames of a stream that comes in pieces |
//! | `tree.rs` | XML as another implementation reads it |
//! | `sink.rs` | one leg as its reader sees it: checks each frame that a session sends |
//! | `text.rs`, `text/` | stanzas of clients and servers, made from few words |
//! | `world.rs`, `world/` | a session between a client and a server that do anything |
//! | `crowd.rs` | a sandbox and clients that do anything |

pub mod crowd;
pub mod frames;
pub mod sink;
pub mod text;
pub mod tree;
pub mod world;

/// A stream header in which the prefixes of tests are declared.
pub const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' to='capulet.lit' version='1.0'>";
