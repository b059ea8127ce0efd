//! A second look at a certificate that was refused, for the names and dates in it: TLS does not hand out what it has
//! refused. Nothing is verified, nobody logs in, and nothing but a certificate is taken from what is heard.

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

/// How long a server is left alone between two looks for the same domain.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// How long a look may take at the most.
const DEADLINE: Duration = Duration::from_secs(3);
/// For how many domains looks are remembered.
const LOOKS: usize = 256;
/// How much a server may say before `<proceed/>`.
const BEFORE_TLS: usize = 16 * 1024;

/// What a look may take, whatever else is to be done.
const LEAST: Duration = Duration::from_secs(1);

/// A server to look at.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) address: SocketAddr,
    /// The domain as the client wrote it.
    pub(super) domain: &'a str,
    /// The same as certificates have it.
    pub(super) name: &'a str,
    pub(super) security: Security,
}

/// Looks at certificates; one for the whole program.
pub(super) struct Probe {
    /// How long a look may take.
    timeout: Duration,
    /// Made at the first failure: most programs never need it.
    connector: OnceLock<Option<tokio_native_tls::TlsConnector>>,
    /// The last look for a domain.
    looks: DashMap<String, Look>,
}

struct Look {
    at: Instant,
    address: SocketAddr,
    /// What was seen; `None` if nothing, or if the look is not over.
    seen: Option<Certificate>,
}

impl Probe {
    /// Looks that take no longer than a connection may.
    pub(super) fn new(connect_timeout: Duration) -> Self {
        Self {
            timeout: connect_timeout.min(DEADLINE),
            connector: OnceLock::new(),
            looks: DashMap::new(),
        }
    }

    /// The certificate that the server shows, if it does so before `until` or within a second. `None` if there is none
    /// to be had, or if the last look for the domain was short ago and at another address.
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

/// A look that has begun. One that was cut short is forgotten, so that the next may see more.
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

/// TLS that takes any certificate, and shows none.
fn connector() -> native_tls::Result<tokio_native_tls::TlsConnector> {
    let mut tls = native_tls::TlsConnector::builder();
    tls.danger_accept_invalid_certs(true)
        .danger_accept_invalid_hostnames(true)
        .disable_built_in_roots(true)
        .request_alpns(&["xmpp-client"]);
    Ok(tls.build()?.into())
}

/// As much of a stream as leads to TLS.
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

/// Reads until this was heard; `None` if it never is.
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
