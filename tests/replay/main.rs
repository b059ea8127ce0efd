//! `pubshim replay` as it is started: its output, files and exit codes.

#![allow(clippy::disallowed_types, reason = "these tests start pubshim")]

mod bless;
mod ci;
mod folder;
#[path = "../common/text.rs"]
mod text;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::folder::{Folder, GOOD, Replay, bad};
use crate::text::assert_has;

const DIFF: &str = "\
b.txt:7: A status leaves (listing 3)
  after line 6:
    from client: <presence id='p1'><status>Moping</status></presence>
  - expected
  + came
    to server:
    <presence id='p1'>
  -   <status>Mopping</status>
              ^^^^^^^
  +   <status>Moping</status>
              ^^^^^^
      <shim xmlns='urn:pubshim:0'/>
    </presence>
    …

";

#[test]
fn a_line_for_each_and_a_summary() {
    let folder = Folder::new(&[
        ("f/b/2.txt", GOOD),
        ("f/b/10.txt", GOOD),
        ("f/a.txt", GOOD),
        ("f/README.md", "no fixture"),
        ("f/old.bad", "no fixture"),
    ]);
    let lines = "ok    f/a.txt  A status leaves\nok    f/b/10.txt  A status leaves\nok    f/b/2.txt  A status leaves\n";
    let replay = folder.replay("f");
    replay.assert(0, &format!("{lines}3 passed, 0 failed\n"), "");
    // Each fixture is run once, in the order of the arguments.
    let replay = folder.replay("f/b/2.txt f f/a.txt");
    assert_eq!(
        replay.out.lines().next(),
        Some("ok    f/b/2.txt  A status leaves")
    );
    assert!(replay.out.ends_with("\n3 passed, 0 failed\n"));
    folder.replay("-q f").assert(0, "3 passed, 0 failed\n", "");
    folder.replay("-qqq f").assert(0, "", "");
}

#[test]
fn a_mismatch_is_shown_with_its_words() {
    let folder = Folder::new(&[("a.txt", GOOD), ("b.txt", &bad())]);
    let fail = "FAIL  b.txt  A status leaves\n";
    let replay = folder.replay("a.txt b.txt");
    let all = format!("ok    a.txt  A status leaves\n{fail}\n{DIFF}1 passed, 1 failed\n");
    replay.assert(1, &all, "");
    let replay = folder.replay("-q a.txt b.txt");
    replay.assert(1, &format!("{fail}\n{DIFF}1 passed, 1 failed\n"), "");
    folder
        .replay("-qq a.txt b.txt")
        .assert(1, "1 passed, 1 failed\n", "");
    let all = folder.replay("-v b.txt").out;
    assert!(
        all.contains("<configure node='presence'/>") && !all.contains('…'),
        "{all}"
    );
}

#[test]
fn colour_only_where_it_is_wanted() {
    let folder = Folder::new(&[("b.txt", &bad())]);
    for (args, variable, is_coloured) in [
        ("b.txt", "auto", false),
        ("b.txt", "always", true),
        ("--color always b.txt", "auto", true),
        ("--color=never b.txt", "always", false),
    ] {
        let mut command = folder.command(args);
        let replay = Replay::of(command.env("PUBSHIM_COLOR", variable));
        assert_eq!(replay.out.contains("\x1b["), is_coloured, "{args}");
    }
    let refused = folder.replay("--color=sometimes b.txt");
    assert_eq!(refused.code, Some(2));
    assert_has(&refused.err, "auto, always, never");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let title = GOOD.replace("leaves", "leaves\x1b[2J\u{9b}\u{202e}");
    let folder = Folder::new(&[("a.txt", &title)]);
    let line = "ok    a.txt  A status leaves\\u{1b}[2J\\u{9b}\\u{202e}\n";
    folder
        .replay("a.txt")
        .assert(0, &format!("{line}1 passed, 0 failed\n"), "");
}

