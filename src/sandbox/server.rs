//! All connections and the nodes they share.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, Bytes};

use super::config::{Config, ConfigError, Directory, Limits, Ways};
use super::connection::{Connection, Stage};
use super::output::{ConnectionId, Output, Then};
use super::pubsub::{Context, Message, Pubsub};
use super::random::Random;
use super::store::{self, DataError};
use crate::jid;
use crate::xml::escape;

/// Requests for approval sent at a login; further ones are sent at the next.
const MOST_REQUESTS: usize = 100;

/// The sandbox without its sockets: bytes of many connections in, bytes out.
///
/// Bytes of one connection may cause output on others: [`woken`](Self::woken) names them, [`take`](Self::take) gives
/// their output. The server reads no clock; everything random comes from the seed.
pub struct Server {
    pub(super) directory: Directory,
    pub(super) limits: Limits,
    ways: Ways,
    pub(super) compression: bool,
    pub(super) random: Random,
    pub(super) pubsub: Pubsub,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    next: u64,
    /// Connections by bare JID and bound resource.
    sessions: BTreeMap<String, BTreeMap<String, ConnectionId>>,
    woken: BTreeSet<ConnectionId>,
    changed: bool,
}

impl Server {
    /// A server without connections and nodes; the seed has to be a secret.
    pub fn new(config: &Config, seed: [u8; 32]) -> Result<Self, ConfigError> {
        Ok(Self {
            directory: Directory::new(config)?,
            limits: config.limits,
            ways: config.ways,
            compression: config.compression,
            random: Random::new(seed),
            pubsub: Pubsub::default(),
            connections: BTreeMap::new(),
            next: 0,
            sessions: BTreeMap::new(),
            woken: BTreeSet::new(),
            changed: false,
        })
    }

    /// Adds an account, and its domain.
    pub fn admit(&mut self, account: &str, password: &str) -> Result<(), ConfigError> {
        let domain = jid::domain(account).to_lowercase();
        if !jid::is_domain(&domain) {
            return Err(ConfigError::Domain(domain));
        }
        if !self.directory.domains.contains(&domain) {
            self.directory.domains.push(domain);
        }
        self.directory.add(account, password)
    }

    /// Adds a pubsub service.
    pub fn add_service(&mut self, host: &str) {
        self.directory.services.insert(host.to_lowercase());
    }

    /// Replaces the nodes by those of a text of [`data`](Self::data).
    pub fn load(&mut self, text: &str) -> Result<(), DataError> {
        self.pubsub = store::read(text, &self.limits)?;
        Ok(())
    }

    /// All nodes as text, without subscriptions and items that end with a session.
    pub fn data(&self) -> Result<String, DataError> {
        store::write(&self.pubsub)
    }

    /// Whether [`data`](Self::data) has changed since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Has [`take_changed`](Self::take_changed) return `true` again, after the text could not be saved.
    pub fn set_changed(&mut self) {
        self.changed = true;
    }

    /// Adds a connection; `None` if there are as many as allowed.
    pub fn connect(&mut self) -> Option<ConnectionId> {
        if self.connections.len() >= self.limits.connections {
            return None;
        }
        self.next += 1;
        let id = ConnectionId(self.next);
        self.connections.insert(id, Connection::new());
        Some(id)
    }

    /// Handles bytes that came on a connection, cut anywhere.
    pub fn handle(&mut self, id: ConnectionId, bytes: &[u8]) {
        if let Some(connection) = self.connections.get_mut(&id).filter(|it| !it.is_closed) {
            connection.input.put_slice(bytes);
        }
        loop {
            let Some(connection) = self.connections.get_mut(&id).filter(|it| !it.is_closed) else {
                return;
            };
            match connection.next_frame() {
                Ok(Some(frame)) => self.frame(id, &frame),
                Ok(None) => return,
                Err(error) => self.fail(id, error.condition(), &error.to_string()),
            }
        }
    }

    /// Removes a connection that is gone, or to which bytes cannot be sent.
    pub fn disconnect(&mut self, id: ConnectionId) {
        self.end_session(id);
        self.connections.remove(&id);
        self.woken.remove(&id);
    }

    /// The connections that have something to [`take`](Self::take) since the last call.
    pub fn woken(&mut self) -> BTreeSet<ConnectionId> {
        std::mem::take(&mut self.woken)
    }

