//! A second look at a certificate that was refused, for the names and dates in it: TLS does not hand out what it has
//! refused. Nothing is verified, nobody logs in, and nothing but a certificate is taken from what is heard.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use dashmap::{DashMap, Entry};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::tls_certificate::Certificate;
use crate::ns;
use crate::session::Security;
use crate::xml::escape;

/// How long a server is left alone between two looks for the same domain.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// How long a look may take at the most.
const DEADLINE: Duration = Duration::from_secs(3);
/// For how many domains looks are remembered.
const LOOKS: usize = 256;
/// How much a server may say before `<proceed/>`.
const BEFORE_TLS: usize = 16 * 1024;

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

    /// The certificate that the server at `address` shows for `domain`, which certificates know as `name`. `None` if
    /// there is none to be had, or if the last look was short ago and at another address.
    pub(super) async fn look(
        &self,
        address: SocketAddr,
        domain: &str,
        name: &str,
        security: Security,
    ) -> Option<Certificate> {
        if self.looks.len() >= LOOKS {
            self.looks.retain(|_, look| look.at.elapsed() < PAUSE);
        }
        let is_full = self.looks.len() >= LOOKS;
        match self.looks.entry(name.to_owned()) {
            Entry::Occupied(look) if look.get().at.elapsed() < PAUSE => {
                let look = look.get();
                return look.seen.clone().filter(|_| look.address == address);
            }
            Entry::Vacant(_) if is_full => return None,
            entry => {
                entry.insert(Look {
                    at: Instant::now(),
                    address,
                    seen: None,
                });
            }
        }
        let seen =
            tokio::time::timeout(self.timeout, self.see(address, domain, name, security)).await;
        let seen = seen.ok().flatten()?;
        if let Some(mut look) = self.looks.get_mut(name) {
            look.seen = Some(seen.clone());
        }
        Some(seen)
    }

    async fn see(
        &self,
        address: SocketAddr,
        domain: &str,
        name: &str,
        security: Security,
    ) -> Option<Certificate> {
        let connector = self.connector.get_or_init(|| connector().ok()).as_ref()?;
        let mut tcp = TcpStream::connect(address).await.ok()?;
        if security == Security::StartTls {
            start_tls(&mut tcp, domain).await?;
        }
        let tls = connector.connect(name, tcp).await.ok()?;
        let certificate = tls.get_ref().peer_certificate().ok()??;
        Certificate::read(&certificate.to_der().ok()?, name)
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
    // As sessions write it.
    let header = format!(
        "<?xml version='1.0'?><stream:stream to='{}' version='1.0' xmlns='{}' xmlns:stream='{}'>",
        escape(domain),
        ns::CLIENT,
        ns::STREAM
    );
    tcp.write_all(header.as_bytes()).await.ok()?;
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
