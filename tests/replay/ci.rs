//! Output for CI: reports, annotations, lists, and fixtures that are not run.

use crate::folder::{Folder, GOOD, Replay, bad};
use crate::text::assert_has;

#[test]
fn annotations_name_file_and_line() {
    let title = bad().replace("A status leaves", "100%: a, b");
    let folder = Folder::new(&[("a.txt", GOOD), ("b.txt", &title)]);
    let replay = folder.replay("./b.txt a.txt -qq --annotations github");
    let annotation = annotation("b.txt").replace("A status leaves", "100%25%3A a%2C b");
    replay.assert(1, &format!("{annotation}1 passed, 1 failed\n"), "");
}

/// The annotation for [`bad`] at this path from the root of its repository.
fn annotation(path: &str) -> String {
    format!(
        "\n::error file={path},line=7,title=A status leaves (listing 3)::after line 6: \
         from client: <presence id='p1'><status>Moping</status></presence>%0A\
         -   <status>Mopping</status>%0A+   <status>Moping</status>\n"
    )
}

#[test]
fn annotates_by_itself_on_github() {
    let folder = Folder::new(&[("b.txt", &bad())]);
    let quiet = "0 passed, 1 failed\n".to_owned();
    let annotated = annotation("b.txt") + &quiet;
    for (args, value, out) in [
        ("b.txt -qq", "true", &annotated),
        ("b.txt -qq", "false", &quiet),
        ("b.txt -qq --annotations none", "true", &quiet),
        ("b.txt -qq --annotations github", "", &annotated),
    ] {
        let mut command = folder.command(args);
        Replay::of(command.env("GITHUB_ACTIONS", value)).assert(1, out, "");
    }
}

#[test]
fn annotations_find_files_from_the_root() {
    let folder = Folder::new(&[
        (".git/HEAD", ""),
        ("here/b.txt", &bad()),
        ("there/a.txt", GOOD),
    ]);
    let mut command = folder.command("../here/b.txt -qq --annotations github");
    command.current_dir(folder.0.path().join("there"));
    let out = annotation("here/b.txt") + "0 passed, 1 failed\n";
    Replay::of(&mut command).assert(1, &out, "");
    // A link is named by its own path, not by its target's.
    let link = folder.0.path().join("there/link.txt");
    std::os::unix::fs::symlink("../here/b.txt", link).expect("link");
    let replay = folder.replay("./there/link.txt -qq --annotations github");
    let out = annotation("there/link.txt") + "0 passed, 1 failed\n";
    replay.assert(1, &out, "");
}

#[test]
fn a_report_goes_to_standard_output() {
    let folder = Folder::new(&[("a.txt", GOOD)]);
    let told = "ok    a.txt  A status leaves\n1 passed, 0 failed\n";
    let replay = folder.replay("a.txt --report junit=-");
    assert_eq!((replay.code, &*replay.err), (Some(0), told));
    assert!(replay.out.starts_with("<?xml version"), "{}", replay.out);
    assert!(replay.out.ends_with("</testsuites>\n"), "{}", replay.out);
    let replay = folder.replay("a.txt -qqq --report json=-");
    assert_eq!(replay.err, "");
    serde_json::from_str::<serde_json::Value>(&replay.out).expect("JSON");
    // Standard output takes one of them.
    let error = "pubshim: error: standard output can take one report, or what --bless makes of standard input\n";
    for args in ["a.txt --report json=-,junit=-", "- --bless --report json=-"] {
        folder.replay(args).assert(2, "", error);
    }
}

#[test]
fn lists() {
    let other = GOOD.replace("A status leaves", "A\ttab");
    let folder = Folder::new(&[("a.txt", GOOD), ("b.txt", &other), ("c.txt", "x\n")]);
    let list = "./a.txt\tA status leaves\n./b.txt\tA\\ttab\n";
    let error = "pubshim: error: ./c.txt:1: a fixture begins with the line \"pubshim fixture 1\"\n";
    folder.replay(". --list").assert(2, list, error);
    let replay = folder.replay(". --list --filter leaves");
    replay.assert(0, "./a.txt\tA status leaves\n", "");
    let none = "pubshim: error: no fixture has \"none\" in its path or title\n";
    let replay = folder.replay(". --list --filter none");
    replay.assert(2, "", none);
}

#[test]
fn skips_with_a_reason() {
    let skipped = bad().replace("listing: 3", "skip: <soon>");
    let folder = Folder::new(&[("a.txt", GOOD), ("b.txt", &skipped)]);
    let told = "\
ok    a.txt  A status leaves
skip  b.txt  A status leaves (<soon>)
1 passed, 0 failed, 1 skipped
";
    for more in ["", "--fail-fast", "--bless"] {
        let args = format!("a.txt b.txt {more}");
        folder.replay(&args).assert(0, told, "");
    }
    assert_eq!(folder.read("b.txt"), skipped);
    folder
        .replay("b.txt -q")
        .assert(0, "0 passed, 0 failed, 1 skipped\n", "");
    let junit = folder.replay(". --report junit=-").out;
    assert!(junit.contains("tests=\"2\" failures=\"0\" errors=\"0\" skipped=\"1\""));
    assert_has(&junit, "<skipped message=\"&lt;soon&gt;\"/>");
    let json = folder.replay("b.txt --report json=-").out;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["skipped"], 1);
    assert_eq!(json["fixtures"][0]["reason"], "<soon>");
}

#[test]
fn junit_tells_times() {
    let folder = Folder::new(&[("a.txt", GOOD), ("b.txt", &bad())]);
    let junit = folder.replay(". --report junit=-").out;
    let times: Vec<_> = junit.split(" time=\"").skip(1).collect();
    let times: Vec<f64> = (times.iter())
        .map(|rest| rest[..rest.find('"').expect("closed")].parse().expect(rest))
        .collect();
    // Two sums, then the cases; each is rounded to a millisecond.
    let [all, suite, cases @ ..] = &times[..] else {
        panic!("{junit}");
    };
    assert!(all > &0.0 && all == suite && cases.len() == 2, "{junit}");
    assert!((all - cases.iter().sum::<f64>()).abs() < 0.002, "{junit}");
}
