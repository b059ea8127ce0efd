//! The certificates clients are shown: the one of `--cert`, or those that pubshim makes.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | [`Certificates`]: which one a client is shown |
//! | `command.rs` | `pubshim cert` |
//! | `folder.rs` | the folder where made certificates are kept |
//! | `make.rs` | makes a certificate |

mod command;
mod folder;
mod make;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use tokio_native_tls::TlsAcceptor;

pub use command::cert;
pub use folder::CertificateError;

use self::folder::{Folder, file_domain};
use crate::config::Settings;
use crate::net::pem::Pem;
use crate::session::{ClientTls, Options};

/// The domain of the certificate for clients that ask for no known name.
pub(in crate::net) const LOCALHOST: &str = "localhost";

/// The certificates clients are shown; one for the whole program.
#[derive(Default)]
pub(in crate::net) struct Certificates {
    /// The certificate of `--cert`, shown for every domain.
    given: Option<TlsAcceptor>,
    /// Certificates that pubshim has made, by domain (in ASCII).
    made: HashMap<String, TlsAcceptor>,
    /// Domains with a made certificate, in each form that clients may write.
    domains: Vec<String>,
}

impl Certificates {
    /// Reads the certificates, and makes those for `localhost` and each `--domain` that are missing. A certificate that
    /// cannot be used is only logged, unless `--client-tls` demands TLS: the others are used, and clients may go
    /// without.
    ///
    /// # Errors
    ///
    /// When the files of `--cert` cannot be used, or `--client-tls` demands TLS and the certificate for `localhost` or
    /// a `--domain` cannot be used.
    pub(in crate::net) fn open(settings: &Settings) -> anyhow::Result<Self> {
        let client_tls = settings.session.client_tls;
        if client_tls == ClientTls::Off {
            return Ok(Self::default());
        }
        let now = now();
        if let Some(files) = &settings.certificate {
            let pem = Pem::read(files, "--cert", "--key")?;
            if pem.expires()? <= now {
                tracing::warn!(
                    "the certificate of --cert {} has expired: clients will not accept it",
                    files.certificate.display()
                );
            }
            return Ok(Self {
                given: Some(acceptor(&pem)?),
                ..Self::default()
            });
        }
        let mut certificates = Self::default();
        match certificates.open_folder(settings, now) {
            Err(error) if client_tls == ClientTls::Auto => {
                tracing::warn!("clients get no TLS: {error:#}");
            }
            result => result.context("--client-tls needs a certificate")?,
        }
        Ok(certificates)
    }

    /// Adds the certificates in the state folder. The error is that of the folder, or, if `--client-tls` demands TLS,
    /// of the first domain that must have a certificate.
    fn open_folder(&mut self, settings: &Settings, now: i64) -> anyhow::Result<()> {
        let folder = Folder::new(settings.state.as_deref())?;
        let wanted = domains(settings);
        let is_wanted = |kept: &String| {
            let mut wanted = wanted.iter().map(|domain| file_domain(domain));
            wanted.any(|domain| domain.as_ref() == Ok(kept))
        };
        let mut result = Ok(());
        for domain in &wanted {
            let Err(error) = self.add(&folder, domain, now) else {
                continue;
            };
            if settings.session.client_tls != ClientTls::Auto && result.is_ok() {
                result = Err(error.context(format!("there is none for {domain}")));
            } else {
                tracing::warn!("clients get no TLS for {domain}: {error:#}");
            }
        }
        let others = folder.domains();
        for domain in others.iter().filter(|kept| !is_wanted(kept)) {
            if let Err(error) = self.add(&folder, domain, now) {
                tracing::warn!("clients get no TLS for {domain}: {error:#}");
            }
        }
        result
    }

    fn add(&mut self, folder: &Folder, domain: &str, now: i64) -> anyhow::Result<()> {
        let ascii = file_domain(domain)?;
        if self.made.contains_key(&ascii) {
            return Ok(());
        }
        let kept = folder.certificate(&ascii, now)?;
        let acceptor = acceptor(&kept.pem)
            .with_context(|| format!("{} cannot be used", kept.file.display()))?;
        let (unicode, _) = idna::domain_to_unicode(&ascii);
        if unicode != ascii {
            self.domains.push(unicode);
        }
        self.domains.push(ascii.clone());
        self.made.insert(ascii, acceptor);
        Ok(())
    }

    /// Tells sessions which clients to offer STARTTLS: those of domains with a made certificate, or all with `--cert`.
    pub(in crate::net) fn tell(&self, options: &mut Options) {
        options.certified.clone_from(&self.domains);
        if self.given.is_some() && options.client_tls == ClientTls::Auto {
            options.client_tls = ClientTls::Offer;
        }
    }

    /// TLS with the certificate for `domain`, or if there is none, with that for `localhost`.
    pub(in crate::net) fn acceptor(&self, domain: &str) -> Option<TlsAcceptor> {
        let made = || {
            let own = file_domain(domain).ok();
            let own = own.and_then(|domain| self.made.get(&domain));
            own.or_else(|| self.made.get(LOCALHOST))
        };
        self.given.as_ref().or_else(made).cloned()
    }

    /// Whether there is a made certificate for `domain`.
    pub(in crate::net) fn has(&self, domain: &str) -> bool {
        file_domain(domain).is_ok_and(|domain| self.made.contains_key(&domain))
    }

    /// Whether the certificate depends on the name a client asks for (SNI).
    pub(in crate::net) fn depend_on_name(&self) -> bool {
        self.made.keys().any(|domain| domain != LOCALHOST)
    }
}

/// Domains for which a certificate is made without asking: `localhost` and each `--domain`.
fn domains(settings: &Settings) -> Vec<String> {
    let others = settings.session.domains.iter();
    let others = others.filter(|domain| !domain.eq_ignore_ascii_case(LOCALHOST));
    let localhost = std::iter::once(LOCALHOST.to_owned());
    localhost.chain(others.cloned()).collect()
}

/// TLS with this certificate.
fn acceptor(pem: &Pem) -> anyhow::Result<TlsAcceptor> {
    let mut tls = native_tls::TlsAcceptor::builder(pem.identity()?);
    tls.min_protocol_version(Some(native_tls::Protocol::Tlsv12));
    // TLS 1.2 is also the newest: native-tls accepts no TLS 1.3.
    // Clients that ask for another protocol or none are let in all the same.
    tls.accept_alpn(&["xmpp-client"]);
    Ok(tls
        .build()
        .context("cannot prepare TLS for clients")?
        .into())
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
