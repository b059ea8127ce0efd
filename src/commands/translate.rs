//! `pubshim translate` and `pubshim explain`: stanzas from standard input, tried one by one.

use std::io::{self, BufRead, Write};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::fixture::{Header, Outcome, Tried, Tryout};
use crate::jid;
use crate::ns;
use crate::session::{Function, Leg, Policy};
use crate::xml::{FrameKind, Framer, Limits, XmlError};

/// What is shown below the help.
pub const AFTER_HELP: &str = "\
Examples:
  echo \"<presence><status>Moping</status></presence>\" | pubshim translate --from client
      What the shim would send, as steps of a fixture
  pubshim translate --from server --to client --null < events.xml | xargs -0 -n1 echo
      Only what the client would get, bare, with NUL behind each stanza
  echo \"<presence type='unavailable'/>\" | pubshim explain --from client
      Which rules apply, and the listings they come from

Exit codes:
  0  all was read
  2  usage, or something that is no stanza
  3  standard input or output failed";

/// Options of `pubshim translate` and `pubshim explain`. The documentation of a field is its help.
#[derive(Clone, Debug, Args)]
pub struct TranslateOptions {
    /// Who sends the stanzas.
    #[arg(long, value_name = "SIDE", value_enum)]
    pub from: Side,

    /// The client's full JID.
    #[arg(long, value_name = "JID", default_value = "juliet@capulet.lit/balcony")]
    #[arg(value_parser = full_jid)]
    pub account: String,

    /// How much is said with publish-subscribe (XEP-0207).
    #[arg(long, value_name = "POLICY", value_enum, default_value = "auto")]
    pub policy: Policy,

    /// Functions left to classic XMPP; may be repeated.
    #[arg(long, value_name = "FUNCTION", value_enum, value_delimiter = ',')]
    pub native: Vec<Function>,
}

/// What is only for `pubshim translate`. The documentation of a field is its help.
#[derive(Clone, Debug, Args)]
pub struct PrintOptions {
    /// Print only what is sent to this side, and nothing but the XML.
    #[arg(long, value_name = "SIDE", value_enum)]
    pub to: Option<Side>,

    /// Put a NUL behind each piece of XML instead of a newline; with --to.
    #[arg(short = '0', long, requires = "to")]
    pub null: bool,
}

/// One of the two a session stands between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Side {
    /// The classic client.
    Client,
    /// The server.
    Server,
}

impl From<Side> for Leg {
    fn from(side: Side) -> Self {
        match side {
            Side::Client => Self::Client,
            Side::Server => Self::Server,
        }
    }
}

/// Standard input held something that is no stanza.
#[derive(Debug, thiserror::Error)]
#[error("standard input, line {line}: {error}")]
pub struct NoStanza {
    /// The line where the stanza begins, the first being 1.
    line: usize,
    error: XmlError,
}

fn full_jid(text: &str) -> Result<String, &'static str> {
    match jid::resource(text) {
        Some(resource) if !resource.is_empty() && jid::local(text).is_some() => {
            Ok(jid::prepared(text).into_owned())
        }
        _ => Err("expected a full JID such as juliet@capulet.lit/balcony"),
    }
}

/// Prints what the shim would send for each stanza of `input`.
pub fn translate(
    options: &TranslateOptions,
    print: &PrintOptions,
    input: impl BufRead,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let only = print.to.map(Leg::from);
    each_stanza(options, input, out, |_, tried, out| {
        let Some(only) = only else {
            return tried.steps().try_for_each(|step| write!(out, "{step}"));
        };
        for outcome in tried.outcomes {
            if let Outcome::To { leg, xml, .. } = outcome
                && leg == only
            {
                write!(out, "{xml}{}", if print.null { '\0' } else { '\n' })?;
            }
        }
        Ok(())
    })
}

/// Prints which rules apply to each stanza of `input`.
pub fn explain(
    options: &TranslateOptions,
    input: impl BufRead,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    each_stanza(options, input, out, |stanza, tried, out| {
        writeln!(out, "{}", first_tag(stanza))?;
        let dropped = tried.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Dropped(reason) => Some(reason),
            _ => None,
        });
        let mut is_named = false;
        for rule in &tried.rules {
            is_named = true;
            let listing = match rule.listing {
                "" => String::new(),
                listing => format!(" (listing {listing})"),
            };
            writeln!(out, "  {}{listing}: {}", rule.name, rule.text)?;
        }
        for reason in dropped {
            is_named = true;
            writeln!(out, "  dropped: {reason}")?;
        }
        if !is_named {
            writeln!(out, "  passes byte for byte: no rule names it")?;
        }
        Ok(())
    })
}

/// Tries the stanzas of `input` one by one, as soon as each is complete.
fn each_stanza<W: Write>(
    options: &TranslateOptions,
    mut input: impl BufRead,
    out: &mut W,
    mut tell: impl FnMut(&str, Tried, &mut W) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut tryout = Tryout::new(&Header {
        policy: options.policy,
        native: options.native.clone(),
        rooms_asked: true,
        account: options.account.clone(),
        ..Header::default()
    });
    let header = format!(
        "<s:stream xmlns='{}' xmlns:s='{}' xmlns:stream='{}'>",
        ns::CLIENT,
        ns::STREAM,
        ns::STREAM
    );
    let mut framer = Framer::new(Limits::AFTER_LOGIN);
    framer.next(header.as_bytes())?;
    let (mut pending, mut line) = (Vec::new(), 1);
    loop {
        let read = input.fill_buf().context("cannot read standard input")?;
        let (is_end, count) = (read.is_empty(), read.len());
        // A NUL may stand between stanzas, as `--null` puts it there.
        pending.extend(
            read.iter()
                .map(|byte| if *byte == 0 { b'\n' } else { *byte }),
        );
        input.consume(count);
        while let Some(frame) = framer
            .next(&pending)
            .map_err(|error| NoStanza { line, error })?
        {
            let bytes: Vec<_> = pending.drain(..frame.len).collect();
            let text = String::from_utf8_lossy(&bytes);
            if frame.kind == FrameKind::Element {
                let tried = tryout.stanza(options.from.into(), &text);
                tell(&text, tried, out).context("cannot write to standard output")?;
                out.flush().context("cannot write to standard output")?;
            }
            line += text.matches('\n').count();
        }
        if is_end && !pending.is_empty() {
            let error = XmlError::NotWellFormed("an element is not closed");
            return Err(NoStanza { line, error }.into());
        }
        if is_end {
            return Ok(());
        }
    }
}

/// A stanza's first tag, on one line.
fn first_tag(stanza: &str) -> String {
    let end = stanza.find('>').map_or(stanza.len(), |at| at + 1);
    stanza[..end]
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
