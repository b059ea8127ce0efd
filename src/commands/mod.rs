//! Commands beside `run`: their options, and their use of standard input and output.

pub mod convert;
pub mod explain;
pub mod replay;
pub mod translate;

use std::io::{self, Write as _};

use anyhow::Context as _;

/// Prints to standard output; a closed pipe is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

fn complain(error: &dyn std::fmt::Display) {
    // If this cannot be written either, the exit code still tells.
    let _ = writeln!(io::stderr(), "pubshim: error: {error}");
}
