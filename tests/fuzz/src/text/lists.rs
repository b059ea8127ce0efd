//! Lists of an account: rosters, subscribers and members of a node, the record, blocked addresses.

use std::fmt::Write as _;

use arbitrary::Arbitrary;
use pubshim::ns;
use pubshim::xml::escape;

use super::pubsub::content;
use super::{Address, Item, MOST, RECORD, Text, Writer};

/// An item of the record.
#[derive(Arbitrary, Clone, Debug)]
pub struct Recorded {
    /// Its id: mostly that of whom it holds first.
    pub id: u8,
    /// Its contacts.
    pub entries: Vec<Entry>,
}

/// A contact on record.
#[derive(Arbitrary, Clone, Debug)]
pub struct Entry {
    /// His address.
    pub address: Address,
    /// His subscription and the account's.
    pub halves: u8,
    /// Whether he is listed, has a name, groups, other JIDs.
    pub more: u8,
    /// His name and groups.
    pub name: Text,
}

impl Writer<'_> {
    pub(super) fn roster(&self, out: &mut String, items: &[Item]) {
        let _ = write!(out, "<query xmlns='{}'>", ns::ROSTER);
        for item in items.iter().take(32) {
            out.push_str("<item");
            self.address(out, "jid", Some(item.address));
            let subscription = ["both", "to", "from", "none", "remove"];
            if let Some(subscription) = subscription.get(usize::from(item.subscription % 8)) {
                let _ = write!(out, " subscription='{subscription}'");
            }
            out.push_str(match item.more % 8 {
                1 | 2 => " ask='subscribe'/>",
                3 => " ask='unsubscribe' approved='true'/>",
                4 => " name='Romeo'><group>Friends</group></item>",
                5 => " name='a&lt;&apos;'><group/><group>a</group><group>a</group></item>",
                6 => "><group>a</group><group>b</group></item>",
                _ => "/>",
            });
        }
        out.push_str("</query>");
    }

    /// An owner's list of subscriptions or affiliations, or what one has at a service.
    pub(super) fn node_list(&self, out: &mut String, list: List, entries: &[(Address, u8)]) {
        let (xmlns, name, entry, states) = match list {
            List::Subscribers => (
                ns::PUBSUB_OWNER,
                "subscriptions",
                "subscription",
                &SUBSCRIBED,
            ),
            List::OwnSubscriptions => (ns::PUBSUB, "subscriptions", "subscription", &SUBSCRIBED),
            List::Affiliations => (ns::PUBSUB_OWNER, "affiliations", "affiliation", &AFFILIATED),
        };
        let node = match list {
            List::OwnSubscriptions => "",
            _ => " node='presence'",
        };
        let _ = write!(out, "<pubsub xmlns='{xmlns}'><{name}{node}>");
        for (address, state) in entries.iter().take(40) {
            let _ = write!(out, "<{entry}");
            self.address(out, "jid", Some(*address));
            if list == List::OwnSubscriptions {
                out.push_str(" node='presence'");
            }
            let state = states[usize::from(*state) % states.len()];
            let _ = write!(out, " {entry}='{state}'/>");
        }
        let _ = write!(out, "</{name}></pubsub>");
    }

    pub(super) fn record(&self, out: &mut String, items: &[Recorded]) {
        for item in items.iter().take(16) {
            let first = item.entries.first().map(|entry| entry.address);
            // The first byte of the SHA-256 of each.
            let bucket = match first {
                Some(Address::Romeo | Address::Upper) => 0x5d,
                Some(Address::Nurse) => 0x88,
                Some(Address::Bard) => 0xa6,
                _ => item.id,
            };
            let id = match item.id % 16 {
                0 => "zz".to_owned(),
                1 => String::new(),
                _ => format!("{bucket:02x}"),
            };
            let _ = write!(out, "<item id='{id}'><contacts xmlns='{}'>", ns::SHIM);
            for entry in item.entries.iter().take(32) {
                self.entry(out, entry);
            }
            out.push_str("</contacts></item>");
            if out.len() > MOST {
                return;
            }
        }
    }

    fn entry(&self, out: &mut String, entry: &Entry) {
        out.push_str("<contact");
        self.address(out, "jid", Some(entry.address));
        for (name, half) in [("to", entry.halves & 15), ("from", entry.halves >> 4)] {
            if let Some(half) = ["asked", "pending", "yes", "yes", "odd"].get(usize::from(half)) {
                let _ = write!(out, " {name}='{half}'");
            }
        }
        if entry.more & 1 != 0 {
            out.push_str(" listed='yes'");
        }
        let name = content(&entry.name);
        if entry.more & 2 != 0 {
            let _ = write!(out, " name='{}'", escape(&name));
        }
        out.push('>');
        if entry.more & 4 != 0 {
            let _ = write!(out, "<group>{name}</group><group>Friends</group>");
        }
        if entry.more & 8 != 0 {
            out.push_str(
                "<jid>romeo@montague.lit/mobile</jid><jid>bard@shakespeare.lit/globe</jid>",
            );
        }
        out.push_str("</contact>");
    }

    pub(super) fn accounts(&self, out: &mut String, name: &str, accounts: &[Address]) {
        let _ = write!(out, "<{name} xmlns='{}'>", ns::BLOCKING);
        for account in accounts.iter().take(16) {
            out.push_str("<item");
            self.address(out, "jid", Some(*account));
            out.push_str("/>");
        }
        let _ = write!(out, "</{name}>");
    }

    /// An event on the account's own record.
    pub(super) fn record_event(&self, out: &mut String, from: Option<Address>, items: &[Recorded]) {
        out.push_str("<message type='headline'");
        self.address(out, "from", from);
        let _ = write!(
            out,
            "><event xmlns='{}'><items node='{RECORD}'>",
            ns::PUBSUB_EVENT
        );
        self.record(out, items);
        out.push_str("</items></event></message>");
    }
}

/// Which list of a node.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Subscribers,
    OwnSubscriptions,
    Affiliations,
}

const SUBSCRIBED: [&str; 5] = ["subscribed", "pending", "none", "unconfigured", ""];
const AFFILIATED: [&str; 5] = ["member", "owner", "none", "outcast", "publisher"];
