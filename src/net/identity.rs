//! A certificate of the user's and its key, read from PEM files.

use std::fs;

use anyhow::{Context as _, bail};
use native_tls::Identity;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use crate::config::CertificateFiles;

/// Reads a certificate, those that vouch for it, and its key. Errors name the file and the option, of which the first
/// names the certificate and the second the key.
pub(super) fn read(files: &CertificateFiles, options: [&str; 2]) -> anyhow::Result<Identity> {
    let [option, key_option] = options;
    let path = files.certificate.display();
    let pem =
        fs::read(&files.certificate).with_context(|| format!("cannot read {option} {path}"))?;
    let chain = X509::stack_from_pem(&pem).unwrap_or_default();
    let Some(certificate) = chain.first() else {
        bail!("{option} {path} holds no PEM certificate");
    };
    let key_path = files.key.display();
    let is_same = files.key == files.certificate;
    let named = if is_same { option } else { key_option };
    let key_pem =
        fs::read(&files.key).with_context(|| format!("cannot read {named} {key_path}"))?;
    if memchr::memmem::find(&key_pem, b"PRIVATE KEY-----").is_none() {
        bail!("{named} {key_path} holds no PEM key: name its file with {key_option}");
    }
    let key =
        read_key(&key_pem).map_err(|reason| anyhow::anyhow!("{named} {key_path} {reason}"))?;
    let belongs = certificate.public_key().is_ok_and(|it| it.public_eq(&key));
    if !belongs {
        bail!("the key in {named} {key_path} is not that of the first certificate in {path}");
    }
    // What native-tls reads is PKCS #8 alone, and nothing before it.
    let key = key
        .private_key_to_pem_pkcs8()
        .with_context(|| format!("cannot use the key in {named} {key_path}"))?;
    Identity::from_pkcs8(&pem, &key).with_context(|| format!("cannot use {option} {path}"))
}

/// The first key in a file, in any of the forms that OpenSSL writes; what is wrong with it, as the end of a sentence.
fn read_key(pem: &[u8]) -> Result<PKey<Private>, &'static str> {
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
