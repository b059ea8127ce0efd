//! Connecting to several addresses of one host: the first that answers wins (the idea of RFC 8305).

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout_at};

/// Head start of one address before the next is tried, too (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses tried at once: each needs a descriptor, and `descriptors.rs` reserves few of them.
const MOST_AT_ONCE: usize = 3;
/// Time the oldest attempt has had when a fourth address takes its place: three head starts.
const GIVEN_UP: Duration = Duration::from_millis(3 * 250);

/// The end of a share of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Until {
    pub(super) at: Instant,
    share: Duration,
}

impl Until {
    /// The end of a share that begins now.
    pub(super) fn in_(share: Duration) -> Self {
        Self {
            at: Instant::now() + share,
            share,
        }
    }
}

impl fmt::Display for Until {
    /// The length of the share.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.share.as_millis() {
            short @ ..950 => write!(f, "{short} ms"),
            long => write!(f, "{} s", (long + 500) / 1000),
        }
    }
}

/// Connects to the first of these addresses that answers and does not lead to pubshim itself; gives the others up.
/// No more than three are tried at once: the oldest is given up when a fourth begins.
/// The error lists the failure of each address, in the order given.
pub(super) async fn race(
    addresses: &[IpAddr],
    port: u16,
    until: Until,
    leads_back: impl Fn(&TcpStream) -> bool,
) -> Result<TcpStream, String> {
    let mut waiting = addresses.iter().map(|ip| SocketAddr::new(*ip, port));
    let mut results: Vec<(SocketAddr, Option<String>)> = Vec::new();
    let mut running = JoinSet::new();
    let mut attempts = VecDeque::new();
    let mut turn = Instant::now();
    let mut is_turn = true;
    loop {
        if is_turn && let Some(address) = waiting.next() {
            attempts.retain(|(_, attempt): &(usize, AbortHandle)| !attempt.is_finished());
            if attempts.len() == MOST_AT_ONCE
                && let Some((oldest, attempt)) = attempts.pop_front()
            {
                attempt.abort();
                results[oldest].1 = Some(no_answer(Until::in_(GIVEN_UP)));
            }
            let number = results.len();
            results.push((address, None));
            let connecting = async move { (number, TcpStream::connect(address).await) };
            attempts.push_back((number, running.spawn(connecting)));
            turn = Instant::now() + STAGGER;
        }
        let next = match waiting.len() {
            0 => until.at,
            _ => until.at.min(turn),
        };
        is_turn = true;
        match timeout_at(next, running.join_next()).await {
            Ok(Some(Ok((number, connected)))) => {
                results[number].1 = Some(match connected {
                    Ok(stream) if !leads_back(&stream) => return Ok(stream),
                    Ok(_) => "this is pubshim itself".to_owned(),
                    Err(error) => error.to_string(),
                });
            }
            // The attempt was given up, or the program ends.
            Ok(Some(Err(_))) => is_turn = false,
            Ok(None) => break,
            Err(_) if until.at <= Instant::now() => break,
            Err(_) => {}
        }
    }
    if results.is_empty() {
        return Err("no address: it has none, or too many were tried".to_owned());
    }
    let results = results.into_iter().map(|(address, failure)| {
        let failure = failure.unwrap_or_else(|| no_answer(until));
        format!("{address}: {failure}")
    });
    Err(results.collect::<Vec<_>>().join(", "))
}

