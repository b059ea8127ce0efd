//! `pubshim replay`: replays fixtures and reports. Without a network, a clock or chance.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use clap::{ArgAction, Args, ColorChoice, ValueEnum};

use super::{complain, print};
use crate::fixture::report::{self, Counts, Style};
use crate::fixture::{Bless, Checked, Plan, Source, Verdict, find};
use crate::view::wants_colour;

/// Text below the help.
pub const AFTER_HELP: &str = "\
Examples:
  pubshim replay fixtures
      All fixtures in a folder and below it
  pubshim replay fixtures --report junit=target/replay.xml
      The same in CI; GitHub shows what differs beside its lines
  pubshim replay fixtures --filter 'listing-03' --bless
      Rewrite what this one expects, and show the difference
  pubshim convert pidgin-debug.log | pubshim replay --bless - > new.txt
      The inputs that a log tells of, and what follows of them

Exit codes:
  0  all that was replayed is as expected (or now is, with --bless)
  1  something else came than expected (or would be rewritten, with --bless --dry-run)
  2  usage, a file that cannot be read, or that is no fixture; nothing else is replayed if a path
     does not exist
  3  a report cannot be written";

/// Fewest fixtures for which progress is shown.
const SHOW_PROGRESS_FROM: usize = 200;

/// Fixtures between two lines of progress.
const SHOW_PROGRESS_EVERY: usize = 50;

/// Exit codes, beside 0.
const MISMATCH: u8 = 1;
const UNUSABLE: u8 = 2;

/// Options of `pubshim replay`. The documentation of a field is its help.
#[derive(Clone, Debug, Args)]
pub struct ReplayOptions {
    /// Fixtures, and folders with fixtures (*.txt) in and below them; - is standard input.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Only fixtures with this in their path or title; may be repeated.
    #[arg(long, value_name = "TEXT")]
    pub filter: Vec<String>,

    /// Stop after the first fixture that does not pass.
    #[arg(long)]
    pub fail_fast: bool,

    /// Rewrite expectations of fixtures to what comes.
    ///
    /// Inputs, comments and steps that are as expected stay as they are written, and so do placeholders that still
    /// match. New ids of pubshim's own become ${id:NAME}. If pubshim now sends the request that an input answers at
    /// another time, the input moves there; if it sends none, the input is left out. A fixture from standard input (-)
    /// goes to standard output, and the report to standard error.
    #[arg(long, conflicts_with = "fail_fast")]
    pub bless: bool,

    /// With --bless: only show the changes.
    #[arg(long, requires = "bless")]
    pub dry_run: bool,

    /// Only list the fixtures: path, tab, title.
    #[arg(long, conflicts_with_all = ["bless", "fail_fast"])]
    pub list: bool,

    /// Also write a report; may be repeated.
    ///
    /// junit=FILE is XML that most CI systems read, json=FILE is for programs. With - for FILE the report goes to
    /// standard output, and the lines for people to standard error.
    #[arg(long, env = "PUBSHIM_REPORT", value_name = "FORMAT=FILE")]
    #[arg(value_delimiter = ',', help_heading = "Output")]
    pub report: Vec<ReportFile>,

    /// Also print annotations that a CI system shows beside the lines of the fixtures [default: github under
    /// GITHUB_ACTIONS=true, else none].
    #[arg(long, value_name = "SYSTEM", help_heading = "Output")]
    pub annotations: Option<Annotations>,

    /// Whether there are colours.
    ///
    /// `auto`: on a terminal, unless NO_COLOR is set.
    #[arg(long, env = "PUBSHIM_COLOR", value_name = "WHEN", value_enum)]
    #[arg(default_value = "auto", hide_possible_values = true)]
    #[arg(help = "Whether there are colours: auto, always or never")]
    #[arg(help_heading = "Output")]
    pub color: ColorChoice,

    /// Show all differences, however long.
    #[arg(short, long, action = ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,

    /// Show only differences; twice: only the last line; three times: nothing.
    #[arg(short, long, action = ArgAction::Count, help_heading = "Output")]
    pub quiet: u8,
}

/// A system that shows annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Annotations {
    /// GitHub, and systems that read the same (`::error file=…`).
    Github,
    /// None at all.
    None,
}

