//! Socket options of every TCP connection, to clients and to servers.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Silence after which the kernel probes whether the peer is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);

/// Turns off Nagle's algorithm, and has the kernel notice a dead peer.
pub(super) fn prepare(stream: &TcpStream) {
    // Everything works without these options: ignore failures.
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_AFTER / 3);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}
