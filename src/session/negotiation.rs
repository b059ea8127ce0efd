//! From the first byte to the bound resource: headers, features, STARTTLS, SASL (RFC 6120 §4–7).

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::{BufMut as _, BytesMut};

use super::login_name::login_name;
use super::phase::Phase;
use super::postponed::Postponed;
use super::{Event, Leg, Output, Policy, Reached, Security, Session};
use crate::jid;
use crate::ns;
use crate::xml::{Element, Framer, Namespaces, escape, rewrite};

/// Features a client may see: pubshim passes them on or can stand in for the server.
const FEATURES: [(&str, &str); 8] = [
    (ns::SASL, "mechanisms"),
    (ns::SASL_CB, "sasl-channel-binding"),
    (ns::BIND, "bind"),
    (ns::SESSION, "session"),
    (ns::REGISTER_FEATURE, "register"),
    (ns::ROSTERVER, "ver"),
    (ns::PRE_APPROVAL, "sub"),
    (ns::CAPS, "c"),
];

impl Session {
    /// Whether the client has been shown features: from here on both streams are open.
    pub(super) fn is_negotiated(&self) -> bool {
        self.phase >= Phase::Login
    }

    /// Whether the login is over: a resource is bound, or under [`Policy::Off`] bytes pass unread.
    pub(super) fn is_logged_in(&self) -> bool {
        self.phase == Phase::Established
    }

    pub(super) fn handle_header(&mut self, leg: Leg, bytes: &[u8]) {
        let Some(namespaces) = self.connection(leg).namespaces() else {
            return;
        };
        match leg {
            Leg::Client => self.handle_client_header(bytes, &namespaces),
            Leg::Server => self.handle_server_header(bytes, &namespaces),
        }
    }

    fn handle_client_header(&mut self, bytes: &[u8], namespaces: &Namespaces) {
        if let Err((condition, reason)) = check_header(namespaces) {
            return self.refuse(condition, reason);
        }
        let to = namespaces.attribute("to").unwrap_or_default();
        if self.phase == Phase::Reopening {
            if !to.eq_ignore_ascii_case(&self.domain) {
                return self.refuse(
                    "improper-addressing",
                    "the client named another domain after its login",
                );
            }
            // The client's next frames wait until the server has shown its features.
            self.client.held = true;
            if self.wants_compression() {
                // A compressed stream begins with the same header again.
                self.header = bytes.to_vec();
            }
            self.open_server(bytes);
            self.phase = Phase::Opening;
            return;
        }
        let is_known = !self.domain.is_empty();
        if is_known && !to.eq_ignore_ascii_case(&self.domain) {
            return self.refuse(
                "improper-addressing",
                "the client named another domain after TLS",
            );
        }
        if is_known && self.phase == Phase::Login {
            return self.reopen_client(namespaces);
        }
        if !jid::is_domain(to) {
            return self.refuse(
                "improper-addressing",
                "the client's stream header names no domain in 'to'",
            );
        }
        let allowed = &self.options.domains;
        if !allowed.is_empty() && !allowed.iter().any(|domain| jid::is_same_domain(domain, to)) {
            let reason = format!("the client named {to}, which --domain does not allow");
            return self.refuse("host-unknown", &reason);
        }
        self.domain = to.to_owned();
        if self.awaits_tls() {
            return self.demand_tls();
        }
        self.header = bytes.to_vec();
        self.client.held = true;
        self.phase = Phase::Connecting;
        let domain = self.domain.clone();
        self.wire.output(Output::Connect { domain });
    }

    pub(super) fn handle_connected(&mut self, reached: Reached) {
        if self.phase != Phase::Connecting || self.closing.is_some() {
            return;
        }
        self.note_reached(reached);
        match reached.security {
            Security::StartTls => {
                self.phase = Phase::OpeningPlain;
                // The client's own header names the user in `from`, which is not sent before TLS.
                let header = header_to(&self.domain);
                self.wire.send(Leg::Server, header.as_bytes());
                self.server.opened = Some("stream:stream".into());
            }
            Security::DirectTls | Security::Plain => self.open_with_client_header(),
        }
    }

    pub(super) fn handle_secured(&mut self) {
        if self.phase == Phase::Handshaking && self.closing.is_none() {
            self.await_greeting();
            self.open_with_client_header();
        }
    }

    fn open_with_client_header(&mut self) {
        self.phase = Phase::Opening;
        let header = self.header.clone();
        self.open_server(&header);
    }