/// A report and its destination.
#[derive(Clone, Debug)]
pub struct ReportFile {
    /// Writes the report on these fixtures.
    format: fn(&[Checked], &Counts) -> String,
    path: PathBuf,
}

impl ReportFile {
    /// Whether the report goes to standard output.
    fn is_printed(&self) -> bool {
        self.path.as_os_str() == "-"
    }
}

impl FromStr for ReportFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "expected junit=FILE or json=FILE";
        let (format, path) = text.split_once('=').ok_or(expected)?;
        let format: fn(&[_], &_) -> _ = match format {
            "junit" => report::junit,
            "json" => report::json,
            _ => return Err(expected),
        };
        match path {
            "" => Err(expected),
            path => Ok(Self {
                format,
                path: path.into(),
            }),
        }
    }
}

/// Replays fixtures and reports; gives the exit code. `clock` gives the time since its start.
///
/// # Errors
///
/// When standard output or a report cannot be written.
pub fn replay(
    options: &ReplayOptions,
    clock: &(dyn Fn() -> Duration + Sync),
) -> anyhow::Result<u8> {
    let sources = match find(&options.paths) {
        Ok(sources) => sources,
        Err(errors) => {
            errors.iter().for_each(|error| complain(error));
            return Ok(UNUSABLE);
        }
    };
    let plan = Plan {
        filters: options.filter.clone(),
        bless: match (options.bless, options.dry_run) {
            (true, false) => Bless::Yes,
            (true, true) => Bless::DryRun,
            (false, _) => Bless::No,
        },
    };
    if options.list {
        return list(&plan, &sources);
    }
    let prints_fixture = plan.bless == Bless::Yes && sources.contains(&Source::Stdin);
    let reports = options.report.iter();
    let prints = usize::from(prints_fixture) + reports.filter(|it| it.is_printed()).count();
    if prints > 1 {
        complain(&"standard output can take one report, or what --bless makes of standard input");
        return Ok(UNUSABLE);
    }
    let mut replay = Replay::new(options, sources.len(), prints > 0);
    let mut result = Ok(());
    plan.check_all(&sources, clock, |checked| match replay.add(checked) {
        Ok(flow) => flow,
        Err(error) => {
            result = Err(error);
            ControlFlow::Break(())
        }
    });
    result?;
    replay.finish(&sources)
}

/// Lists fixtures without running them.
fn list(plan: &Plan, sources: &[Source]) -> anyhow::Result<u8> {
    let mut code = 0;
    let mut is_empty = true;
    for source in sources {
        match plan.title(source) {
            None => continue,
            Some(Ok(title)) => print(&report::entry(source, &title))?,
            Some(Err(problem)) => {
                complain(&format_args!("{source}:{problem}"));
                code = UNUSABLE;
            }
        }
        is_empty = false;
    }
    Ok(if is_empty {
        none_is_named(&plan.filters)
    } else {
        code
    })
}

fn none_is_named(filters: &[String]) -> u8 {
    let filters = filters.join("\" or \"");
    complain(&format_args!(
        "no fixture has \"{filters}\" in its path or title"
    ));
    UNUSABLE
}

/// Progress of a replay, and what it prints.
struct Replay<'a> {
    options: &'a ReplayOptions,
    style: Style,
    /// Standard output is for programs; people read standard error.
    is_piped: bool,
    annotates: bool,
    counts: Counts,
    /// Number of fixtures seen, those left out included; `all` is the sum.
    seen: usize,
    all: usize,
    /// Results for reports.
    kept: Vec<Checked>,
    /// Differences, printed below all lines.
    details: String,
    problems: Vec<String>,
    shows_progress: bool,
}

