//! Bytes to frames to elements, and back: all of it without I/O.
//!
//! A [`Framer`] cuts a stream into frames and checks them, and leaves an index of where the elements stand;
//! an [`Element`] is a place in it and reads a frame without copying; [`rewrite`] changes a stanza in few
//! places and keeps all other bytes as they came.

mod border;
mod chars;
mod declarations;
mod element;
mod error;
mod framer;
mod index;
mod known;
mod limits;
mod namespaces;
mod skipper;
mod splice;
mod tag;
mod unique;
mod walk;
mod witness;

pub(crate) use border::Border;
pub use chars::{escape, unescape};
pub(crate) use chars::{first_chars, is_unsafe, shown};
pub use element::{Children, Element};
pub use error::XmlError;
pub(crate) use framer::BYTES;
pub use framer::{Frame, FrameKind, Framer};
pub(crate) use index::Index;
pub use limits::Limits;
pub use namespaces::Namespaces;
pub(crate) use skipper::{Skipper, head};
pub(crate) use splice::standalone_child;
pub use splice::{put_attribute, rewrite, rewrite_standalone, standalone};
pub use tag::{Attribute, Attributes, Tag};
pub(crate) use walk::{Step, Walk, sole_element};
pub(crate) use witness::{beginning, witness};
