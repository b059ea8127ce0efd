//! One connection: what has come and is not read yet, what is outgoing, and how far it is.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::output::{Output, Then};
use super::sasl::Exchange;
use crate::xml::{FrameKind, Framer, Limits, Namespaces, XmlError};

/// A client's connection.
pub(super) struct Connection {
    pub(super) input: BytesMut,
    pub(super) stage: Stage,
    /// Our closing tag is sent, or the client was cut off.
    pub(super) is_closed: bool,
    /// The client does not read.
    pub(super) is_cut_off: bool,
    framer: Framer,
    outgoing: BytesMut,
    /// The stream's domain, once a header named one of ours.
    pub(super) domain: String,
    /// Our header of this stream is sent.
    pub(super) is_open: bool,
    pub(super) failures: u8,
    /// Compression begins after what is outgoing.
    pub(super) begins_compression: bool,
    pub(super) is_compressed: bool,
}

/// How far a connection is.
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
    /// Nothing follows.
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

    /// The next frame of what came; white space is passed over.
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

    /// Adds to what is outgoing; a client that lets too much wait is cut off.
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

    /// A new stream begins on the same connection.
    pub(super) fn restart(&mut self, stage: Stage) {
        self.framer = Framer::new(Limits::AFTER_LOGIN);
        self.is_open = false;
        self.stage = stage;
    }
}
