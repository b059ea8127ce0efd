//! Recording bytes that pass unread.

use super::{Leg, Output, Record, Session};
use crate::xml::{Border, Limits, head};

/// The longest frame that is recorded whole while it passes unread; a longer one is recorded as cut off.
const MOST_UNREAD: usize = 1024 * 1024;
/// Bytes of broken XML that are recorded at most: they may hold secrets.
const MOST_RAW: usize = 16;

/// A frame that passes unread, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Passing {
    bytes: Vec<u8>,
    /// The [`head`] of a frame too long to be kept; then `bytes` are only the first of it.
    cut_off: Option<Vec<u8>>,
}

impl Passing {
    fn add(&mut self, piece: &[u8]) {
        if self.cut_off.is_some() {
            return;
        }
        let room = MOST_UNREAD - self.bytes.len();
        self.bytes
            .extend_from_slice(&piece[..room.min(piece.len())]);
        if piece.len() > room {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.cut_off = Some(head(&self.bytes).unwrap_or_default());
        self.bytes.truncate(MOST_RAW);
        self.bytes.shrink_to_fit();
    }
}

impl Session {
    /// Collects a piece of a frame that passes unread from `leg`, and notes the frame once it `ends`.
    pub(super) fn note_piece(&mut self, leg: Leg, piece: &[u8], ends: bool) {
        let Some(tap) = &mut self.tap else { return };
        let passing = &mut tap.passing[leg as usize];
        passing.add(piece);
        if ends {
            let passing = std::mem::take(passing);
            self.note_passed(leg, passing);
        }
    }

    fn note_passed(&mut self, leg: Leg, passing: Passing) {
        let Some(namespaces) = self.connection(leg).namespaces() else {
            return;
        };
        let is_frame = |bytes: &[u8]| {
            // The leg's framer has read the header and, as all bytes pass unread, nothing since.
            let mut framer = self.connection(leg).framer.clone();
            framer.set_limits(Limits::NONE);
            let frame = framer.next(bytes);
            frame.is_ok_and(|frame| frame.is_some_and(|frame| frame.len == bytes.len()))
        };
        let Passing { bytes, cut_off } = passing;
        if cut_off.is_none() && is_frame(&bytes) {
            let record = Record::From(leg, bytes.clone(), namespaces);
            return self.note_through(leg, record, bytes);
        }
        let head = cut_off
            .or_else(|| head(&bytes))
            .filter(|head| is_frame(head));
        match head {
            Some(head) => {
                let record = Record::CutOff(leg, head.clone(), namespaces);
                self.note_through(leg, record, head);
            }
            None => self.note_unread(leg, as_short(bytes)),
        }
    }

    /// Bytes kept of frames that are passing unread.
    pub(super) fn kept_unread(&self) -> usize {
        let passing = self.tap.iter().flat_map(|tap| &tap.passing);
        passing.map(|passing| passing.bytes.len()).sum()
    }

    /// Keeps only the start tags of frames that are passing unread.
    pub(super) fn cut_unread(&mut self) {
        let passing = self.tap.iter_mut().flat_map(|tap| &mut tap.passing);
        for passing in passing.filter(|passing| passing.bytes.len() > MOST_RAW) {
            passing.cut();
        }
    }

    /// Notes the beginning of a frame that passes unread and was broken off.
    pub(super) fn note_partial(&mut self, leg: Leg) {
        if let Some(tap) = &mut self.tap {
            let passing = std::mem::take(&mut tap.passing[leg as usize]);
            let mut bytes = passing.bytes;
            bytes.truncate(MOST_RAW);
            self.note_unread(leg, bytes);
        }
    }

    fn note_unread(&mut self, leg: Leg, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.note_through(leg, Record::FromRaw(leg, bytes.clone()), bytes);
        }
    }

    fn note_through(&mut self, leg: Leg, record: Record, sent: Vec<u8>) {
        self.note(record);
        self.wire
            .output(Output::Recorded(Record::To(leg.other(), sent)));
    }
}

/// A few bytes that stand in for `bytes`, which are no XML, and leave the stream at the same kind of border.
fn as_short(mut bytes: Vec<u8>) -> Vec<u8> {
    let is_whole = |bytes: &[u8]| Border::default().next(bytes) == Some(bytes.len());
    bytes.truncate(MOST_RAW);
    match is_whole(&bytes) {
        true => bytes,
        false if bytes.starts_with(b"</") => b"</>".to_vec(),
        false => b"<!>".to_vec(),
    }
}
