//! Signals: an orderly end, a deadline, an end at once.

use std::process::Command;
use std::sync::mpsc::Receiver;

use crate::tools::{Peer, Server, Shim};

#[test]
fn a_signal_ends_sessions_in_order() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &[]);
    ends_in_order(&mut shim, &connections, |shim| shim.signal("-TERM"));
}

#[test]
fn a_server_that_does_not_close_is_not_waited_for_for_ever() {
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

/// Logs in, has the program told to stop by `stop`, and expects an orderly end.
fn ends_in_order(shim: &mut Shim, connections: &Receiver<Peer>, stop: impl FnOnce(&mut Shim)) {
    let (mut client, mut server) = shim.log_in(connections);
    stop(shim);
    server.wait("</stream:stream>");
    server.send("</stream:stream>");
    let told = client.rest();
    assert!(
        told.contains("<system-shutdown ") && told.ends_with("</stream:stream>"),
        "{told}"
    );
    drop((client, server));
    assert_eq!(shim.exit_code(), Some(0));
}

#[test]
fn a_hangup_ends_sessions_in_order() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &[]);
    ends_in_order(&mut shim, &connections, |shim| {
        // The kernel sends one when a terminal is closed, and a shell another.
        shim.signal("-HUP");
        shim.wait_for_log("stopping");
        shim.signal("-HUP");
    });
}

#[test]
fn a_closed_terminal_ends_sessions_in_order() {
    let (server, connections) = Server::by_hand();
    let mut shim = Shim::before(&server, &["--show"]);
    drop(shim.stdout());
    shim.close_log();
    // The shim logs these connections to a closed pipe.
    for _ in 0..3 {
        let told = shim.connect();
        drop(told);
    }
    ends_in_order(&mut shim, &connections, |shim| shim.signal("-HUP"));
}

#[test]
fn who_is_started_to_outlive_the_terminal_does() {
    let (server, connections) = Server::by_hand();
    let mut nohup = Command::new("sh");
    nohup.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
    nohup.arg(env!("CARGO_BIN_EXE_pubshim"));
    let mut shim = Shim::start_by(nohup, &[&server.option()]);
    let (mut client, mut server) = shim.log_in(&connections);
    shim.signal("-HUP");
    client.send("<message id='1'/>");
    server.wait("<message id='1'/>");
    shim.signal("-TERM");
    server.wait("</stream:stream>");
    server.send("</stream:stream>");
    client.rest();
    drop((client, server));
    assert_eq!(shim.exit_code(), Some(0));
}
