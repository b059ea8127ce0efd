//! TLS on the client's leg: asked for by STARTTLS (RFC 6120 §5), or from the first byte (XEP-0368).
//!
//! The shell does the handshake. A client that has seen the server's features is shown them again afterwards, as it
//! opens its stream anew.

use std::fmt::Write as _;

use bytes::BytesMut;

use super::client_leg::{Stage, Tls};
use super::{ClientTls, Ending, Event, Leg, Output, Session};
use crate::jid;
use crate::ns;
use crate::wire::one_line;
use crate::xml::{Element, Framer, Namespaces, rewrite};

/// The first byte of a TLS connection: its first record is a handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 0x16;

impl Session {
    /// Whether these bytes are the client's first, and begin a TLS connection that the options allow.
    pub(super) fn begins_tls(&mut self, leg: Leg, bytes: &[u8]) -> bool {
        let (Leg::Client, Tls::Unknown, Some(first)) = (leg, self.client.tls, bytes.first()) else {
            return false;
        };
        self.client.tls = Tls::Plain;
        self.options.client_tls != ClientTls::Off && *first == HANDSHAKE
    }

    /// Has the shell do the handshake, whose first bytes, `hello`, were read already.
    pub(super) fn accept_tls(&mut self, hello: &[u8]) {
        self.client.tls = Tls::Accepting;
        self.client.stream.held = true;
        self.client.stream.opened = None;
        // The server has to wait: until the handshake is done, nothing can be sent to the client.
        self.server.stream.held = true;
        self.wire.output(Output::AcceptTls {
            domain: self.domain.clone(),
            read: hello.to_vec(),
        });
    }

    fn has_no_tls(&self) -> bool {
        matches!(self.client.tls, Tls::Unknown | Tls::Plain)
    }

    /// Whether the client is offered STARTTLS.
    pub(super) fn offers_tls(&self) -> bool {
        let is_certified = || {
            let mut domains = self.options.certified.iter();
            domains.any(|domain| jid::is_same_domain(domain, &self.domain))
        };
        self.has_no_tls()
            && match self.options.client_tls {
                ClientTls::Off => false,
                ClientTls::Auto => is_certified(),
                ClientTls::Offer | ClientTls::Require => true,
            }
    }

    /// Whether the client has to ask for TLS first.
    pub(super) fn awaits_tls(&self) -> bool {
        self.has_no_tls() && self.options.client_tls == ClientTls::Require
    }

    /// Offers STARTTLS, and nothing else, to a client that must have TLS. The server is not contacted yet.
    pub(super) fn demand_tls(&mut self) {
        self.client.stage = Stage::StartTls;
        self.open_own_stream_to_client();
        self.wire.nonza(Leg::Client, |out| {
            let _ = write!(
                out,
                "<stream:features><starttls xmlns='{}'><required/></starttls></stream:features>",
                ns::TLS
            );
        });
    }

    /// Handles the client's `<starttls/>`.
    pub(super) fn handle_starttls(&mut self) {
        // TLS comes before the login, never amid one: its plain text could be forged.
        let is_early =
            !self.client.login_tried && matches!(self.client.stage, Stage::StartTls | Stage::Login);
        if is_early && self.offers_tls() {
            self.wire.nonza(Leg::Client, |out| {
                let _ = write!(out, "<proceed xmlns='{}'/>", ns::TLS);
            });
            return self.accept_tls(&[]);
        }
        self.wire.nonza(Leg::Client, |out| {
            let _ = write!(out, "<failure xmlns='{}'/>", ns::TLS);
        });
        let reason = match (self.client.tls, self.offers_tls()) {
            (Tls::Unknown | Tls::Plain, true) => {
                "the client asked for TLS when it was too late".to_owned()
            }
            (Tls::Accepting | Tls::Secured, _) => {
                "the client asked for TLS, which it has".to_owned()
            }
            (Tls::Unknown | Tls::Plain, false) => {
                let way = match self.options.client_tls {
                    ClientTls::Off => "allow it with --client-tls auto".to_owned(),
                    _ => format!("make a certificate with `pubshim cert {}`", self.domain),
                };
                format!(
                    "the client asked for TLS, which this port does not have: set it to connect without encryption, \
                     or {way}"
                )
            }
        };
        self.refuse("policy-violation", &reason);
    }

