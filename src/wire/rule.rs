//! A rule of the translation as logs and counters name it. Each rule stands with the code that applies it.

/// A rule of the translation.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// A short name, as in the live view and in counters.
    pub name: &'static str,
    /// The listings of XEP-0207 it implements; empty: none.
    pub listing: &'static str,
    /// A sentence for people: what the shim does.
    pub text: &'static str,
}

impl Rule {
    /// A rule, from its name, its listings and its sentence.
    pub(crate) const fn new(name: &'static str, listing: &'static str, text: &'static str) -> Self {
        Self {
            name,
            listing,
            text,
        }
    }
}
