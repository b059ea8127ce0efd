//! The configuration of a node (XEP-0060 §16.4.4): its fields, reading and writing them.

use std::collections::BTreeMap;

use crate::ns;
use crate::sandbox::config::Limits;
use crate::sandbox::error::Error;
use crate::sandbox::form::{Form, Writer, boolean};

/// Types of fields.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Text,
    List(&'static [&'static str]),
    /// A number of items, or `max`.
    MaxItems,
    /// A number of bytes; empty means as many as the service takes.
    Size,
}

struct Field {
    var: &'static str,
    label: &'static str,
    kind: Kind,
    default: &'static str,
}

const fn field(var: &'static str, kind: Kind, default: &'static str, label: &'static str) -> Field {
    Field {
        var,
        label,
        kind,
        default,
    }
}

const ACCESS: &[&str] = &["authorize", "open", "whitelist"];
const PUBLISH: &[&str] = &["publishers", "subscribers", "open"];
const SEND_LAST: &[&str] = &["never", "on_sub", "on_sub_and_presence"];

/// The longest text of a field, in bytes.
const MOST_TEXT: usize = 4096;

const FIELDS: [Field; 18] = [
    field("pubsub#title", Kind::Text, "", "A short name for the node"),
    field(
        "pubsub#description",
        Kind::Text,
        "",
        "A description of the node",
    ),
    field(
        "pubsub#type",
        Kind::Text,
        "",
        "The namespace of the payloads",
    ),
    field(
        "pubsub#access_model",
        Kind::List(ACCESS),
        "authorize",
        "Who may subscribe and retrieve items",
    ),
    field(
        "pubsub#publish_model",
        Kind::List(PUBLISH),
        "publishers",
        "Who may publish",
    ),
    field(
        "pubsub#deliver_notifications",
        Kind::Bool,
        "1",
        "Whether to deliver event notifications",
    ),
    field(
        "pubsub#deliver_payloads",
        Kind::Bool,
        "1",
        "Whether to deliver payloads with event notifications",
    ),
    field(
        "pubsub#persist_items",
        Kind::Bool,
        "1",
        "Whether to keep items",
    ),
    field(
        "pubsub#max_items",
        Kind::MaxItems,
        "max",
        "How many items to keep",
    ),
    field(
        "pubsub#max_payload_size",
        Kind::Size,
        "",
        "The largest payload in bytes",
    ),
    field(
        "pubsub#itemreply",
        Kind::List(&["publisher", "none"]),
        "publisher",
        "Whom replies to an item go to",
    ),
    field(
        "pubsub#notification_type",
        Kind::List(&["headline", "normal"]),
        "headline",
        "The type of event notifications",
    ),
    field(
        "pubsub#notify_config",
        Kind::Bool,
        "0",
        "Whether to tell subscribers of a new configuration",
    ),
    field(
        "pubsub#notify_delete",
        Kind::Bool,
        "1",
        "Whether to tell subscribers that the node is deleted",
    ),
    field(
        "pubsub#notify_retract",
        Kind::Bool,
        "1",
        "Whether to tell subscribers that an item is gone",
    ),
    field(
        "pubsub#purge_offline",
        Kind::Bool,
        "0",
        "Whether a publisher's items go with his session",
    ),
    field(
        "pubsub#send_last_published_item",
        Kind::List(SEND_LAST),
        "on_sub_and_presence",
        "When to send the last item",
    ),
    field(
        "pubsub#tempsub",
        Kind::Bool,
        "0",
        "Whether all subscriptions end with the session",
    ),
];

/// The values of all fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct NodeConfig(BTreeMap<&'static str, String>);

impl Default for NodeConfig {
    fn default() -> Self {
        Self(
            FIELDS
                .iter()
                .map(|it| (it.var, it.default.to_owned()))
                .collect(),
        )
    }
}

impl NodeConfig {
    /// The value of a field in [`FIELDS`].
    pub(in crate::sandbox) fn get(&self, var: &str) -> &str {
        self.0.get(var).map_or("", String::as_str)
    }

    /// Whether the boolean field `var` is set.
    pub(in crate::sandbox) fn is(&self, var: &str) -> bool {
        self.get(var) == "1"
    }

    /// Number of items kept at the most.
    pub(super) fn max_items(&self, limits: &Limits) -> usize {
        let configured = self.get("pubsub#max_items").parse();
        configured.unwrap_or(limits.items).min(limits.items)
    }