    /// The output for a connection; for an unknown connection, its end.
    pub fn take(&mut self, id: ConnectionId) -> Output {
        match self.connections.get_mut(&id) {
            Some(connection) => connection.take(),
            None => Output {
                bytes: Bytes::new(),
                then: Then::Close,
            },
        }
    }

    /// Whether the connection has logged in and bound a resource.
    pub fn is_bound(&self, id: ConnectionId) -> bool {
        let connection = self.connections.get(&id);
        connection.is_some_and(|it| matches!(it.stage, Stage::Bound(_)))
    }

    /// Whether the client was cut off because it does not read, so that sending can stop.
    pub fn is_cut_off(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_none_or(|it| it.is_cut_off)
    }

    /// Ends every stream.
    pub fn shutdown(&mut self) {
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.fail(id, "system-shutdown", "the sandbox ends");
        }
    }

    /// Ends one stream that took too long.
    pub fn time_out(&mut self, id: ConnectionId) {
        self.fail(id, "connection-timeout", "nothing was heard for too long");
    }

    /// Sends `text` on a connection; one that does not read is cut off.
    pub(super) fn send(&mut self, id: ConnectionId, text: &str) {
        let most = self.limits.outgoing;
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.send(text, most);
            self.woken.insert(id);
        }
    }

    /// The full JID a connection has bound.
    pub(super) fn jid_of(&self, id: ConnectionId) -> Option<String> {
        match &self.connections.get(&id)?.stage {
            Stage::Bound(jid) => Some(jid.clone()),
            _ => None,
        }
    }

    /// Sends a message to its recipient, if connected.
    pub(super) fn deliver(&mut self, message: &Message) {
        let text = message_xml(message);
        for id in self.connections_of(&message.to) {
            self.send(id, &text);
        }
    }

    /// The connection of a full JID, or those of all resources of a bare one.
    pub(super) fn connections_of(&self, address: &str) -> Vec<ConnectionId> {
        let resources = self.sessions.get(jid::bare(address));
        let resources = resources.into_iter().flatten();
        let wanted = jid::resource(address);
        let found = resources.filter(|(resource, _)| wanted.is_none_or(|it| it == *resource));
        found.map(|(_, id)| *id).collect()
    }

    /// Begins the session of a connection that has bound a resource, and sends it the account's open requests for
    /// approval.
    pub(super) fn begin_session(&mut self, id: ConnectionId, account: &str, resource: &str) {
        let resources = self.sessions.entry(account.to_owned()).or_default();
        resources.insert(resource.to_owned(), id);
        for request in self
            .pubsub
            .open_requests(account)
            .iter()
            .take(MOST_REQUESTS)
        {
            self.send(id, &message_xml(request));
        }
    }

    /// Ends the session of a connection, and removes subscriptions and items that end with it.
    pub(super) fn end_session(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let Stage::Bound(jid) = std::mem::replace(&mut connection.stage, Stage::Ended) else {
            return;
        };
        let account = jid::bare(&jid);
        let mut is_last = true;
        if let Some(resources) = self.sessions.get_mut(account) {
            resources.remove(jid::resource(&jid).unwrap_or_default());
            is_last = resources.is_empty();
        }
        if is_last {
            self.sessions.remove(account);
        }
        self.with_pubsub(
            |pubsub, context| pubsub.session_ended(&jid, is_last, context),
            |_, _| {},
        );
    }

    /// Lets `act` work on the nodes, sends the events it caused, then `answer`s with its result, then sends the rest:
    /// the order of stock servers.
    pub(super) fn with_pubsub<T>(
        &mut self,
        act: impl FnOnce(&mut Pubsub, &mut Context<'_>) -> T,
        answer: impl FnOnce(&mut Self, T),
    ) {
        let (mut events, mut messages) = (Vec::new(), Vec::new());
        let mut context = Context {
            limits: &self.limits,
            ways: self.ways,
            random: &mut self.random,
            events: &mut events,
            messages: &mut messages,
            changed: &mut self.changed,
        };
        let result = act(&mut self.pubsub, &mut context);
        for event in &events {
            self.deliver(event);
        }
        answer(self, result);
        for message in &messages {
            self.deliver(message);
        }
    }
}

fn message_xml(message: &Message) -> String {
    let kind = match message.kind {
        "" => String::new(),
        kind => format!(" type='{kind}'"),
    };
    format!(
        "<message from='{}' to='{}'{kind} id='{}'>{}</message>",
        escape(&message.from),
        escape(&message.to),
        message.id,
        message.content
    )
}
