//! Entries: reading and writing the contacts in an item of the record.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};

use super::strays::{Stray, Strays};
use crate::jid;
use crate::ns;
use crate::translate::people::{Contact, People, bucket_of};
use crate::translate::relation::{Half, Relation};
use crate::xml::{Element, escape};

/// Contacts that may share an item.
const MOST_IN_ITEM: usize = 256;

/// The number of an item, by its id.
pub(super) fn bucket_in(item: &Element<'_>) -> Option<u8> {
    u8::from_str_radix(&item.attribute("id")?, 16).ok()
}

/// The id of an item, by its number.
pub(super) fn item_id(bucket: u8) -> String {
    format!("{bucket:02x}")
}

/// Writes all contacts of an item, and strays in it whose own item is not written yet.
pub(super) fn write_bucket(out: &mut BytesMut, bucket: u8, people: &People, strays: &Strays) {
    let _ = write!(out, "<contacts xmlns='{}'>", ns::SHIM);
    for (account, contact) in people.in_bucket(bucket) {
        if contact.is_worth_recording() {
            write_entry(out, account, contact);
        }
    }
    for stray in strays.in_bucket(bucket) {
        write_entry(out, &stray.written, &stray.contact);
    }
    out.put_slice(b"</contacts>");
}

/// The entries of an item, as [`write_bucket`] would write them now.
pub(super) fn entries(bucket: u8, people: &People) -> BTreeMap<Box<str>, BytesMut> {
    let recorded = people
        .in_bucket(bucket)
        .into_iter()
        .filter(|(_, contact)| contact.is_worth_recording());
    recorded
        .map(|(account, contact)| {
            let mut entry = BytesMut::new();
            write_entry(&mut entry, account, contact);
            (account.into(), entry)
        })
        .collect()
}

fn write_entry(out: &mut BytesMut, account: &str, contact: &Contact) {
    let half = |half| match half {
        Half::No => None,
        Half::Asked => Some("asked"),
        Half::Yes => Some("yes"),
    };
    let to = match contact.recorded.to {
        Half::Asked if contact.is_pending => Some("pending"),
        to => half(to),
    };
    let _ = write!(out, "<contact jid='{}'", escape(account));
    for (name, value) in [
        ("to", to),
        ("from", half(contact.recorded.from)),
        ("listed", contact.is_listed.then_some("yes")),
        ("name", contact.name.as_deref()),
    ] {
        if let Some(value) = value {
            let _ = write!(out, " {name}='{}'", escape(value));
        }
    }
    out.put_slice(b">");
    for (name, values) in [("group", &contact.groups), ("jid", &contact.jids)] {
        for value in values {
            let _ = write!(out, "<{name}>{}</{name}>", escape(value));
        }
    }
    out.put_slice(b"</contact>");
}

/// Reads the contacts of an item; gives the accounts read, and the strays. Of accounts with newer changes here
/// (`is_older`) only JIDs are added: all subscribed JIDs have to be known.
pub(super) fn read_item(
    item: &Element<'_>,
    people: &mut People,
    is_older: impl Fn(&str) -> bool,
) -> (Vec<Box<str>>, Vec<Stray>) {
    let (mut named, mut strays) = (Vec::new(), Vec::new());
    let Some(list) = item.child(ns::SHIM, "contacts") else {
        return (named, strays);
    };
    let bucket = bucket_in(item);
    let entries = list.children().filter(|child| child.local() == "contact");
    for entry in entries.take(MOST_IN_ITEM) {
        let written = entry.attribute("jid").unwrap_or_default();
        let account = jid::prepared(&written);
        if !jid::is_account(&account) && jid::domain(&account) != account {
            continue;
        }
        if let Some(bucket) = bucket
            && (account != written || bucket_of(&account) != bucket)
        {
            let mut contact = Contact::default();
            read_entry(&entry, &mut contact);
            strays.push(Stray {
                bucket,
                account: (*account).into(),
                written: (*written).into(),
                contact,
                is_moving: false,
            });
        } else if let Some(contact) = people.get_mut(&account) {
            if is_older(&account) {
                contact.add_jids(texts(&entry, "jid"));
            } else {
                read_entry(&entry, contact);
                named.push((*account).into());
            }
        }
    }
    (named, strays)
}

fn read_entry(entry: &Element<'_>, contact: &mut Contact) {
    let half = |name| match entry.attribute(name).as_deref() {
        Some("yes") => Half::Yes,
        Some("asked" | "pending") => Half::Asked,
        _ => Half::No,
    };
    contact.recorded = Relation {
        to: half("to"),
        from: half("from"),
    };
    contact.is_pending = entry.attribute("to").as_deref() == Some("pending");
    contact.is_listed = entry.attribute("listed").is_some();
    contact.name = entry.attribute("name").map(|name| (*name).into());
    contact.groups = texts(entry, "group");
    contact.jids = texts(entry, "jid");
}

fn texts(entry: &Element<'_>, name: &str) -> Vec<Box<str>> {
    let children = entry.children().filter(|child| child.local() == name);
    children.map(|child| child.text().into()).collect()
}
