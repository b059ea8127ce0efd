//! One leg: bytes that were read, and the state of its stream.

use std::sync::Arc;
use std::time::Duration;

use crate::ns;
use crate::xml::{Border, Framer, Limits, Namespaces, Skipper};

/// The reading side of a leg.
#[derive(Default)]
pub(crate) struct Connection {
    pub(crate) framer: Framer,
    /// The position in the stream while bytes pass unread.
    pub(crate) border: Border,
    /// Skips the stanza in work, if it is not kept.
    pub(crate) skipper: Option<Skipper>,
    /// Bytes that are no whole frame yet, or wait because the leg is held.
    pub(crate) pending: Vec<u8>,
    /// Frames of this leg wait until the other leg has answered.
    pub(crate) held: bool,
    /// The name of the stream we opened towards this leg; its closing tag repeats it.
    pub(crate) opened: Option<Box<str>>,
    /// The connection has ended while bytes before the end are still held.
    pub(crate) eof: bool,
    /// The other side has closed its stream, or broken off.
    pub(crate) ended: bool,
    /// The shell was told to close the connection: nothing more goes either way.
    pub(crate) finished: bool,
    /// When the client's frame in work began; for the server, when its last byte came.
    pub(crate) frame_since: Option<Duration>,
    /// Since when no outgoing byte was taken.
    pub(crate) stalled_since: Option<Duration>,
}

impl Connection {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            framer: Framer::new(limits),
            ..Self::default()
        }
    }

    /// The declarations of the stream's header.
    pub(crate) fn namespaces(&self) -> Option<Arc<Namespaces>> {
        self.framer.namespaces().cloned()
    }

    /// Whether a stanza has begun and not ended.
    pub(crate) fn is_amid_frame(&self) -> bool {
        !self.pending.is_empty() || self.skipper.is_some()
    }

    /// Whether bytes of this leg may be looked at.
    pub(crate) fn is_readable(&self) -> bool {
        !self.held && !self.ended && !self.finished
    }
}

/// Checks a stream header of either side; an error is the stream error condition and the reason.
pub(super) fn check_header(header: &Namespaces) -> Result<(), (&'static str, &'static str)> {
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
