//! Servers that fail before the login: they say nothing, speak something else, or name another host.
//!
//! Until the client has been shown anything, it can be led to another server without noticing.

use std::time::Duration;

use super::connection::Connection;
use super::server_leg::{Postponed, Stage};
use super::{Output, Reached, Security, Session};
use crate::ns;
use crate::xml::{Element, XmlError};

/// How often servers may send one session to another host.
const MOST_REDIRECTS: u8 = 3;
/// The longest name of a host, with a port, that is followed or shown (RFC 1035 §2.3.4).
const MOST_HOST: usize = 255 + ":65535".len();

/// Characters of a server's error text that are shown.
const MOST_WORDS: usize = 200;

impl Session {
    /// Notes a new server, whose stream begins.
    pub(super) fn note_reached(&mut self, reached: Reached) {
        self.server.stream = Connection::new(self.options.limits_before_login);
        self.server.security = reached.security;
        self.server.has_more = reached.has_more;
        self.await_greeting();
    }

    /// Starts the deadline for the server's features.
    pub(super) fn await_greeting(&mut self) {
        self.server.greeting = Some(self.now + self.greeting_time());
    }

    /// How long the server may take to send its features.
    fn greeting_time(&self) -> Duration {
        let whole = self.options.timeouts.greeting;
        match self.server.has_more {
            // The client does not wait for ever, and the other servers need time, too.
            true => whole / 3,
            false => whole,
        }
    }

    /// Fails a server that did not send its features in time.
    pub(super) fn fail_greeting(&mut self) {
        let seconds = self.greeting_time().as_secs().max(1);
        let did = match (self.server.stage, self.server.stream.namespaces()) {
            (Stage::StartingTls, _) => "did not answer to STARTTLS",
            (_, None) => "said nothing",
            (_, Some(_)) => "did not say how to log in",
        };
        self.fail_server(&format!(
            "the server accepted the connection and {did} within {seconds} s: is it an XMPP server?{}",
            self.advice()
        ));
    }

    /// Why the connection to the server may have ended without a closing tag.
    pub(super) fn why_broken(&self) -> String {
        let is_opening = matches!(self.server.stage, Stage::OpeningPlain | Stage::Opening);
        match is_opening && !self.authenticated && self.server.stream.namespaces().is_none() {
            true => format!(
                "the server closed the connection without a word: is it an XMPP server?{}",
                self.advice()
            ),
            false => "the connection to the server broke".to_owned(),
        }
    }

    /// Why these bytes of the server break the rules: it may speak another protocol.
    pub(super) fn why_no_xml(&self, error: XmlError, bytes: &[u8]) -> String {
        // TLS alerts and handshakes (RFC 8446 §5.1).
        let is_tls = matches!(bytes, [0x15 | 0x16, 3, ..]);
        match self.server.stream.namespaces() {
            None if bytes.starts_with(b"HTTP/") => {
                "the server answers as a web server does: name the port of XMPP with --server"
                    .to_owned()
            }
            None if is_tls => {
                "the server begins with TLS on this port: name it as --server tls://HOST:PORT"
                    .to_owned()
            }
            None => format!("the server sent what is {error}: is it an XMPP server?"),
            Some(_) => format!("the server sent what is {error}"),
        }
    }

    /// The reason of a server that refuses the stream, with its own text.
    pub(super) fn why_refused(&self, error: &Element<'_>, condition: &str) -> String {
        let text = error.child(ns::STREAM_ERRORS, "text");
        let text = text.map(|text| text.text().into_owned());
        let said: String = text.unwrap_or_default().chars().take(MOST_WORDS).collect();
        let said = match said.trim() {
            "" => String::new(),
            said => format!(" ({said})"),
        };
        let advice = match condition {
            "host-unknown" | "host-gone" => {
                format!(
                    "; does it serve {}? name another server with --server",
                    self.domain
                )
            }
            _ => String::new(),
        };
        format!("the server refused the stream: {condition}{said}{advice}")
    }

    /// Advice on naming the port. None once TLS is up: then the port was meant as it is.
    fn advice(&self) -> &'static str {
        match (self.server.security, self.server.stage) {
            (Security::StartTls, Stage::OpeningPlain) => {
                " If its port begins with TLS, name it as --server tls://HOST:PORT"
            }
            (Security::Plain, _) => " Name the server's port with --server",
            _ => "",
        }
    }

    /// Turns to the next server, if there is one and the client has seen nothing of this one. `false`: it stays.
    pub(super) fn try_next(&mut self, reason: &str) -> bool {
        let may = self.server.has_more && self.may_lead_elsewhere();
        if may {
            self.leave_server();
            self.wire.output(Output::ConnectNext(reason.to_owned()));
        }
        may
    }

    /// Follows a server that sends its users to `host` (RFC 6120 §4.9.3.19), if TLS proves that it is the server who
    /// says so; the other host has to show the same certificate.
    pub(super) fn handle_other_host(&mut self, host: &str) {
        let host = host.trim();
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if host.is_empty() || host.len() > MOST_HOST || !host.chars().all(is_host) {
            return self
                .fail_server("the server wants its users at another host, whose name is none");
        }
        let is_verified =
            self.server.stage == Stage::Opening && self.server.security != Security::Plain;
        if !is_verified || !self.may_lead_elsewhere() {
            let reason =
                format!("the server wants its users at another host: name it with --server {host}");
            return self.fail_server(&reason);
        }
        if self.server.redirects == MOST_REDIRECTS {
            return self.fail_server("the server has sent the user from host to host");
        }
        self.leave_server();
        self.server.redirects += 1;
        self.wire.output(Output::ConnectTo(host.to_owned()));
    }

    /// Whether the client has been shown nothing yet, so that another server can take over.
    fn may_lead_elsewhere(&self) -> bool {
        let is_opening = matches!(
            self.server.stage,
            Stage::OpeningPlain | Stage::StartingTls | Stage::Handshaking | Stage::Opening
        );
        is_opening && !self.authenticated && self.closing.is_none()
    }

    /// Resets all state of the server that was reached.
    fn leave_server(&mut self) {
        self.server.stage = Stage::Connecting;
        self.server.greeting = None;
        self.server.has_more = false;
        self.server.postponed = Postponed::default();
        // Bytes still coming from that server are discarded.
        self.server.stream = Connection::new(self.options.limits_before_login);
        self.server.stream.ended = true;
        self.wire.reopen_server();
    }
}
