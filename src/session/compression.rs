//! Agreeing with the server to compress (XEP-0138), between the login and what the client sees of it.
//!
//! The client takes no part. The server's header and features on the stream after the login are kept until it is
//! settled whether a compressed stream follows, so that the client sees those of one stream only: the last. Recordings
//! and the live view show the stream uncompressed.

use std::fmt::Write as _;

use super::phase::Phase;
use super::postponed::Postponed;
use super::{Compress, Event, Leg, Output, Policy, Session};
use crate::ns;
use crate::xml::{Element, Framer};

impl Session {
    /// Whether the stream that is open or opens next is to be compressed.
    pub(super) fn wants_compression(&self) -> bool {
        self.authenticated && self.compress != Compress::Off && self.options.policy != Policy::Off
    }

    /// Looks whether the server offers zlib. `true`: it does not, and the stream goes on uncompressed.
    pub(super) fn settle_compression(&mut self, features: &Element<'_>) -> bool {
        let offer = features.child(ns::COMPRESS_FEATURE, "compression");
        let offers_zlib = offer.is_some_and(|offer| {
            let mut methods = offer.children().filter(|method| method.local() == "method");
            methods.any(|method| method.text().trim() == "zlib")
        });
        if !offers_zlib {
            return self.go_on_uncompressed("the server does not offer zlib (XEP-0138)");
        }
        self.postponed.features = features.raw().as_bytes().to_vec();
        self.phase = Phase::Offered;
        // The next bytes may be compressed, depending on the shell's answer.
        self.server.held = true;
        self.wire.output(Output::MayCompress);
        false
    }

    /// Asks the server to compress.
    pub(super) fn handle_may_compress(&mut self) {
        if self.phase != Phase::Offered || self.closing.is_some() {
            return;
        }
        self.server.held = false;
        self.phase = Phase::Compressing;
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
        if self.phase == Phase::Offered && self.closing.is_none() {
            self.server.held = false;
            self.leave_uncompressed(reason);
        }
    }

    /// Opens new streams: from here on the server compresses, and so do we.
    pub(super) fn start_compressing(&mut self) {
        if self.has_unsent() {
            // Bytes still to be sent would be compressed, too.
            return self.fail_server("the server agreed to compress before it was asked");
        }
        self.compress = Compress::Off;
        self.postponed = Postponed::default();
        self.begins_compression = true;
        self.server.framer = Framer::new(self.options.limits);
        self.phase = Phase::Opening;
        let header = std::mem::take(&mut self.header);
        self.open_server(&header);
    }

    /// Goes on uncompressed: the server had offered compression and refuses it.
    pub(super) fn handle_compression_refused(&mut self, answer: &Element<'_>) {
        let condition = answer.children().next();
        let condition = condition.map_or("without a reason", |condition| condition.local());
        self.wire.output(Output::StayUncompressed);
        self.leave_uncompressed(&format!("the server refused it ({condition})"));
    }

    /// Goes on with the features of the open stream, unless the options require compression.
    fn leave_uncompressed(&mut self, reason: &str) {
        if !self.go_on_uncompressed(reason) {
            return;
        }
        let features = std::mem::take(&mut self.postponed.features);
        let Some(namespaces) = self.server.namespaces() else {
            return;
        };
        if let Some(features) = Element::of_frame(&features, &namespaces) {
            self.handle_features(&features);
        }
    }

    /// Lets the open stream go on uncompressed; `false`: the session ends instead.
    fn go_on_uncompressed(&mut self, reason: &str) -> bool {
        if self.compress == Compress::Require {
            self.fail_server(&format!(
                "no compression, which --compress require asks for: {reason}"
            ));
            return false;
        }
        self.compress = Compress::Off;
        self.header = Vec::new();
        self.wire.log(Event::NotCompressed(reason.to_owned()));
        true
    }
}