#[test]
fn filters_take_path_or_title() {
    let other = GOOD.replace("A status leaves", "Something else");
    let folder = Folder::new(&[("a.txt", GOOD), ("b.txt", &other), ("c.txt", "other text")]);
    for (filter, line) in [
        ("b.txt", "ok    b.txt  Something else\n"),
        ("leaves", "ok    a.txt  A status leaves\n"),
    ] {
        let replay = folder.replay(&format!(". --filter {filter}"));
        assert_eq!(
            replay.out.replace("./", ""),
            format!("{line}1 passed, 0 failed\n")
        );
        assert_eq!(replay.code, Some(0));
    }
    let both = folder.replay("a.txt b.txt --filter leaves --filter else");
    assert!(both.out.ends_with("2 passed, 0 failed\n"));
    folder.replay(". --filter no --filter none").assert(
        2,
        "",
        "pubshim: error: no fixture has \"no\" or \"none\" in its path or title\n",
    );
}

#[test]
fn fail_fast_stops_at_the_first_in_order() {
    let mut files = vec![("a00.txt".to_owned(), GOOD.to_owned())];
    files.extend((1..50).map(|at| (format!("a{at:02}.txt"), bad())));
    let files: Vec<_> = files.iter().map(|(a, b)| (&**a, &**b)).collect();
    let folder = Folder::new(&files);
    let replay = folder.replay(". --fail-fast");
    assert_eq!(replay.code, Some(1));
    assert!(
        replay.out.ends_with("\n1 passed, 1 failed, 48 not run\n"),
        "{}",
        replay.out
    );
}

#[test]
fn reports_are_well_formed_whatever_is_in_them() {
    let odd = bad().replace("A status leaves", "<&\">\u{1} ]]> \u{fffe}\t\\");
    let folder = Folder::new(&[("a.b/good.txt", GOOD), ("b.txt", &odd), ("c.txt", "x\n")]);
    let replay = folder.replay(". --report junit=new/folder/junit.xml --report json=report.json");
    assert_eq!(replay.code, Some(2));

    let junit = folder.read("new/folder/junit.xml");
    let mut reader = quick_xml::Reader::from_str(&junit);
    let mut names = Vec::new();
    loop {
        match reader.read_event().expect("XML") {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                assert!(tag.attributes().all(|attribute| attribute.is_ok()));
                names.push(tag.name().as_ref().to_owned());
            }
            _ => {}
        }
    }
    let cases = ["testcase", "testcase", "failure", "testcase", "error"];
    assert_eq!(names[2..], cases);
    assert_has(&junit, "tests=\"3\" failures=\"1\" errors=\"1\"");
    assert_has(&junit, "classname=\"a_b.good\" name=\"A status leaves\"");
    assert!(
        !junit.contains(['\u{1}', '\u{fffe}']) && !junit.contains("]]>"),
        "{junit}"
    );
    assert_has(&junit, "&lt;status&gt;Mopping&lt;/status&gt;");

    let json: serde_json::Value = serde_json::from_str(&folder.read("report.json")).expect("JSON");
    assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &1.into()));
    assert_eq!(json["fixtures"][0]["listing"], "3");
    assert_eq!(json["fixtures"][1]["title"], "<&\">\u{1} ]]> \u{fffe}\t\\");
    let mismatch = &json["fixtures"][1]["mismatches"][0];
    assert_eq!(
        (&mismatch["line"], &mismatch["input_line"]),
        (&7.into(), &6.into())
    );
    assert!(
        mismatch["came"]
            .as_str()
            .is_some_and(|came| came.contains(">Moping<"))
    );
    assert_eq!(json["fixtures"][2]["verdict"], "unusable");
    assert_eq!(json["fixtures"][2]["line"], 1);
}

