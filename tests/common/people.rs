//! Accounts of the scenes, and the stanzas by which they ask and approve each other.

use super::tree::Node;

pub(crate) const JULIET: &str = "juliet@capulet.lit/balcony";

pub(crate) const ROMEO: &str = "romeo@montague.lit/mobile";

pub(crate) const OWN: &str = "juliet@capulet.lit";

pub(crate) const CONTACT: &str = "romeo@montague.lit";

/// Another contact, so that Romeo is not the only one: in item f1.
pub(crate) const OTHER: &str = "benvolio@montague.lit";

pub(crate) const BARD: &str = "bard@shakespeare.lit";

pub(crate) fn roster_set(item: &str) -> String {
    format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
}

/// The client removes somebody.
pub(crate) fn removal(id: &str, jid: &str) -> String {
    format!(
        "<iq type='set' id='{id}'><query xmlns='jabber:iq:roster'>\
         <item jid='{jid}' subscription='remove'/></query></iq>"
    )
}

/// The client blocks somebody, or (`unblock`) does so no more.
pub(crate) fn blocking(what: &str, id: &str, jid: &str) -> String {
    format!(
        "<iq type='set' id='{id}'><{what} xmlns='urn:xmpp:blocking'><item jid='{jid}'/></{what}></iq>"
    )
}

/// A subscription request as the client sees it.
pub(crate) fn request(account: &str) -> Node {
    let shown = format!("<presence from='{account}' to='juliet@capulet.lit' type='subscribe'/>");
    Node::stanza(&shown)
}

/// A roster push about one contact, as ejabberd sends it.
pub(crate) fn push(account: &str, state: &str) -> String {
    format!(
        "<iq to='{JULIET}' from='juliet@capulet.lit' type='set' id='push14478737876960819775'>\
         <query xmlns='jabber:iq:roster'><item subscription='{state}' jid='{account}'/></query></iq>"
    )
}

/// A presence of somebody who has a shim.
pub(crate) fn marked(full: &str) -> String {
    format!(
        "<presence from='{full}' to='{JULIET}' id='m1'><shim xmlns='urn:pubshim:0'/></presence>"
    )
}

/// A subscription stanza from a contact.
pub(crate) fn native(from: &str, kind: &str) -> String {
    format!("<presence from='{from}' to='juliet@capulet.lit' type='{kind}'/>")
}

/// An error as ejabberd and Prosody write it.
pub(crate) fn error(kind: &str, condition: &str) -> String {
    format!(
        "<error type='{kind}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    )
}
