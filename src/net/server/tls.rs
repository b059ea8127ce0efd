//! TLS to the server: trusted certificates, and the name they have to be for.

use std::fs;
use std::net::SocketAddr;

use anyhow::Context as _;
use time::OffsetDateTime;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::heard::Heard;
use super::race::Until;
use super::secured::{SecureStream, Secured};
use super::tls_failure::{Failure, Kind};
use super::tls_probe::{Place, Probe};
use crate::config::{Settings, TlsVersion};
use crate::net::domain::to_host;
use crate::net::pem;
use crate::session::Security;

/// OpenSSL reads a record's head and body separately; this makes one read of them.
const TLS_READ_BUFFER: usize = 8 * 1024;

/// Time limits for securing a connection.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// End of the time for the handshake.
    pub(super) handshake: Until,
    /// End of the time for a second look at a refused certificate, which however always gets one second.
    pub(super) look: Instant,
}

/// Secures connections to servers; one for the whole program.
pub(super) struct ServerTls {
    /// Made once, as reading the system's certificates takes tens of milliseconds.
    connector: tokio_native_tls::TlsConnector,
    min: TlsVersion,
    /// With `--login-cert` the only domain that may be connected to: its server is shown the certificate.
    login: Option<String>,
    /// The server was named with `--server`.
    is_named: bool,
    has_ca_file: bool,
    probe: Probe,
}

impl ServerTls {
    /// Reads the files of certificates and prepares TLS.
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let mut tls = native_tls::TlsConnector::builder();
        tls.min_protocol_version(Some(match settings.tls_min {
            TlsVersion::V1_2 => native_tls::Protocol::Tlsv12,
            TlsVersion::V1_3 => native_tls::Protocol::Tlsv13,
        }));
        // XEP-0368 §3: ALPN lets one port serve several protocols.
        tls.request_alpns(&["xmpp-client"]);
        trust(&mut tls, settings)?;
        let login = show_login_certificate(&mut tls, settings)?;
        Ok(Self {
            connector: tls.build().context("cannot prepare TLS")?.into(),
            min: settings.tls_min,
            login,
            is_named: settings.server.is_some(),
            has_ca_file: settings.ca_file.is_some(),
            probe: Probe::new(settings.connect_timeout),
        })
    }

    /// Secures a connection on which TLS is to begin now; the certificate has to be for `domain`, not for the host. A
    /// refused certificate is fetched once more from `address`, if that is known, to tell the user about it: that takes
    /// up to three seconds after the handshake. The error is a sentence for the user.
    pub(super) async fn secure(
        &self,
        tcp: TcpStream,
        domain: &str,
        security: Security,
        address: Option<SocketAddr>,
        limits: Limits,
    ) -> Result<SecureStream, String> {
        let name = to_host(domain)?;
        if let Some(only) = self.login.as_ref().filter(|only| **only != name) {
            return Err(format!(
                "no connection for {domain}: the certificate of --login-cert is for the server of {only} alone"
            ));
        }
        let (tcp, first) = Heard::new(tcp);
        let tcp = BufReader::with_capacity(TLS_READ_BUFFER, tcp);
        let handshake = self.connector.connect(&name, tcp);
        let kind = match timeout_at(limits.handshake.at, handshake).await {
            Ok(Ok(tls)) => return Ok(Box::new(Secured::new(tls, self.login.is_some()))),
            Ok(Err(error)) => Kind::of(&error, first.bytes()),
            Err(_) => Kind::TimedOut(limits.handshake),
        };
        let seen = match (&kind, address) {
            (Kind::Certificate(_), Some(address)) => {
                let place = Place {
                    address,
                    domain,
                    name: &name,
                    security,
                };
                self.probe.look(place, limits.look).await
            }
            _ => None,
        };
        let failure = Failure {
            domain,
            kind,
            security,
            is_named: self.is_named,
            has_ca_file: self.has_ca_file,
            has_login_cert: self.login.is_some(),
            tls_min: self.min,
            seen,
            now: OffsetDateTime::now_utc(),
        };
        Err(failure.to_string())
    }
}

/// Sets which certificates are trusted: `--ca-file`, `--danger-accept-invalid-certs`.
fn trust(tls: &mut native_tls::TlsConnectorBuilder, settings: &Settings) -> anyhow::Result<()> {
    if let Some(path) = &settings.ca_file {
        let pem =
            fs::read(path).with_context(|| format!("cannot read --ca-file {}", path.display()))?;
        let certificates = native_tls::Certificate::stack_from_pem(&pem)
            .with_context(|| format!("--ca-file {} holds no PEM certificate", path.display()))?;
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
    Ok(())
}

/// Sets the certificate of `--login-cert`, if there is one; returns the only domain whose server gets to see it.
fn show_login_certificate(
    tls: &mut native_tls::TlsConnectorBuilder,
    settings: &Settings,
) -> anyhow::Result<Option<String>> {
    let Some(files) = &settings.login_certificate else {
        return Ok(None);
    };
    let [domain] = &settings.session.domains[..] else {
        anyhow::bail!("--login-cert needs one --domain, whose server is shown the certificate");
    };
    tls.identity(pem::identity(files, ["--login-cert", "--login-key"])?);
    let domain = to_host(domain).map_err(anyhow::Error::msg)?;
    Ok(Some(domain))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;
    use crate::config::CertificateFiles;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A second line of defence: sessions refuse clients of other domains before this.
    #[tokio::test]
    async fn a_login_certificate_is_for_one_domain() {
        let made = rcgen::generate_simple_self_signed(["juliet.lit".to_owned()]);
        let made = made.expect("a certificate");
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let pem = made.cert.pem() + &made.signing_key.serialize_pem();
        file.write_all(pem.as_bytes()).expect("a written file");
        let mut settings = Settings {
            login_certificate: Some(CertificateFiles {
                certificate: file.path().to_owned(),
                key: file.path().to_owned(),
            }),
            ..Settings::default()
        };
        let error = ServerTls::new(&settings).err().map(|it| it.to_string());
        assert!(error.is_some_and(|it| it.contains("needs one --domain")));
        settings.session.domains = vec!["Münster.example".to_owned()];
        let tls = ServerTls::new(&settings).expect("TLS");

        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = socket.local_addr().expect("an address");
        for (domain, is_right) in [
            ("montague.lit", false),
            ("xn--mnster-3ya.example", true),
            ("münster.example.", true),
        ] {
            let tcp = TcpStream::connect(address).await.expect("a connection");
            drop(socket.accept().await);
            let limits = Limits {
                handshake: Until::in_(PATIENCE),
                look: Instant::now(),
            };
            let secured = tls.secure(tcp, domain, Security::DirectTls, None, limits);
            let secured = secured.await;
            let error = secured.err().expect("nobody speaks TLS there");
            let is_refused = error.contains("is for the server of xn--mnster-3ya.example alone");
            assert_eq!(is_refused, !is_right, "{error}");
        }
    }
}
