//! `pubshim cert`: makes certificates, and tells how clients come to accept them.

use std::path::Path;

use time::OffsetDateTime;

use super::folder::{Folder, file_domain};
use super::{domains, now};
use crate::commands::print;
use crate::config::{CertificateFiles, Settings};
use crate::net::pem::Pem;

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
    let folder = Folder::new(settings.state.as_deref())?;
    let domains = match asked.is_empty() {
        true => domains(settings),
        false => asked.to_vec(),
    };
    let mut text = String::new();
    let mut last = None;
    let mut is_new = false;
    for domain in &domains {
        let domain = file_domain(domain)?;
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
    format!(
        "How a client comes to accept one, here that for {domain}:\n\n\
         \x20 Profanity  asks at the first login: compare the fingerprint, then /tls always\n\
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
         Do not add it to the certificates of the system: its key lies in the same file, in your home folder, and\n\
         whoever comes to read that could pose as {domain} to every program.\n"
    )
}
