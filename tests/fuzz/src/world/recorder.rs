//! A recording of any session: it replays, and holds no secret.

use pubshim::fixture::{Fixture, Keep, Recording, replay};
use pubshim::session::{Options, Output};

use crate::text::{SECRET, WRITTEN};

/// A recording as far as it has come.
pub(super) struct Recorder {
    recording: Recording,
    text: String,
    bodies: bool,
}

impl Recorder {
    pub(super) fn new(options: &Options, bodies: bool) -> Self {
        Self {
            recording: Recording::new(Keep::bodies(bodies)),
            text: Recording::header("Anything", options),
            bodies,
        }
    }

    /// Writes an output of the session.
    pub(super) fn take(&mut self, output: &Output) {
        self.recording.write(output, &mut self.text);
    }

    /// The session has ended.
    pub(super) fn end(&self) {
        let text = &self.text;
        assert!(!text.contains(SECRET), "a secret: {text}");
        assert!(self.bodies || !text.contains(WRITTEN), "a body: {text}");
        let fixture = match Fixture::parse(text) {
            Ok(fixture) => fixture,
            Err(error) => panic!("{error}: {text}"),
        };
        match replay(&fixture) {
            Ok(mismatches) => {
                if let Some(first) = mismatches.first() {
                    panic!(
                        "it replays otherwise: {text}\n{first:#?}\n{}\nCAME\n{}",
                        first.expected, first.actual
                    );
                }
            }
            Err(error) => panic!("{error}: {text}"),
        }
    }
}
