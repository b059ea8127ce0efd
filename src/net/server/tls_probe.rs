//! A second look at a refused certificate, for the names and dates in it: native-tls does not hand out a certificate
//! it has refused. The second connection verifies nothing, does not log in, and is closed after the handshake.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use dashmap::{DashMap, Entry};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::tls_certificate::Certificate;
use crate::ns;
use crate::session::{Security, header_to};

/// Time between two looks for the same domain.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// Time for a look at the most.
const DEADLINE: Duration = Duration::from_secs(3);
/// Domains whose looks are remembered.
const LOOKS: usize = 256;
/// Bytes that a server may send before `<proceed/>`.
const BEFORE_TLS: usize = 16 * 1024;

/// Time that every look gets, even if the route's time is over.
const LEAST: Duration = Duration::from_secs(1);

/// A server to look at.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) address: SocketAddr,
    /// The domain as the client wrote it.
    pub(super) domain: &'a str,
    /// The domain as certificates have it (ASCII).
    pub(super) name: &'a str,
    pub(super) security: Security,
}

/// Looks at certificates; one for the whole program.
pub(super) struct Probe {
    /// Time for a look.
    timeout: Duration,
    /// Made at the first failure, as it is seldom needed.
    connector: OnceLock<Option<tokio_native_tls::TlsConnector>>,
    /// The last look for each domain.
    looks: DashMap<String, Look>,
}

struct Look {
    at: Instant,
    address: SocketAddr,
    /// The certificate; `None` if there was none, or the look is not over.
    seen: Option<Certificate>,
}

impl Probe {
    /// A probe whose looks take no longer than `connect_timeout`.
    pub(super) fn new(connect_timeout: Duration) -> Self {
        Self {
            timeout: connect_timeout.min(DEADLINE),
            connector: OnceLock::new(),
            looks: DashMap::new(),
        }
    }

    /// The certificate that the server shows before `until`, or within a second. `None` if the look fails, or if the
    /// last one for the domain was less than [`PAUSE`] ago and at another address.
    pub(super) async fn look(&self, place: Place<'_>, until: Instant) -> Option<Certificate> {
        let now = Instant::now();
        if self.looks.len() >= LOOKS {
            self.looks.retain(|_, look| look.at.elapsed() < PAUSE);
        }
        let is_full = self.looks.len() >= LOOKS;
        match self.looks.entry(place.name.to_owned()) {
            Entry::Occupied(look) if look.get().at.elapsed() < PAUSE => {
                let look = look.get();
                return look.seen.clone().filter(|_| look.address == place.address);
            }
            Entry::Vacant(_) if is_full => return None,
            entry => {
                entry.insert(Look {
                    at: now,
                    address: place.address,
                    seen: None,
                });
            }
        }
        let mut begun = Begun {
            looks: &self.looks,
            name: place.name,
            is_over: false,
        };
        let whole = now + self.timeout;
        let until = whole.min(until.max(now + LEAST));
        let seen = timeout_at(until, self.see(place)).await;
        begun.is_over = seen.is_ok() || until == whole;
        let seen = seen.ok().flatten()?;
        if let Some(mut look) = self.looks.get_mut(place.name) {
            look.seen = Some(seen.clone());
        }
        Some(seen)
    }

    async fn see(&self, place: Place<'_>) -> Option<Certificate> {
        let connector = self.connector.get_or_init(|| connector().ok()).as_ref()?;
        let mut tcp = TcpStream::connect(place.address).await.ok()?;
        if place.security == Security::StartTls {
            start_tls(&mut tcp, place.domain).await?;
        }
        let tls = connector.connect(place.name, tcp).await.ok()?;
        let certificate = tls.get_ref().peer_certificate().ok()??;
        Certificate::read(&certificate.to_der().ok()?, place.name)
    }
}

/// A look under way. If it is cut short, it is forgotten, so that the next failure may look again.
struct Begun<'a> {
    looks: &'a DashMap<String, Look>,
    name: &'a str,
    is_over: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.looks.remove(self.name);
        }
    }
}

/// TLS that accepts any certificate and shows none.
fn connector() -> native_tls::Result<tokio_native_tls::TlsConnector> {
    let mut tls = native_tls::TlsConnector::builder();
    tls.danger_accept_invalid_certs(true)
        .danger_accept_invalid_hostnames(true)
        .disable_built_in_roots(true)
        .request_alpns(&["xmpp-client"]);
    Ok(tls.build()?.into())
}

/// Opens a stream and asks for STARTTLS, up to `<proceed/>`.
async fn start_tls(tcp: &mut TcpStream, domain: &str) -> Option<()> {
    tcp.write_all(header_to(domain).as_bytes()).await.ok()?;
    let mut heard = Vec::new();
    read_until(tcp, &mut heard, ns::TLS).await?;
    read_until(tcp, &mut heard, "features>").await?;
    let start = format!("<starttls xmlns='{}'/>", ns::TLS);
    tcp.write_all(start.as_bytes()).await.ok()?;
    heard.clear();
    read_until(tcp, &mut heard, "<proceed").await?;
    read_until(tcp, &mut heard, ">").await
}

/// Reads until `text` has come, and drops it from `heard` with all before it. `None`: the connection ended, or more
/// than [`BEFORE_TLS`] bytes came without it.
async fn read_until(tcp: &mut TcpStream, heard: &mut Vec<u8>, text: &str) -> Option<()> {
    loop {
        if let Some(at) = memchr::memmem::find(heard, text.as_bytes()) {
            heard.drain(..at + text.len());
            return Some(());
        }
        let mut buf = [0; 1024];
        let count = tcp.read(&mut buf).await.ok()?;
        if count == 0 || heard.len() > BEFORE_TLS {
            return None;
        }
        heard.extend_from_slice(&buf[..count]);
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_look_that_was_cut_short_is_forgotten() {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let place = Place {
            address: silent.local_addr().expect("an address"),
            domain: "juliet.lit",
            name: "juliet.lit",
            security: Security::DirectTls,
        };
        let probe = Probe::new(DEADLINE);
        let dropped = tokio::time::timeout(Duration::ZERO, probe.look(place, Instant::now()));
        assert!(dropped.await.is_err(), "nobody answers");
        assert!(probe.looks.is_empty());
        assert!(probe.look(place, Instant::now()).await.is_none());
        assert!(probe.looks.is_empty(), "it had less than a look may take");
        let all = Instant::now() + 2 * DEADLINE;
        assert!(probe.look(place, all).await.is_none());
        assert_eq!(probe.looks.len(), 1, "it had all its time");
    }
}
