//! The questions of listing 10, and their answers (listing 11).

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};

use super::Wire;
use super::form;
use super::presence::NODE;
use crate::jid;
use crate::ns;
use crate::xml::{Element, escape};

/// A service's question whether somebody may subscribe (listing 10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// The JID that asked.
    pub(super) jid: Box<str>,
    /// Who sent the form and gets the answer.
    pub(super) service: Box<str>,
    /// The form's id, which the answer repeats.
    pub(super) id: Box<str>,
}

impl Form {
    /// The account that asked. The JID may be as its own server wrote it.
    pub(super) fn account(&self) -> Cow<'_, str> {
        jid::prepared(jid::bare(&self.jid))
    }

    /// What the owner's list says in place of a form: `jid` waits for the owner `own`.
    pub(super) fn pending(jid: &str, own: &str) -> Self {
        Self {
            jid: jid.into(),
            service: own.into(),
            id: Box::default(),
        }
    }

    /// Reads a message as listing 10: a question about the own node, by who may ask it.
    pub(super) fn read(message: &Element<'_>, own: &str) -> Option<Self> {
        let from = message.attribute("from");
        let service = from.as_deref().unwrap_or(own);
        if (service != own && service != jid::domain(own))
            || message.attribute("type").as_deref() == Some("error")
        {
            return None;
        }
        let x = message.child(ns::DATA, "x")?;
        if form::value(&x, "FORM_TYPE")?.trim() != ns::SUBSCRIBE_AUTHORIZATION
            || x.attribute("type").as_deref() != Some("form")
            || form::value(&x, "pubsub#node")?.trim() != NODE
        {
            return None;
        }
        let jid = form::value(&x, "pubsub#subscriber_jid")?;
        let form = Self {
            jid: jid::in_text(&jid).into(),
            service: service.into(),
            id: message.attribute("id").unwrap_or_default().into(),
        };
        (is_well_formed(jid::bare(&form.jid)) && form.account() != own).then_some(form)
    }

    /// Listing 11, to whoever sent the form. ejabberd sends it in the owner's own name and acts on no
    /// answer to it, so there the owner sets the subscription.
    pub(super) fn answer(&self, is_allowed: bool, wire: &mut Wire) {
        if *self.service == *jid::bare(&wire.jid) {
            return set_subscription(&self.jid, is_allowed, wire);
        }
        let mut answer = BytesMut::new();
        let out = &mut answer;
        let _ = write!(out, "<message to='{}'", escape(&self.service));
        if !self.id.is_empty() {
            let _ = write!(out, " id='{}'", escape(&self.id));
        }
        out.put_slice(b">");
        form::write_submit(
            out,
            ns::SUBSCRIBE_AUTHORIZATION,
            &[
                ("pubsub#node", NODE),
                ("pubsub#subscriber_jid", &self.jid),
                ("pubsub#allow", if is_allowed { "true" } else { "false" }),
            ],
        );
        out.put_slice(b"</message>");
        wire.send_own(&answer);
    }
}

/// Whether `account` is one, without characters no account has (RFC 6122 §A.5).
fn is_well_formed(account: &str) -> bool {
    let is_forbidden = |c: char| c.is_control() || c.is_whitespace() || "\"&'/:<>@".contains(c);
    jid::is_account(account)
        && jid::is_domain(jid::domain(account))
        && !jid::local(account).is_some_and(|local| local.contains(is_forbidden))
}

/// Whether `message` is an answer of ours (listing 11) that came back; the JID it was about, and whether
/// that may subscribe.
pub(super) fn returned_answer(message: &Element<'_>, own: &str) -> Option<(Box<str>, bool)> {
    if message.attribute("type").as_deref() != Some("error")
        || message.attribute("from").as_deref() != Some(jid::domain(own))
    {
        return None;
    }
    let x = message.child(ns::DATA, "x")?;
    if form::value(&x, "FORM_TYPE")?.trim() != ns::SUBSCRIBE_AUTHORIZATION
        || x.attribute("type").as_deref() != Some("submit")
        || form::value(&x, "pubsub#node")?.trim() != NODE
    {
        return None;
    }
    let is_allowed = form::value(&x, "pubsub#allow")?.trim() == "true";
    let jid = form::value(&x, "pubsub#subscriber_jid")?;
    Some((jid::in_text(&jid).into(), is_allowed))
}

/// Sets the subscription of `jid` to our node, as its owner (XEP-0060 §8.8.2).
pub(super) fn set_subscription(jid: &str, is_subscribed: bool, wire: &mut Wire) {
    let state = if is_subscribed { "subscribed" } else { "none" };
    wire.tell("set", None, |out| {
        write_subscription(out, jid, state);
    });
}

pub(super) fn write_subscription(out: &mut BytesMut, jid: &str, state: &str) {
    let _ = write!(
        out,
        "<pubsub xmlns='{}'><subscriptions node='{NODE}'><subscription jid='{}' subscription='{state}'/></subscriptions></pubsub>",
        ns::PUBSUB_OWNER,
        escape(jid)
    );
}
