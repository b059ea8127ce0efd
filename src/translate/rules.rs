//! Rules of the translation, for people: name, listings, a sentence.

use crate::wire::Rule;

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
    "a shim's ping that asks whether this resource is there is answered for the client",
);

pub(crate) const HIDE: Rule = Rule::new(
    "presence-hide",
    "3",
    "the client is hidden from somebody, so nothing is published to anybody",
);

pub(crate) const REVOKE: Rule = Rule::new(
    "revoke",
    "11",
    "who may not see the account any more is no longer subscribed to its node 'presence'",
);

pub(crate) const FETCH: Rule = Rule::new(
    "presence-fetch",
    "4",
    "the contact's states are fetched from its node 'presence', as no native presence told them",
);

pub(crate) const SUBSCRIBE: Rule = Rule::new(
    "subscribe",
    "5, 9",
    "the account is subscribed to the contact's node 'presence'",
);

pub(crate) const UNSUBSCRIBE: Rule = Rule::new(
    "unsubscribe",
    "9",
    "the account's subscription to the contact's node 'presence' is ended",
);

pub(crate) const FORM: Rule = Rule::new(
    "subscription-form",
    "6, 10",
    "the service's question whether somebody may subscribe becomes that contact's request",
);

pub(crate) const FORM_KNOWN: Rule = Rule::new(
    "subscription-known",
    "10",
    "the user has answered this question already, or is being asked",
);

pub(crate) const APPROVE: Rule = Rule::new(
    "subscription-approve",
    "7, 11",
    "the contact may see the node 'presence': by the service's form, or as the node's owner",
);

pub(crate) const DENY: Rule = Rule::new(
    "subscription-deny",
    "11",
    "the contact may not see the node 'presence'",
);

pub(crate) const MEMBER: Rule = Rule::new(
    "subscription-member",
    "11",
    "contacts who may see the account are made members of its node 'presence'",
);

pub(crate) const STATE: Rule = Rule::new(
    "subscription-state",
    "7",
    "the contact's service says what became of our subscription",
);

pub(crate) const PACED: Rule = Rule::new(
    "subscription-paced",
    "5",
    "the server takes only some native subscription stanzas a minute, so this one waits",
);

pub(crate) const RECORD: Rule = Rule::new(
    "roster-record",
    "8",
    "what is known of contacts is written to a private node of the account",
);

pub(crate) const ROSTER: Rule = Rule::new(
    "roster",
    "8",
    "the roster is made of who is subscribed to whom, and the private node",
);

pub(crate) const MESSAGE_OUT: Rule = Rule::new(
    "message-publish",
    "18, 19",
    "a message is published on a node that whom it is to reads, which is made for the first one",
);
pub(crate) const MESSAGE_IN: Rule = Rule::new(
    "message-event",
    "20",
    "an item of a conversation's node is shown as a message of whoever has published it",
);
pub(crate) const MESSAGE_COPY: Rule = Rule::new(
    "message-copy",
    "19, 20",
    "the native copy of a published message names its item, so that a shim shows it once",
);
pub(crate) const NOT_IN_PUBSUB: Rule = Rule::new(
    "not-in-pubsub",
    "",
    "under pure nothing but pubsub leaves, and this is not translated yet: it is refused",
);

pub(crate) const SEEN: Rule = Rule::new(
    "presence-seen",
    "2, 4",
    "the client has seen this change already, natively or by event",
);
