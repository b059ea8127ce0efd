//! What is noted of a session that is recorded.

use std::time::Duration;

use super::{Input, Leg, Output, Record, Session};

/// Less time than this is not noted, unless it is what was waited for.
const SECOND: Duration = Duration::from_secs(1);

/// What a recorded session remembers between two steps.
#[derive(Debug, Default)]
pub(super) struct Tap {
    /// How much of what is outgoing on each leg was noted.
    noted: [usize; 2],
    /// Up to when time was noted.
    mark: Duration,
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
            Input::Timeout => return self.note_time(Duration::from_millis(1)),
            Input::Connected(facts) => Record::Connected(*facts),
            Input::Secured => Record::Secured,
            Input::Failed(reason) => Record::Failed(reason.clone()),
            Input::HoldRefused => Record::HoldRefused,
            Input::Shutdown => Record::Shutdown,
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
        self.note_time(SECOND);
        self.wire.output(Output::Recorded(record));
    }

    /// Notes that time has passed since it was last noted, if at least `unit` has.
    fn note_time(&mut self, unit: Duration) {
        let Some(tap) = &mut self.tap else { return };
        let millis = (self.now - tap.mark).as_millis();
        let passed = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        if passed >= unit {
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

    /// Outgoing bytes were sent and are outgoing no more.
    pub(super) fn note_sent(&mut self, leg: Leg, count: usize) {
        if let Some(tap) = &mut self.tap {
            tap.noted[leg as usize] = tap.noted[leg as usize].saturating_sub(count);
        }
    }
}