impl<'a> Replay<'a> {
    fn new(options: &'a ReplayOptions, all: usize, is_piped: bool) -> Self {
        let (is_terminal, is_coloured) = match is_piped {
            true => (io::stderr().is_terminal(), wants_colour(&io::stderr())),
            false => (io::stdout().is_terminal(), wants_colour(&io::stdout())),
        };
        // Lines on a terminal show the progress themselves.
        let has_lines = options.quiet == 0 && is_terminal;
        let is_on_github = || std::env::var_os("GITHUB_ACTIONS").is_some_and(|it| it == "true");
        Self {
            options,
            is_piped,
            annotates: match options.annotations {
                Some(system) => system == Annotations::Github,
                None => is_on_github(),
            },
            style: Style {
                color: match options.color {
                    ColorChoice::Always => true,
                    ColorChoice::Never => false,
                    ColorChoice::Auto => {
                        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                        is_coloured && !is_dumb
                    }
                },
                full: options.verbose > 0,
            },
            counts: Counts::default(),
            seen: 0,
            all,
            kept: Vec::new(),
            details: String::new(),
            problems: Vec::new(),
            shows_progress: all >= SHOW_PROGRESS_FROM && !has_lines && io::stderr().is_terminal(),
        }
    }

    fn add(&mut self, checked: Option<Checked>) -> anyhow::Result<ControlFlow<()>> {
        self.seen += 1;
        if self.shows_progress && self.seen.is_multiple_of(SHOW_PROGRESS_EVERY) {
            progress(&format!("replayed {} of {}", self.seen, self.all));
        }
        let Some(checked) = checked else {
            return Ok(ControlFlow::Continue(()));
        };
        self.counts.add(&checked.verdict);
        let passed = matches!(checked.verdict, Verdict::Passed | Verdict::Skipped(_));
        if self.options.quiet == 0 || self.options.quiet == 1 && !passed {
            self.tell(&report::line(&checked, self.style))?;
        }
        if self.options.quiet < 2 {
            self.details += &report::details(&checked, self.style);
        }
        if self.annotates {
            self.details += &report::annotations(&checked, &in_repository(&checked.source));
        }
        if let Some(text) = &checked.blessed {
            print(text)?;
        }
        if let Verdict::Unusable(problem) = &checked.verdict {
            self.problems.push(format!("{}:{problem}", checked.source));
        }
        if !self.options.report.is_empty() {
            self.kept.push(checked);
        }
        if self.options.fail_fast && !passed {
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }

    fn finish(mut self, sources: &[Source]) -> anyhow::Result<u8> {
        if self.shows_progress {
            progress("");
        }
        if self.counts.all() == 0 {
            return Ok(none_is_named(&self.options.filter));
        }
        self.counts.not_run = sources.len() - self.seen;
        if !self.details.is_empty() {
            self.tell(&format!("\n{}", self.details))?;
        }
        self.problems.iter().for_each(|problem| complain(problem));
        if self.options.quiet < 3 {
            self.tell(&report::summary(&self.counts, self.style))?;
        }
        for report in &self.options.report {
            let text = (report.format)(&self.kept, &self.counts);
            if report.is_printed() {
                print(&text)?;
                continue;
            }
            write(&report.path, &text)
                .with_context(|| format!("cannot write the report {}", report.path.display()))?;
        }
        Ok(match self.counts {
            Counts { unusable: 1.., .. } => UNUSABLE,
            Counts { failed: 1.., .. } | Counts { to_bless: 1.., .. } => MISMATCH,
            _ => 0,
        })
    }

    /// Prints for people.
    fn tell(&self, text: &str) -> anyhow::Result<()> {
        if !self.is_piped {
            return print(text);
        }
        // If this cannot be written either, the exit code still tells.
        let _ = io::stderr().write_all(text.as_bytes());
        Ok(())
    }
}

/// Path of a fixture from the root of its repository, as annotations need it; outside of one, the path given.
fn in_repository(source: &Source) -> String {
    let Source::File(path) = source else {
        return source.to_string();
    };
    let absolute = || {
        // A link belongs to the repository, wherever it points.
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
        Some(folder.join(path.file_name()?))
    };
    let from_root = absolute().and_then(|path| {
        let root = path
            .ancestors()
            .skip(1)
            .find(|it| it.join(".git").exists())?;
        Some(path.strip_prefix(root).ok()?.display().to_string())
    });
    from_root.unwrap_or_else(|| {
        let path = source.to_string();
        path.strip_prefix("./").unwrap_or(&path).to_owned()
    })
}

/// Writes a file; makes its folder if need be.
fn write(path: &Path, text: &str) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => fs::create_dir_all(folder)?,
        _ => {}
    }
    fs::write(path, text)
}

/// Rewrites the line of progress.
fn progress(text: &str) {
    let _ = write!(io::stderr(), "\r\x1b[K{text}");
}
