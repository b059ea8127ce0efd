//! The server's leg: what is awaited of the server until it answers the client (RFC 6120 §4–5), and compression
//! (XEP-0138).
//!
//! The client takes no part in compression. The server's header and features on the stream after the login are kept
//! until it is settled whether a compressed stream follows, so that the client sees those of one stream only: the last.
//! Recordings and the live view show the stream uncompressed.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connection, check_header};
use super::{Compress, Event, Leg, Output, Policy, Reached, Security, Session};
use crate::ns;
use crate::xml::{Element, Framer, Namespaces, escape};

/// What is awaited of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing: it is not contacted yet.
    #[default]
    Absent,
    /// The connection, from the shell.
    Connecting,
    /// Features over plain TCP, after a header of ours.
    OpeningPlain,
    /// The answer to our `<starttls/>`.
    StartingTls,
    /// The TLS handshake, which the shell does.
    Handshaking,
    /// Features over the final connection, after the client's header.
    Opening,
    /// Nothing: it offers compression, and the shell is asked whether the session may use it.
    Offered,
    /// The answer to our `<compress/>`.
    Compressing,
    /// Answers to the client, which has seen the features.
    Open,
}

/// The server's header and features on the stream that is opening, until the client is shown them.
#[derive(Default)]
pub(super) struct Postponed {
    pub(super) header: Vec<u8>,
    pub(super) features: Vec<u8>,
    /// The declarations of the header that the client had sent before.
    pub(super) declared: Option<Arc<Namespaces>>,
}

/// The server's side of a session.
#[derive(Default)]
pub(super) struct ServerLeg {
    pub(super) stage: Stage,
    pub(super) stream: Connection,
    pub(super) security: Security,
    /// The domain has more servers to try.
    pub(super) has_more: bool,
    /// How often servers have sent the session to another host.
    pub(super) redirects: u8,
    /// The deadline for the server's features.
    pub(super) greeting: Option<Duration>,
    /// The client's stream header as it came, until the client is shown features of the stream that it opens.
    pub(super) header: Vec<u8>,
    pub(super) postponed: Postponed,
    /// Whether compression is still to be agreed on.
    pub(super) compress: Compress,
    /// The server's bytes behind the frame in work are compressed.
    pub(super) begins_compression: bool,
    /// In a replay, where all bytes leave at once: requests to the server had not left when the frame in work came.
    pub(super) is_early: bool,
    /// Since when the server's leg is not read.
    pub(super) unread_since: Option<Duration>,
}

impl Session {
    /// Has the shell connect to the server of the domain; its stream opens with the client's `header`.
    pub(super) fn connect(&mut self, header: &[u8]) {
        self.server.stage = Stage::Connecting;
        self.server.header = header.to_vec();
        let domain = self.domain.clone();
        self.wire.output(Output::Connect { domain });
    }

    pub(super) fn handle_connected(&mut self, reached: Reached) {
        if self.server.stage != Stage::Connecting || self.closing.is_some() {
            return;
        }
        self.note_reached(reached);
        match reached.security {
            Security::StartTls => {
                self.server.stage = Stage::OpeningPlain;
                // The client's own header names the user in `from`, which is not sent before TLS.
                let header = header_to(&self.domain);
                self.wire.send(Leg::Server, header.as_bytes());
                self.server.stream.opened = Some("stream:stream".into());
            }
            Security::DirectTls | Security::Plain => self.open_server(),
        }
    }

    pub(super) fn handle_secured(&mut self) {
        if self.server.stage == Stage::Handshaking && self.closing.is_none() {
            self.await_greeting();
            self.open_server();
        }
    }

    /// Opens the stream after the login with the client's new `header`.
    pub(super) fn reopen_server(&mut self, header: &[u8]) {
        self.server.postponed = Postponed::default();
        self.server.header = header.to_vec();
        self.open_server();
    }

    /// Sends the client's header to the server as it came, so that its declarations hold on both legs.
    fn open_server(&mut self) {
        self.server.stage = Stage::Opening;
        let namespaces = self.client.stream.namespaces();
        self.server.stream.opened = namespaces.map(|namespaces| namespaces.stream_name().into());
        self.wire.send(Leg::Server, &self.server.header);
    }

    pub(super) fn handle_server_header(&mut self, bytes: &[u8], namespaces: &Namespaces) {
        match check_header(namespaces) {
            // A server that refuses the stream may leave the version out; its next frame gives the reason.
            Err(("unsupported-version", _)) if namespaces.attribute("version").is_none() => return,
            Err((_, reason)) => return self.fail_header(reason),
            Ok(()) => {}
        }
        // A header from before TLS may be forged: the client never sees it. A later one is shown with the features,
        // once it is settled that the client logs in to this server.
        if self.server.stage == Stage::Opening {
            self.server.postponed.header = bytes.to_vec();
            if self.authenticated && !self.wants_compression() {
                self.open_client();
            }
        }
    }

    fn fail_header(&mut self, reason: &str) {
        self.fail_server(&format!("the server's answer is no XMPP stream: {reason}"));
    }

