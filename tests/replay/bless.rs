//! `--bless`: steps that it rewrites, and text that it leaves alone.

use crate::folder::{Folder, GOOD, bad};
use crate::text::assert_has;

#[test]
fn bless_shows_what_it_changes() {
    let rest = "\nfrom client: <message to='nurse@capulet.lit'/>\nnothing\n";
    let text = bad().replace("id='${id:config}'", "id='other'") + rest;
    let text = text.replace("id='${config}'", "id='1'");
    let folder = Folder::new(&[("a.txt", GOOD), ("b.txt", &text)]);
    let replay = folder.replay("a.txt b.txt --bless");
    let lines = "\
ok    a.txt  A status leaves
bless b.txt  A status leaves

b.txt:7: to server: changed
  - to server: <presence id='p1'><status>Mopping</status><shim xmlns='urn:pubshim:0'/></presence>
                                         ^^^^^^^
  + to server: <presence id='p1'><status>Moping</status><shim xmlns='urn:pubshim:0'/></presence>
                                         ^^^^^^
b.txt:8: to server: changed
    to server:
  - | <iq type='get' id='other'>
                         ^^^^^
  + | <iq type='get' id='${id:configure}'>
                         ^^^^^^^^^^^^^^^
    |   <pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='presence'/></pubsub>
    | </iq>
b.txt:14: to client: added
  + to client: <iq type='error' id='1'><error type='wait'/></iq>
b.txt:18: nothing: removed
  - nothing
b.txt:18: to server: added
  + to server: <message to='nurse@capulet.lit'/>

1 passed, 0 failed, 1 blessed
";
    replay.assert(0, lines, "");
    let blessed = text
        .replace("Mopping", "Moping")
        .replace("id='other'", "id='${id:configure}'")
        // This answers no request of pubshim's now, so the client gets it.
        .replace(
            "type='wait'/></iq>\n",
            "type='wait'/></iq>\nto client: <iq type='error' id='1'><error type='wait'/></iq>\n",
        )
        .replace(
            "\nnothing\n",
            "\nto server: <message to='nurse@capulet.lit'/>\n",
        );
    assert_eq!(folder.read("b.txt"), blessed);
    assert_eq!(folder.read("a.txt"), GOOD);
    assert_eq!(folder.count(), 2);

    let green = "2 passed, 0 failed\n";
    folder.replay("a.txt b.txt -q").assert(0, green, "");
    folder.replay("a.txt b.txt -q --bless").assert(0, green, "");
    assert_eq!(folder.read("b.txt"), blessed);
}

#[test]
fn blessing_keeps_placeholders_groups_and_line_ends() {
    let text = "\
pubshim fixture 1
title: A status leaves

from client: <presence id='p1'><status>Moping</status></presence>
any order
# What is needed to go on.
to server:
| <iq id='${id:config}'   type='${any}'>
|   <pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>${more}</pubsub>
| </iq>
to server relaxed: <presence id='${is:first}'><status>Mopping</status></presence>
end
# Behind the group.

from server: <iq type='result' id='${config}'/>
close client
after 1s
"
    .replace('\n', "\r\n");
    let folder = Folder::new(&[("a.txt", &text)]);
    let replay = folder.replay("a.txt --bless -q");
    assert_eq!(replay.code, Some(0), "{replay:?}");
    let blessed = folder.read("a.txt");
    let group = text.replace("Mopping", "Moping");
    let (group, _) = group.split_at(group.find("close client").expect("there"));
    assert!(blessed.starts_with(group), "{blessed}");
    assert!(!blessed.contains("close client"), "{blessed}");
    assert!(blessed.ends_with("after 1s\r\n"), "{blessed}");
    assert_eq!(
        blessed.matches('\n').count(),
        blessed.matches("\r\n").count()
    );
    folder
        .replay("a.txt -q")
        .assert(0, "1 passed, 0 failed\n", "");
}

#[test]
fn a_fixture_that_cannot_be_blessed_stays_as_it_is() {
    let unknown = GOOD.replace("${config}", "${other}");
    let folder = Folder::new(&[("broken.txt", &unknown)]);
    let replay = folder.replay("broken.txt --bless -qqq");
    let error = "pubshim: error: broken.txt:13: \"${other}\" is used before \"${id:other}\" or \"${is:other}\" stands for anything\n";
    replay.assert(2, "", error);
    assert_eq!(folder.read("broken.txt"), unknown);
}

#[test]
fn an_answer_follows_what_it_answers() {
    let start = GOOD.find("to server:\n|").expect("there");
    let end = GOOD.find("\nfrom server").expect("there");
    let (before, asked, answer) = (&GOOD[..start], &GOOD[start..end], &GOOD[end + 1..]);
    // The recording has the request a second later than pubshim now sends it.
    let late = format!("{before}\nafter 1s\n{asked}\n{answer}\nclient ends\n");
    let folder = Folder::new(&[("a.txt", &late)]);
    let replay = folder.replay("a.txt --bless -q");
    assert_eq!(replay.code, Some(0), "{replay:?}");
    let told = "\na.txt:1: inputs moved behind what they answer: 1\n";
    assert_has(&replay.out, told);
    let blessed = folder.read("a.txt");
    let expected = format!("{before}{asked}\n{answer}\nafter 1s\n");
    assert!(blessed.starts_with(&expected), "{blessed}");
}

