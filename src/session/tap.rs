//! What is noted of a session that is recorded.

use std::sync::Arc;
use std::time::Duration;

use super::{Input, Leg, Output, Record, Session};
use crate::xml::{Limits, Namespaces, head};

/// Of a frame that passes unread, so much is kept to be noted. A longer one is noted as cut off.
const MOST_UNREAD: usize = 1024 * 1024;
/// Of what is no XML, so much is noted: there may be secrets in it.
const MOST_RAW: usize = 16;

/// What a recorded session remembers between two steps.
#[derive(Debug, Default)]
pub(super) struct Tap {
    /// How much of what is outgoing on each leg was noted.
    noted: [usize; 2],
    /// Up to when time was noted.
    mark: Duration,
    /// The frame that is passing unread from each leg.
    passing: [Passing; 2],
}

/// A frame that passes unread, as far as it has come.
#[derive(Debug, Default)]
struct Passing {
    bytes: Vec<u8>,
    /// Its [`head`], if no more of it is kept than that and its first bytes.
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
    /// From here on, each step is put out as [`Output::Recorded`].
    pub fn record(&mut self) {
        let mark = self.now;
        self.tap = Some(Box::new(Tap {
            mark,
            ..Tap::default()
        }));
    }

    /// Notes an input that is no bytes; those are noted frame by frame.
    pub(super) fn note_input(&mut self, input: &Input<'_>) {
        if self.tap.is_none() {
            return;
        }
        let record = match input {
            // Ends are noted where they are acted on: what came before may be held.
            Input::Bytes(..) | Input::Eof(_) => return,
            Input::Timeout => return self.note_time(),
            Input::Connected(reached) => Record::Connected(*reached),
            Input::MayCompress => Record::MayCompress,
            Input::MayNotCompress(reason) => Record::MayNotCompress(reason.clone()),
            Input::Secured => Record::Secured,
            Input::ClientSecured => Record::ClientSecured,
            Input::ClientNotSecured(reason) => Record::ClientNotSecured(reason.clone()),
            Input::Failed(reason) => Record::Failed(reason.clone()),
            Input::HoldRefused => Record::HoldRefused,
            Input::Shutdown => {
                self.note_partial(Leg::Client);
                self.note_partial(Leg::Server);
                Record::Shutdown
            }
        };
        self.note(record);
    }

    /// Notes a frame that is about to be handled, or the bytes that are none.
    pub(super) fn note_frame(&mut self, leg: Leg, bytes: &[u8]) {
        if self.tap.is_some() {
            let record = match self.connection(leg).namespaces() {
                Some(namespaces) => Record::From(leg, bytes.to_vec(), namespaces),
                None => Record::FromRaw(leg, bytes.to_vec()),
            };
            self.note(record);
        }
    }

    /// Notes a stanza of the server's that was not kept.
    pub(super) fn note_cut_off(&mut self, head: &[u8], namespaces: Arc<Namespaces>) {
        if self.tap.is_some() {
            self.note(Record::CutOff(Leg::Server, head.to_vec(), namespaces));
        }
    }

    pub(super) fn note_garbage(&mut self, leg: Leg, bytes: &[u8]) {
        if self.tap.is_some() {
            self.note(Record::FromRaw(leg, bytes.to_vec()));
        }
    }

    /// Notes that a leg has ended.
    pub(super) fn note_end(&mut self, leg: Leg) {
        if self.tap.is_some() {
            self.note(Record::Ends(leg));
        }
    }

    fn note(&mut self, record: Record) {
        self.note_time();
        self.wire.output(Output::Recorded(record));
    }

    /// Notes how many milliseconds have passed since time was last noted. What is sent at once and what waits
    /// hangs on each of them.
    fn note_time(&mut self) {
        let Some(tap) = &mut self.tap else { return };
        let millis = (self.now - tap.mark).as_millis();
        let passed = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        if passed > Duration::ZERO {
            tap.mark += passed;
            self.wire.output(Output::Recorded(Record::After(passed)));
        }
    }

    /// Notes what is newly outgoing.
    pub(super) fn note_outgoing(&mut self) {
        let Some(tap) = &mut self.tap else { return };
        for leg in [Leg::Client, Leg::Server] {
            let outgoing = self.wire.outgoing(leg);
            let new = outgoing[tap.noted[leg as usize].min(outgoing.len())..].to_vec();
            tap.noted[leg as usize] = outgoing.len();
            if !new.is_empty() {
                self.wire.output(Output::Recorded(Record::To(leg, new)));
            }
        }
    }

    /// Notes that so many bytes more are outgoing, which are noted otherwise.
    pub(super) fn note_relayed(&mut self, leg: Leg, count: usize) {
        if let Some(tap) = &mut self.tap {
            tap.noted[leg as usize] += count;
        }
    }

    /// Notes a piece of what passes unread from `leg`, once the frame it belongs to `ends` with it.
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
            // One that has read the header and nothing since.
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
            None => self.note_unfinished(leg, bytes),
        }
    }

    /// How many bytes are kept of what is passing unread.
    pub(super) fn kept_unread(&self) -> usize {
        let passing = self.tap.iter().flat_map(|tap| &tap.passing);
        passing.map(|passing| passing.bytes.len()).sum()
    }

    /// Keeps no more of what is passing unread.
    pub(super) fn cut_unread(&mut self) {
        let passing = self.tap.iter_mut().flat_map(|tap| &mut tap.passing);
        for passing in passing.filter(|passing| passing.bytes.len() > MOST_RAW) {
            passing.cut();
        }
    }

    /// Notes the beginning of a frame that has passed so far and goes on no further.
    pub(super) fn note_partial(&mut self, leg: Leg) {
        if let Some(tap) = &mut self.tap {
            let passing = std::mem::take(&mut tap.passing[leg as usize]);
            self.note_unfinished(leg, passing.bytes);
        }
    }

    fn note_unfinished(&mut self, leg: Leg, mut bytes: Vec<u8>) {
        bytes.truncate(MOST_RAW);
        if !bytes.is_empty() {
            self.note_through(leg, Record::FromRaw(leg, bytes.clone()), bytes);
        }
    }

    fn note_through(&mut self, leg: Leg, record: Record, sent: Vec<u8>) {
        self.note(record);
        self.wire
            .output(Output::Recorded(Record::To(leg.other(), sent)));
    }

    /// Outgoing bytes were sent and are outgoing no more.
    pub(super) fn note_sent(&mut self, leg: Leg, count: usize) {
        if let Some(tap) = &mut self.tap {
            tap.noted[leg as usize] = tap.noted[leg as usize].saturating_sub(count);
        }
    }
}
