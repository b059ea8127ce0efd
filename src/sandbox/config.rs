//! The configuration of a sandbox: domains, accounts, limits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::jid;

/// The configuration of a sandbox.
#[derive(Clone, Default)]
pub struct Config {
    /// The domains it serves, at least one.
    pub domains: Vec<String>,
    /// Bare JIDs at these domains, and passwords.
    pub accounts: Vec<(String, String)>,
    /// Whether stream compression (XEP-0138) is offered.
    pub compression: bool,
    /// File that keeps nodes over restarts; without it they end with the program.
    pub data: Option<PathBuf>,
    /// Limits for everybody.
    pub limits: Limits,
    /// The server whose rules hold where stock servers differ.
    pub ways: Ways,
}

/// The rules that differ between stock servers, for tests that have to hold under both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ways {
    /// An item can be replaced only by the account that published it; `publisher` is a full JID.
    #[default]
    Ejabberd,
    /// Everybody who may publish may replace any item, and becomes its publisher; `publisher` is a bare JID, and events
    /// have no address for replies.
    Prosody,
}

/// Limits; requests beyond them are refused with an error.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once, logged in or not.
    pub connections: usize,
    /// Bytes that may wait for a client; a client that lets more wait is cut off.
    pub outgoing: usize,
    /// Nodes of one service.
    pub nodes: usize,
    /// Items of one node.
    pub items: usize,
    /// Subscriptions of one node, the pending ones included; affiliations of one node, too.
    pub subscriptions: usize,
    /// Bytes of one payload, with the namespaces it inherits declared on it.
    pub payload: usize,
    /// Bytes of the items in one answer; clients can ask for the others by id.
    pub answer: usize,
    /// Bytes of the name of a node, or of an item's id.
    pub name: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            outgoing: 1024 * 1024,
            nodes: 1000,
            items: 1000,
            subscriptions: 1000,
            payload: 128 * 1024,
            answer: 192 * 1024,
            name: 1023,
        }
    }
}

/// Errors in a [`Config`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// There is no domain.
    #[error("the sandbox needs at least one domain")]
    NoDomain,
    /// Not a domain.
    #[error("{0:?} is not a domain")]
    Domain(String),
    /// Not a bare JID.
    #[error("{0:?} is not an account such as juliet@localhost")]
    Account(String),
    /// An account at a domain the sandbox does not serve.
    #[error("the domain of the account {0} is none of the sandbox's")]
    Foreign(String),
    /// An account without password.
    #[error("the account {0} has no password")]
    NoPassword(String),
}

/// The checked addresses of a [`Config`], in lower case.
pub(super) struct Directory {
    pub(super) domains: Vec<String>,
    /// Passwords by bare JID.
    pub(super) accounts: BTreeMap<String, String>,
    /// Services beside those of the domains.
    pub(super) services: BTreeSet<String>,
}

/// The hosts beside a domain that are pubsub services: `chat.localhost`, `pubsub.localhost`.
pub(super) const SERVICES: [&str; 2] = ["chat", "pubsub"];

/// The entity that an address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A domain of the sandbox.
    Domain(String),
    /// A pubsub service of the sandbox.
    Service(String),
    /// An account of the sandbox, by bare JID.
    Account(String),
    /// A resource of such an account, connected or not.
    Resource(String),
    /// An address at a domain of the sandbox that belongs to no account.
    Nobody,
    /// An address elsewhere.
    Foreign,
}

impl Directory {
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        if config.domains.is_empty() {
            return Err(ConfigError::NoDomain);
        }
        let domains: Vec<_> = config.domains.iter().map(|it| it.to_lowercase()).collect();
        if let Some(bad) = domains.iter().find(|domain| !jid::is_domain(domain)) {
            return Err(ConfigError::Domain(bad.clone()));
        }
        let mut directory = Self {
            domains,
            accounts: BTreeMap::new(),
            services: BTreeSet::new(),
        };
        for (account, password) in &config.accounts {
            directory.add(account, password)?;
        }
        Ok(directory)
    }

    /// Adds an account, at a domain that is served.
    pub(super) fn add(&mut self, account: &str, password: &str) -> Result<(), ConfigError> {
        let account = normal(account);
        if !jid::is_account(&account) || account.contains(|c: char| c.is_whitespace()) {
            return Err(ConfigError::Account(account));
        }
        if !self.domains.iter().any(|it| it == jid::domain(&account)) {
            return Err(ConfigError::Foreign(account));
        }
        if password.is_empty() {
            return Err(ConfigError::NoPassword(account));
        }
        self.accounts.insert(account, password.to_owned());
        Ok(())
    }

    /// The entity that `address` names; case matters in resources only.
    pub(super) fn target(&self, address: &str) -> Target {
        let address = normal(address);
        let domain = jid::domain(&address).to_owned();
        let is_ours = self.domains.contains(&domain);
        let is_service = self.services.contains(&domain)
            || domain.split_once('.').is_some_and(|(name, of)| {
                SERVICES.contains(&name) && self.domains.iter().any(|it| it == of)
            });
        let is_host = jid::local(&address).is_none() && jid::resource(&address).is_none();
        match (is_ours, is_service) {
            (false, false) => Target::Foreign,
            (true, _) if is_host => Target::Domain(domain),
            (_, true) if is_host => Target::Service(domain),
            (true, _) if self.accounts.contains_key(jid::bare(&address)) => {
                match jid::resource(&address) {
                    Some(_) => Target::Resource(address),
                    None => Target::Account(address),
                }
            }
            _ => Target::Nobody,
        }
    }
}

/// Whether `address` can be that of an account or resource, and is not too long (RFC 6122 §2.1).
pub(super) fn is_user(address: &str) -> bool {
    const MOST: usize = 3071;
    address.len() <= MOST
        && jid::is_account(jid::bare(address))
        && !address.contains(char::is_control)
}

/// `address` as a server writes it.
pub(super) fn normal(address: &str) -> String {
    jid::prepared(address).into_owned()
}
