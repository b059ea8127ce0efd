//! Recordings: a session without its secrets, which replays to the same end.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use pubshim::fixture::{Fixture, replay};

use crate::text::assert_has;
use crate::tools::{PATIENCE, Server, Shim, bind, header};

/// The files in `folder`, in the order of their names, with their text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// A session in which something is said each way; gives the files it leaves in `folder`.
fn session(folder: &Path, options: &[&str]) -> Vec<(String, String)> {
    let (server, connections) = Server::by_hand();
    let record = format!("--record={}", folder.display());
    // Chats through nodes would have the end wait for answers.
    let mut shim = Shim::before(&server, &[&["--native=chat", &record], options].concat());
    let (mut client, mut server) = shim.log_in(&connections);
    client.send("<presence id='p'/>");
    server.wait("<configure node='presence'/></pubsub></iq>");
    client.send("<message to='romeo@localhost' id='m'><body>wherefore art thou? ${any}</body></message> \r\n");
    server.wait("</message> \r\n");
    server.send("<message from='romeo@localhost/x'><subject>here</subject></message>");
    client.wait("</message>");
    shim.end(client, server);
    files(folder)
}

fn assert_replays(text: &str) {
    let fixture = Fixture::parse(text).unwrap();
    let mismatches = replay(&fixture).unwrap();
    assert!(mismatches.is_empty(), "{mismatches:#?}\n{text}");
    assert_eq!(fixture.to_string(), text);
}

#[test]
fn a_recorded_session_replays_and_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made");
    let [(_, text)] = session(&folder, &[]).try_into().unwrap();
    assert_replays(&text);
    for secret in ["AGEAYg==", "wherefore", "here<"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_has(&text, "<shim xmlns='urn:pubshim:0'/>");
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
}

/// The recording in `folder` gets a title of this beginning and end: it is written by a thread that no session waits for.
#[track_caller]
fn assert_titled(folder: &Path, start: &str, end: &str) {
    let deadline = Instant::now() + PATIENCE;
    let title = || {
        let path = fs::read_dir(folder).ok()?.find_map(|entry| {
            let path = entry.unwrap().path();
            path.extension()
                .is_some_and(|it| it == "txt")
                .then_some(path)
        })?;
        // The first part alone, as far as it is written.
        let fixture = Fixture::parse(&fs::read_to_string(path).unwrap());
        Some(fixture.ok()?.header.title)
    };
    loop {
        let title = title();
        let is_there = |title: &String| title.starts_with(start) && title.ends_with(end);
        if title.as_ref().is_some_and(is_there) {
            return;
        }
        assert!(Instant::now() < deadline, "titled {title:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_recording_is_titled() {
    let (server, connections) = Server::by_hand();
    let folder = tempfile::tempdir().unwrap();
    let record = format!("--record={}", folder.path().display());
    let options = ["--native=chat", "--record-max-size=1000", &record];
    let mut shim = Shim::before(&server, &options);
    let (mut client, mut server) = shim.authenticate(&connections);
    assert_titled(folder.path(), "nobody logged in, 20", " UTC, unfinished");
    server.send(&header("id='s2' from='localhost'"));
    bind(&mut client, &mut server);
    let whose = "juliet@localhost/balcony, 20";
    assert_titled(folder.path(), whose, " UTC, unfinished");
    client.send("<presence><c xmlns='http://jabber.org/protocol/caps' node='https://gajim.org'/></presence>");
    server.wait("<configure node='presence'/></pubsub></iq>");
    shim.end(client, server);
    let whose = "juliet@localhost/balcony with https://gajim.org, 20";
    assert_titled(folder.path(), whose, " UTC, the client logged out");
    let files = files(folder.path());
    assert!(files.len() > 1 && files.iter().all(|(name, _)| !name.ends_with(".new")));
    assert_replays(&files.into_iter().map(|(_, text)| text).collect::<String>());
}

#[test]
fn bodies_are_kept_when_asked_for_and_passwords_never() {
    let folder = tempfile::tempdir().unwrap();
    let [(_, text)] = session(folder.path(), &["--record-bodies"])
        .try_into()
        .unwrap();
    assert_replays(&text);
    assert!(
        text.contains("wherefore art thou? $${any}") && text.contains("here<"),
        "{text}"
    );
    assert!(!text.contains("AGEAYg=="), "{text}");
}

#[test]
fn the_parts_of_a_long_recording_are_one_fixture() {
    let folder = tempfile::tempdir().unwrap();
    let files = session(folder.path(), &["--record-max-size=1000"]);
    assert!(files.len() > 2, "{files:?}");
    assert!(
        files[0].0.ends_with(".txt") && files[1].0.ends_with(".txt.part002"),
        "{files:?}"
    );
    assert_replays(&files.into_iter().map(|(_, text)| text).collect::<String>());
}

/// Under `off` bytes pass as they come; the recording has whole stanzas, as far as there are any.
#[test]
fn a_session_that_passes_unread_is_recorded_stanza_by_stanza() {
    let (server, connections) = Server::by_hand();
    let folder = tempfile::tempdir().unwrap();
    let record = format!("--record={}", folder.path().display());
    let mut shim = Shim::before(&server, &["--policy=off", &record]);
    let (mut client, mut server) = shim.log_in(&connections);
    client.send("<message id='1'><body>wher");
    server.wait("wher");
    client.send("efore</body></message> <message id='2'>&bad;</message>");
    server.wait("&bad;</message>");
    // The stanza is longer than the recorded part of an unread one.
    let long = format!(
        "<message id='3' to='a@b'>{}</message>",
        "<x y='1'/>".repeat(120_000)
    );
    server.send(&long);
    assert!(client.wait("</message>") == long, "it passed as it came");
    server.send("<message id='4'><body>here</body></message><mess");
    client.wait("<body>here</body></message><mess");
    shim.signal("-TERM");
    assert_eq!(client.rest(), "", "nothing can be said inside a stanza");
    drop((client, server));
    assert_eq!(shim.exit_code(), Some(0));
    let [(_, text)] = files(folder.path()).try_into().unwrap();
    assert_replays(&text);
    for step in [
        "from client: <message id='1'><body>REDACTED.</body></message>\nto server: <message id='1'>",
        "from client cut off: <message id='2'/>\nto server: <message id='2'/>",
        "from server cut off: <message id='3' to='a@b'/>\nto client: <message id='3' to='a@b'/>",
        "from server: <message id='4'><body>REDA</body></message>",
        "from server raw: \"<mess\"\nto client raw: \"<mess\"",
        "\nshutdown\nclose client\nclose server",
    ] {
        assert!(text.contains(step), "{step} in {text}");
    }
    assert!(text.len() < 10_000, "{}", text.len());
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_of_input_and_output() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pubshim"))
        .args([
            "run",
            "--listen=127.0.0.1:0",
            "--client-tls=off",
            "--record",
        ])
        .arg(file.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("for --record"));
}
