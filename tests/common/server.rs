//! The polite server: it knows what an IQ of ours means, and answers as it holds the account.

use super::people::OWN;
use super::pubsub::*;
use super::say::words;
use super::tree::Node;

/// Subjects of the session's own IQs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Roster,
    Blocklist,
    Privacy,
    Members,
    Subscribers,
    /// The items of the own node `presence`.
    Items,
    /// The items of the private node.
    Record,
    /// How a node of ours is set up.
    Node,
    /// Not a question: something of the own account's is changed.
    Change,
    /// Asked of somebody else.
    Contact,
    /// The same, and about nothing that this server knows: rooms, and what their occupants are asked.
    Stranger,
}

impl Question {
    /// The subject of a stanza of ours; `None`: it is no question, or this server does not know its meaning.
    pub(crate) fn of(iq: &Node) -> Option<Self> {
        if !is_question(iq) {
            return None;
        }
        let Some(words) = words(iq) else {
            return iq.attribute("to").map(|_| Self::Stranger);
        };
        Some(match &*words {
            "get roster" => Self::Roster,
            "get blocklist" => Self::Blocklist,
            "get privacy" => Self::Privacy,
            "get members" => Self::Members,
            "get subscribers" => Self::Subscribers,
            "get record" => Self::Record,
            "fetch own" => Self::Items,
            _ if iq.attribute("to").is_some() => Self::Contact,
            words if words.starts_with("configure") => Self::Node,
            _ => Self::Change,
        })
    }
}

/// Whether this is a question of the session's own, by its id: clients' requests have other ids.
pub(crate) fn is_ours(stanza: &Node) -> bool {
    const LEN: usize = "ps-01234567-0123456789abcdef0123456789abcdef".len();
    let id = stanza.attribute("id").unwrap_or_default();
    is_question(stanza) && id.starts_with("ps-") && id.len() == LEN
}

pub(crate) fn is_question(stanza: &Node) -> bool {
    stanza.local == "iq" && matches!(stanza.attribute("type"), Some("get" | "set"))
}

/// The server's state of an account, from which it answers.
#[derive(Clone, Default)]
pub(crate) struct Account {
    /// The items of the roster; `None`: it cannot be had.
    pub(crate) roster: Option<String>,
    pub(crate) members: Vec<String>,
    /// Subscribers of the node; `None`: owners cannot list them, as on ejabberd.
    pub(crate) subscribers: Option<Vec<String>>,
    pub(crate) blocked: Vec<String>,
    /// The contact on record, if there is one; `None`: the record cannot be had.
    pub(crate) record: Option<String>,
    /// Answers to be given as they are here.
    pub(crate) answers: Vec<(Question, String)>,
}

/// The payload of an answer, or the type and condition of an error.
pub(crate) type Answer<'a> = Result<String, (&'a str, &'a str)>;

/// The answer of a server to a question it does not know.
pub(crate) const UNKNOWN: Answer<'static> = Err(("cancel", "service-unavailable"));

impl Account {
    /// An account on ejabberd with these contacts and their subscriptions, all of them members that may be.
    pub(crate) fn with(contacts: &[(&str, &str)]) -> Self {
        let item =
            |(jid, state): &(&str, &str)| format!("<item jid='{jid}' subscription='{state}'/>");
        let members = contacts
            .iter()
            .filter(|(_, state)| matches!(*state, "from" | "both"));
        Self {
            roster: Some(contacts.iter().map(item).collect()),
            members: members.map(|(jid, _)| (*jid).to_owned()).collect(),
            record: Some(String::new()),
            ..Self::default()
        }
    }

    /// An account without contacts whose subscribers can be listed, where these answers are given.
    pub(crate) fn answering(answers: &[(Question, &str)]) -> Self {
        let owned = |(question, body): &(Question, &str)| (*question, (*body).to_owned());
        Self {
            subscribers: Some(Vec::new()),
            answers: answers.iter().map(owned).collect(),
            ..Self::with(&[])
        }
    }

    /// The answer to an IQ about the account.
    pub(crate) fn answer(&self, iq: &Node) -> Answer<'static> {
        let Some(question) = Question::of(iq) else {
            return UNKNOWN;
        };
        if let Some((_, body)) = self.answers.iter().find(|(it, _)| *it == question) {
            return Ok(body.clone());
        }
        let missing = ("wait", "internal-server-error");
        match question {
            Question::Roster => {
                let items = self.roster.as_ref().ok_or(missing)?;
                Ok(format!("<query xmlns='jabber:iq:roster'>{items}</query>"))
            }
            Question::Blocklist => {
                let items: String = self.blocked.iter().map(|it| jid_item(it)).collect();
                Ok(format!(
                    "<blocklist xmlns='urn:xmpp:blocking'>{items}</blocklist>"
                ))
            }
            Question::Members => {
                let members: Vec<_> = self.members.iter().map(|it| (&**it, "member")).collect();
                Ok(affiliations(&[&[(OWN, "owner")], &*members].concat()))
            }
            Question::Subscribers => {
                let all = self.subscribers.as_ref();
                let all = all.ok_or(("cancel", "feature-not-implemented"))?;
                let all: Vec<_> = all.iter().map(|it| (&**it, "subscribed")).collect();
                Ok(subscriptions(&all))
            }
            Question::Record => {
                let contact = self.record.as_ref().ok_or(missing)?;
                // Each contact stands in the item its address says.
                let item = contact.split('\'').nth(1).map(item_of);
                let items: Vec<_> = item.iter().map(|it| (&**it, &**contact)).collect();
                Ok(record(&items))
            }
            Question::Items => Ok(items("presence", "")),
            Question::Node => Ok(match words(iq).as_deref() {
                Some("configure record") => {
                    ejabberd_node(&[("access_model", "whitelist"), ("purge_offline", "0")])
                }
                _ => ejabberd_node(&[]),
            }),
            Question::Change => Ok(String::new()),
            Question::Privacy | Question::Contact | Question::Stranger => UNKNOWN,
        }
    }
}

fn jid_item(jid: &str) -> String {
    format!("<item jid='{jid}'/>")
}
