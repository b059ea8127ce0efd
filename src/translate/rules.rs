//! What is done to stanzas, for people: the rule's name, the listings it comes from, a sentence.

/// A rule of the translation.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// A short name, as in the live view and in counters.
    pub name: &'static str,
    /// The listings of XEP-0207 it comes from; empty: none.
    pub listing: &'static str,
    /// What is done.
    pub text: &'static str,
}

impl Rule {
    const fn new(name: &'static str, listing: &'static str, text: &'static str) -> Self {
        Self {
            name,
            listing,
            text,
        }
    }
}

pub(crate) const PUBLISH: Rule = Rule::new(
    "presence-publish",
    "1, 3",
    "the presence is published to the account's own node 'presence', once that is verified",
);

pub(crate) const NATIVE_COPY: Rule = Rule::new(
    "presence-native",
    "1",
    "the native presence goes out too, first and with the same id, marked for other shims",
);

pub(crate) const WITHDRAW: Rule = Rule::new(
    "presence-withdraw",
    "3",
    "unavailable is published to the node 'presence', then the item of this resource is taken away",
);

pub(crate) const EVENT: Rule = Rule::new(
    "presence-event",
    "2, 4",
    "the event on a contact's node 'presence' becomes the presence it holds",
);

pub(crate) const HELD: Rule = Rule::new(
    "presence-held",
    "4",
    "the event waits until the roster says whether its sender is a contact",
);

pub(crate) const SEEN: Rule = Rule::new(
    "presence-seen",
    "2, 4",
    "the client has seen this change already, natively or by event",
);

pub(crate) const MARKER: Rule = Rule::new(
    "presence-marker",
    "",
    "the mark of another shim is taken out",
);

pub(crate) const PUSH: Rule = Rule::new(
    "roster-push",
    "8",
    "the roster push is answered here, as the client has never asked for its roster",
);

pub(crate) const REPLY: Rule = Rule::new(
    "own-reply",
    "",
    "the answer to a request of pubshim's own is not the client's",
);

pub(crate) const CSI: Rule = Rule::new(
    "client-state",
    "",
    "the client's state is not told to the server, which would hold events back",
);

pub(crate) const REFUSED: Rule = Rule::new(
    "refused",
    "",
    "the element is no stanza and was not offered: it is refused towards its sender",
);

pub(crate) const LEFTOVER: Rule = Rule::new(
    "presence-leftover",
    "3",
    "a resource of this account is gone: the item it left is taken away",
);

pub(crate) const PING: Rule = Rule::new(
    "ping",
    "",
    "a ping that asks whether this resource is there is answered for the client",
);

pub(crate) const HIDE: Rule = Rule::new(
    "presence-hide",
    "3",
    "the client is hidden from somebody, so nothing is published to anybody",
);

pub(crate) const REVOKE: Rule = Rule::new(
    "revoke",
    "",
    "whoever is blocked is no longer subscribed to the node 'presence'",
);

pub(crate) const FETCH: Rule = Rule::new(
    "presence-fetch",
    "4",
    "the contact's states are fetched from its node 'presence', as no native presence told them",
);
