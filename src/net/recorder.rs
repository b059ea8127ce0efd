//! Recordings of sessions: one file each, written by a thread that no session waits for.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use crate::config::Settings;
use crate::fixture::Recording;
use crate::session::{Options, Output, Record};

/// So many steps may wait to be written.
const MOST_STEPS: usize = 4096;
/// So many bytes of them.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Writes recordings until it is finished.
pub(super) struct Recorder {
    sender: SyncSender<Message>,
    /// Bytes that wait to be written.
    queued: Arc<AtomicUsize>,
    writer: JoinHandle<()>,
}

/// A session's end of the recorder.
pub(super) struct SessionRecorder {
    sender: SyncSender<Message>,
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
    /// This session has ended.
    End(u64),
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
        let (sender, messages) = sync_channel(MOST_STEPS);
        let queued = Arc::new(AtomicUsize::new(0));
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut writer = Writer {
            // Names sort by time and never meet those of an earlier run.
            prefix: folder.join(format!("session-{}", since.as_secs())),
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
        let has_room = self.queued.load(Ordering::Relaxed) + size <= MOST_BYTES;
        self.queued.fetch_add(size, Ordering::Relaxed);
        let (number, lost) = (self.number, self.lost);
        let message = Message::Step { number, lost, step };
        if has_room && self.sender.try_send(message).is_ok() {
            self.lost = 0;
        } else {
            self.queued.fetch_sub(size, Ordering::Relaxed);
            self.lost += 1;
        }
    }
}

impl Drop for SessionRecorder {
    fn drop(&mut self) {
        // Without room the file is closed with the program.
        let _ = self.sender.try_send(Message::End(self.number));
    }
}

fn size_of_step(step: &Output) -> usize {
    match step {
        Output::Recorded(
            Record::From(_, bytes, _) | Record::FromRaw(_, bytes) | Record::To(_, bytes),
        ) => bytes.len(),
        _ => 0,
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
                Message::End(number) => drop(self.files.remove(&number)),
                Message::Finish => break,
            }
        }
    }

    fn write(&mut self, number: u64, lost: u64, step: &Output) {
        self.queued.fetch_sub(size_of_step(step), Ordering::Relaxed);
        let max_size = self.max_size;
        let file = self.file(number);
        let mut text = String::new();
        if lost > 0 {
            text = format!(
                "\n# {lost} steps are missing here: they came faster than they could be written.\n"
            );
        }
        file.recording.write(step, &mut text);
        file.write(&text);
        if file.written >= max_size {
            file.go_on_in_another_part();
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
