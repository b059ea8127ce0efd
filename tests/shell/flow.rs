//! Bytes under pressure: slow readers, large batches, nothing lost and nothing in another order.

use std::io::{Read as _, Write as _};

use crate::tools::{Server, Shim};

/// More than all buffers on the way hold.
const MUCH: usize = 24 * 1024 * 1024;

/// Stanzas of many sizes, numbered.
fn stanzas() -> Vec<u8> {
    let mut out = Vec::with_capacity(MUCH + 64 * 1024);
    let mut number = 0;
    while out.len() < MUCH {
        let body = "x".repeat(number * 7919 % 40_000);
        write!(out, "<message id='{number}'><body>{body}</body></message> ").unwrap();
        number += 1;
    }
    out
}

#[test]
fn both_directions_at_once_with_readers_that_are_slower() {
    let (server, connections) = Server::by_hand();
    let shim = Shim::before(&server, &[]);
    let (client, server) = shim.log_in(&connections);
    let sent = stanzas();
    std::thread::scope(|scope| {
        for (from, to) in [(&client, &server), (&server, &client)] {
            let sent = &sent;
            let mut writer = from.stream.try_clone().unwrap();
            scope.spawn(move || writer.write_all(sent).unwrap());
            let mut reader = to.stream.try_clone().unwrap();
            scope.spawn(move || {
                let mut read = vec![0; sent.len()];
                // Small reads: the other side is always ahead.
                for piece in read.chunks_mut(8192) {
                    reader.read_exact(piece).unwrap();
                }
                assert!(read == *sent, "what arrived is not what was sent");
            });
        }
    });
}

#[test]
fn a_client_that_reads_no_more_is_dropped_and_makes_room() {
    let (server, connections) = Server::by_hand();
    let options = [
        "--stall-timeout=1s",
        "--close-timeout=1s",
        "--max-sessions=1",
    ];
    let mut shim = Shim::before(&server, &options);
    let (_frozen, mut server) = shim.log_in(&connections);
    let flood = std::thread::spawn(move || {
        let stanza = format!("<message><body>{}</body></message>", "x".repeat(60_000));
        // Its end spares the shim the time of lingering.
        for _ in 0..MUCH / stanza.len() {
            if server.stream.write_all(stanza.as_bytes()).is_err() {
                break;
            }
        }
    });
    let line = shim.wait_for_log(": ended");
    assert!(line.contains("took nothing"), "{line}");
    flood.join().unwrap();
    shim.connect().stream.write_all(b"?").unwrap();
    shim.wait_for_log("not-well-formed");
}
