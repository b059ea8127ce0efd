//! Options of the live view.

use std::str::FromStr;

use super::names;
use crate::jid;
use crate::nearest::nearest;

/// How much is shown of a stanza.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Show nothing.
    #[default]
    Off,
    /// Show what matters of each stanza, on one line.
    Short,
    /// Show the XML of each stanza, on one line.
    Full,
    /// Show the steps of a recording, for other programs: a JSON object each.
    Json,
}

/// Options of the live view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How much of a stanza is shown.
    pub form: Form,
    /// Show words of people. Passwords and tokens are never shown.
    pub bodies: bool,
    /// Show each request of pubshim's own, and its answer.
    pub own: bool,
    /// Show only steps that these name; empty: all.
    pub only: Vec<Only>,
}

impl Options {
    /// Whether a step with these `functions` and `addresses` is shown: of each kind that `only` names, one must be
    /// among them.
    pub(super) fn shows(&self, functions: &[&str], addresses: &[&str]) -> bool {
        let (by_function, by_address): (Vec<_>, Vec<_>) = self
            .only
            .iter()
            .partition(|only| matches!(only, Only::Function(_)));
        let has = |wanted: &[&Only], found: &[&str]| {
            wanted.is_empty()
                || wanted
                    .iter()
                    .any(|only| found.iter().any(|text| only.is(text)))
        };
        has(&by_function, functions) && has(&by_address, addresses)
    }
}

/// A function or an address that a filter names.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub enum Only {
    /// The name of a rule or its first words, or the name of a stanza or of what is in an IQ.
    Function(String),
    /// An account, or with a resource that full JID alone.
    Address(String),
    /// All addresses of a domain.
    Domain(String),
}

impl Only {
    /// Whether the filter names `text`, a function or an address.
    fn is(&self, text: &str) -> bool {
        match self {
            Self::Function(word) => begins_with(text, word),
            Self::Address(address) if address.contains('/') => address == text,
            Self::Address(address) => jid::prepared(address) == jid::prepared(jid::bare(text)),
            Self::Domain(domain) => domain.eq_ignore_ascii_case(jid::domain(text)),
        }
    }
}

/// Whether a name is `words`, or begins with them and a hyphen.
fn begins_with(name: &str, words: &str) -> bool {
    let rest = name.strip_prefix(words);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

impl FromStr for Only {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('@') {
            Some(("", domain)) if jid::is_domain(domain) => Ok(Self::Domain(domain.to_owned())),
            Some((_, rest)) if jid::is_domain(jid::bare(rest)) => {
                Ok(Self::Address(text.to_owned()))
            }
            None if !text.is_empty() && names::known().any(|name| begins_with(name, text)) => {
                Ok(Self::Function(text.to_owned()))
            }
            _ => Err(refused(text)),
        }
    }
}

/// Error for a word that is no known function and no address.
fn refused(text: &str) -> String {
    let near = match text.contains('@') {
        true => None,
        false => nearest(text, names::known()),
    };
    match near {
        Some(near) => format!("there is no such function: is {near} meant?"),
        None => "expected a function such as presence, an address such as romeo@example.org, or @example.org".to_owned(),
    }
}

impl TryFrom<String> for Only {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_and_addresses_are_asked_for() {
        let shows = |only: &str, functions: &[&str], addresses: &[&str]| {
            let options = Options {
                only: only
                    .split(',')
                    .map(|text| text.parse().expect(text))
                    .collect(),
                ..Options::default()
            };
            options.shows(functions, addresses)
        };
        let publish = ["presence", "presence-publish"];
        assert!(shows("presence", &publish, &[]));
        assert!(shows("roster,presence-publish", &publish, &[]));
        assert!(!shows("room", &publish, &[]));
        assert!(!shows("presence-publish", &["presence"], &[]));
        assert!(shows("romeo@a.b", &[], &["x@y", "Romeo@a.b/c"]));
        assert!(!shows("romeo@a.b/d", &[], &["romeo@a.b/c"]));
        assert!(shows("romeo@a.b/c", &[], &["romeo@a.b/c"]));
        assert!(shows("@a.b", &[], &["romeo@a.b/c"]));
        assert!(shows("@a.b", &[], &["a.b"]));
        assert!(!shows("@a.b", &[], &["x.a.b"]));
        assert!(shows("presence,@a.b", &publish, &["a.b"]));
        assert!(!shows("roster,@a.b", &publish, &["a.b"]));
        assert!(!shows("presence,@b", &publish, &["a.b"]));
        assert!(Options::default().shows(&[], &[]));
    }

    #[test]
    fn what_is_neither() {
        for text in ["", "a b", "@", "a@", "a@b c", "a.b", "-", "pres"] {
            assert!(text.parse::<Only>().is_err(), "{text}");
        }
    }
}
