//! A program on a terminal: tests press keys and read the screen. The terminal is tmux, with a server of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::{Guarded, PATIENCE};
use crate::recorded::poll;

/// Runs the program and prints its exit code, since tmux itself misses some ends.
const RUN: &str = "\"$@\"; echo \"ended with $?\"; read -r line";

const CONFIG: &str = "\
set -g status off
set -g default-terminal screen-256color
set -s escape-time 0
";

pub(super) struct Terminal {
    socket: PathBuf,
    _server: Guarded,
}

impl Terminal {
    /// Runs a command with this home folder.
    pub(super) fn start(home: &Path, command: &[&str]) -> Self {
        let (socket, config) = (home.join("tmux"), home.join("tmux.conf"));
        fs::write(&config, CONFIG).unwrap();
        let mut server = Command::new("tmux");
        server
            .env("HOME", home)
            .env("LC_ALL", "C.UTF-8")
            .arg("-D")
            .arg("-f")
            .arg(config)
            .arg("-S")
            .arg(&socket);
        for name in [
            "TMUX",
            "DISPLAY",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_CACHE_HOME",
        ] {
            server.env_remove(name);
        }
        let terminal = Self {
            _server: Guarded::start(Some(home), &server),
            socket,
        };
        let home = home.to_str().unwrap();
        let mut start = vec!["new-session", "-d", "-x", "120", "-y", "40", "-c", home];
        start.extend(["--", "sh", "-c", RUN, "sh"]);
        start.extend(command);
        poll("a terminal", PATIENCE, || terminal.tell(&start));
        terminal
    }

    /// Presses keys, by their names in tmux.
    pub(super) fn keys(&self, keys: &[&str]) {
        self.tell(&[&["send-keys"], keys].concat()).unwrap();
    }

    /// Types a text.
    pub(super) fn text(&self, text: &str) {
        self.tell(&["send-keys", "-l", "--", text]).unwrap();
    }

    /// Types a text, and Enter once it is shown: keys that come all at once may be taken for pasted text.
    pub(super) fn line(&self, text: &str) {
        self.text(text);
        self.shows(text);
        self.keys(&["Enter"]);
    }

    /// Fills the next fields of a dialog.
    pub(super) fn fill(&self, texts: &[&str]) {
        for text in texts {
            self.keys(&["Tab"]);
            self.text(text);
        }
    }

    /// Waits until a text is on the screen.
    pub(super) fn shows(&self, text: &str) {
        self.shows_line(&[text]);
    }

    /// Waits until there is a line with all of these.
    pub(super) fn shows_line(&self, texts: &[&str]) {
        poll(&format!("{texts:?} on a screen"), PATIENCE, || {
            let screen = self.screen()?;
            let mut lines = screen.lines();
            if lines.any(|line| texts.iter().all(|it| line.contains(it))) {
                Ok(())
            } else {
                Err("another screen".to_owned())
            }
        });
    }

    /// Waits until the program has ended by itself.
    pub(super) fn ends(&self) {
        self.shows("ended with 0");
    }

    fn screen(&self) -> Result<String, String> {
        self.tell(&["capture-pane", "-p"])
    }

    fn tell(&self, arguments: &[&str]) -> Result<String, String> {
        let mut tmux = Command::new("tmux");
        let output = tmux
            .args(["-N", "-S"])
            .arg(&self.socket)
            .args(arguments)
            .output();
        let Output {
            status,
            stdout,
            stderr,
        } = output.map_err(|why| format!("these tests need tmux: {why}"))?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if status.success() {
            Ok(said(&stdout))
        } else {
            Err(said(&stderr))
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(screen) = self.screen()
        {
            eprintln!("--- screen:\n{screen}");
        }
    }
}