    /// Size of a payload in bytes at the most.
    pub(super) fn max_payload(&self, limits: &Limits) -> usize {
        let configured = self.get("pubsub#max_payload_size").parse();
        configured.unwrap_or(limits.payload).min(limits.payload)
    }

    /// Whether the last item is sent to a new subscriber.
    pub(super) fn sends_last(&self) -> bool {
        self.get("pubsub#send_last_published_item") != "never"
    }

    /// Sets a field; whether there is such a field.
    pub(in crate::sandbox) fn set(
        &mut self,
        var: &str,
        value: &str,
        limits: &Limits,
    ) -> Result<bool, Error> {
        let Some(field) = FIELDS.iter().find(|it| it.var == var) else {
            return Ok(false);
        };
        let value = field.canonical(value, limits)?;
        self.0.insert(field.var, value);
        Ok(true)
    }

    /// This configuration with the changes of a form; unknown fields are ignored (XEP-0004 §3.2).
    pub(super) fn with(&self, form: &Form, limits: &Limits) -> Result<Self, Error> {
        form.check(ns::NODE_CONFIG)?;
        if form
            .value("pubsub#node_type")
            .is_some_and(|it| it != "leaf")
        {
            return Err(Error::unsupported("collections"));
        }
        let mut changed = self.clone();
        for var in form.fields.keys() {
            let value = form.value(var).unwrap_or_default();
            changed.set(var, value, limits)?;
        }
        Ok(changed)
    }

    /// This configuration with the values of publish-options; unknown ones are an error (§7.1.5).
    pub(super) fn with_options(&self, form: &Form, limits: &Limits) -> Result<Self, Error> {
        form.check(ns::PUBLISH_OPTIONS)?;
        let mut changed = self.clone();
        for var in form.fields.keys().filter(|it| *it != "FORM_TYPE") {
            let value = form.value(var).unwrap_or_default();
            if !changed.set(var, value, limits)? {
                let text = format!("this sandbox knows no option {var}");
                return Err(Error::CONFLICT.with("precondition-not-met").text(text));
            }
        }
        Ok(changed)
    }

    /// The whole configuration as a form of this kind.
    pub(super) fn to_form(&self, kind: &str) -> String {
        let mut writer = Writer::new(kind, ns::NODE_CONFIG);
        for field in &FIELDS {
            writer.field(
                field.var,
                field.kind.name(),
                field.label,
                field.kind.options(),
                &[self.get(field.var)],
            );
        }
        writer.finish()
    }

    /// The fields that differ from their default, for keeping them.
    pub(in crate::sandbox) fn changed(&self) -> BTreeMap<String, String> {
        let differs = FIELDS.iter().filter(|it| self.get(it.var) != it.default);
        differs
            .map(|it| (it.var.to_owned(), self.get(it.var).to_owned()))
            .collect()
    }
}

impl Field {
    /// The canonical form of `value` for this field.
    fn canonical(&self, value: &str, limits: &Limits) -> Result<String, Error> {
        let refused = || Error::NOT_ACCEPTABLE.text(format!("{} cannot be {value:?}", self.var));
        match self.kind {
            Kind::Bool => {
                let value = boolean(value).ok_or_else(refused)?;
                Ok(if value { "1" } else { "0" }.to_owned())
            }
            Kind::Text if value.len() <= MOST_TEXT => Ok(value.to_owned()),
            Kind::List(options) if options.contains(&value) => Ok(value.to_owned()),
            Kind::List(_) if self.var == "pubsub#access_model" => {
                Err(refused().with("unsupported-access-model"))
            }
            Kind::MaxItems if value == "max" => Ok(value.to_owned()),
            Kind::Size if value.is_empty() => Ok(String::new()),
            Kind::MaxItems => {
                number(value, limits.items).ok_or_else(|| refused().with("max-items-exceeded"))
            }
            Kind::Size => number(value, limits.payload).ok_or_else(refused),
            Kind::Text | Kind::List(_) => Err(refused()),
        }
    }
}

impl Kind {
    /// The type's name in data forms.
    fn name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::List(_) => "list-single",
            Self::Text | Self::MaxItems | Self::Size => "text-single",
        }
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Self::List(options) => options,
            _ => &[],
        }
    }
}

/// A number from 1 to `most`.
fn number(value: &str, most: usize) -> Option<String> {
    let number: usize = value.parse().ok()?;
    (1..=most).contains(&number).then(|| number.to_string())
}
