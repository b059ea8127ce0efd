//! Handling of stanzas: pubsub, and the duties of every server (RFC 6120); everything else is refused.

use bytes::BytesMut;

use super::config::Target;
use super::error::Error;
use super::form::Form;
use super::output::ConnectionId;
use super::pubsub::Request;
use super::server::Server;
use crate::jid;
use crate::ns;
use crate::xml::{Element, Limits, escape, rewrite_standalone};

/// Text of the error for everything the sandbox does not serve.
const REFUSAL: &str = "this sandbox knows nothing but publish-subscribe";

/// Longest answer in bytes: its stanza has to stay within [`Limits::AFTER_LOGIN`], as pubshim's own framer demands.
const MOST_ANSWER: usize = Limits::AFTER_LOGIN.bytes - 8 * 1024;

impl Server {
    /// Handles a stanza of the session `from`.
    pub(super) fn stanza(&mut self, id: ConnectionId, from: &str, stanza: &Element<'_>) {
        let claimed = stanza.attribute("from");
        if claimed.is_some_and(|it| it != from && it != jid::bare(from)) {
            return self.fail(id, "invalid-from", "a stanza in somebody else's name");
        }
        let is_client = stanza.namespace() == ns::CLIENT;
        match stanza.local() {
            "iq" if is_client => self.iq(id, from, stanza),
            "message" if is_client => self.message(id, from, stanza),
            "presence" if is_client => self.presence(id, stanza),
            _ => self.fail(id, "unsupported-stanza-type", REFUSAL),
        }
    }

    fn iq(&mut self, id: ConnectionId, from: &str, iq: &Element<'_>) {
        let target = match iq.attribute("to") {
            Some(to) => self.directory.target(&to),
            None => Target::Account(jid::bare(from).to_owned()),
        };
        let is_set = match iq.attribute("type").as_deref() {
            Some("get") => false,
            Some("set") => true,
            Some("result" | "error") => return self.route(from, &target, iq),
            _ => return self.answer(id, iq, Err(Error::BAD_REQUEST.text("no type of an IQ"))),
        };
        let mut children = iq.children();
        let (Some(payload), None) = (children.next(), children.next()) else {
            let error = Error::BAD_REQUEST.text("an IQ has one child (RFC 6120 §8.2.3)");
            return self.answer(id, iq, Err(error));
        };
        match &target {
            Target::Resource(jid) if self.connections_of(jid).is_empty() => {
                self.answer(id, iq, Err(Error::SERVICE_UNAVAILABLE));
            }
            Target::Resource(_) => self.route(from, &target, iq),
            Target::Nobody => self.answer(id, iq, Err(Error::SERVICE_UNAVAILABLE)),
            Target::Foreign => self.answer(id, iq, Err(Error::REMOTE_SERVER_NOT_FOUND)),
            Target::Account(service) | Target::Service(service)
                if matches!(&*payload.namespace(), ns::PUBSUB | ns::PUBSUB_OWNER)
                    && payload.local() == "pubsub" =>
            {
                let Some(action) = payload.children().next() else {
                    let error = Error::BAD_REQUEST.text("an empty pubsub element");
                    return self.answer(id, iq, Err(error));
                };
                let request = Request {
                    from,
                    service,
                    is_set,
                    pubsub: &payload,
                    action: &action,
                };
                self.with_pubsub(
                    |pubsub, context| pubsub.handle(request, context),
                    |server, result| server.answer(id, iq, result),
                );
            }
            _ => {
                let result = self.ask_server(from, &target, &payload, is_set);
                self.answer(id, iq, result);
            }
        }
    }

    /// Answers requests that every server answers: pings, disco, the session of RFC 3921.
    fn ask_server(
        &self,
        from: &str,
        target: &Target,
        payload: &Element<'_>,
        is_set: bool,
    ) -> Result<String, Error> {
        match (&*payload.namespace(), payload.local(), is_set) {
            (ns::PING, "ping", false) | (ns::SESSION, "session", true) => Ok(String::new()),
            (ns::DISCO_INFO, "query", false) => self.disco_info(from, target, payload),
            (ns::DISCO_ITEMS, "query", false) => self.disco_items(from, target, payload),
            (ns::BIND, ..) => Err(Error::NOT_ALLOWED.text("one resource for each connection")),
            _ => Err(Error::SERVICE_UNAVAILABLE.text(REFUSAL)),
        }
    }

    /// Passes an IQ on to the resource it is for (RFC 6120 §10.5.4); an answer to nobody is dropped.
    fn route(&mut self, from: &str, target: &Target, iq: &Element<'_>) {
        let Target::Resource(jid) = target else {
            return;
        };
        let mut out = BytesMut::new();
        rewrite_standalone(&mut out, iq, &[("from", Some(from))], |_| true, "");
        // Always UTF-8: made of strings.
        let text = String::from_utf8(out.into()).unwrap_or_default();
        for id in self.connections_of(jid) {
            self.send(id, &text);
        }
    }

    /// Answers an IQ.
    fn answer(&mut self, id: ConnectionId, iq: &Element<'_>, result: Result<String, Error>) {
        let too_long = Error::RESOURCE_CONSTRAINT.text("the answer is longer than a stanza may be");
        let (kind, content) = match result {
            Ok(content) if content.len() > MOST_ANSWER => ("error", too_long.to_xml()),
            Ok(content) => ("result", content),
            Err(error) => ("error", error.to_xml()),
        };
        self.reply(id, iq, kind, &content);
    }

    /// Sends a stanza of the same name and id back to the sender of `stanza`.
    fn reply(&mut self, id: ConnectionId, stanza: &Element<'_>, kind: &str, content: &str) {
        let Some(to) = self.jid_of(id) else {
            return;
        };
        let from = stanza
            .attribute("to")
            .map_or(jid::bare(&to).to_owned(), |it| it.into_owned());
        let stanza_id = stanza
            .attribute("id")
            .map_or(String::new(), |it| format!(" id='{}'", escape(&it)));
        let name = stanza.local();
        let text = format!(
            "<{name} type='{kind}' from='{}' to='{}'{stanza_id}>{content}</{name}>",
            escape(&from),
            escape(&to)
        );
        self.send(id, &text);
    }

    /// Handles an answer to a request for approval (listings 10 and 11); every other message is refused.
    fn message(&mut self, id: ConnectionId, from: &str, message: &Element<'_>) {
        // An error is never answered (RFC 6120 §8.3.1).
        if message.attribute("type").as_deref() == Some("error") {
            return;
        }
        let target = message.attribute("to").map(|to| self.directory.target(&to));
        let form = Form::of(message).filter(Form::is_authorization);
        let (Some(Target::Domain(to) | Target::Service(to)), Some(form)) = (target, form) else {
            let error = Error::SERVICE_UNAVAILABLE.text(REFUSAL);
            return self.reply(id, message, "error", &error.to_xml());
        };
        let request = message.attribute("id").unwrap_or_default();
        self.with_pubsub(
            |pubsub, context| pubsub.answer(from, &to, &request, &form, context),
            |server, result| {
                if let Err(error) = result {
                    server.reply(id, message, "error", &error.to_xml());
                }
            },
        );
    }

    fn presence(&mut self, id: ConnectionId, presence: &Element<'_>) {
        if matches!(
            presence.attribute("type").as_deref(),
            Some("error" | "unavailable")
        ) {
            return;
        }
        let error = Error::NOT_IMPLEMENTED.text(REFUSAL);
        self.reply(id, presence, "error", &error.to_xml());
    }
}
