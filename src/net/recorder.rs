//! Recordings of sessions: one file each, written by a thread that no session waits for.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use super::watch::{Watcher, Watching};
use crate::config::Settings;
use crate::fixture::{Keep, Recording, Step, Title};
use crate::session::{Event, Options, Output};

/// Makes the folder and starts the thread, if sessions are to be recorded.
pub(super) fn start(settings: &Settings) -> anyhow::Result<Option<Watching>> {
    let Some(folder) = settings.record.clone() else {
        return Ok(None);
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("cannot make the folder {} for --record", folder.display()))?;
    let recorder = Recorder {
        // Names sort by time, and differ from those of another pubshim.
        prefix: folder.join(format!("session-{}-{}", unix_time(), std::process::id())),
        keep: Keep::bodies(settings.record_bodies).and(&settings.record_keep),
        max_size: settings.record_max_size,
        options: settings.session.clone(),
        files: HashMap::new(),
    };
    let watching = Watching::start("record", recorder)?;
    tracing::info!("recording sessions to {}", folder.display());
    Ok(Some(watching))
}

/// Writes recordings.
struct Recorder {
    prefix: PathBuf,
    keep: Keep,
    max_size: usize,
    options: Options,
    files: HashMap<u64, RecordingFile>,
}

struct RecordingFile {
    recording: Recording,
    title: Title,
    /// Beginning of the session, in seconds since 1970 (UTC).
    began: i64,
    /// Header of the fixture at the beginning of the first part.
    head: String,
    titled: String,
    /// Path of the first part.
    path: PathBuf,
    /// `None` after a failure: the rest of the session is not recorded.
    file: Option<File>,
    written: usize,
    part: u32,
}

impl Watcher for Recorder {
    fn steps(&mut self, number: u64, lost: u64, steps: &[Output]) -> ControlFlow<()> {
        let max_size = self.max_size;
        let file = self.file(number);
        // Inputs and the steps they cause are written together: if the program is killed, both are there or neither.
        let mut text = missing(lost);
        for step in steps {
            // A new part begins only before an input, so that an input and its consequences stay in one part.
            let is_input = matches!(step, Output::Recorded(record) if record.is_input());
            if file.written + text.len() >= max_size && is_input {
                file.write(&std::mem::take(&mut text));
                file.go_on_in_another_part();
            }
            file.title.note(step);
            file.recording.write(step, &mut text);
        }
        file.write(&text);
        let is_login =
            |step: &Output| matches!(step, Output::Log(Event::LoggedIn(_) | Event::Relaying(_)));
        if steps.iter().any(is_login) {
            file.retitle();
        }
        ControlFlow::Continue(())
    }

    fn ended(&mut self, number: u64, lost: u64) -> ControlFlow<()> {
        if let Some(mut file) = self.files.remove(&number) {
            file.write(&missing(lost));
            file.retitle();
        }
        ControlFlow::Continue(())
    }

    /// Nothing is left to do: every step was written when it came.
    fn finished(&mut self) {}
}

impl Recorder {
    fn file(&mut self, number: u64) -> &mut RecordingFile {
        self.files.entry(number).or_insert_with(|| {
            let path = self.prefix.with_file_name(format!(
                "{}-{number}.txt",
                self.prefix
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
            ));
            let title = Title::default();
            let began = unix_time();
            let titled = title.text(began);
            let mut file = RecordingFile {
                recording: Recording::new(self.keep),
                head: Recording::header(&titled, &self.options),
                titled,
                title,
                began,
                file: open(&path),
                path,
                written: 0,
                part: 1,
            };
            file.write(&file.head.clone());
            file
        })
    }
}

impl RecordingFile {
    /// Writes without buffering: steps survive a crash of the program.
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

    /// Rewrites the first part with the title of the session as it is known by now.
    fn retitle(&mut self) {
        if self.file.is_none() {
            return;
        }
        let titled = self.title.text(self.began);
        let head = self.head.replacen(&self.titled, &titled, 1);
        if let Err(error) = replace_head(&self.path, self.head.len(), &head) {
            tracing::warn!("cannot give {} its title: {error}", self.path.display());
            return;
        }
        (self.head, self.titled) = (head, titled);
        if self.part == 1 {
            self.file = opened(&self.path, OpenOptions::new().append(true).open(&self.path));
        }
    }

    /// Begins the next part. Only all parts joined in their order are a fixture.
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

/// Replaces the first `old` bytes of a file by `head`, atomically: a reader sees the old file or the new one.
fn replace_head(path: &Path, old: usize, head: &str) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(u64::try_from(old).unwrap_or_default()))?;
    let new = path.with_extension("txt.new");
    let written = create(&new).and_then(|mut written| {
        written.write_all(head.as_bytes())?;
        io::copy(&mut file, &mut written)?;
        fs::rename(&new, path)
    });
    if written.is_err() {
        // Remove the incomplete copy; the caller logs why it is incomplete.
        let _ = fs::remove_file(&new);
    }
    written
}

/// Seconds since 1970 (UTC).
fn unix_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or_default()
}

/// Text for a place in a recording where steps were lost.
fn missing(lost: u64) -> String {
    match lost {
        0 => String::new(),
        lost => format!(
            "\n# These came faster than they could be written:\n{}",
            Step::Missing(lost)
        ),
    }
}

/// A new file that only its owner can read.
fn open(path: &Path) -> Option<File> {
    opened(path, create(path))
}

fn opened(path: &Path, file: io::Result<File>) -> Option<File> {
    file.inspect_err(|error| tracing::warn!("cannot record to {}: {error}", path.display()))
        .ok()
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}
