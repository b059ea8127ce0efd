//! What is set on every TCP connection, to whomever it leads.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Without traffic for this long the kernel asks whether the other side still lives.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);

/// Sends what is written at once, and notices a dead other side.
pub(super) fn prepare(stream: &TcpStream) {
    // Neither is needed for anything to work, so a failure is none.
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_AFTER / 3);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}
