//! A stream from its header to its bound resource (RFC 6120 §4, §6, §7; XEP-0138).

use bytes::BytesMut;

use super::connection::{Stage, StreamFrame};
use super::output::ConnectionId;
use super::sasl::{Exchange, Failure, MECHANISMS, Step};
use super::server::Server;
use crate::jid;
use crate::ns;
use crate::xml::{Element, FrameKind, Namespaces, escape};

/// Failed logins allowed on one connection.
const MOST_ATTEMPTS: u8 = 5;
/// The longest resource, in bytes (RFC 6122 §2.4).
const MOST_RESOURCE: usize = 1023;

impl Server {
    pub(super) fn frame(&mut self, id: ConnectionId, frame: &StreamFrame) {
        match frame.kind {
            FrameKind::Header => self.header(id, &frame.namespaces),
            FrameKind::Element => match Element::of_frame(&frame.bytes, &frame.namespaces) {
                Some(element) => self.element(id, &element),
                None => self.fail(id, "not-well-formed", "not an element"),
            },
            FrameKind::Whitespace => {}
            FrameKind::Close => {
                self.end_session(id);
                self.close(id);
            }
        }
    }

    fn header(&mut self, id: ConnectionId, namespaces: &Namespaces) {
        let prefix = namespaces
            .stream_name()
            .split_once(':')
            .map_or("", |(prefix, _)| prefix);
        if namespaces.get(prefix) != Some(ns::STREAM) || namespaces.get("") != Some(ns::CLIENT) {
            return self.fail(id, "invalid-namespace", "not a stream of jabber:client");
        }
        let domain = namespaces
            .attribute("to")
            .unwrap_or_default()
            .to_lowercase();
        if !self.directory.domains.contains(&domain) {
            let text = format!("this sandbox serves {}", self.directory.domains.join(", "));
            return self.fail(id, "host-unknown", &text);
        }
        if namespaces.attribute("version") != Some("1.0") {
            return self.fail(id, "unsupported-version", "not a stream of version 1.0");
        }
        let compression = match self.compression {
            true => {
                "<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>"
            }
            false => "",
        };
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let is_other = !connection.domain.is_empty() && connection.domain != domain;
        connection.domain = domain;
        let features = match std::mem::replace(&mut connection.stage, Stage::Ended) {
            Stage::Reopening(_) if is_other => {
                return self.fail(id, "improper-addressing", "another domain than at login");
            }
            Stage::Reopening(account) => {
                connection.stage = Stage::Binding(account);
                let compression = if connection.is_compressed {
                    ""
                } else {
                    compression
                };
                format!(
                    "{compression}<bind xmlns='{}'/><session xmlns='{}'><optional/></session>",
                    ns::BIND,
                    ns::SESSION
                )
            }
            _ => {
                connection.stage = Stage::Login(None);
                let mechanisms = MECHANISMS.map(|it| format!("<mechanism>{it}</mechanism>"));
                format!(
                    "<mechanisms xmlns='{}'>{}</mechanisms>",
                    ns::SASL,
                    mechanisms.concat()
                )
            }
        };
        self.open(id);
        self.send(
            id,
            &format!("<stream:features>{features}</stream:features>"),
        );
    }

    /// Sends the sandbox's stream header.
    fn open(&mut self, id: ConnectionId) {
        let stream = self.random.id();
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.is_open = true;
        let from = match connection.domain.as_str() {
            "" => String::new(),
            domain => format!(" from='{}'", escape(domain)),
        };
        let header = format!(
            "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}' id='{stream}'{from} version='1.0' xml:lang='en'>",
            ns::CLIENT,
            ns::STREAM
        );
        self.send(id, &header);
    }