    /// Sends the client's header to the server as it came, so that its declarations hold on both legs.
    pub(super) fn open_server(&mut self, header: &[u8]) {
        let namespaces = self.client.namespaces();
        self.server.opened = namespaces.map(|namespaces| namespaces.stream_name().into());
        self.wire.send(Leg::Server, header);
    }

    fn handle_server_header(&mut self, bytes: &[u8], namespaces: &Namespaces) {
        match check_header(namespaces) {
            // A server that refuses the stream may leave the version out; its next frame gives the reason.
            Err(("unsupported-version", _)) if namespaces.attribute("version").is_none() => return,
            Err((_, reason)) => return self.fail_header(reason),
            Ok(()) => {}
        }
        // A header from before TLS may be forged: the client never sees it. A later one is shown with the features,
        // once it is settled that the client logs in to this server.
        if self.phase == Phase::Opening {
            self.postponed.header = bytes.to_vec();
            if self.authenticated && !self.wants_compression() {
                self.open_client();
            }
        }
    }

    /// Sends the server's header to the client as it came, unless the client has one.
    fn open_client(&mut self) {
        let header = match self.offers_tls() {
            true => self.postponed.header.clone(),
            false => std::mem::take(&mut self.postponed.header),
        };
        let is_open = header.is_empty() || self.client.opened.is_some();
        if let (false, Some(namespaces)) = (is_open, self.server.namespaces()) {
            self.wire.send(Leg::Client, &header);
            self.client.opened = Some(namespaces.stream_name().into());
        }
    }

    fn fail_header(&mut self, reason: &str) {
        self.fail_server(&format!("the server's answer is no XMPP stream: {reason}"));
    }

    pub(super) fn negotiate_with_server(&mut self, element: &Element<'_>) {
        let header = self.server.namespaces();
        if let Some(Err((_, reason))) = header.as_deref().map(check_header) {
            return self.fail_header(reason);
        }
        let namespace = element.namespace();
        match (self.phase, &*namespace, element.local()) {
            (Phase::OpeningPlain, ns::STREAM, "features") => self.start_tls(element),
            (Phase::StartingTls, ns::TLS, "proceed") if self.has_unsent() => {
                self.fail_server(
                    "the server agreed to TLS before it was asked, somebody may be tampering",
                );
            }
            (Phase::StartingTls, ns::TLS, "proceed") => {
                self.phase = Phase::Handshaking;
                self.server_at.greeting = None;
                self.server.opened = None;
                self.server.framer = Framer::new(self.options.limits_before_login);
                self.wire.output(Output::StartTls);
            }
            (Phase::StartingTls, ns::TLS, _) => {
                self.fail_server(
                    "the server refused STARTTLS; if it has a TLS port, use --server tls://HOST",
                );
            }
            (Phase::Opening | Phase::Login | Phase::Binding, ns::STREAM, "features") => {
                self.handle_features(element);
            }
            (Phase::Compressing, ns::COMPRESS, "compressed") => self.start_compressing(),
            (Phase::Compressing, ns::COMPRESS, _) => self.handle_compression_refused(element),
            (Phase::Login, ns::SASL, answer) => self.handle_sasl_answer(element, answer),
            (Phase::Login, ns::CLIENT, "iq") => self.handle_iq_answer_before_login(element),
            // Under `off`, client and server may have agreed on anything else.
            (Phase::Login | Phase::Binding, ..) if self.options.policy == Policy::Off => {
                self.pass(Leg::Server, element);
                match self.phase {
                    Phase::Login if element.is(ns::SASL2, "success") => self.await_features(),
                    Phase::Login => {}
                    _ => self.start_relaying(),
                }
            }
            (Phase::Binding, ns::CLIENT, _) => self.handle_bind_answer(element),
            _ => self.refuse_element(Leg::Server, element),
        }
    }

    fn start_tls(&mut self, features: &Element<'_>) {
        if features.child(ns::TLS, "starttls").is_none() {
            return self.fail_server(
                "the server offers no STARTTLS, and pubshim does not go on without TLS; \
                 if it has a TLS port, use --server tls://HOST",
            );
        }
        self.phase = Phase::StartingTls;
        self.wire.nonza(Leg::Server, |out| {
            let _ = write!(out, "<starttls xmlns='{}'/>", ns::TLS);
        });
    }

