//! One connection: bytes that have come and are not read yet, outgoing bytes, and the stage of its stream.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::output::{Output, Then};
use super::sasl::Exchange;
use crate::xml::{FrameKind, Framer, Limits, Namespaces, XmlError};

/// A client's connection.
pub(super) struct Connection {
    pub(super) input: BytesMut,
    pub(super) stage: Stage,
    /// The closing tag is sent, or the client was cut off.
    pub(super) is_closed: bool,
    /// The client did not read, and was cut off.
    pub(super) is_cut_off: bool,
    framer: Framer,
    outgoing: BytesMut,
    /// The stream's domain, once a header has named one that is served.
    pub(super) domain: String,
    /// The sandbox has sent its header of this stream.
    pub(super) is_open: bool,
    pub(super) failures: u8,
    /// Compression begins after the outgoing bytes.
    pub(super) begins_compression: bool,
    pub(super) is_compressed: bool,
}

/// Stages of a connection.
pub(super) enum Stage {
    /// The header of the first stream is awaited.
    Opening,
    /// A login is awaited, or under way.
    Login(Option<Exchange>),
    /// Logged in as this account; the header of a new stream is awaited.
    Reopening(String),
    /// A resource is to be bound.
    Binding(String),
    /// In session, as this full JID.
    Bound(String),
    /// The stream has ended; further bytes are ignored.
    Ended,
}

/// A whole frame with the namespaces of its stream.
pub(super) struct StreamFrame {
    pub(super) kind: FrameKind,
    pub(super) bytes: Bytes,
    pub(super) namespaces: Arc<Namespaces>,
}

impl Connection {
    pub(super) fn new() -> Self {
        Self {
            input: BytesMut::new(),
            stage: Stage::Opening,
            is_closed: false,
            is_cut_off: false,
            framer: Framer::new(Limits::BEFORE_LOGIN),
            outgoing: BytesMut::new(),
            domain: String::new(),
            is_open: false,
            failures: 0,
            begins_compression: false,
            is_compressed: false,
        }
    }

    /// The next whole frame that has come; white space is skipped.
    pub(super) fn next_frame(&mut self) -> Result<Option<StreamFrame>, XmlError> {
        loop {
            let Some(frame) = self.framer.next(&self.input)? else {
                return Ok(None);
            };
            let bytes = self.input.split_to(frame.len).freeze();
            // White space may come before the header.
            if let Some(namespaces) = self.framer.namespaces()
                && frame.kind != FrameKind::Whitespace
            {
                return Ok(Some(StreamFrame {
                    kind: frame.kind,
                    bytes,
                    namespaces: Arc::clone(namespaces),
                }));
            }
        }
    }

    /// Appends to the outgoing bytes; a client that lets more than `most` wait is cut off.
    pub(super) fn send(&mut self, text: &str, most: usize) {
        if self.is_closed {
            return;
        }
        if self.outgoing.len() + text.len() > most {
            self.outgoing = BytesMut::new();
            self.is_closed = true;
            self.is_cut_off = true;
            return;
        }
        self.outgoing.put_slice(text.as_bytes());
    }

    pub(super) fn take(&mut self) -> Output {
        let then = match (self.is_closed, std::mem::take(&mut self.begins_compression)) {
            (true, _) => Then::Close,
            (false, true) => Then::Compress,
            (false, false) => Then::Continue,
        };
        Output {
            bytes: std::mem::take(&mut self.outgoing).freeze(),
            then,
        }
    }

    /// Begins a new stream on the same connection.
    pub(super) fn restart(&mut self, stage: Stage) {
        self.framer = Framer::new(Limits::AFTER_LOGIN);
        self.is_open = false;
        self.stage = stage;
    }
}
