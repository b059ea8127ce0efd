//! One leg as its reader sees it: checks each frame that a session sends.

use std::sync::Arc;

use pubshim::ns;
use pubshim::xml::{Element, FrameKind, Framer, Limits, Namespaces};

use crate::tree::Document;

const LIMITS: Limits = Limits {
    bytes: usize::MAX,
    depth: 1000,
    attributes: 1000,
    namespaces: 1000,
    elements: usize::MAX,
};

/// A frame that was sent, and the prefixes of its stream.
pub struct Sent {
    /// Element, header, white space or end.
    pub kind: FrameKind,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Prefixes that the stream's header declared.
    pub namespaces: Arc<Namespaces>,
}

impl Sent {
    /// The element that was sent, if it is one.
    pub fn element(&self) -> Option<Element<'_>> {
        match self.kind {
            FrameKind::Element => Element::of_frame(&self.bytes, &self.namespaces),
            _ => None,
        }
    }
}

/// The reader of a leg.
#[derive(Default)]
pub struct Sink {
    reader: Option<(Framer, Document)>,
    /// Outgoing bytes that were looked at.
    outgoing: Vec<u8>,
    /// How many bytes have come, all in all.
    pub total: usize,
    /// The session passes bytes unread, so they may be anything.
    is_unread: bool,
    /// Bytes have passed unread, so there are no frames any more.
    is_raw: bool,
    /// The next bytes begin a new stream.
    restarts: bool,
    /// The closing tag has come.
    pub closed: bool,
    /// The session has asked for the leg to be closed.
    pub finished: bool,
}

impl Sink {
    /// A reader; whether it reads what passes unread.
    pub fn new(is_unread: bool) -> Self {
        Self {
            is_unread,
            ..Self::default()
        }
    }

    /// After what was sent until now, both sides begin a new stream.
    pub fn restart(&mut self) {
        self.restarts = true;
    }

    /// Looks at what is outgoing; `see` is shown each new frame, and says whether a new stream
    /// begins behind it.
    pub fn look(&mut self, leg: &str, outgoing: &[u8], mut see: impl FnMut(&Sent) -> bool) {
        let Some(new) = outgoing.strip_prefix(&*self.outgoing) else {
            panic!("{leg}: what is outgoing was changed afterwards");
        };
        self.outgoing.extend_from_slice(new);
        self.total += new.len();
        let mut rest = new;
        while !rest.is_empty() {
            let shown = String::from_utf8_lossy(rest);
            assert!(!self.finished, "{leg}: sent after its end: {shown}");
            self.is_raw |= self.is_unread && self.closed;
            if self.is_raw {
                return;
            }
            assert!(!self.closed, "{leg}: sent after the closing tag: {shown}");
            if std::mem::take(&mut self.restarts) {
                self.reader = None;
            }
            let is_first = self.reader.is_none();
            let (framer, document) = self
                .reader
                .get_or_insert_with(|| (Framer::new(LIMITS), Document::default()));
            let frame = match framer.next(rest) {
                Ok(Some(frame)) => frame,
                Ok(None) | Err(_) if self.is_unread => {
                    self.is_raw = true;
                    return;
                }
                Ok(None) => panic!("{leg}: sent a part of a frame: {shown}"),
                Err(error) => panic!("{leg}: sent what is {error}: {shown}"),
            };
            let (bytes, after) = rest.split_at(frame.len);
            rest = after;
            let is_header = frame.kind == FrameKind::Header;
            assert_eq!(is_first, is_header, "{leg}: no header: {shown}");
            if let Err(error) = document.feed(bytes) {
                panic!("{leg}: rxml does not read what was sent: {error}: {shown}");
            }
            let namespaces = framer.namespaces().expect("a header").clone();
            if is_header {
                assert_eq!(namespaces.get(""), Some(ns::CLIENT), "{leg}: {shown}");
            }
            self.closed = frame.kind == FrameKind::Close;
            self.restarts = see(&Sent {
                kind: frame.kind,
                bytes: bytes.to_vec(),
                namespaces,
            });
        }
    }

    /// Takes `count` outgoing bytes.
    pub fn take(&mut self, count: usize) {
        self.outgoing.drain(..count);
    }
}