fn no_answer(within: Until) -> String {
    format!("no answer within {within}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use socket2::{Domain, Socket, Type};
    use tokio::time::MissedTickBehavior;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A port that answers nobody, as its queue is full; and the sockets that keep it full.
    fn silent(ip: IpAddr) -> (u16, Vec<Socket>) {
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let listener = socket();
        listener
            .bind(&SocketAddr::new(ip, 0).into())
            .expect("an address");
        listener.listen(0).expect("a queue");
        let address = listener.local_addr().expect("an address");
        let mut kept = vec![listener];
        let is_full = (0..100).any(|_| {
            let client = socket();
            let connected = client.connect_timeout(&address, Duration::from_millis(100));
            kept.push(client);
            connected.is_err()
        });
        assert!(is_full, "the queue has no end");
        let port = address.as_socket().map(|it| it.port());
        (port.expect("a port"), kept)
    }

    #[tokio::test]
    async fn an_address_that_is_silent_does_not_keep_the_next() {
        let ips = [[127, 0, 0, 2], [127, 0, 0, 3]].map(IpAddr::from);
        let (port, _kept) = silent(ips[0]);
        let _alive = std::net::TcpListener::bind((ips[1], port)).expect("a free port");
        let start = Instant::now();
        let until = Until::in_(PATIENCE);
        let connected = race(&ips, port, until, |_| false).await;
        let peer = connected.map(|tcp| tcp.peer_addr().map(|peer| peer.ip()).ok());
        assert_eq!(peer, Ok(Some(ips[1])));
        let took = start.elapsed();
        assert!(took >= STAGGER && took < PATIENCE / 2, "{took:?}");
    }

    /// Connections to this port that are under way, without those that fill the queue.
    fn being_made(port: u16) -> usize {
        const SYN_SENT: &str = "02";
        let table = std::fs::read_to_string("/proc/net/tcp").expect("a table");
        // The kernel may list a connection twice while others come and go: each has a local address of its own.
        let own_address = |row: &str| {
            let fields: Vec<_> = row.split_whitespace().collect();
            let is_there = fields[2].ends_with(&format!(":{port:04X}"))
                && !fields[2].starts_with("0100007F")
                && fields[3] == SYN_SENT;
            is_there.then(|| fields[1].to_owned())
        };
        let made: HashSet<_> = table.lines().skip(1).filter_map(own_address).collect();
        made.len()
    }

    #[tokio::test]
    async fn three_at_once_and_no_more() {
        let ips = [11, 12, 13, 14, 15].map(|last| IpAddr::from([127, 0, 0, last]));
        let (port, _kept) = silent(IpAddr::from([0; 4]));
        let until = Until::in_(Duration::from_secs(3));
        let mut race = std::pin::pin!(race(&ips, port, until, |_| false));
        let mut ticks = tokio::time::interval(STAGGER / 2);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut most = 0;
        let error = loop {
            tokio::select! {
                raced = &mut race => break raced.err().unwrap_or_default(),
                _ = ticks.tick() => most = most.max(being_made(port)),
            }
        };
        assert_eq!(most, MOST_AT_ONCE, "{error}");
        let waited = ["750 ms", "750 ms", "3 s", "3 s", "3 s"];
        let parts: Vec<_> = error.split(", ").collect();
        assert_eq!(parts.len(), ips.len(), "{error}");
        for ((part, ip), time) in parts.into_iter().zip(ips).zip(waited) {
            assert_eq!(part, format!("{ip}:{port}: no answer within {time}"));
        }
    }

    #[tokio::test]
    async fn what_came_of_each_is_told_in_their_order() {
        let ips = [[127, 0, 0, 4], [127, 0, 0, 5], [127, 0, 0, 6]].map(IpAddr::from);
        let (port, _kept) = silent(ips[0]);
        let _own = std::net::TcpListener::bind((ips[2], port)).expect("a free port");
        let until = Until::in_(Duration::from_millis(600));
        let error = race(&ips, port, until, |_| true).await.err();
        let error = error.unwrap_or_default();
        let parts: Vec<_> = error.split(", ").collect();
        assert_eq!(parts.len(), 3, "{error}");
        assert_eq!(
            parts[0],
            format!("127.0.0.4:{port}: no answer within 600 ms")
        );
        assert!(parts[1].contains("127.0.0.5") && parts[1].contains("refused"));
        assert_eq!(
            parts[2],
            format!("127.0.0.6:{port}: this is pubshim itself")
        );
    }
}
