//! Classic stanzas to publish-subscribe and back: what XEP-0207 is about.
//!
//! | file | holds | listings |
//! |---|---|---|
//! | `translator.rs` | which stanza goes to which of these | |
//! | `replies.rs` | which answer to an IQ of ours goes to which of these | |
//! | `login.rs` | what is done once in a session, and what can wait | |
//! | `gate.rs`, `inquiry.rs` | what has to be known before anything is published | 3 |
//! | `presence.rs` | the client's presence to publishes, going offline | 1, 3 |
//! | `events.rs` | events on contacts' nodes to presence | 2, 4 |
//! | `seen.rs` | one change, seen natively and by event, shown once | 2, 4 |
//! | `states.rs` | the contacts' states at login | 4 |
//! | `leftovers.rs` | items of resources that are gone | 3 |
//! | `visibility.rs` | who must not see the client | 3 |
//! | `subscriptions.rs` | subscription stanzas, forms and what services say of subscriptions | 5–7, 9–11 |
//! | `handshake.rs` | the states of a subscription (RFC 6121 Appendix A) | 5–7 |
//! | `natives.rs` | native subscription stanzas, as fast as the server takes them | 5, 7 |
//! | `followings.rs` | our subscriptions to contacts' nodes | 9 |
//! | `approvals.rs`, `revoke.rs` | who may see our node | 10, 11 |
//! | `farewell.rs` | who is taken out sees the client go | 3 |
//! | `pure.rs` | what a client says where nothing but pubsub may leave | 5–11 |
//! | `blocking.rs` | whom the user has blocked | |
//! | `contacts.rs` | what is known of each contact, and whose events are believed | 4 |
//! | `roster.rs` | the roster under `pure` | 8 |
//! | `record.rs` | what is remembered of contacts on a private node | 8 |
//! | `node.rs` | a node of the own account, made and verified | 3 |
//! | `rules.rs` | what is done, for people | |
//!
//! A translator handles a stanza and says whether it took it; what it does not take passes byte for
//! byte. It writes to the session's [`Wire`], and what it waits for is data
//! ([`Purpose`]), not a closure.

mod approvals;
mod blocking;
mod contacts;
mod entries;
mod events;
mod farewell;
mod followings;
mod gate;
mod handshake;
mod inquiry;
mod leftovers;
mod login;
mod natives;
mod node;
mod presence;
mod pure;
mod queue;
mod record;
mod replies;
mod revoke;
mod roster;
pub(crate) mod rules;
mod seen;
mod states;
mod strays;
mod subscriptions;
mod translator;
mod visibility;

pub(crate) use translator::Translator;

/// What the functions write to.
pub(crate) type Wire = crate::wire::Wire<Purpose>;

/// What the answer to an IQ of ours is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A step of making and verifying the presence node.
    Node(node::Step),
    /// Publishing the newest presence.
    Publish,
    /// Learning which items our resources have.
    OwnItems,
    /// Learning whether this resource of ours is there.
    Ping(Box<str>),
    /// Learning which privacy lists are in force.
    PrivacyLists,
    /// Learning what the list in force says.
    PrivacyList,
    /// Learning who is subscribed to our node, to end it.
    Subscribers,
    /// Ending a subscription or what an account may do with our node.
    Revoked(revoke::Change),
    /// Learning who is a member of our node.
    Members,
    /// Learning who is subscribed to our node, at login.
    Listed,
    /// Making contacts members of our node.
    Grant(Vec<Box<str>>),
    /// Subscribing to the node of this contact.
    Follow(Box<str>, followings::Question),
    /// Learning whom the user has blocked.
    Blocklist,
    /// A step of making and verifying the private node.
    RecordNode(node::Step),
    /// Learning what is on record of the contacts.
    RecordItems,
    /// Writing to the record.
    Recorded,
    /// Learning whom the account is subscribed to.
    Roster,
    /// Learning the states of a contact's resources.
    State(states::Fetch),
    /// Learning whether a contact's resource is there, which has published this.
    Alive(events::Held),
}