    /// Ends the session if the client has sent more than `<starttls/>`: its author could not know that TLS would
    /// follow. White space is allowed, as some clients end a line there.
    pub(super) fn check_behind_starttls(&mut self, rest: &[u8]) {
        let first = rest.iter().find(|byte| !byte.is_ascii_whitespace());
        if let Some(first) = first {
            self.note_garbage(Leg::Client, &[*first]);
            self.refuse(
                "policy-violation",
                "the client sent bytes between <starttls/> and TLS, somebody may be tampering",
            );
            self.end_step();
        }
    }

    /// Handles the end of the handshake: the client opens its stream anew.
    pub(super) fn handle_client_secured(&mut self) {
        if self.client.tls != Tls::Accepting || self.client.stream.finished {
            return;
        }
        self.client.tls = Tls::Secured;
        self.client.stream.held = false;
        self.client.stream.framer = Framer::new(self.options.limits_before_login);
        if self.client.stage != Stage::Login {
            self.server.stream.held = false;
            self.client.stage = Stage::Header;
        }
        self.wire.log(Event::ClientSecured);
    }

    /// Handles a failed handshake: the client's connection is lost.
    pub(super) fn handle_client_not_secured(&mut self, reason: &str) {
        if self.client.tls != Tls::Accepting || self.client.stream.finished {
            return;
        }
        self.note_ending(Ending::NotSecured);
        self.wire.log(Event::ClientNotSecured(one_line(reason)));
        self.client.stream.ended = true;
        self.end_after(Leg::Client);
        self.finish(Leg::Client);
    }

    /// Shows a client that has opened its stream again, now over TLS, the features it was shown before.
    pub(super) fn reopen_client(&mut self, header: &Namespaces) {
        self.server.stream.held = false;
        // The server was sent the first header, whose declarations give prefixes their meaning there.
        let is_same = self.server.postponed.declared.take().is_some_and(|first| {
            let holds = |one: &Namespaces, other: &Namespaces| {
                one.iter().all(|(prefix, ns)| other.get(prefix) == Some(ns))
            };
            holds(header, &first) && holds(&first, header)
        });
        if !is_same {
            return self.refuse(
                "bad-namespace-prefix",
                "the client's header declares something else after TLS than before",
            );
        }
        self.handle_postponed_features();
    }

    /// Removes SASL mechanisms with channel binding if the client's TLS ends at us (RFC 5802 §6); `None`: the
    /// mechanisms are shown as they are.
    ///
    /// A client that can bind says so in every other SCRAM, too, and a server that can bind has to take that for an
    /// attack. So if the server offers PLAIN, only PLAIN and EXTERNAL are left.
    pub(super) fn unbound(&mut self, mechanisms: &Element<'_>) -> Option<BytesMut> {
        if self.client.tls != Tls::Secured {
            return None;
        }
        let names: Vec<_> = (mechanisms.children())
            .filter(|child| child.local() == "mechanism")
            .map(|mechanism| mechanism.text().trim().to_owned())
            .collect();
        if !names.iter().any(|name| name.ends_with("-PLUS")) {
            return None;
        }
        let has_plain = names.iter().any(|name| name == "PLAIN");
        let may_pass = |name: &str| match has_plain {
            true => matches!(name, "PLAIN" | "EXTERNAL"),
            false => !name.ends_with("-PLUS"),
        };
        for name in names.iter().filter(|name| !may_pass(name)) {
            self.wire.log(Event::FeatureRemoved(name.clone()));
        }
        let mut out = BytesMut::new();
        let keep = |child: &Element<'_>| match child.local() {
            "mechanism" => may_pass(child.text().trim()),
            local => local != "sasl-channel-binding",
        };
        rewrite(&mut out, mechanisms, &[], keep, "");
        Some(out)
    }
}
