//! Recording a session: inputs, time, and outgoing bytes.

use std::sync::Arc;
use std::time::Duration;

use super::passing::Passing;
use super::server_leg::Stage;
use super::{Input, Leg, Output, Record, Session, Timing};
use crate::xml::{BYTES, Namespaces, XmlError, beginning, witness};

/// The state of a recording between two steps.
#[derive(Debug, Default)]
pub(super) struct Tap {
    /// Outgoing bytes on each leg that were noted already.
    noted: [usize; 2],
    /// Up to when time was noted, and the read time at that moment.
    mark: Duration,
    read: Duration,
    /// The frame that is passing unread from each leg.
    pub(super) passing: [Passing; 2],
}

impl Session {
    /// Starts recording: from here on, each step is put out as [`Output::Recorded`].
    pub fn record(&mut self) {
        self.tap = Some(Box::new(Tap {
            mark: self.now,
            read: self.wire.read_time,
            ..Tap::default()
        }));
        self.note_date();
    }

    /// Notes the date.
    pub(super) fn note_date(&mut self) {
        let date = self.wire.epoch + self.now;
        self.note(Record::Timing(Timing::Date(date)));
    }

    /// Notes an input other than bytes, which are noted frame by frame.
    pub(super) fn note_input(&mut self, input: &Input<'_>) {
        if self.tap.is_none() {
            return;
        }
        let record = match input {
            // These are noted where they are handled: held bytes may come first, and a timeout depends on what is due.
            Input::Bytes(..) | Input::Eof(_) | Input::Timeout | Input::Shutdown => return,
            Input::Connected(reached) => Record::Connected(*reached),
            Input::MayCompress => Record::MayCompress,
            Input::MayNotCompress(reason) => Record::MayNotCompress(reason.clone()),
            Input::Secured => Record::Secured,
            Input::ClientSecured => Record::ClientSecured,
            Input::ClientNotSecured(reason) => Record::ClientNotSecured(reason.clone()),
            Input::Failed(reason) => Record::Failed(reason.clone()),
            Input::HoldRefused => Record::HoldRefused,
        };
        self.note(record);
    }

    /// Notes a frame that is about to be handled, or bytes that are none.
    pub(super) fn note_frame(&mut self, leg: Leg, bytes: &[u8]) {
        if self.tap.is_some() {
            let matters = matches!(self.server.stage, Stage::StartingTls | Stage::Compressing);
            if leg == Leg::Server && matters && self.has_unsent() {
                self.note(Record::Timing(Timing::Early));
            }
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

    /// Notes refused bytes: a harmless stand-in that is refused for the same reason.
    pub(super) fn note_refused(&mut self, leg: Leg, bytes: &[u8], error: XmlError) {
        if self.tap.is_some() {
            let framer = &self.connection(leg).framer;
            let record = match error {
                XmlError::TooBig(BYTES) => Record::TooLarge(leg, beginning(framer, bytes)),
                _ => Record::FromRaw(leg, witness(framer, bytes, error)),
            };
            self.note(record);
        }
    }

    pub(super) fn note_garbage(&mut self, leg: Leg, bytes: &[u8]) {
        if self.tap.is_some() {
            self.note(Record::FromRaw(leg, bytes.to_vec()));
        }
    }

    /// Notes that a leg has ended.
    pub(super) fn note_end(&mut self, leg: Leg) {
        self.note_partial(leg);
        self.note(Record::Ends(leg));
    }

    pub(super) fn note_stalled(&mut self, leg: Leg) {
        self.note_partial(leg);
        self.note(Record::Timing(Timing::Stalled(leg)));
    }

    pub(super) fn note_shutdown(&mut self) {
        self.note_partial(Leg::Client);
        self.note_partial(Leg::Server);
        self.note(Record::Shutdown);
    }

    /// Notes a step, and before it the milliseconds since the last one, as pacing and deadlines depend on them.
    pub(super) fn note(&mut self, record: Record) {
        let (now, read_time) = (self.now, self.wire.read_time);
        let Some(tap) = &mut self.tap else { return };
        let passed = now - std::mem::replace(&mut tap.mark, now);
        let read = read_time - std::mem::replace(&mut tap.read, read_time);
        if passed > Duration::ZERO {
            let unread = passed.saturating_sub(read);
            let time = Record::Timing(Timing::Passed {
                time: passed,
                unread,
            });
            self.wire.output(Output::Recorded(time));
        }
        self.wire.output(Output::Recorded(record));
    }

    /// Notes bytes that are newly outgoing.
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

    /// Counts outgoing bytes as noted: relayed bytes are noted as pieces.
    pub(super) fn note_relayed(&mut self, leg: Leg, count: usize) {
        if let Some(tap) = &mut self.tap {
            tap.noted[leg as usize] += count;
        }
    }

    /// Counts noted bytes that were sent, and are outgoing no more.
    pub(super) fn note_sent(&mut self, leg: Leg, count: usize) {
        if let Some(tap) = &mut self.tap {
            tap.noted[leg as usize] = tap.noted[leg as usize].saturating_sub(count);
        }
    }
}
