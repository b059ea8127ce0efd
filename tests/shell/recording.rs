//! Recordings: what a session said, without its secrets, and replayed to the same end.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use pubshim::fixture::{Fixture, replay};

use crate::tools::{Server, Shim};

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

/// A session in which something is said each way; what it leaves in `folder`.
fn session(folder: &Path, options: &[&str]) -> Vec<(String, String)> {
    let (server, connections) = Server::by_hand();
    let record = format!("--record={}", folder.display());
    let mut shim = Shim::before(&server, &[&[&*record], options].concat());
    let (mut client, mut server) = shim.log_in(&connections);
    client.send("<presence id='p'/>");
    server.wait("<configure node='presence'/></pubsub></iq>");
    client.send("<message to='romeo@localhost' id='m'><body>wherefore art thou? ${any}</body></message> \r\n");
    server.wait("</message> \r\n");
    server.send("<message from='romeo@localhost/x'><subject>here</subject></message>");
    client.wait("</message>");
    client.send("</stream:stream>");
    server.wait("</stream:stream>");
    server.send("</stream:stream>");
    client.rest();
    shim.wait_for_log(": ended");
    shim.signal("-TERM");
    assert_eq!(shim.exit_code(), Some(0));
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
    assert!(text.contains("<shim xmlns='urn:pubshim:0'/>"), "{text}");
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
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

#[test]
fn a_folder_that_cannot_be_made_is_an_error_of_input_and_output() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pubshim"))
        .args(["run", "--listen=127.0.0.1:0", "--record"])
        .arg(file.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("for --record"));
}
