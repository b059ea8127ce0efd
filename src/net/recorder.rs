//! Recordings of sessions: one file each, written by a thread that no session waits for.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use crate::config::Settings;
use crate::fixture::Recording;
use crate::session::{Options, Output, Record};

/// So many bytes may wait to be written, each step counted with [`STEP_BYTES`] more.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// About what a step costs besides its text.
const STEP_BYTES: usize = 256;

/// Writes recordings until it is finished.
pub(super) struct Recorder {
    sender: Sender<Message>,
    /// Bytes that wait to be written.
    queued: Arc<AtomicUsize>,
    writer: JoinHandle<()>,
}

/// A session's end of the recorder.
pub(super) struct SessionRecorder {
    sender: Sender<Message>,
    queued: Arc<AtomicUsize>,
    number: u64,
    /// Steps that found no room since the last one that did.
    lost: u64,
}

enum Message {
    /// A step of a session.
    Step {
        number: u64,
        /// Steps that were lost before this one.
        lost: u64,
        step: Output,
    },
    /// This session has ended, after so many steps that were lost.
    End { number: u64, lost: u64 },
    /// The program ends.
    Finish,
}

impl Recorder {
    /// Makes the folder and starts the thread, if sessions are to be recorded.
    pub(super) fn start(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let Some(folder) = settings.record.clone() else {
            return Ok(None);
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("cannot make the folder {} for --record", folder.display()))?;
        let (sender, messages) = channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut writer = Writer {
            // Names sort by time and do not meet those of another pubshim.
            prefix: folder.join(format!(
                "session-{}-{}",
                since.as_secs(),
                std::process::id()
            )),
            bodies: settings.record_bodies,
            max_size: settings.record_max_size,
            options: settings.session.clone(),
            queued: Arc::clone(&queued),
            files: HashMap::new(),
        };
        let writer = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || writer.run(&messages))
            .context("cannot start the thread that writes recordings")?;
        tracing::info!("recording sessions to {}", folder.display());
        Ok(Some(Self {
            sender,
            queued,
            writer,
        }))
    }

    /// The end for session `number`.
    pub(super) fn session(&self, number: u64) -> SessionRecorder {
        SessionRecorder {
            sender: self.sender.clone(),
            queued: Arc::clone(&self.queued),
            number,
            lost: 0,
        }
    }

    /// Writes what still waits. Sessions that have not ended by then lose the rest.
    pub(super) fn finish(self) {
        let is_gone = self.sender.send(Message::Finish).is_err();
        if is_gone || self.writer.join().is_err() {
            tracing::error!("the thread that writes recordings has failed");
        }
    }
}

impl SessionRecorder {
    /// Hands a step over; if there is no room, it is counted and the recording says so.
    pub(super) fn record(&mut self, step: Output) {
        let size = size_of_step(&step);
        if self.queued.load(Ordering::Relaxed) + size > MOST_BYTES {
            self.lost += 1;
            return;
        }
        self.queued.fetch_add(size, Ordering::Relaxed);
        let (number, lost) = (self.number, std::mem::take(&mut self.lost));
        let _ = self.sender.send(Message::Step { number, lost, step });
    }
}

impl Drop for SessionRecorder {
    fn drop(&mut self) {
        let (number, lost) = (self.number, self.lost);
        // The thread is gone only with the program.
        let _ = self.sender.send(Message::End { number, lost });
    }
}

fn size_of_step(step: &Output) -> usize {
    match step {
        Output::Recorded(
            Record::From(_, bytes, _) | Record::FromRaw(_, bytes) | Record::To(_, bytes),
        ) => bytes.len() + STEP_BYTES,
        _ => STEP_BYTES,
    }
}

struct Writer {
    prefix: PathBuf,
    bodies: bool,
    max_size: usize,
    options: Options,
    queued: Arc<AtomicUsize>,
    files: HashMap<u64, RecordingFile>,
}

struct RecordingFile {
    recording: Recording,
    path: PathBuf,
    /// `None` after a failure: the rest of the session is not recorded.
    file: Option<File>,
    written: usize,
    part: u32,
}

impl Writer {
    fn run(&mut self, messages: &Receiver<Message>) {
        for message in messages {
            match message {
                Message::Step { number, lost, step } => self.write(number, lost, &step),
                Message::End { number, lost } => self.end(number, lost),
                Message::Finish => break,
            }
        }
    }

    fn write(&mut self, number: u64, lost: u64, step: &Output) {
        self.queued.fetch_sub(size_of_step(step), Ordering::Relaxed);
        let max_size = self.max_size;
        let file = self.file(number);
        // What an input has caused stays in its part.
        if file.written >= max_size && is_input(step) {
            file.go_on_in_another_part();
        }
        let mut text = missing(lost);
        file.recording.write(step, &mut text);
        file.write(&text);
    }

    fn end(&mut self, number: u64, lost: u64) {
        if let Some(mut file) = self.files.remove(&number) {
            file.write(&missing(lost));
        }
    }

    fn file(&mut self, number: u64) -> &mut RecordingFile {
        self.files.entry(number).or_insert_with(|| {
            let path = self.prefix.with_file_name(format!(
                "{}-{number}.txt",
                self.prefix
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
            ));
            let mut file = RecordingFile {
                recording: Recording::new(self.bodies),
                file: open(&path),
                path,
                written: 0,
                part: 1,
            };
            file.write(&Recording::header(
                &format!("Recorded session {number}"),
                &self.options,
            ));
            file
        })
    }
}

impl RecordingFile {
    /// Writes at once: what was seen is kept if the program crashes.
    fn write(&mut self, text: &str) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all(text.as_bytes()) {
            tracing::warn!(
                "cannot write to {}: {error}; this session is recorded no further",
                self.path.display()
            );
            self.file = None;
        }
        self.written += text.len();
    }

    /// The parts joined in their order are the whole fixture; a part alone is none.
    fn go_on_in_another_part(&mut self) {
        if self.file.is_none() {
            return;
        }
        self.part += 1;
        let next = self
            .path
            .with_extension(format!("txt.part{:03}", self.part));
        self.write(&format!(
            "\n# Goes on in {}: to replay, join the parts with cat.\n",
            next.file_name().unwrap_or_default().to_string_lossy()
        ));
        self.file = open(&next);
        self.written = 0;
    }
}

/// Whether a step is an input: what follows it was caused by it.
fn is_input(step: &Output) -> bool {
    !matches!(step, Output::Recorded(Record::To(..))) && matches!(step, Output::Recorded(_))
}

/// What a recording says where steps were lost.
fn missing(lost: u64) -> String {
    match lost {
        0 => String::new(),
        lost => format!(
            "\n# {lost} steps are missing here: they came faster than they could be written.\n"
        ),
    }
}

/// A new file that only its owner can read.
fn open(path: &Path) -> Option<File> {
    let opened: io::Result<File> = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    opened
        .inspect_err(|error| tracing::warn!("cannot record to {}: {error}", path.display()))
        .ok()
}
