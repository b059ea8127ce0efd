//! The words of publish-subscribe (XEP-0060): written and read here, and nowhere else.
//!
//! | file | holds | XEP-0060 |
//! |---|---|---|
//! | `request.rs` | requests to a service | §5.6, §6, §7, §8 |
//! | `answer.rs` | its answers | |
//! | `event.rs` | events, which it sends unasked | §4.3, §7.1.2, §8.6 |
//! | `authorization.rs` | who may subscribe: listings 10 and 11 | §8.6 |
//! | `unwrap.rs` | payloads, without children that only a server may vouch for | |
//! | `form.rs` | data forms (XEP-0004) | |
//!
//! Pure functions: no state, no waiting, no knowledge of what the translation uses them for.

pub(crate) mod answer;
mod authorization;
mod event;
pub(crate) mod form;
pub(crate) mod request;
mod unwrap;

pub(crate) use authorization::{Question, returned_answer};
pub(crate) use event::{Event, What};
pub(crate) use unwrap::{payload, write_presence};

/// The node of listings 3 and 4: an account's presence.
pub(crate) const PRESENCE: &str = "presence";
/// The private node on which an account's contacts are on record.
pub(crate) const ROSTER: &str = "urn:pubshim:roster";
/// The private node that records what the client was shown of one-to-one conversations.
pub(crate) const CHATS: &str = "urn:pubshim:chats";
