//! A folder with fixtures, and `pubshim replay` in it.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A fixture that passes, with an id of pubshim's.
pub(crate) const GOOD: &str = "\
pubshim fixture 1
title: A status leaves
listing: 3

# The first presence asks for the node.
from client: <presence id='p1'><status>Moping</status></presence>
to server: <presence id='p1'><status>Moping</status><shim xmlns='urn:pubshim:0'/></presence>
to server:
| <iq type='get' id='${id:config}'>
|   <pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='presence'/></pubsub>
| </iq>

from server: <iq type='error' id='${config}'><error type='wait'/></iq>
# Nobody asks again.
";

/// A folder with fixtures, in which pubshim is started.
pub(crate) struct Folder(pub(crate) TempDir);

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::new().expect("folder"));
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(path, text).expect("written");
    }

    /// Number of files and folders in it.
    pub(crate) fn count(&self) -> usize {
        fs::read_dir(self.0.path()).expect("folder").count()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).expect(name)
    }

    /// `pubshim replay` with arguments as they are typed.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pubshim"));
        command.arg("replay").args(args.split_whitespace());
        command.env_clear();
        command.current_dir(self.0.path());
        command
    }

    pub(crate) fn replay(&self, args: &str) -> Replay {
        Replay::of(&mut self.command(args))
    }

    /// Replays with `input` on standard input.
    pub(crate) fn replay_piped(&self, args: &str, input: &str) -> Replay {
        let mut command = self.command(args);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("pubshim starts");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(input.as_bytes()).expect("written");
        drop(stdin);
        Replay::from(&child.wait_with_output().expect("ends"))
    }
}

/// Exit code and output of a run.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Replay {
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::from(&command.output().expect("pubshim starts"))
    }

    fn from(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout.clone()).expect("UTF-8"),
            err: String::from_utf8(output.stderr.clone()).expect("UTF-8"),
        }
    }

    #[track_caller]
    pub(crate) fn assert(&self, code: i32, out: &str, err: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.out, out);
        assert_eq!(self.err, err);
    }
}

/// [`GOOD`] with a mistake in an expected step.
pub(crate) fn bad() -> String {
    GOOD.replace(">Moping</status><shim", ">Mopping</status><shim")
}
