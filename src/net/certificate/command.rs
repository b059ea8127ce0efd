//! `pubshim cert`: makes certificates, and tells how clients come to accept them.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use time::OffsetDateTime;

use super::folder::{Folder, file_domain};
use super::pem::Pem;
use super::{domains, now};
use crate::commands::print;
use crate::config::{CertificateFiles, Settings};

/// Prints the certificate of each domain, made if it is missing; without a domain those for `localhost` and each
/// `--domain`. With `--cert` there is only that one.
///
/// # Errors
///
/// When a domain is none, or a certificate cannot be read or kept.
pub fn cert(settings: &Settings, asked: &[String]) -> anyhow::Result<()> {
    if let Some(files) = &settings.certificate {
        let pem = Pem::read(files, "--cert", "--key")?;
        return print(&given(files, &pem)?);
    }
    let state = settings.state.as_deref();
    let folder = Folder::new(
        state.context("there is no home folder to keep certificates in: name one with --state")?,
    );
    let domains = match asked.is_empty() {
        true => domains(settings),
        false => asked.to_vec(),
    };
    let mut text = String::new();
    let mut last = None;
    for domain in &domains {
        let domain = file_domain(domain)?;
        let kept = folder.certificate(&domain, now())?;
        text += &facts(&domain, &kept.file, &kept.pem)?;
        last = Some((domain, kept.file));
    }
    if let Some((domain, file)) = last {
        text += &advice(&domain, &file);
    }
    print(&text)
}

/// The certificate that is shown for every domain.
fn given(files: &CertificateFiles, pem: &Pem) -> anyhow::Result<String> {
    let domains = pem.domains().join(", ");
    let text = facts(&domains, &files.certificate, pem)?;
    Ok(format!(
        "Clients are shown the certificate of --cert, whatever domain they ask for; pubshim makes none.\n\n{text}"
    ))
}

fn facts(domain: &str, file: &Path, pem: &Pem) -> anyhow::Result<String> {
    let expires = OffsetDateTime::from_unix_timestamp(pem.expires()?)?.date();
    Ok(format!(
        "{domain}\n  file         {}\n  SHA-256      {}\n  valid until  {expires}\n\n",
        file.display(),
        pem.fingerprint()?
    ))
}

/// How clients come to accept a certificate that nobody vouches for.
fn advice(domain: &str, file: &Path) -> String {
    let file = file.display();
    let mut text = format!(
        "How a client comes to accept it, here that for {domain} (the same for each):\n\n\
         \x20 Profanity   asks at the first login: compare the fingerprint, then /tls always\n\
         \x20 Gajim       asks at the first login: look at the certificate, then accept it\n\
         \x20 slixmpp     client.ca_certs = '{file}'\n\
         \x20 aioxmpp     context.load_verify_locations('{file}') for the context that ssl_context_factory of\n\
         \x20             aioxmpp.security_layer.make() returns\n\
         \x20 others      SSL_CERT_FILE={file} before the command, if it uses OpenSSL; it then trusts nothing else\n\n"
    );
    let _ = write!(
        text,
        "Do not add it to the certificates of the system: the key lies in the file, too, and whoever reads that could\n\
         pose as {domain} to every program. Keep the file to yourself.\n"
    );
    text
}
