//! How much of a session is translated to publish-subscribe.

/// How much of a session is translated to publish-subscribe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Rewrite to pubsub what works on a stock server and keep the native side in step.
    #[default]
    Auto,
    /// The letter of XEP-0207: nothing but pubsub leaves. That is presence, subscriptions, the roster, rooms and
    /// messages to one account; anything else is refused.
    Pure,
    /// Change nothing, to find out whether pubshim is to blame: once logged in, bytes pass as they come.
    Off,
}

/// A function that `--native` can switch back to classic XMPP inside [`Policy::Auto`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    /// Presence, with its subscriptions and the roster (listings 1–11).
    Presence,
    /// Groupchat (listings 12–17).
    Rooms,
    /// One-to-one messages (listings 18–20).
    Chat,
}

/// When one-to-one messages go by pubsub under [`Policy::Auto`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Chat {
    /// If the server keeps no archive of the account's messages, which would lack those sent by pubsub.
    #[default]
    Auto,
    /// Always; an archive lacks them.
    Pubsub,
    /// Never: messages stay classic XMPP.
    Native,
}

/// `pubshim forget`: after the login, pubshim's nodes on the account are handled, and nothing is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// List the nodes.
    List,
    /// List and remove the nodes.
    Remove,
}

impl Policy {
    /// Whether `function` is translated when those in `native` are left to classic XMPP. One-to-one messages need
    /// presence, by which shims recognise each other.
    pub fn translates(self, function: Function, native: &[Function]) -> bool {
        let is_native = native.contains(&function)
            || function == Function::Chat && native.contains(&Function::Presence);
        match self {
            Self::Off => false,
            Self::Pure => true,
            Self::Auto => !is_native,
        }
    }
}
