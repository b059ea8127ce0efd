//! Signals: an orderly end, a deadline, an end at once.

use crate::tools::{Server, Shim};

#[test]
fn a_signal_ends_sessions_in_order() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &[]);
    let (mut client, mut server) = shim.log_in(&connections);
    shim.signal("-TERM");
    server.wait("</stream:stream>");
    server.send("</stream:stream>");
    let told = client.rest();
    assert!(
        told.contains("<system-shutdown ") && told.ends_with("</stream:stream>"),
        "{told}"
    );
    assert_eq!(shim.exit_code(), Some(0));
}

#[test]
fn a_server_that_does_not_close_is_not_waited_for_longer_than_allowed() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &["--shutdown-timeout=1s", "--close-timeout=60s"]);
    let mut client = shim.connect();
    client.send(&crate::tools::header("to='localhost'"));
    let _server = connections.recv().unwrap();
    shim.signal("-INT");
    shim.wait_for_log("did not end within 1 s");
    assert_eq!(shim.exit_code(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &["--shutdown-timeout=1h", "--close-timeout=1h"]);
    let mut client = shim.connect();
    client.send(&crate::tools::header("to='localhost'"));
    let _server = connections.recv().unwrap();
    shim.signal("-TERM");
    shim.wait_for_log("stopping");
    shim.signal("-TERM");
    assert_eq!(shim.exit_code(), Some(1));
}
