//! The client's leg: TCP or a Unix socket, as it is or with TLS.

use tokio::io::BufReader;
use tokio::net::{TcpStream, UnixStream};
use tokio_native_tls::TlsStream;
use tokio_util::either::Either;

use crate::net::prefixed::Prefixed;

use crate::net::tcp;

/// A connection as it was accepted.
pub(in crate::net) type PlainClient = Either<TcpStream, UnixStream>;

/// A connection that TLS secures.
pub(in crate::net) type SecureClient = Box<TlsStream<BufReader<Prefixed<PlainClient>>>>;

/// The connection to the client: left as it was accepted, right with TLS. The latter is boxed, so that a session
/// without stays small.
pub(in crate::net) type ClientStream = Either<PlainClient, SecureClient>;

/// Sets the socket options of a TCP connection.
pub(in crate::net) fn prepare(client: &PlainClient) {
    if let Either::Left(tcp) = client {
        tcp::prepare(tcp);
    }
}

/// Sends a few bytes on a new connection, whose buffer has room for them.
pub(in crate::net) fn say(client: &PlainClient, bytes: &[u8]) {
    let _ = match client {
        Either::Left(tcp) => tcp.try_write(bytes),
        Either::Right(unix) => unix.try_write(bytes),
    };
}
