//! Processes that cannot outlive the test; their output is kept for waiting and printing.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Time a test waits for anything before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);

/// The output of a process so far, by lines, read by a thread of its own.
pub(crate) struct Feed<T>(Arc<(Mutex<Seen<T>>, Condvar)>);

struct Seen<T> {
    items: Vec<T>,
    ended: bool,
}

impl<T: Clone + Send + 'static> Feed<T> {
    pub(crate) fn new(source: impl Read + Send + 'static, parse: fn(String) -> T) -> Self {
        let lines = BufReader::new(source).split(b'\n').map_while(Result::ok);
        Self::of(lines.map(move |line| parse(String::from_utf8_lossy(&line).into_owned())))
    }

    pub(crate) fn of(source: impl Iterator<Item = T> + Send + 'static) -> Self {
        let seen = Seen {
            items: Vec::new(),
            ended: false,
        };
        let shared = Arc::new((Mutex::new(seen), Condvar::new()));
        let writer = Arc::clone(&shared);
        thread::spawn(move || {
            for item in source {
                writer.0.lock().unwrap().items.push(item);
                writer.1.notify_all();
            }
            writer.0.lock().unwrap().ended = true;
            writer.1.notify_all();
        });
        Self(shared)
    }

    fn lock(&self) -> MutexGuard<'_, Seen<T>> {
        self.0.0.lock().unwrap()
    }

    pub(crate) fn so_far(&self) -> Vec<T> {
        self.lock().items.clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Matching items after the first `from`.
    pub(crate) fn since(&self, from: usize, is_it: impl Fn(&T) -> bool) -> Vec<T> {
        let seen = self.lock();
        seen.items[from..]
            .iter()
            .filter(|it| is_it(it))
            .cloned()
            .collect()
    }

    /// The first result of `find` over all items, past and future, and its position; `None` if the source or
    /// [`PATIENCE`] ends before.
    pub(crate) fn find<R>(&self, mut find: impl FnMut(&T) -> Option<R>) -> Option<(usize, R)> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.lock();
        let mut at = 0;
        loop {
            while let Some(item) = seen.items.get(at) {
                if let Some(found) = find(item) {
                    return Some((at, found));
                }
                at += 1;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if seen.ended || left.is_zero() {
                return None;
            }
            seen = self.0.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Whether the source ends within [`PATIENCE`].
    pub(crate) fn ends(&self) -> bool {
        let shared = &self.0;
        let wait = shared
            .1
            .wait_timeout_while(self.lock(), PATIENCE, |seen| !seen.ended);
        wait.unwrap().0.ended
    }
}

/// A process under `guard.sh`, which kills it and removes its folder when this value is dropped, or when the test
/// process ends in any other way.
pub(crate) struct Guarded {
    guard: Child,
    pub(crate) output: Feed<String>,
}

impl Guarded {
    /// Runs a command line; `folder` is removed at its end.
    pub(crate) fn start(folder: Option<&Path>, command: &Command) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/guard.sh");
        let mut sh = Command::new("sh");
        sh.arg(script)
            .arg(folder.map_or(OsStr::new(""), Path::as_os_str))
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0); // Ctrl-C ends the test process; the guard notices that
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => sh.env(key, value),
                None => sh.env_remove(key),
            };
        }
        let mut guard = sh.spawn().expect("sh runs");
        let output = Feed::new(guard.stdout.take().unwrap(), |line| line);
        Self { guard, output }
    }

    /// Sends a signal, named as for kill(1): `TERM`.
    pub(crate) fn signal(&mut self, name: &str) {
        self.tell(name);
    }

    /// Keeps the folder after the end of the process, for another one.
    pub(crate) fn keep_folder(&mut self) {
        self.tell("keep");
    }

    fn tell(&mut self, line: &str) {
        let stdin = self.guard.stdin.as_mut().expect("not ended yet");
        writeln!(stdin, "{line}").expect("the guard lives");
    }

    /// Peak memory in KiB.
    pub(crate) fn memory(&self) -> usize {
        let guard = self.guard.id();
        let child = fs::read_to_string(format!("/proc/{guard}/task/{guard}/children")).unwrap();
        let child = child.split_whitespace().next().expect("it runs");
        let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap();
        let mut lines = status.lines();
        let peak = lines.find_map(|it| it.strip_prefix("VmHWM:")).unwrap();
        let peak = peak.trim().trim_end_matches(" kB");
        peak.parse().unwrap()
    }

    /// Waits for the process to end by itself; its exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        assert!(self.output.ends(), "it does not end:\n{}", self.said());
        drop(self.guard.stdin.take());
        self.guard
            .wait()
            .expect("the guard can be waited for")
            .code()
    }

    pub(crate) fn said(&self) -> String {
        self.output.so_far().join("\n")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}