    /// Handles the server's features: takes the login one step further.
    pub(super) fn handle_features(&mut self, features: &Element<'_>) {
        if self.wants_compression() && !self.settle_compression(features) {
            return;
        }
        self.server_at.greeting = None;
        self.open_client();
        self.show_features(features);
        self.client.held = false;
        self.header = Vec::new();
        match (self.authenticated, self.options.policy) {
            (false, _) => self.phase = Phase::Login,
            (true, Policy::Off) => self.start_relaying(),
            (true, _) => self.phase = Phase::Binding,
        }
    }

    /// Shows the client the features it may see, in their own bytes.
    fn show_features(&mut self, features: &Element<'_>) {
        let policy = self.options.policy;
        let mut ours = String::new();
        if !self.authenticated && self.offers_tls() {
            self.postponed.features = features.raw().as_bytes().to_vec();
            self.postponed.declared = self.client.namespaces();
            let _ = write!(ours, "<starttls xmlns='{}'/>", ns::TLS);
        }
        let mechanisms = [(ns::SASL, "mechanisms"), (ns::SASL2, "authentication")];
        let mechanisms = mechanisms.map(|(namespace, local)| features.child(namespace, local));
        let mut replaced = Vec::new();
        for mechanisms in mechanisms.iter().flatten() {
            let may_pass = policy == Policy::Off || mechanisms.namespace() == ns::SASL;
            if let Some(unbound) = may_pass.then(|| self.unbound(mechanisms)).flatten() {
                ours += &String::from_utf8_lossy(&unbound);
                replaced.extend([mechanisms.namespace(), ns::SASL_CB.into()]);
            }
        }
        let may_pass = |feature: &Element<'_>| {
            let namespace = feature.namespace();
            match policy {
                // The shim speaks STARTTLS itself; compressed bytes could not be translated.
                Policy::Off => namespace != ns::TLS && namespace != ns::COMPRESS_FEATURE,
                _ => FEATURES.contains(&(&*namespace, feature.local())),
            }
        };
        for removed in features.children().filter(|feature| !may_pass(feature)) {
            let name = format!("{} ({})", removed.local(), removed.namespace());
            self.wire.log(Event::FeatureRemoved(name));
        }
        self.wire.nonza(Leg::Client, |out| {
            let is_kept = |feature: &Element<'_>| {
                may_pass(feature) && !replaced.contains(&feature.namespace())
            };
            rewrite(out, features, &[], is_kept, &ours);
        });
    }

    pub(super) fn negotiate_with_client(&mut self, element: &Element<'_>) {
        let namespace = element.namespace();
        let is_starttls = element.is(ns::TLS, "starttls");
        if self.awaits_tls() && !is_starttls {
            return self.refuse(
                "policy-violation",
                "--client-tls require lets nobody log in without TLS: set the client to use it",
            );
        }
        match (self.phase, &*namespace, element.local()) {
            _ if is_starttls => self.handle_starttls(),
            (Phase::Login, ns::SASL, name @ ("auth" | "response" | "abort")) => {
                if name == "auth" {
                    self.login_name = login_name(element, &self.domain);
                }
                // In SASL the two sides take turns. The client is held until the server has answered, so that a header
                // sent early meets the framer of the new stream.
                self.client.held = true;
                self.login_tried = true;
                self.pass(Leg::Client, element);
            }
            (Phase::Login | Phase::Binding, ..) if self.options.policy == Policy::Off => {
                self.login_tried = true;
                if element.child(ns::IQ_AUTH, "query").is_some() {
                    self.login_id = element.attribute("id").map(Cow::into_owned);
                }
                self.pass(Leg::Client, element);
            }
            (Phase::Login, ns::CLIENT, "iq") => self.handle_iq_before_login(element),
            (Phase::Binding, ns::CLIENT, "iq") => {
                if element.child(ns::BIND, "bind").is_some() {
                    self.login_id = Some(element.attribute("id").unwrap_or_default().into_owned());
                    // Stanzas after the bind request need the full JID.
                    self.client.held = true;
                }
                self.pass(Leg::Client, element);
            }
            (_, ns::CLIENT, "iq" | "message" | "presence") => {
                self.refuse(
                    "not-authorized",
                    "the client sent a stanza before its login was complete",
                );
            }
            _ => self.refuse_element(Leg::Client, element),
        }
    }

    /// Passes registration, the only IQ allowed before login; a login of before SASL is refused as XEP-0078 says.
    fn handle_iq_before_login(&mut self, iq: &Element<'_>) {
        if iq.child(ns::REGISTER, "query").is_some() {
            self.login_tried = true;
            return self.pass(Leg::Client, iq);
        }
        if iq.child(ns::IQ_AUTH, "query").is_some() {
            return self.wire.refuse(iq, "cancel", "service-unavailable");
        }
        self.refuse(
            "not-authorized",
            "the client sent a stanza before its login was complete",
        );
    }

    fn handle_sasl_answer(&mut self, element: &Element<'_>, answer: &str) {
        self.pass(Leg::Server, element);
        self.client.held = false;
        match answer {
            "success" => {
                self.postponed = Postponed::default();
                self.phase = Phase::Reopening;
                self.authenticated = true;
                self.client.opened = None;
                self.server.opened = None;
                self.client.framer = Framer::new(self.options.limits);
                self.server.framer = Framer::new(self.options.limits);
            }
            "failure" => self.note_login_failed(element),
            _ => {}
        }
    }

    /// Logs the first failed login only: with a wrong password, clients try one mechanism after the other.
    fn note_login_failed(&mut self, failure: &Element<'_>) {
        if std::mem::replace(&mut self.login_failed, true) {
            return;
        }
        let condition = failure.children().find(|child| child.local() != "text");
        self.wire.log(Event::LoginFailed {
            whose: self.login_name.take(),
            condition: condition.map_or("undefined", |it| it.local()).to_owned(),
        });
    }

    /// Passes the answer to a registration, or under [`Policy::Off`] to a login of before SASL (XEP-0078).
    fn handle_iq_answer_before_login(&mut self, iq: &Element<'_>) {
        self.pass(Leg::Server, iq);
        let is_login =
            self.login_id.is_some() && self.login_id.as_deref() == iq.attribute("id").as_deref();
        if is_login
            && iq.attribute("type").as_deref() == Some("result")
            && iq.children().next().is_none()
        {
            self.start_relaying();
        }
    }

    /// Handles a login without a new stream (XEP-0388), under [`Policy::Off`]: features follow.
    fn await_features(&mut self) {
        self.authenticated = true;
        self.client.framer.set_limits(self.options.limits);
        self.server.framer.set_limits(self.options.limits);
        self.phase = Phase::Binding;
    }

    fn handle_bind_answer(&mut self, stanza: &Element<'_>) {
        let is_answer = stanza.local() == "iq"
            && self.login_id.as_deref() == Some(&*stanza.attribute("id").unwrap_or_default());
        if is_answer {
            self.login_id = None;
            self.client.held = false;
            if let Some(bind) = stanza.child(ns::BIND, "bind")
                && let Some(bound) = bind.child(ns::BIND, "jid")
                && stanza.attribute("type").as_deref() == Some("result")
            {
                let jid = bound.text().into_owned();
                self.phase = Phase::Established;
                self.trust_server();
                self.wire.log(Event::LoggedIn(jid.clone()));
                self.wire.own = Some((*jid).into());
                self.translator.bound(jid);
            }
        }
        self.pass(Leg::Server, stanza);
    }

    /// Passes an element on as it came.
    pub(super) fn pass(&mut self, from: Leg, element: &Element<'_>) {
        let write = |out: &mut BytesMut| out.put_slice(element.raw().as_bytes());
        self.wire.nonza(from.other(), write);
    }
}

/// A stream header to the server of `domain` that does not name the user.
pub(crate) fn header_to(domain: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream to='{}' version='1.0' xmlns='{}' xmlns:stream='{}'>",
        escape(domain),
        ns::CLIENT,
        ns::STREAM
    )
}

/// Checks a stream header of either side; an error is the stream error condition and the reason.
fn check_header(header: &Namespaces) -> Result<(), (&'static str, &'static str)> {
    let (prefix, local) = header
        .stream_name()
        .split_once(':')
        .unwrap_or(("", header.stream_name()));
    if local != "stream" || header.get(prefix) != Some(ns::STREAM) {
        return Err((
            "invalid-namespace",
            "it does not begin with <stream/> of the streams namespace",
        ));
    }
    if header.get("") != Some(ns::CLIENT) {
        return Err((
            "invalid-namespace",
            "its default namespace is not jabber:client",
        ));
    }
    match header.attribute("version") {
        Some(version) if version.split('.').next() == Some("1") => Ok(()),
        _ => Err((
            "unsupported-version",
            "it is not version 1.0 of XMPP (RFC 6120)",
        )),
    }
}
