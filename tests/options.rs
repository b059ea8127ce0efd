//! Every option is a flag, a variable and a key of the file, and says its default.

#![allow(missing_docs, clippy::unwrap_used)]

use std::ffi::OsStr;

use clap::{Arg, Args, CommandFactory};
use pubshim::cli::{Cli, default_file};
use pubshim::config::{RunOptions, Settings};

/// Options that make no sense in a file.
const FLAGS_ONLY: [&str; 3] = ["config", "verbose", "quiet"];

fn options() -> clap::Command {
    RunOptions::augment_args(clap::Command::new("run"))
}

/// The settings of the default file, the `#` taken away: key and line.
fn uncommented() -> Vec<(String, String)> {
    let file = default_file();
    let lines = file.lines().filter_map(|line| line.strip_prefix('#'));
    let lines = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    let key = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    lines.map(|line| (key(line), line.to_owned())).collect()
}

#[test]
fn clap_finds_no_fault() {
    Cli::command().debug_assert();
}

#[test]
fn every_option_is_a_flag_a_variable_and_a_key() {
    for arg in options().get_arguments() {
        let flag = arg.get_long().expect("long");
        if flag == "verbose" || flag == "quiet" {
            continue;
        }
        let variable = format!("PUBSHIM_{}", flag.to_uppercase().replace('-', "_"));
        assert_eq!(arg.get_env(), Some(OsStr::new(&variable)));
    }
    let unknown = toml::from_str::<RunOptions>("x = 1")
        .expect_err("unknown")
        .to_string();
    let keys = unknown.split('`').skip(3).step_by(2);
    let flags = options();
    let flags = flags.get_arguments().filter_map(Arg::get_long);
    let flags = flags.filter(|flag| !FLAGS_ONLY.contains(flag));
    assert!(keys.eq(flags), "{unknown}");
}

#[test]
fn the_default_file_lists_every_option_in_order() {
    let listed = uncommented();
    let flags = options();
    let flags = flags.get_arguments().filter_map(Arg::get_long);
    let flags = flags.filter(|flag| !FLAGS_ONLY.contains(flag));
    assert!(flags.eq(listed.iter().map(|(key, _)| key.as_str())));
    for (key, line) in listed {
        let read: RunOptions = toml::from_str(&line).expect(&line);
        let nothing = RunOptions::default();
        assert_ne!(format!("{read:?}"), format!("{nothing:?}"), "{key} is read");
    }
}

#[test]
fn the_default_file_says_the_defaults() {
    let lines: Vec<String> = uncommented().into_iter().map(|(_, line)| line).collect();
    let read: RunOptions = toml::from_str(&lines.join("\n")).expect("a file");
    let settings = read.resolve().expect("settings");
    assert_eq!(
        format!("{settings:?}"),
        format!("{:?}", Settings::default())
    );
    let unchanged: RunOptions = toml::from_str(&default_file()).expect("a file");
    assert_eq!(
        format!("{unchanged:?}"),
        format!("{:?}", RunOptions::default())
    );
}

#[test]
fn the_default_file_is_readable() {
    let file = default_file();
    assert!(
        file.lines().all(|line| line.chars().count() <= 80),
        "{file}"
    );
    let groups = file.lines().filter_map(|line| line.strip_prefix("## "));
    let groups: Vec<_> = groups.collect();
    let expected = "Connections, Translation, Limits, Time-outs, Recording, Live view, Log";
    assert_eq!(groups.join(", "), expected);
}

#[test]
fn help_tells_the_default() {
    let help = Cli::try_from_args(["pubshim", "run", "-h"])
        .expect_err("help")
        .to_string();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        "[default: 127.0.0.1:5222]",
        "[default: 1000]",
        "[default: auto]",
    ] {
        assert!(help.contains(text), "{text}: {help}");
    }
}