#[test]
fn reports_come_from_the_environment_too() {
    let folder = Folder::new(&[("a.txt", GOOD)]);
    let with = |reports| Replay::of(folder.command("a.txt").env("PUBSHIM_REPORT", reports)).code;
    assert_eq!(with("junit=a.xml,json=a.json"), Some(0));
    assert!(folder.read("a.xml").ends_with("</testsuites>\n"));
    assert!(folder.read("a.json").starts_with("{\"version\":1,"));
    // An empty variable counts as not set.
    assert_eq!(with(""), Some(0));
    for report in ["tap=a.tap", "junit", "json="] {
        let refused = folder.replay(&format!("a.txt --report {report}"));
        assert_eq!(refused.code, Some(2));
        assert_has(&refused.err, "expected junit=FILE or json=FILE");
    }
    let replay = folder.replay("a.txt --report json=a.txt/x.json");
    assert_eq!(replay.code, Some(3));
    assert!(
        replay
            .err
            .starts_with("pubshim: error: cannot write the report a.txt/x.json: ")
    );
}

#[test]
fn standard_input_is_a_fixture_too() {
    let folder = Folder::new(&[]);
    let replay = folder.replay_piped("-", GOOD);
    replay.assert(
        0,
        "ok    <stdin>  A status leaves\n1 passed, 0 failed\n",
        "",
    );
}

#[test]
fn paths_without_fixtures_are_refused_before_anything_runs() {
    let folder = Folder::new(&[("a.txt", GOOD), ("empty/README.md", "")]);
    let errors = "\
pubshim: error: cannot read missing.txt: No such file or directory (os error 2)
pubshim: error: there are no fixtures (*.txt) in empty
";
    folder
        .replay("a.txt missing.txt empty")
        .assert(2, "", errors);
    let replay = folder.replay("");
    assert_eq!(replay.code, Some(2));
    assert_has(&replay.err, "<PATH>...");
}

#[test]
fn a_file_that_is_no_fixture_does_not_stop_others() {
    let folder = Folder::new(&[("a.txt", GOOD), ("e.txt", "")]);
    folder.write("d.txt", [GOOD.as_bytes(), b"\xff\n"].concat());
    let path = |name: &str| folder.0.path().join(name);
    std::os::unix::fs::symlink("nowhere", path("b.txt")).expect("link");
    let large = fs::File::create(path("c.txt")).expect("file");
    large.set_len((64 << 20) + 1).expect("sparse");
    let replay = folder.replay(".");
    assert_eq!(replay.code, Some(2));
    let errors = "\
pubshim: error: ./b.txt: cannot be read: No such file or directory (os error 2)
pubshim: error: ./c.txt: larger than 64 MiB; cut the recording into smaller fixtures
pubshim: error: ./d.txt:15: this line is not UTF-8; bytes that are no text are written with \"raw:\"
pubshim: error: ./e.txt:1: the file is empty; a fixture begins with \"pubshim fixture 1\"
";
    assert_eq!(replay.err, errors);
    assert_has(&replay.out, "ok    ./a.txt");
    assert!(
        replay.out.ends_with("\n1 passed, 0 failed, 4 unusable\n"),
        "{}",
        replay.out
    );
    // An endless file is refused, too.
    if Path::new("/dev/zero").exists() {
        let error = "pubshim: error: /dev/zero: larger than 64 MiB; cut the recording into smaller fixtures\n";
        folder.replay("-qqq /dev/zero").assert(2, "", error);
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = Folder::new(&[("a.txt", GOOD)]);
    let mut command = folder.command(".");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("pubshim starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"");
}

#[test]
fn a_long_recording_takes_no_time() {
    let mut long = String::from("pubshim fixture 1\ntitle: Long\n");
    for at in 0..5_000 {
        let _ = write!(
            long,
            "\nfrom client: <message id='m{at}'/>\nto server: <message id='${{is:m{at}}}'/>\n\
             from server: <message id='${{m{at}}}'/>\nto client: <message id='${{m{at}}}'/>\n"
        );
    }
    let folder = Folder::new(&[("long.txt", &long)]);
    folder
        .replay("long.txt -q")
        .assert(0, "1 passed, 0 failed\n", "");
    let lines = "#\n".repeat(1_000_001);
    folder.write("lines.txt", format!("{GOOD}{lines}"));
    let replay = folder.replay("lines.txt -qqq");
    let error = "pubshim: error: lines.txt:1000000: more than a million lines; cut the recording into smaller fixtures\n";
    replay.assert(2, "", error);
}
