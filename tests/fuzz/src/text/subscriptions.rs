//! Stanzas, forms (listings 10 and 11) and notices about subscriptions.

use std::fmt::Write as _;

use arbitrary::Arbitrary;
use pubshim::ns;
use pubshim::xml::escape;

use super::{Address, Id, Writer};

/// A question whether somebody may subscribe, or something like it.
#[derive(Arbitrary, Clone, Debug)]
pub struct Form {
    /// The server whose form it is.
    pub style: u8,
    /// Its `from`.
    pub from: u8,
    /// Its id.
    pub id: Id,
    /// The JID that wants to subscribe.
    pub jid: Address,
}

/// The new state of a subscription (XEP-0060 §8.6).
#[derive(Arbitrary, Clone, Debug)]
pub struct Notice {
    /// The owner of the node.
    pub from: Address,
    /// The subscriber: mostly the account.
    pub jid: Option<Address>,
    /// In which state the subscription is, of which node, and since when.
    pub state: u8,
}

/// The types of presence that are said to somebody.
const KINDS: [&str; 8] = [
    "subscribe",
    "subscribed",
    "unsubscribe",
    "unsubscribed",
    "probe",
    "unavailable",
    "error",
    "",
];

impl Writer<'_> {
    pub(super) fn subscription(&self, out: &mut String, kind: u8, to: Address, id: Id) {
        out.push_str("<presence");
        write_kind(out, kind);
        self.id(out, id);
        self.address(out, "to", Some(to));
        out.push_str("/>");
    }

    pub(super) fn subscription_from(
        &self,
        out: &mut String,
        kind: u8,
        from: Address,
        marked: bool,
    ) {
        out.push_str("<presence");
        write_kind(out, kind);
        self.address(out, "from", Some(from));
        self.address(out, "to", Some(Address::OwnBare));
        out.push('>');
        if KINDS[usize::from(kind) % KINDS.len()] == "error" {
            let (condition, xmlns) = ("not-acceptable", ns::STANZA_ERRORS);
            let _ = write!(
                out,
                "<error type='modify'><{condition} xmlns='{xmlns}'/></error>"
            );
        }
        if marked {
            let _ = write!(out, "<shim xmlns='{}'/>", ns::SHIM);
        }
        out.push_str("</presence>");
    }

    pub(super) fn notice(&self, out: &mut String, notice: &Notice) {
        let states = ["subscribed", "none", "pending", "unconfigured"];
        let state = states[usize::from(notice.state) % states.len()];
        let node = match notice.state & 0x40 {
            0 => "presence",
            _ => "other",
        };
        out.push_str("<message");
        self.address(out, "from", Some(notice.from));
        let _ = write!(
            out,
            "><event xmlns='{}'><subscription subscription='{state}' node='{node}'",
            ns::PUBSUB_EVENT
        );
        self.address(out, "jid", Some(notice.jid.unwrap_or(Address::OwnBare)));
        out.push_str("/></event>");
        if notice.state & 0x80 != 0 {
            let _ = write!(out, "<delay xmlns='{}'/>", ns::DELAY);
        }
        out.push_str("</message>");
    }

    pub(super) fn form(&self, out: &mut String, form: &Form) {
        let asks = match form.from % 8 {
            0 => None,
            1..=3 => Some(Address::OwnDomain),
            4 | 5 => Some(Address::OwnBare),
            6 => Some(Address::Romeo),
            _ => Some(Address::Service),
        };
        out.push_str("<message");
        self.address(out, "from", asks);
        self.address(out, "to", Some(Address::OwnBare));
        // An answer of ours that came back.
        let is_returned = form.style & 0x80 != 0;
        if is_returned {
            out.push_str(" type='error'");
        }
        self.id(out, form.id);
        out.push('>');
        let jid = escape(&form.jid.text(self.own)).into_owned();
        match form.style & 0x80 {
            0 => question(out, &jid, form.style),
            _ => answer(out, &jid, form.style),
        }
        if form.style & 0x40 != 0 {
            let _ = write!(out, "<delay xmlns='{}'>Offline storage</delay>", ns::DELAY);
        }
        out.push_str("</message>");
    }
}

fn write_kind(out: &mut String, kind: u8) {
    let kind = KINDS[usize::from(kind) % KINDS.len()];
    if !kind.is_empty() {
        let _ = write!(out, " type='{kind}'");
    }
}

/// Listing 10, as the specification prints it, as ejabberd does, and with something wrong.
fn question(out: &mut String, jid: &str, style: u8) {
    let (data, form_type) = (ns::DATA, ns::SUBSCRIBE_AUTHORIZATION);
    let _ = match style % 8 {
        0..=2 => write!(
            out,
            "<x xmlns='{data}' type='form'><title>PubSub subscriber request</title>\
             <instructions>\nTo approve this entity&apos;s subscription request, click the OK button.\n\
             </instructions><field var='FORM_TYPE' type='hidden'><value>{form_type}\n</value></field>\
             <field var='pubsub#node' type='text-single' label='Node_ID'><value>presence</value></field>\
             <field var='pubsub#subscriber_jid' type='jid-single' label='Subscriber_Address'>\
             <value>{jid}</value></field><field var='pubsub#allow' type='boolean'><value>false</value>\
             </field></x>"
        ),
        3..=5 => write!(
            out,
            "<x type='form' xmlns='{data}'><title>PubSub subscriber request</title>\
             <field var='FORM_TYPE' type='hidden'><value>{form_type}</value></field>\
             <field var='pubsub#node' type='text-single' label='Node ID'><required/>\
             <value>presence</value></field><field var='pubsub#subscriber_jid' type='jid-single' \
             label='Subscriber Address'><required/><value>{jid}</value></field>\
             <field var='pubsub#allow' type='boolean'><required/><value>0</value></field></x>"
        ),
        6 => write!(
            out,
            "<x type='form' xmlns='{data}'><field var='FORM_TYPE'><value>{form_type}</value></field>\
             <field var='pubsub#node'><value>other</value></field>\
             <field var='pubsub#subscriber_jid'><value>{jid}</value></field></x>"
        ),
        _ => write!(
            out,
            "<x type='form' xmlns='{data}'><field var='FORM_TYPE'><value>{form_type}</value></field>\
             <field var='pubsub#node'><value>presence</value></field><field var='pubsub#subscriber_jid'/>\
             </x>"
        ),
    };
}

/// Listing 11.
pub(super) fn answer(out: &mut String, jid: &str, style: u8) {
    let (data, form_type) = (ns::DATA, ns::SUBSCRIBE_AUTHORIZATION);
    let allow = match style & 1 {
        0 => "true",
        _ => "false",
    };
    let _ = write!(
        out,
        "<x xmlns='{data}' type='submit'><field var='FORM_TYPE'><value>{form_type}</value></field>\
         <field var='pubsub#node'><value>presence</value></field><field var='pubsub#subscriber_jid'>\
         <value>{jid}</value></field><field var='pubsub#allow'><value>{allow}</value></field></x>"
    );
}
