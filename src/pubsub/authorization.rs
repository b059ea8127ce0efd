//! The questions of listing 10, and their answers (listing 11).

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};

use super::form;
use crate::jid;
use crate::ns;
use crate::xml::{Element, escape};

/// A service's question whether somebody may subscribe (listing 10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// The service that asks and gets the answer.
    pub(crate) service: Box<str>,
    /// The node it asks about.
    pub(crate) node: Box<str>,
    /// The JID that wants to subscribe.
    pub(crate) jid: Box<str>,
    /// The question's id, which the answer repeats.
    pub(crate) id: Box<str>,
}

impl Question {
    /// Reads a message as listing 10. A message without `from` is from the account `own`.
    pub(crate) fn read(message: &Element<'_>, own: &str) -> Option<Self> {
        if message.attribute("type").as_deref() == Some("error") {
            return None;
        }
        let (node, jid) = with_form(message, "form", named)??;
        let service = message.attribute("from");
        Some(Self {
            service: service.as_deref().unwrap_or(own).into(),
            node,
            jid,
            id: message.attribute("id").unwrap_or_default().into(),
        })
    }

    /// The account that wants to subscribe, prepared: the contact's server may have written the JID in another case.
    pub(crate) fn account(&self) -> Cow<'_, str> {
        jid::prepared(jid::bare(&self.jid))
    }

    /// Whether the JID has an account and a domain, without characters that no account may have (RFC 6122 §A.5).
    pub(crate) fn is_well_formed(&self) -> bool {
        let is_forbidden = |c: char| c.is_control() || c.is_whitespace() || "\"&'/:<>@".contains(c);
        let account = jid::bare(&self.jid);
        jid::is_account(account)
            && jid::is_domain(jid::domain(account))
            && !jid::local(account).is_some_and(|local| local.contains(is_forbidden))
    }

    /// Writes listing 11, a message to the service.
    pub(crate) fn write_answer(&self, out: &mut BytesMut, is_allowed: bool) {
        let _ = write!(out, "<message to='{}'", escape(&self.service));
        if !self.id.is_empty() {
            let _ = write!(out, " id='{}'", escape(&self.id));
        }
        out.put_slice(b">");
        form::write_submit(
            out,
            ns::SUBSCRIBE_AUTHORIZATION,
            &[
                ("pubsub#node", &self.node),
                ("pubsub#subscriber_jid", &self.jid),
                ("pubsub#allow", if is_allowed { "true" } else { "false" }),
            ],
        );
        out.put_slice(b"</message>");
    }
}

/// Reads `message`, an error of the service, as our own answer (listing 11) about `node` that came back: gives the JID
/// that asked, and whether we had allowed it.
pub(crate) fn returned_answer(message: &Element<'_>, node: &str) -> Option<(Box<str>, bool)> {
    if message.attribute("type").as_deref() != Some("error") {
        return None;
    }
    with_form(message, "submit", |form| {
        let (of, jid) = named(form).filter(|(of, _)| **of == *node)?;
        drop(of);
        Some((jid, form::value(form, "pubsub#allow")?.trim() == "true"))
    })?
}

/// Gives `read` the subscription form of type `kind` that `message` holds, if any.
fn with_form<R>(
    message: &Element<'_>,
    kind: &str,
    read: impl FnOnce(&Element<'_>) -> R,
) -> Option<R> {
    let form = message.child(ns::DATA, "x")?;
    let is_it = form::value(&form, "FORM_TYPE")?.trim() == ns::SUBSCRIBE_AUTHORIZATION
        && form.attribute("type").as_deref() == Some(kind);
    is_it.then(|| read(&form))
}

/// The node and the JID a form names.
fn named(form: &Element<'_>) -> Option<(Box<str>, Box<str>)> {
    let node = form::value(form, "pubsub#node")?.trim().into();
    let jid = form::value(form, "pubsub#subscriber_jid")?;
    Some((node, jid::in_text(&jid).into()))
}
