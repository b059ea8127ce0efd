//! Stanza errors (RFC 6120 §8.3) with the conditions XEP-0060 adds.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::ns;
use crate::xml::escape;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Error {
    /// `auth`, `cancel`, `modify`, `wait`.
    kind: &'static str,
    condition: &'static str,
    /// The element of `pubsub#errors` and, for `unsupported`, its feature.
    special: Option<(&'static str, Option<&'static str>)>,
    text: Option<Cow<'static, str>>,
    /// The part of the request that failed, if not all of it did.
    failed: String,
}

impl Error {
    pub(super) const BAD_REQUEST: Self = Self::new("modify", "bad-request");
    pub(super) const CONFLICT: Self = Self::new("cancel", "conflict");
    pub(super) const FORBIDDEN: Self = Self::new("auth", "forbidden");
    pub(super) const ITEM_NOT_FOUND: Self = Self::new("cancel", "item-not-found");
    pub(super) const NOT_ACCEPTABLE: Self = Self::new("modify", "not-acceptable");
    pub(super) const NOT_ALLOWED: Self = Self::new("cancel", "not-allowed");
    pub(super) const NOT_AUTHORIZED: Self = Self::new("auth", "not-authorized");
    pub(super) const NOT_IMPLEMENTED: Self = Self::new("cancel", "feature-not-implemented");
    pub(super) const POLICY_VIOLATION: Self = Self::new("wait", "policy-violation");
    pub(super) const REMOTE_SERVER_NOT_FOUND: Self = Self::new("cancel", "remote-server-not-found");
    pub(super) const RESOURCE_CONSTRAINT: Self = Self::new("wait", "resource-constraint");
    pub(super) const SERVICE_UNAVAILABLE: Self = Self::new("cancel", "service-unavailable");
    pub(super) const UNEXPECTED_REQUEST: Self = Self::new("cancel", "unexpected-request");

    const fn new(kind: &'static str, condition: &'static str) -> Self {
        Self {
            kind,
            condition,
            special: None,
            text: None,
            failed: String::new(),
        }
    }

    /// Adds a condition of XEP-0060.
    pub(super) fn with(mut self, condition: &'static str) -> Self {
        self.special = Some((condition, None));
        self
    }

    /// The error for a feature of XEP-0060 that the sandbox lacks.
    pub(super) fn unsupported(feature: &'static str) -> Self {
        Self {
            special: Some(("unsupported", Some(feature))),
            ..Self::NOT_IMPLEMENTED
        }
    }

    /// Adds a sentence for a person.
    pub(super) fn text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Adds the part of the request that failed, as XML.
    pub(super) fn failed(mut self, failed: String) -> Self {
        self.failed = failed;
        self
    }

    /// The content of a stanza of type `error`.
    pub(super) fn to_xml(&self) -> String {
        let mut out = self.failed.clone();
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "<error type='{}'><{} xmlns='{}'/>",
            self.kind,
            self.condition,
            ns::STANZA_ERRORS
        );
        if let Some(text) = &self.text {
            let _ = write!(
                out,
                "<text xmlns='{}' xml:lang='en'>{}</text>",
                ns::STANZA_ERRORS,
                escape(text)
            );
        }
        if let Some((condition, feature)) = self.special {
            let _ = write!(out, "<{condition} xmlns='{}'", ns::PUBSUB_ERRORS);
            if let Some(feature) = feature {
                let _ = write!(out, " feature='{feature}'");
            }
            out.push_str("/>");
        }
        out.push_str("</error>");
        out
    }
}
