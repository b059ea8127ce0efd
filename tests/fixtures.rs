//! Every fixture is a test of its own, found by its file: `cargo test --test fixtures listing-03`.
//!
//! Those in `malformed/` (`NAME.bad`) must be refused, with the message in `NAME.error`.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use pubshim::fixture::report::{Style, details};
use pubshim::fixture::{Plan, Source, Verdict, find};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    // Tests run in the folder of the package: a failure names the path from there.
    let mut trials = Vec::new();
    for source in find(&["fixtures".into()]).map_err(|errors| format!("{errors:?}"))? {
        let name = name(&source.to_string());
        trials.push(Trial::test(name, move || replays(&source)));
    }
    let mut malformed: Vec<_> = fs::read_dir("fixtures/malformed")?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    malformed.sort();
    for path in malformed {
        let trial = match path.extension().and_then(OsStr::to_str) {
            Some("bad") => Trial::test(name(&path.to_string_lossy()), move || is_refused(&path)),
            Some("error") if path.with_extension("bad").exists() => continue,
            _ => return Err(format!("{}: neither NAME.bad nor its error", path.display()).into()),
        };
        trials.push(trial);
    }
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}

fn name(path: &str) -> String {
    let path = path.strip_prefix("fixtures/").unwrap_or(path);
    path.strip_suffix(".txt").unwrap_or(path).to_owned()
}

fn replays(source: &Source) -> Result<(), Failed> {
    let checked = Plan::default().check(source).ok_or("left out")?;
    match &checked.verdict {
        Verdict::Passed => Ok(()),
        Verdict::Unusable(problem) => Err(format!("{source}:{problem}").into()),
        Verdict::Skipped(reason) => Err(format!("{source} is not run: {reason}").into()),
        _ => Err(details(&checked, Style::default()).into()),
    }
}

fn is_refused(path: &Path) -> Result<(), Failed> {
    let expected = fs::read_to_string(path.with_extension("error"))?;
    let source = Source::File(PathBuf::from(path));
    let checked = Plan::default().check(&source).ok_or("left out")?;
    let Verdict::Unusable(problem) = checked.verdict else {
        return Err(format!("{source} is taken for a fixture").into());
    };
    let problem = problem.to_string();
    if problem.trim() != expected.trim() {
        return Err(format!("expected: {expected}came:     {problem}").into());
    }
    Ok(())
}
