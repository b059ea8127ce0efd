//! Classic stanzas to publish-subscribe and back: what XEP-0207 is about.
//!
//! | file or folder | holds | listings |
//! |---|---|---|
//! | `router.rs` | gives each stanza, event, question and answer to its function; runs what follows | |
//! | `presence/` | the client's presence to publishes; contacts' events to presence | 1–4 |
//! | `contacts/` | subscriptions and the roster: who may see us, whom we see | 5–11 |
//! | `chats/` | one-to-one messages | 18–20 |
//! | `rooms/` | rooms on a publish-subscribe service | 12–17 |
//! | `forget.rs` | finds and removes what pubshim has left on the account | |
//! | `account.rs` | the account's knowledge shared by all functions | |
//! | `people.rs`, `relation.rs`, `block_list.rs` | contacts: relations, records, blocks | |
//! | `node.rs`, `inquiry.rs` | a node of the own account; a question to the own server | 3 |
//! | `rules.rs` | rules and their sentences for people | |
//! | `marker.rs`, `shown.rs` | the marker of shims; items that were shown, and times | |
//! | `queue.rs`, `held.rs` | accounts that wait for their turn; stanzas that wait | |
//!
//! A function (`presence/`, `contacts/`) never imports another one, nor the router. It is called with a [`Cx`]: the
//! account's shared knowledge, of which each row has one writer, and the session's [`Wire`]. It answers whether it
//! took a stanza; a stanza that no function takes passes byte for byte. A request carries its context as data
//! ([`Ask`]), not as a closure.

mod account;
mod block_list;
mod chats;
mod contacts;
mod forget;
mod held;
mod inquiry;
mod marker;
mod node;
mod people;
mod presence;
mod queue;
mod relation;
mod rooms;
mod router;
pub(crate) mod rules;
mod shown;

pub(crate) use rooms::WHOM_IT_IS_FOR;
pub(crate) use router::Translator;

use account::Account;

/// The session's wire, with the requests of all functions.
pub(crate) type Wire = crate::wire::Wire<Ask>;

/// The purpose of an IQ of ours, with all the context its function needs to handle the answer.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A step of making and verifying the node `presence`.
    Node(node::Step),
    Presence(presence::Ask),
    Contacts(contacts::Ask),
    Rooms(rooms::Ask),
    Chats(chats::Ask),
    Forget(forget::Ask),
}

impl Ask {
    /// Whether an error counts as an answer: errors to requests relayed for the client are shown to it whole.
    fn reads_errors(&self) -> bool {
        matches!(self, Self::Rooms(rooms::Ask::Relayed(_)))
    }
}

/// The three stanzas (RFC 6120 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Message,
    Presence,
    Iq,
}

/// Whether a function took a stanza.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Taken,
    /// The stanza passes byte for byte.
    Pass,
}

/// The context of a function. Two fields, so that one can be read while the other is written.
pub(crate) struct Cx<'a> {
    account: &'a mut Account,
    wire: &'a mut Wire,
}
