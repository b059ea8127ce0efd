//! `pubshim cert`: makes certificates, and tells how to have clients accept them.

use std::collections::HashSet;
use std::path::Path;

use time::OffsetDateTime;

use super::folder::{Folder, file_domain};
use super::{domains, now};
use crate::commands::print;
use crate::config::{CertificateFiles, Settings};
use crate::net::pem::Pem;

/// Prints the certificate of each domain in `asked`, or of `localhost` and each `--domain` if that is empty; makes
/// those that are missing. With `--cert` prints that one only.
///
/// # Errors
///
/// When a domain is not valid, or a certificate cannot be read or written.
pub fn cert(settings: &Settings, asked: &[String]) -> anyhow::Result<()> {
    if let Some(files) = &settings.certificate {
        let pem = Pem::read(files, "--cert", "--key")?;
        return print(&given(files, &pem)?);
    }
    let folder = Folder::new(settings.state.as_deref())?;
    let domains = match asked.is_empty() {
        true => domains(settings),
        false => asked.to_vec(),
    };
    let mut text = String::new();
    let mut last = None;
    let mut is_new = false;
    let mut seen = HashSet::new();
    for domain in &domains {
        let domain = file_domain(domain)?;
        if !seen.insert(domain.clone()) {
            continue;
        }
        let kept = folder.certificate(&domain, now())?;
        text += &facts(&domain, &kept.file, &kept.pem)?;
        is_new |= kept.is_new;
        last = Some((domain, kept.file));
    }
    if is_new {
        text +=
            "A pubshim that is running shows a new certificate only once it is started anew.\n\n";
    }
    if let Some((domain, file)) = last {
        text += &advice(&domain, &file);
    }
    print(&text)
}

/// Text about the certificate of `--cert`, which clients of every domain are shown.
fn given(files: &CertificateFiles, pem: &Pem) -> anyhow::Result<String> {
    let domains = pem.domains().join(", ");
    let text = facts(&domains, &files.certificate, pem)?;
    Ok(format!(
        "Clients are shown the certificate of --cert, whatever domain they ask for; pubshim makes none.\n\n{text}"
    ))
}

/// A domain as people write it, followed by its form in DNS if that differs.
fn in_both_scripts(domain: &str) -> String {
    match idna::domain_to_unicode(domain) {
        (unicode, Ok(())) if unicode != domain => format!("{unicode} ({domain})"),
        _ => domain.to_owned(),
    }
}

fn facts(domain: &str, file: &Path, pem: &Pem) -> anyhow::Result<String> {
    let expires = pem.expires()?;
    let is_over = if expires <= now() {
        ", so no client accepts it"
    } else {
        ""
    };
    let expires = OffsetDateTime::from_unix_timestamp(expires)?.date();
    let [sha256, sha1] = pem.fingerprints()?;
    Ok(format!(
        "{}\n  file         {}\n  SHA-256      {sha256}\n  SHA-1        {sha1}\n  valid until  {expires}{is_over}\n\n",
        in_both_scripts(domain),
        file.display()
    ))
}

/// How to have clients accept a self-signed certificate.
fn advice(domain: &str, file: &Path) -> String {
    let file = file.display();
    format!(
        "How a client comes to accept one, here that for {domain}:\n\n\
         \x20 Profanity  asks at the first login: compare the SHA-1, then /tls always\n\
         \x20 Gajim      asks at the first login: look at the certificate, then accept it\n\
         \x20 Dino       accepts only what the system trusts, so not this one: pubshim needs a certificate from an\n\
         \x20            authority, named with --cert\n\
         \x20 slixmpp    client.ca_certs = '{file}'\n\
         \x20 aioxmpp    context = aioxmpp.security_layer.default_ssl_context()\n\
         \x20            context.load_verify_locations('{file}')\n\
         \x20            security = aioxmpp.make_security_layer(password)\n\
         \x20            security = security._replace(ssl_context_factory=lambda: context)\n\
         \x20 others     if they use OpenSSL or Go: SSL_CERT_FILE={file} before the command,\n\
         \x20            which then trusts nothing else\n\n\
         Do not add it to the certificates of the system: its key lies in the same file, and whoever comes to read\n\
         that could pose as {domain} to every program.\n"
    )
}