    fn element(&mut self, id: ConnectionId, element: &Element<'_>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match std::mem::replace(&mut connection.stage, Stage::Ended) {
            Stage::Login(exchange) => self.login(id, exchange, element),
            Stage::Binding(account) if element.is(ns::COMPRESS, "compress") => {
                self.compress(id, account, element);
            }
            Stage::Binding(account) => self.bind(id, account, element),
            Stage::Bound(jid) => {
                connection.stage = Stage::Bound(jid.clone());
                self.stanza(id, &jid, element);
            }
            Stage::Opening | Stage::Reopening(_) | Stage::Ended => {}
        }
    }

    fn login(&mut self, id: ConnectionId, exchange: Option<Exchange>, element: &Element<'_>) {
        let text = element.text();
        let (exchange, text) = match (element.local(), exchange) {
            _ if element.namespace() != ns::SASL => {
                return self.fail(id, "not-authorized", "a login has to come first");
            }
            ("auth", None) => (
                Exchange::new(&element.attribute("mechanism").unwrap_or_default()),
                text,
            ),
            ("response", Some(exchange)) => (Ok(exchange), text),
            ("abort", _) => (Err(Failure("aborted")), text),
            _ => (Err(Failure("malformed-request")), text),
        };
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let stepped = exchange.and_then(|mut exchange| {
            let step =
                exchange.step(&text, &connection.domain, &self.directory, &mut self.random)?;
            Ok((exchange, step))
        });
        match stepped {
            Ok((exchange, Step::Challenge(challenge))) => {
                connection.stage = Stage::Login(Some(exchange));
                self.send(
                    id,
                    &format!("<challenge xmlns='{}'>{challenge}</challenge>", ns::SASL),
                );
            }
            Ok((_, Step::Success { account, data })) => {
                connection.restart(Stage::Reopening(account));
                let data = data.unwrap_or_default();
                self.send(
                    id,
                    &format!("<success xmlns='{}'>{data}</success>", ns::SASL),
                );
            }
            Err(Failure(condition)) => {
                connection.stage = Stage::Login(None);
                connection.failures += 1;
                let is_over = connection.failures >= MOST_ATTEMPTS;
                self.send(
                    id,
                    &format!("<failure xmlns='{}'><{condition}/></failure>", ns::SASL),
                );
                if is_over {
                    self.fail(id, "policy-violation", "too many logins failed");
                }
            }
        }
    }

    /// Begins compression, if it is offered and zlib is wanted (XEP-0138 §3).
    fn compress(&mut self, id: ConnectionId, account: String, element: &Element<'_>) {
        let method = element
            .child(ns::COMPRESS, "method")
            .map(|it| it.text().into_owned());
        let is_offered = self.compression;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let refusal = match method.as_deref() {
            Some("zlib") if is_offered && !connection.is_compressed => None,
            Some("zlib") => Some("setup-failed"),
            _ => Some("unsupported-method"),
        };
        if let Some(refusal) = refusal {
            connection.stage = Stage::Binding(account);
            return self.send(
                id,
                &format!("<failure xmlns='{}'><{refusal}/></failure>", ns::COMPRESS),
            );
        }
        if !connection.input.is_empty() {
            return self.fail(id, "policy-violation", "bytes behind <compress/>");
        }
        connection.restart(Stage::Reopening(account));
        connection.begins_compression = true;
        connection.is_compressed = true;
        self.send(id, &format!("<compressed xmlns='{}'/>", ns::COMPRESS));
    }

    fn bind(&mut self, id: ConnectionId, account: String, element: &Element<'_>) {
        let bind = element.child(ns::BIND, "bind");
        let is_request =
            element.is(ns::CLIENT, "iq") && element.attribute("type").as_deref() == Some("set");
        let Some(bind) = bind.filter(|_| is_request) else {
            return self.fail(id, "not-authorized", "a resource has to be bound first");
        };
        let wished = bind
            .child(ns::BIND, "resource")
            .map(|it| it.text().into_owned());
        let wished = wished.filter(|it| !it.is_empty());
        let stanza_id = element.attribute("id").unwrap_or_default();
        let is_bad = |it: &String| it.len() > MOST_RESOURCE || it.contains(char::is_control);
        if wished.as_ref().is_some_and(is_bad) {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.stage = Stage::Binding(account);
            }
            let error = super::error::Error::BAD_REQUEST.to_xml();
            return self.send(
                id,
                &format!("<iq type='error' id='{}'>{error}</iq>", escape(&stanza_id)),
            );
        }
        let resource = wished.unwrap_or_else(|| self.random.id());
        let jid = format!("{account}/{resource}");
        for old in self.connections_of(&jid) {
            self.fail(
                old,
                "conflict",
                "another connection has bound this resource",
            );
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.stage = Stage::Bound(jid.clone());
        }
        self.send(
            id,
            &format!(
                "<iq type='result' id='{}'><bind xmlns='{}'><jid>{}</jid></bind></iq>",
                escape(&stanza_id),
                ns::BIND,
                escape(&jid)
            ),
        );
        self.begin_session(id, jid::bare(&jid), &resource);
    }

    /// Ends a stream with an error (RFC 6120 §4.9).
    pub(super) fn fail(&mut self, id: ConnectionId, condition: &str, text: &str) {
        self.end_session(id);
        let Some(connection) = self.connections.get(&id).filter(|it| !it.is_closed) else {
            return;
        };
        if !connection.is_open {
            self.open(id);
        }
        self.send(
            id,
            &format!(
                "<stream:error><{condition} xmlns='{0}'/><text xmlns='{0}' xml:lang='en'>{1}</text></stream:error>",
                ns::STREAM_ERRORS,
                escape(text)
            ),
        );
        self.close(id);
    }

    /// Sends the closing tag, after which the connection is closed.
    fn close(&mut self, id: ConnectionId) {
        self.send(id, "</stream:stream>");
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.is_closed = true;
            connection.input = BytesMut::new();
        }
    }
}
