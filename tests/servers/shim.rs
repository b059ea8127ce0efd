//! The built `pubshim`, run as a user would.

use std::net::SocketAddr;
use std::process::Command;

use crate::process::Guarded;
use crate::server::{Entry, Server};

pub(crate) struct Shim {
    process: Guarded,
    pub(crate) addr: SocketAddr,
}

impl Shim {
    /// Starts a shim for this server, with its CA file.
    pub(crate) fn start(server: &Server, policy: &str, extra: &[&str]) -> Self {
        Self::start_over(server.addr(), server, policy, extra)
    }

    /// Starts a shim for this server that reaches it at `addr`.
    pub(crate) fn start_over(
        addr: SocketAddr,
        server: &Server,
        policy: &str,
        extra: &[&str],
    ) -> Self {
        let (addr, ca_file) = (addr.to_string(), server.ca_file());
        let ca_file = ca_file.to_str().unwrap();
        let mut arguments = vec!["--server", &addr, "--ca-file", ca_file, "--policy", policy];
        arguments.extend(extra);
        Self::run(&arguments)
    }

    /// Starts a shim that reaches this server at its TLS port.
    pub(crate) fn start_on_tls_port(server: &Server, extra: &[&str]) -> Self {
        let uri = format!("tls://{}", server.direct_tls_addr());
        let ca_file = server.ca_file();
        let arguments = ["--server", &uri, "--ca-file", ca_file.to_str().unwrap()];
        Self::run(&[&arguments, extra].concat())
    }

    /// `pubshim forget` before this server.
    pub(crate) fn forget(server: &Server, extra: &[&str]) -> Self {
        let (addr, ca_file) = (server.addr().to_string(), server.ca_file());
        let ca_file = ca_file.to_str().unwrap();
        let arguments = [&["--server", &addr, "--ca-file", ca_file], extra].concat();
        Self::listen("forget", &arguments)
    }

    /// `pubshim run` with these arguments, on a free port.
    pub(crate) fn run(arguments: &[&str]) -> Self {
        Self::listen("run", arguments)
    }

    fn listen(name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pubshim"));
        command
            // Keep out of the state folder of the user who runs the tests.
            .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
            .args([name, "--listen", "127.0.0.1:0", "-v"])
            .args(arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PUBSHIM_") {
                command.env_remove(name);
            }
        }
        let process = Guarded::start(None, &command);
        let listening = process.output.find(|line| {
            let (_, after) = line.split_once("listening on ")?;
            let addr = after.split_whitespace().next()?;
            addr.trim_matches(|c: char| !c.is_ascii_digit())
                .parse()
                .ok()
        });
        let Some((_, addr)) = listening else {
            panic!("the shim does not listen:\n{}", process.said());
        };
        Self { process, addr }
    }

    pub(crate) fn entry(&self) -> Entry {
        Entry {
            addr: self.addr,
            ca_file: None,
        }
    }

    /// Waits for the end; the exit code and all output.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        (self.process.exit_code(), self.process.said())
    }

    /// Sends SIGTERM and waits; the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.process.signal("TERM");
        self.process.exit_code()
    }

    /// Sends SIGHUP, as a closing terminal does, and waits; the exit code.
    pub(crate) fn hang_up(&mut self) -> Option<i32> {
        self.process.signal("HUP");
        self.process.exit_code()
    }

    /// Sends SIGSTOP: the shim hangs, and its connections stay.
    pub(crate) fn freeze(&mut self) {
        self.process.signal("STOP");
    }

    /// Sends SIGCONT: the shim goes on.
    pub(crate) fn thaw(&mut self) {
        self.process.signal("CONT");
    }

    /// Sends SIGKILL and waits.
    pub(crate) fn kill(&mut self) {
        self.process.signal("KILL");
        self.process.exit_code();
    }

    /// Peak memory in KiB.
    pub(crate) fn memory(&self) -> usize {
        self.process.memory()
    }

    /// Bytes of the first compressed session that has ended: sent, sent on the wire, received, received on the wire.
    pub(crate) fn compressed(&self) -> [u64; 4] {
        let numbers = self.process.output.find(|line| {
            let (_, numbers) = line.split_once("compressed: ")?;
            let words = numbers.split(|c: char| !c.is_ascii_digit());
            let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
            numbers.try_into().ok()
        });
        let Some((_, numbers)) = numbers else {
            panic!("no compressed session has ended");
        };
        numbers
    }

    /// Waits until a proxy has passed `count` clients on to the shim.
    pub(crate) fn wait_for_passed_on(&self, count: usize) {
        let mut seen = 0;
        let found = self.process.output.find(|line| {
            seen += usize::from(line.contains("passed on by a proxy"));
            (seen == count).then_some(())
        });
        assert!(found.is_some(), "{seen} of {count} clients were passed on");
    }

    /// Waits for a line of the log that contains this.
    pub(crate) fn wait_for_log(&self, part: &str) {
        let found = self
            .process
            .output
            .find(|line| line.contains(part).then_some(()));
        assert!(found.is_some(), "no line with {part:?} in the shim's log");
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- shim at {}:\n{}", self.addr, self.process.said());
        }
    }
}
