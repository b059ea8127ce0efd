//! The client's leg: what the client may say now, from its header over its login to its resource (RFC 6120 §4–7).

use std::borrow::Cow;
use std::fmt::Write as _;

use super::connection::{Connection, check_header};
use super::login_name::login_name;
use super::{Event, Leg, Policy, Session};
use crate::jid;
use crate::ns;
use crate::xml::{Element, Framer, Namespaces, rewrite};

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

/// What the client may say now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its stream header.
    #[default]
    Header,
    /// That it wants TLS; only then the server is contacted.
    StartTls,
    /// Nothing: its frames wait until the server has shown its features.
    Waiting,
    /// What its login takes, or first that it wants TLS: it has seen the server's features.
    Login,
    /// The header of its new stream: it is logged in.
    Reopening,
    /// A request for a resource: it has seen the features of the new stream.
    Binding,
    /// Stanzas: a resource is bound. (Under [`Policy::Off`]: it is logged in, and everything passes unread.)
    Established,
}

/// The state of TLS on the client's leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tls {
    /// The client has sent nothing yet.
    #[default]
    Unknown,
    /// The client speaks without TLS.
    Plain,
    /// The shell does the handshake: the session reads and writes nothing meanwhile.
    Accepting,
    /// TLS is up.
    Secured,
}

/// The client's side of a session.
#[derive(Default)]
pub(super) struct ClientLeg {
    pub(super) stage: Stage,
    pub(super) stream: Connection,
    pub(super) tls: Tls,
    /// The client has begun to log in, by any mechanism.
    pub(super) login_tried: bool,
    /// The server has refused a login.
    pub(super) login_failed: bool,
    /// The id of the client's bind request, until it is answered.
    pub(super) login_id: Option<String>,
    /// The account the client logs in to, if it names it in plain sight.
    pub(super) login_name: Option<String>,
    /// The client's next frame was noted when it came, and had to wait.
    pub(super) has_waited: bool,
}

impl Session {
    pub(super) fn handle_client_header(&mut self, bytes: &[u8], namespaces: &Namespaces) {
        if let Err((condition, reason)) = check_header(namespaces) {
            return self.refuse(condition, reason);
        }
        let to = namespaces.attribute("to").unwrap_or_default();
        if !self.domain.is_empty() && !to.eq_ignore_ascii_case(&self.domain) {
            let reason = match self.client.stage {
                Stage::Reopening => "the client named another domain after its login",
                _ => "the client named another domain after TLS",
            };
            return self.refuse("improper-addressing", reason);
        }
        match self.client.stage {
            Stage::Reopening => {
                self.await_server();
                self.reopen_server(bytes);
            }
            Stage::Login => self.reopen_client(namespaces),
            _ => self.handle_first_header(bytes, to),
        }
    }

    fn handle_first_header(&mut self, bytes: &[u8], to: &str) {
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
        self.await_server();
        self.connect(bytes);
    }

    /// Has the client's next frames wait until the server has shown its features.
    fn await_server(&mut self) {
        self.client.stage = Stage::Waiting;
        self.client.stream.held = true;
    }

    /// Sends the server's header to the client as it came, unless the client has one.
    pub(super) fn open_client(&mut self) {
        let header = match self.offers_tls() {
            true => self.server.postponed.header.clone(),
            false => std::mem::take(&mut self.server.postponed.header),
        };
        let is_open = header.is_empty() || self.client.stream.opened.is_some();
        if let (false, Some(namespaces)) = (is_open, self.server.stream.namespaces()) {
            self.wire.send(Leg::Client, &header);
            self.client.stream.opened = Some(namespaces.stream_name().into());
        }
    }

    /// Shows the client the server's features: it goes on with its login.
    pub(super) fn show_features(&mut self, features: &Element<'_>) {
        self.open_client();
        self.write_features(features);
        self.client.stream.held = false;
        match (self.authenticated, self.options.policy) {
            (false, _) => self.client.stage = Stage::Login,
            (true, Policy::Off) => self.start_relaying(),
            (true, _) => self.client.stage = Stage::Binding,
        }
    }