    pub(super) fn negotiate_with_server(&mut self, element: &Element<'_>) {
        let header = self.server.stream.namespaces();
        if let Some(Err((_, reason))) = header.as_deref().map(check_header) {
            return self.fail_header(reason);
        }
        let namespace = element.namespace();
        match (self.server.stage, &*namespace, element.local()) {
            (Stage::OpeningPlain, ns::STREAM, "features") => self.start_tls(element),
            (Stage::StartingTls, ns::TLS, "proceed") if self.has_unsent() => {
                self.fail_server(
                    "the server agreed to TLS before it was asked, somebody may be tampering",
                );
            }
            (Stage::StartingTls, ns::TLS, "proceed") => {
                self.server.stage = Stage::Handshaking;
                self.server.greeting = None;
                self.server.stream.opened = None;
                self.server.stream.framer = Framer::new(self.options.limits_before_login);
                self.wire.output(Output::StartTls);
            }
            (Stage::StartingTls, ns::TLS, _) => {
                self.fail_server(
                    "the server refused STARTTLS; if it has a TLS port, use --server tls://HOST",
                );
            }
            (Stage::Opening, ns::STREAM, "features") => self.handle_features(element),
            (Stage::Compressing, ns::COMPRESS, "compressed") => self.start_compressing(),
            (Stage::Compressing, ns::COMPRESS, _) => self.handle_compression_refused(element),
            (Stage::Open, ..) => self.handle_login_answer(element),
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
        self.server.stage = Stage::StartingTls;
        self.wire.nonza(Leg::Server, |out| {
            let _ = write!(out, "<starttls xmlns='{}'/>", ns::TLS);
        });
    }

    /// Handles the server's features: the client is shown them, unless a compressed stream comes first.
    pub(super) fn handle_features(&mut self, features: &Element<'_>) {
        if self.wants_compression() {
            return self.settle_compression(features);
        }
        self.server.stage = Stage::Open;
        self.server.greeting = None;
        self.server.header = Vec::new();
        self.show_features(features);
    }

    /// Handles the features that were kept.
    pub(super) fn handle_postponed_features(&mut self) {
        let features = std::mem::take(&mut self.server.postponed.features);
        let Some(namespaces) = self.server.stream.namespaces() else {
            return;
        };
        if let Some(features) = Element::of_frame(&features, &namespaces) {
            self.handle_features(&features);
        }
    }

    /// Whether the stream that is open or opens next is to be compressed.
    fn wants_compression(&self) -> bool {
        self.authenticated
            && self.server.compress != Compress::Off
            && self.options.policy != Policy::Off
    }

    /// Looks whether the server offers zlib.
    fn settle_compression(&mut self, features: &Element<'_>) {
        self.server.postponed.features = features.raw().as_bytes().to_vec();
        let offer = features.child(ns::COMPRESS_FEATURE, "compression");
        let offers_zlib = offer.is_some_and(|offer| {
            let mut methods = offer.children().filter(|method| method.local() == "method");
            methods.any(|method| method.text().trim() == "zlib")
        });
        if !offers_zlib {
            return self.leave_uncompressed("the server does not offer zlib (XEP-0138)");
        }
        self.server.stage = Stage::Offered;
        // The next bytes may be compressed, depending on the shell's answer.
        self.server.stream.held = true;
        self.wire.output(Output::MayCompress);
    }

    /// Asks the server to compress.
    pub(super) fn handle_may_compress(&mut self) {
        if self.server.stage != Stage::Offered || self.closing.is_some() {
            return;
        }
        self.server.stream.held = false;
        self.server.stage = Stage::Compressing;
        self.wire.nonza(Leg::Server, |out| {
            let _ = write!(
                out,
                "<compress xmlns='{}'><method>zlib</method></compress>",
                ns::COMPRESS
            );
        });
    }

    /// Goes on uncompressed, as the shell allows no compression.
    pub(super) fn handle_may_not_compress(&mut self, reason: &str) {
        if self.server.stage == Stage::Offered && self.closing.is_none() {
            self.server.stream.held = false;
            self.leave_uncompressed(reason);
        }
    }

    /// Opens new streams: from here on the server compresses, and so do we.
    fn start_compressing(&mut self) {
        if self.has_unsent() {
            // Bytes still to be sent would be compressed, too.
            return self.fail_server("the server agreed to compress before it was asked");
        }
        self.server.compress = Compress::Off;
        self.server.postponed = Postponed::default();
        self.server.begins_compression = true;
        self.server.stream.framer = Framer::new(self.options.limits);
        self.open_server();
    }

    /// Goes on uncompressed: the server had offered compression and refuses it.
    fn handle_compression_refused(&mut self, answer: &Element<'_>) {
        let condition = answer.children().next();
        let condition = condition.map_or("without a reason", |condition| condition.local());
        self.wire.output(Output::StayUncompressed);
        self.leave_uncompressed(&format!("the server refused it ({condition})"));
    }

    /// Goes on with the features of the open stream, unless the options require compression.
    fn leave_uncompressed(&mut self, reason: &str) {
        if self.server.compress == Compress::Require {
            return self.fail_server(&format!(
                "no compression, which --compress require asks for: {reason}"
            ));
        }
        self.server.compress = Compress::Off;
        self.wire.log(Event::NotCompressed(reason.to_owned()));
        self.handle_postponed_features();
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
