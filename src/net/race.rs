//! Several addresses of one host: the first that answers is taken (the idea of RFC 8305).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// How long one address has for itself before the next is tried, too (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

/// The end of a share of time.
#[derive(Clone, Copy)]
pub(super) struct Until {
    pub(super) at: Instant,
    share: Duration,
}

impl Until {
    /// So long from now.
    pub(super) fn in_(share: Duration) -> Self {
        Self {
            at: Instant::now() + share,
            share,
        }
    }
}

impl fmt::Display for Until {
    /// How long it was.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.share.as_millis() {
            short @ ..950 => write!(f, "{short} ms"),
            long => write!(f, "{} s", (long + 500) / 1000),
        }
    }
}

/// Connects to the first of these addresses that answers; the others are given up. The error tells what came of each,
/// in their order.
pub(super) async fn race(
    addresses: &[IpAddr],
    port: u16,
    until: Until,
) -> Result<TcpStream, String> {
    let addresses = addresses.iter().map(|ip| SocketAddr::new(*ip, port));
    let mut results: Vec<(SocketAddr, Option<String>)> = Vec::new();
    let mut waiting = addresses;
    let mut running = JoinSet::new();
    loop {
        if let Some(address) = waiting.next() {
            let number = results.len();
            results.push((address, None));
            running.spawn(async move { (number, TcpStream::connect(address).await) });
        }
        let next = match waiting.len() {
            0 => until.at,
            _ => until.at.min(Instant::now() + STAGGER),
        };
        match timeout_at(next, running.join_next()).await {
            Ok(Some(Ok((_, Ok(stream))))) => return Ok(stream),
            Ok(Some(Ok((number, Err(error))))) => {
                results[number].1 = Some(error.to_string());
            }
            // A task that was cut off: the program ends.
            Ok(Some(Err(_))) => {}
            Ok(None) => break,
            Err(_) if until.at <= Instant::now() => break,
            Err(_) => {}
        }
    }
    if results.is_empty() {
        return Err("no address: it has none, or too many were tried".to_owned());
    }
    let no_answer = || format!("no answer within {until}");
    let results = results.into_iter();
    let results = results
        .map(|(address, failure)| format!("{address}: {}", failure.unwrap_or_else(no_answer)));
    Err(results.collect::<Vec<_>>().join(", "))
}
