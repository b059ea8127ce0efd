//! The cost of a server's stanzas: a stanza at most, and never more memory than allowed.

use std::fmt::Write as _;

use crate::text::assert_has;
use crate::tools::{Peer, Server, Shim};

const MIB: usize = 1024 * 1024;

/// A message that a server may deliver, with an id, a `from` and about so many bytes of `content`.
fn message(id: &str, content: &str) -> String {
    format!(
        "<message id='{id}' from='stranger@montague.lit/x' to='juliet@localhost'>{content}</message>"
    )
}

/// Content of about so many bytes that is as hard to check as can be: attributes, elements, elements inside
/// each other, declarations.
fn bombs(bytes: usize) -> [String; 4] {
    let mut attributes = String::from("<x");
    let mut declarations = String::from("<x");
    let mut number = 0;
    while attributes.len() < bytes {
        let _ = write!(attributes, " a{number:x}=''");
        let _ = write!(declarations, " xmlns:a{number:x}='b'");
        number += 1;
    }
    declarations.truncate(declarations[..bytes].rfind(' ').unwrap());
    let depth = bytes / "<a></a>".len();
    [
        attributes + "/>",
        "<a/>".repeat(bytes / 4),
        "<a>".repeat(depth) + &"</a>".repeat(depth),
        declarations + "/>",
    ]
}

/// A chat behind it arrives, so the session lives.
fn assert_lives(client: &mut Peer, server: &mut Peer) {
    let chat = message("chat", "<body>still here?</body>");
    server.send(&chat);
    assert!(client.wait(&chat).ends_with(&chat));
    client.send("<message id='yes'/>");
    server.wait("<message id='yes'/>");
}

#[test]
fn whatever_a_server_sends_ends_no_session() {
    // tests/bench/weight.py measures the cost.
    for policy in ["--policy=auto", "--policy=off"] {
        let (server, connections) = Server::by_hand();
        let shim = Shim::before(&server, &[policy]);
        let (mut client, mut server) = shim.log_in(&connections);
        for bomb in bombs(MIB) {
            let bomb = message("bomb", &bomb);
            server.send(&bomb);
            assert!(client.wait("</message>") == bomb, "it passed as it came");
        }
        assert_lives(&mut client, &mut server);
    }
}

#[test]
fn a_message_too_large_to_hold_costs_itself_alone() {
    let (server, connections) = Server::by_hand();
    let shim = Shim::before(&server, &[]);
    let (mut client, mut server) = shim.log_in(&connections);
    let before = shim.memory();
    server.send(&message("large", &"x".repeat(17 * MIB)));
    let told = client.wait("</message>");
    assert!(told.len() < 2000 && told.contains("id='large'"), "{told}");
    assert_has(&told, "<policy-violation ");
    assert_lives(&mut client, &mut server);
    let grown = shim.memory().saturating_sub(before);
    assert!(grown < 40 * MIB, "{grown} bytes more");
}

#[test]
fn sessions_together_hold_no_more_than_they_may() {
    const SESSIONS: usize = 24;
    let (server, connections) = Server::by_hand();
    let shim = Shim::before(&server, &["--max-held=8MiB", "--max-server-stanza=2MiB"]);
    let mut sessions: Vec<_> = (0..SESSIONS).map(|_| shim.log_in(&connections)).collect();
    let before = shim.memory();
    let half = message("half", &"x".repeat(MIB));
    let (start, end) = half.split_at(half.len() - 1);
    for (_, server) in &mut sessions {
        server.send(start);
        server.wait_until_read();
    }
    let grown = shim.memory().saturating_sub(before);
    assert!(grown < 16 * MIB, "{grown} bytes more");
    let mut passed = 0;
    for (client, server) in &mut sessions {
        server.send(end);
        match client.wait("</message>") {
            whole if whole == half => passed += 1,
            told => assert_has(&told, "<policy-violation "),
        }
        assert_lives(client, server);
    }
    assert_eq!(passed, 8);
    // The shim frees the bytes of ended sessions and of sent stanzas.
    drop(sessions);
    for _ in 0..9 {
        let (mut client, mut server) = shim.log_in(&connections);
        server.send(&half);
        assert!(client.wait("</message>") == half);
    }
}
