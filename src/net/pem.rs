//! A certificate with its key, as PEM files hold them: pubshim's own for clients, or that of a login for servers.

use std::cmp::Ordering;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use crate::config::CertificateFiles;

/// Seconds of a day.
pub(super) const DAY: i64 = 24 * 60 * 60;

/// How the first line of a key ends.
const KEY: &[u8] = b"PRIVATE KEY-----";

/// A certificate, its chain, and its key.
#[derive(Debug)]
pub(super) struct Pem {
    certificate: X509,
    vouchers: Vec<X509>,
    key: PKey<Private>,
}

impl Pem {
    /// A certificate without a chain, and its key.
    pub(super) fn new(certificate: X509, key: PKey<Private>) -> Self {
        Self {
            certificate,
            vouchers: Vec::new(),
            key,
        }
    }

    /// Reads the files that two options name, such as `--cert` and `--key`.
    pub(super) fn read(
        files: &CertificateFiles,
        option: &str,
        key_option: &str,
    ) -> anyhow::Result<Self> {
        let certificate = (option, &*files.certificate);
        let key = match files.key == files.certificate {
            true => certificate,
            false => (key_option, &*files.key),
        };
        let shown = |(option, path): (&str, &Path)| format!("{option} {}", path.display());
        let read = |file: (&str, &Path)| {
            fs::read(file.1).with_context(|| format!("cannot read {}", shown(file)))
        };
        let (certificate_pem, key_pem) = (read(certificate)?, read(key)?);
        let read = Self::parse(&certificate_pem, &key_pem, &shown(certificate), &shown(key));
        let is_elsewhere = key == certificate && memchr::memmem::find(&key_pem, KEY).is_none();
        match is_elsewhere {
            true => read.with_context(|| format!("name the file of the key with {key_option}")),
            false => read,
        }
    }

    /// Parses the contents of the two files; errors call them `name` and `key_name`.
    pub(super) fn parse(
        certificate: &[u8],
        key: &[u8],
        name: &str,
        key_name: &str,
    ) -> anyhow::Result<Self> {
        let mut certificates = X509::stack_from_pem(certificate)
            .with_context(|| format!("{name} holds a certificate that cannot be read"))?
            .into_iter();
        let Some(certificate) = certificates.next() else {
            bail!("{name} holds no PEM certificate");
        };
        let key = read_key(key).map_err(|reason| anyhow::anyhow!("{key_name} {reason}"))?;
        if !certificate.public_key()?.public_eq(&key) {
            bail!("the key in {key_name} is not that of the first certificate in {name}");
        }
        Ok(Self {
            certificate,
            vouchers: certificates.collect(),
            key,
        })
    }

    /// The text of a PEM file: the certificate and its chain, then the key.
    pub(super) fn text(&self) -> Result<Vec<u8>, ErrorStack> {
        let mut text = self.chain()?;
        text.extend(self.key.private_key_to_pem_pkcs8()?);
        Ok(text)
    }

    fn chain(&self) -> Result<Vec<u8>, ErrorStack> {
        let mut text = self.certificate.to_pem()?;
        for voucher in &self.vouchers {
            text.extend(voucher.to_pem()?);
        }
        Ok(text)
    }

    /// The key.
    pub(super) fn key(&self) -> PKey<Private> {
        self.key.clone()
    }

    /// The certificate and its key for TLS.
    pub(super) fn identity(&self) -> anyhow::Result<native_tls::Identity> {
        let key = self.key.private_key_to_pem_pkcs8()?;
        Ok(native_tls::Identity::from_pkcs8(&self.chain()?, &key)?)
    }

    /// Whether the certificate names itself as issuer, as those do that pubshim makes.
    pub(super) fn is_self_signed(&self) -> bool {
        let (subject, issuer) = (
            self.certificate.subject_name(),
            self.certificate.issuer_name(),
        );
        subject.try_cmp(issuer).is_ok_and(Ordering::is_eq)
    }

    /// Expiry in seconds since 1970.
    pub(super) fn expires(&self) -> Result<i64, ErrorStack> {
        unix(self.certificate.not_after())
    }

    /// Domains of the certificate, wildcards (`*.example.org`) among them.
    pub(super) fn domains(&self) -> Vec<String> {
        let names = self.certificate.subject_alt_names();
        let names = names.iter().flatten().filter_map(|name| name.dnsname());
        let mut domains: Vec<_> = names.map(str::to_lowercase).collect();
        if domains.is_empty() {
            let common = self.certificate.subject_name();
            let common = common.entries_by_nid(Nid::COMMONNAME);
            let common =
                common.filter_map(|entry| Some(entry.data().to_string().ok()?.to_lowercase()));
            domains.extend(common);
        }
        domains
    }

    /// SHA-256 and SHA-1 of the certificate, as clients show them.
    pub(super) fn fingerprints(&self) -> Result<[String; 2], ErrorStack> {
        let sha256 = self.certificate.digest(MessageDigest::sha256())?;
        let sha1 = self.certificate.digest(MessageDigest::sha1())?;
        let with_colons: Vec<_> = sha256.iter().map(|byte| format!("{byte:02X}")).collect();
        let plain: Vec<_> = sha1.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok([with_colons.join(":"), plain.concat()])
    }
}

/// A certificate that the user has named and its key, for TLS. The options are that of the certificate and that of the
/// key; errors name the file and its option.
pub(super) fn identity(
    files: &CertificateFiles,
    [option, key_option]: [&str; 2],
) -> anyhow::Result<native_tls::Identity> {
    Pem::read(files, option, key_option)?.identity()
}

/// The first key in a file, in any of the forms that OpenSSL writes. The error is the end of a sentence about the file.
fn read_key(pem: &[u8]) -> Result<PKey<Private>, &'static str> {
    if memchr::memmem::find(pem, KEY).is_none() {
        return Err("holds no PEM key");
    }
    let mut is_locked = false;
    // Without this, OpenSSL would ask for the password on the terminal.
    let refuse = |_: &mut [u8]| {
        is_locked = true;
        Err(ErrorStack::get())
    };
    let key = PKey::private_key_from_pem_callback(pem, refuse);
    match (key, is_locked) {
        (Ok(key), _) => Ok(key),
        (Err(_), true) => {
            Err("is locked with a password: write the key without it, with openssl pkey")
        }
        (Err(_), false) => Err("holds a key that cannot be read"),
    }
}

/// Seconds since 1970.
fn unix(time: &Asn1TimeRef) -> Result<i64, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(i64::from(since.days) * DAY + i64::from(since.secs))
}

#[cfg(test)]
impl Pem {
    /// The certificate.
    pub(super) fn certificate(&self) -> &X509 {
        &self.certificate
    }
}
