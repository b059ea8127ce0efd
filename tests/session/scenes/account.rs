//! The own account at a server, as far as subscriptions go, and what was asked of it in words.

use crate::common::*;
use crate::driver::*;

use crate::scenes::*;

/// What the server holds of an account, and so answers.
#[derive(Clone, Default)]
pub(crate) struct Account {
    /// The items of the roster; `None`: it cannot be had.
    pub(crate) roster: Option<String>,
    pub(crate) members: Vec<String>,
    /// Who is subscribed to the node; `None`: nobody can list them, as on ejabberd.
    pub(crate) subscribers: Option<Vec<String>>,
    pub(crate) blocked: Vec<String>,
    /// The contact on record, if there is one; `None`: the record cannot be had.
    pub(crate) record: Option<String>,
}

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

    /// Answers an IQ to the own account.
    pub(crate) fn answer_one(&self, iq: &Node, d: &mut Driver) {
        if iq.value("type") == "set" {
            return d.result(iq, "");
        }
        let jids = |name: &str, jids: &[String], state: &str| -> String {
            let item = |jid| format!("<{name} jid='{jid}' {state}/>");
            jids.iter().map(item).collect()
        };
        match &*say(iq) {
            "get roster" => match &self.roster {
                Some(items) => d.result(
                    iq,
                    &format!("<query xmlns='jabber:iq:roster'>{items}</query>"),
                ),
                None => d.error(iq, "wait", "internal-server-error"),
            },
            "get blocklist" => {
                let items = jids("item", &self.blocked, "");
                d.result(
                    iq,
                    &format!("<blocklist xmlns='urn:xmpp:blocking'>{items}</blocklist>"),
                );
            }
            "get members" => {
                let items = jids("affiliation", &self.members, "affiliation='member'");
                d.result(
                    iq,
                    &format!(
                        "<pubsub xmlns='{OWNER}'><affiliations node='presence'>\
                         <affiliation jid='juliet@capulet.lit' affiliation='owner'/>{items}</affiliations></pubsub>"
                    ),
                );
            }
            "get subscribers" => match &self.subscribers {
                Some(all) => {
                    let items = jids(
                        "subscription",
                        all,
                        "node='presence' subscription='subscribed'",
                    );
                    d.result(
                        iq,
                        &format!("<pubsub xmlns='{OWNER}'><subscriptions>{items}</subscriptions></pubsub>"),
                    );
                }
                None => d.error(iq, "cancel", "feature-not-implemented"),
            },
            "get record" => match &self.record {
                Some(contact) => {
                    // Each contact stands in the item its address says.
                    let item = contact.split('\'').nth(1).map_or_else(String::new, item_of);
                    d.result(iq, &record(&[(&item, contact)]));
                }
                None => d.error(iq, "wait", "internal-server-error"),
            },
            "configure presence" => d.result(iq, &ejabberd_node(&[])),
            "fetch own" => d.result(
                iq,
                &format!("<pubsub xmlns='{PUBSUB}'><items node='presence'/></pubsub>"),
            ),
            "configure record" => d.result(
                iq,
                &ejabberd_node(&[("access_model", "whitelist"), ("purge_offline", "0")]),
            ),
            other => panic!("{other} is not expected: {iq:#?}"),
        }
    }

    /// Answers all that is asked of the own account; what was sent, in words.
    pub(crate) fn settle(&self, d: &mut Driver) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            let sent = d.server_got();
            if sent.is_empty() {
                return said;
            }
            for stanza in sent {
                said.push(say(&stanza));
                if stanza.local == "iq" && stanza.attribute("to").is_none() {
                    self.answer_one(&stanza, d);
                }
            }
        }
    }

    /// Juliet's session after its login is done; the node is as it should be. What that took, in words.
    pub(crate) fn logged_in(&self) -> (Driver, Vec<String>) {
        let (mut d, mut said) = self.arrived();
        d.advance(3);
        said.extend(self.settle(&mut d));
        (d, said)
    }

    /// Juliet's session after her first presence, all that was asked answered.
    pub(crate) fn arrived(&self) -> (Driver, Vec<String>) {
        let mut d = Driver::auto(JULIET);
        d.keep_search = true;
        d.client("<presence id='1'/>");
        let said = self.settle(&mut d);
        (d, said)
    }

    /// The same some time later, when nobody wants to know what it took.
    pub(crate) fn session(&self) -> Driver {
        let (mut d, _) = self.logged_in();
        d.advance(10);
        self.settle(&mut d);
        d.forget();
        d
    }
}
