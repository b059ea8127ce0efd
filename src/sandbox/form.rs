//! Data forms (XEP-0004), read and written.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::error::Error;
use crate::jid;
use crate::ns;
use crate::xml::{Element, escape};

/// A form that a client has sent; values without white space around them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// `submit`, `cancel`, …
    pub(super) kind: String,
    pub(super) fields: BTreeMap<String, Vec<String>>,
}

impl Form {
    /// Reads the form that is a child of `parent`, if there is one.
    pub(super) fn of(parent: &Element<'_>) -> Option<Self> {
        let x = parent.child(ns::DATA, "x")?;
        let mut fields = BTreeMap::new();
        for field in x.children().filter(|it| it.is(ns::DATA, "field")) {
            let Some(var) = field.attribute("var") else {
                continue;
            };
            let values = field.children().filter(|it| it.is(ns::DATA, "value"));
            let is_jid = var == "pubsub#subscriber_jid";
            let read = |text: &str| match is_jid {
                true => jid::in_text(text).to_owned(),
                false => text.trim().to_owned(),
            };
            let values = values.map(|it| read(&it.text())).collect();
            fields.insert(var.into_owned(), values);
        }
        let kind = x.attribute("type").unwrap_or_default().into_owned();
        Some(Self { kind, fields })
    }

    /// The first value of a field.
    pub(super) fn value(&self, var: &str) -> Option<&str> {
        self.fields.get(var)?.first().map(String::as_str)
    }

    /// Whether this answers a request to approve a subscription (listing 11).
    pub(super) fn is_authorization(&self) -> bool {
        self.kind != "form" && self.value("FORM_TYPE") == Some(ns::SUBSCRIBE_AUTHORIZATION)
    }

    /// Checks that this is a submitted form of this type; a form without a `FORM_TYPE` is accepted.
    pub(super) fn check(&self, form_type: &str) -> Result<(), Error> {
        let is_right = self.value("FORM_TYPE").is_none_or(|it| it == form_type);
        if self.kind == "submit" && is_right {
            return Ok(());
        }
        Err(Error::BAD_REQUEST.text(format!(
            "a submitted form of the type {form_type} belongs here"
        )))
    }
}

/// The value of a boolean field (XEP-0004 §3.3).
pub(super) fn boolean(value: &str) -> Option<bool> {
    match value {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// Writes a form.
pub(super) struct Writer(String);

impl Writer {
    /// A form of this kind (`form`, `result`).
    pub(super) fn new(kind: &str, form_type: &str) -> Self {
        let mut writer = Self(format!("<x xmlns='{}' type='{kind}'>", ns::DATA));
        writer.field("FORM_TYPE", "hidden", "", &[], &[form_type]);
        writer
    }

    /// Puts a title and instructions in front of the fields.
    pub(super) fn introduce(&mut self, title: &str, instructions: &str) {
        let head = format!(
            "<title>{}</title><instructions>{}</instructions>",
            escape(title),
            escape(instructions)
        );
        let at = self.0.find("<field").unwrap_or(self.0.len());
        self.0.insert_str(at, &head);
    }

    /// Adds a field; without a label it has none.
    pub(super) fn field(
        &mut self,
        var: &str,
        kind: &str,
        label: &str,
        options: &[&str],
        values: &[&str],
    ) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "<field var='{}' type='{kind}'", escape(var));
        if !label.is_empty() {
            let _ = write!(self.0, " label='{}'", escape(label));
        }
        self.0.push('>');
        for option in options {
            let _ = write!(self.0, "<option><value>{}</value></option>", escape(option));
        }
        for value in values {
            let _ = write!(self.0, "<value>{}</value>", escape(value));
        }
        self.0.push_str("</field>");
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push_str("</x>");
        self.0
    }
}