#[test]
fn an_answer_without_its_request_is_left_out() {
    // The step that binds the name is never sent.
    let gone = bad()
        .replace("<iq type='get' id=", "<message id=")
        .replace("</iq>\n\n", "</message>\n\n");
    let folder = Folder::new(&[("gone.txt", &gone)]);
    let replay = folder.replay("gone.txt --bless -q");
    assert_eq!(replay.code, Some(0), "{replay:?}");
    let told = "gone.txt:1: inputs left out, as what they answer is not sent: 1\n  - from server: <iq type='error' id='${config}'>";
    assert_has(&replay.out, told);
    let blessed = folder.read("gone.txt");
    assert_has(&blessed, "to server: <presence id='p1'><status>Moping<");
    assert!(!blessed.contains("from server"), "{blessed}");
    folder
        .replay("gone.txt -qq")
        .assert(0, "1 passed, 0 failed\n", "");
}

#[test]
fn blesses_standard_input() {
    let folder = Folder::new(&[("a.txt", GOOD)]);
    let replay = folder.replay_piped("- --bless -q", &bad());
    assert_eq!((replay.code, &*replay.out), (Some(0), GOOD));
    let told = "bless <stdin>  A status leaves\n\n<stdin>:7: to server: changed\n";
    assert!(replay.err.starts_with(told), "{}", replay.err);
    assert!(replay.err.ends_with("\n0 passed, 0 failed, 1 blessed\n"));
    // A fixture that passes is printed as it is; a text that is no fixture is not printed.
    let replay = folder.replay_piped("a.txt - --bless -qqq", GOOD);
    replay.assert(0, GOOD, "");
    let skipped = bad().replace("listing: 3", "skip: later");
    let replay = folder.replay_piped("- --bless -qqq", &skipped);
    replay.assert(0, &skipped, "");
    let replay = folder.replay_piped("- --bless -qq", "x\n");
    assert_eq!((replay.code, &*replay.out), (Some(2), ""));
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = Folder::new(&[("a.txt", GOOD), ("b.txt", &bad())]);
    let replay = folder.replay("a.txt b.txt --bless --dry-run -q");
    assert_eq!((replay.code, &*replay.err), (Some(1), ""));
    let told = "bless b.txt  A status leaves\n\nb.txt:7: to server: changed\n  - to server: ";
    assert!(replay.out.starts_with(told), "{}", replay.out);
    assert!(replay.out.ends_with("\n1 passed, 0 failed, 1 to bless\n"));
    assert_eq!(folder.read("b.txt"), bad());
    let all_right = "1 passed, 0 failed\n";
    folder
        .replay("a.txt --bless --dry-run -q")
        .assert(0, all_right, "");
    // The text that --bless would write is not printed.
    let replay = folder.replay_piped("- --bless --dry-run -qq", &bad());
    replay.assert(1, "0 passed, 0 failed, 1 to bless\n", "");
    let junit = folder.replay("b.txt --bless --dry-run --report junit=-");
    assert_has(&junit.out, "failures=\"1\"");
    assert_eq!(folder.replay("a.txt --dry-run").code, Some(2));
}

#[test]
fn blessing_binds_the_names_that_inputs_use() {
    let start = GOOD.find("to server:\n|").expect("there");
    let end = GOOD.find("\nfrom server").expect("there");
    let mut text = GOOD.to_owned();
    text.replace_range(start..end, "");
    let folder = Folder::new(&[("a.txt", &text)]);
    let unbound = "pubshim: error: a.txt:9: \"${config}\" is used before \"${id:config}\" or \"${is:config}\" stands for anything\n";
    folder.replay("a.txt -qqq").assert(2, "", unbound);
    let replay = folder.replay("a.txt --bless -qq");
    replay.assert(0, "0 passed, 0 failed, 1 blessed\n", "");
    let blessed = folder.read("a.txt");
    assert_has(&blessed, "id='${id:config}'");
    folder
        .replay("a.txt -qq")
        .assert(0, "1 passed, 0 failed\n", "");
}

#[test]
fn blessing_leaves_other_files_alone_and_takes_each_once() {
    let folder = Folder::new(&[("a.txt", &bad()), ("a.txt.new", "mine")]);
    let link = folder.0.path().join("b.txt");
    std::os::unix::fs::symlink("a.txt", link).expect("link");
    let replay = folder.replay("a.txt ./a.txt b.txt . --bless -qq");
    replay.assert(0, "0 passed, 0 failed, 1 blessed\n", "");
    assert_eq!(folder.read("a.txt"), GOOD);
    assert_eq!(folder.read("a.txt.new"), "mine");
    assert_eq!(folder.count(), 3);
}

#[test]
fn text_like_a_placeholder_is_written_as_text() {
    let text = "\
pubshim fixture 1
title: Text is text

from client: <message to='a@b'><body>$${any} $&#123;x}</body></message>
to server: <message to='a@b'><body>$&#123;any} ${any}!</body></message>
";
    let folder = Folder::new(&[("a.txt", text)]);
    assert_eq!(folder.replay("a.txt -qq --bless").code, Some(0));
    let blessed = text.replace("$&#123;any} ${any}!", "$${any} $${x}");
    assert_eq!(folder.read("a.txt"), blessed);
}
