//! Classic stanzas to publish-subscribe and back: what XEP-0207 is about.
//!
//! | file | holds | listings |
//! |---|---|---|
//! | `translator.rs` | which stanza goes to which of these | |
//! | `presence.rs` | the client's presence to publishes, going offline | 1, 3 |
//! | `events.rs` | events on contacts' nodes to presence | 2, 4 |
//! | `seen.rs` | one change, seen natively and by event, shown once | 2, 4 |
//! | `contacts.rs` | the account's contacts, and whose events are believed | 4 |
//! | `handshake.rs` | the states of a subscription | 5–11 |
//! | `states.rs` | the contacts' states at login | 4 |
//! | `leftovers.rs` | items of resources that are gone | 3 |
//! | `visibility.rs` | who must not see the client | 3 |
//! | `revoke.rs` | subscriptions ended | 11 |
//! | `node.rs` | a node of the own account, made and verified | 3 |
//! | `rules.rs` | what is done, for people | |
//! | `form.rs` | data forms (XEP-0004) | |
//!
//! A translator handles a stanza and says whether it took it; what it does not take passes byte for
//! byte. It writes to the session's [`Wire`](crate::session), and what it waits for is data
//! ([`Purpose`]), not a closure.

mod contacts;
mod events;
mod form;
mod handshake;
mod leftovers;
mod node;
mod presence;
mod revoke;
pub(crate) mod rules;
mod seen;
mod states;
mod translator;
mod visibility;

pub use rules::Rule;
pub(crate) use translator::Translator;

/// What the answer to an IQ of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A step of making and verifying the presence node.
    Node(node::Step),
    /// Publishing the newest presence.
    Publish(u32),
    /// Learning which items our resources have.
    OwnItems,
    /// Learning whether the resource of this number is there.
    Ping(usize),
    /// Learning which privacy lists are in force.
    PrivacyLists,
    /// Learning what the list in force says.
    PrivacyList,
    /// Learning who is subscribed to our node.
    Subscribers,
    /// Learning whom the account is subscribed to.
    Roster,
    /// Learning the states of a contact's resources, by the number of the question.
    State(u32),
    /// Learning whether a contact's resource is there, by the number of the question.
    Alive(u32),
    /// Nothing follows from the answer.
    Ignore,
}
