//! TLS to the server: what is trusted, and for which name.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio_native_tls::TlsStream;

use crate::config::Settings;

/// OpenSSL reads a record's head and body separately; this makes one read of them.
const TLS_READ_BUFFER: usize = 8 * 1024;

/// A connection to the server that TLS secures.
pub(super) type SecureStream = Box<TlsStream<BufReader<TcpStream>>>;

/// Secures connections to servers; one for the whole program.
pub(super) struct ServerTls {
    /// Made once: reading the system's certificates takes tens of milliseconds.
    connector: tokio_native_tls::TlsConnector,
    timeout: Duration,
}

impl ServerTls {
    /// Reads the CA file and prepares TLS.
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let mut tls = native_tls::TlsConnector::builder();
        tls.min_protocol_version(Some(native_tls::Protocol::Tlsv12));
        // XEP-0368 §3: lets one port serve several protocols.
        tls.request_alpns(&["xmpp-client"]);
        if let Some(path) = &settings.ca_file {
            let pem = fs::read(path)
                .with_context(|| format!("cannot read --ca-file {}", path.display()))?;
            let certificates =
                native_tls::Certificate::stack_from_pem(&pem).with_context(|| {
                    format!("--ca-file {} holds no PEM certificate", path.display())
                })?;
            if certificates.is_empty() {
                anyhow::bail!("--ca-file {} holds no PEM certificate", path.display());
            }
            for certificate in certificates {
                tls.add_root_certificate(certificate);
            }
        }
        if settings.danger_accept_invalid_certs {
            tls.danger_accept_invalid_certs(true);
            tls.danger_accept_invalid_hostnames(true);
        }
        Ok(Self {
            connector: tls.build().context("cannot prepare TLS")?.into(),
            timeout: settings.connect_timeout,
        })
    }

    /// Secures a connection, checking the certificate against `domain` whatever host it leads to. The error is a
    /// sentence for the user.
    pub(super) async fn secure(
        &self,
        tcp: TcpStream,
        domain: &str,
    ) -> Result<SecureStream, String> {
        let name = to_ascii(domain)?;
        let tcp = BufReader::with_capacity(TLS_READ_BUFFER, tcp);
        match tokio::time::timeout(self.timeout, self.connector.connect(&name, tcp)).await {
            Ok(Ok(tls)) => Ok(Box::new(tls)),
            Ok(Err(error)) => Err(failure(domain, &error.to_string())),
            Err(_) => Err(format!(
                "the server of {domain} did not finish its TLS handshake within {} s",
                self.timeout.as_secs()
            )),
        }
    }
}

/// What went wrong with TLS, and what to do about it.
fn failure(domain: &str, error: &str) -> String {
    let advice = match error {
        _ if error.contains("wrong version number") => {
            "the server does not begin with TLS on this port: leave tls:// out, or name its TLS port"
        }
        _ if error.contains("certificate") => {
            "if the server's certificate comes from a private CA, name it with --ca-file"
        }
        _ => "ask the server's admin whether TLS works there",
    };
    format!("no secure connection for {domain}: {error}; {advice}")
}

/// The domain as DNS and certificates know it.
pub(super) fn to_ascii(domain: &str) -> Result<String, String> {
    let is_address = domain.starts_with('[') || domain.parse::<std::net::IpAddr>().is_ok();
    if is_address {
        return Ok(domain.to_owned());
    }
    idna::domain_to_ascii(domain).map_err(|_| format!("{domain} is no domain name"))
}
