//! Classic stanzas to publish-subscribe and back: what XEP-0207 is about.
//!
//! | file or folder | holds | listings |
//! |---|---|---|
//! | `router.rs` | which stanza, event, question and answer goes to which function; what follows from it | |
//! | `presence/` | the client's presence to publishes; contacts' events to presence | 1–4 |
//! | `contacts/` | subscriptions and the roster: who may see us, whom we see | 5–11 |
//! | `chats/` | one-to-one messages | 18–20 |
//! | `rooms/` | rooms on a publish-subscribe service | 12–17 |
//! | `forget.rs` | what pubshim has left on the account is removed | |
//! | `account.rs` | what all functions know of the account | |
//! | `people.rs`, `relation.rs`, `block_list.rs` | what is known of each contact | |
//! | `node.rs`, `inquiry.rs` | a node of the own account; a question to the own server | 3 |
//! | `rules.rs` | what is done, for people | |
//! | `marker.rs`, `shown.rs` | the marker of shims; items that were shown, and times | |
//! | `queue.rs`, `held.rs` | accounts that wait for their turn; stanzas that wait | |
//!
//! A function (`presence/`, `contacts/`) never imports another one, nor the router. It is handed a [`Cx`]: the
//! account's shared knowledge, of which each row has one writer, and the session's [`Wire`]. It says whether it
//! took a stanza; what nobody takes passes byte for byte. What it waits for is data ([`Ask`]), not a closure.

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

/// What the functions write to.
pub(crate) type Wire = crate::wire::Wire<Ask>;

/// What the answer to an IQ of ours is for: each function in words of its own, with all it needs to go on.
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
    /// Whether an error that comes is the answer: what the client has asked is shown whole.
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

/// Whether a stanza was taken.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Taken,
    /// It passes byte for byte.
    Pass,
}

/// What a function is handed. Two fields, so that one can be read while the other is written.
pub(crate) struct Cx<'a> {
    account: &'a mut Account,
    wire: &'a mut Wire,
}
