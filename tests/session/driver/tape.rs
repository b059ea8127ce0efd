//! Each session of a test is recorded, and replayed when it is over.

use pubshim::fixture::{Fixture, Keep, Recording, replay};
use pubshim::session::{Options, Output};

/// Inputs of a session that are recorded and replayed: a flood goes on as it began.
const MOST_REPLAYED: usize = 1200;

/// Bytes of a recording behind which no input is added: half a MiB takes a tenth of a second to be replayed.
const MOST_TEXT: usize = 512 * 1024;

/// A recording of a session, or of its beginning.
pub(super) struct Tape {
    recording: Recording,
    pub(super) text: String,
    inputs: usize,
    is_full: bool,
}

impl Tape {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            recording: Recording::new(Keep::default()),
            text: Recording::header("A test", options),
            inputs: 0,
            is_full: false,
        }
    }

    /// Counts an input that the session is about to get. A tape is full before an input and never amid its outputs.
    pub(super) fn note_input(&mut self) {
        self.inputs += 1;
        self.is_full = self.inputs > MOST_REPLAYED || self.text.len() > MOST_TEXT;
    }

    pub(super) fn write(&mut self, output: &Output) {
        if !self.is_full {
            self.recording.write(output, &mut self.text);
        }
    }

    /// Replays the recording, and panics if the session does otherwise.
    pub(super) fn assert_replays(&self) {
        let text = &self.text;
        let fixture = Fixture::parse(text).unwrap_or_else(|error| panic!("{error} in {text}"));
        // A session without any input is no fixture.
        if fixture.exchanges.is_empty() {
            return;
        }
        let mismatches = replay(&fixture).unwrap_or_else(|error| panic!("{error} in {text}"));
        if let Some(first) = mismatches.first() {
            panic!(
                "line {}: expected\n{}\nand there came\n{}\nin {text}",
                first.line, first.expected, first.actual
            );
        }
    }
}