    /// Writes the features that the client may see, in their own bytes.
    fn write_features(&mut self, features: &Element<'_>) {
        let policy = self.options.policy;
        let mut ours = String::new();
        if !self.authenticated && self.offers_tls() {
            self.server.postponed.features = features.raw().as_bytes().to_vec();
            self.server.postponed.declared = self.client.stream.namespaces();
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
        let has = |namespace| element.child(namespace, "query").is_some();
        if self.awaits_tls() && !is_starttls {
            return self.refuse(
                "policy-violation",
                "--client-tls require lets nobody log in without TLS: set the client to use it",
            );
        }
        match (self.client.stage, &*namespace, element.local()) {
            _ if is_starttls => self.handle_starttls(),
            (Stage::Login, ns::SASL, name @ ("auth" | "response" | "abort")) => {
                if name == "auth" {
                    self.client.login_name = login_name(element, &self.domain);
                }
                // In SASL the two sides take turns. The client is held until the server has answered, so that a header
                // sent early meets the framer of the new stream.
                self.client.stream.held = true;
                self.client.login_tried = true;
                self.pass(Leg::Client, element);
            }
            (Stage::Login | Stage::Binding, ..) if self.options.policy == Policy::Off => {
                self.client.login_tried = true;
                if has(ns::IQ_AUTH) {
                    self.client.login_id = element.attribute("id").map(Cow::into_owned);
                }
                self.pass(Leg::Client, element);
            }
            // Registration is the only IQ allowed before login.
            (Stage::Login, ns::CLIENT, "iq") if has(ns::REGISTER) => {
                self.client.login_tried = true;
                self.pass(Leg::Client, element);
            }
            // A login of before SASL is refused as XEP-0078 says.
            (Stage::Login, ns::CLIENT, "iq") if has(ns::IQ_AUTH) => {
                self.wire.refuse(element, "service-unavailable");
            }
            (Stage::Binding, ns::CLIENT, "iq") => {
                if element.child(ns::BIND, "bind").is_some() {
                    self.client.login_id =
                        Some(element.attribute("id").unwrap_or_default().into_owned());
                    // Stanzas after the bind request need the full JID.
                    self.client.stream.held = true;
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

    /// Handles what the server answers to the client's login.
    pub(super) fn handle_login_answer(&mut self, element: &Element<'_>) {
        let is_off = self.options.policy == Policy::Off;
        let namespace = element.namespace();
        match (self.client.stage, &*namespace, element.local()) {
            (Stage::Login | Stage::Binding, ns::STREAM, "features") => {
                self.handle_features(element);
            }
            (Stage::Login, ns::SASL, answer) => self.handle_sasl_answer(element, answer),
            (Stage::Login, ns::CLIENT, "iq") => self.handle_iq_answer_before_login(element),
            // Under `off`, client and server may have agreed on anything else.
            (Stage::Login, ..) if is_off => {
                self.pass(Leg::Server, element);
                if element.is(ns::SASL2, "success") {
                    self.await_features();
                }
            }
            (Stage::Binding, ..) if is_off => {
                self.pass(Leg::Server, element);
                self.start_relaying();
            }
            (Stage::Binding, ns::CLIENT, _) => self.handle_bind_answer(element),
            _ => self.refuse_element(Leg::Server, element),
        }
    }

    fn handle_sasl_answer(&mut self, element: &Element<'_>, answer: &str) {
        self.pass(Leg::Server, element);
        self.client.stream.held = false;
        match answer {
            "success" => {
                self.client.stage = Stage::Reopening;
                self.authenticated = true;
                for stream in [&mut self.client.stream, &mut self.server.stream] {
                    stream.opened = None;
                    stream.framer = Framer::new(self.options.limits);
                }
            }
            "failure" => self.note_login_failed(element),
            _ => {}
        }
    }

    /// Logs the first failed login only: with a wrong password, clients try one mechanism after the other.
    fn note_login_failed(&mut self, failure: &Element<'_>) {
        if std::mem::replace(&mut self.client.login_failed, true) {
            return;
        }
        let condition = failure.children().find(|child| child.local() != "text");
        self.wire.log(Event::LoginFailed {
            whose: self.client.login_name.take(),
            condition: condition.map_or("undefined", |it| it.local()).to_owned(),
        });
    }

    /// Passes the answer to a registration, or under [`Policy::Off`] to a login of before SASL (XEP-0078).
    fn handle_iq_answer_before_login(&mut self, iq: &Element<'_>) {
        self.pass(Leg::Server, iq);
        let is_login = self.client.login_id.is_some()
            && self.client.login_id.as_deref() == iq.attribute("id").as_deref();
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
        self.client.stream.framer.set_limits(self.options.limits);
        self.server.stream.framer.set_limits(self.options.limits);
        self.client.stage = Stage::Binding;
    }

    fn handle_bind_answer(&mut self, stanza: &Element<'_>) {
        let is_answer = stanza.local() == "iq"
            && self.client.login_id.as_deref()
                == Some(&*stanza.attribute("id").unwrap_or_default());
        if is_answer {
            self.client.login_id = None;
            self.client.stream.held = false;
            if let Some(bind) = stanza.child(ns::BIND, "bind")
                && let Some(bound) = bind.child(ns::BIND, "jid")
                && stanza.attribute("type").as_deref() == Some("result")
            {
                let jid = bound.text().into_owned();
                self.client.stage = Stage::Established;
                self.trust_server();
                self.wire.log(Event::LoggedIn(jid.clone()));
                self.wire.own = Some((*jid).into());
                self.translator.bound(jid);
            }
        }
        self.pass(Leg::Server, stanza);
    }
}
