//! Clients that connect to a path.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::text::assert_has;
use crate::tools::{FEATURES_LOGIN, Peer, Server, Shim, header};

/// A folder with room for a socket, and its path.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pubshim");
    (folder, path)
}

fn option(path: &Path) -> String {
    format!("unix:{}", path.display())
}

fn start(server: &Server, path: &Path) -> Shim {
    Shim::start(&[&server.option(), "--listen", &option(path)])
}

/// A pubshim that does not start.
fn refused(path: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pubshim"))
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .args(["run", "--client-tls=off", "--listen", &option(path)])
        .output()
        .unwrap()
}

fn error(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(3));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_client_logs_in_and_the_socket_is_taken_away() {
    let (folder, path) = place();
    let (server, connections) = Server::by_hand();
    let mut shim = start(&server, &path);
    let metadata = fs::metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing else is left"
    );

    let open = header("to='localhost'");
    let mut client = Peer::over(UnixStream::connect(&path).unwrap());
    client.send(&open);
    let mut server = connections.recv().unwrap();
    server.wait(&open);
    server.send(&header("id='s1' from='localhost'"));
    server.send(FEATURES_LOGIN);
    client.wait("<mechanism>PLAIN</mechanism>");
    client.send("</stream:stream>");
    server.wait("</stream:stream>");
    server.send("</stream:stream>");
    client.rest();
    drop((client, server));
    let line = shim.wait_for_log(": ended");
    assert!(line.contains("unix"), "where it came from: {line}");

    shim.signal("-TERM");
    assert_eq!(shim.exit_code(), Some(0));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn beside_an_address() {
    let (_folder, path) = place();
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::start(&[
        &server.option(),
        "--listen=127.0.0.1:0",
        "--listen",
        &option(&path),
    ]);
    shim.wait_for_log("listening on unix:");
    shim.open(&connections);
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_socket_nobody_listens_on_is_replaced() {
    let (_folder, path) = place();
    drop(UnixListener::bind(&path).unwrap());
    let old = fs::metadata(&path).unwrap().ino();
    let (server, _connections) = Server::by_hand();
    let shim = start(&server, &path);
    UnixStream::connect(&path).unwrap();
    assert_ne!(fs::metadata(&path).unwrap().ino(), old);
    drop(shim);
    // A killed shim leaves its socket, which does not keep the next one from starting.
    let _shim = start(&server, &path);
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_socket_somebody_listens_on_stays() {
    let (_folder, path) = place();
    let _other = UnixListener::bind(&path).unwrap();
    let error = error(&refused(&path));
    assert!(
        error.contains("in use") && error.contains("--listen"),
        "{error}"
    );
    UnixStream::connect(&path).unwrap();
}

#[test]
fn what_is_no_socket_stays() {
    let (folder, path) = place();
    fs::write(&path, "mine").unwrap();
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    for path in [&path, &link] {
        let error = error(&refused(path));
        assert_has(&error, "something else than a socket");
    }
    assert_eq!(fs::read(&link).unwrap(), b"mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_path_that_cannot_be() {
    let (folder, path) = place();
    let error_of = |path: &Path| error(&refused(path));
    let nowhere = error_of(&folder.path().join("no/such/pubshim"));
    assert_has(&nowhere, "No such file");
    let long = folder.path().join("a".repeat(100));
    let output = refused(&long);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && text.contains("too long"),
        "{text}"
    );
    assert!(!path.exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn another_file_in_its_place_stays() {
    let (_folder, path) = place();
    let (server, _connections) = Server::by_hand();
    let mut shim = start(&server, &path);
    fs::remove_file(&path).unwrap();
    fs::File::create(&path).unwrap().write_all(b"mine").unwrap();
    shim.signal("-TERM");
    assert_eq!(shim.exit_code(), Some(0));
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}
