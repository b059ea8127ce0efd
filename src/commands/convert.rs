//! `pubshim convert`: turns the log of another program into a fixture without expectations, and cuts fixtures.

use std::path::PathBuf;

use clap::Args;

use super::{complain, print};
use crate::fixture::{Conversion, Problem, Source, read};

/// Text below the help.
pub const AFTER_HELP: &str = "\
Examples:
  pubshim convert pidgin-debug.log | pubshim replay --bless - > new.txt
      A debug log, and what pubshim makes of it; read the result before you keep it
  pubshim convert --steps 480 session-7.txt | pubshim replay --bless - > around-480.txt
      The login of a recording, and what happens around line 480
  pubshim convert --client Juliet presence_preapproval.scs
      What one client of a scansion script sends and receives
  tshark -r dump.pcap -Y 'tcp.len > 0 && !tcp.analysis.retransmission' \\
    -T fields -e tcp.stream -e tcp.srcport -e tcp.dstport -e tcp.payload | pubshim convert -
      A stream without TLS, from a packet dump

Logs: XML consoles and debug logs of Profanity, Gajim, Pidgin and Finch, mcabber, Smack, slixmpp
and others that print SENT: or SEND: and RECV:, and our own <!-- C2S conn=1 t=0.3 -->.

Exit codes:
  0  the fixture is on standard output
  2  usage, a file that cannot be read, or that is not understood
  3  standard output failed";

/// Exit code: the source cannot be read, or is not understood.
const UNUSABLE: u8 = 2;

/// Options of `pubshim convert`. The documentation of a field is its help.
#[derive(Clone, Debug, Args)]
pub struct ConvertOptions {
    /// The log; - is standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,

    /// Options for converting it.
    #[command(flatten)]
    pub conversion: Conversion,
}

/// Prints the fixture; gives the exit code.
///
/// # Errors
///
/// When standard output cannot be written.
pub fn convert(options: &ConvertOptions) -> anyhow::Result<u8> {
    let source = Source::at(&options.file);
    let name = match &source {
        Source::Stdin => "standard input".into(),
        Source::File(path) => path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy(),
    };
    match text(&source).and_then(|text| options.conversion.convert(&name, &text)) {
        Ok(fixture) => print(&fixture.to_string()).map(|()| 0),
        Err(problem) => {
            complain(&format_args!("{source}:{problem}"));
            Ok(UNUSABLE)
        }
    }
}

/// Reads the log.
fn text(source: &Source) -> Result<String, Problem> {
    read(source).map_err(|problem| match problem.line {
        Some(_) => Problem {
            message: "this line is not UTF-8; `iconv` can convert the log".to_owned(),
            ..problem
        },
        None => problem,
    })
}
